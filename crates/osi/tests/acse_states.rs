//! Every state of the association machine meets every event.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use ber::Oid;
use osi::acse::apdu::{Aare, Aarq, AcseApdu, AeTitle, AssociateResult, Diagnostic, External};
use osi::acse::{
    AAssociate, ABSTRACT_SYNTAX_ACSE, AIndication, ARequest, Acpm, AcpmAction, AcpmConfig, AcpmEvent,
    AcseError, State,
};
use osi::presentation::{
    ContextId, Contexts, PAbortCause, PConnect, PIndication, PRequest, PValue, SyncIndication,
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

fn associate() -> AAssociate {
    let connect = PConnect { contexts: contexts(), ..PConnect::default() };
    AAssociate { connect, user_information: vec![5, 0] }
}

fn in_state(index: usize) -> Acpm {
    let mut acpm = machine();
    let mut out = Vec::new();
    let confirm = || {
        let user_data = aare(AssociateResult::Accepted);
        AcpmEvent::Presentation(PIndication::ConnectConfirm { user_data })
    };
    let release = AcpmEvent::Presentation(PIndication::Release { user_data: Vec::new() });
    let mut events = Vec::new();
    match index {
        0 => {}
        1 => events.push(AcpmEvent::Request(ARequest::Associate(associate()))),
        2 => events.push(connect(aarq())),
        3..=5 => {
            events.extend([AcpmEvent::Request(ARequest::Associate(associate())), confirm()]);
            if index == 4 {
                events.push(AcpmEvent::Request(ARequest::Release));
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

fn requests() -> Vec<ARequest> {
    let user_information = vec![5, 0];
    vec![
        ARequest::Associate(associate()),
        ARequest::AssociateAccept { user_information: user_information.clone() },
        ARequest::AssociateReject { transient: true, user_information: user_information.clone() },
        ARequest::Release,
        ARequest::ReleaseResponse,
        ARequest::Abort { user_information },
    ]
}

fn indications() -> Vec<PIndication> {
    let AcpmEvent::Presentation(connect) = connect(aarq()) else { unreachable!() };
    let rlrq = apdu(&AcseApdu::Rlrq { reason: None });
    let rlre = apdu(&AcseApdu::Rlre { reason: None });
    vec![
        connect,
        PIndication::ConnectConfirm { user_data: aare(AssociateResult::Accepted) },
        PIndication::ConnectRejected { user_data: aare(AssociateResult::RejectedTransient) },
        PIndication::ConnectRefusedByProvider { reason: 1 },
        PIndication::ConnectRefusedBySession(SRefuse { reason: 0, user_data: Vec::new() }),
        PIndication::Data(Vec::new()),
        PIndication::Sync(SyncIndication::ControlGive),
        PIndication::TokenPlease { user_data: Vec::new() },
        PIndication::Release { user_data: rlrq },
        PIndication::ReleaseConfirm { user_data: rlre },
        PIndication::UAbort { user_data: Vec::new() },
        PIndication::PAbort(PAbortCause::Unreadable),
    ]
}

#[test]
fn every_state_meets_every_event() {
    let (mut cells, mut allowed, mut ignored) = (0, 0, 0);
    for index in 0..7 {
        for request in requests() {
            cells += 1;
            let mut acpm = in_state(index);
            let before = acpm.state().clone();
            let mut out = Vec::new();
            match acpm.handle(AcpmEvent::Request(request), &mut out) {
                Ok(()) => {
                    allowed += 1;
                    assert!(matches!(out[..], [AcpmAction::Presentation(_)]));
                    assert_ne!(acpm.state(), &before);
                }
                Err(error) => {
                    assert!(matches!(error, AcseError::RequestOutOfState { .. }));
                    assert!(out.is_empty());
                    assert_eq!(acpm.state(), &before);
                }
            }
        }
        for indication in indications() {
            cells += 1;
            let mut acpm = in_state(index);
            let mut out = Vec::new();
            match acpm.handle(AcpmEvent::Presentation(indication), &mut out) {
                Ok(()) if out.is_empty() => {
                    ignored += 1;
                    assert_eq!(acpm.state(), &State::Closed);
                }
                Ok(()) => {
                    allowed += 1;
                    assert!(matches!(out[..], [AcpmAction::Indication(_)]));
                }
                Err(error) => {
                    assert!(matches!(error, AcseError::Unexpected { .. }), "{error}");
                    assert_eq!(acpm.state(), &State::Closed);
                    // In the idle state there is no connection that could be aborted.
                    let aborts = matches!(out[..], [AcpmAction::Presentation(PRequest::Abort { .. })]);
                    assert_eq!(aborts, index != 0);
                }
            }
        }
    }
    assert_eq!((cells, allowed, ignored), (126, 29, 12));
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
