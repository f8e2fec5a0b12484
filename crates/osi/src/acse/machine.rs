use alloc::vec::Vec;

use ber::Oid;

use super::apdu::{Aare, Aarq, Abrt, AcseApdu, AeTitle, AssociateResult, Diagnostic, External};
use super::error::AcseError;
use super::service::{AAssociate, AIndication, AReject, ARequest};
use super::user_data::{bare, bare_value, expect_aare, find, indication_name, wrong_apdu};
use crate::presentation::{ContextId, Contexts, PConnect, PIndication, PRequest, PValue, PresentationMode};

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
    config: AcpmConfig,
    /// That of the presentation connection. In X.410 mode there are no APDUs: user information is all that there is.
    mode: PresentationMode,
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
            (ARequest::Release, State::Associated { contexts }) => {
                let user_data = self.apdu(contexts, &AcseApdu::Rlrq { reason: Some(0) });
                (PRequest::Release { user_data }, State::AwaitRlre { contexts: contexts.clone() })
            }
            (ARequest::ReleaseResponse, State::AwaitReleaseResponse { contexts }) => {
                let user_data = self.apdu(contexts, &AcseApdu::Rlre { reason: Some(0) });
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
                ARequest::Release,
                state @ (State::Idle
                | State::AwaitAare { .. }
                | State::AwaitResponse { .. }
                | State::AwaitRlre { .. }
                | State::AwaitReleaseResponse { .. }
                | State::Closed),
            ) => return wrong("A-RELEASE request", state),
            (
                ARequest::ReleaseResponse,
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
                match find("P-RELEASE indication", contexts, &user_data)? {
                    // Some peers release with nothing inside; there is nothing to be lost by it.
                    Some(AcseApdu::Rlrq { .. }) | None => {}
                    Some(found) => return Err(wrong_apdu("P-RELEASE indication", &found, "RLRQ")),
                }
                (AIndication::Release, State::AwaitReleaseResponse { contexts: contexts.clone() })
            }
            (PIndication::ReleaseConfirm { user_data }, State::AwaitRlre { contexts }) => {
                match find("P-RELEASE confirm", contexts, &user_data)? {
                    Some(AcseApdu::Rlre { .. }) | None => {}
                    Some(found) => return Err(wrong_apdu("P-RELEASE confirm", &found, "RLRE")),
                }
                (AIndication::ReleaseConfirm, State::Closed)
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
                PIndication::Data(_) | PIndication::Sync(_) | PIndication::TokenPlease { .. },
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

    fn associate(&self, mut connect: PConnect) -> Result<AIndication, AcseError> {
        let contexts = connect.contexts.clone();
        let user_data = core::mem::take(&mut connect.user_data);
        match self.mode {
            PresentationMode::Normal => {}
            PresentationMode::X410 => {
                return Ok(AIndication::Associate(AAssociate { connect, user_information: bare(user_data) }));
            }
        }
        let aarq = match find("P-CONNECT indication", &contexts, &user_data)? {
            Some(AcseApdu::Aarq(aarq)) => aarq,
            Some(found) => return Err(wrong_apdu("P-CONNECT indication", &found, "AARQ")),
            None => return Err(AcseError::Missing { primitive: "P-CONNECT indication", expected: "AARQ" }),
        };
        if !aarq.version1 {
            return Err(AcseError::Version);
        }
        if aarq.application_context != self.config.application_context {
            return Err(self.wrong_context(aarq.application_context));
        }
        let user_information = self.user_information("AARQ", &contexts, aarq.user_information)?;
        Ok(AIndication::Associate(AAssociate { connect, user_information }))
    }

    fn aarq(&self, associate: AAssociate) -> PRequest {
        let mut connect = associate.connect;
        match self.mode {
            PresentationMode::Normal => {}
            PresentationMode::X410 => {
                connect.user_data = bare_value(associate.user_information);
                return PRequest::Connect(connect);
            }
        }
        let aarq = AcseApdu::Aarq(Aarq {
            version1: true,
            application_context: self.config.application_context.clone(),
            called: self.config.called.clone(),
            calling: self.config.calling.clone(),
            user_information: self.externals(&connect.contexts, associate.user_information),
        });
        connect.user_data = self.apdu(&connect.contexts, &aarq);
        PRequest::Connect(connect)
    }

    fn aare(
        &self,
        contexts: &Contexts,
        result: AssociateResult,
        diagnostic: Diagnostic,
        user_information: Vec<u8>,
    ) -> Vec<PValue> {
        match self.mode {
            PresentationMode::Normal => {}
            PresentationMode::X410 => return bare_value(user_information),
        }
        let aare = AcseApdu::Aare(Aare {
            application_context: self.config.application_context.clone(),
            result,
            diagnostic,
            user_information: self.externals(contexts, user_information),
        });
        self.apdu(contexts, &aare)
    }

    fn abrt(&self, contexts: &Contexts, user_information: Vec<u8>) -> Vec<PValue> {
        match self.mode {
            PresentationMode::Normal => {
                let user_information = self.externals(contexts, user_information);
                self.apdu(contexts, &AcseApdu::Abrt(Abrt { by_provider: false, user_information }))
            }
            PresentationMode::X410 => bare_value(user_information),
        }
    }

    /// User information of a positive confirm.
    fn accepted(&self, contexts: &Contexts, user_data: Vec<PValue>) -> Result<Vec<u8>, AcseError> {
        match self.mode {
            PresentationMode::Normal => {}
            PresentationMode::X410 => return Ok(bare(user_data)),
        }
        let aare = expect_aare("P-CONNECT confirm", contexts, &user_data)?
            .ok_or(AcseError::Missing { primitive: "P-CONNECT confirm", expected: "AARE" })?;
        match aare.result {
            AssociateResult::Accepted => {}
            result @ (AssociateResult::RejectedPermanent | AssociateResult::RejectedTransient) => {
                return Err(AcseError::ContradictoryResult { result });
            }
        }
        if aare.application_context != self.config.application_context {
            return Err(self.wrong_context(aare.application_context));
        }
        self.user_information("AARE", contexts, aare.user_information)
    }

    /// A negative confirm. Refused is refused, whatever can be read of the AARE.
    fn rejected(&self, contexts: &Contexts, user_data: Vec<PValue>) -> AReject {
        let aare = match self.mode {
            PresentationMode::Normal => {
                expect_aare("P-CONNECT confirm", contexts, &user_data).unwrap_or_default()
            }
            PresentationMode::X410 => None,
        };
        match (aare, self.mode) {
            (Some(aare), _) => AReject {
                transient: aare.result == AssociateResult::RejectedTransient,
                diagnostic: Some(aare.diagnostic),
                user_information: self
                    .user_information("AARE", contexts, aare.user_information)
                    .unwrap_or_default(),
            },
            (None, PresentationMode::Normal) => {
                AReject { transient: false, diagnostic: None, user_information: Vec::new() }
            }
            (None, PresentationMode::X410) => {
                AReject { transient: false, diagnostic: None, user_information: bare(user_data) }
            }
        }
    }

    fn aborted(&self, contexts: &Contexts, user_data: Vec<PValue>) -> AIndication {
        match self.mode {
            PresentationMode::Normal => {}
            PresentationMode::X410 => {
                return AIndication::Abort { by_provider: false, user_information: bare(user_data) };
            }
        }
        // An abort is one whatever it carries.
        match find("P-U-ABORT indication", contexts, &user_data) {
            Ok(Some(AcseApdu::Abrt(abrt))) => AIndication::Abort {
                by_provider: abrt.by_provider,
                user_information: self
                    .user_information("ABRT", contexts, abrt.user_information)
                    .unwrap_or_default(),
            },
            Ok(
                Some(AcseApdu::Aarq(_) | AcseApdu::Aare(_) | AcseApdu::Rlrq { .. } | AcseApdu::Rlre { .. })
                | None,
            )
            | Err(_) => AIndication::Abort { by_provider: false, user_information: Vec::new() },
        }
    }

    /// The one value among the EXTERNALs that is the user's. A peer may leave the references out, since there is
    /// only one context that can be meant.
    fn user_information(
        &self,
        apdu: &'static str,
        contexts: &Contexts,
        externals: Vec<External>,
    ) -> Result<Vec<u8>, AcseError> {
        let Some(external) = externals.into_iter().next() else { return Ok(Vec::new()) };
        match external.indirect_reference {
            Some(context) if contexts.syntax(context) != Some(&self.config.user_syntax) => {
                Err(AcseError::UserContext { apdu, context })
            }
            Some(_) | None => Ok(external.encoding),
        }
    }

    fn externals(&self, contexts: &Contexts, encoding: Vec<u8>) -> Vec<External> {
        if encoding.is_empty() {
            return Vec::new();
        }
        let indirect_reference = contexts.of(&self.config.user_syntax);
        Vec::from([External { direct_reference: None, indirect_reference, encoding }])
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

    /// The APDU as a value in the context of ACSE, or nothing in X.410 mode.
    fn apdu(&self, contexts: &Contexts, apdu: &AcseApdu) -> Vec<PValue> {
        match self.mode {
            PresentationMode::Normal => {
                // The presentation layer settles no connection without this context.
                let context = contexts.of(&ABSTRACT_SYNTAX_ACSE).unwrap_or(ContextId(1));
                Vec::from([PValue { context, encoding: apdu.encode() }])
            }
            PresentationMode::X410 => Vec::new(),
        }
    }

    fn wrong_context(&self, found: Oid) -> AcseError {
        AcseError::ApplicationContext { found, ours: self.config.application_context.clone() }
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
