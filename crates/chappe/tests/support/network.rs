//! Networks of more than two MTAs: every link passes a recording proxy, so that a test sees each APDU that was
//! transferred, and where.
//!
//! MTA-`X` has domain `X` and delivers all that is in it. Addresses are `S=name;O=Acme;P=X;A= ;C=GB`.

use std::collections::BTreeMap;

use mhs::p1::{MessageTransferEnvelope, MtsApdu, ProbeTransferEnvelope, Report, TraceInformation};
use testkit::{Capture, PcapBuilder, Ports, Proxy, Side, Tshark, tsdus_of};

use super::pair::loopback;
use super::{Site, repository, wait_for};

/// Captures that proxies write have this port.
const PORT: &[u16] = &[102];

/// What one MTA is configured with.
#[derive(Clone, Debug)]
pub struct Node {
    name: String,
    mta: String,
    links: Vec<Link>,
    more: String,
}

#[derive(Clone, Debug)]
struct Link {
    to: String,
    spaces: Vec<(String, u8)>,
    relay: String,
    lines: String,
    retry: String,
}

/// MTA-`name`, without links.
pub fn node(name: &str) -> Node {
    Node { name: name.to_owned(), mta: String::new(), links: Vec::new(), more: String::new() }
}

impl Node {
    /// More lines of [mta].
    #[must_use]
    pub fn mta(mut self, lines: &str) -> Node {
        self.mta += &format!("{lines}\n");
        self
    }

    /// A connector to MTA-`to` for these address spaces with their costs; what comes in over it is relayed anywhere
    /// unless [`Node::relay`] says something else.
    #[must_use]
    pub fn link(mut self, to: &str, spaces: &[(&str, u8)]) -> Node {
        let spaces = spaces.iter().map(|(space, cost)| ((*space).to_owned(), *cost)).collect();
        let retry = "open_interval_s = 1\ntransfer_interval_s = 1\n".to_owned();
        let relay = "relay_to = \"*\"\n".to_owned();
        self.links.push(Link { to: to.to_owned(), spaces, relay, lines: String::new(), retry });
        self
    }

    /// Where what comes in over the last link is relayed, as TOML.
    #[must_use]
    pub fn relay(mut self, relay_to: &str) -> Node {
        self.links.last_mut().expect("there is a link").relay = format!("relay_to = {relay_to}\n");
        self
    }

    /// More lines of the last link.
    #[must_use]
    pub fn with(mut self, lines: &str) -> Node {
        self.links.last_mut().expect("there is a link").lines += &format!("{lines}\n");
        self
    }

    /// More lines of [connector.retry] of the last link.
    #[must_use]
    pub fn retry(mut self, lines: &str) -> Node {
        self.links.last_mut().expect("there is a link").retry += &format!("{lines}\n");
        self
    }

    /// More sections of the file.
    #[must_use]
    pub fn more(mut self, sections: &str) -> Node {
        self.more += &format!("{sections}\n");
        self
    }
}

/// The address of a user of domain `prmd`.
pub fn user(name: &str, prmd: &str) -> String {
    format!("S={name};O=Acme;P={prmd};A= ;C=GB")
}

/// The address space of domain `prmd`.
pub fn domain(prmd: &str) -> String {
    format!("P={prmd};A= ;C=GB")
}

/// MTAs and the wires between them.
#[derive(Debug)]
pub struct Network {
    sites: BTreeMap<String, Site>,
    /// By the end that connects and the end that listens.
    wires: BTreeMap<(String, String), Proxy>,
}

impl Network {
    /// The MTAs, configured and not started.
    pub fn build(nodes: &[Node]) -> Network {
        let sites = nodes.iter().map(|node| {
            let site = Site::new(&node.name, loopback(), loopback());
            (node.name.clone(), site)
        });
        let sites: BTreeMap<String, Site> = sites.collect();
        let mut wires = BTreeMap::new();
        for node in nodes {
            let site = &sites[&node.name];
            let mut text = format!(
                "[mta]\nname = \"MTA-{name}\"\npassword = \"password of {name}\"\n\
                 domain = {{ country = \"GB\", admd = \" \", prmd = \"{name}\" }}\n\
                 data_dir = {:?}\nlocal = [\"{}\"]\n{}\n[listen]\np1 = [\"{}\"]\napi = \"{}\"\n",
                site.data(),
                domain(&node.name),
                node.mta,
                site.p1,
                site.api,
                name = node.name,
            );
            for link in &node.links {
                let proxy = Proxy::start(sites[&link.to].p1).expect("a proxy starts");
                let spaces: Vec<String> = (link.spaces.iter())
                    .map(|(space, cost)| format!("{{ address = \"{space}\", cost = {cost} }}"))
                    .collect();
                text += &format!(
                    "[[connector]]\nname = \"to-{}\"\nremote_mta = \"MTA-{to}\"\n\
                     remote_password = \"password of {to}\"\nhosts = [\"{}\"]\naddress_space = [{}]\n{}{}\n\
                     [connector.retry]\n{}\n[connector.association]\nlifetime_s = 1\n",
                    link.to.to_lowercase(),
                    proxy.address(),
                    spaces.join(", "),
                    link.relay,
                    link.lines,
                    link.retry,
                    to = link.to,
                );
                wires.insert((node.name.clone(), link.to.clone()), proxy);
            }
            site.configure(&(text + &node.more));
        }
        Network { sites, wires }
    }

    /// The MTAs, running.
    pub fn start(nodes: &[Node]) -> Network {
        let mut network = Network::build(nodes);
        network.sites.values_mut().for_each(Site::start);
        network
    }

    /// One of them.
    pub fn site(&self, name: &str) -> &Site {
        &self.sites[name]
    }

    /// One of them, to be started or stopped.
    pub fn site_mut(&mut self, name: &str) -> &mut Site {
        self.sites.get_mut(name).expect("there is such a site")
    }

    /// What lies between the end that connects and the end that listens.
    pub fn wire(&self, from: &str, to: &str) -> &Proxy {
        &self.wires[&(from.to_owned(), to.to_owned())]
    }

    /// Waits until nothing is waiting anywhere.
    pub fn wait_until_empty(&self) {
        self.sites.values().for_each(Site::wait_until_empty);
        // What left the first while the last was looked at is somewhere in between.
        wait_for("empty queues everywhere", || {
            self.sites.values().all(|site| site.waiting().is_empty()).then_some(())
        });
    }

    /// Waits until every association was released, so that captures are whole.
    pub fn wait_for_silence(&self) {
        wait_for("the release of all associations", || {
            let ended = |wire: &Proxy| wire.recordings().iter().all(|recording| recording.ended);
            self.wires.values().all(ended).then_some(())
        });
    }

    /// Messages, probes and reports transferred into all MTAs together.
    pub fn transfers(&self) -> u64 {
        self.sites.values().map(|site| site.counter("transferred_in")).sum()
    }

    /// What was transferred from one MTA to another, over associations that either of them opened.
    pub fn sent(&self, from: &str, to: &str) -> Vec<MtsApdu> {
        let over = |opener: &str, other: &str, side: Side| {
            let wire = self.wires.get(&(opener.to_owned(), other.to_owned()));
            wire.map(|wire| sent_over(wire, side)).unwrap_or_default()
        };
        let mut all = over(from, to, Side::Initiator);
        all.extend(over(to, from, Side::Responder));
        all
    }

    /// The messages among them.
    pub fn messages(&self, from: &str, to: &str) -> Vec<MessageTransferEnvelope> {
        let messages = self.sent(from, to).into_iter().filter_map(|apdu| match apdu {
            MtsApdu::Message(message) => Some(message.envelope),
            MtsApdu::Report(_) | MtsApdu::Probe(_) => None,
        });
        messages.collect()
    }

    /// The reports among them.
    pub fn reports(&self, from: &str, to: &str) -> Vec<Report> {
        let reports = self.sent(from, to).into_iter().filter_map(|apdu| match apdu {
            MtsApdu::Report(report) => Some(*report),
            MtsApdu::Message(_) | MtsApdu::Probe(_) => None,
        });
        reports.collect()
    }

    /// The probes among them.
    pub fn probes(&self, from: &str, to: &str) -> Vec<ProbeTransferEnvelope> {
        let probes = self.sent(from, to).into_iter().filter_map(|apdu| match apdu {
            MtsApdu::Probe(probe) => Some(*probe),
            MtsApdu::Message(_) | MtsApdu::Report(_) => None,
        });
        probes.collect()
    }

    /// Has tshark judge all wires together. With the environment variable `CHAPPE_WRITE_CAPTURES` set to 1, the capture
    /// becomes the regression vector called `run`.
    pub fn judge(&self, run: &str) {
        self.wait_for_silence();
        let recordings: Vec<_> = self.wires.values().flat_map(Proxy::recordings).collect();
        let mut capture = PcapBuilder::new();
        for (initiator, recording) in (40_000..).zip(&recordings) {
            let turns = recording.segments.iter().map(|segment| (segment.side, segment.octets.as_slice()));
            capture = capture.conversation(Ports { initiator, responder: 102 }, turns);
        }
        if std::env::var_os("CHAPPE_WRITE_CAPTURES").is_some_and(|value| value == "1") {
            let directory = repository().join("crates/testkit/fixtures/networks");
            capture.write_to(&directory.join(format!("{run}.pcap"))).expect("the directory takes a file");
        }
        let Some(tshark) = Tshark::required_by(run) else { return };
        let octets = capture.into_vec();
        if let Err(complaints) = tshark.check_octets(&octets, PORT) {
            panic!("{run}: {complaints}");
        }
        let apdus = tshark.fields_of_octets(&octets, PORT, "p1.MTS_APDU", &["p1.MTS_APDU"]);
        let seen: usize = apdus.iter().map(|row| row[0].split(',').count()).sum();
        let sides = |wire| [Side::Initiator, Side::Responder].map(|side| sent_over(wire, side).len());
        let ours: usize = self.wires.values().flat_map(sides).sum();
        assert_eq!(seen, ours, "{run}");
    }
}

fn sent_over(wire: &Proxy, side: Side) -> Vec<MtsApdu> {
    let mut all = Vec::new();
    for recording in wire.recordings() {
        let octets: Vec<u8> = (recording.segments.iter())
            .filter(|segment| segment.side == side)
            .flat_map(|segment| segment.octets.iter().copied())
            .collect();
        if tsdus_of(&octets).is_empty() {
            continue;
        }
        let segments = recording.segments.iter().map(|segment| (segment.side, segment.octets.as_slice()));
        let capture = PcapBuilder::new().conversation(Ports::default(), segments).into_vec();
        let capture = Capture::parse(&capture).expect("a capture that was made here is read here");
        let transfers = capture.connections.iter().flat_map(|connection| connection.transfers(side));
        // Not yet ended, it is not yet transferred.
        let apdus = transfers.filter(|transfer| transfer.ended).filter_map(|transfer| transfer.apdu());
        all.extend(apdus.map(|apdu| MtsApdu::from_octets(&apdu).expect("an APDU of ours is read")));
    }
    all
}

/// The domains that a trace names, in order.
pub fn domains(trace: &TraceInformation) -> Vec<String> {
    trace.iter().map(|element| element.domain.prmd.clone().unwrap_or_default()).collect()
}
