//! From services of a compose file to Deployments, Services and claims.

use std::collections::{BTreeMap, BTreeSet};

use concierge_shared::common::names::is_namespace;
use serde_json::{Value, json};
use serde_saphyr::{Location, Spanned};

use super::{
    Values,
    file::{File, Place, Service, Text},
    interpolate::interpolate,
    ports::{self, Published},
    problems::Problems,
    volumes::{self, Volume},
};

/// How large the claim of a volume is.
const CLAIM: &str = "1Gi";
/// The most services of a file.
const MOST: usize = 50;
/// The name that the environment's address leads to.
const WEB: &str = "web";

/// Reads a file beside the compose file.
pub(super) type Files<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// All objects, as a list.
pub(super) fn manifests(text: &str, values: &Values, files: Files<'_>, problems: &mut Problems) -> Value {
    let options = serde_saphyr::options! { with_snippet: false };
    let file: File = match serde_saphyr::from_str_with_options(text, options) {
        Ok(file) => file,
        Err(error) => {
            // Not the error's own words: they may repeat a value.
            let place = error.without_snippet().location().unwrap_or(Location::UNKNOWN);
            problems.add(
                place,
                &key_at(text, place),
                "is not as compose files have it; correct what stands here",
            );
            return Value::Null;
        }
    };
    refuse(&file.include, "include", "brings other files; write their services here", problems);
    let variables = variables(values, files);
    let mut items = Vec::new();
    let (mut claims, mut public) = (BTreeSet::new(), Vec::new());
    let services = file.services.iter().filter(|(_, service)| service.value.profiles.is_empty());
    for (name, service) in services.clone().take(MOST) {
        let mut one =
            Converter { name, service, values, variables: &variables, files, problems: &mut *problems };
        items.extend(one.objects(&mut claims, &mut public));
    }
    items.extend(claims.iter().map(|name| claim(name)));
    let names: Vec<_> = services.map(|(name, service)| (name.as_str(), service.referenced)).collect();
    if let Some((name, place)) = names.get(MOST) {
        problems.add(*place, &format!("services.{name}"), &format!("is one too many; keep {MOST} services"));
    }
    if names.is_empty() {
        problems.add(
            Location::UNKNOWN,
            "services",
            "has none that is always started; add one without profiles",
        );
    }
    items.extend(alias(&names, &public));
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}

/// The key at the place of an error, if there is nothing else that could be secret.
fn key_at(text: &str, place: Location) -> String {
    let line = usize::try_from(place.line()).ok().and_then(|line| text.lines().nth(line.checked_sub(1)?));
    let key = line.and_then(|line| line.trim().split_once(':')).map(|(key, _)| key.trim_end());
    let is_key = |key: &&str| {
        !key.is_empty()
            && key.len() <= 63
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    };
    key.filter(is_key).map_or_else(|| "the file".to_owned(), |key| format!("{key:?}"))
}

/// Those of `.env` beside the file, and those of the environment, which go before.
fn variables(values: &Values, files: Files<'_>) -> BTreeMap<String, String> {
    let mut all: BTreeMap<_, _> =
        files(".env").map(|text| pairs(&text)).unwrap_or_default().into_iter().collect();
    all.extend(values.variables.clone());
    all
}

/// The lines `NAME=value` of a file.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
        let value = value.trim();
        let bare = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
        Some((name.trim().to_owned(), bare('"').or_else(|| bare('\'')).unwrap_or(value).to_owned()))
    };
    text.lines().filter_map(line).collect()
}

fn refuse(place: &Option<Place>, field: &str, message: &str, problems: &mut Problems) {
    if let Some(place) = place {
        problems.add(place.referenced, field, message);
    }
}

fn claim(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": name },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": CLAIM } } },
    })
}

/// A Service `web` that leads to the one service that publishes ports, when none is called so.
fn alias(names: &[(&str, Location)], public: &[(String, u16)]) -> Option<Value> {
    let (name, port) = public.first()?;
    let is_only = public.iter().all(|(other, _)| other == name);
    let none_is_web = names.iter().all(|(name, _)| *name != WEB);
    (is_only && none_is_web)
        .then(|| service(WEB, name, &[json!({ "name": "http", "port": 80, "targetPort": port })]))
}

fn service(name: &str, of: &str, ports: &[Value]) -> Value {
    let mut spec = json!({ "selector": { "app.kubernetes.io/name": of }, "ports": ports });
    if ports.is_empty() {
        // Without ports, only a headless Service gives the name an address.
        spec = json!({ "selector": { "app.kubernetes.io/name": of }, "clusterIP": "None" });
    }
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name }, "spec": spec })
}

/// One service while it is converted.
pub(super) struct Converter<'a> {
    pub(super) name: &'a str,
    pub(super) service: &'a Spanned<Service>,
    pub(super) values: &'a Values,
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) files: Files<'a>,
    pub(super) problems: &'a mut Problems,
}

impl Converter<'_> {
    fn objects(&mut self, claims: &mut BTreeSet<String>, public: &mut Vec<(String, u16)>) -> Vec<Value> {
        if !is_namespace(self.name) {
            let message = "can't be the name of a Service; use small letters, digits and '-'";
            self.problem(self.service.referenced, "", message);
        }
        self.check_refused();
        let ports = self.ports();
        let first = ports.iter().find(|port| port.is_public && !port.is_udp);
        public.extend(first.map(|port| (self.name.to_owned(), port.container)));
        let (volumes, mounts, named) = self.volumes();
        let container = self.container(&ports, mounts);
        let is_stateful = !named.is_empty();
        claims.extend(named);
        let labels = json!({ "app.kubernetes.io/name": self.name });
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": self.name },
            "spec": {
                "replicas": self.replicas(), "selector": { "matchLabels": labels },
                // Two pods can't mount such a volume at once.
                "strategy": { "type": if is_stateful { "Recreate" } else { "RollingUpdate" } },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": {
                        "automountServiceAccountToken": false, "enableServiceLinks": false,
                        "securityContext": { "seccompProfile": { "type": "RuntimeDefault" } },
                        "containers": [container], "volumes": volumes,
                    },
                },
            },
        });
        vec![deployment, service(self.name, self.name, &self.service_ports(&ports))]
    }

    pub(super) fn problem(&mut self, place: Location, field: &str, message: &str) {
        let dot = if field.is_empty() { "" } else { "." };
        self.problems.add(place, &format!("services.{}{dot}{field}", self.name), message);
    }

    /// Adds a problem, and gives an empty text in place of the value.
    pub(super) fn nothing(&mut self, place: Location, field: &str, message: &str) -> String {
        self.problem(place, field, message);
        String::new()
    }

    pub(super) fn note(&mut self, place: Location, field: &str, message: &str) {
        self.problems.note(place, &format!("services.{}.{field}", self.name), message);
    }

    fn check_refused(&mut self) {
        let service = &self.service.value;
        let host =
            "is not possible in an environment, whose containers have nothing of the machine; remove it";
        let other = "is not understood here; write what it brings into the service itself";
        let fields = [
            ("pid", &service.pid, host),
            ("ipc", &service.ipc, host),
            ("userns_mode", &service.userns_mode, host),
            ("cap_add", &service.cap_add, host),
            ("devices", &service.devices, host),
            ("security_opt", &service.security_opt, host),
            ("sysctls", &service.sysctls, host),
            ("extends", &service.extends, other),
            ("secrets", &service.secrets, other),
            ("configs", &service.configs, other),
        ];
        for (field, place, message) in fields {
            refuse(place, &format!("services.{}.{field}", self.name), message, self.problems);
        }
        if let Some(privileged) = service.privileged.as_ref().filter(|one| one.value) {
            self.problem(privileged.referenced, "privileged", host);
        }
        let shared = |mode: &&Text| mode.value == "host" || mode.value.contains(':');
        if let Some(mode) = service.network_mode.as_ref().filter(shared) {
            self.problem(mode.referenced, "network_mode", host);
        }
    }

    /// A text with variables in place of their names.
    pub(super) fn text(&mut self, text: &Text, field: &str) -> String {
        let found = interpolate(&text.value, self.variables);
        found.unwrap_or_else(|error| self.nothing(text.referenced, field, &error))
    }

    fn ports(&mut self) -> Vec<Published> {
        let mut all = BTreeMap::new();
        for (nth, port) in self.service.value.ports.iter().enumerate() {
            let read = match &port.value {
                super::file::Port::Short(text) => interpolate(text, self.variables)
                    .and_then(|text| ports::read(&super::file::Port::Short(text))),
                long => ports::read(long),
            };
            match read {
                Ok(read) => read.into_iter().for_each(|port| insert(&mut all, port)),
                Err(error) => self.problem(port.referenced, &format!("ports[{nth}]"), &error),
            }
        }
        for (nth, port) in self.service.value.expose.iter().enumerate() {
            let text = self.text(port, "expose");
            match ports::read(&super::file::Port::Short(text)) {
                Ok(read) => read.into_iter().for_each(|port| insert(&mut all, port)),
                Err(error) => self.problem(port.referenced, &format!("expose[{nth}]"), &error),
            }
        }
        all.into_values().collect()
    }

    /// Others in the environment reach a container at its own ports, and the environment's address leads to port 80.
    fn service_ports(&self, ports: &[Published]) -> Vec<Value> {
        let entry = |port: &Published| {
            let protocol = protocol(port);
            let name = format!("{}-{}", protocol.to_ascii_lowercase(), port.container);
            json!({ "name": name, "port": port.container, "targetPort": port.container, "protocol": protocol })
        };
        let mut all: Vec<_> = ports.iter().map(entry).collect();
        let has_80 = ports.iter().any(|port| port.container == 80 && !port.is_udp);
        let tcp = || ports.iter().filter(|port| !port.is_udp);
        let first = tcp().find(|port| port.is_public).or_else(|| tcp().next());
        if let Some(first) = first.filter(|_| self.name == WEB && !has_80) {
            all.push(json!({ "name": "http", "port": 80, "targetPort": first.container, "protocol": "TCP" }));
        }
        all
    }

    /// The pod's volumes, where they are mounted, and the names of claims.
    fn volumes(&mut self) -> (Vec<Value>, Vec<Value>, BTreeSet<String>) {
        let (mut all, mut mounts, mut named) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        let mut empty = |target: &str, mounts: &mut Vec<Value>| {
            let name = format!("empty-{}", mounts.len());
            mounts.push(json!({ "name": name, "mountPath": target }));
            all.insert(name.clone(), json!({ "name": name, "emptyDir": {} }));
        };
        if let Some(tmpfs) = &self.service.value.tmpfs {
            for target in tmpfs.value.split().unwrap_or_default() {
                empty(target.split(':').next().unwrap_or_default(), &mut mounts);
            }
        }
        let mut claims = Vec::new();
        for (nth, volume) in self.service.value.volumes.iter().enumerate() {
            let field = format!("volumes[{nth}]");
            match volumes::read(&volume.value) {
                Ok(Volume::Empty { target }) => empty(&target, &mut mounts),
                Ok(Volume::Named { name, target, read_only }) => {
                    mounts.push(json!({ "name": name, "mountPath": target, "readOnly": read_only }));
                    claims.push(name);
                }
                Ok(Volume::Host) => {
                    self.note(
                        volume.referenced,
                        &field,
                        "is a folder of the host and is not mounted; copy it into the image",
                    );
                }
                Err(error) => self.problem(volume.referenced, &field, &error),
            }
        }
        for name in claims {
            all.insert(name.clone(), json!({ "name": name, "persistentVolumeClaim": { "claimName": name } }));
            named.insert(name);
        }
        (all.into_values().collect(), mounts, named)
    }

    fn replicas(&mut self) -> u16 {
        let Some(text) = self.service.value.deploy.as_ref().and_then(|deploy| deploy.replicas.as_ref())
        else {
            return 1;
        };
        self.text(text, "deploy.replicas").parse().ok().filter(|replicas| *replicas <= 20).unwrap_or_else(
            || {
                self.problem(
                    text.referenced,
                    "deploy.replicas",
                    "is no number of containers; write one up to 20",
                );
                1
            },
        )
    }
}

/// Of the same port once: public if one entry says so.
fn insert(all: &mut BTreeMap<(u16, bool), Published>, port: Published) {
    let entry = all.entry((port.container, port.is_udp)).or_insert(port);
    entry.is_public |= port.is_public;
}

pub(super) fn protocol(port: &Published) -> &'static str {
    if port.is_udp { "UDP" } else { "TCP" }
}
