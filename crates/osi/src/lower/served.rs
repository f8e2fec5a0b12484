//! Which called selectors a responder answers to.
//!
//! Each layer has its own way to say that nobody is at an address: DR (X.224), RF (X.225), CPR (X.226). A call is
//! refused by the lowest layer at which no served address is left that it could mean.

use alloc::vec::Vec;

use super::ended::selector_not_served;
use super::{LayerEvent, Lower, Step};
use crate::cotp::TRequest;
use crate::cotp::tpdu::DrReason;
use crate::failure::Layer;
use crate::presentation::{PConnect, PRequest, PresentationMode};
use crate::session::spdu::RefuseReason;
use crate::session::{SConnect, SRefuse, SsRequest};

/// CPR provider-reason: called-presentation-address-unknown (X.226).
const CALLED_PRESENTATION_ADDRESS_UNKNOWN: i64 = 3;

/// One address that a responder serves. `None` takes any selector, and a call without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServedSelectors {
    /// Called transport selector.
    pub transport: Option<Vec<u8>>,
    /// Called session selector.
    pub session: Option<Vec<u8>>,
    /// Called presentation selector; not looked at in X.410 mode, which has none.
    pub presentation: Option<Vec<u8>>,
}

impl Lower {
    /// Whether the peer was refused because of the selectors that it called.
    pub(crate) fn was_called_in_vain(&self) -> bool {
        self.called_in_vain
    }

    /// Whether a served address fits what is known so far of the one called.
    pub(super) fn serves(
        &self,
        transport: &[u8],
        session: Option<&[u8]>,
        presentation: Option<&[u8]>,
    ) -> bool {
        let fits = |served: &Option<Vec<u8>>, called: Option<&[u8]>| match (served, called) {
            (Some(served), Some(called)) => served == called,
            (None, _) | (_, None) => true,
        };
        self.served.is_empty()
            || self.served.iter().any(|served| {
                fits(&served.transport, Some(transport))
                    && fits(&served.session, session)
                    && fits(&served.presentation, presentation)
            })
    }

    pub(super) fn serves_session(&self, connect: &SConnect) -> bool {
        let (_, transport) = &self.transport_selectors;
        self.serves(transport, Some(connect.called_selector.as_deref().unwrap_or_default()), None)
    }

    pub(super) fn serves_presentation(&self, connect: &PConnect) -> bool {
        let (_, transport) = &self.transport_selectors;
        let called = match connect.mode {
            PresentationMode::X410 if self.x410_served => None,
            PresentationMode::Normal | PresentationMode::X410 => {
                Some(connect.called_selector.as_deref().unwrap_or_default())
            }
        };
        let session = connect.called_session_selector.as_deref().unwrap_or_default();
        self.serves(transport, Some(session), called)
    }

    /// Refuses the peer at `layer`, the lowest that knows better.
    pub(super) fn not_served<U>(&mut self, layer: Layer, called: &[u8]) -> Vec<Step<U>> {
        self.called_in_vain = true;
        let mut steps = Vec::from([Step::End(selector_not_served(layer, called))]);
        match layer {
            Layer::Session => {
                let refuse = SRefuse { reason: RefuseReason::SELECTOR_UNKNOWN, user_data: Vec::new() };
                steps.push(Step::session(SsRequest::ConnectRefuse(refuse)));
            }
            Layer::Presentation => {
                let reason = CALLED_PRESENTATION_ADDRESS_UNKNOWN;
                steps.push(Step::presentation(PRequest::ConnectRefuseByProvider { reason }));
            }
            // There are no selectors above, and below the transport layer there is nothing to call.
            Layer::Tcp
            | Layer::Tpkt
            | Layer::Cotp
            | Layer::Acse
            | Layer::Rtse
            | Layer::Rose
            | Layer::Application => {
                let refuse = TRequest::Refuse { reason: DrReason::ADDRESS_UNKNOWN };
                steps.extend([Step::Layer(LayerEvent::Cotp(refuse)), Step::DISCONNECT]);
            }
        }
        steps
    }
}
