//! Suites of fixtures in a user's own repository: written, run, broken.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SHOP, check, pet, pet_of, program, review, run, write};

#[test]
fn a_fixture_is_written_from_a_manifest_and_passes_until_the_verdict_changes() {
    let folder = TempDir::new().unwrap();
    let world = write(&folder, "world.yaml", SHOP);
    let rex = write(&folder, "rex.yaml", &pet("rex", "  id: 7\n  name: Rex\n  tag: dog\n"));
    let case = folder.path().join("case.yaml").display().to_string();
    let run = check(&["--init", &case, "--world", &world, &rex], "");
    assert!(run.code == 0 && run.out.contains(&format!("check {case}")), "{}{}", run.out, run.err);
    let text = fs::read_to_string(&case).unwrap();
    assert!(text.contains("verdict: refused") && text.contains("rule: pets.pet.tag-allowed"), "{text}");
    assert_eq!(check(&[&case], "").code, 0, "{text}");
    // Never over a file that somebody has worked on.
    let again = check(&["--init", &case, &rex], "");
    assert!(again.code == 2 && again.err.contains("is there already"), "{}", again.err);

    fs::write(&case, text.replace("- cat", "- dog")).unwrap();
    let red = check(&[&case], "");
    let expect = "
                                              EXPECTED                              FOUND
     verdict  refused                               admitted
     problem  pets.pet.tag-allowed at spec.tag      -";
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(red.code, 1);
    assert!(squeeze(&red.out).contains(&squeeze(expect)), "{}", red.out);
}

#[test]
fn a_fixture_of_an_exported_object_is_an_update_without_what_the_server_wrote() {
    let folder = TempDir::new().unwrap();
    let exported = pet("rex", "  id: 7\n  name: Rex\n").replace(
        "name: rex\n",
        "name: rex\n  uid: u\n  resourceVersion: '7'\n  creationTimestamp: 2026-01-01T00:00:00Z\n",
    );
    let world = write(&folder, "world.yaml", &exported);
    let run = check(&["--init", "-", "--world", &world, "-"], &pet("rex", "  id: 8\n  name: Rex\n"));
    assert!(
        run.out.contains("operation: UPDATE") && run.out.contains("rule: pets.pet.id-immutable"),
        "{}",
        run.out
    );
    assert!(!run.out.contains("resourceVersion"), "{}", run.out);
    assert_eq!(check(&["-"], &run.out).code, 0, "{}", run.out);
}

#[test]
fn fixtures_of_one_file_are_told_apart() {
    let case = |name: &str, id: i32| {
        format!(
            "apiVersion: check.concierge.dev/v1\nkind: Fixture\nobject: {{apiVersion: petstore.example.com/v1, kind: Pet, \
             metadata: {{name: {name}, namespace: zoo}}, spec: {{id: {id}, name: Rex}}}}\nexpect: {{verdict: admitted}}\n"
        )
    };
    let found = check(&["-", "-o", "json"], &format!("{}---\n{}", case("rex", 7), case("tom", 0))).json();
    let told = |index: usize| {
        let one = &found["fixtures"][index];
        (one["line"].as_u64(), one["name"].as_str(), one["passed"].as_bool())
    };
    assert_eq!(told(0), (Some(2), Some("CREATE Pet zoo/rex is admitted"), Some(true)), "{found:#}");
    assert_eq!(told(1), (Some(7), Some("CREATE Pet zoo/tom is admitted"), Some(false)), "{found:#}");
}

#[test]
fn of_several_fixtures_in_a_file_every_report_says_which() {
    let case = |id: i32| {
        format!(
            "apiVersion: check.concierge.dev/v1\nkind: Fixture\nobject: {{apiVersion: petstore.example.com/v1, kind: Pet, \
             metadata: {{name: rex, namespace: zoo}}, spec: {{id: {id}, name: Rex}}}}\nexpect: {{verdict: admitted}}\n"
        )
    };
    let (good, bad) = (case(7), case(0));
    let three = format!("{bad}---\n{good}---\n{bad}");
    let human = check(&["-"], &three).out;
    for line in ["FAIL <stdin>:2\n", "pass <stdin>:7\n", "FAIL <stdin>:12\n"] {
        assert!(human.contains(line), "{human}");
    }
    let junit = check(&["-", "-o", "junit"], &three).out;
    let report = roxmltree::Document::parse(&junit).unwrap();
    let names: Vec<_> = report
        .descendants()
        .filter(|node| node.has_tag_name("testcase"))
        .filter_map(|one| one.attribute("name"))
        .collect();
    let name = "CREATE Pet zoo/rex is admitted";
    assert_eq!(names, [name, &format!("{name} (2)"), &format!("{name} (3)")]);
    let github = check(&["-", "-o", "github"], &three).out;
    assert_eq!(github.matches(&format!("::{name}: verdict: expected")).count(), 2, "{github}");
    let issue = check(&["-", "-o", "gitlab"], &three).json();
    assert!(
        issue[0]["description"].as_str().unwrap().starts_with(&format!("{name}: verdict: ")),
        "{issue:#}"
    );
    let sarif = check(&["-", "-o", "sarif"], &three).json();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"], name, "{result:#}");
    // Another case that is mended does not make this one a new one.
    let print =
        |text: &str, index: usize| check(&["-", "-o", "gitlab"], text).json()[index]["fingerprint"].clone();
    let other = bad.replace("name: rex", "name: tom");
    assert_eq!(print(&format!("{bad}---\n{other}"), 1), print(&format!("{good}---\n{other}"), 0));
}

#[test]
fn an_object_that_is_given_twice_is_two_cases() {
    let rex = pet("rex", "  id: 7\n  name: Rex\n");
    let junit = check(&["-", "-o", "junit"], &format!("{rex}---\n{rex}")).out;
    for name in ["name=\"Pet zoo/rex\"", "name=\"Pet zoo/rex (2)\""] {
        assert_eq!(junit.matches(name).count(), 1, "{junit}");
    }
}

#[test]
fn a_fixture_that_can_not_be_written_is_no_wrong_input() {
    let folder = TempDir::new().unwrap();
    let nowhere = folder.path().join("nowhere/case.yaml").display().to_string();
    let run = check(&["--init", &nowhere, "-"], &pet("rex", "  id: 7\n  name: Rex\n"));
    assert!(run.code == 3 && run.err.contains("can't be written: "), "{} {}", run.code, run.err);
}

#[test]
fn a_fixture_is_about_one_object() {
    let two = pet("rex", "  id: 7\n  name: Rex\n") + "---\n" + SHOP;
    let run = check(&["--init", "-", "-"], &two);
    assert!(run.code == 2 && run.err.contains("a fixture is about one object"), "{}", run.err);
}

#[test]
fn a_fixture_of_a_review_is_the_request_that_it_tells_of() {
    let none = || Value::Null;
    for (review, told) in [
        (review("CREATE", pet_of("rex", 0), none()), "rule: pets.pet.id\n"),
        (review("UPDATE", pet_of("rex", 8), pet_of("rex", 7)), "rule: pets.pet.id-immutable\n"),
        (review("DELETE", none(), pet_of("rex", 7)), "verdict: admitted\n"),
    ] {
        let operation = review["request"]["operation"].as_str().unwrap();
        let written = check(&["--init", "-", "-"], &review.to_string());
        assert!(written.out.contains(&format!("operation: {operation}\n")), "{}{}", written.out, written.err);
        assert!(written.out.contains(told) && !written.out.contains("resourceVersion"), "{}", written.out);
        let again = check(&["-"], &written.out);
        assert_eq!(again.code, 0, "{}{}", written.out, again.out);
    }
    // A connection, and what is done to a part of an object, is no request that a fixture can tell of.
    let connect = check(&["--init", "-", "-"], &review("CONNECT", pet_of("rex", 7), none()).to_string());
    assert!(connect.code == 2 && connect.err.contains("about one object or review"), "{}", connect.err);
}

#[test]
fn whoever_asks_in_a_fixture_or_review_is_whom_rules_judge() {
    let document = |hidden: bool| {
        let spec = json!({"content": "Hello.", "metadata": {"title": "A greeting", "author": "jane"}, "hidden": hidden});
        let metadata = json!({"name": "hello", "namespace": "zoo"});
        json!({"apiVersion": "orasi.io/v1alpha1", "kind": "Document", "metadata": metadata, "spec": spec})
    };
    let mut asked = review("UPDATE", document(false), document(true));
    let kind = json!({"group": "orasi.io", "version": "v1alpha1", "kind": "Document"});
    asked["request"]["kind"] = kind;
    let named = ["-", "--orasi-document-unhiders", "admins"];
    for (groups, code) in [(json!(["staff"]), 1), (json!(["staff", "admins"]), 0)] {
        asked["request"]["userInfo"]["groups"] = groups;
        let run = check(&named, &asked.to_string());
        assert_eq!(run.code, code, "{}{}", run.out, run.err);
        let written = check(&["--init", "-", "-", named[1], named[2]], &asked.to_string()).out;
        assert!(written.contains("username: jane"), "{written}");
        assert_eq!(written.contains("rule: orasi.document.unhide\n"), code == 1, "{written}");
        let again = check(&named, &written);
        assert_eq!(again.code, 0, "{written}{}", again.out);
    }
}

#[test]
fn a_fixture_that_only_the_schema_refuses_is_refused() {
    let folder = TempDir::new().unwrap();
    let shop = SHOP.replace("config:", "endpoints: {baseUrl: 'https:host'}\n  config:");
    let run = check(&["--init", "-", &write(&folder, "shop.yaml", &shop)], "");
    assert!(run.out.contains("verdict: refused") && run.out.contains("schema: true"), "{}", run.out);
    assert_eq!(check(&["-"], &run.out).code, 0, "{}", run.out);
}

#[test]
fn no_fixture_is_written_of_what_none_can_hold() {
    let folder = TempDir::new().unwrap();
    let case = folder.path().join("case.yaml").display().to_string();
    let rex = pet("rex", "  id: 7\n  name: Rex\n  nmae: Rex\n");
    let good = pet("tom", "  id: 8\n  name: Tom\n");
    let world = write(&folder, "world.yaml", &rex);
    let broken = write(&folder, "broken.yaml", &SHOP.replace("name: Shop", "name: 7"));
    let unknown = "is no field of Pet; did you mean \"name\"?";
    for (arguments, given, told) in [
        (&["-"][..], &rex, unknown),
        // Whatever its level: the API server drops the field, or refuses it, as its client likes.
        (&["-", "--enforcement", "check.unknown-field=warn"], &rex, unknown),
        (&["-", "--world", &world], &good, unknown),
        (&["-", "--world", &broken], &good, "can't be told in a fixture"),
    ] {
        let run = check(&[arguments, &["--init", &case]].concat(), given);
        assert!(run.code == 2 && run.err.contains(told), "{arguments:?}: {}{}", run.out, run.err);
        assert!(!fs::exists(&case).unwrap(), "{arguments:?}");
    }
    assert!(check(&["-", "--init", &case], &rex).err.contains("<stdin>:9:3: spec.nmae: is no field"));
}

#[test]
fn a_fixture_says_of_a_manifest_what_check_says_of_it() {
    let folder = TempDir::new().unwrap();
    let world = write(&folder, "world.yaml", SHOP);
    let zoo = "apiVersion: v1\nkind: Namespace\nmetadata: {name: zoo, annotations: {concierge.dev/rules: pets.pet.tag-allowed=off}}\n---\n";
    let bad = pet("rex", "  id: 7\n  name: Rex\n  tag: dog\n");
    let cart = "apiVersion: coffee.terminal.sh/v1alpha1\nkind: CoffeeAddress\nmetadata: {name: home}\nspec: {name: Ann}\n";
    let dropped = bad.replace("name: rex\n", "name: rex\n  deletionTimestamp: 2030-01-31T12:00:00Z\n");
    for manifest in
        [bad.clone(), format!("{zoo}{bad}"), dropped, pet("Rex", "  id: 7\n  name: Rex\n"), cart.to_owned()]
    {
        for levels in ["", "pets=warn", "pets.pet.tag-allowed=off", "coffee=off"] {
            let under = ["-", "--world", &world, "--enforcement", levels];
            let checked = check(&under, &manifest);
            let written = check(&[&under[..], &["--init", "-"]].concat(), &manifest);
            let verdict = if checked.code == 0 { "verdict: admitted" } else { "verdict: refused" };
            assert!(
                written.code == 0 && written.out.contains(verdict),
                "{levels}: {}{}",
                written.out,
                written.err
            );
            let again = check(&["-", "--enforcement", levels], &written.out);
            assert_eq!(again.code, 0, "{levels}: {}{}", written.out, again.out);
        }
    }
}

#[test]
fn fixtures_are_run_and_written_under_the_levels_and_settings_that_are_given() {
    let folder = TempDir::new().unwrap();
    let world = write(&folder, "world.yaml", SHOP);
    let bad = pet("rex", "  id: 7\n  name: Rex\n  tag: dog\n");
    let usual = check(&["--init", "-", "-", "--world", &world], &bad).out;
    let lenient = check(&["--init", "-", "-", "--world", &world, "--enforcement", "pets=warn"], &bad).out;
    assert!(usual.contains("verdict: refused") && lenient.contains("verdict: admitted"), "{usual}{lenient}");
    let code = |levels: &str, fixture: &str| check(&["-", "--enforcement", levels], fixture).code;
    assert_eq!((code("", &usual), code("pets=warn", &usual)), (0, 1));
    assert_eq!((code("", &lenient), code("pets=warn", &lenient)), (1, 0));

    let item = "{productVariantId: var_01J1JFDMNBXB5GJCQF6C3AEBCQ, quantity: 7}";
    let cart = format!(
        "apiVersion: coffee.terminal.sh/v1alpha1\nkind: CoffeeCart\nmetadata: {{name: c}}\nspec: {{items: [{item}]}}\n"
    );
    let few = ["-", "--coffee-max-quantity", "5"];
    let written = check(&[&few[..], &["--init", "-"]].concat(), &cart).out;
    assert!(written.contains("rule: coffee.variant.quantity"), "{written}");
    assert_eq!((check(&few, &written).code, check(&["-"], &written).code), (0, 1), "{written}");

    let case = folder.path().join("case.yaml").display().to_string();
    let told = check(&["--init", &case, "-", "--enforcement", "pets=warn"], &bad).out;
    assert!(told.contains("under the same levels and settings"), "{told}");
}

#[test]
fn the_command_that_runs_a_fixture_can_be_pasted() {
    let folder = TempDir::new().unwrap();
    for name in ["plain.yaml", "my cases' $HOME.yaml", "-n.yaml"] {
        let name_argument = format!("--init={name}");
        let written = run(
            program().arg(name_argument).arg("-").current_dir(folder.path()),
            &pet("rex", "  id: 7\n  name: Rex\n"),
        );
        let (_, command) = written.out.split_once("concierge-webhook ").unwrap();
        let script = format!("{} {command}", env!("CARGO_BIN_EXE_concierge-webhook"));
        let again =
            run(std::process::Command::new("sh").args(["-c", &script]).current_dir(folder.path()), "");
        assert!(again.code == 0 && again.out.starts_with("pass "), "{script}: {}{}", again.out, again.err);
    }
}

#[test]
fn what_has_no_other_level_is_offered_none() {
    for rule in ["check.input", "check.fixture"] {
        let run = check(&["-", "--enforcement", &format!("{rule}=warn")], SHOP);
        assert!(run.code == 2 && run.err.contains(&format!("{rule} is always deny")), "{}", run.err);
        let explained = check(&["--explain", rule], "").out;
        assert!(explained.contains("always deny") && !explained.contains("--enforcement"), "{explained}");
    }
    // Those that can be changed are, and what can't be read stays bad input.
    let unknown = pet("rex", "  id: 7\n  name: Rex\n  breed: poodle\n");
    assert_eq!(check(&["-", "--enforcement", "check=off"], &unknown).code, 0);
    assert_eq!(check(&["-", "--enforcement", "check=off"], "a: b: c").code, 2);
}
