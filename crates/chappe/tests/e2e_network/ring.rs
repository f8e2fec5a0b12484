//! Routes that lead in a circle.

use crate::said;
use crate::support::network::{Network, domain, node, user};

/// Five MTAs, each of which believes that its successor knows the rest of the world.
const RING: [&str; 5] = ["A", "B", "C", "D", "E"];

#[test]
fn an_unknown_recipient_goes_once_round_a_ring_and_ends_as_a_loop() {
    let nodes = (0..RING.len()).map(|place| {
        let (next, before) = (RING[(place + 1) % 5], RING[(place + 4) % 5]);
        node(RING[place]).link(next, &[("C=*", 1)]).link(before, &[("C=*", 2)])
    });
    let network = Network::start(&nodes.collect::<Vec<_>>());
    let (alice, nobody) = (user("alice", "A"), user("nobody", "Z"));
    let a = network.site("A");
    let id = a.send(&alice, &nobody, "round");
    let report = a.wait_for_mail(&alice, 1).remove(0);
    assert_eq!(report["subject_mts_id"], id);
    assert_eq!(said(&report), [(nobody, "loop-detected (3)".into())]);
    network.wait_until_empty();
    assert_eq!(network.transfers(), 5, "once round, and the report was made where the originator is");
    for place in 0..5 {
        let next = RING[(place + 1) % 5];
        assert_eq!(network.messages(RING[place], next).len(), 1, "from {}", RING[place]);
        assert_eq!(network.messages(next, RING[place]).len(), 0, "back from {next}");
    }
    network.judge("ring");
}

#[test]
fn a_report_whose_originator_nobody_knows_ends_in_a_ring_too() {
    let nodes = [
        // What X sends is taken, and there is no address space that leads back to X or to where the ring came from.
        node("A").link("B", &[("C=*", 1)]).link("C", &[]).link("X", &[]),
        node("B").link("C", &[("C=*", 1)]).link("A", &[]),
        node("C").link("A", &[("C=*", 1)]).link("B", &[]),
        node("X").link("A", &[("C=*", 1)]),
    ];
    let network = Network::start(&nodes);
    let x = network.site("X");
    x.send(&user("xavier", "X"), &user("nobody", "Z"), "lost");
    let a = network.site("A");
    crate::support::wait_for("the end of the report", || {
        RING[..3].iter().any(|name| network.site(name).logged("report-discarded") > 0).then_some(())
    });
    network.wait_until_empty();
    // X to A, round to A, where the loop is reported; the report goes round and ends where it began.
    assert_eq!(network.transfers(), 1 + 3 + 3, "{}", a.log());
    let discarded: usize = RING[..3].iter().map(|name| network.site(name).logged("report-discarded")).sum();
    assert_eq!(discarded, 1);
    assert!(x.mailbox(&user("xavier", "X")).is_empty());
    network.judge("report-ring");
}

#[test]
fn redirections_in_a_circle_across_mtas_end_with_a_report() {
    let redirect = |from: &str, to: &str| format!("[[redirection]]\naddress = \"{from}\"\nto = \"{to}\"\n");
    let (al, bo, carol) = (user("al", "A"), user("bo", "B"), user("carol", "C"));
    let (a, b, c) = (domain("A"), domain("B"), domain("C"));
    let network = Network::start(&[
        node("A").link("B", &[(&b, 1)]).link("C", &[(&c, 1)]).more(&redirect(&al, &bo)),
        node("B").link("A", &[(&a, 1), (&c, 1)]).more(&redirect(&bo, &al)),
        node("C").link("A", &[(&a, 1), (&b, 1)]),
    ]);
    network.site("C").send(&carol, &al, "for al");
    let report = network.site("C").wait_for_mail(&carol, 1).remove(0);
    network.wait_until_empty();
    let said = said(&report);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].1, "redirection-loop-detected (27)", "{said:?}");
    // To A, on to B in place of al, and the report back the same way: B sees that al had it before.
    assert_eq!(network.transfers(), 4);
    network.judge("redirections");
}
