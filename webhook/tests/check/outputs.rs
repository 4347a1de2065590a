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

    code_scanning_takes(&log);
    let run = &log["runs"][0];
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        let help = rule["help"]["text"].as_str().unwrap();
        assert!(help.contains("--enforcement") || help.contains("can't be changed"), "{rule}");
        let (page, anchor) = rule["helpUri"].as_str().unwrap().rsplit_once('#').unwrap();
        assert!(page.contains(concat!("/blob/v", env!("CARGO_PKG_VERSION"), "/docs/")), "{page}");
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

/// What GitHub's "SARIF support for code scanning" calls required, beyond the schema.
fn code_scanning_takes(log: &Value) {
    let run = &log["runs"][0];
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for rule in rules {
        for text in ["/id", "/shortDescription/text", "/fullDescription/text", "/help/text"] {
            assert!(rule.pointer(text).is_some_and(is_text), "{text} of {rule}");
        }
        let level = &rule["defaultConfiguration"]["level"];
        assert!(["note", "warning", "error"].contains(&level.as_str().unwrap()), "{rule}");
    }
    let results = run["results"].as_array().unwrap();
    assert!(!rules.is_empty() && !results.is_empty());
    for result in results {
        let place = &result["locations"][0]["physicalLocation"];
        assert!(
            is_text(&place["artifactLocation"]["uri"]) && is_text(&result["message"]["text"]),
            "{result}"
        );
        for number in ["startLine", "startColumn", "endLine", "endColumn"] {
            assert!(
                place["region"][number].as_u64().is_some_and(|number| number > 0),
                "{number} of {result}"
            );
        }
    }
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
    assert_eq!(place["region"], json!({"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}));
    code_scanning_takes(&log);
}

#[test]
#[ignore = "soak"]
fn who_gets_fewer_results_than_there_are_is_told() {
    // One more than code scanning takes.
    let log = check(&["-", "-o", "sarif"], &"- 7\n---\n".repeat(25_001));
    assert_eq!(log.code, 2);
    assert_eq!(log.json()["runs"][0]["results"].as_array().unwrap().len(), 25_000);
    assert!(log.err.starts_with("warning: standard output: 1 of the results are left out"), "{}", log.err);
}

#[test]
fn fingerprints_and_paths_do_not_depend_on_how_a_file_is_called() {
    let folder = folder();
    fs::create_dir(folder.path().join("deploy")).unwrap();
    write(&folder, "deploy/rex.yaml", &pet("rex", "  id: 0\n  name: Rex\n"));
    for (target, link) in
        [("", "here"), ("deploy/rex.yaml", "link.yaml"), ("deploy/rex.yaml", "deploy/link.yaml")]
    {
        std::os::unix::fs::symlink(folder.path().join(target), folder.path().join(link)).unwrap();
    }
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
        "link.yaml",
        "here/deploy/link.yaml",
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
fn paths_begin_at_the_repository_that_ci_checked_out_below_its_folder() {
    let (workspace, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let rex = pet("rex", "  id: 0\n  name: Rex\n");
    // A repository with a submodule, whose .git is a file, beside another repository.
    for made in ["sub/.git", "sub/deploy", "sub/module", "other/.git"] {
        fs::create_dir_all(workspace.path().join(made)).unwrap();
    }
    for file in
        ["sub/deploy/rex.yaml", "sub/module/.git", "sub/module/rex.yaml", "other/rex.yaml", "rex.yaml"]
    {
        write(&workspace, file, &rex);
    }
    let target = write(&elsewhere, "rex.yaml", &rex);
    std::os::unix::fs::symlink(&target, workspace.path().join("sub/out.yaml")).unwrap();
    let found = |here: &str, file: &str| {
        let mut check = program();
        check.env("GITHUB_WORKSPACE", workspace.path()).env_remove("CI_PROJECT_DIR");
        let check = check.args([file, "-o", "gitlab"]).current_dir(workspace.path().join(here));
        let issues = run(check, "").json();
        issues[0]["location"]["path"].as_str().unwrap().to_owned()
    };
    for (here, file, path) in [
        ("", "sub/deploy/rex.yaml", "deploy/rex.yaml"),
        ("sub/deploy", ".", "deploy/rex.yaml"),
        ("sub", "module/rex.yaml", "module/rex.yaml"),
        ("sub", "../other/rex.yaml", "rex.yaml"),
        ("sub", "../rex.yaml", "rex.yaml"),
        // What a link leads to is not in the repository; the link is.
        ("", "sub/out.yaml", "out.yaml"),
        ("", &target, &fs::canonicalize(&target).unwrap().display().to_string()),
    ] {
        assert_eq!(found(here, file), path, "{file} in {here}");
    }
    // What was there when it was named, and is gone.
    fs::remove_file(&target).unwrap();
    assert_eq!(found("", "sub/out.yaml"), "out.yaml");
}

#[test]
fn files_whose_names_are_no_text_are_told_apart() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let folder = TempDir::new().unwrap();
    for name in [&b"a\xfe.yaml"[..], b"a\xff.yaml"] {
        let text = pet("rex", "  id: 0\n  name: Rex\n");
        fs::write(folder.path().join(OsStr::from_bytes(name)), text).unwrap();
    }
    let report = |format: &str| run(program().args([".", "-o", format]).current_dir(folder.path()), "").out;
    let junit = report("junit");
    for name in [r"./a\xfe.yaml", r"./a\xff.yaml"] {
        assert!(junit.contains(&format!("<testsuite name=\"{name}\"")), "{junit}");
        assert!(report("human").contains(&format!(" --> {name}:7:7\n")), "{}", report("human"));
    }
}

#[test]
fn what_a_red_fixture_shows_stands_in_columns_also_in_junit() {
    let text = written("junit");
    let document = roxmltree::Document::parse(&text).unwrap();
    let failures = document.descendants().filter(|node| node.attribute("type") == Some("check.fixture"));
    let shown: Vec<_> = failures.map(|failure| failure.text().unwrap().to_owned()).collect();
    let lines: Vec<_> = shown[0].lines().collect();
    assert_eq!(lines[0], "");
    assert_eq!(lines[1].find("EXPECTED"), lines[2].find("refused"), "{text}");
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

#[test]
fn nothing_that_is_typed_or_set_commands_ci_or_a_terminal() {
    for text in ["\n::error::x", "##[group]x", "\u{1b}[2Jx"] {
        for run in [
            run(program().arg(format!("--no-such-flag{text}")), ""),
            run(program().args(["--output", text]), ""),
            run(program().env("CONCIERGE_CHECK_OUTPUT", text), ""),
        ] {
            assert_eq!(run.code, 2, "{text:?}: {}", run.err);
            assert!(run.err.contains("--help"), "{text:?}: {}", run.err);
            assert!(
                !run.err.lines().any(commands_ci) && !run.err.contains('\u{1b}'),
                "{text:?}: {}",
                run.err
            );
        }
    }
}

/// Whether a runner of CI takes a line for a command: GitHub's what begins with `::`, it and Azure's what is in brackets, wherever it stands.
fn commands_ci(line: &str) -> bool {
    let known = ["##[group]", "##[stop-commands]", "##[add-mask]", "##vso[task.complete]", "##teamcity[x]"];
    line.trim_start().starts_with("::") || known.iter().any(|command| line.contains(command))
}

/// Files whose names, objects, keys and mistakes are commands to CI.
fn commanding() -> TempDir {
    let folder = TempDir::new().unwrap();
    let rex = pet("'##[group]rex'", "  id: 0 # ##[add-mask]\n  name: Rex\n  tag: '##[stop-commands]x'\n")
        .replace("  namespace: zoo\n", "  namespace: '##vso[task.complete]'\n");
    for name in ["##[group]a.yaml", "::error::b.yaml", "##vso[task.complete]c.yaml", "##teamcity[x]d.yaml"] {
        write(&folder, name, &rex);
    }
    write(&folder, "bad.yaml", "a: b: ##[add-mask]\n");
    let case = "apiVersion: check.concierge.dev/v1\nkind: Fixture\nobject:\n  apiVersion: petstore.example.com/v1\n  \
                kind: Pet\n  metadata: {name: sid, namespace: zoo}\n  spec: {id: 9, name: Sid}\nexpect:\n  verdict: admitted\n  \
                problems: [{rule: '##[group]', path: '::error::x'}]\n  \
                defaults: {object: {'::error::x': '##[add-mask]', '##vso[task.complete]': 7}}\n";
    write(&folder, "case.yaml", case);
    folder
}

#[test]
fn no_line_of_any_report_is_a_command_to_ci() {
    let folder = commanding();
    let files = ["##[group]a.yaml", "::error::b.yaml", "##vso[task.complete]c.yaml", "##teamcity[x]d.yaml"];
    let check = |args: &[&str]| run(program().args(args).current_dir(folder.path()), "");
    for format in ["human", "json", "sarif", "junit", "github", "gitlab"] {
        let all = [&files[..], &["bad.yaml", "case.yaml", "-o", format]].concat();
        for told in [check(&all), check(&[".", "-o", format])] {
            assert!(told.code == 2 && told.out.contains("#[group]rex"), "{format}: {}{}", told.out, told.err);
            let ours = ["::error file=", "::warning file="];
            let is_ours = |line: &str| format == "github" && ours.iter().any(|own| line.starts_with(own));
            let commands = told.out.lines().map(|line| if is_ours(line) { &line[2..] } else { line });
            let commands = commands.filter(|line| commands_ci(line));
            assert_eq!(commands.collect::<Vec<_>>(), [""; 0], "{format}");
            if format == "json" {
                assert_eq!(
                    told.json()["results"][0]["name"],
                    "##[group]rex",
                    "programs read what stands there"
                );
            }
        }
    }
}

#[test]
fn nothing_else_that_is_printed_is_a_command_to_ci() {
    let folder = commanding();
    let policy = r###"{"Version": "2012-10-17", "##[group]": "##[add-mask]", "Statement": []}"###;
    write(&folder, "##[group]policy.json", policy);
    let check = |args: &[&str]| run(program().args(args).current_dir(folder.path()), "");
    let a = "##[group]a.yaml";
    for args in [
        &["--init", "-", a][..],
        &["--init", "##[group]new.yaml", a],
        &["--init", "##[group]new.yaml", a],
        &["--graph", "dot", a],
        &["--graph", "mermaid", a],
        &["--graph", "dot", "bad.yaml"],
        &["--policy", "##[group]policy.json", "--kind", "bucket"],
        &["--policy", "##[group]policy.json", "--kind", "bucket", "-o", "json"],
        &["--policy", "##[group]none.json", "--kind", "bucket"],
        &["--explain", "##[group]"],
        &[a, "-o", "json=##[group]none/a.json"],
    ] {
        let told = check(args);
        let told = told.out + &told.err;
        assert!(told.contains("group") || args.contains(&"bad.yaml"), "{args:?}: {told}");
        let commands = told.lines().filter(|line| commands_ci(line));
        assert_eq!(commands.collect::<Vec<_>>(), [""; 0], "{args:?}");
    }
    // What is written for programs is read as it was.
    let case = check(&["--init", "-", a]).out;
    assert!(run(program().arg("-"), &case).out.contains("pass <stdin>"), "{case}");
    assert!(
        check(&["-o", "json", "##[group]new.yaml"]).json()["fixtures"][0]["name"]
            .as_str()
            .unwrap()
            .contains("##[group]rex")
    );
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
