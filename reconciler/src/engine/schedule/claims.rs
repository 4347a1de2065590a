//! Claims follow the objects that hold them: stale ones are deleted, missing ones created.

use std::{collections::HashMap, sync::Arc, time::Duration};

use concierge_shared::{
    admission::{
        claim::{Claim, ClaimObject, ClaimSpec, Holder, Standing},
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

/// Keeps claims in order while this process leads.
pub(crate) async fn keep(shared: Arc<Shared>, fencing_token: String) {
    loop {
        match repair_claims(&shared, &fencing_token).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "claims can't be put in order now"),
        }
        tokio::time::sleep(spread(CLAIMS, 0.2, &*shared.random)).await;
    }
}

async fn repair_claims(shared: &Shared, fencing_token: &str) -> Result<(), ClusterError> {
    let resource = ApiResource::erase::<ClaimObject>(&());
    let (mut missing, mut others) = (wanted(shared), Vec::new());
    // There is one for nearly every object: only those that are not as they should be are kept.
    let mut visit = |claim| {
        let Ok(claim) = serde_json::from_value::<ClaimObject>(claim) else { return };
        let wanted = missing.remove(claim.meta().name.as_deref().unwrap_or_default());
        if wanted.as_ref().is_none_or(|spec| spec.holder != claim.spec.holder) {
            others.push((claim, wanted));
        }
    };
    shared.cluster.for_each(&resource, "", &mut visit).await?;
    for (claim, wanted) in others {
        if release(shared, fencing_token, &claim).await? {
            missing.extend(wanted.map(|spec| (claim.meta().name.clone().unwrap_or_default(), spec)));
        }
    }
    for (name, spec) in &missing {
        create(shared, fencing_token, name, spec).await?;
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
    let mut holders: HashMap<String, (Claim, Vec<Stored>)> = HashMap::new();
    for (reader, object) in shared.all().filter(|(_, object)| !object.terminating()) {
        for claim in reader.claims(&object) {
            if review::level(&context, object.namespace(), claim.rule) == Level::Deny {
                let name = claim.object_name();
                holders.entry(name).or_insert((claim, Vec::new())).1.push(object.clone());
            }
        }
    }
    let decided = holders.into_iter();
    decided.filter_map(|(name, (claim, objects))| Some((name, spec(&claim, winner(&objects)?)))).collect()
}

fn spec(claim: &Claim, holder: &Stored) -> ClaimSpec {
    let meta = holder.meta();
    ClaimSpec {
        rule: claim.rule.id.into(),
        key: claim.key.clone(),
        holder: Holder {
            kind: holder.kind().into(),
            namespace: holder.namespace().into(),
            name: holder.name().into(),
            uid: meta.uid.clone().unwrap_or_default(),
        },
        replaces: meta.resource_version.clone(),
    }
}

/// Deletes a claim that is nobody's, once that is certain; whether it is gone.
async fn release(shared: &Shared, fencing_token: &str, claim: &ClaimObject) -> Result<bool, ClusterError> {
    let Holder { kind, namespace, name, .. } = &claim.spec.holder;
    // A kind that is not reconciled here is somebody else's to tidy.
    let Some((kind, reader)) = shared.kinds.get_key_value(kind.as_str()) else { return Ok(false) };
    let Some(target) = shared.target(&ObjectKey::new(kind, namespace.clone(), name.clone())) else {
        return Ok(false);
    };
    // Read live: the cache may be behind.
    let live = match shared.cluster.get(&target).await?.map(|object| reader.read(&object)) {
        // What can't be read may have the value.
        Some(None) => return Ok(false),
        live => live.flatten(),
    };
    let now = shared.cluster.time(shared.clock.now());
    if !matches!(claim.standing(live, now), Standing::Free) || !leads(shared, fencing_token) {
        return Ok(false);
    }
    let meta = claim.meta();
    let (uid, version) =
        (meta.uid.clone().unwrap_or_default(), meta.resource_version.clone().unwrap_or_default());
    let target = claim_target(meta.name.clone().unwrap_or_default());
    shared.metrics.write("Claim", "claim");
    match shared.cluster.delete(&target, &uid, &version).await {
        Ok(()) | Err(ClusterError::NotFound) => Ok(true),
        Err(ClusterError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn create(
    shared: &Shared,
    fencing_token: &str,
    name: &str,
    spec: &ClaimSpec,
) -> Result<(), ClusterError> {
    if !leads(shared, fencing_token) {
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

fn leads(shared: &Shared, fencing_token: &str) -> bool {
    shared.term.borrow().as_ref().is_some_and(|term| term.token == fencing_token)
}
