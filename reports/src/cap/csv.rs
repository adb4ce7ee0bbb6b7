//! cap.csv: every figure of every cell, one line a cell, for other programs.
//!
//! ```text
//!   cell,nodes,read,write,fault,runs,reads_answered,reads_answered_low,reads_answered_high,reads_asked,...
//! ```
//!
//! Shares are fractions of 1; an empty field means that there was nothing to count.

use super::figures::figures;
use super::{CapCell, CapFacts};
use crate::statistics::{Median, Share};

/// The figures as CSV (RFC 4180), with a line of names first.
pub fn cap_csv(facts: &CapFacts) -> String {
    let mut lines: Vec<Vec<(String, String)>> = facts.cells.iter().map(line).collect();
    let names = lines.first().map(|line| line.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    let mut csv = names.map_or(String::new(), |names| names.join(",") + "\r\n");
    for line in &mut lines {
        let fields: Vec<String> = line.iter().map(|(_, value)| quoted(value)).collect();
        csv.push_str(&(fields.join(",") + "\r\n"));
    }
    csv
}

fn line(cell: &CapCell) -> Vec<(String, String)> {
    let figures = figures(cell);
    let mut line: Vec<(String, String)> = [
        ("cell", cell.key.clone()),
        ("nodes", cell.nodes.to_string()),
        ("read", cell.read.clone()),
        ("write", cell.write.clone()),
        ("read_replicas", cell.read_replicas.to_string()),
        ("write_replicas", cell.write_replicas.to_string()),
        ("fault", cell.fault.clone()),
        ("runs", cell.runs.len().to_string()),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .to_vec();
    for (name, share, whole) in [
        ("reads_answered", &figures.reads.all, "reads_asked"),
        ("reads_answered_struck", &figures.reads.struck, "reads_asked_struck"),
        ("reads_answered_others", &figures.reads.others, "reads_asked_others"),
        ("writes_answered", &figures.writes.all, "writes_asked"),
        ("writes_answered_struck", &figures.writes.struck, "writes_asked_struck"),
        ("writes_answered_others", &figures.writes.others, "writes_asked_others"),
        ("stale", &figures.stale, "reads_examined"),
        ("lost", &figures.lost, "writes_examined"),
    ] {
        add_share(&mut line, name, share.as_ref(), whole);
    }
    for (name, median) in [
        ("stale_age_micros", &figures.stale_age),
        ("read_p50_micros", &figures.read_p50),
        ("read_p99_micros", &figures.read_p99),
        ("write_p50_micros", &figures.write_p50),
        ("write_p99_micros", &figures.write_p99),
    ] {
        add_median(&mut line, name, median.as_ref());
    }
    let most = figures.stale_age_max_micros.map_or(String::new(), |micros| micros.to_string());
    line.push(("stale_age_max_micros".to_string(), most));
    line.push(("runs_with_stale".to_string(), figures.runs_with_stale.to_string()));
    line.push(("unsettled".to_string(), figures.unsettled.to_string()));
    line.push(("contradicts_theory".to_string(), cell.contradicts().to_string()));
    line
}

fn add_share(line: &mut Vec<(String, String)>, name: &str, share: Option<&Share>, whole: &str) {
    let field = |of: fn(&Share) -> f64| share.map_or(String::new(), |share| format!("{:.6}", of(share)));
    line.push((name.to_string(), field(|share| share.value)));
    line.push((format!("{name}_low"), field(|share| share.low)));
    line.push((format!("{name}_high"), field(|share| share.high)));
    line.push((format!("{name}_count"), share.map_or(String::new(), |share| share.part.to_string())));
    line.push((whole.to_string(), share.map_or("0".to_string(), |share| share.whole.to_string())));
}

fn add_median(line: &mut Vec<(String, String)>, name: &str, median: Option<&Median>) {
    let text = |micros: Option<u64>| micros.map_or(String::new(), |micros| micros.to_string());
    let interval = median.and_then(|median| median.interval);
    line.push((name.to_string(), text(median.map(|median| median.value))));
    line.push((format!("{name}_low"), text(interval.map(|ends| ends.0))));
    line.push((format!("{name}_high"), text(interval.map(|ends| ends.1))));
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_with_a_comma_or_a_quote_is_quoted() {
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(quoted("plain"), "plain");
    }
}
