//! What is nearly an object of ours, and what was probably meant.

use std::collections::BTreeSet;

use concierge_shared::{
    field::{FieldPath, at},
    kind::{KINDS, KindInfo, by_gvk, by_name},
};

use super::tree::Node;
use crate::check::words::{is_slip, nearest};

/// Whether what is no object was meant to be one of ours, or a list of them.
pub(crate) fn is_ours(node: &Node) -> bool {
    let text = |key| node.get(key).and_then(Node::text);
    let of_group =
        |version: &str| KINDS.iter().any(|info| version.split('/').next() == Some(&(info.group)()));
    text("apiVersion").is_some_and(of_group)
        || (node.get("apiVersion").is_none() && text("kind").is_some_and(|kind| by_name(kind).is_some()))
        || node.list().is_some_and(|items| items.iter().any(is_ours))
}

/// Why `node` is no object, and the field at which that is said.
pub(crate) fn no_object(node: &Node) -> (FieldPath, String) {
    let Some(map) = node.map() else {
        let why = match node.list() {
            Some(_) => {
                "is a list; give its objects as documents with --- between them, or as items of kind: List"
            }
            None => "is no Kubernetes object but a single value",
        };
        return (at(""), why.to_owned());
    };
    let is_missing = |key: &&str| map.get(key).is_none_or(|entry| entry.value.text().is_none());
    let field = ["apiVersion", "kind"].into_iter().find(is_missing).unwrap_or("kind");
    let why =
        if map.get(field).is_some() { format!("{field} is no text") } else { format!("it has no {field}") };
    (at(field), format!("is no Kubernetes object: {why}"))
}

/// The kind with this name and version in one of our groups; which field is wrong, and why.
pub(crate) fn known_kind(api_version: &str, kind: &str) -> Result<&'static KindInfo, (&'static str, String)> {
    if let Some(info) = by_gvk(api_version, kind) {
        return Ok(info);
    }
    let (group, version) = api_version.rsplit_once('/').unwrap_or_default();
    if let Some(info) = by_name(kind).filter(|info| (info.group)() == group) {
        let message = format!("{kind} has no version {version:?}; use {}", info.api_version());
        return Err(("apiVersion", message));
    }
    let kinds: Vec<_> = KINDS.iter().filter(|info| (info.group)() == group).map(|info| info.name).collect();
    if kinds.is_empty() {
        let message = format!("the group {group:?} is not Concierge's; use one of {}", groups());
        return Err(("apiVersion", message));
    }
    let hint = match nearest(kind, kinds.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("it has {}", kinds.join(", ")),
    };
    Err(("kind", format!("the group {group} has no kind {kind:?}; {hint}")))
}

fn groups() -> String {
    let groups: BTreeSet<_> = KINDS.iter().map(|info| (info.group)()).collect();
    groups.into_iter().collect::<Vec<_>>().join(", ")
}

/// What is wrong with an object of a kind of ours in a group that is none, but nearly is the kind's.
pub(crate) fn misspelt_group(group: &str, kind: &str) -> Option<String> {
    let meant = KINDS.iter().find(|info| info.name == kind && is_slip(group, &(info.group)()))?;
    Some(format!("the group {group:?} is not known here; did you mean {}?", meant.api_version()))
}

/// What is wrong with the API version that is a group of ours alone.
pub(crate) fn without_version(api_version: &str, kind: &str) -> Option<String> {
    let in_group = || KINDS.iter().filter(|info| (info.group)() == api_version);
    let meant = in_group().find(|info| info.name == kind).or_else(|| in_group().next())?;
    Some(format!("the apiVersion {api_version} has no version; use {}", meant.api_version()))
}
