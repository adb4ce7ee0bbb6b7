//! Replays what fuzzing found, and what the engine writes, through every decoder: `engine/fuzz/corpus`, a folder a target.
//!
//! ```text
//!   corpus/table/sample-lz4    written by the engine today: accepted          corpus/table/3f2a…    found by a fuzzer: no
//!                                                                             assertion of `engine::fuzzing` fails
//! ```
//!
//! `UPDATE_TESTDATA=1 cargo test -p engine` rewrites the samples, and nothing else.

#![expect(clippy::disallowed_methods, reason = "the corpus lies in the repository, and no world is under test")]

use std::fs;
use std::path::{Path, PathBuf};

use engine::fuzzing::{Sample, TARGETS, Target, samples};

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

fn path_of(sample: &Sample) -> PathBuf {
    corpus(sample.target).join(format!("sample-{}", sample.name.replace(' ', "-")))
}

fn target(name: &str) -> Target {
    TARGETS.iter().find(|(known, _)| *known == name).expect("a sample is one of a target").1
}

#[test]
fn every_decoder_stands_the_corpus() {
    for (name, target) in TARGETS {
        let files = fs::read_dir(corpus(name)).expect("every target has a corpus");
        let mut paths: Vec<PathBuf> = files.map(|file| file.expect("it can be listed").path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "the corpus of {name} is empty");
        for path in paths {
            let bytes = fs::read(&path).expect("it can be read");
            let outcome = std::panic::catch_unwind(|| target(&bytes));
            assert!(outcome.is_ok(), "{} fails", path.display());
        }
    }
}

#[test]
fn the_corpus_begins_with_what_the_engine_writes_and_every_decoder_accepts_it() {
    let update = std::env::var_os("UPDATE_TESTDATA").is_some();
    for sample in samples() {
        let path = path_of(&sample);
        if update {
            fs::create_dir_all(corpus(sample.target)).expect("a folder");
            fs::write(&path, &sample.bytes).expect("a file");
        }
        let stored = fs::read(&path).ok();
        assert_eq!(stored.as_deref(), Some(&sample.bytes[..]), "{} is not what is written today", path.display());
        assert!(target(sample.target)(&sample.bytes), "{} is refused", path.display());
    }
}

#[test]
fn every_decoder_stands_its_samples_cut_anywhere_and_with_any_byte_changed() {
    for sample in samples() {
        let target = target(sample.target);
        // Long samples are mostly repetition: some places of them are enough for a test.
        let step = 1 + sample.bytes.len() / 128;
        for index in (0..sample.bytes.len()).step_by(step) {
            target(&sample.bytes[..index]);
            for flip in [0x01, 0xff] {
                let mut flipped = sample.bytes.clone();
                flipped[index] ^= flip;
                target(&flipped);
            }
        }
    }
}
