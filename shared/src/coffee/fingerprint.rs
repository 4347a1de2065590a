//! What recognises an order among those of an account: the shop keeps no reference of ours.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::Postal;
use crate::common::words::hex;

/// A digest of who ordered what and where it goes, 64 hexadecimal digits.
///
/// `account` is the account's name or id, `variants` the quantity of each variant by its id. The address is
/// best the one that the *shop* keeps under the address's id, since the shop writes it in its own way; then the
/// one that it shows with the order is the same. Case, punctuation, repeated spaces and the telephone number
/// make no difference.
pub fn fingerprint(account: &str, variants: &BTreeMap<String, i64>, address: &Postal<'_>) -> String {
    let mut digest = Sha256::new();
    let mut add = |part: &str| {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    };
    add(account);
    for part in address.parts() {
        add(&normal(part));
    }
    for (variant, quantity) in variants {
        add(variant);
        add(&quantity.to_string());
    }
    hex(&digest.finalize())
}

/// `text` in capitals, its words, without punctuation, one space apart.
fn normal(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_uppercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Postal<'_> = Postal {
        name: "Ada Lovelace",
        street1: "12 St. James's Sq.",
        street2: None,
        city: "London",
        province: None,
        country: "GB",
        zip: "SW1Y 4JH",
        phone: None,
    };

    fn of(account: &str, variants: &[(&str, i64)], address: Postal<'_>) -> String {
        let variants = variants.iter().map(|(id, quantity)| ((*id).to_owned(), *quantity)).collect();
        fingerprint(account, &variants, &address)
    }

    #[test]
    fn spelling_makes_no_difference() {
        let shop = Postal {
            name: " ADA  LOVELACE ",
            street1: "12 St James's Sq",
            street2: Some(""),
            phone: Some("1"),
            country: "gb",
            ..HOME
        };
        assert_eq!(of("a/b", &[("var_1", 2)], HOME), of("a/b", &[("var_1", 2)], shop));
    }

    #[test]
    fn everything_else_does() {
        let base = of("a/b", &[("var_1", 2)], HOME);
        let others = [
            of("a/c", &[("var_1", 2)], HOME),
            of("a/b", &[("var_1", 3)], HOME),
            of("a/b", &[("var_2", 2)], HOME),
            of("a/b", &[("var_1", 2), ("var_2", 1)], HOME),
            of("a/b", &[("var_1", 2)], Postal { zip: "SW1Y 4JX", ..HOME }),
            of("a/b", &[("var_1", 2)], Postal { street2: Some("London"), city: "", ..HOME }),
            of("a/b", &[("var_1", 2)], Postal { province: Some("GB"), country: "", ..HOME }),
        ];
        assert!(others.iter().all(|other| *other != base));
        assert_eq!(base.len(), 64);
    }
}
