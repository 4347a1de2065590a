//! A subscription: made once, its id found by listing, changed as far as the shop can, cancelled for certain.

use std::fmt;

use concierge_shared::{
    admission::{reference::Reference, review::annotation},
    coffee::{
        CoffeeAddress, CoffeeCard, CoffeeProfile, CoffeeSubscription, CoffeeSubscriptionSpec,
        CoffeeSubscriptionStatus, ScheduleType, SubscriptionPhase, UsedAccount,
    },
    status::{ConditionReason, Conditions, intent::Intent},
};
use jiff::Timestamp;

use super::{
    client::{NewSubscription, Schedule, Subscription, SubscriptionChange, operation},
    connection::{Connection, Shops, account_to_wake},
    placing::{self, REFUSALS},
};
use crate::common::{
    recorded, refusals,
    standing::{
        PRESENT, SOON, Standing, is_asked, is_gone, is_target_ready, last_look, standing, trouble, written,
    },
};
use crate::engine::{
    Account, Checks, Context, Deletion, Effect, Failure, Guard, ObjectKey, Once, Outcome, Owner, Plan,
    Reconcile, Refusal, UnknownPolicy, annotation::ADOPT,
};

/// The operation's name in intents.
const SUBSCRIBE: &str = "POST /subscription";
/// The reason of [`PRESENT`] once the shop has had no such subscription for long enough.
const CANCELLED: &str = "Cancelled";

pub(super) struct SubscriptionReconciler(pub(super) Shops);

/// What the shop shows.
#[derive(Default)]
pub(super) struct Observed {
    /// `None` when the shop was not asked.
    used: Option<UsedAccount>,
    at: Timestamp,
    /// The account's subscription to the variant, whoever made it.
    found: Option<Subscription>,
    /// Whether it is recorded by this object, or may be taken over.
    ours: bool,
    hindrance: Option<String>,
    address: Option<String>,
    card: Option<String>,
    removed: bool,
}

pub(super) enum Step {
    Subscribe(NewSubscription),
    Update(String, SubscriptionChange),
    Cancel(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Subscribe(new) => write!(f, "subscribe to {}", new.variant),
            Step::Update(id, _) => write!(f, "change subscription {id}"),
            Step::Cancel(id) => write!(f, "cancel subscription {id}"),
        }
    }
}

impl Reconcile for SubscriptionReconciler {
    type Kind = CoffeeSubscription;
    type Remote = Option<Connection>;
    type Observed = Observed;
    type Step = Step;

    async fn connect(
        &self,
        ctx: &Context,
        subscription: &CoffeeSubscription,
    ) -> Result<(Account, Option<Connection>), Failure> {
        let made_at = subscription.status.as_ref().and_then(|status| status.account.as_ref());
        match self.0.connect(ctx, subscription, made_at).await {
            // One that the shop no longer has outlives its account.
            Err(Failure::DependencyMissing(_)) if subscription.is_final() => Ok((Account::none(), None)),
            connected => connected.map(|(account, shop)| (account, Some(shop))),
        }
    }

    async fn observe(
        &self,
        ctx: &Context,
        remote: &Option<Connection>,
        subscription: &CoffeeSubscription,
    ) -> Result<Observed, Failure> {
        match remote {
            Some(shop) => look(ctx, shop, subscription).await,
            None => Ok(Observed { at: ctx.now(), ..Observed::default() }),
        }
    }

    fn owner(&self, subscription: &CoffeeSubscription, observed: &Observed) -> Owner {
        match (&observed.found, recorded_id(subscription)) {
            (_, Some(_)) => Owner::Ours,
            (None, None) => Owner::Nobody,
            (Some(found), None) => {
                let id = &found.id;
                Owner::Other(format!(
                    "the account has subscription {id} to the variant, and a second would overwrite it"
                ))
            }
        }
    }

    fn plan(&self, subscription: &CoffeeSubscription, observed: &Observed, now: Timestamp) -> Plan<Step> {
        let status = subscription.status.as_ref();
        match (recorded_id(subscription), &observed.found) {
            _ if observed.used.is_none() => {
                Plan::not_ready(ConditionReason::Deleted, "the shop no longer has it")
            }
            (_, Some(found)) if observed.ours => follow(subscription, observed, found),
            (Some(id), _) => {
                let gone = is_gone(status, now);
                let (reason, word, message) = match gone {
                    true => (
                        ConditionReason::Deleted,
                        CANCELLED,
                        format!(
                            "the shop no longer lists subscription {id}: it was cancelled there, and is not made again"
                        ),
                    ),
                    false => (
                        ConditionReason::Reconciling,
                        "NotListed",
                        format!("the shop does not list subscription {id}"),
                    ),
                };
                // Looked at now and then for good: one that is listed again is paid for again.
                let plan = Plan::not_ready(reason, message.clone()).condition(PRESENT, false, word, message);
                if gone { plan } else { plan.look_again(SOON) }
            }
            (None, Some(_)) => {
                Plan::not_ready(ConditionReason::OwnedByOther, "another object has the subscription")
            }
            (None, None) => subscribe(subscription, observed),
        }
    }

    async fn act(
        &self,
        guard: &Guard,
        remote: &Option<Connection>,
        _: &CoffeeSubscription,
        step: &Step,
    ) -> Result<Outcome, Failure> {
        let shop = remote.as_ref().ok_or_else(|| Failure::NeverSent("there is nothing to be done".into()))?;
        match step {
            Step::Subscribe(new) => {
                let call = shop.client.create_subscription(new, guard.now());
                shop.write(guard, operation::CREATE_SUBSCRIPTION, call).await?;
                // The answer has no id. Should the list not show it yet, it is found later, as after a lost answer.
                let listed = list(guard, shop).await?;
                let made = listed.into_iter().find(|one| one.variant == new.variant);
                let made = made.ok_or_else(|| Failure::Transient("the shop does not list it yet".into()))?;
                Ok(Outcome::made(made.id.clone(), format!("made subscription {}", made.id)))
            }
            Step::Update(id, change) => {
                let call = shop.client.update_subscription(id, change);
                shop.write(guard, operation::UPDATE_SUBSCRIPTION, call).await?;
                Ok(Outcome::new(ConditionReason::Updated, format!("changed subscription {id}")))
            }
            Step::Cancel(id) => {
                let call = shop.client.delete_subscription(id);
                shop.remove(guard, operation::DELETE_SUBSCRIPTION, id, call).await?;
                Ok(Outcome::new(ConditionReason::Deleted, format!("cancelled subscription {id}")))
            }
        }
    }

    fn plan_deletion(
        &self,
        subscription: &CoffeeSubscription,
        observed: &Observed,
        _now: Timestamp,
    ) -> Deletion<Step> {
        let id = recorded_id(subscription).filter(|_| observed.used.is_some());
        match id.filter(|_| observed.found.is_some() || !observed.removed) {
            Some(id) => Deletion::steps([Step::Cancel(id.to_owned())]),
            None => Deletion::Gone,
        }
    }

    fn report(&self, _: &CoffeeSubscription, observed: &Observed, status: &mut CoffeeSubscriptionStatus) {
        let Some(used) = &observed.used else { return };
        status.account = Some(used.clone());
        let Some(found) = observed.found.as_ref().filter(|_| observed.ours) else { return };
        let before = status.clone();
        status.subscription_id = Some(found.id.clone());
        status.next_delivery = found.next.map(written);
        status.price = Some(found.price);
        let changed = before != *status;
        last_look(&mut status.last_status_check, observed.at, changed);
    }

    fn phase(
        &self,
        subscription: &CoffeeSubscription,
        checks: &Checks,
        status: &mut CoffeeSubscriptionStatus,
    ) {
        let cancelled = status.condition(PRESENT).is_some_and(|present| present.reason == CANCELLED);
        status.phase = Some(match standing(status) {
            _ if cancelled => SubscriptionPhase::Cancelled,
            Standing::Ready => SubscriptionPhase::Active,
            // What the shop has stays active while something else is waited for.
            Standing::Waiting if status.is_true(PRESENT) => SubscriptionPhase::Active,
            Standing::Waiting => SubscriptionPhase::Pending,
            Standing::Broken => SubscriptionPhase::Failed,
        });
        status.message = REFUSALS.message(status).or_else(|| trouble(status));
        let namespace = subscription.metadata.namespace.as_deref().unwrap_or_default();
        let CoffeeSubscriptionSpec { profile_ref, address_ref, card_ref, .. } = &subscription.spec;
        let (profile, address, card) =
            (status.profile_ready_status, status.address_ready_status, status.card_ready_status);
        status.profile_ready_status =
            Some(is_target_ready::<CoffeeProfile>(checks, namespace, profile_ref, profile));
        status.address_ready_status =
            Some(is_target_ready::<CoffeeAddress>(checks, namespace, address_ref, address));
        status.card_ready_status = Some(is_target_ready::<CoffeeCard>(checks, namespace, card_ref, card));
    }

    fn record(&self, _operation: &str, id: &str, status: &mut CoffeeSubscriptionStatus) {
        status.subscription_id = Some(id.to_owned());
    }

    fn refused(
        &self,
        subscription: &CoffeeSubscription,
        refusal: &Refusal<'_>,
        status: &mut CoffeeSubscriptionStatus,
    ) {
        REFUSALS.note(subscription, refusal, status);
    }

    fn recorded(&self, status: &CoffeeSubscriptionStatus) -> Vec<String> {
        status.subscription_id.clone().into_iter().collect()
    }

    async fn find_effects(
        &self,
        ctx: &Context,
        remote: &Option<Connection>,
        _: &CoffeeSubscription,
        _: &Intent,
    ) -> Result<Vec<Effect>, Failure> {
        let Some(shop) = remote else { return Ok(Vec::new()) };
        let effect = |one: Subscription| Effect {
            fingerprint: recognised_by(&one.variant, one.quantity, &one.address, &one.card),
            id: one.id,
            at: one.created,
            certain: true,
        };
        Ok(list(ctx, shop).await?.into_iter().map(effect).collect())
    }

    fn unknown_policy(&self, _operation: &str) -> UnknownPolicy {
        placing::policy()
    }

    fn needs_ready(&self, subscription: &CoffeeSubscription, _: &Reference) -> bool {
        !subscription.is_final()
    }

    fn wakes(&self, ctx: &Context, subscription: &CoffeeSubscription) -> Vec<ObjectKey> {
        account_to_wake(ctx, subscription)
    }
}

fn recorded_id(subscription: &CoffeeSubscription) -> Option<&str> {
    subscription.status.as_ref()?.subscription_id.as_deref()
}

async fn list(ctx: &Context, shop: &Connection) -> Result<Vec<Subscription>, Failure> {
    shop.read(ctx, operation::LIST_SUBSCRIPTIONS, shop.client.subscriptions()).await
}

async fn look(
    ctx: &Context,
    shop: &Connection,
    subscription: &CoffeeSubscription,
) -> Result<Observed, Failure> {
    let spec = &subscription.spec;
    let id = recorded_id(subscription);
    let found = list(ctx, shop).await?.into_iter().find(|one| match id {
        Some(id) => one.id == id,
        None => one.variant == spec.product_variant_id,
    });
    let taken = match &found {
        Some(found) if id.is_none() => {
            let id = |other: CoffeeSubscription| other.status?.subscription_id;
            recorded::by_others(ctx, id).await?.contains(&found.id)
        }
        _ => false,
    };
    let adopts = annotation(subscription, ADOPT) == Some("true") && !taken;
    let leaving = subscription.metadata.deletion_timestamp.is_some();
    let hindrance = match found.is_none() && id.is_none() && !leaving {
        true => placing::hindrance(ctx, shop, &spec.profile_ref).await?,
        false => None,
    };
    Ok(Observed {
        used: Some(shop.used.clone()),
        at: ctx.now(),
        ours: id.is_some() || adopts,
        found,
        hindrance,
        address: placing::address_id(ctx, Some(&spec.address_ref)),
        card: placing::card_id(ctx, Some(&spec.card_ref)),
        removed: id.is_some_and(|id| shop.is_removed(id)),
    })
}

/// A subscription that is to be made.
fn subscribe(subscription: &CoffeeSubscription, observed: &Observed) -> Plan<Step> {
    let status = subscription.status.clone().unwrap_or_default();
    if let Some(intent) = refusals::abandoned(&status) {
        return refusals::plan_abandoned(intent);
    }
    if REFUSALS.is_refused(&status) && !is_asked(subscription, status.reconciled_at.as_deref()) {
        return REFUSALS.plan(&status);
    }
    if let Some(hindrance) = &observed.hindrance {
        return Plan::not_ready(ConditionReason::Reconciling, hindrance.clone()).look_again(SOON);
    }
    let spec = &subscription.spec;
    let (Some(address), Some(card)) = (&observed.address, &observed.card) else {
        return Plan::not_ready(ConditionReason::Reconciling, "the address or the card has no id yet")
            .look_again(SOON);
    };
    let (Some(schedule), Ok(quantity)) = (schedule(spec), u32::try_from(spec.quantity.unwrap_or(1))) else {
        let message = "the shop has no such schedule; use weekly or fixed";
        return Plan::not_ready(ConditionReason::Unsupported, message)
            .unsupported("spec.schedule.type", message);
    };
    let new = NewSubscription {
        variant: spec.product_variant_id.clone(),
        quantity,
        address: address.clone(),
        card: card.clone(),
        schedule: Some(schedule),
    };
    let once = Once {
        operation: SUBSCRIBE,
        fingerprint: recognised_by(&new.variant, i64::from(quantity), address, card),
        before: Vec::new(),
    };
    let plan = Plan::not_ready(ConditionReason::Reconciling, "is being made");
    plan.condition(placing::PLACED, false, "Placing", "is being made").once(Step::Subscribe(new), once)
}

/// A subscription that the shop has.
fn follow(subscription: &CoffeeSubscription, observed: &Observed, found: &Subscription) -> Plan<Step> {
    let spec = &subscription.spec;
    let id = &found.id;
    let mut plan = Plan::ready()
        .condition(PRESENT, true, "Listed", format!("the shop lists {id}"))
        .condition(placing::PLACED, true, "Subscribed", format!("made as {id}"));
    let mut change = SubscriptionChange::default();
    let changed = |wanted: &Option<String>, has: &str| wanted.clone().filter(|wanted| wanted != has);
    change.address = changed(&observed.address, &found.address);
    change.card = changed(&observed.card, &found.card);
    change.schedule = schedule(spec).filter(|wanted| !is_schedule(found.schedule, *wanted));
    let differences = [
        ("spec.addressRef", change.address.is_some()),
        ("spec.cardRef", change.card.is_some()),
        ("spec.schedule", change.schedule.is_some()),
    ];
    for (field, _) in differences.into_iter().filter(|(_, differs)| *differs) {
        plan = plan.drift(field, "another", "as specified");
    }
    if found.quantity != spec.quantity.unwrap_or(1) || found.variant != spec.product_variant_id {
        let message = format!("the shop has {} of {} and can't change that", found.quantity, found.variant);
        plan = plan.unsupported("spec.quantity", message);
    }
    match change == SubscriptionChange::default() {
        true => plan,
        false => plan.step(Step::Update(id.clone(), change)),
    }
}

/// A schedule in the shop's words; `None` for one that it does not have.
fn schedule(spec: &CoffeeSubscriptionSpec) -> Option<Schedule> {
    match spec.schedule.kind {
        ScheduleType::Fixed => Some(Schedule::Fixed),
        ScheduleType::Weekly => {
            let interval = u32::try_from(spec.schedule.interval.unwrap_or(1)).ok()?;
            Some(Schedule::Weekly { interval })
        }
        ScheduleType::Monthly => None,
    }
}

/// Whether what the shop has is `wanted`; it leaves out what it decides itself.
fn is_schedule(has: Option<Schedule>, wanted: Schedule) -> bool {
    has.unwrap_or(Schedule::Fixed) == wanted
}

/// What recognises a subscription among those of an account. No part of it is a secret.
fn recognised_by(variant: &str, quantity: i64, address: &str, card: &str) -> String {
    format!("{quantity} of {variant} to {address} by {card}")
}
