//! Files as they lie around: links, pipes, what can't be read, and what may not be overwritten.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{SHOP, check, pet, program, run, write};

const BAD: &str = "  id: 0\n  name: Rex\n";

/// Runs `script` in `folder`, where `$CHECK` is the program and its command.
fn shell(folder: &TempDir, script: &str) -> super::Run {
    let check = format!("{} check", env!("CARGO_BIN_EXE_concierge-webhook"));
    run(Command::new("sh").args(["-c", script]).current_dir(folder.path()).env("CHECK", check), "")
}

/// `$CHECK` under the rights that everybody has, also for root.
const PLAIN: &str = "test $(id -u) -ne 0 || \
                     CHECK=\"setpriv --inh-caps=-all --bounding-set=-dac_override,-dac_read_search -- $CHECK\"; ";

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn no_report_takes_the_place_of_anything_that_was_read() {
    let folder = TempDir::new().unwrap();
    for name in ["deploy", "cases", "cases/worlds"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    write(&folder, "deploy/rex.yaml", &pet("rex", BAD));
    write(&folder, "deploy/latin.yaml", "a: \u{fffd}\n");
    fs::write(folder.path().join("deploy/latin.yaml"), b"a: \xe4\n").unwrap();
    let world = format!("apiVersion: check.concierge.dev/v1\nkind: World\nobjects: [{}]\n", "SHOP").replace(
        "SHOP",
        "{apiVersion: petstore.example.com/v1, kind: PetStore, metadata: {name: shop, namespace: zoo}, spec: {name: Shop}}",
    );
    write(&folder, "cases/worlds/usual.yaml", &world);
    let case = "apiVersion: check.concierge.dev/v1\nkind: Fixture\nworld: [usual]\nobject: {apiVersion: petstore.example.com/v1, \
                kind: Pet, metadata: {name: rex, namespace: zoo}, spec: {id: 7, name: Rex}}\nexpect: {verdict: admitted}\n";
    write(&folder, "cases/case.yaml", case);
    fs::hard_link(folder.path().join("deploy/rex.yaml"), folder.path().join("hard")).unwrap();
    symlink("deploy/rex.yaml", folder.path().join("soft")).unwrap();
    for (arguments, over) in [
        ("deploy -o json=deploy/rex.yaml", "deploy/rex.yaml"),
        ("deploy -o json=hard", "deploy/rex.yaml"),
        ("deploy -o json=soft", "deploy/rex.yaml"),
        ("deploy/rex.yaml -o junit=a.xml,json=hard", "deploy/rex.yaml"),
        ("cases --world deploy -o sarif=deploy/../deploy/rex.yaml", "deploy/rex.yaml"),
        ("- -o json=deploy/rex.yaml < deploy/rex.yaml", "deploy/rex.yaml"),
        ("deploy -o json >> deploy/rex.yaml", "deploy/rex.yaml"),
        ("--init - deploy/rex.yaml >> deploy/rex.yaml", "deploy/rex.yaml"),
        ("--policy deploy/rex.yaml --kind bucket 1<> deploy/rex.yaml", "deploy/rex.yaml"),
        ("cases/case.yaml -o json=cases/worlds/usual.yaml", "cases/worlds/usual.yaml"),
        ("deploy/latin.yaml -o json=deploy/latin.yaml", "deploy/latin.yaml"),
    ] {
        let before = fs::read(folder.path().join(over)).unwrap();
        let run = shell(&folder, &format!("$CHECK {arguments}"));
        let refused = run.code == 2 && run.err.contains("is checked, so no report can be written to it");
        assert!(refused, "{arguments}: {} {}{}", run.code, run.out, run.err);
        assert_eq!(fs::read(folder.path().join(over)).unwrap(), before, "{arguments}");
        assert!(!folder.path().join("a.xml").exists(), "nothing is written: {arguments}");
    }
}

#[test]
fn a_report_to_what_is_open_already_leaves_what_stands_there() {
    let folder = TempDir::new().unwrap();
    write(&folder, "rex.yaml", &pet("rex", BAD));
    for (name, to) in [
        ("/dev/stdout", ">> log"),
        ("/dev/fd/1", ">> log"),
        ("/proc/self/fd/1", ">> log"),
        ("log", ">> log"),
        ("-", ">> log"),
        ("/dev/stdout", "1<> log"),
        ("/dev/stderr", "2>> log"),
        ("/dev/fd/3", "3>> log"),
    ] {
        let script = format!("exec 4> log; echo before >&4; $CHECK rex.yaml -o json={name} {to} > out");
        let script =
            if to.contains("1<>") || to.starts_with(">>") { script.replace(" > out", "") } else { script };
        let run = shell(&folder, &script);
        assert_eq!(run.code, 1, "{name} {to}: {}", run.err);
        let text = read(&folder, "log");
        // What is opened to be read and written is overwritten from its beginning, and not emptied.
        let json =
            if to.contains("<>") { text.as_str() } else { text.strip_prefix("before\n").unwrap_or("") };
        let json: Value =
            serde_json::from_str(json).unwrap_or_else(|error| panic!("{name} {to}: {error}: {text}"));
        assert_eq!(json["summary"]["refused"], 1);
    }
}

#[test]
fn two_formats_never_go_to_one_file_whatever_it_is_called() {
    let folder = TempDir::new().unwrap();
    write(&folder, "rex.yaml", &pet("rex", BAD));
    write(&folder, "a", "");
    fs::hard_link(folder.path().join("a"), folder.path().join("hard")).unwrap();
    symlink("new", folder.path().join("dangling")).unwrap();
    symlink("dangling", folder.path().join("further")).unwrap();
    for two in [
        "-o sarif=a -o junit=hard",
        "-o sarif=new -o junit=dangling",
        "-o sarif=./new -o junit=further",
        "-o human -o json=/dev/stdout",
        "-o human -o json=out > out",
        "-o json=/dev/fd/3 -o sarif=out 3> out",
    ] {
        let run = shell(&folder, &format!("$CHECK rex.yaml {two}"));
        assert!(run.code == 2 && run.err.contains("can't both go to"), "{two}: {}{}", run.out, run.err);
    }
    assert!(!folder.path().join("new").exists());
}

#[test]
fn a_report_takes_the_place_of_an_older_one_wholly_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    write(&folder, "rex.yaml", &pet("rex", BAD));
    write(&folder, "report", "old");
    let before = names(folder.path());
    // A file may hold no more than half a kilobyte, as on a disk that is nearly full.
    let full = shell(&folder, "trap '' XFSZ; ulimit -f 1; $CHECK rex.yaml -o json=report");
    assert!(full.code == 3 && full.err.contains("report can't be written: File too large"), "{}", full.err);
    assert_eq!((read(&folder, "report").as_str(), names(folder.path())), ("old", before));
    assert_eq!(shell(&folder, "$CHECK rex.yaml -o json=report").code, 1);
    assert!(read(&folder, "report").ends_with("}\n"));
    let full = shell(&folder, "trap '' XFSZ; ulimit -f 0; $CHECK --init case.yaml rex.yaml");
    assert!(full.code == 3 && full.err.contains("case.yaml can't be written"), "{}", full.err);
    assert!(!folder.path().join("case.yaml").exists());
}

#[test]
fn what_a_report_replaces_keeps_its_links_and_its_mode() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(&folder, "rex.yaml", &pet("rex", BAD));
    write(&folder, "old", "old");
    fs::set_permissions(path("old"), fs::Permissions::from_mode(0o604)).unwrap();
    symlink("old", path("link")).unwrap();
    symlink("made", path("dangling")).unwrap();
    let script = "umask 027; mkfifo pipe; cat pipe > piped & \
                  $CHECK rex.yaml -o json=link,sarif=dangling,junit=pipe,gitlab=/dev/null; code=$?; wait; exit $code";
    let run = shell(&folder, script);
    assert_eq!(run.code, 1, "{}", run.err);
    for (link, file, mode) in [("link", "old", 0o604), ("dangling", "made", 0o640)] {
        assert_eq!(fs::read_link(path(link)).unwrap(), Path::new(file));
        assert_eq!(fs::metadata(path(file)).unwrap().mode() & 0o777, mode, "{file}");
        serde_json::from_str::<Value>(&read(&folder, file)).unwrap();
    }
    assert!(read(&folder, "piped").contains("</testsuites>"));
}

#[test]
fn a_report_is_written_in_its_place_where_the_folder_takes_no_new_file() {
    let folder = TempDir::new().unwrap();
    write(&folder, "rex.yaml", &pet("rex", BAD));
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    for (name, mode) in [("open", 0o644), ("kept", 0o444)] {
        fs::write(closed.join(name), "old").unwrap();
        fs::set_permissions(closed.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    let written = shell(&folder, &format!("{PLAIN}$CHECK rex.yaml -o json=closed/open"));
    assert_eq!(written.code, 1, "{}", written.err);
    serde_json::from_str::<Value>(&read(&folder, "closed/open")).unwrap();
    // Nor is an older one lost on a full disk: here a file may hold no more than half a kilobyte.
    fs::write(closed.join("open"), "old").unwrap();
    let full =
        shell(&folder, &format!("{PLAIN}trap '' XFSZ; ulimit -f 1; $CHECK rex.yaml -o json=closed/open"));
    assert!(full.code == 3 && full.err.contains("open can't be written: File too large"), "{}", full.err);
    assert_eq!(read(&folder, "closed/open"), "old");
    // What may not be written to is not replaced, even where its folder would allow it.
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    for file in ["kept", "new/new", "new/", "."] {
        let kept = shell(&folder, &format!("{PLAIN}$CHECK rex.yaml -o json=closed/{file}"));
        assert!(kept.code == 3 && kept.err.contains("can't be written: "), "{} {}", kept.code, kept.err);
    }
    assert_eq!((read(&folder, "closed/kept").as_str(), names(&closed).len()), ("old", 2));
}

#[test]
fn what_is_called_like_a_file_of_objects_and_is_none_is_told() {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("deploy/other")).unwrap();
    write(&folder, "deploy/rex.yaml", &pet("rex", "  id: 7\n  name: Rex\n"));
    let path = |name: &str| folder.path().join("deploy").join(name);
    symlink("gone.yaml", path("dangling.yaml")).unwrap();
    symlink("other", path("folder.yml")).unwrap();
    symlink("loop.json", path("loop.json")).unwrap();
    symlink("rex.yaml", path("same.yaml")).unwrap();
    symlink("gone", path("notes")).unwrap();
    let run = shell(&folder, "mkfifo deploy/pipe.yaml; $CHECK deploy");
    for told in [
        "deploy/dangling.yaml: is a link to gone.yaml, which is not there",
        "deploy/folder.yml: is a link to a folder, which is not followed",
        "deploy/loop.json: can't be read: Too many levels",
        "deploy/pipe.yaml: is neither a file nor a folder",
        "1 object checked: 1 admitted, 0 refused, 0 warnings; 4 input errors",
    ] {
        assert!(run.code == 2 && run.out.contains(told), "{told}: {}", run.out);
    }
    // A world is read as what is checked is.
    assert_eq!(shell(&folder, "$CHECK --world deploy deploy/rex.yaml").code, 2);
}

#[test]
fn a_folder_that_may_not_be_read_is_told_by_its_name_and_the_rest_is_checked() {
    let folder = TempDir::new().unwrap();
    for name in ["deploy/a", "deploy/b", "empty"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    write(&folder, "deploy/b/rex.yaml", &pet("rex", BAD));
    fs::set_permissions(folder.path().join("deploy/a"), fs::Permissions::from_mode(0o000)).unwrap();
    let run = shell(&folder, &format!("{PLAIN}$CHECK deploy empty"));
    fs::set_permissions(folder.path().join("deploy/a"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(run.code, 2, "{}", run.err);
    for told in
        ["deploy/a: can't be read: Permission denied", "empty: holds no", "1 object checked", "pets.pet.id"]
    {
        assert!(run.out.contains(told), "{told}: {}", run.out);
    }
}

#[test]
fn an_object_that_is_refused_is_refused_again_in_another_file() {
    let folder = TempDir::new().unwrap();
    let bad = pet("rex", "  id: 7\n  name: Rex\n  tag: '#'\n");
    let (one, two) = (write(&folder, "1.yaml", &bad), write(&folder, "2.yaml", &bad));
    let found = check(&[&one, &two, "-o", "json"], "").json();
    assert_eq!(found["summary"]["refused"], 2, "{found:#}");
    let second = &found["results"][1];
    assert_eq!(
        (&second["operation"], &second["problems"]),
        (&"CREATE".into(), &found["results"][0]["problems"])
    );
    let told = second["warnings"][0]["message"].as_str().unwrap();
    assert_eq!(told, format!("is given before at {one}:2; that one is refused"));
    // Of what is there an update stays an update, and what is admitted first is what counts.
    let good = write(&folder, "0.yaml", &pet("rex", "  id: 7\n  name: Rex\n"));
    for before in [&["--world", &good][..], &[&good]] {
        let found = check(&[before, &[&one, &two, "-o", "json"]].concat(), "").json();
        let results = found["results"].as_array().unwrap().iter();
        let refused: Vec<_> =
            results.filter(|one| one["verdict"] == "refused").map(|one| &one["operation"]).collect();
        assert_eq!(refused, ["UPDATE", "UPDATE"], "{found:#}");
    }
    // What refers to a refused object is judged as if that were mended.
    let shop = SHOP.replace("name: Shop", "name: ''");
    let tom = pet("tom", "  id: 8\n  name: Tom\n  storeRef: {name: shop}\n");
    let found = check(&["-", "-o", "json"], &format!("{shop}---\n{tom}")).json();
    assert_eq!(
        (&found["results"][0]["verdict"], &found["results"][1]["verdict"]),
        (&"refused".into(), &"admitted".into())
    );
}

/// What a variable of CI says when it says nothing.
#[test]
fn a_variable_that_is_empty_or_false_sets_nothing() {
    let folder = TempDir::new().unwrap();
    let rex = write(&folder, "rex.yaml", &pet("rex", BAD));
    let mut plain = program();
    for name in [
        "INIT",
        "OUTPUT",
        "WORLD",
        "NAMESPACE",
        "COLOR",
        "EXPLAIN",
        "POLICY",
        "KIND",
        "BUCKET",
        "PROFILE",
        "RULES",
    ] {
        plain.env(format!("CONCIERGE_CHECK_{name}"), "");
    }
    plain.env("CONCIERGE_CHECK_ALLOW_EMPTY", "").env("CONCIERGE_COFFEE_STRICT_VARIANT_IDS", "");
    let plain = run(plain.args([&rex, "-o", "human"]), "");
    assert!(plain.code == 1 && plain.out.contains("pets.pet.id"), "{}{}", plain.out, plain.err);
    let no = run(program().env("CONCIERGE_CHECK_RULES", "false").arg(&rex), "");
    assert!(no.code == 1 && no.out.contains("pets.pet.id"), "{}{}", no.out, no.err);
    let empty = run(program().env("CONCIERGE_CHECK_ALLOW_EMPTY", "false").arg("-"), "");
    assert_eq!(empty.code, 2, "{}", empty.out);
    // One that says something counts.
    assert!(run(program().env("CONCIERGE_CHECK_RULES", "true"), "").out.contains("pets.pet.id"));
    assert_eq!(run(program().env("CONCIERGE_CHECK_ALLOW_EMPTY", "true").arg("-"), "").code, 0);
}

#[test]
fn what_only_prints_takes_no_report_and_writes_no_fixture() {
    let folder = TempDir::new().unwrap();
    write(&folder, "policy.json", "{}");
    for (arguments, told) in [
        ("--rules --init a", "cannot be used with"),
        ("--rules -o sarif=a", "the rules are listed to standard output only, as human or json"),
        ("--rules -o json=a", "to standard output only"),
        ("--rules -o junit", "to standard output only"),
        ("--rules --world .", "cannot be used with"),
        ("--explain pets.pet.id --init a", "cannot be used with"),
        ("--explain pets.pet.id -o json=a", "cannot be used with"),
        ("--policy policy.json --kind bucket --init a", "cannot be used with"),
        (
            "--policy policy.json --kind bucket -o json=a",
            "a policy document is reported to standard output only",
        ),
        ("--policy policy.json --kind bucket -o sarif", "to standard output only"),
    ] {
        let run = shell(&folder, &format!("$CHECK {arguments}"));
        assert!(run.code == 2 && run.err.contains(told), "{arguments}: {}{}", run.out, run.err);
        assert!(!folder.path().join("a").exists(), "{arguments}");
    }
    let rules = shell(&folder, "$CHECK --rules -o json=/dev/stdout");
    assert!(rules.json().is_array());
}
