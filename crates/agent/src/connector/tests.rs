use std::time::Duration;

use mhs::MtaName;
use proptest::prelude::*;

use super::*;

const WALL: WallTime = WallTime::from_unix(1_795_321_800);
const FOREVER: WallTime = WallTime::from_unix(9_999_999_999);

pub(super) fn settings() -> ConnectorSettings {
    let mut settings = ConnectorSettings::new("to-b", MtaName::new("MTA-B").unwrap());
    settings.hosts = vec!["127.0.0.1:102".into()];
    settings.association.max_associations = 3;
    settings.association.threshold_messages = 10;
    settings
}

pub(super) fn at(seconds: u64) -> MonoTime {
    MonoTime::after_start(Duration::from_secs(seconds))
}

fn queue(urgent: usize, other: usize) -> PolicyEvent {
    PolicyEvent::Queue { urgent, other, queued: (urgent + other) as u64, octets: 0 }
}

pub(super) struct Bench {
    pub(super) policy: ConnectorPolicy,
    now: u64,
}

impl Bench {
    pub(super) fn new(settings: &ConnectorSettings) -> Bench {
        Bench { policy: ConnectorPolicy::new(settings, 0), now: 0 }
    }

    pub(super) fn tell(&mut self, event: PolicyEvent) -> Vec<PolicyAction> {
        let mut out = Vec::new();
        self.policy.handle(at(self.now), event, &mut out);
        out
    }

    pub(super) fn wait(&mut self, seconds: u64) -> Vec<PolicyAction> {
        self.now += seconds;
        self.tell(PolicyEvent::Deadline)
    }

    pub(super) fn queue(&mut self, urgent: usize, other: usize) -> Vec<PolicyAction> {
        self.tell(queue(urgent, other))
    }

    pub(super) fn fail(&mut self, association: AssociationId) -> Vec<PolicyAction> {
        self.tell(PolicyEvent::OpenFailed { association, at: WALL.plus_seconds(self.now as i64) })
    }

    pub(super) fn end(&mut self, association: AssociationId, orderly: bool) -> Vec<PolicyAction> {
        self.tell(PolicyEvent::Ended { association, orderly, at: WALL.plus_seconds(self.now as i64) })
    }

    pub(super) fn idle(&mut self, association: AssociationId, transferred: bool) -> Vec<PolicyAction> {
        self.tell(PolicyEvent::Idle { association, transferred })
    }
}

pub(super) fn opened(actions: &[PolicyAction]) -> AssociationId {
    match actions {
        [PolicyAction::Open { association, urgent_only: false }] => *association,
        other => panic!("expected one ordinary open, got {other:?}"),
    }
}

#[test]
fn nothing_is_opened_until_something_waits() {
    let mut bench = Bench::new(&settings());
    assert_eq!(bench.policy.state(), ConnectorState::Ready);
    assert_eq!(bench.queue(0, 0), []);
    assert_eq!(bench.policy.deadline(), None);
    opened(&bench.queue(0, 1));
    assert_eq!(bench.policy.state(), ConnectorState::Opening);
}

#[test]
fn only_one_attempt_is_made_at_a_time_whatever_waits() {
    let mut bench = Bench::new(&settings());
    opened(&bench.queue(5, 1000));
    assert_eq!(bench.queue(50, 10_000), []);
    assert_eq!(bench.tell(PolicyEvent::ConnectNow), []);
}

#[test]
fn one_more_is_opened_for_every_threshold_of_waiting_messages_up_to_the_ordinary_limit() {
    let mut bench = Bench::new(&settings());
    let first = opened(&bench.queue(0, 10));
    assert_eq!(bench.tell(PolicyEvent::Opened(first)), [], "10 is not above the threshold of 10");
    let second = opened(&bench.queue(0, 11));
    assert_eq!(bench.tell(PolicyEvent::Opened(second)), []);
    assert_eq!(bench.queue(0, 1000), [], "the third is reserved");
}

#[test]
fn the_last_association_is_reserved_for_what_is_urgent() {
    let mut bench = Bench::new(&settings());
    let first = opened(&bench.queue(0, 11));
    let second = opened(&bench.tell(PolicyEvent::Opened(first)));
    bench.tell(PolicyEvent::Opened(second));
    bench.tell(PolicyEvent::Busy(first));
    bench.tell(PolicyEvent::Busy(second));
    let actions = bench.queue(1, 1000);
    assert!(matches!(actions[..], [PolicyAction::Open { urgent_only: true, .. }]), "{actions:?}");
}

#[test]
fn an_urgent_message_opens_its_own_association_below_the_threshold() {
    let mut bench = Bench::new(&settings());
    let first = opened(&bench.queue(0, 1));
    bench.tell(PolicyEvent::Opened(first));
    assert_eq!(bench.queue(1, 0), [], "an idle association can take it");
    let actions = bench.tell(PolicyEvent::Busy(first));
    assert!(matches!(actions[..], [PolicyAction::Open { urgent_only: true, .. }]), "{actions:?}");
}

#[test]
fn a_failed_open_is_followed_by_the_open_interval() {
    let mut bench = Bench::new(&settings());
    let first = opened(&bench.queue(0, 1));
    assert_eq!(bench.fail(first), []);
    assert_eq!(bench.policy.state(), ConnectorState::Retry { until: at(600) });
    assert_eq!(bench.policy.deadline(), Some(at(600)));
    assert_eq!(bench.wait(599), []);
    assert_eq!(bench.queue(3, 500), [], "more mail does not shorten it");
    opened(&bench.wait(1));
}

#[test]
fn a_place_of_our_own_that_is_missing_is_no_failure_of_the_peer() {
    let mut bench = Bench::new(&settings());
    let first = opened(&bench.queue(0, 1));
    assert_eq!(bench.tell(PolicyEvent::NoPlace(first)), []);
    assert_eq!(bench.policy.consecutive_failures(), 0);
    assert_eq!(bench.policy.failures_since(WALL, FOREVER), 0);
    assert_eq!(bench.wait(4), []);
    let second = opened(&bench.wait(1));
    bench.tell(PolicyEvent::Stop);
    assert_eq!(bench.tell(PolicyEvent::NoPlace(second)), []);
    assert_eq!(bench.policy.state(), ConnectorState::Stopped);
}

#[test]
fn jitter_lengthens_the_open_interval_by_a_tenth_at_most() {
    for (jitter, expected) in [(0, 600_000), (50, 630_000), (100, 660_000), (u16::MAX, 660_000)] {
        let mut policy = ConnectorPolicy::new(&settings(), jitter);
        let mut out = Vec::new();
        policy.handle(at(0), queue(0, 1), &mut out);
        policy.handle(at(0), PolicyEvent::OpenFailed { association: opened(&out), at: WALL }, &mut out);
        let until = MonoTime::after_start(Duration::from_millis(expected));
        assert_eq!(policy.state(), ConnectorState::Retry { until }, "{jitter}");
    }
}

#[test]
fn connect_now_overrides_the_wait_and_an_empty_queue() {
    let mut bench = Bench::new(&settings());
    let first = opened(&bench.queue(0, 1));
    bench.fail(first);
    bench.queue(0, 0);
    let second = opened(&bench.tell(PolicyEvent::ConnectNow));
    assert_eq!(bench.fail(second), [], "one attempt, then the interval again");
    assert_eq!(bench.wait(600), [], "and no attempt with nothing to send");
}

#[test]
fn connect_now_with_an_open_association_opens_no_other_later() {
    let mut bench = Bench::new(&settings());
    let first = opened(&bench.queue(0, 1));
    bench.tell(PolicyEvent::Opened(first));
    assert_eq!(bench.tell(PolicyEvent::ConnectNow), []);
    bench.queue(0, 0);
    assert_eq!(bench.end(first, false), []);
}

#[test]
fn an_idle_association_is_closed_after_its_lifetime() {
    let mut bench = Bench::new(&settings());
    let first = opened(&bench.queue(0, 1));
    bench.tell(PolicyEvent::Opened(first));
    bench.tell(PolicyEvent::Busy(first));
    bench.queue(0, 0);
    assert_eq!(bench.wait(10_000), [], "a transfer may take long");
    assert_eq!(bench.idle(first, true), []);
    assert_eq!(bench.policy.deadline(), Some(at(10_300)));
    assert_eq!(bench.wait(299), []);
    assert_eq!(bench.wait(1), [PolicyAction::Close(first)]);
    assert_eq!(bench.wait(1000), [], "it is closed once");
    assert_eq!(bench.end(first, true), []);
    assert_eq!((bench.policy.state(), bench.policy.associations()), (ConnectorState::Ready, 0));
}

#[test]
fn an_idle_association_with_work_waiting_is_stuck_and_ended_by_the_watchdog() {
    let mut short = settings();
    short.association.lifetime_s = 0;
    let mut bench = Bench::new(&short);
    let first = opened(&bench.queue(0, 1));
    assert_eq!(bench.tell(PolicyEvent::Opened(first)), [], "it has something to send");
    let actions = bench.wait(120);
    assert_eq!(actions[0], PolicyAction::Close(first));
    opened(&actions[1..]);
}

#[test]
fn an_association_lost_after_a_transfer_is_replaced_at_once() {
    let mut bench = Bench::new(&settings());
    let first = opened(&bench.queue(0, 2));
    bench.tell(PolicyEvent::Opened(first));
    bench.tell(PolicyEvent::Busy(first));
    bench.idle(first, true);
    opened(&bench.end(first, false));
}

#[test]
fn a_peer_that_accepts_and_then_aborts_is_called_once_per_open_interval() {
    let mut bench = Bench::new(&settings());
    let mut association = opened(&bench.queue(0, 1));
    for round in 0..10 {
        bench.tell(PolicyEvent::Opened(association));
        assert_eq!(bench.end(association, false), [], "round {round}");
        assert_eq!(bench.wait(599), []);
        association = opened(&bench.wait(1));
    }
    assert_eq!(bench.policy.failures_since(WALL, FOREVER), 10, "this is as good as a failed open");
}

#[test]
fn a_peer_that_releases_each_association_unused_is_not_called_in_a_loop() {
    let mut bench = Bench::new(&settings());
    let first = opened(&bench.queue(0, 1));
    bench.tell(PolicyEvent::Opened(first));
    assert_eq!(bench.end(first, true), []);
    assert_eq!(bench.policy.failures_since(WALL, FOREVER), 0);
    opened(&bench.wait(600));
}

#[test]
fn a_message_that_breaks_the_association_does_not_hold_up_the_others() {
    let mut bench = Bench::new(&settings());
    let first = opened(&bench.queue(0, 2));
    bench.tell(PolicyEvent::Opened(first));
    bench.tell(PolicyEvent::Busy(first));
    // The message at fault is in its transfer interval; the other one waits.
    bench.queue(0, 1);
    let second = opened(&bench.end(first, false));
    bench.tell(PolicyEvent::Opened(second));
    bench.tell(PolicyEvent::Busy(second));
    assert_eq!(bench.end(second, false), [], "the second time in a row it is the peer");
    assert!(matches!(bench.policy.state(), ConnectorState::Retry { .. }));
    bench.queue(0, 0);
    assert_eq!(bench.policy.state(), ConnectorState::Ready, "without mail nothing is going to be tried");
}

/// An open association with one item on its way, which is interrupted and can be resumed for a minute.
fn interrupt(bench: &mut Bench, association: AssociationId) {
    bench.tell(PolicyEvent::Opened(association));
    bench.tell(PolicyEvent::Busy(association));
    bench.queue(0, 0);
    let until = at(bench.now + 60);
    assert_eq!(bench.tell(PolicyEvent::Interrupted { association, until, theirs: false, further: true }), []);
    assert_eq!(bench.queue(0, 1), [], "the broken one has not ended yet");
}

#[test]
fn an_interrupted_transfer_is_resumed_at_once_however_often_it_gets_on() {
    let mut bench = Bench::new(&settings());
    let mut association = opened(&bench.queue(0, 1));
    for round in 0..20 {
        interrupt(&mut bench, association);
        let actions = bench.end(association, false);
        assert_eq!(bench.policy.failures_since(WALL, FOREVER), 0, "round {round}");
        association = opened(&actions);
    }
}

#[test]
fn while_a_transfer_can_be_resumed_opens_follow_one_another_quickly_and_are_not_counted() {
    let mut bench = Bench::new(&settings());
    let first = opened(&bench.queue(0, 1));
    interrupt(&mut bench, first);
    let mut association = opened(&bench.end(first, false));
    // 1 + 2 + 4 + 8 + 16 = 31 s; 32 s more would be too late.
    for wait in [1, 2, 4, 8, 16] {
        assert_eq!(bench.fail(association), []);
        assert_eq!(bench.policy.failures_since(WALL, FOREVER), 0);
        assert_eq!(bench.policy.deadline(), Some(at(bench.now + wait)));
        assert_eq!(bench.policy.state(), ConnectorState::Retry { until: at(bench.now + wait) });
        association = opened(&bench.wait(wait));
    }
    assert_eq!(bench.fail(association), []);
    assert_eq!(bench.policy.failures_since(WALL, FOREVER), 1, "the ordinary rules again");
    assert_eq!(bench.policy.deadline(), Some(at(bench.now + 600)));
}

#[test]
fn a_peer_that_breaks_every_association_before_it_resumes_is_not_called_without_end() {
    let mut bench = Bench::new(&settings());
    let mut association = opened(&bench.queue(0, 1));
    interrupt(&mut bench, association);
    association = opened(&bench.end(association, false));
    let mut opens = 0;
    while bench.policy.failures_since(WALL, FOREVER) == 0 {
        bench.tell(PolicyEvent::Opened(association));
        bench.tell(PolicyEvent::Busy(association));
        // No progress, so no interruption is told. The first break of this kind is free.
        let actions = bench.end(association, false);
        opens += 1;
        assert!(opens < 10);
        if bench.policy.failures_since(WALL, FOREVER) == 0 {
            association = match actions[..] {
                [] => {
                    let wait = bench.policy.deadline().unwrap();
                    bench.now = wait.since_start().as_secs();
                    opened(&bench.wait(0))
                }
                _ => opened(&actions),
            };
        }
    }
    assert!(bench.now <= 60);
}

#[test]
fn a_transfer_that_completes_ends_the_haste() {
    let mut bench = Bench::new(&settings());
    let mut association = opened(&bench.queue(0, 1));
    interrupt(&mut bench, association);
    association = opened(&bench.end(association, false));
    bench.tell(PolicyEvent::Opened(association));
    bench.tell(PolicyEvent::Busy(association));
    bench.queue(0, 0);
    bench.idle(association, true);
    bench.end(association, true);
    association = opened(&bench.queue(0, 1));
    bench.fail(association);
    assert_eq!(bench.policy.deadline(), Some(at(bench.now + 600)));
}

#[test]
fn an_association_is_opened_again_for_a_transfer_of_the_peers() {
    let mut bench = Bench::new(&settings());
    let first = opened(&bench.queue(0, 1));
    bench.tell(PolicyEvent::Opened(first));
    bench.queue(0, 0);
    let until = at(60);
    assert_eq!(
        bench.tell(PolicyEvent::Interrupted { association: first, until, theirs: true, further: false }),
        []
    );
    opened(&bench.end(first, false));
    // Not by a connector that waits for its peer.
    let mut remote = settings();
    remote.activation = Activation::RemoteInitiated;
    remote.two_way_alternate = true;
    let mut bench = Bench::new(&remote);
    let peers = bench.policy.reserve_id();
    bench.tell(PolicyEvent::InboundOpened(peers));
    assert_eq!(
        bench.tell(PolicyEvent::Interrupted { association: peers, until, theirs: true, further: false }),
        []
    );
    assert_eq!(bench.end(peers, false), []);
}

/// A peer whose transfers to us break, and what follows: how often an association is opened within an hour.
fn opens_for_a_transfer_of_the_peers(further: bool) -> u32 {
    let mut bench = Bench::new(&settings());
    let mut association = opened(&bench.queue(0, 1));
    bench.queue(0, 0);
    let mut opens = 0;
    while bench.now < 3_600 && opens < 1_000 {
        bench.tell(PolicyEvent::Opened(association));
        let until = at(bench.now + 60);
        bench.tell(PolicyEvent::Interrupted { association, until, theirs: true, further });
        let mut actions = bench.end(association, false);
        if actions.is_empty() {
            bench.now = bench.policy.deadline().unwrap().since_start().as_secs();
            actions = bench.wait(0);
        }
        association = opened(&actions);
        opens += 1;
    }
    opens
}

#[test]
fn a_peer_whose_transfers_break_again_and_again_is_not_called_without_end() {
    assert_eq!(opens_for_a_transfer_of_the_peers(true), 1_000, "each got further");
    // In each open interval of ten minutes: at once, after 1, 2, 4, 8, 16 and 32 s.
    let opens = opens_for_a_transfer_of_the_peers(false);
    assert!((40..60).contains(&opens), "{opens} opens in an hour");
}

#[test]
fn failures_before_the_clock_was_set_back_are_not_those_of_what_was_queued_since() {
    let mut settings = settings();
    settings.retry.max_open_retries = 2;
    let mut bench = Bench::new(&settings);
    let mut actions = bench.queue(0, 1);
    for _ in 0..2 {
        bench.fail(opened(&actions));
        actions = bench.wait(600);
    }
    assert!(bench.policy.is_exhausted(WALL, FOREVER, 0));
    // An hour earlier by the clock something is queued: it has seen nothing, and sees the next one.
    let back = WALL.plus_seconds(-3_600);
    assert!(!bench.policy.is_exhausted(back, back, 0));
    bench.tell(PolicyEvent::OpenFailed { association: opened(&actions), at: back });
    assert_eq!(bench.policy.failures_since(back, back), 1);
    assert_eq!(bench.policy.failures_since(back, FOREVER), 1, "nor does it when the clock has caught up");
    assert_eq!(bench.policy.consecutive_failures(), 3);
}

#[test]
fn a_message_is_exhausted_after_as_many_failed_opens_as_may_be_since_it_was_queued() {
    let mut few = settings();
    few.retry.max_open_retries = 3;
    let mut bench = Bench::new(&few);
    let mut association = opened(&bench.queue(0, 1));
    bench.fail(association);
    association = opened(&bench.wait(600));
    // A second message is queued between the first failure and the second.
    let later = WALL.plus_seconds(300);
    bench.fail(association);
    association = opened(&bench.wait(600));
    assert!(!bench.policy.is_exhausted(WALL, FOREVER, 0));
    bench.fail(association);
    assert!(bench.policy.is_exhausted(WALL, FOREVER, 0));
    assert_eq!(bench.policy.failures_since(later, FOREVER), 2);
    assert!(!bench.policy.is_exhausted(later, FOREVER, 0));
    association = opened(&bench.wait(600));
    bench.tell(PolicyEvent::Opened(association));
    assert!(bench.policy.is_exhausted(WALL, FOREVER, 0), "an association alone is no success");
    bench.tell(PolicyEvent::Busy(association));
    bench.idle(association, true);
    assert_eq!((bench.policy.failures_since(WALL, FOREVER), bench.policy.consecutive_failures()), (0, 0));
}

#[test]
fn a_disabled_connector_opens_nothing_and_closes_what_is_idle() {
    let mut bench = Bench::new(&settings());
    let first = opened(&bench.queue(0, 1));
    bench.tell(PolicyEvent::Opened(first));
    let mut never = settings();
    never.activation = Activation::Never;
    bench.policy.apply(&never);
    assert_eq!(bench.wait(0), [PolicyAction::Close(first)]);
    bench.end(first, true);
    assert_eq!(bench.policy.state(), ConnectorState::Disabled);
    assert_eq!(bench.tell(PolicyEvent::ConnectNow), []);
    bench.policy.apply(&settings());
    opened(&bench.queue(0, 1));
}

#[test]
fn a_remote_initiated_connector_waits_for_the_peer() {
    let mut remote = settings();
    remote.activation = Activation::RemoteInitiated;
    remote.two_way_alternate = true;
    let mut bench = Bench::new(&remote);
    assert_eq!(bench.queue(9, 900), []);
    assert_eq!(bench.tell(PolicyEvent::ConnectNow), []);
    assert_eq!(bench.policy.state(), ConnectorState::Remote);
    let peer = bench.policy.reserve_id();
    assert_eq!(bench.tell(PolicyEvent::InboundOpened(peer)), []);
    assert_eq!(bench.policy.state(), ConnectorState::Active);
    assert_eq!(bench.wait(100_000), [], "the peer's association is the peer's to close");
}

#[test]
fn the_peers_associations_are_limited_too() {
    let mut bench = Bench::new(&settings());
    for _ in 0..3 {
        assert!(bench.policy.accepts_inbound());
        let id = bench.policy.reserve_id();
        assert_eq!(bench.tell(PolicyEvent::InboundOpened(id)), []);
    }
    assert!(!bench.policy.accepts_inbound());
    let id = bench.policy.reserve_id();
    assert_eq!(bench.tell(PolicyEvent::InboundOpened(id)), [PolicyAction::Close(id)]);
    opened(&bench.queue(0, 1));
}

#[test]
fn stop_works_in_every_state() {
    for stage in 0..4 {
        let mut bench = Bench::new(&settings());
        let id = opened(&bench.queue(1, 1));
        if stage >= 1 {
            bench.tell(PolicyEvent::Opened(id));
        }
        if stage >= 2 {
            bench.tell(PolicyEvent::Busy(id));
        }
        if stage >= 3 {
            bench.end(id, true);
        }
        let actions = bench.tell(PolicyEvent::Stop);
        for action in &actions {
            assert!(matches!(action, PolicyAction::Close(_)), "stage {stage}: {action:?}");
            let PolicyAction::Close(id) = *action else { continue };
            bench.end(id, true);
        }
        assert_eq!(bench.policy.state(), ConnectorState::Stopped, "stage {stage}: {actions:?}");
        assert_eq!(bench.queue(10, 10), []);
        assert_eq!(bench.tell(PolicyEvent::ConnectNow), []);
        assert_eq!(bench.wait(10_000), []);
    }
}

/// What the world may do next: any event, about any association, true or stale.
fn event() -> impl Strategy<Value = (u64, PolicyEvent)> {
    let id = (1_u64..12).prop_map(AssociationId);
    let event = prop_oneof![
        (0_usize..4, 0_usize..60).prop_map(|(urgent, other)| queue(urgent, other)),
        id.clone().prop_map(PolicyEvent::Opened),
        id.clone().prop_map(|association| PolicyEvent::OpenFailed { association, at: WALL }),
        id.clone().prop_map(PolicyEvent::InboundOpened),
        (id.clone(), any::<bool>()).prop_map(|(association, orderly)| PolicyEvent::Ended {
            association,
            orderly,
            at: WALL
        }),
        id.clone().prop_map(PolicyEvent::Busy),
        (id, any::<bool>())
            .prop_map(|(association, transferred)| PolicyEvent::Idle { association, transferred }),
        (1_u64..12, 0_u64..20_000, any::<bool>(), any::<bool>()).prop_map(|(id, until, theirs, further)| {
            PolicyEvent::Interrupted { association: AssociationId(id), until: at(until), theirs, further }
        }),
        Just(PolicyEvent::ConnectNow),
        any::<bool>().prop_map(|active| PolicyEvent::Schedule { active }),
        Just(PolicyEvent::Deadline),
    ];
    (0_u64..400, event)
}

proptest! {
    #[test]
    fn limits_hold_whatever_happens(
        events in prop::collection::vec(event(), 0..200),
        scheduled in any::<bool>(),
        urgent_ignores_schedule in any::<bool>(),
    ) {
        let mut settings = settings();
        if scheduled {
            settings.activation = Activation::SelectedTimes(Default::default());
            settings.two_way_alternate = true;
            settings.urgent_ignores_schedule = urgent_ignores_schedule;
        }
        let mut bench = Bench::new(&settings);
        let mut asked = Vec::new();
        for (step, event) in events {
            bench.now += step;
            let waiting_before = bench.policy.state();
            let actions = bench.tell(event);
            for action in &actions {
                let PolicyAction::Open { association, .. } = action else { continue };
                prop_assert!(!asked.contains(association), "a name is used once");
                asked.push(*association);
                if let ConnectorState::Retry { until } = waiting_before {
                    let hurries =
                        matches!(event, PolicyEvent::ConnectNow | PolicyEvent::Interrupted { .. });
                    prop_assert!(until <= at(bench.now) || hurries, "opened while waiting");
                }
            }
            let outbound = bench.policy.slots.iter().filter(|slot| slot.direction == Direction::Outbound);
            let opening = bench.policy.slots.iter().filter(|slot| slot.stage == Stage::Opening).count();
            prop_assert!(outbound.count() <= 3);
            prop_assert!(opening <= 1);
            prop_assert!(bench.policy.failures_since(WallTime::default(), FOREVER) <= 144);
            if let Some(deadline) = bench.policy.deadline() {
                prop_assert!(deadline > at(bench.now), "a deadline that has passed would be a busy loop");
            }
        }
        // Whatever happened, everything ends.
        for action in bench.tell(PolicyEvent::Stop) {
            prop_assert!(matches!(action, PolicyAction::Close(_)));
        }
        for slot in bench.policy.slots.clone() {
            bench.end(slot.id, true);
        }
        prop_assert_eq!(bench.policy.state(), ConnectorState::Stopped);
    }
}
