//! What one request costs the webhook among many objects, with HTTP, TLS and live reads.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::generator;
use super::machine::{cpu_time, forget_peak, peak_kib, resident_kib};
use super::payload::Case;
use super::servers::Server;

/// How long each request is repeated.
const TIME: Duration = Duration::from_millis(500);
/// What is wanted of a request of ordinary size, whatever it is about, in milliseconds of CPU.
pub const GOAL_MS: f64 = 1.0;
/// By how much a request may let the webhook grow, in KiB.
pub const GOAL_KIB: u64 = 10 * 1024;
/// Up to which size a request is of ordinary size: a larger one costs what it costs to carry it.
const ORDINARY: usize = 1024 * 1024;

/// What requests cost.
#[derive(Debug, Default, Serialize)]
pub struct Requests {
    /// CPU time of the webhook for one request, by what it was, in milliseconds.
    pub cpu_ms: Vec<(&'static str, f64)>,
    /// The most of those of ordinary size.
    pub dearest_ms: f64,
    /// How much the webhook's resident memory grew at most while one of them was repeated, in KiB: what no single request exceeds.
    pub growth_kib: u64,
}

/// Sends each of `cases` for a while, one request after the other.
///
/// # Errors
/// When one is not answered as it must be.
pub async fn ask(server: &Server, cases: &[Case]) -> Result<Requests> {
    let mut requests = Requests::default();
    for case in cases {
        let before = resident_kib(server.pid)?;
        forget_peak(server.pid)?;
        let cpu = cpu_time(server.pid)?;
        let load = generator::closed(&server.target, case, 1, TIME).await?;
        let used = cpu_time(server.pid)?.saturating_sub(cpu).as_secs_f64();
        // The first one opens the connection and is not among the latencies.
        let each = used * 1e3 / (load.latencies.len() + 1) as f64;
        requests.cpu_ms.push((case.name, each));
        if case.body_bytes < ORDINARY {
            requests.dearest_ms = requests.dearest_ms.max(each);
        }
        requests.growth_kib = requests.growth_kib.max(peak_kib(server.pid)?.saturating_sub(before));
    }
    Ok(requests)
}
