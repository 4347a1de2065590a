//! An account: whose token it is, whether the shop takes it, and what it can buy.

use std::{fmt, sync::Arc};

use concierge_shared::{
    coffee::{
        CoffeeProduct, TerminalAccount, TerminalAccountStatus,
        account::{implicit_users_key, serves_the_cluster, user_key, uses_implicitly},
    },
    index::Stored,
    kind::{KINDS, Kind},
    status::ConditionReason,
};
use jiff::Timestamp;

use super::{
    client::operation,
    connection::{Connection, Shops},
    products::{self, Differences},
};
use crate::common::standing::{SOON, last_look, trouble};
use crate::engine::{
    Account, Checks, Context, Deletion, Failure, Guard, ImplicitUsers, ObjectKey, Outcome, Plan, Reconcile,
};

/// The condition that tells whether the token opens the account that it should.
const TOKEN: &str = "TokenAccepted";
/// The condition that tells whether another TerminalAccount has the same user.
const SHARED: &str = "Shared";

pub(super) struct AccountReconciler(pub(super) Shops);

pub(super) enum Observed {
    /// There is no token, or it is one of the other environment: the shop was not asked.
    NotAsked(String),
    /// The shop does not accept the token.
    NotAccepted(String),
    Open(Open),
    /// It is being deleted, and nobody uses it any more.
    Leaving,
}

pub(super) struct Open {
    url: String,
    user: String,
    /// `None` when the list can't be had now.
    products: Option<Differences>,
    /// Other TerminalAccounts with the same user.
    twins: Vec<String>,
    at: Timestamp,
}

pub(super) enum Step {
    Write(Box<CoffeeProduct>),
    Delete(Arc<CoffeeProduct>),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Write(product) => write!(f, "write product {}", product.spec.name),
            Step::Delete(product) => write!(f, "delete product {}", product.spec.name),
        }
    }
}

impl Reconcile for AccountReconciler {
    type Kind = TerminalAccount;
    /// `Err` with why the shop can't be asked; `None` when it need not be.
    type Remote = Option<Result<Connection, String>>;
    type Observed = Observed;
    type Step = Step;
    const NEEDS_SECRETS: bool = true;

    async fn connect(
        &self,
        ctx: &Context,
        account: &TerminalAccount,
    ) -> Result<(Account, Self::Remote), Failure> {
        if account.metadata.deletion_timestamp.is_some() {
            return Ok((Account::none(), None));
        }
        match self.0.open(ctx, account).await {
            Ok((at, connection)) => Ok((at, Some(Ok(connection)))),
            Err(Failure::DependencyMissing(message) | Failure::Invalid(message)) => {
                Ok((Account::none(), Some(Err(message))))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn observe(
        &self,
        ctx: &Context,
        remote: &Self::Remote,
        account: &TerminalAccount,
    ) -> Result<Observed, Failure> {
        let shop = match remote {
            None => return Ok(Observed::Leaving),
            Some(Err(message)) => return Ok(Observed::NotAsked(message.clone())),
            Some(Ok(shop)) => shop,
        };
        let user = match shop.read(ctx, operation::GET_PROFILE, shop.client.profile()).await {
            Ok(user) => user.id,
            Err(Failure::Auth(message)) => return Ok(Observed::NotAccepted(message)),
            Err(failure) => return Err(failure),
        };
        let listed = match shop.read(ctx, operation::LIST_PRODUCTS, shop.client.products()).await {
            Ok(listed) => Some(listed),
            Err(failure) if failure.passes() => None,
            Err(failure) => return Err(failure),
        };
        Ok(Observed::Open(Open {
            url: shop.used.base_url.clone(),
            products: listed.map(|listed| products::compare(ctx, account, &listed)),
            twins: twins(ctx, &shop.used.base_url, &user),
            user,
            at: ctx.now(),
        }))
    }

    fn plan(&self, account: &TerminalAccount, observed: &Observed, _now: Timestamp) -> Plan<Step> {
        let refused = |reason, word, message: &str| {
            let plan = Plan::not_ready(reason, message).look_again(SOON);
            plan.condition(TOKEN, false, word, message)
        };
        let open = match observed {
            Observed::NotAsked(message) => {
                return refused(ConditionReason::Invalid, "TokenUnusable", message);
            }
            Observed::NotAccepted(message) => {
                return refused(ConditionReason::Unauthorised, "Refused", message);
            }
            Observed::Leaving => {
                return Plan::not_ready(ConditionReason::Deleting, "is being deleted");
            }
            Observed::Open(open) => open,
        };
        if let Some(before) = other_user(account, open) {
            let message = format!(
                "the token opens the account of user {}, but what was made through this object is user {before}'s; put \
                 back a token of that user, or create another TerminalAccount",
                open.user
            );
            return refused(ConditionReason::OwnedByOther, "OtherUser", &message);
        }
        let plan = Plan::ready().condition(TOKEN, true, "Accepted", format!("of user {}", open.user));
        let plan = match open.twins.as_slice() {
            [] => plan.condition(SHARED, false, "OwnUser", ""),
            twins => {
                let message = format!(
                    "user {} is also that of {}: equal orders through both can't be told apart when an answer is lost; use \
                     one TerminalAccount",
                    open.user,
                    twins.join(", ")
                );
                plan.condition(SHARED, true, "SameUser", message)
            }
        };
        let Some(Differences { write, delete }) = &open.products else { return plan.look_again(SOON) };
        let writes = write.iter().cloned().map(|product| Step::Write(Box::new(product)));
        writes.chain(delete.iter().cloned().map(Step::Delete)).fold(plan, Plan::independent)
    }

    async fn act(
        &self,
        guard: &Guard,
        _: &Self::Remote,
        account: &TerminalAccount,
        step: &Step,
    ) -> Result<Outcome, Failure> {
        match step {
            Step::Write(product) => {
                let name = product.spec.name.clone();
                guard.apply_owned(account, (**product).clone()).await?;
                Ok(Outcome::new(ConditionReason::Updated, format!("wrote product {name}")))
            }
            Step::Delete(product) => {
                guard.delete_owned(&**product).await?;
                let message = format!("deleted product {}: the shop no longer lists it", product.spec.name);
                Ok(Outcome::new(ConditionReason::Deleted, message))
            }
        }
    }

    fn plan_deletion(&self, _: &TerminalAccount, _: &Observed, _now: Timestamp) -> Deletion<Step> {
        Deletion::Gone
    }

    fn report(&self, account: &TerminalAccount, observed: &Observed, status: &mut TerminalAccountStatus) {
        let Observed::Open(open) = observed else { return };
        if other_user(account, open).is_some() {
            return;
        }
        let changed = status.user_id.as_ref() != Some(&open.user);
        status.user_id = Some(open.user.clone());
        status.base_url = Some(open.url.clone());
        last_look(&mut status.last_check_time, open.at, changed);
        if let Some(products) = &open.products {
            let changed = !products.write.is_empty() || !products.delete.is_empty();
            last_look(&mut status.products_read_time, open.at, changed);
        }
    }

    fn phase(&self, _: &TerminalAccount, _: &Checks, status: &mut TerminalAccountStatus) {
        status.message = trouble(status);
    }

    fn implicit_users(&self, ctx: &Context, account: &TerminalAccount) -> Option<ImplicitUsers> {
        let (settings, (namespace, name)) = (&ctx.rules().coffee, name_of(account));
        let key = implicit_users_key(settings, namespace, name)?;
        let everywhere = serves_the_cluster(settings, namespace, name);
        Some(ImplicitUsers { key, everywhere, all: !everywhere })
    }

    fn is_used_by(&self, ctx: &Context, account: &TerminalAccount, user: &Stored) -> bool {
        let (namespace, name) = name_of(account);
        uses_implicitly(ctx.lookup(), namespace, name, user)
    }

    /// Its users need the token for as long as they are there.
    fn secrets(&self, account: &TerminalAccount) -> Vec<(String, String)> {
        let namespace = account.metadata.namespace.clone().unwrap_or_default();
        vec![(namespace, account.spec.token_secret_ref.name.clone())]
    }

    fn exports(&self, account: &TerminalAccount) -> Vec<String> {
        account.status.as_ref().and_then(|status| status.user_id.clone()).into_iter().collect()
    }

    fn wakes(&self, ctx: &Context, versions: &[&TerminalAccount]) -> Vec<ObjectKey> {
        let implicit = versions.last().and_then(|account| self.implicit_users(ctx, account));
        let Some(ImplicitUsers { key, .. }) = implicit else { return Vec::new() };
        let users = KINDS.iter().flat_map(|kind| ctx.lookup().select(kind.name, &key).objects);
        users.map(|user| ObjectKey::from(&user)).collect()
    }
}

/// The user whose the account was before.
fn other_user<'a>(account: &'a TerminalAccount, open: &Open) -> Option<&'a str> {
    let status = account.status.as_ref()?;
    let same_shop = status.base_url.as_ref() == Some(&open.url);
    status.user_id.as_deref().filter(|before| same_shop && *before != open.user)
}

fn name_of(account: &TerminalAccount) -> (&str, &str) {
    let TerminalAccount { metadata, .. } = account;
    (metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
}

/// The other TerminalAccounts that were seen to be this user's.
fn twins(ctx: &Context, url: &str, user: &str) -> Vec<String> {
    let all = ctx.lookup().select(TerminalAccount::NAME, &user_key(url, user)).objects;
    let others = all.iter().map(ObjectKey::from).filter(|key| key != ctx.key());
    let mut twins: Vec<_> = others.map(|key| format!("{}/{}", key.namespace, key.name)).collect();
    twins.sort();
    twins
}
