//! S1: a peer fails in every way there is, as the one that is called and as the one that calls. Nothing is used up, the
//! others never notice, and when it is well again mail flows within one open interval.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::stage::{Letter, Stage};
use crate::check::Expected;
use crate::manner::{Manner, bad_manner};
use crate::network::HostWorld;
use crate::peer::Peer;
use crate::site::{P1, Site, space, user};

/// Wait between two attempts of ours, in seconds: many of them shall happen.
const OPEN_INTERVAL_S: u32 = 2;
/// What a message between the others may take.
const NEIGHBOURS: Duration = Duration::from_secs(5);
/// So many attempts in one series tell whether memory grows with them.
const LONG: u64 = 100_000;
/// What a transfer and a passage over the network may take besides.
const SLACK: Duration = Duration::from_secs(30);

pub(super) async fn play(stage: &mut Stage) {
    for (name, number) in ["ALPHA", "BETA"].into_iter().zip(1..) {
        stage.sites.push(Site::new(&stage.network, &stage.random, name, number));
    }
    let mut well = Site::new(&stage.network, &stage.random, "GAMMA", 3);
    if let Ok([a, b]) = stage.sites.get_disjoint_mut([0, 1]) {
        a.connect_to(b);
        b.connect_to(a);
        let connector = a.connect_to(&well);
        connector.retry.open_interval_s = OPEN_INTERVAL_S;
        connector.retry.transfer_interval_s = OPEN_INTERVAL_S;
        connector.retry.max_transfer_retries = 100;
        connector.rts.recovery_timeout_s = [0, 10][stage.random.below(2)];
        connector.association.max_associations = [1, 2, 4][stage.random.below(3)];
        connector.association.threshold_messages = 1;
        a.limits.connect_timeout = Duration::from_secs(stage.random.within(2..30));
        a.limits.bind_timeout = Duration::from_secs(stage.random.within(5..60));
        well.connect_to(a).address_space.push(space("BETA"));
    }
    stage.start(0).await;
    stage.start(1).await;
    let mut bad = bad_peer(stage, &well);
    for n in 0..3 {
        // What waits through a long series is given up in the end.
        let expected = if stage.attempts.is_some() { Expected::Either } else { Expected::Delivery };
        expect(stage, 0, user(&format!("user{n}"), "GAMMA"), expected);
    }
    match stage.attempts {
        None => some_attempts(stage, &mut bad).await,
        Some(attempts) => series(stage, &mut bad, attempts).await,
    }
    bad.end(stage).await;
    stage.failed = stage.network.tried_between(stage.sites[0].host, well.host);
    // The peer is well from here on.
    stage.heal().await;
    let begun = well.start().await;
    stage.found.extend(begun.err());
    // GAMMA may have been refused for one that had taken its place, and tries again after its own interval.
    let deadline = Duration::from_secs(60) * 11 / 10
        + stage.sites[0].limits.bind_timeout.max(stage.sites[0].limits.connect_timeout)
        + SLACK;
    stage.sites.push(well);
    letter(stage, 2, user("somebody", "BETA"));
    if stage.attempts.is_some() {
        letter(stage, 0, user("somebody", "GAMMA"));
    }
    stage.drain(deadline).await;
    stage.end().await;
}

async fn some_attempts(stage: &mut Stage, bad: &mut Bad) {
    let changes = stage.random.within(20..120);
    let mut last = Instant::now();
    for _ in 0..changes {
        bad.next(stage, 0..3).await;
        neighbours_notice_nothing(stage, last).await;
        if stage.random.percent(20) {
            last = Instant::now();
            letter(stage, 0, user("neighbour", "BETA"));
            letter(stage, 1, user("neighbour", "ALPHA"));
        }
        sleep(Duration::from_millis(stage.random.spread(20_000))).await;
    }
}

/// So many attempts in a row that whatever one of them leaves behind adds up.
async fn series(stage: &mut Stage, bad: &mut Bad, attempts: u64) {
    let tried = |stage: &Stage, bad: &Bad| stage.network.tried_between(stage.sites[0].host, bad.at);
    let mut last = Instant::now();
    let mut next_letter = 0;
    while tried(stage, bad) < attempts {
        bad.next(stage, 0..9).await;
        neighbours_notice_nothing(stage, last).await;
        // Mail goes on, and not so much of it that the mailboxes are what the memory is used for.
        if tried(stage, bad) >= next_letter {
            next_letter += attempts / 100 + 1;
            last = Instant::now();
            letter(stage, 0, user("neighbour", "BETA"));
            letter(stage, 1, user("neighbour", "ALPHA"));
            // What is waiting for the peer is given up now and then, after as many attempts as a setting allows.
            expect(stage, 0, user("long-awaited", "GAMMA"), Expected::Either);
        }
        let tenths = stage.memory_kb.len() as u64 + 1;
        if tried(stage, bad) >= attempts * tenths / 10 {
            stage.memory_kb.extend(resident_kb());
        }
        sleep(Duration::from_millis(stage.random.spread(20_000))).await;
    }
    stage.memory_kb.extend(resident_kb().filter(|_| stage.memory_kb.len() < 10));
    // Half of them is for what has a bound to come to it.
    if let [_, _, _, _, half, .., all] = stage.memory_kb[..]
        && attempts >= LONG
        && all > half + half / 20
    {
        stage.found.push(format!("{half} KB were in use after half of the attempts, {all} KB after all"));
    }
}

/// Resident memory of this process, where the system tells it.
fn resident_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Mail between the others is not held up.
async fn neighbours_notice_nothing(stage: &mut Stage, last: Instant) {
    if last.elapsed() < NEIGHBOURS {
        return;
    }
    for (site, connector) in [(0, "to-BETA"), (1, "to-ALPHA")] {
        let Some(handle) = stage.sites[site].handle() else { continue };
        let queues = handle.queues().await.unwrap_or_default();
        for queue in queues.iter().filter(|queue| queue.connector == connector && queue.messages != Some(0)) {
            stage.found.push(format!("{} s after the last message: {queue:?}", last.elapsed().as_secs()));
        }
    }
}

/// The peer that fails, where GAMMA is later.
struct Bad {
    peer: Arc<Peer>,
    host: Arc<HostWorld>,
    target: std::net::SocketAddr,
    at: std::net::IpAddr,
    calling: JoinSet<()>,
}

fn bad_peer(stage: &Stage, well: &Site) -> Bad {
    let host = Arc::new(HostWorld::new(&stage.network, well.host, stage.random.split()));
    let peer = Peer::new("GAMMA", stage.shared_books());
    peer.behave(Manner::Mute);
    Bad { peer, host, target: stage.sites[0].p1(), at: well.host, calling: JoinSet::new() }
}

impl Bad {
    /// Changes how the peer fails, and has it call us, too.
    async fn next(&mut self, stage: &mut Stage, calls: Range<u64>) {
        while self.calling.try_join_next().is_some() {}
        // Nobody asks what it heard, and in a long series that would be what memory goes to.
        let mut heard = self.peer.heard();
        heard.binds.clear();
        heard.apdus.clear();
        drop(heard);
        let a = stage.sites[0].host;
        match stage.random.within(0..12) {
            0 => stage.network.change_both(self.at, a, |path| path.cut = true),
            1 => stage.network.change(self.at, a, |path| path.cut = true),
            2 => stage.network.kill(self.at),
            3 => stage.network.power_off(self.at),
            _ => {
                stage.network.heal();
                // In use if it listens already.
                if let Ok(listening) = self.host.accept_on(std::net::SocketAddr::new(self.at, P1)) {
                    tokio::spawn(Arc::clone(&self.peer).serve(listening));
                }
            }
        }
        self.peer.behave(bad_manner(&stage.random));
        for _ in 0..stage.random.within(calls) {
            let manner = bad_manner(&stage.random);
            self.calling.spawn(Arc::clone(&self.peer).attack(Arc::clone(&self.host), self.target, manner));
        }
    }

    async fn end(&mut self, stage: &Stage) {
        self.host.end();
        self.calling.shutdown().await;
        stage.network.kill(self.at);
    }
}

fn letter(stage: &mut Stage, site: usize, recipient: String) {
    // Nothing is given up here, least of all between those who have no part in the failures.
    expect(stage, site, recipient, Expected::Delivery);
}

fn expect(stage: &mut Stage, site: usize, recipient: String, expected: Expected) {
    let originator = user("writer", &stage.sites[site].name);
    // What mailboxes hold must not be taken for what attempts have left behind.
    let most = if stage.attempts.is_some() && expected == Expected::Delivery { 1_000 } else { 150_000 };
    let length = usize::try_from(stage.random.spread(most)).unwrap_or(0);
    stage.submit(Letter {
        site,
        originator,
        recipients: vec![recipient],
        length,
        delivery_reports: false,
        shaped: false,
        expected,
    });
}
