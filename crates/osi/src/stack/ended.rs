//! The last indication of a connection, for the ends that no layer above the failing one can put into words.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::step::Step;
use crate::cotp::tpdu::DrReason;
use crate::cotp::{TDisconnect, TDisconnectReason};
use crate::failure::{Blame, Layer};
use crate::rtse::{AbortReason, Aborted, OpenRefused, RtIndication};

/// DR reason: congestion, of the remote transport entity at connect time (X.224).
const REMOTE_CONGESTION: u8 = 0x81;

/// Whether nothing may be indicated after this.
pub(super) fn is_last(indication: &RtIndication) -> bool {
    match indication {
        RtIndication::OpenRefused(_) | RtIndication::Closed | RtIndication::Aborted(_) => true,
        RtIndication::Open(_)
        | RtIndication::OpenConfirm { .. }
        | RtIndication::SegmentWanted { .. }
        | RtIndication::TransferConfirm
        | RtIndication::TransferFailed { .. }
        | RtIndication::TransferInterrupted { .. }
        | RtIndication::Resume { .. }
        | RtIndication::TransferStart
        | RtIndication::TransferData(_)
        | RtIndication::Checkpoint { .. }
        | RtIndication::TransferEnd
        | RtIndication::TransferDiscarded
        | RtIndication::TurnPlease { .. }
        | RtIndication::TurnGive
        | RtIndication::TurnGiven => false,
    }
}

/// A layer of ours ended the connection because of this error.
pub(super) fn failed(
    layer: Layer,
    blame: Blame,
    reason: Option<AbortReason>,
    error: &impl fmt::Display,
) -> Step {
    Step::Indicate(aborted(layer, blame, false, reason, format!("{error}")))
}

/// Never seen: the limits of the layers let no event cause so much.
pub(super) fn too_many_steps() -> Step {
    let text = String::from("too many steps for one event");
    Step::Indicate(aborted(Layer::Application, Blame::LimitReached, false, None, text))
}

/// The user aborted before there was an association.
pub(super) fn aborted_early(reason: AbortReason) -> RtIndication {
    let text = String::from("aborted by this side before the association was opened");
    aborted(Layer::Application, Blame::Local, false, Some(reason), text)
}

pub(crate) fn connection_closed(reset: bool) -> RtIndication {
    let text = if reset { "TCP connection was reset" } else { "TCP connection was closed by the peer" };
    aborted(Layer::Tcp, Blame::PeerGone, true, None, String::from(text))
}

pub(crate) fn selector_not_served(layer: Layer, called: &[u8]) -> RtIndication {
    let kind = if layer == Layer::Cotp { String::from("transport") } else { format!("{layer}") };
    let text = if called.is_empty() {
        format!("called without a {kind} selector, which is not served here")
    } else if called.iter().all(u8::is_ascii_graphic) {
        format!("called {kind} selector `{}` is not served here", called.escape_ascii())
    } else {
        let hex: String = called.iter().map(|octet| format!("{octet:02x}")).collect();
        format!("called {kind} selector 0x{hex} is not served here")
    };
    aborted(layer, Blame::PeerIncompatible, false, None, text)
}

/// The transport connection ended under us, or was refused while `opening`.
pub(crate) fn transport_disconnected(disconnect: &TDisconnect, opening: bool) -> RtIndication {
    match disconnect.reason {
        TDisconnectReason::Closed => connection_closed(false),
        TDisconnectReason::Dr(reason) if !disconnect.established && opening => {
            RtIndication::OpenRefused(OpenRefused {
                layer: Layer::Cotp,
                code: Some(u32::from(reason)),
                transient: matches!(reason, DrReason::CONGESTION_AT_TSAP | REMOTE_CONGESTION),
                user_data: Vec::new(),
                text: format!("refused at the transport layer, DR reason {reason}: {}", dr_reason(reason)),
            })
        }
        TDisconnectReason::Dr(reason) => {
            let text = format!("peer sent DR, reason {reason}: {}", dr_reason(reason));
            let blame = if reason == DrReason::PROTOCOL_ERROR { Blame::Local } else { Blame::PeerGone };
            aborted(Layer::Cotp, blame, true, None, text)
        }
        TDisconnectReason::Er(cause) => {
            let text = format!("peer sent ER, cause {cause}: it could not read a TPDU of ours");
            aborted(Layer::Cotp, Blame::Local, true, None, text)
        }
    }
}

fn dr_reason(reason: u8) -> &'static str {
    match reason {
        DrReason::NOT_SPECIFIED => "not specified",
        DrReason::CONGESTION_AT_TSAP => "congestion at the TSAP",
        DrReason::SESSION_ENTITY_NOT_ATTACHED => "no session entity attached to the TSAP",
        DrReason::ADDRESS_UNKNOWN => "address unknown",
        DrReason::NORMAL => "normal disconnect by the session entity",
        REMOTE_CONGESTION => "congestion at connect time",
        DrReason::NEGOTIATION_FAILED => "connection negotiation failed",
        DrReason::PROTOCOL_ERROR => "protocol error",
        _ => "other reason",
    }
}

fn aborted(
    layer: Layer,
    blame: Blame,
    by_peer: bool,
    reason: Option<AbortReason>,
    text: String,
) -> RtIndication {
    RtIndication::Aborted(Aborted { layer, blame, by_peer, reason, interrupted: None, text })
}
