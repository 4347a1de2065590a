//! What the architecture promises of the code itself, and of what is written beside it.

#![allow(clippy::unwrap_used, reason = "a test that can't read the project fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;
use concierge_shared::group::GROUPS;
use concierge_shared::kind::{KINDS, KindInfo};
use concierge_tests::docs;
use concierge_tests::modules;
use concierge_tests::process::built_program;
use concierge_tests::reference;

/// What would make `concierge-shared` do I/O or wait for something.
const IMPURE: [&str; 12] = [
    "axum",
    "hyper",
    "hyper-util",
    "kube-client",
    "kube-runtime",
    "mio",
    "openssl",
    "reqwest",
    "rustls",
    "socket2",
    "tokio",
    "tower",
];
/// The sources of all crates.
const SOURCES: [&str; 8] = [
    "shared/src",
    "certs/src",
    "runtime/src",
    "webhook/src",
    "reconciler/src",
    "release/src",
    "tests/src",
    "tests/suite/src",
];
/// The longest file, without its tests, in lines.
const LONGEST: usize = 500;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files below `folder` whose name ends in `.EXTENSION`.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut folders = vec![project().join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                files.push(path);
            }
        }
    }
    files
}

/// The names of the groups, which are those of their folders.
fn groups() -> Vec<String> {
    GROUPS.iter().map(|group| group.name.to_owned()).collect()
}

fn check(args: &[&str]) -> (Option<i32>, String) {
    let mut check = Command::new(built_program("concierge-webhook").unwrap());
    let output = check.arg("check").args(args).current_dir(project()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn shared_reaches_nothing_that_does_io() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--package", "concierge-shared", "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{lib}", "--locked", "--offline"])
        .current_dir(project())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(
        tree.lines().any(|name| name == "serde_json"),
        "the tree is not what it was thought to be:\n{tree}"
    );
    for impure in IMPURE {
        assert!(
            !tree.lines().any(|name| name == impure.replace('-', "_")),
            "concierge-shared reaches {impure}"
        );
    }
}

/// The features of every package of the tree with these edges: each set, when there are several.
fn features(edges: &str) -> BTreeMap<String, BTreeSet<String>> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--edges", edges, "--prefix", "none", "--format", "{p};{f};"])
        .args(["--locked", "--offline"])
        .current_dir(project())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let mut features = BTreeMap::<_, BTreeSet<_>>::new();
    for line in String::from_utf8(tree.stdout).unwrap().lines() {
        let mut parts = line.split(';').map(str::to_owned);
        if let (Some(package), Some(set)) = (parts.next(), parts.next()) {
            features.entry(package).or_default().insert(set);
        }
    }
    features
}

/// Else most of the tree is compiled twice: once for `build` and `run`, and once for `test`.
#[test]
fn programs_are_built_with_the_features_that_tests_turn_on() {
    let tests = features("normal,build,dev");
    let programs = features("normal,build");
    assert!(programs.len() > 100, "the tree is not what it was thought to be: {programs:?}");
    let other = programs.iter().filter(|(package, sets)| tests.get(*package) != Some(*sets));
    let other: Vec<_> = other.map(|(package, sets)| (package, sets, &tests[package])).collect();
    assert!(other.is_empty(), "name these features in tests/Cargo.toml as well: {other:#?}");
}

#[test]
fn a_group_imports_no_other_group() {
    let groups = groups();
    assert!(groups.contains(&"pets".to_owned()));
    for group in &groups {
        for crate_folder in ["shared/src", "reconciler/src"] {
            let folder = format!("{crate_folder}/{group}");
            if !project().join(&folder).is_dir() {
                continue;
            }
            for file in files(&folder, "rs") {
                let text = fs::read_to_string(&file).unwrap();
                for other in groups.iter().filter(|other| *other != group) {
                    let import = [format!("crate::{other}"), format!("concierge_shared::{other}")];
                    assert!(
                        !import.iter().any(|import| text.contains(import)),
                        "{} imports {other}",
                        file.display()
                    );
                }
            }
        }
    }
}

/// The lines of `file` without white space around them, if there is such a file.
fn lines_of(file: &str) -> Vec<String> {
    let text = fs::read_to_string(project().join(file)).unwrap_or_default();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

/// The group of a kind, and the name of the module that declares it.
fn declared(kind: &KindInfo) -> (String, String) {
    let declares = format!("kind = \"{}\",", kind.name);
    let mut files = groups().into_iter().flat_map(|group| {
        files(&format!("shared/src/{group}"), "rs").into_iter().map(move |file| (group.clone(), file))
    });
    let found = files.find(|(_, file)| lines_of(file.to_str().unwrap()).contains(&declares));
    assert!(found.is_some(), "{kind:?} is declared nowhere");
    let (group, file) = found.unwrap();
    (group, file.file_stem().unwrap().to_str().unwrap().to_owned())
}

/// `docs/adding-a-kind.md` says so.
#[test]
fn a_kind_costs_its_group_three_lines_and_the_table_of_kinds_one() {
    for kind in KINDS {
        let (group, module) = declared(kind);
        let count = |file: &str, wanted: &dyn Fn(&str) -> bool| {
            lines_of(file).iter().filter(|line| wanted(line)).count()
        };
        let of_mod = |line: &str| line == format!("pub mod {module};") || line == format!("mod {module};");
        let of_reconciler = |line: &str| of_mod(line) || line.contains(&format!("with({module}::"));
        let of_table = |line: &str| line.ends_with(&format!("::{},", kind.name));
        let counted = [
            count(&format!("shared/src/{group}/mod.rs"), &of_mod),
            count(&format!("reconciler/src/{group}/mod.rs"), &of_reconciler),
            count("shared/src/kind.rs", &of_table),
        ];
        let reconciler = if kind.reconciled { 2 } else { 0 };
        assert_eq!(counted, [1, reconciler, 1], "{kind:?}");
    }
}

/// In each crate whose modules use each other in a circle, the modules that do. What is looked up, a rule and a kind are each told in terms of
/// the others; and what the fake shop has of each thing is told beside what it does about it.
const CIRCLES: [(&str, &[&str]); 2] =
    [("shared/src", &["admission", "child", "index", "kind"]), ("tests/src", &["shop"])];

#[test]
fn modules_use_each_other_one_way_but_for_two_circles() {
    for folder in SOURCES {
        let circles = modules::circles(&project().join(folder)).unwrap();
        let meant = CIRCLES.iter().find(|(of, _)| *of == folder).map(|(_, parts)| *parts);
        let part = |module: &String| {
            meant.is_some_and(|parts| parts.contains(&module.split("::").next().unwrap_or_default()))
        };
        let others: Vec<_> = circles.iter().filter(|circle| !circle.iter().all(part)).collect();
        assert!(others.is_empty(), "these use each other in {folder}: {others:?}");
        assert_eq!(circles.len(), usize::from(meant.is_some()), "{folder}: {circles:?}");
    }
}

#[test]
fn no_file_is_too_long_to_be_read_at_once() {
    for folder in SOURCES {
        for file in files(folder, "rs") {
            let text = fs::read_to_string(&file).unwrap();
            let is_test =
                file.iter().any(|part| part == "tests" || part == "tests.rs") && !folder.starts_with("tests");
            let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
            assert!(is_test || lines <= LONGEST, "{} has {lines} lines", file.display());
        }
    }
}

#[test]
fn the_way_of_an_order_leads_through_at_most_25_files_that_exist() {
    let text = fs::read_to_string(project().join("ARCHITECTURE.md")).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with("The way of an order")).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ") && line.contains("| `"));
    let files: Vec<_> = rows.map(|row| row.split('`').nth(1).unwrap()).collect();
    assert!((15..=25).contains(&files.len()), "{} files", files.len());
    for file in files {
        let path = match file.split_once('/').unwrap().0 {
            "engine" | "coffee" => project().join("reconciler/src").join(file),
            _ => project().join(file),
        };
        assert!(path.is_file(), "{file} is not there");
    }
}

#[test]
fn the_rule_reference_is_as_generated() {
    let committed = fs::read_to_string(project().join(docs::RULES)).unwrap();
    assert!(committed == docs::rules().unwrap(), "{} is stale; run: make generate", docs::RULES);
}

#[test]
fn the_pages_of_all_kinds_are_as_generated() {
    let pages = reference::pages().unwrap();
    let names: Vec<_> = pages.iter().map(|(name, _)| name.clone()).collect();
    for (name, text) in pages {
        let path = project().join(reference::FOLDER).join(&name);
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{} is stale; run: make generate", path.display());
    }
    for page in files(reference::FOLDER, "md") {
        let name = page.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(names.contains(&name), "{} is of no kind; remove it", page.display());
    }
}

#[test]
fn every_flag_is_an_environment_variable_too_and_says_what_it_does() {
    let programs = [concierge_webhook::Cli::command(), concierge_reconciler::Cli::command()];
    let mut commands: Vec<_> = programs.into_iter().collect();
    let mut flags = 0;
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands().cloned());
        let of_ours = |id: &str| !["help", "version"].contains(&id);
        for flag in command.get_opts().filter(|flag| of_ours(flag.get_id().as_str())) {
            let name = format!("{} --{}", command.get_name(), flag.get_long().unwrap_or_default());
            assert!(flag.get_env().is_some(), "{name}");
            assert!(flag.get_help().is_some(), "{name}");
            flags += 1;
        }
    }
    assert!(flags > 30, "{flags} flags");
}

/// The messages that this source logs above INFO.
fn loud_messages(source: &str) -> Vec<&str> {
    let loud = ["tracing::warn!(", "tracing::error!(", "    warn_seldom!("];
    let loud = loud.iter().flat_map(|begin| source.split(begin).skip(1));
    // The last text before the statement ends: fields come first.
    loud.filter_map(|rest| rest.split(");\n").next()?.split('"').nth_back(1)).collect()
}

#[test]
fn operators_are_told_what_to_do_about_each_line_above_info() {
    let begins = docs::answered_messages().unwrap();
    let sources =
        ["webhook", "reconciler", "runtime", "certs"].map(|program| files(&format!("{program}/src"), "rs"));
    let mut found = 0;
    for path in sources.concat() {
        let source = fs::read_to_string(&path).unwrap();
        for message in loud_messages(&source) {
            let fixed = message.split('{').next().unwrap_or_default();
            let told = begins.iter().any(|begin| message.starts_with(begin) || begin.starts_with(fixed));
            assert!(
                !fixed.is_empty() && told,
                "{}: nobody is told what to do about {message:?}",
                path.display()
            );
            found += 1;
        }
    }
    assert!(found > 30, "only {found} lines above INFO were found");
}

/// What can be linked to in a document: its headings as GitHub names them, and its own marks.
fn anchors(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).unwrap();
    let heading = |line: &str| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        words.chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    let headings = text.lines().filter(|line| line.starts_with('#')).map(heading);
    let marks = text.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned);
    headings.chain(marks).collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents = files("docs", "md");
    documents.extend(
        ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "release/archive.md"]
            .map(|name| project().join(name)),
    );
    let (mut links, mut known) = (0, BTreeMap::<PathBuf, Vec<String>>::new());
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            if path.contains("://") {
                continue;
            }
            links += 1;
            let target = if path.is_empty() { document.clone() } else { document.with_file_name(path) };
            assert!(target.exists(), "{} links to {link}", document.display());
            let there = anchor.is_empty()
                || known
                    .entry(target.clone())
                    .or_insert_with(|| anchors(&target))
                    .iter()
                    .any(|one| one == anchor);
            assert!(there, "{} links to {link}", document.display());
        }
    }
    assert!(links > 10);
}

/// Where pods are not let in, `helm install --wait` waits for none.
#[test]
fn a_namespace_is_labelled_before_anything_is_installed_in_it() {
    let text = fs::read_to_string(project().join("docs/install.md")).unwrap();
    let blocks: Vec<_> =
        text.split("```").skip(1).step_by(2).filter(|one| one.contains("hostNetwork=true")).collect();
    assert_eq!(blocks.len(), 1);
    let place = |line: &str| blocks[0].find(line).unwrap();
    let (label, installed) = (place("\nkubectl label namespace"), place("\nhelm install"));
    assert!(place("\nkubectl create namespace") < label && label < installed);
}

#[test]
fn examples_are_admitted() {
    for folder in fs::read_dir(project().join("examples")).unwrap().map(|entry| entry.unwrap().path()) {
        if folder.ends_with("refused") || folder.ends_with("guests") {
            continue;
        }
        let (code, output) = check(&[folder.to_str().unwrap()]);
        assert_eq!(code, Some(0), "{}:\n{output}", folder.display());
    }
    let (code, output) = check(&["--world", "examples/pets", "examples/guests"]);
    assert_eq!(code, Some(0), "{output}");
}

#[test]
fn every_example_of_a_refusal_is_refused_by_itself() {
    let refused = files("examples/refused", "yaml");
    assert!(!refused.is_empty());
    for file in refused {
        let group = file.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let (code, output) = check(&["--world", &format!("examples/{group}"), file.to_str().unwrap()]);
        assert_eq!(code, Some(1), "{}:\n{output}", file.display());
    }
}
