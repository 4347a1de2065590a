//! Orasi: documents are put where their Storages say; storages and connectors are looked at, as far as anybody can from here; pipelines
//! are as ready as what they refer to, and configurations are published.

mod bucket;
mod configuration;
mod connector;
mod counts;
mod document;
mod looks;
mod pipeline;
mod reach;
mod seen;
mod services;
mod storage;
mod target;

use std::time::Duration;

pub use counts::DocumentCounts;
pub use services::{Net, Services, StatusAndBody};

use crate::engine::Kinds;

/// Adds the reconcilers of this group.
///
/// # Errors
/// When there is no HTTP client.
pub fn add(kinds: Kinds, connect_timeout: Duration, counts: &DocumentCounts) -> anyhow::Result<Kinds> {
    Ok(counted(kinds, &Services::over_sockets(connect_timeout)?, counts))
}

/// Adds them with services that are reached in another way.
pub fn kinds(kinds: Kinds, services: &Services) -> Kinds {
    counted(kinds, services, &DocumentCounts::default())
}

fn counted(kinds: Kinds, services: &Services, counts: &DocumentCounts) -> Kinds {
    within_the_cluster(kinds)
        .with(document::DocumentReconciler { services: services.clone(), counts: counts.clone() })
        .with(storage::StorageReconciler::new(services))
        .with(connector::ConnectorReconciler::new(services))
}

/// Adds those that reach no service.
pub fn within_the_cluster(kinds: Kinds) -> Kinds {
    kinds.with(pipeline::PipelineReconciler).with(configuration::ConfigurationReconciler)
}
