//! The layers from COTP up to ACSE, and who gets what they give out.

use alloc::vec::Vec;

use clock::MonoTime;

use super::config::AccessConfig;
use super::step::{CarrierEvent, SessionInput, Step, ended, failed};
use crate::acse::{Acpm, AcpmAction, AcpmEvent, AcseError};
use crate::cotp::tpdu::DrReason;
use crate::cotp::{Cotp, CotpAction, CotpEvent, TIndication, TRequest};
use crate::failure::Layer;
use crate::presentation::{Contexts, PIndication, PRequest, Ppm, PpmAction, PpmEvent};
use crate::session::spdu::RefuseReason;
use crate::session::{SRefuse, SessionConfig, Spm, SpmAction, SpmEvent, SsIndication, SsRequest};
use crate::stack::ended::{selector_not_served, transport_disconnected};
use crate::stack::{CALLED_PRESENTATION_ADDRESS_UNKNOWN, ServedSelectors};

/// The machines of one connection.
#[derive(Clone, Debug)]
pub(super) struct Lower {
    cotp: Cotp,
    session_config: SessionConfig,
    /// There once there is something for it to do: an initiator makes it with the CP.
    spm: Option<Spm>,
    ppm: Ppm,
    acpm: Acpm,
    /// The addresses that a responder serves.
    served: Vec<ServedSelectors>,
    /// Transport selectors of a connection that came in: calling, called.
    pub(super) transport_selectors: (Vec<u8>, Vec<u8>),
}

impl Lower {
    pub(super) fn initiator(config: &AccessConfig) -> Self {
        Lower::new(config, Cotp::initiator(config.cotp(config.tpdu_size_offered)), None)
    }

    pub(super) fn responder(config: &AccessConfig) -> Self {
        let spm = Spm::responder(config.session());
        Lower::new(config, Cotp::responder(config.cotp(config.tpdu_size)), Some(spm))
    }

    fn new(config: &AccessConfig, cotp: Cotp, spm: Option<Spm>) -> Self {
        Lower {
            cotp,
            session_config: config.session(),
            spm,
            ppm: Ppm::new(config.ppm()),
            acpm: Acpm::new(config.acpm()),
            served: config.served.clone(),
            transport_selectors: Default::default(),
        }
    }

    /// The contexts agreed, while there is a presentation connection.
    pub(super) fn contexts(&self) -> Option<&Contexts> {
        self.ppm.contexts()
    }

    /// TSDUs of this length are taken from now on.
    pub(super) fn user_is_open(&mut self, max_tsdu: usize) {
        self.cotp.user_is_open(max_tsdu);
    }

    /// Octets that are here of data which is not whole yet.
    pub(super) fn partial_octets(&self) -> usize {
        self.cotp.partial_octets() + self.spm.as_ref().map_or(0, Spm::partial_octets)
    }

    pub(super) fn cotp_deadline(&self) -> Option<MonoTime> {
        self.cotp.deadline()
    }

    pub(super) fn session_deadline(&self) -> Option<MonoTime> {
        self.spm.as_ref().and_then(Spm::deadline)
    }

    /// An event of the transport layer that is no request.
    pub(super) fn cotp_event(&mut self, now: MonoTime, event: CotpEvent<'_>) -> Vec<Step> {
        let mut actions = Vec::new();
        let result = self.cotp.handle(now, event, &mut actions);
        let mut steps: Vec<Step> = actions.into_iter().map(from_cotp).collect();
        if let Err(error) = result {
            steps.insert(0, failed(Layer::Cotp, error.blame(), &error));
        }
        steps
    }

    pub(super) fn cotp_request(&mut self, now: MonoTime, request: TRequest) -> Vec<Step> {
        let mut actions = Vec::new();
        let result = self.cotp.handle(now, CotpEvent::Request(request), &mut actions);
        let mut steps: Vec<Step> = actions.into_iter().map(from_cotp).collect();
        if let Err(error) = result {
            steps.push(failed(Layer::Cotp, error.blame(), &error));
            steps.push(Step::Disconnect);
        }
        steps
    }

    /// Ends the transport connection, if there is one; it is closed in any case.
    pub(super) fn disconnect(&mut self, now: MonoTime) -> Vec<Step> {
        let mut actions = Vec::new();
        let _ = self.cotp.handle(now, CotpEvent::Request(TRequest::Disconnect), &mut actions);
        let mut steps: Vec<Step> = actions.into_iter().map(from_cotp).collect();
        steps.push(Step::Close);
        steps
    }

    pub(super) fn transport(&mut self, indication: TIndication, opening: bool) -> Vec<Step> {
        match indication {
            TIndication::Connect { calling, called } => {
                if !ServedSelectors::any_serves(&self.served, &called, None, None) {
                    let refuse = Step::Cotp(TRequest::Refuse { reason: DrReason::ADDRESS_UNKNOWN });
                    return not_served(Layer::Cotp, &called, [refuse, Step::Disconnect]);
                }
                self.transport_selectors = (calling, called);
                Vec::from([Step::Cotp(TRequest::Accept), Step::Spm(SessionInput::ConnectIndication)])
            }
            TIndication::Confirm => Vec::from([Step::Spm(SessionInput::ConnectConfirm)]),
            TIndication::Data(tsdu) => Vec::from([Step::Spm(SessionInput::Tsdu(tsdu))]),
            TIndication::DataPart { octets, last } => {
                Vec::from([Step::Spm(SessionInput::TsduPart { octets, last })])
            }
            TIndication::TooLong { limit } => Vec::from([Step::Spm(SessionInput::TsduTooLong { limit })]),
            TIndication::Disconnect(disconnect) => {
                let mut steps = ended(transport_disconnected(&disconnect, opening));
                steps.push(Step::Spm(SessionInput::Disconnected));
                steps
            }
        }
    }

    pub(super) fn session(&mut self, now: MonoTime, input: SessionInput) -> Vec<Step> {
        let mut actions = Vec::new();
        let (requested, aborting) = match &input {
            SessionInput::Request(request) => (true, matches!(request, SsRequest::Abort { .. })),
            SessionInput::ConnectConfirm
            | SessionInput::ConnectIndication
            | SessionInput::Tsdu(_)
            | SessionInput::TsduPart { .. }
            | SessionInput::TsduTooLong { .. }
            | SessionInput::Disconnected
            | SessionInput::Deadline => (false, false),
        };
        let event = match input {
            SessionInput::ConnectConfirm => SpmEvent::TConnectConfirm,
            SessionInput::ConnectIndication => SpmEvent::TConnectIndication,
            SessionInput::Tsdu(ref tsdu) => SpmEvent::Tsdu(tsdu),
            SessionInput::TsduPart { ref octets, last } => SpmEvent::TsduPart { octets, last },
            SessionInput::TsduTooLong { limit } => SpmEvent::TsduTooLong { limit },
            SessionInput::Disconnected => SpmEvent::TDisconnect,
            SessionInput::Deadline => SpmEvent::Deadline,
            // The machine is made with the request, and sends it when the transport connection is there.
            SessionInput::Request(SsRequest::Connect(connect)) if self.spm.is_none() => {
                self.spm = Some(Spm::initiator(self.session_config.clone(), connect));
                return Vec::new();
            }
            SessionInput::Request(request) => SpmEvent::Request(request),
        };
        let Some(spm) = &mut self.spm else { return Vec::new() };
        let result = spm.handle(now, event, &mut actions);
        if let Some(limit) = spm.opening_tsdu_octets_max() {
            self.cotp.set_max_tsdu(limit);
        }
        let mut steps: Vec<Step> = actions.into_iter().map(from_spm).collect();
        if let Err(error) = result {
            // After a fault of the peer the abort is among the actions already. After one of ours there is no orderly
            // way out.
            if aborting {
                steps.push(Step::Disconnect);
                return steps;
            }
            let disconnect = steps.iter().position(|step| matches!(step, Step::Disconnect));
            steps.insert(disconnect.unwrap_or(steps.len()), failed(Layer::Session, error.blame(), &error));
            if requested {
                let user_data = Vec::new();
                steps.push(Step::Spm(SessionInput::Request(SsRequest::Abort { user_data })));
            }
        }
        steps
    }

    pub(super) fn presentation(&mut self, event: PpmEvent) -> Vec<Step> {
        if let PpmEvent::Session(SsIndication::Connect(connect)) = &event {
            let called = connect.called_selector.as_deref().unwrap_or_default();
            let (_, transport) = &self.transport_selectors;
            if !ServedSelectors::any_serves(&self.served, transport, Some(called), None) {
                let refuse = SRefuse { reason: RefuseReason::SELECTOR_UNKNOWN, user_data: Vec::new() };
                let refuse = Step::Spm(SessionInput::Request(SsRequest::ConnectRefuse(refuse)));
                return not_served(Layer::Session, called, [refuse]);
            }
        }
        let mut actions = Vec::new();
        let result = self.ppm.handle(event, &mut actions);
        let mut steps: Vec<Step> = actions.into_iter().map(from_ppm).collect();
        if let Err(error) = result {
            steps.insert(0, failed(Layer::Presentation, error.blame(), &error));
        }
        steps
    }

    pub(super) fn association(&mut self, event: AcpmEvent) -> Vec<Step> {
        if let AcpmEvent::Presentation(PIndication::Connect(connect)) = &event {
            let called = connect.called_selector.as_deref().unwrap_or_default();
            let session = connect.called_session_selector.as_deref().unwrap_or_default();
            let (_, transport) = &self.transport_selectors;
            if !ServedSelectors::any_serves(&self.served, transport, Some(session), Some(called)) {
                let reason = CALLED_PRESENTATION_ADDRESS_UNKNOWN;
                let refuse = Step::Ppm(PpmEvent::Request(PRequest::ConnectRefuseByProvider { reason }));
                return not_served(Layer::Presentation, called, [refuse]);
            }
        }
        let mut actions = Vec::new();
        let result = self.acpm.handle(event, &mut actions);
        let mut steps: Vec<Step> = actions.into_iter().map(from_acpm).collect();
        match result {
            Ok(()) => {}
            Err(error @ AcseError::RequestOutOfState { .. }) => {
                // There is no association: what is left of the connection is closed.
                steps.push(failed(Layer::Acse, error.blame(), &error));
                steps.push(Step::Disconnect);
            }
            Err(error) => steps.insert(0, failed(Layer::Acse, error.blame(), &error)),
        }
        steps
    }
}

/// Refuses the peer at `layer`, the lowest that knows better.
fn not_served<const N: usize>(layer: Layer, called: &[u8], refuse: [Step; N]) -> Vec<Step> {
    let mut steps = ended(selector_not_served(layer, called));
    steps.extend(refuse);
    steps
}

fn from_cotp(action: CotpAction) -> Step {
    match action {
        CotpAction::Tpdu(tpdu) => Step::Transmit(tpdu),
        CotpAction::Indication(indication) => Step::FromCotp(indication),
        CotpAction::Close => Step::Close,
    }
}

fn from_spm(action: SpmAction) -> Step {
    match action {
        SpmAction::Tsdu(tsdu) => Step::Cotp(TRequest::Data(tsdu)),
        SpmAction::TsduPart { octets, last } => Step::Cotp(TRequest::DataPart { octets, last }),
        SpmAction::Indication(indication) => Step::Ppm(PpmEvent::Session(indication)),
        SpmAction::TDisconnect => Step::Disconnect,
    }
}

fn from_ppm(action: PpmAction) -> Step {
    match action {
        PpmAction::Session(request) => Step::Spm(SessionInput::Request(request)),
        PpmAction::Indication(
            indication @ (PIndication::Data(_)
            | PIndication::DataPart { .. }
            | PIndication::Sync(_)
            | PIndication::TokenPlease { .. }),
        ) => Step::Carrier(CarrierEvent::Presentation(indication)),
        PpmAction::Indication(
            indication @ (PIndication::Connect(_)
            | PIndication::ConnectConfirm { .. }
            | PIndication::ConnectRejected { .. }
            | PIndication::ConnectRefusedByProvider { .. }
            | PIndication::ConnectRefusedBySession(_)
            | PIndication::Release { .. }
            | PIndication::ReleaseConfirm { .. }
            | PIndication::UAbort { .. }
            | PIndication::PAbort(_)),
        ) => Step::Acpm(AcpmEvent::Presentation(indication)),
    }
}

fn from_acpm(action: AcpmAction) -> Step {
    match action {
        AcpmAction::Presentation(request) => Step::Ppm(PpmEvent::Request(request)),
        AcpmAction::Indication(indication) => Step::Carrier(CarrierEvent::Association(indication)),
    }
}
