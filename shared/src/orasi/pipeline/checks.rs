//! What a pipeline says, next to its connector, its storage and who takes it.

use std::sync::Arc;

use super::{
    CONNECTOR_EXISTS, CONNECTOR_TYPE, IN_USE, LABELS, Pipeline, STORAGE_EXISTS, TABLE, keys_of_labels,
};
use crate::{
    admission::{
        lookup::{Looked, Lookup, LookupExt, Query},
        problem::{Cause, Problems},
        review::{Review, check_in_use},
    },
    common::text::prints,
    index::Stored,
    kind::Kind,
    orasi::{Configuration, Connector, ConnectorType, Storage, StorageType},
};

/// The most labels that Pipelines are found by.
const MOST_LABELS: usize = 64;

pub(super) fn check(review: &Review<'_, Pipeline>, problems: &mut Problems) {
    let spec = &review.object.spec;
    spec.connector_ref.check("spec.connectorRef", &CONNECTOR_EXISTS, problems);
    spec.storage_ref.check("spec.storageRef", &STORAGE_EXISTS, problems);
    let table = &spec.table;
    if table.trim() != table || !prints(table) || table.contains(['/', '\\']) {
        let message = "is no table's name; remove '/', white space around it and what does not print";
        problems.add(&TABLE, Cause::Invalid, "spec.table", message);
    }
    let labels = review.object.metadata.labels.as_ref().map_or(0, |labels| labels.len());
    if labels > MOST_LABELS {
        let message = format!("has {labels} entries of at most {MOST_LABELS}; remove some");
        problems.add(&LABELS, Cause::TooMany, "metadata.labels", message);
    }
    check_types(review, problems);
}

/// The types never change, so that what fits goes on to fit.
fn check_types(review: &Review<'_, Pipeline>, problems: &mut Problems) {
    let spec = &review.object.spec;
    let types = review.look_up(|lookup| {
        let connector: Arc<Connector> = spec.connector_ref.visible(lookup, review.namespace)?;
        let storage: Arc<Storage> = spec.storage_ref.visible(lookup, review.namespace)?;
        Some((connector.spec.connector_type, storage.spec.storage_type))
    });
    types.check(problems, "spec.connectorRef", &[&CONNECTOR_TYPE], |types, problems| match types {
        Some((_, StorageType::S3)) => {
            let message = "is a Storage of type S3, which holds objects and no tables; name another";
            problems.add(&CONNECTOR_TYPE, Cause::NotSupported, "spec.storageRef.name", message);
        }
        Some((connector, storage)) if !fits(connector, storage) => {
            let message = format!(
                "is a Connector of type {connector:?}, and the Storage is of type {storage:?}; name a Connector of that type"
            );
            problems.add(&CONNECTOR_TYPE, Cause::NotSupported, "spec.connectorRef.name", message);
        }
        // One that is missing is the reference's problem.
        _ => {}
    });
}

fn fits(connector: ConnectorType, storage: StorageType) -> bool {
    let of = match connector {
        ConnectorType::DeltaLake => StorageType::DeltaLake,
        ConnectorType::Hudi => StorageType::Hudi,
        ConnectorType::Iceberg => StorageType::Iceberg,
        ConnectorType::S3Parquet => StorageType::S3Parquet,
        ConnectorType::Snowflake => StorageType::Snowflake,
        ConnectorType::Kafka => return true,
    };
    of == storage
}

/// How many Configurations are looked at that want a label of the Pipeline.
const LOOKED_AT: usize = 500;

/// Adds a problem when Configurations take the Pipeline.
pub(super) fn check_taken(review: &Review<'_, Pipeline>, problems: &mut Problems) {
    let keys = keys_of_labels(review.namespace, review.object.metadata.labels.as_ref());
    let meta = &review.object.metadata;
    let selects = |user: &Stored| user.get::<Configuration>().is_some_and(|one| one.selects(meta));
    let users = review.using(|lookup: &dyn Lookup, _, limit| {
        let mut looked = Looked::default();
        for query in keys.iter().map(|key| Query::alive(Configuration::NAME, review.namespace, key)) {
            let among = LOOKED_AT - looked.count;
            if looked.found.len() < limit {
                looked.extend([lookup.first_among(query, among, limit - looked.found.len(), &selects)]);
            }
        }
        looked
    });
    check_in_use::<Pipeline>(&IN_USE, users, problems);
}
