//! A user at a provider.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    IAMPolicy,
    bucket::named::{self, NamesBuckets},
    document::{self, Document, PolicyFields},
    iam::{self, MOST_OF_USER, check_immutable, check_path, check_tags},
    iam_policy::identity_facts,
    policy::PolicyKind,
    provider_ref::{
        self, Account, AtProvider, PROVIDER_IMMUTABLE, check_iam_endpoint, check_provider,
        check_same_provider,
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
        problem::{Cause, Problems},
        reference::Reference,
        review::Review,
        rule::AdmissionRule,
    },
    common::ObjectRef,
    field::at,
    kind::Kind,
    rules, status,
};

/// What a user is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "s3.cloud37.dev",
    version = "v1alpha1",
    kind = "User",
    plural = "users",
    shortname = "s3user",
    namespaced,
    status = "UserStatus",
    category = "s3",
    doc = "A user at a provider of S3 storage, with what it may do.",
    printcolumn(name = "User", type_ = "string", json_path = ".spec.name"),
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
    validation = Rule::new("has(self.path) == has(oldSelf.path) && (!has(self.path) || self.path == oldSelf.path)")
        .message("path is immutable; create another User instead"),
)]
pub struct UserSpec {
    /// The Provider. It never changes.
    #[x_kube(validation = Rule::new("self == oldSelf").message(PROVIDER_IMMUTABLE))]
    pub provider_ref: ObjectRef,
    /// The user's name at the provider, 1 to 64 letters, digits and characters of + = , . @ _ -. It never changes.
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("name is immutable; create another User instead"))]
    pub name: String,
    /// The user's path at the provider, for instance /teams/web/. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub path: Option<String>,
    /// What the user may do. One of this, policyDocument and policyRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyFields>,
    /// The same as JSON, as providers take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 131072))]
    pub policy_document: Option<String>,
    /// The IAMPolicy that the user has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_ref: Option<ObjectRef>,
    /// The user's tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tags::schema")]
    pub tags: Option<Tags>,
}

status! {
    /// What Concierge found out about a user.
    pub struct UserStatus(intent) {
        /// The provider's id of the user.
        pub user_id: Option<String>,
        /// The user's ARN, by which policies name it.
        pub arn: Option<String>,
        /// Whether it was created.
        pub created: Option<bool>,
        /// What Concierge has set at the user: `policy`, `attached:ARN`, `tag:KEY`. What the spec says no more is taken away if it is here.
        pub applied: Vec<String>,
        /// The buckets that its own policy names at the provider.
        pub buckets: Vec<String>,
        /// When it was last seen to agree, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_sync_time: Option<String>,
    }
}

rules! {
    use document::RULES, iam::RULES, iam::name::RULES, provider_ref::RULES, iam_endpoint::RULES, quota::RULES;
    POLICY_EXISTS = Deny "s3.user.policy-exists", "The IAMPolicy that a User names exists and permits its namespace.";
    ONE_POLICY = Deny "s3.user.one-policy", "A User has a policy of its own or a policyRef, not both.";
    NO_POLICY = Warn "s3.user.no-policy", "A User has a policy, without which it may do nothing.";
    SAME_PROVIDER = Deny "s3.user.same-provider", "The IAMPolicy that a User names belongs to the User's Provider.";
    IMMUTABLE = Deny "s3.user.immutable", "A User's name, path and Provider never change.";
    CALLER = Deny protects_others "s3.user.caller", "No User is the one as which Concierge itself calls the Provider.";
    IN_USE = Deny protects_others "s3.user.in-use", "A User is deleted after its AccessKeys.";
}

impl Kind for User {
    const NAME: &'static str = "User";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const IN_USE: Option<&'static AdmissionRule> = Some(&IN_USE);
    const FILLS: &'static [Filled] = &[missing("spec.policy.version")];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        document::fill_version(self.spec.policy.as_mut(), fill);
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let spec = &review.object.spec;
        problems.add_invalid_fields(&**review.object);
        check_provider(review, &IMMUTABLE, problems);
        check_iam_endpoint(review, &IAM_ENDPOINT, "spec.providerRef", problems);
        iam::name::check("spec.name", &spec.name, MOST_OF_USER, problems);
        quota::check(review, problems);
        check_caller(review, problems);
        check_path(spec.path.as_deref(), problems);
        check_tags(review, spec.tags.as_ref(), problems);
        check_policy(review, problems);
        if let Some(old) = review.old.map(|old| &old.spec) {
            check_immutable("spec.name", (&old.name, &spec.name), &IMMUTABLE, problems);
            check_immutable("spec.path", (&old.path, &spec.path), &IMMUTABLE, problems);
        }
    }

    fn references(&self) -> Vec<Reference> {
        let policy = self.spec.policy_ref.as_ref();
        let policy =
            policy.and_then(|one| one.reference("spec.policyRef", IAMPolicy::NAME, &POLICY_EXISTS, true));
        provider_reference(self).into_iter().chain(policy).collect()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![claim(&self.provider_key(), &self.spec.name)]
    }

    fn index_keys(&self) -> Vec<String> {
        named::index_keys(self)
    }
}

/// The claim of the User with this name at a Provider.
fn claim(provider: &str, name: &str) -> Claim {
    let key = format!("user/{provider}/{}", name.to_lowercase());
    let taken = "another User of the Provider has this name, upper and lower case aside; choose another";
    Claim { field: at("spec.name"), rule: &iam::UNIQUE, key, taken: Some(taken) }
}

/// The index key of the User with this name at a Provider.
pub fn user_key(provider: &str, name: &str) -> String {
    claim(provider, name).index_key()
}

impl UserSpec {
    /// The user's own policy as JSON; `None` when it has none.
    pub fn document(&self) -> Option<String> {
        document::text(self.policy.as_ref(), self.policy_document.as_ref())
    }
}

impl AtProvider for User {
    fn provider_ref(&self) -> &ObjectRef {
        &self.spec.provider_ref
    }
}

impl NamesBuckets for User {
    fn document(&self) -> Option<String> {
        self.spec.document()
    }

    fn recorded(&self) -> &[String] {
        self.status.as_ref().map(|status| status.buckets.as_slice()).unwrap_or_default()
    }
}

/// Its keys and policies are those that everything at the Provider is done with.
fn check_caller(review: &Review<'_, User>, problems: &mut Problems) {
    let account = review.look_up(|lookup| Account::at(provider_of(lookup, &**review.object).as_deref()));
    account.check(problems, "spec.name", &[&CALLER], |account, problems| {
        let caller = account.controller.unwrap_or_default();
        let resource = caller.splitn(6, ':').nth(5).and_then(|resource| resource.strip_prefix("user/"));
        let name = resource.and_then(|path| path.rsplit('/').next());
        if name.is_some_and(|name| name.eq_ignore_ascii_case(&review.object.spec.name)) {
            let message = "is the user as which Concierge itself calls the Provider; choose another name";
            problems.add(&CALLER, Cause::Forbidden, "spec.name", message);
        }
    });
}

fn check_policy(review: &Review<'_, User>, problems: &mut Problems) {
    let spec = &review.object.spec;
    let has_own = spec.policy.is_some() || spec.policy_document.is_some();
    match &spec.policy_ref {
        Some(target) => {
            let field = "spec.policyRef";
            target.check(field, &POLICY_EXISTS, problems);
            check_same_provider::<_, IAMPolicy>(review, field, target, &SAME_PROVIDER, problems);
            if has_own {
                let message = "is given beside a policy of the User's own; remove one of them";
                problems.add(&ONE_POLICY, Cause::Forbidden, field, message);
            }
        }
        None if !has_own => {
            let message =
                "is missing: the user may do nothing; give a policy, a policyDocument or a policyRef";
            problems.add(&NO_POLICY, Cause::Required, "spec.policy", message);
        }
        None => {}
    }
    let document = Document::given(spec.policy.as_ref(), spec.policy_document.as_deref(), problems);
    let Some(document) = document else { return };
    document.check_characters(problems);
    let parsed = document.parsed(PolicyKind::Inline);
    let facts = review.look_up(|lookup| identity_facts(lookup, &**review.object, &parsed));
    document.check(PolicyKind::Inline, &parsed, facts, |_, _, _, _| {}, &[], problems);
}
