//! Many scenarios, each with a clock of its own, on all cores.
//!
//! A scenario says what happens, where, and in which circumstances. All combinations are played by `make soak`. In
//! between, one of the combinations with each pair of the two longest lists is enough to notice most mistakes: the
//! circumstances take turns.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Plays `scenarios`; what came of each, in the same order.
pub fn play_all<S, T, F>(scenarios: &[S], play: impl Fn(S) -> F + Sync) -> Vec<T>
where
    S: Copy + Sync,
    T: Send,
    F: Future<Output = T>,
{
    let next = AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get());
    let work = || {
        let mut came = Vec::new();
        loop {
            let nth = next.fetch_add(1, Relaxed);
            let Some(scenario) = scenarios.get(nth) else { return came };
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
            came.push((nth, runtime.unwrap().block_on(play(*scenario))));
        }
    };
    let mut came: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores.min(scenarios.len())).map(|_| scope.spawn(work)).collect();
        let panicked = |panic| std::panic::resume_unwind(panic);
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    });
    came.sort_by_key(|(nth, _)| *nth);
    came.into_iter().map(|(_, came)| came).collect()
}

/// Each pair of one of the first `rows` and one of the first `columns`, with a number that takes turns along both.
pub fn pairs(rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column, row * 3 + column)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_comes_of_scenarios_is_told_in_their_order_and_no_time_passes() {
        let began = std::time::Instant::now();
        let hours: Vec<u64> = (1..50).collect();
        let came = play_all(&hours, |hours| async move {
            tokio::time::sleep(Duration::from_secs(hours * 3600)).await;
            hours
        });
        assert_eq!(came, hours);
        assert!(began.elapsed() < Duration::from_secs(30));
    }

    #[test]
    #[should_panic(expected = "the seventh")]
    fn a_scenario_that_fails_fails_the_test() {
        play_all(&[1, 7, 9], |number| async move { assert!(number != 7, "the seventh") });
    }

    #[test]
    fn circumstances_take_turns_along_rows_and_columns() {
        for turns in [2, 4, 7] {
            for nth in 0..10 {
                let row: BTreeSet<_> =
                    pairs(22, 20).filter(|one| one.0 == nth).map(|one| one.2 % turns).collect();
                let column: BTreeSet<_> =
                    pairs(22, 20).filter(|one| one.1 == nth).map(|one| one.2 % turns).collect();
                assert_eq!((row.len(), column.len()), (turns, turns));
            }
        }
    }
}
