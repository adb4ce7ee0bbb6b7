//! A program that runs beside us: what it printed, how it ended, and the processor time that it took.
//!
//! ```text
//!   spawn ─▶ read its output, look at /proc/ID/stat now and then ─▶ a zombie? its times are final ─▶ wait
//!                                            ╰─ more time than it may take: killed
//! ```
//!
//! Where there is no `/proc`, time on the wall stands for processor time.

use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Linux tells processor time in hundredths of a second, on every platform.
const TICK_MILLIS: u64 = 10;

/// How a program ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub(super) code: Option<i32>,
    /// It took more processor time than it may, and was killed.
    pub(super) outlived: bool,
    pub(super) output: String,
    pub(super) errors: String,
    pub(super) processor_time: Duration,
}

/// Runs a program to its end, or until it has taken `most` of processor time.
pub(super) fn run(command: &mut Command, most: Duration) -> io::Result<Ended> {
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (output, errors) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let (mut processor_time, mut outlived) = (Duration::ZERO, false);
    while !outlived {
        let is_over;
        (is_over, processor_time) = look(&mut child, started)?;
        if is_over {
            break;
        }
        if processor_time > most {
            outlived = true;
            child.kill()?;
        }
        thread::sleep(LOOK_EVERY);
    }
    let status = child.wait()?;
    let text = |reader: JoinHandle<String>| reader.join().unwrap_or_default();
    Ok(Ended { code: status.code(), outlived, output: text(output), errors: text(errors), processor_time })
}

/// Reads a pipe on a thread of its own: a program whose pipe is full stands still.
fn reader(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What could not be read is not there to be shown.
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether the program is over, and its time so far.
fn look(child: &mut Child, started: Instant) -> io::Result<(bool, Duration)> {
    match std::fs::read_to_string(format!("/proc/{}/stat", child.id())).ok().as_deref().and_then(times) {
        Some(found) => Ok(found),
        None => Ok((child.try_wait()?.is_some(), started.elapsed())),
    }
}

/// Reads a line of `/proc/ID/stat`: behind the name in brackets stand the state, and as 12th and 13th the ticks in user
/// and system mode.
fn times(line: &str) -> Option<(bool, Duration)> {
    let (_, behind) = line.rsplit_once(')')?;
    let fields: Vec<&str> = behind.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
    let millis = (ticks(11)? + ticks(12)?) * TICK_MILLIS;
    Some((matches!(*fields.first()?, "Z" | "X"), Duration::from_millis(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_also_behind_a_name_with_brackets() {
        let line = "7 (a (b) c) Z 1 7 7 0 -1 4194304 96 0 0 0 12 30 0 0 20 0 1 0 100 0 0";
        assert_eq!(times(line), Some((true, Duration::from_millis(420))));
        assert_eq!(times("7 (storm) S 1"), None);
    }

    #[test]
    fn a_program_is_heard_out_and_one_that_takes_too_long_is_killed() {
        let run = |script: &str, most| run(Command::new("sh").args(["-c", script]), most).expect("sh runs");
        let ended = run("echo said; echo told >&2; exit 7", Duration::from_secs(60));
        assert_eq!((ended.code, ended.outlived), (Some(7), false));
        assert_eq!((ended.output.as_str(), ended.errors.as_str()), ("said\n", "told\n"));
        let ended = run("while :; do :; done", Duration::from_millis(100));
        assert!(ended.outlived && ended.code.is_none());
        assert!(ended.processor_time > Duration::from_millis(100));
    }
}
