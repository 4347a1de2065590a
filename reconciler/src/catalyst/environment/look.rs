//! What there is of an environment.

use concierge_shared::{
    catalyst::{Environment, Project},
    child::Child,
};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;

use super::{
    Here,
    part::{Part, PartOf, Parts, Trouble},
    place::Place,
    pods,
    wishes::{self, Wishes},
    workload::POD_LABEL,
};
use crate::engine::{
    Context, Deletion, Failure,
    children::{
        ChildHealth, ChildStep, Compared, FoundChild, Wanted, plan_child_deletion, unwanted_children,
    },
};

/// What is left of an environment that is to go. What does not bear its mark is not its own, whatever its labels say.
pub(super) async fn leaving(
    ctx: &Context,
    environment: &Environment,
) -> Result<Deletion<ChildStep>, Failure> {
    Ok(plan_child_deletion(&ctx.stored_children(environment).await?))
}

pub(super) async fn here(ctx: &Context, environment: &Environment) -> Result<Here, Failure> {
    let known = ctx.children(environment)?;
    let hierarchy = environment.hierarchy().ok_or_else(|| Failure::Invalid(NO_LABELS.into()))?;
    let namespace = hierarchy.target_namespace().ok_or_else(|| Failure::Invalid(NO_LABELS.into()))?;
    let project = project(ctx, environment)?;
    let settings = &ctx.rules().catalyst;
    let place = Place { namespace: &namespace, hierarchy, environment, settings };
    let Wishes { all, trouble, images, has_address, complete } = wishes::of(ctx, &place, &project).await?;

    let wanted: Vec<Wanted> = all.iter().map(|one| one.wanted.clone()).collect();
    let (compared, later) = compare(ctx, environment, all).await?;
    let trouble = match trouble {
        Some(trouble) => Some(trouble),
        None => trouble_of(ctx, &place, &compared).await?,
    };
    // Of what is not all known, nothing is wanted no more. A volume has data: it goes with its namespace only.
    let is_claim = |step: &ChildStep| matches!(step, ChildStep::Delete { key, .. } if key.resource == Child::of::<PersistentVolumeClaim>());
    let mut unwanted = if complete { unwanted_children(&known, &wanted) } else { Vec::new() };
    unwanted.retain(|step| !is_claim(step));
    Ok(Here {
        url: place.address().filter(|_| has_address).map(|host| format!("https://{host}/")),
        images,
        parts: Parts { compared, later, trouble, unwanted },
        expiry: None,
        tell: false,
        expire: false,
        namespace,
    })
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
    let usable = |one: &Compared| !matches!(one.found, FoundChild::Foreign | FoundChild::Terminating);
    if !compared.iter().all(usable) {
        let later = parts.iter().skip(1).copied().collect();
        return Ok((parts.into_iter().zip(compared).collect(), later));
    }
    compared.extend(ctx.compare_children(environment, rest).await?);
    Ok((parts.into_iter().zip(compared).collect(), Vec::new()))
}

/// What keeps the workloads from becoming ready.
async fn trouble_of(
    ctx: &Context,
    place: &Place<'_>,
    compared: &[(Part, Compared)],
) -> Result<Option<Trouble>, Failure> {
    let unready: Vec<_> = compared.iter().filter_map(|(part, one)| unready_workload(*part, one)).collect();
    if unready.is_empty() {
        return Ok(None);
    }
    let selector = format!("{POD_LABEL}={}", place.uid());
    let of_pods = pods::trouble(&pods::of(ctx, place, &selector).await?);
    Ok(of_pods.or_else(|| unready.iter().find_map(|message| pods::explained(message))))
}

/// What is said of a workload that is there and not ready.
fn unready_workload(part: Part, compared: &Compared) -> Option<String> {
    let (FoundChild::Same { health, .. } | FoundChild::Differs { health, .. }) = &compared.found else {
        return None;
    };
    match (part, health) {
        (Part::Deployment, ChildHealth::Progressing(message)) => Some(message.clone()),
        (Part::Deployment, ChildHealth::Failed { reason, message }) => {
            Some(format!("{} has failed: {reason}: {message}", compared.wanted.key()))
        }
        _ => None,
    }
}
