//! What the docs show is what happens.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SHOP, check, pet, write};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page(name: &str) -> String {
    fs::read_to_string(project().join("docs").join(name)).unwrap()
}

/// Runs `script` in `folder`, where the program is on the PATH; what it prints.
fn run(folder: &TempDir, script: &str) -> (Option<i32>, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_concierge-webhook")).parent().unwrap().display().to_string();
    let path = format!("{program}:{}", env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-c", script])
        .current_dir(folder.path())
        .env("PATH", path)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// The commands of a page's `console` blocks, each with what is shown below it.
fn commands(page: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for block in page.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match (line.strip_prefix("$ "), line.strip_prefix("> "), commands.last_mut()) {
                (Some(command), ..) => commands.push((command.to_owned(), String::new())),
                (None, Some(more), Some((command, _))) => *command += &format!("\n{more}"),
                (None, None, Some((_, shown))) => *shown += &format!("{line}\n"),
                _ => panic!("a line before any command: {line}"),
            }
        }
    }
    commands
}

#[test]
fn the_way_from_nothing_to_red_to_green_is_as_shown() {
    let folder = TempDir::new().unwrap();
    let commands = commands(&page("checking.md"));
    assert!(commands.len() > 8);
    for (command, shown) in commands {
        assert_eq!(run(&folder, &command).1, shown, "{command}");
    }
}

#[test]
fn the_json_is_as_shown() {
    let folder = TempDir::new().unwrap();
    let page = page("checking.md");
    // Up to the fixture, before somebody opens the shop to dogs.
    for (command, _) in commands(&page).iter().take_while(|(command, _)| !command.starts_with("sed ")) {
        run(&folder, command);
    }
    write(&folder, "bad.yaml", "a: b: c\n");
    let files = "--world deploy/1-store.yaml deploy/2-pet.yaml cases/no-dogs.yaml bad.yaml";
    let (code, found) = run(&folder, &format!("concierge-webhook check -o json {files}"));
    let shown = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!((code, read(&found)), (Some(2), read(shown)));
}

#[test]
fn what_is_shown_about_the_cluster_runs_in_a_folder_with_nothing_but_objects() {
    let page = page("checking.md");
    let help = check(&["--help-all"], "").out;
    let shown = page.split("## Against the cluster\n\n```\n").nth(1).unwrap().split("```").next().unwrap();
    let in_help = help.split("what is in the cluster now:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    for script in [shown, in_help] {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("deploy")).unwrap();
        let rex = pet("rex", "  id: 7\n  name: Rex\n");
        for file in ["pet.yaml", "deploy/pet.yaml", "stored.yaml"] {
            write(&folder, file, &rex);
        }
        let (code, told) = run(&folder, &format!("set -e\nkubectl() {{ cat stored.yaml; }}\n{script}"));
        assert!(code == Some(0) && script.contains("kubectl get"), "{script}: {told}");
    }
}

#[test]
fn every_rule_of_the_command_itself_is_on_its_page_and_every_other_in_the_reference() {
    let (checking, rules) = (page("checking.md"), page("rules.md"));
    let source = fs::read_to_string(project().join("webhook/src/check/rules.rs")).unwrap();
    let own: Vec<_> =
        source.split('"').filter(|text| text.starts_with("check.") && !text.contains(' ')).collect();
    assert!(own.len() > 5);
    for id in own {
        let explained = check(&["--explain", id], "").out;
        let summary = explained.lines().nth(2).unwrap();
        let level = if explained.contains("always deny") {
            "deny, always"
        } else if explained.contains("deny by default") {
            "deny"
        } else {
            "warn"
        };
        let row = format!("| <a id=\"{id}\"></a>`{id}` | {level} | {summary} |");
        assert!(checking.contains(&row), "docs/checking.md lacks: {row}");
    }
    for (rule, _) in concierge_shared::kind::all_rules() {
        assert!(rules.contains(&format!("<a id=\"{0}\"></a>`{0}`", rule.id)), "{}", rule.id);
    }
}

#[test]
fn the_help_and_its_page_tell_the_same_of_exit_codes() {
    let help = check(&["--help-all"], "").out;
    let help = help.split_once("Exit codes:").unwrap().1.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = page("checking.md");
    let rows: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("| ") && line[2..].starts_with(char::is_numeric))
        .collect();
    assert_eq!(rows.len(), 4);
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let (code, means) = (cells[0], cells[1].split(" (").next().unwrap());
        assert!(help.contains(&format!("{code} {means}")), "{row} is not in: {help}");
    }
}

/// The commands that are ready to paste, as they stand in `file`.
fn pasted(file: &str) -> Vec<String> {
    let lines = file.lines().map(|line| line.trim_start_matches(|c: char| c.is_whitespace() || c == '-'));
    let commands = lines.filter_map(|line| line.split("| ").last());
    commands.filter(|line| line.starts_with("concierge-webhook check")).map(str::to_owned).collect()
}

#[test]
fn what_is_ready_to_paste_runs() {
    for name in ["github.yaml", "gitlab.yaml", "Makefile"] {
        let text = page(&format!("ci/{name}"));
        let commands = pasted(&text);
        assert!(!commands.is_empty(), "{name}");
        for command in commands {
            let folder = TempDir::new().unwrap();
            fs::create_dir(folder.path().join("deploy")).unwrap();
            write(
                &folder,
                "deploy/objects.yaml",
                &format!("{SHOP}---\n{}", pet("rex", "  id: 7\n  name: Rex\n")),
            );
            let (code, told) = run(&folder, &format!("cat deploy/objects.yaml | {command}"));
            assert_eq!(code, Some(0), "{name}: {command}: {told}");
            for report in ["concierge.sarif", "concierge.xml", "gl-code-quality-report.json"] {
                let written = folder.path().join(report).exists();
                assert_eq!(written, command.contains(report), "{command} writes {report}");
            }
        }
    }
}

#[test]
fn ci_files_are_yaml_and_the_pre_commit_hook_checks_all_files_together() {
    let read = |name: &str| serde_saphyr::from_str::<Value>(&page(&format!("ci/{name}"))).unwrap();
    assert!(read("gitlab.yaml").is_object());
    // Alerts under Security are those of the default branch, which no pull request is.
    let on = &read("github.yaml")["on"];
    assert!(on.get("pull_request").is_some() && on["push"]["branches"] == json!(["main"]), "{on}");
    // A folder with the name of a target would be taken for what it makes.
    let makefile = page("ci/Makefile");
    let targets: Vec<_> = makefile.lines().filter_map(|line| line.strip_suffix(':')).collect();
    assert!(makefile.contains(&format!(".PHONY: {}\n", targets.join(" "))), "{targets:?}");
    let hooks = fs::read_to_string(project().join(".pre-commit-hooks.yaml")).unwrap();
    let hooks: Vec<Value> = serde_saphyr::from_str(&hooks).unwrap();
    assert_eq!((&hooks[0]["pass_filenames"], &hooks[0]["always_run"]), (&json!(false), &json!(true)));
    // So the stages are called since pre-commit 3.2.
    assert_eq!(hooks[0]["stages"][0], "pre-commit");
    assert!(page("checking.md").contains("pre-commit 3.2 or newer"));
    let folder = TempDir::new().unwrap();
    write(&folder, "shop.yaml", SHOP);
    write(&folder, "values.yaml", "replicas: 3\n");
    let args: Vec<_> = hooks[0]["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let (code, told) = run(&folder, &format!("{} {}", hooks[0]["entry"].as_str().unwrap(), args.join(" ")));
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn all_that_is_ready_to_paste_is_linked_from_its_page() {
    let checking = page("checking.md");
    let shown = checking.split("Ready to paste:\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let files: Vec<_> =
        fs::read_dir(project().join("docs/ci")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(files.iter().any(|file| file == "gitops.md"), "{files:?}");
    for file in files {
        assert!(shown.contains(&format!("(ci/{})", file.display())), "{file:?}");
    }
}

#[test]
fn the_page_of_fixtures_tells_of_every_field() {
    let page = page("fixtures.md");
    let object = "object: {apiVersion: petstore.example.com/v1, kind: Pet, metadata: {name: a}, spec: {}}";
    for (below, text) in [
        ("", "odd: 1\nexpect: {verdict: refused}"),
        ("expect.", "expect: {odd: 1}"),
        ("expect.defaults.", "expect: {verdict: refused, defaults: {odd: 1}}"),
    ] {
        let text = format!("apiVersion: check.concierge.dev/v1\nkind: Fixture\n{object}\n{text}\n");
        let told = check(&["-"], &text).out;
        let fields: Vec<_> =
            told.split_once("`odd`, expected").unwrap().1.split('`').skip(1).step_by(2).collect();
        assert!(fields.len() > 1, "{told}");
        for field in fields.into_iter().filter(|field| !["apiVersion", "kind"].contains(field)) {
            let (row, parts) = (format!("\n| `{below}{field}` | "), format!("\n| `{below}{field}."));
            assert!(page.contains(&row) || page.contains(&parts), "docs/fixtures.md lacks {below}{field}");
        }
    }
}

#[test]
fn the_help_tells_that_a_comma_parts_formats() {
    assert!(check(&["--help-all"], "").out.contains("with commas between"));
}
