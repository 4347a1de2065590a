//! A look at a place in a bucket.

use concierge_shared::{orasi::S3Place, status::ConditionReason};

use super::{seen::Seen, services::Opened};
use crate::{
    aws::{Found, ask, failure},
    engine::{Context, Failure},
};

/// A place in a bucket, and the client that gets there.
pub(super) struct Bucket {
    pub(super) opened: Opened,
    name: String,
    folder: String,
    /// The field of the spec that says it.
    field: &'static str,
    /// The Secrets with the access key.
    secrets: String,
}

impl Bucket {
    pub(super) fn new(place: &S3Place<'_>, opened: Opened) -> Self {
        let given = place.authentication.into_iter().flat_map(|given| given.secret_refs());
        let mut secrets: Vec<_> = given.map(|(_, entry)| entry.name.as_str()).collect();
        secrets.dedup();
        Self {
            opened,
            name: place.bucket.to_owned(),
            folder: place.folder(),
            field: place.field,
            secrets: secrets.join(" and "),
        }
    }

    /// Whether the bucket is there, and what is in it may be listed.
    pub(super) async fn look(&self, ctx: &Context) -> Result<Seen, Failure> {
        match self.ask(ctx).await {
            Err(Failure::Auth(_)) if self.secrets.is_empty() => Ok(self.nameless()),
            Err(Failure::Auth(_)) => {
                let message =
                    format!("the service refuses the access key in Secret {}; correct it", self.secrets);
                Ok(Seen::wrong(ConditionReason::Unauthorised, "Refused", message))
            }
            Err(Failure::Invalid(message)) => Ok(Seen::wrong(ConditionReason::Refused, "Refused", message)),
            seen => seen,
        }
    }

    async fn ask(&self, ctx: &Context) -> Result<Seen, Failure> {
        let (s3, now) = (&self.opened.s3, ctx.now());
        let head = s3.head_bucket().bucket(&self.name).send();
        let head = ask(ctx, "HeadBucket", &["NotFound", "NoSuchBucket"], head, |error| {
            failure("HeadBucket", error, now)
        });
        match head.await {
            Ok(Found::Missing) => return Ok(self.missing()),
            // What else is wrong is told by the list: answers to HEAD say nothing.
            Ok(_) | Err(Failure::Invalid(_)) => {}
            Err(failure) => return Err(failure),
        }
        let list = s3.list_objects_v2().bucket(&self.name).prefix(&self.folder).max_keys(1).send();
        let failed = |error: &_| failure("ListObjectsV2", error, now);
        Ok(match ask(ctx, "ListObjectsV2", &["NoSuchBucket"], list, failed).await? {
            Found::Present(_) => Seen::answered(""),
            Found::Missing => self.missing(),
            Found::Unsupported(why) => Seen::wrong(ConditionReason::Unsupported, "Refused", why),
            // To those without a key S3 says no more than that it denies it.
            Found::Denied(_) if self.secrets.is_empty() => self.nameless(),
            Found::Denied(why) => {
                let message = format!("{why}; let the access key list bucket {} (s3:ListBucket)", self.name);
                Seen::wrong(ConditionReason::Unauthorised, "Denied", message)
            }
        })
    }

    fn nameless(&self) -> Seen {
        let message = format!("the service wants to know who asks; set {}.authentication", self.field);
        Seen::wrong(ConditionReason::Unauthorised, "Refused", message)
    }

    fn missing(&self) -> Seen {
        let Self { name, field, .. } = self;
        let message = format!("bucket {name} does not exist; create it, or correct {field}.bucket");
        Seen::wrong(ConditionReason::ReferencesMissing, "Missing", message)
    }
}
