//! Delta debugging: the smallest part of a list that still shows the failure (Zeller and Hildebrandt 2002, ddmin).
//!
//! ```text
//!   1 2 3 4 5 6 7 8     halves: 1 2 3 4 | 5 6 7 8       one half alone fails? go on with it
//!                       quarters: one alone? all but one?    ... down to single items, until none can be left out
//! ```
//!
//! Of a list of n items it needs about log n rounds when one item is to blame, and n squared at worst. It knows nothing of
//! what the items are, nor how many candidates are tried at once.

use std::ops::Range;

/// Up to so many parts, each is tried alone; of more, one alone hardly ever suffices.
const ALONE_PARTS_MAX: usize = 4;

/// The items of `0..count` that are needed. `first_failing` is given candidates, each a list of items that are kept, and
/// says which is the first that still fails, if one does. All items together are known to fail.
pub(super) fn ddmin(count: usize, first_failing: &mut dyn FnMut(&[Vec<usize>]) -> Option<usize>) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..count).collect();
    if count == 0 || first_failing(&[Vec::new()]).is_some() {
        return Vec::new();
    }
    let (mut parts, mut begin) = (2, 0);
    while kept.len() >= 2 {
        let ranges = ranges(kept.len(), parts);
        // What lies before `begin` was tried a moment ago, and could not be left out.
        let turn: Vec<usize> = (0..parts).map(|place| (begin + place) % parts).collect();
        let alone: Vec<usize> = if parts <= ALONE_PARTS_MAX { turn.clone() } else { Vec::new() };
        let without: &[usize] = if parts == 2 { &[] } else { &turn };
        let mut candidates: Vec<Vec<usize>> = alone
            .iter()
            .map(|part| kept[ranges[*part].clone()].to_vec())
            .chain(without.iter().map(|part| [&kept[..ranges[*part].start], &kept[ranges[*part].end..]].concat()))
            .collect();
        match first_failing(&candidates) {
            Some(found) => {
                kept = candidates.swap_remove(found);
                (parts, begin) = match found.checked_sub(alone.len()) {
                    None => (2, 0),
                    Some(place) => (parts - 1, without[place] % (parts - 1)),
                };
            }
            None if parts == kept.len() => break,
            None => (parts, begin) = ((2 * parts).min(kept.len()), 0),
        }
    }
    kept
}

/// `count` items cut into `parts` parts of nearly equal length, none empty.
fn ranges(count: usize, parts: usize) -> Vec<Range<usize>> {
    assert!((1..=count).contains(&parts), "{count} items cannot be {parts} parts");
    (0..parts).map(|part| count * part / parts..count * (part + 1) / parts).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Minimizes where exactly these items must be together; also counts the candidates that were tried.
    fn minimized(count: usize, needed: &[usize]) -> (Vec<usize>, usize) {
        let mut tried = 0;
        let kept = ddmin(count, &mut |candidates| {
            let fails = |kept: &Vec<usize>| needed.iter().all(|item| kept.contains(item));
            let found = candidates.iter().position(fails);
            tried += found.map_or(candidates.len(), |found| found + 1);
            found
        });
        (kept, tried)
    }

    #[test]
    fn what_fails_without_anything_keeps_nothing() {
        assert_eq!(minimized(0, &[]), (Vec::new(), 0));
        assert_eq!(minimized(9, &[]), (Vec::new(), 1));
    }

    #[test]
    fn one_item_among_a_thousand_is_found_in_a_few_dozen_runs() {
        for needed in [0, 1, 499, 999] {
            let (kept, tried) = minimized(1_000, &[needed]);
            assert_eq!(kept, [needed]);
            assert!(tried < 40, "{tried} candidates for item {needed}");
        }
    }

    #[test]
    fn a_failure_that_needs_either_of_two_items_keeps_one() {
        let kept =
            ddmin(20, &mut |candidates| candidates.iter().position(|kept| kept.contains(&3) || kept.contains(&17)));
        assert!(kept == [3] || kept == [17], "{kept:?}");
    }

    #[test]
    fn when_nothing_more_may_be_tried_everything_that_is_left_is_kept() {
        let mut budget = 3;
        let kept = ddmin(64, &mut |candidates| {
            budget -= 1;
            if budget < 0 { None } else { candidates.iter().position(|kept| kept.contains(&5)) }
        });
        assert!(kept.len() > 1 && kept.contains(&5), "{kept:?}");
    }

    proptest! {
        #[test]
        fn exactly_the_items_that_are_needed_together_are_kept(
            count in 1_usize..60, needed in prop::collection::btree_set(0_usize..60, 0..6),
        ) {
            let needed: Vec<usize> = needed.into_iter().filter(|item| *item < count).collect();
            prop_assert_eq!(minimized(count, &needed).0, needed);
        }
    }
}
