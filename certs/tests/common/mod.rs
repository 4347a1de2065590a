//! A simulated cluster: a Secret and configurations with resourceVersions, a clock that tests move, API servers
//! that see configurations late, and calls that can be dropped before and after they take effect.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard},
    task::Poll,
    time::Duration,
};

use concierge_certs::{
    Authority, Bundle, Certificate, Cluster, ClusterError, Entry, Live, ROTATE, State, Stored, Target,
    TargetKind, trusts,
};
use futures::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use rustls_pki_types::CertificateDer;

pub const NAME: &str = "hook.system.svc";
pub const SETTLE: Duration = Duration::from_secs(60);
pub const OVERLAP: Duration = Duration::from_secs(300);
/// How late the slowest API server sees a configuration.
pub const LAG: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub struct Config {
    pub kind: TargetKind,
    pub name: String,
    pub exists: bool,
    pub version: u64,
    pub generation: u64,
    pub bundles: Vec<Vec<u8>>,
    /// What was there since when, for the API servers that lag.
    history: VecDeque<Seen>,
    /// Somebody overwrote it and nobody has healed it yet; failures until then (and until the slowest API server
    /// has seen the cure) are that somebody's.
    pub excused: Option<Duration>,
    pub clobbered_at: u64,
}

/// One version of a configuration.
#[derive(Clone, Default)]
struct Seen {
    since: Duration,
    version: u64,
    bundles: Vec<Vec<u8>>,
}

pub struct Sim {
    pub time: Timestamp,
    pub elapsed: Duration,
    pub date_header: bool,
    pub secret: Option<Secret>,
    pub configs: Vec<Config>,
    pub moves: Vec<State>,
    pub ops: u64,
    pub writes: u64,
    /// What happened, for the message of a failed assertion.
    pub log: Vec<String>,
    version: u64,
    /// At which operation each replica last read the configurations.
    read_at: HashMap<usize, u64>,
    /// Until when a leaf (its last bytes are its signature) is known to hold under a version of a configuration.
    verified: HashMap<([u8; 16], usize, u64), Timestamp>,
}

#[derive(Clone)]
pub struct World(Arc<Mutex<Sim>>);

impl World {
    pub fn new(configs: &[(TargetKind, &str, usize)]) -> Self {
        let configs = configs.iter().map(|(kind, name, entries)| Config {
            kind: *kind,
            name: (*name).to_owned(),
            exists: true,
            version: 1,
            generation: 1,
            bundles: vec![Vec::new(); *entries],
            history: VecDeque::from([Seen { bundles: vec![Vec::new(); *entries], ..Seen::default() }]),
            excused: Some(Duration::MAX),
            clobbered_at: 0,
        });
        Self(Arc::new(Mutex::new(Sim {
            time: "2026-03-01T12:00:00Z".parse().unwrap(),
            elapsed: Duration::from_secs(1000),
            date_header: true,
            secret: None,
            configs: configs.collect(),
            moves: Vec::new(),
            ops: 0,
            writes: 0,
            log: Vec::new(),
            version: 1,
            read_at: HashMap::new(),
            verified: HashMap::new(),
        })))
    }

    pub fn lock(&self) -> MutexGuard<'_, Sim> {
        self.0.lock().unwrap()
    }

    pub fn cluster(&self, replica: usize) -> SimCluster {
        SimCluster { world: self.clone(), replica }
    }

    pub fn clock(&self, skew: SignedDuration) -> SimClock {
        SimClock { world: self.clone(), skew }
    }

    pub fn advance(&self, by: Duration) {
        let mut sim = self.lock();
        sim.time = sim.time.checked_add(by).unwrap();
        sim.elapsed += by;
    }

    /// Everybody's wall clock, the API server's too, jumps; the monotonic one does not.
    pub fn jump(&self, by: SignedDuration) {
        let mut sim = self.lock();
        sim.time = sim.time.checked_add(by).unwrap();
        sim.verified.clear();
    }

    pub fn log(&self, what: String) {
        self.lock().note(what);
    }

    pub fn authority(&self) -> Option<Authority> {
        let sim = self.lock();
        Authority::from_data(sim.secret.as_ref()?.data.as_ref()?).ok()
    }

    pub fn state(&self) -> Option<State> {
        let sim = self.lock();
        let word = sim.secret.as_ref()?.data.as_ref()?.get("state")?;
        [State::Stable, State::Announced, State::Promoted]
            .into_iter()
            .find(|it| it.word().as_bytes() == word.0)
    }

    pub fn request_rotation(&self, token: &str) {
        let mut sim = self.lock();
        sim.version += 1;
        let version = sim.version.to_string();
        if let Some(secret) = &mut sim.secret {
            secret.metadata.annotations = Some(BTreeMap::from([(ROTATE.to_owned(), token.to_owned())]));
            secret.metadata.resource_version = Some(version);
        }
    }

    /// A GitOps tool writes its own idea of a configuration.
    pub fn clobber(&self, config: usize, bundle: &[u8]) {
        let mut sim = self.lock();
        sim.ops += 1;
        let ops = sim.ops;
        sim.note(format!("clobber {config} with {} bytes", bundle.len()));
        sim.write(config, |it| it.bundles.iter_mut().for_each(|old| *old = bundle.to_vec()));
        sim.configs[config].excused = Some(Duration::MAX);
        sim.configs[config].clobbered_at = ops;
    }
}

impl Config {
    /// Forgets what not even the slowest API server sees any more; what it sees is in front.
    fn prune(&mut self, elapsed: Duration) {
        let horizon = elapsed.saturating_sub(LAG);
        while self.history.get(1).is_some_and(|it| it.since <= horizon) {
            self.history.pop_front();
        }
    }
}

impl Sim {
    fn note(&mut self, what: String) {
        self.log.push(format!("{:?} {what}", self.elapsed));
        if self.log.len() > 60 {
            self.log.remove(0);
        }
    }

    fn write(&mut self, config: usize, change: impl FnOnce(&mut Config)) {
        let elapsed = self.elapsed;
        let config = &mut self.configs[config];
        change(config);
        config.version += 1;
        config.generation += 1;
        let bundles = config.bundles.clone();
        config.history.push_back(Seen { since: elapsed, version: config.version, bundles });
    }

    /// What fails at this moment for a server that presents `chain`, at a prompt and at a lagging API server.
    pub fn failures(&mut self, chain: &[CertificateDer<'static>], fresh: bool) -> Vec<String> {
        let (now, elapsed) = (self.time, self.elapsed);
        let mut failures = Vec::new();
        for (at, config) in self.configs.iter_mut().enumerate().filter(|(_, it)| it.exists) {
            config.prune(elapsed);
            if config.excused.is_some_and(|until| elapsed <= until) {
                continue;
            }
            config.excused = None;
            let views = [("prompt", config.history.back()), ("lagging", config.history.front())];
            for (view, seen) in views.into_iter().filter(|it| !fresh || it.0 == "prompt") {
                let seen = seen.unwrap();
                let tail = chain[0].last_chunk().unwrap();
                let known = self.verified.entry((*tail, at, seen.version)).or_insert(Timestamp::MIN);
                if now < *known {
                    continue;
                }
                match seen.bundles.iter().try_for_each(|bundle| trusts(bundle, chain, NAME, now)) {
                    Ok(()) => *known = next_expiry(chain, &seen.bundles, now),
                    Err(error) => failures.push(format!("{} ({view} API server): {error}", config.name)),
                }
            }
        }
        failures
    }

    fn note_move(&mut self, replica: usize, data: &BTreeMap<String, ByteString>) {
        let before = self.secret.as_ref().and_then(|it| Authority::from_data(it.data.as_ref()?).ok());
        let after = Authority::from_data(data).unwrap();
        let Some(before) = before else { return };
        if before.state() == State::Announced && after.state() == State::Promoted {
            self.assert_promotable(replica, &before);
        }
        if before.state() != after.state() {
            self.moves.push(after.state());
        }
    }

    /// Never promoted while missing: the next authority is in every configuration, unless somebody took it out
    /// after this replica had looked.
    fn assert_promotable(&mut self, replica: usize, before: &Authority) {
        if !before.current().certificate().usable(self.time) {
            return;
        }
        let next = before.next().unwrap().certificate();
        for config in &mut self.configs {
            config.prune(self.elapsed);
            let missing =
                !config.history.iter().flat_map(|it| &it.bundles).all(|it| Bundle::parse(it).contains(next));
            let looked = self.read_at.get(&replica).copied().unwrap_or(0);
            assert!(!missing || config.clobbered_at > looked, "promoted while {} misses it", config.name);
        }
    }
}

#[derive(Clone)]
pub struct SimCluster {
    world: World,
    replica: usize,
}

impl SimCluster {
    /// Two suspension points per call: dropped at the first it never happened, at the second it did but its answer
    /// got lost.
    async fn call<T>(
        &self,
        act: impl FnOnce(&mut Sim) -> Result<T, ClusterError>,
    ) -> Result<T, ClusterError> {
        yield_once().await;
        let outcome = {
            let mut sim = self.world.lock();
            sim.ops += 1;
            act(&mut sim)
        };
        yield_once().await;
        outcome
    }
}

impl Cluster for SimCluster {
    async fn targets(&self) -> Result<Vec<Target>, ClusterError> {
        self.call(|sim| {
            sim.read_at.insert(self.replica, sim.ops);
            Ok(sim.configs.iter().map(target).collect())
        })
        .await
    }

    async fn stored(&self) -> Result<Stored, ClusterError> {
        self.call(|sim| Ok(Stored { secret: sim.secret.clone(), time: sim.date_header.then_some(sim.time) }))
            .await
    }

    async fn create(&self, data: BTreeMap<String, ByteString>) -> Result<(), ClusterError> {
        self.call(|sim| {
            if sim.secret.is_some() {
                return Err(ClusterError::Conflict { object: "Secret".into() });
            }
            sim.version += 1;
            let metadata =
                ObjectMeta { resource_version: Some(sim.version.to_string()), ..ObjectMeta::default() };
            sim.secret = Some(Secret { metadata, data: Some(data), ..Secret::default() });
            Ok(())
        })
        .await
    }

    async fn replace(&self, read: &Secret, data: BTreeMap<String, ByteString>) -> Result<(), ClusterError> {
        self.call(|sim| {
            let version = |it: &Secret| it.metadata.resource_version.clone();
            if sim.secret.as_ref().map(version) != Some(version(read)) {
                return Err(ClusterError::Conflict { object: "Secret".into() });
            }
            sim.writes += 1;
            sim.note_move(self.replica, &data);
            let authority = Authority::from_data(&data).unwrap();
            sim.note(format!("replica {} {} {authority:?}", self.replica, authority.state().word()));
            sim.version += 1;
            let mut secret = Secret { data: Some(data), ..read.clone() };
            secret.metadata.resource_version = Some(sim.version.to_string());
            sim.secret = Some(secret);
            Ok(())
        })
        .await
    }

    async fn apply(&self, target: &Target, bundles: &[(String, Bundle)]) -> Result<(), ClusterError> {
        self.call(|sim| {
            let at = sim.configs.iter().position(|it| it.name == target.name).unwrap();
            let config = &sim.configs[at];
            if !config.exists || target.live.as_ref().unwrap().version != config.version.to_string() {
                return Err(ClusterError::Conflict { object: target.to_string() });
            }
            sim.writes += 1;
            let certificates = bundles.iter().map(|it| it.1.certificates().to_vec()).collect::<Vec<_>>();
            sim.note(format!("replica {} applies {at}: {certificates:?}", self.replica));
            sim.write(at, |it| it.bundles = bundles.iter().map(|(_, it)| it.pem().into_bytes()).collect());
            let healed = sim.elapsed + LAG;
            let excused = &mut sim.configs[at].excused;
            *excused = excused.map(|_| healed);
            Ok(())
        })
        .await
    }

    fn changes(&self) -> BoxStream<'static, ()> {
        Box::pin(futures::stream::pending())
    }
}

fn next_expiry(chain: &[CertificateDer<'static>], bundles: &[Vec<u8>], now: Timestamp) -> Timestamp {
    let leaf = Certificate::from_der(chain[0].clone()).unwrap();
    let bundles: Vec<_> = bundles.iter().map(|it| Bundle::parse(it)).collect();
    let anchors = bundles.iter().flat_map(|it| it.certificates());
    anchors.chain([&leaf]).map(Certificate::not_after).filter(|it| *it > now).min().unwrap()
}

fn target(config: &Config) -> Target {
    let entries = config.bundles.iter().enumerate();
    let entries =
        entries.map(|(at, bundle)| Entry { name: format!("entry-{at}"), bundle: Bundle::parse(bundle) });
    let live = Live {
        version: config.version.to_string(),
        generation: config.generation.to_string(),
        entries: entries.collect(),
    };
    Target { kind: config.kind, name: config.name.clone(), live: config.exists.then_some(live) }
}

#[derive(Clone)]
pub struct SimClock {
    world: World,
    skew: SignedDuration,
}

impl concierge_certs::Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.world.lock().time.checked_add(self.skew).unwrap()
    }

    fn elapsed(&self) -> Duration {
        self.world.lock().elapsed
    }
}

impl fmt::Debug for SimClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimClock")
    }
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
