//! Nothing is acknowledged before it is forced to the disk, as the system calls tell. What counts is the segments: they
//! are the log, from which the index gets again what its journal lacks.
//!
//! A killed process does not lose what the system has in its cache, so only the order of calls shows whether a
//! power failure would. The test runs its child under strace, which not every machine has: it is ignored unless
//! asked for (`cargo test -p spool --test sync_order -- --ignored`).

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::{self, Write};
use std::process::Command;

use spool::{Batch, EmbeddedSpool, Options, Space, Spool};

const DIRECTORY: &str = "SPOOL_SYNC_DIRECTORY";
const ACKNOWLEDGED: &str = "acknowledged";
const MESSAGES: usize = 40;

#[test]
#[ignore = "the part of the child in `acknowledged_means_synced`"]
fn child() {
    let Ok(directory) = env::var(DIRECTORY) else { return };
    let options = Options { inline_limit: 10_000, segment_size: 50_000, ..Options::default() };
    let spool = EmbeddedSpool::open(directory, options).unwrap();
    for number in 0..MESSAGES {
        let len = [0, 100, 9000, 70_000][number % 4];
        let mut writer = spool.begin_body().unwrap();
        writer.write(&vec![1; len]).unwrap();
        let mut batch = Batch::default();
        let body = batch.link_body(writer.finish().unwrap());
        batch.put(Space(1), number.to_be_bytes(), b"");
        spool.commit(batch).wait().unwrap();
        acknowledge();
        let mut batch = Batch::default();
        batch.delete(Space(1), number.to_be_bytes()).release(body);
        spool.commit(batch).wait().unwrap();
        acknowledge();
    }
}

fn acknowledge() {
    io::stdout().lock().write_all(format!("{ACKNOWLEDGED}\n").as_bytes()).unwrap();
}

#[test]
#[ignore = "needs strace"]
fn acknowledged_means_synced() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let output = Command::new("strace")
        .args(["-f", "-y", "-s", "16", "-e", "trace=openat,write,writev,pwrite64,fsync,fdatasync", "-o"])
        .arg(&trace)
        .arg(env::current_exe().unwrap())
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory.path().join("spool"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut judge = Judge::default();
    for line in fs::read_to_string(&trace).unwrap().lines() {
        judge.see(line);
    }
    assert_eq!(judge.acknowledged, 2 * MESSAGES);
    assert!(judge.written.iter().any(|path| path.ends_with(".jnl")), "the trace shows no index");
    assert!(
        judge.written.iter().filter(|path| path.ends_with(".seg")).count() > 5,
        "the trace shows few segments"
    );
}

/// Follows which files hold what is not on the disk.
#[derive(Default)]
struct Judge {
    dirty: BTreeSet<String>,
    written: BTreeSet<String>,
    /// Syncs under way, by thread.
    syncing: BTreeMap<String, String>,
    acknowledged: usize,
}

impl Judge {
    fn see(&mut self, line: &str) {
        let Some((thread, call)) = line.split_once(' ') else { return };
        let call = call.trim_start();
        if call.contains(ACKNOWLEDGED) && call.starts_with("write") {
            assert!(self.dirty.is_empty(), "acknowledged before {:?} were synced: {line}", self.dirty);
            self.acknowledged += 1;
        } else if call.starts_with("<... f") && call.contains("sync resumed") {
            if let Some(path) = self.syncing.remove(thread)
                && call.ends_with("= 0")
            {
                self.dirty.remove(&path);
            }
        } else if call.starts_with("openat(") && call.contains("O_CREAT") && call.contains(".seg>") {
            self.dirty.insert(path_of(call).rsplit_once('/').unwrap().0.to_owned());
        } else if call.starts_with("write") || call.starts_with("pwrite") {
            let path = path_of(call);
            if path.ends_with(".seg") {
                self.dirty.insert(path.clone());
            }
            if path.ends_with(".seg") || path.ends_with(".jnl") {
                self.written.insert(path);
            }
        } else if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            if call.contains("unfinished") {
                self.syncing.insert(thread.to_owned(), path_of(call));
            } else if call.ends_with("= 0") {
                self.dirty.remove(&path_of(call));
            }
        }
    }
}

/// The last file that strace names in a call: what it returns, or what it works on.
fn path_of(call: &str) -> String {
    let from = call.rfind("</").map_or(0, |at| at + 1);
    let to = call.get(from..).and_then(|rest| rest.find('>')).map_or(from, |at| from + at);
    call.get(from..to).unwrap_or_default().to_owned()
}
