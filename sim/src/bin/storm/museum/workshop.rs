//! The scratch copy of the source tree that bugs are planted in, and the folder that all of them are built in.
//!
//! ```text
//!   OUT/source    every file that git knows or would add; only what differs is written, so that only it is built again
//!   OUT/build     one target folder for all
//!   tree ─▶ source ─▶ git apply ─▶ cargo build --release ─▶ OUT/build/release/storm
//! ```
//!
//! The tree itself is never touched.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::Xxh3;

use super::exhibit::Exhibit;
use crate::Failed;

/// What the build does not need.
const LEFT_OUT: [&str; 3] = ["engine/fuzz/", "sim/museum/", "engine/benches/peers/"];

/// Lines of a failed build that are told.
const LINES_TOLD: usize = 30;

/// Settings of a release build in which a change of one crate costs seconds: what they cost in speed, every bug pays alike.
const QUICK_BUILDS: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "64"),
    ("CARGO_PROFILE_RELEASE_INCREMENTAL", "true"),
];

/// Where bugs are planted and built.
pub(super) struct Workshop {
    root: PathBuf,
    out: PathBuf,
    source: PathBuf,
    build: PathBuf,
}

/// The root of the repository that we are in.
pub(super) fn root() -> Result<PathBuf, Failed> {
    let found = git(Path::new("."), &["rev-parse", "--show-toplevel"]);
    found.map(|path| PathBuf::from(path.trim_end())).map_err(|why| {
        Failed::usage(format!(
            "the museum patches the source tree, and this is not in one: run it in the repository ({why})"
        ))
    })
}

/// Whether the patch of an exhibit fits the tree as it is; if not, why.
pub(super) fn check(root: &Path, exhibit: &Exhibit) -> Result<(), String> {
    match &exhibit.patch {
        Some(patch) => apply(root, patch, &["--check"]),
        None => Ok(()),
    }
}

impl Workshop {
    /// A workshop in `out`.
    pub(super) fn open(root: PathBuf, out: &Path) -> Result<Self, Failed> {
        fs::create_dir_all(out).map_err(|error| Failed::environment(format!("{}: {error}", out.display())))?;
        let out = fs::canonicalize(out).map_err(|error| Failed::environment(format!("{}: {error}", out.display())))?;
        Ok(Self { root, source: out.join("source"), build: out.join("build"), out })
    }

    /// The folder of all of it.
    pub(super) fn out(&self) -> &Path {
        &self.out
    }

    /// The source tree that is built.
    pub(super) fn source(&self) -> &Path {
        &self.source
    }

    /// The program that was built last.
    pub(super) fn storm(&self) -> PathBuf {
        self.build.join("release").join("storm")
    }

    /// A hash of everything that decides what the program does.
    pub(super) fn hash(&self) -> Result<String, Failed> {
        let mut hash = Xxh3::new();
        for file in self.files()?.iter().filter(|file| is_program(file)) {
            hash.update(file.as_bytes());
            hash.update(&fs::read(self.root.join(file)).map_err(|error| told(&self.root.join(file), error))?);
        }
        Ok(format!("{:016x}", hash.digest()))
    }

    /// Makes the copy one of the tree with the bug planted.
    pub(super) fn plant(&self, exhibit: &Exhibit) -> Result<(), Failed> {
        let files = self.files()?;
        remove_others(&self.source, &self.source, &files)?;
        for file in &files {
            copy(&self.root.join(file), &self.source.join(file))?;
        }
        let Some(patch) = &exhibit.patch else { return Ok(()) };
        apply(&self.source, patch, &[]).map_err(|why| stale(exhibit, &why))
    }

    /// Builds `storm` of the copy. Returns how long that took.
    pub(super) fn build(&self, exhibit: &Exhibit) -> Result<Duration, Failed> {
        let started = Instant::now();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--release", "--locked", "--package", "sim", "--bin", "storm"])
            .current_dir(&self.source)
            .env("CARGO_TARGET_DIR", &self.build)
            .envs(QUICK_BUILDS)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failed::environment(format!("cargo: {error}")))?;
        if built.status.success() {
            return Ok(started.elapsed());
        }
        let errors = String::from_utf8_lossy(&built.stderr);
        let lines: Vec<&str> = errors.lines().collect();
        let last = lines[lines.len().saturating_sub(LINES_TOLD)..].join("\n");
        Err(Failed::usage(format!("{}: it does not build:\n{last}", exhibit.name)))
    }

    /// Every file that git knows, or would add.
    fn files(&self) -> Result<BTreeSet<String>, Failed> {
        let listed = git(&self.root, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let listed = listed.map_err(|why| Failed::environment(format!("git ls-files: {why}")))?;
        let files =
            listed.split('\0').filter(|file| !file.is_empty() && !LEFT_OUT.iter().any(|out| file.starts_with(out)));
        // One that was deleted and not committed is still listed.
        Ok(files.filter(|file| self.root.join(file).is_file()).map(str::to_string).collect())
    }
}

/// What to do about a patch that does not fit.
pub(super) fn stale(exhibit: &Exhibit, why: &str) -> Failed {
    let name = &exhibit.name;
    Failed::usage(format!(
        "sim/museum/{name}.patch no longer applies: plant the bug again in the code as it is now, and take the diff with \
         `git diff -U2` (`git apply --3way sim/museum/{name}.patch` may do it)\n{}",
        why.trim_end()
    ))
}

fn is_program(file: &str) -> bool {
    let of_build = file.ends_with("Cargo.toml") || file.ends_with("Cargo.lock") || file.starts_with(".cargo/");
    of_build || file.contains("/src/") || file.starts_with("scenarios/")
}

fn apply(folder: &Path, patch: &str, options: &[&str]) -> Result<(), String> {
    // Inside another repository git would take the paths for that one's, and leave out what is not below the folder.
    let ceiling = folder.parent().unwrap_or(folder);
    let mut git = Command::new("git");
    git.arg("apply").args(options).arg("-").current_dir(folder).env("GIT_CEILING_DIRECTORIES", ceiling);
    git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = git.spawn().map_err(|error| format!("git: {error}"))?;
    let written = child.stdin.take().map(|mut stdin| std::io::Write::write_all(&mut stdin, patch.as_bytes()));
    let ended = child.wait_with_output().map_err(|error| error.to_string())?;
    match written {
        Some(Ok(())) if ended.status.success() => Ok(()),
        _ => Err(String::from_utf8_lossy(&ended.stderr).into_owned()),
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let ended = Command::new("git").args(arguments).current_dir(folder).stdin(Stdio::null()).output();
    let ended = ended.map_err(|error| error.to_string())?;
    if ended.status.success() {
        Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&ended.stderr).trim_end().to_string())
    }
}

fn told(path: &Path, error: std::io::Error) -> Failed {
    Failed::environment(format!("{}: {error}", path.display()))
}

/// Copies a file if it differs: cargo builds again what was written.
fn copy(from: &Path, to: &Path) -> Result<(), Failed> {
    let content = fs::read(from).map_err(|error| told(from, error))?;
    if fs::read(to).is_ok_and(|there| there == content) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|error| told(folder, error))?;
    }
    fs::write(to, content).map_err(|error| told(to, error))
}

/// Removes what is no copy of any of `files`.
fn remove_others(source: &Path, folder: &Path, files: &BTreeSet<String>) -> Result<(), Failed> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry.map_err(|error| told(folder, error))?.path();
        if path.is_dir() {
            remove_others(source, &path, files)?;
            continue;
        }
        let name = path.strip_prefix(source).ok().and_then(Path::to_str).map(|name| name.replace('\\', "/"));
        if !name.is_some_and(|name| files.contains(&name)) {
            fs::remove_file(&path).map_err(|error| told(&path, error))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "# title: x\n\ndiff --git a/one/a.txt b/one/a.txt\n--- a/one/a.txt\n+++ b/one/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";

    #[test]
    fn a_patch_is_applied_in_a_folder_of_another_repository_and_refused_where_it_does_not_fit() {
        let outer = tempfile::tempdir().expect("a folder");
        git(outer.path(), &["init", "--quiet"]).expect("git runs");
        let folder = outer.path().join("out/source");
        fs::create_dir_all(folder.join("one")).expect("a folder");
        let file = folder.join("one/a.txt");
        fs::write(&file, "one\ntwo\nthree\n").expect("a file");
        apply(&folder, PATCH, &["--check"]).expect("it fits");
        assert_eq!(fs::read_to_string(&file).expect("a file"), "one\ntwo\nthree\n");
        apply(&folder, PATCH, &[]).expect("it fits");
        assert_eq!(fs::read_to_string(&file).expect("a file"), "one\n2\nthree\n");
        assert!(apply(&folder, PATCH, &[]).expect_err("it was applied").contains("a.txt"));
    }

    #[test]
    fn a_copy_loses_what_its_original_lost_and_writes_only_what_differs() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, source) = (folder.path().join("from"), folder.path().join("source"));
        fs::write(&from, "text").expect("a file");
        copy(&from, &source.join("x/kept")).expect("a copy");
        copy(&from, &source.join("x/gone")).expect("a copy");
        let written = fs::metadata(source.join("x/kept")).and_then(|data| data.modified()).expect("a time");
        copy(&from, &source.join("x/kept")).expect("a copy");
        remove_others(&source, &source, &BTreeSet::from(["x/kept".to_string()])).expect("removal");
        assert_eq!(fs::metadata(source.join("x/kept")).and_then(|data| data.modified()).expect("a time"), written);
        assert!(!source.join("x/gone").exists());
    }
}
