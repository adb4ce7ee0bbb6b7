//! Faults of the network, done and undone. The end of each is a heal, which triggers may wait for.
//! Each begins, waits for its end, is undone, and says how many frames it met.

use cluster::world::Peer;

use super::super::links::{Change, Scope};
use super::super::nodes::{latency, peer};
use super::Injector;
use crate::scenario::{Injection, Member, MessageVerdict, TimeRange, WayVerdict};
use crate::world::{Hit, Mark, NetworkRule, NetworkVerdict, PartitionId};

impl Injector {
    /// Does a fault of the network; `None` for one that is none.
    pub(super) async fn inject_network(&self, injection: &Injection, end: u64) -> Option<u64> {
        let network = self.laboratory.network();
        Some(match injection {
            Injection::Partition { groups } => {
                let partition = network.split(&groups_of_peers(groups));
                self.heal_at(partition, end).await
            }
            Injection::PartitionOneWay { from, to } => {
                let partition = network.block(&peers(from), &peers(to));
                self.heal_at(partition, end).await
            }
            Injection::Isolate { node } => {
                let others = self.cluster.nodes().filter(|other| other != node).map(Peer::Node).collect();
                let partition = network.split(&[vec![Peer::Node(*node)], others]);
                self.heal_at(partition, end).await
            }
            Injection::Bridge { ways, .. } | Injection::MajoritiesRing { ways } => {
                let blocks: Vec<PartitionId> =
                    ways.iter().map(|(from, to)| network.block(&peers(from), &peers(to))).collect();
                self.wait_until(end).await;
                blocks.into_iter().map(|block| network.unblock(block)).sum()
            }
            Injection::Flapping { groups, cut, whole } => self.flap(groups, *cut, *whole, end).await,
            Injection::SlowLink { from, to, latency: slow } => {
                let change = Change { latency: Some(latency(*slow)), ..Change::default() };
                self.change_links(Scope::Links(peers(from), peers(to)), change, end).await
            }
            Injection::Network { latency: slow, loss_ppm, duplicate_ppm } => {
                let change = Change { latency: slow.map(latency), loss_ppm: *loss_ppm, duplicate_ppm: *duplicate_ppm };
                self.change_network(change, end).await
            }
            Injection::Messages { verdict, message, from, to, hit } => {
                let verdict = match verdict {
                    MessageVerdict::Drop => NetworkVerdict::Drop,
                    MessageVerdict::Delay(by) => NetworkVerdict::Delay(latency(*by)),
                    MessageVerdict::Duplicate => NetworkVerdict::Duplicate,
                    MessageVerdict::Corrupt => NetworkVerdict::Corrupt,
                };
                let set = |members: &[Member]| (!members.is_empty()).then(|| members.iter().map(peer).collect());
                let rule = NetworkRule { from: set(from), to: set(to), message: *message, hit: *hit, verdict };
                self.rules(vec![rule], end).await
            }
            Injection::Way { verdict, from, to } => {
                let verdict = match *verdict {
                    WayVerdict::Clog => NetworkVerdict::Clog,
                    WayVerdict::Capacity { bytes_per_second } => NetworkVerdict::BytesPerSecond(bytes_per_second),
                    WayVerdict::Drip { every_micros } => NetworkVerdict::EveryMicros(every_micros),
                    WayVerdict::HalfOpen => NetworkVerdict::HalfOpen,
                };
                let set = |members: &[Member]| Some(members.iter().map(peer).collect());
                let rule = NetworkRule { from: set(from), to: set(to), message: None, hit: Hit::All, verdict };
                self.rules(vec![rule], end).await
            }
            _ => return None,
        })
    }

    async fn heal_at(&self, partition: PartitionId, end: u64) -> u64 {
        self.wait_until(end).await;
        self.laboratory.network().unblock(partition)
    }

    /// Puts rules up until the end; returns how many frames they struck.
    pub(super) async fn rules(&self, rules: Vec<NetworkRule>, end: u64) -> u64 {
        let network = self.laboratory.network();
        let put_up = |(place, rule)| network.put_up(rule, self.rng.fork(&format!("rule {place}")));
        let ids: Vec<_> = rules.into_iter().enumerate().map(put_up).collect();
        self.wait_until(end).await;
        ids.into_iter().map(|id| network.take_down(id)).sum()
    }

    /// Cuts and heals by turns, until the end.
    async fn flap(&self, groups: &[Vec<Member>], cut: TimeRange, whole: TimeRange, end: u64) -> u64 {
        let (network, groups, mut rng) = (self.laboratory.network(), groups_of_peers(groups), self.rng.clone());
        let mut met = 0;
        while self.now() < end {
            let partition = network.split(&groups);
            self.wait_until(end.min(self.now() + cut.draw(&mut rng))).await;
            met += network.unblock(partition);
            self.laboratory.mark(Mark::Heal);
            self.wait_until(end.min(self.now() + whole.draw(&mut rng))).await;
        }
        met
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

fn groups_of_peers(groups: &[Vec<Member>]) -> Vec<Vec<Peer>> {
    groups.iter().map(|group| peers(group)).collect()
}
