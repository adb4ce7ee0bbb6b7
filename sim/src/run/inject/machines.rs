//! Faults of clocks and of whole machines, done and undone.
//!
//! A node is crashed by one fault at a time. The schedule sees to that for faults that have a time; one that waits for
//! something to happen may find its node gone, and then leaves it alone.

use std::collections::BTreeSet;

use cluster::world::{NodeId, Peer};

use super::Injector;
use crate::scenario::{Injection, Power, Turn, Victim};
use crate::world::{DiskCopy, Hit, Mark, NetworkRule, NetworkVerdict};

impl Injector {
    /// Does a fault of a clock or of machines; `None` for one that is none.
    pub(super) async fn inject_machine(&self, injection: &Injection, end: u64) -> Option<u64> {
        Some(match injection {
            Injection::Crash { power, victims } => self.crash(*power, victims).await,
            Injection::RollingRestart { power, turns } => self.roll(*power, turns).await,
            Injection::ReplaceDisk { node, taken_micros, down_micros } => {
                self.replace(*node, taken_micros.is_some(), *down_micros).await
            }
            Injection::Pause { node } => self.pause(*node, end, false).await,
            Injection::Freeze { node } => self.pause(*node, end, true).await,
            Injection::ClockStep { node, by_micros } => {
                self.cluster.member(*node).machine.clock().step_micros(*by_micros);
                self.sent_until(*node, end).await
            }
            Injection::ClockSkew { node, by_micros } => {
                let clock = self.cluster.member(*node).machine.clock();
                clock.step_micros(*by_micros);
                let met = self.sent_until(*node, end).await;
                clock.step_micros(-*by_micros);
                met
            }
            Injection::ClockDrift { node, by_ppm } => {
                let clock = self.cluster.member(*node).machine.clock();
                clock.add_drift_ppm(*by_ppm);
                let met = self.sent_until(*node, end).await;
                clock.add_drift_ppm(-*by_ppm);
                met
            }
            Injection::ClockStrobe { node, by_micros, every_micros } => {
                self.strobe(*node, *by_micros, *every_micros, end).await
            }
            Injection::SlowNode { node, factor } => self.slow_node(*node, *factor, end).await,
            _ => return None,
        })
    }

    /// Waits until the end; returns how many frames the node sent meanwhile.
    async fn sent_until(&self, node: NodeId, end: u64) -> u64 {
        let machine = &self.cluster.member(node).machine;
        let sent = machine.counters().messages_sent;
        self.wait_until(end).await;
        machine.counters().messages_sent - sent
    }

    /// Crashes the victims at once; each comes back by itself.
    async fn crash(&self, power: Power, victims: &[Victim]) -> u64 {
        let before = self.laboratory.counters();
        let victims: Vec<&Victim> = victims.iter().filter(|victim| self.cluster.leaves(victim.node)).collect();
        if victims.is_empty() {
            return 0;
        }
        let mut struck = 0;
        for victim in &victims {
            struck += self.strike(power, victim.node);
        }
        // One timeline for all victims: (time, node, true to start it or false to crash it again).
        let mut events: Vec<(u64, NodeId, bool)> = Vec::new();
        for victim in &victims {
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
                self.restart(node);
            } else {
                struck += self.strike(power, node);
            }
        }
        victims.iter().for_each(|victim| self.cluster.is_back(victim.node));
        let after = self.laboratory.counters();
        struck + after.dropped_down + after.dropped_reset - before.dropped_down - before.dropped_reset
    }

    /// Restarts nodes one after the other.
    async fn roll(&self, power: Power, turns: &[Turn]) -> u64 {
        let (begin, mut met) = (self.laboratory.now_micros(), 0);
        for turn in turns {
            self.laboratory.sleep_until_micros(begin + turn.after_micros).await;
            let victim = Victim { node: turn.node, down_micros: turn.down_micros, again: Vec::new() };
            met += self.crash(power, &[victim]).await;
        }
        met
    }

    fn strike(&self, power: Power, node: NodeId) -> u64 {
        match power {
            Power::Lost => self.cluster.power_loss(node),
            Power::Kept => self.cluster.kill(node),
        }
    }

    fn restart(&self, node: NodeId) {
        self.cluster.member(node).start();
        self.laboratory.mark(Mark::Restart(Some(node)));
    }

    /// Takes a node's power and its disk; it comes back with an empty one, or with the copy.
    async fn replace(&self, node: NodeId, with_copy: bool, down_micros: u64) -> u64 {
        let copy: Option<&DiskCopy> = self.copy.as_ref();
        if with_copy != copy.is_some() || !self.cluster.leaves(node) {
            return 0;
        }
        let back = self.laboratory.now_micros() + down_micros;
        self.cluster.power_loss(node);
        let lost = self.cluster.member(node).machine.disk().replace(copy);
        self.laboratory.sleep_until_micros(back).await;
        self.restart(node);
        self.cluster.is_back(node);
        lost
    }

    /// Lets a node stand still until the end, its clocks with it if they are to.
    async fn pause(&self, node: NodeId, end: u64, with_clocks: bool) -> u64 {
        let machine = &self.cluster.member(node).machine;
        let (since, starts) = (self.laboratory.now_micros(), machine.starts());
        let delivered = machine.counters().messages_delivered;
        machine.pause();
        self.wait_until(end).await;
        // A process that was started meanwhile has seen the clocks go on.
        if with_clocks && machine.starts() == starts {
            machine.clock().stood_still_since(since);
        }
        machine.resume();
        machine.counters().messages_delivered - delivered
    }

    async fn strobe(&self, node: NodeId, by_micros: i64, every_micros: u64, end: u64) -> u64 {
        let machine = &self.cluster.member(node).machine;
        let (clock, sent) = (machine.clock(), machine.counters().messages_sent);
        let mut is_off = false;
        while self.now() < end {
            clock.step_micros(if is_off { -by_micros } else { by_micros });
            is_off = !is_off;
            self.wait_until(end.min(self.now() + every_micros)).await;
        }
        if is_off {
            clock.step_micros(-by_micros);
        }
        machine.counters().messages_sent - sent
    }

    /// Slows a node's disk and everything that it hears and says; a slow processor looks like that from outside.
    async fn slow_node(&self, node: NodeId, factor: u32, end: u64) -> u64 {
        let machine = &self.cluster.member(node).machine;
        let before = machine.counters().disk.operations();
        let this = || Some(BTreeSet::from([Peer::Node(node)]));
        let rule =
            |from, to| NetworkRule { from, to, message: None, hit: Hit::All, verdict: NetworkVerdict::Slow(factor) };
        self.multiply_slowness(node, factor);
        let frames = self.rules(vec![rule(this(), None), rule(None, this())], end).await;
        self.divide_slowness(node, factor);
        frames.min(machine.counters().disk.operations() - before)
    }
}
