//! What things are called in the cluster.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

const SERVICE: &str = "concierge";
const NAMESPACE: &str = "concierge-system";
const PORT: i32 = 443;

/// The names that the manifests mention.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Names")]
pub struct Names {
    /// The Service that the API server calls; both webhook configurations and all roles are called after it
    #[arg(long, env = "CONCIERGE_SERVICE", default_value = SERVICE, value_name = "NAME")]
    pub service: String,
    /// The namespace of the Service
    #[arg(long, env = "CONCIERGE_NAMESPACE", default_value = NAMESPACE, value_name = "NAME")]
    pub namespace: String,
    /// The port of the Service
    #[arg(long, env = "CONCIERGE_MANIFESTS_PORT", default_value_t = PORT, value_parser = clap::value_parser!(i32).range(1..=65535))]
    pub port: i32,
    /// The webhook's service account
    #[arg(hide_short_help = true, long, env = "CONCIERGE_SERVICE_ACCOUNT", default_value = SERVICE, value_name = "NAME")]
    pub service_account: String,
    /// The reconciler's service account; the webhook's if they share a pod
    #[arg(hide_short_help = true, long, env = "CONCIERGE_RECONCILER_SERVICE_ACCOUNT", value_name = "NAME")]
    pub reconciler_service_account: Option<String>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            service: SERVICE.to_owned(),
            namespace: NAMESPACE.to_owned(),
            port: PORT,
            service_account: SERVICE.to_owned(),
            reconciler_service_account: None,
        }
    }
}

impl Names {
    /// The service account that the reconciler runs as.
    pub fn reconciler(&self) -> &str {
        self.reconciler_service_account.as_deref().unwrap_or(&self.service_account)
    }

    /// What is called after the Service.
    pub(super) fn with(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.service)
    }

    /// The Secret that holds the certificate authority.
    pub fn authority(&self) -> String {
        self.with("ca")
    }

    /// The Lease of the replica that reconciles.
    pub fn lease(&self) -> String {
        self.with("reconciler")
    }

    /// Metadata of a cluster-scoped object.
    pub(super) fn metadata(&self, name: impl Into<String>) -> ObjectMeta {
        ObjectMeta { name: Some(name.into()), labels: Some(labels()), ..ObjectMeta::default() }
    }

    /// Metadata of an object in our namespace.
    pub(super) fn namespaced(&self, name: impl Into<String>) -> ObjectMeta {
        ObjectMeta { namespace: Some(self.namespace.clone()), ..self.metadata(name) }
    }
}

/// The labels of every object.
pub(super) fn labels() -> BTreeMap<String, String> {
    ["name", "part-of"].map(|key| (format!("app.kubernetes.io/{key}"), "concierge".to_owned())).into()
}
