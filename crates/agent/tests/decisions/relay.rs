use agent::record::{MailboxItem, OutboundKey, Rank, WORK, WorkKey};
use agent::{Effect, Submission};
use mhs::p1::{Criticality, ExtensionField, ExtensionType, Extensions, Priority, StandardExtension};
use spool::Spool;

use crate::bench::{Mta, NOW, address, envelope_of, foreign, mta_a, mta_b, settings, user};

#[test]
fn a_message_goes_from_user_to_user_over_one_hop() {
    let (mut a, mut b) = (mta_a(), mta_b());
    let identifier = a.submit(&Submission::new(user("alice", "A"), [user("bob", "B")]));
    assert_eq!(a.work(), []);
    assert_eq!(a.transfer("to-B", &mut b, "to-A"), 1);
    let delivered = b.messages_in(&user("bob", "B"));
    assert_eq!(*delivered[0].message_identifier, identifier);
    assert_eq!(b.mailbox(&user("bob", "B"))[0].mts_identifier, identifier.to_string());
    let domains: Vec<String> = delivered[0].trace_information.iter().map(|e| e.domain.to_string()).collect();
    assert_eq!(domains, ["C=GB;A= ;P=A", "C=GB;A= ;P=B"], "one trace element per domain");
    let internal = delivered[0].extensions.internal_trace().unwrap();
    let mtas: Vec<&str> = internal.iter().map(|e| e.mta_name.as_str()).collect();
    assert_eq!(mtas, ["MTA-A", "MTA-B"]);
    assert_eq!(a.spool.stats().bodies, 0, "what was transferred is not kept");
    assert_eq!(b.spool.stats().bodies, 1);
}

#[test]
fn one_copy_per_next_hop_names_all_recipients_and_makes_each_hop_responsible_for_its_own() {
    let mut a = mta_a();
    let recipients = [user("b1", "B"), user("a1", "A"), user("c1", "C"), user("b2", "B"), user("d1", "D")];
    a.submit(&Submission::new(user("alice", "A"), recipients));
    a.work();
    let bits = |connector: &str| -> Vec<bool> {
        let queue = a.queue(connector);
        assert_eq!(queue.len(), 1);
        let envelope = envelope_of(&queue[0].1.item);
        envelope.per_recipient_fields.iter().map(|r| r.responsibility()).collect()
    };
    assert_eq!(bits("to-B"), [true, false, false, true, false]);
    assert_eq!(bits("to-C"), [false, false, true, false, true]);
    assert_eq!(a.messages_in(&user("a1", "A")).len(), 1);
    assert_eq!(a.spool.stats().bodies, 1, "the copies share the content");
    assert_eq!(a.queue("to-B")[0].1.recipients, 2);
}

#[test]
fn a_relayed_message_keeps_what_the_mta_has_no_business_with() {
    let mut a = mta_a();
    let mut envelope = foreign("1", &[(&user("x", "B"), 0xA8)]);
    let private = ExtensionField::new(
        ExtensionType::Private(ber::Oid::from_arcs(&[1, 2, 3]).unwrap()),
        Criticality::NONE,
        vec![4, 1, 7],
    );
    envelope.extensions.set(private.clone());
    a.receive_message("to-C", &envelope);
    a.work();
    let mut sent = envelope_of(&a.queue("to-B")[0].1.item);
    assert_eq!(sent.extensions.iter().next(), Some(&private));
    // Apart from the trace it is the same envelope.
    sent.trace_information = envelope.trace_information.clone();
    sent.extensions = envelope.extensions.clone();
    assert_eq!(sent.to_octets(), envelope.to_octets());
}

#[test]
fn other_recipients_are_not_shown_in_a_mailbox_unless_the_originator_discloses_them() {
    let mut a = mta_a();
    let recipients = [user("a1", "A"), user("a2", "A")];
    a.submit(&Submission::new(user("alice", "A"), recipients.clone()));
    a.work();
    let seen = a.messages_in(&user("a2", "A"));
    assert_eq!(seen[0].per_recipient_fields.len(), 1);
    assert_eq!(*seen[0].per_recipient_fields[0].address(), user("a2", "A"));
    let mut open = Submission::new(user("alice", "A"), recipients);
    open.disclose_recipients = true;
    a.submit(&open);
    a.work();
    assert_eq!(a.messages_in(&user("a2", "A"))[1].per_recipient_fields.len(), 2);
}

#[test]
fn urgent_goes_before_normal_before_non_urgent() {
    let mut a = mta_a();
    for priority in [Priority::NonUrgent, Priority::Normal, Priority::Urgent, Priority::Other(9)] {
        let mut submission = Submission::new(user("alice", "A"), [user("bob", "B")]);
        submission.priority = priority;
        a.submit(&submission);
    }
    a.work();
    let ranks: Vec<Rank> =
        a.queue("to-B").iter().map(|(key, _)| OutboundKey::parse(key).unwrap().rank).collect();
    assert_eq!(ranks, [Rank::Urgent, Rank::Normal, Rank::Normal, Rank::NonUrgent]);
}

#[test]
fn urgent_goes_first_in_the_work_queue_too_and_reports_count_as_urgent() {
    let mut a = mta_a();
    for priority in [Priority::NonUrgent, Priority::Normal, Priority::Urgent] {
        let mut submission = Submission::new(user("alice", "A"), [user("bob", "B")]);
        submission.priority = priority;
        a.submit(&submission);
    }
    let mut b = mta_b();
    b.receive_message("to-A", &foreign("1", &[(&user("nobody", "B"), 0xA8), (&user("x", "Q"), 0xA8)]));
    let ranks = |mta: &Mta| -> Vec<Rank> {
        mta.scan(WORK, b"").iter().map(|(key, _)| WorkKey::parse(key).unwrap().rank).collect()
    };
    assert_eq!(ranks(&a), [Rank::Urgent, Rank::Normal, Rank::NonUrgent]);
    b.work();
    let report = b.queue("to-A").remove(0);
    assert_eq!(OutboundKey::parse(&report.0).unwrap().rank, Rank::Urgent);
    a.receive("to-B", &b.apdu("to-A", &report.1)).unwrap();
    assert_eq!(ranks(&a), [Rank::Urgent, Rank::Urgent, Rank::Normal, Rank::NonUrgent]);
}

#[test]
fn deferred_mail_waits_here_and_its_age_counts_from_then() {
    let mut a = mta_a();
    let tomorrow = NOW.plus_seconds(86_400);
    let mut submission = Submission::new(user("alice", "A"), [user("bob", "B"), user("al", "A")]);
    submission.deferred = Some(tomorrow);
    a.submit(&submission);
    assert_eq!(a.work(), [tomorrow]);
    assert!(a.queue("to-B").is_empty() && a.mailbox(&user("al", "A")).is_empty());
    a.now = tomorrow;
    assert_eq!(a.work(), []);
    let record = &a.queue("to-B")[0].1;
    assert_eq!(record.expires, tomorrow.plus_seconds(10_080 * 60));
    let trace = envelope_of(&record.item).trace_information;
    assert_eq!(trace[0].additional.deferred_time.as_ref().and_then(|t| t.to_wall()), Some(tomorrow));
    assert_eq!(a.mailbox(&user("al", "A")).len(), 1);
}

#[test]
fn a_malformed_deferred_time_holds_nothing_up() {
    let mut a = mta_a();
    let mut envelope = foreign("1", &[(&user("al", "A"), 0xA8)]);
    envelope.deferred_delivery_time = Some(mhs::UtcTime::from_octets(b"1250101000000Z").into());
    a.receive_message("to-C", &envelope);
    assert_eq!(a.work(), []);
    assert_eq!(a.mailbox(&user("al", "A")).len(), 1);
}

#[test]
fn a_message_we_are_not_responsible_for_is_accepted_and_dropped() {
    let mut a = mta_a();
    a.receive_message("to-C", &foreign("1", &[(&user("al", "A"), 0x28)]));
    a.work();
    assert!(matches!(
        a.effects[..],
        [
            Effect::Accepted { recipients: 0, .. },
            Effect::Discarded { why: agent::Discard::NoResponsibility, .. }
        ]
    ));
    assert_eq!(a.spool.stats().bodies, 0);
}

#[test]
fn a_peer_that_refuses_internal_trace_or_bilateral_information_is_spared_them() {
    let mut strict = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB"), ("X", "P=X;A= ;C=GB")]);
    strict.connectors[0].strip_internal_trace = true;
    strict.connectors[0].strip_bilateral_information = true;
    let mut a = Mta::new(strict);
    let mut envelope = foreign("1", &[(&user("bob", "B"), 0xA8), (&user("dan", "D"), 0xA8)]);
    envelope.per_domain_bilateral_information = Some(vec![0xA1, 0]);
    a.receive_message("to-X", &envelope);
    a.work();
    let to_b = a.sent("to-B", 0);
    assert_eq!((to_b.extensions.len(), to_b.per_domain_bilateral_information), (0, None));
    let to_c = a.sent("to-C", 0);
    assert_eq!((to_c.extensions.len(), to_c.per_domain_bilateral_information), (1, Some(vec![0xA1, 0])));
}

#[test]
fn a_peer_that_refuses_private_extensions_gets_those_alone_that_are_critical() {
    let mut strict = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB"), ("X", "P=X;A= ;C=GB")]);
    strict.connectors[0].strip_private_extensions = true;
    let mut a = Mta::new(strict);
    let private = |arc: u32| ExtensionType::Private(ber::Oid::from_arcs(&[1, 2, 840, 113_556, arc]).unwrap());
    let standard = ExtensionType::Standard(StandardExtension::CONTENT_CORRELATOR);
    let critical = Criticality { for_delivery: true, ..Criticality::NONE };
    let add = |extensions: &mut Extensions| {
        for (number, criticality) in
            [(private(1), Criticality::NONE), (private(2), critical), (standard.clone(), Criticality::NONE)]
        {
            extensions.set(ExtensionField::new(number, criticality, vec![5, 0]));
        }
    };
    let mut envelope = foreign("1", &[(&user("bob", "B"), 0xA8), (&user("dan", "D"), 0xA8)]);
    add(&mut envelope.extensions);
    envelope.per_recipient_fields.iter_mut().for_each(|recipient| add(&mut recipient.extensions));
    a.receive_message("to-X", &envelope);
    a.work();
    let has = |extensions: &Extensions| {
        [private(1), private(2), standard.clone()].map(|number| extensions.get(&number).is_some())
    };
    for (connector, expected) in [("to-B", [false, true, true]), ("to-C", [true; 3])] {
        let sent = a.sent(connector, 0);
        assert_eq!(has(&sent.extensions), expected, "{connector}");
        let recipients = sent.per_recipient_fields.iter();
        recipients.for_each(|recipient| assert_eq!(has(&recipient.extensions), expected, "{connector}"));
    }
}

#[test]
fn a_fan_out_too_large_for_one_batch_is_done_in_portions() {
    let mut a = mta_a();
    // A large envelope, delivered to many, each of whom sees it nearly whole.
    let recipients: Vec<_> = (0..200).map(|n| user(&format!("u{n}"), "A")).collect();
    let mut envelope = foreign("1", &recipients.iter().map(|address| (address, 0xA8)).collect::<Vec<_>>());
    let large = ExtensionField::new(
        ExtensionType::Standard(23),
        Criticality::NONE,
        ber::Writer::encode(|w| w.primitive(ber::Tag::OCTET_STRING, &vec![7; 400_000])),
    );
    envelope.extensions.set(large);
    a.receive_message("to-C", &envelope);
    assert_eq!(a.work(), []);
    for recipient in &recipients {
        let mailbox = a.mailbox(recipient);
        assert_eq!(mailbox.len(), 1, "{recipient}");
        let MailboxItem::Message { body, .. } = mailbox[0].kind else { panic!("no message") };
        assert_eq!(spool::block_on(a.spool.read_body(body, 0, 100)).unwrap(), b"content");
    }
    let portions = a.effects.iter().filter(|effect| matches!(effect, Effect::WorkAdded { .. })).count();
    assert!(portions > 2, "{portions}");
}

#[test]
fn a_bad_address_does_not_hold_up_the_good_ones() {
    let mut a = mta_a();
    let given_name_only = mhs::OrAddress {
        personal_name: Some(mhs::PersonalName { given_name: Some("x".into()), ..Default::default() }),
        ..address("P=A;A= ;C=GB")
    };
    let mut listed = settings("A", &[("B", "P=B;A= ;C=GB")]);
    listed.mta.mailboxes = Some(vec![user("al", "A")]);
    a.agent = agent::Agent::new(listed).unwrap();
    a.receive_message("to-B", &foreign("1", &[(&given_name_only, 0xA8), (&user("al", "A"), 0xA8)]));
    a.work();
    assert_eq!(a.mailbox(&user("al", "A")).len(), 1);
    assert_eq!(a.non_delivered().len(), 1);
}

#[test]
fn a_message_to_very_many_local_recipients_is_delivered_to_each() {
    let mut a = mta_a();
    let recipients: Vec<_> = (0..10_000).map(|n| user(&format!("u{n}"), "A")).collect();
    let listed: Vec<_> = recipients.iter().map(|address| (address, 0xA8)).collect();
    a.receive_message("to-C", &foreign("1", &listed));
    a.work();
    let delivered = a.effects.iter().filter(|effect| matches!(effect, Effect::Delivered { .. })).count();
    assert_eq!(delivered, 10_000);
    let seen = &a.messages_in(&recipients[9_999])[0].per_recipient_fields;
    assert_eq!((seen.len(), *seen[0].originally_specified_recipient_number), (1, 10_000));
}
