//! Connectors with very long queues: whatever has to look at all that waits does so beside the work, in pages.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agent::record::{
    Item, OUTBOUND, OutboundKey, OutboundRecord, RESUME, Rank, Record, Source, outbound_prefix,
};
use agent::settings::{AddressSpaceEntry, AgentSettings, ConnectorSettings, MtaSettings};
use clock::WallTime;
use mhs::{AddressPattern, GlobalDomainIdentifier, MtaName};
use spool::{Batch, Space, Spool, SpoolError};
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::recovery::ResumeRecord;
use crate::test_store::{Twist, Twisted};
use crate::world::{Connection, Incoming, World, WorldFuture};
use crate::{Mta, RecorderSettings, RuntimeConfig, RuntimeLimits};

const LONG: u64 = 100_000;
const VERY_LONG: u64 = 1_000_000;
/// Records read at once.
const PAGE: u64 = 256;

/// Counts the pages that are read of queues, and of what is remembered of transfers.
#[derive(Default)]
struct Counting {
    queue: AtomicUsize,
    resume: AtomicUsize,
}

impl Twist for Counting {
    fn scan(&self, space: Space, prefix: &[u8]) -> Result<(), SpoolError> {
        if !prefix.is_empty() {
            let counter = if space == RESUME { &self.resume } else { &self.queue };
            counter.fetch_add(usize::from(space == RESUME || space == OUTBOUND), Ordering::SeqCst);
        }
        Ok(())
    }
}

/// A network in which every connection is refused.
#[derive(Default)]
struct Refusing {
    attempts: AtomicUsize,
}

impl World for Refusing {
    fn wall(&self) -> WallTime {
        WallTime::from_unix(1_790_000_000)
    }

    fn secret(&self, number: u64) -> u64 {
        number
    }

    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> WorldFuture<'a, Vec<SocketAddr>> {
        let address = SocketAddr::new(host.parse().unwrap(), port);
        Box::pin(async move { Ok(vec![address]) })
    }

    fn connect(&self, _: SocketAddr, _: Option<IpAddr>) -> WorldFuture<'_, Box<dyn Connection>> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn listen(&self, _: SocketAddr) -> io::Result<Box<dyn Incoming>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn connector(name: &str) -> ConnectorSettings {
    let mut connector = ConnectorSettings::new(name, MtaName::new(&name.to_uppercase()).unwrap());
    connector.hosts = vec!["192.0.2.1:102".into()];
    let space = AddressPattern::parse("P=BETA;A= ;C=GB").unwrap();
    connector.address_space = vec![AddressSpaceEntry { space, cost: 1 }];
    connector
}

fn config(connectors: &[&str]) -> RuntimeConfig {
    let domain = GlobalDomainIdentifier { country: "GB".into(), admd: " ".into(), prmd: None };
    let settings = MtaSettings::new(MtaName::new("HERE").unwrap(), domain);
    let connectors = connectors.iter().map(|name| connector(name)).collect();
    RuntimeConfig {
        settings: AgentSettings::new(settings, connectors),
        data_dir: PathBuf::new(),
        p1: Vec::new(),
        stop_timeout: Duration::from_secs(10),
        spool: spool::Options::default(),
        limits: RuntimeLimits::default(),
        recorder: RecorderSettings::default(),
    }
}

/// A queue entry, as far as queues look at one.
fn queued() -> Vec<u8> {
    let now = WallTime::from_unix(1_789_999_000);
    let record = OutboundRecord {
        item: Item::Report { apdu: Vec::new() },
        source: Source::Agent,
        arrived: now,
        queued: now,
        expires: WallTime::from_unix(i64::from(i32::MAX)),
        attempts: 0,
        mts_identifier: String::new(),
        originator: String::new(),
        size: 10,
        recipients: 1,
        exhausted: Vec::new(),
        last_failure: None,
        tries: agent::record::Tries::default(),
    };
    record.encode()
}

fn key(sequence: u64) -> Vec<u8> {
    OutboundKey { connector: "long".into(), rank: Rank::Normal, sequence }.encode()
}

async fn store(items: u64, interrupted: u64) -> Arc<Twisted<Counting>> {
    let spool = Twisted::new(Counting::default());
    let mut batch = Batch::default();
    let resume = ResumeRecord::unanswered(None, WallTime::from_unix(1_789_999_999)).encode();
    for sequence in 0..items {
        batch.put(OUTBOUND, key(sequence), queued());
        if sequence < interrupted {
            batch.put(RESUME, key(sequence), resume.clone());
        }
        if batch.len() >= 50_000 {
            spool.commit(std::mem::take(&mut batch)).await.unwrap();
        }
    }
    spool.commit(batch).await.unwrap();
    spool
}

async fn started(spool: &Arc<Twisted<Counting>>, connectors: &[&str]) -> Mta {
    Mta::start_in(config(connectors), spool.clone(), Arc::new(Refusing::default())).await.unwrap()
}

/// Asks a connector for a place as a peer does, again and again while so many pages are still to be read, and tells how
/// many were read at most before it answered, and how often it did.
async fn served(mta: &Mta, spool: &Twisted<Counting>, pages: usize) -> (usize, usize) {
    let entry = mta.handle().shared.connector("long").unwrap();
    let read = || spool.twist.queue.load(Ordering::SeqCst);
    let (until, mut most, mut answers) = (read() + pages, 0, 0);
    while read() < until {
        let before = read();
        let (commands, _) = mpsc::channel(1);
        let (reply, joined) = oneshot::channel();
        let settings = Arc::new(connector("long"));
        entry.messages.send(Message::Inbound { settings, two_way: false, commands, reply }).await.unwrap();
        joined.await.unwrap();
        most = most.max(read() - before);
        answers += 1;
    }
    (most, answers)
}

#[tokio::test(start_paused = true)]
async fn a_connector_serves_while_all_that_waits_is_looked_at() {
    serves_while_it_looks(&store(LONG, 0).await, LONG).await;
}

/// The same with a million, which takes a store in memory of 180 MB. It tells time and memory; the looks add less than 5 MB.
#[tokio::test(start_paused = true)]
#[ignore = "takes half a minute and 200 MB"]
#[allow(clippy::print_stderr, reason = "what was measured")]
async fn a_connector_serves_while_a_million_is_looked_at() {
    let began = std::time::Instant::now();
    let spool = store(VERY_LONG, 0).await;
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned()
    };
    eprintln!("filled in {:?}; {}", began.elapsed(), resident());
    serves_while_it_looks(&spool, VERY_LONG).await;
    eprintln!("all in {:?}; {}", began.elapsed(), resident());
}

async fn serves_while_it_looks(spool: &Arc<Twisted<Counting>>, length: u64) {
    let mta = started(spool, &["long", "other"]).await;
    let (handle, shared) = (mta.handle(), Arc::clone(&mta.handle().shared));
    // Nobody reads for the moment.
    let gate = shared.surveys.acquire().await.unwrap();
    // An attempt fails at once, and all that waits has another way: for each it is to be found out whether that is better.
    while handle.info().counters.failed_opens == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(gate);
    let pages = usize::try_from(length / PAGE).unwrap();
    let (most, answers) = served(&mta, spool, pages).await;
    assert!(most <= 8, "{most} of {pages} pages were read before the connector answered");
    assert!(answers >= pages / 8, "{answers}");
    // The same for new settings.
    let gate = shared.surveys.acquire().await.unwrap();
    let mut settings = handle.settings(AgentSettings::clone);
    settings.mta.max_recipients -= 1;
    handle.reload(settings).await.unwrap();
    drop(gate);
    let (most, answers) = served(&mta, spool, pages).await;
    assert!(most <= 8, "{most} of {pages} pages were read before the connector answered");
    assert!(answers >= pages / 8, "{answers}");
    mta.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_reads_one_page_of_what_is_to_be_resumed_and_finds_the_rest_when_it_is_needed() {
    let spool = store(2_000, 1_999).await;
    let mta = started(&spool, &["long"]).await;
    assert_eq!(spool.twist.resume.load(Ordering::SeqCst), 1);
    let shared = Arc::clone(&mta.handle().shared);
    let (mut connector, _) = Connector::new(Arc::clone(&shared), Arc::new(connector("long")), 0);
    connector.load_interruptions().await.unwrap();
    let record = OutboundRecord::decode(&queued()).unwrap();
    for (sequence, is_there) in [(0, true), (255, true), (256, true), (1_998, true), (1_999, false)] {
        let found = connector.resumable(&key(sequence), &record).await.unwrap();
        assert_eq!(found.is_some(), is_there, "{sequence}");
        assert_eq!(connector.interrupted.is_in_doubt(&shared, &key(sequence)).await.unwrap(), is_there);
    }
    assert_eq!(spool.twist.resume.load(Ordering::SeqCst), 2, "the rest is got and not looked for");
    mta.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_connectors_that_are_gone_is_routed_in_portions() {
    let spool = store(10_000, 0).await;
    let mta = started(&spool, &["other"]).await;
    let left = async || {
        let mut pages = crate::pages::Pages::new(OUTBOUND, outbound_prefix("long"));
        let mut left = 0;
        while let Some(page) = pages.next(&*spool.store).await.unwrap() {
            left += page.len();
        }
        left
    };
    assert_eq!(left().await, 10_000 - 8 * 256, "a start does not wait for all");
    while left().await > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(mta.handle().since_alive() < Duration::from_secs(10));
    mta.stop().await;
}
