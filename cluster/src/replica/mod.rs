//! A replica: one node's rows, and the rule by which a new one takes the place of an old one.
//!
//! ```text
//!   engine key   keyspace (4) │ partition (2) │ user key          so a partition is one contiguous range
//!   write        read the row ──▶ compare stamps ──▶ put, if the row is still the one that was read
//! ```
//!
//! The last step is one conditional batch of the engine: of two writes that race on one replica the newer survives,
//! whatever their order. A row is stored again only when it is newer, so applying it twice changes nothing. Of two rows with
//! one stamp the one with the higher bytes is the newer, on every replica.

mod keys;
mod scan;

use std::cmp::Ordering;
use std::time::Duration;

use bytes::Bytes;
use engine::world::{Clock, WallTime, World};
use engine::{Batch, Db, Expected};

use crate::ring::Placement;
use crate::versioning::{HybridClock, Row, Stamp};
use crate::world::NodeId;

pub use keys::readable_key;
pub(crate) use keys::{DATA_KEYSPACE, PREFIX_BYTES, SYSTEM_KEYSPACE, engine_key};
pub(crate) use scan::PAGE_BYTES;

/// A clock that was set back across a restart can give one stamp to two rows; the one with the higher bytes wins everywhere.
const TWICE: &str = "another row carries this very stamp: a clock was set back; write again";

/// Where a row comes from, which decides whether its stamp is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client's new write: refused when its stamp lies too far in the future.
    New,
    /// Write-back or repair of a row that some replica has accepted: never judged again.
    Repair,
}

/// Why a replica did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Whether the row may have been stored all the same.
    pub(crate) may_have_applied: bool,
    /// For people.
    pub(crate) reason: String,
}

impl Origin {
    /// The origin as messages carry it.
    pub(crate) fn to_wire(self) -> u32 {
        match self {
            Self::New => 1,
            Self::Repair => 2,
        }
    }

    /// The origin of a message; anything unknown is refused, because it would decide wrongly.
    pub(crate) fn from_wire(number: u32) -> Result<Self, Refusal> {
        match number {
            1 => Ok(Self::New),
            2 => Ok(Self::Repair),
            _ => Err(Refusal::definite(format!("a row of unknown origin {number}: do both ends run the same build?"))),
        }
    }
}

impl Refusal {
    pub(crate) fn definite(reason: impl Into<String>) -> Self {
        Self { may_have_applied: false, reason: reason.into() }
    }

    fn of_read(error: &engine::Error) -> Self {
        Self::definite(error.to_string())
    }

    fn of_write(error: &engine::Error) -> Self {
        let may_have_applied = error.outcome() == engine::Outcome::Unknown;
        Self { may_have_applied, reason: error.to_string() }
    }
}

/// The rows of one node.
#[derive(Clone)]
pub(crate) struct Replica<W: World> {
    world: W,
    db: Db<W>,
    node: NodeId,
    placement: std::sync::Arc<Placement>,
    max_clock_offset: Duration,
}

impl<W: World> Replica<W> {
    pub(crate) fn new(
        world: W,
        db: Db<W>,
        node: NodeId,
        placement: std::sync::Arc<Placement>,
        max_clock_offset: Duration,
    ) -> Self {
        Self { world, db, node, placement, max_clock_offset }
    }

    pub(crate) fn db(&self) -> &Db<W> {
        &self.db
    }

    /// What this node's wall clock says.
    pub(crate) fn wall(&self) -> WallTime {
        self.world.clock().wall()
    }

    /// The row of a key that this node holds a replica of.
    pub(crate) async fn get(&self, key: &[u8]) -> Result<Option<Row>, Refusal> {
        let key = self.own_key(key)?;
        match self.db.get(&key).await.map_err(|error| Refusal::of_read(&error))? {
            Some(entry) => Ok(Some(self.decode(entry.value)?)),
            None => Ok(None),
        }
    }

    /// Stores `row` unless a newer one is there; returns the stamp that is there now.
    pub(crate) async fn put(&self, key: &[u8], row: Bytes, origin: Origin) -> Result<Stamp, Refusal> {
        let stamp = Row::decode(row.clone()).map_err(|error| Refusal::definite(error.to_string()))?.stamp;
        let engine_key = self.own_key(key)?;
        loop {
            let held = self.db.get(&engine_key).await.map_err(|error| Refusal::of_read(&error))?;
            let expected = match held {
                Some(entry) => {
                    let held = self.decode(entry.value.clone())?.stamp;
                    match (held, &entry.value).cmp(&(stamp, &row)) {
                        Ordering::Equal => return Ok(stamp),
                        Ordering::Greater if held == stamp => return Err(Refusal::definite(TWICE)),
                        Ordering::Greater => return Ok(held),
                        Ordering::Less => Expected::At(entry.sequence),
                    }
                }
                None => Expected::Absent,
            };
            // Judged only where it would change something: a copy of what is stored already is not refused.
            if origin == Origin::New {
                self.judge(stamp)?;
            }
            let batch = Batch::new().put(engine_key.clone(), row.clone()).require(engine_key.clone(), expected);
            match self.db.write(batch).await {
                Ok(_) => return Ok(stamp),
                // Another write of this key came between; it may be the newer one. Somebody made progress.
                Err(engine::Error::PreconditionFailed { .. }) => {}
                Err(error) => return Err(Refusal::of_write(&error)),
            }
        }
    }

    fn judge(&self, stamp: Stamp) -> Result<(), Refusal> {
        let wall = self.world.clock().wall();
        if HybridClock::too_far_ahead(stamp, wall, self.max_clock_offset) {
            let ahead = Duration::from_micros(stamp.wall_micros() - wall.micros);
            return Err(Refusal::definite(format!(
                "the write's stamp {stamp} is {ahead:?} ahead of this node's clock, more than max_clock_offset \
                 ({:?}): set the clocks",
                self.max_clock_offset
            )));
        }
        Ok(())
    }

    fn own_key(&self, key: &[u8]) -> Result<Bytes, Refusal> {
        crate::limits::check_key(key).map_err(|error| Refusal::definite(error.to_string()))?;
        let partition = self.placement.partition_of(key);
        if !self.placement.replicas(partition).contains(&self.node) {
            return Err(Refusal::definite(format!("{} holds no replica of partition {partition}", self.node)));
        }
        Ok(engine_key(DATA_KEYSPACE, partition, key))
    }

    fn decode(&self, value: Bytes) -> Result<Row, Refusal> {
        Row::decode(value).map_err(|error| Refusal::definite(format!("the stored row is damaged: {error}")))
    }
}
