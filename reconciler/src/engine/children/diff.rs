//! How a stored object differs from the wanted one: the fields of the wanted one that are absent, or have other values.

use std::fmt;

use concierge_shared::child::{APPLIED_ANNOTATION, Child};
use serde_json::Value;

use super::quantity;

/// How many differences are told.
const MOST: usize = 10;
/// The longest value that is told, in characters.
const LONGEST: usize = 60;
/// The fields that are quantities, or maps of them.
const QUANTITIES: [&str; 12] = [
    "requests",
    "limits",
    "hard",
    "default",
    "defaultRequest",
    "max",
    "min",
    "maxLimitRequestRatio",
    "capacity",
    "sizeLimit",
    "divisor",
    "storage",
];
/// The objects that Kubernetes takes as a whole: a key too many selects something else.
const WHOLE: [&str; 5] = ["selector", "podSelector", "namespaceSelector", "nodeSelector", "matchLabels"];
/// The fields with values that may be secret, or long.
const HIDDEN: [&str; 6] = ["data", "stringData", "binaryData", "value", "args", "command"];

/// A field that is not as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub field: String,
    /// What is there; no secrets.
    pub found: String,
    /// What is wanted; no secrets.
    pub wanted: String,
}

/// `spec.replicas 3 -> 1`
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.field, self.found, self.wanted)
    }
}

/// The fields of `wanted` that `found` does not have, or has otherwise; of many, some.
pub(super) fn differences(resource: Child, wanted: &Value, found: &Value) -> Vec<Difference> {
    let mut walk = Walk { resource, differences: Vec::new() };
    let root = Place { path: "", name: "", hidden: false, quantity: false };
    for (name, value) in wanted.as_object().into_iter().flatten() {
        match name.as_str() {
            "apiVersion" | "kind" | "status" => {}
            "metadata" => walk.metadata(value, &found["metadata"]),
            _ => walk.value(&root.field(name), value, &found[name]),
        }
    }
    walk.differences.truncate(MOST);
    walk.differences
}

/// Where in an object.
struct Place<'a> {
    path: &'a str,
    /// The field's name; that of the list, for what is in one.
    name: &'a str,
    hidden: bool,
    quantity: bool,
}

/// Like [`Place`], with texts of its own.
struct Below {
    path: String,
    name: String,
    hidden: bool,
    quantity: bool,
}

impl Below {
    fn place(&self) -> Place<'_> {
        Place { path: &self.path, name: &self.name, hidden: self.hidden, quantity: self.quantity }
    }
}

impl Place<'_> {
    fn field(&self, name: &str) -> Below {
        let path = match (self.path, name.contains(['.', '/'])) {
            ("", _) => name.to_owned(),
            (path, true) => format!("{path}[{name}]"),
            (path, false) => format!("{path}.{name}"),
        };
        let hidden = self.hidden || HIDDEN.contains(&name);
        // Keys of a ConfigMap and labels can have these names too.
        let quantity = !hidden && path.starts_with("spec") && (self.quantity || QUANTITIES.contains(&name));
        Below { path, name: name.to_owned(), hidden, quantity }
    }

    fn item(&self, which: &str) -> Below {
        let path = format!("{}[{which}]", self.path);
        Below { path, name: self.name.to_owned(), hidden: self.hidden, quantity: self.quantity }
    }
}

struct Walk {
    resource: Child,
    differences: Vec<Difference>,
}

impl Walk {
    /// Only what is wanted expressly: others may set labels and annotations too.
    fn metadata(&mut self, wanted: &Value, found: &Value) {
        for map in ["labels", "annotations"] {
            let place =
                Place { path: "metadata", name: "metadata", hidden: false, quantity: false }.field(map);
            for (key, value) in wanted[map].as_object().into_iter().flatten() {
                if key != APPLIED_ANNOTATION {
                    self.value(&place.place().field(key), value, &found[map][key]);
                }
            }
        }
    }

    fn value(&mut self, at: &Below, wanted: &Value, found: &Value) {
        match wanted {
            // The API server stores no field that is empty.
            _ if is_empty(wanted) && is_empty(found) => {}
            Value::Object(fields) if found.is_object() || found.is_null() => {
                for (name, value) in fields {
                    self.value(&at.place().field(name), value, &found[name]);
                }
                if WHOLE.contains(&at.name.as_str()) {
                    self.no_others(at, wanted, found);
                }
            }
            Value::Array(items) => self.list(at, items, found.as_array().map_or(&[], Vec::as_slice)),
            _ if same(at, wanted, found) => {}
            _ => self.note(at, wanted, found),
        }
    }

    /// Notes the keys that are stored and not wanted: each changes what the selector selects.
    fn no_others(&mut self, at: &Below, wanted: &Value, found: &Value) {
        for (name, value) in found.as_object().into_iter().flatten() {
            if wanted.get(name).is_none() && !is_empty(value) {
                self.note(&at.place().field(name), &Value::Null, value);
            }
        }
    }

    fn list(&mut self, at: &Below, wanted: &[Value], found: &[Value]) {
        match wanted.first().and_then(|first| key_of(self.resource, &at.name, first)) {
            Some(_) => self.by_key(at, wanted, found),
            None => self.by_position(at, wanted, found),
        }
    }

    /// Compares a list that the API server merges by key: others may add items.
    fn by_key(&mut self, at: &Below, wanted: &[Value], found: &[Value]) {
        let key = |item: &Value| key_of(self.resource, &at.name, item);
        let keyed: Vec<_> = found.iter().map(|item| (key(item), item)).collect();
        let wanted: Vec<_> = wanted.iter().map(|item| (key(item), item)).collect();
        for (key, item) in wanted {
            let there = keyed.iter().find(|(other, _)| *other == key).map_or(&Value::Null, |(_, item)| *item);
            let at = at.place().item(key.as_deref().unwrap_or_default());
            match there.is_null() {
                true => self.note(&at, item, there),
                false => self.value(&at, item, there),
            }
        }
    }

    /// Compares a list that is replaced as a whole.
    fn by_position(&mut self, at: &Below, wanted: &[Value], found: &[Value]) {
        if wanted.len() != found.len() {
            let count = |items: &[Value]| Value::from(format!("{} items", items.len()));
            let shown =
                Below { path: at.path.clone(), name: at.name.clone(), hidden: false, quantity: false };
            return self.note(&shown, &count(wanted), &count(found));
        }
        for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
            self.value(&at.place().item(&index.to_string()), wanted, found);
        }
    }

    fn note(&mut self, at: &Below, wanted: &Value, found: &Value) {
        let text = |value: &Value, hidden: &str| match (value, at.hidden) {
            (Value::Null, _) => "absent".to_owned(),
            (_, true) => hidden.to_owned(),
            (value, false) => told(value),
        };
        let (found, wanted) = (text(found, "(another value)"), text(wanted, "(the wanted value)"));
        self.differences.push(Difference { field: at.path.clone(), found, wanted });
    }
}

/// What tells the items of a list from each other, in the lists that the API server merges by key; `None` in others.
fn key_of(resource: Child, list: &str, item: &Value) -> Option<String> {
    let text = |field: &str| item[field].as_str().map(str::to_owned);
    match (resource.kind, list) {
        ("NetworkPolicy" | "Ingress" | "ServiceAccount", _) => None,
        (_, "containers" | "initContainers" | "volumes" | "env" | "imagePullSecrets") => text("name"),
        (_, "volumeMounts") => text("mountPath"),
        (_, "volumeDevices") => text("devicePath"),
        (_, "ports") => {
            let port = item["containerPort"].as_u64().or(item["port"].as_u64())?;
            Some(format!("{port}/{}", item["protocol"].as_str().unwrap_or("TCP")))
        }
        _ => None,
    }
}

fn same(at: &Below, wanted: &Value, found: &Value) -> bool {
    let quantities = || match (wanted, found) {
        (Value::String(one), Value::String(other)) => quantity::same(one, other),
        (Value::Number(one), Value::String(other)) => quantity::same(&one.to_string(), other),
        _ => false,
    };
    wanted == found || at.quantity && quantities()
}

/// True for a value that the API server treats like an absent one.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
    }
}

/// A value for people. What is in objects and lists may be secret.
fn told(value: &Value) -> String {
    let text = match value {
        Value::Object(_) | Value::Array(_) => "(something)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
