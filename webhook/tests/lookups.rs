//! What rules look up may be seen wrongly: a cache is behind, or is not believed at all. Each fixture is decided in
//! worlds that differ from what its cache shows.

#![allow(clippy::unwrap_used, clippy::panic)] // also in what tests call

use std::collections::{BTreeMap, BTreeSet, HashSet};

use concierge_shared::{
    admission::{
        lookup::{Fresh, Lookup, Need, Nothing, World},
        object::Raw,
        review::{Context, Evaluation, Request, Stage},
        rule::Enforcement,
    },
    index::Stored,
    kind::by_name,
    settings::Settings,
};
use concierge_webhook::check::fixture::{Fixture, Verdict};
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");

/// As often as the server reads before it believes.
const ROUNDS: usize = 3;

/// The rules that refuse because of other objects. One that is missing here was not put to the test.
const RULES: &[&str] = &[
    "coffee.account.in-use",
    "coffee.address.account-exists",
    "coffee.address.in-use",
    "coffee.app.account-exists",
    "coffee.card.account-exists",
    "coffee.card.in-use",
    "coffee.card.test-token",
    "coffee.card.unique",
    "coffee.cart.account-exists",
    "coffee.cart.address-exists",
    "coffee.cart.card-exists",
    "coffee.cart.same-account",
    "coffee.cart.subscription-only",
    "coffee.cart.unique",
    "coffee.cart.variant-exists",
    "coffee.order.account-exists",
    "coffee.order.address-exists",
    "coffee.order.card-exists",
    "coffee.order.profile-exists",
    "coffee.order.same-account",
    "coffee.order.subscription-only",
    "coffee.order.test-token",
    "coffee.order.variant-exists",
    "coffee.profile.account-exists",
    "coffee.profile.in-use",
    "coffee.profile.unique",
    "coffee.subscription.account-exists",
    "coffee.subscription.address-exists",
    "coffee.subscription.card-exists",
    "coffee.subscription.not-offered",
    "coffee.subscription.profile-exists",
    "coffee.subscription.same-account",
    "coffee.subscription.unique",
    "coffee.subscription.variant-exists",
    "coffee.token.account-exists",
    "pets.pet.capacity",
    "pets.pet.store-exists",
    "pets.pet.tag-allowed",
    "pets.pet.tag-required",
    "pets.pet.unique-id",
    "pets.petstore.in-use",
];

fn stored(object: &Value) -> Option<Stored> {
    let kind = by_name(object["kind"].as_str()?)?;
    (kind.store)(object.clone()).ok()
}

fn world(objects: &[Value]) -> World {
    let mut world = World::default();
    objects.iter().filter_map(stored).for_each(|object| world.insert(object));
    world
}

/// The objects around the fixture's, as they are when the request comes.
fn around(fixture: &Fixture) -> Vec<Value> {
    fixture.world.iter().chain(&fixture.old).filter(|object| stored(object).is_some()).cloned().collect()
}

fn evaluate(fixture: &Fixture, lookup: &dyn Lookup) -> Evaluation {
    let json = |object: &Option<Value>| object.as_ref().map(Value::to_string);
    let (object, old) = (json(&fixture.object), json(&fixture.old));
    let (object, old) = (object.as_deref().map(Raw::from), old.as_deref().map(Raw::from));
    let request = Request {
        stage: Stage::Validate,
        operation: fixture.operation,
        namespace: &fixture.namespace,
        object: object.as_ref(),
        old: old.as_ref(),
    };
    let context = Context { lookup, enforcement: &Enforcement::default(), settings: &Settings::default() };
    (fixture.kind.evaluate)(&request, &context)
}

/// Evaluates against `cache` and, as the server does, against what is read of `truth`.
fn confirmed(fixture: &Fixture, cache: &dyn Lookup, truth: &[Value]) -> Evaluation {
    let truth: Vec<_> = truth.iter().filter_map(stored).collect();
    let mut fresh = Fresh::new(cache);
    let mut evaluation = evaluate(fixture, &fresh);
    let mut known = HashSet::new();
    for _ in 0..ROUNDS {
        let needs: Vec<_> = evaluation.needs.iter().filter(|need| !known.contains(*need)).cloned().collect();
        for need in &needs {
            let wanted = |object: &&Stored| match need {
                Need::Object { kind, namespace, name } => {
                    (object.kind(), object.namespace(), object.name()) == (*kind, &**namespace, &**name)
                }
                Need::List { kind, namespace } => {
                    object.kind() == *kind && (namespace.is_empty() || object.namespace() == namespace)
                }
            };
            fresh.insert(need, truth.iter().filter(wanted).cloned().collect(), true);
        }
        known.extend(needs);
        evaluation = evaluate(fixture, &fresh);
    }
    evaluation
}

fn denials(evaluation: &Evaluation) -> BTreeSet<(&'static str, String)> {
    evaluation.denials.iter().map(|denial| (denial.rule.id, denial.field.to_string())).collect()
}

type Id = (String, String, String);

fn id(object: &Value) -> Id {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&object["kind"]), text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}

/// What a cache may show instead of `truth`: one object less, one more, or one as it was before.
fn stale(truth: &[Value], versions: &BTreeMap<Id, Vec<Value>>) -> Vec<Vec<Value>> {
    let mut stale = Vec::new();
    for (index, object) in truth.iter().enumerate() {
        let mut without = truth.to_vec();
        without.remove(index);
        stale.push(without);
        for other in versions.get(&id(object)).into_iter().flatten().filter(|other| *other != object) {
            let mut before = truth.to_vec();
            before[index] = other.clone();
            stale.push(before);
        }
    }
    stale
}

fn versions(fixtures: &[Fixture]) -> BTreeMap<Id, Vec<Value>> {
    let mut versions = BTreeMap::<_, Vec<Value>>::new();
    for object in fixtures.iter().flat_map(around) {
        let known = versions.entry(id(&object)).or_default();
        if !known.contains(&object) {
            known.push(object);
        }
    }
    versions
}

#[test]
fn a_stale_cache_refuses_nothing_that_a_live_read_admits() {
    let fixtures = Fixture::load_all(FIXTURES).unwrap();
    let versions = versions(&fixtures);
    let mut corrected = BTreeSet::new();
    let mut check = |fixture: &Fixture, cache: &[Value], truth: &[Value]| {
        let right = denials(&evaluate(fixture, &world(truth)));
        let first = denials(&evaluate(fixture, &world(cache)));
        let last = denials(&confirmed(fixture, &world(cache), truth));
        let wrong: Vec<_> = last.difference(&right).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}\n{cache:#?}\n{truth:#?}", fixture.path.display());
        corrected.extend(first.difference(&right).map(|(rule, _)| *rule));
    };
    for fixture in &fixtures {
        let around = around(fixture);
        for other in stale(&around, &versions) {
            check(fixture, &other, &around);
            check(fixture, &around, &other);
        }
    }
    let missing: Vec<_> = RULES.iter().filter(|rule| !corrected.contains(**rule)).collect();
    assert!(missing.is_empty(), "not put to the test: {missing:?}");
    let new: Vec<_> = corrected.iter().filter(|rule| !RULES.contains(rule)).collect();
    assert!(new.is_empty(), "to be listed in RULES: {new:?}");
}

#[test]
fn what_would_be_refused_is_not_admitted_by_a_cache_that_is_not_believed() {
    for fixture in Fixture::load_all(FIXTURES).unwrap() {
        let found = evaluate(&fixture, &Nothing);
        let admitted = found.denials.is_empty() && found.unresolved.is_empty();
        let refused = fixture.expect.verdict == Verdict::Refused;
        assert!(!(refused && admitted), "{}: {found:#?}", fixture.path.display());
    }
}

#[test]
fn without_a_cache_live_reads_lead_to_the_same_denials() {
    for fixture in Fixture::load_all(FIXTURES).unwrap() {
        let around = around(&fixture);
        let found = confirmed(&fixture, &Nothing, &around);
        let path = fixture.path.display();
        assert_eq!(denials(&found), denials(&evaluate(&fixture, &world(&around))), "{path}");
        assert!(found.unresolved.is_empty(), "{path}: {:?}", found.unresolved);
    }
}
