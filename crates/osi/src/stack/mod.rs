//! All layers of one connection, put together: octets of TCP on one side, service primitives of RTSE on the other.
//!
//! [`Stack`] is the only place which knows the order of the layers and who talks to whom: RTSE opens and ends
//! associations through ACSE, and transfers directly through the presentation layer. It decides nothing of a
//! protocol itself, with two exceptions: which selectors are served, and that a connection which is over
//! is closed in time.

mod config;
pub(crate) mod ended;
mod route;
mod served;
mod step;

use alloc::vec::Vec;
use core::time::Duration;

use clock::MonoTime;

pub(crate) use config::OPENING_TSDU_MAX;
pub use config::{ApplicationContext, SelectorSet, SessionReference, StackConfig};
pub(crate) use served::CALLED_PRESENTATION_ADDRESS_UNKNOWN;
pub use served::ServedSelectors;

use route::{from_acpm, from_cotp, from_ppm, from_rtpm, from_spm};
use step::{SessionInput, Step};

use crate::acse::{Acpm, AcpmConfig, AcpmEvent};
use crate::cotp::{Cotp, CotpEvent, TIndication, TRequest};
use crate::failure::{Blame, Layer};
use crate::presentation::{Contexts, PConnect, PIndication, Ppm, PpmConfig, PpmEvent};
pub use crate::rtse::RequestError;
use crate::rtse::{
    AbortReason, Agreed, OpenData, RtIndication, RtRequest, Rtpm, RtpmEvent, SessionConnectionIdentifier,
};
use crate::session::{Spm, SpmEvent, SsIndication, SsRequest};
use crate::tpkt::{self, Deframer, MAX_TPDU_OCTETS};

/// What the driver of a [`Stack`] is to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StackAction {
    /// Send these octets.
    Transmit(Vec<u8>),
    /// Close the TCP connection, after what was sent. The last action of every stack.
    Close,
    /// Tell the user.
    Indication(RtIndication),
}

/// One connection, from TPKT up to RTSE.
///
/// The driver calls [`Stack::start`] once TCP is connected, [`Stack::receive`] with octets as they come,
/// [`Stack::wrote`] when octets have left, [`Stack::tick`] when [`Stack::deadline`] has passed, [`Stack::request`] for
/// its user, and [`Stack::transport_closed`] when the connection has ended. Exactly one of OpenRefused, Closed and Aborted is
/// indicated; nothing is after it. [`StackAction::Close`] comes exactly once, in bounded time after that.
#[derive(Clone, Debug)]
pub struct Stack {
    config: StackConfig,
    deframer: Deframer,
    cotp: Cotp,
    /// There once there is something for it to do: an initiator makes it with the CP.
    spm: Option<Spm>,
    ppm: Ppm,
    acpm: Acpm,
    rtpm: Rtpm,
    /// Transport selectors of a connection that came in: calling, called.
    transport_selectors: (Vec<u8>, Vec<u8>),
    /// The peer called selectors that nobody serves here.
    called_in_vain: bool,
    /// The last indication was given.
    ended: bool,
    /// The connection is closed, or the driver was told to.
    closed: bool,
    /// When the connection is closed whatever the peer does.
    close_at: Option<MonoTime>,
}

/// Steps that one event may cause, besides sending: a long APDU goes out in as many pieces as the peer's sizes make it.
/// A TSDU with the most SPDUs that the session layer takes causes a few hundred.
const STEPS_MAX: usize = 10_000;
/// What a connection gets beyond the session layer's own timers to be closed after its end.
const CLOSE_MARGIN: Duration = Duration::from_secs(5);

impl Stack {
    /// A connection that we make. `data` says what for, `identifier` names the session connection.
    pub fn initiator(config: StackConfig, data: OpenData, identifier: SessionReference) -> Self {
        let selector = |selector: &[u8]| (!selector.is_empty()).then(|| selector.to_vec());
        let connect = PConnect {
            mode: config.rtse.mode.presentation(),
            calling_selector: selector(&config.local.presentation),
            called_selector: selector(&config.remote.presentation),
            calling_session_selector: selector(&config.local.session),
            called_session_selector: selector(&config.remote.session),
            identifier: identifier.identifier(config.rtse.mode),
            initial_turn: config.rtse.initial_turn,
            contexts: Contexts::propose(&config.application.syntaxes()),
            user_data: Vec::new(),
        };
        let application = config.application.clone();
        let rtpm = Rtpm::initiator(
            config.rtse.clone(),
            application.bind_and_rtse_syntax,
            application.apdu_syntax,
            connect,
            data,
        );
        let cotp = Cotp::initiator(config.cotp(config.tpdu_size_offered));
        Stack::new(config, cotp, None, rtpm)
    }

    /// A connection that a peer makes to us.
    pub fn responder(config: StackConfig) -> Self {
        let application = config.application.clone();
        let rtpm =
            Rtpm::responder(config.rtse.clone(), application.bind_and_rtse_syntax, application.apdu_syntax);
        let cotp = Cotp::responder(config.cotp(config.tpdu_size));
        let spm = Spm::responder(config.session());
        Stack::new(config, cotp, Some(spm), rtpm)
    }

    fn new(config: StackConfig, cotp: Cotp, spm: Option<Spm>, rtpm: Rtpm) -> Self {
        let ppm = Ppm::new(PpmConfig {
            syntaxes: config.application.syntaxes(),
            optional_syntaxes: Vec::new(),
            local_selector: config.local.presentation.clone(),
        });
        let acpm = Acpm::new(AcpmConfig {
            application_context: config.application.application_context.clone(),
            user_syntax: config.application.bind_and_rtse_syntax.clone(),
            called: config.called_title.clone(),
            calling: config.calling_title.clone(),
        });
        Stack {
            config,
            deframer: Deframer::new(MAX_TPDU_OCTETS),
            cotp,
            spm,
            ppm,
            acpm,
            rtpm,
            transport_selectors: (Vec::new(), Vec::new()),
            called_in_vain: false,
            ended: false,
            closed: false,
            close_at: None,
        }
    }

    /// The TCP connection is up.
    pub fn start(&mut self, now: MonoTime, out: &mut Vec<StackAction>) {
        let mut actions = Vec::new();
        self.rtpm.start(now, &mut actions);
        self.run(now, actions.into_iter().map(from_rtpm).collect(), out);
        let mut actions = Vec::new();
        let result = self.cotp.handle(now, CotpEvent::Start, &mut actions);
        let mut steps: Vec<Step> = actions.into_iter().map(from_cotp).collect();
        if let Err(error) = result {
            steps.push(ended::failed(Layer::Cotp, error.blame(), None, &error));
        }
        self.run(now, steps, out);
    }

    /// Octets arrived, in any pieces.
    pub fn receive(&mut self, now: MonoTime, octets: &[u8], out: &mut Vec<StackAction>) {
        let mut rest = octets;
        while !self.closed {
            let partial = self.partial_octets();
            let mut passes = false;
            let steps = match self.deframer.next(&mut rest) {
                Ok(None) => return,
                Ok(Some(tpdu)) => {
                    let mut actions = Vec::new();
                    let result = self.cotp.handle(now, CotpEvent::Tpdu(&tpdu), &mut actions);
                    let mut steps: Vec<Step> = actions.into_iter().map(from_cotp).collect();
                    passes =
                        steps.iter().any(|step| matches!(step, Step::FromCotp(TIndication::DataPart { .. })));
                    if let Err(error) = result {
                        steps.insert(0, ended::failed(Layer::Cotp, error.blame(), None, &error));
                    }
                    steps
                }
                // No packet boundary is known any more, so there is nothing that the peer could be told.
                Err(error) => {
                    Vec::from([ended::failed(Layer::Tpkt, error.blame(), None, &error), Step::Disconnect])
                }
            };
            self.run(now, steps, out);
            if passes || self.partial_octets() > partial {
                self.rtpm.received(now);
            }
        }
    }

    /// The driver has sent some of what it was given to transmit. A transfer whose octets leave is not at rest, however
    /// long the peer's answer takes.
    pub fn wrote(&mut self, now: MonoTime) {
        self.rtpm.wrote(now);
    }

    /// Octets that are here of data which is not whole yet.
    fn partial_octets(&self) -> usize {
        self.cotp.partial_octets() + self.spm.as_ref().map_or(0, Spm::partial_octets)
    }

    /// Carries out a request of the user.
    ///
    /// # Errors
    /// It is not allowed in this state. Nothing was sent and nothing has changed.
    pub fn request(
        &mut self,
        now: MonoTime,
        request: RtRequest,
        out: &mut Vec<StackAction>,
    ) -> Result<(), RequestError> {
        let name = crate::rtse::request_name(&request);
        if self.ended {
            return Err(RequestError::Ended { request: name });
        }
        let abort = if let RtRequest::Abort(reason) = &request { Some(*reason) } else { None };
        let accepting = matches!(request, RtRequest::OpenAccept { .. });
        let mut actions = Vec::new();
        match (self.rtpm.request(now, request, &mut actions), abort) {
            (Ok(()), _) => self.run(now, actions.into_iter().map(from_rtpm).collect(), out),
            // There is no association yet that could be aborted; the connection is.
            (Err(_), Some(reason)) => {
                let steps = Vec::from([Step::Indicate(ended::aborted_early(reason)), Step::Disconnect]);
                self.run(now, steps, out);
            }
            (Err(error), None) => return Err(error),
        }
        if accepting {
            self.open();
        }
        Ok(())
    }

    /// The TCP connection has ended; `reset` if not in order.
    pub fn transport_closed(&mut self, now: MonoTime, reset: bool, out: &mut Vec<StackAction>) {
        let mut steps = Vec::from([Step::Indicate(ended::connection_closed(reset))]);
        let mut actions = Vec::new();
        // It can only tell us what we know.
        let _ = self.cotp.handle(now, CotpEvent::TransportClosed, &mut actions);
        steps.push(Step::Close);
        self.run(now, steps, out);
    }

    /// When [`Stack::tick`] is due, at the latest.
    pub fn deadline(&self) -> Option<MonoTime> {
        if self.closed {
            return None;
        }
        let upper = if self.ended { self.close_at } else { self.rtpm.deadline() };
        let session = self.spm.as_ref().and_then(Spm::deadline);
        [upper, session, self.cotp.deadline()].into_iter().flatten().min()
    }

    /// Time has passed. Without effect before the deadline.
    pub fn tick(&mut self, now: MonoTime, out: &mut Vec<StackAction>) {
        let due = |deadline: Option<MonoTime>| deadline.is_some_and(|deadline| now >= deadline);
        if !self.closed && due(self.cotp.deadline()) {
            let mut actions = Vec::new();
            let result = self.cotp.handle(now, CotpEvent::Deadline, &mut actions);
            let mut steps: Vec<Step> = actions.into_iter().map(from_cotp).collect();
            if let Err(error) = result {
                steps.insert(0, ended::failed(Layer::Cotp, error.blame(), None, &error));
            }
            self.run(now, steps, out);
        }
        // RTSE first: it has more to tell the peer.
        if !self.closed && !self.ended && due(self.rtpm.deadline()) {
            self.run(now, Vec::from([Step::Rtpm(RtpmEvent::Deadline)]), out);
        }
        if !self.closed && due(self.spm.as_ref().and_then(Spm::deadline)) {
            self.run(now, Vec::from([Step::Spm(SessionInput::Deadline)]), out);
        }
        if !self.closed && due(self.close_at) {
            self.run(now, Vec::from([Step::Disconnect]), out);
        }
    }

    /// Whether this side holds the turn.
    pub fn has_turn(&self) -> bool {
        !self.ended && self.rtpm.has_turn()
    }

    /// Lowers checkpoint size (units of 1,024 octets; 0 for no wish) and window between [`RtIndication::Open`] and its
    /// answer.
    pub fn agree_at_most(&mut self, checkpoint_size_kb: u32, window_size: u32) {
        self.rtpm.agree_at_most(checkpoint_size_kb, window_size);
    }

    /// What was settled, while the association is open.
    pub fn agreed(&self) -> Option<Agreed> {
        if self.ended { None } else { self.rtpm.agreed() }
    }

    /// The name of the session connection on which the association is or was, at both ends; there once the opening has
    /// begun.
    pub fn session_connection(&self) -> Option<&SessionConnectionIdentifier> {
        self.rtpm.session_connection()
    }

    /// Identifier of the activity in which the peer's APDU comes, as on the wire, from its start to its acceptance.
    pub fn receiving_activity(&self) -> Option<&[u8]> {
        self.rtpm.receiving_activity()
    }

    /// Whether the association is over and the connection closed (or the driver told to close it).
    pub fn is_finished(&self) -> bool {
        self.ended && self.closed
    }

    /// Takes the steps and all that follow from them. The word to the user on a failure comes first, since sending
    /// the abort may turn out to be impossible and close the connection. What follows from one step is done before the next one, so
    /// that each layer's outputs take effect in the order in which it gave them.
    fn run(&mut self, now: MonoTime, steps: Vec<Step>, out: &mut Vec<StackAction>) {
        let mut pending: Vec<Step> = steps.into_iter().rev().collect();
        let mut taken = 0;
        while let Some(step) = pending.pop() {
            let sends =
                matches!(step, Step::Transmit(_) | Step::Cotp(TRequest::Data(_) | TRequest::DataPart { .. }));
            taken += usize::from(!sends);
            if taken == STEPS_MAX {
                pending.clear();
                self.rtpm.abandon();
                pending.extend([Step::Disconnect, ended::too_many_steps()]);
            }
            let next = self.step(now, step, out);
            pending.extend(next.into_iter().rev());
        }
    }

    fn step(&mut self, now: MonoTime, step: Step, out: &mut Vec<StackAction>) -> Vec<Step> {
        match step {
            Step::Cotp(request) => {
                let mut actions = Vec::new();
                let result = self.cotp.handle(now, CotpEvent::Request(request), &mut actions);
                let mut steps: Vec<Step> = actions.into_iter().map(from_cotp).collect();
                if let Err(error) = result {
                    steps.push(ended::failed(Layer::Cotp, error.blame(), None, &error));
                    steps.push(Step::Disconnect);
                }
                steps
            }
            Step::FromCotp(indication) => self.transport(indication),
            Step::Spm(input) => self.session(now, input),
            Step::Ppm(event) => self.presentation(event),
            Step::Acpm(event) => self.association(event),
            Step::Rtpm(event) => self.reliable_transfer(now, event),
            Step::Indicate(indication) => {
                self.indicate(now, indication, out);
                Vec::new()
            }
            Step::Transmit(tpdu) => {
                let mut packet = Vec::new();
                match tpkt::frame(&tpdu, &mut packet) {
                    Ok(()) if !self.closed => {
                        out.push(StackAction::Transmit(packet));
                        Vec::new()
                    }
                    Ok(()) => Vec::new(),
                    Err(error) => {
                        Vec::from([ended::failed(Layer::Tpkt, Blame::Local, None, &error), Step::Disconnect])
                    }
                }
            }
            Step::Disconnect => {
                let mut actions = Vec::new();
                // Whether there was a connection to end does not matter: it is closed in any case.
                let _ = self.cotp.handle(now, CotpEvent::Request(TRequest::Disconnect), &mut actions);
                let mut steps: Vec<Step> = actions.into_iter().map(from_cotp).collect();
                steps.push(Step::Close);
                steps
            }
            Step::Close => {
                if !self.closed {
                    // Without effect if the layer that ended the connection has told the user, as it should.
                    self.indicate(now, ended::connection_closed(false), out);
                    self.closed = true;
                    out.push(StackAction::Close);
                }
                Vec::new()
            }
        }
    }

    fn transport(&mut self, indication: TIndication) -> Vec<Step> {
        match indication {
            TIndication::Connect { calling, called } => {
                if !self.serves(&called, None, None) {
                    return self.not_served(Layer::Cotp, &called);
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
                let opening = self.rtpm.agreed().is_none();
                Vec::from([
                    Step::Indicate(ended::transport_disconnected(&disconnect, opening)),
                    Step::Spm(SessionInput::Disconnected),
                ])
            }
        }
    }

    fn session(&mut self, now: MonoTime, input: SessionInput) -> Vec<Step> {
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
                self.spm = Some(Spm::initiator(self.config.session(), connect));
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
            // After a fault of the peer the abort is among the actions already, and ends the layers above by
            // itself. After one of ours there is no orderly way out.
            if aborting {
                steps.push(Step::Disconnect);
                return steps;
            }
            let disconnect = steps.iter().position(|step| matches!(step, Step::Disconnect));
            let failed = ended::failed(Layer::Session, error.blame(), None, &error);
            steps.insert(disconnect.unwrap_or(steps.len()), failed);
            if requested {
                let user_data = Vec::new();
                steps.push(Step::Spm(SessionInput::Request(SsRequest::Abort { user_data })));
            }
        }
        steps
    }

    fn presentation(&mut self, event: PpmEvent) -> Vec<Step> {
        match &event {
            // Nobody is left who would want to know.
            PpmEvent::Session(_) if self.ended => return Vec::new(),
            PpmEvent::Session(SsIndication::Connect(connect)) if !self.serves_session(connect) => {
                let called = connect.called_selector.clone().unwrap_or_default();
                return self.not_served(Layer::Session, &called);
            }
            PpmEvent::Session(_) | PpmEvent::Request(_) => {}
        }
        let mut actions = Vec::new();
        let result = self.ppm.handle(event, &mut actions);
        let mut steps: Vec<Step> = actions.into_iter().map(from_ppm).collect();
        if let Err(error) = result {
            steps.insert(0, ended::failed(Layer::Presentation, error.blame(), None, &error));
        }
        steps
    }

    fn association(&mut self, event: AcpmEvent) -> Vec<Step> {
        if let AcpmEvent::Presentation(PIndication::Connect(connect)) = &event
            && !self.serves_presentation(connect)
        {
            let called = connect.called_selector.clone().unwrap_or_default();
            return self.not_served(Layer::Presentation, &called);
        }
        let mut actions = Vec::new();
        let result = self.acpm.handle(event, &mut actions);
        let mut steps: Vec<Step> = actions.into_iter().map(from_acpm).collect();
        if let Err(error) = result {
            steps.insert(0, ended::failed(Layer::Acse, error.blame(), None, &error));
        }
        steps
    }

    fn reliable_transfer(&mut self, now: MonoTime, event: RtpmEvent) -> Vec<Step> {
        let mut actions = Vec::new();
        let result = self.rtpm.handle(now, event, &mut actions);
        let mut steps: Vec<Step> = actions.into_iter().map(from_rtpm).collect();
        if let Err(error) = result {
            let reason: Option<AbortReason> = error.abort_reason();
            // What the user was told before the failure comes before it, such as that an APDU was accepted.
            let failed = ended::failed(Layer::Rtse, error.blame(), reason, &error);
            match steps.iter().position(|step| matches!(step, Step::Acpm(_))) {
                Some(abort) => steps.insert(abort, failed),
                // There is no association that could be aborted; the connection is.
                None => steps.extend([failed, Step::Disconnect]),
            }
        }
        steps
    }

    /// The association is open: from now on a TSDU that is long is not put together.
    fn open(&mut self) {
        self.cotp.user_is_open(self.config.max_tsdu);
        self.cotp.pass_on(self.config.pass_on_above());
    }

    /// Gives the indication, unless the last one was given.
    fn indicate(&mut self, now: MonoTime, mut indication: RtIndication, out: &mut Vec<StackAction>) {
        if self.ended {
            return;
        }
        if let RtIndication::OpenConfirm { .. } = &indication {
            self.open();
        }
        if let RtIndication::Open(open) = &mut indication {
            let (calling, called) = &self.transport_selectors;
            open.selectors.calling_transport.clone_from(calling);
            open.selectors.called_transport.clone_from(called);
        }
        if let RtIndication::Aborted(aborted) = &mut indication
            && aborted.interrupted.is_none()
        {
            aborted.interrupted = self.rtpm.take_interrupted();
        }
        if ended::is_last(&indication) {
            self.ended = true;
            let patience = self.config.session.abort_timeout.max(self.config.rtse.release_timeout);
            self.close_at = Some(now + patience + CLOSE_MARGIN);
        }
        out.push(StackAction::Indication(indication));
    }
}
