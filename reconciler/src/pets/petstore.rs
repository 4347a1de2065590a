//! A store: how many pets it has, whether they may be there, and whether its service answers.

use std::convert::Infallible;

use concierge_shared::{
    admission::{review::abridged_of, seen::FEW},
    kind::Kind,
    pets::{Pet, PetStore, PetStorePhase, PetStoreSpec, PetStoreStatus, Stores, free_pets_key},
    status::{ConditionType, Conditions},
};
use jiff::{SignedDuration, Timestamp};

use super::{Services, account, all_known, client::Client, pet::is_error};
use crate::engine::{
    Account, Checks, Context, Deletion, ExtraCondition, Failure, Guard, ObjectKey, Outcome, Plan, Reconcile,
};

/// `status.lastSync` is not moved more often than this while nothing changes.
const LAST_SYNC: SignedDuration = SignedDuration::from_hours(1);

pub(super) struct PetStoreReconciler {
    pub(super) services: Services,
}

pub(super) struct Observed {
    pets: usize,
    /// How many pets have tags that the store does not allow, and the first of them by name.
    refused: (usize, Vec<String>),
    has_service: bool,
    at: Timestamp,
}

impl Reconcile for PetStoreReconciler {
    type Kind = PetStore;
    type Remote = Option<Client>;
    type Observed = Observed;
    type Step = Infallible;
    const NEEDS_SECRETS: bool = true;

    async fn connect(&self, ctx: &Context, store: &PetStore) -> Result<(Account, Option<Client>), Failure> {
        let client = self.services.of(ctx, store).await?;
        let account = client.as_ref().map_or_else(Account::none, |client| account(store, client));
        Ok((account, client))
    }

    async fn observe(
        &self,
        ctx: &Context,
        remote: &Option<Client>,
        store: &PetStore,
    ) -> Result<Observed, Failure> {
        if let Some(client) = remote {
            ctx.read("GET /store/inventory", client.inventory(ctx.now())).await?;
        }
        all_known(ctx)?;
        let stores = Stores::of(ctx.lookup(), store.metadata.namespace.as_deref().unwrap_or_default());
        Ok(Observed {
            pets: stores.count_pets(ctx.lookup(), store),
            refused: refused(ctx, &stores, store),
            has_service: remote.is_some(),
            at: ctx.now(),
        })
    }

    fn plan(&self, store: &PetStore, observed: &Observed, _now: Timestamp) -> Plan<Infallible> {
        let mut plan = Plan::ready();
        plan.conditions.push(capacity(store, observed));
        plan.conditions.push(match &observed.refused {
            (0, _) => extra("TagsCompliant", true, "Compliant", String::new()),
            (count, first) => {
                let pets =
                    if first.is_empty() { format!("{count} pets") } else { abridged_of(first, *count) };
                let message = format!("the tags of {pets} are not allowed; change them, or allow them");
                extra("TagsCompliant", false, "TagsNotAllowed", message)
            }
        });
        plan.conditions.push(match observed.has_service {
            true => extra("SyncComplete", true, "ServiceReached", String::new()),
            false => extra("SyncComplete", true, "NoService", "spec.endpoints.baseUrl is not set".into()),
        });
        plan
    }

    async fn act(
        &self,
        _guard: &Guard,
        _remote: &Option<Client>,
        _store: &PetStore,
        step: &Infallible,
    ) -> Result<Outcome, Failure> {
        match *step {}
    }

    fn plan_deletion(
        &self,
        _store: &PetStore,
        _observed: &Observed,
        _now: Timestamp,
    ) -> Deletion<Infallible> {
        Deletion::Gone
    }

    fn report(&self, _store: &PetStore, observed: &Observed, status: &mut PetStoreStatus) {
        let count = i64::try_from(observed.pets).ok();
        let last = status.last_sync.as_deref().and_then(|last| last.parse::<Timestamp>().ok());
        let old = last.is_none_or(|last| observed.at.duration_since(last) > LAST_SYNC);
        if status.pet_count != count || old {
            status.last_sync = Some(observed.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        }
        status.pet_count = count;
    }

    fn phase(&self, _store: &PetStore, _: &Checks, status: &mut PetStoreStatus) {
        let over = status.condition("CapacityAvailable").is_some_and(|one| one.reason == "OverCapacity");
        let refused = status.condition("TagsCompliant").is_some_and(|one| one.status == "False");
        let ready = status.condition(ConditionType::Ready.as_str());
        status.phase = Some(match ready {
            Some(ready) if is_error(&ready.reason) => PetStorePhase::Error,
            Some(ready) if ready.status == "True" && (over || refused) => PetStorePhase::Degraded,
            Some(ready) if ready.status == "True" => PetStorePhase::Ready,
            _ => PetStorePhase::Initializing,
        });
    }

    fn needs_finalizer(&self, _store: &PetStore, _: Option<&Observed>) -> bool {
        false
    }

    fn secrets(&self, store: &PetStore) -> Vec<(String, String)> {
        let namespace = store.metadata.namespace.clone().unwrap_or_default();
        let key = store.spec.security.as_ref().and_then(|security| security.api_key_secret_ref.as_ref());
        key.map(|key| (namespace, key.name.clone())).into_iter().collect()
    }

    /// The pets that name no store may belong to another one now, which then counts them. There may be ten thousand: nobody asks them
    /// because of a description.
    fn wakes(&self, ctx: &Context, versions: &[&PetStore]) -> Vec<ObjectKey> {
        let store = match versions {
            [old, new] if seen_by_pets(old) == seen_by_pets(new) => return Vec::new(),
            [.., store] => store,
            [] => return Vec::new(),
        };
        let namespace = store.metadata.namespace.as_deref().unwrap_or_default();
        let pets = ctx.lookup().select_in(Pet::NAME, namespace, &free_pets_key(namespace)).objects;
        let stores = Stores::of(ctx.lookup(), namespace);
        let others = stores.iter().filter(|other| other.name() != store.name());
        pets.iter().map(ObjectKey::from).chain(others.map(ObjectKey::of)).collect()
    }
}

/// What matters of a store to pets: whether it is there and they may be in it, and the service that keeps them.
fn seen_by_pets(store: &PetStore) -> impl PartialEq {
    let PetStoreSpec { endpoints, security, rate_limit, .. } = &store.spec;
    let meta = (&store.metadata.uid, store.metadata.deletion_timestamp.is_some());
    let room = (store.allowed_tags(), store.requires_tag(), store.max_pets());
    (meta, room, (endpoints, security, rate_limit))
}

/// How many pets have tags that the store does not allow, and the first of them. They are looked for only when there are any.
fn refused(ctx: &Context, stores: &Stores, store: &PetStore) -> (usize, Vec<String>) {
    let count = stores.count_refused(ctx.lookup(), store);
    if count == 0 {
        return (0, Vec::new());
    }
    let first = stores.first_refused(ctx.lookup(), store);
    let mut names: Vec<_> = first.iter().map(|pet| pet.name().to_owned()).collect();
    names.sort();
    names.truncate(FEW);
    (count, names)
}

fn capacity(store: &PetStore, observed: &Observed) -> ExtraCondition {
    let (pets, most) = (observed.pets, store.max_pets());
    match pets.cmp(&most) {
        std::cmp::Ordering::Less => extra("CapacityAvailable", true, "Available", String::new()),
        std::cmp::Ordering::Equal => {
            extra("CapacityAvailable", false, "Full", format!("{pets} of {most} pets"))
        }
        std::cmp::Ordering::Greater => {
            let message = format!("{pets} pets, {} more than maxPets; the newest are Inactive", pets - most);
            extra("CapacityAvailable", false, "OverCapacity", message)
        }
    }
}

fn extra(kind: &'static str, status: bool, reason: &'static str, message: String) -> ExtraCondition {
    ExtraCondition { kind, status, reason, message }
}
