//! The account's one cart.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::order::{place, price, shipping_cents};
use super::problem::Problem;
use super::router::Call;

/// What an account is about to buy.
#[derive(Debug, Default)]
pub(super) struct Cart {
    items: Vec<Item>,
    pub(super) address: Option<String>,
    pub(super) card: Option<String>,
}

#[derive(Debug)]
struct Item {
    id: String,
    variant: String,
    quantity: i64,
    price: i64,
}

impl Cart {
    pub(super) fn contents(&self) -> Vec<(String, i64)> {
        self.items.iter().map(|item| (item.variant.clone(), item.quantity)).collect()
    }
}

pub(super) fn get(call: &mut Call) -> Result<Value, Problem> {
    let data = call.data();
    let country =
        data.cart.address.clone().and_then(|id| Some(data.addresses.find(&id)?.place.country.clone()));
    let cart = &data.cart;
    let subtotal: i64 = cart.items.iter().map(Item::subtotal).sum();
    let mut answer = json!({
        "items": cart.items.iter().map(Item::shown).collect::<Vec<_>>(),
        "subtotal": subtotal,
        "amount": {"subtotal": subtotal},
    });
    if let Some(country) = country {
        let shipping = if cart.items.is_empty() { 0 } else { shipping_cents(&country, subtotal) };
        answer["addressID"] = json!(cart.address);
        answer["amount"] = json!({"subtotal": subtotal, "shipping": shipping, "total": subtotal + shipping});
        answer["shipping"] = json!({"service": "USPS Ground Advantage", "timeframe": "3-5 days"});
    }
    if cart.card.is_some() {
        answer["cardID"] = json!(cart.card);
    }
    Ok(answer)
}

/// Takes the items out; address and card stay chosen.
pub(super) fn clear(call: &mut Call) -> Result<Value, Problem> {
    call.data().cart.items.clear();
    Ok(json!("ok"))
}

/// Sets a variant's quantity; 0 takes it out.
pub(super) fn set_item(call: &mut Call) -> Result<Value, Problem> {
    let fields = call.fields()?;
    let (variant, quantity) = (fields.text("productVariantID")?, fields.integer("quantity", 0)?);
    let (price, _) = price(call.state, &variant)?;
    let id = call.new_id("itm");
    let items = &mut call.data().cart.items;
    match items.iter_mut().find(|item| item.variant == variant) {
        Some(item) => item.quantity = quantity,
        None => items.push(Item { id, variant, quantity, price }),
    }
    items.retain(|item| item.quantity > 0);
    get(call)
}

pub(super) fn set_address(call: &mut Call) -> Result<Value, Problem> {
    let id = call.fields()?.text("addressID")?;
    let data = call.data();
    data.addresses.find(&id).ok_or_else(|| Problem::invalid("addressID", "There is no such address"))?;
    data.cart.address = Some(id);
    Ok(json!("ok"))
}

pub(super) fn set_card(call: &mut Call) -> Result<Value, Problem> {
    let id = call.fields()?.text("cardID")?;
    let data = call.data();
    data.cards.find(&id).ok_or_else(|| Problem::invalid("cardID", "There is no such card"))?;
    data.cart.card = Some(id);
    Ok(json!("ok"))
}

/// Orders what is in the cart and takes it out.
pub(super) fn convert(call: &mut Call) -> Result<Value, Problem> {
    let cart = &call.data().cart;
    let (address, card) = (cart.address.clone(), cart.card.clone());
    let variants: BTreeMap<_, _> = cart.contents().into_iter().collect();
    let (Some(address), Some(card), false) = (address, card, variants.is_empty()) else {
        return Err(Problem::validation("invalid_parameter", "The cart needs items, an address and a card"));
    };
    let order = place(call, &address, &card, variants)?;
    call.data().cart.items.clear();
    Ok(json!(order))
}

impl Item {
    fn subtotal(&self) -> i64 {
        self.price.saturating_mul(self.quantity)
    }

    fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "productVariantID": self.variant,
            "quantity": self.quantity,
            "subtotal": self.subtotal(),
        })
    }
}
