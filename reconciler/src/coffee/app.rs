//! An application: registered once, its credentials kept in a Secret, removed for certain.

use concierge_shared::{
    coffee::{AppPhase, CoffeeApp, CoffeeAppStatus, UsedAccount},
    common::SecretRef,
    status::{ConditionReason, intent::Intent},
};
use jiff::Timestamp;

use super::{
    client::{App, NewApp, operation},
    connection::{Connection, Shops, accounts_to_wake},
};
use crate::common::{
    minted::{self, Observed, Step},
    standing::{Standing, last_look, standing, trouble},
};
use crate::engine::{
    Account, Checks, Context, Deletion, Effect, Failure, Guard, ObjectKey, Once, Outcome, Plan, Reconcile,
    SecretSpec, UnknownPolicy,
};

/// The operation's name in intents.
const REGISTER: &str = "POST /app";

pub(super) struct AppReconciler(pub(super) Shops);

impl Reconcile for AppReconciler {
    type Kind = CoffeeApp;
    type Remote = Connection;
    type Observed = Observed<App, UsedAccount>;
    type Step = Step;

    async fn connect(&self, ctx: &Context, app: &CoffeeApp) -> Result<(Account, Connection), Failure> {
        let made_at = app.status.as_ref().and_then(|status| status.account.as_ref());
        self.0.connect(ctx, app, made_at).await
    }

    async fn observe(
        &self,
        ctx: &Context,
        shop: &Connection,
        app: &CoffeeApp,
    ) -> Result<Observed<App, UsedAccount>, Failure> {
        let listed = list(ctx, shop).await?;
        let id = recorded_id(app);
        let fingerprint = recognised_by(&app.spec.name, &app.spec.redirect_uri);
        let same = listed.iter().filter(|one| recognised_by(&one.name, &one.redirect_uri) == fingerprint);
        let before = same.map(|one| one.id.clone()).collect();
        let keys = [CoffeeApp::CLIENT_ID_KEY, CoffeeApp::CLIENT_SECRET_KEY];
        Ok(Observed {
            used: shop.used.clone(),
            at: ctx.now(),
            listed: listed.into_iter().find(|one| Some(one.id.as_str()) == id),
            secret: minted::secret_state(ctx, app, &secret_name(app), &keys, id.is_some()).await?,
            once: Once { operation: REGISTER, fingerprint, before },
            removed: id.is_some_and(|id| shop.is_removed(id)),
        })
    }

    fn plan(&self, app: &CoffeeApp, observed: &Observed<App, UsedAccount>, now: Timestamp) -> Plan<Step> {
        let status = app.status.clone().unwrap_or_default();
        let secret = secret_name(app);
        minted::plan::<CoffeeApp, _, _>(recorded_id(app), &status, &secret, observed, now)
    }

    async fn act(
        &self,
        guard: &Guard,
        shop: &Connection,
        app: &CoffeeApp,
        step: &Step,
    ) -> Result<Outcome, Failure> {
        let secret = secret_name(app);
        match step {
            Step::Reserve => minted::reserve(guard, app, &secret).await,
            Step::Make => {
                let new = NewApp { name: app.spec.name.clone(), redirect_uri: app.spec.redirect_uri.clone() };
                let made = shop.write(guard, operation::CREATE_APP, shop.client.create_app(&new)).await?;
                let data = [
                    (CoffeeApp::CLIENT_ID_KEY, made.id.as_bytes()),
                    (CoffeeApp::CLIENT_SECRET_KEY, made.secret.expose().as_bytes()),
                ];
                guard.fill_secret(app, &secret, &SecretSpec::of(&data)).await?;
                let message = format!("registered app {}, credentials in Secret {secret}", made.id);
                Ok(Outcome::made(made.id, message))
            }
            Step::Remove(id) => {
                remove(guard, shop, id).await?;
                Ok(Outcome::new(ConditionReason::Deleted, format!("removed app {id}")))
            }
        }
    }

    fn plan_deletion(
        &self,
        app: &CoffeeApp,
        observed: &Observed<App, UsedAccount>,
        _now: Timestamp,
    ) -> Deletion<Step> {
        minted::plan_deletion(recorded_id(app), observed)
    }

    fn report(&self, app: &CoffeeApp, observed: &Observed<App, UsedAccount>, status: &mut CoffeeAppStatus) {
        let before = status.clone();
        status.account = Some(observed.used.clone());
        if status.app_id.is_some() && status.secret_ref.is_none() {
            status.secret_ref =
                Some(SecretRef { name: secret_name(app), namespace: app.metadata.namespace.clone() });
        }
        if observed.listed.is_some() {
            let changed = before != *status;
            last_look(&mut status.last_status_check, observed.at, changed);
        }
    }

    fn phase(&self, _: &CoffeeApp, _: &Checks, status: &mut CoffeeAppStatus) {
        status.message = trouble(status);
        status.phase = Some(match standing(status) {
            Standing::Ready => AppPhase::Active,
            Standing::Waiting => AppPhase::Pending,
            Standing::Broken => AppPhase::Failed,
        });
    }

    fn record(&self, _intent: &Intent, id: &str, status: &mut CoffeeAppStatus) {
        status.app_id = Some(id.to_owned());
    }

    fn recorded(&self, status: &CoffeeAppStatus) -> Vec<String> {
        status.app_id.clone().into_iter().collect()
    }

    async fn find_effects(
        &self,
        ctx: &Context,
        shop: &Connection,
        _: &CoffeeApp,
        _: &Intent,
    ) -> Result<Vec<Effect>, Failure> {
        // The shop does not say when an app was registered, so it may be one that a person has registered.
        let effect = |one: App| Effect {
            fingerprint: recognised_by(&one.name, &one.redirect_uri),
            id: one.id,
            at: None,
            certain: false,
            kept: false,
        };
        Ok(list(ctx, shop).await?.into_iter().map(effect).collect())
    }

    fn unknown_policy(&self, _operation: &str) -> UnknownPolicy {
        minted::policy()
    }

    fn wakes(&self, ctx: &Context, versions: &[&CoffeeApp]) -> Vec<ObjectKey> {
        accounts_to_wake(ctx, versions)
    }
}

fn recorded_id(app: &CoffeeApp) -> Option<&str> {
    app.status.as_ref()?.app_id.as_deref()
}

/// The Secret that the status names, else the one that it will name.
fn secret_name(app: &CoffeeApp) -> String {
    let named = app.status.as_ref().and_then(|status| status.secret_ref.as_ref());
    named.map_or_else(|| app.secret_name(), |named| named.name.clone())
}

async fn list(ctx: &Context, shop: &Connection) -> Result<Vec<App>, Failure> {
    shop.read(ctx, operation::LIST_APPS, shop.client.apps()).await
}

async fn remove(guard: &Guard, shop: &Connection, id: &str) -> Result<(), Failure> {
    shop.remove(guard, operation::DELETE_APP, id, shop.client.delete_app(id)).await
}

/// What recognises an app among those of an account.
fn recognised_by(name: &str, redirect_uri: &str) -> String {
    format!("{name} {redirect_uri}")
}
