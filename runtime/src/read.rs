//! An object as it is read from the API server: one that can't be decoded does not hide the others.

use std::{borrow::Cow, collections::BTreeMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, core::DynamicObject};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_json::{Map, Value, value::RawValue};

/// An object, or why it can't be read.
#[derive(Clone, Debug)]
pub struct Read<T>(pub Result<T, Unreadable>);

/// What is known of an object that can't be read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    pub error: String,
    pub metadata: ObjectMeta,
    /// As much of it as can be read.
    pub json: Value,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Read<T> {
    /// The text is stepped over first, however deep it is nested. A decoder that gives up within an object can't go on behind it, and
    /// the whole list or event would be lost. An event has its type first, as kube-apiserver writes it: of what serde keeps
    /// until it knows the type, no [`RawValue`] can be read.
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(json)?;
        Self::of(text.get()).map_err(D::Error::custom)
    }
}

impl<T: DeserializeOwned> Read<T> {
    fn of(text: &str) -> serde_json::Result<Self> {
        if let Ok(object) = serde_json::from_str(text) {
            return Ok(Self(Ok(object)));
        }
        let (parts, trouble) = parts(text)?;
        let json = Value::Object(parts);
        let metadata = ObjectMeta::deserialize(&json["metadata"])?;
        if metadata.name.is_none() {
            return Err(Error::custom("an object without a name"));
        }
        let whole = match trouble {
            Some(trouble) => Err(trouble),
            None => T::deserialize(&json).map_err(|error| error.to_string()),
        };
        Ok(Self(whole.map_err(|error| Unreadable { error, metadata, json })))
    }
}

type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// The fields of an object, each read by itself, and what is wrong with the first that can't be.
fn parts(text: &str) -> serde_json::Result<(Map<String, Value>, Option<String>)> {
    let (mut parts, mut trouble) = (Map::new(), None);
    for (name, field) in serde_json::from_str::<Fields<'_>>(text)? {
        let read = if name == "metadata" { metadata(field.get()) } else { serde_json::from_str(field.get()) };
        match read {
            Ok(value) => drop(parts.insert(name, value)),
            Err(error) => trouble = trouble.or_else(|| Some(format!("{name}: {error}"))),
        }
    }
    Ok((parts, trouble))
}

/// Metadata without managed fields: whoever may change an object may write them as deep as he likes.
fn metadata(text: &str) -> serde_json::Result<Value> {
    let mut fields: Fields<'_> = serde_json::from_str(text)?;
    fields.remove("managedFields");
    let read = fields.into_iter().map(|(name, field)| Ok((name, serde_json::from_str(field.get())?)));
    read.collect::<serde_json::Result<Map<_, _>>>().map(Value::Object)
}

impl Read<DynamicObject> {
    /// The object's JSON; of one that can't be read, as much as can be.
    pub fn into_json(self) -> Value {
        self.0.map_or_else(
            |unreadable| unreadable.json,
            |object| serde_json::to_value(object).unwrap_or_default(),
        )
    }
}

impl<T: Resource> Resource for Read<T> {
    type DynamicType = T::DynamicType;
    type Scope = T::Scope;

    fn kind(of: &T::DynamicType) -> Cow<'_, str> {
        T::kind(of)
    }

    fn group(of: &T::DynamicType) -> Cow<'_, str> {
        T::group(of)
    }

    fn version(of: &T::DynamicType) -> Cow<'_, str> {
        T::version(of)
    }

    fn plural(of: &T::DynamicType) -> Cow<'_, str> {
        T::plural(of)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|unreadable| &unreadable.metadata, T::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|unreadable| &mut unreadable.metadata, T::meta_mut)
    }
}

#[cfg(test)]
mod tests {
    use concierge_shared::{catalyst::Project, pets::Pet};
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

    /// `[[[…]]]`, so many in each other.
    fn nested(depth: usize) -> String {
        "[".repeat(depth) + &"]".repeat(depth)
    }

    /// A project with these parts, which may be deeper than a [`Value`] can be made of.
    fn project(managed: &str, monitoring: &str) -> String {
        let metadata = format!(r#"{{"name":"shop","managedFields":[{{"fieldsV1":{managed}}}]}}"#);
        format!(
            r#"{{"metadata":{metadata},"spec":{{"sources":[],"monitoring":{monitoring}}},"status":{{"environments":3}}}}"#
        )
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
                    let without = ObjectMeta { managed_fields: None, ..others.metadata };
                    assert_eq!(own.metadata, without);
                    assert!(!own.error.is_empty());
                }
                (own, others) => panic!("{own:?} {others:?}"),
            }
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_unreadable_and_what_is_beside_it_is_not() {
        let page = format!("[{},{}]", project("{}", &nested(20_000)), project("{}", &nested(126)));
        let read: Vec<Read<Project>> = serde_json::from_str(&page).unwrap();
        let [Read(Err(deep)), Read(Ok(shop))] = &read[..] else { panic!("{read:?}") };
        assert!(deep.error.starts_with("spec: recursion limit exceeded"), "{}", deep.error);
        assert_eq!(
            (deep.metadata.name.as_deref(), &deep.json["status"]["environments"]),
            (Some("shop"), &json!(3))
        );
        assert!(deep.json["spec"].is_null() && shop.spec.monitoring.is_some());
    }

    #[test]
    fn managed_fields_may_be_as_deep_as_they_like() {
        let text = project(&nested(20_000), "1");
        let Read(Ok(project)) = serde_json::from_str::<Read<Project>>(&text).unwrap() else {
            panic!("{text}")
        };
        assert_eq!(project.status.and_then(|status| status.environments), Some(3));
        let any: Read<DynamicObject> = serde_json::from_str(&text).unwrap();
        assert_eq!(any.into_json()["spec"]["monitoring"], 1);
    }

    /// The API server writes the type first.
    #[test]
    fn an_event_of_what_is_nested_too_deep_is_an_event() {
        let text = format!(r#"{{"type":"ADDED","object":{}}}"#, project("{}", &nested(200)));
        let WatchEvent::Added(read) = serde_json::from_str::<WatchEvent<Read<Project>>>(&text).unwrap()
        else {
            panic!("{text}");
        };
        assert!(read.0.is_err() && read.meta().name.as_deref() == Some("shop"));
    }

    #[test]
    fn what_has_no_name_is_no_object() {
        for text in ["1", "{}", r#"{"metadata":{}}"#, r#"{"metadata":1}"#] {
            assert!(serde_json::from_str::<Read<Pet>>(text).is_err(), "{text}");
        }
    }
}
