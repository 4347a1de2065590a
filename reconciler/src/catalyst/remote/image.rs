//! Names of images in a registry, and the credentials for it in a Secret of type `kubernetes.io/dockerconfigjson`.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Url;
use serde::Deserialize;

use crate::{common::secret_text::SecretText, engine::Failure};

/// Docker Hub, by the name that images bear and by the one at which it answers.
const HUB: [&str; 2] = ["docker.io", "registry-1.docker.io"];
/// The largest file of credentials that is read: a Secret is no larger.
const MOST_BYTES: usize = 1 << 20;

/// An image by its tag: `registry/repository:tag`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageName {
    /// A host, with its port if it is another than HTTPS has.
    pub registry: String,
    pub repository: String,
    pub tag: String,
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.registry, self.repository, self.tag)
    }
}

impl ImageName {
    /// Where its manifest is. `insecure`: at a registry without TLS.
    ///
    /// # Errors
    /// When it has no address.
    pub(super) fn manifest_url(&self, insecure: bool) -> Result<Url, Failure> {
        let host = if self.registry == HUB[0] { HUB[1] } else { &self.registry };
        let scheme = if insecure { "http" } else { "https" };
        let url = Url::parse(&format!("{scheme}://{host}/"));
        let mut url = url.ok().filter(|url| url.path() == "/" && url.query().is_none()).ok_or_else(|| {
            Failure::Invalid(
                "the registry is no host; an operator sets rules.catalyst.registry to host[:port][/prefix]"
                    .into(),
            )
        })?;
        url.set_path(&format!("/v2/{}/manifests/{}", self.repository, self.tag));
        Ok(url)
    }
}

/// User and password at a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegistryAuth {
    pub user: String,
    pub password: SecretText,
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
}

#[derive(Deserialize)]
struct DockerAuth {
    auth: Option<SecretText>,
    username: Option<String>,
    password: Option<SecretText>,
}

impl RegistryAuth {
    /// What a file of Docker's says of `registry`.
    pub fn of(dockerconfigjson: &[u8], registry: &str) -> Option<Self> {
        let config: DockerConfig =
            serde_json::from_slice(dockerconfigjson.get(..MOST_BYTES.min(dockerconfigjson.len()))?).ok()?;
        let entry = config.auths.iter().find(|(key, _)| host_of(key) == host_of(registry))?.1;
        match (&entry.auth, &entry.username, &entry.password) {
            (_, Some(user), Some(password)) if !user.is_empty() => {
                Some(Self { user: user.clone(), password: password.clone() })
            }
            (Some(both), ..) => Self::decoded(both),
            _ => None,
        }
    }

    /// `user:password` in base64.
    fn decoded(both: &SecretText) -> Option<Self> {
        let both = String::from_utf8(BASE64_STANDARD.decode(both.expose().trim()).ok()?).ok()?;
        let (user, password) = both.trim_end_matches(['\n', '\0']).split_once(':')?;
        Some(Self { user: user.to_owned(), password: SecretText::new(password) })
    }
}

/// The host of a registry, as images, and as files of Docker's name it: `https://index.docker.io/v1/`.
fn host_of(registry: &str) -> &str {
    let rest =
        registry.strip_prefix("https://").or_else(|| registry.strip_prefix("http://")).unwrap_or(registry);
    match rest.split('/').next().unwrap_or_default() {
        "index.docker.io" | "registry-1.docker.io" => HUB[0],
        host => host,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn auth(config: &serde_json::Value, registry: &str) -> Option<(String, String)> {
        let found = RegistryAuth::of(config.to_string().as_bytes(), registry)?;
        Some((found.user, found.password.expose().to_owned()))
    }

    #[test]
    fn credentials_are_found_by_the_registrys_host() {
        let config = json!({ "auths": {
            "registry.default.svc:5000": { "auth": BASE64_STANDARD.encode("jane:a:b") },
            "https://index.docker.io/v1/": { "username": "hub", "password": "p" },
            "ghcr.io": { "auth": "???" },
            "quay.io": {},
        }});
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(auth(&config, "registry.default.svc:5000"), pair("jane", "a:b"));
        assert_eq!(auth(&config, "registry.default.svc:5000/team"), pair("jane", "a:b"));
        assert_eq!(auth(&config, "docker.io"), pair("hub", "p"));
        for none in ["registry.default.svc", "ghcr.io", "quay.io", "example.com"] {
            assert_eq!(auth(&config, none), None, "{none}");
        }
        assert_eq!(RegistryAuth::of(b"not json", "ghcr.io"), None);
        assert_eq!(RegistryAuth::of(b"", "ghcr.io"), None);
        let shown = format!("{:?}", RegistryAuth::of(config.to_string().as_bytes(), "docker.io").unwrap());
        assert!(!shown.contains("\"p\""), "{shown}");
    }

    #[test]
    fn a_manifest_is_at_the_registry_and_nowhere_else() {
        let url = |registry: &str, insecure| {
            let image = ImageName { registry: registry.into(), repository: "a/b".into(), tag: "1".into() };
            image.manifest_url(insecure).map(String::from).ok()
        };
        assert_eq!(url("ghcr.io", false).as_deref(), Some("https://ghcr.io/v2/a/b/manifests/1"));
        assert_eq!(url("localhost:5000", true).as_deref(), Some("http://localhost:5000/v2/a/b/manifests/1"));
        assert_eq!(
            url("docker.io", false).as_deref(),
            Some("https://registry-1.docker.io/v2/a/b/manifests/1")
        );
        for bad in ["", "a b", "host/path", "host?x", "host:port"] {
            assert_eq!(url(bad, false), None, "{bad}");
        }
    }
}
