//! Runs against a plain list, and edits that do not fit.

use bytes::Bytes;

use super::{Added, Edit, HasFacts, Misfit, Place, Run, Shape, TableFacts, apply};
use crate::format::Sequence;
use crate::world::Rng;

fn table(number: u64, smallest: u32, end: u32) -> TableFacts {
    TableFacts {
        number,
        bytes: 10 + number % 7,
        entries: 4,
        tombstones: number % 5,
        expiring: 0,
        smallest: Bytes::copy_from_slice(&smallest.to_be_bytes()),
        end: Bytes::copy_from_slice(&end.to_be_bytes()),
        min_sequence: Sequence(1),
        max_sequence: Sequence(number),
        max_expires_micros: number % 3 * number,
        created_micros: number,
    }
}

fn numbers<'a>(tables: impl Iterator<Item = &'a TableFacts>) -> Vec<u64> {
    tables.map(|facts| facts.number).collect()
}

#[test]
fn a_run_answers_as_a_list_of_its_tables_would() {
    let mut rng = Rng::from_seed(3);
    let (mut run, mut list, mut number) = (Run::default(), Vec::<TableFacts>::new(), 0);
    for _ in 0..4_000 {
        let (first, width) = (rng.below(2_000) as u32, 1 + rng.below(12) as u32);
        let (smallest, end) = (first.to_be_bytes(), (first + width).to_be_bytes());
        let overlapping: Vec<&TableFacts> =
            list.iter().filter(|facts| facts.smallest[..] < end[..] && facts.end[..] > smallest[..]).collect();
        assert_eq!(numbers(run.overlapping(&smallest, &end)), numbers(overlapping.iter().copied()));
        assert_eq!(run.bytes_overlapping(&smallest, &end), overlapping.iter().map(|facts| facts.bytes).sum::<u64>());
        let found = list.iter().find(|facts| facts.smallest[..] <= smallest[..] && smallest[..] < facts.end[..]);
        assert_eq!(run.find(&smallest), found);
        let overlaps = overlapping.first().map(|facts| (*facts).clone());
        if rng.chance(1, 3)
            && let Some(facts) = &overlaps
        {
            run = run.with_edit(&[facts], []).unwrap();
            list.retain(|other| other.number != facts.number);
        } else {
            number += 1;
            let facts = table(number, first, first + width);
            match (run.with(facts.clone()), &overlaps) {
                (Ok(next), None) => run = next,
                (Err(misfit), Some(other)) => assert_eq!(misfit, Misfit::Overlap { number, other: other.number }),
                (result, _) => panic!("{result:?} {overlaps:?}"),
            }
            if overlaps.is_none() {
                list.push(facts);
                list.sort_by(|a, b| a.smallest.cmp(&b.smallest));
            }
        }
        assert_eq!(run.len(), list.len() as u64);
        assert_eq!(run.bytes(), list.iter().map(|facts| facts.bytes).sum::<u64>());
        let dense = list.iter().filter(|facts| facts.is_dense()).map(|facts| facts.max_sequence.0).min();
        assert_eq!(run.totals().dense_sequence_min, dense.unwrap_or(u64::MAX));
        assert_eq!(run.totals().created_min_micros, list.iter().map(|facts| facts.number).min().unwrap_or(u64::MAX));
        let expired = |facts: &&TableFacts| facts.is_expired(number / 2);
        let wanted = run.wanted(3, |totals| totals.expires_min_micros <= number / 2);
        assert_eq!(numbers(wanted.into_iter()), numbers(list.iter().filter(expired).take(3)));
    }
    assert!(list.len() > 100 && numbers(run.iter()) == numbers(list.iter()));
}

fn added(level: usize, place: Place, tables: &[TableFacts]) -> Edit<TableFacts> {
    Edit { removed: Vec::new(), added: vec![Added { level, place, tables: tables.to_vec() }] }
}

#[test]
fn an_edit_puts_tables_where_it_says() {
    let mut shape = Shape::new();
    apply(&mut shape, &Edit::flush(vec![table(1, 0, 10)])).unwrap();
    apply(&mut shape, &Edit::flush(vec![table(2, 0, 10)])).unwrap();
    apply(&mut shape, &Edit::flush(vec![table(3, 0, 10)])).unwrap();
    let level0 =
        |shape: &Shape<TableFacts>| shape.runs(0).iter().flat_map(|run| numbers(run.iter())).collect::<Vec<_>>();
    assert_eq!(level0(&shape), [3, 2, 1]);

    let mut merge = added(0, Place::InPlace, &[table(4, 0, 10)]);
    merge.removed = vec![(0, 2), (0, 3)];
    let before = shape.clone();
    apply(&mut shape, &Edit::flush(vec![table(5, 0, 10)])).unwrap();
    apply(&mut shape, &merge).unwrap();
    assert_eq!(level0(&shape), [5, 4, 1]);
    assert_eq!(level0(&before), [3, 2, 1], "a copy is not touched");

    apply(&mut shape, &added(3, Place::Oldest, &[table(6, 0, 10)])).unwrap();
    apply(&mut shape, &added(3, Place::Oldest, &[table(7, 20, 30)])).unwrap();
    assert_eq!((shape.depth(), shape.runs(3).len(), shape.tables()), (4, 1, 5));
    assert_eq!(shape.table(7).map(|(level, table)| (level, table.facts().number)), Some((3, 7)));
    apply(&mut shape, &Edit { removed: vec![(3, 6), (3, 7)], added: vec![] }).unwrap();
    assert_eq!((shape.depth(), shape.table(7)), (1, None));
}

#[test]
fn an_edit_that_does_not_fit_is_refused_and_changes_nothing() {
    let mut shape = Shape::new();
    apply(&mut shape, &added(1, Place::Oldest, &[table(1, 0, 10), table(2, 10, 20)])).unwrap();
    let removal = |level, number| Edit { removed: vec![(level, number)], added: vec![] };
    for (edit, misfit) in [
        (removal(1, 3), Misfit::Missing { number: 3 }),
        (removal(0, 1), Misfit::Missing { number: 1 }),
        (Edit { removed: vec![(1, 1), (1, 1)], added: vec![] }, Misfit::Missing { number: 1 }),
        (added(0, Place::Newest, &[table(2, 30, 40)]), Misfit::Present { number: 2 }),
        (added(1, Place::Oldest, &[table(3, 5, 6)]), Misfit::Overlap { number: 3, other: 1 }),
        (added(1, Place::Oldest, &[table(3, 30, 30)]), Misfit::EmptyRange { number: 3 }),
        (added(1, Place::InPlace, &[table(3, 30, 40)]), Misfit::NoPlace { level: 1 }),
        (added(32, Place::Oldest, &[table(3, 30, 40)]), Misfit::TooDeep { level: 32 }),
    ] {
        assert_eq!(apply(&mut shape, &edit), Err(misfit));
        assert_eq!((shape.tables(), shape.depth()), (2, 2));
    }
}
