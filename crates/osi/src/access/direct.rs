//! Operations directly over P-DATA, with the association straight from ACSE (X.882 realizations "acse" and "pData").

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::step::{Carried, CarrierEvent, Command, Step, aborted, carried};
use crate::acse::apdu::Diagnostic;
use crate::acse::{AAssociate, AIndication, AReject, ARequest};
use crate::failure::{Blame, Layer};
use crate::presentation::{PConnect, PIndication, PRequest, PValue};
use crate::rtse::{
    Aborted, OpenRefused, Selectors, aborted_by_provider, refused_by_presentation, refused_by_session,
};

/// The carrier without RTSE. It has no timers: those of the transport and of the session layer bound the opening and the
/// release, since bind and unbind ride on them.
#[derive(Clone, Debug)]
pub(super) struct Direct {
    /// What an initiator opens with.
    open: Option<AAssociate>,
    /// We have asked for the release, so that nothing more may be sent.
    releasing: bool,
}

impl Direct {
    pub(super) fn initiator(connect: PConnect, user_information: Vec<u8>) -> Self {
        Direct { open: Some(AAssociate { connect, user_information }), releasing: false }
    }

    pub(super) fn responder() -> Self {
        Direct { open: None, releasing: false }
    }

    pub(super) fn start(&mut self) -> Vec<Step> {
        self.open.take().map(|open| request(ARequest::Associate(open))).into_iter().collect()
    }

    pub(super) fn command(&mut self, command: Command) -> Vec<Step> {
        match command {
            Command::Accept(user_information) => {
                Vec::from([request(ARequest::AssociateAccept { user_information })])
            }
            Command::Reject { user_data: user_information, transient } => Vec::from([
                request(ARequest::AssociateReject { transient, user_information }),
                carried(Carried::Closed { user_data: Vec::new() }),
            ]),
            // What answers the peer now comes too late for it to arrive.
            Command::Transfer(_) if self.releasing => Vec::from([carried(Carried::NotTransferred)]),
            // Sent at once: the driver stops reading while much waits to be sent, so there is nothing to wait for.
            Command::Transfer(transfer) => Vec::from([
                Step::presentation(PRequest::Data(Vec::from([PValue {
                    context: transfer.context,
                    encoding: transfer.apdu,
                }]))),
                carried(Carried::Transferred),
            ]),
            Command::Release { user_data: user_information } => {
                self.releasing = true;
                Vec::from([request(ARequest::Release { user_information })])
            }
            // Nothing is sent in segments.
            Command::Segment { .. } => Vec::new(),
            Command::Abort(_) => {
                let text = String::from("aborted by this side");
                Vec::from([
                    aborted(Layer::Application, Blame::Local, None, text),
                    request(ARequest::Abort { user_information: Vec::new() }),
                ])
            }
        }
    }

    pub(super) fn event(&mut self, event: CarrierEvent) -> Vec<Step> {
        match event {
            CarrierEvent::Association(indication) => association(indication),
            CarrierEvent::Presentation(PIndication::Data(values)) => values
                .into_iter()
                .map(|value| {
                    carried(Carried::Apdu { context: value.context, octets: value.encoding })
                })
                .collect(),
            CarrierEvent::Deadline
            // Nothing is given in pieces here. There are no tokens and no activities in duplex; the others go to ACSE.
            | CarrierEvent::Presentation(
                PIndication::DataPart { .. }
                | PIndication::Sync(_)
                | PIndication::TokenPlease { .. }
                | PIndication::Connect(_)
                | PIndication::ConnectConfirm { .. }
                | PIndication::ConnectRejected { .. }
                | PIndication::ConnectRefusedByProvider { .. }
                | PIndication::ConnectRefusedBySession(_)
                | PIndication::Release { .. }
                | PIndication::ReleaseConfirm { .. }
                | PIndication::UAbort { .. }
                | PIndication::PAbort(_),
            ) => Vec::new(),
        }
    }
}

fn request(request: ARequest) -> Step {
    Step::acse(request)
}

fn association(indication: AIndication) -> Vec<Step> {
    let told = match indication {
        AIndication::Associate(associate) => Carried::Open {
            selectors: Selectors {
                calling_session: associate.connect.calling_session_selector.unwrap_or_default(),
                called_session: associate.connect.called_session_selector.unwrap_or_default(),
                calling_presentation: associate.connect.calling_selector.unwrap_or_default(),
                called_presentation: associate.connect.called_selector.unwrap_or_default(),
                ..Selectors::default()
            },
            user_data: associate.user_information,
        },
        AIndication::AssociateConfirm { user_information } => {
            Carried::Confirm { user_data: user_information }
        }
        AIndication::AssociateRejected(reject) => Carried::Refused(rejected(reject)),
        AIndication::RefusedByPresentation { reason } => Carried::Refused(refused_by_presentation(reason)),
        AIndication::RefusedBySession(refuse) => Carried::Refused(refused_by_session(&refuse)),
        AIndication::Release { user_information } => {
            return Vec::from([
                request(ARequest::ReleaseResponse { user_information: Vec::new() }),
                carried(Carried::Closed { user_data: user_information }),
            ]);
        }
        AIndication::ReleaseConfirm { user_information } => Carried::Closed { user_data: user_information },
        AIndication::Abort { by_provider, .. } => {
            let (layer, who) =
                if by_provider { (Layer::Acse, "ACSE") } else { (Layer::Application, "application") };
            Carried::Aborted(Aborted {
                layer,
                blame: Blame::PeerGone,
                by_peer: true,
                reason: None,
                interrupted: None,
                text: format!("peer's {who} aborted"),
            })
        }
        AIndication::PAbort(cause) => Carried::Aborted(aborted_by_provider(&cause)),
    };
    Vec::from([carried(told)])
}

/// A rejection by the peer's ACSE, or by its application, which has put its error there then.
fn rejected(reject: AReject) -> OpenRefused {
    let code = reject.diagnostic.and_then(|diagnostic| u32::try_from(diagnostic.code()).ok());
    let why = match reject.diagnostic {
        Some(Diagnostic::APPLICATION_CONTEXT) => String::from("application context not supported"),
        Some(Diagnostic::NO_COMMON_VERSION) => String::from("no common version of ACSE"),
        Some(Diagnostic::User(code)) => format!("user diagnostic {code}"),
        Some(Diagnostic::Provider(code)) => format!("provider diagnostic {code}"),
        None => String::from("no reason given"),
    };
    let lasting = if reject.transient { "refused for now" } else { "refused" };
    let (layer, who) = if reject.user_information.is_empty() {
        (Layer::Acse, "ACSE")
    } else {
        (Layer::Application, "application")
    };
    OpenRefused {
        layer,
        code,
        transient: reject.transient,
        user_data: reject.user_information,
        text: format!("bind {lasting} by the peer's {who}, {why}"),
    }
}
