//! The versions of a policy: IAM keeps five, and one of them counts.

use aws_sdk_iam::types::PolicyVersion;
use concierge_shared::{s3::IAMPolicy, status::ConditionReason};

use super::{POLICY, name_of};
use crate::{
    engine::{Context, Failure, Guard, Outcome},
    s3::{
        connection::{Connection, Found},
        iam::{self, MISSING, Page},
    },
};

/// How many there can be.
const MOST: usize = 5;

/// The ids of the versions beside the one that counts, oldest first.
pub(super) async fn old(ctx: &Context, to: &Connection, arn: &str) -> Result<Found<Vec<String>>, Failure> {
    let iam = iam::client(to)?;
    let found = iam::all(|start| {
        let call = iam.list_policy_versions().policy_arn(arn).max_items(1000).set_marker(start).send();
        Box::pin(async move {
            let found = to.ask(ctx, "ListPolicyVersions", MISSING, call).await?;
            Ok(found
                .map(|page| Page::new(page.versions().iter().cloned(), page.is_truncated(), page.marker())))
        })
    })
    .await?;
    Ok(found.map(|mut versions: Vec<PolicyVersion>| {
        versions.retain(|version| !version.is_default_version());
        versions.sort_by_key(age);
        versions.iter().filter_map(|version| version.version_id().map(str::to_owned)).collect()
    }))
}

/// Services write times in whole seconds, and count versions up: v1, v2, v10.
fn age(version: &PolicyVersion) -> (i64, u64) {
    let number = version.version_id().and_then(|id| id.trim_start_matches('v').parse().ok());
    (version.create_date().map_or(0, |date| date.secs()), number.unwrap_or_default())
}

/// Makes another version that counts. There has to be room for it; the oldest goes.
pub(super) async fn replace(
    guard: &Guard,
    to: &Connection,
    policy: &IAMPolicy,
    arn: &str,
) -> Result<Outcome, Failure> {
    if let Found::Present(old) = old(guard, to, arn).await? {
        let over = (old.len() + 2).saturating_sub(MOST);
        delete(guard, to, arn, &old[..over.min(old.len())]).await?;
    }
    let text = policy.spec.document().unwrap_or_default();
    let call = iam::client(to)?.create_policy_version().policy_arn(arn).policy_document(text);
    let done = to.try_write(guard, "CreatePolicyVersion", call.set_as_default(true).send()).await?;
    let message = format!("made another version of policy {}", name_of(policy));
    let usual = Outcome::new(ConditionReason::Updated, message);
    Ok(iam::note(to, policy, POLICY, done).unwrap_or(usual))
}

pub(super) async fn delete(
    guard: &Guard,
    to: &Connection,
    arn: &str,
    versions: &[String],
) -> Result<Outcome, Failure> {
    for version in versions {
        let call = iam::client(to)?.delete_policy_version().policy_arn(arn).version_id(version);
        iam::gone(to.write(guard, "DeletePolicyVersion", call.send()).await)?;
    }
    Ok(Outcome::new(ConditionReason::Deleted, format!("deleted versions {} of {arn}", versions.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_one_second_are_told_apart_by_their_numbers() {
        let version = |id: &str| PolicyVersion::builder().version_id(id).build();
        let mut versions = ["v10", "v9", "v2", "x"].map(version);
        versions.sort_by_key(age);
        let ids: Vec<_> = versions.iter().filter_map(PolicyVersion::version_id).collect();
        assert_eq!(ids, ["x", "v2", "v9", "v10"]);
    }
}
