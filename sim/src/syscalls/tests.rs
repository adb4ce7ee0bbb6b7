//! What is legal after a power loss, on traces written by hand.

#![allow(clippy::unwrap_used, reason = "a test that fails to unwrap has failed")]

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use engine::world::Rng;

use super::legal::{Choices, hash};
use super::model::{Model, Tree};
use super::replay::{Note, Place, replay};
use super::strace::parse;

/// A trace of one thread; what stands in quotation marks is written as strace does with `-xx`.
fn trace(calls: &str) -> String {
    let mut text = String::new();
    for line in calls.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let line =
            if line.starts_with(|char: char| char.is_ascii_digit()) { line.to_string() } else { format!("7 {line}") };
        for (place, part) in line.split('"').enumerate() {
            match place % 2 {
                0 => text.push_str(part),
                _ => text.push_str(&format!(
                    "\"{}\"",
                    part.bytes().map(|byte| format!("\\x{byte:02x}")).collect::<String>()
                )),
            }
        }
        text.push('\n');
    }
    text
}

const PLACE: Place<'static> = Place { root: "/r", ledger: "/ledger" };

/// Performs a trace on what is there, shows each state of the disk, and returns the last one with what was noted.
fn play(base: &Tree, calls: &str, mut see: impl FnMut(u32, &Model)) -> Result<(Model, Vec<Note>), String> {
    let mut model = Model::of(base);
    let mut watch = |lasted: super::replay::Lasted<'_>| {
        see(lasted.until, lasted.model);
        ControlFlow::Continue(())
    };
    let notes = replay(&mut model, &parse(&trace(calls)), PLACE, &mut watch)?;
    Ok((model, notes))
}

/// Everything that may be found after a power loss at the end of a trace.
fn found(base: &Tree, calls: &str) -> Vec<Tree> {
    let (model, _) = play(base, calls, |_, _| ()).unwrap();
    let mut rng = Rng::from_seed(1);
    let choices = Choices::of(&model, &mut rng);
    let survivors = choices.survivors(4_096, &mut rng);
    let mut trees: Vec<Tree> = survivors.iter().map(|survivor| choices.found(&model, survivor)).collect();
    let mut seen = BTreeSet::new();
    trees.retain(|tree| seen.insert(hash(tree)));
    trees
}

fn tree(entries: &[(&str, Option<&[u8]>)]) -> Tree {
    let entry =
        |(path, bytes): &(&str, Option<&[u8]>)| ((*path).to_string(), bytes.map(|bytes| Arc::new(bytes.to_vec())));
    entries.iter().map(entry).collect()
}

fn bytes<'a>(tree: &'a Tree, path: &str) -> Option<&'a [u8]> {
    tree.get(path)?.as_ref().map(|bytes| &bytes[..])
}

const WRITE_AND_RENAME: &str = r#"
    openat(AT_FDCWD, "/r/x.tmp", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0666) = 3
    pwritev(3, [{iov_base="new ", iov_len=4}, {iov_base="content", iov_len=7}], 2, 0) = 11
    rename("/r/x.tmp", "/r/x") = 0
"#;

#[test]
fn a_file_that_was_renamed_before_it_was_synced_may_be_empty_whole_or_anything_between() {
    let found = found(&tree(&[("x", Some(b"old"))]), WRITE_AND_RENAME);
    assert!(found.contains(&tree(&[("x", Some(b""))])), "the renaming was kept, the bytes were not");
    assert!(found.contains(&tree(&[("x", Some(&[0; 11]))])), "and the length was");
    assert!(found.contains(&tree(&[("x", Some(b"new content"))])));
    assert!(found.contains(&tree(&[("x", Some(b"old"))])), "nothing was kept");
    assert!(found.contains(&tree(&[("x", Some(b"old")), ("x.tmp", Some(b""))])));
    assert!(found.iter().any(|tree| bytes(tree, "x").is_some_and(|bytes| bytes.len() < 11 && bytes.starts_with(b"n"))));
    assert!(found.iter().all(|tree| bytes(tree, "x").is_some()), "a renaming gives the old file or the new one");
}

#[test]
fn a_file_that_was_synced_and_whose_name_was_is_never_lost_by_a_renaming() {
    let calls = r#"
        openat(AT_FDCWD, "/r/x.tmp", O_RDWR|O_CREAT|O_EXCL, 0666) = 3
        pwrite64(3, "new", 3, 0) = 3
        fdatasync(3) = 0
        openat(AT_FDCWD, "/r", O_RDONLY|O_DIRECTORY) = 4
        fsync(4) = 0
        rename("/r/x.tmp", "/r/x") = 0
    "#;
    let found = found(&tree(&[("x", Some(b"old"))]), calls);
    let old = tree(&[("x", Some(b"old")), ("x.tmp", Some(b"new"))]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.contains(&old) && found.contains(&tree(&[("x", Some(b"new"))])));
}

#[test]
fn names_of_one_folder_are_kept_and_lost_each_for_itself() {
    let calls = r#"
        openat(AT_FDCWD, "/r/a", O_RDWR|O_CREAT|O_EXCL, 0666) = 3
        openat(AT_FDCWD, "/r/b", O_RDWR|O_CREAT|O_EXCL, 0666) = 4
        unlink("/r/old") = 0
    "#;
    let found = found(&tree(&[("old", Some(b"."))]), calls);
    let names: BTreeSet<Vec<&str>> = found.iter().map(|tree| tree.keys().map(String::as_str).collect()).collect();
    assert_eq!(names.len(), 8, "{names:?}");
    assert!(names.contains(&vec!["b", "old"]), "the later one was kept, and the earlier one was not");
}

#[test]
fn a_folder_whose_name_is_lost_takes_with_it_what_was_synced_in_it() {
    let calls = r#"
        mkdir("/r/d", 0777) = 0
        openat(AT_FDCWD, "/r/d/f", O_RDWR|O_CREAT|O_EXCL, 0666) = 3
        write(3, "synced", 6) = 6
        fsync(3) = 0
        openat(AT_FDCWD, "/r/d", O_RDONLY|O_DIRECTORY) = 4
        fsync(4) = 0
    "#;
    let found = found(&Tree::new(), calls);
    assert_eq!(found, [Tree::new(), tree(&[("d", None), ("d/f", Some(b"synced"))])]);
}

#[test]
fn unsynced_writes_are_kept_in_any_selection_and_what_was_synced_never_changes() {
    let (first, second, third) = ("1".repeat(700), "2".repeat(700), "3".repeat(700));
    let calls = format!(
        r#"openat(AT_FDCWD, "/r/log", O_RDWR|O_CREAT|O_EXCL, 0666) = 3
        pwrite64(3, "{first}", 700, 0) = 700
        fdatasync(3) = 0
        pwrite64(3, "{second}", 700, 700) = 700
        pwrite64(3, "{third}", 700, 1400) = 700
        openat(AT_FDCWD, "/r", O_RDONLY|O_DIRECTORY) = 4
        fsync(4) = 0"#
    );
    let mut lengths = BTreeSet::new();
    let (mut second_lost, mut torn) = (false, false);
    for tree in found(&Tree::new(), &calls) {
        let log = bytes(&tree, "log").unwrap();
        assert!(log.len() >= 700 && log[..700].iter().all(|byte| *byte == b'1'), "what was synced is there");
        second_lost |= log.len() == 2_100 && log[700..1_400] == [0; 700] && log[1_400..] == [b'3'; 700];
        let is_hole = |sector: usize| log[sector..sector + 512].iter().all(|byte| *byte == 0) && log[sector + 512] != 0;
        torn |= log.len() == 2_100 && [1_024, 1_536].into_iter().any(is_hole);
        lengths.insert(log.len());
    }
    assert!(second_lost, "the third write reached the medium, and the second did not");
    assert!(torn, "a sector was lost between two that were kept");
    let expected: Vec<usize> = [700, 1_400, 2_100].to_vec();
    assert!(expected.iter().all(|length| lengths.contains(length)) && lengths.len() > 4, "{lengths:?}");
}

#[test]
fn a_cut_that_was_not_synced_may_come_back_and_a_cut_file_is_never_shorter() {
    let calls = r#"
        openat(AT_FDCWD, "/r/log", O_RDWR) = 3
        ftruncate(3, 4) = 0
        pwrite64(3, "new", 3, 4) = 3
    "#;
    let found = found(&tree(&[("log", Some(b"keep and lose"))]), calls);
    let contents: BTreeSet<&[u8]> = found.iter().map(|tree| bytes(tree, "log").unwrap()).collect();
    for legal in [&b"keep and lose"[..], b"keep", b"keepnew", b"keep\0\0\0", b"keepnewd lose"] {
        assert!(contents.contains(legal), "{contents:?}");
    }
    assert!(contents.iter().all(|content| content.starts_with(b"keep")), "{contents:?}");
}

#[test]
fn a_sync_covers_only_what_had_ended_when_it_began() {
    let calls = r#"
        7 openat(AT_FDCWD, "/r/log", O_RDWR) = 3
        8 pwrite64(3, "a", 1, 0 <unfinished ...>
        7 fdatasync(3 <unfinished ...>
        8 <... pwrite64 resumed>) = 1
        7 <... fdatasync resumed>) = 0
    "#;
    let base = tree(&[("log", Some(b""))]);
    assert!(found(&base, calls).contains(&base), "the write had not ended");
    let calls = calls.replace("fdatasync(3 <unfinished ...>", "close(9) = 0");
    let calls = calls.replace("<... fdatasync resumed>)", "fdatasync(3)");
    assert_eq!(found(&base, &calls), [tree(&[("log", Some(b"a"))])], "now it had");
}

#[test]
fn a_descriptor_that_is_given_again_is_another_file() {
    let calls = r#"
        openat(AT_FDCWD, "/r/a", O_RDWR|O_CREAT, 0666) = 3
        close(3) = 0
        openat(AT_FDCWD, "/elsewhere", O_RDWR) = 3
        write(3, "not ours", 8) = 8
        close(3) = 0
        openat(AT_FDCWD, "/r/b", O_RDWR|O_CREAT|O_APPEND, 0666) = 3
        write(3, "one", 3) = 3
        write(3, "two", 3) = 3
        openat(AT_FDCWD, "/ledger", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 4
        write(4, "said", 4) = 4
    "#;
    let (model, notes) = play(&Tree::new(), calls, |_, _| ()).unwrap();
    assert_eq!(model.tree(), tree(&[("a", Some(b"")), ("b", Some(b"onetwo"))]));
    assert_eq!(notes, [(10, b"said".to_vec())]);
}

#[test]
fn each_state_of_the_disk_is_shown_once_until_the_call_that_ends_it() {
    let calls = r#"
        openat(AT_FDCWD, "/r/a", O_RDWR|O_CREAT, 0666) = 3
        pwrite64(3, "x", 1, 0) = 1
        openat(AT_FDCWD, "/r/a", O_RDONLY) = 4
        fsync(3) = 0
        fsync(3) = 0
        rename("/r/missing", "/r/b") = -1 ENOENT (No such file or directory)
        rename("/r/a", "/r/b") = 0
    "#;
    let mut shown = Vec::new();
    play(&Tree::new(), calls, |until, model| shown.push((until, model.now.len()))).unwrap();
    assert_eq!(shown, [(1, 0), (2, 1), (4, 1), (7, 1), (u32::MAX, 1)], "a sync of nothing and a refused call end none");
}

#[test]
fn what_the_model_does_not_know_is_refused_with_its_line_and_what_lies_elsewhere_is_not() {
    let refused = |calls: &str| play(&tree(&[("a", Some(b"")), ("d", None)]), calls, |_, _| ()).unwrap_err();
    for call in [
        r#"symlink("/r/a", "/r/b") = 0"#,
        r#"rename("/r/a", "/r/d/a") = 0"#,
        r#"rename("/r/a", "/elsewhere") = 0"#,
        r#"rename("/r/d", "/r/e") = 0"#,
        r#"truncate("/r/a", 0) = 0"#,
        r#"openat(3, "a", O_RDWR) = 4"#,
        r#"openat(AT_FDCWD, "/r/b", O_RDWR) = 4"#,
        r#"renameat2(AT_FDCWD, "/r/a", AT_FDCWD, "/r/b", RENAME_EXCHANGE) = 0"#,
    ] {
        let error = refused(call);
        assert!(error.contains("line 1"), "{call}: {error}");
    }
    let copied = refused("openat(AT_FDCWD, \"/r/a\", O_RDWR) = 3\ndup(3) = 4");
    assert!(copied.contains("line 2") && copied.contains("dup"), "{copied}");
    let elsewhere = r#"
        symlink("/a", "/b") = 0
        openat(AT_FDCWD, "/root-of-another-name/x", O_RDWR) = 3
        dup(3) = 4
        write(1, "ok", 2) = 2
    "#;
    assert!(play(&Tree::new(), elsewhere, |_, _| ()).is_ok());
}

#[test]
fn survivors_beyond_the_bound_are_a_sample_with_the_simple_ones_first() {
    let many: String =
        (0..12).map(|file| format!("openat(AT_FDCWD, \"/r/{file:02}\", O_RDWR|O_CREAT, 0666) = 3\n")).collect();
    let (model, _) = play(&Tree::new(), &many, |_, _| ()).unwrap();
    let mut rng = Rng::from_seed(1);
    let choices = Choices::of(&model, &mut rng);
    assert_eq!(choices.survivors(4_096, &mut rng).len(), 4_096, "all of them");
    let sample = choices.survivors(40, &mut rng);
    assert_eq!(sample.len(), 40);
    assert!(sample[0].names.iter().all(|kept| !kept) && sample[1].names.iter().all(|kept| *kept));
}
