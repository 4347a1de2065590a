//! Processes of the reconciler, an API server, and the shop.

use std::{sync::Arc, time::Duration};

use concierge_reconciler::{
    coffee::{self, Shops},
    engine::{
        Engine, Kinds, ObjectKey, Outside, Settings,
        clock::{Clock, Random},
        cluster::Cluster,
        crash::{CrashPoint, Hook},
        lease::{Leadership, LeaseSettings},
        metrics::Metrics,
    },
};
use concierge_shared::{admission::rule::Enforcement, settings};
use concierge_tests::shop::{SEGFAULT, Shop};
use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::{Connection, Server},
    view::View,
};

pub(crate) const LEASE: Duration = Duration::from_secs(15);
pub(crate) const REQUEST: Duration = Duration::from_secs(6);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// The token of the account `default`.
pub(crate) const TOKEN: &str = "trm_test_5d41402abc4b2a76b9719d911017c592";

/// An API server and a shop.
pub(crate) struct World {
    pub(crate) server: Arc<Server>,
    pub(crate) shop: Shop,
}

/// How a process behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nature {
    /// How far its cache is behind.
    pub(crate) lag: Duration,
    /// Where something happens to it, with an object of which kind, and the how-manieth time it gets there.
    pub(crate) fate: Option<(CrashPoint, &'static str, usize)>,
    /// What happens: nothing more, or nothing for so long.
    pub(crate) frozen_for: Option<Duration>,
    pub(crate) concurrency: Option<usize>,
}

/// A running process. Dropped, it is dead at once.
pub(crate) struct Process {
    tasks: Vec<JoinHandle<()>>,
    pub(crate) metrics: Metrics,
    /// True once what was to happen to it has happened.
    pub(crate) struck: watch::Receiver<bool>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl World {
    /// Nothing but an account, `default`, with its token.
    pub(crate) fn new() -> Self {
        let server = Server::new();
        let shop = Shop::at(server.now(), 7);
        shop.account(TOKEN);
        let world = Self { server, shop };
        world.account("default", TOKEN);
        world
    }

    /// An account with a profile, an address and a card, all called `default`.
    pub(crate) fn furnished() -> Self {
        let world = Self::new();
        world.furnish("default", "tok_visa");
        world
    }

    /// A TerminalAccount of this name and the Secret with its token.
    pub(crate) fn account(&self, name: &str, token: &str) -> ObjectKey {
        self.shop.account(token);
        self.secret(&format!("{name}-token"), "token", token);
        let spec = json!({
            "baseUrl": "http://shop.default.svc",
            "tokenSecretRef": { "name": format!("{name}-token"), "key": "token" },
        });
        self.put("TerminalAccount", name, json!({}), spec)
    }

    /// A profile, an address and a card of this name, at the account of this name.
    pub(crate) fn furnish(&self, name: &str, token: &str) {
        let at = json!({ "name": name });
        let profile = json!({ "name": "Ada", "email": "ada@example.com", "accountRef": at });
        self.put("CoffeeProfile", name, json!({}), profile);
        let mut address = place();
        address["accountRef"] = at.clone();
        self.put("CoffeeAddress", name, json!({}), address);
        self.put("CoffeeCard", name, json!({}), json!({ "cardToken": token, "accountRef": at }));
    }

    pub(crate) fn secret(&self, name: &str, key: &str, value: &str) {
        self.server.user_puts(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": name, "namespace": "default" },
            "data": { key: ByteString(value.as_bytes().to_vec()) },
        }));
    }

    pub(crate) fn order(&self, name: &str) -> ObjectKey {
        self.put("CoffeeOrder", name, json!({}), order_spec("default", 1))
    }

    pub(crate) fn subscription(&self, name: &str) -> ObjectKey {
        let mut spec = order_spec("default", 1);
        spec["schedule"] = json!({ "type": "weekly", "interval": 2 });
        self.put("CoffeeSubscription", name, json!({}), spec)
    }

    pub(crate) fn put(&self, kind: &'static str, name: &str, metadata: Value, spec: Value) -> ObjectKey {
        let mut object = json!({
            "apiVersion": "coffee.terminal.sh/v1alpha1",
            "kind": kind,
            "metadata": { "name": name, "namespace": "default" },
            "spec": spec,
        });
        object["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        self.server.user_puts(object);
        ObjectKey::new(kind, "default", name)
    }

    /// Starts a process.
    pub(crate) fn start(&self, identity: &str, nature: Nature) -> Process {
        let (frozen, freezing) = watch::channel(false);
        let (strike, struck) = watch::channel(false);
        let cluster: Arc<dyn Cluster> =
            Arc::new(Connection { server: self.server.clone(), frozen: freezing });
        let clock: Arc<dyn Clock> = Arc::new(ServerClock(self.server.clone()));
        let random: Arc<dyn Random> = Arc::new(Seeded(Mutex::new(fastrand::Rng::with_seed(seed(identity)))));
        let lease = LeaseSettings {
            namespace: "concierge".into(),
            name: "reconciler".into(),
            identity: identity.into(),
            duration: LEASE,
            request_timeout: REQUEST,
        };
        let (leadership, term) = Leadership::new(cluster.clone(), clock.clone(), random.clone(), lease);
        let view = View::new(self.server.clone(), nature.lag);
        let metrics = Metrics::default();
        let fate = Fate { nature, count: Mutex::new(0), frozen, strike };
        let outside =
            Outside { cluster, objects: view.clone(), clock, random, term, hook: Some(Arc::new(fate)) };
        let transport = self.shop.transport();
        let shops = Shops::dialled(move |_| Ok(transport.clone()));
        let settings = Settings {
            concurrency: nature.concurrency.unwrap_or(4),
            request_timeout: REQUEST,
            lease_duration: LEASE,
            settle: MINUTE,
            observe_only: false,
            enforcement: Enforcement::default(),
            rules: settings::Settings::default(),
        };
        let kinds = coffee::kinds(Kinds::default(), &shops);
        let engine = Engine::new(outside, settings, metrics.clone(), kinds);
        let shutdown = CancellationToken::new();
        let tasks = vec![
            tokio::spawn(engine.run(shutdown.clone())),
            tokio::spawn(leadership.keep(shutdown)),
            tokio::spawn(view.follow()),
        ];
        Process { tasks, metrics, struck }
    }

    /// Starts a process that is in good health.
    pub(crate) fn healthy(&self) -> Process {
        self.start("healthy", Nature::default())
    }

    /// Waits until `done`, and fails after `most`.
    pub(crate) async fn until(&self, what: &str, most: Duration, done: impl Fn(&World) -> bool) {
        let began = Instant::now();
        let mut grown = self.server.grown();
        while !done(self) {
            let left = most.checked_sub(began.elapsed());
            let left = left.unwrap_or_else(|| panic!("not {what} after {most:?}:\n{}", self.dump()));
            let _ = tokio::time::timeout(left.min(MINUTE), grown.changed()).await;
        }
    }

    /// All coffee there is, for a failing test to show.
    pub(crate) fn dump(&self) -> String {
        let kinds = concierge_shared::kind::KINDS.iter().filter(|kind| kind.name != "CoffeeProduct");
        let all = kinds.flat_map(|kind| self.server.of_kind(kind.name));
        let line = |object: Value| {
            format!("{} {}: {:#}", object["kind"], object["metadata"]["name"], object["status"])
        };
        all.map(line).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn status(&self, key: &ObjectKey) -> Value {
        self.server.read(key).map(|object| object["status"].clone()).unwrap_or_default()
    }

    pub(crate) fn phase(&self, key: &ObjectKey) -> String {
        self.status(key)["phase"].as_str().unwrap_or_default().to_owned()
    }

    fn find(&self, key: &ObjectKey, kind: &str) -> Option<Value> {
        let all = self.status(key)["conditions"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|one| one["type"] == kind)
    }

    /// The condition of this type, as `status reason`; empty when there is none.
    pub(crate) fn condition(&self, key: &ObjectKey, kind: &str) -> String {
        self.find(key, kind).map_or(String::new(), |one| {
            format!("{} {}", one["status"].as_str().unwrap(), one["reason"].as_str().unwrap())
        })
    }

    /// What a condition says.
    pub(crate) fn message(&self, key: &ObjectKey, kind: &str) -> String {
        self.find(key, kind).map_or(String::new(), |one| one["message"].as_str().unwrap().to_owned())
    }

    pub(crate) fn is_ready(&self, key: &ObjectKey) -> bool {
        let object = self.server.read(key).unwrap_or_default();
        self.find(key, "Ready").is_some_and(|ready| {
            ready["status"] == "True" && ready["observedGeneration"] == object["metadata"]["generation"]
        })
    }
}

/// An order's spec at the account, with the profile, address and card, of this name.
pub(crate) fn order_spec(name: &str, quantity: i64) -> Value {
    json!({
        "productVariantId": SEGFAULT,
        "quantity": quantity,
        "profileRef": { "name": name },
        "addressRef": { "name": name },
        "cardRef": { "name": name },
        "accountRef": { "name": name },
    })
}

pub(crate) fn place() -> Value {
    json!({
        "name": "Ada Lovelace",
        "street1": "12 St. James's Sq.",
        "city": "Springfield",
        "province": "IL",
        "zip": "62701",
        "country": "US",
        "phone": "+1 217 555 0100",
    })
}

struct ServerClock(Arc<Server>);

impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

struct Seeded(Mutex<fastrand::Rng>);

impl Random for Seeded {
    fn unit(&self) -> f64 {
        self.0.lock().f64()
    }

    fn bits(&self) -> u128 {
        self.0.lock().u128(..)
    }
}

fn seed(identity: &str) -> u64 {
    identity.bytes().fold(7, |seed, byte| seed * 31 + u64::from(byte))
}

/// What happens to a process, and when.
struct Fate {
    nature: Nature,
    count: Mutex<usize>,
    frozen: watch::Sender<bool>,
    strike: watch::Sender<bool>,
}

impl Hook for Fate {
    fn reached(&self, point: CrashPoint, key: &ObjectKey) -> BoxFuture<'static, ()> {
        let strikes = self.nature.fate.is_some_and(|(at, kind, nth)| {
            let here = at == point && kind == key.kind;
            let mut count = self.count.lock();
            *count += usize::from(here);
            here && *count == nth
        });
        if !strikes {
            let mut frozen = self.frozen.subscribe();
            return Box::pin(async move {
                let _ = frozen.wait_for(|frozen| !frozen).await;
            });
        }
        self.strike.send_replace(true);
        let (frozen, nature) = (self.frozen.clone(), self.nature);
        frozen.send_replace(true);
        Box::pin(async move {
            match nature.frozen_for {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
            frozen.send_replace(false);
        })
    }
}
