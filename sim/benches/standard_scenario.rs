//! How much faster than real time the laboratory runs `scenarios/standard.yaml`, all checks on.
//!
//! Criterion's time is the wall time of one run of 60 virtual seconds: 0.6 s is 100 times real time.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros, and a bench that stops when something is wrong"
)]

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use reports::facts::Verdict;
use sim::{run, scenario};

fn standard_scenario(criterion: &mut Criterion) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/standard.yaml");
    let plan = scenario::load(&file).unwrap();
    let mut group = criterion.benchmark_group("standard");
    group.sample_size(10);
    group.bench_function("60 virtual seconds", |bencher| {
        bencher.iter(|| {
            let run = run::run(&plan, 42);
            assert_eq!(run.facts.verdict, Verdict::Holds);
            run.trace
        });
    });
    group.finish();
}

criterion_group!(benches, standard_scenario);
criterion_main!(benches);
