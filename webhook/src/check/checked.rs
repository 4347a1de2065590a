//! An object and what was found in it.

use concierge_shared::admission::problem::Problem;
use json_patch::PatchOperation;

use super::{
    fixture::Verdict,
    input::{Submission, tree::Span},
    rules::UNKNOWN_FIELD,
};

/// An object and what was found in it.
pub(crate) struct Checked {
    pub submission: Submission,
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
    pub patch: Vec<PatchOperation>,
    /// The kinds of objects that come later and must be there before.
    pub after: Vec<&'static str>,
}

impl Checked {
    /// Whether the object is admitted.
    pub(crate) fn verdict(&self) -> Verdict {
        if self.problems.is_empty() { Verdict::Admitted } else { Verdict::Refused }
    }

    /// Where to point at for a problem.
    pub(crate) fn locate(&self, problem: &Problem) -> Span {
        let node = &self.submission.node;
        if problem.rule == &UNKNOWN_FIELD {
            node.locate_key(&problem.field)
        } else {
            node.locate(&problem.field)
        }
    }

    /// Puts problems and warnings in the order of the file.
    pub(crate) fn sort(&mut self) {
        let (mut problems, mut warnings) =
            (std::mem::take(&mut self.problems), std::mem::take(&mut self.warnings));
        for found in [&mut problems, &mut warnings] {
            found.sort_by_cached_key(|one| (self.locate(one).start, one.field.clone(), one.rule.id));
        }
        (self.problems, self.warnings) = (problems, warnings);
    }

    /// `Pet zoo/rex`
    pub(crate) fn subject(&self) -> String {
        let Submission { kind, namespace, name, .. } = &self.submission;
        format!("{} {namespace}/{name}", kind.name)
    }
}
