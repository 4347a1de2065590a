//! A Petstore v3 REST service: the part of it that keeps pets.
//!
//! | operation | answers |
//! |---|---|
//! | `GET /pet/{id}` | 200 pet, 404 none |
//! | `POST /pet`, `PUT /pet` | 200 pet; both set the pet with this id |
//! | `DELETE /pet/{id}` | 200, 404 none |
//! | `GET /store/inventory` | 200, numbers by status |
//!
//! The key goes into the header `api_key`. All calls may be repeated: the id is ours.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::common::http::{Reply, send};
use crate::engine::Failure;

/// Begins the name of the tag with which we mark a pet as an object's.
const MARK: &str = "concierge.dev/uid=";

/// A pet as the service keeps it. What it knows of it beside these fields is kept as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RemotePet {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) photo_urls: Vec<String>,
    pub(super) tags: Vec<Label>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Label {
    id: i64,
    pub(super) name: String,
}

impl RemotePet {
    /// The uid of the object that the pet is marked as belonging to.
    pub(super) fn owner(&self) -> Option<&str> {
        self.tags.iter().find_map(|tag| tag.name.strip_prefix(MARK))
    }

    /// The tags that are not our mark.
    pub(super) fn plain_tags(&self) -> Vec<&str> {
        self.tags.iter().map(|tag| tag.name.as_str()).filter(|name| !name.starts_with(MARK)).collect()
    }

    /// Sets name, tag and mark, and leaves the rest: a service may number tags itself.
    pub(super) fn set(mut self, id: i64, name: &str, tag: Option<&str>, owner: &str) -> Self {
        let names: Vec<_> = tag.map(str::to_owned).into_iter().chain([format!("{MARK}{owner}")]).collect();
        self.id = id;
        self.name = name.to_owned();
        if !self.tags.iter().map(|tag| &tag.name).eq(&names) {
            self.tags = (0..).zip(names).map(|(id, name)| Label { id, name }).collect();
        }
        self
    }
}

/// Speaks to one service.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    key: Option<String>,
}

impl Client {
    pub(super) fn new(http: reqwest::Client, url: &str, key: Option<String>) -> Self {
        Self { http, url: url.trim_end_matches('/').to_owned(), key }
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn credentials_digest(&self) -> String {
        let mut digest = DefaultHasher::new();
        (&self.url, &self.key).hash(&mut digest);
        format!("{:x}", digest.finish())
    }

    pub(super) async fn get(&self, id: i64, now: Timestamp) -> Result<Option<RemotePet>, Failure> {
        let reply = send(self.request(Method::GET, &format!("pet/{id}"))).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        of_a_repeatable(reply.json("GET /pet/{id}", now)).map(Some)
    }

    pub(super) async fn create(&self, pet: &RemotePet, now: Timestamp) -> Result<(), Failure> {
        done(send(self.request(Method::POST, "pet").json(pet)).await?, "POST /pet", now)
    }

    pub(super) async fn update(&self, pet: &RemotePet, now: Timestamp) -> Result<(), Failure> {
        done(send(self.request(Method::PUT, "pet").json(pet)).await?, "PUT /pet", now)
    }

    pub(super) async fn delete(&self, id: i64, now: Timestamp) -> Result<(), Failure> {
        let reply = send(self.request(Method::DELETE, &format!("pet/{id}"))).await?;
        if reply.status == StatusCode::NOT_FOUND { Ok(()) } else { done(reply, "DELETE /pet/{id}", now) }
    }

    pub(super) async fn inventory(&self, now: Timestamp) -> Result<(), Failure> {
        done(send(self.request(Method::GET, "store/inventory")).await?, "GET /store/inventory", now)
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}/{path}", self.url));
        match &self.key {
            Some(key) => request.header("api_key", key),
            None => request,
        }
    }
}

fn done(reply: Reply, operation: &str, now: Timestamp) -> Result<(), Failure> {
    of_a_repeatable(reply.success(operation, now))
}

/// Nothing is lost by repeating a call that sets or removes a pet by its id.
fn of_a_repeatable<T>(result: Result<T, Failure>) -> Result<T, Failure> {
    result.map_err(Failure::of_a_read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_the_service_gives_to_tags_are_no_difference() {
        let mut stored = RemotePet::default().set(1, "Rex", Some("dog"), "uid");
        stored.tags.iter_mut().for_each(|tag| tag.id += 4711);
        assert_eq!(stored.clone().set(1, "Rex", Some("dog"), "uid"), stored);
        assert_ne!(stored.clone().set(1, "Rex", Some("cat"), "uid"), stored);
    }
}
