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

/// The number behind the name of a diagnostic, or the outcome.
fn code(answer: &str) -> &str {
    answer.split_once('(').map_or(answer, |(_, number)| number.trim_end_matches(')'))
}

#[test]
fn each_cause_has_its_report_and_others_can_read_all_of_them() {
    let alice = user("alice", "A");
    let (bob, dead) = (user("bob", "B"), user("dead", "B"));
    let mailboxes = format!(
        "mailboxes = [\"{bob}\", \"{dead}\", \"{}\"]\ndead_letter = \"{dead}\"\nmessage_size_limit_kb = 4",
        user("board", "B")
    );
    let rules = format!(
        "[[distribution_list]]\naddress = \"CN=staff;P=B;A= ;C=GB\"\nmembers = [\"{bob}\"]\n\
         [[distribution_list]]\naddress = \"CN=own;P=B;A= ;C=GB\"\nmembers = [\"{bob}\"]\n\
         submit = [\"P=B;A= ;C=GB\"]\n\
         [[redirection]]\naddress = \"{}\"\nto = \"{bob}\"\n\
         [[delivery_restriction]]\nrecipients = \"S=board;O=Acme;P=B;A= ;C=GB\"\n\
         accept_from = [\"P=B;A= ;C=GB\"]\n",
        user("gone", "B")
    );
    let network = Network::start(&[
        node("A").link("B", &[(&domain("B"), 1)]),
        node("B").link("A", &[(&domain("A"), 1)]).mta(&mailboxes).more(&rules),
    ]);
    let a = network.site("A");
    let large = "x".repeat(8 << 10);
    let (nobody, gone) = (user("nobody", "B"), user("gone", "B"));
    let (staff, own) = ("CN=staff;P=B;A= ;C=GB".to_owned(), "CN=own;P=B;A= ;C=GB".to_owned());
    let cases: [(&str, &str, &[&str], &str); 10] = [
        (&bob, "plain", &[], "delivered"),
        (&nobody, "with its content", &["--request", "return-content"], "0"),
        (&nobody, "to the alternate", &["--alternate", &bob], "delivered"),
        (&nobody, "to the dead letter mailbox", &["--request", "allow-alternate"], "delivered"),
        (&gone, "redirected", &[], "delivered"),
        (&gone, "not to be redirected", &["--request", "prohibit-redirection"], "26"),
        (&staff, "not to be expanded", &["--request", "prohibit-expansion"], "28"),
        (&own, "not for others", &[], "29"),
        (&bob, &large, &[], "7"),
        (&user("board", "B"), "not for others either", &[], "4"),
    ];
    for (to, text, more, _) in cases {
        a.submit(&[&["--from", &alice, "--to", to, "--text", text, "--report", "delivery"], more].concat());
    }
    let reports = a.wait_for_mail(&alice, cases.len());
    network.wait_until_empty();
    let mut said: Vec<String> =
        reports.iter().flat_map(said).map(|(_, answer)| code(&answer).to_owned()).collect();
    let mut expected = cases.map(|(.., answer)| answer);
    said.sort();
    expected.sort_unstable();
    assert_eq!(said, expected);
    let reports = network.reports("B", "A");
    let returned: Vec<_> = reports.iter().filter_map(|r| r.content.returned_content.as_deref()).collect();
    assert_eq!(returned.len(), 1, "one has asked for it");
    assert!(String::from_utf8_lossy(returned[0]).contains("with its content"));
    let redirected = |report: &&mhs::p1::Report| {
        report.content.per_recipient_fields[0].originally_intended_recipient_name.is_some()
    };
    assert_eq!(reports.iter().filter(redirected).count(), 3, "alternate, dead letter and redirection");
    network.judge("causes");
}
