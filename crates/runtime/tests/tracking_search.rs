//! Message tracking is searched by words, with the index and without, and finds the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

mod support;

use std::collections::BTreeSet;

use agent::record::{META, Record, TRACK, TrackKey, track_digest};
use agent::{Submission, TrackEvent, TrackRecord};
use clock::WallTime;
use mhs::OrName;
use mhs::ipm::Draft;
use runtime::{Handle, Mta, TrackingQuery, TrackingSpan};
use spool::{Batch, EmbeddedSpool, Spool};
use support::{Node, address, free, pair, until};

const ALL: TrackingSpan =
    TrackingSpan { since: WallTime::from_unix(0), until: WallTime::from_unix(i64::MAX) };

fn now() -> WallTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    WallTime::from_unix(since.as_secs() as i64)
}

fn about(text: &str) -> TrackingQuery {
    TrackingQuery::default().subject(text).unwrap()
}

/// Everything that a search finds, over as many parts as it takes.
async fn find(handle: &Handle, query: &TrackingQuery, limit: usize) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = handle.search_tracking(ALL, query, after.as_deref(), limit, |_| true).await.unwrap();
        found.extend(page.items.into_iter().map(|item| (item.mts_id, format!("{:?}", item.event))));
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

/// The local parts of the messages that a search finds, each once.
async fn found(handle: &Handle, query: &TrackingQuery) -> BTreeSet<String> {
    find(handle, query, 50).await.into_iter().map(|(id, _)| id).collect()
}

async fn complete(mta: &Mta) {
    let handle = mta.handle();
    until(async || handle.tracking_index().unwrap().is_complete.then_some(())).await;
}

async fn submit(handle: &Handle, to: &str, subject: &str) -> String {
    let originator = address("S=despatch;O=Acme;P=ALPHA;A= ;C=GB");
    let draft = Draft::new(OrName::new(originator.clone()), "1", subject).unwrap();
    let mut submission = Submission::new(originator, [address(to)]);
    submission.subject = Some(subject.to_owned());
    let mut body = handle.begin_body().unwrap();
    body.write(&draft.text("text").content).unwrap();
    handle.submit(submission, body.finish().unwrap()).await.unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_found_by_its_subject_where_it_was_submitted_and_where_it_came_in() {
    let (a, b) = pair(false);
    let (at_a, at_b) = (a.start().await, b.start().await);
    let id = submit(&at_a.handle(), "S=bob;P=BETA;A= ;C=GB", "Invoice 4711 für Grüße").await;
    let other = submit(&at_a.handle(), "S=bob;P=BETA;A= ;C=GB", "Invoice 4712").await;
    for mta in [&at_a, &at_b] {
        let handle = mta.handle();
        until(async || (found(&handle, &about("invoice")).await.len() == 2).then_some(())).await;
        assert_eq!(found(&handle, &about("4711")).await, [id.clone()].into());
        assert_eq!(found(&handle, &about("grüße inv*")).await, [id.clone()].into());
        assert_eq!(found(&handle, &about("4712 invoice")).await, [other.clone()].into());
        assert!(found(&handle, &about("invoic")).await.is_empty());
        let query = TrackingQuery::default().originator("O=Acme").unwrap();
        assert_eq!(found(&handle, &query).await.len(), 2);
        let query = about("4711").recipient("S=bob;P=BETA").unwrap();
        assert_eq!(found(&handle, &query).await, [id.clone()].into());
        let query = about("4711").recipient("despatch").unwrap();
        assert!(found(&handle, &query).await.is_empty());
    }
    at_a.stop().await;
    at_b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subjects_are_not_kept_where_they_are_not_to_be() {
    let mut node = Node::new("ALPHA", free());
    node.settings.mta.tracking_subjects = false;
    let mta = node.start().await;
    let id = submit(&mta.handle(), "S=bob;P=ALPHA;A= ;C=GB", "Secret").await;
    let by_recipient = TrackingQuery::default().recipient("bob").unwrap();
    until(async || found(&mta.handle(), &by_recipient).await.contains(&id).then_some(())).await;
    assert!(found(&mta.handle(), &about("secret")).await.is_empty());
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_there_is_found_after_a_stop_after_a_crash_and_without_the_index_s_files() {
    let node = Node::new("ALPHA", free());
    let mut sent = BTreeSet::new();
    let mut mta = node.start().await;
    for round in 0..4 {
        let subject = format!("Round {round} of all");
        sent.insert(submit(&mta.handle(), "S=bob;P=ALPHA;A= ;C=GB", &subject).await);
        complete(&mta).await;
        assert_eq!(found(&mta.handle(), &about("round all")).await, sent, "{round}");
        match round {
            0 => mta.stop().await,
            // As after a crash: nobody says that it was the end.
            1 => drop(mta),
            2 => {
                mta.stop().await;
                std::fs::remove_dir_all(node.dir.path().join("tracking")).unwrap();
            }
            _ => return mta.stop().await,
        }
        // A store that is still closing is in use.
        mta = until(async || Mta::start(node.config()).await.ok()).await;
        complete(&mta).await;
        assert_eq!(found(&mta.handle(), &about("round all")).await, sent, "after {round}");
        for id in &sent {
            let items = mta.handle().track(id).await.unwrap().items;
            assert!(items.iter().any(|item| item.subject.is_some()), "{id} after {round}");
        }
    }
}

/// Entries of an earlier process in the last hours, made from a few words, so that many share them.
async fn leave(spool: &dyn Spool, hours: i64, of_each: u64) -> usize {
    const WORDS: [&str; 5] = ["alpha", "beta", "invoice", "order", "re"];
    let word = |seed: u64| WORDS[(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as usize % WORDS.len()];
    let mut sequence = 0;
    for back in 1..=hours {
        let mut batch = Batch::default();
        for _ in 0..of_each {
            sequence += 1;
            let mts_identifier = format!("C=GB;A= ;P=ALPHA;L={}", sequence / 2);
            let time = now().plus_seconds(-3_600 * back);
            let record = TrackRecord {
                event: if sequence % 2 == 0 { TrackEvent::MessageIn } else { TrackEvent::MessageOut },
                time,
                mts_identifier,
                subject: None,
                connector: None,
                originator: Some(format!("S={};G={};C=GB", word(sequence), word(sequence * 7))),
                recipients: vec![format!("S={};C=DE", word(sequence * 13)), "S=x;C=DE".to_owned()],
                recipient_count: 2,
                size: None,
                rank: None,
                text: None,
                ipm_subject: (sequence % 2 == 0)
                    .then(|| format!("{} {} {sequence}", word(sequence * 3), word(sequence * 5))),
            };
            let digest = track_digest(&record.mts_identifier);
            let key = TrackKey { hour: TrackKey::hour_of(time), digest, sequence };
            batch.put(TRACK, key.encode(), record.encode());
        }
        spool.commit(batch).await.unwrap();
    }
    let mut batch = Batch::default();
    batch.put(META, "sequence", (1_u64 << 30).to_be_bytes());
    spool.commit(batch).await.unwrap();
    sequence as usize
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_finds_the_same_with_the_index_and_without() {
    let node = Node::new("ALPHA", free());
    // Over the end of a week, at which the index begins a new shelf.
    let written = {
        let spool = EmbeddedSpool::open(node.dir.path(), spool::Options::default()).unwrap();
        leave(&spool, 150, 20).await
    };
    let mta = node.start().await;
    complete(&mta).await;
    let everything = TrackingQuery::default();
    assert_eq!(find(&mta.handle(), &everything, 1_000).await.len(), written);
    let queries = [
        about("invoice"),
        about("invoice order"),
        about("inv* re"),
        about("2220"),
        about("22*"),
        about("nothing"),
        everything.clone().originator("S=alpha;G=beta").unwrap(),
        everything.clone().originator("C=GB").unwrap().recipient("S=x").unwrap(),
        everything.clone().recipient("alph*").unwrap().originator("order").unwrap(),
        about("a*").originator("S=b*;C=GB").unwrap().recipient("S=re;C=DE").unwrap(),
    ];
    for query in &queries {
        for limit in [3, 1_000] {
            let by_index = find(&mta.handle(), query, limit).await;
            // A search that wants what the index does not have reads everything.
            let handle = mta.handle();
            let mut by_reading = Vec::new();
            let mut after: Option<String> = None;
            loop {
                let nothing = TrackingQuery::default();
                let fits = |record: &TrackRecord| query.fits(record);
                let page =
                    handle.search_tracking(ALL, &nothing, after.as_deref(), limit, fits).await.unwrap();
                by_reading
                    .extend(page.items.into_iter().map(|item| (item.mts_id, format!("{:?}", item.event))));
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            let distinct: BTreeSet<_> = by_index.iter().collect();
            assert_eq!(distinct.len(), by_index.len(), "nothing twice: {query:?}");
            assert_eq!(distinct, by_reading.iter().collect(), "{query:?}, {limit} at a time");
        }
    }
    assert!(!find(&mta.handle(), &queries[1], 50).await.is_empty());
    // Two entries of each, which may be hours apart.
    for number in [1, 10, 777, 1_499] {
        let tracking = mta.handle().track(&format!("C=GB;A= ;P=ALPHA;L={number}")).await.unwrap();
        assert_eq!(tracking.items.len(), 2, "{number}: {tracking:?}");
    }
    assert!(mta.handle().track("C=GB;A= ;P=ALPHA;L=99999").await.unwrap().items.is_empty());
    mta.stop().await;
}
