//! A cart, which can become an order.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CoffeeAddress, CoffeeCard, UsedAccount, UsesAccount,
    account_ref::{
        ACCOUNT_IMMUTABLE, account_index_keys, account_reference, check_account, check_account_immutable,
    },
    shop::check_same_account,
    variant::{self, VariantRules, Way},
};
use crate::{
    admission::{
        claim::Claim,
        defaults::Fill,
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::{ObjectRef, immutable::check_spec_immutable},
    field::at,
    kind::Kind,
    rules,
    status::{Condition, intent::Intent},
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

/// What Concierge found out about a cart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CoffeeCartStatus {
    /// Where it stands, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<CartPhase>,
    /// What is wrong or being waited for, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How many lines it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_count: Option<i64>,
    /// The price of the goods, in US cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subtotal: Option<i64>,
    /// The price of sending them, in US cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping: Option<i64>,
    /// Both, in US cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// Whether the address is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_ready_status: Option<bool>,
    /// Whether the card is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_ready_status: Option<bool>,
    /// The shop's id of the order that it became, `ord_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// That order's number among the account's orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_index: Option<i64>,
    /// What recognises it among the orders of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
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
    VARIANT_ID = Deny "coffee.cart.variant-id", "An item's productVariantId is 'var_' and letters and digits.";
    VARIANT_FORM = Warn "coffee.cart.variant-form", "An item's productVariantId looks as the shop's ids do today.";
    VARIANT_EXISTS = Deny "coffee.cart.variant-exists", "The shop has the variant of each item.";
    SUBSCRIPTION_ONLY = Deny "coffee.cart.subscription-only", "No item comes only by subscription.";
    PRODUCTS_UNKNOWN = Warn "coffee.cart.products-unknown", "The shop's products are known when a cart is filled.";
    QUANTITY = Deny "coffee.cart.quantity", "An item's quantity is from 1 to the operator's maximum, 100 unless set.";
    ITEMS = Deny "coffee.cart.items", "A cart lists a variant once, and up to 100 of them.";
    CONVERT = Deny "coffee.cart.convert", "A cart that is to become an order has items, addressRef and cardRef.";
    ADDRESS_EXISTS = Deny "coffee.cart.address-exists", "The CoffeeAddress that a cart names exists and permits its namespace.";
    CARD_EXISTS = Deny "coffee.cart.card-exists", "The CoffeeCard that a cart names exists and permits its namespace.";
    ACCOUNT_EXISTS = Deny "coffee.cart.account-exists", "The TerminalAccount that a cart names exists and permits its namespace.";
    SAME_ACCOUNT = Deny "coffee.cart.same-account", "What a cart names belongs to the cart's account.";
    UNIQUE = Deny "coffee.cart.unique", "An account has one cart that is not an order yet.";
    IMMUTABLE = Deny "coffee.cart.immutable", "A cart's accountRef never changes, and nothing does once it becomes an order.";
}

static VARIANT_RULES: VariantRules = VariantRules {
    id: &VARIANT_ID,
    form: &VARIANT_FORM,
    quantity: &QUANTITY,
    exists: &VARIANT_EXISTS,
    sold: &SUBSCRIPTION_ONLY,
    unknown: &PRODUCTS_UNKNOWN,
    way: Way::Order,
};

impl Kind for CoffeeCart {
    const NAME: &'static str = "CoffeeCart";
    const RULES: &'static [&'static AdmissionRule] = RULES;

    fn assemble(metadata: ObjectMeta, spec: CoffeeCartSpec, status: Option<CoffeeCartStatus>) -> Self {
        Self { metadata, spec, status }
    }

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
            (&self.spec.address_ref, "spec.addressRef", CoffeeAddress::NAME, &ADDRESS_EXISTS),
            (&self.spec.card_ref, "spec.cardRef", CoffeeCard::NAME, &CARD_EXISTS),
        ];
        let targets = targets.into_iter().filter_map(|(target, field, kind, rule)| {
            target.as_ref()?.reference(field, kind, rule, protects)
        });
        targets.chain(account_reference(self, &ACCOUNT_EXISTS, protects)).collect()
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

fn check_items(review: &Review<'_, CoffeeCart>, problems: &mut Problems) {
    let items = review.object.spec.items.as_deref().unwrap_or_default();
    if items.len() > MAX_ITEMS {
        let message = format!("has {} entries; use at most {MAX_ITEMS}", items.len());
        return problems.add(&ITEMS, Cause::TooMany, "spec.items", message);
    }
    for (index, item) in items.iter().enumerate() {
        let root = at("spec.items").index(index);
        variant::check(review, &VARIANT_RULES, &root, &item.product_variant_id, item.quantity, problems);
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
    check_account(review, &ACCOUNT_EXISTS, problems);
    let (address, card) = ("spec.addressRef", "spec.cardRef");
    if let Some(target) = address_ref {
        target.check(address, &ADDRESS_EXISTS, problems);
        check_same_account::<_, CoffeeAddress>(review, address, target, &SAME_ACCOUNT, problems);
    }
    if let Some(target) = card_ref {
        target.check(card, &CARD_EXISTS, problems);
        check_same_account::<_, CoffeeCard>(review, card, target, &SAME_ACCOUNT, problems);
    }
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
