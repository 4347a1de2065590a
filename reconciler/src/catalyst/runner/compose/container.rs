//! The container of a service.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serde_saphyr::{Location, Spanned};

use super::{
    convert::{Converter, pairs, protocol},
    file::{Amounts, Text, Variable, Words},
    healthcheck,
    interpolate::interpolate,
    ports::Published,
};

/// What a container asks for and may use, unless the file says otherwise: an environment's quota counts it.
const DEFAULTS: [(&str, &str, &str); 2] = [("cpu", "100m", "500m"), ("memory", "128Mi", "512Mi")];
impl Converter<'_> {
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
                self.nothing(build.referenced, "build", &message)
            }
            (None, None, _) => {
                self.nothing(self.service.referenced, "", "has neither image nor build; name an image")
            }
        }
    }

    pub(super) fn container(&mut self, ports: &[Published], mounts: Vec<Value>) -> Value {
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
