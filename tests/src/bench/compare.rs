//! A run beside an earlier one: what got worse by more than the repeats differ among themselves.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::figures::{Percentiles, Spread};
use super::report::Report;

/// How much a figure may differ that was measured once, or hardly differs among its repeats, before it counts.
const MARGIN: f64 = 0.05;

/// What a result file holds: everything raw, and the figures that a later run is compared by.
#[derive(Debug, Serialize)]
pub struct Saved<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// By name.
    pub figures: BTreeMap<String, Figure>,
}

/// A measurement that can get better or worse.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Figure {
    /// Its repeats.
    #[serde(flatten)]
    pub of: Spread,
    /// Whether more is better.
    pub more_is_better: bool,
}

impl<'a> Saved<'a> {
    /// The figures of `report`.
    pub fn of(report: &'a Report) -> Self {
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
            add(
                format!("CPU us: {}", pair.case),
                false,
                Spread::of(pair.webhook.iter().map(|run| run.cpu_us)),
            );
            pair.of_peer()
                .into_iter()
                .for_each(|of| add(format!("throughput of peer: {}", pair.case), true, of));
        }
        for cost in &report.inside {
            add(format!("decision us: {}", cost.case), false, cost.micros);
        }
        for pair in &report.latency {
            let of = |figure: fn(&Percentiles) -> f64| {
                Spread::of(pair.webhook.iter().map(|run| figure(&run.latency)))
            };
            add(format!("p50 ms at a fixed rate: {}", pair.case), false, of(|it| it.p50));
            add(format!("p99 ms at a fixed rate: {}", pair.case), false, of(|it| it.p99));
        }
        for one in &report.through {
            let added = one.with.iter().zip(&one.without).map(|(with, without)| with.p50 - without.p50);
            add(format!("p50 ms added to a create: {}", one.what), false, Spread::of(added));
        }
        if let Some(memory) = report.memory {
            add("KiB when ready".to_owned(), false, Spread::of([memory.ready_kib as f64]));
            add("KiB with objects".to_owned(), false, Spread::of([memory.crowded_kib as f64]));
        }
        for curve in &report.curves {
            for (what, value) in [
                ("webhook ready s", curve.webhook_ready_s),
                ("webhook KiB", curve.webhook_kib as f64),
                ("first pass CPU s", curve.first_pass.cpu_s),
                ("first pass writes", curve.first_pass.writes as f64),
                ("restart CPU s", curve.restart.cpu_s),
                ("reconciler KiB", curve.reconciler_kib as f64),
            ] {
                add(format!("{what} with {} objects", curve.objects), false, Spread::of([value]));
            }
        }
        Self { report, figures }
    }
}

/// The figures in a result file.
///
/// # Errors
/// When the file is none.
pub fn read(file: &Path) -> Result<BTreeMap<String, Figure>> {
    #[derive(Deserialize)]
    struct Earlier {
        figures: BTreeMap<String, Figure>,
    }
    let text = std::fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
    let earlier: Earlier = serde_json::from_slice(&text)
        .with_context(|| format!("{} is no result of this program", file.display()))?;
    Ok(earlier.figures)
}

/// Whether `new` is worse than `old` by more than their repeats differ.
fn is_worse(old: &Figure, new: &Figure) -> bool {
    let (best_new, worst_old) =
        if new.more_is_better { (new.of.max, old.of.min) } else { (-new.of.min, -old.of.max) };
    let change = (new.of.median - old.of.median).abs() / old.of.median.abs();
    best_new < worst_old && change > MARGIN
}

/// Each figure of both, as a ratio, and which got worse.
pub fn table(earlier: &BTreeMap<String, Figure>, now: &BTreeMap<String, Figure>) -> String {
    let mut text = String::from("\nBeside the earlier run\n");
    let mut worse = 0;
    for (name, new) in now {
        let Some(old) = earlier.get(name) else { continue };
        let flag = if is_worse(old, new) { "WORSE" } else { "" };
        worse += usize::from(is_worse(old, new));
        // Writing to a String can't fail.
        let _ = writeln!(
            text,
            "{name:<60} {:>10.3} -> {:>10.3}  {:>5.2}  {flag}",
            old.of.median,
            new.of.median,
            new.of.median / old.of.median
        );
    }
    let _ = write!(text, "{worse} figures got worse by more than their repeats differ");
    text
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
        assert!(!is_worse(&old, &figure(false, [10.3, 10.3, 10.3])), "within the margin");
        assert!(!is_worse(&old, &figure(false, [9.0, 9.1, 9.2])));
    }

    #[test]
    fn a_saved_run_is_read_back_and_compared() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let report = Report::default();
        let mut saved = Saved::of(&report);
        saved.figures.insert("a".to_owned(), figure(false, [1.0; 3]));
        std::fs::write(file.path(), serde_json::to_vec(&saved).unwrap()).unwrap();
        let earlier = read(file.path()).unwrap();
        let now = [("a".to_owned(), figure(false, [2.0; 3]))].into();
        let text = table(&earlier, &now);
        assert!(text.contains("2.00  WORSE") && text.contains("1 figures got worse"), "{text}");
        assert!(read(Path::new("/no/such/file")).is_err());
    }
}
