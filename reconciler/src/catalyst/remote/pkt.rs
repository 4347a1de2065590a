//! pkt-lines, in which git servers speak: four hexadecimal digits that say how long the line is, themselves counted, and the line.

/// The longest line that there can be.
const LONGEST: usize = 65_520;
/// How many digits stand before a line.
const DIGITS: usize = 4;

/// What stands in a pkt-line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pkt {
    /// The end of a part.
    Flush,
    /// A line, without the newline at its end.
    Line(Vec<u8>),
}

/// The bytes are no pkt-line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Splits bytes into pkt-lines as they arrive. It holds no more than one line and the bytes that were pushed last.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    at: usize,
}

impl Reader {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next one; `None` before all of it has come.
    ///
    /// # Errors
    /// [`Malformed`] when there can be none.
    pub fn take(&mut self) -> Result<Option<Pkt>, Malformed> {
        let rest = &self.bytes[self.at..];
        let Some(digits) = rest.first_chunk::<DIGITS>() else { return Ok(None) };
        let length = length(*digits)?;
        if length == 0 {
            self.at += DIGITS;
            return Ok(Some(Pkt::Flush));
        }
        let Some(line) = rest.get(DIGITS..length) else { return Ok(None) };
        let line = line.strip_suffix(b"\n").unwrap_or(line).to_vec();
        self.at += length;
        Ok(Some(Pkt::Line(line)))
    }
}

/// 0 for a flush. 1 to 3 end parts in other versions of the protocol than the one that is spoken here.
fn length(digits: [u8; DIGITS]) -> Result<usize, Malformed> {
    let value = |digit: u8| char::from(digit).to_digit(16).ok_or(Malformed);
    let mut length = 0;
    for digit in digits {
        length = length * 16 + value(digit)? as usize;
    }
    match length {
        0 | DIGITS..=LONGEST => Ok(length),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&[u8]]) -> Result<Vec<Pkt>, Malformed> {
        let (mut reader, mut found) = (Reader::default(), Vec::new());
        for chunk in chunks {
            reader.push(chunk);
            while let Some(pkt) = reader.take()? {
                found.push(pkt);
            }
        }
        Ok(found)
    }

    fn written(lines: &[Option<Vec<u8>>]) -> Vec<u8> {
        let line = |line: &Option<Vec<u8>>| match line {
            None => b"0000".to_vec(),
            Some(line) => {
                [format!("{:04x}", line.len() + 5).into_bytes(), line.clone(), b"\n".to_vec()].concat()
            }
        };
        lines.iter().flat_map(line).collect()
    }

    #[test]
    fn lines_are_taken_apart_wherever_they_are_cut() {
        let text = b"001e# service=git-upload-pack\n00000004000aab\ncd\n0000";
        let expect = [
            Pkt::Line(b"# service=git-upload-pack".to_vec()),
            Pkt::Flush,
            Pkt::Line(Vec::new()),
            Pkt::Line(b"ab\ncd".to_vec()),
            Pkt::Flush,
        ];
        for cut in 0..=text.len() {
            assert_eq!(all(&[&text[..cut], &text[cut..]]).unwrap(), expect, "cut at {cut}");
        }
        let bytes: Vec<_> = text.chunks(1).collect();
        assert_eq!(all(&bytes).unwrap(), expect);
    }

    #[test]
    fn what_is_no_length_is_told() {
        for text in
            [&b"00zz"[..], b"0001", b"0002", b"0003", b"fff1", b"ffff", b"+00a", b"<htm", b"\xff\xff\xff\xff"]
        {
            assert_eq!(all(&[text]), Err(Malformed), "{text:?}");
        }
        assert_eq!(all(&[b"000"]), Ok(Vec::new()));
        assert_eq!(all(&[b"fff0abc"]), Ok(Vec::new()), "the rest has not come");
    }

    #[test]
    fn what_is_written_is_read_and_no_bytes_can_do_harm() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let lines: Vec<_> = (0..random.usize(0..20))
                .map(|_| random.bool().then(|| (0..random.usize(0..200)).map(|_| random.u8(..)).collect()))
                .collect();
            let expect: Vec<_> = lines
                .iter()
                .map(|line: &Option<Vec<u8>>| line.clone().map_or(Pkt::Flush, Pkt::Line))
                .collect();
            let text = written(&lines);
            let cut = random.usize(0..=text.len());
            assert_eq!(all(&[&text[..cut], &text[cut..]]).unwrap(), expect);
        }
        for _ in 0..20_000 {
            let digits = b"0123456789abcdef\n zZ";
            let text: Vec<u8> =
                (0..random.usize(0..40)).map(|_| digits[random.usize(0..digits.len())]).collect();
            if let Ok(found) = all(&[&text]) {
                let read: usize =
                    found.iter().map(|pkt| if let Pkt::Line(line) = pkt { line.len() } else { 0 }).sum();
                assert!(read <= text.len());
            }
        }
    }
}
