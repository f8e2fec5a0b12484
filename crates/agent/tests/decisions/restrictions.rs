//! Who and what may be sent where: relaying, restrictions of links and of mailboxes, barred originators.

use agent::record::{Item, Rank};
use agent::settings::{DeliveryRestriction, DistributionList, Originators, RelayTo, WhenBarred};
use agent::{Discard, Effect, Submission};
use mhs::ContentType;
use mhs::p1::{MtsApdu, Priority, ProbeTransferEnvelope};
use spool::Spool;

use crate::bench::{Mta, address, foreign, pattern, settings, user};

fn a_between_b_and_c() -> agent::AgentSettings {
    settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB"), ("D", "P=D;A= ;C=GB")])
}

fn discards(mta: &Mta) -> Vec<Discard> {
    let effects = mta.effects.iter();
    effects
        .filter_map(|effect| match effect {
            Effect::Discarded { why, .. } => Some(why.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn nothing_is_relayed_between_third_parties_unless_the_settings_say_so() {
    let mut settings = a_between_b_and_c();
    for connector in &mut settings.connectors {
        connector.relay_to = RelayTo::default();
    }
    let to_all = [(&user("bob", "B"), 0xA8), (&user("al", "A"), 0xA8), (&user("dan", "D"), 0xA8)];
    let mut a = Mta::new(settings.clone());
    a.receive_message("to-C", &foreign("1", &to_all));
    a.work();
    assert_eq!(a.messages_in(&user("al", "A")).len(), 1, "its own users are reached by everybody");
    let refused: Vec<_> = a.non_delivered().into_iter().map(|n| (n.0, n.1)).collect();
    assert_eq!(refused, [(1, 17), (1, 17)], "unable-to-transfer, no-bilateral-agreement");
    assert!(a.queue("to-B").is_empty() && a.queue("to-D").is_empty());

    settings.connectors[1].relay_to = RelayTo::Connectors(vec!["to-B".into()]);
    let mut a = Mta::new(settings);
    a.receive_message("to-C", &foreign("1", &to_all));
    a.work();
    assert_eq!((a.queue("to-B").len(), a.queue("to-D").len()), (1, 0));
    assert_eq!(a.non_delivered().len(), 1);
}

#[test]
fn what_is_submitted_here_needs_no_permission_to_leave() {
    let mut settings = a_between_b_and_c();
    settings.connectors[0].relay_to = RelayTo::Nowhere;
    let mut a = Mta::new(settings);
    a.submit(&Submission::new(user("alice", "A"), [user("bob", "B")]));
    a.work();
    assert_eq!(a.queue("to-B").len(), 1);
}

#[test]
fn a_report_takes_the_way_back_of_what_may_be_relayed() {
    for (from_c, relayed) in [(RelayTo::Connectors(vec!["to-B".into()]), true), (RelayTo::Nowhere, false)] {
        let mut settings = a_between_b_and_c();
        settings.connectors[0].relay_to = RelayTo::Nowhere;
        settings.connectors[1].relay_to = from_c;
        let mut a = Mta::new(settings);
        // B reports to somebody behind C.
        let mut b = Mta::new(crate::bench::settings("B", &[("A", "C=*")]));
        b.receive_message("to-A", &foreign("1", &[(&user("nobody", "Q"), 0xA8)]));
        b.work();
        b.transfer("to-A", &mut a, "to-B");
        let queued = a.queue("to-C").iter().filter(|(_, r)| matches!(r.item, Item::Report { .. })).count();
        assert_eq!(queued, usize::from(relayed));
        assert_eq!(discards(&a).len(), usize::from(!relayed));
    }
}

#[test]
fn links_take_messages_of_the_originators_priorities_and_contents_they_are_for() {
    let accepts = |change: &dyn Fn(&mut agent::settings::LinkRestrictions)| {
        let mut settings = a_between_b_and_c();
        change(&mut settings.connectors[0].restrictions);
        let mut a = Mta::new(settings);
        let mut envelope = foreign("1", &[(&user("bob", "B"), 0xA8)]);
        envelope.priority = Priority::Urgent.into();
        a.receive_message("to-C", &envelope);
        a.work();
        a.non_delivered().first().map(|n| (n.0, n.1))
    };
    let originators = |accept: Option<&str>, refuse: &[&str]| Originators {
        accept: accept.map(|text| vec![pattern(text)]),
        refuse: refuse.iter().map(|text| pattern(text)).collect(),
    };
    assert_eq!(accepts(&|_| {}), None);
    assert_eq!(accepts(&|r| r.originators = originators(Some("P=X;C=GB"), &[])), None);
    assert_eq!(accepts(&|r| r.originators = originators(Some("P=Y;C=GB"), &[])), Some((1, 17)));
    assert_eq!(accepts(&|r| r.originators = originators(None, &["P=X;C=GB"])), Some((1, 17)));
    assert_eq!(
        accepts(&|r| r.originators = originators(Some("P=X;C=GB"), &["S=origin;C=GB"])),
        Some((1, 17))
    );
    assert_eq!(accepts(&|r| r.priorities = Some(vec![Rank::Urgent])), None);
    assert_eq!(accepts(&|r| r.priorities = Some(vec![Rank::Normal, Rank::NonUrgent])), Some((1, 17)));
    assert_eq!(accepts(&|r| r.content_types = Some(vec![ContentType::P2, ContentType::P22])), None);
    assert_eq!(accepts(&|r| r.content_types = Some(vec![ContentType::EDI])), Some((1, 15)));
}

#[test]
fn a_restricted_link_leaves_the_message_to_the_next_one() {
    let mut settings = a_between_b_and_c();
    settings.connectors[2].address_space[0].space = pattern("P=B;A= ;C=GB");
    settings.connectors[2].address_space[0].cost = 9;
    settings.connectors[0].restrictions.priorities = Some(vec![Rank::NonUrgent]);
    let mut a = Mta::new(settings);
    a.receive_message("to-C", &foreign("1", &[(&user("bob", "B"), 0xA8)]));
    a.work();
    assert_eq!((a.queue("to-B").len(), a.queue("to-D").len()), (0, 1));
}

#[test]
fn a_probe_is_answered_as_its_message_would_be() {
    let mut settings = a_between_b_and_c();
    settings.connectors[0].restrictions.content_types = Some(vec![ContentType::P2]);
    settings.connectors[2].max_message_size_kb = Some(1);
    let everybody = Originators { accept: Some(vec![pattern("P=A;C=GB")]), refuse: Vec::new() };
    let recipients = pattern("S=boss;C=GB");
    settings.restrictions.push(DeliveryRestriction { recipients, originators: everybody });
    let to = [user("bob", "B"), user("dan", "D"), user("boss", "A"), user("al", "A")];
    let listed: Vec<_> = to.iter().map(|to| (to, 0xA8)).collect();
    let message = foreign("1", &listed);
    let mut probe = ProbeTransferEnvelope::new(
        (*message.message_identifier).clone(),
        message.originator_name.clone(),
        ContentType::P22,
        message.per_recipient_fields.to_vec(),
        message.trace_information.clone(),
    );
    probe.content_length = Some(2000.into());
    let mut answers = Vec::new();
    let whole = mhs::p1::Message::new(message, vec![0; 2000]);
    for apdu in [MtsApdu::Message(Box::new(whole)), MtsApdu::Probe(Box::new(probe))] {
        let mut a = Mta::new(settings.clone());
        a.receive("to-C", &apdu.to_octets()).unwrap();
        a.work();
        answers.push(a.non_delivered());
    }
    assert_eq!(answers[0], answers[1]);
    let codes: Vec<_> = answers[0].iter().map(|n| (n.0, n.1)).collect();
    assert_eq!(codes, [(1, 15), (1, 7), (5, 4)]);
}

#[test]
fn barred_originators_are_told_or_not() {
    for when_barred in [WhenBarred::Report, WhenBarred::Discard] {
        let mut settings = a_between_b_and_c();
        settings.connectors[1].restrictions.barred = vec![pattern("S=origin;C=GB")];
        settings.connectors[1].restrictions.when_barred = when_barred;
        let mut a = Mta::new(settings);
        a.receive_message("to-C", &foreign("1", &[(&user("al", "A"), 0xA8)]));
        a.receive_message("to-B", &foreign("2", &[(&user("al", "A"), 0xA8)]));
        a.work();
        assert_eq!(a.messages_in(&user("al", "A")).len(), 1, "over the other link they may");
        match when_barred {
            WhenBarred::Report => assert_eq!(a.non_delivered(), [(1, 17, user("al", "A").to_string())]),
            WhenBarred::Discard => {
                assert_eq!(discards(&a), [Discard::Barred]);
                assert!(a.non_delivered().is_empty());
            }
        }
        assert_eq!(a.spool.stats().bodies, 1);
    }
}

#[test]
fn mailboxes_take_mail_of_those_who_may_send_to_them() {
    let mut settings = a_between_b_and_c();
    let rule = |recipients, accept: Option<&str>, refuse: &[&str]| DeliveryRestriction {
        recipients: pattern(recipients),
        originators: Originators {
            accept: accept.map(|text| vec![pattern(text)]),
            refuse: refuse.iter().map(|text| pattern(text)).collect(),
        },
    };
    settings.restrictions = vec![
        rule("S=secretary;C=GB", None, &[]),
        rule("O=Acme;P=A;C=GB", Some("P=A;C=GB"), &["S=noisy;C=GB"]),
    ];
    let mut a = Mta::new(settings);
    a.receive_message("to-C", &foreign("1", &[(&user("secretary", "A"), 0xA8), (&user("boss", "A"), 0xA8)]));
    a.submit(&Submission::new(user("alice", "A"), [user("boss", "A")]));
    a.submit(&Submission::new(user("noisy", "A"), [user("boss", "A")]));
    a.work();
    assert_eq!(a.messages_in(&user("secretary", "A")).len(), 1, "the first rule counts");
    assert_eq!(a.messages_in(&user("boss", "A")).len(), 1);
    let boss = user("boss", "A").to_string();
    assert_eq!(a.non_delivered(), [(5, 4, boss.clone()), (5, 4, boss)], "restricted-delivery");
}

#[test]
fn wrong_restrictions_are_found_and_placed() {
    let mut bad = a_between_b_and_c();
    bad.connectors[0].relay_to = RelayTo::Connectors(vec!["to-C".into(), "to-nowhere".into()]);
    bad.connectors[1].restrictions.priorities = Some(Vec::new());
    bad.connectors[1].restrictions.content_types = Some(Vec::new());
    let paths: Vec<String> = bad.validate().into_iter().map(|problem| problem.path).collect();
    let expected = [
        "connector[0].relay_to[1]",
        "connector[1].restrictions.priorities",
        "connector[1].restrictions.content_types",
    ];
    assert_eq!(paths, expected);
}

/// CN=staff at A, with bob and the list CN=inner, which has carl and CN=staff again.
fn with_staff(mut settings: agent::AgentSettings) -> agent::AgentSettings {
    let (staff, inner) = (address("CN=staff;P=A;A= ;C=GB"), address("CN=inner;P=A;A= ;C=GB"));
    for (list, members) in
        [(&staff, [user("bob", "X"), inner.clone()]), (&inner, [user("carl", "X"), staff.clone()])]
    {
        settings.lists.push(DistributionList::new(list.clone(), members.into_iter().collect()));
    }
    settings
}

#[test]
fn a_list_that_is_named_stands_for_its_members_and_those_of_the_lists_inside_it() {
    for (accept, expected) in [(true, [true, true, false, true]), (false, [false, false, true, false])] {
        let mut settings = with_staff(settings("A", &[("B", "P=B;A= ;C=GB"), ("X", "P=X;A= ;C=GB")]));
        let named = vec![pattern("cn=STAFF;C=GB;A= ;P=a")];
        let originators = if accept {
            Originators { accept: Some(named), refuse: Vec::new() }
        } else {
            Originators { accept: None, refuse: named }
        };
        settings.connectors[0].restrictions.originators = originators.clone();
        settings.restrictions.push(DeliveryRestriction { recipients: pattern("C=GB"), originators });
        let mut a = Mta::new(settings);
        let senders =
            [user("bob", "X"), user("CARL", "X"), user("eve", "X"), address("CN=staff;P=A;A= ;C=GB")];
        for (number, (sender, passes)) in senders.iter().zip(expected).enumerate() {
            let mut envelope =
                foreign(&number.to_string(), &[(&user("b", "B"), 0xA8), (&user("al", "A"), 0xA8)]);
            envelope.originator_name = sender.clone().into();
            let before = (a.queue("to-B").len(), a.messages_in(&user("al", "A")).len());
            a.receive_message("to-X", &envelope);
            a.work();
            let after = (a.queue("to-B").len() - before.0, a.messages_in(&user("al", "A")).len() - before.1);
            assert_eq!(after, (usize::from(passes), usize::from(passes)), "{sender} {accept}");
        }
    }
}

#[test]
fn a_large_list_is_looked_up_and_not_gone_through() {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB"), ("X", "P=X;A= ;C=GB")]);
    let members = (0..100_000).map(|number| user(&format!("m{number}"), "X"));
    settings.lists.push(DistributionList::new(address("CN=all;P=A;A= ;C=GB"), members.collect()));
    settings.connectors[0].restrictions.originators.accept = Some(vec![pattern("CN=all;P=A;A= ;C=GB")]);
    let mut a = Mta::new(settings);
    // Going through the list each time would be a hundred million comparisons.
    for number in 0..1000 {
        let mut envelope = foreign(&number.to_string(), &[(&user("b", "B"), 0xA8)]);
        envelope.originator_name = user(&format!("m{}", number * 100), "X").into();
        a.receive_message("to-X", &envelope);
    }
    a.work();
    assert_eq!((a.queue("to-B").len(), a.non_delivered().len()), (1000, 0));
}

#[test]
fn lists_that_stand_for_their_members_are_not_too_many() {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB")]);
    let list = |number: usize| format!("CN=l{number};P=A;A= ;C=GB");
    for number in 0..65 {
        let members = [user("bob", "X")].into_iter().collect();
        settings.lists.push(DistributionList::new(address(&list(number)), members));
    }
    let accept = |count: usize| (0..count).map(|number| pattern(&list(number))).collect();
    settings.connectors[0].restrictions.originators.accept = Some(accept(64));
    assert_eq!(settings.validate(), []);
    settings.connectors[0].restrictions.originators.refuse = accept(65);
    let problems = settings.validate();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].to_string().contains("65 lists"), "{problems:?}");
}
