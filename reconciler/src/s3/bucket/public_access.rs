//! What public access is blocked.

use aws_sdk_s3::types::PublicAccessBlockConfiguration;
use concierge_shared::s3::PublicAccess;

use super::NOTHING;

fn line(blocked: [Option<bool>; 4]) -> String {
    let names = ["blockPublicAcls", "ignorePublicAcls", "blockPublicPolicy", "restrictPublicBuckets"];
    let on = names.into_iter().zip(blocked).filter(|(_, on)| *on == Some(true)).map(|(name, _)| name);
    let on: Vec<_> = on.collect();
    if on.is_empty() { NOTHING.to_owned() } else { on.join(", ") }
}

fn all(access: &PublicAccess) -> [Option<bool>; 4] {
    let PublicAccess { block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets } =
        access;
    [block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets]
        .map(|one| Some(one.unwrap_or(true)))
}

pub(super) fn wanted(access: &PublicAccess) -> String {
    line(all(access))
}

pub(super) fn found(found: &PublicAccessBlockConfiguration) -> String {
    line([
        found.block_public_acls,
        found.ignore_public_acls,
        found.block_public_policy,
        found.restrict_public_buckets,
    ])
}

pub(super) fn body(access: &PublicAccess) -> PublicAccessBlockConfiguration {
    let [acls, ignored, policy, restricted] = all(access);
    PublicAccessBlockConfiguration::builder()
        .set_block_public_acls(acls)
        .set_ignore_public_acls(ignored)
        .set_block_public_policy(policy)
        .set_restrict_public_buckets(restricted)
        .build()
}
