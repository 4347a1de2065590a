//! An address that coffee is sent to.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Postal, UsedAccount, UsesAccount,
    account_ref::{
        ACCOUNT_IMMUTABLE, account_index_keys, account_reference, check_account, check_account_immutable,
    },
    postal::{AddressRules, US_ZIP, check_postal, country_rule, fill_address, phone_rule, zip_rule},
};
use crate::{
    admission::{
        defaults::Fill,
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::{ObjectRef, text::not_blank},
    field::at,
    kind::Kind,
    rules,
    status::{Condition, intent::Intent},
};

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
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(ACCOUNT_IMMUTABLE).message("accountRef is immutable; create another object instead"),
    validation = Rule::new("!has(self.state) || !has(self.province) || self.state.trim() == self.province.trim()")
        .message("state differs from province, which says the same in newer words; remove state"),
    validation = Rule::new(US_ZIP).message("zip of a US address is five digits, or five, '-' and four"),
)]
pub struct CoffeeAddressSpec {
    /// Who receives it.
    #[schemars(length(max = 255))]
    #[x_kube(validation = not_blank())]
    pub name: String,
    /// Street and number.
    #[schemars(length(max = 255))]
    #[x_kube(validation = not_blank())]
    pub street1: String,
    /// What else the carrier needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub street2: Option<String>,
    /// The city.
    #[schemars(length(max = 255))]
    #[x_kube(validation = not_blank())]
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
    /// The TerminalAccount; the one named default in this namespace when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<ObjectRef>,
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
    const CONFIDENTIAL: bool = true;

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
            problems.add(&ONE_PROVINCE, Cause::Invalid, "spec.state", message);
        }
        check_account(review, &ACCOUNT_EXISTS, problems);
        check_account_immutable(review, &IMMUTABLE, problems);
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
    review.referrers().check(problems, "spec", &[&USED], |referrers, problems| {
        if !referrers.is_empty() {
            let message = format!(
                "is edited while in use by {referrers}: an order that is placed already still goes to the old address"
            );
            problems.add(&USED, Cause::Invalid, "spec", message);
        }
    });
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
