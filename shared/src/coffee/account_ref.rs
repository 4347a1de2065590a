//! The account that objects of this group belong to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::account::{DEFAULT_ACCOUNT, IMPLICIT_ACCOUNT, TerminalAccount, implicit_account_key};
use crate::{
    admission::{
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::ObjectRef,
    kind::Kind,
    rules,
};

rules! {
    ACCOUNT_EXISTS = Deny "coffee.reference.account-exists", "The TerminalAccount that an object names exists and permits its namespace.";
}

/// The account at which an object's remote thing was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsedAccount {
    /// The TerminalAccount, `namespace/name`.
    #[schemars(length(max = 317))]
    pub name: String,
    /// The shop's address.
    #[schemars(length(max = 2048))]
    pub base_url: String,
    /// The shop's id of the account's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub user_id: Option<String>,
}

/// The CEL rule that keeps `accountRef` as it is.
pub(super) const ACCOUNT_IMMUTABLE: &str = "has(self.accountRef) == has(oldSelf.accountRef) && \
     (!has(self.accountRef) || self.accountRef == oldSelf.accountRef)";

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

/// The index keys of `object` by which it is found from an account that it uses without naming it.
pub(super) fn account_index_keys<K: UsesAccount>(object: &K, in_use: bool) -> Vec<String> {
    let implicit = in_use && object.account_ref().is_none();
    let namespace = object.meta().namespace.as_deref().unwrap_or_default();
    match implicit {
        true => vec![implicit_account_key(namespace), IMPLICIT_ACCOUNT.to_owned()],
        false => Vec::new(),
    }
}

/// Adds a problem when the account's name can't be one.
pub(super) fn check_account<K: UsesAccount>(review: &Review<'_, K>, problems: &mut Problems) {
    if let Some(account) = review.object.account_ref() {
        account.check("spec.accountRef", &ACCOUNT_EXISTS, problems);
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

/// The reference of `object` to the account that it names.
pub(super) fn account_reference<K: UsesAccount>(object: &K, protects: bool) -> Option<Reference> {
    object.account_ref()?.reference("spec.accountRef", TerminalAccount::NAME, &ACCOUNT_EXISTS, protects)
}
