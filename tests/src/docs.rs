//! What the docs say of the kinds, generated from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use concierge_shared::admission::rule::AdmissionRule;
use concierge_shared::group::GROUPS;
use concierge_shared::kind::{KINDS, all_rules};

use crate::reference;

/// The rule reference, from the project's folder.
pub const RULES: &str = "docs/rules.md";

const INTRODUCTION: &str = "\
<!-- Generated from the kinds in shared/: do not edit. To write it anew: make generate -->

# Rules

A problem that Concierge finds names its rule, its field and the remedy. `deny` refuses the object, `warn` admits it with
a warning; the levels below are those when nobody says otherwise. [Operating](operating.md#levels) tells how to change one for
a cluster or a namespace. `concierge-webhook check --explain RULE` tells about one, `concierge-webhook check --rules` about all.

Each rule is declared in the file under its heading, as a constant: search it for the rule's id. `grep -rn CONSTANT shared/src` finds where it
is checked, in that file or in the folder beside it; `grep -rl ID tests/fixtures` finds its fixtures.
";

/// How the messages begin that docs/operating.md tells operators what to do about, each in the first column of a table.
///
/// # Errors
/// When the page can't be read.
pub fn answered_messages() -> std::io::Result<Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operating.md");
    let page = std::fs::read_to_string(page)?;
    let message = |line: &str| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned());
    Ok(page.lines().filter_map(message).collect())
}

/// Writes the documents anew.
///
/// # Errors
/// When one can't be written.
pub fn write() -> Result<()> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = vec![(RULES.to_owned(), rules()?)];
    let kinds = reference::pages()?;
    pages.extend(kinds.into_iter().map(|(name, text)| (format!("{}/{name}", reference::FOLDER), text)));
    std::fs::create_dir_all(project.join(reference::FOLDER))?;
    for (path, text) in pages {
        let path = project.join(path);
        std::fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}

/// The text of [`RULES`].
///
/// # Errors
/// When a rule's id stands in no file, or more than one, of `shared/src`.
pub fn rules() -> Result<String> {
    let sources = sources()?;
    let declared = declared(&sources);
    let mut files: BTreeMap<&str, Vec<(&AdmissionRule, Vec<&str>)>> = BTreeMap::new();
    for (rule, kinds) in all_rules() {
        files.entry(declared_in(rule, &declared)?).or_default().push((rule, kinds));
    }
    let (mut contents, mut text) = (Vec::new(), String::new());
    let mut titles = BTreeSet::new();
    for (file, rules) in files {
        let mut kinds: Vec<&str> = rules.iter().flat_map(|(_, kinds)| kinds.iter().copied()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let mut title = title(&kinds, rules[0].0);
        // The parts of one kind's rules.
        if !titles.insert(title.clone()) {
            let part = Path::new(file).file_stem().unwrap_or_default().display();
            title = format!("{title}, {part}");
        }
        contents.push(format!("[{title}](#{})", anchor(&title)));
        write!(text, "\n## {title}\n\n[{file}](../{file})\n\n")?;
        text.push_str("| rule | level | what it demands |\n|---|---|---|\n");
        for (rule, of) in rules {
            let of = if of.len() == kinds.len() { String::new() } else { format!(" ({})", of.join(", ")) };
            let summary = rule.summary.replace('|', "\\|");
            let floor = if rule.protects_others { " A namespace can't lower it." } else { "" };
            let id = rule.id;
            writeln!(text, "| <a id=\"{id}\"></a>`{id}` | {} | {summary}{of}{floor} |", rule.level)?;
        }
    }
    contents.push("[What an operator may set](#what-an-operator-may-set)".to_owned());
    Ok(format!("{INTRODUCTION}\n{}\n{text}{}", contents.join("\n"), settings()))
}

const SETTINGS: &str = "
## What an operator may set

Beside the levels of rules. `serve`, `check` and the reconciler take the same; the chart's value sets it for both programs.

| flag | environment | value of the chart | what it does |
|---|---|---|---|
";

fn settings() -> String {
    let mut text = SETTINGS.to_owned();
    for group in GROUPS {
        for setting in group.settings {
            let (flag, variable) = (setting.flag(group.name), setting.variable(group.name));
            let value = format!("rules.{}.{}", group.name, setting.chart_value());
            // Writing to a String can't fail.
            let _ = writeln!(text, "| `--{flag}` | `{variable}` | `{value}` | {} |", setting.help);
        }
    }
    text
}

/// What stands above the rules of one file: their kind, or the value that several kinds have.
fn title(kinds: &[&str], rule: &AdmissionRule) -> String {
    match kinds {
        [kind] => (*kind).to_owned(),
        kinds if kinds.len() == KINDS.len() => "Every kind".to_owned(),
        kinds => {
            let value = rule.id.rsplit_once('.').map_or(rule.id, |(value, _)| value);
            format!("{value} in {}", kinds.join(", "))
        }
    }
}

/// Where a heading is linked to.
fn anchor(title: &str) -> String {
    title.to_lowercase().replace(' ', "-").replace([',', '.'], "")
}

/// The files of `sources` by the ids of the rules that they declare. An id is the second word of a declaration.
fn declared(sources: &[(String, String)]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut files = BTreeMap::<_, BTreeSet<_>>::new();
    for (file, text) in sources {
        for word in ["Deny \"", "Warn \"", "Off \"", "protects_others \""] {
            for id in text.split(word).skip(1).filter_map(|rest| rest.split('"').next()) {
                files.entry(id).or_default().insert(file.as_str());
            }
        }
    }
    files
}

/// The one file that declares a rule.
fn declared_in<'a>(rule: &AdmissionRule, declared: &BTreeMap<&str, BTreeSet<&'a str>>) -> Result<&'a str> {
    let files: Vec<_> = declared.get(rule.id).into_iter().flatten().copied().collect();
    match files[..] {
        [file] => Ok(file),
        [] => anyhow::bail!("no file declares {}", rule.id),
        _ => anyhow::bail!("several files declare {}", rule.id),
    }
}

/// The Rust files below `shared/src`, as paths from the project's folder, and their text.
fn sources() -> Result<Vec<(String, String)>> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders: Vec<PathBuf> = vec!["shared/src".into()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(project.join(&folder))? {
            let path = folder.join(entry?.file_name());
            if project.join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(project.join(&path))?;
                sources.push((path.display().to_string(), text));
            }
        }
    }
    Ok(sources)
}
