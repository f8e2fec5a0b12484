//! A process that works on a store is killed at a random moment; the store must still keep every promise.
//!
//! The test runs itself as a child: [`child`] stores, keeps and deletes with several threads and tells what it is
//! about to do and what was acknowledged, one line each. The parent kills it after a random number of lines and
//! judges the store by what it was told.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::env;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use spool::{Batch, BodyId, EmbeddedSpool, LastStop, Options, Space, Spool, block_on};

const A: Space = Space(1);
const DIRECTORY: &str = "SPOOL_KILL_DIRECTORY";
const ROUND: &str = "SPOOL_KILL_ROUND";
const ROUNDS: u32 = 5;
const THREADS: u32 = 6;
/// Bound on the child's work, should nobody kill it.
const EACH: u32 = 20_000;

fn options() -> Options {
    // Small segments, so that files come and go all the time.
    Options { inline_limit: 8000, segment_size: 100_000, reserve_bytes: 0, ..Options::default() }
}

/// The body that belongs to a key; some are large enough for a file of their own.
fn body_of(key: &[u8; 12]) -> Vec<u8> {
    let number =
        key.iter().fold(0_usize, |sum, octet| sum.wrapping_mul(31).wrapping_add(usize::from(*octet)));
    let len = if number.is_multiple_of(29) { 20_000 } else { number % 3000 };
    key.iter().copied().cycle().take(len).collect()
}

fn key_of(round: u32, thread: u32, number: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&round.to_be_bytes());
    key[4..8].copy_from_slice(&thread.to_be_bytes());
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

fn hex(key: &[u8]) -> String {
    key.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn tell(what: &str, key: &[u8; 12]) {
    // One write per line: a line is there wholly or not at all.
    let line = format!("{what} {}\n", hex(key));
    io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

/// Reads the body of a key; the record names it.
fn check_record(spool: &EmbeddedSpool, key: &[u8], value: &[u8]) {
    let body = BodyId(u64::from_be_bytes(value.try_into().expect("a record is whole")));
    let expected = body_of(key.try_into().expect("a key is whole"));
    let found = block_on(spool.read_body(body, 0, usize::MAX));
    assert!(found.as_ref().is_ok_and(|octets| *octets == expected), "body of {}: {found:?}", hex(key));
}

#[test]
#[ignore = "the part of the child in `killed_at_any_moment`"]
fn child() {
    let (Ok(directory), Ok(round)) = (env::var(DIRECTORY), env::var(ROUND)) else { return };
    let round: u32 = round.parse().unwrap();
    let spool = EmbeddedSpool::open(directory, options()).unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let spool = &spool;
            scope.spawn(move || work(spool, round, thread));
        }
    });
}

fn work(spool: &EmbeddedSpool, round: u32, thread: u32) {
    for number in 0..EACH {
        let key = key_of(round, thread, number);
        let mut writer = spool.begin_body().unwrap();
        writer.write(&body_of(&key)).unwrap();
        let mut batch = Batch::default();
        let body = batch.link_body(writer.finish().unwrap());
        batch.assert_absent(A, key).put(A, key, body.0.to_be_bytes());
        tell("storing", &key);
        spool.commit(batch).wait().unwrap();
        tell("stored", &key);
        // Two of three go again, so that segments empty.
        if number % 3 != 0 {
            let mut batch = Batch::default();
            batch.assert_present(A, key).delete(A, key).release(body);
            tell("deleting", &key);
            spool.commit(batch).wait().unwrap();
            tell("deleted", &key);
        }
    }
}

/// The last thing that was told of a key.
type Told = BTreeMap<String, String>;

#[test]
fn killed_at_any_moment() {
    let directory = tempfile::tempdir().unwrap();
    let mut told = Told::new();
    for round in 0..ROUNDS {
        let lines = 100 + RandomState::new().hash_one(round) % 4000;
        run_and_kill(directory.path(), round, lines, &mut told);
        let context = format!("round {round}, killed after {lines} lines");
        judge(directory.path(), &mut told, &context);
    }
    let stored = told.values().filter(|last| *last == "stored").count();
    assert!(stored > 50, "the rounds did too little to judge anything: {stored}");
}

fn run_and_kill(directory: &Path, round: u32, lines: u64, told: &mut Told) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["child", "--exact", "--ignored", "--nocapture", "--quiet"])
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut heard = 0;
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 {
        let words: Vec<&str> = line.split_whitespace().collect();
        // The test runner of the child says things of its own, and the last line may be cut.
        if let [what @ ("storing" | "stored" | "deleting" | "deleted"), key] = words[..]
            && key.len() == 24
            && line.ends_with('\n')
        {
            told.insert(key.to_owned(), what.to_owned());
            heard += 1;
            if heard == lines {
                // SIGKILL. What the child said before is still in the pipe.
                child.kill().unwrap();
            }
        }
        line.clear();
    }
    let status = child.wait().unwrap();
    assert!(heard >= lines && !status.success(), "the child ended by itself after {heard} lines: {status}");
}

/// Compares the store with what was told, and settles what was left open: it must not change any more.
fn judge(directory: &Path, told: &mut Told, context: &str) {
    let spool = EmbeddedSpool::open(directory, options()).unwrap();
    assert_eq!(spool.last_stop(), LastStop::Disorderly, "{context}");
    let records = block_on(spool.scan(A, b"", None, usize::MAX)).unwrap();
    let found: BTreeMap<String, (Vec<u8>, Vec<u8>)> =
        records.into_iter().map(|(key, value)| (hex(&key), (key, value))).collect();
    for (key, last) in told.iter_mut() {
        match last.as_str() {
            "stored" => assert!(found.contains_key(key), "{context}: {key} was acknowledged and is lost"),
            "deleted" => assert!(!found.contains_key(key), "{context}: {key} was deleted and is back"),
            // Nobody was promised anything, up to now.
            _ if found.contains_key(key) => *last = "stored".to_owned(),
            _ => *last = "deleted".to_owned(),
        }
    }
    for (key, (raw, value)) in &found {
        assert!(told.contains_key(key), "{context}: {key} was never stored");
        check_record(&spool, raw, value);
    }
    let stats = spool.stats();
    assert_eq!(
        stats.bodies,
        found.len() as u64,
        "{context}: a body without record, or a record without body"
    );
    assert_eq!((stats.bodies_damaged, stats.last_error), (0, None), "{context}");
    spool.close();
}
