//! Two MTAs in one process over real sockets and a real store.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

mod support;

use std::time::Duration;

use agent::record::MailboxItem;
use agent::settings::{AgentSettings, Conformance, RtsSettings};
use agent::{Secret, Submission};
use runtime::{Handle, Mta, Selection};

use support::{Node, address, content_of, pair, submit, until, x410_pair};

async fn relay((a, b): (Node, Node), sizes: &[usize]) {
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let (at_a, at_b) = (mta_a.handle(), mta_b.handle());
    let operations = address("S=operations;P=BETA;A= ;C=GB");
    for (n, size) in sizes.iter().enumerate() {
        let content: Vec<u8> = (0..*size).map(|i| (i % 251) as u8).collect();
        submit(&at_a, "S=operations;P=BETA;A= ;C=GB", &content).await;
        let entry =
            until(async || at_b.mailbox(&operations, None, 100).await.unwrap().into_iter().nth(n)).await;
        assert!(content_of(&at_b, entry).await == content, "content of {size} octets differs");
    }
    let despatch = address("S=despatch;P=ALPHA;A= ;C=GB");
    let reports = until(async || {
        let reports = at_a.mailbox(&despatch, None, 100).await.unwrap();
        (reports.len() == sizes.len()).then_some(reports)
    })
    .await;
    assert!(reports.iter().all(|report| matches!(report.record.kind, MailboxItem::Report { .. })));
    until(async || at_a.queues().await.unwrap().iter().all(|queue| queue.messages == Some(0)).then_some(()))
        .await;
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_every_size_arrive_and_are_reported_monologue() {
    relay(pair(false), &[0, 1, 2_000, 30 * 1024, 300_000, 5_000_000]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_every_size_arrive_and_are_reported_two_way_alternate() {
    relay(pair(true), &[0, 1, 2_000, 30 * 1024, 300_000, 5_000_000]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_every_size_arrive_and_are_reported_in_x410_mode() {
    for two_way in [false, true] {
        relay(x410_pair(two_way), &[0, 1, 2_000, 30 * 1024, 300_000]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_may_open_in_another_mode_than_we_do() {
    let (mut a, b) = pair(false);
    a.settings.connectors[0].conformance = Conformance::X410In1988;
    relay((a, b), &[1, 2_000]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_responder_lowers_what_was_proposed_to_the_values_of_its_connector() {
    let (mut a, mut b) = pair(false);
    let wants = |size, window| RtsSettings {
        checkpoint_size_kb: size,
        window_size: window,
        ..RtsSettings::default()
    };
    a.settings.connectors[0].rts = wants(64, 9);
    b.settings.connectors[0].rts = wants(7, 2);
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    submit(&mta_a.handle(), "S=operations;P=BETA;A= ;C=GB", b"?").await;
    for at in [mta_a.handle(), mta_b.handle()] {
        let agreed = until(async || {
            let open = at.associations().into_iter().find(|one| one.checkpoint_size_kb.is_some())?;
            Some((open.checkpoint_size_kb, open.window_size))
        })
        .await;
        assert_eq!(agreed, (Some(7), Some(2)));
    }
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_in_x410_mode_and_said_on_both_sides() {
    let (a, mut b) = x410_pair(false);
    b.settings.connectors[0].remote_password = Some(Secret::new("another"));
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let (at_a, at_b) = (mta_a.handle(), mta_b.handle());
    submit(&at_a, "S=operations;P=BETA;A= ;C=GB", b"?").await;
    until(async || {
        let seen =
            |handle: &Handle, word: &str| handle.events(0).into_iter().any(|event| event.text.contains(word));
        (seen(&at_a, "refused our name or password") && seen(&at_b, "bind refused")).then_some(())
    })
    .await;
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_recipient_gets_a_non_delivery_report() {
    let (a, mut b) = pair(false);
    b.settings.mta.mailboxes = Some(vec![address("S=operations;P=BETA;A= ;C=GB")]);
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let at_a = mta_a.handle();
    let subject = submit(&at_a, "S=nobody;P=BETA;A= ;C=GB", b"?").await;
    let despatch = address("S=despatch;P=ALPHA;A= ;C=GB");
    let entry = until(async || at_a.mailbox(&despatch, None, 1).await.unwrap().pop()).await;
    let MailboxItem::Report { apdu } = entry.record.kind else { panic!("a report") };
    let mhs::p1::MtsApdu::Report(report) = mhs::p1::MtsApdu::from_octets(&apdu).unwrap() else {
        panic!("a report")
    };
    assert_eq!(report.content.subject_identifier.to_string(), subject);
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_waits_for_a_peer_that_is_down() {
    let (a, b) = pair(false);
    let mta_a = a.start().await;
    let at_a = mta_a.handle();
    submit(&at_a, "S=operations;P=BETA;A= ;C=GB", b"later").await;
    until(async || (at_a.info().counters.failed_opens > 0).then_some(())).await;
    let queue = at_a.messages(&Selection::queue("to-BETA"), None, 10).await.unwrap().items;
    assert_eq!(queue.len(), 1);
    assert!(at_a.connectors()[0].last_failure.is_some());

    let mta_b = b.start().await;
    let operations = address("S=operations;P=BETA;A= ;C=GB");
    until(async || mta_b.handle().mailbox(&operations, None, 1).await.unwrap().pop()).await;
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queued_messages_survive_a_restart() {
    let (a, b) = pair(false);
    let mta_a = a.start().await;
    for n in 0..20u8 {
        submit(&mta_a.handle(), "S=operations;P=BETA;A= ;C=GB", &[n; 100]).await;
    }
    mta_a.stop().await;
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let operations = address("S=operations;P=BETA;A= ;C=GB");
    until(async || (mta_b.handle().mailbox(&operations, None, 100).await.unwrap().len() == 20).then_some(()))
        .await;
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_whose_caller_goes_away_is_still_delivered() {
    let (a, _) = pair(false);
    let mta = a.start().await;
    let handle = mta.handle();
    let mut accepted = 0;
    for _ in 0..20 {
        let submission =
            Submission::new(address("S=despatch;P=ALPHA;A= ;C=GB"), [address("S=other;P=ALPHA;A= ;C=GB")]);
        let mut body = handle.begin_body().unwrap();
        body.write(b"abandoned").unwrap();
        let submitting = handle.submit(submission, body.finish().unwrap());
        // Polled once, then dropped, as a server does when its client hangs up.
        accepted += usize::from(tokio::time::timeout(Duration::ZERO, submitting).await.is_err());
    }
    assert!(accepted > 0, "no submission was abandoned");
    let other = address("S=other;P=ALPHA;A= ;C=GB");
    until(async || (handle.mailbox(&other, None, 100).await.unwrap().len() == 20).then_some(())).await;
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_connector_that_is_removed_is_reported() {
    let (a, _) = pair(false);
    let mta = a.start().await;
    let handle = mta.handle();
    let subject = submit(&handle, "S=operations;P=BETA;A= ;C=GB", b"too late").await;
    until(async || {
        (handle.messages(&Selection::queue("to-BETA"), None, 10).await.unwrap().items.len() == 1)
            .then_some(())
    })
    .await;
    let without = AgentSettings { connectors: Vec::new(), ..a.settings.clone() };
    let summary = handle.reload(without).await.unwrap();
    assert_eq!(summary.removed, ["to-BETA"]);
    let despatch = address("S=despatch;P=ALPHA;A= ;C=GB");
    let entry = until(async || handle.mailbox(&despatch, None, 1).await.unwrap().pop()).await;
    let MailboxItem::Report { apdu } = entry.record.kind else { panic!("a report") };
    let mhs::p1::MtsApdu::Report(report) = mhs::p1::MtsApdu::from_octets(&apdu).unwrap() else {
        panic!("a report")
    };
    assert_eq!(report.content.subject_identifier.to_string(), subject);
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_changed_under_way_neither_loses_nor_repeats() {
    let (a, b) = pair(true);
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let operations = address("S=operations;P=BETA;A= ;C=GB");
    for n in 0..200u8 {
        submit(&mta_a.handle(), "S=operations;P=BETA;A= ;C=GB", &[n; 50]).await;
        if n % 40 == 20 {
            let mut changed = a.settings.clone();
            changed.connectors[0].association.lifetime_s = 100 + u32::from(n);
            let summary = mta_a.handle().reload(changed).await.unwrap();
            assert_eq!(summary.changed, ["to-BETA"]);
        }
    }
    let at_b = mta_b.handle();
    until(async || (at_b.mailbox(&operations, None, 1000).await.unwrap().len() >= 200).then_some(())).await;
    until(async || {
        mta_a.handle().queues().await.unwrap().iter().all(|queue| queue.messages == Some(0)).then_some(())
    })
    .await;
    assert_eq!(at_b.mailbox(&operations, None, 1000).await.unwrap().len(), 200);
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_report_opens_one_association() {
    let (a, b) = pair(false);
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let despatch = address("S=despatch;P=ALPHA;A= ;C=GB");
    for n in 1..=10 {
        submit(&mta_a.handle(), "S=operations;P=BETA;A= ;C=GB", b"?").await;
        until(async || {
            (mta_a.handle().mailbox(&despatch, None, 100).await.unwrap().len() == n).then_some(())
        })
        .await;
    }
    let opened =
        |mta: &Mta| mta.handle().events(0).iter().filter(|event| event.text.ends_with("opened")).count();
    assert_eq!((opened(&mta_a), opened(&mta_b)), (1, 1));
    mta_a.stop().await;
    mta_b.stop().await;
}
