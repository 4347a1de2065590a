//! What the reconcilers of this group use beside the cluster.

use super::remote::Remotes;

/// What the reconcilers of this group use beside the cluster.
#[derive(Clone)]
pub struct Means {
    pub remotes: Remotes,
    /// Our own image, which takes part in deployments; none of a source is deployed when it is empty.
    pub image: String,
    /// How the names of our ClusterRoles begin.
    pub role_prefix: String,
}
