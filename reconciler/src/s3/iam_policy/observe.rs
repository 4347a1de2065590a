//! What a policy looks like.

use aws_sdk_iam::types;
use concierge_shared::{
    kind::Kind,
    s3::{AtProvider, IAMPolicy, Tags, User, UserStatus, not_held, user_key},
    status::{ConditionReason, intent::Intent},
};
use jiff::Timestamp;

use super::{Here, Holders, Observed, POLICY, State, TAGS, name_of, versions};
use crate::{
    common::recorded::by_others,
    engine::{Context, Effect, Failure, Owner, annotation},
    s3::{
        connection::{Connection, Found},
        iam::{self, MISSING, Page, Place, Refusals},
        user::attached_before,
    },
};

pub(super) fn place(to: &Connection, policy: &IAMPolicy) -> Place {
    Place::of(to, policy.metadata.namespace.as_deref().unwrap_or_default(), policy.spec.path.as_ref())
}

pub(super) async fn observe(ctx: &Context, to: &Connection, policy: &IAMPolicy) -> Result<Observed, Failure> {
    let state = match find(ctx, to, policy).await? {
        Found::Present(found) => State::Here(Box::new(here(ctx, to, policy, &found).await?)),
        Found::Missing => State::Absent,
        Found::Unsupported(why) => State::Closed(ConditionReason::Unsupported, why),
        Found::Denied(why) => State::Closed(ConditionReason::Refused, why),
    };
    Ok(Observed { state, not_held: not_held(ctx.lookup(), policy), at: ctx.now() })
}

/// The policy whose ARN is recorded, else the one of its name.
async fn find(ctx: &Context, to: &Connection, policy: &IAMPolicy) -> Result<Found<types::Policy>, Failure> {
    if !to.provider.spec.has_managed_policies() {
        let why = "the provider has no policies of their own; give each User its policy";
        return Ok(Found::Unsupported(why.to_owned()));
    }
    let recorded = policy.status.as_ref().and_then(|status| status.policy_arn.as_deref());
    match recorded {
        Some(arn) => get(ctx, to, arn).await,
        None => match named(ctx, to, name_of(policy)).await? {
            Found::Present(Some(arn)) => get(ctx, to, &arn).await,
            Found::Present(None) | Found::Missing => Ok(Found::Missing),
            Found::Unsupported(why) => Ok(Found::Unsupported(why)),
            Found::Denied(why) => Ok(Found::Denied(why)),
        },
    }
}

async fn get(ctx: &Context, to: &Connection, arn: &str) -> Result<Found<types::Policy>, Failure> {
    let call = iam::client(to)?.get_policy().policy_arn(arn).send();
    to.ask(ctx, "GetPolicy", MISSING, call).await?.map(|found| found.policy).held("GetPolicy")
}

/// The ARN of the account's own policy of this name, whatever its path: only one can have it.
async fn named(ctx: &Context, to: &Connection, name: &str) -> Result<Found<Option<String>>, Failure> {
    let iam = iam::client(to)?;
    let found = iam::all(|start| {
        let call = iam.list_policies().scope(types::PolicyScopeType::Local);
        let call = call.max_items(1000).set_marker(start).send();
        Box::pin(async move {
            let found = to.ask(ctx, "ListPolicies", MISSING, call).await?;
            Ok(found.map(|page| {
                let same = |one: &&types::Policy| {
                    one.policy_name().is_some_and(|found| found.eq_ignore_ascii_case(name))
                };
                let arns = page.policies().iter().filter(same).filter_map(|one| one.arn().map(str::to_owned));
                Page::new(arns, page.is_truncated(), page.marker())
            }))
        })
    });
    Ok(found.await?.map(|arns| arns.into_iter().next()))
}

pub(super) async fn effect(
    ctx: &Context,
    to: &Connection,
    policy: &IAMPolicy,
    intent: &Intent,
) -> Result<Vec<Effect>, Failure> {
    // What was recorded before is gone, and not what was asked for.
    let Found::Present(Some(arn)) = named(ctx, to, name_of(policy)).await? else { return Ok(Vec::new()) };
    let Found::Present(found) = get(ctx, to, &arn).await? else { return Ok(Vec::new()) };
    // Of this name there was none before. Where the path does not tell it from what anybody else makes, people do.
    let certain = place(to, policy).is_as_asked(found.path().unwrap_or_default());
    let at = found.create_date().and_then(|date| Timestamp::from_second(date.secs()).ok());
    Ok(vec![Effect { id: arn, fingerprint: intent.fingerprint.clone(), at, certain, kept: false }])
}

async fn here(
    ctx: &Context,
    to: &Connection,
    policy: &IAMPolicy,
    found: &types::Policy,
) -> Result<Here, Failure> {
    let acted_on = policy.status.as_ref().and_then(|status| status.reconciled_at.as_deref());
    let arn = found.arn().unwrap_or_default().to_owned();
    let mut here = Here {
        owner: owner(ctx, to, policy, found, &arn).await?,
        arn,
        id: id_of(found).map(str::to_owned),
        document: None,
        holders: None,
        tags: Tags::new(),
        refusals: Refusals::known(to, policy, acted_on, &[POLICY, TAGS]),
        versions: Vec::new(),
    };
    // Of what is another's nothing more has to be known.
    if here.owner != Owner::Ours && !annotation::is_set(policy, annotation::ADOPT) {
        return Ok(here);
    }
    here.holders = holders(ctx, to, policy, &here.arn).await?;
    if policy.metadata.deletion_timestamp.is_some() {
        let versions = versions::old(ctx, to, &here.arn).await?;
        here.versions = versions.present().cloned().unwrap_or_default();
        return Ok(here);
    }
    let document = document(ctx, to, &here.arn, found.default_version_id()).await?;
    here.document = here.refusals.keep(POLICY, document);
    let applied = policy.status.as_ref().is_some_and(|status| !status.applied_tags.is_empty());
    if policy.spec.tags.is_some() || applied {
        let found = tags(ctx, to, &here.arn).await?;
        here.tags = here.refusals.keep(TAGS, found).unwrap_or_default();
    }
    Ok(here)
}

/// What tells a policy from another that was made later under its name, which has the same ARN.
fn id_of(policy: &types::Policy) -> Option<&str> {
    policy.policy_id().filter(|id| !id.is_empty())
}

/// Whose the policy is: ours when the status tells its ARN and its id, or when its path does and no other object has recorded it.
async fn owner(
    ctx: &Context,
    to: &Connection,
    policy: &IAMPolicy,
    found: &types::Policy,
    arn: &str,
) -> Result<Owner, Failure> {
    let (place, path) = (place(to, policy), found.path().unwrap_or_default());
    let status = policy.status.as_ref();
    if status.and_then(|status| status.policy_arn.as_deref()) == Some(arn) {
        let recorded = status.and_then(|status| status.policy_id.as_deref());
        return Ok(match (recorded, id_of(found)) {
            (Some(recorded), Some(id)) if recorded != id => Owner::Other(format!(
                "it has the id {id}, and {recorded} was recorded: the policy was deleted, and another one has its name"
            )),
            _ => Owner::Ours,
        });
    }
    if found.policy_name() != Some(name_of(policy)) {
        let name = found.policy_name().unwrap_or_default();
        return Ok(Owner::Other(format!("it is called {name}, upper and lower case aside")));
    }
    if !place.is_marked(path) {
        return Ok(Owner::Other(place.why_not(path)));
    }
    let others = by_others(ctx, |other: IAMPolicy| other.status?.policy_arn).await?;
    Ok(match others.contains(arn) {
        true => Owner::Other("another IAMPolicy has it".to_owned()),
        false => Owner::Ours,
    })
}

async fn document(
    ctx: &Context,
    to: &Connection,
    arn: &str,
    version: Option<&str>,
) -> Result<Found<String>, Failure> {
    let call = iam::client(to)?.get_policy_version().policy_arn(arn).version_id(version.unwrap_or("v1"));
    let found = to.ask(ctx, "GetPolicyVersion", MISSING, call.send()).await?;
    Ok(found.map(|found| {
        found.policy_version().and_then(|version| version.document()).unwrap_or_default().to_owned()
    }))
}

async fn tags(ctx: &Context, to: &Connection, arn: &str) -> Result<Found<Tags>, Failure> {
    const ASKED: &str = "ListPolicyTags";
    let iam = iam::client(to)?;
    iam::read_tags(to, ASKED, "policies", |start| {
        let call = iam.list_policy_tags().policy_arn(arn).max_items(100).set_marker(start).send();
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

/// Who has the policy; `None` where the service does not tell.
async fn holders(
    ctx: &Context,
    to: &Connection,
    policy: &IAMPolicy,
    arn: &str,
) -> Result<Option<Holders>, Failure> {
    let iam = iam::client(to)?;
    let found = iam::all(|start| {
        let call = iam.list_entities_for_policy().policy_arn(arn).max_items(1000).set_marker(start).send();
        Box::pin(async move {
            let found = to.ask(ctx, "ListEntitiesForPolicy", MISSING, call).await?;
            Ok(found.map(|page| {
                let named = |kind, name: Option<&str>| Some((kind, name?.to_owned()));
                let users = page.policy_users().iter().filter_map(|one| named("user", one.user_name()));
                let groups = page.policy_groups().iter().filter_map(|one| named("group", one.group_name()));
                let roles = page.policy_roles().iter().filter_map(|one| named("role", one.role_name()));
                let all: Vec<(&'static str, String)> = users.chain(groups).chain(roles).collect();
                Page::new(all.into_iter(), page.is_truncated(), page.marker())
            }))
        })
    })
    .await?;
    let Found::Present(found) = found else { return Ok(None) };
    let mut holders = Holders::default();
    for (kind, name) in found {
        match kind {
            "user" if is_ours(ctx, policy, arn, &name)? => holders.ours.push(name.clone()),
            _ => holders.foreign.push(format!("{kind} {name}")),
        }
        if kind == "user" {
            holders.users.push(name);
        }
    }
    holders.users.sort();
    Ok(Some(holders))
}

/// Whether a User has made, or taken over, the user of this name. In another namespace it must have been given the policy by us, too: what
/// people attached there by hand is theirs.
fn is_ours(ctx: &Context, policy: &IAMPolicy, arn: &str, name: &str) -> Result<bool, Failure> {
    let users = ctx.select(User::NAME, "", &user_key(&policy.provider_key(), name))?;
    let users = users.iter().filter_map(|user| user.get::<User>());
    Ok(users.filter(|user| user.spec.name == name).any(|user| {
        let made = |status: &UserStatus| status.user_id.is_some() && status.created == Some(true);
        let is_near = user.metadata.namespace == policy.metadata.namespace;
        user.status.as_ref().is_some_and(made) && (is_near || attached_before(&user).any(|one| one == arn))
    }))
}
