//! An access key of a user.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    User,
    iam::check_immutable,
    provider_ref::{
        self, AtProvider, PROVIDER_IMMUTABLE, check_iam_endpoint, check_provider, check_same_provider,
        iam_endpoint::{self, IAM_ENDPOINT},
        provider_reference,
    },
    rotation::{self, Rotation},
    tags::{self, Tags},
};
use crate::{
    access::Access,
    admission::{
        claim::Claim,
        defaults::{Fill, Filled, missing},
        lookup::{LookupExt, Query},
        problem::{Cause, Problems},
        reference::{Reference, referrers_key},
        review::Review,
        rule::AdmissionRule,
    },
    common::{ObjectRef, names::is_name},
    field::at,
    index::Stored,
    kind::Kind,
    rules, status,
};

/// What an access key is.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[kube(
    group = "s3.cloud37.dev",
    version = "v1alpha1",
    kind = "AccessKey",
    plural = "accesskeys",
    shortname = "s3key",
    namespaced,
    status = "AccessKeyStatus",
    category = "s3",
    doc = "An access key of a user at a provider of S3 storage, kept in a Secret and replaced on a schedule.",
    printcolumn(name = "User", type_ = "string", json_path = ".spec.userRef.name"),
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
    validation = Rule::new("has(self.userRef) == has(oldSelf.userRef) && (!has(self.userRef) || self.userRef == oldSelf.userRef)")
        .message("userRef is immutable; create another AccessKey instead"),
    validation = Rule::new("has(self.secretName) == has(oldSelf.secretName) && (!has(self.secretName) || self.secretName == oldSelf.secretName)")
        .message("secretName is immutable; create another AccessKey instead"),
)]
pub struct AccessKeySpec {
    /// The Provider. It never changes.
    #[x_kube(validation = Rule::new("self == oldSelf").message(PROVIDER_IMMUTABLE))]
    pub provider_ref: ObjectRef,
    /// The User. It is required and never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_ref: Option<ObjectRef>,
    /// What the key is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub display_name: Option<String>,
    /// The Secret in this namespace that the key is kept in; NAME-credentials when absent. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub secret_name: Option<String>,
    /// Not applied: keys have no policies. Users have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Nothing>,
    /// Not applied: keys have no tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tags::schema")]
    pub tags: Option<Tags>,
    /// How the key is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(nested)]
    #[schemars(extend("default" = {}))]
    pub rotate: Option<Rotation>,
}

/// Nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Nothing {}

status! {
    /// What Concierge found out about an access key.
    pub struct AccessKeyStatus(intent) {
        /// The id of the key that is in the Secret.
        pub access_key_id: Option<String>,
        /// The id of the key that was there before, while it is kept for programs that still have it.
        pub previous_access_key_id: Option<String>,
        /// Those of the two that the provider has listed: one that it does not find is gone, and not merely new.
        pub seen_key_ids: Vec<String>,
        /// When the key that was there before is deleted, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub previous_key_delete_time: Option<String>,
        /// The name at the provider of the user that the key belongs to.
        pub user_name: Option<String>,
        /// Whether it was created.
        pub created: Option<bool>,
        /// When it was made or last replaced, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub last_rotate_time: Option<String>,
        /// When it is replaced next, RFC 3339.
        #[schemars(extend("format" = "date-time"))]
        pub next_rotate_time: Option<String>,
        /// The text of the annotation s3.cloud37.dev/rotate for which the key is to be replaced.
        pub rotate_request: Option<String>,
        /// The text of that annotation for which it was replaced.
        pub last_rotate_request: Option<String>,
    }
}

rules! {
    use provider_ref::RULES, iam_endpoint::RULES, rotation::RULES;
    USER = Deny "s3.accesskey.user", "An AccessKey names its User.";
    USER_EXISTS = Deny "s3.accesskey.user-exists", "The User that an AccessKey names exists and permits its namespace.";
    SAME_PROVIDER = Deny "s3.accesskey.same-provider", "The User that an AccessKey names belongs to the AccessKey's Provider.";
    IAM_09 = Deny protects_others "s3.accesskey.iam-09", "A User has at most two AccessKeys. Two that are created at the same instant may both pass.";
    ONE_ROTATES = Deny protects_others "s3.accesskey.one-rotates", "At most one AccessKey of a User is replaced on a schedule. Two that are created at the same instant may both pass.";
    ROOM = Warn "s3.accesskey.room", "A User whose AccessKey is replaced on a schedule has no other one, so that old and new key can be there side by side.";
    SECRET = Deny "s3.accesskey.secret", "The Secret of an AccessKey has a name that a Secret can have.";
    SECRET_UNIQUE = Deny "s3.accesskey.secret-unique", "No two AccessKeys are kept in the same Secret.";
    NOT_APPLIED = Warn "s3.accesskey.not-applied", "An AccessKey has neither policy nor tags: keys have none at providers.";
    IMMUTABLE = Deny "s3.accesskey.immutable", "An AccessKey's User, Provider and Secret never change.";
}

impl Kind for AccessKey {
    const NAME: &'static str = "AccessKey";
    const RULES: &'static [&'static AdmissionRule] = RULES;
    const ACCESS: &'static [Access] = &[Access::SECRETS_MADE];
    const FILLS: &'static [Filled] = &[
        missing("spec.rotate"),
        missing("spec.rotate.enabled"),
        missing("spec.rotate.intervalDays"),
        missing("spec.rotate.previousKeysRetentionDays"),
    ];

    fn fill_defaults(&mut self, fill: &mut Fill) {
        fill.missing(&mut self.spec.rotate, "spec.rotate", Rotation::default());
        if let Some(Rotation { enabled, interval_days, previous_keys_retention_days }) = &mut self.spec.rotate
        {
            rotation::fill(
                fill,
                "spec.rotate",
                (enabled, false),
                (interval_days, previous_keys_retention_days),
            );
        }
    }

    fn check(review: &Review<'_, Self>, problems: &mut Problems) {
        let (object, spec) = (&**review.object, &review.object.spec);
        problems.add_invalid_fields(object);
        check_provider(review, &IMMUTABLE, problems);
        check_iam_endpoint(review, &IAM_ENDPOINT, "spec.providerRef", problems);
        check_user(review, problems);
        if object.secret_name().is_some_and(|name| !is_name(&name)) {
            let field = if spec.secret_name.is_some() { "spec.secretName" } else { "metadata.name" };
            let message = "makes no name of a Secret; use lower-case letters, digits, '-' and '.', 253 at most with \
                           -credentials";
            problems.add(&SECRET, Cause::Invalid, field, message);
        }
        let unused = [
            ("spec.policy", spec.policy.is_some()),
            ("spec.tags", spec.tags.as_ref().is_some_and(|tags| !tags.is_empty())),
        ];
        for (field, _) in unused.into_iter().filter(|(_, given)| *given) {
            let message = "is not applied to access keys; give it to the User instead";
            problems.add(&NOT_APPLIED, Cause::NotSupported, field, message);
        }
        if let Some(rotate) = spec.rotate.as_ref().filter(|_| object.rotates()) {
            let days = (rotate.interval_days, rotate.previous_keys_retention_days);
            rotation::check("spec.rotate", days.0, days.1, problems);
        }
        if let Some(old) = review.old.map(|old| &old.spec) {
            check_immutable("spec.userRef", (&old.user_ref, &spec.user_ref), &IMMUTABLE, problems);
            check_immutable("spec.secretName", (&old.secret_name, &spec.secret_name), &IMMUTABLE, problems);
        }
    }

    fn references(&self) -> Vec<Reference> {
        let user = self.spec.user_ref.as_ref();
        let user = user.and_then(|user| user.reference("spec.userRef", User::NAME, &USER_EXISTS, true));
        provider_reference(self).into_iter().chain(user).collect()
    }

    fn claims(&self) -> Vec<Claim> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        let Some(key) = self.secret_name().map(|name| format!("{namespace}/{name}")) else {
            return Vec::new();
        };
        let field = if self.spec.secret_name.is_some() { "spec.secretName" } else { "metadata.name" };
        let taken =
            "another AccessKey is kept in the Secret that this one would have; choose another secretName";
        vec![Claim { field: at(field), rule: &SECRET_UNIQUE, key, taken: Some(taken) }]
    }
}

impl AtProvider for AccessKey {
    fn provider_ref(&self) -> &ObjectRef {
        &self.spec.provider_ref
    }
}

impl AccessKeyStatus {
    /// The ids of the keys that were made for the object and are not known to be gone.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.access_key_id.iter().chain(&self.previous_access_key_id).map(String::as_str)
    }
}

impl AccessKey {
    /// The annotation whose every new text has the key replaced.
    pub const ROTATE: &'static str = "s3.cloud37.dev/rotate";
    /// The entry of the key's id in its Secret.
    pub const SECRET_ID: &'static str = "access-key-id";
    /// The entry of the key's secret half in its Secret.
    pub const SECRET_KEY: &'static str = "secret-access-key";

    /// The Secret that the key is kept in; `None` while the object itself has no name.
    pub fn secret_name(&self) -> Option<String> {
        let usual = || self.metadata.name.as_ref().map(|name| format!("{name}-credentials"));
        self.spec.secret_name.clone().or_else(usual)
    }

    /// Whether the key is replaced on a schedule.
    pub fn rotates(&self) -> bool {
        self.spec.rotate.as_ref().and_then(|rotate| rotate.enabled).unwrap_or(false)
    }
}

fn check_user(review: &Review<'_, AccessKey>, problems: &mut Problems) {
    let field = "spec.userRef";
    let Some(user) = &review.object.spec.user_ref else {
        return problems.add(&USER, Cause::Required, field, "is required; name the User that the key is for");
    };
    user.check(field, &USER_EXISTS, problems);
    check_same_provider::<_, User>(review, field, user, &SAME_PROVIDER, problems);
    check_number(review, user, problems);
}

/// How many keys a user has room for.
const SLOTS: usize = 2;
/// How many AccessKeys that name a user are looked at. More there are only where no rule was asked; then the service refuses them.
const LOOKED_AT: usize = 50;

/// Of those that are there all the same, the older ones keep their place.
fn check_number(review: &Review<'_, AccessKey>, user: &ObjectRef, problems: &mut Problems) {
    let has_place = |old: &AccessKey| {
        old.spec.user_ref.as_ref() == Some(user) && old.rotates() == review.object.rotates()
    };
    let keeps = review.old.is_none_or(has_place);
    let key = referrers_key(User::NAME, user.namespace_in(review.namespace), &user.name);
    let others = review.look_up(|lookup| {
        // What is not permitted is not counted.
        if user.visible::<User>(lookup, review.namespace).is_none() {
            return Vec::new();
        }
        let other = |one: &Stored| !review.is_self(one) && review.gives_way(one.meta(), keeps);
        lookup.first_among(Query::alive(AccessKey::NAME, "", &key), LOOKED_AT, SLOTS, &other).found
    });
    let rules = [&IAM_09, &ONE_ROTATES, &ROOM];
    others.by_name().check(problems, "spec.userRef", &rules, |others, problems| {
        let is_rotated = |one: &Stored| one.get::<AccessKey>().is_some_and(|key| key.rotates());
        let (own, other) = (review.object.rotates(), others.iter().any(is_rotated));
        if others.len() >= SLOTS {
            let message = format!("has {SLOTS} AccessKeys, the most that a user can have; delete one first");
            problems.add(&IAM_09, Cause::TooMany, "spec.userRef", message);
        } else if own && other {
            let message = "is true, but the User's other AccessKey is replaced on a schedule too; let one of them be";
            problems.add(&ONE_ROTATES, Cause::TooMany, "spec.rotate.enabled", message);
        } else if !others.is_empty() && (own || other) {
            let message = "has another AccessKey: while one of them is replaced there is no room for old and new side by \
                           side; use another User for one of them";
            problems.add(&ROOM, Cause::Invalid, "spec.userRef", message);
        }
    });
}
