//! Schedules and holds: what they keep back, and what they let pass.

use super::tests::{Bench, at, opened, settings};
use super::*;
use crate::settings::Schedule;

/// A connector that opens at selected times; which they are is told by events.
fn scheduled() -> ConnectorSettings {
    let mut settings = settings();
    settings.activation = Activation::SelectedTimes(Schedule::default());
    settings
}

fn quarter(bench: &mut Bench, active: bool) -> Vec<PolicyAction> {
    bench.tell(PolicyEvent::Schedule { active })
}

#[test]
fn outside_its_times_a_connector_opens_nothing_whatever_waits() {
    let mut bench = Bench::new(&scheduled());
    assert_eq!(bench.queue(5, 500), []);
    assert_eq!(bench.policy.state(), ConnectorState::Scheduled);
    assert_eq!(bench.policy.deadline(), None);
    opened(&quarter(&mut bench, true));
}

#[test]
fn when_a_time_ends_what_is_in_transfer_is_finished_and_the_association_closed() {
    let mut bench = Bench::new(&scheduled());
    quarter(&mut bench, true);
    let first = opened(&bench.queue(0, 3));
    bench.tell(PolicyEvent::Opened(first));
    bench.tell(PolicyEvent::Busy(first));
    assert_eq!(quarter(&mut bench, true), [], "one quarter after the other");
    assert_eq!(quarter(&mut bench, false), []);
    assert_eq!(bench.idle(first, true), [PolicyAction::Close(first)]);
    bench.end(first, true);
    assert_eq!(bench.policy.state(), ConnectorState::Scheduled);
}

#[test]
fn an_attempt_to_open_ends_with_the_time() {
    let mut bench = Bench::new(&scheduled());
    quarter(&mut bench, true);
    let first = opened(&bench.queue(0, 1));
    assert_eq!(quarter(&mut bench, false), [PolicyAction::Close(first)]);
}

#[test]
fn the_peer_may_connect_at_any_time_and_is_sent_what_waits() {
    let mut two_way = scheduled();
    two_way.two_way_alternate = true;
    let mut bench = Bench::new(&two_way);
    bench.queue(0, 1);
    let peer = bench.policy.reserve_id();
    assert_eq!(bench.tell(PolicyEvent::InboundOpened(peer)), []);
    assert_eq!(bench.policy.state(), ConnectorState::Active);
    assert_eq!(quarter(&mut bench, false), []);
}

#[test]
fn at_a_selected_time_a_two_way_connector_calls_even_if_nothing_waits() {
    let mut two_way = scheduled();
    assert_eq!(quarter(&mut Bench::new(&two_way), true), [], "in a monologue the peer can't send");
    two_way.two_way_alternate = true;
    let mut bench = Bench::new(&two_way);
    let first = opened(&quarter(&mut bench, true));
    bench.fail(first);
    let second = opened(&bench.wait(600));
    bench.tell(PolicyEvent::Opened(second));
    assert_eq!(bench.wait(300), [PolicyAction::Close(second)], "its lifetime is that of any other");
    bench.end(second, true);
    assert_eq!(bench.wait(10), [], "once a quarter of an hour");
    opened(&quarter(&mut bench, true));
    two_way.call_at_selected_times = false;
    assert_eq!(quarter(&mut Bench::new(&two_way), true), []);
}

#[test]
fn urgent_mail_ignores_the_schedule_only_if_told_so_and_nothing_else_goes_with_it() {
    let mut urgent = scheduled();
    assert_eq!(Bench::new(&urgent).queue(1, 0), []);
    urgent.urgent_ignores_schedule = true;
    let mut bench = Bench::new(&urgent);
    assert_eq!(bench.queue(0, 9), []);
    let actions = bench.queue(1, 9);
    let [PolicyAction::Open { association, urgent_only: true }] = actions[..] else { panic!("{actions:?}") };
    bench.tell(PolicyEvent::Opened(association));
    bench.tell(PolicyEvent::Busy(association));
    assert_eq!(bench.queue(0, 9), []);
    assert_eq!(bench.idle(association, true), []);
    assert_eq!(bench.wait(300), [PolicyAction::Close(association)], "it ends with its lifetime");
}

#[test]
fn an_urgent_association_outside_the_schedule_needs_no_second_place() {
    let mut urgent = scheduled();
    urgent.urgent_ignores_schedule = true;
    urgent.association.max_associations = 1;
    let mut bench = Bench::new(&urgent);
    let actions = bench.queue(1, 0);
    assert!(matches!(actions[..], [PolicyAction::Open { urgent_only: true, .. }]), "{actions:?}");
}

#[test]
fn an_operator_may_have_a_connection_made_outside_the_schedule() {
    let mut bench = Bench::new(&scheduled());
    let forced = opened(&bench.tell(PolicyEvent::ConnectNow));
    bench.tell(PolicyEvent::Opened(forced));
    assert_eq!(bench.queue(0, 4), [], "it is used for what waits");
    assert_eq!(quarter(&mut bench, false), []);
    bench.queue(0, 0);
    assert_eq!(bench.wait(300), [PolicyAction::Close(forced)]);
}

/// Only an operator overrules a schedule: a peer that has to be called for what it interrupted is called in time or not at all.
#[test]
fn what_the_peer_interrupted_does_not_outlive_the_selected_time() {
    let mut bench = Bench::new(&scheduled());
    quarter(&mut bench, true);
    let first = opened(&bench.queue(0, 1));
    bench.tell(PolicyEvent::Opened(first));
    bench.queue(0, 0);
    let until = at(3_600);
    bench.tell(PolicyEvent::Interrupted { association: first, until, theirs: true, further: true });
    let second = opened(&bench.end(first, false));
    assert_eq!(quarter(&mut bench, false), [PolicyAction::Close(second)]);
    bench.fail(second);
    assert_eq!(bench.wait(600), []);
}

#[test]
fn what_the_peer_interrupted_opens_nothing_after_the_selected_time() {
    let mut bench = Bench::new(&scheduled());
    quarter(&mut bench, true);
    let first = opened(&bench.queue(0, 1));
    bench.tell(PolicyEvent::Opened(first));
    bench.queue(0, 0);
    let until = at(3_600);
    bench.tell(PolicyEvent::Interrupted { association: first, until, theirs: true, further: false });
    assert_eq!(quarter(&mut bench, false), [PolicyAction::Close(first)]);
    assert_eq!(bench.end(first, false), []);
    assert_eq!(bench.wait(600), []);
}

#[test]
fn a_queue_is_held_until_enough_messages_or_octets_wait() {
    let mut held = settings();
    held.hold.until_messages = 5;
    held.hold.until_kb = 100;
    let mut bench = Bench::new(&held);
    assert_eq!(bench.queue(1, 3), [], "urgent mail is held as well");
    assert_eq!(bench.policy.state(), ConnectorState::Held);
    opened(&bench.queue(1, 4));
    let mut bench = Bench::new(&held);
    let octets = |octets| PolicyEvent::Queue { urgent: 0, other: 1, queued: 1, octets };
    assert_eq!(bench.tell(octets(100 * 1024 - 1)), []);
    let first = opened(&bench.tell(octets(100 * 1024)));
    bench.tell(PolicyEvent::Opened(first));
    assert_eq!(bench.queue(0, 1), [], "what is open is used");
    assert_eq!(bench.policy.state(), ConnectorState::Active);
}

#[test]
fn urgent_mail_a_resumption_and_an_operator_overrule_a_hold() {
    let mut held = settings();
    held.hold.until_messages = 50;
    opened(&Bench::new(&held).tell(PolicyEvent::ConnectNow));
    let mut bench = Bench::new(&held);
    bench.queue(0, 1);
    let association = AssociationId(77);
    let until = at(60);
    opened(&bench.tell(PolicyEvent::Interrupted { association, until, theirs: false, further: true }));
    held.hold.urgent_overrides = true;
    let mut bench = Bench::new(&held);
    assert_eq!(bench.queue(0, 49), []);
    opened(&bench.queue(1, 0));
}
