use alloc::vec::Vec;

use ber::Oid;

use super::arriving::Arriving;
use super::connect::Answer;
use super::error::PresentationError;
use super::mapping::{indication_name, request_name, sync_indication, sync_request};
use super::ppdu::ContextResult;
use super::service::{Contexts, PAbortCause, PIndication, PRequest, PresentationMode};
use super::wire::{aborted, arp, aru, data_head, decode, encode, refused};
use crate::session::{SAccept, SsIndication, SsRequest};

/// Basic Encoding Rules as a transfer syntax, 2.1.1: the only one used.
pub const TRANSFER_SYNTAX_BER: Oid = Oid::from_static(&[0x51, 1]);

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
    pub(super) config: PpmConfig,
    /// Settled by the CP.
    pub(super) mode: PresentationMode,
    pub(super) state: State,
    /// The user data that arrives in pieces.
    arriving: Option<Arriving>,
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
        /// Longest user data that the session layer takes with the response.
        limit: Option<usize>,
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
        Ppm { config, mode: PresentationMode::default(), state: State::Idle, arriving: None }
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
    /// machine is closed then, and `out` holds what the peer must be told. A request out of state changes nothing; an
    /// acceptance that the session layer has no room for becomes a refusal.
    pub fn handle(&mut self, event: PpmEvent, out: &mut Vec<PpmAction>) -> Result<(), PresentationError> {
        match event {
            PpmEvent::Request(request) => self.request(request, out),
            PpmEvent::Session(indication) => {
                let result = self.session(indication, out);
                if let Err(error) = &result {
                    if !error.is_refused() {
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
            (
                PRequest::ConnectAccept { user_data },
                State::AwaitResponse { contexts, results, session, limit },
            ) => match self.cpa(results, &user_data, *limit) {
                Ok(cpa) => {
                    let accept = SAccept { user_data: cpa, ..session.clone() };
                    self.state = State::Connected { contexts: contexts.clone() };
                    SsRequest::ConnectAccept(accept)
                }
                Err(error) => {
                    out.push(PpmAction::Session(self.refuse(Answer::LimitExceeded, *limit)));
                    self.state = State::Closed;
                    return Err(error);
                }
            },
            (PRequest::ConnectReject { user_data }, State::AwaitResponse { results, limit, .. }) => {
                let refuse = self.refuse(Answer::User { results, user_data: &user_data }, *limit);
                self.state = State::Closed;
                refuse
            }
            (PRequest::ConnectRefuseByProvider { reason }, State::AwaitResponse { limit, .. }) => {
                let refuse = self.refuse(Answer::Provider(reason), *limit);
                self.state = State::Closed;
                refuse
            }
            (PRequest::Data(values), State::Connected { .. }) => SsRequest::Data(encode(self.mode, &values)),
            (PRequest::DataPart { start, octets, last }, State::Connected { .. }) => {
                let octets = match (self.mode, start) {
                    (PresentationMode::Normal, Some((context, length))) => {
                        let mut all = data_head(context, length);
                        all.extend_from_slice(&octets);
                        all
                    }
                    (PresentationMode::Normal, None) | (PresentationMode::X410, _) => octets,
                };
                SsRequest::DataPart { octets, last }
            }
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
                | PRequest::DataPart { .. }
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
                | PRequest::DataPart { .. }
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
            (SsIndication::DataPart { octets, first, last }, State::Connected { contexts }) => {
                if first {
                    self.arriving = Some(Arriving::new(self.mode, contexts));
                }
                let Some(arriving) = &mut self.arriving else {
                    return Err(PresentationError::Unexpected { event: name, state: self.state.name() });
                };
                let parts = arriving.take(octets, last)?;
                if last {
                    self.arriving = None;
                }
                PIndication::DataPart { parts, first, last }
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
