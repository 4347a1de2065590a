//! Which addresses may be called, and how a call is made.
//!
//! Users name repositories, and servers name where to go on. So a name is judged by the addresses that it leads to, at the moment of the
//! connection, and each redirect by itself.

use std::sync::Arc;

use concierge_shared::catalyst::is_internal;
use futures::StreamExt;
use jiff::Timestamp;
use reqwest::{
    Method, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER},
};

use super::transport::{ALLOW, Answer, Reach, Request, Transport};
use crate::{
    common::{http::Reply, secret_text::SecretText},
    engine::{Failure, note_status},
};

/// How many redirects are followed.
const REDIRECTS: usize = 3;

/// Calls servers, within the addresses that may be called.
#[derive(Clone)]
pub struct Way {
    transport: Arc<dyn Transport>,
    reach: Reach,
}

/// The credentials of a request.
#[derive(Clone, Debug)]
pub enum Credentials<'a> {
    None,
    Basic(&'a str, &'a SecretText),
    Bearer(&'a SecretText),
}

/// A request that changes nothing.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) accept: &'static str,
    pub(super) credentials: Credentials<'a>,
    /// The end of the path of every address that a redirect may lead to; without it, no redirect is followed.
    pub(super) follow: Option<&'static str>,
}

impl Way {
    pub fn new(transport: Arc<dyn Transport>, reach: Reach) -> Self {
        Self { transport, reach }
    }

    /// `Ok` when `url` may be called.
    ///
    /// # Errors
    /// [`Failure::Invalid`] with the remedy.
    pub(super) fn check(&self, url: &Url) -> Result<(), Failure> {
        let credentials = !url.username().is_empty() || url.password().is_some();
        let why = match (self.reach, url.scheme()) {
            _ if credentials => "contains credentials; remove them".to_owned(),
            (Reach::Outside, _) if is_internal(url) => {
                format!("leads into the cluster or its network; {ALLOW}")
            }
            (Reach::Outside, "https") | (Reach::Anywhere, "https" | "http") => return Ok(()),
            (Reach::Outside, "http") => "is not encrypted; use https".to_owned(),
            _ => "is neither https nor http; use https".to_owned(),
        };
        Err(Failure::Invalid(format!("the address {why}")))
    }

    /// Sends `ask` and follows redirects.
    pub(super) async fn send(&self, ask: Ask<'_>) -> Result<Answer, Failure> {
        let Ask { method, url: first, accept, credentials, follow } = ask;
        let authorization = credentials.header()?;
        let mut url = first.clone();
        for _ in 0..=REDIRECTS {
            self.check(&url)?;
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            if let Some(authorization) = authorization.as_ref().filter(|_| url.origin() == first.origin()) {
                headers.insert(AUTHORIZATION, authorization.clone());
            }
            let request = Request { method: method.clone(), url: url.clone(), headers };
            let answer = self.transport.send(self.reach, request).await?;
            note_status(answer.status.as_u16());
            match follow.filter(|_| answer.status.is_redirection()) {
                Some(end) => url = redirected(&url, &answer.headers, end)?,
                None => return Ok(answer),
            }
        }
        Err(Failure::Invalid("the server redirects in a circle; write the address where it is now".into()))
    }
}

/// Where an answer leads.
fn redirected(from: &Url, headers: &HeaderMap, end: &str) -> Result<Url, Failure> {
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let to = location.and_then(|location| from.join(location).ok());
    let to =
        to.filter(|to| to.path().ends_with(end) && (to.scheme() == "https" || from.scheme() == to.scheme()));
    to.ok_or_else(|| {
        Failure::Invalid("the server redirects to something else; write the address where it is now".into())
    })
}

impl Credentials<'_> {
    fn header(&self) -> Result<Option<HeaderValue>, Failure> {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let text = match self {
            Credentials::None => return Ok(None),
            Credentials::Basic(user, password) => {
                format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.expose())))
            }
            Credentials::Bearer(token) => format!("Bearer {}", token.expose()),
        };
        let wrong =
            |_| Failure::DependencyMissing("the token holds characters that no token has; replace it".into());
        let mut header = HeaderValue::from_str(&text).map_err(wrong)?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

/// The whole of an answer whose body has no more than `most` bytes.
pub(super) async fn whole(mut answer: Answer, most: usize) -> Result<Reply, Failure> {
    let mut body = Vec::new();
    while let Some(part) = answer.body.next().await {
        let part = part.map_err(|cause| Failure::Transient(format!("the call broke off: {cause}")))?;
        if body.len() + part.len() > most {
            return Err(Failure::Unsupported(format!("the answer is larger than {most} bytes")));
        }
        body.extend_from_slice(&part);
    }
    Ok(Reply { status: answer.status, headers: answer.headers, body })
}

/// True for a refusal that is not a rate limit.
pub(super) fn is_refused(status: StatusCode, headers: &HeaderMap) -> bool {
    let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
    refused && !headers.contains_key(RETRY_AFTER)
}

/// The failure that an answer means which is neither about credentials nor about a missing object.
pub(super) fn unexpected(operation: &str, status: StatusCode, headers: HeaderMap, now: Timestamp) -> Failure {
    let patience = headers.contains_key(RETRY_AFTER) && status == StatusCode::FORBIDDEN;
    let status = if patience { StatusCode::TOO_MANY_REQUESTS } else { status };
    Reply { status, headers, body: Vec::new() }.failure(operation, "", now).of_a_read()
}

/// The same failure, with `what` it is about where it does not say so.
pub(super) fn about(what: &str, failure: Failure) -> Failure {
    let told = |message: String| format!("{what}: {message}");
    match failure {
        Failure::NeverSent(message) => Failure::NeverSent(told(message)),
        Failure::Transient(message) => Failure::Transient(told(message)),
        Failure::Invalid(message) => Failure::Invalid(told(message)),
        Failure::Unsupported(message) => Failure::Unsupported(told(message)),
        Failure::DependencyMissing(message) => Failure::DependencyMissing(told(message)),
        Failure::Throttled { message, retry_after } => {
            Failure::Throttled { message: told(message), retry_after }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;
    use parking_lot::Mutex;

    use super::*;

    /// A server that redirects every request to this address, and notes each.
    #[derive(Default)]
    struct Sends {
        to: String,
        came: Mutex<Vec<(String, bool)>>,
    }

    impl Transport for Sends {
        fn send(&self, _: Reach, request: Request) -> BoxFuture<'_, Result<Answer, Failure>> {
            let known = request.headers.contains_key(AUTHORIZATION);
            self.came.lock().push((request.url.to_string(), known));
            let headers = [(LOCATION, self.to.parse().unwrap())].into_iter().collect();
            let answer =
                Answer { status: StatusCode::FOUND, headers, body: futures::stream::empty().boxed() };
            Box::pin(std::future::ready(Ok(answer)))
        }
    }

    fn way(reach: Reach) -> Way {
        Way::new(Arc::new(Sends::default()), reach)
    }

    /// The requests that follow from a redirect of `https://git.example/a/info/refs`, sent with a token, and the answer.
    async fn sent(to: &str, follow: Option<&'static str>) -> (Vec<(String, bool)>, Result<u16, Failure>) {
        let sends = Arc::new(Sends { to: to.to_owned(), ..Sends::default() });
        let token = SecretText::new("token");
        let ask = Ask {
            method: Method::GET,
            url: url("https://git.example/a/info/refs"),
            accept: "*/*",
            credentials: Credentials::Bearer(&token),
            follow,
        };
        let answer = Way::new(sends.clone(), Reach::Outside).send(ask).await;
        let came = sends.came.lock().clone();
        (came, answer.map(|answer| answer.status.as_u16()))
    }

    #[tokio::test]
    async fn a_redirect_leads_nowhere_inside_and_takes_no_credentials_to_another_host() {
        let first = ("https://git.example/a/info/refs".to_owned(), true);
        let end = Some("/info/refs");
        for inside in [
            "https://169.254.169.254/info/refs",
            "https://git.svc/info/refs",
            "https://u:p@git.example/info/refs",
        ] {
            let (came, answer) = sent(inside, end).await;
            assert!(matches!(answer, Err(Failure::Invalid(_))), "{inside}: {answer:?}");
            assert_eq!(came, std::slice::from_ref(&first), "{inside}");
        }
        let (came, answer) = sent("https://other.example/b/info/refs", end).await;
        assert!(matches!(answer, Err(Failure::Invalid(message)) if message.contains("in a circle")));
        assert_eq!(came.len(), 1 + REDIRECTS);
        assert!(came[1..].iter().all(|(_, known)| !known), "{came:?}");
        let (came, answer) = sent("https://git.example/b/info/refs", None).await;
        assert_eq!((came, answer), (vec![first], Ok(302)), "whoever follows none is told");
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn nothing_inside_is_called_unless_an_operator_said_so() {
        let outside = way(Reach::Outside);
        for bad in [
            "https://127.0.0.1/a",
            "https://169.254.169.254/latest",
            "https://git.svc.cluster.local/a",
            "https://[fd00::1]/a",
            "http://github.com/a",
            "ftp://github.com/a",
            "https://u:p@github.com/a",
        ] {
            assert!(matches!(outside.check(&url(bad)), Err(Failure::Invalid(_))), "{bad}");
        }
        assert_eq!(outside.check(&url("https://github.com/a")), Ok(()));
        let anywhere = way(Reach::Anywhere);
        assert_eq!(anywhere.check(&url("http://registry.default.svc:5000/v2/")), Ok(()));
        assert!(anywhere.check(&url("file:///etc/passwd")).is_err());
    }

    #[test]
    fn redirects_lead_to_the_same_thing_and_never_out_of_encryption() {
        let to = |from: &str, location: &str| {
            let headers = [(LOCATION, location.parse().unwrap())].into_iter().collect();
            redirected(&url(from), &headers, "/info/refs").ok().map(String::from)
        };
        let from = "https://git.example/a/info/refs?service=git-upload-pack";
        assert_eq!(to(from, "/b.git/info/refs").as_deref(), Some("https://git.example/b.git/info/refs"));
        assert_eq!(
            to(from, "https://other.example/info/refs").as_deref(),
            Some("https://other.example/info/refs")
        );
        assert_eq!(to(from, "http://git.example/b/info/refs"), None);
        assert_eq!(to(from, "/login"), None);
        assert_eq!(
            to("http://git.svc/a/info/refs", "http://git.svc/b/info/refs").as_deref(),
            Some("http://git.svc/b/info/refs")
        );
        assert!(redirected(&url(from), &HeaderMap::new(), "").is_err());
    }

    #[test]
    fn credentials_are_in_no_text() {
        let secret = SecretText::new("s3cret");
        for credentials in [Credentials::Basic("jane", &secret), Credentials::Bearer(&secret)] {
            let header = credentials.header().unwrap().unwrap();
            assert!(!format!("{credentials:?} {header:?}").contains("s3cret"));
        }
        let wrong = SecretText::new("s3cret\n");
        let refused = Credentials::Bearer(&wrong).header().unwrap_err();
        assert!(!refused.to_string().contains("s3cret"));
    }

    #[test]
    fn who_is_to_be_patient_is_not_refused() {
        let patient: HeaderMap = [(RETRY_AFTER, HeaderValue::from_static("30"))].into_iter().collect();
        assert!(is_refused(StatusCode::FORBIDDEN, &HeaderMap::new()));
        assert!(!is_refused(StatusCode::FORBIDDEN, &patient));
        let failure = unexpected("GET /x", StatusCode::FORBIDDEN, patient, Timestamp::UNIX_EPOCH);
        assert!(matches!(failure, Failure::Throttled { retry_after: Some(_), .. }), "{failure:?}");
        let failure = unexpected("GET /x", StatusCode::BAD_GATEWAY, HeaderMap::new(), Timestamp::UNIX_EPOCH);
        assert!(matches!(failure, Failure::Transient(_)), "{failure:?}");
    }
}
