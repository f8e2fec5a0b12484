use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use ber::Oid;
use clock::MonoTime;

use super::apdu::{ConnectionData, Rtoac, Rtorj, Rtorq, RtseApdu};
use super::config::RtseConfig;
use super::connection::SessionConnectionIdentifier;
use super::error::{RequestError, RtseError};
use super::event::{RtpmAction, RtpmEvent};
use super::names::request_name;
use super::open::{abort, reject};
use super::resume::{Interrupted, OpenData};
use super::service::{AbortReason, Aborted, Agreed, InitialTurn, Mode, RtIndication, RtRequest};
use super::state::State;
use super::transfer::{Open, Phase, Turn};
use crate::acse::{AAssociate, ARequest};
use crate::failure::{Blame, Layer};
use crate::presentation::{PConnect, PIndication, PresentationMode};

/// Reliable transfer protocol machine (X.228), one per association, for both ends of it.
///
/// After it has indicated Closed, Aborted or OpenRefused, or returned an error, it indicates nothing more.
#[derive(Clone, Debug)]
pub struct Rtpm {
    pub(super) config: RtseConfig,
    /// Abstract syntax of the RTSE APDUs and of what rides in "open".
    pub(super) rtse_syntax: Oid,
    /// Abstract syntax of the APDUs that are transferred.
    pub(super) apdu_syntax: Oid,
    /// The user puts the EXTERNAL around its APDUs itself.
    pub(super) bare_apdus: bool,
    /// How RTSE APDUs are encoded.
    pub(super) mode: PresentationMode,
    /// The name of the session connection, once it has one.
    pub(super) connection: Option<SessionConnectionIdentifier>,
    pub(super) state: State,
    /// The transfer that was in progress when the machine came to its end.
    pub(super) interrupted: Option<Box<Interrupted>>,
}

impl Rtpm {
    /// A machine that will open an association: `connect` holds selectors, identifier and contexts.
    pub fn initiator(
        config: RtseConfig,
        rtse_syntax: Oid,
        apdu_syntax: Oid,
        connect: PConnect,
        data: OpenData,
    ) -> Self {
        let mode = config.mode.presentation();
        let state = State::Idle { open: Some(Box::new((connect, data))) };
        Rtpm::new(config, rtse_syntax, apdu_syntax, mode, state)
    }

    /// A machine that waits for an association.
    pub fn responder(config: RtseConfig, rtse_syntax: Oid, apdu_syntax: Oid) -> Self {
        let mode = PresentationMode::default();
        let state = State::Idle { open: None };
        Rtpm::new(config, rtse_syntax, apdu_syntax, mode, state)
    }

    fn new(
        config: RtseConfig,
        rtse_syntax: Oid,
        apdu_syntax: Oid,
        mode: PresentationMode,
        state: State,
    ) -> Self {
        Rtpm {
            config,
            rtse_syntax,
            apdu_syntax,
            bare_apdus: false,
            mode,
            connection: None,
            state,
            interrupted: None,
        }
    }

    /// The same, for a user whose APDUs are in more than one abstract syntax: it puts the EXTERNAL around each of them
    /// itself, and takes it off. `apdu_syntax` has no meaning then.
    pub fn with_bare_apdus(self) -> Self {
        Rtpm { bare_apdus: true, ..self }
    }

    /// The transport connection is coming up: opens the association (initiator), or begins to wait for it
    /// (responder). Without effect later on.
    pub fn start(&mut self, now: MonoTime, out: &mut Vec<RtpmAction>) {
        let State::Idle { open } = &mut self.state else { return };
        let until = now + self.config.open_timeout;
        let Some(open) = open.take() else {
            self.state = State::AwaitOpen { until };
            return;
        };
        let (mut connect, data) = *open;
        let recovering = matches!(data, OpenData::Recover(_));
        let rtorq = RtseApdu::Rtorq(Rtorq {
            checkpoint_size_kb: self.config.checkpoint_size_kb,
            window_size: self.config.window_size.max(1),
            dialogue_mode: self.config.dialogue_mode,
            connection_data: match data {
                OpenData::Open(bind) => ConnectionData::Open(bind),
                OpenData::Recover(connection) => ConnectionData::Recover(connection),
            },
            application_protocol: match self.config.mode {
                Mode::Normal1988 => None,
                Mode::X410 { application_protocol } => Some(application_protocol),
            },
        });
        connect.mode = self.mode;
        connect.initial_turn = self.config.initial_turn;
        self.connection = Some(connect.identifier.clone().into());
        let agreed = Agreed {
            checkpoint_size_kb: self.config.checkpoint_size_kb,
            window_size: self.config.window_size.max(1),
            dialogue_mode: self.config.dialogue_mode,
        };
        let settled = self.settled(agreed, connect.contexts.clone());
        self.state = State::AwaitConfirm { settled, recovering, until };
        let associate = AAssociate { connect, user_information: rtorq.encode_in(self.mode) };
        out.push(RtpmAction::Association(ARequest::Associate(associate)));
    }

    /// Carries out a request of the user.
    ///
    /// # Errors
    /// The state does not allow it; nothing was sent and nothing has changed.
    pub fn request(
        &mut self,
        now: MonoTime,
        request: RtRequest,
        out: &mut Vec<RtpmAction>,
    ) -> Result<(), RequestError> {
        let name = request_name(&request);
        match (request, &mut self.state) {
            (
                RtRequest::OpenAccept { user_data },
                State::AwaitResponse { settled, recover, initial_turn },
            ) => {
                let rtoac = RtseApdu::Rtoac(Rtoac {
                    checkpoint_size_kb: settled.agreed.checkpoint_size_kb,
                    window_size: settled.agreed.window_size,
                    connection_data: match recover.take() {
                        None => ConnectionData::Open(user_data),
                        Some(connection) => ConnectionData::Recover(connection),
                    },
                });
                let accept = ARequest::AssociateAccept { user_information: rtoac.encode_in(self.mode) };
                out.push(RtpmAction::Association(accept));
                let turn = match initial_turn {
                    InitialTurn::Initiator => Turn::theirs(),
                    InitialTurn::Responder => Turn::Ours,
                };
                let settled = settled.clone();
                self.state = State::Open { settled, turn, phase: Phase::Ready };
                Ok(())
            }
            (RtRequest::OpenReject { user_data, refuse_reason, transient }, State::AwaitResponse { .. }) => {
                let rtorj = match self.mode {
                    PresentationMode::Normal => Rtorj { refuse_reason: None, user_data },
                    PresentationMode::X410 => {
                        Rtorj { refuse_reason: Some(refuse_reason.0), user_data: Vec::new() }
                    }
                };
                let user_information = RtseApdu::Rtorj(rtorj).encode_in(self.mode);
                let reject = ARequest::AssociateReject { transient, user_information };
                out.push(RtpmAction::Association(reject));
                self.end(RtIndication::Closed, out);
                Ok(())
            }
            (RtRequest::Close, State::Open { settled: _, turn, phase: phase @ Phase::Ready }) => {
                if !turn.is_ours() {
                    return Err(RequestError::NoTurn { request: name });
                }
                *phase = Phase::AwaitRelease { until: now + self.config.release_timeout };
                out.push(RtpmAction::Association(ARequest::Release { user_information: Vec::new() }));
                Ok(())
            }
            (
                RtRequest::Abort(reason),
                State::AwaitConfirm { .. } | State::AwaitResponse { .. } | State::Open { .. },
            ) => {
                let text = alloc::format!("aborted by this side, reason {}", reason.0);
                self.abort(reason, text, out);
                Ok(())
            }
            // The peer would take the half for a faulty whole.
            (RtRequest::TransferCancel | RtRequest::TransferInterrupt, State::Open { phase, .. })
                if phase.is_in_segment() && self.mode == PresentationMode::Normal =>
            {
                let text = "the transfer was stopped in the middle of an APDU without checkpoints";
                self.abort(AbortReason::LOCAL_SYSTEM_PROBLEM, String::from(text), out);
                Ok(())
            }
            (
                request @ (RtRequest::Transfer { .. }
                | RtRequest::Segment(_)
                | RtRequest::TransferCancel
                | RtRequest::TransferInterrupt
                | RtRequest::Resume { .. }
                | RtRequest::ResumeAccept(_)
                | RtRequest::ResumeRefuse
                | RtRequest::ResumeCompleted
                | RtRequest::CheckpointSecured { .. }
                | RtRequest::TransferAccept
                | RtRequest::TransferRefuse { .. }
                | RtRequest::TurnPlease { .. }
                | RtRequest::TurnGive),
                State::Open { settled, turn, phase },
            ) => {
                let (config, connection) = (&self.config, self.connection.as_ref());
                Open { now, config, connection, settled, turn, phase, out }.request(request, name)
            }
            (
                RtRequest::OpenAccept { .. }
                | RtRequest::OpenReject { .. }
                | RtRequest::Transfer { .. }
                | RtRequest::Segment(_)
                | RtRequest::TransferCancel
                | RtRequest::TransferInterrupt
                | RtRequest::Resume { .. }
                | RtRequest::ResumeAccept(_)
                | RtRequest::ResumeRefuse
                | RtRequest::ResumeCompleted
                | RtRequest::CheckpointSecured { .. }
                | RtRequest::TransferAccept
                | RtRequest::TransferRefuse { .. }
                | RtRequest::TurnPlease { .. }
                | RtRequest::TurnGive
                | RtRequest::Close
                | RtRequest::Abort(_),
                State::Ended,
            ) => Err(RequestError::Ended { request: name }),
            (
                RtRequest::OpenAccept { .. } | RtRequest::OpenReject { .. },
                state @ (State::Idle { .. }
                | State::AwaitOpen { .. }
                | State::AwaitConfirm { .. }
                | State::Open { .. }),
            )
            | (
                RtRequest::Transfer { .. }
                | RtRequest::Segment(_)
                | RtRequest::TransferCancel
                | RtRequest::TransferInterrupt
                | RtRequest::Resume { .. }
                | RtRequest::ResumeAccept(_)
                | RtRequest::ResumeRefuse
                | RtRequest::ResumeCompleted
                | RtRequest::CheckpointSecured { .. }
                | RtRequest::TransferAccept
                | RtRequest::TransferRefuse { .. }
                | RtRequest::TurnPlease { .. }
                | RtRequest::TurnGive,
                state @ (State::Idle { .. }
                | State::AwaitOpen { .. }
                | State::AwaitConfirm { .. }
                | State::AwaitResponse { .. }),
            )
            | (
                RtRequest::Close,
                state @ (State::Idle { .. }
                | State::AwaitOpen { .. }
                | State::AwaitConfirm { .. }
                | State::AwaitResponse { .. }
                | State::Open { .. }),
            )
            | (RtRequest::Abort(_), state @ (State::Idle { .. } | State::AwaitOpen { .. })) => {
                Err(RequestError::OutOfState { request: name, state: state.name() })
            }
        }
    }

    /// Advances by one event from below.
    ///
    /// # Errors
    /// The peer did something that X.228 does not allow, or did nothing in its time. The machine is at its end
    /// then, and `out` holds what the peer must be told; the user must still be told.
    pub fn handle(
        &mut self,
        now: MonoTime,
        event: RtpmEvent,
        out: &mut Vec<RtpmAction>,
    ) -> Result<(), RtseError> {
        let result = match event {
            RtpmEvent::Association(indication) => self.association(indication, out),
            RtpmEvent::Presentation(indication) => self.presentation(now, indication, out),
            RtpmEvent::Deadline => self.expire(now),
        };
        if let Err(error) = &result {
            // After a stream that can't be read there is nothing to go on from.
            self.interrupted = match error {
                RtseError::External(_) => None,
                RtseError::Malformed { .. }
                | RtseError::Missing { .. }
                | RtseError::WrongApdu { .. }
                | RtseError::Context { .. }
                | RtseError::Unexpected { .. }
                | RtseError::ConnectionData { .. }
                | RtseError::ApplicationProtocol { .. }
                | RtseError::TwoWayAlternate
                | RtseError::GivenUpTooLate
                | RtseError::Held { .. }
                | RtseError::AcceptedAfterAll
                | RtseError::Timeout { .. } => self.take_interrupted(),
            };
            let has_association = match &self.state {
                State::AwaitConfirm { .. } | State::AwaitResponse { .. } | State::Open { .. } => true,
                // An AARQ whose RTORQ is wrong has been indicated to us already.
                State::AwaitOpen { .. } => !matches!(error, RtseError::Timeout { .. }),
                State::Idle { .. } | State::Ended => false,
            };
            if has_association {
                out.push(RtpmAction::Association(match error.abort_reason() {
                    Some(reason) => abort(self.mode, reason),
                    None => reject(self.mode, error),
                }));
            }
            self.state = State::Ended;
        }
        result
    }

    /// Octets of data arrived that are not yet a whole P-DATA: the peer goes on, if slowly.
    pub fn received(&mut self, now: MonoTime) {
        if let State::Open { phase, .. } = &mut self.state {
            phase.received(now + self.config.transfer_timeout);
        }
    }

    /// Octets of ours have left: the peer may not have got yet what it has to answer.
    pub fn wrote(&mut self, now: MonoTime) {
        if let State::Open { phase, .. } = &mut self.state {
            phase.wrote(now + self.config.transfer_timeout);
        }
    }

    /// When [`RtpmEvent::Deadline`] is due.
    pub fn deadline(&self) -> Option<MonoTime> {
        self.timer().map(|(until, _, _)| until)
    }

    /// Whether this side holds the turn. One that was given is the peer's, whether it has arrived there or not.
    pub fn has_turn(&self) -> bool {
        match &self.state {
            State::Open { turn, phase, .. } => {
                turn.is_ours() && !matches!(phase, Phase::AwaitTurnTaken { .. })
            }
            State::Idle { .. }
            | State::AwaitOpen { .. }
            | State::AwaitConfirm { .. }
            | State::AwaitResponse { .. }
            | State::Ended => false,
        }
    }

    /// The name of the session connection, once there is one.
    pub fn session_connection(&self) -> Option<&SessionConnectionIdentifier> {
        self.connection.as_ref()
    }

    /// Identifier of the activity in which the peer's APDU comes, as on the wire, from its start to its acceptance.
    pub fn receiving_activity(&self) -> Option<&[u8]> {
        match &self.state {
            State::Open { phase, .. } => phase.receiving_activity(),
            State::Idle { .. }
            | State::AwaitOpen { .. }
            | State::AwaitConfirm { .. }
            | State::AwaitResponse { .. }
            | State::Ended => None,
        }
    }

    /// The transfer in progress, or that was in progress when the machine came to its end, if it can be resumed. Given
    /// once, with the word to the user that the association is over.
    pub fn take_interrupted(&mut self) -> Option<Box<Interrupted>> {
        match &self.state {
            State::Open { phase, .. } => phase.interrupted().map(Box::new),
            State::Idle { .. }
            | State::AwaitOpen { .. }
            | State::AwaitConfirm { .. }
            | State::AwaitResponse { .. }
            | State::Ended => self.interrupted.take(),
        }
    }

    /// Ends the machine without a word: not all that it said has reached its user, so that nothing can go on from here.
    pub fn abandon(&mut self) {
        self.state = State::Ended;
        self.interrupted = None;
    }

    /// What was settled, once the association is open.
    pub fn agreed(&self) -> Option<Agreed> {
        match &self.state {
            State::Open { settled, .. } => Some(settled.agreed),
            State::Idle { .. }
            | State::AwaitOpen { .. }
            | State::AwaitConfirm { .. }
            | State::AwaitResponse { .. }
            | State::Ended => None,
        }
    }

    /// The state in words, for error texts and the log.
    pub fn state_name(&self) -> &'static str {
        self.state.name()
    }

    /// How RTSE APDUs are encoded.
    pub(crate) fn presentation_mode(&self) -> PresentationMode {
        self.mode
    }

    fn presentation(
        &mut self,
        now: MonoTime,
        indication: PIndication,
        out: &mut Vec<RtpmAction>,
    ) -> Result<(), RtseError> {
        match &mut self.state {
            State::Ended => Ok(()),
            State::Open { settled, turn, phase } => {
                let (config, connection) = (&self.config, self.connection.as_ref());
                Open { now, config, connection, settled, turn, phase, out }.indication(indication)
            }
            state @ (State::Idle { .. }
            | State::AwaitOpen { .. }
            | State::AwaitConfirm { .. }
            | State::AwaitResponse { .. }) => {
                Err(RtseError::Unexpected { event: "data or activity", state: state.name() })
            }
        }
    }

    fn expire(&mut self, now: MonoTime) -> Result<(), RtseError> {
        match self.timer() {
            Some((until, state, after)) if now >= until => Err(RtseError::Timeout { state, after }),
            Some(_) | None => Ok(()),
        }
    }

    fn timer(&self) -> Option<(MonoTime, &'static str, Duration)> {
        match &self.state {
            State::AwaitOpen { until } | State::AwaitConfirm { until, .. } => {
                Some((*until, self.state.name(), self.config.open_timeout))
            }
            State::Open { turn, phase: Phase::Ready, .. } => turn
                .until()
                .map(|until| (until, "waiting for the peer to give the turn", self.config.turn_timeout)),
            State::Open { phase, .. } => {
                phase.timer(&self.config).map(|(until, after)| (until, phase.name(), after))
            }
            State::Idle { .. } | State::AwaitResponse { .. } | State::Ended => None,
        }
    }

    fn abort(&mut self, reason: AbortReason, text: String, out: &mut Vec<RtpmAction>) {
        // First the word to the user: what is sent may end the connection at once.
        let interrupted = self.take_interrupted();
        let aborted = Aborted {
            layer: Layer::Application,
            blame: Blame::Local,
            by_peer: false,
            reason: Some(reason),
            interrupted,
            text,
        };
        self.end(RtIndication::Aborted(aborted), out);
        out.push(RtpmAction::Association(abort(self.mode, reason)));
    }

    pub(super) fn end(&mut self, indication: RtIndication, out: &mut Vec<RtpmAction>) {
        self.state = State::Ended;
        out.push(RtpmAction::Indication(indication));
    }
}
