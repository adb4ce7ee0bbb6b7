//! What a workload relies on, asked of every engine.

use std::path::PathBuf;

use super::*;
use crate::data::key;
use crate::settings::Compression;

const SETTINGS: Settings =
    Settings { cache_bytes: 64 << 20, compression: Compression::Lz4, durability: Durability::None };

fn folder(test: &str, name: Name) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("peers-{}-{test}-{}", std::process::id(), name.text()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn what_was_written_is_read_again_after_reopening() {
    for name in Name::ALL {
        for durability in [Durability::Always, Durability::None] {
            let folder = folder("reopen", name);
            let settings = Settings { durability, ..SETTINGS };
            let engine = name.open(&folder, &settings).unwrap();
            engine.put(&key(1), b"first value").unwrap();
            engine.write_batch(&[(key(2), b"second value".to_vec()), (key(3), b"third value".to_vec())]).unwrap();
            engine.delete(&key(3)).unwrap();
            engine.settle().unwrap();
            engine.put(&key(4), b"fourth value").unwrap();
            engine.close().unwrap();

            let engine = name.open(&folder, &settings).unwrap();
            assert_eq!(engine.get(&key(1)).unwrap(), Some(Seen::of(b"first value")), "{name:?}");
            assert_eq!(engine.get(&key(2)).unwrap(), Some(Seen::of(b"second value")), "{name:?}");
            assert_eq!(engine.get(&key(3)).unwrap(), None, "{name:?}");
            assert_eq!(engine.get(&key(4)).unwrap(), Some(Seen::of(b"fourth value")), "{name:?}");
            engine.close().unwrap();
            std::fs::remove_dir_all(folder).unwrap();
        }
    }
}

#[test]
fn a_scan_visits_keys_in_order_from_where_it_began() {
    for name in Name::ALL {
        let folder = folder("scan", name);
        let engine = name.open(&folder, &SETTINGS).unwrap();
        for number in [5, 3, 9, 7, 1] {
            engine.put(&key(number), &number.to_le_bytes()).unwrap();
        }
        engine.delete(&key(7)).unwrap();
        let mut visited = Vec::new();
        let mut visit = |key: &[u8], value: &[u8]| visited.push((crate::data::number(key).unwrap(), value[0]));
        assert_eq!(engine.scan(&key(2), 2, &mut visit).unwrap(), 2, "{name:?}");
        assert_eq!(engine.scan(&key(5), 9, &mut visit).unwrap(), 2, "{name:?}");
        assert_eq!(visited, [(3, 3), (5, 5), (5, 5), (9, 9)], "{name:?}");
        engine.close().unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }
}
