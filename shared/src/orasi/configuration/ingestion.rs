//! How telemetry comes in.

use super::{AUTHENTICATION, CREDENTIALS, ENDPOINT, NEEDS, checks};
use crate::{
    admission::problem::{Cause, Problems},
    orasi::{Authentication, authentication, block::block, endpoint},
};

block! {
    /// How telemetry comes in.
    pub struct Ingestion {
        /// Where OTLP is taken over gRPC, a URL or a host and a port; 0.0.0.0:4317 when absent.
        #[schemars(length(max = 2048))]
        otlp_endpoint: String,
        /// Where it is taken over HTTP, a URL or a host and a port; 0.0.0.0:4318 when absent.
        #[schemars(length(max = 2048))]
        http_endpoint: String,
        /// How many records are taken at a time; 1000 when absent.
        #[validate(range(min = 1, max = 10_000, code = "orasi.configuration.batch-size"))]
        batch_size: i64,
        /// After how many milliseconds fewer are passed on; 5000 when absent.
        #[validate(range(min = 100, max = 60_000, code = "orasi.configuration.flush-interval"))]
        flush_interval_ms: i64,
        /// How many records may wait; 10000 when absent.
        #[validate(range(min = 1000, max = 100_000, code = "orasi.configuration.buffer-size"))]
        buffer_size: i64,
        /// How hard data is compressed, from 0 to 9; 6 when absent.
        #[validate(range(min = 0, max = 9, code = "orasi.configuration.compression"))]
        compression_level: i64,
        /// Whether records that wait are kept in files; not when absent.
        enable_persistence: bool,
        /// The folder of these files.
        #[schemars(length(max = 1024))]
        persistence_path: String,
        /// How large one may be, in bytes.
        #[validate(range(min = 1, code = "orasi.configuration.positive"))]
        max_persistence_size: i64,
        /// Whether senders are slowed down when many records wait; so when absent.
        enable_backpressure: bool,
        /// From how many on, in percent of bufferSize; 80 when absent.
        #[validate(range(min = 50, max = 95, code = "orasi.configuration.backpressure"))]
        backpressure_threshold: i64,
        /// Who may send.
        authentication: Authentication,
    }
}

pub(super) fn check(ingestion: Option<&Ingestion>, problems: &mut Problems) {
    let Some(ingestion) = ingestion else { return };
    for (field, text) in [
        ("spec.ingestion.otlpEndpoint", &ingestion.otlp_endpoint),
        ("spec.ingestion.httpEndpoint", &ingestion.http_endpoint),
    ] {
        if let Some(text) = text {
            endpoint::check(field, text, (&ENDPOINT, &CREDENTIALS), problems);
        }
    }
    let path = "spec.ingestion.persistencePath";
    checks::check_path(path, ingestion.persistence_path.as_deref(), problems);
    if ingestion.enable_persistence == Some(true) && ingestion.persistence_path.is_none() {
        problems.add(&NEEDS, Cause::Required, path, "is required by enablePersistence; set it");
    }
    let given = ingestion.authentication.as_ref();
    let rules = (&AUTHENTICATION, &CREDENTIALS);
    authentication::check("spec.ingestion.authentication", given, rules, problems);
}
