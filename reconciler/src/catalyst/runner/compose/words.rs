//! Commands.

use super::file::Words;

impl Words {
    /// The words of a command; a line is taken apart as a shell does it.
    pub(super) fn split(&self) -> Result<Vec<String>, String> {
        match self {
            Self::Line(line) => split(line).ok_or_else(|| "has a quote that is not closed; close it".into()),
            Self::List(words) => Ok(words.clone()),
        }
    }
}

fn split(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut is_word) = (Vec::new(), String::new(), false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                quoted(&mut chars, c, &mut word)?;
                is_word = true;
            }
            '\\' => {
                word.push(chars.next()?);
                is_word = true;
            }
            c if c.is_whitespace() => {
                if std::mem::take(&mut is_word) {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => {
                word.push(c);
                is_word = true;
            }
        }
    }
    words.extend(is_word.then_some(word));
    Some(words)
}

/// Takes what stands up to the closing `quote`.
fn quoted(chars: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> Option<()> {
    loop {
        match chars.next()? {
            c if c == quote => return Some(()),
            '\\' if quote == '"' => match chars.next()? {
                c @ ('"' | '\\' | '$') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_as_a_shell_does_it() {
        for (line, expect) in [
            ("npm run dev", vec!["npm", "run", "dev"]),
            ("  a   b ", vec!["a", "b"]),
            (r#"sh -c "echo 'x' \"y\" \n""#, vec!["sh", "-c", r#"echo 'x' "y" \n"#]),
            (r"a\ b '' c'd e'f", vec!["a b", "", "cd ef"]),
            ("", vec![]),
        ] {
            assert_eq!(split(line).unwrap(), expect, "{line}");
        }
        for bad in ["'", "a \"b", "\\"] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }
}
