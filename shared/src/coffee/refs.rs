//! How kinds of this group name other objects, and the account they belong to.

use std::collections::BTreeSet;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{TerminalAccount, account::DEFAULT_ACCOUNT};
use crate::{
    admission::{
        defaults::Defaulted,
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
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
    #[x_kube(validation = key_rule())]
    pub key: String,
}

/// The account at which an object's remote thing was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsedAccount {
    /// The TerminalAccount, `namespace/name`.
    pub name: String,
    /// The shop's address.
    pub base_url: String,
    /// The shop's id of the account's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

/// The CEL rule that keeps `accountRef` as it is.
pub(super) const ACCOUNT_IMMUTABLE: &str = "has(self.accountRef) == has(oldSelf.accountRef) && \
     (!has(self.accountRef) || self.accountRef == oldSelf.accountRef)";

// What names look like, for the API server. Rules rather than patterns, for the sake of their messages.
fn name_rule() -> kube::core::Rule {
    kube::core::Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message(NAME_MESSAGE)
}

fn key_rule() -> kube::core::Rule {
    kube::core::Rule::new("self.matches('^[-._a-zA-Z0-9]+$')").message(KEY_MESSAGE)
}

/// A kind whose objects belong to an account at the shop.
pub trait UsesAccount: Kind {
    /// The TerminalAccount that the object names.
    fn account_ref(&self) -> Option<&ObjectRef>;

    /// The account by its TerminalAccount, `namespace/name`, whether that exists or not.
    fn account_key(&self) -> String {
        account_key(self.meta().namespace.as_deref().unwrap_or_default(), self.account_ref())
    }
}

/// The account that an object in `namespace` with this `accountRef` belongs to, `namespace/name`.
pub fn account_key(namespace: &str, account: Option<&ObjectRef>) -> String {
    match account {
        Some(account) => format!("{}/{}", account.namespace_in(namespace), account.name),
        None => format!("{namespace}/{DEFAULT_ACCOUNT}"),
    }
}

/// The index key of a namespace's objects that name no account and so belong to its default one.
pub fn implicit_account_key(namespace: &str) -> String {
    format!("implicit-account:{namespace}")
}

/// The index keys of `object` by which it is found from an account that it uses without naming it.
pub(super) fn account_index_keys<K: UsesAccount>(object: &K, in_use: bool) -> Vec<String> {
    let implicit = in_use && object.account_ref().is_none();
    let namespace = object.meta().namespace.as_deref().unwrap_or_default();
    implicit.then(|| implicit_account_key(namespace)).into_iter().collect()
}

/// Adds a problem when the account's name can't be one.
pub(super) fn check_account<K: UsesAccount>(
    review: &Review<'_, K>,
    exists: &'static AdmissionRule,
    problems: &mut Problems,
) {
    if let Some(account) = review.object.account_ref() {
        account.check("spec.accountRef", exists, problems);
    }
}

/// Adds a problem when the account is another than it was.
pub(super) fn check_account_immutable<K: UsesAccount>(
    review: &Review<'_, K>,
    immutable: &'static AdmissionRule,
    problems: &mut Problems,
) {
    if review.old.is_some_and(|old| old.account_ref() != review.object.account_ref()) {
        let message =
            "is immutable: ids at one account mean nothing at another; create another object instead";
        problems.add(immutable, Cause::Forbidden, "spec.accountRef", message);
    }
}

/// Adds a problem when the spec is not what it was.
pub(super) fn check_spec_immutable<K: UsesAccount>(
    review: &Review<'_, K>,
    immutable: &'static AdmissionRule,
    what: &str,
    problems: &mut Problems,
) {
    let Some(old) = review.old.map(|old| Defaulted::new(old.clone()).0) else { return };
    if old.spec() != review.object.spec() {
        let fields = changed_fields(old.spec(), review.object.spec()).join(", ");
        let message = format!("{what}, and {fields} changed; create another {} instead", K::NAME);
        problems.add(immutable, Cause::Forbidden, "spec", message);
    }
}

/// The names of the fields in which two values of a type differ, in alphabetical order.
fn changed_fields<T: Serialize>(old: &T, new: &T) -> Vec<String> {
    let fields = |value: &T| match serde_json::to_value(value) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (fields(old), fields(new));
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    names.into_iter().filter(|name| old.get(*name) != new.get(*name)).cloned().collect()
}

/// The reference of `object` to the account that it names.
pub(super) fn account_reference<K: UsesAccount>(
    object: &K,
    rule: &'static AdmissionRule,
    protects: bool,
) -> Option<Reference> {
    object.account_ref()?.reference("spec.accountRef", TerminalAccount::NAME, rule, protects)
}

impl ObjectRef {
    /// The namespace of the object, for a referrer in `namespace`.
    pub fn namespace_in<'a>(&'a self, namespace: &'a str) -> &'a str {
        self.namespace.as_deref().unwrap_or(namespace)
    }

    /// This as a reference from `field`; `None` when no object can have such a name.
    pub(super) fn reference(
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
        })
    }

    /// Adds a problem when no object can have such a name.
    pub(super) fn check(
        &self,
        field: impl Into<FieldPath>,
        rule: &'static AdmissionRule,
        problems: &mut Problems,
    ) {
        let field = field.into();
        if self.name.is_empty() {
            problems.add(rule, Cause::Required, field.clone().field("name"), "is required; set it");
        } else if !is_name(&self.name, 253) {
            problems.add(rule, Cause::Invalid, field.clone().field("name"), NAME_MESSAGE);
        }
        if self.namespace.as_deref().is_some_and(|namespace| !is_name(namespace, 63)) {
            problems.add(rule, Cause::Invalid, field.field("namespace"), NAME_MESSAGE);
        }
    }

    fn is_well_formed(&self) -> bool {
        is_name(&self.name, 253) && self.namespace.as_deref().is_none_or(|namespace| is_name(namespace, 63))
    }
}

const NAME_MESSAGE: &str =
    "can't be a name; use lower-case letters, digits, '-' and '.', with a letter or digit at both ends";

const KEY_MESSAGE: &str = "can't be a key of a Secret; use letters, digits, '-', '_' and '.'";

fn is_name(text: &str, max: usize) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = [text.bytes().next(), text.bytes().last()];
    text.len() <= max
        && ends.into_iter().all(|end| end.is_some_and(inner))
        && text.bytes().all(|c| inner(c) || c == b'-' || c == b'.')
}

impl SecretKeyRef {
    /// Adds a problem when no Secret has such an entry.
    pub(super) fn check(
        &self,
        field: impl Into<FieldPath>,
        rule: &'static AdmissionRule,
        problems: &mut Problems,
    ) {
        let field = field.into();
        if !is_name(&self.name, 253) {
            problems.add(rule, Cause::Invalid, field.clone().field("name"), NAME_MESSAGE);
        }
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        if self.key.is_empty() || self.key.len() > 253 || !self.key.bytes().all(allowed) {
            problems.add(rule, Cause::Invalid, field.field("key"), KEY_MESSAGE);
        }
    }
}
