//! A few decisions as text, for a reader to judge.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::compaction::{
    Added, Context, Edit, Fifo, LazyLeveled, Leveled, Place, Shape, Strategy, TableFacts, Tiered, apply, debt, pick,
};
use crate::format::Sequence;

const MIB: u64 = 1 << 20;

fn table(number: u64, range: &str, mib: u64) -> TableFacts {
    let (smallest, end) = range.split_once("..").unwrap();
    TableFacts {
        number,
        bytes: mib * MIB,
        entries: mib * 1_000,
        tombstones: 0,
        expiring: 0,
        smallest: Bytes::copy_from_slice(smallest.as_bytes()),
        end: Bytes::copy_from_slice(end.as_bytes()),
        min_sequence: Sequence(1),
        max_sequence: Sequence(number),
        max_expires_micros: 0,
        created_micros: number,
    }
}

/// Runs, newest first, as (level, tables).
fn shape(runs: &[(usize, Vec<TableFacts>)]) -> Shape<TableFacts> {
    let mut shape = Shape::new();
    for (level, tables) in runs.iter().rev() {
        let added = vec![Added { level: *level, place: Place::Newest, tables: tables.clone() }];
        apply(&mut shape, &Edit { removed: vec![], added }).unwrap();
    }
    shape
}

fn context() -> Context {
    Context { now_micros: 1_000, oldest_snapshot: Sequence(1_000), memtable_bytes: 64 * MIB, ..Context::default() }
}

/// The first jobs that would be started one after the other, none of them ending.
fn told(shape: &Shape<TableFacts>, strategy: &Strategy) -> String {
    let mut context = context();
    let mut text = format!("debt {} MiB\n", debt(shape, strategy).bytes / MIB);
    for _ in 0..5 {
        let Some(job) = pick(shape, strategy, &context) else { break };
        let inputs: Vec<String> =
            job.inputs.iter().map(|input| format!("level {} {:?}", input.level, input.tables)).collect();
        let tombstones = if job.drop_tombstones { "go" } else { "stay" };
        writeln!(
            text,
            "{}\n  {:?} {} -> level {} {:?}, tombstones {tombstones}, cut at {:?}",
            job.reason,
            job.kind,
            inputs.join(", "),
            job.output_level,
            job.place,
            job.cut_at
        )
        .unwrap();
        context.running.push(job.claim());
        context.cursors.advance(&job);
    }
    text
}

fn flushes(first: u64, count: u64) -> Vec<(usize, Vec<TableFacts>)> {
    (0..count).map(|index| (0, vec![table(first + count - index, "a..z", 64)])).collect()
}

fn letters(first: u64, mib: u64) -> Vec<TableFacts> {
    let letters: Vec<char> = ('a'..='z').collect();
    let ranges = letters.windows(2).enumerate();
    ranges.map(|(index, pair)| table(first + index as u64, &format!("{}..{}", pair[0], pair[1]), mib)).collect()
}

#[test]
fn leveled_merges_level_0_into_the_base_level_and_goes_on_where_it_may() {
    let mut runs = flushes(100, 5);
    runs.push((5, vec![table(50, "b..c", 200), table(51, "m..n", 200)]));
    runs.push((6, letters(1, 128)));
    insta::assert_snapshot!(told(&shape(&runs), &Strategy::Leveled(Leveled::default())));
}

#[test]
fn leveled_takes_tables_of_a_full_level_in_turn() {
    let runs = [(4, letters(60, 20)), (5, letters(30, 64)), (6, letters(1, 512))];
    let options = Leveled { base_bytes: 200 * MIB, ..Leveled::default() };
    insta::assert_snapshot!(told(&shape(&runs), &Strategy::Leveled(options)));
}

#[test]
fn leveled_makes_one_run_of_many_and_drains_what_is_above_the_base_level() {
    let mut runs = vec![(2, vec![table(90, "c..d", 10)]), (3, vec![table(80, "e..f", 10)])];
    runs.push((3, vec![table(70, "e..g", 10), table(71, "p..q", 10)]));
    runs.push((6, vec![table(1, "a..f", 100)]));
    insta::assert_snapshot!(told(&shape(&runs), &Strategy::Leveled(Leveled::default())));
}

#[test]
fn tiered_merges_full_levels_at_once() {
    let mut runs = flushes(100, 4);
    runs.extend((0..4).map(|run| (1, vec![table(50 + run, "a..z", 256)])));
    runs.push((2, vec![table(1, "a..k", 1_024)]));
    insta::assert_snapshot!(told(&shape(&runs), &Strategy::Tiered(Tiered::default())));
}

#[test]
fn lazy_leveled_merges_into_its_one_last_run_or_moves_it_deeper() {
    let mut runs = flushes(100, 4);
    runs.push((1, vec![table(50, "a..k", 400), table(51, "k..z", 400)]));
    let strategy = Strategy::LazyLeveled(LazyLeveled::default());
    let merged = told(&shape(&runs), &strategy);
    let deeper = told(&shape(&[(1, vec![table(50, "a..k", 1_100)])]), &strategy);
    insta::assert_snapshot!(format!("{merged}\n{deeper}"));
}

#[test]
fn fifo_drops_from_the_oldest_run_on() {
    let strategy = Strategy::Fifo(Fifo { max_bytes: 130 * MIB, max_age_micros: 0 });
    insta::assert_snapshot!(told(&shape(&flushes(100, 5)), &strategy));
}

#[test]
fn tables_of_tombstones_and_expired_ones_go_when_nothing_lies_below_them_or_with_it() {
    let dense = |number, range| TableFacts { tombstones: 60_000, ..table(number, range, 100) };
    let expired = |number, range| TableFacts { max_expires_micros: 900, ..table(number, range, 100) };
    let runs = [
        (5, vec![dense(50, "a..c"), expired(51, "e..f"), expired(52, "m..n"), dense(53, "x..y")]),
        (6, vec![table(1, "b..d", 2_000), table(2, "e..g", 2_000)]),
    ];
    insta::assert_snapshot!(told(&shape(&runs), &Strategy::Leveled(Leveled::default())));
}
