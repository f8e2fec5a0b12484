//! Every state of the session machine, and one of everything that can happen in it. A new state, SPDU, request or event
//! does not compile here until it has its place.

use clock::MonoTime;
use osi::session::spdu::{
    Ac, Cn, ConnectItem, Enclosure, FunctionalUnits, Rf, Segmented, Spdu, TransportDisconnect, UserData,
};
use osi::session::{
    ActivityResume, ReasonCode, SAccept, SConnect, SRefuse, SessionConfig, SessionState, Spm, SpmEvent,
    SsIndication, SsRequest,
};

use crate::session_pair::{INITIATOR, NEVER, Pair, RESPONDER};

const REASON: ReasonCode = ReasonCode::NON_SPECIFIC;

/// The states one after the other.
pub(crate) fn after_state(state: Option<SessionState>) -> Option<SessionState> {
    Some(match state {
        None => SessionState::AwaitTransport,
        Some(SessionState::AwaitTransport) => SessionState::AwaitTransportIndication,
        Some(SessionState::AwaitTransportIndication) => SessionState::AwaitCn,
        Some(SessionState::AwaitCn) => SessionState::AwaitCdo,
        Some(SessionState::AwaitCdo) => SessionState::AwaitOa,
        Some(SessionState::AwaitOa) => SessionState::AwaitAc,
        Some(SessionState::AwaitAc) => SessionState::AwaitConnectResponse,
        Some(SessionState::AwaitConnectResponse) => SessionState::OpenWithTurn,
        Some(SessionState::OpenWithTurn) => SessionState::OpenWithoutTurn,
        Some(SessionState::OpenWithoutTurn) => SessionState::OpenInDuplex,
        Some(SessionState::OpenInDuplex) => SessionState::TokensArriving,
        Some(SessionState::TokensArriving) => SessionState::AwaitGta,
        Some(SessionState::AwaitGta) => SessionState::Sending,
        Some(SessionState::Sending) => SessionState::Receiving,
        Some(SessionState::Receiving) => SessionState::AwaitAea,
        Some(SessionState::AwaitAea) => SessionState::AwaitEndResponse,
        Some(SessionState::AwaitEndResponse) => SessionState::AwaitAia,
        Some(SessionState::AwaitAia) => SessionState::AwaitAda,
        Some(SessionState::AwaitAda) => SessionState::AwaitInterruptResponse,
        Some(SessionState::AwaitInterruptResponse) => SessionState::AwaitDiscardResponse,
        Some(SessionState::AwaitDiscardResponse) => SessionState::ExceptionSent,
        Some(SessionState::ExceptionSent) => SessionState::ExceptionReceived,
        Some(SessionState::ExceptionReceived) => SessionState::AwaitDn,
        Some(SessionState::AwaitDn) => SessionState::AwaitReleaseResponse,
        Some(SessionState::AwaitReleaseResponse) => SessionState::AwaitTDisconnect,
        Some(SessionState::AwaitTDisconnect) => SessionState::AwaitAbortAccept,
        Some(SessionState::AwaitAbortAccept) => SessionState::Closed,
        Some(SessionState::Closed) => return None,
    })
}

pub(crate) fn user() -> UserData {
    UserData::default()
}

pub(crate) fn item() -> ConnectItem {
    ConnectItem { version: Some(2), ..ConnectItem::default() }
}

pub(crate) fn segment(enclosure: Enclosure) -> UserData {
    UserData { enclosure: Some(enclosure), octets: vec![5] }
}

/// One SPDU of each kind, one after the other. Serial numbers are those that fit the activities of [`machine`].
pub(crate) fn after_spdu(spdu: Option<&Spdu>) -> Option<Spdu> {
    let units = Some(FunctionalUnits::RTSE);
    let release = Some(TransportDisconnect(TransportDisconnect::RELEASE));
    Some(match spdu {
        None => Spdu::Cn(Cn { user_requirements: units, item: item(), ..Cn::default() }),
        Some(Spdu::Cn(_)) => Spdu::Cdo { user: segment(Enclosure::END) },
        Some(Spdu::Cdo { .. }) => Spdu::Oa { tsdu_max: None, version: Some(2) },
        Some(Spdu::Oa { .. }) => Spdu::Ac(Ac { user_requirements: units, item: item(), ..Ac::default() }),
        Some(Spdu::Ac(_)) => Spdu::Rf(Rf::default()),
        Some(Spdu::Rf(_)) => Spdu::Fn { transport_disconnect: release, user: user() },
        Some(Spdu::Fn { .. }) => Spdu::Dn { user: user() },
        Some(Spdu::Dn { .. }) => Spdu::Nf { user: user() },
        Some(Spdu::Nf { .. }) => Spdu::Ab { transport_disconnect: release, reflected: vec![], user: user() },
        Some(Spdu::Ab { .. }) => Spdu::Aa,
        Some(Spdu::Aa) => Spdu::Gt { tokens: 0x15 },
        Some(Spdu::Gt { .. }) => Spdu::Pt { tokens: 1, user: UserData::whole(vec![2, 1, 0]) },
        Some(Spdu::Pt { .. }) => Spdu::Gtc,
        Some(Spdu::Gtc) => Spdu::Gta,
        Some(Spdu::Gta) => Spdu::Pr,
        Some(Spdu::Pr) => Spdu::Dt { enclosure: None, data: vec![1, 2, 3] },
        Some(Spdu::Dt { .. }) => Spdu::As { activity: vec![2, 1, 1], user: user() },
        Some(Spdu::As { .. }) => Spdu::Ar { resume: ActivityResume::default(), user: user() },
        Some(Spdu::Ar { .. }) => Spdu::Ai { reason: Some(REASON) },
        Some(Spdu::Ai { .. }) => Spdu::Aia,
        Some(Spdu::Aia) => Spdu::Ad { reason: Some(REASON) },
        Some(Spdu::Ad { .. }) => Spdu::Ada,
        Some(Spdu::Ada) => Spdu::Ae { serial: 2, user: user() },
        Some(Spdu::Ae { .. }) => Spdu::Map { serial: 2 },
        Some(Spdu::Map { .. }) => Spdu::Aea { serial: 2, user: user() },
        Some(Spdu::Aea { .. }) => Spdu::Mip { confirm: true, serial: 2, user: user() },
        Some(Spdu::Mip { .. }) => Spdu::Mia { serial: 1, user: user() },
        Some(Spdu::Mia { .. }) => Spdu::Ed { reason: Some(REASON), user: user() },
        Some(Spdu::Ed { .. }) => Spdu::Er { reflected: vec![] },
        Some(Spdu::Er { .. }) => Spdu::Segment { of: Segmented::Ed, user: segment(Enclosure::END) },
        Some(Spdu::Segment { .. }) => return None,
    })
}

/// SPDUs of the same kinds that are to be taken in another way.
pub(crate) fn variants() -> Vec<(&'static str, Spdu)> {
    let units = Some(FunctionalUnits::RTSE);
    let release = TransportDisconnect::RELEASE;
    let abort = |bits| Spdu::Ab {
        transport_disconnect: Some(TransportDisconnect(bits)),
        reflected: vec![],
        user: user(),
    };
    let cn = |units, version, data_overflow| {
        let item = ConnectItem { version: Some(version), ..ConnectItem::default() };
        Spdu::Cn(Cn { user_requirements: units, item, data_overflow, ..Cn::default() })
    };
    vec![
        ("CN/overflow", cn(units, 2, true)),
        ("CN/overflow-v1", cn(units, 1, true)),
        ("CN/version-3", cn(units, 4, false)),
        ("CN/duplex", cn(Some(FunctionalUnits(2)), 2, false)),
        ("CDO/middle", Spdu::Cdo { user: segment(Enclosure::MIDDLE) }),
        ("OA/v1", Spdu::Oa { tsdu_max: None, version: None }),
        ("AC/duplex", Spdu::Ac(Ac { user_requirements: Some(FunctionalUnits(2)), ..Ac::default() })),
        ("AB/user", abort(release | TransportDisconnect::USER_ABORT)),
        ("AB/keep", abort(TransportDisconnect::USER_ABORT)),
        ("GT/empty", Spdu::Gt { tokens: 0 }),
        ("GT/one", Spdu::Gt { tokens: 1 }),
        ("GT/others", Spdu::Gt { tokens: 0x14 }),
        ("PT/empty", Spdu::Pt { tokens: 0, user: user() }),
        ("PT/others", Spdu::Pt { tokens: 0x14, user: user() }),
        ("DT/begin", Spdu::Dt { enclosure: Some(Enclosure::BEGINNING), data: vec![1] }),
        ("DT/end", Spdu::Dt { enclosure: Some(Enclosure::END), data: vec![1] }),
        ("AE/number", Spdu::Ae { serial: 3, user: user() }),
        ("AEA/number", Spdu::Aea { serial: 3, user: user() }),
        ("MIP/number", Spdu::Mip { confirm: true, serial: 3, user: user() }),
        ("MIP/implicit", Spdu::Mip { confirm: false, serial: 2, user: user() }),
        ("MIA/number", Spdu::Mia { serial: 2, user: user() }),
        ("ED/begin", Spdu::Ed { reason: None, user: segment(Enclosure::BEGINNING) }),
    ]
}

/// Requests one after the other.
pub(crate) fn after_request(request: Option<&SsRequest>) -> Option<SsRequest> {
    let user_data = vec![7];
    Some(match request {
        None => SsRequest::Connect(SConnect::default()),
        Some(SsRequest::Connect(_)) => SsRequest::ConnectAccept(SAccept::default()),
        Some(SsRequest::ConnectAccept(_)) => {
            SsRequest::ConnectRefuse(SRefuse { reason: 0, user_data: vec![] })
        }
        Some(SsRequest::ConnectRefuse(_)) => SsRequest::Data(vec![1]),
        Some(SsRequest::Data(_)) => SsRequest::DataPart { octets: vec![1], last: false },
        Some(SsRequest::DataPart { .. }) => SsRequest::SyncMinor,
        Some(SsRequest::SyncMinor) => SsRequest::SyncMinorResponse { serial: 1 },
        Some(SsRequest::SyncMinorResponse { .. }) => SsRequest::ActivityStart { activity: vec![1] },
        Some(SsRequest::ActivityStart { .. }) => SsRequest::ActivityResume(ActivityResume::default()),
        Some(SsRequest::ActivityResume(_)) => SsRequest::ActivityEnd,
        Some(SsRequest::ActivityEnd) => SsRequest::ActivityEndResponse,
        Some(SsRequest::ActivityEndResponse) => SsRequest::ActivityInterrupt(REASON),
        Some(SsRequest::ActivityInterrupt(_)) => SsRequest::ActivityInterruptResponse,
        Some(SsRequest::ActivityInterruptResponse) => SsRequest::ActivityDiscard(REASON),
        Some(SsRequest::ActivityDiscard(_)) => SsRequest::ActivityDiscardResponse,
        Some(SsRequest::ActivityDiscardResponse) => SsRequest::ExceptionReport(REASON),
        Some(SsRequest::ExceptionReport(_)) => SsRequest::TokenPlease { user_data },
        Some(SsRequest::TokenPlease { .. }) => SsRequest::ControlGive,
        Some(SsRequest::ControlGive) => SsRequest::Release { user_data },
        Some(SsRequest::Release { .. }) => SsRequest::ReleaseResponse { user_data },
        Some(SsRequest::ReleaseResponse { .. }) => SsRequest::Abort { user_data },
        Some(SsRequest::Abort { .. }) => return None,
    })
}

pub(crate) fn request_name(request: &SsRequest) -> &'static str {
    match request {
        SsRequest::Connect(_) => "S-CONNECT.req",
        SsRequest::ConnectAccept(_) => "S-CONNECT.rsp+",
        SsRequest::ConnectRefuse(_) => "S-CONNECT.rsp-",
        SsRequest::Data(_) => "S-DATA.req",
        SsRequest::DataPart { last: false, .. } => "S-DATA.req/part",
        SsRequest::DataPart { last: true, .. } => "S-DATA.req/last",
        SsRequest::SyncMinor => "S-SYNC-MINOR.req",
        SsRequest::SyncMinorResponse { serial: 1 } => "S-SYNC-MINOR.rsp",
        SsRequest::SyncMinorResponse { .. } => "S-SYNC-MINOR.rsp/number",
        SsRequest::ActivityStart { .. } => "S-ACTIVITY-START.req",
        SsRequest::ActivityResume(_) => "S-ACTIVITY-RESUME.req",
        SsRequest::ActivityEnd => "S-ACTIVITY-END.req",
        SsRequest::ActivityEndResponse => "S-ACTIVITY-END.rsp",
        SsRequest::ActivityInterrupt(_) => "S-ACTIVITY-INTERRUPT.req",
        SsRequest::ActivityInterruptResponse => "S-ACTIVITY-INTERRUPT.rsp",
        SsRequest::ActivityDiscard(_) => "S-ACTIVITY-DISCARD.req",
        SsRequest::ActivityDiscardResponse => "S-ACTIVITY-DISCARD.rsp",
        SsRequest::ExceptionReport(_) => "S-U-EXCEPTION-REPORT.req",
        SsRequest::TokenPlease { .. } => "S-TOKEN-PLEASE.req",
        SsRequest::ControlGive => "S-CONTROL-GIVE.req",
        SsRequest::Release { .. } => "S-RELEASE.req",
        SsRequest::ReleaseResponse { .. } => "S-RELEASE.rsp",
        SsRequest::Abort { .. } => "S-U-ABORT.req",
    }
}

pub(crate) fn indication_name(indication: &SsIndication) -> &'static str {
    match indication {
        SsIndication::Connect(_) => "S-CONNECT.ind",
        SsIndication::ConnectConfirm(_) => "S-CONNECT.cnf+",
        SsIndication::ConnectRefused(_) => "S-CONNECT.cnf-",
        SsIndication::Data(_) => "S-DATA.ind",
        SsIndication::DataPart { first: true, .. } => "S-DATA.ind/first",
        SsIndication::DataPart { last: true, .. } => "S-DATA.ind/last",
        SsIndication::DataPart { .. } => "S-DATA.ind/part",
        SsIndication::SyncMinor { confirm: true, .. } => "S-SYNC-MINOR.ind",
        SsIndication::SyncMinor { confirm: false, .. } => "S-SYNC-MINOR.ind(no answer)",
        SsIndication::SyncMinorConfirm { .. } => "S-SYNC-MINOR.cnf",
        SsIndication::ActivityStart { .. } => "S-ACTIVITY-START.ind",
        SsIndication::ActivityResume(_) => "S-ACTIVITY-RESUME.ind",
        SsIndication::ActivityEnd { .. } => "S-ACTIVITY-END.ind",
        SsIndication::ActivityEndConfirm => "S-ACTIVITY-END.cnf",
        SsIndication::ActivityInterrupt(_) => "S-ACTIVITY-INTERRUPT.ind",
        SsIndication::ActivityInterruptConfirm => "S-ACTIVITY-INTERRUPT.cnf",
        SsIndication::ActivityDiscard(_) => "S-ACTIVITY-DISCARD.ind",
        SsIndication::ActivityDiscardConfirm => "S-ACTIVITY-DISCARD.cnf",
        SsIndication::ExceptionReport(_) => "S-U-EXCEPTION-REPORT.ind",
        SsIndication::ProviderExceptionReport => "S-P-EXCEPTION-REPORT.ind",
        SsIndication::TokenPlease { .. } => "S-TOKEN-PLEASE.ind",
        SsIndication::ControlGive => "S-CONTROL-GIVE.ind",
        SsIndication::ControlGiven => "S-CONTROL-GIVE(acknowledged)",
        SsIndication::Release { .. } => "S-RELEASE.ind",
        SsIndication::ReleaseConfirm { .. } => "S-RELEASE.cnf",
        SsIndication::Abort { .. } => "S-U-ABORT.ind",
        SsIndication::ProviderAbort(_) => "S-P-ABORT.ind",
    }
}

/// An event with what it needs to be given to a machine again and again.
#[derive(Clone)]
pub(crate) enum Given {
    Tsdu(Vec<u8>),
    Request(SsRequest),
    TsduPart(Vec<u8>, bool),
    TsduTooLong,
    TConnectConfirm,
    TConnectIndication,
    TDisconnect,
    /// A deadline that has not come.
    Early,
    /// The machine's deadline; one long past where it has none.
    Deadline,
}

impl Given {
    /// The event that it stands for.
    pub(crate) fn event(&self) -> SpmEvent<'_> {
        match self {
            Given::Tsdu(tsdu) => SpmEvent::Tsdu(tsdu),
            Given::Request(request) => SpmEvent::Request(request.clone()),
            Given::TsduPart(octets, last) => SpmEvent::TsduPart { octets, last: *last },
            Given::TsduTooLong => SpmEvent::TsduTooLong { limit: 9 },
            Given::TConnectConfirm => SpmEvent::TConnectConfirm,
            Given::TConnectIndication => SpmEvent::TConnectIndication,
            Given::TDisconnect => SpmEvent::TDisconnect,
            Given::Early | Given::Deadline => SpmEvent::Deadline,
        }
    }

    pub(crate) fn now(&self, machine: &Spm) -> MonoTime {
        match self {
            Given::Deadline => machine.deadline().unwrap_or(NEVER),
            Given::Tsdu(_)
            | Given::Request(_)
            | Given::TsduPart(..)
            | Given::TsduTooLong
            | Given::TConnectConfirm
            | Given::TConnectIndication
            | Given::TDisconnect
            | Given::Early => MonoTime::START,
        }
    }
}

/// All events of the interface that are no TSDU and no request, by an exhaustive match.
pub(crate) fn after_other(event: Option<&SpmEvent<'_>>) -> Option<Given> {
    Some(match event {
        None => Given::TConnectConfirm,
        Some(SpmEvent::TConnectConfirm) => Given::TConnectIndication,
        Some(SpmEvent::TConnectIndication) => Given::TDisconnect,
        Some(SpmEvent::TDisconnect) => Given::TsduTooLong,
        Some(SpmEvent::TsduTooLong { .. }) => Given::TsduPart(vec![1, 0, 1, 0, 9], false),
        Some(SpmEvent::TsduPart { .. }) => Given::Deadline,
        Some(SpmEvent::Deadline | SpmEvent::Tsdu(_) | SpmEvent::Request(_)) => return None,
    })
}

/// Every event and its name.
pub(crate) fn events() -> Vec<(String, Given)> {
    let mut events = Vec::new();
    let mut spdu = after_spdu(None);
    while let Some(now) = spdu {
        let name = if matches!(now, Spdu::Segment { .. }) { "ED/end" } else { now.name() };
        events.push((name.to_owned(), Given::Tsdu(now.to_tsdu().unwrap())));
        spdu = after_spdu(Some(&now));
    }
    for (name, spdu) in variants() {
        events.push((name.to_owned(), Given::Tsdu(spdu.to_tsdu().unwrap())));
    }
    events.push(("nonsense".to_owned(), Given::Tsdu(vec![99, 1, 2])));
    let mut request = after_request(None);
    while let Some(now) = request {
        request = after_request(Some(&now));
        events.push((request_name(&now).to_owned(), Given::Request(now)));
    }
    let outside = SsRequest::SyncMinorResponse { serial: 9 };
    events.push((request_name(&outside).to_owned(), Given::Request(outside)));
    let end = SsRequest::DataPart { octets: vec![1], last: true };
    events.push((request_name(&end).to_owned(), Given::Request(end)));
    events.push(("TSDU/last".to_owned(), Given::TsduPart(vec![1, 0, 1, 0, 9], true)));
    let mut other = after_other(None);
    while let Some(now) = other {
        let name = match &now {
            Given::TConnectConfirm => "T-CONNECT.cnf",
            Given::TConnectIndication => "T-CONNECT.ind",
            Given::TDisconnect => "T-DISCONNECT.ind",
            Given::TsduTooLong => "TSDU-too-long",
            Given::TsduPart(..) => "TSDU/part",
            Given::Deadline => "timer",
            Given::Early | Given::Tsdu(_) | Given::Request(_) => panic!("has another place"),
        };
        other = after_other(Some(&now.event()));
        events.push((name.to_owned(), now));
    }
    events.push(("timer/early".to_owned(), Given::Early));
    events
}

/// A machine in the state. In an activity one point is set, and has arrived.
pub(crate) fn machine(state: SessionState) -> Spm {
    let config = SessionConfig::default;
    let long = SConnect { user_data: vec![1; 10_241], ..SConnect::default() };
    let fresh = || Pair::new(config(), config(), SConnect::default());
    let open = || Pair::connected(config(), config());
    let duplex = || Pair::connected(in_duplex(), in_duplex());
    let side = |pair: Pair, side: usize| pair.spms[side].clone();
    let with = |mut pair: Pair, by: usize, request: SsRequest| {
        pair.ask(by, request);
        pair.settle();
        pair
    };
    let activity = || {
        let pair = with(open(), INITIATOR, SsRequest::ActivityStart { activity: vec![1] });
        with(pair, INITIATOR, SsRequest::SyncMinor)
    };
    let release = || with(open(), INITIATOR, SsRequest::Release { user_data: vec![] });
    match state {
        SessionState::AwaitTransport => Spm::initiator(config(), SConnect::default()),
        SessionState::AwaitTransportIndication => Spm::responder(config()),
        SessionState::AwaitCn => side(fresh(), RESPONDER),
        SessionState::AwaitCdo => {
            let mut pair = Pair::new(config(), config(), long);
            pair.arrive(RESPONDER);
            side(pair, RESPONDER)
        }
        SessionState::AwaitOa => side(Pair::new(config(), config(), long), INITIATOR),
        SessionState::AwaitAc => side(fresh(), INITIATOR),
        SessionState::AwaitConnectResponse => {
            let mut pair = fresh();
            pair.settle();
            side(pair, RESPONDER)
        }
        SessionState::OpenWithTurn => side(open(), INITIATOR),
        SessionState::OpenWithoutTurn => side(open(), RESPONDER),
        SessionState::OpenInDuplex => side(duplex(), RESPONDER),
        SessionState::TokensArriving => {
            let mut pair = open();
            pair.event(RESPONDER, SpmEvent::Tsdu(&[1, 3, 16, 1, 1])).unwrap();
            side(pair, RESPONDER)
        }
        SessionState::AwaitGta => {
            let mut pair = open();
            pair.ask(INITIATOR, SsRequest::ControlGive);
            side(pair, INITIATOR)
        }
        SessionState::Sending => side(activity(), INITIATOR),
        SessionState::Receiving => side(activity(), RESPONDER),
        SessionState::AwaitAea => side(with(activity(), INITIATOR, SsRequest::ActivityEnd), INITIATOR),
        SessionState::AwaitEndResponse => {
            side(with(activity(), INITIATOR, SsRequest::ActivityEnd), RESPONDER)
        }
        SessionState::AwaitAia => {
            side(with(activity(), INITIATOR, SsRequest::ActivityInterrupt(REASON)), INITIATOR)
        }
        SessionState::AwaitAda => {
            side(with(activity(), INITIATOR, SsRequest::ActivityDiscard(REASON)), INITIATOR)
        }
        SessionState::AwaitInterruptResponse => {
            side(with(activity(), INITIATOR, SsRequest::ActivityInterrupt(REASON)), RESPONDER)
        }
        SessionState::AwaitDiscardResponse => {
            side(with(activity(), INITIATOR, SsRequest::ActivityDiscard(REASON)), RESPONDER)
        }
        SessionState::ExceptionSent => {
            side(with(activity(), RESPONDER, SsRequest::ExceptionReport(REASON)), RESPONDER)
        }
        SessionState::ExceptionReceived => {
            side(with(activity(), RESPONDER, SsRequest::ExceptionReport(REASON)), INITIATOR)
        }
        SessionState::AwaitDn => side(release(), INITIATOR),
        SessionState::AwaitReleaseResponse => side(release(), RESPONDER),
        SessionState::AwaitTDisconnect => {
            let mut pair = release();
            pair.ask(RESPONDER, SsRequest::ReleaseResponse { user_data: vec![] });
            side(pair, RESPONDER)
        }
        SessionState::AwaitAbortAccept => {
            let mut pair = open();
            pair.ask(INITIATOR, SsRequest::Abort { user_data: vec![] });
            side(pair, INITIATOR)
        }
        SessionState::Closed => {
            let mut pair = open();
            pair.event(INITIATOR, SpmEvent::TDisconnect).unwrap();
            side(pair, INITIATOR)
        }
    }
}

fn in_duplex() -> SessionConfig {
    SessionConfig { functional_units: FunctionalUnits::DUPLEX, ..SessionConfig::default() }
}

/// All states, and those of which there is more than one kind.
pub(crate) fn machines() -> Vec<(String, Spm)> {
    let mut machines = Vec::new();
    let mut state = after_state(None);
    while let Some(now) = state {
        let machine = machine(now);
        assert_eq!(machine.state(), now);
        machines.push((now.name().to_owned(), machine));
        state = after_state(state);
    }
    for (name, request) in [
        ("awaiting AIA, AE not answered", SsRequest::ActivityInterrupt(REASON)),
        ("awaiting ADA, AE not answered", SsRequest::ActivityDiscard(REASON)),
    ] {
        let mut spm = machine(SessionState::AwaitAea);
        spm.handle(MonoTime::START, SpmEvent::Request(request), &mut Vec::new()).unwrap();
        machines.push((name.to_owned(), spm));
    }
    let mut pair = Pair::connected(in_duplex(), in_duplex());
    pair.ask(INITIATOR, SsRequest::Release { user_data: vec![] });
    pair.settle();
    let [initiator, responder] = pair.spms;
    machines.push(("awaiting DN in duplex".to_owned(), initiator));
    machines.push(("awaiting the user's answer to FN in duplex".to_owned(), responder));
    let mut spm = machine(SessionState::Receiving);
    let begun = Spdu::Dt { enclosure: Some(Enclosure::BEGINNING), data: vec![1] }.to_tsdu().unwrap();
    spm.handle(MonoTime::START, SpmEvent::Tsdu(&begun), &mut Vec::new()).unwrap();
    machines.push(("receiving in an activity, an SSDU has begun".to_owned(), spm));
    let mut spm = machine(SessionState::Sending);
    let begun = Spdu::Ed { reason: None, user: segment(Enclosure::BEGINNING) }.to_tsdu().unwrap();
    spm.handle(MonoTime::START, SpmEvent::Tsdu(&begun), &mut Vec::new()).unwrap();
    machines.push(("sending in an activity, an ED has begun".to_owned(), spm));
    let part = SsRequest::DataPart { octets: vec![1], last: false };
    let mut spm = machine(SessionState::Sending);
    spm.handle(MonoTime::START, SpmEvent::Request(part.clone()), &mut Vec::new()).unwrap();
    machines.push(("sending in an activity, within a TSDU".to_owned(), spm.clone()));
    let exception = Spdu::Ed { reason: None, user: user() }.to_tsdu().unwrap();
    spm.handle(MonoTime::START, SpmEvent::Tsdu(&exception), &mut Vec::new()).unwrap();
    machines.push(("awaiting the user's answer to ED, within a TSDU".to_owned(), spm));
    let segmenting = || SessionConfig { tsdu_max: 20, ..SessionConfig::default() };
    let mut pair = Pair::connected(segmenting(), segmenting());
    pair.ask(INITIATOR, SsRequest::ActivityStart { activity: vec![1] });
    pair.ask(INITIATOR, SsRequest::SyncMinor);
    pair.ask(INITIATOR, part);
    machines.push(("sending in an activity, segments are due".to_owned(), pair.spms[INITIATOR].clone()));
    let passing = || SessionConfig { pass_on_above: Some(2), ..SessionConfig::default() };
    let mut pair = Pair::connected(passing(), passing());
    pair.ask(INITIATOR, SsRequest::ActivityStart { activity: vec![1] });
    pair.ask(INITIATOR, SsRequest::SyncMinor);
    pair.settle();
    for (name, begun) in [
        ("receiving in an activity, an SSDU is passed on", vec![1, 0, 1, 0, 7, 7, 7]),
        ("receiving in an activity, a TSDU without data has begun", vec![1, 0, 41, 99]),
    ] {
        let mut spm = pair.spms[RESPONDER].clone();
        let event = SpmEvent::TsduPart { octets: &begun, last: false };
        spm.handle(MonoTime::START, event, &mut Vec::new()).unwrap();
        machines.push((name.to_owned(), spm));
    }
    machines
}
