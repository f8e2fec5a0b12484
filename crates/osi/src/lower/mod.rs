//! TPKT up to ACSE of one connection, put together: what every stack stands on.
//!
//! [`Lower`] is the only place which knows the order of these layers and who talks to whom. Associations go through
//! ACSE, data directly through the presentation layer; what comes up of both is for the stack above, which is told so
//! with a [`Step`]. It decides nothing of a protocol itself, with two exceptions: which selectors are served,
//! and that a connection which is over is closed in time. The steps are carried out by the stack, which adds its own.

mod config;
pub(crate) mod ended;
mod route;
mod served;
mod step;

use alloc::vec::Vec;
use core::time::Duration;

use clock::MonoTime;

pub(crate) use config::{LowerConfig, OPENING_TSDU_MAX};
pub(crate) use ended::End;
pub use served::ServedSelectors;
pub(crate) use step::{LayerEvent, SessionInput, Step};

use ended::{connection_closed, failed, transport_disconnected};
use route::{from_acpm, from_cotp, from_ppm, from_spm};

use crate::acse::{Acpm, AcpmEvent, AcseError};
use crate::cotp::{Cotp, CotpEvent, TIndication, TRequest};
use crate::failure::Layer;
use crate::presentation::{Contexts, PIndication, Ppm, PpmEvent};
use crate::session::{SessionConfig, Spm, SpmEvent, SsIndication, SsRequest, Version};
use crate::stack::{LayerStates, Settlement};
use crate::tpkt::{Deframer, MAX_TPDU_OCTETS};

/// What a connection gets beyond the layers' own timers to be closed after its end.
const CLOSE_MARGIN: Duration = Duration::from_secs(5);

/// The machines of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Lower {
    deframer: Deframer,
    cotp: Cotp,
    session_config: SessionConfig,
    /// There once there is something for it to do: an initiator makes it with the CP.
    spm: Option<Spm>,
    ppm: Ppm,
    acpm: Acpm,
    /// The addresses that a responder serves.
    served: Vec<ServedSelectors>,
    x410_served: bool,
    max_tsdu: usize,
    pass_on_above: Option<usize>,
    /// Transport selectors of a connection that came in: calling, called.
    transport_selectors: (Vec<u8>, Vec<u8>),
    /// The peer called selectors that nobody serves here.
    called_in_vain: bool,
    /// The connection is closed, or the driver was told to.
    closed: bool,
    /// When the connection is closed whatever the peer does.
    close_at: Option<MonoTime>,
}

/// How it stood when a packet arrived, to tell a slow peer from one that is at rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Octets that were there before it of data which is not whole yet.
    partial: usize,
    /// Some of a TSDU was passed on before it was whole.
    passes: bool,
}

impl Lower {
    pub(crate) fn initiator(config: LowerConfig) -> Self {
        let cotp = Cotp::initiator(config.cotp.clone());
        Lower::new(config, cotp, None)
    }

    pub(crate) fn responder(config: LowerConfig) -> Self {
        let cotp = Cotp::responder(config.cotp.clone());
        let spm = Spm::responder(config.session.clone());
        Lower::new(config, cotp, Some(spm))
    }

    fn new(config: LowerConfig, cotp: Cotp, spm: Option<Spm>) -> Self {
        Lower {
            deframer: Deframer::new(MAX_TPDU_OCTETS),
            cotp,
            session_config: config.session,
            spm,
            ppm: Ppm::new(config.ppm),
            acpm: Acpm::new(config.acpm),
            served: config.served,
            x410_served: config.x410_served,
            max_tsdu: config.max_tsdu,
            pass_on_above: config.pass_on_above,
            transport_selectors: Default::default(),
            called_in_vain: false,
            closed: false,
            close_at: None,
        }
    }

    /// The TCP connection is up.
    pub(crate) fn start<U>(&mut self, now: MonoTime) -> Vec<Step<U>> {
        self.cotp_event(now, CotpEvent::Start)
    }

    /// Takes the next packet off `octets`, if it is whole now and the connection is not closed.
    pub(crate) fn receive<U>(
        &mut self,
        now: MonoTime,
        octets: &mut &[u8],
    ) -> Option<(Vec<Step<U>>, Arrival)> {
        if self.closed {
            return None;
        }
        let partial = self.partial_octets();
        let steps = match self.deframer.next(octets) {
            Ok(None) => return None,
            Ok(Some(tpdu)) => self.cotp_event(now, CotpEvent::Tpdu(&tpdu)),
            // No packet boundary is known any more, so there is nothing that the peer could be told.
            Err(error) => Vec::from([failed(Layer::Tpkt, error.blame(), &error), Step::DISCONNECT]),
        };
        let passes = steps
            .iter()
            .any(|step| matches!(step, Step::Layer(LayerEvent::FromCotp(TIndication::DataPart { .. }))));
        Some((steps, Arrival { partial, passes }))
    }

    /// Whether data came on that is not whole yet, once the steps of a packet are done.
    pub(crate) fn comes_on(&self, arrival: Arrival) -> bool {
        arrival.passes || self.partial_octets() > arrival.partial
    }

    /// The TCP connection has ended; `reset` if not in order.
    pub(crate) fn transport_closed<U>(&mut self, now: MonoTime, reset: bool) -> Vec<Step<U>> {
        // It can only tell us what we know.
        let _ = self.cotp.handle(now, CotpEvent::TransportClosed, &mut Vec::new());
        Vec::from([Step::End(connection_closed(reset)), Step::Close])
    }

    /// TSDUs that are long are taken from now on, or passed on before they are whole: the association is open.
    pub(crate) fn open(&mut self) {
        self.cotp.user_is_open(self.max_tsdu);
        if let Some(above) = self.pass_on_above {
            self.cotp.pass_on(above);
        }
    }

    /// The user knows that the association is over: the connection is closed in `patience`, and some, at the latest.
    pub(crate) fn close_in(&mut self, now: MonoTime, patience: Duration) {
        self.close_at = Some(now + patience + CLOSE_MARGIN);
    }

    /// Notes that the driver is told to close the connection; whether it was not closed before.
    pub(crate) fn close(&mut self) -> bool {
        !core::mem::replace(&mut self.closed, true)
    }

    /// Whether the connection is closed, or the driver was told to close it.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The contexts agreed, while there is a presentation connection.
    pub(crate) fn contexts(&self) -> Option<&Contexts> {
        self.ppm.contexts()
    }

    /// Transport selectors of a connection that came in: calling, called.
    pub(crate) fn transport_selectors(&self) -> &(Vec<u8>, Vec<u8>) {
        &self.transport_selectors
    }

    /// How these layers stand; the one above is not known here.
    pub(crate) fn layers(&self) -> LayerStates {
        LayerStates {
            transport: self.cotp.state().name(),
            session: self.spm.as_ref().map_or("not started", |spm| spm.state().name()),
            presentation: self.ppm.state().name(),
            association: self.acpm.state().name(),
            reliable_transfer: "",
            has_turn: false,
        }
    }

    /// What these layers have settled, contexts aside.
    pub(crate) fn settlement(&self) -> Settlement {
        let version = self.spm.as_ref().and_then(Spm::version);
        Settlement {
            tpdu_octets: self.cotp.tpdu_octets(),
            session_version: version.map(|version| match version {
                Version::V1 => 1,
                Version::V2 => 2,
            }),
            segment_octets: self.spm.as_ref().and_then(Spm::segment_octets),
            ..Settlement::default()
        }
    }

    /// Octets that are here of data which is not whole yet.
    fn partial_octets(&self) -> usize {
        self.cotp.partial_octets() + self.spm.as_ref().map_or(0, Spm::partial_octets)
    }

    /// When a timer of these layers, or of the one above that has `upper`, is due. None while the connection is closed.
    pub(crate) fn deadline(&self, upper: Option<MonoTime>) -> Option<MonoTime> {
        if self.closed {
            return None;
        }
        [upper, self.close_at, self.session_deadline(), self.cotp.deadline()].into_iter().flatten().min()
    }

    fn session_deadline(&self) -> Option<MonoTime> {
        self.spm.as_ref().and_then(Spm::deadline)
    }

    /// What the transport layer does as time passes; comes before the layers above, which have more to tell the peer.
    pub(crate) fn tick_transport<U>(&mut self, now: MonoTime) -> Vec<Step<U>> {
        if self.is_due(now, self.cotp.deadline()) {
            return self.cotp_event(now, CotpEvent::Deadline);
        }
        Vec::new()
    }

    /// What the session layer does as time passes.
    pub(crate) fn tick_session<U>(&self, now: MonoTime) -> Vec<Step<U>> {
        let due = self.is_due(now, self.session_deadline());
        due.then_some(Step::Layer(LayerEvent::Spm(SessionInput::Deadline))).into_iter().collect()
    }

    /// The end of a connection which is over, as time passes; comes last.
    pub(crate) fn tick_close<U>(&self, now: MonoTime) -> Vec<Step<U>> {
        self.is_due(now, self.close_at).then_some(Step::DISCONNECT).into_iter().collect()
    }

    /// Whether a timer is due that runs while the connection is not closed.
    pub(crate) fn is_due(&self, now: MonoTime, deadline: Option<MonoTime>) -> bool {
        !self.closed && deadline.is_some_and(|deadline| now >= deadline)
    }

    /// Gives a layer what is for it. `opening`: there is no association that the user knows of yet.
    pub(crate) fn step<U>(&mut self, now: MonoTime, event: LayerEvent, opening: bool) -> Vec<Step<U>> {
        match event {
            LayerEvent::Cotp(request) => self.cotp_request(now, request),
            LayerEvent::FromCotp(indication) => self.transport(indication, opening),
            LayerEvent::Spm(input) => self.session(now, input),
            LayerEvent::Ppm(event) => self.presentation(event),
            LayerEvent::Acpm(event) => self.association(event),
            LayerEvent::Disconnect => self.disconnect(now),
        }
    }

    /// An event of the transport layer that is no request.
    fn cotp_event<U>(&mut self, now: MonoTime, event: CotpEvent<'_>) -> Vec<Step<U>> {
        let mut actions = Vec::new();
        let result = self.cotp.handle(now, event, &mut actions);
        let mut steps: Vec<Step<U>> = actions.into_iter().map(from_cotp).collect();
        if let Err(error) = result {
            steps.insert(0, failed(Layer::Cotp, error.blame(), &error));
        }
        steps
    }

    fn cotp_request<U>(&mut self, now: MonoTime, request: TRequest) -> Vec<Step<U>> {
        let mut actions = Vec::new();
        let result = self.cotp.handle(now, CotpEvent::Request(request), &mut actions);
        let mut steps: Vec<Step<U>> = actions.into_iter().map(from_cotp).collect();
        if let Err(error) = result {
            steps.push(failed(Layer::Cotp, error.blame(), &error));
            steps.push(Step::DISCONNECT);
        }
        steps
    }

    /// Ends the transport connection, if there is one; it is closed in any case.
    fn disconnect<U>(&mut self, now: MonoTime) -> Vec<Step<U>> {
        let mut actions = Vec::new();
        let _ = self.cotp.handle(now, CotpEvent::Request(TRequest::Disconnect), &mut actions);
        let mut steps: Vec<Step<U>> = actions.into_iter().map(from_cotp).collect();
        steps.push(Step::Close);
        steps
    }

    fn transport<U>(&mut self, indication: TIndication, opening: bool) -> Vec<Step<U>> {
        let input = match indication {
            TIndication::Connect { calling, called } => {
                if !self.serves(&called, None, None) {
                    return self.not_served(Layer::Cotp, &called);
                }
                self.transport_selectors = (calling, called);
                return Vec::from([
                    Step::Layer(LayerEvent::Cotp(TRequest::Accept)),
                    Step::Layer(LayerEvent::Spm(SessionInput::ConnectIndication)),
                ]);
            }
            TIndication::Confirm => SessionInput::ConnectConfirm,
            TIndication::Data(tsdu) => SessionInput::Tsdu(tsdu),
            TIndication::DataPart { octets, last } => SessionInput::TsduPart { octets, last },
            TIndication::TooLong { limit } => SessionInput::TsduTooLong { limit },
            TIndication::Disconnect(disconnect) => {
                return Vec::from([
                    Step::End(transport_disconnected(&disconnect, opening)),
                    Step::Layer(LayerEvent::Spm(SessionInput::Disconnected)),
                ]);
            }
        };
        Vec::from([Step::Layer(LayerEvent::Spm(input))])
    }

    fn session<U>(&mut self, now: MonoTime, input: SessionInput) -> Vec<Step<U>> {
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
        let mut steps: Vec<Step<U>> = actions.into_iter().map(from_spm).collect();
        if let Err(error) = result {
            // After a fault of the peer the abort is among the actions already, and ends the layers above by
            // itself. After one of ours there is no orderly way out.
            if aborting {
                steps.push(Step::DISCONNECT);
                return steps;
            }
            let disconnect =
                steps.iter().position(|step| matches!(step, Step::Layer(LayerEvent::Disconnect)));
            let at = disconnect.unwrap_or(steps.len());
            steps.insert(at, failed(Layer::Session, error.blame(), &error));
            if requested {
                let user_data = Vec::new();
                steps.push(Step::session(SsRequest::Abort { user_data }));
            }
        }
        steps
    }

    fn presentation<U>(&mut self, event: PpmEvent) -> Vec<Step<U>> {
        if let PpmEvent::Session(SsIndication::Connect(connect)) = &event
            && !self.serves_session(connect)
        {
            let called = connect.called_selector.clone().unwrap_or_default();
            return self.not_served(Layer::Session, &called);
        }
        let mut actions = Vec::new();
        let result = self.ppm.handle(event, &mut actions);
        let mut steps: Vec<Step<U>> = actions.into_iter().map(from_ppm).collect();
        if let Err(error) = result {
            steps.insert(0, failed(Layer::Presentation, error.blame(), &error));
        }
        steps
    }

    fn association<U>(&mut self, event: AcpmEvent) -> Vec<Step<U>> {
        if let AcpmEvent::Presentation(PIndication::Connect(connect)) = &event
            && !self.serves_presentation(connect)
        {
            let called = connect.called_selector.clone().unwrap_or_default();
            return self.not_served(Layer::Presentation, &called);
        }
        let mut actions = Vec::new();
        let result = self.acpm.handle(event, &mut actions);
        let mut steps: Vec<Step<U>> = actions.into_iter().map(from_acpm).collect();
        match result {
            Ok(()) => {}
            Err(error @ AcseError::RequestOutOfState { .. }) => {
                // There is no association: what is left of the connection is closed.
                steps.push(failed(Layer::Acse, error.blame(), &error));
                steps.push(Step::DISCONNECT);
            }
            Err(error) => steps.insert(0, failed(Layer::Acse, error.blame(), &error)),
        }
        steps
    }
}
