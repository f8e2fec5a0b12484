//! The last indication of an association: which ones are, and those of RTSE's own user.

use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::failure::{Blame, Layer};
use crate::lower::End;
use crate::rtse::{AbortReason, Aborted, RtIndication};

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

impl From<End> for RtIndication {
    fn from(end: End) -> Self {
        match end {
            End::Refused(refused) => RtIndication::OpenRefused(refused),
            End::Aborted(aborted) => RtIndication::Aborted(aborted),
        }
    }
}

/// RTSE ended the association because of this error.
pub(super) fn failed(blame: Blame, reason: Option<AbortReason>, error: &impl fmt::Display) -> End {
    aborted(Layer::Rtse, blame, reason, format!("{error}"))
}

/// Never seen: the limits of the layers let no event cause so much.
pub(super) fn too_many_steps() -> End {
    let text = String::from("too many steps for one event");
    aborted(Layer::Application, Blame::LimitReached, None, text)
}

/// The user aborted before there was an association.
pub(super) fn aborted_early(reason: AbortReason) -> End {
    let text = String::from("aborted by this side before the association was opened");
    aborted(Layer::Application, Blame::Local, Some(reason), text)
}

fn aborted(layer: Layer, blame: Blame, reason: Option<AbortReason>, text: String) -> End {
    End::Aborted(Aborted { layer, blame, by_peer: false, reason, interrupted: None, text })
}
