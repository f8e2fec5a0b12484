//! The event log: what an operator is told, with the event numbers that Exchange administrators know.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use clock::WallTime;
use serde::Serialize;

/// Events kept in memory for the API; the log itself goes to `tracing`.
const KEPT: usize = 1_000;

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Normal course of things.
    Information,
    /// Something failed that is tried again, or a peer misbehaved.
    Warning,
    /// Something failed for good, or responsibility can't be taken.
    Error,
}

/// What happened, in the terms of the event log of the Exchange MTA where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The service accepts and transfers messages.
    StartupComplete,
    /// The service has stopped in order.
    ClosedownComplete,
    /// An association with a peer was opened.
    AssociationOpened,
    /// An association ended in order.
    AssociationClosed,
    /// An association could not be opened.
    ConnectionNotOpened,
    /// The connector waits before it tries again.
    OpenRetryTimerStarted,
    /// An association ended abnormally.
    AssociationEndedAbnormally,
    /// Name or password of a peer did not hold.
    CredentialsFailed,
    /// An unknown MTA tried to bind.
    UnknownMta,
    /// A peer called selectors that are not ours, or not those of any connector to it.
    SelectorMismatch,
    /// An incoming association was refused because of a limit.
    AssociationLimit,
    /// An APDU of a peer can't be decoded.
    DecodeError,
    /// The domain that a message identifier names is not the first in its trace; the message goes on.
    SubmittingDomainInconsistent,
    /// A message, probe or report was transferred out.
    ObjectSent,
    /// A message, probe or report was transferred in.
    ObjectReceived,
    /// A transfer in was a repetition of one that had completed.
    DuplicateSuppressed,
    /// A transfer out failed.
    TransferFailed,
    /// A transfer, out or in, was interrupted and can be resumed for a while.
    TransferInterrupted,
    /// A peer was asked to let an interrupted transfer out go on where it stopped.
    ResumptionRequested,
    /// An interrupted transfer in goes on where it stopped, or turned out to have completed.
    TransferResumed,
    /// An interrupted transfer can't be resumed and begins anew.
    ResumptionRefused,
    /// What was kept of an interrupted transfer in was dropped before the peer came back for it.
    InterruptedTransferDropped,
    /// An association that had broken goes on, on a new connection.
    AssociationRecovered,
    /// An association that had broken could not be recovered.
    RecoveryRefused,
    /// A message was submitted here.
    Submitted,
    /// A message or report was put into a mailbox.
    Delivered,
    /// Another recipient was chosen in place of one.
    Redirected,
    /// A distribution list was expanded, or had sent a message to its members already.
    ListExpanded,
    /// A recipient gets no delivery.
    NonDelivery,
    /// A report was made.
    ReportGenerated,
    /// A distribution list passed a report on.
    ReportPassedOn,
    /// A report was dropped because nobody wants it or it can't be routed.
    ReportDiscarded,
    /// The store does not take on new responsibility.
    StoreUnhealthy,
    /// The store takes on responsibility again.
    StoreHealthy,
    /// The store failed.
    StoreFailed,
    /// The configuration was replaced.
    ConfigurationReloaded,
    /// A defect of this program: an invariant did not hold.
    InternalError,
}

impl EventKind {
    /// The Exchange MTA's number for this event, where it has one.
    pub fn exchange_id(self) -> Option<u16> {
        match self {
            EventKind::StartupComplete => Some(9298),
            EventKind::ClosedownComplete => Some(9299),
            EventKind::ConnectionNotOpened => Some(289),
            EventKind::OpenRetryTimerStarted => Some(301),
            EventKind::AssociationEndedAbnormally => Some(1294),
            EventKind::CredentialsFailed => Some(48),
            EventKind::UnknownMta => Some(51),
            EventKind::SelectorMismatch => Some(4293),
            EventKind::AssociationLimit => Some(57),
            EventKind::DecodeError => Some(200),
            EventKind::SubmittingDomainInconsistent => Some(209),
            EventKind::ObjectSent => Some(271),
            EventKind::ObjectReceived => Some(272),
            EventKind::TransferFailed => Some(270),
            EventKind::NonDelivery | EventKind::ReportGenerated => Some(290),
            EventKind::ReportDiscarded => Some(141),
            EventKind::StoreUnhealthy => Some(9411),
            EventKind::StoreFailed => Some(2124),
            EventKind::AssociationOpened
            | EventKind::AssociationClosed
            | EventKind::DuplicateSuppressed
            | EventKind::TransferInterrupted
            | EventKind::ResumptionRequested
            | EventKind::TransferResumed
            | EventKind::ResumptionRefused
            | EventKind::InterruptedTransferDropped
            | EventKind::AssociationRecovered
            | EventKind::RecoveryRefused
            | EventKind::Submitted
            | EventKind::Delivered
            | EventKind::Redirected
            | EventKind::ListExpanded
            | EventKind::ReportPassedOn
            | EventKind::ConfigurationReloaded
            | EventKind::StoreHealthy
            | EventKind::InternalError => None,
        }
    }

    fn severity(self) -> Severity {
        match self {
            EventKind::StartupComplete
            | EventKind::ClosedownComplete
            | EventKind::AssociationOpened
            | EventKind::AssociationClosed
            | EventKind::ObjectSent
            | EventKind::ObjectReceived
            | EventKind::DuplicateSuppressed
            | EventKind::ResumptionRequested
            | EventKind::TransferResumed
            | EventKind::AssociationRecovered
            | EventKind::Submitted
            | EventKind::Delivered
            | EventKind::Redirected
            | EventKind::ListExpanded
            | EventKind::ReportGenerated
            | EventKind::ReportPassedOn
            | EventKind::ConfigurationReloaded
            | EventKind::StoreHealthy
            | EventKind::OpenRetryTimerStarted => Severity::Information,
            EventKind::ConnectionNotOpened
            | EventKind::AssociationEndedAbnormally
            | EventKind::CredentialsFailed
            | EventKind::UnknownMta
            | EventKind::SelectorMismatch
            | EventKind::AssociationLimit
            | EventKind::DecodeError
            | EventKind::SubmittingDomainInconsistent
            | EventKind::TransferFailed
            | EventKind::TransferInterrupted
            | EventKind::ResumptionRefused
            | EventKind::InterruptedTransferDropped
            | EventKind::RecoveryRefused
            | EventKind::NonDelivery
            | EventKind::ReportDiscarded => Severity::Warning,
            EventKind::StoreUnhealthy | EventKind::StoreFailed | EventKind::InternalError => Severity::Error,
        }
    }
}

/// One line of the event log.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Number since the start of the process.
    pub number: u64,
    /// When, RFC 3339.
    pub time: String,
    /// What kind.
    pub kind: EventKind,
    /// Exchange event number, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange_id: Option<u16>,
    /// How much it matters.
    pub severity: Severity,
    /// Connector or peer concerned; empty when none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// What happened and why, in words.
    pub text: String,
}

/// Writes events to `tracing` and keeps the newest for the API.
#[derive(Debug, Default)]
pub struct EventLog {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    next: u64,
    events: VecDeque<Event>,
}

impl EventLog {
    pub(crate) fn record(&self, time: WallTime, kind: EventKind, subject: &str, text: impl Into<String>) {
        let (severity, id, text) = (kind.severity(), kind.exchange_id(), text.into());
        let name = format!("{kind:?}");
        let id_shown = id.map_or_else(String::new, |id| id.to_string());
        match severity {
            Severity::Information => tracing::info!(event = name, id = id_shown, subject, "{text}"),
            Severity::Warning => tracing::warn!(event = name, id = id_shown, subject, "{text}"),
            Severity::Error => tracing::error!(event = name, id = id_shown, subject, "{text}"),
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let number = kept.next;
        kept.next += 1;
        if kept.events.len() == KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(Event {
            number,
            time: time.to_string(),
            kind,
            exchange_id: id,
            severity,
            subject: subject.to_owned(),
            text,
        });
    }

    /// The newest events, oldest first, whose number is `after` or above.
    pub fn since(&self, after: u64) -> Vec<Event> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.events.iter().filter(|event| event.number >= after).cloned().collect()
    }
}
