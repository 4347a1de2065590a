//! What rules look up may be seen wrongly: a cache is behind, or is not believed at all. Each fixture is decided in
//! worlds that differ from what its cache shows.

#![allow(clippy::unwrap_used, clippy::panic)] // also in what tests call

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use concierge_shared::{
    admission::{
        fresh::Fresh,
        lookup::{Found, Lookup, Namespace, Need, Nothing, Query, Selection, World},
        object::Raw,
        review::{Context, Evaluation, Request, Stage},
        rule::Enforcement,
    },
    group::Settings,
    index::Stored,
    kind::{Kind, Visitor, by_name, store, visit_kinds},
};
use concierge_webhook::check::fixture::{Fixture, Verdict};
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");

fn fixtures() -> &'static [Fixture] {
    static ALL: LazyLock<Vec<Fixture>> = LazyLock::new(|| Fixture::load_all(FIXTURES).unwrap());
    &ALL
}

/// As often as the server reads before it believes.
const ROUNDS: usize = 3;

/// The rules that refuse because of other objects. One that is missing here was not put to the test.
const RULES: &[&str] = &[
    "catalyst.environment.container",
    "catalyst.environment.host-unique",
    "catalyst.environment.mode",
    "catalyst.environment.name",
    "catalyst.environment.project-exists",
    "catalyst.environment.project-full",
    "catalyst.environment.target-unique",
    "catalyst.environment.type",
    "catalyst.project.in-use",
    "catalyst.project.source-used",
    "catalyst.project.template-used",
    "coffee.account.in-use",
    "coffee.address.in-use",
    "coffee.card.in-use",
    "coffee.card.test-token",
    "coffee.card.unique",
    "coffee.cart.unique",
    "coffee.profile.in-use",
    "coffee.profile.unique",
    "coffee.reference.account-exists",
    "coffee.reference.address-exists",
    "coffee.reference.card-exists",
    "coffee.reference.profile-exists",
    "coffee.reference.same-account",
    "coffee.subscription.unique",
    "coffee.variant.exists",
    "coffee.variant.not-offered",
    "coffee.variant.subscription-only",
    "orasi.configuration.config-map-unique",
    "orasi.connector.in-use",
    "orasi.document.storage-exists",
    "orasi.document.storage-type",
    "orasi.pipeline.connector-exists",
    "orasi.pipeline.connector-type",
    "orasi.pipeline.in-use",
    "orasi.pipeline.storage-exists",
    "orasi.pipeline.unique",
    "orasi.storage.in-use",
    "orasi.storage.overlap",
    "orasi.storage.place-immutable",
    "orasi.storage.unique",
    "pets.pet.capacity",
    "pets.pet.store-exists",
    "pets.pet.tag-allowed",
    "pets.pet.tag-required",
    "pets.pet.unique-id",
    "pets.petstore.in-use",
    "s3.accesskey.iam-09",
    "s3.accesskey.one-rotates",
    "s3.accesskey.same-provider",
    "s3.accesskey.secret-unique",
    "s3.accesskey.user-exists",
    "s3.bucket.children",
    "s3.bucket.enc-05",
    "s3.bucket.in-use",
    "s3.bucket.rights",
    "s3.bucket.same-endpoint",
    "s3.bucket.unique",
    "s3.bucketpolicy.bucket-exists",
    "s3.bucketpolicy.dup-01",
    "s3.bucketpolicy.pub-01",
    "s3.iam.iam-02",
    "s3.iampolicy.iam-16",
    "s3.iampolicy.in-use",
    "s3.policy.lck-01",
    "s3.policy.pub-02",
    "s3.policy.res-07",
    "s3.policy.ten-01",
    "s3.provider.immutable",
    "s3.provider.in-use",
    "s3.reference.iam-endpoint",
    "s3.reference.provider-exists",
    "s3.user.caller",
    "s3.user.in-use",
    "s3.user.policy-exists",
    "s3.user.same-provider",
];

/// An object of a world.
#[derive(Clone)]
struct Object {
    json: Arc<Value>,
    stored: Stored,
}

impl Object {
    fn new(json: &Value) -> Option<Self> {
        let kind = by_name(json["kind"].as_str()?)?;
        let stored = (kind.store)(json.clone()).ok()?;
        Some(Self { json: Arc::new(json.clone()), stored })
    }
}

fn world(objects: &[Object]) -> World {
    let mut world = World::default();
    objects.iter().for_each(|object| world.insert(object.stored.clone()));
    world
}

/// The objects around the fixture's, as they are when the request comes.
fn around(fixture: &Fixture) -> Vec<Object> {
    fixture.world.iter().chain(&fixture.old).filter_map(Object::new).collect()
}

fn evaluate(fixture: &Fixture, lookup: &dyn Lookup) -> Arc<Evaluation> {
    let json = |object: &Option<Value>| object.as_ref().map(Value::to_string);
    let (object, old) = (json(&fixture.object), json(&fixture.old));
    let (object, old) = (object.as_deref().map(Raw::from), old.as_deref().map(Raw::from));
    let request = Request {
        stage: Stage::Validate,
        operation: fixture.operation,
        namespace: &fixture.namespace,
        user: None,
        object: object.as_ref(),
        old: old.as_ref(),
    };
    let context = Context { lookup, enforcement: &Enforcement::default(), settings: &Settings::default() };
    Arc::new((fixture.kind.evaluate)(&request, &context))
}

/// What comes of `first`, an evaluation against `cache`, once the server has read of `truth` what it rests on.
fn confirmed(
    fixture: &Fixture,
    cache: &dyn Lookup,
    first: &Arc<Evaluation>,
    truth: &[Object],
) -> Arc<Evaluation> {
    let mut fresh = Fresh::new(cache);
    let mut evaluation = first.clone();
    let mut known = HashSet::new();
    for _ in 0..ROUNDS {
        let needs: Vec<_> = evaluation.needs.iter().filter(|need| !known.contains(*need)).cloned().collect();
        // What nothing is read for comes out as it did.
        if needs.is_empty() {
            break;
        }
        for need in &needs {
            if let Need::Namespace { name } = need {
                fresh.insert_namespace(name, None);
            }
            let wanted = |object: &&Stored| match need {
                Need::Object { kind, namespace, name } => {
                    (object.kind(), object.namespace(), object.name()) == (*kind, &**namespace, &**name)
                }
                Need::List { kind, namespace } => {
                    object.kind() == *kind && (namespace.is_empty() || object.namespace() == namespace)
                }
                Need::Namespace { .. } | Need::Permission { .. } => false,
            };
            let truth = truth.iter().map(|object| &object.stored);
            fresh.insert(need, truth.filter(wanted).cloned().collect(), true);
        }
        known.extend(needs);
        evaluation = evaluate(fixture, &fresh);
    }
    evaluation
}

type Denials = BTreeSet<(&'static str, String)>;

fn denials(evaluation: &Evaluation) -> Denials {
    evaluation.denials.iter().map(|denial| (denial.rule.id, denial.field.to_string())).collect()
}

type Id = (&'static str, String, String);

fn id(object: &Object) -> Id {
    let Object { stored, .. } = object;
    (stored.kind(), stored.namespace().to_owned(), stored.name().to_owned())
}

/// What a cache may show instead of `truth`: one object less, one more, or one as it was before. With the kind of that one.
fn stale(truth: &[Object], versions: &BTreeMap<Id, Vec<Object>>) -> Vec<(&'static str, Vec<Object>)> {
    let mut stale = Vec::new();
    for (index, object) in truth.iter().enumerate() {
        let mut without = truth.to_vec();
        without.remove(index);
        let kind = object.stored.kind();
        stale.push((kind, without));
        for other in versions.get(&id(object)).into_iter().flatten().filter(|other| other.json != object.json)
        {
            let mut before = truth.to_vec();
            before[index] = other.clone();
            stale.push((kind, before));
        }
    }
    stale
}

/// How many versions of an object are kept: each fixture is put to the test with each version of each object around.
const VERSIONS: usize = 6;

fn versions(fixtures: &[Fixture]) -> BTreeMap<Id, Vec<Object>> {
    let mut versions = BTreeMap::<_, Vec<Object>>::new();
    for object in fixtures.iter().flat_map(around) {
        let known = versions.entry(id(&object)).or_default();
        if known.len() < VERSIONS && known.iter().all(|one| one.json != object.json) {
            known.push(object);
        }
    }
    versions
}

#[test]
fn a_stale_cache_refuses_nothing_that_a_live_read_admits() {
    let versions = versions(fixtures());
    let mut corrected = BTreeSet::new();
    for fixture in fixtures() {
        let judged = |objects: &[Object]| {
            let world = world(objects);
            let evaluation = evaluate(fixture, &world);
            (world, evaluation)
        };
        let mut check = |(cached, first): &(World, Arc<Evaluation>), truth: &[Object], right: &Denials| {
            let last = denials(&confirmed(fixture, cached, first, truth));
            let wrong: Vec<_> = last.difference(right).collect();
            assert!(wrong.is_empty(), "{}: {wrong:?}", fixture.path.display());
            corrected.extend(denials(first).difference(right).map(|(rule, _)| *rule));
        };
        let around = around(fixture);
        let here = judged(&around);
        let of_around = denials(&here.1);
        let counting = Counting::of(&here.0);
        evaluate(fixture, &counting);
        let asked = counting.kinds.into_inner().unwrap();
        // What is of a kind that nobody asks about changes nothing.
        let others = stale(&around, &versions).into_iter().filter(|(kind, _)| asked.contains(kind));
        for (_, other) in others {
            let there = judged(&other);
            check(&there, &around, &of_around);
            check(&here, &other, &denials(&there.1));
        }
    }
    let missing: Vec<_> = RULES.iter().filter(|rule| !corrected.contains(**rule)).collect();
    assert!(missing.is_empty(), "not put to the test: {missing:?}");
    let new: Vec<_> = corrected.iter().filter(|rule| !RULES.contains(rule)).collect();
    assert!(new.is_empty(), "to be listed in RULES: {new:?}");
}

#[test]
fn what_would_be_refused_is_not_admitted_by_a_cache_that_is_not_believed() {
    for fixture in fixtures() {
        let found = evaluate(fixture, &Nothing);
        let admitted = found.denials.is_empty() && found.unresolved.is_empty();
        let refused = fixture.expect.verdict == Verdict::Refused;
        assert!(!(refused && admitted), "{}: {found:#?}", fixture.path.display());
    }
}

#[test]
fn without_a_cache_live_reads_lead_to_the_same_denials() {
    for fixture in fixtures() {
        let around = around(fixture);
        let found = confirmed(fixture, &Nothing, &evaluate(fixture, &Nothing), &around);
        let path = fixture.path.display();
        assert_eq!(denials(&found), denials(&evaluate(fixture, &world(&around))), "{path}");
        assert!(found.unresolved.is_empty(), "{path}: {:?}", found.unresolved);
    }
}

/// Counts the objects that it gives out, and the questions; and notes which kinds these are about.
struct Counting<'a> {
    behind: &'a World,
    reads: AtomicUsize,
    kinds: Mutex<BTreeSet<&'static str>>,
}

impl<'a> Counting<'a> {
    fn of(behind: &'a World) -> Self {
        Self { behind, reads: AtomicUsize::new(0), kinds: Mutex::default() }
    }

    fn add(&self, kind: &'static str, reads: usize) {
        self.reads.fetch_add(1 + reads, Ordering::Relaxed);
        self.kinds.lock().unwrap().insert(kind);
    }
}

impl Lookup for Counting<'_> {
    fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Found {
        self.add(kind, 1);
        self.behind.find(kind, namespace, name)
    }

    fn select(&self, kind: &'static str, key: &str) -> Selection {
        let selection = self.behind.select(kind, key);
        self.add(kind, selection.objects.len());
        selection
    }

    fn first(&self, query: Query<'_>, limit: usize, wanted: &dyn Fn(&Stored) -> bool) -> Selection {
        let looked_at = AtomicUsize::new(0);
        let selection = self.behind.first(query, limit, &|object| {
            looked_at.fetch_add(1, Ordering::Relaxed);
            wanted(object)
        });
        self.add(query.kind, looked_at.into_inner());
        selection
    }

    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        self.add(kind, 0);
        self.behind.count(kind, key)
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.behind.namespace(name)
    }
}

/// How many objects a request may look at, however many there are.
const MOST_READS: usize = 3_000;
/// More than may be looked at.
const CROWD: usize = 3_200;

/// The fixture's world with some thousands more of `sample`.
fn crowded(fixture: &Fixture, sample: &Stored) -> World {
    let mut crowd = Crowd { sample, world: world(&around(fixture)) };
    visit_kinds(&mut crowd);
    crowd.world
}

struct Crowd<'a> {
    sample: &'a Stored,
    world: World,
}

impl Visitor for Crowd<'_> {
    fn visit<K: Kind>(&mut self) {
        let Some(sample) = self.sample.get::<K>() else { return };
        for number in 0..CROWD {
            let mut copy = (*sample).clone();
            copy.meta_mut().name = Some(format!("copy-{number}"));
            self.world.insert(store(Arc::new(copy)));
        }
    }
}

/// What a kind's objects are looked up by does not make requests dearer, the more of them there are.
#[test]
fn no_request_looks_at_all_objects_of_a_kind() {
    let mut dearest = BTreeMap::<_, &Fixture>::new();
    for fixture in fixtures() {
        // One of each kind and operation, refused if possible, with as much as possible around it.
        let rank = |one: &Fixture| (one.expect.verdict == Verdict::Refused, one.world.len());
        let of = (fixture.kind.name, fixture.operation.as_str());
        if dearest.get(&of).is_none_or(|known| rank(known) < rank(fixture)) {
            dearest.insert(of, fixture);
        }
    }
    for ((kind, operation), fixture) in dearest {
        let own = fixture.object.as_ref().or(fixture.old.as_ref()).and_then(Object::new);
        let other = fixture.world.iter().rev().find_map(Object::new);
        for Object { stored, .. } in other.into_iter().chain(own) {
            let crowded = crowded(fixture, &stored);
            let counting = Counting::of(&crowded);
            let found = evaluate(fixture, &counting);
            let reads = counting.reads.into_inner();
            let what = format!("{operation} of a {kind} among many {}", stored.kind());
            assert!(reads <= MOST_READS, "{what}: {reads} reads, {}", fixture.path.display());
            assert!(found.needs.len() <= 50, "{what}: {:?}", found.needs);
        }
    }
}

/// Refusing to delete a store with many pets reads again those that the refusal names, and no list.
#[test]
fn a_refused_deletion_reads_again_what_it_names() {
    let is_refused =
        |one: &&Fixture| one.old.is_some() && one.object.is_none() && one.expect.verdict == Verdict::Refused;
    let mut kinds = BTreeSet::new();
    for fixture in fixtures().iter().filter(is_refused) {
        let denied = evaluate(fixture, &world(&around(fixture)));
        let users: Vec<_> = denied.needs.iter().filter(|need| need.kind() != fixture.kind.name).collect();
        let objects = fixture.world.iter().filter_map(Object::new).map(|object| object.stored);
        let mut objects = objects.filter(|one| users.iter().any(|need| one.kind() == need.kind()));
        let Some(user) = objects.next_back() else { continue };
        let found = evaluate(fixture, &crowded(fixture, &user));
        let is_list = |need: &Need| matches!(need, Need::List { .. }) && need.kind() == user.kind();
        let listed = found.needs.iter().any(is_list);
        kinds.insert(fixture.kind.name);
        assert!(!listed && !found.needs.is_empty(), "{}: {:?}", fixture.path.display(), found.needs);
        assert!(!found.denials.is_empty(), "{}", fixture.path.display());
    }
    assert!(kinds.contains("PetStore") && kinds.contains("CoffeeCard"), "{kinds:?}");
}
