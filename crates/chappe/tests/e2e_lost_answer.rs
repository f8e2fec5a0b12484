//! The connection breaks around the end of a transfer, octet by octet: what was stored is sent again and known again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use support::{ANNA, OPERATIONS, Outcome, Pair, Plan, wait_for};
use testkit::{Break, Fault, Proxy, Recording, Side};

/// Numbers of associations and messages are part of what is sent. So many messages in front, and those numbers have as
/// many digits as they will have to the end of the test: then the octets of a conversation can be counted beforehand.
const WARM_UP: usize = 10;

/// A network in which each message has an association of its own, through a proxy. Gives the recording of a
/// conversation on which nothing broke.
fn network() -> (Pair, Proxy, Recording) {
    let mut plan = Plan {
        retry: "open_interval_s = 1\ntransfer_interval_s = 0\nmax_transfer_retries = 100\n".to_owned(),
        association: "lifetime_s = 0\nmax_associations = 1\n".to_owned(),
        ..Plan::default()
    };
    let proxy = Proxy::start(plan.b_p1).unwrap();
    plan.a_connects_to = proxy.address();
    let pair = plan.start();
    let mut whole = Recording::default();
    for number in 0..WARM_UP {
        whole = send_through(&pair, &proxy, number, Fault::Pass);
        assert!(!whole.broken, "nothing was to break");
    }
    (pair, proxy, whole)
}

/// Sends one message whose first association meets `fault`, and waits until nothing is left of it at A.
fn send_through(pair: &Pair, proxy: &Proxy, number: usize, fault: Fault) -> Recording {
    let before = proxy.recordings().len();
    proxy.plan(fault);
    let subject = subject(number);
    // The text keeps the subject away from the end, where connections are cut.
    let text = "x".repeat(100);
    pair.a.submit(&["--from", ANNA, "--to", OPERATIONS, "--subject", &subject, "--text", &text]);
    let broken = wait_for("the end of the first association", || {
        proxy.recordings().get(before).filter(|recording| recording.ended).cloned()
    });
    // The retry timer is another test's matter. One word is enough: a second might open an association too many,
    // which would meet the fault that is planned for the next message.
    let mut told = false;
    wait_for("the message to be gone from A", || {
        if pair.a.waiting().is_empty() {
            return Some(());
        }
        if !told && pair.a.ask("/api/v1/connectors/to-b")["state"] == "retry" {
            pair.a.run(&["connector", "connect", "to-b"]).ok();
            told = true;
        }
        None
    });
    wait_for("the end of the last association", || {
        proxy.recordings().iter().all(|recording| recording.ended).then_some(())
    });
    let carried = broken.segments.iter().filter(|s| s.side == Side::Initiator).flat_map(|s| s.octets.clone());
    let carried: Vec<u8> = carried.collect();
    let found = carried.windows(subject.len()).any(|window| window == subject.as_bytes());
    let passed: Vec<_> = broken.segments.iter().map(|s| (s.side, s.octets.len())).collect();
    assert!(found, "{passed:?}: {subject} was not on the association that was to carry it");
    broken
}

/// All of the same length.
fn subject(number: usize) -> String {
    format!("number {number:03}")
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
    let (pair, proxy, whole) = network();
    let (answer, end) = until_release(&whole, Side::Responder);
    assert!(end - answer >= 10, "no room for the answer to the end of the activity: {answer} to {end}");

    let mut number = WARM_UP;
    for how in [Break::Reset, Break::Close] {
        // From before the answer to its last octet but one: all of the data has got through.
        for octets in answer + 1..end {
            let fault = Fault::Cut { side: Side::Responder, octets, how };
            let broken = send_through(&pair, &proxy, number, fault);
            number += 1;
            assert!(broken.broken, "the break after {octets} of {end} octets was not reached");
            assert_eq!(
                pair.b.counter("duplicates"),
                (number - WARM_UP) as u64,
                "a transfer cut after {octets} of {end} octets of the peer's was not recognised when repeated"
            );
        }
    }
    let expected: Vec<String> = (0..number).map(subject).collect();
    pair.b.wait_for_mail(OPERATIONS, expected.len());
    pair.b.wait_until_empty();
    assert_eq!(pair.b.subjects(OPERATIONS), expected);
    assert!(pair.a.mailbox(ANNA).is_empty(), "a report that nobody asked for");
}

#[test]
fn a_break_anywhere_near_the_end_of_the_data_neither_loses_nor_doubles() {
    let (pair, proxy, whole) = network();
    let (_, end) = until_release(&whole, Side::Initiator);
    let total = octets(&whole, Side::Initiator);
    let mut number = WARM_UP;
    // From within the content, over the end of the activity, into the release.
    for octets in end - 20..total {
        let how = if number.is_multiple_of(2) { Break::Close } else { Break::Reset };
        let broken = send_through(&pair, &proxy, number, Fault::Cut { side: Side::Initiator, octets, how });
        number += 1;
        assert!(broken.broken, "the break after {octets} of {total} octets was not reached");
    }
    let expected: Vec<String> = (0..number).map(subject).collect();
    pair.b.wait_for_mail(OPERATIONS, expected.len());
    pair.b.wait_until_empty();
    assert_eq!(pair.b.subjects(OPERATIONS), expected);
    assert!(pair.a.mailbox(ANNA).is_empty(), "a report that nobody asked for");
}
