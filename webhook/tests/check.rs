//! `concierge-webhook check` as a user meets it.

#![allow(clippy::unwrap_used, clippy::panic)] // also in what tests call

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use concierge_shared::kind::all_rules;
use concierge_webhook::check::fixture::Fixture;
use serde_json::{Value, json};
use tempfile::TempDir;

const SHOP: &str = "apiVersion: petstore.example.com/v1
kind: PetStore
metadata: {name: shop, namespace: zoo}
spec:
  name: Shop
  config:
    allowedTags: [cat, fish]
";

fn pet(name: &str, spec: &str) -> String {
    let metadata = format!("metadata:\n  name: {name}\n  namespace: zoo\n");
    format!("apiVersion: petstore.example.com/v1\nkind: Pet\n{metadata}spec:\n{spec}")
}

#[test]
fn problems_are_shown_in_the_file() {
    let rex = pet("rex", "  id: 7\n  name: Rex\n  tag: dog\n");
    let tom = pet("tom", "  id: 7\n  nmae: Tom\n  name: Tom\n");
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let run = check(&["-"], &[&rex, SHOP, &tom, other].join("---\n"));
    let expect = r#"error[pets.pet.tag-allowed]: spec.tag: "dog" is not allowed by PetStore "shop"; use one of cat, fish
 --> <stdin>:9:8
  |
9 |   tag: dog
  |        ^^^
Pet zoo/rex is refused: 1 problem

error[pets.pet.unique-id]: spec.id: 7 is in use by another object; choose another (held by Pet zoo/rex)
  --> <stdin>:25:7
   |
25 |   id: 7
   |       ^
warning[check.unknown-field]: spec.nmae: is no field of Pet; did you mean "name"?
  --> <stdin>:26:3
   |
26 |   nmae: Tom
   |   ^^^^
Pet zoo/tom is refused: 1 problem, 1 warning

3 objects checked: 1 admitted, 2 refused, 1 warning   (1 object of other kinds passed over)
"#;
    assert_eq!(run.out, expect);
    assert_eq!(run.code, 1);
}

#[test]
fn the_json_output_has_its_documented_shape() {
    let folder = TempDir::new().unwrap();
    let bad = write(&folder, "bad.yaml", "a: b: c\n");
    let run = check(&["-o", "json", "-", &bad], &pet("rex", "  id: 0\n  name: ' Rex'\n"));
    assert_eq!(run.code, 2);
    let expect = json!({
        "version": 1,
        "results": [{
            "file": "<stdin>", "line": 2, "kind": "Pet", "namespace": "zoo", "name": "rex",
            "operation": "CREATE", "verdict": "refused",
            "problems": [{"rule": "pets.pet.id", "level": "deny", "path": "spec.id", "reason": "FieldValueInvalid",
                          "message": "must be at least 1", "line": 7, "column": 7}],
            "warnings": [],
            "patch": [{"op": "replace", "path": "/spec/name", "value": "Rex"}],
        }],
        "fixtures": [],
        "errors": [{"file": bad, "line": 1, "column": 5,
                    "message": "mapping values are not allowed in this context"}],
        "summary": {"checked": 1, "admitted": 0, "refused": 1, "warnings": 0, "passedOver": 0, "fixtures": 0,
                    "failed": 0, "errors": 1},
    });
    assert_eq!(run.json(), expect);
}

#[test]
fn standard_input_lists_and_json_are_read() {
    let rex = pet("rex", "  id: 0\n  name: Rex\n");
    assert_eq!(check(&["-"], &rex).code, 1);
    let items = rex.trim_end().replace('\n', "\n    ");
    let list = check_json(&format!("apiVersion: v1\nkind: List\nitems:\n  - {items}\n"));
    assert_eq!(list["results"][0]["problems"][0]["line"], 10);
    let object = json!({"apiVersion": "petstore.example.com/v1", "kind": "Pet", "metadata": {"name": "rex"},
                        "spec": {"id": i64::MAX, "name": "Rex"}});
    let two = check_json(&format!("{object}\n{}", object.to_string().replace("rex", "tom")));
    assert_eq!(two["results"][0]["namespace"], "default");
    assert_eq!(two["results"][1]["problems"][0]["rule"], "pets.pet.unique-id");
}

#[test]
fn what_comes_first_has_the_unique_value_and_the_place() {
    let store = SHOP.replace("allowedTags: [cat, fish]", "maxPets: 2\n    defaultLimit: 2");
    let pets = (1..=3).map(|id| pet(&format!("rex-{id}"), &format!("  id: {id}\n  name: Rex\n")));
    let found = check_json(&pets.chain([store]).collect::<Vec<_>>().join("---\n"));
    let verdicts: Vec<_> = found["results"].as_array().unwrap().iter().map(|one| &one["verdict"]).collect();
    assert_eq!(verdicts, ["admitted", "admitted", "refused", "admitted"]);
    assert_eq!(found["results"][2]["problems"][0]["rule"], "pets.pet.capacity");
}

#[test]
fn generated_names_do_not_hide_each_other() {
    let one = pet("rex", "  id: 7\n  name: Rex\n").replace("name: rex", "generateName: rex-");
    let found = check_json(&format!("{one}---\n{one}"));
    assert_eq!(found["results"][0]["verdict"], "admitted");
    assert_eq!(found["results"][1]["problems"][0]["rule"], "pets.pet.unique-id");
}

#[test]
fn the_world_makes_updates_of_creates() {
    let folder = TempDir::new().unwrap();
    let world = write(&folder, "now.yaml", &pet("rex", "  id: 7\n  name: Rex\n"));
    let changed = pet("rex", "  id: 8\n  name: Rex\n");
    let update = check(&["-", "-o", "json", "--world", &world], &changed).json();
    assert_eq!(update["results"][0]["operation"], "UPDATE");
    assert_eq!(update["results"][0]["problems"][0]["rule"], "pets.pet.id-immutable");
    assert_eq!(update["summary"]["checked"], 1);
    let twice = check_json(&format!("{changed}---\n{changed}"));
    assert_eq!(twice["results"][1]["warnings"][0]["rule"], "check.repeated");
}

#[test]
fn an_object_that_cannot_be_read_drags_no_other_down() {
    let store = SHOP.replace("name: Shop", "name: 7");
    let rex = pet("rex", "  id: 7\n  name: Rex\n  storeRef: {name: shop}\n");
    let found = check_json(&format!("{store}---\n{rex}"));
    assert_eq!(found["results"][0]["problems"][0]["message"], "is a number; put it in quotes");
    assert_eq!(found["results"][1]["verdict"], "admitted");
}

#[test]
fn all_schema_problems_are_told_at_once_with_a_remedy() {
    let found = check_json(&pet("Rex", "  id: '7'\n  tag: on\n  storeRef: shop\n"));
    let problems = found["results"][0]["problems"].as_array().unwrap().iter();
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    let told: Vec<_> = problems.map(|one| text(one, "path") + ": " + &text(one, "message")).collect();
    let expect = [
        "metadata.name: \"Rex\" is not valid; use lower-case letters, digits, '-' and '.', begin and end with a letter or digit",
        "spec.name: is required; set it",
        "spec.id: is a text; remove the quotes",
        "spec.tag: on is the boolean true in YAML; put it in quotes",
        "spec.storeRef: is a text; use a map of name",
    ];
    assert_eq!(told, expect);
}

#[test]
fn levels_come_from_the_flag_and_from_the_namespace() {
    let text = format!("{SHOP}---\n{}", pet("rex", "  id: 7\n  name: Rex\n  tag: dog\n"));
    let at_levels = |levels: &str, text: &str| check(&["-", "--enforcement", levels], text).code;
    assert_eq!(at_levels("", &text), 1);
    assert_eq!(at_levels("pets=warn", &text), 0);
    assert_eq!(at_levels("pets=warn,pets.pet.tag-allowed=deny", &text), 1);
    assert_eq!(at_levels("pet=warn", &text), 2);
    assert_eq!(at_levels("pets=perhaps", &text), 2);
    let namespace = |rules: &str| {
        let annotations = format!("annotations: {{concierge.dev/rules: {rules}}}");
        format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: zoo\n  {annotations}\n---\n{text}")
    };
    assert_eq!(at_levels("", &namespace("pets.pet=off")), 0);
    assert_eq!(at_levels("", &namespace("pets.pet=perhaps")), 2);
    let unknown = pet("rex", "  id: 7\n  name: Rex\n  breed: poodle\n");
    assert_eq!(at_levels("", &unknown), 0);
    assert_eq!(at_levels("check.unknown-field=deny", &unknown), 1);
}

#[test]
fn bad_input_is_named_with_its_place() {
    for (text, expect) in [
        (
            "apiVersion: petstore.example.com/v2\nkind: Pet\n",
            "Pet has no version \"v2\"; use petstore.example.com/v1",
        ),
        ("apiVersion: petstore.example.com/v1\nkind: Pets\n", "has no kind \"Pets\"; did you mean Pet?"),
        ("kind: Pet\n", "it has no apiVersion"),
        ("a: {{ .Values.a }}\n", "render it first"),
        (
            "{\"apiVersion\": \"admission.k8s.io/v1beta1\", \"kind\": \"AdmissionReview\"}",
            "admissionReviewVersions",
        ),
        ("{\"kind\": \"Pet\",\n \"kind\": \"Pet\"}", "already set in line 1"),
    ] {
        let run = check(&["-"], text);
        assert_eq!(run.code, 2, "{text}");
        assert!(run.out.contains(expect) && run.out.contains("--> <stdin>:"), "{}", run.out);
    }
}

#[test]
fn files_that_cannot_be_read_are_bad_input() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().display().to_string();
    assert!(check(&[&path], "").out.contains("holds no .yaml, .yml or .json file"));
    let missing = check(&[&format!("{path}/gone.yaml")], "");
    assert_eq!(missing.code, 2);
    assert!(missing.out.contains("gone.yaml: can't be read: No such file"), "{}", missing.out);
    fs::write(folder.path().join("latin.yaml"), b"a: \xe4\n").unwrap();
    assert!(check(&[&path], "").out.contains("is not text in UTF-8"));
}

#[test]
fn folders_are_walked_and_strangers_passed_over() {
    let folder = TempDir::new().unwrap();
    write(&folder, "values.yaml", "replicas: 3\n");
    write(&folder, "notes.txt", "a: b: c");
    write(&folder, ".hidden.yaml", "a: b: c");
    fs::create_dir(folder.path().join("deep")).unwrap();
    write(&folder, "deep/pet.yml", &pet("rex", "  id: 7\n  name: Rex\n"));
    let run = check(&[&folder.path().display().to_string()], "");
    let expect =
        "1 object checked: 1 admitted, 0 refused, 0 warnings   (1 object of other kinds passed over)\n";
    assert_eq!((run.out.as_str(), run.code), (expect, 0));
}

#[test]
fn a_fixture_that_fails_says_how() {
    let case = r##"
apiVersion: check.concierge.dev/v1
kind: Fixture
object:
  apiVersion: petstore.example.com/v1
  kind: Pet
  metadata: {name: rex, namespace: zoo}
  spec: {id: 7, name: " Rex", tag: "#"}
expect:
  verdict: admitted
  problems: [{rule: pets.pet.id, path: spec.id}]
  defaults:
    patch: []
    object: {spec: {id: 7, name: Rex the First, tag: "#"}}
"##;
    let run = check(&["-"], case);
    let expect = r##"FAIL <stdin>
       expected to be admitted, was refused
       missing problem: pets.pet.id at spec.id
       surplus problem: pets.pet.tag at spec.tag: contains '#'; use only letters, digits, spaces, '-', '_' and '.'
       surplus in the patch: {"op":"replace","path":"/spec/name","value":"Rex"}
       spec.name with defaults: expected "Rex the First", found "Rex"
1 fixture: 0 passed, 1 failed
"##;
    assert_eq!((run.out.as_str(), run.code), (expect, 1));
}

#[test]
fn a_fixture_with_a_slip_is_bad_input() {
    let pet = "object: {apiVersion: petstore.example.com/v1, kind: Pet, metadata: {name: a}, spec: {}}\n";
    let refused = "expect: {verdict: refused}\n";
    for (text, expect) in [
        (format!("{pet}expect: {{verdikt: refused}}\n"), "4:10: unknown field `verdikt`"),
        (format!("operation: DELETE\n{pet}{refused}"), "3:12: CREATE takes object"),
        (format!("{pet}world: [{{kind: Pet}}]\n{refused}"), "4:10: is not complete"),
        (format!("object: {{kind: Pot, apiVersion: petstore.example.com/v1}}\n{refused}"), "no kind \"Pot\""),
    ] {
        let folder = TempDir::new().unwrap();
        let text = format!("apiVersion: check.concierge.dev/v1\nkind: Fixture\n{text}");
        let path = write(&folder, "case.yaml", &text);
        let error = Fixture::load(&path).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
        assert_eq!(check(&[&path], "").code, 2);
    }
}

#[test]
fn rules_are_listed_and_explained() {
    let listed: Value = check(&["--rules", "--output", "json"], "").json();
    let ids: Vec<_> = listed.as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids, all_rules().iter().map(|(rule, _)| rule.id).collect::<Vec<_>>());
    assert_eq!(
        listed[0].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["id", "kinds", "level", "summary"]
    );
    assert_eq!(check(&["--rules"], "").out.lines().count(), ids.len() + 1);
    let explained = check(&["--explain", "pets.pet.tag-allowed"], "");
    assert!(explained.out.contains("deny by default, Pet") && explained.code == 0, "{}", explained.out);
    let unknown = check(&["--explain", "pets.pet.tag-alowed"], "");
    assert!(
        unknown.err.contains("did you mean pets.pet.tag-allowed?") && unknown.code == 2,
        "{}",
        unknown.err
    );
}

#[test]
fn what_is_missing_may_be_in_the_cluster() {
    let folder = TempDir::new().unwrap();
    let rex = pet("rex", "  id: 7\n  name: Rex\n  storeRef: {name: shop}\n");
    let alone = check(&["-"], &rex);
    assert!(alone.code == 1 && alone.out.contains("can be given with --world"), "{}", alone.out);
    let world = write(&folder, "shop.yaml", SHOP);
    assert_eq!(check(&["-", "--world", &world], &rex).code, 0);
}

#[test]
fn secrets_in_files_are_not_printed() {
    let card = "apiVersion: coffee.terminal.sh/v1alpha1\nkind: CoffeeCard\nmetadata: {name: mine}\n";
    for (text, secret) in [
        (
            SHOP.replace("config:", "endpoints: {baseUrl: 'https://jane:hush@shop.example.com/'}\n  config:"),
            "hush",
        ),
        (format!("{card}spec:\n  cardToken: 4242424242424242\n"), "4242"),
        (format!("{card}spec:\n  description: {{a: tok_1Abcdefgh}}\n"), "1Abc"),
        (format!("{card}spec:\n  cardTokenSecretRef: tok_1Abcdefgh\n"), "1Abc"),
        (format!("{card}spec:\n  cardToken: tok_1Abcdefgh\n tag: x"), "1Abc"),
    ] {
        let (human, json) = (check(&["-"], &text), check(&["-", "-o", "json"], &text));
        assert!(human.code > 0 && json.code > 0, "{}", human.out);
        assert!(!human.out.contains(secret), "{}", human.out);
        assert!(!json.out.contains(secret), "{}", json.out);
    }
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let rex = pet("rex", "  id: 0\n  name: Rex\n");
    assert!(!check(&["-"], &rex).out.contains('\u{1b}'));
    assert!(check(&["-", "--color", "always"], &rex).out.contains('\u{1b}'));
}

/// Writes a file; its path.
fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path: PathBuf = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}

fn check_json(stdin: &str) -> Value {
    check(&["-", "-o", "json"], stdin).json()
}

fn check(args: &[&str], stdin: &str) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_concierge-webhook"));
    command.arg("check").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A run that reads no input may end before it is written.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
