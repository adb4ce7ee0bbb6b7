//! What the objects do, each as a small pure value: a state, and what a call makes of it.
//!
//! | model | file | state | a call is refused when |
//! |---|---|---|---|
//! | register, cas-register | `register.rs` | one value | a read returned another, a cas expected another |
//! | kv | `kv.rs` | a text, as its length and two hashes | a read returned another text |
//! | set | `set.rs` | the sum of the hashes of its elements | a read returned other elements |
//! | counter | `counter.rs` | a sum | a read returned another |
//! | queue | `queue.rs` | the values in order | a dequeue returned another than the first |
//! | lock | `lock.rs` | who holds it | it is held, or by somebody else |
//!
//! ```text
//!   step(state, action) ─▶ next state, or refusal
//! ```
//!
//! Every key is an object of its own: linearizability is local (Herlihy and Wing 1990). A model also knows what need not be
//! searched: an unknown call that nobody can have noticed is left out, and one whose effect somebody saw must have happened
//! by then.

mod counter;
mod kv;
mod lock;
mod queue;
mod register;
mod set;

pub use counter::Counter;
pub use kv::Kv;
pub use lock::Lock;
pub use queue::Queue;
pub use register::Register;
pub use set::Set;

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::journal::{Call, Ending, Journal, Value};

/// An object of which histories can be judged.
pub trait Model: Sized {
    /// What it holds.
    type State: Clone + PartialEq + Debug;
    /// What a call does to it, together with what it returned. Equal actions are interchangeable.
    type Action: Clone + Ord + Debug;

    /// Prepares the object of one key. `calls` are all that were made to it.
    fn of(journal: &Journal, calls: &[Call]) -> Self;

    /// What a call does; `None` when it says nothing about the object (an unknown read, whatever failed).
    fn action(&self, journal: &Journal, call: &Call) -> Option<Self::Action>;

    /// What it holds in the beginning.
    fn initial(&self) -> Self::State;

    /// What it holds after an action; `None` when it would not have answered like that.
    fn step(&self, state: &Self::State, action: &Self::Action) -> Option<Self::State>;

    /// Whether an action changes no state, whatever it is.
    fn only_shows(&self, action: &Self::Action) -> bool;

    /// When an action that leads to `next` probably took effect, for the choice which of several to try first. `middle` is
    /// twice the middle of its call, and far away for one of unknown outcome.
    fn likely_at(&self, _: &Self::Action, _next: &Self::State, middle: u64) -> u64 {
        middle
    }

    /// 128 bits that differ for different states.
    fn fingerprint(&self, state: &Self::State) -> u128;

    /// What it holds after an action, where the action alone tells.
    fn leaves(&self, action: &Self::Action) -> Option<Self::State>;

    /// What must be thought of the unknown calls among `calls`, which have actions.
    fn fates(&self, journal: &Journal, calls: &[Call]) -> Vec<(usize, Fate)>;

    /// The state for a person.
    fn describe(&self, journal: &Journal, calls: &[Call], state: &Self::State) -> String;
}

/// What a search has to do with a call of unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nobody can tell whether it happened: leave it out.
    Unseen,
    /// Somebody saw its effect with a completion at this place: it happened before.
    Before(u32),
    /// It may have happened, at any time after its invocation.
    Perhaps,
}

/// 128 well-mixed bits of a number.
pub(crate) fn mix(number: u64) -> u128 {
    (u128::from(mix_half(number ^ 0x9e37_79b9_7f4a_7c15)) << 64) | u128::from(mix_half(!number))
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014), after a step of its sequence.
fn mix_half(number: u64) -> u64 {
    let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Whether a call may have had an effect.
pub(crate) fn counts(call: &Call) -> bool {
    call.ending != Ending::Fail
}

/// The fates where each unknown call installs one token, and some calls observe tokens.
///
/// `installs` gives the token that a call brings into the object, whether or not its outcome is known. `observes` tells of
/// tokens of its own asking whether a call saw them.
fn token_fates(
    calls: &[Call],
    installs: impl Fn(&Call) -> Option<Value>,
    observes: impl Fn(&Call, Value) -> bool,
) -> Vec<(usize, Fate)> {
    /// What is known of a token that an unknown call installs.
    struct Token {
        installers: u32,
        first_seen: u32,
        perhaps_seen: bool,
    }
    let mut tokens: BTreeMap<Value, Token> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.ending == Ending::Unknown) {
        if let Some(value) = installs(call) {
            tokens.insert(value, Token { installers: 0, first_seen: u32::MAX, perhaps_seen: false });
        }
    }
    if tokens.is_empty() {
        return Vec::new();
    }
    for call in calls.iter().filter(|call| counts(call)) {
        if let Some(token) = installs(call).and_then(|value| tokens.get_mut(&value)) {
            token.installers += 1;
        }
    }
    for call in calls.iter().filter(|call| counts(call)) {
        for (&value, token) in &mut tokens {
            if observes(call, value) {
                match call.ending {
                    Ending::Ok => token.first_seen = token.first_seen.min(call.completed),
                    _ => token.perhaps_seen = true,
                }
            }
        }
    }
    let unknown = calls.iter().enumerate().filter(|(_, call)| call.ending == Ending::Unknown);
    let fate = |(number, call): (usize, &Call)| {
        let value = installs(call)?;
        let Token { installers, first_seen, perhaps_seen } = *tokens.get(&value)?;
        let fate = match first_seen {
            u32::MAX if perhaps_seen => Fate::Perhaps,
            u32::MAX => Fate::Unseen,
            // The object begins without a value, so that absence needs no installer.
            place if installers == 1 && value != Value::NIL => Fate::Before(place),
            _ => Fate::Perhaps,
        };
        Some((number, fate))
    };
    unknown.filter_map(fate).collect()
}
