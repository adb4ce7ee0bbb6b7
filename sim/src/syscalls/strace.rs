//! What `strace -f -xx` wrote, as calls with a beginning and an end.
//!
//! ```text
//!   8830  pwritev(12, [{iov_base="\x53\x47", iov_len=2}], 1, 0 <unfinished ...>     begun on line 1
//!   8828  fdatasync(9)                      = 0                                   begun and ended on line 2
//!   8830  <... pwritev resumed>)            = 2                                   ended on line 3
//! ```
//!
//! strace stops a thread where its call begins and where it ends, and writes each stop down before the thread goes on. So
//! when one thread acts on what another thread's call has done, the end of that call stands before the beginning of the
//! action, and line numbers are an order to judge by. With `-xx` every byte of a string is two hexadecimal digits, so that
//! no string can be taken for anything else.

use std::collections::BTreeMap;

/// A system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The line on which it began, from 1.
    pub(super) begun: u32,
    /// The line on which it ended; the same when no other thread was seen in between. `None` when the process ended first.
    pub(super) ended: Option<u32>,
    /// Its name.
    pub(super) name: String,
    /// What stands between its brackets, strings in hexadecimal digits.
    arguments: String,
    /// What it returned; -1 is an error, `None` that it did not return.
    pub(super) returned: Option<i64>,
}

impl Call {
    /// Its arguments in quotation marks: paths and buffers.
    pub(super) fn strings(&self) -> Result<Vec<Vec<u8>>, String> {
        let (mut found, mut rest) = (Vec::new(), self.arguments.as_str());
        while let Some((_, after)) = rest.split_once('"') {
            let (digits, after) = after.split_once('"').ok_or_else(|| self.refused("a string without an end"))?;
            if after.starts_with("...") {
                return Err(self.refused("a string that strace cut short"));
            }
            found.push(unescaped(digits).ok_or_else(|| self.refused("a string that is not in hexadecimal digits"))?);
            rest = after;
        }
        Ok(found)
    }

    /// The argument at this place, counted in commas outside of strings and brackets, as a number.
    pub(super) fn number(&self, place: usize) -> Result<i64, String> {
        let text = self.argument(place).unwrap_or_default();
        text.parse().map_err(|_| self.refused(&format!("`{text}` where a number should be")))
    }

    /// The argument at this place, as it is written.
    pub(super) fn argument(&self, place: usize) -> Option<&str> {
        let mut depth = 0_usize;
        let is_comma = |char: char| {
            match char {
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            char == ',' && depth == 0
        };
        self.arguments.split(is_comma).nth(place).map(str::trim)
    }

    /// Why it cannot be understood.
    pub(super) fn refused(&self, what: &str) -> String {
        let arguments: String = self.arguments.chars().take(80).collect();
        format!("line {} of the trace, {}({arguments}...): {what}", self.begun, self.name)
    }
}

/// `\x41\x42` is `AB`.
fn unescaped(digits: &str) -> Option<Vec<u8>> {
    let bytes = digits.split("\\x");
    let mut bytes = bytes.map(|digits| (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok()).flatten());
    match digits {
        "" => Some(Vec::new()),
        // Nothing stands before the first byte.
        _ if digits.starts_with("\\x") => bytes.by_ref().skip(1).collect(),
        _ => None,
    }
}

/// All calls of a trace, in the order in which they began. Signals and ends of threads are left out.
pub(super) fn parse(text: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    // thread -> its call that has not ended
    let mut unfinished: BTreeMap<&str, usize> = BTreeMap::new();
    for (line, number) in text.lines().zip(1..) {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((_, tail)) = resumed.split_once(" resumed>") else { continue };
            if let Some(call) = unfinished.remove(thread).map(|call| &mut calls[call]) {
                let (arguments, returned) = split_result(tail);
                call.arguments.push_str(arguments);
                (call.returned, call.ended) = (returned, Some(number));
            }
            continue;
        }
        let Some((name, rest)) = rest.split_once('(') else { continue };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue;
        }
        let (arguments, returned, ended) = match rest.strip_suffix("<unfinished ...>") {
            Some(arguments) => {
                unfinished.insert(thread, calls.len());
                (arguments.trim_end(), None, None)
            }
            None => {
                let (arguments, returned) = split_result(rest);
                (arguments, returned, Some(number))
            }
        };
        let (name, arguments) = (name.to_string(), arguments.to_string());
        calls.push(Call { begun: number, ended, name, arguments, returned });
    }
    calls
}

/// `12, 0)     = 0` is arguments and result.
fn split_result(text: &str) -> (&str, Option<i64>) {
    let Some((arguments, result)) = text.rsplit_once(" = ") else { return (text, None) };
    let arguments = arguments.trim_end();
    let returned = result.split_whitespace().next().and_then(|number| number.parse().ok());
    (arguments.strip_suffix(')').unwrap_or(arguments), returned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_interrupted_in_the_trace_is_put_together_again() {
        let text = "7  pwritev(12, [{iov_base=\"\\x61\\x2c\", iov_len=2}, {iov_base=\"\\x29\", iov_len=1}], 2, 40 <unfinished ...>\n\
                    8  openat(AT_FDCWD, \"\\x2f\\x64\", O_RDWR|O_CREAT|O_EXCL, 0666) = -1 EEXIST (File exists)\n\
                    7  <... pwritev resumed>)          = 3\n\
                    7  --- SIGTERM {si_signo=SIGTERM} ---\n\
                    7  fdatasync(12 <unfinished ...>\n\
                    7  +++ killed by SIGKILL +++\n";
        let calls = parse(text);
        let shape: Vec<_> =
            calls.iter().map(|call| (call.name.as_str(), call.begun, call.ended, call.returned)).collect();
        let expected =
            [("pwritev", 1, Some(3), Some(3)), ("openat", 2, Some(2), Some(-1)), ("fdatasync", 5, None, None)];
        assert_eq!(shape, expected);
        assert_eq!(calls[0].strings(), Ok(vec![b"a,".to_vec(), b")".to_vec()]));
        assert_eq!((calls[0].number(0), calls[0].number(3)), (Ok(12), Ok(40)));
        assert_eq!(calls[1].strings(), Ok(vec![b"/d".to_vec()]));
        assert_eq!(calls[1].argument(2), Some("O_RDWR|O_CREAT|O_EXCL"));
    }

    #[test]
    fn a_string_that_was_cut_short_or_is_not_in_digits_is_refused_with_its_line() {
        let calls = parse("7 write(3, \"\\x61\"..., 9) = 9\n7 write(3, \"a\", 1) = 1\n7 write(x, \"\", 0) = 0\n");
        let cut = calls[0].strings().map_err(|error| error.contains("line 1") && error.contains("cut short"));
        assert_eq!(cut, Err(true));
        assert!(calls[1].strings().is_err_and(|error| error.contains("line 2")));
        assert_eq!(calls[2].strings(), Ok(vec![Vec::new()]));
        assert!(calls[2].number(0).is_err_and(|error| error.contains("`x`")));
    }
}
