//! Every run of every cell, over all processors. Each run is a world of its own on a thread of its own, so how many run at
//! once changes no result.
//!
//! ```text
//!   turn 0   cell 0  cell 1  ...  cell 143      in turns over the cells: whenever it is interrupted, each has as many runs
//!   turn 1   cell 0  ...                        as the next, give or take one
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use reports::cap::CapRun;

use super::cell::{Cell, Settings};
use super::measure::measure;

/// Runs that were made before, by cell and run.
pub type Done = BTreeMap<(String, u64), CapRun>;

/// Makes `runs` runs of each cell, but for those in `done`, `jobs` at a time. `hear` is told each new run, from any thread.
/// Returns the runs of each cell, in order.
pub fn survey(
    cells: &[Cell],
    settings: &Settings,
    runs: u64,
    jobs: usize,
    done: &Done,
    hear: &(dyn Fn(&Cell, u64, &CapRun) + Sync),
) -> Vec<Vec<CapRun>> {
    let work: Vec<(usize, u64)> = (0..runs).flat_map(|run| (0..cells.len()).map(move |cell| (cell, run))).collect();
    let next = AtomicUsize::new(0);
    let made: Mutex<BTreeMap<(usize, u64), CapRun>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(&(place, run)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let cell = &cells[place];
                    let measured = match done.get(&(cell.to_string(), run)) {
                        Some(before) => before.clone(),
                        None => {
                            let measured = measure(cell, settings, run);
                            hear(cell, run, &measured);
                            measured
                        }
                    };
                    made.lock().unwrap_or_else(PoisonError::into_inner).insert((place, run), measured);
                }
            });
        }
    });
    let mut by_cell = vec![Vec::new(); cells.len()];
    for ((place, _), measured) in made.into_inner().unwrap_or_else(PoisonError::into_inner) {
        by_cell[place].push(measured);
    }
    by_cell
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cap::Fault;
    use cluster::coordinator::Level;

    const SETTINGS: Settings = Settings { seed: 1, duration_micros: Settings::DURATION_MICROS_MIN };

    #[test]
    fn jobs_change_no_result_and_what_is_done_is_not_done_again() {
        let cells =
            [Fault::None, Fault::Flapping].map(|fault| Cell { nodes: 3, read: Level::ONE, write: Level::ONE, fault });
        let heard = Mutex::new(Done::new());
        let hear = |cell: &Cell, run: u64, measured: &CapRun| {
            heard.lock().unwrap_or_else(PoisonError::into_inner).insert((cell.to_string(), run), measured.clone());
        };
        let one = survey(&cells, &SETTINGS, 2, 1, &Done::new(), &hear);
        let done = heard.into_inner().unwrap_or_else(PoisonError::into_inner);
        assert_eq!((one.len(), one[0].len(), done.len()), (2, 2, 4));
        let nothing = |cell: &Cell, run: u64, _: &CapRun| panic!("{cell} {run} was made again");
        assert_eq!(survey(&cells, &SETTINGS, 2, 2, &done, &nothing), one);
        assert_eq!(survey(&cells, &SETTINGS, 2, 2, &Done::new(), &|_, _, _| {}), one);
    }
}
