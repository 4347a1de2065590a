//! An access token of an account.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    UsedAccount, UsesAccount,
    account_ref::{account_index_keys, account_reference, check_account},
};
use crate::{
    access::Access,
    admission::{
        defaults::Fill, problem::Problems, reference::Reference, review::Review, rule::AdmissionRule,
    },
    common::{
        ObjectRef, SecretRef,
        immutable::check_spec_immutable,
        names::derived_name,
        text::{check_no_card_number, check_optional},
    },
    kind::Kind,
    rules,
    status::{Condition, intent::Intent},
};

/// What an access token is. It never changes.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    #[schemars(length(max = 255))]
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

/// What Concierge found out about a token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TerminalTokenStatus {
    /// Where it stands, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<TokenPhase>,
    /// What is wrong or being waited for, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The shop's id of it, `pat_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// The Secret that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// When it was made, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub created: Option<String>,
    /// When the shop was last asked, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub last_status_check: Option<String>,
    /// The account at which the remote thing was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<UsedAccount>,
    /// The call at the shop that may be sent at most once and is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Where the object stands, in detail.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The generation that this status describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The last token of the annotation concierge.dev/reconcile-at that was acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconciled_at: Option<String>,
}

rules! {
    DESCRIPTION = Deny "coffee.token.description", "A token's description has up to 255 characters.";
    CARD_NUMBER = Deny "coffee.token.card-number", "No text of a token contains a card number.";
    ACCOUNT_EXISTS = Deny "coffee.token.account-exists", "The TerminalAccount that a token names exists and permits its namespace.";
    IMMUTABLE = Deny "coffee.token.immutable", "A token never changes.";
}

impl Kind for TerminalToken {
    const NAME: &'static str = "TerminalToken";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const ACCESS: &'static [Access] = &[Access::SECRETS_MADE];

    fn assemble(metadata: ObjectMeta, spec: TerminalTokenSpec, status: Option<TerminalTokenStatus>) -> Self {
        Self { metadata, spec, status }
    }

    fn fill_defaults(&mut self, _fill: &mut Fill) {}

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let description = review.object.spec.description.as_deref().unwrap_or_default();
        check_optional(problems, &DESCRIPTION, "spec.description", description, 255);
        check_no_card_number(problems, &CARD_NUMBER, "spec.description", description);
        check_account(review, &ACCOUNT_EXISTS, problems);
        check_spec_immutable(review, &IMMUTABLE, "a token never changes", problems);
    }

    fn references(&self) -> Vec<Reference> {
        account_reference(self, &ACCOUNT_EXISTS, true).into_iter().collect()
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
