//! `stormglass bench --verify`: what was acknowledged is there with its value; what was never sent is not there. A key whose
//! acknowledgement never came may be there or not: its outcome was unknown.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use bytes::Bytes;
use cluster::coordinator::Failure;
use serde_json::json;

use super::ledger::{self, Sent};
use crate::arguments::Bench;
use crate::output::{Failed, print, readable};

/// How often a read is tried.
const ATTEMPTS: usize = 5;

/// How many violations are named one by one.
const NAMED_MAX: usize = 10;

pub(super) async fn verify(file: &Path, bench: &Bench, json: bool) -> Result<ExitCode, Failed> {
    let sent = ledger::read(file)?;
    let mut client = super::single(bench).await?;
    let mut violations = Vec::new();
    let acknowledged = sent.values().filter(|sent| sent.acknowledged).count();
    let mut found_unacknowledged = 0_usize;
    for (key, Sent { value, acknowledged }) in &sent {
        let read =
            patiently(async || client.get(Bytes::from(key.clone()), bench.consistency, bench.timeout).await.result)
                .await?;
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
    let mut scanned = 0;
    for run in runs(sent) {
        // A digit or a letter may follow the run's last dash, and nothing else; a dot is the byte after it.
        let (mut from, until) = (Bytes::from(format!("{run}-")), Bytes::from(format!("{run}.")));
        loop {
            let page = patiently(async || {
                client.scan(from.clone(), until.clone(), 1_000, bench.consistency, bench.timeout).await.result
            })
            .await?;
            for (key, _) in &page.rows {
                scanned += 1;
                if !sent.contains_key(&readable(key)) {
                    violations.push(format!("{} is there and was never sent", readable(key)));
                }
            }
            match page.next {
                Some(next) => from = next,
                None => break,
            }
        }
    }
    Ok(scanned)
}

/// The runs that wrote these keys: everything before a key's last dash.
fn runs(sent: &std::collections::BTreeMap<String, Sent>) -> BTreeSet<String> {
    sent.keys().filter_map(|key| key.rsplit_once('-')).map(|(run, _)| run.to_string()).collect()
}

/// Asks again a few times: reading twice does no harm, and one lost frame says nothing about the data.
async fn patiently<T>(mut ask: impl AsyncFnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut last = ask().await;
    for _ in 1..ATTEMPTS {
        if last.is_ok() {
            break;
        }
        last = ask().await;
    }
    last
}
