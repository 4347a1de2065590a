//! Orasi: storages and connectors are looked at, as far as anybody can from here; pipelines are as ready as what they refer to, and
//! configurations are published.

mod bucket;
mod configuration;
mod connector;
mod looks;
mod pipeline;
mod reach;
mod seen;
mod services;
mod storage;
mod target;

use std::time::Duration;

pub use services::{Net, Services, StatusAndBody};

use crate::engine::Kinds;

/// Adds the reconcilers of this group.
///
/// # Errors
/// When there is no HTTP client.
pub fn add(kinds: Kinds, connect_timeout: Duration) -> anyhow::Result<Kinds> {
    Ok(self::kinds(kinds, &Services::over_sockets(connect_timeout)?))
}

/// Adds them with services that are reached in another way.
pub fn kinds(kinds: Kinds, services: &Services) -> Kinds {
    within_the_cluster(kinds)
        .with(storage::StorageReconciler::new(services))
        .with(connector::ConnectorReconciler::new(services))
}

/// Adds those that reach no service.
pub fn within_the_cluster(kinds: Kinds) -> Kinds {
    kinds.with(pipeline::PipelineReconciler).with(configuration::ConfigurationReconciler)
}
