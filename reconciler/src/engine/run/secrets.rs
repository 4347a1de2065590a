//! The Secrets without which an object's remote thing can't be deleted: they bear our finalizer as long as an object needs them.
//!
//! Nothing is remembered in the process. An object names the Secrets that are held for it in an annotation, and which of them others need is
//! read from the API server when one is to be released.

use std::{collections::BTreeSet, ops::ControlFlow::Continue};

use concierge_shared::status::ConditionReason;
use kube::Resource;
use serde_json::Value;

use crate::engine::{
    annotation::{self, FINALIZER},
    cluster::{ClusterError, Target, objects::metadata_of},
    context::secret_target,
    kinds::reconcile::Reconcile,
    run::{Flow, OrEnd, Run},
    seams::CrashPoint,
};

/// Secrets by namespace and name.
type Names = BTreeSet<(String, String)>;

impl<R: Reconcile> Run<R> {
    /// Whether all of these Secrets are there and may be read.
    pub(super) async fn are_readable(&self, secrets: &Names) -> Flow<bool> {
        for (namespace, name) in secrets {
            match self.shared.cluster.get(&secret_target(namespace, name)).await {
                Ok(Some(_)) => {}
                Ok(None) | Err(ClusterError::Forbidden(_)) => return Continue(false),
                Err(error) => return Err(error).or_end(),
            }
        }
        Continue(true)
    }

    /// Holds `wanted`, and releases what was held before and is not wanted any more.
    pub(super) async fn hold_secrets(&mut self, wanted: &Names) -> Flow {
        let mut wrote = false;
        for (namespace, name) in wanted {
            let target = secret_target(namespace, name);
            let Some(secret) = self.shared.cluster.get(&target).await.or_end()? else { continue };
            let (finalizers, version, going) = of_metadata(&secret);
            // One that is going is told of when it is read.
            if !going {
                wrote |= self.add_finalizer(&target, finalizers, version).await.or_end()?;
            }
        }
        if wrote {
            self.reached(CrashPoint::TargetsProtected).await;
        }
        let stale: Names = annotation::held_secrets(self.meta()).difference(wanted).cloned().collect();
        if !stale.is_empty() {
            let shared = self.shared.clone();
            let _releasing = shared.releasing.lock().await;
            self.release_secrets(&stale).await?;
            self.note_held(wanted).await?;
        }
        Continue(())
    }

    /// Takes our finalizer from those of `secrets` that no other object needs.
    pub(super) async fn release_secrets(&self, secrets: &Names) -> Flow {
        if secrets.is_empty() {
            return Continue(());
        }
        let needed = match self.needed_by_others().await {
            Ok(needed) => needed,
            Err(error) => return self.keep_secrets(secrets, error).await,
        };
        for (namespace, name) in secrets.difference(&needed) {
            let released = self.release_secret(namespace, name).await;
            if let Err(error) = released {
                self.keep_secrets(&[(namespace.clone(), name.clone())].into(), error).await?;
            }
        }
        Continue(())
    }

    async fn release_secret(&self, namespace: &str, name: &str) -> Result<(), ClusterError> {
        let target = secret_target(namespace, name);
        let Some(secret) = self.shared.cluster.get(&target).await? else { return Ok(()) };
        let (mut finalizers, version, _) = of_metadata(&secret);
        let before = finalizers.len();
        finalizers.retain(|one| one != FINALIZER);
        if finalizers.len() == before {
            return Ok(());
        }
        match self.write_finalizers(&target, finalizers, version).await {
            Ok(()) | Err(ClusterError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What is forbidden will not be allowed by waiting: people are told, and the object does not wait. Everything else passes.
    async fn keep_secrets(&self, secrets: &Names, error: ClusterError) -> Flow {
        if !matches!(error, ClusterError::Forbidden(_)) {
            return Err(error).or_end();
        }
        for (namespace, name) in secrets {
            self.report_kept_secret(&secret_target(namespace, name), &error).await;
        }
        Continue(())
    }

    /// Tells people what keeps a Secret of the object from being released.
    async fn report_kept_secret(&self, target: &Target, error: &ClusterError) {
        let message = format!(
            "the finalizer {FINALIZER} stays on Secret {}/{}: {error}; remove it when nobody else uses the Secret",
            target.namespace, target.name
        );
        tracing::warn!(
            namespace = target.namespace,
            secret = target.name,
            %error,
            "the finalizer stays on a Secret"
        );
        self.emit(true, ConditionReason::Abandoned.as_str(), &message).await;
    }

    /// The Secrets of the namespace that other objects need, as they are stored now.
    async fn needed_by_others(&self) -> Result<Names, ClusterError> {
        let mut needed = Names::new();
        for reader in self.shared.kinds.values().filter(|reader| reader.needs_secrets()) {
            let mut visit = |object: Value| {
                // What can't be read still says in its metadata what is held for it.
                let meta = metadata_of(&object);
                let held = meta.finalizers.iter().flatten().any(|one| one == FINALIZER);
                if meta.uid != self.object.meta().uid && (held || meta.deletion_timestamp.is_none()) {
                    needed.extend(annotation::held_secrets(&meta));
                    needed.extend(
                        reader.read(&object).map(|object| reader.secrets(&object)).into_iter().flatten(),
                    );
                }
            };
            match self.shared.cluster.for_each(&reader.resource(), &self.target.namespace, &mut visit).await {
                Ok(()) | Err(ClusterError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(needed)
    }
}

/// Finalizers, version, and whether it is being deleted.
fn of_metadata(object: &Value) -> (Vec<String>, Option<String>, bool) {
    let metadata = &object["metadata"];
    let finalizers = metadata["finalizers"].as_array().into_iter().flatten();
    (
        finalizers.filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        metadata["resourceVersion"].as_str().map(str::to_owned),
        !metadata["deletionTimestamp"].is_null(),
    )
}
