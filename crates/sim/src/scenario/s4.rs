//! S4: three to seven MTAs exchange mail while the network between them is cut, slowed and reset at any octet, and the
//! MTAs themselves crash, stop, change their settings and have their clocks set.

use std::time::Duration;

use agent::settings::{Conformance, MessageTimeouts};
use spool::Fault;
use tokio::time::{Instant, sleep};

use super::Control;
use super::stage::{Letter, NAMES, Stage};
use crate::check::Expected;
use crate::network::Strike;
use crate::site::{Crash, Site, space, user};

/// From the end of the faults until everything must have drained.
const DRAIN: Duration = Duration::from_secs(300);
/// A fault lasts an hour at most.
const LONGEST_FAULT: u64 = 3_600;
/// Clocks are set off by a day at most, so that no message gets too old.
const LARGEST_SKEW: u64 = 86_400;

/// Users of a site that have a mailbox; the next one has none.
const MAILBOXES: usize = 4;

pub(super) async fn play(stage: &mut Stage) {
    build(stage);
    for site in 0..stage.sites.len() {
        stage.start(site).await;
    }
    let mut restarts: Vec<(Instant, usize)> = Vec::new();
    for _ in 0..stage.random.within(10..70) {
        let now = Instant::now();
        for (_, site) in restarts.extract_if(.., |(at, _)| *at <= now) {
            stage.network.power_on(stage.sites[site].host);
            stage.start(site).await;
        }
        act(stage, &mut restarts).await;
        // Much at once, or far apart.
        let pause = match stage.random.within(0..4) {
            0 => Duration::ZERO,
            1 | 2 => Duration::from_millis(stage.random.spread(2_000)),
            _ => Duration::from_secs(stage.random.spread(300)),
        };
        sleep(pause).await;
    }
    stage.heal().await;
    stage.drain(DRAIN).await;
    stage.end().await;
}

/// Sites in a full mesh, or in a row over which messages are relayed.
fn build(stage: &mut Stage) {
    let count = match stage.random.within(0..8) {
        0 => 7,
        1 => 5,
        2 | 3 => 4,
        _ => 3,
    };
    for (name, number) in NAMES.iter().take(count).zip(1..) {
        let mut site = Site::new(&stage.network, &stage.random, name, number);
        let users = (0..MAILBOXES).map(|n| crate::site::address(&user(&format!("user{n}"), name)));
        site.settings.mta.mailboxes = Some(users.collect());
        if stage.control == Some(Control::LostResume) {
            site.lie();
        }
        stage.sites.push(site);
    }
    let mesh = stage.random.percent(50);
    // Reports are given up as well: only where none has to travel can it be said what must be there in the end.
    stage.impatient = mesh && stage.random.percent(40);
    if stage.impatient {
        let timeouts = MessageTimeouts { urgent_min: 20, normal_min: 30, non_urgent_min: 40 };
        stage.sites.iter_mut().for_each(|site| site.settings.mta.message_timeout = timeouts);
    }
    for a in 0..count {
        for b in 0..count {
            let adjacent = a != b && (mesh || a.abs_diff(b) == 1);
            if adjacent {
                link(stage, a, b, mesh);
            }
        }
    }
}

fn link(stage: &mut Stage, from: usize, to: usize, mesh: bool) {
    let (random, impatient) = (stage.random.split(), stage.impatient);
    let Ok([a, b]) = stage.sites.get_disjoint_mut([from, to]) else { return };
    let connector = a.connect_to(b);
    if !mesh {
        // What lies behind the neighbour.
        let behind = |n: &usize| if to > from { *n > to } else { *n < to };
        let names = NAMES.iter().enumerate().filter(|(n, _)| behind(n));
        connector.address_space.extend(names.map(|(_, name)| space(name)));
    }
    if impatient {
        connector.retry.max_open_retries = [1, 3][random.below(2)];
        connector.retry.max_transfer_retries = [0, 1][random.below(2)];
    }
    connector.two_way_alternate = random.percent(40);
    if random.percent(25) {
        connector.conformance = Conformance::X410In1988;
    }
    connector.rts.checkpoint_size_kb = [1, 4, 30, 30, 0][random.below(5)];
    connector.rts.window_size = [1, 2, 5][random.below(3)];
    connector.rts.recovery_timeout_s = [0, 20, 60, 300][random.below(4)];
    connector.association.lifetime_s = [0, 5, 60][random.below(3)];
    connector.association.threshold_messages = [1, 3, 50][random.below(3)];
    connector.association.max_associations = [1, 2, 10][random.below(3)];
}

/// One thing that happens.
async fn act(stage: &mut Stage, restarts: &mut Vec<(Instant, usize)>) {
    let count = stage.sites.len();
    let site = stage.random.below(count);
    let other = (site + 1 + stage.random.below(count - 1)) % count;
    let (here, there) = (stage.sites[site].host, stage.sites[other].host);
    let time = Duration::from_secs(stage.random.spread(LONGEST_FAULT));
    match stage.random.within(0..100) {
        0..40 => {
            for _ in 0..stage.random.spread(6) {
                letter(stage, site);
            }
        }
        40..64 => {
            let strike = match stage.random.within(0..6) {
                0 | 1 => Strike::Reset,
                2 => Strike::ResetSender,
                3 => Strike::ResetReceiver,
                4 => Strike::CutOneWay(time),
                _ => Strike::CutBoth(time),
            };
            stage.network.plan(here, there, stage.random.spread(200_000), strike);
        }
        64..67 => stage.network.change(here, there, |path| path.cut = true),
        67..70 => stage.network.change_both(here, there, |path| path.cut = true),
        70..75 => stage.network.change_both(here, there, |path| path.cut = false),
        75..78 => {
            let latency = Duration::from_millis(stage.random.spread(2_000));
            let rate = stage.random.percent(50).then(|| stage.random.spread(1_000_000).max(300));
            stage.network.change_both(here, there, |path| (path.latency, path.rate) = (latency, rate));
        }
        78..81 => stage.network.reset(here, there),
        81..88 => {
            let how = if stage.random.percent(50) { Crash::Kill } else { Crash::Power };
            if stage.sites[site].runs() {
                stage.crash(site, how);
                let back = Duration::from_secs(stage.random.spread(300) - 1);
                restarts.push((Instant::now() + back, site));
            }
        }
        88..91 => {
            if stage.sites[site].runs() {
                stage.stop(site).await;
                let back = Duration::from_secs(stage.random.spread(100) - 1);
                restarts.push((Instant::now() + back, site));
            }
        }
        91..94 => {
            let seconds = i64::try_from(stage.random.spread(LARGEST_SKEW)).unwrap_or(0);
            let sign = if stage.random.percent(50) { 1 } else { -1 };
            stage.network.skew(here, seconds * sign);
        }
        94 => {
            let stall = Duration::from_millis(stage.random.spread(5_000));
            stage.sites[site].disk().stall(stall);
        }
        95 | 96 => {
            // The disk fails, and after a while somebody restarts what stands on it.
            if stage.sites[site].runs() {
                let fault = if stage.random.percent(50) { Fault::Kept } else { Fault::Lost };
                stage.sites[site].disk().fail(fault);
                sleep(Duration::from_secs(stage.random.spread(100))).await;
                stage.crash(site, Crash::Kill);
                restarts.push((Instant::now(), site));
            }
        }
        97 => reload(stage, site).await,
        _ => {
            if let Some(handle) = stage.sites[site].handle() {
                let connectors = stage.sites[site].settings.connectors.iter();
                for connector in connectors {
                    // Refused only if it is not there, which changes nothing here.
                    let _ = handle.connect(&connector.name, "sim").await;
                }
            }
        }
    }
}

/// Submits a message to somebody, somewhere.
fn letter(stage: &mut Stage, site: usize) {
    let random = &stage.random;
    let users = if stage.impatient { MAILBOXES } else { MAILBOXES + 1 };
    let mut recipients = Vec::new();
    let mut without_mailbox = 0;
    for _ in 0..random.spread(3) {
        let domain = NAMES[random.below(stage.sites.len())];
        let number = random.below(users);
        let user = user(&format!("user{number}"), domain);
        if !recipients.contains(&user) {
            recipients.push(user);
            without_mailbox += usize::from(number == MAILBOXES);
        }
    }
    let length = match random.within(0..10) {
        0 | 1 => 600_000,
        2..5 => 150_000,
        _ => 3_000,
    };
    let letter = Letter {
        site,
        originator: user(&format!("user{}", random.below(MAILBOXES)), NAMES[site]),
        // An MTA that has time gives nothing up that can be delivered.
        expected: match without_mailbox {
            0 if !stage.impatient => Expected::Delivery,
            all if all == recipients.len() => Expected::NonDelivery,
            _ => Expected::Either,
        },
        recipients,
        length: usize::try_from(random.spread(length)).unwrap_or(0),
        delivery_reports: !stage.impatient && random.percent(30),
        shaped: random.percent(50),
    };
    stage.submit(letter);
}

async fn reload(stage: &mut Stage, site: usize) {
    let lifetime = u32::try_from(stage.random.within(0..100)).unwrap_or(0);
    let site = &mut stage.sites[site];
    let Some(handle) = site.handle() else { return };
    if let Some(connector) = site.settings.connectors.first_mut() {
        connector.association.lifetime_s = lifetime;
    }
    if let Err(error) = handle.reload(site.settings.clone()).await {
        stage.found.push(format!("{}: the reload failed: {error}", site.name));
    }
}
