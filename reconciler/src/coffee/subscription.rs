//! A subscription: made once, its id found by listing, changed as far as the shop can, cancelled for certain.

mod observe;
mod plan;

use concierge_shared::{
    admission::reference::Reference,
    coffee::{
        CoffeeAddress, CoffeeCard, CoffeeProfile, CoffeeSubscription, CoffeeSubscriptionSpec,
        CoffeeSubscriptionStatus, SubscriptionPhase,
    },
    status::{ConditionReason, Conditions, intent::Intent},
};
use jiff::Timestamp;

use self::{
    observe::{Observed, list, observe, recognised_by, recorded_id},
    plan::{CANCELLED, Step},
};
use super::{
    client::{Subscription, operation},
    connection::{Connection, Shops, accounts_to_wake},
    placing::{self, REFUSALS},
};
use crate::common::standing::{PRESENT, Standing, is_target_ready, last_look, standing, trouble, written};
use crate::engine::{
    Account, Checks, Context, Deletion, Effect, Failure, Guard, ObjectKey, Outcome, Owner, Plan, Reconcile,
    Refusal, UnknownPolicy,
};

pub(super) struct SubscriptionReconciler(pub(super) Shops);

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
            Some(shop) => observe(ctx, shop, subscription).await,
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
        plan::plan(subscription, observed, now)
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

    fn record(&self, _intent: &Intent, id: &str, status: &mut CoffeeSubscriptionStatus) {
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
            kept: false,
        };
        Ok(list(ctx, shop).await?.into_iter().map(effect).collect())
    }

    fn unknown_policy(&self, _operation: &str) -> UnknownPolicy {
        placing::policy()
    }

    fn needs_ready(&self, subscription: &CoffeeSubscription, _: &Reference) -> bool {
        !subscription.is_final()
    }

    fn wakes(&self, ctx: &Context, versions: &[&CoffeeSubscription]) -> Vec<ObjectKey> {
        accounts_to_wake(ctx, versions)
    }
}
