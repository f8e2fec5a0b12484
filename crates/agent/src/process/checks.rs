//! What is wrong with a message or probe as a whole, whoever its recipients are.

use clock::WallTime;
use mhs::UtcTime;
use mhs::codes::{NonDeliveryDiagnosticCode as Diagnostic, NonDeliveryReasonCode as Reason};
use mhs::p1::{ExtensionType, Extensions, StandardExtension, standard_extension};

use crate::agent::Agent;
use crate::record::{Failure, Source, WorkRecord};
use crate::settings::WhenBarred;
use crate::trace;
use crate::transfer::Transfer;

/// A failure that is no fault of the transfer.
pub(super) fn failure(diagnostic: Diagnostic, text: impl Into<String>) -> Failure {
    Failure { reason: Reason::UNABLE_TO_TRANSFER.0, diagnostic: diagnostic.0, text: text.into() }
}

pub(super) fn unsupported_critical() -> Failure {
    failure(Diagnostic::UNSUPPORTED_CRITICAL_FUNCTION, "a critical extension is not supported")
}

impl Agent {
    /// What becomes of it if its originator is barred on the link that it came in over.
    pub(super) fn is_barred(&self, record: &WorkRecord, transfer: &Transfer) -> Option<WhenBarred> {
        let restrictions = &self.settings().connector(record.source.connector()?)?.restrictions;
        let originator = transfer.originator().address();
        let barred = restrictions.barred.iter().any(|pattern| pattern.matches(originator).is_some());
        barred.then_some(restrictions.when_barred)
    }

    /// The reason why no recipient can be served, if there is one.
    pub(super) fn check(&self, now: WallTime, record: &WorkRecord, transfer: &Transfer) -> Option<Failure> {
        let settings = &self.settings().mta;
        // It became too old in an outbound queue, and was sent back for its report.
        if let Some(failure) = &record.failure
            && failure.diagnostic == Diagnostic::MAXIMUM_TIME_EXPIRED.0
        {
            return Some(failure.clone());
        }
        // What was rerouted here comes from our own queue: its trace was judged when it arrived.
        let arrives = match record.source {
            Source::Connector(_) => record.left().is_none(),
            Source::Submission | Source::Agent => false,
        };
        if arrives && self.here().is_loop(transfer.trace(), transfer.extensions()) {
            return Some(failure(Diagnostic::LOOP_DETECTED, "it was here before"));
        }
        if self.is_barred(record, transfer).is_some() {
            return Some(failure(
                Diagnostic::NO_BILATERAL_AGREEMENT,
                "its originator is barred on this link",
            ));
        }
        if trace::exceeds(settings.hop_limit, transfer.trace(), transfer.extensions()) {
            return Some(failure(Diagnostic::LOOP_DETECTED, "too many transfers"));
        }
        if settings
            .message_size_limit_kb
            .is_some_and(|kb| transfer.content_length() > kb.saturating_mul(1024))
        {
            return Some(failure(Diagnostic::CONTENT_TOO_LONG, "the content is longer than this MTA takes"));
        }
        // Members of a list are as many as there are.
        let ours = matches!(record.source, Source::Agent);
        let count = u32::try_from(transfer.recipients().len()).unwrap_or(u32::MAX);
        if !ours && count > settings.max_recipients {
            return Some(failure(Diagnostic::TOO_MANY_RECIPIENTS, "more recipients than this MTA takes"));
        }
        if latest_delivery(transfer.extensions()).is_some_and(|latest| latest < now) {
            return Some(failure(Diagnostic::MAXIMUM_TIME_EXPIRED, "the latest delivery time has passed"));
        }
        None
    }
}

/// The deferred delivery time, if it is there and legal. One that can't be read can't be waited for.
pub(super) fn deferred_until(transfer: &Transfer) -> Option<WallTime> {
    match transfer {
        Transfer::Message { envelope, .. } => envelope.deferred_delivery_time.as_deref()?.to_wall(),
        Transfer::Probe(_) => None,
    }
}

/// The latest delivery time, if it is there and legal.
pub(super) fn latest_delivery(extensions: &Extensions) -> Option<WallTime> {
    let field = extensions.standard(StandardExtension::LATEST_DELIVERY_TIME)?;
    let tlv = ber::Reader::new(field.value()).any().ok()?;
    UtcTime::from_octets(tlv.octets().ok()?.as_ref()).to_wall()
}

/// Whether extensions that this MTA does not understand forbid it to go on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Critical {
    pub(super) for_transfer: bool,
    pub(super) for_delivery: bool,
}

impl Critical {
    pub(super) fn of(extensions: &Extensions) -> Critical {
        let mut found = Critical::default();
        for field in extensions.iter() {
            let known = match field.extension_type() {
                ExtensionType::Standard(number) => standard_extension(*number).is_some(),
                ExtensionType::Private(_) => false,
            };
            // The one known extension that asks something of the delivering MTA which this one does not do. The others
            // are heeded (prohibitions, times, lists, redirection), are for the recipient and delivered to him whole
            // (tokens, checks, labels, certificates), or concern physical delivery, which has no recipients here.
            let unperformed = *field.extension_type()
                == ExtensionType::Standard(StandardExtension::PROOF_OF_DELIVERY_REQUEST);
            let criticality = field.criticality();
            found.for_transfer |= !known && criticality.for_transfer;
            found.for_delivery |= (!known || unperformed) && criticality.for_delivery;
        }
        found
    }

    pub(super) fn and(self, other: Critical) -> Critical {
        Critical {
            for_transfer: self.for_transfer || other.for_transfer,
            for_delivery: self.for_delivery || other.for_delivery,
        }
    }
}
