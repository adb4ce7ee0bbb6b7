//! How small a failure becomes: what `storm shrink` makes of a scenario that showed a bug, where the program has that
//! command.
//!
//! ```text
//!   scenario, seed ─▶ storm shrink --json ─▶ faults, operations and nodes, before and after     OUT/shrunk/NAME.yaml
//! ```

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::child;
use super::finder::{Failing, Finders};
use crate::Failed;

/// How long a failure is shrunk.
const TIME: Duration = Duration::from_secs(60);

/// What a scenario has before and after it was shrunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shrunk {
    faults: (u64, u64),
    operations: (u64, u64),
    nodes: (u64, u64),
    /// Whether the smaller one fails the same way in another process.
    fails_again: bool,
}

impl fmt::Display for Shrunk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { faults, operations, nodes, fails_again } = self;
        let doubt = if *fails_again { "" } else { ", which does not fail again" };
        write!(
            formatter,
            "{} of {} faults, {} of {} operations, {} of {} nodes{doubt}",
            faults.1, faults.0, operations.1, operations.0, nodes.1, nodes.0
        )
    }
}

/// Shrinks what failed; `None` when it cannot be.
pub(super) fn shrink(finders: &Finders, failing: &Failing, to: &Path) -> Result<Option<Shrunk>, Failed> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failed::environment(format!("{}: {error}", folder.display())))?;
    }
    let mut command = finders.storm();
    command.arg("shrink").arg(&failing.scenario).args(["--seed", &failing.seed.to_string(), "--out"]).arg(to);
    command.args(["--time", &format!("{}s", TIME.as_secs()), "--json"]);
    // It runs several worlds at a time, and once more in the end.
    let ended = child::run(&mut command, TIME * 64).map_err(|error| Failed::environment(format!("shrink: {error}")))?;
    Ok(ended.output.lines().filter_map(|line| serde_json::from_str(line).ok()).find_map(|line| read(&line)))
}

fn read(line: &Value) -> Option<Shrunk> {
    let of = |key: &str| {
        let size = |when: &str| line.get(when)?.get(key)?.as_u64();
        Some((size("before")?, size("after")?))
    };
    let fails_again = line.get("fails_in_another_process").and_then(Value::as_bool).unwrap_or(false);
    Some(Shrunk { faults: of("faults")?, operations: of("operations")?, nodes: of("nodes")?, fails_again })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_what_the_command_tells() {
        let line = r#"{"before":{"faults":12,"operations":3000,"nodes":5},"after":{"faults":1,"operations":7,"nodes":3},
            "fails_in_another_process":true}"#;
        let shrunk = read(&serde_json::from_str(line).expect("JSON")).expect("sizes");
        assert_eq!(shrunk.to_string(), "1 of 12 faults, 7 of 3000 operations, 3 of 5 nodes");
        assert_eq!(read(&serde_json::from_str("{\"error\":\"x\"}").expect("JSON")), None);
    }
}
