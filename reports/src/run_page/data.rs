//! The facts that the page's script needs to tell what lies under the pointer, as small as JSON allows.
//!
//! ```text
//!   words        every text once; the rest names them by their place
//!   operations   [id, lane, session, node, key, kind, level, written, outcome, said, invoked, completed, report]
//!   report       [required, took, [[node, said, version, after, repaired], ...]]
//! ```
//!
//! The order of the fields is that of the structs' tuples below, and `timeline.js` reads it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::lanes::Lanes;
use super::timeline::{FAULT_LANE, FAULT_LANES_MOST, NODE_LANE, OPERATION_LANE, anomaly_kinds};
use crate::band::lanes as fault_lanes;
use crate::detail::{ConsistencyFact, OperationFact, OutcomeFact, RunDetail};
use crate::facts::RunFacts;
use crate::tables::plain;

type Word = usize;
type Answer = (Word, Word, Option<Word>, Option<u64>, bool);
type Report = (u64, u64, Vec<Answer>);
/// From, to, what, sent, ended, why it was lost; from and to are places among the nodes.
type Message = (usize, usize, Word, u64, Option<u64>, Option<Word>);
/// When, ok, fail, unknown, median, 99th percentile.
type Bucket = (u64, u64, u64, u64, Option<u64>, Option<u64>);

/// Everything that the script reads.
#[derive(Debug, Serialize)]
pub(super) struct PageData {
    axis: u64,
    bucket: u64,
    lanes: LaneHeights,
    words: Vec<String>,
    operations: Vec<Row>,
    /// Lane, from, until, label.
    faults: Vec<(usize, u64, Option<u64>, Word)>,
    /// Lane, when, kind, sentence, operations.
    anomalies: Vec<(usize, u64, Word, Word, Vec<u64>)>,
    messages: Vec<Message>,
    nodes: Vec<Word>,
    buckets: Vec<Bucket>,
}

/// Pixels a lane of each track.
#[derive(Debug, Serialize)]
struct LaneHeights {
    faults: u32,
    anomalies: u32,
    nodes: u32,
    operations: u32,
}

#[derive(Debug, Serialize)]
struct Row(u64, usize, u64, Word, Word, Word, Word, Option<Word>, u8, Option<Word>, u64, Option<u64>, Option<Report>);

/// Texts, each once.
#[derive(Default)]
struct Words {
    places: BTreeMap<String, Word>,
    words: Vec<String>,
}

impl Words {
    fn place(&mut self, text: &str) -> Word {
        let text = plain(text);
        if let Some(place) = self.places.get(&text) {
            return *place;
        }
        self.words.push(text.clone());
        self.places.insert(text, self.words.len() - 1);
        self.words.len() - 1
    }

    fn maybe(&mut self, text: Option<&str>) -> Option<Word> {
        text.map(|text| self.place(text))
    }
}

pub(super) fn page_data(facts: &RunFacts, detail: &RunDetail, lanes: &Lanes<'_>) -> PageData {
    let mut words = Words::default();
    let placed = lanes
        .lanes
        .iter()
        .enumerate()
        .flat_map(|(lane, drawn)| drawn.operations.iter().map(move |operation| (lane, *operation)));
    let mut operations: Vec<Row> = placed.map(|(lane, operation)| row(lane, operation, &mut words)).collect();
    operations.sort_by_key(|row| row.0);
    let faults = fault_lanes(&facts.faults).into_iter().take(FAULT_LANES_MOST).enumerate();
    let faults = faults.flat_map(|(place, lane)| {
        let label = words.place(&format!("{}, met {}", lane.label, lane.met));
        lane.spans.into_iter().map(move |(from, until)| (place, from, until, label))
    });
    let faults = faults.collect();
    let kinds = anomaly_kinds(facts);
    let anomalies = facts.anomalies.iter().filter_map(|anomaly| {
        let lane = kinds.iter().position(|kind| *kind == anomaly.kind)?;
        let (kind, sentence) = (words.place(&anomaly.kind), words.place(&anomaly.sentence));
        Some((lane, anomaly.at_micros, kind, sentence, anomaly.operations.clone()))
    });
    let anomalies = anomalies.collect();
    let node = |name: &str| detail.nodes.iter().position(|node| node == name);
    let messages = detail.messages.shown.iter().filter_map(|message| {
        let (what, lost) = (words.place(&message.what), words.maybe(message.lost.as_deref()));
        Some((node(&message.from)?, node(&message.to)?, what, message.sent_micros, message.ended_micros, lost))
    });
    let messages = messages.collect();
    let nodes = detail.nodes.iter().map(|node| words.place(node)).collect();
    let buckets = facts
        .throughput
        .iter()
        .map(|bucket| (bucket.at_micros, bucket.ok, bucket.fail, bucket.unknown, bucket.p50_micros, bucket.p99_micros));
    PageData {
        axis: lanes.axis_micros,
        bucket: facts.bucket_micros,
        lanes: LaneHeights { faults: FAULT_LANE, anomalies: FAULT_LANE, nodes: NODE_LANE, operations: OPERATION_LANE },
        buckets: buckets.collect(),
        words: words.words,
        operations,
        faults,
        anomalies,
        messages,
        nodes,
    }
}

fn row(lane: usize, operation: &OperationFact, words: &mut Words) -> Row {
    let (outcome, said) = match &operation.outcome {
        OutcomeFact::Ok { value } => (0, value.as_deref()),
        OutcomeFact::Unknown { reason } => (1, Some(reason.as_str())),
        OutcomeFact::Fail { reason } => (2, Some(reason.as_str())),
    };
    Row(
        operation.id,
        lane,
        operation.session,
        words.place(&operation.coordinator),
        words.place(&operation.key),
        words.place(&operation.kind),
        words.place(&operation.consistency),
        words.maybe(operation.written.as_deref()),
        outcome,
        words.maybe(said),
        operation.invoked_micros,
        operation.completed_micros,
        operation.report.as_ref().map(|told| report(told, words)),
    )
}

fn report(told: &ConsistencyFact, words: &mut Words) -> Report {
    let answers = told.answers.iter().map(|answer| {
        let (node, said) = (words.place(&answer.node), words.place(&answer.said));
        (node, said, words.maybe(answer.version.as_deref()), answer.after_micros, answer.repaired)
    });
    (told.required, told.took_micros, answers.collect())
}
