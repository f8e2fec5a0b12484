//! Associations that we open on behalf of a connector.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agent::connector::AssociationId;
use agent::settings::{Conformance, ConnectorSettings, split_host};
use clock::MonoTime;
use mhs::p1::bind::{MtaBindError, MtaBindResult};
use osi::failure::Layer;
use osi::rtse::{
    AbortReason, Agreed, InitialTurn, OpenData, OpenRefused, RefuseReason, RtIndication, RtRequest,
};
use osi::stack::{Stack, StackConfig};
use tokio::sync::mpsc;

use super::begin::{association, tap};
use crate::events::EventKind;
use crate::ledger::{Caller, Connection};
use crate::line::{Command, Message, NotOpened, Recover};
use crate::link::Link;
use crate::registry::{ConnectorEntry, Registration};
use crate::shared::Shared;
use crate::status::Role;
use crate::world::Socket;

/// How long name resolution may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Addresses tried in one round at most, all hosts of a connector together.
const MAX_ADDRESSES: usize = 32;

/// An association that we have opened.
struct Opened {
    link: Link,
    agreed: Agreed,
    registration: Registration,
    /// It is one that had broken, nobody has bound.
    recovered: bool,
}

/// Opens an association for a connector and drives it until it ends. Each address is tried once, in order. `recover` is the
/// association to be recovered, and until when.
pub(crate) async fn open(
    shared: Arc<Shared>,
    connector: Arc<ConnectorSettings>,
    entry: Arc<ConnectorEntry>,
    id: AssociationId,
    mut commands: mpsc::Receiver<Command>,
    mut recover: Option<(MonoTime, Recover)>,
) {
    let number = shared.registry.next_id();
    let _slot = match shared.ledger.slot(Caller::Connector(&connector.name)) {
        Ok(slot) => slot,
        Err(error) => {
            let text = format!("not opened: {error}");
            shared.event(EventKind::AssociationLimit, &connector.name, text.clone());
            let why = NotOpened::NoPlace(text);
            let _ = entry.messages.send(Message::NotOpened { association: id, why, recover }).await;
            return;
        }
    };
    let round = open_round(&shared, &connector, number, &mut recover);
    let opened = tokio::select! {
        biased;
        () = entry.stop.given() => Err(NotOpened::GivenUp),
        () = told_to_close(&mut commands) => Err(NotOpened::GivenUp),
        opened = round => opened.map_err(NotOpened::Failed),
    };
    match opened {
        Ok(Opened { link, agreed, registration, recovered }) => {
            registration.bound(&connector.name, &agreed);
            shared.traffic.opened(&connector.name, Role::Initiator, shared.clocks.wall());
            let (kind, how) = match recovered {
                false => (EventKind::AssociationOpened, "opened"),
                true => (EventKind::AssociationRecovered, "recovered"),
            };
            let text = format!("association {number} with {} at {} {how}", connector.remote_mta, link.peer());
            shared.event(kind, &connector.name, text);
            let mode = shared.limits().initiator_stack(&connector).rtse.mode;
            let _ = entry.messages.send(Message::Opened(id)).await;
            let role = Role::Initiator;
            let in_use = entry.in_use();
            association(
                shared,
                connector,
                entry,
                id,
                number,
                role,
                mode,
                link,
                registration,
                commands,
                in_use,
            )
            .await
            .run()
            .await;
        }
        Err(why) => {
            let _ = entry.messages.send(Message::NotOpened { association: id, why, recover }).await;
        }
    }
}

/// Waits until the connector gives an attempt up. What is not open is given nothing to transfer.
async fn told_to_close(commands: &mut mpsc::Receiver<Command>) {
    while let Some(Command::Transfer(_)) = commands.recv().await {}
}

async fn open_round(
    shared: &Arc<Shared>,
    connector: &ConnectorSettings,
    number: u64,
    recover: &mut Option<(MonoTime, Recover)>,
) -> Result<Opened, String> {
    let mut failures = Vec::new();
    let mut tried: Vec<SocketAddr> = Vec::new();
    for host in &connector.hosts {
        let addresses = match resolve(shared, host).await {
            Ok(addresses) => addresses,
            Err(error) => {
                let text = format!("{host}: {error}");
                shared.event_caused(EventKind::ConnectError, &connector.name, &text, text.clone());
                failures.push(text);
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
            match open_address(shared, connector, number, address, recover).await {
                Ok(opened) => return Ok(opened),
                Err(error) => {
                    let text = format!("{address}: {error}");
                    shared.event_caused(EventKind::ConnectError, &connector.name, &text, text.clone());
                    failures.push(text);
                }
            }
        }
    }
    Err(if failures.is_empty() { "the connector has no hosts".to_owned() } else { failures.join("; ") })
}

async fn resolve(shared: &Shared, host: &str) -> Result<Vec<SocketAddr>, String> {
    let (name, port) = split_host(host).map_err(|error| error.to_string())?;
    match tokio::time::timeout(RESOLVE_TIMEOUT, shared.surroundings.resolve(name, port, MAX_ADDRESSES)).await
    {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(format!("name resolution failed: {error}")),
        Err(_) => Err(format!("name resolution took longer than {} s", RESOLVE_TIMEOUT.as_secs())),
    }
}

/// Opens an association at one address. If one is to be recovered that is tried first, once: a peer that can't gets an
/// ordinary one at once.
async fn open_address(
    shared: &Arc<Shared>,
    connector: &ConnectorSettings,
    number: u64,
    address: SocketAddr,
    recover: &mut Option<(MonoTime, Recover)>,
) -> Result<Opened, String> {
    let registration = shared.registry.enter(
        number,
        Some(&connector.name),
        address.to_string(),
        Role::Initiator,
        shared.clocks.wall(),
    );
    let mut config = shared.limits().initiator_stack(connector);
    let mut counted = shared.ledger.connection(Caller::Connector(&connector.name));
    let mut socket = connect(shared, connector, address).await?;
    if let Some((_, Recover { connection, turn })) = recover.take() {
        config.rtse.initial_turn = turn;
        let data = OpenData::Recover(connection);
        match bind(shared, connector, &registration, (socket, address), counted, config.clone(), data).await {
            Ok((link, _, agreed)) => return Ok(Opened { link, agreed, registration, recovered: true }),
            Err(text) => {
                let text =
                    format!("{address}: the association can't be recovered, a new one is opened: {text}");
                shared.event(EventKind::RecoveryRefused, &connector.name, text);
            }
        }
        config.rtse.initial_turn = InitialTurn::Initiator;
        counted = shared.ledger.connection(Caller::Connector(&connector.name));
        socket = connect(shared, connector, address).await?;
    }
    let agent = shared.agent();
    let argument = agent.bind_argument_for(connector);
    let argument = match connector.conformance {
        Conformance::Normal1988 => argument.to_octets(),
        Conformance::X410In1988 | Conformance::Mode1984 => argument.to_bare_octets(),
    };
    let data = OpenData::Open(argument);
    let (mut link, user_data, agreed) =
        bind(shared, connector, &registration, (socket, address), counted, config, data).await?;
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
    Ok(Opened { link, agreed, registration, recovered: false })
}

async fn connect(
    shared: &Shared,
    connector: &ConnectorSettings,
    address: SocketAddr,
) -> Result<Socket, String> {
    let timeout = shared.limits().connect_timeout;
    let connecting = shared.surroundings.connect(address, connector.local_address);
    let socket = match tokio::time::timeout(timeout, connecting).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return Err(format!("TCP: {error}")),
        Err(_) => return Err(format!("TCP: no answer within {} s", timeout.as_secs())),
    };
    socket.apply(&shared.limits()).map_err(|error| format!("TCP: {error}"))?;
    Ok(socket)
}

/// Opens an association on a connection, up to the answer of the peer: its user data, and what was agreed.
async fn bind(
    shared: &Shared,
    connector: &ConnectorSettings,
    registration: &Registration,
    (socket, address): (Socket, SocketAddr),
    counted: Connection,
    config: StackConfig,
    data: OpenData,
) -> Result<(Link, Vec<u8>, Agreed), String> {
    let number = registration.number();
    let stack = Stack::initiator(config, data, shared.session_reference(number));
    let tap = tap(shared, number, Role::Initiator, &socket, address);
    let mut link = Link::new(
        socket,
        address,
        stack,
        shared.clocks.clone(),
        tap,
        counted,
        shared.limits().progress_timeout,
    );
    registration.counted_by(link.passed());
    link.belongs_to(&connector.name, &shared.ledger.account(Caller::Connector(&connector.name)));
    let bind = async {
        loop {
            match link.next().await {
                Some(RtIndication::OpenConfirm { user_data, agreed }) => break Ok((user_data, agreed)),
                Some(RtIndication::OpenRefused(refused)) => {
                    let error = MtaBindError::from_octets(&refused.user_data).ok();
                    if error == Some(MtaBindError::AUTHENTICATION_ERROR)
                        || is_validation_failure(connector, &refused)
                    {
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
    let timeout = shared.limits().bind_timeout;
    match tokio::time::timeout(timeout, bind).await {
        Ok(Ok((user_data, agreed))) => {
            link.is_open();
            Ok((link, user_data, agreed))
        }
        Ok(Err(text)) => {
            link.finish().await;
            Err(text)
        }
        Err(_) => Err(format!("no bind within {} s", timeout.as_secs())),
    }
}

/// Whether a peer refused who we are in X.410 mode, where a refuse reason stands for the bind error.
fn is_validation_failure(connector: &ConnectorSettings, refused: &OpenRefused) -> bool {
    let has_bind_error = match connector.conformance {
        Conformance::Normal1988 => true,
        Conformance::X410In1988 | Conformance::Mode1984 => false,
    };
    let reason = refused.code.map(|code| RefuseReason(i64::from(code)));
    !has_bind_error && refused.layer == Layer::Rtse && reason == Some(RefuseReason::VALIDATION_FAILURE)
}
