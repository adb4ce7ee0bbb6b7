//! Every crash state of one seed: the workload runs once, then each boundary's survivors are recovered and judged.
//!
//! ```text
//!   plan ─▶ workload, once, in the sealed world ─▶ boundaries, ledger
//!     boundary x survivor ─▶ hash: seen?  no ─▶ recover, judge ───────────────▶ one more state
//!                              │                  ╰─ one in so many: each boundary of the recovery x survivor ─▶ ...
//!                              ╰── yes ─▶ the same disk recovers to the same: only the bounds are compared
//! ```
//!
//! A state is counted once, by the hash of all names and bytes on the disk, however many crashes lead to it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use cluster::world::NodeId;
use engine::Options;
use engine::world::{Rng, TaskHandle};

use super::ledger::{Bounds, Ledger, Log};
use super::live::{Lived, live};
use super::plan::Plan;
use super::recover::{Interrupted, Unfit, judge_copied, recover, recover_recording};
use super::survivors::survivors;
use super::{FileKind, Phase, Settings, State, Violation, caught};
use crate::world::{Boundary, DiskSettings, Laboratory, NodeSettings, SoloMachine, Survivor, run_sealed};

/// How many writes each copy holds, `None` for one that is not whole; `None` when they were not looked at.
type Copies = Option<Vec<Option<usize>>>;

/// What a seed's exploration came to.
#[derive(Debug, Default)]
pub struct Exploration {
    /// Boundaries of the workload, and of the recoveries that were interrupted.
    pub boundaries: u64,
    /// Distinct states of the disk.
    pub states: u64,
    /// Manifests that the workload began while the engine was open.
    pub manifests_rotated: u64,
    /// What went wrong, the first of it.
    pub violations: Vec<Violation>,
}

/// Explores a seed. `watch` sees each distinct state once it was judged, and may end it all.
pub fn explore(seed: u64, settings: &Settings, watch: &mut dyn FnMut(&State) -> ControlFlow<()>) -> Exploration {
    let plan = Arc::new(Plan::of(seed));
    let mut explorer = Explorer {
        seed,
        settings,
        options: plan.options.clone(),
        openings: plan.lives.len() as u64,
        watch,
        seen: BTreeMap::new(),
        found: Exploration::default(),
    };
    let _ = match workload(seed, &plan, settings.disk) {
        Ok((log, boundaries)) => explorer.normal(&log, &boundaries),
        Err(message) => explorer.violated(Violation::of_workload(seed, message)),
    };
    explorer.found
}

/// Runs the plan once. Returns the writes, and the disk's boundaries.
fn workload(seed: u64, plan: &Arc<Plan>, disk: DiskSettings) -> Result<(Log, Vec<Boundary>), String> {
    let plan = Arc::clone(plan);
    let run = caught(move || {
        run_sealed(seed, async move |laboratory: Laboratory| {
            let node = laboratory.node(NodeId(1), NodeSettings { disk, ..NodeSettings::default() });
            let ledger = Ledger::new(node.disk().record());
            for life in 0..plan.lives.len() {
                let (plan, inside) = (Arc::clone(&plan), ledger.clone());
                let lived = node.start(move |world| live(world, plan, life, inside)).join().await;
                node.kill();
                match lived.map_err(|end| format!("life {life}: {end}"))?? {
                    Lived::Well => {}
                    Lived::Until(error) => return Err(format!("life {life}: {error}")),
                }
            }
            Ok((ledger.log(), node.disk().take_recording()))
        })
        .value
    });
    let (log, boundaries) = run??;
    log.check_sequences()?;
    Ok((log, boundaries))
}

struct Explorer<'a> {
    seed: u64,
    settings: &'a Settings,
    options: Options,
    /// Openings of the workload.
    openings: u64,
    watch: &'a mut dyn FnMut(&State) -> ControlFlow<()>,
    /// The states that were judged, and how many writes each recovered, in the database and in each copy.
    seen: BTreeMap<u128, (usize, Copies)>,
    found: Exploration,
}

/// A crash: where, and what survived.
struct Crash<'a> {
    phase: Phase,
    boundary: usize,
    operation: &'static str,
    file: FileKind,
    survivor: &'a Survivor,
    log: &'a Log,
    bounds: Bounds,
}

impl Explorer<'_> {
    /// Every boundary of the workload.
    fn normal(&mut self, log: &Log, boundaries: &[Boundary]) -> ControlFlow<()> {
        let is_begun =
            |boundary: &&Boundary| boundary.operation == "create" && FileKind::of(&boundary.path) == FileKind::Manifest;
        self.found.manifests_rotated =
            (boundaries.iter().filter(is_begun).count() as u64).saturating_sub(self.openings);
        for (number, boundary) in boundaries.iter().enumerate() {
            self.found.boundaries += 1;
            let mut rng = Rng::from_seed(self.seed).fork("survivors").fork(&number.to_string());
            for survivor in survivors(&boundary.image, self.settings.survivors_most, &mut rng) {
                let bounds = log.bounds(number);
                let (phase, operation, file) = (Phase::Normal, boundary.operation, FileKind::of(&boundary.path));
                let crash = Crash { phase, boundary: number, operation, file, survivor: &survivor, log, bounds };
                let machine = self.machine(boundary, &survivor);
                if self.is_seen(&machine, &crash)? {
                    continue;
                }
                if let Some(interrupted) = self.judge(&machine, &crash)? {
                    self.recovery(&interrupted)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Every boundary of a recovery.
    fn recovery(&mut self, interrupted: &Interrupted) -> ControlFlow<()> {
        for (number, boundary) in interrupted.boundaries.iter().enumerate() {
            self.found.boundaries += 1;
            let mut rng = Rng::from_seed(self.seed).fork(&format!("recovery {} {number}", self.found.states));
            for survivor in survivors(&boundary.image, self.settings.survivors_most_recovering, &mut rng) {
                let (log, bounds) = (&interrupted.log, interrupted.bounds(number));
                let (phase, operation, file) = (Phase::Recovery, boundary.operation, FileKind::of(&boundary.path));
                let crash = Crash { phase, boundary: number, operation, file, survivor: &survivor, log, bounds };
                let machine = self.machine(boundary, &survivor);
                if !self.is_seen(&machine, &crash)? {
                    self.judge(&machine, &crash)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn machine(&self, boundary: &Boundary, survivor: &Survivor) -> SoloMachine {
        SoloMachine::found(&boundary.image, survivor, DiskSettings::default(), self.seed)
    }

    /// Whether the same disk was judged before; then it recovers to the same, and only the bounds can be broken.
    fn is_seen(&mut self, machine: &SoloMachine, crash: &Crash<'_>) -> ControlFlow<(), bool> {
        let Some((count, copies)) = self.seen.get(&machine.hash()) else { return ControlFlow::Continue(false) };
        let (Bounds { at_least, at_most, end }, mut broken) = (crash.bounds, None);
        if !(at_least..=at_most).contains(count) {
            broken = Some(format!("it holds {count} writes, where {at_least} to {at_most} are right"));
        }
        let wanted = crash.log.copies_at(end).zip(copies.iter().flatten().copied().chain(std::iter::repeat(None)));
        for ((copy, is_made), count) in wanted.filter(|_| copies.is_some()) {
            broken = broken.or_else(|| judge_copied(crash.log, copy, is_made, count).err());
        }
        if let Some(message) = broken {
            self.violated(self.violation(crash, machine, message))?;
        }
        ControlFlow::Continue(true)
    }

    /// Judges a state that was not seen before. Returns its recovery's boundaries if they are to be explored.
    fn judge(&mut self, machine: &SoloMachine, crash: &Crash<'_>) -> ControlFlow<(), Option<Interrupted>> {
        let (hash, before) = (machine.hash(), machine.listing());
        self.found.states += 1;
        let number = self.found.states;
        let deeper = crash.phase == Phase::Normal && number.is_multiple_of(self.settings.interrupt_one_in);
        let judged = caught(|| {
            if deeper {
                let judged = recover_recording(machine, number, &self.options, crash.log, crash.bounds);
                return judged.map(|(count, interrupted)| ((count, None), Some(interrupted)));
            }
            let recovered = recover(machine, number, &self.options, crash.log, crash.bounds)?;
            Ok(((recovered.count, Some(recovered.copies)), None))
        });
        let interrupted = match judged.and_then(|judged| judged.map_err(|unfit: Unfit| unfit.to_string())) {
            Ok((counts, interrupted)) => {
                self.seen.insert(hash, counts);
                interrupted
            }
            Err(message) => {
                let mut violation = self.violation(crash, machine, message);
                violation.files = before;
                self.violated(violation)?;
                None
            }
        };
        let Crash { phase, operation, file, .. } = *crash;
        (self.watch)(&State { number, phase, operation, file, hash })?;
        ControlFlow::Continue(interrupted)
    }

    fn violation(&self, crash: &Crash<'_>, machine: &SoloMachine, message: String) -> Violation {
        Violation {
            seed: self.seed,
            state: Some(self.found.states),
            trial: None,
            phase: crash.phase,
            boundary: crash.boundary,
            operation: crash.operation,
            file: crash.file,
            survivor: format!("{:?}", crash.survivor),
            expected: (crash.bounds.at_least, crash.bounds.at_most),
            message,
            files: machine.listing(),
        }
    }

    fn violated(&mut self, violation: Violation) -> ControlFlow<()> {
        self.found.violations.push(violation);
        let is_enough = self.found.violations.len() >= self.settings.violations_most;
        if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// The hashes of states, for counting each once over many seeds.
pub type Hashes = BTreeSet<u128>;
