//! Objects checked one after another, as if they were applied in turn.

use std::{cmp::Reverse, collections::HashMap};

use concierge_shared::{
    admission::{
        envelope::Operation,
        problem::{Cause, Problem},
        rule::{Level, SCHEMA, STATUS_IGNORED},
    },
    field::at,
};
use serde_json::Value;

use super::{Asked, Id, Offline, hints};
use crate::check::{
    checked::Checked,
    input::Submission,
    rules::REPEATED,
    schema::{self, Submitted},
};

/// Checks `submissions` in `offline`, which holds the world around them.
pub(crate) fn check_all(mut submissions: Vec<Submission>, mut offline: Offline) -> Vec<Checked> {
    for (position, submission) in submissions.iter_mut().enumerate() {
        if submission.applied {
            submission.object.iter_mut().for_each(|object| set_deletion(object, None));
        }
        prepare(submission, position, &mut offline);
    }
    let place = |one: &Submission| ((one.kind.name, one.namespace.clone(), one.name.clone()), one.place());
    let places = submissions.iter().rev().map(place).collect();
    let mut run = Run { offline, places, given: HashMap::new() };
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
            let defaulted = named(offline.with_defaults(kind, namespace, object), position);
            offline.announce(kind, namespace, &defaulted);
        }
        _ => {}
    }
}

/// Gives `object` the deletion of the stored one, or none: only the API server says that an object is being
/// deleted, and drops what a manifest says of it.
pub(crate) fn set_deletion(object: &mut Value, old: Option<&Value>) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        metadata.remove(field);
        if let Some(value) = old.and_then(|old| old["metadata"].get(field)) {
            metadata.insert(field.to_owned(), value.clone());
        }
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
    /// Where each object is given first.
    places: HashMap<Id, String>,
    /// Where the objects that were given before were given last, and whether they were admitted there.
    given: HashMap<Id, (String, bool)>,
}

impl Run {
    fn check(&mut self, mut submission: Submission, position: usize) -> Checked {
        self.find_old(&mut submission);
        let asked = Asked {
            kind: submission.kind,
            operation: submission.operation,
            user: submission.user.as_ref(),
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
            after: Vec::new(),
            submission,
        };
        if hints::is_exported(&checked.submission) {
            checked.warnings.retain(|warning| warning.rule != &STATUS_IGNORED);
        } else if checked.submission.applied {
            self.add_order(&mut checked, decision.defaulted.as_ref());
            self.add_rewritten(&mut checked);
        }
        self.add_repetition(&mut checked);
        self.add_schema_problems(&mut checked, decision.defaulted.as_ref());
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
            set_deletion(object, Some(old));
            submission.old = Some(old.clone());
            submission.operation = Operation::Update;
        }
    }

    fn add_schema_problems(&mut self, checked: &mut Checked, defaulted: Option<&Value>) {
        let Submission { kind, object: Some(object), old, node, .. } = &checked.submission else { return };
        let object = defaulted.unwrap_or(object);
        let found = schema::check(&Submitted { kind, object, old: old.as_ref(), node: Some(node) });
        // The decoder stops at the first of what the schema finds all.
        if found.iter().any(|problem| problem.rule == &SCHEMA) {
            checked.problems.retain(|problem| problem.rule != &SCHEMA);
        }
        let found = not_told_by_rules(found, &checked.problems);
        found.into_iter().for_each(|problem| self.add(checked, problem));
    }

    /// Clients create objects in the order of the input.
    fn add_order(&self, checked: &mut Checked, defaulted: Option<&Value>) {
        let Submission { kind, operation, user, namespace, old, .. } = &checked.submission;
        let (user, old) = (user.as_ref(), old.as_ref());
        let asked = Asked { kind, operation: *operation, user, namespace, object: defaulted, old };
        let (mut denials, later) = self.offline.decide_in_turn(&asked);
        let is_known = |denial: &Problem| {
            checked.problems.iter().any(|known| (known.rule, &known.field) == (denial.rule, &denial.field))
        };
        denials.retain(|denial| !is_known(denial));
        let place = |id: Id| self.places.get(&id).map(|place| (id.clone(), place.clone()));
        let awaited = later.into_iter().filter_map(place).collect();
        if let Some(warning) = hints::order(&denials, &awaited) {
            checked.after = awaited.iter().map(|((kind, ..), _)| *kind).collect();
            self.add(checked, warning);
        }
    }

    fn add_rewritten(&self, checked: &mut Checked) {
        let object = checked.submission.object.clone().unwrap_or_default();
        for warning in hints::rewritten(checked.submission.kind, &object, &checked.patch) {
            self.add(checked, warning);
        }
    }

    fn add_repetition(&self, checked: &mut Checked) {
        let Submission { kind, namespace, name, applied, .. } = &checked.submission;
        let id = (kind.name, namespace.clone(), name.clone());
        let before = self.given.get(&id).filter(|_| *applied && !name.ends_with('*'));
        let Some((place, was_admitted)) = before else { return };
        let counts =
            if *was_admitted { "this one is checked as an update of it" } else { "that one is refused" };
        let problem = Problem {
            field: at("metadata.name"),
            rule: &REPEATED,
            cause: Cause::Duplicate,
            message: format!("is given before at {place}; {counts}"),
        };
        self.add(checked, problem);
    }

    fn add(&self, checked: &mut Checked, problem: Problem) {
        match self.offline.level(&checked.submission.namespace, problem.rule) {
            _ if problem.rule == &SCHEMA => checked.problems.push(problem),
            Level::Off => {}
            Level::Warn => checked.warnings.push(problem),
            Level::Deny => checked.problems.push(problem),
        }
    }

    /// Makes the world what it is after the request. A refused object can be referred to as if it were mended: what
    /// depends on it has its own problems, not this one's. But nothing is an update of it.
    fn settle(&mut self, checked: &Checked, defaulted: Option<Value>, position: usize) {
        let Submission { kind, namespace, name, old, applied, .. } = &checked.submission;
        let admitted = checked.problems.is_empty();
        match (defaulted, old) {
            (Some(object), _) if *applied || admitted => {
                let object = named(object, position);
                self.offline.announce(kind, namespace, &object);
                self.offline.suppose(kind, &object);
                if admitted {
                    self.offline.store(kind, namespace, &object);
                }
            }
            (None, Some(old)) if admitted => self.offline.remove(kind, namespace, old),
            _ => {}
        }
        if *applied {
            let place = checked.submission.place();
            self.given.insert((kind.name, namespace.clone(), name.clone()), (place, admitted));
        }
    }
}

/// What the schema finds and no rule says, and says better: of the same field, or of a field in it for a rule of
/// the schema about a whole. Each problem of a rule stands for one of the latter.
fn not_told_by_rules(mut found: Vec<Problem>, denials: &[Problem]) -> Vec<Problem> {
    let is_same = |one: &Problem, denial: &Problem| one.rule == &SCHEMA && one.field == denial.field;
    // A schema knows no other objects.
    let of_object = |denial: &&Problem| denial.cause != Cause::NotFound;
    let of_whole = |denial: &&Problem| !found.iter().any(|one| is_same(one, denial));
    let mut inside: Vec<_> = denials.iter().filter(of_object).filter(of_whole).collect();
    found.sort_by_key(|one| Reverse(one.field.segments().len()));
    found.retain(|one| {
        if one.rule != &SCHEMA {
            return true;
        }
        let is_in = |denial: &&Problem| denial.field.segments().starts_with(one.field.segments());
        let told = denials.iter().any(|denial| is_same(one, denial));
        !told && inside.iter().position(is_in).map(|index| inside.remove(index)).is_none()
    });
    found
}
