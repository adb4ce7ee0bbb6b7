//! A table of format 1, byte by byte: what was written once must be read for ever.
//!
//! `UPDATE_TESTDATA=1` rewrites the file, which is right only before a format is in anybody's hands. A new format gets a
//! file of its own; this one stays.

use super::*;
use crate::cost::ReadCost;
use crate::format::entry::key_hash;

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/table_v1.hex")
}

fn entries() -> Vec<Owned> {
    let entry = |key: &str, sequence, value: Option<&str>, expires_micros| Owned {
        key: [&[0, 1], key.as_bytes()].concat(),
        sequence,
        value: value.map(|value| value.as_bytes().to_vec()),
        expires_micros,
    };
    let mut entries = vec![
        entry("glass", 9, Some("clear"), 0),
        entry("glass", 4, None, 0),
        entry("glass", 2, Some("cloudy"), 1_700_000_000_000_000),
        entry("rain", 1, Some(""), 0),
    ];
    entries.extend((0..12).map(|day| entry(&format!("storm {day:02}"), 20 + day, Some("a low over the sea"), 0)));
    entries
}

async fn built() -> (MemoryFile, Properties) {
    let options = TableOptions { block_bytes: 256, compression: Compression::None, filter_millibits_per_key: 10_000 };
    build(options, &entries(), &[range("\0\x01storm 03", "\0\x01storm 05", 40)]).await
}

fn read_golden() -> String {
    std::fs::read_to_string(golden()).expect("testdata can be read")
}

fn hexadecimal(bytes: &[u8]) -> String {
    let row = |(row, chunk): (usize, &[u8])| {
        let hex: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        let ascii: String = chunk.iter().map(shown).collect();
        format!("{:04x}  {:<47}  {ascii}\n", row * 16, hex.join(" "))
    };
    bytes.chunks(16).enumerate().map(row).collect()
}

fn bytes_of(text: &str) -> Vec<u8> {
    let line = |line: &str| -> Vec<u8> {
        let hex = line.get(6..53).unwrap_or_default();
        hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("two digits")).collect()
    };
    text.lines().flat_map(line).collect()
}

#[test]
fn a_table_is_written_as_it_was_when_the_format_was_fixed() {
    let (file, _) = run(built());
    let text = hexadecimal(&file.bytes());
    if std::env::var_os("UPDATE_TESTDATA").is_some() {
        std::fs::write(golden(), &text).expect("testdata can be written");
    }
    assert!(text == read_golden(), "the format is not that of {}:\n{text}", golden().display());
}

#[test]
fn a_table_of_format_1_is_read() {
    run(async {
        let table = open(&MemoryFile::of(&bytes_of(&read_golden())), &cache()).await.expect("a whole table");
        let mut read = Vec::new();
        table.verify(|entry| read.push(Owned::of(entry))).await.expect("a whole table");
        assert_eq!(read, entries());
        for entry in entries() {
            let (hash, at) = (key_hash(&entry.key), Sequence(entry.sequence));
            let found = table.get(&entry.key, hash, at, &mut ReadCost::default()).await.expect("a whole table");
            assert_eq!(found.expect("it is there").value.as_deref(), entry.value.as_deref());
        }
        assert_eq!(table.range_tombstones(), [range("\0\x01storm 03", "\0\x01storm 05", 40)]);
        assert_eq!(table.properties(), &built().await.1);
    });
}
