//! `concierge-reconciler wait`: waits until what was deployed into a namespace is ready, with the rights of whoever runs it there, and says
//! why it is not.

mod judge;

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use concierge_runtime::{client, duration};
use futures::{Stream, StreamExt as _, stream::select_all};
use k8s_openapi::{
    Resource,
    api::{
        apps::v1::{DaemonSet, Deployment, StatefulSet},
        core::v1::{Event, Pod},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client,
    api::ListParams,
    runtime::{WatchStreamExt as _, watcher},
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use self::judge::{Seen, judge};
use crate::catalyst::obstacle::{self, Found, Obstacle};

/// Waits until what was deployed into a namespace is ready; the reconciler's runner calls this.
#[derive(Debug, clap::Args)]
pub(crate) struct WaitArgs {
    /// The namespace
    #[arg(long, env = "CONCIERGE_WAIT_NAMESPACE", value_name = "NAME")]
    namespace: String,
    /// How long to wait
    #[arg(long, env = "CONCIERGE_WAIT_TIMEOUT", default_value = "5m", value_parser = duration::parse, value_name = "TIME")]
    timeout: Duration,
    /// How long something may be in the way before it is a failure
    #[arg(long, env = "CONCIERGE_WAIT_PATIENCE", default_value = "1m", value_parser = duration::parse, value_name = "TIME")]
    patience: Duration,
}

/// 0 when all is ready; else what was in the way is told, and the exit code says of which sort it is.
pub(crate) fn run(args: WaitArgs) -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let waited = runtime.context("no async runtime").and_then(|runtime| runtime.block_on(wait(&args)));
    match waited {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some((obstacle, message))) => {
            eprintln!("{message}");
            obstacle.exit_code().into()
        }
        Err(error) => {
            eprintln!("the namespace can't be watched: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What is said at last of pods and Deployments that stay like this, and the exit code; `None` when all are ready.
pub fn said_of(pods: Vec<Pod>, deployments: Vec<Deployment>) -> Option<(u8, String)> {
    let (obstacle, message) = judge(&Seen { pods, deployments, ..Seen::default() }).said()?;
    Some((obstacle.exit_code(), message))
}

/// What was in the way to the end, if anything was.
async fn wait(args: &WaitArgs) -> anyhow::Result<Option<Found>> {
    let client = client::connect(concat!("concierge-runner/", env!("CARGO_PKG_VERSION"))).await?.api;
    let end = Instant::now() + args.timeout;
    let mut changes = changes(&client, &args.namespace);
    // What is in the way, and since when.
    let mut since: Option<(Obstacle, Instant)> = None;
    loop {
        let verdict = judge(&look(&client, &args.namespace).await?);
        let stopped = verdict.stopped_by();
        let Some(last) = verdict.said() else { return Ok(None) };
        since = stopped.map(|obstacle| {
            let before = since.filter(|(same, _)| *same == obstacle);
            before.unwrap_or_else(|| (obstacle, Instant::now()))
        });
        let until = since.map_or(end, |(_, first)| (first + args.patience).min(end));
        if tokio::time::timeout_at(until, changes.next()).await.is_err() {
            return Ok(Some(with_event(&client, &args.namespace, last).await));
        }
    }
}

/// Tells that something changed.
fn changes(client: &Client, namespace: &str) -> impl Stream<Item = ()> + Unpin + use<> {
    select_all([
        of::<Pod>(client, namespace).boxed(),
        of::<Deployment>(client, namespace).boxed(),
        of::<StatefulSet>(client, namespace).boxed(),
        of::<DaemonSet>(client, namespace).boxed(),
    ])
}

fn of<K>(client: &Client, namespace: &str) -> impl Stream<Item = ()> + Send + use<K>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope>
        + k8s_openapi::Metadata<Ty = ObjectMeta>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Send
        + 'static,
{
    let api = Api::<K>::namespaced(client.clone(), namespace);
    watcher(api, watcher::Config::default()).default_backoff().filter_map(async |event| event.ok().map(drop))
}

async fn look(client: &Client, namespace: &str) -> kube::Result<Seen> {
    let all = ListParams::default();
    Ok(Seen {
        pods: Api::namespaced(client.clone(), namespace).list(&all).await?.items,
        deployments: Api::namespaced(client.clone(), namespace).list(&all).await?.items,
        stateful_sets: Api::namespaced(client.clone(), namespace).list(&all).await?.items,
        daemon_sets: Api::namespaced(client.clone(), namespace).list(&all).await?.items,
    })
}

/// What stands in no status is in events alone, such as why a StatefulSet has no pods.
async fn with_event(client: &Client, namespace: &str, last: Found) -> Found {
    let warnings = ListParams::default().fields("type=Warning").limit(100);
    let events = Api::<Event>::namespaced(client.clone(), namespace).list(&warnings).await;
    let newest = events.ok().and_then(|events| {
        events.items.into_iter().rfind(|event| event.reason.as_deref() == Some("FailedCreate"))
    });
    match (last, newest.and_then(|event| event.message)) {
        ((Obstacle::NotReadyInTime, _), Some(message)) => obstacle::not_created(&message),
        (last, _) => last,
    }
}
