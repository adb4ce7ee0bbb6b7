//! The rules of the house, as tests: layers, headers, lengths, words.
//!
//! The first half reads the repository; each failure names file, line and remedy. The second half shows every rule a
//! planted violation, and something like it that is none: a rule that cannot fail is worth nothing.

mod tidy_rules;

use std::fs;
use std::path::{Path, PathBuf};

use tidy_rules::source::Source;
use tidy_rules::{Violation, files, layers, words};

const CRATES: [&str; 4] = ["engine", "cluster", "sim", "reports"];

#[test]
fn crates_know_only_what_is_below_them() {
    let mut violations: Vec<Violation> = sources().iter().flat_map(layers::crates).collect();
    for name in CRATES {
        let path = format!("{name}/Cargo.toml");
        violations.extend(layers::manifest(&path, &read(&root().join(&path))));
    }
    none(violations);
}

#[test]
fn only_the_roots_name_the_real_world() {
    none(sources().iter().flat_map(layers::real_world).collect());
}

#[test]
fn no_two_rooms_import_each_other() {
    none(CRATES.iter().flat_map(|name| layers::cycles(&sources_of(name))).collect());
}

#[test]
fn every_file_opens_with_a_header() {
    none(sources().iter().filter_map(files::header).collect());
}

#[test]
fn no_file_is_longer_than_600_lines() {
    none(sources().iter().filter_map(files::length).collect());
}

#[test]
fn every_crate_opens_with_its_map() {
    none(sources().iter().filter_map(files::map).collect());
}

#[test]
fn production_code_has_no_banned_words() {
    none(sources().iter().flat_map(words::banned).collect());
}

#[test]
fn every_scenario_says_what_it_teaches() {
    let scenarios = files_below(&root().join("scenarios"), "yaml");
    none(scenarios.iter().filter_map(|path| files::about(&from_root(path), &read(path))).collect());
}

#[test]
fn the_rules_see_the_whole_house() {
    for name in CRATES {
        assert!(sources_of(name).iter().any(|source| source.path.ends_with("/src/lib.rs")), "no sources of {name}");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository").to_path_buf()
}

fn sources() -> Vec<Source> {
    CRATES.iter().flat_map(|name| sources_of(name)).collect()
}

fn sources_of(name: &str) -> Vec<Source> {
    let folders = ["src", "tests", "benches", "examples"].map(|folder| root().join(name).join(folder));
    let paths = folders.iter().flat_map(|folder| files_below(folder, "rs"));
    paths.map(|path| Source::new(&from_root(&path), &read(&path))).collect()
}

/// The files with this extension in a folder and those below it, ordered by name; none when there is no such folder.
/// What cargo built lies in `target`, also below `engine/benches/peers`, and is not of the house.
fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    entries.sort();
    let mut found = Vec::new();
    for path in entries {
        if path.is_dir() && path.ends_with("target") {
            continue;
        }
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}

fn from_root(path: &Path) -> String {
    path.strip_prefix(root()).expect("the file lies in the repository").to_string_lossy().replace('\\', "/")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

#[track_caller]
fn none(violations: Vec<Violation>) {
    let told: Vec<String> = violations.iter().map(Violation::to_string).collect();
    assert!(told.is_empty(), "\n{}\n", told.join("\n"));
}

/// The lines at which a rule finds violations.
fn lines(violations: impl IntoIterator<Item = Violation>) -> Vec<usize> {
    violations.into_iter().map(|violation| violation.line).collect()
}

#[test]
fn a_crate_that_names_one_above_it_is_found_in_code_and_manifest() {
    let text = "//! The cluster:: is above.\nuse bytes::Bytes;\nuse {cluster::ring, madsim::task};\nlet x = reports::text(y);\n";
    assert_eq!(lines(layers::crates(&Source::new("engine/src/a.rs", text))), [3, 3, 4]);
    assert_eq!(lines(layers::crates(&Source::new("sim/src/a.rs", text))), []);
    let own = "use crate::cluster::x;\nuse super::sim::y;\nlet z = \"cluster::ring\";\n";
    assert_eq!(lines(layers::crates(&Source::new("engine/src/a.rs", own))), []);

    let manifest = "[package]\nname = \"cluster\"\n[dependencies]\nbytes = \"1\"\nmadsim.workspace = true\n[dev-dependencies.sim]\npath = \"x\"\n";
    assert_eq!(lines(layers::manifest("cluster/Cargo.toml", manifest)), [5, 6]);
    assert_eq!(lines(layers::manifest("sim/Cargo.toml", manifest)), []);
}

#[test]
fn the_real_world_named_in_a_room_is_found() {
    let text = "use engine::world::{self, Disk, real::RealWorld};\nlet x = crate::world::real::RealDisk::new();\nuse engine::world::World;\n#[cfg(test)]\nmod tests {\n    use engine::world::real::RealWorld;\n}\n";
    assert_eq!(lines(layers::real_world(&Source::new("cluster/src/replica/mod.rs", text))), [1, 2]);
    assert_eq!(lines(layers::real_world(&Source::new("cluster/src/bin/stormglass/main.rs", text))), []);
    assert_eq!(lines(layers::real_world(&Source::new("cluster/tests/real.rs", text))), []);
}

#[test]
fn two_rooms_that_import_each_other_are_told_with_both_places() {
    let wal = Source::new("engine/src/wal/mod.rs", "use crate::world::Disk;\nuse crate::{\n    Key,\n};\n");
    let format = Source::new("engine/src/format/key.rs", "fn a() {}\nuse super::super::wal::Wal;\n");
    let root = Source::new("engine/src/lib.rs", "pub mod wal;\npub use format::key::Key;\n");
    let violations = layers::cycles(&[wal, format, root]);
    assert_eq!(lines(violations.clone()), [2]);
    let told = violations[0].to_string();
    assert!(told.contains("engine/src/format/key.rs:2") && told.contains("engine/src/wal/mod.rs:2"), "{told}");
}

#[test]
fn rooms_that_import_one_way_or_only_in_tests_are_no_cycle() {
    let wal = Source::new(
        "engine/src/wal/mod.rs",
        "use crate::format::Key;\nuse super::format::Block;\nuse self::part::Part;\n",
    );
    let format = Source::new(
        "engine/src/format/mod.rs",
        "use super::key;\n#[cfg(test)]\nmod tests {\n    use crate::wal::Wal;\n}\n",
    );
    let inner = Source::new("engine/src/format/key.rs", "use super::block;\nuse crate::format::wal;\n");
    assert_eq!(layers::cycles(&[wal, format, inner]), []);
}

#[test]
fn a_file_without_a_header_or_with_too_short_a_one_is_found() {
    let found = |path: &str, text: &str| files::header(&Source::new(path, text)).is_some();
    assert!(found("engine/src/a.rs", "use x;\n//! Late.\n//! Too late.\n"));
    assert!(found("engine/src/a.rs", "//! One line.\n//!\nuse x;\n"));
    assert!(!found("engine/src/a.rs", "//! One line.\n//!\n//! And another.\nuse x;\n"));
    assert!(found("engine/tests/a.rs", "use x;\n"));
    assert!(!found("engine/src/format/record_tests.rs", "//! One line.\nuse x;\n"));
    assert!(!found("engine/tests/a.rs", "//! One line.\nuse x;\n"));
}

#[test]
fn a_file_of_601_lines_is_found() {
    assert_eq!(lines(files::length(&Source::new("engine/src/a.rs", &"x\n".repeat(601)))), [601]);
    assert_eq!(lines(files::length(&Source::new("engine/src/a.rs", &"x\n".repeat(600)))), []);
}

#[test]
fn a_library_without_its_map_is_found() {
    let found = |path: &str, text: &str| files::map(&Source::new(path, text)).is_some();
    assert!(found("engine/src/lib.rs", "//! The engine.\n\n// the path of one write\n"));
    assert!(!found("engine/src/lib.rs", "//! The engine.\n//! ## Path of\n//! one write\n"));
    assert!(found("reports/src/lib.rs", "//! Reports.\n"));
    assert!(!found("reports/src/lib.rs", "//! Reports, and its rooms.\n"));
    assert!(!found("engine/src/wal/mod.rs", "//! No map is needed.\n"));
}

#[test]
fn banned_words_are_found_in_production_code_only() {
    let text = "a.unwrap();\nb.unwrap ( );\ntodo!();\nmy_todo!();\nlet c = \"dbg!\"; // unimplemented!()\ndbg!(d);\n#[cfg(test)]\nmod tests {\n    fn e() { f.unwrap(); todo!() }\n}\ng.unwrap_or(h);\n";
    assert_eq!(lines(words::banned(&Source::new("engine/src/a.rs", text))), [1, 2, 3, 6]);
    assert_eq!(lines(words::banned(&Source::new("engine/benches/a.rs", text))), []);
}

#[test]
fn a_test_switch_on_anything_but_a_module_is_found() {
    let text = "#[cfg(test)]\nuse a;\nif cfg!(test) { b(); }\n#[cfg(any(test, feature = \"c\"))]\nfn d() {}\n#[cfg_attr(test, e)]\nfn f() {}\n#[cfg(test)]\n#[path = \"x.rs\"]\npub(crate) mod tests;\n#[cfg(madsim)]\nfn latest() {}\n";
    let mut found = lines(words::banned(&Source::new("engine/src/a.rs", text)));
    found.sort_unstable();
    assert_eq!(found, [1, 3, 4, 6]);
}

#[test]
fn a_select_that_is_not_biased_is_found() {
    let text =
        "tokio::select! {\n    biased;\n    x = y => {}\n}\ntokio::select! {\n    x = y => {}\n}\n// select! { }\n";
    assert_eq!(lines(words::banned(&Source::new("cluster/src/a.rs", text))), [5]);
}

#[test]
fn a_scenario_that_does_not_say_what_it_teaches_is_found() {
    let found = |text: &str| files::about("scenarios/a.yaml", text).is_some();
    assert!(found("name: a\n"));
    assert!(found("name: a\nabout:\nseed: 7\n"));
    assert!(found("name: a\nfaults:\n  about: no\n"));
    assert!(!found("name: a\nabout: b\n"));
    assert!(!found("name: a\nabout: >\n  b\nseed: 7\n"));
}
