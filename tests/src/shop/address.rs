//! Addresses.

use serde::Serialize;
use serde_json::{Value, json};

use super::problem::{Fields, Problem};
use super::router::Call;
use super::state::written;

/// An address as stored.
#[derive(Clone, Debug, Serialize)]
pub struct Address {
    /// `shp_...`
    pub id: String,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// When it was made.
    pub created: String,
}

/// Where an order goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The recipient.
    pub name: String,
    /// First line.
    pub street1: String,
    /// Second line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street2: Option<String>,
    pub city: String,
    /// Province or state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    /// Two letters.
    pub country: String,
    /// Postal code.
    pub zip: String,
    /// Phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

pub(super) fn list(call: &mut Call) -> Result<Value, Problem> {
    let at = call.at;
    Ok(json!(call.data().addresses.list(at)))
}

pub(super) fn get(call: &mut Call) -> Result<Value, Problem> {
    let (id, at) = (call.id, call.at);
    let address = call.data().addresses.get(id, at);
    Ok(json!(address.ok_or_else(|| Problem::not_found("Address", id))?))
}

/// Stores the carrier's form of the address. Outside the sandbox the carrier must also know it.
pub(super) fn create(call: &mut Call) -> Result<Value, Problem> {
    let place = Place::read(&call.fields()?)?;
    if !call.data().sandbox && call.state.undeliverable.contains(&place.zip) {
        return Err(Problem::validation("address.invalid", "The carrier does not know this address"));
    }
    let id = call.new_id("shp");
    let address = Address { id: id.clone(), place: place.normal(), created: written(call.at) };
    let (hidden, at) = (call.hidden, call.at);
    call.data().addresses.add(&id, address, hidden, at);
    Ok(json!(id))
}

/// Also takes it out of the cart.
pub(super) fn delete(call: &mut Call) -> Result<Value, Problem> {
    let id = call.id;
    let data = call.data();
    if !data.addresses.remove(id) {
        return Err(Problem::not_found("Address", id));
    }
    data.cart.address.take_if(|address| address == id);
    Ok(json!("ok"))
}

impl Place {
    fn read(fields: &Fields) -> Result<Self, Problem> {
        let place = Self {
            name: fields.text("name")?,
            street1: fields.text("street1")?,
            street2: fields.optional_text("street2")?,
            city: fields.text("city")?,
            province: fields.optional_text("province")?,
            country: fields.text("country")?,
            zip: fields.text("zip")?,
            phone: fields.optional_text("phone")?,
        };
        if place.country.len() != 2 || !place.country.chars().all(|c| c.is_ascii_alphabetic()) {
            let message = "country must be a 2 character country code (ISO 3166-1)";
            return Err(Problem::invalid("country", message));
        }
        Ok(place)
    }

    /// The carrier's form: single spaces, capitals in codes, and capitals throughout in the US.
    fn normal(self) -> Self {
        let country = self.country.to_uppercase();
        let tidy = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = |text: String| if country == "US" { tidy(text).to_uppercase() } else { tidy(text) };
        let some = |text: Option<String>| text.map(line).filter(|text| !text.is_empty());
        Self {
            name: tidy(self.name),
            street1: line(self.street1),
            street2: some(self.street2),
            city: line(self.city),
            province: some(self.province),
            zip: line(self.zip),
            phone: self.phone.map(tidy).filter(|phone| !phone.is_empty()),
            country: country.clone(),
        }
    }
}
