//! What an environment is, next to what its Project says.

use std::sync::Arc;

use super::{
    CONTAINER, DeploymentMode, Environment, MODE, NAME, PROJECT_EXISTS, PROJECT_FULL, QUOTA, SOURCE_KNOWN,
    TYPE, mode,
};
use crate::{
    admission::{
        envelope::Operation,
        lookup::{Found, Lookup},
        problem::{Cause, Problems},
        reference::{Reference, referrers_key},
        review::Review,
    },
    catalyst::{
        bounds::{ALL_CONTAINERS, Amounts},
        config::EnvironmentConfig,
        project::{Project, Quota, source_key, template_key},
        quantity,
        sum::{Most, most_of},
        template::Template,
    },
    common::names::is_name,
    field::at,
    kind::Kind,
};

impl Environment {
    /// The Project, in the team's namespace; `None` when nothing can be called so. From another namespace than the project's it has to
    /// permit that, as any other target.
    pub fn project_reference(&self) -> Option<Reference> {
        let name = self.spec.project_ref.name.clone();
        let hierarchy = self.hierarchy()?;
        let namespace = hierarchy.team_namespace().filter(|_| is_name(&name))?;
        // Anybody can write a team's labels: where the Environment is says whether it is the team's.
        let in_place = self.metadata.namespace.as_deref() == Some(&hierarchy.project_namespace());
        Some(Reference {
            field: at("spec.projectRef.name"),
            kind: Project::NAME,
            namespace: Some(namespace),
            name,
            rule: &PROJECT_EXISTS,
            protects: true,
            implied: in_place,
        })
    }
}

/// The index keys of what an environment uses of its Project.
pub(super) fn keys(environment: &Environment) -> Vec<String> {
    let Some(Reference { namespace: Some(namespace), name, .. }) = environment.project_reference() else {
        return Vec::new();
    };
    let sources = environment.spec.sources.iter().flatten();
    let sources = sources.map(|source| source_key(&namespace, &name, &source.name));
    sources.chain([template_key(&namespace, &name, &environment.spec.kind)]).collect()
}

/// The longest name of a release of Helm's.
const LONGEST_RELEASE: usize = 53;

pub(super) fn check(review: &Review<'_, Environment>, problems: &mut Problems) {
    mode::check(&review.object.spec, problems);
    let Some(reference) = review.object.project_reference() else { return };
    let project = review.look_up(|lookup| find(review, lookup, &reference));
    let rules = [&TYPE, &MODE, &CONTAINER, &QUOTA, &SOURCE_KNOWN, &NAME];
    project.check(problems, "spec.type", &rules, |project, problems| {
        // One that is missing is the reference's problem.
        let Some(project) = project else { return };
        check_template(review.object, &project, problems);
        check_sources(review.object, &project, problems);
        check_quota(review.object, &project, problems);
    });
    if review.operation == Operation::Create {
        check_room(review, &reference, problems);
    }
}

fn find(
    review: &Review<'_, Environment>,
    lookup: &dyn Lookup,
    reference: &Reference,
) -> Option<Arc<Project>> {
    match review.find(lookup, reference) {
        Found::Present(project) if !project.terminating() => project.get(),
        _ => None,
    }
}

fn check_template(environment: &Environment, project: &Project, problems: &mut Problems) {
    let spec = &environment.spec;
    let template = spec.template(&project.spec);
    let mode = DeploymentMode::of(spec, template);
    let name = environment.metadata.name.as_deref().unwrap_or_default();
    if mode == DeploymentMode::Helm && name.len() > LONGEST_RELEASE {
        let message =
            "is the name of the chart's release too, which has up to 53 characters; choose a shorter one";
        problems.add(&NAME, Cause::Invalid, "metadata.name", message);
    }
    if mode == DeploymentMode::Workspace {
        return;
    }
    let Some(template) = template else {
        let names: Vec<_> = project.spec.templates.iter().flatten().map(|(name, _)| name.as_str()).collect();
        let remedy = match names.is_empty() {
            true => "which has none; add it to spec.templates there".to_owned(),
            false => format!("which has {}; use one of them, or add it there", names.join(", ")),
        };
        let message = format!("{:?} is no template of the Project, {remedy}", spec.kind);
        return problems.add(&TYPE, Cause::NotSupported, "spec.type", message);
    };
    match mode.template_type() {
        Some(needed) if needed != template.kind => {
            let message = format!(
                "{needed} does not fit the Project's template {:?}, which is of type {:?}; leave it out, or change the template",
                spec.kind, template.kind
            );
            problems.add(&MODE, Cause::NotSupported, "spec.deploymentMode", message);
        }
        _ => check_container(environment, template, mode, problems),
    }
}

fn check_container(
    environment: &Environment,
    template: &Template,
    mode: DeploymentMode,
    problems: &mut Problems,
) {
    let configs = [environment.spec.config.as_ref(), template.config.as_ref()];
    let none = |has: fn(&EnvironmentConfig) -> bool| !configs.into_iter().flatten().any(has);
    let is_run = matches!(mode, DeploymentMode::Development | DeploymentMode::Production);
    let needs = [
        ("image", is_run && none(has_image)),
        ("ports", mode == DeploymentMode::Development && none(has_port)),
    ];
    for (field, _) in needs.into_iter().filter(|(_, missing)| *missing) {
        let message = "is neither here nor in the config of the Project's template; set it in one of them";
        problems.add(&CONTAINER, Cause::Required, at("spec.config").field(field), message);
    }
}

fn has_image(config: &EnvironmentConfig) -> bool {
    config.image.as_deref().is_some_and(|image| !image.is_empty())
}

fn has_port(config: &EnvironmentConfig) -> bool {
    config.ports.as_deref().is_some_and(|ports| !ports.is_empty())
}

fn check_sources(environment: &Environment, project: &Project, problems: &mut Problems) {
    let names: Vec<_> = project.spec.sources.iter().map(|known| known.name.as_str()).collect();
    for (nth, source) in environment.spec.sources.iter().flatten().enumerate() {
        let name = source.name.as_str();
        if names.contains(&name) || name.is_empty() {
            continue;
        }
        let remedy = match names.is_empty() {
            true => "which has none; add it to spec.sources there".to_owned(),
            false => format!("which has {}; use one of them", names.join(", ")),
        };
        let message = format!("{name:?} is no source of the Project, {remedy}");
        problems.add(&SOURCE_KNOWN, Cause::NotFound, at("spec.sources").index(nth).field("name"), message);
    }
}

fn check_quota(environment: &Environment, project: &Project, problems: &mut Problems) {
    let template = environment.spec.template(&project.spec);
    // The others' containers are not those of the configuration.
    let mode = DeploymentMode::of(&environment.spec, template);
    if !matches!(mode, DeploymentMode::Development | DeploymentMode::Production) {
        return;
    }
    let template = template.and_then(|template| template.config.as_ref());
    let Most { cpu, memory } = most_of(environment.spec.config.as_ref(), template);
    let quota = project.spec.resources.as_ref().and_then(|resources| resources.default_quota.as_ref());
    let of = |get: fn(&Quota) -> Option<&String>| quota.and_then(get).map(String::as_str);
    let Amounts { cpu: usual_cpu, memory: usual_memory } = ALL_CONTAINERS;
    for (name, asked, allowed) in [
        ("CPUs", cpu, of(|quota| quota.cpu.as_ref()).unwrap_or(usual_cpu)),
        ("memory", memory, of(|quota| quota.memory.as_ref()).unwrap_or(usual_memory)),
    ] {
        if quantity::nanos(allowed).is_some_and(|allowed| asked > allowed) {
            let message = format!(
                "lets the containers use more {name} together than the quota of {allowed}; lower their resources, or raise resources.defaultQuota in the Project"
            );
            problems.add(&QUOTA, Cause::TooMany, "spec.config", message);
        }
    }
}

fn check_room(review: &Review<'_, Environment>, reference: &Reference, problems: &mut Problems) {
    let namespace = reference.namespace.as_deref().unwrap_or_default();
    let key = referrers_key(Project::NAME, namespace, &reference.name);
    let full = review.look_up(|lookup| {
        let most = find(review, lookup, reference)?.spec.environments.as_ref()?.max?;
        Some((most, lookup.count(Environment::NAME, &key).unwrap_or_default()))
    });
    full.check(problems, reference.field.clone(), &[&PROJECT_FULL], |found, problems| {
        let Some((most, held)) = found else { return };
        if i64::try_from(held).is_ok_and(|held| held >= most) {
            let message = format!(
                "is full with {held} of {most} Environments; delete one, or raise environments.max of the Project"
            );
            problems.add(&PROJECT_FULL, Cause::TooMany, reference.field.clone(), message);
        }
    });
}
