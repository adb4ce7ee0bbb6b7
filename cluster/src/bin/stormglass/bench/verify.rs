//! `stormglass bench --verify`: what was acknowledged is there with its value; what was never sent is not there. A key whose
//! acknowledgement never came may be there or not: its outcome was unknown.

use std::path::Path;
use std::process::ExitCode;

use bytes::Bytes;
use serde_json::json;

use super::ledger::{self, Sent};
use crate::arguments::Bench;
use crate::output::{Failed, print, readable};

/// How many violations are named one by one.
const NAMED_MAX: usize = 10;

pub(super) async fn verify(file: &Path, bench: &Bench, json: bool) -> Result<ExitCode, Failed> {
    let sent = ledger::read(file)?;
    let mut client = super::single(bench).await?;
    let mut violations = Vec::new();
    let acknowledged = sent.values().filter(|sent| sent.acknowledged).count();
    let mut found_unacknowledged = 0_usize;
    for (key, Sent { value, acknowledged }) in &sent {
        let read = client.get(Bytes::from(key.clone()), bench.consistency, bench.timeout).await.result?;
        match (read.value, acknowledged) {
            (Some(found), _) if found != value.as_bytes() => {
                violations.push(format!("{key} holds {} instead of {value}", readable(&found)));
            }
            (Some(_), false) => found_unacknowledged += 1,
            (None, true) => violations.push(format!("{key} was acknowledged and is lost")),
            _ => {}
        }
    }
    let scanned = scan_for_strangers(&mut client, bench, &sent, &mut violations).await?;
    if json {
        let facts = json!({
            "sent": sent.len(), "acknowledged": acknowledged, "found_unacknowledged": found_unacknowledged,
            "keys_scanned": scanned, "violations": violations,
        });
        print(&facts.to_string());
    } else {
        print(&format!("{} keys sent, {acknowledged} acknowledged, {scanned} found by scanning", sent.len()));
        print(&format!("{found_unacknowledged} are there although their outcome was unknown, which is allowed"));
        for violation in violations.iter().take(NAMED_MAX) {
            print(&format!("violation: {violation}"));
        }
        print(&format!("{} violations", violations.len()));
    }
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Looks at every key of the database that this kind of load makes; returns how many there are.
async fn scan_for_strangers(
    client: &mut cluster::client::Client<cluster::world::real::RealClusterWorld>,
    bench: &Bench,
    sent: &std::collections::BTreeMap<String, Sent>,
    violations: &mut Vec<String>,
) -> Result<usize, Failed> {
    let (mut from, until) = (Bytes::from_static(b"bench-"), Bytes::from_static(b"bench."));
    let mut scanned = 0;
    loop {
        let page = client.scan(from, until.clone(), 1_000, bench.consistency, bench.timeout).await.result?;
        for (key, _) in &page.rows {
            scanned += 1;
            if !sent.contains_key(&readable(key)) {
                violations.push(format!("{} is there and was never sent", readable(key)));
            }
        }
        match page.next {
            Some(next) => from = next,
            None => return Ok(scanned),
        }
    }
}
