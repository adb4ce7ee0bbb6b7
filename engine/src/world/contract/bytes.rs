//! What a file promises about its bytes.
//!
//! ```text
//!   append ──▶ offset of its first byte, at the end, without gaps, chunks in their order
//!   read_at ─▶ what was reported appended, through any handle; fewer bytes only where the file ends
//!   truncate ▶ the end moves back, and the next append lands there
//! ```

use std::path::Path;

use ::bytes::Bytes;

use super::{content, file_with, folder, must, must_refuse};
use crate::world::{Access, Disk, DiskErrorKind, File};

/// All parts of this file.
pub async fn conform<D: Disk>(disk: &D, root: &Path) {
    own_writes_are_read(disk, root).await;
    a_second_handle_reads_what_was_appended(disk, root).await;
    reads_are_short_only_at_the_end(disk, root).await;
    appends_land_at_the_end_in_chunk_order(disk, root).await;
    a_long_append_arrives_whole(disk, root).await;
    truncation_moves_the_end(disk, root).await;
    a_reopened_file_goes_on_at_its_end(disk, root).await;
    a_reading_handle_refuses_to_write(disk, root).await;
}

/// A read sees every append of the same handle that was reported done, synced or not.
pub async fn own_writes_are_read<D: Disk>(disk: &D, root: &Path) {
    let path = folder(disk, root, "own-writes").await.join("file");
    let file = file_with(disk, &path, b"thunder").await;
    assert_eq!(&content(&file).await[..], b"thunder", "violated: a handle reads what it appended");
    must(file.sync().await, "a written file can be synced");
    assert_eq!(&content(&file).await[..], b"thunder", "violated: a sync changes no content");
    must(file.sync().await, "a file without new bytes can be synced");
}

/// What one handle appended, another one reads, also when it was opened before.
pub async fn a_second_handle_reads_what_was_appended<D: Disk>(disk: &D, root: &Path) {
    let path = folder(disk, root, "second-handle").await.join("file");
    let writer = file_with(disk, &path, b"one").await;
    let reader = must(disk.open(&path, Access::Read).await, "an existing file can be opened for reading");
    assert_eq!(
        &content(&reader).await[..],
        b"one",
        "violated: a second handle reads what was appended before it opened"
    );
    must(writer.append(vec![Bytes::from_static(b"two")]).await, "a file can be appended to while others read it");
    assert_eq!(
        &content(&reader).await[..],
        b"onetwo",
        "violated: a second handle reads what was appended after it opened"
    );
}

/// Reads give what was asked for, less where the file ends, nothing beyond the end; never an error for an offset.
pub async fn reads_are_short_only_at_the_end<D: Disk>(disk: &D, root: &Path) {
    let path = folder(disk, root, "short-reads").await.join("file");
    let file = file_with(disk, &path, b"0123456789").await;
    let cases: [(u64, usize, &[u8]); 8] = [
        (0, 10, b"0123456789"),
        (3, 4, b"3456"),
        (8, 100, b"89"),
        (0, 0, b""),
        (10, 1, b""),
        (1_000, 5, b""),
        (u64::MAX, 1, b""),
        (2, usize::MAX, b"23456789"),
    ];
    for (offset, length, expected) in cases {
        let read = must(file.read_at(offset, length).await, "a read past the end is short, not an error");
        assert_eq!(read, expected, "violated: a read of {length} bytes at {offset} of ten gives what is there");
    }
}

/// The offset that an append returns is where its first byte is; empty chunks and empty appends take no room.
pub async fn appends_land_at_the_end_in_chunk_order<D: Disk>(disk: &D, root: &Path) {
    let path = folder(disk, root, "appends").await.join("file");
    let file = must(disk.create(&path).await, "a file can be created under a free name");
    let appends: [(&[&'static [u8]], u64); 5] =
        [(&[b"ab", b"c"], 0), (&[], 3), (&[b"", b"d", b""], 3), (&[b""], 4), (&[b"e", b"f", b"g"], 4)];
    for (chunks, expected_offset) in appends {
        let chunks = chunks.iter().map(|chunk| Bytes::from_static(chunk)).collect();
        let offset = must(file.append(chunks).await, "a file can be appended to");
        assert_eq!(offset, expected_offset, "violated: an append returns the offset of its first byte");
    }
    assert_eq!(&content(&file).await[..], b"abcdefg", "violated: chunks land one after the other in their order");
    let many: Vec<Bytes> = (0..3_000_u32).map(|number| Bytes::copy_from_slice(&number.to_le_bytes())).collect();
    let expected: Vec<u8> = many.iter().flat_map(|chunk| chunk.iter().copied()).collect();
    let offset = must(file.append(many).await, "thousands of chunks can be appended at once");
    let read = must(file.read_at(offset, expected.len()).await, "an open file can be read");
    assert_eq!(read, expected, "violated: thousands of chunks land one after the other in their order");
}

/// An append of a megabyte in a few chunks, and a read of it, are one of each.
pub async fn a_long_append_arrives_whole<D: Disk>(disk: &D, root: &Path) {
    let path = folder(disk, root, "long-append").await.join("file");
    let file = file_with(disk, &path, b"head").await;
    let long: Bytes = (0..1_048_576_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let chunks = vec![long.slice(..700_001), long.slice(700_001..700_002), long.slice(700_002..)];
    let offset = must(file.append(chunks).await, "a megabyte can be appended at once");
    assert_eq!(offset, 4, "violated: an append returns the offset of its first byte");
    let read = must(file.read_at(4, long.len()).await, "a megabyte can be read at once");
    assert!(read == long, "violated: a read of a megabyte gives all of it");
    let tail = must(file.append(vec![Bytes::from_static(b"tail")]).await, "a file can be appended to");
    assert_eq!(tail, 4 + 1_048_576, "violated: an append lands right behind the one before");
}

/// A truncation cuts, the next append lands at the cut, and a file cannot be cut longer.
pub async fn truncation_moves_the_end<D: Disk>(disk: &D, root: &Path) {
    let path = folder(disk, root, "truncation").await.join("file");
    let file = file_with(disk, &path, b"keep and lose").await;
    must_refuse(file.truncate(14).await, DiskErrorKind::InputOutput, "a file is not cut to more than it has");
    must(
        file.truncate(13).await,
        "a file can be cut to the length it has, also by the handle that was refused another",
    );
    must(file.truncate(4).await, "a file can be cut");
    assert_eq!(must(file.len().await, "an open file has a length"), 4, "violated: a cut file is as long as asked");
    let offset = must(file.append(vec![Bytes::from_static(b"ing")]).await, "a cut file can be appended to");
    assert_eq!(offset, 4, "violated: after a cut the next append lands at the cut");
    assert_eq!(&content(&file).await[..], b"keeping", "violated: what was cut off is gone");
    must(file.truncate(0).await, "a file can be cut to nothing");
    assert_eq!(&content(&file).await[..], b"", "violated: a file cut to nothing is empty");
    must(file.sync().await, "a cut file can be synced");
}

/// A file that was closed and opened again is appended to behind what it has.
pub async fn a_reopened_file_goes_on_at_its_end<D: Disk>(disk: &D, root: &Path) {
    let path = folder(disk, root, "reopened").await.join("file");
    drop(file_with(disk, &path, b"first").await);
    let file = must(disk.open(&path, Access::Append).await, "an existing file can be opened for appending");
    assert_eq!(must(file.len().await, "an open file has a length"), 5, "violated: a reopened file has its length");
    let offset = must(file.append(vec![Bytes::from_static(b"second")]).await, "a reopened file can be appended to");
    assert_eq!(offset, 5, "violated: a reopened file goes on at its end");
    assert_eq!(&content(&file).await[..], b"firstsecond", "violated: reopening changes no content");
}

/// `Access::Read` reads and measures; all else is refused, and nothing changes.
pub async fn a_reading_handle_refuses_to_write<D: Disk>(disk: &D, root: &Path) {
    let path = folder(disk, root, "read-only").await.join("file");
    drop(file_with(disk, &path, b"untouched").await);
    let reader = must(disk.open(&path, Access::Read).await, "an existing file can be opened for reading");
    let append = reader.append(vec![Bytes::from_static(b"!")]).await;
    must_refuse(append, DiskErrorKind::ReadOnly, "a handle opened for reading refuses to append");
    must_refuse(reader.truncate(0).await, DiskErrorKind::ReadOnly, "a handle opened for reading refuses to truncate");
    must_refuse(reader.sync().await, DiskErrorKind::ReadOnly, "a handle opened for reading refuses to sync");
    assert_eq!(&content(&reader).await[..], b"untouched", "violated: refused writes change nothing");
}
