//! The laboratory.

#![warn(missing_docs, unreachable_pub)]

#[cfg(not(madsim))]
compile_error!(
    "the laboratory needs `--cfg madsim`, which .cargo/config.toml sets; a RUSTFLAGS variable or your own target flags \
     override that file: unset RUSTFLAGS, or add `--cfg madsim` to it"
);

pub mod world;
