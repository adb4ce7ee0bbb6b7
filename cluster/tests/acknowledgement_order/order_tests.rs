//! Traces that break one rule each, and one that breaks none.

use std::collections::BTreeSet;

use super::{Seen, Violation, check};
use crate::trace::parse;

/// A node that makes its directory, its marker and a segment, and acknowledges two puts with one sync.
const GOOD: &str = r#"
1  mkdir("/r/data", 0777) = 0
1  openat(AT_FDCWD</r>, "/r/data/LOCK", O_RDWR|O_CREAT|O_CLOEXEC, 0666) = 3</r/data/LOCK>
1  fsync(4</r>) = 0
1  openat(AT_FDCWD</r>, "/r/data/MARK.tmp", O_RDWR|O_CREAT|O_EXCL, 0666) = 5</r/data/MARK.tmp>
1  pwritev(5</r/data/MARK.tmp>, [{iov_base="mark", iov_len=4}], 1, 0) = 4
1  fdatasync(5</r/data/MARK.tmp>) = 0
1  rename("/r/data/MARK.tmp", "/r/data/MARK") = 0
1  fsync(6</r/data>) = 0
1  openat(AT_FDCWD</r>, "/r/data/wal-1.log", O_RDWR|O_CREAT|O_EXCL, 0666) = 7</r/data/wal-1.log>
1  pwritev(7</r/data/wal-1.log>, [{iov_base="STORM", iov_len=60}], 1, 0) = 60
1  fdatasync(7</r/data/wal-1.log>) = 0
2  fsync(8</r/data>) = 0
2  sendto(20<socket:[1]>, "greeting", 8, MSG_NOSIGNAL, NULL, 0) = 8
2  recvfrom(20<socket:[1]>, "\n!bench-7-0000000001\22v", 100, 0, NULL, NULL) = 82
3  recvfrom(21<socket:[2]>,  <unfinished ...>
3  <... recvfrom resumed>"\n!bench-7-0000000002\22v", 100, 0, NULL, NULL) = 82
2  pwritev(7</r/data/wal-1.log>, [{iov_base="N\10bench-7-0000000001#\t0bench-7-0000000002#", iov_len=220}], 1, 60 <unfinished ...>
3  write(4<anon_inode:[eventfd]>, "\1", 8) = 8
2  <... pwritev resumed>) = 220
1  fdatasync(7</r/data/wal-1.log> <unfinished ...>
3  recvfrom(21<socket:[2]>, 0x7f60, 128, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)
1  <... fdatasync resumed>) = 0
2  sendto(20<socket:[1]>, "ok", 55, MSG_NOSIGNAL, NULL, 0 <unfinished ...>
3  sendto(21<socket:[2]>, "ok", 55, MSG_NOSIGNAL, NULL, 0) = 55
2  <... sendto resumed>) = 55
"#;

fn judged(text: &str) -> (Seen, Vec<Violation>) {
    check(&parse(text), "/r", &BTreeSet::new())
}

/// The good trace after an edit that must have changed it.
fn edited(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "{from}");
    GOOD.replacen(from, to, 1)
}

fn violations(text: &str) -> Vec<String> {
    judged(text).1.into_iter().map(|violation| violation.what).collect()
}

fn sentences(text: &str, words: &str, count: usize) {
    let found = violations(text);
    assert_eq!(found.iter().filter(|what| what.contains(words)).count(), count, "{found:#?}");
}

#[test]
fn a_trace_in_order_breaks_no_rule_and_everything_in_it_was_seen() {
    let (seen, violations) = judged(GOOD);
    assert_eq!(violations, []);
    let expected = Seen { acknowledgements: 2, segments_created: 1, renames: 1, links: 0, folders_made: 1, cuts: 0 };
    assert_eq!(seen, expected);
}

#[test]
fn a_reply_to_a_write_that_is_not_in_the_log_is_found() {
    let message = "bench-7-0000000001 is acknowledged before it is in the log";
    assert_eq!(violations(&edited("bench-7-0000000001#\\t0", "")), [message]);
    let failed =
        edited("2  <... pwritev resumed>) = 220", "2  <... pwritev resumed>) = -1 ENOSPC (No space left on device)");
    sentences(&failed, "before it is in the log", 2);
    let reply = "2  sendto(20<socket:[1]>, \"ok\", 55, MSG_NOSIGNAL, NULL, 0) = 55\n";
    let append = "2  pwritev(7</r/data/wal-1.log>, [{iov_base=\"N";
    assert_eq!(violations(&edited(append, &format!("{reply}{append}"))), [message]);
}

#[test]
fn a_reply_before_the_sync_has_returned_is_found() {
    let sync = "1  <... fdatasync resumed>) = 0\n";
    let late = edited(sync, "") + sync;
    sentences(&late, "is acknowledged before a sync of /r/data/wal-1.log that began after its append returned", 2);
    // Between the two replies: the first one was too early.
    let between = edited(sync, "").replace("3  sendto(21", &format!("{sync}3  sendto(21"));
    let (_, found) = judged(&between);
    assert_eq!((found.len(), found[0].line), (1, 23), "{found:?}");
    assert!(found[0].what.starts_with("bench-7-0000000001 "));
}

#[test]
fn a_sync_that_failed_or_that_is_of_another_file_or_began_too_early_covers_nothing() {
    let failed = edited("1  <... fdatasync resumed>) = 0", "1  <... fdatasync resumed>) = -1 EIO (Input/output error)");
    sentences(&failed, "before a sync of", 2);
    let other =
        edited("fdatasync(7</r/data/wal-1.log> <unfinished ...>", "fdatasync(7</r/data/wal-0.log> <unfinished ...>");
    sentences(&other, "before a sync of", 2);
    let begun = "1  fdatasync(7</r/data/wal-1.log> <unfinished ...>\n";
    for append in ["2  pwritev(7</r/data/wal-1.log>, [{iov_base=\"N", "2  <... pwritev resumed>"] {
        let early = edited(begun, "").replacen(append, &format!("{begun}{append}"), 1);
        sentences(&early, "before a sync of", 2);
    }
}

#[test]
fn a_folder_that_is_not_synced_is_found_at_the_first_thing_that_depends_on_it() {
    // The folder's own name, in its parent.
    let found = violations(&edited("1  fsync(4</r>) = 0\n", ""));
    assert!(
        found[0].starts_with("/r/data/wal-1.log is created before /r was synced for the name /r/data"),
        "{found:?}"
    );
    // The marker.
    let found = violations(&edited("1  fsync(6</r/data>) = 0\n", ""));
    let marker = "/r/data/wal-1.log is created before /r/data was synced for the name /r/data/MARK";
    assert!(found.contains(&marker.to_string()), "{found:?}");
    // The segment.
    let found = violations(&edited("2  fsync(8</r/data>) = 0\n", ""));
    let data = "data is appended to /r/data/wal-1.log before /r/data was synced for the name /r/data/wal-1.log";
    let end = "/r/data was never synced for the name /r/data/wal-1.log";
    assert_eq!(found, [data, end]);
}

#[test]
fn a_folder_synced_before_the_name_was_made_or_not_to_its_end_does_not_count() {
    let sync = "2  fsync(8</r/data>) = 0\n";
    let create = "1  openat(AT_FDCWD</r>, \"/r/data/wal-1.log\"";
    sentences(&edited(sync, "").replace(create, &format!("{sync}{create}")), "data is appended", 1);
    sentences(&edited(sync, "2  fsync(8</r/data> <unfinished ...>\n4  exit(0) = 0\n"), "data is appended", 1);
    sentences(&edited(sync, "2  fsync(8</r/data>) = -1 EIO (Input/output error)\n"), "data is appended", 1);
}

#[test]
fn content_that_is_not_synced_before_its_name_is_made_is_found() {
    let found = violations(&edited("1  fdatasync(5</r/data/MARK.tmp>) = 0\n", ""));
    assert_eq!(found, ["/r/data/MARK.tmp is renamed to /r/data/MARK before its content was synced"]);
}

#[test]
fn a_link_is_a_name_like_others_and_a_cut_depends_on_names() {
    let link = "9  linkat(AT_FDCWD</r>, \"/r/data/wal-1.log\", AT_FDCWD</r>, \"/r/data/kept\", 0) = 0\n";
    let (sync, cut) = ("9  fsync(9</r/data>) = 0\n", "9  ftruncate(9</r/data/wal-1.log>, 60) = 0\n");
    let (seen, found) = judged(&format!("{GOOD}{link}{sync}{cut}"));
    assert_eq!((seen.links, seen.cuts, found), (1, 1, Vec::new()));
    let found = violations(&format!("{GOOD}{link}{cut}{sync}"));
    assert_eq!(found, ["/r/data/wal-1.log is cut before /r/data was synced for the name /r/data/kept"]);
}

#[test]
fn a_file_that_was_there_before_is_not_made_by_opening_it() {
    let open = "1  openat(AT_FDCWD</r>, \"/r/data/LOCK\", O_RDWR|O_CREAT, 0666) = 3</r/data/LOCK>\n";
    let existing = BTreeSet::from(["/r/data/LOCK".to_string()]);
    assert_eq!(check(&parse(open), "/r", &existing).1, []);
    assert_eq!(check(&parse(open), "/r", &BTreeSet::new()).1.len(), 1);
}
