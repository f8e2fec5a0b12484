use agent::record::Item;
use agent::{Discard, Effect, ReportRequest, Submission};
use mhs::p1::{Criticality, ExtensionField, ExtensionType};
use mhs::p1::{MtsApdu, OriginatingMtaReport, ProbeTransferEnvelope, Report, ReportType};

use crate::bench::{Mta, envelope_of, foreign, mta_a, mta_b, probe_of, settings, user};

fn codes(report: &Report, recipient: usize) -> (i64, Option<i64>) {
    match &report.content.per_recipient_fields[recipient].last_trace_information.report_type {
        ReportType::NonDelivery(failed) => (failed.reason.0, failed.diagnostic.map(|code| code.0)),
        ReportType::Delivery(_) => panic!("delivered"),
    }
}

#[test]
fn a_delivery_report_comes_back_to_the_originator_who_asked_for_it() {
    let (mut a, mut b) = (mta_a(), mta_b());
    let alice = user("alice", "A");
    let submission =
        Submission::new(alice.clone(), [user("bob", "B")]).with_report_request(ReportRequest::Delivery);
    let identifier = a.submit(&submission);
    a.work();
    a.transfer("to-B", &mut b, "to-A");
    assert_eq!(b.transfer("to-A", &mut a, "to-B"), 1);
    let reports = a.reports_in(&alice);
    assert_eq!(reports.len(), 1);
    assert_eq!(*reports[0].content.subject_identifier, identifier);
    let recipient = &reports[0].content.per_recipient_fields[0];
    assert_eq!(*recipient.actual_recipient_name.address(), user("bob", "B"));
    assert_eq!(*recipient.originally_specified_recipient_number, 1);
    assert!(matches!(recipient.last_trace_information.report_type, ReportType::Delivery(_)));
    let trace: Vec<_> = reports[0].envelope.trace_information.iter().map(|e| e.domain.to_string()).collect();
    assert_eq!(trace, ["C=GB;A= ;P=B", "C=GB;A= ;P=A"]);
}

#[test]
fn nothing_is_reported_on_delivery_unless_it_was_asked_for() {
    for report in [ReportRequest::None, ReportRequest::NonDelivery] {
        let mut a = mta_a();
        a.submit(&Submission::new(user("alice", "A"), [user("al", "A")]).with_report_request(report));
        a.work();
        assert_eq!(a.mailbox(&user("al", "A")).len(), 1);
        assert!(!a.effects.iter().any(|effect| matches!(effect, Effect::ReportMade { .. })));
    }
}

#[test]
fn an_unknown_recipient_is_reported_at_once_and_the_others_are_served() {
    let mut a = mta_a();
    let alice = user("alice", "A");
    let nowhere = crate::bench::address("S=x;O=Acme;A= ;C=FR");
    a.submit(&Submission::new(alice.clone(), [user("bob", "B"), nowhere.clone()]));
    a.work();
    assert_eq!(a.queue("to-B").len(), 1);
    let reports = a.reports_in(&alice);
    assert_eq!(codes(&reports[0], 0), (1, Some(0)), "unable-to-transfer, unrecognised-OR-name");
    assert_eq!(*reports[0].content.per_recipient_fields[0].originally_specified_recipient_number, 2);
}

#[test]
fn the_authoritative_domain_reports_an_unknown_mailbox_and_never_passes_it_on() {
    let mut listed = settings("A", &[("C", "C=*")]);
    listed.mta.mailboxes = Some(vec![user("alice", "A")]);
    let mut a = Mta::new(listed);
    a.submit(&Submission::new(user("alice", "A"), [user("nobody", "A")]));
    a.work();
    assert!(a.queue("to-C").is_empty());
    assert_eq!(codes(&a.reports_in(&user("alice", "A"))[0], 0), (1, Some(0)));
}

#[test]
fn the_originating_mta_keeps_a_report_which_the_originator_did_not_ask_for() {
    let mut a = mta_a();
    let nowhere = crate::bench::address("S=x;O=Acme;A= ;C=FR");
    a.submit(&Submission::new(user("alice", "A"), [nowhere]).with_report_request(ReportRequest::None));
    a.work();
    assert!(a.mailbox(&user("alice", "A")).is_empty());
    assert!(a.effects.iter().any(|e| matches!(e, Effect::Discarded { why: Discard::NotRequested, .. })));
}

#[test]
fn a_report_that_cannot_be_routed_is_dropped_and_makes_no_report() {
    let mut b = Mta::new(settings("B", &[("A", "P=A;A= ;C=GB")]));
    // The originator is in a domain that B knows no way to, the recipient too.
    let nowhere = crate::bench::address("S=x;O=Acme;A= ;C=FR");
    b.receive_message("to-A", &foreign("1", &[(&nowhere, 0xE8)]));
    b.work();
    assert_eq!(b.non_delivered().len(), 1);
    let dropped: Vec<_> = b.effects.iter().filter(|e| matches!(e, Effect::Discarded { .. })).collect();
    assert!(matches!(dropped[..], [Effect::Discarded { why: Discard::Unroutable(_), .. }]), "{dropped:?}");
    assert!(b.queue("to-A").is_empty());
}

#[test]
fn a_report_that_loops_is_dropped() {
    let (mut a, mut b) = (mta_a(), mta_b());
    b.receive_message("to-A", &foreign("1", &[(&user("nobody", "Z"), 0xA8)]));
    b.work();
    // The report goes to domain X over A, which sends it to C. C sends it back.
    b.transfer("to-A", &mut a, "to-B");
    let report = a.queue("to-C").into_iter().find(|(_, r)| matches!(r.item, Item::Report { .. })).unwrap().1;
    a.receive("to-C", &a.apdu("to-C", &report)).unwrap();
    a.work();
    assert!(a.effects.iter().any(|e| matches!(e, Effect::Discarded { why: Discard::Loop, .. })));
}

#[test]
fn an_audited_report_carries_the_trace_of_its_subject() {
    let mut a = mta_a();
    for (bits, audited) in [(0xE8, true), (0xA8, false), (0xC8, false)] {
        let envelope = foreign("1", &[(&user("x", "A"), bits), (&user("nobody", "C"), bits)]);
        assert_eq!(
            envelope.per_recipient_fields[0].per_recipient_indicators.originating_mta_report()
                == OriginatingMtaReport::Audited,
            audited
        );
        let mut a = std::mem::replace(&mut a, mta_a());
        a.receive_message("to-C", &envelope);
        a.work();
        let queue = a.queue("to-C");
        let Item::Report { apdu } = &queue[0].1.item else { panic!("no report") };
        let report = Report::from_octets(apdu).unwrap();
        let trace = report.content.subject_intermediate_trace_information.map(|trace| trace.len());
        assert_eq!(trace, audited.then_some(2), "{bits:x}");
    }
}

#[test]
fn a_content_that_is_too_long_is_always_reported_as_such() {
    let mut limited = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
    limited.mta.message_size_limit_kb = Some(1);
    let mut a = Mta::new(limited);
    let message = mhs::p1::Message::new(foreign("1", &[(&user("bob", "B"), 0xA8)]), vec![0; 1025]);
    a.receive("to-C", &MtsApdu::Message(Box::new(message)).to_octets()).unwrap();
    a.work();
    assert_eq!(a.non_delivered().iter().map(|n| (n.0, n.1)).collect::<Vec<_>>(), [(1, 7)]);
    // The limit of the only connector does the same.
    let mut limited = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
    limited.connectors[0].max_message_size_kb = Some(1);
    let mut a = Mta::new(limited);
    for (length, expected) in [(1024, 0), (1025, 1)] {
        let envelope = foreign(&length.to_string(), &[(&user("bob", "B"), 0xA8)]);
        let message = mhs::p1::Message::new(envelope, vec![0; length]);
        a.receive("to-C", &MtsApdu::Message(Box::new(message)).to_octets()).unwrap();
        a.work();
        assert_eq!(a.non_delivered().len(), expected);
    }
    assert_eq!(a.non_delivered()[0].1, 7);
}

#[test]
fn too_many_recipients_are_all_reported() {
    let mut limited = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
    limited.mta.max_recipients = 2;
    let mut a = Mta::new(limited);
    let bob = user("bob", "B");
    a.receive_message("to-C", &foreign("1", &[(&bob, 0xA8), (&bob, 0xA8), (&bob, 0xA8)]));
    a.work();
    assert_eq!(a.non_delivered().iter().map(|n| n.1).collect::<Vec<_>>(), [16, 16, 16]);
}

#[test]
fn an_unknown_extension_stops_what_it_is_critical_for_and_nothing_else() {
    let unknown = |critical: Criticality| {
        let oid = ber::Oid::from_arcs(&[1, 2, 3]).unwrap();
        ExtensionField::new(ExtensionType::Private(oid), critical, Vec::new())
    };
    let (none, transfer, delivery) = (
        Criticality::NONE,
        Criticality { for_transfer: true, ..Criticality::NONE },
        Criticality { for_delivery: true, ..Criticality::NONE },
    );
    for (criticality, local, relayed) in
        [(none, true, true), (transfer, true, false), (delivery, false, true)]
    {
        for per_recipient in [false, true] {
            let mut a = mta_a();
            let mut envelope = foreign("1", &[(&user("al", "A"), 0xA8), (&user("bob", "B"), 0xA8)]);
            if per_recipient {
                for recipient in &mut envelope.per_recipient_fields {
                    recipient.extensions.set(unknown(criticality));
                }
            } else {
                envelope.extensions.set(unknown(criticality));
            }
            a.receive_message("to-C", &envelope);
            a.work();
            assert_eq!(a.mailbox(&user("al", "A")).len(), usize::from(local), "{criticality}");
            assert_eq!(a.queue("to-B").len(), usize::from(relayed), "{criticality}");
            assert!(a.non_delivered().iter().all(|n| n.1 == 18));
        }
    }
}

#[test]
fn the_latest_delivery_time_is_kept() {
    let mut a = mta_a();
    for (seconds, delivered) in [(60, 1), (-60, 1)] {
        let mut envelope =
            foreign(&format!("{seconds}"), &[(&user("al", "A"), 0xA8), (&user("bob", "B"), 0xA8)]);
        let latest = mhs::UtcTime::from_wall(a.now.plus_seconds(seconds));
        let value = ber::Writer::encode(|w| w.primitive(ber::Tag::UTC_TIME, latest.octets()));
        envelope.extensions.set(ExtensionField::new(ExtensionType::Standard(5), Criticality::NONE, value));
        a.receive_message("to-C", &envelope);
        a.work();
        assert_eq!(a.mailbox(&user("al", "A")).len(), delivered);
    }
    assert_eq!(a.queue("to-B")[0].1.expires, a.now.plus_seconds(60));
    assert!(a.non_delivered().iter().all(|n| n.1 == 5));
}

#[test]
fn a_probe_is_answered_here_or_passed_on_and_leaves_nothing_in_a_mailbox() {
    let mut a = mta_a();
    let message = foreign("1", &[(&user("al", "A"), 0xD0), (&user("bob", "B"), 0xD0)]);
    let mut probe = ProbeTransferEnvelope::new(
        (*message.message_identifier).clone(),
        message.originator_name.clone(),
        mhs::ContentType::P22,
        message.per_recipient_fields.to_vec(),
        message.trace_information.clone(),
    );
    probe.content_length = Some(1000.into());
    a.receive("to-C", &MtsApdu::Probe(Box::new(probe)).to_octets()).unwrap();
    a.work();
    assert!(a.mailbox(&user("al", "A")).is_empty());
    let forwarded = probe_of(&a.queue("to-B")[0].1.item);
    let bits: Vec<bool> = forwarded.per_recipient_fields.iter().map(|r| r.responsibility()).collect();
    assert_eq!(bits, [false, true]);
    let queue = a.queue("to-C");
    let Item::Report { apdu } = &queue[0].1.item else { panic!("no report") };
    let report = Report::from_octets(apdu).unwrap();
    assert_eq!(report.content.per_recipient_fields.len(), 1);
    assert!(matches!(
        report.content.per_recipient_fields[0].last_trace_information.report_type,
        ReportType::Delivery(_)
    ));
}

#[test]
fn a_report_on_very_many_recipients_is_split() {
    let mut a = mta_a();
    let nowhere = crate::bench::address("S=x;O=Acme;A= ;C=FR");
    let recipients = vec![(&nowhere, 0xA8); 1300];
    a.receive_message("to-C", &foreign("1", &recipients));
    a.work();
    let reported = a
        .queue("to-C")
        .iter()
        .map(|(_, record)| match &record.item {
            Item::Report { apdu } => Report::from_octets(apdu).unwrap().content.per_recipient_fields.len(),
            other => panic!("{other:?}"),
        })
        .collect::<Vec<_>>();
    assert_eq!(reported, [512, 512, 276]);
}

#[test]
fn neither_bit_set_is_illegal_and_still_no_reason_to_lose_mail_silently() {
    let mut a = mta_a();
    a.receive_message(
        "to-C",
        &foreign("1", &[(&user("al", "A"), 0x80), (&crate::bench::address("C=FR"), 0x80)]),
    );
    a.work();
    let made: Vec<_> = a.effects.iter().filter(|e| matches!(e, Effect::ReportMade { .. })).collect();
    assert!(matches!(made[..], [Effect::ReportMade { delivered: 0, non_delivered: 1, .. }]), "{made:?}");
}

#[test]
fn the_subjects_content_correlator_and_identifier_come_back() {
    let mut a = mta_a();
    let mut envelope = foreign("1", &[(&crate::bench::address("C=FR"), 0xA8)]);
    envelope.content_identifier = Some(mhs::p1::ContentIdentifier("ref 7".into()).into());
    let correlator = ExtensionField::new(ExtensionType::Standard(23), Criticality::NONE, vec![0x16, 1, b'k']);
    envelope.extensions.set(correlator.clone());
    a.receive_message("to-C", &envelope);
    a.work();
    let queue = a.queue("to-C");
    let Item::Report { apdu } = &queue[0].1.item else { panic!("no report") };
    let content = Report::from_octets(apdu).unwrap().content;
    assert_eq!(content.content_identifier.map(|id| id.0.clone()), Some("ref 7".to_owned()));
    assert_eq!(content.extensions.standard(23), Some(&correlator));
    assert!(content.returned_content.is_none());
}

#[test]
fn responsibility_in_the_mailbox_copy_is_for_its_owner() {
    let mut a = mta_a();
    let mut open = Submission::new(user("alice", "A"), [user("a1", "A"), user("bob", "B")]);
    open.disclose_recipients = true;
    a.submit(&open);
    a.work();
    let seen = a.messages_in(&user("a1", "A"));
    let bits: Vec<bool> = seen[0].per_recipient_fields.iter().map(|r| r.responsibility()).collect();
    assert_eq!(bits, [true, false]);
    assert_eq!(envelope_of(&a.queue("to-B")[0].1.item).per_recipient_fields.len(), 2);
}

fn wanting_content_back(local: &str, to: &mhs::OrAddress) -> mhs::p1::MessageTransferEnvelope {
    let mut envelope = foreign(local, &[(to, 0xA8)]);
    envelope.per_message_indicators.edit().set(3, true);
    envelope
}

#[test]
fn the_content_comes_back_if_the_originator_wants_it_and_it_is_short() {
    let nowhere = crate::bench::address("C=FR");
    for (wanted, length, returned) in
        [(true, 64 * 1024, true), (true, 64 * 1024 + 1, false), (false, 10, false), (true, 0, false)]
    {
        let mut a = mta_a();
        let mut envelope = wanting_content_back("1", &nowhere);
        envelope.per_message_indicators.edit().set(3, wanted);
        let message = mhs::p1::Message::new(envelope, vec![7; length]);
        a.receive("to-C", &MtsApdu::Message(Box::new(message)).to_octets()).unwrap();
        a.work();
        let content = report_in_queue(&a, "to-C").content.returned_content;
        assert_eq!(content.map(|content| content.len()), returned.then_some(length), "{wanted} {length}");
    }
}

#[test]
fn the_content_comes_back_once_and_only_with_non_delivery() {
    let mut a = mta_a();
    let nowhere = crate::bench::address("S=x;O=Acme;A= ;C=FR");
    let recipients = vec![(&nowhere, 0xA8); 600];
    let mut envelope = foreign("1", &recipients);
    envelope.per_message_indicators.edit().set(3, true);
    a.receive_message("to-C", &envelope);
    a.work();
    let returned: Vec<bool> = a
        .queue("to-C")
        .iter()
        .map(|(_, record)| match &record.item {
            Item::Report { apdu } => Report::from_octets(apdu).unwrap().content.returned_content.is_some(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(returned, [true, false]);
    let mut delivered = wanting_content_back("2", &user("al", "A"));
    delivered.per_recipient_fields[0].per_recipient_indicators.edit().0.set(1, true);
    let mut a = mta_a();
    a.receive_message("to-C", &delivered);
    a.work();
    assert!(report_in_queue(&a, "to-C").content.returned_content.is_none());
}

#[test]
fn the_content_of_what_waited_too_long_comes_back() {
    let mut a = mta_a();
    a.receive_message("to-C", &wanting_content_back("1", &user("bob", "B")));
    a.work();
    let (key, record) = a.queue("to-B").remove(0);
    let step = a.agent.expired(record.expires, &a.counter, &key, &record).unwrap();
    a.commit(step);
    a.work();
    let report = report_in_queue(&a, "to-C");
    assert_eq!(codes(&report, 0), (1, Some(5)));
    assert_eq!(
        report.content.returned_content.map(|content| content.clone().into_value()),
        Some(b"content".to_vec())
    );
    use spool::Spool;
    assert_eq!(a.spool.stats().bodies, 0);
}

fn report_in_queue(mta: &Mta, connector: &str) -> Report {
    match &mta.queue(connector)[0].1.item {
        Item::Report { apdu } => Report::from_octets(apdu).unwrap(),
        other => panic!("{other:?} is no report"),
    }
}

#[test]
fn a_report_names_the_mta_that_made_it() {
    let mut a = mta_a();
    a.receive_message("to-C", &foreign("1", &[(&crate::bench::address("C=FR"), 0xA8)]));
    a.work();
    let (domain, mta) = report_in_queue(&a, "to-C").envelope.extensions.reporting_mta_name().unwrap();
    assert_eq!((domain.to_string(), mta.to_string()), ("C=GB;A= ;P=A".to_owned(), "MTA-A".to_owned()));
}

#[test]
fn what_the_originating_mta_and_the_originator_want_is_combined() {
    // Bits: responsibility, originating MTA's report and non-delivery report, originator's report and non-delivery.
    // The originating MTA hears of delivery in the first two rows, of non-delivery always; its user gets what he wants.
    for (bits, delivery_travels, delivery_shown, failure_shown) in [
        (0b1101_0000_u8, true, true, true),
        (0b1100_1000, true, false, true),
        (0b1100_0000, true, false, false),
        (0b1011_0000, false, false, true),
        (0b1010_1000, false, false, true),
        (0b1010_0000, false, false, false),
        (0b1110_0000, true, false, false),
    ] {
        let (mut a, mut b) = (mta_a(), mta_b());
        let mut listed = b.agent.settings().clone();
        listed.mta.mailboxes = Some(vec![user("bob", "B")]);
        b.agent = agent::Agent::new(listed).unwrap();
        for (local, to, shown) in
            [("1", user("bob", "B"), delivery_shown), ("2", user("gone", "B"), failure_shown)]
        {
            let mut envelope = foreign(local, &[(&to, bits)]);
            envelope.originator_name = user("alice", "A").into();
            b.receive_message("to-A", &envelope);
            b.work();
            let travels = b.transfer("to-A", &mut a, "to-B") == 1;
            assert_eq!(travels, delivery_travels || local == "2", "{bits:b} {local}");
            let before = usize::from(local == "2" && delivery_shown);
            assert_eq!(
                a.reports_in(&user("alice", "A")).len() - before,
                usize::from(shown),
                "{bits:b} {local}"
            );
        }
    }
}

#[test]
fn a_report_about_an_address_that_nobody_can_read_still_leaves_with_its_octets() {
    // A surname with characters of no PrintableString, and an attribute that does not exist.
    let odd =
        [&[0x60, 0x12, 0x30, 0x10, 0xA5, 0x06, 0x80, 0x04][..], b"\xff\x00@~", &[0x9F, 0x64, 0x05], b"what?"]
            .concat();
    let odd = mhs::OrName::decode(&ber::Reader::new(&odd).any().unwrap()).unwrap();
    let mut envelope = foreign("1", &[(&user("x", "Q"), 0xA8)]);
    envelope.per_recipient_fields[0].recipient_name = odd.clone();
    let mut a = Mta::new(settings("A", &[("X", "P=X;A= ;C=GB")]));
    a.receive_message("to-X", &envelope);
    a.work();
    let report = report_in_queue(&a, "to-X");
    let name = &report.content.per_recipient_fields[0].actual_recipient_name;
    assert_eq!(codes(&report, 0), (1, Some(0)));
    // Only the tag differs: it is implicit in a report.
    assert_eq!(name.raw().unwrap()[1..], odd.raw().unwrap()[1..]);
}
