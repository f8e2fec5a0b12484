//! Link monitors between two MTAs: answers on time, a peer that is cut, restarts of either side, and mailboxes that stay
//! empty.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

mod support;

use std::time::Duration;

use runtime::{Condition, EventKind, Handle, MonitorKind, MonitorSettings, MonitorStatus};

use support::{address, events, pair, submit, until};

const HERE: &str = "S=monitor;P=ALPHA;A= ;C=GB";
const THERE: &str = "S=monitor;P=BETA;A= ;C=GB";

fn monitor(name: &str, kind: MonitorKind, from: &str, to: &str) -> MonitorSettings {
    MonitorSettings {
        name: name.to_owned(),
        from: address(from),
        to: address(to),
        kind,
        every: Duration::from_secs(1),
        late_after: Duration::from_secs(3),
        alarm_after: Duration::from_secs(6),
    }
}

fn status(handle: &Handle, name: &str) -> Option<MonitorStatus> {
    handle.monitors().into_iter().find(|monitor| monitor.name == name)
}

async fn is_in_state(handle: &Handle, name: &str, state: &str) -> MonitorStatus {
    until(async || status(handle, name).filter(|monitor| monitor.state == state)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_cut_is_late_then_an_alarm_and_recovered_over_restarts_of_both_sides() {
    let (a, b) = pair(false);
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let at_a = mta_a.handle();
    let monitors = vec![monitor("probes", MonitorKind::Probe, HERE, THERE)];
    at_a.set_monitors(monitors.clone());
    let answered = is_in_state(&at_a, "probes", "on time").await;
    assert_eq!(answered.answer.as_deref(), Some("delivery report"));
    mta_b.stop().await;
    is_in_state(&at_a, "probes", "late").await;
    assert_eq!(events(&at_a, EventKind::LinkMonitorLate).len(), 1);
    let is_told = |reason: &String| reason.contains("link monitor probes has had no answer since");
    let now = at_a.status();
    assert_eq!(now.condition, Condition::Degraded);
    assert!(now.reasons.iter().any(is_told), "{:?}", now.reasons);
    // The outage is remembered over a restart, so that its end is told.
    mta_a.stop().await;
    drop(at_a);
    let mta_a = a.start().await;
    let at_a = mta_a.handle();
    at_a.set_monitors(monitors);
    until(async || (!events(&at_a, EventKind::LinkMonitorAlarm).is_empty()).then_some(())).await;
    assert_eq!(events(&at_a, EventKind::LinkMonitorLate).len(), 0, "told by the process before");
    let mta_b = b.start().await;
    until(async || (!events(&at_a, EventKind::LinkMonitorRecovered).is_empty()).then_some(())).await;
    assert_eq!(status(&at_a, "probes").unwrap().state, "on time");
    assert!(!at_a.status().reasons.iter().any(is_told));
    until(async || at_a.mailboxes().await.unwrap().is_empty().then_some(())).await;
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_monitors_end_with_the_monitor_of_the_other_side_and_leave_other_mail_alone() {
    let (a, b) = pair(false);
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let (at_a, at_b) = (mta_a.handle(), mta_b.handle());
    let other = submit(&at_a, THERE, b"for people").await;
    at_a.set_monitors(vec![monitor("to-b", MonitorKind::Message, HERE, THERE)]);
    at_b.set_monitors(vec![monitor("to-a", MonitorKind::Message, THERE, HERE)]);
    let (answered_a, answered_b) =
        (is_in_state(&at_a, "to-b", "on time").await, is_in_state(&at_b, "to-a", "on time").await);
    for answered in [answered_a, answered_b] {
        assert_eq!(answered.answer.as_deref(), Some("delivery report"));
    }
    // A recipient who does not exist answers as well.
    let nowhere = monitor("nowhere", MonitorKind::Probe, HERE, "S=x;P=GAMMA;A= ;C=GB");
    let settings = [monitor("to-b", MonitorKind::Message, HERE, THERE), nowhere];
    at_a.set_monitors(settings.to_vec());
    let nowhere = until(async || status(&at_a, "nowhere").filter(|monitor| monitor.problem.is_some())).await;
    assert!(nowhere.problem.unwrap().contains("reported here as not delivered"), "this MTA says so itself");
    assert_eq!(nowhere.last_answer, None);
    let theirs = until(async || {
        let theirs = at_b.mailbox(&address(THERE), None, 100).await.unwrap();
        (theirs.len() == 1).then_some(theirs)
    })
    .await;
    assert_eq!(theirs[0].record.mts_identifier, other);
    until(async || at_a.mailbox(&address(HERE), None, 100).await.unwrap().is_empty().then_some(())).await;
    // What is removed from the settings sends no more, and is forgotten.
    at_a.set_monitors(Vec::new());
    until(async || at_a.monitors().is_empty().then_some(())).await;
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_non_delivery_report_from_the_other_side_is_an_answer() {
    let (a, mut b) = pair(false);
    b.settings.mta.mailboxes = Some(Vec::new());
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let at_a = mta_a.handle();
    at_a.set_monitors(vec![monitor("to-b", MonitorKind::Message, HERE, THERE)]);
    let answered = is_in_state(&at_a, "to-b", "on time").await;
    assert_eq!(answered.answer.as_deref(), Some("non-delivery report"));
    mta_a.stop().await;
    mta_b.stop().await;
}
