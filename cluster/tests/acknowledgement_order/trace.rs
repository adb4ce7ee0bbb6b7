//! What `strace -f -y` wrote, as calls with a beginning and an end.
//!
//! ```text
//!   8830  fdatasync(12</d/wal-1.log> <unfinished ...>      begun on line 1
//!   8828  sendto(14<socket:[114312]>, "/\0"..., 55) = 55   begun and ended on line 2
//!   8830  <... fdatasync resumed>)          = 0            ended on line 3
//! ```
//!
//! strace stops a thread where its call begins and where it ends, and writes each stop down before the thread goes on. So
//! when one thread acts on what another thread's call has done, the end of that call stands before the beginning of the
//! action, and line numbers are an order to judge by.

use std::collections::BTreeMap;

/// A system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// The line on which it began, from 1.
    pub(crate) begun: usize,
    /// The line on which it ended; the same when no other thread was seen in between. `None` when the process ended first.
    pub(crate) ended: Option<usize>,
    /// Its name.
    pub(crate) name: String,
    /// What stands between its brackets.
    pub(crate) arguments: String,
    /// What stands behind the equals sign.
    pub(crate) result: String,
}

impl Call {
    /// The file, folder or socket of the descriptor that is its first argument: `12</d/wal-1.log>`.
    pub(crate) fn descriptor(&self) -> Option<&str> {
        annotated(&self.arguments)
    }

    /// What the descriptor it returned stands for.
    pub(crate) fn opened(&self) -> Option<&str> {
        annotated(&self.result)
    }

    /// Its arguments in quotation marks: paths, and beginnings of buffers.
    pub(crate) fn quoted(&self) -> Vec<&str> {
        let (mut found, mut rest) = (Vec::new(), self.arguments.as_str());
        while let Some((_, after)) = rest.split_once('"') {
            let Some(length) = closing_quote(after) else { break };
            found.push(&after[..length]);
            rest = &after[length + 1..];
        }
        found
    }

    /// What it returned, when that is a number and no error.
    pub(crate) fn returned(&self) -> Option<u64> {
        self.result.split_whitespace().next()?.parse().ok()
    }
}

/// `12</path>...` gives `/path`. Paths with `>` in them are not for this test.
fn annotated(text: &str) -> Option<&str> {
    let (number, rest) = text.split_once('<')?;
    let is_descriptor = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    rest.split_once('>').map(|(target, _)| target).filter(|_| is_descriptor)
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// All calls of a trace, in the order in which they began. Signals and ends of threads are left out.
pub(crate) fn parse(text: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    // thread -> its call that has not ended
    let mut unfinished: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((_, tail)) = resumed.split_once(" resumed>") else { continue };
            if let Some(call) = unfinished.remove(thread).map(|call| &mut calls[call]) {
                let (arguments, result) = split_result(tail);
                call.arguments.push_str(arguments);
                (call.result, call.ended) = (result.to_string(), Some(number));
            }
            continue;
        }
        let Some((name, rest)) = rest.split_once('(') else { continue };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue;
        }
        let name = name.to_string();
        let call = match rest.strip_suffix("<unfinished ...>") {
            Some(arguments) => {
                let arguments = arguments.trim_end();
                unfinished.insert(thread, calls.len());
                Call { begun: number, ended: None, name, arguments: arguments.to_string(), result: String::new() }
            }
            None => {
                let (arguments, result) = split_result(rest);
                let (arguments, result) = (arguments.to_string(), result.to_string());
                Call { begun: number, ended: Some(number), name, arguments, result }
            }
        };
        calls.push(call);
    }
    calls
}

/// `12, 0)     = 0` is arguments and result. A buffer may hold the same signs, so the last ones count.
fn split_result(text: &str) -> (&str, &str) {
    let Some((arguments, result)) = text.rsplit_once(" = ") else { return (text, "") };
    let arguments = arguments.trim_end();
    (arguments.strip_suffix(')').unwrap_or(arguments), result)
}

mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_interrupted_in_the_trace_is_put_together_again() {
        let text = "7  fdatasync(12</d/wal-1.log> <unfinished ...>\n\
                    8  sendto(14<socket:[9]>, \"a) = 1\\\"\", 55, MSG_NOSIGNAL, NULL, 0) = 55\n\
                    8  recvfrom(14<socket:[9]>,  <unfinished ...>\n\
                    7  <... fdatasync resumed>)          = 0\n\
                    7  --- SIGTERM {si_signo=SIGTERM} ---\n\
                    8  <... recvfrom resumed>\"key\", 100, 0, NULL, NULL) = 3\n\
                    7  write(1</dev/null>, \"x\" <unfinished ...>\n\
                    7  +++ exited with 0 +++\n";
        let calls = parse(text);
        let shape: Vec<_> = calls.iter().map(|call| (call.name.as_str(), call.begun, call.ended)).collect();
        assert_eq!(
            shape,
            [("fdatasync", 1, Some(4)), ("sendto", 2, Some(2)), ("recvfrom", 3, Some(6)), ("write", 7, None)]
        );
        assert_eq!((calls[0].descriptor(), calls[0].returned()), (Some("/d/wal-1.log"), Some(0)));
        assert_eq!((calls[1].quoted(), calls[1].returned()), (vec!["a) = 1\\\""], Some(55)));
        assert_eq!((calls[2].descriptor(), calls[2].quoted()), (Some("socket:[9]"), vec!["key"]));
    }

    #[test]
    fn the_last_argument_is_the_same_whether_the_call_was_interrupted_or_not() {
        let whole = parse("7  pwritev(12</d/x>, [{iov_base=\"x\", iov_len=1}], 1, 0) = 1\n");
        let parted = parse(
            "7  pwritev(12</d/x>, [{iov_base=\"x\", iov_len=1}], 1, 0 <unfinished ...>\n7  <... pwritev resumed>)   = 1\n",
        );
        assert_eq!((&whole[0].arguments, &whole[0].result), (&parted[0].arguments, &parted[0].result));
        assert!(whole[0].arguments.ends_with(", 1, 0"), "{whole:?}");
    }

    #[test]
    fn names_descriptors_and_errors_are_told_apart() {
        let text = "7 openat(AT_FDCWD</d>, \"x\\\"y\", O_RDWR|O_CREAT, 0666) = 11</d/x>\n\
                    7 rename(\"/d/a\", \"/d/b\") = -1 ENOENT (No such file or directory)\n";
        let calls = parse(text);
        assert_eq!((calls[0].descriptor(), calls[0].opened()), (None, Some("/d/x")));
        assert_eq!(calls[0].quoted(), ["x\\\"y"]);
        assert_eq!((calls[1].quoted(), calls[1].returned()), (vec!["/d/a", "/d/b"], None));
    }
}
