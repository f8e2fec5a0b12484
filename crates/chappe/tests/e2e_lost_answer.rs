//! The connection breaks around the end of a transfer, octet by octet: what was stored is sent again and known again.

mod support;

use support::{ANNA, OPERATIONS, Outcome, Pair, Plan, wait_for};
use testkit::{Break, Fault, Proxy, Recording, Side};

/// A network in which each message has an association of its own, through a proxy.
fn network() -> (Pair, Proxy) {
    let mut plan = Plan {
        retry: "open_interval_s = 1\ntransfer_interval_s = 0\nmax_transfer_retries = 100\n".to_owned(),
        association: "lifetime_s = 0\nmax_associations = 1\n".to_owned(),
        ..Plan::default()
    };
    let proxy = Proxy::start(plan.b_p1).unwrap();
    plan.a_connects_to = proxy.address();
    (plan.start(), proxy)
}

/// Sends one message whose first association meets `fault`, and waits until nothing is left of it at A.
fn send_through(pair: &Pair, proxy: &Proxy, number: usize, fault: Fault) -> Recording {
    let before = proxy.recordings().len();
    proxy.plan(fault);
    pair.a.send(ANNA, OPERATIONS, &format!("{number:03}"));
    let broken = wait_for("the end of the first association", || {
        proxy.recordings().get(before).filter(|recording| recording.ended).cloned()
    });
    // The retry timer is another test's matter.
    wait_for("the message to be gone from A", || {
        if pair.a.waiting().is_empty() {
            return Some(());
        }
        pair.a.run(&["connector", "connect", "to-b"]).ok();
        None
    });
    wait_for("the end of the last association", || {
        proxy.recordings().iter().all(|recording| recording.ended).then_some(())
    });
    broken
}

fn octets(recording: &Recording, side: Side) -> u64 {
    recording.segments.iter().filter(|s| s.side == side).map(|s| s.octets.len() as u64).sum()
}

/// Octets of `side` up to and with the last segment that is sent before the release: what comes up to the answer to
/// the end of the activity. The release is the last segment of each side.
fn until_release(recording: &Recording, side: Side) -> (u64, u64) {
    let lengths: Vec<u64> =
        recording.segments.iter().filter(|s| s.side == side).map(|s| s.octets.len() as u64).collect();
    let total: u64 = lengths.iter().sum();
    let [.., last, release] = lengths.as_slice() else { panic!("too few segments: {lengths:?}") };
    (total - release - last, total - release)
}

#[test]
fn a_lost_answer_never_makes_a_second_delivery() {
    let (pair, proxy) = network();
    let whole = send_through(&pair, &proxy, 0, Fault::Pass);
    assert!(!whole.broken, "nothing was to break");
    let (answer, end) = until_release(&whole, Side::Responder);
    assert!(end - answer >= 10, "no room for the answer to the end of the activity: {answer} to {end}");

    let mut number = 0;
    for how in [Break::Reset, Break::Close] {
        // From before the answer to its last octet but one: all of the data has got through.
        for octets in answer + 1..end {
            number += 1;
            let fault = Fault::Cut { side: Side::Responder, octets, how };
            let broken = send_through(&pair, &proxy, number, fault);
            assert!(broken.broken, "the break after {octets} of {end} octets was not reached");
            assert_eq!(
                pair.b.counter("duplicates"),
                number as u64,
                "a transfer cut after {octets} of {end} octets of the peer's was not recognised when repeated"
            );
        }
    }
    let expected: Vec<String> = (0..=number).map(|number| format!("{number:03}")).collect();
    pair.b.wait_for_mail(OPERATIONS, expected.len());
    pair.b.wait_until_empty();
    assert_eq!(pair.b.subjects(OPERATIONS), expected);
    assert!(pair.a.mailbox(ANNA).is_empty(), "a report that nobody asked for");
}

#[test]
fn a_break_anywhere_near_the_end_of_the_data_neither_loses_nor_doubles() {
    let (pair, proxy) = network();
    let whole = send_through(&pair, &proxy, 0, Fault::Pass);
    let (_, end) = until_release(&whole, Side::Initiator);
    let total = octets(&whole, Side::Initiator);
    let (answer, _) = until_release(&whole, Side::Responder);
    let from_initiator = (end - 25..total).map(|octets| (Side::Initiator, octets));
    let from_responder = (answer.saturating_sub(3)..=answer).map(|octets| (Side::Responder, octets));
    let mut number = 0;
    for (side, octets) in from_initiator.chain(from_responder) {
        number += 1;
        let how = if number % 2 == 0 { Break::Close } else { Break::Reset };
        let broken = send_through(&pair, &proxy, number, Fault::Cut { side, octets, how });
        assert!(broken.broken, "the break after {octets} of {total} octets of {side:?} was not reached");
    }
    let expected: Vec<String> = (0..=number).map(|number| format!("{number:03}")).collect();
    pair.b.wait_for_mail(OPERATIONS, expected.len());
    pair.b.wait_until_empty();
    assert_eq!(pair.b.subjects(OPERATIONS), expected);
    assert!(pair.a.mailbox(ANNA).is_empty(), "a report that nobody asked for");
}
