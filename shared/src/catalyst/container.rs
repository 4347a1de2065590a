//! Parts of containers, as Kubernetes has them. Where Kubernetes takes an amount, a number without quotes may stand too: so these are
//! types of our own.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMapKeySelector, ObjectFieldSelector, ResourceClaim, SecretKeySelector,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantity::Quantity;
use crate::common::any::bounded;

/// An environment variable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its value. A secret is better named in valueFrom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32_768))]
    pub value: Option<String>,
    /// Where its value is, instead of value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ValueFrom>,
}

/// Where a value is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueFrom {
    /// An entry of a Secret in the environment's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded)]
    pub secret_key_ref: Option<SecretKeySelector>,
    /// An entry of a ConfigMap in the environment's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded)]
    pub config_map_key_ref: Option<ConfigMapKeySelector>,
    /// A field of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded)]
    pub field_ref: Option<ObjectFieldSelector>,
    /// An amount of the container's resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_field_ref: Option<ResourceFieldRef>,
}

/// An amount of a container's resources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceFieldRef {
    /// The container, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub container_name: Option<String>,
    /// What is meant, for instance limits.cpu.
    #[schemars(length(max = 253))]
    pub resource: String,
    /// In which unit it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divisor: Option<Quantity>,
}

/// What a container, or a volume, asks for and may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// The most that it may use, by resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 50))]
    pub limits: Option<BTreeMap<String, Quantity>>,
    /// What is set aside for it, by resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 50))]
    pub requests: Option<BTreeMap<String, Quantity>>,
    /// What it claims by dynamic resource allocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded)]
    pub claims: Option<Vec<ResourceClaim>>,
}

impl Resources {
    /// How much of `resource` it may come to use: its limit, else `usual`, or what it asks for if that is more.
    pub(super) fn most(&self, resource: &str, usual: u128) -> u128 {
        let of = |amounts: &Option<BTreeMap<String, Quantity>>| amounts.as_ref()?.get(resource)?.nanos();
        of(&self.limits).unwrap_or_else(|| of(&self.requests).unwrap_or_default().max(usual))
    }
}
