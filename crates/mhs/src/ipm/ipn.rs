//! Interpersonal notifications (X.420 IPN), read only.

use ber::{Tag, Tlv};

use super::heading::{IpmIdentifier, IpmsExtension, OrDescriptor};
use super::{Ipm, MAX_FORWARDED_DEPTH, list};
use crate::error::{DecodeError, DecodeErrorKind, Within};
use crate::{EncodedInformationTypes, UtcTime, text};

const MAX_EXTENSIONS: usize = 1024;

/// An interpersonal notification: what became of a message at one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipn {
    /// subject-ipm: the message that it is about.
    pub subject_ipm: IpmIdentifier,
    /// ipn-originator.
    pub ipn_originator: Option<OrDescriptor>,
    /// ipm-intended-recipient.
    pub ipm_intended_recipient: Option<OrDescriptor>,
    /// conversion-eits.
    pub conversion_eits: Option<EncodedInformationTypes>,
    /// notification-extensions.
    pub extensions: Vec<IpmsExtension>,
    /// What happened.
    pub choice: IpnChoice,
}

/// What a notification says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IpnChoice {
    /// The message was not received (NRN).
    NonReceipt(NonReceiptFields),
    /// The message was received (RN).
    Receipt(ReceiptFields),
    /// Something else (ON).
    Other(Vec<IpmsExtension>),
}

/// Why a message was not received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonReceiptFields {
    /// non-receipt-reason: 0 ipm-discarded, 1 ipm-auto-forwarded.
    pub reason: i64,
    /// discard-reason: 0 ipm-expired, 1 ipm-obsoleted, 2 user-subscription-terminated, 3 ipm-deleted.
    pub discard_reason: Option<i64>,
    /// auto-forward-comment.
    pub auto_forward_comment: Option<String>,
    /// returned-ipm.
    pub returned_ipm: Option<Box<Ipm>>,
}

/// How a message was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptFields {
    /// receipt-time.
    pub receipt_time: UtcTime,
    /// acknowledgment-mode: 0 manual, 1 automatic.
    pub acknowledgment_mode: i64,
    /// suppl-receipt-info.
    pub supplementary_info: Option<String>,
}

impl Ipn {
    pub(super) fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut subject_ipm = None;
        let mut choice = None;
        let mut ipn_originator = None;
        let mut ipm_intended_recipient = None;
        let mut conversion_eits = None;
        let mut extensions = Vec::new();
        let mut members = tlv.reader()?;
        while let Some(member) = members.next()? {
            let m = &member;
            if m.tag == IpmIdentifier::TAG {
                subject_ipm = Some(IpmIdentifier::decode(m).field("subject-ipm")?);
            } else if m.tag == Tag::application(5) {
                conversion_eits = Some(EncodedInformationTypes::decode(m).field("conversion-eits")?);
            } else if m.tag == Tag::context(0) {
                choice = Some(IpnChoice::decode(&m.explicit().field("choice")?)?);
            } else if m.tag == Tag::context(1) {
                ipn_originator = Some(OrDescriptor::decode(m).field("ipn-originator")?);
            } else if m.tag == Tag::context(2) {
                ipm_intended_recipient = Some(OrDescriptor::decode(m).field("ipm-intended-recipient")?);
            } else if m.tag == Tag::context(3) {
                extensions =
                    list(m, MAX_EXTENSIONS, IpmsExtension::decode).field("notification-extensions")?;
            }
        }
        Ok(Ipn {
            subject_ipm: subject_ipm.ok_or_else(|| DecodeError::missing("subject-ipm", tlv.offset()))?,
            ipn_originator,
            ipm_intended_recipient,
            conversion_eits,
            extensions,
            choice: choice.ok_or_else(|| DecodeError::missing("choice", tlv.offset()))?,
        })
    }
}

impl IpnChoice {
    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        const NON_RECEIPT: Tag = Tag::context(0);
        const RECEIPT: Tag = Tag::context(1);
        const OTHER: Tag = Tag::context(2);
        match tlv.tag {
            NON_RECEIPT => {
                Ok(IpnChoice::NonReceipt(NonReceiptFields::decode(tlv).field("non-receipt-fields")?))
            }
            RECEIPT => Ok(IpnChoice::Receipt(ReceiptFields::decode(tlv).field("receipt-fields")?)),
            OTHER => {
                let fields = list(tlv, MAX_EXTENSIONS, IpmsExtension::decode)
                    .field("other-notification-type-fields")?;
                Ok(IpnChoice::Other(fields))
            }
            other => Err(DecodeError::new(DecodeErrorKind::Choice(other), tlv.offset())).field("choice"),
        }
    }
}

impl NonReceiptFields {
    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut reason = None;
        let mut discard_reason = None;
        let mut auto_forward_comment = None;
        let mut returned_ipm = None;
        let mut members = tlv.reader()?;
        while let Some(m) = members.next()? {
            if m.tag == Tag::context(0) {
                reason = Some(m.integer().field("non-receipt-reason")?);
            } else if m.tag == Tag::context(1) {
                discard_reason = Some(m.integer().field("discard-reason")?);
            } else if m.tag == Tag::context(2) {
                auto_forward_comment = Some(text::decode(&m).field("auto-forward-comment")?);
            } else if m.tag == Tag::context(3) {
                // Counts as the innermost message: what it forwards itself is kept as it came.
                let ipm = Ipm::decode_fields(&m, MAX_FORWARDED_DEPTH).field("returned-ipm")?;
                returned_ipm = Some(Box::new(ipm));
            }
        }
        let reason = reason.ok_or_else(|| DecodeError::missing("non-receipt-reason", tlv.offset()))?;
        Ok(NonReceiptFields { reason, discard_reason, auto_forward_comment, returned_ipm })
    }
}

impl ReceiptFields {
    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut receipt_time = None;
        let mut acknowledgment_mode = 0;
        let mut supplementary_info = None;
        let mut members = tlv.reader()?;
        while let Some(m) = members.next()? {
            if m.tag == Tag::context(0) {
                receipt_time = Some(UtcTime::decode(&m).field("receipt-time")?);
            } else if m.tag == Tag::context(1) {
                acknowledgment_mode = m.integer().field("acknowledgment-mode")?;
            } else if m.tag == Tag::context(2) {
                supplementary_info = Some(text::decode(&m).field("suppl-receipt-info")?);
            }
        }
        let receipt_time = receipt_time.ok_or_else(|| DecodeError::missing("receipt-time", tlv.offset()))?;
        Ok(ReceiptFields { receipt_time, acknowledgment_mode, supplementary_info })
    }
}
