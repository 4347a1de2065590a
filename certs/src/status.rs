//! What a metrics endpoint shows about certificates.

use crate::authority::State;

/// A snapshot. Plain values; registering metrics is the caller's business.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// Where the rotation stands; nothing before the Secret was read, or with a directory of one's own.
    pub state: Option<State>,
    /// Seconds until the authority that signs leaves expires; negative afterwards.
    pub ca_expires_in: Option<f64>,
    /// Seconds until the certificate that is served expires; negative afterwards.
    pub leaf_expires_in: Option<f64>,
    /// A configuration does not hold the authority of the certificate that is served.
    pub bundle_mismatch: bool,
    /// What went wrong last, until a turn without errors.
    pub last_error: Option<String>,
    /// The API server has every reason to trust this replica; stays true once it is.
    pub ready: bool,
}
