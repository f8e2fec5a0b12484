//! What opening and accepting an association have in common: its recording, and the driver that it is given.

use std::net::SocketAddr;
use std::sync::Arc;

use agent::connector::AssociationId;
use agent::settings::ConnectorSettings;
use osi::rtse::Mode;
use tokio::sync::mpsc;

use super::progress::Progress;
use super::{Association, Ending};
use crate::bind::canonical;
use crate::ledger::{Caller, Resource};
use crate::line::Command;
use crate::link::Link;
use crate::recorder::Tap;
use crate::recovery::store;
use crate::registry::{ConnectorEntry, InUse, Registration};
use crate::shared::Shared;
use crate::status::Role;
use crate::world::Socket;

/// Puts an association together that has just been opened or accepted.
#[allow(clippy::too_many_arguments, reason = "the one place where an association's parts come together")]
pub(super) async fn association(
    shared: Arc<Shared>,
    connector: Arc<ConnectorSettings>,
    entry: Arc<ConnectorEntry>,
    id: AssociationId,
    number: u64,
    role: Role,
    mode: Mode,
    link: Link,
    registration: Registration,
    commands: mpsc::Receiver<Command>,
    in_use: InUse,
) -> Association {
    let ending = Ending { entry: Arc::clone(&entry), id, told: false };
    let recovered_by = match role {
        // X.228: only who has opened an association recovers it.
        Role::Responder => Some(link.peer().ip()),
        Role::Initiator => None,
    };
    let (mut presence, mut cut) = (None, None);
    if connector.rts.recovery_timeout_s > 0
        && let Some(connection) = link.session_connection()
        && let Some(entered) = shared.recovery.enter(&connector.name, connection, recovered_by)
    {
        let why = "the name of its session connection is used again";
        store::discard(&shared, entered.dropped, why).await;
        (presence, cut) = (Some(entered.presence), Some(entered.cut));
    }
    Association {
        progress: Progress::new(shared.limits().progress_timeout),
        timers: {
            let account = shared.ledger.account(Caller::Connector(&connector.name));
            shared.ledger.hold(&account, Resource::Timer, 0)
        },
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
        broke: None,
        stopping: None,
        interrupt_at: None,
        normal_mode: mode == Mode::Normal1988,
        further: false,
        presence,
        cut,
        in_use,
        ending,
    }
}

/// Begins the recording of a connection.
pub(super) fn tap(
    shared: &Shared,
    number: u64,
    role: Role,
    socket: &Socket,
    peer: SocketAddr,
) -> Option<Tap> {
    // An error means that the connection is gone again; then there is nothing to record.
    let local = canonical(socket.local_addr().ok()?);
    shared.recorder.start(number, role, local, canonical(peer))
}
