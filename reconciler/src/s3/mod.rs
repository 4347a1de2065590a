//! S3: buckets, and who may do what with them, made real at any provider that speaks S3's protocol.
//!
//! A Provider's access key is used for nothing before the Provider has been looked at with it: one call tells whether the service
//! takes it, and whose it is. What a service can't do, or does not allow, concerns one field; the others are applied all the same.

mod access_key;
mod bucket;
mod bucket_policy;
mod connection;
mod iam;
mod iam_policy;
mod provider;
mod user;

use std::time::Duration;

pub use connection::Providers;

use crate::engine::Kinds;

/// What the operator that served this group before put on objects.
const LEGACY_FINALIZERS: &[&str] = &["s3.cloud37.dev/finalizer"];

/// Adds the reconcilers of this group.
///
/// # Errors
/// None: clients are made when an object needs one.
pub fn add(kinds: Kinds, connect_timeout: Duration) -> anyhow::Result<Kinds> {
    Ok(self::kinds(kinds, &Providers::over_http(connect_timeout)))
}

/// Adds them with providers that are reached in another way.
pub fn kinds(kinds: Kinds, providers: &Providers) -> Kinds {
    kinds
        .with(provider::ProviderReconciler(providers.clone()))
        .with(bucket::BucketReconciler::new(providers.clone()))
        .with(bucket_policy::BucketPolicyReconciler(providers.clone()))
        .with(iam_policy::IAMPolicyReconciler(providers.clone()))
        .with(user::UserReconciler(providers.clone()))
        .with(access_key::AccessKeyReconciler::new(providers.clone()))
}
