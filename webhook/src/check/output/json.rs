//! A report as JSON.
//!
//! `docs/checking.md` shows its shape.

use concierge_shared::admission::{problem::Problem, rule::Level};
use json_patch::PatchOperation;
use serde::Serialize;

use crate::check::{
    checked::Checked,
    fixture::Verdict,
    input::{Submission, source::BadInput},
    report::{Report, RunFixture},
    words,
};

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    results: Vec<ObjectResult<'a>>,
    fixtures: Vec<FixtureResult<'a>>,
    errors: Vec<InputError<'a>>,
    summary: Summary,
}

#[derive(Serialize)]
struct ObjectResult<'a> {
    file: &'a str,
    line: usize,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    operation: &'a str,
    verdict: Verdict,
    problems: Vec<ProblemResult<'a>>,
    warnings: Vec<ProblemResult<'a>>,
    patch: &'a [PatchOperation],
}

#[derive(Serialize)]
struct ProblemResult<'a> {
    rule: &'a str,
    level: Level,
    path: String,
    reason: &'a str,
    message: &'a str,
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct FixtureResult<'a> {
    file: &'a str,
    line: usize,
    name: &'a str,
    passed: bool,
    differences: Vec<String>,
}

#[derive(Serialize)]
struct InputError<'a> {
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    checked: usize,
    admitted: usize,
    refused: usize,
    warnings: usize,
    passed_over: usize,
    fixtures: usize,
    failed: usize,
    errors: usize,
}

/// The report as one JSON document.
pub(crate) fn json(report: &Report) -> String {
    let document = Document {
        version: 1,
        results: report.objects.iter().map(object).collect(),
        fixtures: report.fixtures.iter().map(fixture).collect(),
        errors: report.bad.iter().map(input_error).collect(),
        summary: summary(report),
    };
    words::json(&document)
}

fn summary(report: &Report) -> Summary {
    Summary {
        checked: report.objects.len(),
        admitted: report.objects.len() - report.refused(),
        refused: report.refused(),
        warnings: report.warnings(),
        passed_over: report.passed_over,
        fixtures: report.fixtures.len(),
        failed: report.failed(),
        errors: report.bad.len(),
    }
}

fn object(checked: &Checked) -> ObjectResult<'_> {
    let Submission { kind, namespace, name, operation, source, .. } = &checked.submission;
    ObjectResult {
        file: &source.name,
        line: checked.submission.start().start.line,
        kind: kind.name,
        namespace,
        name,
        operation: operation.as_str(),
        verdict: checked.verdict(),
        problems: checked.problems.iter().map(|one| problem(checked, one, Level::Deny)).collect(),
        warnings: checked.warnings.iter().map(|one| problem(checked, one, Level::Warn)).collect(),
        patch: &checked.patch,
    }
}

fn problem<'a>(checked: &Checked, problem: &'a Problem, level: Level) -> ProblemResult<'a> {
    let place = checked.locate(problem).start;
    ProblemResult {
        rule: problem.rule.id,
        level,
        path: problem.field.to_string(),
        reason: problem.cause.as_str(),
        message: &problem.message,
        line: place.line,
        column: place.column,
    }
}

fn fixture(run: &RunFixture) -> FixtureResult<'_> {
    let differences = run.result.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let differences = differences.lines().map(str::to_owned).collect();
    FixtureResult {
        file: &run.source.name,
        line: run.span.start.line,
        name: &run.name,
        passed: run.result.is_ok(),
        differences,
    }
}

fn input_error(bad: &BadInput) -> InputError<'_> {
    let place = bad.at.as_ref().map(|(_, span)| span.start);
    InputError {
        file: &bad.file,
        line: place.map(|place| place.line),
        column: place.map(|place| place.column),
        message: &bad.message,
    }
}
