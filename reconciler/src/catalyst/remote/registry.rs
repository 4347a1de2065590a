//! Whether an image is in its registry: HEAD of its manifest, by the rules of the OCI's distribution specification.

use jiff::Timestamp;
use reqwest::{
    Method, StatusCode, Url,
    header::{HeaderMap, WWW_AUTHENTICATE},
};
use serde::Deserialize;

use super::{
    challenge::Challenge,
    image::{ImageName, RegistryAuth},
    way::{self, Ask, Credentials, Way, is_refused, unexpected, whole},
};
use crate::{common::secret_text::SecretText, engine::Failure};

/// The operations' names in metrics.
pub(super) const HEAD: &str = "HEAD /v2/{name}/manifests/{reference}";
pub(super) const TOKEN: &str = "GET token";
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
/// The largest answer with a token.
const MOST_BYTES: usize = 64 << 10;

/// What a registry says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    There,
    Absent,
    /// The registry wants credentials.
    Asks(Challenge),
}

/// An image of which a registry is asked.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    pub image: &'a ImageName,
    pub auth: Option<&'a RegistryAuth>,
    /// Whether the registry has no TLS.
    pub insecure: bool,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<SecretText>,
    access_token: Option<SecretText>,
}

impl Lookup<'_> {
    /// Asks for the manifest without credentials.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn as_nobody(&self, way: &Way, now: Timestamp) -> Result<Manifest, Failure> {
        self.ask(way, Credentials::None, now).await
    }

    /// Asks for it with user and password.
    ///
    /// # Errors
    /// [`Failure::Auth`] when there are none, or they are refused.
    pub async fn as_user(&self, way: &Way, now: Timestamp) -> Result<Manifest, Failure> {
        let RegistryAuth { user, password } =
            self.auth.ok_or_else(|| self.refused(StatusCode::UNAUTHORIZED))?;
        self.ask(way, Credentials::Basic(user, password), now).await
    }

    /// Asks for it with a token.
    ///
    /// # Errors
    /// [`Failure::Auth`] when it is refused.
    pub async fn with_token(
        &self,
        way: &Way,
        token: &SecretText,
        now: Timestamp,
    ) -> Result<Manifest, Failure> {
        self.ask(way, Credentials::Bearer(token), now).await
    }

    async fn ask(
        &self,
        way: &Way,
        credentials: Credentials<'_>,
        now: Timestamp,
    ) -> Result<Manifest, Failure> {
        let url = self.image.manifest_url(self.insecure)?;
        let is_nobody = matches!(credentials, Credentials::None);
        let ask = Ask { method: Method::HEAD, url, accept: ACCEPT, credentials, follow: None };
        let answer = way.send(ask).await.map_err(|failure| self.about(failure))?;
        match answer.status {
            status if status.is_success() => Ok(Manifest::There),
            StatusCode::NOT_FOUND => Ok(Manifest::Absent),
            StatusCode::UNAUTHORIZED if is_nobody => Ok(Manifest::Asks(self.challenge(&answer.headers)?)),
            status if is_refused(status, &answer.headers) => Err(self.refused(status)),
            status => Err(self.about(unexpected(HEAD, status, answer.headers, now))),
        }
    }

    fn challenge(&self, headers: &HeaderMap) -> Result<Challenge, Failure> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|header| header.to_str().ok());
        let found = texts.take(4).find_map(Challenge::parse);
        found.ok_or_else(|| {
            Failure::Unsupported(format!(
                "registry {} asks for credentials in a way that is not known here; use one that takes user and password, or tokens",
                self.image.registry
            ))
        })
    }

    /// The token for this image, from the `realm` of a challenge.
    ///
    /// # Errors
    /// [`Failure::Auth`] when it is refused.
    pub async fn token(
        &self,
        way: &Way,
        realm: &str,
        service: Option<&str>,
        scope: Option<&str>,
        now: Timestamp,
    ) -> Result<SecretText, Failure> {
        let mut url = self.realm(realm)?;
        let own = format!("repository:{}:pull", self.image.repository);
        let scope = ("scope", scope.unwrap_or(&own));
        url.query_pairs_mut()
            .extend_pairs(service.map(|service| ("service", service)).into_iter().chain([scope]));
        let credentials =
            self.auth.map_or(Credentials::None, |auth| Credentials::Basic(&auth.user, &auth.password));
        let ask = Ask { method: Method::GET, url, accept: "application/json", credentials, follow: None };
        let answer = way.send(ask).await.map_err(|failure| self.about(failure))?;
        let reply = whole(answer, MOST_BYTES).await.map_err(|failure| self.about(failure))?;
        if is_refused(reply.status, &reply.headers) {
            return Err(self.refused(reply.status));
        }
        if !reply.status.is_success() {
            return Err(self.about(unexpected(TOKEN, reply.status, reply.headers, now)));
        }
        let answer: Option<TokenAnswer> = serde_json::from_slice(&reply.body).ok();
        let token = answer.and_then(|answer| answer.token.or(answer.access_token));
        token
            .filter(|token| !token.expose().is_empty())
            .ok_or_else(|| self.about(Failure::Transient("the answer with the token can't be read".into())))
    }

    /// The token service's address. A registry outside must not redirect us, with the password, to an internal address, nor one with TLS to
    /// an address without.
    fn realm(&self, realm: &str) -> Result<Url, Failure> {
        let registry = self.image.manifest_url(self.insecure)?;
        let inside = concierge_shared::catalyst::is_internal(&registry);
        let found = Url::parse(realm).ok().filter(|url| {
            let schemes: &[_] = if self.insecure { &["https", "http"] } else { &["https"] };
            schemes.contains(&url.scheme()) && (inside || !concierge_shared::catalyst::is_internal(url))
        });
        found.ok_or_else(|| {
            Failure::Invalid(format!(
                "registry {} sends us for a token to an address that is not called; correct the registry's configuration",
                self.image.registry
            ))
        })
    }

    fn refused(&self, status: StatusCode) -> Failure {
        let remedy = match self.auth {
            Some(_) => "correct Secret registry-credentials in the Project's namespace",
            None => {
                "put user and password for it into Secret registry-credentials in the Project's namespace"
            }
        };
        let registry = &self.image.registry;
        Failure::Auth(format!("registry {registry} refuses who asks ({}); {remedy}", status.as_u16()))
    }

    fn about(&self, failure: Failure) -> Failure {
        way::about(&format!("registry {}", self.image.registry), failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realm(registry: &str, insecure: bool, realm: &str) -> bool {
        let image = ImageName { registry: registry.into(), repository: "a/b".into(), tag: "1".into() };
        Lookup { image: &image, auth: None, insecure }.realm(realm).is_ok()
    }

    #[test]
    fn a_password_goes_nowhere_inside_for_a_registry_outside_and_never_in_the_clear() {
        assert!(realm("docker.io", false, "https://auth.docker.io/token"));
        assert!(!realm("docker.io", false, "https://169.254.169.254/token"));
        assert!(!realm("docker.io", false, "https://vault.vault.svc/token"));
        assert!(!realm("docker.io", false, "http://auth.docker.io/token"));
        assert!(!realm("docker.io", false, "/token"));
        assert!(realm("registry.default.svc:5000", true, "http://auth.default.svc/token"));
        assert!(!realm("registry.default.svc:5000", false, "http://auth.default.svc/token"));
    }
}
