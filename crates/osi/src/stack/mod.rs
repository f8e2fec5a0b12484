//! All layers of one connection, put together: octets of TCP on one side, service primitives of RTSE on the other.
//!
//! [`Stack`] puts RTSE on top of the layers up to ACSE: it opens and ends associations through ACSE, and transfers
//! directly through the presentation layer. It decides nothing of a protocol itself.

mod config;
mod ended;
mod layers;

use alloc::vec::Vec;
use core::time::Duration;

use clock::MonoTime;

pub use crate::lower::ServedSelectors;
pub use crate::rtse::RequestError;
pub use config::{ApplicationContext, SelectorSet, SessionReference, StackConfig};
pub use layers::{LayerStates, Settlement};

use crate::failure::{Blame, Layer};
use crate::lower::ended::{connection_closed, failed};
use crate::lower::{LayerEvent, Lower, Step};
use crate::presentation::{Contexts, PConnect, PpmEvent};
use crate::rtse::{
    Agreed, OpenData, RtIndication, RtRequest, Rtpm, RtpmAction, RtpmEvent, SessionConnectionIdentifier,
};
use crate::tpkt;

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
    lower: Lower,
    rtpm: Rtpm,
    /// How long the layers may take to end a connection whose user knows that it is over.
    patience: Duration,
    /// The last indication was given.
    ended: bool,
}

/// What is above the layers up to ACSE goes on by itself.
#[derive(Debug)]
enum Own {
    /// A timer of RTSE has run out.
    Deadline,
    /// Tell the user.
    Indicate(RtIndication),
}

/// Steps that one event may cause, besides sending: a long APDU goes out in as many pieces as the peer's sizes make it.
/// A TSDU with the most SPDUs that the session layer takes causes a few hundred.
const STEPS_MAX: usize = 10_000;
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
        Stack::new(&config, Lower::initiator(config.lower(config.tpdu_size_offered)), rtpm)
    }

    /// A connection that a peer makes to us.
    pub fn responder(config: StackConfig) -> Self {
        let application = config.application.clone();
        let rtpm =
            Rtpm::responder(config.rtse.clone(), application.bind_and_rtse_syntax, application.apdu_syntax);
        Stack::new(&config, Lower::responder(config.lower(config.tpdu_size)), rtpm)
    }

    fn new(config: &StackConfig, lower: Lower, rtpm: Rtpm) -> Self {
        let patience = config.session.abort_timeout.max(config.rtse.release_timeout);
        Stack { lower, rtpm, patience, ended: false }
    }

    /// The TCP connection is up.
    pub fn start(&mut self, now: MonoTime, out: &mut Vec<StackAction>) {
        let mut actions = Vec::new();
        self.rtpm.start(now, &mut actions);
        self.run(now, actions.into_iter().map(from_rtpm).collect(), out);
        let steps = self.lower.start(now);
        self.run(now, steps, out);
    }

    /// Octets arrived, in any pieces.
    pub fn receive(&mut self, now: MonoTime, octets: &[u8], out: &mut Vec<StackAction>) {
        let mut rest = octets;
        while let Some((steps, arrival)) = self.lower.receive(now, &mut rest) {
            self.run(now, steps, out);
            if self.lower.comes_on(arrival) {
                self.rtpm.received(now);
            }
        }
    }

    /// The driver has sent some of what it was given to transmit. A transfer whose octets leave is not at rest, however
    /// long the peer's answer takes.
    pub fn wrote(&mut self, now: MonoTime) {
        self.rtpm.wrote(now);
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
                let steps = Vec::from([Step::End(ended::aborted_early(reason)), Step::DISCONNECT]);
                self.run(now, steps, out);
            }
            (Err(error), None) => return Err(error),
        }
        if accepting {
            self.lower.open();
        }
        Ok(())
    }

    /// The TCP connection has ended; `reset` if not in order.
    pub fn transport_closed(&mut self, now: MonoTime, reset: bool, out: &mut Vec<StackAction>) {
        let steps = self.lower.transport_closed(now, reset);
        self.run(now, steps, out);
    }

    /// When [`Stack::tick`] is due, at the latest.
    pub fn deadline(&self) -> Option<MonoTime> {
        self.lower.deadline(self.rtse_deadline())
    }

    fn rtse_deadline(&self) -> Option<MonoTime> {
        if self.ended { None } else { self.rtpm.deadline() }
    }

    /// Time has passed. Without effect before the deadline.
    pub fn tick(&mut self, now: MonoTime, out: &mut Vec<StackAction>) {
        let steps = self.lower.tick_transport(now);
        self.run(now, steps, out);
        // RTSE first: it has more to tell the peer.
        if self.lower.is_due(now, self.rtse_deadline()) {
            self.run(now, Vec::from([Step::Upper(Own::Deadline)]), out);
        }
        let steps = self.lower.tick_session(now);
        self.run(now, steps, out);
        let steps = self.lower.tick_close(now);
        self.run(now, steps, out);
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

    /// Whether the peer was refused because of the selectors that it called.
    pub fn was_called_in_vain(&self) -> bool {
        self.lower.was_called_in_vain()
    }

    /// Whether the association is over and the connection closed (or the driver told to close it).
    pub fn is_finished(&self) -> bool {
        self.ended && self.lower.is_closed()
    }

    /// Takes the steps and all that follow from them. The word to the user on a failure comes first, since sending
    /// the abort may turn out to be impossible and close the connection. What follows from one step is done before the next one, so
    /// that each layer's outputs take effect in the order in which it gave them.
    fn run(&mut self, now: MonoTime, steps: Vec<Step<Own>>, out: &mut Vec<StackAction>) {
        let mut pending: Vec<Step<Own>> = steps.into_iter().rev().collect();
        let mut taken = 0;
        while let Some(step) = pending.pop() {
            taken += usize::from(!step.is_sending());
            if taken == STEPS_MAX {
                pending.clear();
                self.rtpm.abandon();
                pending.extend([Step::DISCONNECT, Step::End(ended::too_many_steps())]);
            }
            let next = self.step(now, step, out);
            pending.extend(next.into_iter().rev());
        }
    }

    fn step(&mut self, now: MonoTime, step: Step<Own>, out: &mut Vec<StackAction>) -> Vec<Step<Own>> {
        match step {
            // Nobody is left who would want to know.
            Step::Layer(LayerEvent::Ppm(PpmEvent::Session(_))) if self.ended => Vec::new(),
            Step::Layer(event) => {
                let opening = self.rtpm.agreed().is_none();
                self.lower.step(now, event, opening)
            }
            Step::Association(indication) => self.reliable_transfer(now, RtpmEvent::Association(indication)),
            Step::Presentation(indication) => {
                self.reliable_transfer(now, RtpmEvent::Presentation(indication))
            }
            Step::Upper(Own::Deadline) => self.reliable_transfer(now, RtpmEvent::Deadline),
            Step::Upper(Own::Indicate(indication)) => {
                self.indicate(now, indication, out);
                Vec::new()
            }
            Step::End(end) => {
                self.indicate(now, end.into(), out);
                Vec::new()
            }
            Step::Transmit(tpdu) => {
                let mut packet = Vec::new();
                match tpkt::frame(&tpdu, &mut packet) {
                    Ok(()) if !self.lower.is_closed() => {
                        out.push(StackAction::Transmit(packet));
                        Vec::new()
                    }
                    Ok(()) => Vec::new(),
                    Err(error) => Vec::from([failed(Layer::Tpkt, Blame::Local, &error), Step::DISCONNECT]),
                }
            }
            Step::Close => {
                if self.lower.close() {
                    // Without effect if the layer that ended the connection has told the user, as it should.
                    self.indicate(now, connection_closed(false).into(), out);
                    out.push(StackAction::Close);
                }
                Vec::new()
            }
        }
    }

    fn reliable_transfer(&mut self, now: MonoTime, event: RtpmEvent) -> Vec<Step<Own>> {
        let mut actions = Vec::new();
        let result = self.rtpm.handle(now, event, &mut actions);
        let mut steps: Vec<Step<Own>> = actions.into_iter().map(from_rtpm).collect();
        if let Err(error) = result {
            // What the user was told before the failure comes before it, such as that an APDU was accepted.
            let failed = Step::End(ended::failed(error.blame(), error.abort_reason(), &error));
            match steps.iter().position(|step| matches!(step, Step::Layer(LayerEvent::Acpm(_)))) {
                Some(abort) => steps.insert(abort, failed),
                // There is no association that could be aborted; the connection is.
                None => steps.extend([failed, Step::DISCONNECT]),
            }
        }
        steps
    }

    /// Gives the indication, unless the last one was given.
    fn indicate(&mut self, now: MonoTime, mut indication: RtIndication, out: &mut Vec<StackAction>) {
        if self.ended {
            return;
        }
        if let RtIndication::OpenConfirm { .. } = &indication {
            self.lower.open();
        }
        if let RtIndication::Open(open) = &mut indication {
            let (calling, called) = self.lower.transport_selectors();
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
            self.lower.close_in(now, self.patience);
        }
        out.push(StackAction::Indication(indication));
    }
}

/// Who gets what RTSE gives out.
fn from_rtpm(action: RtpmAction) -> Step<Own> {
    match action {
        RtpmAction::Association(request) => Step::acse(request),
        RtpmAction::Presentation(request) => Step::presentation(request),
        RtpmAction::Indication(indication) => Step::Upper(Own::Indicate(indication)),
        RtpmAction::Replay(indication) => Step::Presentation(indication),
    }
}
