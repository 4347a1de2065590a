//! An address that coffee is sent to.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    Postal, UsedAccount, UsesAccount,
    account_ref::{
        self, ACCOUNT_IMMUTABLE, account_index_keys, account_reference, check_account,
        check_account_immutable,
    },
    postal::{self, US_ZIP, check_postal, country_rule, fill_address, phone_rule, zip_rule},
    texts,
};
use crate::{
    admission::{
        defaults::{Fill, Filled, capitals, trimmed},
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::{ObjectRef, text::not_blank},
    field::at,
    kind::Kind,
    rules, status,
};

/// What an address is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
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
    /// The state; an older spelling of province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 255, code = "coffee.address.text"))]
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

status! {
    /// What Concierge found out about an address.
    pub struct CoffeeAddressStatus(message, account: UsedAccount, intent) {
        /// Where it stands, in one word.
        pub phase: Option<AddressPhase>,
        /// The shop's id of it, `shp_…`.
        pub address_id: Option<String>,
        /// A digest of the fields that the shop has under that id.
        pub address_digest: Option<String>,
        /// The shop's ids of what the address was before it was edited, not yet deleted there.
        pub retired_address_ids: Vec<String>,
    }
}

rules! {
    use account_ref::RULES, postal::RULES, &[&texts::CARD_NUMBER];
    ONE_PROVINCE = Deny "coffee.address.one-province", "An address's state, the older spelling, says the same as its province.";
    IMMUTABLE = Deny "coffee.address.immutable", "An address's accountRef never changes.";
    USED = Warn "coffee.address.used", "An address is not edited while orders or subscriptions use it.";
    IN_USE = Deny protects_others "coffee.address.in-use", "An address is deleted after what uses it is final.";
}

impl Kind for CoffeeAddress {
    const NAME: &'static str = "CoffeeAddress";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);
    const CONFIDENTIAL: bool = true;
    const FILLS: &'static [Filled] = &[
        trimmed("spec.name"),
        trimmed("spec.street1"),
        trimmed("spec.street2"),
        trimmed("spec.city"),
        trimmed("spec.province"),
        trimmed("spec.state"),
        trimmed("spec.zip"),
        trimmed("spec.phone"),
        capitals("spec.country"),
    ];

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
        problems.add_invalid_fields(&**review.object);
        check_postal(problems, &at("spec"), &spec.postal());
        if let (Some(province), Some(state)) = (&spec.province, &spec.state)
            && province != state
        {
            let message = "differs from province, which says the same in newer words; remove state";
            problems.add(&ONE_PROVINCE, Cause::Invalid, "spec.state", message);
        }
        check_account(review, problems);
        check_account_immutable(review, &IMMUTABLE, problems);
        if review.old.is_some_and(|old| old.spec.postal() != spec.postal()) {
            check_used(review, problems);
        }
    }

    fn references(&self) -> Vec<Reference> {
        account_reference(self, true).into_iter().collect()
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
