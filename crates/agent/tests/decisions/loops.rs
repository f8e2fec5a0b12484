use agent::Submission;

use crate::bench::{Mta, envelope_of, foreign, mta_a, settings, user};

#[test]
fn an_unknown_recipient_is_not_sent_back_where_it_came_from() {
    // Both sides believe that the other one knows the rest of the world.
    let mut a = Mta::new(settings("A", &[("B", "C=*")]));
    let mut b = Mta::new(settings("B", &[("A", "C=*")]));
    a.submit(&Submission::new(user("alice", "A"), [user("nobody", "Z")]));
    a.work();
    a.transfer("to-B", &mut b, "to-A");
    assert_eq!(b.non_delivered(), [(1, 0, user("nobody", "Z").to_string())]);
    assert_eq!(b.transfer("to-A", &mut a, "to-B"), 1, "the report and nothing else");
    assert_eq!(a.reports_in(&user("alice", "A")).len(), 1);
}

#[test]
fn a_message_that_comes_round_is_reported_as_a_loop() {
    let mut a = mta_a();
    let mut b = Mta::new(settings("B", &[("C", "C=*")]));
    let mut c = Mta::new(settings("C", &[("A", "C=*")]));
    // A sends Z to C, C to A: nobody knows Z. The way back is barred, so it goes round over B.
    let mut round = settings("A", &[("B", "P=Z;A= ;C=GB"), ("C", "P=A;A= ;C=GB")]);
    round.connectors[1].address_space.clear();
    a.agent = agent::Agent::new(round).unwrap();
    a.submit(&Submission::new(user("alice", "A"), [user("nobody", "Z")]));
    a.work();
    b.agent = agent::Agent::new(settings("B", &[("A", "P=A;A= ;C=GB"), ("C", "C=*")])).unwrap();
    a.transfer("to-B", &mut b, "to-A");
    c.agent = agent::Agent::new(settings("C", &[("A", "C=*"), ("B", "P=B;A= ;C=GB")])).unwrap();
    b.transfer("to-C", &mut c, "to-B");
    c.transfer("to-A", &mut a, "to-C");
    assert_eq!(a.non_delivered(), [(1, 3, user("nobody", "Z").to_string())]);
    assert_eq!(a.reports_in(&user("alice", "A")).len(), 1);
    assert!(a.queue("to-B").is_empty());
}

#[test]
fn more_transfers_than_the_hop_limit_are_a_loop() {
    let mut limited = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
    limited.mta.hop_limit = 3;
    let mut a = Mta::new(limited);
    for (hops, expected) in [(2, 0), (3, 1)] {
        let mut envelope = foreign(&hops.to_string(), &[(&user("bob", "B"), 0xA8)]);
        for n in 1..hops {
            let domain = format!("C=GB;A= ;P=T{n}").parse().unwrap();
            let element = mhs::p1::TraceInformationElement::relayed(domain, mhs::UtcTime::from_wall(a.now));
            envelope.trace_information.push(element.into());
        }
        a.receive_message("to-C", &envelope);
        a.work();
        assert_eq!(a.non_delivered().len(), expected);
    }
    assert_eq!(a.non_delivered()[0].1, 3);
}

#[test]
fn a_trace_of_the_greatest_legal_length_is_still_handled() {
    let mut a = mta_a();
    let mut envelope = foreign("1", &[(&user("al", "A"), 0xA8)]);
    for n in 1..512 {
        let domain = format!("C=GB;A= ;P=T{n}").parse().unwrap();
        let element = mhs::p1::TraceInformationElement::relayed(domain, mhs::UtcTime::from_wall(a.now));
        envelope.trace_information.push(element.into());
    }
    a.receive_message("to-C", &envelope);
    a.work();
    assert_eq!(a.quarantined(), 0);
    assert_eq!(a.non_delivered()[0].1, 3);
}

#[test]
fn an_envelope_with_the_greatest_number_of_extensions_is_still_handled() {
    let mut a = mta_a();
    let mut envelope = foreign("1", &[(&user("al", "A"), 0xA8)]);
    for n in 0..256 {
        let kind = mhs::p1::ExtensionType::Standard(1000 + n);
        let field = mhs::p1::ExtensionField::new(kind, mhs::p1::Criticality::NONE, Vec::new());
        envelope.extensions.set(field);
    }
    a.receive_message("to-C", &envelope);
    a.work();
    assert_eq!((a.quarantined(), a.mailbox(&user("al", "A")).len()), (0, 1));
}

#[test]
fn a_detour_after_a_reroute_is_no_loop() {
    // A sends by B, B gives up and sends by A again, marked as rerouted, since A has another way.
    let mut a = mta_a();
    let mut envelope = foreign("1", &[(&user("dan", "D"), 0xA8)]);
    for (prmd, rerouted) in [("A", false), ("B", true)] {
        let domain = format!("C=GB;A= ;P={prmd}").parse().unwrap();
        let mut element = mhs::p1::TraceInformationElement::relayed(domain, mhs::UtcTime::from_wall(a.now));
        if rerouted {
            element.routing_action = mhs::p1::RoutingAction::Rerouted;
        }
        envelope.trace_information.push(element.into());
    }
    a.receive_message("to-B", &envelope);
    a.work();
    assert_eq!(a.non_delivered(), []);
    assert_eq!(envelope_of(&a.queue("to-C")[0].1.item).trace_information.len(), 4);
}
