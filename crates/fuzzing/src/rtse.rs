//! X.228: one machine, with any requests of its user and any indications from below, in normal and X.410 mode.
//!
//! A refused request has no effect. The end is indicated at most once and nothing after it. The user is asked for no more
//! octets than it announced. Responsibility never moves by itself: the activity is answered only when the user
//! has accepted, once, and a transfer is confirmed only when the peer has answered its end.

use std::time::Duration;

use ber::{Oid, Tag, Writer};
use clock::MonoTime;
use osi::acse::{AAssociate, AIndication, AReject, ARequest};
use osi::presentation::{
    ContextId, Contexts, PAbortCause, PConnect, PIndication, PRequest, PValue, PresentationMode,
    SyncIndication, SyncRequest,
};
use osi::rtse::apdu::{ConnectionData, Rtoac, Rtorq, RtseApdu};
use osi::rtse::{
    AbortReason, DialogueMode, Mode, OpenData, RefuseReason, RtIndication, RtRequest, Rtpm, RtpmAction,
    RtpmEvent, RtseConfig,
};
use osi::session::{ReasonCode, SRefuse};

use crate::Script;

const RTSE_CONTEXT: ContextId = ContextId(3);

fn syntax(last: u32) -> Oid {
    Oid::from_arcs(&[2, 6, 0, 2, last]).expect("a legal object identifier")
}

fn contexts(mode: PresentationMode) -> Contexts {
    match mode {
        PresentationMode::Normal => {
            Contexts::propose(&[osi::acse::ABSTRACT_SYNTAX_ACSE, syntax(12), syntax(7)])
        }
        PresentationMode::X410 => Contexts::default(),
    }
}

struct Machine {
    rtpm: Rtpm,
    now: MonoTime,
    mode: PresentationMode,
    ended: bool,
    /// Octets of the APDU on its way out that were not asked for yet.
    left: u64,
    /// Octets the user was asked for.
    wanted: Option<usize>,
    /// The peer has answered the end of our activity.
    answered: bool,
    /// An APDU of the peer's is whole, and the user has not answered.
    complete: bool,
    /// Octets handed to the user, and octets that came.
    told: usize,
    came: usize,
}

pub(crate) fn run(octets: &[u8]) {
    let mut script = Script::new(octets);
    let flags = script.octet();
    let mode = if flags & 1 == 0 { Mode::Normal1988 } else { Mode::X410 { application_protocol: 12 } };
    let config = RtseConfig {
        mode,
        application_protocols: vec![12],
        checkpoint_size_kb: u32::from(flags >> 6),
        window_size: u32::from(flags >> 4 & 3),
        dialogue_mode: if flags & 4 == 0 { DialogueMode::TwoWayAlternate } else { DialogueMode::Monologue },
        segment_octets_max: 1024,
        ..RtseConfig::default()
    };
    let initiator = flags & 2 == 0;
    let rtpm = if initiator {
        let connect = PConnect {
            mode: mode.presentation(),
            contexts: contexts(mode.presentation()),
            ..PConnect::default()
        };
        Rtpm::initiator(config, syntax(12), syntax(7), connect, OpenData::Open(vec![0xB0, 2, 5, 0]))
    } else {
        Rtpm::responder(config, syntax(12), syntax(7))
    };
    let mut machine = Machine {
        rtpm,
        now: MonoTime::START,
        mode: mode.presentation(),
        ended: false,
        left: 0,
        wanted: None,
        answered: false,
        complete: false,
        told: 0,
        came: 0,
    };
    let mut out = Vec::new();
    machine.rtpm.start(machine.now, &mut out);
    machine.check(out);
    script.each_operation(|code, script| match code {
        0..=0x5F => {
            let request = machine.made(code, script);
            machine.request(request);
        }
        0x60..=0x7F => {
            machine.now = machine.rtpm.deadline().unwrap_or(machine.now).max(machine.now);
            machine.event(RtpmEvent::Deadline);
            let later = machine.rtpm.deadline().is_none_or(|deadline| deadline > machine.now);
            assert!(later, "a deadline stays in the past");
        }
        0x80..=0x8F => machine.now = machine.now + Duration::from_secs(u64::from(script.octet())),
        0x90..=0x97 => machine.rtpm.received(machine.now),
        0x98..=0x9F => machine.rtpm.wrote(machine.now),
        0xA0..=0xBF => {
            let indication = machine.association(code, script);
            machine.event(RtpmEvent::Association(indication));
        }
        0xC0..=0xDF => {
            let indication = PIndication::Sync(sync(code, script));
            machine.event(RtpmEvent::Presentation(indication));
        }
        0xE0..=0xFF => {
            let indication = machine.data(code, script);
            machine.event(RtpmEvent::Presentation(indication));
        }
    });
    machine.event(RtpmEvent::Association(AIndication::PAbort(PAbortCause::Unreadable)));
    assert_eq!(machine.rtpm.deadline(), None);
    assert!(machine.rtpm.agreed().is_none() && !machine.rtpm.has_turn());
}

fn sync(code: u8, script: &mut Script<'_>) -> SyncIndication {
    match code % 16 {
        0 | 1 => SyncIndication::ActivityStart { activity: vec![2, 1, 1] },
        2 => SyncIndication::Minor { serial: u32::from(script.octet()), confirm: true },
        3 => SyncIndication::Minor { serial: u32::from(script.octet()), confirm: false },
        4 | 5 => SyncIndication::MinorConfirm { serial: u32::from(script.octet()) },
        6 => SyncIndication::ActivityEnd { serial: u32::from(script.octet()) },
        7 | 8 => SyncIndication::ActivityEndConfirm,
        9 => SyncIndication::ActivityInterrupt(ReasonCode(script.octet())),
        10 => SyncIndication::ActivityDiscard(ReasonCode(script.octet())),
        11 => SyncIndication::ActivityDiscardConfirm,
        12 => SyncIndication::ExceptionReport(ReasonCode(script.octet())),
        13 => SyncIndication::ProviderExceptionReport,
        14 => SyncIndication::ControlGive,
        _ => SyncIndication::ControlGiven,
    }
}

impl Machine {
    fn made(&self, code: u8, script: &mut Script<'_>) -> RtRequest {
        match code % 16 {
            0 | 1 => RtRequest::OpenAccept { user_data: vec![0xB1, 2, 5, 0] },
            2 => RtRequest::OpenReject {
                user_data: vec![0xB2, 2, 5, 0],
                refuse_reason: RefuseReason(i64::from(script.octet())),
                transient: script.one_in(2),
            },
            3 | 4 => RtRequest::Transfer { length: u64::from(script.number()) },
            5..=7 => RtRequest::Segment(vec![0x55; self.wanted.unwrap_or(usize::from(script.octet()))]),
            8 => RtRequest::TransferCancel,
            9 => RtRequest::CheckpointSecured { serial: u32::from(script.octet()) },
            10 | 11 => RtRequest::TransferAccept,
            12 => RtRequest::TransferRefuse { transient: script.one_in(2) },
            13 => RtRequest::TurnPlease { priority: u32::from(script.octet()) },
            14 if script.octet() % 4 < 3 => RtRequest::TurnGive,
            14 => RtRequest::Segment(script.octets().to_vec()),
            _ if script.octet() % 4 < 3 => RtRequest::Close,
            _ => RtRequest::Abort(AbortReason::USER_ERROR),
        }
    }

    fn association(&self, code: u8, script: &mut Script<'_>) -> AIndication {
        let rtoac = Rtoac {
            checkpoint_size_kb: u32::from(script.octet() % 3),
            window_size: u32::from(script.octet() % 4),
            connection_data: ConnectionData::Open(vec![0xB1, 2, 5, 0]),
        };
        let own = match script.octets() {
            [] => None,
            own => Some(own.to_vec()),
        };
        match code % 12 {
            0..=2 => {
                let rtorq = Rtorq {
                    checkpoint_size_kb: rtoac.checkpoint_size_kb,
                    window_size: rtoac.window_size,
                    dialogue_mode: DialogueMode::TwoWayAlternate,
                    connection_data: ConnectionData::Open(vec![0xB0, 2, 5, 0]),
                    application_protocol: (self.mode == PresentationMode::X410).then_some(12),
                };
                let connect =
                    PConnect { mode: self.mode, contexts: contexts(self.mode), ..PConnect::default() };
                let rtorq = || RtseApdu::Rtorq(rtorq).encode_in(self.mode);
                AIndication::Associate(AAssociate { connect, user_information: own.unwrap_or_else(rtorq) })
            }
            3..=5 => {
                let rtoac = || RtseApdu::Rtoac(rtoac).encode_in(self.mode);
                AIndication::AssociateConfirm { user_information: own.unwrap_or_else(rtoac) }
            }
            6 => AIndication::AssociateRejected(AReject {
                transient: false,
                diagnostic: None,
                user_information: own.unwrap_or_default(),
            }),
            7 => AIndication::RefusedByPresentation { reason: 1 },
            8 => AIndication::RefusedBySession(SRefuse { reason: 1, user_data: own.unwrap_or_default() }),
            9 => AIndication::Release { user_information: own.unwrap_or_default() },
            10 => AIndication::ReleaseConfirm { user_information: own.unwrap_or_default() },
            _ => AIndication::Abort { by_provider: false, user_information: own.unwrap_or_default() },
        }
    }

    /// A P-DATA with an RTTR, or with anything; a P-TOKEN-PLEASE.
    fn data(&mut self, code: u8, script: &mut Script<'_>) -> PIndication {
        let octets = script.octets();
        self.came += octets.len();
        let encoding = match (code % 8, self.mode) {
            (0..=3, PresentationMode::Normal) => Writer::encode(|w| w.primitive(Tag::OCTET_STRING, octets)),
            _ => octets.to_vec(),
        };
        let context = match self.mode {
            PresentationMode::Normal if code % 8 == 4 => ContextId(5),
            PresentationMode::Normal => RTSE_CONTEXT,
            PresentationMode::X410 => ContextId::DEFAULT,
        };
        let values = vec![PValue { context, encoding }];
        match code % 8 {
            6 => PIndication::TokenPlease { user_data: values },
            7 => PIndication::TokenPlease {
                user_data: vec![PValue { context: RTSE_CONTEXT, encoding: RtseApdu::Rttp(1).encode() }],
            },
            _ => PIndication::Data(values),
        }
    }

    fn request(&mut self, request: RtRequest) {
        let (transfer, segment) = match &request {
            RtRequest::Transfer { length } => (Some(*length), false),
            RtRequest::Segment(_) => (None, true),
            _ => (None, false),
        };
        let accepts = matches!(request, RtRequest::TransferAccept);
        let mut out = Vec::new();
        match self.rtpm.request(self.now, request, &mut out) {
            Ok(()) => {
                if let Some(length) = transfer {
                    self.left = length;
                    self.wanted = None;
                    self.answered = false;
                }
                if segment {
                    self.wanted = None;
                }
                let answers = out.iter().filter(|action| is_end_response(action)).count();
                assert_eq!(answers, usize::from(accepts), "the activity is answered when the user accepts");
                assert!(!accepts || self.complete, "accepted before it was whole");
                if accepts {
                    self.complete = false;
                }
                self.check(out);
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert!(out.is_empty(), "a refused request has an effect");
            }
        }
    }

    fn event(&mut self, event: RtpmEvent) {
        match &event {
            RtpmEvent::Presentation(PIndication::Sync(SyncIndication::ActivityEndConfirm)) => {
                self.answered = true
            }
            // The peer says that it has the APDU by the reason of its abort.
            RtpmEvent::Association(AIndication::Abort { .. }) => self.answered = true,
            RtpmEvent::Association(_) | RtpmEvent::Presentation(_) | RtpmEvent::Deadline => {
                self.answered = false
            }
        }
        let mut out = Vec::new();
        let result = self.rtpm.handle(self.now, event, &mut out);
        let answers = out.iter().any(is_end_response);
        assert!(!answers, "the activity is answered without the user");
        let failed = result.is_err();
        if let Err(error) = result {
            assert!(!self.ended, "{error} after the end");
            assert_eq!(self.rtpm.deadline(), None);
        }
        self.check(out);
        // The user is told by whoever put the layers together.
        self.ended |= failed;
    }

    fn check(&mut self, out: Vec<RtpmAction>) {
        for action in out {
            let RtpmAction::Indication(indication) = action else {
                assert!(!matches!(&action, RtpmAction::Association(ARequest::Associate(_))) || !self.ended);
                continue;
            };
            assert!(!self.ended, "{indication:?} after the end");
            match indication {
                RtIndication::SegmentWanted { octets } => {
                    assert!(self.wanted.is_none(), "two segments are wanted at once");
                    assert!(octets as u64 <= self.left, "more is wanted than there is");
                    assert!(octets > 0 || self.left == 0);
                    self.left -= octets as u64;
                    self.wanted = Some(octets);
                }
                RtIndication::TransferConfirm => {
                    assert!(self.answered, "confirmed without a word of the peer's");
                    assert!(self.left == 0 && self.wanted.is_none(), "confirmed before all of it was given");
                }
                RtIndication::TransferFailed { .. } | RtIndication::TransferInterrupted { .. } => {
                    self.left = 0;
                    self.wanted = None;
                }
                RtIndication::TransferData(octets) => {
                    assert!(!octets.is_empty());
                    self.told += octets.len();
                    assert!(self.told <= self.came, "more is told than came");
                }
                RtIndication::TransferEnd => self.complete = true,
                RtIndication::TransferStart | RtIndication::TransferDiscarded => self.complete = false,
                RtIndication::OpenRefused(_) | RtIndication::Closed | RtIndication::Aborted(_) => {
                    self.ended = true;
                }
                RtIndication::Open(_)
                | RtIndication::OpenConfirm { .. }
                | RtIndication::Checkpoint { .. }
                | RtIndication::Resume { .. }
                | RtIndication::TurnPlease { .. }
                | RtIndication::TurnGive
                | RtIndication::TurnGiven => {}
            }
        }
    }
}

fn is_end_response(action: &RtpmAction) -> bool {
    matches!(action, RtpmAction::Presentation(PRequest::Sync(SyncRequest::ActivityEndResponse)))
}
