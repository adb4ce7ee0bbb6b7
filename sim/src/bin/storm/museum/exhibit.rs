//! A bug of the museum: a patch, and what is known of it, in comment lines above the diff.
//!
//! ```text
//!   # title: a failed sync is tried again
//!   # origin: PostgreSQL and others (Rebello and others, ATC 2020)
//!   # mechanism: >-
//!   #   The kernel marks pages clean when ...
//!   # check: durability by prefix after a failed sync
//!   # campaign: storm crashes
//!
//!   diff --git a/engine/src/wal/writer.rs b/engine/src/wal/writer.rs
//! ```
//!
//! `check` and `campaign` say what is expected to find it; nothing reads them but people. Every bug is looked for in the
//! same way.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::Failed;

/// The name of the exhibit without a bug.
pub(super) const CONTROL: &str = "control";

/// A longer patch is no slip of a reviewer's.
const PATCH_BYTES_MOST: u64 = 64 * 1024;

/// One bug.
#[derive(Debug, Clone)]
pub(super) struct Exhibit {
    /// The name of its file without the ending.
    pub(super) name: String,
    pub(super) label: Label,
    /// The patch, header included; `None` for the control.
    pub(super) patch: Option<String>,
}

/// What is written beside a bug.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Label {
    pub(super) title: String,
    /// Where the world saw it.
    pub(super) origin: String,
    /// What goes wrong.
    pub(super) mechanism: String,
    /// The check that should see it.
    pub(super) check: String,
    /// The finder that should come upon it.
    pub(super) campaign: String,
    /// Written from the mechanism alone, when the checks had been frozen.
    #[serde(default)]
    pub(super) blind: bool,
}

impl Exhibit {
    /// The database as it is, in which nothing may be found.
    pub(super) fn control() -> Self {
        let nothing = || "none".to_string();
        let label = Label {
            title: "nothing is wrong".to_string(),
            origin: nothing(),
            mechanism: nothing(),
            check: nothing(),
            campaign: nothing(),
            blind: false,
        };
        Self { name: CONTROL.to_string(), label, patch: None }
    }

    /// Whether a pattern means it: its name, or its name without the number.
    pub(super) fn is_meant(&self, pattern: &str) -> bool {
        let unnumbered = self.name.split_once('-').map_or("", |(_, rest)| rest);
        matches(pattern.as_bytes(), self.name.as_bytes()) || matches(pattern.as_bytes(), unnumbered.as_bytes())
    }

    /// Whether a campaign that does not find it is broken.
    pub(super) fn is_canary(&self) -> bool {
        self.name.contains("canary")
    }

    /// A hash of the patch.
    pub(super) fn hash(&self) -> String {
        format!("{:016x}", xxh3_64(self.patch.as_deref().unwrap_or_default().as_bytes()))
    }
}

/// All bugs of a folder, by name.
pub(super) fn all(folder: &Path) -> Result<Vec<Exhibit>, Failed> {
    let told = |error| Failed::usage(format!("{}: {error}", folder.display()));
    let mut exhibits = Vec::new();
    for entry in fs::read_dir(folder).map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            exhibits.push(read(&path).map_err(|why| Failed::usage(format!("{}: {why}", path.display())))?);
        }
    }
    exhibits.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(exhibits)
}

fn read(path: &Path) -> Result<Exhibit, String> {
    let length = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > PATCH_BYTES_MOST {
        return Err(format!("{length} bytes are too many for the patch of one bug: at most {PATCH_BYTES_MOST}"));
    }
    let patch = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or("its name is no text")?.to_string();
    let label = label(&patch)?;
    Ok(Exhibit { name, label, patch: Some(patch) })
}

/// Reads the comment lines above the diff.
fn label(patch: &str) -> Result<Label, String> {
    let header: Vec<&str> = patch.lines().take_while(|line| line.starts_with('#')).collect();
    if !patch.lines().any(|line| line.starts_with("diff --git ")) {
        return Err("it has no diff: make one with `git diff -U2`".to_string());
    }
    let yaml: Vec<&str> =
        header.iter().map(|line| line.strip_prefix("# ").unwrap_or_else(|| line.trim_start_matches('#'))).collect();
    serde_yaml::from_str(&yaml.join("\n")).map_err(|error| {
        let line = error.location().map(|location| format!(" (line {})", location.line())).unwrap_or_default();
        format!("{error}{line}: above the diff stand title, origin, mechanism, check and campaign, each behind `# `")
    })
}

/// Whether a name is of a pattern, in which `*` stands for any text and `?` for one letter.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=name.len()).any(|skipped| matches(rest, &name[skipped..])),
        (Some((b'?', rest)), Some((_, behind))) => matches(rest, behind),
        (Some((letter, rest)), Some((found, behind))) => letter == found && matches(rest, behind),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str =
        "# title: a b\n# origin: c\n# mechanism: >-\n#   d\n#   e\n# check: f\n# campaign: g\n\ndiff --git a/x b/x\n";

    #[test]
    fn a_label_is_read_above_the_diff_and_nothing_may_be_missing_or_unknown() {
        let found = label(PATCH).expect("a label");
        assert_eq!((found.title.as_str(), found.mechanism.as_str(), found.blind), ("a b", "d e", false));
        assert!(label(&PATCH.replace("# check: f\n", "")).expect_err("no check").contains("check"));
        assert!(label(&PATCH.replace("# check", "# chekc")).is_err());
        assert!(label(&PATCH.replace("diff --git", "dif")).expect_err("no diff").contains("git diff"));
    }

    #[test]
    fn a_pattern_means_names_with_or_without_their_numbers() {
        let exhibit = Exhibit { name: "001-canary-a-b".to_string(), ..Exhibit::control() };
        for pattern in ["*", "001*", "canary*", "canary-a-?", "*a-b"] {
            assert!(exhibit.is_meant(pattern), "{pattern}");
        }
        for pattern in ["", "001", "anary*", "canary-a-??"] {
            assert!(!exhibit.is_meant(pattern), "{pattern}");
        }
        assert!(Exhibit::control().is_meant("control") && Exhibit::control().is_meant("*"));
    }
}
