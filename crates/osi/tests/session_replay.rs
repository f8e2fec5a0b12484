//! Our session machine takes the place of either side of every recorded RTSE association: it has to take all
//! that the other side sent, and, asked for the same, to send the same octets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use clock::MonoTime;
use osi::cotp::Tpdu;
use osi::session::spdu::{Spdu, decode_tsdu};
use osi::session::{
    InitialTurn, ReasonCode, SAccept, SConnect, SRefuse, SessionConfig, Spm, SpmAction, SpmEvent,
    SsIndication, SsRequest,
};
use osi::tpkt::{Deframer, MAX_TPDU_OCTETS};

#[path = "support/capture.rs"]
mod capture;

/// Takes one direction apart.
struct Direction {
    deframer: Deframer,
    assembly: Vec<u8>,
}

impl Direction {
    fn new() -> Self {
        Direction { deframer: Deframer::new(MAX_TPDU_OCTETS), assembly: Vec::new() }
    }

    fn tsdus(&mut self, mut octets: &[u8]) -> Vec<Vec<u8>> {
        let mut tsdus = Vec::new();
        while let Some(tpdu) = self.deframer.next(&mut octets).unwrap() {
            if let Tpdu::Dt { end_of_tsdu, data } = Tpdu::decode(&tpdu).unwrap() {
                self.assembly.extend(data);
                if end_of_tsdu {
                    tsdus.push(core::mem::take(&mut self.assembly));
                }
            }
        }
        tsdus
    }
}

/// What a user has to ask for to have `spdu` sent; `None` if it is sent without being asked for.
fn request(spdu: &Spdu) -> Option<SsRequest> {
    let reason_or_none = |reason: &Option<ReasonCode>| reason.unwrap_or(ReasonCode::NON_SPECIFIC);
    Some(match spdu {
        Spdu::Ac(ac) => SsRequest::ConnectAccept(SAccept {
            responding_selector: ac.called_selector.clone(),
            identifier: ac.identifier.clone(),
            take_turn: false,
            user_data: ac.user.octets.clone(),
        }),
        Spdu::Rf(rf) => {
            SsRequest::ConnectRefuse(SRefuse { reason: rf.reason, user_data: rf.user_data.clone() })
        }
        Spdu::Fn { user, .. } => SsRequest::Release { user_data: user.octets.clone() },
        Spdu::Dn { user } => SsRequest::ReleaseResponse { user_data: user.octets.clone() },
        Spdu::Ab { user, .. } => SsRequest::Abort { user_data: user.octets.clone() },
        Spdu::Pt { user, .. } => SsRequest::TokenPlease { user_data: user.octets.clone() },
        Spdu::Gtc => SsRequest::ControlGive,
        Spdu::Dt { data, .. } => SsRequest::Data(data.clone()),
        Spdu::As { activity, .. } => SsRequest::ActivityStart { activity: activity.clone() },
        Spdu::Mip { .. } => SsRequest::SyncMinor,
        Spdu::Mia { serial, .. } => SsRequest::SyncMinorResponse { serial: *serial },
        Spdu::Ae { .. } => SsRequest::ActivityEnd,
        Spdu::Aea { .. } => SsRequest::ActivityEndResponse,
        Spdu::Ai { reason } => SsRequest::ActivityInterrupt(reason_or_none(reason)),
        Spdu::Ad { reason } => SsRequest::ActivityDiscard(reason_or_none(reason)),
        Spdu::Aia => SsRequest::ActivityInterruptResponse,
        Spdu::Ada => SsRequest::ActivityDiscardResponse,
        Spdu::Ed { reason, .. } => SsRequest::ExceptionReport(reason_or_none(reason)),
        Spdu::Aa | Spdu::Gta => return None,
        other => panic!("not expected in a recording: {other:?}"),
    })
}

/// Whether the recorded octets are ones that we would send.
fn is_ours(spdu: &Spdu, recorded: &[u8]) -> bool {
    match spdu {
        // The recorded aborts name other reasons than a user's.
        Spdu::Ab { .. } => false,
        // To a caller without connection identifier an empty one went back.
        Spdu::Ac(ac) => ac.identifier != Default::default(),
        // Some recordings of a responder made by hand have GT before ED.
        Spdu::Ed { .. } => recorded.first() == Some(&2),
        _ => true,
    }
}

/// Plays one side; gives what the user was told.
fn replay(events: &[(bool, Vec<u8>)], as_client: bool, file: &str) -> Vec<SsIndication> {
    let Some(Spdu::Cn(cn)) = decode_tsdu(&events[0].1).unwrap().pop() else { panic!("no CN in {file}") };
    let mut out = Vec::new();
    let mut told = Vec::new();
    let mut spm = if as_client {
        // The recorded initiators propose the same size both ways, or none.
        let config = SessionConfig {
            tsdu_max: cn.item.tsdu_max.map_or(0, |max| max.from_initiator),
            ..SessionConfig::default()
        };
        let mut spm = Spm::initiator(
            config,
            SConnect {
                calling_selector: cn.calling_selector,
                called_selector: cn.called_selector,
                identifier: cn.identifier,
                initial_turn: InitialTurn::Initiator,
                responder_may_take_turn: false,
                response_limit: None,
                user_data: cn.user_data,
            },
        );
        spm.handle(MonoTime::START, SpmEvent::TConnectConfirm, &mut out).unwrap();
        assert_eq!(out, [SpmAction::Tsdu(events[0].1.clone())], "{file}: CN");
        spm
    } else {
        let mut spm = Spm::responder(SessionConfig::default());
        spm.handle(MonoTime::START, SpmEvent::TConnectIndication, &mut out).unwrap();
        spm
    };
    for (index, (from_client, tsdu)) in events.iter().enumerate().skip(usize::from(as_client)) {
        let place = format!("{file}, TSDU {index}");
        out.clear();
        if *from_client == as_client {
            let spdus = decode_tsdu(tsdu).unwrap();
            let Some(spdu) = spdus.last() else { panic!("{place}: empty") };
            let Some(request) = request(spdu) else { continue };
            // What the recorded side had sent before it read this would not be asked for after it.
            if let Some(SsIndication::ExceptionReport(_) | SsIndication::Abort { .. }) = told.last() {
                break;
            }
            spm.handle(MonoTime::START, SpmEvent::Request(request), &mut out)
                .unwrap_or_else(|error| panic!("{place}: {error}"));
            if is_ours(spdu, tsdu) {
                assert_eq!(out, [SpmAction::Tsdu(tsdu.clone())], "{place}");
            }
        } else {
            spm.handle(MonoTime::START, SpmEvent::Tsdu(tsdu), &mut out)
                .unwrap_or_else(|error| panic!("{place}: {error}"));
            told.extend(out.drain(..).filter_map(|action| match action {
                SpmAction::Indication(indication) => Some(indication),
                SpmAction::Tsdu(_) | SpmAction::TsduPart { .. } | SpmAction::TDisconnect => None,
            }));
        }
    }
    told
}

#[test]
fn either_side_of_every_recorded_association_can_be_taken() {
    let (mut associations, mut transfers, mut released) = (0, 0, 0);
    for file in capture::files() {
        let name = file.file_name().unwrap().to_str().unwrap();
        for conversation in capture::conversations(&file) {
            let mut directions = [Direction::new(), Direction::new()];
            let mut events = Vec::new();
            for (from_client, octets) in &conversation.chunks {
                let tsdus = directions[usize::from(*from_client)].tsdus(octets);
                events.extend(tsdus.into_iter().map(|tsdu| (*from_client, tsdu)));
            }
            let first = events.first().and_then(|(_, tsdu)| decode_tsdu(tsdu).ok()?.pop());
            // The recordings have associations of other applications, too, without RTSE.
            let Some(Spdu::Cn(cn)) = first else { continue };
            if cn.user_requirements.is_none_or(|units| units.0 != 0x0249) {
                continue;
            }
            associations += 1;
            for as_client in [true, false] {
                for indication in replay(&events, as_client, name) {
                    match indication {
                        SsIndication::ActivityEndConfirm | SsIndication::ActivityEnd { .. } => transfers += 1,
                        SsIndication::ReleaseConfirm { .. } | SsIndication::Release { .. } => released += 1,
                        SsIndication::ProviderAbort(abort) => assert!(abort.by_peer, "{name}: {abort}"),
                        _ => {}
                    }
                }
            }
        }
    }
    assert!(associations > 20 && transfers > 40 && released > 40, "{associations} {transfers} {released}");
}
