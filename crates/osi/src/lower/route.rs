//! Who gets what a layer gives out.

use super::step::{LayerEvent, Step};
use crate::acse::{AcpmAction, AcpmEvent};
use crate::cotp::{CotpAction, TRequest};
use crate::presentation::{PIndication, PpmAction, PpmEvent};
use crate::session::SpmAction;

pub(super) fn from_cotp<U>(action: CotpAction) -> Step<U> {
    match action {
        CotpAction::Tpdu(tpdu) => Step::Transmit(tpdu),
        CotpAction::Indication(indication) => Step::Layer(LayerEvent::FromCotp(indication)),
        CotpAction::Close => Step::Close,
    }
}

pub(super) fn from_spm<U>(action: SpmAction) -> Step<U> {
    Step::Layer(match action {
        SpmAction::Tsdu(tsdu) => LayerEvent::Cotp(TRequest::Data(tsdu)),
        SpmAction::TsduPart { octets, last } => LayerEvent::Cotp(TRequest::DataPart { octets, last }),
        SpmAction::Indication(indication) => LayerEvent::Ppm(PpmEvent::Session(indication)),
        SpmAction::TDisconnect => LayerEvent::Disconnect,
    })
}

pub(super) fn from_ppm<U>(action: PpmAction) -> Step<U> {
    match action {
        PpmAction::Session(request) => Step::session(request),
        // Transfer is for what is above, the association is ACSE's.
        PpmAction::Indication(
            indication @ (PIndication::Data(_)
            | PIndication::DataPart { .. }
            | PIndication::Sync(_)
            | PIndication::TokenPlease { .. }),
        ) => Step::Presentation(indication),
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
        ) => Step::Layer(LayerEvent::Acpm(AcpmEvent::Presentation(indication))),
    }
}

pub(super) fn from_acpm<U>(action: AcpmAction) -> Step<U> {
    match action {
        AcpmAction::Presentation(request) => Step::presentation(request),
        AcpmAction::Indication(indication) => Step::Association(indication),
    }
}
