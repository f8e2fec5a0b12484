//! Every state of the session machine with every SPDU and every request.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use core::time::Duration;

use clock::MonoTime;
use osi::failure::Blame;
use osi::session::spdu::{
    Ac, Cn, ConnectItem, Enclosure, FunctionalUnits, Rf, Spdu, TransportDisconnect, UserData, decode_tsdu,
};
use osi::session::{
    ActivityResume, ReasonCode, SAccept, SConnect, SRefuse, SessionConfig, SessionError, Spm, SpmAction,
    SpmEvent, SsIndication, SsRequest,
};
use proptest::prelude::*;

#[path = "support/session_pair.rs"]
mod session_pair;
use session_pair::{INITIATOR, Pair, RESPONDER};

const NEVER: MonoTime = MonoTime::after_start(Duration::from_secs(1_000_000));

fn user() -> UserData {
    UserData::default()
}

fn item() -> ConnectItem {
    ConnectItem { version: Some(2), ..ConnectItem::default() }
}

/// One TSDU for each SPDU. Serial numbers are those that fit the activities of [`states`].
fn tsdus() -> Vec<(String, Vec<u8>)> {
    let units = Some(FunctionalUnits::RTSE);
    let reason = Some(ReasonCode::NON_SPECIFIC);
    let release = Some(TransportDisconnect(TransportDisconnect::RELEASE));
    let mut tsdus: Vec<(String, Vec<u8>)> = [
        Spdu::Cn(Cn { user_requirements: units, item: item(), ..Cn::default() }),
        Spdu::Cdo,
        Spdu::Oa,
        Spdu::Ac(Ac { user_requirements: units, item: item(), ..Ac::default() }),
        Spdu::Rf(Rf::default()),
        Spdu::Fn { transport_disconnect: release, user: user() },
        Spdu::Dn { user: user() },
        Spdu::Nf { user: user() },
        Spdu::Ab { transport_disconnect: release, reflected: vec![], user: user() },
        Spdu::Aa,
        Spdu::Gt { tokens: 0x15 },
        Spdu::Pt { tokens: 1, user: UserData::whole(vec![2, 1, 0]) },
        Spdu::Gtc,
        Spdu::Gta,
        Spdu::Pr,
        Spdu::Dt { enclosure: None, data: vec![1, 2, 3] },
        Spdu::As { activity: vec![2, 1, 1], user: user() },
        Spdu::Ar { resume: ActivityResume::default(), user: user() },
        Spdu::Ai { reason },
        Spdu::Aia,
        Spdu::Ad { reason },
        Spdu::Ada,
        Spdu::Ae { serial: 2, user: user() },
        Spdu::Map { serial: 2 },
        Spdu::Aea { serial: 2, user: user() },
        Spdu::Mip { confirm: true, serial: 2, user: user() },
        Spdu::Mia { serial: 1, user: user() },
        Spdu::Ed { reason, user: user() },
        Spdu::Er { reflected: vec![] },
    ]
    .into_iter()
    .map(|spdu| (spdu.name().to_owned(), spdu.to_tsdu().unwrap()))
    .collect();
    tsdus.push(("nonsense".to_owned(), vec![99, 1, 2]));
    tsdus
}

fn requests() -> Vec<(&'static str, SsRequest)> {
    let user_data = vec![7];
    let reason = ReasonCode::NON_SPECIFIC;
    vec![
        ("connect", SsRequest::Connect(SConnect::default())),
        ("accept", SsRequest::ConnectAccept(SAccept::default())),
        ("refuse", SsRequest::ConnectRefuse(SRefuse { reason: 0, user_data: vec![] })),
        ("data", SsRequest::Data(vec![1])),
        ("minor", SsRequest::SyncMinor),
        ("minor-response", SsRequest::SyncMinorResponse { serial: 1 }),
        ("start", SsRequest::ActivityStart { activity: vec![1] }),
        ("resume", SsRequest::ActivityResume(ActivityResume::default())),
        ("end", SsRequest::ActivityEnd),
        ("end-response", SsRequest::ActivityEndResponse),
        ("interrupt", SsRequest::ActivityInterrupt(reason)),
        ("interrupt-response", SsRequest::ActivityInterruptResponse),
        ("discard", SsRequest::ActivityDiscard(reason)),
        ("discard-response", SsRequest::ActivityDiscardResponse),
        ("exception", SsRequest::ExceptionReport(reason)),
        ("please", SsRequest::TokenPlease { user_data: user_data.clone() }),
        ("give", SsRequest::ControlGive),
        ("release", SsRequest::Release { user_data: user_data.clone() }),
        ("release-response", SsRequest::ReleaseResponse { user_data: user_data.clone() }),
        ("abort", SsRequest::Abort { user_data }),
    ]
}

/// A machine in every state there is.
fn states() -> Vec<(&'static str, Spm)> {
    let config = SessionConfig::default;
    let reason = ReasonCode::NON_SPECIFIC;
    let mut states = vec![
        ("initiator, no transport", Spm::initiator(config(), SConnect::default())),
        ("responder, no transport", Spm::responder(config())),
    ];
    let mut add = |name: &'static str, pair: &Pair, side: usize| states.push((name, pair.spms[side].clone()));

    let mut pair = Pair::new(config(), config(), SConnect::default());
    add("await CN", &pair, RESPONDER);
    add("await AC", &pair, INITIATOR);
    pair.settle();
    add("CN indicated", &pair, RESPONDER);

    let open = Pair::connected(config(), config());
    add("open, our turn", &open, INITIATOR);
    add("open, their turn", &open, RESPONDER);
    let mut pair = open.clone();
    pair.ask(INITIATOR, SsRequest::ControlGive);
    add("await GTA", &pair, INITIATOR);

    // One point is set and arrived in each of these.
    let mut activity = open.clone();
    activity.ask(INITIATOR, SsRequest::ActivityStart { activity: vec![1] });
    activity.ask(INITIATOR, SsRequest::SyncMinor);
    activity.settle();
    add("sending", &activity, INITIATOR);
    add("receiving", &activity, RESPONDER);
    let mut pair = activity.clone();
    pair.ask(INITIATOR, SsRequest::ActivityEnd);
    pair.settle();
    add("await AEA", &pair, INITIATOR);
    add("AE indicated", &pair, RESPONDER);
    pair.ask(INITIATOR, SsRequest::ActivityDiscard(reason));
    add("await AEA and ADA", &pair, INITIATOR);
    let mut pair = activity.clone();
    pair.ask(INITIATOR, SsRequest::ActivityInterrupt(reason));
    pair.settle();
    add("await AIA", &pair, INITIATOR);
    add("AI indicated", &pair, RESPONDER);
    let mut pair = activity.clone();
    pair.ask(INITIATOR, SsRequest::ActivityDiscard(reason));
    pair.settle();
    add("await ADA", &pair, INITIATOR);
    add("AD indicated", &pair, RESPONDER);
    let mut pair = activity.clone();
    pair.ask(RESPONDER, SsRequest::ExceptionReport(reason));
    pair.settle();
    add("ED sent", &pair, RESPONDER);
    add("ED indicated", &pair, INITIATOR);

    let mut pair = open.clone();
    pair.ask(INITIATOR, SsRequest::Release { user_data: vec![] });
    pair.settle();
    add("await DN", &pair, INITIATOR);
    add("FN indicated", &pair, RESPONDER);
    pair.ask(RESPONDER, SsRequest::ReleaseResponse { user_data: vec![] });
    add("DN sent", &pair, RESPONDER);
    let mut pair = open.clone();
    pair.ask(INITIATOR, SsRequest::Abort { user_data: vec![] });
    add("AB sent", &pair, INITIATOR);
    pair.settle();
    add("closed", &pair, INITIATOR);
    states
}

#[test]
fn every_state_takes_or_refuses_everything() {
    let (tsdus, requests) = (tsdus(), requests());
    let mut cells = 0;
    let mut table = Vec::new();
    for (state, machine) in states() {
        let mut taken = Vec::new();
        for (name, tsdu) in &tsdus {
            cells += 1;
            let mut machine = machine.clone();
            let mut out = Vec::new();
            match machine.handle(MonoTime::START, SpmEvent::Tsdu(tsdu), &mut out) {
                Ok(()) => taken.push(name.as_str()),
                Err(error) => refused(&format!("{state}: {name}"), &error, &machine, &out),
            }
        }
        let mut allowed = Vec::new();
        for (name, request) in &requests {
            cells += 1;
            let mut machine = machine.clone();
            let before = format!("{machine:?}");
            let mut out = Vec::new();
            match machine.handle(MonoTime::START, SpmEvent::Request(request.clone()), &mut out) {
                Ok(()) => {
                    assert!(!out.is_empty(), "{state}: {name} does something");
                    allowed.push(*name);
                }
                Err(error) => {
                    assert!(
                        matches!(error, SessionError::RequestOutOfState { .. }),
                        "{state}: {name}: {error}"
                    );
                    assert_eq!(error.blame(), Blame::Local);
                    assert_eq!(out, [], "{state}: {name}");
                    assert_eq!(format!("{machine:?}"), before, "{state}: {name}");
                }
            }
        }
        table.push(format!("{state} < {} > {}", taken.join(" "), allowed.join(" ")));
    }
    assert_eq!(cells, 24 * (30 + 20));
    let everything: Vec<&str> = tsdus.iter().map(|(name, _)| name.as_str()).collect();
    let everything = everything.join(" ");
    let expected: Vec<String> = TABLE.iter().map(|line| line.replace("everything", &everything)).collect();
    for (row, expected) in table.iter().zip(&expected) {
        assert_eq!(row, expected);
    }
    assert_eq!(table.len(), expected.len());
}

/// After `<` what is taken from the peer, after `>` what the user may ask for.
const TABLE: [&str; 24] = [
    "initiator, no transport < AB > abort",
    "responder, no transport < AB > abort",
    "await CN < CN AB > abort",
    "await AC < AC RF AB > abort",
    "CN indicated < AB > accept refuse abort",
    "open, our turn < AB PT > start resume give release abort",
    "open, their turn < FN AB GT PT GTC AS AR AI AD > please abort",
    "await GTA < AB PT GTA > abort",
    "sending < AB PT MIA ED ER > data minor end interrupt discard abort",
    "receiving < AB PT DT AI AD AE MIP > minor-response exception please abort",
    "await AEA < AB PT AEA MIA ED ER > interrupt discard abort",
    "AE indicated < AB PT AI AD > minor-response end-response exception please abort",
    "await AEA and ADA < AB PT ADA AEA MIA ED ER > abort",
    "await AIA < AB PT AIA AEA MIA ED ER > abort",
    "AI indicated < AB PT > interrupt-response abort",
    "await ADA < AB PT ADA MIA ED ER > abort",
    "AD indicated < AB PT > discard-response abort",
    "ED sent < AB PT DT AI AD AE MIP > abort",
    "ED indicated < AB PT > interrupt discard abort",
    "await DN < DN AB PT > abort",
    "FN indicated < AB PT > release-response abort",
    "DN sent < everything > abort",
    "AB sent < everything > ",
    "closed < everything > ",
];

/// What an error of the peer has to leave behind.
fn refused(cell: &str, error: &SessionError, machine: &Spm, out: &[SpmAction]) {
    assert_ne!(error.blame(), Blame::Local, "{cell}: {error}");
    let aborts = out
        .iter()
        .filter(|action| matches!(action, SpmAction::Indication(SsIndication::ProviderAbort(_))))
        .count();
    assert_eq!(aborts, 1, "{cell}: {out:?}");
    if machine.is_closed() {
        assert!(out.contains(&SpmAction::TDisconnect), "{cell}: {out:?}");
    } else {
        assert!(machine.deadline().is_some(), "{cell}: the end is in sight");
    }
    for action in out {
        if let SpmAction::Tsdu(tsdu) = action {
            let spdus = decode_tsdu(tsdu).unwrap();
            let [Spdu::Ab { reflected, .. }] = spdus.as_slice() else {
                assert!(matches!(spdus.as_slice(), [Spdu::Rf(_)]), "{cell}: {spdus:?}");
                continue;
            };
            assert!(reflected.len() <= 9, "{cell}");
        }
    }
}

#[test]
fn every_state_ends_with_the_transport_connection_and_by_its_deadline() {
    for (state, machine) in states() {
        let mut ended = machine.clone();
        let mut out = Vec::new();
        ended.handle(MonoTime::START, SpmEvent::TDisconnect, &mut out).unwrap();
        assert!(ended.is_closed(), "{state}");
        let expected = ["DN sent", "AB sent", "closed"].contains(&state);
        assert_eq!(out.is_empty(), expected, "{state}: an end that was awaited is not indicated: {out:?}");

        let Some(deadline) = machine.deadline() else { continue };
        let mut early = machine.clone();
        out.clear();
        early.handle(MonoTime::START, SpmEvent::Deadline, &mut out).unwrap();
        assert_eq!((out.as_slice(), early.deadline()), (&[][..], Some(deadline)), "{state}: not yet");
        let mut late = machine.clone();
        let error = late.handle(deadline, SpmEvent::Deadline, &mut out);
        assert!(error.is_ok_and(|()| late.is_closed()) || !expected, "{state}");
        if let Some(last) = late.deadline() {
            late.handle(last, SpmEvent::Deadline, &mut out).unwrap();
        }
        assert!(late.is_closed(), "{state}");
        assert_eq!(out.last(), Some(&SpmAction::TDisconnect), "{state}");
    }
}

#[test]
fn transport_events_out_of_place_are_our_own_fault() {
    let mut cells = 0;
    for (state, machine) in states() {
        for event in [SpmEvent::TConnectConfirm, SpmEvent::TConnectIndication] {
            cells += 1;
            let mut machine = machine.clone();
            let mut out = Vec::new();
            let result = machine.handle(NEVER, event.clone(), &mut out);
            let fits = matches!(
                (state, &event),
                ("initiator, no transport", SpmEvent::TConnectConfirm)
                    | ("responder, no transport", SpmEvent::TConnectIndication)
            );
            assert_eq!(result.is_ok(), fits, "{state} {event:?}");
            assert!(result.is_ok() || out.is_empty());
        }
    }
    assert_eq!(cells, 48);
}

#[test]
fn segments_of_other_spdus_are_refused() {
    let segment = UserData { enclosure: Some(Enclosure::BEGINNING), octets: vec![1] };
    let tsdu = Spdu::Fn { transport_disconnect: None, user: segment }.to_tsdu().unwrap();
    let mut pair = Pair::connected(SessionConfig::default(), SessionConfig::default());
    let error = pair.event(RESPONDER, SpmEvent::Tsdu(&tsdu)).unwrap_err();
    assert_eq!(error, SessionError::SegmentedSpdu { spdu: "FN" });
    assert_eq!(error.blame(), Blame::PeerIncompatible);
}

proptest! {
    #[test]
    fn garbage_never_panics_in_any_state(
        garbage in prop::collection::vec(
            prop::collection::vec(prop_oneof![0u8..64, Just(193), any::<u8>()], 0..60), 1..4)
    ) {
        for (state, mut machine) in states() {
            for tsdu in &garbage {
                let mut out = Vec::new();
                let was_closed = machine.is_closed();
                if let Err(error) = machine.handle(MonoTime::START, SpmEvent::Tsdu(tsdu), &mut out) {
                    refused(state, &error, &machine, &out);
                }
                prop_assert!(!was_closed || out.is_empty());
                prop_assert!(out.len() <= 10);
            }
        }
    }

    #[test]
    fn any_order_of_spdus_and_requests_keeps_the_rules(
        start in 0usize..23,
        steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..30)
    ) {
        let (tsdus, requests) = (tsdus(), requests());
        let (state, mut machine) = states().swap_remove(start);
        let mut over = 0;
        for (from_peer, index) in steps {
            let mut out = Vec::new();
            if from_peer {
                let (name, tsdu) = index.get(&tsdus);
                if let Err(error) = machine.handle(MonoTime::START, SpmEvent::Tsdu(tsdu), &mut out) {
                    refused(name, &error, &machine, &out);
                }
            } else {
                let request = index.get(&requests).1.clone();
                let refused = machine.handle(MonoTime::START, SpmEvent::Request(request), &mut out).is_err();
                prop_assert!(!refused || out.is_empty());
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
