//! Which of several connectors is used, and what follows when one can't be opened.

use agent::record::{Item, OutboundRecord, RESUME};
use agent::settings::{
    Activation, AddressSpaceEntry, AgentSettings, Redirect, RedirectFrom, RelayTo, Schedule,
};
use agent::{
    Agent, Effect, Kind, Moment, NotCarried, RouteDecision, RouteFailure, RouteQuestion, Submission,
};
use clock::WallTime;
use mhs::ContentType;
use mhs::p1::RoutingAction;
use spool::Spool;

use crate::bench::{Mta, NOW, envelope_of, foreign, pattern, settings, user};

/// A, with connectors to B1, B2 and so on for `P=B`, at these costs.
fn ways(costs: &[u8]) -> AgentSettings {
    let names = ["B1", "B2", "B3", "B4"];
    let spaces: Vec<_> = names.into_iter().take(costs.len()).map(|name| (name, "P=B;A= ;C=GB")).collect();
    let mut settings = settings("A", &spaces);
    for (connector, &cost) in settings.connectors.iter_mut().zip(costs) {
        connector.address_space = vec![AddressSpaceEntry { space: pattern("P=B;A= ;C=GB"), cost }];
    }
    settings
}

fn times(text: &str) -> Activation {
    let mut schedule = Schedule::EMPTY;
    schedule.select(text).unwrap();
    Activation::SelectedTimes(schedule)
}

fn order(a: &Mta) -> Vec<String> {
    order_at(a, a.now)
}

fn order_at(a: &Mta, now: WallTime) -> Vec<String> {
    let moment = Moment { now, ..a.moment() };
    match a.agent.route_now(&user("bob", "B"), RouteQuestion::default(), moment).decision {
        RouteDecision::Connectors(names) => names,
        other => panic!("{other:?}"),
    }
}

fn submit(a: &mut Mta) {
    a.submit(&Submission::new(user("alice", "A"), [user("bob", "B")]));
    a.work();
}

/// The connector could not be opened: what waits for it may go another way. Tells how much does.
fn fail_open(a: &mut Mta, connector: &'static str, failures: u32) -> usize {
    if !a.links.0.contains(&connector) {
        a.links.0.push(connector);
    }
    let mut moved = 0;
    for (key, record) in a.queue(connector) {
        if let Some(step) = a.agent.rerouted(a.moment(), &key, &record, failures) {
            a.commit(step);
            moved += 1;
        }
    }
    a.work();
    moved
}

fn where_is_it(a: &Mta) -> Vec<&'static str> {
    ["to-B1", "to-B2", "to-B3"].into_iter().filter(|name| !a.queue(name).is_empty()).collect()
}

#[test]
fn a_connector_that_is_active_goes_before_a_cheaper_one_that_is_not() {
    // Sunday, 04:30.
    let mut settings = ways(&[1, 5, 9, 2]);
    settings.connectors[0].activation = times("Mon 08:00-09:00");
    settings.connectors[1].activation = times("Sun 06:00-07:00");
    settings.connectors[3].activation = Activation::Never;
    let a = Mta::new(settings);
    assert_eq!(order(&a), ["to-B3", "to-B2", "to-B1", "to-B4"]);
    let sunday_at_six = NOW.plus_seconds(90 * 60);
    assert_eq!(order_at(&a, sunday_at_six), ["to-B2", "to-B3", "to-B1", "to-B4"]);
    assert_eq!(order_at(&a, NOW.plus_seconds(28 * 3600)), ["to-B1", "to-B3", "to-B2", "to-B4"]);
}

#[test]
fn a_connector_that_waits_after_a_failed_open_is_passed_over_and_used_again_when_it_does_not() {
    let mut a = Mta::new(ways(&[1, 50]));
    a.links.0.push("to-B1");
    submit(&mut a);
    assert_eq!(where_is_it(&a), ["to-B2"]);
    a.links.0.clear();
    submit(&mut a);
    assert_eq!((a.queue("to-B1").len(), a.queue("to-B2").len()), (1, 1));
    a.links.0 = vec!["to-B1", "to-B2"];
    submit(&mut a);
    assert_eq!(a.queue("to-B1").len(), 2, "if all wait the cost decides");
}

#[test]
fn equal_connectors_share_the_load_and_one_message_is_not_split() {
    let mut a = Mta::new(ways(&[3, 3, 3]));
    for _ in 0..300 {
        let recipients = [user("bob", "B"), user("ben", "B"), user("bea", "B")];
        a.submit(&Submission::new(user("alice", "A"), recipients));
    }
    a.work();
    let lengths = ["to-B1", "to-B2", "to-B3"].map(|name| a.queue(name).len());
    assert_eq!(lengths.iter().sum::<usize>(), 300, "one copy each: {lengths:?}");
    assert!(lengths.iter().all(|length| (70..=130).contains(length)), "{lengths:?}");
}

#[test]
fn what_waits_for_a_connector_that_cant_be_opened_is_rerouted_at_once() {
    let mut a = Mta::new(ways(&[1, 50]));
    submit(&mut a);
    assert_eq!(fail_open(&mut a, "to-B1", 1), 1);
    assert_eq!(where_is_it(&a), ["to-B2"]);
    let (_, record) = a.queue("to-B2").remove(0);
    assert_eq!((record.tries.of("to-B1"), record.exhausted.len()), (1, 0), "it is not given up");
    let envelope = envelope_of(&record.item);
    assert_eq!(envelope.trace_information.len(), 1, "the trace does not grow");
    assert_eq!(envelope.trace_information[0].routing_action, RoutingAction::Rerouted);
    let rerouted =
        |e: &Effect| matches!(e, Effect::Rerouted { from, to, .. } if from == "to-B1" && to == "to-B2");
    assert!(a.effects.iter().any(rerouted));
}

#[test]
fn with_no_other_way_it_stays_and_nothing_is_written() {
    let mut a = Mta::new(ways(&[1]));
    submit(&mut a);
    assert!(!a.agent.has_alternatives("to-B1"));
    assert_eq!(fail_open(&mut a, "to-B1", 100), 0);
    let mut less_specific = ways(&[1, 1]);
    less_specific.connectors[1].address_space[0].space = pattern("C=GB");
    let mut a = Mta::new(less_specific);
    submit(&mut a);
    assert!(!a.agent.has_alternatives("to-B1"), "a less specific match is no substitute");
    assert_eq!(fail_open(&mut a, "to-B1", 100), 0);
    let mut disabled = ways(&[1, 1]);
    disabled.connectors[1].activation = Activation::Never;
    let mut a = Mta::new(disabled);
    submit(&mut a);
    assert!(a.agent.has_alternatives("to-B1"));
    assert_eq!(fail_open(&mut a, "to-B1", 100), 0, "one that never opens is worse");
}

#[test]
fn between_two_that_both_wait_nothing_goes_to_and_fro() {
    let mut a = Mta::new(ways(&[1, 50]));
    submit(&mut a);
    assert_eq!(fail_open(&mut a, "to-B1", 1), 1);
    assert_eq!(fail_open(&mut a, "to-B2", 1), 0, "the other one has failed a moment ago");
    assert_eq!(where_is_it(&a), ["to-B2"]);
    a.links.0.clear();
    assert_eq!(fail_open(&mut a, "to-B2", 2), 1, "it would be tried now");
    assert_eq!(where_is_it(&a), ["to-B1"]);
}

#[test]
fn what_returns_to_the_queue_that_it_has_left_was_not_rerouted() {
    let mut a = Mta::new(ways(&[1, 50]));
    submit(&mut a);
    let (key, record) = a.queue("to-B1").remove(0);
    a.links.0.push("to-B1");
    let step = a.agent.rerouted(a.moment(), &key, &record, 1).unwrap();
    a.commit(step);
    // Before it is routed, the other way is gone.
    let mut without = a.agent.settings().clone();
    without.connectors.remove(1);
    a.agent = Agent::new(without).unwrap();
    a.work();
    let (_, back) = a.queue("to-B1").remove(0);
    assert_eq!(back.item, record.item);
    assert_eq!(back.tries.of("to-B1"), 1);
    assert!(!a.effects.iter().any(|effect| matches!(effect, Effect::Rerouted { .. })));
}

#[test]
fn only_ways_for_the_same_addresses_are_alternatives() {
    let two = |one, other| Mta::new(settings("A", &[("B1", one), ("B2", other)]));
    for (one, other, are) in [
        ("P=B;A= ;C=GB", "P=C;A= ;C=GB", false),
        ("P=B;A= ;C=GB", "P=b;A= ;C=gb", true),
        ("P=*;A= ;C=GB", "P=*;A= ;C=GB", true),
        ("P=*;A= ;C=GB", "P=B;A= ;C=GB", false),
        ("DDA:a=x;C=GB", "DDA:b=x;C=GB", true),
    ] {
        let a = two(one, other);
        for name in ["to-B1", "to-B2"] {
            assert_eq!(a.agent.has_alternatives(name), are, "{name}: {one} and {other}");
        }
    }
}

#[test]
fn a_message_goes_to_where_it_has_failed_least_until_every_way_is_exhausted() {
    let mut settings = ways(&[1, 50, 90]);
    for connector in &mut settings.connectors {
        connector.retry.max_open_retries = 3;
    }
    let mut a = Mta::new(settings);
    submit(&mut a);
    let mut way = Vec::new();
    while let [at] = where_is_it(&a)[..] {
        way.push(at);
        assert!(way.len() < 20, "{way:?}");
        let (key, record) = a.queue(at).remove(0);
        if record.tries.of(at) + 1 >= 3 {
            // What the runtime does when it has seen its last failed open.
            let step =
                a.agent.without_connector(a.now, &a.counter, &key, &record, NotCarried::OpenRetriesExhausted);
            a.commit(step);
            a.work();
        } else {
            assert_eq!(fail_open(&mut a, at, 1), 1);
        }
        a.links.0.clear();
    }
    assert_eq!(way, ["to-B1", "to-B2", "to-B3"].repeat(3));
    assert_eq!(a.non_delivered(), [(0, 2, user("bob", "B").to_string())]);
    assert_eq!(a.reports_in(&user("alice", "A")).len(), 1);
    assert_eq!(a.spool.stats().bodies, 0);
}

#[test]
fn a_reroute_does_not_make_a_loop_of_what_came_from_a_peer() {
    let mut settings = ways(&[1, 50]);
    settings.connectors.extend(crate::bench::settings("A", &[("X", "P=X;A= ;C=GB")]).connectors);
    let mut a = Mta::new(settings);
    a.receive_message("to-X", &foreign("1", &[(&user("bob", "B"), 0xA8)]));
    a.work();
    for _ in 0..10 {
        let [at] = where_is_it(&a)[..] else { panic!("it is in one queue") };
        assert_eq!(fail_open(&mut a, at, 1), 1);
        a.links.0.clear();
    }
    let [at] = where_is_it(&a)[..] else { panic!("it is in one queue") };
    assert_eq!(envelope_of(&a.queue(at)[0].1.item).trace_information.len(), 2, "X and A");
    assert_eq!(a.non_delivered(), []);
}

#[test]
fn reports_are_rerouted_at_once_too() {
    let mut settings = ways(&[1, 50]);
    settings.connectors.extend(crate::bench::settings("A", &[("X", "P=X;A= ;C=GB")]).connectors);
    for connector in &mut settings.connectors {
        connector.address_space[0].space = pattern("P=X;A= ;C=GB");
    }
    settings.connectors[2].address_space[0].space = pattern("C=GB");
    let mut a = Mta::new(settings);
    a.receive_message("to-X", &foreign("1", &[(&user("nobody", "A"), 0xA8)]));
    let mut none = a.agent.settings().clone();
    none.mta.mailboxes = Some(Vec::new());
    a.agent = Agent::new(none).unwrap();
    a.work();
    assert_eq!(where_is_it(&a), ["to-B1"]);
    assert_eq!(fail_open(&mut a, "to-B1", 1), 1);
    assert!(matches!(a.queue("to-B2")[0].1.item, Item::Report { .. }));
}

#[test]
fn what_waits_moves_when_settings_take_its_address_to_other_connectors() {
    let mut a = Mta::new(settings("A", &[("B1", "P=B;A= ;C=GB"), ("B2", "C=GB"), ("B3", "C=GB")]));
    submit(&mut a);
    let misplaced = |a: &Mta| {
        let (key, record) = a.queue("to-B1").remove(0);
        a.agent.misplaced(a.moment(), &key, &record)
    };
    assert!(misplaced(&a).is_none());
    // A way that is cheaper is no reason to move, nor is one that is worse, nor that there is no way left.
    for (space, other) in [("P=B;A= ;C=GB", "P=B;A= ;C=GB"), ("C=GB", "C=GB"), ("P=Q;C=FR", "C=FR")] {
        let mut changed = a.agent.settings().clone();
        changed.connectors[0].address_space = vec![AddressSpaceEntry { space: pattern(space), cost: 90 }];
        changed.connectors[1].address_space[0].space = pattern(other);
        changed.connectors[2].address_space[0].space = pattern("C=FR");
        let before = std::mem::replace(&mut a.agent, Agent::new(changed).unwrap());
        assert!(misplaced(&a).is_none(), "{space}");
        a.agent = before;
    }
    // Another one for just these addresses is.
    let mut changed = a.agent.settings().clone();
    changed.connectors[1].address_space[0].space = pattern("O=Acme;P=B;A= ;C=GB");
    a.agent = Agent::new(changed).unwrap();
    let step = misplaced(&a).unwrap();
    a.commit(step);
    a.work();
    assert_eq!(where_is_it(&a), ["to-B2"]);
    let (_, record) = a.queue("to-B2").remove(0);
    let action = envelope_of(&record.item).trace_information[0].routing_action;
    assert_eq!((action, record.exhausted.len()), (RoutingAction::Relayed, 0), "nothing has failed");
    // And so is a mailbox here.
    let mut changed = a.agent.settings().clone();
    changed.mta.local.push(pattern("O=Acme;P=B;A= ;C=GB"));
    a.agent = Agent::new(changed).unwrap();
    let (key, record) = a.queue("to-B2").remove(0);
    let step = a.agent.misplaced(a.moment(), &key, &record).unwrap();
    a.commit(step);
    a.work();
    assert_eq!(a.messages_in(&user("bob", "B")).len(), 1);
}

#[test]
fn a_copy_that_is_put_aside_takes_what_is_remembered_of_its_interruption_with_it() {
    let mut a = Mta::new(ways(&[1]));
    submit(&mut a);
    let (key, record) = a.queue("to-B1").remove(0);
    let step = a.agent.transfer_interrupted(&key, vec![1, 2, 3]);
    a.commit(step);
    assert_eq!(a.scan(RESUME, b"").len(), 1);
    let damaged = OutboundRecord { item: Item::Report { apdu: vec![1, 2] }, ..record };
    let step = a.agent.expired(damaged.expires, &a.counter, &key, &damaged).unwrap();
    a.commit(step);
    assert_eq!((a.quarantined(), a.scan(RESUME, b"").len()), (1, 0));
}

#[test]
fn with_least_cost_only_mail_waits_for_the_cheapest_that_is_active() {
    let mut settings = ways(&[1, 50]);
    settings.mta.least_cost_only = true;
    let mut a = Mta::new(settings.clone());
    submit(&mut a);
    assert_eq!(fail_open(&mut a, "to-B1", 1), 0);
    submit(&mut a);
    assert_eq!(a.queue("to-B1").len(), 2);
    // A cheaper one that is not active at the time does not count.
    settings.connectors[0].activation = times("Mon 08:00-09:00");
    assert_eq!(order(&Mta::new(settings.clone())), ["to-B2"]);
    settings.connectors[1].activation = times("Mon 09:00-10:00");
    assert_eq!(order(&Mta::new(settings)), ["to-B1"]);
    // Among equals, one that fails is passed over.
    let mut equal = ways(&[1, 1]);
    equal.mta.least_cost_only = true;
    let mut a = Mta::new(equal);
    a.links.0.push("to-B1");
    assert_eq!(order(&a)[0], "to-B2");
}

#[test]
fn what_has_been_in_the_domain_of_a_peer_does_not_go_there_again() {
    let mut settings = ways(&[1, 50]);
    settings.connectors.extend(crate::bench::settings("A", &[("C", "P=C;A= ;C=GB")]).connectors);
    settings.connectors[0].remote_domain = Some("C=GB;A= ;P=X".parse().unwrap());
    let mut a = Mta::new(settings.clone());
    // It comes from domain X by way of C.
    a.receive_message("to-C", &foreign("1", &[(&user("bob", "B"), 0xA8)]));
    a.work();
    assert_eq!(where_is_it(&a), ["to-B2"]);
    submit(&mut a);
    assert_eq!(where_is_it(&a), ["to-B1", "to-B2"], "what begins here may go");
    settings.connectors.remove(1);
    let mut a = Mta::new(settings.clone());
    a.receive_message("to-C", &foreign("2", &[(&user("bob", "B"), 0xA8)]));
    a.work();
    assert_eq!(a.non_delivered(), [(1, 3, user("bob", "B").to_string())], "loop-detected");
    // The own domain is no obstacle: links inside a domain have it.
    settings.connectors[0].remote_domain = Some(settings.mta.domain.clone());
    let mut a = Mta::new(settings);
    a.receive_message("to-C", &foreign("3", &[(&user("bob", "B"), 0xA8)]));
    a.work();
    assert_eq!(where_is_it(&a), ["to-B1"]);
}

#[test]
fn a_connector_may_take_some_kinds_only() {
    let mut settings = ways(&[1, 50]);
    settings.connectors[0].restrictions.kinds = Some(vec![Kind::Probe, Kind::Report]);
    let mut a = Mta::new(settings.clone());
    submit(&mut a);
    assert_eq!(where_is_it(&a), ["to-B2"]);
    settings.connectors.remove(1);
    let mut a = Mta::new(settings);
    submit(&mut a);
    assert_eq!(a.non_delivered().len(), 1);
    let asked = a.agent.route(&user("bob", "B"), RouteQuestion::default()).decision;
    assert_ne!(asked, RouteDecision::Unknown(RouteFailure::NoMatch));
}

#[test]
fn a_connector_that_does_not_take_its_content_is_no_better_way() {
    let mut settings = ways(&[1, 50]);
    settings.connectors[1].restrictions.content_types = Some(vec![ContentType::EDI]);
    let mut a = Mta::new(settings);
    submit(&mut a);
    assert_eq!(fail_open(&mut a, "to-B1", 1), 0);
    let envelope = envelope_of(&a.queue("to-B1")[0].1.item);
    assert_eq!(envelope.trace_information[0].routing_action, RoutingAction::Relayed, "it went nowhere");
}

/// What is redirected goes another way like any other mail: where it came from is no hindrance on either.
#[test]
fn what_is_redirected_back_to_a_domain_is_rerouted_like_other_mail() {
    let mut settings = ways(&[1, 50]);
    let from = RedirectFrom::Address(user("al", "A"));
    settings.redirections.push(Redirect::new(from, user("bob", "B")));
    for connector in &mut settings.connectors {
        connector.relay_to = RelayTo::Nowhere;
    }
    let mut a = Mta::new(settings);
    a.receive_message("to-B1", &foreign("1", &[(&user("al", "A"), 0xA8)]));
    a.work();
    assert_eq!(where_is_it(&a), ["to-B1"]);
    assert_eq!(fail_open(&mut a, "to-B1", 1), 1);
    assert_eq!((where_is_it(&a), a.non_delivered()), (vec!["to-B2"], vec![]));
}
