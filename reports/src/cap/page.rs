//! cap.html: four pictures that are understood in a minute, then sentences, then every figure with its interval.
//!
//! ```text
//!   what was done, and whether theory was contradicted
//!   who gets no answer · who is told old news · what is forgotten · what it costs in time
//!   sentences, fault by fault · ages of stale reads against the closed form · theory · tables · method
//! ```

use maud::{Markup, html};

use super::figures::{CellFigures, figures, stale_by_age};
use super::heat::{Picture, drawing};
use super::sentences::{interval, percent, sentence};
use super::{AGE_EDGES_MICROS, CapCell, CapFacts, CapFault};
use crate::numbers::{count, duration, seconds_to_tenths};
use crate::page::{page, section, table};
use crate::statistics::{Median, Share};
use crate::tables::{Column, Rows};

/// The page.
pub fn cap_page(facts: &CapFacts) -> String {
    let body = html! {
        h1 { "CAP report: what each quorum gives, and what it costs" }
        p.lead { (opening(facts)) }
        (headline(facts))
        @for picture in Picture::ALL {
            figure { (drawing(facts, picture)) figcaption { (picture.caption()) } }
        }
        (section("In sentences", true, &sentences(facts)))
        (section("How old the news is, against the closed form", true, &ages(facts)))
        (section("Against theory", true, &theory(facts)))
        (section("Every figure", true, &tables(facts)))
        (section("How it was measured", true, &method(facts)))
    };
    page("CAP report", &body, None)
}

/// What was done, in a sentence.
pub(super) fn opening(facts: &CapFacts) -> String {
    let runs: usize = facts.cells.iter().map(|cell| cell.runs.len()).sum();
    let asked: u64 = facts.cells.iter().flat_map(|cell| &cell.runs).map(asked).sum();
    format!(
        "{} runs of {} virtual seconds in {} cells, {} operations while faults were in force: every choice of R and W \
         under {} kinds of fault.",
        count(runs as u64),
        seconds_to_tenths(facts.duration_micros).trim_end_matches(".0"),
        count(facts.cells.len() as u64),
        count(asked),
        facts.faults.len()
    )
}

fn asked(run: &super::CapRun) -> u64 {
    run.reads.iter().chain(&run.writes).map(|(_, asked)| asked).sum()
}

/// The findings that a reader takes along, computed from the cells.
pub(super) fn findings(facts: &CapFacts) -> Vec<String> {
    let mut told = Vec::new();
    let meet = || facts.cells.iter().filter(|cell| cell.quorums_meet() && in_step(cell));
    let examined: u64 = meet().flat_map(|cell| &cell.runs).map(|run| run.examined_whole).sum();
    let stale: u64 = meet().flat_map(|cell| &cell.runs).map(|run| run.stale_whole).sum();
    if examined > 0 {
        let seen = if stale == 0 { "not one was stale".to_string() } else { format!("{} were stale", count(stale)) };
        told.push(format!("Where R + W > N and clocks are in step: of {} reads, {seen}.", count(examined)));
    }
    let worst =
        facts.cells.iter().filter(|cell| !cell.quorums_meet()).filter_map(|cell| Some((cell, figures(cell).stale?)));
    if let Some((cell, share)) = worst.max_by(|one, other| one.1.value.total_cmp(&other.1.value))
        && share.part > 0
    {
        let under = under(facts, cell);
        told.push(format!(
            "Where R + W <= N, most stale reads came {under} with N = {} at R {}, W {}: {} of them ({}).",
            cell.nodes,
            cell.read,
            cell.write,
            percent(share.value),
            interval(&share)
        ));
    }
    let lost: Vec<(&CapCell, u64)> =
        facts.cells.iter().map(|cell| (cell, cell.runs.iter().map(|run| run.lost).sum())).collect();
    let (in_step_lost, skewed_lost): (u64, u64) =
        lost.iter().fold(
            (0, 0),
            |sums, (cell, lost)| {
                if in_step(cell) { (sums.0 + lost, sums.1) } else { (sums.0, sums.1 + lost) }
            },
        );
    if lost.iter().any(|(cell, _)| in_step(cell)) {
        told.push(match in_step_lost {
            0 => "With clocks in step, no acknowledged write was lost, at any level, under any fault.".to_string(),
            lost => format!("Acknowledged writes lost with clocks in step: {}.", count(lost)),
        });
    }
    if lost.iter().any(|(cell, _)| !in_step(cell)) {
        told.push(match skewed_lost {
            0 => "With skewed clocks, no acknowledged write was lost either.".to_string(),
            all => {
                let of_meeting = lost.iter().filter(|(cell, _)| !in_step(cell) && cell.quorums_meet());
                let meeting: u64 = of_meeting.map(|(_, lost)| lost).sum();
                format!(
                    "Acknowledged writes lost with skewed clocks, where the last stamp wins and is not the last write's: \
                     {}, of which {} with R + W > N.",
                    count(all),
                    count(meeting)
                )
            }
        });
    }
    told
}

fn in_step(cell: &CapCell) -> bool {
    cell.fault != SKEWED
}

/// The key of the fault that sets clocks apart.
const SKEWED: &str = "skewed-clocks";

fn under(facts: &CapFacts, cell: &CapCell) -> String {
    let fault = facts.faults.iter().find(|fault| fault.key == cell.fault);
    let under = fault.map_or(cell.fault.clone(), |fault| fault.under.clone());
    let mut letters = under.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

fn headline(facts: &CapFacts) -> Markup {
    let contradictions: Vec<&CapCell> = facts.cells.iter().filter(|cell| cell.contradicts()).collect();
    html! {
        @if contradictions.is_empty() {
            p { span.verdict.holds { "agrees with theory" } " "
                (count(facts.cells.iter().map(|cell| cell.theory.len() as u64).sum())) " demands of theory, none contradicted." }
        } @else {
            p { span.verdict.fails { "contradicts theory" } " " (contradictions.len()) " cells do; see below." }
        }
        ul.sentences { @for finding in findings(facts) { li { (finding) } } }
    }
}

fn cells_of<'f>(facts: &'f CapFacts, fault: &CapFault) -> Vec<&'f CapCell> {
    facts.cells.iter().filter(|cell| cell.fault == fault.key).collect()
}

fn sentences(facts: &CapFacts) -> Markup {
    html! {
        @for fault in &facts.faults {
            h3 { (fault.title) }
            p.note { (fault.about) }
            @let cells = cells_of(facts, fault);
            ul.sentences {
                @for cell in cells.iter().filter(|cell| is_typical(cell)) { li { (sentence(cell, fault, &figures(cell))) } }
            }
            details {
                summary { "The other combinations" }
                ul.sentences {
                    @for cell in cells.iter().filter(|cell| !is_typical(cell)) { li { (sentence(cell, fault, &figures(cell))) } }
                }
            }
        }
    }
}

/// Those that people choose between.
pub(super) fn is_typical(cell: &CapCell) -> bool {
    cell.read == cell.write && cell.read != "all"
}

fn ages(facts: &CapFacts) -> Markup {
    let cells = facts.cells.iter().filter(|cell| cell.fault == "none" && !cell.quorums_meet());
    let mut columns = vec![Column::Number("N"), Column::Words("R, W"), Column::Number("bound at once")];
    columns.extend(AGE_NAMES.map(Column::Number));
    let mut rows = Rows::new(columns);
    for cell in cells {
        let mut row = vec![cell.nodes.to_string(), format!("{}, {}", cell.read, cell.write)];
        row.push(percent(never_meet(cell.nodes, cell.read_replicas, cell.write_replicas)));
        row.extend(
            stale_by_age(cell).iter().map(|share| share.as_ref().map_or("-".to_string(), |share| percent(share.value))),
        );
        rows.push(row);
    }
    html! {
        p { "Without faults, the share of stale reads by how long before them the newest write of their key had been \
            acknowledged. Probabilistically Bounded Staleness (Bailis et al. 2012, equation 1) bounds it by the chance that R \
            replicas chosen at random miss the W that have the write, C(N - W, R) / C(N, R); since writes go on to all \
            replicas, the share falls from there to nothing within the time that a message takes." }
        (table(&rows))
    }
}

/// The names of the classes of age.
const AGE_NAMES: [&str; AGE_EDGES_MICROS.len() + 1] =
    ["< 1 ms", "1-2 ms", "2-5 ms", "5-10 ms", "10-20 ms", "20-50 ms", "50-100 ms", "0.1-0.5 s", "0.5-1 s", "> 1 s"];

/// The chance that R of N replicas, chosen at random, miss W given ones: C(N - W, R) / C(N, R).
pub(super) fn never_meet(nodes: u64, read: u64, write: u64) -> f64 {
    (0..read).fold(1.0, |chance, place| {
        let (left, all) = (nodes.saturating_sub(write + place), nodes.saturating_sub(place));
        if all == 0 { 0.0 } else { chance * left as f64 / all as f64 }
    })
}

fn theory(facts: &CapFacts) -> Markup {
    let mut against = Rows::new(vec![Column::Words("cell"), Column::Words("theory"), Column::Words("seen")]);
    let mut all =
        Rows::new(vec![Column::Words("agrees"), Column::Words("cell"), Column::Words("theory"), Column::Words("seen")]);
    for cell in &facts.cells {
        for fact in &cell.theory {
            let agrees = if fact.holds { "yes" } else { "no" };
            all.push(vec![agrees.to_string(), cell.key.clone(), fact.claim.clone(), fact.seen.clone()]);
            if !fact.holds {
                against.push(vec![cell.key.clone(), fact.claim.clone(), fact.seen.clone()]);
            }
        }
    }
    html! {
        @if against.cells().is_empty() { p { "No cell contradicts what theory demands of it." } }
        @else { p.failure { "These cells contradict theory:" } (table(&against)) }
        details { summary { "All " (all.cells().len()) " demands" } (table(&all)) }
    }
}

fn tables(facts: &CapFacts) -> Markup {
    html! {
        @for fault in &facts.faults {
            details {
                summary { (fault.title) }
                (table(&rows(facts, fault)))
            }
        }
        p.note { "Shares in percent with their 95% intervals; cap.csv has all of it." }
    }
}

/// The table of one fault.
pub(super) fn rows(facts: &CapFacts, fault: &CapFault) -> Rows {
    let names = ["N", "R", "W"].map(Column::Words);
    let mut columns: Vec<Column> = names.into_iter().collect();
    columns.extend(["reads answered", "struck", "others", "writes answered", "struck", "others"].map(Column::Number));
    columns.extend(["stale", "of reads", "typical age", "greatest age", "lost", "of writes"].map(Column::Number));
    columns.extend(["read p50", "read p99", "write p50", "write p99"].map(Column::Number));
    let mut rows = Rows::new(columns);
    for cell in cells_of(facts, fault) {
        rows.push(row(cell, &figures(cell)));
    }
    rows
}

fn row(cell: &CapCell, figures: &CellFigures) -> Vec<String> {
    let of = |share: &Option<Share>| share.as_ref().map_or("-".to_string(), with_interval);
    let whole = |share: &Option<Share>| share.as_ref().map_or("-".to_string(), |share| count(share.whole));
    let middle = |median: &Option<Median>| median.as_ref().map_or("-".to_string(), median_words);
    let (reads, writes) = (&figures.reads, &figures.writes);
    vec![
        cell.nodes.to_string(),
        cell.read.clone(),
        cell.write.clone(),
        of(&reads.all),
        of(&reads.struck),
        of(&reads.others),
        of(&writes.all),
        of(&writes.struck),
        of(&writes.others),
        of(&figures.stale),
        whole(&figures.stale),
        middle(&figures.stale_age),
        figures.stale_age_max_micros.map_or("-".to_string(), duration),
        of(&figures.lost),
        whole(&figures.lost),
        middle(&figures.read_p50),
        middle(&figures.read_p99),
        middle(&figures.write_p50),
        middle(&figures.write_p99),
    ]
}

fn with_interval(share: &Share) -> String {
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    format!("{} ({}-{})", percent(share.value), percent(share.low), percent(share.high))
}

fn median_words(median: &Median) -> String {
    match median.interval {
        Some((low, high)) if low != high => {
            format!("{} ({}-{})", duration(median.value), duration(low), duration(high))
        }
        _ => duration(median.value),
    }
}

fn method(facts: &CapFacts) -> Markup {
    html! {
        p { (facts.setting) " Faults are in force from " (seconds_to_tenths(facts.fault_from_micros)) " s to "
            (seconds_to_tenths(facts.fault_until_micros)) " s; operations count where they were invoked then, but for the \
            first and last tenth of a second. An operation without an answer was refused or timed out. A side is told \
            by the node that was asked, and each node weighs the same." }
        p { "Runs are independent, operations within a run are not: a partition fails a hundred of them at once. So intervals \
            of shares are Wilson's for as many independent draws as would vary as much as runs do (Korn and Graubard 1998); \
            where no run shows any, or every run shows all, each run counts as one draw, which is the widest that the data \
            allow. Percentiles are those of the median run, between two order statistics. All intervals are of 95%." }
        p { "Stale, lost and age are judged by true time, from what clients saw; no stamp of the database is believed." }
        p.note { "The same command gives the same figures, on every machine:" }
        pre { (facts.command) }
        details {
            summary { "How to replay one run of each cell" }
            pre { @for cell in &facts.cells { (cell.replay) "\n" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closed_form_has_the_values_of_the_paper() {
        // Bailis et al. 2012, section 3.1: N = 3, R = W = 1 gives 2/3; N = 3 with R or W of 2 gives 1/3; R + W > N gives 0.
        for (nodes, read, write, expected) in [
            (3, 1, 1, 2.0 / 3.0),
            (3, 2, 1, 1.0 / 3.0),
            (3, 1, 2, 1.0 / 3.0),
            (3, 2, 2, 0.0),
            (5, 1, 3, 0.4),
            (5, 3, 1, 0.4),
            (5, 5, 1, 0.0),
        ] {
            let found = never_meet(nodes, read, write);
            assert!((found - expected).abs() < 1e-12, "N {nodes} R {read} W {write}: {found}");
        }
    }
}
