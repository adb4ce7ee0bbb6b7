//! A history that has no order, as a page that opens from a file: words, the fewest calls that show it, and a picture.
//!
//! ```text
//!   process 1   ├─● write 5 ─┤                       bars    calls, from invocation to completion, in the order of events
//!   process 2         ├─● write 7 ─┤                 ●       where they take effect in an order of all that came before
//!   process 3                          ├ read 5 ┤   red     the first call that fits nowhere; filled: it takes part in it
//! ```
//!
//! The page is one file without scripts, and needs nothing from anywhere. Whatever comes from a history is escaped.

use std::fmt::Write as _;

use serde::Serialize;

/// Pixels from one event to the next.
const STEP: f64 = 46.0;
const ROW: f64 = 40.0;
const LEFT: f64 = 110.0;
const TOP: f64 = 16.0;

/// What is known of a judged history.
#[derive(Debug, Clone, Serialize)]
pub struct HistoryFacts {
    /// Its file.
    pub file: String,
    /// The object that was called.
    pub model: String,
    /// Keys judged.
    pub keys: u64,
    /// Calls judged.
    pub calls: u64,
    /// Keys that have no order.
    pub failed_keys: u64,
    /// Keys without a verdict, each with the reason.
    pub undecided: Vec<UndecidedFacts>,
    /// What is wrong, of the first keys that fail.
    pub violations: Vec<ViolationFacts>,
    /// Bytes read.
    pub bytes: u64,
    /// Time that reading took.
    pub read_seconds: f64,
    /// Time that judging took.
    pub check_seconds: f64,
}

/// A key without a verdict.
#[derive(Debug, Clone, Serialize)]
pub struct UndecidedFacts {
    /// The key.
    pub key: String,
    /// Its calls.
    pub calls: u64,
    /// Why.
    pub reason: String,
}

/// One key that has no order.
#[derive(Debug, Clone, Serialize)]
pub struct ViolationFacts {
    /// The key.
    pub key: String,
    /// What is wrong.
    pub sentence: String,
    /// Acknowledged calls that had completed before, and have an order.
    pub prefix_calls: u64,
    /// Acknowledged calls of the key.
    pub completed_calls: u64,
    /// What the object may have held.
    pub states: Vec<String>,
    /// Whether there are more possibilities.
    pub more_states: bool,
    /// The fewest calls that show it.
    pub needed: Vec<BarFacts>,
    /// What is drawn.
    pub bars: Vec<BarFacts>,
}

/// One call.
#[derive(Debug, Clone, Serialize)]
pub struct BarFacts {
    /// The process that called.
    pub process: i64,
    /// What it called, and what came back.
    pub label: String,
    /// Lines and times.
    pub place: String,
    /// The place of its invocation among all events.
    pub from: u32,
    /// The place of its completion; none when the outcome is unknown.
    pub until: Option<u32>,
    /// Where it takes effect, among all events.
    pub point: Option<f64>,
    /// Whether it is among the fewest.
    pub is_needed: bool,
    /// Whether it is the one that fits nowhere.
    pub is_culprit: bool,
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2430;--faint:#68727f;--line:#d5dae1;--bar:#dfe7f1;--needed:#a9c7ee;--wrong:#d23c3c;\
--point:#1f6f43;--page:#fff}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--faint:#98a2b0;--line:#38414e;--bar:#2b3543;--needed:#31557f;\
--wrong:#ee6a6a;--point:#6fd39b;--page:#151a21}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:72rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2.5rem}p.faint,figcaption{color:var(--faint)}\
figure{margin:1rem 0;overflow-x:auto;border:1px solid var(--line);border-radius:6px}figcaption{padding:.5rem 1rem}\
table{border-collapse:collapse}td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}\
tr.wrong td{color:var(--wrong);font-weight:600}\
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .row{stroke:var(--line)}svg .name{fill:var(--faint)}\
svg .bar{fill:var(--bar);stroke:var(--faint)}svg .needed{fill:var(--needed)}svg .wrong{stroke:var(--wrong);stroke-width:2.5}\
svg .open{stroke-dasharray:4 3}svg .point{fill:var(--point)}svg .misfit{stroke:var(--wrong);stroke-width:2.5}";

/// The page.
pub fn history_page(facts: &HistoryFacts) -> String {
    let mut page = String::new();
    let HistoryFacts { file, model, keys, calls, failed_keys, violations, undecided, .. } = facts;
    let verdict = match (failed_keys, undecided.is_empty()) {
        (0, true) => "linearizable",
        (0, false) => "undecided",
        _ => "not linearizable",
    };
    let title = format!("{}: {verdict}", escaped(file));
    put(&mut page, &format!("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>"));
    put(&mut page, "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
    put(&mut page, &format!("<style>{STYLE}</style><h1>{title}</h1>"));
    let counted = format!("{calls} calls of {keys} keys, each judged as a {}", escaped(model));
    put(&mut page, &format!("<p class=\"faint\">{counted}; {failed_keys} of them have no order.</p>"));
    for undecided in undecided {
        let (key, reason) = (escaped(&undecided.key), escaped(&undecided.reason));
        put(&mut page, &format!("<p>{key} ({} calls) is undecided: {reason}.</p>", undecided.calls));
    }
    for violation in violations {
        section(&mut page, violation);
    }
    page
}

fn put(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

fn section(page: &mut String, violation: &ViolationFacts) {
    let ViolationFacts { key, sentence, prefix_calls, completed_calls, states, more_states, needed, bars } = violation;
    put(page, &format!("<h2>{}</h2><p>{}.</p>", escaped(key), escaped(sentence)));
    put(
        page,
        &format!(
            "<p>The longest prefix that has an order: {prefix_calls} of {completed_calls} acknowledged calls.</p>"
        ),
    );
    if !states.is_empty() {
        let states: Vec<String> = states.iter().map(|state| format!("<li>{}</li>", escaped(state))).collect();
        let more = if *more_states { "<li>and others</li>" } else { "" };
        put(page, &format!("<p>What it may have held before that:</p><ul>{}{more}</ul>", states.concat()));
    }
    put(page, "<p>The fewest calls found that show it:</p><table><tr><th>process<th>call<th>where</tr>");
    for call in needed {
        let class = if call.is_culprit { " class=\"wrong\"" } else { "" };
        let (label, place) = (escaped(&call.label), escaped(&call.place));
        put(page, &format!("<tr{class}><td>{}<td>{label}<td>{place}</tr>", call.process));
    }
    put(page, "</table><figure>");
    put(page, &picture(bars));
    put(
        page,
        "<figcaption>Calls from invocation to completion, in the order of events; time is not to scale. A green point: where \
         the call takes effect in an order of everything that completed before. Red: the call that fits nowhere. Darker: \
         needed to show it. Dashed: the outcome is unknown.</figcaption></figure>",
    );
}

/// Where the events of the drawn calls stand, side by side.
struct Axis {
    places: Vec<u32>,
}

impl Axis {
    fn of(bars: &[BarFacts]) -> Self {
        let mut places: Vec<u32> = bars.iter().flat_map(|bar| [Some(bar.from), bar.until]).flatten().collect();
        places.sort_unstable();
        places.dedup();
        Self { places }
    }

    fn at(&self, place: u32) -> f64 {
        LEFT + STEP * self.places.partition_point(|&other| other < place) as f64
    }

    fn end(&self) -> f64 {
        LEFT + STEP * self.places.len() as f64
    }

    /// Which gap between two events a moment falls into.
    fn gap(&self, moment: f64) -> usize {
        self.places.partition_point(|&place| f64::from(place) <= moment)
    }
}

fn picture(bars: &[BarFacts]) -> String {
    let axis = Axis::of(bars);
    let mut processes: Vec<i64> = bars.iter().map(|bar| bar.process).collect();
    processes.sort_unstable();
    processes.dedup();
    let (width, height) = (axis.end() + STEP, TOP + ROW * processes.len() as f64 + 8.0);
    let mut svg = format!("<svg width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">");
    for (row, process) in processes.iter().enumerate() {
        let y = TOP + ROW * row as f64;
        let middle = y + 14.0;
        let _ = write!(svg, "<text class=\"name\" x=\"8\" y=\"{:.0}\">process {process}</text>", middle + 4.0);
        let _ = write!(
            svg,
            "<line class=\"row\" x1=\"{LEFT:.0}\" x2=\"{width:.0}\" y1=\"{middle:.0}\" y2=\"{middle:.0}\"/>"
        );
    }
    // Calls that take effect between the same two events share the gap.
    let mut moments: Vec<f64> = bars.iter().filter_map(|bar| bar.point).collect();
    moments.sort_by(f64::total_cmp);
    for bar in bars {
        let row = processes.partition_point(|&process| process < bar.process);
        let y = TOP + ROW * row as f64;
        draw(&mut svg, &axis, bar, y);
        if let Some(moment) = bar.point {
            let gap = axis.gap(moment);
            let sharing: Vec<f64> = moments.iter().copied().filter(|&other| axis.gap(other) == gap).collect();
            let rank = sharing.iter().filter(|&&other| other < moment).count() as f64;
            let x = LEFT + STEP * (gap as f64 - 1.0 + (rank + 1.0) / (sharing.len() as f64 + 1.0));
            let _ = write!(svg, "<circle class=\"point\" cx=\"{x:.1}\" cy=\"{:.0}\" r=\"4\"/>", y + 28.0);
        }
    }
    svg + "</svg>"
}

fn draw(svg: &mut String, axis: &Axis, bar: &BarFacts, y: f64) {
    let from = axis.at(bar.from);
    let width = (bar.until.map_or(axis.end(), |until| axis.at(until)) - from).max(6.0);
    let mut class = "bar".to_string();
    for (applies, name) in [(bar.is_needed, " needed"), (bar.is_culprit, " wrong"), (bar.until.is_none(), " open")] {
        class += if applies { name } else { "" };
    }
    let (label, place) = (escaped(&bar.label), escaped(&bar.place));
    let _ = write!(svg, "<g><title>process {}: {label} ({place})</title>", bar.process);
    let _ = write!(
        svg,
        "<rect class=\"{class}\" x=\"{from:.0}\" y=\"{y:.0}\" width=\"{width:.0}\" height=\"28\" rx=\"3\"/>"
    );
    let _ = write!(
        svg,
        "<svg x=\"{from:.0}\" y=\"{y:.0}\" width=\"{width:.0}\" height=\"28\"><text x=\"5\" y=\"18\">{label}</text></svg>"
    );
    if bar.is_culprit {
        let (x, middle) = (from + width + 10.0, y + 14.0);
        for side in [-1.0, 1.0] {
            let (top, bottom) = (middle - 5.0 * side, middle + 5.0 * side);
            let _ = write!(
                svg,
                "<line class=\"misfit\" x1=\"{:.0}\" y1=\"{top:.0}\" x2=\"{:.0}\" y2=\"{bottom:.0}\"/>",
                x - 5.0,
                x + 5.0
            );
        }
    }
    svg.push_str("</g>");
}

/// Text that is nothing but text to a browser.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Control characters have no meaning on a page, and some are not allowed on it.
            '\0'..='\x1f' | '\x7f'..='\u{9f}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(process: i64, label: &str, from: u32, until: Option<u32>) -> BarFacts {
        let place = "line 3".to_string();
        let (is_needed, is_culprit) = (true, until == Some(9));
        BarFacts { process, label: label.to_string(), place, from, until, point: Some(2.5), is_needed, is_culprit }
    }

    #[test]
    fn whatever_a_history_says_is_text_on_the_page() {
        let evil = "</svg><script>alert('x')</script>&\u{1}";
        let bars = vec![bar(1, evil, 2, Some(4)), bar(2, "read 5", 5, Some(9)), bar(3, "write 7", 1, None)];
        let violation = ViolationFacts {
            key: evil.to_string(),
            sentence: evil.to_string(),
            prefix_calls: 1,
            completed_calls: 2,
            states: vec![evil.to_string()],
            more_states: true,
            needed: bars.clone(),
            bars,
        };
        let facts = HistoryFacts {
            file: evil.to_string(),
            model: "register".to_string(),
            keys: 1,
            calls: 3,
            failed_keys: 1,
            undecided: vec![UndecidedFacts { key: evil.to_string(), calls: 1, reason: evil.to_string() }],
            violations: vec![violation],
            bytes: 1,
            read_seconds: 0.0,
            check_seconds: 0.0,
        };
        let page = history_page(&facts);
        assert!(!page.contains("<script") && !page.contains('\u{1}') && page.contains("&lt;script&gt;"), "{page}");
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert_eq!(page.matches("class=\"misfit\"").count(), 2, "the misfit is crossed out");
        assert_eq!(page.matches(" open\"").count(), 1, "an unknown call is drawn open");
    }
}
