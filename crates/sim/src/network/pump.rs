//! Carries the octets of one direction of a connection: in order, after their time, as long as the path is there.

use std::io;
use std::sync::Arc;

use tokio::time::Instant;

use super::connection::{Load, Wire};
use super::{GIVEN_UP, KEEPALIVE, Network, Strike};

/// Octets that travel together.
const BURST: usize = 32 * 1024;

/// Runs until the direction that begins at end `from` has nothing more to carry.
pub(super) async fn run(network: Network, wire: Arc<Wire>, from: usize) {
    let to = 1 - from;
    let (source, target) = (wire.addresses[from].ip(), wire.addresses[to].ip());
    // Since when nothing has got through.
    let mut silent: Option<Instant> = None;
    let mut idle_since = Instant::now();
    loop {
        if wire.is_over() {
            return;
        }
        let load = wire.load(from);
        let wanted = match load {
            Load::Broken { tells } => {
                // Else the other end finds out when it sends or asks.
                if !tells || !reach(&network, &wire, from).await {
                    return;
                }
                tokio::time::sleep(network.passage(&network.path(source, target), 0)).await;
                wire.fail(to, io::ErrorKind::ConnectionReset);
                network.record("broken", &[wire.number, from as u64], &[]);
                return;
            }
            Load::Octets(octets) => octets.min(BURST),
            Load::Finished => 0,
            Load::Nothing if idle_since.elapsed() >= KEEPALIVE => 0,
            Load::Nothing => {
                let stirred = wire.stirred[from].notified();
                let _ = tokio::time::timeout_at(idle_since + KEEPALIVE, stirred).await;
                continue;
            }
        };
        // An answer must come back as well: without one TCP doesn't go on.
        if network.path(source, target).cut || network.path(target, source).cut {
            let since = *silent.get_or_insert_with(Instant::now);
            tokio::select! {
                biased;
                () = wire.stirred[from].notified() => {}
                () = network.inner.changed.notified() => {}
                () = tokio::time::sleep_until(since + GIVEN_UP) => {
                    wire.fail(from, io::ErrorKind::TimedOut);
                    // The other end finds out for itself.
                    return;
                }
            }
            continue;
        }
        silent = None;
        let path = network.path(source, target);
        let room = wire.room(to);
        let octets = match (&load, room) {
            (_, None) => {
                // Nobody is there (any more): a reset comes back.
                let finished = matches!(load, Load::Finished);
                tokio::time::sleep(network.passage(&path, 0)).await;
                if !finished && !network.path(target, source).cut {
                    wire.fail(from, io::ErrorKind::ConnectionReset);
                    network.record("broken", &[wire.number, from as u64], &[]);
                }
                if finished {
                    return;
                }
                continue;
            }
            (Load::Octets(_), Some(0)) => {
                // The window is closed; the reader stirs.
                let waited = tokio::time::timeout(GIVEN_UP, wire.stirred[from].notified()).await;
                if waited.is_err() && wire.is_dropped(from) {
                    // The system doesn't keep for ever what nobody holds.
                    wire.reset([true, true]);
                    return;
                }
                continue;
            }
            (Load::Octets(_), Some(room)) => wanted.min(room),
            (Load::Finished | Load::Nothing | Load::Broken { .. }, Some(_)) => 0,
        };
        let octets = match path.rate {
            // Slow paths carry little at once, so that it is seen arriving.
            Some(rate) => octets.min(usize::try_from(rate.max(1)).unwrap_or(BURST)),
            None => octets,
        };
        let turnstile = network.turnstile().await;
        tokio::time::sleep(network.passage(&path, octets)).await;
        drop(turnstile);
        if network.path(source, target).cut || wire.room(to).is_none() {
            continue;
        }
        idle_since = Instant::now();
        match load {
            Load::Octets(_) => {
                let (passes, strike) = network.struck(source, target, octets as u64);
                let arrived = wire.arrive(from, usize::try_from(passes).unwrap_or(octets));
                network.record("arrived", &[wire.number, from as u64], &arrived);
                if let Some(strike) = strike {
                    self::strike(&network, &wire, from, strike);
                }
            }
            Load::Finished => {
                wire.finish(from);
                network.record("finished", &[wire.number, from as u64], &[]);
                return;
            }
            // A question that was answered.
            Load::Nothing | Load::Broken { .. } => {}
        }
    }
}

fn strike(network: &Network, wire: &Wire, from: usize, strike: Strike) {
    let (source, target) = (wire.addresses[from].ip(), wire.addresses[1 - from].ip());
    let only = |at: usize| [at == 0, at == 1];
    match strike {
        Strike::Reset => wire.reset([true, true]),
        Strike::ResetSender => wire.reset(only(from)),
        Strike::ResetReceiver => wire.reset(only(1 - from)),
        Strike::CutOneWay(time) => network.cut_for(source, target, time),
        Strike::CutBoth(time) => {
            network.cut_for(source, target, time);
            network.cut_for(target, source, time);
        }
    }
}

/// Waits until the other end can be told; false if that takes longer than it waits itself.
async fn reach(network: &Network, wire: &Wire, from: usize) -> bool {
    let (source, target) = (wire.addresses[from].ip(), wire.addresses[1 - from].ip());
    let end = Instant::now() + GIVEN_UP;
    while network.path(source, target).cut {
        if wire.room(1 - from).is_none()
            || tokio::time::timeout_at(end, network.inner.changed.notified()).await.is_err()
        {
            return false;
        }
    }
    wire.room(1 - from).is_some()
}
