//! The lints against the real world and against random order fire, and only where they should.
//!
//! ```text
//!   a throw-away crate  =  this house's own .clippy.toml  +  one line for each thing that is banned
//!   cargo clippy        ─▶ every line is told, with the reason that the configuration gives for it
//! ```
//!
//! The throw-away crates have no dependencies, so this works offline; lists for `tokio` and `rand` are checked where
//! those crates are compiled, by clippy itself: it complains about a path that leads nowhere.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// One banned thing a line: its path in the configuration, and a function that uses it.
const ONLY_IN_A_WORLD: [(&str, &str); 9] = [
    ("std::time::Instant::now", "pub fn a() -> std::time::Instant { std::time::Instant::now() }"),
    ("std::time::SystemTime::now", "use std::time::SystemTime as Wall; pub fn b() -> Wall { Wall::now() }"),
    ("std::fs::read", "pub fn c() -> std::io::Result<Vec<u8>> { std::fs::read(\"x\") }"),
    ("std::fs::File::open", "pub fn d() -> std::io::Result<std::fs::File> { std::fs::File::open(\"x\") }"),
    ("std::path::Path::exists", "pub fn e() -> bool { std::path::PathBuf::from(\"x\").exists() }"),
    ("std::thread::spawn", "pub fn f() { std::thread::spawn(|| {}); }"),
    ("std::thread::sleep", "pub fn g(long: std::time::Duration) { std::thread::sleep(long) }"),
    ("std::env::var", "pub fn h() -> Option<String> { std::env::var(\"x\").ok() }"),
    ("std::net::TcpStream::connect", "pub fn i() { drop(std::net::TcpStream::connect(\"x:1\")); }"),
];

const NOWHERE_IN_A_RUN: [(&str, &str); 4] = [
    ("std::collections::HashMap", "pub fn k() -> usize { std::collections::HashMap::<u8, u8>::new().len() }"),
    ("std::collections::HashSet", "use std::collections::*; pub fn l(set: &HashSet<u8>) -> usize { set.len() }"),
    ("std::hash::RandomState", "pub fn m() -> std::hash::RandomState { std::hash::RandomState::new() }"),
    ("f64::ln", "pub fn n(x: f64) -> f64 { x.ln() }"),
];

const CLEAN: &str = "pub fn sum(x: f64, map: &std::collections::BTreeMap<u8, f64>) -> f64 {
    map.values().fold(x.sqrt(), |sum, value| sum + value)
}
pub fn beside(path: &std::path::Path, later: std::time::Duration) -> (std::path::PathBuf, std::time::Duration) {
    (path.with_extension(\"log\"), later * 2)
}
";

#[test]
fn engine_and_cluster_may_not_reach_past_their_world() {
    let everything = [&ONLY_IN_A_WORLD[..], &NOWHERE_IN_A_RUN[..]].concat();
    for name in ["engine", "cluster"] {
        every_line_is_told(name, &everything);
    }
}

#[test]
fn the_laboratory_may_use_the_machine_but_no_random_order() {
    every_line_is_told("sim", &NOWHERE_IN_A_RUN);
    let machine: Vec<&str> = ONLY_IN_A_WORLD.iter().map(|(_, line)| *line).collect();
    passes("sim", &machine.join("\n"));
}

#[test]
fn clean_code_passes() {
    for name in ["engine", "cluster", "sim", "reports"] {
        passes(name, CLEAN);
    }
}

#[test]
fn an_exemption_with_its_reason_passes() {
    let real =
        format!("#![allow(clippy::disallowed_methods, reason = \"this is the real world\")]\n{}", ONLY_IN_A_WORLD[2].1);
    passes("engine", &real);
}

/// Each banned line must be complained about, at that line, with the reason that the crate's configuration gives.
fn every_line_is_told(name: &str, banned: &[(&str, &str)]) {
    let source: Vec<&str> = banned.iter().map(|(_, line)| *line).collect();
    let output = clippy(name, &source.join("\n"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "clippy lets everything pass:\n{told}");
    for (index, (path, _)) in banned.iter().enumerate() {
        let reason = reason(name, path);
        let complaint = told.split("\n\n").find(|complaint| {
            complaint.contains(&format!("src/lib.rs:{}:", index + 1)) && complaint.contains(&format!("`{path}`"))
        });
        let complaint = complaint.unwrap_or_else(|| panic!("nothing is said about `{path}` in `{name}`:\n{told}"));
        assert!(complaint.contains(&reason), "the complaint about `{path}` in `{name}` lacks {reason:?}:\n{complaint}");
    }
}

fn passes(name: &str, source: &str) {
    let output = clippy(name, source);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !told.contains("warning"), "{name} refuses it:\n{told}");
}

/// The reason that a crate's configuration gives for a path.
fn reason(name: &str, path: &str) -> String {
    let configuration = configuration(name);
    let entry = configuration.lines().find(|line| line.contains(&format!("path = \"{path}\"")));
    let entry = entry.unwrap_or_else(|| panic!("{name}/.clippy.toml has no entry for {path}"));
    let (_, reason) = entry.split_once("reason = \"").unwrap_or_else(|| panic!("no reason is given: {entry}"));
    reason.split('"').next().unwrap_or_default().to_string()
}

fn configuration(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join(".clippy.toml");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Runs clippy, complaints as errors, over a throw-away crate with the configuration of the crate `name`.
fn clippy(name: &str, source: &str) -> Output {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let folder = directory.path();
    let manifest = "[package]\nname = \"planted\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::create_dir(folder.join("src")).expect("the test may write");
    for (path, content) in [("Cargo.toml", manifest), ("src/lib.rs", source), (".clippy.toml", &configuration(name))] {
        fs::write(folder.join(path), content).expect("the test may write");
    }
    let mut command = Command::new(env!("CARGO"));
    command.args(["clippy", "--offline", "--quiet", "--color", "never", "--", "-D", "warnings"]).current_dir(folder);
    command.env("CARGO_TARGET_DIR", folder.join("target"));
    // What this test run was built with must not reach the run inside it.
    for variable in
        ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS", "CLIPPY_CONF_DIR"]
    {
        command.env_remove(variable);
    }
    let output = command.output().expect("cargo, which built this test, can be started");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        !told.contains("no such command") && !told.contains("is not installed"),
        "this test needs clippy: install it with `rustup component add clippy`\n{told}"
    );
    output
}
