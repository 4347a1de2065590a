//! Objects checked one after another, as if they were applied in turn.

use std::collections::HashMap;

use concierge_shared::{
    admission::{
        envelope::Operation,
        problem::{Cause, Problem},
        rule::{Level, SCHEMA},
    },
    field::at,
};
use serde_json::Value;

use super::{Asked, Offline};
use crate::check::{
    input::Submission,
    report::Checked,
    schema::{REPEATED, Schemas, metadata},
};

/// Checks `submissions` in `offline`, which holds the world around them.
pub(crate) fn check_all(submissions: Vec<Submission>, mut offline: Offline) -> Vec<Checked> {
    for (position, submission) in submissions.iter().enumerate() {
        prepare(submission, position, &mut offline);
    }
    let mut run = Run { offline, schemas: Schemas::default(), given: HashMap::new() };
    submissions.into_iter().enumerate().map(|(position, one)| run.check(one, position)).collect()
}

/// Puts what a submission brings into the world before anything is decided.
fn prepare(submission: &Submission, position: usize, offline: &mut Offline) {
    let Submission { kind, namespace, object, old, .. } = submission;
    match (object, old) {
        (_, Some(old)) if offline.stored(kind, namespace, old).is_none() => {
            offline.insert(kind, namespace, old)
        }
        (Some(object), None) => {
            let defaulted = named(offline.default(kind, namespace, object), position);
            offline.announce(kind, namespace, &defaulted);
        }
        _ => {}
    }
}

/// `object` with a name of its own while it waits for a generated one; never a name that a user can write.
fn named(mut object: Value, position: usize) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let prefix = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default();
        let name = format!("{prefix}*{position}");
        metadata.entry("name").or_insert_with(|| name.into());
    }
    object
}

struct Run {
    offline: Offline,
    schemas: Schemas,
    /// Where each object was given first.
    given: HashMap<(&'static str, String, String), String>,
}

impl Run {
    fn check(&mut self, mut submission: Submission, position: usize) -> Checked {
        self.find_old(&mut submission);
        let asked = Asked {
            kind: submission.kind,
            operation: submission.operation,
            namespace: &submission.namespace,
            object: submission.object.as_ref(),
            old: submission.old.as_ref(),
        };
        let mut decision = self.offline.decide(&asked);
        for taken in std::mem::take(&mut decision.evaluation.taken) {
            decision.evaluation.name_holder(&taken);
        }
        let mut checked = Checked {
            problems: decision.evaluation.denials,
            warnings: decision.evaluation.warnings,
            patch: decision.evaluation.patch,
            submission,
        };
        self.add_schema_problems(&mut checked);
        self.add_repetition(&mut checked);
        checked.sort();
        self.settle(&checked, decision.defaulted, position);
        checked
    }

    /// Applying an object that is there already is an update.
    fn find_old(&self, submission: &mut Submission) {
        let Submission { kind, namespace, object: Some(object), applied: true, .. } = submission else {
            return;
        };
        if let Some(old) = self.offline.stored(kind, namespace, object) {
            submission.old = Some(old.clone());
            submission.operation = Operation::Update;
        }
    }

    fn add_schema_problems(&mut self, checked: &mut Checked) {
        let Submission { kind, object: Some(_), node, .. } = &checked.submission else { return };
        let mut found = self.schemas.check(kind, node);
        found.extend(metadata::check(node));
        // The decoder stops at the first of what the schema finds all.
        if found.iter().any(|problem| problem.rule == &SCHEMA) {
            checked.problems.retain(|problem| problem.rule != &SCHEMA);
        }
        found.into_iter().for_each(|problem| self.add(checked, problem));
    }

    fn add_repetition(&mut self, checked: &mut Checked) {
        let Submission { kind, namespace, name, source, applied, .. } = &checked.submission;
        let line = checked.submission.start().start.line;
        let place = format!("{}:{line}", source.name);
        if !applied || name.ends_with('*') {
            return;
        }
        if let Some(first) = self.given.insert((kind.name, namespace.clone(), name.clone()), place) {
            let problem = Problem {
                field: at("metadata.name"),
                rule: &REPEATED,
                cause: Cause::Duplicate,
                message: format!("is given before at {first}; this one is checked as an update of it"),
            };
            self.add(checked, problem);
        }
    }

    fn add(&self, checked: &mut Checked, problem: Problem) {
        match self.offline.level(&checked.submission.namespace, problem.rule) {
            _ if problem.rule == &SCHEMA => checked.problems.push(problem),
            Level::Off => {}
            Level::Warn => checked.warnings.push(problem),
            Level::Deny => checked.problems.push(problem),
        }
    }

    /// Makes the world what it is after the request. A refused object stays as if it were mended: what
    /// depends on it has its own problems, not this one's.
    fn settle(&mut self, checked: &Checked, defaulted: Option<Value>, position: usize) {
        let Submission { kind, namespace, old, .. } = &checked.submission;
        match (defaulted, old) {
            (Some(object), _) if checked.submission.applied || checked.problems.is_empty() => {
                let object = named(object, position);
                self.offline.announce(kind, namespace, &object);
                self.offline.settle(kind, namespace, &object);
            }
            (None, Some(old)) if checked.problems.is_empty() => self.offline.remove(kind, namespace, old),
            _ => {}
        }
    }
}
