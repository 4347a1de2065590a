//! A card: registered at the shop by a token that is shown nowhere.

use std::{collections::HashSet, fmt};

use concierge_shared::{
    admission::{reference::referrers_key, review::annotation},
    coffee::{
        CardPhase, CoffeeCard, CoffeeCardStatus, CoffeeOrder, TokenSource, UsedAccount,
        card_token::registered_card_key,
    },
    common::words::first_chars,
    kind::Kind,
    status::{ConditionReason, LONGEST_STATUS_TEXT, intent::Intent},
};
use jiff::Timestamp;

use super::{
    client::{Card, Error, SecretText, operation},
    connection::{Connection, Shops, accounts_to_wake, failure},
};
use crate::common::recorded::by_others;
use crate::common::standing::{PRESENT, SOON, Standing, is_gone, standing, trouble};
use crate::engine::{
    Account, Checks, Context, Deletion, Effect, Failure, Guard, IfNotFound, ObjectKey, Once, Outcome, Plan,
    Reconcile, UnknownPolicy,
};

/// The operation's name in intents.
pub(super) const REGISTER: &str = "POST /card";
/// The annotation by which a person says which of the account's cards an object is about.
const CARD_ID: &str = "coffee.terminal.sh/card-id";
/// Lists do not tell which token a card was registered with, so an account's cards are registered one after the other.
const ONE_AT_A_TIME: &str = "card";

pub(super) struct CardReconciler(pub(super) Shops);

pub(super) struct Remote {
    shop: Connection,
    /// `Err` with what is wrong with it.
    token: Result<SecretText, Failure>,
}

pub(super) struct Observed {
    used: UsedAccount,
    listed: Vec<Card>,
    card: Option<Card>,
    /// When an order was last placed with it.
    last_used: Option<String>,
    removed: bool,
}

pub(super) enum Step {
    Register,
    Delete(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Register => f.write_str("register the card"),
            Step::Delete(id) => write!(f, "delete card {id}"),
        }
    }
}

impl Reconcile for CardReconciler {
    type Kind = CoffeeCard;
    type Remote = Remote;
    type Observed = Observed;
    type Step = Step;

    async fn connect(&self, ctx: &Context, card: &CoffeeCard) -> Result<(Account, Remote), Failure> {
        let made_at = card.status.as_ref().and_then(|status| status.account.as_ref());
        let (account, shop) = self.0.connect(ctx, card, made_at).await?;
        let registered = card.status.as_ref().is_some_and(|status| status.card_id.is_some());
        let token = match registered || card.metadata.deletion_timestamp.is_some() {
            true => Err(Failure::Invalid("the token is not needed any more".into())),
            false => token(ctx, card.spec.token_source()).await,
        };
        Ok((account, Remote { shop, token }))
    }

    async fn observe(&self, ctx: &Context, remote: &Remote, card: &CoffeeCard) -> Result<Observed, Failure> {
        let shop = &remote.shop;
        let listed = cards(ctx, shop).await?;
        let id = card.status.as_ref().and_then(|status| status.card_id.as_ref());
        Ok(Observed {
            used: shop.used.clone(),
            card: listed.iter().find(|one| Some(&one.id) == id).cloned(),
            listed,
            last_used: last_used(ctx, card),
            removed: id.is_some_and(|id| shop.is_removed(id)),
        })
    }

    fn plan(&self, card: &CoffeeCard, observed: &Observed, now: Timestamp) -> Plan<Step> {
        let status = card.status.as_ref();
        match (status.and_then(|status| status.card_id.as_ref()), &observed.card) {
            (Some(id), Some(_)) => {
                Plan::ready().condition(PRESENT, true, "Listed", format!("the shop lists {id}"))
            }
            (Some(id), None) => {
                let (reason, message) = match is_gone(status, now) {
                    false => (ConditionReason::Reconciling, format!("the shop does not list card {id} yet")),
                    true => {
                        let remedy = "it was removed there; register it again with another CoffeeCard";
                        (ConditionReason::Held, format!("the shop does not list card {id}: {remedy}"))
                    }
                };
                let plan = Plan::not_ready(reason, message.clone()).look_again(SOON);
                plan.condition(PRESENT, false, "NotListed", message)
            }
            (None, _) => {
                let plan = Plan::not_ready(ConditionReason::Reconciling, "is being registered");
                plan.once(Step::Register, once(&observed.listed))
            }
        }
    }

    async fn act(
        &self,
        guard: &Guard,
        remote: &Remote,
        card: &CoffeeCard,
        step: &Step,
    ) -> Result<Outcome, Failure> {
        match step {
            Step::Register => {
                let token = remote.token.as_ref().map_err(Clone::clone)?;
                let named = annotation(card, CARD_ID).map(str::to_owned);
                register(guard, &remote.shop, token, named.as_deref()).await
            }
            Step::Delete(id) => delete(guard, &remote.shop, id).await,
        }
    }

    fn plan_deletion(&self, card: &CoffeeCard, observed: &Observed, _now: Timestamp) -> Deletion<Step> {
        let id = card.status.as_ref().and_then(|status| status.card_id.clone());
        match id.filter(|_| observed.card.is_some() || !observed.removed) {
            Some(id) => Deletion::steps([Step::Delete(id)]),
            None => Deletion::Gone,
        }
    }

    fn report(&self, _: &CoffeeCard, observed: &Observed, status: &mut CoffeeCardStatus) {
        status.account = Some(observed.used.clone());
        if let Some(card) = &observed.card {
            status.brand = Some(first_chars(&card.brand, LONGEST_STATUS_TEXT));
            status.last4 = Some(first_chars(&card.last4, LONGEST_STATUS_TEXT));
            status.expiration = Some(format!("{:04}-{:02}", card.expiration.year, card.expiration.month));
        }
        if observed.last_used > status.last_used {
            status.last_used.clone_from(&observed.last_used);
        }
    }

    fn phase(&self, _: &CoffeeCard, _: &Checks, status: &mut CoffeeCardStatus) {
        status.message = trouble(status);
        status.phase = Some(match standing(status) {
            Standing::Ready => CardPhase::Registered,
            Standing::Waiting => CardPhase::Pending,
            Standing::Broken => CardPhase::Failed,
        });
    }

    fn record(&self, _intent: &Intent, id: &str, status: &mut CoffeeCardStatus) {
        status.card_id = Some(id.to_owned());
    }

    fn recorded(&self, status: &CoffeeCardStatus) -> Vec<String> {
        status.card_id.clone().into_iter().collect()
    }

    /// Orders register cards of their own.
    async fn recorded_elsewhere(&self, ctx: &Context) -> Result<HashSet<String>, Failure> {
        by_others(ctx, |order: CoffeeOrder| order.status?.card_id).await
    }

    async fn find_effects(
        &self,
        _: &Context,
        _: &Remote,
        _: &CoffeeCard,
        _: &Intent,
    ) -> Result<Vec<Effect>, Failure> {
        Ok(Vec::new())
    }

    fn unknown_policy(&self, _operation: &str) -> UnknownPolicy {
        policy()
    }

    fn secrets(&self, _: &CoffeeCard) -> Vec<(String, String)> {
        // The token is not needed to remove a card.
        Vec::new()
    }

    fn exports(&self, card: &CoffeeCard) -> Vec<String> {
        card.status.as_ref().and_then(|status| status.card_id.clone()).into_iter().collect()
    }

    fn wakes(&self, ctx: &Context, versions: &[&CoffeeCard]) -> Vec<ObjectKey> {
        accounts_to_wake(ctx, versions)
    }
}

/// The token that stands for a card.
pub(super) async fn token(ctx: &Context, source: Option<TokenSource<'_>>) -> Result<SecretText, Failure> {
    match source {
        Some(TokenSource::Clear(token)) => Ok(SecretText::trimmed(token.reveal())),
        Some(TokenSource::Secret(entry)) => {
            let secret = ctx.secret(&ctx.key().namespace, &entry.name).await?;
            let token = SecretText::trimmed(secret.text(&entry.key)?);
            match is_token(token.expose()) {
                true => Ok(token),
                // It could be a card number: it is neither sent nor shown.
                false => Err(Failure::Invalid(format!(
                    "key {} of Secret {} holds no card token; it begins with tok_",
                    entry.key, entry.name
                ))),
            }
        }
        None => Err(Failure::Invalid("the card has no token".into())),
    }
}

fn is_token(text: &str) -> bool {
    let rest = text.strip_prefix("tok_").unwrap_or_default();
    !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

pub(super) async fn cards(ctx: &Context, shop: &Connection) -> Result<Vec<Card>, Failure> {
    shop.read(ctx, operation::LIST_CARDS, shop.client.cards()).await
}

/// How a registration is recognised after a lost answer, so that no card is registered twice.
pub(super) fn once(listed: &[Card]) -> Once {
    let before = listed.iter().map(|card| card.id.clone()).collect();
    Once { operation: REGISTER, fingerprint: ONE_AT_A_TIME.into(), before }
}

/// Registers a card; or takes the account's card that it is already, if there is no doubt which.
pub(super) async fn register(
    guard: &Guard,
    shop: &Connection,
    token: &SecretText,
    named: Option<&str>,
) -> Result<Outcome, Failure> {
    let mut is_there = false;
    let call = async {
        shop.client.create_card(token).await.map_err(|error| {
            is_there = is_there_already(&error);
            failure(error)
        })
    };
    match guard.write(REGISTER, call).await {
        Ok(id) => return Ok(Outcome::made(id.clone(), format!("registered card {id}"))),
        Err(_) if is_there => {}
        Err(failure) => return Err(failure),
    }
    let id = the_one_meant(guard, shop, named).await?;
    let message = format!("the shop had card {id} already; it is adopted");
    Ok(Outcome { reason: ConditionReason::Adopted, ..Outcome::made(id, message) })
}

fn is_there_already(error: &Error) -> bool {
    error.refusal().is_some_and(|refusal| refusal.code == "already_exists")
}

/// The card that the shop says is there already. It does not say which, and a wrong one would be charged, so only the
/// account's only card will do, or the one that a person named.
async fn the_one_meant(ctx: &Context, shop: &Connection, named: Option<&str>) -> Result<String, Failure> {
    let listed = cards(ctx, shop).await?;
    let taken = taken(ctx, &listed).await?;
    let meant = match (named, listed.as_slice()) {
        (Some(named), all) => all.iter().find(|card| card.id == named),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    match meant {
        Some(card) if !taken.contains(&card.id) => Ok(card.id.clone()),
        _ => {
            let free = listed.iter().filter(|card| !taken.contains(&card.id));
            let free: Vec<_> =
                free.map(|card| format!("{} ({} {})", card.id, card.brand, card.last4)).collect();
            if free.is_empty() && listed.iter().all(|card| !taken.contains(&card.id)) {
                return Err(Failure::Transient(
                    "the account has this card, and the shop does not list it yet".into(),
                ));
            }
            let free = if free.is_empty() { "none".to_owned() } else { free.join(", ") };
            Err(Failure::Invalid(format!(
                "the account has this card already, and the shop does not say which it is; refer to the object that has \
                 it, or name it in the annotation {CARD_ID} (no object has: {free})"
            )))
        }
    }
}

/// Whether another object has registered this card.
pub(super) async fn is_taken(ctx: &Context, id: &str) -> Result<bool, Failure> {
    let key = registered_card_key(id);
    Ok(ctx.find_recorded::<CoffeeCard>("", &key, |_| true).await?.is_some()
        || ctx.find_recorded::<CoffeeOrder>("", &key, |_| true).await?.is_some())
}

async fn taken(ctx: &Context, listed: &[Card]) -> Result<HashSet<String>, Failure> {
    let mut taken = HashSet::new();
    for card in listed {
        if is_taken(ctx, &card.id).await? {
            taken.insert(card.id.clone());
        }
    }
    Ok(taken)
}

/// Tries again, and adopts nothing for being new: a card that somebody added meanwhile would be charged. The shop refuses a card that it
/// has, and then [`the_one_meant`] is told apart with certainty, or named by a person.
pub(super) fn policy() -> UnknownPolicy {
    UnknownPolicy { if_not_found: IfNotFound::Retry, ..UnknownPolicy::default() }
}

pub(super) async fn delete(guard: &Guard, shop: &Connection, id: &str) -> Result<Outcome, Failure> {
    shop.remove(guard, operation::DELETE_CARD, id, shop.client.delete_card(id)).await?;
    Ok(Outcome::new(ConditionReason::Deleted, format!("deleted card {id}")))
}

/// When an order under way was last placed with the card.
fn last_used(ctx: &Context, card: &CoffeeCard) -> Option<String> {
    let own = ObjectKey::of(card);
    let key = referrers_key(CoffeeCard::NAME, &own.namespace, &own.name);
    let orders = ctx.lookup().select(CoffeeOrder::NAME, &key).objects;
    let orders = orders.iter().filter_map(|order| order.get::<CoffeeOrder>());
    orders.filter_map(|order| order.status.clone()?.placed_at).max()
}
