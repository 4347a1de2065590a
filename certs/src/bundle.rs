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
