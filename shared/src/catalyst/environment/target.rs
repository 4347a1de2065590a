//! The namespace in which an environment runs, and its host.

use super::{Environment, HOST, TARGET_FREE, TARGET_NAME};
use crate::{
    admission::{
        lookup::NamespaceFound,
        problem::{Cause, Problems},
        review::Review,
    },
    catalyst::hierarchy::{ENVIRONMENT_LABEL, is_reserved},
    common::names::is_namespace,
    field::at,
};

pub(super) fn check(review: &Review<'_, Environment>, problems: &mut Problems) {
    if review.object.spec.host.as_deref().is_some_and(|host| !is_namespace(host)) {
        let message = "is no first part of an address; use up to 63 small letters, digits and '-', without '.': the domain is the operator's";
        problems.add(&HOST, Cause::Invalid, "spec.host", message);
    }
    let Some(hierarchy) = review.object.hierarchy() else { return };
    let field = at("metadata.labels").key(ENVIRONMENT_LABEL);
    let Some(target) = hierarchy.target_namespace() else {
        let message =
            "makes, with team and project, no name of a namespace; use small letters, digits and '-'";
        return problems.add(&TARGET_NAME, Cause::Invalid, field, message);
    };
    if is_reserved(&target, &review.settings.catalyst.reserved_namespaces) || target == review.namespace {
        let message = format!(
            "makes, with team and project, the namespace {target}, which is not for environments; rename one of them"
        );
        return problems.add(&TARGET_NAME, Cause::Forbidden, field, message);
    }
    let uid = review.object.metadata.uid.as_deref();
    let namespace = review.look(|lookup| lookup.find_namespace(&target));
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
