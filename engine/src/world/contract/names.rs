//! What a disk promises about names, while nothing crashes.
//!
//! ```text
//!   create  a new file or AlreadyExists          rename  replaces its target; the old name is gone
//!   link    a second name of the same bytes      remove  the name goes; open handles read on
//!   list    ordered by name, with lengths        lock    one holder, in this process too
//! ```
//!
//! Which error each impossible call gives is as much a promise as its success: callers act on the kind.

use std::path::Path;

use ::bytes::Bytes;

use super::{content, file_with, folder, must, must_refuse};
use crate::world::{Access, DirectoryEntry, Disk, DiskErrorKind, EntryKind, File};

/// All parts of this file.
pub async fn conform<D: Disk>(disk: &D, root: &Path) {
    missing_names_are_not_found(disk, root).await;
    taken_names_are_refused(disk, root).await;
    files_and_folders_are_not_confused(disk, root).await;
    rename_replaces_its_target(disk, root).await;
    a_link_is_a_second_name_of_one_file(disk, root).await;
    a_removed_file_stays_readable_through_open_handles(disk, root).await;
    a_listing_is_ordered_and_complete(disk, root).await;
    a_lock_has_one_holder(disk, root).await;
    space_is_measured(disk, root).await;
}

/// What does not exist is `NotFound`, whatever was wanted of it.
pub async fn missing_names_are_not_found<D: Disk>(disk: &D, root: &Path) {
    let folder = folder(disk, root, "missing").await;
    let (missing, below_missing) = (folder.join("nothing"), folder.join("nothing").join("below"));
    let kind = DiskErrorKind::NotFound;
    must_refuse(disk.open(&missing, Access::Read).await, kind, "opening a missing file for reading is refused");
    must_refuse(disk.open(&missing, Access::Append).await, kind, "opening a missing file for appending is refused");
    must_refuse(disk.remove(&missing).await, kind, "removing a missing file is refused");
    must_refuse(disk.rename(&missing, &folder.join("new")).await, kind, "renaming a missing file is refused");
    must_refuse(disk.link(&missing, &folder.join("new")).await, kind, "linking a missing file is refused");
    must_refuse(disk.list(&missing).await, kind, "listing a missing folder is refused");
    must_refuse(disk.sync_dir(&missing).await, kind, "syncing a missing folder is refused");
    must_refuse(disk.create(&below_missing).await, kind, "creating a file in a missing folder is refused");
    must_refuse(disk.create_dir(&below_missing).await, kind, "creating a folder in a missing folder is refused");
    must_refuse(disk.lock(&below_missing).await, kind, "locking a file in a missing folder is refused");
    assert!(
        must(disk.list(&folder).await, "a folder can be listed").is_empty(),
        "violated: refused calls leave no name"
    );
}

/// `create`, `create_dir` and `link` never touch what has the name already.
pub async fn taken_names_are_refused<D: Disk>(disk: &D, root: &Path) {
    let folder = folder(disk, root, "taken").await;
    let (file, other, below) = (folder.join("file"), folder.join("other"), folder.join("below"));
    drop(file_with(disk, &file, b"kept").await);
    drop(file_with(disk, &other, b"other").await);
    must(disk.create_dir(&below).await, "a folder can be created in an existing one");
    let kind = DiskErrorKind::AlreadyExists;
    must_refuse(disk.create(&file).await, kind, "creating a file under a taken name is refused");
    must_refuse(disk.create(&below).await, kind, "creating a file under a folder's name is refused");
    must_refuse(disk.create_dir(&below).await, kind, "creating a folder under a taken name is refused");
    must_refuse(disk.create_dir(&file).await, kind, "creating a folder under a file's name is refused");
    must_refuse(disk.link(&other, &file).await, kind, "linking to a taken name is refused");
    let file = must(disk.open(&file, Access::Read).await, "an existing file can be opened");
    assert_eq!(&content(&file).await[..], b"kept", "violated: a refused create or link leaves the file alone");
}

/// A folder where a file is needed, and the other way round, each has its own error.
pub async fn files_and_folders_are_not_confused<D: Disk>(disk: &D, root: &Path) {
    let folder = folder(disk, root, "confused").await;
    let (file, below) = (folder.join("file"), folder.join("below"));
    drop(file_with(disk, &file, b"x").await);
    must(disk.create_dir(&below).await, "a folder can be created in an existing one");
    let kind = DiskErrorKind::IsADirectory;
    must_refuse(disk.open(&below, Access::Read).await, kind, "opening a folder for reading is refused");
    must_refuse(disk.open(&below, Access::Append).await, kind, "opening a folder for appending is refused");
    must_refuse(disk.remove(&below).await, kind, "removing a folder as a file is refused");
    must_refuse(disk.rename(&file, &below).await, kind, "renaming a file to a folder's name is refused");
    must_refuse(disk.rename(&file, &folder).await, kind, "renaming a file to the name of its folder is refused");
    must_refuse(disk.rename(&below, &folder.join("new")).await, kind, "renaming a folder is refused");
    must_refuse(disk.rename(&below, &file).await, kind, "renaming a folder to a file's name is refused");
    must_refuse(disk.link(&below, &folder.join("new")).await, kind, "linking a folder is refused");
    must_refuse(disk.lock(&below).await, kind, "locking a folder is refused");
    let kind = DiskErrorKind::NotADirectory;
    must_refuse(disk.list(&file).await, kind, "listing a file is refused");
    must_refuse(disk.sync_dir(&file).await, kind, "syncing a file as a folder is refused");
    must_refuse(disk.create(&file.join("child")).await, kind, "creating a file below a file is refused");
    must_refuse(disk.open(&file.join("child"), Access::Read).await, kind, "opening a file below a file is refused");
    must_refuse(disk.create_dir(&file.join("child")).await, kind, "creating a folder below a file is refused");
}

/// After a rename the target's name means the renamed file, and the old name nothing.
pub async fn rename_replaces_its_target<D: Disk>(disk: &D, root: &Path) {
    let folder = folder(disk, root, "rename").await;
    let (from, to) = (folder.join("from"), folder.join("to"));
    let renamed = file_with(disk, &from, b"new").await;
    let replaced = file_with(disk, &to, b"old").await;
    must(disk.rename(&from, &to).await, "a file can be renamed to a taken name");
    must_refuse(disk.open(&from, Access::Read).await, DiskErrorKind::NotFound, "a renamed file's old name is gone");
    let target = must(disk.open(&to, Access::Read).await, "a renamed file has its new name");
    assert_eq!(&content(&target).await[..], b"new", "violated: the new name means the renamed file");
    assert_eq!(&content(&replaced).await[..], b"old", "violated: a replaced file stays readable through open handles");
    must(renamed.append(vec![Bytes::from_static(b"er")]).await, "a handle follows its file through a rename");
    assert_eq!(&content(&target).await[..], b"newer", "violated: a handle follows its file through a rename");
    let below = folder.join("below");
    must(disk.create_dir(&below).await, "a folder can be created in an existing one");
    must(disk.rename(&to, &below.join("moved")).await, "a file can be renamed into another folder");
    let moved = must(disk.open(&below.join("moved"), Access::Read).await, "a moved file has its new name");
    assert_eq!(&content(&moved).await[..], b"newer", "violated: a moved file keeps its content");
    must(disk.sync_dir(&below).await, "a folder can be synced");
    must(disk.sync_dir(&folder).await, "a folder can be synced");
}

/// Both names mean the same bytes; removing one leaves the other.
pub async fn a_link_is_a_second_name_of_one_file<D: Disk>(disk: &D, root: &Path) {
    let folder = folder(disk, root, "link").await;
    let (first, second) = (folder.join("first"), folder.join("second"));
    let writer = file_with(disk, &first, b"same").await;
    must(disk.link(&first, &second).await, "a file can be given a second name");
    must(writer.append(vec![Bytes::from_static(b" bytes")]).await, "a file with two names can be appended to");
    let through_second = must(disk.open(&second, Access::Read).await, "a link can be opened");
    assert_eq!(&content(&through_second).await[..], b"same bytes", "violated: both names mean the same bytes");
    must(disk.remove(&first).await, "one name of a file can be removed");
    let again = must(disk.open(&second, Access::Read).await, "removing one name leaves the other");
    assert_eq!(&content(&again).await[..], b"same bytes", "violated: removing one name leaves the file");
}

/// The name goes at once and is free again; handles that are open go on with the old file.
pub async fn a_removed_file_stays_readable_through_open_handles<D: Disk>(disk: &D, root: &Path) {
    let path = folder(disk, root, "removed").await.join("file");
    let old = file_with(disk, &path, b"old").await;
    must(disk.remove(&path).await, "a file can be removed while it is open");
    must_refuse(disk.open(&path, Access::Read).await, DiskErrorKind::NotFound, "a removed name is gone");
    let new = file_with(disk, &path, b"new").await;
    must(old.append(vec![Bytes::from_static(b"er")]).await, "a removed file can be appended to through open handles");
    assert_eq!(&content(&old).await[..], b"older", "violated: a removed file stays readable through open handles");
    assert_eq!(&content(&new).await[..], b"new", "violated: a new file under a removed name is another file");
}

/// Every name once, in byte order, files with their length and folders with 0.
pub async fn a_listing_is_ordered_and_complete<D: Disk>(disk: &D, root: &Path) {
    let folder = folder(disk, root, "listing").await;
    drop(file_with(disk, &folder.join("b"), b"22").await);
    drop(file_with(disk, &folder.join("a10"), b"").await);
    drop(file_with(disk, &folder.join("a9"), b"4444").await);
    must(disk.create_dir(&folder.join("c")).await, "a folder can be created in an existing one");
    drop(file_with(disk, &folder.join("c").join("hidden"), b"not here").await);
    let listed = must(disk.list(&folder).await, "a folder can be listed");
    let expected = [("a10", EntryKind::File, 0), ("a9", EntryKind::File, 4), ("b", EntryKind::File, 2)]
        .into_iter()
        .chain([("c", EntryKind::Directory, 0)])
        .map(|(name, kind, length_bytes)| DirectoryEntry { name: name.to_string(), kind, length_bytes });
    assert_eq!(listed, expected.collect::<Vec<_>>(), "violated: a listing has every name once, in byte order");
}

/// A lock excludes everyone, in this process too, until it is dropped.
pub async fn a_lock_has_one_holder<D: Disk>(disk: &D, root: &Path) {
    let folder = folder(disk, root, "lock").await;
    let path = folder.join("LOCK");
    let held = must(disk.lock(&path).await, "a free lock can be taken");
    must_refuse(disk.lock(&path).await, DiskErrorKind::Locked, "a held lock is refused, in the same process too");
    let other = must(disk.lock(&folder.join("OTHER")).await, "locks of different names are independent");
    drop(held);
    let again = must(disk.lock(&path).await, "a dropped lock is free");
    must_refuse(disk.lock(&path).await, DiskErrorKind::Locked, "a lock that was taken again is held");
    drop((again, other));
}

/// The disk has a size, and no more room than that.
pub async fn space_is_measured<D: Disk>(disk: &D, root: &Path) {
    let space = must(disk.space(root).await, "the room on a disk can be measured");
    assert!(
        space.available_bytes <= space.total_bytes,
        "violated: there is no more room than the disk's size: {space:?}"
    );
    assert!(space.total_bytes > 0, "violated: a disk has a size");
}
