//! X.227. Codec: APDUs that are read and written again read the same. Machine: two of them over a presentation
//! connection that does what it should, with any requests, and presentation indications from nowhere.
//!
//! Always: a refused request has no effect, and the machine that found a fault is closed. As long as nothing came
//! from nowhere: no machine accuses the other, and user information arrives as it was given.

use std::sync::LazyLock;

use ber::{Oid, Reader, Tag, Writer};
use osi::acse::apdu::{AcseApdu, AeTitle, External};
use osi::acse::{
    AAssociate, ABSTRACT_SYNTAX_ACSE, AIndication, ARequest, Acpm, AcpmAction, AcpmConfig, AcpmEvent,
    AcseError, State,
};
use osi::failure::Blame;
use osi::presentation::{
    ContextId, Contexts, PAbortCause, PConnect, PIndication, PRequest, PValue, PresentationMode,
};
use osi::session::SRefuse;

use crate::{Script, legal};

pub(crate) fn codec(octets: &[u8]) {
    if let Ok(apdu) = AcseApdu::decode(octets) {
        assert!(!apdu.name().is_empty());
        // An octet-aligned value may be anything; what we send is one encoding.
        if externals(&apdu).iter().all(|external| is_one_encoding(&external.encoding)) {
            assert_eq!(AcseApdu::decode(&apdu.encode()), Ok(apdu));
        }
    }
}

fn externals(apdu: &AcseApdu) -> &[External] {
    match apdu {
        AcseApdu::Aarq(aarq) => &aarq.user_information,
        AcseApdu::Aare(aare) => &aare.user_information,
        AcseApdu::Rlrq(release) | AcseApdu::Rlre(release) => &release.user_information,
        AcseApdu::Abrt(abrt) => &abrt.user_information,
    }
}

fn is_one_encoding(octets: &[u8]) -> bool {
    let mut reader = Reader::new(octets);
    reader.any().is_ok() && reader.finish().is_ok()
}

fn user_syntax() -> Oid {
    Oid::from_arcs(&[2, 6, 0, 2, 12]).expect("a legal object identifier")
}

fn contexts(mode: PresentationMode) -> Contexts {
    match mode {
        PresentationMode::Normal => Contexts::propose(&[ABSTRACT_SYNTAX_ACSE, user_syntax()]),
        PresentationMode::X410 => Contexts::default(),
    }
}

struct Pair {
    acpms: [Acpm; 2],
    /// On its way to each side.
    wires: [Vec<PIndication>; 2],
    /// User information that each side has given, in order.
    given: [Vec<Vec<u8>>; 2],
    mode: PresentationMode,
    honest: bool,
}

pub(crate) fn run(octets: &[u8]) {
    let mut script = Script::new(octets);
    let flags = script.octet();
    let mode = if flags & 1 == 0 { PresentationMode::Normal } else { PresentationMode::X410 };
    let acpm = || {
        Acpm::new(AcpmConfig {
            application_context: Oid::from_arcs(&[2, 6, 0, 1, 6]).expect("a legal object identifier"),
            user_syntax: user_syntax(),
            called: AeTitle::default(),
            calling: AeTitle::default(),
        })
    };
    let mut pair = Pair {
        acpms: [acpm(), acpm()],
        wires: Default::default(),
        given: Default::default(),
        mode,
        honest: true,
    };
    static PIECES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(apdus);
    script.each_operation(|code, script| {
        let side = usize::from(code >> 7);
        match code & 0x7F {
            0..=0x2F => {
                if !pair.wires[side].is_empty() {
                    let indication = pair.wires[side].remove(0);
                    pair.presentation(side, indication);
                }
            }
            code @ 0x30..=0x47 => {
                pair.honest = false;
                let encoding =
                    if code < 0x40 { legal::changed(&PIECES, script) } else { script.octets().to_vec() };
                let context = ContextId(i64::from(script.octet() % 4) * 2 + 1);
                pair.presentation(side, hostile(code, pair.mode, PValue { context, encoding }));
            }
            code => {
                // Who associates is settled with the transport connection, who releases by the turn.
                let code = match (side, code % 8) {
                    (1, code @ 0..=1) => code + 2,
                    (1, 5) => 6,
                    (_, code) => code,
                };
                let request = pair.made(code, script);
                pair.request(side, request);
            }
        }
    });
}

/// APDUs as a peer sends them.
fn apdus() -> Vec<Vec<u8>> {
    use osi::acse::apdu::{Aare, Aarq, Abrt, AssociateResult, Diagnostic};
    let application_context = Oid::from_arcs(&[2, 6, 0, 1, 6]).expect("a legal object identifier");
    let user_information = vec![External::new(ContextId(3), vec![0x31, 0])];
    let aare = |result| {
        AcseApdu::Aare(Aare {
            application_context: application_context.clone(),
            result,
            diagnostic: Diagnostic::NULL,
            user_information: user_information.clone(),
        })
        .encode()
    };
    let aarq = AcseApdu::Aarq(Aarq {
        version1: true,
        application_context: application_context.clone(),
        called: AeTitle::default(),
        calling: AeTitle::default(),
        user_information: user_information.clone(),
    });
    let abrt = AcseApdu::Abrt(Abrt { by_provider: false, user_information: user_information.clone() });
    vec![
        aarq.encode(),
        aare(AssociateResult::Accepted),
        aare(AssociateResult::RejectedTransient),
        abrt.encode(),
        // RLRQ and RLRE.
        vec![0x62, 0],
        vec![0x63, 0],
    ]
}

fn hostile(code: u8, mode: PresentationMode, value: PValue) -> PIndication {
    let user_data = vec![value];
    match code % 8 {
        0 => PIndication::Connect(PConnect {
            mode,
            contexts: contexts(mode),
            user_data,
            ..PConnect::default()
        }),
        1 => PIndication::ConnectConfirm { user_data },
        2 => PIndication::ConnectRejected { user_data },
        3 => PIndication::Release { user_data },
        4 => PIndication::ReleaseConfirm { user_data },
        5 => PIndication::UAbort { user_data },
        6 => PIndication::ConnectRefusedByProvider { reason: 1 },
        _ => PIndication::ConnectRefusedBySession(SRefuse { reason: 1, user_data: Vec::new() }),
    }
}

impl Pair {
    fn made(&self, code: u8, script: &mut Script<'_>) -> ARequest {
        let information = |script: &mut Script<'_>| {
            Writer::encode(|w| w.constructed(Tag::SET, |w| w.primitive(Tag::OCTET_STRING, script.octets())))
        };
        match code {
            0 | 1 => ARequest::Associate(AAssociate {
                connect: PConnect { mode: self.mode, contexts: contexts(self.mode), ..PConnect::default() },
                user_information: information(script),
            }),
            2 | 3 => ARequest::AssociateAccept { user_information: information(script) },
            4 => ARequest::AssociateReject {
                transient: script.one_in(2),
                user_information: information(script),
            },
            5 => ARequest::Release { user_information: information(script) },
            6 => ARequest::ReleaseResponse { user_information: information(script) },
            _ => ARequest::Abort { user_information: information(script) },
        }
    }

    fn request(&mut self, side: usize, request: ARequest) {
        let given: &Vec<u8> = match &request {
            ARequest::Associate(AAssociate { user_information, .. })
            | ARequest::AssociateAccept { user_information }
            | ARequest::AssociateReject { user_information, .. }
            | ARequest::Release { user_information }
            | ARequest::ReleaseResponse { user_information }
            | ARequest::Abort { user_information } => user_information,
        };
        let given = given.clone();
        let before = self.acpms[side].state().clone();
        let mut out = Vec::new();
        match self.acpms[side].handle(AcpmEvent::Request(request), &mut out) {
            Ok(()) => {
                self.given[side].push(given);
                self.carry_all(side, out);
            }
            Err(error) => {
                assert!(matches!(error, AcseError::RequestOutOfState { .. }), "{error}");
                assert!(out.is_empty(), "a refused request has an effect");
                assert_eq!(*self.acpms[side].state(), before);
            }
        }
    }

    fn presentation(&mut self, side: usize, indication: PIndication) {
        let mut out = Vec::new();
        if let Err(error) = self.acpms[side].handle(AcpmEvent::Presentation(indication), &mut out) {
            assert_eq!(*self.acpms[side].state(), State::Closed, "{error}, and the machine goes on");
            let over = self.acpms.iter().all(|acpm| matches!(acpm.state(), State::Closed));
            let accused = error.blame() == Blame::PeerMisbehaved;
            assert!(!self.honest || !accused || over, "accused an honest peer: {error}");
        }
        self.carry_all(side, out);
    }

    fn carry_all(&mut self, side: usize, out: Vec<AcpmAction>) {
        for action in out {
            match action {
                AcpmAction::Presentation(request) => self.wires[1 - side].extend(carry(request)),
                AcpmAction::Indication(indication) => self.indicated(side, &indication),
            }
        }
    }

    fn indicated(&self, side: usize, indication: &AIndication) {
        let information = match indication {
            AIndication::Associate(AAssociate { user_information, .. })
            | AIndication::AssociateConfirm { user_information }
            | AIndication::Release { user_information }
            | AIndication::ReleaseConfirm { user_information }
            | AIndication::Abort { user_information, .. } => user_information,
            AIndication::AssociateRejected(reject) => &reject.user_information,
            AIndication::RefusedByPresentation { .. }
            | AIndication::RefusedBySession(_)
            | AIndication::PAbort(_) => return,
        };
        // An abort that is no word of the peer's user carries nothing.
        if self.honest && !information.is_empty() {
            assert!(self.given[1 - side].contains(information), "user information that nobody gave");
        }
    }
}

/// What a presentation connection makes of a request at the other end.
fn carry(request: PRequest) -> Option<PIndication> {
    Some(match request {
        PRequest::Connect(connect) => PIndication::Connect(connect),
        PRequest::ConnectAccept { user_data } => PIndication::ConnectConfirm { user_data },
        PRequest::ConnectReject { user_data } => PIndication::ConnectRejected { user_data },
        PRequest::Release { user_data } => PIndication::Release { user_data },
        PRequest::ReleaseResponse { user_data } => PIndication::ReleaseConfirm { user_data },
        PRequest::Abort { user_data } if user_data.is_empty() => PIndication::PAbort(PAbortCause::Unreadable),
        PRequest::Abort { user_data } => PIndication::UAbort { user_data },
        PRequest::ConnectRefuseByProvider { reason } => PIndication::ConnectRefusedByProvider { reason },
        PRequest::Data(_) | PRequest::DataPart { .. } | PRequest::Sync(_) | PRequest::TokenPlease { .. } => {
            return None;
        }
    })
}
