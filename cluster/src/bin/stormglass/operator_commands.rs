//! verify, checkpoint, backup, backups and restore: whether a directory is sound, and copies of it.
//!
//! ```text
//!   verify       reads everything, changes nothing; beside a running node, too
//!   checkpoint   links, on the same file system
//!   backup       copies what is new ─▶ backups: lists, verifies, removes ─▶ restore: every byte checked
//! ```

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use engine::backup::Listed;
use engine::world::World;
use engine::world::real::RealWorld;
use engine::{Db, Options};
use serde_json::json;

use crate::operator_arguments::{Backup, Backups, Checkpoint, Restore, Verify};
use crate::output::{Failed, checked, print, size};

pub(crate) async fn verify(verify: &Verify, json: bool) -> Result<ExitCode, Failed> {
    let world = RealWorld::new();
    let bar = if json || !std::io::stderr().is_terminal() {
        indicatif::ProgressBar::hidden()
    } else {
        indicatif::ProgressBar::new(0)
    };
    let progress = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let report = engine::verify::verify(world.disk(), &verify.directory, progress).await?;
    bar.finish_and_clear();
    print(&if json { json!({ "sound": report.is_sound(), "report": report }).to_string() } else { report.to_string() });
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Opens a directory of whatever owner to copy it: nothing is merged on the way.
async fn open(directory: &Path) -> Result<Db<RealWorld>, Failed> {
    let options = Options { create_if_missing: false, compaction_jobs: 0, ..Options::default() };
    let (db, _) = Db::open(RealWorld::new(), directory, options).await?;
    Ok(db)
}

pub(crate) async fn checkpoint(checkpoint: &Checkpoint, json: bool) -> Result<ExitCode, Failed> {
    let db = open(&checkpoint.directory).await?;
    let made = db.checkpoint(&checkpoint.new).await;
    db.close().await?;
    let sequence = made.map_err(checked)?;
    let new = checkpoint.new.display();
    print(&if json {
        json!({ "directory": checkpoint.new, "sequence": sequence }).to_string()
    } else {
        format!("{new} holds everything up to sequence {sequence}")
    });
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn backup(backup: &Backup, json: bool) -> Result<ExitCode, Failed> {
    let db = open(&backup.directory).await?;
    let made = engine::backup::backup(&db, &backup.backups).await;
    db.close().await?;
    let made = made.map_err(checked)?;
    print(&if json {
        serde_json::to_string(&made).expect("a backup is plain values")
    } else {
        let engine::backup::Backup { number, sequence, tables, bytes, .. } = made.backup;
        format!(
            "backup {number}, up to sequence {sequence}: {tables} tables, {}; {} of them new, {} copied",
            size(bytes),
            made.tables_copied,
            size(made.bytes_copied)
        )
    });
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn backups(wanted: &Backups, json: bool) -> Result<ExitCode, Failed> {
    let world = RealWorld::new();
    if let Some(number) = wanted.remove {
        let removed = engine::backup::remove(world.disk(), &wanted.backups, number).await.map_err(checked)?;
        print(&if json {
            serde_json::to_string(&removed).expect("what was removed is plain values")
        } else {
            format!("backup {number} is gone, and {} tables, {}", removed.tables, size(removed.bytes))
        });
        return Ok(ExitCode::SUCCESS);
    }
    let mut is_sound = true;
    if !json {
        print(&format!("{:>6}  {:<20}{:>14}{:>8}{:>12}", "backup", "made", "sequence", "tables", "size"));
    }
    for listed in engine::backup::list(world.disk(), &wanted.backups).await.map_err(checked)? {
        let (number, mut found) = (listed.number, listed.backup);
        if wanted.verify && found.is_ok() {
            found = engine::backup::verify(world.disk(), &wanted.backups, Some(number)).await;
        }
        is_sound &= found.is_ok();
        show_backup(&Listed { number, backup: found }, json);
    }
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn show_backup(listed: &Listed, json: bool) {
    let number = listed.number;
    print(&match &listed.backup {
        Ok(backup) if json => serde_json::to_string(backup).expect("a backup is plain values"),
        Err(error) if json => json!({ "number": number, "error": error.to_string() }).to_string(),
        Err(error) => format!("{number:>6}  DAMAGED: {error}"),
        Ok(backup) => {
            let made = SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(backup.created_micros));
            let made = made.map(|made| humantime::format_rfc3339_seconds(made).to_string()).unwrap_or_default();
            format!("{number:>6}  {made:<20}{:>14}{:>8}{:>12}", backup.sequence.0, backup.tables, size(backup.bytes))
        }
    });
}

pub(crate) async fn restore(restore: &Restore, json: bool) -> Result<ExitCode, Failed> {
    let world = RealWorld::new();
    let restored = engine::backup::restore(world.disk(), &restore.backups, restore.backup, &restore.new).await;
    let backup = restored.map_err(checked)?;
    print(&if json {
        json!({ "directory": restore.new, "backup": backup }).to_string()
    } else {
        format!(
            "{} is backup {}, up to sequence {}: {} tables, {}, every byte checked",
            restore.new.display(),
            backup.number,
            backup.sequence,
            backup.tables,
            size(backup.bytes)
        )
    });
    Ok(ExitCode::SUCCESS)
}
