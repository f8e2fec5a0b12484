//! How associations come to be: opened by us on behalf of a connector, or accepted from a peer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agent::BindRefusal;
use agent::connector::AssociationId;
use agent::settings::{CallSelectors, Conformance, ConnectorSettings, Selectors, split_host};
use mhs::p1::P1Error;
use mhs::p1::bind::{MtaBindArgument, MtaBindError, MtaBindResult};
use osi::rtse::{
    AbortReason, Agreed, DialogueMode, Mode, OpenData, OpenIndication, RefuseReason, RtIndication, RtRequest,
};
use osi::stack::Stack;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{mpsc, oneshot};

use super::{Association, Ending};
use crate::application::MTS_TRANSFER_PROTOCOL_1984;
use crate::bind::canonical;
use crate::events::EventKind;
use crate::line::{Command, Message};
use crate::link::Link;
use crate::recorder::Tap;
use crate::registry::{ConnectorEntry, Registration};
use crate::shared::Shared;
use crate::status::Role;

/// How long name resolution may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Addresses tried in one round at most, all hosts of a connector together.
const MAX_ADDRESSES: usize = 32;

/// Opens an association for a connector and drives it until it ends. Each address is tried once, in order.
pub(crate) async fn open(
    shared: Arc<Shared>,
    connector: Arc<ConnectorSettings>,
    entry: Arc<ConnectorEntry>,
    id: AssociationId,
    commands: mpsc::Receiver<Command>,
) {
    let mut stop = entry.stop.subscribe();
    let number = shared.registry.next_id();
    let Ok(_slot) = Arc::clone(&shared.slots).try_acquire_owned() else {
        let text = format!("not opened: {} associations exist", shared.limits.max_associations);
        shared.event(EventKind::AssociationLimit, &connector.name, text.clone());
        let _ = entry.messages.send(Message::OpenFailed { association: id, text }).await;
        return;
    };
    let round = open_round(&shared, &connector, number);
    let opened = tokio::select! {
        opened = round => opened,
        _ = stop.wait_for(|stop| *stop) => Err("the MTA is stopping".to_owned()),
    };
    match opened {
        Ok((link, agreed, registration)) => {
            registration.bound(&connector.name, &agreed);
            shared.event(
                EventKind::AssociationOpened,
                &connector.name,
                format!("association {number} with {} at {} opened", connector.remote_mta, link.peer()),
            );
            let _ = entry.messages.send(Message::Opened(id)).await;
            association(shared, connector, entry, id, number, Role::Initiator, link, registration, commands)
                .run()
                .await;
        }
        Err(text) => {
            let _ = entry.messages.send(Message::OpenFailed { association: id, text }).await;
        }
    }
}

async fn open_round(
    shared: &Arc<Shared>,
    connector: &ConnectorSettings,
    number: u64,
) -> Result<(Link, Agreed, Registration), String> {
    let mut failures = Vec::new();
    let mut tried: Vec<SocketAddr> = Vec::new();
    for host in &connector.hosts {
        let addresses = match resolve(host).await {
            Ok(addresses) => addresses,
            Err(error) => {
                failures.push(format!("{host}: {error}"));
                continue;
            }
        };
        for address in addresses {
            if tried.contains(&address) {
                continue;
            }
            if tried.len() >= MAX_ADDRESSES {
                failures.push(format!("{host} has more addresses; {MAX_ADDRESSES} were tried"));
                break;
            }
            tried.push(address);
            match open_address(shared, connector, number, address).await {
                Ok(opened) => return Ok(opened),
                Err(error) => failures.push(format!("{address}: {error}")),
            }
        }
    }
    Err(if failures.is_empty() { "the connector has no hosts".to_owned() } else { failures.join("; ") })
}

async fn resolve(host: &str) -> Result<Vec<SocketAddr>, String> {
    let (name, port) = split_host(host).map_err(|error| error.to_string())?;
    match tokio::time::timeout(RESOLVE_TIMEOUT, lookup_host((name, port))).await {
        Ok(Ok(addresses)) => Ok(addresses.take(MAX_ADDRESSES).collect()),
        Ok(Err(error)) => Err(format!("name resolution failed: {error}")),
        Err(_) => Err(format!("name resolution took longer than {} s", RESOLVE_TIMEOUT.as_secs())),
    }
}

async fn open_address(
    shared: &Arc<Shared>,
    connector: &ConnectorSettings,
    number: u64,
    address: SocketAddr,
) -> Result<(Link, Agreed, Registration), String> {
    let registration = shared.registry.enter(
        number,
        Some(&connector.name),
        address.to_string(),
        Role::Initiator,
        shared.clocks.wall(),
    );
    let timeout = shared.limits.connect_timeout;
    let socket = match tokio::time::timeout(timeout, TcpStream::connect(address)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return Err(format!("TCP: {error}")),
        Err(_) => return Err(format!("TCP: no answer within {} s", timeout.as_secs())),
    };
    shared.limits.apply(&socket).map_err(|error| format!("TCP: {error}"))?;
    let agent = shared.agent();
    let argument = agent.bind_argument_for(connector);
    let argument = match connector.conformance {
        Conformance::Normal1988 => argument.to_octets(),
        Conformance::X410In1988 | Conformance::Mode1984 => argument.to_bare_octets(),
    };
    let stack = Stack::initiator(
        shared.limits.initiator_stack(connector),
        OpenData::Open(argument),
        shared.session_reference(number),
    );
    let tap = tap(shared, number, Role::Initiator, &socket, address);
    let mut link = Link::new(socket, address, stack, shared.clocks, tap);
    link.belongs_to(&connector.name);
    let bind = async {
        loop {
            match link.next().await {
                Some(RtIndication::OpenConfirm { user_data, agreed }) => break Ok((user_data, agreed)),
                Some(RtIndication::OpenRefused(refused)) => {
                    let error = MtaBindError::from_octets(&refused.user_data).ok();
                    if error == Some(MtaBindError::AUTHENTICATION_ERROR) {
                        break Err(format!(
                            "{} refused our name or password: compare local_mta and local_password (or name and \
                             password of [mta]) here with remote_mta and remote_password there ({})",
                            connector.remote_mta, refused.text
                        ));
                    }
                    let error = error.map_or_else(String::new, |error| format!(" (bind error: {error})"));
                    break Err(format!(
                        "the {} layer of the peer refused: {}{error}",
                        refused.layer, refused.text
                    ));
                }
                Some(RtIndication::Aborted(aborted)) => {
                    break Err(format!("{} layer: {}", aborted.layer, aborted.text));
                }
                Some(RtIndication::Closed) | None => break Err("the connection was closed".to_owned()),
                Some(_) => {}
            }
        }
    };
    let (user_data, agreed) = match tokio::time::timeout(shared.limits.bind_timeout, bind).await {
        Ok(Ok(bound)) => bound,
        Ok(Err(text)) => {
            link.finish().await;
            return Err(text);
        }
        Err(_) => return Err(format!("no bind within {} s", shared.limits.bind_timeout.as_secs())),
    };
    let checked = MtaBindResult::from_octets(&user_data)
        .map_err(|error| format!("malformed bind result: {error}"))
        .and_then(|result| {
            agent.check_bind_result(connector, &result).map_err(|refusal| refusal.to_string())
        });
    if let Err(text) = checked {
        shared.event(EventKind::CredentialsFailed, &connector.name, format!("{address}: {text}"));
        let _ = link.request(RtRequest::Abort(AbortReason::USER_ERROR));
        link.finish().await;
        return Err(text);
    }
    Ok((link, agreed, registration))
}

/// Accepts an association that a peer opens and drives it until it ends.
pub(crate) async fn accept(shared: Arc<Shared>, socket: TcpStream, peer: SocketAddr) {
    let number = shared.registry.next_id();
    let registration =
        shared.registry.enter(number, None, peer.to_string(), Role::Responder, shared.clocks.wall());
    if let Err(error) = shared.limits.apply(&socket) {
        // It has gone again before it was looked at.
        tracing::debug!("{peer}: {error}");
        return;
    }
    let config = shared.limits.responder_stack(&shared.agent().settings().mta.served_selectors);
    let tap = tap(&shared, number, Role::Responder, &socket, peer);
    let mut link = Link::new(socket, peer, Stack::responder(config), shared.clocks, tap);
    let mut stop = shared.stop.subscribe();
    let opening = tokio::select! {
        opening = tokio::time::timeout(shared.limits.bind_timeout, wait_for_open(&mut link)) => opening,
        _ = stop.wait_for(|stop| *stop) => return,
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
            let text = format!("no bind within {} s", shared.limits.bind_timeout.as_secs());
            return shared.event(EventKind::AssociationEndedAbnormally, &peer.to_string(), text);
        }
    };
    let agreed = opening.agreed;
    if let Some(reason) = shared.spool.unhealthy_reason() {
        // Refused here the peer waits with all its messages; refused later each would count as a failure.
        shared.event(EventKind::StoreUnhealthy, &peer.to_string(), format!("bind refused as busy: {reason}"));
        return reject(&mut link, MtaBindError::BUSY, true).await;
    }
    let argument = match &opening.data {
        OpenData::Open(argument) => argument,
        OpenData::Recover(old) => {
            let text = format!("recovery of association {old} refused: nothing is kept of it");
            shared.event(EventKind::AssociationEndedAbnormally, &peer.to_string(), text);
            let refuse_reason = RefuseReason::CANNOT_RECOVER;
            let user_data = Vec::new();
            let _ = link.request(RtRequest::OpenReject { user_data, refuse_reason, transient: false });
            return link.finish().await;
        }
    };
    let connector = match admit(&shared, argument, &opening.selectors) {
        Ok(connector) => Arc::new(connector),
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
                Inadmissible::Malformed(_) => EventKind::DecodeError,
            };
            shared.event(kind, &peer.to_string(), format!("bind refused: {refusal}"));
            return reject(&mut link, refusal.bind_error(), false).await;
        }
    };
    link.belongs_to(&connector.name);
    let (sender, commands) = mpsc::channel(4);
    // 1984 P1 is only received: nothing is converted to it.
    let two_way = match (agreed.dialogue_mode, opening.mode) {
        (DialogueMode::Monologue, Mode::Normal1988 | Mode::X410 { .. }) => false,
        (DialogueMode::TwoWayAlternate, Mode::Normal1988) => true,
        (DialogueMode::TwoWayAlternate, Mode::X410 { application_protocol }) => {
            application_protocol != MTS_TRANSFER_PROTOCOL_1984
        }
    };
    let Some((entry, id)) = join_connector(&shared, &connector.name, two_way, sender).await else {
        let text = format!("bind refused: connector {} takes no further association", connector.name);
        shared.event(EventKind::AssociationLimit, &peer.to_string(), text);
        return reject(&mut link, MtaBindError::BUSY, true).await;
    };
    let result = shared.agent().bind_result_for(&connector);
    let result = match opening.mode {
        Mode::Normal1988 => result.to_octets(),
        Mode::X410 { .. } => result.to_bare_octets(),
    };
    // Refused only if the association has ended meanwhile; its driver finds that out at once.
    let _ = link.request(RtRequest::OpenAccept { user_data: result });
    registration.bound(&connector.name, &agreed);
    shared.event(
        EventKind::AssociationOpened,
        &connector.name,
        format!("association {number} accepted from {} at {peer}", connector.remote_mta),
    );
    association(shared, connector, entry, id, number, Role::Responder, link, registration, commands)
        .run()
        .await;
}

/// Begins the recording of a connection.
fn tap(shared: &Shared, number: u64, role: Role, socket: &TcpStream, peer: SocketAddr) -> Option<Tap> {
    // An error means that the connection is gone again; then there is nothing to record.
    let local = canonical(socket.local_addr().ok()?);
    shared.recorder.start(number, role, local, canonical(peer))
}

/// Checks name and password of a peer that binds.
fn admit(
    shared: &Shared,
    argument: &[u8],
    given: &osi::rtse::Selectors,
) -> Result<ConnectorSettings, Inadmissible> {
    let argument = MtaBindArgument::from_octets(argument).map_err(Inadmissible::Malformed)?;
    let call = CallSelectors {
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
    };
    Ok(shared.agent().check_bind_argument(&argument, &call).cloned()?)
}

/// Why a peer may not bind.
#[derive(Debug, thiserror::Error)]
enum Inadmissible {
    #[error(transparent)]
    Refused(#[from] BindRefusal),
    #[error("malformed bind argument: {0}")]
    Malformed(P1Error),
}

impl Inadmissible {
    fn bind_error(&self) -> MtaBindError {
        match self {
            Inadmissible::Refused(refusal) => refusal.bind_error(),
            Inadmissible::Malformed(_) => MtaBindError::AUTHENTICATION_ERROR,
        }
    }
}

/// Asks the connector's task to take the association in.
async fn join_connector(
    shared: &Shared,
    name: &str,
    two_way: bool,
    commands: mpsc::Sender<Command>,
) -> Option<(Arc<ConnectorEntry>, AssociationId)> {
    let entry = shared.connector(name)?;
    let (reply, answer) = oneshot::channel();
    entry.messages.send(Message::Inbound { two_way, commands, reply }).await.ok()?;
    let id = answer.await.ok()??;
    Some((entry, id))
}

/// Refuses a bind.
async fn reject(link: &mut Link, error: MtaBindError, transient: bool) {
    // Not accepted any more only if the peer has gone meanwhile.
    let refuse_reason = refuse_reason(error);
    let _ = link.request(RtRequest::OpenReject { user_data: error.to_octets(), refuse_reason, transient });
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

#[allow(clippy::too_many_arguments, reason = "the one place where an association's parts come together")]
fn association(
    shared: Arc<Shared>,
    connector: Arc<ConnectorSettings>,
    entry: Arc<ConnectorEntry>,
    id: AssociationId,
    number: u64,
    role: Role,
    link: Link,
    registration: Registration,
    commands: mpsc::Receiver<Command>,
) -> Association {
    let ending = Ending { entry: Arc::clone(&entry), id, told: false };
    let in_use = entry.in_use();
    Association {
        stop: entry.stop.subscribe(),
        shared,
        id,
        number,
        role,
        connector,
        entry,
        link,
        commands,
        registration,
        receiving: None,
        outgoing: None,
        removal: None,
        wants_close: false,
        peer_wants_turn: false,
        turn_asked: false,
        turn_passing: false,
        closing: false,
        orderly: false,
        stopping: None,
        in_use,
        ending,
    }
}
