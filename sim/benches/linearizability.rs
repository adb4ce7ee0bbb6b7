//! How fast histories are judged. The linearizability checker on three histories, each on one core: 100,000 operations over
//! 100 keys and 10,000 on one key, both by 8 clients (Porcupine takes 0.10 s for each), and the first with 5 % unknown
//! outcomes. Then every other check on the first.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sim::check::lost_writes::FinalValues;
use sim::check::{Index, availability, latency, linearizable, lost_writes, sessions, stale_reads};
use sim::history::History;
use sim::history::specimen::Specimen;

fn linearizability(criterion: &mut Criterion) {
    let specimens = [
        ("100,000 operations, 100 keys", Specimen::new(100_000, 8, 100)),
        ("10,000 operations, 1 key", Specimen::new(10_000, 8, 1)),
        (
            "100,000 operations, 100 keys, 5 % unknown",
            Specimen { unknowns_percent: 5, ..Specimen::new(100_000, 8, 100) },
        ),
    ];
    let mut group = criterion.benchmark_group("linearizability");
    group.sample_size(20);
    for (name, specimen) in specimens {
        let history = specimen.draw();
        // The index is part of the work: a history comes as text, and the checker needs integers.
        group.bench_function(name, |bencher| bencher.iter(|| judge(black_box(&history))));
    }
    group.finish();
}

fn judge(history: &History) {
    let result = linearizable::check(&Index::of(history), linearizable::DEFAULT_STEPS_PER_KEY);
    assert!(result.findings.anomalies.is_empty() && result.undecided.is_empty(), "a specimen is linearizable");
}

fn other_checks(criterion: &mut Criterion) {
    let history = Specimen::new(100_000, 8, 100).draw();
    let index = Index::of(&history);
    let last: FinalValues = (0..100).map(|key| (format!("k{key}"), None)).collect();
    let mut group = criterion.benchmark_group("100,000 operations, 100 keys");
    group.sample_size(20);
    group.bench_function("index", |bencher| bencher.iter(|| Index::of(black_box(&history))));
    group.bench_function("lost writes", |bencher| {
        bencher.iter(|| lost_writes::check(black_box(&index), &last, u64::MAX))
    });
    group.bench_function("stale reads", |bencher| bencher.iter(|| stale_reads::check(black_box(&index))));
    group.bench_function("sessions", |bencher| bencher.iter(|| sessions::check(black_box(&index))));
    group.bench_function("availability", |bencher| bencher.iter(|| availability::measure(black_box(&history), &[])));
    group.bench_function("latency", |bencher| bencher.iter(|| latency::measure(black_box(&history), &[])));
    group.finish();
}

criterion_group!(benches, linearizability, other_checks);
criterion_main!(benches);
