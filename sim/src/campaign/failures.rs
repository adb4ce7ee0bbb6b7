//! What a campaign leaves behind of each cause: a scenario file that fails, as small as it could be made in the time given.
//!
//! ```text
//!   DIR/failures/lost-writes-5f0c2a11.yaml            shrunk, where it could be; replay it with `storm run`
//!   DIR/failures/lost-writes-5f0c2a11-as-found.yaml   the first seed that failed so, untouched
//! ```
//!
//! One pair of files a cause, not a failure: a thousand seeds of one bug are one bug. The seeds of the others are in
//! `results.jsonl`. Files that are there are left alone, so that a campaign that goes on does not shrink them again.

use std::time::{Duration, Instant};

use super::folder::{Folder, FolderError};
use super::outcome::Judgement;
use super::shrink::{Bounds, Shrunk, Standing, Tried, shrink};
use super::signature::Signature;
use super::summary::{Cause, Summary};
use super::{Campaign, Plan};
use crate::scenario::write;

/// Causes that get files; the most frequent ones.
const CAUSES_MAX: usize = 50;

/// How failures are shrunk.
pub struct Shrinking<'s> {
    /// Makes a run.
    pub tried: Tried<'s>,
    /// How long each cause may take.
    pub time: Duration,
    /// How many runs each may take.
    pub runs: u64,
    /// Runs at a time.
    pub jobs: usize,
}

/// A cause and the file that shows it.
#[derive(Debug, Clone)]
pub struct Found {
    /// How it fails.
    pub signature: Signature,
    /// The file, in the campaign's folder.
    pub file: String,
    /// What became smaller; `None` where it was not shrunk, now or ever.
    pub shrunk: Option<Shrunk>,
}

/// Writes the files of all causes; shrinks those that are failures, where `shrinking` says how. `watch` is told of which
/// cause it is at, and how far it has come.
pub fn write_failures(
    campaign: &Campaign<'_>,
    summary: &Summary,
    folder: &Folder,
    shrinking: Option<&Shrinking<'_>>,
    watch: &mut dyn FnMut(&Signature, &Standing),
) -> Result<Vec<Found>, FolderError> {
    let mut found = Vec::new();
    for (signature, cause) in summary.causes_by_count().into_iter().take(CAUSES_MAX) {
        let Some(first) = cause.first.first().copied() else { continue };
        let stem = signature.file_stem();
        let (file, as_found) = (format!("failures/{stem}.yaml"), format!("failures/{stem}-as-found.yaml"));
        if folder.file(&file).exists() {
            found.push(Found { signature: signature.clone(), file, shrunk: None });
            continue;
        }
        let plan = Plan { seed: first.seed, ..campaign.source.plan(first).into_owned() };
        let told = told(campaign, signature, cause);
        folder.write_text(&as_found, &write(&plan, &told))?;
        let shrunk = shrinking.filter(|_| cause.judgement == Judgement::Fails).and_then(|shrinking| {
            let deadline = Instant::now().checked_add(shrinking.time);
            let bounds = Bounds { runs: shrinking.runs, deadline, jobs: shrinking.jobs };
            let watch = &mut |standing: &Standing| watch(signature, standing);
            // What does not fail a second time was not deterministic, and stays as it was found.
            shrink(&plan, first.seed, &bounds, shrinking.tried, watch).ok()
        });
        let text = match &shrunk {
            Some(shrunk) => write(&shrunk.plan, &[told, shrunk.told()].concat()),
            None => write(&plan, &told),
        };
        folder.write_text(&file, &text)?;
        found.push(Found { signature: signature.clone(), file, shrunk });
    }
    Ok(found)
}

/// The comments at the top of a cause's files.
fn told(campaign: &Campaign<'_>, signature: &Signature, cause: &Cause) -> Vec<String> {
    let first = cause.first.first().map_or(0, |item| item.seed);
    let place = cause.first.first().map_or(0, |item| item.place);
    vec![
        format!(
            "Found by `storm fuzz` in {}, seed {first}; {} runs failed so.",
            campaign.source.name(place),
            cause.count
        ),
        format!("It fails with: {signature}"),
        "Replay it with: storm run THIS-FILE".to_string(),
    ]
}

impl Shrunk {
    /// What became of it, for the top of its file.
    pub fn told(&self) -> Vec<String> {
        let (before, after) = (&self.before, &self.after);
        let mut lines = vec![format!(
            "Shrunk in {} runs: faults {} -> {}, operations {} -> {}, nodes {} -> {}, clients {} -> {}, keys {} -> {}.",
            self.runs,
            before.faults,
            after.faults,
            before.operations,
            after.operations,
            before.nodes,
            after.nodes,
            before.clients,
            after.clients,
            before.keys,
            after.keys
        )];
        if self.signature != self.signature_before {
            lines.push(format!("Only one symptom was kept: {}. At first: {}.", self.signature, self.signature_before));
        }
        lines
    }
}
