use agent::{ReportRequest, Submission, SubmitProblem};
use clock::WallTime;
use mhs::p1::{Criticality, ExtensionType, Priority};
use spool::Spool;

use crate::bench::{Mta, address, envelope_of, foreign, mta_a, settings, user};

fn problems(a: &Mta, submission: &Submission, length: usize) -> Vec<SubmitProblem> {
    let body = a.body(&vec![0; length]);
    a.agent.submit(a.now, &a.counter, submission, body).unwrap_err().problems
}

#[test]
fn every_problem_is_told_at_once() {
    let mut limited = settings("A", &[("B", "P=B;A= ;C=GB")]);
    limited.mta.message_size_limit_kb = Some(1);
    let a = Mta::new(limited);
    let mut submission = Submission::new(
        user("eve", "B"),
        [user("fine", "B"), address("O=Acme;C=GB"), address(&format!("S={};P=B;A= ;C=GB", "x".repeat(41)))],
    );
    submission.content_identifier = Some("0123456789abcdefg".into());
    let found = problems(&a, &submission, 2000);
    assert!(
        matches!(
            &found[..],
            [
                SubmitProblem::OriginatorNotLocal { .. },
                SubmitProblem::RecipientInvalid { index: 1, .. },
                SubmitProblem::RecipientInvalid { index: 2, .. },
                SubmitProblem::ContentTooLong { octets: 2000, limit_kb: 1 },
                SubmitProblem::ContentIdentifier(_),
            ]
        ),
        "{found:#?}"
    );
    let text = agent::SubmitError { problems: found }.to_string();
    assert!(text.contains("recipient 2 ") && text.contains("recipient 3 "), "{text}");
}

#[test]
fn a_message_needs_a_recipient_and_not_too_many() {
    let mut limited = settings("A", &[]);
    limited.mta.max_recipients = 2;
    let a = Mta::new(limited);
    assert_eq!(problems(&a, &Submission::new(user("alice", "A"), []), 1), [SubmitProblem::NoRecipient]);
    let three = [user("x", "A"), user("y", "A"), user("z", "A")];
    let found = problems(&a, &Submission::new(user("alice", "A"), three), 1);
    assert_eq!(found, [SubmitProblem::TooManyRecipients { count: 3, limit: 2 }]);
    assert_eq!(a.spool.stats().bodies, 0);
}

#[test]
fn the_originator_has_to_be_a_mailbox_here() {
    let mut listed = settings("A", &[]);
    listed.mta.mailboxes = Some(vec![user("alice", "A")]);
    let a = Mta::new(listed);
    let found = problems(&a, &Submission::new(user("mallory", "A"), [user("alice", "A")]), 1);
    assert!(matches!(found[..], [SubmitProblem::OriginatorNotLocal { .. }]), "{found:?}");
}

#[test]
fn the_envelope_says_what_was_asked_for() {
    let mut a = mta_a();
    let mut submission =
        Submission::new(user("alice", "A"), [user("n", "B"), user("nd", "B"), user("d", "B")]);
    for (recipient, report) in submission.recipients.iter_mut().zip([
        ReportRequest::None,
        ReportRequest::NonDelivery,
        ReportRequest::Delivery,
    ]) {
        recipient.report = report;
    }
    submission.priority = Priority::Urgent;
    submission.content_identifier = Some("ref 7".into());
    submission.encoded_information_types = Some(mhs::EncodedInformationTypes::ia5_text());
    submission.disclose_recipients = true;
    submission.implicit_conversion_prohibited = true;
    let identifier = a.submit(&submission);
    a.work();
    let envelope = envelope_of(&a.queue("to-B")[0].1.item);
    assert_eq!(*envelope.message_identifier, identifier);
    let numbers: Vec<i64> =
        envelope.per_recipient_fields.iter().map(|r| *r.originally_specified_recipient_number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let bits = envelope.per_recipient_fields.iter().map(|r| r.per_recipient_indicators.0.octets.clone());
    let bits: Vec<Vec<u8>> = bits.map(|bits| bits.to_vec()).collect();
    assert_eq!(bits, [[0xA0], [0xA8], [0xD0]]);
    assert_eq!(*envelope.priority, Priority::Urgent);
    assert_eq!(envelope.content_identifier.as_ref().map(|id| id.0.as_str()), Some("ref 7"));
    assert!(envelope.per_message_indicators.disclosure_of_other_recipients());
    assert!(envelope.per_message_indicators.implicit_conversion_prohibited());
    assert!(!envelope.per_message_indicators.content_return_request());
    assert_eq!(envelope.trace_information.len(), 1);
}

#[test]
fn identifiers_are_unique_readable_and_never_too_long() {
    for name in ["MTA-A", "A-NAME-OF-THIRTY-TWO-CHARACTERS-"] {
        let mut named = settings("A", &[]);
        named.mta.name = mhs::MtaName::new(name).unwrap();
        let mut a = Mta::new(named);
        let submission = Submission::new(user("alice", "A"), [user("al", "A")]);
        let identifiers: Vec<String> = (0..20).map(|_| a.submit(&submission).local).collect();
        let mut unique = identifiers.clone();
        unique.dedup();
        assert_eq!(unique.len(), 20);
        for identifier in identifiers {
            assert!(identifier.len() <= 32 && identifier.contains("-261122"), "{identifier}");
            assert!(identifier.starts_with(&name[..5]), "{identifier}");
        }
    }
}

#[test]
fn a_recipient_named_twice_gets_one_copy() {
    let mut a = mta_a();
    a.submit(&Submission::new(user("alice", "A"), [user("carol", "A"), user("CAROL", "A")]));
    a.work();
    let [envelope] = &a.messages_in(&user("carol", "A"))[..] else { panic!("one message") };
    assert_eq!(envelope.per_recipient_fields.iter().count(), 1);

    let carol = user("carol", "A");
    a.receive_message("to-B", &foreign("twice", &[(&carol, 0xD0), (&carol, 0xD0)]));
    a.work();
    assert_eq!(a.messages_in(&carol).len(), 2, "one of each message");
}

#[test]
fn a_time_that_utctime_can_not_carry_is_refused() {
    let a = mta_a();
    let mut submission = Submission::new(user("alice", "A"), [user("bob", "B")]);
    let last = WallTime::from_unix(2_524_607_999); // 2049-12-31T23:59:59Z
    submission.deferred = Some(last.plus_seconds(1));
    let time = last.plus_seconds(1);
    assert_eq!(problems(&a, &submission, 1), [SubmitProblem::DeferredOutOfRange { time }]);
    submission.deferred = Some(last);
    assert!(a.agent.submit(a.now, &a.counter, &submission, a.body(b"x")).is_ok());
}

#[test]
fn what_the_originator_allows_requests_and_prohibits_is_in_the_envelope() {
    use mhs::p1::StandardExtension as Known;
    let mut a = mta_a();
    let mut plain = Submission::new(user("alice", "A"), [user("bob", "B")]);
    a.submit(&plain);
    plain.return_content = true;
    plain.alternate_recipient_allowed = true;
    plain.dl_expansion_prohibited = true;
    plain.reassignment_prohibited = true;
    plain.recipients[0].alternate = Some(user("ben", "B"));
    a.submit(&plain);
    a.work();
    for (queued, asked) in a.queue("to-B").iter().zip([false, true]) {
        let envelope = envelope_of(&queued.1.item);
        let flags = &envelope.per_message_indicators;
        assert_eq!((flags.content_return_request(), flags.alternate_recipient_allowed()), (asked, asked));
        for number in [Known::DL_EXPANSION_PROHIBITED, Known::RECIPIENT_REASSIGNMENT_PROHIBITED] {
            assert_eq!(envelope.extensions.prohibits(number), asked);
            assert_eq!(
                envelope.extensions.standard(number).is_some_and(|e| e.criticality().for_delivery),
                asked
            );
        }
        let alternate = Known::ORIGINATOR_REQUESTED_ALTERNATE_RECIPIENT;
        let alternate = envelope.per_recipient_fields[0].extensions.name(alternate);
        assert_eq!(alternate.map(|name| name.address().clone()), asked.then(|| user("ben", "B")));
    }
    plain.recipients[0].alternate = Some(address("C=GB"));
    let problems = problems(&a, &plain, 1);
    assert!(matches!(problems[..], [SubmitProblem::AlternateInvalid { .. }, ..]), "{problems:?}");
}

#[test]
fn a_probe_says_what_was_asked_for_and_leaves_for_the_next_mta() {
    let mut a = mta_a();
    let mut submission = Submission::new(user("alice", "A"), [user("bob", "B"), user("BOB", "B")])
        .with_report_request(ReportRequest::Delivery);
    submission.content_type = mhs::ContentType::P2;
    submission.content_identifier = Some("ref 7".into());
    submission.alternate_recipient_allowed = true;
    submission.dl_expansion_prohibited = true;
    // None of these is to be found in a probe.
    submission.disclose_recipients = true;
    submission.return_content = true;
    let (identifier, step) = a.agent.probe(a.now, &a.counter, &submission, Some(70_000)).unwrap();
    a.commit(step);
    a.work();
    let (_, record) = a.queue("to-B").remove(0);
    let agent::record::Item::Probe { apdu } = &record.item else { panic!("{record:?}") };
    let probe = mhs::p1::ProbeTransferEnvelope::from_octets(apdu).unwrap();
    assert_eq!(*probe.probe_identifier, identifier);
    assert_eq!(*probe.content_type, mhs::ContentType::P2);
    assert_eq!(probe.content_length.as_deref(), Some(&70_000));
    assert_eq!(probe.content_identifier.unwrap().0, "ref 7");
    let flags = &probe.per_message_indicators;
    assert!(flags.alternate_recipient_allowed() && !flags.disclosure_of_other_recipients());
    assert!(!flags.content_return_request());
    let prohibited = mhs::p1::StandardExtension::DL_EXPANSION_PROHIBITED;
    assert!(probe.extensions.standard(prohibited).is_some());
    assert_eq!(probe.per_recipient_fields.len(), 1, "who is named twice is asked about once");
    assert_eq!((record.recipients, record.originator), (1, user("alice", "A").to_string()));
}

#[test]
fn a_probe_is_refused_for_what_a_message_is_refused_for() {
    let mut limited = settings("A", &[]);
    limited.mta.message_size_limit_kb = Some(1);
    let a = Mta::new(limited);
    let submission = Submission::new(user("alice", "A"), []);
    let refused = a.agent.probe(a.now, &a.counter, &submission, Some(2_000)).unwrap_err();
    let expected = [SubmitProblem::NoRecipient, SubmitProblem::ContentTooLong { octets: 2_000, limit_kb: 1 }];
    assert_eq!(refused.problems, expected);
}

#[test]
fn several_messages_are_accepted_together_or_not_at_all() {
    let mut a = mta_a();
    let copy = |recipient| Submission::new(user("alice", "A"), [recipient]);
    let copies = vec![(copy(user("bob", "B")), a.body(b"one")), (copy(user("carl", "B")), a.body(b"two"))];
    let (identifiers, step) = a.agent.submit_all(a.now, &a.counter, copies).unwrap();
    a.commit(step);
    a.work();
    let queued: Vec<String> = a.queue("to-B").into_iter().map(|(_, record)| record.mts_identifier).collect();
    assert_eq!(queued, identifiers.iter().map(ToString::to_string).collect::<Vec<_>>());
    for (place, recipient) in [user("bob", "B"), user("carl", "B")].iter().enumerate() {
        let envelope = a.sent("to-B", place);
        let named: Vec<_> = envelope.per_recipient_fields.iter().map(|fields| fields.address()).collect();
        assert_eq!(named, [recipient]);
    }
    let bodies = a.spool.stats().bodies;
    let bad = copy(address("O=Acme;C=GB"));
    let copies = vec![(copy(user("bob", "B")), a.body(b"one")), (bad, a.body(b"two"))];
    a.agent.submit_all(a.now, &a.counter, copies).unwrap_err();
    assert_eq!(a.spool.stats().bodies, bodies);
}

#[test]
fn a_latest_delivery_time_goes_with_the_message_and_is_kept_here() {
    let mut a = mta_a();
    let latest = a.now.plus_seconds(3_600);
    let mut submission = Submission::new(user("alice", "A"), [user("bob", "B"), user("al", "A")]);
    submission.latest_delivery = Some(latest);
    a.submit(&submission);
    a.work();
    let queue = a.queue("to-B");
    assert_eq!(queue[0].1.expires, latest);
    let extensions = envelope_of(&queue[0].1.item).extensions;
    let found: Vec<_> = extensions
        .iter()
        .filter(|field| *field.extension_type() == ExtensionType::Standard(5))
        .map(|field| (field.criticality(), field.value().to_vec()))
        .collect();
    // UTCTime; X.411 recommends it critical for delivery.
    let critical = Criticality { for_delivery: true, ..Criticality::NONE };
    assert_eq!(found, [(critical, b"\x17\x0d261122053000Z".to_vec())]);
    assert_eq!(a.messages_in(&user("al", "A")).len(), 1, "it is a critical extension that this MTA heeds");
    let (key, record) = queue[0].clone();
    let step = a.agent.expired(latest, &a.counter, &key, &record).unwrap();
    a.commit(step);
    a.now = latest;
    a.work();
    assert_eq!(a.non_delivered(), [(1, 5, user("bob", "B").to_string())]);
}

#[test]
fn what_can_never_be_delivered_in_time_is_not_accepted() {
    let mut a = mta_a();
    let (now, then) = (a.now, a.now.plus_seconds(60));
    let mut submission = Submission::new(user("alice", "A"), [user("bob", "B")]);
    for (deferred, latest, earliest) in
        [(None, now, now), (Some(then), then, then), (Some(now.plus_seconds(-60)), now, now)]
    {
        (submission.deferred, submission.latest_delivery) = (deferred, Some(latest));
        let found = problems(&a, &submission, 1);
        assert_eq!(found, [SubmitProblem::LatestDeliveryTooEarly { time: latest, earliest }]);
    }
    let beyond = WallTime::from_unix(2_600_000_000);
    submission.latest_delivery = Some(beyond);
    let found = problems(&a, &submission, 1);
    assert_eq!(found, [SubmitProblem::LatestDeliveryOutOfRange { time: beyond }]);
    (submission.deferred, submission.latest_delivery) = (Some(then), Some(then.plus_seconds(1)));
    a.submit(&submission);
}
