//! Every state of the transport machine with everything that can happen in it. What is expected stands in
//! `tables/cotp.txt`; a new state, TPDU, request or event does not compile here until it has its place.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use core::time::Duration;

use clock::MonoTime;
use osi::cotp::tpdu::{Connect, encode_dt};
use osi::cotp::{
    Cotp, CotpAction, CotpConfig, CotpError, CotpEvent, CotpState, TDisconnectReason, TIndication, TRequest,
    Tpdu,
};
use osi::failure::Blame;

#[path = "support/table.rs"]
mod table;
use table::Block;

const TABLE: &str = include_str!("tables/cotp.txt");
const LATER: MonoTime = MonoTime::after_start(Duration::from_secs(3600));
const LIMIT: usize = 10;

fn config() -> CotpConfig {
    CotpConfig { called_selector: b"tsB".to_vec(), max_tsdu: LIMIT, ..CotpConfig::default() }
}

fn after_state(state: Option<CotpState>) -> Option<CotpState> {
    Some(match state {
        None => CotpState::NotStarted,
        Some(CotpState::NotStarted) => CotpState::AwaitCc,
        Some(CotpState::AwaitCc) => CotpState::AwaitCr,
        Some(CotpState::AwaitCr) => CotpState::AwaitUser,
        Some(CotpState::AwaitUser) => CotpState::Open,
        Some(CotpState::Open) => CotpState::Closed,
        Some(CotpState::Closed) => return None,
    })
}

fn cc() -> Connect {
    Connect { destination: 1, source: 9, ..Connect::default() }
}

fn after_tpdu(tpdu: Option<&Tpdu>) -> Option<Tpdu> {
    Some(match tpdu {
        None => Tpdu::Cr(Connect { source: 5, ..Connect::default() }),
        Some(Tpdu::Cr(_)) => Tpdu::Cc(cc()),
        Some(Tpdu::Cc(_)) => Tpdu::Dr { destination: 1, source: 9, reason: 3, information: vec![] },
        Some(Tpdu::Dr { .. }) => Tpdu::Dt { end_of_tsdu: true, data: vec![1] },
        Some(Tpdu::Dt { .. }) => Tpdu::Er { destination: 1, cause: 2, invalid: vec![1] },
        Some(Tpdu::Er { .. }) => return None,
    })
}

/// TPDUs of the same kinds that are to be taken in another way, and octets that are none.
fn variants() -> Vec<(&'static str, Vec<u8>)> {
    let tpdu = |tpdu: Tpdu| tpdu.encode().unwrap();
    let class_4 = Connect { source: 5, class: 4, ..Connect::default() };
    vec![
        ("CR/class-4", tpdu(Tpdu::Cr(class_4.clone()))),
        ("CR/class-4-or-0", tpdu(Tpdu::Cr(Connect { class_0_alternative: true, ..class_4 }))),
        ("CR/unknown-parameter", b"\x09\xE0\0\0\0\x05\0\x99\x01\0".to_vec()),
        ("CR/bad-parameter", b"\x09\xE0\0\0\0\x05\0\xC0\x01\0".to_vec()),
        ("CC/class-2", tpdu(Tpdu::Cc(Connect { class: 2, ..cc() }))),
        ("CC/reference", tpdu(Tpdu::Cc(Connect { destination: 2, ..cc() }))),
        ("CC/unknown-parameter", b"\x09\xD0\0\x01\0\x09\0\x99\x01\0".to_vec()),
        ("DT/more", encode_dt(false, &[1])),
        ("DT/empty", encode_dt(true, &[])),
        ("DT/too-long", encode_dt(true, &[1; LIMIT + 1])),
        ("DC", b"\x05\xC0\0\x01\0\x09".to_vec()),
        ("ED", b"\x02\x10\x80\x01".to_vec()),
        ("AK", b"\x04\x60\0\x01\0".to_vec()),
        ("cut-off", vec![9, 0xE0, 0]),
        ("reserved-length", b"\xFF\xF0\x80".to_vec()),
    ]
}

fn after_request(request: Option<&TRequest>) -> Option<TRequest> {
    Some(match request {
        None => TRequest::Accept,
        Some(TRequest::Accept) => TRequest::Refuse { reason: 3 },
        Some(TRequest::Refuse { .. }) => TRequest::Data(vec![1]),
        Some(TRequest::Data(_)) => TRequest::DataPart { octets: vec![1], last: false },
        Some(TRequest::DataPart { .. }) => TRequest::Disconnect,
        Some(TRequest::Disconnect) => return None,
    })
}

fn request_name(request: &TRequest) -> &'static str {
    match request {
        TRequest::Accept => "T-CONNECT.rsp",
        TRequest::Refuse { .. } => "T-CONNECT.refuse",
        TRequest::Data(_) => "T-DATA.req",
        TRequest::DataPart { .. } => "T-DATA.req/part",
        TRequest::Disconnect => "T-DISCONNECT.req",
    }
}

/// The events that are no TPDU and no request, by an exhaustive match.
fn after_other(event: Option<&CotpEvent<'_>>) -> Option<(&'static str, CotpEvent<'static>)> {
    Some(match event {
        None => ("TCP-connected", CotpEvent::Start),
        Some(CotpEvent::Start) => ("TCP-closed", CotpEvent::TransportClosed),
        Some(CotpEvent::TransportClosed) => ("timer", CotpEvent::Deadline),
        Some(CotpEvent::Deadline | CotpEvent::Tpdu(_) | CotpEvent::Request(_)) => return None,
    })
}

fn machine(state: CotpState) -> Cotp {
    let step = |machine: &mut Cotp, event: CotpEvent<'_>| {
        machine.handle(MonoTime::START, event, &mut Vec::new()).unwrap();
    };
    let mut initiator = Cotp::initiator(config());
    let mut responder = Cotp::responder(config());
    step(&mut responder, CotpEvent::Start);
    match state {
        CotpState::NotStarted => initiator,
        CotpState::AwaitCc => {
            step(&mut initiator, CotpEvent::Start);
            initiator
        }
        CotpState::AwaitCr => responder,
        CotpState::AwaitUser => {
            step(&mut responder, CotpEvent::Tpdu(b"\x06\xE0\0\0\0\x05\0"));
            responder
        }
        CotpState::Open => {
            step(&mut responder, CotpEvent::Tpdu(b"\x06\xE0\0\0\0\x05\0"));
            step(&mut responder, CotpEvent::Request(TRequest::Accept));
            responder
        }
        CotpState::Closed => {
            step(&mut responder, CotpEvent::Request(TRequest::Disconnect));
            responder
        }
    }
}

/// All states, and those of which there is more than one kind.
fn machines() -> Vec<(String, Cotp)> {
    let mut machines = Vec::new();
    let mut state = after_state(None);
    while let Some(now) = state {
        let machine = machine(now);
        assert_eq!(machine.state(), now);
        machines.push((now.name().to_owned(), machine));
        state = after_state(state);
    }
    machines.push(("awaiting CR, TCP not connected".to_owned(), Cotp::responder(config())));
    let mut begun = machine(CotpState::Open);
    begun.handle(MonoTime::START, CotpEvent::Tpdu(&encode_dt(false, &[1])), &mut Vec::new()).unwrap();
    machines.push(("open, a TSDU has begun".to_owned(), begun));
    let mut used = machine(CotpState::Open);
    used.user_is_open(LIMIT);
    machines.push(("open, the user's connection too".to_owned(), used.clone()));
    used.pass_on(2);
    machines.push(("open, long TSDUs are passed on".to_owned(), used.clone()));
    used.handle(MonoTime::START, CotpEvent::Tpdu(&encode_dt(false, &[1; 3])), &mut Vec::new()).unwrap();
    machines.push(("open, a TSDU is being passed on".to_owned(), used));
    let mut sending = machine(CotpState::Open);
    let part = TRequest::DataPart { octets: vec![1; 3], last: false };
    sending.handle(MonoTime::START, CotpEvent::Request(part), &mut Vec::new()).unwrap();
    machines.push(("open, a TSDU is being sent in parts".to_owned(), sending));
    machines
}

enum Given {
    Tpdu(Vec<u8>),
    Other(CotpEvent<'static>),
}

fn events() -> Vec<(String, Given)> {
    let mut events = Vec::new();
    let mut tpdu = after_tpdu(None);
    while let Some(now) = tpdu {
        events.push((now.name().to_owned(), Given::Tpdu(now.encode().unwrap())));
        tpdu = after_tpdu(Some(&now));
    }
    events.extend(variants().into_iter().map(|(name, octets)| (name.to_owned(), Given::Tpdu(octets))));
    let mut request = after_request(None);
    while let Some(now) = request {
        request = after_request(Some(&now));
        events.push((request_name(&now).to_owned(), Given::Other(CotpEvent::Request(now))));
    }
    let mut other = after_other(None);
    while let Some((name, now)) = other {
        other = after_other(Some(&now));
        events.push((name.to_owned(), Given::Other(now)));
    }
    events
}

fn action_name(action: &CotpAction) -> String {
    match action {
        CotpAction::Close => "close".to_owned(),
        CotpAction::Tpdu(tpdu) => match Tpdu::decode(tpdu).unwrap() {
            Tpdu::Dr { reason, destination, .. } => format!("DR({reason:#04x} to {destination})"),
            Tpdu::Er { cause, destination, .. } => format!("ER({cause} to {destination})"),
            tpdu => tpdu.name().to_owned(),
        },
        CotpAction::Indication(indication) => match indication {
            TIndication::Connect { .. } => "T-CONNECT.ind".to_owned(),
            TIndication::Confirm => "T-CONNECT.cnf".to_owned(),
            TIndication::Data(_) => "T-DATA.ind".to_owned(),
            TIndication::DataPart { last: false, .. } => "T-DATA.ind/part".to_owned(),
            TIndication::DataPart { last: true, .. } => "T-DATA.ind/last".to_owned(),
            TIndication::TooLong { .. } => "too-long".to_owned(),
            TIndication::Disconnect(disconnect) => format!(
                "T-DISCONNECT.ind({}{})",
                match disconnect.reason {
                    TDisconnectReason::Dr(reason) => format!("DR {reason:#04x}"),
                    TDisconnectReason::Er(cause) => format!("ER {cause}"),
                    TDisconnectReason::Closed => "TCP closed".to_owned(),
                },
                if disconnect.established { "" } else { ", not established" }
            ),
        },
    }
}

fn outcome(machine: &mut Cotp, given: &Given) -> String {
    let before = (machine.state(), format!("{machine:?}"));
    let mut out = Vec::new();
    let event = match given {
        Given::Tpdu(tpdu) => CotpEvent::Tpdu(tpdu),
        Given::Other(event) => event.clone(),
    };
    let result = machine.handle(LATER, event, &mut out);
    let mut parts: Vec<String> = out.iter().map(action_name).collect();
    match result {
        Err(error @ CotpError::RequestOutOfState { .. }) => {
            assert_eq!((error.blame(), format!("{machine:?}")), (Blame::Local, before.1));
            assert!(out.is_empty());
            return "refused".to_owned();
        }
        Err(error) => {
            assert_ne!(error.blame(), Blame::Local);
            assert!(machine.is_closed());
            assert_eq!(out.last(), Some(&CotpAction::Close));
            parts.push(format!("({:?})", error.blame()));
        }
        Ok(()) => {}
    }
    if parts.is_empty() {
        parts.push("nothing".to_owned());
    }
    if machine.state() != before.0 {
        parts.push(format!("-> {}", machine.state()));
    }
    parts.join(" ")
}

#[test]
fn every_state_and_every_event_are_in_the_table() {
    let (events, machines) = (events(), machines());
    assert_eq!((machines.len(), events.len()), (12, 28));
    let mut cells = 0;
    let mut blocks = Vec::new();
    for (state, machine) in machines {
        let cells_of = |(name, given): &(String, Given)| (name.clone(), outcome(&mut machine.clone(), given));
        let block = Block { state, cells: events.iter().map(cells_of).collect() };
        cells += block.cells.len();
        blocks.push(block);
    }
    assert_eq!(cells, 12 * 28);
    table::assert_is(&blocks, TABLE);
}
