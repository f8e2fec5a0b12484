//! P1, the protocol between MTAs (X.411 MTAAbstractService, X.419 MTSTransferProtocol).
//!
//! Bind arguments, and the three APDUs: messages, probes and reports. 1984 P1 uses the same encodings
//! without the extensions, so it needs no types of its own; `to_1984` makes the one of the other. Procedures (who is responsible, what is a loop)
//! are the agent's.

mod apdu;
pub mod bind;
mod downgrade;
mod envelope;
mod extension_table;
mod extensions;
mod histories;
mod indicators;
mod outgoing;
mod probe;
mod reader;
mod recipient;
mod report;
mod report_recipient;
mod trace;

pub use crate::error::DecodeError as P1Error;
pub use apdu::{Message, MtsApdu, message_header};
pub use downgrade::Obstacle;
pub use envelope::{ContentIdentifier, MessageTransferEnvelope, Priority};
pub use extension_table::{StandardExtension, standard_extension};
pub use extensions::{Criticality, ExtensionCoding, ExtensionField, ExtensionType, Extensions};
pub use histories::{DlExpansion, DlExpansionHistory, MAX_HISTORY, Redirection, RedirectionHistory};
pub use indicators::{OriginatingMtaReport, OriginatorReport, PerMessageIndicators, PerRecipientIndicators};
pub use outgoing::{ContentCoding, OutgoingMessage, Stretch};
pub use probe::ProbeTransferEnvelope;
pub use reader::{ApduPart, ApduReader, ApduReaderState, Limits};
pub use recipient::{PerRecipientFields, Recipients};
pub use report::{Report, ReportTransferContent, ReportTransferEnvelope};
pub use report_recipient::{
    Delivery, LastTraceInformation, NonDelivery, PerRecipientReportFields, ReportType,
};
pub use trace::{
    AdditionalActions, Attempted, InternalTraceInformation, InternalTraceInformationElement, OtherActions,
    RoutingAction, TraceInformation, TraceInformationElement,
};

/// ub-recipients.
pub const MAX_RECIPIENTS: usize = 32_767;
/// ub-transfers: trace elements.
pub const MAX_TRANSFERS: usize = 512;
/// ub-extension-types: extensions of one field.
pub const MAX_EXTENSIONS: usize = 256;
