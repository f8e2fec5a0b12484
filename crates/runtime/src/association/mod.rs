//! One bound association: takes messages in, transfers messages out, passes the turn, ends.
//!
//! One task drives it. It waits for one thing at a time of its own peer and never for another: a slow peer costs
//! its own association and nothing else.

mod accept;
mod begin;
mod open;
mod progress;
mod receive;
mod resume;
mod send;

use std::sync::Arc;
use std::time::Duration;

use agent::TransferFailureKind;
use agent::connector::AssociationId;
use agent::settings::ConnectorSettings;
use osi::failure::Layer;
use osi::rtse::{AbortReason, Aborted, RtIndication, RtRequest};
use osi::session::ReasonCode;
use osi::stack::RequestError;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::events::EventKind;
use crate::ledger::Hold;
use crate::line::{Command, Message, stopped};
use crate::link::Link;
use crate::recovery::{Presence, Recoverable};
use crate::registry::{ConnectorEntry, InUse, Registration};
use crate::shared::Shared;
use crate::status::{AssociationState, Role};

pub(crate) use accept::accept;
pub(crate) use open::open;
use progress::Progress;
pub(crate) use receive::Receiving;

/// When a stop interrupts a transfer that could be resumed, at the latest: what needs no longer is finished.
const INTERRUPT_AFTER: Duration = Duration::from_secs(2);

/// Tells the connector of an association's end even if its task is cut off.
struct Ending {
    entry: Arc<ConnectorEntry>,
    id: AssociationId,
    told: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.told {
            // A full channel means that the connector is gone or has hundreds of messages to read, this one's
            // transfers among them; then it finds out by itself.
            let ended = Message::Ended { association: self.id, orderly: false, why: None };
            let _ = self.entry.messages.try_send(ended);
        }
    }
}

/// What an exception report says of the message (X.225 reason codes): a peer with troubles of its own refuses
/// every message at this time, and that is no mark against this one.
fn refusal_of(reason: Option<u8>) -> TransferFailureKind {
    match reason.map(ReasonCode) {
        Some(ReasonCode::RECEIVING_ABILITY_JEOPARDIZED | ReasonCode::LOCAL_SS_USER_ERROR) => {
            TransferFailureKind::Postponed
        }
        Some(ReasonCode(_)) => TransferFailureKind::RefusedTransient,
        None => TransferFailureKind::Interrupted,
    }
}

/// The driver of one bound association.
pub(crate) struct Association {
    shared: Arc<Shared>,
    id: AssociationId,
    /// Number of the association in this process, as shown to operators.
    number: u64,
    role: Role,
    connector: Arc<ConnectorSettings>,
    entry: Arc<ConnectorEntry>,
    link: Link,
    commands: mpsc::Receiver<Command>,
    registration: Registration,
    receiving: Option<Receiving>,
    outgoing: Option<send::Sending>,
    /// The durable removal of the message transferred last; at most one is under way.
    removal: Option<JoinHandle<()>>,
    /// This side is to end the association as soon as nothing is in transfer.
    wants_close: bool,
    /// The peer has asked for the turn that this side holds.
    peer_wants_turn: bool,
    /// This side has asked for the turn and not got it yet.
    turn_asked: bool,
    /// This side has given the turn and the peer has not taken it yet: nothing can be begun or asked for.
    turn_passing: bool,
    closing: bool,
    /// It was closed, not aborted or lost.
    orderly: bool,
    /// Why it was aborted or lost.
    broke: Option<String>,
    /// The connector or the MTA stops: when the association is cut off if it has not ended by then.
    stopping: Option<Instant>,
    /// When a stop interrupts what is in transfer.
    interrupt_at: Option<Instant>,
    /// Whether it is in normal mode.
    normal_mode: bool,
    /// Something has come over it that had not been here before: a message, or more of one that was interrupted.
    further: bool,
    /// Its name for what outlives it.
    presence: Option<Presence>,
    /// Becomes true when the peer has given this association up for another.
    cut: Option<watch::Receiver<bool>>,
    in_use: InUse,
    progress: Progress,
    /// The deadlines of this driver, for the ledger.
    timers: Hold,
    ending: Ending,
}

impl Association {
    /// Runs until the association has ended. The connector is told of every step.
    pub(crate) async fn run(mut self) {
        self.idle(false).await;
        'open: loop {
            // At most what one read has brought, or what fills the way out: nothing that ends the association waits long.
            while let Some(indication) = self.link.ready() {
                if !self.indication(indication).await {
                    break 'open;
                }
            }
            let timeout = self.outgoing.as_ref().and_then(send::Sending::deadline);
            let timed_out = async {
                match timeout {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let look_at = self.progress.look(Instant::now(), self.octets_if_working());
            let stalled = async {
                match look_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let timers = [timeout, look_at, self.stopping, self.interrupt_at];
            self.timers.set(timers.into_iter().flatten().count() as u64);
            let (stopping, interrupt_at) = (self.stopping, self.interrupt_at);
            let cut_off = async {
                match stopping {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let interrupt = async {
                match interrupt_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let cut = async {
                match &mut self.cut {
                    Some(cut) => stopped(cut).await,
                    None => std::future::pending().await,
                }
            };
            // In this order: what ends the association or a transfer is never behind in a flood of octets.
            tokio::select! {
                biased;
                () = self.entry.stop.given(), if self.stopping.is_none() => {
                    let (now, grace) = (Instant::now(), self.shared.stop_grace);
                    self.stopping = Some(now + grace);
                    if self.recovery_timeout().is_some() {
                        self.interrupt_at = Some(now + INTERRUPT_AFTER.min(grace / 4));
                    }
                    self.put_back_unsent();
                    self.wants_close = true;
                    self.proceed().await;
                }
                () = cut_off => {
                    self.abort().await;
                    break;
                }
                () = cut => {
                    let text = format!(
                        "association {} is ended: the peer has given it up and goes on over another connection",
                        self.number
                    );
                    self.event(EventKind::AssociationEndedAbnormally, text);
                    self.abort().await;
                    break;
                }
                () = interrupt => {
                    self.interrupt_at = None;
                    // Only a sender can interrupt (X.225); a receiver ends the association, and keeps what has come.
                    if self.receiving.as_ref().is_some_and(Receiving::is_resumable) {
                        self.abort().await;
                        break;
                    }
                    self.interrupt_for_stop();
                }
                () = timed_out => self.transfer_timed_out(),
                () = stalled => {
                    let (octets_in, octets_out) = self.link.octets();
                    if self.progress.has_stalled(Instant::now(), octets_in + octets_out) {
                        self.tell_of_stall();
                        self.abort().await;
                        break;
                    }
                }
                Some(command) = self.commands.recv(), if self.outgoing.is_none() => match command {
                    Command::Transfer(outgoing) => self.begin_transfer(outgoing).await,
                    Command::Close => {
                        self.wants_close = true;
                        self.proceed().await;
                    }
                },
                indication = self.link.next() => match indication {
                    Some(indication) => {
                        if !self.indication(indication).await {
                            break;
                        }
                    }
                    None => break,
                },
            }
        }
        self.ended().await;
    }

    /// Octets that have passed so far, if something is in transfer or waits for the turn. Nothing has to pass while the
    /// peer makes what it has got durable: that has a deadline of its own.
    fn octets_if_working(&self) -> Option<u64> {
        let (octets_in, octets_out) = self.link.octets();
        let sends = self.outgoing.as_ref().is_some_and(|sending| !sending.awaits_answer());
        let works = (sends || self.receiving.is_some()) && !self.closing;
        works.then_some(octets_in + octets_out)
    }

    fn tell_of_stall(&self) {
        let doing = match (&self.outgoing, &self.receiving) {
            (_, Some(_)) => "a transfer in",
            (Some(sending), None) if sending.is_started() => "a transfer out",
            (Some(_) | None, None) => "the turn for a transfer out",
        };
        let text = format!(
            "association {} with {} is ended: {doing} makes no progress, less than 1 KB in {} s",
            self.number,
            self.link.peer(),
            self.progress.patience().as_secs()
        );
        self.event(EventKind::TransferStalled, text);
    }

    /// Ends the association at once, and takes in what has happened on it until now.
    async fn abort(&mut self) {
        self.closing = true;
        // If even an abort is refused the stack has ended already.
        let _ = self.link.request(RtRequest::Abort(AbortReason::TEMPORARY_PROBLEM));
        while let Some(indication) = self.link.queued() {
            if !self.indication(indication).await {
                break;
            }
        }
    }

    /// Handles one indication; `false` ends the association.
    async fn indication(&mut self, indication: RtIndication) -> bool {
        match indication {
            RtIndication::SegmentWanted { octets } => self.segment(octets).await,
            RtIndication::TransferConfirm => self.transfer_confirmed().await,
            RtIndication::TransferFailed { reason } => {
                let text = match reason {
                    Some(reason) => {
                        format!("the peer refused the message (exception report, reason {reason})")
                    }
                    None => "the transfer was given up".to_owned(),
                };
                self.transfer_failed(text, refusal_of(reason)).await;
                self.registration.set_state(AssociationState::Idle);
                self.idle(false).await;
            }
            RtIndication::TransferInterrupted { interrupted, reason } => {
                self.transfer_interrupted(*interrupted, reason).await;
            }
            RtIndication::Resume { activity, connection, serial, resumed_as } => {
                self.resume_asked(&activity, connection, serial, &resumed_as).await;
            }
            RtIndication::TransferStart => self.transfer_start().await,
            RtIndication::TransferData(octets) => self.transfer_data(octets).await,
            RtIndication::Checkpoint { serial } => {
                // One that was refused is not confirmed any more: its octets are gone, and the peer discards it.
                if let Some(receiving) = &mut self.receiving {
                    receiving.checkpoint();
                    self.request_if_in_time(RtRequest::CheckpointSecured { serial });
                }
            }
            RtIndication::TransferEnd => self.transfer_end().await,
            RtIndication::TransferDiscarded => {
                self.receiving = None;
                self.receives_nothing();
                self.registration.set_state(AssociationState::Idle);
            }
            RtIndication::TurnPlease { priority: _ } => self.peer_wants_turn = true,
            RtIndication::TurnGive => self.turn_asked = false,
            RtIndication::TurnGiven => {
                self.turn_passing = false;
                self.peer_wants_turn = false;
            }
            RtIndication::Closed => {
                self.orderly = true;
                let (octets_in, octets_out) = self.link.octets();
                self.event(
                    EventKind::AssociationClosed,
                    format!(
                        "association {} with {} closed; {octets_in} octets in, {octets_out} out",
                        self.number,
                        self.link.peer()
                    ),
                );
                return false;
            }
            RtIndication::Aborted(aborted) => {
                self.aborted(aborted).await;
                return false;
            }
            RtIndication::Open(_) | RtIndication::OpenConfirm { .. } | RtIndication::OpenRefused(_) => {
                self.defect("an open primitive arrived on an open association");
            }
        }
        self.proceed().await;
        true
    }

    /// Does what has become possible: start a transfer, give the turn away, close.
    async fn proceed(&mut self) {
        if self.closing || self.receiving.is_some() || self.turn_passing {
            return;
        }
        let has_turn = self.link.has_turn();
        match &mut self.outgoing {
            Some(sending) if !sending.is_started() && has_turn => self.request_transfer().await,
            Some(sending) if !sending.is_started() => {
                let priority = sending.turn_priority();
                self.registration.set_state(AssociationState::AwaitingTurn);
                self.ask_for_turn(priority);
            }
            Some(_) => {}
            None if self.wants_close && self.role == Role::Initiator => {
                if has_turn {
                    self.closing = true;
                    self.registration.set_state(AssociationState::Closing);
                    self.request(RtRequest::Close);
                } else {
                    self.ask_for_turn(0);
                }
            }
            // The responder can't close (X.228): when it has to end, it aborts.
            None if self.wants_close => {
                self.closing = true;
                self.registration.set_state(AssociationState::Closing);
                self.request(RtRequest::Abort(AbortReason::TEMPORARY_PROBLEM));
            }
            None if self.peer_wants_turn && has_turn => {
                self.peer_wants_turn = false;
                self.turn_passing = true;
                self.request(RtRequest::TurnGive);
            }
            None => {}
        }
    }

    async fn aborted(&mut self, mut aborted: Aborted) {
        let how = match (aborted.layer, aborted.by_peer) {
            // Nobody need have wanted it.
            (Layer::Tcp, _) => "broke",
            (_, true) => "aborted by the peer",
            (_, false) => "aborted by us",
        };
        let reason = aborted.reason.map_or_else(String::new, |reason| format!(" (RTAB reason {})", reason.0));
        // X.228 leaves a responder no other way to end an association in order.
        let stops = aborted.by_peer
            && aborted.reason == Some(AbortReason::TEMPORARY_PROBLEM)
            && self.outgoing.is_none()
            && self.receiving.is_none();
        if stops {
            self.event(
                EventKind::AssociationClosed,
                format!("association {} with {} ended by the peer", self.number, self.link.peer()),
            );
        } else if !self.closing || aborted.by_peer {
            self.event(
                EventKind::AssociationEndedAbnormally,
                format!(
                    "association {} with {} {how}, {} layer{reason}: {}",
                    self.number,
                    self.link.peer(),
                    aborted.layer,
                    aborted.text
                ),
            );
        }
        let text = format!("association {how}: {}{reason}", aborted.text);
        self.broke = Some(text.clone());
        if let Some(interrupted) = aborted.interrupted.take() {
            self.broken(*interrupted, &aborted, &text).await;
        }
        if self.outgoing.is_some() {
            // A peer that aborts above the connection while it takes a message refuses that message.
            let refused =
                aborted.by_peer && matches!(aborted.layer, Layer::Rtse | Layer::Acse | Layer::Application);
            let kind = if refused {
                TransferFailureKind::RefusedTransient
            } else {
                TransferFailureKind::Interrupted
            };
            self.transfer_failed(text, kind).await;
        }
    }

    async fn ended(mut self) {
        self.registration.set_state(AssociationState::Closing);
        if self.outgoing.is_some() {
            let kind = TransferFailureKind::Interrupted;
            self.transfer_failed("the association ended".to_owned(), kind).await;
        }
        if let Some(removal) = self.removal.take() {
            // A panic there has been reported by the task itself; the message stays queued.
            let _ = removal.await;
        }
        // From now on a peer that takes it up again finds what is left of it.
        if let Some(presence) = self.presence.take()
            && !self.orderly
            && self.role == Role::Responder
            && self.stopping.is_none()
            && let Some(timeout) = self.recovery_timeout()
        {
            let recoverable = Recoverable {
                connector: self.connector.name.clone(),
                peer: self.link.peer().ip(),
                normal_mode: self.normal_mode,
            };
            presence.broken(recoverable, self.shared.clocks.mono() + timeout);
        }
        // What was told to transfer but never looked at goes back to the queue.
        self.commands.close();
        while self.commands.recv().await.is_some() {}
        self.ending.told = true;
        let why = self.broke.take();
        self.tell(Message::Ended { association: self.id, orderly: self.orderly, why }).await;
        // Whoever waits for it to let go finds its place free.
        self.cut = None;
        // What a successor of the connector waits for is done; the peer may be slow to hear the end.
        drop(self.in_use);
        self.link.finish().await;
    }

    fn ask_for_turn(&mut self, priority: u32) {
        if !std::mem::replace(&mut self.turn_asked, true) {
            self.request(RtRequest::TurnPlease { priority });
        }
    }

    fn request(&mut self, request: RtRequest) {
        match self.link.request(request) {
            // The last indication is on its way already and says why.
            Ok(()) | Err(RequestError::Ended { .. }) => {}
            Err(error) => self.defect(&error.to_string()),
        }
    }

    /// A request about the transfer in progress, whose end may be among the indications that are not looked at yet.
    /// Then the request comes too late, and that end decides.
    fn request_if_in_time(&mut self, request: RtRequest) {
        match self.link.request(request) {
            Ok(()) | Err(RequestError::Ended { .. }) => {}
            Err(RequestError::OutOfState { .. } | RequestError::Checkpoint { .. })
                if self.link.is_ahead() => {}
            Err(error) => self.defect(&error.to_string()),
        }
    }

    /// An invariant of ours did not hold: this association ends, nothing else.
    fn defect(&mut self, what: &str) {
        self.event(EventKind::InternalError, format!("association {}: {what}", self.number));
        if !std::mem::replace(&mut self.closing, true) {
            // If even an abort is refused the stack has ended already.
            let _ = self.link.request(RtRequest::Abort(AbortReason::LOCAL_SYSTEM_PROBLEM));
        }
    }

    fn event(&self, kind: EventKind, text: String) {
        self.shared.event(kind, &self.connector.name, text);
    }

    /// Tells the connector that the next message may come.
    async fn idle(&mut self, transferred: bool) {
        self.tell(Message::Idle { association: self.id, transferred }).await;
    }

    async fn tell(&mut self, message: Message) {
        // The connector's task ends only after its associations have, or when the process stops.
        let _ = self.entry.messages.send(message).await;
    }
}
