//! The section `expect`: what the verdict demands, and which demands would prove nothing or contradict each other.
//!
//! A demand proves something when a run could fail it: so a comparison that holds for every number is refused, and so is
//! a demand on operations that the mix never sends. The order of the result is the order in which verdicts are told.

use super::super::contradiction::Contradiction;
use super::super::errors::Flaw;
use super::super::expectation::{Comparison, Expectation, Selection, Unit};
use super::super::path::FieldPath;
use super::super::raw::{self, MapOrList, Text, TextMapOrList};
use super::super::units;
use super::super::workload::WorkloadPlan;
use super::{Checker, truth};
use crate::history::OperationKind;

const IS_PURPOSE: &str = "what is demanded, as in \">= 60%\" or \"<= 30ms\" (in quotes)";

impl Checker {
    pub(super) fn expect(&mut self, raw: &raw::Expect, workload: &WorkloadPlan) -> Vec<Expectation> {
        let notes_before = self.notes.len();
        let mut expect = Vec::new();
        let linearizable = self.optional(&raw.linearizable, truth);
        self.anomalies(raw, linearizable == Some(true), workload, &mut expect);
        if let (Some(linearizable), Some(text)) = (linearizable, &raw.linearizable) {
            if !linearizable && workload.mix.write == 0 && workload.mix.delete == 0 {
                self.refuse(text.path.clone(), Contradiction::NothingToViolate);
            }
            expect.push(Expectation::Linearizable(linearizable));
        }
        match (self.optional(&raw.converged, truth), &raw.converged) {
            (Some(true), _) => expect.push(Expectation::Converged),
            (Some(false), Some(text)) => self.refuse(text.path.clone(), Contradiction::ConvergedFalse),
            _ => {}
        }
        self.availability(&raw.availability, workload, &mut expect);
        let latency = match &raw.latency {
            None => &[][..],
            Some(MapOrList::Map(demand)) => std::slice::from_ref(demand),
            Some(MapOrList::List(demands)) => demands,
        };
        for (position, demand) in latency.iter().enumerate() {
            let path = FieldPath::root().key("expect").key("latency");
            let path = if matches!(raw.latency, Some(MapOrList::List(_))) { path.index(position) } else { path };
            self.latency_demand(demand, &path, workload, &mut expect);
        }
        if expect.is_empty() && self.notes.len() == notes_before {
            self.refuse(FieldPath::root().key("expect"), Contradiction::NothingExpected);
        }
        expect
    }

    /// The demands that count anomalies.
    fn anomalies(
        &mut self,
        raw: &raw::Expect,
        linearizable: bool,
        workload: &WorkloadPlan,
        expect: &mut Vec<Expectation>,
    ) {
        use Expectation::{
            LostWrites, MonotonicReads, MonotonicWrites, ReadYourWrites, Resurrections, StaleReads, WritesFollowReads,
        };
        let deletes: &[OperationKind] = &[OperationKind::Write, OperationKind::Delete];
        let reads: &[OperationKind] = &[OperationKind::Read, OperationKind::Write];
        let demands = [
            (&raw.lost_writes, "lost_writes", LostWrites as fn(Comparison) -> Expectation, &reads[1..]),
            (&raw.stale_reads, "stale_reads", StaleReads, reads),
            (&raw.resurrections, "resurrections", Resurrections, deletes),
            (&raw.monotonic_reads, "monotonic_reads", MonotonicReads, reads),
            (&raw.read_your_writes, "read_your_writes", ReadYourWrites, reads),
            (&raw.monotonic_writes, "monotonic_writes", MonotonicWrites, reads),
            (&raw.writes_follow_reads, "writes_follow_reads", WritesFollowReads, reads),
        ];
        for (text, key, expectation, kinds_needed) in demands {
            let (Some(text), Some(is)) = (text, self.comparison(text, Unit::Count)) else { continue };
            for kind in kinds_needed {
                self.must_be_sent(*kind, &text.path, workload);
            }
            if linearizable && is.demands_some() {
                let demand = format!("{key}: {is}");
                self.refuse(text.path.clone(), Contradiction::AnomalyOfALinearizableRun { demand });
            }
            expect.push(expectation(is));
        }
    }

    fn availability(
        &mut self,
        raw: &Option<TextMapOrList<raw::Availability>>,
        workload: &WorkloadPlan,
        expect: &mut Vec<Expectation>,
    ) {
        let path = FieldPath::root().key("expect").key("availability");
        let (demands, indexed) = match raw {
            None => return,
            Some(TextMapOrList::Text(text)) => {
                let is = self.comparison(&Some(text.clone()), Unit::Share);
                expect.extend(is.map(|is| Expectation::Availability { of: Selection::default(), is }));
                return;
            }
            Some(TextMapOrList::Map(demand)) => (std::slice::from_ref(demand), false),
            Some(TextMapOrList::List(demands)) => (demands.as_slice(), true),
        };
        for (position, demand) in demands.iter().enumerate() {
            let path = if indexed { path.index(position) } else { path.clone() };
            let of = self.selection(&demand.kind, &demand.during, &demand.through, &path, workload);
            if let Some(is) = self.comparison_required(&demand.is, Unit::Share, &path) {
                expect.push(Expectation::Availability { of, is });
            }
        }
    }

    fn latency_demand(
        &mut self,
        raw: &raw::LatencyDemand,
        path: &FieldPath,
        workload: &WorkloadPlan,
        expect: &mut Vec<Expectation>,
    ) {
        if raw.kind.is_none() {
            let purpose = "read, write or delete: their times are never mixed";
            self.refuse(path.clone(), Flaw::Missing { key: "kind", purpose });
        }
        if raw.percentile.is_none() {
            let purpose = "which of the times, as in p99 or max";
            self.refuse(path.clone(), Flaw::Missing { key: "percentile", purpose });
        }
        let of = self.selection(&raw.kind, &raw.during, &raw.through, path, workload);
        let percentile = self.optional(&raw.percentile, units::percentile);
        let is = self.comparison_required(&raw.is, Unit::Time, path);
        if let (Some(percentile_ppm), Some(is)) = (percentile, is) {
            expect.push(Expectation::Latency { of, percentile_ppm, is });
        }
    }

    fn selection(
        &mut self,
        kind: &Option<Text>,
        during: &Option<Text>,
        through: &Option<Vec<Text>>,
        path: &FieldPath,
        workload: &WorkloadPlan,
    ) -> Selection {
        let named = self.kind(kind);
        if let (Some(named), Some(text)) = (named, kind) {
            self.must_be_sent(named, &text.path, workload);
        }
        if through.as_ref().is_some_and(Vec::is_empty) {
            self.refuse(path.key("through"), Contradiction::GroupEmpty);
        }
        let mut nodes = Vec::new();
        for text in through.as_deref().unwrap_or_default() {
            let Some(node) = self.node(text) else { continue };
            if nodes.contains(&node) {
                self.refuse(text.path.clone(), Contradiction::NodeDescribedTwice { node: node.to_string() });
            }
            nodes.push(node);
        }
        Selection { kind: named, during: self.window(during), through: nodes }
    }

    fn must_be_sent(&mut self, kind: OperationKind, path: &FieldPath, workload: &WorkloadPlan) {
        if workload.mix.of(kind) == 0 {
            self.refuse(path.clone(), Contradiction::KindAbsent { kind: kind.name() });
        }
    }

    fn comparison_required(&mut self, text: &Option<Text>, unit: Unit, path: &FieldPath) -> Option<Comparison> {
        if text.is_none() {
            self.refuse(path.clone(), Flaw::Missing { key: "is", purpose: IS_PURPOSE });
        }
        self.comparison(text, unit)
    }

    fn comparison(&mut self, text: &Option<Text>, unit: Unit) -> Option<Comparison> {
        self.optional(text, |text| {
            let comparison = Comparison::parse(text, unit)?;
            match comparison.trivial() {
                None => Ok(comparison),
                Some(holds) => {
                    let always = if holds { "always" } else { "never" };
                    Err(Contradiction::Trivial { comparison: comparison.to_string(), always }.into())
                }
            }
        })
    }
}
