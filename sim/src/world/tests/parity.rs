//! The real disk and both simulated ones give the same answers to the same calls, whatever the calls.
//!
//! ```text
//!   proptest ──▶ calls ──┬─▶ real disk, a folder of its own      ─┐
//!                        ├─▶ simulated disk, in the sealed world ─┼─▶ answers, equal one by one
//!                        ╰─▶ simulated disk of a solo process    ─┘
//! ```
//!
//! The sequences are the same at each `cargo test`; the variable PROPTEST_CASES asks for more of them. A difference is told
//! with the shortest sequence that proptest finds.

use std::path::Path;

use engine::world::contract::random::{Answer, Name, Operation, perform};
use engine::world::real::RealWorld;
use engine::world::{Access, Disk, World};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tokio::runtime::{Builder, Runtime};

use super::*;

const SEQUENCES: u32 = 1_000;
/// On average: a sequence may be shorter, so that proptest can shorten one that shows a difference.
const CALLS: usize = 100;
const SLOTS: usize = 6;

fn name() -> impl Strategy<Value = Name> {
    let parts = |count: usize| vec(0..3_u8, count);
    prop_oneof![1 => parts(0), 30 => parts(1), 20 => parts(2), 4 => parts(3)]
}

/// Lengths of an append's chunks: mostly short, now and then longer than a real disk writes in one go.
fn chunks() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![30 => vec(0..900_usize, 0..4), 1 => vec(100_000..300_000_usize, 1..3)]
}

fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![20 => 0..2_000_u64, 1 => 0..600_000_u64, 1 => Just(u64::MAX), 1 => Just(i64::MAX as u64)]
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![20 => 0..3_000_usize, 1 => 0..600_000_usize, 1 => Just(usize::MAX)]
}

fn access() -> impl Strategy<Value = Access> {
    prop_oneof![Just(Access::Append), Just(Access::Read)]
}

fn of_names() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (name(), 0..SLOTS).prop_map(|(name, slot)| Operation::Create { name, slot }),
        6 => (name(), access(), 0..SLOTS).prop_map(|(name, access, slot)| Operation::Open { name, access, slot }),
        5 => (name(), name()).prop_map(|(from, to)| Operation::Rename { from, to }),
        4 => (name(), name()).prop_map(|(existing, link)| Operation::Link { existing, link }),
        4 => name().prop_map(Operation::Remove),
        3 => name().prop_map(Operation::CreateDir),
        3 => name().prop_map(Operation::List),
        1 => name().prop_map(Operation::SyncDir),
        1 => name().prop_map(Operation::Space),
        3 => (name(), 0..3_usize).prop_map(|(name, slot)| Operation::Lock { name, slot }),
        2 => (0..3_usize).prop_map(Operation::Unlock),
        1 => (name(), name()).prop_map(|(from, to)| Operation::DroppedRename { from, to }),
    ]
}

fn of_handles() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => (0..SLOTS, offset(), length()).prop_map(|(slot, offset, length)| Operation::Read { slot, offset, length }),
        10 => (0..SLOTS, chunks()).prop_map(|(slot, chunks)| Operation::Append { slot, chunks }),
        2 => (0..SLOTS).prop_map(Operation::Length),
        4 => (0..SLOTS, 0..2_000_u64).prop_map(|(slot, length)| Operation::Truncate { slot, length }),
        1 => (0..SLOTS).prop_map(Operation::Sync),
        2 => (0..SLOTS).prop_map(Operation::Close),
        1 => (0..SLOTS, chunks()).prop_map(|(slot, chunks)| Operation::DroppedAppend { slot, chunks }),
        1 => (0..SLOTS, 0..2_000_u64).prop_map(|(slot, length)| Operation::DroppedTruncate { slot, length }),
        1 => (0..SLOTS).prop_map(Operation::DroppedSync),
    ]
}

fn on_the_real_disk(runtime: &Runtime, operations: &[Operation]) -> Vec<Answer> {
    let folder = tempfile::tempdir().unwrap();
    runtime.block_on(async { perform(RealWorld::new().disk(), folder.path(), operations).await })
}

fn on_the_sealed_disk(operations: &[Operation]) -> Vec<Answer> {
    let operations = operations.to_vec();
    let run = run_sealed(1, async move |laboratory: Laboratory| {
        let world = probe(&laboratory, 1);
        world.disk().create_dir(path("/root")).await.unwrap();
        perform(world.disk(), path("/root"), &operations).await
    });
    run.value
}

fn on_the_solo_disk(operations: &[Operation]) -> Vec<Answer> {
    SoloMachine::new(DiskSettings::default(), 1).run(1, |world| async move {
        world.disk().create_dir(Path::new("/root")).await.unwrap();
        perform(world.disk(), Path::new("/root"), operations).await
    })
}

fn first_difference(world: &str, operations: &[Operation], real: &[Answer], simulated: &[Answer]) -> Option<String> {
    let mut pairs = real.iter().zip(simulated).enumerate();
    let (index, (real, simulated)) = pairs.find(|(_, (real, simulated))| real != simulated)?;
    let brief = |answer| format!("{answer:?}").chars().take(200).collect::<String>();
    let (call, real, simulated) = (&operations[index], brief(real), brief(simulated));
    Some(format!("call {index}, {call:?}: the real disk gives {real}, the {world} one {simulated}"))
}

/// A runtime whose single I/O thread makes every call wait for those before it, dropped ones as well.
fn runtime_with_one_io_thread() -> Runtime {
    Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap()
}

#[test]
fn the_same_calls_give_the_same_answers_on_the_real_disk_and_on_both_simulated_ones() {
    let runtime = runtime_with_one_io_thread();
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let config = Config { failure_persistence: None, ..Config::default() };
    let config = if asked { config } else { Config { cases: SEQUENCES, ..config } };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let seen = std::cell::RefCell::new(std::collections::BTreeMap::<String, u64>::new());
    let sequences = vec(prop_oneof![of_names(), of_handles()], 0..=2 * CALLS);
    let held = runner.run(&sequences, |operations| {
        let real = on_the_real_disk(&runtime, &operations);
        let found = [("sealed", on_the_sealed_disk(&operations)), ("solo", on_the_solo_disk(&operations))];
        for (world, answers) in found {
            if let Some(difference) = first_difference(world, &operations, &real, &answers) {
                return Err(TestCaseError::fail(difference));
            }
        }
        for (operation, answer) in operations.iter().zip(&real) {
            *seen.borrow_mut().entry(kind_of(operation, answer)).or_insert(0) += 1;
        }
        Ok(())
    });
    held.unwrap_or_else(|failure| panic!("{failure}"));
    let seen = seen.into_inner();
    let missing: Vec<_> = MET.iter().filter(|kind| !seen.contains_key(**kind)).collect();
    assert!(missing.is_empty(), "no sequence met {missing:?}: {seen:#?}");
}

/// A call and how it ended, in words.
fn kind_of(operation: &Operation, answer: &Answer) -> String {
    let word = |text: String| text.chars().take_while(|char| char.is_alphanumeric()).collect::<String>();
    match answer {
        Answer::Refused(kind) => format!("{} {kind:?}", word(format!("{operation:?}"))),
        Answer::NotCalled => format!("{} NotCalled", word(format!("{operation:?}"))),
        _ => word(format!("{operation:?}")),
    }
}

/// Every call, and every error that it can give without a crash, a full disk or a lack of rights.
const MET: [&str; 58] = [
    "Create",
    "Create NotFound",
    "Create AlreadyExists",
    "Create NotADirectory",
    "Open",
    "Open NotFound",
    "Open IsADirectory",
    "Open NotADirectory",
    "Rename",
    "Rename NotFound",
    "Rename IsADirectory",
    "Rename NotADirectory",
    "Link",
    "Link NotFound",
    "Link AlreadyExists",
    "Link IsADirectory",
    "Link NotADirectory",
    "Remove",
    "Remove NotFound",
    "Remove IsADirectory",
    "Remove NotADirectory",
    "CreateDir",
    "CreateDir NotFound",
    "CreateDir AlreadyExists",
    "CreateDir NotADirectory",
    "List",
    "List NotFound",
    "List NotADirectory",
    "SyncDir",
    "SyncDir NotFound",
    "SyncDir NotADirectory",
    "Space",
    "Space NotFound",
    "Space NotADirectory",
    "Lock",
    "Lock NotFound",
    "Lock IsADirectory",
    "Lock NotADirectory",
    "Lock Locked",
    "Unlock",
    "Unlock NotCalled",
    "Close",
    "Read",
    "Append",
    "Append ReadOnly",
    "Length",
    "Truncate",
    "Truncate InputOutput",
    "Truncate ReadOnly",
    "Sync",
    "Sync ReadOnly",
    "DroppedAppend",
    "DroppedAppend NotCalled",
    "DroppedTruncate",
    "DroppedSync",
    "DroppedRename",
    "Read NotCalled",
    "Append NotCalled",
];
