//! `storm museum`: plants known bugs in a copy of the source tree, one after the other, and looks whether the laboratory
//! finds them. Its score is the laboratory's.
//!
//! ```text
//!   sim/museum/NNN-....patch ─▶ plant, build ─▶ search from three first seeds, several at a time ─▶ results.jsonl
//!                                                      ╰─ most found nothing? the others need not go on
//!   control, with nothing planted: nothing may be found
//! ```

mod child;
mod exhibit;
mod finder;
mod readme;
mod record;
mod shrink;
mod workshop;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use self::exhibit::Exhibit;
use self::finder::{Finders, Search};
use self::record::{Record, Results};
use self::workshop::Workshop;
use crate::{Failed, print};

/// From one search's first seed to the next one's.
const SEEDS_APART: u64 = 1_000_000;

/// The folder of the bugs.
const MUSEUM: &str = "sim/museum";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  storm museum --check             does every patch still apply?\n  storm museum --only 'canary*'    a bug \
    that must be found\n  storm museum --runs 1 --time 1m  a quick walk\n  storm museum                     all of them, \
    about three hours; goes on where it was interrupted\n  storm museum --readme            writes sim/museum/README.md from \
    the results\n\nA bug counts as found when most searches find it. Exit code 1: fewer were found than --at-least says, a \
    canary was not, or something was found where nothing is planted; 2: a patch no longer applies, or does not build."
)]
pub(crate) struct Museum {
    /// Only bugs whose names are of this pattern, with or without their numbers; `control` is the one with nothing
    /// planted.
    #[arg(long, value_name = "GLOB", default_value = "*")]
    only: String,
    /// Only every Nth bug, from the Ith on (1 to N): the parts of a matrix.
    #[arg(long, value_name = "I/N", default_value = "1/1", value_parser = parse_shard)]
    shard: (usize, usize),
    /// Processor time that a search may take.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
    time: Duration,
    /// Searches for each bug, from different first seeds.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=99))]
    runs: u64,
    /// Searches at a time; without it, one for each processor.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Where bugs are planted and built, and where results.jsonl is; without it, museum/ in the target folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Bugs of a hundred that must be found.
    #[arg(long, value_name = "PERCENT", default_value_t = 95, value_parser = clap::value_parser!(u64).range(0..=100))]
    at_least: u64,
    /// Only see whether every patch still applies.
    #[arg(long, conflicts_with = "readme")]
    check: bool,
    /// Only write the museum's README from the results there are.
    #[arg(long)]
    readme: bool,
}

fn parse_shard(text: &str) -> Result<(usize, usize), String> {
    let numbers = text.split_once('/').and_then(|(part, parts)| Some((part.parse().ok()?, parts.parse().ok()?)));
    numbers
        .filter(|(part, parts)| (1..=*parts).contains(part))
        .ok_or_else(|| format!("`{text}` is no part of a whole: write 2/3 for the second of three"))
}

pub(crate) fn museum(arguments: &Museum, is_json: bool) -> Result<ExitCode, Failed> {
    let root = workshop::root()?;
    let mut exhibits = vec![Exhibit::control()];
    exhibits.extend(exhibit::all(&root.join(MUSEUM))?);
    let out = arguments.out.clone().unwrap_or_else(|| {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from).join("museum")
    });
    if arguments.readme {
        let page = readme::page(&exhibits, &Results::read(&out.join("results.jsonl"))?);
        let path = root.join(MUSEUM).join("README.md");
        std::fs::write(&path, page).map_err(|error| Failed::environment(format!("{}: {error}", path.display())))?;
        print(&format!("written: {}", path.display()));
        return Ok(ExitCode::SUCCESS);
    }
    exhibits.retain(|exhibit| exhibit.is_meant(&arguments.only));
    if exhibits.is_empty() {
        let why = format!("--only {}: no bug of {MUSEUM} has a name like that", arguments.only);
        return Err(Failed::usage(why));
    }
    // All that will be looked for, before anything is: what is stale is told in seconds.
    for exhibit in &exhibits {
        workshop::check(&root, exhibit).map_err(|why| workshop::stale(exhibit, &why))?;
    }
    if arguments.check {
        let bugs = exhibits.iter().filter(|exhibit| exhibit.patch.is_some()).count();
        print(&if is_json { json!({ "apply": bugs }).to_string() } else { format!("{bugs} patches apply") });
        return Ok(ExitCode::SUCCESS);
    }
    let (part, parts) = arguments.shard;
    let exhibits: Vec<Exhibit> = exhibits.into_iter().skip(part - 1).step_by(parts).collect();
    let workshop = Workshop::open(root, &out)?;
    let results = Results::read(&out.join("results.jsonl"))?;
    Tour { arguments, is_json, workshop, results }.take(&exhibits)
}

/// A walk through the museum.
struct Tour<'a> {
    arguments: &'a Museum,
    is_json: bool,
    workshop: Workshop,
    results: Results,
}

impl Tour<'_> {
    fn take(mut self, exhibits: &[Exhibit]) -> Result<ExitCode, Failed> {
        let source = self.workshop.hash()?;
        let bar = self.bar(exhibits.len());
        let mut seen = Vec::with_capacity(exhibits.len());
        for exhibit in exhibits {
            bar.set_message(exhibit.name.clone());
            let known = self.results.holding(exhibit, &source).cloned();
            let record = match known {
                Some(record) => record,
                None => {
                    let record = self.look_for(exhibit, &source)?;
                    self.results.add(record.clone())?;
                    record
                }
            };
            bar.suspend(|| self.tell(&record));
            bar.inc(1);
            seen.push((exhibit, record));
        }
        bar.finish_and_clear();
        Ok(ExitCode::from(self.sum_up(&seen)))
    }

    fn bar(&self, exhibits: usize) -> ProgressBar {
        if self.is_json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {elapsed}");
        let bar = ProgressBar::new(exhibits as u64).with_style(style.expect("the template is well-formed"));
        bar.enable_steady_tick(Duration::from_secs(1));
        bar
    }

    /// Plants a bug, builds it, and searches for it.
    fn look_for(&self, exhibit: &Exhibit, source: &str) -> Result<Record, Failed> {
        self.workshop.plant(exhibit)?;
        // A bug that is planted in other code than the others is not comparable with them.
        if self.workshop.hash()? != source {
            let why = "the source tree has changed since the tour began: begin it again (what holds is kept)";
            return Err(Failed::usage(why));
        }
        let build_seconds = self.workshop.build(exhibit)?.as_secs_f64();
        let finders = Finders::of(self.workshop.storm(), self.workshop.source())?;
        let searches = self.search(&finders, exhibit)?;
        let (name, title, patch) = (exhibit.name.clone(), exhibit.label.title.clone(), exhibit.hash());
        let mut record =
            Record { name, title, patch, source: source.to_string(), build_seconds, searches, shrunk: None };
        let failing = record.median().and_then(|search| search.found.as_ref()?.failing.clone());
        if let Some(failing) = failing.filter(|_| finders.shrinks && !record.is_control()) {
            let to = self.workshop.out().join("shrunk").join(format!("{}.yaml", record.name));
            record.shrunk = shrink::shrink(&finders, &failing, &to)?;
        }
        Ok(record)
    }

    /// All searches for a bug, some at a time. When most have found nothing, the others are given up.
    fn search(&self, finders: &Finders, exhibit: &Exhibit) -> Result<Vec<Search>, Failed> {
        let runs = self.arguments.runs;
        let jobs = self.arguments.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).max(1);
        let (next, stop, missed) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicUsize::new(0));
        let ended: Mutex<Vec<Result<Search, Failed>>> = Mutex::default();
        let work = || {
            while !stop.load(Ordering::Relaxed) {
                let run = next.fetch_add(1, Ordering::Relaxed) as u64;
                if run >= runs {
                    return;
                }
                let search = finders.search(1 + run * SEEDS_APART, self.arguments.time, &stop);
                let is_cut = stop.load(Ordering::Relaxed) && search.as_ref().is_ok_and(|search| search.found.is_none());
                if is_cut {
                    return;
                }
                let is_missed = search.as_ref().is_ok_and(|search| search.found.is_none());
                let missed = missed.fetch_add(usize::from(is_missed), Ordering::Relaxed) + usize::from(is_missed);
                // Of the control every search counts.
                if search.is_err() || (exhibit.patch.is_some() && 2 * missed as u64 > runs) {
                    stop.store(true, Ordering::Relaxed);
                }
                ended.lock().unwrap_or_else(PoisonError::into_inner).push(search);
            }
        };
        thread::scope(|scope| {
            for _ in 0..jobs.min(runs as usize) {
                scope.spawn(work);
            }
        });
        let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut searches = ended.into_iter().collect::<Result<Vec<Search>, Failed>>()?;
        searches.sort_by_key(|search| search.first_seed);
        Ok(searches)
    }

    fn tell(&self, record: &Record) {
        if self.is_json {
            return print(&serde_json::to_string(record).expect("a record is plain values"));
        }
        let Record { name, build_seconds, searches, .. } = record;
        let shown = if record.is_control() { record.first_found() } else { record.median() };
        let Some((search, found)) = shown.and_then(|search| Some((search, search.found.as_ref()?))) else {
            let seconds: f64 = searches.iter().map(|search| search.processor_seconds).sum();
            let seeds: u64 = searches.iter().map(|search| search.seeds).sum();
            let word = if record.is_control() { "clean" } else { "MISSED" };
            return print(&format!("{word:6}  {name}: nothing in {seeds} seeds, {seconds:.0} CPU s"));
        };
        let word = if record.is_control() { "FOUND" } else { "found" };
        let times = searches.iter().filter(|search| search.found.is_some()).count();
        let (seeds, seconds) = (found.seeds, search.processor_seconds);
        print(&format!(
            "{word:6}  {name}: {} ({}), {times} of {}; {seeds} seeds, {seconds:.1} CPU s; built in {build_seconds:.0} s",
            found.check,
            found.finder,
            searches.len()
        ));
        print(&format!("        {}", found.words));
        if let Some(shrunk) = &record.shrunk {
            print(&format!("        shrunk to {shrunk}"));
        }
        print(&format!("        {}", found.replay));
    }

    /// Tells the score. Returns the exit code.
    fn sum_up(&self, seen: &[(&Exhibit, Record)]) -> u8 {
        let bugs: Vec<_> = seen.iter().filter(|(_, record)| !record.is_control()).collect();
        let found = bugs.iter().filter(|(_, record)| record.is_as_it_should_be()).count();
        let is_enough = found as u64 * 100 >= bugs.len() as u64 * self.arguments.at_least;
        let must_be = |exhibit: &Exhibit, record: &Record| exhibit.is_canary() || record.is_control();
        let is_broken = seen.iter().any(|(exhibit, record)| must_be(exhibit, record) && !record.is_as_it_should_be());
        if self.is_json {
            print(&json!({ "bugs": bugs.len(), "found": found, "holds": is_enough && !is_broken }).to_string());
        } else if !bugs.is_empty() {
            print(&format!("{found} of {} bugs found", bugs.len()));
        }
        u8::from(!is_enough || is_broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_a_part_of_a_whole() {
        assert_eq!((parse_shard("1/1"), parse_shard("2/3")), (Ok((1, 1)), Ok((2, 3))));
        for text in ["0/3", "4/3", "1/0", "1", "a/b", ""] {
            assert!(parse_shard(text).expect_err("no part").contains("2/3"), "{text}");
        }
    }
}
