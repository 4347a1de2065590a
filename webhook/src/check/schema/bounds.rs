//! What a schema demands of one value beside its type: enumerations, bounds, patterns, formats.

use concierge_shared::admission::problem::Cause;
use regex::Regex;
use serde_json::Value;

use crate::check::words::count;

/// What `value` breaks of its own schema. No value is repeated in a message: it may be a secret.
pub(super) fn broken(schema: &Value, value: &Value) -> Vec<(Cause, String)> {
    let mut found: Vec<_> = not_listed(schema, value).into_iter().collect();
    match value {
        Value::Number(number) => {
            found.extend(number.as_f64().and_then(|number| out_of_range(schema, number)));
        }
        Value::String(text) => {
            found.extend(wrong_size(schema, "Length", text.chars().count(), "character"));
            found.extend(malformed(schema, text));
        }
        Value::Array(items) => found.extend(wrong_size(schema, "Items", items.len(), "item")),
        Value::Object(fields) => found.extend(wrong_size(schema, "Properties", fields.len(), "field")),
        Value::Null | Value::Bool(_) => {}
    }
    found
}

/// The indexes of items that a list holds a second time although its type forbids it.
pub(super) fn repeated(schema: &Value, items: &[Value]) -> Vec<usize> {
    let keys = schema["x-kubernetes-list-map-keys"].as_array();
    let key_of = |item: &Value| match (schema["x-kubernetes-list-type"].as_str(), keys) {
        (Some("map"), Some(keys)) => {
            let values = keys.iter().filter_map(Value::as_str).map(|key| item[key].clone());
            Some(Value::Array(values.collect()))
        }
        (Some("set"), _) => Some(item.clone()),
        _ => (schema["uniqueItems"] == true).then(|| item.clone()),
    };
    let mut seen = std::collections::HashSet::new();
    let is_repeated = |item: &Value| key_of(item).is_some_and(|key| !seen.insert(key.to_string()));
    let mut is_repeated = is_repeated;
    items.iter().enumerate().filter_map(|(index, item)| is_repeated(item).then_some(index)).collect()
}

fn not_listed(schema: &Value, value: &Value) -> Option<(Cause, String)> {
    let allowed = schema["enum"].as_array()?;
    if allowed.contains(value) {
        return None;
    }
    let shown: Vec<_> = allowed.iter().filter(|one| !one.is_null()).map(plain).collect();
    let shown = shown.join(", ");
    // A field that may be empty still may not be so when its list of values does not say it.
    let message = match value.is_null() {
        true => format!("is empty; use one of {shown}, or remove it"),
        false => format!("is not supported; use one of {shown}"),
    };
    Some((Cause::NotSupported, message))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn out_of_range(schema: &Value, number: f64) -> Option<(Cause, String)> {
    let bound = |key: &str| schema[key].as_f64();
    let message = if let Some(min) = bound("minimum").filter(|min| number < *min) {
        format!("must be at least {min}")
    } else if let Some(max) = bound("maximum").filter(|max| number > *max) {
        format!("must be at most {max}")
    } else if schema["exclusiveMinimum"] == true && bound("minimum") == Some(number) {
        format!("must be more than {number}")
    } else if schema["exclusiveMaximum"] == true && bound("maximum") == Some(number) {
        format!("must be less than {number}")
    } else {
        let step = bound("multipleOf").filter(|step| (number / step).fract() != 0.0)?;
        format!("must be a multiple of {step}")
    };
    Some((Cause::Invalid, message))
}

/// Bounds of a length, or of a number of things.
fn wrong_size(schema: &Value, of: &str, size: usize, unit: &str) -> Option<(Cause, String)> {
    let bound =
        |end: &str| schema[format!("{end}{of}")].as_u64().and_then(|bound| usize::try_from(bound).ok());
    let long = if of == "Length" { " long" } else { "" };
    let verb = if of == "Length" { "be" } else { "have" };
    if bound("min") == Some(1) && size == 0 {
        return Some((Cause::Invalid, "is empty; give it a value".to_owned()));
    }
    if let Some(min) = bound("min").filter(|min| size < *min) {
        return Some((Cause::Invalid, format!("must {verb} at least {}{long}", count(min, unit))));
    }
    let max = bound("max").filter(|max| size > *max)?;
    let cause = if of == "Length" { Cause::Invalid } else { Cause::TooMany };
    Some((cause, format!("must {verb} at most {}{long}", count(max, unit))))
}

fn malformed(schema: &Value, text: &str) -> Option<(Cause, String)> {
    let pattern = schema["pattern"].as_str();
    if let Some(pattern) = pattern.filter(|pattern| !matches(pattern, text)) {
        return Some((Cause::Invalid, format!("must match the pattern {pattern}")));
    }
    let is_date_time = || text.parse::<jiff::Timestamp>().is_ok();
    (schema["format"] == "date-time" && !is_date_time())
        .then(|| (Cause::Invalid, "is no time; write it like 2030-01-31T12:00:00Z".to_owned()))
}

/// A pattern that can't be read here says nothing; a test looks at all that there are.
fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
}
