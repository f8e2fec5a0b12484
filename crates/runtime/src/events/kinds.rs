//! Kinds of events: name, number in the Exchange MTA, category, severity. One table, so that nothing is forgotten.

use serde::{Serialize, Serializer};

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

impl Severity {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Information => "information",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// What part of the MTA an event is about: the categories in which the Exchange MTA keeps its diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Messages, associations and the protocols.
    X400Service,
    /// Memory, sockets and places of associations.
    Resource,
    /// Who may bind.
    Security,
    /// Associations as they come and go.
    Interface,
    /// What helps to find out why something else went wrong.
    FieldEngineering,
    /// What operators do.
    MtaAdministration,
    /// Settings.
    Configuration,
    /// Files and disks.
    OperatingSystem,
    /// This program.
    InternalProcessing,
}

impl Category {
    /// Its name in the Exchange MTA, or one of the same kind.
    pub fn name(self) -> &'static str {
        match self {
            Category::X400Service => "X.400 Service",
            Category::Resource => "Resource",
            Category::Security => "Security",
            Category::Interface => "Interface",
            Category::FieldEngineering => "Field Engineering",
            Category::MtaAdministration => "MTA Administration",
            Category::Configuration => "Configuration",
            Category::OperatingSystem => "Operating System",
            Category::InternalProcessing => "Internal Processing",
        }
    }
}

impl Serialize for Category {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $id:expr, $category:ident, $severity:ident, $repeats:literal;)*) => {
        /// What happened, in the terms of the event log of the Exchange MTA where it has one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum EventKind {
            $($(#[$doc])* $kind,)*
        }

        impl EventKind {
            /// Every kind there is.
            pub const ALL: &[EventKind] = &[$(EventKind::$kind),*];

            /// Its name, as the API and the documentation write it.
            pub fn name(self) -> &'static str {
                match self { $(EventKind::$kind => $name),* }
            }

            /// The Exchange MTA's number for this event, where it has one.
            pub fn exchange_id(self) -> Option<u16> {
                match self { $(EventKind::$kind => $id),* }
            }

            /// What part of the MTA it is about.
            pub fn category(self) -> Category {
                match self { $(EventKind::$kind => Category::$category),* }
            }

            /// How much it matters.
            pub fn severity(self) -> Severity {
                match self { $(EventKind::$kind => Severity::$severity),* }
            }

            /// Whether one that is repeated is told again at growing intervals only.
            pub(super) fn is_condensed(self) -> bool {
                match self { $(EventKind::$kind => $repeats),* }
            }
        }
    };
}

kinds! {
    /// The service accepts and transfers messages.
    StartupComplete = "startup-complete", Some(9298), X400Service, Information, false;
    /// The service has stopped in order.
    ClosedownComplete = "closedown-complete", Some(9299), X400Service, Information, false;
    /// An association with a peer was opened.
    AssociationOpened = "association-opened", None, Interface, Information, false;
    /// An association ended in order.
    AssociationClosed = "association-closed", None, Interface, Information, false;
    /// An address of a peer could not be connected to, or did not give an association.
    ConnectError = "connect-error", Some(4284), X400Service, Warning, true;
    /// An association could not be opened at any address of a connector.
    ConnectionNotOpened = "connection-not-opened", Some(4287), X400Service, Warning, true;
    /// The connector waits before it tries again.
    OpenRetryTimerStarted = "open-retry-timer-started", Some(301), X400Service, Information, true;
    /// A connector has failed to open as often as its setting allows: what waits is given up or goes another way.
    OpenRetriesExhausted = "open-retries-exhausted", Some(289), X400Service, Warning, true;
    /// A connector that had failed to open has opened an association again.
    LinkRecovered = "link-recovered", None, X400Service, Information, false;
    /// What a link monitor sends has not been answered in time.
    LinkMonitorLate = "link-monitor-late", None, X400Service, Warning, false;
    /// What a link monitor sends has not been answered for so long that somebody should look.
    LinkMonitorAlarm = "link-monitor-alarm", None, X400Service, Error, false;
    /// What a link monitor sends is answered in time again.
    LinkMonitorRecovered = "link-monitor-recovered", None, X400Service, Information, false;
    /// The last association of a connector has broken.
    ConnectionsLost = "connections-lost", Some(2035), X400Service, Warning, true;
    /// An association ended abnormally.
    AssociationEndedAbnormally = "association-ended-abnormally", Some(1294), X400Service, Warning, true;
    /// A transfer made no progress and its association was ended.
    TransferStalled = "transfer-stalled", None, X400Service, Warning, true;
    /// An association did nothing although something waited for it, and was closed.
    IdleWithWork = "idle-with-work", None, X400Service, Warning, true;
    /// Name or password of a peer did not hold.
    CredentialsFailed = "credentials-failed", Some(48), Security, Warning, true;
    /// An unknown MTA tried to bind.
    UnknownMta = "unknown-mta", Some(51), Security, Warning, true;
    /// Somebody asked the API for what his role does not allow.
    AccessRefused = "access-refused", None, Security, Warning, true;
    /// A peer called selectors that are not ours, or not those of any connector to it.
    SelectorMismatch = "selector-mismatch", Some(4293), FieldEngineering, Warning, true;
    /// An incoming association was refused because of a limit.
    AssociationLimit = "association-limit", Some(57), X400Service, Warning, true;
    /// Four fifths of a budget are held.
    ResourcesLow = "resources-low", Some(9156), Resource, Warning, false;
    /// Enough of a budget is free again.
    ResourcesRecovered = "resources-recovered", None, Resource, Information, false;
    /// As many messages wait for a connector as its alarm is set at.
    OutboundQueueLong = "outbound-queue-long", Some(659), Resource, Warning, false;
    /// Few enough of them wait again.
    OutboundQueueShort = "outbound-queue-short", Some(660), Resource, Information, false;
    /// As many items wait for a decision as the alarm of the work queue is set at.
    WorkQueueLong = "work-queue-long", Some(666), Resource, Warning, false;
    /// Few enough of them wait again.
    WorkQueueShort = "work-queue-short", Some(667), Resource, Information, false;
    /// An APDU of a peer can't be decoded.
    DecodeError = "decode-error", Some(200), X400Service, Warning, true;
    /// The domain that a message identifier names is not the first in its trace; the message goes on.
    SubmittingDomainInconsistent = "submitting-domain-inconsistent", Some(209), X400Service, Warning, false;
    /// A message, probe or report that waited for one connector goes over another.
    Rerouted = "rerouted", None, X400Service, Information, true;
    /// A message, probe or report was transferred out.
    ObjectSent = "object-sent", Some(271), X400Service, Information, false;
    /// A message, probe or report was transferred in.
    ObjectReceived = "object-received", Some(272), X400Service, Information, false;
    /// A transfer in was a repetition of one that had completed.
    DuplicateSuppressed = "duplicate-suppressed", None, X400Service, Information, false;
    /// A transfer out failed.
    TransferFailed = "transfer-failed", Some(270), X400Service, Warning, false;
    /// A transfer, out or in, was interrupted and can be resumed for a while.
    TransferInterrupted = "transfer-interrupted", None, X400Service, Warning, false;
    /// A peer was asked to let an interrupted transfer out go on where it stopped.
    ResumptionRequested = "resumption-requested", None, X400Service, Information, false;
    /// An interrupted transfer in goes on where it stopped, or turned out to have completed.
    TransferResumed = "transfer-resumed", None, X400Service, Information, false;
    /// An interrupted transfer can't be resumed and begins anew.
    ResumptionRefused = "resumption-refused", None, X400Service, Warning, false;
    /// What was kept of an interrupted transfer in was dropped before the peer came back for it.
    InterruptedTransferDropped = "interrupted-transfer-dropped", None, X400Service, Warning, false;
    /// An association that had broken goes on, on a new connection.
    AssociationRecovered = "association-recovered", None, X400Service, Information, false;
    /// An association that had broken could not be recovered.
    RecoveryRefused = "recovery-refused", None, X400Service, Warning, true;
    /// A peer refers to an association that is not known here.
    StaleAssociation = "stale-association", Some(1209), X400Service, Warning, true;
    /// A message was submitted here.
    Submitted = "submitted", None, X400Service, Information, false;
    /// A message or report was put into a mailbox.
    Delivered = "delivered", None, X400Service, Information, false;
    /// Another recipient was chosen in place of one.
    Redirected = "redirected", None, X400Service, Information, false;
    /// A distribution list was expanded, or had sent a message to its members already.
    ListExpanded = "list-expanded", None, X400Service, Information, false;
    /// A recipient gets no delivery.
    NonDelivery = "non-delivery", Some(290), X400Service, Warning, false;
    /// A report was made.
    ReportGenerated = "report-generated", Some(290), X400Service, Information, false;
    /// A distribution list passed a report on.
    ReportPassedOn = "report-passed-on", None, X400Service, Information, false;
    /// A report was dropped because nobody wants it or it can't be routed.
    ReportDiscarded = "report-discarded", Some(141), X400Service, Warning, false;
    /// The store does not take on new responsibility.
    StoreUnhealthy = "store-unhealthy", Some(9411), FieldEngineering, Error, true;
    /// The store takes on responsibility again.
    StoreHealthy = "store-healthy", None, FieldEngineering, Information, false;
    /// The store was looked through before it was worked on.
    StoreChecked = "store-checked", None, OperatingSystem, Information, false;
    /// The store failed.
    StoreFailed = "store-failed", Some(2124), OperatingSystem, Error, true;
    /// The configuration was replaced.
    ConfigurationReloaded = "configuration-reloaded", None, Configuration, Information, false;
    /// New settings were not taken over: the old ones are in force.
    ConfigurationRefused = "configuration-refused", None, Configuration, Error, false;
    /// The configuration was replaced, and part of what follows from it is still to be done.
    ConfigurationIncomplete = "configuration-incomplete", None, Configuration, Error, false;
    /// An address at which peers were accepted can't be listened on any more.
    ListenerLost = "listener-lost", None, Configuration, Error, true;
    /// An operator changed something, or tried to.
    OperatorAction = "operator-action", None, MtaAdministration, Information, false;
    /// The handling of an item has failed: a panic, a decision that takes too long, a process that died.
    ProcessingFailed = "processing-failed", None, InternalProcessing, Warning, true;
    /// An item was put into quarantine.
    Quarantined = "quarantined", None, InternalProcessing, Error, false;
    /// A defect of this program: an invariant did not hold.
    InternalError = "internal-error", None, InternalProcessing, Error, true;
}

impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
