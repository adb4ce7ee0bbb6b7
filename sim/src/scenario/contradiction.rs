//! What a scenario may not ask for although each of its values is possible: the sentences that refuse contradictions.
//!
//! Two kinds stand here. Some could never be carried out (three replicas on two nodes). The others could, and would prove
//! nothing (a comparison that always holds, a fault that may never fire, a demand that the workload is too short for):
//! the run's verdict would be `vacuous`, and it is kinder to say so before it.

/// Why values that are possible by themselves are refused together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message is its documentation.
pub enum Contradiction {
    #[error("{replication} replicas of a key need as many nodes, and the cluster has {nodes}")]
    ReplicationExceedsNodes { replication: u64, nodes: u64 },
    #[error("{partitions} is not a power of two: the ring is cut into 1, 2, 4, 8, ... equal partitions")]
    PartitionsNotAPowerOfTwo { partitions: u64 },
    #[error("the 99th percentile {p99} is below the median {median}")]
    PercentileBelowMedian { median: String, p99: String },
    #[error("node {node} is described twice; say everything about it in one place")]
    NodeDescribedTwice { node: String },
    #[error("{level} replicas cannot answer where a key has {replication}")]
    LevelExceedsReplication { level: u64, replication: u64 },
    #[error("every weight of the mix is 0, so no operation would be sent")]
    MixAllZero,
    #[error("every node holds every key when replication equals nodes, so no coordinator is an outsider")]
    NoOutsiders,
    #[error("{demanded} ok results are demanded of a kind that the mix never sends")]
    DemandOnAbsentKind { demanded: u64 },
    #[error("{demanded} ok results are demanded, and this rate, duration and mix send about {sent}; lower `at_least`")]
    DemandExceedsWorkload { demanded: u64, sent: u64 },
    #[error("`{key}` means nothing beside `operations`: what is listed is sent, and nothing is drawn")]
    DrawnBesideListed { key: &'static str },
    #[error("`operations` lists nothing; leave it out, or list what is to be sent")]
    OperationsEmpty,
    #[error("{at} is before the operation above it at {before}; list operations in the order of time")]
    OperationsOutOfOrder { at: String, before: String },
    #[error("`bytes` is the length of a value, and a {kind} writes none")]
    BytesOfNoWrite { kind: &'static str },
    #[error("{kind} is never sent: its weight in the mix is 0")]
    KindAbsent { kind: &'static str },
    #[error("a partition needs at least two groups")]
    PartitionOfOneGroup,
    #[error("a group must name at least one node or client")]
    GroupEmpty,
    #[error("{member} stands twice in one fault; a partition's groups may not overlap")]
    GroupsOverlap { member: String },
    #[error("there is no other node to be cut off from")]
    NobodyToIsolateFrom,
    #[error(
        "a fault says either `at: 5s` or `every: 4s..8s` or `when: {{ operation: sync, node: n2 }}`, and one of them"
    )]
    OneOfAtAndEvery,
    #[error("a trigger says exactly one of operation, message and event")]
    OneHappening,
    #[error("nothing in this scenario makes a {event} happen, so this would never fire")]
    EventNeverHappens { event: String },
    #[error("`{key}` means nothing here: {reason}")]
    MeansNothing { key: &'static str, reason: &'static str },
    #[error("say one of `share: 5%`, `nth: 3` and `count: 2`, or none of them for all")]
    OneHit,
    #[error("{what} needs at least {least} nodes; with fewer it cuts nobody off")]
    TooFewNodes { what: &'static str, least: u16 },
    #[error("the copy is taken at {taken}, and is to be put back at {at} already: take it earlier")]
    BackupFromTheFuture { taken: String, at: String },
    #[error("faults[{other}] may set the {setting} of the same disk at the same time: one at a time can own it")]
    TwoOwners { setting: &'static str, other: usize },
    #[error("`{key}` belongs to faults that come again and again (`every`)")]
    OnlyWithEvery { key: &'static str },
    #[error("a fault has exactly one action, one of: {valid}; this one has {found}")]
    OneAction { valid: String, found: String },
    #[error("`for` means nothing here: {reason}")]
    ForMeansNothing { reason: &'static str },
    #[error("a fault that comes again and again must end: say `for: 1s`")]
    EveryNeedsFor,
    #[error("it may last {longest} and come again after {shortest}, so it would overlap itself")]
    OverlapsItself { longest: String, shortest: String },
    #[error("the workload ends at {end}; nothing would meet this")]
    AfterTheEnd { end: String },
    #[error("it may come first at {first}, which is after {until}, so it might never fire")]
    MayNeverFire { first: String, until: String },
    #[error("it would come up to {times} times; a scenario has at most {times_max}")]
    TooOften { times: u64, times_max: u64 },
    #[error("it changes nothing: give it a value")]
    ChangesNothing,
    #[error("the window {window} is empty or reaches past the workload's end at {end}")]
    WindowOutside { window: String, end: String },
    #[error("`{comparison}` {always} holds, whatever happens; write another bound")]
    Trivial { comparison: String, always: &'static str },
    #[error("`{demand}` demands an anomaly that `linearizable: true` forbids")]
    AnomalyOfALinearizableRun { demand: String },
    #[error("nothing is ever written, so every history would be linearizable")]
    NothingToViolate,
    #[error("not converging cannot be demanded: every run heals, and then every key is read at `all`")]
    ConvergedFalse,
    #[error("nothing is expected, so the run could prove nothing: expect at least `linearizable: true`")]
    NothingExpected,
}
