//! The path by which what we made at IAM is known to be ours.

use concierge_shared::s3::OWN_PATH;

use crate::s3::connection::Connection;

/// Where something is to be at IAM.
pub(in crate::s3) struct Place {
    path: Option<String>,
    is_mark: bool,
}

impl Place {
    /// The place of something that an object of `namespace` makes: the path of its spec, else /k8s/CLUSTER/NAMESPACE/, where paths are kept.
    pub(in crate::s3) fn of(to: &Connection, namespace: &str, said: Option<&String>) -> Self {
        let mark = || format!("{OWN_PATH}{}/{namespace}/", to.cluster);
        let path = to.provider.spec.has_iam_paths().then(|| said.cloned().unwrap_or_else(mark));
        Self { is_mark: path.is_some() && said.is_none(), path }
    }

    pub(in crate::s3) fn path(&self) -> Option<String> {
        self.path.clone()
    }

    /// Whether the path `found` tells that something is ours.
    pub(in crate::s3) fn is_marked(&self, found: &str) -> bool {
        self.is_mark && self.path.as_deref() == Some(found)
    }

    /// Whether something at the path `found` is what we asked for a moment ago, when there was none of its name. A path that everything
    /// has by itself tells nothing.
    pub(in crate::s3) fn is_as_asked(&self, found: &str) -> bool {
        found != "/" && self.path.as_deref() == Some(found)
    }

    /// Why something that was not recorded is not ours.
    pub(in crate::s3) fn why_not(&self, found: &str) -> String {
        match &self.path {
            Some(path) if self.is_mark => format!("its path is {found:?}, not {path}"),
            Some(_) => "its path is given by the spec, and tells nothing".to_owned(),
            None => "the provider keeps no paths that could tell".to_owned(),
        }
    }
}
