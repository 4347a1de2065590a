//! An OAuth application of an account.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    UsedAccount, UsesAccount,
    account_ref::{
        ACCOUNT_IMMUTABLE, account_index_keys, account_reference, check_account, check_account_immutable,
    },
};
use crate::{
    access::Access,
    admission::{
        defaults::Fill,
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::{
        ObjectRef, SecretRef,
        names::derived_name,
        text::{check_no_card_number, check_required, not_blank},
        url::{is_loopback, parse_url},
    },
    kind::Kind,
    rules,
    status::{Condition, intent::Intent},
};

const CEL_REDIRECT_URI: &str = r"self.matches('^(https://[^/?@#]+|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]+)?)([/?][^#]*)?$')";

/// What an application is. It never changes.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "coffee.terminal.sh",
    version = "v1alpha1",
    kind = "CoffeeApp",
    plural = "coffeeapps",
    shortname = "capp",
    namespaced,
    status = "CoffeeAppStatus",
    category = "coffee",
    doc = "An OAuth application of an account at the Terminal shop; its credentials are kept in a Secret.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "AppID", type_ = "string", json_path = ".status.appId"),
    printcolumn(name = "Secret", type_ = "string", json_path = ".status.secretRef.name"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(ACCOUNT_IMMUTABLE).message("accountRef is immutable; create another object instead"),
)]
pub struct CoffeeAppSpec {
    /// Its name, as people see it when they sign in. It never changes.
    #[x_kube(validation = Rule::new("self == oldSelf").message("is immutable; create another CoffeeApp instead"))]
    #[schemars(length(max = 255))]
    #[x_kube(validation = not_blank())]
    pub name: String,
    /// Where the shop sends people who signed in: https, or http on this machine. It never changes.
    #[x_kube(validation = Rule::new("self == oldSelf").message("is immutable; create another CoffeeApp instead"))]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new(CEL_REDIRECT_URI).message("must be an absolute https URL, or an http one of this machine, without credentials and fragment"))]
    pub redirect_uri: String,
    /// The TerminalAccount; the one named default in this namespace when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<ObjectRef>,
}

/// Where an application stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AppPhase {
    /// Not looked at yet, or waiting for something.
    #[default]
    Pending,
    /// The shop knows it, and the Secret holds its credentials.
    Active,
    /// Something must be mended first.
    Failed,
}

/// What Concierge found out about an application.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CoffeeAppStatus {
    /// Where it stands, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<AppPhase>,
    /// What is wrong or being waited for, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The shop's id of it, `cli_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The Secret that holds its credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
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
    NAME = Deny "coffee.app.name", "An application's name is not blank and has up to 255 characters.";
    CARD_NUMBER = Deny "coffee.app.card-number", "No text of an application contains a card number.";
    REDIRECT_URI = Deny "coffee.app.redirect-uri", "An application's redirectUri is an absolute https URL without credentials and fragment; http only leads to this machine.";
    ACCOUNT_EXISTS = Deny "coffee.app.account-exists", "The TerminalAccount that an application names exists and permits its namespace.";
    IMMUTABLE = Deny "coffee.app.immutable", "An application's name, redirectUri and accountRef never change.";
}

impl Kind for CoffeeApp {
    const NAME: &'static str = "CoffeeApp";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const ACCESS: &'static [Access] = &[Access::SECRETS_MADE];
    const SECRET_FIELDS: &'static [&'static str] = &["spec.redirectUri"];
    const CONFIDENTIAL: bool = false;

    fn assemble(metadata: ObjectMeta, spec: CoffeeAppSpec, status: Option<CoffeeAppStatus>) -> Self {
        Self { metadata, spec, status }
    }

    fn fill_defaults(&mut self, fill: &mut Fill) {
        fill.trim(&mut self.spec.name, "spec.name");
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        check_required(problems, &NAME, "spec.name", &spec.name, 255);
        check_no_card_number(problems, &CARD_NUMBER, "spec.name", &spec.name);
        if let Some(message) = wrong_redirect(&spec.redirect_uri) {
            problems.add(&REDIRECT_URI, Cause::Invalid, "spec.redirectUri", message);
        }
        check_account(review, &ACCOUNT_EXISTS, problems);
        check_account_immutable(review, &IMMUTABLE, problems);
        if let Some(old) = review.old {
            let message = "is immutable: the shop can't change it; create another CoffeeApp instead";
            if old.spec.name.trim() != spec.name {
                problems.add(&IMMUTABLE, Cause::Forbidden, "spec.name", message);
            }
            if old.spec.redirect_uri != spec.redirect_uri {
                problems.add(&IMMUTABLE, Cause::Forbidden, "spec.redirectUri", message);
            }
        }
    }

    fn references(&self) -> Vec<Reference> {
        account_reference(self, &ACCOUNT_EXISTS, true).into_iter().collect()
    }

    fn index_keys(&self) -> Vec<String> {
        account_index_keys(self, true)
    }
}

impl UsesAccount for CoffeeApp {
    fn account_ref(&self) -> Option<&ObjectRef> {
        self.spec.account_ref.as_ref()
    }
}

fn wrong_redirect(uri: &str) -> Option<&'static str> {
    match parse_url(uri) {
        Err(message) => Some(message),
        Ok(url) if url.scheme() == "http" && !is_loopback(&url) => {
            Some("is http to another machine, where a code can be read on its way; use https")
        }
        Ok(_) if uri.len() > 2048 => Some("is longer than 2048 characters"),
        Ok(_) => None,
    }
}

impl CoffeeApp {
    /// The key of the application's id in its Secret.
    pub const CLIENT_ID_KEY: &'static str = "client_id";
    /// The key of the application's secret in its Secret.
    pub const CLIENT_SECRET_KEY: &'static str = "client_secret";

    /// The name of the Secret that holds the credentials.
    pub fn secret_name(&self) -> String {
        derived_name(self.metadata.name.as_deref().unwrap_or_default(), "-credentials")
    }
}
