//! SPDUs from the peer on an established connection: turn, activities, synchronization, exceptions.
//!
//! One function for each SPDU, one exhaustive match over the phases in each.

use alloc::vec::Vec;

use clock::MonoTime;

use super::state::{Open, Phase, State, Sync, Turn};
use super::{Spm, SpmAction, Version};
use crate::session::spdu::{Spdu, Tokens};
use crate::session::{ActivityResume, ReasonCode, SessionError, SsIndication};

impl Spm {
    /// Judges one SPDU of a TSDU.
    pub(super) fn spdu(
        &mut self,
        now: MonoTime,
        spdu: Spdu,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        let version = self.state.settled().map(|settled| settled.version);
        if let Some((of, user)) = spdu.user()
            && user.is_segment()
            && version == Some(Version::V1)
        {
            return Err(SessionError::SegmentedSpdu { spdu: of.name() });
        }
        // What CN and CDO have brought counts, so that nobody has both kept.
        let limit = self.config.max_user_data.saturating_sub(self.connect_data_octets());
        let Some(spdu) = self.control.take(spdu, limit)? else { return Ok(()) };
        let name = spdu.name();
        if let Spdu::Ab { transport_disconnect, reflected, user } = spdu {
            self.ab(transport_disconnect, reflected, user.octets, out);
            return Ok(());
        }
        if let (Some((_, user)), Some(version)) = (spdu.user(), version) {
            self.within_limit(name, user.octets.len(), version)?;
        }
        let (max_ssdu, above) = (self.config.max_ssdu, self.config.pass_on_above);
        match spdu {
            Spdu::Cn(cn) => self.cn(now, cn, out),
            Spdu::Ac(ac) => self.ac(ac, out),
            Spdu::Rf(rf) => self.rf(rf, out),
            Spdu::Cdo { user } => self.cdo(now, user, out),
            Spdu::Oa { tsdu_max, version } => self.oa(tsdu_max, version, out),
            Spdu::Fn { user, .. } => self.finish(user.octets, out),
            Spdu::Dn { user } => self.dn(user.octets, out),
            Spdu::Gt { tokens } => self.gt(tokens, out),
            Spdu::Pt { tokens, user } => self.pt(tokens, user.octets, out),
            Spdu::Gtc => self.open(name)?.gtc(out),
            Spdu::Gta => self.open(name)?.gta(out),
            Spdu::Dt { enclosure, data } => {
                let open = self.open_for_data(name)?;
                if open.may_send_data(name)? == Arrival::Dropped {
                    return Ok(());
                }
                let indication = open.take_segment(enclosure, data, max_ssdu, above)?;
                out.extend(indication.map(SpmAction::Indication));
                Ok(())
            }
            Spdu::As { activity, .. } => self.open(name)?.activity_start(activity, out),
            Spdu::Ar { resume, .. } => self.open(name)?.activity_resume(resume, out),
            Spdu::Ai { reason } => {
                let indication = SsIndication::ActivityInterrupt(reason_or_none(reason));
                self.open(name)?.activity_stop(name, Phase::AwaitInterruptResponse, indication, out)
            }
            Spdu::Ad { reason } => {
                let indication = SsIndication::ActivityDiscard(reason_or_none(reason));
                self.open(name)?.activity_stop(name, Phase::AwaitDiscardResponse, indication, out)
            }
            Spdu::Aia => self.open(name)?.aia(out),
            Spdu::Ada => self.open(name)?.ada(out),
            Spdu::Mip { confirm, serial, .. } => self.open(name)?.mip(confirm, serial, out),
            Spdu::Mia { serial, .. } => self.open(name)?.mia(serial, out),
            Spdu::Ae { serial, .. } => self.open(name)?.ae(serial, out),
            Spdu::Aea { serial, .. } => self.open(name)?.aea(serial, out),
            Spdu::Ed { reason, .. } => {
                let indication = SsIndication::ExceptionReport(reason_or_none(reason));
                self.open(name)?.exception(name, indication, out)
            }
            Spdu::Er { .. } => self.open(name)?.exception(name, SsIndication::ProviderExceptionReport, out),
            // AA answers an abort of ours, which tsdu() has dealt with. The others belong to functional units
            // that were not settled: negotiated release, major synchronize, expedited data.
            Spdu::Ab { .. }
            | Spdu::Aa
            | Spdu::Nf { .. }
            | Spdu::Map { .. }
            | Spdu::Pr
            // Put together above.
            | Spdu::Segment { .. } => Err(self.state.unexpected(name)),
        }
    }

    /// In duplex the peer may send data until it has our FN.
    fn open_for_data(&mut self, spdu: &'static str) -> Result<&mut Open, SessionError> {
        let refusal = self.state.unexpected(spdu);
        let open = match &mut self.state {
            State::Open(open) => Some(open),
            State::AwaitDn { open, .. } => Some(open).filter(|open| open.settled.turn == Turn::NoTokens),
            State::AwaitTransport { .. }
            | State::AwaitTransportIndication
            | State::AwaitCn { .. }
            | State::AwaitCdo { .. }
            | State::AwaitOa { .. }
            | State::AwaitAc { .. }
            | State::AwaitConnectResponse { .. }
            | State::AwaitReleaseResponse { .. }
            | State::AwaitTDisconnect { .. }
            | State::AwaitAbortAccept { .. }
            | State::Closed => None,
        };
        open.ok_or(refusal)
    }

    fn open(&mut self, spdu: &'static str) -> Result<&mut Open, SessionError> {
        let refusal = self.state.unexpected(spdu);
        self.state.open().ok_or(refusal)
    }
}

fn reason_or_none(reason: Option<ReasonCode>) -> ReasonCode {
    reason.unwrap_or(ReasonCode::NON_SPECIFIC)
}

/// Whether what the holder of the turn sends in an activity counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    Counts,
    /// The peer sent it before it saw our exception report.
    Dropped,
}

impl Open {
    /// GT as it goes before others, empty; or the turn: all tokens at once, or one after the other.
    pub(super) fn gt(&mut self, tokens: u8, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        if tokens == 0 {
            return Ok(());
        }
        self.needs_turn_of_peer("GT")?;
        match self.phase {
            Phase::Idle => {
                self.tokens(tokens, out);
                Ok(())
            }
            Phase::TokensArriving(here) => {
                self.tokens(here | tokens, out);
                Ok(())
            }
            Phase::AwaitGta
            | Phase::Activity(_)
            | Phase::AwaitAea(_)
            | Phase::AwaitEndResponse(_)
            | Phase::AwaitAia { .. }
            | Phase::AwaitAda { .. }
            | Phase::AwaitInterruptResponse
            | Phase::AwaitDiscardResponse
            | Phase::ExceptionSent
            | Phase::ExceptionReceived => Err(SessionError::TokensGiven { tokens }),
        }
    }

    /// Tokens are here. RTSE has use for all of them only.
    fn tokens(&mut self, here: u8, out: &mut Vec<SpmAction>) {
        if here & Tokens::ALL == Tokens::ALL {
            self.phase = Phase::Idle;
            self.settled.turn = Turn::Ours;
            out.push(SpmAction::Indication(SsIndication::ControlGive));
        } else {
            self.phase = Phase::TokensArriving(here);
        }
    }

    /// PT as it goes before others, empty; or a request for the turn. That may cross our GTC, and then has
    /// got what it asks for.
    pub(super) fn pt(&mut self, tokens: u8, user_data: Vec<u8>, out: &mut Vec<SpmAction>) {
        if self.settled.turn == Turn::Ours && (tokens != 0 || !user_data.is_empty()) {
            out.push(SpmAction::Indication(SsIndication::TokenPlease { user_data }));
        }
    }

    fn gtc(&mut self, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        self.needs_turn_of_peer("GTC")?;
        match self.phase {
            Phase::Idle => {
                self.settled.turn = Turn::Ours;
                out.extend(Spdu::Gta.to_tsdu().ok().map(SpmAction::Tsdu));
                out.push(SpmAction::Indication(SsIndication::ControlGive));
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
            | Phase::ExceptionReceived => Err(self.unexpected("GTC")),
        }
    }

    fn gta(&mut self, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        match self.phase {
            Phase::AwaitGta => {
                self.phase = Phase::Idle;
                out.push(SpmAction::Indication(SsIndication::ControlGiven));
                Ok(())
            }
            Phase::Idle
            | Phase::TokensArriving(_)
            | Phase::Activity(_)
            | Phase::AwaitAea(_)
            | Phase::AwaitEndResponse(_)
            | Phase::AwaitAia { .. }
            | Phase::AwaitAda { .. }
            | Phase::AwaitInterruptResponse
            | Phase::AwaitDiscardResponse
            | Phase::ExceptionSent
            | Phase::ExceptionReceived => Err(self.unexpected("GTA")),
        }
    }

    fn may_send_data(&self, spdu: &'static str) -> Result<Arrival, SessionError> {
        self.needs_data_right_of_peer(spdu)?;
        match self.phase {
            Phase::Idle if self.settled.turn == Turn::NoTokens => Ok(Arrival::Counts),
            Phase::Activity(_) => Ok(Arrival::Counts),
            Phase::ExceptionSent => Ok(Arrival::Dropped),
            Phase::Idle
            | Phase::AwaitGta
            | Phase::TokensArriving(_)
            | Phase::AwaitAea(_)
            | Phase::AwaitEndResponse(_)
            | Phase::AwaitAia { .. }
            | Phase::AwaitAda { .. }
            | Phase::AwaitInterruptResponse
            | Phase::AwaitDiscardResponse
            | Phase::ExceptionReceived => Err(self.unexpected(spdu)),
        }
    }

    fn activity_start(&mut self, activity: Vec<u8>, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        self.may_start("AS")?;
        self.phase = Phase::Activity(Sync::starting_at(1));
        out.push(SpmAction::Indication(SsIndication::ActivityStart { activity }));
        Ok(())
    }

    fn activity_resume(
        &mut self,
        resume: ActivityResume,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        self.may_start("AR")?;
        self.phase = Phase::Activity(Sync::starting_at(resume.serial.saturating_add(1)));
        out.push(SpmAction::Indication(SsIndication::ActivityResume(resume)));
        Ok(())
    }

    fn may_start(&self, spdu: &'static str) -> Result<(), SessionError> {
        self.needs_turn_of_peer(spdu)?;
        match self.phase {
            Phase::Idle => Ok(()),
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
            | Phase::ExceptionReceived => Err(self.unexpected(spdu)),
        }
    }

    /// AI and AD. Without an activity, too: the peer may have sent it before it saw our AEA, and only the user
    /// can tell it that the transfer was complete.
    fn activity_stop(
        &mut self,
        spdu: &'static str,
        next: Phase,
        indication: SsIndication,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        self.needs_turn_of_peer(spdu)?;
        match self.phase {
            Phase::Idle | Phase::Activity(_) | Phase::AwaitEndResponse(_) | Phase::ExceptionSent => {
                self.assembly = None;
                self.phase = next;
                out.push(SpmAction::Indication(indication));
                Ok(())
            }
            Phase::AwaitGta
            | Phase::TokensArriving(_)
            | Phase::AwaitAea(_)
            | Phase::AwaitAia { .. }
            | Phase::AwaitAda { .. }
            | Phase::AwaitInterruptResponse
            | Phase::AwaitDiscardResponse
            | Phase::ExceptionReceived => Err(self.unexpected(spdu)),
        }
    }

    fn aia(&mut self, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        match self.phase {
            Phase::AwaitAia { .. } => {
                self.phase = Phase::Idle;
                out.push(SpmAction::Indication(SsIndication::ActivityInterruptConfirm));
                Ok(())
            }
            Phase::Idle
            | Phase::AwaitGta
            | Phase::TokensArriving(_)
            | Phase::Activity(_)
            | Phase::AwaitAea(_)
            | Phase::AwaitEndResponse(_)
            | Phase::AwaitAda { .. }
            | Phase::AwaitInterruptResponse
            | Phase::AwaitDiscardResponse
            | Phase::ExceptionSent
            | Phase::ExceptionReceived => Err(self.unexpected("AIA")),
        }
    }

    fn ada(&mut self, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        match self.phase {
            Phase::AwaitAda { .. } => {
                self.phase = Phase::Idle;
                out.push(SpmAction::Indication(SsIndication::ActivityDiscardConfirm));
                Ok(())
            }
            Phase::Idle
            | Phase::AwaitGta
            | Phase::TokensArriving(_)
            | Phase::Activity(_)
            | Phase::AwaitAea(_)
            | Phase::AwaitEndResponse(_)
            | Phase::AwaitAia { .. }
            | Phase::AwaitInterruptResponse
            | Phase::AwaitDiscardResponse
            | Phase::ExceptionSent
            | Phase::ExceptionReceived => Err(self.unexpected("ADA")),
        }
    }

    fn mip(&mut self, confirm: bool, serial: u32, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        if let Some(sync) = self.point("MIP", serial)? {
            self.phase = Phase::Activity(sync.point());
            out.push(SpmAction::Indication(SsIndication::SyncMinor { serial, confirm }));
        }
        Ok(())
    }

    fn ae(&mut self, serial: u32, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        if let Some(sync) = self.point("AE", serial)? {
            self.phase = Phase::AwaitEndResponse(sync);
            out.push(SpmAction::Indication(SsIndication::ActivityEnd { serial }));
        }
        Ok(())
    }

    /// What MIP and AE have in common; `None` if the SPDU is dropped.
    fn point(&self, spdu: &'static str, serial: u32) -> Result<Option<Sync>, SessionError> {
        self.needs_turn_of_peer(spdu)?;
        match self.phase {
            Phase::Activity(sync) => {
                self.needs_whole_ssdu()?;
                if serial != sync.next {
                    return Err(SessionError::SerialNumber { spdu, found: serial, expected: sync.next });
                }
                Ok(Some(sync))
            }
            Phase::ExceptionSent => Ok(None),
            Phase::Idle
            | Phase::AwaitGta
            | Phase::TokensArriving(_)
            | Phase::AwaitAea(_)
            | Phase::AwaitEndResponse(_)
            | Phase::AwaitAia { .. }
            | Phase::AwaitAda { .. }
            | Phase::AwaitInterruptResponse
            | Phase::AwaitDiscardResponse
            | Phase::ExceptionReceived => Err(self.unexpected(spdu)),
        }
    }

    fn mia(&mut self, serial: u32, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        self.needs_turn_of_ours("MIA")?;
        let confirm = |sync: Sync| {
            let outside =
                SessionError::NotOutstanding { found: serial, from: sync.unconfirmed, to: sync.next };
            sync.confirm(serial).ok_or(outside)
        };
        match self.phase {
            Phase::Activity(sync) => self.phase = Phase::Activity(confirm(sync)?),
            Phase::AwaitAea(sync) => self.phase = Phase::AwaitAea(confirm(sync)?),
            // It crossed our AI or AD.
            Phase::AwaitAia { .. } | Phase::AwaitAda { .. } => return Ok(()),
            Phase::Idle
            | Phase::AwaitGta
            | Phase::TokensArriving(_)
            | Phase::AwaitEndResponse(_)
            | Phase::AwaitInterruptResponse
            | Phase::AwaitDiscardResponse
            | Phase::ExceptionSent
            | Phase::ExceptionReceived => return Err(self.unexpected("MIA")),
        }
        out.push(SpmAction::Indication(SsIndication::SyncMinorConfirm { serial }));
        Ok(())
    }

    fn aea(&mut self, serial: u32, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        self.needs_turn_of_ours("AEA")?;
        match self.phase {
            Phase::AwaitAea(sync) if serial == sync.next => {
                self.phase = Phase::Idle;
                out.push(SpmAction::Indication(SsIndication::ActivityEndConfirm));
                Ok(())
            }
            Phase::AwaitAea(sync) => {
                Err(SessionError::SerialNumber { spdu: "AEA", found: serial, expected: sync.next })
            }
            // It crossed our AD. X.225 drops it; but the user has to know that the peer has taken what was given up. The
            // peer will find no activity to discard and say so.
            Phase::AwaitAda { end: Some(expected) } if serial == expected => {
                self.phase = Phase::AwaitAda { end: None };
                out.push(SpmAction::Indication(SsIndication::ActivityEndConfirm));
                Ok(())
            }
            Phase::AwaitAda { end: Some(expected) } => {
                Err(SessionError::SerialNumber { spdu: "AEA", found: serial, expected })
            }
            // The same for our AI, lest the rest be sent again to a peer that has it all.
            Phase::AwaitAia { end: Some(expected) } if serial == expected => {
                self.phase = Phase::AwaitAia { end: None };
                out.push(SpmAction::Indication(SsIndication::ActivityEndConfirm));
                Ok(())
            }
            Phase::AwaitAia { .. } => Ok(()),
            Phase::Idle
            | Phase::AwaitGta
            | Phase::TokensArriving(_)
            | Phase::Activity(_)
            | Phase::AwaitEndResponse(_)
            | Phase::AwaitAda { end: None }
            | Phase::AwaitInterruptResponse
            | Phase::AwaitDiscardResponse
            | Phase::ExceptionSent
            | Phase::ExceptionReceived => Err(self.unexpected("AEA")),
        }
    }

    /// ED and ER.
    fn exception(
        &mut self,
        spdu: &'static str,
        indication: SsIndication,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        self.needs_turn_of_ours(spdu)?;
        match self.phase {
            Phase::Activity(_) | Phase::AwaitAea(_) => {
                self.phase = Phase::ExceptionReceived;
                out.push(SpmAction::Indication(indication));
                Ok(())
            }
            // It crossed our AI or AD.
            Phase::AwaitAia { .. } | Phase::AwaitAda { .. } => Ok(()),
            Phase::Idle
            | Phase::AwaitGta
            | Phase::TokensArriving(_)
            | Phase::AwaitEndResponse(_)
            | Phase::AwaitInterruptResponse
            | Phase::AwaitDiscardResponse
            | Phase::ExceptionSent
            | Phase::ExceptionReceived => Err(self.unexpected(spdu)),
        }
    }
}
