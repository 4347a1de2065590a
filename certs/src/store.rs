//! The cluster for real, over a kube client.
//!
//! Permissions: get, watch and update the Secret by name (list and watch are sent with a field selector on the
//! name), create Secrets in the namespace unless a chart makes an empty one; get, list, watch and patch the named
//! configurations.

use std::{collections::BTreeMap, fmt::Debug};

use futures::{StreamExt, future::ready, stream::BoxStream};
use jiff::{Timestamp, fmt::rfc2822};
use k8s_openapi::{
    ByteString,
    api::{
        admissionregistration::v1::{
            MutatingWebhookConfiguration, ServiceReference, ValidatingWebhookConfiguration,
            WebhookClientConfig,
        },
        core::v1::Secret,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, GetParams, Patch, PatchParams, PostParams, Request},
    client::Body,
    core::{PartialObjectMeta, Status},
    runtime::{WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    bundle::Bundle,
    cluster::{Cluster, ClusterError, Entry, Live, Stored, Target, TargetKind},
    options::Options,
};

/// How long a watch lives before it is renewed, in seconds. Shorter than a client waits for an answer that says nothing
/// (45 s in both programs): a watch of an object that never changes would break each time, with a warning.
const WATCH_SECONDS: u32 = 30;
/// Owns `caBundle` and nothing else.
const FIELD_MANAGER: &str = "concierge-certs";

/// The API server, seen through one client.
#[derive(Clone)]
pub struct KubeCluster {
    client: Client,
    namespace: String,
    secret: String,
    service: String,
    targets: Vec<(TargetKind, String)>,
}

impl KubeCluster {
    /// Looks at what `options` name.
    pub fn new(client: Client, options: &Options) -> Self {
        let named = |kind, names: &[String]| names.iter().map(|it| (kind, it.clone())).collect::<Vec<_>>();
        let targets = [
            named(TargetKind::Validating, &options.validating),
            named(TargetKind::Mutating, &options.mutating),
            named(TargetKind::Conversion, &options.conversions),
        ];
        Self {
            client,
            namespace: options.namespace.clone(),
            secret: options.secret.clone(),
            service: options.service.clone(),
            targets: targets.concat(),
        }
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn secret_name(&self) -> String {
        format!("Secret {}/{}", self.namespace, self.secret)
    }

    async fn read(&self, kind: TargetKind, name: &str) -> Result<Option<Live>, kube::Error> {
        match kind {
            TargetKind::Validating => self.get(name, |it| self.validating(it)).await,
            TargetKind::Mutating => self.get(name, |it| self.mutating(it)).await,
            TargetKind::Conversion => self.get(name, |it| self.conversion(it)).await,
        }
    }

    async fn get<K>(
        &self,
        name: &str,
        entries: impl Fn(&K) -> Vec<Entry>,
    ) -> Result<Option<Live>, kube::Error>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
    {
        let found = Api::<K>::all(self.client.clone()).get_opt(name).await?;
        Ok(found.map(|object| live(object.meta(), entries(&object))))
    }

    fn validating(&self, object: &ValidatingWebhookConfiguration) -> Vec<Entry> {
        let entries = object.webhooks.iter().flatten();
        entries.filter_map(|it| self.entry(&it.name, &it.client_config)).collect()
    }

    fn mutating(&self, object: &MutatingWebhookConfiguration) -> Vec<Entry> {
        let entries = object.webhooks.iter().flatten();
        entries.filter_map(|it| self.entry(&it.name, &it.client_config)).collect()
    }

    fn conversion(&self, object: &CustomResourceDefinition) -> Vec<Entry> {
        let webhook = object.spec.conversion.as_ref().and_then(|it| it.webhook.as_ref());
        let Some(config) = webhook.and_then(|it| it.client_config.as_ref()) else { return Vec::new() };
        let service = config.service.as_ref();
        let ours = service.is_none_or(|it| self.is_ours(&it.namespace, &it.name));
        let bundle = parse_bundle(config.ca_bundle.as_ref());
        if ours { vec![Entry { name: String::new(), bundle }] } else { Vec::new() }
    }

    /// An entry that calls somebody else's Service is none of our business.
    fn entry(&self, name: &str, config: &WebhookClientConfig) -> Option<Entry> {
        let ours = |it: &ServiceReference| self.is_ours(&it.namespace, &it.name);
        let bundle = parse_bundle(config.ca_bundle.as_ref());
        config.service.as_ref().is_none_or(ours).then(|| Entry { name: name.to_owned(), bundle })
    }

    fn is_ours(&self, namespace: &str, name: &str) -> bool {
        namespace == self.namespace && name == self.service
    }

    /// Raw, because the answer's Date header is wanted as well.
    async fn get_secret(&self) -> Result<Stored, kube::Error> {
        let request = Request::new(self.secrets().resource_url()).get(&self.secret, &GetParams::default());
        let request = request.map_err(kube::Error::BuildRequest)?.map(Body::from);
        let response = self.client.send(request).await?;
        let time = response.headers().get("date").and_then(|it| http_date(it.to_str().ok()?));
        let status = response.status();
        let body = response.into_body().collect_bytes().await?;
        match status.as_u16() {
            200 => Ok(Stored { secret: Some(parse(&body)?), time }),
            404 => Ok(Stored { secret: None, time }),
            _ => Err(kube::Error::Api(Box::new(parse::<Status>(&body)?))),
        }
    }
}

impl Cluster for KubeCluster {
    async fn targets(&self) -> Result<Vec<Target>, ClusterError> {
        let reads = self.targets.iter().map(async |(kind, name)| {
            let target = Target { kind: *kind, name: name.clone(), live: None };
            match self.read(*kind, name).await {
                Ok(live) => Ok(Target { live, ..target }),
                Err(error) => Err(failed("get", target.to_string(), error)),
            }
        });
        futures::future::try_join_all(reads).await
    }

    async fn stored(&self) -> Result<Stored, ClusterError> {
        self.get_secret().await.map_err(|error| failed("get", self.secret_name(), error))
    }

    async fn create(&self, data: BTreeMap<String, ByteString>) -> Result<(), ClusterError> {
        let labels = BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), "concierge".to_owned())]);
        let metadata =
            ObjectMeta { name: Some(self.secret.clone()), labels: Some(labels), ..ObjectMeta::default() };
        let secret = Secret { metadata, data: Some(data), ..Secret::default() };
        let created = self.secrets().create(&post(), &secret).await;
        created.map(drop).map_err(|error| failed("create", self.secret_name(), error))
    }

    async fn replace(&self, read: &Secret, data: BTreeMap<String, ByteString>) -> Result<(), ClusterError> {
        let secret = Secret { data: Some(data), ..read.clone() };
        let replaced = self.secrets().replace(&self.secret, &post(), &secret).await;
        replaced.map(drop).map_err(|error| failed("update", self.secret_name(), error))
    }

    async fn apply(&self, target: &Target, bundles: &[(String, Bundle)]) -> Result<(), ClusterError> {
        let resource = resource(target.kind);
        let patch = configuration(&resource, target, bundles);
        let api = Api::<DynamicObject>::all_with(self.client.clone(), &resource);
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let applied = api.patch(&target.name, &parameters, &Patch::Apply(&patch)).await;
        applied.map(drop).map_err(|error| failed("patch", target.to_string(), error))
    }

    fn changes(&self) -> BoxStream<'static, ()> {
        let all = self.client.clone();
        let targets = self.targets.iter().map(|(kind, name)| match kind {
            TargetKind::Validating => watch::<ValidatingWebhookConfiguration>(Api::all(all.clone()), name),
            TargetKind::Mutating => watch::<MutatingWebhookConfiguration>(Api::all(all.clone()), name),
            TargetKind::Conversion => watch::<CustomResourceDefinition>(Api::all(all.clone()), name),
        });
        let secret = Api::namespaced(self.client.clone(), &self.namespace);
        futures::stream::select_all(targets.chain([watch::<Secret>(secret, &self.secret)])).boxed()
    }
}

fn tells_of_object<K>(event: &watcher::Event<K>) -> bool {
    !matches!(event, watcher::Event::Init | watcher::Event::InitDone)
}

/// Changes of one object, by name. Metadata is enough: what changed is read again anyway.
fn watch<K>(api: Api<PartialObjectMeta<K>>, name: &str) -> BoxStream<'static, ()>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + 'static,
    PartialObjectMeta<K>: Resource<DynamicType = ()> + DeserializeOwned,
{
    let object = format!("{} {name}", K::kind(&()));
    let named = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let config = named.timeout(WATCH_SECONDS);
    let mut broken = false;
    let changes = watcher(api, config).default_backoff().filter_map(move |event| {
        if let Some(error) = breaks(&mut broken, &event) {
            tracing::warn!(object, %error, "watch is broken, trying again");
        }
        ready(event.ok().filter(tells_of_object).map(drop))
    });
    changes.boxed()
}

/// The error with which a watch breaks, not those of the attempts after it.
fn breaks<'a, K>(
    broken: &mut bool,
    event: &'a watcher::Result<watcher::Event<K>>,
) -> Option<&'a watcher::Error> {
    let error = event.as_ref().err();
    let was = *broken;
    // A list that begins is no answer yet.
    *broken = error.is_some() || (was && matches!(event, Ok(watcher::Event::Init)));
    error.filter(|_| !was)
}

fn live(meta: &ObjectMeta, entries: Vec<Entry>) -> Live {
    let generation = format!("{:?}/{:?}", meta.uid, meta.generation);
    Live { version: meta.resource_version.clone().unwrap_or_default(), generation, entries }
}

fn resource(kind: TargetKind) -> ApiResource {
    match kind {
        TargetKind::Validating => ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
        TargetKind::Mutating => ApiResource::erase::<MutatingWebhookConfiguration>(&()),
        TargetKind::Conversion => ApiResource::erase::<CustomResourceDefinition>(&()),
    }
}

/// The apply configuration: what we own, and the version it was computed from as the condition. An object that was
/// deleted meanwhile is not created by it: it would lack all required fields.
fn configuration(resource: &ApiResource, target: &Target, bundles: &[(String, Bundle)]) -> Value {
    let config = |bundle: &Bundle| json!({ "caBundle": ByteString(bundle.pem().into_bytes()) });
    let mut patch = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": { "name": target.name, "resourceVersion": target.live.as_ref().map(|it| &it.version) },
    });
    match target.kind {
        TargetKind::Conversion => {
            let config = bundles.first().map(|(_, bundle)| config(bundle));
            patch["spec"] = json!({ "conversion": { "webhook": { "clientConfig": config } } });
        }
        TargetKind::Validating | TargetKind::Mutating => {
            patch["webhooks"] = bundles
                .iter()
                .map(|(name, bundle)| json!({ "name": name, "clientConfig": config(bundle) }))
                .collect();
        }
    }
    patch
}

fn failed(verb: &'static str, object: String, error: kube::Error) -> ClusterError {
    match &error {
        kube::Error::Api(status) if status.is_conflict() || status.is_already_exists() => {
            ClusterError::Conflict { object }
        }
        kube::Error::Api(status) if status.is_forbidden() => {
            let remedy = "grant this to the webhook's service account (the chart's Role and ClusterRole do)";
            ClusterError::Call { verb, object, remedy, source: Box::new(error) }
        }
        _ => ClusterError::Call { verb, object, remedy: "it is tried again", source: Box::new(error) },
    }
}

fn post() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, kube::Error> {
    serde_json::from_slice(body).map_err(kube::Error::SerdeError)
}

fn parse_bundle(bytes: Option<&ByteString>) -> Bundle {
    bytes.map(|it| Bundle::parse(&it.0)).unwrap_or_default()
}

/// `Wed, 21 Oct 2026 07:28:00 GMT`
fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::parse(text).ok().map(|it| it.timestamp())
}

#[cfg(test)]
mod tests;
