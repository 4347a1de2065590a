//! Subscriptions: one per account and variant.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::problem::{Fields, Problem, integer};
use super::router::Call;
use super::state::written;

/// A running subscription.
#[derive(Clone, Debug, Serialize)]
pub struct Subscription {
    /// `sub_...`
    pub id: String,
    /// `var_...`
    #[serde(rename = "productVariantID")]
    pub variant: String,
    /// Cents.
    pub price: i64,
    /// How many each time.
    pub quantity: i64,
    /// `shp_...`
    #[serde(rename = "addressID")]
    pub address: String,
    /// `crd_...`
    #[serde(rename = "cardID")]
    pub card: String,
    /// How often.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// The next shipment.
    pub next: String,
    /// When it was made.
    pub created: String,
}

/// How often a subscription ships.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Schedule {
    /// On the product's own dates.
    Fixed,
    /// Every so many weeks.
    Weekly {
        /// How many.
        interval: i64,
    },
}

pub(super) fn list(call: &mut Call) -> Result<Value, Problem> {
    let at = call.at;
    Ok(json!(call.data().subscriptions.list(at)))
}

pub(super) fn get(call: &mut Call) -> Result<Value, Problem> {
    let (id, at) = (call.id, call.at);
    let subscription = call.data().subscriptions.get(id, at);
    Ok(json!(subscription.ok_or_else(|| Problem::not_found("Subscription", id))?))
}

/// Answers "ok" and no id. The published schema wants `id`, `created` and `price`, so they are wanted here and
/// ignored. A second subscription to a variant overwrites the first, which keeps its id.
pub(super) fn create(call: &mut Call) -> Result<Value, Problem> {
    let fields = call.fields()?;
    fields.text("id")?;
    fields.text("created")?;
    fields.integer("price", 0)?;
    let (variant, quantity) = (fields.text("productVariantID")?, fields.integer("quantity", 1)?);
    let (address, card) =
        (owned_address(call, &fields.text("addressID")?)?, owned_card(call, &fields.text("cardID")?)?);
    let schedule = Schedule::read(&fields)?;
    let price = price(call, &variant, schedule)?;
    let (next, created) = (next(schedule, call.at), written(call.at));
    if let Some(old) = call.data().subscriptions.find_by(|old| old.variant == variant) {
        *old = Subscription { quantity, address, card, schedule, next, ..old.clone() };
        return Ok(json!("ok"));
    }
    let id = call.new_id("sub");
    let new =
        Subscription { id: id.clone(), variant, price, quantity, address, card, schedule, next, created };
    let (hidden, at) = (call.hidden, call.at);
    call.data().subscriptions.add(&id, new, hidden, at);
    Ok(json!("ok"))
}

pub(super) fn update(call: &mut Call) -> Result<Value, Problem> {
    let (id, at, fields) = (call.id, call.at, call.fields()?);
    let missing = || Problem::not_found("Subscription", id);
    let old = call.data().subscriptions.find(id).ok_or_else(missing)?.clone();
    let mut new = old;
    if let Some(address) = fields.optional_text("addressID")? {
        new.address = owned_address(call, &address)?;
    }
    if let Some(card) = fields.optional_text("cardID")? {
        new.card = owned_card(call, &card)?;
    }
    if let Some(schedule) = Schedule::read(&fields)? {
        price(call, &new.variant, Some(schedule))?;
        (new.schedule, new.next) = (Some(schedule), next(Some(schedule), at));
    }
    *call.data().subscriptions.find(id).ok_or_else(missing)? = new.clone();
    Ok(json!(new))
}

pub(super) fn delete(call: &mut Call) -> Result<Value, Problem> {
    let id = call.id;
    match call.data().subscriptions.remove(id) {
        true => Ok(json!("ok")),
        false => Err(Problem::not_found("Subscription", id)),
    }
}

impl Schedule {
    fn read(fields: &Fields) -> Result<Option<Self>, Problem> {
        let Some(schedule) = fields.get("schedule") else { return Ok(None) };
        match schedule.get("type").and_then(Value::as_str) {
            Some("fixed") => Ok(Some(Schedule::Fixed)),
            Some("weekly") => {
                let interval = schedule.get("interval").unwrap_or(&Value::Null);
                Ok(Some(Schedule::Weekly { interval: integer("interval", interval, 1)? }))
            }
            _ => Err(Problem::invalid("schedule", "schedule.type must be fixed or weekly")),
        }
    }
}

/// A variant's price, if it can be subscribed to on this schedule.
fn price(call: &Call, variant: &str, schedule: Option<Schedule>) -> Result<i64, Problem> {
    let refuse = |message: &str| Err(Problem::invalid("productVariantID", message));
    let Some((product, found)) = call.state.variant(variant) else {
        return refuse("There is no such product variant");
    };
    match (product.subscription, schedule) {
        (None, _) => refuse("Product variant does not allow subscriptions"),
        (Some("required"), Some(Schedule::Weekly { .. })) => {
            Err(Problem::invalid("schedule", "Subscription schedule must be 'fixed' for this product"))
        }
        _ => Ok(found.price),
    }
}

fn owned_address(call: &mut Call, id: &str) -> Result<String, Problem> {
    let found = call.data().addresses.find(id).is_some();
    found.then(|| id.to_owned()).ok_or_else(|| Problem::invalid("addressID", "There is no such address"))
}

fn owned_card(call: &mut Call, id: &str) -> Result<String, Problem> {
    let found = call.data().cards.find(id).is_some();
    found.then(|| id.to_owned()).ok_or_else(|| Problem::invalid("cardID", "There is no such card"))
}

/// Fixed ones ship every four weeks here; the shop's own dates are not published.
fn next(schedule: Option<Schedule>, at: Timestamp) -> String {
    let weeks = match schedule {
        Some(Schedule::Weekly { interval }) => interval.min(520),
        _ => 4,
    };
    written(at.saturating_add(SignedDuration::from_hours(weeks * 7 * 24)).unwrap_or(at))
}
