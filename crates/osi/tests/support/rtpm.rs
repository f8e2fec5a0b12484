//! Machines of RTSE in every state, and every request and event there is.
#![allow(dead_code, reason = "each test uses another part of it")]

use ber::Oid;
use clock::MonoTime;
use osi::acse::{AAssociate, AIndication, AReject};
use osi::presentation::{
    ContextId, Contexts, PAbortCause, PConnect, PIndication, PPart, PValue, SyncIndication,
};
use osi::rtse::apdu::{ConnectionData, Rtab, Rtoac, Rtorq, RtseApdu};
use osi::rtse::{
    AbortReason, DialogueMode, Interrupted, Mode, OpenData, ReceiverState, RefuseReason, ResumePoint,
    RtRequest, Rtpm, RtpmEvent, RtseConfig, SessionConnectionIdentifier,
};
use osi::session::{ActivityResume, ConnectionIdentifier, OldConnection, ReasonCode, SRefuse};

pub(crate) const NOW: MonoTime = MonoTime::START;
pub(crate) const NORMAL: Mode = Mode::Normal1988;
pub(crate) const X410: Mode = Mode::X410 { application_protocol: 12 };

pub(crate) fn rtse() -> Oid {
    Oid::from_arcs(&[2, 6, 0, 2, 12]).unwrap()
}

pub(crate) fn mtse() -> Oid {
    Oid::from_arcs(&[2, 6, 0, 2, 7]).unwrap()
}

pub(crate) fn connect() -> PConnect {
    let contexts = Contexts::new(vec![(ContextId(3), rtse()), (ContextId(5), mtse())]);
    PConnect { contexts, ..PConnect::default() }
}

pub(crate) fn config(dialogue_mode: DialogueMode) -> RtseConfig {
    RtseConfig {
        checkpoint_size_kb: 1,
        window_size: 1,
        dialogue_mode,
        application_protocols: vec![12, 1],
        ..RtseConfig::default()
    }
}

pub(crate) fn rtorq() -> Rtorq {
    Rtorq {
        checkpoint_size_kb: 1,
        window_size: 1,
        dialogue_mode: DialogueMode::TwoWayAlternate,
        connection_data: ConnectionData::Open(vec![5, 0]),
        application_protocol: Some(12),
    }
}

pub(crate) fn associate(mode: Mode, rtorq: Rtorq) -> AIndication {
    let mode = mode.presentation();
    AIndication::Associate(AAssociate {
        connect: PConnect { mode, ..connect() },
        user_information: RtseApdu::Rtorq(rtorq).encode_in(mode),
    })
}

pub(crate) fn rtoac(mode: Mode, checkpoint_size_kb: u32, window_size: u32) -> AIndication {
    answer(mode, checkpoint_size_kb, window_size, ConnectionData::Open(vec![5, 0]))
}

pub(crate) fn answer(
    mode: Mode,
    checkpoint_size_kb: u32,
    window_size: u32,
    connection_data: ConnectionData,
) -> AIndication {
    let rtoac = Rtoac { checkpoint_size_kb, window_size, connection_data };
    AIndication::AssociateConfirm { user_information: RtseApdu::Rtoac(rtoac).encode_in(mode.presentation()) }
}

pub(crate) fn data(mode: Mode, octets: &[u8]) -> PIndication {
    let encoding = RtseApdu::Rttr(octets.to_vec()).encode_in(mode.presentation());
    let context = match mode {
        Mode::Normal1988 => ContextId(3),
        Mode::X410 { .. } => ContextId::DEFAULT,
    };
    PIndication::Data(vec![PValue { context, encoding }])
}

/// The beginning of a P-DATA that comes in parts, with the first octet of an EXTERNAL.
pub(crate) fn data_part(mode: Mode) -> PIndication {
    let part = match mode {
        Mode::Normal1988 => PPart { context: ContextId(3), octets: vec![4, 9, 0x28], last: false },
        Mode::X410 { .. } => PPart { context: ContextId::DEFAULT, octets: vec![0x28], last: false },
    };
    PIndication::DataPart { parts: vec![part], first: true, last: false }
}

/// An EXTERNAL with an empty OCTET STRING in it.
pub(crate) const EXTERNAL: &[u8] = &[0x28, 7, 2, 1, 5, 0xA0, 2, 4, 0];

/// The session connection that is recovered, or on which a transfer was interrupted.
pub(crate) fn old() -> SessionConnectionIdentifier {
    SessionConnectionIdentifier::from(identifier(b"old"))
}

pub(crate) fn identifier(user: &[u8]) -> ConnectionIdentifier {
    ConnectionIdentifier {
        user_reference: Some(ber::Writer::encode(|w| w.primitive(ber::Tag::OCTET_STRING, user))),
        common_reference: Some(ber::Writer::encode(|w| w.primitive(ber::Tag::UTC_TIME, b"261122043000Z"))),
        additional_reference: None,
    }
}

pub(crate) fn point() -> ResumePoint {
    ResumePoint { activity: vec![2, 1, 1], serial: 1, offset: 1, length: 3 }
}

/// What is kept of a transfer of which the first checkpoint was confirmed.
pub(crate) fn kept(mode: Mode) -> Box<ReceiverState> {
    let (_, _, mut rtpm) =
        states(mode, None).into_iter().find(|(name, _, _)| *name == "an APDU is being received").unwrap();
    let mut out = Vec::new();
    let minor = PIndication::Sync(SyncIndication::Minor { serial: 1, confirm: true });
    for event in [data(mode, EXTERNAL), minor] {
        rtpm.handle(NOW, RtpmEvent::Presentation(event), &mut out).unwrap();
    }
    rtpm.request(NOW, RtRequest::CheckpointSecured { serial: 1 }, &mut out).unwrap();
    match rtpm.take_interrupted().map(|interrupted| *interrupted) {
        Some(Interrupted::Receiving(state)) => Box::new(state),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn initiator(mode: Mode, data: OpenData) -> Rtpm {
    let config = RtseConfig { mode, ..config(DialogueMode::TwoWayAlternate) };
    Rtpm::initiator(config, rtse(), mtse(), connect(), data)
}

pub(crate) fn opens() -> OpenData {
    OpenData::Open(vec![5, 0])
}

pub(crate) fn responder() -> Rtpm {
    Rtpm::responder(config(DialogueMode::TwoWayAlternate), rtse(), mtse())
}

pub(crate) enum Do {
    Start,
    Ask(RtRequest),
    Hear(AIndication),
    Sync(SyncIndication),
    Data,
}

pub(crate) fn drive(mode: Mode, mut rtpm: Rtpm, steps: Vec<Do>) -> Rtpm {
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

/// All states, each with whether an association exists in it that can be aborted. Those of a receiver that goes on with
/// a transfer are there only with what was kept of it.
pub(crate) fn states(mode: Mode, kept: Option<Box<ReceiverState>>) -> Vec<(&'static str, bool, Rtpm)> {
    use Do::{Ask, Data, Hear, Start, Sync};
    let opened = |steps: Vec<Do>| {
        let mut all = vec![Start, Hear(rtoac(mode, 1, 1))];
        all.extend(steps);
        drive(mode, initiator(mode, opens()), all)
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
    let begun = |steps: Vec<Do>| {
        // What has room in 1,024 octets behind the head.
        let first = if let Mode::Normal1988 = mode { 1024 - 11 } else { 1024 };
        let mut all = vec![
            Ask(RtRequest::Transfer { length: first as u64 + 2 }),
            Ask(RtRequest::Segment(vec![0; first])),
            Sync(SyncIndication::MinorConfirm { serial: 1 }),
        ];
        all.extend(steps);
        opened(all)
    };
    let resume = || Ask(RtRequest::Resume { from: point(), connection: Some(old()) });
    let resumed = || Sync(SyncIndication::ActivityResume(linked()));
    let minor = || Sync(SyncIndication::Minor { serial: 1, confirm: true });
    let secured = || Ask(RtRequest::CheckpointSecured { serial: 1 });
    let mut states = vec![
        ("not started", false, initiator(mode, opens())),
        ("not started", false, responder()),
        ("waiting for the association to be opened", false, drive(mode, responder(), vec![Start])),
        (
            "waiting for the answer to the open request",
            true,
            drive(mode, initiator(mode, opens()), vec![Start]),
        ),
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
        (
            "waiting for the answer to the open request",
            true,
            drive(mode, initiator(mode, OpenData::Recover(old())), vec![Start]),
        ),
        (
            "opening is being decided",
            true,
            drive(mode, responder(), vec![Start, Hear(associate(mode, recover()))]),
        ),
        ("an APDU is being sent", true, begun(vec![])),
        ("waiting for the peer to accept the APDU", true, begun(vec![segment()])),
        (
            "waiting for the peer to confirm the interrupt",
            true,
            begun(vec![Ask(RtRequest::TransferInterrupt)]),
        ),
        (
            "waiting for the peer to confirm the interrupt",
            true,
            begun(vec![segment(), Ask(RtRequest::TransferInterrupt)]),
        ),
        (
            "waiting for the peer to confirm the interrupt",
            true,
            begun(vec![Ask(RtRequest::TransferInterrupt), Ask(RtRequest::TransferCancel)]),
        ),
        ("an APDU is being sent", true, opened(vec![resume()])),
        ("waiting for the peer to accept the APDU", true, opened(vec![resume(), segment()])),
        (
            "waiting for the peer to confirm the discard",
            true,
            opened(vec![resume(), Ask(RtRequest::TransferCancel)]),
        ),
        (
            "waiting for the peer to confirm the interrupt",
            true,
            opened(vec![resume(), Ask(RtRequest::TransferInterrupt)]),
        ),
        ("an APDU is being received", true, accepted(vec![start(), Data, minor()])),
        ("an APDU is being received", true, accepted(vec![start(), Data, minor(), secured()])),
        (
            "a received APDU awaits its acceptance",
            true,
            accepted(vec![
                start(),
                Data,
                minor(),
                secured(),
                Sync(SyncIndication::ActivityEnd { serial: 2 }),
            ]),
        ),
        (
            "waiting for the peer to discard a refused APDU",
            true,
            accepted(vec![
                start(),
                Data,
                minor(),
                secured(),
                Ask(RtRequest::TransferRefuse { transient: true }),
            ]),
        ),
        ("a resumed transfer is being looked for", true, accepted(vec![resumed()])),
        (
            "a resumed transfer is being looked for",
            true,
            accepted(vec![resumed(), Sync(SyncIndication::ActivityDiscard(ReasonCode(0)))]),
        ),
        (
            "waiting for the peer to discard a refused APDU",
            true,
            accepted(vec![resumed(), Ask(RtRequest::ResumeRefuse)]),
        ),
        (
            "waiting for the end of an APDU that was accepted before",
            true,
            accepted(vec![resumed(), Ask(RtRequest::ResumeCompleted)]),
        ),
    ];
    if let Some(kept) = kept {
        let accept = || Ask(RtRequest::ResumeAccept(kept.clone()));
        let going_on = accepted(vec![resumed(), accept()]);
        states.push(("an APDU is being received", true, going_on));
    }
    states
}

/// An AR for the transfer that [`kept`] is of.
pub(crate) fn linked() -> ActivityResume {
    ActivityResume {
        new_activity: vec![2, 1, 7],
        old_activity: vec![2, 1, 1],
        serial: 1,
        old_connection: Some(OldConnection {
            calling_reference: identifier(b"old").user_reference,
            common_reference: identifier(b"old").common_reference,
            ..OldConnection::default()
        }),
    }
}

pub(crate) fn recover() -> Rtorq {
    Rtorq { connection_data: ConnectionData::Recover(old()), ..rtorq() }
}

pub(crate) fn aborted_with(mode: Mode, reason: AbortReason) -> AIndication {
    let rtab = RtseApdu::Rtab(Rtab { reason: Some(reason), user_data: Vec::new() });
    AIndication::Abort { by_provider: false, user_information: rtab.encode_in(mode.presentation()) }
}

pub(crate) fn requests(kept: Box<ReceiverState>) -> Vec<RtRequest> {
    vec![
        RtRequest::Resume { from: point(), connection: None },
        RtRequest::TransferInterrupt,
        RtRequest::ResumeAccept(kept),
        RtRequest::ResumeRefuse,
        RtRequest::ResumeCompleted,
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

pub(crate) fn events(mode: Mode) -> Vec<RtpmEvent> {
    let reject = AReject { transient: true, diagnostic: None, user_information: Vec::new() };
    let association = [
        associate(mode, rtorq()),
        associate(mode, recover()),
        rtoac(mode, 1, 1),
        answer(mode, 1, 1, ConnectionData::Recover(old())),
        aborted_with(mode, AbortReason::TRANSFER_COMPLETED),
        aborted_with(mode, AbortReason::UNRECOGNIZED_ACTIVITY),
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
        SyncIndication::ActivityResume(linked()),
        SyncIndication::ActivityEnd { serial: 1 },
        SyncIndication::ActivityEndConfirm,
        SyncIndication::ActivityInterrupt(ReasonCode(0)),
        SyncIndication::ActivityInterruptConfirm,
        SyncIndication::ActivityDiscard(ReasonCode(0)),
        SyncIndication::ActivityDiscardConfirm,
        SyncIndication::ExceptionReport(ReasonCode(0)),
        SyncIndication::ExceptionReport(ReasonCode::LOCAL_SS_USER_ERROR),
        SyncIndication::ProviderExceptionReport,
        SyncIndication::ControlGive,
        SyncIndication::ControlGiven,
    ];
    let mut events: Vec<_> = association.into_iter().map(RtpmEvent::Association).collect();
    events.extend(sync.into_iter().map(|sync| RtpmEvent::Presentation(PIndication::Sync(sync))));
    events.push(RtpmEvent::Presentation(data(mode, EXTERNAL)));
    events.push(RtpmEvent::Presentation(data_part(mode)));
    events.push(RtpmEvent::Presentation(PIndication::TokenPlease { user_data: Vec::new() }));
    events.push(RtpmEvent::Deadline);
    events
}
