use alloc::vec::Vec;

use ber::Oid;

use super::apdu::{Abrt, AcseApdu, AeTitle, AssociateResult, Diagnostic};
use super::error::AcseError;
use super::service::{AIndication, ARequest};
use super::user_data::indication_name;
use crate::presentation::{Contexts, PIndication, PRequest, PresentationMode};

/// Abstract syntax of the ACSE APDUs, 2.2.1.0.1.
pub const ABSTRACT_SYNTAX_ACSE: Oid = Oid::from_static(&[0x52, 1, 0, 1]);

/// Settings of one association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcpmConfig {
    /// The application context which is proposed, and the only one accepted.
    pub application_context: Oid,
    /// Abstract syntax of what rides in user information.
    pub user_syntax: Oid,
    /// Called titles to send in an AARQ; none by default.
    pub called: AeTitle,
    /// Calling titles to send in an AARQ; none by default.
    pub calling: AeTitle,
}

/// Association control protocol machine (X.227), one per association, for both ends of it.
#[derive(Clone, Debug)]
pub struct Acpm {
    pub(super) config: AcpmConfig,
    /// That of the presentation connection. In X.410 mode there are no APDUs: user information is all that there is.
    pub(super) mode: PresentationMode,
    state: State,
}

/// State of an [`Acpm`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing has happened.
    Idle,
    /// AARQ sent.
    AwaitAare {
        /// Contexts proposed.
        contexts: Contexts,
    },
    /// AARQ received and indicated.
    AwaitResponse {
        /// Contexts agreed.
        contexts: Contexts,
    },
    /// Associated.
    Associated {
        /// Contexts agreed.
        contexts: Contexts,
    },
    /// RLRQ sent.
    AwaitRlre {
        /// Contexts agreed.
        contexts: Contexts,
    },
    /// RLRQ received and indicated.
    AwaitReleaseResponse {
        /// Contexts agreed.
        contexts: Contexts,
    },
    /// Over.
    Closed,
}

/// What happens to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcpmEvent {
    /// The user wants something.
    Request(ARequest),
    /// The presentation layer says something about the connection.
    Presentation(PIndication),
}

/// What the machine does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcpmAction {
    /// To the presentation layer.
    Presentation(PRequest),
    /// To the user.
    Indication(AIndication),
}

impl Acpm {
    /// A machine in its idle state.
    pub fn new(config: AcpmConfig) -> Self {
        Acpm { config, mode: PresentationMode::default(), state: State::Idle }
    }

    /// The state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Advances by one event.
    ///
    /// # Errors
    /// The event has no place in this state or carries something wrong. Unless it is a request of our own, the
    /// machine is closed then, and `out` holds what the peer must be told. A request out of state changes nothing.
    pub fn handle(&mut self, event: AcpmEvent, out: &mut Vec<AcpmAction>) -> Result<(), AcseError> {
        match event {
            AcpmEvent::Request(request) => self.request(request, out),
            AcpmEvent::Presentation(indication) => match self.presentation(indication) {
                Ok(indication) => {
                    out.extend(indication.map(AcpmAction::Indication));
                    Ok(())
                }
                Err(error) => {
                    self.reply_to_error(&error, out);
                    self.state = State::Closed;
                    Err(error)
                }
            },
        }
    }

    fn request(&mut self, request: ARequest, out: &mut Vec<AcpmAction>) -> Result<(), AcseError> {
        let wrong =
            |request, state: &State| Err(AcseError::RequestOutOfState { request, state: state.name() });
        let (presentation, next) = match (request, &self.state) {
            (ARequest::Associate(associate), State::Idle) => {
                self.mode = associate.connect.mode;
                let contexts = associate.connect.contexts.clone();
                (self.aarq(associate), State::AwaitAare { contexts })
            }
            (ARequest::AssociateAccept { user_information }, State::AwaitResponse { contexts }) => {
                let aare = self.aare(contexts, AssociateResult::Accepted, Diagnostic::NULL, user_information);
                (
                    PRequest::ConnectAccept { user_data: aare },
                    State::Associated { contexts: contexts.clone() },
                )
            }
            (
                ARequest::AssociateReject { transient, user_information },
                State::AwaitResponse { contexts },
            ) => {
                let result = if transient {
                    AssociateResult::RejectedTransient
                } else {
                    AssociateResult::RejectedPermanent
                };
                let aare = self.aare(contexts, result, Diagnostic::NO_REASON, user_information);
                (PRequest::ConnectReject { user_data: aare }, State::Closed)
            }
            (ARequest::Release { user_information }, State::Associated { contexts }) => {
                let user_data = self.release(contexts, AcseApdu::Rlrq, user_information);
                (PRequest::Release { user_data }, State::AwaitRlre { contexts: contexts.clone() })
            }
            (ARequest::ReleaseResponse { user_information }, State::AwaitReleaseResponse { contexts }) => {
                let user_data = self.release(contexts, AcseApdu::Rlre, user_information);
                (PRequest::ReleaseResponse { user_data }, State::Closed)
            }
            (
                ARequest::Abort { user_information },
                State::AwaitAare { contexts }
                | State::AwaitResponse { contexts }
                | State::Associated { contexts }
                | State::AwaitRlre { contexts }
                | State::AwaitReleaseResponse { contexts },
            ) => (PRequest::Abort { user_data: self.abrt(contexts, user_information) }, State::Closed),
            (
                ARequest::Associate(_),
                state @ (State::AwaitAare { .. }
                | State::AwaitResponse { .. }
                | State::Associated { .. }
                | State::AwaitRlre { .. }
                | State::AwaitReleaseResponse { .. }
                | State::Closed),
            ) => return wrong("A-ASSOCIATE request", state),
            (
                ARequest::AssociateAccept { .. } | ARequest::AssociateReject { .. },
                state @ (State::Idle
                | State::AwaitAare { .. }
                | State::Associated { .. }
                | State::AwaitRlre { .. }
                | State::AwaitReleaseResponse { .. }
                | State::Closed),
            ) => return wrong("A-ASSOCIATE response", state),
            (
                ARequest::Release { .. },
                state @ (State::Idle
                | State::AwaitAare { .. }
                | State::AwaitResponse { .. }
                | State::AwaitRlre { .. }
                | State::AwaitReleaseResponse { .. }
                | State::Closed),
            ) => return wrong("A-RELEASE request", state),
            (
                ARequest::ReleaseResponse { .. },
                state @ (State::Idle
                | State::AwaitAare { .. }
                | State::AwaitResponse { .. }
                | State::Associated { .. }
                | State::AwaitRlre { .. }
                | State::Closed),
            ) => return wrong("A-RELEASE response", state),
            (ARequest::Abort { .. }, state @ (State::Idle | State::Closed)) => {
                return wrong("A-ABORT request", state);
            }
        };
        self.state = next;
        out.push(AcpmAction::Presentation(presentation));
        Ok(())
    }

    fn presentation(&mut self, indication: PIndication) -> Result<Option<AIndication>, AcseError> {
        let name = indication_name(&indication);
        let unexpected = |state: &State| AcseError::Unexpected { event: name, state: state.name() };
        let (indication, next) = match (indication, &self.state) {
            (_, State::Closed) => return Ok(None),
            (PIndication::Connect(connect), State::Idle) => {
                self.mode = connect.mode;
                // Moved at once: a rejection needs the contexts too.
                self.state = State::AwaitResponse { contexts: connect.contexts.clone() };
                return self.associate(connect).map(Some);
            }
            (PIndication::ConnectConfirm { user_data }, State::AwaitAare { contexts }) => {
                let user_information = self.accepted(contexts, user_data)?;
                let next = State::Associated { contexts: contexts.clone() };
                (AIndication::AssociateConfirm { user_information }, next)
            }
            (PIndication::ConnectRejected { user_data }, State::AwaitAare { contexts }) => {
                (AIndication::AssociateRejected(self.rejected(contexts, user_data)), State::Closed)
            }
            (PIndication::ConnectRefusedByProvider { reason }, State::AwaitAare { .. }) => {
                (AIndication::RefusedByPresentation { reason }, State::Closed)
            }
            (PIndication::ConnectRefusedBySession(refuse), State::AwaitAare { .. }) => {
                (AIndication::RefusedBySession(refuse), State::Closed)
            }
            (PIndication::Release { user_data }, State::Associated { contexts }) => {
                let user_information = self.released("P-RELEASE indication", contexts, user_data)?;
                let next = State::AwaitReleaseResponse { contexts: contexts.clone() };
                (AIndication::Release { user_information }, next)
            }
            (PIndication::ReleaseConfirm { user_data }, State::AwaitRlre { contexts }) => {
                let user_information = self.released("P-RELEASE confirm", contexts, user_data)?;
                (AIndication::ReleaseConfirm { user_information }, State::Closed)
            }
            (
                PIndication::UAbort { user_data },
                State::AwaitAare { contexts }
                | State::AwaitResponse { contexts }
                | State::Associated { contexts }
                | State::AwaitRlre { contexts }
                | State::AwaitReleaseResponse { contexts },
            ) => (self.aborted(contexts, user_data), State::Closed),
            (PIndication::UAbort { .. }, State::Idle) => {
                (AIndication::Abort { by_provider: false, user_information: Vec::new() }, State::Closed)
            }
            (
                PIndication::PAbort(cause),
                State::Idle
                | State::AwaitAare { .. }
                | State::AwaitResponse { .. }
                | State::Associated { .. }
                | State::AwaitRlre { .. }
                | State::AwaitReleaseResponse { .. },
            ) => (AIndication::PAbort(cause), State::Closed),
            (
                PIndication::Connect(_),
                state @ (State::AwaitAare { .. }
                | State::AwaitResponse { .. }
                | State::Associated { .. }
                | State::AwaitRlre { .. }
                | State::AwaitReleaseResponse { .. }),
            )
            | (
                PIndication::ConnectConfirm { .. }
                | PIndication::ConnectRejected { .. }
                | PIndication::ConnectRefusedByProvider { .. }
                | PIndication::ConnectRefusedBySession(_),
                state @ (State::Idle
                | State::AwaitResponse { .. }
                | State::Associated { .. }
                | State::AwaitRlre { .. }
                | State::AwaitReleaseResponse { .. }),
            )
            | (
                PIndication::Release { .. },
                state @ (State::Idle
                | State::AwaitAare { .. }
                | State::AwaitResponse { .. }
                | State::AwaitRlre { .. }
                | State::AwaitReleaseResponse { .. }),
            )
            | (
                PIndication::ReleaseConfirm { .. },
                state @ (State::Idle
                | State::AwaitAare { .. }
                | State::AwaitResponse { .. }
                | State::Associated { .. }
                | State::AwaitReleaseResponse { .. }),
            )
            | (
                // Data and synchronization belong to RTSE and never come here.
                PIndication::Data(_)
                | PIndication::DataPart { .. }
                | PIndication::Sync(_)
                | PIndication::TokenPlease { .. },
                state @ (State::Idle
                | State::AwaitAare { .. }
                | State::AwaitResponse { .. }
                | State::Associated { .. }
                | State::AwaitRlre { .. }
                | State::AwaitReleaseResponse { .. }),
            ) => return Err(unexpected(state)),
        };
        self.state = next;
        Ok(Some(indication))
    }

    fn reply_to_error(&self, error: &AcseError, out: &mut Vec<AcpmAction>) {
        let diagnostic = match error {
            AcseError::Version => Some(Diagnostic::NO_COMMON_VERSION),
            AcseError::ApplicationContext { .. } => Some(Diagnostic::APPLICATION_CONTEXT),
            AcseError::Malformed { .. }
            | AcseError::Missing { .. }
            | AcseError::WrongApdu { .. }
            | AcseError::UserContext { .. }
            | AcseError::ContradictoryResult { .. }
            | AcseError::Unexpected { .. }
            | AcseError::RequestOutOfState { .. } => None,
        };
        let abrt =
            || AcseApdu::Abrt(Abrt { by_provider: diagnostic.is_none(), user_information: Vec::new() });
        let request = match (diagnostic, &self.state) {
            (Some(diagnostic), State::AwaitResponse { contexts }) => {
                let result = AssociateResult::RejectedPermanent;
                PRequest::ConnectReject { user_data: self.aare(contexts, result, diagnostic, Vec::new()) }
            }
            (
                Some(_) | None,
                State::AwaitAare { contexts }
                | State::AwaitResponse { contexts }
                | State::Associated { contexts }
                | State::AwaitRlre { contexts }
                | State::AwaitReleaseResponse { contexts },
            ) => PRequest::Abort { user_data: self.apdu(contexts, &abrt()) },
            // Nothing is connected, so there is nobody to tell.
            (Some(_) | None, State::Idle | State::Closed) => return,
        };
        out.push(AcpmAction::Presentation(request));
    }
}

impl State {
    /// The name, for error texts.
    pub fn name(&self) -> &'static str {
        match self {
            State::Idle => "idle",
            State::AwaitAare { .. } => "await AARE",
            State::AwaitResponse { .. } => "await response",
            State::Associated { .. } => "associated",
            State::AwaitRlre { .. } => "await RLRE",
            State::AwaitReleaseResponse { .. } => "await release response",
            State::Closed => "closed",
        }
    }
}
