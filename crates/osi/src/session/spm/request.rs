//! Requests of the session user on an established connection.
//!
//! A request is encoded before anything changes, so one that is refused leaves the machine as it was.

use alloc::vec::Vec;

use clock::MonoTime;

use super::control::Bounds;
use super::state::{Open, Phase, State, Sync, Turn};
use super::{Spm, SpmAction};
use crate::session::spdu::{Spdu, Tokens, TransportDisconnect, UserData};
use crate::session::{ReasonCode, SessionError, SsRequest};

impl Spm {
    pub(super) fn request(
        &mut self,
        now: MonoTime,
        request: SsRequest,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        match request {
            // Given to the constructor; see Spm::initiator.
            SsRequest::Connect(_) => Err(self.state.out_of_state("S-CONNECT")),
            SsRequest::ConnectAccept(accept) => self.connect_accept(accept, out),
            SsRequest::ConnectRefuse(refuse) => self.connect_refuse(now, refuse, out),
            SsRequest::Release { user_data } => self.release(now, user_data, out),
            SsRequest::ReleaseResponse { user_data } => self.release_response(now, user_data, out),
            SsRequest::Abort { user_data } => self.user_abort(now, user_data, out),
            SsRequest::Data(ssdu) => {
                let refusal = self.state.out_of_state("S-DATA");
                let open = self.may_send("S-DATA")?;
                if open.outgoing.is_some() {
                    return Err(refusal);
                }
                open.send_ssdu(&ssdu, true, out);
                Ok(())
            }
            SsRequest::DataPart { octets, last } => {
                self.may_send("S-DATA")?.send_ssdu(&octets, last, out);
                Ok(())
            }
            SsRequest::SyncMinor => self.step("S-SYNC-MINOR", out, |open| {
                let Some(Phase::Activity(sync)) = open.sending() else { return None };
                let mip = Spdu::Mip { confirm: true, serial: sync.next, user: UserData::default() };
                Some((mip, Phase::Activity(sync.point())))
            }),
            SsRequest::SyncMinorResponse { serial } => self.sync_minor_response(serial, out),
            SsRequest::ActivityStart { activity } => self.step("S-ACTIVITY-START", out, |open| {
                let Some(Phase::Idle) = open.sending() else { return None };
                let start = Spdu::As { activity, user: UserData::default() };
                Some((start, Phase::Activity(Sync::starting_at(1))))
            }),
            SsRequest::ActivityResume(resume) => self.step("S-ACTIVITY-RESUME", out, |open| {
                let Some(Phase::Idle) = open.sending() else { return None };
                let sync = Sync::starting_at(resume.serial.saturating_add(1));
                Some((Spdu::Ar { resume, user: UserData::default() }, Phase::Activity(sync)))
            }),
            SsRequest::ActivityEnd => self.step("S-ACTIVITY-END", out, |open| {
                let Some(Phase::Activity(sync)) = open.sending() else { return None };
                let end = Spdu::Ae { serial: sync.next, user: UserData::default() };
                Some((end, Phase::AwaitAea(sync)))
            }),
            SsRequest::ActivityEndResponse => self.step("S-ACTIVITY-END response", out, |open| {
                let Phase::AwaitEndResponse(sync) = open.phase else { return None };
                Some((Spdu::Aea { serial: sync.next, user: UserData::default() }, Phase::Idle))
            }),
            SsRequest::ActivityInterrupt(reason) => {
                let ai = Spdu::Ai { reason: Some(reason) };
                self.step("S-ACTIVITY-INTERRUPT", out, |open| {
                    open.stop(ai, Phase::AwaitAia { end: open.awaited_end() })
                })
            }
            SsRequest::ActivityDiscard(reason) => {
                let ad = Spdu::Ad { reason: Some(reason) };
                self.step("S-ACTIVITY-DISCARD", out, |open| {
                    open.stop(ad, Phase::AwaitAda { end: open.awaited_end() })
                })
            }
            SsRequest::ActivityInterruptResponse => self.step("S-ACTIVITY-INTERRUPT response", out, |open| {
                let Phase::AwaitInterruptResponse = open.phase else { return None };
                Some((Spdu::Aia, Phase::Idle))
            }),
            SsRequest::ActivityDiscardResponse => self.step("S-ACTIVITY-DISCARD response", out, |open| {
                let Phase::AwaitDiscardResponse = open.phase else { return None };
                Some((Spdu::Ada, Phase::Idle))
            }),
            SsRequest::ExceptionReport(reason) => self.exception_report(reason, out),
            SsRequest::TokenPlease { user_data } => self.step("S-TOKEN-PLEASE", out, |open| {
                let pt = Spdu::Pt { tokens: Tokens::DATA, user: UserData::whole(user_data) };
                let Some(Phase::Idle | Phase::Activity(_) | Phase::AwaitEndResponse(_)) = open.receiving()
                else {
                    return None;
                };
                Some((pt, open.phase))
            }),
            SsRequest::ControlGive => {
                self.step("S-CONTROL-GIVE", out, |open| {
                    let Some(Phase::Idle) = open.sending() else { return None };
                    Some((Spdu::Gtc, Phase::AwaitGta))
                })?;
                if let Some(open) = self.state.open() {
                    open.settled.turn = Turn::Theirs;
                }
                Ok(())
            }
        }
    }

    /// Sends what `choose` gives and goes to the phase that it gives; refuses the request if it gives nothing.
    fn step(
        &mut self,
        request: &'static str,
        out: &mut Vec<SpmAction>,
        choose: impl FnOnce(&Open) -> Option<(Spdu, Phase)>,
    ) -> Result<(), SessionError> {
        let max_user_data = self.config.max_user_data;
        let open = self.open_for(request)?;
        let bounds = Bounds::new(open.settled, max_user_data);
        match choose(open) {
            Some((spdu, phase)) => {
                let encoded = bounds.encode(request, &spdu)?;
                open.cut_ssdu(out);
                out.extend(encoded);
                open.phase = phase;
                Ok(())
            }
            None => Err(self.state.out_of_state(request)),
        }
    }

    fn sync_minor_response(&mut self, serial: u32, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        let request = "S-SYNC-MINOR response";
        let max_user_data = self.config.max_user_data;
        let open = self.open_for(request)?;
        let bounds = Bounds::new(open.settled, max_user_data);
        let confirm = |sync: Sync| {
            let outside = SessionError::RequestSerial { serial, from: sync.unconfirmed, to: sync.next };
            sync.confirm(serial).ok_or(outside)
        };
        let phase = if let Some(Phase::Activity(sync)) = open.receiving() {
            Phase::Activity(confirm(sync)?)
        } else if let Phase::AwaitEndResponse(sync) = open.phase {
            Phase::AwaitEndResponse(confirm(sync)?)
        } else {
            return Err(self.state.out_of_state(request));
        };
        out.extend(bounds.encode(request, &Spdu::Mia { serial, user: UserData::default() })?);
        open.phase = phase;
        Ok(())
    }

    fn exception_report(&mut self, reason: ReasonCode, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        self.step("S-U-EXCEPTION-REPORT", out, |open| {
            let Some(Phase::Activity(_) | Phase::AwaitEndResponse(_)) = open.receiving() else {
                return None;
            };
            Some((Spdu::Ed { reason: Some(reason), user: UserData::default() }, Phase::ExceptionSent))
        })?;
        if let Some(open) = self.state.open() {
            open.assembly = None;
        }
        Ok(())
    }

    fn release(
        &mut self,
        now: MonoTime,
        user_data: Vec<u8>,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        let request = "S-RELEASE";
        let open = self.open_for(request)?;
        if !open.may_release() {
            return Err(self.state.out_of_state(request));
        }
        let open = open.clone();
        let finish = Spdu::Fn {
            transport_disconnect: Some(TransportDisconnect(TransportDisconnect::RELEASE)),
            user: UserData::whole(user_data),
        };
        out.extend(self.bounds(open.settled).encode(request, &finish)?);
        self.state = State::AwaitDn { deadline: now + self.config.release_timeout, open };
        Ok(())
    }

    fn release_response(
        &mut self,
        now: MonoTime,
        user_data: Vec<u8>,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        let request = "S-RELEASE response";
        let State::AwaitReleaseResponse { open } = &self.state else {
            return Err(self.state.out_of_state(request));
        };
        if open.outgoing.is_some() {
            return Err(self.state.out_of_state(request));
        }
        let settled = open.settled;
        let dn = Spdu::Dn { user: UserData::whole(user_data) };
        out.extend(self.bounds(settled).encode(request, &dn)?);
        self.state = State::AwaitTDisconnect { deadline: now + self.config.release_timeout };
        Ok(())
    }

    /// The connection, if this side may send data on it: in an activity of ours, or in duplex, where the side that was
    /// asked for the release still may, up to its answer.
    fn may_send(&mut self, request: &'static str) -> Result<&mut Open, SessionError> {
        let refusal = self.state.out_of_state(request);
        let open = match &mut self.state {
            State::Open(open) | State::AwaitReleaseResponse { open } => Some(open),
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::AwaitCdo { .. }
            | State::AwaitOa { .. }
            | State::AwaitAc { .. }
            | State::AwaitConnectResponse { .. }
            | State::AwaitDn { .. }
            | State::AwaitTDisconnect { .. }
            | State::AwaitAbortAccept { .. }
            | State::Closed => None,
        };
        open.filter(|open| match open.settled.turn {
            Turn::NoTokens => true,
            Turn::Ours => matches!(open.phase, Phase::Activity(_)),
            Turn::Theirs => false,
        })
        .ok_or(refusal)
    }

    fn open_for(&mut self, request: &'static str) -> Result<&mut Open, SessionError> {
        let refusal = self.state.out_of_state(request);
        self.state.open().ok_or(refusal)
    }
}

impl Open {
    /// The phase, if the turn is ours and no SSDU is being sent in pieces.
    fn sending(&self) -> Option<Phase> {
        (self.settled.turn == Turn::Ours && self.outgoing.is_none()).then_some(self.phase)
    }

    /// Whether this side may release: with the turn, or without tokens, and outside an activity.
    fn may_release(&self) -> bool {
        match self.settled.turn {
            Turn::Ours | Turn::NoTokens => self.phase == Phase::Idle && self.outgoing.is_none(),
            Turn::Theirs => false,
        }
    }

    /// The phase, if the turn is the peer's.
    fn receiving(&self) -> Option<Phase> {
        (self.settled.turn == Turn::Theirs).then_some(self.phase)
    }

    /// The serial number of our AE, if that is not answered.
    fn awaited_end(&self) -> Option<u32> {
        if let Phase::AwaitAea(sync) = self.phase { Some(sync.next) } else { None }
    }

    /// AI and AD.
    fn stop(&self, spdu: Spdu, next: Phase) -> Option<(Spdu, Phase)> {
        let phase = (self.settled.turn == Turn::Ours).then_some(self.phase)?;
        match phase {
            Phase::Activity(_) | Phase::AwaitAea(_) | Phase::ExceptionReceived => Some((spdu, next)),
            Phase::Idle
            | Phase::AwaitGta
            | Phase::TokensArriving(_)
            | Phase::AwaitEndResponse(_)
            | Phase::AwaitAia { .. }
            | Phase::AwaitAda { .. }
            | Phase::AwaitInterruptResponse
            | Phase::AwaitDiscardResponse
            | Phase::ExceptionSent => None,
        }
    }
}
