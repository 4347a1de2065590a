//! Admission without a cluster: requests are decided one after another, in a world that is all in memory.

pub(crate) mod apply;
pub(crate) mod hints;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use concierge_shared::{
    admission::{
        defaults,
        envelope::{Operation, UserInfo},
        lookup::{Found, Lookup, Namespace, NamespaceFound, Query, Selection, World},
        object::Raw,
        problem::Problem,
        review::{Context, Evaluation, Request, Stage},
        rule::{AdmissionRule, Enforcement, Level, SCHEMA},
    },
    field::at,
    group::Settings,
    index::Stored,
    kind::KindInfo,
};
use serde_json::Value;

use crate::check::{
    input::{Submission, User, source::BadInput},
    schema::{self, Submitted},
};

/// A request to decide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub kind: &'static KindInfo,
    pub operation: Operation,
    /// Who asks, where that is known: rules about users judge nobody else.
    pub user: Option<&'a User>,
    pub namespace: &'a str,
    pub object: Option<&'a Value>,
    pub old: Option<&'a Value>,
}

/// What came of a request.
#[derive(Debug)]
pub(crate) struct Decision {
    pub evaluation: Evaluation,
    /// The object with its defaults.
    pub defaulted: Option<Value>,
}

/// Kind, namespace and name.
pub(crate) type Id = (&'static str, String, String);

/// A cluster in memory.
#[derive(Default)]
pub(crate) struct Offline {
    /// Every object that is given, in its last version.
    everything: World,
    /// What was there before the request that is decided now.
    before: World,
    /// The JSON of what was there before.
    stored: HashMap<Id, Value>,
    /// Objects that are there but can't be read.
    unreadable: HashSet<Id>,
    enforcement: Enforcement,
    settings: Settings,
}

/// The world as a request about an object of one kind sees it.
///
/// Objects given together may refer to each other in any order. But of the objects of its own kind a request
/// sees only those that came before, as if they were created in turn: of two pets with one id, the second is
/// refused, and of eleven pets in a store for ten, the eleventh.
struct Around<'a> {
    offline: &'a Offline,
    kind: &'static str,
    /// When only what came before is seen, of all kinds: what was looked for and comes later.
    later: Option<Mutex<Vec<Id>>>,
}

impl Offline {
    /// An empty cluster with the operator's levels and bounds.
    pub(crate) fn new(enforcement: Enforcement, settings: Settings) -> Self {
        Self { enforcement, settings, ..Self::default() }
    }

    /// An empty cluster with the same levels and bounds.
    pub(crate) fn emptied(&self) -> Self {
        Self::new(self.enforcement.clone(), self.settings.clone())
    }

    /// Whether every rule has its own level, and every setting its default.
    pub(crate) fn is_usual(&self) -> bool {
        self.enforcement.is_empty() && self.settings == Settings::default()
    }

    pub(crate) fn insert_namespace(&mut self, name: String, namespace: Namespace) {
        self.everything.insert_namespace(name, namespace);
    }

    /// Adds an object that is there before any request.
    pub(crate) fn insert(&mut self, kind: &'static KindInfo, namespace: &str, object: &Value) {
        self.announce(kind, namespace, object);
        self.suppose(kind, object);
        self.store(kind, namespace, object);
    }

    /// Adds an object of the world around, with its defaults; what is wrong with it when it can't be read.
    pub(crate) fn insert_given(&mut self, given: &Submission) -> Option<BadInput> {
        let Submission { kind, namespace, object, .. } = given;
        let object = self.with_defaults(kind, namespace, object.as_ref()?);
        self.insert(kind, namespace, &object);
        (kind.store)(object.clone()).err()?;
        Some(unreadable(given, &object))
    }

    /// Adds an object that will be asked for, so that objects of other kinds can refer to it.
    pub(crate) fn announce(&mut self, kind: &'static KindInfo, namespace: &str, object: &Value) {
        match (kind.store)(object.clone()) {
            Ok(stored) => self.everything.insert(stored),
            Err(_) => {
                self.unreadable.insert(id(kind, namespace, object));
            }
        }
    }

    /// Adds an object for others to see, that has been decided on.
    pub(crate) fn suppose(&mut self, kind: &'static KindInfo, object: &Value) {
        if let Ok(stored) = (kind.store)(object.clone()) {
            self.before.insert(stored);
        }
    }

    /// Stores an object, so that the next one with its name is an update.
    pub(crate) fn store(&mut self, kind: &'static KindInfo, namespace: &str, object: &Value) {
        self.stored.insert(id(kind, namespace, object), object.clone());
    }

    /// Takes an object out.
    pub(crate) fn remove(&mut self, kind: &'static KindInfo, namespace: &str, object: &Value) {
        let id = id(kind, namespace, object);
        self.everything.remove(kind.name, namespace, &id.2);
        self.before.remove(kind.name, namespace, &id.2);
        self.stored.remove(&id);
    }

    /// The JSON of the object of this kind and name that was there before.
    pub(crate) fn stored(&self, kind: &'static KindInfo, namespace: &str, object: &Value) -> Option<&Value> {
        self.stored.get(&id(kind, namespace, object))
    }

    /// The object with its defaults, as the mutating call would leave it.
    pub(crate) fn with_defaults(&self, kind: &'static KindInfo, namespace: &str, object: &Value) -> Value {
        let operation = Operation::Create;
        let asked = Asked { kind, operation, user: None, namespace, object: Some(object), old: None };
        self.mutate(&asked).1.unwrap_or_else(|| object.clone())
    }

    /// Decides a request with both calls, as the API server makes them.
    pub(crate) fn decide(&self, asked: &Asked<'_>) -> Decision {
        let (mut evaluation, mut defaulted) = self.mutate(asked);
        // The API server drops a status before the validating call.
        if let Some(object) = defaulted.as_mut().and_then(Value::as_object_mut) {
            object.remove("status");
        }
        let validated = Asked { object: defaulted.as_ref().or(asked.object), ..*asked };
        let mut validation = self.evaluate(&validated, Stage::Validate, &self.around(asked.kind.name));
        evaluation.denials.append(&mut validation.denials);
        evaluation.warnings.append(&mut validation.warnings);
        // What can't be looked up here is an object that is given and can't be read; that is said where it is.
        Decision {
            evaluation: Evaluation { unresolved: Vec::new(), ..with(evaluation, validation) },
            defaulted,
        }
    }

    /// Why an object, with its defaults, is refused when only what came before it is there, and what it looks for
    /// then that comes later.
    pub(crate) fn decide_in_turn(&self, asked: &Asked<'_>) -> (Vec<Problem>, Vec<Id>) {
        let around = Around { later: Some(Mutex::default()), ..self.around(asked.kind.name) };
        let denials = self.evaluate(asked, Stage::Validate, &around).denials;
        let mut later = around.later.unwrap_or_default().into_inner().unwrap_or_else(PoisonError::into_inner);
        // Several rules look for one object.
        let mut seen = HashSet::new();
        later.retain(|id| seen.insert(id.clone()));
        (denials, later)
    }

    fn around(&self, kind: &'static str) -> Around<'_> {
        Around { offline: self, kind, later: None }
    }

    /// The level of `rule` in `namespace`.
    pub(crate) fn level(&self, namespace: &str, rule: &AdmissionRule) -> Level {
        let lookup = self.around("");
        let context = Context { lookup: &lookup, enforcement: &self.enforcement, settings: &self.settings };
        concierge_shared::admission::review::level(&context, namespace, rule)
    }

    fn mutate(&self, asked: &Asked<'_>) -> (Evaluation, Option<Value>) {
        let evaluation = self.evaluate(asked, Stage::Mutate, &self.around(asked.kind.name));
        let defaulted = asked.object.map(|object| {
            let raw = object.to_string();
            defaults::apply(&raw, &evaluation.patch).unwrap_or_else(|_| object.clone())
        });
        (evaluation, defaulted)
    }

    fn evaluate(&self, asked: &Asked<'_>, stage: Stage, lookup: &Around<'_>) -> Evaluation {
        let (object, old) = (asked.object.map(Value::to_string), asked.old.map(Value::to_string));
        let (object, old) = (object.as_deref().map(Raw::from), old.as_deref().map(Raw::from));
        let user = asked.user.map(|user| UserInfo::new(&user.username, &user.groups));
        let request = Request {
            stage,
            operation: asked.operation,
            namespace: asked.namespace,
            user: user.as_ref(),
            object: object.as_ref(),
            old: old.as_ref(),
        };
        let context = Context { lookup, enforcement: &self.enforcement, settings: &self.settings };
        (asked.kind.evaluate)(&request, &context)
    }
}

/// What is wrong with `object`, which is `given` and can't be read.
pub(crate) fn unreadable(given: &Submission, object: &Value) -> BadInput {
    let Submission { kind, source, node, .. } = given;
    let found = schema::check(&Submitted { kind, object, old: None, node: Some(node) });
    let problem = found.into_iter().find(|problem| problem.rule == &SCHEMA);
    let (field, why) = problem.map_or((at("kind"), "its fields have other types".to_owned()), |problem| {
        let why = format!("{}: {}", problem.field, problem.message);
        (problem.field, why)
    });
    let message = format!("is no {} that can be in a cluster: {why}", kind.name);
    BadInput::at(source, node.locate(&field), message)
}

/// The mutating call's findings with what only the validating call tells.
fn with(mutation: Evaluation, validation: Evaluation) -> Evaluation {
    Evaluation { claims: validation.claims, taken: validation.taken, needs: validation.needs, ..mutation }
}

fn id(kind: &'static KindInfo, namespace: &str, object: &Value) -> Id {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    (kind.name, namespace.to_owned(), name.to_owned())
}

impl Lookup for Around<'_> {
    fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Found {
        let id = || (kind, namespace.to_owned(), name.to_owned());
        match (&self.later, self.offline.everything.find(kind, namespace, name)) {
            (Some(later), Found::Present(_)) => {
                let before = self.offline.before.find(kind, namespace, name);
                if !matches!(before, Found::Present(_)) {
                    later.lock().unwrap_or_else(PoisonError::into_inner).push(id());
                }
                before
            }
            (_, Found::Absent) if self.offline.unreadable.contains(&id()) => Found::Unknown,
            (_, found) => found,
        }
    }

    fn select(&self, kind: &'static str, key: &str) -> Selection {
        self.world(kind).select(kind, key)
    }

    fn first(&self, query: Query<'_>, limit: usize, wanted: &dyn Fn(&Stored) -> bool) -> Selection {
        self.world(query.kind).first(query, limit, wanted)
    }

    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        self.world(kind).count(kind, key)
    }

    /// Files say nothing of rights.
    fn may_read(&self, _kind: &'static str, _namespace: &str, _name: &str) -> Option<bool> {
        Some(true)
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.offline.everything.namespace(name)
    }

    fn find_namespace(&self, name: &str) -> NamespaceFound {
        self.offline.everything.find_namespace(name)
    }
}

impl Around<'_> {
    fn world(&self, kind: &str) -> &World {
        if kind == self.kind || self.later.is_some() {
            &self.offline.before
        } else {
            &self.offline.everything
        }
    }
}
