//! Every state of the presentation machine meets every event.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use ber::Oid;
use osi::acse::ABSTRACT_SYNTAX_ACSE;
use osi::presentation::ppdu::{ContextDefinition, ContextResult, Cp, Cpa, encode_x410};
use osi::presentation::{
    ContextId, Contexts, PConnect, PRequest, PValue, Pdv, Ppm, PpmAction, PpmConfig, PpmEvent,
    PresentationError, PresentationMode, State, SyncRequest, TRANSFER_SYNTAX_BER, UserData,
};
use osi::session::{
    ActivityResume, ProviderAbort, ProviderAbortCause, ReasonCode, SAccept, SConnect, SRefuse, SsIndication,
    SsRequest,
};

const STATES: usize = 5;
const NORMAL: PresentationMode = PresentationMode::Normal;
const X410: PresentationMode = PresentationMode::X410;

fn syntaxes() -> Vec<Oid> {
    vec![ABSTRACT_SYNTAX_ACSE, Oid::from_arcs(&[2, 6, 0, 2, 12]).unwrap()]
}

fn value() -> Vec<PValue> {
    vec![PValue { context: ContextId(3), encoding: vec![5, 0] }]
}

/// A value of X.410 mode, fit for all that it carries.
const SET: &[u8] = &[0x31, 2, 5, 0];

fn value_in(mode: PresentationMode) -> Vec<PValue> {
    match mode {
        PresentationMode::Normal => value(),
        PresentationMode::X410 => vec![PValue { context: ContextId::DEFAULT, encoding: SET.to_vec() }],
    }
}

fn connect(mode: PresentationMode) -> PConnect {
    let user_data = value_in(mode);
    PConnect { mode, contexts: Contexts::propose(&syntaxes()), user_data, ..PConnect::default() }
}

fn cp() -> Cp<'static> {
    let contexts = Contexts::propose(&syntaxes());
    Cp {
        contexts: contexts
            .iter()
            .map(|(context, syntax)| ContextDefinition {
                context: *context,
                abstract_syntax: syntax.clone(),
                transfer_syntaxes: vec![TRANSFER_SYNTAX_BER],
            })
            .collect(),
        user_data: Some(UserData::Full(vec![Pdv::new(ContextId(3), vec![5, 0])])),
        ..Cp::default()
    }
}

fn s_connect(cp: &Cp<'_>) -> SsIndication {
    SsIndication::Connect(SConnect { user_data: cp.encode(), ..SConnect::default() })
}

fn s_connect_in(mode: PresentationMode) -> SsIndication {
    match mode {
        PresentationMode::Normal => s_connect(&cp()),
        PresentationMode::X410 => {
            SsIndication::Connect(SConnect { user_data: encode_x410(SET), ..SConnect::default() })
        }
    }
}

fn accept(mode: PresentationMode) -> SsIndication {
    if mode == X410 {
        let accept = SAccept { user_data: encode_x410(SET), ..SAccept::default() };
        return SsIndication::ConnectConfirm(accept);
    }
    let accepted = ContextResult::Accepted(Some(TRANSFER_SYNTAX_BER));
    let cpa = Cpa { results: vec![accepted.clone(), accepted], ..Cpa::default() };
    SsIndication::ConnectConfirm(SAccept { user_data: cpa.encode(), ..SAccept::default() })
}

fn machine() -> Ppm {
    Ppm::new(PpmConfig { syntaxes: syntaxes(), ..PpmConfig::default() })
}

fn in_state(index: usize) -> Ppm {
    in_state_of(NORMAL, index)
}

fn in_state_of(mode: PresentationMode, index: usize) -> Ppm {
    let mut ppm = machine();
    let mut out = Vec::new();
    let mut go = |event| ppm.handle(event, &mut out).unwrap();
    match index {
        0 => {}
        1 => go(PpmEvent::Request(PRequest::Connect(connect(mode)))),
        2 => go(PpmEvent::Session(s_connect_in(mode))),
        3 => {
            go(PpmEvent::Request(PRequest::Connect(connect(mode))));
            go(PpmEvent::Session(accept(mode)));
        }
        _ => {
            go(PpmEvent::Request(PRequest::Connect(connect(mode))));
            go(PpmEvent::Request(PRequest::Abort { user_data: Vec::new() }));
        }
    }
    let expected = ["idle", "await CPA", "await response", "connected", "closed"];
    assert_eq!(ppm.state().name(), expected[index]);
    ppm
}

fn requests(mode: PresentationMode) -> Vec<PRequest> {
    let sync = [
        SyncRequest::Minor,
        SyncRequest::MinorResponse { serial: 1 },
        SyncRequest::ActivityStart { activity: vec![1] },
        SyncRequest::ActivityResume(ActivityResume::default()),
        SyncRequest::ActivityEnd,
        SyncRequest::ActivityEndResponse,
        SyncRequest::ActivityInterrupt(ReasonCode(0)),
        SyncRequest::ActivityInterruptResponse,
        SyncRequest::ActivityDiscard(ReasonCode(0)),
        SyncRequest::ActivityDiscardResponse,
        SyncRequest::ExceptionReport(ReasonCode(0)),
        SyncRequest::ControlGive,
    ];
    let mut list = vec![
        PRequest::Connect(connect(mode)),
        PRequest::ConnectAccept { user_data: value_in(mode) },
        PRequest::ConnectReject { user_data: value_in(mode) },
        PRequest::ConnectRefuseByProvider { reason: 3 },
        PRequest::Data(value_in(mode)),
        PRequest::DataPart { start: Some((ContextId(3), 1)), octets: vec![1], last: false },
        PRequest::TokenPlease { user_data: value_in(mode) },
        PRequest::Release { user_data: value_in(mode) },
        PRequest::ReleaseResponse { user_data: value_in(mode) },
        PRequest::Abort { user_data: value_in(mode) },
    ];
    list.extend(sync.map(PRequest::Sync));
    list
}

fn indications(mode: PresentationMode) -> Vec<SsIndication> {
    let data = match mode {
        PresentationMode::Normal => {
            ber::Writer::encode(|w| UserData::Full(vec![Pdv::new(ContextId(3), vec![5, 0])]).encode(w))
        }
        PresentationMode::X410 => SET.to_vec(),
    };
    let cause = ProviderAbortCause::TransportDisconnect;
    vec![
        s_connect_in(mode),
        accept(mode),
        SsIndication::ConnectRefused(SRefuse { reason: 1, user_data: Vec::new() }),
        SsIndication::Data(data.clone()),
        SsIndication::DataPart { octets: data.clone(), first: true, last: true },
        SsIndication::SyncMinor { serial: 1, confirm: true },
        SsIndication::SyncMinorConfirm { serial: 1 },
        SsIndication::ActivityStart { activity: Vec::new() },
        SsIndication::ActivityResume(ActivityResume::default()),
        SsIndication::ActivityEnd { serial: 1 },
        SsIndication::ActivityEndConfirm,
        SsIndication::ActivityInterrupt(ReasonCode(0)),
        SsIndication::ActivityInterruptConfirm,
        SsIndication::ActivityDiscard(ReasonCode(0)),
        SsIndication::ActivityDiscardConfirm,
        SsIndication::ExceptionReport(ReasonCode(0)),
        SsIndication::ProviderExceptionReport,
        SsIndication::TokenPlease { user_data: data.clone() },
        SsIndication::ControlGive,
        SsIndication::ControlGiven,
        SsIndication::Release { user_data: data.clone() },
        SsIndication::ReleaseConfirm { user_data: data },
        SsIndication::Abort { user_data: Vec::new() },
        SsIndication::ProviderAbort(ProviderAbort { by_peer: true, cause }),
    ]
}

/// What is expected in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// What the row says comes out, and the machine goes to the state of this number.
    To(usize),
    /// The request is refused and changes nothing.
    No,
    /// The peer is told that this has no place here, and the machine is closed.
    Bad,
    /// Nothing comes of it.
    Nil,
}
use Cell::{Bad, Nil, No, To};

/// One row for each event: what comes out where it has its place, and what happens in each state: idle, await CPA, await
/// response, connected, closed.
const TABLE: [(&str, &str, [Cell; STATES]); 46] = [
    ("P-CONNECT request", "Connect", [To(1), No, No, No, No]),
    ("P-CONNECT response +", "ConnectAccept", [No, No, To(3), No, No]),
    ("P-CONNECT response -", "ConnectRefuse", [No, No, To(4), No, No]),
    ("P-CONNECT refusal", "ConnectRefuse", [No, No, To(4), No, No]),
    ("P-DATA request", "Data", [No, No, No, To(3), No]),
    ("P-DATA request in parts", "DataPart", [No, No, No, To(3), No]),
    ("P-TOKEN-PLEASE request", "TokenPlease", [No, No, No, To(3), No]),
    ("P-RELEASE request", "Release", [No, No, No, To(3), No]),
    ("P-RELEASE response", "ReleaseResponse", [No, No, No, To(4), No]),
    ("P-U-ABORT request", "Abort", [No, To(4), To(4), To(4), No]),
    ("P-SYNC-MINOR request", "SyncMinor", [No, No, No, To(3), No]),
    ("P-SYNC-MINOR response", "SyncMinorResponse", [No, No, No, To(3), No]),
    ("P-ACTIVITY-START request", "ActivityStart", [No, No, No, To(3), No]),
    ("P-ACTIVITY-RESUME request", "ActivityResume", [No, No, No, To(3), No]),
    ("P-ACTIVITY-END request", "ActivityEnd", [No, No, No, To(3), No]),
    ("P-ACTIVITY-END response", "ActivityEndResponse", [No, No, No, To(3), No]),
    ("P-ACTIVITY-INTERRUPT request", "ActivityInterrupt", [No, No, No, To(3), No]),
    ("P-ACTIVITY-INTERRUPT response", "ActivityInterruptResponse", [No, No, No, To(3), No]),
    ("P-ACTIVITY-DISCARD request", "ActivityDiscard", [No, No, No, To(3), No]),
    ("P-ACTIVITY-DISCARD response", "ActivityDiscardResponse", [No, No, No, To(3), No]),
    ("P-U-EXCEPTION-REPORT request", "ExceptionReport", [No, No, No, To(3), No]),
    ("P-CONTROL-GIVE request", "ControlGive", [No, No, No, To(3), No]),
    ("CP", "Connect", [To(2), Bad, Bad, Bad, Nil]),
    ("CPA", "ConnectConfirm", [Bad, To(3), Bad, Bad, Nil]),
    ("CPR or RF", "ConnectRefusedBySession", [Bad, To(4), Bad, Bad, Nil]),
    ("TD", "Data", [Bad, Bad, Bad, To(3), Nil]),
    ("TD in parts", "DataPart", [Bad, Bad, Bad, To(3), Nil]),
    ("S-SYNC-MINOR indication", "Sync(Minor", [Bad, Bad, Bad, To(3), Nil]),
    ("S-SYNC-MINOR confirm", "Sync(MinorConfirm", [Bad, Bad, Bad, To(3), Nil]),
    ("S-ACTIVITY-START indication", "Sync(ActivityStart", [Bad, Bad, Bad, To(3), Nil]),
    ("S-ACTIVITY-RESUME indication", "Sync(ActivityResume", [Bad, Bad, Bad, To(3), Nil]),
    ("S-ACTIVITY-END indication", "Sync(ActivityEnd", [Bad, Bad, Bad, To(3), Nil]),
    ("S-ACTIVITY-END confirm", "Sync(ActivityEndConfirm", [Bad, Bad, Bad, To(3), Nil]),
    ("S-ACTIVITY-INTERRUPT indication", "Sync(ActivityInterrupt", [Bad, Bad, Bad, To(3), Nil]),
    ("S-ACTIVITY-INTERRUPT confirm", "Sync(ActivityInterruptConfirm", [Bad, Bad, Bad, To(3), Nil]),
    ("S-ACTIVITY-DISCARD indication", "Sync(ActivityDiscard", [Bad, Bad, Bad, To(3), Nil]),
    ("S-ACTIVITY-DISCARD confirm", "Sync(ActivityDiscardConfirm", [Bad, Bad, Bad, To(3), Nil]),
    ("S-U-EXCEPTION-REPORT indication", "Sync(ExceptionReport", [Bad, Bad, Bad, To(3), Nil]),
    ("S-P-EXCEPTION-REPORT indication", "Sync(ProviderExceptionReport", [Bad, Bad, Bad, To(3), Nil]),
    ("S-TOKEN-PLEASE indication", "TokenPlease", [Bad, Bad, Bad, To(3), Nil]),
    ("S-CONTROL-GIVE indication", "Sync(ControlGive", [Bad, Bad, Bad, To(3), Nil]),
    ("GTA", "Sync(ControlGiven", [Bad, Bad, Bad, To(3), Nil]),
    ("S-RELEASE indication", "Release", [Bad, Bad, Bad, To(3), Nil]),
    ("S-RELEASE confirm", "ReleaseConfirm", [Bad, Bad, Bad, To(4), Nil]),
    ("ARU", "UAbort", [To(4), To(4), To(4), To(4), Nil]),
    ("S-P-ABORT indication", "PAbort", [To(4), To(4), To(4), To(4), Nil]),
];

/// The row of an event. It does not compile when there is an event without one.
fn row(event: &PpmEvent) -> usize {
    match event {
        PpmEvent::Request(request) => match request {
            PRequest::Connect(_) => 0,
            PRequest::ConnectAccept { .. } => 1,
            PRequest::ConnectReject { .. } => 2,
            PRequest::ConnectRefuseByProvider { .. } => 3,
            PRequest::Data(_) => 4,
            PRequest::DataPart { .. } => 5,
            PRequest::TokenPlease { .. } => 6,
            PRequest::Release { .. } => 7,
            PRequest::ReleaseResponse { .. } => 8,
            PRequest::Abort { .. } => 9,
            PRequest::Sync(sync) => match sync {
                SyncRequest::Minor => 10,
                SyncRequest::MinorResponse { .. } => 11,
                SyncRequest::ActivityStart { .. } => 12,
                SyncRequest::ActivityResume(_) => 13,
                SyncRequest::ActivityEnd => 14,
                SyncRequest::ActivityEndResponse => 15,
                SyncRequest::ActivityInterrupt(_) => 16,
                SyncRequest::ActivityInterruptResponse => 17,
                SyncRequest::ActivityDiscard(_) => 18,
                SyncRequest::ActivityDiscardResponse => 19,
                SyncRequest::ExceptionReport(_) => 20,
                SyncRequest::ControlGive => 21,
            },
        },
        PpmEvent::Session(indication) => match indication {
            SsIndication::Connect(_) => 22,
            SsIndication::ConnectConfirm(_) => 23,
            SsIndication::ConnectRefused(_) => 24,
            SsIndication::Data(_) => 25,
            SsIndication::DataPart { .. } => 26,
            SsIndication::SyncMinor { .. } => 27,
            SsIndication::SyncMinorConfirm { .. } => 28,
            SsIndication::ActivityStart { .. } => 29,
            SsIndication::ActivityResume(_) => 30,
            SsIndication::ActivityEnd { .. } => 31,
            SsIndication::ActivityEndConfirm => 32,
            SsIndication::ActivityInterrupt(_) => 33,
            SsIndication::ActivityInterruptConfirm => 34,
            SsIndication::ActivityDiscard(_) => 35,
            SsIndication::ActivityDiscardConfirm => 36,
            SsIndication::ExceptionReport(_) => 37,
            SsIndication::ProviderExceptionReport => 38,
            SsIndication::TokenPlease { .. } => 39,
            SsIndication::ControlGive => 40,
            SsIndication::ControlGiven => 41,
            SsIndication::Release { .. } => 42,
            SsIndication::ReleaseConfirm { .. } => 43,
            SsIndication::Abort { .. } => 44,
            SsIndication::ProviderAbort(_) => 45,
        },
    }
}

/// The column of a state, likewise.
fn column(state: &State) -> usize {
    match state {
        State::Idle => 0,
        State::AwaitCpa { .. } => 1,
        State::AwaitResponse { .. } => 2,
        State::Connected { .. } => 3,
        State::Closed => 4,
    }
}

#[test]
fn every_state_meets_every_event() {
    let mut cells = 0;
    for mode in [NORMAL, X410] {
        let requests = requests(mode).into_iter().map(PpmEvent::Request);
        let events: Vec<_> = requests.chain(indications(mode).into_iter().map(PpmEvent::Session)).collect();
        assert_eq!(events.iter().map(row).collect::<Vec<_>>(), (0..TABLE.len()).collect::<Vec<_>>());
        for event in events {
            let (name, output, expected) = TABLE[row(&event)];
            for (state, expected) in expected.into_iter().enumerate() {
                cells += 1;
                let mut ppm = in_state_of(mode, state);
                assert_eq!(column(ppm.state()), state);
                let before = ppm.state().clone();
                let mut out = Vec::new();
                let result = ppm.handle(event.clone(), &mut out);
                let cell = match (&result, &out[..]) {
                    (Ok(()), []) => Nil,
                    (Ok(()), [PpmAction::Session(request)]) => {
                        assert_eq!(variant(request), output, "{name} in {before:?}");
                        To(column(ppm.state()))
                    }
                    (Ok(()), [PpmAction::Indication(indication)]) => {
                        assert!(
                            format!("{indication:?}").starts_with(output),
                            "{name} in {before:?}: {out:?}"
                        );
                        To(column(ppm.state()))
                    }
                    (Err(PresentationError::RequestOutOfState { .. }), []) => No,
                    (
                        Err(PresentationError::Unexpected { .. }),
                        [PpmAction::Session(SsRequest::Abort { .. })],
                    ) => Bad,
                    other => panic!("{name} in {before:?}: {other:?}"),
                };
                assert_eq!(cell, expected, "{name} in {before:?}");
                match cell {
                    To(_) => {}
                    No | Nil => assert_eq!(ppm.state(), &before),
                    Bad => assert_eq!(ppm.state(), &State::Closed),
                }
            }
        }
    }
    assert_eq!(cells, 2 * 46 * 5);
}

/// The name of a request, without what is in it.
fn variant(request: &SsRequest) -> String {
    format!("{request:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[test]
fn the_order_in_a_set_does_not_matter() {
    let encoded = cp().encode();
    let mut fields = ber::Reader::new(&encoded).expect(ber::Tag::SET).unwrap().reader().unwrap();
    let (mode, parameters) = (fields.any().unwrap().raw, fields.any().unwrap().raw);
    for indefinite in [false, true] {
        let swapped = [parameters, mode].concat();
        let user_data = if indefinite {
            [&[0x31, 0x80][..], &swapped, &[0, 0]].concat()
        } else {
            ber::Writer::encode(|w| w.constructed(ber::Tag::SET, |w| w.raw(&swapped)))
        };
        let connect = SConnect { user_data, ..SConnect::default() };
        let mut ppm = machine();
        let mut out = Vec::new();
        ppm.handle(PpmEvent::Session(SsIndication::Connect(connect)), &mut out).unwrap();
        assert_eq!(ppm.state().name(), "await response");
    }
}

#[test]
fn contexts_that_are_not_known_are_rejected_each_with_its_reason() {
    let mut cp = cp();
    cp.contexts[1].transfer_syntaxes = vec![Oid::from_arcs(&[1, 2, 3]).unwrap()];
    cp.contexts.push(ContextDefinition {
        context: ContextId(5),
        abstract_syntax: Oid::from_arcs(&[1, 2, 3]).unwrap(),
        transfer_syntaxes: vec![TRANSFER_SYNTAX_BER],
    });
    let mut out = Vec::new();
    let error = machine().handle(PpmEvent::Session(s_connect(&cp)), &mut out).unwrap_err();
    assert!(matches!(error, PresentationError::NotProposed { .. }));
    let [PpmAction::Session(SsRequest::ConnectRefuse(refuse))] = &out[..] else { panic!("{out:?}") };
    assert_eq!(refuse.reason, 2);
    let cpr = osi::presentation::ppdu::Cpr::decode(&refuse.user_data).unwrap().unwrap();
    assert_eq!(
        cpr.results,
        [
            ContextResult::Accepted(Some(TRANSFER_SYNTAX_BER)),
            ContextResult::ProviderRejection(Some(2)),
            ContextResult::ProviderRejection(Some(1)),
        ]
    );
}

#[test]
fn an_extra_context_is_rejected_and_what_is_in_it_left_out() {
    let mut cp = cp();
    cp.contexts.push(ContextDefinition {
        context: ContextId(9),
        abstract_syntax: Oid::from_arcs(&[1, 2, 3]).unwrap(),
        transfer_syntaxes: vec![TRANSFER_SYNTAX_BER],
    });
    let value = |context| Pdv::new(ContextId(context), vec![5, 0]);
    cp.user_data = Some(UserData::Full(vec![value(3), value(9)]));
    let mut out = Vec::new();
    machine().handle(PpmEvent::Session(s_connect(&cp)), &mut out).unwrap();
    let [PpmAction::Indication(osi::presentation::PIndication::Connect(connect))] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(connect.user_data, self::value());
    assert_eq!(connect.contexts.len(), 2);
}

#[test]
fn a_mode_that_does_not_exist_is_refused_without_a_ppdu() {
    let user_data = vec![0x31, 7, 0xA0, 3, 0x80, 1, 2, 0xA1, 0];
    let connect = SConnect { user_data, ..SConnect::default() };
    let mut out = Vec::new();
    let error = machine().handle(PpmEvent::Session(SsIndication::Connect(connect)), &mut out).unwrap_err();
    assert_eq!(error.blame(), osi::failure::Blame::PeerIncompatible);
    let refuse = SRefuse { reason: 0, user_data: Vec::new() };
    assert_eq!(out, [PpmAction::Session(SsRequest::ConnectRefuse(refuse))]);
}

#[test]
fn an_answer_in_the_other_mode_is_no_answer() {
    for (ours, theirs) in [(NORMAL, X410), (X410, NORMAL)] {
        let mut out = Vec::new();
        let error = in_state_of(ours, 1).handle(PpmEvent::Session(accept(theirs)), &mut out).unwrap_err();
        assert!(matches!(error, PresentationError::Mode(_)), "{error}");
        assert!(matches!(out[..], [PpmAction::Session(SsRequest::Abort { .. })]), "{out:?}");
    }
}

#[test]
fn in_x410_mode_a_cp_without_its_parameters_is_malformed() {
    for (user_data, fault) in [
        (vec![0x31, 5, 0xA0, 3, 0x80, 1, 0], true),
        // The order in a SET does not matter, nor does the form of its length.
        (vec![0x31, 9, 0xA1, 2, 5, 0, 0xA0, 3, 0x80, 1, 0], false),
        (vec![0x31, 0x80, 0xA1, 0x80, 5, 0, 0, 0, 0xA0, 3, 0x80, 1, 0, 0, 0], false),
    ] {
        let connect = SConnect { user_data, ..SConnect::default() };
        let mut out = Vec::new();
        let result = machine().handle(PpmEvent::Session(SsIndication::Connect(connect)), &mut out);
        assert_eq!(matches!(result, Err(PresentationError::Malformed { .. })), fault, "{result:?}");
        if !fault {
            let [PpmAction::Indication(osi::presentation::PIndication::Connect(connect))] = &out[..] else {
                panic!("{out:?}")
            };
            assert_eq!((connect.mode, &connect.user_data), (X410, &value_in(X410)));
        }
    }
}

#[test]
fn in_x410_mode_user_data_is_on_the_wire_as_it_is() {
    let ask = |index, request| {
        let mut out = Vec::new();
        in_state_of(X410, index).handle(PpmEvent::Request(request), &mut out).unwrap();
        let (Some(PpmAction::Session(request)), true) = (out.pop(), out.is_empty()) else { panic!() };
        request
    };
    let data = || value_in(X410);
    assert_eq!(ask(3, PRequest::Data(data())), SsRequest::Data(SET.to_vec()));
    assert_eq!(
        ask(3, PRequest::TokenPlease { user_data: data() }),
        SsRequest::TokenPlease { user_data: SET.to_vec() }
    );
    assert_eq!(
        ask(3, PRequest::Release { user_data: Vec::new() }),
        SsRequest::Release { user_data: Vec::new() }
    );
    assert_eq!(ask(3, PRequest::Abort { user_data: data() }), SsRequest::Abort { user_data: SET.to_vec() });
    let refuse = SRefuse { reason: 2, user_data: SET.to_vec() };
    assert_eq!(ask(2, PRequest::ConnectReject { user_data: data() }), SsRequest::ConnectRefuse(refuse));
    let cpa = vec![0x31, 9, 0xA0, 3, 0x80, 1, 0, 0xA1, 2, 5, 0];
    let accept = SAccept { user_data: cpa, ..SAccept::default() };
    assert_eq!(ask(2, PRequest::ConnectAccept { user_data: data() }), SsRequest::ConnectAccept(accept));
}

#[test]
fn in_x410_mode_refusals_and_aborts_are_such_whatever_they_carry() {
    use osi::presentation::{PAbortCause, PIndication};
    let hear = |index, indication| {
        let mut out = Vec::new();
        in_state_of(X410, index).handle(PpmEvent::Session(indication), &mut out).unwrap();
        let (Some(PpmAction::Indication(indication)), true) = (out.pop(), out.is_empty()) else { panic!() };
        indication
    };
    let refused =
        |user_data: &[u8]| SsIndication::ConnectRefused(SRefuse { reason: 2, user_data: user_data.to_vec() });
    assert_eq!(hear(1, refused(SET)), PIndication::ConnectRejected { user_data: value_in(X410) });
    assert_eq!(hear(1, refused(&[0x30, 3, 0x8A, 1, 4])), PIndication::ConnectRefusedByProvider { reason: 4 });
    assert!(matches!(hear(1, refused(&[5, 0])), PIndication::ConnectRefusedBySession(_)));
    let abort = |user_data: &[u8]| SsIndication::Abort { user_data: user_data.to_vec() };
    assert_eq!(hear(3, abort(SET)), PIndication::UAbort { user_data: value_in(X410) });
    assert_eq!(hear(3, abort(&[5, 0])), PIndication::PAbort(PAbortCause::Unreadable));
    assert_eq!(
        hear(3, abort(&[0x30, 0])),
        PIndication::PAbort(PAbortCause::Arp { reason: None, event: None })
    );
}

#[test]
fn only_agreed_contexts_carry_data_in_any_form_that_is_allowed() {
    let data = |pdv: &[u8]| {
        let mut ppm = in_state(3);
        let list = ber::Writer::encode(|w| w.constructed(UserData::FULL, |w| w.raw(pdv)));
        let mut out = Vec::new();
        ppm.handle(PpmEvent::Session(SsIndication::Data(list)), &mut out).map(|()| out)
    };
    let expected = vec![PpmAction::Indication(osi::presentation::PIndication::Data(value()))];
    // single-ASN1-type, octet-aligned, the same in segments, arbitrary, with its transfer syntax, indefinite
    for pdv in [
        &[0x30, 7, 2, 1, 3, 0xA0, 2, 5, 0][..],
        &[0x30, 7, 2, 1, 3, 0x81, 2, 5, 0],
        &[0x30, 11, 2, 1, 3, 0xA1, 6, 4, 1, 5, 4, 1, 0],
        &[0x30, 8, 2, 1, 3, 0x82, 3, 0, 5, 0],
        &[0x30, 11, 6, 2, 0x51, 1, 2, 1, 3, 0xA0, 2, 5, 0],
        &[0x30, 0x80, 2, 1, 3, 0xA0, 0x80, 5, 0, 0, 0, 0, 0],
    ] {
        assert_eq!(data(pdv).as_ref(), Ok(&expected), "{pdv:02x?}");
    }
    assert!(matches!(
        data(&[0x30, 7, 2, 1, 7, 0xA0, 2, 5, 0]),
        Err(PresentationError::UnknownContext { context: ContextId(7), .. })
    ));
    assert!(matches!(
        data(&[0x30, 11, 6, 2, 0x51, 2, 2, 1, 3, 0xA0, 2, 5, 0]),
        Err(PresentationError::TransferSyntax { .. })
    ));
    // Seven bits are no encoding.
    assert!(matches!(data(&[0x30, 8, 2, 1, 3, 0x82, 3, 1, 5, 0]), Err(PresentationError::Malformed { .. })));
    let mut out = Vec::new();
    let simple = SsIndication::Data(vec![0x40, 2, 5, 0]);
    let error = in_state(3).handle(PpmEvent::Session(simple), &mut out).unwrap_err();
    assert!(matches!(error, PresentationError::SimplyEncoded { contexts: 2, .. }));
}

#[test]
fn simply_encoded_data_is_taken_where_there_is_one_context() {
    let one = vec![ABSTRACT_SYNTAX_ACSE];
    let mut ppm = Ppm::new(PpmConfig { syntaxes: one, ..PpmConfig::default() });
    let mut cp = cp();
    cp.contexts.truncate(1);
    cp.user_data = Some(UserData::Simple(vec![5, 0].into()));
    let mut out = Vec::new();
    ppm.handle(PpmEvent::Session(s_connect(&cp)), &mut out).unwrap();
    let [PpmAction::Indication(osi::presentation::PIndication::Connect(connect))] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(connect.user_data, [PValue { context: ContextId(1), encoding: vec![5, 0] }]);
}

#[test]
fn an_answer_must_fit_the_proposal() {
    let answer = |results| {
        let cpa = Cpa { results, ..Cpa::default() };
        let accept = SAccept { user_data: cpa.encode(), ..SAccept::default() };
        let mut out = Vec::new();
        let event = PpmEvent::Session(SsIndication::ConnectConfirm(accept));
        let error = in_state(1).handle(event, &mut out).unwrap_err();
        assert!(matches!(out[..], [PpmAction::Session(SsRequest::Abort { .. })]), "{out:?}");
        error
    };
    let accepted = || ContextResult::Accepted(Some(TRANSFER_SYNTAX_BER));
    assert_eq!(answer(vec![accepted()]), PresentationError::ResultCount { proposed: 2, answered: 1 });
    assert!(matches!(
        answer(vec![accepted(), ContextResult::UserRejection(None)]),
        PresentationError::NotAccepted { .. }
    ));
    assert!(matches!(
        answer(vec![accepted(), ContextResult::Accepted(Oid::from_arcs(&[1, 2, 3]))]),
        PresentationError::TransferSyntax { .. }
    ));
}
