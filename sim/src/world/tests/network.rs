//! The network: loss, duplication, delay, partitions in each direction, and frames that die with either end.

use std::collections::BTreeMap;

use cluster::world::{ClusterWorld, Network};
use engine::world::TaskHandle;

use super::*;

const STEADY: LinkSettings = LinkSettings::reliable(Latency::fixed(100));

/// Receives whatever arrives until the laboratory's time is `until`, and counts the frames by sender.
async fn received(laboratory: &Laboratory, world: &NodeWorld, until: u64) -> BTreeMap<Peer, u64> {
    let mut counts = BTreeMap::new();
    loop {
        tokio::select! {
            biased;
            (from, _frame) = world.network().recv() => *counts.entry(from).or_insert(0) += 1,
            () = laboratory.sleep_until_micros(until) => return counts,
        }
    }
}

#[test]
fn a_reply_reaches_the_identity_its_frame_came_from() {
    run_sealed(1, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, NodeSettings::default());
        node.start(|world| async move {
            loop {
                let (from, frame) = world.network().recv().await;
                world.network().send(from, frame);
            }
        });
        laboratory.network().set_near_link(LinkSettings::reliable(Latency::fixed(70)));
        let client = laboratory.client(ClientId(9), Some(N1));
        client.network().send(peer(N1), frame("hello"));
        assert_eq!(client.network().recv().await, (peer(N1), frame("hello")));
        assert_eq!(laboratory.now_micros(), 140);
    });
}

#[test]
fn frames_are_lost_and_doubled_about_as_often_as_asked_and_overtake_each_other() {
    let counters = run_sealed(1, async |laboratory: Laboratory| {
        let link = LinkSettings { latency: Latency::quantiles(500, 5_000), loss_ppm: 100_000, duplicate_ppm: 200_000 };
        laboratory.network().set_default_link(link);
        let (one, other) = (probe(&laboratory, 1), probe(&laboratory, 2));
        for number in 0..10_000_u32 {
            one.network().send(other.network().identity(), Bytes::copy_from_slice(&number.to_be_bytes()));
            laboratory.sleep_micros(10).await;
        }
        laboratory.sleep_micros(100_000).await;
        let mut order = Vec::new();
        while order.len() < laboratory.counters().messages_delivered as usize {
            order.push(other.network().recv().await.1);
        }
        assert!(!order.is_sorted(), "nothing was overtaken");
        laboratory.counters()
    })
    .value;
    assert!((900..1_100).contains(&counters.dropped_loss), "{counters:?}");
    assert!((1_700..1_900).contains(&counters.messages_duplicated), "{counters:?}");
    assert_eq!(counters.messages_delivered, 10_000 - counters.dropped_loss + counters.messages_duplicated);
}

#[test]
fn a_partition_in_one_direction_stops_frames_that_are_sent_or_under_way_in_that_direction_only() {
    run_sealed(1, async |laboratory: Laboratory| {
        let network = laboratory.network();
        network.set_default_link(STEADY);
        let (one, other) = (probe(&laboratory, 1), probe(&laboratory, 2));
        let (one_peer, other_peer) = (one.network().identity(), other.network().identity());
        one.network().send(other_peer, frame("under way"));
        other.network().send(one_peer, frame("the other way"));
        laboratory.sleep_micros(50).await;
        let block = network.block(&[one_peer], &[other_peer]);
        one.network().send(other_peer, frame("too late"));
        other.network().send(one_peer, frame("still open"));
        laboratory.sleep_micros(1_000).await;
        assert_eq!(network.frames_blocked(block), 2);
        assert_eq!(laboratory.counters().dropped_partition, 2);
        assert_eq!(network.unblock(block), 2);
        one.network().send(other_peer, frame("healed"));
        assert_eq!(received(&laboratory, &other, 3_000).await, BTreeMap::from([(one_peer, 1)]));
        assert_eq!(received(&laboratory, &one, 4_000).await, BTreeMap::from([(other_peer, 2)]));
    });
}

#[test]
fn overlapping_partitions_each_count_what_they_met_and_both_must_end() {
    run_sealed(1, async |laboratory: Laboratory| {
        let network = laboratory.network();
        let peers: Vec<Peer> = (1..=3).map(|number| Peer::Client(ClientId(number))).collect();
        let worlds: Vec<ClientWorld> = (1..=3).map(|number| probe(&laboratory, number)).collect();
        let split = network.split(&[vec![peers[0]], vec![peers[1], peers[2]]]);
        let block = network.block(&peers[..1], &peers[1..2]);
        worlds[0].network().send(peers[1], frame("meets both"));
        worlds[2].network().send(peers[0], frame("meets the split"));
        worlds[1].network().send(peers[2], frame("same side"));
        assert_eq!(network.unblock(split), 2);
        worlds[0].network().send(peers[1], frame("meets the block"));
        assert_eq!(network.unblock(block), 2);
        worlds[0].network().send(peers[1], frame("free"));
        let until = laboratory.now_micros() + 100_000;
        assert_eq!(received(&laboratory, &worlds[1], until).await, BTreeMap::from([(peers[0], 1)]));
        assert_eq!(received(&laboratory, &worlds[2], until + 1).await, BTreeMap::from([(peers[1], 1)]));
    });
}

#[test]
fn one_direction_of_one_link_can_be_slow() {
    run_sealed(1, async |laboratory: Laboratory| {
        let network = laboratory.network();
        network.set_default_link(STEADY);
        let (one, other) = (probe(&laboratory, 1), probe(&laboratory, 2));
        let (one_peer, other_peer) = (one.network().identity(), other.network().identity());
        network.set_link(one_peer, other_peer, LinkSettings::reliable(Latency::fixed(9_000)));
        one.network().send(other_peer, frame("there"));
        other.network().recv().await;
        assert_eq!(laboratory.now_micros(), 9_000);
        other.network().send(one_peer, frame("and back"));
        one.network().recv().await;
        assert_eq!(laboratory.now_micros(), 9_100);
        assert_eq!(network.clear_link(one_peer, other_peer), 1);
    });
}

#[test]
fn a_frame_to_nobody_is_lost_and_one_to_oneself_arrives() {
    run_sealed(1, async |laboratory: Laboratory| {
        let world = probe(&laboratory, 1);
        laboratory.node(N1, NodeSettings::default());
        world.network().send(peer(N1), frame("not started"));
        world.network().send(peer(N2), frame("does not exist"));
        assert_eq!(laboratory.counters().dropped_down, 2);
        let everyone = [world.network().identity()];
        laboratory.network().block(&everyone, &everyone);
        world.network().send(everyone[0], frame("self"));
        assert_eq!(world.network().recv().await, (everyone[0], frame("self")));
    });
}

#[test]
fn a_frame_dies_with_either_end_and_its_double_too() {
    run_sealed(1, async |laboratory: Laboratory| {
        let network = laboratory.network();
        network.set_default_link(LinkSettings { duplicate_ppm: 1_000_000, ..STEADY });
        let node = laboratory.node(N1, NodeSettings::default());
        let world = probe(&laboratory, 1);
        node.start(|_world| std::future::pending::<()>());
        world.network().send(peer(N1), frame("to the first process"));
        laboratory.sleep_micros(50).await;
        node.kill();
        let second = node.start(|world| async move { world.network().recv().await.1 });
        laboratory.sleep_micros(1_000).await;
        assert_eq!(laboratory.counters().dropped_reset, 2);
        world.network().send(peer(N1), frame("to the second"));
        assert_eq!(second.join().await, Ok(frame("to the second")));

        let node = laboratory.node(N2, NodeSettings::default());
        let target = world.network().identity();
        node.start(move |world| async move { world.network().send(target, frame("last words")) });
        laboratory.sleep_micros(50).await;
        let dropped = laboratory.counters().dropped_reset;
        node.kill();
        laboratory.sleep_micros(1_000).await;
        assert_eq!(laboratory.counters().dropped_reset, dropped + 2);
    });
}
