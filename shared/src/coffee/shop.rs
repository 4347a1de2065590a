//! Which shop, and which account of it, an object belongs to: as far as rules can know.

use std::sync::Arc;

use super::{
    Environment, Settings, TerminalAccount, TerminalAccountSpec, UsesAccount, account::DEFAULT_ACCOUNT,
    account_ref::account_key,
};
use crate::{
    admission::{
        lookup::{Found, Lookup},
        problem::{Cause, Problems},
        reference::permits,
        review::Review,
        rule::AdmissionRule,
    },
    common::ObjectRef,
    field::at,
    kind::Kind,
};

/// Where production orders are placed.
pub const PRODUCTION_URL: &str = "https://api.terminal.shop";
/// Where nothing is charged and nothing is sent.
pub const DEV_URL: &str = "https://api.dev.terminal.shop";

/// The account that an object belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shop {
    /// The TerminalAccount, `namespace/name`; empty for the reconciler's own default; `None` when it can't be
    /// told.
    pub account: Option<String>,
    /// The shop's address; `None` when it can't be told.
    pub base_url: Option<String>,
}

impl TerminalAccountSpec {
    /// The shop's address, without a slash at its end.
    pub fn shop_url(&self) -> &str {
        let url = match (&self.base_url, self.environment.unwrap_or_default()) {
            (Some(url), _) => url,
            (None, Environment::Production) => PRODUCTION_URL,
            (None, Environment::Dev) => DEV_URL,
        };
        url.trim_end_matches('/')
    }
}

impl Shop {
    /// The shop of an object in `namespace` with this `accountRef`.
    pub fn of(
        lookup: &dyn Lookup,
        settings: &Settings,
        namespace: &str,
        account: Option<&ObjectRef>,
    ) -> Self {
        if let Some(account) = account {
            let found = lookup.find(TerminalAccount::NAME, account.namespace_in(namespace), &account.name);
            return Self::at(account_key(namespace, Some(account)), found);
        }
        match lookup.find(TerminalAccount::NAME, namespace, DEFAULT_ACCOUNT) {
            Found::Absent => Self::of_all(lookup, settings),
            found => Self::at(account_key(namespace, None), found),
        }
    }

    /// The shop of the object under review.
    pub(super) fn around<K: UsesAccount>(review: &Review<'_, K>) -> Self {
        Self::of(review.lookup, &review.settings.coffee, review.namespace, review.object.account_ref())
    }

    /// True when orders there cost money.
    pub fn is_production(&self) -> bool {
        self.base_url.as_deref() == Some(PRODUCTION_URL)
    }

    fn of_all(lookup: &dyn Lookup, settings: &Settings) -> Self {
        match settings.default_account.as_deref().and_then(|account| account.split_once('/')) {
            Some((namespace, name)) => {
                Self::at(format!("{namespace}/{name}"), lookup.find(TerminalAccount::NAME, namespace, name))
            }
            None => Self { account: Some(String::new()), base_url: None },
        }
    }

    fn at(account: String, found: Found) -> Self {
        match found {
            Found::Present(stored) => {
                let base_url = stored.get::<TerminalAccount>().map(|found| found.spec.shop_url().to_owned());
                Self { account: Some(account), base_url }
            }
            Found::Absent => Self { account: Some(account), base_url: None },
            Found::Unknown => Self::default(),
        }
    }
}

/// Adds a problem when an object that the one under review names belongs to another account.
pub(super) fn check_same_account<K: UsesAccount, T: UsesAccount>(
    review: &Review<'_, K>,
    shop: &Shop,
    field: &str,
    target: Option<&ObjectRef>,
    rule: &'static AdmissionRule,
    problems: &mut Problems,
) {
    let Some(target) = target.and_then(|target| visible::<K, T>(review, target)) else { return };
    let namespace = target.meta().namespace.as_deref().unwrap_or_default();
    let other = Shop::of(review.lookup, &review.settings.coffee, namespace, target.account_ref());
    if let (Some(own), Some(other)) = (&shop.account, other.account)
        && *own != other
    {
        let message = format!(
            "names a {} of account {}, but this {} belongs to account {}; use one account for both",
            T::NAME,
            named(&other),
            K::NAME,
            named(own)
        );
        problems.add(rule, Cause::Invalid, at(field).field("name"), message);
    }
}

fn named(account: &str) -> &str {
    if account.is_empty() { "of the whole cluster" } else { account }
}

/// The object that `target` names, unless it is in a namespace that does not permit this one.
fn visible<K: UsesAccount, T: UsesAccount>(review: &Review<'_, K>, target: &ObjectRef) -> Option<Arc<T>> {
    let namespace = target.namespace_in(review.namespace);
    let Found::Present(stored) = review.lookup.find(T::NAME, namespace, &target.name) else { return None };
    let permitted =
        namespace == review.namespace || permits(stored.meta().annotations.as_ref(), review.namespace);
    if permitted { stored.get() } else { None }
}
