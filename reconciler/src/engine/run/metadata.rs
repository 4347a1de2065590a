//! Finalizers, ours and others', and what predecessors left behind.

use std::{collections::BTreeSet, ops::ControlFlow::Continue};

use concierge_shared::{
    admission::{lookup::Found, reference::referrers_key},
    index::Stored,
    kind::Kind,
};
use serde_json::Value;

use crate::engine::{
    annotation::{self, FINALIZER, KOPF_ANNOTATIONS, KOPF_FINALIZER},
    cluster::{ClusterError, MetadataPatch, Target, objects::ObjectKey},
    context::secret_target,
    kinds::reconcile::Reconcile,
    run::{
        Run,
        end::{Flow, OrEnd},
    },
    seams::CrashPoint,
};

impl<R: Reconcile> Run<R> {
    /// Sets our finalizer if deletion has to wait for us, and removes what predecessors left.
    pub(crate) async fn update_metadata(&mut self) -> Flow {
        let needed = self.reconciler.needs_finalizer(&self.object) || !self.referrers().is_empty();
        let mut finalizers = self.finalizers_without_legacy();
        if needed && !finalizers.iter().any(|one| one == FINALIZER) {
            finalizers.push(FINALIZER.to_owned());
        }
        if self.patch_metadata(finalizers, self.legacy_annotations()).await? {
            self.reached(CrashPoint::MetadataWritten).await;
        }
        Continue(())
    }

    /// True while deletion of the object waits for us, or for the predecessor whose place we took.
    pub(crate) fn has_finalizer(&self) -> bool {
        self.meta().finalizers.iter().flatten().any(|one| one == FINALIZER || is_legacy::<R>(one))
    }

    /// Lets the object go, and the Secrets that nobody else needs.
    pub(crate) async fn release(&mut self) -> Flow {
        self.release_secrets().await.or_end()?;
        let mut finalizers = self.finalizers_without_legacy();
        finalizers.retain(|one| one != FINALIZER);
        self.patch_metadata(finalizers, self.legacy_annotations()).await?;
        self.reached(CrashPoint::FinalizerRemoved).await;
        Continue(())
    }

    /// Removes an annotation that has been obeyed.
    pub(crate) async fn remove_annotation(&mut self, key: &str) -> Flow {
        let finalizers = self.meta().finalizers.clone().unwrap_or_default();
        self.patch_metadata(finalizers, vec![key.to_owned()]).await?;
        Continue(())
    }

    /// True when there was something to write.
    async fn patch_metadata(&mut self, finalizers: Vec<String>, annotations: Vec<String>) -> Flow<bool> {
        let current = self.meta().finalizers.as_deref().unwrap_or_default();
        let patch = MetadataPatch {
            resource_version: self.meta().resource_version.clone().unwrap_or_default(),
            finalizers: (current != finalizers.as_slice()).then_some(finalizers),
            remove_annotations: annotations,
        };
        if patch.is_empty() {
            return Continue(false);
        }
        self.shared.metrics.write(R::Kind::NAME, "metadata");
        let written = self.shared.cluster.patch_metadata(&self.target, &patch).await.or_end()?;
        // Without its last finalizer a deleted object is gone, and what is returned may be the bare answer to that.
        if self.meta().deletion_timestamp.is_none() {
            self.take(written).or_end()?;
        } else if let Err(error) = self.take(written) {
            tracing::debug!(%error, "the answer to the last patch is not the object");
        }
        Continue(true)
    }

    fn finalizers_without_legacy(&self) -> Vec<String> {
        let all = self.meta().finalizers.iter().flatten();
        all.filter(|one| !is_legacy::<R>(one)).cloned().collect()
    }

    fn legacy_annotations(&self) -> Vec<String> {
        let legacy = |key: &&String| {
            key.starts_with(KOPF_ANNOTATIONS)
                || R::LEGACY_ANNOTATIONS.iter().any(|prefix| key.starts_with(prefix))
        };
        self.meta().annotations.iter().flat_map(|all| all.keys()).filter(legacy).cloned().collect()
    }

    /// The objects that may not lose this one.
    pub(crate) fn referrers(&self) -> Vec<Stored> {
        let key = referrers_key(R::Kind::NAME, &self.target.namespace, &self.target.name);
        self.shared.kinds.keys().flat_map(|kind| self.ctx.lookup().select(kind, &key).objects).collect()
    }

    /// Sees to it that what the object can't do without stays as long as the object does: a target may be
    /// deleted in the same instant in which it is referred to.
    pub(crate) async fn protect(&mut self) -> Flow {
        let mut wrote = false;
        for reference in self.object.references().into_iter().filter(|reference| reference.protects) {
            let namespace = reference.namespace.unwrap_or_else(|| self.target.namespace.clone());
            let key = ObjectKey::new(reference.kind, namespace, reference.name);
            if let (Found::Present(found), Some(target)) =
                (self.ctx.lookup().find(key.kind, &key.namespace, &key.name), self.shared.target(&key))
            {
                wrote |= self
                    .add_finalizer(
                        &target,
                        found.meta().finalizers.clone(),
                        found.meta().resource_version.clone(),
                    )
                    .await
                    .or_end()?;
            }
        }
        for (namespace, name) in self.reconciler.secrets(&self.object) {
            wrote |= self.add_secret_finalizer(&secret_target(&namespace, &name)).await.or_end()?;
        }
        if wrote {
            self.reached(CrashPoint::TargetsProtected).await;
        }
        Continue(())
    }

    async fn add_finalizer(
        &self,
        target: &Target,
        finalizers: Option<Vec<String>>,
        version: Option<String>,
    ) -> Result<bool, ClusterError> {
        let mut finalizers = finalizers.unwrap_or_default();
        if finalizers.iter().any(|one| one == FINALIZER) {
            return Ok(false);
        }
        finalizers.push(FINALIZER.to_owned());
        self.write_finalizers(target, finalizers, version).await?;
        Ok(true)
    }

    async fn write_finalizers(
        &self,
        target: &Target,
        finalizers: Vec<String>,
        version: Option<String>,
    ) -> Result<Value, ClusterError> {
        let patch = MetadataPatch {
            resource_version: version.unwrap_or_default(),
            finalizers: Some(finalizers),
            remove_annotations: Vec::new(),
        };
        self.shared.metrics.write(R::Kind::NAME, "target");
        self.shared.cluster.patch_metadata(target, &patch).await
    }

    /// A Secret that is missing or going is told of when it is read.
    async fn add_secret_finalizer(&self, target: &Target) -> Result<bool, ClusterError> {
        if self.shared.finalized_secrets.contains(target) {
            return Ok(false);
        }
        let Some(secret) = self.shared.cluster.get(target).await? else { return Ok(false) };
        let (finalizers, version, going) = of_metadata(&secret);
        if going {
            return Ok(false);
        }
        let wrote = self.add_finalizer(target, Some(finalizers), version).await?;
        self.shared.finalized_secrets.insert(target);
        Ok(wrote)
    }

    async fn release_secrets(&self) -> Result<(), ClusterError> {
        let own: BTreeSet<_> = self.reconciler.secrets(&self.object).into_iter().collect();
        let needed =
            if own.is_empty() { BTreeSet::new() } else { self.shared.secrets_needed_beside(self.ctx.key()) };
        for (namespace, name) in own.difference(&needed) {
            let target = secret_target(namespace, name);
            let Some(secret) = self.shared.cluster.get(&target).await? else { continue };
            let (mut finalizers, version, _) = of_metadata(&secret);
            let before = finalizers.len();
            finalizers.retain(|one| one != FINALIZER);
            if finalizers.len() < before {
                match self.write_finalizers(&target, finalizers, version).await {
                    Ok(_) | Err(ClusterError::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
            self.shared.finalized_secrets.remove(&target);
        }
        Ok(())
    }

    /// True when a person wants the remote thing left behind.
    pub(crate) fn is_abandoned(&self) -> bool {
        annotation::is_set(&*self.object, annotation::ABANDON)
    }
}

fn is_legacy<R: Reconcile>(finalizer: &str) -> bool {
    finalizer == KOPF_FINALIZER || R::LEGACY_FINALIZERS.contains(&finalizer)
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
