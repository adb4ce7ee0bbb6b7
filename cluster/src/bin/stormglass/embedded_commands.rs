//! get, put, delete and scan on a directory, without a server. Each opens the engine, does one thing, and closes it so that
//! the next one has nothing to recover.

use std::path::Path;
use std::process::ExitCode;

use bytes::Bytes;
use cluster::embedded::Embedded;
use engine::Options;
use engine::world::real::RealWorld;
use serde_json::json;

use crate::arguments::{Delete, Get, Put, Scan};
use crate::client_commands::{print_row, value_to_put};
use crate::output::{Failed, print, readable};

async fn open(data: &Path, create_if_missing: bool) -> Result<Embedded<RealWorld>, Failed> {
    let options = Options { create_if_missing, ..Options::default() };
    Ok(Embedded::open(RealWorld::new(), data, options).await?)
}

pub(crate) async fn get(data: &Path, get: &Get, json: bool) -> Result<ExitCode, Failed> {
    check_key(&get.key)?;
    let database = open(data, false).await?;
    let value = database.get(get.key.as_bytes()).await?;
    database.close().await?;
    if json {
        print(&json!({ "key": get.key, "value": value.as_deref().map(readable) }).to_string());
        return Ok(if value.is_some() { ExitCode::SUCCESS } else { ExitCode::from(1) });
    }
    let value = value.ok_or_else(|| Failed::check(format!("{} has no value", get.key)))?;
    print(&readable(&value));
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn put(data: &Path, put: &Put, json: bool) -> Result<ExitCode, Failed> {
    check_key(&put.key)?;
    let value = value_to_put(put)?;
    cluster::limits::check_value(&value).map_err(|error| Failed::usage(error.to_string()))?;
    let database = open(data, true).await?;
    database.put(put.key.as_bytes(), value).await?;
    database.close().await?;
    written(&put.key, json)
}

pub(crate) async fn delete(data: &Path, delete: &Delete, json: bool) -> Result<ExitCode, Failed> {
    check_key(&delete.key)?;
    let database = open(data, false).await?;
    database.delete(delete.key.as_bytes()).await?;
    database.close().await?;
    written(&delete.key, json)
}

pub(crate) async fn scan(data: &Path, scan: &Scan, json: bool) -> Result<ExitCode, Failed> {
    let database = open(data, false).await?;
    let mut from = Some(Bytes::from(scan.from.clone()));
    let mut left = scan.limit;
    while let Some(start) = from.take().filter(|_| left > 0) {
        let (rows, next) =
            database.scan(&start, scan.until.as_bytes(), left.min(cluster::limits::MAX_SCAN_ROWS)).await?;
        left -= rows.len();
        for (key, value) in rows {
            print_row(&key, &value, json);
        }
        from = next;
    }
    database.close().await?;
    Ok(ExitCode::SUCCESS)
}

fn check_key(key: &str) -> Result<(), Failed> {
    cluster::limits::check_key(key.as_bytes()).map_err(|error| Failed::usage(error.to_string()))
}

fn written(key: &str, json: bool) -> Result<ExitCode, Failed> {
    print(&if json { json!({ "key": key }).to_string() } else { "ok".to_string() });
    Ok(ExitCode::SUCCESS)
}
