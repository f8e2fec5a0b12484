//! Establishment: CN, AC, RF.

use alloc::vec::Vec;

use clock::MonoTime;

use super::segment::{TSDU_MAX_FLOOR, agreed};
use super::state::{Offer, Open, Proposal, Settled, State, Turn};
use super::{Spm, SpmAction, Version};
use crate::session::spdu::{
    Ac, Cn, ConnectItem, FunctionalUnits, RefuseReason, Rf, Spdu, SpduError, TransportDisconnect, TsduMax,
    UserData,
};
use crate::session::{
    ConnectionIdentifier, InitialTurn, ProviderAbortCause, SAccept, SConnect, SRefuse, SessionError,
    SsIndication,
};

/// Token setting that puts the data, synchronize-minor and major/activity tokens on the responder's side.
const ALL_WITH_RESPONDER: u8 = 0b01_01_01;
/// User data of CN over this length needs version 2.
const USER_DATA_OCTETS_V1: usize = 512;

impl Spm {
    /// T-CONNECT confirm: sends CN.
    pub(super) fn transport_confirmed(
        &mut self,
        now: MonoTime,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        let State::AwaitTransport { connect } = &self.state else {
            return Err(self.state.out_of_state("T-CONNECT confirm"));
        };
        let made = self.connect(connect);
        match made {
            Ok((tsdu, offer)) => {
                out.push(SpmAction::Tsdu(tsdu));
                self.state = State::AwaitAc { deadline: now + self.config.connect_timeout, offer };
                Ok(())
            }
            Err(problem) => {
                let error = SessionError::RequestInvalid { request: "S-CONNECT", problem };
                self.state = State::Closed;
                let cause = ProviderAbortCause::Detected(error.clone());
                out.push(super::provider_abort(false, cause));
                out.push(SpmAction::TDisconnect);
                Err(error)
            }
        }
    }

    /// Our CN.
    fn connect(&self, connect: &SConnect) -> Result<(Vec<u8>, Offer), SpduError> {
        let octets = connect.user_data.len();
        let limit = self.config.version_max.user_data_octets_max();
        if octets > limit {
            return Err(SpduError::TooLong { spdu: "CN", code: 194, octets, limit });
        }
        let version_min = if octets > USER_DATA_OCTETS_V1 { Version::V2 } else { self.config.version_min };
        let offer = Offer {
            version_min,
            version_max: self.config.version_max.max(version_min),
            tsdu_max: self.tsdu_max(),
            initial_turn: connect.initial_turn,
        };
        let cn = Spdu::Cn(Cn {
            identifier: connect.identifier.clone(),
            item: ConnectItem {
                protocol_options: Some(0),
                tsdu_max: both_ways(offer.tsdu_max, offer.tsdu_max),
                version: Some(offer.version_min.bit() | offer.version_max.bit()),
                // X.225: not present when activity management is proposed.
                initial_serial: None,
                // Not present where no functional unit proposed has tokens.
                token_setting: (!self.is_duplex()).then_some(match connect.initial_turn {
                    InitialTurn::Initiator => 0,
                    InitialTurn::Responder => ALL_WITH_RESPONDER,
                }),
            },
            user_requirements: Some(self.config.functional_units),
            calling_selector: connect.calling_selector.clone(),
            called_selector: connect.called_selector.clone(),
            data_overflow: false,
            user_data: connect.user_data.clone(),
        });
        Ok((cn.to_tsdu()?, offer))
    }

    /// T-CONNECT indication: the time for CN begins to run.
    pub(super) fn transport_indicated(&mut self, now: MonoTime) -> Result<(), SessionError> {
        match self.state {
            State::AwaitTransportIndication => {
                self.state = State::AwaitCn { deadline: now + self.config.connect_timeout };
                Ok(())
            }
            State::AwaitTransport { .. }
            | State::AwaitCn { .. }
            | State::AwaitAc { .. }
            | State::AwaitConnectResponse { .. }
            | State::Open(_)
            | State::AwaitDn { .. }
            | State::AwaitReleaseResponse { .. }
            | State::AwaitTDisconnect { .. }
            | State::AwaitAbortAccept { .. }
            | State::Closed => Err(self.state.out_of_state("T-CONNECT indication")),
        }
    }

    pub(super) fn cn(&mut self, now: MonoTime, cn: Cn, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        let State::AwaitCn { .. } = self.state else { return Err(self.state.unexpected("CN")) };
        match self.judge(&cn) {
            Ok(proposal) => {
                out.push(SpmAction::Indication(SsIndication::Connect(SConnect {
                    calling_selector: cn.calling_selector,
                    called_selector: cn.called_selector,
                    identifier: cn.identifier,
                    initial_turn: match proposal.settled.turn {
                        Turn::Theirs | Turn::NoTokens => InitialTurn::Initiator,
                        Turn::Ours => InitialTurn::Responder,
                    },
                    response_limit: Some(proposal.settled.version.user_data_octets_max()),
                    user_data: cn.user_data,
                })));
                self.state = State::AwaitConnectResponse { proposal };
                Ok(())
            }
            Err((error, reason)) => {
                let version = (reason == RefuseReason::VERSION).then(|| self.versions());
                let rf = self.refusal(cn.identifier, version, SRefuse { reason, user_data: Vec::new() });
                out.extend(rf.to_tsdu().ok().map(SpmAction::Tsdu));
                self.state = State::AwaitTDisconnect { deadline: now + self.config.release_timeout };
                Err(error)
            }
        }
    }

    /// Settles what CN proposes, or says why not and with which reason RF goes back.
    fn judge(&self, cn: &Cn) -> Result<Proposal, (SessionError, u8)> {
        if cn.data_overflow {
            return Err((SessionError::ConnectDataOverflow, RefuseReason::IMPLEMENTATION_RESTRICTION));
        }
        let peer = cn.item.version.unwrap_or(Version::V1.bit());
        let version = [Version::V2, Version::V1]
            .into_iter()
            .find(|version| peer & version.bit() != 0 && self.allows(*version))
            .ok_or((SessionError::Version { peer }, RefuseReason::VERSION))?;
        self.judge_units(cn.user_requirements)
            .map_err(|error| (error, RefuseReason::IMPLEMENTATION_RESTRICTION))?;
        within_limit("CN", cn.user_data.len(), Version::V2)
            .map_err(|error| (error, RefuseReason::IMPLEMENTATION_RESTRICTION))?;
        let setting = cn.item.token_setting.unwrap_or(0);
        let turn = if self.is_duplex() { Some(Turn::NoTokens) } else { first_turn(setting) }
            .ok_or((SessionError::TokenSetting { setting }, RefuseReason::IMPLEMENTATION_RESTRICTION))?;
        let proposed = cn.item.tsdu_max.unwrap_or_default();
        let answer = |theirs: u16| match agreed(self.tsdu_max(), theirs) {
            // Too small for any data, so better none at all.
            size if size < TSDU_MAX_FLOOR => 0,
            size => size,
        };
        let (receive, send) = (answer(proposed.from_initiator), answer(proposed.from_responder));
        Ok(Proposal {
            settled: Settled {
                version,
                send_max: (send != 0).then_some(usize::from(send)),
                receive_segmented: receive != 0,
                turn,
            },
            identifier: cn.identifier.clone(),
            tsdu_max: both_ways(receive, send),
            token_setting: match turn {
                Turn::Theirs => Some(0),
                Turn::Ours => Some(setting),
                Turn::NoTokens => None,
            },
        })
    }

    pub(super) fn connect_accept(
        &mut self,
        accept: SAccept,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        let request = "S-CONNECT response";
        let State::AwaitConnectResponse { proposal } = &self.state else {
            return Err(self.state.out_of_state(request));
        };
        let settled = proposal.settled;
        let ac = Spdu::Ac(Ac {
            identifier: accept.identifier,
            item: ConnectItem {
                protocol_options: Some(0),
                tsdu_max: proposal.tsdu_max,
                version: Some(settled.version.bit()),
                initial_serial: None,
                token_setting: proposal.token_setting,
            },
            tokens: None,
            user_requirements: Some(self.config.functional_units),
            calling_selector: None,
            called_selector: accept.responding_selector,
            user: UserData::whole(accept.user_data),
        });
        out.push(super::request::encode(request, &ac, settled.version)?);
        self.state = State::Open(Open::new(settled));
        Ok(())
    }

    pub(super) fn connect_refuse(
        &mut self,
        now: MonoTime,
        refuse: SRefuse,
        out: &mut Vec<SpmAction>,
    ) -> Result<(), SessionError> {
        let request = "S-CONNECT refusal";
        let State::AwaitConnectResponse { proposal } = &self.state else {
            return Err(self.state.out_of_state(request));
        };
        let version = proposal.settled.version;
        let (octets, limit) = (refuse.user_data.len(), version.user_data_octets_max());
        if octets > limit {
            let problem = SpduError::TooLong { spdu: "RF", code: 50, octets, limit };
            return Err(SessionError::RequestInvalid { request, problem });
        }
        let rf = self.refusal(proposal.identifier.clone(), None, refuse);
        out.push(super::request::encode(request, &rf, version)?);
        self.state = State::AwaitTDisconnect { deadline: now + self.config.release_timeout };
        Ok(())
    }

    pub(super) fn ac(&mut self, ac: Ac, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        let State::AwaitAc { offer, .. } = self.state else { return Err(self.state.unexpected("AC")) };
        let peer = ac.item.version.unwrap_or(Version::V1.bit());
        let version = [Version::V2, Version::V1]
            .into_iter()
            .find(|version| peer & version.bit() != 0)
            .filter(|version| (offer.version_min..=offer.version_max).contains(version))
            .ok_or(SessionError::Version { peer })?;
        self.judge_units(ac.user_requirements)?;
        within_limit("AC", ac.user.octets.len(), version)?;
        let theirs = ac.item.tsdu_max.unwrap_or_default();
        let send = agreed(offer.tsdu_max, theirs.from_initiator);
        if send != 0 && send < TSDU_MAX_FLOOR {
            return Err(SessionError::TsduSize { octets: send });
        }
        let settled = Settled {
            version,
            send_max: (send != 0).then_some(usize::from(send)),
            receive_segmented: agreed(offer.tsdu_max, theirs.from_responder) != 0,
            // CN put all tokens on one side; the acceptor can't change that.
            turn: match offer.initial_turn {
                InitialTurn::Initiator | InitialTurn::Responder if self.is_duplex() => Turn::NoTokens,
                InitialTurn::Initiator => Turn::Ours,
                InitialTurn::Responder => Turn::Theirs,
            },
        };
        out.push(SpmAction::Indication(SsIndication::ConnectConfirm(SAccept {
            responding_selector: ac.called_selector,
            identifier: ac.identifier,
            user_data: ac.user.octets,
        })));
        self.state = State::Open(Open::new(settled));
        Ok(())
    }

    pub(super) fn rf(&mut self, rf: Rf, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        let State::AwaitAc { .. } = self.state else { return Err(self.state.unexpected("RF")) };
        out.push(SpmAction::Indication(SsIndication::ConnectRefused(SRefuse {
            reason: rf.reason,
            user_data: rf.user_data,
        })));
        // Whether or not the peer would keep the transport connection, it is not used again.
        out.push(SpmAction::TDisconnect);
        self.state = State::Closed;
        Ok(())
    }

    /// What both sides propose is what holds (X.225), so the peer has to propose all that is needed here.
    fn judge_units(&self, peer: Option<FunctionalUnits>) -> Result<(), SessionError> {
        let (peer, ours) = (peer.unwrap_or(FunctionalUnits::DEFAULT).0, self.config.functional_units.0);
        if peer & ours == ours { Ok(()) } else { Err(SessionError::FunctionalUnits { peer, ours }) }
    }

    fn is_duplex(&self) -> bool {
        self.config.functional_units == FunctionalUnits::DUPLEX
    }

    fn refusal(&self, identifier: ConnectionIdentifier, version: Option<u8>, refuse: SRefuse) -> Spdu {
        Spdu::Rf(Rf {
            identifier,
            transport_disconnect: Some(TransportDisconnect(TransportDisconnect::RELEASE)),
            user_requirements: Some(self.config.functional_units),
            version,
            enclosure: None,
            reason: refuse.reason,
            user_data: refuse.user_data,
        })
    }

    fn allows(&self, version: Version) -> bool {
        (self.config.version_min..=self.config.version_max).contains(&version)
    }

    fn versions(&self) -> u8 {
        self.config.version_min.bit() | self.config.version_max.bit()
    }

    fn tsdu_max(&self) -> u16 {
        match self.config.tsdu_max {
            0 => 0,
            size => size.max(TSDU_MAX_FLOOR),
        }
    }
}

/// Refuses user data which is longer than `version` allows.
pub(super) fn within_limit(spdu: &'static str, octets: usize, version: Version) -> Result<(), SessionError> {
    let limit = version.user_data_octets_max();
    if octets > limit { Err(SessionError::UserDataTooLong { spdu, octets, limit }) } else { Ok(()) }
}

/// The TSDU maximum size parameter; left out when neither direction has one.
fn both_ways(from_initiator: u16, from_responder: u16) -> Option<TsduMax> {
    (from_initiator != 0 || from_responder != 0).then_some(TsduMax { from_initiator, from_responder })
}

/// Whose turn a token setting makes it, seen by the acceptor; `None` if it splits the tokens. Where the choice is
/// the acceptor's, the initiator gets the turn: it called because it has something to send. The release token
/// (the two high bits) is not available.
fn first_turn(setting: u8) -> Option<Turn> {
    let sides = [setting & 3, setting >> 2 & 3, setting >> 4 & 3];
    if sides.iter().all(|side| matches!(side, 0 | 2)) {
        Some(Turn::Theirs)
    } else if sides.iter().all(|side| *side == 1) {
        Some(Turn::Ours)
    } else {
        None
    }
}
