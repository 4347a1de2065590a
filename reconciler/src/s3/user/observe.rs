//! What a user looks like.

use std::sync::Arc;

use aws_sdk_iam::types;
use concierge_shared::{
    admission::reference::referrers_key,
    kind::Kind,
    s3::{AccessKey, IAMPolicy, Tags, User, not_held},
    status::{ConditionReason, intent::Intent},
};
use jiff::Timestamp;

use super::{Here, Leaving, Observed, POLICY, POLICY_REF, State, TAGS, plan, policy_name};
use crate::{
    common::recorded::by_others,
    engine::{Context, Effect, Failure, Owner, annotation},
    s3::{
        connection::{Connection, Found},
        iam::{self, MISSING, Page, Place, Refusals},
    },
};

pub(super) fn place(to: &Connection, user: &User) -> Place {
    Place::of(to, user.metadata.namespace.as_deref().unwrap_or_default(), user.spec.path.as_ref())
}

/// What tells a user from another of its name that was there before. Services that give users no id know them by their names.
pub(in crate::s3) fn identity(user: &types::User) -> String {
    let given = [user.user_id(), user.arn()].into_iter().find(|id| !id.is_empty());
    given.unwrap_or(user.user_name()).to_owned()
}

pub(super) async fn observe(ctx: &Context, to: &Connection, user: &User) -> Result<Observed, Failure> {
    let state = match find(ctx, to, user).await? {
        Found::Present(found) => State::Here(Box::new(here(ctx, to, user, &found).await?)),
        Found::Missing => State::Absent,
        Found::Unsupported(why) => State::Closed(ConditionReason::Unsupported, why),
        Found::Denied(why) => State::Closed(ConditionReason::Refused, why),
    };
    let has_tags = to.provider.spec.has_iam_tags();
    let not_held = not_held(ctx.lookup(), user);
    Ok(Observed { state, policy: policy_arn(ctx, user), not_held, has_tags, at: ctx.now() })
}

async fn find(ctx: &Context, to: &Connection, user: &User) -> Result<Found<types::User>, Failure> {
    let call = iam::client(to)?.get_user().user_name(&user.spec.name).send();
    to.ask(ctx, "GetUser", MISSING, call).await?.map(|found| found.user).held("GetUser")
}

pub(super) async fn effect(
    ctx: &Context,
    to: &Connection,
    user: &User,
    intent: &Intent,
) -> Result<Vec<Effect>, Failure> {
    let Found::Present(found) = find(ctx, to, user).await? else { return Ok(Vec::new()) };
    // Of this name there was none before. Where the path does not tell it from what anybody else makes, people do.
    let certain = place(to, user).is_as_asked(found.path());
    let at = Timestamp::from_second(found.create_date().secs()).ok().filter(|at| *at > Timestamp::UNIX_EPOCH);
    Ok(vec![Effect {
        id: identity(&found),
        fingerprint: intent.fingerprint.clone(),
        at,
        certain,
        kept: false,
    }])
}

/// The ARN of the policy that the spec names, as far as it is there.
fn policy_arn(ctx: &Context, user: &User) -> Option<String> {
    let namespace = user.metadata.namespace.as_deref().unwrap_or_default();
    let policy: Arc<IAMPolicy> = user.spec.policy_ref.as_ref()?.visible(ctx.lookup(), namespace)?;
    policy.status.as_ref()?.policy_arn.clone()
}

async fn here(ctx: &Context, to: &Connection, user: &User, found: &types::User) -> Result<Here, Failure> {
    let acted_on = user.status.as_ref().and_then(|status| status.reconciled_at.as_deref());
    let mut here = Here {
        id: identity(found),
        arn: Some(found.arn().to_owned()).filter(|arn| !arn.is_empty()),
        owner: owner(ctx, to, user, found).await?,
        inline: None,
        attached: Vec::new(),
        tags: Tags::new(),
        refusals: Refusals::known(to, user, acted_on, &[POLICY, POLICY_REF, TAGS]),
        leaving: None,
    };
    // Of what is another's nothing more has to be known.
    if here.owner != Owner::Ours && !annotation::is_set(user, annotation::ADOPT) {
        return Ok(here);
    }
    if user.metadata.deletion_timestamp.is_some() {
        leaving(ctx, to, user, &mut here).await?;
        return Ok(here);
    }
    let applied = |word: &str| plan::applied_before(user).any(|one| one.starts_with(word));
    if plan::has_policy(user) || applied(plan::INLINE) {
        let found = inline(ctx, to, user).await?;
        here.inline = here.refusals.keep(POLICY, found);
    }
    if user.spec.policy_ref.is_some() || applied(plan::ATTACHED) {
        let found = attached(ctx, to, user).await?;
        here.attached = here.refusals.keep(POLICY_REF, found).unwrap_or_default();
    }
    if user.spec.tags.is_some() || applied(plan::TAG) {
        let found = tags(ctx, to, user).await?;
        here.tags = here.refusals.keep(TAGS, found).unwrap_or_default();
    }
    Ok(here)
}

/// Whose the user is: ours when the status tells its id, or when its path does and nobody else has recorded it.
async fn owner(ctx: &Context, to: &Connection, user: &User, found: &types::User) -> Result<Owner, Failure> {
    if found.user_name() != user.spec.name {
        return Ok(Owner::Other(format!("it is called {}, upper and lower case aside", found.user_name())));
    }
    let (id, place) = (identity(found), place(to, user));
    let status = user.status.clone().unwrap_or_default();
    let is_marked = place.is_marked(found.path());
    Ok(match status.user_id {
        Some(recorded) if recorded == id => Owner::Ours,
        // It was seen to be gone, and was being made once more.
        Some(_) if is_marked && status.created == Some(false) => Owner::Ours,
        Some(recorded) => Owner::Other(format!(
            "it has the id {id}, and {recorded} was recorded: the user was deleted, and another one has its name"
        )),
        None if !is_marked => Owner::Other(place.why_not(found.path())),
        None if by_others(ctx, |other: User| other.status?.user_id).await?.contains(&id) => {
            Owner::Other("another User has it".to_owned())
        }
        None => Owner::Ours,
    })
}

async fn inline(ctx: &Context, to: &Connection, user: &User) -> Result<Found<String>, Failure> {
    let call = iam::client(to)?.get_user_policy().user_name(&user.spec.name).policy_name(policy_name(user));
    let found = to.ask(ctx, "GetUserPolicy", MISSING, call.send()).await?;
    Ok(found.map(|found| found.policy_document))
}

async fn attached(ctx: &Context, to: &Connection, user: &User) -> Result<Found<Vec<String>>, Failure> {
    const ASKED: &str = "ListAttachedUserPolicies";
    if !to.provider.spec.has_managed_policies() {
        return Ok(Found::Unsupported(
            "the provider has no policies of their own; give the User its policy".into(),
        ));
    }
    let (iam, name) = (iam::client(to)?, &user.spec.name);
    iam::all(|start| {
        let call = iam.list_attached_user_policies().user_name(name).max_items(1000).set_marker(start).send();
        Box::pin(async move {
            let found = to.ask(ctx, ASKED, MISSING, call).await?;
            Ok(found.map(|page| {
                let arns =
                    page.attached_policies().iter().filter_map(|one| one.policy_arn().map(str::to_owned));
                Page::new(arns, page.is_truncated(), page.marker())
            }))
        })
    })
    .await
}

async fn tags(ctx: &Context, to: &Connection, user: &User) -> Result<Found<Tags>, Failure> {
    const ASKED: &str = "ListUserTags";
    let (iam, name) = (iam::client(to)?, &user.spec.name);
    iam::read_tags(to, ASKED, "users", |start| {
        let call = iam.list_user_tags().user_name(name).max_items(100).set_marker(start).send();
        Box::pin(async move {
            let found = to.ask(ctx, ASKED, MISSING, call).await?;
            Ok(found.map(|page| {
                let tags = page.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
                Page::new(tags, page.is_truncated(), page.marker())
            }))
        })
    })
    .await
}

async fn inline_names(ctx: &Context, to: &Connection, user: &User) -> Result<Found<Vec<String>>, Failure> {
    let (iam, name) = (iam::client(to)?, &user.spec.name);
    iam::all(|start| {
        let call = iam.list_user_policies().user_name(name).max_items(1000).set_marker(start).send();
        Box::pin(async move {
            let found = to.ask(ctx, "ListUserPolicies", MISSING, call).await?;
            Ok(found.map(|page| {
                Page::new(page.policy_names().iter().cloned(), page.is_truncated(), page.marker())
            }))
        })
    })
    .await
}

async fn keys(ctx: &Context, to: &Connection, user: &User) -> Result<Found<Vec<String>>, Failure> {
    let (iam, name) = (iam::client(to)?, &user.spec.name);
    iam::all(|start| {
        let call = iam.list_access_keys().user_name(name).max_items(1000).set_marker(start).send();
        Box::pin(async move {
            let found = to.ask(ctx, "ListAccessKeys", MISSING, call).await?;
            Ok(found.map(|page| {
                let ids = page
                    .access_key_metadata()
                    .iter()
                    .filter_map(|key| key.access_key_id().map(str::to_owned));
                Page::new(ids, page.is_truncated(), page.marker())
            }))
        })
    })
    .await
}

/// What hangs on a user that is to go.
async fn leaving(ctx: &Context, to: &Connection, user: &User, here: &mut Here) -> Result<(), Failure> {
    let mut leaving = Leaving { keys: Vec::new(), foreign: Vec::new(), unknown: Vec::new() };
    let mut told = |found: Found<Vec<String>>| match found {
        Found::Present(items) => items,
        // What the service does not have can't hang on the user.
        Found::Missing | Found::Unsupported(_) => Vec::new(),
        Found::Denied(why) => {
            leaving.unknown.push(why);
            Vec::new()
        }
    };
    let keys = told(keys(ctx, to, user).await?);
    let inline = told(inline_names(ctx, to, user).await?);
    here.attached = told(attached(ctx, to, user).await?);
    for key in keys {
        match holder(ctx, user, &key)? {
            Some(holder) => leaving.keys.push(holder),
            None => leaving.foreign.push(format!("access key {key}")),
        }
    }
    let own = policy_name(user);
    here.inline = inline.contains(&own).then(|| own.clone());
    let inline = inline.iter().filter(|name| **name != own).map(|name| format!("inline policy {name}"));
    leaving.foreign.extend(inline);
    let named = policy_arn(ctx, user);
    let is_ours = |arn: &&String| {
        named.as_ref() == Some(*arn) || plan::attached_before(user).any(|one| one == arn.as_str())
    };
    let attached = here.attached.iter().filter(|arn| !is_ours(arn)).map(|arn| format!("policy {arn}"));
    leaving.foreign.extend(attached);
    here.leaving = Some(leaving);
    Ok(())
}

/// The AccessKey that the key was made for.
fn holder(ctx: &Context, user: &User, key: &str) -> Result<Option<String>, Failure> {
    let meta = &user.metadata;
    let (namespace, name) = (meta.namespace.as_deref(), meta.name.as_deref());
    let users = referrers_key(User::NAME, namespace.unwrap_or_default(), name.unwrap_or_default());
    let objects = ctx.select(AccessKey::NAME, "", &users)?;
    let mut holders = objects
        .iter()
        .filter_map(|object| object.get::<AccessKey>())
        .filter(|object| object.status.as_ref().is_some_and(|status| status.key_ids().any(|id| id == key)));
    Ok(holders.next().map(|object| {
        let meta = &object.metadata;
        format!(
            "{}/{}",
            meta.namespace.as_deref().unwrap_or_default(),
            meta.name.as_deref().unwrap_or_default()
        )
    }))
}
