//! What the system tells of a process, and on which core it runs.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The two cores of a measurement. What a thread starts, threads and programs, stays on the core that the thread
/// was on at that moment.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cores {
    pub server: usize,
    /// Everything else's: the load generator and the control plane.
    pub others: usize,
}

impl Cores {
    /// Two of the cores that this thread may use; `None` when there is only one.
    pub fn available() -> Option<Cores> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        Some(Cores { server: cores.next()?, others: cores.next()? })
    }

    /// Moves the calling thread to `core`.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn move_to(core: usize) -> Result<()> {
        let mut set = CpuSet::new();
        set.set(core);
        sched_setaffinity(None, &set).with_context(|| format!("can't move to core {core}"))
    }
}

/// How long all threads of a process have computed, those that have ended apart.
///
/// # Errors
/// When there is no such process.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).with_context(|| format!("no process {pid}"))?;
    let of_thread = |path: std::path::PathBuf| -> Option<u64> {
        fs::read_to_string(path.join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    let nanoseconds = threads.filter_map(|thread| of_thread(thread.ok()?.path())).sum();
    Ok(Duration::from_nanos(nanoseconds))
}

/// The memory of a process that is in RAM, in KiB.
///
/// # Errors
/// When there is no such process.
pub fn resident_kib(pid: u32) -> Result<u64> {
    kib(pid, "VmRSS:")
}

/// The most of it that there was since the process began, or since [`forget_peak`].
///
/// # Errors
/// As of [`resident_kib`].
pub fn peak_kib(pid: u32) -> Result<u64> {
    kib(pid, "VmHWM:")
}

/// Lets [`peak_kib`] begin anew.
///
/// # Errors
/// When the system refuses.
pub fn forget_peak(pid: u32) -> Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").context("can't reset the peak of a process's memory")
}

fn kib(pid: u32, what: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)).context("no such figure")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Waits until the admin port at `address` says ready.
///
/// # Errors
/// When it does not within half a minute.
pub async fn wait_ready(address: SocketAddr) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_ready(address).await.unwrap_or(false) {
        if Instant::now() > end {
            bail!("{address} does not get ready");
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

async fn is_ready(address: SocketAddr) -> Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

/// Where a measurement was made.
#[derive(Debug, Default, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    pub cores: usize,
    /// The average number of running programs of the last minute, ours included.
    pub load: f64,
    /// The share of time that the hypervisor gave to others since the machine started, in percent.
    pub stolen_percent: f64,
}

impl Machine {
    pub fn now() -> Machine {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let load = read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok());
        Machine {
            processor: name.map_or("unknown", |(_, name)| name).to_owned(),
            cores: info.lines().filter(|line| line.starts_with("processor")).count(),
            load: load.unwrap_or_default(),
            stolen_percent: stolen(&read("/proc/stat")).unwrap_or_default(),
        }
    }
}

fn stolen(stat: &str) -> Option<f64> {
    let times = stat.lines().next()?.split_whitespace().skip(1);
    let times: Vec<f64> = times.filter_map(|time| time.parse().ok()).collect();
    Some(100.0 * times.get(7)? / times.iter().take(8).sum::<f64>())
}
