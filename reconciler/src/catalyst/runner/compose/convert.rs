//! From services of a compose file to Deployments, Services and claims.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use serde_saphyr::{Location, Spanned};

use super::{
    Values,
    file::{Amounts, File, Place, Service, Text, Variable, Words},
    healthcheck,
    interpolate::interpolate,
    ports::{self, Published},
    problems::Problems,
    volumes::{self, Volume},
};

/// What a container asks for and may use, unless the file says otherwise: an environment's quota counts it.
const DEFAULTS: [(&str, &str, &str); 2] = [("cpu", "100m", "500m"), ("memory", "128Mi", "512Mi")];
/// How large the claim of a volume is.
const CLAIM: &str = "1Gi";
/// The most services of a file.
const MOST: usize = 50;
/// The name that the environment's address leads to.
const WEB: &str = "web";

/// Reads a file beside the compose file.
type Files<'a> = &'a dyn Fn(&str) -> Result<String, String>;

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
fn pairs(text: &str) -> Vec<(String, String)> {
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
        // Without ports a name can lead to all of them only so.
        spec = json!({ "selector": { "app.kubernetes.io/name": of }, "clusterIP": "None" });
    }
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name }, "spec": spec })
}

/// One service on its way.
struct Converter<'a> {
    name: &'a str,
    service: &'a Spanned<Service>,
    values: &'a Values,
    variables: &'a BTreeMap<String, String>,
    files: Files<'a>,
    problems: &'a mut Problems,
}

impl Converter<'_> {
    fn objects(&mut self, claims: &mut BTreeSet<String>, public: &mut Vec<(String, u16)>) -> Vec<Value> {
        if !volumes::is_name(self.name) {
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
                // Two can't have a volume at once.
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

    fn problem(&mut self, place: Location, field: &str, message: &str) {
        let dot = if field.is_empty() { "" } else { "." };
        self.problems.add(place, &format!("services.{}{dot}{field}", self.name), message);
    }

    fn note(&mut self, place: Location, field: &str, message: &str) {
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
    fn text(&mut self, text: &Text, field: &str) -> String {
        let found = interpolate(&text.value, self.variables);
        found.unwrap_or_else(|error| {
            self.problem(text.referenced, field, &error);
            String::new()
        })
    }

    fn image(&mut self) -> String {
        let service = &self.service.value;
        match (&service.build, &service.image, self.values.images.get(self.name)) {
            (Some(_), _, Some(built)) => built.clone(),
            (_, Some(image), _) => self.text(image, "image"),
            (Some(build), None, None) => {
                let message = format!(
                    "has no image: add a build called {} to the template's builds, or name an image",
                    self.name
                );
                self.problem(build.referenced, "build", &message);
                String::new()
            }
            (None, None, _) => {
                self.problem(self.service.referenced, "", "has neither image nor build; name an image");
                String::new()
            }
        }
    }

    fn container(&mut self, ports: &[Published], mounts: Vec<Value>) -> Value {
        let service = &self.service.value;
        let listening: Vec<_> = ports
            .iter()
            .map(|port| json!({ "containerPort": port.container, "protocol": protocol(port) }))
            .collect();
        let mut container = json!({
            "name": "app", "image": self.image(), "env": self.env(), "ports": listening,
            "resources": self.resources(), "volumeMounts": mounts,
            "securityContext": { "allowPrivilegeEscalation": false },
        });
        let commands =
            [("command", "entrypoint", &service.entrypoint), ("args", "command", &service.command)];
        for (field, key, words) in commands {
            if let Some(words) =
                words.as_ref().map(|words| self.words(words, key)).filter(|words| !words.is_empty())
            {
                container[field] = words.into();
            }
        }
        if let Some(folder) = &service.working_dir {
            container["workingDir"] = self.text(folder, "working_dir").into();
        }
        if let Some(user) = &service.user {
            self.user(user, &mut container["securityContext"]);
        }
        if let Some(check) = &service.healthcheck {
            let place = check.test.as_ref().map_or(self.service.referenced, |test| test.referenced);
            match healthcheck::probe(check) {
                Ok(Some(probe)) => container["readinessProbe"] = probe,
                Ok(None) => {}
                Err(error) => self.problem(place, "healthcheck", &error),
            }
        }
        container
    }

    fn words(&mut self, words: &Words, field: &str) -> Vec<String> {
        let words = words.split().and_then(|words| {
            words.iter().map(|word| interpolate(word, self.variables)).collect::<Result<Vec<_>, _>>()
        });
        words.unwrap_or_else(|error| {
            self.problem(self.service.referenced, field, &error);
            Vec::new()
        })
    }

    /// As numbers: a name is known in the image alone.
    fn user(&mut self, user: &Text, context: &mut Value) {
        let text = self.text(user, "user");
        let (user_id, group) =
            text.split_once(':').map_or((text.as_str(), None), |(user, group)| (user, Some(group)));
        let number = |text: &str| text.parse::<u32>().ok();
        match (number(user_id), group.map(number)) {
            (Some(id), None) => context["runAsUser"] = id.into(),
            (Some(id), Some(Some(group))) => {
                context["runAsUser"] = id.into();
                context["runAsGroup"] = group.into();
            }
            _ => self.note(
                user.referenced,
                "user",
                "has no effect, for it is no number; write the user's number",
            ),
        }
    }

    /// Files first, then what the service says itself.
    fn env(&mut self) -> Vec<Value> {
        let mut all = BTreeMap::new();
        for file in self.service.value.env_file.iter().flat_map(|files| &files.value.0) {
            let place =
                self.service.value.env_file.as_ref().map_or(Location::UNKNOWN, |files| files.referenced);
            match (self.files)(&file.path) {
                Ok(text) => all.extend(pairs(&text)),
                Err(error) if file.required => self.problem(
                    place,
                    "env_file",
                    &format!(": {error}; add the file, or say required: false"),
                ),
                Err(_) => {}
            }
        }
        for variable in &self.service.value.environment.0 {
            all.extend(self.variable(variable));
        }
        all.into_iter().map(|(name, value)| json!({ "name": name, "value": escaped(&value) })).collect()
    }

    fn variable(&mut self, variable: &Variable) -> Option<(String, String)> {
        let (name, value, place) = match variable {
            Variable::Pair(text) => match text.value.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned()), text.referenced),
                None => (text.value.clone(), None, text.referenced),
            },
            Variable::Field(name, value) => {
                let place = value.as_ref().map_or(self.service.referenced, |value| value.referenced);
                (name.clone(), value.as_ref().map(|value| value.value.clone()), place)
            }
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        {
            self.problem(place, "environment", "has an entry that is no variable; write NAME=value");
            return None;
        }
        match value {
            Some(value) => {
                let field = format!("environment.{name}");
                Some((name, self.text(&Spanned::new(value, place, place), &field)))
            }
            None => Some((name.clone(), self.variables.get(&name)?.clone())),
        }
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

    fn resources(&mut self) -> Value {
        let service = &self.service.value;
        let none = Amounts::default();
        let of_deploy = service.deploy.as_ref().map(|deploy| &deploy.resources);
        let limits = of_deploy.map_or(&none, |resources| &resources.limits);
        let requests = of_deploy.map_or(&none, |resources| &resources.reservations);
        let mut all = json!({ "requests": {}, "limits": {} });
        let texts = [
            (requests.cpus.as_ref(), limits.cpus.as_ref().or(service.cpus.as_ref())),
            (requests.memory.as_ref(), limits.memory.as_ref().or(service.mem_limit.as_ref())),
        ];
        for ((resource, request, limit), (requested, limited)) in DEFAULTS.into_iter().zip(texts) {
            let limit_given = limited.map(|text| self.amount(resource, text));
            let request_given = requested.map(|text| self.amount(resource, text));
            // A request may not be more than the limit, so what is given alone is both.
            let limit = limit_given.clone().or_else(|| request_given.clone()).unwrap_or_else(|| limit.into());
            all["requests"][resource] =
                request_given.or(limit_given).unwrap_or_else(|| request.into()).into();
            all["limits"][resource] = limit.into();
        }
        all
    }

    fn amount(&mut self, resource: &str, text: &Text) -> String {
        let raw = self.text(text, "deploy.resources");
        let amount = if resource == "cpu" { cpus(&raw) } else { memory(&raw) };
        amount.unwrap_or_else(|| {
            self.problem(
                text.referenced,
                "deploy.resources",
                "has an amount that is none; write cpus as 0.5 and memory as 512m",
            );
            "0".into()
        })
    }
}

/// Of the same port once: public if one entry says so.
fn insert(all: &mut BTreeMap<(u16, bool), Published>, port: Published) {
    let entry = all.entry((port.container, port.is_udp)).or_insert(port);
    entry.is_public |= port.is_public;
}

fn protocol(port: &Published) -> &'static str {
    if port.is_udp { "UDP" } else { "TCP" }
}

/// `$(NAME)` would be taken for another variable.
fn escaped(value: &str) -> String {
    value.replace("$(", "$$(")
}

/// `0.5` as `500m`.
fn cpus(text: &str) -> Option<String> {
    let number: f64 = text.parse().ok()?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within bounds")]
    (0.001..=1000.0).contains(&number).then(|| format!("{}m", (number * 1000.0).ceil() as u32))
}

/// `512m`, `1gb`, `1024` bytes.
fn memory(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let end = lower.find(|c: char| !c.is_ascii_digit()).unwrap_or(lower.len());
    let number: u64 = lower[..end].parse().ok().filter(|number| *number > 0)?;
    let suffix = match &lower[end..] {
        "" | "b" => "",
        "k" | "kb" | "kib" | "ki" => "Ki",
        "m" | "mb" | "mib" | "mi" => "Mi",
        "g" | "gb" | "gib" | "gi" => "Gi",
        _ => return None,
    };
    Some(format!("{number}{suffix}"))
}
