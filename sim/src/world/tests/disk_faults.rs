//! What a running disk does wrong when it is told to, and that a power loss at a boundary can leave what its image says.

use engine::world::{Access, Disk, DiskErrorKind, File, Rng, TaskHandle, World};

use super::*;

/// Runs `body` as a process on a machine whose disk is in the laboratory's hand; returns what it returns, the machine's
/// faults, and the microseconds it took.
fn on_a_machine<T: Send + 'static>(
    settings: DiskSettings,
    body: impl AsyncFnOnce(NodeWorld, DiskControl) -> T + Send + 'static,
) -> (T, u64, u64) {
    let run = run_sealed(1, async move |laboratory: Laboratory| {
        let node = laboratory.node(N1, NodeSettings { disk: settings, ..NodeSettings::default() });
        let world = node.start(|world| async { world }).join().await.unwrap();
        let before = laboratory.now_micros();
        let value = body(world, node.disk()).await;
        (value, node.counters().disk.faults_injected, laboratory.now_micros() - before)
    });
    run.value
}

fn quick() -> DiskSettings {
    let fixed = Latency::fixed(1);
    DiskSettings { read: fixed, append: fixed, sync: fixed, metadata: fixed, ..DiskSettings::default() }
}

async fn log(world: &NodeWorld, text: &'static str) -> SimulatedFile {
    let file = world.disk().create(path("log")).await.unwrap();
    file.append(vec![frame(text)]).await.unwrap();
    file
}

fn kind<T>(result: Result<T, engine::world::DiskError>) -> DiskErrorKind {
    result.map(|_value| ()).expect_err("it must fail").kind
}

#[test]
fn the_append_that_is_to_fail_fails_and_any_part_of_it_has_landed() {
    let (length, faults, _) = on_a_machine(quick(), async |world, control| {
        control.fail_append_after(1);
        let file = log(&world, "first").await;
        assert_eq!(kind(file.append(vec![frame("second")]).await), DiskErrorKind::InputOutput);
        assert_eq!(kind(file.append(vec![frame("third")]).await), DiskErrorKind::Poisoned);
        let again = world.disk().open(path("log"), Access::Append).await.unwrap();
        again.append(vec![frame("!")]).await.unwrap();
        control.content(path("log")).unwrap().len()
    });
    assert!((6..=12).contains(&length), "{length}");
    assert_eq!(faults, 1);
}

#[test]
fn the_sync_that_is_to_fail_fails_and_its_bytes_are_gone_at_a_power_loss() {
    run_sealed(1, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, NodeSettings::default());
        let world = node.start(|world| async { world }).join().await.unwrap();
        node.disk().fail_sync_after(1);
        let file = log(&world, "kept").await;
        world.disk().sync_dir(path("/")).await.unwrap();
        file.sync().await.unwrap();
        file.append(vec![frame("gone")]).await.unwrap();
        assert_eq!(kind(file.sync().await), DiskErrorKind::InputOutput);
        node.power_loss(Survival::Everything);
        assert_eq!(node.disk().content(path("log")).unwrap(), frame("kept\0\0\0\0"));
    });
}

#[test]
fn appends_and_syncs_fail_at_their_rate() {
    let settings = DiskSettings { append_error_ppm: 200_000, sync_error_ppm: 200_000, ..quick() };
    let (failed, faults, _) = on_a_machine(settings, async |world, _control| {
        drop(world.disk().create(path("log")).await.unwrap());
        let mut failed = 0;
        for _ in 0..200 {
            let file = world.disk().open(path("log"), Access::Append).await.unwrap();
            failed += u64::from(file.append(vec![frame("x")]).await.is_err());
            failed += u64::from(file.sync().await.is_err_and(|error| error.kind == DiskErrorKind::InputOutput));
        }
        failed
    });
    assert!((40..120).contains(&failed) && failed == faults, "{failed} failed, {faults} counted");
}

#[test]
fn a_bit_that_rots_is_read_wrong_and_stays_wrong_after_a_power_loss() {
    run_sealed(1, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, NodeSettings::default());
        let world = node.start(|world| async { world }).join().await.unwrap();
        let file = log(&world, "rot").await;
        file.sync().await.unwrap();
        world.disk().sync_dir(path("/")).await.unwrap();
        assert!(node.disk().rot(path("log"), 1, 0x20));
        assert!(!node.disk().rot(path("log"), 3, 1) && !node.disk().rot(path("none"), 0, 1));
        assert_eq!(file.read_at(0, 9).await.unwrap(), frame("rOt"));
        node.power_loss(Survival::Nothing);
        assert_eq!(node.disk().content(path("log")).unwrap(), frame("rOt"));
    });
}

#[test]
fn a_misdirected_append_lands_elsewhere_and_leaves_zeros_where_it_should_be() {
    let (contents, faults, _) = on_a_machine(quick(), async |world, control| {
        let file = log(&world, "log").await;
        let other = world.disk().create(path("other")).await.unwrap();
        other.append(vec![frame("0123456789")]).await.unwrap();
        assert!(control.misdirect_next_append(path("other"), 7));
        assert_eq!(file.append(vec![frame("AB"), frame("CD")]).await.unwrap(), 3);
        file.append(vec![frame("ok")]).await.unwrap();
        ["log", "other"].map(|name| control.content(path(name)).unwrap())
    });
    assert_eq!(contents, [frame("log\0\0\0\0ok"), frame("0123456ABC")]);
    assert_eq!(faults, 1);
}

#[test]
fn reads_come_short_or_from_another_place_when_told_to() {
    let text = "0123456789abcdefghijklmnopqrstuvwxyz";
    for (settings, is_short) in [
        (DiskSettings { short_read_ppm: 500_000, ..quick() }, true),
        (DiskSettings { misdirected_read_ppm: 500_000, ..quick() }, false),
    ] {
        let (wrong, faults, _) = on_a_machine(settings, async move |world, _control| {
            let file = log(&world, text).await;
            let mut wrong = 0;
            for _ in 0..100 {
                let read = file.read_at(4, 8).await.unwrap();
                assert!(text.contains(std::str::from_utf8(&read).unwrap()));
                assert!(is_short || read.len() == 8);
                wrong += u64::from(read != text[4..12]);
            }
            wrong
        });
        assert!((20..80).contains(&faults) && wrong > 20 && wrong <= faults, "{wrong} wrong, {faults} counted");
    }
}

#[test]
fn transfers_of_a_throttled_disk_wait_for_each_other_and_syncs_wait_for_them() {
    let throttled = DiskSettings { append_bytes_per_second: 1_000_000, read_bytes_per_second: 2_000_000, ..quick() };
    let append_and_sync = async |world: NodeWorld, _control: DiskControl| {
        let (file, big) = (log(&world, "x").await, world.disk().create(path("big")).await.unwrap());
        let bulk = vec![Bytes::from(vec![0; 50_000])];
        let (bulk, small) = tokio::join!(biased; big.append(bulk), async {
            file.append(vec![frame("y")]).await?;
            file.sync().await
        });
        bulk.and(small.map(|()| 0)).unwrap();
        big.read_at(0, 50_000).await.unwrap();
    };
    let (_, _, unlimited) = on_a_machine(quick(), append_and_sync);
    let (_, _, limited) = on_a_machine(throttled, append_and_sync);
    assert!(unlimited < 20, "{unlimited}");
    assert!((75_000..75_020).contains(&limited), "{limited}");
}

#[test]
fn a_stalled_disk_reports_nothing_until_it_is_over() {
    let (_, _, micros) = on_a_machine(quick(), async |world, control| {
        let file = log(&world, "x").await;
        control.stall_micros(5_000);
        file.sync().await.unwrap();
        file.sync().await.unwrap();
    });
    assert!((5_000..5_010).contains(&micros), "{micros}");
}

#[test]
fn a_lying_sync_says_ok_and_keeps_nothing() {
    for (sync_lies, sync_dir_lies) in [(true, false), (false, true)] {
        run_sealed(1, async move |laboratory: Laboratory| {
            let disk = DiskSettings { sync_lies, sync_dir_lies, ..quick() };
            let node = laboratory.node(N1, NodeSettings { disk, ..NodeSettings::default() });
            let world = node.start(|world| async { world }).join().await.unwrap();
            log(&world, "lost").await.sync().await.unwrap();
            world.disk().sync_dir(path("/")).await.unwrap();
            node.power_loss(Survival::Nothing);
            assert_eq!(node.disk().content(path("log")), (!sync_dir_lies).then(|| frame("")));
        });
    }
}

#[test]
fn an_image_survives_as_each_fate_of_its_files_and_names_says() {
    let machine = SoloMachine::new(quick(), 1);
    let count = machine.record();
    machine.run(1, |world| async move {
        let file = world.disk().create(path("log")).await.unwrap();
        file.append(vec![Bytes::from(vec![b'o'; 500])]).await.unwrap();
        file.sync().await.unwrap();
        world.disk().sync_dir(path("/")).await.unwrap();
        file.append(vec![Bytes::from(vec![b'n'; 1_000])]).await.unwrap();
        world.disk().link(path("log"), path("log.2")).await.unwrap();
    });
    let boundaries = machine.take_recording();
    assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), boundaries.len() as u64);
    let operations: Vec<_> = boundaries.iter().map(|boundary| boundary.operation).collect();
    assert_eq!(operations, ["begin", "create", "append", "sync", "sync_dir", "append", "link", "kill"]);
    let image = &boundaries.last().unwrap().image;
    assert_eq!((image.unsynced_names(), image.unsynced_files()), (1, 1));
    let fates = image.fates(1, &mut Rng::from_seed(1)).remove(0);
    assert_eq!(fates[..5], [Fate::Lost, Fate::Kept, Fate::Zeros, Fate::Cut(512), Fate::Cut(1_024)]);
    let found = |fate, name| {
        let survivor = Survivor { names: vec![name], files: vec![fate] };
        let machine = SoloMachine::found(image, &survivor, quick(), 1);
        assert_eq!(machine.content(path("log.2")).is_some(), name);
        let content = machine.content(path("log")).unwrap();
        (content.len(), [b'o', b'n', 0].map(|wanted| content.iter().filter(|byte| **byte == wanted).count()))
    };
    assert_eq!(found(Fate::Lost, false), (500, [500, 0, 0]));
    assert_eq!(found(Fate::Kept, true), (1_500, [500, 1_000, 0]));
    assert_eq!(found(Fate::Zeros, true), (1_500, [500, 0, 1_000]));
    assert_eq!(found(Fate::Cut(512), true), (512, [500, 12, 0]));
    assert_eq!(found(Fate::Hole(1), true), (1_500, [500, 488, 512]));
    assert_eq!(found(Fate::Hole(0), true), (1_500, [500, 988, 12]));
    assert_eq!(found(Fate::Torn(3), true).1[0].max(500), found(Fate::Torn(3), true).1[0], "what was synced is whole");
}
