//! `chappe check`: what it says of a data directory, and what repairing leaves.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use agent::record::{
    MAILBOX, MailboxItem, MailboxKey, MailboxRecord, QUARANTINE, Rank, Record, WORK, WorkKey,
};
use clock::WallTime;
use spool::{Batch, BodyId, EmbeddedSpool, Options, Spool, block_on};

fn check(directory: &Path, more: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_chappe");
    Command::new(program).arg("check").arg(directory).args(more).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn open(directory: &Path) -> EmbeddedSpool {
    EmbeddedSpool::open(directory, Options { reserve_bytes: 0, ..Options::default() }).unwrap()
}

/// Delivers a message with this content.
fn deliver(spool: &EmbeddedSpool, sequence: u64, content: &[u8]) -> BodyId {
    let mut writer = spool.begin_body().unwrap();
    writer.write(content).unwrap();
    let mut batch = Batch::default();
    let body = batch.link_body(writer.finish().unwrap());
    let content_length = content.len() as u64;
    let record = MailboxRecord {
        kind: MailboxItem::Message { envelope: Vec::new(), body, content_length },
        delivered: WallTime::from_unix(1_795_321_800),
        mts_identifier: "C=GB;A= ;L=1".into(),
        recipient: "S=operations;P=BETA;A= ;C=GB".into(),
    };
    let key = MailboxKey { mailbox: "s=operations".into(), sequence };
    batch.put(MAILBOX, key.encode(), record.encode());
    spool.commit(batch).wait().unwrap();
    body
}

#[test]
fn a_damaged_directory_is_told_repaired_and_clean() {
    let base = tempfile::tempdir().unwrap();
    let directory = base.path().join("data");
    let spool = open(&directory);
    let whole = deliver(&spool, 1, &[1; 500]);
    let damaged = deliver(&spool, 2, &[2; 500]);
    let live = check(&directory, &["--repair"]);
    assert_eq!(live.status.code(), Some(2), "a live directory is left alone: {live:?}");
    spool.close();

    let clean = check(&directory, &[]);
    assert_eq!(clean.status.code(), Some(0), "{clean:?}");
    assert!(said(&clean).ends_with("2 contents, 1000 B\nclean, no errors found\n"), "{}", said(&clean));

    let spool = open(&directory);
    let mut batch = Batch::default();
    let key = WorkKey { rank: Rank::Normal, sequence: 9 }.encode();
    batch.put(WORK, key, b"\x01not a record");
    spool.commit(batch).wait().unwrap();
    spool.close();
    let segment = directory.join("segments/0000000000000000.seg");
    let mut octets = fs::read(&segment).unwrap();
    let second = octets.windows(500).position(|window| window == [2; 500]).unwrap();
    octets[second + 100] ^= 1;
    fs::write(&segment, &octets).unwrap();

    for _ in 0..2 {
        let found = check(&directory, &["--json"]);
        assert_eq!(found.status.code(), Some(1), "{found:?}");
        let report: serde_json::Value = serde_json::from_str(&said(&found)).unwrap();
        assert_eq!(report["worst"], "damaged");
        assert_eq!(report["count"], 3, "the content, the record that needs it, and the one that is none");
        assert_eq!(report["queues"]["mailboxes"], 2);
        assert!(report["findings"].to_string().contains(&damaged.to_string()));
    }
    let repaired = check(&directory, &["--repair"]);
    assert_eq!(repaired.status.code(), Some(1), "{repaired:?}");
    assert_eq!(said(&repaired).matches("put into quarantine").count(), 2, "{}", said(&repaired));

    let again = check(&directory, &[]);
    assert_eq!(again.status.code(), Some(0), "what is in quarantine holds nothing up: {again:?}");
    let spool = open(&directory);
    let aside = block_on(spool.scan(QUARANTINE, b"", None, 10)).unwrap();
    assert_eq!(aside.len(), 2, "nothing is deleted");
    assert_eq!(block_on(spool.scan(MAILBOX, b"", None, 10)).unwrap().len(), 1);
    assert_eq!(block_on(spool.read_body(whole, 0, 1000)).unwrap(), [1; 500]);
    assert!(block_on(spool.body_len(damaged)).is_ok(), "what is left of it is kept");
}

#[test]
fn what_is_no_data_directory_is_left_alone() {
    let base = tempfile::tempdir().unwrap();
    for path in [base.path().join("missing"), base.path().to_owned()] {
        let refused = check(&path, &["--repair"]);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(text.contains("holds no store"), "{text}");
    }
    assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
}
