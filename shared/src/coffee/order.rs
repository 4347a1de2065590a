//! An order.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CoffeeAddress, CoffeeCard, CoffeeProfile, InlineAddress, InlineCard, Shop, UsedAccount, UsesAccount,
    account_ref::{account_index_keys, account_reference, check_account},
    card_token::{CardRules, check_token},
    postal::{AddressRules, check_postal},
    shop::check_same_account,
    variant::{self, VariantRules, Way},
};
use crate::{
    access::Access,
    admission::{
        defaults::Fill,
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::{
        ObjectRef,
        immutable::check_spec_immutable,
        text::{check_no_card_number, check_optional},
    },
    field::at,
    kind::Kind,
    rules,
    status::{Condition, intent::Intent},
};

/// What an order is. It never changes: a retry is another order.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "coffee.terminal.sh",
    version = "v1alpha1",
    kind = "CoffeeOrder",
    plural = "coffeeorders",
    shortname = "corder",
    shortname = "co",
    namespaced,
    status = "CoffeeOrderStatus",
    category = "coffee",
    doc = "An order at the Terminal shop, placed and charged once. It never changes.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "OrderID", type_ = "string", json_path = ".status.orderId"),
    printcolumn(name = "Address", type_ = "string", json_path = ".spec.addressRef.name"),
    printcolumn(name = "Card", type_ = "string", json_path = ".spec.cardRef.name"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self == oldSelf").message("an order is immutable from its creation; create another CoffeeOrder instead"),
    validation = Rule::new("has(self.address) != has(self.addressRef)").message("give exactly one of address and addressRef"),
    validation = Rule::new("has(self.card) != has(self.cardRef)").message("give exactly one of card and cardRef"),
)]
pub struct CoffeeOrderSpec {
    /// The shop's id of the product variant, `var_…`.
    #[schemars(length(max = 64))]
    #[x_kube(validation = variant::id_rule())]
    pub product_variant_id: String,
    /// How many of it; at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("default" = 1))]
    pub quantity: Option<i64>,
    /// The CoffeeProfile of the account's holder.
    pub profile_ref: ObjectRef,
    /// The CoffeeAddress that it is sent to; this or address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_ref: Option<ObjectRef>,
    /// The address that it is sent to; this or addressRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<InlineAddress>,
    /// The CoffeeCard that is charged; this or card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_ref: Option<ObjectRef>,
    /// The card that is charged; this or cardRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<InlineCard>,
    /// How much it matters. The shop does not know of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Standard"))]
    pub priority: Option<Priority>,
    /// A note for people. The shop does not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub notes: Option<String>,
    /// When it should come. The shop does not know of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<Scheduling>,
    /// The TerminalAccount; the one named default in this namespace when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<ObjectRef>,
}

/// When an order should come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scheduling {
    /// The time of day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "morning"))]
    pub delivery_window: Option<DeliveryWindow>,
}

/// How much an order matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Priority {
    /// As usual.
    #[default]
    Standard,
    /// More than usual.
    Premium,
}

/// A time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryWindow {
    /// Before noon.
    #[default]
    Morning,
    /// After noon.
    Afternoon,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OrderPhase {
    /// Not placed: not looked at yet, or waiting for something.
    #[default]
    Pending,
    /// Being placed.
    Processing,
    /// Placed and charged.
    Ordered,
    /// On its way.
    Shipped,
    /// Arrived. Final.
    Delivered,
    /// Given up before it was placed. Final.
    Cancelled,
    /// Refused by the shop, or lost on its way. Final.
    Failed,
}

/// What Concierge found out about an order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CoffeeOrderStatus {
    /// Where it stands, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<OrderPhase>,
    /// What is wrong or being waited for, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The shop's id of it, `ord_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// Its number among the account's orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_index: Option<i64>,
    /// What recognises it among the orders of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The shop's id of the address that it is sent to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_id: Option<String>,
    /// The shop's id of the card that is charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_id: Option<String>,
    /// The price of the goods, in US cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subtotal: Option<i64>,
    /// The price of sending them, in US cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping: Option<i64>,
    /// The carrier's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// Where the carrier says how far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_url: Option<String>,
    /// The carrier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_service: Option<String>,
    /// How far it is, in the shop's words: PRE_TRANSIT, TRANSIT, DELIVERED, RETURNED, FAILURE, UNKNOWN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_status: Option<String>,
    /// Whether the profile is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_ready_status: Option<bool>,
    /// Whether the address is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_ready_status: Option<bool>,
    /// Whether the card is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_ready_status: Option<bool>,
    /// When the order was placed, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub placed_at: Option<String>,
    /// When the shop was last asked, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub last_status_check: Option<String>,
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
    VARIANT_ID = Deny "coffee.order.variant-id", "An order's productVariantId is 'var_' and letters and digits.";
    VARIANT_FORM = Warn "coffee.order.variant-form", "An order's productVariantId looks as the shop's ids do today.";
    VARIANT_EXISTS = Deny "coffee.order.variant-exists", "The shop has the variant that is ordered.";
    SUBSCRIPTION_ONLY = Deny "coffee.order.subscription-only", "The variant that is ordered does not come only by subscription.";
    PRODUCTS_UNKNOWN = Warn "coffee.order.products-unknown", "The shop's products are known when an order is made.";
    QUANTITY = Deny "coffee.order.quantity", "An order's quantity is from 1 to the operator's maximum, 100 unless set.";
    PROFILE_EXISTS = Deny "coffee.order.profile-exists", "The CoffeeProfile that an order names exists and permits its namespace.";
    ONE_ADDRESS = Deny "coffee.order.one-address", "An order has exactly one of address and addressRef.";
    ADDRESS_EXISTS = Deny "coffee.order.address-exists", "The CoffeeAddress that an order names exists and permits its namespace.";
    ADDRESS = Deny "coffee.order.address", "An order's own address is one that a CoffeeAddress could have.";
    ADDRESS_ADVICE = Warn "coffee.order.address-advice", "An order's own address has a known country and, in the US, a province.";
    ONE_CARD = Deny "coffee.order.one-card", "An order has exactly one of card and cardRef, and a card one of cardToken and cardTokenSecretRef.";
    CARD_EXISTS = Deny "coffee.order.card-exists", "The CoffeeCard that an order names exists and permits its namespace.";
    CARD_TOKEN = Deny "coffee.order.card-token", "An order's own card has a token that a CoffeeCard could have.";
    CARD_NUMBER = Deny "coffee.order.card-number", "No text of an order contains a card number.";
    TEST_TOKEN = Deny "coffee.order.test-token", "An order at a production account has no Stripe test token.";
    TOKEN_CLEAR = Warn "coffee.order.token-clear", "The token of an order's own card is in a Secret, not in clear.";
    ACCOUNT_EXISTS = Deny "coffee.order.account-exists", "The TerminalAccount that an order names exists and permits its namespace.";
    SAME_ACCOUNT = Deny "coffee.order.same-account", "What an order names belongs to the order's account.";
    NOTES = Deny "coffee.order.notes", "An order's notes have up to 1000 characters.";
    NOT_SENT = Warn "coffee.order.not-sent", "An order asks for nothing that the shop does not know: priority, scheduling.";
    IMMUTABLE = Deny "coffee.order.immutable", "An order never changes; a retry is another order.";
    PLACED = Warn "coffee.order.placed", "An order that is placed is deleted once it is final: the shop can't be told to cancel it.";
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

static ADDRESS_RULES: AddressRules = AddressRules {
    text: &ADDRESS,
    country: &ADDRESS,
    country_known: &ADDRESS_ADVICE,
    zip: &ADDRESS,
    province: &ADDRESS_ADVICE,
    phone: &ADDRESS,
    card_number: &CARD_NUMBER,
};

static CARD_RULES: CardRules = CardRules {
    one: &ONE_CARD,
    token: &CARD_TOKEN,
    number: &CARD_NUMBER,
    test: &TEST_TOKEN,
    clear: &TOKEN_CLEAR,
};

impl Kind for CoffeeOrder {
    const NAME: &'static str = "CoffeeOrder";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const ASKED_ON_DELETE: bool = true;
    const ACCESS: &'static [Access] = &[Access::SECRETS_READ];
    const SECRET_FIELDS: &'static [&'static str] = &["spec.card.cardToken"];

    fn assemble(metadata: ObjectMeta, spec: CoffeeOrderSpec, status: Option<CoffeeOrderStatus>) -> Self {
        Self { metadata, spec, status }
    }

    fn fill_defaults(&mut self, fill: &mut Fill) {
        let spec = &mut self.spec;
        fill.missing(&mut spec.quantity, "spec.quantity", 1);
        fill.missing(&mut spec.priority, "spec.priority", Priority::default());
        if let Some(scheduling) = &mut spec.scheduling {
            let field = "spec.scheduling.deliveryWindow";
            fill.missing(&mut scheduling.delivery_window, field, DeliveryWindow::default());
        }
        if let Some(address) = &mut spec.address {
            address.fill_defaults(fill, &at("spec.address"));
        }
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        check_spec_immutable(review, &IMMUTABLE, "an order never changes", problems);
        // What is placed is placed, whatever the shop sells and the rules say now.
        if review.object.is_placed() {
            return;
        }
        let (id, quantity) = (&spec.product_variant_id, spec.quantity);
        variant::check(review, &VARIANT_RULES, &at("spec"), id, quantity, problems);
        check_pairs(spec, problems);
        if let Some(address) = &spec.address {
            check_postal(problems, &ADDRESS_RULES, &at("spec.address"), &address.postal());
        }
        if let Some(card) = &spec.card {
            let given = (card.card_token.as_ref(), card.card_token_secret_ref.as_ref());
            check_token(problems, &CARD_RULES, &at("spec.card"), given, Shop::around(review));
        }
        check_targets(review, problems);
        check_wishes(spec, problems);
    }

    fn check_deletion(review: &Review<'_, Self>, problems: &mut Problems) {
        let placed = review.object.status.as_ref().and_then(|status| status.order_id.as_ref());
        if let Some(order) = placed.filter(|_| !review.object.is_final()) {
            let message =
                format!("order {order} stays placed and charged: the shop can't be told to cancel it");
            problems.add(&PLACED, Cause::Forbidden, "metadata.name", message);
        }
    }

    fn references(&self) -> Vec<Reference> {
        let spec = &self.spec;
        let protects = !self.is_final();
        let targets = [
            (Some(&spec.profile_ref), "spec.profileRef", CoffeeProfile::NAME, &PROFILE_EXISTS),
            (spec.address_ref.as_ref(), "spec.addressRef", CoffeeAddress::NAME, &ADDRESS_EXISTS),
            (spec.card_ref.as_ref(), "spec.cardRef", CoffeeCard::NAME, &CARD_EXISTS),
        ];
        let targets = targets
            .into_iter()
            .filter_map(|(target, field, kind, rule)| target?.reference(field, kind, rule, protects));
        targets.chain(account_reference(self, &ACCOUNT_EXISTS, protects)).collect()
    }

    fn index_keys(&self) -> Vec<String> {
        account_index_keys(self, !self.is_final())
    }
}

impl UsesAccount for CoffeeOrder {
    fn account_ref(&self) -> Option<&ObjectRef> {
        self.spec.account_ref.as_ref()
    }
}

fn check_pairs(spec: &CoffeeOrderSpec, problems: &mut Problems) {
    let pairs = [
        ("address", "addressRef", spec.address.is_some(), spec.address_ref.is_some(), &ONE_ADDRESS),
        ("card", "cardRef", spec.card.is_some(), spec.card_ref.is_some(), &ONE_CARD),
    ];
    for (inline, named, has_inline, has_named, rule) in pairs {
        let (cause, message) = match (has_inline, has_named) {
            (true, true) => (Cause::Forbidden, format!("is given beside {named}; remove one of them")),
            (false, false) => (Cause::Required, format!("is missing, and so is {named}; give one of them")),
            _ => continue,
        };
        problems.add(rule, cause, at("spec").field(inline), message);
    }
}

fn check_targets(review: &Review<'_, CoffeeOrder>, problems: &mut Problems) {
    let spec = &review.object.spec;
    check_account(review, &ACCOUNT_EXISTS, problems);
    let (profile, address, card) = ("spec.profileRef", "spec.addressRef", "spec.cardRef");
    spec.profile_ref.check(profile, &PROFILE_EXISTS, problems);
    check_same_account::<_, CoffeeProfile>(review, profile, &spec.profile_ref, &SAME_ACCOUNT, problems);
    if let Some(target) = &spec.address_ref {
        target.check(address, &ADDRESS_EXISTS, problems);
        check_same_account::<_, CoffeeAddress>(review, address, target, &SAME_ACCOUNT, problems);
    }
    if let Some(target) = &spec.card_ref {
        target.check(card, &CARD_EXISTS, problems);
        check_same_account::<_, CoffeeCard>(review, card, target, &SAME_ACCOUNT, problems);
    }
}

/// What is kept for people and goes no further.
fn check_wishes(spec: &CoffeeOrderSpec, problems: &mut Problems) {
    let notes = spec.notes.as_deref().unwrap_or_default();
    check_optional(problems, &NOTES, "spec.notes", notes, 1000);
    check_no_card_number(problems, &CARD_NUMBER, "spec.notes", notes);
    let message = "is not sent: the shop knows no such thing";
    if spec.priority == Some(Priority::Premium) {
        problems.add(&NOT_SENT, Cause::NotSupported, "spec.priority", message);
    }
    if spec.scheduling.is_some() {
        problems.add(&NOT_SENT, Cause::NotSupported, "spec.scheduling", message);
    }
}

impl OrderPhase {
    /// True when nothing more happens to the order.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Cancelled | Self::Failed)
    }
}

impl CoffeeOrder {
    /// True when the shop has given it an id.
    pub fn is_placed(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.order_id.is_some())
    }

    /// True when nothing more happens to the order.
    pub fn is_final(&self) -> bool {
        self.status.as_ref().and_then(|status| status.phase).is_some_and(OrderPhase::is_final)
    }
}
