//! `caBundle`: old and new merged, expired dropped.

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::ca::Certificate;

/// The certificates of a PEM bundle: no garbage, no duplicates, in a stable order (start of validity, then bytes),
/// so that replicas that merge the same things write the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    certificates: Vec<Certificate>,
}

impl Bundle {
    /// Whatever can be read of `pem`; what cannot is left out.
    pub fn parse(pem: &[u8]) -> Self {
        CertificateDer::pem_slice_iter(pem)
            .filter_map(Result::ok)
            .filter_map(|der| Certificate::from_der(der).ok())
            .collect()
    }

    /// The members.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Whether `certificate` is a member.
    pub fn contains(&self, certificate: &Certificate) -> bool {
        self.certificates.contains(certificate)
    }

    /// What should stand in place of this bundle: `wanted`, and of what is there all that has not expired and
    /// that `keep` lets stay.
    pub fn merged<'a>(
        &'a self,
        wanted: impl IntoIterator<Item = &'a Certificate>,
        keep: impl Fn(&Certificate) -> bool,
        now: Timestamp,
    ) -> Self {
        let kept = self.certificates.iter().filter(|it| keep(it));
        wanted.into_iter().chain(kept).filter(|it| !it.expired(now)).cloned().collect()
    }

    /// As PEM, ready for `caBundle`.
    pub fn pem(&self) -> String {
        self.certificates.iter().map(Certificate::pem).collect()
    }
}

impl FromIterator<Certificate> for Bundle {
    fn from_iter<T: IntoIterator<Item = Certificate>>(iter: T) -> Self {
        let mut certificates: Vec<_> = iter.into_iter().collect();
        certificates.sort_by(|a, b| (a.not_before(), &**a.der()).cmp(&(b.not_before(), &**b.der())));
        certificates.dedup();
        Self { certificates }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ca::Pair;

    fn authority(days: u64, now: &str) -> Certificate {
        let validity = Duration::from_secs(days * 24 * 3600);
        Pair::generate("hook", validity, now.parse().unwrap(), None).unwrap().certificate().clone()
    }

    fn now() -> Timestamp {
        "2026-03-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn garbage_and_duplicates_are_dropped_and_order_does_not_matter() {
        let (a, b) = (authority(90, "2026-01-01T00:00:00Z"), authority(90, "2026-02-01T00:00:00Z"));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let text = format!("# hm\n{}{broken}{}junk\n{}", b.pem(), a.pem(), b.pem());
        let bundle = Bundle::parse(text.as_bytes());
        assert_eq!(bundle.certificates(), [a.clone(), b.clone()]);
        assert_eq!(Bundle::parse(bundle.pem().as_bytes()), bundle);
        assert_eq!(Bundle::parse(format!("{}\r\n{}", a.pem(), b.pem()).as_bytes()), bundle);
    }

    #[test]
    fn base64_that_is_none_hides_nothing_that_follows() {
        let a = authority(90, "2026-01-01T00:00:00Z");
        let text = format!("-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n{}", a.pem());
        assert_eq!(Bundle::parse(text.as_bytes()).certificates(), [a]);
    }

    #[test]
    fn old_and_new_are_merged_and_the_expired_dropped() {
        let expired = authority(10, "2026-01-01T00:00:00Z");
        let (old, new) = (authority(90, "2026-02-01T00:00:00Z"), authority(90, "2026-02-28T00:00:00Z"));
        let bundle: Bundle = [expired.clone(), old.clone()].into_iter().collect();
        let only_new = Bundle::from_iter([new.clone()]);
        assert_eq!(bundle.merged([&new], |_| false, now()), only_new);
        assert_eq!(bundle.merged([&new, &expired], |_| false, now()), only_new);
        assert_eq!(bundle.merged([&new], |_| true, now()).certificates(), [old, new]);
    }

    #[test]
    fn what_is_not_valid_yet_stays() {
        let future = authority(90, "2026-06-01T00:00:00Z");
        let bundle: Bundle = [future].into_iter().collect();
        assert_eq!(bundle.merged([], |_| true, now()), bundle);
    }
}
