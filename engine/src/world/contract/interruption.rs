//! What is left of an operation whose caller went away, and in which order operations at the same time land.
//!
//! ```text
//!   append(A) reported ──▶ append(B) polled once, dropped ──▶ append(C)   refused with Poisoned
//!   in the file:  A, then a part of B (none, some, all), never C
//! ```
//!
//! A world that can finish an operation in its first poll may do so, and report it: then nothing was dropped while pending.
//! What a world must not do is go on writing behind an operation of which nothing is known.

use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::{Pin, pin};
use std::task::Poll;

use ::bytes::Bytes;

use super::{content, file_with, folder, must, must_refuse};
use crate::world::{Access, Disk, DiskErrorKind, File};

/// All parts of this file.
pub async fn conform<D: Disk>(disk: &D, root: &Path) {
    a_dropped_append_poisons(disk, root).await;
    a_dropped_sync_poisons(disk, root).await;
    a_dropped_truncation_poisons(disk, root).await;
    appends_at_the_same_time_land_in_call_order(disk, root).await;
}

/// Polls a future once.
pub(super) async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// After an append was dropped while pending, writes and syncs are refused and the file holds a prefix of what was asked.
pub async fn a_dropped_append_poisons<D: Disk>(disk: &D, root: &Path) {
    let path = folder(disk, root, "dropped-append").await.join("file");
    let file = file_with(disk, &path, b"reported").await;
    // Long, so that most worlds need more than one poll for it.
    let long = Bytes::from(vec![b'?'; 1_048_576]);
    let reported = {
        let mut append = pin!(file.append(vec![long.slice(..1_000), long.slice(1_000..)]));
        poll_once(append.as_mut()).await
    };
    let later = file.append(vec![Bytes::from_static(b"later")]).await;
    let interrupted = match reported {
        Some(result) => {
            must(result, "an append that completes in its first poll succeeds");
            must(later, "an append behind a reported one succeeds");
            false
        }
        None => {
            must_refuse(later, DiskErrorKind::Poisoned, "after a dropped append, appends are refused");
            must_refuse(file.truncate(0).await, DiskErrorKind::Poisoned, "after a dropped append, cuts are refused");
            must_refuse(file.sync().await, DiskErrorKind::Poisoned, "after a dropped append, syncs are refused");
            true
        }
    };
    let through_poisoned = content(&file).await;
    assert!(through_poisoned.starts_with(b"reported"), "violated: what was reported is read, also when poisoned");
    drop(file);
    let reopened = must(disk.open(&path, Access::Read).await, "a poisoned file can be opened again");
    let content = content(&reopened).await;
    let rest =
        content.strip_prefix(b"reported").unwrap_or_else(|| panic!("violated: a dropped append harms none before it"));
    if interrupted {
        let only_of_the_dropped = rest.len() <= long.len() && rest.iter().all(|byte| *byte == b'?');
        assert!(only_of_the_dropped, "violated: a dropped append leaves a part of its own bytes and no more");
    } else {
        assert!(rest.len() == long.len() + 5 && rest.ends_with(b"?later"), "violated: reported appends are all there");
    }
}

/// After a sync was dropped while pending, nothing is known, so writes and syncs are refused.
pub async fn a_dropped_sync_poisons<D: Disk>(disk: &D, root: &Path) {
    let path = folder(disk, root, "dropped-sync").await.join("file");
    let file = file_with(disk, &path, b"reported").await;
    let reported = {
        let mut sync = pin!(file.sync());
        poll_once(sync.as_mut()).await
    };
    let later = file.append(vec![Bytes::from_static(b"later")]).await;
    match reported {
        Some(result) => {
            must(result, "a sync that completes in its first poll succeeds");
            must(later, "an append behind a reported sync succeeds");
        }
        None => {
            must_refuse(later, DiskErrorKind::Poisoned, "after a dropped sync, appends are refused");
            must_refuse(file.sync().await, DiskErrorKind::Poisoned, "after a dropped sync, syncs are refused");
        }
    }
    drop(file);
    let reopened = must(disk.open(&path, Access::Append).await, "a poisoned file can be opened again");
    assert!(content(&reopened).await.starts_with(b"reported"), "violated: a dropped sync takes nothing away");
    must(reopened.append(vec![Bytes::from_static(b"again")]).await, "a reopened file is not poisoned");
    must(reopened.sync().await, "a reopened file can be synced");
}

/// After a truncation was dropped while pending, the file has its old or its new length, and the handle is poisoned.
pub async fn a_dropped_truncation_poisons<D: Disk>(disk: &D, root: &Path) {
    let path = folder(disk, root, "dropped-truncation").await.join("file");
    let file = file_with(disk, &path, b"kept and cut").await;
    let reported = {
        let mut truncation = pin!(file.truncate(4));
        poll_once(truncation.as_mut()).await
    };
    match reported {
        Some(result) => must(result, "a truncation that completes in its first poll succeeds"),
        None => {
            let later = file.append(vec![Bytes::from_static(b"later")]).await;
            must_refuse(later, DiskErrorKind::Poisoned, "after a dropped truncation, appends are refused");
        }
    }
    drop(file);
    let reopened = must(disk.open(&path, Access::Read).await, "a poisoned file can be opened again");
    let content = content(&reopened).await;
    assert!(
        content == b"kept and cut"[..] || content == b"kept"[..],
        "violated: a dropped truncation happened or did not; found {content:?}"
    );
}

/// Appends that are pending at the same time land in the order in which they were begun, whatever their length.
pub async fn appends_at_the_same_time_land_in_call_order<D: Disk>(disk: &D, root: &Path) {
    const LENGTHS: [usize; 4] = [600_000, 3, 300_000, 1];
    let path = folder(disk, root, "at-the-same-time").await.join("file");
    let file = must(disk.create(&path).await, "a file can be created under a free name");
    let chunk = |index: usize| vec![Bytes::from(vec![b'a' + index as u8; LENGTHS[index]])];
    // Joined futures are first polled in the order they are written in.
    let (first, second, third, fourth) = tokio::join!(
        biased;
        file.append(chunk(0)),
        file.append(chunk(1)),
        file.append(chunk(2)),
        file.append(chunk(3)),
    );
    let mut expected_offset = 0;
    for (index, offset) in [first, second, third, fourth].into_iter().enumerate() {
        let offset = must(offset, "appends can be pending at the same time");
        assert_eq!(offset, expected_offset, "violated: appends land in call order, without gaps");
        expected_offset += LENGTHS[index] as u64;
        let read = must(file.read_at(offset, LENGTHS[index]).await, "an open file can be read");
        assert!(read == chunk(index)[0], "violated: every append's bytes are where it said");
    }
    assert_eq!(must(file.len().await, "an open file has a length"), expected_offset, "violated: appends leave no gaps");
}
