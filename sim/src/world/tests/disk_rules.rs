//! Rules of the disk strike the calls they are about, as often as they say and no others; disks that are replaced.

use engine::world::{Access, Disk, DiskErrorKind, File, Rng, TaskHandle, World};

use super::*;

const WAL: &str = "wal-00000000000000000001.log";
const TABLE: &str = "table-00000000000000000001.sst";

fn quick() -> NodeSettings {
    let fixed = Latency::fixed(1);
    let disk = DiskSettings { read: fixed, append: fixed, sync: fixed, metadata: fixed, ..DiskSettings::default() };
    NodeSettings { disk, ..NodeSettings::default() }
}

/// Runs `body` as a process on a machine, under a rule; returns what it returns and how many calls the rule struck.
fn under<T: Send + 'static>(
    fault: DiskFault,
    file: Option<FileKind>,
    hit: Hit,
    body: impl AsyncFnOnce(NodeWorld, SimulatedNode) -> T + Send + 'static,
) -> (T, u64) {
    run_sealed(1, async move |laboratory: Laboratory| {
        let node = laboratory.node(N1, quick());
        let world = node.start(|world| async { world }).join().await.unwrap();
        let rule = node.disk().put_up(DiskRule { fault, file, hit }, laboratory.rng("rule"));
        let value = body(world, node.clone()).await;
        (value, node.disk().take_down(rule))
    })
    .value
}

async fn file(world: &NodeWorld, name: &str, text: &'static str) -> SimulatedFile {
    let file = world.disk().create(path(name)).await.unwrap();
    file.append(vec![frame(text)]).await.unwrap();
    file
}

fn failed<T>(result: Result<T, engine::world::DiskError>) -> bool {
    result.is_err_and(|error| error.kind == DiskErrorKind::InputOutput)
}

#[test]
fn the_third_sync_of_a_log_fails_and_syncs_of_tables_do_not() {
    let (syncs, struck) =
        under(DiskFault::SyncError, Some(FileKind::Wal), Hit::Nth { number: 3 }, async |world, node| {
            let (log, table) = (file(&world, WAL, "a").await, file(&world, TABLE, "b").await);
            let mut failures = Vec::new();
            for call in 1..=3 {
                table.sync().await.unwrap();
                log.append(vec![frame("!")]).await.unwrap();
                if failed(log.sync().await) {
                    failures.push(call);
                }
            }
            world.disk().sync_dir(path("/")).await.unwrap();
            node.power_loss(Survival::Everything);
            (failures, node.disk().content(path(WAL)).unwrap())
        });
    assert_eq!(syncs, (vec![3], frame("a!!\0")), "the failed page is clean, and gone");
    assert_eq!(struck, 1);
}

#[test]
fn reads_fail_come_short_or_from_elsewhere_at_the_share_that_was_asked_for() {
    for fault in [DiskFault::ReadError, DiskFault::ShortRead, DiskFault::MisdirectedRead] {
        let hit = Hit::Share { ppm: 300_000 };
        let (wrong, struck) = under(fault, Some(FileKind::Table), hit, async |world, _node| {
            let text = "0123456789abcdefghijklmnopqrstuvwxyz";
            let (table, log) = (file(&world, TABLE, text).await, file(&world, WAL, text).await);
            let mut wrong = 0;
            for _ in 0..100 {
                assert_eq!(log.read_at(4, 8).await.unwrap(), text[4..12]);
                wrong += u64::from(table.read_at(4, 8).await.map_or(true, |read| read != text[4..12]));
            }
            wrong
        });
        assert!((15..50).contains(&struck) && wrong <= struck && wrong > 10, "{fault:?}: {wrong} of {struck}");
    }
}

#[test]
fn a_lost_write_reads_back_as_zeros_and_a_misdirected_one_is_over_another_file_of_the_kind() {
    let second = "wal-00000000000000000002.log";
    let write = async move |world: NodeWorld, node: SimulatedNode| {
        let (log, _other) = (file(&world, WAL, "").await, file(&world, second, "xxxxxxxxxxxx").await);
        assert_eq!(log.append(vec![frame("lost")]).await.unwrap(), 0);
        log.append(vec![frame("kept")]).await.unwrap();
        [WAL, second].map(|name| node.disk().content(path(name)).unwrap())
    };
    // The first append of each file is counted as well.
    let ([log, other], struck) = under(DiskFault::LostWrite, Some(FileKind::Wal), Hit::Nth { number: 3 }, write);
    assert_eq!((log, other, struck), (frame("\0\0\0\0kept"), frame("xxxxxxxxxxxx"), 1));
    let ([log, other], struck) = under(DiskFault::MisdirectedWrite, Some(FileKind::Wal), Hit::Nth { number: 3 }, write);
    assert_eq!((log, struck), (frame("\0\0\0\0kept"), 1));
    assert!(other.len() == 12 && other.contains(&b'l'), "{other:?}");
}

#[test]
fn appends_fail_only_in_the_files_they_are_to_fail_in() {
    let (failures, struck) = under(DiskFault::AppendError, Some(FileKind::Table), Hit::All, async |world, _node| {
        file(&world, WAL, "fine").await;
        let table = world.disk().create(path(TABLE)).await.unwrap();
        failed(table.append(vec![frame("not fine")]).await)
    });
    assert!(failures);
    assert_eq!(struck, 1);
}

#[test]
fn syncs_of_files_and_of_folders_lie_when_told_to() {
    for (fault, kind, kept) in [
        (DiskFault::LyingSync, Some(FileKind::Wal), Some(frame(""))),
        (DiskFault::LyingSync, Some(FileKind::Table), Some(frame("text"))),
        (DiskFault::LyingSyncDir, None, None),
    ] {
        let (found, struck) = under(fault, kind, Hit::All, async |world, node| {
            file(&world, WAL, "text").await.sync().await.unwrap();
            world.disk().sync_dir(path("/")).await.unwrap();
            node.power_loss(Survival::Nothing);
            node.disk().content(path(WAL))
        });
        assert_eq!((&found, struck), (&kept, u64::from(kind != Some(FileKind::Table))));
    }
}

#[test]
fn a_disk_mounted_for_reading_takes_no_change_and_forgets_what_was_not_synced() {
    run_sealed(1, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, quick());
        let world = node.start(|world| async { world }).join().await.unwrap();
        let (log, clean) = (file(&world, WAL, "kept").await, file(&world, TABLE, "clean").await);
        for synced in [&log, &clean] {
            synced.sync().await.unwrap();
        }
        world.disk().sync_dir(path("/")).await.unwrap();
        log.append(vec![frame("gone")]).await.unwrap();
        node.disk().set(DiskSettings { read_only: true, ..node.disk().settings() });
        let denied = |error: engine::world::DiskError| error.kind == DiskErrorKind::PermissionDenied;
        assert!(log.sync().await.is_err_and(denied));
        assert!(world.disk().create(path("new")).await.is_err_and(denied));
        assert!(world.disk().remove(path(TABLE)).await.is_err_and(denied));
        clean.sync().await.unwrap();
        assert_eq!(clean.read_at(0, 9).await.unwrap(), frame("clean"));
        assert_eq!(node.counters().disk.faults_injected, 3);
        node.power_loss(Survival::Everything);
        assert_eq!(node.disk().content(path(WAL)).unwrap(), frame("kept\0\0\0\0"));
    });
}

#[test]
fn rot_flips_one_bit_in_each_of_so_many_bytes_of_a_kind_and_nowhere_else() {
    run_sealed(1, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, quick());
        let world = node.start(|world| async { world }).join().await.unwrap();
        let zeros = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        let (_log, _table) = (file(&world, WAL, zeros).await, file(&world, TABLE, zeros).await);
        let mut rng = Rng::from_seed(3);
        assert_eq!(node.disk().rot_kind(Some(FileKind::Manifest), 2, &mut rng), 0, "there is none");
        assert_eq!(node.disk().rot_kind(Some(FileKind::Table), 1, &mut rng), 1);
        let bits =
            |name: &str| node.disk().content(path(name)).unwrap().iter().map(|byte| byte.count_ones()).sum::<u32>();
        assert_eq!((bits(WAL), bits(TABLE)), (0, 1));
        assert_eq!(node.disk().rot_kind(None, 200, &mut rng), 200);
        assert!(bits(WAL) > 10 && bits(TABLE) > 10, "both kinds rot");
    });
}

#[test]
fn a_disk_comes_back_as_its_copy_was_or_with_nothing_and_no_process_may_be_there() {
    run_sealed(1, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, quick());
        let world = node.start(|world| async { world }).join().await.unwrap();
        let log = file(&world, WAL, "old").await;
        let copy = node.disk().copy();
        log.append(vec![frame(" new")]).await.unwrap();
        file(&world, TABLE, "newer").await;
        node.power_loss(Survival::Everything);
        assert_eq!(node.disk().replace(Some(&copy)), 2, "one is gone, one is older");
        assert_eq!(node.disk().content(path(WAL)).unwrap(), frame("old"));
        assert_eq!(node.disk().content(path(TABLE)), None);
        node.power_loss(Survival::Nothing);
        assert_eq!(node.disk().content(path(WAL)).unwrap(), frame("old"), "all of a copy is durable");
        assert_eq!(node.disk().replace(None), 1);
        let world = node.start(|world| async { world }).join().await.unwrap();
        assert_eq!(world.disk().list(path("/")).await.unwrap(), []);
        assert!(world.disk().open(path(WAL), Access::Read).await.is_err());
    });
}

#[test]
#[should_panic(expected = "is replaced while a process runs")]
fn nobody_pulls_a_disk_from_under_a_process() {
    run_sealed(1, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, quick());
        let _world = node.start(|world| async { world }).join().await.unwrap();
        node.disk().replace(None);
    });
}
