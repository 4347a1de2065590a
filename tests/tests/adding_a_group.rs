//! The list of edits in `docs/adding-a-kind.md` is complete.

#![allow(clippy::unwrap_used, reason = "a test that can't copy the project fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What of the project is needed to build it.
const COPIED: [&str; 14] = [
    "Cargo.toml",
    "Cargo.lock",
    "clippy.toml",
    "rustfmt.toml",
    "certs",
    "charts",
    "docs",
    "examples",
    "reconciler",
    "release",
    "runtime",
    "shared",
    "tests",
    "webhook",
];
/// What makes a copy of one group another group. Longer names first.
const RENAMED: [(&str, &str); 6] = [
    ("petstore.example.com", "toystore.example.com"),
    ("PetStore", "ToyStore"),
    ("petstore", "toystore"),
    ("Pet", "Toy"),
    ("pets", "toys"),
    ("pet", "toy"),
];

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn copy(from: &Path, to: &Path, change: &dyn Fn(&str) -> String) {
    if from.file_name().is_some_and(|name| name == "target") {
        return;
    }
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join(&name), &to.join(change(name.to_str().unwrap())), change);
        }
    } else {
        match fs::read_to_string(from) {
            Ok(text) => fs::write(to, change(&text)).unwrap(),
            // A binary file.
            Err(_) => drop(fs::copy(from, to).unwrap()),
        }
    }
}

fn renamed(text: &str) -> String {
    let short_names = [("\"ps\"", "\"ts\""), ("\"store\"", "\"toybox\"")];
    let all = RENAMED.into_iter().chain(short_names);
    all.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// File, line that is there, and line to be added after it, of each row of the table.
fn edits() -> Vec<[String; 3]> {
    let text = fs::read_to_string(project().join("docs/adding-a-kind.md")).unwrap();
    let table = text.split_once("| file | after the line | add |\n|---|---|---|\n").unwrap().1;
    let cell = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let row =
        |row: &str| <[String; 3]>::try_from(row.trim_matches('|').split('|').map(cell).collect::<Vec<_>>());
    table.lines().take_while(|line| line.starts_with('|')).map(|line| row(line).unwrap()).collect()
}

fn edit(project: &Path, [file, after, add]: &[String; 3]) {
    let path = project.join(file);
    let text = fs::read_to_string(&path).unwrap();
    let there = format!("{after}\n");
    assert_eq!(text.matches(&there).count(), 1, "{file} has not one line {after:?}");
    fs::write(path, text.replace(&there, &format!("{there}{add}\n"))).unwrap();
}

#[test]
#[ignore = "soak"]
fn a_group_needs_its_folders_and_the_lines_that_the_docs_list() {
    let scratch = tempfile::tempdir().unwrap();
    for name in COPIED {
        copy(&project().join(name), &scratch.path().join(name), &str::to_owned);
    }
    for folder in ["shared/src", "reconciler/src", "tests/fixtures"] {
        let folder = scratch.path().join(folder);
        copy(&folder.join("pets"), &folder.join("toys"), &renamed);
    }
    let edits = edits();
    let kinds = edits.iter().filter(|[file, ..]| file == "shared/src/kind.rs").count();
    // The fifth place is the entry in the list of what happens to clusters, which has a test of its own.
    assert!(kinds > 0 && edits.len() - kinds <= 4, "too many lines outside of the group: {edits:?}");
    edits.iter().for_each(|row| edit(scratch.path(), row));

    let tests = ["test", "--workspace", "--lib", "--offline", "--no-fail-fast", "--"];
    let over_kinds = ["kind::", "group::", "run::", "toys::"];
    let output = Command::new(env!("CARGO"))
        .args(tests.iter().chain(&over_kinds))
        .current_dir(scratch.path())
        .env("CARGO_TARGET_DIR", project().join("target"))
        // The copy is compiled once, and nobody debugs it.
        .envs([("CARGO_INCREMENTAL", "0"), ("CARGO_PROFILE_DEV_DEBUG", "false")])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    // The copy was compiled and tested, not what it was copied from.
    assert!(told.contains("test toys::tests::"), "no test of the new group ran:\n{told}");
    assert!(told.contains("the_kinds_that_say_so_have_a_reconciler_and_no_others ... ok"), "{told}");
}
