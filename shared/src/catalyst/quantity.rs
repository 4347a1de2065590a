//! Amounts as Kubernetes writes them: `500m`, `2Gi`, `1.5`, `1e3`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// An amount of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Quantity {
    /// Written without quotes and suffix.
    Number(i64),
    /// As text.
    Text(String),
}

impl JsonSchema for Quantity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true, "maxLength": 64, "maxItems": 0, "maxProperties": 0,
            "description": "An amount as Kubernetes writes it, for instance 500m or 2Gi.",
        })
    }
}

const NANO: u128 = 1_000_000_000;

impl Quantity {
    /// In billionths; `None` when it is no amount, or a negative one.
    pub fn nanos(&self) -> Option<u128> {
        match self {
            Self::Number(number) => u128::try_from(*number).ok()?.checked_mul(NANO),
            Self::Text(text) => nanos(text),
        }
    }
}

/// The amount that `text` says, in billionths; `None` when it is no amount, or a negative one.
pub(super) fn nanos(text: &str) -> Option<u128> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{part}");
    let plain = !part.contains('.') && !digits.is_empty() && digits.len() <= 30;
    let digits: u128 = plain.then(|| digits.parse().ok()).flatten()?;
    let (factor, divisor) = factor(suffix)?;
    let divisor = divisor.checked_mul(10_u128.checked_pow(u32::try_from(part.len()).ok()?)?)?;
    digits.checked_mul(factor)?.checked_mul(NANO).map(|amount| amount.div_ceil(divisor))
}

/// By what a suffix multiplies and divides.
fn factor(suffix: &str) -> Option<(u128, u128)> {
    let decimal = |power: u32| Some((10_u128.pow(power), 1));
    let binary = |power: u32| Some((1024_u128.pow(power), 1));
    match suffix {
        "" => Some((1, 1)),
        "n" => Some((1, NANO)),
        "u" => Some((1, 1_000_000)),
        "m" => Some((1, 1000)),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let ten = 10_u128.checked_pow(power.unsigned_abs()).filter(|_| power.abs() <= 18)?;
            Some(if power < 0 { (1, ten) } else { (ten, 1) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_kubernetes_reads_them() {
        for (text, expect) in [
            ("1", NANO),
            ("500m", NANO / 2),
            ("0.5", NANO / 2),
            (".5", NANO / 2),
            ("2Gi", 2 * 1024 * 1024 * 1024 * NANO),
            ("1.5Ki", 1536 * NANO),
            ("1e3", 1000 * NANO),
            ("1E-3", NANO / 1000),
            ("1E", 1_000_000_000_000_000_000 * NANO),
            ("100n", 100),
            ("+1", NANO),
            ("0", 0),
        ] {
            assert_eq!(nanos(text), Some(expect), "{text}");
        }
        for bad in ["", "-1", "1 Gi", "1gb", "Gi", "1.2.3", "e3", "1e99", "1ee3", &"9".repeat(40)] {
            assert_eq!(nanos(bad), None, "{bad}");
        }
        assert_eq!(Quantity::Number(-1).nanos(), None);
        assert_eq!(Quantity::Number(2).nanos(), Some(2 * NANO));
    }
}
