//! What may be wrong with a directory.

use std::{io, path::PathBuf};

use jiff::Timestamp;

use crate::ca::CaError;

/// Why a pair was refused. The last good one stays.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}; mount a Secret of type kubernetes.io/tls there", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{} holds no usable PEM: {source}; {remedy}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What should be there.
        remedy: &'static str,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// The certificate cannot be parsed.
    #[error("{} holds no usable certificate: {source}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: CaError,
    },
    /// The two files do not belong together.
    #[error("{} does not match the certificate next to it: {source}; replace both files together", path.display())]
    Mismatch {
        /// The key file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The API server would not accept the name.
    #[error("{} is not valid for `{name}`, which the API server calls; issue it with that DNS name", path.display())]
    Name {
        /// The certificate file.
        path: PathBuf,
        /// What is missing.
        name: String,
    },
    /// Too late.
    #[error("{} has expired at {at}; renew it", path.display())]
    Expired {
        /// The certificate file.
        path: PathBuf,
        /// When.
        at: Timestamp,
    },
}
