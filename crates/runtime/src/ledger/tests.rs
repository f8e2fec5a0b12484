#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

fn ledger(slots: u64, slots_reserved: u64, connectors: &[&str]) -> Arc<Ledger> {
    let ledger = Ledger::new(ResourceLimits { slots, slots_reserved, octets: 1_000 });
    connectors.iter().for_each(|name| ledger.open_account(name));
    Arc::new(ledger)
}

#[test]
fn what_is_dropped_is_given_back_wherever_it_was_moved() {
    let ledger = ledger(10, 1, &["a"]);
    let mut slot = ledger.slot(Caller::Unbound).unwrap();
    let mut octets = ledger.hold(&ledger.account(Caller::Unbound), Resource::Octets, 300);
    assert_eq!(ledger.status().unbound.held, Held { slots: 1, tasks: 1, octets: 300, ..Held::default() });
    let a = ledger.account(Caller::Connector("a"));
    slot.belongs_to("a", &a);
    octets.move_to(&a);
    octets.set(200);
    assert_eq!(ledger.status().unbound.held, Held::default());
    assert_eq!(ledger.held_by("a"), Held { slots: 1, tasks: 1, octets: 200, ..Held::default() });
    // A connector that is removed keeps its account until it holds nothing.
    ledger.close_account("a");
    assert_eq!(ledger.status().connectors.len(), 1);
    drop((slot, octets));
    let status = ledger.status();
    assert_eq!((status.total, status.connectors), (Held::default(), Vec::new()));
    assert_eq!(status.peak.octets, 300);
}

/// The control: what is not given back is seen.
#[test]
fn a_leak_shows() {
    let ledger = ledger(10, 1, &["a"]);
    let account = ledger.account(Caller::Connector("a"));
    std::mem::forget(ledger.hold(&account, Resource::Socket, 1));
    std::mem::forget(ledger.slot(Caller::Connector("a")).unwrap());
    ledger.close_account("a");
    let status = ledger.status();
    assert_eq!(status.total, Held { slots: 1, tasks: 1, sockets: 1, ..Held::default() });
    assert_eq!(status.connectors.len(), 1, "an account that is not empty goes nowhere");
}

#[test]
fn nobody_gets_what_is_reserved_for_another() {
    let ledger = ledger(10, 2, &["a", "b", "c"]);
    // Six are reserved: four for whoever comes first.
    let unbound: Vec<Slot> = (0..4).map(|_| ledger.slot(Caller::Unbound).unwrap()).collect();
    assert!(ledger.slot(Caller::Unbound).is_err());
    let a: Vec<Slot> = (0..2).map(|_| ledger.slot(Caller::Connector("a")).unwrap()).collect();
    assert!(ledger.slot(Caller::Connector("a")).is_err(), "beyond its reserve it is like any other");
    let b: Vec<Slot> = (0..2).map(|_| ledger.slot(Caller::Connector("b")).unwrap()).collect();
    drop(unbound);
    let more: Vec<Slot> = (0..4).map(|_| ledger.slot(Caller::Connector("a")).unwrap()).collect();
    assert!(ledger.slot(Caller::Connector("b")).is_err());
    let c: Vec<Slot> = (0..2).map(|_| ledger.slot(Caller::Connector("c")).unwrap()).collect();
    assert!(ledger.slot(Caller::Connector("c")).is_err());
    drop((a, b, c, more));
    assert_eq!(ledger.status().total, Held::default());
}

#[test]
fn who_binds_frees_the_place_of_an_unknown_caller() {
    let ledger = ledger(4, 1, &["a", "b"]);
    let mut one = ledger.slot(Caller::Unbound).unwrap();
    let _two = ledger.slot(Caller::Unbound).unwrap();
    assert!(ledger.slot(Caller::Unbound).is_err());
    one.belongs_to("a", &ledger.account(Caller::Connector("a")));
    let _three = ledger.slot(Caller::Unbound).unwrap();
    assert!(ledger.slot(Caller::Unbound).is_err());
    assert!(ledger.slot(Caller::Connector("b")).is_ok());
}

#[test]
fn more_connectors_than_places_share_what_there_is() {
    let ledger = ledger(3, 2, &["a", "b", "c", "d", "e"]);
    let held: Vec<Slot> = (0..3).map(|_| ledger.slot(Caller::Unbound).unwrap()).collect();
    assert!(ledger.slot(Caller::Connector("a")).is_err());
    drop(held);
    assert!(ledger.slot(Caller::Connector("a")).is_ok());
}

#[test]
fn a_level_is_high_from_four_fifths_and_low_again_below_seven_tenths() {
    let ledger = ledger(10, 0, &[]);
    let mut held: Vec<Slot> = (0..7).map(|_| ledger.slot(Caller::Unbound).unwrap()).collect();
    let level = || ledger.level(Resource::Slot).unwrap();
    assert!(!level().is_high() && !level().is_low());
    held.push(ledger.slot(Caller::Unbound).unwrap());
    assert!(level().is_high());
    held.truncate(6);
    assert!(level().is_low());
    let _octets = ledger.hold(&ledger.account(Caller::Unbound), Resource::Octets, 800);
    assert!(ledger.is_tight());
}
