//! `${NAME}` and its kin.

use std::collections::BTreeMap;

/// `text` with variables in place of their names; an error says which variable is wanted, and never what another holds.
pub(super) fn interpolate(text: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let (mut result, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let end = closing(after).ok_or("has a '${' without '}'; write $$ for a '$'")?;
            result.push_str(&braced(&after[..end], variables)?);
            rest = &after[end + 1..];
        } else {
            let end = name_end(rest);
            if end == 0 {
                return Err("has a '$' that names no variable; write $$ for a '$'".into());
            }
            result.push_str(variables.get(&rest[..end]).map_or("", String::as_str));
            rest = &rest[end..];
        }
    }
    Ok(result + rest)
}

/// Where the brace that is open closes: defaults may have braces of their own.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

fn name_end(text: &str) -> usize {
    let usual = |at: usize, c: char| c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit());
    text.char_indices().find(|(at, c)| !usual(*at, *c)).map_or(text.len(), |(at, _)| at)
}

/// What stands between braces: `NAME`, `NAME:-default`, `NAME-default`, `NAME:?words`, `NAME?words`, `NAME:+other`, `NAME+other`.
fn braced(inside: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let (name, rest) = inside.split_at(name_end(inside));
    if name.is_empty() {
        return Err("has a '${' that names no variable; write $$ for a '$'".into());
    }
    let value = variables.get(name);
    let (rest, value) = match rest.strip_prefix(':') {
        Some(rest) => (rest, value.filter(|value| !value.is_empty())),
        None => (rest, value),
    };
    let word = rest.get(1..).unwrap_or_default();
    match (rest.chars().next(), value) {
        (None | Some('-' | '?'), Some(value)) => Ok(value.clone()),
        (None, None) | (Some('+'), None) => Ok(String::new()),
        (Some('-'), None) | (Some('+'), Some(_)) => interpolate(word, variables),
        (Some('?'), None) => {
            Err(format!("wants the variable {name}; set it in the environment's config.env"))
        }
        _ => {
            Err(format!("has something behind ${{{name} that is not understood; write ${{{name}:-default}}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_take_the_place_of_their_names() {
        let variables =
            [("A", "1"), ("EMPTY", "")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        for (text, expect) in [
            ("plain", "plain"),
            ("$A-${A}", "1-1"),
            ("${NONE}x$NONE", "x"),
            ("${NONE:-d}${NONE-d}${A:-d}", "dd1"),
            ("${EMPTY:-d}|${EMPTY-d}", "d|"),
            ("${NONE:-${A}}", "1"),
            ("${A:+y}${NONE:+y}${EMPTY+y}", "yy"),
            ("$$A é", "$A é"),
            ("${A:?no}", "1"),
        ] {
            assert_eq!(interpolate(text, &variables).as_deref(), Ok(expect), "{text}");
        }
        for (text, expect) in [
            ("${A", "without"),
            ("$ A", "no variable"),
            ("${}", "no variable"),
            ("${NONE:?secret}", "variable NONE"),
            ("${A!}", "not understood"),
        ] {
            let error = interpolate(text, &variables).unwrap_err();
            assert!(error.contains(expect) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
