//! Message tracking: one test for each event number, then what is kept, found and forgotten.

use agent::record::{Rank, Record, TRACK, TrackKey, track_digest};
use agent::settings::{
    AddressSpaceEntry, Conformance, DistributionList, Redirect, RedirectFrom, RedirectionClass,
};
use agent::{
    About, Discard, Effect, Failed, Kind, ReportRequest, Step, Submission, TrackEvent, TrackRecord,
    TransferFailure, TransferFailureKind,
};
use mhs::MtsIdentifier;
use mhs::p1::{MtsApdu, ProbeTransferEnvelope};
use spool::Spool;

use crate::bench::{Mta, address, foreign, mta_a, mta_b, pattern, settings, user};

/// What is found by an identifier, in order.
fn tracked(mta: &Mta, identifier: &MtsIdentifier) -> Vec<TrackRecord> {
    let digest = track_digest(&identifier.to_string());
    let all = mta.scan(TRACK, b"").into_iter();
    let mut found: Vec<_> = all
        .map(|(key, value)| (TrackKey::parse(&key).unwrap(), TrackRecord::decode(&value).unwrap()))
        .filter(|(key, _)| key.digest == digest)
        .collect();
    found.sort_by_key(|(key, _)| key.sequence);
    found.into_iter().map(|(_, record)| record).collect()
}

fn numbers(mta: &Mta, identifier: &MtsIdentifier) -> Vec<u16> {
    tracked(mta, identifier).iter().filter_map(|record| record.event.number()).collect()
}

/// The only entry with this number.
fn only(mta: &Mta, identifier: &MtsIdentifier, number: u16) -> TrackRecord {
    let mut found = tracked(mta, identifier);
    found.retain(|record| record.event.number() == Some(number));
    assert_eq!(found.len(), 1, "{number}: {found:?}");
    found.remove(0)
}

fn foreign_id(local: &str) -> MtsIdentifier {
    MtsIdentifier::new("C=GB;A= ;P=X".parse().unwrap(), local).unwrap()
}

fn submission() -> Submission {
    Submission::new(user("alice", "A"), [user("bob", "B")])
}

/// alice at A has written to bob at B, who has it; the report, if there is one, has come back.
fn sent(request: ReportRequest) -> (Mta, Mta, MtsIdentifier) {
    let (mut a, mut b) = (mta_a(), mta_b());
    let identifier = a.submit(&submission().with_report_request(request));
    a.work();
    a.transfer("to-B", &mut b, "to-A");
    b.transfer("to-A", &mut a, "to-B");
    (a, b, identifier)
}

fn probed() -> (Mta, Mta, MtsIdentifier) {
    let (mut a, mut b) = (mta_a(), mta_b());
    let envelope = foreign("p", &[(&user("bob", "B"), 0xF8)]);
    let probe = ProbeTransferEnvelope::new(
        foreign_id("p"),
        envelope.originator_name.clone(),
        mhs::ContentType::P22,
        envelope.per_recipient_fields.to_vec(),
        envelope.trace_information.clone(),
    );
    a.receive("to-C", &MtsApdu::Probe(Box::new(probe)).to_octets()).unwrap();
    a.work();
    a.transfer("to-B", &mut b, "to-A");
    (a, b, foreign_id("p"))
}

/// The report on a message, by what its subject's entries say at the MTA that made it.
fn report_on(mta: &Mta, subject: &MtsIdentifier) -> MtsIdentifier {
    only(mta, subject, 34).mts_identifier.parse().unwrap()
}

fn happened(effect: Effect) -> Mta {
    let mut a = mta_a();
    a.commit(Step { effects: vec![effect], ..Step::default() });
    a
}

#[test]
fn event_0_message_in() {
    let (_, b, identifier) = sent(ReportRequest::None);
    let record = only(&b, &identifier, 0);
    assert_eq!(record.event, TrackEvent::MessageIn);
    assert_eq!((record.time, record.mts_identifier.as_str()), (b.now, &*identifier.to_string()));
    assert_eq!(record.connector.as_deref(), Some("to-A"));
    assert_eq!(record.originator, Some(user("alice", "A").to_string()));
    assert_eq!((record.size, record.priority()), (Some(7), Some(Rank::Normal)));
    assert_eq!((record.recipients, record.recipient_count), (vec![user("bob", "B").to_string()], 1));
}

#[test]
fn event_1_probe_in() {
    let (a, b, identifier) = probed();
    assert_eq!(only(&a, &identifier, 1).connector.as_deref(), Some("to-C"));
    assert_eq!(only(&b, &identifier, 1).connector.as_deref(), Some("to-A"));
}

#[test]
fn event_2_report_in_is_found_by_its_subject_too() {
    let (a, b, identifier) = sent(ReportRequest::Delivery);
    let report = report_on(&b, &identifier);
    for by in [&identifier, &report] {
        let record = only(&a, by, 2);
        assert_eq!(record.mts_identifier, report.to_string());
        assert_eq!(record.subject, Some(identifier.to_string()));
        assert_eq!(record.recipients, [user("alice", "A").to_string()]);
    }
}

#[test]
fn a_report_goes_to_one_however_many_it_tells_of() {
    let (mut a, mut b) = (mta_a(), mta_b());
    let message = Submission::new(user("alice", "A"), [user("bob", "B"), user("carl", "B")]);
    let identifier = a.submit(&message.with_report_request(ReportRequest::Delivery));
    a.work();
    a.transfer("to-B", &mut b, "to-A");
    b.transfer("to-A", &mut a, "to-B");
    let report = report_on(&b, &identifier);
    for record in [only(&a, &report, 2), only(&b, &report, 8)] {
        assert_eq!((record.recipients, record.recipient_count), (vec![user("alice", "A").to_string()], 1));
    }
}

#[test]
fn event_4_submit() {
    let (a, _, identifier) = sent(ReportRequest::None);
    let record = only(&a, &identifier, 4);
    assert_eq!((record.connector, record.originator), (None, Some(user("alice", "A").to_string())));
    assert_eq!((record.recipients, record.size), (vec![user("bob", "B").to_string()], Some(7)));
}

#[test]
fn the_subject_is_kept_of_a_submission_and_only_where_subjects_are_to_be_kept() {
    for keeps in [true, false] {
        let mut a = mta_a();
        let mut settings = a.agent.settings().clone();
        settings.mta.tracking_subjects = keeps;
        a.agent = agent::Agent::new(settings).unwrap();
        let identifier = a.submit(&Submission { subject: Some("Invoice".into()), ..submission() });
        let kept = keeps.then(|| "Invoice".to_owned());
        assert_eq!(only(&a, &identifier, 4).ipm_subject, kept);
        a.work();
        assert!(tracked(&a, &identifier).iter().skip(1).all(|record| record.ipm_subject.is_none()));
    }
}

#[test]
fn event_5_probe_submit() {
    let about = About {
        rank: Rank::Urgent,
        originator: user("alice", "A").to_string(),
        recipients: vec![user("bob", "B").to_string()],
        subject: None,
        ipm_subject: None,
    };
    let (mts_identifier, about) = (foreign_id("5"), Some(Box::new(about)));
    let a = happened(Effect::Submitted {
        kind: Kind::Probe,
        mts_identifier,
        originator: user("alice", "A").to_string(),
        size: 0,
        recipients: 1,
        about,
    });
    assert_eq!(only(&a, &foreign_id("5"), 5).event, TrackEvent::ProbeSubmitted);
}

#[test]
fn event_6_probe_out() {
    let (a, _, identifier) = probed();
    let record = only(&a, &identifier, 6);
    assert_eq!(record.connector.as_deref(), Some("to-B"));
    assert_eq!(record.recipients, [user("bob", "B").to_string()]);
}

#[test]
fn event_7_message_out() {
    let (a, _, identifier) = sent(ReportRequest::None);
    let record = only(&a, &identifier, 7);
    assert_eq!(record.connector.as_deref(), Some("to-B"));
    assert_eq!((record.recipients, record.size), (vec![user("bob", "B").to_string()], Some(7)));
    assert_eq!(numbers(&a, &identifier), [4, 7]);
}

#[test]
fn event_8_report_out() {
    let (_, b, identifier) = sent(ReportRequest::Delivery);
    let record = only(&b, &report_on(&b, &identifier), 8);
    assert_eq!(record.connector.as_deref(), Some("to-A"));
    assert_eq!(record.subject, Some(identifier.to_string()));
}

#[test]
fn event_9_delivered_names_all_mailboxes_at_once() {
    let mut a = mta_a();
    let identifier = a.submit(&Submission::new(user("alice", "A"), [user("al", "A"), user("amy", "A")]));
    a.work();
    let record = only(&a, &identifier, 9);
    assert_eq!(record.recipients, [user("al", "A").to_string(), user("amy", "A").to_string()]);
    assert_eq!((record.recipient_count, record.size), (2, Some(7)));
}

#[test]
fn event_10_report_delivered() {
    let (a, b, identifier) = sent(ReportRequest::Delivery);
    let report = report_on(&b, &identifier);
    assert_eq!(numbers(&a, &report), [2, 10]);
    assert_eq!(only(&a, &report, 10).recipients, [user("alice", "A").to_string()]);
}

#[test]
fn event_26_dl_expansion() {
    let mut settings = settings("A", &[("C", "C=GB")]);
    let staff = address("CN=staff;O=Acme;P=A;A= ;C=GB");
    let members = [user("al", "A"), user("amy", "A")];
    settings.lists.push(DistributionList::new(staff.clone(), members.iter().cloned().collect()));
    let mut a = Mta::new(settings);
    let identifier = a.submit(&Submission::new(user("alice", "A"), [staff.clone()]));
    a.work();
    let record = only(&a, &identifier, 26);
    assert_eq!(record.recipients, [staff.to_string()]);
    assert_eq!(record.text.as_deref(), Some("to 2 members"));
    assert_eq!(numbers(&a, &identifier), [4, 26, 9]);
}

#[test]
fn event_28_redirected() {
    let mut settings = settings("A", &[("C", "C=GB")]);
    let from = RedirectFrom::Address(user("al", "A"));
    settings.redirections.push(Redirect { from, to: user("amy", "A"), class: RedirectionClass::default() });
    let mut a = Mta::new(settings);
    let identifier = a.submit(&Submission::new(user("alice", "A"), [user("al", "A")]));
    a.work();
    let record = only(&a, &identifier, 28);
    assert_eq!(record.recipients, [user("al", "A").to_string()]);
    assert!(record.text.unwrap().starts_with(&format!("to {}: ", user("amy", "A"))));
    assert_eq!(numbers(&a, &identifier), [4, 28, 9]);
}

#[test]
fn event_29_rerouted() {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB"), ("D", "P=B;A= ;C=GB")]);
    settings.connectors[1].address_space =
        vec![AddressSpaceEntry { space: pattern("P=B;A= ;C=GB"), cost: 50 }];
    let mut a = Mta::new(settings);
    let identifier = a.submit(&submission());
    a.work();
    let (key, record) = a.queue("to-B").remove(0);
    let failure = TransferFailure { kind: TransferFailureKind::RefusedPermanent, text: "no".into() };
    let Failed::Settled(step) = a.agent.transfer_failed(a.now, &a.counter, &key, &record, &failure) else {
        panic!("it stays")
    };
    a.commit(step);
    a.work();
    let record = only(&a, &identifier, 29);
    assert_eq!(record.connector.as_deref(), Some("to-D"));
    assert_eq!(record.text.as_deref(), Some("in place of connector to-B"));
}

#[test]
fn event_31_downgraded() {
    let mut old = settings("A", &[("B", "P=B;A= ;C=GB")]);
    old.connectors[0].conformance = Conformance::Mode1984;
    let (mut a, mut b) = (Mta::new(old), mta_b());
    let mut message = submission();
    message.content_type = mhs::ContentType::P2;
    let identifier = a.submit(&message);
    a.work();
    assert_eq!(a.transfer("to-B", &mut b, "to-A"), 1);
    assert_eq!(only(&a, &identifier, 31).connector.as_deref(), Some("to-B"));
    assert_eq!(numbers(&a, &identifier), [4, 31, 7]);
}

#[test]
fn event_33_report_absorption() {
    let mut a = mta_a();
    let nowhere = address("S=x;O=Acme;A= ;C=FR");
    let message = Submission::new(user("alice", "A"), [nowhere.clone()]);
    let identifier = a.submit(&message.with_report_request(ReportRequest::None));
    a.work();
    let report = report_on(&a, &identifier);
    assert_eq!(numbers(&a, &report), [34, 33]);
    assert_eq!(only(&a, &report, 33).text.as_deref(), Some("its originator did not ask for it"));
    // The recipient has no number of its own, but an entry.
    let record = tracked(&a, &identifier).into_iter().find(|r| r.event == TrackEvent::NonDelivered).unwrap();
    assert_eq!(record.recipients, [nowhere.to_string()]);
}

#[test]
fn event_34_report_generated() {
    let (_, b, identifier) = sent(ReportRequest::Delivery);
    let record = only(&b, &identifier, 34);
    assert_eq!(record.subject, Some(identifier.to_string()));
    assert_eq!(record.text.as_deref(), Some("1 delivered, 0 not delivered"));
    assert_eq!(numbers(&b, &identifier), [0, 9, 34]);
    assert_eq!(numbers(&b, &report_on(&b, &identifier)), [34, 8]);
}

#[test]
fn event_43_unroutable_report_discarded() {
    let mut b = Mta::new(settings("B", &[("A", "P=A;A= ;C=GB")]));
    let nowhere = address("S=x;O=Acme;A= ;C=FR");
    b.receive_message("to-A", &foreign("1", &[(&nowhere, 0xE8)]));
    b.work();
    let report = report_on(&b, &foreign_id("1"));
    assert_eq!(numbers(&b, &report), [34, 43]);
}

#[test]
fn events_50_51_and_52_admin_deleted() {
    for (kind, number) in [(Kind::Message, 50), (Kind::Probe, 51), (Kind::Report, 52)] {
        let (mts_identifier, why) = (foreign_id("x"), Discard::Deleted);
        let a = happened(Effect::Discarded { kind, mts_identifier, why });
        assert_eq!(numbers(&a, &foreign_id("x")), [number]);
    }
}

#[test]
fn a_message_that_nobody_here_is_responsible_for_is_accounted_for() {
    let mut b = mta_b();
    b.receive_message("to-A", &foreign("1", &[(&user("bob", "B"), 0x28)]));
    let events: Vec<_> = tracked(&b, &foreign_id("1")).into_iter().map(|record| record.event).collect();
    assert_eq!(events, [TrackEvent::MessageIn, TrackEvent::Discarded]);
}

#[test]
fn a_suppressed_repetition_leaves_no_entry() {
    let mut b = mta_b();
    let message = mhs::p1::Message::new(foreign("1", &[(&user("bob", "B"), 0xA8)]), b"content".to_vec());
    let apdu = MtsApdu::Message(Box::new(message)).to_octets();
    b.receive("to-A", &apdu).unwrap();
    b.receive("to-A", &apdu).unwrap_err();
    assert_eq!(numbers(&b, &foreign_id("1")), [0]);
}

#[test]
fn nothing_is_kept_when_tracking_is_off_and_what_was_kept_goes() {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB")]);
    let mut a = Mta::new(settings.clone());
    a.submit(&submission());
    settings.mta.tracking_days = 0;
    a.agent = agent::Agent::new(settings).unwrap();
    let identifier = a.submit(&submission());
    a.work();
    assert!(tracked(&a, &identifier).is_empty());
    assert_eq!(a.scan(TRACK, b"").len(), 1);
    assert_eq!(forget(&mut a, 1_000), (1, true));
    assert!(a.scan(TRACK, b"").is_empty());
}

/// Forgets a portion; tells how many went and whether there may be more.
fn forget(a: &mut Mta, most: usize) -> (usize, bool) {
    let mut keys: Vec<Vec<u8>> = a.scan(TRACK, b"").into_iter().map(|(key, _)| key).collect();
    let kept = keys.len() as u64;
    keys.truncate(most);
    let (step, more) = a.agent.forget_tracking(a.now, kept, keys.iter().map(Vec::as_slice));
    let gone = step.batch.len();
    a.spool.commit(step.batch).wait().unwrap();
    (gone, more)
}

#[test]
fn entries_go_in_portions_when_they_are_seven_days_old_and_not_before() {
    let mut a = mta_a();
    let old: Vec<_> = (0..5).map(|_| a.submit(&submission())).collect();
    a.now = a.now.plus_seconds(7 * 86_400);
    let young = a.submit(&submission());
    assert_eq!(forget(&mut a, 1_000), (0, false), "what is seven days old is kept to the end of the hour");
    a.now = a.now.plus_seconds(3_600);
    assert_eq!(forget(&mut a, 3), (3, true));
    assert_eq!(forget(&mut a, 3), (2, false));
    assert!(old.iter().all(|identifier| tracked(&a, identifier).is_empty()));
    assert_eq!(numbers(&a, &young), [4]);
}

#[test]
fn the_oldest_entries_go_in_portions_when_there_are_too_many() {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB")]);
    settings.mta.tracking_entries = 1_000;
    let mut a = Mta::new(settings);
    let old: Vec<_> = (0..5).map(|_| a.submit(&submission())).collect();
    a.now = a.now.plus_seconds(3_600);
    let young: Vec<_> = (0..995).map(|_| a.submit(&submission())).collect();
    assert_eq!(forget(&mut a, 3), (0, false), "as many as there may be");
    young.iter().take(4).for_each(|_| drop(a.submit(&submission())));
    assert_eq!(forget(&mut a, 3), (3, true));
    assert_eq!(forget(&mut a, 3), (1, false));
    let left = old.iter().filter(|identifier| !tracked(&a, identifier).is_empty()).count();
    assert_eq!(left, 1);
    assert!(young.iter().all(|identifier| numbers(&a, identifier) == [4]));
}

#[test]
fn what_a_step_adds_is_bounded() {
    let redirected = |n: u32| Effect::Redirected {
        mts_identifier: foreign_id("1"),
        from: format!("S={n};C=GB"),
        to: "\u{e4}".repeat(10_000),
        reason: mhs::codes::RedirectionReason::RECIPIENT_ASSIGNED,
    };
    let delivered = |n: u32| Effect::Delivered {
        kind: Kind::Message,
        mailbox: format!("S={n};C=GB"),
        sequence: n.into(),
        mts_identifier: foreign_id("2"),
        size: 1,
    };
    let a = mta_a();
    let mut step = Step::default();
    step.effects.extend((0..30_000).map(delivered).chain((0..30_000).map(redirected)));
    assert_eq!(a.agent.track(a.now, &a.counter, &mut step).records, 1_024);
    assert_eq!(step.batch.len(), 1_024);
    assert!(step.batch.octets() < 1 << 20, "{}", step.batch.octets());
    a.spool.commit(step.batch).wait().unwrap();
    let record = only(&a, &foreign_id("2"), 9);
    assert_eq!((record.recipients.len(), record.recipient_count), (32, 30_000));
}
