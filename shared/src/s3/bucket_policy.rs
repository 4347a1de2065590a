//! The policy of a bucket.

use std::sync::Arc;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    Bucket, User,
    document::{self, Document, Facts, PolicyFields},
    policy::{
        Finding, PolicyKind, Profile,
        document::{Item, Policy},
        is_public,
    },
    provider_ref::{Account, AtProvider, provider_of},
    user_key,
};
use crate::{
    admission::{
        claim::Claim,
        defaults::{Fill, Filled, missing},
        lookup::{Lookup, LookupExt},
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::ObjectRef,
    field::{FieldPath, at},
    kind::Kind,
    rules, status,
};

/// What the policy of a bucket is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "s3.cloud37.dev",
    version = "v1alpha1",
    kind = "BucketPolicy",
    plural = "bucketpolicies",
    shortname = "s3policy",
    namespaced,
    status = "BucketPolicyStatus",
    category = "s3",
    doc = "Who may do what with a bucket.",
    printcolumn(name = "Bucket", type_ = "string", json_path = ".spec.bucketRef.name"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct BucketPolicySpec {
    /// The Bucket. It never changes.
    #[x_kube(validation = Rule::new("self == oldSelf").message("bucketRef is immutable; create another BucketPolicy instead"))]
    pub bucket_ref: ObjectRef,
    /// The policy. Either this or policyDocument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyFields>,
    /// The policy as JSON, as providers take it. Either this or policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 131072))]
    pub policy_document: Option<String>,
    /// Whether the policy may lock Concierge itself out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_lockout: Option<bool>,
}

status! {
    /// What Concierge found out about a bucket's policy.
    pub struct BucketPolicyStatus() {
        /// Whether the bucket has it.
        pub applied: Option<bool>,
        /// When it was last seen to agree, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_sync_time: Option<String>,
    }
}

rules! {
    use document::RULES;
    BUCKET_EXISTS = Deny "s3.bucketpolicy.bucket-exists", "The Bucket that a BucketPolicy names exists and permits its namespace.";
    MISSING = Deny "s3.bucketpolicy.missing", "A BucketPolicy has a policy or a policyDocument.";
    IMMUTABLE = Deny "s3.bucketpolicy.immutable", "A BucketPolicy's bucketRef never changes.";
    DUP_01 = Deny protects_others "s3.bucketpolicy.dup-01", "A Bucket has one BucketPolicy.";
    PRN_15 = Warn "s3.bucketpolicy.prn-15", "A BucketPolicy names a User by the ARN that the User has: providers refuse whom they do not know.";
    PUB_01 = Deny "s3.bucketpolicy.pub-01", "A Bucket that blocks public policies has none.";
    PUB_03 = Warn "s3.bucketpolicy.pub-03", "A Bucket with a public policy does not restrict it to its account.";
    PUB_04 = Warn "s3.bucketpolicy.pub-04", "A public policy at Wasabi is for accounts to which Wasabi opened public access.";
}

impl Kind for BucketPolicy {
    const NAME: &'static str = "BucketPolicy";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const FILLS: &'static [Filled] = &[missing("spec.policy.version")];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        document::fill_version(self.spec.policy.as_mut(), fill);
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        problems.add_invalid_fields(&**review.object);
        spec.bucket_ref.check("spec.bucketRef", &BUCKET_EXISTS, problems);
        if review.old.is_some_and(|old| old.spec.bucket_ref != spec.bucket_ref) {
            let message = "is immutable: the other bucket would keep the policy; create another BucketPolicy";
            problems.add(&IMMUTABLE, Cause::Forbidden, "spec.bucketRef", message);
        }
        if spec.policy.is_none() && spec.policy_document.is_none() {
            let message = "is required, unless there is a policyDocument; give one of them";
            problems.add(&MISSING, Cause::Required, "spec.policy", message);
        }
        let document = Document::given(spec.policy.as_ref(), spec.policy_document.as_deref(), problems);
        let Some(document) = document else { return };
        let parsed = document.parsed(PolicyKind::Bucket);
        let facts = review.look_up(|lookup| facts(lookup, review.object));
        let rules = [&PUB_01, &PUB_03, &PUB_04];
        document.check(PolicyKind::Bucket, &parsed, facts, check_public, &rules, problems);
        if let Some(policy) = parsed.policy() {
            check_users(review, &document, policy, problems);
        }
    }

    fn references(&self) -> Vec<Reference> {
        let bucket = &self.spec.bucket_ref;
        bucket.reference("spec.bucketRef", Bucket::NAME, &BUCKET_EXISTS, true).into_iter().collect()
    }

    fn claims(&self) -> Vec<Claim> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        let bucket = &self.spec.bucket_ref;
        let key = format!("{}/{}", bucket.namespace_in(namespace), bucket.name);
        let taken = "another BucketPolicy is there for this Bucket; add the statements to that one";
        vec![Claim { field: at("spec.bucketRef"), rule: &DUP_01, key, taken: Some(taken) }]
    }
}

impl BucketPolicySpec {
    /// The policy as JSON; `None` when there is none.
    pub fn document(&self) -> Option<String> {
        document::text(self.policy.as_ref(), self.policy_document.as_ref())
    }
}

/// What is known of the bucket.
fn facts(lookup: &dyn Lookup, object: &BucketPolicy) -> Facts {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let bucket: Option<Arc<Bucket>> = object.spec.bucket_ref.visible(lookup, namespace);
    let allow_lockout = object.spec.allow_lockout.unwrap_or(false);
    let Some(bucket) = bucket else { return Facts { allow_lockout, ..Facts::default() } };
    Facts {
        account: Account::at(provider_of(lookup, &*bucket).as_deref()),
        bucket: Some(bucket.spec.name.clone()),
        allow_public: bucket.spec.allow_public.unwrap_or(false),
        blocks_public: bucket.spec.blocks_public_policy(),
        restricts_public: bucket.spec.restricts_public(),
        allow_lockout,
        ..Facts::default()
    }
}

/// The most principals that are looked up. No valid policy has room for many more.
const MOST_PRINCIPALS: usize = 500;

/// The Users of the namespace that a policy names by an ARN that they do not have: most often by one without the path under which they
/// are made.
fn misnamed(lookup: &dyn Lookup, object: &BucketPolicy, policy: &Policy) -> Vec<Finding> {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let bucket: Option<Arc<Bucket>> = object.spec.bucket_ref.visible(lookup, namespace);
    let Some(provider) = bucket.map(|bucket| bucket.provider_key()) else { return Vec::new() };
    let finding = |item: &Item| {
        let (account, path) = item.text.strip_prefix("arn:aws:iam::")?.split_once(":user/")?;
        let key = user_key(&provider, path.rsplit('/').next()?);
        let user = lookup.first_as::<User>(namespace, &key, 1).pop()?;
        let arn = user.status.as_ref()?.arn.as_deref()?;
        let is_of_account = arn.split(':').nth(4) == Some(account);
        let message = format!("the User of this name has the ARN {arn}; write that");
        (is_of_account && arn != item.text).then(|| Finding {
            rule: &PRN_15,
            span: item.span.clone(),
            message,
        })
    };
    let principals = policy.statements.iter().filter_map(|statement| statement.principals.as_ref());
    let of_aws = principals.flat_map(|all| &all.items).filter(|(key, _)| key == "AWS");
    of_aws.take(MOST_PRINCIPALS).filter_map(|(_, item)| finding(item)).collect()
}

fn check_users(
    review: &Review<'_, BucketPolicy>,
    document: &Document,
    policy: &Policy,
    problems: &mut Problems,
) {
    let misnamed = review.look_up(|lookup| misnamed(lookup, review.object, policy));
    misnamed.check(problems, document.field(), &[&PRN_15], |misnamed, problems| {
        document.add(&misnamed, problems);
    });
}

/// Adds what is wrong with a public policy of this bucket. That it is public at all is one of the language's rules.
fn check_public(policy: &Policy, facts: &Facts, field: &FieldPath, problems: &mut Problems) {
    if facts.bucket.is_none() || !is_public(policy) {
        return;
    }
    if facts.blocks_public {
        let message = "lets everybody in, which the Bucket blocks; set publicAccess.blockPublicPolicy: false there first";
        problems.add(&PUB_01, Cause::Forbidden, field.clone(), message);
    } else if facts.restricts_public {
        let message = "lets everybody in, but the Bucket's publicAccess.restrictPublicBuckets shuts out whoever is not of the \
                       account, also who is named; set that to false";
        problems.add(&PUB_03, Cause::Invalid, field.clone(), message);
    }
    if facts.allow_public && facts.account.profile == Profile::Wasabi {
        let message = "is refused by Wasabi unless its support has opened public access for the account; ask there first";
        problems.add(&PUB_04, Cause::NotSupported, field.clone(), message);
    }
}
