//! What must come of a request, and what did.

use std::fmt;

use concierge_shared::{
    admission::{defaults, problem::Problem},
    field::{FieldPath, at},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::fixture::Fixture;

/// What must come of a request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Whether it is admitted.
    pub verdict: Verdict,
    /// Why it is refused: exactly this.
    #[serde(default)]
    pub problems: Vec<Expected>,
    /// What the user is told besides: exactly this.
    #[serde(default)]
    pub warnings: Vec<Expected>,
    /// What is filled in; `None` leaves it open.
    #[serde(default)]
    pub defaults: Option<ExpectedDefaults>,
    /// Whether the API server refuses the object, as it is written, by its schema alone.
    #[serde(default)]
    pub schema: bool,
}

/// Whether a request is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is.
    Admitted,
    /// It is not.
    Refused,
}

/// A problem or a warning that must be found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The rule's id.
    pub rule: String,
    /// The field's path.
    pub path: String,
}

/// Defaults that must be filled in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedDefaults {
    /// The JSON patch: exactly these operations.
    #[serde(default)]
    pub patch: Option<Vec<Value>>,
    /// Fields of the object with its defaults, each compared as a whole.
    #[serde(default)]
    pub object: Option<Map<String, Value>>,
}

/// A problem or a warning that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
    /// The field's path.
    pub path: String,
    /// What was said.
    pub message: String,
}

/// What came of a request, wherever it was made.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether it was admitted.
    pub verdict: Verdict,
    /// Why it was refused.
    pub problems: Vec<Finding>,
    /// What the user was told besides.
    pub warnings: Vec<Finding>,
    /// The JSON patch; `None` when it is not known, and then it is not compared.
    pub patch: Option<Vec<Value>>,
    /// The object with its defaults; `None` when it is not known, and then it is not compared.
    pub defaulted: Option<Value>,
}

impl Expectation {
    /// Compares an outcome with what is expected.
    ///
    /// # Errors
    /// What differs, a line for each.
    pub fn compare(&self, outcome: &Outcome) -> Result<(), String> {
        let mut lines = Vec::new();
        if self.verdict != outcome.verdict {
            lines.push(format!("expected to be {}, was {}", self.verdict, outcome.verdict));
        }
        compare_findings("problem", &self.problems, &outcome.problems, &mut lines);
        compare_findings("warning", &self.warnings, &outcome.warnings, &mut lines);
        if let Some(defaults) = &self.defaults {
            compare_defaults(defaults, outcome, &mut lines);
        }
        if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
    }
}

fn compare_findings(word: &str, expected: &[Expected], found: &[Finding], lines: &mut Vec<String>) {
    let mut surplus: Vec<_> = found.iter().collect();
    for one in expected {
        match surplus.iter().position(|found| (&found.rule, &found.path) == (&one.rule, &one.path)) {
            Some(index) => {
                surplus.remove(index);
            }
            None => lines.push(format!("missing {word}: {} at {}", one.rule, one.path)),
        }
    }
    for one in surplus {
        lines.push(format!("surplus {word}: {} at {}: {}", one.rule, one.path, one.message));
    }
}

fn compare_defaults(expected: &ExpectedDefaults, outcome: &Outcome, lines: &mut Vec<String>) {
    if let (Some(expected), Some(found)) = (&expected.patch, &outcome.patch)
        && expected != found
    {
        for one in expected.iter().filter(|one| !found.contains(one)) {
            lines.push(format!("missing in the patch: {one}"));
        }
        for one in found.iter().filter(|one| !expected.contains(one)) {
            lines.push(format!("surplus in the patch: {one}"));
        }
        if expected.len() == found.len() && expected.iter().all(|one| found.contains(one)) {
            lines.push("the patch is in another order".to_owned());
        }
    }
    if let (Some(expected), Some(found)) = (&expected.object, &outcome.defaulted) {
        for (key, value) in expected {
            compare_values(at(key), value, &found[key], lines);
        }
    }
}

/// A line for each innermost value that differs.
fn compare_values(path: FieldPath, expected: &Value, found: &Value, lines: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let keys: std::collections::BTreeSet<_> = expected.keys().chain(found.keys()).collect();
            for key in keys {
                let value = |object: &Map<String, Value>| object.get(key).cloned().unwrap_or_default();
                compare_values(path.clone().field(key), &value(expected), &value(found), lines);
            }
        }
        (expected, found) if expected != found => {
            lines.push(format!("{path} with defaults: expected {expected}, found {found}"));
        }
        _ => {}
    }
}

impl Outcome {
    /// What the HTTPS server's answers say: the mutating one, when it was asked for, and the validating one.
    ///
    /// A warning that the answer had to cut has lost its rule and can't be matched.
    pub fn of_answers(fixture: &Fixture, mutating: Option<&Value>, validating: &Value) -> Self {
        let response = &validating["response"];
        let causes = response["status"]["details"]["causes"].as_array().into_iter().flatten();
        let problems = causes.map(|cause| Finding {
            path: cause["field"].as_str().unwrap_or_default().to_owned(),
            ..Finding::of_text(cause["message"].as_str().unwrap_or_default())
        });
        let patch = mutating.map(|answer| decode_patch(&answer["response"]["patch"]));
        let answers = mutating.into_iter().chain([validating]);
        let texts =
            answers.flat_map(|answer| answer["response"]["warnings"].as_array().into_iter().flatten());
        let mut warnings: Vec<Finding> = Vec::new();
        for warning in texts.filter_map(Value::as_str).map(Finding::of_warning) {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        let defaulted = patch.as_ref().zip(fixture.object.as_ref()).and_then(|(patch, object)| {
            let patch: Vec<_> = serde_json::from_value(Value::Array(patch.clone())).ok()?;
            defaults::apply(&object.to_string(), &patch).ok()
        });
        Self {
            verdict: if response["allowed"] == true { Verdict::Admitted } else { Verdict::Refused },
            problems: problems.collect(),
            warnings,
            patch,
            defaulted,
        }
    }
}

fn decode_patch(encoded: &Value) -> Vec<Value> {
    let bytes = serde_json::from_value(encoded.clone()).map(|k8s_openapi::ByteString(bytes)| bytes);
    bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

impl Finding {
    /// Reads `message [rule]`.
    fn of_text(text: &str) -> Self {
        let (message, rule) =
            text.strip_suffix(']').and_then(|text| text.rsplit_once(" [")).unwrap_or((text, ""));
        Self { rule: rule.to_owned(), path: String::new(), message: message.to_owned() }
    }

    /// Reads `path: message [rule]`.
    fn of_warning(text: &str) -> Self {
        let (path, rest) = text.split_once(": ").unwrap_or(("", text));
        Self { path: path.to_owned(), ..Self::of_text(rest) }
    }
}

impl From<&Problem> for Finding {
    fn from(problem: &Problem) -> Self {
        Self {
            rule: problem.rule.id.to_owned(),
            path: problem.field.to_string(),
            message: problem.message.clone(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Admitted => "admitted",
            Verdict::Refused => "refused",
        })
    }
}
