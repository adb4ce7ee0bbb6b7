//! Facts, outcomes and plans that somebody made up: what the tests of a campaign take for runs.
//!
//! Only tests use it. It runs nothing.

use reports::RunFacts;
use reports::facts::{ExpectationFact, Held, Verdict};

use crate::scenario::Plan;

/// Facts of a run of which only the expectations matter: it fails when there are some.
pub(crate) fn facts(expectations: Vec<ExpectationFact>) -> RunFacts {
    RunFacts {
        scenario: "made up".to_string(),
        about: String::new(),
        file: "made-up.yaml".to_string(),
        seed: 1,
        cluster: String::new(),
        verdict: if expectations.is_empty() { Verdict::Holds } else { Verdict::Fails },
        failure: None,
        trace: "0123456789abcdef".to_string(),
        expectations,
        phases: Vec::new(),
        faults: Vec::new(),
        anomalies: Vec::new(),
        kinds: Vec::new(),
        latencies: Vec::new(),
        bucket_micros: 1,
        throughput: Vec::new(),
        counters: Vec::new(),
        virtual_micros: 10_000_000,
        wall_micros: 10_000,
        speed_ratio: 1_000.0,
    }
}

/// An expectation that was not met.
pub(crate) fn unmet(name: &str, demanded: &str, note: &str) -> ExpectationFact {
    ExpectationFact {
        name: name.to_string(),
        demanded: demanded.to_string(),
        observed: "otherwise".to_string(),
        examined: 1,
        held: Held::No,
        note: note.to_string(),
    }
}

/// A plan with these lines beside the required ones.
pub(crate) fn plan(file: &str, lines: &str) -> Plan {
    let text = format!("name: made up\nabout: For tests.\nexpect: {{ lost_writes: 0, converged: true }}\n{lines}");
    crate::scenario::parse(file, &text).unwrap_or_else(|error| panic!("{error}"))
}
