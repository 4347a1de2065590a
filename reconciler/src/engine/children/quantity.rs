//! Quantities as Kubernetes writes them: `1`, `1000m`, `1Gi`, `1e3`.

/// How many of the smallest unit, a billionth, one is.
const NANO: i128 = 1_000_000_000;

/// True when both are quantities, and the same.
pub(super) fn same(one: &str, other: &str) -> bool {
    matches!((nanos(one), nanos(other)), (Some(a), Some(b)) if a == b)
}

/// The quantity in billionths; `None` when it is none, or out of reach.
fn nanos(text: &str) -> Option<i128> {
    let end =
        text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (factor, divisor) = scale(suffix)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}").parse::<i128>().ok()?;
    let scaled = digits.checked_mul(NANO)?.checked_mul(factor)?;
    let divisor = divisor.checked_mul(10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    // The API server rounds up what is smaller.
    Some(scaled.div_euclid(divisor) + i128::from(scaled.rem_euclid(divisor) != 0))
}

/// By what a number with this suffix is multiplied and divided.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    if let Some(exponent) = suffix.strip_prefix(['e', 'E']).filter(|exponent| !exponent.is_empty()) {
        let exponent: i32 = exponent.parse().ok()?;
        let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
        return Some(if exponent < 0 { (1, power) } else { (power, 1) });
    }
    let binary = |power: u32| Some((1_i128 << (10 * power), 1));
    let decimal = |power: u32| Some((1000_i128.pow(power), 1));
    match suffix {
        "n" => Some((1, 1000_i128.pow(3))),
        "u" => Some((1, 1000_i128.pow(2))),
        "m" => Some((1, 1000)),
        "" => Some((1, 1)),
        "k" => decimal(1),
        "M" => decimal(2),
        "G" => decimal(3),
        "T" => decimal(4),
        "P" => decimal(5),
        "E" => decimal(6),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_the_same_however_they_are_written() {
        for (one, other) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1Gi", "1024Mi"),
            ("1e3", "1k"),
            ("1E3", "1000"),
            ("12e-1", "1200m"),
            (".5", "500m"),
            ("1.", "1"),
            ("+2", "2"),
            ("-1", "-1000m"),
            ("0.1n", "1n"),
            ("1E", "1000P"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in
            [("1", "1001m"), ("1G", "1Gi"), ("1", "one"), ("one", "one"), ("", ""), ("1x", "1x")]
        {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_out_of_reach_is_no_quantity_and_no_panic() {
        for text in [
            "9999999999999999999999999999999999999999",
            "1e99",
            "1e-99",
            "99999999999999999999Ei",
            "1e",
            "-",
            ".",
        ] {
            assert!(!same(text, text), "{text}");
        }
    }
}
