//! What an unquoted YAML value means to Kubernetes.
//!
//! kubectl reads YAML 1.1 as the Go package sigs.k8s.io/yaml does, which differs from YAML 1.2: `yes`, `on`
//! and `y` are booleans, `0777` is octal, `1_000` is a number.

use serde_json::Number;

use super::tree::Content;

/// The meaning of an unquoted value; `None` when it is a number that JSON does not have.
pub(crate) fn resolve(text: &str) -> Option<Content> {
    let content = match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Content::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Content::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf"
        | "-.Inf" | "-.INF" => return None,
        _ => number(text).map_or_else(|| Content::Text(text.to_owned()), Content::Number),
    };
    Some(content)
}

fn number(text: &str) -> Option<Number> {
    match text.as_bytes().first()? {
        b'.' => float(text),
        b'+' | b'-' | b'0'..=b'9' => {
            let plain = text.replace('_', "");
            integer(&plain).or_else(|| float(&plain))
        }
        _ => None,
    }
}

fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match negative {
        false => Some(magnitude.into()),
        true => 0_i64.checked_sub_unsigned(magnitude).map(Number::from),
    }
}

fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    if !numeric {
        return None;
    }
    text.parse().ok().and_then(from_f64)
}

/// A float as JSON writes it: whole numbers lose their point, as in Go, so that `1.0` is good for an integer.
pub(crate) fn from_f64(float: f64) -> Option<Number> {
    float.to_string().parse::<i64>().map(Number::from).ok().or_else(|| Number::from_f64(float))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::input::tree::{Node, Span};

    fn check(text: &str, expect: serde_json::Value) {
        let content = resolve(text).unwrap();
        assert_eq!(Node::new(Span::default(), content).to_json(), expect, "{text:?}");
    }

    // Every line was compared with what sigs.k8s.io/yaml v1.6.0 makes of it.
    #[test]
    fn values_mean_what_they_mean_to_kubectl() {
        for text in ["yes", "On", "y", "TRUE"] {
            check(text, json!(true));
        }
        for text in ["no", "Off", "N", "false"] {
            check(text, json!(false));
        }
        for text in ["", "~", "Null"] {
            check(text, json!(null));
        }
        let texts = "yEs oN None 08:30 2001-01-01 1.2.3 0x +-1 --1 1e999 . -";
        for text in texts.split(' ') {
            check(text, json!(text));
        }
        check("1_", json!(1));
        check("9223372036854775807", json!(i64::MAX));
        check("9223372036854775808", json!(9_223_372_036_854_775_808_u64));
        check("-9223372036854775808", json!(i64::MIN));
        check("0777", json!(511));
        check("08", json!(8));
        check("0x1F", json!(31));
        check("-0b101", json!(-5));
        check("0o17", json!(15));
        check("1_000", json!(1000));
        check("+5", json!(5));
        check("1.0", json!(1));
        check("1e3", json!(1000));
        check(".5", json!(0.5));
        check("5.", json!(5));
        assert!(resolve(".nan").is_none() && resolve("-.inf").is_none());
    }
}
