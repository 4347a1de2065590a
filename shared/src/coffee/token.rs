//! An access token of an account.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    UsedAccount, UsesAccount,
    account_ref::{self, account_index_keys, account_reference, check_account},
    texts::{self, check_description},
};
use crate::{
    access::Access,
    admission::{
        defaults::Fill, problem::Problems, reference::Reference, review::Review, rule::AdmissionRule,
    },
    common::{ObjectRef, SecretRef, immutable::check_spec_immutable, names::derived_name},
    kind::Kind,
    rules, status,
};

/// What an access token is. It never changes.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "coffee.terminal.sh",
    version = "v1alpha1",
    kind = "TerminalToken",
    plural = "terminaltokens",
    shortname = "ttoken",
    shortname = "tt",
    namespaced,
    status = "TerminalTokenStatus",
    category = "coffee",
    doc = "A personal access token of an account at the Terminal shop, kept in a Secret.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "TokenID", type_ = "string", json_path = ".status.tokenId"),
    printcolumn(name = "Secret", type_ = "string", json_path = ".status.secretRef.name"),
    printcolumn(name = "Created", type_ = "date", json_path = ".status.created"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self == oldSelf").message("a token is immutable; create another TerminalToken instead"),
)]
pub struct TerminalTokenSpec {
    /// What it is for, for people. The shop does not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 255, code = "coffee.text.description"))]
    pub description: Option<String>,
    /// The TerminalAccount; the one named default in this namespace when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<ObjectRef>,
}

/// Where a token stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TokenPhase {
    /// Not looked at yet, or waiting for something.
    #[default]
    Pending,
    /// The shop knows it, and the Secret holds it.
    Active,
    /// Something must be mended first.
    Failed,
}

status! {
    /// What Concierge found out about a token.
    pub struct TerminalTokenStatus(message, account: UsedAccount, intent) {
        /// Where it stands, in one word.
        pub phase: Option<TokenPhase>,
        /// The shop's id of it, `pat_…`.
        pub token_id: Option<String>,
        /// The Secret that holds it.
        pub secret_ref: Option<SecretRef>,
        /// When it was made, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub created: Option<String>,
        /// When the shop was last asked, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_status_check: Option<String>,
    }
}

rules! {
    use account_ref::RULES, &[&texts::DESCRIPTION, &texts::CARD_NUMBER];
    IMMUTABLE = Deny "coffee.token.immutable", "A token never changes.";
}

impl Kind for TerminalToken {
    const NAME: &'static str = "TerminalToken";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const ACCESS: &'static [Access] = &[Access::SECRETS_MADE];

    fn fill_defaults(&mut self, _fill: &mut Fill) {}

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        problems.add_invalid_fields(&**review.object);
        check_description(problems, "spec.description", review.object.spec.description.as_deref());
        check_account(review, problems);
        check_spec_immutable(review, &IMMUTABLE, "a token never changes", problems);
    }

    fn references(&self) -> Vec<Reference> {
        account_reference(self, true).into_iter().collect()
    }

    fn index_keys(&self) -> Vec<String> {
        account_index_keys(self, true)
    }
}

impl UsesAccount for TerminalToken {
    fn account_ref(&self) -> Option<&ObjectRef> {
        self.spec.account_ref.as_ref()
    }
}

impl TerminalToken {
    /// The key of the token in its Secret.
    pub const SECRET_KEY: &'static str = "token";

    /// The name of the Secret that holds the token.
    pub fn secret_name(&self) -> String {
        derived_name(self.metadata.name.as_deref().unwrap_or_default(), "-token")
    }
}
