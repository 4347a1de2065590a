//! A review read by its brackets, in one pass: what rules read is found, what nobody reads is stepped over.
//!
//! It is how nearly every review is read. Whatever is unusual (a field twice, a wrong type, an escaped key, an object
//! written as an array) returns nothing here and is read by serde, so that both say the same. They differ in what is stepped
//! over and then never read: its syntax is not checked. `DIFFERENCES` in the tests is the list.

use std::borrow::Cow;

use super::{
    envelope::{Envelope, GroupVersionKind, UserInfo},
    object::{Metadata, Raw, Text, Texts},
    scan::{Read, fields, items, once, skip, trimmed, value},
};

/// Reads the fields that are named, each at most once, and steps over the others; what follows the object.
macro_rules! read {
    ($text:expr, { $($key:literal => $slot:ident: $read:expr),+ $(,)? }) => {
        fields($text, |key, text| match key {
            $($key => once(&mut $slot, $read(text)?),)+
            _ => skip(text),
        })?
    };
}

/// The request of a review.
pub(super) fn review(body: &[u8]) -> Option<Envelope<'_>> {
    let (mut version, mut kind, mut found) = (None, None, None);
    let rest = read!(trimmed(body), {
        b"apiVersion" => version: string,
        b"kind" => kind: string,
        b"request" => found: request,
    });
    let is_review = version? == "admission.k8s.io/v1" && kind? == "AdmissionReview";
    found.filter(|_| is_review && trimmed(rest).is_empty())
}

fn request(json: &[u8]) -> Read<'_, Envelope<'_>> {
    let (mut uid, mut kind, mut name, mut namespace, mut operation) = (None, None, None, None, None);
    let (mut sub_resource, mut user, mut new, mut old, mut dry_run) = (None, None, None, None, None);
    let rest = read!(json, {
        b"uid" => uid: string,
        b"kind" => kind: group_version_kind,
        b"name" => name: string,
        b"namespace" => namespace: string,
        b"operation" => operation: string,
        b"subResource" => sub_resource: string,
        b"userInfo" => user: user_info,
        b"object" => new: |text| or_null(text, object),
        b"oldObject" => old: |text| or_null(text, object),
        b"dryRun" => dry_run: |text| or_null(text, flag),
    });
    let envelope = Envelope {
        uid: uid?,
        kind: kind?,
        name: name.unwrap_or_default(),
        namespace: namespace.unwrap_or_default(),
        operation: operation?,
        sub_resource: sub_resource.unwrap_or_default(),
        user_info: user.unwrap_or_default(),
        object: new.flatten(),
        old_object: old.flatten(),
        dry_run: dry_run.flatten(),
    };
    Some((envelope, rest))
}

fn group_version_kind(json: &[u8]) -> Read<'_, GroupVersionKind<'_>> {
    let (mut group, mut version, mut kind) = (None, None, None);
    let rest = read!(json, {
        b"group" => group: string,
        b"version" => version: string,
        b"kind" => kind: string,
    });
    Some((GroupVersionKind { group: group.unwrap_or_default(), version: version?, kind: kind? }, rest))
}

fn user_info(json: &[u8]) -> Read<'_, UserInfo<'_>> {
    let (mut username, mut uid, mut groups, mut extra) = (None, None, None, None);
    let rest = read!(json, {
        b"username" => username: string,
        b"uid" => uid: string,
        b"groups" => groups: texts,
        b"extra" => extra: |text| or_null(text, utf8),
    });
    let user = UserInfo {
        username: username.unwrap_or_default(),
        uid: uid.unwrap_or_default(),
        groups: groups.unwrap_or_default(),
        extra: extra.flatten(),
    };
    Some((user, rest))
}

fn object(json: &[u8]) -> Read<'_, Raw<'_>> {
    let (mut meta, mut spec, mut status) = (None, None, None);
    let rest = read!(json, {
        b"metadata" => meta: metadata,
        b"spec" => spec: |text| or_null(text, utf8),
        b"status" => status: |text| or_null(text, utf8),
    });
    Some((Raw::of(meta.unwrap_or_default(), spec.flatten(), status.flatten()), rest))
}

fn metadata(json: &[u8]) -> Read<'_, Metadata<'_>> {
    let (mut name, mut namespace, mut uid, mut version) = (None, None, None, None);
    let (mut creation, mut deletion, mut labels, mut annotations) = (None, None, None, None);
    let rest = read!(json, {
        b"name" => name: |json| or_null(json, text),
        b"namespace" => namespace: |json| or_null(json, text),
        b"uid" => uid: |json| or_null(json, text),
        b"resourceVersion" => version: |json| or_null(json, text),
        b"creationTimestamp" => creation: |json| or_null(json, decoded),
        b"deletionTimestamp" => deletion: |json| or_null(json, decoded),
        b"labels" => labels: |json| or_null(json, texts_by_key),
        b"annotations" => annotations: |json| or_null(json, texts_by_key),
    });
    let metadata = Metadata {
        name: name.flatten(),
        namespace: namespace.flatten(),
        uid: uid.flatten(),
        resource_version: version.flatten(),
        creation_timestamp: creation.flatten(),
        deletion_timestamp: deletion.flatten(),
        labels: labels.flatten(),
        annotations: annotations.flatten(),
    };
    Some((metadata, rest))
}

fn or_null<'a, T>(text: &'a [u8], read: impl FnOnce(&'a [u8]) -> Read<'a, T>) -> Read<'a, Option<T>> {
    match text.strip_prefix(b"null") {
        Some(rest) => Some((None, rest)),
        None => read(text).map(|(read, rest)| (Some(read), rest)),
    }
}

/// The text of a string.
pub(super) fn string(text: &[u8]) -> Read<'_, Cow<'_, str>> {
    let (value, rest) = value(text)?;
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    // Without an end in between, so that many bytes are compared at once.
    let is_odd = inner.iter().fold(false, |odd, byte| odd | (*byte == b'\\') | (*byte < b' '));
    let string = match is_odd {
        false => Cow::Borrowed(std::str::from_utf8(inner).ok()?),
        true => Cow::Owned(serde_json::from_slice(value).ok()?),
    };
    Some((string, rest))
}

fn text(json: &[u8]) -> Read<'_, Text<'_>> {
    string(json).map(|(text, rest)| (Text(text), rest))
}

fn texts(json: &[u8]) -> Read<'_, Vec<Text<'_>>> {
    let mut texts = Vec::new();
    let rest = items(json, |item| {
        let (text, rest) = text(item)?;
        texts.push(text);
        Some(rest)
    })?;
    Some((texts, rest))
}

fn texts_by_key(json: &[u8]) -> Read<'_, Texts<'_>> {
    value(json).map(|(value, rest)| (Texts(value), rest))
}

fn utf8(json: &[u8]) -> Read<'_, &str> {
    let (value, rest) = value(json)?;
    Some((std::str::from_utf8(value).ok()?, rest))
}

fn decoded<'a, T: serde::Deserialize<'a>>(json: &'a [u8]) -> Read<'a, T> {
    let (value, rest) = value(json)?;
    Some((serde_json::from_slice(value).ok()?, rest))
}

fn flag(json: &[u8]) -> Read<'_, bool> {
    match json {
        [b't', b'r', b'u', b'e', rest @ ..] => Some((true, rest)),
        [b'f', b'a', b'l', b's', b'e', rest @ ..] => Some((false, rest)),
        _ => None,
    }
}
