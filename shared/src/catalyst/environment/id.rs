//! The annotation that says which entry of the web application's database an environment is: its secrets are found by it.

use super::{Environment, ID_ANYBODY, ID_FORM, ID_IMMUTABLE, ID_SETTER};
use crate::{
    admission::{
        problem::{Cause, Problems},
        review::{Review, annotation},
    },
    field::at,
};

/// The id of the environment at the web application.
pub const ID_ANNOTATION: &str = "catalyst.dev/environment-id";

pub(super) fn check(review: &Review<'_, Environment>, problems: &mut Problems) {
    let before = review.old.and_then(|old| annotation(old, ID_ANNOTATION));
    let now = annotation(&**review.object, ID_ANNOTATION);
    let field = at("metadata.annotations").key(ID_ANNOTATION);
    if now.is_some_and(|id| !is_id(id)) {
        let message = "is no id; use up to 63 letters, digits and '-'";
        problems.add(&ID_FORM, Cause::Invalid, field.clone(), message);
    }
    if before == now {
        return;
    }
    if before.is_some() {
        let message =
            "is immutable: other secrets would come with it; keep it, or create another Environment";
        return problems.add(&ID_IMMUTABLE, Cause::Forbidden, field, message);
    }
    let setters = &review.settings.catalyst.environment_id_setters;
    if setters.is_empty() {
        let message = "can be set by anybody, with the secrets that come with it; an operator should name in rules.catalyst.environmentIdSetters who may";
        problems.add(&ID_ANYBODY, Cause::Forbidden, field, message);
    } else if review.user.is_some_and(|user| !setters.iter().any(|setter| user.is(setter))) {
        let message = "is not for you to set; leave it to the web application, or ask an operator to name you in rules.catalyst.environmentIdSetters";
        problems.add(&ID_SETTER, Cause::Forbidden, field, message);
    }
}

fn is_id(id: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&id.len()) && id.bytes().all(usual) && !id.starts_with('-')
}
