//! A file becomes a journal: blocks of it are scanned on all cores, and joined in their order on one.
//!
//! ```text
//!   file ──▶ block │ block │ block │ ...      cut where a line begins with `{` or `#`
//!              │       │       │              scanned by whoever is free
//!              └───────┴───────┴──▶ join      in order: if a block did not end where an event does, the cut was wrong,
//!                                             and the file is read again from its beginning, by one thread, uncut
//! ```
//!
//! Memory is bounded by a few blocks beside the journal itself. One event may be as long as `EVENT_BYTES_MAX`, since a read
//! may return a large set. Whatever is refused is told with line and column.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use memchr::{memchr_iter, memrchr};

use super::fault::Fault;
use super::join::Joiner;
use super::scan::{Dialect, End, Event, Scanned, scan};
use super::{Journal, ModelName};

/// What is scanned at a time.
const BLOCK_BYTES: usize = 1 << 20;
/// No event is longer.
const EVENT_BYTES_MAX: usize = 64 << 20;
/// Enough to see how the file is written.
const HEAD_BYTES: usize = 64 << 10;

/// Where the key of a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStyle {
    /// As in the first invocation.
    Auto,
    /// In the field `key`.
    Field,
    /// In the value, as Jepsen's independent keys are: `[key value]`.
    Tuple,
    /// Nowhere: there is one object.
    None,
}

/// How to read.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The object that was called.
    pub model: ModelName,
    /// Where its key stands.
    pub keys: KeyStyle,
    /// Whether a failed cas means that the register held something else.
    pub failed_cas_differed: bool,
    /// Threads that scan.
    pub jobs: usize,
}

/// A journal, and how much was read for it.
#[derive(Debug)]
pub struct Reading {
    /// What was read.
    pub journal: Journal,
    /// The length of the file.
    pub bytes: u64,
}

/// A history that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Something in it must be corrected.
    #[error("{line}:{column}: {fault}")]
    At {
        /// The line, counted from 1.
        line: u64,
        /// The byte of the line, counted from 1.
        column: u64,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// Reads a file.
pub fn read_file(path: &Path, options: &Options) -> Result<Reading, ReadError> {
    let mut file = File::open(path)?;
    let mut head = Vec::with_capacity(HEAD_BYTES);
    file.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let dialect = dialect(&head);
    if file.seek(SeekFrom::Start(0)).is_err() {
        return sequential(file, options, dialect, head);
    }
    match parallel(file.try_clone()?, options, dialect)? {
        Some(reading) => Ok(reading),
        None => {
            file.seek(SeekFrom::Start(0))?;
            sequential(file, options, dialect, Vec::new())
        }
    }
}

/// Reads whatever can be read only once.
pub fn read(mut input: impl Read, options: &Options) -> Result<Reading, ReadError> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    input.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let dialect = dialect(&head);
    sequential(input, options, dialect, head)
}

/// By the first map: its keys are strings, or they are not.
fn dialect(head: &[u8]) -> Dialect {
    let lines = head.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii_start().starts_with(b";"));
    let bytes = lines.flatten().filter(|byte| !byte.is_ascii_whitespace());
    let first_key = bytes.skip_while(|&&byte| byte != b'{').nth(1);
    if first_key == Some(&b'"') { Dialect::Json } else { Dialect::Edn }
}

/// Where a block begins in the file.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    lines: u64,
    column: u64,
}

impl Place {
    /// The place of the byte `at` of a text that begins here.
    fn after(self, text: &[u8]) -> Self {
        match memrchr(b'\n', text) {
            Some(last) => Self {
                lines: self.lines + memchr_iter(b'\n', text).count() as u64,
                column: (text.len() - last - 1) as u64,
            },
            None => Self { column: self.column + text.len() as u64, ..self },
        }
    }

    fn fault(self, fault: Fault) -> ReadError {
        ReadError::At { line: self.lines + 1, column: self.column + 1, fault }
    }
}

/// What both ways of reading do with a block.
struct Assembly {
    joiner: Joiner,
    place: Place,
    opened: u32,
    closed: u32,
    events: u64,
    bytes: u64,
}

impl Assembly {
    fn new(options: &Options, dialect: Dialect) -> Self {
        let joiner = Joiner::new(options, dialect);
        Self { joiner, place: Place::default(), opened: 0, closed: 0, events: 0, bytes: 0 }
    }

    /// Joins the events of a block, of which `used` bytes were scanned.
    fn take(&mut self, text: &[u8], scanned: &mut Scanned, used: usize) -> Result<(), ReadError> {
        for event in &scanned.events {
            let line = u32::try_from(self.place.lines + u64::from(event.line) + 1).unwrap_or(u32::MAX);
            if let Err(fault) = self.joiner.event(text, event, line) {
                return Err(self.place.after(&text[..event.at as usize]).fault(fault));
            }
        }
        self.events += scanned.events.len() as u64;
        self.opened += scanned.opened;
        self.closed += scanned.closed;
        if let End::Bad { at, .. } = scanned.end {
            let end = std::mem::replace(&mut scanned.end, End::Complete);
            let End::Bad { fault, .. } = end else { return Ok(()) };
            return Err(self.place.after(&text[..at]).fault(fault));
        }
        if self.opened > 1 || self.closed > self.opened {
            let what = "there may be one pair of brackets around all events, and no more";
            return Err(self.place.fault(Fault::Malformed { what }));
        }
        self.place = self.place.after(&text[..used]);
        self.bytes += used as u64;
        Ok(())
    }

    fn finish(self) -> Result<Reading, ReadError> {
        if self.events == 0 {
            return Err(Place::default().fault(Fault::Empty));
        }
        if self.opened != self.closed {
            return Err(self.place.fault(Fault::Truncated));
        }
        Ok(Reading { journal: self.joiner.finish(), bytes: self.bytes })
    }
}

/// Reads block after block; what a block leaves over begins the next.
fn sequential(mut input: impl Read, options: &Options, dialect: Dialect, head: Vec<u8>) -> Result<Reading, ReadError> {
    let mut assembly = Assembly::new(options, dialect);
    let mut text = head;
    let mut wanted = BLOCK_BYTES;
    loop {
        let before = text.len();
        input.by_ref().take(wanted as u64).read_to_end(&mut text)?;
        let is_last = text.len() - before < wanted;
        if is_last {
            text.push(b'\n');
        }
        let mut scanned = scan(&text, dialect, Vec::new());
        let used = match scanned.end {
            End::Incomplete { at } => at,
            _ => text.len(),
        };
        assembly.take(&text, &mut scanned, used)?;
        if is_last {
            if used < text.len() {
                return Err(assembly.place.fault(Fault::Truncated));
            }
            assembly.bytes -= 1;
            return assembly.finish();
        }
        text.drain(..used);
        if text.len() > EVENT_BYTES_MAX {
            return Err(assembly.place.fault(Fault::TooLong { most_bytes: EVENT_BYTES_MAX }));
        }
        // An event that did not fit is not scanned again before there is twice as much of it.
        wanted = BLOCK_BYTES.max(text.len());
    }
}

/// Where blocks are cut from the file.
struct Source {
    file: File,
    carry: Vec<u8>,
    next: u64,
    is_over: bool,
}

struct Block {
    number: u64,
    text: Vec<u8>,
    is_last: bool,
}

/// What came of a block.
enum Cut {
    Scanned { block: Block, scanned: Scanned },
    NoBlock(NoBlock),
}

/// Why there is no next block.
enum NoBlock {
    /// No place to cut was found.
    Nowhere,
    Failed(io::Error),
}

impl Source {
    /// The next block, in `text`; `None` after the last.
    fn next_block(&mut self, mut text: Vec<u8>) -> Result<Option<Block>, NoBlock> {
        if self.is_over {
            return Ok(None);
        }
        text.clear();
        text.append(&mut self.carry);
        loop {
            let before = text.len();
            self.file.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut text).map_err(NoBlock::Failed)?;
            let is_last = text.len() - before < BLOCK_BYTES;
            let number = self.next;
            if is_last {
                text.push(b'\n');
                self.is_over = true;
                return Ok(Some(Block { number, text, is_last }));
            }
            if let Some(at) = cut(&text) {
                self.carry.extend_from_slice(&text[at..]);
                text.truncate(at);
                self.next += 1;
                return Ok(Some(Block { number, text, is_last }));
            }
            if text.len() > 4 * BLOCK_BYTES {
                self.is_over = true;
                return Err(NoBlock::Nowhere);
            }
        }
    }
}

/// The last place where a line begins like an event.
fn cut(text: &[u8]) -> Option<usize> {
    let mut end = text.len();
    while let Some(at) = memrchr(b'\n', &text[..end]) {
        if matches!(text.get(at + 1), Some(b'{' | b'#')) {
            return Some(at + 1);
        }
        end = at;
    }
    None
}

/// Memory of blocks that were joined, to be used again.
type Spare = Mutex<Vec<(Vec<u8>, Vec<Event>)>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `None` when the file cannot be cut.
fn parallel(file: File, options: &Options, dialect: Dialect) -> Result<Option<Reading>, ReadError> {
    let source = Mutex::new(Source { file, carry: Vec::new(), next: 0, is_over: false });
    let spare: Spare = Mutex::default();
    let jobs = options.jobs.max(1);
    let (sender, receiver) = sync_channel::<Cut>(jobs);
    thread::scope(|scope| {
        for _ in 0..jobs {
            let (sender, source, spare) = (sender.clone(), &source, &spare);
            scope.spawn(move || {
                loop {
                    let (text, events) = lock(spare).pop().unwrap_or_default();
                    let next = lock(source).next_block(text);
                    let cut = match next {
                        Ok(None) => return,
                        Ok(Some(block)) => Cut::Scanned { scanned: scan(&block.text, dialect, events), block },
                        Err(none) => Cut::NoBlock(none),
                    };
                    // Whoever joins has given up when nobody receives.
                    if sender.send(cut).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        join(receiver, Assembly::new(options, dialect), &spare)
    })
}

/// Joins the blocks in their order.
fn join(receiver: Receiver<Cut>, mut assembly: Assembly, spare: &Spare) -> Result<Option<Reading>, ReadError> {
    let mut waiting: BTreeMap<u64, (Block, Scanned)> = BTreeMap::new();
    let mut next = 0;
    for cut in receiver {
        match cut {
            Cut::NoBlock(NoBlock::Nowhere) => return Ok(None),
            Cut::NoBlock(NoBlock::Failed(error)) => return Err(error.into()),
            Cut::Scanned { block, scanned } => {
                waiting.insert(block.number, (block, scanned));
            }
        }
        while let Some((block, mut scanned)) = waiting.remove(&next) {
            next += 1;
            let used = match scanned.end {
                End::Incomplete { .. } if !block.is_last => return Ok(None),
                End::Incomplete { at } => at,
                _ => block.text.len(),
            };
            assembly.take(&block.text, &mut scanned, used)?;
            if block.is_last {
                if used < block.text.len() {
                    return Err(assembly.place.fault(Fault::Truncated));
                }
                assembly.bytes -= 1;
                return assembly.finish().map(Some);
            }
            scanned.events.clear();
            lock(spare).push((block.text, scanned.events));
        }
    }
    // Every thread has ended without a last block: one of them has panicked, and the scope says so.
    Ok(None)
}
