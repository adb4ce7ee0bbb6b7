//! Faults, injected and healed: one task each, from its time, or from what it waits for, to its end.
//!
//! ```text
//!   at: 5s               wait ─────────────▶ do ── until its end ──▶ undo ─▶ what did it meet?
//!   when: a sync ...     watch ─▶ fired ───▶ do, at the very moment
//!                              ╰▶ never, until the workload ends: nothing to tell, and the run is vacuous
//! ```
//!
//! A fault that is still in force when the workload ends is healed then. Each says how many messages or operations it met:
//! a fault that met nothing proves nothing. What draws, draws from a stream of the fault's own.

mod disks;
mod machines;
mod network;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cluster::world::NodeId;
use engine::world::{Rng, TaskHandle as _};

use super::Injected;
use super::links::LinkChanges;
use super::nodes::{Cluster, peer};
use crate::scenario::{Damage, Event, Happening, Injection, Plan, ScheduledFault, Trigger, damage, note};
use crate::world::{DiskCopy, Laboratory, Mark, SimulatedTask, Watch, Watched};

/// Every fault of a run, under way.
pub(super) struct Injections {
    tasks: Vec<SimulatedTask<()>>,
    done: Arc<Mutex<Vec<Injected>>>,
}

impl Injections {
    /// Waits until every fault has been healed, and tells what each met.
    pub(super) async fn finish(self) -> Vec<Injected> {
        for task in self.tasks {
            task.join().await.expect("nobody cancels a fault");
        }
        let mut done = std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner));
        done.sort_by_key(|injected| (injected.at_micros, injected.fault));
        done
    }
}

/// Sets a task on each scheduled fault.
pub(super) fn begin(
    laboratory: &Laboratory,
    cluster: &Cluster,
    plan: &Arc<Plan>,
    scheduled: Vec<ScheduledFault>,
    zero: u64,
) -> Injections {
    let done: Arc<Mutex<Vec<Injected>>> = Arc::default();
    let links = LinkChanges::new(laboratory, plan);
    let tasks = scheduled.into_iter().enumerate().map(|(place, fault)| {
        let rng = laboratory.rng(&format!("injection {place}"));
        let (laboratory_of_fault, links) = (laboratory.clone(), links.clone());
        let mut injector =
            Injector { laboratory: laboratory_of_fault, cluster: cluster.clone(), links, zero, rng, copy: None };
        let (done, plan) = (done.clone(), plan.clone());
        laboratory.spawn(async move {
            injector.take_copy(&fault.injection).await;
            let duration = plan.workload.duration_micros;
            let Some(at_micros) = injector.begins(&fault, duration).await else { return };
            let end = match fault.when {
                None => fault.until_micros.unwrap_or(duration),
                Some(_) => fault.lasts_micros.map_or(duration, |lasts| duration.min(at_micros + lasts)),
            };
            let met = injector.inject(&fault.injection, end).await;
            if fault.injection.is_of_the_network() {
                injector.laboratory.mark(Mark::Heal);
            }
            let (name, targets) = fault.injection.told();
            done.lock().unwrap_or_else(PoisonError::into_inner).push(Injected {
                fault: fault.fault,
                name,
                targets,
                at_micros,
                until_micros: (!fault.injection.is_instant()).then_some(end),
                met,
                damaged: damaged(&plan, &fault),
            });
        })
    });
    Injections { tasks: tasks.collect(), done }
}

/// Whose copies a fault has damaged, and how.
fn damaged(plan: &Plan, fault: &ScheduledFault) -> BTreeMap<NodeId, Damage> {
    let mut nodes = BTreeMap::new();
    let Some(damage) = damage(plan, &plan.faults[fault.fault].action) else { return nodes };
    match &fault.injection {
        Injection::Crash { victims, .. } => victims.iter().for_each(|victim| note(&mut nodes, victim.node, damage)),
        Injection::RollingRestart { turns, .. } => turns.iter().for_each(|turn| note(&mut nodes, turn.node, damage)),
        Injection::ReplaceDisk { node, .. } | Injection::BitRot { node, .. } | Injection::Disk { node, .. } => {
            note(&mut nodes, *node, damage);
        }
        _ => {}
    }
    nodes
}

struct Injector {
    laboratory: Laboratory,
    cluster: Cluster,
    links: LinkChanges,
    zero: u64,
    rng: Rng,
    /// The copy of a disk that this fault puts back.
    copy: Option<DiskCopy>,
}

impl Injector {
    /// Waits until `micros` of the workload have passed.
    async fn wait_until(&self, micros: u64) {
        self.laboratory.sleep_until_micros(self.zero + micros).await;
    }

    /// How much of the workload has passed.
    fn now(&self) -> u64 {
        self.laboratory.now_micros() - self.zero
    }

    fn micros_until(&self, micros: u64) -> u64 {
        micros.saturating_sub(self.now())
    }

    /// Takes the copy that a fault will put back, when its time has come.
    async fn take_copy(&mut self, injection: &Injection) {
        if let Injection::ReplaceDisk { node, taken_micros: Some(taken), .. } = injection {
            self.wait_until(*taken).await;
            self.copy = Some(self.cluster.member(*node).machine.disk().copy());
        }
    }

    /// Waits for the moment at which a fault begins, and returns it; `None` when what it waits for does not come.
    async fn begins(&self, fault: &ScheduledFault, duration: u64) -> Option<u64> {
        let Some(trigger) = fault.when else {
            self.wait_until(fault.at_micros).await;
            return Some(fault.at_micros);
        };
        if fault.at_micros > self.now() {
            self.wait_until(fault.at_micros).await;
        }
        let watch = self.laboratory.watch(watch(&trigger));
        tokio::select! {
            biased;
            micros = watch.fired() => Some(micros - self.zero),
            () = self.wait_until(duration) => None,
        }
    }

    /// Does one fault, waits until its end, undoes it, and tells what it met.
    async fn inject(&self, injection: &Injection, end: u64) -> u64 {
        if let Some(met) = self.inject_network(injection, end).await {
            return met;
        }
        if let Some(met) = self.inject_disk(injection, end).await {
            return met;
        }
        self.inject_machine(injection, end).await.expect("every fault is one of a network, a disk or a machine")
    }
}

/// A trigger as the world watches for it.
fn watch(trigger: &Trigger) -> Watch {
    let mark = |event| match event {
        Event::Heal => Mark::Heal,
        Event::Restart { node } => Mark::Restart(node),
    };
    let what = match trigger.what {
        Happening::Operation { node, operation, file } => Watched::Operation { node, operation, file },
        Happening::Message { message, from, to } => {
            Watched::Message { message, from: from.as_ref().map(peer), to: to.as_ref().map(peer) }
        }
        Happening::Event(event) => Watched::Mark(mark(event)),
    };
    Watch { what, count: trigger.count, after: trigger.after.map(mark) }
}
