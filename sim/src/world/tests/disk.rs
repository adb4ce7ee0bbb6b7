//! The disk: what a process sees, what a kill leaves, and what a power loss takes, keeps and tears.

use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Mutex;
use std::task::Poll;

use engine::world::{Access, Disk, DiskErrorKind, File, TaskHandle, World};

use super::*;

/// Runs `body` as a client whose disk is its own.
fn on_a_disk<T: Send + 'static>(
    seed: u64,
    body: impl AsyncFnOnce(Laboratory, SimulatedDisk) -> T + Send + 'static,
) -> T {
    run_sealed(seed, async move |laboratory: Laboratory| {
        let disk = probe(&laboratory, 1).disk().clone();
        body(laboratory, disk).await
    })
    .value
}

/// Polls a call once and drops it.
async fn abandon<T>(call: impl Future<Output = T>) {
    let mut call = pin!(call);
    poll_fn(|context| {
        assert!(call.as_mut().poll(context).is_pending(), "the call took no time");
        Poll::Ready(())
    })
    .await;
}

fn kind<T>(result: Result<T, engine::world::DiskError>) -> DiskErrorKind {
    result.map(|_value| ()).expect_err("it must fail").kind
}

#[test]
fn a_process_reads_its_own_writes_through_any_handle_and_not_past_the_end() {
    on_a_disk(1, async |_laboratory, disk| {
        let file = disk.create(path("log")).await.unwrap();
        assert_eq!(file.append(vec![frame("one"), frame("two")]).await.unwrap(), 0);
        assert_eq!(file.append(vec![frame("three")]).await.unwrap(), 6);
        let reader = disk.open(path("/log"), Access::Read).await.unwrap();
        assert_eq!(reader.read_at(3, 5).await.unwrap(), frame("twoth"));
        assert_eq!(reader.read_at(9, 100).await.unwrap(), frame("ee"));
        assert_eq!(reader.read_at(u64::MAX, 1).await.unwrap(), frame(""));
        assert_eq!(kind(reader.append(vec![frame("x")]).await), DiskErrorKind::ReadOnly);
        file.truncate(4).await.unwrap();
        assert_eq!(file.append(vec![frame("!")]).await.unwrap(), 4);
        assert_eq!(reader.read_at(0, 10).await.unwrap(), frame("onet!"));
        assert_eq!(reader.len().await.unwrap(), 5);
        assert_eq!(kind(file.truncate(6).await), DiskErrorKind::InputOutput);
    });
}

#[test]
fn names_are_created_renamed_linked_removed_and_listed_and_errors_tell_what_is_wrong() {
    on_a_disk(1, async |_laboratory, disk| {
        disk.create_dir(path("data")).await.unwrap();
        let a = disk.create(path("data/a")).await.unwrap();
        a.append(vec![frame("aaa")]).await.unwrap();
        disk.create(path("data/b")).await.unwrap();
        assert_eq!(kind(disk.create(path("data/a")).await), DiskErrorKind::AlreadyExists);
        assert_eq!(kind(disk.create_dir(path("data")).await), DiskErrorKind::AlreadyExists);
        assert_eq!(kind(disk.create(path("nowhere/a")).await), DiskErrorKind::NotFound);
        assert_eq!(kind(disk.create(path("data/a/x")).await), DiskErrorKind::NotADirectory);
        assert_eq!(kind(disk.open(path("data"), Access::Read).await), DiskErrorKind::IsADirectory);
        assert_eq!(kind(disk.list(path("data/a")).await), DiskErrorKind::NotADirectory);
        disk.link(path("data/a"), path("data/second")).await.unwrap();
        assert_eq!(kind(disk.link(path("data/a"), path("data/b")).await), DiskErrorKind::AlreadyExists);
        disk.rename(path("data/a"), path("data/b")).await.unwrap();
        let names: Vec<_> = disk.list(path("data")).await.unwrap();
        let names: Vec<_> = names.iter().map(|entry| (entry.name.as_str(), entry.length_bytes)).collect();
        assert_eq!(names, [("b", 3), ("second", 3)]);
        disk.remove(path("data/b")).await.unwrap();
        disk.remove(path("data/second")).await.unwrap();
        assert_eq!(kind(disk.remove(path("data/b")).await), DiskErrorKind::NotFound);
        assert_eq!(a.read_at(0, 9).await.unwrap(), frame("aaa"), "an open file outlives its names");
    });
}

#[test]
fn a_lock_is_exclusive_until_it_is_dropped() {
    on_a_disk(1, async |_laboratory, disk| {
        let lock = disk.lock(path("LOCK")).await.unwrap();
        assert_eq!(kind(disk.lock(path("LOCK")).await), DiskErrorKind::Locked);
        drop(lock);
        abandon(disk.lock(path("LOCK"))).await;
        disk.lock(path("LOCK")).await.unwrap();
    });
}

#[test]
fn an_abandoned_write_takes_effect_and_poisons_its_handle() {
    on_a_disk(1, async |_laboratory, disk| {
        let file = disk.create(path("log")).await.unwrap();
        abandon(file.append(vec![frame("half told")])).await;
        assert_eq!(kind(file.append(vec![frame("x")]).await), DiskErrorKind::Poisoned);
        assert_eq!(kind(file.sync().await), DiskErrorKind::Poisoned);
        assert_eq!(file.read_at(0, 99).await.unwrap(), frame("half told"));
        let again = disk.open(path("log"), Access::Append).await.unwrap();
        again.append(vec![frame(", now whole")]).await.unwrap();
        again.sync().await.unwrap();
    });
}

#[test]
fn writes_of_one_file_are_reported_in_the_order_of_their_calls() {
    for seed in 0..20 {
        on_a_disk(seed, async |_laboratory, disk| {
            let file = disk.create(path("log")).await.unwrap();
            let ended = Mutex::new(Vec::new());
            let note = |name: &'static str| ended.lock().unwrap().push(name);
            tokio::join!(
                biased;
                async { note(file.append(vec![frame("1")]).await.map(|_offset| "first").unwrap()) },
                async { note(file.sync().await.map(|()| "sync").unwrap()) },
                async { note(file.append(vec![frame("2")]).await.map(|_offset| "second").unwrap()) },
            );
            assert_eq!(ended.into_inner().unwrap(), ["first", "sync", "second"]);
            assert_eq!(file.read_at(0, 9).await.unwrap(), frame("12"));
        });
    }
}

#[test]
fn a_full_disk_refuses_and_reads_on_and_a_failing_one_says_so() {
    run_sealed(1, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, NodeSettings::default());
        let control = node.disk();
        let task = node.start(move |world| async move {
            let file = world.disk().create(path("log")).await.unwrap();
            file.append(vec![frame("12345")]).await.unwrap();
            control.leave_room(3);
            assert_eq!(world.disk().space(path("log")).await.unwrap().available_bytes, 3);
            assert_eq!(kind(file.append(vec![frame("6789")]).await), DiskErrorKind::NoSpace);
            assert_eq!(kind(file.append(vec![frame("6")]).await), DiskErrorKind::Poisoned);
            assert_eq!(file.read_at(0, 9).await.unwrap(), frame("12345"));
            control.set(DiskSettings { read_error_ppm: 1_000_000, ..control.settings() });
            assert_eq!(kind(file.read_at(0, 9).await), DiskErrorKind::InputOutput);
        });
        task.join().await.unwrap();
        assert_eq!(node.counters().disk.faults_injected, 2, "no room, and a failed read");
    });
}

#[test]
fn a_slow_disk_takes_as_many_times_as_long() {
    run_sealed(1, async |laboratory: Laboratory| {
        let sync = Latency::fixed(100);
        let disk = DiskSettings { sync, append: Latency::fixed(5), slow_factor: 50, ..DiskSettings::default() };
        let node = laboratory.node(N1, NodeSettings { disk, ..NodeSettings::default() });
        let world = node.start(|world| async { world });
        let world = world.join().await.unwrap();
        let file = world.disk().create(path("log")).await.unwrap();
        let before = laboratory.now_micros();
        file.append(vec![frame("x")]).await.unwrap();
        file.sync().await.unwrap();
        assert_eq!(laboratory.now_micros() - before, 50 * 105);
    });
}

/// Writes a synced and an unsynced part, ends the process by `end`, and returns what the next one finds.
fn after(seed: u64, end: impl Fn(&SimulatedNode) + Send + 'static) -> (Option<Bytes>, Vec<String>) {
    run_sealed(seed, async move |laboratory: Laboratory| {
        let node = laboratory.node(N1, NodeSettings::default());
        let write = node.start(|world| async move {
            let disk = world.disk();
            let log = disk.create(path("log")).await.unwrap();
            log.append(vec![Bytes::from(vec![b's'; 600])]).await.unwrap();
            log.sync().await.unwrap();
            disk.sync_dir(path("/")).await.unwrap();
            log.append(vec![Bytes::from(vec![b'u'; 1_400])]).await.unwrap();
            disk.create(path("new")).await.unwrap();
            disk.link(path("log"), path("log.2")).await.unwrap();
        });
        write.join().await.unwrap();
        end(&node);
        let read = node.start(|world| async move {
            let names = world.disk().list(path("/")).await.unwrap();
            let log = world.disk().open(path("log"), Access::Read).await.ok();
            let content = match log {
                Some(log) => log.read_at(0, 9_999).await.ok(),
                None => None,
            };
            (content, names.into_iter().map(|entry| entry.name).collect())
        });
        read.join().await.unwrap()
    })
    .value
}

#[test]
fn a_kill_keeps_every_byte_and_name_that_was_reported() {
    for seed in 0..20 {
        let (content, names) = after(seed, |node| {
            node.kill();
        });
        assert_eq!(content.unwrap(), [[b's'; 600].as_slice(), &[b'u'; 1_400]].concat());
        assert_eq!(names, ["log", "log.2", "new"]);
    }
}

#[test]
fn a_power_loss_keeps_all_that_was_synced_and_any_part_of_the_rest() {
    let (mut whole, mut short, mut holes, mut lost_names, mut kept_names) = (0, 0, 0, 0, 0);
    for seed in 0..200 {
        let (content, names) = after(seed, |node| {
            node.power_loss(Survival::Random);
        });
        let content = content.expect("a synced file with a synced name survives");
        assert!(content.len() >= 600 && content[..600].iter().all(|byte| *byte == b's'), "seed {seed}");
        whole += usize::from(content[600..] == [b'u'; 1_400]);
        short += usize::from(content.len() < 2_000);
        holes += usize::from(content[600..].contains(&0));
        assert!(names.contains(&"log".to_string()));
        lost_names += usize::from(!names.contains(&"new".to_string()));
        kept_names += usize::from(names.contains(&"new".to_string()));
    }
    assert!(whole > 0 && short > 0 && holes > 0, "{whole} {short} {holes}");
    assert!(lost_names > 0 && kept_names > 0);
    let (content, names) = after(1, |node| {
        node.power_loss(Survival::Nothing);
    });
    assert_eq!((content.unwrap().len(), names), (600, vec!["log".to_string()]));
    let (content, names) = after(1, |node| {
        node.power_loss(Survival::Everything);
    });
    assert_eq!((content.unwrap().len(), names.len()), (2_000, 3));
}

#[test]
fn a_rename_that_was_not_synced_leaves_the_old_file_or_the_new_one_and_never_neither() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let found = run_sealed(seed, async |laboratory: Laboratory| {
            let node = laboratory.node(N1, NodeSettings::default());
            let write = node.start(|world| async move {
                let disk = world.disk();
                for (name, text) in [("CURRENT", "old"), ("CURRENT.new", "new")] {
                    let file = disk.create(path(name)).await.unwrap();
                    file.append(vec![frame(text)]).await.unwrap();
                    file.sync().await.unwrap();
                }
                disk.sync_dir(path("/")).await.unwrap();
                disk.rename(path("CURRENT.new"), path("CURRENT")).await.unwrap();
            });
            write.join().await.unwrap();
            node.power_loss(Survival::Random);
            node.disk().content(path("CURRENT"))
        });
        seen.insert(found.value.expect("one of the two"));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [frame("new"), frame("old")]);
}

#[test]
fn a_synced_folder_keeps_its_names_and_a_removed_one_does_not_come_back() {
    for seed in 0..40 {
        run_sealed(seed, async |laboratory: Laboratory| {
            let node = laboratory.node(N1, NodeSettings::default());
            let write = node.start(|world| async move {
                let disk = world.disk();
                disk.create_dir(path("a")).await.unwrap();
                disk.create_dir(path("b")).await.unwrap();
                disk.sync_dir(path("/")).await.unwrap();
                disk.create(path("a/moved")).await.unwrap();
                disk.create(path("b/gone")).await.unwrap();
                disk.rename(path("a/moved"), path("b/here")).await.unwrap();
                disk.remove(path("b/gone")).await.unwrap();
                disk.sync_dir(path("b")).await.unwrap();
                disk.create(path("b/late")).await.unwrap();
            });
            write.join().await.unwrap();
            node.power_loss(Survival::Random);
            let content = |name: &str| node.disk().content(&PathBuf::from(name));
            assert!(content("b/here").is_some() && content("a/moved").is_none() && content("b/gone").is_none());
        });
    }
}

#[test]
fn after_a_failed_sync_a_later_one_says_ok_and_the_bytes_are_gone_at_the_next_power_loss() {
    run_sealed(1, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, NodeSettings::default());
        let control = node.disk();
        let write = node.start(move |world| async move {
            let file = world.disk().create(path("log")).await.unwrap();
            world.disk().sync_dir(path("/")).await.unwrap();
            file.append(vec![frame("doomed")]).await.unwrap();
            control.fail_next_syncs(1);
            assert_eq!(kind(file.sync().await), DiskErrorKind::InputOutput);
            assert_eq!(kind(file.sync().await), DiskErrorKind::Poisoned);
            let again = world.disk().open(path("log"), Access::Append).await.unwrap();
            again.append(vec![frame("fine")]).await.unwrap();
            again.sync().await.unwrap();
            assert_eq!(again.read_at(0, 99).await.unwrap(), frame("doomedfine"));
        });
        write.join().await.unwrap();
        node.power_loss(Survival::Everything);
        assert_eq!(node.disk().content(path("log")).unwrap(), frame("\0\0\0\0\0\0fine"));
    });
}

#[test]
fn a_sync_covers_nothing_that_was_appended_after_it_was_called() {
    on_a_power_loss_during(async |file| {
        file.append(vec![frame("covered")]).await.unwrap();
        let mut sync = pin!(file.sync());
        let is_pending = poll_fn(|context| Poll::Ready(sync.as_mut().poll(context).is_pending())).await;
        assert!(is_pending, "the sync took no time");
        abandon(file.append(vec![frame(" late")])).await;
        sync.await.unwrap();
    });
}

fn on_a_power_loss_during(write: impl AsyncFnOnce(SimulatedFile) + Send + 'static) {
    run_sealed(1, async move |laboratory: Laboratory| {
        let node = laboratory.node(N1, NodeSettings::default());
        let world = node.start(|world| async { world }).join().await.unwrap();
        let file = world.disk().create(path("log")).await.unwrap();
        world.disk().sync_dir(path("/")).await.unwrap();
        write(file).await;
        node.power_loss(Survival::Nothing);
        assert_eq!(node.disk().content(path("log")).unwrap(), frame("covered"));
    });
}
