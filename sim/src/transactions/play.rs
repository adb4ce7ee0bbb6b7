//! Life after life of one seed, in the solo world; at last everything is read.
//!
//! ```text
//!   open ─▶ clients, upkeep (flush, compact) ─▶ closed │ killed, power lost: whoever commits then is unknown
//!        ─▶ open (recovery) ─▶ ...
//!        ─▶ open ─▶ every key in one transaction, every key by itself ─▶ history
//! ```

use std::path::Path;
use std::sync::Arc;

use engine::world::{Clock, Rng, TaskHandle, Tasks, World};
use engine::{Db, Options};

use super::client::{Client, turns};
use super::layout::{Layout, Place, Unread};
use super::plan::{End, Life, Plan};
use super::record::{Ended, Record, Seen, Tally};
use crate::crash::caught;
use crate::history::transactions::{TransactionHistory, TransactionModel};
use crate::world::{DiskSettings, SoloMachine, SoloWorld, Survival};

const DIRECTORY: &str = "/node";

/// What was played.
pub(super) struct Played {
    pub(super) history: TransactionHistory,
    pub(super) tally: Tally,
    pub(super) failure: Option<String>,
}

/// Plays a plan to its end, or until something goes wrong.
pub(super) fn play(plan: &Plan) -> Played {
    let record = Record::default();
    let plan = Arc::new(plan.clone());
    let played = caught(|| play_lives(&plan, &record));
    record.died();
    let failure = match played {
        Ok(Ok(())) => None,
        Ok(Err(message)) | Err(message) => Some(message),
    };
    let (history, tally) = record.take();
    Played { history, tally, failure }
}

fn play_lives(plan: &Arc<Plan>, record: &Record) -> Result<(), String> {
    let machine = SoloMachine::new(DiskSettings::default(), plan.seed).with_polls_of(plan.poll_nanos);
    for (number, life) in plan.lives.iter().enumerate() {
        let seed = plan.seed.wrapping_mul(31).wrapping_add(number as u64);
        let lived = machine.run(seed, |world| live(world, Arc::clone(plan), number, record.clone()));
        record.died();
        lived.map_err(|message| format!("in life {}: {message}", number + 1))?;
        if matches!(life.end, End::PowerLost(_)) {
            machine.power_loss(Survival::Random);
        }
    }
    let seed = plan.seed.wrapping_mul(31).wrapping_add(plan.lives.len() as u64);
    machine.run(seed, |world| read_all(world, Arc::clone(plan), record.clone()))
}

async fn live(world: SoloWorld, plan: Arc<Plan>, number: usize, record: Record) -> Result<(), String> {
    let life = &plan.lives[number];
    let opened = Db::open(world.clone(), Path::new(DIRECTORY), life.options.clone()).await;
    let (db, _) = opened.map_err(|error| format!("opening: {error}"))?;
    if number == 0 {
        let beginning = plan.layout.beginning(plan.keys);
        db.write(beginning).await.map_err(|error| format!("at the beginning: {error}"))?;
        db.sync().await.map_err(|error| format!("at the beginning: {error}"))?;
    }
    let rng = world.rng("clients");
    let mut clients = Vec::new();
    for client in 0..life.clients {
        let (world, db, plan) = (world.clone(), db.clone(), Arc::clone(&plan));
        let (record, rng) = (record.clone(), rng.fork(&client.to_string()));
        let process = record.process();
        let client = Client { world: world.clone(), db, plan, record, rng, process };
        clients.push(world.tasks().spawn("client", client.run(life.transactions)));
    }
    world.tasks().spawn("upkeep", keep_up(world.clone(), db.clone(), rng.fork("upkeep")));
    record.allow(match life.end {
        End::Closed => None,
        End::Killed(steps) | End::PowerLost(steps) => Some(steps),
    });
    let all = async {
        for client in clients {
            client.join().await.map_err(|_| "a client was cancelled, which nobody does".to_string())??;
        }
        Ok::<(), String>(())
    };
    tokio::select! {
        biased;
        done = all => done?,
        () = record.enough() => {
            // The end comes at any moment of what others are doing.
            turns(rng.fork("end").below(40)).await;
            return Ok(());
        }
    }
    close(&db, life).await
}

async fn close<W: World>(db: &Db<W>, life: &Life) -> Result<(), String> {
    match life.end {
        End::Closed => db.close().await.map_err(|error| format!("closing: {error}")),
        End::Killed(_) | End::PowerLost(_) => Ok(()),
    }
}

/// Flushes and compacts now and then: old versions and tombstones go as soon as they may.
async fn keep_up<W: World>(world: W, db: Db<W>, mut rng: Rng) {
    loop {
        turns(rng.below(60)).await;
        let clock = world.clock();
        clock.sleep_until(clock.now() + std::time::Duration::from_micros(rng.below(30))).await;
        // A failure is told to whoever works: the engine is closed, or poisoned.
        let kept = match rng.below(3) {
            0 => db.flush().await,
            _ => db.compact().await,
        };
        if kept.is_err() {
            return;
        }
    }
}

/// Reads every key in one transaction, and each in one of its own.
async fn read_all(world: SoloWorld, plan: Arc<Plan>, record: Record) -> Result<(), String> {
    let last = plan.lives.last().expect("a plan has a life");
    let options = Options { snapshot_age_max: None, ..last.options.clone() };
    let opened = Db::open(world.clone(), Path::new(DIRECTORY), options).await;
    let (db, _) = opened.map_err(|error| format!("opening at the end: {error}"))?;
    let process = record.process();
    let mut rng = world.rng("the end");
    let each = (0..plan.keys).map(|key| vec![key]);
    for keys in std::iter::once((0..plan.keys).collect::<Vec<u64>>()).chain(each) {
        let begun = record.begin(process);
        let mut transaction = db.transaction(plan.isolation);
        for key in keys {
            let place = Place { layout: plan.layout, key };
            let object = place.read(&mut transaction, &mut rng).await.map_err(|unread| match unread {
                Unread::Refused(error) => format!("at the end: {error}"),
                Unread::Wrong(wrong) => format!("at the end: {wrong}"),
            })?;
            let is_list = plan.model == TransactionModel::ListAppend;
            let seen =
                if is_list { Seen::List(key, object.values) } else { Seen::Value(key, object.values.last().copied()) };
            record.step(begun, &seen);
        }
        record.commits(begun);
        let committed = transaction.commit().await;
        committed.map_err(|error| format!("at the end, with nobody else there: {error}"))?;
        record.end(begun, Ended::Committed);
    }
    if plan.layout == Layout::Wandering {
        db.compact().await.map_err(|error| format!("compacting at the end: {error}"))?;
    }
    db.close().await.map_err(|error| format!("closing at the end: {error}"))
}
