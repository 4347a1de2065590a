//! How an object names other objects, and entries of Secrets.

use std::sync::Arc;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{
    KEY_MESSAGE, NAME_MESSAGE, NAMESPACE_MESSAGE, is_name, is_namespace, is_secret_key, name_rule,
    secret_key_rule,
};
use crate::{
    admission::{
        lookup::{Found, Lookup},
        problem::{Cause, Problems},
        reference::{Reference, permits},
        rule::AdmissionRule,
    },
    field::FieldPath,
    kind::Kind,
};

/// An object, in this namespace unless another is given.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[schemars(extend("required" = ["name"]))]
pub struct ObjectRef {
    /// Its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = name_rule())]
    pub name: String,
    /// Its namespace; the referrer's own when absent. Another namespace's object must permit it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = name_rule())]
    pub namespace: Option<String>,
}

/// One entry of a Secret in the object's namespace.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretKeyRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = name_rule())]
    pub name: String,
    /// The entry's key.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = secret_key_rule())]
    pub key: String,
}

/// A Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
}

impl ObjectRef {
    /// The namespace of the object, for a referrer in `namespace`.
    pub fn namespace_in<'a>(&'a self, namespace: &'a str) -> &'a str {
        self.namespace.as_deref().unwrap_or(namespace)
    }

    /// The object, for a referrer in namespace `own`, unless it is in another that does not permit that.
    pub fn visible<T: Kind>(&self, lookup: &dyn Lookup, own: &str) -> Option<Arc<T>> {
        let namespace = self.namespace_in(own);
        let Found::Present(stored) = lookup.find(T::NAME, namespace, &self.name) else { return None };
        let permitted = namespace == own || permits(stored.meta().annotations.as_ref(), own);
        if permitted { stored.get() } else { None }
    }

    /// This as a reference from `field`; `None` when no object can have such a name.
    pub fn reference(
        &self,
        field: impl Into<FieldPath>,
        kind: &'static str,
        rule: &'static AdmissionRule,
        protects: bool,
    ) -> Option<Reference> {
        self.is_well_formed().then(|| Reference {
            field: field.into().field("name"),
            kind,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            rule,
            protects,
            implied: false,
        })
    }

    /// Adds a problem when no object can have such a name.
    pub fn check(&self, field: impl Into<FieldPath>, rule: &'static AdmissionRule, problems: &mut Problems) {
        let field = field.into();
        check_name(&self.name, field.clone().field("name"), rule, problems);
        if self.namespace.as_deref().is_some_and(|namespace| !is_namespace(namespace)) {
            problems.add(rule, Cause::Invalid, field.field("namespace"), NAMESPACE_MESSAGE);
        }
    }

    fn is_well_formed(&self) -> bool {
        is_name(&self.name) && self.namespace.as_deref().is_none_or(is_namespace)
    }
}

impl SecretKeyRef {
    /// Adds a problem when no Secret can have such an entry.
    pub fn check(&self, field: impl Into<FieldPath>, rule: &'static AdmissionRule, problems: &mut Problems) {
        let field = field.into();
        check_name(&self.name, field.clone().field("name"), rule, problems);
        let field = field.field("key");
        if self.key.is_empty() {
            problems.add(rule, Cause::Required, field, REQUIRED_MESSAGE);
        } else if !is_secret_key(&self.key) {
            problems.add(rule, Cause::Invalid, field, KEY_MESSAGE);
        }
    }
}

const REQUIRED_MESSAGE: &str = "is required; set it";

fn check_name(name: &str, field: FieldPath, rule: &'static AdmissionRule, problems: &mut Problems) {
    if name.is_empty() {
        problems.add(rule, Cause::Required, field, REQUIRED_MESSAGE);
    } else if !is_name(name) {
        problems.add(rule, Cause::Invalid, field, NAME_MESSAGE);
    }
}
