//! The real world keeps the contract, and what only a real world can show.

#![allow(clippy::unwrap_used, reason = "a test that fails to unwrap has failed")]

use std::fs;
use std::future::{Future as _, poll_fn};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::task::Poll;
use std::time::{Duration, Instant as SystemInstant};

use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

use super::RealWorld;
use crate::world::contract;
use crate::world::{Access, Disk, DiskErrorKind, File, TaskHandle, Tasks, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_world_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    contract::conforms(&RealWorld::new(), folder.path()).await;
}

#[tokio::test]
async fn the_real_world_keeps_the_contract_on_one_thread() {
    let folder = tempfile::tempdir().unwrap();
    contract::conforms(&RealWorld::new(), folder.path()).await;
}

#[tokio::test]
async fn a_panic_is_reported_to_who_joins() {
    contract::sides::a_panic_is_reported(RealWorld::new().tasks()).await;
}

#[tokio::test]
async fn a_short_append_and_a_cached_read_need_no_second_poll() {
    let folder = tempfile::tempdir().unwrap();
    let world = RealWorld::new();
    let file = world.disk().create(&folder.path().join("file")).await.unwrap();
    let polled = poll_fn(|context| {
        let appended =
            pin!(file.append(vec![Bytes::from_static(b"storm"), Bytes::from_static(b"glass")])).poll(context);
        let read = pin!(file.read_at(5, 5)).poll(context);
        Poll::Ready((appended, read))
    });
    let (appended, read) = polled.await;
    assert!(matches!(appended, Poll::Ready(Ok(0))), "{appended:?}");
    // A file system without RWF_NOWAIT may send the read to a thread.
    assert!(matches!(&read, Poll::Ready(Ok(bytes)) if &bytes[..] == b"glass") || read.is_pending(), "{read:?}");
}

#[tokio::test]
async fn a_failed_write_poisons_the_handle() {
    let world = RealWorld::new();
    // Every write to this device fails for want of space.
    let full = world.disk().open(Path::new("/dev/full"), Access::Append).await.unwrap();
    let failed = full.append(vec![Bytes::from_static(b"x")]).await.unwrap_err();
    assert_eq!(failed.kind, DiskErrorKind::NoSpace);
    let refused = full.append(vec![Bytes::from_static(b"x")]).await.unwrap_err();
    assert_eq!(refused.kind, DiskErrorKind::Poisoned);
    assert_eq!(full.sync().await.unwrap_err().kind, DiskErrorKind::Poisoned);
    assert_eq!(full.truncate(0).await.unwrap_err().kind, DiskErrorKind::Poisoned);
}

/// A runtime with a single I/O thread, so that a test can keep it busy.
fn runtime_with_one_io_thread() -> Runtime {
    Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap()
}

/// Keeps the only I/O thread busy until the sender is dropped.
fn keep_io_thread_busy() -> Sender<()> {
    let (gate, closed) = channel::<()>();
    tokio::task::spawn_blocking(move || closed.recv());
    gate
}

#[test]
fn a_write_that_waits_its_turn_is_refused_when_the_one_before_fails() {
    runtime_with_one_io_thread().block_on(async {
        let full = RealWorld::new().disk().open(Path::new("/dev/full"), Access::Append).await.unwrap();
        let gate = keep_io_thread_busy();
        // Long enough for the I/O thread.
        let mut first = pin!(full.append(vec![Bytes::from(vec![0; 1_048_576])]));
        let mut second = pin!(full.append(vec![Bytes::from_static(b"x")]));
        poll_fn(|context| {
            assert!(first.as_mut().poll(context).is_pending());
            assert!(second.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(gate);
        assert_eq!(first.await.unwrap_err().kind, DiskErrorKind::NoSpace);
        assert_eq!(second.await.unwrap_err().kind, DiskErrorKind::Poisoned);
    });
}

#[test]
fn an_append_dropped_while_it_waits_its_turn_poisons_too() {
    runtime_with_one_io_thread().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let file = RealWorld::new().disk().create(&folder.path().join("file")).await.unwrap();
        let gate = keep_io_thread_busy();
        let mut first = pin!(file.append(vec![Bytes::from(vec![b'1'; 1_048_576])]));
        poll_fn(|context| {
            assert!(first.as_mut().poll(context).is_pending());
            assert!(pin!(file.append(vec![Bytes::from_static(b"2")])).poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(gate);
        assert_eq!(first.await.unwrap(), 0, "the append before it still reports what it did");
        assert_eq!(file.append(vec![]).await.unwrap_err().kind, DiskErrorKind::Poisoned);
        assert_eq!(file.len().await.unwrap(), 1_048_576);
    });
}

#[test]
fn appends_truncations_and_syncs_dropped_while_pending_poison() {
    runtime_with_one_io_thread().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealWorld::new().disk().clone();
        for name in ["append", "truncate", "sync"] {
            let file = disk.create(&folder.path().join(name)).await.unwrap();
            let gate = keep_io_thread_busy();
            poll_fn(|context| {
                let pending = match name {
                    "append" => pin!(file.append(vec![Bytes::from(vec![b'1'; 1_048_576])])).poll(context).is_pending(),
                    "truncate" => pin!(file.truncate(0)).poll(context).is_pending(),
                    _ => pin!(file.sync()).poll(context).is_pending(),
                };
                assert!(pending, "{name} waits for the I/O thread");
                Poll::Ready(())
            })
            .await;
            drop(gate);
            assert_eq!(file.append(vec![]).await.unwrap_err().kind, DiskErrorKind::Poisoned, "after a dropped {name}");
        }
    });
}

#[tokio::test]
async fn a_page_that_is_not_cached_is_read_by_another_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let content: Vec<u8> = (0..300_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(&path, &content).unwrap();
    let on_disk = fs::File::open(&path).unwrap();
    on_disk.sync_all().unwrap();
    rustix::fs::fadvise(&on_disk, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let file = RealWorld::new().disk().open(&path, Access::Read).await.unwrap();
    for (offset, length) in [(299_990, 100), (0, 4_096), (1_000, 200_000), (0, 300_000)] {
        let read = file.read_at(offset as u64, length).await.unwrap();
        assert!(read[..] == content[offset..content.len().min(offset + length)], "{length} bytes at {offset}");
    }
}

#[tokio::test]
async fn a_busy_background_task_does_not_hold_up_the_foreground() {
    let world = RealWorld::new();
    let foreground_ran = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&foreground_ran);
    let background = world.tasks().spawn_background("busy", async move {
        let give_up = SystemInstant::now() + Duration::from_secs(10);
        while !seen.load(Ordering::Acquire) && SystemInstant::now() < give_up {
            std::hint::spin_loop();
        }
        seen.load(Ordering::Acquire)
    });
    // This runtime has one thread, and the background task does not await.
    world
        .tasks()
        .spawn("foreground", async move { foreground_ran.store(true, Ordering::Release) })
        .join()
        .await
        .unwrap();
    assert_eq!(background.join().await, Ok(true));
}

#[tokio::test]
async fn errors_name_both_files_of_a_rename() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let error = RealWorld::new().disk().rename(&from, &to).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("from") && text.contains("to"), "{text}");
}

#[tokio::test]
async fn two_real_worlds_draw_different_numbers() {
    assert_ne!(RealWorld::new().rng("seed").next_u64(), RealWorld::new().rng("seed").next_u64());
}
