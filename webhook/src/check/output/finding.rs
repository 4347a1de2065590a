//! A report as a flat list, as tools of CI take it.

use std::collections::HashMap;

use concierge_shared::{
    admission::{
        problem::Problem,
        rule::{AdmissionRule, Level},
    },
    common::words::hex,
};
use sha2::{Digest, Sha256};

use super::paths::Paths;
use crate::check::{
    checked::Checked,
    input::{source::BadInput, tree::Span},
    report::{Report, RunFixture},
    rules::{FIXTURE, INPUT},
};

/// Something that was found, with its place.
pub(super) struct Finding<'a> {
    pub rule: &'static AdmissionRule,
    /// How it counts here, which may be another level than the rule's own.
    pub level: Level,
    /// What it is about: `Pet zoo/rex`.
    pub subject: String,
    /// The field, where there is one.
    pub field: String,
    pub message: String,
    /// How the file was called.
    pub file: &'a str,
    /// The file as tools of CI take it.
    pub path: String,
    /// Where in the file, when that is known.
    pub span: Option<Span>,
    /// The same for as long as the same is wrong with the same field of the same object, on whatever line.
    pub fingerprint: String,
}

/// Everything in `report`, in the order of the input.
pub(super) fn findings(report: &Report) -> Vec<Finding<'_>> {
    let bad = report.bad.iter().map(of_input);
    let objects = report.objects.iter().flat_map(of_object);
    let fixtures = report.fixtures.iter().filter_map(of_fixture);
    let mut findings: Vec<_> = bad.chain(objects).chain(fixtures).collect();
    let mut seen = HashMap::<String, usize>::new();
    let mut paths = Paths::new();
    for finding in &mut findings {
        finding.path = paths.of(finding.file);
        let text = [finding.rule.id, &finding.path, &finding.subject, &finding.field].join("\0");
        let times = seen.entry(text.clone()).or_default();
        finding.fingerprint = hash(&format!("{text}\0{times}"));
        *times += 1;
    }
    findings
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text)[..20])
}

fn of_input(bad: &BadInput) -> Finding<'_> {
    Finding {
        rule: &INPUT,
        level: Level::Deny,
        subject: String::new(),
        field: String::new(),
        message: bad.message.clone(),
        file: &bad.file,
        path: String::new(),
        span: bad.at.as_ref().map(|(_, span)| *span),
        fingerprint: String::new(),
    }
}

fn of_object(checked: &Checked) -> impl Iterator<Item = Finding<'_>> {
    let problems = checked.problems.iter().map(move |one| of_problem(checked, one, Level::Deny));
    problems.chain(checked.warnings.iter().map(move |one| of_problem(checked, one, Level::Warn)))
}

fn of_problem<'a>(checked: &'a Checked, problem: &Problem, level: Level) -> Finding<'a> {
    Finding {
        rule: problem.rule,
        level,
        subject: checked.subject(),
        field: problem.field.to_string(),
        message: problem.message.clone(),
        file: &checked.submission.source.name,
        path: String::new(),
        span: Some(checked.locate(problem)),
        fingerprint: String::new(),
    }
}

fn of_fixture(run: &RunFixture) -> Option<Finding<'_>> {
    let differences = run.result.as_ref().err()?;
    Some(Finding {
        rule: &FIXTURE,
        level: Level::Deny,
        subject: run.name.clone(),
        field: String::new(),
        message: differences.to_string(),
        file: &run.source.name,
        path: String::new(),
        span: Some(run.span),
        fingerprint: String::new(),
    })
}

impl Finding<'_> {
    /// `Pet zoo/rex: spec.id: must be at least 1`; on several lines for a fixture, and as it stands in files.
    pub(super) fn text(&self) -> String {
        let parts = [&self.subject, &self.field, &self.message];
        parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(": ")
    }
}
