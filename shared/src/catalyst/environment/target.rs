//! The namespace in which an environment runs, and its host.

use super::{Environment, HOST, HOST_FREE, HOST_UNIQUE, TARGET_FREE, TARGET_NAME, TARGET_UNIQUE};
use crate::{
    admission::{
        claim::Claim,
        lookup::NamespaceFound,
        problem::{Cause, Problems},
        review::Review,
    },
    catalyst::hierarchy::{ENVIRONMENT_LABEL, Hierarchy, TEAM_LABEL, is_reserved},
    common::names::is_namespace,
    field::at,
};

pub(super) fn check(review: &Review<'_, Environment>, problems: &mut Problems) {
    if review.object.spec.host.as_deref().is_some_and(|host| !is_namespace(host)) {
        let message = "is no first part of an address; use up to 63 small letters, digits and '-', without '.': the domain is the operator's";
        problems.add(&HOST, Cause::Invalid, "spec.host", message);
    }
    let Some(hierarchy) = review.object.hierarchy() else { return };
    check_host(review, &hierarchy, problems);
    let field = at("metadata.labels").key(ENVIRONMENT_LABEL);
    let Some(target) = hierarchy.target_namespace() else {
        let message =
            "makes, with team and project, no name of a namespace; use small letters, digits and '-'";
        return problems.add(&TARGET_NAME, Cause::Invalid, field, message);
    };
    if is_reserved(&target, &review.settings.catalyst) || target == review.namespace {
        let message = format!(
            "makes, with team and project, the namespace {target}, which is not for environments; rename one of them"
        );
        return problems.add(&TARGET_NAME, Cause::Forbidden, field, message);
    }
    let uid = review.object.metadata.uid.as_deref();
    let namespace = review.look_up(|lookup| lookup.find_namespace(&target));
    namespace.check(problems, field.clone(), &[&TARGET_FREE], |found, problems| {
        // One that is being deleted is waited for.
        if let NamespaceFound::Present(there) = found
            && !there.terminating
            && (there.owner.is_none() || there.owner.as_deref() != uid)
        {
            let message = format!("makes, with team and project, the namespace {target}, which is there already and was not made for this Environment; rename one of them");
            problems.add(&TARGET_FREE, Cause::Duplicate, field, message);
        }
    });
}

/// Neither by its first part nor as a whole.
fn check_host(review: &Review<'_, Environment>, hierarchy: &Hierarchy<'_>, problems: &mut Problems) {
    let Some(host) = review.object.spec.host.clone().or_else(|| hierarchy.target_namespace()) else { return };
    let settings = &review.settings.catalyst;
    let whole = format!("{host}.{}", settings.preview_domain);
    let is_it = |reserved: &String| {
        let reserved = reserved.trim().trim_end_matches('.');
        reserved.eq_ignore_ascii_case(&host) || reserved.eq_ignore_ascii_case(&whole)
    };
    if settings.reserved_hosts.iter().any(is_it) {
        let message =
            format!("{host:?} is reserved by an operator (rules.catalyst.reservedHosts); set another host");
        problems.add(&HOST_FREE, Cause::Forbidden, "spec.host", message);
    }
}

const NAMESPACE_TAKEN: &str = "another Environment has the same namespace, since its team, project and environment make the same name; rename one of them";
const HOST_TAKEN: &str = "another Environment has this host; set another one in spec.host";

/// What no other environment may have: its namespace and its host.
pub(super) fn claims(environment: &Environment) -> Vec<Claim> {
    let target = environment.hierarchy().and_then(|of| of.target_namespace());
    let Some(target) = target else { return Vec::new() };
    let host = environment.spec.host.clone().unwrap_or_else(|| target.clone());
    let claim = |field, rule, key, taken| Claim { field, rule, key, taken: Some(taken) };
    vec![
        claim(at("metadata.labels").key(TEAM_LABEL), &TARGET_UNIQUE, target, NAMESPACE_TAKEN),
        claim(at("spec.host"), &HOST_UNIQUE, host, HOST_TAKEN),
    ]
}
