//! What keys a user has, and what is in the Secret.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{AccessKeyMetadata, StatusType};
use concierge_shared::{
    admission::reference::referrers_key,
    kind::Kind,
    s3::{AccessKey, User},
    status::intent::Intent,
};
use jiff::Timestamp;

use super::{AccessKeyReconciler, Kept, Key, Observed, Remote, secret_name};
use crate::{
    engine::{Context, Effect, Failure, ObjectKey, Owned, Secret},
    s3::{
        connection::Found,
        iam::{self, MISSING, Page},
    },
};

pub(super) async fn observe(
    reconciler: &AccessKeyReconciler,
    ctx: &Context,
    remote: &Remote,
    key: &AccessKey,
) -> Result<Observed, Failure> {
    let keys = keys(reconciler, ctx, remote).await?;
    let recorded = key.status.iter().flat_map(|status| status.key_ids());
    Ok(Observed {
        user: remote.user.clone(),
        user_is_ready: remote.user_id.is_some(),
        keys,
        secret: kept(ctx, key).await?,
        others: others(ctx, key),
        removed: recorded.filter(|id| reconciler.is_removed(id)).map(str::to_owned).collect(),
        at: ctx.now(),
    })
}

/// The keys that the service lists and has not confirmed to be gone: lists are late.
async fn keys(
    reconciler: &AccessKeyReconciler,
    ctx: &Context,
    remote: &Remote,
) -> Result<Found<Vec<Key>>, Failure> {
    let client = iam::client(&remote.to)?;
    let found = iam::all(|start| {
        let call = client.list_access_keys().user_name(&remote.user).set_marker(start).send();
        Box::pin(async move {
            let found = remote.to.ask(ctx, "ListAccessKeys", MISSING, call).await?;
            Ok(found.map(|page| {
                let keys = page.access_key_metadata().iter().filter_map(read);
                Page::new(keys, page.is_truncated(), page.marker())
            }))
        })
    });
    Ok(found.await?.map(|keys| keys.into_iter().filter(|key| !reconciler.is_removed(&key.id)).collect()))
}

fn read(listed: &AccessKeyMetadata) -> Option<Key> {
    let created = listed.create_date().and_then(|at| Timestamp::from_second(at.secs()).ok());
    let active = listed.status() != Some(&StatusType::Inactive);
    Some(Key { id: listed.access_key_id()?.to_owned(), active, created })
}

async fn kept(ctx: &Context, key: &AccessKey) -> Result<Kept, Failure> {
    let id = |secret: &Secret| {
        secret.text(AccessKey::SECRET_KEY).ok()?;
        secret.text(AccessKey::SECRET_ID).ok().map(str::to_owned)
    };
    Ok(match ctx.secret_of(key, &secret_name(key)).await? {
        Owned::Absent => Kept::Absent,
        Owned::Ours(secret) => Kept::Ours(id(&secret)),
        Owned::Foreign(secret) => Kept::Foreign(id(&secret)),
    })
}

/// The keys that other AccessKeys of the same User have made; those of other namespaces are not named.
fn others(ctx: &Context, key: &AccessKey) -> BTreeMap<String, String> {
    let own = ObjectKey::of(key);
    let Some(user) = &key.spec.user_ref else { return BTreeMap::new() };
    let users = referrers_key(User::NAME, user.namespace_in(&own.namespace), &user.name);
    let mut others = BTreeMap::new();
    for object in ctx.lookup().select(AccessKey::NAME, &users).objects {
        let is = ObjectKey::from(&object);
        let Some(other) = object.get::<AccessKey>().filter(|_| is != own) else { continue };
        let called = match is.namespace == own.namespace {
            true => format!("AccessKey {}", is.name),
            false => "another AccessKey".to_owned(),
        };
        let ids = other.status.iter().flat_map(|status| status.key_ids());
        others.extend(ids.map(|id| (id.to_owned(), called.clone())));
    }
    others
}

/// The keys that could be what the call made whose answer was lost.
///
/// One key looks like the other, and the user's keys are no secret: somebody else may make one at the same time. The one that is ours was
/// made in those minutes, and nobody can have used it. Where the service tells both, that is proof enough; where it does not, people decide.
pub(super) async fn effects(
    reconciler: &AccessKeyReconciler,
    ctx: &Context,
    remote: &Remote,
    key: &AccessKey,
    intent: &Intent,
) -> Result<Vec<Effect>, Failure> {
    let keys = match keys(reconciler, ctx, remote).await? {
        Found::Present(keys) => keys,
        // Its keys are gone with it.
        Found::Missing => Vec::new(),
        Found::Unsupported(why) | Found::Denied(why) => return Err(Failure::Unsupported(why)),
    };
    let kept = match kept(ctx, key).await? {
        Kept::Ours(id) => id,
        Kept::Absent | Kept::Foreign(_) => None,
    };
    let mut effects = Vec::new();
    for Key { id, created, .. } in keys.into_iter().filter(|key| !intent.before.contains(&key.id)) {
        let kept = kept.as_ref() == Some(&id);
        let certain = kept || created.is_some() && is_unused(ctx, remote, &id).await?;
        effects.push(Effect { id, fingerprint: intent.fingerprint.clone(), at: created, certain, kept });
    }
    Ok(effects)
}

/// Whether the service says that nobody has used the key.
async fn is_unused(ctx: &Context, remote: &Remote, id: &str) -> Result<bool, Failure> {
    let call = iam::client(&remote.to)?.get_access_key_last_used().access_key_id(id).send();
    let found = remote.to.ask(ctx, "GetAccessKeyLastUsed", MISSING, call).await?;
    let used = found.present().and_then(|found| found.access_key_last_used());
    Ok(used.is_some_and(|used| used.last_used_date().is_none()))
}
