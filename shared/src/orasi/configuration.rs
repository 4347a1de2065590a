//! A configuration: what a bridge is told, of itself and of the Pipelines that it runs.

mod advanced;
mod checks;
mod ingestion;
mod monitoring;
mod pipelines;
mod security;

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    processing::{self, Processing, secret_fields},
    selector::{PipelineSelector, SELECTED},
};
use crate::{
    access::Access,
    admission::{
        claim::Claim,
        defaults::{Fill, Filled, missing},
        problem::Problems,
        review::Review,
        rule::AdmissionRule,
    },
    child::Child,
    common::names::derived_name,
    field::at,
    kind::Kind,
    rules, status,
};

pub use self::{
    advanced::Advanced,
    ingestion::Ingestion,
    monitoring::{LogFormat, LogLevel, Monitoring},
    security::{AuthorizationPolicy, EncryptionKey, ScrubbingMethod, ScrubbingRule, Security, TlsSecretRef},
};

/// What a configuration is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "orasi.io",
    version = "v1alpha1",
    kind = "Configuration",
    plural = "configurations",
    namespaced,
    status = "ConfigurationStatus",
    category = "orasi",
    doc = "What a bridge of Orasi's is told: its settings, and the Pipelines of its namespace that have certain labels.",
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment"),
    printcolumn(name = "Pipelines", type_ = "integer", json_path = ".status.pipelines"),
    printcolumn(name = "ConfigMap", type_ = "string", json_path = ".status.configMap"),
    printcolumn(name = "Deployment", type_ = "string", json_path = ".spec.rollout.deploymentRef.name"),
    printcolumn(name = "Hash", type_ = "string", json_path = ".status.hash", priority = 1),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationSpec {
    /// The bridge's name; the object's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 100, code = "orasi.configuration.name"))]
    pub name: Option<String>,
    /// The bridge's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version: Option<String>,
    /// What the bridge is for: development, staging, production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 20, code = "orasi.configuration.environment"))]
    #[schemars(extend("default" = "development"))]
    pub environment: Option<String>,
    /// How telemetry comes in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub ingestion: Option<Ingestion>,
    /// What becomes of all records, before the Pipelines' own processing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub processing: Option<Processing>,
    /// Who may do what, and how data is kept safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub security: Option<Security>,
    /// How the bridge is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub monitoring: Option<Monitoring>,
    /// What the bridge does with its configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advanced: Option<Advanced>,
    /// The Pipelines of the namespace that the bridge runs, by their labels.
    pub pipelines: PipelineSelector,
    /// Where the configuration is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<Publish>,
    /// What takes it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
}

/// Where a configuration is published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Publish {
    /// The name of the ConfigMap in the namespace; the object's name with -config behind it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub config_map_name: Option<String>,
}

/// What takes a configuration up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// The Deployment in the namespace. Concierge looks at it, and does not change it.
    pub deployment_ref: DeploymentRef,
}

/// A Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentRef {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
}

/// How far a Deployment has taken a configuration up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RolloutStatus {
    /// The Deployment.
    #[schemars(length(max = 253))]
    pub deployment: String,
    /// The hash of the configuration that its pods were started with, as far as they tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub hash: Option<String>,
    /// How many pods it is to have.
    pub replicas: i64,
    /// How many of them are up to date and available.
    pub updated_replicas: i64,
}

status! {
    /// What Concierge found out about a configuration.
    pub struct ConfigurationStatus(message) {
        /// How many Pipelines it takes.
        pub pipelines: Option<i64>,
        /// The ConfigMap in which it is published.
        pub config_map: Option<String>,
        /// The SHA-256 of what is published, in hexadecimal digits.
        pub hash: Option<String>,
        /// How far the Deployment has taken it up.
        pub rollout: Option<RolloutStatus>,
    }
}

rules! {
    use processing::RULES;
    NAME = Deny "orasi.configuration.name", "A bridge's name has from 1 to 100 characters.";
    ENVIRONMENT = Deny "orasi.configuration.environment", "An environment has from 1 to 20 characters.";
    SELECTOR = Deny "orasi.configuration.selector", "A Configuration takes Pipelines by labels that they have: with at least one of matchLabels, In or Exists.";
    SELECTS = Warn "orasi.configuration.selects", "A Configuration takes at least one Pipeline.";
    CONFIG_MAP = Deny "orasi.configuration.config-map", "A Configuration is published under a name that a ConfigMap can have.";
    CONFIG_MAP_UNIQUE = Deny "orasi.configuration.config-map-unique", "No two Configurations are published in the same ConfigMap.";
    DEPLOYMENT = Deny "orasi.configuration.deployment", "A deploymentRef has a name that a Deployment can have.";
    BATCH_SIZE = Deny "orasi.configuration.batch-size", "A bridge takes from 1 to 10000 records at a time.";
    FLUSH_INTERVAL = Deny "orasi.configuration.flush-interval", "A bridge passes on what it has every 100 to 60000 milliseconds.";
    BUFFER_SIZE = Deny "orasi.configuration.buffer-size", "From 1000 to 100000 records may wait.";
    COMPRESSION = Deny "orasi.configuration.compression", "A compressionLevel is from 0 to 9.";
    BACKPRESSURE = Deny "orasi.configuration.backpressure", "Senders are slowed down from 50 to 95 percent on.";
    ENDPOINT = Deny "orasi.configuration.endpoint", "Addresses are URLs, or hosts with ports.";
    PATH = Deny "orasi.configuration.path", "Paths of files begin with '/' and stay where they lead: no '..', no control characters.";
    RETENTION = Deny "orasi.configuration.retention", "Data is kept from 1 to 3650 days.";
    POSITIVE = Deny "orasi.configuration.positive", "Sizes and times without another limit are 1 or more.";
    NEEDS = Deny "orasi.configuration.needs", "What is switched on has what it needs: TLS a Secret, authorization policies, scrubbing rules, encryption a key, tracing an address, persistence and the audit log a path.";
    POLICIES = Deny "orasi.configuration.policies", "Authorization policies have names, each once, and say who may do what with what.";
    SCRUBBING = Deny "orasi.configuration.scrubbing", "Scrubbing rules have names, each once, and a pattern that can be compiled; Replace has a replacement.";
    SECRET = Deny "orasi.configuration.secret", "References to Secrets name them and a key.";
    AUTHENTICATION = Deny "orasi.configuration.authentication", "An authentication has what its method needs, and nothing else.";
    CREDENTIALS = Deny "orasi.configuration.credentials", "No credential stands in the clear in a Configuration, in a field, a value or a URL.";
}

impl Kind for Configuration {
    const NAME: &'static str = "Configuration";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const SELECTS: Option<&'static str> = Some(SELECTED);
    /// The Deployment that takes it up is looked at.
    const ACCESS: &'static [Access] = &[Access { group: "apps", resource: "deployments", verbs: &["get"] }];
    const CHILDREN: &'static [Child] = &[Child::of::<ConfigMap>()];
    const SECRET_FIELDS: &'static [&'static str] = secret_fields!(
        "spec.processing",
        "spec.ingestion.otlpEndpoint",
        "spec.ingestion.httpEndpoint",
        "spec.ingestion.authentication.apiKey",
        "spec.ingestion.authentication.password",
        "spec.ingestion.authentication.oauth.clientSecret",
        "spec.ingestion.authentication.oauth.tokenEndpoint",
        "spec.ingestion.authentication.oauth.redirectUri",
        "spec.monitoring.metricsEndpoint",
        "spec.monitoring.healthEndpoint",
        "spec.monitoring.tracingEndpoint",
        "spec.security.encryptionKey.keyMaterial",
        "spec.security.authorizationPolicies[].conditions{}"
    );
    /// What is secret is refused.
    const CONFIDENTIAL: bool = false;
    const FILLS: &'static [Filled] = &[missing("spec.environment")];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        fill.missing(&mut self.spec.environment, "spec.environment", "development".to_owned());
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        problems.add_invalid_fields(&**review.object);
        processing::check(spec.processing.as_ref(), problems);
        ingestion::check(spec.ingestion.as_ref(), problems);
        security::check(spec.security.as_ref(), problems);
        monitoring::check(spec.monitoring.as_ref(), problems);
        checks::check(spec, problems);
        pipelines::check(review, problems);
    }

    fn selects(&self, other: &ObjectMeta) -> bool {
        other.namespace == self.metadata.namespace && self.spec.pipelines.selects(other.labels.as_ref())
    }

    fn claims(&self) -> Vec<Claim> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        let key = format!("{namespace}/{}", self.config_map_name());
        let taken = "another Configuration is published in this ConfigMap; choose another name";
        let field = at("spec.publish.configMapName");
        vec![Claim { field, rule: &CONFIG_MAP_UNIQUE, key, taken: Some(taken) }]
    }

    fn index_keys(&self) -> Vec<String> {
        self.spec.pipelines.index_keys(self.metadata.namespace.as_deref().unwrap_or_default())
    }
}

impl Configuration {
    /// The name of the ConfigMap in which it is published.
    pub fn config_map_name(&self) -> String {
        let named = self.spec.publish.as_ref().and_then(|publish| publish.config_map_name.clone());
        let own = || derived_name(self.metadata.name.as_deref().unwrap_or_default(), "-config");
        named.unwrap_or_else(own)
    }

    /// The index keys under which the Pipelines that it takes are found among the fewest, as `count` counts.
    pub fn pipeline_keys(&self, count: impl Fn(&str) -> usize) -> Vec<String> {
        self.spec.pipelines.best_keys(self.metadata.namespace.as_deref().unwrap_or_default(), count)
    }
}
