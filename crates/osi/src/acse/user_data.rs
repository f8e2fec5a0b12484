//! What association control finds in the user data of the presentation layer: its APDU in normal mode, the user's
//! information itself in X.410 mode.

use alloc::vec::Vec;

use super::apdu::{Aare, AcseApdu};
use super::error::AcseError;
use super::machine::ABSTRACT_SYNTAX_ACSE;
use crate::presentation::{ContextId, Contexts, PIndication, PValue};

/// User information as user data of X.410 mode.
pub(super) fn bare_value(encoding: Vec<u8>) -> Vec<PValue> {
    if encoding.is_empty() {
        return Vec::new();
    }
    Vec::from([PValue { context: ContextId::DEFAULT, encoding }])
}

/// User information out of user data of X.410 mode.
pub(super) fn bare(values: Vec<PValue>) -> Vec<u8> {
    values.into_iter().next().map(|value| value.encoding).unwrap_or_default()
}

/// The APDU among the values, if one of them is in the context of ACSE.
pub(super) fn find(
    primitive: &'static str,
    contexts: &Contexts,
    values: &[PValue],
) -> Result<Option<AcseApdu>, AcseError> {
    values
        .iter()
        .find(|value| contexts.syntax(value.context) == Some(&ABSTRACT_SYNTAX_ACSE))
        .map(|value| AcseApdu::decode(&value.encoding))
        .transpose()
        .map_err(|source| AcseError::Malformed { primitive, source })
}

pub(super) fn expect_aare(
    primitive: &'static str,
    contexts: &Contexts,
    values: &[PValue],
) -> Result<Option<Aare>, AcseError> {
    match find(primitive, contexts, values)? {
        Some(AcseApdu::Aare(aare)) => Ok(Some(aare)),
        Some(found) => Err(wrong_apdu(primitive, &found, "AARE")),
        None => Ok(None),
    }
}

pub(super) fn wrong_apdu(primitive: &'static str, found: &AcseApdu, expected: &'static str) -> AcseError {
    AcseError::WrongApdu { primitive, found: found.name(), expected }
}

pub(super) fn indication_name(indication: &PIndication) -> &'static str {
    match indication {
        PIndication::Connect(_) => "P-CONNECT indication",
        PIndication::ConnectConfirm { .. }
        | PIndication::ConnectRejected { .. }
        | PIndication::ConnectRefusedByProvider { .. }
        | PIndication::ConnectRefusedBySession(_) => "P-CONNECT confirm",
        PIndication::Data(_) => "P-DATA indication",
        PIndication::Sync(_) => "P-ACTIVITY or P-SYNC indication",
        PIndication::TokenPlease { .. } => "P-TOKEN-PLEASE indication",
        PIndication::Release { .. } => "P-RELEASE indication",
        PIndication::ReleaseConfirm { .. } => "P-RELEASE confirm",
        PIndication::UAbort { .. } => "P-U-ABORT indication",
        PIndication::PAbort(_) => "P-P-ABORT indication",
    }
}
