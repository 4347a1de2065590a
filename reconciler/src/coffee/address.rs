//! An address: made at the shop, made anew when it is edited, and the old one deleted once nobody uses it.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use concierge_shared::{
    admission::reference::referrers_key,
    coffee::{
        AddressPhase, CoffeeAddress, CoffeeAddressStatus, CoffeeOrder, Postal, UsedAccount,
        fingerprint::fingerprint,
    },
    kind::Kind,
    status::{ConditionReason, intent::Intent},
};
use jiff::Timestamp;

use super::{
    client::{Address, operation},
    connection::{Connection, Shops, accounts_to_wake},
    placing::{addresses, place_of, postal},
};
use crate::common::recorded::by_others;
use crate::common::standing::{PRESENT, SOON, Standing, is_gone, standing, trouble};
use crate::engine::{
    Account, Checks, Context, Deletion, Effect, Failure, Guard, IfFound, IfNotFound, ObjectKey, Once,
    Outcome, Plan, Reconcile, UnknownPolicy,
};

/// The operation's name in intents.
pub(super) const CREATE: &str = "POST /address";

pub(super) struct AddressReconciler(pub(super) Shops);

pub(super) struct Observed {
    used: UsedAccount,
    /// What recognises the address as specified.
    wanted: String,
    /// The ids at the shop that look like it.
    alike: Vec<String>,
    /// The recorded id, if the shop shows it.
    present: bool,
    /// What is retired, with whether somebody still uses it.
    retired: Vec<(String, bool)>,
    /// Whether the shop has confirmed the removal of the recorded id.
    removed: bool,
}

pub(super) enum Step {
    Create,
    Delete(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Create => f.write_str("create the address"),
            Step::Delete(id) => write!(f, "delete address {id}"),
        }
    }
}

impl Reconcile for AddressReconciler {
    type Kind = CoffeeAddress;
    type Remote = Connection;
    type Observed = Observed;
    type Step = Step;

    async fn connect(
        &self,
        ctx: &Context,
        address: &CoffeeAddress,
    ) -> Result<(Account, Connection), Failure> {
        let made_at = address.status.as_ref().and_then(|status| status.account.as_ref());
        self.0.connect(ctx, address, made_at).await
    }

    async fn observe(
        &self,
        ctx: &Context,
        shop: &Connection,
        address: &CoffeeAddress,
    ) -> Result<Observed, Failure> {
        let listed = addresses(ctx, shop).await?;
        let status = address.status.clone().unwrap_or_default();
        let wanted = recognised_by(&shop.used.name, &address.spec.postal());
        let is_listed = |id: &String| listed.iter().any(|one| one.id == *id);
        let retired: Vec<_> = status.retired_address_ids.iter().filter(|id| is_listed(id)).cloned().collect();
        let users = if retired.is_empty() { Vec::new() } else { users(ctx, shop, address).await? };
        Ok(Observed {
            used: shop.used.clone(),
            alike: alike(shop, &listed, &wanted),
            wanted,
            present: status.address_id.as_ref().is_some_and(is_listed),
            retired: retired.into_iter().map(|id| (id.clone(), users.contains(&id))).collect(),
            removed: status.address_id.is_some_and(|id| shop.is_removed(&id)),
        })
    }

    fn plan(&self, address: &CoffeeAddress, observed: &Observed, now: Timestamp) -> Plan<Step> {
        let status = address.status.as_ref();
        let id = status.and_then(|status| status.address_id.as_deref());
        let digest = status.and_then(|status| status.address_digest.as_ref());
        let edited = digest.is_some_and(|digest| *digest != observed.wanted);
        // A second equal address costs nothing, so one that vanished is made again.
        let plan = match id {
            Some(id) if !edited && observed.present => {
                Plan::ready().condition(PRESENT, true, "Listed", format!("the shop lists {id}"))
            }
            Some(id) if !edited && !is_gone(status, now) => {
                let message = format!("the shop does not list address {id} yet");
                let plan = Plan::not_ready(ConditionReason::Reconciling, message.clone()).look_again(SOON);
                plan.condition(PRESENT, false, "NotListed", message)
            }
            _ => {
                let once = Once {
                    operation: CREATE,
                    fingerprint: observed.wanted.clone(),
                    before: observed.alike.clone(),
                };
                Plan::not_ready(ConditionReason::Reconciling, "is being made").once(Step::Create, once)
            }
        };
        let idle = observed.retired.iter().filter(|(_, used)| !used);
        idle.fold(plan, |plan, (id, _)| plan.independent(Step::Delete(id.clone())))
    }

    async fn act(
        &self,
        guard: &Guard,
        shop: &Connection,
        address: &CoffeeAddress,
        step: &Step,
    ) -> Result<Outcome, Failure> {
        match step {
            Step::Create => create(guard, shop, &address.spec.postal()).await,
            Step::Delete(id) => delete(guard, shop, id).await,
        }
    }

    fn plan_deletion(&self, address: &CoffeeAddress, observed: &Observed, _now: Timestamp) -> Deletion<Step> {
        let id = address.status.as_ref().and_then(|status| status.address_id.clone());
        let id = id.filter(|_| observed.present || !observed.removed);
        let retired = observed.retired.iter().map(|(id, _)| id.clone());
        let steps: Vec<_> = id.into_iter().chain(retired).map(Step::Delete).collect();
        if steps.is_empty() { Deletion::Gone } else { Deletion::steps(steps) }
    }

    fn report(&self, _: &CoffeeAddress, observed: &Observed, status: &mut CoffeeAddressStatus) {
        status.account = Some(observed.used.clone());
        status.retired_address_ids.retain(|id| observed.retired.iter().any(|(listed, _)| listed == id));
    }

    fn phase(&self, _: &CoffeeAddress, _: &Checks, status: &mut CoffeeAddressStatus) {
        status.message = trouble(status);
        status.phase = Some(match standing(status) {
            Standing::Ready => AddressPhase::Verified,
            Standing::Waiting => AddressPhase::Pending,
            Standing::Broken => AddressPhase::Failed,
        });
    }

    fn record(&self, _intent: &Intent, id: &str, status: &mut CoffeeAddressStatus) {
        status.retired_address_ids.extend(status.address_id.replace(id.to_owned()));
        // It is not known how a restored or adopted address was made.
        let fingerprint = status.intent.as_ref().map(|intent| intent.fingerprint.clone());
        status.address_digest = fingerprint.filter(|fingerprint| !fingerprint.is_empty());
        status.conditions.retain(|condition| condition.type_ != PRESENT);
    }

    fn recorded(&self, status: &CoffeeAddressStatus) -> Vec<String> {
        status.address_id.iter().chain(&status.retired_address_ids).cloned().collect()
    }

    /// Orders make addresses of their own.
    async fn recorded_elsewhere(&self, ctx: &Context) -> Result<HashSet<String>, Failure> {
        by_others(ctx, |order: CoffeeOrder| order.status?.address_id).await
    }

    async fn find_effects(
        &self,
        ctx: &Context,
        shop: &Connection,
        _: &CoffeeAddress,
        _: &Intent,
    ) -> Result<Vec<Effect>, Failure> {
        effects(ctx, shop).await
    }

    fn unknown_policy(&self, _operation: &str) -> UnknownPolicy {
        policy()
    }

    fn exports(&self, address: &CoffeeAddress) -> Vec<String> {
        address.status.as_ref().and_then(|status| status.address_id.clone()).into_iter().collect()
    }

    fn wakes(&self, ctx: &Context, versions: &[&CoffeeAddress]) -> Vec<ObjectKey> {
        accounts_to_wake(ctx, versions)
    }
}

/// What recognises an address among those of an account: with the telephone number, which does not count for orders.
pub(super) fn recognised_by(account: &str, address: &Postal<'_>) -> String {
    let phone: String = address.phone.unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    fingerprint(&format!("{account} {phone}"), &BTreeMap::new(), address)
}

/// The ids of the addresses that are recognised by `wanted`.
pub(super) fn alike(shop: &Connection, listed: &[Address], wanted: &str) -> Vec<String> {
    let same = |one: &&Address| recognised_by(&shop.used.name, &postal(&one.place)) == wanted;
    listed.iter().filter(same).map(|one| one.id.clone()).collect()
}

pub(super) async fn create(
    guard: &Guard,
    shop: &Connection,
    address: &Postal<'_>,
) -> Result<Outcome, Failure> {
    let place = place_of(address);
    let id = shop.write(guard, operation::CREATE_ADDRESS, shop.client.create_address(&place)).await?;
    Ok(Outcome::made(id.clone(), format!("made address {id}")))
}

pub(super) async fn delete(guard: &Guard, shop: &Connection, id: &str) -> Result<Outcome, Failure> {
    shop.remove(guard, operation::DELETE_ADDRESS, id, shop.client.delete_address(id)).await?;
    Ok(Outcome::new(ConditionReason::Deleted, format!("deleted address {id}")))
}

/// The addresses that could be the effect of a call whose outcome is unknown.
pub(super) async fn effects(ctx: &Context, shop: &Connection) -> Result<Vec<Effect>, Failure> {
    let listed = addresses(ctx, shop).await?;
    let effect = |one: &Address| Effect {
        id: one.id.clone(),
        fingerprint: recognised_by(&shop.used.name, &postal(&one.place)),
        at: one.created,
        certain: true,
        kept: false,
    };
    Ok(listed.iter().map(effect).collect())
}

/// Tries again: a second equal address costs nothing.
pub(super) fn policy() -> UnknownPolicy {
    UnknownPolicy { if_not_found: IfNotFound::Retry, if_found: IfFound::Adopt, ..UnknownPolicy::default() }
}

/// The ids that orders under way and running subscriptions use.
async fn users(ctx: &Context, shop: &Connection, address: &CoffeeAddress) -> Result<Vec<String>, Failure> {
    let subscriptions = shop.read(ctx, operation::LIST_SUBSCRIPTIONS, shop.client.subscriptions()).await?;
    let own = ObjectKey::of(address);
    let key = referrers_key(CoffeeAddress::NAME, &own.namespace, &own.name);
    let orders = ctx.select(CoffeeOrder::NAME, "", &key)?;
    let orders = orders.iter().filter_map(|order| order.get::<CoffeeOrder>());
    let orders = orders.filter_map(|order| order.status.clone()?.address_id);
    Ok(orders.chain(subscriptions.into_iter().map(|one| one.address)).collect())
}
