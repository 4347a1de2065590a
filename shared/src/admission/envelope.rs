//! The review's bytes, borrowed: who asks what about which object. The objects are taken apart in the same pass.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::object::{Raw, Text, unread};
use super::quick;

/// What the request wants to do with the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Store a new one.
    Create,
    /// Store a new version of it.
    Update,
    /// Delete it.
    Delete,
    /// Anything else; always admitted, since no rule is about it.
    Other,
}

impl Operation {
    /// The spelling in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Other => "OTHER",
        }
    }
}

impl From<&str> for Operation {
    fn from(text: &str) -> Self {
        match text {
            "CREATE" => Operation::Create,
            "UPDATE" => Operation::Update,
            "DELETE" => Operation::Delete,
            _ => Operation::Other,
        }
    }
}

/// `request` of an `admission.k8s.io/v1 AdmissionReview`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope<'a, T = Raw<'a>> {
    /// Echoed in the answer.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    #[serde(borrow)]
    pub kind: GroupVersionKind<'a>,
    /// The object's name; empty for a generated one and for some deletions.
    #[serde(borrow, default)]
    pub name: Cow<'a, str>,
    /// The object's namespace; empty for a cluster-scoped object.
    #[serde(borrow, default)]
    pub namespace: Cow<'a, str>,
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    #[serde(borrow)]
    pub operation: Cow<'a, str>,
    /// The status or scale of an object; empty for the object itself.
    #[serde(borrow, default)]
    pub sub_resource: Cow<'a, str>,
    /// Who asks.
    #[serde(borrow, default)]
    pub user_info: UserInfo<'a>,
    /// The object to be stored.
    pub object: Option<T>,
    /// The object that is stored now.
    pub old_object: Option<T>,
    /// Whether nothing will be stored.
    #[serde(default)]
    pub dry_run: Option<bool>,
}

/// A kind's full name.
#[derive(Debug, Deserialize)]
pub struct GroupVersionKind<'a> {
    /// The API group.
    #[serde(borrow, default)]
    pub group: Cow<'a, str>,
    #[serde(borrow)]
    pub version: Cow<'a, str>,
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
}

/// Who asks.
#[derive(Debug, Default, Deserialize)]
pub struct UserInfo<'a> {
    #[serde(borrow, default)]
    pub username: Cow<'a, str>,
    /// The user's uid.
    #[serde(borrow, default)]
    pub uid: Cow<'a, str>,
    /// The user's groups.
    #[serde(borrow, default)]
    pub groups: Vec<Text<'a>>,
    /// What the authenticator added.
    #[serde(borrow, default, deserialize_with = "unread")]
    pub extra: Option<&'a str>,
}

impl<'a> UserInfo<'a> {
    /// A user with this name, in these groups.
    pub fn new(username: &'a str, groups: &'a [String]) -> Self {
        let groups = groups.iter().map(|group| Text(group.into())).collect();
        Self { username: username.into(), groups, ..Self::default() }
    }

    /// True when `who` is the user's name, or a group that the user is in.
    pub fn is(&self, who: &str) -> bool {
        self.username == who || self.groups.iter().any(|group| group.0 == who)
    }
}

/// Why a body is no review that can be decided.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The body is no JSON, or not of the form of a review.
    #[error("the body is not an AdmissionReview: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The body is a review of another version.
    #[error(
        "the body is a {0}, not an admission.k8s.io/v1 AdmissionReview; set admissionReviewVersions: [v1]"
    )]
    Version(String),
    /// The review has no request.
    #[error("the AdmissionReview has no request")]
    NoRequest,
}

/// Reads a review.
pub fn parse(body: &[u8]) -> Result<Envelope<'_>, EnvelopeError> {
    quick::review(body).map_or_else(|| parse_with_serde(body), Ok)
}

pub(super) fn parse_with_serde(body: &[u8]) -> Result<Envelope<'_>, EnvelopeError> {
    let review = serde_json::from_slice(body).or_else(|_| parse_around_objects(body))?;
    if review.api_version != "admission.k8s.io/v1" || review.kind != "AdmissionReview" {
        return Err(EnvelopeError::Version(format!("{} {}", review.api_version, review.kind)));
    }
    review.request.ok_or(EnvelopeError::NoRequest)
}

/// Reads a review one of whose objects has not the shape of an object, which is the object's problem.
fn parse_around_objects(body: &[u8]) -> serde_json::Result<Review<'_, Raw<'_>>> {
    let Review { api_version, kind, request } = serde_json::from_slice(body)?;
    Ok(Review { api_version, kind, request: request.map(Envelope::take_apart) })
}

impl<'a> Envelope<'a, &'a RawValue> {
    fn take_apart(self) -> Envelope<'a> {
        Envelope {
            uid: self.uid,
            kind: self.kind,
            name: self.name,
            namespace: self.namespace,
            operation: self.operation,
            sub_resource: self.sub_resource,
            user_info: self.user_info,
            object: self.object.map(|object| object.get().into()),
            old_object: self.old_object.map(|object| object.get().into()),
            dry_run: self.dry_run,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a, T> {
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow = "'a", bound(deserialize = "T: Deserialize<'de>"))]
    request: Option<Envelope<'a, T>>,
}

/// The request's UID in a body that can't be read as a whole: cut off, too large, or malformed further on.
///
/// The API server writes the UID first; it is looked for nowhere but directly behind `"request":{`.
pub fn find_uid(body: &[u8]) -> Option<String> {
    let text = body.get(..body.len().min(4096))?;
    let request = find(text, b"\"request\"")?;
    let rest = &text[request..];
    let uid = &rest[find(rest, b"\"uid\"")?..];
    let value = &uid[find(uid, b"\"")?..];
    let end = value.iter().position(|byte| *byte == b'"')?;
    let uid = std::str::from_utf8(&value[..end]).ok()?;
    uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-').then(|| uid.to_owned())
}

/// The place just behind the first `needle`.
fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle).map(|start| start + needle.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uid_is_found_in_a_body_that_ends_early() {
        let cut = br#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"705ab4f5-6393","kin"#;
        assert_eq!(find_uid(cut).as_deref(), Some("705ab4f5-6393"));
        assert_eq!(find_uid(b"{\"request\": { \"uid\" : \"a-1\"").as_deref(), Some("a-1"));
        assert_eq!(find_uid(b"{\"uid\":\"outside\"}"), None);
        assert_eq!(find_uid(b""), None);
    }

    #[test]
    fn an_object_without_shape_leaves_the_review_readable() {
        for object in ["\"text\"", "[1]", r#"{"metadata":{"labels":{"a":1}},"spec":{}}"#] {
            let body = format!(
                r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u-1",
                "kind":{{"version":"v1","kind":"Pet"}},"operation":"CREATE","object":{object}}}}}"#
            );
            let envelope = parse(body.as_bytes()).unwrap();
            assert_eq!(envelope.uid, "u-1");
            assert!(envelope.object.is_some_and(|object| object.decode::<crate::pets::Pet>().is_err()));
        }
    }

    #[test]
    fn other_versions_and_empty_reviews_are_told_apart() {
        let version = parse(br#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#);
        assert!(matches!(version, Err(EnvelopeError::Version(found)) if found.contains("v1beta1")));
        let empty = parse(br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#);
        assert!(matches!(empty, Err(EnvelopeError::NoRequest)));
        assert!(matches!(parse(b"nonsense"), Err(EnvelopeError::Malformed(_))));
    }
}
