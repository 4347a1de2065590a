//! Where a bridge finds what is in Secrets: in variables of its environment, and in files. Their names are written, and never what is in them.

use std::collections::BTreeMap;

use concierge_shared::common::SecretKeyRef;

/// The folder in which a bridge has a folder for each Secret.
const FOLDER: &str = "/etc/orasi/secrets";

/// The places that are written, each with the entry of a Secret that belongs there: namespace, name and key.
#[derive(Default)]
pub(super) struct Secrets {
    places: BTreeMap<String, [String; 3]>,
    clash: Option<String>,
}

impl Secrets {
    /// `${ORASI_LAKE_KEYS_PASSWORD}` for the entry `password` of the Secret `lake-keys`.
    pub(super) fn variable(&mut self, namespace: &str, secret: &SecretKeyRef) -> String {
        let words = format!("ORASI_{}_{}", secret.name, secret.key).to_ascii_uppercase();
        let variable = words.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
        self.note(variable.clone(), [namespace, &secret.name, &secret.key]);
        format!("${{{variable}}}")
    }

    /// `/etc/orasi/secrets/lake-keys/tls.crt`
    pub(super) fn file(&mut self, namespace: &str, name: &str, key: &str) -> String {
        let path = format!("{FOLDER}/{name}/{key}");
        self.note(path.clone(), [namespace, name, key]);
        path
    }

    fn note(&mut self, place: String, entry: [&str; 3]) {
        let entry = entry.map(str::to_owned);
        let told = |[namespace, name, key]: &[String; 3]| format!("{key} of Secret {namespace}/{name}");
        match self.places.get(&place) {
            Some(other) if *other != entry => {
                let (one, other) = (told(&entry), told(other));
                let message =
                    format!("{one} and {other} would both be {place} for the bridge; rename one of them");
                self.clash.get_or_insert(message);
            }
            _ => drop(self.places.insert(place, entry)),
        }
    }

    /// Fails when two entries would have the same place: the bridge would use one credential for the other.
    pub(super) fn check(self) -> Result<(), String> {
        self.clash.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, key: &str) -> SecretKeyRef {
        SecretKeyRef { name: name.into(), key: key.into() }
    }

    #[test]
    fn an_entry_has_one_place_however_often_it_is_used() {
        let mut secrets = Secrets::default();
        for _ in 0..2 {
            assert_eq!(
                secrets.variable("data", &entry("lake-keys", "pass.word")),
                "${ORASI_LAKE_KEYS_PASS_WORD}"
            );
            assert_eq!(secrets.file("data", "lake", "tls.crt"), "/etc/orasi/secrets/lake/tls.crt");
        }
        secrets.check().unwrap();
    }

    #[test]
    fn two_entries_never_share_a_place() {
        let clash = |one: (&str, &SecretKeyRef), other: (&str, &SecretKeyRef)| {
            let mut secrets = Secrets::default();
            secrets.variable(one.0, one.1);
            secrets.variable(other.0, other.1);
            secrets.check().unwrap_err()
        };
        let message = clash(("data", &entry("a-b", "c")), ("data", &entry("a", "b-c")));
        let expect = "b-c of Secret data/a and c of Secret data/a-b would both be ORASI_A_B_C for the bridge; rename one of them";
        assert_eq!(message, expect);
        assert!(clash(("data", &entry("a", "b")), ("lakes", &entry("a", "b"))).contains("ORASI_A_B"));
    }
}
