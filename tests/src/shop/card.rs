//! Cards, and the payment service behind them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::problem::Problem;
use super::router::Call;
use super::state::written;

/// A card as stored.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// `crd_...`
    pub id: String,
    /// Such as `visa`.
    pub brand: String,
    /// Its last month.
    pub expiration: Expiration,
    /// The last four digits.
    pub last4: String,
    /// When it was registered.
    pub created: String,
    /// What the payment service tells equal cards by.
    #[serde(skip)]
    pub fingerprint: String,
    /// Whether the bank refuses charges.
    #[serde(skip)]
    pub declines: bool,
}

/// A card's last month.
#[derive(Clone, Debug, Serialize)]
pub struct Expiration {
    /// 1 to 12.
    pub month: u8,
    /// Four digits.
    pub year: u16,
}

/// What the payment service finds behind a token.
#[derive(Clone, Debug)]
pub struct Plastic {
    /// Such as `visa`.
    pub brand: String,
    /// The last four digits.
    pub last4: String,
    /// Equal cards have equal ones, whatever their token.
    pub fingerprint: String,
    /// Whether the bank refuses charges.
    pub declines: bool,
    /// Whether it is one of the payment service's test cards.
    pub test: bool,
}

impl Plastic {
    /// A real card.
    pub fn new(brand: &str, last4: &str, fingerprint: &str) -> Self {
        let (brand, last4, fingerprint) = (brand.to_owned(), last4.to_owned(), fingerprint.to_owned());
        Self { brand, last4, fingerprint, declines: false, test: false }
    }

    /// The same card, its charges refused.
    pub fn declining(self) -> Self {
        Self { declines: true, ..self }
    }
}

/// The payment service's test tokens.
pub(super) fn known() -> BTreeMap<String, Plastic> {
    let test = |token: &str, brand: &str, last4: &str, declines: bool| {
        let plastic = Plastic { declines, test: true, ..Plastic::new(brand, last4, token) };
        (token.to_owned(), plastic)
    };
    BTreeMap::from([
        test("tok_visa", "visa", "4242", false),
        test("tok_visa_debit", "visa", "5556", false),
        test("tok_mastercard", "mastercard", "4444", false),
        test("tok_amex", "amex", "8431", false),
        test("tok_chargeCustomerFail", "visa", "0341", true),
    ])
}

pub(super) fn list(call: &mut Call) -> Result<Value, Problem> {
    let at = call.at;
    Ok(json!(call.data().cards.list(at)))
}

pub(super) fn get(call: &mut Call) -> Result<Value, Problem> {
    let (id, at) = (call.id, call.at);
    let card = call.data().cards.get(id, at);
    Ok(json!(card.ok_or_else(|| Problem::not_found("Card", id))?))
}

/// Registers a card; one whose fingerprint the account has already is refused.
pub(super) fn create(call: &mut Call) -> Result<Value, Problem> {
    let token = call.fields()?.text("token")?;
    let plastic = call.state.plastics.get(&token).cloned();
    let plastic =
        plastic.ok_or_else(|| Problem::validation("payment.invalid", "Card details are invalid"))?;
    let data = call.data();
    if plastic.test && !data.sandbox {
        return Err(Problem::validation("payment.invalid", "Test cards are not accepted"));
    }
    if data.cards.all().any(|card| card.fingerprint == plastic.fingerprint) {
        return Err(Problem::validation("already_exists", "Payment method already exists"));
    }
    let id = call.new_id("crd");
    let card = Card {
        id: id.clone(),
        brand: plastic.brand,
        expiration: Expiration { month: 12, year: 2034 },
        last4: plastic.last4,
        created: written(call.at),
        fingerprint: plastic.fingerprint,
        declines: plastic.declines,
    };
    let (hidden, at) = (call.hidden, call.at);
    call.data().cards.add(&id, card, hidden, at);
    Ok(json!(id))
}

pub(super) fn collect(call: &mut Call) -> Result<Value, Problem> {
    let page = call.new_id("col");
    Ok(json!({"url": format!("https://checkout.invalid/{page}")}))
}

/// Also takes it out of the cart.
pub(super) fn delete(call: &mut Call) -> Result<Value, Problem> {
    let id = call.id;
    let data = call.data();
    if !data.cards.remove(id) {
        return Err(Problem::not_found("Card", id));
    }
    data.cart.card.take_if(|card| card == id);
    Ok(json!("ok"))
}
