//! JSON taken apart by its quotes and brackets, 64 bytes at a time. What is stepped over is not looked at any further.
//!
//! Everything here returns nothing when the text is not certainly what it was taken for; serde has the last word then.

use wide::u8x16;

/// Where in a block of 64 bytes something is: a bit for each byte.
struct Block {
    quotes: u64,
    backslashes: u64,
    opening: u64,
    closing: u64,
}

impl Block {
    #[inline(always)]
    fn of(bytes: &[u8; 64]) -> Self {
        let parts: [u8x16; 4] = std::array::from_fn(|part| {
            let mut bytes16 = [0; 16];
            bytes16.copy_from_slice(&bytes[part * 16..part * 16 + 16]);
            u8x16::new(bytes16)
        });
        // `[` and `{`, `]` and `}` differ in one bit.
        let folded = parts.map(|part| part | u8x16::splat(0x20));
        Self {
            quotes: places(&parts, b'"'),
            backslashes: places(&parts, b'\\'),
            opening: places(&folded, b'{'),
            closing: places(&folded, b'}'),
        }
    }
}

#[inline(always)]
fn places(parts: &[u8x16; 4], byte: u8) -> u64 {
    let of = |part: usize| u64::from(parts[part].simd_eq(u8x16::splat(byte)).to_bitmask()) << (16 * part);
    of(0) | of(1) | of(2) | of(3)
}

/// What the blocks before left open.
#[derive(Default)]
struct Carry {
    /// 1 when the last byte was a backslash that stands for itself no more.
    escape: u64,
    /// All ones within a string.
    string: u64,
}

impl Carry {
    /// The bytes that follow an odd run of backslashes, without a loop over them (as simdjson does).
    #[inline(always)]
    fn escaped(&mut self, backslashes: u64) -> u64 {
        if backslashes == 0 {
            return std::mem::take(&mut self.escape);
        }
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let backslashes = backslashes & !self.escape;
        let follows = backslashes << 1 | self.escape;
        let odd_starts = backslashes & !EVEN & !follows;
        let (even_runs, overflow) = odd_starts.overflowing_add(backslashes);
        self.escape = u64::from(overflow);
        (EVEN ^ (even_runs << 1)) & follows
    }

    /// The bytes within strings, opening quotes included.
    #[inline(always)]
    fn strings(&mut self, quotes: u64) -> u64 {
        let mut inside = quotes;
        for shift in [1, 2, 4, 8, 16, 32] {
            inside ^= inside << shift;
        }
        inside ^= self.string;
        self.string = (inside.cast_signed() >> 63).cast_unsigned();
        inside
    }
}

/// The blocks of `text`; the last one is filled up with spaces.
#[inline(always)]
fn blocks(text: &[u8]) -> impl Iterator<Item = Block> {
    let (whole, rest) = text.as_chunks::<64>();
    let mut last = [b' '; 64];
    last[..rest.len()].copy_from_slice(rest);
    whole.iter().map(Block::of).chain(std::iter::once_with(move || Block::of(&last)))
}

/// The length of the object or array that `text` begins with.
fn container(text: &[u8]) -> Option<usize> {
    let (mut depth, mut carry) = (0_u64, Carry::default());
    for (number, block) in blocks(text).enumerate() {
        let quotes = block.quotes & !carry.escaped(block.backslashes);
        let outside = !carry.strings(quotes);
        let (opening, closing) = (block.opening & outside, block.closing & outside);
        if depth > u64::from(closing.count_ones()) {
            depth = depth + u64::from(opening.count_ones()) - u64::from(closing.count_ones());
            continue;
        }
        let mut brackets = opening | closing;
        while brackets != 0 {
            let at = brackets.trailing_zeros();
            if opening >> at & 1 == 1 {
                depth += 1;
            } else {
                depth = depth.checked_sub(1)?;
            }
            if depth == 0 {
                return Some(number * 64 + at as usize + 1);
            }
            brackets &= brackets - 1;
        }
    }
    None
}

/// Whether objects and arrays are nested more than `most` levels deep in `text`, which is JSON.
pub(super) fn is_deeper(text: &[u8], most: u32) -> bool {
    depth(text, most) > most
}

/// How deep they are nested in it, but not less than `least`.
pub(super) fn depth(text: &[u8], least: u32) -> u32 {
    let (mut depth, mut carry) = (0_u32, Carry::default());
    blocks(text).fold(least, |most, block| {
        let quotes = block.quotes & !carry.escaped(block.backslashes);
        let outside = !carry.strings(quotes);
        let (opening, closing) = (block.opening & outside, block.closing & outside);
        // Nearly always that is enough to know.
        let at_most = depth + opening.count_ones();
        let most = if at_most > most { most.max(deepest(depth, opening, closing)) } else { most };
        depth = at_most.saturating_sub(closing.count_ones());
        most
    })
}

/// How deep it gets in a block that begins at `depth`.
fn deepest(mut depth: u32, opening: u64, closing: u64) -> u32 {
    let (mut brackets, mut deepest) = (opening | closing, depth);
    while brackets != 0 {
        let opens = opening >> brackets.trailing_zeros() & 1 == 1;
        depth = if opens { depth + 1 } else { depth.saturating_sub(1) };
        deepest = deepest.max(depth);
        brackets &= brackets - 1;
    }
    deepest
}

/// The length of the string that `text` begins with, quotes included, and whether anything in it is escaped.
#[inline]
fn string(text: &[u8]) -> Option<(usize, bool)> {
    let mut at = 1;
    // Most are short.
    while let Some((bytes, _)) = text.get(at..)?.split_first_chunk::<16>() {
        let bytes = u8x16::new(*bytes);
        let found = bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\'));
        match found.to_bitmask().trailing_zeros() as usize {
            place @ 0..16 if text[at + place] == b'"' => return Some((at + place + 1, false)),
            0..16 => break,
            _ => at += 16,
        }
    }
    let (mut carry, mut escapes) = (Carry::default(), 0);
    for (number, block) in blocks(&text[at..]).enumerate() {
        let quotes = block.quotes & !carry.escaped(block.backslashes);
        if quotes != 0 {
            let place = quotes.trailing_zeros();
            escapes |= block.backslashes & ((1 << place) - 1);
            return Some((at + number * 64 + place as usize + 1, escapes != 0));
        }
        escapes |= block.backslashes;
    }
    None
}

/// The length of the number or word that `text` begins with.
fn scalar(text: &[u8]) -> Option<usize> {
    let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
    let length = text.iter().position(is_end)?;
    let is_number =
        |text: &[u8]| text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
    match &text[..length] {
        [] => None,
        b"true" | b"false" | b"null" => Some(length),
        number => is_number(number).then_some(length),
    }
}

/// A value and what follows it.
pub(super) type Read<'a, T> = Option<(T, &'a [u8])>;

/// The value that `text` begins with, as it is written.
#[inline]
pub(super) fn value(text: &[u8]) -> Read<'_, &[u8]> {
    let length = match text.first()? {
        b'{' | b'[' => container(text)?,
        b'"' => string(text)?.0,
        _ => scalar(text)?,
    };
    text.split_at_checked(length)
}

/// `text` without white space in front.
#[inline(always)]
pub(super) fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Goes through the object that `text` begins with; what follows it. `see` gets each key and the text from the value on,
/// and returns what follows the value. A key with an escape is none of those that anybody asks for by its bytes, so nothing
/// is returned for it.
#[inline(always)]
pub(super) fn fields<'a>(
    text: &'a [u8],
    mut see: impl FnMut(&'a [u8], &'a [u8]) -> Option<&'a [u8]>,
) -> Option<&'a [u8]> {
    let mut text = trimmed(text.strip_prefix(b"{")?);
    if let Some(rest) = text.strip_prefix(b"}") {
        return Some(rest);
    }
    loop {
        text.first().filter(|byte| **byte == b'"')?;
        let (length, false) = string(text)? else { return None };
        let (key, rest) = text.split_at_checked(length)?;
        let rest = trimmed(trimmed(rest).strip_prefix(b":")?);
        match trimmed(see(&key[1..length - 1], rest)?) {
            [b',', rest @ ..] => text = trimmed(rest),
            [b'}', rest @ ..] => return Some(rest),
            _ => return None,
        }
    }
}

/// Goes through the array that `text` begins with; what follows it. `see` gets the text from each item on, and returns
/// what follows the item.
pub(super) fn items<'a>(
    text: &'a [u8],
    mut see: impl FnMut(&'a [u8]) -> Option<&'a [u8]>,
) -> Option<&'a [u8]> {
    let mut text = trimmed(text.strip_prefix(b"[")?);
    if let Some(rest) = text.strip_prefix(b"]") {
        return Some(rest);
    }
    loop {
        match trimmed(see(text)?) {
            [b',', rest @ ..] => text = trimmed(rest),
            [b']', rest @ ..] => return Some(rest),
            _ => return None,
        }
    }
}

/// What follows the value that `text` begins with.
#[inline]
pub(super) fn skip(text: &[u8]) -> Option<&[u8]> {
    value(text).map(|(_, rest)| rest)
}

/// Puts what was read into `slot`, if it is the first; what follows it.
#[inline(always)]
pub(super) fn once<'a, T>(slot: &mut Option<T>, (read, rest): (T, &'a [u8])) -> Option<&'a [u8]> {
    slot.replace(read).is_none().then_some(rest)
}

#[cfg(test)]
mod tests;
