//! A bucket.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    iam,
    provider::DeletionPolicy,
    provider_ref::{self, AtProvider, PROVIDER_IMMUTABLE, check_provider, provider_reference},
    quota, rotation,
};
use crate::{
    access::Access,
    admission::{
        claim::Claim,
        defaults::{Fill, Filled, missing},
        problem::Problems,
        reference::Reference,
        review::{Review, check_in_use},
        rule::AdmissionRule,
    },
    common::ObjectRef,
    field::at,
    index::Stored,
    kind::Kind,
    rules, status,
    status::{ConditionReason, ConditionType, Conditions},
};

mod checks;
mod children;
mod cors;
mod lifecycle;
mod name;
pub(super) mod named;
mod parts;

use checks::*;
pub use children::ChildNames;
pub use cors::{Cors, CorsRule, Method};
pub use lifecycle::{Lifecycle, LifecycleRule, RuleStatus};
pub use parts::*;

/// The annotation that lets a bucket that is deleted be emptied first: `BUCKET/COUNT`, with the number of objects that it
/// was said to have.
pub const EMPTY_ANNOTATION: &str = "concierge.dev/empty";

/// What a bucket is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "s3.cloud37.dev",
    version = "v1alpha1",
    kind = "Bucket",
    plural = "buckets",
    shortname = "s3bkt",
    namespaced,
    status = "BucketStatus",
    category = "s3",
    doc = "A bucket at a provider of S3 storage.",
    printcolumn(name = "Bucket", type_ = "string", json_path = ".spec.name"),
    printcolumn(name = "Provider", type_ = "string", json_path = ".spec.providerRef.name"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.region) == has(oldSelf.region) && (!has(self.region) || self.region == oldSelf.region)")
        .message("region is immutable; create another Bucket instead"),
)]
pub struct BucketSpec {
    /// The Provider. It never changes.
    #[x_kube(validation = Rule::new("self == oldSelf").message(PROVIDER_IMMUTABLE))]
    pub provider_ref: ObjectRef,
    /// The bucket's name, 3 to 63 lower-case letters, digits, '.' and '-'. It never changes.
    #[schemars(length(max = 63))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$')").message("use 3 to 63 lower-case letters, digits, '.' and '-', with a letter or digit at both ends"),
        validation = Rule::new("self == oldSelf").message("name is immutable; create another Bucket instead"),
    )]
    pub name: String,
    /// Where it is; the Provider's region when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 64, code = "s3.bucket.region"))]
    pub region: Option<String>,
    /// The user, access key and bucket policy that are made for the bucket, unless this says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    #[schemars(extend("default" = {}))]
    pub auto_manage: Option<AutoManage>,
    /// Whether old versions of objects are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versioning: Option<Versioning>,
    /// How objects are encrypted when whoever writes them does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// What public access is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = {}))]
    pub public_access: Option<PublicAccess>,
    /// Whether a policy may let everybody in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_public: Option<bool>,
    /// What becomes of objects in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub lifecycle: Option<Lifecycle>,
    /// Which web pages may reach objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub cors: Option<Cors>,
    /// The bucket's tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tagging: Option<Tagging>,
    /// What becomes of the bucket when this object is deleted; what the Provider says when absent, else Retain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Says with deletionPolicy: Delete that the bucket may be emptied. It is emptied once the annotation
    /// concierge.dev/empty confirms what is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_delete: Option<bool>,
}

status! {
    /// What Concierge found out about a bucket.
    pub struct BucketStatus(intent) {
        /// The bucket's name at the provider.
        pub bucket_name: Option<String>,
        /// The bucket's ARN.
        pub arn: Option<String>,
        /// Whether it exists.
        pub exists: Option<bool>,
        /// True when the bucket of this name was last seen to be somebody else's. No outage makes that unknown.
        pub owned_by_other: Option<bool>,
        /// The service where it was looked for: Providers may lead to the same one.
        pub service: Option<String>,
        /// The region where it was found, when spec.region says none and that is not the Provider's.
        pub region: Option<String>,
        /// When it was last seen to agree, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_sync_time: Option<String>,
        /// The Secret with the access key that was made for it.
        pub credentials_secret: Option<String>,
        /// What was set at the bucket because the spec says it, so that it goes when the spec no longer does: lifecycle, cors,
        /// tag:KEY.
        pub applied: Vec<String>,
    }
}

rules! {
    use name::RULES, lifecycle::RULES, cors::RULES, provider_ref::RULES, quota::RULES, rotation::RULES, iam::name::RULES;
    BKT_19 = Deny "s3.bucket.bkt-19", "A Bucket's name, Provider and region never change.";
    REGION = Deny "s3.bucket.region", "A Bucket's region has up to 64 lower-case letters, digits and '-'.";
    UNIQUE = Deny protects_others "s3.bucket.unique", "No two Buckets have the same name at the same Provider.";
    SAME_ENDPOINT = Deny protects_others "s3.bucket.same-endpoint", "No two Buckets have the same name at Providers with the same endpoint. Two that are created at the same instant may both pass.";
    TAG_01 = Deny "s3.bucket.tag-01", "A Bucket has at most 49 tags: the fiftieth is Concierge's mark.";
    TAG_02 = Deny "s3.bucket.tag-02", "A tag has a key of 1 to 128 and a value of up to 256 letters, digits, spaces and _ . : / = + - @";
    TAG_03 = Deny "s3.bucket.tag-03", "No tag begins with aws:.";
    TAG_05 = Deny "s3.bucket.tag-05", "No tag begins with concierge.dev/.";
    ENC_03 = Deny "s3.bucket.enc-03", "A key is named with the algorithm aws:kms only.";
    ENC_05 = Deny "s3.bucket.enc-05", "The algorithm aws:kms is for providers that have a key management service.";
    VER_01 = Warn "s3.bucket.ver-01", "Versioning stays enabled: it can be suspended, and old versions stay.";
    VER_03 = Warn "s3.bucket.ver-03", "MFA delete is left to the account's owner, who alone can set it.";
    MFA_VERSIONING = Deny "s3.bucket.mfa-versioning", "MFA delete is for a bucket with versioning.";
    PAB_02 = Warn "s3.bucket.pab-02", "A Bucket with allowPublic does not block public policies.";
    AUTO_MANAGE = Warn "s3.bucket.auto-manage", "What is made for a Bucket needs a Provider with an iamEndpoint.";
    CHILDREN = Deny "s3.bucket.children", "The names of what is made for a Bucket are free, or taken by what was made for it.";
    FORCE_DELETE = Warn "s3.bucket.force-delete", "A Bucket with forceDelete has deletionPolicy: Delete, and is emptied once concierge.dev/empty confirms it.";
    EMPTY = Deny "s3.bucket.empty", "The annotation concierge.dev/empty is BUCKET/COUNT, with the Bucket's own name.";
    RIGHTS = Deny protects_others "s3.bucket.rights", "No Bucket is made of a name on which Users and IAMPolicies of other namespaces have rights at the Provider.";
    IN_USE = Deny protects_others "s3.bucket.in-use", "A Bucket is deleted after the BucketPolicies that others made for it, and after the Users and IAMPolicies whose policies name it.";
}

/// Objects that are made for a bucket.
const fn made(resource: &'static str) -> Access {
    Access { group: "s3.cloud37.dev", resource, verbs: &["create", "delete"] }
}

impl Kind for Bucket {
    const NAME: &'static str = "Bucket";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);
    const ACCESS: &'static [Access] = &[made("users"), made("accesskeys"), made("bucketpolicies")];
    const READ_ANNOTATIONS: &'static [&'static str] = &[EMPTY_ANNOTATION];
    const READ_REASONS: &'static [ConditionReason] =
        &[ConditionReason::OwnedByOther, ConditionReason::Conflict];
    /// An origin may be written with a password in it.
    const SECRET_FIELDS: &'static [&'static str] = &["spec.cors.rules[].allowedOrigins[]"];
    const CONFIDENTIAL: bool = false;
    const FILLS: &'static [Filled] = &[
        missing("spec.autoManage"),
        missing("spec.autoManage.enabled"),
        missing("spec.autoManage.accessLevel"),
        missing("spec.autoManage.rotation"),
        missing("spec.autoManage.rotation.enabled"),
        missing("spec.autoManage.rotation.intervalDays"),
        missing("spec.autoManage.rotation.previousKeysRetentionDays"),
        missing("spec.versioning.enabled"),
        missing("spec.versioning.mfaDelete"),
        missing("spec.encryption.enabled"),
        missing("spec.encryption.algorithm"),
        missing("spec.publicAccess"),
        missing("spec.publicAccess.blockPublicAcls"),
        missing("spec.publicAccess.blockPublicPolicy"),
        missing("spec.publicAccess.ignorePublicAcls"),
        missing("spec.publicAccess.restrictPublicBuckets"),
        missing("spec.lifecycle.rules[].status"),
        missing("spec.cors.rules[].maxAgeSeconds"),
        missing("spec.tagging.policy"),
    ];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        let spec = &mut self.spec;
        fill.missing(&mut spec.auto_manage, "spec.autoManage", AutoManage::default());
        spec.auto_manage.iter_mut().for_each(|auto| auto.fill(fill));
        spec.versioning.iter_mut().for_each(|versioning| versioning.fill(fill));
        spec.encryption.iter_mut().for_each(|encryption| encryption.fill(fill));
        fill.missing(&mut spec.public_access, "spec.publicAccess", PublicAccess::default());
        spec.public_access.iter_mut().for_each(|access| access.fill(fill));
        lifecycle::fill(spec.lifecycle.as_mut(), fill);
        cors::fill(spec.cors.as_mut(), fill);
        if let Some(tagging) = &mut spec.tagging {
            fill.missing(&mut tagging.policy, "spec.tagging.policy", TagPolicy::default());
        }
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        problems.add_invalid_fields(&**review.object);
        name::check(&spec.name, problems);
        check_provider(review, &BKT_19, problems);
        check_region(spec.region.as_deref(), problems);
        cors::check(spec.cors.as_ref(), problems);
        lifecycle::check(spec.lifecycle.as_ref(), spec.is_versioned(), problems);
        check_tagging(spec.tagging.as_ref(), problems);
        check_protection(spec, problems);
        check_auto_manage(review, problems);
        check_at_provider(review, problems);
        check_same_endpoint(review, problems);
        quota::check(review, problems);
        named::check_rights(review, problems);
        check_deletion(review, problems);
        if let Some(old) = review.old {
            check_change(&old.spec, spec, problems);
        }
    }

    fn check_deletion(review: &Review<'_, Self>, problems: &mut Problems) {
        let bucket = &**review.object;
        let needs = |user: &Stored| named::needs_bucket(user, bucket) && !review.is_child(user);
        check_in_use::<Self>(
            &IN_USE,
            review.users(&named::users_key(bucket), |_, user| needs(user)),
            problems,
        );
    }

    fn references(&self) -> Vec<Reference> {
        provider_reference(self).into_iter().collect()
    }

    fn claims(&self) -> Vec<Claim> {
        let key = bucket_key(&self.provider_key(), &self.spec.name);
        let taken = "another Bucket of the Provider has this name; choose another, or refer to that one";
        vec![Claim { field: at("spec.name"), rule: &UNIQUE, key, taken: Some(taken) }]
    }

    fn index_keys(&self) -> Vec<String> {
        let service = self.status.as_ref().and_then(|status| status.service.as_deref());
        let named = service
            .map_or_else(|| new_key(&self.spec.name), |service| at_service_key(service, &self.spec.name));
        vec![named, held_key(&self.provider_key(), &self.spec.name)]
    }
}

impl AtProvider for Bucket {
    fn provider_ref(&self) -> &ObjectRef {
        &self.spec.provider_ref
    }
}

fn bucket_key(provider: &str, name: &str) -> String {
    format!("{provider}/{name}")
}

/// The index key of the Buckets with this name that were not looked for yet.
fn new_key(name: &str) -> String {
    format!("bucket-new:{name}")
}

/// The index key of the Buckets with this name that were looked for at a service, by whichever Provider.
fn at_service_key(service: &str, name: &str) -> String {
    format!("bucket-at:{service}/{name}")
}

/// The index key of the Bucket with this name at a Provider.
pub(super) fn held_key(provider: &str, name: &str) -> String {
    format!("bucket:{}", bucket_key(provider, name))
}

impl Bucket {
    /// The region where the bucket is, when that is not the Provider's.
    pub fn region(&self) -> Option<&str> {
        let found = || self.status.as_ref().and_then(|status| status.region.as_deref());
        self.spec.region.as_deref().or_else(found)
    }

    /// Whether the status says that the object's bucket was made, or taken over, by this object or by the predecessor.
    pub fn is_recorded(&self) -> bool {
        let has = |one: &BucketStatus| {
            one.exists == Some(true) && one.bucket_name.as_ref() == Some(&self.spec.name)
        };
        self.status.as_ref().is_some_and(has)
    }

    /// Whether the status says that the bucket at the provider, or its name, is another's.
    pub fn is_anothers(&self) -> bool {
        let Some(status) = &self.status else { return false };
        let says = |kind: ConditionType, reason: ConditionReason| {
            let condition = status.condition(kind.as_str());
            condition.is_some_and(|one| one.status == "False" && one.reason == reason.as_str())
        };
        status.owned_by_other == Some(true)
            // What was written before that field was.
            || says(ConditionType::Ready, ConditionReason::OwnedByOther)
            || says(ConditionType::Valid, ConditionReason::Conflict)
    }
}

impl BucketSpec {
    /// Whether old versions of objects are to be kept.
    pub fn is_versioned(&self) -> bool {
        self.versioning.as_ref().and_then(|versioning| versioning.enabled).unwrap_or(false)
    }

    /// Whether a second factor is to be asked for.
    pub fn wants_mfa(&self) -> bool {
        self.versioning.as_ref().and_then(|versioning| versioning.mfa_delete).unwrap_or(false)
    }

    fn wants_kms(&self) -> bool {
        self.encryption.as_ref().is_some_and(|encryption| encryption.algorithm == Some(Algorithm::Kms))
    }

    fn public(&self, of: impl Fn(&PublicAccess) -> Option<bool>) -> bool {
        self.public_access.as_ref().and_then(of).unwrap_or(true)
    }

    /// Whether the bucket refuses public policies.
    pub fn blocks_public_policy(&self) -> bool {
        self.public(|access| access.block_public_policy)
    }

    /// Whether others are shut out while the bucket's policy is public.
    pub fn restricts_public(&self) -> bool {
        self.public(|access| access.restrict_public_buckets)
    }

    /// What is made for the bucket; `None` when nothing is.
    pub fn managed(&self) -> Option<&AutoManage> {
        self.auto_manage.as_ref().filter(|auto| auto.enabled.unwrap_or(true))
    }
}
