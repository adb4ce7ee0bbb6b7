//! Faults of one seed, one trial after the other: calls that fail while the engine works or recovers, and damage to what it
//! had synced.
//!
//! ```text
//!   call n fails ─▶ the engine stops writing, reads on ─┬─▶ power lost: each survivor opens, nothing durable is missing
//!                                                       ╰─▶ killed, recovered, written to ─▶ power lost: the same, or a
//!                                                           refusal by file (a failed sync left the page cache lying)
//!   call n of recovery fails ─▶ an error ─▶ recovered
//!   damage ─▶ see `damage`
//! ```

use std::ops::ControlFlow;
use std::sync::Arc;

use engine::world::Rng;
use engine::{Db, Error};

use super::damage::{self, Damage};
use super::ledger::{Bounds, Ledger, Log};
use super::live::{DIRECTORY, Lived, live};
use super::plan::Plan;
use super::recover::{Unfit, recover, recover_recording};
use super::survivors::{survivors, uniform};
use super::{Phase, Trial, Violation, caught};
use crate::world::{Boundary, DiskImage, DiskSettings, SoloMachine, Survival};

/// Survivors that are tried after a failed call.
const SURVIVORS_MOST: usize = 6;

/// Damages of each kind that are tried at a boundary.
const DAMAGES: usize = 1;

/// How a trial ended, if it ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Every answer was right, nothing durable was missing.
    Right,
    /// The engine refused, and named the file.
    Refused,
    /// What nothing proved was missing, and recovery said from where on.
    CutShort,
}

/// The call that fails.
#[derive(Debug, Clone, Copy)]
enum Failing {
    Append(u64),
    Sync(u64),
    Room(u64),
    Read,
    ShortRead,
    MisdirectedRead,
}

impl Failing {
    fn words(self) -> &'static str {
        match self {
            Self::Append(_) => "append fails",
            Self::Sync(_) => "sync fails, the page is clean",
            Self::Room(_) => "no space",
            Self::Read => "read fails",
            Self::ShortRead => "read comes short",
            Self::MisdirectedRead => "read from elsewhere",
        }
    }

    fn arrange(self, machine: &SoloMachine) {
        match self {
            Self::Append(count) => machine.fail_append_after(count),
            Self::Sync(count) => machine.fail_sync_after(count),
            Self::Room(bytes) => machine.leave_room(bytes),
            Self::Read => machine.set(DiskSettings { read_error_ppm: 300_000, ..DiskSettings::default() }),
            Self::ShortRead => machine.set(DiskSettings { short_read_ppm: 100_000, ..DiskSettings::default() }),
            Self::MisdirectedRead => {
                machine.set(DiskSettings { misdirected_read_ppm: 100_000, ..DiskSettings::default() });
            }
        }
    }
}

/// Tries every fault of a seed. `watch` sees each trial that ended well, and may end it all.
pub fn try_faults(seed: u64, watch: &mut dyn FnMut(&Trial) -> ControlFlow<()>) -> Vec<Violation> {
    let mut trials = Trials { seed, number: 0, watch, violations: Vec::new() };
    if trials.failing_calls().is_continue() {
        let _ = trials.damages();
    }
    trials.violations
}

struct Trials<'a> {
    seed: u64,
    number: u64,
    watch: &'a mut dyn FnMut(&Trial) -> ControlFlow<()>,
    violations: Vec<Violation>,
}

/// A plan, lived in the solo world.
struct Run {
    machine: SoloMachine,
    log: Log,
    boundaries: Vec<Boundary>,
    /// The error that ended it early.
    stopped_by: Option<Error>,
}

fn run(plan: &Arc<Plan>, seed: u64, failing: Option<Failing>) -> Result<Run, String> {
    let machine = SoloMachine::new(DiskSettings::default(), seed);
    let ledger = Ledger::new(machine.record());
    if let Some(failing) = failing {
        failing.arrange(&machine);
    }
    let mut stopped_by = None;
    for life in 0..plan.lives.len() {
        let lived = machine.run(seed, |world| live(world, Arc::clone(plan), life, ledger.clone()))?;
        if let Lived::Until(error) = lived {
            stopped_by = Some(error);
            break;
        }
    }
    machine.set(DiskSettings::default());
    let boundaries = machine.take_recording();
    Ok(Run { machine, log: ledger.log(), boundaries, stopped_by })
}

impl Trials<'_> {
    fn ended(&mut self, phase: Phase, kind: &'static str, ended: Result<Option<Ending>, String>) -> ControlFlow<()> {
        match ended {
            // The fault met nothing.
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(ending)) => {
                self.number += 1;
                (self.watch)(&Trial { number: self.number, phase, kind, ending })
            }
            Err(message) => {
                self.number += 1;
                let violation = Violation::of_trial(self.seed, self.number, format!("{kind}: {message}"));
                self.violations.push(violation);
                ControlFlow::Break(())
            }
        }
    }

    /// Every call of a life fails in turn, and some of a recovery.
    fn failing_calls(&mut self) -> ControlFlow<()> {
        let plan = Arc::new(Plan::one_by_one(self.seed));
        let seed = self.seed;
        let whole = match caught(|| run(&plan, seed, None)).and_then(|run| run) {
            Ok(whole) => whole,
            Err(message) => return self.ended(Phase::Normal, "no fault", Err(message)),
        };
        let count =
            |operation| whole.boundaries.iter().filter(|boundary| boundary.operation == operation).count() as u64;
        let bytes: u64 = whole.machine.files_in(DIRECTORY.as_ref()).iter().map(|(_, _, length)| length).sum();
        let mut rng = Rng::from_seed(seed).fork("failing calls");
        let mut failing: Vec<Failing> = (0..count("append")).map(Failing::Append).collect();
        failing.extend((0..count("sync")).map(Failing::Sync));
        failing.extend((0..8).map(|_| Failing::Room(rng.below(bytes.max(1)))));
        for failing in failing {
            let ended = caught(|| fail_living(&plan, seed, failing, &mut rng)).and_then(|ended| ended);
            self.ended(Phase::Normal, failing.words(), ended)?;
        }
        for boundary in (0..whole.boundaries.len()).step_by(7) {
            for failing in [
                Failing::Append(rng.below(3)),
                Failing::Sync(rng.below(3)),
                Failing::Room(rng.below(200)),
                Failing::Read,
            ] {
                let ended = caught(|| fail_recovering(&plan, seed, &whole, boundary, failing, &mut rng));
                self.ended(Phase::Recovery, failing.words(), ended.and_then(|ended| ended))?;
            }
            for misread in [Failing::ShortRead, Failing::MisdirectedRead] {
                let ended = caught(|| misread_everything(&plan, seed, &whole, boundary, misread, &mut rng));
                self.ended(Phase::Recovery, misread.words(), ended.and_then(|ended| ended))?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Damage at every boundary of a workload.
    fn damages(&mut self) -> ControlFlow<()> {
        let plan = Arc::new(Plan::of(self.seed));
        let seed = self.seed;
        let whole = match caught(|| run(&plan, seed, None)).and_then(|run| run) {
            Ok(Run { stopped_by: None, log, boundaries, .. }) => (log, boundaries),
            Ok(Run { stopped_by: Some(error), .. }) => {
                return self.ended(Phase::Normal, "no fault", Err(error.to_string()));
            }
            Err(message) => return self.ended(Phase::Normal, "no fault", Err(message)),
        };
        let (log, boundaries) = whole;
        // The same lives with other values: its tables have the same numbers, and mostly the same lengths.
        let twin = match caught(|| run(&Arc::new(plan.twin()), seed, None)).and_then(|run| run) {
            Ok(run) => run,
            Err(message) => return self.ended(Phase::Normal, "no fault", Err(message)),
        };
        let mut rng = Rng::from_seed(seed).fork("damages");
        for last in 0..boundaries.len() {
            for damage in Damage::ALL.into_iter().cycle().take(Damage::ALL.len() * DAMAGES) {
                let machine = all_kept(&boundaries[last].image, rng.next_u64());
                let (boundaries, twin) =
                    (&boundaries[..=last], all_kept(&twin.boundaries[last.min(twin.boundaries.len() - 1)].image, seed));
                let twin = &twin;
                let ended =
                    caught(|| damage::endure(&machine, damage, twin, &plan.options, &log, boundaries, &mut rng));
                self.ended(Phase::Normal, damage.words(), ended.and_then(|ended| ended))?;
            }
        }
        ControlFlow::Continue(())
    }
}

fn all_kept(image: &DiskImage, seed: u64) -> SoloMachine {
    let survivor = uniform(image.unsynced_names(), &image.fates(1, &mut Rng::from_seed(seed)), true);
    SoloMachine::found(image, &survivor, DiskSettings::default(), seed)
}

/// A call fails while the engine works.
fn fail_living(plan: &Arc<Plan>, seed: u64, failing: Failing, rng: &mut Rng) -> Result<Option<Ending>, String> {
    let Run { machine, log, boundaries, stopped_by } = run(plan, seed, Some(failing))?;
    let error = match stopped_by {
        Some(error) => error.to_string(),
        // A job may be tried again; what was promised holds all the same.
        None if machine.faults_struck() > 0 => "a failure that stopped nobody".to_string(),
        None => return Ok(None),
    };
    let bounds = log.bounds(boundaries.len());
    let image = machine.image();
    for survivor in survivors(&image, SURVIVORS_MOST, rng) {
        let found = SoloMachine::found(&image, &survivor, DiskSettings::default(), seed);
        let recovered = recover(&found, seed, &plan.options, &log, bounds);
        recovered.map_err(|unfit| format!("after `{error}` and a power loss ({survivor:?}), {unfit}"))?;
    }
    let may_refuse = matches!(failing, Failing::Sync(_));
    killed_and_recovered(&machine, plan, &log, bounds, may_refuse, rng)
        .map(Some)
        .map_err(|message| format!("after `{error}` {message}"))
}

/// The process is restarted, the engine recovered and written to; then power is lost.
fn killed_and_recovered(
    machine: &SoloMachine,
    plan: &Plan,
    log: &Log,
    bounds: Bounds,
    may_refuse: bool,
    rng: &mut Rng,
) -> Result<Ending, String> {
    let recovered = recover_recording(machine, rng.next_u64(), &plan.options, log, bounds);
    let (_, interrupted) = recovered.map_err(|unfit| format!("and a restart, {unfit}"))?;
    machine.power_loss(Survival::Random);
    let all = Bounds { at_least: interrupted.log.len(), at_most: interrupted.log.len(), end: bounds.end };
    match recover(machine, rng.next_u64(), &plan.options, &interrupted.log, all) {
        Ok(_) => Ok(Ending::Right),
        Err(Unfit::Refused(Error::Corrupt { .. } | Error::MarkerDamaged { .. })) if may_refuse => Ok(Ending::Refused),
        Err(unfit) => Err(format!("a restart and a power loss, {unfit}")),
    }
}

/// A call fails while the engine recovers.
fn fail_recovering(
    plan: &Arc<Plan>,
    seed: u64,
    whole: &Run,
    boundary: usize,
    failing: Failing,
    rng: &mut Rng,
) -> Result<Option<Ending>, String> {
    let (log, bounds) = (&whole.log, whole.log.bounds(boundary));
    let image = &whole.boundaries[boundary].image;
    let Some(survivor) = survivors(image, SURVIVORS_MOST, rng).pop() else { return Ok(None) };
    let machine = SoloMachine::found(image, &survivor, DiskSettings::default(), seed);
    failing.arrange(&machine);
    let options = plan.options.clone();
    let opened = machine.run(seed, |world| async move { Db::open(world, DIRECTORY.as_ref(), options).await.map(drop) });
    machine.set(DiskSettings::default());
    match opened {
        Ok(()) if machine.faults_struck() > 0 => {
            return Err("a call failed while recovering, and nobody noticed".to_string());
        }
        Ok(()) => return Ok(None),
        Err(Error::Disk(_)) => {}
        Err(error) => return Err(format!("a failed call gave `{error}`")),
    }
    let may_refuse = matches!(failing, Failing::Sync(_));
    killed_and_recovered(&machine, plan, log, bounds, may_refuse, rng).map(Some)
}

/// Reads give other bytes than there are: everything read is right, or refused, or a cut end of the log is reported. When
/// reads are right again, so is everything.
fn misread_everything(
    plan: &Arc<Plan>,
    seed: u64,
    whole: &Run,
    boundary: usize,
    misread: Failing,
    rng: &mut Rng,
) -> Result<Option<Ending>, String> {
    let (log, bounds) = (&whole.log, whole.log.bounds(boundary));
    let machine = all_kept(&whole.boundaries[boundary].image, seed);
    misread.arrange(&machine);
    let loose = Bounds { at_least: 0, ..bounds };
    let left = machine.run(rng.next_u64(), |world| damage::read_what_is_left(world, &plan.options, log, loose))?;
    machine.set(DiskSettings::default());
    if machine.faults_struck() == 0 {
        return Ok(None);
    }
    let at_least = match left.count {
        Some(count) if count < bounds.at_least && !left.is_cut => {
            return Err(format!("{count} of {} durable writes were read, and nothing is reported", bounds.at_least));
        }
        Some(count) => count,
        None => bounds.at_least,
    };
    let bounds = Bounds { at_least, ..bounds };
    let after = machine.run(rng.next_u64(), |world| damage::read_what_is_left(world, &plan.options, log, bounds))?;
    match (after.refusals.first(), left.is_cut) {
        (Some(error), _) => Err(format!("when reads were right again, it says: {error}")),
        (None, true) => Ok(Some(Ending::CutShort)),
        (None, false) if left.refusals.is_empty() => Ok(Some(Ending::Right)),
        (None, false) => Ok(Some(Ending::Refused)),
    }
}
