//! The marker file, `STORMGLASS`: three lines that say whose folder this is and in which format.
//!
//! ```text
//!   stormglass data directory
//!   format 2
//!   checksum 1c2d3e4f          of the lines above, so that a damaged version is not taken for a newer one
//! ```
//!
//! It is text because the first program to read it is often `cat`.

use super::checksum::Checksum;

/// The format of the data directory that this program writes, and the newest that it reads.
/// Format 1 had a log and no tables; such a directory becomes one of format 2 when it is opened.
pub(crate) const FORMAT_VERSION: u32 = 2;

/// The first line of a data directory's marker.
pub(crate) const DATA: &str = "stormglass data directory";

/// The first line of the marker of a folder of backups.
pub(crate) const BACKUPS: &str = "stormglass backup directory";

/// The marker is not one that any Stormglass wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged;

/// The content of the marker of a data directory in format `version`.
pub(crate) fn encode(version: u32) -> String {
    encode_of(DATA, version)
}

/// The content of a marker whose first line is `whose`.
pub(crate) fn encode_of(whose: &str, version: u32) -> String {
    let lines = format!("{whose}\nformat {version}\n");
    let checksum = checksum(&lines);
    format!("{lines}checksum {checksum:08x}\n")
}

/// The format version that the marker of a data directory says.
pub(crate) fn decode(content: &[u8]) -> Result<u32, Damaged> {
    decode_of(DATA, content)
}

/// The format version that a marker says whose first line must be `whose`.
pub(crate) fn decode_of(whose: &str, content: &[u8]) -> Result<u32, Damaged> {
    let content = std::str::from_utf8(content).map_err(|_| Damaged)?;
    let version = content.lines().nth(1).and_then(|line| line.strip_prefix("format ")).ok_or(Damaged)?;
    let version = version.parse().map_err(|_| Damaged)?;
    if content == encode_of(whose, version) { Ok(version) } else { Err(Damaged) }
}

fn checksum(lines: &str) -> u32 {
    let mut checksum = Checksum::seeded(0, 0);
    checksum.update(lines.as_bytes());
    checksum.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_comes_back_and_every_flip_and_cut_of_it_is_seen() {
        let marker = encode(7).into_bytes();
        assert_eq!(decode(&marker), Ok(7));
        for index in 0..marker.len() {
            let mut flipped = marker.clone();
            flipped[index] ^= 1;
            assert_eq!(decode(&flipped), Err(Damaged), "byte {index}");
            assert_eq!(decode(&marker[..index]), Err(Damaged), "cut at {index}");
        }
    }
}
