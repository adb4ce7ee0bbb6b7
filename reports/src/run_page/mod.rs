//! report.html: one run as a page that opens from a file, without a network.
//!
//! ```text
//!   verdict      what was expected, what was seen
//!   timeline     faults, nodes and messages, clients and their operations, anomalies, rates: one axis of time to zoom
//!   anomalies    each with its sentence and its smallest sub-history, operation by operation, replica by replica
//!   figures      phases, kinds, latencies, faults, counters
//! ```
//!
//! The page is whole without scripts; with them, time can be zoomed and any operation asked for its consistency report.
//! What is too much to draw is left out by rule, and the page says how much that was.

mod anomalies;
mod data;
mod lanes;
mod rates;
mod timeline;

use maud::{Markup, html};

use crate::detail::RunDetail;
use crate::error::ReportError;
use crate::facts::{Held, RunFacts, Verdict};
use crate::markdown::replay;
use crate::numbers::{count, moment};
use crate::page::{data as page_data, page, section, table};
use crate::rows;
use crate::tables::{Column, Rows, plain};
use crate::text::speed;

use lanes::Lanes;

const SCRIPT: &str = include_str!("timeline.js");

/// The page of a run.
pub fn run_page(facts: &RunFacts, detail: &RunDetail) -> Result<String, ReportError> {
    let lanes = Lanes::of(facts, detail);
    let body = html! {
        (opening(facts))
        (section("What was expected", true, &expectations(facts)))
        (section("What happened", true, &timeline::timeline(facts, detail, &lanes)))
        (section("Anomalies", !facts.anomalies.is_empty(), &anomalies::anomalies(facts, detail)))
        (section("Operations", true, &operations(facts)))
        (section("Faults", !facts.faults.is_empty(), &faults(facts)))
        (section("Counters", !facts.counters.is_empty(), &counters(facts)))
        (section("What the verdicts mean", true, &meanings()))
        (page_data("facts", &data::page_data(facts, detail, &lanes))?)
    };
    Ok(page(&facts.scenario, &body, Some(SCRIPT)))
}

fn opening(facts: &RunFacts) -> Markup {
    let verdict = facts.verdict;
    html! {
        h1 { (plain(&facts.scenario)) }
        p.lead { (plain(&facts.about)) }
        p { span class={ "verdict " (verdict.word()) } { (verdict.word()) } " " (verdict.meaning()) }
        @if let Some(failure) = &facts.failure { p.failure { (plain(failure)) } }
        dl.facts {
            dt { "cluster" } dd { (plain(&facts.cluster)) }
            dt { "seed" } dd { (facts.seed) }
            dt { "trace" } dd { code { (plain(&facts.trace)) } }
            dt { "speed" } dd { (speed(facts)) }
        }
        p.note { "The same file and seed give the same run, and print the same trace:" }
        pre { (replay(facts)) }
    }
}

fn expectations(facts: &RunFacts) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th { "held" } th { "expectation" } th { "demanded" } th { "observed" } th.number { "examined" } th { "note" }
            } }
            tbody {
                @for fact in &facts.expectations {
                    tr.wanting[fact.held != Held::Yes] {
                        td { (fact.held.word()) }
                        td { (plain(&fact.name)) }
                        td { (plain(&fact.demanded)) }
                        td { (plain(&fact.observed)) }
                        td.number { (count(fact.examined)) }
                        td { (plain(&fact.note)) }
                    }
                }
            }
        } }
    }
}

fn operations(facts: &RunFacts) -> Markup {
    html! {
        h3 { "By phase" } (table(&rows::phases(facts)))
        h3 { "By kind" } (table(&rows::operations(facts)))
        h3 { "Latency of acknowledged operations" } (table(&rows::latencies(facts)))
    }
}

fn faults(facts: &RunFacts) -> Markup {
    let columns = [Column::Words("fault"), Column::Words("targets"), Column::Number("from"), Column::Number("until")];
    let mut rows = Rows::new(columns.into_iter().chain([Column::Number("met")]).collect());
    for fault in &facts.faults {
        let until = fault.until_micros.map_or("-".to_string(), moment);
        rows.push(vec![fault.name.clone(), fault.targets.clone(), moment(fault.at_micros), until, count(fault.met)]);
    }
    html! {
        p.note { "Met: the messages or operations that a fault hit. One that met nothing proves nothing." }
        (table(&rows))
    }
}

fn counters(facts: &RunFacts) -> Markup {
    let mut rows = Rows::new(vec![Column::Words("counter"), Column::Number("value")]);
    for counter in &facts.counters {
        rows.push(vec![counter.name.clone(), count(counter.value)]);
    }
    html! { details { summary { (facts.counters.len()) " counters" } (table(&rows)) } }
}

fn meanings() -> Markup {
    html! {
        dl.facts {
            @for verdict in Verdict::ALL { dt { (verdict.word()) } dd { (verdict.meaning()) } }
        }
    }
}
