//! What is done about a child, of whichever kind.

use std::fmt;

use concierge_shared::{
    kind::Kind,
    s3::{AccessKey, Bucket, BucketPolicy, User},
    status::ConditionReason,
};

use crate::engine::{Failure, Guard, Outcome};

/// One child, of whichever kind.
pub(in crate::s3) enum AnyChild {
    User(Box<User>),
    Key(Box<AccessKey>),
    Policy(Box<BucketPolicy>),
}

impl From<User> for AnyChild {
    fn from(user: User) -> Self {
        Self::User(Box::new(user))
    }
}

impl From<AccessKey> for AnyChild {
    fn from(key: AccessKey) -> Self {
        Self::Key(Box::new(key))
    }
}

impl From<BucketPolicy> for AnyChild {
    fn from(policy: BucketPolicy) -> Self {
        Self::Policy(Box::new(policy))
    }
}

fn named<T: Kind>(child: &T) -> String {
    format!("{} {}", T::NAME, child.meta().name.as_deref().unwrap_or_default())
}

impl fmt::Display for AnyChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            AnyChild::User(user) => named(&**user),
            AnyChild::Key(key) => named(&**key),
            AnyChild::Policy(policy) => named(&**policy),
        })
    }
}

pub(in crate::s3) enum ChildStep {
    Make(AnyChild),
    /// The child that is there, as it is to be.
    Correct(AnyChild),
    Remove(AnyChild),
}

impl fmt::Display for ChildStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChildStep::Make(child) => write!(f, "make {child}"),
            ChildStep::Correct(child) => write!(f, "correct {child}"),
            ChildStep::Remove(child) => write!(f, "delete {child}"),
        }
    }
}

impl ChildStep {
    pub(in crate::s3::bucket) async fn take(
        &self,
        guard: &Guard,
        bucket: &Bucket,
    ) -> Result<Outcome, Failure> {
        match self {
            ChildStep::Make(AnyChild::User(user)) => guard.create_owned(bucket, (**user).clone()).await?,
            ChildStep::Make(AnyChild::Key(key)) => guard.create_owned(bucket, (**key).clone()).await?,
            ChildStep::Make(AnyChild::Policy(policy)) => {
                guard.create_owned(bucket, (**policy).clone()).await?
            }
            ChildStep::Correct(AnyChild::User(user)) => guard.apply_owned(bucket, (**user).clone()).await?,
            ChildStep::Correct(AnyChild::Key(key)) => guard.apply_owned(bucket, (**key).clone()).await?,
            ChildStep::Correct(AnyChild::Policy(policy)) => {
                guard.apply_owned(bucket, (**policy).clone()).await?
            }
            ChildStep::Remove(AnyChild::User(user)) => guard.delete_owned(&**user).await?,
            ChildStep::Remove(AnyChild::Key(key)) => guard.delete_owned(&**key).await?,
            ChildStep::Remove(AnyChild::Policy(policy)) => guard.delete_owned(&**policy).await?,
        }
        Ok(match self {
            ChildStep::Make(child) => Outcome::new(ConditionReason::Created, format!("made {child}")),
            ChildStep::Correct(child) => {
                Outcome::new(ConditionReason::Updated, format!("set {child} as the bucket says"))
            }
            ChildStep::Remove(child) => Outcome::new(ConditionReason::Deleted, format!("deleted {child}")),
        })
    }
}
