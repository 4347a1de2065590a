//! A subscription.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CoffeeAddress, CoffeeCard, CoffeeProfile, SubscriptionPolicy, UsedAccount, UsesAccount,
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
    common::ObjectRef,
    field::at,
    kind::Kind,
    rules,
    status::{Condition, intent::Intent},
};

/// What a subscription is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    pub schedule: Schedule,
    /// The TerminalAccount; the one named default in this namespace when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<ObjectRef>,
}

/// How often a subscription comes.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.type != 'weekly' || has(self.interval)").message("interval is required with type weekly"))]
pub struct Schedule {
    /// `weekly`, every so many weeks, or `fixed`, as the shop decides.
    #[serde(rename = "type")]
    #[x_kube(validation = Rule::new("self != 'monthly'").message("the shop has no monthly subscriptions; use weekly with an interval of 4, or fixed"))]
    pub kind: ScheduleType,
    /// Every how many weeks; only with weekly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
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

/// What Concierge found out about a subscription.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CoffeeSubscriptionStatus {
    /// Where it stands, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<SubscriptionPhase>,
    /// What is wrong or being waited for, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The shop's id of it, `sub_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<String>,
    /// When it comes next, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub next_delivery: Option<String>,
    /// The price of a delivery, in US cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<i64>,
    /// Whether the profile is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_ready_status: Option<bool>,
    /// Whether the address is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_ready_status: Option<bool>,
    /// Whether the card is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_ready_status: Option<bool>,
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
    VARIANT_ID = Deny "coffee.subscription.variant-id", "A subscription's productVariantId is 'var_' and letters and digits.";
    VARIANT_FORM = Warn "coffee.subscription.variant-form", "A subscription's productVariantId looks as the shop's ids do today.";
    VARIANT_EXISTS = Deny "coffee.subscription.variant-exists", "The shop has the variant that is subscribed to.";
    NOT_OFFERED = Deny "coffee.subscription.not-offered", "The variant that is subscribed to comes by subscription.";
    PRODUCTS_UNKNOWN = Warn "coffee.subscription.products-unknown", "The shop's products are known when a subscription is made.";
    QUANTITY = Deny "coffee.subscription.quantity", "A subscription's quantity is from 1 to the operator's maximum, 100 unless set.";
    PROFILE_EXISTS = Deny "coffee.subscription.profile-exists", "The CoffeeProfile that a subscription names exists and permits its namespace.";
    ADDRESS_EXISTS = Deny "coffee.subscription.address-exists", "The CoffeeAddress that a subscription names exists and permits its namespace.";
    CARD_EXISTS = Deny "coffee.subscription.card-exists", "The CoffeeCard that a subscription names exists and permits its namespace.";
    ACCOUNT_EXISTS = Deny "coffee.subscription.account-exists", "The TerminalAccount that a subscription names exists and permits its namespace.";
    SAME_ACCOUNT = Deny "coffee.subscription.same-account", "What a subscription names belongs to the subscription's account.";
    SCHEDULE = Deny "coffee.subscription.schedule", "A schedule is fixed or weekly; subscriptions from before may stay monthly.";
    INTERVAL = Deny "coffee.subscription.interval", "A weekly schedule has an interval of at least 1.";
    INTERVAL_IGNORED = Warn "coffee.subscription.interval-ignored", "A fixed schedule has no interval.";
    FIXED_ONLY = Warn "coffee.subscription.fixed-only", "The schedule of a product that comes only by subscription is fixed.";
    UNIQUE = Deny "coffee.subscription.unique", "An account has one subscription to a variant.";
    IMMUTABLE = Deny "coffee.subscription.immutable", "A subscription's productVariantId, quantity and accountRef never change.";
    ACTIVE = Warn "coffee.subscription.active", "A subscription is deleted once it is cancelled: deleting it cancels it.";
}

static VARIANT_RULES: VariantRules = VariantRules {
    id: &VARIANT_ID,
    form: &VARIANT_FORM,
    quantity: &QUANTITY,
    exists: &VARIANT_EXISTS,
    sold: &NOT_OFFERED,
    unknown: &PRODUCTS_UNKNOWN,
    way: Way::Subscription,
};

impl Kind for CoffeeSubscription {
    const NAME: &'static str = "CoffeeSubscription";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const ASKED_ON_DELETE: bool = true;

    fn assemble(
        metadata: ObjectMeta,
        spec: CoffeeSubscriptionSpec,
        status: Option<CoffeeSubscriptionStatus>,
    ) -> Self {
        Self { metadata, spec, status }
    }

    fn fill_defaults(&mut self, fill: &mut Fill) {
        fill.missing(&mut self.spec.quantity, "spec.quantity", 1);
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        // What the shop sells now is no matter once it is subscribed to.
        if !review.object.is_made() {
            let (id, quantity) = (&spec.product_variant_id, spec.quantity);
            variant::check(review, &VARIANT_RULES, &at("spec"), id, quantity, problems);
        }
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
            (&spec.profile_ref, "spec.profileRef", CoffeeProfile::NAME, &PROFILE_EXISTS),
            (&spec.address_ref, "spec.addressRef", CoffeeAddress::NAME, &ADDRESS_EXISTS),
            (&spec.card_ref, "spec.cardRef", CoffeeCard::NAME, &CARD_EXISTS),
        ];
        let targets = targets
            .into_iter()
            .filter_map(|(target, field, kind, rule)| target.reference(field, kind, rule, protects));
        targets.chain(account_reference(self, &ACCOUNT_EXISTS, protects)).collect()
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
        account_index_keys(self, !self.is_final())
    }
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
    if schedule.interval.is_some_and(|interval| interval < 1) {
        problems.add(&INTERVAL, Cause::Invalid, "spec.schedule.interval", "must be at least 1");
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
    check_account(review, &ACCOUNT_EXISTS, problems);
    check_account_immutable(review, &IMMUTABLE, problems);
    let (profile, address, card) = ("spec.profileRef", "spec.addressRef", "spec.cardRef");
    profile_ref.check(profile, &PROFILE_EXISTS, problems);
    address_ref.check(address, &ADDRESS_EXISTS, problems);
    card_ref.check(card, &CARD_EXISTS, problems);
    check_same_account::<_, CoffeeProfile>(review, profile, profile_ref, &SAME_ACCOUNT, problems);
    check_same_account::<_, CoffeeAddress>(review, address, address_ref, &SAME_ACCOUNT, problems);
    check_same_account::<_, CoffeeCard>(review, card, card_ref, &SAME_ACCOUNT, problems);
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
