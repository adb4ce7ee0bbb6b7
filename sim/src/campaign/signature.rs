//! A failure's signature: by which failures of many seeds are told apart, and two of one cause are known as such.
//!
//! ```text
//!   lost_writes 3 instead of 0 (k7 = v81 ...)              ──▶ lost_writes
//!   availability during 6s..14s 12% instead of >= 60%      ──▶ availability during #..#
//!   n2 does not start: record 812 is torn                  ──▶ comes to rest: n# does not start: record # is torn
//!   the code under test panicked at wal/mod.rs:120: ...    ──▶ panic at wal/mod.rs:120
//! ```
//!
//! It names which expectations failed, by which kind of anomaly where one expectation has several, and why a cluster did
//! not come to rest; no number, node, key or time, because those differ from seed to seed. Anomalies that the scenario
//! did not ask about are left out: what is expected of a weak setting is no part of a failure.

use std::collections::BTreeSet;
use std::fmt;

use reports::RunFacts;
use reports::facts::{ExpectationFact, Held, Verdict};
use serde::{Deserialize, Serialize};

/// Of the reasons why a cluster did not come to rest, so many are named.
const REASONS_MAX: usize = 3;
/// A part is cut at this length.
const PART_LETTERS_MAX: usize = 160;

const PANIC: &str = "the code under test panicked at ";
const REST: &str = "comes to rest";
const CONVERGED: &str = "converged";

/// What is the same of two failures of one cause.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Signature(BTreeSet<String>);

impl Signature {
    /// The signature of a run that did not hold; `None` when it held.
    pub fn of(facts: &RunFacts) -> Option<Self> {
        let held = match facts.verdict {
            Verdict::Holds => return None,
            Verdict::Fails => Held::No,
            Verdict::Vacuous => Held::Vacuous,
            Verdict::Undecided => Held::Undecided,
        };
        let mut parts = BTreeSet::new();
        for expectation in facts.expectations.iter().filter(|expectation| expectation.held == held) {
            parts.extend(parts_of(expectation, facts));
        }
        // What never came to rest did not converge either.
        if parts.iter().any(|part| part.starts_with(REST) || part.starts_with("panic")) {
            parts.retain(|part| !part.starts_with(CONVERGED));
        }
        Some(Self(parts))
    }

    /// A signature of one part.
    pub fn single(part: impl Into<String>) -> Self {
        Self(BTreeSet::from([part.into()]))
    }

    /// How many symptoms it names.
    pub fn part_count(&self) -> usize {
        self.0.len()
    }

    /// Whether it names nothing that `other` does not.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// A file name, without its extension, that no other signature has.
    pub fn file_stem(&self) -> String {
        let text = self.to_string();
        let mut stem = String::new();
        for letter in text.chars() {
            match letter.to_ascii_lowercase() {
                letter if letter.is_ascii_alphanumeric() => stem.push(letter),
                _ if stem.ends_with('-') || stem.is_empty() => {}
                _ => stem.push('-'),
            }
            if stem.len() == 48 {
                break;
            }
        }
        let hash = xxhash_rust::xxh3::xxh3_64(text.as_bytes()) as u32;
        format!("{}-{hash:08x}", stem.trim_end_matches('-'))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<&str> = self.0.iter().map(String::as_str).collect();
        formatter.write_str(&parts.join(" + "))
    }
}

/// What an expectation that was not met adds.
fn parts_of(expectation: &ExpectationFact, facts: &RunFacts) -> Vec<String> {
    let name = without_numbers(&expectation.name);
    let reasons = || reasons(&expectation.note).into_iter().map(|reason| cut(format!("{name}: {reason}")));
    match expectation.held {
        Held::Undecided => vec![format!("undecided: {name}")],
        Held::Vacuous if expectation.note.is_empty() => vec![format!("vacuous: {name}")],
        Held::Vacuous => reasons().map(|reason| format!("vacuous: {reason}")).collect(),
        Held::Yes => Vec::new(),
        Held::No if name == REST => match panic_place(&expectation.note) {
            Some(place) => vec![format!("panic at {place}")],
            None => reasons().collect(),
        },
        Held::No => vec![match symptom(expectation, facts) {
            Some(symptom) => format!("{name} ({symptom})"),
            None => name,
        }],
    }
}

/// What tells two failures of one expectation apart.
fn symptom(expectation: &ExpectationFact, facts: &RunFacts) -> Option<String> {
    let kinds: &[&str] = match expectation.name.as_str() {
        CONVERGED => &["diverged replicas", "disagreeing reads"],
        "phantom_reads" => &["phantom read", "phantom final value"],
        // An anomaly was demanded, and did not show.
        _ if expectation.demanded == "false" => return Some("no violation".to_string()),
        name if expectation.demanded.starts_with('>') && !name.starts_with("availability") => {
            return Some("too few".to_string());
        }
        _ => return None,
    };
    let seen = |kind: &&&str| facts.anomalies.iter().any(|anomaly| anomaly.kind == **kind);
    let seen: Vec<&str> = kinds.iter().filter(seen).copied().collect();
    (!seen.is_empty()).then(|| seen.join(", "))
}

/// `wal/mod.rs:120` of a note that tells a panic.
fn panic_place(note: &str) -> Option<&str> {
    let (_, rest) = note.split_once(PANIC)?;
    Some(rest.split(": ").next().unwrap_or(rest))
}

fn reasons(note: &str) -> Vec<String> {
    let reasons: BTreeSet<String> = note.split("; ").map(without_numbers).collect();
    reasons.into_iter().take(REASONS_MAX).collect()
}

fn cut(part: String) -> String {
    match part.char_indices().nth(PART_LETTERS_MAX) {
        Some((end, _)) => part[..end].to_string(),
        None => part,
    }
}

/// The text with `#` for every number, with its unit, and for every hash.
fn without_numbers(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(rest.len());
        if end == 0 {
            plain.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        plain.push_str(&word_without_numbers(&rest[..end]));
        rest = &rest[end..];
    }
    // A decimal is one number.
    while plain.contains("#.#") {
        plain = plain.replace("#.#", "#");
    }
    plain.replace("#%", "#")
}

fn word_without_numbers(word: &str) -> String {
    let is_digit = |letter: char| letter.is_ascii_digit();
    if !word.contains(is_digit) {
        return word.to_string();
    }
    let unit = word.trim_start_matches(is_digit);
    let is_hash = word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash || (unit.len() < word.len() && ["us", "µs", "ms", "s", "m", "h", "ppm"].contains(&unit)) {
        return "#".to_string();
    }
    let mut plain = String::new();
    for letter in word.chars() {
        match is_digit(letter) {
            true if plain.ends_with('#') => {}
            true => plain.push('#'),
            false => plain.push(letter),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::specimen::{facts, unmet};

    fn told(expectations: &[(&str, &str, &str)]) -> String {
        let expectations = expectations.iter().map(|(name, demanded, note)| unmet(name, demanded, note)).collect();
        Signature::of(&facts(expectations)).expect("it does not hold").to_string()
    }

    #[test]
    fn numbers_nodes_keys_times_and_hashes_are_no_part_of_a_signature() {
        for (text, plain) in [
            ("n2 does not start: record 812 is torn", "n# does not start: record # is torn"),
            ("availability through n1 during 6s..14s", "availability through n# during #..#"),
            ("availability during 500ms..1.5s", "availability during #..#"),
            ("12.5% of 17", "# of #"),
            ("crc 1a2b3c4d at v17", "crc # at v#"),
            ("stale_reads", "stale_reads"),
        ] {
            assert_eq!(without_numbers(text), plain, "{text}");
        }
    }

    #[test]
    fn two_seeds_of_one_cause_have_one_signature_and_another_cause_has_another() {
        let one = told(&[("lost_writes", "0", "k7 lost v81"), ("availability during 6s..14s", ">= 60%", "")]);
        let two = told(&[("availability during 6s..14s", ">= 60%", ""), ("lost_writes", "0", "k1 lost v2")]);
        assert_eq!(one, two);
        assert_eq!(one, "availability during #..# + lost_writes");
        assert_ne!(one, told(&[("lost_writes", "0", "k7 lost v81")]));
    }

    #[test]
    fn a_panic_is_known_by_its_place_and_a_stuck_cluster_by_its_reason() {
        let panic = "the code under test panicked at engine/src/wal/mod.rs:120: index 7 of 5";
        assert_eq!(told(&[("comes to rest", "readable", panic)]), "panic at engine/src/wal/mod.rs:120");
        let stuck =
            "the replicas of k3 still differ; the replicas of k4 still differ; k5 cannot be read through n1: no";
        assert_eq!(
            told(&[("comes to rest", "readable", stuck), ("converged", "true", "")]),
            "comes to rest: k# cannot be read through n#: no + comes to rest: the replicas of k# still differ"
        );
    }

    #[test]
    fn an_anomaly_that_was_demanded_and_did_not_show_is_another_failure() {
        assert_eq!(told(&[("stale_reads", ">= 1", "")]), "stale_reads (too few)");
        assert_eq!(told(&[("linearizable", "false", "")]), "linearizable (no violation)");
        assert_eq!(told(&[("availability", ">= 60%", "")]), "availability");
    }

    #[test]
    fn a_run_that_holds_has_no_signature_and_file_names_differ_with_signatures() {
        assert_eq!(Signature::of(&facts(Vec::new())), None);
        let (one, two) = (Signature::single("panic at a/b.rs:1"), Signature::single("panic at a/b.rs:2"));
        assert!(one.file_stem().starts_with("panic-at-a-b-rs-1-") && one.file_stem() != two.file_stem());
        assert!(Signature::single("x".repeat(500)).file_stem().len() < 64);
    }
}
