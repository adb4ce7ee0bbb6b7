//! The manifest: a log of edits, of which every one was synced before anything relied on it, and the pointer to it.
//!
//! ```text
//!   CURRENT ─▶ manifest-7    preamble │ everything, as one edit │ edit │ edit │ torn
//!
//!   switch     write manifest-8 with everything, sync, sync the folder
//!              write CURRENT.tmp, sync ─▶ rename to CURRENT ─▶ sync the folder ─▶ remove manifest-7
//! ```
//!
//! Records are framed as in the write-ahead log, seeded with the manifest's number and the record's offset. An edit
//! proves the one before it: damage there is refused. The last edit may be torn, and then it never happened: nothing was
//! removed on its word yet. (If it had been, a file that the edits before it name is missing, and that is refused.) Every
//! opening begins a new manifest, so no manifest is ever appended to after a crash.

use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

use super::names::{CURRENT, CURRENT_TEMPORARY, manifest_name, manifest_number};
use crate::error::Error;
use crate::format::checksum::Checksum;
use crate::format::record::{self, Body, HEADER_BYTES, Header, Kind, Place};
use crate::format::segment::{MANIFEST_MAGIC, Magic, PREAMBLE_BYTES, decode_preamble, put_preamble};
use crate::format::{Fault, Sequence};
use crate::world::{Access, Disk, DiskError, DiskErrorKind, File};

/// The format of the manifests that this program writes, and the newest that it reads.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// What an operator does about a damaged manifest.
pub(crate) const ADVICE: &str = "nothing was changed; restore the directory from a backup, or let the other replicas fill a \
                                 new one (`stormglass inspect manifest` shows what is readable)";

/// A manifest that is being written.
pub(crate) struct ManifestWriter<D: Disk> {
    path: PathBuf,
    number: u32,
    file: D::File,
    length: u64,
}

impl<D: Disk> ManifestWriter<D> {
    /// Writes manifest `number`, which begins with `everything`, and makes it the one that holds.
    pub(crate) async fn begin(disk: &D, directory: &Path, number: u32, everything: &[u8]) -> Result<Self, DiskError> {
        let path = directory.join(manifest_name(number));
        let file = disk.create(&path).await?;
        let beginning = encode(MANIFEST_MAGIC, number, &[everything]);
        let length = beginning.len() as u64;
        file.append(vec![beginning]).await?;
        file.sync().await?;
        disk.sync_dir(directory).await?;
        point_to(disk, directory, number).await?;
        Ok(Self { path, number, file, length })
    }

    /// Appends an edit; when it returns, the edit holds. After an error nobody knows.
    pub(crate) async fn append(&mut self, edit: &[u8]) -> Result<(), DiskError> {
        let mut buffer = BytesMut::new();
        let place = Place { log_number: self.number, offset: self.length };
        record::encode(&mut buffer, place, Kind::Edit, Sequence::ZERO, self.length, |buffer| {
            buffer.extend_from_slice(edit);
        });
        let appended = buffer.len() as u64;
        let offset = self.file.append(vec![buffer.freeze()]).await?;
        if offset != self.length {
            let mut error = DiskError::new(DiskErrorKind::InputOutput, "append", &self.path);
            error.detail = "somebody else wrote to the manifest".to_string();
            return Err(error);
        }
        self.length += appended;
        self.file.sync().await
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Bytes in it.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }
}

async fn point_to<D: Disk>(disk: &D, directory: &Path, number: u32) -> Result<(), DiskError> {
    let temporary = directory.join(CURRENT_TEMPORARY);
    match disk.remove(&temporary).await {
        // A leftover must be gone for good before another file takes its name: else a power loss may keep the renaming
        // alone, and `CURRENT` would be the leftover.
        Ok(()) => disk.sync_dir(directory).await?,
        Err(error) if error.kind == DiskErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let file = disk.create(&temporary).await?;
    file.append(vec![Bytes::from(encode_current(number))]).await?;
    file.sync().await?;
    disk.rename(&temporary, &directory.join(CURRENT)).await?;
    disk.sync_dir(directory).await
}

/// The content of `CURRENT`: two lines of text.
fn encode_current(number: u32) -> String {
    let line = format!("{}\n", manifest_name(number));
    let mut checksum = Checksum::seeded(0, 0);
    checksum.update(line.as_bytes());
    format!("{line}checksum {:08x}\n", checksum.finish())
}

fn decode_current(content: &[u8]) -> Option<u32> {
    let content = std::str::from_utf8(content).ok()?;
    let number = manifest_number(content.lines().next()?)?;
    (encode_current(number) == content).then_some(number)
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ManifestContent {
    pub(crate) number: u32,
    /// Each edit's offset and payload; the first says everything.
    pub(crate) edits: Vec<(u64, Bytes)>,
    /// Bytes in it.
    pub(crate) length: u64,
    /// Where an edit that was never completed begins, and what is wrong there.
    pub(crate) torn: Option<(u64, Fault)>,
}

/// The number of the manifest that `CURRENT` names; `None` when there is no `CURRENT`.
pub(crate) async fn current_number<D: Disk>(disk: &D, directory: &Path) -> Result<Option<u32>, Error> {
    let path = directory.join(CURRENT);
    let content = match disk.open(&path, Access::Read).await {
        Ok(file) => file.read_at(0, 256).await?,
        Err(error) if error.kind == DiskErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let number = decode_current(&content);
    let (length, fault) = (content.len() as u64, Fault::MalformedPayload);
    number.map(Some).ok_or(Error::Corrupt { file: path, offset: 0, length, fault, advice: ADVICE })
}

/// Reads the manifest that `CURRENT` names; `None` when there is no `CURRENT`.
pub(crate) async fn read_current<D: Disk>(disk: &D, directory: &Path) -> Result<Option<ManifestContent>, Error> {
    let Some(number) = current_number(disk, directory).await? else { return Ok(None) };
    let path = directory.join(manifest_name(number));
    match read(disk, &path, number).await {
        Err(Error::Disk(error)) if error.kind == DiskErrorKind::NotFound => {
            Err(Error::Corrupt { file: path, offset: 0, length: 0, fault: Fault::FileMissing, advice: ADVICE })
        }
        other => other.map(Some),
    }
}

/// Reads manifest `number` at `path`.
pub(crate) async fn read<D: Disk>(disk: &D, path: &Path, number: u32) -> Result<ManifestContent, Error> {
    let look = look(disk, path, number, MANIFEST_MAGIC).await?;
    let (mut edits, mut torn) = (Vec::new(), None);
    for piece in look.pieces {
        match piece {
            Piece::Edit { offset, payload } => edits.push((offset, payload)),
            Piece::Damage { offset, fault, torn: true, .. } => torn = Some((offset, fault)),
            Piece::Damage { offset, length, fault, torn: false } => {
                return Err(Error::Corrupt { file: path.to_path_buf(), offset, length, fault, advice: ADVICE });
            }
        }
    }
    Ok(ManifestContent { number, edits, length: look.length, torn })
}

/// A stretch of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A whole edit, still encoded.
    Edit { offset: u64, payload: Bytes },
    /// Bytes that are none, up to the next whole edit or the end. Torn: nothing proves that they had been synced.
    Damage { offset: u64, length: u64, fault: Fault, torn: bool },
}

/// All that can be read of a manifest, and all that cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) pieces: Vec<Piece>,
    /// Bytes of the file.
    pub(crate) length: u64,
}

/// Looks at a file of edits, whatever is damaged.
pub(crate) async fn look<D: Disk>(disk: &D, path: &Path, number: u32, magic: Magic) -> Result<Look, Error> {
    let file = disk.open(path, Access::Read).await?;
    let length = file.len().await?;
    let bytes = file.read_at(0, usize::try_from(length).unwrap_or(usize::MAX)).await?;
    let mut pieces = Vec::new();
    match decode_preamble(magic, number, &bytes) {
        Ok(FORMAT_VERSION) => {}
        Ok(found) => return Err(Error::NewerFormat { path: path.to_path_buf(), found, supported: FORMAT_VERSION }),
        Err(fault) => {
            let length = (PREAMBLE_BYTES as u64).min(length);
            pieces.push(Piece::Damage { offset: 0, length, fault, torn: false });
        }
    }
    let (mut offset, mut is_first) = (PREAMBLE_BYTES as u64, true);
    while offset < bytes.len() as u64 {
        match edit_at(&bytes, number, offset) {
            Ok(payload) => {
                let next = offset + (HEADER_BYTES + payload.len()) as u64;
                pieces.push(Piece::Edit { offset, payload });
                offset = next;
            }
            Err(fault) => {
                let torn = !is_first && fault.may_be_a_torn_write() && !proven(&bytes, number, offset);
                let next = (!torn).then(|| whole_behind(&bytes, number, offset).next()).flatten();
                let next = next.unwrap_or(bytes.len() as u64);
                pieces.push(Piece::Damage { offset, length: next - offset, fault, torn });
                offset = next;
            }
        }
        is_first = false;
    }
    let missing = length - bytes.len() as u64;
    if missing > 0 {
        let fault = Fault::MalformedPayload;
        pieces.push(Piece::Damage { offset: bytes.len() as u64, length: missing, fault, torn: false });
    } else if is_first && pieces.is_empty() {
        let fault = Fault::ShortHeader { available: 0, needed: HEADER_BYTES as u64 };
        pieces.push(Piece::Damage { offset, length: 0, fault, torn: false });
    }
    Ok(Look { pieces, length })
}

/// A file of edits that is written once and whole.
pub(crate) fn encode(magic: Magic, number: u32, edits: &[&[u8]]) -> Bytes {
    let mut buffer = BytesMut::new();
    put_preamble(&mut buffer, magic, number, FORMAT_VERSION);
    for edit in edits {
        let place = Place { log_number: number, offset: buffer.len() as u64 };
        record::encode(&mut buffer, place, Kind::Edit, Sequence::ZERO, 0, |buffer| buffer.extend_from_slice(edit));
    }
    buffer.freeze()
}

/// The payload of the record at `offset`, which is within `bytes`.
fn edit_at(bytes: &Bytes, number: u32, offset: u64) -> Result<Bytes, Fault> {
    let place = Place { log_number: number, offset };
    let (header, head, available) = header_at(bytes, offset)?;
    header.check_length(&head, available)?;
    let start = offset as usize + HEADER_BYTES;
    let payload = bytes.slice(start..start + header.payload_bytes as usize);
    header.check_sum(&head, &payload, place)?;
    match header.body(&payload, place, FORMAT_VERSION)? {
        Body::Edit(payload) => Ok(payload),
        _ => Err(Fault::ImpossibleHeader { what: "a record of the log in a manifest" }),
    }
}

fn header_at(bytes: &Bytes, offset: u64) -> Result<(Header, [u8; HEADER_BYTES], u64), Fault> {
    let rest = &bytes[offset as usize..];
    let Some(head) = rest.first_chunk::<HEADER_BYTES>() else {
        return Err(Fault::ShortHeader { available: rest.len() as u64, needed: HEADER_BYTES as u64 });
    };
    Ok((Header::read(head), *head, (rest.len() - HEADER_BYTES) as u64))
}

/// Whether a whole record behind `offset` knows that the bytes there were synced.
fn proven(bytes: &Bytes, number: u32, offset: u64) -> bool {
    let synced = |at| header_at(bytes, at).is_ok_and(|(header, _, _)| header.synced_offset > offset);
    whole_behind(bytes, number, offset).any(synced)
}

/// The places behind `offset` where whole records begin.
fn whole_behind(bytes: &Bytes, number: u32, offset: u64) -> impl Iterator<Item = u64> {
    let candidates = offset + 1..(bytes.len() as u64).saturating_sub(HEADER_BYTES as u64 - 1);
    candidates.filter(move |candidate| {
        let place = Place { log_number: number, offset: *candidate };
        let plausible =
            header_at(bytes, *candidate).is_ok_and(|(header, _, available)| header.is_plausible(place, available));
        plausible && edit_at(bytes, number, *candidate).is_ok()
    })
}
