//! `junit.xml`: a campaign for the test pages of a CI, a test case a run.
//!
//! ```text
//!   <testsuites><testsuite name="storm fuzz" tests=".." failures=".." errors="..">
//!     <testcase classname="scenarios/x.yaml" name="seed 17" time="0.052"/>
//!     <testcase ...><failure type="lost_writes" message="..">what was not met, how to replay</failure></testcase>
//! ```
//!
//! It is written from `results.jsonl`, line by line, after the campaign: memory does not grow with it. What could not be
//! decided is `skipped`, which is what CIs have for neither good nor bad.

use std::io::{self, Write};

use super::outcome::{Judgement, Outcome};
use super::summary::Summary;

/// Begins the file.
pub(super) fn begin(file: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let failures = summary.failures();
    let all: u64 = summary.causes.values().map(|cause| cause.count).sum::<u64>() + summary.causes_beyond;
    let skipped = all - failures;
    let (tests, seconds) = (summary.runs, summary.cpu_micros as f64 / 1e6);
    writeln!(file, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(file, r#"<testsuites name="storm fuzz" tests="{tests}" failures="{failures}" errors="0">"#)?;
    writeln!(
        file,
        r#"  <testsuite name="storm fuzz" tests="{tests}" failures="{failures}" errors="0" skipped="{skipped}" time="{seconds:.3}">"#
    )
}

/// Adds a run.
pub(super) fn add(file: &mut impl Write, outcome: &Outcome) -> io::Result<()> {
    let (scenario, seed) = (escaped(&outcome.scenario), outcome.seed);
    let seconds = outcome.wall_micros as f64 / 1e6;
    write!(file, r#"    <testcase classname="{scenario}" name="seed {seed}" time="{seconds:.3}""#)?;
    let signature = outcome.signature.as_ref().map(ToString::to_string).unwrap_or_default();
    let (signature, unmet) = (escaped(&signature), escaped(&outcome.unmet.join("\n")));
    let words = outcome.verdict.words();
    match outcome.verdict {
        Judgement::Holds => writeln!(file, "/>"),
        Judgement::Undecided => writeln!(file, r#"><skipped message="{words}: {signature}"/></testcase>"#),
        Judgement::Fails | Judgement::Vacuous | Judgement::NotDeterministic => {
            write!(file, r#"><failure type="{signature}" message="{words}: {signature}">{unmet}"#)?;
            writeln!(file, "\nreplay: storm run {scenario} --seed {seed}</failure></testcase>")
        }
    }
}

/// Ends the file.
pub(super) fn end(file: &mut impl Write) -> io::Result<()> {
    writeln!(file, "  </testsuite>\n</testsuites>")
}

/// Text as it may stand in XML, in an attribute too. What XML has no way to say at all becomes a replacement character.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::signature::Signature;
    use crate::campaign::work::Item;

    #[test]
    fn whatever_a_run_says_the_file_is_well_formed_and_says_it() {
        let nasty = "a < b && c > \"d\" ]]> 'e' <!-- \u{0}\u{7}\u{b}\u{fffe} \r\n\t \u{1f600}";
        let mut summary = Summary::default();
        let mut outcomes = Vec::new();
        for (seed, verdict) in (1..).zip([Judgement::Holds, Judgement::Fails, Judgement::Undecided]) {
            let outcome = Outcome {
                scenario: nasty.to_string(),
                seed,
                verdict,
                trace: String::new(),
                twice: false,
                signature: (verdict != Judgement::Holds).then(|| Signature::single(format!("{nasty}{seed}"))),
                unmet: vec![nasty.to_string()],
                virtual_micros: 0,
                wall_micros: 1_500,
                cpu_micros: 1_000,
                new_states: 0,
            };
            summary.add(Item { place: 0, seed }, &outcome);
            outcomes.push(outcome);
        }
        let mut file = Vec::new();
        begin(&mut file, &summary).expect("memory takes it");
        outcomes.iter().for_each(|outcome| add(&mut file, outcome).expect("memory takes it"));
        end(&mut file).expect("memory takes it");
        let text = String::from_utf8(file).expect("text");
        let document = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let readable = nasty.replace(['\u{0}', '\u{7}', '\u{b}', '\u{fffe}'], "\u{fffd}");
        let cases: Vec<_> = document.descendants().filter(|node| node.has_tag_name("testcase")).collect();
        assert_eq!(cases.len(), 3);
        assert!(cases.iter().all(|case| case.attribute("classname") == Some(readable.as_str())), "{text}");
        let failures: Vec<_> = document.descendants().filter(|node| node.has_tag_name("failure")).collect();
        assert_eq!(failures.len(), 1);
        assert!(failures[0].text().is_some_and(|text| text.contains(&readable) && text.contains("--seed 2")), "{text}");
        let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).expect("a suite");
        let counted = ["tests", "failures", "skipped"].map(|name| suite.attribute(name).expect("counted"));
        assert_eq!(counted, ["3", "1", "1"]);
    }
}
