//! Reloads that meet with trouble: what is in force then, what is told, and what is made up for.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};

use agent::record::RESUME;
use mhs::MtaName;
use runtime::{EventKind, ReloadError};
use spool::{Space, SpoolError};
use support::store::{Twist, Twisted};
use support::{events, pair, submit, until};

const OPERATIONS: &str = "S=operations;P=BETA;A= ;C=GB";

/// A store in which what a connector needs to begin can't be read while it is told so.
#[derive(Default)]
struct Disk {
    is_bad: AtomicBool,
}

impl Twist for Disk {
    fn scan(&self, space: Space, prefix: &[u8]) -> Result<(), SpoolError> {
        let fails = space == RESUME && !prefix.is_empty() && self.is_bad.load(Ordering::SeqCst);
        if fails { Err(SpoolError::Closed) } else { Ok(()) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_in_a_reload_delays_what_follows_and_the_settings_are_in_force() {
    let (mut a, b) = pair(false);
    let disk = Twisted::new(Disk::default());
    let mta_a = a.start_on(disk.clone()).await;
    let at_a = mta_a.handle();
    submit(&at_a, OPERATIONS, b"waiting already").await;
    until(async || (at_a.status().queued == Some(1)).then_some(())).await;
    let mut second = a.settings.connectors[0].clone();
    (second.name, second.remote_mta) = ("second".to_owned(), MtaName::new("BETA-2").unwrap());
    second.address_space.clear();
    a.settings.connectors[0].association.lifetime_s += 1;
    a.settings.connectors.push(second);
    disk.twist.is_bad.store(true, Ordering::SeqCst);
    let summary = at_a.reload(a.settings.clone()).await.unwrap();
    assert_eq!((summary.changed, summary.added), (vec!["to-BETA".to_owned()], vec!["second".to_owned()]));
    assert_eq!(summary.outstanding.len(), 2, "{:?}", summary.outstanding);
    let told = events(&at_a, EventKind::ConfigurationIncomplete);
    assert!(told.len() == 1 && told[0].contains("not done yet, but tried again"), "{told:?}");
    assert_eq!(events(&at_a, EventKind::ConfigurationReloaded), [""; 0]);
    submit(&at_a, OPERATIONS, b"by the new settings").await;
    disk.twist.is_bad.store(false, Ordering::SeqCst);
    let mta_b = b.start().await;
    until(async || (at_a.info().counters.transferred_out == 2).then_some(())).await;
    assert_eq!(at_a.info().counters.non_delivered, 0);
    until(async || (at_a.connectors().len() == 2).then_some(())).await;
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_contradict_themselves_change_nothing() {
    let (mut a, _) = pair(false);
    let mta = a.start().await;
    let handle = mta.handle();
    let twice = a.settings.connectors[0].clone();
    a.settings.connectors.push(twice);
    let refused = handle.reload(a.settings.clone()).await;
    assert!(matches!(refused, Err(ReloadError::Settings(_))), "{refused:?}");
    handle.reload_refused(&refused.unwrap_err().to_string());
    let told = events(&handle, EventKind::ConfigurationRefused);
    assert!(told.len() == 1 && told[0].starts_with("the configuration stays as it was: "), "{told:?}");
    assert_eq!(handle.connectors().len(), 1);
    mta.stop().await;
}
