//! Children are made, corrected and deleted: under the guard, and never another's.

use concierge_runtime::cache::ChildKey;
use concierge_shared::{kind::Kind, status::ConditionReason};
use serde_json::{Value, json};

use super::{
    compare::has_other_managers,
    plan::ChildStep,
    wanted::{Wanted, bears_mark, mark, target_of},
};
use crate::engine::{
    cluster::{ClusterError, Target},
    context::{guard::Guard, kubernetes},
    kinds::plan::Outcome,
    retry::Failure,
};

impl Guard {
    /// Takes a step of [`plan_children`](super::plan_children) or its like for `owner`.
    ///
    /// # Errors
    /// What the API server says; [`Failure::Throttled`] without a write for a child that is changed again and again.
    pub async fn take_child_step<K: Kind>(&self, owner: &K, step: &ChildStep) -> Result<Outcome, Failure> {
        match step {
            ChildStep::Create(wanted) => {
                self.create_child(wanted).await?;
                Ok(Outcome::new(ConditionReason::Created, format!("made {}", wanted.key)))
            }
            ChildStep::Correct { wanted, uid, told, drift } => {
                self.correct_child(wanted, uid, told, *drift).await?;
                let reason = if *drift { ConditionReason::DriftDetected } else { ConditionReason::Updated };
                Ok(Outcome::new(reason, format!("corrected {}: {told}", wanted.key)))
            }
            ChildStep::Delete { key, uid } => {
                self.delete_child(owner, key, uid).await?;
                Ok(Outcome::new(ConditionReason::Deleted, format!("deleted {key}")))
            }
        }
    }

    /// Makes a child that was not there. Another who makes something of that name at the same instant keeps it.
    async fn create_child(&self, wanted: &Wanted) -> Result<(), Failure> {
        let made = self.apply_child(wanted, &wanted.object, false).await?;
        if has_other_managers(&made) {
            self.let_go(&wanted.target(), &made).await?;
            return Err(Failure::Conflict(format!(
                "{} was made by somebody else at the same time",
                wanted.key
            )));
        }
        Ok(())
    }

    /// Corrects the child with this uid, and no other.
    async fn correct_child(
        &self,
        wanted: &Wanted,
        uid: &str,
        told: &str,
        drift: bool,
    ) -> Result<(), Failure> {
        if drift {
            self.shared.remembered.may_correct(&wanted.key, uid, told)?;
        }
        let mut object = wanted.object.clone();
        object["metadata"]["uid"] = uid.into();
        self.apply_child(wanted, &object, true).await?;
        if drift {
            self.shared.remembered.count_correction(uid);
        }
        Ok(())
    }

    async fn apply_child(&self, wanted: &Wanted, object: &Value, force: bool) -> Result<Value, Failure> {
        self.check()?;
        self.shared.metrics.write(wanted.key.resource.kind, "child");
        let target = wanted.target();
        let applied = self.in_time(self.shared.cluster.apply_child(&target, object, force)).await;
        let applied = applied.map_err(kubernetes)?;
        self.shared.remembered.note_applied(wanted, &applied);
        Ok(applied)
    }

    /// Takes our fields and our mark off an object that is another's: applying nothing does.
    async fn let_go(&self, target: &Target, object: &Value) -> Result<(), Failure> {
        self.check()?;
        let nothing = json!({
            "apiVersion": target.resource.api_version,
            "kind": target.resource.kind,
            "metadata": { "name": target.name, "uid": object["metadata"]["uid"] },
        });
        self.in_time(self.shared.cluster.apply_child(target, &nothing, true)).await.map_err(kubernetes)?;
        Ok(())
    }

    /// Deletes the child with this uid, with what depends on it, if it still bears the mark of `owner`. That it is gone already is no
    /// error, nor that it is another's by now: then it is left alone.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn delete_child<K: Kind>(&self, owner: &K, key: &ChildKey, uid: &str) -> Result<(), Failure> {
        let (owner_uid, _) = mark(owner)?;
        let target = target_of(key);
        let found = self.shared.cluster.get(&target).await.map_err(kubernetes)?;
        if !found.is_some_and(|object| bears_mark(&object, &owner_uid)) {
            return Ok(());
        }
        self.check()?;
        self.shared.metrics.write(key.resource.kind, "child");
        match self.in_time(self.shared.cluster.delete_by_uid(&target, uid)).await {
            Ok(()) | Err(ClusterError::NotFound) => Ok(()),
            Err(error) => Err(kubernetes(error)),
        }
    }
}
