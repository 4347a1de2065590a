//! The newest commit of a branch, as `git ls-remote` finds it out: one GET, of which no more is read than up to the branch.

use std::fmt;

use futures::StreamExt;
use jiff::Timestamp;
use reqwest::{Method, StatusCode, Url, header::CONTENT_TYPE};

use super::{
    pkt::{Malformed, Pkt, Reader},
    transport::Answer,
    way::{self, Ask, Credentials, Way, is_refused, unexpected},
};
use crate::{common::secret_text::SecretText, engine::Failure};

/// The operation's name in metrics.
pub(super) const OPERATION: &str = "GET info/refs";
const PATH: &str = "/info/refs";
const CONTENT: &str = "application/x-git-upload-pack-advertisement";
/// The user name for tokens of GitHub's apps.
const TOKEN_USER: &str = "x-access-token";
/// How much of a list of branches and tags is read.
const MOST_BYTES: usize = 32 << 20;
const MOST_LINES: usize = 500_000;
/// The most characters of a server's message that are shown.
const MOST_SAID: usize = 200;

/// A branch of a source of a Project.
#[derive(Clone, Copy, Debug)]
pub struct Branch<'a> {
    /// The name of the source.
    pub source: &'a str,
    /// Where the repository is.
    pub repository: &'a str,
    pub branch: &'a str,
    /// The number of the GitHub App's installation whose token may read the repository.
    pub installation: Option<&'a str>,
    /// The environment's namespace: the web application gives tokens to ServiceAccounts of it. Without one, ours is used.
    pub namespace: Option<&'a str>,
}

/// What a server says of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Newest {
    /// The commit that it is at, in 40 digits.
    Commit(String),
    /// The repository is private: the server wants a token.
    Closed,
}

impl fmt::Display for Branch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "branch {:?} of source {:?}", self.branch, self.source)
    }
}

impl Branch<'_> {
    /// Where its repository can be asked.
    ///
    /// # Errors
    /// When it can't: it is reached by ssh alone.
    pub fn url(&self) -> Result<Url, Failure> {
        let url = Url::parse(self.repository).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        url.filter(Url::has_host).ok_or_else(|| {
            Failure::Unsupported(format!(
                "nothing is fetched from the repository of source {:?}, since it is not at an https address; write its https address in \
                 repositoryUrl",
                self.source
            ))
        })
    }

    /// Asks for the branch's commit with `way`. [`Newest::Closed`] when the server wants a token and the request had none.
    ///
    /// # Errors
    /// [`Failure::Auth`] when the repository refuses the credentials, [`Failure::DependencyMissing`] when there is no such branch.
    pub async fn newest(
        &self,
        way: &Way,
        token: Option<&SecretText>,
        now: Timestamp,
    ) -> Result<Newest, Failure> {
        let mut url = self.url()?;
        url.set_path(&format!("{}{PATH}", url.path().trim_end_matches('/')));
        url.set_query(Some("service=git-upload-pack"));
        let credentials = token.map_or(Credentials::None, |token| Credentials::Basic(TOKEN_USER, token));
        let ask = Ask { method: Method::GET, url, accept: "*/*", credentials, follow: Some(PATH) };
        let answer = way.send(ask).await.map_err(|failure| self.about(failure))?;
        let status = answer.status;
        let closed = is_refused(status, &answer.headers) || status == StatusCode::NOT_FOUND;
        match status {
            StatusCode::OK => self.read(answer).await.map(Newest::Commit),
            _ if closed && token.is_none() && self.installation.is_some() => Ok(Newest::Closed),
            _ if closed => Err(self.closed(status, token.is_some())),
            _ => Err(self.about(unexpected(OPERATION, status, answer.headers, now))),
        }
    }

    fn closed(&self, status: StatusCode, with_token: bool) -> Failure {
        let source = self.source;
        let remedy = match with_token {
            true => "give the GitHub App's installation of spec.githubInstallationId access to it",
            false => "set spec.githubInstallationId of the Project, or open the repository to everybody",
        };
        match status {
            StatusCode::NOT_FOUND => Failure::DependencyMissing(format!(
                "there is no repository at the address of source {source:?}, or none that may be seen; correct repositoryUrl, or {remedy}"
            )),
            _ => Failure::Auth(format!(
                "the repository of source {source:?} is closed ({}); {remedy}",
                status.as_u16()
            )),
        }
    }

    /// The same failure, with the source that it is about.
    fn about(&self, failure: Failure) -> Failure {
        way::about(&format!("the repository of source {:?}", self.source), failure)
    }

    async fn read(&self, mut answer: Answer) -> Result<String, Failure> {
        let content = answer
            .headers
            .get(CONTENT_TYPE)
            .map(|content| content.as_bytes().starts_with(CONTENT.as_bytes()));
        if content != Some(true) {
            return Err(self.about(Failure::Invalid(
                "what answers there is no git server; correct repositoryUrl".into(),
            )));
        }
        let (mut reader, mut list) = (Reader::default(), List::new(self.branch));
        let mut read = 0;
        while let Some(chunk) = answer.body.next().await {
            let chunk = chunk.map_err(|cause| self.broken(&cause))?;
            read += chunk.len();
            reader.push(&chunk);
            while let Some(pkt) = reader.take().map_err(|wrong| self.unreadable(wrong))? {
                if let Some(found) = list.take(&pkt).map_err(|wrong| self.unreadable(wrong))? {
                    return self.found(found);
                }
            }
            if read > MOST_BYTES || list.lines > MOST_LINES {
                return Err(Failure::Unsupported(format!(
                    "{self} is not among the first {MOST_LINES} branches and tags; write a commit in spec.sources[].commitSha"
                )));
            }
        }
        Err(self.about(Failure::Transient("the list of branches broke off".into())))
    }

    fn broken(&self, cause: &str) -> Failure {
        self.about(Failure::Transient(format!("the call broke off: {cause}")))
    }

    fn unreadable(&self, _: Malformed) -> Failure {
        self.about(Failure::Transient("the list of branches can't be read".into()))
    }

    fn found(&self, found: Found) -> Result<String, Failure> {
        match found {
            Found::Commit(commit) => Ok(commit),
            Found::Nothing => {
                Err(Failure::DependencyMissing(format!("there is no {self}; push it, or correct the branch")))
            }
            Found::Other => Err(Failure::Unsupported(format!(
                "{self} is at a commit that has not 40 digits; use a repository with SHA-1 ids"
            ))),
            Found::Said(said) => Err(self.about(Failure::Invalid(format!("the git server says: {said}")))),
        }
    }
}

/// What the list of branches says of the one that is looked for.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Commit(String),
    /// It is not in the list.
    Nothing,
    /// Its id is no commit of 40 digits.
    Other,
    /// The server's message, in place of a list.
    Said(String),
}

/// A list of branches and tags, as it comes.
struct List {
    wanted: String,
    /// Whether the line that names the service has been there, and the end of its part.
    begun: [bool; 2],
    lines: usize,
}

impl List {
    fn new(branch: &str) -> Self {
        Self { wanted: format!("refs/heads/{branch}"), begun: [false; 2], lines: 0 }
    }

    fn take(&mut self, pkt: &Pkt) -> Result<Option<Found>, Malformed> {
        self.lines += 1;
        match (pkt, self.begun) {
            (Pkt::Line(line), _) if line.starts_with(b"ERR ") => Ok(Some(Found::Said(said(&line[4..])))),
            (Pkt::Line(line), [false, _]) if line == b"# service=git-upload-pack" => {
                self.begun[0] = true;
                Ok(None)
            }
            (Pkt::Flush, [true, false]) => {
                self.begun[1] = true;
                Ok(None)
            }
            (Pkt::Line(line), [true, true]) => self.reference(line),
            (Pkt::Flush, [true, true]) => Ok(Some(Found::Nothing)),
            _ => Err(Malformed),
        }
    }

    /// A line `ID NAME`, of which the first has a list of what the server can do behind a zero.
    fn reference(&self, line: &[u8]) -> Result<Option<Found>, Malformed> {
        if line == b"version 1" {
            return Ok(None);
        }
        let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
        let end = line.iter().position(|byte| *byte == b' ').ok_or(Malformed)?;
        let (id, name) = (&line[..end], &line[end + 1..]);
        if !id.iter().all(u8::is_ascii_hexdigit) {
            return Err(Malformed);
        }
        if name != self.wanted.as_bytes() {
            return Ok(None);
        }
        let id = String::from_utf8_lossy(id).to_ascii_lowercase();
        Ok(Some(if id.len() == 40 { Found::Commit(id) } else { Found::Other }))
    }
}

fn said(words: &[u8]) -> String {
    let words = concierge_shared::group::hide_secrets(&String::from_utf8_lossy(words));
    words.chars().filter(|c| !c.is_control()).take(MOST_SAID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn list(lines: &[&str]) -> Result<Option<Found>, Malformed> {
        let mut list = List::new("main");
        let mut all = vec![Pkt::Line(b"# service=git-upload-pack".to_vec()), Pkt::Flush];
        all.extend(lines.iter().map(|line| match *line {
            "" => Pkt::Flush,
            line => Pkt::Line(line.as_bytes().to_vec()),
        }));
        for pkt in &all {
            if let Some(found) = list.take(pkt)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn check(lines: &[String], expect: Result<Option<Found>, Malformed>) {
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        assert_eq!(list(&lines), expect, "{lines:?}");
    }

    #[test]
    fn a_branch_is_found_by_its_whole_name() {
        let commit = || Ok(Some(Found::Commit(ID.into())));
        let other = "f".repeat(40);
        let head = format!("{other} HEAD\0multi_ack symref=HEAD:refs/heads/main");
        check(&[head.clone(), format!("{ID} refs/heads/main"), String::new()], commit());
        check(&[format!("{ID} refs/heads/main\0caps")], commit());
        check(&["version 1".into(), format!("{} refs/heads/main", ID.to_uppercase())], commit());
        let near = ["refs/heads/main2", "refs/tags/main", "refs/heads/x/main", "refs/heads/MAIN"];
        let near = near.map(|name| format!("{other} {name}"));
        check(&[vec![head], near.to_vec(), vec![String::new()]].concat(), Ok(Some(Found::Nothing)));
        let empty = format!("{} capabilities^{{}}\0caps", "0".repeat(40));
        check(&[empty, String::new()], Ok(Some(Found::Nothing)));
        check(&[format!("{} refs/heads/main", "a".repeat(64))], Ok(Some(Found::Other)));
    }

    #[test]
    fn what_is_no_list_is_told() {
        check(&["hello".into()], Err(Malformed));
        check(&[format!("{} refs/heads/main", "g".repeat(40))], Err(Malformed));
        check(
            &["ERR access denied\u{7} ghp_abcdef".into()],
            Ok(Some(Found::Said("access denied ghp_******".into()))),
        );
        assert_eq!(List::new("main").take(&Pkt::Flush), Err(Malformed));
        assert_eq!(List::new("main").take(&Pkt::Line(b"<html>".to_vec())), Err(Malformed));
    }

    #[test]
    fn no_list_can_do_harm() {
        let mut random = fastrand::Rng::with_seed(3);
        let pieces = [ID, " ", "refs/heads/", "main", "\0", "ERR ", "a", "é", "version 1"];
        for _ in 0..50_000 {
            let lines: Vec<String> = (0..random.usize(0..4))
                .map(|_| (0..random.usize(0..5)).map(|_| pieces[random.usize(0..pieces.len())]).collect())
                .collect();
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            if let Ok(Some(Found::Commit(commit))) = list(&lines) {
                assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()));
            }
        }
    }

    #[test]
    fn a_repository_by_ssh_is_not_asked() {
        for repository in
            ["git@github.com:acme/shop.git", "ssh://git@github.com/acme/shop", "file:///srv/git"]
        {
            let branch =
                Branch { source: "web", repository, branch: "main", installation: None, namespace: None };
            assert!(matches!(branch.url(), Err(Failure::Unsupported(_))), "{repository}");
        }
    }
}
