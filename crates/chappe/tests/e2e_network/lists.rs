//! Distribution lists that are expanded at one MTA and have members at others.

use crate::said;
use crate::support::network::{Network, domain, node, user};
use crate::support::wait_for;

/// L expands `staff`, which has members at A, at B and at L itself, and one at B who does not exist.
fn network(policy: &str) -> Network {
    let (a, b, l) = (domain("A"), domain("B"), domain("L"));
    let list = format!(
        "[[distribution_list]]\naddress = \"CN=staff;P=L;A= ;C=GB\"\nowner = \"{}\"\n\
         members = [\"{}\", \"{}\", \"{}\", \"{}\"]\n{policy}\n",
        user("olga", "B"),
        user("anna", "A"),
        user("bob", "B"),
        user("gone", "B"),
        user("lars", "L"),
    );
    let mailboxes = format!("mailboxes = [\"{}\", \"{}\"]", user("bob", "B"), user("olga", "B"));
    Network::start(&[
        node("A").link("L", &[(&l, 1), (&b, 1)]),
        node("B").link("L", &[(&l, 1), (&a, 1)]).mta(&mailboxes),
        node("L").link("A", &[(&a, 1)]).link("B", &[(&b, 1)]).more(&list),
    ])
}

fn send(network: &Network) -> String {
    let staff = "CN=staff;P=L;A= ;C=GB";
    let (from, to) = (user("alice", "A"), ["--to", staff, "--subject", "all", "--text", "x"]);
    let id = network.site("A").submit(&[&["--from", &from][..], &to, &["--report", "delivery"]].concat());
    network.site("A").wait_for_mail(&user("anna", "A"), 1);
    network.site("B").wait_for_mail(&user("bob", "B"), 1);
    network.site("L").wait_for_mail(&user("lars", "L"), 1);
    id
}

#[test]
fn reports_on_members_reach_the_originator_by_way_of_the_list() {
    let network = network("");
    let id = send(&network);
    let a = network.site("A");
    let all = || a.mailbox(&user("alice", "A")).iter().flat_map(said).collect::<Vec<_>>();
    wait_for("reports on four members", || (all().len() == 4).then_some(()));
    network.wait_until_empty();
    let mut all = all();
    all.sort();
    let expected = [("anna", "A", "delivered"), ("bob", "B", "delivered")]
        .map(|(name, prmd, outcome)| (user(name, prmd), outcome.to_owned()));
    assert_eq!(all[..2], expected);
    assert_eq!(all[2], (user("gone", "B"), "unrecognised-OR-name (0)".into()));
    assert_eq!(all[3], (user("lars", "L"), "delivered".into()));
    let reports = a.mailbox(&user("alice", "A"));
    assert!(reports.iter().all(|report| report["subject_mts_id"] == id), "{reports:?}");
    // From B to the list, from the list to A; the members at A are reported on by A, to the list and back.
    for (from, to) in [("B", "L"), ("A", "L"), ("L", "A")] {
        assert!(!network.reports(from, to).is_empty(), "from {from} to {to}");
    }
    assert!(network.site("B").mailbox(&user("olga", "B")).is_empty(), "the owner is told nothing");
    network.judge("list");
}

#[test]
fn reports_on_members_reach_the_owner_and_not_the_originator() {
    let network = network("reports_to_originator = false\nreports_to_owner = true");
    let id = send(&network);
    let b = network.site("B");
    let report = b.wait_for_mail(&user("olga", "B"), 1).remove(0);
    assert_eq!(report["subject_mts_id"], id);
    assert_eq!(said(&report), [(user("gone", "B"), "unrecognised-OR-name (0)".into())]);
    // To the originator the list itself has it, and that is all that he is told.
    let report = network.site("A").wait_for_mail(&user("alice", "A"), 1).remove(0);
    assert_eq!(said(&report), [("CN=staff;P=L;A= ;C=GB".into(), "delivered".into())]);
    network.wait_until_empty();
    assert_eq!(network.site("A").mailbox(&user("alice", "A")).len(), 1);
    assert_eq!(b.mailbox(&user("olga", "B")).len(), 1);
    network.judge("list-owner");
}
