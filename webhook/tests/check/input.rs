//! What is nearly an object, or not quite a text, is told with what to do about it.

use std::{fs, os::unix::fs::symlink};

use tempfile::TempDir;

use super::{Run, SHOP, check, pet, write};

fn told(run: &Run, code: i32, expect: &str) {
    assert!(run.code == code && run.out.contains(expect), "{expect}: {} {}{}", run.code, run.out, run.err);
}

#[test]
fn a_group_that_is_misspelt_is_not_passed_over() {
    let rex = pet("rex", "  id: 7\n  name: Rex\n");
    let slip = rex.replace("petstore.example.com", "petstore.exampel.com");
    let folder = TempDir::new().unwrap();
    let file = write(&folder, "rex.yaml", &slip);
    for run in [check(&["-"], &slip), check(&[&folder.path().display().to_string()], "")] {
        told(&run, 2, "did you mean petstore.example.com/v1?");
        told(&run, 2, ":1:13");
    }
    told(&check(&["-", "--world", &file], &rex), 2, "did you mean petstore.example.com/v1?");
    // Somebody else's kinds have the same names.
    for group in ["pets.example.org", "example.com"] {
        let other = rex.replace("petstore.example.com", group);
        told(&check(&["-"], &other), 0, "1 object of other kinds passed over");
    }
}

#[test]
fn a_folder_may_hold_what_is_no_object_but_no_half_of_one_of_ours() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().display().to_string();
    write(&folder, "Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n");
    write(&folder, "kustomization.yaml", "kind: Kustomization\nresources: [rex.yaml]\n");
    write(&folder, "list.json", "[{\"name\": \"a\"}]");
    told(&check(&[&path], ""), 0, "(3 objects of other kinds passed over)");
    for (half, expect) in [
        ("apiVersion: petstore.example.com/v1\nspec: {}\n", "it has no kind"),
        ("kind: Pet\nspec: {}\n", "it has no apiVersion"),
        ("apiVersion: 5\nkind: Pet\n", "0 objects checked"),
        ("- apiVersion: petstore.example.com/v1\n  kind: Pet\n", "is a list; give its objects as documents"),
    ] {
        write(&folder, "half.yaml", half);
        let code = if expect.starts_with('0') { 0 } else { 2 };
        told(&check(&[&path], ""), code, expect);
    }
    // Who names a file means it.
    told(&check(&[&format!("{path}/Chart.yaml")], ""), 2, "is no Kubernetes object: it has no kind");
}

#[test]
fn what_is_no_map_is_called_what_it_is() {
    for (text, expect) in [
        (
            "- apiVersion: petstore.example.com/v1\n",
            "is a list; give its objects as documents with --- between",
        ),
        ("[{\"apiVersion\": \"petstore.example.com/v1\"}]", "or as items of kind: List"),
        ("hello\n", "is no Kubernetes object but a single value"),
        ("apiVersion: 5\nkind: Pet\n", "is no Kubernetes object: apiVersion is no text"),
        ("apiVersion: v1\nkind: [Pet]\n", "is no Kubernetes object: kind is no text"),
        ("{}\n", "is no Kubernetes object: it has no apiVersion"),
    ] {
        told(&check(&["-"], text), 2, expect);
    }
}

#[test]
fn lines_end_as_yaml_ends_them() {
    let text = format!("{SHOP}---\n{}", pet("rex", "  id: 0\n  name: Rex\n"));
    let plain = check(&["-"], &text);
    told(&plain, 1, "15 |   id: 0\n");
    for end in ["\r\n", "\r"] {
        assert_eq!(check(&["-"], &text.replace('\n', end)).out, plain.out, "{end:?}");
    }
    // One that stands alone ends a line as well, in a file that ends them otherwise.
    assert_eq!(check(&["-"], &text.replacen('\n', "\r", 3)).out, plain.out);
}

#[test]
fn quotes_are_only_to_be_removed_where_there_are_some() {
    for (written, expect) in [
        ("\"7\"", "is a text; remove the quotes"),
        ("1e400", "is a text; use a whole number"),
        ("\"nan\"", "is a text; use a whole number"),
        ("\"1.5\"", "is a text; use a whole number"),
    ] {
        told(&check(&["-"], &pet("rex", &format!("  id: {written}\n  name: Rex\n"))), 1, expect);
    }
}

#[test]
fn a_text_that_cannot_be_read_is_told_with_what_to_do() {
    let folder = TempDir::new().unwrap();
    let utf16 = folder.path().join("utf16.yaml");
    fs::write(&utf16, [0xff, 0xfe, b'a', 0]).unwrap();
    told(&check(&[&utf16.display().to_string()], ""), 2, "is not text in UTF-8; save it as such");
    for twice in ["a: 1\na: 2\n", "{\"a\": 1,\n\"a\": 2}"] {
        told(&check(&["-"], twice), 2, "is already set in line 1; keep one of them");
    }
}

#[test]
fn a_fixture_of_what_is_not_ours_is_told_which_groups_are() {
    let case = "apiVersion: check.concierge.dev/v1\nkind: Fixture\nobject: {apiVersion: apps/v1, kind: Deployment, \
                metadata: {name: a}}\nexpect: {verdict: admitted}\n";
    told(&check(&["-"], case), 2, "the group \"apps\" is not Concierge's; use one of ");
    told(&check(&["-"], case), 2, "petstore.example.com");
    let version = check(&["-"], &case.replace("concierge.dev/v1", "concierge.dev/v2"));
    told(
        &version,
        2,
        "\"check.concierge.dev/v2\" is not known; use check.concierge.dev/v1\n --> <stdin>:1:13",
    );
    told(
        &check(&["-"], &case.replace("kind: Fixture", "kind: Case")),
        2,
        "\"Case\" is not known; use Fixture\n --> <stdin>:2:7",
    );
}

#[test]
fn an_object_that_several_rules_look_for_is_named_once() {
    let folder = TempDir::new().unwrap();
    let examples = format!("{}/../examples", env!("CARGO_MANIFEST_DIR"));
    // Read in the order of their names: the policy first, then the bucket and the provider that it needs.
    symlink(format!("{examples}/refused/s3/policy.yaml"), folder.path().join("1.yaml")).unwrap();
    for (name, link) in [("1-provider", "2.yaml"), ("2-bucket", "3.yaml")] {
        symlink(format!("{examples}/s3/{name}.yaml"), folder.path().join(link)).unwrap();
    }
    let run = check(&[&folder.path().display().to_string()], "");
    let warning = run.out.lines().find(|line| line.starts_with("warning[check.order]")).unwrap();
    assert_eq!(warning.matches("needs Bucket").count(), 1, "{warning}");
    assert_eq!(warning.matches("Bucket default/photos").count(), 1, "{warning}");
    assert!(warning.ends_with("create it first"), "{warning}");
}

#[test]
fn what_can_be_no_secret_is_shown() {
    let shop = SHOP.replace("config:", "security: {allowedOrigins: ['*']}\n  config:");
    let run = check(&["-"], &shop);
    told(&run, 1, "allowedOrigins: ['*']");
}
