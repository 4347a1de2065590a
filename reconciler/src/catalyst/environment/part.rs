//! The parts of an environment, in the order in which they come about, and how each stands.

use concierge_shared::status::ConditionReason;

use crate::engine::{
    ExtraCondition, Plan, Readiness,
    children::{ChildStep, Compared, FoundChild, Wanted, plan_children},
};

/// A part of an environment: a condition tells of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// What keeps a part from being ready that its children do not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) part: Part,
    /// One CamelCase word.
    pub(super) reason: &'static str,
    /// What is wrong, and what to do.
    pub(super) message: String,
    /// Whether it can't pass by itself.
    pub(super) lasts: bool,
}

/// What there is of an environment.
#[derive(Debug)]
pub(super) struct Parts {
    /// What was looked at, in order.
    pub(super) compared: Vec<(Part, Compared)>,
    /// The parts of which something was not looked at yet, since what it is in is not there.
    pub(super) later: Vec<Part>,
    pub(super) trouble: Option<Trouble>,
    /// What to do about children that are wanted no more.
    pub(super) unwanted: Vec<ChildStep>,
}

impl Parts {
    /// The plan that makes all of it, with a condition for each part.
    pub(super) fn plan(&self) -> Plan<ChildStep> {
        let all: Vec<_> = self.compared.iter().map(|(_, compared)| compared.clone()).collect();
        let mut plan = plan_children(&all);
        plan.conditions = Part::ALL.map(|part| self.condition(part)).into();
        if let Some(trouble) = &self.trouble {
            let reason =
                if trouble.lasts { ConditionReason::ChildFailed } else { ConditionReason::Reconciling };
            plan.readiness = Readiness::NotReady(reason, trouble.message.clone());
        }
        self.unwanted.iter().cloned().fold(plan, Plan::step)
    }

    fn condition(&self, part: Part) -> ExtraCondition {
        let of = |status, reason, message| ExtraCondition { kind: part.condition(), status, reason, message };
        if let Some(trouble) = self.trouble.as_ref().filter(|trouble| trouble.part == part) {
            return of(false, trouble.reason, trouble.message.clone());
        }
        let own: Vec<_> =
            self.compared.iter().filter(|(of, _)| *of == part).map(|(_, one)| one.clone()).collect();
        match plan_children(&own).readiness {
            Readiness::NotReady(reason, message) => of(false, reason.as_str(), message),
            Readiness::Ready if self.later.contains(&part) => {
                of(false, "Waiting", "waits for what comes before it".into())
            }
            Readiness::Ready if own.is_empty() => of(true, "NotNeeded", String::new()),
            Readiness::Ready => of(true, "Ready", String::new()),
        }
    }

    /// Whether something of this part is there already.
    pub(super) fn has(&self, part: Part) -> bool {
        let is_there =
            |found: &FoundChild| matches!(found, FoundChild::Same { .. } | FoundChild::Differs { .. });
        self.compared.iter().any(|(of, compared)| *of == part && is_there(&compared.found))
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
