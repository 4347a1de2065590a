//! The policy language against documents that others wrote, and against services that judge them too.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it finds something wrong")]

mod cases;
mod decisions;
mod documents;
mod hostile;
mod public;
mod table;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use concierge_shared::admission::rule::Level;
use concierge_shared::s3::policy::{PolicyKind, Profile, Subject, lint};
use serde_json::Value;

/// What AWS itself attaches to its users is right, so a rule that refuses it is wrong.
///
/// Size is left out: AWS allows its own policies more than its users'.
#[test]
#[ignore = "soak"]
fn no_policy_that_aws_manages_has_an_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policies");
    let output = Command::new("python3")
        .arg(folder.join("managed.py"))
        .arg(folder.join("managed.txt"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let policies: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(policies.len(), 1_582);
    let subject = Subject { profile: Profile::Aws, ..Subject::new(PolicyKind::Managed) };
    let mut wrong = Vec::new();
    for (name, document) in &policies {
        let findings = lint(&document.to_string(), &subject);
        let errors =
            findings.iter().filter(|one| one.rule.level == Level::Deny && one.rule.id != "s3.policy.siz-02");
        wrong.extend(errors.map(|one| format!("{name}: {} [{}]", one.message, one.rule.id)));
    }
    assert!(wrong.is_empty(), "{} errors:\n{}", wrong.len(), wrong.join("\n"));
}
