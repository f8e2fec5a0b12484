//! What is still to be done because of one event: the events of the layers, owned, so that they can be queued.

use alloc::vec::Vec;

use super::ended::End;
use crate::acse::{AIndication, ARequest, AcpmEvent};
use crate::cotp::{TIndication, TRequest};
use crate::presentation::{PIndication, PRequest, PpmEvent};
use crate::session::SsRequest;

/// Something to be done, in a stack whose own steps are `U`.
#[derive(Debug)]
pub(crate) enum Step<U> {
    /// For a layer of [`Lower`](super::Lower).
    Layer(LayerEvent),
    /// For the driver: send this TPDU in a packet.
    Transmit(Vec<u8>),
    /// For the driver: the transport layer is through, close.
    Close,
    /// For what is above: ACSE says something about the association.
    Association(AIndication),
    /// For what is above: data, activities and tokens, which do not concern ACSE.
    Presentation(PIndication),
    /// For the user: the last word on the connection, unless there was one.
    End(End),
    /// What is above goes on.
    Upper(U),
}

impl<U> Step<U> {
    /// End the transport connection.
    pub(crate) const DISCONNECT: Self = Step::Layer(LayerEvent::Disconnect);

    /// A request to ACSE.
    pub(crate) fn acse(request: ARequest) -> Self {
        Step::Layer(LayerEvent::Acpm(AcpmEvent::Request(request)))
    }

    /// A request to the presentation layer.
    pub(crate) fn presentation(request: PRequest) -> Self {
        Step::Layer(LayerEvent::Ppm(PpmEvent::Request(request)))
    }

    /// A request to the session layer.
    pub(super) fn session(request: SsRequest) -> Self {
        Step::Layer(LayerEvent::Spm(SessionInput::Request(request)))
    }

    /// Whether this is on the way out to the peer, of which there may be much.
    pub(crate) fn is_sending(&self) -> bool {
        matches!(
            self,
            Step::Transmit(_) | Step::Layer(LayerEvent::Cotp(TRequest::Data(_) | TRequest::DataPart { .. }))
        )
    }
}

/// Something for one of the layers from COTP up to ACSE.
#[derive(Debug)]
pub(crate) enum LayerEvent {
    Cotp(TRequest),
    FromCotp(TIndication),
    Spm(SessionInput),
    Ppm(PpmEvent),
    Acpm(AcpmEvent),
    /// End the transport connection.
    Disconnect,
}

/// [`SpmEvent`](crate::session::SpmEvent), owned.
#[derive(Debug)]
pub(crate) enum SessionInput {
    ConnectConfirm,
    ConnectIndication,
    Tsdu(Vec<u8>),
    TsduPart { octets: Vec<u8>, last: bool },
    TsduTooLong { limit: usize },
    Disconnected,
    Request(SsRequest),
    Deadline,
}
