//! What there is of a document.

use concierge_shared::orasi::{Content, Delivered, Document};
use jiff::Timestamp;

use super::{
    Remote, delivered,
    shelf::{Shelf, Thing, Whose},
};
use crate::engine::{Context, Failure};

/// What there is of a document where it belongs, and where it was before.
pub(in crate::orasi) struct Observed {
    /// The key of its content where it belongs, unless it is to be nowhere.
    pub(super) wanted: Option<String>,
    /// What is there under that key.
    pub(super) found: State,
    /// Whose that is, if it is not ours.
    pub(super) foreign: Option<String>,
    /// The keys of ours that are not wanted.
    pub(super) strays: Vec<String>,
    /// The keys of an earlier document of its name, of which no status tells, while this one is hidden.
    pub(super) earlier: Vec<String>,
    pub(super) before: Before,
    /// What the status is to remember.
    pub(super) delivered: Option<Delivered>,
    pub(super) has_storage: bool,
    pub(super) at: Timestamp,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    Absent,
    AsWanted,
    /// This version is there. It is not ours, or not as it was put.
    Other(Option<String>),
}

/// What there is where the document was put before.
pub(super) enum Before {
    /// Nothing.
    Nothing,
    /// These keys of ours.
    There(Vec<String>),
    /// Nobody can look.
    Unknown(String),
}

/// What is known of an object without asking for its mark.
struct Known<'a> {
    /// What this run has put.
    put: Option<&'a (String, Option<String>)>,
    /// What an earlier one has.
    recorded: Option<&'a Delivered>,
}

pub(super) async fn observe(
    ctx: &Context,
    remote: &Remote,
    document: &Document,
) -> Result<Observed, Failure> {
    let mut observed = Observed {
        wanted: wanted(remote, document)?,
        found: State::Absent,
        foreign: None,
        strays: Vec::new(),
        earlier: Vec::new(),
        before: before(ctx, remote, document).await?,
        delivered: None,
        has_storage: document.spec.storage_ref.is_some(),
        at: ctx.now(),
    };
    if let Some(here) = &remote.here {
        look(ctx, here, remote, document, &mut observed).await?;
    }
    if !matches!(observed.before, Before::Nothing) {
        observed.delivered = delivered(document).cloned();
    }
    Ok(observed)
}

/// Where it belongs now; nowhere while it is hidden or being deleted.
fn wanted(remote: &Remote, document: &Document) -> Result<Option<String>, Failure> {
    let away = document.spec.is_hidden() || document.metadata.deletion_timestamp.is_some();
    match (&remote.here, &document.spec.content) {
        (Some(here), Some(content)) if !away => here.key(&content.sha256()).map(Some),
        _ => Ok(None),
    }
}

async fn before(ctx: &Context, remote: &Remote, document: &Document) -> Result<Before, Failure> {
    let shelf = match &remote.before {
        None => return Ok(Before::Nothing),
        Some(Err(why)) => return Ok(Before::Unknown(why.clone())),
        Some(Ok(shelf)) => shelf,
    };
    let ctx = ctx.elsewhere(&shelf.account);
    let recorded = delivered(document).map(|at| at.key.as_str());
    let mut ours = Vec::new();
    // What bears no mark is left here: a place is known from the status alone.
    for thing in shelf.list(&ctx).await?.unwrap_or_default() {
        let is_ours = match shelf.whose(&ctx, &thing.key).await? {
            Whose::Ours => true,
            // Of a Document that was restored with its status.
            Whose::Earlier => recorded == Some(thing.key.as_str()),
            Whose::Nobodys | Whose::Others => false,
        };
        if is_ours {
            ours.push(thing.key);
        }
    }
    Ok(if ours.is_empty() { Before::Nothing } else { Before::There(ours) })
}

async fn look(
    ctx: &Context,
    here: &Shelf,
    remote: &Remote,
    document: &Document,
    observed: &mut Observed,
) -> Result<(), Failure> {
    let things = here.list(ctx).await?;
    if things.is_none() && observed.wanted.is_some() {
        return Err(here.no_bucket());
    }
    let recorded = delivered(document).filter(|at| here.holds(at));
    let known = Known { put: remote.put.get(), recorded };
    let bytes = document.spec.content.as_ref().map_or(0, Content::bytes);
    for thing in things.unwrap_or_default() {
        if observed.wanted.as_ref() == Some(&thing.key) {
            judge(ctx, here, &thing, (&known, bytes), observed).await?;
            continue;
        }
        // The digest alone does not tell: another that took it over has put the same.
        let whose = here.whose(ctx, &thing.key).await?;
        if known.is_ours(&whose, &thing) {
            observed.strays.push(thing.key);
        } else if whose == Whose::Earlier && document.spec.is_hidden() {
            observed.earlier.push(thing.key);
        }
    }
    let stray = observed.strays.first().map(|key| here.delivered(key, None));
    let stale = matches!(observed.found, State::Other(_)) || !observed.strays.is_empty();
    let kept = recorded.cloned().or(stray).filter(|_| stale);
    observed.delivered = observed.delivered.take().or(kept);
    Ok(())
}

/// Whether what is under the key of the content is what was put there.
async fn judge(
    ctx: &Context,
    here: &Shelf,
    thing: &Thing,
    (known, bytes): (&Known<'_>, usize),
    observed: &mut Observed,
) -> Result<(), Failure> {
    let whole = usize::try_from(thing.size) == Ok(bytes);
    if !(whole && known.is(thing)) {
        let whose = here.whose(ctx, &thing.key).await?;
        // One that was put and never recorded: its answer was lost.
        let fresh = known.etag_of(&thing.key).is_none() && whose == Whose::Ours;
        if !(whole && fresh) {
            let ours = known.is_ours(&whose, thing);
            observed.foreign = (!ours).then(|| format!("{} in bucket {}", thing.key, here.bucket));
            observed.found = State::Other(thing.etag.clone());
            return Ok(());
        }
    }
    observed.found = State::AsWanted;
    observed.delivered = Some(here.delivered(&thing.key, thing.etag.clone()));
    Ok(())
}

impl Known<'_> {
    /// The digest with which the service took what was put under `key`.
    fn etag_of(&self, key: &str) -> Option<&str> {
        let put = self.put.filter(|(put, _)| put == key).and_then(|(_, etag)| etag.as_deref());
        let recorded = self.recorded.filter(|at| at.key == key).and_then(|at| at.etag.as_deref());
        put.or(recorded)
    }

    /// Whether it is, unchanged, what was put.
    fn is(&self, thing: &Thing) -> bool {
        thing.etag.as_deref().is_some_and(|etag| self.etag_of(&thing.key) == Some(etag))
    }

    /// Whether it takes the place of what was put by us: whoever writes an object anew drops its mark.
    fn is_ours(&self, whose: &Whose, thing: &Thing) -> bool {
        match whose {
            Whose::Ours => true,
            // The status says that it was: restored from a backup, or written by somebody else since.
            Whose::Earlier | Whose::Nobodys => self.etag_of(&thing.key).is_some(),
            Whose::Others => false,
        }
    }
}
