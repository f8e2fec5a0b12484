//! From 1988 P1 to 1984 P1 (X.419, interworking with 1984 systems).
//!
//! What 1984 does not know is left out where nobody is misled by that: extensions that are not critical, directory
//! names, bits and members added later. Where leaving it out would make something else of a message, that is an
//! [`Obstacle`], and the message can't go this way: an extension critical for transfer or delivery, an address that
//! can't be written, a content that is no P2. What 1984 knows as it is keeps its octets.
//!
//! The way back needs no rules, since 1988 reads all of 1984.

mod fields;
mod report;

use super::extensions::{ExtensionType, Extensions};
use super::indicators::PerMessageIndicators;
use super::{MessageTransferEnvelope, PerRecipientFields, ProbeTransferEnvelope, Recipients};
use crate::codes::{NonDeliveryDiagnosticCode, NonDeliveryReasonCode};
use crate::kept::Kept;
use crate::p1::Priority;
use crate::{ContentType, LostAttribute, OrName};
use fields::{bilateral, indicators, trace};

/// Why a message, probe or report can't be put into the terms of 1984.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// An extension that must not be ignored.
    #[error("extension {0} is critical, and 1984 P1 has no extensions")]
    CriticalExtension(ExtensionType),
    /// The recipient of a message or probe, or the destination of a report.
    #[error("the address {name} can't be written in 1984 P1: {lost}")]
    Address {
        /// The address.
        name: String,
        /// What is lost of it.
        lost: LostAttribute,
    },
    /// The originator, to whom no report could come back.
    #[error("the originator {name} can't be written in 1984 P1: {lost}")]
    Originator {
        /// The address.
        name: String,
        /// What is lost of it.
        lost: LostAttribute,
    },
    /// Neither P2 nor unidentified.
    #[error("content type {0} is not known in 1984")]
    ContentType(ContentType),
    /// An interpersonal message of 1988 that uses more than 1984 has.
    #[error("the interpersonal message uses what P2 of 1984 does not have")]
    Content,
    /// A conversion that the originator asked for.
    #[error("explicit conversion {0} is not known in 1984")]
    ExplicitConversion(i64),
}

impl Obstacle {
    /// What a non-delivery report says.
    pub fn codes(&self) -> (NonDeliveryReasonCode, NonDeliveryDiagnosticCode) {
        match self {
            Obstacle::CriticalExtension(_)
            | Obstacle::Address { .. }
            | Obstacle::Originator { .. }
            | Obstacle::ExplicitConversion(_) => {
                (NonDeliveryReasonCode::UNABLE_TO_TRANSFER, NonDeliveryDiagnosticCode::UNABLE_TO_DOWNGRADE)
            }
            Obstacle::ContentType(_) => (
                NonDeliveryReasonCode::UNABLE_TO_TRANSFER,
                NonDeliveryDiagnosticCode::CONTENT_TYPE_NOT_SUPPORTED,
            ),
            Obstacle::Content => (
                NonDeliveryReasonCode::CONVERSION_NOT_PERFORMED,
                NonDeliveryDiagnosticCode::UNABLE_TO_DOWNGRADE,
            ),
        }
    }
}

impl MessageTransferEnvelope {
    /// What keeps every recipient from getting the message by way of 1984. `is_p2` tells that a content of type 22 uses
    /// only what P2 has; see [`crate::ipm::P2Check`].
    pub fn obstacle_in_1984(&self, is_p2: bool) -> Option<Obstacle> {
        common_obstacle(&self.originator_name, &self.content_type, is_p2, &self.extensions)
    }

    /// The envelope in terms of 1984.
    ///
    /// # Errors
    /// What stands in the way, for the message or for a recipient that the receiver would be responsible for.
    pub fn to_1984(&self, is_p2: bool) -> Result<Self, Obstacle> {
        if let Some(obstacle) = self.obstacle_in_1984(is_p2) {
            return Err(obstacle);
        }
        let mut old = self.clone();
        old.originator_name = originator(&self.originator_name)?;
        old.original_encoded_information_types =
            self.original_encoded_information_types.as_ref().map(crate::EncodedInformationTypes::to_1984);
        old.content_type.set(content_type(&self.content_type, is_p2)?);
        if matches!(*old.priority, Priority::Other(_)) {
            old.priority = Kept::new(Priority::Normal);
        }
        per_message(&mut old.per_message_indicators);
        old.per_domain_bilateral_information =
            self.per_domain_bilateral_information.as_deref().and_then(bilateral);
        recipients(&mut old.per_recipient_fields)?;
        trace(&mut old.trace_information);
        old.extensions = Extensions::new();
        old.forget_unknown_members();
        Ok(old)
    }
}

impl ProbeTransferEnvelope {
    /// What keeps every recipient from being probed by way of 1984. There is no content to look into: one of type 22
    /// is taken for one that can be downgraded.
    pub fn obstacle_in_1984(&self) -> Option<Obstacle> {
        common_obstacle(&self.originator_name, &self.content_type, true, &self.extensions)
    }

    /// The probe in terms of 1984.
    ///
    /// # Errors
    /// What stands in the way, for the probe or for a recipient that the receiver would be responsible for.
    pub fn to_1984(&self) -> Result<Self, Obstacle> {
        if let Some(obstacle) = self.obstacle_in_1984() {
            return Err(obstacle);
        }
        let mut old = self.clone();
        old.originator_name = originator(&self.originator_name)?;
        old.original_encoded_information_types =
            self.original_encoded_information_types.as_ref().map(crate::EncodedInformationTypes::to_1984);
        old.content_type.set(content_type(&self.content_type, true)?);
        per_message(&mut old.per_message_indicators);
        old.per_domain_bilateral_information =
            self.per_domain_bilateral_information.as_deref().and_then(bilateral);
        recipients(&mut old.per_recipient_fields)?;
        trace(&mut old.trace_information);
        old.extensions = Extensions::new();
        old.forget_unknown_members();
        Ok(old)
    }
}

impl PerRecipientFields {
    /// What keeps this recipient from being reached by way of 1984.
    pub fn obstacle_in_1984(&self) -> Option<Obstacle> {
        if let Some(obstacle) = critical(&self.extensions) {
            return Some(obstacle);
        }
        if let Some(&conversion) = self.explicit_conversion.as_deref()
            && !(IA5_TEXT_TO_TELETEX..=TELETEX_TO_TELEX).contains(&conversion)
        {
            return Some(Obstacle::ExplicitConversion(conversion));
        }
        let lost = self.recipient_name.to_1984().err()?;
        Some(Obstacle::Address { name: self.recipient_name.to_string(), lost })
    }
}

const IA5_TEXT_TO_TELETEX: i64 = 0;
const TELETEX_TO_TELEX: i64 = 1;

fn common_obstacle(
    name: &OrName,
    of_type: &ContentType,
    is_p2: bool,
    extensions: &Extensions,
) -> Option<Obstacle> {
    content_type(of_type, is_p2).err().or_else(|| critical(extensions)).or_else(|| originator(name).err())
}

/// The first extension that the next MTA or the delivering one must understand, whatever it is: 1984 has none.
fn critical(extensions: &Extensions) -> Option<Obstacle> {
    let must_stay = extensions.iter().find(|field| {
        let criticality = field.criticality();
        criticality.for_transfer || criticality.for_delivery
    });
    must_stay.map(|field| Obstacle::CriticalExtension(field.extension_type().clone()))
}

fn originator(name: &OrName) -> Result<OrName, Obstacle> {
    name.to_1984().map_err(|lost| Obstacle::Originator { name: name.to_string(), lost })
}

/// X.420: content type 2 is for what 1984 can read, 22 for the rest; the content itself is written the same way.
fn content_type(content_type: &ContentType, is_p2: bool) -> Result<ContentType, Obstacle> {
    match content_type {
        &ContentType::P2 => Ok(ContentType::P2),
        &ContentType::UNIDENTIFIED => Ok(ContentType::UNIDENTIFIED),
        &ContentType::P22 if is_p2 => Ok(ContentType::P2),
        &ContentType::P22 => Err(Obstacle::Content),
        other => Err(Obstacle::ContentType(other.clone())),
    }
}

/// Bits 0 to 3 are those of 1984.
fn per_message(bits: &mut Kept<PerMessageIndicators>) {
    const KNOWN: usize = 4;
    if (KNOWN..bits.0.octets.len().saturating_mul(8)).any(|bit| bits.0.bit(bit)) {
        let mut old = PerMessageIndicators::default();
        (0..KNOWN).for_each(|bit| old.set(bit, bits.0.bit(bit)));
        *bits = Kept::new(old);
    }
}

/// A recipient that the receiver is not responsible for is named for information only.
fn recipients(list: &mut Recipients) -> Result<(), Obstacle> {
    for recipient in list.iter_mut() {
        if recipient.responsibility()
            && let Some(obstacle) = recipient.obstacle_in_1984()
        {
            return Err(obstacle);
        }
        recipient.recipient_name = recipient.recipient_name.to_1984_in_part();
        indicators(&mut recipient.per_recipient_indicators);
        let known = IA5_TEXT_TO_TELETEX..=TELETEX_TO_TELEX;
        recipient.explicit_conversion =
            recipient.explicit_conversion.take().filter(|conversion| known.contains(&**conversion));
        recipient.extensions = Extensions::new();
        recipient.forget_unknown_members();
    }
    Ok(())
}
