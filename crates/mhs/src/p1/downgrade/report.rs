//! Reports in terms of 1984.
//!
//! A report about a report is never made, so as much as possible goes through: all extensions are left out, and the
//! recipients are known by their numbers if 1984 can't write their addresses. Codes that 1984 does not have become the
//! nearest reason and no diagnostic; then the supplementary information tells people, if it has no text of its own.

use ber::Tag;

use super::fields::{has_only, indicators, trace};
use super::{Extensions, Obstacle};
use crate::codes::{NonDeliveryDiagnosticCode, NonDeliveryReasonCode, TypeOfMtsUser};
use crate::kept::Kept;
use crate::p1::{LastTraceInformation, PerRecipientReportFields, Report, ReportType};

/// Longest supplementary information that implementations of 1984 have to read, characters.
const MAX_SUPPLEMENTARY: usize = 64;

impl Report {
    /// The report in terms of 1984.
    ///
    /// # Errors
    /// Its destination can't be written there.
    pub fn to_1984(&self) -> Result<Self, Obstacle> {
        let mut old = self.clone();
        let name = &self.envelope.report_destination_name;
        old.envelope.report_destination_name =
            name.to_1984().map_err(|lost| Obstacle::Address { name: name.to_string(), lost })?;
        trace(&mut old.envelope.trace_information);
        old.envelope.extensions = Extensions::new();
        let content = &mut old.content;
        if let Some(subject) = &mut content.subject_intermediate_trace_information {
            trace(subject);
        }
        content.original_encoded_information_types = None;
        content.content_type = None;
        content.extensions = Extensions::new();
        content.per_recipient_fields.iter_mut().for_each(per_recipient);
        old.forget_unknown_members();
        Ok(old)
    }
}

fn per_recipient(fields: &mut PerRecipientReportFields) {
    fields.actual_recipient_name = fields.actual_recipient_name.to_1984_in_part();
    if let Some(intended) = &mut fields.originally_intended_recipient_name {
        *intended = intended.to_1984_in_part();
    }
    indicators(&mut fields.per_recipient_indicators);
    let unsaid = last_trace(&mut fields.last_trace_information);
    if fields.supplementary_information.is_none() {
        fields.supplementary_information = unsaid.map(Kept::new);
    }
    if let Some(text) = &mut fields.supplementary_information
        && text.chars().count() > MAX_SUPPLEMENTARY
    {
        let short = text.chars().take(MAX_SUPPLEMENTARY).collect();
        text.set(short);
    }
    fields.extensions = Extensions::new();
    fields.forget_unknown_members();
}

/// Gives back the name of a code that had to be left out.
fn last_trace(last: &mut Kept<LastTraceInformation>) -> Option<String> {
    let mut old = (**last).clone();
    let mut unsaid = None;
    match &mut old.report_type {
        ReportType::Delivery(delivery) => {
            if ![TypeOfMtsUser::PUBLIC, TypeOfMtsUser::PRIVATE].contains(&delivery.type_of_mts_user) {
                delivery.type_of_mts_user = TypeOfMtsUser::PUBLIC;
            }
        }
        ReportType::NonDelivery(non_delivery) => {
            if non_delivery.reason > NonDeliveryReasonCode::CONVERSION_NOT_PERFORMED {
                unsaid = non_delivery.reason.name();
                non_delivery.reason = NonDeliveryReasonCode::UNABLE_TO_TRANSFER;
            }
            if let Some(diagnostic) = non_delivery.diagnostic
                && diagnostic > NonDeliveryDiagnosticCode::INVALID_ARGUMENTS
            {
                unsaid = diagnostic.name();
                non_delivery.diagnostic = None;
            }
        }
    }
    let converted = last.converted_encoded_information_types.as_ref();
    old.converted_encoded_information_types = converted.map(crate::EncodedInformationTypes::to_1984);
    let same_types = converted == old.converted_encoded_information_types.as_ref();
    const MEMBERS: [Tag; 3] = [Tag::context(0), Tag::context(1), Tag::application(5)];
    let known = last.raw().is_none_or(|raw| has_only(raw, &MEMBERS));
    if !same_types || !known || old.report_type != last.report_type {
        *last = Kept::new(old);
    }
    unsaid.map(str::to_owned)
}
