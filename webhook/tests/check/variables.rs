//! Flags that are set by variables, and flags that mean nothing where they stand.

use std::{fs, process::Command};

use tempfile::TempDir;

use super::{pet, program, run, write};

const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"}}"#;

#[test]
fn what_is_typed_goes_before_variables_that_contradict_it() {
    let folder = TempDir::new().unwrap();
    let rex = write(&folder, "rex.yaml", &pet("rex", "  id: 7\n  name: Rex\n"));
    let policy = write(&folder, "policy.json", POLICY);
    let case = folder.path().join("case.yaml").display().to_string();
    let for_policy = ["--policy", &policy, "--kind", "identity"];
    for (variable, value, arguments, expect) in [
        ("OUTPUT", "json", &["--explain", "pets.pet.id"][..], "deny by default"),
        ("OUTPUT", "json", &["--init", &case, &rex], "is written"),
        ("WORLD", "nowhere", &["--rules"], "WHAT IT DEMANDS"),
        ("WORLD", "nowhere", &["--explain", "pets.pet.id"], "deny by default"),
        ("WORLD", "nowhere", &for_policy, "0 errors"),
        ("RULES", "true", &[&rex], "1 object checked"),
        ("EXPLAIN", "pets.pet.id", &[&rex], "1 object checked"),
        ("POLICY", "nowhere", &[&rex], "1 object checked"),
        ("KIND", "bucket", &[&rex], "1 object checked"),
    ] {
        let variable = format!("CONCIERGE_CHECK_{variable}");
        let run = run(program().env(&variable, value).args(arguments), "");
        assert!(
            run.code == 0 && run.out.contains(expect),
            "{variable} {arguments:?}: {}{}",
            run.out,
            run.err
        );
    }
    assert!(fs::exists(case).unwrap());
    // What does not contradict it counts, and so does what contradicts another variable.
    let json = run(program().env("CONCIERGE_CHECK_OUTPUT", "json").arg(&rex), "");
    assert_eq!(json.json()["summary"]["checked"], 1);
    let both = run(program().env("CONCIERGE_CHECK_RULES", "true").env("CONCIERGE_CHECK_WORLD", &rex), "");
    assert_eq!(both.code, 2);
    for name in ["CONCIERGE_CHECK_RULES", "CONCIERGE_CHECK_WORLD"] {
        assert!(both.err.contains(&format!("is set by the variable {name}")), "{}", both.err);
    }
}

#[test]
fn a_message_about_a_value_names_the_variable_that_it_comes_from() {
    for (variable, value, flag) in [
        ("CONCIERGE_CHECK_RULES", "maybe", "--rules"),
        ("CONCIERGE_CHECK_OUTPUT", "yaml", "--output <FORMAT[=FILE]>"),
        ("CONCIERGE_ENFORCEMENT", "pets=loud", "--enforcement <RULE=LEVEL,...>"),
        ("CONCIERGE_CHECK_COLOR", "red", "--color <WHEN>"),
    ] {
        let wrong = run(program().env(variable, value), "");
        let told = format!("{flag} is set by the variable {variable}");
        assert!(wrong.code == 2 && wrong.err.contains(&told), "{variable}: {}", wrong.err);
    }
    let typed = run(program().env("CONCIERGE_CHECK_COLOR", "never").args(["-", "--color", "red"]), "");
    assert!(typed.code == 2 && !typed.err.contains("variable"), "{}", typed.err);
}

#[test]
fn a_switch_is_set_by_any_word_for_yes() {
    for (value, code) in
        [("true", 0), ("1", 0), ("yes", 0), ("On", 0), ("0", 2), ("no", 2), ("off", 2), ("FALSE", 2)]
    {
        let empty = run(program().env("CONCIERGE_CHECK_ALLOW_EMPTY", value).arg("-"), "");
        assert_eq!(empty.code, code, "{value}: {}{}", empty.out, empty.err);
    }
}

#[test]
fn a_report_that_a_variable_asks_for_does_not_keep_the_rules_from_being_listed() {
    let listed = |typed: &[&str]| {
        run(program().env("CONCIERGE_CHECK_OUTPUT", "sarif=a.sarif").arg("--rules").args(typed), "")
    };
    let refused = listed(&[]);
    assert!(
        refused.code == 2 && refused.err.contains("--output human goes before CONCIERGE_CHECK_OUTPUT"),
        "{}",
        refused.err
    );
    let human = listed(&["--output", "human"]);
    assert!(human.code == 0 && human.out.contains("pets.pet.id"), "{}{}", human.out, human.err);
}

const CALLER: &str = "--controller=arn:aws:iam::123456789012:user/concierge";

#[test]
fn what_only_a_policy_has_is_refused_beside_files() {
    let folder = TempDir::new().unwrap();
    let rex = write(&folder, "rex.yaml", &pet("rex", "  id: 7\n  name: Rex\n"));
    for flag in
        ["--kind=bucket", "--bucket=photos", "--profile=aws", CALLER, "--plain-http", "--allow-public"]
    {
        for other in [&rex, "--rules", "--explain=pets.pet.id"] {
            let run = run(program().args([flag, other]), "");
            assert!(
                run.code == 2 && run.err.contains("cannot be used with"),
                "{flag} {other}: {}{}",
                run.out,
                run.err
            );
        }
    }
    let help = run(program().arg("--help-all"), "").out;
    assert!(help.contains("wasabi") && help.contains("seaweedfs"), "{help}");
    let wrong = run(program().args(["--policy", "-", "--kind", "bucket", "--profile", "nosuch"]), POLICY);
    assert!(wrong.code == 2 && wrong.err.contains("wasabi"), "{}", wrong.err);
}

#[test]
fn help_is_no_wider_than_a_narrow_screen_where_nobody_says_how_wide_it_is() {
    let help = run(program().env_remove("COLUMNS").arg("--help"), "").out;
    assert_eq!(help.lines().find(|line| line.chars().count() > 80), None, "{help}");
    assert!(help.lines().any(|line| line.chars().count() > 70), "{help}");
}

#[test]
fn help_is_a_flag_and_no_command() {
    for arguments in [&["help"][..], &["help", "check"], &["help", "serve"]] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_concierge-webhook"));
        let told = run(program.args(arguments), "");
        assert!(
            told.code == 2 && told.out.is_empty() && told.err.contains("--help"),
            "{arguments:?}: {}",
            told.err
        );
    }
}
