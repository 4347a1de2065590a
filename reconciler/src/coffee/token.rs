//! An access token: minted once, kept in a Secret, revoked for certain.

use concierge_shared::{
    coffee::{TerminalToken, TerminalTokenStatus, TokenPhase, UsedAccount},
    common::SecretRef,
    status::{ConditionReason, intent::Intent},
};
use jiff::Timestamp;

use super::{
    client::{Token, operation},
    connection::{Connection, Shops, accounts_to_wake},
};
use crate::common::{
    minted::{self, Observed, Step},
    standing::{Standing, last_look, standing, trouble, written},
};
use crate::engine::{
    Account, Checks, Context, Deletion, Effect, Failure, Guard, ObjectKey, Once, Outcome, Plan, Reconcile,
    SecretSpec, UnknownPolicy,
};

/// The operation's name in intents.
const MINT: &str = "POST /token";
/// One token looks like the other in a list, so an account's tokens are minted one after the other.
const ONE_AT_A_TIME: &str = "token";

pub(super) struct TokenReconciler(pub(super) Shops);

impl Reconcile for TokenReconciler {
    type Kind = TerminalToken;
    type Remote = Connection;
    type Observed = Observed<Token, UsedAccount>;
    type Step = Step;

    async fn connect(&self, ctx: &Context, token: &TerminalToken) -> Result<(Account, Connection), Failure> {
        let made_at = token.status.as_ref().and_then(|status| status.account.as_ref());
        self.0.connect(ctx, token, made_at).await
    }

    async fn observe(
        &self,
        ctx: &Context,
        shop: &Connection,
        token: &TerminalToken,
    ) -> Result<Observed<Token, UsedAccount>, Failure> {
        let listed = list(ctx, shop).await?;
        let (id, keys) = (recorded_id(token), [TerminalToken::SECRET_KEY]);
        let before = listed.iter().map(|one| one.id.clone()).collect();
        Ok(Observed {
            used: shop.used.clone(),
            at: ctx.now(),
            listed: listed.into_iter().find(|one| Some(one.id.as_str()) == id),
            secret: minted::secret_state(ctx, token, &secret_name(token), &keys, id.is_some()).await?,
            once: Once { operation: MINT, fingerprint: ONE_AT_A_TIME.into(), before },
            removed: id.is_some_and(|id| shop.is_removed(id)),
        })
    }

    fn plan(
        &self,
        token: &TerminalToken,
        observed: &Observed<Token, UsedAccount>,
        now: Timestamp,
    ) -> Plan<Step> {
        let status = token.status.clone().unwrap_or_default();
        let secret = secret_name(token);
        minted::plan::<TerminalToken, _, _>(recorded_id(token), &status, &secret, observed, now)
    }

    async fn act(
        &self,
        guard: &Guard,
        shop: &Connection,
        token: &TerminalToken,
        step: &Step,
    ) -> Result<Outcome, Failure> {
        let secret = secret_name(token);
        match step {
            Step::Reserve => minted::reserve(guard, token, &secret).await,
            Step::Make => {
                let made = shop.write(guard, operation::CREATE_TOKEN, shop.client.create_token()).await?;
                let data = [(TerminalToken::SECRET_KEY, made.token.expose().as_bytes())];
                guard.fill_secret(token, &secret, &SecretSpec::of(&data)).await?;
                Ok(Outcome::made(made.id.clone(), format!("minted token {} into Secret {secret}", made.id)))
            }
            Step::Remove(id) => {
                revoke(guard, shop, id).await?;
                Ok(Outcome::new(ConditionReason::Deleted, format!("revoked token {id}")))
            }
        }
    }

    fn plan_deletion(
        &self,
        token: &TerminalToken,
        observed: &Observed<Token, UsedAccount>,
        _now: Timestamp,
    ) -> Deletion<Step> {
        minted::plan_deletion(recorded_id(token), observed)
    }

    fn report(
        &self,
        token: &TerminalToken,
        observed: &Observed<Token, UsedAccount>,
        status: &mut TerminalTokenStatus,
    ) {
        let before = status.clone();
        status.account = Some(observed.used.clone());
        if status.token_id.is_some() && status.secret_ref.is_none() {
            status.secret_ref =
                Some(SecretRef { name: secret_name(token), namespace: token.metadata.namespace.clone() });
        }
        if let Some(listed) = &observed.listed {
            status.created = listed.created.map(written).or(status.created.take());
            let changed = before != *status;
            last_look(&mut status.last_status_check, observed.at, changed);
        }
    }

    fn phase(&self, _: &TerminalToken, _: &Checks, status: &mut TerminalTokenStatus) {
        status.message = trouble(status);
        status.phase = Some(match standing(status) {
            Standing::Ready => TokenPhase::Active,
            Standing::Waiting => TokenPhase::Pending,
            Standing::Broken => TokenPhase::Failed,
        });
    }

    fn record(&self, _intent: &Intent, id: &str, status: &mut TerminalTokenStatus) {
        status.token_id = Some(id.to_owned());
    }

    fn recorded(&self, status: &TerminalTokenStatus) -> Vec<String> {
        status.token_id.clone().into_iter().collect()
    }

    async fn find_effects(
        &self,
        ctx: &Context,
        shop: &Connection,
        _: &TerminalToken,
        intent: &Intent,
    ) -> Result<Vec<Effect>, Failure> {
        let fingerprint = &intent.fingerprint;
        // One token looks like the other: it may be one that a person has made.
        let effect = |one: Token| Effect {
            id: one.id,
            fingerprint: fingerprint.clone(),
            at: one.created,
            certain: false,
            kept: false,
        };
        Ok(list(ctx, shop).await?.into_iter().map(effect).collect())
    }

    fn unknown_policy(&self, _operation: &str) -> UnknownPolicy {
        minted::policy()
    }

    fn wakes(&self, ctx: &Context, versions: &[&TerminalToken]) -> Vec<ObjectKey> {
        accounts_to_wake(ctx, versions)
    }
}

fn recorded_id(token: &TerminalToken) -> Option<&str> {
    token.status.as_ref()?.token_id.as_deref()
}

/// The Secret that the status names, else the one that it will name.
fn secret_name(token: &TerminalToken) -> String {
    let named = token.status.as_ref().and_then(|status| status.secret_ref.as_ref());
    named.map_or_else(|| token.secret_name(), |named| named.name.clone())
}

async fn list(ctx: &Context, shop: &Connection) -> Result<Vec<Token>, Failure> {
    shop.read(ctx, operation::LIST_TOKENS, shop.client.tokens()).await
}

async fn revoke(guard: &Guard, shop: &Connection, id: &str) -> Result<(), Failure> {
    shop.remove(guard, operation::DELETE_TOKEN, id, shop.client.delete_token(id)).await
}
