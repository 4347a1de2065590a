//! Templates: how a kind of environment is deployed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{config::EnvironmentConfig, container::Resources};
use crate::common::any::any;

/// How a kind of environment is deployed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// The source that the chart or the manifests are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub source_ref: Option<String>,
    /// helm, docker-compose, manifest or kustomize. Without a path, config alone says what runs.
    #[serde(rename = "type")]
    #[schemars(length(max = 63))]
    pub kind: String,
    /// The path of the chart or the manifests in the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub path: Option<String>,
    /// The images that are built first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub builds: Option<Vec<Build>>,
    /// The chart's values, a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any")]
    pub values: Option<Value>,
    /// How containers run, unless the Environment says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<EnvironmentConfig>,
}

/// An image that is built.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// Its name: the chart finds the image at global.images.NAME.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The source that it is built of.
    #[schemars(length(max = 253))]
    pub source_ref: String,
    /// The folder in the source that it is built of; the whole source when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub path: Option<String>,
    /// The Dockerfile's path in that folder; Dockerfile when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub dockerfile: Option<String>,
    /// What the build asks for and may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

impl Template {
    /// Whether what is deployed stands in a source, and not in the configuration.
    pub fn is_in_source(&self) -> bool {
        let by_path = ["manifest", "kustomize"].contains(&self.kind.as_str()) && self.path.is_some();
        by_path || ["helm", "docker-compose"].contains(&self.kind.as_str())
    }
}
