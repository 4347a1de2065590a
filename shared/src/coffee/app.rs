//! An OAuth application of an account.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    UsedAccount, UsesAccount,
    account_ref::{
        self, ACCOUNT_IMMUTABLE, account_index_keys, account_reference, check_account,
        check_account_immutable,
    },
    texts::{self, check_name},
};
use crate::{
    access::Access,
    admission::{
        defaults::{Fill, Filled, trimmed},
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::{
        ObjectRef, SecretRef,
        names::derived_name,
        text::not_blank,
        url::{is_loopback, parse_url},
    },
    kind::Kind,
    rules, status,
};

const CEL_REDIRECT_URI: &str = r"self.redirectUri.matches('^(https://[^/?@#]+|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]+)?)([/?][^#]*)?$')";

/// What an application is. It never changes.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
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
    validation = Rule::new("self.redirectUri == oldSelf.redirectUri").message("redirectUri is immutable; create another CoffeeApp instead"),
    validation = Rule::new(CEL_REDIRECT_URI).message("redirectUri must be an absolute https URL, or an http one of this machine, without credentials and fragment"),
)]
pub struct CoffeeAppSpec {
    /// Its name, as people see it when they sign in. It never changes.
    #[x_kube(validation = Rule::new("self == oldSelf").message("is immutable; create another CoffeeApp instead"))]
    #[validate(length(max = 255, code = "coffee.text.name"))]
    #[x_kube(validation = not_blank())]
    pub name: String,
    /// Where the shop sends people who signed in: https, or http on this machine. It never changes.
    #[validate(length(max = 2048, code = "coffee.app.redirect-uri"))]
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

status! {
    /// What Concierge found out about an application.
    pub struct CoffeeAppStatus(message, account: UsedAccount, intent) {
        /// Where it stands, in one word.
        pub phase: Option<AppPhase>,
        /// The shop's id of it, `cli_…`.
        pub app_id: Option<String>,
        /// The Secret that holds its credentials.
        pub secret_ref: Option<SecretRef>,
        /// When the shop was last asked, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_status_check: Option<String>,
    }
}

rules! {
    use account_ref::RULES, &[&texts::NAME, &texts::CARD_NUMBER];
    REDIRECT_URI = Deny "coffee.app.redirect-uri", "An application's redirectUri is an absolute https URL without credentials and fragment; http only leads to this machine.";
    IMMUTABLE = Deny "coffee.app.immutable", "An application's name, redirectUri and accountRef never change.";
}

impl Kind for CoffeeApp {
    const NAME: &'static str = "CoffeeApp";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const ACCESS: &'static [Access] = &[Access::SECRETS_MADE];
    const SECRET_FIELDS: &'static [&'static str] = &["spec.redirectUri"];
    const CONFIDENTIAL: bool = false;
    const FILLS: &'static [Filled] = &[trimmed("spec.name")];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        fill.trim(&mut self.spec.name, "spec.name");
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        problems.add_invalid_fields(&**review.object);
        check_name(problems, "spec.name", &spec.name);
        if let Some(message) = wrong_redirect(&spec.redirect_uri) {
            problems.add(&REDIRECT_URI, Cause::Invalid, "spec.redirectUri", message);
        }
        check_account(review, problems);
        check_account_immutable(review, &IMMUTABLE, problems);
        if let Some(old) = review.old {
            check_immutable(&old.spec, spec, problems);
        }
    }

    fn references(&self) -> Vec<Reference> {
        account_reference(self, true).into_iter().collect()
    }

    fn index_keys(&self) -> Vec<String> {
        account_index_keys(self, true)
    }
}

fn check_immutable(old: &CoffeeAppSpec, new: &CoffeeAppSpec, problems: &mut Problems) {
    let message = "is immutable: the shop can't change it; create another CoffeeApp instead";
    if old.name.trim() != new.name {
        problems.add(&IMMUTABLE, Cause::Forbidden, "spec.name", message);
    }
    if old.redirect_uri != new.redirect_uri {
        problems.add(&IMMUTABLE, Cause::Forbidden, "spec.redirectUri", message);
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
