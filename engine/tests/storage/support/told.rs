//! What an engine's callers were told, and what it may therefore answer.
//!
//! ```text
//!   acknowledged      the key holds this, and nothing else
//!   refused           it holds what it held
//!   nobody knows      either
//! ```

use std::collections::BTreeMap;

use engine::{Db, Direction, Error, Outcome, all_keys};

use super::MemoryWorld;

/// What each key may hold: what was acknowledged last, and what may have been written since.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// By key.
    keys: BTreeMap<String, Vec<Option<String>>>,
    pub(crate) refused: usize,
}

impl Told {
    pub(crate) fn note(&mut self, key: &str, value: Option<String>, answer: Result<(), Error>) {
        let held = self.keys.entry(key.to_string()).or_insert_with(|| vec![None]);
        match answer {
            Ok(()) => *held = vec![value],
            Err(error) => {
                self.refused += 1;
                if error.outcome() == Outcome::Unknown {
                    held.push(value);
                }
            }
        }
    }

    /// Reads everything in every way; what cannot be read is an error, and never another answer.
    pub(crate) async fn check(&self, db: &Db<MemoryWorld>, may_fail: impl Fn(&Error) -> bool, what: &str) {
        for (key, held) in &self.keys {
            match db.get(key.as_bytes()).await {
                Ok(found) => {
                    let found = found.map(|entry| String::from_utf8_lossy(&entry.value).into_owned());
                    assert!(held.contains(&found), "{what}: {key} is {found:?} and not one of {held:?}");
                }
                Err(error) => assert!(may_fail(&error), "{what}: {error}"),
            }
        }
        for direction in [Direction::Forward, Direction::Backward] {
            let snapshot = db.snapshot();
            let mut found = BTreeMap::new();
            let mut iteration = db.iterate(all_keys(), direction, &snapshot).expect("it is open");
            let whole = loop {
                match iteration.next().await {
                    Ok(Some((key, entry))) => {
                        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                        found.insert(text(&key), text(&entry.value));
                    }
                    Ok(None) => break true,
                    Err(error) => {
                        assert!(may_fail(&error), "{what}: {error}");
                        break false;
                    }
                }
            };
            for (key, held) in self.keys.iter().filter(|_| whole) {
                assert!(
                    held.contains(&found.get(key).cloned()),
                    "{what}: {key} is {:?} in {direction:?}",
                    found.get(key)
                );
            }
            assert!(found.keys().all(|key| self.keys.contains_key(key)), "{what}: a key that nobody wrote");
        }
    }
}
