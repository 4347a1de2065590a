//! What a request costs does not grow with the number of objects: nothing walks a kind.
#![allow(clippy::unwrap_used, clippy::panic)] // also in what tests call

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use concierge_shared::{
    admission::{
        envelope::Operation,
        fresh::Fresh,
        lookup::{Found, Lookup, Namespace, Need, Query, Selection, World, first_wanted},
        object::Raw,
        review::{Context, Evaluation, Request, Stage},
        rule::Enforcement,
    },
    group::Settings,
    index::Stored,
    kind::{KINDS, Kind, KindInfo, Visitor, by_name, store, visit_kinds},
};
use concierge_webhook::check::fixture::{Fixture, Verdict};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");
/// How many objects of each kind there are.
const CROWD: usize = 10_000;
/// The same where a crowd of its own is made for each of some requests, or of a sample.
const SMALL_CROWD: usize = 2_600;
/// The same, more than any rule looks at: whoever looks at all of a kind looks at more of the crowd.
const FEW: usize = 2_000;
/// How many objects a rule may look at. Who uses an object is counted up to 500, in each kind of a group.
const READS: usize = 8_000;
/// How many reads of the API server a request may cost.
const LIVE_READS: usize = 40;

/// The account of all namespaces that have none of their own.
const DEFAULT_ACCOUNT: &str = "zoo/cluster";

fn fixtures() -> &'static [Fixture] {
    static ALL: LazyLock<Vec<Fixture>> = LazyLock::new(|| Fixture::load_all(FIXTURES).unwrap());
    &ALL
}

/// Counts each object that is looked at.
struct Counting<'a> {
    behind: &'a World,
    reads: AtomicUsize,
}

impl Counting<'_> {
    fn note(&self, count: usize) {
        self.reads.fetch_add(count, Relaxed);
    }
}

impl Lookup for Counting<'_> {
    fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Found {
        self.note(1);
        self.behind.find(kind, namespace, name)
    }

    fn select(&self, kind: &'static str, key: &str) -> Selection {
        let selection = self.behind.select(kind, key);
        self.note(1 + selection.objects.len());
        selection
    }

    /// As a cache does, which takes objects out before it looks at them.
    fn first(&self, query: Query<'_>, limit: usize, wanted: &dyn Fn(&Stored) -> bool) -> Selection {
        self.note(1);
        let first = |many| {
            let some = self.behind.first(query, many, &|_| true).objects;
            self.note(some.len());
            some
        };
        Selection { objects: first_wanted(limit, wanted, first), complete: true }
    }

    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        self.note(1);
        self.behind.count(kind, key)
    }

    fn count_all(&self, kind: &'static str, namespace: &str) -> Option<usize> {
        self.note(1);
        self.behind.count_all(kind, namespace)
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.note(1);
        self.behind.namespace(name)
    }
}

/// Makes the object one of a crowd, of which each is younger than what a request is about.
fn become_one_of_many(metadata: &mut ObjectMeta, number: usize) {
    metadata.name = Some(format!("crowd-{number}"));
    metadata.uid = Some(format!("crowd-{number}"));
    metadata.creation_timestamp = Some(Time(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(2)));
}

/// Makes the object older than any of a crowd.
fn grow_old(object: &mut Value) {
    object["metadata"]["uid"] = json!("old");
    object["metadata"]["creationTimestamp"] = json!("1970-01-01T00:00:00Z");
}

/// A request.
struct Asked {
    kind: &'static KindInfo,
    operation: Operation,
    namespace: String,
    object: Option<Value>,
    old: Option<Value>,
}

impl Asked {
    fn evaluate(&self, lookup: &dyn Lookup) -> Evaluation {
        let (object, old) =
            (self.object.as_ref().map(Value::to_string), self.old.as_ref().map(Value::to_string));
        let (object, old) = (object.as_deref().map(Raw::from), old.as_deref().map(Raw::from));
        let request = Request {
            stage: Stage::Validate,
            operation: self.operation,
            namespace: &self.namespace,
            user: None,
            object: object.as_ref(),
            old: old.as_ref(),
        };
        let (enforcement, mut settings) = (Enforcement::default(), Settings::default());
        settings.coffee.default_account = Some(DEFAULT_ACCOUNT.to_owned());
        (self.kind.evaluate)(&request, &Context { lookup, enforcement: &enforcement, settings: &settings })
    }

    /// Decides as the server does, reading again what a refusal rests on; how many objects were looked at and read.
    fn cost(&self, world: &World) -> (usize, usize) {
        let counting = Counting { behind: world, reads: AtomicUsize::new(0) };
        let mut fresh = Fresh::new(&counting);
        let (mut read, mut most) = (HashSet::new(), 0);
        for _ in 0..3 {
            let evaluation = self.evaluate(&fresh);
            most = most.max(counting.reads.swap(0, Relaxed));
            let doubtful = !evaluation.denials.is_empty() || !evaluation.unresolved.is_empty();
            let needs = evaluation.needs.into_iter().filter(|need| doubtful && !read.contains(need));
            let needs: Vec<_> = needs.collect();
            // What nothing is read for comes out as it did.
            if needs.is_empty() {
                break;
            }
            for need in needs {
                let (objects, complete) = live(world, &need);
                fresh.insert(&need, objects, complete);
                read.insert(need);
            }
        }
        (most, read.len())
    }
}

/// What the API server says to a need. Nobody reads a list that can't be read to its end.
fn live(world: &World, need: &Need) -> (Vec<Stored>, bool) {
    if let Need::List { kind, namespace } = need {
        let count = world.count_all(kind, namespace).unwrap();
        assert!(count <= Need::LIMIT as usize, "{need} would read some of {count} objects");
    }
    match need {
        Need::Object { kind, namespace, name } => match world.find(kind, namespace, name) {
            Found::Present(object) => (vec![object], true),
            Found::Absent | Found::Unknown => (Vec::new(), true),
        },
        Need::List { .. } | Need::Namespace { .. } | Need::Permission { .. } => (Vec::new(), false),
    }
}

/// What most objects are.
#[derive(Clone, Copy, Debug)]
enum Crowd {
    Alive,
    /// Being deleted, as all of a namespace are for a while.
    Terminating,
}

/// An object of each kind and shape, and the requests about it, of the fixtures.
struct Fixtures {
    templates: BTreeMap<&'static str, Vec<Value>>,
    around: Vec<Value>,
    asked: Vec<Asked>,
}

impl Fixtures {
    fn load() -> Self {
        let (mut templates, mut around, mut asked) =
            (BTreeMap::<_, Vec<Value>>::new(), Vec::new(), Vec::new());
        let mut shapes = BTreeSet::new();
        for fixture in fixtures() {
            around.extend(fixture.world.iter().filter(|one| one["kind"] != "Namespace").cloned());
            let admitted = fixture.expect.verdict == Verdict::Admitted;
            let template = fixture.object.as_ref().or(fixture.old.as_ref()).filter(|_| admitted).cloned();
            if let Some(mut template) = template {
                template["metadata"]["namespace"] = json!(fixture.namespace);
                let spec = template["spec"].as_object().unwrap();
                let named: Vec<_> = spec.keys().filter(|key| key.ends_with("Ref")).cloned().collect();
                let of_kind = templates.entry(fixture.kind.name).or_default();
                if of_kind.len() < 4 && shapes.insert((fixture.kind.name, named)) {
                    of_kind.push(template);
                }
            }
            let (kind, operation) = (fixture.kind, fixture.operation);
            let (namespace, object, old) =
                (fixture.namespace.clone(), fixture.object.clone(), fixture.old.clone());
            if let (Operation::Create, Some(object)) = (operation, &object) {
                let mut stored = object.clone();
                stored["metadata"]["namespace"] = json!(namespace);
                let (namespace, old) = (namespace.clone(), Some(stored));
                asked.push(Asked { kind, operation: Operation::Delete, namespace, object: None, old });
            }
            if object.is_some() {
                // What the reconciler asks before it acts.
                let (namespace, mut object) = (namespace.clone(), object.clone());
                object.iter_mut().for_each(grow_old);
                asked.push(Asked { kind, operation: Operation::Update, namespace, object, old: None });
            }
            asked.push(Asked { kind, operation, namespace, object, old });
        }
        Self { templates, around, asked }
    }

    /// The worlds of all fixtures, and a crowd: `count` more objects of each kind.
    fn world(&self, count: usize, crowd: Crowd) -> World {
        let mut world = World::default();
        let mut insert = |kind: &str, object: Value| {
            // What does not fit the schema is in no cache.
            if let Ok(stored) = (by_name(kind).unwrap().store)(object) {
                world.insert(stored);
            }
        };
        for object in &self.around {
            insert(object["kind"].as_str().unwrap(), object.clone());
        }
        visit_kinds(&mut Growing { templates: &self.templates, count, crowd, world: &mut world });
        world
    }

    /// The deletion of whatever the crowd refers to.
    fn deletions(&self) -> Vec<Asked> {
        let (mut asked, mut seen) = (Vec::new(), HashSet::new());
        for object in self.templates.values().flatten() {
            let namespace = object["metadata"]["namespace"].as_str().unwrap();
            for (field, value) in object["spec"].as_object().unwrap() {
                let Some(name) = field.ends_with("Ref").then(|| value["name"].as_str()).flatten() else {
                    continue;
                };
                // Most refer to the same objects.
                if !seen.insert((namespace, name)) {
                    continue;
                }
                for (kind, templates) in &self.templates {
                    let mut old = templates[0].clone();
                    old["metadata"]["name"] = json!(name);
                    old["metadata"]["namespace"] = json!(namespace);
                    let (kind, namespace) = (by_name(kind).unwrap(), namespace.to_owned());
                    asked.push(Asked {
                        kind,
                        operation: Operation::Delete,
                        namespace,
                        object: None,
                        old: Some(old),
                    });
                }
            }
        }
        asked
    }
}

/// Adds the crowd of each kind.
struct Growing<'a> {
    templates: &'a BTreeMap<&'static str, Vec<Value>>,
    count: usize,
    crowd: Crowd,
    world: &'a mut World,
}

impl Visitor for Growing<'_> {
    fn visit<K: Kind>(&mut self) {
        // What does not fit the schema is in no cache.
        let read = |template: &Value| serde_json::from_value::<K>(template.clone()).ok();
        let templates: Vec<_> = self.templates[K::NAME].iter().map(read).collect();
        for number in 0..self.count {
            let Some(mut object) = templates[number % templates.len()].clone() else { continue };
            become_one_of_many(object.meta_mut(), number);
            if let Crowd::Terminating = self.crowd {
                object.meta_mut().deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
            }
            self.world.insert(store(Arc::new(object)));
        }
    }
}

#[test]
fn neither_a_request_nor_a_run_looks_at_more_objects_because_there_are_more() {
    nothing_grows_with(Crowd::Alive, CROWD, 1);
}

/// A sample: one of four requests, so that deletions, runs and requests take turns, and a smaller crowd.
#[test]
fn neither_a_request_nor_a_run_looks_at_more_objects_because_more_are_being_deleted() {
    nothing_grows_with(Crowd::Terminating, SMALL_CROWD, 4);
}

#[test]
#[ignore = "soak"]
fn no_request_and_no_run_at_all_looks_at_more_objects_because_more_are_being_deleted() {
    nothing_grows_with(Crowd::Terminating, CROWD, 1);
}

/// Asks all deletions of what the crowd of `count` uses, and one of `every` other requests.
fn nothing_grows_with(crowd: Crowd, count: usize, every: usize) {
    let fixtures = Fixtures::load();
    assert_eq!(fixtures.templates.len(), KINDS.len(), "each kind has a fixture that is admitted");
    let (few, crowd) = (fixtures.world(FEW, crowd), fixtures.world(count, crowd));
    let (mut failures, mut most) = (Vec::new(), BTreeMap::<_, [usize; 2]>::new());
    for asked in fixtures.deletions().iter().chain(fixtures.asked.iter().step_by(every)) {
        let ((among_few, _), (reads, live_reads)) = (asked.cost(&few), asked.cost(&crowd));
        let of_kind = most.entry((asked.kind.name, asked.operation.as_str())).or_default();
        *of_kind = [of_kind[0].max(reads), of_kind[1].max(live_reads)];
        if reads > READS || reads > among_few + 10 || live_reads > LIVE_READS {
            let subject = asked.object.as_ref().or(asked.old.as_ref()).unwrap();
            failures.push(format!(
                "{:?} of {subject}: {among_few} reads among {FEW} objects, {reads} among {count}, {live_reads} live",
                asked.operation
            ));
        }
    }
    let some = failures[..failures.len().min(9)].join("\n");
    assert!(failures.is_empty(), "{} requests:\n{some}", failures.len());
    for ((kind, operation), [reads, live_reads]) in most {
        println!("{operation} of {kind}: at most {reads} objects are looked at, {live_reads} read live");
    }
}

/// Fixtures, and the kind of which there is a crowd that is found and is not what is looked for: it is younger, takes other Pipelines, or
/// has an account of its own.
const IN_VAIN: [(&str, &str); 5] = [
    ("orasi/storage/reject/overlap.yaml", "Storage"),
    ("catalyst/project/accept/warns-same-repository.yaml", "Project"),
    ("s3/accesskey/reject/iam-09.yaml", "AccessKey"),
    ("orasi/pipeline/reject/in-use.yaml", "Configuration"),
    ("coffee/terminalaccount/reject/in-use-default.yaml", "CoffeeProfile"),
];

fn asked_in_vain(fixture: &Fixture) -> Asked {
    let Fixture { kind, operation, namespace, object, old, .. } = fixture;
    let (mut object, mut old, mut namespace) = (object.clone(), old.clone(), namespace.clone());
    object.iter_mut().chain(&mut old).for_each(grow_old);
    if let (Some(account), "TerminalAccount") = (&mut old, kind.name) {
        let (of, name) = DEFAULT_ACCOUNT.split_once('/').unwrap();
        (account["metadata"]["namespace"], account["metadata"]["name"]) = (json!(of), json!(name));
        namespace = of.to_owned();
    }
    // As the reconciler asks before it acts, unless it is a deletion.
    let operation = if object.is_some() { Operation::Update } else { *operation };
    Asked { kind: fixture.kind, operation, namespace, object, old }
}

/// The fixture's world, with a crowd instead of its objects of this kind.
fn world_in_vain(fixture: &Fixture, crowd: &str, count: usize) -> World {
    let mut world = World::default();
    let (members, others): (Vec<_>, Vec<_>) = fixture.world.iter().partition(|one| one["kind"] == crowd);
    let others = others.into_iter().filter_map(|one| Some((one["kind"].as_str()?, one)));
    for (kind, object) in others.filter_map(|(kind, object)| Some((by_name(kind)?, object))) {
        world.insert((kind.store)(object.clone()).unwrap());
    }
    for number in 0..count {
        let mut one = (*members.last().unwrap()).clone();
        let mut metadata = serde_json::from_value(one["metadata"].take()).unwrap();
        become_one_of_many(&mut metadata, number);
        one["metadata"] = json!(metadata);
        if crowd == "Configuration" {
            one["spec"]["pipelines"]["matchLabels"]["zone"] = json!("another");
        }
        world.insert((by_name(crowd).unwrap().store)(one).unwrap());
    }
    world
}

/// What can't be looked at whole is not taken for unused.
#[test]
fn a_pipeline_that_may_be_taken_is_not_deleted_however_many_come_before() {
    let fixtures = Fixture::load_all(FIXTURES).unwrap();
    let fixture =
        fixtures.iter().find(|one| one.path.ends_with("orasi/pipeline/reject/in-use.yaml")).unwrap();
    let (asked, crowd) = (asked_in_vain(fixture), "Configuration");
    let taker = fixture.world.iter().find(|one| one["kind"] == crowd).unwrap();
    for (count, is_taken, expect) in [
        (100, false, None),
        (100, true, Some("is in use by Configuration lake/main; delete or change")),
        (
            SMALL_CROWD,
            false,
            Some("may be in use by objects that are too many to be looked at; delete or change some"),
        ),
        (SMALL_CROWD, true, Some("may be in use by objects that are too many to be looked at")),
    ] {
        let mut world = world_in_vain(fixture, crowd, count);
        if is_taken {
            world.insert((by_name(crowd).unwrap().store)(taker.clone()).unwrap());
        }
        let denials = asked.evaluate(&world).denials;
        let messages: Vec<_> = denials.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages.len(), usize::from(expect.is_some()), "{count} {is_taken}: {messages:?}");
        assert!(messages.iter().all(|one| one.contains(expect.unwrap())), "{count} {is_taken}: {messages:?}");
    }
}

#[test]
fn what_is_found_and_not_wanted_does_not_make_a_request_dearer() {
    for (path, crowd) in IN_VAIN {
        let fixture = fixtures().iter().find(|one| one.path.ends_with(path)).unwrap();
        let asked = asked_in_vain(fixture);
        let cost = |count| asked.cost(&world_in_vain(fixture, crowd, count)).0;
        let (none, few, many) = (cost(0), cost(FEW), cost(SMALL_CROWD));
        assert!(few >= none + 40, "{path}: the crowd is not found: {none} reads without, {few} with it");
        assert!(
            many <= few + 10 && many <= READS,
            "{path}: {few} reads among {FEW}, {many} among {SMALL_CROWD}"
        );
    }
}
