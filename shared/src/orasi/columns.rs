//! Columns by which tables are partitioned.

use std::collections::BTreeSet;

use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    field::FieldPath,
};

/// The most columns that a table is partitioned by. Schemas say the same.
pub(super) const MOST: usize = 32;
/// The longest name of a column, in bytes. Schemas say the same.
pub(super) const LONGEST: usize = 255;

/// Adds a problem for each column that can't be one, or is listed twice.
pub(super) fn check(
    field: impl Into<FieldPath>,
    columns: Option<&Vec<String>>,
    rule: &'static AdmissionRule,
    problems: &mut Problems,
) {
    let (field, Some(columns)) = (field.into(), columns) else { return };
    if columns.len() > MOST {
        let message = format!("has {} columns of at most {MOST}; remove some", columns.len());
        problems.add(rule, Cause::TooMany, field.clone(), message);
    }
    let mut seen = BTreeSet::new();
    for (nth, column) in columns.iter().enumerate() {
        let field = field.clone().index(nth);
        if !is_column(column) {
            let message = "can't be the name of a column; use 1 to 255 letters, digits, '_', '-' and '.'";
            problems.add(rule, Cause::Invalid, field, message);
        } else if !seen.insert(column) {
            problems.add(rule, Cause::Duplicate, field, "is listed twice; remove one");
        }
    }
}

fn is_column(name: &str) -> bool {
    let usual = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=LONGEST).contains(&name.len()) && name.chars().all(usual)
}
