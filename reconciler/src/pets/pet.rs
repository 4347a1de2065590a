//! A pet: bound to its store, and kept in the store's service when it has one.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use concierge_shared::{
    admission::reference::Reference,
    pets::{Pet, PetPhase, PetStatus, PetStore, Stores, pet},
    status::{ConditionReason, ConditionType, Conditions},
};
use jiff::Timestamp;
use parking_lot::Mutex;

use super::{
    Services, account, all_known,
    capacity::Capacity,
    client::{Client, RemotePet},
};
use crate::{
    common::standing::breaks_rules,
    engine::{
        Account, Checks, Context, Deletion, Drift, Failure, Guard, ObjectKey, Outcome, Owner, Plan, Reconcile,
    },
};

/// The condition while it can't be told whether the pet is still in the service that its store used before.
const LEFT_BEHIND: &str = "LeftBehind";
/// How soon that service is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(300);
/// How many keys are remembered.
const KEYS: usize = 1000;

pub(super) struct PetReconciler {
    services: Services,
    /// The keys that were used, by namespace and URL: a key that a store has now is no business of the service that it used before,
    /// nor of another namespace.
    keys: Mutex<HashMap<(String, String), Option<String>>>,
    capacity: Capacity,
}

impl PetReconciler {
    pub(super) fn new(services: Services) -> Self {
        Self { services, keys: Mutex::default(), capacity: Capacity::default() }
    }

    fn remember(&self, namespace: &str, client: &Client) {
        let place = (namespace.to_owned(), client.url().to_owned());
        let mut keys = self.keys.lock();
        if keys.len() >= KEYS && !keys.contains_key(&place) {
            keys.clear();
        }
        keys.insert(place, client.key().map(str::to_owned));
    }

    /// The service at `url` as it was used before.
    fn previous(&self, namespace: &str, url: &str) -> Client {
        let place = (namespace.to_owned(), url.to_owned());
        let key = self.keys.lock().get(&place).cloned().flatten();
        self.services.at(url, key)
    }
}

/// Where the pet is kept.
pub(super) struct Remote {
    /// The pet's store when the run began: what is found at its service is recorded as being there, although the pet may have another
    /// store meanwhile.
    store: Option<Arc<PetStore>>,
    /// The service of the pet's store.
    current: Option<Client>,
    /// The service that the pet was put into before its store moved.
    previous: Option<Client>,
}

pub(super) struct Observed {
    store: Option<Arc<PetStore>>,
    /// Whether the store holds more pets than it may, and this is one of those that came too late.
    too_many: bool,
    has_service: bool,
    here: Option<RemotePet>,
    left_behind: LeftBehind,
}

/// Whether the pet is still in the service that its store used before.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LeftBehind {
    No,
    Yes,
    /// The service does not tell, for this reason.
    Unknown(String),
}

pub(super) enum Step {
    Create(RemotePet),
    Update(RemotePet),
    Delete,
    DeleteLeftBehind,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Create(pet) => write!(f, "create pet {}", pet.id),
            Step::Update(pet) => write!(f, "set name and tags of pet {}", pet.id),
            Step::Delete => f.write_str("delete the pet"),
            Step::DeleteLeftBehind => {
                f.write_str("delete the pet from the service that its store used before")
            }
        }
    }
}

impl Reconcile for PetReconciler {
    type Kind = Pet;
    type Remote = Remote;
    type Observed = Observed;
    type Step = Step;

    async fn connect(&self, ctx: &Context, pet: &Pet) -> Result<(Account, Remote), Failure> {
        all_known(ctx)?;
        let store = store_of(ctx, pet).1;
        let current = match &store {
            Some(store) => self.services.of(ctx, store).await?,
            None => None,
        };
        let recorded = pet.status.as_ref().and_then(|status| status.remote.as_deref());
        let moved = |url: &&str| current.as_ref().is_none_or(|current| current.url() != *url);
        let namespace = ctx.key().namespace.as_str();
        let previous = recorded.filter(moved).map(|url| self.previous(namespace, url));
        if let Some(current) = &current {
            self.remember(namespace, current);
        }
        let account = match (&store, &current, &previous) {
            (Some(store), Some(current), _) => account(store, current),
            (_, _, Some(previous)) => previous_account(namespace, previous),
            _ => Account::none(),
        };
        Ok((account, Remote { store, current, previous }))
    }

    async fn observe(&self, ctx: &Context, remote: &Remote, pet: &Pet) -> Result<Observed, Failure> {
        let stores = store_of(ctx, pet).0;
        let short = |store: &Arc<PetStore>| self.capacity.is_short_for(ctx.lookup(), &stores, store, pet);
        let too_many = remote.store.as_ref().is_some_and(short);
        let here = match &remote.current {
            Some(client) => ctx.read("GET /pet/{id}", client.get(pet.spec.id, ctx.now())).await?,
            None => None,
        };
        Ok(Observed {
            has_service: remote.current.is_some(),
            here,
            left_behind: left_behind(ctx, remote, pet).await,
            store: remote.store.clone(),
            too_many,
        })
    }

    fn owner(&self, pet: &Pet, observed: &Observed) -> Owner {
        match observed.here.as_ref().map(RemotePet::owner) {
            // One that is left where the store was before is not nobody's.
            None if observed.left_behind != LeftBehind::No => Owner::Ours,
            None => Owner::Nobody,
            Some(Some(uid)) if pet.metadata.uid.as_deref() == Some(uid) => Owner::Ours,
            Some(Some(uid)) => {
                Owner::Other(format!("pet {} belongs to an object with uid {uid}", pet.spec.id))
            }
            Some(None) => Owner::Other(format!("pet {} was there before, and bears no mark", pet.spec.id)),
        }
    }

    fn plan(&self, pet: &Pet, observed: &Observed, _now: Timestamp) -> Plan<Step> {
        if observed.too_many {
            let store = observed.store.as_ref().map(|store| store.name()).unwrap_or_default();
            let message = format!(
                "PetStore {store:?} holds more pets than its maxPets and this is one of the newest; raise it, or move the pet"
            );
            return Plan::not_ready(ConditionReason::Held, message);
        }
        let mut plan = Plan::ready();
        plan = match &observed.left_behind {
            LeftBehind::No => plan,
            // The pet is served where it belongs, whatever becomes of the old one.
            LeftBehind::Yes => plan.independent(Step::DeleteLeftBehind),
            LeftBehind::Unknown(why) => {
                plan.condition(LEFT_BEHIND, true, "Unknown", why.clone()).look_again(ASK_AGAIN)
            }
        };
        let Some(found) = &observed.here else {
            return match observed.has_service {
                true => plan.step(Step::Create(wanted(pet, RemotePet::default()))),
                false => plan,
            };
        };
        let wanted = wanted(pet, found.clone());
        if wanted == *found {
            return plan;
        }
        let fields = [
            Drift::new("spec.name", &found.name, &wanted.name),
            Drift::new("spec.tag", found.plain_tags().join(", "), wanted.plain_tags().join(", ")),
        ];
        let drift: Vec<_> = fields.into_iter().filter(|field| field.found != field.wanted).collect();
        plan.correct(Step::Update(wanted), drift)
    }

    async fn act(&self, guard: &Guard, remote: &Remote, pet: &Pet, step: &Step) -> Result<Outcome, Failure> {
        let (id, now) = (pet.spec.id, guard.now());
        let elsewhere;
        let client = match step {
            Step::DeleteLeftBehind => &remote.previous,
            _ => &remote.current,
        };
        let guard = match step {
            Step::DeleteLeftBehind => {
                let namespace = pet.metadata.namespace.as_deref().unwrap_or_default();
                let previous = client.as_ref().map(|client| previous_account(namespace, client));
                elsewhere = guard.elsewhere(&previous.unwrap_or_else(Account::none));
                &elsewhere
            }
            _ => guard,
        };
        let client =
            client.as_ref().ok_or_else(|| Failure::DependencyMissing("the store has no service".into()))?;
        let (reason, done) = match step {
            Step::Create(pet) => {
                guard.write("POST /pet", client.create(pet, now)).await?;
                (ConditionReason::Created, "created")
            }
            Step::Update(pet) => {
                guard.write("PUT /pet", client.update(pet, now)).await?;
                (ConditionReason::Updated, "updated")
            }
            Step::Delete | Step::DeleteLeftBehind => {
                guard.write("DELETE /pet/{id}", client.delete(id, now)).await?;
                (ConditionReason::Deleted, "deleted")
            }
        };
        Ok(Outcome::new(reason, format!("{done} pet {id} at {}", client.url())))
    }

    fn note_place(&self, remote: &Remote, step: &Step, said: &PetStatus, noted: &mut PetStatus) -> bool {
        let place = remote.current.as_ref().filter(|_| matches!(step, Step::Create(_)));
        // As long as the pet may be where it was before, that is what is remembered.
        let Some(place) = place.filter(|_| said.condition(LEFT_BEHIND).is_none()) else { return false };
        let before = noted.remote.replace(place.url().to_owned());
        before != noted.remote
    }

    fn plan_deletion(&self, _pet: &Pet, observed: &Observed, _now: Timestamp) -> Deletion<Step> {
        let steps = [
            (observed.here.is_some(), Step::Delete),
            (observed.left_behind == LeftBehind::Yes, Step::DeleteLeftBehind),
        ];
        let steps: Vec<_> = steps.into_iter().filter_map(|(there, step)| there.then_some(step)).collect();
        match &observed.left_behind {
            _ if !steps.is_empty() => Deletion::steps(steps),
            LeftBehind::Unknown(why) => Deletion::Blocked(ConditionReason::Unauthorised, why.clone()),
            _ => Deletion::Gone,
        }
    }

    fn report(&self, _pet: &Pet, observed: &Observed, status: &mut PetStatus) {
        status.store = observed.store.as_ref().map(|store| store.name().to_owned());
        let url = observed.store.as_ref().and_then(|store| super::base_url(store));
        if !matches!(observed.left_behind, LeftBehind::Unknown(_)) {
            status.conditions_mut().retain(|condition| condition.type_ != LEFT_BEHIND);
        }
        if observed.left_behind == LeftBehind::No {
            status.remote =
                url.filter(|_| observed.here.is_some()).map(|url| url.trim_end_matches('/').to_owned());
        }
    }

    fn phase(&self, pet: &Pet, checks: &Checks, status: &mut PetStatus) {
        let generation = pet.metadata.generation;
        for (condition, rule) in [("IdUnique", &pet::UNIQUE_ID), ("TagAllowed", &pet::TAG_ALLOWED)] {
            // A run that ends before the rules are checked leaves what was said.
            let Some(broken) = checks.breaks(rule) else { continue };
            let reason = if broken { ConditionReason::Invalid } else { ConditionReason::Valid };
            let since = status.conditions().iter().map(|one| one.last_transition_time.0).max();
            let now = since.unwrap_or(Timestamp::UNIX_EPOCH);
            let message = if broken { rule.summary } else { "" };
            status.set(condition, !broken, reason.as_str(), message, generation, now);
        }
        status.phase = Some(phase_of(status));
    }

    /// A pet that no service keeps leaves nothing behind.
    fn needs_finalizer(&self, pet: &Pet, observed: Option<&Observed>) -> bool {
        let Some(observed) = observed else { return true };
        let recorded = pet.status.as_ref().is_some_and(|status| status.remote.is_some());
        recorded || observed.has_service || observed.left_behind != LeftBehind::No
    }

    fn needs_ready(&self, _pet: &Pet, _store: &Reference) -> bool {
        // What a pet needs of its store it finds out itself.
        false
    }

    /// The store counts its pets.
    fn wakes(&self, ctx: &Context, versions: &[&Pet]) -> Vec<ObjectKey> {
        let stores = versions.iter().filter_map(|pet| store_of(ctx, pet).1);
        stores.map(|store| ObjectKey::of(&*store)).collect()
    }
}

/// The account at a service that a store used before. The store's own limits and key are not meant for it.
fn previous_account(namespace: &str, client: &Client) -> Account {
    let name = format!("{namespace} at {}", client.url());
    Account::new("petstore", name).with_credentials(client.credentials_digest())
}

fn store_of(ctx: &Context, pet: &Pet) -> (Stores, Option<Arc<PetStore>>) {
    let namespace = pet.metadata.namespace.as_deref().unwrap_or_default();
    let stores = Stores::around(ctx.lookup(), namespace, pet);
    let store = stores.store_of(pet).cloned();
    (stores, store)
}

/// That service has calls of its own to count, and that it fails hinders nothing here.
async fn left_behind(ctx: &Context, remote: &Remote, pet: &Pet) -> LeftBehind {
    let Some(client) = &remote.previous else { return LeftBehind::No };
    let ctx = ctx.elsewhere(&previous_account(&ctx.key().namespace, client));
    let ours = |found: &RemotePet| found.owner() == pet.metadata.uid.as_deref();
    match ctx.read("GET /pet/{id}", client.get(pet.spec.id, ctx.now())).await {
        Ok(found) if found.as_ref().is_some_and(ours) => LeftBehind::Yes,
        Ok(_) => LeftBehind::No,
        Err(failure) => LeftBehind::Unknown(format!(
            "it can't be told whether the pet is still at {}, which its store used before ({failure}); delete it there, and set the \
             annotation concierge.dev/abandon to delete the object",
            client.url()
        )),
    }
}

fn wanted(pet: &Pet, found: RemotePet) -> RemotePet {
    let owner = pet.metadata.uid.as_deref().unwrap_or_default();
    found.set(pet.spec.id, &pet.spec.name, pet.spec.tag.as_deref(), owner)
}

fn phase_of(status: &PetStatus) -> PetPhase {
    match status.condition(ConditionType::Ready.as_str()) {
        Some(ready) if ready.status == "True" => PetPhase::Active,
        Some(_) if breaks_rules(status) => PetPhase::Error,
        Some(ready) if ready.reason == ConditionReason::Held.as_str() => PetPhase::Inactive,
        Some(ready) if is_error(&ready.reason) => PetPhase::Error,
        _ => PetPhase::Pending,
    }
}

/// Whether somebody has to mend something before the object can get ready.
pub(super) fn is_error(reason: &str) -> bool {
    let errors = [
        ConditionReason::Invalid,
        ConditionReason::OwnedByOther,
        ConditionReason::Refused,
        ConditionReason::Unauthorised,
        ConditionReason::Unsupported,
    ];
    errors.iter().any(|error| error.as_str() == reason)
}
