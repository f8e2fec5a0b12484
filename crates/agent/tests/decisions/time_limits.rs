//! Times that a message carries or that its priority gives it: deferred delivery, latest delivery, age.

use agent::record::{OUTBOUND, OutboundRecord, Record, WORK, WorkRecord};
use agent::settings::MessageTimeouts;
use agent::{Agent, Submission};
use clock::WallTime;
use mhs::UtcTime;
use mhs::p1::{Criticality, ExtensionField, ExtensionType, MessageTransferEnvelope, Priority};

use crate::bench::{Mta, NOW, envelope_of, foreign, mta_a, settings, user};

const DAY: i64 = 86_400;

fn with_latest(mut envelope: MessageTransferEnvelope, latest: WallTime) -> MessageTransferEnvelope {
    let latest = UtcTime::from_wall(latest);
    let value = ber::Writer::encode(|w| w.primitive(ber::Tag::UTC_TIME, latest.octets()));
    envelope.extensions.set(ExtensionField::new(ExtensionType::Standard(5), Criticality::NONE, value));
    envelope
}

/// Has everything reported that is too old in the queue to B.
fn expire(a: &mut Mta) {
    for (key, record) in a.queue("to-B") {
        if let Some(step) = a.agent.expired(a.now, &a.counter, &key, &record) {
            a.commit(step);
        }
    }
    a.work();
}

fn submit(a: &mut Mta, priority: Priority, deferred: Option<WallTime>) {
    let mut submission = Submission::new(user("alice", "A"), [user("bob", "B")]);
    (submission.priority, submission.deferred) = (priority, deferred);
    a.submit(&submission);
}

#[test]
fn each_priority_has_its_age_limit_counted_from_the_deferred_time() {
    for (priority, days) in [(Priority::Urgent, 2), (Priority::Normal, 7), (Priority::NonUrgent, 10)] {
        for deferred in [None, Some(NOW.plus_seconds(30 * DAY))] {
            let mut a = mta_a();
            submit(&mut a, priority, deferred);
            let begins = deferred.unwrap_or(NOW);
            // However old it is, what waits here for its time is not too old.
            a.now = begins.plus_seconds(-1);
            a.work();
            assert_eq!(a.non_delivered(), []);
            a.now = begins;
            a.work();
            a.now = begins.plus_seconds(days * DAY - 1);
            expire(&mut a);
            assert_eq!(a.queue("to-B").len(), 1, "{priority:?} {deferred:?}");
            a.now = begins.plus_seconds(days * DAY);
            expire(&mut a);
            assert_eq!(
                a.non_delivered(),
                [(1, 5, user("bob", "B").to_string())],
                "{priority:?} {deferred:?}"
            );
        }
    }
}

#[test]
fn the_age_limits_are_settings() {
    let mut short = settings("A", &[("B", "P=B;A= ;C=GB")]);
    short.mta.message_timeout = MessageTimeouts { urgent_min: 1, normal_min: 2, non_urgent_min: 3 };
    let mut a = Mta::new(short);
    for priority in [Priority::Urgent, Priority::Normal, Priority::NonUrgent] {
        submit(&mut a, priority, None);
    }
    a.work();
    for left in [2, 1, 0] {
        a.now = a.now.plus_seconds(60);
        expire(&mut a);
        assert_eq!(a.queue("to-B").len(), left);
    }
}

#[test]
fn a_latest_delivery_time_that_passes_in_a_queue_gives_the_report_of_one_that_had_passed() {
    let mut a = mta_a();
    a.receive_message("to-C", &with_latest(foreign("1", &[(&user("bob", "B"), 0xA8)]), NOW.plus_seconds(60)));
    a.work();
    a.now = NOW.plus_seconds(59);
    expire(&mut a);
    assert_eq!(a.non_delivered(), []);
    a.now = NOW.plus_seconds(60);
    expire(&mut a);
    let late = (1, 5, user("bob", "B").to_string());
    assert_eq!(a.non_delivered(), std::slice::from_ref(&late));
    let passed = with_latest(foreign("2", &[(&user("bob", "B"), 0xA8)]), NOW.plus_seconds(59));
    a.receive_message("to-C", &passed);
    a.work();
    assert_eq!(a.non_delivered(), [late.clone(), late]);
    assert_eq!(a.queue("to-C").len(), 2, "two reports");
}

#[test]
fn what_is_held_here_is_held_after_a_restart_too() {
    let mut a = mta_a();
    let tomorrow = NOW.plus_seconds(DAY);
    submit(&mut a, Priority::Normal, Some(tomorrow));
    a.work();
    // Nothing but the store is left of the MTA.
    let mut after = Mta { agent: Agent::new(a.agent.settings().clone()).unwrap(), ..mta_a() };
    after.spool = a.spool;
    after.now = tomorrow.plus_seconds(-1);
    assert_eq!(after.work(), [tomorrow]);
    assert!(after.scan(OUTBOUND, b"").is_empty());
    after.now = tomorrow;
    assert_eq!(after.work(), []);
    let queued = OutboundRecord::decode(&after.scan(OUTBOUND, b"")[0].1).unwrap();
    assert_eq!(queued.expires, tomorrow.plus_seconds(7 * DAY));
}

#[test]
fn a_peer_that_defers_itself_gets_deferred_mail_at_once_and_the_others_wait() {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB"), ("C", "C=GB")]);
    settings.connectors[0].pass_on_deferred = true;
    let mut a = Mta::new(settings);
    let tomorrow = NOW.plus_seconds(DAY);
    let to = [user("bob", "B"), user("carl", "C"), user("al", "A"), user("nobody", "B")];
    let mut submission = Submission::new(user("alice", "A"), to.clone());
    submission.deferred = Some(tomorrow);
    a.submit(&submission);
    assert_eq!(a.work(), [tomorrow]);
    let queue = a.queue("to-B");
    assert_eq!(queue.len(), 1);
    let envelope = envelope_of(&queue[0].1.item);
    let ours = envelope.per_recipient_fields.iter().map(|recipient| recipient.responsibility());
    assert_eq!(ours.collect::<Vec<_>>(), [true, false, false, true]);
    assert_eq!(envelope.deferred_delivery_time.unwrap().to_wall(), Some(tomorrow));
    assert!(envelope.trace_information[0].additional.deferred_time.is_none(), "it was not held here");
    assert_eq!(queue[0].1.expires, tomorrow.plus_seconds(7 * DAY));
    assert!(a.queue("to-C").is_empty() && a.mailbox(&to[2]).is_empty());
    let held = a.scan(WORK, b"");
    assert_eq!(held.len(), 1);
    let held = envelope_of(&WorkRecord::decode(&held[0].1).unwrap().item);
    let left = held.per_recipient_fields.iter().map(|recipient| recipient.responsibility());
    assert_eq!(left.collect::<Vec<_>>(), [false, true, true, false]);
    a.now = tomorrow;
    assert_eq!(a.work(), []);
    assert_eq!((a.queue("to-B").len(), a.queue("to-C").len(), a.mailbox(&to[2]).len()), (1, 1, 1));
}

#[test]
fn nothing_is_judged_of_what_is_held_before_its_time() {
    let mut settings = settings("A", &[("B", "P=B;A= ;C=GB")]);
    settings.connectors[0].pass_on_deferred = true;
    let mut a = Mta::new(settings);
    let mut submission = Submission::new(user("alice", "A"), [user("bob", "B"), user("nobody", "Q")]);
    submission.deferred = Some(NOW.plus_seconds(DAY));
    a.submit(&submission);
    a.work();
    assert_eq!(a.non_delivered(), [], "Q may be known by tomorrow");
    assert_eq!(a.queue("to-B").len(), 1);
    a.now = NOW.plus_seconds(DAY);
    a.work();
    assert_eq!(a.non_delivered(), [(1, 0, user("nobody", "Q").to_string())]);
}
