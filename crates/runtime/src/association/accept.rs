//! Associations that a peer opens, anew or to recover one that has broken.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agent::BindRefusal;
use agent::connector::AssociationId;
use agent::settings::{BindErrorCoding, CallSelectors, ConnectorSettings, Selectors};
use mhs::p1::P1Error;
use mhs::p1::bind::{MtaBindArgument, MtaBindError};
use osi::rtse::{
    DialogueMode, Mode, OpenData, OpenIndication, RefuseReason, RtIndication, RtRequest,
    SessionConnectionIdentifier,
};
use osi::stack::Stack;
use tokio::sync::{mpsc, oneshot};

use super::begin::{association, tap};
use crate::application::MTS_TRANSFER_PROTOCOL_1984;
use crate::events::EventKind;
use crate::ledger::{Caller, Slot};
use crate::line::{Command, Joined, Message};
use crate::link::Link;
use crate::registry::{ConnectorEntry, InUse};
use crate::shared::Shared;
use crate::status::Role;
use crate::world::Socket;

/// Reloads that may get in the way of one bind; after that many it is refused as busy.
const MOST_RELOADS: u32 = 5;
/// How long a bind waits for a connector that a reload is replacing.
const RELOAD_WAIT: Duration = Duration::from_secs(10);

/// Accepts an association that a peer opens and drives it until it ends.
pub(crate) async fn accept(shared: Arc<Shared>, socket: Socket, peer: SocketAddr, mut slot: Slot) {
    let counted = shared.ledger.connection(Caller::Unbound);
    let number = shared.registry.next_id();
    let limits = shared.limits();
    let registration =
        shared.registry.enter(number, None, peer.to_string(), Role::Responder, shared.clocks.wall());
    if let Err(error) = socket.apply(&limits) {
        // It has gone again before it was looked at.
        tracing::debug!("{peer}: {error}");
        return;
    }
    let config = limits.responder_stack(&shared.agent().settings().mta.served_selectors);
    let tap = tap(&shared, number, Role::Responder, &socket, peer);
    let mut link = Link::new(
        socket,
        peer,
        Stack::responder(config),
        shared.clocks.clone(),
        tap,
        counted,
        shared.limits().progress_timeout,
    );
    registration.counted_by(link.passed());
    let opening = tokio::select! {
        biased;
        () = shared.stop.given() => return,
        opening = tokio::time::timeout(limits.bind_timeout, wait_for_open(&mut link)) => opening,
    };
    let opening = match opening {
        Ok(Ok(opening)) => opening,
        Ok(Err(text)) => {
            let kind = if link.was_called_in_vain() {
                EventKind::SelectorMismatch
            } else {
                EventKind::AssociationEndedAbnormally
            };
            shared.event(kind, &peer.to_string(), text);
            return link.finish().await;
        }
        Err(_) => {
            let text = format!("no bind within {} s", limits.bind_timeout.as_secs());
            return shared.event(EventKind::AssociationEndedAbnormally, &peer.to_string(), text);
        }
    };
    if let Some(reason) = shared.spool.unhealthy_reason() {
        // Refused here the peer waits with all its messages; refused later each would count as a failure.
        shared.event(EventKind::StoreUnhealthy, &peer.to_string(), format!("bind refused as busy: {reason}"));
        return reject(&mut link, MtaBindError::BUSY, bind_error_coding(&shared, &opening), true).await;
    }
    let Place { connector, recovered, joined, commands } = match find_place(&shared, &opening, peer).await {
        Ok(place) => place,
        Err(Inadmissible::Unrecoverable(old)) => {
            let text =
                format!("an association (session connection {old}) can't be recovered: it is not known");
            shared.event(EventKind::StaleAssociation, &peer.to_string(), text);
            return reject_recovery(&mut link).await;
        }
        Err(refusal) => {
            let kind = match refusal {
                Inadmissible::Refused(BindRefusal::Anonymous | BindRefusal::UnknownMta { .. }) => {
                    EventKind::UnknownMta
                }
                Inadmissible::Refused(BindRefusal::OtherSelectors { .. }) => EventKind::SelectorMismatch,
                Inadmissible::Refused(
                    BindRefusal::WrongName { .. }
                    | BindRefusal::WrongPassword { .. }
                    | BindRefusal::OtherCredentials { .. },
                ) => EventKind::CredentialsFailed,
                Inadmissible::Malformed(_) | Inadmissible::Unrecoverable(_) => EventKind::DecodeError,
            };
            shared.event(kind, &peer.to_string(), format!("bind refused: {refusal}"));
            let coding = bind_error_coding(&shared, &opening);
            return reject(&mut link, refusal.bind_error(), coding, false).await;
        }
    };
    let account = shared.ledger.account(Caller::Connector(&connector.name));
    slot.belongs_to(&connector.name, &account);
    link.belongs_to(&connector.name, &account);
    link.is_open();
    let Some((entry, in_use, id)) = joined else {
        let text = format!("bind refused: connector {} takes no further association", connector.name);
        shared.event(EventKind::AssociationLimit, &peer.to_string(), text);
        return reject(&mut link, MtaBindError::BUSY, connector.form.bind_error, true).await;
    };
    let result = shared.agent().bind_result_for(&connector);
    let result = match (recovered, opening.mode) {
        // Who they are was said when it was opened.
        (true, _) => Vec::new(),
        (false, Mode::Normal1988) => result.to_octets(),
        (false, Mode::X410 { .. }) => result.to_bare_octets(),
    };
    link.agree_at_most(&connector.rts);
    // Refused only if the association has ended meanwhile; its driver finds that out at once.
    let _ = link.request(RtRequest::OpenAccept { user_data: result });
    registration.bound(&connector.name, &link.agreed().unwrap_or(opening.agreed));
    shared.traffic.opened(&connector.name, Role::Responder, shared.clocks.wall());
    let text = match &opening.data {
        OpenData::Open(_) => {
            format!("association {number} accepted from {} at {peer}", connector.remote_mta)
        }
        OpenData::Recover(old) => {
            format!("association {number} recovered by {} at {peer}: it was on {old}", connector.remote_mta)
        }
    };
    let kind = if recovered { EventKind::AssociationRecovered } else { EventKind::AssociationOpened };
    shared.event(kind, &connector.name, text);
    let (role, mode) = (Role::Responder, opening.mode);
    association(shared, connector, entry, id, number, role, mode, link, registration, commands, in_use)
        .await
        .run()
        .await;
}

/// Where an association belongs that a peer opens.
struct Place {
    connector: Arc<ConnectorSettings>,
    /// It is one that had broken: it had to bind before.
    recovered: bool,
    /// Nothing if the connector takes no more.
    joined: Option<(Arc<ConnectorEntry>, InUse, AssociationId)>,
    commands: mpsc::Receiver<Command>,
}

/// Admits a peer and has its connector take the association in, by the same settings: what a reload changes in between
/// is judged again by the new ones.
async fn find_place(
    shared: &Arc<Shared>,
    opening: &OpenIndication,
    peer: SocketAddr,
) -> Result<Place, Inadmissible> {
    let mut rounds = 0;
    loop {
        let changed = shared.connector_changes.notified();
        let (connector, recovered) = admit(shared, opening, peer).await?;
        // Over a 1984 association goes only what has taken the form of a 1984 link.
        let two_way = match (opening.agreed.dialogue_mode, opening.mode) {
            (DialogueMode::Monologue, Mode::Normal1988 | Mode::X410 { .. }) => false,
            (DialogueMode::TwoWayAlternate, Mode::Normal1988) => true,
            (DialogueMode::TwoWayAlternate, Mode::X410 { application_protocol }) => {
                application_protocol != MTS_TRANSFER_PROTOCOL_1984 || connector.speaks_1984()
            }
        };
        let (sender, commands) = mpsc::channel(4);
        let joined = match join_connector(shared, &connector, two_way, sender).await {
            Join::Taken(entry, in_use, id) => Some((entry, in_use, id)),
            Join::Full => None,
            Join::Outdated if rounds < MOST_RELOADS => {
                rounds += 1;
                tokio::select! {
                    biased;
                    () = shared.stop.given() => None,
                    _ = tokio::time::timeout(RELOAD_WAIT, changed) => continue,
                }
            }
            Join::Outdated => None,
        };
        return Ok(Place { connector, recovered, joined, commands });
    }
}

/// The connector of a peer that opens an association, and whether it recovers one: then it had to bind before.
async fn admit(
    shared: &Shared,
    opening: &OpenIndication,
    peer: SocketAddr,
) -> Result<(Arc<ConnectorSettings>, bool), Inadmissible> {
    match &opening.data {
        OpenData::Open(argument) => {
            admit_bind(shared, opening, argument).map(|connector| (Arc::new(connector), false))
        }
        OpenData::Recover(old) => {
            let unknown = || Inadmissible::Unrecoverable(old.clone());
            let now = || shared.clocks.mono();
            let found = tokio::select! {
                biased;
                found = shared.recovery.claim(now, old, peer.ip()) => found,
                () = shared.stop.given() => None,
            };
            let found = found.ok_or_else(unknown)?;
            let agent = shared.agent();
            let connector = agent.settings().connector(&found.connector).ok_or_else(unknown)?;
            let same_mode = found.normal_mode == (opening.mode == Mode::Normal1988);
            if same_mode && connector.rts.recovery_timeout_s > 0 {
                Ok((Arc::new(connector.clone()), true))
            } else {
                Err(unknown())
            }
        }
    }
}

/// Checks name and password of a peer that binds.
fn admit_bind(
    shared: &Shared,
    opening: &OpenIndication,
    argument: &[u8],
) -> Result<ConnectorSettings, Inadmissible> {
    let argument = MtaBindArgument::from_octets(argument).map_err(Inadmissible::Malformed)?;
    let call = call_selectors(&opening.selectors);
    Ok(shared.agent().check_bind_argument(&argument, &call).cloned()?)
}

fn call_selectors(given: &osi::rtse::Selectors) -> CallSelectors {
    CallSelectors {
        called: Selectors {
            transport: given.called_transport.clone(),
            session: given.called_session.clone(),
            presentation: given.called_presentation.clone(),
        },
        calling: Selectors {
            transport: given.calling_transport.clone(),
            session: given.calling_session.clone(),
            presentation: given.calling_presentation.clone(),
        },
    }
}

/// Why a peer may not bind.
#[derive(Debug, thiserror::Error)]
enum Inadmissible {
    #[error(transparent)]
    Refused(#[from] BindRefusal),
    #[error("malformed bind argument: {0}")]
    Malformed(P1Error),
    /// It has not bound, but wants to recover an association that is not known.
    #[error("no association is known on session connection {0}")]
    Unrecoverable(SessionConnectionIdentifier),
}

impl Inadmissible {
    fn bind_error(&self) -> MtaBindError {
        match self {
            Inadmissible::Refused(refusal) => refusal.bind_error(),
            Inadmissible::Malformed(_) | Inadmissible::Unrecoverable(_) => MtaBindError::AUTHENTICATION_ERROR,
        }
    }
}

/// The coding of a bind error that the peer wants.
fn bind_error_coding(shared: &Shared, opening: &OpenIndication) -> BindErrorCoding {
    let OpenData::Open(argument) = &opening.data else { return BindErrorCoding::default() };
    match MtaBindArgument::from_octets(argument) {
        Ok(argument) => shared.agent().bind_error_coding(&argument, &call_selectors(&opening.selectors)),
        Err(_) => BindErrorCoding::default(),
    }
}

/// What a connector's task says to an association.
enum Join {
    Taken(Arc<ConnectorEntry>, InUse, AssociationId),
    Full,
    /// It has other settings by now, or is being replaced.
    Outdated,
}

/// Asks the connector's task to take the association in.
async fn join_connector(
    shared: &Shared,
    settings: &Arc<ConnectorSettings>,
    two_way: bool,
    commands: mpsc::Sender<Command>,
) -> Join {
    let Some(entry) = shared.connector(&settings.name) else { return Join::Outdated };
    // From here on a successor of the connector waits.
    let in_use = entry.in_use();
    let (reply, answer) = oneshot::channel();
    let message = Message::Inbound { settings: Arc::clone(settings), two_way, commands, reply };
    if entry.stop.is_given() || entry.messages.send(message).await.is_err() {
        return Join::Outdated;
    }
    match answer.await {
        Ok(Joined::As(id)) => Join::Taken(entry, in_use, id),
        Ok(Joined::Full) => Join::Full,
        Ok(Joined::Outdated) | Err(_) => Join::Outdated,
    }
}

/// Refuses a bind.
async fn reject(link: &mut Link, error: MtaBindError, coding: BindErrorCoding, transient: bool) {
    let user_data = match coding {
        BindErrorCoding::Tagged => error.to_octets(),
        BindErrorCoding::Bare => error.to_bare_octets(),
    };
    // Not accepted any more only if the peer has gone meanwhile.
    let refuse_reason = refuse_reason(error);
    let _ = link.request(RtRequest::OpenReject { user_data, refuse_reason, transient });
    link.finish().await;
}

/// Refuses to recover an association: the peer may open a new one.
async fn reject_recovery(link: &mut Link) {
    let (user_data, refuse_reason) = (Vec::new(), RefuseReason::CANNOT_RECOVER);
    // Not accepted any more only if the peer has gone meanwhile.
    let _ = link.request(RtRequest::OpenReject { user_data, refuse_reason, transient: false });
    link.finish().await;
}

/// What X.410 mode, which has no bind error, says in place of it.
fn refuse_reason(error: MtaBindError) -> RefuseReason {
    match error {
        MtaBindError::BUSY => RefuseReason::RTS_BUSY,
        MtaBindError::UNACCEPTABLE_DIALOGUE_MODE => RefuseReason::UNACCEPTABLE_DIALOGUE_MODE,
        // Authentication, security, and numbers that this side never gives.
        MtaBindError(_) => RefuseReason::VALIDATION_FAILURE,
    }
}

async fn wait_for_open(link: &mut Link) -> Result<OpenIndication, String> {
    loop {
        match link.next().await {
            Some(RtIndication::Open(opening)) => return Ok(*opening),
            Some(RtIndication::Aborted(aborted)) => {
                return Err(format!("{} layer, before a bind: {}", aborted.layer, aborted.text));
            }
            Some(RtIndication::OpenRefused(refused)) => {
                return Err(format!("{} layer, before a bind: {}", refused.layer, refused.text));
            }
            Some(RtIndication::Closed) | None => return Err("connection closed before a bind".to_owned()),
            Some(_) => {}
        }
    }
}
