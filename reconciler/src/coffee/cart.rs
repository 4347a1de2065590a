//! A cart: added up from the product list, and made one order when it says so. The account's own cart at the shop is shared with
//! people, and never touched.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use concierge_shared::{
    admission::{lookup::LookupExt, reference::Reference},
    coffee::{
        CartPhase, CoffeeAddress, CoffeeCard, CoffeeCart, CoffeeCartSpec, CoffeeCartStatus, CoffeeOrder,
        CoffeeProduct, UsedAccount, product::variant_key,
    },
    status::{
        ConditionReason,
        intent::{Intent, IntentState},
    },
};
use jiff::Timestamp;

use super::{
    client::{NewOrder, Order},
    connection::{Connection, Shops, accounts_to_wake},
    placing::{self, PLACED, Placeable, REFUSALS},
};
use crate::common::{
    recorded::by_others,
    refusals,
    standing::{SOON, Standing, is_asked, is_target_ready, standing, trouble},
};
use crate::engine::{
    Account, Checks, Context, Deletion, DeletionPolicy, Effect, Failure, Guard, ObjectKey, Outcome, Plan,
    Reconcile, Refusal, UnknownPolicy,
};

pub(super) struct CartReconciler(pub(super) Shops);

pub(super) struct Observed {
    used: Option<UsedAccount>,
    /// Cents, when the price of each item is known.
    subtotal: Option<i64>,
    /// What the cart became, the first time that the shop shows it.
    order: Option<Order>,
    /// What is to be placed, when the cart says so and all is there.
    placeable: Option<Placeable>,
}

pub(super) struct Convert(NewOrder);

impl fmt::Display for Convert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("place what is in the cart as one order")
    }
}

impl Reconcile for CartReconciler {
    type Kind = CoffeeCart;
    type Remote = Option<Connection>;
    type Observed = Observed;
    type Step = Convert;

    async fn connect(
        &self,
        ctx: &Context,
        cart: &CoffeeCart,
    ) -> Result<(Account, Option<Connection>), Failure> {
        let status = cart.status.clone().unwrap_or_default();
        let known = status.order_id.is_some() && status.total.is_some();
        let idle =
            known || cart.spec.convert_to_order != Some(true) || cart.metadata.deletion_timestamp.is_some();
        if idle && status.intent.is_none() {
            return Ok((Account::none(), None));
        }
        let (account, shop) = self.0.connect(ctx, cart, status.account.as_ref()).await?;
        Ok((account, Some(shop)))
    }

    async fn observe(
        &self,
        ctx: &Context,
        remote: &Option<Connection>,
        cart: &CoffeeCart,
    ) -> Result<Observed, Failure> {
        let mut observed = Observed {
            used: remote.as_ref().map(|shop| shop.used.clone()),
            subtotal: subtotal(ctx, cart),
            order: None,
            placeable: None,
        };
        let Some(shop) = remote else { return Ok(observed) };
        let id = cart.status.as_ref().and_then(|status| status.order_id.as_deref());
        match (id, new_order(ctx, cart)) {
            (Some(id), _) => {
                observed.order = placing::find(ctx, shop, id).await?;
            }
            (None, Some(new)) if cart.metadata.deletion_timestamp.is_none() => {
                observed.placeable = placing::placeable(ctx, shop, new).await?;
            }
            (None, _) => {}
        }
        Ok(observed)
    }

    fn plan(&self, cart: &CoffeeCart, observed: &Observed, _now: Timestamp) -> Plan<Convert> {
        let status = cart.status.clone().unwrap_or_default();
        if let Some(id) = &status.order_id {
            let plan = Plan::ready().condition(PLACED, true, "Ordered", format!("placed as {id}"));
            let seen = observed.order.is_some() || status.total.is_some();
            return if seen { plan } else { plan.look_again(SOON) };
        }
        if let Some(intent) = refusals::abandoned(&status) {
            return refusals::plan_abandoned(intent);
        }
        if cart.spec.convert_to_order != Some(true) {
            return Plan::ready();
        }
        if REFUSALS.is_refused(&status) && !is_asked(cart, status.reconciled_at.as_deref()) {
            return REFUSALS.plan(&status);
        }
        match &observed.placeable {
            Some(placeable) => {
                let plan = Plan::not_ready(ConditionReason::Reconciling, "is being placed");
                let plan = plan.condition(PLACED, false, "Placing", "is being placed");
                plan.once(Convert(placeable.order.clone()), placeable.once())
            }
            None => {
                let message = "waits for its items, and for the address and the card to be at the shop";
                Plan::not_ready(ConditionReason::Reconciling, message).look_again(SOON)
            }
        }
    }

    async fn act(
        &self,
        guard: &Guard,
        remote: &Option<Connection>,
        _: &CoffeeCart,
        step: &Convert,
    ) -> Result<Outcome, Failure> {
        let shop = remote.as_ref().ok_or_else(|| Failure::NeverSent("there is nothing to be done".into()))?;
        placing::place(guard, shop, &step.0).await
    }

    /// The shop can't be told to cancel an order.
    fn plan_deletion(&self, _: &CoffeeCart, _: &Observed, _now: Timestamp) -> Deletion<Convert> {
        Deletion::Gone
    }

    fn deletion_policy(&self, _: &Context, cart: &CoffeeCart) -> DeletionPolicy {
        let status = cart.status.clone().unwrap_or_default();
        let placed = status.order_id.is_some() && status.intent.is_none();
        if placed { DeletionPolicy::Retain } else { DeletionPolicy::Delete }
    }

    fn report(&self, cart: &CoffeeCart, observed: &Observed, status: &mut CoffeeCartStatus) {
        if let Some(used) = &observed.used {
            status.account = Some(used.clone());
        }
        status.item_count = i64::try_from(items(cart).count()).ok();
        if let Some(order) = &observed.order {
            status.order_index = order.index;
            status.subtotal = Some(order.amount.subtotal);
            status.shipping = Some(order.amount.shipping);
            status.total = Some(order.amount.subtotal.saturating_add(order.amount.shipping));
        } else if status.order_id.is_none() {
            status.subtotal = observed.subtotal;
            if let Some(placeable) = &observed.placeable {
                status.fingerprint = Some(placeable.fingerprint.clone());
            }
        }
    }

    fn phase(&self, cart: &CoffeeCart, checks: &Checks, status: &mut CoffeeCartStatus) {
        status.message = REFUSALS.message(status).or_else(|| trouble(status));
        status.phase = Some(phase(cart, status));
        let namespace = cart.metadata.namespace.as_deref().unwrap_or_default();
        let CoffeeCartSpec { address_ref, card_ref, .. } = &cart.spec;
        let (address, card) = (status.address_ready_status, status.card_ready_status);
        status.address_ready_status = address_ref
            .as_ref()
            .map(|target| is_target_ready::<CoffeeAddress>(checks, namespace, target, address));
        status.card_ready_status =
            card_ref.as_ref().map(|target| is_target_ready::<CoffeeCard>(checks, namespace, target, card));
    }

    fn record(&self, _intent: &Intent, id: &str, status: &mut CoffeeCartStatus) {
        status.order_id = Some(id.to_owned());
    }

    fn refused(&self, cart: &CoffeeCart, refusal: &Refusal<'_>, status: &mut CoffeeCartStatus) {
        REFUSALS.note(cart, refusal, status);
    }

    fn recorded(&self, status: &CoffeeCartStatus) -> Vec<String> {
        status.order_id.clone().into_iter().collect()
    }

    async fn recorded_elsewhere(&self, ctx: &Context) -> Result<HashSet<String>, Failure> {
        by_others(ctx, |order: CoffeeOrder| order.status?.order_id).await
    }

    async fn find_effects(
        &self,
        ctx: &Context,
        remote: &Option<Connection>,
        _: &CoffeeCart,
        _: &Intent,
    ) -> Result<Vec<Effect>, Failure> {
        match remote {
            Some(shop) => placing::effects(ctx, shop).await,
            None => Ok(Vec::new()),
        }
    }

    fn unknown_policy(&self, _operation: &str) -> UnknownPolicy {
        placing::policy()
    }

    /// Only what becomes an order needs what it refers to.
    fn needs_ready(&self, cart: &CoffeeCart, _: &Reference) -> bool {
        cart.spec.convert_to_order == Some(true) && !cart.is_final()
    }

    fn wakes(&self, ctx: &Context, versions: &[&CoffeeCart]) -> Vec<ObjectKey> {
        accounts_to_wake(ctx, versions)
    }
}

fn items(cart: &CoffeeCart) -> impl Iterator<Item = (&str, i64)> {
    let items = cart.spec.items.iter().flatten();
    items.map(|item| (item.product_variant_id.as_str(), item.quantity.unwrap_or(1)))
}

/// Cents; `None` while a price is not known.
fn subtotal(ctx: &Context, cart: &CoffeeCart) -> Option<i64> {
    let account = super::connection::account_of(ctx, cart).ok()?;
    let (namespace, account) = (&account.namespace, format!("{}/{}", account.namespace, account.name));
    items(cart).try_fold(0_i64, |sum, (id, quantity)| {
        let products = ctx.lookup().select_as::<CoffeeProduct>(namespace, &variant_key(&account, id));
        let variant = products.first()?.spec.variants.iter().find(|variant| variant.id == id)?.clone();
        sum.checked_add(variant.price.checked_mul(quantity)?)
    })
}

/// All that is in the cart as one order; `None` while something is missing.
fn new_order(ctx: &Context, cart: &CoffeeCart) -> Option<NewOrder> {
    let mut variants = BTreeMap::new();
    for (id, quantity) in items(cart) {
        let sum: &mut u32 = variants.entry(id.to_owned()).or_default();
        *sum = sum.checked_add(u32::try_from(quantity).ok()?)?;
    }
    let address = placing::address_id(ctx, cart.spec.address_ref.as_ref())?;
    let card = placing::card_id(ctx, cart.spec.card_ref.as_ref())?;
    (!variants.is_empty()).then_some(NewOrder { variants, card, address })
}

fn phase(cart: &CoffeeCart, status: &CoffeeCartStatus) -> CartPhase {
    let spec = &cart.spec;
    match &status.intent {
        _ if status.order_id.is_some() => return CartPhase::Converted,
        Some(intent) if intent.state != IntentState::Abandoned => return CartPhase::Converting,
        _ if standing(status) == Standing::Broken || REFUSALS.is_refused(status) => return CartPhase::Failed,
        _ => {}
    }
    match (items(cart).next().is_some(), spec.address_ref.is_some(), spec.card_ref.is_some()) {
        (false, ..) => CartPhase::Empty,
        (true, false, false) => CartPhase::ItemsAdded,
        (true, true, false) => CartPhase::AddressSet,
        (true, false, true) => CartPhase::CardSet,
        (true, true, true) => CartPhase::Ready,
    }
}
