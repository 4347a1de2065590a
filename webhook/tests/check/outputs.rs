//! What `check` writes for tools of CI, read as they read it.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SHOP, check, pet, program, run, write};

const SARIF: &str = include_str!("schemas/sarif-2.1.0.json");
const JUNIT: &str = include_str!("schemas/junit-10.xsd");

/// A folder with a refused pet, an admitted one with a warning, a failing fixture and a file that can't be read.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    write(&folder, "a, b:c%.yaml", &pet("rex", "  id: 0\n  name: Rex\n  tag: '#'\n"));
    write(&folder, "b.yaml", &pet("tom", "  id: 8\n  name: ' Tom'\n"));
    write(&folder, "bad.yaml", "a: b: c\n");
    let case = "apiVersion: check.concierge.dev/v1\nkind: Fixture\nobject:\n  apiVersion: petstore.example.com/v1\n  \
                kind: Pet\n  metadata: {name: sid, namespace: zoo}\n  spec: {id: 9, name: Sid}\n\
                expect: {verdict: refused, problems: [{rule: pets.pet.id, path: spec.id}]}\n";
    write(&folder, "case.yaml", case);
    folder
}

fn written(format: &str) -> String {
    let folder = folder();
    let path = folder.path().display().to_string();
    let file = format!("{path}/report");
    let run = check(&[&path, "--output", &format!("{format}={file}")], "");
    assert_eq!(run.code, 2, "{}{}", run.out, run.err);
    assert!(run.out.contains("2 objects checked"), "people's report is printed besides: {}", run.out);
    fs::read_to_string(file).unwrap().replace(&path, "deploy")
}

#[test]
fn sarif_fits_the_published_schema_and_tells_rule_place_and_object() {
    let log: Value = serde_json::from_str(&written("sarif")).unwrap();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("sarif.json", serde_json::from_str(SARIF).unwrap()).unwrap();
    let schema = compiler.compile("sarif.json", &mut schemas).unwrap();
    if let Err(error) = schemas.validate(&log, schema) {
        panic!("{error:#}");
    }
    // A schema that takes anything would prove nothing.
    assert!(schemas.validate(&json!({"version": "2.1.0"}), schema).is_err());

    let run = &log["runs"][0];
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        let help = rule["help"]["text"].as_str().unwrap();
        assert!(help.contains("--enforcement") || help.contains("can't be changed"), "{rule}");
        let (page, anchor) = rule["helpUri"].as_str().unwrap().rsplit_once('#').unwrap();
        let page = format!("{}/../docs/{}", env!("CARGO_MANIFEST_DIR"), page.rsplit('/').next().unwrap());
        assert!(fs::read_to_string(page).unwrap().contains(&format!("<a id=\"{anchor}\">")), "{anchor}");
    }
    let result =
        run["results"].as_array().unwrap().iter().find(|one| one["ruleId"] == "pets.pet.id").unwrap();
    assert_eq!(result["level"], "error");
    let location = &result["locations"][0];
    let physical = &location["physicalLocation"];
    assert!(
        physical["artifactLocation"]["uri"].as_str().unwrap().ends_with("a%2C%20b%3Ac%25.yaml"),
        "{physical}"
    );
    assert_eq!(physical["region"], json!({"startLine": 7, "startColumn": 7, "endLine": 7, "endColumn": 8}));
    assert_eq!(location["logicalLocations"][0]["fullyQualifiedName"], "Pet zoo/rex spec.id");
}

#[test]
fn fingerprints_stay_when_lines_move_and_differ_between_objects() {
    let prints = |text: &str| {
        let log = check(&["-", "-o", "sarif"], text).json();
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        results.iter().map(|one| one["partialFingerprints"]["concierge/v1"].clone()).collect::<Vec<_>>()
    };
    let (rex, tom) = (pet("rex", "  id: 0\n  name: Rex\n"), pet("tom", "  id: -1\n  name: Tom\n"));
    let both = prints(&format!("{rex}---\n{tom}"));
    assert_eq!(both.len(), 2);
    assert_ne!(both[0], both[1]);
    assert_eq!(prints(&format!("# moved\n\n{rex}---\n# moved\n{tom}")), both);
}

#[test]
fn what_is_about_a_whole_file_is_at_its_first_line() {
    let log = check(&["-", "nowhere.yaml", "-o", "sarif"], SHOP).json();
    let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "nowhere.yaml");
    assert_eq!(place["region"], json!({"startLine": 1}));
}

#[test]
fn fingerprints_and_paths_do_not_depend_on_how_a_file_is_called() {
    let folder = folder();
    fs::create_dir(folder.path().join("deploy")).unwrap();
    write(&folder, "deploy/rex.yaml", &pet("rex", "  id: 0\n  name: Rex\n"));
    std::os::unix::fs::symlink(folder.path(), folder.path().join("here")).unwrap();
    let whole = folder.path().join("deploy/rex.yaml").display().to_string();
    let found = |file: &str| {
        let report =
            |format: &str| run(program().args([file, "-o", format]).current_dir(folder.path()), "").json();
        let (sarif, gitlab) = (report("sarif"), report("gitlab"));
        let result = &sarif["runs"][0]["results"][0];
        let place = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        let prints = [&result["partialFingerprints"]["concierge/v1"], &gitlab[0]["fingerprint"]];
        [place, &gitlab[0]["location"]["path"], prints[0], prints[1]]
            .map(|one| one.as_str().unwrap().to_owned())
    };
    let plain = found("deploy/rex.yaml");
    assert_eq!(plain[..2], ["deploy/rex.yaml"; 2]);
    for other in [
        "./deploy/rex.yaml",
        "deploy/../deploy//./rex.yaml",
        "here/deploy/rex.yaml",
        "deploy",
        "./deploy/",
        &whole,
    ] {
        assert_eq!(found(other), plain, "{other}");
    }
}

#[test]
fn paths_begin_at_the_repository_that_ci_names_wherever_the_check_runs() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fs::create_dir_all(folder.path().join("app/deploy")).unwrap();
    write(&folder, "app/deploy/rex.yaml", &pet("rex", "  id: 0\n  name: Rex\n"));
    let app = folder.path().join("app");
    let found = |here: &Path, file: &str, variable: &str, repository: &Path| {
        let mut check = program();
        // The check may be run by CI itself.
        check.env_remove("GITHUB_WORKSPACE").env_remove("CI_PROJECT_DIR").env(variable, repository);
        let issues = run(check.args([file, "-o", "gitlab"]).current_dir(here), "").json();
        [&issues[0]["location"]["path"], &issues[0]["fingerprint"]]
            .map(|one| one.as_str().unwrap().to_owned())
    };
    let whole = app.join("deploy").display().to_string();
    let wanted = found(folder.path(), "app/deploy", "NONE", Path::new(""));
    assert_eq!(wanted[0], "app/deploy/rex.yaml");
    for variable in ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"] {
        assert_eq!(found(&app, "deploy", variable, folder.path()), wanted, "{variable}");
        assert_eq!(found(elsewhere.path(), &whole, variable, folder.path()), wanted, "{variable}");
        // What lies elsewhere, and a variable that names nothing.
        for repository in [elsewhere.path(), Path::new(""), Path::new("/nowhere")] {
            assert_eq!(found(&app, "deploy", variable, repository)[0], "deploy/rex.yaml", "{repository:?}");
        }
    }
}

#[test]
fn nothing_that_turns_a_text_is_in_any_report() {
    let (odd, written) = ("a\u{202e}b\u{200f}c\u{9b}d", r"a\u202eb\u200fc\x9bd");
    let folder = TempDir::new().unwrap();
    let name = format!("{odd}.yaml");
    // It is in a name, in a key, in a value that is refused, in one that is rewritten, and in the file's own name.
    let text =
        pet("rex", &format!("  id: 0\n  name: \" {written}\"\n  tag: \"{written}\"\n  \"{written}\": 1\n"))
            .replace(
                "name: rex",
                &format!("name: \"{written}\"\n  labels: {{\"{written}\": \"{written}\"}}"),
            );
    write(&folder, &name, &text);
    write(&folder, "bad.yaml", &format!("a: b: {odd}\n"));
    for format in ["human", "json", "sarif", "junit", "github", "gitlab"] {
        let run = run(program().args([".", "-o", format]).current_dir(folder.path()), "");
        assert!(run.code == 2 && run.out.contains("check.rewritten"), "{format}: {}{}", run.out, run.err);
        let found = run.out.chars().find(|c| matches!(c, '\u{202e}' | '\u{200f}' | '\u{9b}'));
        assert_eq!(found, None, "{format}: {:?}", run.out);
        if format == "json" {
            assert_eq!(run.json()["results"][0]["name"], odd, "programs read what stands in the file");
        }
        if ["sarif", "gitlab"].contains(&format) {
            assert!(!run.json().to_string().contains('\u{202e}'), "what is read back is shown: {}", run.out);
        }
    }
}

/// Everything that junit-10.xsd says of an element: its attributes, whether each is required, and its children.
fn declarations() -> BTreeMap<String, (BTreeMap<String, bool>, Vec<String>)> {
    let xsd = roxmltree::Document::parse(JUNIT).unwrap();
    let elements = xsd
        .root_element()
        .children()
        .filter(|node| node.has_tag_name(("http://www.w3.org/2001/XMLSchema", "element")));
    let of = |element: roxmltree::Node<'_, '_>| {
        let below =
            |name: &'static str| element.descendants().filter(move |node| node.tag_name().name() == name);
        let attributes = below("attribute")
            .map(|one| (one.attribute("name").unwrap().to_owned(), one.attribute("use") == Some("required")));
        let children = below("element").filter_map(|one| one.attribute("ref").map(str::to_owned));
        (element.attribute("name").unwrap().to_owned(), (attributes.collect(), children.collect()))
    };
    elements.map(of).collect()
}

#[test]
fn junit_fits_the_published_schema_and_has_a_case_for_each_object_and_fixture() {
    let text = written("junit");
    let document = roxmltree::Document::parse(&text).unwrap();
    let declared = declarations();
    for element in document.descendants().filter(roxmltree::Node::is_element) {
        let (attributes, children) = &declared[element.tag_name().name()];
        for attribute in element.attributes() {
            assert!(attributes.contains_key(attribute.name()), "{attribute:?} in {text}");
        }
        let missing = attributes
            .iter()
            .find(|(name, required)| **required && element.attribute(name.as_str()).is_none());
        assert_eq!(missing, None, "{text}");
        for child in element.children().filter(roxmltree::Node::is_element) {
            assert!(children.iter().any(|one| one == child.tag_name().name()), "{child:?} in {text}");
        }
    }
    let root = document.root_element();
    let count = |name| root.attribute(name).unwrap().parse::<usize>().unwrap();
    assert_eq!((count("tests"), count("failures"), count("errors")), (4, 2, 1), "{text}");
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
    let names: Vec<_> = cases.map(|case| case.attribute("name").unwrap()).collect();
    assert_eq!(
        names,
        ["can be read", "Pet zoo/rex", "Pet zoo/tom", "CREATE Pet zoo/sid is refused"],
        "{text}"
    );
    let failure = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
    assert_eq!(failure.attribute("type"), Some("pets.pet.id"));
    assert_eq!(failure.text().unwrap().lines().count(), 2, "{text}");
}

#[test]
fn what_is_no_character_is_in_no_report() {
    let odd = "a\u{ffff}b\u{fffe}c\u{200f}d";
    let rex = pet("rex", &format!("  id: 7\n  name: Rex\n  tag: '{odd}'\n"))
        .replace("name: rex", &format!("name: '{odd}'"));
    for format in ["human", "github", "junit"] {
        let run = check(&["-", "-o", format], &rex);
        assert_eq!(run.code, 1, "{}", run.err);
        let found = run.out.chars().find(|c| matches!(c, '\u{ffff}' | '\u{fffe}' | '\u{200f}'));
        assert_eq!(found, None, "{format}: {}", run.out);
    }
}

/// Not a panic, whose exit code nobody knows.
#[cfg(unix)]
#[test]
fn an_argument_that_is_no_text_is_bad_input() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, process::Command};
    let run = Command::new(env!("CARGO_BIN_EXE_concierge-webhook"))
        .arg("check")
        .arg(OsStr::from_bytes(b"no\xff.yaml"))
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn junit_holds_no_character_that_xml_cannot() {
    let rex = pet("\"rex\\u0001\\n<&\"", "  id: 0\n  name: Rex\n");
    let run = check(&["-", "-o", "junit"], &rex);
    roxmltree::Document::parse(&run.out).unwrap_or_else(|error| panic!("{error}: {}", run.out));
}

#[test]
fn a_file_with_a_strange_name_is_one_line_in_every_report() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().display().to_string();
    write(&folder, "a\n::error::\u{1b}[31m.yaml", &pet("rex", "  id: 0\n  name: Rex\n"));
    write(&folder, "b\n\u{202e}.yaml", "a: b: c\n");
    let shown = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
    for format in ["human", "github", "junit"] {
        let run = check(&[&path, "-o", format], "");
        assert!(run.out.chars().all(shown), "{format}: {:?}", run.out);
        assert!(!run.out.lines().any(|line| line.starts_with("::error::")), "{format}: {}", run.out);
    }
    let run = check(&[&path, "-o", "junit"], "");
    let report = roxmltree::Document::parse(&run.out).unwrap();
    let texts =
        report.descendants().filter(|node| node.has_tag_name("failure") || node.has_tag_name("error"));
    let lines: Vec<_> = texts.map(|text| text.text().unwrap().lines().count()).collect();
    assert_eq!(lines, [1, 1], "{}", run.out);
}

/// A command as GitHub's runner reads it: name, properties, message, with escapes undone.
fn command(line: &str) -> (String, BTreeMap<String, String>, String) {
    let plain = |text: &str| {
        let text = text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",");
        text.replace("%25", "%")
    };
    let (head, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
    let (name, properties) = head.split_once(' ').unwrap();
    let properties = properties.split(',').map(|one| {
        let (key, value) = one.split_once('=').unwrap();
        (key.to_owned(), plain(value))
    });
    (name.to_owned(), properties.collect(), plain(message))
}

#[test]
fn github_commands_are_read_back_with_file_line_and_message() {
    let text = written("github");
    let commands: Vec<_> = text.lines().filter(|line| line.starts_with("::")).map(command).collect();
    assert_eq!(commands.len(), 5, "{text}");
    let (name, properties, message) = &commands[1];
    assert_eq!((name.as_str(), message.as_str()), ("error", "Pet zoo/rex: spec.id: must be at least 1"));
    let property = |key: &str| properties[key].as_str();
    assert_eq!(
        (property("file"), property("line"), property("title")),
        ("deploy/a, b:c%.yaml", "7", "pets.pet.id")
    );
    assert!(commands[4].2.contains('\n'), "the differences of a fixture are lines: {text}");
    assert!(text.lines().last().unwrap().starts_with("2 objects checked"), "{text}");
    // A name can't begin a command of its own.
    let rex = pet("\"rex\\n::warning::x\"", "  id: 0\n  name: Rex\n");
    let run = check(&["-", "-o", "github"], &rex);
    assert!(run.out.lines().all(|line| !line.starts_with("::warning")), "{}", run.out);
}

/// An issue as GitLab's docs list its fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Issue {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: Severity,
    location: Location,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Info,
    Minor,
    Major,
    Critical,
    Blocker,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Deserialize)]
struct Lines {
    begin: usize,
    end: usize,
}

#[test]
fn gitlab_takes_every_issue() {
    let issues: Vec<Issue> = serde_json::from_str(&written("gitlab")).unwrap();
    assert_eq!(issues.len(), 5);
    let mut prints: Vec<_> = issues.iter().map(|issue| &issue.fingerprint).collect();
    prints.sort();
    prints.dedup();
    assert_eq!(prints.len(), issues.len(), "fingerprints differ");
    let issue = issues.iter().find(|issue| issue.check_name == "pets.pet.id").unwrap();
    assert_eq!(issue.severity, Severity::Major);
    assert_eq!(issue.description, "Pet zoo/rex: spec.id: must be at least 1");
    assert_eq!((issue.location.path.as_str(), issue.location.lines.begin), ("deploy/a, b:c%.yaml", 7));
    assert!(issues.iter().all(|issue| issue.location.lines.end >= issue.location.lines.begin));
    assert!(issues.iter().all(|issue| issue.description.lines().count() == 1));
}

#[test]
fn several_formats_go_to_several_files_and_one_to_standard_output() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (sarif, junit) = (format!("sarif={}", file("a.sarif")), format!("junit={}", file("a.xml")));
    let rex = pet("rex", "  id: 0\n  name: Rex\n");
    let run = check(&["-", "-o", &sarif, "-o", &junit, "-o", "json"], &rex);
    assert_eq!((run.code, &run.json()["summary"]["refused"]), (1, &json!(1)));
    assert!(fs::read_to_string(file("a.sarif")).unwrap().contains("pets.pet.id"));
    assert!(fs::read_to_string(file("a.xml")).unwrap().contains("pets.pet.id"));
    for (args, expect) in [
        (["-", "-o", "json,sarif", ""], "can't both go to standard output"),
        (["-", "-o", "yaml", ""], "use one of human, json, sarif, junit, github, gitlab"),
        (["-", "-o", "json=", ""], "the file's name is missing"),
    ] {
        let run = check(&args[..3], &rex);
        assert!(run.code == 2 && run.err.contains(expect), "{}", run.err);
    }
    let gone = format!("sarif={}", file("gone/a.sarif"));
    let run = check(&["-", "-o", &gone], &rex);
    assert!(run.code == 3 && run.err.contains("can't be written"), "{}", run.err);
}

#[test]
fn no_report_takes_the_place_of_another_or_of_what_is_checked() {
    let folder = TempDir::new().unwrap();
    let rex = pet("rex", "  id: 0\n  name: Rex\n");
    let manifest = write(&folder, "rex.yaml", &rex);
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::os::unix::fs::symlink(file("a"), file("link")).unwrap();
    fs::write(file("a"), "").unwrap();
    let path = folder.path().display().to_string();
    for (one, other) in [("a", "./a"), ("a", "link"), ("new", "./new")] {
        let (one, other) = (format!("sarif={path}/{one}"), format!("junit={path}/{other}"));
        let run = check(&[&manifest, "-o", &one, "-o", &other], "");
        assert!(run.code == 2 && run.err.contains("can't both go to"), "{other}: {}", run.err);
    }
    let over = format!("json={path}/./rex.yaml");
    for run in [check(&[&manifest, "-o", &over], ""), check(&["-", "--world", &manifest, "-o", &over], &rex)]
    {
        assert!(run.code == 2 && run.err.contains("name another file"), "{}", run.err);
    }
    assert_eq!(fs::read_to_string(&manifest).unwrap(), rex);
}
