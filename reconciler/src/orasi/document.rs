//! A document: where its Storage is while it is to be seen, and nowhere else.

mod observe;
mod plan;
mod shelf;

use std::{fmt, sync::OnceLock, time::Duration};

use concierge_shared::{
    admission::reference::Reference,
    kind::Kind,
    orasi::{Content, Delivered, Document, DocumentStatus, Storage},
    status::{ConditionReason, ConditionType, Conditions},
};
use jiff::Timestamp;
use kube::ResourceExt;

use self::{
    observe::Observed,
    shelf::{Over, Put, Shelf},
};
use super::{counts::DocumentCounts, services::Services};
use crate::engine::{Account, Context, Deletion, Failure, Guard, ObjectKey, Outcome, Owner, Plan, Reconcile};

/// A document that is put nowhere has nothing that could differ.
const AT_REST: Duration = Duration::from_secs(12 * 3600);

pub(super) struct DocumentReconciler {
    pub(super) services: Services,
    pub(super) counts: DocumentCounts,
}

/// Where a document is.
pub(super) struct Remote {
    /// Where it belongs; nowhere without a Storage.
    here: Option<Shelf>,
    /// Where it was put before, when that is elsewhere; or why nobody can get there.
    before: Option<Result<Shelf, String>>,
    /// The key that this run has put, and the service's digest of it.
    put: OnceLock<(String, Option<String>)>,
}

pub(super) enum Step {
    /// Puts the content where it belongs.
    Put {
        key: String,
        over: Over,
    },
    Remove(String),
    /// From where it was before.
    RemoveBefore(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Put { key, .. } => write!(f, "put {key}"),
            Step::Remove(key) | Step::RemoveBefore(key) => write!(f, "remove {key}"),
        }
    }
}

impl Reconcile for DocumentReconciler {
    type Kind = Document;
    type Remote = Remote;
    type Observed = Observed;
    type Step = Step;

    async fn connect(&self, ctx: &Context, document: &Document) -> Result<(Account, Remote), Failure> {
        let here = shelf::here(&self.services, ctx, document).await?;
        let delivered = document.status.as_ref().and_then(|status| status.delivered.as_ref());
        let elsewhere = delivered.filter(|at| here.as_ref().is_none_or(|here| !here.holds(at)));
        let before = match elsewhere {
            Some(at) => Some(shelf::before(&self.services, ctx, document, at).await?),
            None => None,
        };
        let shelves = [here.as_ref(), before.as_ref().and_then(|before| before.as_ref().ok())];
        let account = shelves.into_iter().flatten().next().map(|shelf| shelf.account.clone());
        Ok((account.unwrap_or_else(Account::none), Remote { here, before, put: OnceLock::new() }))
    }

    async fn observe(
        &self,
        ctx: &Context,
        remote: &Remote,
        document: &Document,
    ) -> Result<Observed, Failure> {
        observe::observe(ctx, remote, document).await
    }

    fn owner(&self, document: &Document, observed: &Observed) -> Owner {
        match &observed.foreign {
            // What is not ours is left alone when the object goes.
            Some(whose) if document.metadata.deletion_timestamp.is_none() => Owner::Other(whose.clone()),
            _ => Owner::Ours,
        }
    }

    fn plan(&self, document: &Document, observed: &Observed, _now: Timestamp) -> Plan<Step> {
        plan::plan(document, observed)
    }

    async fn act(
        &self,
        guard: &Guard,
        remote: &Remote,
        document: &Document,
        step: &Step,
    ) -> Result<Outcome, Failure> {
        let gone = || Failure::DependencyMissing("the Storage is gone".into());
        match (step, &remote.here, &remote.before) {
            (Step::Put { key, over }, Some(here), _) => {
                let text = content(guard, document).await?;
                let put = Put { key, over, text };
                let etag = here.put(guard, put).await?;
                // What is looked at in this run is compared with that.
                let _ = remote.put.set((key.clone(), etag));
                Ok(Outcome::new(ConditionReason::Created, format!("put {key} into bucket {}", here.bucket)))
            }
            (Step::Remove(key), Some(shelf), _) => shelf.remove(guard, key).await,
            (Step::RemoveBefore(key), _, Some(Ok(shelf))) => {
                shelf.remove(&guard.elsewhere(&shelf.account), key).await
            }
            _ => Err(gone()),
        }
    }

    fn note_place(
        &self,
        remote: &Remote,
        step: &Step,
        _: &DocumentStatus,
        noted: &mut DocumentStatus,
    ) -> bool {
        let (Step::Put { key, .. }, Some(here)) = (step, &remote.here) else { return false };
        // Whatever is on the same shelf is found there.
        if noted.delivered.as_ref().is_some_and(|at| here.holds(at)) {
            return false;
        }
        noted.delivered = Some(here.delivered(key, None));
        true
    }

    fn plan_deletion(&self, _: &Document, observed: &Observed, _now: Timestamp) -> Deletion<Step> {
        plan::plan_deletion(observed)
    }

    fn report(&self, document: &Document, observed: &Observed, status: &mut DocumentStatus) {
        plan::report(document, observed, status);
    }

    fn news(&self, before: &DocumentStatus, now: &DocumentStatus) -> Option<(&'static str, &'static str)> {
        let hidden = |status: &DocumentStatus| status.is_hidden == Some(true);
        match (hidden(before), hidden(now)) {
            (false, true) => {
                Some(("DocumentHidden", "hidden from readers; whoever may read the object sees its content"))
            }
            (true, false) => Some(("DocumentVisible", "shown to readers again")),
            _ => None,
        }
    }

    fn ran(&self, result: &str, took: Duration) {
        self.counts.ran(result, took);
    }

    /// What is put nowhere leaves nothing behind.
    fn needs_finalizer(&self, document: &Document, _: Option<&Observed>) -> bool {
        document.spec.storage_ref.is_some() || delivered(document).is_some()
    }

    fn may_exist(&self, _: &Document, status: Option<&DocumentStatus>) -> bool {
        status.is_some_and(|status| status.delivered.is_some())
    }

    /// What was put is known from the status, so that a Storage's owner who withdraws a permission keeps nothing from being hidden.
    fn does_without(&self, document: &Document, _: &Reference) -> bool {
        document.spec.is_hidden() && is_known(document)
    }

    /// Where it is, when that is not where it belongs: that Storage waits for it.
    fn exports(&self, document: &Document) -> Vec<String> {
        document.left_in().map(|(namespace, name)| format!("{namespace}/{name}")).into_iter().collect()
    }

    fn onlookers(&self, _: &Context, versions: &[&Document]) -> Vec<ObjectKey> {
        let left_in = versions.iter().filter_map(|document| document.left_in());
        left_in.map(|(namespace, name)| ObjectKey::new(Storage::NAME, namespace, name)).collect()
    }

    /// What is there stays as it was last seen while its Storage does not answer.
    fn needs_ready(&self, document: &Document, _: &Reference) -> bool {
        !document.status.as_ref().is_some_and(|status| status.is_true(ConditionType::Ready.as_str()))
    }

    fn resync(&self, document: &Document) -> Duration {
        match self.needs_finalizer(document, None) {
            true => Duration::from_secs(600),
            false => AT_REST,
        }
    }
}

/// Whether the status says where it is, or that it is nowhere.
fn is_known(document: &Document) -> bool {
    let status = document.status.as_ref();
    status.is_some_and(|status| status.delivered.is_some() || status.is_hidden == Some(true))
}

fn delivered(document: &Document) -> Option<&Delivered> {
    document.status.as_ref()?.delivered.as_ref()
}

/// The content, read from the API server: of those that are cached only lengths and digests are kept.
///
/// # Errors
/// [`Failure::Conflict`] when the object has changed since it was looked at.
async fn content(guard: &Guard, document: &Document) -> Result<String, Failure> {
    let live = guard.stored(document).await?;
    let digest = |document: &Document| document.spec.content.as_ref().map(Content::sha256);
    let wanted = (document.metadata.generation, digest(document));
    let same = live.filter(|live| (live.metadata.generation, digest(live)) == wanted);
    let same = same.filter(|live| live.metadata.deletion_timestamp.is_none());
    match same.and_then(|live| live.spec.content) {
        Some(Content::Whole(text)) => Ok(text),
        // Nothing that passed admission looks like what caches keep.
        Some(Content::Kept(_)) => {
            Err(Failure::Invalid("spec.content contains the character NUL; remove it".into()))
        }
        None => Err(Failure::Conflict(format!(
            "Document {} has changed since it was looked at; it is looked at again",
            document.name_any()
        ))),
    }
}
