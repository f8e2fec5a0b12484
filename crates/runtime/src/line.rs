//! What a connector and its associations say to one another, and what a connector shows of itself.

use std::sync::Arc;
use std::time::Duration;

use agent::connector::AssociationId;
use agent::record::OutboundRecord;
use agent::settings::ConnectorSettings;
use clock::{MonoTime, WallTime};
use osi::rtse::{InitialTurn, SessionConnectionIdentifier};
use tokio::sync::{mpsc, oneshot, watch};

use crate::outage::Outage;
use crate::recovery::ResumeRecord;
use crate::taken::Taken;

/// What a connector tells one of its associations.
#[derive(Debug)]
pub(crate) enum Command {
    /// Transfer this; only sent when the association is idle.
    Transfer(Box<Outgoing>),
    /// Close in order.
    Close,
}

/// A queued item that was taken for transfer.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Its key in the outbound queue, which nobody else has.
    pub(crate) taken: Taken,
    /// What is transferred.
    pub(crate) record: OutboundRecord,
    /// What is remembered of an earlier transfer of it that was interrupted.
    pub(crate) resume: Option<ResumeRecord>,
}

/// An association that we had opened, that has broken and is to go on.
#[derive(Clone, Debug)]
pub(crate) struct Recover {
    /// The session connection on which it was.
    pub(crate) connection: SessionConnectionIdentifier,
    /// Who had the turn.
    pub(crate) turn: InitialTurn,
}

/// What an association, or the task that opens one, tells its connector.
#[derive(Debug)]
pub(crate) enum Message {
    /// An association that this connector opened is bound.
    Opened(AssociationId),
    /// An association was not opened.
    NotOpened {
        /// Which.
        association: AssociationId,
        /// Why.
        why: NotOpened,
        /// The association that was to be recovered, if no peer was asked for it.
        recover: Option<(MonoTime, Recover)>,
    },
    /// A peer wants to open an association.
    Inbound {
        /// What it was admitted by; a connector with other settings does not take it.
        settings: Arc<ConnectorSettings>,
        /// Whether this side may transfer on it too.
        two_way: bool,
        /// To its task.
        commands: mpsc::Sender<Command>,
        /// What becomes of it.
        reply: oneshot::Sender<Joined>,
    },
    /// An association can take the next message.
    Idle {
        /// Which.
        association: AssociationId,
        /// A transfer was completed on it just now.
        transferred: bool,
    },
    /// An association has ended.
    Ended {
        /// Which.
        association: AssociationId,
        /// Closed rather than aborted or lost.
        orderly: bool,
        /// Why it was aborted or lost, as far as it is known.
        why: Option<String>,
    },
    /// A message is to be tried again.
    Retry {
        /// Its key.
        key: Vec<u8>,
        /// After this time.
        after: Duration,
        /// From where it can go on then.
        resume: Option<ResumeRecord>,
    },
    /// A transfer was interrupted by the end of its association, which is told after this; it can be resumed.
    Interrupted {
        /// Which association.
        association: AssociationId,
        /// The item of ours, with what is remembered of its transfer; nothing if it was the peer's.
        item: Option<(Vec<u8>, ResumeRecord)>,
        /// The association, if it is ours to recover.
        recover: Option<Recover>,
        /// It has brought a transfer forward.
        further: bool,
    },
    /// An operator wants the connector to try now.
    ConnectNow,
    /// The settings of the MTA have changed, though not those of this connector: what waits may belong elsewhere.
    Recheck,
}

/// Why an association was not opened.
#[derive(Debug)]
pub(crate) enum NotOpened {
    /// None of the hosts gave one, in words.
    Failed(String),
    /// This MTA has no place for one, in words: the peer was not called.
    NoPlace(String),
    /// The connector, or the MTA, wants it no more.
    GivenUp,
}

/// What becomes of an association that a peer wants to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// It has this name from now on.
    As(AssociationId),
    /// The connector takes no more.
    Full,
    /// The connector has other settings than those by which it was admitted.
    Outdated,
}

/// What a connector shows of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectorView {
    pub(crate) state: &'static str,
    pub(crate) consecutive_failures: u32,
    pub(crate) retry_at: Option<MonoTime>,
    /// The same by the time of day, as it was when the wait began.
    pub(crate) retry_time: Option<WallTime>,
    /// None is open, and none is opened before this: the last attempt failed.
    pub(crate) waits_until: Option<MonoTime>,
    pub(crate) last_failure: Option<String>,
    /// Since when, and how often, no association could be opened.
    pub(crate) outage: Outage,
    pub(crate) waiting: usize,
}

/// Waits until a stop signal is given, or was given before.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that whoever could give the signal is gone, which stops as well.
    let _ = stop.wait_for(|stop| *stop).await;
}
