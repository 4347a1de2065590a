//! The last stage of the Dockerfile, so that an image is the same with Docker and without.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

/// What the last stage says.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    env: Vec<String>,
    labels: BTreeMap<String, String>,
    ports: BTreeMap<String, Value>,
    user: String,
    entrypoint: Value,
}

impl Stage {
    /// Reads the last stage of `dockerfile`, in which `arguments` stand for `$NAME`.
    pub(crate) fn read(dockerfile: &str, arguments: &[(&str, String)]) -> Result<Stage> {
        let text = dockerfile.replace("\\\n", " ");
        let (_, last) = text.rsplit_once("\nFROM ").context("the Dockerfile has no stages")?;
        let mut lines = last.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        ensure!(lines.next() == Some("scratch"), "the last stage begins with nothing: FROM scratch");
        let mut stage = Stage::default();
        for line in lines {
            let (name, rest) = line.split_once(' ').with_context(|| format!("`{line}` says nothing"))?;
            stage
                .instruction(name, rest.trim(), arguments)
                .with_context(|| format!("Dockerfile: `{line}`"))?;
        }
        Ok(stage)
    }

    fn instruction(&mut self, name: &str, rest: &str, arguments: &[(&str, String)]) -> Result<()> {
        match name {
            "ARG" => ensure!(arguments.iter().any(|(known, _)| *known == rest), "nobody gives this argument"),
            // The root folder is what `release root` has made, there as here.
            "COPY" => ensure!(rest == "--from=build /image/ /", "only the whole root folder is copied"),
            "ENV" => self
                .env
                .extend(pairs(rest, arguments)?.into_iter().map(|(key, value)| format!("{key}={value}"))),
            "LABEL" => self.labels.extend(pairs(rest, arguments)?),
            "EXPOSE" => {
                self.ports.extend(rest.split_whitespace().map(|port| (format!("{port}/tcp"), json!({}))))
            }
            "USER" => rest.clone_into(&mut self.user),
            "ENTRYPOINT" => self.entrypoint = serde_json::from_str(rest)?,
            _ => bail!("this instruction has no meaning here"),
        }
        Ok(())
    }

    /// The part `config` of an image's configuration.
    pub(crate) fn config(&self) -> Value {
        json!({
            "User": self.user, "ExposedPorts": self.ports, "Env": self.env, "Entrypoint": self.entrypoint,
            "WorkingDir": "/", "Labels": self.labels,
        })
    }

    /// What an index and a manifest are annotated with.
    pub(crate) fn annotations(&self) -> Map<String, Value> {
        self.labels.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect()
    }
}

/// `key="value"` and `key=value`, separated by spaces.
fn pairs(mut rest: &str, arguments: &[(&str, String)]) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=').context("no `=`")?;
        let quoted = value.strip_prefix('"').and_then(|value| value.split_once('"'));
        let (value, after) = quoted.or(value.split_once(' ')).unwrap_or((value, ""));
        let value = arguments
            .iter()
            .fold(value.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value));
        ensure!(!value.contains('$'), "`{value}` names an argument that nobody gives");
        pairs.push((key.trim().to_owned(), value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stage: &str) -> Result<Value> {
        let file = format!("FROM rust AS build\nRUN x\n\nFROM scratch\n{stage}");
        Ok(Stage::read(&file, &[("VERSION", "1.2".to_owned())])?.config())
    }

    #[test]
    fn the_last_stage_is_an_images_configuration() {
        let config = read(
            "# why\nARG VERSION\nCOPY --from=build /image/ /\nENV A=b C=d\nLABEL a.b=\"c d\" \\\n  v=$VERSION\nUSER 1:2\n\
             EXPOSE 80 81\nENTRYPOINT [\"x\"]\n",
        );
        let config = config.unwrap();
        assert_eq!(config["Labels"], json!({"a.b": "c d", "v": "1.2"}));
        assert_eq!((&config["Env"], &config["User"]), (&json!(["A=b", "C=d"]), &json!("1:2")));
        assert_eq!(
            (&config["Entrypoint"], &config["ExposedPorts"]),
            (&json!(["x"]), &json!({"80/tcp": {}, "81/tcp": {}}))
        );
    }

    #[test]
    fn the_command_that_the_dockerfile_shows_gives_every_argument_of_its_last_stage() {
        let text = std::fs::read_to_string(crate::project().join("Dockerfile")).unwrap();
        let shown: String = text.lines().take_while(|line| line.starts_with('#')).collect();
        let (_, last) = text.rsplit_once("\nFROM ").unwrap();
        let arguments: Vec<_> = last.lines().filter_map(|line| line.strip_prefix("ARG ")).collect();
        assert!(!arguments.is_empty());
        for argument in arguments {
            assert!(shown.contains(&format!("--build-arg {argument}=")), "{argument}: {shown}");
        }
    }

    #[test]
    fn what_would_be_another_image_with_docker_is_an_error() {
        for line in ["RUN rm /x", "LABEL a=$OTHER", "COPY x y", "ARG OTHER", "USER"] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
