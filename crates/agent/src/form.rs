//! The form in which something goes over a link: what the peer's version of P1 and its settings make of a copy.
//!
//! Copies wait in their queue as they were made and take the form of a link only when they leave. So one that is
//! rerouted has lost nothing, and changed settings hold for what is waiting already.

use mhs::p1::{
    Criticality, ExtensionType, Extensions, MessageTransferEnvelope, Obstacle, OutgoingMessage, P1Error,
    PerMessageIndicators, ProbeTransferEnvelope, Report, Stretch,
};
use mhs::{ContentType, Kept};
use spool::BodyId;
use thiserror::Error;

use crate::about::{About, Telling};
use crate::agent::Agent;
use crate::record::Item;
use crate::settings::{Conformance, ConnectorSettings};
use crate::trace;

/// An APDU as it is transferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnWire {
    /// A message, whose content is in the spool.
    Message {
        /// The octets around the content.
        octets: OutgoingMessage,
        /// The content.
        body: BodyId,
    },
    /// A probe or report: the whole APDU.
    Apdu(Vec<u8>),
}

impl OnWire {
    /// What stands in front of the content of a message; the whole APDU of anything else. With the content it settles
    /// every octet of the APDU.
    pub fn header(&self) -> &[u8] {
        match self {
            OnWire::Message { octets, .. } => octets.header(),
            OnWire::Apdu(apdu) => apdu,
        }
    }

    /// What stands at an offset of the APDU, up to where something else begins; `None` at the end.
    pub fn at(&self, position: u64) -> Option<Stretch<'_>> {
        match self {
            OnWire::Message { octets, .. } => octets.at(position),
            OnWire::Apdu(apdu) => {
                let rest = usize::try_from(position).ok().and_then(|position| apdu.get(position..));
                rest.filter(|rest| !rest.is_empty()).map(|rest| Stretch::Octets(rest.into()))
            }
        }
    }

    /// The content of a message.
    pub fn body(&self) -> Option<BodyId> {
        match self {
            OnWire::Message { body, .. } => Some(*body),
            OnWire::Apdu(_) => None,
        }
    }

    /// Octets of the whole APDU.
    pub fn length(&self) -> u64 {
        match self {
            OnWire::Message { octets, .. } => octets.length(),
            OnWire::Apdu(apdu) => u64::try_from(apdu.len()).unwrap_or(u64::MAX),
        }
    }
}

/// Why a copy can't take the form of a link.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormError {
    /// What is stored is no envelope or APDU.
    #[error("what is stored can't be read: {0}")]
    Unreadable(#[from] P1Error),
    /// The link speaks 1984 P1, which can't say it. The settings have changed since it was queued.
    #[error("it can't go over a 1984 link: {0}")]
    Downgrade(#[from] Obstacle),
}

impl ConnectorSettings {
    /// Whether what goes over this link is 1984 P1.
    pub fn speaks_1984(&self) -> bool {
        match self.conformance {
            Conformance::Mode1984 => true,
            Conformance::Normal1988 | Conformance::X410In1988 => false,
        }
    }

    /// The form in which `item` goes over this link, and if it `is_tracked` what is told of it later. `is_p2` is what
    /// [`mhs::ipm::P2Check`] says about the content of a message that [`asks_for_p2`] names; false for others.
    ///
    /// # Errors
    /// It can't be read, or can't be said in 1984 P1.
    pub fn on_wire(
        &self,
        item: &Item,
        is_p2: bool,
        is_tracked: bool,
    ) -> Result<(OnWire, Option<Telling>), FormError> {
        match item {
            Item::Message { envelope, body, content_length } => {
                let mut envelope = MessageTransferEnvelope::from_octets(envelope)?;
                let about = is_tracked.then(|| About::message(&envelope));
                let recipients = &mut envelope.per_recipient_fields;
                recipients.iter_mut().for_each(|recipient| self.strip_private(&mut recipient.extensions));
                self.strip(
                    &mut envelope.extensions,
                    Some(&mut envelope.per_domain_bilateral_information),
                    Some(&mut envelope.per_message_indicators),
                );
                let mut is_downgraded = false;
                if self.speaks_1984() {
                    let older = envelope.to_1984(is_p2)?;
                    is_downgraded = is_tracked && older.to_octets() != envelope.to_octets();
                    envelope = older;
                }
                envelope.recode_extensions(self.form.extension_coding);
                let octets = OutgoingMessage::new(&envelope, *content_length, self.form.content_coding);
                let telling = about.map(|about| Telling { about, is_downgraded });
                Ok((OnWire::Message { octets, body: *body }, telling))
            }
            Item::Probe { apdu } => {
                let mut probe = ProbeTransferEnvelope::from_octets(apdu)?;
                let about = is_tracked.then(|| About::probe(&probe));
                let recipients = &mut probe.per_recipient_fields;
                recipients.iter_mut().for_each(|recipient| self.strip_private(&mut recipient.extensions));
                self.strip(
                    &mut probe.extensions,
                    Some(&mut probe.per_domain_bilateral_information),
                    Some(&mut probe.per_message_indicators),
                );
                if self.speaks_1984() {
                    probe = probe.to_1984()?;
                }
                probe.recode_extensions(self.form.extension_coding);
                let telling = about.map(|about| Telling { about, is_downgraded: false });
                Ok((OnWire::Apdu(probe.to_octets()), telling))
            }
            Item::Report { apdu } => {
                let mut report = Report::from_octets(apdu)?;
                let about = is_tracked.then(|| About::report(&report));
                self.strip(&mut report.envelope.extensions, None, None);
                self.strip_private(&mut report.content.extensions);
                let recipients = &mut report.content.per_recipient_fields;
                recipients.iter_mut().for_each(|recipient| self.strip_private(&mut recipient.extensions));
                if self.speaks_1984() {
                    report = report.to_1984()?;
                }
                report.recode_extensions(self.form.extension_coding);
                let telling = about.map(|about| Telling { about, is_downgraded: false });
                Ok((OnWire::Apdu(report.to_octets()), telling))
            }
        }
    }

    fn strip(
        &self,
        extensions: &mut Extensions,
        bilateral: Option<&mut Option<Vec<u8>>>,
        indicators: Option<&mut Kept<PerMessageIndicators>>,
    ) {
        self.strip_private(extensions);
        if self.strip_internal_trace {
            trace::strip_internal(extensions);
        }
        if let Some(bilateral) = bilateral.filter(|_| self.strip_bilateral_information) {
            *bilateral = None;
        }
        if let Some(indicators) = indicators.filter(|_| self.strip_content_return_request)
            && indicators.content_return_request()
        {
            indicators.edit().set(CONTENT_RETURN_REQUEST, false);
        }
    }

    /// Leaves out private extensions, but for those without which it would not be the same: a peer that does not know
    /// these has to refuse it.
    fn strip_private(&self, extensions: &mut Extensions) {
        if self.strip_private_extensions {
            extensions.retain(|field| match field.extension_type() {
                ExtensionType::Private(_) => field.criticality() != Criticality::NONE,
                ExtensionType::Standard(_) => true,
            });
        }
    }
}

/// Number of the bit.
const CONTENT_RETURN_REQUEST: usize = 3;

/// The content which has to be looked at with [`mhs::ipm::P2Check`] before `item` can go over a 1984 link: its body and
/// its length in octets.
pub fn asks_for_p2(item: &Item) -> Option<(BodyId, u64)> {
    let Item::Message { envelope, body, content_length } = item else { return None };
    let envelope = MessageTransferEnvelope::from_octets(envelope).ok()?;
    (*envelope.content_type == ContentType::P22).then_some((*body, *content_length))
}

impl Agent {
    /// Whether any link speaks 1984 P1.
    pub fn has_1984_links(&self) -> bool {
        self.settings().connectors.iter().any(ConnectorSettings::speaks_1984)
    }
}
