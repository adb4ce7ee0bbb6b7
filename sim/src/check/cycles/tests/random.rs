//! Random small histories: consistent enough to be right now and then, wrong in every way otherwise.

use engine::world::Rng;

use crate::history::transactions::{Step, TransactionHistory, TransactionModel, TransactionOutcome};

/// How a transaction ends, and which key each of its operations reads, or writes this value to.
type Drawn = (TransactionOutcome, Vec<(usize, Option<u32>)>);

/// A history of a few transactions on two keys, and of one that reads everything at the end.
pub(super) fn history(seed: u64, transactions: u64, model: TransactionModel) -> TransactionHistory {
    let mut rng = Rng::from_seed(seed).fork("random history");
    let mut history = TransactionHistory::default();
    let keys = [history.key("x"), history.key("y")];
    let mut places: Vec<u64> = (0..transactions * 2).collect();
    rng.shuffle(&mut places);
    // What is written, in the order in which each key will have got it.
    let mut written: [Vec<u32>; 2] = [Vec::new(), Vec::new()];
    let mut drawn: Vec<Drawn> = Vec::new();
    for _ in 0..transactions {
        let outcome = match rng.below(10) {
            0 => TransactionOutcome::Aborted,
            1 | 2 => TransactionOutcome::Unknown,
            _ => TransactionOutcome::Committed,
        };
        let mut operations = Vec::new();
        for _ in 0..=rng.below(3) {
            let key = rng.below(2) as usize;
            let value = rng.chance(1, 2).then(|| history.value(&(written[0].len() + written[1].len() + 1).to_string()));
            if let Some(value) = value {
                let place = rng.below(written[key].len() as u64 + 1) as usize;
                written[key].insert(place, value);
            }
            operations.push((key, value));
        }
        drawn.push((outcome, operations));
    }
    // Mostly nobody sees what was aborted, or what is unknown and did not happen.
    let is_hidden = |outcome: TransactionOutcome, rng: &mut Rng| match outcome {
        TransactionOutcome::Aborted => rng.chance(9, 10),
        TransactionOutcome::Unknown => rng.chance(1, 2),
        TransactionOutcome::Committed => false,
    };
    for (outcome, operations) in &drawn {
        if is_hidden(*outcome, &mut rng) {
            for (key, value) in operations {
                written[*key].retain(|other| Some(*other) != *value);
            }
        }
    }
    for (number, (outcome, operations)) in drawn.iter().enumerate() {
        let one = (places[number * 2], places[number * 2 + 1]);
        let steps: Vec<Step> = operations
            .iter()
            .map(|(key, value)| match (value, model) {
                (Some(value), TransactionModel::ListAppend) => Step::Append(keys[*key], *value),
                (Some(value), TransactionModel::RwRegister) => Step::Write(keys[*key], *value),
                (None, _) if *outcome == TransactionOutcome::Unknown => Step::ReadUnknown(keys[*key]),
                (None, _) => read(keys[*key], &written[*key], model, &mut rng),
            })
            .collect();
        history.push(number as u64, 0, one.0.min(one.1)..one.0.max(one.1), *outcome, &steps).expect("one model");
    }
    let end = transactions * 2;
    let all: Vec<Step> = (0..2)
        .map(|key| match model {
            TransactionModel::ListAppend => Step::ReadList(keys[key], written[key].clone()),
            TransactionModel::RwRegister => read(keys[key], &written[key], model, &mut rng),
        })
        .collect();
    history.push(99, 0, end..end + 1, TransactionOutcome::Committed, &all).expect("one model");
    history.finish().expect("values that are unique")
}

/// Any version of the key, the later ones more often.
fn read(key: u32, written: &[u32], model: TransactionModel, rng: &mut Rng) -> Step {
    let most = written.len() as u64 + 1;
    let length = rng.below(most).max(rng.below(most)) as usize;
    match (model, length) {
        (_, 0) => Step::ReadNothing(key),
        (TransactionModel::ListAppend, _) => Step::ReadList(key, written[..length].to_vec()),
        (TransactionModel::RwRegister, _) => Step::ReadValue(key, written[length - 1]),
    }
}
