//! What association control puts into the user data of the presentation layer and finds there (X.227): its APDU in
//! normal mode, the user's information itself in X.410 mode. Decides nothing about states.

use alloc::vec::Vec;

use ber::Oid;

use super::apdu::{Aare, Aarq, Abrt, AcseApdu, AssociateResult, Diagnostic, External, Release};
use super::error::AcseError;
use super::machine::{ABSTRACT_SYNTAX_ACSE, Acpm};
use super::service::{AAssociate, AIndication, AReject};
use crate::presentation::{ContextId, Contexts, PConnect, PIndication, PRequest, PValue, PresentationMode};

const RELEASE_INDICATION: &str = "P-RELEASE indication";

impl Acpm {
    pub(super) fn associate(&self, mut connect: PConnect) -> Result<AIndication, AcseError> {
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

    pub(super) fn aarq(&self, associate: AAssociate) -> PRequest {
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

    pub(super) fn aare(
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

    pub(super) fn abrt(&self, contexts: &Contexts, user_information: Vec<u8>) -> Vec<PValue> {
        match self.mode {
            PresentationMode::Normal => {
                let user_information = self.externals(contexts, user_information);
                self.apdu(contexts, &AcseApdu::Abrt(Abrt { by_provider: false, user_information }))
            }
            PresentationMode::X410 => bare_value(user_information),
        }
    }

    /// User information of a positive confirm.
    pub(super) fn accepted(&self, contexts: &Contexts, user_data: Vec<PValue>) -> Result<Vec<u8>, AcseError> {
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
    pub(super) fn rejected(&self, contexts: &Contexts, user_data: Vec<PValue>) -> AReject {
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

    /// RLRQ or RLRE, whichever `apdu` makes, or nothing in X.410 mode.
    pub(super) fn release(
        &self,
        contexts: &Contexts,
        apdu: fn(Release) -> AcseApdu,
        user_information: Vec<u8>,
    ) -> Vec<PValue> {
        let user_information = self.externals(contexts, user_information);
        self.apdu(contexts, &apdu(Release { reason: Some(0), user_information }))
    }

    /// User information of the RLRQ or RLRE that belongs into this primitive.
    pub(super) fn released(
        &self,
        primitive: &'static str,
        contexts: &Contexts,
        user_data: Vec<PValue>,
    ) -> Result<Vec<u8>, AcseError> {
        let requested = primitive == RELEASE_INDICATION;
        let expected = if requested { "RLRQ" } else { "RLRE" };
        let release = match find(primitive, contexts, &user_data)? {
            // Some peers release with nothing inside; there is nothing to be lost by it.
            None => return Ok(Vec::new()),
            Some(AcseApdu::Rlrq(release)) if requested => release,
            Some(AcseApdu::Rlre(release)) if !requested => release,
            Some(
                found @ (AcseApdu::Aarq(_)
                | AcseApdu::Aare(_)
                | AcseApdu::Rlrq(_)
                | AcseApdu::Rlre(_)
                | AcseApdu::Abrt(_)),
            ) => return Err(wrong_apdu(primitive, &found, expected)),
        };
        self.user_information(expected, contexts, release.user_information)
    }

    pub(super) fn aborted(&self, contexts: &Contexts, user_data: Vec<PValue>) -> AIndication {
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
                Some(AcseApdu::Aarq(_) | AcseApdu::Aare(_) | AcseApdu::Rlrq(_) | AcseApdu::Rlre(_)) | None,
            )
            | Err(_) => AIndication::Abort { by_provider: false, user_information: Vec::new() },
        }
    }

    /// The one value among the EXTERNALs that is the user's: the first in the user's context, or else the first that
    /// names none. A peer may leave the references out, since there is only one context that can be meant.
    pub(super) fn user_information(
        &self,
        apdu: &'static str,
        contexts: &Contexts,
        externals: Vec<External>,
    ) -> Result<Vec<u8>, AcseError> {
        let mut unnamed = None;
        let mut foreign = None;
        for external in externals {
            match external.indirect_reference {
                Some(context) if contexts.syntax(context) == Some(&self.config.user_syntax) => {
                    return Ok(external.encoding);
                }
                Some(context) => foreign = foreign.or(Some(context)),
                None => unnamed = unnamed.or(Some(external.encoding)),
            }
        }
        match (unnamed, foreign) {
            (Some(encoding), _) => Ok(encoding),
            (None, Some(context)) => Err(AcseError::UserContext { apdu, context }),
            (None, None) => Ok(Vec::new()),
        }
    }

    pub(super) fn externals(&self, contexts: &Contexts, encoding: Vec<u8>) -> Vec<External> {
        if encoding.is_empty() {
            return Vec::new();
        }
        let indirect_reference = contexts.of(&self.config.user_syntax);
        Vec::from([External { direct_reference: None, indirect_reference, encoding }])
    }

    /// The APDU as a value in the context of ACSE, or nothing in X.410 mode.
    pub(super) fn apdu(&self, contexts: &Contexts, apdu: &AcseApdu) -> Vec<PValue> {
        match self.mode {
            PresentationMode::Normal => {
                // The presentation layer settles no connection without this context.
                let context = contexts.of(&ABSTRACT_SYNTAX_ACSE).unwrap_or(ContextId(1));
                Vec::from([PValue { context, encoding: apdu.encode() }])
            }
            PresentationMode::X410 => Vec::new(),
        }
    }

    pub(super) fn wrong_context(&self, found: Oid) -> AcseError {
        AcseError::ApplicationContext { found, ours: self.config.application_context.clone() }
    }
}

/// User information as user data of X.410 mode.
fn bare_value(encoding: Vec<u8>) -> Vec<PValue> {
    if encoding.is_empty() {
        return Vec::new();
    }
    Vec::from([PValue { context: ContextId::DEFAULT, encoding }])
}

/// User information out of user data of X.410 mode.
fn bare(values: Vec<PValue>) -> Vec<u8> {
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

fn expect_aare(
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
        PIndication::Data(_) | PIndication::DataPart { .. } => "P-DATA indication",
        PIndication::Sync(_) => "P-ACTIVITY or P-SYNC indication",
        PIndication::TokenPlease { .. } => "P-TOKEN-PLEASE indication",
        PIndication::Release { .. } => RELEASE_INDICATION,
        PIndication::ReleaseConfirm { .. } => "P-RELEASE confirm",
        PIndication::UAbort { .. } => "P-U-ABORT indication",
        PIndication::PAbort(_) => "P-P-ABORT indication",
    }
}
