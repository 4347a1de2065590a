//! A health check is a readiness probe: nothing restarts a container for it, as compose doesn't either.

use serde_json::{Value, json};

use super::file::{Healthcheck, Text, Words};

/// The probe, if there is one.
pub(super) fn probe(check: &Healthcheck) -> Result<Option<Value>, String> {
    let Some(test) = check.test.as_ref().filter(|_| !check.disable) else { return Ok(None) };
    let command = match &test.value {
        Words::Line(line) => shell(line),
        Words::List(words) => match words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
            Some(("NONE", _)) => return Ok(None),
            Some(("CMD", command)) if !command.is_empty() => command.to_vec(),
            Some(("CMD-SHELL", [line])) => shell(line),
            _ => return Err("is no test; write [CMD, program, argument], [CMD-SHELL, line] or [NONE]".into()),
        },
    };
    let mut probe = json!({ "exec": { "command": command } });
    let times = [("periodSeconds", &check.interval, 30), ("timeoutSeconds", &check.timeout, 30)];
    for (field, text, default) in times {
        probe[field] = text.as_ref().map_or(Ok(default), seconds)?.max(1).into();
    }
    if let Some(start) = &check.start_period {
        probe["initialDelaySeconds"] = seconds(start)?.into();
    }
    if let Some(retries) = &check.retries {
        let number: u16 =
            retries.value.parse().map_err(|_| "has retries that are no number; write one".to_owned())?;
        probe["failureThreshold"] = number.max(1).into();
    }
    Ok(Some(probe))
}

fn shell(line: &str) -> Vec<String> {
    ["/bin/sh", "-c", line].map(str::to_owned).to_vec()
}

/// `1m30s`, `500ms`; what is left of a second is a whole one.
fn seconds(text: &Text) -> Result<u32, String> {
    let wrong = || format!("{:?} is no time; write it as 1m30s", text.value);
    let (mut milliseconds, mut rest) = (0_u64, text.value.as_str());
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |end| digits + end);
        let factor = match &rest[digits..unit] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        milliseconds =
            number.checked_mul(factor).and_then(|time| milliseconds.checked_add(time)).ok_or_else(wrong)?;
        rest = &rest[unit..];
    }
    u32::try_from(milliseconds.div_ceil(1000)).map_err(|_| wrong())
}
