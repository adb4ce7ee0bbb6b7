//! Faults, injected and healed: one task each, from its time to its end.
//!
//! A fault that is still in force when the workload ends is healed then. Each says how many messages or operations it met:
//! a fault that met nothing proves nothing.

use std::sync::{Arc, Mutex, PoisonError};

use cluster::world::{NodeId, Peer};
use engine::world::TaskHandle as _;

use super::Injected;
use super::links::{Change, LinkChanges, Scope};
use super::nodes::{Cluster, latency, peer};
use crate::scenario::{Injection, Member, Plan, Power, ScheduledFault, Victim};
use crate::world::{Laboratory, SimulatedTask};

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
    let tasks = scheduled.into_iter().map(|fault| {
        let (laboratory_of_fault, links) = (laboratory.clone(), links.clone());
        let injector = Injector { laboratory: laboratory_of_fault, cluster: cluster.clone(), links, zero };
        let (done, duration) = (done.clone(), plan.workload.duration_micros);
        laboratory.spawn(async move {
            injector.wait_until(fault.at_micros).await;
            let end = fault.until_micros.unwrap_or(duration);
            let met = injector.inject(&fault.injection, end).await;
            let instant = matches!(fault.injection, Injection::ClockStep { .. });
            let (name, targets) = describe(&fault.injection);
            done.lock().unwrap_or_else(PoisonError::into_inner).push(Injected {
                fault: fault.fault,
                name,
                targets,
                at_micros: fault.at_micros,
                until_micros: (!instant).then_some(end),
                met,
            });
        })
    });
    Injections { tasks: tasks.collect(), done }
}

struct Injector {
    laboratory: Laboratory,
    cluster: Cluster,
    links: LinkChanges,
    zero: u64,
}

impl Injector {
    /// Waits until `micros` of the workload have passed.
    async fn wait_until(&self, micros: u64) {
        self.laboratory.sleep_until_micros(self.zero + micros).await;
    }

    /// Does one fault, waits until its end, undoes it, and tells what it met.
    async fn inject(&self, injection: &Injection, end: u64) -> u64 {
        let network = self.laboratory.network();
        match injection {
            Injection::Partition { groups } => {
                let groups: Vec<Vec<Peer>> = groups.iter().map(|group| peers(group)).collect();
                let partition = network.split(&groups);
                self.wait_until(end).await;
                network.unblock(partition)
            }
            Injection::PartitionOneWay { from, to } => {
                let partition = network.block(&peers(from), &peers(to));
                self.wait_until(end).await;
                network.unblock(partition)
            }
            Injection::Isolate { node } => {
                let others = self.cluster.nodes().filter(|other| other != node).map(Peer::Node).collect();
                let partition = network.split(&[vec![Peer::Node(*node)], others]);
                self.wait_until(end).await;
                network.unblock(partition)
            }
            Injection::Crash { power, victims } => self.crash(*power, victims).await,
            Injection::Pause { node } => self.pause(*node, end).await,
            Injection::SlowDisk { node, factor } => self.slow_disk(*node, *factor, end).await,
            Injection::SlowLink { from, to, latency: slow } => {
                let change = Change { latency: Some(latency(*slow)), ..Change::default() };
                self.change_links(Scope::Links(peers(from), peers(to)), change, end).await
            }
            Injection::Network { latency: slow, loss_ppm, duplicate_ppm } => {
                let change = Change { latency: slow.map(latency), loss_ppm: *loss_ppm, duplicate_ppm: *duplicate_ppm };
                self.change_network(change, end).await
            }
            Injection::ClockStep { node, by_micros } => {
                let machine = &self.cluster.member(*node).machine;
                let sent = machine.counters().messages_sent;
                machine.clock().step_micros(*by_micros);
                self.wait_until(end).await;
                machine.counters().messages_sent - sent
            }
        }
    }

    /// Crashes the victims at once; each comes back by itself.
    async fn crash(&self, power: Power, victims: &[Victim]) -> u64 {
        let before = self.laboratory.counters();
        let mut struck = 0;
        for victim in victims {
            struck += self.strike(power, victim.node);
        }
        // One timeline for all victims: (time, node, true to start it or false to crash it again).
        let mut events: Vec<(u64, NodeId, bool)> = Vec::new();
        for victim in victims {
            let mut at = self.laboratory.now_micros() + victim.down_micros;
            events.push((at, victim.node, true));
            for again in &victim.again {
                at += again.after_micros;
                events.push((at, victim.node, false));
                at += again.down_micros;
                events.push((at, victim.node, true));
            }
        }
        events.sort_unstable();
        for (at, node, start) in events {
            self.laboratory.sleep_until_micros(at).await;
            if start {
                self.cluster.member(node).start();
            } else {
                struck += self.strike(power, node);
            }
        }
        let after = self.laboratory.counters();
        struck + after.dropped_down + after.dropped_reset - before.dropped_down - before.dropped_reset
    }

    fn strike(&self, power: Power, node: NodeId) -> u64 {
        match power {
            Power::Lost => self.cluster.power_loss(node),
            Power::Kept => self.cluster.kill(node),
        }
    }

    async fn pause(&self, node: NodeId, end: u64) -> u64 {
        let machine = &self.cluster.member(node).machine;
        let delivered = machine.counters().messages_delivered;
        machine.pause();
        self.wait_until(end).await;
        machine.resume();
        machine.counters().messages_delivered - delivered
    }

    async fn slow_disk(&self, node: NodeId, factor: u32, end: u64) -> u64 {
        let machine = &self.cluster.member(node).machine;
        let (disk, before) = (machine.disk(), machine.counters().disk.operations());
        let mut settings = disk.settings();
        settings.slow_factor *= u64::from(factor);
        disk.set(settings);
        self.wait_until(end).await;
        let mut settings = disk.settings();
        settings.slow_factor /= u64::from(factor);
        disk.set(settings);
        machine.counters().disk.operations() - before
    }

    /// Changes the whole network until the end, beside whatever else changes it. Every declared change must have met
    /// something, so the least of them counts.
    async fn change_network(&self, change: Change, end: u64) -> u64 {
        let before = self.laboratory.counters();
        self.change_links(Scope::Network, change, end).await;
        let now = self.laboratory.counters();
        let met = [
            change.latency.map(|_| now.messages_sent - before.messages_sent),
            change.loss_ppm.map(|_| now.dropped_loss - before.dropped_loss),
            change.duplicate_ppm.map(|_| now.messages_duplicated - before.messages_duplicated),
        ];
        met.into_iter().flatten().min().unwrap_or(0)
    }

    /// Puts a change in force until the end; returns how many frames met it, for links of their own.
    async fn change_links(&self, scope: Scope, change: Change, end: u64) -> u64 {
        let number = self.links.begin(&self.laboratory, scope, change);
        self.wait_until(end).await;
        self.links.end(&self.laboratory, number)
    }
}

fn peers(members: &[Member]) -> Vec<Peer> {
    members.iter().map(peer).collect()
}

/// A fault's name and targets, for people.
fn describe(injection: &Injection) -> (String, String) {
    let list = |members: &[Member]| members.iter().map(Member::to_string).collect::<Vec<_>>().join(" ");
    match injection {
        Injection::Partition { groups } => {
            ("partition".to_string(), groups.iter().map(|group| list(group)).collect::<Vec<_>>().join(" | "))
        }
        Injection::PartitionOneWay { from, to } => {
            ("one-way partition".to_string(), format!("{} -> {}", list(from), list(to)))
        }
        Injection::Isolate { node } => ("isolated".to_string(), node.to_string()),
        Injection::Crash { power, victims } => {
            let name = if *power == Power::Lost { "power lost" } else { "killed" };
            (name.to_string(), victims.iter().map(|victim| victim.node.to_string()).collect::<Vec<_>>().join(" "))
        }
        Injection::Pause { node } => ("paused".to_string(), node.to_string()),
        Injection::SlowDisk { node, factor } => (format!("disk {factor} x slower"), node.to_string()),
        Injection::SlowLink { from, to, .. } => ("slow link".to_string(), format!("{} -> {}", list(from), list(to))),
        Injection::Network { .. } => ("network".to_string(), "all links".to_string()),
        Injection::ClockStep { node, by_micros } => {
            (format!("clock {}", crate::scenario::time_signed_text(*by_micros)), node.to_string())
        }
    }
}
