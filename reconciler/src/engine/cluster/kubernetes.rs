//! The API server through kube's client.

use std::{collections::HashMap, fmt, time::Duration};

use concierge_runtime::{clock::ServerClock, read::Read};
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        core::v1::ObjectReference,
        events::v1::{Event, EventSeries},
    },
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, Error, Resource,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::{ApiResource, DynamicObject, DynamicResourceScope, ObjectMeta},
};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;

use crate::engine::{
    cluster::{Answer, Cluster, ClusterError, FIELD_MANAGER, MetadataPatch, ObjectEvent, Target},
    seams::{Clock, SystemClock},
};

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many objects a page of a list has: with the largest objects, a page stays below 32 MiB.
const PAGE: u32 = 200;
/// How long an event that happens again is counted instead of sent anew.
const SERIES: jiff::SignedDuration = jiff::SignedDuration::from_mins(30);
/// How often events that are longer ago are forgotten.
const SWEEP: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);
/// The longest note of an event, in bytes.
const NOTE: usize = 1000;

/// An object of any kind.
type Readable = Read<DynamicObject>;

/// The API server.
pub struct Kubernetes {
    client: Client,
    namespaces: Vec<String>,
    instance: String,
    clock: ServerClock,
    told: Mutex<Told>,
}

/// The events that may happen again.
#[derive(Default)]
struct Told {
    /// By the object's uid, reason and message.
    events: HashMap<(String, String, String), Event>,
    /// When those that were long ago were last forgotten.
    swept: Timestamp,
}

impl Told {
    /// Forgets what was long ago, but does not look for it at every event.
    fn sweep(&mut self, now: Timestamp) {
        if now.duration_since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        let since = |event: &Event| {
            let series = event.series.as_ref().map(|series| &series.last_observed_time);
            series.or(event.event_time.as_ref()).map_or(Timestamp::MIN, |time| time.0)
        };
        self.events.retain(|_, event| now.duration_since(since(event)) < SERIES);
    }
}

impl Kubernetes {
    /// The API server behind `client`, which repeats nothing by itself; lists are of `namespaces`, or of all when there are none.
    /// Events name `instance` as their source. Its time is what `clock` says.
    pub fn new(client: Client, clock: ServerClock, namespaces: Vec<String>, instance: String) -> Self {
        Self { client, namespaces, instance, clock, told: Mutex::default() }
    }

    fn api<T>(&self, resource: &ApiResource, namespace: &str) -> Api<T>
    where
        T: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>,
    {
        match namespace {
            "" => Api::all_with(self.client.clone(), resource),
            namespace => Api::namespaced_with(self.client.clone(), namespace, resource),
        }
    }

    async fn each_page(
        &self,
        api: &Api<Readable>,
        params: ListParams,
        visit: &mut (dyn FnMut(Value) + Send),
    ) -> Result<(), ClusterError> {
        let mut params = params.limit(PAGE);
        loop {
            let page = bounded(api.list(&params)).await?;
            for mut object in page.items {
                object.meta_mut().managed_fields = None;
                visit(object.into_json());
            }
            let next = page.metadata.continue_.filter(|token| !token.is_empty());
            let Some(token) = next else { return Ok(()) };
            params = params.continue_token(&token);
        }
    }

    fn patch<'a, P>(&'a self, target: &'a Target, params: PatchParams, patch: Patch<P>) -> Answer<'a, Value>
    where
        P: Serialize + fmt::Debug + Send + Sync + 'a,
    {
        Box::pin(async move {
            let api: Api<Readable> = self.api(&target.resource, &target.namespace);
            Ok(bounded(api.patch(&target.name, &params, &patch)).await?.into_json())
        })
    }

    /// The event to send, and whether it is one that was sent before and happens again.
    ///
    /// kube's `Recorder` does not serve here: it takes two events of one reason for the same whatever their messages say, and the
    /// id of what a call made is told in a message.
    fn event(&self, notice: &ObjectEvent) -> (Event, bool) {
        let now = SystemClock.now();
        let mut told = self.told.lock();
        told.sweep(now);
        let key = (notice.uid.clone(), notice.reason.clone(), notice.message.clone());
        match told.events.get_mut(&key) {
            Some(event) => {
                let count = event.series.as_ref().map_or(1, |series| series.count) + 1;
                event.series = Some(EventSeries { count, last_observed_time: MicroTime(now) });
                (event.clone(), true)
            }
            None => {
                let event = self.new_event(notice, now);
                told.events.insert(key, event.clone());
                (event, false)
            }
        }
    }

    fn new_event(&self, notice: &ObjectEvent, now: Timestamp) -> Event {
        let ObjectEvent { key, resource, uid, warning, reason, message } = notice;
        let namespace = if key.namespace.is_empty() { "default" } else { &key.namespace };
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{}.{:x}", key.name, now.as_nanosecond())),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            action: Some("Reconcile".to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(cut(message)),
            reason: Some(reason.clone()),
            regarding: Some(ObjectReference {
                api_version: Some(resource.api_version.clone()),
                kind: Some(resource.kind.clone()),
                name: Some(key.name.clone()),
                namespace: Some(key.namespace.clone()).filter(|namespace| !namespace.is_empty()),
                uid: Some(uid.clone()),
                ..ObjectReference::default()
            }),
            reporting_controller: Some("concierge.dev/reconciler".to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(if *warning { "Warning" } else { "Normal" }.to_owned()),
            ..Event::default()
        }
    }
}

impl Cluster for Kubernetes {
    fn time(&self, _: Timestamp) -> Timestamp {
        self.clock.now()
    }

    fn get<'a>(&'a self, target: &'a Target) -> Answer<'a, Option<Value>> {
        Box::pin(async move {
            let api: Api<Readable> = self.api(&target.resource, &target.namespace);
            match bounded(api.get(&target.name)).await {
                Ok(found) => Ok(Some(found.into_json())),
                Err(ClusterError::NotFound) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn namespaces(&self) -> Vec<String> {
        match self.namespaces.is_empty() {
            true => vec![String::new()],
            false => self.namespaces.clone(),
        }
    }

    fn for_each<'a>(
        &'a self,
        resource: &'a ApiResource,
        namespace: &'a str,
        visit: &'a mut (dyn FnMut(Value) + Send),
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            // Claims have no namespace, and are listed whole.
            let whole = self.namespaces.is_empty() || resource.kind == "Claim";
            let all = ListParams::default;
            if !namespace.is_empty() {
                return self.each_page(&self.api(resource, namespace), all(), visit).await;
            }
            if whole {
                return self.each_page(&self.api(resource, ""), all(), visit).await;
            }
            for namespace in &self.namespaces {
                self.each_page(&self.api(resource, namespace), all(), visit).await?;
            }
            Ok(())
        })
    }

    fn create<'a>(&'a self, target: &'a Target, object: &'a Value) -> Answer<'a, Value> {
        Box::pin(async move {
            let object: DynamicObject = readable(object)?;
            let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
            let api = self.api(&target.resource, &target.namespace);
            json(bounded(api.create(&params, &object)).await?)
        })
    }

    fn replace<'a>(&'a self, target: &'a Target, object: &'a Value) -> Answer<'a, Value> {
        Box::pin(async move {
            let object: DynamicObject = readable(object)?;
            let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
            let api = self.api(&target.resource, &target.namespace);
            json(bounded(api.replace(&target.name, &params, &object)).await?)
        })
    }

    fn apply<'a>(&'a self, target: &'a Target, object: &'a Value) -> Answer<'a, Value> {
        self.patch(target, PatchParams::apply(FIELD_MANAGER).force(), Patch::Apply(object))
    }

    fn apply_status<'a>(
        &'a self,
        target: &'a Target,
        resource_version: &'a str,
        status: &'a Value,
    ) -> Answer<'a, Value> {
        Box::pin(async move {
            let object = serde_json::json!({
                "apiVersion": target.resource.api_version,
                "kind": target.resource.kind,
                "metadata": { "name": target.name, "resourceVersion": resource_version },
                "status": status,
            });
            let params = PatchParams::apply(FIELD_MANAGER).force();
            let api: Api<Readable> = self.api(&target.resource, &target.namespace);
            Ok(bounded(api.patch_status(&target.name, &params, &Patch::Apply(&object))).await?.into_json())
        })
    }

    fn patch_metadata<'a>(&'a self, target: &'a Target, patch: &'a MetadataPatch) -> Answer<'a, Value> {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        self.patch(target, params, Patch::Merge(patch.to_json()))
    }

    fn delete<'a>(&'a self, target: &'a Target, uid: &'a str, resource_version: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let preconditions = Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: Some(resource_version.to_owned()),
            };
            let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
            let api: Api<Readable> = self.api(&target.resource, &target.namespace);
            bounded(api.delete(&target.name, &params)).await?;
            Ok(())
        })
    }

    fn list_labelled<'a>(
        &'a self,
        resource: &'a ApiResource,
        namespace: &'a str,
        selector: &'a str,
        visit: &'a mut (dyn FnMut(Value) + Send),
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let params = ListParams::default().labels(selector);
            self.each_page(&self.api(resource, namespace), params, visit).await
        })
    }

    fn apply_child<'a>(&'a self, target: &'a Target, object: &'a Value, force: bool) -> Answer<'a, Value> {
        self.patch(target, PatchParams { force, ..PatchParams::apply(FIELD_MANAGER) }, Patch::Apply(object))
    }

    fn delete_by_uid<'a>(&'a self, target: &'a Target, uid: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
            // A Job stays until its pods are gone: what takes its place is not to run beside them.
            let params = match target.resource.kind.as_str() {
                "Job" => DeleteParams::foreground(),
                _ => DeleteParams::background(),
            };
            let api: Api<Readable> = self.api(&target.resource, &target.namespace);
            bounded(api.delete(&target.name, &params.preconditions(preconditions))).await?;
            Ok(())
        })
    }

    fn emit_event<'a>(&'a self, notice: &'a ObjectEvent) -> Answer<'a, ()> {
        Box::pin(async move {
            let (event, again) = self.event(notice);
            let namespace = event.metadata.namespace.clone().unwrap_or_default();
            let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
            let name = event.metadata.name.clone().unwrap_or_default();
            if again {
                let patch = Patch::Merge(serde_json::json!({ "series": event.series }));
                match bounded(api.patch(&name, &PatchParams::default(), &patch)).await {
                    // Events are forgotten after a while, or by hand.
                    Err(ClusterError::NotFound) => {}
                    other => return other.map(drop),
                }
            }
            bounded(api.create(&PostParams::default(), &event)).await.map(drop)
        })
    }
}

async fn bounded<T>(request: impl Future<Output = Result<T, Error>>) -> Result<T, ClusterError> {
    match tokio::time::timeout(PATIENCE, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(classify(&error)),
        Err(_) => Err(ClusterError::Unknown(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

fn classify(error: &Error) -> ClusterError {
    match error {
        Error::Api(status) => match (status.code, status.reason.as_str()) {
            (409, "AlreadyExists") => ClusterError::Exists,
            (409, _) => ClusterError::Conflict,
            (404, "NotFound") => ClusterError::NotFound,
            // Its resource is not served, for now at least.
            (404, _) => ClusterError::Unknown("the API server does not serve the resource".into()),
            (429, _) => ClusterError::Unknown(status.message.clone()),
            (401 | 403, _) => ClusterError::Forbidden(status.message.clone()),
            (400..=499, _) => ClusterError::Refused(status.message.clone()),
            // The API server's answer to a field that the definition does not have.
            (500, _) if status.message.contains("field not declared in schema") => {
                ClusterError::Refused(status.message.clone())
            }
            _ => ClusterError::Unknown(status.message.clone()),
        },
        Error::BuildRequest(error) => ClusterError::Refused(error.to_string()),
        other => ClusterError::Unknown(other.to_string()),
    }
}

fn readable(object: &Value) -> Result<DynamicObject, ClusterError> {
    serde_json::from_value(object.clone()).map_err(|error| ClusterError::Refused(error.to_string()))
}

fn json(object: DynamicObject) -> Result<Value, ClusterError> {
    serde_json::to_value(object).map_err(|error| ClusterError::Unknown(error.to_string()))
}

fn cut(text: &str) -> String {
    match text.char_indices().map(|(at, _)| at).find(|at| *at > NOTE) {
        Some(at) => text[..at].to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_are_long_ago_are_forgotten_and_not_looked_for_at_every_event() {
        let start: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let at = |minutes: i64| start.checked_add(jiff::SignedDuration::from_mins(minutes)).unwrap();
        let event = |minutes| Event { event_time: Some(MicroTime(at(minutes))), ..Event::default() };
        let mut told = Told { swept: start, ..Told::default() };
        for minutes in 0..60 {
            told.events.insert((format!("uid-{minutes}"), String::new(), String::new()), event(minutes));
        }
        // One that began long ago and happened again just now.
        let series = EventSeries { count: 9, last_observed_time: MicroTime(at(59)) };
        told.events.insert(Default::default(), Event { series: Some(series), ..event(0) });
        told.sweep(start);
        assert_eq!(told.events.len(), 61, "within the minute");
        told.sweep(at(60));
        assert_eq!(told.events.len(), 30, "those of the last half hour, and the one that goes on");
        assert!(told.events.contains_key(&Default::default()));
        told.sweep(at(200));
        assert!(told.events.is_empty());
    }
}
