//! What the manager is told.

use std::{sync::Arc, time::Duration};

use crate::{
    authority::Policy,
    clock::{Clock, SystemClock},
};

/// Where things are and how long they take. [`Options::new`] gives the defaults; set what differs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Namespace of the Secret and of the Service.
    pub namespace: String,
    /// Name of the CA Secret. Created if it does not exist; an empty one made by a chart is filled.
    pub secret: String,
    /// Name of the Service the API server calls.
    pub service: String,
    /// The cluster's DNS domain.
    pub cluster_domain: String,
    /// Further DNS names and addresses in the leaf, for webhook entries that have a URL instead of a Service.
    pub extra_names: Vec<String>,
    /// Names of the ValidatingWebhookConfigurations whose `caBundle` is ours.
    pub validating: Vec<String>,
    /// Names of the MutatingWebhookConfigurations whose `caBundle` is ours.
    pub mutating: Vec<String>,
    /// Names of the CustomResourceDefinitions whose conversion webhook is ours.
    pub conversions: Vec<String>,
    /// Life of an authority; rotated when a third is left. One year.
    pub ca_validity: Duration,
    /// Life of a leaf; renewed after two thirds. Seven days.
    pub leaf_validity: Duration,
    /// How long every bundle must have held an authority before a leaf moves to it: API servers watch their
    /// configuration and need a moment. One minute.
    pub settle: Duration,
    /// How long a promoted authority's predecessor stays in the bundles. Longer than `settle` and two ticks
    /// together, or a replica may not have its new leaf in time. A replica cut off from the API server for longer
    /// than this may serve a leaf that is no longer trusted. Ten minutes.
    pub overlap: Duration,
    /// Everything is looked at again after this time even if no watch reports anything. Thirty seconds.
    pub tick: Duration,
    pub clock: Arc<dyn Clock>,
}

impl Options {
    /// The defaults for a Service; the Secret is called `SERVICE-ca`. No configuration is named yet.
    pub fn new(namespace: impl Into<String>, service: impl Into<String>) -> Self {
        let service = service.into();
        Self {
            namespace: namespace.into(),
            secret: format!("{service}-ca"),
            service,
            cluster_domain: "cluster.local".to_owned(),
            extra_names: Vec::new(),
            validating: Vec::new(),
            mutating: Vec::new(),
            conversions: Vec::new(),
            ca_validity: Duration::from_secs(365 * 24 * 3600),
            leaf_validity: Duration::from_secs(7 * 24 * 3600),
            settle: Duration::from_secs(60),
            overlap: Duration::from_secs(600),
            tick: Duration::from_secs(30),
            clock: Arc::new(SystemClock::start()),
        }
    }

    /// The name the API server verifies: `SERVICE.NAMESPACE.svc`.
    pub fn server_name(&self) -> String {
        format!("{}.{}.svc", self.service, self.namespace)
    }

    /// Every name in the leaf; the first is [`server_name`](Self::server_name).
    pub fn names(&self) -> Vec<String> {
        let name = self.server_name();
        let qualified = format!("{name}.{}", self.cluster_domain);
        [name, qualified].into_iter().chain(self.extra_names.iter().cloned()).collect()
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy {
            name: self.server_name(),
            ca_validity: self.ca_validity,
            settle: self.settle,
            overlap: self.overlap,
        }
    }
}
