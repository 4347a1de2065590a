//! The group `s3.cloud37.dev`: buckets, users, keys and policies at any provider that speaks S3's protocol.
//!
//! Field names and status fields are those of the operator that served this group before, so that its objects go
//! on; what is new is optional.

mod access_key;
mod bucket;
mod bucket_policy;
mod document;
mod iam;
mod iam_policy;
pub mod policy;
mod provider;
mod provider_ref;
mod quota;
mod region;
mod rotation;
mod tags;
mod user;

pub use access_key::{AccessKey, AccessKeySpec, AccessKeyStatus};
pub use bucket::named::{
    NamesBuckets, named_buckets, naming_users, needs_bucket, not_held, users_key, waiting_buckets,
};
pub use bucket::{
    AccessLevel, Algorithm, AutoManage, Bucket, BucketSpec, BucketStatus, CHILDREN, ChildNames, Cors,
    CorsRule, EMPTY_ANNOTATION, Encryption, Lifecycle, LifecycleRule, Method, PublicAccess, RuleStatus,
    TagPolicy, Tagging, Versioning,
};
pub use bucket_policy::{BucketPolicy, BucketPolicySpec, BucketPolicyStatus};
pub use document::{Cursor, PolicyFields, StatementFields};
pub use iam::OWN_PATH;
pub use iam_policy::{IAMPolicy, IAMPolicySpec, IAMPolicyStatus};
pub use provider::{
    Auth, CaRef, Capabilities, CredentialRef, DeletionPolicy, Provider, ProviderSpec, ProviderStatus, Tls,
};
pub use provider_ref::AtProvider;
pub use tags::Tags;
pub use user::{User, UserSpec, UserStatus, user_key};

/// None: access keys and their secrets have no sign at their beginning, and stand in Secrets.
pub const SECRET_PREFIXES: &[&str] = &[];

crate::settings! {}

#[cfg(test)]
mod tests;
