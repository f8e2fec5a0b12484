//! What association control says: opening, closing, and the ends that are no closing.

use alloc::vec::Vec;

use super::apdu::ConnectionData;
use super::error::RtseError;
use super::event::RtpmAction;
use super::machine::Rtpm;
use super::names::association_name;
use super::open;
use super::service::{AbortReason, Aborted, InitialTurn, RtIndication};
use super::state::State;
use super::transfer::{Phase, Turn};
use crate::acse::{AIndication, ARequest};

impl Rtpm {
    pub(super) fn association(
        &mut self,
        indication: AIndication,
        out: &mut Vec<RtpmAction>,
    ) -> Result<(), RtseError> {
        let name = association_name(&indication);
        match (indication, &mut self.state) {
            (_, State::Ended) => Ok(()),
            (AIndication::Associate(associate), State::AwaitOpen { .. }) => {
                self.opened_by_peer(associate, out)
            }
            (
                AIndication::AssociateConfirm { user_information },
                State::AwaitConfirm { settled, recovering, .. },
            ) => {
                let rtoac = open::rtoac(self.mode, &user_information)?;
                // Which connection the answer names is not looked at: it can only be the one that was asked for.
                let user_data = match (rtoac.connection_data, *recovering) {
                    (ConnectionData::Open(user_data), false) => user_data,
                    (ConnectionData::Recover(_), true) => Vec::new(),
                    (ConnectionData::Open(_), true) => {
                        return Err(RtseError::ConnectionData { asked: "recover", answered: "open" });
                    }
                    (ConnectionData::Recover(_), false) => {
                        return Err(RtseError::ConnectionData { asked: "open", answered: "recover" });
                    }
                };
                let mut settled = settled.clone();
                settled.answered(rtoac.checkpoint_size_kb, rtoac.window_size);
                let agreed = settled.agreed;
                let turn = match self.config.initial_turn {
                    InitialTurn::Initiator => Turn::Ours,
                    InitialTurn::Responder => Turn::theirs(),
                };
                self.state = State::Open { settled, turn, phase: Phase::Ready };
                out.push(RtpmAction::Indication(RtIndication::OpenConfirm { user_data, agreed }));
                Ok(())
            }
            (AIndication::AssociateRejected(reject), State::AwaitConfirm { .. }) => {
                self.end(RtIndication::OpenRefused(open::rejected(self.mode, reject)), out);
                Ok(())
            }
            (AIndication::RefusedByPresentation { reason }, State::AwaitConfirm { .. }) => {
                self.end(RtIndication::OpenRefused(open::refused_by_presentation(reason)), out);
                Ok(())
            }
            (AIndication::RefusedBySession(refuse), State::AwaitConfirm { .. }) => {
                self.end(RtIndication::OpenRefused(open::refused_by_session(&refuse)), out);
                Ok(())
            }
            (AIndication::Release { .. }, State::Open { turn: Turn::Theirs(_), phase: Phase::Ready, .. }) => {
                out.push(RtpmAction::Association(ARequest::ReleaseResponse { user_information: Vec::new() }));
                self.end(RtIndication::Closed, out);
                Ok(())
            }
            (AIndication::ReleaseConfirm { .. }, State::Open { phase: Phase::AwaitRelease { .. }, .. }) => {
                self.end(RtIndication::Closed, out);
                Ok(())
            }
            (
                AIndication::Abort { by_provider, user_information },
                State::Idle { .. }
                | State::AwaitOpen { .. }
                | State::AwaitConfirm { .. }
                | State::AwaitResponse { .. }
                | State::Open { .. },
            ) => {
                let mut aborted = open::aborted_by_peer(self.mode, by_provider, &user_information);
                match (aborted.reason, &self.state) {
                    // X.228: the peer has taken responsibility for the APDU.
                    (Some(AbortReason::TRANSFER_COMPLETED), State::Open { phase, .. })
                        if phase.may_be_accepted() =>
                    {
                        out.push(RtpmAction::Indication(RtIndication::TransferConfirm));
                    }
                    // The peer knows nothing of it.
                    (Some(AbortReason::UNRECOGNIZED_ACTIVITY), _) => {}
                    (Some(_) | None, _) => aborted.interrupted = self.take_interrupted(),
                }
                self.end(RtIndication::Aborted(aborted), out);
                Ok(())
            }
            (
                AIndication::PAbort(cause),
                State::Idle { .. }
                | State::AwaitOpen { .. }
                | State::AwaitConfirm { .. }
                | State::AwaitResponse { .. }
                | State::Open { .. },
            ) => {
                let interrupted = self.take_interrupted();
                let aborted = Aborted { interrupted, ..open::aborted_by_provider(&cause) };
                self.end(RtIndication::Aborted(aborted), out);
                Ok(())
            }
            (
                AIndication::Associate(_),
                state @ (State::Idle { .. }
                | State::AwaitConfirm { .. }
                | State::AwaitResponse { .. }
                | State::Open { .. }),
            )
            | (
                AIndication::AssociateConfirm { .. }
                | AIndication::AssociateRejected(_)
                | AIndication::RefusedByPresentation { .. }
                | AIndication::RefusedBySession(_),
                state @ (State::Idle { .. }
                | State::AwaitOpen { .. }
                | State::AwaitResponse { .. }
                | State::Open { .. }),
            )
            | (
                AIndication::Release { .. } | AIndication::ReleaseConfirm { .. },
                state @ (State::Idle { .. }
                | State::AwaitOpen { .. }
                | State::AwaitConfirm { .. }
                | State::AwaitResponse { .. }
                | State::Open { .. }),
            ) => Err(RtseError::Unexpected { event: name, state: state.name() }),
        }
    }
}
