//! Every state of the reliable transfer machine meets every event, and what each of them answers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use core::time::Duration;

use ber::Oid;
use clock::MonoTime;
use osi::acse::{AAssociate, AIndication, AReject, ARequest};
use osi::presentation::{
    ContextId, Contexts, PAbortCause, PConnect, PIndication, PRequest, PValue, PresentationMode,
    SyncIndication, SyncRequest,
};
use osi::rtse::apdu::{ConnectionData, Rtab, Rtoac, Rtorj, Rtorq, RtseApdu};
use osi::rtse::{
    AbortReason, Aborted, Agreed, DialogueMode, Mode, OpenData, RefuseReason, RequestError, RtIndication,
    RtRequest, Rtpm, RtpmAction, RtpmEvent, RtseConfig, RtseError,
};
use osi::session::{ActivityResume, ReasonCode, SRefuse};

const NOW: MonoTime = MonoTime::START;
const NORMAL: Mode = Mode::Normal1988;
const X410: Mode = Mode::X410 { application_protocol: 12 };

fn rtse() -> Oid {
    Oid::from_arcs(&[2, 6, 0, 2, 12]).unwrap()
}

fn mtse() -> Oid {
    Oid::from_arcs(&[2, 6, 0, 2, 7]).unwrap()
}

fn connect() -> PConnect {
    let contexts = Contexts::new(vec![(ContextId(3), rtse()), (ContextId(5), mtse())]);
    PConnect { contexts, ..PConnect::default() }
}

fn config(dialogue_mode: DialogueMode) -> RtseConfig {
    RtseConfig {
        checkpoint_size_kb: 1,
        window_size: 1,
        dialogue_mode,
        application_protocols: vec![12, 1],
        ..RtseConfig::default()
    }
}

fn rtorq() -> Rtorq {
    Rtorq {
        checkpoint_size_kb: 1,
        window_size: 1,
        dialogue_mode: DialogueMode::TwoWayAlternate,
        connection_data: ConnectionData::Open(vec![5, 0]),
        application_protocol: Some(12),
    }
}

fn associate(mode: Mode, rtorq: Rtorq) -> AIndication {
    let mode = mode.presentation();
    AIndication::Associate(AAssociate {
        connect: PConnect { mode, ..connect() },
        user_information: RtseApdu::Rtorq(rtorq).encode_in(mode),
    })
}

fn rtoac(mode: Mode, checkpoint_size_kb: u32, window_size: u32) -> AIndication {
    let connection_data = ConnectionData::Open(vec![5, 0]);
    let rtoac = Rtoac { checkpoint_size_kb, window_size, connection_data };
    AIndication::AssociateConfirm { user_information: RtseApdu::Rtoac(rtoac).encode_in(mode.presentation()) }
}

fn data(mode: Mode, octets: &[u8]) -> PIndication {
    let encoding = RtseApdu::Rttr(octets.to_vec()).encode_in(mode.presentation());
    let context = match mode {
        Mode::Normal1988 => ContextId(3),
        Mode::X410 { .. } => ContextId::DEFAULT,
    };
    PIndication::Data(vec![PValue { context, encoding }])
}

/// An EXTERNAL with an empty OCTET STRING in it.
const EXTERNAL: &[u8] = &[0x28, 7, 2, 1, 5, 0xA0, 2, 4, 0];

fn initiator(mode: Mode) -> Rtpm {
    let config = RtseConfig { mode, ..config(DialogueMode::TwoWayAlternate) };
    Rtpm::initiator(config, rtse(), mtse(), connect(), OpenData::Open(vec![5, 0]))
}

fn responder() -> Rtpm {
    Rtpm::responder(config(DialogueMode::TwoWayAlternate), rtse(), mtse())
}

enum Do {
    Start,
    Ask(RtRequest),
    Hear(AIndication),
    Sync(SyncIndication),
    Data,
}

fn drive(mode: Mode, mut rtpm: Rtpm, steps: Vec<Do>) -> Rtpm {
    let mut out = Vec::new();
    for step in steps {
        match step {
            Do::Start => rtpm.start(NOW, &mut out),
            Do::Ask(request) => rtpm.request(NOW, request, &mut out).unwrap(),
            Do::Hear(indication) => {
                rtpm.handle(NOW, RtpmEvent::Association(indication), &mut out).unwrap();
            }
            Do::Sync(indication) => {
                let event = RtpmEvent::Presentation(PIndication::Sync(indication));
                rtpm.handle(NOW, event, &mut out).unwrap();
            }
            Do::Data => {
                rtpm.handle(NOW, RtpmEvent::Presentation(data(mode, EXTERNAL)), &mut out).unwrap();
            }
        }
    }
    rtpm
}

/// All states, each with whether an association exists in it that can be aborted.
fn states(mode: Mode) -> Vec<(&'static str, bool, Rtpm)> {
    use Do::{Ask, Data, Hear, Start, Sync};
    let opened = |steps: Vec<Do>| {
        let mut all = vec![Start, Hear(rtoac(mode, 1, 1))];
        all.extend(steps);
        drive(mode, initiator(mode), all)
    };
    let accepted = |steps: Vec<Do>| {
        let accept = RtRequest::OpenAccept { user_data: vec![5, 0] };
        let mut all = vec![Start, Hear(associate(mode, rtorq())), Ask(accept)];
        all.extend(steps);
        drive(mode, responder(), all)
    };
    let transfer = || Ask(RtRequest::Transfer { length: 2 });
    let segment = || Ask(RtRequest::Segment(vec![4, 0]));
    let start = || Sync(SyncIndication::ActivityStart { activity: vec![2, 1, 1] });
    let end = || Sync(SyncIndication::ActivityEnd { serial: 1 });
    vec![
        ("not started", false, initiator(mode)),
        ("not started", false, responder()),
        ("waiting for the association to be opened", false, drive(mode, responder(), vec![Start])),
        ("waiting for the answer to the open request", true, drive(mode, initiator(mode), vec![Start])),
        (
            "opening is being decided",
            true,
            drive(mode, responder(), vec![Start, Hear(associate(mode, rtorq()))]),
        ),
        ("no transfer is in progress", true, opened(vec![])),
        ("no transfer is in progress", true, accepted(vec![])),
        ("an APDU is being sent", true, opened(vec![transfer()])),
        ("waiting for the peer to accept the APDU", true, opened(vec![transfer(), segment()])),
        (
            "waiting for the peer to confirm the discard",
            true,
            opened(vec![transfer(), Ask(RtRequest::TransferCancel)]),
        ),
        ("an APDU is being received", true, accepted(vec![start()])),
        ("an APDU is being received", true, accepted(vec![start(), Data])),
        ("a received APDU awaits its acceptance", true, accepted(vec![start(), Data, end()])),
        (
            "waiting for the peer to discard a refused APDU",
            true,
            accepted(vec![start(), Ask(RtRequest::TransferRefuse { transient: true })]),
        ),
        ("waiting for the peer to take the turn", true, opened(vec![Ask(RtRequest::TurnGive)])),
        ("waiting for the peer to answer the release", true, opened(vec![Ask(RtRequest::Close)])),
        (
            "no transfer is in progress",
            true,
            accepted(vec![start(), Data, end(), Ask(RtRequest::TransferAccept)]),
        ),
        (
            "waiting for the peer to confirm the discard",
            true,
            opened(vec![transfer(), segment(), Ask(RtRequest::TransferCancel)]),
        ),
        ("ended", false, opened(vec![Hear(AIndication::PAbort(PAbortCause::Unreadable))])),
    ]
}

fn requests() -> Vec<RtRequest> {
    vec![
        RtRequest::OpenAccept { user_data: vec![5, 0] },
        RtRequest::OpenReject {
            user_data: Vec::new(),
            refuse_reason: RefuseReason::RTS_BUSY,
            transient: false,
        },
        RtRequest::Transfer { length: 2 },
        RtRequest::Segment(vec![4, 0]),
        RtRequest::TransferCancel,
        RtRequest::CheckpointSecured { serial: 1 },
        RtRequest::TransferAccept,
        RtRequest::TransferRefuse { transient: false },
        RtRequest::TurnPlease { priority: 1 },
        RtRequest::TurnGive,
        RtRequest::Close,
        RtRequest::Abort(AbortReason::USER_ERROR),
    ]
}

fn events(mode: Mode) -> Vec<RtpmEvent> {
    let reject = AReject { transient: true, diagnostic: None, user_information: Vec::new() };
    let association = [
        associate(mode, rtorq()),
        rtoac(mode, 1, 1),
        AIndication::AssociateRejected(reject),
        AIndication::RefusedByPresentation { reason: 0 },
        AIndication::RefusedBySession(SRefuse { reason: 0, user_data: Vec::new() }),
        AIndication::Release { user_information: Vec::new() },
        AIndication::ReleaseConfirm { user_information: Vec::new() },
        AIndication::Abort { by_provider: false, user_information: Vec::new() },
        AIndication::PAbort(PAbortCause::Unreadable),
    ];
    let sync = [
        SyncIndication::Minor { serial: 1, confirm: true },
        SyncIndication::MinorConfirm { serial: 1 },
        SyncIndication::ActivityStart { activity: Vec::new() },
        SyncIndication::ActivityResume(ActivityResume::default()),
        SyncIndication::ActivityEnd { serial: 1 },
        SyncIndication::ActivityEndConfirm,
        SyncIndication::ActivityInterrupt(ReasonCode(0)),
        SyncIndication::ActivityInterruptConfirm,
        SyncIndication::ActivityDiscard(ReasonCode(0)),
        SyncIndication::ActivityDiscardConfirm,
        SyncIndication::ExceptionReport(ReasonCode(0)),
        SyncIndication::ProviderExceptionReport,
        SyncIndication::ControlGive,
        SyncIndication::ControlGiven,
    ];
    let mut events: Vec<_> = association.into_iter().map(RtpmEvent::Association).collect();
    events.extend(sync.into_iter().map(|sync| RtpmEvent::Presentation(PIndication::Sync(sync))));
    events.push(RtpmEvent::Presentation(data(mode, EXTERNAL)));
    events.push(RtpmEvent::Presentation(PIndication::TokenPlease { user_data: Vec::new() }));
    events.push(RtpmEvent::Deadline);
    events
}

#[test]
fn every_state_meets_every_event() {
    for mode in [NORMAL, X410] {
        every_state_meets_every_event_in(mode);
    }
}

fn every_state_meets_every_event_in(mode: Mode) {
    let (mut cells, mut allowed, mut refused, mut errors) = (0, 0, 0, 0);
    for (name, association, rtpm) in states(mode) {
        assert_eq!(rtpm.state_name(), name);
        for request in requests() {
            cells += 1;
            let mut rtpm = rtpm.clone();
            let before = format!("{rtpm:?}");
            let mut out = Vec::new();
            match rtpm.request(NOW, request, &mut out) {
                Ok(()) => allowed += 1,
                Err(_) => {
                    refused += 1;
                    assert!(out.is_empty());
                    assert_eq!(format!("{rtpm:?}"), before);
                }
            }
        }
        for event in events(mode) {
            cells += 1;
            let mut rtpm = rtpm.clone();
            let mut out = Vec::new();
            match rtpm.handle(NOW, event, &mut out) {
                Ok(()) => allowed += 1,
                Err(error) => {
                    errors += 1;
                    assert!(!matches!(error, RtseError::Timeout { .. }));
                    assert_eq!(rtpm.state_name(), "ended");
                    assert!(rtpm.deadline().is_none());
                    let crossed = matches!(error, RtseError::GivenUpTooLate | RtseError::AcceptedAfterAll);
                    if let RtseError::AcceptedAfterAll = error {
                        let confirm = RtpmAction::Indication(RtIndication::TransferConfirm);
                        assert_eq!(out.remove(0), confirm);
                    }
                    let aborts = match &out[..] {
                        [RtpmAction::Association(ARequest::Abort { user_information })] => {
                            let reason = if crossed {
                                Some(AbortReason::TRANSFER_COMPLETED)
                            } else {
                                Some(AbortReason::PROTOCOL_ERROR)
                            };
                            let rtab = Rtab { reason, user_data: Vec::new() };
                            // Which mode it would have been is not known before anything has come.
                            let own = match (mode, association) {
                                (Mode::Normal1988, _) => mode,
                                (Mode::X410 { .. }, true) => mode,
                                (Mode::X410 { .. }, false) => NORMAL,
                            };
                            let expected = RtseApdu::Rtab(rtab).encode_in(own.presentation());
                            assert_eq!(user_information, &expected, "{name}");
                            true
                        }
                        [] => false,
                        other => panic!("{other:?}"),
                    };
                    assert_eq!(aborts, association || name.contains("to be opened"), "{name}: {error}");
                }
            }
        }
    }
    let expected = match mode {
        Mode::Normal1988 => (722, 181, 190, 351),
        // Without an EXTERNAL an APDU may end anywhere: at once, or with another octet.
        Mode::X410 { .. } => (722, 183, 190, 349),
    };
    assert_eq!((cells, allowed, refused, errors), expected);
}

#[test]
fn every_wait_for_the_peer_has_an_end() {
    let waits = states(NORMAL).into_iter().filter(|(name, _, _)| name.starts_with("waiting")).count();
    assert_eq!(waits, 8);
    for (name, _, mut rtpm) in states(NORMAL) {
        let Some(deadline) = rtpm.deadline() else {
            assert!(!name.starts_with("waiting"), "{name}");
            continue;
        };
        let mut out = Vec::new();
        let early = deadline.since_start() - Duration::from_nanos(1);
        rtpm.handle(MonoTime::after_start(early), RtpmEvent::Deadline, &mut out).unwrap();
        assert!(out.is_empty());
        let error = rtpm.handle(deadline, RtpmEvent::Deadline, &mut out).unwrap_err();
        assert!(matches!(error, RtseError::Timeout { .. }));
        assert_eq!(error.blame(), osi::failure::Blame::PeerGone);
        assert_eq!(rtpm.state_name(), "ended");
    }
}

fn open_by(mode: Mode, rtorq: Rtorq, config: RtseConfig) -> (Result<(), RtseError>, Vec<RtpmAction>) {
    let mut rtpm = Rtpm::responder(config, rtse(), mtse());
    let mut out = Vec::new();
    rtpm.start(NOW, &mut out);
    (rtpm.handle(NOW, RtpmEvent::Association(associate(mode, rtorq)), &mut out), out)
}

#[test]
fn sizes_are_only_ever_reduced() {
    // Proposed and own checkpoint size, and the answer.
    for (proposed, own, answer) in [(63, 30, 30), (1, 30, 1), (0, 30, 0), (63, 0, 63), (0, 0, 0)] {
        let config = RtseConfig { checkpoint_size_kb: own, ..config(DialogueMode::TwoWayAlternate) };
        let (_, out) =
            open_by(NORMAL, Rtorq { checkpoint_size_kb: proposed, window_size: 9, ..rtorq() }, config);
        let [RtpmAction::Indication(RtIndication::Open(open))] = &out[..] else { panic!("{out:?}") };
        assert_eq!((open.agreed.checkpoint_size_kb, open.agreed.window_size), (answer, 1));
    }
    // Proposed, the peer's answer, and what holds.
    for (own, answered, holds) in [(30, 1, 1), (30, 63, 30), (0, 1, 1), (30, 0, 0)] {
        let config = RtseConfig { checkpoint_size_kb: own, window_size: 5, ..RtseConfig::default() };
        let mut rtpm = Rtpm::initiator(config, rtse(), mtse(), connect(), OpenData::Open(vec![5, 0]));
        let mut out = Vec::new();
        rtpm.start(NOW, &mut out);
        rtpm.handle(NOW, RtpmEvent::Association(rtoac(NORMAL, answered, 9)), &mut out).unwrap();
        let agreed =
            Agreed { checkpoint_size_kb: holds, window_size: 5, dialogue_mode: DialogueMode::Monologue };
        assert_eq!(rtpm.agreed(), Some(agreed));
    }
}

#[test]
fn an_unwanted_dialogue_mode_is_rejected() {
    for (mode, refuse_reason) in [(NORMAL, None), (X410, Some(3))] {
        let (result, out) = open_by(mode, rtorq(), config(DialogueMode::Monologue));
        assert_eq!(result, Err(RtseError::TwoWayAlternate));
        assert_eq!(out, [rejection(mode, refuse_reason)]);
    }
}

fn rejection(mode: Mode, refuse_reason: Option<i64>) -> RtpmAction {
    let rtorj = RtseApdu::Rtorj(Rtorj { refuse_reason, user_data: Vec::new() });
    let user_information = rtorj.encode_in(mode.presentation());
    RtpmAction::Association(ARequest::AssociateReject { transient: false, user_information })
}

#[test]
fn application_protocols_that_are_not_offered_are_refused_in_x410_mode_alone() {
    for (found, taken) in [
        (Some(12), Some(12)),
        (Some(1), Some(1)),
        // As PP encodes 12.
        (Some(0x0C00), Some(12)),
        (Some(2), None),
        (None, None),
    ] {
        let rtorq = || Rtorq { application_protocol: found, ..rtorq() };
        let (result, out) = open_by(X410, rtorq(), config(DialogueMode::TwoWayAlternate));
        match taken {
            Some(application_protocol) => {
                let [RtpmAction::Indication(RtIndication::Open(open))] = &out[..] else { panic!("{out:?}") };
                assert_eq!(open.mode, Mode::X410 { application_protocol });
            }
            None => {
                assert_eq!(result, Err(RtseError::ApplicationProtocol { found }));
                assert_eq!(out, [rejection(X410, Some(2))]);
            }
        }
        let (result, out) = open_by(NORMAL, rtorq(), config(DialogueMode::TwoWayAlternate));
        assert_eq!(result, Ok(()));
        let [RtpmAction::Indication(RtIndication::Open(open))] = &out[..] else { panic!("{out:?}") };
        assert_eq!(open.mode, NORMAL);
    }
    // By default none is offered.
    let config = RtseConfig { dialogue_mode: DialogueMode::TwoWayAlternate, ..RtseConfig::default() };
    let (result, out) = open_by(X410, rtorq(), config);
    assert_eq!(result, Err(RtseError::ApplicationProtocol { found: Some(12) }));
    assert_eq!(out, [rejection(X410, Some(2))]);
}

#[test]
fn a_resumed_activity_is_refused_without_a_word_to_the_user() {
    let mut rtpm = states(NORMAL).swap_remove(6).2;
    let mut out = Vec::new();
    let mut sync =
        |sync| rtpm.handle(NOW, RtpmEvent::Presentation(PIndication::Sync(sync)), &mut out).unwrap();
    sync(SyncIndication::ActivityResume(ActivityResume::default()));
    sync(SyncIndication::ActivityDiscard(ReasonCode(0)));
    let expected = [
        SyncRequest::ExceptionReport(ReasonCode::UNRECOVERABLE_PROCEDURAL_ERROR),
        SyncRequest::ActivityDiscardResponse,
    ];
    assert_eq!(out, expected.map(|sync| RtpmAction::Presentation(PRequest::Sync(sync))));
}

#[test]
fn checkpoints_are_confirmed_when_they_are_secured_and_not_twice() {
    let mut rtpm = states(NORMAL).swap_remove(10).2;
    let mut out = Vec::new();
    for serial in 1..=4 {
        // One more than any window of ours: taken all the same.
        let minor = SyncIndication::Minor { serial, confirm: true };
        rtpm.handle(NOW, RtpmEvent::Presentation(PIndication::Sync(minor)), &mut out).unwrap();
    }
    assert_eq!(rtpm.deadline(), None, "the peer waits for us");
    out.clear();
    rtpm.request(NOW, RtRequest::CheckpointSecured { serial: 2 }, &mut out).unwrap();
    assert_eq!(out, [RtpmAction::Presentation(PRequest::Sync(SyncRequest::MinorResponse { serial: 2 }))]);
    for serial in [0, 1, 2, 5] {
        let error = rtpm.request(NOW, RtRequest::CheckpointSecured { serial }, &mut out).unwrap_err();
        assert_eq!(error, RequestError::Checkpoint { serial, secured: 2, received: 4 });
    }
    rtpm.request(NOW, RtRequest::CheckpointSecured { serial: 4 }, &mut out).unwrap();
    assert!(rtpm.deadline().is_some(), "it is the peer's move");
}

#[test]
fn a_stream_that_is_no_external_or_ends_early_aborts() {
    for octets in [&[0x30, 0][..], &[0x28, 7, 2, 1, 7, 0xA0, 2, 4, 0], &[0x28, 7, 2, 1, 5, 0xA0, 2, 4, 0, 0]]
    {
        let mut rtpm = states(NORMAL).swap_remove(10).2;
        let error =
            rtpm.handle(NOW, RtpmEvent::Presentation(data(NORMAL, octets)), &mut Vec::new()).unwrap_err();
        assert!(matches!(error, RtseError::External(_)), "{error}");
    }
    let mut rtpm = states(NORMAL).swap_remove(10).2;
    let end = PIndication::Sync(SyncIndication::ActivityEnd { serial: 1 });
    let mut out = Vec::new();
    let error = rtpm.handle(NOW, RtpmEvent::Presentation(end), &mut out).unwrap_err();
    assert!(matches!(error, RtseError::External(_)), "{error}");
    assert!(matches!(out[..], [RtpmAction::Association(ARequest::Abort { .. })]));
}

#[test]
fn known_encodings() {
    let open = |user_data: &[u8]| ConnectionData::Open(user_data.to_vec());
    let rtorq = |checkpoint_size_kb, window_size, connection_data| {
        let dialogue_mode = DialogueMode::Monologue;
        RtseApdu::Rtorq(Rtorq {
            checkpoint_size_kb,
            window_size,
            dialogue_mode,
            connection_data,
            application_protocol: None,
        })
    };
    let decode = |octets: &[u8]| RtseApdu::decode(octets).unwrap();
    // Window absent, dialogue mode explicit; and no size at all, without user data.
    assert_eq!(
        decode(&[0xB0, 12, 0x80, 1, 63, 0x82, 1, 0, 0xA3, 4, 0xA0, 2, 5, 0]),
        rtorq(63, 3, open(&[5, 0]))
    );
    assert_eq!(decode(&[0xB0, 4, 0xA3, 2, 0x80, 0]), rtorq(0, 3, open(&[])));
    let whole = [0xB0, 12, 0x80, 1, 1, 0x81, 1, 3, 0xA3, 4, 0xA0, 2, 5, 0];
    assert_eq!(rtorq(1, 3, open(&[5, 0])).encode(), whole);
    let rtoac = RtseApdu::Rtoac(Rtoac { checkpoint_size_kb: 1, window_size: 3, connection_data: open(&[]) });
    assert_eq!(rtoac.encode(), [0xB1, 10, 0x80, 1, 1, 0x81, 1, 3, 0xA2, 2, 0x80, 0]);
    // The bind error of PP is a bare integer.
    let rtorj = RtseApdu::Rtorj(Rtorj { refuse_reason: None, user_data: vec![2, 1, 2] });
    assert_eq!(decode(&[0xB2, 5, 0xA1, 3, 2, 1, 2]), rtorj);
    assert_eq!(rtorj.encode(), [0xB2, 5, 0xA1, 3, 2, 1, 2]);
    let rtab = RtseApdu::Rtab(Rtab { reason: Some(AbortReason(4)), user_data: Vec::new() });
    assert_eq!(rtab.encode(), [0xB6, 3, 0x80, 1, 4]);
    assert_eq!(decode(&[0xB6, 3, 0x80, 1, 4]), rtab);
    assert_eq!(decode(&[0x36, 3, 0x80, 1, 4]), rtab, "with the class of the tag mistaken");
    assert_eq!(RtseApdu::Rttp(5).encode(), [2, 1, 5]);
    assert_eq!(decode(&[0x24, 0x80, 4, 1, 7, 4, 1, 8, 0, 0]), RtseApdu::Rttr(vec![7, 8]));
    assert_eq!(RtseApdu::Rttr(vec![7, 8]).encode(), [4, 2, 7, 8]);
    assert!(RtseApdu::decode(&[0xB0, 7, 0x80, 1, 0xFF, 0xA3, 2, 0x80, 0]).is_err(), "a negative size");
    assert!(RtseApdu::decode(&[0xB3, 0]).is_err());
}

#[test]
fn known_encodings_of_x410_mode() {
    let connection_data = || ConnectionData::Open(vec![5, 0]);
    let rtorq = Rtorq {
        checkpoint_size_kb: 1,
        window_size: 3,
        dialogue_mode: DialogueMode::TwoWayAlternate,
        connection_data: connection_data(),
        application_protocol: Some(12),
    };
    let encoded = [0x31, 18, 0x80, 1, 1, 0x81, 1, 3, 0x82, 1, 1, 0xA3, 4, 0xA0, 2, 5, 0, 0x84, 1, 12];
    let in_x410 = |apdu: RtseApdu| apdu.encode_in(PresentationMode::X410);
    assert_eq!(in_x410(RtseApdu::Rtorq(rtorq.clone())), encoded);
    assert_eq!(Rtorq::decode_x410(&encoded), Ok(rtorq));
    let rtoac = Rtoac { checkpoint_size_kb: 1, window_size: 3, connection_data: connection_data() };
    let encoded = [0x31, 12, 0x80, 1, 1, 0x81, 1, 3, 0xA2, 4, 0xA0, 2, 5, 0];
    assert_eq!(in_x410(RtseApdu::Rtoac(rtoac.clone())), encoded);
    assert_eq!(Rtoac::decode_x410(&encoded), Ok(rtoac));
    let rtorj = Rtorj { refuse_reason: Some(2), user_data: Vec::new() };
    assert_eq!(in_x410(RtseApdu::Rtorj(rtorj.clone())), [0x31, 3, 0x80, 1, 2]);
    assert_eq!(Rtorj::decode_x410(&[0x31, 3, 0x80, 1, 2]), Ok(rtorj));
    let rtab = Rtab { reason: Some(AbortReason(4)), user_data: Vec::new() };
    assert_eq!(in_x410(RtseApdu::Rtab(rtab.clone())), [0x31, 3, 0x80, 1, 4]);
    assert_eq!(Rtab::decode_x410(&[0x31, 3, 0x80, 1, 4]), Ok(rtab));
    assert_eq!(in_x410(RtseApdu::Rttp(5)), [2, 1, 5]);
    assert_eq!(in_x410(RtseApdu::Rttr(vec![7, 8])), [7, 8]);
    assert!(Rtab::decode_x410(&[0xB6, 3, 0x80, 1, 4]).is_err(), "the tag of normal mode");
    assert!(Rtab::decode_x410(&[0x31, 0, 5, 0]).is_err(), "something after it");
}

#[test]
fn an_abort_of_the_peer_is_put_into_words() {
    let mut rtpm = states(NORMAL).swap_remove(5).2;
    let mut out = Vec::new();
    let user_information = vec![0x36, 3, 0x80, 1, 3];
    let abort = AIndication::Abort { by_provider: false, user_information };
    rtpm.handle(NOW, RtpmEvent::Association(abort), &mut out).unwrap();
    let [RtpmAction::Indication(RtIndication::Aborted(aborted))] = &out[..] else { panic!("{out:?}") };
    let Aborted { by_peer, reason, text, .. } = aborted;
    assert_eq!((*by_peer, *reason), (true, Some(AbortReason::TEMPORARY_PROBLEM)));
    assert!(text.contains("temporary problem"), "{text}");
}
