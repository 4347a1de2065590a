//! The Provider that objects of this group belong to.

use std::sync::Arc;

use super::{Provider, policy::Profile};
use crate::{
    admission::{
        lookup::Lookup,
        problem::{Cause, Problems},
        reference::Reference,
        review::{Review, annotation},
        rule::AdmissionRule,
        steering::{ADOPT, RESOLVE_UNKNOWN, Resolution},
    },
    common::ObjectRef,
    field::at,
    kind::Kind,
    rules,
};

rules! {
    PROVIDER_EXISTS = Deny "s3.reference.provider-exists", "The Provider that an object names exists and permits its namespace.";
    ADOPTION = Deny protects_others "s3.reference.adoption", "What others made at a Provider is taken over only by objects in the Provider's own namespace.";
}

pub(super) mod iam_endpoint {
    //! What only a Provider with an address of IAM can have.

    crate::rules! {
        IAM_ENDPOINT = Deny "s3.reference.iam-endpoint", "Users, access keys and IAM policies belong to a Provider with an iamEndpoint.";
    }
}

/// The CEL message of a `providerRef` that changes.
pub(super) const PROVIDER_IMMUTABLE: &str = "providerRef is immutable; create another object instead";

/// A kind whose objects belong to a Provider.
pub trait AtProvider: Kind {
    /// The Provider that the object names.
    fn provider_ref(&self) -> &ObjectRef;

    /// The Provider, `namespace/name`, whether it exists or not.
    fn provider_key(&self) -> String {
        let namespace = self.meta().namespace.as_deref().unwrap_or_default();
        let provider = self.provider_ref();
        format!("{}/{}", provider.namespace_in(namespace), provider.name)
    }
}

/// The Provider of `object`, if it is there and permits that.
pub(super) fn provider_of<K: AtProvider>(lookup: &dyn Lookup, object: &K) -> Option<Arc<Provider>> {
    let namespace = object.meta().namespace.as_deref().unwrap_or_default();
    object.provider_ref().visible(lookup, namespace)
}

/// The reference of `object` to its Provider.
pub(super) fn provider_reference<K: AtProvider>(object: &K) -> Option<Reference> {
    object.provider_ref().reference("spec.providerRef", Provider::NAME, &PROVIDER_EXISTS, true)
}

/// Adds a problem when the Provider's name can't be one, or is another than it was.
pub(super) fn check_provider<K: AtProvider>(
    review: &Review<'_, K>,
    immutable: &'static AdmissionRule,
    problems: &mut Problems,
) {
    let field = "spec.providerRef";
    review.object.provider_ref().check(field, &PROVIDER_EXISTS, problems);
    if review.old.is_some_and(|old| old.provider_ref() != review.object.provider_ref()) {
        let message = format!(
            "is immutable: what one provider has another has not; create another {} instead",
            K::NAME
        );
        problems.add(immutable, Cause::Forbidden, field, message);
    }
    check_adoption(review, problems);
}

/// Whoever may only use the Provider of another namespace would have any user and any bucket of its account by a word of their own.
fn check_adoption<K: AtProvider>(review: &Review<'_, K>, problems: &mut Problems) {
    let object = &**review.object;
    let home = object.provider_ref().namespace_in(review.namespace);
    if home == review.namespace {
        return;
    }
    let by_id = |text: &str| matches!(Resolution::read(text), Some(Resolution::Adopt(_)));
    let asked = [
        (ADOPT, annotation(object, ADOPT) == Some("true")),
        (RESOLVE_UNKNOWN, annotation(object, RESOLVE_UNKNOWN).is_some_and(by_id)),
    ];
    for (key, _) in asked.into_iter().filter(|(_, asked)| *asked) {
        let message = format!(
            "would take over what others made at a Provider of namespace {home}; remove it, or ask the cluster's operator, who may \
             lower this rule meanwhile"
        );
        problems.add(&ADOPTION, Cause::Forbidden, at("metadata.annotations").key(key), message);
    }
}

/// Adds a problem when the Provider has no address of IAM.
pub(super) fn check_iam_endpoint<K: AtProvider>(
    review: &Review<'_, K>,
    rule: &'static AdmissionRule,
    field: &'static str,
    problems: &mut Problems,
) {
    let provider = review.look_up(|lookup| provider_of(lookup, &**review.object));
    provider.check(problems, field, &[rule], |provider, problems| {
        if provider.is_some_and(|provider| provider.spec.iam_endpoint.is_none()) {
            let message = format!(
                "needs IAM, but Provider {:?} has no iamEndpoint; set it there",
                review.object.provider_ref().name
            );
            problems.add(rule, Cause::Invalid, field, message);
        }
    });
}

/// Adds a problem when what `field` names belongs to another Provider than the object under review.
pub(super) fn check_same_provider<K: AtProvider, T: AtProvider>(
    review: &Review<'_, K>,
    field: &'static str,
    target: &ObjectRef,
    rule: &'static AdmissionRule,
    problems: &mut Problems,
) {
    let target = review.look_up(|lookup| target.visible::<T>(lookup, review.namespace));
    target.check(problems, field, &[rule], |target, problems| {
        if target.is_some_and(|target| target.provider_key() != review.object.provider_key()) {
            let message = format!("names a {} of another Provider; use one Provider for both", T::NAME);
            problems.add(rule, Cause::Invalid, field, message);
        }
    });
}

/// What an object's Provider is to the rules of policies.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    /// Whose service it is.
    pub profile: Profile,
    /// The account's id, once it is known.
    pub id: Option<String>,
    /// As whom Concierge calls, once it is known.
    pub controller: Option<String>,
    /// Whether it calls without TLS.
    pub plain_http: bool,
}

impl Account {
    /// The account at `provider`; one of which nothing is known where it is missing.
    pub(super) fn at(provider: Option<&Provider>) -> Self {
        let Some(provider) = provider else { return Self::default() };
        let status = provider.status.clone().unwrap_or_default();
        Self {
            profile: provider.spec.profile(),
            id: status.account_id,
            controller: status.caller_arn,
            plain_http: provider.spec.is_plain_http(),
        }
    }
}
