//! X.226. Codec: PPDUs and user data that are read and written again read the same. Machine: two of them over a session
//! connection that does what it should, with any requests, and session indications from nowhere.
//!
//! Always: a refused request has no effect, the machine that found a fault is closed and silent, and values are told
//! only in contexts that were agreed. As long as nothing came from nowhere: no machine accuses the other, and values
//! arrive as they were sent.

use std::sync::LazyLock;

use ber::{Oid, Writer};
use osi::failure::Blame;
use osi::presentation::ppdu::{Abort, ByMode, Cp, Cpa, Cpr, encode_x410};
use osi::presentation::{
    ContextId, Contexts, PConnect, PIndication, PRequest, PValue, Ppm, PpmAction, PpmConfig, PpmEvent,
    PresentationError, PresentationMode, State, SyncRequest, UserData,
};
use osi::session::{ConnectionIdentifier, ReasonCode, SAccept, SConnect, SRefuse, SsIndication, SsRequest};

use crate::{Script, legal};

pub(crate) fn codec(octets: &[u8]) {
    match Cp::decode(octets) {
        Ok(ByMode::Normal(cp)) => assert_eq!(Cp::decode(&cp.encode()), Ok(ByMode::Normal(cp))),
        Ok(ByMode::X410(set)) => assert_eq!(Cp::decode(&encode_x410(&set)), Ok(ByMode::X410(set))),
        Ok(ByMode::Other(_)) | Err(_) => {}
    }
    match Cpa::decode(octets) {
        Ok(ByMode::Normal(cpa)) => assert_eq!(Cpa::decode(&cpa.encode()), Ok(ByMode::Normal(cpa))),
        Ok(ByMode::X410(_) | ByMode::Other(_)) | Err(_) => {}
    }
    if let Ok(Some(cpr)) = Cpr::decode(octets) {
        assert_eq!(Cpr::decode(&cpr.encode()), Ok(Some(cpr)));
    }
    match Abort::decode(octets) {
        Ok(arp @ Abort::Arp { .. }) => assert_eq!(Abort::decode(&arp.encode(&[])), Ok(arp)),
        Ok(aru @ Abort::Aru(_)) => {
            let again = aru.encode(&[]);
            assert_eq!(Abort::decode(&again), Ok(aru));
        }
        Ok(Abort::X410) | Err(_) => {}
    }
    if let Ok(data) = UserData::decode(octets) {
        let again = Writer::encode(|w| data.encode(w));
        assert_eq!(UserData::decode(&again), Ok(data));
    }
}

fn syntaxes() -> Vec<Oid> {
    [&[2, 2, 1, 0, 1][..], &[2, 6, 0, 2, 12], &[2, 6, 0, 2, 7]]
        .map(|arcs| Oid::from_arcs(arcs).expect("a legal object identifier"))
        .into()
}

struct Pair {
    ppms: [Ppm; 2],
    /// On its way to each side.
    wires: [Vec<SsIndication>; 2],
    /// Values of P-DATA that each side sent and that have not come.
    sent: [Vec<Vec<PValue>>; 2],
    honest: bool,
}

pub(crate) fn run(octets: &[u8]) {
    let mut script = Script::new(octets);
    let mode = if script.octet() & 1 == 0 { PresentationMode::Normal } else { PresentationMode::X410 };
    let ppm = |selector: &[u8]| {
        Ppm::new(PpmConfig {
            syntaxes: syntaxes(),
            local_selector: selector.to_vec(),
            ..PpmConfig::default()
        })
    };
    let mut pair = Pair {
        ppms: [ppm(b""), ppm(b"P")],
        wires: Default::default(),
        sent: Default::default(),
        honest: true,
    };
    static PIECES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(session_user_data);
    script.each_operation(|code, script| {
        let side = usize::from(code >> 7);
        match code & 0x7F {
            0..=0x2F => {
                if !pair.wires[side].is_empty() {
                    let indication = pair.wires[side].remove(0);
                    pair.session(side, indication);
                }
            }
            code @ 0x30..=0x3F => {
                pair.honest = false;
                let user_data = legal::changed(&PIECES, script);
                pair.session(side, hostile(code, user_data));
            }
            code @ 0x40..=0x47 => {
                pair.honest = false;
                let user_data = script.octets().to_vec();
                pair.session(side, hostile(code, user_data));
            }
            code => {
                // Who connects is settled with the transport connection.
                let request = request(code % 10 + u8::from(side == 1 && code % 10 < 2) * 2, mode, script);
                pair.request(side, request);
            }
        }
    });
}

/// SS-user data of real connections.
fn session_user_data() -> Vec<Vec<u8>> {
    use osi::session::spdu::{Spdu, decode_tsdu};
    legal::tsdus()
        .iter()
        .flat_map(|tsdu| decode_tsdu(tsdu).unwrap_or_default())
        .filter_map(|spdu| match spdu {
            Spdu::Cn(cn) => Some(cn.user_data),
            Spdu::Ac(ac) => Some(ac.user.octets),
            Spdu::Fn { user, .. } | Spdu::Dn { user } => Some(user.octets),
            Spdu::Dt { data, .. } => Some(data),
            _ => None,
        })
        .filter(|octets| !octets.is_empty())
        .collect()
}

fn hostile(code: u8, user_data: Vec<u8>) -> SsIndication {
    match code % 8 {
        0 => SsIndication::Connect(SConnect { user_data, ..SConnect::default() }),
        1 => SsIndication::ConnectConfirm(SAccept { user_data, ..SAccept::default() }),
        2 => SsIndication::ConnectRefused(SRefuse { reason: 2, user_data }),
        3 => SsIndication::Release { user_data },
        4 => SsIndication::ReleaseConfirm { user_data },
        5 => SsIndication::Abort { user_data },
        6 => SsIndication::TokenPlease { user_data },
        _ => SsIndication::Data(user_data),
    }
}

fn values(script: &mut Script<'_>, mode: PresentationMode) -> Vec<PValue> {
    let count = script.octet() % 3;
    let encoding = |octets: &[u8]| Writer::encode(|w| w.primitive(ber::Tag::OCTET_STRING, octets));
    match mode {
        PresentationMode::X410 => {
            let set = Writer::encode(|w| w.constructed(ber::Tag::SET, |w| w.raw(&encoding(script.octets()))));
            vec![PValue { context: ContextId::DEFAULT, encoding: set }]
        }
        PresentationMode::Normal => (0..=count)
            .map(|_| PValue {
                context: ContextId(i64::from(script.octet() % 3) * 2 + 1),
                encoding: encoding(script.octets()),
            })
            .collect(),
    }
}

fn request(code: u8, mode: PresentationMode, script: &mut Script<'_>) -> PRequest {
    let user_data = values(script, mode);
    match code {
        0 | 1 => PRequest::Connect(PConnect {
            mode,
            contexts: match mode {
                PresentationMode::Normal => Contexts::propose(&syntaxes()),
                PresentationMode::X410 => Contexts::default(),
            },
            user_data,
            ..PConnect::default()
        }),
        2 | 3 => PRequest::ConnectAccept { user_data },
        4 => PRequest::ConnectReject { user_data },
        5 | 6 => PRequest::Data(user_data),
        7 => PRequest::Sync(match script.octet() % 6 {
            0 => SyncRequest::Minor,
            1 => SyncRequest::ActivityStart { activity: vec![2, 1, 1] },
            2 => SyncRequest::ActivityEnd,
            3 => SyncRequest::ActivityEndResponse,
            4 => SyncRequest::ExceptionReport(ReasonCode(1)),
            _ => SyncRequest::ControlGive,
        }),
        8 if script.one_in(2) => PRequest::Release { user_data },
        8 => PRequest::ReleaseResponse { user_data },
        _ => PRequest::Abort { user_data },
    }
}

impl Pair {
    fn request(&mut self, side: usize, request: PRequest) {
        let data = if let PRequest::Data(values) = &request { Some(values.clone()) } else { None };
        let before = self.ppms[side].state().clone();
        let mut out = Vec::new();
        match self.ppms[side].handle(PpmEvent::Request(request), &mut out) {
            Ok(()) => {
                self.sent[side].extend(data);
                self.carry_all(side, out);
            }
            Err(error) => {
                assert!(matches!(error, PresentationError::RequestOutOfState { .. }), "{error}");
                assert!(out.is_empty(), "a refused request has an effect");
                assert_eq!(*self.ppms[side].state(), before);
            }
        }
    }

    fn session(&mut self, side: usize, indication: SsIndication) {
        let was_closed = matches!(self.ppms[side].state(), State::Closed);
        let mut out = Vec::new();
        let result = self.ppms[side].handle(PpmEvent::Session(indication), &mut out);
        if let Err(error) = result {
            assert_eq!(*self.ppms[side].state(), State::Closed, "{error}, and the machine goes on");
            // A connection that has ended for one side and not yet for the other explains what comes.
            let over = self.ppms.iter().filter(|ppm| matches!(ppm.state(), State::Closed)).count() == 2;
            let accused = error.blame() == Blame::PeerMisbehaved;
            assert!(!self.honest || !accused || was_closed || over, "accused an honest peer: {error}");
        }
        for action in &out {
            if let PpmAction::Indication(PIndication::Data(values)) = action {
                self.arrived(side, values);
            }
        }
        self.carry_all(side, out);
    }

    fn arrived(&mut self, side: usize, values: &[PValue]) {
        if let State::Connected { contexts } = self.ppms[side].state() {
            let agreed = |value: &PValue| {
                contexts.is_empty() || contexts.iter().any(|(context, _)| *context == value.context)
            };
            assert!(values.iter().all(agreed), "a value in a context that was not agreed");
        }
        if self.honest {
            assert!(!self.sent[1 - side].is_empty(), "values come that nobody sent");
            let sent = self.sent[1 - side].remove(0);
            assert_eq!(sent, values);
        }
    }

    fn carry_all(&mut self, side: usize, out: Vec<PpmAction>) {
        for action in out {
            match action {
                PpmAction::Session(request) => self.wires[1 - side].extend(carry(request)),
                PpmAction::Indication(_) => {}
            }
        }
    }
}

/// What a session connection makes of a request at the other end, as far as it tells the presentation layer something.
fn carry(request: SsRequest) -> Option<SsIndication> {
    Some(match request {
        SsRequest::Connect(connect) => {
            SsIndication::Connect(SConnect { identifier: ConnectionIdentifier::default(), ..connect })
        }
        SsRequest::ConnectAccept(accept) => SsIndication::ConnectConfirm(accept),
        SsRequest::ConnectRefuse(refuse) => SsIndication::ConnectRefused(refuse),
        SsRequest::Data(data) => SsIndication::Data(data),
        SsRequest::DataPart { octets, last } => SsIndication::DataPart { octets, first: true, last },
        SsRequest::TokenPlease { user_data } => SsIndication::TokenPlease { user_data },
        SsRequest::Release { user_data } => SsIndication::Release { user_data },
        SsRequest::ReleaseResponse { user_data } => SsIndication::ReleaseConfirm { user_data },
        SsRequest::Abort { user_data } => SsIndication::Abort { user_data },
        SsRequest::SyncMinor => SsIndication::SyncMinor { serial: 1, confirm: true },
        SsRequest::SyncMinorResponse { serial } => SsIndication::SyncMinorConfirm { serial },
        SsRequest::ActivityStart { activity } => SsIndication::ActivityStart { activity },
        SsRequest::ActivityResume(resume) => SsIndication::ActivityResume(resume),
        SsRequest::ActivityEnd => SsIndication::ActivityEnd { serial: 1 },
        SsRequest::ActivityEndResponse => SsIndication::ActivityEndConfirm,
        SsRequest::ActivityInterrupt(reason) => SsIndication::ActivityInterrupt(reason),
        SsRequest::ActivityInterruptResponse => SsIndication::ActivityInterruptConfirm,
        SsRequest::ActivityDiscard(reason) => SsIndication::ActivityDiscard(reason),
        SsRequest::ActivityDiscardResponse => SsIndication::ActivityDiscardConfirm,
        SsRequest::ExceptionReport(reason) => SsIndication::ExceptionReport(reason),
        SsRequest::ControlGive => SsIndication::ControlGive,
    })
}
