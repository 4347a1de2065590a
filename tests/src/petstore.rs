//! A fake Petstore, version 3: `/pet` and `/store/inventory` with a memory.
//!
//! Shapes follow the published OpenAPI document of Petstore v3, base path `/api/v3`. Ids are exact 64-bit
//! integers. Faults, log and sockets as for every fake ([`crate::faults`]).

use std::collections::BTreeMap;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::faults::{Fake, Faults, Host, Listening, Logged, Request, Response};

/// Comes before every path.
pub const BASE: &str = "/api/v3";

/// A pet as the API has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pet {
    /// Chosen by the client, or by the store when absent.
    #[serde(default)]
    pub id: Option<i64>,
    /// Required.
    pub name: String,
    /// Its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Label>,
    /// Required, may be empty.
    pub photo_urls: Vec<String>,
    /// Any number.
    #[serde(default)]
    pub tags: Vec<Label>,
    /// Absent until set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<PetStatus>,
}

/// A category or a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its number.
    #[serde(default)]
    pub id: i64,
    #[serde(default)]
    pub name: String,
}

/// Whether a pet can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PetStatus {
    Available,
    /// Somebody wants it.
    Pending,
    /// Somebody has it.
    Sold,
}

/// A fake Petstore. Clones are the same store.
#[derive(Clone)]
pub struct Petstore {
    host: Arc<Host<State>>,
}

/// A fake Petstore on a port of 127.0.0.1. Dropping it closes the port.
pub struct Served {
    store: Petstore,
    listening: Listening<State>,
}

impl Petstore {
    /// A store without sockets that asks for no key.
    pub fn new(seed: u64) -> Self {
        Self { host: Host::new(State::default(), Timestamp::now(), seed) }
    }

    /// A store on a free port.
    pub async fn start() -> io::Result<Served> {
        let store = Self::new(0);
        let listening = Listening::start(Arc::clone(&store.host)).await?;
        Ok(Served { store, listening })
    }

    /// From now on every request needs this `api_key` header.
    pub fn require_key(&self, key: &str) {
        self.host.with(|state| state.key = Some(key.to_owned()));
    }

    /// From now on it shows tags with numbers of its own.
    pub fn number_tags(&self) {
        self.host.with(|state| state.numbers_tags = true);
    }

    /// The host, for direct calls.
    pub fn host(&self) -> &Arc<Host<State>> {
        &self.host
    }

    /// The rules by which requests go wrong.
    pub fn faults(&self) -> &Faults {
        self.host.faults()
    }

    /// Every request that came.
    pub fn log(&self) -> Vec<Logged> {
        self.host.log()
    }

    /// How many requests of an operation came, such as `PUT /pet`.
    pub fn count(&self, operation: &str) -> usize {
        self.host.count(operation)
    }

    /// The truth: all pets by id.
    pub fn pets(&self) -> Vec<Pet> {
        self.host.with(|state| state.pets.values().cloned().collect())
    }

    /// Puts a pet in behind the clients' backs.
    pub fn put(&self, id: i64, pet: Pet) {
        self.host.with(|state| state.pets.insert(id, Pet { id: Some(id), ..pet }));
    }

    /// Takes a pet out behind the clients' backs.
    pub fn remove(&self, id: i64) {
        self.host.with(|state| state.pets.remove(&id));
    }
}

impl Served {
    /// The base URL, ending in [`BASE`].
    pub fn url(&self) -> String {
        format!("{}{BASE}", self.listening.url())
    }

    /// Ends all connections and refuses new ones.
    pub async fn refuse(&self) -> io::Result<()> {
        self.listening.refuse().await
    }

    /// Accepts connections again.
    pub fn allow(&self) -> io::Result<()> {
        self.listening.allow()
    }
}

impl Deref for Served {
    type Target = Petstore;

    fn deref(&self) -> &Petstore {
        &self.store
    }
}

/// All a store knows.
#[derive(Default)]
pub struct State {
    pets: BTreeMap<i64, Pet>,
    key: Option<String>,
    numbers_tags: bool,
}

type Handler = fn(&mut State, &Request, &str) -> Result<Value, u16>;

const ROUTES: [(&str, Handler); 7] = [
    ("POST /pet", State::add),
    ("PUT /pet", State::update),
    ("GET /pet/findByStatus", State::find_by_status),
    ("GET /pet/findByTags", State::find_by_tags),
    ("GET /pet/{id}", State::get),
    ("DELETE /pet/{id}", State::delete),
    ("GET /store/inventory", State::inventory),
];

impl Fake for State {
    fn operation(&self, request: &Request) -> &'static str {
        find(request).map_or("unknown", |(name, _, _)| name)
    }

    fn caller(&self, request: &Request) -> String {
        let keyed = request.headers.contains_key("api_key");
        if keyed { "with key" } else { "without key" }.to_owned()
    }

    fn handle(&mut self, request: &Request, _: Timestamp) -> Response {
        if self.key.is_some() && self.key.as_ref() != request.headers.get("api_key") {
            return self.error(401, request);
        }
        let Some((_, handler, id)) = find(request) else { return self.error(404, request) };
        match handler(self, request, id) {
            Ok(body) => Response::json(200, &body),
            Err(status) => self.error(status, request),
        }
    }

    fn error(&self, status: u16, _: &Request) -> Response {
        let message = match status {
            400 => "Input error: unable to convert input",
            401 => "Unauthorized",
            404 => "Pet not found",
            429 => "Too many requests",
            _ => "There was an error processing your request",
        };
        Response::json(status, &json!({"code": status, "type": "error", "message": message}))
    }

    fn redact(&self, _: &str, _: &mut Value) {}
}

impl State {
    fn add(&mut self, request: &Request, _: &str) -> Result<Value, u16> {
        let pet = read(request)?;
        let next = self.pets.keys().next_back().map_or(1, |last| last.saturating_add(1));
        let id = pet.id.unwrap_or(next);
        let pet = Pet { id: Some(id), ..pet };
        self.pets.insert(id, pet.clone());
        Ok(json!(pet))
    }

    fn update(&mut self, request: &Request, _: &str) -> Result<Value, u16> {
        let pet = read(request)?;
        let old = self.pets.get_mut(&pet.id.ok_or(400_u16)?).ok_or(404_u16)?;
        *old = pet;
        Ok(json!(old))
    }

    fn get(&mut self, _: &Request, id: &str) -> Result<Value, u16> {
        let id: i64 = id.parse().map_err(|_| 400_u16)?;
        let mut pet = self.pets.get(&id).ok_or(404_u16)?.clone();
        if self.numbers_tags {
            pet.tags.iter_mut().for_each(|tag| tag.id += 4711);
        }
        Ok(json!(pet))
    }

    fn delete(&mut self, _: &Request, id: &str) -> Result<Value, u16> {
        let id: i64 = id.parse().map_err(|_| 400_u16)?;
        self.pets.remove(&id).ok_or(404_u16)?;
        Ok(json!({"code": 200, "type": "unknown", "message": "Pet deleted"}))
    }

    fn find_by_status(&mut self, request: &Request, _: &str) -> Result<Value, u16> {
        let asked = values(request, "status");
        let asked = if asked.is_empty() { vec!["available".to_owned()] } else { asked };
        let asked: Result<Vec<PetStatus>, _> =
            asked.into_iter().map(|text| serde_json::from_value(Value::String(text))).collect();
        let asked = asked.map_err(|_| 400_u16)?;
        let fits = |pet: &&Pet| pet.status.is_some_and(|status| asked.contains(&status));
        Ok(json!(self.pets.values().filter(fits).collect::<Vec<_>>()))
    }

    fn find_by_tags(&mut self, request: &Request, _: &str) -> Result<Value, u16> {
        let asked = values(request, "tags");
        if asked.is_empty() {
            return Err(400);
        }
        let fits = |pet: &&Pet| pet.tags.iter().any(|tag| asked.contains(&tag.name));
        Ok(json!(self.pets.values().filter(fits).collect::<Vec<_>>()))
    }

    fn inventory(&mut self, _: &Request, _: &str) -> Result<Value, u16> {
        let mut counts = BTreeMap::<String, u32>::new();
        for status in self.pets.values().filter_map(|pet| pet.status) {
            *counts.entry(json!(status).as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        Ok(json!(counts))
    }
}

fn find(request: &Request) -> Option<(&'static str, Handler, &str)> {
    let path = request.path().strip_prefix(BASE)?;
    ROUTES.iter().find_map(|(name, handler)| {
        let (method, route) = name.split_once(' ')?;
        if method != request.method {
            return None;
        }
        let id = match route.strip_suffix("{id}") {
            Some(start) => path.strip_prefix(start).filter(|id| !id.is_empty() && !id.contains('/'))?,
            None => (path == route).then_some("")?,
        };
        Some((*name, *handler, id))
    })
}

fn read(request: &Request) -> Result<Pet, u16> {
    let pet: Pet = serde_json::from_slice(&request.body).map_err(|_| 400_u16)?;
    if pet.name.is_empty() { Err(400) } else { Ok(pet) }
}

/// A query parameter's values, repeated or separated by commas.
fn values(request: &Request, name: &str) -> Vec<String> {
    let pairs = url::form_urlencoded::parse(request.query().as_bytes());
    let texts = pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    texts
        .flat_map(|text| text.split(',').map(str::to_owned).collect::<Vec<_>>())
        .filter(|it| !it.is_empty())
        .collect()
}
