//! Networks of MTAs, drawn at random: whoever is connected with whom, whatever each of them believes about the others,
//! whatever fails and whatever their clocks say, every message ends, and every recipient is settled once.

use std::collections::HashMap;

use agent::record::{MAILBOX, MailboxItem, MailboxRecord, OUTBOUND, OutboundRecord, Record, WORK};
use agent::settings::{
    AddressSpaceEntry, ConnectorSettings, DistributionList, MtaSettings, Redirect, RedirectFrom, RelayTo,
};
use agent::{
    Agent, AgentSettings, Effect, Failed, Processed, ReportRequest, Submission, TransferFailure,
    TransferFailureKind,
};
use mhs::{MtaName, OrAddress};
use proptest::prelude::*;
use spool::Spool;

use crate::bench::{Mta, NOW, address, pattern, user};

/// Transfers after which a network that still carries mail is taken to do so for ever.
const ENOUGH: usize = 20_000;
/// A hop limit that lets loops which no trace can tell end within [`ENOUGH`].
const HOP_LIMIT: u32 = 25;

const NAMES: [&str; 5] = ["A", "B", "C", "D", "E"];

/// What an MTA believes to be behind a link.
#[derive(Clone, Copy, Debug)]
enum Belief {
    /// The peer alone.
    Peer,
    /// Everything that it does not know better.
    World,
    /// The domain of some other MTA.
    Domain(usize),
}

#[derive(Clone, Debug)]
struct Link {
    ends: (usize, usize),
    beliefs: (Belief, Belief),
    strips_trace: bool,
    relays: bool,
    /// Both ends leave deferred mail to each other.
    defers: bool,
}

/// A name in the network: most of them exist.
#[derive(Clone, Copy, Debug)]
enum Name {
    User { mta: usize, number: usize },
    List(usize),
    Nowhere,
}

#[derive(Clone, Debug)]
struct World {
    mtas: usize,
    links: Vec<Link>,
    /// MTA and members of each list.
    lists: Vec<(usize, Vec<Name>)>,
    /// MTA, whose mail, to whom, and whether only what is urgent.
    redirections: Vec<(usize, Name, Name, bool)>,
    shared_domain: bool,
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Deed {
    Submit {
        from: usize,
        to: Vec<Name>,
        alternate: Option<Name>,
        deferred_h: Option<i64>,
        urgent: bool,
    },
    /// One of the waiting items is transferred.
    Transfer(prop::sample::Index),
    /// The same, and because its answer is lost, once again.
    TransferTwice(prop::sample::Index),
    Fail(prop::sample::Index, bool),
    /// The clock of an MTA is set.
    Clock {
        mta: usize,
        hours: i64,
    },
}

fn belief() -> impl Strategy<Value = Belief> {
    prop_oneof![2 => Just(Belief::Peer), 3 => Just(Belief::World), 1 => (0..5_usize).prop_map(Belief::Domain)]
}

fn link() -> impl Strategy<Value = Link> {
    let strips_trace = prop::bool::weighted(0.2);
    let relays = prop::bool::weighted(0.8);
    let defers = prop::bool::weighted(0.4);
    (0..5_usize, 1..5_usize, belief(), belief(), strips_trace, relays, defers).prop_map(
        |(one, other, here, there, strips_trace, relays, defers)| Link {
            ends: (one, (one + other) % 5),
            beliefs: (here, there),
            strips_trace,
            relays,
            defers,
        },
    )
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        6 => (0..5_usize, 0..4_usize).prop_map(|(mta, number)| Name::User { mta, number }),
        3 => (0..3_usize).prop_map(Name::List),
        1 => Just(Name::Nowhere),
    ]
}

fn world() -> impl Strategy<Value = World> {
    let links = prop::collection::vec(link(), 1..8);
    let lists = prop::collection::vec((0..5_usize, prop::collection::vec(name(), 1..4)), 0..3);
    let redirections = prop::collection::vec((0..5_usize, name(), name(), any::<bool>()), 0..3);
    (2..=5_usize, links, lists, redirections, prop::bool::weighted(0.2)).prop_map(
        |(mtas, links, lists, redirections, shared_domain)| World {
            mtas,
            links,
            lists,
            redirections,
            shared_domain,
        },
    )
}

fn deed() -> impl Strategy<Value = Deed> {
    let submit = (
        0..5_usize,
        prop::collection::vec(name(), 1..5),
        prop::option::weighted(0.3, name()),
        prop::option::weighted(0.2, 1..100_i64),
        any::<bool>(),
    )
        .prop_map(|(from, to, alternate, deferred_h, urgent)| Deed::Submit {
            from,
            to,
            alternate,
            deferred_h,
            urgent,
        });
    let which = any::<prop::sample::Index>;
    prop_oneof![
        4 => submit,
        8 => which().prop_map(Deed::Transfer),
        2 => which().prop_map(Deed::TransferTwice),
        3 => (which(), any::<bool>()).prop_map(|(which, permanent)| Deed::Fail(which, permanent)),
        1 => (0..5_usize, -200..400_i64).prop_map(|(mta, hours)| Deed::Clock { mta, hours }),
    ]
}

impl Name {
    fn address(self, world: &World) -> OrAddress {
        match self {
            Name::User { mta, number } => user(&format!("u{number}"), NAMES[mta]),
            Name::List(number) => match world.lists.get(number) {
                Some((mta, _)) => address(&format!("CN=list{number};P={};A= ;C=GB", NAMES[*mta])),
                None => user("nobody", "A"),
            },
            Name::Nowhere => address("S=x;O=Acme;A= ;C=FR"),
        }
    }
}

impl World {
    fn settings(&self, index: usize) -> AgentSettings {
        let name = NAMES[index];
        let domain = format!("C=GB;A= ;P={name}").parse().unwrap();
        let mut mta = MtaSettings::new(MtaName::new(&format!("MTA-{name}")).unwrap(), domain);
        mta.local = vec![pattern(&format!("P={name};A= ;C=GB"))];
        // u3 does not exist.
        mta.mailboxes = Some((0..3).map(|number| user(&format!("u{number}"), name)).collect());
        mta.hop_limit = HOP_LIMIT;
        mta.shared_domain = self.shared_domain;
        let mut settings = AgentSettings::new(mta, Vec::new());
        for link in &self.links {
            let (peer, belief) = match link.ends {
                (one, other) if one == index => (other, link.beliefs.0),
                (one, other) if other == index => (one, link.beliefs.1),
                _ => continue,
            };
            let connector_name = format!("to-{}", NAMES[peer]);
            if peer >= self.mtas || settings.connector(&connector_name).is_some() {
                continue;
            }
            let remote = MtaName::new(&format!("MTA-{}", NAMES[peer])).unwrap();
            let mut connector = ConnectorSettings::new(connector_name, remote);
            connector.hosts = vec!["127.0.0.1".into()];
            let space = match belief {
                Belief::Peer => format!("P={};A= ;C=GB", NAMES[peer]),
                Belief::World => "C=GB".to_owned(),
                Belief::Domain(other) => format!("P={};A= ;C=GB", NAMES[other]),
            };
            connector.address_space = vec![AddressSpaceEntry { space: pattern(&space), cost: 1 }];
            connector.strip_internal_trace = link.strips_trace;
            connector.pass_on_deferred = link.defers;
            connector.relay_to = if link.relays { RelayTo::Anywhere } else { RelayTo::Nowhere };
            settings.connectors.push(connector);
        }
        for (number, (mta, members)) in self.lists.iter().enumerate() {
            if *mta == index {
                let mut members: Vec<OrAddress> = members.iter().map(|name| name.address(self)).collect();
                members.sort_by_key(OrAddress::canonical_key);
                members.dedup();
                let list =
                    DistributionList::new(Name::List(number).address(self), members.into_iter().collect());
                settings.lists.push(list);
            }
        }
        for (mta, from, to, urgent) in &self.redirections {
            let (from, to) = (from.address(self), to.address(self));
            let is_new = settings.redirections.iter().all(|r| r.from != RedirectFrom::Address(from.clone()));
            if *mta == index && is_new && from.canonical_key() != to.canonical_key() {
                let mut redirect = Redirect::new(RedirectFrom::Address(from), to);
                redirect.class.priorities = urgent.then(|| vec![agent::record::Rank::Urgent]);
                settings.redirections.push(redirect);
            }
        }
        settings
    }
}

struct Network {
    mtas: Vec<Mta>,
    transfers: usize,
}

/// An item that waits, and where.
struct Waiting {
    mta: usize,
    peer: usize,
    key: Vec<u8>,
    record: OutboundRecord,
}

impl Network {
    fn new(world: &World) -> Network {
        let mtas = (0..world.mtas).map(|index| Mta::new(world.settings(index))).collect();
        Network { mtas, transfers: 0 }
    }

    fn waiting(&self) -> Vec<Waiting> {
        let mut waiting = Vec::new();
        for (index, mta) in self.mtas.iter().enumerate() {
            for (key, value) in mta.scan(OUTBOUND, b"") {
                let record = OutboundRecord::decode(&value).unwrap();
                let connector = agent::record::OutboundKey::parse(&key).unwrap().connector;
                let peer = NAMES.iter().position(|name| connector == format!("to-{name}")).unwrap();
                waiting.push(Waiting { mta: index, peer, key, record });
            }
        }
        waiting
    }

    fn transfer(&mut self, item: &Waiting, times: usize) {
        let apdu = self.mtas[item.mta].apdu(&format!("to-{}", NAMES[item.peer]), &item.record);
        let incoming = format!("to-{}", NAMES[item.mta]);
        for time in 0..times {
            let received = self.mtas[item.peer].receive(&incoming, &apdu);
            assert!(time == 0 || received.is_err(), "the repetition is recognised");
        }
        self.mtas[item.peer].work();
        let step = self.mtas[item.mta].agent.transferred(&item.key, &item.record, None);
        self.mtas[item.mta].commit(step);
        self.transfers += 1;
        assert!(self.transfers < ENOUGH, "a loop without end");
    }

    fn fail(&mut self, item: &Waiting, permanent: bool) {
        let kind =
            if permanent { TransferFailureKind::RefusedPermanent } else { TransferFailureKind::Interrupted };
        let failure = TransferFailure { kind, text: "no".into() };
        let mta = &mut self.mtas[item.mta];
        let failed = mta.agent.transfer_failed(mta.now, &mta.counter, &item.key, &item.record, &failure);
        match failed {
            Failed::Retry { step, .. } | Failed::Settled(step) => mta.commit(step),
        }
        mta.work();
    }

    /// What a clock that was set leads to.
    fn set_clock(&mut self, index: usize, hours: i64) {
        let Some(mta) = self.mtas.get_mut(index) else { return };
        mta.now = mta.now.plus_seconds(hours * 3600);
        for (key, value) in mta.scan(OUTBOUND, b"") {
            let record = OutboundRecord::decode(&value).unwrap();
            if let Some(step) = mta.agent.expired(mta.now, &mta.counter, &key, &record) {
                mta.commit(step);
            }
        }
        mta.work();
    }

    fn deed(&mut self, world: &World, deed: &Deed) {
        match deed {
            Deed::Submit { from, to, alternate, deferred_h, urgent } => {
                let Some(mta) = self.mtas.get_mut(*from) else { return };
                let mut recipients: Vec<OrAddress> = to.iter().map(|name| name.address(world)).collect();
                recipients.sort_by_key(OrAddress::canonical_key);
                recipients.dedup();
                let mut submission = Submission::new(user("u0", NAMES[*from]), recipients)
                    .with_report_request(ReportRequest::Delivery);
                submission.priority =
                    if *urgent { mhs::p1::Priority::Urgent } else { mhs::p1::Priority::Normal };
                submission.deferred = deferred_h.map(|hours| mta.now.plus_seconds(hours * 3600));
                mta.submit(&submission);
                if let Some(alternate) = alternate {
                    with_alternate(mta, &alternate.address(world));
                }
                mta.work();
            }
            Deed::Transfer(which) | Deed::TransferTwice(which) | Deed::Fail(which, _) => {
                let waiting = self.waiting();
                if waiting.is_empty() {
                    return;
                }
                let item = which.get(&waiting);
                match deed {
                    Deed::Fail(_, permanent) => self.fail(item, *permanent),
                    Deed::TransferTwice(_) => self.transfer(item, 2),
                    Deed::Transfer(_) | Deed::Submit { .. } | Deed::Clock { .. } => self.transfer(item, 1),
                }
            }
            Deed::Clock { mta, hours } => self.set_clock(*mta, *hours),
        }
    }

    /// Everything is transferred until nothing waits, what is deferred as well.
    fn drain(&mut self) {
        for _ in 0..2 {
            loop {
                let waiting = self.waiting();
                if waiting.is_empty() {
                    break;
                }
                waiting.iter().for_each(|item| self.transfer(item, 1));
            }
            for mta in &mut self.mtas {
                mta.now = NOW.plus_seconds(3_000 * 86_400);
                assert_eq!(mta.work(), [], "nothing is deferred so long");
            }
        }
        for mta in &self.mtas {
            assert!(mta.scan(OUTBOUND, b"").is_empty() && mta.scan(WORK, b"").is_empty());
            assert_eq!(mta.quarantined(), 0);
        }
    }

    /// For each message, how many recipients it came to have and how many of them were settled.
    fn balance(&self) -> HashMap<String, (u64, u64)> {
        let mut balance: HashMap<String, (u64, u64)> = HashMap::new();
        let mut count = |identifier: String, born: u32, settled: u32| {
            let entry = balance.entry(identifier).or_default();
            entry.0 += u64::from(born);
            entry.1 += u64::from(settled);
        };
        for effect in self.mtas.iter().flat_map(|mta| &mta.effects) {
            match effect {
                Effect::Submitted { mts_identifier, recipients, .. } => {
                    count(mts_identifier.to_string(), *recipients, 0);
                }
                // Each recipient that is delivered to or not is reported on, since all ask for it.
                Effect::ReportMade { subject, delivered, non_delivered, .. } => {
                    count(subject.to_string(), 0, delivered + non_delivered);
                }
                // A list without anybody left to send to is reported on; any other becomes its members.
                Effect::Expanded { mts_identifier, members, .. } if *members > 0 => {
                    count(mts_identifier.to_string(), *members, 1);
                }
                Effect::ExpansionLoop { mts_identifier, .. } => count(mts_identifier.to_string(), 0, 1),
                _ => {}
            }
        }
        balance
    }

    /// Empties the mailboxes; what they held was the last that referred to any content.
    fn empty_mailboxes(&mut self) {
        for mta in &mut self.mtas {
            for (_, value) in mta.scan(MAILBOX, b"") {
                if let MailboxItem::Message { body, .. } = MailboxRecord::decode(&value).unwrap().kind {
                    let mut batch = spool::Batch::default();
                    batch.release(body);
                    mta.spool.commit(batch).wait().unwrap();
                }
            }
            assert_eq!(mta.spool.stats().bodies, 0);
        }
    }
}

/// Gives the recipients of what waits in the work queue an alternate recipient, as a user agent would have done.
fn with_alternate(mta: &mut Mta, alternate: &OrAddress) {
    use agent::record::{Item, WorkRecord};
    let number = mhs::p1::StandardExtension::ORIGINATOR_REQUESTED_ALTERNATE_RECIPIENT;
    for (key, value) in mta.scan(WORK, b"") {
        let mut record = WorkRecord::decode(&value).unwrap();
        let Item::Message { envelope, .. } = &mut record.item else { continue };
        let mut changed = mhs::p1::MessageTransferEnvelope::from_octets(envelope).unwrap();
        for recipient in &mut changed.per_recipient_fields {
            recipient.extensions.set_name(number, &alternate.clone().into());
        }
        *envelope = changed.to_octets();
        let mut batch = spool::Batch::default();
        batch.put(WORK, key, record.encode());
        mta.spool.commit(batch).wait().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_message_ends_and_every_recipient_is_settled_once(
        world in world(),
        deeds in prop::collection::vec(deed(), 1..40),
    ) {
        let mut network = Network::new(&world);
        for deed in &deeds {
            network.deed(&world, deed);
        }
        network.drain();
        for (identifier, (born, settled)) in network.balance() {
            prop_assert_eq!(born, settled, "{}", identifier);
        }
        network.empty_mailboxes();
    }
}

#[test]
fn whatever_agents_decide_again_they_decide_the_same() {
    // Nothing but settings, time, numbers and the state of the links goes into a decision: a crash before the commit changes nothing.
    let mut a = crate::bench::mta_a();
    a.submit(&Submission::new(user("alice", "A"), [user("bob", "B"), user("x", "Q"), user("al", "A")]));
    let (key, value) = a.scan(WORK, b"").remove(0);
    let record = agent::record::WorkRecord::decode(&value).unwrap();
    let decide = |agent: &Agent, first: u64| {
        let moment = agent::Moment { now: a.now, sequence: &Numbers::from(first), links: &a.links };
        match agent.process(moment, &key, &record, false) {
            Processed::Done(step) => format!("{step:?}"),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(decide(&a.agent, 50), decide(&a.agent.clone(), 50));
}

struct Numbers(std::sync::atomic::AtomicU64);

impl Numbers {
    fn from(first: u64) -> Numbers {
        Numbers(first.into())
    }
}

impl agent::Sequence for Numbers {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }
}
