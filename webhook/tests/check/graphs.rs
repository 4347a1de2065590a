//! The picture of what refers to what.

use std::path::Path;

use tempfile::TempDir;

use super::{check, pet, write};

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
