//! The picture of what refers to what.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::{SHOP, check, pet, pet_of, review, write};

fn golden(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check/graphs").join(name).display().to_string()
}

fn draw(format: &str, files: &[&str]) -> String {
    let drawn = check(&[&["--graph", format, "--world", &golden("world.yaml")], files].concat(), "");
    assert_eq!((drawn.code, drawn.err.as_str()), (0, ""));
    drawn.out
}

#[test]
fn a_graph_is_the_same_for_the_same_objects_in_whatever_order() {
    let (objects, world) = (golden("objects.yaml"), golden("world.yaml"));
    let folder = TempDir::new().unwrap();
    let text = std::fs::read_to_string(&objects).unwrap();
    let turned =
        text.split("---\n").collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n---\n");
    let turned = write(&folder, "turned.yaml", &turned);
    for (format, file) in [("dot", "graph.dot"), ("mermaid", "graph.mmd")] {
        let expect = std::fs::read_to_string(golden(file)).unwrap();
        for given in [&objects, &turned] {
            assert_eq!(draw(format, &[given]), expect, "{format} of {given}");
        }
        // Twice the same object is one node, and what was around is shown once it is given.
        let more = draw(format, &[&objects, &turned, &world]);
        assert_eq!(more.matches("unused").count(), 1, "{more}");
    }
}

#[test]
fn texts_of_files_are_quoted() {
    let folder = TempDir::new().unwrap();
    let odd = pet("rex", "  id: 7\n  name: Rex\n").replace("name: rex", r#"name: "a\"b\\c#\e[0m\n""#);
    let odd = write(&folder, "odd.yaml", &odd);
    assert!(draw("dot", &[&odd]).contains(r#"  "Pet zoo/a\"b\\c#\\u{1b}[0m\\n";"#));
    assert!(draw("mermaid", &[&odd]).contains(r#"  n0["Pet zoo/a#quot;b\c#35;\u{1b}[0m\n"]"#));
}

#[test]
fn what_can_not_be_read_draws_nothing() {
    let folder = TempDir::new().unwrap();
    let bad = write(&folder, "bad.yaml", "a: b: c\n");
    let drawn = check(&["--graph", "dot", &bad], "");
    assert_eq!((drawn.code, drawn.out.as_str()), (2, ""));
    assert!(drawn.err.contains("bad.yaml"), "{}", drawn.err);
    let both = check(&["--graph", "dot", "--output", "json", &bad], "");
    assert!(both.code == 2 && both.err.contains("--graph"), "{}", both.err);
}

#[test]
fn an_object_that_can_not_be_read_is_named_and_not_taken_for_missing() {
    let folder = TempDir::new().unwrap();
    let shop = write(&folder, "shop.yaml", &SHOP.replace("name: Shop", "name: 7"));
    let rex = write(&folder, "rex.yaml", &pet("rex", "  id: 7\n  name: Rex\n  storeRef: {name: shop}\n"));
    for given in [&[&*rex, &*shop][..], &[&rex, "--world", &shop]] {
        let drawn = check(&[&["--graph", "dot"], given].concat(), "");
        assert_eq!((drawn.code, drawn.out.as_str()), (2, ""), "{given:?}");
        assert!(drawn.err.contains("shop.yaml:5:9: is no PetStore"), "{}", drawn.err);
        assert!(drawn.err.contains("spec.name: is a number; put it in quotes"), "{}", drawn.err);
    }
}

#[test]
fn names_that_are_generated_are_told_apart_by_what_they_begin_with() {
    let pets = ["rex-", "tom-", "rex-"].map(|prefix| {
        let spec = format!("  id: 7\n  name: Rex\n  storeRef: {{name: of-{prefix}x}}\n");
        pet("rex", &spec).replace("name: rex", &format!("generateName: {prefix}"))
    });
    let drawn = check(&["--graph", "dot", "-"], &pets.join("---\n"));
    for line in [
        "  \"Pet zoo/rex-*\";\n",
        "  \"Pet zoo/tom-*\";\n",
        "  \"Pet zoo/rex-*\" -> \"PetStore zoo/of-rex-x\" ",
        "  \"Pet zoo/tom-*\" -> \"PetStore zoo/of-tom-x\" ",
    ] {
        assert_eq!(drawn.out.matches(line).count(), 1, "{line}: {}{}", drawn.out, drawn.err);
    }
}

#[test]
fn a_picture_of_nothing_is_bad_input_unless_it_may_be() {
    let object = "{apiVersion: petstore.example.com/v1, kind: Pet, metadata: {name: rex, namespace: zoo}, spec: {id: 7, name: Rex}}";
    let fixture = format!(
        "apiVersion: check.concierge.dev/v1\nkind: Fixture\nobject: {object}\nexpect: {{verdict: admitted}}\n"
    );
    for nothing in [
        fixture,
        review("DELETE", Value::Null, pet_of("rex", 7)).to_string(),
        "apiVersion: v1\nkind: ConfigMap\n".to_owned(),
    ] {
        for format in ["dot", "mermaid"] {
            let drawn = check(&["--graph", format, "-"], &nothing);
            assert_eq!((drawn.code, drawn.out.as_str()), (2, ""), "{nothing}");
            assert!(drawn.err.contains("nothing that is given can be drawn"), "{}", drawn.err);
            let drawn = check(&["--graph", format, "-", "--allow-empty"], &nothing);
            assert!(drawn.code == 0 && !drawn.out.is_empty(), "{nothing}: {}", drawn.err);
        }
    }
}
