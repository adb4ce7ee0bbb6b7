//! get, put, delete, scan and status through a node. Each connects, asks once and says honestly what came of it: nothing is
//! retried, because only the user knows whether a write may be applied twice.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use cluster::client::Client;
use cluster::coordinator::{Completed, Page};
use cluster::world::real::RealClusterWorld;
use serde_json::json;

use crate::arguments::{Delete, Get, Put, Scan, Status, Target};
use crate::output::{Failed, print, readable, report_json, report_text};

/// A client connected to the node at `address`.
pub(crate) async fn connect(address: &str) -> Result<Client<RealClusterWorld>, Failed> {
    let (world, node) = crate::wiring::dial(address).await?;
    Ok(Client::new(world, node))
}

pub(crate) async fn get(get: &Get, json: bool) -> Result<ExitCode, Failed> {
    let target = &get.target;
    let mut client = connect(&target.node).await?;
    let completed = client.get(Bytes::from(get.key.clone()), target.consistency, target.timeout).await;
    show_report(&completed, target, json);
    let report = completed.report.as_ref().map(report_json);
    let read = completed.result?;
    let version = read.version.map(|version| version.to_string());
    if json {
        let value = read.value.as_deref().map(readable);
        print(&json!({ "key": get.key, "value": value, "version": version, "report": report }).to_string());
        return Ok(if read.value.is_some() { ExitCode::SUCCESS } else { ExitCode::from(1) });
    }
    let value = read.value.ok_or_else(|| Failed::check(format!("{} has no value", get.key)))?;
    print(&readable(&value));
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn put(put: &Put, json: bool) -> Result<ExitCode, Failed> {
    let (key, value) = (Bytes::from(put.key.clone()), value_to_put(put)?);
    // Refused here, so that no connection is needed to say so.
    cluster::limits::check_value(&value).map_err(|error| Failed::usage(error.to_string()))?;
    let mut client = connect(&put.target.node).await?;
    let completed = client.put(key, value, put.target.consistency, put.target.timeout).await;
    written(completed, &put.key, &put.target, json)
}

/// The value that a put was given, on the command line or in a file.
pub(crate) fn value_to_put(put: &Put) -> Result<Bytes, Failed> {
    let Some(file) = &put.file else { return Ok(Bytes::from(put.value.clone().unwrap_or_default())) };
    let mut value = Vec::new();
    // One byte more than is allowed is enough to know that there is too much.
    let most = cluster::limits::MAX_VALUE_BYTES as u64 + 1;
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut value)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(most).read_to_end(&mut value))
    };
    read.map_err(|error| Failed::usage(format!("{}: {error}", file.display())))?;
    Ok(Bytes::from(value))
}

pub(crate) async fn delete(delete: &Delete, json: bool) -> Result<ExitCode, Failed> {
    let mut client = connect(&delete.target.node).await?;
    let target = &delete.target;
    let completed = client.delete(Bytes::from(delete.key.clone()), target.consistency, target.timeout).await;
    written(completed, &delete.key, target, json)
}

fn written(
    completed: Completed<cluster::versioning::Stamp>,
    key: &str,
    target: &Target,
    json: bool,
) -> Result<ExitCode, Failed> {
    show_report(&completed, target, json);
    let report = completed.report.as_ref().map(report_json);
    let version = completed.result?.to_string();
    if json {
        print(&json!({ "key": key, "version": version, "report": report }).to_string());
    } else {
        print(&format!("ok {version}"));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn scan(scan: &Scan, json: bool) -> Result<ExitCode, Failed> {
    let mut client = connect(&scan.target.node).await?;
    let (from, until) = range_of(scan);
    let mut from = Some(from);
    let mut left = scan.limit;
    while let Some(start) = from.take().filter(|_| left > 0) {
        let page = scan_page(&mut client, start, until.clone(), left, &scan.target).await?;
        left -= page.rows.len().min(left);
        for (key, value) in &page.rows {
            print_row(key, value, json);
        }
        from = page.next;
    }
    Ok(ExitCode::SUCCESS)
}

/// The first key that a scan is about, and the first behind; an empty end is no end.
pub(crate) fn range_of(scan: &Scan) -> (Bytes, Bytes) {
    let (mut from, mut until) = (Bytes::from(scan.from.clone()), Bytes::from(scan.until.clone()));
    if !scan.prefix.is_empty() {
        from = from.max(Bytes::from(scan.prefix.clone()));
        // No byte of UTF-8 is the largest there is, so that a prefix always has an end.
        let mut end = scan.prefix.clone().into_bytes();
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        let end = Bytes::from(end);
        until = if until.is_empty() { end } else { until.min(end) };
    }
    (from, until)
}

/// One page of a scan, of at most `limit` rows.
pub(crate) async fn scan_page(
    client: &mut Client<RealClusterWorld>,
    from: Bytes,
    until: Bytes,
    limit: usize,
    target: &Target,
) -> Result<Page, Failed> {
    let limit = limit.min(cluster::limits::MAX_SCAN_ROWS);
    Ok(client.scan(from, until, limit, target.consistency, target.timeout).await.result?)
}

/// One row of a scan.
pub(crate) fn print_row(key: &[u8], value: &[u8], json: bool) {
    let (key, value) = (readable(key), readable(value));
    print(&if json { json!({ "key": key, "value": value }).to_string() } else { format!("{key}\t{value}") });
}

pub(crate) async fn status(status: &Status, json: bool) -> Result<ExitCode, Failed> {
    let mut client = connect(&status.node).await?;
    let facts = client.status(Duration::from_secs(1)).await?;
    if json {
        let facts: serde_json::Map<_, _> = facts.into_iter().map(|(name, value)| (name, value.into())).collect();
        print(&serde_json::Value::Object(facts).to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in facts {
        print(&format!("{name:width$}  {value}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn show_report<T>(completed: &Completed<T>, target: &Target, json: bool) {
    let Some(report) = completed.report.as_ref().filter(|_| target.report) else { return };
    if !json {
        eprint!("{}", report_text(report));
    } else if completed.result.is_err() {
        print(&report_json(report).to_string());
    }
}
