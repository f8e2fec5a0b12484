//! A hub and its spokes, and a second way round the hub.

use mhs::p1::RoutingAction;

use crate::said;
use crate::support::network::{Network, domain, domains, node, user};
use crate::support::{Outcome, wait_for};

const SPOKES: [&str; 4] = ["A", "B", "C", "D"];

/// H in the middle; whatever a spoke does not have itself is sent there.
fn star(relay_from_a: &str, relay: &str) -> Network {
    let mut hub = node("H");
    for spoke in SPOKES {
        hub = hub.link(spoke, &[(&domain(spoke), 1)]).relay(if spoke == "A" { relay_from_a } else { relay });
    }
    let spokes = SPOKES.iter().map(|spoke| node(spoke).link("H", &[("C=*", 1)]));
    Network::build(&spokes.chain([hub]).collect::<Vec<_>>())
}

#[test]
fn a_hub_relays_only_what_its_settings_allow() {
    let mut network = star("[\"to-b\"]", "[]");
    for name in SPOKES.iter().chain(&["H"]) {
        network.site_mut(name).start();
    }
    let (alice, bob) = (user("alice", "A"), user("bob", "B"));
    let (carl, henry) = (user("carl", "C"), user("henry", "H"));
    let a = network.site("A");
    let to = ["--from", &alice, "--to", &bob, "--to", &carl, "--to", &henry];
    a.submit(&[&to[..], &["--subject", "three", "--text", "x", "--report", "delivery"]].concat());
    network.site("B").wait_for_mail(&bob, 1);
    network.site("H").wait_for_mail(&henry, 1);
    // From B nothing may be relayed, but for reports to where A may send.
    network.site("B").send(&bob, &alice, "answer");
    network.site("B").wait_for_mail(&bob, 2);
    wait_for("reports on all three", || {
        let all: Vec<_> = a.mailbox(&alice).iter().flat_map(said).collect();
        (all.len() == 3).then_some(())
    });
    network.wait_until_empty();
    let mut all: Vec<_> = a.mailbox(&alice).iter().flat_map(said).collect();
    all.sort();
    let expected = [
        (bob.clone(), "delivered".to_owned()),
        (carl, "no-bilateral-agreement (17)".to_owned()),
        (henry, "delivered".to_owned()),
    ];
    assert_eq!(all, expected);
    let answer = network.site("B").mailbox(&bob).remove(1);
    assert_eq!(said(&answer), [(alice, "no-bilateral-agreement (17)".into())]);
    assert!(network.sent("H", "C").is_empty());
    network.judge("star");
}

#[test]
fn a_spoke_that_is_down_holds_up_nobody_else() {
    let mut network = star("\"*\"", "\"*\"");
    for name in ["H", "A", "B", "C"] {
        network.site_mut(name).start();
    }
    let (alice, dora) = (user("alice", "A"), user("dora", "D"));
    for number in 0..20 {
        let subject = number.to_string();
        // All to D, every second one to B as well, every third to C: D is first in each of them.
        let (bob, carl) = (user("bob", "B"), user("carl", "C"));
        let mut to = vec!["--from", &alice, "--subject", &subject, "--text", "x", "--to", &dora];
        if number % 2 == 0 {
            to.extend(["--to", &bob]);
        }
        if number % 3 == 0 {
            to.extend(["--to", &carl]);
        }
        network.site("A").submit(&to);
    }
    network.site("B").wait_for_mail(&user("bob", "B"), 10);
    network.site("C").wait_for_mail(&user("carl", "C"), 7);
    let hub = network.site("H");
    wait_for("what waits for D, and nothing else", || (hub.waiting().len() == 20).then_some(()));
    assert!(hub.waiting().iter().all(|message| message["queue"] == "to-d"), "{:?}", hub.waiting());
    network.site_mut("D").start();
    network.site("D").wait_for_mail(&dora, 20);
    network.wait_until_empty();
    assert_eq!(network.site("D").subjects(&dora).len(), 20);
    assert!(network.site("A").mailbox(&alice).is_empty(), "nothing was reported");
}

#[test]
fn mail_takes_the_second_way_while_the_first_is_down_and_the_first_when_it_is_back() {
    let (a, d) = (domain("A"), domain("D"));
    let mut network = Network::build(&[
        node("A")
            .link("X", &[(&d, 1)])
            .with("remote_domain = { country = \"GB\", admd = \" \", prmd = \"X\" }")
            .retry("max_open_retries = 2")
            .link("Y", &[(&d, 10)])
            .retry("max_open_retries = 2"),
        node("X").link("A", &[(&a, 1)]).link("D", &[(&d, 1)]),
        node("Y").link("A", &[(&a, 1)]).link("D", &[(&d, 1)]),
        node("D").link("X", &[(&a, 1)]).retry("max_open_retries = 2").link("Y", &[(&a, 10)]),
    ]);
    for name in ["A", "Y", "D"] {
        network.site_mut(name).start();
    }
    let (alice, dora) = (user("alice", "A"), user("dora", "D"));
    let send = |network: &Network, subject: &str| {
        let to = ["--from", &alice, "--to", &dora, "--subject", subject, "--text", "x"];
        network.site("A").submit(&[&to[..], &["--report", "delivery"]].concat())
    };
    send(&network, "detour");
    network.site("D").wait_for_mail(&dora, 1);
    // The report has the same choice to make, and the same way to find.
    network.site("A").wait_for_mail(&alice, 1);
    let detour = network.messages("Y", "D").remove(0);
    assert_eq!(domains(&detour.trace_information), ["A", "Y"]);
    let ours = &detour.trace_information[0];
    assert_eq!(ours.routing_action, RoutingAction::Rerouted);
    let attempted = ours.attempted_domain.as_ref().map(ToString::to_string);
    assert_eq!(attempted.as_deref(), Some("C=GB;A= ;P=X"), "whom it could not be given");

    network.site_mut("X").start();
    let site = network.site("A");
    site.run(&["connector", "connect", "to-x"]).ok();
    wait_for("an association with X", || (site.logged("with MTA-X") > 0).then_some(()));
    send(&network, "direct");
    network.site("D").wait_for_mail(&dora, 2);
    network.site("A").wait_for_mail(&alice, 2);
    network.wait_until_empty();
    let direct = network.messages("X", "D");
    assert_eq!(direct.len(), 1);
    assert_eq!(domains(&direct[0].trace_information), ["A", "X"]);
    assert_eq!(direct[0].trace_information[0].routing_action, RoutingAction::Relayed);
    assert_eq!(network.messages("Y", "D").len(), 1, "and nothing by the detour any more");
    network.judge("detour");
}
