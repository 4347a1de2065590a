//! What a request costs does not grow with the number of objects: nothing walks a kind.
#![allow(clippy::unwrap_used, clippy::panic)] // also in what tests call

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use concierge_shared::{
    admission::{
        envelope::Operation,
        fresh::Fresh,
        lookup::{Found, Lookup, Namespace, Need, Query, Selection, World},
        object::Raw,
        review::{Context, Evaluation, Request, Stage},
        rule::Enforcement,
    },
    group::Settings,
    index::Stored,
    kind::{KINDS, KindInfo, by_name},
};
use concierge_webhook::check::fixture::{Fixture, Verdict};
use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");
/// How many objects of each kind there are.
const CROWD: usize = 10_000;
/// The same, few enough to be built quickly and more than any rule looks at.
const FEW: usize = 2_000;
/// How many objects a rule may look at. Who uses an object is counted up to 500, in each kind of a group.
const READS: usize = 8_000;
/// How many reads of the API server a request may cost.
const LIVE_READS: usize = 40;

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

    fn first(&self, query: Query<'_>, limit: usize, wanted: &dyn Fn(&Stored) -> bool) -> Selection {
        self.note(1);
        self.behind.first(query, limit, &|object| {
            self.note(1);
            wanted(object)
        })
    }

    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        self.note(1);
        self.behind.count(kind, key)
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.note(1);
        self.behind.namespace(name)
    }
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
        let (enforcement, settings) = (Enforcement::default(), Settings::default());
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
            for need in needs.collect::<Vec<_>>() {
                let (objects, complete) = live(world, &need);
                fresh.insert(&need, objects, complete);
                read.insert(need);
            }
        }
        (most, read.len())
    }
}

/// What the API server says to a need: of a list, one page.
fn live(world: &World, need: &Need) -> (Vec<Stored>, bool) {
    match need {
        Need::Object { kind, namespace, name } => match world.find(kind, namespace, name) {
            Found::Present(object) => (vec![object], true),
            Found::Absent | Found::Unknown => (Vec::new(), true),
        },
        // There are ten thousand, of which a page shows none that matters.
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
        for fixture in Fixture::load_all(FIXTURES).unwrap() {
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
            let Fixture { kind, operation, namespace, object, old, .. } = fixture;
            if let (Operation::Create, Some(object)) = (operation, &object) {
                let mut stored = object.clone();
                stored["metadata"]["namespace"] = json!(namespace);
                let (namespace, old) = (namespace.clone(), Some(stored));
                asked.push(Asked { kind, operation: Operation::Delete, namespace, object: None, old });
            }
            if object.is_some() {
                // What the reconciler asks before it acts.
                let (namespace, object) = (namespace.clone(), object.clone());
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
        for (kind, templates) in &self.templates {
            for number in 0..count {
                let mut object = templates[number % templates.len()].clone();
                object["metadata"]["name"] = json!(format!("crowd-{number}"));
                if let Crowd::Terminating = crowd {
                    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
                }
                insert(kind, object);
            }
        }
        world
    }

    /// The deletion of whatever the crowd refers to.
    fn deletions(&self) -> Vec<Asked> {
        let mut asked = Vec::new();
        for object in self.templates.values().flatten() {
            let namespace = object["metadata"]["namespace"].as_str().unwrap();
            for (field, value) in object["spec"].as_object().unwrap() {
                let Some(name) = field.ends_with("Ref").then(|| value["name"].as_str()).flatten() else {
                    continue;
                };
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

#[test]
fn neither_a_request_nor_a_run_looks_at_more_objects_because_there_are_more() {
    nothing_grows_with(Crowd::Alive);
}

#[test]
fn neither_a_request_nor_a_run_looks_at_more_objects_because_more_are_being_deleted() {
    nothing_grows_with(Crowd::Terminating);
}

fn nothing_grows_with(crowd: Crowd) {
    let fixtures = Fixtures::load();
    assert_eq!(fixtures.templates.len(), KINDS.len(), "each kind has a fixture that is admitted");
    let (few, crowd) = (fixtures.world(FEW, crowd), fixtures.world(CROWD, crowd));
    let (mut failures, mut most) = (Vec::new(), BTreeMap::<_, [usize; 2]>::new());
    for asked in fixtures.deletions().iter().chain(&fixtures.asked) {
        let ((among_few, _), (reads, live_reads)) = (asked.cost(&few), asked.cost(&crowd));
        let of_kind = most.entry((asked.kind.name, asked.operation.as_str())).or_default();
        *of_kind = [of_kind[0].max(reads), of_kind[1].max(live_reads)];
        if reads > READS || reads > among_few + 10 || live_reads > LIVE_READS {
            let subject = asked.object.as_ref().or(asked.old.as_ref()).unwrap();
            failures.push(format!(
                "{:?} of {subject}: {among_few} reads among {FEW} objects, {reads} among {CROWD}, {live_reads} live",
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
