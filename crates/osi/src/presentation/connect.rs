//! How a connection comes about: what is proposed, how a proposal is judged, and what the answers are (X.226, CP, CPA,
//! CPR).

use alloc::vec::Vec;

use ber::Oid;

use super::error::PresentationError;
use super::machine::{Ppm, PpmAction, State, TRANSFER_SYNTAX_BER};
use super::ppdu::{self, ByMode, ContextDefinition, ContextResult, Cp, Cpa, Cpr, Mode};
use super::service::{Contexts, PConnect, PIndication, PValue, PresentationMode};
use super::user_data::{ContextId, UserData};
use super::wire::{aru, full, values, x410_set, x410_value};
use crate::session::{SAccept, SConnect, SRefuse, SsRequest};

/// RF reason: rejected by the called user, with user data (X.225).
pub(super) const REJECTED_BY_USER_WITH_DATA: u8 = 2;
/// RF reason: rejected by the called user, unspecified.
pub(super) const REJECTED_BY_USER: u8 = 0;
/// Provider-reason of a CPR: local-limit-exceeded.
const LOCAL_LIMIT_EXCEEDED: i64 = 2;
/// Provider-reason of a CPR: protocol-version-not-supported.
const PROTOCOL_VERSION_NOT_SUPPORTED: i64 = 4;
/// Most contexts that are agreed: a peer may propose a syntax more than once, but has no need of it.
const AGREED_MAX: usize = 64;

impl Ppm {
    pub(super) fn propose(&self, connect: PConnect) -> (Contexts, SConnect) {
        let (contexts, user_data) = match connect.mode {
            PresentationMode::Normal => {
                let definition = |(context, syntax): &(_, Oid)| ContextDefinition {
                    context: *context,
                    abstract_syntax: syntax.clone(),
                    transfer_syntaxes: Vec::from([TRANSFER_SYNTAX_BER]),
                };
                let cp = Cp {
                    version1: true,
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
            ..SConnect::default()
        };
        (contexts, connect)
    }

    pub(super) fn connected_by_peer(
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
        let limit = connect.response_limit;
        if !cp.version1 {
            out.push(PpmAction::Session(self.refuse(Answer::Version, limit)));
            return Err(PresentationError::Version);
        }
        let (contexts, results) = self.judge(&cp.contexts)?;
        if let Some(syntax) = self.config.syntaxes.iter().find(|syntax| contexts.of(syntax).is_none()) {
            let refuse = self.refuse(Answer::User { results: &results, user_data: &[] }, limit);
            out.push(PpmAction::Session(refuse));
            return Err(PresentationError::NotProposed { syntax: syntax.clone() });
        }
        // Better now than when the user has accepted.
        if let Err(error) = self.cpa(&results, &[], limit) {
            out.push(PpmAction::Session(self.refuse(Answer::LimitExceeded, limit)));
            return Err(error);
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
        self.state = State::AwaitResponse { contexts, results, session, limit };
        out.push(PpmAction::Indication(indication));
        Ok(())
    }

    /// A CP of X.410 mode proposes nothing that could be judged here.
    fn connected_by_peer_x410(&mut self, connect: SConnect, set: Vec<u8>, out: &mut Vec<PpmAction>) {
        self.mode = PresentationMode::X410;
        let session = response_to(&connect);
        let limit = connect.response_limit;
        self.state =
            State::AwaitResponse { contexts: Contexts::default(), results: Vec::new(), session, limit };
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
        let mut accepted: Vec<(ContextId, Oid)> = Vec::new();
        let mut results = Vec::new();
        for (index, definition) in proposed.iter().enumerate() {
            if proposed.iter().take(index).any(|earlier| earlier.context == definition.context) {
                return Err(PresentationError::DuplicateContext { context: definition.context });
            }
            if definition.context.0 < 1 {
                return Err(PresentationError::ContextIdentifier { context: definition.context });
            }
            results.push(if !self.knows(&definition.abstract_syntax) {
                // abstract-syntax-not-supported(1)
                ContextResult::ProviderRejection(Some(1))
            } else if !definition.transfer_syntaxes.contains(&TRANSFER_SYNTAX_BER) {
                // proposed-transfer-syntaxes-not-supported(2)
                ContextResult::ProviderRejection(Some(2))
            } else if accepted.len() == AGREED_MAX {
                // local-limit-on-DCS-exceeded(3)
                ContextResult::ProviderRejection(Some(3))
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

    pub(super) fn confirmed(
        &mut self,
        accept: SAccept,
        out: &mut Vec<PpmAction>,
    ) -> Result<(), PresentationError> {
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
        if !cpa.version1 {
            out.push(PpmAction::Session(SsRequest::Abort { user_data: aru(self.mode, proposed, &[]) }));
            return Err(PresentationError::Version);
        }
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

    /// The acceptance, if the session layer has room for it.
    pub(super) fn cpa(
        &self,
        results: &[ContextResult],
        user_data: &[PValue],
        limit: Option<usize>,
    ) -> Result<Vec<u8>, PresentationError> {
        let octets = match self.mode {
            PresentationMode::Normal => Cpa {
                responding_selector: self.selector(),
                results: results.to_vec(),
                user_data: full(user_data),
                ..Cpa::default()
            }
            .encode(),
            PresentationMode::X410 => ppdu::encode_x410(x410_set(user_data)),
        };
        match limit {
            Some(limit) if octets.len() > limit => {
                Err(PresentationError::AnswerTooLong { octets: octets.len(), limit })
            }
            Some(_) | None => Ok(octets),
        }
    }

    /// The refusal. What the session layer has no room for is left out, the result list first: a refusal must not fail.
    pub(super) fn refuse(&self, answer: Answer<'_>, limit: Option<usize>) -> SsRequest {
        let fits = |octets: &Vec<u8>| limit.is_none_or(|limit| octets.len() <= limit);
        let user_data = match self.mode {
            PresentationMode::Normal => {
                let (results, provider_reason, user_data): (&[ContextResult], _, &[PValue]) = match answer {
                    Answer::User { results, user_data } => (results, None, user_data),
                    Answer::Provider(reason) => (&[], Some(reason), &[]),
                    Answer::Version => (&[], Some(PROTOCOL_VERSION_NOT_SUPPORTED), &[]),
                    Answer::LimitExceeded => (&[], Some(LOCAL_LIMIT_EXCEEDED), &[]),
                };
                let cpr = |results: &[ContextResult], user_data| {
                    let responding_selector = self.selector();
                    let (results, user_data) = (results.to_vec(), full(user_data));
                    Cpr { responding_selector, results, provider_reason, user_data }.encode()
                };
                [cpr(results, user_data), cpr(&[], user_data)]
                    .into_iter()
                    .find(fits)
                    .unwrap_or_else(|| cpr(&[], &[]))
            }
            PresentationMode::X410 => match answer {
                Answer::User { user_data, .. } => {
                    Some(x410_set(user_data).to_vec()).filter(fits).unwrap_or_default()
                }
                Answer::Provider(_) | Answer::Version | Answer::LimitExceeded => {
                    return SsRequest::ConnectRefuse(SRefuse {
                        reason: REJECTED_BY_USER,
                        user_data: Vec::new(),
                    });
                }
            },
        };
        SsRequest::ConnectRefuse(SRefuse { reason: REJECTED_BY_USER_WITH_DATA, user_data })
    }

    fn selector(&self) -> Option<Vec<u8>> {
        Some(self.config.local_selector.clone()).filter(|selector| !selector.is_empty())
    }
}

/// Who refuses a connection, and why.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer<'a> {
    /// The user, or this layer because contexts are missing, which the results tell.
    User { results: &'a [ContextResult], user_data: &'a [PValue] },
    /// This layer, with this provider-reason.
    Provider(i64),
    /// The peer does not offer version 1.
    Version,
    /// The answer would be too long for the session layer.
    LimitExceeded,
}

/// What the session layer gets back with the response.
fn response_to(connect: &SConnect) -> SAccept {
    SAccept {
        responding_selector: connect.called_selector.clone(),
        identifier: connect.identifier.clone(),
        ..SAccept::default()
    }
}
