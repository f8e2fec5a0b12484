use alloc::vec::Vec;

use ber::Oid;

use super::error::PresentationError;
use super::mapping::{indication_name, request_name, sync_indication, sync_request};
use super::ppdu::{self, ByMode, ContextDefinition, ContextResult, Cp, Cpa, Cpr, Mode};
use super::service::{Contexts, PAbortCause, PConnect, PIndication, PRequest, PValue, PresentationMode};
use super::user_data::UserData;
use super::wire::{aborted, arp, aru, decode, encode, full, refused, values, x410_set, x410_value};
use crate::session::{SAccept, SConnect, SRefuse, SsIndication, SsRequest};

/// Basic Encoding Rules as a transfer syntax, 2.1.1: the only one used.
pub const TRANSFER_SYNTAX_BER: Oid = Oid::from_static(&[0x51, 1]);

/// RF reason: rejected by the called user, with user data (X.225).
const REJECTED_BY_USER_WITH_DATA: u8 = 2;
/// RF reason: rejected by the called user, unspecified.
const REJECTED_BY_USER: u8 = 0;

/// Settings of one presentation connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PpmConfig {
    /// Abstract syntaxes that the application needs, every one of them.
    pub syntaxes: Vec<Oid>,
    /// Abstract syntaxes that the application can use beside those, if the peer has them too.
    pub optional_syntaxes: Vec<Oid>,
    /// Presentation selector to answer with (CPA, CPR); empty for none.
    pub local_selector: Vec<u8>,
}

/// Presentation protocol machine (X.226), one per connection, for both ends of it.
#[derive(Clone, Debug)]
pub struct Ppm {
    config: PpmConfig,
    /// Settled by the CP.
    mode: PresentationMode,
    state: State,
}

/// State of a [`Ppm`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing has happened.
    Idle,
    /// CP sent.
    AwaitCpa {
        /// What it proposed.
        proposed: Contexts,
    },
    /// CP received and indicated.
    AwaitResponse {
        /// Contexts that will be agreed.
        contexts: Contexts,
        /// The result list to send.
        results: Vec<ContextResult>,
        /// What the session layer gets back with the response: the called selector and the identifier.
        session: SAccept,
    },
    /// Connected.
    Connected {
        /// Defined context set.
        contexts: Contexts,
    },
    /// Over.
    Closed,
}

/// What happens to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PpmEvent {
    /// The user wants something.
    Request(PRequest),
    /// The session layer says something.
    Session(SsIndication),
}

/// What the machine does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PpmAction {
    /// To the session layer.
    Session(SsRequest),
    /// To the user.
    Indication(PIndication),
}

impl Ppm {
    /// A machine in its idle state.
    pub fn new(config: PpmConfig) -> Self {
        Ppm { config, mode: PresentationMode::default(), state: State::Idle }
    }

    /// The state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The defined context set: what was agreed, or will be if the user accepts.
    pub fn contexts(&self) -> Option<&Contexts> {
        match &self.state {
            State::AwaitResponse { contexts, .. } | State::Connected { contexts } => Some(contexts),
            State::Idle | State::AwaitCpa { .. } | State::Closed => None,
        }
    }

    /// Advances by one event.
    ///
    /// # Errors
    /// The event has no place in this state or carries something wrong. Unless it is a request of our own, the
    /// machine is closed then, and `out` holds what the peer must be told. A request out of state changes nothing.
    pub fn handle(&mut self, event: PpmEvent, out: &mut Vec<PpmAction>) -> Result<(), PresentationError> {
        match event {
            PpmEvent::Request(request) => self.request(request, out),
            PpmEvent::Session(indication) => {
                let result = self.session(indication, out);
                if let Err(error) = &result {
                    let refused = matches!(
                        error,
                        PresentationError::Mode(_)
                            | PresentationError::NotProposed { .. }
                            | PresentationError::NotAccepted { .. }
                    );
                    if !refused {
                        let user_data = arp(self.mode, error.arp_reason());
                        out.push(PpmAction::Session(SsRequest::Abort { user_data }));
                    }
                    self.state = State::Closed;
                }
                result
            }
        }
    }

    fn request(&mut self, request: PRequest, out: &mut Vec<PpmAction>) -> Result<(), PresentationError> {
        let name = request_name(&request);
        let wrong =
            |state: &State| Err(PresentationError::RequestOutOfState { request: name, state: state.name() });
        let session = match (request, &self.state) {
            (PRequest::Connect(connect), State::Idle) => {
                self.mode = connect.mode;
                let (proposed, connect) = self.propose(connect);
                self.state = State::AwaitCpa { proposed };
                SsRequest::Connect(connect)
            }
            (PRequest::ConnectAccept { user_data }, State::AwaitResponse { contexts, results, session }) => {
                let accept = SAccept { user_data: self.cpa(results, &user_data), ..session.clone() };
                self.state = State::Connected { contexts: contexts.clone() };
                SsRequest::ConnectAccept(accept)
            }
            (PRequest::ConnectReject { user_data }, State::AwaitResponse { results, .. }) => {
                let cpr = self.cpr(results, None, &user_data);
                self.state = State::Closed;
                SsRequest::ConnectRefuse(SRefuse { reason: REJECTED_BY_USER_WITH_DATA, user_data: cpr })
            }
            (PRequest::ConnectRefuseByProvider { reason }, State::AwaitResponse { .. }) => {
                let refuse = match self.mode {
                    PresentationMode::Normal => SRefuse {
                        reason: REJECTED_BY_USER_WITH_DATA,
                        user_data: self.cpr(&[], Some(reason), &[]),
                    },
                    PresentationMode::X410 => SRefuse { reason: REJECTED_BY_USER, user_data: Vec::new() },
                };
                self.state = State::Closed;
                SsRequest::ConnectRefuse(refuse)
            }
            (PRequest::Data(values), State::Connected { .. }) => SsRequest::Data(encode(self.mode, &values)),
            (PRequest::Sync(sync), State::Connected { .. }) => sync_request(sync),
            (PRequest::TokenPlease { user_data }, State::Connected { .. }) => {
                SsRequest::TokenPlease { user_data: encode(self.mode, &user_data) }
            }
            (PRequest::Release { user_data }, State::Connected { .. }) => {
                SsRequest::Release { user_data: encode(self.mode, &user_data) }
            }
            (PRequest::ReleaseResponse { user_data }, State::Connected { .. }) => {
                self.state = State::Closed;
                SsRequest::ReleaseResponse { user_data: encode(self.mode, &user_data) }
            }
            (
                PRequest::Abort { user_data },
                State::AwaitCpa { proposed: contexts }
                | State::AwaitResponse { contexts, .. }
                | State::Connected { contexts },
            ) => {
                let user_data = aru(self.mode, contexts, &user_data);
                self.state = State::Closed;
                SsRequest::Abort { user_data }
            }
            (
                PRequest::Connect(_),
                State::AwaitCpa { .. } | State::AwaitResponse { .. } | State::Connected { .. },
            )
            | (
                PRequest::ConnectAccept { .. }
                | PRequest::ConnectReject { .. }
                | PRequest::ConnectRefuseByProvider { .. },
                State::Idle | State::AwaitCpa { .. } | State::Connected { .. },
            )
            | (
                PRequest::Data(_)
                | PRequest::Sync(_)
                | PRequest::TokenPlease { .. }
                | PRequest::Release { .. }
                | PRequest::ReleaseResponse { .. },
                State::Idle | State::AwaitCpa { .. } | State::AwaitResponse { .. },
            )
            | (PRequest::Abort { .. }, State::Idle) => return wrong(&self.state),
            (
                PRequest::Connect(_)
                | PRequest::ConnectAccept { .. }
                | PRequest::ConnectReject { .. }
                | PRequest::ConnectRefuseByProvider { .. }
                | PRequest::Data(_)
                | PRequest::Sync(_)
                | PRequest::TokenPlease { .. }
                | PRequest::Release { .. }
                | PRequest::ReleaseResponse { .. }
                | PRequest::Abort { .. },
                State::Closed,
            ) => return wrong(&self.state),
        };
        out.push(PpmAction::Session(session));
        Ok(())
    }

    fn session(
        &mut self,
        indication: SsIndication,
        out: &mut Vec<PpmAction>,
    ) -> Result<(), PresentationError> {
        let name = indication_name(&indication);
        let indication = match (indication, &self.state) {
            // Whatever still comes after the end is the session layer winding down.
            (_, State::Closed) => return Ok(()),
            (SsIndication::Connect(connect), State::Idle) => return self.connected_by_peer(connect, out),
            (SsIndication::ConnectConfirm(accept), State::AwaitCpa { .. }) => {
                return self.confirmed(accept, out);
            }
            (SsIndication::ConnectRefused(refuse), State::AwaitCpa { proposed }) => {
                let indication = refused(self.mode, refuse, proposed);
                self.state = State::Closed;
                indication
            }
            (SsIndication::Data(octets), State::Connected { contexts }) => {
                PIndication::Data(decode(self.mode, "TD", octets, contexts)?)
            }
            (SsIndication::TokenPlease { user_data }, State::Connected { contexts }) => {
                PIndication::TokenPlease {
                    user_data: decode(self.mode, "token request data", user_data, contexts)?,
                }
            }
            (SsIndication::Release { user_data }, State::Connected { contexts }) => {
                PIndication::Release { user_data: decode(self.mode, "release data", user_data, contexts)? }
            }
            (SsIndication::ReleaseConfirm { user_data }, State::Connected { contexts }) => {
                let user_data = decode(self.mode, "release data", user_data, contexts)?;
                self.state = State::Closed;
                PIndication::ReleaseConfirm { user_data }
            }
            (
                SsIndication::Abort { user_data },
                State::AwaitCpa { proposed: contexts }
                | State::AwaitResponse { contexts, .. }
                | State::Connected { contexts },
            ) => {
                let indication = aborted(self.mode, &user_data, contexts);
                self.state = State::Closed;
                indication
            }
            (SsIndication::Abort { .. }, State::Idle) => {
                self.state = State::Closed;
                PIndication::UAbort { user_data: Vec::new() }
            }
            (
                SsIndication::ProviderAbort(cause),
                State::Idle | State::AwaitCpa { .. } | State::AwaitResponse { .. } | State::Connected { .. },
            ) => {
                self.state = State::Closed;
                PIndication::PAbort(PAbortCause::Session(cause))
            }
            (indication, state) => match (sync_indication(indication), state) {
                (Some(sync), State::Connected { .. }) => PIndication::Sync(sync),
                (Some(_) | None, State::Idle | State::AwaitCpa { .. } | State::AwaitResponse { .. })
                | (None, State::Connected { .. } | State::Closed)
                | (Some(_), State::Closed) => {
                    return Err(PresentationError::Unexpected { event: name, state: state.name() });
                }
            },
        };
        out.push(PpmAction::Indication(indication));
        Ok(())
    }

    fn propose(&self, connect: PConnect) -> (Contexts, SConnect) {
        let (contexts, user_data) = match connect.mode {
            PresentationMode::Normal => {
                let definition = |(context, syntax): &(_, Oid)| ContextDefinition {
                    context: *context,
                    abstract_syntax: syntax.clone(),
                    transfer_syntaxes: Vec::from([TRANSFER_SYNTAX_BER]),
                };
                let cp = Cp {
                    calling_selector: connect.calling_selector,
                    called_selector: connect.called_selector,
                    contexts: connect.contexts.iter().map(definition).collect(),
                    user_data: full(&connect.user_data),
                };
                let user_data = cp.encode();
                (connect.contexts, user_data)
            }
            PresentationMode::X410 => (Contexts::default(), ppdu::encode_x410(x410_set(&connect.user_data))),
        };
        let connect = SConnect {
            calling_selector: connect.calling_session_selector,
            called_selector: connect.called_session_selector,
            identifier: connect.identifier,
            initial_turn: connect.initial_turn,
            user_data,
        };
        (contexts, connect)
    }

    fn connected_by_peer(
        &mut self,
        connect: SConnect,
        out: &mut Vec<PpmAction>,
    ) -> Result<(), PresentationError> {
        let malformed = |source| PresentationError::Malformed { ppdu: "CP", source };
        let cp = match Cp::decode(&connect.user_data).map_err(malformed)? {
            ByMode::Normal(cp) => cp,
            ByMode::X410(set) => {
                self.connected_by_peer_x410(connect, set, out);
                return Ok(());
            }
            ByMode::Other(mode) => {
                // A CPR would have to be in the peer's mode; a refusal without one is understood in any.
                let refuse = SRefuse { reason: REJECTED_BY_USER, user_data: Vec::new() };
                out.push(PpmAction::Session(SsRequest::ConnectRefuse(refuse)));
                return Err(PresentationError::Mode(mode));
            }
        };
        let (contexts, results) = self.judge(&cp.contexts)?;
        if let Some(syntax) = self.config.syntaxes.iter().find(|syntax| contexts.of(syntax).is_none()) {
            let refuse =
                SRefuse { reason: REJECTED_BY_USER_WITH_DATA, user_data: self.cpr(&results, None, &[]) };
            out.push(PpmAction::Session(SsRequest::ConnectRefuse(refuse)));
            return Err(PresentationError::NotProposed { syntax: syntax.clone() });
        }
        // A value in a context that was proposed but is rejected here can't be read by anyone and is left out.
        let user_data = match cp.user_data {
            Some(UserData::Full(list)) => Some(UserData::Full(
                list.into_iter()
                    .filter(|pdv| {
                        contexts.syntax(pdv.context).is_some()
                            || !cp.contexts.iter().any(|definition| definition.context == pdv.context)
                    })
                    .collect(),
            )),
            simple @ (Some(UserData::Simple(_)) | None) => simple,
        };
        let user_data = values("CP", user_data, &contexts)?;
        let session = response_to(&connect);
        let indication = PIndication::Connect(PConnect {
            mode: PresentationMode::Normal,
            calling_selector: cp.calling_selector,
            called_selector: cp.called_selector,
            calling_session_selector: connect.calling_selector,
            called_session_selector: connect.called_selector,
            identifier: connect.identifier,
            initial_turn: connect.initial_turn,
            contexts: contexts.clone(),
            user_data,
        });
        self.state = State::AwaitResponse { contexts, results, session };
        out.push(PpmAction::Indication(indication));
        Ok(())
    }

    /// A CP of X.410 mode proposes nothing that could be judged here.
    fn connected_by_peer_x410(&mut self, connect: SConnect, set: Vec<u8>, out: &mut Vec<PpmAction>) {
        self.mode = PresentationMode::X410;
        let session = response_to(&connect);
        self.state = State::AwaitResponse { contexts: Contexts::default(), results: Vec::new(), session };
        out.push(PpmAction::Indication(PIndication::Connect(PConnect {
            mode: PresentationMode::X410,
            calling_selector: None,
            called_selector: None,
            calling_session_selector: connect.calling_selector,
            called_session_selector: connect.called_selector,
            identifier: connect.identifier,
            initial_turn: connect.initial_turn,
            contexts: Contexts::default(),
            user_data: x410_value(set),
        })));
    }

    /// Judges a proposal: the contexts that can be used, and the answer to each one.
    fn judge(
        &self,
        proposed: &[ContextDefinition],
    ) -> Result<(Contexts, Vec<ContextResult>), PresentationError> {
        let mut accepted = Vec::new();
        let mut results = Vec::new();
        for (index, definition) in proposed.iter().enumerate() {
            if proposed.iter().take(index).any(|earlier| earlier.context == definition.context) {
                return Err(PresentationError::DuplicateContext { context: definition.context });
            }
            results.push(if !self.knows(&definition.abstract_syntax) {
                // abstract-syntax-not-supported(1)
                ContextResult::ProviderRejection(Some(1))
            } else if !definition.transfer_syntaxes.contains(&TRANSFER_SYNTAX_BER) {
                // proposed-transfer-syntaxes-not-supported(2)
                ContextResult::ProviderRejection(Some(2))
            } else {
                accepted.push((definition.context, definition.abstract_syntax.clone()));
                ContextResult::Accepted(Some(TRANSFER_SYNTAX_BER))
            });
        }
        Ok((Contexts::new(accepted), results))
    }

    fn knows(&self, syntax: &Oid) -> bool {
        self.config.syntaxes.contains(syntax) || self.config.optional_syntaxes.contains(syntax)
    }

    fn confirmed(&mut self, accept: SAccept, out: &mut Vec<PpmAction>) -> Result<(), PresentationError> {
        let State::AwaitCpa { proposed } = &self.state else { return Ok(()) };
        let malformed = |source| PresentationError::Malformed { ppdu: "CPA", source };
        let cpa = match (self.mode, Cpa::decode(&accept.user_data).map_err(malformed)?) {
            (PresentationMode::Normal, ByMode::Normal(cpa)) => cpa,
            (PresentationMode::X410, ByMode::X410(set)) => {
                self.state = State::Connected { contexts: Contexts::default() };
                let confirm = PIndication::ConnectConfirm { user_data: x410_value(set) };
                out.push(PpmAction::Indication(confirm));
                return Ok(());
            }
            (PresentationMode::Normal | PresentationMode::X410, theirs) => {
                let mode = match theirs {
                    ByMode::Normal(_) => Mode::Normal,
                    ByMode::X410(_) => Mode::X410,
                    ByMode::Other(mode) => mode,
                };
                out.push(PpmAction::Session(SsRequest::Abort { user_data: aru(self.mode, proposed, &[]) }));
                return Err(PresentationError::Mode(mode));
            }
        };
        if cpa.results.len() != proposed.len() {
            return Err(PresentationError::ResultCount {
                proposed: proposed.len(),
                answered: cpa.results.len(),
            });
        }
        let mut accepted = Vec::new();
        for ((context, syntax), result) in proposed.iter().zip(cpa.results) {
            match result {
                ContextResult::Accepted(Some(transfer)) if transfer != TRANSFER_SYNTAX_BER => {
                    return Err(PresentationError::TransferSyntax { ppdu: "CPA", syntax: transfer });
                }
                ContextResult::Accepted(_) => accepted.push((*context, syntax.clone())),
                ContextResult::UserRejection(_) | ContextResult::ProviderRejection(_)
                    if !self.config.syntaxes.contains(syntax) => {}
                result @ (ContextResult::UserRejection(_) | ContextResult::ProviderRejection(_)) => {
                    out.push(PpmAction::Session(SsRequest::Abort {
                        user_data: aru(self.mode, proposed, &[]),
                    }));
                    return Err(PresentationError::NotAccepted { syntax: syntax.clone(), result });
                }
            }
        }
        let contexts = Contexts::new(accepted);
        let user_data = values("CPA", cpa.user_data, &contexts)?;
        self.state = State::Connected { contexts };
        out.push(PpmAction::Indication(PIndication::ConnectConfirm { user_data }));
        Ok(())
    }

    fn cpa(&self, results: &[ContextResult], user_data: &[PValue]) -> Vec<u8> {
        match self.mode {
            PresentationMode::Normal => {
                let cpa = Cpa {
                    responding_selector: self.selector(),
                    results: results.to_vec(),
                    user_data: full(user_data),
                };
                cpa.encode()
            }
            PresentationMode::X410 => ppdu::encode_x410(x410_set(user_data)),
        }
    }

    fn cpr(&self, results: &[ContextResult], provider_reason: Option<i64>, user_data: &[PValue]) -> Vec<u8> {
        match self.mode {
            PresentationMode::Normal => {
                let cpr = Cpr {
                    responding_selector: self.selector(),
                    results: results.to_vec(),
                    provider_reason,
                    user_data: full(user_data),
                };
                cpr.encode()
            }
            PresentationMode::X410 => x410_set(user_data).to_vec(),
        }
    }

    fn selector(&self) -> Option<Vec<u8>> {
        Some(self.config.local_selector.clone()).filter(|selector| !selector.is_empty())
    }
}

impl State {
    /// The name, for error texts.
    pub fn name(&self) -> &'static str {
        match self {
            State::Idle => "idle",
            State::AwaitCpa { .. } => "await CPA",
            State::AwaitResponse { .. } => "await response",
            State::Connected { .. } => "connected",
            State::Closed => "closed",
        }
    }
}

/// What the session layer gets back with the response.
fn response_to(connect: &SConnect) -> SAccept {
    SAccept {
        responding_selector: connect.called_selector.clone(),
        identifier: connect.identifier.clone(),
        user_data: Vec::new(),
    }
}
