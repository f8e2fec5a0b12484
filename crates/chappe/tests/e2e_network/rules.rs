//! Settings that decide by class, by list and by time, seen between processes.

use std::time::{SystemTime, UNIX_EPOCH};

use clock::WallTime;

use crate::said;
use crate::support::network::{Network, domain, node, user};
use crate::support::wait_for;

#[test]
fn a_peer_that_defers_itself_holds_what_it_was_sent_at_once() {
    let network = Network::start(&[
        node("A").link("B", &[(&domain("B"), 1)]).with("pass_on_deferred = true"),
        node("B").link("A", &[(&domain("A"), 1)]),
    ]);
    let (alice, bob) = (user("alice", "A"), user("bob", "B"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let time = WallTime::from_unix(i64::try_from(now + 10).unwrap()).to_string();
    let (a, b) = (network.site("A"), network.site("B"));
    let to = ["--from", &alice, "--to", &bob, "--subject", "later", "--text", "x"];
    let id = a.submit(&[&to[..], &["--deferred", &time]].concat());
    let held = wait_for("the message in the work queue of B", || b.waiting().pop());
    assert_eq!((&held["mts_id"], &held["queue"]), (&id.into(), &"work".into()));
    a.wait_until_empty();
    let mail = b.wait_for_mail(&bob, 1).remove(0);
    // Both are RFC 3339 in UTC, so their texts are in the order of the times.
    assert!(mail["delivered"].as_str().unwrap() >= time.as_str(), "deferred to {time}: {mail}");
    network.judge("deferred");
}

#[test]
fn urgent_mail_is_redirected_and_a_mailbox_is_for_the_members_of_a_list() {
    let (alice, zed) = (user("alice", "A"), user("zed", "A"));
    let (boss, night) = (user("boss", "B"), user("night", "B"));
    let rules = format!(
        "[[distribution_list]]\naddress = \"CN=staff;P=B;A= ;C=GB\"\nmembers = [\"{alice}\"]\n\
         [[redirection]]\naddress = \"{boss}\"\npriorities = [\"urgent\"]\nto = \"{night}\"\n\
         [[delivery_restriction]]\nrecipients = \"S=boss;O=Acme;P=B;A= ;C=GB\"\n\
         accept_from = [\"CN=staff;P=B;A= ;C=GB\"]\n"
    );
    let network = Network::start(&[
        node("A").link("B", &[(&domain("B"), 1)]),
        node("B").link("A", &[(&domain("A"), 1)]).more(&rules),
    ]);
    let (a, b) = (network.site("A"), network.site("B"));
    for (from, priority) in [(&alice, "urgent"), (&alice, "normal"), (&zed, "normal")] {
        let to = ["--from", from, "--to", &boss, "--subject", priority, "--text", "x"];
        a.submit(&[&to[..], &["--priority", priority]].concat());
    }
    let report = a.wait_for_mail(&zed, 1).remove(0);
    network.wait_until_empty();
    assert_eq!(said(&report)[0].0, boss);
    assert_eq!(report["recipients"][0]["outcome"], "non-delivered", "{report}");
    assert_eq!((b.subjects(&night), b.subjects(&boss)), (vec!["urgent".into()], vec!["normal".into()]));
    assert!(a.mailbox(&alice).is_empty());
    network.judge("rules");
}
