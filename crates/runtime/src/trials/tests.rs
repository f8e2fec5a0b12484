//! Whole MTAs, with a fault in the place where decisions are made, and with what a process leaves that died.

use std::sync::atomic::AtomicBool;

use agent::record::Item;
use agent::settings::{AgentSettings, MtaSettings};
use agent::{Processed, ReportRequest, Submission};
use clock::WallTime;
use mhs::{AddressPattern, GlobalDomainIdentifier, MtaName, OrAddress};
use spool::{MemorySpool, Options, Spool};

use super::*;
use crate::work::{self, Decide, Job};
use crate::world::Surroundings;
use crate::{Handle, Mta, QueueAlarm, RecorderSettings, RuntimeConfig, RuntimeLimits};

/// Length of a content that is poison.
const POISON: u64 = 666;
const ALICE: &str = "S=alice;P=ALPHA;A= ;C=GB";
const BOB: &str = "S=bob;P=ALPHA;A= ;C=GB";

fn address(text: &str) -> OrAddress {
    OrAddress::parse(text).unwrap()
}

fn is_poison(job: &Job) -> bool {
    matches!(job.record.item, Item::Message { content_length, .. } if content_length == POISON)
}

fn panics(shared: &Shared, agent: &Agent, job: &Job) -> Processed {
    assert!(!is_poison(job), "the fault of this test");
    work::decide(shared, agent, job)
}

/// Decisions about poison that have begun.
static BEGUN: AtomicUsize = AtomicUsize::new(0);

fn never_ends(shared: &Shared, agent: &Agent, job: &Job) -> Processed {
    if is_poison(job) {
        BEGUN.fetch_add(1, Ordering::SeqCst);
        loop {
            std::thread::park();
        }
    }
    work::decide(shared, agent, job)
}

/// Whether decisions are held up.
static HELD_UP: AtomicBool = AtomicBool::new(true);

fn is_held_up(shared: &Shared, agent: &Agent, job: &Job) -> Processed {
    while HELD_UP.load(Ordering::SeqCst) {
        std::thread::park_timeout(Duration::from_millis(10));
    }
    work::decide(shared, agent, job)
}

async fn start(store: &MemorySpool, decide: Decide, limits: RuntimeLimits) -> Mta {
    let domain =
        GlobalDomainIdentifier { country: "GB".into(), admd: " ".into(), prmd: Some("ALPHA".into()) };
    let mut mta = MtaSettings::new(MtaName::new("ALPHA").unwrap(), domain);
    mta.local = vec![AddressPattern::parse("P=ALPHA;A= ;C=GB").unwrap()];
    let config = RuntimeConfig {
        settings: AgentSettings::new(mta, Vec::new()),
        data_dir: std::path::PathBuf::new(),
        p1: Vec::new(),
        stop_timeout: Duration::from_secs(5),
        spool: Options::default(),
        limits,
        recorder: RecorderSettings::default(),
    };
    Mta::start_with(config, Arc::new(store.clone()), Surroundings::default(), decide).await.unwrap()
}

async fn submit(handle: &Handle, length: u64) -> String {
    let submission =
        Submission::new(address(ALICE), [address(BOB)]).with_report_request(ReportRequest::NonDelivery);
    let mut body = handle.begin_body().unwrap();
    body.write(&vec![7; length as usize]).unwrap();
    handle.submit(submission, body.finish().unwrap()).await.unwrap().to_string()
}

async fn entries(handle: &Handle, mailbox: &str) -> usize {
    handle.mailbox(&address(mailbox), None, 100).await.unwrap().len()
}

async fn until(mut look: impl AsyncFnMut() -> bool) {
    tokio::time::timeout(Duration::from_secs(60), async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

fn told(handle: &Handle, kind: EventKind) -> Vec<String> {
    handle.events(0).into_iter().filter(|event| event.kind == kind).map(|event| event.text).collect()
}

async fn aside(store: &MemorySpool) -> Vec<(Vec<u8>, Vec<u8>)> {
    store.scan(QUARANTINE, b"", None, 100).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_panics_three_times_is_quarantined_and_its_originator_told() {
    let store = MemorySpool::new();
    let mta = start(&store, panics, RuntimeLimits::default()).await;
    let handle = mta.handle();
    let poison = submit(&handle, POISON).await;
    submit(&handle, 1).await;
    until(async || entries(&handle, BOB).await == 1).await;
    assert!(aside(&store).await.is_empty(), "the other one has not waited for the third try");
    until(async || entries(&handle, ALICE).await == 1).await;
    assert_eq!(aside(&store).await.len(), 1);
    let (_, note) = store.scan(TRIED, b"", None, 10).await.unwrap().pop().unwrap();
    let note = TriedRecord::decode(&note).unwrap();
    assert_eq!((note.failures, note.told), (3, agent::record::WhetherTold::Told));
    assert_eq!(note.mts_identifier, Some(poison.clone()));
    assert_eq!(told(&handle, EventKind::Quarantined).len(), 1);
    assert!(told(&handle, EventKind::NonDelivery)[0].contains(&poison));
    let listed = handle.quarantine(None, 10).await.unwrap().items;
    assert_eq!((listed.len(), listed[0].told, listed[0].failures), (1, true, 3));
    assert_eq!(listed[0].mts_id, Some(poison));
    let number = listed[0].number;
    let exported = handle.quarantined_octets(number).await.unwrap();
    assert_eq!(exported.content.map(|(_, length)| length), Some(POISON));
    let [0xA0, 0x82, high, low, rest @ ..] = &exported.head[..] else { unreachable!("an APDU") };
    assert_eq!(usize::from(u16::from_be_bytes([*high, *low])), rest.len() + POISON as usize);
    // Tried again it has three tries, and is back.
    handle.release_quarantined(number, "test").await.unwrap();
    assert!(handle.quarantine(None, 10).await.unwrap().items.is_empty());
    until(async || told(&handle, EventKind::Quarantined).len() == 2).await;
    let again = handle.quarantine(None, 10).await.unwrap().items[0].number;
    assert!(again > number);
    handle.delete_quarantined(again, "test").await.unwrap();
    assert!(aside(&store).await.is_empty());
    assert!(store.scan(TRIED, b"", None, 10).await.unwrap().is_empty());
    assert_eq!(store.stats().bodies, 1, "its content is gone with it");
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_counted_over_restarts() {
    let store = MemorySpool::new();
    let mta = start(&store, panics, RuntimeLimits::default()).await;
    submit(&mta.handle(), POISON).await;
    until(async || told(&mta.handle(), EventKind::ProcessingFailed).len() == 2).await;
    mta.stop().await;
    let mta = start(&store, panics, RuntimeLimits::default()).await;
    until(async || told(&mta.handle(), EventKind::Quarantined).len() == 1).await;
    assert_eq!(told(&mta.handle(), EventKind::ProcessingFailed).len(), 1);
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_never_ends_holds_up_nobody_and_is_quarantined() {
    let store = MemorySpool::new();
    let limits = RuntimeLimits { processing_timeout: Duration::from_millis(300), ..RuntimeLimits::default() };
    let mta = start(&store, never_ends, limits).await;
    let handle = mta.handle();
    submit(&handle, POISON).await;
    until(async || BEGUN.load(Ordering::SeqCst) == 1).await;
    for _ in 0..20 {
        submit(&handle, 1).await;
    }
    until(async || entries(&handle, BOB).await == 20).await;
    until(async || entries(&handle, ALICE).await == 1).await;
    assert_eq!(aside(&store).await.len(), 1);
    assert_eq!(
        BEGUN.load(Ordering::SeqCst),
        1,
        "one run is given three times its budget, and costs one thread"
    );
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_work_queue_is_told_to_be_long_beyond_the_window_over_it() {
    let store = MemorySpool::new();
    let work_queue_alarm = QueueAlarm { on: 4_300, off: 10 };
    let mta = start(&store, is_held_up, RuntimeLimits { work_queue_alarm, ..RuntimeLimits::default() }).await;
    let handle = mta.handle();
    for _ in 0..work_queue_alarm.on {
        submit(&handle, 1).await;
    }
    until(async || !told(&handle, EventKind::WorkQueueLong).is_empty()).await;
    HELD_UP.store(false, Ordering::SeqCst);
    until(async || !told(&handle, EventKind::WorkQueueShort).is_empty()).await;
    let long = told(&handle, EventKind::WorkQueueLong);
    assert_eq!(long, ["at least 4300 messages wait; the alarm is set at 4300"]);
    mta.stop().await;
}

/// What a process leaves that died with an item in hand, for the `deaths`th time that was noted.
async fn left_by_the_dead(deaths: u32) -> (MemorySpool, Vec<u8>) {
    let store = MemorySpool::new();
    let mta = start(&store, panics, RuntimeLimits::default()).await;
    submit(&mta.handle(), POISON).await;
    until(async || told(&mta.handle(), EventKind::ProcessingFailed).len() == 1).await;
    mta.stop().await;
    let (key, _) = store.scan(WORK, b"", None, 10).await.unwrap().pop().unwrap();
    let mut note = TriedRecord::new(WallTime::from_unix(1));
    (note.deaths, note.in_hand) = (deaths - 1, true);
    let mut batch = Batch::default();
    batch.put(TRIED, aside_key(WORK, &key), note.encode());
    store.commit(batch).await.unwrap();
    (store.crash(), key)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_hand_at_a_death_waits_and_is_noted_when_it_is_tried() {
    let (store, key) = left_by_the_dead(1).await;
    let mta = start(&store, work::decide, RuntimeLimits::default()).await;
    let handle = mta.handle();
    submit(&handle, 1).await;
    until(async || entries(&handle, BOB).await == 1).await;
    assert!(store.get(WORK, &key).await.unwrap().is_some(), "it lets others go first");
    until(async || entries(&handle, BOB).await == 2).await;
    assert!(handle.shared.clocks.mono() >= MonoTime::after_start(AFTER_DEATH));
    until(async || store.scan(TRIED, b"", None, 10).await.unwrap().is_empty()).await;
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_hand_at_two_noted_deaths_is_quarantined() {
    let (store, key) = left_by_the_dead(2).await;
    let mta = start(&store, work::decide, RuntimeLimits::default()).await;
    let handle = mta.handle();
    until(async || entries(&handle, ALICE).await == 1).await;
    assert_eq!(aside(&store).await[0].0, aside_key(WORK, &key));
    assert_eq!(entries(&handle, BOB).await, 0);
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_which_a_process_died_is_not_tried_again() {
    let (store, key) = left_by_the_dead(2).await;
    let value = store.get(WORK, &key).await.unwrap().unwrap();
    let mut note = TriedRecord::new(WallTime::from_unix(1));
    (note.deaths, note.told) = (2, agent::record::WhetherTold::BeingTried);
    store.commit(agent::poisonous(WORK, &key, value, &note).batch).await.unwrap();
    let mta = start(&store, work::decide, RuntimeLimits::default()).await;
    let handle = mta.handle();
    submit(&handle, 1).await;
    until(async || entries(&handle, BOB).await == 1).await;
    assert!(told(&handle, EventKind::Quarantined)[0].contains("died of the attempt"));
    assert_eq!(entries(&handle, ALICE).await, 0);
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_death_what_was_there_is_noted_while_in_hand_and_nothing_else_is() {
    let store = MemorySpool::new();
    let mta = start(&store, panics, RuntimeLimits::default()).await;
    submit(&mta.handle(), POISON).await;
    until(async || told(&mta.handle(), EventKind::ProcessingFailed).len() == 1).await;
    mta.stop().await;
    let store = store.crash();
    let mta = start(&store, work::decide, RuntimeLimits::default()).await;
    until(async || entries(&mta.handle(), BOB).await == 1).await;
    let left = || mta.handle().shared.trials.to_note.load(Ordering::SeqCst);
    assert_eq!(left(), MOST_NOTED - 1);
    submit(&mta.handle(), 1).await;
    until(async || entries(&mta.handle(), BOB).await == 2).await;
    assert_eq!(left(), MOST_NOTED - 1, "what has come since is none of it");
    mta.stop().await;
}
