//! The parts of an environment, in the order in which they come about, and how each stands.

use std::time::Duration;

use concierge_shared::{child::Child, status::ConditionReason};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};

use crate::engine::{
    ExtraCondition, Failure, Plan, Readiness,
    children::{ChildStep, Compared, FoundChild, Wanted, plan_children},
};

/// When others are asked again that did not answer as they should. What they said is remembered for a while, so that many environments
/// do not ask in a loop.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// A part of an environment: a condition tells of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Namespace,
    Policies,
    Credentials,
    Secrets,
    Source,
    Build,
    Deployment,
    Ingress,
}

impl Part {
    pub(super) const ALL: [Part; 8] = [
        Part::Namespace,
        Part::Policies,
        Part::Credentials,
        Part::Secrets,
        Part::Source,
        Part::Build,
        Part::Deployment,
        Part::Ingress,
    ];

    /// The type of its condition.
    pub(super) fn condition(self) -> &'static str {
        match self {
            Part::Namespace => "NamespaceReady",
            Part::Policies => "PoliciesReady",
            Part::Credentials => "CredentialsReady",
            Part::Secrets => "SecretsReady",
            Part::Source => "SourceReady",
            Part::Build => "BuildReady",
            Part::Deployment => "DeploymentReady",
            Part::Ingress => "IngressReady",
        }
    }
}

/// A child that is wanted, and the part that it is of.
#[derive(Clone, Debug)]
pub(super) struct PartOf {
    pub(super) part: Part,
    pub(super) wanted: Wanted,
}

/// What is wrong with a part that its children do not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) part: Part,
    /// One CamelCase word.
    pub(super) reason: &'static str,
    /// What is wrong, and what to do.
    pub(super) message: String,
    /// What it means for the environment as a whole; `None` for what it goes on without.
    pub(super) ready: Option<ConditionReason>,
    /// When to look again, where no watch tells that it is over.
    pub(super) again: Option<Again>,
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// After about this time.
    After(Duration),
    At(Timestamp),
}

impl Trouble {
    pub(super) fn new(
        part: Part,
        ready: ConditionReason,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { part, reason, message: message.into(), ready: Some(ready), again: None }
    }

    /// What somebody has to mend.
    pub(super) fn lasting(part: Part, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(part, ConditionReason::ChildFailed, reason, message)
    }

    /// What somebody who was asked has answered, or not.
    pub(super) fn of(part: Part, failure: &Failure) -> Self {
        let reason = failure.reason();
        let again = Some(Again::After(ASK_AGAIN));
        Self { again, ..Self::new(part, reason, reason.as_str(), failure.to_string()) }
    }

    /// The same, where what was known before does for now.
    pub(super) fn borne(self, kept: &str) -> Self {
        Self { message: format!("{}; {kept}", self.message), ready: None, ..self }
    }
}

/// What there is of an environment.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// What was looked at, in order.
    pub(super) compared: Vec<(Part, Compared)>,
    /// The parts of which something was not looked at yet, since what it is in is not there.
    pub(super) later: Vec<Part>,
    pub(super) troubles: Vec<Trouble>,
    /// What is under way beside what was looked at, and the part that it is of.
    pub(super) waits: Vec<(Part, String)>,
    /// The parts that are needed and have what they need, whether they have children or not.
    pub(super) met: Vec<Part>,
    /// What to do about children that are wanted no more.
    pub(super) unwanted: Vec<ChildStep>,
}

fn look_again(plan: Plan<ChildStep>, again: Again) -> Plan<ChildStep> {
    match again {
        Again::After(wait) => plan.look_again(wait),
        Again::At(due) => plan.at(due),
    }
}

/// Whether it is one that keeps pods running.
pub(super) fn is_workload(compared: &Compared) -> bool {
    let resource = compared.wanted.key().resource;
    resource == Child::of::<Deployment>() || resource == Child::of::<StatefulSet>()
}

impl Parts {
    /// The plan that makes all of it, with a condition for each part.
    pub(super) fn plan(&self) -> Plan<ChildStep> {
        let all: Vec<_> = self.compared.iter().map(|(_, compared)| compared.clone()).collect();
        let mut plan = plan_children(&all);
        plan.conditions = Part::ALL.map(|part| self.condition(part)).into();
        if let Some((reason, message)) = self.unready(&plan.readiness) {
            plan.readiness = Readiness::NotReady(reason, message);
        }
        let plan = self.troubles.iter().filter_map(|trouble| trouble.again).fold(plan, look_again);
        self.unwanted.iter().cloned().fold(plan, Plan::step)
    }

    /// What keeps the environment from being ready, if it is another thing than what `children` say.
    fn unready(&self, children: &Readiness) -> Option<(ConditionReason, String)> {
        let worst = self.troubles.iter().find_map(|one| Some((one.ready?, one.message.clone())));
        let wait = || {
            let first = self.waits.first().filter(|_| *children == Readiness::Ready);
            first.map(|(_, what)| (ConditionReason::Reconciling, what.clone()))
        };
        worst.or_else(wait)
    }

    fn condition(&self, part: Part) -> ExtraCondition {
        let of = |status, reason, message| ExtraCondition { kind: part.condition(), status, reason, message };
        if let Some(trouble) = self.troubles.iter().find(|trouble| trouble.part == part) {
            return of(false, trouble.reason, trouble.message.clone());
        }
        let own: Vec<_> =
            self.compared.iter().filter(|(of, _)| *of == part).map(|(_, one)| one.clone()).collect();
        match plan_children(&own).readiness {
            Readiness::NotReady(reason, message) => of(false, reason.as_str(), message),
            Readiness::Ready => self.beside_children(part, own.is_empty()),
        }
    }

    /// How a part stands whose children are all there and ready.
    fn beside_children(&self, part: Part, none: bool) -> ExtraCondition {
        let of = |status, reason, message| ExtraCondition { kind: part.condition(), status, reason, message };
        if let Some((_, what)) = self.waits.iter().find(|(of, _)| *of == part) {
            return of(false, ConditionReason::Reconciling.as_str(), what.clone());
        }
        match (self.later.contains(&part), none && !self.met.contains(&part)) {
            (true, _) => of(false, "Waiting", "waits for what comes before it".into()),
            (false, true) => of(true, "NotNeeded", String::new()),
            (false, false) => of(true, "Ready", String::new()),
        }
    }

    /// Whether there is a workload whose pods no watch of ours shows.
    pub(super) fn has_workload(&self) -> bool {
        let is_there =
            |found: &FoundChild| matches!(found, FoundChild::Same { .. } | FoundChild::Differs { .. });
        self.compared.iter().any(|(_, compared)| is_workload(compared) && is_there(&compared.found))
    }

    /// The uid of the namespace, when it is there and the environment's own.
    pub(super) fn namespace_uid(&self) -> Option<&str> {
        let (_, compared) = self.compared.iter().find(|(part, _)| *part == Part::Namespace)?;
        match &compared.found {
            FoundChild::Same { uid, .. } | FoundChild::Differs { uid, .. } => Some(uid),
            FoundChild::Absent | FoundChild::Foreign | FoundChild::Terminating => None,
        }
    }
}
