//! The turn, and how long the peer may keep it once it was asked for.

use alloc::vec::Vec;

use clock::MonoTime;

use super::super::apdu::RtseApdu;
use super::super::error::{RequestError, RtseError};
use super::super::event::RtpmAction;
use super::super::service::{DialogueMode, RtIndication};
use super::{Open, Phase};
use crate::presentation::{PRequest, PValue, SyncRequest};

/// Who holds the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rtse) enum Turn {
    Ours,
    Theirs(Theirs),
}

/// What is known of the turn while the peer holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::rtse) struct Theirs {
    /// Priority of a request that can't be sent yet: the session layer takes none between an exception report and the
    /// end of its activity.
    held: Option<u32>,
    /// When the peer must have given the turn. Only counts while the peer transfers nothing, and begins anew after
    /// each transfer.
    until: Option<MonoTime>,
    /// We accepted an APDU and the peer has begun nothing since, so that it may still try to give that one up.
    completed: bool,
}

impl Turn {
    /// With the peer, and not asked for.
    pub(in crate::rtse) fn theirs() -> Self {
        Turn::Theirs(Theirs::default())
    }

    pub(in crate::rtse) fn is_ours(self) -> bool {
        match self {
            Turn::Ours => true,
            Turn::Theirs(_) => false,
        }
    }

    /// When the peer must have given it, if it does nothing else.
    pub(in crate::rtse) fn until(self) -> Option<MonoTime> {
        match self {
            Turn::Ours => None,
            Turn::Theirs(theirs) => theirs.until,
        }
    }

    /// Whether the last thing that the peer did was a transfer which we accepted.
    pub(super) fn has_completed(self) -> bool {
        match self {
            Turn::Ours => false,
            Turn::Theirs(theirs) => theirs.completed,
        }
    }

    /// A transfer of the peer's begins.
    pub(super) fn transfer_begins(&mut self) {
        if let Turn::Theirs(theirs) = self {
            theirs.completed = false;
        }
    }
}

impl Open<'_> {
    pub(super) fn ask_for_turn(&mut self, priority: u32, name: &'static str) -> Result<(), RequestError> {
        let at_once = match &*self.phase {
            Phase::Ready
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Swallowing { .. } => true,
            // The session layer would not take it after an exception report, nor while an interrupt or discard is
            // unanswered.
            Phase::Refused { .. } | Phase::ResumeAsked { .. } => false,
            Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => return self.out_of_state(name),
        };
        self.two_way(name)?;
        let Turn::Theirs(theirs) = &mut *self.turn else { return Err(RequestError::HasTurn) };
        theirs.held = Some(theirs.held.map_or(priority, |held| held.min(priority)));
        if at_once {
            self.ask_for_turn_now();
        }
        Ok(())
    }

    /// Sends the request for the turn that is held, if there is one. Asking again, more urgently, gives the peer no more
    /// time.
    pub(super) fn ask_for_turn_now(&mut self) {
        let Turn::Theirs(theirs) = &mut *self.turn else { return };
        let Some(priority) = theirs.held.take() else { return };
        theirs.until.get_or_insert(self.now + self.config.turn_timeout);
        let encoding = RtseApdu::Rttp(i64::from(priority)).encode();
        let user_data = Vec::from([PValue { context: self.settled.rtse_context(), encoding }]);
        self.out.push(RtpmAction::Presentation(PRequest::TokenPlease { user_data }));
    }

    /// A transfer of the peer's is over.
    pub(super) fn transfer_ended(&mut self, completed: bool) {
        let Turn::Theirs(theirs) = &mut *self.turn else { return };
        theirs.completed = completed;
        theirs.until = theirs.until.map(|_| self.now + self.config.turn_timeout);
        self.ask_for_turn_now();
    }

    pub(super) fn give_turn(&mut self, name: &'static str) -> Result<(), RequestError> {
        match &*self.phase {
            Phase::Ready => {
                self.two_way(name)?;
                if !self.turn.is_ours() {
                    return Err(RequestError::NoTurn { request: name });
                }
                *self.phase = Phase::AwaitTurnTaken { until: self.now + self.config.turn_timeout };
                self.sync(SyncRequest::ControlGive);
                Ok(())
            }
            Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.out_of_state(name),
        }
    }

    fn two_way(&self, request: &'static str) -> Result<(), RequestError> {
        match self.settled.agreed.dialogue_mode {
            DialogueMode::TwoWayAlternate => Ok(()),
            DialogueMode::Monologue => Err(RequestError::Monologue { request }),
        }
    }

    pub(super) fn control_give(&mut self, name: &'static str) -> Result<(), RtseError> {
        match &*self.phase {
            Phase::Ready
                if !self.turn.is_ours()
                    && self.settled.agreed.dialogue_mode == DialogueMode::TwoWayAlternate =>
            {
                *self.turn = Turn::Ours;
                self.indicate(RtIndication::TurnGive);
                Ok(())
            }
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitTurnTaken { .. }
            | Phase::AwaitRelease { .. } => self.unexpected(name),
        }
    }

    pub(super) fn control_given(&mut self, name: &'static str) -> Result<(), RtseError> {
        match &*self.phase {
            Phase::AwaitTurnTaken { .. } => {
                *self.turn = Turn::theirs();
                *self.phase = Phase::Ready;
                self.indicate(RtIndication::TurnGiven);
                Ok(())
            }
            Phase::Ready
            | Phase::Sending { .. }
            | Phase::AwaitEndConfirm { .. }
            | Phase::Discarding { .. }
            | Phase::Interrupting { .. }
            | Phase::Receiving { .. }
            | Phase::AwaitAcceptance { .. }
            | Phase::Refused { .. }
            | Phase::ResumeAsked { .. }
            | Phase::Swallowing { .. }
            | Phase::AwaitRelease { .. } => self.unexpected(name),
        }
    }

    pub(super) fn turn_please(&mut self, user_data: Vec<PValue>) -> Result<(), RtseError> {
        let primitive = "P-TOKEN-PLEASE indication";
        let priority = match user_data.into_iter().next() {
            // Asked for without a word on how urgently.
            None => u32::MAX,
            Some(value) => {
                if !self.settled.is_rtse(value.context) {
                    return Err(RtseError::Context { primitive, context: value.context });
                }
                match RtseApdu::decode(&value.encoding) {
                    Ok(RtseApdu::Rttp(priority)) => u32::try_from(priority.max(0)).unwrap_or(u32::MAX),
                    Ok(
                        found @ (RtseApdu::Rtorq(_)
                        | RtseApdu::Rtoac(_)
                        | RtseApdu::Rtorj(_)
                        | RtseApdu::Rttr(_)
                        | RtseApdu::Rtab(_)),
                    ) => {
                        let (found, expected) = (found.name(), "RTTP");
                        return Err(RtseError::WrongApdu { primitive, found, expected });
                    }
                    Err(source) => return Err(RtseError::Malformed { primitive, source }),
                }
            }
        };
        // One that asks in monologue asks in vain; one whose question met the turn on its way has it already.
        if self.turn.is_ours() && self.settled.agreed.dialogue_mode == DialogueMode::TwoWayAlternate {
            self.indicate(RtIndication::TurnPlease { priority });
        }
        Ok(())
    }
}
