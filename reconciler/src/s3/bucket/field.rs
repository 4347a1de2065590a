//! The parts of a bucket that are applied each for itself.
//!
//! What a part is to be and what it is are written as one line of text, in which order and spelling that mean nothing are gone: so two
//! are compared, and people read the difference.

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use concierge_shared::s3::{BucketSpec, ProviderSpec, policy::Profile};

use super::{NOTHING, cors, encryption, lifecycle, public_access};
use crate::{
    engine::{Context, Failure, Guard},
    s3::connection::{Connection, Found},
};

/// A part of a bucket. The order is that in which they are set: what protects comes first, and rules about versions after these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::s3) enum Field {
    PublicAccess,
    Encryption,
    Versioning,
    Lifecycle,
    Cors,
}

impl Field {
    pub(super) const ALL: [Field; 5] =
        [Field::PublicAccess, Field::Encryption, Field::Versioning, Field::Lifecycle, Field::Cors];

    /// The field of the spec.
    pub(super) fn path(self) -> &'static str {
        match self {
            Field::PublicAccess => "spec.publicAccess",
            Field::Encryption => "spec.encryption",
            Field::Versioning => "spec.versioning",
            Field::Lifecycle => "spec.lifecycle",
            Field::Cors => "spec.cors",
        }
    }

    /// Its name among what was applied, and in sentences.
    pub(super) fn word(self) -> &'static str {
        self.path().trim_start_matches("spec.")
    }

    /// What the spec wants it to be; `None` when it says nothing.
    pub(super) fn wanted(self, spec: &BucketSpec) -> Option<String> {
        match self {
            Field::PublicAccess => spec.public_access.as_ref().map(public_access::wanted),
            Field::Encryption => spec.encryption.as_ref().map(encryption::wanted),
            Field::Versioning => {
                let wanted = if spec.is_versioned() { "Enabled" } else { NOTHING };
                spec.versioning.as_ref().map(|_| wanted.to_owned())
            }
            Field::Lifecycle => spec.lifecycle.as_ref().map(lifecycle::wanted),
            Field::Cors => spec.cors.as_ref().map(cors::wanted),
        }
    }

    /// Whether what is found is what is wanted.
    pub(super) fn agrees(self, profile: Profile, wanted: &str, found: &str) -> bool {
        wanted == found || self == Field::Encryption && encryption::agrees(profile, wanted, found)
    }

    /// Whether it is taken away by a call of its own.
    pub(super) fn is_removed(self) -> bool {
        matches!(self, Field::Encryption | Field::Lifecycle | Field::Cors)
    }

    /// What the Provider, or its type, says of it; `None` when the service is to be asked.
    pub(super) fn said(self, provider: &ProviderSpec) -> Option<bool> {
        match self {
            Field::PublicAccess => {
                provider.said_of(|all| all.public_access_block, &[Profile::Versitygw, Profile::SeaweedFs])
            }
            Field::Encryption => provider.said_of(|all| all.encryption, &[Profile::Versitygw]),
            Field::Versioning => provider.said_of(|all| all.versioning, &[]),
            Field::Lifecycle => provider.said_of(|all| all.lifecycle, &[Profile::Versitygw]),
            Field::Cors => provider.said_of(|all| all.cors, &[]),
        }
    }

    /// What it is at `bucket`.
    pub(super) async fn get(
        self,
        ctx: &Context,
        to: &Connection,
        bucket: &str,
    ) -> Result<Found<String>, Failure> {
        let s3 = &to.clients.s3;
        match self {
            Field::PublicAccess => {
                const NONE: &[&str] = &["NoSuchPublicAccessBlockConfiguration"];
                let call = s3.get_public_access_block().bucket(bucket).send();
                let found = to.ask(ctx, "GetPublicAccessBlock", NONE, call).await?;
                let found = found.map(|found| found.public_access_block_configuration);
                Ok(found.of_its_kind("GetPublicAccessBlock").map(|found| public_access::found(&found)))
            }
            Field::Encryption => {
                const NONE: &[&str] = &["ServerSideEncryptionConfigurationNotFoundError"];
                let call = s3.get_bucket_encryption().bucket(bucket).send();
                let found = to.ask(ctx, "GetBucketEncryption", NONE, call).await?;
                let found = found.map(|found| found.server_side_encryption_configuration);
                Ok(found.of_its_kind("GetBucketEncryption").map(|found| encryption::found(&found)))
            }
            Field::Versioning => {
                let call = s3.get_bucket_versioning().bucket(bucket).send();
                let found = to.ask(ctx, "GetBucketVersioning", &[], call).await?;
                let is_on = |on| if on { "Enabled" } else { NOTHING }.to_owned();
                Ok(found.map(|found| is_on(found.status() == Some(&BucketVersioningStatus::Enabled))))
            }
            Field::Lifecycle => {
                const NONE: &[&str] = &["NoSuchLifecycleConfiguration"];
                let call = s3.get_bucket_lifecycle_configuration().bucket(bucket).send();
                let found = to.ask(ctx, "GetBucketLifecycleConfiguration", NONE, call).await?;
                Ok(found.map(|found| lifecycle::found(&found)))
            }
            Field::Cors => {
                const NONE: &[&str] = &["NoSuchCORSConfiguration"];
                let call = s3.get_bucket_cors().bucket(bucket).send();
                let found = to.ask(ctx, "GetBucketCors", NONE, call).await?;
                Ok(found.map(|found| cors::found(&found)))
            }
        }
    }

    /// Makes it what the spec wants.
    pub(super) async fn set(
        self,
        guard: &Guard,
        to: &Connection,
        spec: &BucketSpec,
    ) -> Result<Found<()>, Failure> {
        let (s3, bucket) = (&to.clients.s3, &spec.name);
        match self {
            Field::PublicAccess => {
                let wanted = spec.public_access.as_ref().map(public_access::body);
                let call = s3.put_public_access_block().bucket(bucket);
                let call = call.set_public_access_block_configuration(wanted).send();
                Ok(to.try_write(guard, "PutPublicAccessBlock", call).await?.map(drop))
            }
            Field::Encryption => {
                let wanted = spec.encryption.as_ref().map(encryption::body).transpose()?;
                let call = s3.put_bucket_encryption().bucket(bucket);
                let call = call.set_server_side_encryption_configuration(wanted).send();
                Ok(to.try_write(guard, "PutBucketEncryption", call).await?.map(drop))
            }
            Field::Versioning => {
                let on = spec.is_versioned();
                let status =
                    if on { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
                // MFA delete is never sent: it takes the account owner's device.
                let wanted = VersioningConfiguration::builder().status(status).build();
                let call = s3.put_bucket_versioning().bucket(bucket).versioning_configuration(wanted).send();
                Ok(to.try_write(guard, "PutBucketVersioning", call).await?.map(drop))
            }
            Field::Lifecycle => {
                let wanted = spec.lifecycle.as_ref().map(lifecycle::body).transpose()?;
                let call = s3.put_bucket_lifecycle_configuration().bucket(bucket);
                let call = call.set_lifecycle_configuration(wanted).send();
                Ok(to.try_write(guard, "PutBucketLifecycleConfiguration", call).await?.map(drop))
            }
            Field::Cors => {
                let wanted = spec.cors.as_ref().map(cors::body).transpose()?;
                let call = s3.put_bucket_cors().bucket(bucket).set_cors_configuration(wanted).send();
                Ok(to.try_write(guard, "PutBucketCors", call).await?.map(drop))
            }
        }
    }

    /// Takes it away. Only after the same run was shown it: some services delete the *bucket* when a part that they do not know is
    /// deleted.
    pub(super) async fn remove(
        self,
        guard: &Guard,
        to: &Connection,
        bucket: &str,
    ) -> Result<Found<()>, Failure> {
        let s3 = &to.clients.s3;
        match self {
            Field::Encryption => {
                let call = s3.delete_bucket_encryption().bucket(bucket).send();
                Ok(to.try_write(guard, "DeleteBucketEncryption", call).await?.map(drop))
            }
            Field::Lifecycle => {
                let call = s3.delete_bucket_lifecycle().bucket(bucket).send();
                Ok(to.try_write(guard, "DeleteBucketLifecycle", call).await?.map(drop))
            }
            Field::Cors => {
                let call = s3.delete_bucket_cors().bucket(bucket).send();
                Ok(to.try_write(guard, "DeleteBucketCors", call).await?.map(drop))
            }
            Field::PublicAccess | Field::Versioning => {
                Err(Failure::Unsupported(format!("{} can't be taken away", self.word())))
            }
        }
    }
}
