//! Faults that wait for something to happen rather than for a time: `when` instead of `at`.
//!
//! ```text
//!   when: { node: n2, operation: sync, file: wal, count: 3 }             n2's third sync of a log
//!   when: { message: write_back, from: n1, to: any, after: heal }        the first write-back of n1 after a heal
//!   when: { event: restart, node: n2 }                                   n2 is started again
//! ```
//!
//! The moment is the one at which a call takes effect, before it is reported done, or a message is handed to the network.
//! A trigger fires once; one that never does makes the run `vacuous`.

use std::fmt;

use cluster::world::NodeId;

use super::link::Member;
use super::units::time_text;
use crate::world::{FileKind, FileOperation, MessageKind};

/// A moment, told by what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    /// What is counted.
    pub what: Happening,
    /// Which of them; at least 1.
    pub count: u64,
    /// Nothing is counted before this has happened.
    pub after: Option<Event>,
    /// Nothing is counted before this time.
    pub from_micros: u64,
}

/// What a trigger counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A call of a disk.
    Operation {
        /// Whose; `None` for any node's.
        node: Option<NodeId>,
        /// Which.
        operation: FileOperation,
        /// Only of files of this kind; `None` for every file and folder.
        file: Option<FileKind>,
    },
    /// A message.
    Message {
        /// Which kind; `None` for any.
        message: Option<MessageKind>,
        /// Its sender; `None` for anyone.
        from: Option<Member>,
        /// Its receiver; `None` for anyone.
        to: Option<Member>,
    },
    /// Something that another fault does.
    Event(Event),
}

/// Something that faults do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A fault of the network ends.
    Heal,
    /// A crashed node is started again.
    Restart {
        /// Which; `None` for any.
        node: Option<NodeId>,
    },
}

impl Trigger {
    /// Renames whomever it names; false when one of them is gone.
    pub fn rename(&mut self, renamed: &dyn Fn(Member) -> Option<Member>) -> bool {
        let node = |node: &mut Option<NodeId>| match *node {
            None => true,
            Some(known) => match renamed(Member::Node(known)) {
                Some(Member::Node(new)) => node.replace(new).is_some(),
                _ => false,
            },
        };
        let member = |member: &mut Option<Member>| match *member {
            None => true,
            Some(known) => renamed(known).is_some_and(|new| member.replace(new).is_some()),
        };
        match &mut self.what {
            Happening::Operation { node: whose, .. } | Happening::Event(Event::Restart { node: whose }) => node(whose),
            Happening::Message { from, to, .. } => member(from) && member(to),
            Happening::Event(Event::Heal) => true,
        }
    }
}

impl fmt::Display for Trigger {
    /// `the 3rd sync of a wal on n2 after a heal`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "number {} of ", self.count)?;
        match self.what {
            Happening::Operation { node, operation, file } => {
                write!(formatter, "{operation}")?;
                if let Some(file) = file {
                    write!(formatter, " of a {file}")?;
                }
                if let Some(node) = node {
                    write!(formatter, " on {node}")?;
                }
            }
            Happening::Message { message, from, to } => {
                formatter.write_str(message.map_or("message", MessageKind::name))?;
                if let Some(from) = from {
                    write!(formatter, " from {from}")?;
                }
                if let Some(to) = to {
                    write!(formatter, " to {to}")?;
                }
            }
            Happening::Event(event) => write!(formatter, "{event}")?,
        }
        if let Some(after) = self.after {
            write!(formatter, " after {after}")?;
        }
        if self.from_micros > 0 {
            write!(formatter, " from {} on", time_text(self.from_micros))?;
        }
        Ok(())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heal => formatter.write_str("heal"),
            Self::Restart { node: None } => formatter.write_str("restart"),
            Self::Restart { node: Some(node) } => write!(formatter, "restart of {node}"),
        }
    }
}
