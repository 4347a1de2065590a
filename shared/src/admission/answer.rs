//! The evaluation as an `admission.k8s.io/v1 AdmissionReview`.

use std::collections::{BTreeMap, BTreeSet};

use json_patch::PatchOperation;
use k8s_openapi::ByteString;
use serde::Serialize;

use super::problem::Problem;

/// The longest single warning that survives next to others, in characters.
const WARNING_LENGTH: usize = 256;
/// What all warnings of an answer may take, in bytes, before the API server cuts them.
const WARNINGS_LENGTH: usize = 4096;
/// How much of a refusal's summary is kept for the message.
const NAMED_PROBLEMS: usize = 50;

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
    /// Its group.
    pub group: &'a str,
    /// Its kind.
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
    /// The decision could not be made: 500.
    InternalError,
    /// The decision could not be made in time: 504.
    Timeout,
}

impl Refusal {
    fn code(self) -> u16 {
        match self {
            Refusal::BadRequest => 400,
            Refusal::Forbidden => 403,
            Refusal::Invalid => 422,
            Refusal::InternalError => 500,
            Refusal::Timeout => 504,
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Refusal::BadRequest => "BadRequest",
            Refusal::Forbidden => "Forbidden",
            Refusal::Invalid => "Invalid",
            Refusal::InternalError => "InternalError",
            Refusal::Timeout => "Timeout",
        }
    }
}

impl Answer {
    /// Admitted, with warnings.
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
        let causes = problems.iter().map(|problem| Cause {
            reason: problem.cause.as_str(),
            message: explained(problem),
            field: problem.field.to_string(),
        });
        answer.response.status = Some(Status {
            status: "Failure",
            code: refusal.code(),
            reason: refusal.reason(),
            message: summary(subject, problems),
            details: Some(Details {
                name: subject.name.to_owned(),
                group: subject.group.to_owned(),
                kind: subject.kind.to_owned(),
                causes: causes.collect(),
            }),
        });
        let rules: BTreeSet<_> = problems.iter().map(|problem| problem.rule.id).collect();
        answer.response.audit_annotations.insert("rules", rules.into_iter().collect::<Vec<_>>().join(","));
        answer
    }

    /// Refused for a reason that is not in the object.
    pub fn failed(uid: impl Into<String>, refusal: Refusal, message: impl Into<String>) -> Self {
        let mut answer = Self::new(uid, false);
        answer.response.status = Some(Status {
            status: "Failure",
            code: refusal.code(),
            reason: refusal.reason(),
            message: message.into(),
            details: None,
        });
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
            warning_texts(warnings.iter().map(|one| format!("{}: {}", one.field, explained(one))));
        self
    }
}

/// A problem's message with the rule's name, for those who want to look it up or to override it.
pub fn explained(problem: &Problem) -> String {
    format!("{} [{}]", problem.message, problem.rule.id)
}

/// `Pet "rex" is refused: spec.id: … [pets.pet.id]; spec.name: … [pets.pet.name]`
pub fn summary(subject: Subject<'_>, problems: &[Problem]) -> String {
    let shown = problems.iter().take(NAMED_PROBLEMS);
    let mut parts: Vec<_> =
        shown.map(|problem| format!("{}: {}", problem.field, explained(problem))).collect();
    if problems.len() > NAMED_PROBLEMS {
        parts.push(format!("and {} more problems", problems.len() - NAMED_PROBLEMS));
    }
    format!("{} {:?} is refused: {}", subject.kind, subject.name, parts.join("; "))
}

/// Warnings as the API server passes them on whole: without control characters, cut, each once, and as
/// many as fit.
pub fn warning_texts(warnings: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let texts = warnings.into_iter().map(|text| clean(&text)).filter(|text| seen.insert(text.clone()));
    let texts: Vec<_> = texts.collect();
    // Room is kept for the line that counts the rest.
    let mut room = WARNINGS_LENGTH - 32;
    let fitting = texts.iter().take_while(|text| {
        room = room.saturating_sub(text.len());
        room > 0
    });
    let fitting = fitting.count();
    let mut shown = texts[..fitting].to_vec();
    if fitting < texts.len() {
        shown.push(format!("and {} more warnings", texts.len() - fitting));
    }
    shown
}

fn clean(text: &str) -> String {
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if let Some((cut, _)) = text.char_indices().nth(WARNING_LENGTH) {
        let end = text.char_indices().nth(WARNING_LENGTH - 1).map_or(cut, |(end, _)| end);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_lose_control_characters_and_length() {
        assert_eq!(warning_texts(["a\nb\tc".to_owned()]), ["a b c"]);
        let long = warning_texts(["ä".repeat(300)]);
        assert_eq!(long[0].chars().count(), WARNING_LENGTH);
        assert!(long[0].ends_with('…'));
    }

    #[test]
    fn a_hundred_warnings_fit_by_counting_the_rest() {
        let shown = warning_texts((0..100).map(|n| format!("{n:03}{}", "x".repeat(97))));
        assert!(shown.iter().map(String::len).sum::<usize>() <= WARNINGS_LENGTH);
        let rest = 100 - (shown.len() - 1);
        assert_eq!(*shown.last().unwrap(), format!("and {rest} more warnings"));
        assert_eq!(warning_texts(["same".to_owned(), "same".to_owned()]).len(), 1);
    }

    #[test]
    fn no_patch_means_no_patch_type() {
        let json = String::from_utf8(Answer::patched("u", &[], &[]).to_json()).unwrap();
        assert!(!json.contains("patch"), "{json}");
    }
}
