//! The fault budget of a finished run: which copies the faults have damaged, and whether what was promised is there.
//!
//! ```text
//!   n2  wiped           1 of 3 copies damaged, 1 forgetful      nothing lost: promised, and judged
//!                                                               nothing stale: beyond the budget, not judged here
//! ```
//!
//! What the scenario itself demands of losses and stale reads is judged where it stands, and not again. Clocks out of step
//! may let last-write-wins drop what was acknowledged, with every copy whole: then the promises are not this budget's.

use std::collections::BTreeMap;

use cluster::world::NodeId;
use reports::facts::{ExpectationFact, Held};

use super::Observed;
use crate::check::Findings;
use crate::check::convergence::FinalRead;
use crate::scenario::{Action, Budget, Damage, Expectation, Plan, note};

/// Whose copies the faults have damaged.
pub(super) fn damaged(observed: &Observed) -> BTreeMap<NodeId, Damage> {
    let mut nodes = BTreeMap::new();
    for injected in observed.injected.iter().filter(|injected| injected.met > 0) {
        injected.damaged.iter().for_each(|(node, damage)| note(&mut nodes, *node, *damage));
    }
    nodes
}

/// Whether what the damage left to be promised is kept.
pub(super) fn keep(plan: &Plan, observed: &Observed, lost: &Findings, stale: &Findings) -> ExpectationFact {
    let nodes = damaged(observed);
    let budget = Budget::of_damage(plan, &nodes);
    let own = |is_one: fn(&Expectation) -> bool| plan.expect.iter().any(is_one);
    let in_step = clocks_in_step(plan);
    let mut promises = Vec::new();
    let mut broken = Vec::new();
    let mut judge = |promised: bool, words: &'static str, anomaly: Option<String>| {
        if promised {
            promises.push(words);
            broken.extend(anomaly.map(|anomaly| format!("{words} was promised: {anomaly}")));
        }
    };
    let first = |findings: &Findings| findings.anomalies.first().map(|anomaly| anomaly.explanation.clone());
    let demands_losses = own(|expectation| matches!(expectation, Expectation::LostWrites(_)));
    judge(budget.keeps() && in_step && !demands_losses, "nothing lost", first(lost));
    let demands_stale = own(|expectation| matches!(expectation, Expectation::StaleReads(_)));
    judge(budget.is_fresh() && in_step && !demands_stale, "nothing stale", first(stale));
    judge(budget.serves(), "nothing refused for ever", refused_for_ever(observed));
    let held = if broken.is_empty() { Held::Yes } else { Held::No };
    let is_within = budget.keeps() && budget.serves();
    ExpectationFact {
        name: if is_within { "within the fault budget" } else { "beyond the fault budget" }.to_string(),
        demanded: if promises.is_empty() { "clear errors only".to_string() } else { promises.join(", ") },
        observed: told(&budget, &nodes),
        examined: observed.history.operations.len() as u64 + 1,
        held,
        note: broken.join("; "),
    }
}

fn told(budget: &Budget, nodes: &BTreeMap<NodeId, Damage>) -> String {
    if nodes.is_empty() {
        return "no copy damaged".to_string();
    }
    let named: Vec<String> = nodes
        .iter()
        .map(|(node, damage)| match damage {
            Damage::Refuses => format!("{node} may refuse"),
            Damage::Forgets => format!("{node} may forget"),
        })
        .collect();
    format!("{} of {} copies damaged: {}", budget.damaged, budget.copies, named.join(", "))
}

/// A key that nobody serves at the end.
fn refused_for_ever(observed: &Observed) -> Option<String> {
    observed.at_rest.iter().find_map(|(key, at_rest)| {
        let failed = at_rest.reads.iter().find_map(|(node, read)| match read {
            FinalRead::Failed(reason) => Some(format!("{key} through {node}: {reason}")),
            _ => None,
        });
        failed.or_else(|| at_rest.rows.is_empty().then(|| format!("no copy of {key} can be read")))
    })
}

fn clocks_in_step(plan: &Plan) -> bool {
    let moves_clocks = |action: &Action| {
        matches!(
            action,
            Action::ClockStep { .. }
                | Action::ClockSkew { .. }
                | Action::ClockDrift { .. }
                | Action::ClockStrobe { .. }
                | Action::Freeze { .. }
        )
    };
    plan.clocks.is_empty() && !plan.faults.iter().any(|fault| moves_clocks(&fault.action))
}

#[cfg(test)]
mod tests {
    use super::super::Injected;
    use super::*;
    use crate::check::{Anomaly, AnomalyKind};

    fn observed(damaged: &[(u16, Damage)]) -> Observed {
        let injected = damaged.iter().map(|(node, damage)| Injected {
            fault: 0,
            name: "wiped".to_string(),
            targets: String::new(),
            at_micros: 0,
            until_micros: None,
            met: 1,
            damaged: BTreeMap::from([(NodeId(*node), *damage)]),
        });
        Observed { injected: injected.collect(), ..Observed::default() }
    }

    fn held(lines: &str, damaged: &[(u16, Damage)]) -> (String, Held) {
        let text = format!("name: x\nabout: y\n{lines}");
        let plan = crate::scenario::parse("x.yaml", &text).unwrap_or_else(|error| panic!("{error}"));
        let anomaly = Anomaly {
            kind: AnomalyKind::LostWrite,
            key: "k1".to_string(),
            operations: Vec::new(),
            at_micros: 0,
            behind_micros: None,
            explanation: "v1 is gone".to_string(),
        };
        let lost = Findings { anomalies: vec![anomaly], examined: 1 };
        let fact = keep(&plan, &observed(damaged), &lost, &Findings::default());
        (fact.name, fact.held)
    }

    #[test]
    fn a_lost_write_is_a_bug_within_the_budget_and_none_of_its_business_beyond() {
        let plain = "expect: { converged: true }\n";
        let (name, verdict) = held(plain, &[(1, Damage::Forgets)]);
        assert_eq!((name.as_str(), verdict), ("within the fault budget", Held::No));
        let (name, verdict) = held(plain, &[(1, Damage::Forgets), (2, Damage::Refuses)]);
        assert_eq!((name.as_str(), verdict), ("beyond the fault budget", Held::Yes));
    }

    #[test]
    fn what_the_scenario_demands_itself_is_not_judged_again_and_wrong_clocks_promise_nothing() {
        assert_eq!(held("expect: { lost_writes: '>= 1' }\n", &[]).1, Held::Yes);
        assert_eq!(held("expect: { converged: true }\nclocks: [{ node: n1, skew: 1s }]\n", &[]).1, Held::Yes);
        assert_eq!(held("expect: { converged: true }\n", &[]).1, Held::No);
    }
}
