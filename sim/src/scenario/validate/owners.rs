//! Two faults that would set the same thing of the same disk at the same time: the end of one would undo the other.
//!
//! ```text
//!   full_disk       n2  ├─────────────────┤
//!   full_disk       any          ├────────────────┤      refused: `any` may be n2
//!   slow_disk       n2     ├──────────┤                  no setting of its own: factors multiply, and divide again
//! ```

use super::super::contradiction::Contradiction;
use super::super::fault::{Action, FaultPlan, NodeChoice, Times};
use super::super::path::FieldPath;
use super::Checker;

impl Checker {
    /// Refuses a second owner of a setting.
    pub(super) fn one_owner_a_setting(&mut self, read: &[(usize, FaultPlan)]) {
        for (place, (position, fault)) in read.iter().enumerate() {
            let Some((setting, node)) = owns(&fault.action) else { continue };
            for (other, earlier) in &read[..place] {
                let same = owns(&earlier.action).is_some_and(|(owned, of)| owned == setting && may_be_one(of, node));
                if same && self.may_overlap(earlier, fault) {
                    let path = FieldPath::root().key("faults").index(*position);
                    self.refuse(path, Contradiction::TwoOwners { setting, other: *other });
                    break;
                }
            }
        }
    }

    fn may_overlap(&self, one: &FaultPlan, other: &FaultPlan) -> bool {
        let ((from, until), (other_from, other_until)) = (self.span(one), self.span(other));
        from < other_until && other_from < until
    }

    /// From when to when a fault may be in force.
    fn span(&self, fault: &FaultPlan) -> (u64, u64) {
        let lasts_micros = fault.lasts.map(|lasts| lasts.most_micros);
        match fault.times {
            Times::At { micros } => (micros, lasts_micros.map_or(self.duration_micros, |lasts| micros + lasts)),
            Times::Every { from_micros, until_micros, .. } => {
                (from_micros, lasts_micros.map_or(self.duration_micros, |lasts| until_micros + lasts))
            }
            Times::When(trigger) => (trigger.from_micros, self.duration_micros),
        }
    }
}

/// The setting that a fault sets and puts back, and whose it is.
fn owns(action: &Action) -> Option<(&'static str, NodeChoice)> {
    match action {
        Action::FullDisk { node, .. } => Some(("room", *node)),
        Action::ThrottledDisk { node, .. } => Some(("speed", *node)),
        Action::ReadOnlyDisk { node } => Some(("mount", *node)),
        _ => None,
    }
}

fn may_be_one(one: NodeChoice, other: NodeChoice) -> bool {
    one == other || one == NodeChoice::Any || other == NodeChoice::Any
}
