//! The fixtures that the library, the HTTPS server and a real API server have in common, run in the library.

#![allow(clippy::unwrap_used, clippy::panic)] // also in what tests call

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    path::Path,
    sync::LazyLock,
};

use concierge_shared::{
    admission::{
        answer::{Answer, Refusal, Subject},
        review::Evaluation,
        rule::Level,
    },
    kind::all_rules,
};
use concierge_webhook::check::fixture::{Fixture, Outcome, Verdict};
use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");

/// Rules that no fixture can break, and why.
const UNREACHABLE: [(&str, &str); 7] = [
    ("object.lookup", "everything in a fixture's world can be looked up"),
    ("object.namespace-rules", "files with such a namespace are refused at the annotation itself"),
    ("catalyst.environment.host-free", "an operator has to reserve one; shared/src/catalyst/tests.rs does"),
    ("catalyst.environment.id-setter", "an operator has to name somebody; shared/src/catalyst/tests.rs does"),
    ("s3.quota.iam-12", "it takes thousands of objects; shared/src/s3/tests.rs makes them"),
    ("s3.quota.iam-13", "it takes thousands of objects; shared/src/s3/tests.rs makes them"),
    ("orasi.document.unhide", "an operator has to name somebody; shared/src/orasi/tests.rs does"),
];

/// How the ids of the rules of policy documents begin. A table in shared/src/s3/policy/tests/ has a document that breaks
/// each and a near miss; of these rules a sample is broken here.
const DOCUMENTS: &str = "s3.policy.";

/// Groups whose fixtures are still to be written.
const AWAITED: [&str; 0] = [];

fn fixtures() -> &'static [Fixture] {
    static ALL: LazyLock<Vec<Fixture>> = LazyLock::new(|| Fixture::load_all(FIXTURES).unwrap());
    &ALL
}

fn enforced_rules() -> impl Iterator<Item = &'static str> {
    let enforced = all_rules().into_iter().map(|(rule, _)| rule).filter(|rule| rule.level != Level::Off);
    let reachable = enforced.map(|rule| rule.id).filter(|id| UNREACHABLE.iter().all(|(rule, _)| rule != id));
    let told = reachable.filter(|id| !AWAITED.iter().any(|group| id.split('.').next() == Some(group)));
    told.filter(|id| !id.starts_with(DOCUMENTS))
}

#[test]
fn a_group_with_fixtures_is_no_longer_awaited() {
    for group in AWAITED {
        assert!(!Path::new(FIXTURES).join(group).exists(), "{group} is here; take it off the list");
    }
}

#[test]
fn every_fixture_holds() {
    let fails = |one: &Fixture| one.run().err().map(|why| format!("{}\n{why}", one.path.display()));
    let failures: Vec<_> = fixtures().iter().filter_map(fails).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn every_fixture_lies_where_its_kind_and_verdict_say() {
    for fixture in fixtures() {
        let path = fixture.path.display();
        let folders: Vec<_> = fixture.path.iter().rev().skip(1).take(2).collect();
        let verdict = if fixture.expect.verdict == Verdict::Refused { "reject" } else { "accept" };
        let mutate = folders[0] == "mutate" && fixture.expect.defaults.is_some();
        assert!(mutate || folders[0] == verdict, "{path}");
        assert_eq!(folders[1].to_str().unwrap(), fixture.kind.name.to_lowercase(), "{path}");
    }
}

#[test]
fn every_rule_has_a_fixture_that_breaks_it() {
    let fixtures = fixtures();
    let found = fixtures.iter().flat_map(|one| one.expect.problems.iter().chain(&one.expect.warnings));
    let broken: BTreeSet<_> = found.map(|one| one.rule.as_str()).collect();
    let missing: Vec<_> = enforced_rules().filter(|rule| !broken.contains(rule)).collect();
    assert!(missing.is_empty(), "no fixture breaks {missing:?}");
    let of_documents = broken.iter().filter(|rule| rule.starts_with(DOCUMENTS)).count();
    assert!(of_documents >= 30, "only {of_documents} rules of policy documents are broken");
}

/// A near miss is an admitted fixture of a kind that has the rule, whose name begins with the rule's last word or last
/// two words, and that does not break it.
#[test]
fn every_rule_has_a_near_miss_that_is_admitted() {
    let fixtures = fixtures();
    let is_near_miss = |fixture: &Fixture, rule: &str| {
        let parts: Vec<_> = rule.split('.').collect();
        let name = fixture.path.file_stem().unwrap().to_str().unwrap();
        let begins = |words: &str| {
            name.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        (begins(parts[2]) || begins(&parts[1..].join("-")))
            && fixture.kind.rules.iter().any(|one| one.id == rule)
            && fixture.expect.verdict == Verdict::Admitted
            && fixture.expect.warnings.iter().all(|one| one.rule != rule)
    };
    let of_kinds = enforced_rules().filter(|rule| !rule.starts_with("object."));
    let missing: Vec<_> =
        of_kinds.filter(|rule| !fixtures.iter().any(|one| is_near_miss(one, rule))).collect();
    assert!(missing.is_empty(), "no near miss for {missing:?}");
}

/// Every world can be made with plain creates, one after another, so that a real API server can have it too.
#[test]
fn every_world_can_be_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.json");
    let created = |object: &Value, world: &[Value]| {
        let case = json!({"apiVersion": "check.concierge.dev/v1", "kind": "Fixture", "world": world,
                          "object": object, "expect": {"verdict": "admitted"}});
        fs::write(&path, case.to_string()).unwrap();
        Fixture::load(&path).unwrap().outcome()
    };
    let (mut failures, mut made) = (Vec::new(), HashSet::new());
    for fixture in fixtures() {
        let id = |object: &Value| (object["kind"].clone(), object["metadata"].clone());
        let old = fixture.old.iter().filter(|old| fixture.world.iter().all(|one| id(one) != id(old)));
        let world: Vec<_> = fixture.world.iter().chain(old).cloned().collect();
        let mut before = String::new();
        for (index, object) in world.iter().enumerate() {
            before.push_str(&object.to_string());
            // Most fixtures begin with the same objects.
            if object["kind"] == "Namespace" || !made.insert(before.clone()) {
                continue;
            }
            let found = created(object, &world[..index]);
            if found.verdict != Verdict::Admitted {
                failures.push(format!("{}: {:?}", fixture.path.display(), found.problems));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What the server's answers say, read back, is what the evaluation said.
#[test]
fn answers_say_what_fixtures_expect() {
    for fixture in fixtures() {
        let Evaluation { denials, warnings, patch, .. } = fixture.evaluate();
        let subject = Subject { group: "g", kind: "k", name: "n" };
        let validating = match denials.is_empty() {
            true => Answer::admitted("u", &warnings),
            false => Answer::refused("u", subject, Refusal::Invalid, &denials, &warnings),
        };
        let mutating = Answer::patched("u", &patch, &warnings);
        let json = |answer: Answer| serde_json::from_slice::<Value>(&answer.to_json()).unwrap();
        let (mutating, validating) = (json(mutating), json(validating));
        let mutating = fixture.object.as_ref().map(|_| &mutating);
        let outcome = Outcome::of_answers(fixture, mutating, &validating);
        assert_eq!(fixture.expect.compare(&outcome), Ok(()), "{}", fixture.path.display());
    }
}

/// The reviews of a fixture of each kind, operation and verdict. `make soak` has all.
#[test]
fn a_sample_of_reviews_is_answered_like_the_fixtures() {
    let mut seen = HashSet::new();
    let of = |one: &Fixture| (one.kind.name, one.operation.as_str(), one.expect.verdict.to_string());
    let sample: Vec<_> = fixtures().iter().filter(|one| seen.insert(of(one))).collect();
    println!("the reviews of {} of {} fixtures; make soak has all", sample.len(), fixtures().len());
    reviews_are_answered_like(&sample);
}

#[test]
#[ignore = "soak"]
fn reviews_of_fixtures_are_answered_like_the_fixtures() {
    reviews_are_answered_like(&fixtures().iter().collect::<Vec<_>>());
}

/// Each review, checked as a file with the fixture's world around it, comes out like the fixture.
fn reviews_are_answered_like(fixtures: &[&Fixture]) {
    let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get());
    std::thread::scope(|scope| {
        for part in fixtures.chunks(fixtures.len().div_ceil(cores)) {
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                part.iter().for_each(|fixture| review_is_answered_like(fixture, folder.path()));
            });
        }
    });
}

fn review_is_answered_like(fixture: &Fixture, folder: &Path) {
    let (world, review) = (folder.join("world.json"), folder.join("review.json"));
    let items = json!({"apiVersion": "v1", "kind": "List", "items": fixture.world});
    fs::write(&world, items.to_string()).unwrap();
    fs::write(&review, fixture.review("uid-1").to_string()).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_concierge-webhook"))
        .args(["check", "-o", "json", "--world"])
        .args([&world, &review])
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = &found["results"][0];
    assert_eq!(found["verdict"], fixture.expect.verdict.to_string(), "{}", fixture.path.display());
    // In the order of the file's lines here, and in any order there.
    let warnings = found["warnings"].as_array().unwrap().iter().map(|one| one["rule"].as_str().unwrap());
    let mut warnings: Vec<_> = warnings.collect();
    let mut expect: Vec<_> = fixture.expect.warnings.iter().map(|one| &*one.rule).collect();
    warnings.sort_unstable();
    expect.sort_unstable();
    assert_eq!(warnings, expect, "{}", fixture.path.display());
}
