//! Which shop, and which account of it, an object belongs to: as far as rules can know.

use super::{
    Environment, Settings, TerminalAccount, TerminalAccountSpec, UsesAccount, account::DEFAULT_ACCOUNT,
    account_ref::account_key,
};
use crate::{
    admission::{
        lookup::{Found, Lookup},
        review::Review,
        seen::Seen,
    },
    common::ObjectRef,
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

    /// The shop of an object in `namespace`, of which nothing is told when its account does not permit the object's
    /// namespace.
    pub(super) fn permitted(
        lookup: &dyn Lookup,
        settings: &Settings,
        namespace: &str,
        account: Option<&ObjectRef>,
    ) -> Self {
        match account {
            Some(named) if named.namespace_in(namespace) != namespace => {
                let target = named.visible::<TerminalAccount>(lookup, namespace);
                target.map(|_| Self::of(lookup, settings, namespace, account)).unwrap_or_default()
            }
            _ => Self::of(lookup, settings, namespace, account),
        }
    }

    /// The shop of the object under review.
    pub(super) fn around<K: UsesAccount>(review: &Review<'_, K>) -> Seen<Self> {
        review.look_up(|lookup| Self::of_reviewed(review, lookup))
    }

    pub(super) fn of_reviewed<K: UsesAccount>(review: &Review<'_, K>, lookup: &dyn Lookup) -> Self {
        Self::permitted(lookup, &review.settings.coffee, review.namespace, review.object.account_ref())
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
