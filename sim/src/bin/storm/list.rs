//! `storm list`: the scenario library, one line each. A file that cannot be run is named with its mistakes, beside the
//! others.

use std::process::ExitCode;

use serde_json::json;
use sim::scenario;

use crate::arguments;
use crate::{Failed, print};

pub(crate) fn list(arguments: &arguments::List, json: bool) -> Result<ExitCode, Failed> {
    let entries = scenario::library(&arguments.directory).map_err(Failed::usage)?;
    let width = entries.iter().flatten().map(|entry| entry.file.len()).max().unwrap_or(0);
    let mut broken = false;
    for entry in entries {
        match entry {
            Ok(entry) if json => {
                print(&json!({ "file": entry.file, "name": entry.name, "summary": entry.summary }).to_string());
            }
            Ok(entry) => print(&format!("{:width$}  {}", entry.file, entry.name)),
            Err(error) => {
                broken = true;
                eprintln!("storm: {error}");
            }
        }
    }
    Ok(ExitCode::from(if broken { 2 } else { 0 }))
}
