//! What a check found.

use std::{collections::BTreeSet, rc::Rc};

use super::{
    checked::Checked,
    documents::Item,
    fixture::{Differences, Verdict},
    input::{
        source::{BadInput, Source},
        tree::Span,
    },
    offline::{Offline, apply::check_all},
};

/// Everything that was found, in the order of the input.
#[derive(Default)]
pub(crate) struct Report {
    pub bad: Vec<BadInput>,
    pub objects: Vec<Checked>,
    pub fixtures: Vec<RunFixture>,
    /// How many objects of other kinds there were.
    pub passed_over: usize,
}

/// A fixture and how it went.
pub(crate) struct RunFixture {
    pub source: Rc<Source>,
    /// Where it begins.
    pub span: Span,
    /// `CREATE Pet zoo/rex is refused`
    pub name: String,
    pub result: Result<(), Differences>,
}

impl RunFixture {
    /// How it is called where several may come from one file: `case.yaml`, or `cases.yaml:7`.
    pub(crate) fn place(&self) -> String {
        match self.source.documents.len() {
            1 => self.source.name.clone(),
            _ => format!("{}:{}", self.source.name, self.span.start.line),
        }
    }
}

impl Report {
    /// Checks `items` in `offline`, which holds the world around them.
    pub(crate) fn of(items: Vec<Item>, bad: Vec<BadInput>, mut offline: Offline) -> Self {
        let mut report = Self { bad, ..Self::default() };
        let mut submissions = Vec::new();
        for item in items {
            match item {
                Item::Submission(submission) => submissions.push(submission),
                Item::Namespace(name, namespace, _) => {
                    offline.insert_namespace(name, namespace);
                    report.passed_over += 1;
                }
                Item::Fixture(source, span, fixture) => {
                    let (name, result) = (fixture.name(), fixture.run_in(offline.emptied()));
                    report.fixtures.push(RunFixture { source, span, name, result });
                }
                Item::Other => report.passed_over += 1,
            }
        }
        report.objects = check_all(submissions, offline);
        report
    }

    /// Kinds that must be created before others, and these.
    pub(crate) fn orders(&self) -> BTreeSet<(&'static str, &'static str)> {
        let of = |object: &Checked| {
            let kind = object.submission.kind.name;
            object.after.iter().map(move |first| (*first, kind)).collect::<Vec<_>>()
        };
        self.objects.iter().flat_map(of).collect()
    }

    /// How many objects are refused.
    pub(crate) fn refused(&self) -> usize {
        self.objects.iter().filter(|object| object.verdict() == Verdict::Refused).count()
    }

    pub(crate) fn warnings(&self) -> usize {
        self.objects.iter().map(|object| object.warnings.len()).sum()
    }

    /// How much there is to tell.
    pub(crate) fn found(&self) -> usize {
        let problems = self.objects.iter().map(|object| object.problems.len()).sum::<usize>();
        self.bad.len() + problems + self.warnings() + self.failed()
    }

    /// How many fixtures went otherwise than expected.
    pub(crate) fn failed(&self) -> usize {
        self.fixtures.iter().filter(|fixture| fixture.result.is_err()).count()
    }
}
