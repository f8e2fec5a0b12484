//! A message or a probe: what has recipients, and is fanned out and reported on alike.

use std::collections::HashMap;

use mhs::p1::{
    Extensions, MessageTransferEnvelope, Obstacle, P1Error, PerMessageIndicators, PerRecipientFields,
    ProbeTransferEnvelope, Recipients, StandardExtension, TraceInformation,
};
use mhs::{ContentType, MtsIdentifier, OrName};
use spool::BodyId;

use crate::effect::Kind;
use crate::record::{Item, Rank};

/// Who receives in place of the recipient at a place in the envelope.
pub(crate) type Changed = HashMap<usize, PerRecipientFields>;

/// A decoded message or probe.
#[derive(Clone, Debug)]
pub(crate) enum Transfer {
    Message { envelope: Box<MessageTransferEnvelope>, body: BodyId, content_length: u64 },
    Probe(Box<ProbeTransferEnvelope>),
}

impl Transfer {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Transfer::Message { .. } => Kind::Message,
            Transfer::Probe(_) => Kind::Probe,
        }
    }

    pub(crate) fn identifier(&self) -> &MtsIdentifier {
        match self {
            Transfer::Message { envelope, .. } => &envelope.message_identifier,
            Transfer::Probe(probe) => &probe.probe_identifier,
        }
    }

    pub(crate) fn originator(&self) -> &OrName {
        match self {
            Transfer::Message { envelope, .. } => &envelope.originator_name,
            Transfer::Probe(probe) => &probe.originator_name,
        }
    }

    pub(crate) fn recipients(&self) -> &Recipients {
        match self {
            Transfer::Message { envelope, .. } => &envelope.per_recipient_fields,
            Transfer::Probe(probe) => &probe.per_recipient_fields,
        }
    }

    pub(crate) fn trace(&self) -> &TraceInformation {
        match self {
            Transfer::Message { envelope, .. } => &envelope.trace_information,
            Transfer::Probe(probe) => &probe.trace_information,
        }
    }

    pub(crate) fn extensions(&self) -> &Extensions {
        match self {
            Transfer::Message { envelope, .. } => &envelope.extensions,
            Transfer::Probe(probe) => &probe.extensions,
        }
    }

    pub(crate) fn trace_mut(&mut self) -> (&mut TraceInformation, &mut Extensions) {
        match self {
            Transfer::Message { envelope, .. } => (&mut envelope.trace_information, &mut envelope.extensions),
            Transfer::Probe(probe) => (&mut probe.trace_information, &mut probe.extensions),
        }
    }

    pub(crate) fn recipients_mut(&mut self) -> &mut Recipients {
        match self {
            Transfer::Message { envelope, .. } => &mut envelope.per_recipient_fields,
            Transfer::Probe(probe) => &mut probe.per_recipient_fields,
        }
    }

    pub(crate) fn indicators(&self) -> &PerMessageIndicators {
        match self {
            Transfer::Message { envelope, .. } => &envelope.per_message_indicators,
            Transfer::Probe(probe) => &probe.per_message_indicators,
        }
    }

    /// What keeps all recipients from being reached over a 1984 link. `is_p2` tells what was found in a content of
    /// type 22.
    pub(crate) fn obstacle_in_1984(&self, is_p2: bool) -> Option<Obstacle> {
        match self {
            Transfer::Message { envelope, .. } => envelope.obstacle_in_1984(is_p2),
            Transfer::Probe(probe) => probe.obstacle_in_1984(),
        }
    }

    /// Length of the content, or of the one that a probe asks about; octets.
    pub(crate) fn content_length(&self) -> u64 {
        match self {
            Transfer::Message { content_length, .. } => *content_length,
            Transfer::Probe(probe) => {
                probe.content_length.as_deref().map_or(0, |&length| u64::try_from(length).unwrap_or(0))
            }
        }
    }

    pub(crate) fn rank(&self) -> Rank {
        match self {
            Transfer::Message { envelope, .. } => Rank::of(*envelope.priority),
            Transfer::Probe(_) => Rank::Urgent,
        }
    }

    pub(crate) fn content_type(&self) -> &ContentType {
        match self {
            Transfer::Message { envelope, .. } => &envelope.content_type,
            Transfer::Probe(probe) => &probe.content_type,
        }
    }

    /// The priority of a message; a probe has none.
    pub(crate) fn priority(&self) -> Option<Rank> {
        match self {
            Transfer::Message { envelope, .. } => Some(Rank::of(*envelope.priority)),
            Transfer::Probe(_) => None,
        }
    }

    pub(crate) fn body(&self) -> Option<BodyId> {
        match self {
            Transfer::Message { body, .. } => Some(*body),
            Transfer::Probe(_) => None,
        }
    }

    pub(crate) fn to_item(&self) -> Item {
        match self {
            Transfer::Message { envelope, body, content_length } => {
                Item::Message { envelope: envelope.to_octets(), body: *body, content_length: *content_length }
            }
            Transfer::Probe(probe) => Item::Probe { apdu: probe.to_octets() },
        }
    }

    pub(crate) fn message(envelope: &[u8], body: BodyId, content_length: u64) -> Result<Transfer, P1Error> {
        let envelope = Box::new(MessageTransferEnvelope::from_octets(envelope)?);
        Ok(Transfer::Message { envelope, body, content_length })
    }

    pub(crate) fn probe(apdu: &[u8]) -> Result<Transfer, P1Error> {
        ProbeTransferEnvelope::from_octets(apdu).map(|probe| Transfer::Probe(Box::new(probe)))
    }

    /// Places of the recipients that this MTA has to deal with.
    pub(crate) fn responsible(&self) -> Vec<usize> {
        let recipients = self.recipients().iter().enumerate();
        recipients.filter(|(_, recipient)| recipient.responsibility()).map(|(index, _)| index).collect()
    }

    /// The same for these recipients only, or who receives in their place: all are named but those of blind copies,
    /// the others are not the receiver's responsibility.
    pub(crate) fn copy_for(&self, places: &[usize], changed: &Changed) -> Transfer {
        let mut copy = self.clone();
        let mut next = places.iter().copied().peekable();
        for (index, recipient) in copy.recipients_mut().iter_mut().enumerate() {
            let ours = next.next_if_eq(&index).is_some();
            if ours && let Some(changed) = changed.get(&index) {
                *recipient = changed.clone();
            }
            recipient.set_responsibility(ours);
        }
        copy.recipients_mut().retain(|recipient| recipient.responsibility() || !is_blind(recipient));
        copy
    }
}

/// Whether the others must not learn of this recipient.
pub(crate) fn is_blind(recipient: &PerRecipientFields) -> bool {
    recipient.extensions.standard(StandardExtension::BLIND_COPY_RECIPIENTS).is_some()
}
