//! The verdict: each expectation of the scenario against what the checks find, and what every run demands.
//!
//! ```text
//!   expectations of the file        held │ not held │ nothing examined: vacuous │ not within bounds: undecided
//!   no phantom values               a value that nobody wrote is never right
//!   files are sound                 what `stormglass verify` reads of every node at rest whose data no fault has damaged
//!   the cluster comes to rest       after healing every node serves, every key is readable at `all`, its replicas are equal;
//!                                   a node whose data a fault has damaged may refuse, with an error
//!   the fault budget is kept        what the damage leaves to be promised: see `budget`
//!   enough happened                 every declared fault met traffic, every kind of operation had its ok results
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use reports::facts::{ExpectationFact, Held, Verdict};

use super::nodes::DATA;
use super::{Observed, Refusal, budget, whole};
use crate::check::convergence::FinalRead;
use crate::check::linearizable::DEFAULT_STEPS_PER_KEY;
use crate::check::soundness::NodeAtRest;
use crate::check::{
    Anomaly, AnomalyKind, Findings, Index, causality, convergence, linearizable, lost_writes, resurrection, sessions,
    soundness, stale_reads,
};
use crate::history::{Operation, OperationKind};
use crate::scenario::{Comparison, Expectation, Plan, Selection, share_text, time_text};

/// The judgement on a run.
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) expectations: Vec<ExpectationFact>,
    pub(super) anomalies: Vec<Anomaly>,
    pub(super) failure: Option<String>,
}

/// Everything that the checks found.
struct Found {
    lost_writes: Findings,
    stale: Findings,
    resurrections: Findings,
    phantom: Findings,
    soundness: Findings,
    sessions: sessions::SessionFindings,
    /// Nothing, unless the scenario asks.
    causality: causality::CausalFindings,
    linearizable: linearizable::Linearizability,
    convergence: Findings,
}

pub(super) fn judge(plan: &Plan, observed: &Observed) -> Judged {
    let found = examine(plan, observed);
    let mut expectations: Vec<ExpectationFact> =
        plan.expect.iter().map(|expectation| hold(expectation, plan, observed, &found)).collect();
    expectations.push(no_phantoms(&found));
    expectations.push(sound(&found));
    expectations.push(rest(observed));
    expectations.push(budget::keep(plan, observed, &found.lost_writes, &found.stale));
    expectations.push(enough(plan, observed));
    let worst = |held| expectations.iter().any(|expectation| expectation.held == held);
    let verdict = match () {
        () if worst(Held::No) => Verdict::Fails,
        () if worst(Held::Undecided) => Verdict::Undecided,
        () if worst(Held::Vacuous) => Verdict::Vacuous,
        () => Verdict::Holds,
    };
    let failure = (!observed.unsettled.is_empty()).then(|| observed.unsettled.join("; "));
    Judged { verdict, expectations, anomalies: found.anomalies(), failure }
}

fn examine(plan: &Plan, observed: &Observed) -> Found {
    let index = Index::of(&observed.history);
    let reads = stale_reads::check(&index);
    let last = final_values(observed);
    let mut lost_writes = lost_writes::check(&index, &last, observed.settled_micros);
    // A final value out of thin air is no lost write: a demand for lost writes must not be met by it.
    let is_phantom = |anomaly: &Anomaly| anomaly.kind == AnomalyKind::PhantomFinalValue;
    let phantom_finals: Vec<Anomaly> = lost_writes.anomalies.iter().filter(|one| is_phantom(one)).cloned().collect();
    lost_writes.anomalies.retain(|anomaly| !is_phantom(anomaly));
    let mut phantom = reads.phantom;
    phantom.anomalies.extend(phantom_finals);
    // What a fault has damaged is not sound, and need not be.
    let damaged = budget::damaged(observed);
    let whole: Vec<NodeAtRest> =
        observed.disks.iter().filter(|disk| !damaged.contains_key(&disk.node)).cloned().collect();
    let asks = |expectation: &Expectation| {
        matches!(expectation, Expectation::MonotonicWrites(_) | Expectation::WritesFollowReads(_))
    };
    let causality = if plan.expect.iter().any(asks) { causality::check(&index) } else { Default::default() };
    Found {
        lost_writes,
        stale: reads.stale,
        resurrections: resurrection::check(&index, &last, observed.settled_micros),
        phantom,
        soundness: soundness::check(&whole, Path::new(DATA), observed.settled_micros),
        sessions: sessions::check(&index),
        causality,
        linearizable: linearizable::check(&index, DEFAULT_STEPS_PER_KEY),
        convergence: convergence::check(&observed.at_rest, observed.settled_micros),
    }
}

/// What each key holds in the end, where a final read said so.
pub(super) fn final_values(observed: &Observed) -> BTreeMap<String, Option<String>> {
    let value = |(key, at_rest): (&String, &convergence::KeyAtRest)| {
        at_rest.reads.values().find_map(|read| match read {
            FinalRead::Value(value) => Some((key.clone(), Some(value.clone()))),
            FinalRead::Absent => Some((key.clone(), None)),
            FinalRead::Failed(_) => None,
        })
    };
    observed.at_rest.iter().filter_map(value).collect()
}

impl Found {
    fn anomalies(self) -> Vec<Anomaly> {
        let all = [
            self.lost_writes,
            self.stale,
            self.resurrections,
            self.phantom,
            self.soundness,
            self.sessions.monotonic_reads,
            self.sessions.read_your_writes,
            self.causality.monotonic_writes,
            self.causality.writes_follow_reads,
            self.linearizable.findings,
            self.convergence,
        ];
        let mut anomalies: Vec<Anomaly> = all.into_iter().flat_map(|findings| findings.anomalies).collect();
        anomalies
            .sort_by(|one, other| (one.at_micros, one.kind, &one.key).cmp(&(other.at_micros, other.kind, &other.key)));
        anomalies
    }
}

fn hold(expectation: &Expectation, plan: &Plan, observed: &Observed, found: &Found) -> ExpectationFact {
    match expectation {
        Expectation::LostWrites(is) => count("lost_writes", *is, &found.lost_writes),
        Expectation::StaleReads(is) => count("stale_reads", *is, &found.stale),
        Expectation::Resurrections(is) => count("resurrections", *is, &found.resurrections),
        Expectation::MonotonicReads(is) => count("monotonic_reads", *is, &found.sessions.monotonic_reads),
        Expectation::ReadYourWrites(is) => count("read_your_writes", *is, &found.sessions.read_your_writes),
        Expectation::MonotonicWrites(is) => count("monotonic_writes", *is, &found.causality.monotonic_writes),
        Expectation::WritesFollowReads(is) => count("writes_follow_reads", *is, &found.causality.writes_follow_reads),
        Expectation::Linearizable(demanded) => linearizability(*demanded, &found.linearizable),
        Expectation::Converged => {
            let findings = &found.convergence;
            let converged = findings.anomalies.is_empty();
            let held = held(findings.examined, converged);
            fact("converged", "true".to_string(), converged.to_string(), findings.examined, held, findings)
        }
        Expectation::Availability { of, is } => availability(of, *is, plan, observed),
        Expectation::Latency { of, percentile_ppm, is } => latency(of, *percentile_ppm, *is, plan, observed),
    }
}

fn held(examined: u64, met: bool) -> Held {
    match (examined, met) {
        (0, _) => Held::Vacuous,
        (_, true) => Held::Yes,
        (_, false) => Held::No,
    }
}

fn fact(
    name: &str,
    demanded: String,
    observed: String,
    examined: u64,
    held: Held,
    findings: &Findings,
) -> ExpectationFact {
    let note = match (held, findings.anomalies.first()) {
        (Held::No, Some(first)) => first.explanation.clone(),
        _ => String::new(),
    };
    ExpectationFact { name: name.to_string(), demanded, observed, examined, held, note }
}

fn count(name: &str, is: Comparison, findings: &Findings) -> ExpectationFact {
    let number = findings.anomalies.len() as u64;
    let held = held(findings.examined, is.holds(number));
    fact(name, is.to_string(), number.to_string(), findings.examined, held, findings)
}

fn linearizability(demanded: bool, checked: &linearizable::Linearizability) -> ExpectationFact {
    let findings = &checked.findings;
    let violated = !findings.anomalies.is_empty();
    let (observed, held) = match (violated, checked.undecided.first()) {
        // A violation is certain, whatever else was not decided.
        (false, Some(undecided)) => (format!("undecided for {}", undecided.key), Held::Undecided),
        _ => ((!violated).to_string(), held(findings.examined, demanded != violated)),
    };
    fact("linearizable", demanded.to_string(), observed, findings.examined, held, findings)
}

fn selected<'o>(of: &'o Selection, observed: &'o Observed, plan: &Plan) -> impl Iterator<Item = &'o Operation> {
    let through: BTreeSet<String> = of.through.iter().map(ToString::to_string).collect();
    let all = whole(plan);
    observed.history.operations.iter().filter(move |operation| {
        all.contains(operation.invoked_micros)
            && of.kind.is_none_or(|kind| operation.kind == kind)
            && of.during.is_none_or(|during| during.contains(operation.invoked_micros))
            && (through.is_empty() || through.contains(&operation.coordinator))
    })
}

fn availability(of: &Selection, is: Comparison, plan: &Plan, observed: &Observed) -> ExpectationFact {
    let (mut ok, mut all) = (0_u64, 0_u64);
    for operation in selected(of, observed, plan) {
        all += 1;
        ok += u64::from(operation.outcome.is_ok());
    }
    let share = if all == 0 { 0 } else { u128::from(ok) * 1_000_000 / u128::from(all) };
    ExpectationFact {
        name: format!("availability{of}"),
        demanded: is.to_string(),
        observed: format!("{} ({ok} of {all})", share_text((share as u32) / 100 * 100)),
        examined: all,
        held: held(all, is.holds_for_share(ok, all.max(1))),
        note: String::new(),
    }
}

fn latency(of: &Selection, percentile_ppm: u32, is: Comparison, plan: &Plan, observed: &Observed) -> ExpectationFact {
    let mut took: Vec<u64> = selected(of, observed, plan)
        .filter(|operation| operation.outcome.is_ok())
        .filter_map(|operation| Some(operation.completed_micros?.saturating_sub(operation.invoked_micros)))
        .collect();
    took.sort_unstable();
    let count = took.len() as u64;
    // The smallest time that at least this share of the operations did not exceed.
    let rank = (u128::from(count) * u128::from(percentile_ppm)).div_ceil(1_000_000).max(1) as usize;
    let at = took.get(rank - 1).copied().unwrap_or(0);
    let name = match percentile_ppm {
        1_000_000 => format!("latency max{of}"),
        ppm => format!("latency p{}{of}", share_text(ppm).trim_end_matches('%')),
    };
    ExpectationFact {
        name,
        demanded: is.to_string(),
        observed: time_text(at),
        examined: count,
        held: held(count, is.holds(at)),
        note: String::new(),
    }
}

fn no_phantoms(found: &Found) -> ExpectationFact {
    let number = found.phantom.anomalies.len();
    // Nothing read is judged by `enough`, so an empty history needs no second complaint here.
    let held = if number == 0 { Held::Yes } else { Held::No };
    fact("phantom_reads", "0".to_string(), number.to_string(), found.phantom.examined, held, &found.phantom)
}

fn sound(found: &Found) -> ExpectationFact {
    let number = found.soundness.anomalies.len();
    let held = if number == 0 { Held::Yes } else { Held::No };
    let observed = if number == 0 { "yes".to_string() } else { format!("{number} nodes are not") };
    fact("files are sound", "where undamaged".to_string(), observed, found.soundness.examined, held, &found.soundness)
}

fn rest(observed: &Observed) -> ExpectationFact {
    let damaged = budget::damaged(observed);
    let is_unexplained = |refusal: &&Refusal| !damaged.contains_key(&refusal.node);
    let told = |refusal: &Refusal| format!("{} {}", refusal.node, refusal.reason);
    let mut restless = observed.unsettled.clone();
    restless.extend(observed.refusals.iter().filter(is_unexplained).map(told));
    for (key, at_rest) in &observed.at_rest {
        if at_rest.rows.values().any(|row| Some(row) != at_rest.rows.values().next()) {
            restless.push(format!("the replicas of {key} still differ"));
        }
        for (node, read) in &at_rest.reads {
            if let FinalRead::Failed(reason) = read {
                restless.push(format!("{key} cannot be read at all through {node}: {reason}"));
            }
        }
    }
    let settled = restless.is_empty();
    let refusing: Vec<String> = observed.refusals.iter().map(|refusal| refusal.node.to_string()).collect();
    let rests = match (settled, refusing.is_empty()) {
        (false, _) => "no".to_string(),
        (true, true) => "yes".to_string(),
        (true, false) => format!("yes, while {} refuses", refusing.join(" ")),
    };
    let refusals = || observed.refusals.iter().map(told).collect();
    let note: Vec<String> = if settled { refusals() } else { restless };
    ExpectationFact {
        name: "comes to rest".to_string(),
        demanded: "readable, replicas equal".to_string(),
        observed: rests,
        examined: observed.at_rest.len() as u64,
        held: if settled { Held::Yes } else { Held::No },
        note: note.join("; "),
    }
}

/// Whether enough happened to prove anything.
fn enough(plan: &Plan, observed: &Observed) -> ExpectationFact {
    let mut missing = Vec::new();
    for (place, _) in plan.faults.iter().enumerate() {
        let mut injected = observed.injected.iter().filter(|injected| injected.fault == place).peekable();
        if injected.peek().is_none() {
            missing.push(format!("faults[{place}] never fired"));
        } else if injected.all(|injected| injected.met == 0) {
            missing.push(format!("faults[{place}] met no traffic"));
        }
    }
    let counters = &observed.counters;
    if plan.network.loss_ppm > 0 && counters.dropped_loss == 0 {
        missing.push("network.loss lost nothing".to_string());
    }
    if plan.network.duplicate_ppm > 0 && counters.messages_duplicated == 0 {
        missing.push("network.duplicate doubled nothing".to_string());
    }
    let (recoveries, demanded) = (observed.recoveries, plan.at_least_recoveries);
    if recoveries.torn_tails < demanded.torn_tails {
        missing.push(format!("{} torn tails of at least {}", recoveries.torn_tails, demanded.torn_tails));
    }
    if recoveries.interrupted < demanded.interrupted {
        let (number, least) = (recoveries.interrupted, demanded.interrupted);
        missing.push(format!("{number} interrupted recoveries of at least {least}"));
    }
    for kind in OperationKind::ALL {
        let (demanded, ok) = (plan.at_least.of(kind), acknowledged(observed, kind));
        if ok < demanded {
            missing.push(format!("{ok} ok {kind}s of at least {demanded}"));
        }
    }
    let all_met = missing.is_empty();
    ExpectationFact {
        name: "enough happened".to_string(),
        demanded: format!("{} faults, all kinds", plan.faults.len()),
        observed: if all_met { "yes" } else { "no" }.to_string(),
        examined: observed.injected.len() as u64 + observed.history.operations.len() as u64,
        held: if all_met { Held::Yes } else { Held::Vacuous },
        note: missing.join("; "),
    }
}

fn acknowledged(observed: &Observed, kind: OperationKind) -> u64 {
    let of_kind = |operation: &&Operation| operation.kind == kind && operation.outcome.is_ok();
    observed.history.operations.iter().filter(of_kind).count() as u64
}
