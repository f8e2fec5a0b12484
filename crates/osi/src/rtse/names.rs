//! Names of service primitives (X.217, X.218, X.216), for error texts.

use super::service::RtRequest;
use crate::acse::AIndication;
use crate::presentation::SyncIndication;

/// The name of a request in X.218, for error texts.
pub(crate) fn request_name(request: &RtRequest) -> &'static str {
    match request {
        RtRequest::OpenAccept { .. } | RtRequest::OpenReject { .. } => "RT-OPEN response",
        RtRequest::Transfer { .. } | RtRequest::Resume { .. } => "RT-TRANSFER request",
        RtRequest::Segment(_) => "segment of an APDU",
        RtRequest::TransferCancel => "cancelling of a transfer",
        RtRequest::TransferInterrupt => "interrupting of a transfer",
        RtRequest::ResumeAccept(_) | RtRequest::ResumeRefuse | RtRequest::ResumeCompleted => {
            "answer to a resumed transfer"
        }
        RtRequest::CheckpointSecured { .. } => "confirmation of a checkpoint",
        RtRequest::TransferAccept | RtRequest::TransferRefuse { .. } => "RT-TRANSFER response",
        RtRequest::TurnPlease { .. } => "RT-TURN-PLEASE request",
        RtRequest::TurnGive => "RT-TURN-GIVE request",
        RtRequest::Close => "RT-CLOSE request",
        RtRequest::Abort(_) => "RT-U-ABORT request",
    }
}

/// The name of an indication of association control.
pub(super) fn association_name(indication: &AIndication) -> &'static str {
    match indication {
        AIndication::Associate(_) => "A-ASSOCIATE indication",
        AIndication::AssociateConfirm { .. }
        | AIndication::AssociateRejected(_)
        | AIndication::RefusedByPresentation { .. }
        | AIndication::RefusedBySession(_) => "A-ASSOCIATE confirm",
        AIndication::Release { .. } => "A-RELEASE indication",
        AIndication::ReleaseConfirm { .. } => "A-RELEASE confirm",
        AIndication::Abort { .. } => "A-ABORT indication",
        AIndication::PAbort(_) => "A-P-ABORT indication",
    }
}

/// The name of an indication about activities.
pub(super) fn sync_name(event: &SyncIndication) -> &'static str {
    match event {
        SyncIndication::Minor { .. } => "P-SYNC-MINOR indication",
        SyncIndication::MinorConfirm { .. } => "P-SYNC-MINOR confirm",
        SyncIndication::ActivityStart { .. } => "P-ACTIVITY-START indication",
        SyncIndication::ActivityResume(_) => "P-ACTIVITY-RESUME indication",
        SyncIndication::ActivityEnd { .. } => "P-ACTIVITY-END indication",
        SyncIndication::ActivityEndConfirm => "P-ACTIVITY-END confirm",
        SyncIndication::ActivityInterrupt(_) => "P-ACTIVITY-INTERRUPT indication",
        SyncIndication::ActivityInterruptConfirm => "P-ACTIVITY-INTERRUPT confirm",
        SyncIndication::ActivityDiscard(_) => "P-ACTIVITY-DISCARD indication",
        SyncIndication::ActivityDiscardConfirm => "P-ACTIVITY-DISCARD confirm",
        SyncIndication::ExceptionReport(_) => "P-U-EXCEPTION-REPORT indication",
        SyncIndication::ProviderExceptionReport => "P-P-EXCEPTION-REPORT indication",
        SyncIndication::ControlGive => "P-CONTROL-GIVE indication",
        SyncIndication::ControlGiven => "P-CONTROL-GIVE acknowledgement",
    }
}
