//! Every state of the association machine meets every event.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use ber::Oid;
use osi::acse::apdu::{Aare, Aarq, Abrt, AcseApdu, AeTitle, AssociateResult, Diagnostic, External, Release};
use osi::acse::{
    AAssociate, ABSTRACT_SYNTAX_ACSE, AIndication, AReject, ARequest, Acpm, AcpmAction, AcpmConfig,
    AcpmEvent, AcseError, State,
};
use osi::presentation::{
    ContextId, Contexts, PAbortCause, PConnect, PIndication, PRequest, PValue, PresentationMode,
    SyncIndication,
};
use osi::session::SRefuse;

fn user_syntax() -> Oid {
    Oid::from_arcs(&[2, 6, 0, 2, 12]).unwrap()
}

fn context() -> Oid {
    Oid::from_arcs(&[2, 6, 0, 1, 6]).unwrap()
}

fn contexts() -> Contexts {
    Contexts::propose(&[ABSTRACT_SYNTAX_ACSE, user_syntax()])
}

fn machine() -> Acpm {
    Acpm::new(AcpmConfig {
        application_context: context(),
        user_syntax: user_syntax(),
        called: AeTitle::default(),
        calling: AeTitle::default(),
    })
}

fn apdu(apdu: &AcseApdu) -> Vec<PValue> {
    vec![PValue { context: ContextId(1), encoding: apdu.encode() }]
}

fn aarq() -> Aarq {
    Aarq {
        version1: true,
        application_context: context(),
        called: AeTitle::default(),
        calling: AeTitle::default(),
        user_information: vec![External::new(ContextId(3), vec![5, 0])],
    }
}

fn aare(result: AssociateResult) -> Vec<PValue> {
    apdu(&AcseApdu::Aare(Aare {
        application_context: context(),
        result,
        diagnostic: Diagnostic::NULL,
        user_information: vec![External::new(ContextId(3), vec![5, 0])],
    }))
}

fn connect(aarq: Aarq) -> AcpmEvent {
    AcpmEvent::Presentation(PIndication::Connect(PConnect {
        contexts: contexts(),
        user_data: apdu(&AcseApdu::Aarq(aarq)),
        ..PConnect::default()
    }))
}

const NORMAL: PresentationMode = PresentationMode::Normal;
const X410: PresentationMode = PresentationMode::X410;

/// User data of X.410 mode.
fn bare() -> Vec<PValue> {
    vec![PValue { context: ContextId::DEFAULT, encoding: vec![5, 0] }]
}

fn connect_in(mode: PresentationMode) -> AcpmEvent {
    match mode {
        PresentationMode::Normal => connect(aarq()),
        PresentationMode::X410 => AcpmEvent::Presentation(PIndication::Connect(PConnect {
            mode,
            user_data: bare(),
            ..PConnect::default()
        })),
    }
}

fn aare_in(mode: PresentationMode, result: AssociateResult) -> Vec<PValue> {
    match mode {
        PresentationMode::Normal => aare(result),
        PresentationMode::X410 => bare(),
    }
}

fn associate(mode: PresentationMode) -> AAssociate {
    let connect = PConnect { mode, contexts: contexts(), ..PConnect::default() };
    AAssociate { connect, user_information: vec![5, 0] }
}

fn in_state(mode: PresentationMode, index: usize) -> Acpm {
    let mut acpm = machine();
    let mut out = Vec::new();
    let confirm = || {
        let user_data = aare_in(mode, AssociateResult::Accepted);
        AcpmEvent::Presentation(PIndication::ConnectConfirm { user_data })
    };
    let release = AcpmEvent::Presentation(PIndication::Release { user_data: Vec::new() });
    let mut events = Vec::new();
    match index {
        0 => {}
        1 => events.push(AcpmEvent::Request(ARequest::Associate(associate(mode)))),
        2 => events.push(connect_in(mode)),
        3..=5 => {
            events.extend([AcpmEvent::Request(ARequest::Associate(associate(mode))), confirm()]);
            if index == 4 {
                events.push(AcpmEvent::Request(ARequest::Release { user_information: Vec::new() }));
            }
            if index == 5 {
                events.push(release);
            }
        }
        _ => events.push(AcpmEvent::Presentation(PIndication::PAbort(PAbortCause::Unreadable))),
    }
    for event in events {
        acpm.handle(event, &mut out).unwrap();
    }
    let names = [
        "idle",
        "await AARE",
        "await response",
        "associated",
        "await RLRE",
        "await release response",
        "closed",
    ];
    assert_eq!(acpm.state().name(), names[index]);
    acpm
}

fn requests(mode: PresentationMode) -> Vec<ARequest> {
    let user_information = vec![5, 0];
    vec![
        ARequest::Associate(associate(mode)),
        ARequest::AssociateAccept { user_information: user_information.clone() },
        ARequest::AssociateReject { transient: true, user_information: user_information.clone() },
        ARequest::Release { user_information: user_information.clone() },
        ARequest::ReleaseResponse { user_information: user_information.clone() },
        ARequest::Abort { user_information },
    ]
}

fn indications(mode: PresentationMode) -> Vec<PIndication> {
    let AcpmEvent::Presentation(connect) = connect_in(mode) else { unreachable!() };
    let release = |release: AcseApdu| match mode {
        PresentationMode::Normal => apdu(&release),
        PresentationMode::X410 => Vec::new(),
    };
    let rlrq = release(AcseApdu::Rlrq(Release::default()));
    let rlre = release(AcseApdu::Rlre(Release::default()));
    vec![
        connect,
        PIndication::ConnectConfirm { user_data: aare_in(mode, AssociateResult::Accepted) },
        PIndication::ConnectRejected { user_data: aare_in(mode, AssociateResult::RejectedTransient) },
        PIndication::ConnectRefusedByProvider { reason: 1 },
        PIndication::ConnectRefusedBySession(SRefuse { reason: 0, user_data: Vec::new() }),
        PIndication::Data(Vec::new()),
        PIndication::DataPart { parts: Vec::new(), first: true, last: true },
        PIndication::Sync(SyncIndication::ControlGive),
        PIndication::TokenPlease { user_data: Vec::new() },
        PIndication::Release { user_data: rlrq },
        PIndication::ReleaseConfirm { user_data: rlre },
        PIndication::UAbort { user_data: Vec::new() },
        PIndication::PAbort(PAbortCause::Unreadable),
    ]
}

/// What is expected in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// What the row says comes out, and the machine goes to the state of this number.
    To(usize),
    /// The request is refused and changes nothing.
    No,
    /// The association is aborted by the provider.
    Bad,
    /// There is nobody to be told; the machine is closed.
    Shut,
    /// Nothing comes of it.
    Nil,
}
use Cell::{Bad, Nil, No, Shut, To};

const STATES: usize = 7;

/// One row for each event: what comes out where it has its place, and what happens in each state: idle, await AARE, await
/// response, associated, await RLRE, await release response, closed.
const TABLE: [(&str, &str, [Cell; STATES]); 19] = [
    ("A-ASSOCIATE request", "Connect", [To(1), No, No, No, No, No, No]),
    ("A-ASSOCIATE response +", "ConnectAccept", [No, No, To(3), No, No, No, No]),
    ("A-ASSOCIATE response -", "ConnectReject", [No, No, To(6), No, No, No, No]),
    ("A-RELEASE request", "Release", [No, No, No, To(4), No, No, No]),
    ("A-RELEASE response", "ReleaseResponse", [No, No, No, No, No, To(6), No]),
    ("A-ABORT request", "Abort", [No, To(6), To(6), To(6), To(6), To(6), No]),
    ("AARQ", "Associate", [To(2), Bad, Bad, Bad, Bad, Bad, Nil]),
    ("AARE +", "AssociateConfirm", [Shut, To(3), Bad, Bad, Bad, Bad, Nil]),
    ("AARE -", "AssociateRejected", [Shut, To(6), Bad, Bad, Bad, Bad, Nil]),
    ("CPR of the provider", "RefusedByPresentation", [Shut, To(6), Bad, Bad, Bad, Bad, Nil]),
    ("RF", "RefusedBySession", [Shut, To(6), Bad, Bad, Bad, Bad, Nil]),
    ("P-DATA", "", [Shut, Bad, Bad, Bad, Bad, Bad, Nil]),
    ("P-DATA in parts", "", [Shut, Bad, Bad, Bad, Bad, Bad, Nil]),
    ("P-ACTIVITY, P-SYNC", "", [Shut, Bad, Bad, Bad, Bad, Bad, Nil]),
    ("P-TOKEN-PLEASE", "", [Shut, Bad, Bad, Bad, Bad, Bad, Nil]),
    ("RLRQ", "Release", [Shut, Bad, Bad, To(5), Bad, Bad, Nil]),
    ("RLRE", "ReleaseConfirm", [Shut, Bad, Bad, Bad, To(6), Bad, Nil]),
    ("ABRT", "Abort", [To(6), To(6), To(6), To(6), To(6), To(6), Nil]),
    ("P-P-ABORT", "PAbort", [To(6), To(6), To(6), To(6), To(6), To(6), Nil]),
];

/// The row of an event. It does not compile when there is an event without one.
fn row(event: &AcpmEvent) -> usize {
    match event {
        AcpmEvent::Request(request) => match request {
            ARequest::Associate(_) => 0,
            ARequest::AssociateAccept { .. } => 1,
            ARequest::AssociateReject { .. } => 2,
            ARequest::Release { .. } => 3,
            ARequest::ReleaseResponse { .. } => 4,
            ARequest::Abort { .. } => 5,
        },
        AcpmEvent::Presentation(indication) => match indication {
            PIndication::Connect(_) => 6,
            PIndication::ConnectConfirm { .. } => 7,
            PIndication::ConnectRejected { .. } => 8,
            PIndication::ConnectRefusedByProvider { .. } => 9,
            PIndication::ConnectRefusedBySession(_) => 10,
            PIndication::Data(_) => 11,
            PIndication::DataPart { .. } => 12,
            PIndication::Sync(_) => 13,
            PIndication::TokenPlease { .. } => 14,
            PIndication::Release { .. } => 15,
            PIndication::ReleaseConfirm { .. } => 16,
            PIndication::UAbort { .. } => 17,
            PIndication::PAbort(_) => 18,
        },
    }
}

/// The column of a state, likewise.
fn column(state: &State) -> usize {
    match state {
        State::Idle => 0,
        State::AwaitAare { .. } => 1,
        State::AwaitResponse { .. } => 2,
        State::Associated { .. } => 3,
        State::AwaitRlre { .. } => 4,
        State::AwaitReleaseResponse { .. } => 5,
        State::Closed => 6,
    }
}

#[test]
fn every_state_meets_every_event() {
    let mut cells = 0;
    for mode in [NORMAL, X410] {
        let requests = requests(mode).into_iter().map(AcpmEvent::Request);
        let events: Vec<_> =
            requests.chain(indications(mode).into_iter().map(AcpmEvent::Presentation)).collect();
        assert_eq!(events.iter().map(row).collect::<Vec<_>>(), (0..TABLE.len()).collect::<Vec<_>>());
        for event in events {
            let (name, output, expected) = TABLE[row(&event)];
            for (state, expected) in expected.into_iter().enumerate() {
                cells += 1;
                let mut acpm = in_state(mode, state);
                assert_eq!(column(acpm.state()), state);
                let before = acpm.state().clone();
                let mut out = Vec::new();
                let result = acpm.handle(event.clone(), &mut out);
                let cell = match (&result, &out[..]) {
                    (Ok(()), []) => Nil,
                    (Ok(()), [AcpmAction::Presentation(request)]) => {
                        assert_eq!(variant(&format!("{request:?}")), output, "{name} in {before:?}");
                        To(column(acpm.state()))
                    }
                    (Ok(()), [AcpmAction::Indication(indication)]) => {
                        assert_eq!(variant(&format!("{indication:?}")), output, "{name} in {before:?}");
                        To(column(acpm.state()))
                    }
                    (Err(AcseError::RequestOutOfState { .. }), []) => No,
                    (Err(AcseError::Unexpected { .. }), []) => Shut,
                    (
                        Err(AcseError::Unexpected { .. }),
                        [AcpmAction::Presentation(PRequest::Abort { user_data })],
                    ) => {
                        if let Some(abort) = user_data.first() {
                            let abrt = Abrt { by_provider: true, user_information: Vec::new() };
                            assert_eq!(AcseApdu::decode(&abort.encoding).unwrap(), AcseApdu::Abrt(abrt));
                        }
                        Bad
                    }
                    other => panic!("{name} in {before:?}: {other:?}"),
                };
                assert_eq!(cell, expected, "{name} in {before:?}");
                match cell {
                    To(_) => {}
                    No | Nil => assert_eq!(acpm.state(), &before),
                    Bad | Shut => assert_eq!(acpm.state(), &State::Closed),
                }
            }
        }
    }
    assert_eq!(cells, 2 * 19 * 7);
}

/// The name of a primitive, without what is in it.
fn variant(shown: &str) -> &str {
    shown.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap()
}

fn judge(aarq: Aarq) -> (Result<(), AcseError>, Vec<AcpmAction>) {
    let mut out = Vec::new();
    (machine().handle(connect(aarq), &mut out), out)
}

fn rejection(out: &[AcpmAction]) -> Aare {
    let [AcpmAction::Presentation(PRequest::ConnectReject { user_data })] = out else { panic!("{out:?}") };
    match AcseApdu::decode(&user_data[0].encoding).unwrap() {
        AcseApdu::Aare(aare) => aare,
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_application_context_or_version_is_rejected_for_good() {
    let other = Oid::from_arcs(&[2, 6, 0, 1, 7]).unwrap();
    let (result, out) = judge(Aarq { application_context: other, ..aarq() });
    assert!(matches!(result, Err(AcseError::ApplicationContext { .. })));
    let aare = rejection(&out);
    assert_eq!(aare.result, AssociateResult::RejectedPermanent);
    assert_eq!(aare.diagnostic, Diagnostic::User(2));

    let (result, out) = judge(Aarq { version1: false, ..aarq() });
    assert_eq!(result, Err(AcseError::Version));
    assert_eq!(rejection(&out).diagnostic, Diagnostic::Provider(2));
}

#[test]
fn user_information_may_name_its_syntax_in_any_way_but_a_wrong_one() {
    let ber = Oid::from_static(&[0x51, 1]);
    for (direct_reference, indirect_reference) in
        [(None, Some(ContextId(3))), (Some(ber.clone()), Some(ContextId(3))), (Some(ber), None), (None, None)]
    {
        let external = External { direct_reference, indirect_reference, encoding: vec![5, 0] };
        let (result, out) = judge(Aarq { user_information: vec![external], ..aarq() });
        assert_eq!(result, Ok(()));
        let [AcpmAction::Indication(AIndication::Associate(associate))] = &out[..] else { panic!("{out:?}") };
        assert_eq!(associate.user_information, [5, 0]);
    }
    let external = External::new(ContextId(1), vec![5, 0]);
    let (result, _) = judge(Aarq { user_information: vec![external], ..aarq() });
    assert_eq!(result, Err(AcseError::UserContext { apdu: "AARQ", context: ContextId(1) }));
}

#[test]
fn titles_are_sent_as_set_and_accepted_unread() {
    let title = |name: u32| AeTitle {
        ap_title: Some(ber::Writer::encode(|w| {
            w.oid(ber::Tag::OBJECT_IDENTIFIER, &Oid::from_arcs(&[1, 3, name]).unwrap())
        })),
        ae_qualifier: Some(ber::Writer::encode(|w| w.integer(ber::Tag::INTEGER, 7))),
    };
    let sent = Aarq { called: title(1), calling: title(2), ..aarq() };
    assert_eq!(
        AcseApdu::decode(&AcseApdu::Aarq(sent.clone()).encode()).unwrap(),
        AcseApdu::Aarq(sent.clone())
    );
    assert_eq!(judge(sent).0, Ok(()));
}

#[test]
fn in_x410_mode_user_information_is_all_that_there_is() {
    let ask = |index, request| {
        let mut out = Vec::new();
        in_state(X410, index).handle(AcpmEvent::Request(request), &mut out).unwrap();
        let (Some(AcpmAction::Presentation(request)), true) = (out.pop(), out.is_empty()) else { panic!() };
        request
    };
    let user_information = || vec![5, 0];
    let PRequest::Connect(connect) = ask(0, ARequest::Associate(associate(X410))) else { panic!() };
    assert_eq!((connect.mode, connect.user_data), (X410, bare()));
    let accept = ask(2, ARequest::AssociateAccept { user_information: user_information() });
    assert_eq!(accept, PRequest::ConnectAccept { user_data: bare() });
    let reject = ask(2, ARequest::AssociateReject { transient: true, user_information: user_information() });
    assert_eq!(reject, PRequest::ConnectReject { user_data: bare() });
    let abort = ask(3, ARequest::Abort { user_information: user_information() });
    assert_eq!(abort, PRequest::Abort { user_data: bare() });
    assert_eq!(
        ask(3, ARequest::Release { user_information: Vec::new() }),
        PRequest::Release { user_data: Vec::new() }
    );
    assert_eq!(
        ask(5, ARequest::ReleaseResponse { user_information: Vec::new() }),
        PRequest::ReleaseResponse { user_data: Vec::new() }
    );

    let hear = |index, indication| {
        let mut out = Vec::new();
        in_state(X410, index).handle(AcpmEvent::Presentation(indication), &mut out).unwrap();
        let (Some(AcpmAction::Indication(indication)), true) = (out.pop(), out.is_empty()) else { panic!() };
        indication
    };
    let rejected = AReject { transient: false, diagnostic: None, user_information: user_information() };
    assert_eq!(
        hear(1, PIndication::ConnectRejected { user_data: bare() }),
        AIndication::AssociateRejected(rejected)
    );
    assert_eq!(
        hear(1, PIndication::ConnectConfirm { user_data: bare() }),
        AIndication::AssociateConfirm { user_information: user_information() }
    );
    assert_eq!(
        hear(3, PIndication::UAbort { user_data: bare() }),
        AIndication::Abort { by_provider: false, user_information: user_information() }
    );
}

#[test]
fn a_release_carries_user_information_both_ways() {
    let value = || vec![0xB3, 2, 5, 0];
    let mut pair = [in_state(NORMAL, 3), in_state(NORMAL, 3)];
    let mut ask = |side: usize, request| {
        let mut out = Vec::new();
        pair[side].handle(AcpmEvent::Request(request), &mut out).unwrap();
        let heard = match out.pop() {
            Some(AcpmAction::Presentation(PRequest::Release { user_data })) => {
                PIndication::Release { user_data }
            }
            Some(AcpmAction::Presentation(PRequest::ReleaseResponse { user_data })) => {
                PIndication::ReleaseConfirm { user_data }
            }
            other => panic!("{other:?}"),
        };
        pair[1 - side].handle(AcpmEvent::Presentation(heard), &mut out).unwrap();
        out.pop()
    };
    let user_information = value();
    let told = ask(0, ARequest::Release { user_information });
    assert_eq!(told, Some(AcpmAction::Indication(AIndication::Release { user_information: value() })));
    let user_information = value();
    let told = ask(1, ARequest::ReleaseResponse { user_information });
    assert_eq!(told, Some(AcpmAction::Indication(AIndication::ReleaseConfirm { user_information: value() })));
}
