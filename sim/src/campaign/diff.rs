//! Where two traces part: the last events that they share, and the first that they do not.
//!
//! ```text
//!      2040113 n2 deliver 1 2f           shared, `context` of them
//!   a  2040113 n2 append 40 1c           then each its own, as many
//!   b  2040114 n2 append 40 1c
//! ```
//!
//! Two runs of one seed that part are not deterministic, and this is the place to look. The traces come as streams of
//! lines, from runs under way or from files; no more than the context is held, however long they are.

use std::collections::VecDeque;

/// Two traces that part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parting {
    /// How many events are the same.
    pub shared_count: u64,
    /// The last of them.
    pub shared: Vec<String>,
    /// What the first does then; empty when it is over.
    pub first: Vec<String>,
    /// What the second does then.
    pub second: Vec<String>,
}

/// How two traces compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// They are the same, event for event; so many.
    None(u64),
    /// They are not.
    Parting(Parting),
}

/// Compares two traces, an event a line, and keeps `context` lines before and after they part. Ends with the first line
/// that cannot be read.
pub fn compare<E>(
    first: &mut dyn Iterator<Item = Result<String, E>>,
    second: &mut dyn Iterator<Item = Result<String, E>>,
    context: usize,
) -> Result<Difference, E> {
    let (mut shared_count, mut shared) = (0, VecDeque::new());
    loop {
        match (first.next().transpose()?, second.next().transpose()?) {
            (None, None) => return Ok(Difference::None(shared_count)),
            (Some(one), Some(other)) if one == other => {
                shared_count += 1;
                if shared.len() == context {
                    shared.pop_front();
                }
                if context > 0 {
                    shared.push_back(one);
                }
            }
            (one, other) => {
                let first = one.map(Ok).into_iter().chain(first).take(context.max(1)).collect::<Result<_, E>>()?;
                let second = other.map(Ok).into_iter().chain(second).take(context.max(1)).collect::<Result<_, E>>()?;
                let shared = shared.into();
                return Ok(Difference::Parting(Parting { shared_count, shared, first, second }));
            }
        }
    }
}

/// Whether a line is an event of a trace, as `storm run --trace` prints them: `2040113 n2 append 40 1c`.
pub fn is_event(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let is_hexadecimal = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_somebody = |word: &str| {
        let number = |letter| word.strip_prefix(letter).is_some_and(is_hexadecimal);
        word == "lab" || number('n') || number('c')
    };
    let begins = words.next().is_some_and(is_number) && words.next().is_some_and(is_somebody);
    begins && words.next().is_some()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn compared(first: &[&str], second: &[&str], context: usize) -> Difference {
        let lines =
            |lines: &[&str]| lines.iter().map(|line| Ok(line.to_string())).collect::<Vec<Result<_, Infallible>>>();
        let Ok(difference) = compare(&mut lines(first).into_iter(), &mut lines(second).into_iter(), context);
        difference
    }

    #[test]
    fn equal_traces_are_counted_and_others_part_at_the_first_event_that_differs() {
        assert_eq!(compared(&["a", "b"], &["a", "b"], 2), Difference::None(2));
        let Difference::Parting(parting) = compared(&["a", "b", "c", "x", "d", "e"], &["a", "b", "c", "y", "d"], 2)
        else {
            panic!("they differ");
        };
        assert_eq!((parting.shared_count, parting.shared), (3, vec!["b".to_string(), "c".to_string()]));
        assert_eq!((parting.first, parting.second), (vec!["x".into(), "d".into()], vec!["y".into(), "d".into()]));
    }

    #[test]
    fn a_trace_that_ends_sooner_differs_where_it_ends() {
        let Difference::Parting(parting) = compared(&["a"], &["a", "b"], 0) else { panic!("they differ") };
        assert_eq!((parting.shared_count, parting.first.len(), parting.second), (1, 0, vec!["b".to_string()]));
    }

    #[test]
    fn events_are_told_from_whatever_else_a_run_prints() {
        for line in ["     2040113 n2 append 40 1c", "7 lab invoke 1 2", "0 c3f deliver", "12 n1 start 1"] {
            assert!(is_event(line), "{line}");
        }
        for line in
            ["", "HOLDS  seed 42", "60.0 s in 0.3 s: 200 x real time", "12 apples fell", "12 n1", "trace 67c8 x y"]
        {
            assert!(!is_event(line), "{line}");
        }
    }
}
