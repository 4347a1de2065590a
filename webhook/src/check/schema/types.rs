//! Types: what a value is, what it should be, and how it becomes that.

use serde_json::Value;

/// Why `value`, written in its file as `written`, is not of the schema's type.
///
/// The value is not repeated: it may be a secret in the wrong place.
pub(super) fn wrong(schema: &Value, value: &Value, written: Option<&str>) -> Option<String> {
    let int_or_string = schema["x-kubernetes-int-or-string"] == true;
    let expected = schema["type"].as_str().or(int_or_string.then_some("integer or text"))?;
    let fits = match value {
        Value::Null => schema["nullable"] == true || schema.get("default").is_some(),
        Value::Number(number) if int_or_string => number.is_i64(),
        Value::String(_) if int_or_string => true,
        Value::Bool(_) => expected == "boolean",
        Value::Number(number) => expected == "number" || (expected == "integer" && number.is_i64()),
        Value::String(_) => expected == "string",
        Value::Array(_) => expected == "array",
        Value::Object(_) => expected == "object",
    };
    (!fits).then(|| format!("{}{}", found(value, written), remedy(schema, value, expected)))
}

fn found(value: &Value, written: Option<&str>) -> String {
    match (value, written) {
        (Value::Bool(value), Some(written)) if written != value.to_string() => {
            format!("{written} is the boolean {value} in YAML")
        }
        (Value::Bool(value), _) => format!("is the boolean {value}"),
        (Value::Null, _) => "is empty".to_owned(),
        (Value::Number(_), _) => "is a number".to_owned(),
        (Value::String(_), _) => "is a text".to_owned(),
        (Value::Array(_), _) => "is a list".to_owned(),
        (Value::Object(_), _) => "is a map".to_owned(),
    }
}

fn remedy(schema: &Value, value: &Value, expected: &str) -> String {
    match (expected, value) {
        ("string", Value::Bool(_) | Value::Number(_)) => "; put it in quotes".to_owned(),
        ("integer", Value::Number(number)) if number.as_f64().is_some_and(|float| float.fract() != 0.0) => {
            "; use a whole number".to_owned()
        }
        ("integer", Value::Number(_)) => format!("; use one of at most {}", i64::MAX),
        ("integer", Value::String(text)) if finite(text).is_some_and(|float| float.fract() == 0.0) => {
            "; remove the quotes".to_owned()
        }
        ("number", Value::String(text)) if finite(text).is_some() => "; remove the quotes".to_owned(),
        ("boolean", Value::String(text)) if matches!(text.as_str(), "true" | "false") => {
            "; remove the quotes".to_owned()
        }
        (_, Value::Null) => format!("; give it {}, or remove it", a_value(schema, expected)),
        _ => format!("; use {}", a_value(schema, expected)),
    }
}

/// The number that `text` is: what is too large for one is a text without quotes as well.
fn finite(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|float| float.is_finite())
}

fn a_value(schema: &Value, expected: &str) -> String {
    let names: Vec<_> =
        schema["properties"].as_object().into_iter().flat_map(|fields| fields.keys().cloned()).collect();
    match expected {
        "integer" => "a whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "string" => "a text".to_owned(),
        "array" => "a list".to_owned(),
        "object" if names.is_empty() => "a map".to_owned(),
        "object" => format!("a map of {}", names.join(", ")),
        "integer or text" => "a whole number or a text".to_owned(),
        other => format!("a {other}"),
    }
}
