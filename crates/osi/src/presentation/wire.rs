//! What the user's values are on the wire in each mode, for the primitives and for the ends of a connection.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::error::PresentationError;
use super::machine::TRANSFER_SYNTAX_BER;
use super::ppdu::{Abort, Cpr};
use super::service::{Contexts, PAbortCause, PIndication, PValue, PresentationMode};
use super::user_data::{ContextId, Pdv, PdvValue, UserData, VALUES_MAX};
use crate::session::SRefuse;

/// The value of a primitive of X.410 mode, which has at most one: nothing when absent.
pub(super) fn x410_set(values: &[PValue]) -> &[u8] {
    values.first().map(|value| value.encoding.as_slice()).unwrap_or_default()
}

/// What came in X.410 mode as a value; none if nothing came.
pub(super) fn x410_value(encoding: Vec<u8>) -> Vec<PValue> {
    if encoding.is_empty() {
        return Vec::new();
    }
    Vec::from([PValue { context: ContextId::DEFAULT, encoding }])
}

/// Our values as User-data: always fully encoded, since there is always more than one context.
pub(super) fn full(values: &[PValue]) -> Option<UserData<'_>> {
    if values.is_empty() {
        return None;
    }
    Some(UserData::Full(
        values
            .iter()
            .map(|value| Pdv::new(value.context, Cow::Borrowed(value.encoding.as_slice())))
            .collect(),
    ))
}

/// SS-user data of a primitive that has no PPDU of its own.
pub(super) fn encode(mode: PresentationMode, values: &[PValue]) -> Vec<u8> {
    match mode {
        PresentationMode::Normal => {
            full(values).map(|data| ber::Writer::encode(|w| data.encode(w))).unwrap_or_default()
        }
        PresentationMode::X410 => x410_set(values).to_vec(),
    }
}

/// What [`encode`] puts in front of one value whose encoding has so many octets, in normal mode.
pub(super) fn data_head(context: ContextId, length: u64) -> Vec<u8> {
    let mut value = ber::Writer::new();
    value.integer(ber::Tag::INTEGER, context.0);
    value.header(ber::Tag::context(0), true, length);
    let mut list = ber::Writer::new();
    let octets = (value.len() as u64).saturating_add(length);
    list.header(ber::Tag::SEQUENCE, true, octets);
    let mut head = ber::Writer::new();
    head.header(UserData::FULL, true, octets.saturating_add(list.len() as u64));
    head.raw(list.as_slice());
    head.raw(value.as_slice());
    head.into_vec()
}

/// SS-user data of the provider's abort. X.410 mode has none.
pub(super) fn arp(mode: PresentationMode, reason: i64) -> Vec<u8> {
    match mode {
        PresentationMode::Normal => Abort::Arp { reason: Some(reason), event: None }.encode(&[]),
        PresentationMode::X410 => Vec::new(),
    }
}

/// SS-user data of the user's abort.
pub(super) fn aru(mode: PresentationMode, contexts: &Contexts, values: &[PValue]) -> Vec<u8> {
    match mode {
        PresentationMode::Normal => {}
        PresentationMode::X410 => return x410_set(values).to_vec(),
    }
    let list: Vec<_> = contexts.iter().map(|(context, _)| (*context, TRANSFER_SYNTAX_BER)).collect();
    Abort::Aru(full(values)).encode(&list)
}

/// SS-user data that is, in normal mode, a User-data or nothing.
pub(super) fn decode(
    mode: PresentationMode,
    ppdu: &'static str,
    octets: Vec<u8>,
    contexts: &Contexts,
) -> Result<Vec<PValue>, PresentationError> {
    match mode {
        PresentationMode::Normal if octets.is_empty() => return Ok(Vec::new()),
        PresentationMode::Normal => {}
        PresentationMode::X410 => return Ok(x410_value(octets)),
    }
    let data = UserData::decode(&octets).map_err(|source| PresentationError::Malformed { ppdu, source })?;
    values(ppdu, Some(data), contexts)
}

/// Checks that every value is in an agreed context and in BER.
pub(super) fn values(
    ppdu: &'static str,
    data: Option<UserData<'_>>,
    contexts: &Contexts,
) -> Result<Vec<PValue>, PresentationError> {
    let list = match data {
        None => return Ok(Vec::new()),
        Some(UserData::Simple(octets)) => {
            let mut all = contexts.iter();
            match (all.next(), all.next()) {
                (Some((context, _)), None) => Vec::from([Pdv {
                    transfer_syntax: None,
                    context: *context,
                    value: PdvValue::OctetAligned(octets),
                }]),
                (None | Some(_), _) => {
                    return Err(PresentationError::SimplyEncoded { ppdu, contexts: contexts.len() });
                }
            }
        }
        Some(UserData::Full(list)) => list,
    };
    let mut found = Vec::new();
    for pdv in list {
        let context = pdv.context;
        if contexts.syntax(context).is_none() {
            return Err(PresentationError::UnknownContext { ppdu, context });
        }
        match pdv.transfer_syntax {
            Some(syntax) if syntax != TRANSFER_SYNTAX_BER => {
                return Err(PresentationError::TransferSyntax { ppdu, syntax });
            }
            Some(_) | None => {}
        }
        let encodings = pdv
            .value
            .into_encodings(VALUES_MAX - found.len().min(VALUES_MAX))
            .map_err(|source| PresentationError::Malformed { ppdu, source })?;
        found.extend(encodings.into_iter().map(|encoding| PValue { context, encoding }));
    }
    Ok(found)
}

/// A refusal is accepted as one even when what it carries can't be read.
pub(super) fn refused(mode: PresentationMode, refuse: SRefuse, proposed: &Contexts) -> PIndication {
    if refuse.user_data.is_empty() {
        return PIndication::ConnectRefusedBySession(refuse);
    }
    let cpr = match (mode, Cpr::decode(&refuse.user_data)) {
        (PresentationMode::Normal | PresentationMode::X410, Ok(Some(cpr))) => cpr,
        (PresentationMode::X410, Ok(None)) => {
            return PIndication::ConnectRejected { user_data: x410_value(refuse.user_data) };
        }
        (PresentationMode::Normal, Ok(None))
        | (PresentationMode::Normal | PresentationMode::X410, Err(_)) => {
            return PIndication::ConnectRefusedBySession(refuse);
        }
    };
    if let Some(reason) = cpr.provider_reason {
        return PIndication::ConnectRefusedByProvider { reason };
    }
    let user_data = values("CPR", cpr.user_data, proposed).unwrap_or_default();
    PIndication::ConnectRejected { user_data }
}

/// An abort is one whatever it carries.
pub(super) fn aborted(mode: PresentationMode, octets: &[u8], contexts: &Contexts) -> PIndication {
    if octets.is_empty() {
        return PIndication::UAbort { user_data: Vec::new() };
    }
    match Abort::decode(octets) {
        Ok(Abort::Aru(data)) => {
            PIndication::UAbort { user_data: values("ARU", data, contexts).unwrap_or_default() }
        }
        Ok(Abort::Arp { reason, event }) => PIndication::PAbort(PAbortCause::Arp { reason, event }),
        Ok(Abort::X410) if mode == PresentationMode::X410 => {
            PIndication::UAbort { user_data: x410_value(octets.to_vec()) }
        }
        Ok(Abort::X410) | Err(_) => PIndication::PAbort(PAbortCause::Unreadable),
    }
}
