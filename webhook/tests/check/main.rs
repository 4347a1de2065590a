//! `concierge-webhook check` as a user meets it.

#![allow(clippy::unwrap_used, clippy::panic)] // also in what tests call

mod docs;
mod files;
mod graphs;
mod input;
mod outputs;
mod suites;
mod variables;

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

/// A pet as the API server has it.
fn pet_of(name: &str, id: i64) -> Value {
    let metadata = json!({"name": name, "namespace": "zoo", "uid": "u", "resourceVersion": "7"});
    json!({"apiVersion": "petstore.example.com/v1", "kind": "Pet", "metadata": metadata, "spec": {"id": id, "name": "Rex"}})
}

/// What the API server asks about a pet of the namespace zoo.
fn review(operation: &str, object: Value, old: Value) -> Value {
    let kind = json!({"group": "petstore.example.com", "version": "v1", "kind": "Pet"});
    let resource = json!({"group": "petstore.example.com", "version": "v1", "resource": "pets"});
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "1", "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
            "name": "rex", "namespace": "zoo", "operation": operation,
            "userInfo": {"username": "jane", "groups": ["system:authenticated"]},
            "object": object, "oldObject": old, "dryRun": false, "options": null,
        }
    })
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

error[pets.pet.unique-id]: spec.id: 7 is in use by another object; choose another, or delete that one first if this is its new name (held by Pet zoo/rex)
  --> <stdin>:25:7
   |
25 |   id: 7
   |       ^
error[check.unknown-field]: spec.nmae: is no field of Pet; did you mean "name"?
  --> <stdin>:26:3
   |
26 |   nmae: ***
   |   ^^^^
Pet zoo/tom is refused: 2 problems

3 objects checked: 1 admitted, 2 refused, 0 warnings   (1 object of other kinds passed over)
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
            "warnings": [{"rule": "check.rewritten", "level": "warn", "path": "spec.name",
                          "reason": "FieldValueInvalid", "line": 8, "column": 9,
                          "message": "is stored as \"Rex\"; write it so, or every apply finds it changed"}],
            "patch": [{"op": "replace", "path": "/spec/name", "value": "Rex"}],
        }],
        "fixtures": [],
        "errors": [{"file": bad, "line": 1, "column": 5,
                    "message": "mapping values are not allowed in this context"}],
        "summary": {"checked": 1, "admitted": 0, "refused": 1, "warnings": 1, "passedOver": 0, "fixtures": 0,
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
    let slip = check(&["-"], &namespace("pets.pet.tag-alowed=warn"));
    let expect = "there is no rule \"pets.pet.tag-alowed\"; did you mean pets.pet.tag-allowed?";
    assert!(slip.code == 2 && slip.out.contains(expect) && slip.out.contains("<stdin>:5:"), "{}", slip.out);
    let unknown = pet("rex", "  id: 7\n  name: Rex\n  breed: poodle\n");
    assert_eq!(at_levels("", &unknown), 1);
    assert_eq!(at_levels("check.unknown-field=warn", &unknown), 0);
}

/// Each is refused by the API server, whatever the levels of the rules are.
#[test]
fn what_the_schema_alone_refuses_is_refused_without_a_cluster() {
    let store = |config: &str| SHOP.replace("config:", config);
    let card = "apiVersion: coffee.terminal.sh/v1alpha1\nkind: CoffeeCard\nmetadata: {name: mine}\nspec: ";
    for (text, path, message) in [
        (store("endpoints: {baseUrl: 'https:host'}\n  config:"), "spec.endpoints", "baseUrl must be"),
        (store("endpoints: {baseUrl: 'HTTPS://x'}\n  config:"), "spec.endpoints", "baseUrl must be"),
        (store("endpoints: {baseUrl: ' https://x'}\n  config:"), "spec.endpoints", "baseUrl must be"),
        (store("endpoints: {version: '1'}\n  config:"), "spec.endpoints.version", "must match"),
        (pet("rex", "  id: 0\n  name: Rex\n"), "spec.id", "must be at least 1"),
        (format!("{card}{{}}\n"), "spec", "give exactly one of cardToken and cardTokenSecretRef"),
    ] {
        let found = check(&["-", "-o", "json", "--enforcement", "pets=off,coffee=off"], &text).json();
        let problem = &found["results"][0]["problems"][0];
        assert_eq!(
            (&problem["rule"], &problem["path"]),
            (&json!("object.schema"), &json!(path)),
            "{found:#}"
        );
        assert!(problem["message"].as_str().unwrap().starts_with(message), "{problem}");
    }
}

#[test]
fn a_problem_that_a_rule_explains_is_told_once() {
    let found = check_json(&pet("rex", "  id: 0\n  name: Rex\n"));
    assert_eq!(found["results"][0]["problems"].as_array().unwrap().len(), 1, "{found:#}");
    assert_eq!(found["results"][0]["problems"][0]["rule"], "pets.pet.id");
    // A rule of the schema about a list, and one of ours about the item.
    let item = "{productVariantId: var_01J1JFDMNBXB5GJCQF6C3AEBCQ, quantity: 1}";
    let cart = "apiVersion: coffee.terminal.sh/v1alpha1\nkind: CoffeeCart\nmetadata: {name: c}\n";
    let found = check_json(&format!("{cart}spec: {{items: [{item}, {item}]}}\n"));
    let problems = found["results"][0]["problems"].as_array().unwrap().iter();
    assert_eq!(problems.map(|one| &one["path"]).collect::<Vec<_>>(), ["spec.items[1].productVariantId"]);
}

#[test]
fn a_rule_about_a_change_is_evaluated_on_an_update() {
    let folder = TempDir::new().unwrap();
    let world = write(&folder, "now.yaml", &pet("rex", "  id: 7\n  name: Rex\n"));
    let run =
        |text: &str| check(&["-", "-o", "json", "--enforcement", "pets=off", "--world", &world], text).json();
    let changed = run(&pet("rex", "  id: 8\n  name: Rex\n"));
    assert_eq!(changed["results"][0]["problems"][0]["rule"], "object.schema", "{changed:#}");
    assert_eq!(run(&pet("rex", "  id: 7\n  name: Rexy\n"))["results"][0]["verdict"], "admitted");
}

#[test]
fn a_manifest_cannot_say_that_it_is_being_deleted() {
    let deleted =
        |text: &str| text.replace("name: rex\n", "name: rex\n  deletionTimestamp: 2030-01-31T12:00:00Z\n");
    let bad = deleted(&pet("rex", "  id: 7\n  name: Rex\n  tag: '#'\n"));
    assert_eq!(check_json(&bad)["results"][0]["problems"][0]["rule"], "pets.pet.tag");
    // What is being deleted in the cluster is left alone there too.
    let folder = TempDir::new().unwrap();
    let world = write(&folder, "now.yaml", &deleted(&pet("rex", "  id: 7\n  name: Rex\n")));
    assert_eq!(check(&["-", "--world", &world], &pet("rex", "  id: 7\n  name: Rexy\n")).code, 0);
}

#[test]
fn an_object_of_the_world_that_cannot_be_read_is_told() {
    let folder = TempDir::new().unwrap();
    let world = write(&folder, "shop.yaml", &SHOP.replace("name: Shop", "name: 7"));
    let run = check(&["-", "--world", &world], &pet("rex", "  id: 7\n  name: Rex\n"));
    assert_eq!(run.code, 2);
    let expect = "is no PetStore that can be in a cluster: spec.name: is a number; put it in quotes";
    assert!(run.out.contains(expect) && run.out.contains("shop.yaml:5:9"), "{}", run.out);
}

#[test]
fn bad_input_is_named_with_its_place() {
    for (text, expect) in [
        (
            "apiVersion: petstore.example.com/v2\nkind: Pet\n",
            "Pet has no version \"v2\"; use petstore.example.com/v1",
        ),
        (
            "apiVersion: petstore.example.com\nkind: Pet\n",
            "the apiVersion petstore.example.com has no version; use petstore.example.com/v1",
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
    assert!(
        check(&[&path], "").out.contains("holds no .yaml, .yml or .json file; what should have filled it")
    );
    let missing = check(&[&format!("{path}/gone.yaml")], "");
    assert_eq!(missing.code, 2);
    assert!(missing.out.contains("gone.yaml: can't be read: No such file"), "{}", missing.out);
    fs::write(folder.path().join("latin.yaml"), b"a: \xe4\n").unwrap();
    assert!(check(&[&path], "").out.contains("is not text in UTF-8"));
}

#[test]
fn what_never_ends_is_not_read_for_ever() {
    let endless = check(&["/dev/zero"], "");
    assert_eq!(endless.code, 2);
    assert!(endless.out.contains("is larger than 256 MiB"), "{}", endless.out);
    assert!(check(&["--policy", "/dev/zero", "--kind", "bucket"], "").err.contains("is larger than 256 MiB"));
}

#[test]
fn nothing_to_check_is_bad_input_unless_it_may_be() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().display().to_string();
    for (input, text) in
        [("-", ""), ("-", "# nothing\n---\n"), ("-", "apiVersion: v1\nkind: List\nitems: []\n"), (&path, "")]
    {
        let run = check(&[input], text);
        assert!(run.code == 2 && run.out.contains("--allow-empty takes it"), "{input} {text}: {}", run.out);
        assert_eq!(check(&[input, "--allow-empty"], text).code, 0, "{input} {text}");
    }
    write(&folder, "comments.yaml", "# nothing\n");
    assert_eq!(check(&[&path], "").code, 2);
}

#[test]
fn an_order_of_creation_is_said() {
    let rex = pet("rex", "  id: 7\n  name: Rex\n  storeRef: {name: shop}\n");
    let run = check(&["-"], &format!("{rex}---\n{SHOP}"));
    let expect = r#"warning[check.order]: spec.storeRef.name: needs PetStore zoo/shop, which comes later, at <stdin>:12; create it first
 --> <stdin>:9:20
  |
9 |   storeRef: {name: shop}
  |                    ^^^^
Pet zoo/rex is admitted: 1 warning

2 objects checked: 2 admitted, 0 refused, 1 warning
Create PetStore before Pet: clients create objects in the order of the input, helm by the names of their kinds. See docs/install.md, "Objects in a chart".
"#;
    assert_eq!((run.out.as_str(), run.code), (expect, 0));
    assert_eq!(check(&["-", "--enforcement", "check.order=deny"], &format!("{rex}---\n{SHOP}")).code, 1);
    assert_eq!(check_json(&format!("{SHOP}---\n{rex}"))["summary"]["warnings"], 0);
    // Where the store may be missing, no order is needed.
    let lenient = check(&["-", "--enforcement", "pets.pet.store-exists=off"], &format!("{rex}---\n{SHOP}"));
    assert!(!lenient.out.contains("check.order"), "{}", lenient.out);
}

#[test]
fn what_the_api_server_put_into_an_exported_object_is_passed_over() {
    let exported = "uid: u\n  resourceVersion: '7'\n  generation: 2\n  creationTimestamp: 2026-01-01T00:00:00Z\n  \
                    ownerReferences:\n  - {apiVersion: v1, kind: ConfigMap, name: own, uid: b, controller: true}\n  \
                    managedFields:\n  - {manager: kubectl, operation: Apply, fieldsV1: {'f:spec': {}}}\n";
    let rex = pet("rex", "  id: 7\n  name: Rex\n  storeRef: {name: shop}\n") + "status: {phase: Ready}\n";
    // Nor is the order of an export one of creation.
    let export = rex.replace("name: rex\n", &format!("name: rex\n  {exported}"));
    let found = check_json(&format!("{export}---\n{SHOP}"));
    assert_eq!(found["summary"]["warnings"], 0, "{found:#}");
    let written = check_json(&rex);
    assert_eq!(written["results"][0]["warnings"][0]["rule"], "object.status-ignored", "{written:#}");
}

#[test]
fn a_value_that_is_stored_otherwise_is_told_and_a_secret_not_repeated() {
    let tokens = "apiVersion: coffee.terminal.sh/v1alpha1\nkind: CoffeeCard\nmetadata: {name: mine}\n\
                  spec: {cardToken: ' tok_1Abcdefgh'}\n";
    let found = check(&["-"], tokens);
    assert!(!found.out.contains("1Abc"), "{}", found.out);
    let run = check(&["-"], &pet("rex", "  id: 7\n  name: ' Rex'\n"));
    assert!(run.code == 0 && run.out.contains("is stored as \"Rex\"; write it so"), "{}", run.out);
}

#[test]
fn nothing_printed_commands_a_terminal_or_a_ci() {
    let folder = TempDir::new().unwrap();
    let name = r#""rex\n::error::pwned\e[31m\u202e""#;
    let rex = pet(name, "  id: 0\n  name: Rex\n")
        .replace("  namespace: zoo\n", "  labels: {\"a\\n::error::b\": c}\n");
    let raw = pet("rex", "  id: 0 # \u{1b}[31m\n  name: Rex\n");
    let odd = write(&folder, "a\n::error::b.yaml", &raw);
    for run in [check(&["-"], &rex), check(&["-"], &raw), check(&[&odd], "")] {
        assert!(run.code == 1 || run.code == 2, "{}", run.out);
        assert!(!run.out.contains('\u{1b}') && !run.out.contains('\u{202e}'), "{:?}", run.out);
        assert!(!run.out.lines().any(|line| line.trim_start().starts_with("::")), "{}", run.out);
    }
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
                              EXPECTED                FOUND
     verdict                  admitted                refused
     refused by the schema    schema: false           schema: true
     problem                  pets.pet.id at spec.id  -
     problem                  -                       pets.pet.tag at spec.tag: contains '#'; use only letters, digits, spaces, '-', '_' and '.'
     in the patch             -                       {"op":"replace","path":"/spec/name","value":"Rex"}
     spec.name with defaults  "Rex the First"         "Rex"
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
        (
            format!("{}{refused}", pet.replace("spec: {}", "spec: {nmae: A}")),
            "3:92: is no field of Pet; did you mean \"name\"?",
        ),
        (
            format!(
                "{pet}world: [{}]\n{refused}",
                pet.trim()
                    .trim_start_matches("object: ")
                    .replace("spec: {}", "spec: {id: 1, name: A, tga: b}")
                    .replace("name: a}", "name: a, namespace: zoo}")
            ),
            "has a slip: spec.tga is no field of Pet; did you mean \"tag\"?",
        ),
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
    assert!(ids.is_sorted() && all_rules().iter().all(|(rule, _)| ids.contains(&rule.id)), "{ids:?}");
    let own = ids.iter().filter(|id| id.starts_with("check."));
    assert_eq!(own.count(), ids.len() - all_rules().len());
    for id in ["check.order", "check.input"] {
        assert!(ids.contains(&id) && check(&["--rules"], "").out.contains(&format!("\n{id} ")), "{id}");
    }
    assert_eq!(
        listed[0].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["id", "kinds", "level", "summary"]
    );
    assert_eq!(check(&["--rules"], "").out.lines().count(), ids.len() + 1);
    // A row is what it demands, after columns that leave room for that.
    let table = check(&["--rules"], "").out;
    let before = table.lines().next().unwrap().find("WHAT IT DEMANDS").unwrap();
    assert!(before < 90, "{before} columns come before what a rule demands");
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
fn no_level_is_offered_where_it_would_change_nothing() {
    let explained = |id: &str| check(&["--explain", id], "").out;
    let rex = pet("rex", "  id: 7\n  name: Rex\n");
    let twice = format!("{rex}---\n{}", rex.replace("rex", "tom"));
    let of_store = format!("{SHOP}---\n{}", pet("rex", "  id: 7\n  name: Rex\n  tag: dog\n"));
    let no_number = pet("rex", "  id: seven\n  name: Rex\n");
    for (id, broken, by_flag, by_namespace) in [
        ("pets.pet.tag-allowed", &of_store, true, true),
        ("pets.pet.unique-id", &twice, true, false),
        ("object.schema", &no_number, false, false),
    ] {
        let level = format!("{id}=warn");
        let annotated = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: zoo, annotations: {{concierge.dev/rules: {level}}}}}\n---\n{broken}"
        );
        let (flag, namespace) = (check(&["-", "--enforcement", &level], broken), check(&["-"], &annotated));
        assert_eq!((flag.code == 0, namespace.code == 0), (by_flag, by_namespace), "{id}: {}", flag.out);
        let told = explained(id);
        assert_eq!(told.contains("--enforcement"), by_flag, "{told}");
        assert_eq!(told.contains("annotation"), by_namespace, "{told}");
    }
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

fn storage(s3: &str) -> String {
    format!(
        "apiVersion: orasi.io/v1alpha1\nkind: Storage\nmetadata: {{name: lake}}\nspec: {{type: S3, s3: {s3}}}\n"
    )
}

/// A Storage with this among its options.
fn options(option: &str) -> String {
    format!(
        "apiVersion: orasi.io/v1alpha1\nkind: Storage\nmetadata: {{name: lake}}\nspec:\n  type: DeltaLake\n  deltaLake:\n    \
         storagePath: s3://lake/x\n    options:\n      {option}\n"
    )
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
        (format!("{card}spec:\n  cardTokne: hush\n"), "hush"),
        (format!("{card}spec:\n  carddTokn: 1234567\n"), "1234567"),
        (format!("{card}spec: {{cardToke: {{a: [hush]}}, description: 7}}\n"), "hush"),
        (format!("{card}spec: {{cardTokenSecretRef: hush}}\n"), "hush"),
        // What is no object of ours.
        (format!("{card}spec:\n  description: a\n  description: b # password: hush\n"), "hush"),
        (storage("{endpoint: 'https://s3.example.com/?sig=hush', bucket: UPPER}"), "hush"),
        (storage("{endpoint: 'https://s3.example.com/;password=hush'}"), "hush"),
        (storage("{bucket: UPPER, authentication: {method: Basic, pasword: hush}}"), "hush"),
        (options("sasl.jaas.config: 'PlainLoginModule required password=\"hush\";'"), "hush"),
        (options("azure: AccountName=acme;AccountKey=hush;EndpointSuffix=core.windows.net"), "hush"),
        (options("header: 'Authorization: Bearer hush'"), "hush"),
        (options("snowflake.pwd: hush"), "hush"),
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

#[test]
fn a_policy_is_checked_where_it_is_wrong() {
    let policy = r#"{
  "Version": "2012-10-17",
  "Statement": {
    "Effect": "Allow",
    "Principal": {"AWS": "123456789012"},
    "Action": "s3:HeadObject",
    "Resource": "arn:aws:s3:::photo/*"
  }
}"#;
    let run = check(&["--policy", "-", "--kind", "bucket", "--bucket", "photos"], policy);
    let expect = r#"error[s3.policy.act-13]: HeadObject is a call, not an action; write s3:GetObject
 --> <stdin>:6:15
  |
6 |     "Action": "s3:HeadObject",
  |               ^^^^^^^^^^^^^^^

error[s3.policy.res-07]: "photo" is not the bucket of this policy; write arn:aws:s3:::photos or arn:aws:s3:::photos/KEY
 --> <stdin>:7:17
  |
7 |     "Resource": "arn:aws:s3:::photo/*"
  |                 ^^^^^^^^^^^^^^^^^^^^^^

<stdin>: 2 errors, 0 warnings, 0 suggestions
"#;
    assert_eq!((run.out.as_str(), run.code), (expect, 1));
    let json = check(&["--policy", "-", "--kind", "bucket", "-o", "json"], policy).json();
    assert_eq!(json["findings"][0]["rule"], "s3.policy.act-13");
    assert_eq!(json["findings"][0]["line"], 6);
    let other_levels = "s3.policy.act-13=warn,s3.policy.res-07=off";
    let run = check(&["--policy", "-", "--kind", "bucket", "--enforcement", other_levels], policy);
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(run.out.ends_with("<stdin>: 0 errors, 1 warning, 0 suggestions\n"), "{}", run.out);
}

#[test]
fn a_policy_that_demands_tls_locks_out_who_calls_without() {
    let policy = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}}}"#;
    let caller = "--controller=arn:aws:iam::123456789012:user/concierge";
    let of =
        |more: &[&str]| check(&[&["--policy", "-", "--kind", "bucket", caller][..], more].concat(), policy);
    // The policy names its bucket itself.
    for bucket in [&[][..], &["--bucket", "photos"]] {
        assert_eq!(of(bucket).code, 0, "{}", of(bucket).out);
        let plain = of(&[bucket, &["--plain-http"]].concat());
        assert!(plain.code == 1 && plain.out.contains("s3.policy.lck-01"), "{}{}", plain.out, plain.err);
    }
}

#[test]
fn a_secret_in_a_policy_is_told_and_not_repeated() {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    // Twice, where no such text can stand: other rules name what is wrong.
    let statement = format!(
        r#"{{"Effect": "Allow", "Principal": {{"AWS": "{secret}"}}, "Action": ["{secret}", "{secret}"], "Resource": "{secret}"}}"#
    );
    let policy = format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#);
    let object = serde_json::json!({
        "apiVersion": "s3.cloud37.dev/v1alpha1", "kind": "BucketPolicy", "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"bucketRef": {"name": "photos"}, "policyDocument": policy},
    });
    let object = object.to_string();
    for (args, input) in [
        (&["--policy", "-", "--kind", "bucket"][..], &policy),
        (&["--policy", "-", "--kind", "bucket", "-o", "json"][..], &policy),
        (&["-"][..], &object),
        (&["-", "-o", "json"][..], &object),
    ] {
        let run = check(args, input);
        assert!(run.out.contains("s3.policy.sec-01") && run.out.contains("***"), "{args:?}: {}", run.out);
        assert!(!run.out.contains(secret) && !run.err.contains(secret), "{args:?}: {}", run.out);
    }
}

#[test]
fn a_policy_commands_no_terminal_either() {
    let policy = "{\"Version\": \"2012-10-17\", \"Statement\": {\"Effect\": \"Allow\", \"Action\": \"s3:\u{1b}[31m\u{202e}Get\"}}";
    let folder = TempDir::new().unwrap();
    let file = write(&folder, "a\n::error::b.json", policy);
    let run = check(&["--policy", &file, "--kind", "identity"], "");
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(!run.out.contains('\u{1b}') && !run.out.contains('\u{202e}'), "{:?}", run.out);
    assert!(!run.out.lines().any(|line| line.starts_with("::")), "{}", run.out);
}

#[test]
fn a_policy_that_can_not_be_read_is_bad_input() {
    let run = check(&["--policy", "nothing-is-here.json", "--kind", "bucket"], "");
    assert_eq!(run.code, 2);
    assert!(run.err.contains("nothing-is-here.json can't be read"), "{}", run.err);
    assert_eq!(check(&["--policy", "-"], "").code, 2, "the kind is needed");
    for (flag, value, told) in [
        ("--controller", "user/c", "write arn:aws:iam::ACCOUNT:user/NAME"),
        ("--controller", "arn:aws:s3:::photos", "write arn:aws:iam::ACCOUNT:user/NAME"),
        ("--bucket", "bad name", "is no bucket's name"),
        ("--bucket", "arn:aws:s3:::photos", "is no bucket's name"),
    ] {
        let wrong = check(&["--policy", "-", "--kind", "bucket", flag, value], "{}");
        assert!(
            wrong.code == 2 && wrong.err.contains(told) && wrong.err.contains(flag),
            "{value}: {}",
            wrong.err
        );
    }
    // What should have filled it may have failed, and no level makes that good.
    for levels in ["", "s3=warn", "s3=off"] {
        let nothing = check(&["--policy", "-", "--kind", "identity", "--enforcement", levels], " \n");
        assert!(nothing.code == 2 && nothing.err.contains("holds nothing to check"), "{}", nothing.err);
    }
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
    run(program().args(args), stdin)
}

/// The program, with the command.
fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_concierge-webhook"));
    program.arg("check");
    program
}

fn run(command: &mut Command, stdin: &str) -> Run {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
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
