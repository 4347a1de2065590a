//! A run beside an earlier one: what got worse by more than the repeats differ among themselves.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::BenchArgs;
use super::curves::Curve;
use super::figures::{Percentiles, Spread};
use super::report::Report;

/// How much a figure may differ that hardly differs among its repeats, before it counts.
const MARGIN: f64 = 0.05;
/// The same of one that was measured once, so that nothing says how much it differs.
const MARGIN_OF_ONE: f64 = 0.15;

/// What a result file holds: everything raw, and what a later run is compared by.
#[derive(Debug, Serialize)]
pub struct Raw<'a> {
    #[serde(flatten)]
    pub report: &'a Report,
    pub args: &'a BenchArgs,
    #[serde(flatten)]
    pub saved: Saved,
}

/// What a later run is compared by.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    /// What was measured, as git describes it.
    #[serde(default)]
    commit: String,
    /// What figures depend on beside the programs: the machine, and arguments.
    #[serde(default)]
    conditions: BTreeMap<String, Value>,
    /// By name.
    figures: BTreeMap<String, Figure>,
}

/// A measurement that can get better or worse.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Figure {
    /// Its repeats.
    #[serde(flatten)]
    of: Spread,
    /// Whether more is better.
    more_is_better: bool,
}

impl Saved {
    /// That of a run with these arguments.
    pub fn of(report: &Report, args: &BenchArgs) -> Self {
        let conditions = [
            ("processor", json!(report.before.processor)),
            ("cores", json!(report.before.cores)),
            ("seconds", json!(args.seconds)),
            ("connections", json!(args.connections)),
            ("rate", json!(args.rate)),
            ("storm", json!(args.storm)),
            ("creates", json!(args.creates)),
            ("objects", json!(args.objects)),
        ];
        Self {
            commit: commit(),
            conditions: conditions.map(|(name, value)| (name.to_owned(), value)).into(),
            figures: figures(report),
        }
    }

    /// That in a result file.
    ///
    /// # Errors
    /// When the file is none.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{} is no result of this program", file.display()))
    }

    /// Beside a later run: what was other there, each figure as a ratio, which got worse, and which are missing.
    pub fn table(&self, now: &Saved) -> String {
        let mut text = format!("\nBeside the earlier run, of {:?}\n", self.commit);
        for (name, value) in &now.conditions {
            if self.conditions.get(name) != Some(value) {
                let earlier = self.conditions.get(name).unwrap_or(&Value::Null);
                // Writing to a String can't fail.
                let _ = writeln!(text, "OTHER {name}: {earlier} then, {value} now: not to be compared");
            }
        }
        let (mut worse, mut missing) = (0, 0);
        for (name, old) in &self.figures {
            let Some(new) = now.figures.get(name) else {
                missing += 1;
                let _ = writeln!(text, "{name:<60} {:>10.3} -> MISSING", old.of.median);
                continue;
            };
            let flag = if is_worse(old, new) { "WORSE" } else { "" };
            worse += usize::from(is_worse(old, new));
            let (old, new) = (old.of.median, new.of.median);
            let ratio = if old == new { 1.0 } else { new / old };
            let _ = writeln!(text, "{name:<60} {old:>10.3} -> {new:>10.3}  {ratio:>5.2}  {flag}");
        }
        let _ = write!(
            text,
            "{worse} figures got worse by more than their repeats differ, {missing} are missing"
        );
        text
    }
}

/// What git says of the checkout; nothing where there is none.
fn commit() -> String {
    let describe = ["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty", "--abbrev=40"];
    let said = Command::new("git").args(describe).output();
    said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default()
}

fn figures(report: &Report) -> BTreeMap<String, Figure> {
    let mut figures = BTreeMap::new();
    let mut add = |name: String, more_is_better: bool, of: Spread| {
        // JSON has no other numbers.
        if [of.min, of.median, of.max].iter().all(|value| value.is_finite()) {
            figures.insert(name, Figure { of, more_is_better });
        }
    };
    for pair in &report.throughput {
        add(format!("throughput of floor: {}", pair.case), true, pair.of_floor());
        add(format!("CPU of floor: {}", pair.case), true, pair.of_floor_cpu());
        add(format!("CPU us: {}", pair.case), false, Spread::of(pair.webhook.iter().map(|run| run.cpu_us)));
        pair.of_peer().into_iter().for_each(|of| add(format!("throughput of peer: {}", pair.case), true, of));
    }
    let mut less = |name: String, of: Spread| add(name, false, of);
    for cost in &report.inside {
        less(format!("decision us: {}", cost.case), cost.micros);
    }
    for pair in &report.latency {
        let of =
            |figure: fn(&Percentiles) -> f64| Spread::of(pair.webhook.iter().map(|run| figure(&run.latency)));
        less(format!("p50 ms at a fixed rate: {}", pair.case), of(|it| it.p50));
        less(format!("p99 ms at a fixed rate: {}", pair.case), of(|it| it.p99));
        less(format!("p99.9 ms at a fixed rate: {}", pair.case), of(|it| it.p999));
        let failed = Spread::of(pair.webhook.iter().map(|run| run.failures as f64));
        less(format!("failures at a fixed rate: {}", pair.case), failed);
    }
    if let Some(storm) = &report.storm {
        let of = |figure: fn(&Percentiles) -> f64| Spread::of(storm.webhook.iter().map(figure));
        less("ms until half of the new connections are answered".to_owned(), of(|it| it.p50));
        less("ms until all are".to_owned(), of(|it| it.max));
    }
    for one in &report.through {
        let added = one.with.iter().zip(&one.without).map(|(with, without)| with.p50 - without.p50);
        less(format!("p50 ms added to a create: {}", one.what), Spread::of(added));
    }
    if let Some([first, later]) = report.ready_ms {
        less("ms until ready at the first start".to_owned(), once(first));
        less("ms until ready at a later one".to_owned(), once(later));
    }
    if let Some(memory) = report.memory {
        less("KiB when ready".to_owned(), once(memory.ready_kib as f64));
        less("KiB after the load".to_owned(), once(memory.loaded_kib as f64));
        less("KiB with objects".to_owned(), once(memory.crowded_kib as f64));
    }
    for curve in &report.curves {
        of_curve(curve)
            .into_iter()
            .for_each(|(what, value)| less(format!("{what} with {} objects", curve.objects), once(value)));
    }
    figures
}

/// What grows with the number of objects, measured once each.
fn of_curve(curve: &Curve) -> Vec<(String, f64)> {
    let [behind, at_rest] = curve.edit_ms.map(|edit| edit.map_or(f64::NAN, |edit| edit.median));
    let figures = [
        ("webhook ready s", curve.webhook_ready_s),
        ("webhook CPU s until ready", curve.webhook_cpu_s),
        ("webhook KiB", curve.webhook_kib as f64),
        ("webhook KiB added by a request", curve.requests.growth_kib as f64),
        ("CPU ms of the dearest request", curve.requests.dearest_ms),
        ("first pass s", curve.first_pass.seconds),
        ("first pass CPU s", curve.first_pass.cpu_s),
        ("first pass writes", curve.first_pass.writes as f64),
        ("reconciler ready s", curve.reconciler_ready_s),
        ("restart s", curve.restart.seconds),
        ("restart CPU s", curve.restart.cpu_s),
        ("restart writes", curve.restart.writes as f64),
        ("writes at rest", curve.writes_at_rest as f64),
        ("reconciler KiB", curve.reconciler_kib as f64),
        ("reconciler KiB at most", curve.reconciler_peak_kib as f64),
        ("edit to Ready behind a first pass, ms", behind),
        ("edit to Ready at rest, ms", at_rest),
    ];
    let requests = curve.requests.cpu_ms.iter().map(|(what, ms)| (format!("CPU ms of {what},"), *ms));
    figures.into_iter().map(|(what, value)| (what.to_owned(), value)).chain(requests).collect()
}

fn once(value: f64) -> Spread {
    Spread::of([value])
}

/// Whether `new` is worse than `old` by more than their repeats differ.
fn is_worse(old: &Figure, new: &Figure) -> bool {
    let (best_new, worst_old) =
        if new.more_is_better { (new.of.max, old.of.min) } else { (-new.of.min, -old.of.max) };
    // Of what was nothing, any change counts.
    let change = (new.of.median - old.of.median).abs() / old.of.median.abs();
    let is_one = [old, new].iter().any(|figure| figure.of.min == figure.of.max);
    best_new < worst_old && change > if is_one { MARGIN_OF_ONE } else { MARGIN }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(more_is_better: bool, values: [f64; 3]) -> Figure {
        Figure { of: Spread::of(values), more_is_better }
    }

    #[test]
    fn worse_is_what_no_repeat_of_either_run_explains() {
        let old = figure(true, [0.60, 0.62, 0.64]);
        assert!(is_worse(&old, &figure(true, [0.50, 0.52, 0.55])));
        assert!(!is_worse(&old, &figure(true, [0.50, 0.52, 0.61])));
        assert!(!is_worse(&old, &figure(true, [0.70, 0.72, 0.75])));
        let old = figure(false, [10.0, 10.1, 10.2]);
        assert!(is_worse(&old, &figure(false, [11.0, 11.1, 11.2])));
        assert!(!is_worse(&old, &figure(false, [10.3, 10.35, 10.4])), "within the margin");
        assert!(!is_worse(&old, &figure(false, [9.0, 9.1, 9.2])));
    }

    #[test]
    fn what_was_measured_once_may_differ_more_but_nothing_may_become_something() {
        let once = |value| figure(false, [value; 3]);
        assert!(!is_worse(&once(10.0), &once(11.0)));
        assert!(is_worse(&once(10.0), &once(12.0)));
        assert!(is_worse(&once(0.0), &once(1.0)), "a write where there was none");
        assert!(!is_worse(&once(0.0), &once(0.0)));
    }

    #[test]
    fn a_saved_run_is_read_back_and_compared() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (report, args) = (Report::default(), BenchArgs::default());
        let mut saved = Saved::of(&report, &args);
        saved.figures.insert("a".to_owned(), figure(false, [1.0; 3]));
        saved.figures.insert("b".to_owned(), figure(false, [1.0; 3]));
        let raw = Raw { report: &report, args: &args, saved };
        std::fs::write(file.path(), serde_json::to_vec(&raw).unwrap()).unwrap();
        let earlier = Saved::read(file.path()).unwrap();
        let mut now = Saved::of(&report, &BenchArgs { rate: 7, ..args });
        now.figures.insert("a".to_owned(), figure(false, [2.0; 3]));
        let text = earlier.table(&now);
        assert!(text.contains("2.00  WORSE") && text.contains("1 figures got worse"), "{text}");
        assert!(text.contains("-> MISSING") && text.contains("1 are missing"), "{text}");
        assert!(text.contains("OTHER rate: 0 then, 7 now") && text.matches("OTHER").count() == 1, "{text}");
        assert!(Saved::read(Path::new("/no/such/file")).is_err());
    }
}
