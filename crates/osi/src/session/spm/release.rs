//! The end of a connection: FN and DN, AB and AA, the transport connection, and the timers. GT and PT are here
//! too as far as they may meet a connection that is ending.

use alloc::vec::Vec;

use clock::MonoTime;

use super::state::{Phase, Settled, State, Turn};
use super::{Spm, SpmAction, Version, provider_abort};
use crate::session::spdu::{Spdu, TransportDisconnect, UserData, decode_tsdu};
use crate::session::{ProviderAbortCause, SessionError, SsIndication};

impl Spm {
    /// FN.
    pub(super) fn finish(
        &mut self,
        user_data: Vec<u8>,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        let State::Open(open) = &self.state else { return Err(self.state.unexpected("FN")) };
        open.needs_data_right_of_peer("FN")?;
        open.needs_whole_ssdu()?;
        match open.phase {
            Phase::Idle => {
                self.state = State::AwaitReleaseResponse { open: open.clone() };
                out.push(SpmAction::Indication(SsIndication::Release { user_data }));
                Ok(())
            }
            Phase::AwaitGta
            | Phase::TokensArriving(_)
            | Phase::Activity(_)
            | Phase::AwaitAea(_)
            | Phase::AwaitEndResponse(_)
            | Phase::AwaitAia { .. }
            | Phase::AwaitAda { .. }
            | Phase::AwaitInterruptResponse
            | Phase::AwaitDiscardResponse
            | Phase::ExceptionSent
            | Phase::ExceptionReceived => Err(self.state.unexpected("FN")),
        }
    }

    pub(super) fn dn(&mut self, user_data: Vec<u8>, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        let State::AwaitDn { .. } = self.state else { return Err(self.state.unexpected("DN")) };
        // Our FN said that the transport connection is released, which falls to the side that sent FN.
        out.push(SpmAction::Indication(SsIndication::ReleaseConfirm { user_data }));
        self.close_transport(out);
        Ok(())
    }

    pub(super) fn gt(&mut self, tokens: u8, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        match &mut self.state {
            State::Open(open) => open.gt(tokens, out),
            // Judged by what follows it; tokens have no business here.
            State::AwaitDn { .. } | State::AwaitReleaseResponse { .. } if tokens == 0 => Ok(()),
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::AwaitCdo { .. }
            | State::AwaitOa { .. }
            | State::AwaitAc { .. }
            | State::AwaitConnectResponse { .. }
            | State::AwaitDn { .. }
            | State::AwaitReleaseResponse { .. }
            | State::AwaitTDisconnect { .. }
            | State::AwaitAbortAccept { .. }
            | State::Closed => Err(self.state.unexpected("GT")),
        }
    }

    pub(super) fn pt(
        &mut self,
        tokens: u8,
        user_data: Vec<u8>,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        match &mut self.state {
            State::Open(open) => {
                open.pt(tokens, user_data, out);
                Ok(())
            }
            // A request for the turn may cross our FN.
            State::AwaitDn { .. } | State::AwaitReleaseResponse { .. } => Ok(()),
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::AwaitCdo { .. }
            | State::AwaitOa { .. }
            | State::AwaitAc { .. }
            | State::AwaitConnectResponse { .. }
            | State::AwaitTDisconnect { .. }
            | State::AwaitAbortAccept { .. }
            | State::Closed => Err(self.state.unexpected("PT")),
        }
    }

    /// AB, in every state that still listens.
    pub(super) fn ab(
        &mut self,
        transport_disconnect: Option<TransportDisconnect>,
        reflected: Vec<u8>,
        user_data: Vec<u8>,
        out: &mut Vec<SpmAction>,
    ) {
        // The item is mandatory. Where it is missing user data tells a user's abort from a provider's.
        let bits = transport_disconnect.map_or_else(
            || {
                TransportDisconnect::RELEASE
                    | if user_data.is_empty() { 0 } else { TransportDisconnect::USER_ABORT }
            },
            |item| item.0,
        );
        if bits & TransportDisconnect::USER_ABORT != 0 {
            out.push(SpmAction::Indication(SsIndication::Abort { user_data }));
        } else {
            let cause = ProviderAbortCause::AbortSpdu { transport_disconnect: bits, reflected };
            out.push(provider_abort(true, cause));
        }
        // A peer that keeps the transport connection waits for AA. It is not used again all the same.
        if bits & TransportDisconnect::RELEASE == 0 && !self.state.is_in_tsdu() {
            out.extend(Spdu::Aa.to_tsdu().ok().map(SpmAction::Tsdu));
        }
        self.close_transport(out);
    }

    /// What comes when nothing is expected any more: AA, and an AB that crossed ours, end the wait.
    pub(super) fn drain(&mut self, tsdu: &[u8], out: &mut Vec<SpmAction>) {
        let ends = matches!(decode_tsdu(tsdu).as_deref(), Ok([Spdu::Aa | Spdu::Ab { .. }, ..]));
        match self.state {
            State::AwaitTDisconnect { .. } | State::AwaitAbortAccept { .. } if ends => {
                self.close_transport(out);
            }
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::AwaitCdo { .. }
            | State::AwaitOa { .. }
            | State::AwaitAc { .. }
            | State::AwaitConnectResponse { .. }
            | State::Open(_)
            | State::AwaitDn { .. }
            | State::AwaitReleaseResponse { .. }
            | State::AwaitTDisconnect { .. }
            | State::AwaitAbortAccept { .. }
            | State::Closed => {}
        }
    }

    /// AB has been sent: waits for the peer to end it.
    pub(super) fn await_abort_accept(&mut self, now: MonoTime, out: &mut Vec<SpmAction>) {
        match self.state {
            // Nobody who sent no valid CN is waited for.
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::Closed => self.close_transport(out),
            State::AwaitCdo { .. }
            | State::AwaitOa { .. }
            | State::AwaitAc { .. }
            | State::AwaitConnectResponse { .. }
            | State::Open(_)
            | State::AwaitDn { .. }
            | State::AwaitReleaseResponse { .. }
            | State::AwaitTDisconnect { .. }
            | State::AwaitAbortAccept { .. } => {
                self.state = State::AwaitAbortAccept { deadline: now + self.config.abort_timeout };
            }
        }
    }

    /// S-U-ABORT request. User data that the version has no room for is left out rather than the abort.
    pub(super) fn user_abort(
        &mut self,
        now: MonoTime,
        user_data: Vec<u8>,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        match &self.state {
            // There is no place for AB inside a TSDU of ours.
            state if state.is_in_tsdu() => {
                self.close_transport(out);
                Ok(())
            }
            // The peer knows of no session connection, or of its end.
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::AwaitTDisconnect { .. } => {
                self.close_transport(out);
                Ok(())
            }
            State::AwaitCdo { .. }
            | State::AwaitOa { .. }
            | State::AwaitAc { .. }
            | State::AwaitConnectResponse { .. }
            | State::Open(_)
            | State::AwaitDn { .. }
            | State::AwaitReleaseResponse { .. } => {
                // Before AC the peer's choice is not known; only a short abort suits both versions.
                let settled = self.state.settled().unwrap_or(Settled {
                    version: Version::V1,
                    send_max: None,
                    turn: Turn::Ours,
                });
                let bounds = self.bounds(settled);
                let fits = bounds.lets_abort_carry(user_data.len());
                let bits = TransportDisconnect::RELEASE | TransportDisconnect::USER_ABORT;
                let ab = Spdu::Ab {
                    transport_disconnect: Some(TransportDisconnect(bits)),
                    reflected: Vec::new(),
                    user: UserData::whole(if fits { user_data } else { Vec::new() }),
                };
                out.extend(bounds.encode("S-U-ABORT", &ab).into_iter().flatten());
                self.await_abort_accept(now, out);
                Ok(())
            }
            State::AwaitAbortAccept { .. } | State::Closed => Err(self.state.out_of_state("S-U-ABORT")),
        }
    }

    /// T-DISCONNECT indication.
    pub(super) fn transport_gone(&mut self, out: &mut Vec<SpmAction>) {
        match self.state {
            // What was awaited.
            State::AwaitTDisconnect { .. } | State::AwaitAbortAccept { .. } | State::Closed => {}
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::AwaitCdo { .. }
            | State::AwaitOa { .. }
            | State::AwaitAc { .. }
            | State::AwaitConnectResponse { .. }
            | State::Open(_)
            | State::AwaitDn { .. }
            | State::AwaitReleaseResponse { .. } => {
                out.push(provider_abort(true, ProviderAbortCause::TransportDisconnect));
            }
        }
        self.state = State::Closed;
    }

    /// A deadline has come.
    pub(super) fn expired(&mut self, now: MonoTime, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        if self.state.deadline().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        match self.state {
            State::AwaitCn { .. }
            | State::AwaitCdo { .. }
            | State::AwaitOa { .. }
            | State::AwaitAc { .. }
            | State::AwaitDn { .. } => {
                let error = SessionError::Timeout { state: self.state.name() };
                Err(self.fail(now, error, &[], out))
            }
            // The peer was to end the transport connection and did not, so we do.
            State::AwaitTDisconnect { .. } | State::AwaitAbortAccept { .. } => {
                self.close_transport(out);
                Ok(())
            }
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitConnectResponse { .. }
            | State::Open(_)
            | State::AwaitReleaseResponse { .. }
            | State::Closed => Ok(()),
        }
    }

    pub(super) fn close_transport(&mut self, out: &mut Vec<SpmAction>) {
        out.push(SpmAction::TDisconnect);
        self.state = State::Closed;
    }
}
