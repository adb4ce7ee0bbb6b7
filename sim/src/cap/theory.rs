//! What must hold of a cell whatever the seed, and whether its runs obey. A cell that does not is a bug: of the database, of
//! the laboratory, or of the theory as it stands here.
//!
//! | demand | where | why |
//! |---|---|---|
//! | no stale read | R + W > N, clocks in step | every read quorum meets every write quorum (Gifford 1979) |
//! | no acknowledged write lost | clocks in step | it is durable before it is acknowledged, and the newest stamp is the newest |
//! | no answer | on a side with fewer replicas than the level asks | nobody may count replicas that it cannot hear |
//! | always an answer | on a side with enough of them | a partition is no excuse there |
//! | stale reads at most C(N - W, R) / C(N, R) | no fault, R + W <= N | PBS (Bailis et al. 2012), equation 1 |
//! | none beyond the time that a write takes to spread | no fault | every message arrives |
//! | comes to rest | everywhere | all heals |

use reports::cap::{AGE_CLASSES, AGE_EDGES_MICROS, CapRun, TheoryFact};
use reports::statistics::share;

use super::cell::{Cell, Fault};

/// Always, but for so many of a thousand: a message may take longer than an operation has, if hardly ever.
const ALWAYS_OF_THOUSAND: u64 = 999;

/// The first class of age by which a write has spread where every message arrives: the slowest takes 40 ms, the slowest sync
/// 8 ms.
const SPREAD_MICROS: u64 = 100_000;

/// What theory demands of a cell, and what its runs say.
pub(super) fn theory(cell: &Cell, runs: &[CapRun]) -> Vec<TheoryFact> {
    let mut facts = vec![rest(runs)];
    let (read, write) = cell.replicas();
    let nodes = usize::from(cell.nodes);
    if cell.in_step() && cell.quorums_meet() {
        let (stale, reads) = sum(runs, |run| (run.stale_whole, run.examined_whole));
        facts.push(TheoryFact {
            claim: format!("no stale read: {read} + {write} > {nodes}, and clocks are in step"),
            seen: format!("{stale} of {reads} reads"),
            holds: stale == 0,
        });
    }
    if cell.in_step() {
        let (lost, kept) = sum(runs, |run| (run.lost, run.kept));
        facts.push(TheoryFact {
            claim: "no acknowledged write is lost: it is durable before, and clocks are in step".to_string(),
            seen: format!("{lost} of {kept} writes"),
            holds: lost == 0,
        });
    }
    facts.extend(answers(cell, runs));
    if cell.fault == Fault::None && !cell.quorums_meet() {
        facts.extend(bounded_staleness(cell, runs));
    }
    facts
}

fn rest(runs: &[CapRun]) -> TheoryFact {
    let restless = runs.iter().filter(|run| run.unsettled.is_some()).count();
    let first = runs.iter().find_map(|run| run.unsettled.as_deref());
    let why = first.map_or(String::new(), |reason| format!(": {reason}"));
    TheoryFact {
        claim: "the cluster comes to rest when all has healed".to_string(),
        seen: format!("{restless} of {} runs did not{why}", runs.len()),
        holds: restless == 0,
    }
}

fn sum(runs: &[CapRun], of: impl Fn(&CapRun) -> (u64, u64)) -> (u64, u64) {
    runs.iter().map(of).fold((0, 0), |sum, (part, whole)| (sum.0 + part, sum.1 + whole))
}

/// Who must and who cannot get an answer, where theory knows.
fn answers(cell: &Cell, runs: &[CapRun]) -> Vec<TheoryFact> {
    let (read, write) = cell.replicas();
    let mut facts = Vec::new();
    // Nodes, how many replicas they hear for certain, and whether they hear no others for certain.
    let groups: Vec<(Vec<usize>, usize, bool)> = match cell.fault {
        Fault::None | Fault::MinorityCutOff | Fault::MajoritySplit | Fault::OneWay => {
            cell.sides().into_iter().map(|side| (side.clone(), side.len(), true)).collect()
        }
        // Whoever is not struck hears all the others who are not.
        Fault::SlowNode | Fault::CrashLoop => {
            let (struck, nodes) = (cell.struck(), usize::from(cell.nodes));
            let others: Vec<usize> = (0..nodes).filter(|node| !struck.contains(node)).collect();
            vec![(others.clone(), others.len(), false)]
        }
        Fault::Flapping | Fault::SkewedClocks => Vec::new(),
    };
    for (side, hears, hears_no_others) in groups {
        for (kind, required) in [("read", read), ("write", write)] {
            let of = |run: &CapRun| {
                let by_node = if kind == "read" { &run.reads } else { &run.writes };
                side.iter()
                    .filter_map(|node| by_node.get(*node))
                    .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
            };
            let (ok, all) = sum(runs, of);
            if all > 0 && (required <= hears || hears_no_others) {
                facts.push(answer(&side, hears, kind, required, (ok, all)));
            }
        }
    }
    facts
}

fn answer(side: &[usize], hears: usize, kind: &str, required: usize, (ok, all): (u64, u64)) -> TheoryFact {
    let names: Vec<String> = side.iter().map(|place| format!("n{}", place + 1)).collect();
    let names = names.join(", ");
    let (claim, holds) = if required > hears {
        (format!("no {kind} is answered through {names}: it hears {hears} replicas of {required}"), ok == 0)
    } else {
        let holds = ok * 1_000 >= all * ALWAYS_OF_THOUSAND;
        (format!("every {kind} is answered through {names}: it hears {hears} replicas and needs {required}"), holds)
    };
    TheoryFact { claim, seen: format!("{ok} of {all}"), holds }
}

fn bounded_staleness(cell: &Cell, runs: &[CapRun]) -> Vec<TheoryFact> {
    let (read, write) = cell.replicas();
    let bound = miss(usize::from(cell.nodes), read, write);
    let mut worst: Option<(usize, f64, f64)> = None;
    for class in 0..AGE_CLASSES {
        let at = |counts: &[u64]| counts.get(class).copied().unwrap_or(0);
        let counted: Vec<(u64, u64)> = runs.iter().map(|run| (at(&run.stale_by_age), at(&run.reads_by_age))).collect();
        if let Some(share) = share(&counted)
            && worst.is_none_or(|(_, value, _)| share.value > value)
        {
            worst = Some((class, share.value, share.low));
        }
    }
    let spread = AGE_EDGES_MICROS.partition_point(|edge| *edge < SPREAD_MICROS) + 1;
    let old = |counts: &[u64]| counts.iter().skip(spread).sum::<u64>();
    let (late, reads) = sum(runs, |run| (old(&run.stale_by_age), old(&run.reads_by_age)));
    let (_, value, low) = worst.unwrap_or((0, 0.0, 0.0));
    vec![
        TheoryFact {
            claim: format!("at no age are more than {:.1}% of reads stale: C(N - W, R) / C(N, R)", bound * 100.0),
            seen: format!("{:.1}% at the worst age (at least {:.1}% with 95% confidence)", value * 100.0, low * 100.0),
            holds: low <= bound,
        },
        TheoryFact {
            claim: format!("no read is stale {} ms after the write: every message has arrived", SPREAD_MICROS / 1_000),
            seen: format!("{late} of {reads} reads"),
            holds: late == 0,
        },
    ]
}

/// The chance that R of N replicas, chosen at random, miss W given ones.
fn miss(nodes: usize, read: usize, write: usize) -> f64 {
    (0..read).fold(1.0, |chance, place| chance * nodes.saturating_sub(write + place) as f64 / (nodes - place) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster::coordinator::Level;

    fn run() -> CapRun {
        CapRun {
            reads: vec![(0, 50), (50, 50), (50, 50)],
            writes: vec![(0, 50), (50, 50), (50, 50)],
            examined: 150,
            examined_whole: 300,
            kept: 8,
            reads_by_age: vec![10; AGE_CLASSES],
            stale_by_age: vec![0; AGE_CLASSES],
            ..CapRun::default()
        }
    }

    fn cell(read: Level, write: Level, fault: Fault) -> Cell {
        Cell { nodes: 3, read, write, fault }
    }

    fn contradicted(cell: &Cell, run: CapRun) -> Vec<String> {
        theory(cell, &vec![run; 20]).into_iter().filter(|fact| !fact.holds).map(|fact| fact.claim).collect()
    }

    #[test]
    fn a_minority_that_answers_nothing_at_quorum_obeys() {
        let cell = cell(Level::Quorum, Level::Quorum, Fault::MinorityCutOff);
        assert_eq!(contradicted(&cell, run()), Vec::<String>::new());
        assert_eq!(theory(&cell, &[run()]).len(), 3 + 4);
    }

    #[test]
    fn each_demand_can_be_broken() {
        let quorum = cell(Level::Quorum, Level::Quorum, Fault::MinorityCutOff);
        for (broken, words) in [
            (CapRun { stale_whole: 1, ..run() }, "no stale read"),
            (CapRun { lost: 1, ..run() }, "no acknowledged write is lost"),
            (CapRun { reads: vec![(1, 50), (50, 50), (50, 50)], ..run() }, "no read is answered through n1"),
            (CapRun { writes: vec![(0, 50), (50, 50), (40, 50)], ..run() }, "every write is answered through n2, n3"),
            (CapRun { unsettled: Some("n1 does not start".to_string()), ..run() }, "comes to rest"),
        ] {
            let found = contradicted(&quorum, broken);
            assert!(found.len() == 1 && found[0].contains(words), "{words}: {found:?}");
        }
    }

    #[test]
    fn skewed_clocks_and_quorums_that_do_not_meet_are_free_to_be_stale() {
        let stale = CapRun { stale: 9, stale_whole: 9, lost: 3, ..run() };
        assert!(contradicted(&cell(Level::Quorum, Level::Quorum, Fault::SkewedClocks), stale.clone()).is_empty());
        let weak = CapRun { lost: 0, reads: vec![(50, 50); 3], writes: vec![(50, 50); 3], ..stale };
        assert!(contradicted(&cell(Level::ONE, Level::ONE, Fault::MinorityCutOff), weak).is_empty());
    }

    #[test]
    fn staleness_above_the_closed_form_or_long_after_the_write_contradicts_it() {
        let weak = cell(Level::Quorum, Level::ONE, Fault::None);
        let all = CapRun { reads: vec![(50, 50); 3], writes: vec![(50, 50); 3], ..run() };
        let at = |class: usize, stale| {
            let mut counts = vec![0; AGE_CLASSES];
            counts[class] = stale;
            CapRun { stale_by_age: counts, ..all.clone() }
        };
        // One of three is the bound.
        assert!(contradicted(&weak, at(0, 3)).is_empty());
        assert!(contradicted(&weak, at(0, 6))[0].contains("33.3%"));
        assert!(contradicted(&weak, at(AGE_CLASSES - 1, 1))[0].contains("100 ms after"));
        assert!(contradicted(&weak, at(reports::cap::age_class(99_999), 1)).is_empty());
    }
}
