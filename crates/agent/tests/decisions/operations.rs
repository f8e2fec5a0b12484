use agent::record::{HELD, HeldKey, OUTBOUND, OutboundKey, RESUME, Rank, WORK, held_prefix};
use agent::settings::AddressSpaceEntry;
use agent::{
    CopyRecord, Departure, Discard, Effect, Kind, Operated, Operation, OperationRefused, QueuedCopy,
    Submission, TrackEvent,
};
use mhs::p1::{ReportType, RoutingAction};
use spool::{Batch, Space, Spool, block_on};

use crate::bench::{Mta, NOW, envelope_of, foreign, mta_a, pattern, settings, user};

const DELETE: Operation = Operation::Delete { report: true };

fn copies(mta: &Mta, space: Space) -> Vec<QueuedCopy> {
    let stored = mta.scan(space, b"").into_iter();
    stored.map(|(key, value)| QueuedCopy::decode(space, &key, &value).unwrap().unwrap()).collect()
}

fn only(mta: &Mta, space: Space) -> QueuedCopy {
    let mut found = copies(mta, space);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn operate(mta: &mut Mta, copy: &QueuedCopy, operation: &Operation) -> Result<(), OperationRefused> {
    let ask =
        |mta: &Mta, content: Option<&[u8]>| mta.agent.operate(mta.moment(), copy, operation, content, false);
    let step = match ask(mta, None)? {
        Operated::Done(step) => step,
        Operated::ContentWanted { body, length } => {
            let content = block_on(mta.spool.read_body(body, 0, length)).unwrap();
            match ask(mta, Some(&content))? {
                Operated::Done(step) => step,
                Operated::ContentWanted { .. } => panic!("the content was given"),
            }
        }
    };
    mta.commit(step);
    Ok(())
}

/// A message of alice's that waits for B.
fn queued() -> Mta {
    let mut a = mta_a();
    a.submit(&Submission::new(user("alice", "A"), [user("bob", "B")]));
    a.work();
    a
}

/// The same, with a dearer connector D to the same place.
fn with_backup() -> Mta {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "P=C;A= ;C=GB"), ("D", "P=D;A= ;C=GB")]);
    settings.connectors[2].address_space.push(AddressSpaceEntry { space: pattern("P=B;A= ;C=GB"), cost: 50 });
    let mut a = Mta::new(settings);
    a.submit(&Submission::new(user("alice", "A"), [user("bob", "B"), user("dan", "D")]));
    a.work();
    a
}

fn tracked(mta: &Mta, event: TrackEvent) -> usize {
    use agent::TrackRecord;
    use agent::record::{Record, TRACK};
    let records = mta.scan(TRACK, b"").into_iter();
    records.filter(|(_, value)| TrackRecord::decode(value).unwrap().event == event).count()
}

#[test]
fn a_message_deleted_with_a_report_is_reported_on_and_gone() {
    let mut a = queued();
    let copy = only(&a, OUTBOUND);
    operate(&mut a, &copy, &DELETE).unwrap();
    assert!(copies(&a, OUTBOUND).is_empty());
    a.work();
    let report = a.reports_in(&user("alice", "A")).remove(0);
    let fields = &report.content.per_recipient_fields[0];
    assert_eq!(fields.actual_recipient_name.to_string(), user("bob", "B").to_string());
    let ReportType::NonDelivery(_) = fields.last_trace_information.report_type else {
        panic!("{fields:?} is no non-delivery")
    };
    // unable-to-transfer, unable-to-complete-transfer
    assert_eq!(a.non_delivered(), [(1, 48, user("bob", "B").to_string())]);
    assert_eq!(a.spool.stats().bodies, 0);
    assert_eq!((tracked(&a, TrackEvent::MessageDeleted), tracked(&a, TrackEvent::ReportGenerated)), (1, 2));
    let left = |e: &Effect| matches!(e, Effect::Dequeued { why: Departure::Deleted, .. });
    assert!(a.effects.iter().any(left));
}

#[test]
fn a_message_deleted_without_a_report_leaves_nothing() {
    let mut a = queued();
    let copy = only(&a, OUTBOUND);
    operate(&mut a, &copy, &Operation::Delete { report: false }).unwrap();
    a.work();
    assert!(a.mailbox(&user("alice", "A")).is_empty());
    assert_eq!(a.spool.stats().bodies, 0);
    assert_eq!(tracked(&a, TrackEvent::MessageDeleted), 1);
    // A second operator, who saw the same list, deletes nothing else.
    let again = a.agent.operate(a.moment(), &copy, &DELETE, None, false).unwrap();
    let Operated::Done(step) = again else { panic!("no content is wanted") };
    a.try_commit(step).unwrap_err();
    assert!(copies(&a, WORK).is_empty(), "and reports nothing");
}

#[test]
fn only_the_recipients_of_the_deleted_copy_are_reported_on() {
    let mut a = mta_a();
    a.submit(&Submission::new(user("alice", "A"), [user("bob", "B"), user("carol", "C")]));
    a.work();
    let to_b = copies(&a, OUTBOUND).into_iter().find(|copy| copy.connector() == Some("to-B")).unwrap();
    operate(&mut a, &to_b, &DELETE).unwrap();
    assert_eq!(a.non_delivered(), [(1, 48, user("bob", "B").to_string())]);
    assert_eq!((a.queue("to-C").len(), a.spool.stats().bodies), (1, 1), "the other copy keeps the content");
}

#[test]
fn a_report_on_a_deletion_returns_the_content_to_who_wants_it() {
    let mut a = mta_a();
    let mut submission = Submission::new(user("alice", "A"), [user("bob", "B")]);
    submission.return_content = true;
    a.submit(&submission);
    a.work();
    let copy = only(&a, OUTBOUND);
    operate(&mut a, &copy, &DELETE).unwrap();
    a.work();
    let report = a.reports_in(&user("alice", "A")).remove(0);
    assert_eq!(
        report.content.returned_content.as_deref().map(|content| content.to_vec()),
        Some(b"content".to_vec())
    );
}

#[test]
fn a_report_is_deleted_without_a_report() {
    let mut a = mta_a();
    // Every bit: a delivery report goes back to X, by way of C.
    let mut envelope = foreign("1", &[(&user("alice", "A"), 0xFE)]);
    envelope.originator_name = user("origin", "C").into();
    a.receive_message("to-C", &envelope);
    a.work();
    let copy = only(&a, OUTBOUND);
    assert_eq!(copy.item().kind(), "report");
    operate(&mut a, &copy, &DELETE).unwrap();
    assert!(copies(&a, OUTBOUND).is_empty() && copies(&a, WORK).is_empty());
    assert_eq!(tracked(&a, TrackEvent::ReportDeleted), 1);
    let deleted =
        |e: &Effect| matches!(e, Effect::Discarded { kind: Kind::Report, why: Discard::Deleted, .. });
    assert!(a.effects.iter().any(deleted));
}

#[test]
fn what_is_not_routed_yet_can_be_deleted_and_held() {
    let mut a = mta_a();
    let mut submission = Submission::new(user("alice", "A"), [user("bob", "B")]);
    submission.deferred = Some(NOW.plus_seconds(3_600));
    a.submit(&submission);
    assert_eq!(a.work().len(), 1, "it is deferred");
    let copy = only(&a, WORK);
    operate(&mut a, &copy, &Operation::Hold).unwrap();
    a.now = NOW.plus_seconds(7_200);
    assert!(a.work().is_empty() && a.queue("to-B").is_empty(), "held beyond its time");
    let held = only(&a, HELD);
    assert!(held.is_held && held.connector().is_none());
    assert_eq!(held.number(), copy.number());
    for operation in [Operation::Move { to: "to-B".into() }, Operation::Priority(Rank::Urgent)] {
        assert_eq!(operate(&mut a, &held, &operation), Err(OperationRefused::NotRouted));
    }
    operate(&mut a, &held, &Operation::Release).unwrap();
    assert_ne!(only(&a, WORK).number(), copy.number(), "whoever looked at the old one finds nothing");
    a.work();
    let queued = only(&a, OUTBOUND);
    operate(&mut a, &queued, &DELETE).unwrap();
    assert_eq!(a.non_delivered().len(), 1);
}

#[test]
fn what_is_held_is_in_no_queue_and_comes_back_where_it_was() {
    let mut a = queued();
    let copy = only(&a, OUTBOUND);
    let (_, key) = copy.place();
    let mut interrupted = Batch::default();
    interrupted.put(RESUME, key.clone(), b"point".to_vec());
    a.spool.commit(interrupted).wait().unwrap();
    operate(&mut a, &copy, &Operation::Hold).unwrap();
    assert!(copies(&a, OUTBOUND).is_empty() && a.scan(RESUME, b"").is_empty());
    assert_eq!(a.scan(HELD, &held_prefix("to-B")).len(), 1);
    assert!(a.scan(HELD, &held_prefix("to-")).is_empty());
    assert_eq!(a.spool.stats().bodies, 1);
    let held = only(&a, HELD);
    assert_eq!(held, QueuedCopy { is_held: true, ..copy.clone() });
    assert_eq!(operate(&mut a, &held, &Operation::Hold), Err(OperationRefused::Held));
    assert_eq!(operate(&mut a, &held, &Operation::Reroute), Err(OperationRefused::Held));
    operate(&mut a, &held, &Operation::Release).unwrap();
    assert_eq!(only(&a, OUTBOUND), copy);
    assert_eq!(operate(&mut a, &copy, &Operation::Release), Err(OperationRefused::NotHeld));
    let told = |wanted: fn(&Effect) -> bool| a.effects.iter().filter(|effect| wanted(effect)).count();
    assert_eq!(told(|e| matches!(e, Effect::Queued { .. })), 2);
    assert_eq!(told(|e| matches!(e, Effect::Dequeued { why: Departure::Held, .. })), 1);
    assert_eq!(told(|e| matches!(e, Effect::Held { .. })), 1);
    assert_eq!(told(|e| matches!(e, Effect::HeldNoMore { .. })), 1);
}

#[test]
fn a_held_message_can_be_deleted_and_moved() {
    let mut a = queued();
    let copy = only(&a, OUTBOUND);
    operate(&mut a, &copy, &Operation::Hold).unwrap();
    let held = only(&a, HELD);
    operate(&mut a, &held, &Operation::Move { to: "to-C".into() }).unwrap();
    let held = only(&a, HELD);
    assert_eq!((held.connector(), held.number()), (Some("to-C"), copy.number()));
    operate(&mut a, &held, &Operation::Priority(Rank::NonUrgent)).unwrap();
    let held = only(&a, HELD);
    assert_eq!(held.rank(), Rank::NonUrgent);
    operate(&mut a, &held, &DELETE).unwrap();
    assert_eq!((a.scan(HELD, b"").len(), a.spool.stats().bodies), (0, 0));
    assert_eq!(a.non_delivered().len(), 1);
}

#[test]
fn a_moved_message_is_like_one_that_was_rerouted() {
    let mut a = with_backup();
    let copy = copies(&a, OUTBOUND).into_iter().find(|copy| copy.connector() == Some("to-B")).unwrap();
    // The address space of to-C has nothing to do with it.
    operate(&mut a, &copy, &Operation::Move { to: "to-C".into() }).unwrap();
    assert!(a.queue("to-B").is_empty());
    let (key, record) = a.queue("to-C").remove(0);
    assert_eq!(a.sequence_of(&key), copy.number());
    assert_eq!(record.exhausted, ["to-B"], "it does not come back by itself");
    let envelope = envelope_of(&record.item);
    assert_eq!(envelope.trace_information[0].routing_action, RoutingAction::Rerouted);
    let bits: Vec<bool> = envelope.per_recipient_fields.iter().map(|r| r.responsibility()).collect();
    assert_eq!(bits, [true, false]);
    assert_eq!(tracked(&a, TrackEvent::Rerouted), 1);
    let CopyRecord::Outbound(_, before) = &copy.record else { panic!("{copy:?}") };
    assert_eq!((record.expires, record.arrived), (before.expires, before.arrived));
}

#[test]
fn what_can_not_be_moved_stays() {
    let mut a = with_backup();
    let copy = copies(&a, OUTBOUND).into_iter().find(|copy| copy.connector() == Some("to-B")).unwrap();
    let to = |name: &str| Operation::Move { to: name.to_owned() };
    let mut refused = |name: &str| operate(&mut a, &copy, &to(name)).unwrap_err();
    assert_eq!(refused("to-X"), OperationRefused::NoSuchConnector("to-X".into()));
    assert_eq!(refused("to-B"), OperationRefused::SameQueue("to-B".into()));

    let mut relay = mta_a();
    relay.receive_message("to-C", &foreign("1", &[(&user("bob", "B"), 0xFE)]));
    relay.work();
    let copy = only(&relay, OUTBOUND);
    assert_eq!(operate(&mut relay, &copy, &to("to-C")), Err(OperationRefused::WayBack("to-C".into())));
    assert_eq!(relay.queue("to-B").len(), 1);

    let mut short = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
    short.connectors[1].max_message_size_kb = Some(1);
    let mut a = Mta::new(short);
    let long = a.body(&[0; 1_025]);
    let submission = Submission::new(user("alice", "A"), [user("bob", "B")]);
    let (_, step) = a.agent.submit(NOW, &a.counter, &submission, long).unwrap();
    a.commit(step);
    a.work();
    let copy = only(&a, OUTBOUND);
    assert_eq!(operate(&mut a, &copy, &to("to-C")), Err(OperationRefused::TooLong("to-C".into())));
}

#[test]
fn another_priority_is_another_place_under_the_same_number() {
    let mut a = queued();
    let copy = only(&a, OUTBOUND);
    assert_eq!(
        operate(&mut a, &copy, &Operation::Priority(Rank::Normal)),
        Err(OperationRefused::SamePriority)
    );
    operate(&mut a, &copy, &Operation::Priority(Rank::Urgent)).unwrap();
    let (key, record) = a.queue("to-B").remove(0);
    let key = OutboundKey::parse(&key).unwrap();
    assert_eq!((key.rank, key.sequence), (Rank::Urgent, copy.number()));
    let CopyRecord::Outbound(_, before) = copy.record else { panic!("outbound") };
    assert_eq!(record, before, "what its originator wants is not changed");
}

#[test]
fn a_drained_message_takes_another_way_if_there_is_one() {
    let mut a = with_backup();
    let copy = copies(&a, OUTBOUND).into_iter().find(|copy| copy.connector() == Some("to-B")).unwrap();
    operate(&mut a, &copy, &Operation::Reroute).unwrap();
    a.work();
    assert!(a.queue("to-B").is_empty());
    assert_eq!(a.queue("to-D").len(), 2, "its own and the one that came over");
    assert_eq!(a.non_delivered(), []);

    // There is none for this one: it stays, and nobody is told that it failed.
    let mut a = with_backup();
    a.submit(&Submission::new(user("alice", "A"), [user("carol", "C")]));
    a.work();
    let copy = copies(&a, OUTBOUND).into_iter().find(|copy| copy.connector() == Some("to-C")).unwrap();
    let why = operate(&mut a, &copy, &Operation::Reroute).unwrap_err();
    assert!(matches!(&why, OperationRefused::NoOtherWay(_)), "{why}");
    assert_eq!(a.queue("to-C").len(), 1);
    assert_eq!(a.non_delivered(), []);
}

#[test]
fn a_drained_report_stays_if_there_is_no_other_way() {
    let mut a = mta_a();
    let mut envelope = foreign("1", &[(&user("alice", "A"), 0xFE)]);
    envelope.originator_name = user("origin", "C").into();
    a.receive_message("to-C", &envelope);
    a.work();
    let copy = only(&a, OUTBOUND);
    let why = operate(&mut a, &copy, &Operation::Reroute).unwrap_err();
    assert!(matches!(&why, OperationRefused::NoOtherWay(_)), "{why}");
    assert_eq!(a.queue("to-C").len(), 1);
}

#[test]
fn keys_of_what_is_held_are_taken_apart() {
    let a = queued();
    let copy = only(&a, OUTBOUND);
    let (_, key) = QueuedCopy { is_held: true, ..copy.clone() }.place();
    let CopyRecord::Outbound(there, _) = copy.record else { panic!("outbound") };
    assert_eq!(HeldKey::parse(&key), Some(HeldKey::Outbound(there)));
    for odd in [&b""[..], &[1], &[3, 0, 0, 0, 0, 0, 0, 0, 0, 1], &[2, 0]] {
        assert_eq!(HeldKey::parse(odd), None, "{odd:?}");
        assert_eq!(QueuedCopy::decode(HELD, odd, b"").unwrap(), None);
    }
}
