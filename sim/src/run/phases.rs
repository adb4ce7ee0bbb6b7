//! The run cut into named windows, by which faults were in force.
//!
//! ```text
//!   partition           ├────────────┤
//!   n3 power lost                       ├──┤
//!   calm ───────────────┤ partition  ├──┤pl├─── calm
//! ```
//!
//! With many short faults that would be confetti; then the whole time from the first fault to the last counts as one.

use super::Injected;
use crate::check::Phase;
use crate::scenario::Plan;

const PHASES_MAX: usize = 8;

/// The phases of a run, in order, without gaps.
pub(super) fn of(plan: &Plan, injected: &[Injected]) -> Vec<Phase> {
    let end = plan.workload.duration_micros;
    let mut cuts = vec![0, end];
    for fault in injected {
        cuts.extend([Some(fault.at_micros), fault.until_micros].into_iter().flatten().filter(|cut| *cut < end));
    }
    cuts.sort_unstable();
    cuts.dedup();
    let mut phases: Vec<Phase> = Vec::new();
    for window in cuts.windows(2) {
        let name = name(injected, window[0]);
        match phases.last_mut() {
            Some(last) if last.name == name => last.until_micros = window[1],
            _ => phases.push(Phase { name, from_micros: window[0], until_micros: window[1] }),
        }
    }
    if phases.len() <= PHASES_MAX { phases } else { three(injected, end) }
}

fn name(injected: &[Injected], at: u64) -> String {
    let in_force = |fault: &&Injected| fault.at_micros <= at && fault.until_micros.is_some_and(|until| at < until);
    let mut names: Vec<&str> = injected.iter().filter(in_force).map(|fault| fault.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "calm".to_string() } else { names.join(" + ") }
}

fn three(injected: &[Injected], end: u64) -> Vec<Phase> {
    let first = injected.iter().map(|fault| fault.at_micros).min().unwrap_or(0);
    let last = injected.iter().filter_map(|fault| fault.until_micros).max().unwrap_or(end).min(end);
    let phase = |name: &str, from_micros, until_micros| Phase { name: name.to_string(), from_micros, until_micros };
    let all = [phase("before", 0, first), phase("faults", first, last), phase("after", last, end)];
    all.into_iter().filter(|phase| phase.from_micros < phase.until_micros).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn fault(name: &str, at_micros: u64, until_micros: u64) -> Injected {
        Injected {
            fault: 0,
            name: name.to_string(),
            targets: String::new(),
            at_micros,
            until_micros: Some(until_micros),
            met: 1,
            damaged: BTreeMap::new(),
        }
    }

    fn plan() -> Plan {
        let text = "name: x\nabout: x\nworkload: { duration: 10s }\nexpect: { lost_writes: 0 }\n";
        crate::scenario::parse("x.yaml", text).unwrap()
    }

    fn told(injected: &[Injected]) -> String {
        let phases = of(&plan(), injected);
        phases
            .iter()
            .map(|phase| {
                format!("{} {}..{}", phase.name, phase.from_micros / 1_000_000, phase.until_micros / 1_000_000)
            })
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn phases_follow_the_faults_in_force_without_gaps() {
        let faults = [fault("partition", 2_000_000, 6_000_000), fault("killed", 5_000_000, 8_000_000)];
        assert_eq!(told(&faults), "calm 0..2, partition 2..5, killed + partition 5..6, killed 6..8, calm 8..10");
        assert_eq!(told(&[]), "calm 0..10");
    }

    #[test]
    fn many_short_faults_count_as_one_phase() {
        let faults: Vec<Injected> =
            (1..9).map(|second| fault("killed", second * 1_000_000, second * 1_000_000 + 500_000)).collect();
        assert_eq!(told(&faults), "before 0..1, faults 1..8, after 8..10");
    }
}
