//! Lists of all objects of a kind, each read once for all the runs that wait for it.
//!
//! Whoever may create and delete objects that others may use has their users looked for as often as he likes. So of one kind and namespace
//! one list is read at a time, and the next one answers all that came meanwhile. A list that began before somebody asked does not answer
//! him: it may lack what was stored since.

use std::{collections::HashMap, sync::Arc};

use concierge_shared::index::Stored;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use parking_lot::Mutex;
use serde_json::Value;

use super::{Cluster, ClusterError, objects::ObjectReader};

/// Is shown each object of a list, or its JSON when it is not of its kind's form.
pub(crate) type Visit = Box<dyn FnMut(Result<&Stored, &Value>) + Send>;

/// The lists that are read, and those that wait for their turn.
#[derive(Default)]
pub(crate) struct Lists(Mutex<HashMap<(&'static str, String), Arc<Place>>>);

/// A kind in a namespace, or in all.
#[derive(Default)]
struct Place {
    /// Held while a list is read.
    turn: tokio::sync::Mutex<()>,
    next: Mutex<Next>,
}

/// The list that has not begun.
#[derive(Default)]
struct Next {
    flight: Option<WeakShared<Flight>>,
    /// Who waits for it.
    visits: Vec<Visit>,
}

type Flight = BoxFuture<'static, Result<(), ClusterError>>;

impl Lists {
    /// Shows `visit` each object of a kind as it is stored now, in `namespace` or in all that are watched when it is empty.
    ///
    /// # Errors
    /// As [`Cluster::for_each`].
    pub(crate) async fn read(
        &self,
        cluster: &Arc<dyn Cluster>,
        (kind, reader): (&'static str, &Arc<dyn ObjectReader>),
        namespace: &str,
        visit: Visit,
    ) -> Result<(), ClusterError> {
        let place = self.place(kind, namespace);
        let flight = place.join(visit, || {
            let (place, cluster, reader) = (place.clone(), cluster.clone(), reader.clone());
            let namespace = namespace.to_owned();
            async move { place.fly(&*cluster, &*reader, &namespace).await }.boxed().shared()
        });
        flight.await
    }

    fn place(&self, kind: &'static str, namespace: &str) -> Arc<Place> {
        let mut places = self.0.lock();
        // Those that nobody waits at any more.
        places.retain(|_, place| Arc::strong_count(place) > 1);
        places.entry((kind, namespace.to_owned())).or_default().clone()
    }
}

impl Place {
    /// The list that has not begun, else the one that `begin` begins.
    fn join(&self, visit: Visit, begin: impl FnOnce() -> Shared<Flight>) -> Shared<Flight> {
        let mut next = self.next.lock();
        if let Some(flight) = next.flight.as_ref().and_then(WeakShared::upgrade) {
            next.visits.push(visit);
            return flight;
        }
        let flight = begin();
        *next = Next { flight: flight.downgrade(), visits: vec![visit] };
        flight
    }

    async fn fly(
        &self,
        cluster: &dyn Cluster,
        reader: &dyn ObjectReader,
        namespace: &str,
    ) -> Result<(), ClusterError> {
        let _turn = self.turn.lock().await;
        // Those that an earlier list has answered come together, to the next kind.
        tokio::task::yield_now().await;
        let mut visits = std::mem::take(&mut *self.next.lock()).visits;
        let mut show = |object: Value| {
            let read = reader.read(&object);
            visits.iter_mut().for_each(|visit| visit(read.as_ref().ok_or(&object)));
        };
        cluster.for_each(&reader.resource(), namespace, &mut show).await
    }
}
