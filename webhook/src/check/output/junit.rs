//! JUnit XML: a suite for each file, a case for each object and fixture.

use std::{collections::HashMap, io};

use concierge_shared::admission::problem::Problem;
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

use crate::check::{
    checked::Checked,
    input::source::BadInput,
    report::{Report, RunFixture},
    words::{printable, printable_lines},
};

/// A case, and why it did not pass.
struct Case {
    name: String,
    failure: Option<Failure>,
    /// What is told although it passed.
    warnings: String,
}

struct Failure {
    /// `error` when the case could not be judged.
    element: &'static str,
    rule: &'static str,
    message: String,
    text: String,
}

struct Suite<'a> {
    file: &'a str,
    cases: Vec<Case>,
}

/// The report as XML.
pub(super) fn junit(report: &Report) -> String {
    let bad = report.bad.iter().map(|bad| (bad.file.as_str(), of_input(bad)));
    let objects =
        report.objects.iter().map(|object| (object.submission.source.name.as_str(), of_object(object)));
    let fixtures = report.fixtures.iter().map(|run| (run.source.name.as_str(), of_fixture(run)));
    let mut suites: Vec<Suite<'_>> = Vec::new();
    let mut known = HashMap::new();
    for (file, case) in bad.chain(objects).chain(fixtures) {
        let index = *known.entry(file).or_insert(suites.len());
        if index == suites.len() {
            suites.push(Suite { file, cases: Vec::new() });
        }
        suites[index].cases.push(case);
    }
    suites.iter_mut().for_each(Suite::tell_apart);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    // What is written to memory can be written.
    let _ = write(&mut writer, &suites);
    // Messages repeat what stands in files, and XML has no way to write these.
    String::from_utf8(writer.into_inner()).unwrap_or_default().replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
        + "\n"
}

fn of_input(bad: &BadInput) -> Case {
    let place = bad.at.as_ref().map(|(_, span)| format!(":{}", span.start.line)).unwrap_or_default();
    let text = format!("{}{place}: {}", printable(&bad.file), bad.message);
    let failure = Failure { element: "error", rule: "check.input", message: bad.message.clone(), text };
    Case { name: "can be read".to_owned(), failure: Some(failure), warnings: String::new() }
}

fn of_object(checked: &Checked) -> Case {
    let file = printable(&checked.submission.source.name);
    let line = |problem: &Problem| {
        let place = checked.locate(problem).start;
        format!("{file}:{}: {}: {} [{}]", place.line, problem.field, problem.message, problem.rule.id)
    };
    let lines = |problems: &[Problem]| problems.iter().map(line).collect::<Vec<_>>().join("\n");
    let failure = checked.problems.first().map(|first| Failure {
        element: "failure",
        rule: first.rule.id,
        message: format!("{}: {}", first.field, first.message),
        text: lines(&checked.problems),
    });
    Case { name: checked.subject(), failure, warnings: lines(&checked.warnings) }
}

fn of_fixture(run: &RunFixture) -> Case {
    let failure = run.result.as_ref().err().map(|differences| Failure {
        element: "failure",
        rule: "check.fixture",
        message: "found otherwise than expected".to_owned(),
        // Behind the tag, the first line of the columns would stand elsewhere than the others.
        text: format!("\n{}", differences.table()),
    });
    Case { name: run.name.clone(), failure, warnings: String::new() }
}

fn write(writer: &mut Writer<Vec<u8>>, suites: &[Suite<'_>]) -> io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let count = |of: fn(&Suite<'_>) -> usize| suites.iter().map(of).sum::<usize>().to_string();
    let (tests, failures, errors) = (
        count(|suite| suite.cases.len()),
        count(|suite| suite.count("failure")),
        count(|suite| suite.count("error")),
    );
    writer
        .create_element("testsuites")
        .with_attribute(("name", "concierge-webhook check"))
        .with_attribute(("tests", tests.as_str()))
        .with_attribute(("failures", failures.as_str()))
        .with_attribute(("errors", errors.as_str()))
        .write_inner_content(|writer| suites.iter().try_for_each(|suite| suite.write(writer)))?;
    Ok(())
}

impl Suite<'_> {
    /// Of cases with one name, readers keep one.
    fn tell_apart(&mut self) {
        let mut times = HashMap::<String, usize>::new();
        for case in &mut self.cases {
            let times = times.entry(case.name.clone()).or_default();
            *times += 1;
            if *times > 1 {
                case.name.push_str(&format!(" ({times})"));
            }
        }
    }

    fn count(&self, element: &str) -> usize {
        let is_one = |case: &&Case| case.failure.as_ref().is_some_and(|failure| failure.element == element);
        self.cases.iter().filter(is_one).count()
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        writer
            .create_element("testsuite")
            .with_attribute(("name", &*printable(self.file)))
            .with_attribute(("tests", self.cases.len().to_string().as_str()))
            .with_attribute(("failures", self.count("failure").to_string().as_str()))
            .with_attribute(("errors", self.count("error").to_string().as_str()))
            .write_inner_content(|writer| {
                self.cases.iter().try_for_each(|case| case.write(self.file, writer))
            })?;
        Ok(())
    }
}

impl Case {
    fn write(&self, file: &str, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let element = writer
            .create_element("testcase")
            .with_attribute(("name", &*printable(&self.name)))
            .with_attribute(("classname", &*printable(file)));
        if self.failure.is_none() && self.warnings.is_empty() {
            element.write_empty()?;
            return Ok(());
        }
        element.write_inner_content(|writer| {
            if let Some(failure) = &self.failure {
                failure.write(writer)?;
            }
            if !self.warnings.is_empty() {
                let text = printable_lines(&self.warnings);
                writer.create_element("system-out").write_text_content(BytesText::new(&text))?;
            }
            Ok(())
        })?;
        Ok(())
    }
}

impl Failure {
    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        writer
            .create_element(self.element)
            .with_attribute(("type", self.rule))
            .with_attribute(("message", &*printable(&self.message)))
            .write_text_content(BytesText::new(&printable_lines(&self.text)))?;
        Ok(())
    }
}
