//! One MTA of a simulated network: its settings, its disk, its host, and whether it runs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use agent::Secret;
use agent::settings::{AddressSpaceEntry, AgentSettings, ConnectorSettings, MtaSettings, RelayTo};
use mhs::{AddressPattern, GlobalDomainIdentifier, MtaName, OrAddress};
use runtime::{EventKind, Handle, Mta, RecorderSettings, RuntimeConfig, RuntimeLimits};
use spool::MemorySpool;
use tokio::time::Instant;

use crate::disk::Disk;
use crate::network::{HostWorld, Network};
use crate::random::Random;

/// The port of P1.
pub const P1: u16 = 102;
/// How long an MTA may take to stop.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How an MTA ends without having been asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// `kill -9`: the system closes its connections.
    Kill,
    /// The power goes: nobody hears of it.
    Power,
}

/// One MTA.
pub struct Site {
    /// Its name, and that of its domain.
    pub name: String,
    /// Its address.
    pub host: IpAddr,
    /// What it is configured with; a change comes into force with the next start, or by a reload.
    pub settings: AgentSettings,
    /// Limits and timers.
    pub limits: RuntimeLimits,
    network: Network,
    random: Random,
    disk: Disk,
    world: Arc<HostWorld>,
    mta: Option<Mta>,
    lying: bool,
}

/// An address of X.400 at a site.
pub fn user(surname: &str, domain: &str) -> String {
    format!("S={surname};P={domain};A= ;C=GB")
}

/// The settings of an MTA of this name, without connectors.
pub fn settings(name: &str) -> AgentSettings {
    let domain = GlobalDomainIdentifier { country: "GB".into(), admd: " ".into(), prmd: Some(name.into()) };
    let mut mta = MtaSettings::new(mta_name(name), domain);
    mta.local = vec![pattern(name)];
    mta.password = Some(Secret::new(format!("of {name}")));
    AgentSettings::new(mta, Vec::new())
}

/// A connector to the MTA of this name at these hosts, with short waits: a run has little time.
pub fn connector(name: &str, hosts: Vec<String>) -> ConnectorSettings {
    let mut connector = ConnectorSettings::new(format!("to-{name}"), mta_name(name));
    connector.remote_password = Some(Secret::new(format!("of {name}")));
    connector.hosts = hosts;
    connector.address_space = vec![space(name)];
    connector.relay_to = RelayTo::Anywhere;
    // Nothing is ever given up in these runs unless a scenario says so: the outcome of every transfer becomes known.
    connector.retry.max_open_retries = 10_000;
    connector.retry.max_transfer_retries = 100;
    connector.retry.open_interval_s = 60;
    connector.retry.transfer_interval_s = 20;
    connector.association.lifetime_s = 60;
    connector.association.disconnect_s = 20;
    connector
}

/// The address space of the domain of this name.
pub fn space(domain: &str) -> AddressSpaceEntry {
    AddressSpaceEntry { space: pattern(domain), cost: 1 }
}

#[allow(clippy::expect_used, reason = "names and addresses here are written in this crate")]
fn mta_name(name: &str) -> MtaName {
    MtaName::new(name).expect("names of sites are names of MTAs")
}

#[allow(clippy::expect_used, reason = "names and addresses here are written in this crate")]
fn pattern(domain: &str) -> AddressPattern {
    AddressPattern::parse(&format!("P={domain};A= ;C=GB")).expect("names of sites are names of domains")
}

/// An O/R address.
#[allow(clippy::expect_used, reason = "names and addresses here are written in this crate")]
pub fn address(text: &str) -> OrAddress {
    OrAddress::parse(text).expect("addresses of users are O/R addresses")
}

impl Site {
    /// A site that does not run yet, with an empty disk. Every site of a run has a number of its own.
    pub fn new(network: &Network, random: &Random, name: &str, number: u8) -> Site {
        let host = IpAddr::V4(Ipv4Addr::new(10, 0, 0, number));
        let random = random.split();
        Site {
            name: name.to_owned(),
            host,
            settings: settings(name),
            limits: RuntimeLimits::default(),
            network: network.clone(),
            disk: Disk::new(MemorySpool::new(), random.split()),
            world: Arc::new(HostWorld::new(network, host, random.split())),
            mta: None,
            lying: false,
            random,
        }
    }

    /// From its next start on, its disk loses at a crash what it had said was safe.
    pub fn lie(&mut self) {
        self.lying = true;
    }

    /// Where its peers connect to.
    pub fn p1(&self) -> SocketAddr {
        SocketAddr::new(self.host, P1)
    }

    /// Adds a connector to another site.
    pub fn connect_to(&mut self, other: &Site) -> &mut ConnectorSettings {
        let connector = connector(&other.name, vec![other.p1().to_string()]);
        self.settings.connectors.push(connector);
        let last = self.settings.connectors.len() - 1;
        &mut self.settings.connectors[last]
    }

    /// Starts the MTA on what its disk holds.
    ///
    /// # Errors
    /// It does not start, in words.
    pub async fn start(&mut self) -> Result<(), String> {
        let config = RuntimeConfig {
            settings: self.settings.clone(),
            data_dir: "nowhere".into(),
            p1: vec![self.p1()],
            stop_timeout: STOP_TIMEOUT,
            spool: spool::Options::default(),
            limits: self.limits.clone(),
            recorder: RecorderSettings { association_octets: 0, ..RecorderSettings::default() },
        };
        let spool = Arc::new(self.disk.clone());
        let world = Arc::<HostWorld>::clone(&self.world);
        match Mta::start_in(config, spool, world).await {
            Ok(mta) => {
                self.mta = Some(mta);
                Ok(())
            }
            Err(error) => Err(format!("{} did not start: {error}", self.name)),
        }
    }

    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.mta.is_some()
    }

    /// For submission and administration, while it runs.
    pub fn handle(&self) -> Option<Handle> {
        self.mta.as_ref().map(Mta::handle)
    }

    /// Its disk.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Ends it at once; what its disk had not synchronized is lost, or not. Returns what its log said of defects.
    pub fn crash(&mut self, how: Crash) -> Vec<String> {
        let defects = self.defects();
        if self.network.traces() {
            println!("{}: {how:?}", self.name);
        }
        self.world.end();
        match how {
            Crash::Kill => self.network.kill(self.host),
            Crash::Power => self.network.power_off(self.host),
        }
        let left = self.disk.crash();
        drop(self.mta.take());
        self.renew(left);
        defects
    }

    /// Stops it in order. Returns how long that took, and what its log said of defects.
    pub async fn stop(&mut self) -> (Duration, Vec<String>) {
        let Some(mta) = self.mta.take() else { return (Duration::ZERO, Vec::new()) };
        let handle = mta.handle();
        let begin = Instant::now();
        mta.stop().await;
        let took = begin.elapsed();
        let defects = self.log(&handle);
        drop(handle);
        self.world.end();
        self.network.kill(self.host);
        let left = self.disk.close();
        self.renew(left);
        (took, defects)
    }

    /// What its log says of defects of the program.
    pub fn defects(&self) -> Vec<String> {
        self.handle().map(|handle| self.log(&handle)).unwrap_or_default()
    }

    fn log(&self, handle: &Handle) -> Vec<String> {
        if self.network.traces() {
            for event in handle.events(0) {
                println!("{} {}: {:?} {} {}", event.time, self.name, event.kind, event.subject, event.text);
            }
        }
        for event in handle.events(0) {
            self.network.tell(event.kind);
        }
        defects(&self.name, handle)
    }

    fn renew(&mut self, left: MemorySpool) {
        self.disk = match self.lying {
            true => Disk::lying(left, self.random.split()),
            false => Disk::new(left, self.random.split()),
        };
        self.world = Arc::new(HostWorld::new(&self.network, self.host, self.random.split()));
    }
}

fn defects(name: &str, handle: &Handle) -> Vec<String> {
    let events = handle.events(0).into_iter();
    let defects = events.filter(|event| event.kind == EventKind::InternalError);
    defects.map(|event| format!("{name}: defect: {}", event.text)).collect()
}
