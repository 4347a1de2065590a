//! A subscription.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    CoffeeAddress, CoffeeCard, CoffeeProfile, SubscriptionPolicy, UsedAccount, UsesAccount,
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
    common::ObjectRef,
    field::at,
    kind::Kind,
    rules, status,
};

/// What a subscription is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "coffee.terminal.sh",
    version = "v1alpha1",
    kind = "CoffeeSubscription",
    plural = "coffeesubscriptions",
    shortname = "csub",
    shortname = "cs",
    namespaced,
    status = "CoffeeSubscriptionStatus",
    category = "coffee",
    doc = "A subscription at the Terminal shop; an account has one per product variant.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "SubscriptionID", type_ = "string", json_path = ".status.subscriptionId"),
    printcolumn(name = "Next Delivery", type_ = "string", json_path = ".status.nextDelivery"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(ACCOUNT_IMMUTABLE).message("accountRef is immutable; create another object instead"),
)]
pub struct CoffeeSubscriptionSpec {
    /// The shop's id of the product variant, `var_…`.
    #[x_kube(validation = Rule::new("self == oldSelf").message("is immutable; create another CoffeeSubscription instead"))]
    #[schemars(length(max = 64))]
    #[x_kube(validation = variant::id_rule())]
    pub product_variant_id: String,
    /// How many of it; at least 1. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("is immutable; create another CoffeeSubscription instead"))]
    #[schemars(range(min = 1), extend("default" = 1))]
    pub quantity: Option<i64>,
    /// The CoffeeProfile of the account's holder.
    pub profile_ref: ObjectRef,
    /// The CoffeeAddress that it is sent to.
    pub address_ref: ObjectRef,
    /// The CoffeeCard that is charged.
    pub card_ref: ObjectRef,
    /// How often it comes.
    #[validate(nested)]
    pub schedule: Schedule,
    /// The TerminalAccount; the one named default in this namespace when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<ObjectRef>,
}

/// How often a subscription comes.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.type != 'weekly' || has(self.interval)").message("interval is required with type weekly"))]
pub struct Schedule {
    /// `weekly`, every so many weeks, or `fixed`, as the shop decides.
    #[serde(rename = "type")]
    #[x_kube(validation = Rule::new("self != 'monthly'").message("the shop has no monthly subscriptions; use weekly with an interval of 4, or fixed"))]
    pub kind: ScheduleType,
    /// Every how many weeks; only with weekly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, code = "coffee.subscription.interval"))]
    pub interval: Option<i64>,
}

/// How the time between deliveries is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleType {
    /// In weeks.
    #[default]
    Weekly,
    /// As the shop decides for the product.
    Fixed,
    /// In months. The shop has no such thing; only subscriptions from before are so.
    Monthly,
}

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SubscriptionPhase {
    /// Not looked at yet, or waiting for something.
    #[default]
    Pending,
    /// The shop has it.
    Active,
    /// The shop no longer has it. Final.
    Cancelled,
    /// Something must be mended first.
    Failed,
}

status! {
    /// What Concierge found out about a subscription.
    pub struct CoffeeSubscriptionStatus(message, account: UsedAccount, intent) {
        /// Where it stands, in one word.
        pub phase: Option<SubscriptionPhase>,
        /// The shop's id of it, `sub_…`.
        pub subscription_id: Option<String>,
        /// When it comes next, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub next_delivery: Option<String>,
        /// The price of a delivery, in US cents.
        pub price: Option<i64>,
        /// Whether the profile is ready.
        pub profile_ready_status: Option<bool>,
        /// Whether the address is ready.
        pub address_ready_status: Option<bool>,
        /// Whether the card is ready.
        pub card_ready_status: Option<bool>,
        /// When the shop was last asked, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_status_check: Option<String>,
    }
}

rules! {
    use account_ref::RULES, target::RULES, variant::SUBSCRIBED;
    SCHEDULE = Deny "coffee.subscription.schedule", "A schedule is fixed or weekly; subscriptions from before may stay monthly.";
    INTERVAL = Deny "coffee.subscription.interval", "A weekly schedule has an interval of at least 1.";
    INTERVAL_IGNORED = Warn "coffee.subscription.interval-ignored", "A fixed schedule has no interval.";
    FIXED_ONLY = Warn "coffee.subscription.fixed-only", "The schedule of a product that comes only by subscription is fixed.";
    UNIQUE = Deny protects_others "coffee.subscription.unique", "An account has one subscription to a variant.";
    IMMUTABLE = Deny "coffee.subscription.immutable", "A subscription's productVariantId, quantity and accountRef never change.";
    ACTIVE = Warn "coffee.subscription.active", "A subscription is deleted once it is cancelled: deleting it cancels it.";
}

impl Kind for CoffeeSubscription {
    const NAME: &'static str = "CoffeeSubscription";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const ASKED_ON_DELETE: bool = true;
    const FILLS: &'static [Filled] = &[missing("spec.quantity")];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        fill.missing(&mut self.spec.quantity, "spec.quantity", 1);
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        // What the shop sells now is no matter once it is subscribed to.
        if !review.object.is_made() {
            let (id, quantity) = (&spec.product_variant_id, spec.quantity);
            variant::check(review, Way::Subscription, &at("spec"), id, quantity, problems);
        }
        problems.add_invalid_fields(&**review.object);
        check_schedule(review, problems);
        check_targets(review, problems);
        if let Some(old) = review.old {
            check_change(&old.spec, spec, problems);
        }
    }

    fn check_deletion(review: &Review<'_, Self>, problems: &mut Problems) {
        let known = review.object.status.as_ref().and_then(|status| status.subscription_id.as_ref());
        if let Some(subscription) = known.filter(|_| !review.object.is_final()) {
            let message = format!("subscription {subscription} is cancelled at the shop with this");
            problems.add(&ACTIVE, Cause::Forbidden, "metadata.name", message);
        }
    }

    fn references(&self) -> Vec<Reference> {
        let spec = &self.spec;
        let protects = !self.is_final();
        let targets = [
            target::reference::<CoffeeProfile>("spec.profileRef", Some(&spec.profile_ref), protects),
            target::reference::<CoffeeAddress>("spec.addressRef", Some(&spec.address_ref), protects),
            target::reference::<CoffeeCard>("spec.cardRef", Some(&spec.card_ref), protects),
            account_reference(self, protects),
        ];
        targets.into_iter().flatten().collect()
    }

    fn claims(&self) -> Vec<Claim> {
        if self.is_final() {
            return Vec::new();
        }
        vec![Claim {
            field: at("spec.productVariantId"),
            rule: &UNIQUE,
            key: format!("{}/{}", self.account_key(), self.spec.product_variant_id),
            taken: Some(
                "another CoffeeSubscription of the account has this variant; the shop would mix them up",
            ),
        }]
    }

    fn index_keys(&self) -> Vec<String> {
        let id = self.status.as_ref().and_then(|status| status.subscription_id.as_deref());
        account_index_keys(self, !self.is_final())
            .into_iter()
            .chain(id.map(recorded_subscription_key))
            .collect()
    }
}

/// The key of the object that has recorded the subscription with this id.
pub fn recorded_subscription_key(id: &str) -> String {
    format!("recorded-subscription:{id}")
}

impl UsesAccount for CoffeeSubscription {
    fn account_ref(&self) -> Option<&ObjectRef> {
        self.spec.account_ref.as_ref()
    }
}

fn check_schedule(review: &Review<'_, CoffeeSubscription>, problems: &mut Problems) {
    let CoffeeSubscriptionSpec { schedule, product_variant_id, .. } = &review.object.spec;
    // One from before that is only looked at again may be as it is.
    let again = review.old.is_none() && review.object.is_made();
    match (schedule.kind, schedule.interval) {
        (ScheduleType::Monthly, _) if again => {}
        (ScheduleType::Monthly, _) => {
            let message = "monthly is none of the shop's; use weekly with an interval of 4, or fixed";
            problems.add(&SCHEDULE, Cause::NotSupported, "spec.schedule.type", message);
        }
        (ScheduleType::Weekly, None) => {
            let message = "is required with type weekly; say every how many weeks";
            problems.add(&INTERVAL, Cause::Required, "spec.schedule.interval", message);
        }
        (ScheduleType::Fixed, Some(_)) => {
            let message = "is ignored with type fixed; remove it";
            problems.add(&INTERVAL_IGNORED, Cause::Forbidden, "spec.schedule.interval", message);
        }
        _ => {}
    }
    if schedule.kind == ScheduleType::Fixed {
        return;
    }
    let field = "spec.schedule.type";
    variant::product(review, product_variant_id).check(
        problems,
        field,
        &[&FIXED_ONLY],
        |product, problems| {
            let required = product.flatten().and_then(|product| product.spec.subscription);
            if required == Some(SubscriptionPolicy::Required) {
                let message =
                    "should be fixed: the product comes only by subscription, and the shop sets its schedule";
                problems.add(&FIXED_ONLY, Cause::NotSupported, field, message);
            }
        },
    );
}

fn check_targets(review: &Review<'_, CoffeeSubscription>, problems: &mut Problems) {
    let CoffeeSubscriptionSpec { profile_ref, address_ref, card_ref, .. } = &review.object.spec;
    check_account(review, problems);
    check_account_immutable(review, &IMMUTABLE, problems);
    target::check::<CoffeeProfile, _>(review, "spec.profileRef", Some(profile_ref), problems);
    target::check::<CoffeeAddress, _>(review, "spec.addressRef", Some(address_ref), problems);
    target::check::<CoffeeCard, _>(review, "spec.cardRef", Some(card_ref), problems);
}

fn check_change(old: &CoffeeSubscriptionSpec, new: &CoffeeSubscriptionSpec, problems: &mut Problems) {
    let message = "is immutable: the shop can change only card, address and schedule; create another \
                   CoffeeSubscription instead";
    if old.product_variant_id != new.product_variant_id {
        problems.add(&IMMUTABLE, Cause::Forbidden, "spec.productVariantId", message);
    }
    if old.quantity.unwrap_or(1) != new.quantity.unwrap_or(1) {
        problems.add(&IMMUTABLE, Cause::Forbidden, "spec.quantity", message);
    }
}

impl CoffeeSubscription {
    /// True when the shop has given it an id.
    pub fn is_made(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.subscription_id.is_some())
    }

    /// True when the shop no longer has it.
    pub fn is_final(&self) -> bool {
        self.status.as_ref().and_then(|status| status.phase) == Some(SubscriptionPhase::Cancelled)
    }
}
