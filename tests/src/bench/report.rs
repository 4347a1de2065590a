//! What a benchmark found, as a table for people and as JSON for comparison.

use std::fmt;

use serde::Serialize;

use super::curves::{Curve, table};
use super::figures::{Percentiles, Spread};
use super::inside::Cost;
use super::machine::{Cores, Machine};
use super::payload::Goal;
use super::through::Creates;

/// Everything that was measured, raw.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The machine before the first measurement.
    pub before: Machine,
    /// The machine after the last one.
    pub after: Machine,
    /// Who ran where; absent when there was one core only.
    pub cores: Option<Cores>,
    /// Connections of the closed loop.
    pub connections: usize,
    /// Capacity, case by case.
    pub throughput: Vec<Pair<Capacity>>,
    /// What the pure stages cost.
    pub inside: Vec<Cost>,
    /// Latency at a fixed rate.
    pub latency: Vec<Pair<Tail>>,
    /// Many new connections at once.
    pub storm: Option<Pair<Percentiles>>,
    /// From the start of the process to readiness, in milliseconds: the first start of an installation, which
    /// makes the certificates, and a later one.
    pub ready_ms: Option<[f64; 2]>,
    /// What the webhook takes in RAM.
    pub memory: Option<Memory>,
    /// Creates through the API server.
    pub through: Vec<Through>,
    /// What grows with the number of objects.
    pub curves: Vec<Curve>,
}

/// The same measurement, several times, of floor, webhook and peer in turn.
#[derive(Debug, Serialize)]
pub struct Pair<T> {
    /// What was sent.
    pub case: &'static str,
    pub body_bytes: usize,
    /// The throughput that is wanted.
    pub goal: Option<Goal>,
    pub floor: Vec<T>,
    pub webhook: Vec<T>,
    /// The peer's; none when it has no such call or is left out.
    pub peer: Vec<T>,
}

impl Pair<Capacity> {
    /// The webhook's throughput as a share of the floor's, run by run.
    pub fn of_floor(&self) -> Spread {
        Spread::of(self.webhook.iter().zip(&self.floor).map(|(own, floor)| own.per_second / floor.per_second))
    }

    /// The same of CPU time: what a request costs the floor, as a share of what it costs the webhook.
    pub fn of_floor_cpu(&self) -> Spread {
        Spread::of(self.webhook.iter().zip(&self.floor).map(|(own, floor)| floor.cpu_us / own.cpu_us))
    }

    /// The webhook's throughput as a multiple of the peer's.
    pub fn of_peer(&self) -> Option<Spread> {
        let each = self.webhook.iter().zip(&self.peer).map(|(own, peer)| own.per_second / peer.per_second);
        (!self.peer.is_empty()).then(|| Spread::of(each))
    }
}

/// One closed loop.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Capacity {
    /// Answers per second.
    pub per_second: f64,
    /// What an answer cost the server, in microseconds of CPU.
    pub cpu_us: f64,
    /// How much of its core the server used.
    pub busy: f64,
    /// Latencies under this load.
    pub latency: Percentiles,
}

/// One open loop.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Tail {
    /// Requests per second.
    pub rate: u32,
    /// Latencies, from the moment a request was due.
    pub latency: Percentiles,
    /// What an answer cost the server, in microseconds of CPU.
    pub cpu_us: f64,
    /// Requests that were not answered as expected.
    pub failures: usize,
}

/// Resident memory, in KiB.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// Once ready.
    pub ready_kib: u64,
    /// After all loads.
    pub loaded_kib: u64,
    /// A process that was started with all objects there, once ready.
    pub crowded_kib: u64,
    /// How many objects that process held.
    pub objects: usize,
}

/// Creates without a webhook, with the floor, and with Concierge, in milliseconds.
#[derive(Debug, Default, Serialize)]
pub struct Through {
    /// What was created.
    pub what: &'static str,
    /// How many of them.
    pub count: usize,
    /// Each repeat, without.
    pub without: Vec<Percentiles>,
    /// Each repeat, with the floor.
    pub floor: Vec<Percentiles>,
    /// Each repeat, with Concierge.
    pub with: Vec<Percentiles>,
}

impl Through {
    pub fn add(&mut self, creates: Creates) {
        self.without.push(Percentiles::of(creates.without));
        self.floor.push(Percentiles::of(creates.floor));
        self.with.push(Percentiles::of(creates.with));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.machine(f)?;
        self.throughput(f)?;
        self.inside(f)?;
        self.latency(f)?;
        self.resources(f)?;
        self.through(f)?;
        table(f, &self.curves)
    }
}

impl Report {
    fn machine(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { before, after, cores, .. } = self;
        write!(
            f,
            "{} cores of {}, load {} before and {} after",
            before.cores, before.processor, before.load, after.load
        )?;
        match cores {
            Some(cores) => {
                writeln!(f, "; servers on core {}, the rest on core {}", cores.server, cores.others)
            }
            None => writeln!(f, "; everything on one core: take nothing of this seriously"),
        }?;
        writeln!(f, "Figures are medians; (least..greatest) of the repeats.")
    }

    fn throughput(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.throughput.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nCapacity: closed loop, {} connections", self.connections)?;
        writeln!(
            f,
            "{:<28} {:>7} {:>8} {:>8} {:>8}  {:<16} {:>5}  {:<16} {:>5}  {:>6} {:>6} {:>7}  {:<16} {:>5}",
            "",
            "bytes",
            "floor/s",
            "own/s",
            "peer/s",
            "of floor",
            "goal",
            "of peer",
            "goal",
            "floor",
            "own us",
            "peer us",
            "of floor's CPU",
            "busy"
        )?;
        for pair in &self.throughput {
            let median = |runs: &[Capacity], figure: fn(&Capacity) -> f64, digits| match runs {
                [] => String::new(),
                runs => format!("{:.digits$}", Spread::of(runs.iter().map(figure)).median),
            };
            let busy = pair.webhook.iter().chain(&pair.floor).map(|run| run.busy);
            let of_peer_goal = pair.goal.and_then(|goal| goal.of_peer);
            writeln!(
                f,
                "{:<28} {:>7} {:>8} {:>8} {:>8}  {:<16} {:>5}  {:<16} {:>5}  {:>6} {:>6} {:>7}  {:<16} {:>5}",
                pair.case,
                pair.body_bytes,
                median(&pair.floor, |run| run.per_second, 0),
                median(&pair.webhook, |run| run.per_second, 0),
                median(&pair.peer, |run| run.per_second, 0),
                percents(pair.of_floor()),
                pair.goal.map(|goal| percent(goal.of_floor)).unwrap_or_default(),
                pair.of_peer().map(times).unwrap_or_default(),
                of_peer_goal.map(|goal| format!("{goal:.0}x")).unwrap_or_default(),
                median(&pair.floor, |run| run.cpu_us, 1),
                median(&pair.webhook, |run| run.cpu_us, 1),
                median(&pair.peer, |run| run.cpu_us, 1),
                percents(pair.of_floor_cpu()),
                percent(Spread::of(busy).min),
            )?;
        }
        writeln!(
            f,
            "us: the server's CPU time per request. busy: how much of its core the idler of the two servers used;\n\
             far below 100 % the generator or another program held it up, and only the ratio of CPU times counts"
        )
    }

    fn inside(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inside.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nInside: CPU us of one decision, from the review's bytes to the answer's")?;
        for Cost { case, body_bytes, micros } in &self.inside {
            let each = micros.median * 1e3 / *body_bytes as f64;
            writeln!(f, "{case:<26} {body_bytes:>7}  {:>26}  {each:.2} ns per byte", spread(*micros))?;
        }
        Ok(())
    }

    fn latency(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.latency.first().and_then(|pair| pair.webhook.first()).map(|tail| tail.rate);
        let Some(rate) = rate else { return Ok(()) };
        writeln!(
            f,
            "\nLatency in ms: open loop, {rate} requests/s, from the moment a request was due; the peer gets a quarter"
        )?;
        writeln!(f, "{:<36} {:>21} {:>21} {:>21} {:>8}", "", "p50", "p99", "p99.9", "CPU us")?;
        for pair in &self.latency {
            let servers = [("floor", &pair.floor), ("webhook", &pair.webhook), ("peer", &pair.peer)];
            for (server, tails) in servers.into_iter().filter(|(_, tails)| !tails.is_empty()) {
                let of = |figure: fn(&Percentiles) -> f64| {
                    spread(Spread::of(tails.iter().map(|tail| figure(&tail.latency))))
                };
                let cpu = Spread::of(tails.iter().map(|tail| tail.cpu_us)).median;
                let failures: usize = tails.iter().map(|tail| tail.failures).sum();
                let failed = if failures > 0 { format!("  {failures} FAILED") } else { String::new() };
                writeln!(
                    f,
                    "{:<28} {server:<7} {:>21} {:>21} {:>21} {cpu:>8.1}{failed}",
                    pair.case,
                    of(|it| it.p50),
                    of(|it| it.p99),
                    of(|it| it.p999)
                )?;
            }
        }
        Ok(())
    }

    fn resources(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(storm) = &self.storm {
            writeln!(f, "\nNew connections at once, each with one request, in ms until answered")?;
            for (server, runs) in [("floor", &storm.floor), ("webhook", &storm.webhook)] {
                let of = |figure: fn(&Percentiles) -> f64| spread(Spread::of(runs.iter().map(figure)));
                writeln!(
                    f,
                    "{:<28} {server:<7} half {:>21}   all {:>21}",
                    storm.case,
                    of(|it| it.p50),
                    of(|it| it.max)
                )?;
            }
        }
        if let Some([first, later]) = self.ready_ms {
            writeln!(f, "\nReady after {first:.0} ms at the first start, {later:.0} ms at a later one")?;
        }
        if let Some(Memory { ready_kib, loaded_kib, crowded_kib, objects }) = self.memory {
            let each = (crowded_kib.saturating_sub(ready_kib)) as f64 / objects.max(1) as f64;
            writeln!(
                f,
                "Resident: {:.1} MiB when ready, {:.1} MiB after the load, {:.1} MiB with {objects} objects ({each:.2} KiB each)",
                mib(ready_kib),
                mib(loaded_kib),
                mib(crowded_kib)
            )?;
        }
        Ok(())
    }

    fn through(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.through.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nThrough the API server, as an ordinary user, one create after the other, in ms")?;
        writeln!(f, "{:<28} {:<16} {:>21} {:>21}", "", "", "p50", "p99")?;
        for one in &self.through {
            let mut line = |title: &str, runs: &[Percentiles], base: Option<&[Percentiles]>| {
                let of = |figure: fn(&Percentiles) -> f64| {
                    let runs = runs.iter().enumerate();
                    spread(Spread::of(
                        runs.map(|(run, it)| figure(it) - base.map_or(0.0, |base| figure(&base[run]))),
                    ))
                };
                writeln!(f, "{:<28} {title:<16} {:>21} {:>21}", one.what, of(|it| it.p50), of(|it| it.p99))
            };
            line("no webhook", &one.without, None)?;
            line("floor", &one.floor, None)?;
            line("Concierge", &one.with, None)?;
            line("floor adds", &one.floor, Some(&one.without))?;
            line("Concierge adds", &one.with, Some(&one.without))?;
        }
        Ok(())
    }
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn percents(Spread { min, median, max }: Spread) -> String {
    format!("{} ({:.0}..{:.0})", percent(median), min * 100.0, max * 100.0)
}

fn times(Spread { min, median, max }: Spread) -> String {
    format!("{median:.1}x ({min:.1}..{max:.1})")
}

fn spread(Spread { min, median, max }: Spread) -> String {
    format!("{median:.2} ({min:.2}..{max:.2})")
}
