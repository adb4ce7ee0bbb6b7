//! Who holds which partition: computed once from members, replication and partition count, then only looked up.
//!
//! Owners are dealt out in rounds: each round gives every member one partition, in an order shuffled by a stream that
//! depends on the round alone. So every member owns its share to within one partition, neighbours on the ring vary, and
//! every node and client computes the same table.

use std::collections::BTreeMap;
use std::ops::Range;

use engine::world::Rng;

use super::token::{PartitionId, Token};
use crate::world::NodeId;

/// Most partitions a ring may have: a partition's number takes two bytes of every engine key.
pub const MAX_PARTITIONS: u32 = 65_536;

/// A placement that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// The ring is cut by the highest bits of a token.
    #[error("{0} partitions: the number must be a power of two from 1 to {MAX_PARTITIONS}")]
    PartitionsNotPowerOfTwo(u32),
    /// Replicas live on distinct nodes.
    #[error("replication is {replication}, but the cluster has {members} node(s): replicas need distinct nodes")]
    MoreReplicasThanNodes {
        /// What was asked for.
        replication: usize,
        /// How many nodes there are.
        members: usize,
    },
    /// No replicas, no data.
    #[error("replication is 0: each key needs at least one replica")]
    NoReplicas,
    /// Every member should own something.
    #[error("{partitions} partitions for {members} nodes: every node needs at least one; use more partitions")]
    FewerPartitionsThanNodes {
        /// What was asked for.
        partitions: u32,
        /// How many nodes there are.
        members: usize,
    },
}

/// Which nodes hold which partition, in one numbered epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    epoch: u64,
    replication: usize,
    members: Vec<NodeId>,
    owners: Vec<NodeId>,
    /// The preference lists of all partitions, one after the other, `replication` entries each.
    preference: Vec<NodeId>,
}

/// Where one key lives, and why: key -> token -> partition -> nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlacement {
    /// The key's point on the ring.
    pub token: Token,
    /// The arc it falls into.
    pub partition: PartitionId,
    /// That arc's first and last token.
    pub bounds: (Token, Token),
    /// The nodes that hold the key, most preferred first.
    pub replicas: Vec<NodeId>,
}

impl Placement {
    /// Computes the placement of `partitions` over `members` (duplicates count once).
    pub fn new(epoch: u64, members: &[NodeId], replication: usize, partitions: u32) -> Result<Self, PlacementError> {
        let mut members = members.to_vec();
        members.sort_unstable();
        members.dedup();
        if !partitions.is_power_of_two() || partitions > MAX_PARTITIONS {
            return Err(PlacementError::PartitionsNotPowerOfTwo(partitions));
        }
        if replication == 0 {
            return Err(PlacementError::NoReplicas);
        }
        if replication > members.len() {
            return Err(PlacementError::MoreReplicasThanNodes { replication, members: members.len() });
        }
        if (partitions as usize) < members.len() {
            return Err(PlacementError::FewerPartitionsThanNodes { partitions, members: members.len() });
        }
        let owners = deal(&members, partitions as usize);
        let preference = (0..owners.len()).flat_map(|start| walk(&owners, start, replication)).collect();
        Ok(Self { epoch, replication, members, owners, preference })
    }

    /// The number of this placement; requests carry it, and replicas refuse any other.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// N: how many distinct nodes hold each key.
    pub fn replication(&self) -> usize {
        self.replication
    }

    /// How many partitions the ring has.
    pub fn partitions(&self) -> u32 {
        self.owners.len() as u32
    }

    /// Every node, ordered.
    pub fn members(&self) -> &[NodeId] {
        &self.members
    }

    /// The partition of a user key.
    pub fn partition_of(&self, key: &[u8]) -> PartitionId {
        Token::of(key).partition(self.partitions())
    }

    /// The nodes that hold a partition, most preferred first: always `replication` distinct nodes.
    pub fn replicas(&self, partition: PartitionId) -> &[NodeId] {
        let start = usize::from(partition.0) * self.replication;
        &self.preference[start..start + self.replication]
    }

    /// The partitions that `node` holds a replica of, ordered.
    pub fn held_by(&self, node: NodeId) -> impl Iterator<Item = PartitionId> {
        self.all().filter(move |partition| self.replicas(*partition).contains(&node))
    }

    /// The partitions that `node` owns, its virtual nodes, ordered.
    pub fn owned_by(&self, node: NodeId) -> impl Iterator<Item = PartitionId> {
        self.all().filter(move |partition| self.owners[usize::from(partition.0)] == node)
    }

    /// Every partition, ordered.
    pub fn all(&self) -> impl Iterator<Item = PartitionId> + use<> {
        let range: Range<u32> = 0..self.partitions();
        range.map(|number| PartitionId(number as u16))
    }

    /// Where `key` lives and why.
    pub fn explain(&self, key: &[u8]) -> KeyPlacement {
        let token = Token::of(key);
        let partition = token.partition(self.partitions());
        let replicas = self.replicas(partition).to_vec();
        KeyPlacement { token, partition, bounds: partition.bounds(self.partitions()), replicas }
    }

    /// How many partitions each member owns.
    pub fn shares(&self) -> BTreeMap<NodeId, usize> {
        let mut shares: BTreeMap<NodeId, usize> = self.members.iter().map(|member| (*member, 0)).collect();
        for owner in &self.owners {
            *shares.entry(*owner).or_default() += 1;
        }
        shares
    }
}

/// Deals partitions to members in shuffled rounds.
fn deal(members: &[NodeId], partitions: usize) -> Vec<NodeId> {
    let stream = Rng::from_seed(0x5704_96a5);
    let mut owners = Vec::with_capacity(partitions);
    let mut round_number = 0_u64;
    while owners.len() < partitions {
        let mut round = members.to_vec();
        stream.fork(&format!("round {round_number}")).shuffle(&mut round);
        owners.extend(round.into_iter().take(partitions - owners.len()));
        round_number += 1;
    }
    owners
}

/// The first `count` distinct owners met from `start` clockwise.
fn walk(owners: &[NodeId], start: usize, count: usize) -> Vec<NodeId> {
    let mut met = Vec::with_capacity(count);
    for step in 0..owners.len() {
        let owner = owners[(start + step) % owners.len()];
        if !met.contains(&owner) {
            met.push(owner);
            if met.len() == count {
                break;
            }
        }
    }
    assert_eq!(met.len(), count, "every member owns a partition, so the walk meets enough of them");
    met
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(count: u16) -> Vec<NodeId> {
        (1..=count).map(NodeId).collect()
    }

    #[test]
    fn every_partition_has_distinct_replicas_and_the_owner_comes_first() {
        let placement = Placement::new(1, &members(5), 3, 128).unwrap();
        for partition in placement.all() {
            let mut replicas = placement.replicas(partition).to_vec();
            assert!(placement.owned_by(replicas[0]).any(|owned| owned == partition));
            replicas.sort_unstable();
            replicas.dedup();
            assert_eq!(replicas.len(), 3);
        }
    }

    #[test]
    fn ownership_is_even_to_within_one_partition() {
        for count in 1..=16 {
            let shares = Placement::new(1, &members(count), 1, 256).unwrap().shares();
            let (least, most) = (shares.values().min().unwrap(), shares.values().max().unwrap());
            assert!(most - least <= 1, "{count} nodes: {shares:?}");
        }
    }

    #[test]
    fn replicas_held_are_even_to_within_a_third() {
        let placement = Placement::new(1, &members(5), 3, 256).unwrap();
        for node in placement.members() {
            let held = placement.held_by(*node).count();
            assert!((110..=200).contains(&held), "{node} holds {held} of 256 partitions, 154 would be even");
        }
    }

    #[test]
    fn the_placement_depends_on_the_set_of_members_not_on_their_order() {
        let forward = Placement::new(1, &members(5), 3, 64).unwrap();
        let mut reversed = members(5);
        reversed.reverse();
        reversed.push(NodeId(3));
        assert_eq!(forward, Placement::new(1, &reversed, 3, 64).unwrap());
    }

    #[test]
    fn impossible_placements_are_refused() {
        let refused = |replication, partitions| Placement::new(1, &members(3), replication, partitions).unwrap_err();
        assert!(matches!(refused(4, 64), PlacementError::MoreReplicasThanNodes { .. }));
        assert!(matches!(refused(0, 64), PlacementError::NoReplicas));
        assert!(matches!(refused(3, 100), PlacementError::PartitionsNotPowerOfTwo(100)));
        assert!(matches!(refused(3, 131_072), PlacementError::PartitionsNotPowerOfTwo(_)));
        assert!(matches!(refused(3, 2), PlacementError::FewerPartitionsThanNodes { .. }));
    }

    #[test]
    fn keys_spread_over_partitions_evenly() {
        let placement = Placement::new(1, &members(5), 3, 16).unwrap();
        let mut counts = [0_u32; 16];
        for number in 0..16_000 {
            counts[usize::from(placement.partition_of(format!("key{number}").as_bytes()).0)] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }
}
