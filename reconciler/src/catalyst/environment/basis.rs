//! What wishes follow from, and what comes of it.

use std::collections::{BTreeMap, BTreeSet};

use concierge_runtime::cache::ChildKey;
use concierge_shared::{
    catalyst::{Build, Environment, EnvironmentConfig, Project, Template},
    status::ConditionReason,
};
use k8s_openapi::{Metadata, Resource, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::Serialize;

use super::{
    part::{Part, PartOf, Trouble},
    place::Place,
};
use crate::{
    catalyst::{attempt::Known, means::Means},
    engine::{Context, Failure, children::Wanted},
};

/// What wishes follow from.
#[derive(Clone, Copy)]
pub(super) struct Basis<'a> {
    pub(super) ctx: &'a Context,
    pub(super) place: &'a Place<'a>,
    pub(super) project: &'a Project,
    pub(super) means: &'a Means,
    /// The environment's children, as far as they are known.
    pub(super) known: &'a Known,
}

impl<'a> Basis<'a> {
    pub(super) fn environment(&self) -> &'a Environment {
        self.place.environment
    }

    /// The template by which the environment is deployed.
    pub(super) fn template(&self) -> Option<&'a Template> {
        self.place.environment.spec.template(&self.project.spec)
    }

    /// What the template says of containers, and the Environment over it.
    pub(super) fn config(&self) -> EnvironmentConfig {
        self.environment().spec.config_over(&self.project.spec)
    }

    /// The images that are built first.
    pub(super) fn builds(&self) -> &'a [Build] {
        self.environment().spec.builds(&self.project.spec)
    }

    /// The source that what is deployed stands in, where it stands in one.
    pub(super) fn deployed_from(&self) -> Option<&'a str> {
        self.place.environment.spec.deployed_from(&self.project.spec)
    }

    /// The sources that are needed, by name.
    pub(super) fn needed_sources(&self) -> BTreeSet<&'a str> {
        self.place.environment.spec.needed_sources(&self.project.spec)
    }

    /// The installation that may read the project's repositories.
    pub(super) fn installation(&self) -> Option<&'a str> {
        self.project.spec.github_installation_id.as_deref().filter(|id| !id.is_empty())
    }

    /// The namespace of the team.
    pub(super) fn team(&self) -> &'a str {
        self.project.metadata.namespace.as_deref().unwrap_or_default()
    }
}

/// What is wanted of an environment.
#[derive(Default)]
pub(super) struct Wishes {
    pub(super) all: Vec<PartOf>,
    /// What is neither made nor corrected, and stays.
    pub(super) kept: Vec<ChildKey>,
    pub(super) troubles: Vec<Trouble>,
    /// What is under way, and the part that it is of.
    pub(super) waits: Vec<(Part, String)>,
    /// The parts that are needed and not wanted yet.
    pub(super) later: Vec<Part>,
    /// The parts that have what they need without children.
    pub(super) met: Vec<Part>,
    pub(super) images: BTreeMap<String, String>,
    /// By source.
    pub(super) commits: BTreeMap<String, String>,
    /// Whether there is something that an address leads to.
    pub(super) has_address: bool,
    /// Whether more is wanted than is known yet: then nothing that there is can be said to be wanted no more.
    pub(super) stopped: bool,
}

impl Wishes {
    pub(super) fn add<T>(&mut self, environment: &Environment, part: Part, object: &T) -> Result<(), Failure>
    where
        T: Resource + Metadata<Ty = ObjectMeta> + Serialize,
    {
        self.all.push(PartOf { part, wanted: Wanted::new(environment, object)? });
        Ok(())
    }

    /// Notes that this part waits for what is under way.
    pub(super) fn wait(&mut self, part: Part, what: String) {
        self.waits.push((part, what));
    }

    /// Notes what keeps the environment from going on until an operator or a user mends it.
    pub(super) fn refuse(&mut self, part: Part, reason: &'static str, message: impl Into<String>) {
        self.stopped = true;
        self.troubles.push(Trouble::new(part, ConditionReason::Invalid, reason, message));
    }

    /// What comes after this part is not wanted yet.
    pub(super) fn stop_at(&mut self, part: Part, needed: &[Part]) {
        self.stopped = true;
        self.later = needed.iter().copied().filter(|later| *later > part).collect();
    }
}
