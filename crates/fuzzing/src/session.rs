//! X.225: two session machines, with any requests, TSDUs arriving when the script says so, and TSDUs from nowhere.
//!
//! Always: what goes out can be read; a refused request has no effect; nothing is indicated after the end; a closed
//! machine is silent. As long as nothing came from nowhere: neither machine accuses the other, never do both hold the
//! turn, and data arrives as it was sent, in its order.

use std::collections::VecDeque;
use std::time::Duration;

use clock::MonoTime;
use osi::failure::Blame;
use osi::session::spdu::decode_tsdu;
use osi::session::{
    ActivityResume, ReasonCode, SAccept, SConnect, SRefuse, SessionConfig, SessionError, Spm, SpmAction,
    SpmEvent, SsIndication, SsRequest, Version,
};

use crate::{Script, legal};

enum Wire {
    Tsdu(Vec<u8>),
    TDisconnect,
}

struct Pair {
    now: MonoTime,
    spms: [Spm; 2],
    /// On their way to each side.
    wires: [VecDeque<Wire>; 2],
    /// The end was indicated.
    ended: [bool; 2],
    /// Data sent by each side.
    sent: [Vec<Vec<u8>>; 2],
    /// How much of what the other side sent has come.
    came: [usize; 2],
    /// Only our own machines have spoken.
    honest: bool,
}

const SSDU_MAX: usize = 3_000;
/// Of the SPDUs other than DT, whose segments may be under way beside those of an SSDU.
const USER_DATA_MAX: usize = 12_000;

fn config(flags: u8) -> SessionConfig {
    SessionConfig {
        tsdu_max: match flags & 3 {
            0 | 1 => 0,
            2 => 40,
            _ => 600,
        },
        max_ssdu: SSDU_MAX,
        max_user_data: USER_DATA_MAX,
        version_min: if flags & 4 == 0 { Version::V1 } else { Version::V2 },
        version_max: if flags & 12 == 8 { Version::V1 } else { Version::V2 },
        ..SessionConfig::default()
    }
}

pub(crate) fn run(octets: &[u8]) {
    let mut script = Script::new(octets);
    let (a, b) = (config(script.octet()), config(script.octet()));
    let connect = SConnect { user_data: script.octets().to_vec(), ..SConnect::default() };
    let mut pair = Pair {
        now: MonoTime::START,
        spms: [Spm::initiator(a, connect), Spm::responder(b)],
        wires: Default::default(),
        ended: [false; 2],
        sent: Default::default(),
        came: [0; 2],
        honest: true,
    };
    pair.event(1, SpmEvent::TConnectIndication);
    pair.event(0, SpmEvent::TConnectConfirm);
    let pieces = legal::tsdus();
    script.each_operation(|code, script| {
        let side = usize::from(code >> 7);
        match code & 0x7F {
            0..=0x1F => pair.arrive(side),
            0x20..=0x23 => {
                pair.honest = false;
                let tsdu = legal::changed(pieces, script);
                pair.event(side, SpmEvent::Tsdu(&tsdu));
            }
            0x24..=0x27 => {
                pair.honest = false;
                let tsdu = script.octets();
                pair.event(side, SpmEvent::Tsdu(tsdu));
            }
            0x28 => {
                pair.honest = false;
                pair.event(side, SpmEvent::TsduTooLong { limit: 10 });
            }
            0x29 => {
                pair.event(side, SpmEvent::TDisconnect);
            }
            0x2A | 0x2B => {
                pair.now = pair.spms[side].deadline().unwrap_or(pair.now).max(pair.now);
                pair.event(side, SpmEvent::Deadline);
            }
            0x2C => pair.now = pair.now + Duration::from_secs(u64::from(script.octet())),
            other => {
                let request = request(other, script);
                pair.request(side, request);
            }
        }
        if pair.honest {
            assert!(!(pair.spms[0].has_turn() && pair.spms[1].has_turn()), "both have the turn");
        }
    });
    pair.finish();
}

fn request(code: u8, script: &mut Script<'_>) -> SsRequest {
    let user_data = |script: &mut Script<'_>| script.octets().to_vec();
    match code % 22 {
        0 | 1 => SsRequest::ConnectAccept(SAccept { user_data: user_data(script), ..SAccept::default() }),
        2 => SsRequest::ConnectRefuse(SRefuse { reason: script.octet(), user_data: user_data(script) }),
        3 | 4 => SsRequest::Data(user_data(script)),
        5 => SsRequest::SyncMinor,
        6 => SsRequest::SyncMinorResponse { serial: u32::from(script.octet()) },
        7 | 8 => SsRequest::ActivityStart { activity: user_data(script) },
        9 => SsRequest::ActivityResume(ActivityResume {
            new_activity: user_data(script),
            old_activity: user_data(script),
            serial: u32::from(script.octet()),
            old_connection: None,
        }),
        10 => SsRequest::ActivityEnd,
        11 => SsRequest::ActivityEndResponse,
        12 => SsRequest::ActivityInterrupt(ReasonCode(script.octet())),
        13 => SsRequest::ActivityInterruptResponse,
        14 => SsRequest::ActivityDiscard(ReasonCode(script.octet())),
        15 => SsRequest::ActivityDiscardResponse,
        16 => SsRequest::ExceptionReport(ReasonCode(script.octet())),
        17 => SsRequest::TokenPlease { user_data: user_data(script) },
        18 => SsRequest::ControlGive,
        19 => SsRequest::Release { user_data: user_data(script) },
        20 => SsRequest::ReleaseResponse { user_data: user_data(script) },
        _ => SsRequest::Abort { user_data: user_data(script) },
    }
}

fn is_last(indication: &SsIndication) -> bool {
    matches!(
        indication,
        SsIndication::ConnectRefused(_)
            | SsIndication::ReleaseConfirm { .. }
            | SsIndication::Abort { .. }
            | SsIndication::ProviderAbort(_)
    )
}

impl Pair {
    fn request(&mut self, side: usize, request: SsRequest) {
        let data = if let SsRequest::Data(data) = &request { Some(data.clone()) } else { None };
        if self.event(side, SpmEvent::Request(request))
            && let Some(data) = data
        {
            self.sent[side].push(data);
        }
    }

    /// Whether the event was taken.
    fn event(&mut self, side: usize, event: SpmEvent<'_>) -> bool {
        let was_closed = self.spms[side].is_closed();
        let mut out = Vec::new();
        let result = self.spms[side].handle(self.now, event, &mut out);
        match &result {
            // A CN that can't be made ends the connection before it begins.
            Err(SessionError::RequestInvalid { request: "S-CONNECT", .. }) if side == 0 => {
                assert!(self.spms[side].is_closed() && !was_closed);
            }
            Err(
                error @ (SessionError::RequestOutOfState { .. }
                | SessionError::RequestSerial { .. }
                | SessionError::RequestInvalid { .. }),
            ) => assert!(out.is_empty(), "{error}, but it has an effect"),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                let accused = error.blame() == Blame::PeerMisbehaved;
                assert!(!self.honest || !accused, "accused an honest peer: {error}");
            }
            Ok(()) => {}
        }
        assert!(!was_closed || out.is_empty(), "closed, and then {out:?}");
        for action in out {
            match action {
                SpmAction::Tsdu(tsdu) => {
                    assert!(decode_tsdu(&tsdu).is_ok(), "an illegal TSDU goes out");
                    self.wires[1 - side].push_back(Wire::Tsdu(tsdu));
                }
                SpmAction::TsduPart { .. } => panic!("nobody sends an SSDU in parts here"),
                SpmAction::TDisconnect => self.wires[1 - side].push_back(Wire::TDisconnect),
                SpmAction::Indication(indication) => self.indicated(side, &indication),
            }
        }
        assert!(self.spms[side].partial_octets() <= SSDU_MAX + USER_DATA_MAX);
        result.is_ok()
    }

    fn indicated(&mut self, side: usize, indication: &SsIndication) {
        assert!(!self.ended[side], "{indication:?} after the end");
        self.ended[side] = is_last(indication);
        let SsIndication::Data(data) = indication else { return };
        assert!(data.len() <= SSDU_MAX);
        if !self.honest {
            return;
        }
        // What met an exception report was dropped.
        let sent = self.sent[1 - side].get(self.came[side]..).unwrap_or_default();
        let place = sent.iter().position(|sent| sent == data);
        let place = place.expect("data arrives that was not sent, or in another order");
        self.came[side] += place + 1;
    }

    fn arrive(&mut self, side: usize) {
        match self.wires[side].pop_front() {
            None => {}
            Some(Wire::Tsdu(tsdu)) => {
                self.event(side, SpmEvent::Tsdu(&tsdu));
            }
            Some(Wire::TDisconnect) => {
                self.event(side, SpmEvent::TDisconnect);
            }
        }
    }

    /// Once the transport connection is gone, both are closed.
    fn finish(&mut self) {
        for side in [0, 1] {
            self.event(side, SpmEvent::TDisconnect);
            assert!(self.spms[side].is_closed());
            assert_eq!(self.spms[side].deadline(), None);
        }
    }
}
