//! Arrows point one way: `engine <- cluster <- sim -> reports`, and no two rooms of a crate import each other.
//!
//! ```text
//!   engine    names no cluster, sim, reports, madsim      cluster   names no sim, reports, madsim
//!   reports   names none of the house, no madsim          sim       may name them all
//!   world::real   is named at the two roots only: engine/src/world, cluster/src/world, cluster/src/bin, and tests;
//!                 and by `storm syscalls`, which opens on a real disk what real system calls may have left there
//!   crate::a  imports crate::b  and  crate::b  imports crate::a      a cycle: both places are told
//! ```
//!
//! A room is a top-level module of a crate. What `lib.rs` hands on (`pub use room::Thing`) counts as its room.

use std::collections::BTreeMap;

use super::Violation;
use super::source::{Source, paths};

/// The crates that may not be named, by the crate that would name them.
fn forbidden(house_crate: &str) -> &'static [&'static str] {
    match house_crate {
        "engine" => &["cluster", "sim", "reports", "madsim"],
        "cluster" => &["sim", "reports", "madsim"],
        "reports" => &["engine", "cluster", "sim", "madsim"],
        _ => &[],
    }
}

/// Code that names a crate above its own.
pub(crate) fn crates(source: &Source) -> Vec<Violation> {
    let lines: Vec<(usize, &str)> = source.code.lines().enumerate().map(|(index, line)| (index + 1, line)).collect();
    let mut violations = Vec::new();
    for (line, path) in paths(&lines) {
        let first = path.split("::").next().unwrap_or_default().trim();
        if forbidden(source.house_crate()).contains(&first) {
            violations.push(upward(&source.path, line, source.house_crate(), first));
        }
    }
    violations
}

/// A manifest that depends on a crate above its own, in any kind of dependency.
pub(crate) fn manifest(path: &str, text: &str) -> Vec<Violation> {
    let house_crate = path.split('/').next().unwrap_or_default();
    let (mut violations, mut in_dependencies) = (Vec::new(), false);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let mut names = line.split(['=', '.', ' ']).take(1).collect::<Vec<_>>();
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            in_dependencies = section.split('.').any(|part| part.ends_with("dependencies"));
            names = section.rsplit('.').take(1).collect();
        }
        for name in names {
            let name = name.trim_matches('"');
            if in_dependencies && forbidden(house_crate).contains(&name) {
                violations.push(upward(path, index + 1, house_crate, name));
            }
        }
    }
    violations
}

fn upward(path: &str, line: usize, house_crate: &str, named: &str) -> Violation {
    let remedy = format!(
        "`{house_crate}` may not know `{named}` (arrows point one way: engine <- cluster <- sim -> reports); move what \
         needs it into the crate above, or hand it in through a trait"
    );
    Violation::new(path, line, remedy)
}

/// Code that names the real world anywhere but where a program is wired.
pub(crate) fn real_world(source: &Source) -> Vec<Violation> {
    let roots = ["engine/src/world/", "cluster/src/world/", "cluster/src/bin/", "sim/src/bin/storm/syscalls.rs"];
    if roots.iter().any(|root| source.path.starts_with(root)) {
        return Vec::new();
    }
    let named = paths(&source.production_lines()).into_iter().filter(|(_, path)| {
        let segments: Vec<&str> = path.split("::").map(str::trim).collect();
        segments.windows(2).any(|pair| pair == ["world", "real"])
    });
    let remedy =
        "only the two roots name `world::real`; be generic over `World`, or over the one side of it that you need";
    named.map(|(line, _)| Violation::new(&source.path, line, remedy)).collect()
}

/// Pairs of rooms of one crate that import each other. `sources` are the files of that crate.
pub(crate) fn cycles(sources: &[Source]) -> Vec<Violation> {
    let handed_on = handed_on(sources);
    // (room that imports, room that is imported) -> the first place where it does
    let mut imports: BTreeMap<(String, String), (String, usize)> = BTreeMap::new();
    for source in sources {
        let Some(module) = module_of(&source.path) else { continue };
        let Some(room) = module.first().cloned() else { continue };
        for (line, path) in paths(&source.production_lines()) {
            let Some(name) = name_at_root(&module, &path) else { continue };
            let imported = handed_on.get(&name).cloned().unwrap_or(name);
            if imported != room {
                imports.entry((room.clone(), imported)).or_insert_with(|| (source.path.clone(), line));
            }
        }
    }
    let mut violations = Vec::new();
    for ((from, to), (path, line)) in &imports {
        let back = imports.get(&(to.clone(), from.clone()));
        if let (true, Some((other, other_line))) = (from < to, back) {
            let remedy = format!(
                "the rooms `{from}` and `{to}` import each other (here, and at {other}:{other_line}); move what both need \
                 into one of them, or into a third"
            );
            violations.push(Violation::new(path, *line, remedy));
        }
    }
    violations
}

/// What `lib.rs` hands on from its rooms: name -> room.
fn handed_on(sources: &[Source]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for source in sources.iter().filter(|source| source.path.ends_with("/src/lib.rs")) {
        for (_, path) in paths(&source.production_lines()) {
            let segments: Vec<&str> = path.trim_start_matches("crate::").split("::").collect();
            if let [room, .., name] = segments[..] {
                names.insert(name.to_string(), room.to_string());
            }
        }
    }
    names
}

/// The module path of a library's file: `engine/src/wal/recovery.rs` is `wal::recovery`; `None` for roots and binaries.
fn module_of(path: &str) -> Option<Vec<String>> {
    let (_, inside) = path.split_once("/src/")?;
    if inside == "lib.rs" || inside.starts_with("bin/") || inside == "main.rs" {
        return None;
    }
    let inside = inside.trim_end_matches(".rs").trim_end_matches("/mod");
    Some(inside.split('/').map(str::to_string).collect())
}

/// The first name below the crate's root that a path leads to, seen from a module; `None` when it does not go there.
fn name_at_root(module: &[String], path: &str) -> Option<String> {
    let mut segments = path.split("::").map(str::trim).peekable();
    if segments.next_if_eq(&"crate").is_none() {
        let mut depth = module.len();
        while segments.next_if_eq(&"super").is_some() {
            depth = depth.checked_sub(1)?;
        }
        // Without a single `super` the path begins here or with another crate.
        if depth > 0 {
            return None;
        }
    }
    segments.next().filter(|name| *name != "self" && *name != "*").map(str::to_string)
}
