//! The evaluation as an `admission.k8s.io/v1 AdmissionReview`.

use std::collections::{BTreeMap, BTreeSet};

use json_patch::PatchOperation;
use k8s_openapi::ByteString;
use serde::Serialize;

use super::{
    problem::{self, MESSAGE_LENGTH, Problem, shortened},
    warnings::warning_texts,
};

/// How many problems an answer tells.
const PROBLEMS: usize = 100;
/// What the causes of an answer may take, in bytes.
const CAUSES_LENGTH: usize = 64 * 1024;
/// How many problems a refusal's summary tells, and the bytes that they may take.
const NAMED_PROBLEMS: usize = 50;
const SUMMARY_LENGTH: usize = 16 * 1024;
/// The longest name or field of an answer, in bytes.
const NAME_LENGTH: usize = 512;

/// The answer to one review.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    api_version: &'static str,
    kind: &'static str,
    response: Response,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    uid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<ByteString>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
struct Status {
    status: &'static str,
    code: u16,
    reason: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Debug, Serialize)]
struct Details {
    name: String,
    group: String,
    kind: String,
    causes: Vec<Cause>,
}

#[derive(Debug, Serialize)]
struct Cause {
    reason: &'static str,
    message: String,
    field: String,
}

/// The object that an answer is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub group: &'a str,
    pub kind: &'a str,
    /// Its name, or the prefix of a name to be generated.
    pub name: &'a str,
}

/// How a request is refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The object is wrong: 422.
    Invalid,
    /// The operation is not allowed now: 403.
    Forbidden,
    /// The request is none: 400.
    BadRequest,
    /// What the request needs is not there: 404.
    NotFound,
    /// The object is there already: 409.
    AlreadyExists,
    /// There are too many such requests: 429.
    TooManyRequests,
    /// The decision could not be made: 500.
    InternalError,
    /// The decision could not be made in time: 504.
    Timeout,
}

impl Refusal {
    /// The status code of HTTP, and Kubernetes' word for it.
    fn code_and_reason(self) -> (u16, &'static str) {
        match self {
            Refusal::BadRequest => (400, "BadRequest"),
            Refusal::Forbidden => (403, "Forbidden"),
            Refusal::NotFound => (404, "NotFound"),
            Refusal::AlreadyExists => (409, "AlreadyExists"),
            Refusal::Invalid => (422, "Invalid"),
            Refusal::TooManyRequests => (429, "TooManyRequests"),
            Refusal::InternalError => (500, "InternalError"),
            Refusal::Timeout => (504, "Timeout"),
        }
    }

    fn status(self, message: String, details: Option<Details>) -> Status {
        let (code, reason) = self.code_and_reason();
        Status { status: "Failure", code, reason, message, details }
    }
}

impl Answer {
    pub fn admitted(uid: impl Into<String>, warnings: &[Problem]) -> Self {
        Self::new(uid, true).with_warnings(warnings)
    }

    /// Admitted after `patch`; none at all when it is empty.
    pub fn patched(uid: impl Into<String>, patch: &[PatchOperation], warnings: &[Problem]) -> Self {
        let mut answer = Self::admitted(uid, warnings);
        // Operations made of strings and JSON values always have a JSON form.
        if let (false, Ok(json)) = (patch.is_empty(), serde_json::to_vec(patch)) {
            answer.response.patch_type = Some("JSONPatch");
            answer.response.patch = Some(ByteString(json));
        }
        answer
    }

    /// Refused because of `problems`, each of which becomes a cause.
    pub fn refused(
        uid: impl Into<String>,
        subject: Subject<'_>,
        refusal: Refusal,
        problems: &[Problem],
        warnings: &[Problem],
    ) -> Self {
        let mut answer = Self::new(uid, false).with_warnings(warnings);
        let details = details(&subject, problems);
        answer.response.status = Some(refusal.status(summary(subject, problems), Some(details)));
        let rules: BTreeSet<_> = problems.iter().map(|problem| problem.rule.id).collect();
        answer.response.audit_annotations.insert("rules", rules.into_iter().collect::<Vec<_>>().join(","));
        answer
    }

    /// Refused for a reason that is not in the object.
    pub fn failed(uid: impl Into<String>, refusal: Refusal, message: impl Into<String>) -> Self {
        let mut answer = Self::new(uid, false);
        let message = shortened(&message.into(), MESSAGE_LENGTH).into_owned();
        answer.response.status = Some(refusal.status(message, None));
        answer
    }

    /// Whether the request is admitted.
    pub fn allowed(&self) -> bool {
        self.response.allowed
    }

    /// The ids of the rules that a refusal names, separated by commas.
    pub fn rules(&self) -> &str {
        self.response.audit_annotations.get("rules").map_or("", String::as_str)
    }

    /// The answer as the API server reads it.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    fn new(uid: impl Into<String>, allowed: bool) -> Self {
        Self {
            api_version: "admission.k8s.io/v1",
            kind: "AdmissionReview",
            response: Response {
                uid: uid.into(),
                allowed,
                status: None,
                patch_type: None,
                patch: None,
                warnings: Vec::new(),
                audit_annotations: BTreeMap::new(),
            },
        }
    }

    fn with_warnings(mut self, warnings: &[Problem]) -> Self {
        self.response.warnings =
            warning_texts(warnings.iter().map(|one| format!("{}: {}", field(one), explained(one))));
        self
    }
}

/// A problem's message with the rule's name, for those who want to look it up or to override it.
pub fn explained(problem: &Problem) -> String {
    format!("{} [{}]", shortened(&problem.message, MESSAGE_LENGTH), problem.rule.id)
}

fn field(problem: &Problem) -> String {
    shortened(&problem.field.to_string(), NAME_LENGTH).into_owned()
}

fn details(subject: &Subject<'_>, problems: &[Problem]) -> Details {
    Details {
        name: shortened(subject.name, NAME_LENGTH).into_owned(),
        group: subject.group.to_owned(),
        kind: subject.kind.to_owned(),
        causes: causes(problems),
    }
}

fn causes(problems: &[Problem]) -> Vec<Cause> {
    let cause = |problem: &Problem| Cause {
        reason: problem.cause.as_str(),
        message: explained(problem),
        field: field(problem),
    };
    let all = problems.iter().take(PROBLEMS).map(cause);
    let mut shown = fitting(all, CAUSES_LENGTH, |cause| cause.message.len() + cause.field.len());
    if let Some(more) = more_problems(shown.len(), problems) {
        shown.push(Cause { reason: problem::Cause::Invalid.as_str(), message: more, field: String::new() });
    }
    shown
}

/// `Pet "rex" is refused: spec.id: … [pets.pet.id]; spec.name: … [pets.pet.name]`
pub fn summary(subject: Subject<'_>, problems: &[Problem]) -> String {
    let all = problems.iter().take(NAMED_PROBLEMS);
    let all = all.map(|problem| format!("{}: {}", field(problem), explained(problem)));
    let mut parts = fitting(all, SUMMARY_LENGTH, String::len);
    parts.extend(more_problems(parts.len(), problems));
    let name = shortened(subject.name, NAME_LENGTH);
    format!("{} {name:?} is refused: {}", subject.kind, parts.join("; "))
}

fn more_problems(shown: usize, problems: &[Problem]) -> Option<String> {
    (shown < problems.len()).then(|| format!("and {} more problems", problems.len() - shown))
}

/// As many of `parts` as fit into `room` bytes, at least one.
fn fitting<T>(parts: impl Iterator<Item = T>, room: usize, length: impl Fn(&T) -> usize) -> Vec<T> {
    let mut taken = 0;
    let fits = |part: &T| {
        let first = taken == 0;
        taken += length(part);
        first || taken <= room
    };
    parts.take_while(fits).collect()
}

#[cfg(test)]
mod tests;
