//! How generated histories are written: EDN as Jepsen's, or JSON lines as ours.
//!
//! ```text
//!   {:process 3, :type :invoke, :f :cas, :key 7, :value [1 4], :time 120000}
//!   {"process":3,"type":"invoke","f":"cas","key":7,"value":[1,4],"time_micros":120}
//! ```

use std::io::{self, Write};

use super::object::Written;
use crate::journal::Function;

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Jepsen's.
    Edn,
    /// One JSON object a line.
    JsonLines,
}

/// One line of the history.
pub(super) struct Line<'l> {
    pub(super) process: u64,
    pub(super) event_type: &'static str,
    pub(super) function: Function,
    pub(super) key: u32,
    pub(super) value: &'l Written,
    pub(super) micros: u64,
}

pub(super) fn write(output: &mut impl Write, format: Format, line: &Line<'_>) -> io::Result<()> {
    let Line { process, event_type, function, key, value, micros } = line;
    match format {
        Format::Edn => {
            write!(output, "{{:process {process}, :type :{event_type}, :f :{function}, :key {key}, :value ")?;
            write_value(output, value, format)?;
            writeln!(output, ", :time {micros}000}}")
        }
        Format::JsonLines => {
            write!(output, r#"{{"process":{process},"type":"{event_type}","f":"{function}","key":{key},"value":"#)?;
            write_value(output, value, format)?;
            writeln!(output, r#","time_micros":{micros}}}"#)
        }
    }
}

fn write_value(output: &mut impl Write, value: &Written, format: Format) -> io::Result<()> {
    let between = if format == Format::Edn { " " } else { "," };
    match value {
        Written::Nil if format == Format::Edn => write!(output, "nil"),
        Written::Nil => write!(output, "null"),
        Written::Number(number) => write!(output, "{number}"),
        // Generated texts are letters, digits and blanks: nothing to escape in either.
        Written::Text(text) => write!(output, "\"{text}\""),
        Written::Pair(old, new) => write!(output, "[{old}{between}{new}]"),
        Written::List(elements) => {
            write!(output, "[")?;
            for (place, element) in elements.iter().enumerate() {
                let before = if place == 0 { "" } else { between };
                write!(output, "{before}{element}")?;
            }
            write!(output, "]")
        }
    }
}
