//! The profile of an account: who it belongs to.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use validator::{Validate, ValidateEmail};

use super::{
    UsedAccount, UsesAccount,
    account_ref::{
        self, ACCOUNT_IMMUTABLE, account_index_keys, account_reference, check_account,
        check_account_immutable,
    },
    texts::{self, check_name},
};
use crate::{
    admission::{
        claim::Claim,
        defaults::{Fill, Filled, trimmed},
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::{ObjectRef, text::not_blank},
    field::at,
    kind::Kind,
    rules, status,
};

const CEL_EMAIL: &str = r"self.matches('^\\s*[^@\\s]+@[^@\\s]+\\s*$')";
const EMAIL_MESSAGE: &str = "is no e-mail address; write it as name@host";

/// What a profile is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
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
    #[validate(length(max = 254, code = "coffee.profile.email"))]
    #[x_kube(validation = Rule::new(CEL_EMAIL).message(EMAIL_MESSAGE))]
    pub email: String,
    /// The account holder's name.
    #[validate(length(max = 255, code = "coffee.text.name"))]
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

status! {
    /// What Concierge found out about a profile.
    pub struct CoffeeProfileStatus(message, account: UsedAccount) {
        /// Where it stands, in one word.
        pub phase: Option<ProfilePhase>,
        /// When the shop was last seen to agree, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_sync_time: Option<String>,
    }
}

rules! {
    use account_ref::RULES, &[&texts::NAME, &texts::CARD_NUMBER];
    EMAIL = Deny "coffee.profile.email", "A profile's email is an e-mail address of up to 254 characters.";
    UNIQUE = Deny protects_others "coffee.profile.unique", "An account has one profile.";
    IMMUTABLE = Deny "coffee.profile.immutable", "A profile's accountRef never changes.";
    IN_USE = Deny protects_others "coffee.profile.in-use", "A profile is deleted after the orders and subscriptions that use it are final.";
}

impl Kind for CoffeeProfile {
    const NAME: &'static str = "CoffeeProfile";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);
    const CONFIDENTIAL: bool = true;
    const FILLS: &'static [Filled] = &[trimmed("spec.email"), trimmed("spec.name")];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        fill.trim(&mut self.spec.email, "spec.email");
        fill.trim(&mut self.spec.name, "spec.name");
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        problems.add_invalid_fields(&**review.object);
        if !spec.email.validate_email() {
            problems.add(&EMAIL, Cause::Invalid, "spec.email", EMAIL_MESSAGE);
        }
        check_name(problems, "spec.name", &spec.name);
        check_account(review, problems);
        check_account_immutable(review, &IMMUTABLE, problems);
    }

    fn references(&self) -> Vec<Reference> {
        account_reference(self, true).into_iter().collect()
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
