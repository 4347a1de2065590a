//! An order: placed once, then followed until it arrives.

mod open;
mod plan;
mod status;

use std::collections::HashSet;

use concierge_shared::{
    admission::{reference::Reference, review::annotation},
    coffee::{CoffeeAddress, CoffeeCard, CoffeeCart, CoffeeOrder, CoffeeOrderStatus, OrderPhase},
    status::intent::{Intent, IntentState},
};
use jiff::Timestamp;

use self::{
    open::{Observed, Part, Stage},
    plan::Step,
};
use super::{
    address, card,
    connection::{Connection, Shops, accounts_to_wake},
    placing::{self, REFUSALS},
};
use crate::common::{recorded::by_others, standing::is_asked};
use crate::engine::{
    Account, Checks, Context, Deletion, DeletionPolicy, Effect, Failure, Guard, ObjectKey, Outcome, Plan,
    Reconcile, Refusal, UnknownPolicy, annotation::RESOLVE_UNKNOWN,
};

pub(super) struct OrderReconciler(pub(super) Shops);

impl Reconcile for OrderReconciler {
    type Kind = CoffeeOrder;
    type Remote = Option<Connection>;
    type Observed = Observed;
    type Step = Step;

    async fn connect(
        &self,
        ctx: &Context,
        order: &CoffeeOrder,
    ) -> Result<(Account, Option<Connection>), Failure> {
        if is_over(order) {
            return Ok((Account::none(), None));
        }
        let made_at = order.status.as_ref().and_then(|status| status.account.as_ref());
        let (account, shop) = self.0.connect(ctx, order, made_at).await?;
        Ok((account, Some(shop)))
    }

    async fn observe(
        &self,
        ctx: &Context,
        remote: &Option<Connection>,
        order: &CoffeeOrder,
    ) -> Result<Observed, Failure> {
        let Some(shop) = remote else {
            return Ok(Observed { used: None, at: ctx.now(), stage: Stage::Over });
        };
        let id = order.status.as_ref().and_then(|status| status.order_id.as_deref());
        let stage = match id {
            _ if order.metadata.deletion_timestamp.is_some() => {
                Stage::Leaving(open::parts_left(ctx, shop, order).await?)
            }
            Some(id) => {
                let found = placing::find(ctx, shop, id).await?;
                Stage::Placed(found.map(Box::new))
            }
            None => Stage::Open(Box::new(open::observe(ctx, shop, order).await?)),
        };
        Ok(Observed { used: Some(shop.used.clone()), at: ctx.now(), stage })
    }

    fn plan(&self, order: &CoffeeOrder, observed: &Observed, now: Timestamp) -> Plan<Step> {
        match &observed.stage {
            Stage::Over | Stage::Leaving(_) => plan::over(order),
            Stage::Placed(None) => plan::unseen(order, now),
            Stage::Placed(Some(found)) => plan::follow(found, now),
            Stage::Open(open) => plan::place(order, open),
        }
    }

    async fn act(
        &self,
        guard: &Guard,
        remote: &Option<Connection>,
        order: &CoffeeOrder,
        step: &Step,
    ) -> Result<Outcome, Failure> {
        let shop = remote.as_ref().ok_or_else(|| Failure::NeverSent("there is nothing to be done".into()))?;
        match step {
            Step::CreateAddress => {
                let address = order.spec.address.as_ref().map(|address| address.postal());
                let address = address.ok_or_else(|| Failure::Invalid("spec.address is missing".into()))?;
                address::create(guard, shop, &address).await
            }
            Step::RegisterCard => {
                let source = order.spec.card.as_ref().and_then(|card| card.token_source());
                let token = card::token(guard, source).await?;
                card::register(guard, shop, &token, None).await
            }
            Step::Place(order) => placing::place(guard, shop, order).await,
            Step::Remove(Part::Address(id)) => address::delete(guard, shop, id).await,
            Step::Remove(Part::Card(id)) => card::delete(guard, shop, id).await,
        }
    }

    /// The shop can't be told to cancel an order.
    fn plan_deletion(&self, _: &CoffeeOrder, observed: &Observed, _now: Timestamp) -> Deletion<Step> {
        match &observed.stage {
            Stage::Leaving(parts) if !parts.is_empty() => {
                Deletion::steps(parts.iter().cloned().map(Step::Remove))
            }
            _ => Deletion::Gone,
        }
    }

    fn deletion_policy(&self, _: &Context, order: &CoffeeOrder) -> DeletionPolicy {
        // So that people are told that it stays, if it does; what was made for it alone goes.
        let spec = &order.spec;
        let alone = spec.address.is_some() || spec.card.is_some();
        let placed = order.is_placed() && order.status.as_ref().is_some_and(|status| status.intent.is_none());
        if placed && !alone { DeletionPolicy::Retain } else { DeletionPolicy::Delete }
    }

    fn report(&self, _: &CoffeeOrder, observed: &Observed, status: &mut CoffeeOrderStatus) {
        status::report(observed, status);
    }

    fn phase(&self, order: &CoffeeOrder, checks: &Checks, status: &mut CoffeeOrderStatus) {
        status::phase(order, checks, status);
    }

    fn record(&self, intent: &Intent, id: &str, status: &mut CoffeeOrderStatus) {
        let slot = match intent.operation.as_str() {
            address::CREATE => &mut status.address_id,
            card::REGISTER => &mut status.card_id,
            _ => &mut status.order_id,
        };
        *slot = Some(id.to_owned());
    }

    fn refused(&self, order: &CoffeeOrder, refusal: &Refusal<'_>, status: &mut CoffeeOrderStatus) {
        if refusal.operation == placing::PLACE {
            REFUSALS.note(order, refusal, status);
        }
    }

    fn recorded(&self, status: &CoffeeOrderStatus) -> Vec<String> {
        let CoffeeOrderStatus { order_id, address_id, card_id, .. } = status;
        [order_id, address_id, card_id].into_iter().flatten().cloned().collect()
    }

    async fn recorded_elsewhere(&self, ctx: &Context) -> Result<HashSet<String>, Failure> {
        let mut ids = by_others(ctx, |cart: CoffeeCart| cart.status?.order_id).await?;
        ids.extend(by_others(ctx, |card: CoffeeCard| card.status?.card_id).await?);
        ids.extend(by_others(ctx, |address: CoffeeAddress| address.status?.address_id).await?);
        Ok(ids)
    }

    async fn find_effects(
        &self,
        ctx: &Context,
        remote: &Option<Connection>,
        _: &CoffeeOrder,
        intent: &Intent,
    ) -> Result<Vec<Effect>, Failure> {
        let Some(shop) = remote else { return Ok(Vec::new()) };
        match intent.operation.as_str() {
            address::CREATE => address::effects(ctx, shop).await,
            card::REGISTER => Ok(Vec::new()),
            _ => placing::effects(ctx, shop).await,
        }
    }

    fn unknown_policy(&self, operation: &str) -> UnknownPolicy {
        match operation {
            address::CREATE => address::policy(),
            card::REGISTER => card::policy(),
            _ => placing::policy(),
        }
    }

    /// An order that is placed needs nothing more of what it refers to.
    fn needs_ready(&self, order: &CoffeeOrder, _: &Reference) -> bool {
        !order.is_placed() && !order.is_final()
    }

    fn wakes(&self, ctx: &Context, versions: &[&CoffeeOrder]) -> Vec<ObjectKey> {
        accounts_to_wake(ctx, versions)
    }
}

/// Whether nothing more happens to the order, and nobody asks for anything.
fn is_over(order: &CoffeeOrder) -> bool {
    let status = order.status.clone().unwrap_or_default();
    let abandoned = |intent: &Intent| intent.state == IntentState::Abandoned;
    let settled = status.intent.as_ref().is_none_or(abandoned);
    match order.metadata.deletion_timestamp {
        Some(_) => settled && order.spec.address.is_none() && order.spec.card.is_none(),
        None => {
            let asked =
                is_asked(order, status.reconciled_at.as_deref()) && status.phase == Some(OrderPhase::Failed);
            order.is_final() && settled && !asked && annotation(order, RESOLVE_UNKNOWN).is_none()
        }
    }
}
