//! Every state of the session machine with everything that can happen in it. What is expected stands in
//! `tables/session.txt`; a new state, SPDU, request or event does not compile until it has its place.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use clock::MonoTime;
use osi::failure::Blame;
use osi::session::spdu::{Cn, Enclosure, FunctionalUnits, Segmented, Spdu, UserData, decode_tsdu};
use osi::session::{
    SAccept, SConnect, SessionConfig, SessionError, Spm, SpmAction, SpmEvent, SsIndication, SsRequest,
};
use proptest::prelude::*;

#[path = "support/session_pair.rs"]
mod session_pair;
#[path = "support/session_samples.rs"]
mod session_samples;
#[path = "support/table.rs"]
mod table;
use session_pair::{INITIATOR, Pair, RESPONDER};
use session_samples::{Given, events, indication_name, item, machines};
use table::Block;

const TABLE: &str = include_str!("tables/session.txt");

/// What was done, in words.
fn outcome(machine: &mut Spm, given: &Given) -> String {
    let before = (machine.state(), format!("{machine:?}"));
    let mut out = Vec::new();
    let now = given.now(machine);
    let result = machine.handle(now, given.event(), &mut out);
    let mut parts: Vec<String> = out.iter().map(action_name).collect();
    match &result {
        Err(
            SessionError::RequestOutOfState { .. }
            | SessionError::RequestSerial { .. }
            | SessionError::RequestInvalid { .. },
        ) => {
            assert_eq!((out.as_slice(), format!("{machine:?}")), (&[][..], before.1));
            return "refused".to_owned();
        }
        Err(error) => {
            assert_ne!(error.blame(), Blame::Local, "{error}");
            let aborts = |action: &&SpmAction| matches!(action, SpmAction::Indication(SsIndication::ProviderAbort(abort)) if !abort.by_peer);
            assert_eq!(out.iter().filter(aborts).count(), 1, "{error}");
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

fn action_name(action: &SpmAction) -> String {
    match action {
        SpmAction::TDisconnect => "T-DISCONNECT.req".to_owned(),
        SpmAction::Indication(indication) => indication_name(indication).to_owned(),
        SpmAction::TsduPart { last: false, .. } => "part".to_owned(),
        SpmAction::TsduPart { last: true, .. } => "last".to_owned(),
        SpmAction::Tsdu(tsdu) => match decode_tsdu(tsdu).unwrap().pop().unwrap() {
            Spdu::Ab { transport_disconnect: Some(item), reflected, .. } => {
                assert!(reflected.len() <= 9);
                format!("AB({:#04x})", item.0)
            }
            Spdu::Rf(rf) => format!("RF({})", rf.reason),
            spdu => spdu.name().to_owned(),
        },
    }
}

#[test]
fn every_state_and_every_event_are_in_the_table() {
    let (events, machines) = (events(), machines());
    assert_eq!((machines.len(), events.len()), (38, 84));
    let mut cells = 0;
    let mut blocks = Vec::new();
    for (state, machine) in machines {
        let cells_of = |(name, given): &(String, Given)| (name.clone(), outcome(&mut machine.clone(), given));
        let block = Block { state, cells: events.iter().map(cells_of).collect() };
        cells += block.cells.len();
        blocks.push(block);
    }
    assert_eq!(cells, 38 * 84);
    table::assert_is(&blocks, TABLE);
}

#[test]
fn every_state_ends_by_its_deadlines() {
    for (state, mut machine) in machines() {
        let mut out = Vec::new();
        // Those without a deadline wait for their user or for the peer's next step.
        if machine.deadline().is_none() {
            continue;
        }
        for _ in 0..2 {
            if let Some(deadline) = machine.deadline() {
                let _ = machine.handle(deadline, SpmEvent::Deadline, &mut out);
            }
        }
        assert!(machine.is_closed() && machine.deadline().is_none(), "{state}");
        assert_eq!(out.last(), Some(&SpmAction::TDisconnect), "{state}");
    }
}

/// What an error of the peer has to leave behind.
fn assert_refused(state: &str, error: &SessionError, machine: &Spm, out: &[SpmAction]) {
    assert_ne!(error.blame(), Blame::Local, "{state}: {error}");
    if machine.is_closed() {
        assert!(out.contains(&SpmAction::TDisconnect), "{state}: {out:?}");
    } else {
        assert!(machine.deadline().is_some(), "{state}: the end is in sight");
    }
}

/// Limits so low that a test can reach them.
const MAX_SSDU: usize = 300;
const MAX_USER_DATA: usize = 600;

fn small() -> SessionConfig {
    SessionConfig {
        max_ssdu: MAX_SSDU,
        max_user_data: MAX_USER_DATA,
        tsdu_max: 200,
        ..SessionConfig::default()
    }
}

/// TSDUs that a peer can make of legal SPDUs with user data of any length.
fn any_tsdu() -> impl Strategy<Value = Vec<u8>> {
    let enclosure = prop::option::of((0u8..4).prop_map(Enclosure));
    let octets = prop_oneof![3 => 0usize..100, 1 => 0usize..1000].prop_map(|octets| vec![7; octets]);
    let kinds = events().len();
    (enclosure, octets, 0..kinds).prop_map(|(enclosure, octets, kind)| {
        let user = UserData { enclosure, octets };
        let spdu = match kind % 8 {
            0 => Spdu::Dt { enclosure: user.enclosure, data: user.octets },
            1 => Spdu::Ed { reason: None, user },
            2 => Spdu::Cdo { user },
            3 => Spdu::Pt { tokens: 1, user },
            4 => Spdu::Segment { of: Segmented::Ed, user },
            5 => Spdu::Segment { of: Segmented::Pt, user },
            _ => match &events()[kind].1 {
                Given::Tsdu(tsdu) => return tsdu.clone(),
                _ => Spdu::Dt { enclosure: user.enclosure, data: user.octets },
            },
        };
        spdu.to_tsdu().unwrap()
    })
}

proptest! {
    #[test]
    fn no_peer_makes_a_machine_hold_more_than_its_limits(
        tsdus in prop::collection::vec(any_tsdu(), 1..12), in_activity: bool, overflow: bool
    ) {
        let mut pair = Pair::new(small(), small(), SConnect::default());
        if overflow {
            let cn = Cn {
                user_requirements: Some(FunctionalUnits::RTSE),
                item: item(),
                data_overflow: true,
                user_data: vec![1; 500],
                ..Cn::default()
            };
            let cn = Spdu::Cn(cn).to_tsdu().unwrap();
            pair.event(RESPONDER, SpmEvent::Tsdu(&cn)).unwrap();
        } else {
            pair.settle();
            pair.ask(RESPONDER, SsRequest::ConnectAccept(SAccept::default()));
            pair.settle();
            if in_activity {
                pair.ask(INITIATOR, SsRequest::ActivityStart { activity: vec![1] });
                pair.settle();
            }
        }
        for spm in &mut pair.spms {
            for tsdu in &tsdus {
                let _ = spm.handle(MonoTime::START, SpmEvent::Tsdu(tsdu), &mut Vec::new());
                prop_assert!(spm.partial_octets() <= MAX_SSDU + MAX_USER_DATA);
            }
        }
    }

    #[test]
    fn garbage_never_panics_in_any_state(
        garbage in prop::collection::vec(
            prop::collection::vec(prop_oneof![0u8..64, Just(193), any::<u8>()], 0..60), 1..4)
    ) {
        for (state, mut machine) in machines() {
            for tsdu in &garbage {
                let mut out = Vec::new();
                let was_closed = machine.is_closed();
                if let Err(error) = machine.handle(MonoTime::START, SpmEvent::Tsdu(tsdu), &mut out) {
                    assert_refused(&state, &error, &machine, &out);
                }
                prop_assert!(!was_closed || out.is_empty());
                prop_assert!(out.len() <= 10);
            }
        }
    }

    #[test]
    fn any_order_of_events_keeps_the_rules(
        start in 0usize..38,
        steps in prop::collection::vec(any::<prop::sample::Index>(), 0..30)
    ) {
        let events = events();
        let (state, mut machine) = machines().swap_remove(start);
        let mut over = 0;
        for index in steps {
            let mut out = Vec::new();
            let (_, given) = index.get(&events);
            let now = given.now(&machine);
            match machine.handle(now, given.event(), &mut out) {
                Err(
                    SessionError::RequestOutOfState { .. }
                    | SessionError::RequestSerial { .. }
                    | SessionError::RequestInvalid { .. },
                ) => prop_assert!(out.is_empty()),
                Err(error) => assert_refused(&state, &error, &machine, &out),
                Ok(()) => {}
            }
            over += out.iter().filter(|action| matches!(action, SpmAction::Indication(
                SsIndication::ProviderAbort(_)
                | SsIndication::Abort { .. }
                | SsIndication::ReleaseConfirm { .. }
                | SsIndication::ConnectRefused(_)
            ))).count();
            prop_assert!(over <= 1, "{state}: a connection ends once");
        }
    }
}
