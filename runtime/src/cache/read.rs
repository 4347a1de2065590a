//! An object as it is read from a list or a watch: one that can't be decoded does not hide the others.

use std::borrow::Cow;

use concierge_shared::kind::Kind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, de::Error};
use serde_json::Value;

/// An object, or why it can't be read. [`kube::core::DeserializeGuard`] does the same and takes several times as long: it builds a tree of
/// maps of each object, and copies that.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Attempt<K>", bound(deserialize = "K: Kind"))]
pub(super) struct Read<K>(pub(super) Result<K, Unreadable>);

/// What is known of an object that can't be read.
#[derive(Clone, Debug)]
pub(super) struct Unreadable {
    pub(super) error: String,
    pub(super) metadata: ObjectMeta,
}

/// Serde tries them in this order, and the second only when the first does not fit.
#[derive(Deserialize)]
#[serde(untagged, bound(deserialize = "K: Kind"))]
enum Attempt<K> {
    Fine(Box<K>),
    Other(Value),
}

impl<K: Kind> TryFrom<Attempt<K>> for Read<K> {
    type Error = serde_json::Error;

    fn try_from(attempt: Attempt<K>) -> serde_json::Result<Self> {
        let object = match attempt {
            Attempt::Fine(object) => return Ok(Self(Ok(*object))),
            Attempt::Other(object) => object,
        };
        let metadata = ObjectMeta::deserialize(&object["metadata"])?;
        // The second decoding tells why the first one failed.
        match K::deserialize(object) {
            Ok(object) => Ok(Self(Ok(object))),
            Err(_) if metadata.name.is_none() => Err(serde_json::Error::custom("an object without a name")),
            Err(error) => Ok(Self(Err(Unreadable { error: error.to_string(), metadata }))),
        }
    }
}

impl<K: Kind> Resource for Read<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|unreadable| &unreadable.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|unreadable| &mut unreadable.metadata, K::meta_mut)
    }
}

#[cfg(test)]
mod tests {
    use concierge_shared::pets::Pet;
    use kube::core::{DeserializeGuard, WatchEvent};
    use serde_json::json;

    use super::*;

    fn pet(spec: &Value) -> Value {
        json!({
            "apiVersion": "petstore.example.com/v1", "kind": "Pet", "spec": spec,
            "metadata": {
                "name": "rex", "namespace": "zoo", "generation": 2, "creationTimestamp": "2026-11-21T12:01:21Z",
                "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
            },
        })
    }

    #[test]
    fn an_object_is_read_as_kube_reads_it() {
        for spec in
            [json!({"id": 1, "name": "Rex", "more": 1e300}), json!({"id": "1"}), json!([]), json!(null)]
        {
            let text = pet(&spec).to_string();
            let (own, others) = (
                serde_json::from_str::<Read<Pet>>(&text),
                serde_json::from_str::<DeserializeGuard<Pet>>(&text),
            );
            match (own.unwrap().0, others.unwrap().0) {
                (Ok(own), Ok(others)) => assert_eq!(json!(own), json!(others)),
                (Err(own), Err(others)) => {
                    assert_eq!(own.metadata, others.metadata);
                    assert!(!own.error.is_empty());
                }
                (own, others) => panic!("{own:?} {others:?}"),
            }
        }
    }

    /// Servers write the type first; nothing says that they must.
    #[test]
    fn an_event_is_read_whichever_field_comes_first() {
        let object = pet(&json!({"id": 1, "name": "Rex"}));
        for text in [
            format!(r#"{{"type":"ADDED","object":{object}}}"#),
            format!(r#"{{"object":{object},"type":"ADDED"}}"#),
        ] {
            let WatchEvent::Added(Read(Ok(read))) = serde_json::from_str(&text).unwrap() else {
                panic!("{text}");
            };
            let read: Pet = read;
            assert_eq!(read.spec.id, 1);
        }
    }

    #[test]
    fn what_has_no_name_is_no_object() {
        for text in ["1", "{}", r#"{"metadata":{}}"#, r#"{"metadata":1}"#] {
            assert!(serde_json::from_str::<Read<Pet>>(text).is_err(), "{text}");
        }
    }
}
