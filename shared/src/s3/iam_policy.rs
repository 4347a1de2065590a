//! A policy of its own that users have.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    Bucket,
    bucket::{
        held_key,
        named::{self, NamesBuckets},
    },
    document::{self, Document, Facts, PolicyFields},
    iam::{self, MOST_OF_POLICY, check_immutable, check_path, check_tags},
    policy::{self, Parsed, PolicyKind},
    provider_ref::{
        self, Account, AtProvider, PROVIDER_IMMUTABLE, check_iam_endpoint, check_provider,
        iam_endpoint::{self, IAM_ENDPOINT},
        provider_of, provider_reference,
    },
    quota,
    tags::{self, Tags},
};
use crate::{
    admission::{
        claim::Claim,
        defaults::{Fill, Filled, missing},
        lookup::{Lookup, Query},
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::ObjectRef,
    field::at,
    index::Stored,
    kind::Kind,
    rules, status,
};

/// What a policy of its own is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "s3.cloud37.dev",
    version = "v1alpha1",
    kind = "IAMPolicy",
    plural = "iampolicies",
    shortname = "iamp",
    namespaced,
    status = "IAMPolicyStatus",
    category = "s3",
    doc = "A policy that users at a provider of S3 storage have.",
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
    validation = Rule::new("has(self.policyName) == has(oldSelf.policyName) && (!has(self.policyName) || self.policyName == oldSelf.policyName)")
        .message("policyName is immutable; create another IAMPolicy instead"),
    validation = Rule::new("has(self.path) == has(oldSelf.path) && (!has(self.path) || self.path == oldSelf.path)")
        .message("path is immutable; create another IAMPolicy instead"),
)]
pub struct IAMPolicySpec {
    /// The Provider. It never changes.
    #[x_kube(validation = Rule::new("self == oldSelf").message(PROVIDER_IMMUTABLE))]
    pub provider_ref: ObjectRef,
    /// The policy's name at the provider; this object's when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub policy_name: Option<String>,
    /// The policy's path at the provider, for instance /teams/web/. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub path: Option<String>,
    /// What the policy says. Either this or policyDocument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyFields>,
    /// The same as JSON, as providers take it. Either this or policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 131072))]
    pub policy_document: Option<String>,
    /// The policy's tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tags::schema")]
    pub tags: Option<Tags>,
}

status! {
    /// What Concierge found out about a policy.
    pub struct IAMPolicyStatus(intent) {
        /// The policy's ARN.
        pub policy_arn: Option<String>,
        /// The policy's unique id, where the provider gives one. A policy of the same name that is made later has another.
        pub policy_id: Option<String>,
        /// Whether the provider has it.
        pub applied: Option<bool>,
        /// The buckets that it names at the provider.
        pub buckets: Vec<String>,
        /// The users that have it, the first hundred by name.
        pub attached_users: Vec<String>,
        /// The keys of the tags that Concierge has set. One that the spec says no more is taken away if it is here.
        pub applied_tags: Vec<String>,
        /// When it was last seen to agree, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_sync_time: Option<String>,
    }
}

rules! {
    use document::RULES, iam::RULES, iam::name::RULES, provider_ref::RULES, iam_endpoint::RULES, quota::RULES;
    MISSING = Deny "s3.iampolicy.missing", "An IAMPolicy has a policy or a policyDocument.";
    IAM_16 = Deny "s3.iampolicy.iam-16", "An IAMPolicy has not the name of one of the provider's own policies.";
    SUPPORTED = Warn "s3.iampolicy.supported", "IAMPolicies are for providers that have policies of their own; others have only those of users.";
    IMMUTABLE = Deny "s3.iampolicy.immutable", "An IAMPolicy's policyName, path and Provider never change.";
    IN_USE = Deny protects_others "s3.iampolicy.in-use", "An IAMPolicy is deleted after the Users that have it.";
}

/// Policies that Wasabi itself has.
const WASABI_OWN: &[&str] = &[
    "administratoraccess",
    "amazons3fullaccess",
    "amazons3readonlyaccess",
    "iamuserchangepassword",
    "wasabiadministratoraccess",
    "wasabifullaccess",
    "wasabireadonlyaccess",
];

impl Kind for IAMPolicy {
    const NAME: &'static str = "IAMPolicy";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);
    const FILLS: &'static [Filled] = &[missing("spec.policy.version")];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        document::fill_version(self.spec.policy.as_mut(), fill);
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let (object, spec) = (&**review.object, &review.object.spec);
        problems.add_invalid_fields(object);
        check_provider(review, &IMMUTABLE, problems);
        check_iam_endpoint(review, &IAM_ENDPOINT, "spec.providerRef", problems);
        let field = if spec.policy_name.is_some() { "spec.policyName" } else { "metadata.name" };
        if let Some(name) = object.policy_name() {
            iam::name::check(field, name, MOST_OF_POLICY, problems);
        }
        check_path(spec.path.as_deref(), problems);
        check_tags(review, spec.tags.as_ref(), problems);
        check_at_provider(review, field, problems);
        quota::check(review, problems);
        if spec.policy.is_none() && spec.policy_document.is_none() {
            let message = "is required, unless there is a policyDocument; give one of them";
            problems.add(&MISSING, Cause::Required, "spec.policy", message);
        }
        if let Some(old) = review.old.map(|old| &old.spec) {
            check_immutable("spec.policyName", (&old.policy_name, &spec.policy_name), &IMMUTABLE, problems);
            check_immutable("spec.path", (&old.path, &spec.path), &IMMUTABLE, problems);
        }
        let document = Document::given(spec.policy.as_ref(), spec.policy_document.as_deref(), problems);
        let Some(document) = document else { return };
        document.check_characters(problems);
        let parsed = document.parsed(PolicyKind::Managed);
        let facts = review.look_up(|lookup| identity_facts(lookup, object, &parsed));
        document.check(PolicyKind::Managed, &parsed, facts, |_, _, _, _| {}, &[], problems);
    }

    fn references(&self) -> Vec<Reference> {
        provider_reference(self).into_iter().collect()
    }

    fn claims(&self) -> Vec<Claim> {
        let Some(name) = self.policy_name() else { return Vec::new() };
        let key = format!("policy/{}/{}", self.provider_key(), name.to_lowercase());
        let field = if self.spec.policy_name.is_some() { "spec.policyName" } else { "metadata.name" };
        let taken = "another IAMPolicy of the Provider has this name, upper and lower case aside; choose another policyName";
        vec![Claim { field: at(field), rule: &iam::UNIQUE, key, taken: Some(taken) }]
    }

    fn index_keys(&self) -> Vec<String> {
        named::index_keys(self)
    }
}

impl AtProvider for IAMPolicy {
    fn provider_ref(&self) -> &ObjectRef {
        &self.spec.provider_ref
    }
}

impl NamesBuckets for IAMPolicy {
    fn document(&self) -> Option<String> {
        self.spec.document()
    }

    fn recorded(&self) -> &[String] {
        self.status.as_ref().map(|status| status.buckets.as_slice()).unwrap_or_default()
    }
}

impl IAMPolicySpec {
    /// The policy as JSON; `None` when there is none.
    pub fn document(&self) -> Option<String> {
        document::text(self.policy.as_ref(), self.policy_document.as_ref())
    }
}

impl IAMPolicy {
    /// The policy's name at the provider; `None` while the object itself has no name.
    pub fn policy_name(&self) -> Option<&str> {
        self.spec.policy_name.as_deref().or(self.metadata.name.as_deref())
    }
}

fn check_at_provider(review: &Review<'_, IAMPolicy>, field: &'static str, problems: &mut Problems) {
    let provider = review.look_up(|lookup| provider_of(lookup, &**review.object));
    provider.check(problems, field, &[&IAM_16, &SUPPORTED], |provider, problems| {
        let Some(provider) = provider else { return };
        let name = review.object.policy_name().unwrap_or_default().to_lowercase();
        let is_own =
            provider.spec.profile() == policy::Profile::Wasabi && WASABI_OWN.contains(&name.as_str());
        if is_own {
            let message = "is the name of a policy that Wasabi itself has; choose another policyName";
            problems.add(&IAM_16, Cause::Forbidden, field, message);
        }
        if !provider.spec.has_managed_policies() {
            let message = "is at a provider that has no policies of their own; give each User its policy";
            problems.add(&SUPPORTED, Cause::NotSupported, "spec.providerRef", message);
        }
    });
}

/// The most buckets of a policy that are looked up: each may be read live before a refusal, and a document that is much too long, which is
/// refused for that, names thousands. No valid policy has room for more.
const MOST_BUCKETS: usize = 500;

/// What is known around the policy of `object`, which says what a user may do: the namespace's own buckets may be named,
/// and of those only the ones that it names are looked up.
pub(super) fn identity_facts<K: AtProvider>(lookup: &dyn Lookup, object: &K, parsed: &Parsed<'_>) -> Facts {
    let namespace = object.meta().namespace.as_deref().unwrap_or_default();
    let provider = object.provider_key();
    // One that nobody has looked at yet is, for what names it may be stored with it; the reconciler judges again.
    let may_be_own = |bucket: &Stored| bucket.get::<Bucket>().is_some_and(|bucket| !bucket.is_anothers());
    let is_own = |name: &String| {
        let key = held_key(&provider, name);
        // Also one whose deletion waits: its name is free when it is gone.
        !lookup.first(Query::all(Bucket::NAME, namespace, &key), 1, &may_be_own).objects.is_empty()
    };
    let named = named::of(parsed.statements()).into_iter().take(MOST_BUCKETS);
    Facts {
        account: Account::at(provider_of(lookup, object).as_deref()),
        borrowed: object.provider_ref().namespace_in(namespace) != namespace,
        own_buckets: Some(named.filter(is_own).collect()),
        ..Facts::default()
    }
}
