//! Postal addresses: as a part of objects, and what is demanded of them wherever they are.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    country,
    texts::{check_no_card_number, check_note},
};
use crate::{
    admission::{
        defaults::Fill,
        problem::{Cause, Problems},
    },
    common::text::{check_required, not_blank},
    field::FieldPath,
    rules,
};

rules! {
    TEXT = Deny "coffee.address.text", "An address's name, street1, city and zip are not blank, and no field is longer than 255 characters.";
    COUNTRY = Deny "coffee.address.country", "An address's country is two letters.";
    COUNTRY_KNOWN = Warn "coffee.address.country-known", "An address's country is one of ISO 3166-1.";
    ZIP = Deny "coffee.address.zip", "A zip has up to 16 letters, digits, spaces and '-'; a US zip is five digits, or five, '-' and four.";
    PROVINCE = Warn "coffee.address.province", "A US address has a province.";
    PHONE = Deny "coffee.address.phone", "A phone number has 5 to 32 digits, spaces and '+', '-', '.', '(' and ')'.";
}

/// The CEL rule for the postal code of a US address.
pub(super) const US_ZIP: &str =
    r"!self.country.matches('^\\s*[Uu][Ss]\\s*$') || self.zip.matches('^\\s*[0-9]{5}(-[0-9]{4})?\\s*$')";

/// What countries look like, for the API server, which sees them before or after they are trimmed.
pub(super) fn country_rule() -> kube::core::Rule {
    kube::core::Rule::new(r"self.matches('^\\s*[A-Za-z]{2}\\s*$')").message(COUNTRY_MESSAGE)
}

/// What telephone numbers look like, for the API server.
pub(super) fn phone_rule() -> kube::core::Rule {
    kube::core::Rule::new(r"self.matches('^\\s*[-+. ()0-9]{5,32}\\s*$')").message(PHONE_MESSAGE)
}

/// What postal codes look like, for the API server.
pub(super) fn zip_rule() -> kube::core::Rule {
    kube::core::Rule::new(r"self.matches('^\\s*[-A-Za-z0-9 ]{0,16}\\s*$')").message(ZIP_MESSAGE)
}

const PHONE_MESSAGE: &str =
    "is no telephone number; use 5 to 32 digits, spaces, '+', '-', '.', '(' and ')', 5 of them digits";
const ZIP_MESSAGE: &str = "must be up to 16 letters, digits, spaces and '-'";
const COUNTRY_MESSAGE: &str = "must be two letters, ISO 3166-1 alpha-2, for instance US";

/// An address inside another object.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(US_ZIP).message("zip of a US address is five digits, or five, '-' and four"),
)]
pub struct InlineAddress {
    /// Who receives it.
    #[validate(length(max = 255, code = "coffee.address.text"))]
    #[x_kube(validation = not_blank())]
    pub name: String,
    /// Street and number.
    #[validate(length(max = 255, code = "coffee.address.text"))]
    #[x_kube(validation = not_blank())]
    pub street1: String,
    /// What else the carrier needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 255, code = "coffee.address.text"))]
    pub street2: Option<String>,
    /// The city.
    #[validate(length(max = 255, code = "coffee.address.text"))]
    #[x_kube(validation = not_blank())]
    pub city: String,
    /// The state or province, as the carrier writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 255, code = "coffee.address.text"))]
    pub province: Option<String>,
    /// The postal code.
    #[schemars(length(max = 32))]
    #[x_kube(validation = not_blank(), validation = zip_rule())]
    pub zip: String,
    /// The country: two letters, ISO 3166-1 alpha-2.
    #[schemars(length(max = 16))]
    #[x_kube(validation = country_rule())]
    pub country: String,
    /// A telephone number for the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = phone_rule())]
    pub phone: Option<String>,
}

/// An address as the shop and the carrier see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Postal<'a> {
    /// Who receives it.
    pub name: &'a str,
    /// Street and number.
    pub street1: &'a str,
    /// What else the carrier needs.
    pub street2: Option<&'a str>,
    pub city: &'a str,
    /// The state or province.
    pub province: Option<&'a str>,
    /// The country, two letters.
    pub country: &'a str,
    pub zip: &'a str,
    pub phone: Option<&'a str>,
}

impl Postal<'_> {
    /// The parts by which two addresses are told apart; an absent one is empty. The telephone number is none.
    pub fn parts(&self) -> [&str; 7] {
        let Self { name, street1, street2, city, province, country, zip, phone: _ } = *self;
        [name, street1, street2.unwrap_or_default(), city, province.unwrap_or_default(), country, zip]
    }
}

impl InlineAddress {
    pub fn postal(&self) -> Postal<'_> {
        Postal {
            name: &self.name,
            street1: &self.street1,
            street2: self.street2.as_deref(),
            city: &self.city,
            province: self.province.as_deref(),
            country: &self.country,
            zip: &self.zip,
            phone: self.phone.as_deref(),
        }
    }

    /// Fills in the defaults of the address at `root`.
    pub(super) fn fill_defaults(&mut self, fill: &mut Fill, root: &FieldPath) {
        let Self { name, street1, street2, city, province, zip, country, phone } = self;
        let required = [("name", name), ("street1", street1), ("city", city), ("zip", zip)];
        let optional = [("street2", street2), ("province", province), ("phone", phone)];
        fill_address(fill, root, required, optional, country);
    }
}

/// Trims the fields of the address at `root`, and writes its country in capitals.
pub(super) fn fill_address<const N: usize>(
    fill: &mut Fill,
    root: &FieldPath,
    required: [(&str, &mut String); 4],
    optional: [(&str, &mut Option<String>); N],
    country: &mut String,
) {
    let optional = optional.into_iter().filter_map(|(name, text)| Some((name, text.as_mut()?)));
    for (name, text) in required.into_iter().chain(optional) {
        fill.trim(text, root.clone().field(name));
    }
    fill.capitals(country, root.clone().field("country"));
}

fn check_state(problems: &mut Problems, field: FieldPath, country: &str, province: Option<&str>) {
    if country == "US" && province.is_none_or(str::is_empty) {
        let message = "is missing; carriers need the state of a US address";
        problems.add(&PROVINCE, Cause::Required, field, message);
    }
}

/// Checks the address at `root`.
///
/// Not `#[validate]` at the fields: what a zip and a province may be depends on the country, and two kinds hold an address, each
/// at a path of its own. What bounds one field alone stands at the field.
pub(super) fn check_postal(problems: &mut Problems, root: &FieldPath, address: &Postal<'_>) {
    let field = |name: &str| root.clone().field(name);
    let Postal { name, street1, street2, city, province, country, zip, phone } = *address;
    for (key, text) in [("name", name), ("street1", street1), ("city", city)] {
        check_required(problems, &TEXT, field(key), text);
        check_no_card_number(problems, field(key), text);
    }
    for (key, text) in [("street2", street2), ("province", province)] {
        check_note(problems, &TEXT, field(key), text);
    }
    check_country(problems, field("country"), country);
    check_zip(problems, field("zip"), country, zip);
    check_state(problems, field("province"), country, province);
    if phone.is_some_and(|phone| !is_phone(phone)) {
        problems.add(&PHONE, Cause::Invalid, field("phone"), PHONE_MESSAGE);
    }
}

fn check_country(problems: &mut Problems, field: FieldPath, country: &str) {
    if country.len() != 2 || !country.bytes().all(|c| c.is_ascii_uppercase()) {
        problems.add(&COUNTRY, Cause::Invalid, field, COUNTRY_MESSAGE);
    } else if !country::is_known(country) {
        let hint = if country == "UK" { "; the United Kingdom is GB" } else { "; check it" };
        let message = format!("{country} is no country of ISO 3166-1{hint}");
        problems.add(&COUNTRY_KNOWN, Cause::NotSupported, field, message);
    }
}

fn check_zip(problems: &mut Problems, field: FieldPath, country: &str, zip: &str) {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b' ' | b'-');
    if zip.trim().is_empty() {
        problems.add(&TEXT, Cause::Required, field, "is blank; fill it in");
    } else if country == "US" && !is_us_zip(zip) {
        let message = "must be five digits, or five, '-' and four, in the US";
        problems.add(&ZIP, Cause::Invalid, field, message);
    } else if zip.len() > 16 || !zip.bytes().all(allowed) {
        problems.add(&ZIP, Cause::Invalid, field, ZIP_MESSAGE);
    }
}

fn is_us_zip(zip: &str) -> bool {
    let digits = |part: &str, count| part.len() == count && part.bytes().all(|c| c.is_ascii_digit());
    match zip.split_once('-') {
        Some((five, four)) => digits(five, 5) && digits(four, 4),
        None => digits(zip, 5),
    }
}

fn is_phone(phone: &str) -> bool {
    let digits = phone.bytes().filter(u8::is_ascii_digit).count();
    let allowed = |c: u8| c.is_ascii_digit() || b" +-.()".contains(&c);
    digits >= 5 && phone.len() <= 32 && phone.bytes().all(allowed)
}
