//! What makes two transfers the same: a digest over what they mean.
//!
//! A peer that did not learn whether its transfer was accepted sends it again, and must be told yes without a
//! second copy. The identifier alone does not tell a repetition from a legal second copy (for other recipients,
//! or over another way), so the recipients we are made responsible for and the trace are part of it. The trace is
//! taken as it arrived, before our own element is added.

use mhs::p1::{Extensions, ProbeTransferEnvelope, Recipients, Report, StandardExtension, TraceInformation};
use mhs::{GlobalDomainIdentifier, MtsIdentifier};
use sha2::{Digest, Sha256};

use crate::effect::Kind;

/// Key in [`crate::record::DUPLICATE`].
pub(crate) type Key = [u8; 32];

struct Fields(Sha256);

impl Fields {
    fn new(kind: Kind, identifier: &MtsIdentifier) -> Self {
        let mut fields = Fields(Sha256::new());
        fields.add(match kind {
            Kind::Message => b"message",
            Kind::Report => b"report",
            Kind::Probe => b"probe",
        });
        fields.add_domain(&identifier.domain);
        fields.add(identifier.local.as_bytes());
        fields
    }

    /// The length in front of each field keeps neighbours apart.
    fn add(&mut self, octets: &[u8]) {
        self.0.update(u64::try_from(octets.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(octets);
    }

    fn add_number(&mut self, number: i64) {
        self.0.update(number.to_be_bytes());
    }

    fn add_domain(&mut self, domain: &GlobalDomainIdentifier) {
        self.add(domain.country.as_bytes());
        self.add(domain.admd.as_bytes());
        self.add(domain.prmd.as_deref().unwrap_or_default().as_bytes());
    }

    fn add_trace(&mut self, trace: &TraceInformation, extensions: &Extensions) {
        for element in trace {
            self.add_domain(&element.domain);
            self.add(element.arrival_time.octets());
            // Reroutes and the like: whatever stands in the element tells two ways apart.
            self.add(element.raw().unwrap_or_default());
        }
        let internal = extensions.standard(StandardExtension::INTERNAL_TRACE_INFORMATION);
        self.add(internal.map_or(&[][..], |field| field.value()));
    }

    fn add_recipients(&mut self, recipients: &Recipients) {
        for recipient in recipients.iter().filter(|recipient| recipient.responsibility()) {
            self.add_number(*recipient.originally_specified_recipient_number);
            self.add(&recipient.recipient_name.encode());
        }
    }

    fn finish(self) -> Key {
        self.0.finalize().into()
    }
}

pub(crate) fn message(envelope: &mhs::p1::MessageTransferEnvelope) -> Key {
    let mut fields = Fields::new(Kind::Message, &envelope.message_identifier);
    fields.add_trace(&envelope.trace_information, &envelope.extensions);
    // Who is a member of two lists is reported on to both of them.
    let lists = envelope.extensions.standard(StandardExtension::DL_EXPANSION_HISTORY);
    fields.add(lists.map_or(&[][..], |field| field.value()));
    fields.add_recipients(&envelope.per_recipient_fields);
    fields.finish()
}

pub(crate) fn probe(probe: &ProbeTransferEnvelope) -> Key {
    let mut fields = Fields::new(Kind::Probe, &probe.probe_identifier);
    fields.add_trace(&probe.trace_information, &probe.extensions);
    fields.add_recipients(&probe.per_recipient_fields);
    fields.finish()
}

pub(crate) fn report(report: &Report) -> Key {
    let mut fields = Fields::new(Kind::Report, &report.envelope.report_identifier);
    fields.add_trace(&report.envelope.trace_information, &report.envelope.extensions);
    fields.add(&report.envelope.report_destination_name.encode());
    // Some MTAs give several reports made at the same time one identifier.
    fields.add_domain(&report.content.subject_identifier.domain);
    fields.add(report.content.subject_identifier.local.as_bytes());
    for recipient in &report.content.per_recipient_fields {
        fields.add_number(*recipient.originally_specified_recipient_number);
        fields.add(&recipient.actual_recipient_name.encode());
    }
    fields.finish()
}
