//! The power fails at any moment of a store's life: nothing acknowledged is lost, nothing deleted is back, nothing
//! is half there.
//!
//! A child works on a store under strace and is killed at work, three times on the same directory, so that recovery is part
//! of what is seen, and what a kill leaves unsynced is what the next process finds. From the trace, index included, the disk is rebuilt as a cut at any call could have left it
//! (module `disk`), the store is opened on it, and compared with what the child had been told until then.
//!
//! ```text
//! cargo test -p spool --test power_cut -- --ignored
//! SPOOL_POWER_CUTS=100000 SPOOL_POWER_SEED=7 cargo test --release -p spool --test power_cut -- --ignored
//! ```
//! With `SPOOL_POWER_TRACES` naming an empty directory the traces are kept there, and used again the next time: with
//! the same traces the same cut leaves the same disk.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod disk;
mod trace;

use std::collections::BTreeMap;
use std::env;
use std::io::{self, Write};
use std::ops::Range;
use std::panic::{catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use disk::{Disk, Survival};
use spool::{Batch, BodyId, DiskCall, EmbeddedSpool, Options, Space, Spool, block_on};
use tempfile::TempDir;
use trace::{Event, Tracer};

const A: Space = Space(1);
const DIRECTORY: &str = "SPOOL_POWER_DIRECTORY";
const ROUND: &str = "SPOOL_POWER_ROUND";
const ROUNDS: u32 = 3;
const THREADS: u32 = 2;
const EACH: u8 = 24;
/// Ways in which what is not certain may survive; the first ones are the extremes.
const WAYS: usize = 12;
/// Cuts tried if nothing else is said.
const CUTS: usize = 3000;

fn options() -> Options {
    // Small, so that files come and go, the index is flushed and names are set aside many times.
    Options {
        inline_limit: 2000,
        segment_size: 12_000,
        reserve_bytes: 0,
        index_memtable_bytes: 4 << 10,
        body_id_step: 10,
        ..Options::default()
    }
}

fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Round, thread and number.
type Key = [u8; 3];

fn body_of(key: Key) -> Vec<u8> {
    let number = usize::from(key[2]) + usize::from(key[1]);
    let len = [0, 100, 700, 1500, 1900, 5000, 600][number % 7];
    key.iter().copied().cycle().take(len).collect()
}

fn tell(what: &str, key: Key) {
    let line = format!("{what} {} {} {}\n", key[0], key[1], key[2]);
    io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

#[test]
#[ignore = "the part of the child in `whenever_the_power_fails`"]
fn child() {
    let (Ok(directory), Ok(round)) = (env::var(DIRECTORY), env::var(ROUND)) else { return };
    let round: u8 = round.parse().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let judge = {
        let over = Arc::clone(&over);
        move |call: DiskCall, _: &Path| {
            if call == DiskCall::Sync && over.load(Ordering::Relaxed) {
                // Without closing the store, as if it were killed: what it has written is in the memory of the system,
                // where the next process finds it, and not on the disk.
                process::abort();
            }
            None
        }
    };
    let spool = EmbeddedSpool::open_judged(directory, options(), Arc::new(judge)).unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let spool = &spool;
            scope.spawn(move || work(spool, round, u8::try_from(thread).unwrap(), 0..EACH));
        }
    });
    over.store(true, Ordering::Relaxed);
    work(&spool, round, 0, EACH..EACH + 1);
}

fn work(spool: &EmbeddedSpool, round: u8, thread: u8, numbers: Range<u8>) {
    let mut kept = Vec::new();
    for number in numbers {
        let key = [round, thread, number];
        let mut writer = spool.begin_body().unwrap();
        writer.write(&body_of(key)).unwrap();
        let mut batch = Batch::default();
        let body = batch.link_body(writer.finish().unwrap());
        // The record is longer than a page, so that a batch of the index may lose its middle.
        batch.assert_absent(A, key).put(A, key, record(body, key));
        tell("storing", key);
        spool.commit(batch).wait().unwrap();
        tell("stored", key);
        kept.push((key, body));
        if number % 4 != 0 && kept.len() > 4 {
            let (key, body) = kept.remove(0);
            let mut batch = Batch::default();
            batch.assert_present(A, key).delete(A, key).release(body);
            tell("deleting", key);
            spool.commit(batch).wait().unwrap();
            tell("deleted", key);
        }
    }
}

fn record(body: BodyId, key: Key) -> Vec<u8> {
    let mut record = body.0.to_be_bytes().to_vec();
    record.resize(if key[2].is_multiple_of(5) { 6000 } else { 60 }, key[2]);
    record
}

/// What the child had heard of each key.
type Told = BTreeMap<Key, String>;

fn hear(told: &mut Told, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    if let [what @ ("storing" | "stored" | "deleting" | "deleted"), a, b, c] = words[..] {
        told.insert([a, b, c].map(|number| number.parse().unwrap()), what.to_owned());
    }
}

#[test]
#[ignore = "needs strace"]
fn whenever_the_power_fails() {
    let number = |name, default| {
        env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text}")))
    };
    let (cuts, seed) = (number("SPOOL_POWER_CUTS", CUTS), number("SPOOL_POWER_SEED", 1));
    let temporary = directory();
    let kept = env::var_os("SPOOL_POWER_TRACES").map(PathBuf::from);
    let work = kept.as_deref().unwrap_or(temporary.path());
    let root = work.join("spool");
    let mut tracer = Tracer::new(work);
    for round in 0..ROUNDS {
        let trace = work.join(format!("trace-{round}"));
        if trace.exists() {
            tracer.read(&trace);
            continue;
        }
        let output = Command::new("strace")
            .args(["-f", "-y", "-xx", "-s", "10000000", "-o"])
            .arg(&trace)
            .args(["-e", trace::CALLS])
            .arg(env::current_exe().unwrap())
            .args(["child", "--exact", "--ignored", "--nocapture"])
            .env(DIRECTORY, &root)
            .env(ROUND, round.to_string())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = format!("stored {round} 0 {}", EACH - 1);
        assert!(said.contains(&last), "round {round} ended early: {said}");
        tracer.read(&trace);
    }
    let events = tracer.events();
    let calls = events.len();
    println!("{calls} calls, {cuts} cuts, seed {seed}");
    assert!(calls > 500, "the trace shows too little");
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        // A cut is mostly threads that wait for one another.
        for _ in 0..4 * thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let cut = next.fetch_add(1, Ordering::Relaxed);
                    if cut >= cuts {
                        return;
                    }
                    // Far from one to the next, so that any number of cuts has them everywhere, in all ways.
                    let chosen = (cut + seed * 1_000_003).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
                    let (at, way) = (chosen % calls + 1, (chosen >> 24) % WAYS);
                    try_cut(events, work, at, way, cut.is_multiple_of(16));
                }
            });
        }
    });
}

/// Cuts the power after the first `at` calls; `way` decides what of the unsynced survives.
fn try_cut(events: &[Event], base: &Path, at: usize, way: usize, goes_on: bool) {
    let context = format!("cut after call {at}, way {way}");
    let mut disk = Disk::new(base);
    let mut told = Told::new();
    for event in events.iter().take(at) {
        match event {
            Event::Said(line) => hear(&mut told, line),
            Event::Call(call) => disk.call(call),
        }
    }
    let target = directory();
    disk.rebuild(target.path(), &mut Survival::new(at, way));
    let judged = catch_unwind(|| judge(&target.path().join("spool"), &told, &context, goes_on));
    if let Err(panic) = judged {
        let kept = directory().keep();
        disk.rebuild(&kept, &mut Survival::new(at, way));
        println!("{context}: the disk as the cut left it is in {}", kept.display());
        resume_unwind(panic);
    }
}

fn judge(root: &Path, told: &Told, context: &str, goes_on: bool) {
    let open = || EmbeddedSpool::open(root, options()).unwrap_or_else(|error| panic!("{context}: {error}"));
    let mut spool = open();
    let mut keys = check(&spool, told, context);
    if !goes_on {
        return;
    }
    // What came back goes on: it can be written, and read once more.
    let mut told = told.clone();
    told.retain(|key, _| keys.contains(key));
    told.values_mut().for_each(|last| *last = "stored".to_owned());
    let key = [200, 0, 5];
    let mut writer = spool.begin_body().unwrap();
    writer.write(&body_of(key)).unwrap();
    let mut batch = Batch::default();
    let body = batch.link_body(writer.finish().unwrap());
    batch.put(A, key, record(body, key));
    spool.commit(batch).wait().unwrap_or_else(|error| panic!("{context}: {error}"));
    told.insert(key, "stored".to_owned());
    keys.push(key);
    spool.close();
    spool = open();
    let again = check(&spool, &told, context);
    assert_eq!(again, keys, "{context}: a second opening finds the same");
}

/// Compares a store with what was told; returns the keys it holds.
fn check(spool: &EmbeddedSpool, told: &Told, context: &str) -> Vec<Key> {
    let records = block_on(spool.scan(A, b"", None, usize::MAX)).unwrap();
    let mut keys = Vec::new();
    for (key, value) in &records {
        let key = Key::try_from(&key[..]).expect("a key is whole");
        let body = BodyId(u64::from_be_bytes(value[..8].try_into().unwrap()));
        assert_eq!(*value, record(body, key), "{context}: the record of {key:?}");
        let found = block_on(spool.read_body(body, 0, usize::MAX));
        assert!(
            found.as_ref().is_ok_and(|octets| *octets == body_of(key)),
            "{context}: body {body} of {key:?} ({:?}): {found:?}",
            told.get(&key)
        );
        keys.push(key);
    }
    for (key, last) in told {
        match last.as_str() {
            "stored" => assert!(keys.contains(key), "{context}: {key:?} was acknowledged and is lost"),
            "deleted" => assert!(!keys.contains(key), "{context}: {key:?} was deleted and is back"),
            _ => {}
        }
    }
    let unknown: Vec<&Key> = keys.iter().filter(|key| !told.contains_key(*key)).collect();
    assert_eq!(unknown, Vec::<&Key>::new(), "{context}: never stored");
    let stats = spool.stats();
    assert_eq!(stats.bodies, keys.len() as u64, "{context}: a body without record, or a record without body");
    assert_eq!((stats.bodies_damaged, stats.last_error), (0, None), "{context}");
    keys
}
