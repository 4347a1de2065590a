//! Finalizers, ours and others', and what predecessors left behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow::{Break, Continue},
};

use concierge_shared::{admission::lookup::Found, kind::Kind, status::Conditions};

use crate::engine::{
    annotation::{self, FINALIZER, KOPF_ANNOTATIONS, KOPF_FINALIZER},
    cluster::{ClusterError, MetadataPatch, Target, objects::ObjectKey},
    kinds::reconcile::Reconcile,
    once::has_intents,
    run::{Flow, OrEnd, Run},
    seams::CrashPoint,
};

impl<R: Reconcile> Run<R> {
    /// Removes what predecessors left, which may be a copy of the spec with its secrets; and sets our finalizer on an object that
    /// has made something or is referred to, whatever else is wrong with it.
    pub(crate) async fn update_metadata(&mut self) -> Flow {
        let inherited = self.meta().finalizers.iter().flatten().any(|one| is_legacy::<R>(one));
        let needed = (inherited && self.reconciler.needs_finalizer(&self.object, None))
            || self.is_recorded()
            || self.is_referred_to();
        let recorded = self.note_recorded().await?;
        self.write_metadata(needed, recorded.into_iter().collect()).await
    }

    /// Before the remote side is changed: from here on deletion waits for us, and so do the Secrets that it takes.
    ///
    /// Before the Secrets could be read nothing was made with them, and nothing is kept. Where something is about to be made, and the status
    /// does not tell of it yet, that is noted in the same write: this process may die before the status is written.
    pub(crate) async fn add_finalizers(&mut self, observed: &R::Observed, acts: bool) -> Flow {
        let wanted: BTreeSet<_> = self.reconciler.secrets(&self.object).into_iter().collect();
        let readable = self.are_readable(&wanted).await?;
        let needed = self.reconciler.needs_finalizer(&self.object, Some(observed)) || !wanted.is_empty();
        if readable && needed {
            // Noted on the object first: a Secret that it no longer names is to be released all the same.
            let held = annotation::held_secrets(self.meta()).union(&wanted).cloned().collect();
            let made = acts && !has_intents::<R>() && !self.may_exist();
            let made = made.then(|| (annotation::MADE.to_owned(), "true".to_owned()));
            self.write_metadata(true, note(&held).into_iter().chain(made).collect()).await?;
        }
        self.protect_targets().await?;
        if readable {
            self.hold_secrets(&wanted).await?;
        }
        Continue(())
    }

    /// True when the status tells of something that was made, or perhaps was.
    fn is_recorded(&self) -> bool {
        self.status.intent().is_some() || !self.reconciler.recorded(&self.status).is_empty()
    }

    /// True while deletion of the object waits for us, or for the predecessor whose place we took.
    pub(crate) fn has_finalizer(&self) -> bool {
        self.meta().finalizers.iter().flatten().any(|one| one == FINALIZER || is_legacy::<R>(one))
    }

    /// Removes our finalizer from the object, and from the Secrets that nobody else needs.
    pub(crate) async fn release(&mut self) -> Flow {
        let shared = self.shared.clone();
        let named = self.reconciler.secrets(&self.object).into_iter();
        let secrets: BTreeSet<_> = named.chain(annotation::held_secrets(self.meta())).collect();
        // Locked until our own finalizer is gone: before that, the next object that shares a Secret with this one takes it for needed, and
        // neither of the two would release it.
        let _releasing = match secrets.is_empty() {
            true => None,
            false => Some(shared.releasing.lock().await),
        };
        self.release_secrets(&secrets).await?;
        let mut finalizers = self.finalizers_without_legacy();
        finalizers.retain(|one| one != FINALIZER);
        self.patch_metadata(finalizers, BTreeMap::new(), self.legacy_annotations()).await?;
        self.reached(CrashPoint::FinalizerRemoved).await;
        Continue(())
    }

    /// Removes an annotation once it has been obeyed.
    pub(crate) async fn remove_annotation(&mut self, key: &str) -> Flow {
        let finalizers = self.meta().finalizers.clone().unwrap_or_default();
        self.patch_metadata(finalizers, BTreeMap::new(), vec![key.to_owned()]).await?;
        Continue(())
    }

    async fn write_metadata(&mut self, finalizer: bool, annotations: BTreeMap<String, String>) -> Flow {
        let mut finalizers = self.finalizers_without_legacy();
        if finalizer && !finalizers.iter().any(|one| one == FINALIZER) {
            finalizers.push(FINALIZER.to_owned());
        }
        if self.patch_metadata(finalizers, annotations, self.legacy_annotations()).await? {
            self.reached(CrashPoint::MetadataWritten).await;
        }
        Continue(())
    }

    /// True when there was something to write.
    async fn patch_metadata(
        &mut self,
        finalizers: Vec<String>,
        mut annotations: BTreeMap<String, String>,
        removed: Vec<String>,
    ) -> Flow<bool> {
        let current = self.meta().finalizers.as_deref().unwrap_or_default();
        annotations.retain(|key, value| self.annotation(key) != Some(value));
        let patch = MetadataPatch {
            resource_version: self.meta().resource_version.clone().unwrap_or_default(),
            finalizers: (current != finalizers.as_slice()).then_some(finalizers),
            set_annotations: annotations,
            remove_annotations: removed,
        };
        if patch.is_empty() {
            return Continue(false);
        }
        self.shared.metrics.write(R::Kind::NAME, "metadata");
        let written = match self.shared.cluster.patch_metadata(&self.target, &patch).await {
            Ok(written) => written,
            Err(error) => return Break(self.own_write_failed(error).await),
        };
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

    /// Sees to it that what the object refers to stays as long as the object does: a target may be
    /// deleted in the same instant in which it is referred to.
    async fn protect_targets(&mut self) -> Flow {
        let mut wrote = false;
        for reference in self.object.references().into_iter().filter(|reference| reference.protects) {
            let namespace = reference.namespace.unwrap_or_else(|| self.target.namespace.clone());
            let key = ObjectKey::new(reference.kind, namespace, reference.name);
            let found = self.ctx.lookup().find(key.kind, &key.namespace, &key.name);
            if let (Found::Present(found), Some(target)) = (found, self.shared.target(&key)) {
                // One that nobody has looked at yet gets its finalizer when somebody does.
                if !self.shared.kinds.get(key.kind).is_some_and(|reader| reader.has_status(&found)) {
                    continue;
                }
                let finalizers = found.meta().finalizers.clone().unwrap_or_default();
                let version = found.meta().resource_version.clone();
                wrote |= self.add_finalizer(&target, finalizers, version).await.or_end()?;
            }
        }
        if wrote {
            self.reached(CrashPoint::TargetsProtected).await;
        }
        Continue(())
    }

    pub(super) async fn add_finalizer(
        &self,
        target: &Target,
        mut finalizers: Vec<String>,
        version: Option<String>,
    ) -> Result<bool, ClusterError> {
        if finalizers.iter().any(|one| one == FINALIZER) {
            return Ok(false);
        }
        finalizers.push(FINALIZER.to_owned());
        self.write_finalizers(target, finalizers, version).await?;
        Ok(true)
    }

    pub(super) async fn write_finalizers(
        &self,
        target: &Target,
        finalizers: Vec<String>,
        version: Option<String>,
    ) -> Result<(), ClusterError> {
        let patch = MetadataPatch {
            resource_version: version.unwrap_or_default(),
            finalizers: Some(finalizers),
            ..MetadataPatch::default()
        };
        self.shared.metrics.write(R::Kind::NAME, "target");
        self.shared.cluster.patch_metadata(target, &patch).await.map(drop)
    }

    /// Notes on the object which Secrets are held for it.
    pub(super) async fn note_held(&mut self, held: &BTreeSet<(String, String)>) -> Flow {
        self.write_metadata(true, note(held)).await
    }
}

fn note(held: &BTreeSet<(String, String)>) -> BTreeMap<String, String> {
    match held.is_empty() {
        true => BTreeMap::new(),
        false => [(annotation::SECRETS.to_owned(), annotation::secrets_text(held))].into(),
    }
}

pub(super) fn is_legacy<R: Reconcile>(finalizer: &str) -> bool {
    finalizer == KOPF_FINALIZER || R::LEGACY_FINALIZERS.contains(&finalizer)
}
