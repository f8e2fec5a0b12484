//! Two MTAs in one process, connected to one another.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file is a program of its own and uses its part of this"
)]

pub mod store;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agent::record::MailboxItem;
use agent::settings::{AddressSpaceEntry, AgentSettings, Conformance, ConnectorSettings, MtaSettings};
use agent::{ReportRequest, Secret, Submission};
use mhs::{AddressPattern, GlobalDomainIdentifier, MtaName, OrAddress};
use runtime::{EventKind, Handle, MailboxEntry, Mta, RecorderSettings, RuntimeConfig, RuntimeLimits};
use spool::{MemorySpool, Spool};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(60);

pub fn address(text: &str) -> OrAddress {
    OrAddress::parse(text).unwrap()
}

/// Waits for something that will be; a minute without it is a failure, however slow the machine.
pub async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    tokio::time::timeout(LONG, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap()
}

pub struct Node {
    pub dir: TempDir,
    pub settings: AgentSettings,
    pub p1: SocketAddr,
    pub stop_timeout: Duration,
}

impl Node {
    pub fn new(name: &str, p1: SocketAddr) -> Node {
        let domain =
            GlobalDomainIdentifier { country: "GB".into(), admd: " ".into(), prmd: Some(name.into()) };
        let mut mta = MtaSettings::new(MtaName::new(name).unwrap(), domain);
        mta.local = vec![AddressPattern::parse(&format!("P={name};A= ;C=GB")).unwrap()];
        mta.password = Some(Secret::new(format!("of {name}")));
        let settings = AgentSettings::new(mta, Vec::new());
        Node { dir: TempDir::new().unwrap(), settings, p1, stop_timeout: Duration::from_secs(10) }
    }

    pub fn connect(&mut self, to: &Node, two_way: bool) {
        let name = to.settings.mta.name.clone();
        let mut connector = ConnectorSettings::new(format!("to-{name}"), name.clone());
        connector.remote_password = to.settings.mta.password.clone();
        connector.hosts = vec![to.p1.to_string()];
        let space = AddressPattern::parse(&format!("P={name};A= ;C=GB")).unwrap();
        connector.address_space = vec![AddressSpaceEntry { space, cost: 1 }];
        connector.two_way_alternate = two_way;
        connector.retry.open_interval_s = 1;
        connector.retry.transfer_interval_s = 1;
        self.settings.connectors.push(connector);
    }

    pub fn config(&self) -> RuntimeConfig {
        RuntimeConfig {
            settings: self.settings.clone(),
            data_dir: self.dir.path().to_owned(),
            p1: vec![self.p1],
            stop_timeout: self.stop_timeout,
            spool: spool::Options::default(),
            limits: RuntimeLimits::default(),
            recorder: RecorderSettings::default(),
        }
    }

    pub async fn start(&self) -> Mta {
        Mta::start(self.config()).await.unwrap()
    }

    /// On a store that is there already.
    pub async fn start_on(&self, spool: Arc<dyn Spool>) -> Mta {
        Mta::start_on(self.config(), spool).await.unwrap()
    }

    /// On an empty store in memory.
    pub async fn start_in_memory(&self) -> Mta {
        self.start_on(Arc::new(MemorySpool::new())).await
    }
}

pub fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub fn pair(two_way: bool) -> (Node, Node) {
    let (mut a, mut b) = (Node::new("ALPHA", free()), Node::new("BETA", free()));
    a.connect(&b, two_way);
    let b_view = Node::new("ALPHA", a.p1);
    b.connect(&b_view, two_way);
    (a, b)
}

pub async fn submit(handle: &Handle, to: &str, content: &[u8]) -> String {
    let submission = Submission::new(address("S=despatch;P=ALPHA;A= ;C=GB"), [address(to)])
        .with_report_request(ReportRequest::Delivery);
    let mut body = handle.begin_body().unwrap();
    body.write(content).unwrap();
    handle.submit(submission, body.finish().unwrap()).await.unwrap().to_string()
}

/// Two nodes, each of which opens its associations in X.410 mode.
pub fn x410_pair(two_way: bool) -> (Node, Node) {
    let (mut a, mut b) = pair(two_way);
    for node in [&mut a, &mut b] {
        for connector in &mut node.settings.connectors {
            connector.conformance = Conformance::X410In1988;
        }
    }
    (a, b)
}

/// `size` octets, no two stretches of which are alike.
pub fn octets(size: usize) -> Vec<u8> {
    (0..size as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// The content of a message in a mailbox.
pub async fn content_of(handle: &Handle, entry: MailboxEntry) -> Vec<u8> {
    let MailboxItem::Message { body, content_length, .. } = entry.record.kind else { panic!("a message") };
    let mut stored = Vec::new();
    loop {
        let piece = handle.read_body(body, stored.len() as u64, 100_000).await.unwrap();
        if piece.is_empty() {
            assert_eq!(content_length, stored.len() as u64);
            return stored;
        }
        stored.extend(piece);
    }
}

/// The texts of all events of a kind so far.
pub fn events(handle: &Handle, kind: EventKind) -> Vec<String> {
    handle.events(0).into_iter().filter(|event| event.kind == kind).map(|event| event.text).collect()
}
