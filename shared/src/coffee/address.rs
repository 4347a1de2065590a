//! An address that coffee is sent to.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ObjectRef, UsedAccount, UsesAccount, country,
    refs::{ACCOUNT_IMMUTABLE, account_index_keys, account_reference, check_account},
    text::{check_no_card_number, check_optional, check_required},
};
use crate::{
    admission::{
        defaults::Fill,
        problem::{Problems, Reason},
        reference::Reference,
        review::{Review, abridged},
        rule::Rule as AdmissionRule,
    },
    field::{FieldPath, at},
    kind::Kind,
    rules,
    status::{Condition, intent::Intent},
};

/// The CEL rule for the postal code of a US address.
const US_ZIP: &str =
    r"!self.country.matches('^\\s*[Uu][Ss]\\s*$') || self.zip.matches('^\\s*[0-9]{5}(-[0-9]{4})?\\s*$')";

/// What an address is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "coffee.terminal.sh",
    version = "v1alpha1",
    kind = "CoffeeAddress",
    plural = "coffeeaddresses",
    shortname = "caddress",
    shortname = "ca",
    namespaced,
    status = "CoffeeAddressStatus",
    category = "coffee",
    doc = "An address that the Terminal shop sends coffee to.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "AddressID", type_ = "string", json_path = ".status.addressId"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(ACCOUNT_IMMUTABLE).message("accountRef is immutable; create another object instead"),
    validation = Rule::new(US_ZIP).message("zip of a US address is five digits, or five, '-' and four"),
)]
pub struct CoffeeAddressSpec {
    /// Who receives it.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// Street and number.
    #[schemars(length(min = 1, max = 255))]
    pub street1: String,
    /// What else the carrier needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub street2: Option<String>,
    /// The city.
    #[schemars(length(min = 1, max = 255))]
    pub city: String,
    /// The state or province, as the carrier writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub province: Option<String>,
    /// The state; an older spelling of province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub state: Option<String>,
    /// The postal code.
    #[schemars(length(min = 1, max = 32))]
    pub zip: String,
    /// The country: two letters, ISO 3166-1 alpha-2.
    #[schemars(length(max = 16), regex(pattern = r"^\s*[A-Za-z]{2}\s*$"))]
    pub country: String,
    /// A telephone number for the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub phone: Option<String>,
    /// The TerminalAccount; the one named default in this namespace when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<ObjectRef>,
}

/// An address inside another object.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(US_ZIP).message("zip of a US address is five digits, or five, '-' and four"),
)]
pub struct InlineAddress {
    /// Who receives it.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// Street and number.
    #[schemars(length(min = 1, max = 255))]
    pub street1: String,
    /// What else the carrier needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub street2: Option<String>,
    /// The city.
    #[schemars(length(min = 1, max = 255))]
    pub city: String,
    /// The state or province, as the carrier writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub province: Option<String>,
    /// The postal code.
    #[schemars(length(min = 1, max = 32))]
    pub zip: String,
    /// The country: two letters, ISO 3166-1 alpha-2.
    #[schemars(length(max = 16), regex(pattern = r"^\s*[A-Za-z]{2}\s*$"))]
    pub country: String,
    /// A telephone number for the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub phone: Option<String>,
}

/// Where an address stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AddressPhase {
    /// Not looked at yet, or waiting for something.
    #[default]
    Pending,
    /// The shop has it.
    Verified,
    /// Something must be mended first.
    Failed,
}

/// What Concierge found out about an address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CoffeeAddressStatus {
    /// Where it stands, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<AddressPhase>,
    /// What is wrong or being waited for, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The shop's id of it, `shp_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_id: Option<String>,
    /// A digest of the fields that the shop has under that id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_digest: Option<String>,
    /// The shop's ids of what the address was before it was edited, not yet deleted there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retired_address_ids: Vec<String>,
    /// The account at which the remote thing was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<UsedAccount>,
    /// The call at the shop that may be sent at most once and is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Where the object stands, in detail.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The generation that this status describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The last token of the annotation concierge.dev/reconcile-at that was acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconciled_at: Option<String>,
}

rules! {
    TEXT = Deny "coffee.address.text", "An address's name, street1, city and zip are not blank, and no field is longer than 255 characters.";
    COUNTRY = Deny "coffee.address.country", "An address's country is two letters.";
    COUNTRY_KNOWN = Warn "coffee.address.country-known", "An address's country is one of ISO 3166-1.";
    ZIP = Deny "coffee.address.zip", "A zip has up to 16 letters, digits, spaces and '-'; a US zip is five digits, or five, '-' and four.";
    PROVINCE = Warn "coffee.address.province", "A US address has a province.";
    ONE_PROVINCE = Deny "coffee.address.one-province", "An address's state, the older spelling, says the same as its province.";
    PHONE = Deny "coffee.address.phone", "A phone number has 5 to 32 digits, spaces and '+', '-', '.', '(' and ')'.";
    CARD_NUMBER = Deny "coffee.address.card-number", "No text of an address contains a card number.";
    ACCOUNT_EXISTS = Deny "coffee.address.account-exists", "The TerminalAccount that an address names exists and permits its namespace.";
    IMMUTABLE = Deny "coffee.address.immutable", "An address's accountRef never changes.";
    USED = Warn "coffee.address.used", "An address is not edited while orders or subscriptions use it.";
    IN_USE = Deny "coffee.address.in-use", "An address is deleted after what uses it is final.";
}

static ADDRESS_RULES: AddressRules = AddressRules {
    text: &TEXT,
    country: &COUNTRY,
    country_known: &COUNTRY_KNOWN,
    zip: &ZIP,
    province: &PROVINCE,
    phone: &PHONE,
    card_number: &CARD_NUMBER,
};

impl Kind for CoffeeAddress {
    const NAME: &'static str = "CoffeeAddress";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);

    fn assemble(metadata: ObjectMeta, spec: CoffeeAddressSpec, status: Option<CoffeeAddressStatus>) -> Self {
        Self { metadata, spec, status }
    }

    fn fill_defaults(&mut self, fill: &mut Fill) {
        let CoffeeAddressSpec {
            name,
            street1,
            street2,
            city,
            province,
            state,
            zip,
            country,
            phone,
            account_ref: _,
        } = &mut self.spec;
        let required = [("name", name), ("street1", street1), ("city", city), ("zip", zip)];
        let optional = [("street2", street2), ("province", province), ("state", state), ("phone", phone)];
        fill_address(fill, &at("spec"), required, optional, country);
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        check_postal(problems, &ADDRESS_RULES, &at("spec"), &spec.postal());
        if let (Some(province), Some(state)) = (&spec.province, &spec.state)
            && province != state
        {
            let message = "differs from province, which says the same in newer words; remove state";
            problems.add(&ONE_PROVINCE, Reason::Invalid, "spec.state", message);
        }
        check_account(review, &ACCOUNT_EXISTS, &IMMUTABLE, problems);
        if review.old.is_some_and(|old| old.spec.postal() != spec.postal()) {
            check_used(review, problems);
        }
    }

    fn references(&self) -> Vec<Reference> {
        account_reference(self, &ACCOUNT_EXISTS, true).into_iter().collect()
    }

    fn index_keys(&self) -> Vec<String> {
        account_index_keys(self, true)
    }
}

impl UsesAccount for CoffeeAddress {
    fn account_ref(&self) -> Option<&ObjectRef> {
        self.spec.account_ref.as_ref()
    }
}

fn check_used(review: &Review<'_, CoffeeAddress>, problems: &mut Problems) {
    let referrers = review.referrers();
    if referrers.is_empty() {
        return;
    }
    let mut names: Vec<_> =
        referrers.iter().map(|one| format!("{} {}/{}", one.kind(), one.namespace(), one.name())).collect();
    names.sort();
    let message = format!(
        "is edited while in use by {}: an order that is placed already still goes to the old address",
        abridged(&names)
    );
    problems.add(&USED, Reason::Invalid, "spec", message);
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
    /// The city.
    pub city: &'a str,
    /// The state or province.
    pub province: Option<&'a str>,
    /// The country, two letters.
    pub country: &'a str,
    /// The postal code.
    pub zip: &'a str,
    /// A telephone number.
    pub phone: Option<&'a str>,
}

impl Postal<'_> {
    /// The parts by which two addresses are told apart; an absent one is empty. The telephone number is none.
    pub fn parts(&self) -> [&str; 7] {
        let Self { name, street1, street2, city, province, country, zip, phone: _ } = *self;
        [name, street1, street2.unwrap_or_default(), city, province.unwrap_or_default(), country, zip]
    }
}

impl CoffeeAddressSpec {
    /// The address; an older `state` counts as its province.
    pub fn postal(&self) -> Postal<'_> {
        Postal {
            name: &self.name,
            street1: &self.street1,
            street2: self.street2.as_deref(),
            city: &self.city,
            province: self.province.as_deref().or(self.state.as_deref()),
            country: &self.country,
            zip: &self.zip,
            phone: self.phone.as_deref(),
        }
    }
}

impl InlineAddress {
    /// The address.
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

fn fill_address<const N: usize>(
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
    let normal = country.trim().to_ascii_uppercase();
    fill.normalise(country, root.clone().field("country"), normal);
}

/// The rules of a kind that holds an address.
pub(super) struct AddressRules {
    /// What must be said, and how much.
    pub(super) text: &'static AdmissionRule,
    /// Two letters.
    pub(super) country: &'static AdmissionRule,
    /// A country's letters.
    pub(super) country_known: &'static AdmissionRule,
    /// The postal code.
    pub(super) zip: &'static AdmissionRule,
    /// A US address's province.
    pub(super) province: &'static AdmissionRule,
    /// The telephone number.
    pub(super) phone: &'static AdmissionRule,
    /// No card number.
    pub(super) card_number: &'static AdmissionRule,
}

/// Checks the address at `root`.
pub(super) fn check_postal(
    problems: &mut Problems,
    rules: &AddressRules,
    root: &FieldPath,
    address: &Postal<'_>,
) {
    let field = |name: &str| root.clone().field(name);
    let Postal { name, street1, street2, city, province, country, zip, phone } = *address;
    for (key, text) in [("name", name), ("street1", street1), ("city", city)] {
        check_required(problems, rules.text, field(key), text, 255);
        check_no_card_number(problems, rules.card_number, field(key), text);
    }
    for (key, text) in [("street2", street2), ("province", province)] {
        check_optional(problems, rules.text, field(key), text.unwrap_or_default(), 255);
        check_no_card_number(problems, rules.card_number, field(key), text.unwrap_or_default());
    }
    check_country(problems, rules, field("country"), country);
    check_zip(problems, rules, field("zip"), country, zip);
    if country == "US" && province.is_none_or(str::is_empty) {
        let message = "is missing; carriers need the state of a US address";
        problems.add(rules.province, Reason::Required, field("province"), message);
    }
    if phone.is_some_and(|phone| !is_phone(phone)) {
        let message = "is no telephone number; use 5 to 32 digits, spaces, '+', '-', '.', '(' and ')'";
        problems.add(rules.phone, Reason::Invalid, field("phone"), message);
    }
}

fn check_country(problems: &mut Problems, rules: &AddressRules, field: FieldPath, country: &str) {
    if country.len() != 2 || !country.bytes().all(|c| c.is_ascii_uppercase()) {
        let message = "must be two letters, ISO 3166-1 alpha-2, for instance US";
        problems.add(rules.country, Reason::Invalid, field, message);
    } else if !country::is_known(country) {
        let hint = if country == "UK" { "; the United Kingdom is GB" } else { "; check it" };
        let message = format!("{country} is no country of ISO 3166-1{hint}");
        problems.add(rules.country_known, Reason::NotSupported, field, message);
    }
}

fn check_zip(problems: &mut Problems, rules: &AddressRules, field: FieldPath, country: &str, zip: &str) {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b' ' | b'-');
    if zip.trim().is_empty() {
        problems.add(rules.text, Reason::Required, field, "is blank; fill it in");
    } else if country == "US" && !is_us_zip(zip) {
        let message = "must be five digits, or five, '-' and four, in the US";
        problems.add(rules.zip, Reason::Invalid, field, message);
    } else if zip.len() > 16 || !zip.bytes().all(allowed) {
        let message = "must be up to 16 letters, digits, spaces and '-'";
        problems.add(rules.zip, Reason::Invalid, field, message);
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
