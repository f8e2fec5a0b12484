//! What the next MTA may have taken, though its answer was lost, takes no second way.

use testkit::{Break, Fault, Side};

use crate::support::network::{Network, domain, node, user};
use crate::support::wait_for;

/// From A to D over X, or else over Y. What is interrupted may be resumed for a second only.
fn two_ways() -> Network {
    let (a, d) = (domain("A"), domain("D"));
    let retry = "[connector.rts]\nrecovery_timeout_s = 1";
    Network::start(&[
        node("A").link("X", &[(&d, 1)]).retry(retry).link("Y", &[(&d, 10)]),
        node("X").link("A", &[(&a, 1)]).link("D", &[(&d, 1)]),
        node("Y").link("A", &[(&a, 1)]).link("D", &[(&d, 1)]),
        node("D").link("X", &[(&a, 1)]).link("Y", &[(&a, 10)]),
    ])
}

#[test]
fn what_the_next_mta_may_have_taken_waits_for_it_and_takes_no_second_way() {
    let mut network = two_ways();
    let (alice, dora) = (user("alice", "A"), user("dora", "D"));
    // What the answers of X come to when nothing breaks: the last two are to the end of the activity and to the release.
    network.site("A").send(&alice, &dora, "number 1");
    network.site("D").wait_for_mail(&dora, 1);
    let wire = network.wire("A", "X");
    let whole = wait_for("the release", || wire.recordings().first().filter(|whole| whole.ended).cloned());
    let answers: Vec<u64> =
        whole.segments.iter().filter(|s| s.side == Side::Responder).map(|s| s.octets.len() as u64).collect();
    // One octet of the answer that X has the message gets through, and says that it has.
    let octets = answers[..answers.len() - 2].iter().sum::<u64>() + 1;

    wire.plan(Fault::Cut { side: Side::Responder, octets, how: Break::Reset });
    // Then X is gone before it can be asked again.
    (0..12).for_each(|_| wire.plan(Fault::Refuse));
    network.site("A").send(&alice, &dora, "number 2");
    network.site("D").wait_for_mail(&dora, 2);
    network.site_mut("X").kill();
    network.site("A").send(&alice, &dora, "number 3");
    // What was not in transfer takes the second way; whatever takes it has by then.
    network.site("D").wait_for_mail(&dora, 3);
    wait_for("more rounds that fail after the time to resume is over", || {
        let link = network.site("A").ask("/api/v1/connectors/to-x");
        (link["consecutive_failures"].as_u64()? >= 4).then_some(())
    });
    let waiting = network.site("A").waiting();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert_eq!(waiting[0]["queue"], "to-x");
    assert_eq!(network.messages("Y", "D").len(), 1, "number 3 alone");

    network.site_mut("X").start();
    network.wait_until_empty();
    assert_eq!(network.site("D").subjects(&dora), ["number 1", "number 2", "number 3"]);
    assert_eq!(network.site("X").counter("duplicates"), 1);
    assert!(network.site("A").mailbox(&alice).is_empty(), "nothing was reported");
}
