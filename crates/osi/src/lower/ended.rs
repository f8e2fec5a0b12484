//! The last word on a connection, for the ends that no layer above the failing one can put into words.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::step::Step;
use crate::cotp::tpdu::DrReason;
use crate::cotp::{TDisconnect, TDisconnectReason};
use crate::failure::{Blame, Layer};
use crate::rtse::{Aborted, OpenRefused};

/// DR reason: congestion, of the remote transport entity at connect time (X.224).
const REMOTE_CONGESTION: u8 = 0x81;

/// How a connection ended, in the words of RTSE.
#[derive(Debug)]
pub(crate) enum End {
    Refused(OpenRefused),
    Aborted(Aborted),
}

/// A layer of ours ended the connection because of this error.
pub(crate) fn failed<U>(layer: Layer, blame: Blame, error: &impl fmt::Display) -> Step<U> {
    Step::End(aborted(layer, blame, false, format!("{error}")))
}

pub(crate) fn connection_closed(reset: bool) -> End {
    let text = if reset { "TCP connection was reset" } else { "TCP connection was closed by the peer" };
    aborted(Layer::Tcp, Blame::PeerGone, true, String::from(text))
}

pub(crate) fn selector_not_served(layer: Layer, called: &[u8]) -> End {
    let kind = if layer == Layer::Cotp { String::from("transport") } else { format!("{layer}") };
    let text = if called.is_empty() {
        format!("called without a {kind} selector, which is not served here")
    } else if called.iter().all(u8::is_ascii_graphic) {
        format!("called {kind} selector `{}` is not served here", called.escape_ascii())
    } else {
        let hex: String = called.iter().map(|octet| format!("{octet:02x}")).collect();
        format!("called {kind} selector 0x{hex} is not served here")
    };
    aborted(layer, Blame::PeerIncompatible, false, text)
}

/// The transport connection ended under us, or was refused while `opening`.
pub(crate) fn transport_disconnected(disconnect: &TDisconnect, opening: bool) -> End {
    match disconnect.reason {
        TDisconnectReason::Closed => connection_closed(false),
        TDisconnectReason::Dr(reason) if !disconnect.established && opening => End::Refused(OpenRefused {
            layer: Layer::Cotp,
            code: Some(u32::from(reason)),
            transient: matches!(reason, DrReason::CONGESTION_AT_TSAP | REMOTE_CONGESTION),
            user_data: Vec::new(),
            text: format!("refused at the transport layer, DR reason {reason}: {}", dr_reason(reason)),
        }),
        TDisconnectReason::Dr(reason) => {
            let text = format!("peer sent DR, reason {reason}: {}", dr_reason(reason));
            let blame = if reason == DrReason::PROTOCOL_ERROR { Blame::Local } else { Blame::PeerGone };
            aborted(Layer::Cotp, blame, true, text)
        }
        TDisconnectReason::Er(cause) => {
            let text = format!("peer sent ER, cause {cause}: it could not read a TPDU of ours");
            aborted(Layer::Cotp, Blame::Local, true, text)
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

fn aborted(layer: Layer, blame: Blame, by_peer: bool, text: String) -> End {
    End::Aborted(Aborted { layer, blame, by_peer, reason: None, interrupted: None, text })
}
