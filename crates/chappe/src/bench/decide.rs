//! The agent alone: how fast it decides, without a store, a disk or a network around it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use agent::record::{Item, Record, Source, Tries, WorkKey, WorkRecord};
use agent::settings::{AddressSpaceEntry, ConnectorSettings, DistributionList, MtaSettings, RelayTo};
use agent::{Agent, AgentSettings, AllWell, Moment, Processed, Sequence};
use clock::WallTime;
use mhs::p1::{
    MessageTransferEnvelope, OriginatingMtaReport, OriginatorReport, PerRecipientFields,
    PerRecipientIndicators, TraceInformation, TraceInformationElement,
};
use mhs::{AddressPattern, ContentType, MtaName, MtsIdentifier, OrAddress, UtcTime};
use spool::BodyId;

use super::{BenchError, DecideArgs};

/// Recipients of the messages that are measured.
const RECIPIENTS: [usize; 3] = [1, 100, 10_000];
/// Domains behind connectors; the next one is delivered here.
const DOMAINS: usize = 3;

struct Counter(AtomicU64);

impl Sequence for Counter {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// One row of figures.
struct Row {
    what: &'static str,
    recipients: usize,
    decisions: u64,
    took: Duration,
}

impl Row {
    fn per_second(&self) -> f64 {
        self.decisions as f64 / self.took.as_secs_f64()
    }

    fn microseconds_per_recipient(&self) -> f64 {
        1e6 / self.per_second() / self.recipients as f64
    }
}

pub(super) fn run(args: &DecideArgs) -> Result<(), BenchError> {
    let each = Duration::from_secs(args.seconds);
    let mut rows = Vec::new();
    for recipients in RECIPIENTS {
        let (agent, record) = fan_out(recipients)?;
        rows.push(measure("fan-out", recipients, &agent, &record, each));
    }
    for members in RECIPIENTS {
        let (agent, record) = expansion(members)?;
        rows.push(measure("list", members, &agent, &record, each));
    }
    if args.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                serde_json::json!({
                    "what": row.what, "recipients": row.recipients, "decisions_per_second": row.per_second(),
                    "microseconds_per_recipient": row.microseconds_per_recipient(),
                })
            })
            .collect();
        println!("{}", serde_json::Value::from(rows));
        return Ok(());
    }
    println!("{:<8} {:>10} {:>14} {:>14}", "what", "recipients", "decisions/s", "us/recipient");
    for row in &rows {
        let (rate, each) = (row.per_second(), row.microseconds_per_recipient());
        println!("{:<8} {:>10} {rate:>14.0} {each:>14.2}", row.what, row.recipients);
    }
    Ok(())
}

/// Decides about the same item again and again; nothing is stored, so that each time is like the first.
fn measure(what: &'static str, recipients: usize, agent: &Agent, record: &WorkRecord, each: Duration) -> Row {
    let counter = Counter(AtomicU64::new(1));
    let moment = Moment { now: NOW, sequence: &counter, links: &AllWell };
    let key = WorkKey { rank: agent::record::Rank::Normal, sequence: 0 }.encode();
    let octets = record.encode();
    let (start, mut decisions) = (Instant::now(), 0);
    while start.elapsed() < each {
        // Reading the record belongs to a decision as much as encoding what follows from it.
        let Ok(record) = WorkRecord::decode(&octets) else { break };
        match agent.process(moment, &key, &record, false) {
            Processed::Done(step) => drop(std::hint::black_box(step)),
            Processed::NotBefore(_) | Processed::ContentWanted { .. } => break,
        }
        decisions += 1;
    }
    Row { what, recipients, decisions, took: start.elapsed() }
}

const NOW: WallTime = WallTime::from_unix(1_795_321_800);

fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::Mta(error.to_string())
}

fn address(number: usize, domain: usize) -> Result<OrAddress, BenchError> {
    format!("S=user{number};O=Acme;P=D{domain};A= ;C=GB").parse().map_err(failed)
}

fn settings() -> Result<AgentSettings, BenchError> {
    let domain = format!("C=GB;A= ;P=D{DOMAINS}").parse().map_err(failed)?;
    let mut mta = MtaSettings::new(MtaName::new("MTA").map_err(failed)?, domain);
    mta.local = vec![AddressPattern::parse(&format!("P=D{DOMAINS};A= ;C=GB")).map_err(failed)?];
    let mut connectors = Vec::new();
    for number in 0..DOMAINS {
        let remote = MtaName::new(&format!("MTA-{number}")).map_err(failed)?;
        let mut connector = ConnectorSettings::new(format!("to-{number}"), remote);
        connector.hosts = vec!["127.0.0.1".to_owned()];
        let space = AddressPattern::parse(&format!("P=D{number};A= ;C=GB")).map_err(failed)?;
        connector.address_space = vec![AddressSpaceEntry { space, cost: 1 }];
        connector.relay_to = RelayTo::Anywhere;
        connectors.push(connector);
    }
    Ok(AgentSettings::new(mta, connectors))
}

fn agent(settings: AgentSettings) -> Result<Agent, BenchError> {
    Agent::new(settings).map_err(|problems| match problems.first() {
        Some(problem) => failed(problem),
        None => failed("the settings are refused"),
    })
}

/// A message for so many recipients: three of four behind connectors, the fourth here.
fn fan_out(recipients: usize) -> Result<(Agent, WorkRecord), BenchError> {
    let addresses = (0..recipients).map(|number| address(number, number % (DOMAINS + 1)));
    let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
    Ok((agent(settings()?)?, message(addresses)?))
}

/// A message for a list with so many members.
fn expansion(members: usize) -> Result<(Agent, WorkRecord), BenchError> {
    let members = (0..members).map(|number| address(number, number % DOMAINS));
    let members = members.collect::<Result<Vec<_>, _>>()?.into_iter().collect();
    let list: OrAddress = format!("CN=list;P=D{DOMAINS};A= ;C=GB").parse().map_err(failed)?;
    let mut settings = settings()?;
    settings.lists.push(DistributionList::new(list.clone(), members));
    Ok((agent(settings)?, message(vec![list])?))
}

fn message(recipients: Vec<OrAddress>) -> Result<WorkRecord, BenchError> {
    let domain: mhs::GlobalDomainIdentifier = "C=GB;A= ;P=ORIGIN".parse().map_err(failed)?;
    let fields = (1_i64..).zip(recipients).map(|(number, address)| {
        let (mta, originator) = (OriginatingMtaReport::NonDelivery, OriginatorReport::NonDelivery);
        PerRecipientFields::new(address.into(), number, PerRecipientIndicators::new(true, mta, originator))
    });
    let trace = TraceInformationElement::relayed(domain.clone(), UtcTime::from_wall(NOW));
    let originator: OrAddress = "S=origin;O=Acme;P=ORIGIN;A= ;C=GB".parse().map_err(failed)?;
    let envelope = MessageTransferEnvelope::new(
        MtsIdentifier::new(domain, "bench").map_err(failed)?,
        originator.into(),
        ContentType::P22,
        fields.collect(),
        TraceInformation::new(vec![trace.into()]),
    );
    Ok(WorkRecord {
        item: Item::Message { envelope: envelope.to_octets(), body: BodyId(1), content_length: 2048 },
        source: Source::Submission,
        arrived: NOW,
        exhausted: Vec::new(),
        failure: None,
        tries: Tries::default(),
    })
}
