//! Whether a configuration may be published, and the ConfigMap.
//!
//! While a Pipeline is not ready, or the whole can't be written, what was published last stays. It is still looked after as long as it would be
//! written again just so.

use std::{collections::BTreeMap, sync::Arc};

use concierge_shared::{
    index::Stored,
    kind::Kind,
    orasi::{Configuration, Connector, Pipeline, Storage},
    status::{ConditionReason, ConditionType, Conditions},
};
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::bridge::{self, Rendered, Taken};
use crate::engine::{
    Context, Failure,
    children::{ChildStep, Compared, FoundChild, Wanted, unwanted_children},
};

/// The entry of the ConfigMap.
const ENTRY: &str = "bridge.json";
/// The annotation with the SHA-256 of what a bridge is told: of the ConfigMap, and of the pods that were started with it.
pub(super) const HASH_ANNOTATION: &str = "orasi.io/config-sha256";
/// The most bytes that a ConfigMap holds.
const MOST: usize = 1_048_576;
/// How many Pipelines are named in a sentence.
const FEW: usize = 5;

/// What there is to publish, and what is published.
pub(super) struct Publication {
    /// How many Pipelines are taken.
    pub(super) pipelines: usize,
    /// Why nothing new is published.
    pub(super) obstacle: Option<(ConditionReason, String)>,
    /// The name of the ConfigMap that is there, and the SHA-256 of what is in it.
    pub(super) published: Option<(String, String)>,
    /// The ConfigMap, unless it is left as it is.
    pub(super) compared: Vec<Compared>,
    /// ConfigMaps under names of before.
    pub(super) unwanted: Vec<ChildStep>,
}

impl Publication {
    /// Whether the ConfigMap is as it is wanted.
    fn is_there(&self) -> bool {
        self.compared.iter().any(|one| matches!(one.found, FoundChild::Same { .. }))
    }
}

pub(super) async fn look(ctx: &Context, configuration: &Configuration) -> Result<Publication, Failure> {
    let known = ctx.children(configuration)?;
    let pipelines = taken(ctx, configuration)?;
    let status = configuration.status.as_ref();
    let published = status.and_then(|status| Some((status.config_map.clone()?, status.hash.clone()?)));
    let (unready, rendered) = (unready(&pipelines), render(ctx, configuration, &pipelines));
    let mut publication = Publication {
        pipelines: pipelines.len(),
        published,
        obstacle: unready.or_else(|| rendered.as_ref().err().cloned()),
        compared: Vec::new(),
        unwanted: Vec::new(),
    };
    let was = |hash: &String| publication.published.as_ref().is_some_and(|(_, published)| published == hash);
    let may_be = |rendered: &Rendered| publication.obstacle.is_none() || was(&rendered.hash);
    let Some(rendered) = rendered.ok().filter(may_be) else {
        let is_known = |(name, _): &(String, String)| known.iter().any(|(key, _)| key.name == *name);
        publication.published = publication.published.filter(is_known);
        return Ok(publication);
    };
    let wanted = vec![Wanted::new(configuration, &config_map(configuration, &rendered))?];
    let unwanted = unwanted_children(&known, &wanted);
    publication.compared = ctx.compare_children(configuration, wanted).await?;
    if publication.is_there() {
        publication.published = Some((configuration.config_map_name(), rendered.hash));
    }
    // Where nothing can be published, what there was is better than nothing.
    let is_free = |one: &Compared| !matches!(one.found, FoundChild::Foreign | FoundChild::Terminating);
    if publication.compared.iter().all(is_free) {
        publication.unwanted = unwanted;
    }
    Ok(publication)
}

/// The Pipelines that the configuration takes, by name.
fn taken(ctx: &Context, configuration: &Configuration) -> Result<Vec<Arc<Pipeline>>, Failure> {
    let namespace = ctx.key().namespace.as_str();
    let count = |key: &str| ctx.lookup().count_in(Pipeline::NAME, namespace, key).unwrap_or_default();
    let mut taken = BTreeMap::new();
    for key in configuration.pipeline_keys(count) {
        let found = ctx.select(Pipeline::NAME, namespace, &key)?;
        let selected = found.iter().filter(|one| !one.terminating() && configuration.selects(one.meta()));
        taken
            .extend(selected.filter_map(Stored::get::<Pipeline>).map(|one| (one.metadata.name.clone(), one)));
    }
    Ok(taken.into_values().collect())
}

/// Why not all of them can be used.
fn unready(pipelines: &[Arc<Pipeline>]) -> Option<(ConditionReason, String)> {
    let unready: Vec<_> = pipelines.iter().filter(|one| !is_ready(one)).collect();
    let named: Vec<_> = unready.iter().take(FEW).map(|one| told(one)).collect();
    let more = match unready.len().saturating_sub(FEW) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let message = format!("nothing new is published while {}{more}", named.join("; "));
    (!unready.is_empty()).then_some((ConditionReason::ReferencesMissing, message))
}

fn is_ready(pipeline: &Pipeline) -> bool {
    let ready = pipeline.status.as_ref().and_then(|status| status.condition(ConditionType::Ready.as_str()));
    ready.is_some_and(|ready| {
        ready.status == "True" && ready.observed_generation == pipeline.metadata.generation
    })
}

/// `Pipeline data/spans is not ready (Storage data/lake is not ready)`
fn told(pipeline: &Pipeline) -> String {
    let ObjectMeta { namespace, name, .. } = &pipeline.metadata;
    let why = pipeline.status.as_ref().and_then(|status| status.message.as_ref());
    let why = why.map(|why| format!(" ({})", why.chars().take(200).collect::<String>())).unwrap_or_default();
    let (namespace, name) = (namespace.as_deref().unwrap_or_default(), name.as_deref().unwrap_or_default());
    format!("Pipeline {namespace}/{name} is not ready{why}")
}

fn render(
    ctx: &Context,
    configuration: &Configuration,
    pipelines: &[Arc<Pipeline>],
) -> Result<Rendered, (ConditionReason, String)> {
    let taken: Result<Vec<_>, _> = pipelines.iter().map(|pipeline| with_targets(ctx, pipeline)).collect();
    let taken = taken.map_err(|missing| (ConditionReason::ReferencesMissing, missing))?;
    let rendered = bridge::render(configuration, &taken);
    let rendered = rendered.map_err(|problem| (ConditionReason::Unsupported, problem))?;
    let length = rendered.text.len();
    if length > MOST {
        let message = format!(
            "the configuration has {length} bytes, and a ConfigMap holds {MOST}; take fewer Pipelines, or divide them among several \
             Configurations"
        );
        return Err((ConditionReason::Unsupported, message));
    }
    Ok(rendered)
}

/// The pipeline with its connector and its storage, as the cache has them.
fn with_targets(ctx: &Context, pipeline: &Arc<Pipeline>) -> Result<Taken, String> {
    let own = pipeline.metadata.namespace.as_deref().unwrap_or_default();
    let (connector, storage) = (&pipeline.spec.connector_ref, &pipeline.spec.storage_ref);
    let missing =
        |kind: &str, name: &str| format!("the {kind} {name} of {} can't be found", told_name(pipeline));
    let connector: Option<Arc<Connector>> = connector.visible(ctx.lookup(), own);
    let storage: Option<Arc<Storage>> = storage.visible(ctx.lookup(), own);
    Ok(Taken {
        connector: connector.ok_or_else(|| missing("Connector", &pipeline.spec.connector_ref.name))?,
        storage: storage.ok_or_else(|| missing("Storage", &pipeline.spec.storage_ref.name))?,
        pipeline: pipeline.clone(),
    })
}

fn told_name(pipeline: &Pipeline) -> String {
    format!("Pipeline {}", pipeline.metadata.name.as_deref().unwrap_or_default())
}

fn config_map(configuration: &Configuration, rendered: &Rendered) -> ConfigMap {
    let annotations = BTreeMap::from([(HASH_ANNOTATION.to_owned(), rendered.hash.clone())]);
    let metadata = ObjectMeta {
        name: Some(configuration.config_map_name()),
        namespace: configuration.metadata.namespace.clone(),
        annotations: Some(annotations),
        ..ObjectMeta::default()
    };
    let data = Some(BTreeMap::from([(ENTRY.to_owned(), rendered.text.clone())]));
    ConfigMap { metadata, data, ..ConfigMap::default() }
}
