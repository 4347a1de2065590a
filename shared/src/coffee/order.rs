//! An order.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    CoffeeAddress, CoffeeCard, CoffeeProfile, InlineAddress, InlineCard, Shop, UsedAccount, UsesAccount,
    account_ref::{self, account_index_keys, account_reference, check_account},
    card_token::{self, card_keys, check_token},
    postal::{self, check_postal},
    target,
    texts::{self, check_note},
    variant::{self, Way},
};
use crate::{
    access::Access,
    admission::{
        defaults::{Fill, Filled, capitals, missing, trimmed},
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

/// What an order is. It never changes: a retry is another order.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
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
    #[validate(nested)]
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
    #[validate(length(max = 1000, code = "coffee.order.notes"))]
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

status! {
    /// What Concierge found out about an order.
    pub struct CoffeeOrderStatus(message, account: UsedAccount, intent) {
        /// Where it stands, in one word.
        pub phase: Option<OrderPhase>,
        /// The shop's id of it, `ord_…`.
        pub order_id: Option<String>,
        /// Its number among the account's orders.
        pub order_index: Option<i64>,
        /// What recognises it among the orders of the account.
        pub fingerprint: Option<String>,
        /// The shop's id of the address that it is sent to.
        pub address_id: Option<String>,
        /// The shop's id of the card that is charged.
        pub card_id: Option<String>,
        /// The price of the goods, in US cents.
        pub subtotal: Option<i64>,
        /// The price of sending them, in US cents.
        pub shipping: Option<i64>,
        /// The carrier's number.
        pub tracking_number: Option<String>,
        /// Where the carrier says how far it is.
        pub tracking_url: Option<String>,
        /// The carrier.
        pub tracking_service: Option<String>,
        /// How far it is, in the shop's words: PRE_TRANSIT, TRANSIT, DELIVERED, RETURNED, FAILURE, UNKNOWN.
        pub tracking_status: Option<String>,
        /// Whether the profile is ready.
        pub profile_ready_status: Option<bool>,
        /// Whether the address is ready.
        pub address_ready_status: Option<bool>,
        /// Whether the card is ready.
        pub card_ready_status: Option<bool>,
        /// When the order was placed, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub placed_at: Option<String>,
        /// When the shop was last asked, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_status_check: Option<String>,
    }
}

rules! {
    use account_ref::RULES, target::RULES, variant::ORDERED, postal::RULES, card_token::RULES, &[&texts::CARD_NUMBER];
    ONE_ADDRESS = Deny "coffee.order.one-address", "An order has exactly one of address and addressRef.";
    ONE_CARD = Deny "coffee.order.one-card", "An order has exactly one of card and cardRef.";
    NOTES = Deny "coffee.order.notes", "An order's notes have up to 1000 characters.";
    NOT_SENT = Warn "coffee.order.not-sent", "An order asks for nothing that the shop does not know: priority, scheduling.";
    IMMUTABLE = Deny "coffee.order.immutable", "An order never changes; a retry is another order.";
    PLACED = Warn "coffee.order.placed", "An order that is placed is deleted once it is final: the shop can't be told to cancel it.";
}

impl Kind for CoffeeOrder {
    const NAME: &'static str = "CoffeeOrder";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const ASKED_ON_DELETE: bool = true;
    const ACCESS: &'static [Access] = &[Access::SECRETS_READ];
    const SECRET_FIELDS: &'static [&'static str] = &["spec.card.cardToken"];
    const FILLS: &'static [Filled] = &[
        missing("spec.quantity"),
        missing("spec.priority"),
        missing("spec.scheduling.deliveryWindow"),
        trimmed("spec.address.name"),
        trimmed("spec.address.street1"),
        trimmed("spec.address.street2"),
        trimmed("spec.address.city"),
        trimmed("spec.address.province"),
        trimmed("spec.address.zip"),
        trimmed("spec.address.phone"),
        capitals("spec.address.country"),
    ];

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
        problems.add_invalid_fields(&**review.object);
        let (id, quantity) = (&spec.product_variant_id, spec.quantity);
        variant::check(review, Way::Order, &at("spec"), id, quantity, problems);
        check_pairs(spec, problems);
        if let Some(address) = &spec.address {
            check_postal(problems, &at("spec.address"), &address.postal());
        }
        if let Some(card) = &spec.card {
            let given = (card.card_token.as_ref(), card.card_token_secret_ref.as_ref());
            check_token(problems, &at("spec.card"), given, Shop::around(review));
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
            target::reference::<CoffeeProfile>("spec.profileRef", Some(&spec.profile_ref), protects),
            target::reference::<CoffeeAddress>("spec.addressRef", spec.address_ref.as_ref(), protects),
            target::reference::<CoffeeCard>("spec.cardRef", spec.card_ref.as_ref(), protects),
            account_reference(self, protects),
        ];
        targets.into_iter().flatten().collect()
    }

    fn index_keys(&self) -> Vec<String> {
        let keys = account_index_keys(self, !self.is_final());
        // An order that names a CoffeeCard has that card's id in its status too, but did not register it.
        let Some(own) = &self.spec.card else { return keys };
        let id = self.status.as_ref().and_then(|status| status.card_id.as_deref());
        keys.into_iter()
            .chain(card_keys(self.metadata.namespace.as_deref(), own.token_source(), id))
            .collect()
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
    let CoffeeOrderSpec { profile_ref, address_ref, card_ref, .. } = &review.object.spec;
    check_account(review, problems);
    target::check::<CoffeeProfile, _>(review, "spec.profileRef", Some(profile_ref), problems);
    target::check::<CoffeeAddress, _>(review, "spec.addressRef", address_ref.as_ref(), problems);
    target::check::<CoffeeCard, _>(review, "spec.cardRef", card_ref.as_ref(), problems);
}

/// Fields that only people read: the shop is not told of them.
fn check_wishes(spec: &CoffeeOrderSpec, problems: &mut Problems) {
    check_note(problems, &NOTES, "spec.notes", spec.notes.as_deref());
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
