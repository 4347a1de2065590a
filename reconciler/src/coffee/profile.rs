//! A profile: name and e-mail address of an account's holder.

use std::fmt;

use concierge_shared::coffee::{
    CoffeeProfile, CoffeeProfileSpec, CoffeeProfileStatus, ProfilePhase, UsedAccount,
};
use jiff::Timestamp;

use super::{
    client::{User, operation},
    connection::{Connection, Shops, accounts_to_wake},
};
use crate::common::standing::{Standing, last_look, standing, trouble};
use crate::engine::{
    Account, Checks, Context, Deletion, Drift, Failure, Guard, ObjectKey, Outcome, Plan, Reconcile,
};
use concierge_shared::status::ConditionReason;

pub(super) struct ProfileReconciler(pub(super) Shops);

pub(super) struct Observed {
    user: User,
    used: UsedAccount,
    at: Timestamp,
}

pub(super) struct Put;

impl fmt::Display for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("set name and email of the account")
    }
}

impl Reconcile for ProfileReconciler {
    type Kind = CoffeeProfile;
    type Remote = Connection;
    type Observed = Observed;
    type Step = Put;

    async fn connect(
        &self,
        ctx: &Context,
        profile: &CoffeeProfile,
    ) -> Result<(Account, Connection), Failure> {
        let made_at = profile.status.as_ref().and_then(|status| status.account.as_ref());
        self.0.connect(ctx, profile, made_at).await
    }

    async fn observe(
        &self,
        ctx: &Context,
        shop: &Connection,
        _: &CoffeeProfile,
    ) -> Result<Observed, Failure> {
        let user = shop.read(ctx, operation::GET_PROFILE, shop.client.profile()).await?;
        Ok(Observed { user, used: shop.used.clone(), at: ctx.now() })
    }

    fn plan(&self, profile: &CoffeeProfile, observed: &Observed, _now: Timestamp) -> Plan<Put> {
        let Some(fields) = differences(&profile.spec, &observed.user) else { return Plan::ready() };
        let plan = Plan::not_ready(ConditionReason::Reconciling, format!("the shop has another {fields}"));
        // The shop's values are a person's; they are named, not shown.
        plan.correct(Put, [Drift::new("spec", format!("another {fields}"), "as specified")])
    }

    async fn act(
        &self,
        guard: &Guard,
        shop: &Connection,
        profile: &CoffeeProfile,
        _: &Put,
    ) -> Result<Outcome, Failure> {
        let CoffeeProfileSpec { name, email, .. } = &profile.spec;
        shop.write(guard, operation::PUT_PROFILE, shop.client.put_profile(name, email)).await?;
        Ok(Outcome::new(ConditionReason::Updated, "set name and email of the account"))
    }

    /// An account keeps its profile.
    fn plan_deletion(&self, _: &CoffeeProfile, _: &Observed, _now: Timestamp) -> Deletion<Put> {
        Deletion::Gone
    }

    fn report(&self, profile: &CoffeeProfile, observed: &Observed, status: &mut CoffeeProfileStatus) {
        let synced = differences(&profile.spec, &observed.user).is_none();
        let changed = status.phase != Some(ProfilePhase::Synced);
        if synced {
            last_look(&mut status.last_sync_time, observed.at, changed);
        }
        status.account = Some(observed.used.clone());
    }

    fn phase(&self, _: &CoffeeProfile, _: &Checks, status: &mut CoffeeProfileStatus) {
        status.message = trouble(status);
        status.phase = Some(match standing(status) {
            Standing::Ready => ProfilePhase::Synced,
            Standing::Waiting => ProfilePhase::Pending,
            Standing::Broken => ProfilePhase::Failed,
        });
    }

    fn needs_finalizer(&self, _: &CoffeeProfile, _: Option<&Observed>) -> bool {
        false
    }

    fn wakes(&self, ctx: &Context, versions: &[&CoffeeProfile]) -> Vec<ObjectKey> {
        accounts_to_wake(ctx, versions)
    }
}

/// The fields in which the account's profile is not as specified.
pub(super) fn differences(spec: &CoffeeProfileSpec, user: &User) -> Option<&'static str> {
    let name = user.name.as_deref() != Some(spec.name.trim());
    let email = user.email.as_deref() != Some(spec.email.trim());
    match (name, email) {
        (false, false) => None,
        (true, false) => Some("name"),
        (false, true) => Some("email"),
        (true, true) => Some("name and email"),
    }
}
