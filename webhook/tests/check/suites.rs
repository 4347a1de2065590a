//! Suites of fixtures in a user's own repository: written, run, broken.

use std::fs;

use tempfile::TempDir;

use super::{SHOP, check, pet, write};

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
fn a_fixture_is_about_one_object() {
    let two = pet("rex", "  id: 7\n  name: Rex\n") + "---\n" + SHOP;
    let run = check(&["--init", "-", "-"], &two);
    assert!(run.code == 2 && run.err.contains("a fixture is about one object"), "{}", run.err);
}

#[test]
fn a_fixture_that_only_the_schema_refuses_is_refused() {
    let folder = TempDir::new().unwrap();
    let shop = SHOP.replace("config:", "endpoints: {baseUrl: 'https:host'}\n  config:");
    let run = check(&["--init", "-", &write(&folder, "shop.yaml", &shop)], "");
    assert!(run.out.contains("verdict: refused") && run.out.contains("schema: true"), "{}", run.out);
    assert_eq!(check(&["-"], &run.out).code, 0, "{}", run.out);
}
