use std::time::Duration;

use agent::record::{Item, OutboundRecord, Record};
use agent::settings::AddressSpaceEntry;
use agent::{Departure, Effect, Failed, NotCarried, Submission, TransferFailure, TransferFailureKind};
use mhs::MtaName;
use mhs::p1::{Attempted, ReportType, RoutingAction};
use spool::Spool;

use crate::bench::{Mta, envelope_of, foreign, mta_a, pattern, settings, user};

fn failure(kind: TransferFailureKind) -> TransferFailure {
    TransferFailure { kind, text: "the peer aborted".into() }
}

fn fail(a: &mut Mta, kind: TransferFailureKind) -> Option<Duration> {
    let (key, record) = a.queue("to-B").remove(0);
    match a.agent.transfer_failed(a.now, &a.counter, &key, &record, &failure(kind)) {
        Failed::Retry { step, after, record } => {
            a.commit(step);
            assert_eq!(a.queue("to-B")[0].1, *record);
            Some(after)
        }
        Failed::Settled(step) => {
            a.commit(step);
            a.work();
            None
        }
    }
}

fn queued() -> Mta {
    let mut a = mta_a();
    a.submit(&Submission::new(user("alice", "A"), [user("bob", "B")]));
    a.work();
    a
}

/// A connector with the same address space as to-B, dearer.
fn with_backup() -> Mta {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB"), ("D", "P=B;A= ;C=GB")]);
    settings.connectors[2].address_space =
        vec![AddressSpaceEntry { space: pattern("P=B;A= ;C=GB"), cost: 50 }];
    settings.connectors[0].remote_domain = Some("C=GB;A= ;P=B".parse().unwrap());
    let mut a = Mta::new(settings);
    a.submit(&Submission::new(user("alice", "A"), [user("bob", "B"), user("dan", "D")]));
    a.work();
    a
}

#[test]
fn a_failed_transfer_is_repeated_twice_and_then_reported() {
    let mut a = queued();
    for _ in 0..2 {
        assert_eq!(fail(&mut a, TransferFailureKind::Interrupted), Some(Duration::from_secs(120)));
    }
    assert_eq!(a.queue("to-B")[0].1.last_failure.as_deref(), Some("the peer aborted"));
    assert_eq!(fail(&mut a, TransferFailureKind::TimedOut), None);
    assert_eq!(a.non_delivered(), [(0, 49, user("bob", "B").to_string())]);
    let report = &a.reports_in(&user("alice", "A"))[0];
    let recipient = &report.content.per_recipient_fields[0];
    assert!(matches!(recipient.last_trace_information.report_type, ReportType::NonDelivery(_)));
    assert_eq!(a.spool.stats().bodies, 0);
}

#[test]
fn an_association_lost_before_the_transfer_began_does_not_count() {
    let mut a = queued();
    for _ in 0..100 {
        assert_eq!(fail(&mut a, TransferFailureKind::NotStarted), Some(Duration::ZERO));
        assert_eq!(fail(&mut a, TransferFailureKind::Postponed), Some(Duration::from_secs(120)));
    }
    assert_eq!(a.queue("to-B")[0].1.attempts, 0);
}

#[test]
fn what_the_peer_will_never_take_is_not_repeated() {
    let mut a = queued();
    assert_eq!(fail(&mut a, TransferFailureKind::RefusedPermanent), None);
    assert_eq!(a.non_delivered(), [(0, 48, user("bob", "B").to_string())]);
}

#[test]
fn a_connector_given_up_is_replaced_by_the_next_best_and_the_trace_says_so() {
    let mut a = with_backup();
    assert!(a.queue("to-D").is_empty());
    assert_eq!(fail(&mut a, TransferFailureKind::RefusedPermanent), None);
    let queue = a.queue("to-D");
    let envelope = envelope_of(&queue[0].1.item);
    assert_eq!(envelope.trace_information.len(), 1, "the trace does not grow");
    assert_eq!(envelope.trace_information[0].routing_action, RoutingAction::Rerouted);
    let internal = envelope.extensions.internal_trace().unwrap();
    assert_eq!((internal.len(), internal[0].routing_action), (1, RoutingAction::Rerouted));
    // Both traces name who could not be reached, as far as it is known.
    let attempted = &envelope.trace_information[0].attempted_domain;
    assert_eq!(attempted.as_ref().map(ToString::to_string).as_deref(), Some("C=GB;A= ;P=B"));
    assert_eq!(internal[0].attempted, Some(Attempted::Mta(MtaName::new("MTA-B").unwrap())));
    let bits: Vec<bool> = envelope.per_recipient_fields.iter().map(|r| r.responsibility()).collect();
    assert_eq!(bits, [true, false], "only what the failed copy was responsible for");
    assert!(
        a.effects
            .iter()
            .any(|e| matches!(e, Effect::Rerouted { from, to, .. } if from == "to-B" && to == "to-D"))
    );
    assert_eq!(a.non_delivered(), []);
    // The last way fails too: the codes are those of the last failure.
    let (key, record) = a.queue("to-D").remove(0);
    let step = a.agent.without_connector(a.now, &a.counter, &key, &record, NotCarried::OpenRetriesExhausted);
    a.commit(step);
    a.work();
    assert_eq!(a.non_delivered(), [(0, 2, user("bob", "B").to_string())]);
    assert_eq!(a.queue("to-C").len(), 1, "the other copy is not touched");
}

#[test]
fn a_less_specific_connector_is_no_substitute() {
    let mut a = queued();
    let (key, record) = a.queue("to-B").remove(0);
    let step = a.agent.without_connector(a.now, &a.counter, &key, &record, NotCarried::OpenRetriesExhausted);
    a.commit(step);
    a.work();
    assert!(a.queue("to-C").is_empty());
    assert_eq!(a.non_delivered(), [(0, 2, user("bob", "B").to_string())]);
}

#[test]
fn mail_that_is_too_old_is_reported_and_the_others_stay() {
    let mut a = mta_a();
    for (name, priority) in [("u", mhs::p1::Priority::Urgent), ("n", mhs::p1::Priority::Normal)] {
        let mut submission = Submission::new(user("alice", "A"), [user(name, "B")]);
        submission.priority = priority;
        a.submit(&submission);
    }
    a.work();
    let expire = |a: &mut Mta| {
        for (key, record) in a.queue("to-B") {
            if let Some(step) = a.agent.expired(a.now, &a.counter, &key, &record) {
                a.commit(step);
            }
        }
        a.work();
    };
    a.now = a.now.plus_seconds(2 * 86_400 - 1);
    expire(&mut a);
    assert_eq!(a.queue("to-B").len(), 2);
    a.now = a.now.plus_seconds(1);
    expire(&mut a);
    assert_eq!(a.non_delivered(), [(1, 5, user("u", "B").to_string())]);
    assert_eq!(a.queue("to-B").len(), 1);
    assert!(a.effects.iter().any(|e| matches!(e, Effect::Dequeued { why: Departure::Expired, .. })));
    assert_eq!(a.reports_in(&user("alice", "A")).len(), 1);
}

#[test]
fn an_old_copy_is_not_sent_on_a_detour() {
    let mut a = with_backup();
    a.now = a.now.plus_seconds(30 * 86_400);
    assert_eq!(fail(&mut a, TransferFailureKind::RefusedPermanent), None);
    assert!(a.queue("to-D").is_empty());
    assert_eq!(a.non_delivered(), [(1, 5, user("bob", "B").to_string())]);
}

#[test]
fn an_old_report_is_dropped() {
    let mut a = mta_a();
    a.receive_message("to-C", &foreign("1", &[(&user("nobody", "C"), 0xA8)]));
    a.work();
    let (key, record) = a.queue("to-C").remove(0);
    assert!(matches!(record.item, Item::Report { .. }));
    let later = record.expires;
    assert!(a.agent.expired(later.plus_seconds(-1), &a.counter, &key, &record).is_none());
    let step = a.agent.expired(later, &a.counter, &key, &record).unwrap();
    a.commit(step);
    assert!(a.queue("to-C").is_empty());
    assert!(a.effects.iter().any(|e| matches!(e, Effect::Discarded { why: agent::Discard::Expired, .. })));
}

#[test]
fn reports_are_rerouted_too() {
    let mut settings = settings("A", &[("B", "P=X;A= ;C=GB"), ("C", "C=GB"), ("D", "P=X;A= ;C=GB")]);
    settings.connectors[2].address_space[0].cost = 9;
    let mut a = Mta::new(settings);
    a.receive_message("to-C", &foreign("1", &[(&user("nobody", "Q"), 0xA8)]));
    a.work();
    assert_eq!(fail(&mut a, TransferFailureKind::RefusedPermanent), None);
    assert!(matches!(a.queue("to-D")[0].1.item, Item::Report { .. }));
}

#[test]
fn two_decisions_about_one_copy_exclude_each_other() {
    let mut a = queued();
    let (key, record) = a.queue("to-B").remove(0);
    let sequence = a.sequence_of(&key);
    let first = a.agent.transferred(&key, &record, None);
    let second =
        a.agent.without_connector(a.now, &a.counter, &key, &record, NotCarried::OpenRetriesExhausted);
    a.commit(first);
    assert!(a.try_commit(second).is_err());
    assert!(a.effects.iter().any(|e| matches!(
        e,
        Effect::Dequeued { sequence: s, why: Departure::Transferred, .. } if *s == sequence
    )));
    assert_eq!(a.spool.stats().bodies, 0);
}

#[test]
fn a_copy_whose_envelope_is_damaged_is_put_aside_whole() {
    let mut a = queued();
    let (key, record) = a.queue("to-B").remove(0);
    let Item::Message { body, content_length, .. } = record.item else { panic!("no message") };
    let damaged =
        OutboundRecord { item: Item::Message { envelope: vec![1, 2], body, content_length }, ..record };
    let step = a.agent.expired(damaged.expires, &a.counter, &key, &damaged).unwrap();
    a.commit(step);
    a.work();
    assert!(a.queue("to-B").is_empty());
    let aside = a.scan(agent::record::QUARANTINE, b"");
    let kept = agent::record::WorkRecord::decode(&aside[0].1).unwrap();
    assert_eq!(kept.item, damaged.item);
    assert_eq!(a.spool.stats().bodies, 1, "with its content");
}

#[test]
fn what_waits_for_a_removed_connector_can_be_routed_anew() {
    let mut a = with_backup();
    let (key, record) = a.queue("to-B").remove(0);
    let mut without = a.agent.settings().clone();
    without.connectors.remove(0);
    a.agent = agent::Agent::new(without).unwrap();
    let step = a.agent.without_connector(a.now, &a.counter, &key, &record, NotCarried::Removed);
    a.commit(step);
    a.work();
    assert_eq!(a.queue("to-D").len(), 1);
}
