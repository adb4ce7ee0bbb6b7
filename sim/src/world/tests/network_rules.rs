//! Rules of the network: what becomes of the frames they are about, and that the others pass.

use std::collections::BTreeSet;

use cluster::wire::{self, Body};
use cluster::world::{ClusterWorld, Network};

use super::*;

const STEADY: LinkSettings = LinkSettings::reliable(Latency::fixed(100));

/// Two clients on a steady network, a rule from the one to the other, and what `body` makes of it.
fn under<T: Send + 'static>(
    verdict: NetworkVerdict,
    message: Option<MessageKind>,
    hit: Hit,
    body: impl AsyncFnOnce(&Laboratory, &ClientWorld, &ClientWorld, RuleId) -> T + Send + 'static,
) -> T {
    run_sealed(1, async move |laboratory: Laboratory| {
        laboratory.network().set_default_link(STEADY);
        let (one, other) = (probe(&laboratory, 1), probe(&laboratory, 2));
        let set = |world: &ClientWorld| Some(BTreeSet::from([world.network().identity()]));
        let rule = NetworkRule { from: set(&one), to: set(&other), message, hit, verdict };
        let id = laboratory.network().put_up(rule, laboratory.rng("rule"));
        body(&laboratory, &one, &other, id).await
    })
    .value
}

fn send(from: &ClientWorld, to: &ClientWorld, text: &'static str) {
    from.network().send(to.network().identity(), frame(text));
}

/// What arrives until the laboratory's time is `until`, with the times.
async fn arrivals(laboratory: &Laboratory, world: &ClientWorld, until: u64) -> Vec<(u64, Bytes)> {
    let mut arrived = Vec::new();
    loop {
        tokio::select! {
            biased;
            (_, frame) = world.network().recv() => arrived.push((laboratory.now_micros(), frame)),
            () = laboratory.sleep_until_micros(until) => return arrived,
        }
    }
}

#[test]
fn the_frames_that_a_rule_is_about_are_dropped_doubled_or_late_and_the_others_pass() {
    for (verdict, expected) in [
        (NetworkVerdict::Drop, vec![100, 100]),
        (NetworkVerdict::Duplicate, vec![100, 100, 100, 100]),
        (NetworkVerdict::Delay(Latency::fixed(50)), vec![100, 100, 150]),
        (NetworkVerdict::Slow(3), vec![100, 100, 300]),
    ] {
        let times = under(verdict, None, Hit::Nth { number: 2 }, async |laboratory, one, other, id| {
            for text in ["a", "b", "c"] {
                send(one, other, text);
            }
            send(other, one, "the other way");
            let times: Vec<u64> = arrivals(laboratory, other, 1_000).await.into_iter().map(|(at, _)| at).collect();
            assert_eq!(arrivals(laboratory, one, 1_001).await.len(), 1);
            assert_eq!(laboratory.network().take_down(id), 1);
            times
        });
        assert_eq!(times, expected, "{verdict:?}");
    }
}

#[test]
fn only_the_named_message_is_dropped() {
    let put = |origin| {
        let put = wire::ReplicaPut { key: Bytes::new(), row: Bytes::new(), origin };
        wire::encode(u64::from(origin), 1, Body::ReplicaPut(put))
    };
    let arrived = under(
        NetworkVerdict::Drop,
        Some(MessageKind::WriteBack),
        Hit::All,
        async move |laboratory, one, other, _id| {
            for frame in [put(1), put(2), frame("no message at all")] {
                one.network().send(other.network().identity(), frame);
            }
            arrivals(laboratory, other, 1_000).await.into_iter().map(|(_, frame)| frame).collect::<Vec<_>>()
        },
    );
    assert_eq!(arrived, [put(1), frame("no message at all")]);
}

#[test]
fn a_damaged_frame_never_arrives_and_breaks_the_connection_for_those_behind_it() {
    let (arrived, counters) =
        under(NetworkVerdict::Corrupt, None, Hit::Nth { number: 2 }, async |laboratory, one, other, _id| {
            for text in ["before", "damaged", "behind", "behind too"] {
                send(one, other, text);
                laboratory.sleep_micros(10).await;
            }
            send(other, one, "the other way");
            laboratory.sleep_until_micros(500).await;
            send(one, other, "a new connection");
            let arrived: Vec<Bytes> =
                arrivals(laboratory, other, 1_000).await.into_iter().map(|(_, text)| text).collect();
            assert_eq!(arrivals(laboratory, one, 1_001).await.len(), 1);
            (arrived, laboratory.counters())
        });
    assert_eq!(arrived, [frame("before"), frame("a new connection")]);
    assert_eq!((counters.dropped_corrupt, counters.dropped_reset), (1, 2));
}

#[test]
fn a_clogged_way_passes_nothing_and_then_everything() {
    under(NetworkVerdict::Clog, None, Hit::All, async |laboratory, one, other, id| {
        send(one, other, "held");
        send(one, other, "held too");
        assert_eq!(arrivals(laboratory, other, 5_000).await, []);
        assert_eq!(laboratory.network().take_down(id), 2);
        assert_eq!(arrivals(laboratory, other, 6_000).await.len(), 2);
    });
}

#[test]
fn a_narrow_way_passes_so_many_bytes_a_second_and_a_dripping_one_so_many_frames() {
    for (verdict, expected) in [
        (NetworkVerdict::BytesPerSecond(10_000), [1_100, 2_100, 3_100]),
        (NetworkVerdict::EveryMicros(700), [800, 1_500, 2_200]),
    ] {
        let times = under(verdict, None, Hit::All, async |laboratory, one, other, _id| {
            for _ in 0..3 {
                send(one, other, "ten bytes.");
            }
            arrivals(laboratory, other, 10_000).await.into_iter().map(|(at, _)| at).collect::<Vec<_>>()
        });
        assert_eq!(times, expected, "{verdict:?}");
    }
}

#[test]
fn a_half_open_link_is_whole_again_when_either_end_has_restarted() {
    run_sealed(1, async |laboratory: Laboratory| {
        laboratory.network().set_default_link(STEADY);
        let node = laboratory.node(N1, NodeSettings::default());
        node.start(|_world| std::future::pending::<()>());
        let client = probe(&laboratory, 1);
        let rule = NetworkRule {
            from: Some(BTreeSet::from([client.network().identity()])),
            to: Some(BTreeSet::from([peer(N1)])),
            message: None,
            hit: Hit::All,
            verdict: NetworkVerdict::HalfOpen,
        };
        let id = laboratory.network().put_up(rule, laboratory.rng("rule"));
        client.network().send(peer(N1), frame("into the void"));
        laboratory.sleep_micros(1_000).await;
        assert_eq!(node.counters().messages_delivered, 0);
        node.kill();
        node.start(|_world| std::future::pending::<()>());
        client.network().send(peer(N1), frame("heard"));
        laboratory.sleep_micros(1_000).await;
        assert_eq!(node.counters().messages_delivered, 1);
        assert_eq!(laboratory.network().take_down(id), 1);
    });
}
