//! Primitives that pass through the presentation layer unchanged, and the names of all of them.

use super::service::{PRequest, SyncIndication, SyncRequest};
use crate::session::{SsIndication, SsRequest};

pub(super) fn sync_request(request: SyncRequest) -> SsRequest {
    match request {
        SyncRequest::Minor => SsRequest::SyncMinor,
        SyncRequest::MinorResponse { serial } => SsRequest::SyncMinorResponse { serial },
        SyncRequest::ActivityStart { activity } => SsRequest::ActivityStart { activity },
        SyncRequest::ActivityResume(resume) => SsRequest::ActivityResume(resume),
        SyncRequest::ActivityInterrupt(reason) => SsRequest::ActivityInterrupt(reason),
        SyncRequest::ActivityEnd => SsRequest::ActivityEnd,
        SyncRequest::ActivityEndResponse => SsRequest::ActivityEndResponse,
        SyncRequest::ActivityInterruptResponse => SsRequest::ActivityInterruptResponse,
        SyncRequest::ActivityDiscard(reason) => SsRequest::ActivityDiscard(reason),
        SyncRequest::ActivityDiscardResponse => SsRequest::ActivityDiscardResponse,
        SyncRequest::ExceptionReport(reason) => SsRequest::ExceptionReport(reason),
        SyncRequest::ControlGive => SsRequest::ControlGive,
    }
}

pub(super) fn sync_indication(indication: SsIndication) -> Option<SyncIndication> {
    Some(match indication {
        SsIndication::SyncMinor { serial, confirm } => SyncIndication::Minor { serial, confirm },
        SsIndication::SyncMinorConfirm { serial } => SyncIndication::MinorConfirm { serial },
        SsIndication::ActivityStart { activity } => SyncIndication::ActivityStart { activity },
        SsIndication::ActivityResume(resume) => SyncIndication::ActivityResume(resume),
        SsIndication::ActivityEnd { serial } => SyncIndication::ActivityEnd { serial },
        SsIndication::ActivityEndConfirm => SyncIndication::ActivityEndConfirm,
        SsIndication::ActivityInterrupt(reason) => SyncIndication::ActivityInterrupt(reason),
        SsIndication::ActivityInterruptConfirm => SyncIndication::ActivityInterruptConfirm,
        SsIndication::ActivityDiscard(reason) => SyncIndication::ActivityDiscard(reason),
        SsIndication::ActivityDiscardConfirm => SyncIndication::ActivityDiscardConfirm,
        SsIndication::ExceptionReport(reason) => SyncIndication::ExceptionReport(reason),
        SsIndication::ProviderExceptionReport => SyncIndication::ProviderExceptionReport,
        SsIndication::ControlGive => SyncIndication::ControlGive,
        SsIndication::ControlGiven => SyncIndication::ControlGiven,
        SsIndication::Connect(_)
        | SsIndication::ConnectConfirm(_)
        | SsIndication::ConnectRefused(_)
        | SsIndication::Data(_)
        | SsIndication::DataPart { .. }
        | SsIndication::TokenPlease { .. }
        | SsIndication::Release { .. }
        | SsIndication::ReleaseConfirm { .. }
        | SsIndication::Abort { .. }
        | SsIndication::ProviderAbort(_) => return None,
    })
}

pub(super) fn request_name(request: &PRequest) -> &'static str {
    match request {
        PRequest::Connect(_) => "P-CONNECT request",
        PRequest::ConnectAccept { .. }
        | PRequest::ConnectReject { .. }
        | PRequest::ConnectRefuseByProvider { .. } => "P-CONNECT response",
        PRequest::Data(_) | PRequest::DataPart { .. } => "P-DATA request",
        PRequest::Sync(_) => "P-ACTIVITY or P-SYNC request",
        PRequest::TokenPlease { .. } => "P-TOKEN-PLEASE request",
        PRequest::Release { .. } => "P-RELEASE request",
        PRequest::ReleaseResponse { .. } => "P-RELEASE response",
        PRequest::Abort { .. } => "P-U-ABORT request",
    }
}

pub(super) fn indication_name(indication: &SsIndication) -> &'static str {
    match indication {
        SsIndication::Connect(_) => "S-CONNECT indication",
        SsIndication::ConnectConfirm(_) | SsIndication::ConnectRefused(_) => "S-CONNECT confirm",
        SsIndication::Data(_) | SsIndication::DataPart { .. } => "S-DATA indication",
        SsIndication::SyncMinor { .. } => "S-SYNC-MINOR indication",
        SsIndication::SyncMinorConfirm { .. } => "S-SYNC-MINOR confirm",
        SsIndication::ActivityStart { .. } => "S-ACTIVITY-START indication",
        SsIndication::ActivityResume(_) => "S-ACTIVITY-RESUME indication",
        SsIndication::ActivityEnd { .. } => "S-ACTIVITY-END indication",
        SsIndication::ActivityEndConfirm => "S-ACTIVITY-END confirm",
        SsIndication::ActivityInterrupt(_) => "S-ACTIVITY-INTERRUPT indication",
        SsIndication::ActivityInterruptConfirm => "S-ACTIVITY-INTERRUPT confirm",
        SsIndication::ActivityDiscard(_) => "S-ACTIVITY-DISCARD indication",
        SsIndication::ActivityDiscardConfirm => "S-ACTIVITY-DISCARD confirm",
        SsIndication::ExceptionReport(_) => "S-U-EXCEPTION-REPORT indication",
        SsIndication::ProviderExceptionReport => "S-P-EXCEPTION-REPORT indication",
        SsIndication::TokenPlease { .. } => "S-TOKEN-PLEASE indication",
        SsIndication::ControlGive => "S-CONTROL-GIVE indication",
        SsIndication::ControlGiven => "S-CONTROL-GIVE acknowledgement",
        SsIndication::Release { .. } => "S-RELEASE indication",
        SsIndication::ReleaseConfirm { .. } => "S-RELEASE confirm",
        SsIndication::Abort { .. } => "S-U-ABORT indication",
        SsIndication::ProviderAbort(_) => "S-P-ABORT indication",
    }
}
