//! `cargo peers`: the same workloads on this engine ("stormglass"), RocksDB, fjall, redb and LMDB, side by side.
//!
//! ```text
//!   arguments ─▶ rounds ── a job ──▶ child process ─▶ engines/*  behind one trait
//!                  │                       └────────▶ workloads/*  over data (keys, values) and zipf
//!                  └─▶ table: medians, ratios, figures                   settings: what all are asked for
//!   process, machine: what the operating system knows            glob: which rows
//! ```
//!
//! The same for all engines:
//!
//! * keys and values, byte for byte, and the order they come in: from one seed;
//! * the harness around each call, the clock, the checks of what was read;
//! * memtable size, cache size, filter bits a key, block size, compression (none, unless asked for);
//! * durability: either `fdatasync` before each acknowledgement, or none of it and the write is with the system;
//! * the page cache: never dropped, and the machine should hold all files in it. A cache miss of an engine is a read
//!   call and whatever the engine does with a block, not a disk access; the disk is what durable writes wait for;
//! * the folder a row begins in: empty, or a copy of what the same engine loaded in random order and settled, synced;
//! * rounds take the engines in turn, each in a fresh process.
//!
//! What cannot be the same (each engine's `SETUP` says it in the output):
//!
//! * redb and LMDB are B-trees: no memtable, no filters, no compression, no compactions that go on in the background;
//! * LMDB's cache is the page cache, so a smaller cache changes nothing for it, and its peak memory includes the mapped
//!   file; redb's cache holds pages half full and also what is not yet written;
//! * without `fdatasync` redb keeps commits in its own memory, where the others have given them to the system; LMDB
//!   then risks the whole file at a power loss, where logs lose their end;
//! * redb, LMDB and fjall sync once for each durable commit, one after the other; RocksDB and Stormglass let writers
//!   that wait together share a sync;
//! * redb opens a transaction and a table for each call, LMDB a transaction: every call sees the newest state, as the
//!   others' calls do. A program that reads many keys under one transaction would get more out of them;
//! * RocksDB keeps filters and indexes outside its cache, fjall the same for the upper levels only; LMDB checks no
//!   checksums when it reads, redb only when it repairs;
//! * a value is looked at where it lies (its length and first bytes are checked), as each interface allows. Who needs a
//!   copy pays for it alike.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a harness: clocks, files and threads are its trade"
)]

mod arguments;
mod child;
mod data;
mod engines;
mod glob;
mod machine;
mod process;
mod rounds;
mod settings;
mod table;
mod workloads;
mod zipf;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;
use engines::Failure;

fn main() -> ExitCode {
    // The alias ends in `--`; whoever writes one as well means the same.
    let given = std::env::args_os().enumerate().filter(|(place, word)| *place != 1 || word != "--");
    match run(&Arguments::parse_from(given.map(|(_, word)| word))) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("peers: {failure}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(job) = &arguments.child {
        child::run(&serde_json::from_str(job)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let groups = rounds::chosen(arguments)?;
    if arguments.list {
        table::list(&groups);
        return Ok(ExitCode::SUCCESS);
    }
    rounds::run(arguments, &groups)
}
