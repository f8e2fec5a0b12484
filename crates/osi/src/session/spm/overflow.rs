//! Connect data overflow (X.225 7.2, 7.3): user data of S-CONNECT that is longer than CN can carry. CN brings its
//! beginning and says that there is more, OA asks for it, CDO SPDUs bring it. Version 2 only.

use alloc::boxed::Box;
use alloc::vec::Vec;

use clock::MonoTime;

use super::segment::{agreed, pieces};
use super::state::{Offer, Proposal, State};
use super::{CN_USER_DATA_OCTETS_MAX, Spm, SpmAction, Version};
use crate::session::spdu::{Cn, Enclosure, RefuseReason, Spdu, TsduMax, UserData};
use crate::session::{SConnect, SRefuse, SessionError, SsIndication};

impl Spm {
    /// The user data that CN carries and the rest.
    pub(super) fn split_connect_data(user_data: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
        let (first, rest) = user_data.split_at(user_data.len().min(CN_USER_DATA_OCTETS_MAX));
        (first.to_vec(), (!rest.is_empty()).then(|| rest.to_vec()))
    }

    /// A CN has been judged and is taken: asks for the rest of its user data, or tells the user.
    pub(super) fn connect_indicated(
        &mut self,
        deadline: MonoTime,
        cn: Cn,
        mut proposal: Proposal,
        out: &mut Vec<SpmAction>,
    ) {
        if cn.data_overflow && !proposal.overflow {
            let oa = Spdu::Oa { tsdu_max: proposal.tsdu_max, version: Some(Version::V2.bit()) };
            out.extend(oa.to_tsdu().ok().map(SpmAction::Tsdu));
            proposal.overflow = true;
            self.state = State::AwaitCdo { deadline, cn: Box::new(cn), proposal };
            return;
        }
        out.push(SpmAction::Indication(SsIndication::Connect(SConnect {
            calling_selector: cn.calling_selector,
            called_selector: cn.called_selector,
            identifier: cn.identifier,
            initial_turn: proposal.assignment.initial_turn,
            responder_may_take_turn: proposal.assignment.responder_may_take_turn,
            response_limit: Some(self.user_data_octets_max(proposal.settled.version)),
            user_data: cn.user_data,
        })));
        self.state = State::AwaitConnectResponse { proposal };
    }

    /// A piece of the user data of CN.
    pub(super) fn cdo(
        &mut self,
        now: MonoTime,
        user: UserData,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        let limit = self.config.max_user_data;
        let State::AwaitCdo { deadline, cn, proposal } = &mut self.state else {
            return Err(self.state.unexpected("CDO"));
        };
        if cn.user_data.len().saturating_add(user.octets.len()) > limit {
            let refuse = SRefuse { reason: RefuseReason::IMPLEMENTATION_RESTRICTION, user_data: Vec::new() };
            let identifier = core::mem::take(&mut cn.identifier);
            let rf = self.refusal(identifier, Some(Version::V2.bit()), refuse);
            out.extend(rf.to_tsdu().ok().map(SpmAction::Tsdu));
            self.state = State::AwaitTDisconnect { deadline: now + self.config.release_timeout };
            return Err(SessionError::SsduTooLong { limit });
        }
        cn.user_data.extend_from_slice(&user.octets);
        // The beginning was in CN. Without the item, which is mandatory, there is nothing more to come.
        if user.enclosure.is_none_or(Enclosure::ends) {
            let (deadline, cn, proposal) = (*deadline, core::mem::take(&mut **cn), proposal.clone());
            self.connect_indicated(deadline, cn, proposal, out);
        }
        Ok(())
    }

    /// Octets that are here of the user data of a CN that is not whole yet.
    pub(super) fn connect_data_octets(&self) -> usize {
        if let State::AwaitCdo { cn, .. } = &self.state { cn.user_data.len() } else { 0 }
    }

    /// OA: sends the rest of the user data.
    pub(super) fn oa(
        &mut self,
        tsdu_max: Option<TsduMax>,
        version: Option<u8>,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        let State::AwaitOa { deadline, offer, rest } = &mut self.state else {
            return Err(self.state.unexpected("OA"));
        };
        let peer = version.unwrap_or(Version::V1.bit());
        if peer & Version::V2.bit() == 0 {
            return Err(SessionError::Version { peer });
        }
        let send = agreed(offer.tsdu_max, tsdu_max.unwrap_or_default().from_initiator);
        super::segment::check_size(send)?;
        let max = if send == 0 { CN_USER_DATA_OCTETS_MAX } else { usize::from(send) };
        let (deadline, rest) = (*deadline, core::mem::take(rest));
        let offer = Offer { version_min: Version::V2, version_max: Version::V2, ..*offer };
        for (piece, last) in pieces(&rest, max) {
            let cdo = Spdu::Cdo {
                user: UserData { enclosure: Some(Enclosure::of(false, last)), octets: piece.to_vec() },
            };
            out.extend(cdo.to_tsdu().ok().map(SpmAction::Tsdu));
        }
        self.state = State::AwaitAc { deadline, offer };
        Ok(())
    }
}
