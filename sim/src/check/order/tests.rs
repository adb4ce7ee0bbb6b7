//! Verdicts against trying every order of small histories, and on long ones that are known to be right or wrong.

use std::collections::{BTreeSet, VecDeque};

use engine::world::Rng;

use super::*;
use crate::journal::generate::{Format, Specification, generate};
use crate::journal::{KeyStyle, Options, read};

const BYTES: u64 = 256 << 20;

fn options(model: ModelName) -> Options {
    Options { model, keys: KeyStyle::Auto, failed_cas_differed: false, jobs: 1 }
}

fn parse(text: &[u8], model: ModelName) -> Journal {
    read(text, &options(model)).unwrap().journal
}

fn drawn(specification: &Specification) -> (Journal, Option<u64>) {
    let mut text = Vec::new();
    let generated = generate(specification, &mut text).unwrap();
    (parse(&text, specification.model), generated.planted_line)
}

/// An object, spelled out with what the standard library has.
#[derive(Debug, Clone)]
enum Plain {
    Register(Value),
    Text(Vec<u8>),
    Set(BTreeSet<Value>),
    Counter(i64),
    Queue(VecDeque<Value>),
    Lock(Option<u32>),
}

impl Plain {
    fn new(model: ModelName) -> Self {
        match model {
            ModelName::Register | ModelName::CasRegister => Self::Register(Value::NIL),
            ModelName::Kv => Self::Text(Vec::new()),
            ModelName::Set => Self::Set(BTreeSet::new()),
            ModelName::Counter => Self::Counter(0),
            ModelName::Queue => Self::Queue(VecDeque::new()),
            ModelName::Lock => Self::Lock(None),
        }
    }

    /// Makes the call; false when it would have answered otherwise. An unknown call has no answer to compare.
    fn call(&mut self, journal: &Journal, call: &Call) -> bool {
        let answered = call.ending == Ending::Ok;
        match (self, call.function) {
            (Self::Register(value), Function::Read) => !answered || *value == call.second,
            (Self::Register(value), Function::Cas) => {
                let is_expected = *value == call.argument;
                *value = if is_expected { call.second } else { *value };
                is_expected
            }
            (Self::Register(value), _) => {
                *value = call.argument;
                true
            }
            (Self::Text(text), Function::Read) => !answered || *text == journal.text(call.second),
            (Self::Text(text), function) => {
                if function != Function::Append {
                    text.clear();
                }
                text.extend_from_slice(journal.text(call.argument));
                true
            }
            (Self::Set(elements), Function::Read) => {
                !answered || elements.iter().copied().collect::<Vec<Value>>() == journal.list(call.second)
            }
            (Self::Set(elements), Function::Remove) => {
                elements.remove(&call.argument);
                true
            }
            (Self::Set(elements), _) => {
                elements.insert(call.argument);
                true
            }
            (Self::Counter(sum), Function::Read) => !answered || Some(*sum) == journal.integer(call.second),
            (Self::Counter(sum), _) => {
                *sum += journal.integer(call.argument).unwrap();
                true
            }
            (Self::Queue(values), Function::Dequeue) => {
                let first = values.pop_front();
                !answered || first.unwrap_or(Value::NIL) == call.second
            }
            (Self::Queue(values), _) => {
                values.push_back(call.argument);
                true
            }
            (Self::Lock(holder), Function::Acquire) => holder.replace(call.process).is_none(),
            (Self::Lock(holder), _) => holder.take() == Some(call.process),
        }
    }
}

/// Whether some order of all ok calls, and of any of the unknown ones, is one that the object would have answered.
fn has_an_order(journal: &Journal, calls: &[Call]) -> bool {
    let counting: Vec<Call> = calls.iter().filter(|call| call.ending != Ending::Fail).copied().collect();
    extend(journal, &counting, &mut vec![false; counting.len()], &Plain::new(journal.model))
}

fn extend(journal: &Journal, calls: &[Call], placed: &mut Vec<bool>, object: &Plain) -> bool {
    let missing = |placed: &[bool], number: usize| !placed[number] && calls[number].ending == Ending::Ok;
    if (0..calls.len()).all(|number| !missing(placed, number)) {
        return true;
    }
    for number in 0..calls.len() {
        let too_early =
            (0..calls.len()).any(|other| missing(placed, other) && calls[other].completed < calls[number].invoked);
        let mut next = object.clone();
        if placed[number] || too_early || !next.call(journal, &calls[number]) {
            continue;
        }
        placed[number] = true;
        if extend(journal, calls, placed, &next) {
            return true;
        }
        placed[number] = false;
    }
    false
}

/// A small history of a real object, or one that was spoiled in some way.
fn scribble(rng: &mut Rng, model: ModelName) -> (Journal, Vec<Call>) {
    let specification = Specification {
        operations: rng.within(2..8),
        clients: rng.within(1..6) as u32,
        seed: rng.next_u64(),
        unknowns_permille: 200,
        fails_permille: 50,
        reads_percent: 50,
        values: [0, 2][rng.below(2) as usize],
        ..Specification::usual(model)
    };
    let journal = drawn(&specification).0;
    let mut calls = journal.calls.clone();
    for _ in 0..rng.below(8) {
        spoil(rng, model, &mut calls);
    }
    calls.sort_by_key(|call| call.invoked);
    (journal, calls)
}

fn spoil(rng: &mut Rng, model: ModelName, calls: &mut [Call]) {
    let (one, other) = (rng.below(calls.len() as u64) as usize, rng.below(calls.len() as u64) as usize);
    let answers =
        |call: &Call| call.ending == Ending::Ok && matches!(call.function, Function::Read | Function::Dequeue);
    match rng.below(6) {
        // Another's answer.
        0 | 1 if answers(&calls[one]) && answers(&calls[other]) => calls[one].second = calls[other].second,
        0 if answers(&calls[one]) && model != ModelName::Counter && model != ModelName::Set => {
            calls[one].second = Value::NIL;
        }
        // Another's argument.
        2 if calls[one].function == calls[other].function => calls[one].argument = calls[other].argument,
        2 if model == ModelName::Set && calls[one].function == Function::Add => calls[one].function = Function::Remove,
        2 if model == ModelName::Lock => calls[one].process = calls[other].process,
        // What failed or is unknown happened.
        3 if calls[one].ending == Ending::Fail && !calls[one].function.returns() => calls[one].ending = Ending::Ok,
        3 if calls[one].ending == Ending::Ok => {
            (calls[one].ending, calls[one].completed) = (Ending::Unknown, NEVER);
        }
        // Earlier or later: events swap places.
        _ => {
            let ends = calls.iter().flat_map(|call| [call.invoked, call.completed]).filter(|&place| place != NEVER);
            let mut places: Vec<u32> = ends.collect();
            places.sort_unstable();
            for _ in 0..4 {
                let at = rng.below(places.len() as u64 - 1) as usize;
                swap(calls, places[at], places[at + 1]);
            }
        }
    }
}

fn swap(calls: &mut [Call], one: u32, other: u32) {
    if calls.iter().any(|call| call.invoked == one && call.completed == other) {
        return;
    }
    for call in calls {
        for place in [&mut call.invoked, &mut call.completed] {
            *place = match *place {
                place if place == one => other,
                place if place == other => one,
                place => place,
            };
        }
    }
}

fn by_search_alone(journal: &Journal, calls: &[Call]) -> Decision {
    match journal.model {
        ModelName::Register | ModelName::CasRegister => decide_by_search::<Register>(journal, calls, BYTES),
        ModelName::Kv => decide_by_search::<Kv>(journal, calls, BYTES),
        ModelName::Set => decide_by_search::<Set>(journal, calls, BYTES),
        ModelName::Counter => decide_by_search::<Counter>(journal, calls, BYTES),
        ModelName::Queue => decide_by_search::<Queue>(journal, calls, BYTES),
        ModelName::Lock => decide_by_search::<Lock>(journal, calls, BYTES),
    }
}

#[test]
fn verdicts_are_those_of_trying_every_order() {
    for (seed, model) in (31..).zip(ModelName::ALL) {
        let mut rng = Rng::from_seed(seed);
        let mut verdicts = [0, 0];
        for _ in 0..6_000 {
            let (journal, calls) = scribble(&mut rng, model);
            let expected = has_an_order(&journal, &calls);
            let holds = |decision: Decision| match decision {
                Decision::Holds => true,
                Decision::Fails(_) => false,
                Decision::Undecided { .. } => panic!("{calls:#?}"),
            };
            assert_eq!(holds(decide(&journal, &calls, BYTES)), expected, "{model}: {calls:#?}");
            assert_eq!(holds(by_search_alone(&journal, &calls)), expected, "{model}, by search: {calls:#?}");
            verdicts[usize::from(expected)] += 1;
        }
        assert!(verdicts.iter().all(|&verdicts| verdicts > 300), "{model}: one verdict is rare: {verdicts:?}");
    }
}

#[test]
fn a_violation_is_dated_to_the_first_completion_without_an_order_and_shown_with_few_calls() {
    for (seed, model) in (41..).zip(ModelName::ALL) {
        let mut rng = Rng::from_seed(seed);
        let (mut violations, mut fewer) = (0, 0);
        while violations < 300 {
            let (journal, calls) = scribble(&mut rng, model);
            let Decision::Fails(at) = decide(&journal, &calls, BYTES) else { continue };
            violations += 1;
            let bisected = explain::first_misfit(&journal, &calls, BYTES);
            let at = at.unwrap_or(bisected);
            assert_eq!(at, bisected, "{model}: the search and bisection agree: {calls:#?}");
            assert!(!has_an_order(&journal, &until(&calls, at)), "{model}: {calls:#?}");
            assert!(has_an_order(&journal, &until(&calls, at - 1)), "{model}: {calls:#?}");
            let violation = explain::explain(&journal, 0, &calls, at, BYTES);
            assert!(!has_an_order(&journal, &violation.needed), "{model}: {calls:#?}\n{:#?}", violation.needed);
            // A dequeue that completes may be the misfit only because it no longer took something else; and here a process may
            // hold a lock twice at a time, which no reader lets through.
            let has_culprit = violation.needed.iter().any(|call| call.invoked == violation.culprit.invoked);
            assert!(
                has_culprit || [ModelName::Queue, ModelName::Lock].contains(&model),
                "{model}: {calls:#?}\n{:#?}",
                violation.needed
            );
            assert!(violation.sentence.contains("fits nowhere"), "{}", violation.sentence);
            fewer += usize::from(violation.needed.len() < calls.len());
        }
        assert!(fewer > 100, "{model}: hardly ever is anything left out: {fewer} of {violations}");
    }
}

#[test]
fn failed_cas_say_something_only_on_demand() {
    let text = b"{:process 0, :type :invoke, :f :write, :value 1}
{:process 0, :type :ok, :f :write, :value 1}
{:process 0, :type :invoke, :f :cas, :value [1 2]}
{:process 0, :type :fail, :f :cas, :value [1 2]}
";
    let mut journal = parse(text, ModelName::CasRegister);
    assert_eq!(decide(&journal, &journal.calls, BYTES), Decision::Holds);
    journal.failed_cas_differed = true;
    assert_eq!(decide(&journal, &journal.calls, BYTES), Decision::Fails(Some(3)));
}

#[test]
fn histories_of_real_objects_hold_and_what_is_planted_is_found_where_it_is() {
    for model in ModelName::ALL {
        for (seed, format) in [(1, Format::Edn), (2, Format::JsonLines)] {
            let usual = Specification { operations: 4_000, keys: 4, seed, format, ..Specification::usual(model) };
            let bounds = Bounds { memory_bytes: BYTES, jobs: 2 };
            let judged = judge(&drawn(&usual).0, &bounds);
            assert_eq!((judged.failed_keys.len(), judged.undecided.as_slice()), (0, [].as_slice()), "{model}");
            let (journal, planted) = drawn(&Specification { illegal: true, ..usual });
            let judged = judge(&journal, &bounds);
            assert_eq!((judged.failed_keys.len(), judged.undecided.len()), (1, 0), "{model}");
            let violation = &judged.violations[0];
            // A wrong answer fits nowhere, unless what it contradicts completes later still.
            let planted = journal.calls.iter().find(|call| Some(u64::from(call.completed_line)) == planted).unwrap();
            assert!(violation.culprit.completed >= planted.completed, "{model}: {}", violation.sentence);
            assert!(violation.needed.contains(planted), "{model}: {planted:?}\n{:#?}", violation.needed);
            let (prefix, all) = (violation.prefix_calls, violation.completed_calls);
            assert!(prefix < all && violation.bars.iter().any(|bar| bar.point.is_some()), "{model}: {prefix} of {all}");
        }
    }
}

#[test]
fn a_stale_read_in_a_long_history_is_shown_with_three_calls_and_the_values_it_could_have_returned() {
    let usual = Specification { operations: 20_000, illegal: true, ..Specification::usual(ModelName::Register) };
    let (journal, _) = drawn(&usual);
    let judged = judge(&journal, &Bounds { memory_bytes: BYTES, jobs: 1 });
    let violation = &judged.violations[0];
    assert_eq!(violation.needed.len(), 3, "two writes and the read: {:#?}", violation.needed);
    assert_eq!(violation.states.len(), 1, "{:?}", violation.states);
    assert!(violation.sentence.contains("the register can only have held"), "{}", violation.sentence);
}

#[test]
fn a_search_that_needs_more_memory_than_it_may_use_is_undecided_and_says_why() {
    // Many amounts at once, and at last a sum that no part of them gives: every subset is another configuration.
    let mut text = String::new();
    for process in 0..24 {
        text += &format!("{{:process {process}, :type :invoke, :f :add, :value {}}}\n", 2 << process);
    }
    text += "{:process 99, :type :invoke, :f :read, :value nil}\n{:process 99, :type :ok, :f :read, :value 3}\n";
    let journal = parse(text.as_bytes(), ModelName::Counter);
    let judged = judge(&journal, &Bounds { memory_bytes: 1 << 20, jobs: 1 });
    assert_eq!((judged.failed_keys.len(), judged.undecided.len()), (0, 1));
    assert!(judged.undecided[0].reason.contains("filled the 1 MiB"), "{}", judged.undecided[0].reason);
}

#[test]
fn what_lies_between_two_certain_states_is_judged_alone() {
    // Hundreds of overlapping pairs, each followed by a write that overlaps nothing.
    let mut text = String::new();
    let mut event = |process: u32, phase: &str, value: u32| {
        text += &format!("{{:process {process}, :type :{phase}, :f :write, :value {value}}}\n");
    };
    for round in 0..400 {
        event(0, "invoke", 2 * round % 7);
        event(1, "invoke", round % 7);
        event(0, "ok", 2 * round % 7);
        event(1, "ok", round % 7);
        event(2, "invoke", round % 5);
        event(2, "ok", round % 5);
    }
    let journal = parse(text.as_bytes(), ModelName::Register);
    let problem = Problem::<Register>::of(&journal, &journal.calls);
    assert!(problem.pieces.len() > 10, "{}", problem.pieces.len());
    assert!(matches!(search(&problem, BYTES), Found::Order(order) if order.len() == 1_200));
}

#[test]
fn the_number_of_threads_changes_no_verdict() {
    let usual =
        Specification { operations: 3_000, keys: 50, illegal: true, ..Specification::usual(ModelName::CasRegister) };
    let (journal, _) = drawn(&usual);
    let told = |jobs| {
        let judged = judge(&journal, &Bounds { memory_bytes: BYTES, jobs });
        let sentences: Vec<String> = judged.violations.iter().map(|violation| violation.sentence.clone()).collect();
        (judged.failed_keys, sentences)
    };
    assert_eq!(told(1), told(4));
}
