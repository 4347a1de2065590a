//! All the shop knows.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::account::AccountData;
use super::card::Plastic;
use super::order::{Charge, Order};
use super::problem::Problem;
use super::product::{Product, Variant, stock};
use super::{card, router};
use crate::faults::{Fake, Request, Response};

/// The shop's state: a pure machine from requests to answers.
pub struct State {
    pub(super) rng: fastrand::Rng,
    pub(super) products: Vec<Product>,
    pub(super) plastics: BTreeMap<String, Plastic>,
    pub(super) undeliverable: BTreeSet<String>,
    pub(super) charges: Vec<Charge>,
    pub(super) accounts: Vec<AccountData>,
    /// Bearer token to account.
    keys: BTreeMap<String, usize>,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            products: stock(),
            plastics: card::known(),
            undeliverable: BTreeSet::new(),
            charges: Vec::new(),
            accounts: Vec::new(),
            keys: BTreeMap::new(),
        }
    }

    /// The account a token opens, made if need be.
    pub(super) fn open(&mut self, token: &str) -> usize {
        if let Some(index) = self.keys.get(token) {
            return *index;
        }
        let user = self.id("usr", Timestamp::UNIX_EPOCH);
        self.accounts.push(AccountData::new(user, token.starts_with("trm_test_")));
        self.admit(token, self.accounts.len() - 1);
        self.accounts.len() - 1
    }

    /// Lets a token open an account.
    pub(super) fn admit(&mut self, token: &str, account: usize) {
        self.keys.insert(token.to_owned(), account);
    }

    /// Makes a token worthless.
    pub(super) fn revoke(&mut self, token: &str) {
        self.keys.remove(token);
    }

    /// The account a request is for.
    pub(super) fn account_of(&self, request: &Request) -> Option<usize> {
        self.keys.get(request.bearer()?).copied()
    }

    /// An order of any account.
    pub(super) fn order(&mut self, id: &str) -> Option<&mut Order> {
        self.accounts.iter_mut().find_map(|data| data.orders.find(id))
    }

    /// A variant on sale and its product.
    pub(super) fn variant(&self, id: &str) -> Option<(&Product, &Variant)> {
        self.products
            .iter()
            .find_map(|product| Some((product, product.variants.iter().find(|it| it.id == id)?)))
    }

    /// A new id: the prefix and a ULID.
    pub(super) fn id(&mut self, prefix: &str, at: Timestamp) -> String {
        const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let time = u128::try_from(at.as_millisecond()).unwrap_or_default() << 80;
        let bits = time | (self.rng.u128(..) >> 48);
        let digit = |place: u32| DIGITS[(bits >> (5 * place) & 31) as usize] as char;
        let ulid: String = (0..26).rev().map(digit).collect();
        format!("{prefix}_{ulid}")
    }
}

impl Fake for State {
    fn operation(&self, request: &Request) -> &'static str {
        router::operation(request)
    }

    fn caller(&self, request: &Request) -> String {
        let data = self.account_of(request).and_then(|index| self.accounts.get(index));
        data.map_or_else(|| "nobody".to_owned(), |data| data.user.id.clone())
    }

    fn handle(&mut self, request: &Request, at: Timestamp) -> Response {
        router::handle(self, request, at)
    }

    fn error(&self, status: u16, _: &Request) -> Response {
        Problem::status(status).response()
    }

    fn redact(&self, operation: &str, body: &mut Value) {
        if operation == "POST /card"
            && let Some(token) = body.get_mut("token")
        {
            *token = Value::from("(secret)");
        }
    }
}

/// A time as the shop writes it.
pub(super) fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_a_prefix_and_a_ulid_that_sorts_by_time() {
        let mut state = State::new(1);
        let early = state.id("ord", Timestamp::from_second(1_700_000_000).unwrap());
        let late = state.id("ord", Timestamp::from_second(1_800_000_000).unwrap());
        assert_eq!(early.len(), 30);
        assert!(early < late, "{early} {late}");
        // 2023-11-14T22:13:20Z as a ULID's ten digits of time.
        assert_eq!(&early[..14], "ord_01HF7YAT00");
    }

    #[test]
    fn times_are_written_as_javascript_does() {
        assert_eq!(written(Timestamp::from_millisecond(5).unwrap()), "1970-01-01T00:00:00.005Z");
    }
}
