//! S2: many connectors, some of whose peers are dead. The same traffic to the same healthy peers is played twice, with
//! the dead ones configured and without: the healthy ones must not notice.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::stage::{Letter, Stage};
use crate::check::Expected;
use crate::manner::Manner;
use crate::network::HostWorld;
use crate::peer::Peer;
use crate::site::{P1, Site, connector, user};

/// How long the healthy peers may take to get everything, before it counts as never.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// Least throughput, in parts of a hundred of that without the dead.
const LEAST_THROUGHPUT: u128 = 95;
/// Largest latency of the slowest but one in a hundred, likewise.
const LARGEST_LATENCY: u128 = 125;
/// Differences below this are those of chance in the network's latency.
const NOISE: Duration = Duration::from_millis(250);

/// Number and state of the peers, and the traffic.
struct Plan {
    healthy: usize,
    dead: Vec<Death>,
    messages: usize,
    length: usize,
}

#[derive(Clone, Copy, Debug)]
enum Death {
    Swallowed,
    Mute,
    Deaf,
    Trickle,
}

/// What the healthy peers saw of one half.
struct Measured {
    /// Until the last message was there.
    all: Duration,
    /// The latency that one in a hundred messages exceeds.
    slow: Duration,
}

pub(super) async fn play(stage: &mut Stage) {
    let random = &stage.random;
    let peers = if random.percent(4) { 200 } else { [6, 12, 30][random.below(3)] };
    let dead = [1, peers / 2, peers - 1][random.below(3)];
    let kinds = [Death::Swallowed, Death::Mute, Death::Deaf, Death::Trickle];
    let plan = Plan {
        healthy: peers - dead,
        dead: (0..dead).map(|_| kinds[random.below(kinds.len())]).collect(),
        messages: 4 + random.below(if peers == 200 { 4 } else { 30 }),
        length: usize::try_from(random.spread(60_000)).unwrap_or(0),
    };
    let alone = half(stage, &plan, 0).await;
    let beside = half(stage, &plan, 1).await;
    let (Some(alone), Some(beside)) = (alone, beside) else { return };
    let slower = |with: Duration, without: Duration, parts: u128| {
        with.as_micros() * 100 > without.as_micros() * parts && with > without + NOISE
    };
    if slower(beside.all, alone.all, 10_000 / LEAST_THROUGHPUT) {
        stage.found.push(format!("throughput: {:?} beside {dead} dead, {:?} alone", beside.all, alone.all));
    }
    if slower(beside.slow, alone.slow, LARGEST_LATENCY) {
        stage.found.push(format!("latency: {:?} beside {dead} dead, {:?} alone", beside.slow, alone.slow));
    }
    stage.end().await;
}

/// Plays the traffic once; in the second half with the dead.
async fn half(stage: &mut Stage, plan: &Plan, number: u8) -> Option<Measured> {
    let mut site =
        Site::new(&stage.network, &stage.random, super::stage::NAMES[usize::from(number)], number + 1);
    let books = stage.shared_books();
    let mut hosts = Vec::new();
    let mut healthy = Vec::new();
    let dead = if number == 0 { &[][..] } else { &plan.dead };
    let all = std::iter::repeat_n(None, plan.healthy).chain(dead.iter().copied().map(Some));
    for (n, death) in (0_u8..).zip(all) {
        let at = IpAddr::V4(Ipv4Addr::new(10, 1, number, n));
        let name = format!("PEER-{number}-{n}");
        let peer = Peer::new(&name, Arc::clone(&books));
        match death {
            None => healthy.push(Arc::clone(&peer)),
            Some(Death::Swallowed) => stage.network.change_both(at, site.host, |path| path.cut = true),
            Some(Death::Mute) => peer.behave(Manner::Mute),
            Some(Death::Deaf) => peer.behave(Manner::Deaf { bound: stage.random.percent(50) }),
            Some(Death::Trickle) => peer.behave(Manner::Trickle { bound: stage.random.percent(50) }),
        }
        let address = SocketAddr::new(at, P1);
        let host = Arc::new(HostWorld::new(&stage.network, at, stage.random.split()));
        if let Ok(listening) = host.accept_on(address) {
            tokio::spawn(Arc::clone(&peer).serve(listening));
        }
        hosts.push((at, peer));
        let mut settings = connector(&name, vec![address.to_string()]);
        settings.association.threshold_messages = 5;
        site.settings.connectors.push(settings);
    }
    stage.sites.push(site);
    let index = stage.sites.len() - 1;
    stage.start(index).await;
    let begin = Instant::now();
    // The dead come first in every round: whoever waits for them is late.
    for _ in 0..plan.messages {
        for (_, peer) in hosts.iter().rev() {
            stage.submit(Letter {
                site: index,
                originator: user("writer", &stage.sites[index].name),
                recipients: vec![user("reader", &peer.name)],
                length: plan.length,
                delivery_reports: false,
                shaped: false,
                // The dead are well at the end, and nothing is given up before.
                expected: Expected::Delivery,
            });
        }
    }
    let wanted = plan.messages * plan.healthy;
    let arrived = || healthy.iter().map(|peer| peer.heard().arrivals.len()).sum::<usize>();
    while arrived() < wanted {
        if begin.elapsed() > PATIENCE {
            stage.found.push(format!("{} of {wanted} messages to healthy peers arrived", arrived()));
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    let mut latencies: Vec<Duration> = healthy
        .iter()
        .flat_map(|peer| peer.heard().arrivals.iter().map(|(_, at)| *at - begin).collect::<Vec<_>>())
        .collect();
    latencies.sort();
    let slow = latencies.get(latencies.len().saturating_sub(1 + latencies.len() / 100)).copied();
    let measured =
        Measured { all: latencies.last().copied().unwrap_or_default(), slow: slow.unwrap_or_default() };
    // The dead are well from here on, and get what is theirs.
    stage.network.heal();
    for (_, peer) in &hosts {
        peer.behave(Manner::Well);
    }
    stage.drain(Duration::from_secs(4_000)).await;
    let complete = latencies.len() == wanted;
    for (at, _) in &hosts {
        stage.network.kill(*at);
    }
    stage.stop(index).await;
    complete.then_some(measured)
}
