//! What is made for a bucket: its user, the user's access key, and the policy that lets the user in.

use serde_json::{Value, json};

use super::{AccessLevel, AutoManage, Bucket, CHILDREN};
use crate::{
    admission::{
        lookup::Found,
        problem::{Cause, Problems},
        review::Review,
    },
    common::ObjectRef,
    index::Stored,
    kind::Kind,
    s3::{
        AccessKey, AccessKeySpec, BucketPolicy, BucketPolicySpec, PolicyFields, StatementFields, User,
        UserSpec,
        document::VERSION,
        policy::document::Effect,
        rotation::{INTERVAL, RETENTION, Rotation},
    },
};

/// The longest name of a Bucket: the Secret of its AccessKey has to have one too.
const MOST_OF_NAME: usize = 253 - "-accesskey-credentials".len();

/// The names of what is made for a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildNames {
    /// The User's.
    pub user: String,
    /// The AccessKey's.
    pub key: String,
    /// The BucketPolicy's.
    pub policy: String,
}

impl ChildNames {
    /// Of the Bucket that is called `bucket`.
    pub fn of(bucket: &str) -> Self {
        let name = |suffix: &str| format!("{bucket}-{suffix}");
        Self { user: name("user"), key: name("accesskey"), policy: name("policy") }
    }
}

impl Bucket {
    /// The names of what is made for it, if anything is.
    pub fn child_names(&self) -> ChildNames {
        ChildNames::of(self.metadata.name.as_deref().unwrap_or_default())
    }

    /// The User that is made for it; `None` when nothing is.
    pub fn managed_user(&self) -> Option<User> {
        let auto = self.spec.managed()?;
        let spec = UserSpec {
            provider_ref: self.spec.provider_ref.clone(),
            name: auto.user_name.clone().unwrap_or_else(|| self.spec.name.clone()),
            path: None,
            policy: Some(self.permissions(auto, None)),
            policy_document: None,
            policy_ref: None,
            tags: None,
        };
        Some(self.beside(User::new(&self.child_names().user, spec)))
    }

    /// The AccessKey that is made for it; `None` when nothing is.
    pub fn managed_key(&self) -> Option<AccessKey> {
        let rotation = self.spec.managed()?.rotation.clone().unwrap_or_default();
        let names = self.child_names();
        let spec = AccessKeySpec {
            provider_ref: self.spec.provider_ref.clone(),
            user_ref: Some(ObjectRef { name: names.user, namespace: None }),
            display_name: None,
            secret_name: None,
            policy: None,
            tags: None,
            rotate: Some(Rotation {
                enabled: rotation.enabled.or(Some(true)),
                interval_days: rotation.interval_days.or(Some(INTERVAL)),
                previous_keys_retention_days: rotation.previous_keys_retention_days.or(Some(RETENTION)),
            }),
        };
        Some(self.beside(AccessKey::new(&names.key, spec)))
    }

    /// The BucketPolicy that is made for it and lets in the user with the ARN `user`; `None` when nothing is made.
    pub fn managed_policy(&self, user: &str) -> Option<BucketPolicy> {
        let auto = self.spec.managed()?;
        let spec = BucketPolicySpec {
            bucket_ref: ObjectRef { name: self.metadata.name.clone().unwrap_or_default(), namespace: None },
            policy: Some(self.permissions(auto, Some(user))),
            policy_document: None,
            allow_lockout: None,
        };
        Some(self.beside(BucketPolicy::new(&self.child_names().policy, spec)))
    }

    fn beside<K: Kind>(&self, mut child: K) -> K {
        child.meta_mut().namespace.clone_from(&self.metadata.namespace);
        child
    }

    /// What the bucket's user may do: said to the user, and, with the user's ARN, to the bucket.
    fn permissions(&self, auto: &AutoManage, user: Option<&str>) -> PolicyFields {
        let bucket = format!("arn:aws:s3:::{}", self.spec.name);
        let objects = format!("{bucket}/*");
        let allow = |sid: &str, actions: &[&str], resources: Value| StatementFields {
            sid: Some(sid.to_owned()),
            effect: Effect::Allow,
            principal: user.map(|arn| json!({ "AWS": arn })),
            not_principal: None,
            action: Some(json!(actions)),
            not_action: None,
            resource: Some(resources),
            not_resource: None,
            condition: None,
        };
        let on_objects: &[&str] = match auto.access_level.unwrap_or_default() {
            AccessLevel::Full => {
                return policy(vec![allow("Everything", &["s3:*"], json!([bucket, objects]))]);
            }
            AccessLevel::ReadOnly => &["s3:GetObject"],
            // Whoever may not abort an upload leaves behind what nobody sees.
            AccessLevel::ReadWrite => {
                &["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
            }
        };
        policy(vec![
            allow("Bucket", &["s3:ListBucket"], json!([bucket])),
            allow("Objects", on_objects, json!([objects])),
        ])
    }
}

fn policy(statement: Vec<StatementFields>) -> PolicyFields {
    PolicyFields { version: Some(VERSION.to_owned()), statement }
}

pub(super) fn check(review: &Review<'_, Bucket>, problems: &mut Problems) {
    let name = review.object.metadata.name.as_deref().unwrap_or_default();
    let field = "metadata.name";
    if name.len() > MOST_OF_NAME {
        let message =
            format!("is too long for what is made for the Bucket; use {MOST_OF_NAME} characters at most");
        problems.add(&CHILDREN, Cause::Invalid, field, message);
    }
    let ChildNames { user, key, policy } = ChildNames::of(name);
    for (kind, name_of_child) in [(User::NAME, user), (AccessKey::NAME, key), (BucketPolicy::NAME, policy)] {
        let child = review.look_up(|lookup| lookup.find(kind, review.namespace, &name_of_child));
        child.check(problems, field, &[&CHILDREN], |child, problems| {
            let Found::Present(child) = child else { return };
            if !is_child(&child, name) {
                let message = format!(
                    "would have {kind} {:?} made for it, which is there already; choose another name, or set \
                     autoManage.enabled: false",
                    child.name()
                );
                problems.add(&CHILDREN, Cause::Duplicate, field, message);
            }
        });
    }
}

/// True for what was made for the Bucket of this name.
fn is_child(object: &Stored, bucket: &str) -> bool {
    let owners = object.meta().owner_references.iter().flatten();
    owners.into_iter().any(|owner| owner.kind == Bucket::NAME && owner.name == bucket)
}
