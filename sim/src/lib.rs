//! The laboratory: the real engine and cluster code in a sealed world, where a seed decides everything that happens.
//!
//! The rooms, in the order in which a run passes through them:
//!
//! ```text
//!   scenario   YAML ─▶ plan ─▶ schedule of faults           world     clocks, disk, network, tasks: simulated
//!   run        nodes, clients, faults, rest, verdict         workload  which key, which operation, when
//!   history    what clients saw                              check     what must hold of it, one invariant a file
//!   campaign   many seeds over all cores, failures by cause, each cause shrunk to a scenario that a person can read
//!   journal    what clients of any other database saw: read from Jepsen's files and others, or generated; judged by check
//!   cap        every choice of N, R and W under every kind of fault, measured for the CAP report
//!   crash      power lost at every I/O boundary of the engine, in every way a disk allows; damage, and failing calls
//!   syscalls   the same for the system calls that the real program makes, taken down by strace
//!   transactions   the engine's own transactions, many at once, judged by cycles
//!   bin/storm  the command line                              (reports, a crate of its own, shows the facts)
//! ```
//!
//! The path of one write: `run::sessions` invokes it in the `history` at true time and hands it to the real
//! `cluster::client`, whose frames cross `world::network` to a real node on `world::node`, whose engine appends and syncs
//! on `world::disk`; the reply completes it in the history. A read takes the same way. Every message, disk operation and
//! timer on it is folded into the trace, whose hash is the same for the same scenario and seed, on every machine.
//!
//! What is absent: no check reads the database's own stamps; nothing but `world` and its nodes knows madsim.

#![warn(missing_docs, unreachable_pub)]

#[cfg(not(madsim))]
compile_error!(
    "the laboratory needs `--cfg madsim`, which .cargo/config.toml sets; a RUSTFLAGS variable or your own target flags \
     override that file: unset RUSTFLAGS, or add `--cfg madsim` to it"
);

pub mod campaign;
pub mod cap;
pub mod check;
pub mod crash;
pub mod history;
pub mod journal;
pub mod run;
pub mod scenario;
pub mod syscalls;
pub mod transactions;
pub mod workload;
pub mod world;
