//! The marker file, `STORMGLASS`: three lines that say whose folder this is and in which format.
//!
//! ```text
//!   stormglass data directory
//!   format 1
//!   checksum 1c2d3e4f          of the lines above, so that a damaged version is not taken for a newer one
//! ```
//!
//! It is text because the first program to read it is often `cat`.

use super::checksum::Checksum;

/// The format of the data directory that this program writes, and the newest that it reads.
pub(crate) const FORMAT_VERSION: u32 = 1;

const FIRST_LINE: &str = "stormglass data directory";

/// The marker is not one that any Stormglass wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged;

/// The content of the marker of a directory in format `version`.
pub(crate) fn encode(version: u32) -> String {
    let lines = format!("{FIRST_LINE}\nformat {version}\n");
    let checksum = checksum(&lines);
    format!("{lines}checksum {checksum:08x}\n")
}

/// The format version that a marker says.
pub(crate) fn decode(content: &[u8]) -> Result<u32, Damaged> {
    let content = std::str::from_utf8(content).map_err(|_| Damaged)?;
    let version = content.lines().nth(1).and_then(|line| line.strip_prefix("format ")).ok_or(Damaged)?;
    let version = version.parse().map_err(|_| Damaged)?;
    if content == encode(version) { Ok(version) } else { Err(Damaged) }
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
