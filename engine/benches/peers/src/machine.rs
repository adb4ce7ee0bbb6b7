//! What the figures were measured on, for the header of the output.

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::engines::Name;

/// The machine, as far as it matters here.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// System and release.
    pub(crate) kernel: String,
    /// Model of the first core.
    pub(crate) processor: String,
    /// Cores that this process may use.
    pub(crate) cores: usize,
    /// Memory, in bytes.
    pub(crate) memory_bytes: u64,
    /// File system of the folder, with its device.
    pub(crate) file_system: String,
}

impl Machine {
    /// Looks around; what cannot be found out is "unknown".
    pub(crate) fn look(folder: &Path) -> Self {
        let system = rustix::system::uname();
        let words = [system.sysname(), system.release(), system.machine()].map(|word| word.to_string_lossy());
        Self {
            kernel: words.join(" "),
            processor: value("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory_bytes().unwrap_or(0),
            file_system: file_system(folder).unwrap_or_else(unknown),
        }
    }
}

/// The versions of what an engine is made of, out of the lock file that this program was built with.
pub(crate) fn versions(name: Name) -> String {
    let lock = include_str!("../Cargo.lock");
    let version = |package: &&str| {
        let entry = lock.split_once(&format!("name = \"{package}\"\nversion = \"")).map(|(_, rest)| rest);
        let version = entry.and_then(|rest| rest.split_once('"')).map_or("unknown", |(version, _)| version);
        format!("{package} {version}")
    };
    name.packages().iter().map(version).collect::<Vec<_>>().join(", ")
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn value(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_bytes() -> Option<u64> {
    let kibibytes = value("/proc/meminfo", "MemTotal")?;
    Some(kibibytes.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

fn file_system(folder: &Path) -> Option<String> {
    let folder = fs::canonicalize(folder).ok()?;
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let mut found: Option<(&str, String)> = None;
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (device, point, kind) = (words.next()?, words.next()?, words.next()?);
        let is_closer = found.as_ref().is_none_or(|(closest, _)| point.len() >= closest.len());
        if folder.starts_with(point) && is_closer {
            found = Some((point, format!("{kind} on {device}")));
        }
    }
    found.map(|(_, text)| text)
}
