//! The engine on the real disk: that the two worlds agree on what the others of these tests rely on.

use engine::world::real::RealWorld;
use engine::{Db, Direction, Durability, Error, IterateOptions, Options, Sequence, all_keys};

use crate::support::{key_of, value_of};

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test)
}

#[test]
fn what_was_written_is_there_after_closing_and_after_a_torn_write() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = folder.path().join("node");
        let options = Options { segment_bytes: 4096, ..Options::default() };
        let (db, recovery) = Db::open(RealWorld::new(), &directory, options.clone()).await.expect("an engine");
        assert_eq!(recovery.sequence, Sequence::ZERO);
        let in_use = Db::open(RealWorld::new(), &directory, options.clone()).await;
        assert!(matches!(in_use, Err(Error::InUse { .. })));
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let db = db.clone();
                tokio::spawn(async move {
                    for index in (writer * 25)..(writer + 1) * 25 {
                        db.put(key_of(index), value_of(index)).await.expect("a write");
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.expect("a writer");
        }
        assert!(db.statistics().wal_segments > 2, "the log did not rotate");
        db.close().await.expect("closing");

        let (db, recovery) = Db::open(RealWorld::new(), &directory, options.clone()).await.expect("reopening");
        assert!(recovery.closed_cleanly && recovery.sequence == Sequence(200));
        db.put("last", "write").await.expect("a write");
        db.close().await.expect("closing");

        let mut names: Vec<_> = std::fs::read_dir(&directory).expect("a listing").flatten().map(|e| e.path()).collect();
        names.sort();
        let last = names.iter().rfind(|path| path.extension().is_some_and(|extension| extension == "log"));
        let last = last.expect("a segment");
        let whole = std::fs::read(last).expect("a segment");
        // Through the seal and into the last write.
        std::fs::write(last, &whole[..whole.len() - 40]).expect("a torn segment");
        let (db, recovery) = Db::open(RealWorld::new(), &directory, options).await.expect("a torn tail opens");
        let torn = recovery.torn_tail.expect("a torn tail");
        let kept = std::fs::read(torn.kept_in.expect("it is kept")).expect("a tail");
        assert_eq!(kept, whole[torn.offset as usize..whole.len() - 40]);
        for index in 0..200 {
            let found = db.get(&key_of(index)).await.expect("a read").expect("a value");
            assert_eq!(found.value, value_of(index));
        }
        assert_eq!(db.get(b"last").await.expect("a read"), None);
    });
}

#[test]
fn an_ordered_read_that_shall_not_fill_the_cache_leaves_it_alone() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options { durability: Durability::None, ..Options::default() };
        let (db, _) = Db::open(RealWorld::new(), &folder.path().join("node"), options).await.expect("an engine");
        for index in 0..2_000 {
            db.put(key_of(index), value_of(index)).await.expect("a write");
        }
        db.flush().await.expect("a table");
        let resident = || db.statistics().cache.resident_blocks;
        let before = resident();
        for (fill_cache, readahead_bytes) in [(false, 0), (false, 64 * 1024), (true, 64 * 1024)] {
            for direction in [Direction::Forward, Direction::Backward] {
                let how = IterateOptions { fill_cache, readahead_bytes };
                let mut rows = db.iterate_with(all_keys(), direction, &db.snapshot(), how).expect("an iteration");
                let mut count = 0;
                while rows.next().await.expect("a row").is_some() {
                    count += 1;
                }
                assert_eq!(count, 2_000, "{direction:?} {how:?}");
                assert_eq!(resident() > before, fill_cache, "{direction:?} {how:?}");
            }
        }
        db.close().await.expect("closing");
    });
}
