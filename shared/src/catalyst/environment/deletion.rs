//! What keeps an environment from being deleted by mistake.

use super::{CONFIRM_DELETE, Environment, PROTECTED};
use crate::{
    admission::{
        problem::{Cause, Problems},
        review::{Review, annotation},
    },
    field::at,
};

/// The annotation that lets an Environment of type production be deleted: its name.
pub const CONFIRM_ANNOTATION: &str = "concierge.dev/confirm-delete";

impl Environment {
    /// Whether it is not to be deleted as it stands.
    pub fn is_kept(&self) -> bool {
        self.spec.protect == Some(true) || self.spec.kind == "production" && !self.is_confirmed()
    }

    fn is_confirmed(&self) -> bool {
        let name = self.metadata.name.as_deref().unwrap_or_default();
        annotation(self, CONFIRM_ANNOTATION) == Some(name)
    }
}

pub(super) fn check(review: &Review<'_, Environment>, problems: &mut Problems) {
    let environment = &**review.object;
    let name = environment.metadata.name.as_deref().unwrap_or_default();
    if environment.spec.protect == Some(true) {
        let message = "keeps the Environment from being deleted; set it to false first";
        problems.add(&PROTECTED, Cause::Forbidden, "spec.protect", message);
    }
    if environment.spec.kind == "production" && !environment.is_confirmed() {
        let message = format!(
            "has to confirm that an Environment of type production is deleted, with all that is in it; set it to {name:?} first"
        );
        let field = at("metadata.annotations").key(CONFIRM_ANNOTATION);
        problems.add(&CONFIRM_DELETE, Cause::Required, field, message);
    }
}
