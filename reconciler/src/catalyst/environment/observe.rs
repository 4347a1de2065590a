//! What there is of an environment.

use std::collections::BTreeMap;

use concierge_runtime::cache::{ChildKey, ChildSeen};
use concierge_shared::{
    catalyst::{Environment, Project},
    child::Child,
    status::ConditionReason,
};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};

use super::{
    Here,
    basis::{Basis, Wishes},
    part::{Part, PartOf, Parts, Trouble, is_workload},
    place::{self, Place},
    pods, wishes,
    workload::POD_LABEL,
};
use crate::{
    catalyst::{self, means::Means},
    engine::{
        Context, Deletion, Failure,
        children::{
            ChildHealth, ChildStep, Compared, FoundChild, Wanted, plan_child_deletion, unwanted_children,
        },
    },
};

/// What is left of an environment that is to go. What does not bear its mark is not its own, whatever its labels say.
pub(super) async fn leaving(
    ctx: &Context,
    environment: &Environment,
) -> Result<Deletion<ChildStep>, Failure> {
    Ok(plan_child_deletion(&ctx.stored_children(environment).await?))
}

pub(super) async fn here(ctx: &Context, means: &Means, environment: &Environment) -> Result<Here, Failure> {
    let known = ctx.children(environment)?;
    let hierarchy = environment.hierarchy().ok_or_else(|| Failure::Invalid(NO_LABELS.into()))?;
    let namespace = hierarchy.target_namespace().ok_or_else(|| Failure::Invalid(NO_LABELS.into()))?;
    let settings = &ctx.rules().catalyst;
    let place = Place { namespace: &namespace, hierarchy, environment, settings };
    if let Some(before) = before(environment, &known, &namespace) {
        return moving(ctx, &place, before).await;
    }
    let project = project(ctx, environment)?;
    let basis = Basis { ctx, place: &place, project: &project, means, known: &known };
    let Wishes { all, kept, mut troubles, waits, later, met, images, commits, has_address, stopped } =
        wishes::of(&basis).await?;

    let wanted: Vec<Wanted> = all.iter().map(|one| one.wanted.clone()).collect();
    let (compared, out_of_reach) = compare(ctx, environment, all).await?;
    if troubles.iter().all(|trouble| trouble.ready.is_none()) {
        troubles.extend(trouble_of(ctx, &place, &compared).await?);
    }
    // Of what is not all known, nothing is wanted no more. A volume has data: it goes with its namespace only.
    let is_claim = |step: &ChildStep| matches!(step, ChildStep::Delete { key, .. } if key.resource == Child::of::<PersistentVolumeClaim>());
    let is_kept = |step: &ChildStep| matches!(step, ChildStep::Delete { key, .. } if kept.contains(key));
    let mut unwanted = if stopped { Vec::new() } else { unwanted_children(&known, &wanted) };
    unwanted.retain(|step| !is_claim(step) && !is_kept(step));
    let later = [later, out_of_reach].concat();
    let is_going = compared.first().is_some_and(|(_, one)| one.found == FoundChild::Terminating);
    Ok(Here {
        url: place.address().filter(|_| has_address).map(|host| format!("https://{host}/")),
        images: with_before(environment, stopped, images),
        commits,
        parts: Parts { compared, later, troubles, waits, met, unwanted },
        expiry: None,
        tell: false,
        namespace: (!is_going).then_some(namespace),
    })
}

/// The namespace that it had under other labels, while that is there.
fn before<'a>(
    environment: &Environment,
    known: &'a [(ChildKey, ChildSeen)],
    now: &str,
) -> Option<&'a (ChildKey, ChildSeen)> {
    let before = environment.status.as_ref()?.namespace.as_deref().filter(|before| *before != now)?;
    known.iter().find(|(key, _)| key.resource == Child::of::<Namespace>() && key.name == before)
}

/// Nothing but its name in the status leads to the namespace that it had before, so that one goes before another is made. Its volumes go
/// with it, so it stays while the new name is another's.
async fn moving(ctx: &Context, place: &Place<'_>, before: &(ChildKey, ChildSeen)) -> Result<Here, Failure> {
    let environment = place.environment;
    let wanted = Wanted::new(environment, &place::namespace(place))?;
    let compared = ctx.compare_children(environment, vec![wanted]).await?;
    let is_free = compared.iter().all(is_usable);
    let parts = if is_free { going(before) } else { taken(compared) };
    let url = environment.status.as_ref().and_then(|status| status.url.clone());
    Ok(Here {
        namespace: Some(before.0.name.clone()),
        url: url.filter(|_| !is_free),
        images: with_before(environment, true, BTreeMap::new()),
        parts: Parts {
            later: Part::ALL.into_iter().filter(|part| *part != Part::Namespace).collect(),
            ..parts
        },
        ..Here::default()
    })
}

/// The namespace of before goes.
fn going(before: &(ChildKey, ChildSeen)) -> Parts {
    let (key, reason) = (&before.0, ConditionReason::Reconciling);
    let message = format!("waits until {key}, which it had under other labels, is gone");
    Parts {
        troubles: vec![Trouble::new(Part::Namespace, reason, reason.as_str(), message)],
        unwanted: unwanted_children(std::slice::from_ref(before), &[]),
        ..Parts::default()
    }
}

/// There is something of the new name that can't be used: its condition says what.
fn taken(compared: Vec<Compared>) -> Parts {
    Parts { compared: compared.into_iter().map(|one| (Part::Namespace, one)).collect(), ..Parts::default() }
}

/// Images of which it is not known yet whether they are still wanted stay in the status.
fn with_before(
    environment: &Environment,
    stopped: bool,
    images: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let before = environment.status.as_ref().and_then(|status| status.images.clone());
    let mut all = before.filter(|_| stopped).unwrap_or_default();
    all.extend(images);
    all
}

const NO_LABELS: &str = "the labels catalyst.dev/team, catalyst.dev/project and catalyst.dev/environment make no name of a namespace; set them";

fn project(ctx: &Context, environment: &Environment) -> Result<std::sync::Arc<Project>, Failure> {
    let missing = || Failure::DependencyMissing("the Project can't be found; create it".into());
    let reference = environment.project_reference().ok_or_else(missing)?;
    ctx.get::<Project>(reference.namespace.as_deref().unwrap_or_default(), &reference.name)
        .ok_or_else(missing)
}

/// What there is of each, in order; and the parts of which something is not looked at, since the namespace is another's, or about to go.
async fn compare(
    ctx: &Context,
    environment: &Environment,
    all: Vec<PartOf>,
) -> Result<(Vec<(Part, Compared)>, Vec<Part>), Failure> {
    let parts: Vec<_> = all.iter().map(|one| one.part).collect();
    let mut wanted: Vec<_> = all.into_iter().map(|one| one.wanted).collect();
    let rest = wanted.split_off(1.min(wanted.len()));
    let mut compared = ctx.compare_children(environment, wanted).await?;
    if !compared.iter().all(is_usable) {
        let later = parts.iter().skip(1).copied().collect();
        return Ok((parts.into_iter().zip(compared).collect(), later));
    }
    compared.extend(ctx.compare_children(environment, rest).await?);
    Ok((parts.into_iter().zip(compared).collect(), Vec::new()))
}

/// Whether it is ours, or can be made.
fn is_usable(one: &Compared) -> bool {
    !matches!(one.found, FoundChild::Foreign | FoundChild::Terminating)
}

/// What keeps the workloads from becoming ready.
async fn trouble_of(
    ctx: &Context,
    place: &Place<'_>,
    compared: &[(Part, Compared)],
) -> Result<Option<Trouble>, Failure> {
    let workloads = compared.iter().filter(|(_, one)| is_workload(one));
    let unready: Vec<_> = workloads.filter_map(|(_, one)| unready_workload(one)).collect();
    if unready.is_empty() {
        return Ok(None);
    }
    let selector = format!("{POD_LABEL}={}", place.uid());
    let of_pods = pods::trouble(&catalyst::pods::of(ctx, place.namespace, &selector).await?);
    Ok(of_pods.or_else(|| unready.iter().find_map(|message| pods::explained(message))))
}

/// What is said of a workload that is there and not ready.
fn unready_workload(compared: &Compared) -> Option<String> {
    let (FoundChild::Same { health, .. } | FoundChild::Differs { health, .. }) = &compared.found else {
        return None;
    };
    match health {
        ChildHealth::Progressing(message) => Some(message.clone()),
        ChildHealth::Failed { reason, message } => {
            Some(format!("{} has failed: {reason}: {message}", compared.wanted.key()))
        }
        ChildHealth::Ready => None,
    }
}
