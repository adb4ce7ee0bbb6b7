//! What the operating system knows of this process and of a folder.
//!
//! ```text
//!   /proc/self/io          wchar    bytes handed to write calls: what an engine asks to be written
//!   /proc/self/status      VmHWM    most memory resident at once
//!   /proc/self/clear_refs  5        sets VmHWM back to what is resident now
//! ```
//!
//! `write_bytes` of the same file would count pages as they get dirty: a page that is written twice before the system
//! gets round to it counts once, which depends on the disk and not on the engine. So bytes written are `wchar`. What
//! is written through a memory map is in neither; no engine here does that.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes that this process has handed to write calls.
pub(crate) fn written_bytes() -> io::Result<u64> {
    field(&fs::read_to_string("/proc/self/io")?, "wchar:")
}

/// Most memory that was resident at once, in bytes, since the process began or [`forget_peak_memory`].
pub(crate) fn peak_memory_bytes() -> io::Result<u64> {
    Ok(field(&fs::read_to_string("/proc/self/status")?, "VmHWM:")? * 1024)
}

/// Begins a new peak.
pub(crate) fn forget_peak_memory() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

/// Bytes that the files below a folder take on the disk.
pub(crate) fn disk_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // An engine at work removes files while they are counted.
        bytes += match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => disk_bytes(&path)?,
            Ok(metadata) => metadata.blocks() * 512,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
    }
    Ok(bytes)
}

/// Copies a folder with all that is below it.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

/// Removes a folder with all that is below it, if it is there.
pub(crate) fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Waits until all that was written to this folder's file system is on the disk, so that no row pays for what came
/// before it.
pub(crate) fn sync_file_system(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(fs::File::open(folder)?)?)
}

fn field(text: &str, name: &str) -> io::Result<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name));
    let number = rest.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok());
    number.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no {name} in /proc")))
}
