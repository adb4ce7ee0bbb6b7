//! Reads a whole table and holds it against what the manifest says of it: for those who must know before they rely on it.
//!
//! ```text
//!   there? ─▶ its length ─▶ footer, properties ─▶ every block, every entry, their sum ─▶ facts and set-hash as written down
//! ```

use std::path::Path;
use std::sync::Arc;

use super::edit::TableRecord;
use super::open_table::facts_of;
use crate::cache::{BlockCache, CachePolicy};
use crate::error::Error;
use crate::format::Fault;
use crate::format::properties::Properties;
use crate::table::{ADVICE, Table};
use crate::world::{Access, Disk, DiskErrorKind, File};

/// Checks the file at `path`, which must be the table that `record` says; returns what the table says of itself.
///
/// # Errors
///
/// `Corrupt`, naming file and offset; `NewerFormat`; `Disk`.
pub(crate) async fn check_table<D: Disk>(disk: &D, path: &Path, record: &TableRecord) -> Result<Properties, Error> {
    let number = record.facts.number;
    let corrupt = |fault, length| Error::Corrupt { file: path.to_path_buf(), offset: 0, length, fault, advice: ADVICE };
    let file = match disk.open(path, Access::Read).await {
        Err(error) if error.kind == DiskErrorKind::NotFound => {
            return Err(corrupt(Fault::FileMissing, record.facts.bytes));
        }
        other => other?,
    };
    let length = file.len().await?;
    if length != record.facts.bytes {
        return Err(corrupt(Fault::NotTheTable { what: "its length" }, length));
    }
    let cache = Arc::new(BlockCache::new(CachePolicy::Lru, 0));
    let table = Table::open(file, path.to_path_buf(), number, cache).await?;
    table.verify(|_| ()).await?;
    let properties = table.properties();
    if properties.tally.set_hash != record.set_hash {
        return Err(corrupt(Fault::NotTheTable { what: "the set-hash of its entries" }, length));
    }
    if facts_of(properties) != record.facts {
        return Err(corrupt(Fault::NotTheTable { what: "its properties" }, length));
    }
    Ok(properties.clone())
}
