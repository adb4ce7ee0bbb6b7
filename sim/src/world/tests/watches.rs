//! Triggers fire at the moment they name, once, and see neither what came before nor what they are not about.

use cluster::wire::{self, Body};
use cluster::world::{ClusterWorld, Network};
use engine::world::{Disk, File, TaskHandle, World};

use super::*;

fn operation(operation: FileOperation, file: Option<FileKind>, count: u64, after: Option<Mark>) -> Watch {
    Watch { what: Watched::Operation { node: Some(N1), operation, file }, count, after }
}

#[test]
fn the_third_sync_of_a_log_fires_before_it_is_durable() {
    run_sealed(1, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, NodeSettings::default());
        let world = node.start(|world| async { world }).join().await.unwrap();
        let watch = laboratory.watch(operation(FileOperation::Sync, Some(FileKind::Wal), 3, None));
        let (machine, control) = (node.clone(), laboratory.clone());
        let striker = laboratory.spawn(async move {
            let fired = watch.fired().await;
            assert_eq!(fired, control.now_micros(), "it fires at the very moment");
            machine.power_loss(Survival::Nothing);
        });
        drop(laboratory.spawn(async move {
            let log = world.disk().create(path("wal-1.log")).await.unwrap();
            let table = world.disk().create(path("table-1.sst")).await.unwrap();
            world.disk().sync_dir(path("/")).await.unwrap();
            for _ in 0..9 {
                table.sync().await.unwrap();
                log.append(vec![frame("x")]).await.unwrap();
                log.sync().await.unwrap();
            }
        }));
        striker.join().await.unwrap();
        assert_eq!(node.disk().content(path("wal-1.log")).unwrap(), frame("xx"), "the third was not durable yet");
    });
}

#[test]
fn a_message_is_counted_from_the_mark_on_and_only_between_those_named() {
    let put = |origin| {
        let put = wire::ReplicaPut { key: Bytes::new(), row: Bytes::new(), origin };
        wire::encode(1, 1, Body::ReplicaPut(put))
    };
    run_sealed(1, async move |laboratory: Laboratory| {
        let (one, other) = (probe(&laboratory, 1), probe(&laboratory, 2));
        let (from, to) = (one.network().identity(), other.network().identity());
        let what = Watched::Message { message: Some(MessageKind::WriteBack), from: Some(from), to: None };
        let watch = laboratory.watch(Watch { what, count: 2, after: Some(Mark::Heal) });
        let send = async |world: &ClientWorld, to, origin| {
            world.network().send(to, put(origin));
            laboratory.sleep_micros(10).await;
        };
        send(&one, to, 2).await;
        send(&one, to, 2).await;
        laboratory.mark(Mark::Restart(Some(N1)));
        send(&one, to, 2).await;
        laboratory.mark(Mark::Heal);
        send(&one, to, 1).await;
        send(&other, from, 2).await;
        send(&one, to, 2).await;
        let before = laboratory.now_micros();
        send(&one, to, 2).await;
        assert_eq!(watch.fired().await, before);
    });
}

#[test]
fn a_restart_of_any_node_is_a_restart() {
    run_sealed(1, async |laboratory: Laboratory| {
        let what = |node| Watch { what: Watched::Mark(Mark::Restart(node)), count: 1, after: None };
        let (any, second) = (laboratory.watch(what(None)), laboratory.watch(what(Some(N2))));
        laboratory.mark(Mark::Restart(Some(N1)));
        laboratory.sleep_micros(5).await;
        laboratory.mark(Mark::Restart(Some(N2)));
        assert_eq!((any.fired().await, second.fired().await), (0, 5));
    });
}

#[test]
fn watching_changes_no_event_of_a_run() {
    let run = |watches: bool| {
        run_sealed(7, async move |laboratory: Laboratory| {
            let _watch = watches.then(|| laboratory.watch(operation(FileOperation::Remove, None, 1, None)));
            let node = laboratory.node(N1, NodeSettings::default());
            let world = node.start(|world| async { world }).join().await.unwrap();
            let log = world.disk().create(path("wal-1.log")).await.unwrap();
            for _ in 0..20 {
                log.append(vec![frame("x")]).await.unwrap();
                log.sync().await.unwrap();
            }
        })
        .trace
    };
    assert_eq!(run(true), run(false));
}
