//! The profile of an account: who it belongs to.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use validator::ValidateEmail;

use super::{
    UsedAccount, UsesAccount,
    account_ref::{
        ACCOUNT_IMMUTABLE, account_index_keys, account_reference, check_account, check_account_immutable,
    },
};
use crate::{
    admission::{
        claim::Claim,
        defaults::Fill,
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::{
        ObjectRef,
        text::{check_no_card_number, check_required, not_blank},
    },
    field::at,
    kind::Kind,
    rules,
    status::Condition,
};

const CEL_EMAIL: &str = r"self.matches('^\\s*[^@\\s]+@[^@\\s]+\\s*$')";
const EMAIL_MESSAGE: &str = "is no e-mail address; write it as name@host";

/// What a profile is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "coffee.terminal.sh",
    version = "v1alpha1",
    kind = "CoffeeProfile",
    plural = "coffeeprofiles",
    shortname = "cprofile",
    shortname = "cp",
    namespaced,
    status = "CoffeeProfileStatus",
    category = "coffee",
    doc = "The name and e-mail address of an account at the Terminal shop; an account has one.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Email", type_ = "string", json_path = ".spec.email"),
    printcolumn(name = "Name", type_ = "string", json_path = ".spec.name"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(ACCOUNT_IMMUTABLE).message("accountRef is immutable; create another object instead"),
)]
pub struct CoffeeProfileSpec {
    /// Where the shop sends its mail.
    #[schemars(length(max = 254))]
    #[x_kube(validation = Rule::new(CEL_EMAIL).message(EMAIL_MESSAGE))]
    pub email: String,
    /// The account holder's name.
    #[schemars(length(max = 255))]
    #[x_kube(validation = not_blank())]
    pub name: String,
    /// The TerminalAccount; the one named default in this namespace when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<ObjectRef>,
}

/// Where a profile stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProfilePhase {
    /// Not looked at yet, or waiting for something.
    #[default]
    Pending,
    /// The shop has it.
    Synced,
    /// Something must be mended first.
    Failed,
}

/// What Concierge found out about a profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CoffeeProfileStatus {
    /// Where it stands, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<ProfilePhase>,
    /// What is wrong or being waited for, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When the shop was last seen to agree, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub last_sync_time: Option<String>,
    /// The account at which the remote thing was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<UsedAccount>,
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
    EMAIL = Deny "coffee.profile.email", "A profile's email is an e-mail address of up to 254 characters.";
    NAME = Deny "coffee.profile.name", "A profile's name is not blank and has up to 255 characters.";
    CARD_NUMBER = Deny "coffee.profile.card-number", "No text of a profile contains a card number.";
    UNIQUE = Deny "coffee.profile.unique", "An account has one profile.";
    ACCOUNT_EXISTS = Deny "coffee.profile.account-exists", "The TerminalAccount that a profile names exists and permits its namespace.";
    IMMUTABLE = Deny "coffee.profile.immutable", "A profile's accountRef never changes.";
    IN_USE = Deny "coffee.profile.in-use", "A profile is deleted after the orders and subscriptions that use it are final.";
}

impl Kind for CoffeeProfile {
    const NAME: &'static str = "CoffeeProfile";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);
    const CONFIDENTIAL: bool = true;

    fn assemble(metadata: ObjectMeta, spec: CoffeeProfileSpec, status: Option<CoffeeProfileStatus>) -> Self {
        Self { metadata, spec, status }
    }

    fn fill_defaults(&mut self, fill: &mut Fill) {
        fill.trim(&mut self.spec.email, "spec.email");
        fill.trim(&mut self.spec.name, "spec.name");
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        if !spec.email.validate_email() || spec.email.len() > 254 {
            problems.add(&EMAIL, Cause::Invalid, "spec.email", EMAIL_MESSAGE);
        }
        check_required(problems, &NAME, "spec.name", &spec.name, 255);
        check_no_card_number(problems, &CARD_NUMBER, "spec.name", &spec.name);
        check_account(review, &ACCOUNT_EXISTS, problems);
        check_account_immutable(review, &IMMUTABLE, problems);
    }

    fn references(&self) -> Vec<Reference> {
        account_reference(self, &ACCOUNT_EXISTS, true).into_iter().collect()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            field: at("spec.accountRef"),
            rule: &UNIQUE,
            key: self.account_key(),
            taken: Some(
                "the account has another CoffeeProfile, and can have only one; change or delete that one",
            ),
        }]
    }

    fn index_keys(&self) -> Vec<String> {
        account_index_keys(self, true)
    }
}

impl UsesAccount for CoffeeProfile {
    fn account_ref(&self) -> Option<&ObjectRef> {
        self.spec.account_ref.as_ref()
    }
}
