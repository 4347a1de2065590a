//! A toy kind that owns a child which refers to it, is emptied in parts, and has settings that are applied one by one.

use std::{fmt, sync::Arc, time::Duration};

use concierge_reconciler::engine::{
    Account, Context, Deletion, Drift, Failure, Guard, Outcome, Owned, OwnedSecret, Owner, Plan, Reconcile,
    Secret, SecretSpec,
};
use concierge_shared::{
    admission::{
        defaults::Fill, problem::Problems, reference::Reference, review::Review, rule::AdmissionRule,
    },
    field::at,
    kind::Kind,
    rules, status,
    status::ConditionReason,
};
use jiff::Timestamp;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::remote::{RemoteChest, Service};

/// A chest.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "toys.example.com", version = "v1", kind = "Chest", namespaced, status = "ChestStatus")]
pub(crate) struct ChestSpec {
    pub(crate) colour: String,
    #[serde(default)]
    pub(crate) size: i64,
    /// The chest that it lies on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) on: Option<String>,
    /// Whether it has a lid: a chest of its own that lies on it.
    #[serde(default)]
    pub(crate) lid: bool,
    /// The Secret that is made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// When it is to be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) due: Option<String>,
}

status! {
    pub(crate) struct ChestStatus() {
        /// That of the chest as it was last seen.
        pub(crate) colour: Option<String>,
        /// The Secret that was made for it.
        pub(crate) key: Option<String>,
    }
}

rules! {
    ON = Deny "toys.chest.on", "What a chest lies on exists.";
    IN_USE = Deny "toys.chest.in-use", "A chest is deleted after what others have put on it.";
}

impl Kind for Chest {
    const NAME: &'static str = "Chest";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);

    fn fill_defaults(&mut self, _: &mut Fill) {}

    fn check(_: &Review<'_, Self>, _: &mut Problems) {}

    fn references(&self) -> Vec<Reference> {
        let on = self.spec.on.iter().map(|name| Reference {
            field: at("spec.on"),
            kind: Chest::NAME,
            namespace: None,
            name: name.clone(),
            rule: &ON,
            protects: true,
            implied: false,
        });
        on.collect()
    }
}

/// Makes chests real.
pub(crate) struct Chests(pub(crate) Arc<Service>);

/// What there is of a chest.
pub(crate) struct Observed {
    remote: Option<RemoteChest>,
    lid: Option<Box<Chest>>,
    /// The Secret that it is to have.
    key: Option<OwnedSecret>,
    /// The Secret that it had before, while it is there.
    old_key: Option<String>,
}

/// What is done about a chest.
pub(crate) enum ChestStep {
    Make,
    Paint,
    Resize,
    MakeLid,
    RemoveLid(Box<Chest>),
    Reserve(String),
    Fill(String),
    DeleteKey(String),
    Empty,
    Throw,
}

impl fmt::Display for ChestStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ChestStep::Reserve(_) => "reserve its Secret",
            ChestStep::Fill(_) => "fill its Secret",
            ChestStep::DeleteKey(_) => "delete its Secret",
            ChestStep::Make => "make it",
            ChestStep::Paint => "paint it",
            ChestStep::Resize => "resize it",
            ChestStep::MakeLid => "make its lid",
            ChestStep::RemoveLid(_) => "remove its lid",
            ChestStep::Empty => "empty it",
            ChestStep::Throw => "throw it away",
        })
    }
}

fn name(chest: &Chest) -> &str {
    chest.metadata.name.as_deref().unwrap_or_default()
}

fn lid_of(chest: &Chest) -> String {
    format!("{}-lid", name(chest))
}

fn lid(chest: &Chest) -> Chest {
    let spec = ChestSpec {
        colour: chest.spec.colour.clone(),
        size: 1,
        on: Some(name(chest).to_owned()),
        lid: false,
        key: None,
        due: None,
    };
    let mut lid = Chest::new(&lid_of(chest), spec);
    lid.metadata.namespace.clone_from(&chest.metadata.namespace);
    lid
}

impl Reconcile for Chests {
    type Kind = Chest;
    type Remote = Arc<Service>;
    type Observed = Observed;
    type Step = ChestStep;

    async fn connect(&self, _: &Context, _: &Chest) -> Result<(Account, Arc<Service>), Failure> {
        match self.0.state.lock().no_account {
            true => Err(Failure::DependencyMissing("there is no account; create one".into())),
            false => Ok((Account::new("chests", "all"), self.0.clone())),
        }
    }

    async fn observe(
        &self,
        ctx: &Context,
        remote: &Arc<Service>,
        chest: &Chest,
    ) -> Result<Observed, Failure> {
        let lid = match ctx.owned_by::<Chest, Chest>(chest, &lid_of(chest)).await? {
            Owned::Ours(lid) => Some(Box::new(lid)),
            Owned::Absent | Owned::Foreign(_) => None,
        };
        let key = match chest.spec.key.as_deref() {
            Some(name) => Some(ctx.secret_of(chest, name).await?),
            None => None,
        };
        let before = chest.status.as_ref().and_then(|status| status.key.clone());
        let old_key = match before.filter(|before| chest.spec.key.as_ref() != Some(before)) {
            Some(name) if matches!(ctx.secret_of(chest, &name).await?, Owned::Ours(_)) => Some(name),
            _ => None,
        };
        let remote = ctx.read("GET /chest", remote.chest(name(chest))).await?;
        Ok(Observed { remote, lid, key, old_key })
    }

    fn owner(&self, chest: &Chest, observed: &Observed) -> Owner {
        match &observed.remote {
            None if observed.lid.is_some() => Owner::Ours,
            None => Owner::Nobody,
            Some(found) if found.mark == chest.metadata.uid => Owner::Ours,
            Some(found) => Owner::Other(found.mark.clone().unwrap_or("nobody's mark".into())),
        }
    }

    fn plan(&self, chest: &Chest, observed: &Observed, now: Timestamp) -> Plan<ChestStep> {
        let Some(found) = &observed.remote else {
            return Plan::not_ready(ConditionReason::Reconciling, "not there yet").step(ChestStep::Make);
        };
        let mut plan = Plan::ready();
        if found.mark != chest.metadata.uid {
            plan = plan.step(ChestStep::Make);
        }
        if found.colour != chest.spec.colour {
            let drift = Drift::new("spec.colour", &found.colour, &chest.spec.colour);
            plan = plan.correct_independently(ChestStep::Paint, [drift]);
        }
        if found.size != chest.spec.size {
            let drift = Drift::new("spec.size", found.size, chest.spec.size);
            plan = plan.correct_independently(ChestStep::Resize, [drift]);
        }
        plan = plan_key(chest, observed, plan);
        let due = chest.spec.due.as_ref().and_then(|due| due.parse::<Timestamp>().ok());
        if let Some(due) = due.filter(|due| *due > now) {
            plan = plan.at(due);
        }
        match &observed.lid {
            None if chest.spec.lid => plan.step(ChestStep::MakeLid),
            Some(lid) if !chest.spec.lid && lid.metadata.deletion_timestamp.is_none() => {
                plan.step(ChestStep::RemoveLid(lid.clone()))
            }
            _ => plan,
        }
    }

    async fn act(
        &self,
        guard: &Guard,
        remote: &Arc<Service>,
        chest: &Chest,
        step: &ChestStep,
    ) -> Result<Outcome, Failure> {
        let ChestSpec { colour, size, .. } = &chest.spec;
        let (name, uid) = (name(chest), chest.metadata.uid.clone());
        match step {
            // The settings are steps of their own, so that they are applied to one that is adopted as well.
            ChestStep::Make => {
                let call = remote.change("PUT /chest", name, |chest| chest.mark = uid);
                guard.write("PUT /chest", call).await?;
                return Ok(Outcome::progress("made; its settings follow"));
            }
            ChestStep::Paint => {
                let call = remote.change("PUT /colour", name, |chest| chest.colour.clone_from(colour));
                guard.write("PUT /colour", call).await?;
            }
            ChestStep::Resize => {
                let call = remote.change("PUT /size", name, |chest| chest.size = *size);
                guard.write("PUT /size", call).await?;
            }
            ChestStep::MakeLid => guard.apply_owned(chest, lid(chest)).await?,
            ChestStep::RemoveLid(lid) => guard.delete_owned(&**lid).await?,
            ChestStep::Reserve(key) => guard.reserve_secret(chest, key, &secret(chest)).await?,
            ChestStep::Fill(key) => guard.fill_secret(chest, key, &secret(chest)).await?,
            ChestStep::DeleteKey(key) => guard.delete_secret(chest, key).await?,
            ChestStep::Empty => {
                let most = Duration::from_secs(10);
                let left = guard.write_within("POST /empty", most, remote.empty(name)).await?;
                if left > 0 {
                    return Ok(Outcome::progress("is being emptied"));
                }
            }
            ChestStep::Throw => guard.write("DELETE /chest", remote.throw_away(name)).await?,
        }
        Ok(Outcome::new(ConditionReason::Updated, format!("did {step}")))
    }

    fn plan_deletion(&self, _: &Chest, observed: &Observed, _: Timestamp) -> Deletion<ChestStep> {
        match (&observed.lid, &observed.remote) {
            (Some(lid), _) if lid.metadata.deletion_timestamp.is_none() => {
                Deletion::steps([ChestStep::RemoveLid(lid.clone())])
            }
            (Some(_), _) => Deletion::wait("waits until its lid is gone", Duration::from_secs(300)),
            (None, Some(found)) if found.things > 0 => Deletion::steps([ChestStep::Empty, ChestStep::Throw]),
            (None, Some(_)) => Deletion::steps([ChestStep::Throw]),
            (None, None) => Deletion::Gone,
        }
    }

    fn report(&self, chest: &Chest, observed: &Observed, status: &mut ChestStatus) {
        status.colour = observed.remote.as_ref().map(|found| found.colour.clone());
        let has_key = matches!(observed.key, Some(Owned::Ours(_)));
        status.key = observed.old_key.clone().or_else(|| chest.spec.key.clone().filter(|_| has_key));
    }

    fn may_exist(&self, _: &Chest, status: Option<&ChestStatus>) -> bool {
        status.is_some_and(|status| status.colour.is_some())
    }
}

fn secret(chest: &Chest) -> SecretSpec {
    let mut secret = SecretSpec::of(&[("colour", chest.spec.colour.as_bytes())]);
    secret.labels.insert("colour".into(), chest.spec.colour.clone());
    secret.annotations.insert("note".into(), "a key".into());
    secret.type_ = Some("toys.example.com/key".into());
    secret
}

fn plan_key(chest: &Chest, observed: &Observed, plan: Plan<ChestStep>) -> Plan<ChestStep> {
    let key = chest.spec.key.clone().unwrap_or_default();
    let is_filled = |secret: &Secret| secret.text("colour").is_ok_and(|colour| colour == chest.spec.colour);
    let plan = match &observed.key {
        Some(Owned::Absent) => plan.step(ChestStep::Reserve(key.clone())).step(ChestStep::Fill(key)),
        Some(Owned::Ours(secret)) if !is_filled(secret) => plan.step(ChestStep::Fill(key)),
        Some(Owned::Ours(_)) | None => plan,
        // Found out by trying.
        Some(Owned::Foreign(_)) => plan.step(ChestStep::Reserve(key)),
    };
    observed.old_key.iter().cloned().map(ChestStep::DeleteKey).fold(plan, Plan::step)
}
