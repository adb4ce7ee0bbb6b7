//! campaign.html: how many runs held, what the others failed of, what was reached and what it cost.
//!
//! ```text
//!   figures   runs · held · failed · seeds a second · states
//!   causes    each with its number of runs and the command that replays the first
//!   pictures  coverage, speed          tables: scenarios, slowest runs
//! ```

use maud::{Markup, PreEscaped, html};

use super::figures::{causes, cost, scenarios, slowest};
use super::{CampaignFacts, ResultLine, coverage_svg, speed_svg};
use crate::error::ReportError;
use crate::markdown::shell_word;
use crate::numbers::{count, duration, seconds_short, share};
use crate::page::{page, section, table};
use crate::tables::{Column, Rows, plain, shortened};

/// Runs in the table of the slowest, and causes told one by one.
pub(super) const SLOWEST: usize = 20;
const CAUSES_MOST: usize = 200;

/// The page of a campaign.
pub fn campaign_page(facts: &CampaignFacts) -> Result<String, ReportError> {
    let causes_shown = causes(facts);
    let (coverage, speed) = (coverage_svg(facts).transpose()?, speed_svg(facts).transpose()?);
    let body = html! {
        h1 { "Campaign" }
        p.lead { (plain(&facts.source)) ": " (summary(facts)) }
        @if facts.torn { p.note { "The last line was cut short, as by an interruption, and is left out." } }
        (figures(facts))
        (section("Failures by cause", true, &html! {
            @if causes_shown.is_empty() { p { "Every run held." } }
            @for cause in causes_shown.iter().take(CAUSES_MOST) {
                details.anomaly open[causes_shown.len() <= 5] {
                    summary {
                        span.kind { (count(cause.runs)) " × " (plain(cause.verdict)) } " " (shortened(&cause.name, 220))
                    }
                    p.note { "In " (cause.scenarios.len()) " scenario" @if cause.scenarios.len() != 1 { "s" } ": "
                        (cause.scenarios.iter().take(8).map(|name| plain(name)).collect::<Vec<_>>().join(", "))
                        @if cause.scenarios.len() > 8 { ", …" } }
                    @for unmet in cause.first.unmet.iter().take(12) { p.note { (plain(unmet)) } }
                    pre { (replay(cause.first)) }
                }
            }
            @if causes_shown.len() > CAUSES_MOST { p.note { "And " (causes_shown.len() - CAUSES_MOST) " more causes." } }
        }))
        (section("Coverage", true, &picture(coverage.as_deref(), "No line of this campaign tells of coverage.")))
        (section("Speed", true, &picture(speed.as_deref(), "No line of this campaign tells of time.")))
        (section("Scenarios", !facts.runs.is_empty(), &table(&scenario_rows(facts))))
        (section("Slowest runs", facts.runs.iter().any(|run| cost(run) > 0), &table(&slowest_rows(facts))))
    };
    Ok(page("Campaign", &body, None))
}

/// The command that runs one run again; what is no scenario file (a campaign that draws its scenarios) is named with its
/// seed.
pub(super) fn replay(run: &ResultLine) -> String {
    if run.scenario.ends_with(".yaml") || run.scenario.ends_with(".yml") {
        return format!("storm run {} --seed {}", shell_word(&plain(&run.scenario)), run.seed);
    }
    format!("{} seed {}", plain(&run.scenario), run.seed)
}

/// One sentence.
pub(super) fn summary(facts: &CampaignFacts) -> String {
    let (runs, held) = (facts.runs.len() as u64, facts.runs.iter().filter(|run| run.holds()).count() as u64);
    match (runs, runs - held) {
        (0, _) => "no run was written down.".to_string(),
        (_, 0) => format!("all {} runs held.", count(runs)),
        (_, failed) => {
            let causes = causes(facts).len();
            let causes = if causes == 1 { "one cause".to_string() } else { format!("{causes} causes") };
            format!("{} of {} runs did not hold, for {causes}.", count(failed), count(runs))
        }
    }
}

fn figures(facts: &CampaignFacts) -> Markup {
    let (runs, held) = (facts.runs.len() as u64, facts.runs.iter().filter(|run| run.holds()).count() as u64);
    let spent: u64 = facts.runs.iter().map(cost).fold(0, u64::saturating_add);
    let states = facts.runs.iter().map(|run| run.coverage).max().unwrap_or(0);
    let per_second = (u128::from(runs) * 10_000_000).checked_div(u128::from(spent)).unwrap_or(0);
    html! {
        div.figures {
            div { b { (count(runs)) } span { "runs" } }
            div { b { (share(held, runs)) } span { "held" } }
            div { b { (count(runs - held)) } span { "did not hold" } }
            @if spent > 0 {
                div { b { (per_second / 10) "." (per_second % 10) } span { "seeds a second of processor time" } }
                div { b { (seconds_short(spent)) " s" } span { "processor time" } }
            }
            @if states > 0 { div { b { (count(states)) } span { "states reached" } } }
        }
    }
}

fn picture(svg: Option<&str>, missing: &str) -> Markup {
    html! {
        @match svg {
            // Drawn by us; its texts were escaped by the chart library.
            Some(svg) => figure { (PreEscaped(svg)) },
            None => p.note { (missing) },
        }
    }
}

pub(super) fn scenario_rows(facts: &CampaignFacts) -> Rows {
    let columns = [Column::Words("scenario"), Column::Number("runs"), Column::Number("held"), Column::Number("share")];
    let mut rows = Rows::new(columns.into_iter().chain([Column::Number("time a run")]).collect());
    for of in scenarios(facts) {
        let each = if of.cpu_micros == 0 { "-".to_string() } else { duration(of.cpu_micros / of.runs.max(1)) };
        rows.push(vec![of.scenario.to_string(), count(of.runs), count(of.held), share(of.held, of.runs), each]);
    }
    rows
}

pub(super) fn slowest_rows(facts: &CampaignFacts) -> Rows {
    let columns = [Column::Words("scenario"), Column::Number("seed"), Column::Words("verdict"), Column::Number("time")];
    let mut rows = Rows::new(columns.into_iter().collect());
    for run in slowest(facts, SLOWEST) {
        rows.push(vec![run.scenario.clone(), run.seed.to_string(), run.verdict.clone(), duration(cost(run))]);
    }
    rows
}
