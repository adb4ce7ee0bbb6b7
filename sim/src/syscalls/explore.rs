//! Every crash state of one seed: the program is recorded, each state of the disk is expanded, each result judged.
//!
//! ```text
//!   life      script ─▶ recording ─▶ states of the disk x survivors ─▶ hash: seen? no ─▶ judge
//!                                         │                ╰─ one of those with a torn tail, one with an unfinished renaming
//!   recovery  script, on each ─▶ recording │ ─▶ the same
//!   restart   script, on what a process leaves that is killed there: nothing is lost, and nothing is synced ─▶ the same
//! ```
//!
//! A crash state is counted once, by the hash of all names and bytes, however many crashes lead to it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use engine::world::{Rng, World};

use super::judge::{Case, Judged, Reality, made, within, write_out};
use super::legal::{Choices, Survivor, hash};
use super::model::{Model, Tree};
use super::record::{Recording, Script, Studio};
use super::story::{Bounds, Stamp, Story};
use super::{Failure, Settings, Violation};

/// The phase that begins with nothing.
const LIFE: &str = "life";

/// The phases that begin with a torn log, with a file that was to be renamed, and where a process was killed.
const TORN: &str = "recovery";
const UNFINISHED: &str = "recovery of an unfinished renaming";
const KILLED: &str = "restart";

/// Violations of one seed after which it is given up.
const VIOLATIONS_MOST: usize = 3;

/// What a seed's exploration came to.
#[derive(Debug, Default)]
pub struct Exploration {
    /// System calls that were recorded.
    pub calls: u64,
    /// States in which the disk was, between two changes of what is on it or durable.
    pub moments: u64,
    /// Distinct crash states that were judged.
    pub states: u64,
    /// Those that the program itself opened as well.
    pub by_program: u64,
    /// Those whose log had a torn tail.
    pub torn: u64,
    /// What went wrong, the first of it.
    pub violations: Vec<Violation>,
}

/// Explores a seed. `watch` sees the hash of each distinct crash state once it was judged, and may end it all.
///
/// # Errors
///
/// Strace or the program does not run, or a trace cannot be understood.
pub fn explore<W: World>(
    seed: u64,
    reality: &Reality<'_, W>,
    settings: &Settings,
    watch: &mut dyn FnMut(u128) -> ControlFlow<()>,
) -> Result<Exploration, Failure> {
    let rng = Rng::from_seed(seed).fork("system calls");
    let scratch = settings.scratch.join(format!("seed-{seed}"));
    let mut explorer = Explorer {
        seed,
        reality,
        settings,
        scratch: scratch.clone(),
        phase: LIFE,
        rng: rng.fork("survivors"),
        watch,
        seen: BTreeMap::new(),
        left: BTreeMap::new(),
        found: Exploration::default(),
    };
    let explored = explorer.phases(&rng);
    let _ = std::fs::remove_dir_all(&scratch);
    explored.map(|()| explorer.found)
}

struct Explorer<'a, W: World> {
    seed: u64,
    reality: &'a Reality<'a, W>,
    settings: &'a Settings,
    scratch: PathBuf,
    phase: &'static str,
    rng: Rng,
    watch: &'a mut dyn FnMut(u128) -> ControlFlow<()>,
    /// The crash states of this phase that were judged.
    seen: BTreeMap<u128, Judged>,
    /// What further lives begin with, by the name of their phase, and out of how many it was drawn.
    left: BTreeMap<&'static str, (u64, Left)>,
    found: Exploration,
}

/// What another life begins with: how many writes are found there, and when it was left.
struct Left {
    model: Model,
    count: usize,
    until: Stamp,
}

/// A crash: when, and what survived.
struct Crash<'a> {
    model: &'a Model,
    made_by: &'a str,
    until: Stamp,
    choices: &'a Choices,
    survivor: &'a Survivor,
}

impl<W: World> Explorer<'_, W> {
    fn phases(&mut self, rng: &Rng) -> Result<(), Failure> {
        let scratch = self.scratch.join("recording");
        let Reality { stormglass, starts, .. } = *self.reality;
        let studio = Studio { stormglass, starts, scratch: &scratch };
        let life = studio.record(&Script::of_a_life(rng.fork("life")), Model::default(), Story::default())?;
        if self.recording(&life)?.is_break() {
            return Ok(());
        }
        for (phase, (_, Left { model, count, until })) in std::mem::take(&mut self.left) {
            (self.phase, self.seen) = (phase, BTreeMap::new());
            let script = Script::of_a_recovery(rng.fork(phase));
            let recording = studio.record(&script, model, life.story.recovered(count, until))?;
            if self.recording(&recording)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Every state of the disk in a recording.
    fn recording(&mut self, recording: &Recording) -> Result<ControlFlow<()>, Failure> {
        self.found.calls += recording.calls();
        let mut ended = ControlFlow::Continue(());
        let played = recording.play(&mut |lasted, until| {
            self.found.moments += 1;
            ended = self.moment(&recording.story, lasted.model, lasted.made_by, until);
            ended
        });
        played.map(|()| ended).map_err(Failure::Program)
    }

    /// Everything that a power loss in one state of the disk can leave.
    fn moment(&mut self, story: &Story, model: &Model, made_by: &str, until: Stamp) -> ControlFlow<()> {
        let choices = Choices::of(model, &mut self.rng);
        for survivor in choices.survivors(self.settings.survivors_most, &mut self.rng) {
            let tree = choices.found(model, &survivor);
            let crash = Crash { model, made_by, until, choices: &choices, survivor: &survivor };
            let hash_of_tree = hash(&tree);
            if let Some(judged) = self.seen.get(&hash_of_tree) {
                // The same disk gives the same: only what must hold of it may differ.
                if let Err(message) = owed(story, until, judged) {
                    self.violated(&crash, story, &tree, message)?;
                }
                continue;
            }
            self.judge(&crash, story, tree, hash_of_tree)?;
        }
        // A process that is killed here leaves what every process sees; that was judged if it was right.
        if let Some(Judged { count, .. }) = self.seen.get(&hash(&model.tree())) {
            let left = Left { model: model.clone(), count: *count, until };
            self.leave(KILLED, left);
        }
        ControlFlow::Continue(())
    }

    /// A further life may begin with this: each with the same chance, however many there will be.
    fn leave(&mut self, phase: &'static str, left: Left) {
        if self.phase != LIFE {
            return;
        }
        let seen = self.left.get(phase).map_or(0, |(seen, _)| *seen) + 1;
        match self.left.get_mut(phase) {
            Some(kept) if self.rng.below(seen) > 0 => kept.0 = seen,
            _ => drop(self.left.insert(phase, (seen, left))),
        }
    }

    fn judge(&mut self, crash: &Crash<'_>, story: &Story, tree: Tree, hash: u128) -> ControlFlow<()> {
        self.found.states += 1;
        let number = self.found.states;
        let folder = self.scratch.join("state");
        let case = Case { tree: &tree, story, until: crash.until, number };
        let mut judged = self.reality.judge(&folder, case);
        if let Ok(Judged { count, .. }) = &judged
            && number.is_multiple_of(self.settings.program_one_in)
        {
            self.found.by_program += 1;
            let told = self.reality.judge_by_program(&folder, &tree, &story.held_after(*count));
            judged = told.and(judged);
        }
        match judged {
            Err(message) => self.violated(crash, story, &tree, message)?,
            Ok(judged) => {
                let left = || Left { model: Model::of(&tree), count: judged.count, until: crash.until };
                if judged.is_torn {
                    self.found.torn += 1;
                    self.leave(TORN, left());
                }
                if tree.keys().any(|path| path.ends_with(".tmp")) {
                    self.leave(UNFINISHED, left());
                }
                self.seen.insert(hash, judged);
            }
        }
        (self.watch)(hash)
    }

    fn violated(&mut self, crash: &Crash<'_>, story: &Story, tree: &Tree, message: String) -> ControlFlow<()> {
        let Bounds { at_least, at_most } = story.bounds(crash.until);
        let number = self.found.violations.len() + 1;
        let kept = self.settings.kept.join(format!("seed-{}-{number}", self.seed));
        let _ = std::fs::remove_dir_all(&kept);
        let kept = write_out(&kept, tree).is_ok().then_some(kept);
        self.found.violations.push(Violation {
            seed: self.seed,
            state: self.found.states,
            phase: self.phase,
            moment: format!("run {}, after {}", crash.until.0, crash.made_by),
            survivor: crash.choices.words(crash.model, crash.survivor),
            expected: (at_least, at_most),
            message,
            kept,
        });
        if number < VIOLATIONS_MOST { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// Whether what a state holds is what it owes at that time.
fn owed(story: &Story, until: Stamp, judged: &Judged) -> Result<(), String> {
    within(judged.count, story.bounds(until), story)?;
    let is_whole = judged.copies.iter().copied().chain(std::iter::repeat(false));
    story.copies_at(until).zip(is_whole).try_for_each(|((copy, is_made), is_whole)| made(copy, is_made, is_whole))
}
