//! `sim/museum/README.md`, out of what the tour found: nobody writes a score by hand.
//!
//! ```text
//!   what it is ─▶ the score ─▶ a table, one line a bug, misses in it ─▶ what was missed, in words ─▶ how to add a bug
//! ```

use std::fmt::Write;

use super::exhibit::{CONTROL, Exhibit};
use super::record::{Record, Results};

const HEAD: &str = "\
# The museum of bugs

Historical bugs of databases like this one, and those that our own design invites, each kept as a small patch against our
own code. `storm museum` plants one after the other in a scratch copy of the source tree, builds it, and looks for it as it
would for an unknown one. What it finds, and how fast, is the score of the laboratory; what it misses stays in the table.

Every bug is looked for in the same way, whatever its label says: seeds of crash states (`storm crashes`), the scenarios of
the library (`storm run`), drawn scenarios (`storm swarm`) and histories of transactions (`storm transactions`), as
far as there are such; whichever had the least processor time is next, from three different first seeds each. Nothing may
be found where nothing is planted (`control`).

- **seeds**: worlds that the finder which found it had looked at by then: seeds of crash states, scenarios with a seed,
  drawn scenarios, histories.
- **CPU s**: processor time of all finders together until then. Both are those of the search in the middle, of three.
- **shrunk to**: what `storm shrink` leaves of a scenario that showed it, in a minute.

";

const TAIL: &str = "
## A new bug

1. Change the code in `engine/` or `cluster/` as someone might who did not think of it: a slip that a reviewer could miss,
   not a sabotage. Keep away from places that change often, and from what an existing bug changes.
2. `git diff -U2 > sim/museum/NNN-name-like-a-sentence.patch`, then undo the change. Above the diff, in comment lines, go
   `title`, `origin` (where the world saw it), `mechanism`, `check` (what should see it) and `campaign` (what should come
   upon it); see any other. `# blind: true` says that it was written from the mechanism alone, after the checks were frozen.
3. `storm museum --check` says whether it applies, `storm museum --only 'NNN*'` whether it is found. If it is not, the
   laboratory lacks a check: that is what the museum is for.
4. `storm museum --readme` writes this page.

A patch that no longer applies is refused: `git apply --3way sim/museum/NNN-....patch` mends most.
";

/// The page.
pub(super) fn page(exhibits: &[Exhibit], results: &Results) -> String {
    let mut page = HEAD.to_string();
    let bugs: Vec<(&Exhibit, Option<&Record>)> =
        exhibits.iter().filter(|exhibit| exhibit.name != CONTROL).map(|bug| (bug, results.of(&bug.name))).collect();
    let is_blind = |(bug, _): &&(&Exhibit, Option<&Record>)| bug.label.blind;
    let all: Vec<_> = bugs.iter().collect();
    let blind: Vec<_> = bugs.iter().filter(is_blind).collect();
    page.push_str("## Score\n\n");
    put(&mut page, &format!("- {}", score("bugs", &all)));
    if !blind.is_empty() {
        let of = "of these, bugs written from the mechanism alone, after the checks were frozen";
        put(&mut page, &format!("- {}", score(of, &blind)));
    }
    put(&mut page, &format!("- nothing planted: {}", control(results.of(CONTROL))));
    page.push_str("\n## Bugs\n\n");
    put(&mut page, "| bug | where the world saw it | found by | check | seeds | CPU s | shrunk to |");
    put(&mut page, "|---|---|---|---|--:|--:|---|");
    bugs.iter().for_each(|(bug, record)| put(&mut page, &row(bug, *record)));
    let missed: Vec<_> =
        bugs.iter().filter(|(_, record)| record.is_some_and(|record| record.median().is_none())).collect();
    if !missed.is_empty() {
        page.push_str("\n## Missed\n\n");
        for (bug, _) in missed {
            let label = &bug.label;
            put(
                &mut page,
                &format!("- **{}**: {} It should be seen by: {}.", label.title, label.mechanism, label.check),
            );
        }
    }
    page + TAIL
}

/// How many were found, and how fast most of them were.
fn score(of: &str, bugs: &[&(&Exhibit, Option<&Record>)]) -> String {
    let looked_for: Vec<&Record> = bugs.iter().filter_map(|(_, record)| *record).collect();
    let found: Vec<_> = looked_for.iter().filter_map(|record| record.median()).collect();
    let percent = found.len() * 100 / looked_for.len().max(1);
    let mut seeds: Vec<u64> = found.iter().filter_map(|search| Some(search.found.as_ref()?.seeds)).collect();
    let mut seconds: Vec<f64> = found.iter().map(|search| search.processor_seconds).collect();
    seeds.sort_unstable();
    seconds.sort_by(f64::total_cmp);
    let middle = found.len() / 2;
    let how_fast = match (seeds.get(middle), seconds.get(middle), seconds.last()) {
        (Some(seeds), Some(seconds), Some(most)) => {
            format!("; half of them within {seeds} seeds and {seconds:.1} CPU s, the slowest took {most:.0} CPU s")
        }
        _ => String::new(),
    };
    let waiting = bugs.len() - looked_for.len();
    let waiting = if waiting == 0 { String::new() } else { format!("; {waiting} not looked for yet") };
    format!("{of}: found {} of {} ({percent}%){how_fast}{waiting}", found.len(), looked_for.len())
}

fn control(record: Option<&Record>) -> String {
    let Some(record) = record else { return "not looked into yet".to_string() };
    let seconds: f64 = record.searches.iter().map(|search| search.processor_seconds).sum();
    let seeds: u64 = record.searches.iter().map(|search| search.seeds).sum();
    match record.first_found().and_then(|search| search.found.as_ref()) {
        None => format!("nothing found in {seeds} seeds and {seconds:.0} CPU s"),
        Some(found) => format!("**found {}** (`{}`): {}", found.check, found.replay, found.words),
    }
}

fn row(bug: &Exhibit, record: Option<&Record>) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let (title, origin) = (cell(&bug.label.title), cell(&bug.label.origin));
    let begin = format!("| [{title}]({}.patch) | {origin}", bug.name);
    let Some(record) = record else { return format!("{begin} | not looked for yet | | | | |") };
    match record.median().and_then(|search| Some((search, search.found.as_ref()?))) {
        Some((search, found)) => {
            let (check, seeds, seconds) = (cell(&found.check), found.seeds, search.processor_seconds);
            let shrunk = record.shrunk.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{begin} | {} | {check} | {seeds} | {seconds:.1} | {shrunk} |", found.finder)
        }
        None => {
            let most = record.searches.iter().map(|search| search.processor_seconds).fold(0.0, f64::max);
            format!("{begin} | **missed** | | | > {most:.0} | |")
        }
    }
}

fn put(page: &mut String, line: &str) {
    writeln!(page, "{line}").expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::super::finder::{Finder, Finding, Search};
    use super::*;

    #[test]
    fn the_page_has_the_score_and_the_misses_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut results = Results::read(&folder.path().join("results.jsonl")).expect("no file");
        let bug = |name: &str, title: &str| {
            let mut bug = Exhibit { name: name.to_string(), patch: Some(String::new()), ..Exhibit::control() };
            bug.label.title = title.to_string();
            bug
        };
        let exhibits = [bug("001-a", "a | b"), bug("002-b", "late"), bug("003-c", "unseen")];
        let finding = Finding {
            finder: Finder::Library,
            check: "lost_writes".to_string(),
            words: String::new(),
            replay: String::new(),
            failing: None,
            seeds: 17,
        };
        for (name, found) in [("001-a", Some(finding)), ("002-b", None)] {
            let search = Search { first_seed: 1, found, seeds: 170, processor_seconds: 3.25 };
            let (name, text) = (name.to_string(), String::new);
            let record = Record {
                name,
                title: text(),
                patch: text(),
                source: text(),
                build_seconds: 1.0,
                shrunk: None,
                searches: vec![search],
            };
            results.add(record).expect("written");
        }
        let page = page(&exhibits, &results);
        assert!(page.contains("bugs: found 1 of 2 (50%); half of them within 17 seeds and 3.2 CPU s"), "{page}");
        assert!(page.contains("| [a \\| b](001-a.patch) | none | library | lost_writes | 17 | 3.2 |  |"), "{page}");
        assert!(page.contains("| **missed** | | | > 3 | |") && page.contains("- **late**"), "{page}");
        assert!(page.contains("not looked for yet") && page.contains("nothing planted: not looked into yet"), "{page}");
    }
}
