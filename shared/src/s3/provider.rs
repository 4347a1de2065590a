//! An account at a provider.

pub(super) mod endpoint;
mod parts;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use validator::Validate;

use self::endpoint::{check_endpoint, check_known};
use super::policy::Profile;
use crate::{
    access::Access,
    admission::{
        defaults::{Fill, Filled, missing, missing_beside},
        problem::{Cause, Problems},
        review::Review,
        rule::AdmissionRule,
    },
    common::{RateLimit, SecretKeyRef},
    field::{FieldPath, at},
    kind::Kind,
    rules, status,
};

pub use parts::*;

const IAM_REGION: &str = "us-east-1";

/// What a provider is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "s3.cloud37.dev",
    version = "v1alpha1",
    kind = "Provider",
    plural = "providers",
    shortname = "s3prov",
    namespaced,
    status = "ProviderStatus",
    category = "s3",
    doc = "An account at a provider of S3 storage.",
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ProviderSpec {
    /// Whose service it is. Another one is not allowed while objects use the Provider.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "wasabi"))]
    pub profile: Option<Profile>,
    /// The address of the S3 service. Another one is not allowed while objects use the Provider.
    #[validate(length(max = 2048, code = "s3.provider.endpoint"))]
    pub endpoint: String,
    /// The region that requests are signed for. Another one is not allowed while objects use the Provider.
    #[validate(length(min = 1, max = 64, code = "s3.provider.region"))]
    pub region: String,
    /// The access key that calls are made with.
    pub auth: Auth,
    /// How the service's certificate is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Whether buckets stand in the path of addresses, and not in the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub path_style: Option<bool>,
    /// The address of the IAM service. Users, access keys and IAM policies need it. Another one is not allowed while objects use the
    /// Provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 2048, code = "s3.provider.endpoint"))]
    pub iam_endpoint: Option<String>,
    /// The region that requests to IAM are signed for; us-east-1 where there is an iamEndpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 64, code = "s3.provider.region"))]
    pub iam_region: Option<String>,
    /// Not applied: no call is repeated by itself; its object is looked at again after a while, later each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    pub retry: Option<Retry>,
    /// How many calls the service can bear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// What the service can do, where that is not as with others of its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// What becomes of buckets whose objects are deleted and do not say it themselves; Retain when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_deletion_policy: Option<DeletionPolicy>,
}

status! {
    /// What Concierge found out about a provider.
    pub struct ProviderStatus() {
        /// Whether the last call was answered.
        pub connected: Option<bool>,
        /// When a call was last answered, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_connect_time: Option<String>,
        /// The id of the account.
        pub account_id: Option<String>,
        /// The ARN as which Concierge calls the service.
        pub caller_arn: Option<String>,
        /// The S3 service at which things were made through this object.
        pub service: Option<String>,
        /// The IAM service at which things were made through this object.
        pub iam_service: Option<String>,
    }
}

rules! {
    ENDPOINT = Deny "s3.provider.endpoint", "A Provider's endpoints are absolute http or https URLs with a host and without path, credentials, query and fragment.";
    ENDPOINT_PLAIN = Warn "s3.provider.endpoint-plain", "A Provider's endpoints are https, or lead to this machine or cluster.";
    REGION = Deny "s3.provider.region", "A Provider's regions have lower-case letters, digits and '-'.";
    REGION_ENDPOINT = Warn "s3.provider.region-endpoint", "A Provider's region is that of its endpoint, where that is a known one of Wasabi or AWS.";
    TYPE_ENDPOINT = Warn "s3.provider.type-endpoint", "A Provider's type is that of its endpoint, where that is Wasabi's or AWS's.";
    SECRET = Deny "s3.provider.secret", "A Provider's references to credentials name Secrets and keys in them.";
    SECRET_NAMESPACE = Deny "s3.provider.secret-namespace", "A Provider's Secrets are in its own namespace.";
    SECRET_TWICE = Deny "s3.provider.secret-twice", "The id and the secret of a Provider's access key are different entries.";
    SKIP_VERIFY = Warn "s3.provider.skip-verify", "A Provider verifies the certificate of its service.";
    RETRY = Deny "s3.provider.retry", "A call is made from 1 to 10 times.";
    RATE_LIMIT = Deny "s3.provider.rate-limit", "A Provider's rateLimit has 1 to 1000 requestsPerSecond, a burst from 1 to 1000 and a concurrency from 1 to 64.";
    IMMUTABLE = Deny "s3.provider.immutable", "A Provider's type, endpoint, region and iamEndpoint stay as they are while objects use it; an iamEndpoint can be added.";
    IN_USE = Deny protects_others "s3.provider.in-use", "A Provider is deleted after the objects that use it.";
}

impl Kind for Provider {
    const NAME: &'static str = "Provider";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);
    const ACCESS: &'static [Access] = &[Access::SECRETS_READ];
    const SECRET_FIELDS: &'static [&'static str] = &["spec.endpoint", "spec.iamEndpoint"];
    const CONFIDENTIAL: bool = false;
    const FILLS: &'static [Filled] = &[
        missing("spec.type"),
        missing("spec.pathStyle"),
        missing("spec.auth.accessKeySecretRef.key"),
        missing("spec.auth.secretKeySecretRef.key"),
        missing("spec.auth.sessionTokenSecretRef.key"),
        missing("spec.tls.caCertSecretRef.key"),
        missing_beside("iamEndpoint", "spec.iamRegion"),
        missing("spec.retry.maxAttempts"),
        missing("spec.retry.backoffStrategy"),
    ];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        let spec = &mut self.spec;
        fill.missing(&mut spec.profile, "spec.type", Profile::Wasabi);
        fill.missing(&mut spec.path_style, "spec.pathStyle", true);
        for (name, credential, key) in spec.auth.entries_mut() {
            let field = at("spec.auth").field(name).field("key");
            fill.missing(&mut credential.key, field, key.to_owned());
        }
        if let Some(ca) = spec.tls.as_mut().and_then(|tls| tls.ca_cert_secret_ref.as_mut()) {
            fill.missing(&mut ca.key, "spec.tls.caCertSecretRef.key", CA_KEY.to_owned());
        }
        if spec.iam_endpoint.is_some() {
            fill.missing(&mut spec.iam_region, "spec.iamRegion", IAM_REGION.to_owned());
        }
        spec.retry.iter_mut().for_each(|retry| retry.fill(fill));
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        problems.add_invalid_fields(&**review.object);
        check_endpoint("spec.endpoint", &spec.endpoint, problems);
        if let Some(endpoint) = &spec.iam_endpoint {
            check_endpoint("spec.iamEndpoint", endpoint, problems);
        }
        if let Some(limit) = &spec.rate_limit {
            limit.check("spec.rateLimit", &RATE_LIMIT, problems);
        }
        check_region("spec.region", &spec.region, problems);
        check_region("spec.iamRegion", spec.iam_region.as_deref().unwrap_or("-"), problems);
        check_known(spec, problems);
        check_auth(review, problems);
        check_tls(spec.tls.as_ref(), problems);
        check_change(review, problems);
    }
}

fn check_region(field: &str, region: &str, problems: &mut Problems) {
    if !region.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-') {
        let message = "is no region; use lower-case letters, digits and '-', for instance eu-central-1";
        problems.add(&REGION, Cause::Invalid, field, message);
    }
}

fn check_here(credential: &CredentialRef, here: &str, field: FieldPath, problems: &mut Problems) {
    if credential.namespace.as_deref().is_some_and(|namespace| namespace != here) {
        let message = format!(
            "is another namespace; the Secret has to be in {here}: copy it there, and remove this field"
        );
        problems.add(&SECRET_NAMESPACE, Cause::Forbidden, field, message);
    }
}

fn check_auth(review: &Review<'_, Provider>, problems: &mut Problems) {
    let auth = &review.object.spec.auth;
    for (name, credential, _) in auth.entries() {
        let field = at("spec.auth").field(name);
        let key = credential.key.clone().unwrap_or_default();
        SecretKeyRef { name: credential.name.clone(), key }.check(field.clone(), &SECRET, problems);
        check_here(credential, review.namespace, field.field("namespace"), problems);
    }
    let (id, secret) = (&auth.access_key_secret_ref, &auth.secret_key_secret_ref);
    if (&id.name, &id.key) == (&secret.name, &secret.key) {
        let message = "is the entry with the access key's id; name the one with its secret";
        problems.add(&SECRET_TWICE, Cause::Duplicate, "spec.auth.secretKeySecretRef.key", message);
    }
}

fn check_tls(tls: Option<&Tls>, problems: &mut Problems) {
    let Some(tls) = tls else { return };
    if let Some(ca) = &tls.ca_cert_secret_ref {
        let key = ca.key.clone().unwrap_or_default();
        let ca = SecretKeyRef { name: ca.name.clone(), key };
        ca.check("spec.tls.caCertSecretRef", &SECRET, problems);
    }
    if tls.insecure_skip_verify == Some(true) {
        let message = "lets anybody between here and the service read and change what is sent; remove it, and name the \
                       service's authority in caCertSecretRef";
        problems.add(&SKIP_VERIFY, Cause::Forbidden, "spec.tls.insecureSkipVerify", message);
    }
}

/// The fields that say which service it is, as far as they differ.
fn moved(old: &ProviderSpec, new: &ProviderSpec) -> impl Iterator<Item = &'static str> {
    let fields = [
        ("spec.type", old.profile() != new.profile()),
        ("spec.endpoint", old.endpoint != new.endpoint),
        ("spec.region", old.region != new.region),
        ("spec.iamEndpoint", old.iam_endpoint.is_some() && old.iam_endpoint != new.iam_endpoint),
    ];
    fields.into_iter().filter(|(_, moved)| *moved).map(|(field, _)| field)
}

/// What depends on the service can't follow to another one.
fn check_change(review: &Review<'_, Provider>, problems: &mut Problems) {
    let new = &review.object.spec;
    let Some(old) = review.old.map(|old| &old.spec) else { return };
    for field in moved(old, new) {
        review.referrers().check(problems, field, &[&IMMUTABLE], |users, problems| {
            if !users.is_empty() {
                let message = format!(
                    "is immutable while objects use the Provider: {users}; create another Provider for the other service"
                );
                problems.add(&IMMUTABLE, Cause::Forbidden, field, message);
            }
        });
    }
}

impl ProviderSpec {
    /// The S3 service that the endpoint leads to, however it is written.
    pub fn service(&self) -> Option<String> {
        endpoint::service(&self.endpoint)
    }

    /// The IAM service that the iamEndpoint leads to.
    pub fn iam_service(&self) -> Option<String> {
        endpoint::service(self.iam_endpoint.as_deref()?)
    }

    /// Whether what is sent to the endpoint is not encrypted.
    pub fn is_plain_http(&self) -> bool {
        endpoint::is_plain_http(&self.endpoint)
    }

    /// The region that requests to IAM are signed for.
    pub fn iam_region(&self) -> &str {
        self.iam_region.as_deref().unwrap_or(IAM_REGION)
    }

    /// Whose service it is.
    pub fn profile(&self) -> Profile {
        self.profile.unwrap_or(Profile::Wasabi)
    }

    /// Whether lifecycle rules can move objects to other storage classes.
    pub fn has_storage_classes(&self) -> bool {
        let usual = !matches!(self.profile(), Profile::Wasabi | Profile::SeaweedFs | Profile::Versitygw);
        self.capability(|all| all.storage_classes, usual)
    }

    /// Whether there is a key management service.
    pub fn has_kms(&self) -> bool {
        let usual = !matches!(self.profile(), Profile::Wasabi | Profile::Versitygw);
        self.capability(|all| all.kms, usual)
    }

    /// Whether users and policies have tags.
    pub fn has_iam_tags(&self) -> bool {
        self.capability(|all| all.iam_tags, self.profile() != Profile::Wasabi)
    }

    /// Whether there are policies of their own that users have.
    pub fn has_managed_policies(&self) -> bool {
        self.capability(|all| all.managed_policies, self.profile() != Profile::Versitygw)
    }

    /// Whether users and policies have paths.
    pub fn has_iam_paths(&self) -> bool {
        self.capability(|all| all.iam_paths, self.profile() != Profile::SeaweedFs)
    }

    /// What is said of a part of buckets, by the Provider or by its type; `None` when nobody says, and the service is asked.
    pub fn said_of(&self, of: impl Fn(&Capabilities) -> Option<bool>, lacking: &[Profile]) -> Option<bool> {
        let usual = lacking.contains(&self.profile()).then_some(false);
        self.capabilities.as_ref().and_then(of).or(usual)
    }

    fn capability(&self, of: impl Fn(&Capabilities) -> Option<bool>, usual: bool) -> bool {
        self.capabilities.as_ref().and_then(of).unwrap_or(usual)
    }
}
