//! Establishment: CN, AC, RF.

use alloc::vec::Vec;

use clock::MonoTime;

use super::control::{Bounds, USER_DATA_OCTETS_V1};
use super::segment::{TSDU_MAX_FLOOR, agreed, check_size};
use super::state::{Assignment, Offer, Open, Proposal, Settled, State, Turn};
use super::{CN_USER_DATA_OCTETS_MAX, Spm, SpmAction, Version};
use crate::session::spdu::{
    Ac, Cn, ConnectItem, FunctionalUnits, RefuseReason, Rf, Spdu, SpduError, TransportDisconnect, TsduMax,
    UserData,
};
use crate::session::{
    ConnectionIdentifier, InitialTurn, ProviderAbortCause, SAccept, SConnect, SRefuse, SessionError,
    SsIndication,
};

/// How we open a connection.
struct Opening {
    /// The TSDU of CN.
    cn: Vec<u8>,
    offer: Offer,
    /// User data that CN has no room for.
    rest: Option<Vec<u8>>,
}

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
            Ok(Opening { cn, offer, rest }) => {
                out.push(SpmAction::Tsdu(cn));
                let deadline = now + self.config.connect_timeout;
                self.state = match rest {
                    Some(rest) => State::AwaitOa { deadline, offer, rest },
                    None => State::AwaitAc { deadline, offer },
                };
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

    fn connect(&self, connect: &SConnect) -> Result<Opening, SpduError> {
        let octets = connect.user_data.len();
        let limit = self.user_data_octets_max(self.config.version_max);
        if octets > limit {
            return Err(SpduError::TooLong { spdu: "CN", code: 194, octets, limit });
        }
        let (user_data, rest) = Spm::split_connect_data(&connect.user_data);
        let version_min = if octets > USER_DATA_OCTETS_V1 { Version::V2 } else { self.config.version_min };
        let offer = Offer {
            version_min,
            version_max: self.config.version_max.max(version_min),
            tsdu_max: self.tsdu_max(),
            initial_turn: connect.initial_turn,
            responder_may_take_turn: connect.responder_may_take_turn,
        };
        let cn = Spdu::Cn(Cn {
            identifier: connect.identifier.clone(),
            item: ConnectItem {
                protocol_options: Some(self.protocol_options()),
                tsdu_max: both_ways(offer.tsdu_max, offer.tsdu_max),
                version: Some(offer.version_min.bit() | offer.version_max.bit()),
                // X.225: not present when activity management is proposed.
                initial_serial: None,
                // Not present where no functional unit proposed has tokens.
                token_setting: (!self.is_duplex()).then_some(
                    match (connect.responder_may_take_turn, connect.initial_turn) {
                        (true, _) => TOKENS_AS_CALLED_CHOOSES,
                        (false, InitialTurn::Initiator) => 0,
                        (false, InitialTurn::Responder) => TOKENS_OF_CALLED,
                    },
                ),
            },
            user_requirements: Some(self.config.functional_units),
            calling_selector: connect.calling_selector.clone(),
            called_selector: connect.called_selector.clone(),
            data_overflow: rest.is_some(),
            user_data,
        });
        Ok(Opening { cn: cn.to_tsdu()?, offer, rest })
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
            | State::AwaitCdo { .. }
            | State::AwaitOa { .. }
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
        let State::AwaitCn { deadline } = self.state else { return Err(self.state.unexpected("CN")) };
        match self.judge(&cn) {
            Ok(proposal) => {
                self.connect_indicated(deadline, cn, proposal, out);
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
        let peer = cn.item.version.unwrap_or(Version::V1.bit());
        let version = [Version::V2, Version::V1]
            .into_iter()
            .find(|version| peer & version.bit() != 0 && self.allows(*version))
            .ok_or((SessionError::Version { peer }, RefuseReason::VERSION))?;
        let restriction = |error| (error, RefuseReason::IMPLEMENTATION_RESTRICTION);
        self.judge_units(cn.user_requirements).map_err(restriction)?;
        self.within_limit("CN", cn.user_data.len().min(CN_USER_DATA_OCTETS_MAX), version)
            .map_err(restriction)?;
        let octets = cn.user_data.len();
        if octets > CN_USER_DATA_OCTETS_MAX {
            let limit = CN_USER_DATA_OCTETS_MAX;
            return Err(restriction(SessionError::UserDataTooLong { spdu: "CN", octets, limit }));
        }
        if cn.data_overflow && version == Version::V1 {
            return Err((SessionError::Version { peer }, RefuseReason::VERSION));
        }
        let setting = cn.item.token_setting.unwrap_or(0);
        let (token_setting, assignment) = if self.is_duplex() {
            (None, Assignment::default())
        } else {
            let assigned = assignment(setting).ok_or(restriction(SessionError::TokenSetting { setting }))?;
            (Some(setting), assigned)
        };
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
                // Where the choice is left to our user, it is made with the answer.
                turn: match assignment.initial_turn {
                    InitialTurn::Initiator | InitialTurn::Responder if self.is_duplex() => Turn::NoTokens,
                    InitialTurn::Initiator => Turn::Theirs,
                    InitialTurn::Responder => Turn::Ours,
                },
            },
            identifier: cn.identifier.clone(),
            tsdu_max: both_ways(receive, send),
            token_setting,
            assignment,
            overflow: false,
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
        let mut settled = proposal.settled;
        if accept.take_turn && proposal.assignment.responder_may_take_turn {
            settled.turn = Turn::Ours;
        }
        let ac = Spdu::Ac(Ac {
            identifier: accept.identifier,
            item: ConnectItem {
                protocol_options: Some(self.protocol_options()),
                tsdu_max: proposal.tsdu_max,
                version: Some(settled.version.bit()),
                initial_serial: None,
                token_setting: proposal.token_setting.map(|setting| answered_setting(setting, settled.turn)),
            },
            tokens: None,
            user_requirements: Some(self.config.functional_units),
            calling_selector: None,
            called_selector: accept.responding_selector,
            user: UserData::whole(accept.user_data),
        });
        out.extend(self.bounds(settled).encode(request, &ac)?);
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
        let (octets, limit) = (refuse.user_data.len(), self.user_data_octets_max(proposal.settled.version));
        if octets > limit {
            let problem = SpduError::TooLong { spdu: "RF", code: 50, octets, limit };
            return Err(SessionError::RequestInvalid { request, problem });
        }
        // After OA the version is settled, and RF says it.
        let version = proposal.overflow.then(|| Version::V2.bit());
        let rf = self.refusal(proposal.identifier.clone(), version, refuse);
        out.extend(self.bounds(proposal.settled).encode(request, &rf)?);
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
        self.within_limit("AC", ac.user.octets.len(), version)?;
        let theirs = ac.item.tsdu_max.unwrap_or_default();
        let send = agreed(offer.tsdu_max, theirs.from_initiator);
        check_size(send)?;
        let initial_turn = if offer.responder_may_take_turn {
            let setting = ac.item.token_setting.unwrap_or(0);
            match assignment(setting) {
                Some(Assignment { initial_turn, responder_may_take_turn: false }) => initial_turn,
                Some(_) | None => return Err(SessionError::TokenSetting { setting }),
            }
        } else {
            // CN put all tokens on one side; the acceptor can't change that.
            offer.initial_turn
        };
        let turn = match initial_turn {
            InitialTurn::Initiator | InitialTurn::Responder if self.is_duplex() => Turn::NoTokens,
            InitialTurn::Initiator => Turn::Ours,
            InitialTurn::Responder => Turn::Theirs,
        };
        let settled = Settled { version, send_max: (send != 0).then_some(usize::from(send)), turn };
        out.push(SpmAction::Indication(SsIndication::ConnectConfirm(SAccept {
            responding_selector: ac.called_selector,
            identifier: ac.identifier,
            take_turn: offer.responder_may_take_turn && turn == Turn::Theirs,
            user_data: ac.user.octets,
        })));
        self.state = State::Open(Open::new(settled));
        Ok(())
    }

    pub(super) fn rf(&mut self, rf: Rf, out: &mut Vec<SpmAction>) -> Result<(), SessionError> {
        let (State::AwaitAc { .. } | State::AwaitOa { .. }) = self.state else {
            return Err(self.state.unexpected("RF"));
        };
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

    pub(super) fn refusal(
        &self,
        identifier: ConnectionIdentifier,
        version: Option<u8>,
        refuse: SRefuse,
    ) -> Spdu {
        // X.225: with user data only.
        let units = (refuse.reason == RefuseReason::USER_WITH_DATA).then_some(self.config.functional_units);
        Spdu::Rf(Rf {
            identifier,
            transport_disconnect: Some(TransportDisconnect(TransportDisconnect::RELEASE)),
            user_requirements: units,
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

    fn protocol_options(&self) -> u8 {
        u8::from(self.config.extended_concatenation)
    }

    fn tsdu_max(&self) -> u16 {
        match self.config.tsdu_max {
            0 => 0,
            size => size.max(TSDU_MAX_FLOOR),
        }
    }

    /// Octets of user data that an SPDU other than CN and DT may carry, with all its segments.
    pub(super) fn user_data_octets_max(&self, version: Version) -> usize {
        match version {
            Version::V1 => USER_DATA_OCTETS_V1,
            Version::V2 => self.config.max_user_data,
        }
    }

    /// Refuses user data which is longer than `version` or our own limit allows.
    pub(super) fn within_limit(
        &self,
        spdu: &'static str,
        octets: usize,
        version: Version,
    ) -> Result<(), SessionError> {
        let limit = self.user_data_octets_max(version);
        match version {
            _ if octets <= limit => Ok(()),
            Version::V1 => Err(SessionError::UserDataTooLong { spdu, octets, limit }),
            Version::V2 => Err(SessionError::SsduTooLong { limit }),
        }
    }

    pub(super) fn bounds(&self, settled: Settled) -> Bounds {
        Bounds::new(settled, self.config.max_user_data)
    }
}

/// The TSDU maximum size parameter; left out when neither direction has one.
fn both_ways(from_initiator: u16, from_responder: u16) -> Option<TsduMax> {
    (from_initiator != 0 || from_responder != 0).then_some(TsduMax { from_initiator, from_responder })
}

/// Token setting item that puts the data, synchronize-minor and major/activity tokens on the called side.
const TOKENS_OF_CALLED: u8 = 0x15;
/// As before, where the called user is to choose.
const TOKENS_AS_CALLED_CHOOSES: u8 = 0x2A;

/// The sides that a token setting names for the data, synchronize-minor and major/activity tokens: 0 the initiator, 1
/// the responder, 2 as the called user chooses. The release token (the two high bits) is not available.
fn sides(setting: u8) -> [u8; 3] {
    [setting & 3, setting >> 2 & 3, setting >> 4 & 3]
}

/// Who gets the tokens by a token setting; `None` if it splits them. A choice for some of them only is no choice, since
/// all have to go where the others are.
fn assignment(setting: u8) -> Option<Assignment> {
    let sides = sides(setting);
    let of = |initial_turn, responder_may_take_turn| Assignment { initial_turn, responder_may_take_turn };
    match (sides.contains(&0), sides.contains(&1), sides.contains(&3)) {
        (_, _, true) | (true, true, false) => None,
        (true, false, false) => Some(of(InitialTurn::Initiator, false)),
        (false, true, false) => Some(of(InitialTurn::Responder, false)),
        (false, false, false) => Some(of(InitialTurn::Initiator, true)),
    }
}

/// The token setting that answers one: the same, with every choice made.
fn answered_setting(setting: u8, turn: Turn) -> u8 {
    let chosen = match turn {
        Turn::Theirs | Turn::NoTokens => 0,
        Turn::Ours => 1,
    };
    sides(setting)
        .into_iter()
        .rev()
        .fold(setting >> 6 & 1, |answer, side| answer << 2 | if side == 2 { chosen } else { side })
}
