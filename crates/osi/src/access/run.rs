//! The steps that an event leads to, and what remote operations make of what their carrier tells.

use alloc::format;
use alloc::vec::Vec;

use clock::MonoTime;

use super::service::{AccessIndication, BindIndication};
use super::step::{Carried, CarrierEvent, Command, Own, Step, Transfer, aborted, command};
use super::{AccessAction, AccessStack, Carrier, REJECT_PRIORITY, STEPS_MAX, Stage};
use crate::failure::{Blame, Layer};
use crate::lower::LayerEvent;
use crate::lower::ended::{connection_closed, failed};
use crate::presentation::{ContextId, PpmEvent};
use crate::rose::bind::{BindApdu, BindKind};
use crate::rose::{RoAction, Ropm, RopmEvent};
use crate::rtse::AbortReason;
use crate::tpkt;

impl AccessStack {
    /// Takes the steps and all that follow from them. What follows from one step is done before the next one, so that
    /// each layer's outputs take effect in the order in which it gave them.
    pub(super) fn run(&mut self, now: MonoTime, steps: Vec<Step>, out: &mut Vec<AccessAction>) {
        let mut pending: Vec<Step> = steps.into_iter().rev().collect();
        let mut taken = 0;
        while let Some(step) = pending.pop() {
            taken += usize::from(!step.is_sending());
            if taken == STEPS_MAX {
                pending.clear();
                let text = format!("more than {STEPS_MAX} steps for one event");
                pending
                    .extend([Step::DISCONNECT, aborted(Layer::Application, Blame::LimitReached, None, text)]);
                continue;
            }
            let next = self.step(now, step, out);
            pending.extend(next.into_iter().rev());
        }
    }

    fn step(&mut self, now: MonoTime, step: Step, out: &mut Vec<AccessAction>) -> Vec<Step> {
        match step {
            // Nobody is left who would want to know.
            Step::Layer(LayerEvent::Ppm(PpmEvent::Session(_))) if self.is_over() => Vec::new(),
            Step::Layer(event) => {
                let opening = matches!(self.stage, Stage::Opening | Stage::Deciding);
                self.lower.step(now, event, opening)
            }
            Step::Association(indication) => self.carrier_event(now, CarrierEvent::Association(indication)),
            Step::Presentation(indication) => self.carrier_event(now, CarrierEvent::Presentation(indication)),
            Step::Upper(Own::Deadline) => self.carrier_event(now, CarrierEvent::Deadline),
            Step::Upper(Own::Command(command)) => self.command(now, command),
            Step::Upper(Own::Carried(carried)) => self.carried(now, carried, out),
            Step::Upper(Own::Remote(indication)) => {
                if !self.is_over() {
                    out.push(AccessAction::Indication(AccessIndication::Remote(indication)));
                }
                Vec::new()
            }
            Step::End(end) => self.carried(now, end.into(), out),
            Step::Transmit(tpdu) => {
                let mut packet = Vec::new();
                match tpkt::frame(&tpdu, &mut packet) {
                    Ok(()) if !self.lower.is_closed() => {
                        out.push(AccessAction::Transmit(packet));
                        Vec::new()
                    }
                    Ok(()) => Vec::new(),
                    Err(error) => Vec::from([failed(Layer::Tpkt, Blame::Local, &error), Step::DISCONNECT]),
                }
            }
            Step::Close => {
                if self.lower.close() {
                    // Without effect if the layer that ended the connection has told the user, as it should.
                    let steps = self.carried(now, connection_closed(false).into(), out);
                    out.push(AccessAction::Close);
                    return steps;
                }
                Vec::new()
            }
        }
    }

    fn carrier_event(&mut self, now: MonoTime, event: CarrierEvent) -> Vec<Step> {
        match &mut self.carrier {
            Carrier::Direct(direct) => direct.event(event),
            Carrier::Reliable(reliable) => reliable.event(now, event),
        }
    }

    fn command(&mut self, now: MonoTime, command: Command) -> Vec<Step> {
        match &mut self.carrier {
            Carrier::Direct(direct) => direct.command(command),
            Carrier::Reliable(reliable) => reliable.command(now, command),
        }
    }

    fn carried(&mut self, now: MonoTime, carried: Carried, out: &mut Vec<AccessAction>) -> Vec<Step> {
        match carried {
            Carried::Open { user_data, mut selectors } => {
                let argument = match unwrapped(BindKind::BindInvoke, &user_data) {
                    Ok(argument) => argument,
                    Err(error) => return broken("bind argument", &error),
                };
                (selectors.calling_transport, selectors.called_transport) =
                    self.lower.transport_selectors().clone();
                self.stage = Stage::Deciding;
                let bind = BindIndication { argument, selectors };
                out.push(AccessAction::Indication(AccessIndication::Bind(bind)));
                Vec::new()
            }
            Carried::Confirm { user_data } => {
                let result = match unwrapped(BindKind::BindResult, &user_data) {
                    Ok(result) => result,
                    Err(error) => return broken("bind result", &error),
                };
                self.lower.open();
                self.stage = Stage::Bound(Ropm::new(self.config.rose(self.role)));
                out.push(AccessAction::Indication(AccessIndication::BindConfirm { result }));
                Vec::new()
            }
            Carried::Apdu { context, octets } => {
                if !self.is_for_operations(context) {
                    let text = format!("APDU in context {context}, which is not one of operations");
                    return given_up(aborted(Layer::Rose, Blame::PeerMisbehaved, None, text));
                }
                self.rose(now, RopmEvent::Received { context, octets })
            }
            Carried::Transferred => self.rose(now, RopmEvent::Transferred),
            Carried::NotTransferred => self.rose(now, RopmEvent::NotTransferred),
            Carried::Refused(mut refused) => {
                refused.user_data = unwrapped(BindKind::BindError, &refused.user_data).unwrap_or_default();
                self.end(now, AccessIndication::BindRefused(refused), out);
                Vec::new()
            }
            Carried::Closed { user_data } => {
                let unbind = BindApdu::decode(&user_data).map(|unbind| unbind.value).unwrap_or_default();
                self.end(now, AccessIndication::Closed { unbind }, out);
                Vec::new()
            }
            Carried::Aborted(aborted) => {
                self.end(now, AccessIndication::Aborted(aborted), out);
                Vec::new()
            }
        }
    }

    /// Tells remote operations, if there are any.
    pub(super) fn rose(&mut self, now: MonoTime, event: RopmEvent) -> Vec<Step> {
        let Stage::Bound(ropm) = &mut self.stage else { return Vec::new() };
        let mut actions = Vec::new();
        let result = ropm.handle(now, event, &mut actions);
        let mut steps = from_ropm(actions, REJECT_PRIORITY);
        if let Err(error) = result {
            steps.extend(given_up(failed(Layer::Rose, error.blame(), &error)));
        }
        steps
    }

    /// Gives the last indication, after the outcome of whatever has none; without effect if it was given.
    fn end(&mut self, now: MonoTime, indication: AccessIndication, out: &mut Vec<AccessAction>) {
        let mut actions = Vec::new();
        match core::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Ended => return,
            Stage::Opening | Stage::Deciding => {}
            Stage::Bound(mut ropm) => {
                // The end is nothing that remote operations could object to.
                let _ = ropm.handle(now, RopmEvent::Ended, &mut actions);
            }
        }
        for action in actions {
            match action {
                RoAction::Indication(indication) => {
                    out.push(AccessAction::Indication(AccessIndication::Remote(indication)));
                }
                RoAction::Transfer { .. } | RoAction::Abort => {}
            }
        }
        let patience = self.config.session.abort_timeout.max(self.config.release_timeout);
        self.lower.close_in(now, patience);
        out.push(AccessAction::Indication(indication));
    }

    /// Whether APDUs of ROSE belong into this context.
    pub(super) fn is_for_operations(&self, context: ContextId) -> bool {
        let syntax = self.lower.contexts().and_then(|contexts| contexts.syntax(context));
        syntax.is_some_and(|syntax| self.config.context.operation_syntaxes.contains(syntax))
    }
}

/// What remote operations put out; their abort is the caller's business.
pub(super) fn from_ropm(actions: Vec<RoAction>, priority: u32) -> Vec<Step> {
    actions
        .into_iter()
        .filter_map(|action| match action {
            RoAction::Transfer { context, apdu } => {
                Some(command(Command::Transfer(Transfer { context, apdu, priority })))
            }
            RoAction::Indication(indication) => Some(Step::Upper(Own::Remote(indication))),
            RoAction::Abort => None,
        })
        .collect()
}

/// The value in the wrapper of this kind. An operation without such a value may do without the wrapper.
fn unwrapped(kind: BindKind, octets: &[u8]) -> Result<Vec<u8>, ber::Error> {
    if octets.is_empty() {
        return Ok(Vec::new());
    }
    let apdu = BindApdu::decode(octets)?;
    if apdu.kind == kind {
        return Ok(apdu.value);
    }
    let unexpected = ber::ErrorKind::UnexpectedTag { expected: kind.tag(), found: apdu.kind.tag() };
    Err(ber::Reader::new(octets).error(unexpected))
}

fn broken(what: &'static str, error: &ber::Error) -> Vec<Step> {
    let text = format!("malformed {what}: {error}");
    given_up(aborted(Layer::Application, Blame::PeerMisbehaved, None, text))
}

/// The association ends for this reason; the peer is told that it does.
fn given_up(last: Step) -> Vec<Step> {
    Vec::from([last, command(Command::Abort(AbortReason::PROTOCOL_ERROR))])
}
