//! A cart, which can become an order.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CoffeeAddress, CoffeeCard, UsedAccount, UsesAccount,
    account_ref::{
        self, ACCOUNT_IMMUTABLE, account_index_keys, account_reference, check_account,
        check_account_immutable,
    },
    target,
    variant::{self, Way},
};
use crate::{
    admission::{
        claim::Claim,
        defaults::{Fill, Filled, missing},
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::{ObjectRef, immutable::check_spec_immutable},
    field::at,
    kind::Kind,
    rules, status,
};

/// Demanded of the whole object, since the phase is in its status.
const CEL_ORDERED: &str = "!has(oldSelf.status) || !has(oldSelf.status.phase) || \
     !(oldSelf.status.phase in ['Converting', 'Converted']) || self.spec == oldSelf.spec";

const MAX_ITEMS: usize = 100;

/// What a cart is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "coffee.terminal.sh",
    version = "v1alpha1",
    kind = "CoffeeCart",
    plural = "coffeecarts",
    shortname = "ccart",
    namespaced,
    status = "CoffeeCartStatus",
    category = "coffee",
    validation = Rule::new(CEL_ORDERED).message("the cart is an order already, and never changes; create another CoffeeCart instead"),
    doc = "A cart at the Terminal shop, which becomes an order when convertToOrder says so.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Items", type_ = "integer", json_path = ".status.itemCount"),
    printcolumn(name = "Total", type_ = "integer", json_path = ".status.total"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(ACCOUNT_IMMUTABLE).message("accountRef is immutable; create another object instead"),
    validation = Rule::new("!has(self.convertToOrder) || !self.convertToOrder || (has(self.items) && size(self.items) > 0 && has(self.addressRef) && has(self.cardRef))")
        .message("convertToOrder needs items, addressRef and cardRef"),
)]
pub struct CoffeeCartSpec {
    /// What is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    #[x_kube(validation = Rule::new("self.all(a, self.exists_one(b, b.productVariantId == a.productVariantId))").message("lists a variant twice; add the quantities up"))]
    pub items: Option<Vec<CartItem>>,
    /// The CoffeeAddress that it is sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_ref: Option<ObjectRef>,
    /// The CoffeeCard that is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_ref: Option<ObjectRef>,
    /// Whether the cart becomes an order once all is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub convert_to_order: Option<bool>,
    /// The TerminalAccount; the one named default in this namespace when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<ObjectRef>,
}

/// A line of a cart.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CartItem {
    /// The shop's id of the product variant, `var_…`.
    #[schemars(length(max = 64))]
    #[x_kube(validation = variant::id_rule())]
    pub product_variant_id: String,
    /// How many of it; at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("default" = 1))]
    pub quantity: Option<i64>,
}

/// Where a cart stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CartPhase {
    /// Nothing in it.
    #[default]
    Empty,
    /// It has items.
    ItemsAdded,
    /// It has items and an address.
    AddressSet,
    /// It has items and a card.
    CardSet,
    /// It has all that an order needs.
    Ready,
    /// Being made an order.
    Converting,
    /// It is an order. Final.
    Converted,
    /// Something must be mended first.
    Failed,
}

status! {
    /// What Concierge found out about a cart.
    pub struct CoffeeCartStatus(message, account: UsedAccount, intent) {
        /// Where it stands, in one word.
        pub phase: Option<CartPhase>,
        /// How many lines it has.
        pub item_count: Option<i64>,
        /// The price of the goods, in US cents.
        pub subtotal: Option<i64>,
        /// The price of sending them, in US cents.
        pub shipping: Option<i64>,
        /// Both, in US cents.
        pub total: Option<i64>,
        /// Whether the address is ready.
        pub address_ready_status: Option<bool>,
        /// Whether the card is ready.
        pub card_ready_status: Option<bool>,
        /// The shop's id of the order that it became, `ord_…`.
        pub order_id: Option<String>,
        /// That order's number among the account's orders.
        pub order_index: Option<i64>,
        /// What recognises it among the orders of the account.
        pub fingerprint: Option<String>,
    }
}

rules! {
    use account_ref::RULES, variant::ORDERED, &[&target::ADDRESS_EXISTS, &target::CARD_EXISTS, &target::SAME_ACCOUNT];
    ITEMS = Deny "coffee.cart.items", "A cart lists a variant once, and up to 100 of them.";
    CONVERT = Deny "coffee.cart.convert", "A cart that is to become an order has items, addressRef and cardRef.";
    UNIQUE = Deny protects_others "coffee.cart.unique", "An account has one cart that is not an order yet.";
    IMMUTABLE = Deny "coffee.cart.immutable", "A cart's accountRef never changes, and nothing does once it becomes an order.";
}

impl Kind for CoffeeCart {
    const NAME: &'static str = "CoffeeCart";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const FILLS: &'static [Filled] = &[missing("spec.convertToOrder"), missing("spec.items[].quantity")];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        fill.missing(&mut self.spec.convert_to_order, "spec.convertToOrder", false);
        for (index, item) in self.spec.items.iter_mut().flatten().enumerate() {
            fill.missing(&mut item.quantity, at("spec.items").index(index).field("quantity"), 1);
        }
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        if review.old.is_some_and(CoffeeCart::is_ordered) {
            check_spec_immutable(review, &IMMUTABLE, "the cart is an order already", problems);
        } else {
            check_account_immutable(review, &IMMUTABLE, problems);
        }
        // What is an order is one, whatever the shop sells and the rules say now.
        if review.object.is_final() {
            return;
        }
        check_items(review, problems);
        check_conversion(&review.object.spec, problems);
        check_targets(review, problems);
    }

    fn references(&self) -> Vec<Reference> {
        let protects = !self.is_final();
        let targets = [
            target::reference::<CoffeeAddress>("spec.addressRef", self.spec.address_ref.as_ref(), protects),
            target::reference::<CoffeeCard>("spec.cardRef", self.spec.card_ref.as_ref(), protects),
            account_reference(self, protects),
        ];
        targets.into_iter().flatten().collect()
    }

    fn claims(&self) -> Vec<Claim> {
        if self.is_final() {
            return Vec::new();
        }
        vec![Claim {
            field: at("spec.accountRef"),
            rule: &UNIQUE,
            key: self.account_key(),
            taken: Some(
                "the account has another CoffeeCart, and can have only one at a time; use or delete that one",
            ),
        }]
    }

    fn index_keys(&self) -> Vec<String> {
        account_index_keys(self, !self.is_final())
    }
}

impl UsesAccount for CoffeeCart {
    fn account_ref(&self) -> Option<&ObjectRef> {
        self.spec.account_ref.as_ref()
    }
}

/// Not `#[validate]` at the field: an entry is compared with those before it, and entries beyond the bound are not looked at.
fn check_items(review: &Review<'_, CoffeeCart>, problems: &mut Problems) {
    let items = review.object.spec.items.as_deref().unwrap_or_default();
    if items.len() > MAX_ITEMS {
        let message = format!("has {} entries; use at most {MAX_ITEMS}", items.len());
        return problems.add(&ITEMS, Cause::TooMany, "spec.items", message);
    }
    for (index, item) in items.iter().enumerate() {
        let root = at("spec.items").index(index);
        variant::check(review, Way::Order, &root, &item.product_variant_id, item.quantity, problems);
        if items[..index].iter().any(|other| other.product_variant_id == item.product_variant_id) {
            let message = "is in the cart already; list it once and add the quantities up";
            problems.add(&ITEMS, Cause::Duplicate, root.field("productVariantId"), message);
        }
    }
}

fn check_conversion(spec: &CoffeeCartSpec, problems: &mut Problems) {
    if spec.convert_to_order != Some(true) {
        return;
    }
    let missing = [
        ("items", spec.items.as_ref().is_none_or(Vec::is_empty)),
        ("addressRef", spec.address_ref.is_none()),
        ("cardRef", spec.card_ref.is_none()),
    ];
    for (name, _) in missing.into_iter().filter(|(_, missing)| *missing) {
        let message = "is required with convertToOrder: true; set it, or convert later";
        problems.add(&CONVERT, Cause::Required, at("spec").field(name), message);
    }
}

fn check_targets(review: &Review<'_, CoffeeCart>, problems: &mut Problems) {
    let CoffeeCartSpec { address_ref, card_ref, .. } = &review.object.spec;
    check_account(review, problems);
    target::check::<CoffeeAddress, _>(review, "spec.addressRef", address_ref.as_ref(), problems);
    target::check::<CoffeeCard, _>(review, "spec.cardRef", card_ref.as_ref(), problems);
}

impl CoffeeCart {
    /// True when the cart is an order, and so no longer a cart.
    pub fn is_final(&self) -> bool {
        self.phase() == Some(CartPhase::Converted)
    }

    /// True when the cart is an order, or being made one.
    fn is_ordered(&self) -> bool {
        matches!(self.phase(), Some(CartPhase::Converting | CartPhase::Converted))
    }

    fn phase(&self) -> Option<CartPhase> {
        self.status.as_ref().and_then(|status| status.phase)
    }
}
