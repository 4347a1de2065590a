//! `check --policy`: what is wrong with a bucket or identity policy, in the JSON that people copy.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use annotate_snippets::{Level as Title, Renderer};
use clap::{
    ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use concierge_shared::{
    admission::rule::{Enforcement, Level},
    s3::{
        Cursor,
        policy::{Finding, PolicyKind, Profile, Subject, lint},
    },
};
use serde::Serialize;

use super::{
    REFUSED,
    files::Inputs,
    input::source::{bytes, name},
    output::{Excerpt, Output},
    words::{self, count, printable},
};

/// Arguments that mean something only where no policy is checked.
const WITHOUT_POLICY: [&str; 3] = ["files", "rules", "explain"];

/// A policy document to check in place of objects
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Policy documents")]
pub(super) struct PolicyArgs {
    /// Check a policy document (JSON) in place of objects; - for standard input
    #[arg(
        long,
        value_name = "FILE",
        env = "CONCIERGE_CHECK_POLICY",
        requires = "kind",
        conflicts_with_all = ["files", "rules", "explain", "world"]
    )]
    policy: Option<PathBuf>,
    /// What the policy is attached to
    #[arg(long, value_enum, env = "CONCIERGE_CHECK_KIND", conflicts_with_all = WITHOUT_POLICY)]
    kind: Option<Attached>,
    /// The bucket of a bucket policy, so that its resources can be compared with it
    #[arg(hide_short_help = true, long, value_name = "NAME", env = "CONCIERGE_CHECK_BUCKET", value_parser = bucket, conflicts_with_all = WITHOUT_POLICY)]
    bucket: Option<String>,
    /// The provider, whose rules differ here and there
    #[arg(hide_short_help = true, long, value_name = "PROFILE", env = "CONCIERGE_CHECK_PROFILE", default_value = "generic", value_parser = profiles(), conflicts_with_all = WITHOUT_POLICY)]
    profile: Profile,
    /// The ARN as which Concierge calls the provider, so that a policy that locks it out is found
    #[arg(hide_short_help = true, long, value_name = "ARN", env = "CONCIERGE_CHECK_CONTROLLER", value_parser = caller, conflicts_with_all = WITHOUT_POLICY)]
    controller: Option<String>,
    /// Concierge calls the provider without TLS, so that a policy that demands TLS locks it out
    #[arg(hide_short_help = true, long, env = "CONCIERGE_CHECK_PLAIN_HTTP", conflicts_with_all = WITHOUT_POLICY)]
    plain_http: bool,
    /// The bucket is meant to be public
    #[arg(hide_short_help = true, long, env = "CONCIERGE_CHECK_ALLOW_PUBLIC", conflicts_with_all = WITHOUT_POLICY)]
    allow_public: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Attached {
    /// A bucket: who may do what with it
    Bucket,
    /// A user, as a policy of its own
    Identity,
    /// A user, as a part of the user
    Inline,
}

fn profiles() -> impl TypedValueParser<Value = Profile> {
    let of_name = |name: String| Profile::ALL.iter().find(|(known, _)| *known == name);
    PossibleValuesParser::new(Profile::ALL.iter().map(|(name, _)| *name))
        .try_map(move |name| of_name(name).map(|(_, profile)| *profile).ok_or("there is no such profile"))
}

/// The name of a bucket, also of one that was made when capitals, `_` and 255 characters were allowed.
fn bucket(name: &str) -> Result<String, &'static str> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    match (3..=255).contains(&name.len()) && name.chars().all(is_of_name) {
        true => Ok(name.to_owned()),
        false => Err("is no bucket's name; write what follows arn:aws:s3::: in its ARN, such as photos"),
    }
}

/// The ARN of somebody who calls, as the provider's GetCallerIdentity answers.
fn caller(arn: &str) -> Result<String, &'static str> {
    match arn.splitn(6, ':').collect::<Vec<_>>()[..] {
        ["arn", partition, "iam" | "sts", "", _, who] if ![partition, who].contains(&"") => {
            Ok(arn.to_owned())
        }
        _ => Err("is no ARN of a caller; write arn:aws:iam::ACCOUNT:user/NAME"),
    }
}

/// A finding with the level that holds here.
type Weighed = (Level, Finding);

#[derive(Serialize)]
struct FindingResult<'a> {
    rule: &'static str,
    level: &'static str,
    line: usize,
    column: usize,
    message: &'a str,
}

#[derive(Serialize)]
struct PolicyResult<'a> {
    policy: &'a str,
    verdict: &'static str,
    findings: Vec<FindingResult<'a>>,
}

impl PolicyArgs {
    /// What is to be printed, and the exit code; `None` when no policy is to be checked.
    pub(super) fn run(
        &self,
        enforcement: &Enforcement,
        outputs: &[Output],
        colour: bool,
    ) -> Option<Result<(String, u8), String>> {
        let (path, kind) = (self.policy.as_deref()?, self.kind?);
        Some(self.checked(path, kind, enforcement, outputs, colour))
    }

    fn checked(
        &self,
        path: &Path,
        kind: Attached,
        enforcement: &Enforcement,
        outputs: &[Output],
        colour: bool,
    ) -> Result<(String, u8), String> {
        let json = Output::printed_as_json(outputs, "a policy document is reported")?;
        let (name, mut inputs) = (name(path), Inputs::default());
        let text = bytes(path, &mut inputs)
            .and_then(|bytes| String::from_utf8(bytes).map_err(std::io::Error::other))
            .map_err(|error| format!("{name} can't be read: {error}"))?;
        Output::over_input(outputs, &inputs)?;
        if text.trim().is_empty() {
            return Err(format!("{name} holds nothing to check; what should have filled it may have failed"));
        }
        let findings = self.findings(kind, &text, enforcement);
        let refused = findings.iter().any(|(level, _)| *level == Level::Deny);
        let printed = match json {
            true => as_json(&name, &text, &findings, refused),
            false => for_people(&name, &text, &findings, colour),
        };
        Ok((printed, if refused { REFUSED } else { 0 }))
    }

    fn findings(&self, kind: Attached, text: &str, enforcement: &Enforcement) -> Vec<Weighed> {
        let kind = match kind {
            Attached::Bucket => PolicyKind::Bucket,
            Attached::Identity => PolicyKind::Managed,
            Attached::Inline => PolicyKind::Inline,
        };
        let subject = Subject {
            profile: self.profile,
            bucket: self.bucket.as_deref(),
            controller: self.controller.as_deref(),
            plain_http: self.plain_http,
            allow_public: self.allow_public,
            ..Subject::new(kind)
        };
        let weighed = lint(text, &subject).into_iter().map(|finding| {
            let set = enforcement.level(finding.rule);
            (set, finding)
        });
        // A suggestion that somebody switches off is not shown; one that nobody speaks of is.
        let shown = weighed.filter(|(set, _)| *set != Some(Level::Off));
        shown.map(|(set, finding)| (set.unwrap_or(finding.rule.level), finding)).collect()
    }
}

fn as_json(name: &str, text: &str, findings: &[Weighed], refused: bool) -> String {
    let mut cursor = Cursor::of(text);
    let results = findings.iter().map(|(level, finding)| {
        let (line, column) = cursor.at(finding.span.start);
        let level = match level {
            Level::Deny => "deny",
            Level::Warn => "warn",
            Level::Off => "suggestion",
        };
        FindingResult { rule: finding.rule.id, level, line, column, message: &finding.message }
    });
    let verdict = if refused { "refused" } else { "admitted" };
    let result = PolicyResult { policy: name, verdict, findings: results.collect() };
    words::json(&result)
}

fn for_people(name: &str, text: &str, findings: &[Weighed], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut printed = String::new();
    for (level, finding) in findings {
        let title = match level {
            Level::Deny => Title::ERROR,
            Level::Warn => Title::WARNING,
            Level::Off => Title::HELP,
        };
        let title = title.primary_title(printable(&finding.message)).id(finding.rule.id);
        let excerpt = Excerpt::of_text(name, text, &finding.span);
        let _ = writeln!(printed, "{}\n", excerpt.render(&renderer, title));
    }
    let number = |wanted| findings.iter().filter(|(level, _)| *level == wanted).count();
    let (errors, warnings, suggestions) = (number(Level::Deny), number(Level::Warn), number(Level::Off));
    let _ = writeln!(
        printed,
        "{}: {}, {}, {}",
        printable(name),
        count(errors, "error"),
        count(warnings, "warning"),
        count(suggestions, "suggestion")
    );
    printed
}
