//! Claims follow the objects that hold them: stale ones are deleted, missing ones created.

use std::{collections::HashMap, sync::Arc, time::Duration};

use concierge_shared::{
    admission::{
        claim::{ClaimObject, ClaimSpec, Holder},
        review,
        rule::Level,
    },
    index::Stored,
};
use kube::{Resource, core::ApiResource};
use serde_json::{Value, json};

use crate::engine::{
    cluster::{ClusterError, Target, objects::ObjectKey},
    retry::spread,
    run::checks::winner,
    shared::Shared,
};

/// How often claims are put in order.
const CLAIMS: Duration = Duration::from_secs(300);
/// A claim younger than this may be of an object that is not stored yet: no admission takes longer.
const ADMISSION: Duration = Duration::from_secs(120);

/// Keeps claims in order while this process leads.
pub(crate) async fn keep(shared: Arc<Shared>, token: String) {
    loop {
        match repair_claims(&shared, &token).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "claims can't be put in order now"),
        }
        tokio::time::sleep(spread(CLAIMS, 0.2, &*shared.random)).await;
    }
}

async fn repair_claims(shared: &Shared, token: &str) -> Result<(), ClusterError> {
    let resource = ApiResource::erase::<ClaimObject>(&());
    let claims: Vec<ClaimObject> = shared
        .cluster
        .list(&resource)
        .await?
        .into_iter()
        .filter_map(|claim| serde_json::from_value(claim).ok())
        .collect();
    let wanted = wanted(shared);
    for claim in &claims {
        let name = claim.meta().name.clone().unwrap_or_default();
        if wanted.get(&name).is_none_or(|spec| *spec != claim.spec) {
            release(shared, token, claim).await?;
        }
    }
    let held: Vec<_> = claims.iter().filter_map(|claim| claim.meta().name.clone()).collect();
    for (name, spec) in wanted.iter().filter(|(name, _)| !held.contains(name)) {
        create(shared, token, name, spec).await?;
    }
    Ok(())
}

/// The claims that there should be, by name: of several holders, the oldest has it.
fn wanted(shared: &Shared) -> HashMap<String, ClaimSpec> {
    let context = review::Context {
        lookup: &*shared.objects,
        enforcement: &shared.settings.enforcement,
        settings: &shared.settings.rules,
    };
    let mut holders: HashMap<String, (ClaimSpec, Vec<Stored>)> = HashMap::new();
    for (driver, object) in shared.all().filter(|(_, object)| !object.terminating()) {
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
async fn release(shared: &Shared, token: &str, claim: &ClaimObject) -> Result<(), ClusterError> {
    let meta = claim.meta();
    let created = meta.creation_timestamp.as_ref().map_or(jiff::Timestamp::MIN, |time| time.0);
    let young = shared.clock.now().duration_since(created)
        < jiff::SignedDuration::try_from(ADMISSION).unwrap_or_default();
    if young || !leads(shared, token) || still_holds(shared, claim).await? {
        return Ok(());
    }
    let (uid, version) =
        (meta.uid.clone().unwrap_or_default(), meta.resource_version.clone().unwrap_or_default());
    let target = claim_target(meta.name.clone().unwrap_or_default());
    shared.metrics.write("Claim", "claim");
    match shared.cluster.delete(&target, &uid, &version).await {
        Ok(()) | Err(ClusterError::NotFound | ClusterError::Conflict) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads the holder live: the cache may be behind.
async fn still_holds(shared: &Shared, claim: &ClaimObject) -> Result<bool, ClusterError> {
    let Holder { kind, namespace, name, uid } = &claim.spec.holder;
    // A kind that is not reconciled here is somebody else's to tidy.
    let Some((kind, driver)) = shared.kinds.get_key_value(kind.as_str()) else { return Ok(true) };
    let Some(target) = shared.target(&ObjectKey::new(kind, namespace.clone(), name.clone())) else {
        return Ok(true);
    };
    let Some(live) = shared.cluster.get(&target).await?.and_then(|object| driver.read(object)) else {
        return Ok(false);
    };
    let claims = driver.claims(&live);
    let has_key = claims.iter().any(|one| one.rule.id == claim.spec.rule && one.key == claim.spec.key);
    Ok(live.meta().uid.as_ref() == Some(uid) && has_key)
}

async fn create(shared: &Shared, token: &str, name: &str, spec: &ClaimSpec) -> Result<(), ClusterError> {
    if !leads(shared, token) {
        return Ok(());
    }
    let object: Value = json!({
        "apiVersion": ClaimObject::api_version(&()),
        "kind": ClaimObject::kind(&()),
        "metadata": { "name": name },
        "spec": spec,
    });
    shared.metrics.write("Claim", "claim");
    match shared.cluster.create(&claim_target(name.to_owned()), &object).await {
        Ok(_) | Err(ClusterError::Exists) => Ok(()),
        Err(error) => Err(error),
    }
}

fn claim_target(name: String) -> Target {
    Target { resource: ApiResource::erase::<ClaimObject>(&()), namespace: String::new(), name }
}

fn leads(shared: &Shared, token: &str) -> bool {
    shared.term.borrow().as_ref().is_some_and(|term| term.token == token)
}
