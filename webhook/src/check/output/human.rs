//! A report for people: every problem with its line of the file, and a last line that sums up.

use std::{cell::OnceCell, fmt::Write as _};

use annotate_snippets::{Group, Level, Renderer};
use anstyle::{AnsiColor, Style};
use concierge_shared::admission::problem::Cause;

use super::{excerpt::Excerpt, secrets::Secrets};
use crate::check::{
    checked::Checked,
    fixture::Verdict,
    input::source::BadInput,
    report::{Report, RunFixture},
    words::{count, printable},
};

/// Writes reports, in colour or not.
pub(crate) struct Human {
    renderer: Renderer,
    good: Style,
    wrong: Style,
    doubtful: Style,
}

impl Human {
    /// With or without colour.
    pub(crate) fn new(colour: bool) -> Self {
        let style = |style: Style| if colour { style } else { Style::new() };
        Self {
            renderer: if colour { Renderer::styled() } else { Renderer::plain() },
            good: style(AnsiColor::Green.on_default().bold()),
            wrong: style(AnsiColor::Red.on_default().bold()),
            doubtful: style(AnsiColor::Yellow.on_default().bold()),
        }
    }

    /// The report as text.
    pub(crate) fn render(&self, report: &Report) -> String {
        let mut text = String::new();
        for bad in &report.bad {
            self.bad(&mut text, bad);
        }
        for checked in &report.objects {
            self.object(&mut text, checked);
        }
        for fixture in &report.fixtures {
            self.fixture(&mut text, fixture);
        }
        self.summary(&mut text, report);
        text
    }

    fn bad(&self, text: &mut String, bad: &BadInput) {
        match &bad.at {
            Some((source, span)) => {
                let excerpt = Excerpt::of_file(source, *span);
                self.snippet(text, Level::ERROR, None, &bad.message, &excerpt);
            }
            None => {
                let message = format!("{}: {}", bad.file, bad.message);
                let title = Level::ERROR.primary_title(printable(&message).into_owned());
                self.group(text, Group::with_title(title));
            }
        }
        text.push('\n');
    }

    fn object(&self, text: &mut String, checked: &Checked) {
        let found = checked.problems.iter().map(|problem| (Level::ERROR, problem));
        let found = found.chain(checked.warnings.iter().map(|problem| (Level::WARNING, problem)));
        let secrets = OnceCell::new();
        for (level, problem) in found {
            let message = format!("{}: {}", problem.field, problem.message);
            let secrets = secrets.get_or_init(|| Secrets::of(&checked.submission));
            let excerpt = Excerpt::of_object(&checked.submission, checked.locate(problem), secrets);
            self.snippet(text, level, Some(problem.rule.id), &message, &excerpt);
        }
        let subject = checked.subject();
        let (subject, warnings) = (printable(&subject), count(checked.warnings.len(), "warning"));
        let _ = match checked.verdict() {
            Verdict::Refused => {
                let problems = count(checked.problems.len(), "problem");
                let wrong = self.wrong;
                let also = if checked.warnings.is_empty() { String::new() } else { format!(", {warnings}") };
                writeln!(text, "{subject} is {wrong}refused{wrong:#}: {problems}{also}\n")
            }
            Verdict::Admitted if checked.warnings.is_empty() => Ok(()),
            Verdict::Admitted => {
                let doubtful = self.doubtful;
                writeln!(text, "{subject} is {doubtful}admitted{doubtful:#}: {warnings}\n")
            }
        };
    }

    fn fixture(&self, text: &mut String, run: &RunFixture) {
        let (good, wrong) = (self.good, self.wrong);
        let place = run.place();
        let name = printable(&place);
        let _ = match &run.result {
            Ok(()) => writeln!(text, "{good}pass{good:#} {name}"),
            Err(differences) => {
                let table = differences.table();
                let lines: Vec<_> = table.lines().map(printable).collect();
                writeln!(text, "{wrong}FAIL{wrong:#} {name}\n     {}", lines.join("\n     "))
            }
        };
    }

    /// The last lines alone.
    pub(crate) fn sum_up(&self, report: &Report) -> String {
        let mut text = String::new();
        self.summary(&mut text, report);
        text
    }

    fn summary(&self, text: &mut String, report: &Report) {
        let mut parts = Vec::new();
        if !report.objects.is_empty() || report.fixtures.is_empty() {
            let (checked, refused) = (report.objects.len(), report.refused());
            parts.push(format!(
                "{} checked: {} admitted, {}, {}",
                count(checked, "object"),
                checked - refused,
                self.counted(refused, format!("{refused} refused"), self.wrong),
                self.counted(report.warnings(), count(report.warnings(), "warning"), self.doubtful),
            ));
        }
        if !report.fixtures.is_empty() {
            let (run, failed) = (report.fixtures.len(), report.failed());
            let failed_text = self.counted(failed, format!("{failed} failed"), self.wrong);
            parts.push(format!("{}: {} passed, {failed_text}", count(run, "fixture"), run - failed));
        }
        if !report.bad.is_empty() {
            parts.push(self.counted(1, count(report.bad.len(), "input error"), self.wrong));
        }
        let passed_over = match report.passed_over {
            0 => String::new(),
            number => format!("   ({} of other kinds passed over)", count(number, "object")),
        };
        let _ = writeln!(text, "{}{passed_over}", parts.join("; "));
        for (first, then) in report.orders() {
            let _ = writeln!(
                text,
                "Create {first} before {then}: clients create objects in the order of the input, helm by the names of \
                 their kinds. See docs/install.md, \"Objects in a chart\"."
            );
        }
        let mut problems = report.objects.iter().flat_map(|object| &object.problems);
        if problems.any(|problem| problem.cause == Cause::NotFound) {
            let _ = writeln!(text, "What is in the cluster already can be given with --world; see --help.");
        }
    }

    fn counted(&self, number: usize, text: String, style: Style) -> String {
        if number == 0 { text } else { format!("{style}{text}{style:#}") }
    }

    fn snippet(
        &self,
        text: &mut String,
        level: Level<'static>,
        rule: Option<&str>,
        message: &str,
        excerpt: &Excerpt<'_>,
    ) {
        let title = level.primary_title(printable(message));
        let title = match rule {
            Some(rule) => title.id(rule),
            None => title,
        };
        text.push_str(&excerpt.render(&self.renderer, title));
        text.push('\n');
    }

    fn group(&self, text: &mut String, group: Group<'_>) {
        text.push_str(&self.renderer.render(&[group]));
        text.push('\n');
    }
}
