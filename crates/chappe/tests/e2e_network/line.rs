//! MTAs in a line, each of which knows its neighbours only.

use mhs::MtaName;
use mhs::p1::{Extensions, TraceInformation};

use crate::said;
use crate::support::network::{Network, Node, domain, domains, node, user};
use crate::support::{Outcome, wait_for};

/// MTAs with these names, the last of which has one mailbox.
fn line(names: &[&str], mailbox: &str) -> Vec<Node> {
    let names_of = |part: &[&str]| part.iter().map(|name| domain(name)).collect::<Vec<_>>();
    let nodes = (0..names.len()).map(|place| {
        let mut one = node(names[place]);
        for (neighbour, behind) in [
            (place.checked_sub(1), names_of(&names[..place])),
            (Some(place + 1), names_of(&names[place + 1..])),
        ] {
            if let Some(next) = neighbour.and_then(|neighbour| names.get(neighbour)) {
                let spaces: Vec<(&str, u8)> = behind.iter().map(|space| (space.as_str(), 1)).collect();
                one = one.link(next, &spaces);
            }
        }
        if place + 1 == names.len() { one.mta(&format!("mailboxes = [\"{mailbox}\"]")) } else { one }
    });
    nodes.collect()
}

const FIVE: [&str; 5] = ["A", "B", "C", "D", "E"];

/// The names in the internal trace, which must be in step with the external one here.
fn check_trace(trace: &TraceInformation, extensions: &Extensions, expected: &[&str]) {
    assert_eq!(domains(trace), expected);
    let internal = extensions.internal_trace().unwrap();
    let names: Vec<MtaName> = internal.iter().map(|element| element.mta_name.clone()).collect();
    let expected: Vec<MtaName> =
        expected.iter().map(|name| MtaName::new(&format!("MTA-{name}")).unwrap()).collect();
    assert_eq!(names, expected);
    let times: Vec<_> = trace.iter().map(|element| element.arrival_time.to_wall().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn a_message_and_its_reports_cross_five_mtas_with_a_complete_trace() {
    let (alice, eve, gone) = (user("alice", "A"), user("eve", "E"), user("gone", "E"));
    let network = Network::start(&line(&FIVE, &eve));
    let (a, e) = (network.site("A"), network.site("E"));
    let to = ["--from", &alice, "--to", &eve, "--to", &gone, "--subject", "far", "--text", "x"];
    let id = a.submit(&[&to[..], &["--report", "delivery"]].concat());
    e.wait_for_mail(&eve, 1);
    let reports = a.wait_for_mail(&alice, 1);
    network.wait_until_empty();
    let mut all: Vec<_> = a.mailbox(&alice).iter().flat_map(said).collect();
    all.sort();
    assert_eq!(all, [(eve, "delivered".into()), (gone, "unrecognised-OR-name (0)".into())]);
    assert!(reports.iter().all(|report| report["subject_mts_id"] == id), "{reports:?}");

    for hop in 0..4 {
        let messages = network.messages(FIVE[hop], FIVE[hop + 1]);
        assert_eq!(messages.len(), 1, "hop {hop}");
        check_trace(&messages[0].trace_information, &messages[0].extensions, &FIVE[..=hop]);
        assert!(messages[0].per_recipient_fields.iter().all(|recipient| recipient.responsibility()));
    }
    // The report walks back, with a trace of its own.
    let back: Vec<&str> = FIVE.iter().rev().copied().collect();
    for hop in 0..4 {
        let reports = network.reports(back[hop], back[hop + 1]);
        assert_eq!(reports.len(), 1, "hop {hop}");
        let envelope = &reports[0].envelope;
        check_trace(&envelope.trace_information, &envelope.extensions, &back[..=hop]);
        assert_eq!(reports[0].content.subject_identifier.to_string(), id);
    }
    assert_eq!(network.transfers(), 8, "four hops there, four back");
    network.judge("line");
}

#[test]
fn the_originator_learns_what_an_mta_in_the_middle_cant_do() {
    let carl = user("carl", "C");
    let network = Network::start(&line(&["A", "B", "C"], &carl));
    let (alice, unknown) = (user("alice", "A"), user("carl", "Q"));
    let a = network.site("A");
    // Urgent, normal and non-urgent: the reports on two of them are not asked for.
    for priority in ["urgent", "normal", "non-urgent"] {
        let to = ["--from", &alice, "--to", &carl, "--subject", priority, "--text", "x"];
        a.submit(&[&to[..], &["--priority", priority]].concat());
    }
    a.send(&alice, &unknown, "nobody knows Q");
    network.site("C").wait_for_mail(&carl, 3);
    let report = a.wait_for_mail(&alice, 1).remove(0);
    assert_eq!(said(&report), [(unknown, "unrecognised-OR-name (0)".into())]);
    network.wait_until_empty();
    assert_eq!(a.mailbox(&alice).len(), 1);
    assert_eq!(network.transfers(), 6, "nothing about Q has left A");
    network.judge("priorities");
}

#[test]
fn a_probe_crosses_five_mtas_and_is_answered_as_the_message_would_be() {
    let (alice, eve, gone) = (user("alice", "A"), user("eve", "E"), user("gone", "E"));
    let mut nodes = line(&FIVE, &eve);
    // What is larger is not taken at the end of the line.
    nodes[4] = nodes[4].clone().mta("message_size_limit_kb = 100");
    let network = Network::start(&nodes);
    let a = network.site("A");
    let probe = |octets: &str| {
        let to = ["probe", "--from", &alice, "--to", &eve, "--to", &gone, "--content-length", octets];
        a.run(&to).ok().trim().to_owned()
    };
    let (small, large) = (probe("1000"), probe("200000"));
    let reports = || {
        let of = |id: &str| {
            let reports = a.mailbox(&alice).into_iter().filter(|report| report["subject_mts_id"] == *id);
            let mut all: Vec<_> = reports.flat_map(|report| said(&report)).collect();
            all.sort();
            all
        };
        [of(&small), of(&large)]
    };
    let expected = [
        [(eve.clone(), "delivered"), (gone.clone(), "unrecognised-OR-name (0)")],
        [(eve.clone(), "content-too-long (7)"), (gone, "content-too-long (7)")],
    ];
    wait_for("answers about both recipients to both probes", || {
        reports().iter().all(|answers| answers.len() == 2).then_some(())
    });
    let expected = expected.map(|answers| answers.map(|(address, answer)| (address, answer.to_owned())));
    assert_eq!(reports(), expected);
    network.wait_until_empty();
    for hop in 0..4 {
        let mut probes = network.probes(FIVE[hop], FIVE[hop + 1]);
        probes.sort_by_key(|probe| probe.probe_identifier.to_string());
        let lengths: Vec<_> =
            probes.iter().map(|probe| probe.content_length.as_deref().copied().unwrap()).collect();
        assert_eq!(lengths, [1000, 200_000], "hop {hop}");
        probes
            .iter()
            .for_each(|probe| check_trace(&probe.trace_information, &probe.extensions, &FIVE[..=hop]));
        assert!(network.messages(FIVE[hop], FIVE[hop + 1]).is_empty());
    }
    assert!(network.site("E").mailbox(&eve).is_empty(), "a probe leaves nothing");
    assert_eq!(network.transfers(), 16, "two probes there, two reports back");
    network.judge("probe");
}
