//! S3: peers with many names and addresses, connectors that vanish, and a stop in every state.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::stage::{Letter, Stage};
use crate::check::Expected;
use crate::manner::{Manner, bad_manner};
use crate::network::HostWorld;
use crate::peer::Peer;
use crate::site::{Crash, P1, Site, user};

/// Wait between two rounds, in seconds.
const OPEN_INTERVAL_S: u32 = 60;

pub(super) async fn play(stage: &mut Stage) {
    stage.network.keep_attempts();
    for (name, number) in ["ALPHA", "BETA", "GAMMA"].into_iter().zip(1..) {
        stage.sites.push(Site::new(&stage.network, &stage.random, name, number));
    }
    let (hosts, order) = many_names(stage);
    stage.stop_slack = Duration::from_secs(1);
    let connectors = [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)];
    for (from, to) in connectors {
        let Ok([a, b]) = stage.sites.get_disjoint_mut([from, to]) else { return };
        let connector = a.connect_to(b);
        if (from, to) == (0, 1) {
            connector.hosts.clone_from(&hosts);
        }
        connector.two_way_alternate = stage.random.percent(50);
        connector.retry.open_interval_s = OPEN_INTERVAL_S;
        connector.association.max_associations = 1;
        // A recovery calls again at once: not where rounds are counted.
        connector.rts.recovery_timeout_s = if from == 0 { 0 } else { [0, 30][stage.random.below(2)] };
    }
    for site in 0..3 {
        stage.start(site).await;
    }
    for _ in 0..stage.random.within(5..20) {
        letters(stage);
        let site = stage.random.below(3);
        // In whatever state it is by then.
        sleep(Duration::from_millis(stage.random.spread(90_000))).await;
        match stage.random.within(0..7) {
            0 | 1 => {
                stage.stop(site).await;
                sleep(Duration::from_secs(stage.random.within(0..20))).await;
                stage.start(site).await;
            }
            2 => {
                stage.crash(site, Crash::Kill);
                stage.start(site).await;
            }
            3 => without_connector(stage, site).await,
            4 => stage.network.change_both(stage.sites[0].host, stage.sites[2].host, |path| path.cut = true),
            5 => stage.network.heal(),
            _ => {
                let a = stage.sites[0].host;
                let rate = stage.random.spread(20_000).max(50);
                stage.network.change_both(a, stage.sites[1].host, |path| path.rate = Some(rate));
            }
        }
    }
    for n in 0..4 {
        stage.network.kill(extra(n));
    }
    stage.heal().await;
    stage.drain(Duration::from_secs(1_500)).await;
    rounds(stage, &order);
    stage.end().await;
}

/// Further hosts that ALPHA knows BETA by: one that refuses, one that answers as another MTA, one that fails in some
/// other way, and one of IPv6.
fn extra(n: u8) -> IpAddr {
    match n {
        3 => IpAddr::V6(Ipv6Addr::new(0xFD00, 0, 0, 0, 0, 0, 0, 1)),
        n => IpAddr::V4(Ipv4Addr::new(10, 2, 0, n)),
    }
}

/// Gives BETA's host several names; returns ALPHA's list of hosts, BETA itself in some place of it, and the addresses
/// that it stands for.
fn many_names(stage: &Stage) -> (Vec<String>, Vec<IpAddr>) {
    let beta = stage.sites[1].host;
    for (n, manner) in [(1, Manner::WrongName), (2, bad_manner(&stage.random)), (3, Manner::Close)] {
        let host = HostWorld::new(&stage.network, extra(n), stage.random.split());
        let peer = Peer::new("BETA", stage.shared_books());
        peer.behave(manner);
        if let Ok(listening) = host.accept_on(SocketAddr::new(extra(n), P1)) {
            tokio::spawn(Arc::clone(&peer).serve(listening));
        }
    }
    let known = [
        ("twice", vec![extra(0), extra(0), extra(1)]),
        ("nobody", Vec::new()),
        ("both", vec![extra(3), extra(0)]),
        ("beta:102", vec![extra(2), beta, beta]),
        ("twice:102", vec![extra(0), extra(0), extra(1)]),
        ("[fd00::1]:102", vec![extra(3)]),
    ];
    for (name, addresses) in &known {
        stage.network.name(name.trim_end_matches(":102"), addresses.clone());
    }
    let mut hosts = known.to_vec();
    // In another order each time; BETA may come first or last.
    for n in (1..hosts.len()).rev() {
        hosts.swap(n, stage.random.below(n + 1));
    }
    let mut order = Vec::new();
    for address in hosts.iter().flat_map(|(_, addresses)| addresses) {
        if !order.contains(address) {
            order.push(*address);
        }
    }
    (hosts.into_iter().map(|(name, _)| name.to_owned()).collect(), order)
}

/// Each round tries each address once, in order, duplicates left out; a round that has failed is followed by the open
/// interval. `order` is the list without duplicates.
fn rounds(stage: &mut Stage, order: &[IpAddr]) {
    let (from, gamma, beta) = (stage.sites[0].host, stage.sites[2].host, stage.sites[1].host);
    // Whose bind holds: BETA, and the one of unknown manners.
    let binds = [beta, extra(2)];
    // The place and time of the attempt before.
    let mut before: Option<(usize, Instant)> = None;
    let interval = Duration::from_secs(u64::from(OPEN_INTERVAL_S));
    let mut found = Vec::new();
    for (host, to, at) in stage.network.attempts() {
        if host != from || to.ip() == gamma {
            continue;
        }
        let Some(place) = order.iter().position(|address| *address == to.ip()) else {
            found.push(format!("{to} was tried, which is no address of the peer"));
            continue;
        };
        let disturbed = |since: Instant| {
            stage.disturbed.iter().any(|(site, when)| *site == 0 && (since..=at).contains(when))
        };
        match before {
            Some((last, _)) if place == last + 1 => {}
            Some((_, when)) if disturbed(when) => {}
            // It may have succeeded: then the next is opened when something is to be sent.
            Some((last, _)) if place == 0 && order.get(last).is_some_and(|at| binds.contains(at)) => {}
            Some((last, when)) if place == 0 && last + 1 == order.len() && at - when >= interval => {}
            Some((last, when)) => {
                found.push(format!("address {place} was tried {:?} after address {last}", at - when));
            }
            None if place == 0 => {}
            None => found.push(format!("address {place} was tried first")),
        }
        before = Some((place, at));
    }
    found.truncate(3);
    stage.found.extend(found);
}

/// Takes a connector away while mail flows, has the other side call in vain, and puts it back.
async fn without_connector(stage: &mut Stage, site: usize) {
    let settings = stage.sites[site].settings.clone();
    let mut fewer = settings.clone();
    let which = stage.random.below(fewer.connectors.len());
    let removed = fewer.connectors.remove(which);
    let pause = Duration::from_millis(stage.random.spread(200_000));
    let name = stage.sites[site].name.clone();
    let Some(handle) = stage.sites[site].handle() else { return };
    let begin = Instant::now();
    stage.disturb(site);
    if let Err(error) = handle.reload(fewer).await {
        stage.found.push(format!("{name}: a connector could not be removed: {error}"));
    }
    if let Ok(mut books) = stage.shared_books().lock() {
        books.doubt(&name, removed.remote_mta.as_str());
    }
    letters(stage);
    sleep(pause).await;
    stage.disturb(site);
    if let Err(error) = handle.reload(settings).await {
        stage.found.push(format!("{name}: a connector could not be added: {error}"));
    }
    if begin.elapsed() > pause + Duration::from_secs(60) {
        stage.found.push(format!("{name}: reloads took {:?}", begin.elapsed() - pause));
    }
}

fn letters(stage: &mut Stage) {
    for _ in 0..stage.random.within(1..5) {
        let from = stage.random.below(3);
        let to = (from + 1 + stage.random.below(2)) % 3;
        let letter = Letter {
            site: from,
            originator: user("writer", &stage.sites[from].name),
            recipients: vec![user("reader", &stage.sites[to].name)],
            length: usize::try_from(stage.random.spread(300_000)).unwrap_or(0),
            delivery_reports: false,
            shaped: false,
            expected: Expected::Either,
        };
        stage.submit(letter);
    }
}
