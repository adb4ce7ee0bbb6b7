//! The survey in the report's own words, so that the reports crate needs to know nothing of the laboratory.
//!
//! ```text
//!   cells, their runs, settings ──▶ CapFacts { faults in words, cells with what theory says of them }
//! ```

use cluster::coordinator::Level;
use reports::cap::{CapCell, CapFacts, CapFault, CapRun};

use super::cell::{Cell, Fault, Settings};
use super::theory::theory;

/// The facts of a report. `folder` is where the scenario files of the cells lie, and `command` makes the report again.
pub fn facts(cells: &[Cell], runs: Vec<Vec<CapRun>>, settings: &Settings, folder: &str, command: String) -> CapFacts {
    let fault = settings.fault_micros();
    let told = Fault::ALL.into_iter().filter(|fault| cells.iter().any(|cell| cell.fault == *fault));
    CapFacts {
        seed: settings.seed,
        duration_micros: settings.duration_micros,
        fault_from_micros: fault.start,
        fault_until_micros: fault.end,
        setting: format!(
            "Each cluster of N nodes holds N replicas of each of {} keys, synced before they are acknowledged; messages take \
             1 ms (99th percentile 10 ms), syncs 80 µs (2 ms); {} operations a second, half of them reads, through clients \
             at every node; a coordinator gives up after 1 s, and nothing is retried.",
            Settings::KEYS,
            Settings::RATE
        ),
        command,
        faults: told.map(words).collect(),
        cells: cells.iter().zip(runs).map(|(cell, runs)| cell_facts(cell, runs, settings, folder)).collect(),
    }
}

fn cell_facts(cell: &Cell, runs: Vec<CapRun>, settings: &Settings, folder: &str) -> CapCell {
    let (read_replicas, write_replicas) = cell.replicas();
    CapCell {
        key: cell.to_string(),
        nodes: u64::from(cell.nodes),
        read: name(cell.read),
        write: name(cell.write),
        read_replicas: read_replicas as u64,
        write_replicas: write_replicas as u64,
        fault: cell.fault.key().to_string(),
        struck: cell.struck(),
        replay: format!("storm run {folder}/{cell}.yaml --seed {}", cell.seed(settings, 0)),
        theory: theory(cell, &runs),
        runs,
    }
}

fn name(level: Level) -> String {
    level.to_string()
}

fn words(fault: Fault) -> CapFault {
    let minority = ["on the minority side", "on the majority side"];
    let (title, under, [struck, others], about) = match fault {
        Fault::None => {
            ("no fault", "Without faults", ["", ""], "Nothing goes wrong: what the levels cost by themselves.")
        }
        Fault::MinorityCutOff => (
            "minority cut off",
            "With the minority cut off",
            minority,
            "A minority (n1 of three, n1 and n2 of five) and the majority hear nothing of each other.",
        ),
        Fault::MajoritySplit => (
            "majority split",
            "With no majority on any side",
            ["", ""],
            "The network falls into three sides, none of which has a majority.",
        ),
        Fault::OneWay => (
            "one-way",
            "With the minority unheard",
            minority,
            "Nobody hears the minority, while the minority hears everybody: its requests vanish, and so do its answers.",
        ),
        Fault::Flapping => (
            "flapping",
            "With the minority cut off and back twice a second",
            minority,
            "The minority is cut off for 100 to 300 ms, again and again, every 400 to 600 ms.",
        ),
        Fault::SlowNode => (
            "slow node",
            "With one slow node",
            ["through the slow node", "through the others"],
            "The disk of n1 is 50 times as slow, and messages from and to it take 50 ms (99th percentile 200 ms).",
        ),
        Fault::CrashLoop => (
            "crash loop",
            "With one node in a crash loop",
            ["through the crashing node", "through the others"],
            "The power of n1 fails every second or so, comes back after 100 to 200 ms, and fails twice more within 60 ms of \
             each restart.",
        ),
        Fault::SkewedClocks => (
            "skewed clocks",
            "With clocks 400 ms apart",
            ["", ""],
            "Clocks are 200 ms behind and ahead in turn, and the last one is right: within what the cluster tolerates, for \
             the whole run.",
        ),
    };
    let [title, under, struck, others, about] = [title, under, struck, others, about].map(str::to_string);
    CapFault { key: fault.key().to_string(), title, under, struck, others, about }
}
