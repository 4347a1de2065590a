//! The objects of a kind as the API server has them now, with no more kept of each than a cache would.

use concierge_runtime::{
    cache::Keep,
    client::found,
    read::{Read, Unreadable},
};
use concierge_shared::{
    admission::lookup::Need,
    index::Stored,
    kind::{Kind, Visitor, visit_kinds},
};
use futures::{FutureExt, future::BoxFuture};
use kube::{Api, Client, Error, api::ListParams};
use serde::de::Error as _;

/// How many objects a page of a list has. While it is decoded a page takes several times what is kept of it.
const PAGE: u32 = 25;

/// What was read.
#[derive(Clone, Debug)]
pub(super) struct Objects {
    pub(super) objects: Vec<Stored>,
    /// Whether that is all there is.
    pub(super) complete: bool,
}

/// Reads the object or the list that is needed.
///
/// # Errors
/// When the API server can't be asked, or the object can't be read.
pub(super) async fn read(client: &Client, need: &Need) -> Result<Objects, Error> {
    let mut reading = Reading { client, need, begun: None };
    visit_kinds(&mut reading);
    match reading.begun {
        Some(read) => read.await,
        None => Ok(Objects { objects: Vec::new(), complete: true }),
    }
}

/// Begins to read what is needed when the kind comes by.
struct Reading<'a> {
    client: &'a Client,
    need: &'a Need,
    begun: Option<BoxFuture<'static, Result<Objects, Error>>>,
}

impl Visitor for Reading<'_> {
    fn visit<K: Kind>(&mut self) {
        if self.need.kind() != K::NAME {
            return;
        }
        self.begun = match self.need.clone() {
            Need::Object { namespace, name, .. } => {
                Some(one(api::<K>(self.client, &namespace), name).boxed())
            }
            Need::List { namespace, .. } => Some(list(api::<K>(self.client, &namespace)).boxed()),
            // These are asked for otherwise.
            Need::Namespace { .. } | Need::Permission { .. } => None,
        };
    }
}

fn api<K: Kind>(client: &Client, namespace: &str) -> Api<Read<K>> {
    match namespace {
        "" => Api::all(client.clone()),
        namespace => Api::namespaced(client.clone(), namespace),
    }
}

async fn one<K: Kind>(api: Api<Read<K>>, name: String) -> Result<Objects, Error> {
    let found = found(api.get(&name).await)?.map(stored).transpose()?;
    Ok(Objects { objects: Vec::from_iter(found), complete: true })
}

/// Up to [`Need::LIMIT`] objects. Those that can't be read are left to the cache behind, like those that follow.
async fn list<K: Kind>(api: Api<Read<K>>) -> Result<Objects, Error> {
    let mut read = Objects { objects: Vec::new(), complete: true };
    let mut page = ListParams::default().limit(PAGE);
    for _ in 0..Need::LIMIT / PAGE {
        let list = api.list(&page).await?;
        for object in list.items {
            match stored(object) {
                Ok(object) => read.objects.push(object),
                // The watch tells of it.
                Err(_) => read.complete = false,
            }
        }
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(read),
        }
    }
    read.complete = false;
    Ok(read)
}

fn stored<K: Kind>(object: Read<K>) -> Result<Stored, Error> {
    object.0.map(|object| Keep::ForRules.store(object)).map_err(|Unreadable { error, metadata, .. }| {
        let (namespace, name) = (metadata.namespace.unwrap_or_default(), metadata.name.unwrap_or_default());
        let why = format!("{} {namespace}/{name} can't be read: {error}", K::NAME);
        Error::SerdeError(serde_json::Error::custom(why))
    })
}
