//! The query protocol: what a request asks for, and how it is answered.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use url::form_urlencoded;

use super::super::document;
use crate::faults::{Hidden, Response};

/// A request's parameters.
pub(super) struct Call {
    parameters: BTreeMap<String, String>,
    pub(super) at: Timestamp,
    /// Whether what it makes stays unseen at first.
    pub(super) hidden: Option<Hidden>,
    /// How many entries a list has at most.
    pub(super) page: usize,
}

/// What comes of a request: the inside of its result, or an error.
pub(super) type Answer = Result<String, Refusal>;

/// An error of the service.
#[derive(Debug)]
pub struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self::new(404, "NoSuchEntity", message)
    }

    pub(super) fn exists(message: impl Into<String>) -> Self {
        Self::new(409, "EntityAlreadyExists", message)
    }

    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "DeleteConflict", message)
    }

    pub(super) fn full(message: impl Into<String>) -> Self {
        Self::new(409, "LimitExceeded", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    pub(super) fn response(&self) -> Response {
        let Self { status, code, message } = self;
        let inside = [element("Code", code), element("Message", message)].concat();
        document(*status, &format!("<ErrorResponse><Error>{inside}</Error></ErrorResponse>"))
    }
}

impl Call {
    pub(super) fn read(body: &[u8], at: Timestamp, hidden: Option<Hidden>, page: usize) -> Self {
        Self { parameters: form_urlencoded::parse(body).into_owned().collect(), at, hidden, page }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        let missing = || Refusal::invalid(format!("The request must contain the parameter {name}"));
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    }

    /// The members of a list; of each, the parameter `of`, or itself when that is empty.
    pub(super) fn members<'a>(&'a self, list: &'a str, of: &'a str) -> impl Iterator<Item = &'a str> {
        let name = move |n| match of {
            "" => format!("{list}.member.{n}"),
            of => format!("{list}.member.{n}.{of}"),
        };
        (1..).map_while(move |n: usize| self.get(&name(n)))
    }

    /// One page of a list: the entries behind the marker, and where the next page begins.
    pub(super) fn page(&self, list: &str, entries: impl IntoIterator<Item = (String, String)>) -> String {
        let after = self.get("Marker").unwrap_or_default();
        let most =
            self.get("MaxItems").and_then(|most| most.parse().ok()).unwrap_or(self.page).min(self.page);
        let mut left = entries.into_iter().skip_while(|(key, _)| !after.is_empty() && key.as_str() != after);
        let shown: String = left.by_ref().take(most).map(|(_, entry)| entry).collect();
        let end = match left.next() {
            Some((next, _)) => element("IsTruncated", "true") + &element("Marker", &next),
            None => element("IsTruncated", "false"),
        };
        format!("<{list}>{shown}</{list}>{end}")
    }
}

/// An element with this text.
pub(super) fn element(name: &str, text: &str) -> String {
    let text: Cow<'_, str> = match text.contains(['<', '>', '&']) {
        true => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").into(),
        false => text.into(),
    };
    format!("<{name}>{text}</{name}>")
}

/// An entry of a list.
pub(super) fn member(inside: &str) -> String {
    format!("<member>{inside}</member>")
}

/// A time as the service writes it: in whole seconds.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// As policy documents are answered.
pub(super) fn encoded(document: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(document.as_bytes()).collect();
    encoded.replace('+', "%20").replace('*', "%2A")
}
