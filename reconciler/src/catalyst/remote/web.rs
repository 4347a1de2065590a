//! The web application: the secrets of an environment, and tokens for repositories.

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use tokio::io::AsyncReadExt;

use super::way::{self, Ask, Credentials, Way, is_refused, unexpected, whole};
use crate::{
    common::{http::Reply, secret_text::SecretText},
    engine::Failure,
};

/// The operations' names in metrics.
pub(super) const SECRETS: &str = "GET /api/internal/secrets/{id}";
pub(super) const GIT_TOKEN: &str = "GET /api/git-token/{installation}";
/// The largest answer with secrets: a Secret is no larger.
const MOST_BYTES: usize = 1 << 20;
/// The longest token.
const MOST_TOKEN: usize = 8 << 10;
/// The longest id of an environment, or of an installation.
const MOST_ID: usize = 64;
/// The longest name of a variable, and how many that can't be one are told.
const MOST_NAME: usize = 253;
const MOST_LEFT_OUT: usize = 5;

/// What the web application keeps for an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebSecrets {
    /// By the names of variables.
    pub values: BTreeMap<String, SecretText>,
    /// The first names of those that no variable can have. They are left out.
    pub left_out: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    secrets: BTreeMap<String, SecretText>,
}

/// The web application, as it is asked by somebody with a ServiceAccount's token.
#[derive(Clone, Copy, Debug)]
pub struct Web<'a> {
    pub url: &'a Url,
    pub token: &'a SecretText,
}

impl Web<'_> {
    /// The secrets of the environment with this id.
    ///
    /// # Errors
    /// [`Failure::Auth`] when our token is refused, [`Failure::Invalid`] when it may not have these secrets, [`Failure::DependencyMissing`]
    /// when there is no such environment.
    pub async fn secrets(&self, way: &Way, id: &str, now: Timestamp) -> Result<WebSecrets, Failure> {
        let reply = self
            .get(way, &["api", "internal", "secrets", checked(id)?], "application/json", MOST_BYTES)
            .await?;
        match reply.status {
            StatusCode::NOT_FOUND => Err(Failure::DependencyMissing(format!(
                "the web application knows no environment {id}; correct the annotation catalyst.dev/environment-id"
            ))),
            StatusCode::FORBIDDEN if is_refused(reply.status, &reply.headers) => Err(Failure::Invalid(format!(
                "the web application refuses the secrets of environment {id} (403); let it give them to Concierge's ServiceAccount"
            ))),
            StatusCode::UNAUTHORIZED => Err(Failure::Auth(
                "the web application refuses our ServiceAccount's token (401); let it accept that of Concierge".into(),
            )),
            _ => self.successful(SECRETS, reply, now).and_then(|reply| read(&reply.body)),
        }
    }

    /// A token for the repositories of a GitHub App's installation.
    ///
    /// # Errors
    /// [`Failure::Auth`] when it is refused.
    pub async fn git_token(
        &self,
        way: &Way,
        installation: &str,
        now: Timestamp,
    ) -> Result<SecretText, Failure> {
        let reply =
            self.get(way, &["api", "git-token", checked(installation)?], "text/plain", MOST_TOKEN).await?;
        if is_refused(reply.status, &reply.headers) || reply.status == StatusCode::NOT_FOUND {
            return Err(Failure::Auth(format!(
                "the web application gives no token of installation {installation} ({}); correct spec.githubInstallationId of the Project, let \
                 it give that token to Concierge's ServiceAccount, or write all 40 digits of a commit in spec.sources[].commitSha",
                reply.status.as_u16()
            )));
        }
        let reply = self.successful(GIT_TOKEN, reply, now)?;
        let token = str::from_utf8(&reply.body).unwrap_or_default().trim();
        match token.is_empty() || token.bytes().any(|byte| !byte.is_ascii_graphic()) {
            true => Err(Failure::Transient("the web application answered with what is no token".into())),
            false => Ok(SecretText::new(token)),
        }
    }

    async fn get(
        &self,
        way: &Way,
        path: &[&str],
        accept: &'static str,
        most: usize,
    ) -> Result<Reply, Failure> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let credentials = Credentials::Bearer(self.token);
        let ask = Ask { method: Method::GET, url, accept, credentials, follow: None };
        let answer = way.send(ask).await.map_err(about)?;
        whole(answer, most).await.map_err(about)
    }

    fn successful(&self, operation: &str, reply: Reply, now: Timestamp) -> Result<Reply, Failure> {
        match reply.status.is_success() {
            true => Ok(reply),
            false => Err(about(unexpected(operation, reply.status, reply.headers, now))),
        }
    }
}

fn about(failure: Failure) -> Failure {
    way::about("the web application", failure)
}

/// An id that is one part of a path and no more.
fn checked(id: &str) -> Result<&str, Failure> {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    match id.is_empty() || id.len() > MOST_ID || !id.bytes().all(usual) {
        true => Err(Failure::Invalid(format!(
            "an id has up to {MOST_ID} letters, digits, '-' and '_'; correct it"
        ))),
        false => Ok(id),
    }
}

fn read(body: &[u8]) -> Result<WebSecrets, Failure> {
    // What can't be read is not repeated: it may be a secret.
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| Failure::Transient("the web application answered with what can't be read".into()))?;
    let (values, wrong): (BTreeMap<_, _>, BTreeMap<_, _>) =
        answer.secrets.into_iter().partition(|(name, _)| is_variable(name));
    let shown = |name: String| name.chars().filter(|c| !c.is_control()).take(MOST_ID).collect();
    Ok(WebSecrets { values, left_out: wrong.into_keys().take(MOST_LEFT_OUT).map(shown).collect() })
}

fn is_variable(name: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let first = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    first && name.len() <= MOST_NAME && name.bytes().all(usual)
}

/// The token of our own ServiceAccount, as it is now: it is replaced every hour.
///
/// # Errors
/// [`Failure::DependencyMissing`] when there is none.
pub async fn own_token(file: &Path) -> Result<SecretText, Failure> {
    let missing = || {
        Failure::DependencyMissing(format!(
            "{} has no token of a ServiceAccount; an operator lets Concierge run in a pod that has one there",
            file.display()
        ))
    };
    let (mut token, most) = (String::new(), MOST_TOKEN as u64);
    let opened = tokio::fs::File::open(file).await.map_err(|_| missing())?;
    opened.take(most).read_to_string(&mut token).await.map_err(|_| missing())?;
    let token = token.trim();
    if token.is_empty() { Err(missing()) } else { Ok(SecretText::new(token)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_by_names_that_variables_can_have() {
        let body = br#"{"secrets":{"DB_URL":"postgres://u:s3cret@db","_x":"1","9a":"s3cret","a b":"s3cret","":"s3cret"},"more":1}"#;
        let secrets = read(body).unwrap();
        assert_eq!(secrets.values.keys().collect::<Vec<_>>(), ["DB_URL", "_x"]);
        assert_eq!(secrets.values["DB_URL"].expose(), "postgres://u:s3cret@db");
        assert_eq!(secrets.left_out, ["", "9a", "a b"]);
        assert!(!format!("{secrets:?}").contains("s3cret"));
        for bad in [&b""[..], b"[]", b"{}", br#"{"secrets":{"A":1}}"#, br#"{"secrets":["s3cret"]}"#] {
            assert!(matches!(read(bad), Err(Failure::Transient(message)) if !message.contains("s3cret")));
        }
    }

    #[test]
    fn an_id_leads_to_no_other_path() {
        for good in ["7f3c", "123e4567-e89b-12d3-a456-426614174000", "pat"] {
            assert_eq!(checked(good), Ok(good));
        }
        for bad in ["", "../git-token/1", "a/b", "a?b", "a b", "%2e%2e", &"a".repeat(65)] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_token_that_is_not_there_is_told_by_its_place() {
        let failure = own_token(Path::new("/nowhere/token")).await.unwrap_err();
        assert!(
            matches!(&failure, Failure::DependencyMissing(message) if message.contains("/nowhere/token"))
        );
    }
}
