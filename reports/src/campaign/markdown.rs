//! campaign.md: the same as the page, in words and tables.
//!
//! ```text
//!   # Campaign        one sentence
//!   ## Failures by cause, ## Scenarios, ## Slowest runs     coverage.svg and speed.svg lie beside it
//! ```

use super::CampaignFacts;
use super::figures::{causes, growth, speed};
use super::page::{SLOWEST, replay, scenario_rows, slowest_rows, summary};
use crate::numbers::count;
use crate::tables::{Column, Rows, escape};

/// Causes told one by one.
const CAUSES_MOST: usize = 50;

/// The report of a campaign as Markdown.
pub fn campaign_markdown(facts: &CampaignFacts) -> String {
    let mut page = format!("# Campaign\n\n{}: {}\n", escape(&facts.source), summary(facts));
    let all = causes(facts);
    if !all.is_empty() {
        let columns =
            [Column::Number("runs"), Column::Words("verdict"), Column::Words("cause"), Column::Words("replay")];
        let mut rows = Rows::new(columns.into_iter().collect());
        for cause in all.iter().take(CAUSES_MOST) {
            rows.push(vec![count(cause.runs), cause.verdict.to_string(), cause.name.clone(), replay(cause.first)]);
        }
        page.push_str(&format!("\n## Failures by cause\n\n{}", rows.markdown()));
        if all.len() > CAUSES_MOST {
            page.push_str(&format!("\nAnd {} more.\n", all.len() - CAUSES_MOST));
        }
    }
    if !growth(facts).is_empty() {
        page.push_str("\n## Coverage\n\n![Abstract states reached, over runs](coverage.svg)\n");
    }
    if !speed(facts).is_empty() {
        page.push_str("\n## Speed\n\n![Seeds a second, over processor time](speed.svg)\n");
    }
    if !facts.runs.is_empty() {
        page.push_str(&format!("\n## Scenarios\n\n{}", scenario_rows(facts).markdown()));
        page.push_str(&format!("\n## The {SLOWEST} slowest runs\n\n{}", slowest_rows(facts).markdown()));
    }
    page
}
