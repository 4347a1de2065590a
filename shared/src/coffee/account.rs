//! An account at the shop.

use std::{cell::RefCell, collections::HashMap};

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::Settings;
use crate::{
    access::Access,
    admission::{
        defaults::{Fill, Filled, missing},
        lookup::{Found, Lookup},
        problem::{Cause, Problems},
        review::{Review, check_in_use},
        rule::AdmissionRule,
        seen::{Seen, Users},
    },
    common::{
        RateLimit, SecretKeyRef,
        url::{is_in_cluster, is_loopback, parse_base_url},
    },
    index::Stored,
    kind::Kind,
    rules, status,
};

/// The name of the TerminalAccount that objects of its namespace use when they name none.
pub const DEFAULT_ACCOUNT: &str = "default";

/// What an account is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "coffee.terminal.sh",
    version = "v1alpha1",
    kind = "TerminalAccount",
    plural = "terminalaccounts",
    shortname = "taccount",
    shortname = "tacc",
    namespaced,
    status = "TerminalAccountStatus",
    category = "coffee",
    doc = "An account at the Terminal shop. The one named default serves all objects of its namespace that name none.",
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment"),
    printcolumn(name = "User", type_ = "string", json_path = ".status.userId"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.environment) == has(oldSelf.environment) && (!has(self.environment) || self.environment == oldSelf.environment)")
        .message("environment is immutable; create another TerminalAccount instead"),
    validation = Rule::new("has(self.baseUrl) == has(oldSelf.baseUrl) && (!has(self.baseUrl) || self.baseUrl == oldSelf.baseUrl)")
        .message("baseUrl is immutable; create another TerminalAccount instead"),
    validation = Rule::new("!has(self.baseUrl) || self.baseUrl.matches('^https?://[^/?@#]+(/[^?#]*)?$')")
        .message("baseUrl must be an absolute http or https URL, without credentials, query and fragment"),
)]
pub struct TerminalAccountSpec {
    /// Which of the shop's environments the account is at. It never changes: ids of one mean nothing in the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "dev"))]
    pub environment: Option<Environment>,
    /// The shop's address when it is neither of the environments', for instance that of a fake. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 2048, code = "coffee.account.base-url"))]
    pub base_url: Option<String>,
    /// The Secret in this namespace that holds the account's bearer token.
    pub token_secret_ref: SecretKeyRef,
    /// How many calls the shop can bear from this account. Its concurrency is 1, also when it is absent: orders that look
    /// alike are told apart by the order in which they were placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
}

/// One of the shop's environments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// `https://api.dev.terminal.shop`: nothing is charged, nothing is sent.
    #[default]
    Dev,
    /// `https://api.terminal.shop`: coffee for money.
    Production,
}

status! {
    /// What Concierge found out about an account.
    pub struct TerminalAccountStatus(message) {
        /// The shop's id of the account's user, by which the account is recognised.
        pub user_id: Option<String>,
        /// The address at which that user was seen.
        pub base_url: Option<String>,
        /// When the shop last accepted the token, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_check_time: Option<String>,
        /// When the product list was last read, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub products_read_time: Option<String>,
    }
}

rules! {
    BASE_URL = Deny "coffee.account.base-url", "An account's baseUrl is an absolute http or https URL with a host, without credentials, query and fragment.";
    BASE_URL_PLAIN = Warn "coffee.account.base-url-plain", "An account's baseUrl is https, or leads to this machine or cluster.";
    TOKEN_SECRET = Deny "coffee.account.token-secret", "An account's tokenSecretRef names a Secret and a key in it.";
    RATE_LIMIT = Deny "coffee.account.rate-limit", "An account's rateLimit has 1 to 1000 requestsPerSecond, a burst from 1 to 1000, and no concurrency but 1.";
    IMMUTABLE = Deny "coffee.account.immutable", "An account's environment and baseUrl never change.";
    IN_USE = Deny protects_others "coffee.account.in-use", "An account is deleted after the objects that use it.";
}

impl Kind for TerminalAccount {
    const NAME: &'static str = "TerminalAccount";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);
    const ACCESS: &'static [Access] = &[
        Access::SECRETS_READ,
        Access { group: "coffee.terminal.sh", resource: "coffeeproducts", verbs: &["create", "delete"] },
    ];
    const SECRET_FIELDS: &'static [&'static str] = &["spec.baseUrl"];
    const CONFIDENTIAL: bool = false;
    const FILLS: &'static [Filled] = &[missing("spec.environment")];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        fill.missing(&mut self.spec.environment, "spec.environment", Environment::default());
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        problems.add_invalid_fields(&**review.object);
        if let Some(url) = &spec.base_url {
            check_base_url(url, problems);
        }
        spec.token_secret_ref.check("spec.tokenSecretRef", &TOKEN_SECRET, problems);
        if let Some(limit) = &spec.rate_limit {
            check_rate_limit(limit, problems);
        }
        let Some(old) = review.old.map(|old| &old.spec) else { return };
        let message = "is immutable: ids at one shop mean nothing at another; create another TerminalAccount";
        let environment = |spec: &Self::Spec| spec.environment.unwrap_or_default();
        let moved = [
            ("spec.environment", environment(old) != environment(spec)),
            ("spec.baseUrl", old.base_url != spec.base_url),
        ];
        for (field, _) in moved.into_iter().filter(|(_, moved)| *moved) {
            problems.add(&IMMUTABLE, Cause::Forbidden, field, message);
        }
    }

    fn check_deletion(review: &Review<'_, Self>, problems: &mut Problems) {
        if let Some(users) = implicit_users(review) {
            check_in_use::<Self>(&IN_USE, users, problems);
        }
    }

    fn index_keys(&self) -> Vec<String> {
        let seen =
            self.status.as_ref().and_then(|status| status.base_url.as_deref().zip(status.user_id.as_deref()));
        seen.map(|(url, user)| user_key(url, user)).into_iter().collect()
    }
}

/// The key of the accounts that were seen to be this user's, at the shop with this base URL.
pub fn user_key(base_url: &str, user: &str) -> String {
    format!("user-of:{base_url}#{user}")
}

/// The objects that name no account and so use this one: as their namespace's default, or as the cluster's.
fn implicit_users(review: &Review<'_, TerminalAccount>) -> Option<Seen<Users>> {
    let (namespace, name) = (review.namespace, review.object.metadata.name.as_deref().unwrap_or_default());
    let key = implicit_users_key(&review.settings.coffee, namespace, name)?;
    let asked = RefCell::new(HashMap::<String, bool>::new());
    Some(review.users(&key, |lookup, user| {
        let (mut asked, its) = (asked.borrow_mut(), user.namespace());
        if let Some(uses) = asked.get(its) {
            return *uses;
        }
        let uses = uses_implicitly(lookup, namespace, name, user);
        asked.insert(its.to_owned(), uses);
        uses
    }))
}

/// The index key of a namespace's objects that name no account and so belong to its default one.
pub fn implicit_account_key(namespace: &str) -> String {
    format!("implicit-account:{namespace}")
}

/// The index key of all objects of the cluster that name no account.
pub(super) const IMPLICIT_ACCOUNT: &str = "implicit-account";

/// The index key of the objects that may use the account `namespace/name` without naming it; `None` when it is nobody's
/// default.
pub fn implicit_users_key(settings: &Settings, namespace: &str, name: &str) -> Option<String> {
    match serves_the_cluster(settings, namespace, name) {
        true => Some(IMPLICIT_ACCOUNT.to_owned()),
        false => (name == DEFAULT_ACCOUNT).then(|| implicit_account_key(namespace)),
    }
}

/// Whether namespaces without a default account of their own fall back to `namespace/name`.
pub fn serves_the_cluster(settings: &Settings, namespace: &str, name: &str) -> bool {
    settings.default_account.as_deref() == Some(&*format!("{namespace}/{name}"))
}

/// Whether `user`, which has the index key, uses the account `namespace/name`. What can't be looked up may use it.
pub fn uses_implicitly(lookup: &dyn Lookup, namespace: &str, name: &str, user: &Stored) -> bool {
    let own_default = user.namespace() == namespace && name == DEFAULT_ACCOUNT;
    let has_another = || {
        let found = lookup.find(TerminalAccount::NAME, user.namespace(), DEFAULT_ACCOUNT);
        matches!(found, Found::Present(_))
    };
    own_default || !has_another()
}

fn check_base_url(text: &str, problems: &mut Problems) {
    let field = "spec.baseUrl";
    match parse_base_url(text) {
        Err(message) => problems.add(&BASE_URL, Cause::Invalid, field, message),
        Ok(url) if url.scheme() == "http" && !is_loopback(&url) && !is_in_cluster(&url) => {
            let message = "is http to another machine: the account's token can be read on its way; use https";
            problems.add(&BASE_URL_PLAIN, Cause::Invalid, field, message);
        }
        Ok(_) => {}
    }
}

fn check_rate_limit(limit: &RateLimit, problems: &mut Problems) {
    limit.check("spec.rateLimit", &RATE_LIMIT, problems);
    if limit.concurrency.is_some_and(|most| (2..=64).contains(&most)) {
        let message = "is more than 1: an account's orders are placed one after the other; remove it";
        problems.add(&RATE_LIMIT, Cause::Invalid, "spec.rateLimit.concurrency", message);
    }
}
