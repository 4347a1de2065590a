//! What other programs make of what ours write: readers of reports, and pre-commit.

use std::{fs, path::Path, process::Command};

use concierge_tests::process::built_program;
use tempfile::TempDir;

use super::{VERSION, project, run, tools};

const STORE: &str = "apiVersion: petstore.example.com/v1\nkind: PetStore\nmetadata: {name: shop, namespace: zoo}\n\
    spec: {name: Shop, config: {allowedTags: [cat]}}\n";
const PETS: &str = "apiVersion: petstore.example.com/v1\nkind: Pet\nmetadata: {name: rex, namespace: zoo}\n\
    spec: {id: 7, name: Rex, tag: dog}\n---\n\
    apiVersion: petstore.example.com/v1\nkind: Pet\nmetadata: {name: tom, namespace: zoo}\n\
    spec: {id: 8, name: Tom, tag: cat}\n";

const REFERRER: &str = "apiVersion: petstore.example.com/v1\nkind: Pet\nmetadata: {name: tim, namespace: zoo}\n\
    spec: {id: 9, name: Tim, tag: cat, storeRef: {name: shop}}\n";

/// Two files in a folder `deploy`: two objects are admitted, one is refused for its tag.
fn deploy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("deploy")).unwrap();
    fs::write(folder.path().join("deploy/store.yaml"), STORE).unwrap();
    fs::write(folder.path().join("deploy/pets.yaml"), PETS).unwrap();
    folder
}

/// What a Python program prints that knows `libraries`.
fn python(folder: &Path, text: &str) -> String {
    run(Command::new(tools().join("python")).args(["-c", text]).current_dir(folder))
}

fn write_reports(folder: &Path) {
    let mut check = Command::new(built_program("concierge-webhook").unwrap());
    check.args(["check", "deploy", "--output", "sarif=report.sarif", "--output", "junit=report.xml"]);
    assert_eq!(check.current_dir(folder).output().unwrap().status.code(), Some(1));
}

#[test]
#[ignore = "soak"]
fn junitparser_and_sarif_tools_read_our_reports() {
    let folder = deploy();
    write_reports(folder.path());
    let junit = "import junitparser\n\
        suites = junitparser.JUnitXml.fromfile('report.xml')\n\
        print(suites.tests, suites.failures, suites.errors)\n\
        print([(case.name, [found.type for found in case.result]) for suite in suites for case in suite])";
    assert_eq!(
        python(folder.path(), junit),
        "3 1 0\n[('Pet zoo/rex', ['pets.pet.tag-allowed']), ('Pet zoo/tom', []), ('PetStore zoo/shop', [])]\n"
    );
    let sarif = "from sarif import loader\n\
        log = loader.load_sarif_file('report.sarif')\n\
        print(log.get_distinct_tool_names(), log.get_result_count())\n\
        print([(one['Severity'], one['Code'], one['Location'], one['Line']) for one in log.get_records()])";
    assert_eq!(
        python(folder.path(), sarif),
        "['concierge-webhook check'] 1\n[('error', 'pets.pet.tag-allowed', 'deploy/pets.yaml', 4)]\n"
    );
}

/// `deploy`, with a failing fixture, something that can't be read, and names that have to be escaped.
fn all_sorts() -> TempDir {
    let folder = deploy();
    let file = |name: &str| folder.path().join("deploy").join(name);
    fs::write(file("a, b:c%.yaml"), PETS.replace("id: 7", "id: 0").replace("zoo", "bar")).unwrap();
    fs::write(file("bad.yaml"), "a: b: c\n").unwrap();
    let case = format!(
        "apiVersion: check.concierge.dev/v1\nkind: Fixture\nobject: {{{}}}\nexpect: {{verdict: refused, problems: [{{rule: pets.pet.id, path: spec.id}}]}}\n",
        "apiVersion: petstore.example.com/v1, kind: Pet, metadata: {name: sid}, spec: {id: 9, name: Sid}"
    );
    fs::write(file("case.yaml"), case).unwrap();
    folder
}

#[test]
#[ignore = "soak"]
fn xmlschema_finds_our_junit_report_valid() {
    let folder = all_sorts();
    let mut check = Command::new(built_program("concierge-webhook").unwrap());
    check.args(["check", "deploy", "--output", "junit=report.xml"]).current_dir(folder.path());
    assert_eq!(check.output().unwrap().status.code(), Some(2));
    let schema = project().join("webhook/tests/check/schemas/junit-10.xsd");
    let text = format!(
        "import xmlschema\n\
         schema = xmlschema.XMLSchema({:?})\n\
         schema.validate('report.xml')\n\
         print(schema.is_valid('<testsuites><testsuite name=\"a\"><case/></testsuite></testsuites>'))",
        schema.display().to_string()
    );
    assert_eq!(python(folder.path(), &text), "False\n", "a schema that takes anything would prove nothing");
}

/// Workflow commands, each with its properties in one order.
fn commands(text: &str) -> Vec<String> {
    let in_order = |line: &str| {
        let (head, message) = line.strip_prefix("::")?.split_once("::")?;
        let (name, properties) = head.split_once(' ')?;
        let mut properties: Vec<_> = properties.split(',').collect();
        properties.sort_unstable();
        Some(format!("{name} {} {message}", properties.join(",")))
    };
    text.lines().filter_map(in_order).collect()
}

#[test]
#[ignore = "soak"]
fn github_action_utils_writes_the_same_commands() {
    let folder = all_sorts();
    let mut check = Command::new(built_program("concierge-webhook").unwrap());
    check.args(["check", "deploy", "--output", "sarif=report.sarif", "--output", "github"]);
    let ours = check.current_dir(folder.path()).output().unwrap();
    let text = "import json, urllib.parse, github_action_utils as utils\n\
        for one in json.load(open('report.sarif'))['runs'][0]['results']:\n    \
            place = one['locations'][0]['physicalLocation']\n    \
            region = place['region']\n    \
            more = {'line': region['startLine'], 'end_line': region['endLine']}\n    \
            if region['startLine'] == region['endLine'] and region['startColumn'] < region['endColumn']:\n        \
                more |= {'col': region['startColumn'], 'end_column': region['endColumn']}\n    \
            file = urllib.parse.unquote(place['artifactLocation']['uri'])\n    \
            getattr(utils, one['level'])(one['message']['text'], title=one['ruleId'], file=file, **more)";
    let theirs = commands(&python(folder.path(), text));
    assert!(theirs.iter().any(|one| one.contains("%0A")) && theirs.iter().any(|one| one.contains("%3Ac%25")));
    assert_eq!(commands(&String::from_utf8(ours.stdout).unwrap()), theirs);
    assert!(theirs.len() >= 4, "{theirs:?}");
}

/// A repository with the files of `folder`.
fn commit(folder: &Path) {
    for args in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "--all"],
        &["commit", "--quiet", "-m", "one"],
    ] {
        let author =
            ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false"];
        run(Command::new("git").args(author).args(args).current_dir(folder));
    }
}

/// The configuration that docs/checking.md shows.
fn documented() -> String {
    let page = fs::read_to_string(project().join("docs/checking.md")).unwrap();
    let lines = page.lines().skip_while(|line| *line != "  repos:").take_while(|line| *line != "  ```");
    lines.map(|line| format!("{}\n", &line[2..])).collect()
}

#[test]
#[ignore = "soak"]
fn pre_commit_runs_the_hook_as_the_docs_show() {
    let hooks = tempfile::tempdir().unwrap();
    let hook = ".pre-commit-hooks.yaml";
    fs::copy(project().join(hook), hooks.path().join(hook)).unwrap();
    commit(hooks.path());
    run(Command::new("git").args(["tag", &format!("v{VERSION}")]).current_dir(hooks.path()));
    let folder = deploy();
    let shown = documented();
    let config =
        shown.replace("https://github.com/concierge-dev/concierge", &hooks.path().display().to_string());
    assert_ne!(shown, config, "{shown}");
    fs::write(folder.path().join(".pre-commit-config.yaml"), config).unwrap();
    fs::write(folder.path().join("deploy/tim.yaml"), REFERRER).unwrap();
    commit(folder.path());

    let program = built_program("concierge-webhook").unwrap();
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let cache = tempfile::tempdir().unwrap();
    let pre_commit = |args: &[&str]| {
        let mut pre_commit = Command::new(tools().join("pre-commit"));
        pre_commit.args(["run", "--color=never"]).args(args).current_dir(folder.path());
        let output = pre_commit.env("PATH", &path).env("PRE_COMMIT_HOME", cache.path()).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, told) = pre_commit(&["--all-files"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("error[pets.pet.tag-allowed]") && told.contains("deploy/pets.yaml:4"), "{told}");
    let mended = PETS.replace("dog", "cat");
    fs::write(folder.path().join("deploy/pets.yaml"), mended).unwrap();
    let (code, told) = pre_commit(&["--all-files"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("Passed"), "{told}");
    // A commit that only deletes has no file that the hook could be given.
    commit(folder.path());
    run(Command::new("git").args(["rm", "--quiet", "deploy/store.yaml"]).current_dir(folder.path()));
    let (code, told) = pre_commit(&[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("spec.storeRef.name") && told.contains("deploy/tim.yaml"), "{told}");
    // What git asks besides commits and pushes is not about objects.
    let message = ["--hook-stage", "commit-msg", "--commit-msg-filename", ".git/COMMIT_EDITMSG"];
    let (code, told) = pre_commit(&message);
    assert_eq!(code, Some(0), "{told}");
}
