//! What is still to be done because of one event: the events of the layers, owned, so that they can be queued.

use alloc::vec::Vec;

use crate::acse::AcpmEvent;
use crate::cotp::{TIndication, TRequest};
use crate::presentation::PpmEvent;
use crate::rtse::{RtIndication, RtpmEvent};
use crate::session::SsRequest;

/// Something for one of the layers.
#[derive(Debug)]
pub(super) enum Step {
    Cotp(TRequest),
    FromCotp(TIndication),
    Spm(SessionInput),
    Ppm(PpmEvent),
    Acpm(AcpmEvent),
    Rtpm(RtpmEvent),
    Indicate(RtIndication),
    Transmit(Vec<u8>),
    /// End the transport connection.
    Disconnect,
    /// The transport layer is through: close.
    Close,
}

/// [`SpmEvent`], owned.
#[derive(Debug)]
pub(super) enum SessionInput {
    ConnectConfirm,
    ConnectIndication,
    Tsdu(Vec<u8>),
    TsduPart { octets: Vec<u8>, last: bool },
    TsduTooLong { limit: usize },
    Disconnected,
    Request(SsRequest),
    Deadline,
}
