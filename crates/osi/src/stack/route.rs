//! Who gets what a layer gives out.

use super::step::{SessionInput, Step};
use crate::acse::{AcpmAction, AcpmEvent};
use crate::cotp::{CotpAction, TRequest};
use crate::presentation::{PIndication, PpmAction, PpmEvent};
use crate::rtse::{RtpmAction, RtpmEvent};
use crate::session::SpmAction;

pub(super) fn from_cotp(action: CotpAction) -> Step {
    match action {
        CotpAction::Tpdu(tpdu) => Step::Transmit(tpdu),
        CotpAction::Indication(indication) => Step::FromCotp(indication),
        CotpAction::Close => Step::Close,
    }
}

pub(super) fn from_spm(action: SpmAction) -> Step {
    match action {
        SpmAction::Tsdu(tsdu) => Step::Cotp(TRequest::Data(tsdu)),
        SpmAction::TsduPart { octets, last } => Step::Cotp(TRequest::DataPart { octets, last }),
        SpmAction::Indication(indication) => Step::Ppm(PpmEvent::Session(indication)),
        SpmAction::TDisconnect => Step::Disconnect,
    }
}

pub(super) fn from_ppm(action: PpmAction) -> Step {
    match action {
        PpmAction::Session(request) => Step::Spm(SessionInput::Request(request)),
        // Transfer is RTSE's, the association is ACSE's.
        PpmAction::Indication(
            indication @ (PIndication::Data(_)
            | PIndication::DataPart { .. }
            | PIndication::Sync(_)
            | PIndication::TokenPlease { .. }),
        ) => Step::Rtpm(RtpmEvent::Presentation(indication)),
        PpmAction::Indication(
            indication @ (PIndication::Connect(_)
            | PIndication::ConnectConfirm { .. }
            | PIndication::ConnectRejected { .. }
            | PIndication::ConnectRefusedByProvider { .. }
            | PIndication::ConnectRefusedBySession(_)
            | PIndication::Release { .. }
            | PIndication::ReleaseConfirm { .. }
            | PIndication::UAbort { .. }
            | PIndication::PAbort(_)),
        ) => Step::Acpm(AcpmEvent::Presentation(indication)),
    }
}

pub(super) fn from_acpm(action: AcpmAction) -> Step {
    match action {
        AcpmAction::Presentation(request) => Step::Ppm(PpmEvent::Request(request)),
        AcpmAction::Indication(indication) => Step::Rtpm(RtpmEvent::Association(indication)),
    }
}

pub(super) fn from_rtpm(action: RtpmAction) -> Step {
    match action {
        RtpmAction::Association(request) => Step::Acpm(AcpmEvent::Request(request)),
        RtpmAction::Presentation(request) => Step::Ppm(PpmEvent::Request(request)),
        RtpmAction::Indication(indication) => Step::Indicate(indication),
        RtpmAction::Replay(indication) => Step::Rtpm(RtpmEvent::Presentation(indication)),
    }
}
