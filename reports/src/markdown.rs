//! The report as Markdown: what the terminal shows, with the two pictures, and what a reader needs who was not there.
//!
//! ```text
//!   # scenario               what it teaches, the verdict and what that means, how to replay it
//!   ## Expectations          held, demanded, observed, examined, and the notes
//!   ## Timeline              timeline.svg, then fault by fault
//!   ## Anomalies             the first of them; report.json has all
//!   ## Operations, Latency   by kind and phase; latency.svg
//!   ## Counters
//!   ## What the verdicts mean
//! ```
//!
//! The pictures are named relative to the report: they lie beside it.

use crate::facts::{RunFacts, Verdict};
use crate::numbers::{count, moment};
use crate::rows;
use crate::tables::{Column, Rows, escape, plain};
use crate::text::speed;

/// How many anomalies, and how many faults, are told one by one.
const ROWS_SHOWN: usize = 50;

/// The report of a run as Markdown, ending in a line break. It shows `timeline.svg` and `latency.svg`.
pub fn markdown(facts: &RunFacts) -> String {
    let mut page = opening(facts);
    section(&mut page, "Expectations", expectations(facts));
    section(&mut page, "Timeline", timeline(facts));
    section(&mut page, "Phases", table(&rows::phases(facts), facts.phases.len()));
    section(&mut page, "Anomalies", anomalies(facts));
    section(&mut page, "Operations", table(&rows::operations(facts), facts.kinds.len()));
    section(&mut page, "Latency of acknowledged operations", latency(facts));
    section(&mut page, "Counters", counters(facts));
    section(&mut page, "What the verdicts mean", meanings());
    page
}

fn section(page: &mut String, heading: &str, body: String) {
    if !body.is_empty() {
        page.push_str(&format!("\n## {heading}\n\n{body}"));
    }
}

fn opening(facts: &RunFacts) -> String {
    let verdict = facts.verdict;
    let mut page = format!("# {}\n\n{}\n\n", escape(&facts.scenario), escape(&facts.about));
    page.push_str(&format!("The run **{}**: {}\n\n", says(verdict), verdict.meaning()));
    if let Some(failure) = &facts.failure {
        page.push_str(&format!("> {}\n\n", escape(failure)));
    }
    page.push_str(&format!("- cluster: {}\n", escape(&facts.cluster)));
    page.push_str(&format!("- seed: {}\n", facts.seed));
    page.push_str(&format!("- trace: `{}`\n", plain(&facts.trace).replace('`', "")));
    page.push_str(&format!("- speed: {}\n\n", speed(facts)));
    page.push_str("The same file and seed give the same run, and print the same trace:\n\n");
    page.push_str(&format!("```sh\n{}\n```\n", replay(facts)));
    page
}

/// The command that runs it again.
pub(crate) fn replay(facts: &RunFacts) -> String {
    format!("storm run {} --seed {}", shell_word(&plain(&facts.file)), facts.seed)
}

/// The verdict as what a run does.
fn says(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Fails => "fails",
        Verdict::Vacuous => "is vacuous",
        Verdict::Undecided => "is undecided",
    }
}

/// A path as a shell takes it: quoted when it holds anything but letters, digits and a few harmless marks.
pub(crate) fn shell_word(path: &str) -> String {
    let harmless = |char: char| char.is_alphanumeric() || "/._-+:".contains(char);
    if !path.is_empty() && path.chars().all(harmless) {
        return path.to_string();
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

fn table(rows: &Rows, count: usize) -> String {
    if count == 0 { String::new() } else { rows.markdown() }
}

fn expectations(facts: &RunFacts) -> String {
    let mut body = table(&rows::expectations(facts), facts.expectations.len());
    let noted = facts.expectations.iter().filter(|fact| !fact.note.is_empty());
    for (index, fact) in noted.enumerate() {
        let gap = if index == 0 { "\n" } else { "" };
        body.push_str(&format!("{gap}- {}: {}\n", escape(&fact.name), escape(&fact.note)));
    }
    body
}

fn timeline(facts: &RunFacts) -> String {
    let mut body = "![Operations over virtual time, with the faults above them](timeline.svg)\n".to_string();
    if facts.faults.is_empty() {
        return body;
    }
    let columns = [Column::Words("fault"), Column::Words("targets"), Column::Number("from"), Column::Number("until")];
    let mut rows = Rows::new(columns.into_iter().chain([Column::Number("met")]).collect());
    for fault in facts.faults.iter().take(ROWS_SHOWN) {
        let until = fault.until_micros.map_or("-".to_string(), moment);
        rows.push(vec![fault.name.clone(), fault.targets.clone(), moment(fault.at_micros), until, count(fault.met)]);
    }
    body.push_str(&format!("\n{}{}", rows.markdown(), and_more(facts.faults.len())));
    body
}

fn anomalies(facts: &RunFacts) -> String {
    if facts.anomalies.is_empty() {
        return String::new();
    }
    let mut rows = Rows::new(vec![Column::Number("at"), Column::Words("kind"), Column::Words("what was seen")]);
    for anomaly in facts.anomalies.iter().take(ROWS_SHOWN) {
        rows.push(vec![moment(anomaly.at_micros), anomaly.kind.clone(), anomaly.sentence.clone()]);
    }
    rows.markdown() + &and_more(facts.anomalies.len())
}

fn and_more(total: usize) -> String {
    match total.saturating_sub(ROWS_SHOWN) {
        0 => String::new(),
        rest => format!("\nAnd {} more: `report.json` has them all.\n", count(rest as u64)),
    }
}

fn latency(facts: &RunFacts) -> String {
    let picture = "![99th percentile over virtual time, and the percentiles of each kind](latency.svg)\n";
    match facts.latencies.len() {
        0 => picture.to_string(),
        rows => format!("{picture}\n{}", table(&rows::latencies(facts), rows)),
    }
}

fn counters(facts: &RunFacts) -> String {
    let mut rows = Rows::new(vec![Column::Words("counter"), Column::Number("value")]);
    for counter in &facts.counters {
        rows.push(vec![counter.name.clone(), count(counter.value)]);
    }
    table(&rows, facts.counters.len())
}

fn meanings() -> String {
    let line = |verdict: Verdict| format!("- **{verdict}**: {}\n", verdict.meaning());
    Verdict::ALL.map(line).concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_space_or_a_quote_can_be_pasted_into_a_shell() {
        assert_eq!(shell_word("scenarios/one.yaml"), "scenarios/one.yaml");
        assert_eq!(shell_word("my file's.yaml"), r"'my file'\''s.yaml'");
    }
}
