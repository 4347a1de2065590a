//! What the leader does beside the passes: counting, and keeping claims in order.

use std::{collections::HashMap, sync::Arc, time::Duration};

use concierge_shared::{
    admission::{
        claim::{ClaimObject, ClaimSpec, Holder},
        review::{self, Context},
        rule::Level,
    },
    index::Stored,
    status::intent::IntentState,
};
use kube::{Resource, core::ApiResource};
use serde_json::{Value, json};

use super::{
    checks::winner,
    cluster::{ClusterError, Target},
    hub::Hub,
    key::ObjectKey,
    metrics::{IntentLabels, ReadyLabels},
    next::spread,
};

/// How long a failed count waits.
const AGAIN: Duration = Duration::from_secs(2);
/// How often claims are put in order.
const CLAIMS: Duration = Duration::from_secs(300);
/// A claim younger than this may be of an object that is not stored yet: no admission takes longer.
const ADMISSION: Duration = Duration::from_secs(120);

/// Counts the calls under way that earlier leaders may have sent, from what is stored now.
pub(crate) async fn count_calls(hub: Arc<Hub>, token: String) {
    loop {
        match calls_under_way(&hub).await {
            Ok(found) => {
                tracing::info!(calls = found.len(), "calls under way are counted");
                return hub.calls.count(&token, found);
            }
            Err(error) => {
                tracing::warn!(%error, "the calls under way can't be counted; trying again");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn calls_under_way(hub: &Hub) -> Result<Vec<(String, String, ObjectKey)>, ClusterError> {
    let mut found = Vec::new();
    for driver in hub.kinds.values().filter(|driver| driver.has_intents()) {
        for object in hub.cluster.list(&driver.resource()).await? {
            let Some(object) = driver.read(object) else { continue };
            let intent = driver.intent(&object).filter(|intent| intent.state != IntentState::Abandoned);
            found.extend(intent.map(|intent| (intent.account, intent.fingerprint, ObjectKey::from(&object))));
        }
    }
    Ok(found)
}

/// Sets the gauges that follow from the cache.
pub(crate) fn count(hub: &Hub) {
    let mut ready: HashMap<ReadyLabels, i64> = HashMap::new();
    let mut intents: HashMap<IntentLabels, i64> = HashMap::new();
    for kind in hub.kinds.keys() {
        for state in ["true", "false"] {
            ready.insert(ReadyLabels { kind, ready: state }, 0);
        }
        for state in ["open", "unknown", "held", "abandoned"] {
            intents.insert(IntentLabels { kind, state }, 0);
        }
    }
    for (driver, object) in hub.all() {
        let is_ready = if driver.is_ready(&object) == Some(true) { "true" } else { "false" };
        *ready.entry(ReadyLabels { kind: object.kind(), ready: is_ready }).or_default() += 1;
        if let Some(intent) = driver.intent(&object) {
            let state = match intent.state {
                IntentState::Open => "open",
                IntentState::Unknown => "unknown",
                IntentState::Held => "held",
                IntentState::Abandoned => "abandoned",
            };
            *intents.entry(IntentLabels { kind: object.kind(), state }).or_default() += 1;
        }
    }
    for (labels, count) in ready {
        hub.metrics.objects.get_or_create(&labels).set(count);
    }
    for (labels, count) in intents {
        hub.metrics.intents.get_or_create(&labels).set(count);
    }
}

/// Keeps claims in order while this process leads.
pub(crate) async fn keep_claims(hub: Arc<Hub>, token: String) {
    loop {
        match tidy_claims(&hub, &token).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "claims can't be put in order now"),
        }
        tokio::time::sleep(spread(CLAIMS, 0.2, &*hub.random)).await;
    }
}

async fn tidy_claims(hub: &Hub, token: &str) -> Result<(), ClusterError> {
    let resource = ApiResource::erase::<ClaimObject>(&());
    let claims: Vec<ClaimObject> = hub
        .cluster
        .list(&resource)
        .await?
        .into_iter()
        .filter_map(|claim| serde_json::from_value(claim).ok())
        .collect();
    let wanted = wanted(hub);
    for claim in &claims {
        let name = claim.meta().name.clone().unwrap_or_default();
        if wanted.get(&name).is_none_or(|spec| *spec != claim.spec) {
            release(hub, token, claim).await?;
        }
    }
    let held: Vec<_> = claims.iter().filter_map(|claim| claim.meta().name.clone()).collect();
    for (name, spec) in wanted.iter().filter(|(name, _)| !held.contains(name)) {
        create(hub, token, name, spec).await?;
    }
    Ok(())
}

/// The claims that there should be, by name: of several holders, the oldest has it.
fn wanted(hub: &Hub) -> HashMap<String, ClaimSpec> {
    let context = Context {
        lookup: &*hub.objects,
        enforcement: &hub.settings.enforcement,
        settings: &hub.settings.rules,
    };
    let mut holders: HashMap<String, (ClaimSpec, Vec<Stored>)> = HashMap::new();
    for (driver, object) in hub.all().filter(|(_, object)| !object.terminating()) {
        for claim in driver.claims(&object) {
            if review::level(&context, object.namespace(), claim.rule) == Level::Deny {
                let spec =
                    ClaimSpec { rule: claim.rule.id.into(), key: claim.key.clone(), holder: holder(&object) };
                holders.entry(claim.object_name()).or_insert((spec, Vec::new())).1.push(object.clone());
            }
        }
    }
    let decided = holders.into_iter().filter_map(|(name, (spec, objects))| {
        let holder = holder(winner(&objects)?);
        Some((name, ClaimSpec { holder, ..spec }))
    });
    decided.collect()
}

fn holder(object: &Stored) -> Holder {
    Holder {
        kind: object.kind().into(),
        namespace: object.namespace().into(),
        name: object.name().into(),
        uid: object.meta().uid.clone().unwrap_or_default(),
    }
}

/// Deletes a claim whose holder is gone or no longer has the key, once that is certain.
async fn release(hub: &Hub, token: &str, claim: &ClaimObject) -> Result<(), ClusterError> {
    let meta = claim.meta();
    let created = meta.creation_timestamp.as_ref().map_or(jiff::Timestamp::MIN, |time| time.0);
    let young = hub.clock.now().duration_since(created)
        < jiff::SignedDuration::try_from(ADMISSION).unwrap_or_default();
    if young || !leads(hub, token) || still_holds(hub, claim).await? {
        return Ok(());
    }
    let (uid, version) =
        (meta.uid.clone().unwrap_or_default(), meta.resource_version.clone().unwrap_or_default());
    let target = claim_target(meta.name.clone().unwrap_or_default());
    hub.metrics.write("Claim", "claim");
    match hub.cluster.delete(&target, &uid, &version).await {
        Ok(()) | Err(ClusterError::NotFound | ClusterError::Conflict) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads the holder live: the cache may be behind.
async fn still_holds(hub: &Hub, claim: &ClaimObject) -> Result<bool, ClusterError> {
    let Holder { kind, namespace, name, uid } = &claim.spec.holder;
    // A kind that is not reconciled here is somebody else's to tidy.
    let Some((kind, driver)) = hub.kinds.get_key_value(kind.as_str()) else { return Ok(true) };
    let Some(target) = hub.target(&ObjectKey::new(kind, namespace.clone(), name.clone())) else {
        return Ok(true);
    };
    let Some(live) = hub.cluster.get(&target).await?.and_then(|object| driver.read(object)) else {
        return Ok(false);
    };
    let claims = driver.claims(&live);
    let has_key = claims.iter().any(|one| one.rule.id == claim.spec.rule && one.key == claim.spec.key);
    Ok(live.meta().uid.as_ref() == Some(uid) && has_key)
}

async fn create(hub: &Hub, token: &str, name: &str, spec: &ClaimSpec) -> Result<(), ClusterError> {
    if !leads(hub, token) {
        return Ok(());
    }
    let object: Value = json!({
        "apiVersion": ClaimObject::api_version(&()),
        "kind": ClaimObject::kind(&()),
        "metadata": { "name": name },
        "spec": spec,
    });
    hub.metrics.write("Claim", "claim");
    match hub.cluster.create(&claim_target(name.to_owned()), &object).await {
        Ok(_) | Err(ClusterError::Exists) => Ok(()),
        Err(error) => Err(error),
    }
}

fn claim_target(name: String) -> Target {
    Target { resource: ApiResource::erase::<ClaimObject>(&()), namespace: String::new(), name }
}

fn leads(hub: &Hub, token: &str) -> bool {
    hub.term.borrow().as_ref().is_some_and(|term| term.token == token)
}
