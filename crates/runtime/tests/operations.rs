//! What an operator does to queues and messages of a running MTA.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use agent::Operation;
use agent::record::{MailboxItem, Rank};
use agent::settings::AddressSpaceEntry;
use mhs::AddressPattern;
use mhs::p1::MtsApdu;
use runtime::{AdminError, CopyState, EventKind, Handle, Mta, Outcome, Performed, Selection};
use support::{Node, address, events, free, octets, pair, submit, until};
use testkit::{Break, Fault, Proxy, Side};

const OPERATIONS: &str = "S=operations;P=BETA;A= ;C=GB";
const DESPATCH: &str = "S=despatch;P=ALPHA;A= ;C=GB";
const LIMIT: usize = 100;

/// A node whose peer BETA is not there, with another, GAMMA, that takes the same addresses at a higher cost.
fn with_spare() -> (Node, Node) {
    let (mut alpha, beta) = (Node::new("ALPHA", free()), Node::new("BETA", nobody()));
    let mut gamma = Node::new("GAMMA", free());
    alpha.connect(&beta, false);
    alpha.connect(&gamma, false);
    let space = AddressPattern::parse("P=BETA;A= ;C=GB").unwrap();
    alpha.settings.connectors[1].address_space = vec![AddressSpaceEntry { space: space.clone(), cost: 50 }];
    gamma.settings.mta.local = vec![space];
    gamma.connect(&Node::new("ALPHA", alpha.p1), false);
    (alpha, gamma)
}

/// Where nobody listens. A port that is merely free at this time may be another test's the next moment.
fn nobody() -> SocketAddr {
    ([127, 0, 0, 1], 1).into()
}

async fn in_queue(handle: &Handle, queue: &str, count: usize) {
    until(async || {
        let found = handle.messages(&Selection::queue(queue), None, LIMIT).await.unwrap();
        (found.items.len() == count).then_some(())
    })
    .await;
}

async fn delivered(mta: &Mta, to: &str, count: usize) {
    let handle = mta.handle();
    until(async || {
        let found = handle.mailbox(&address(to), None, LIMIT).await.unwrap();
        (found.len() == count).then_some(())
    })
    .await;
}

async fn state(handle: &Handle, queue: &str) -> String {
    let queues = handle.queues().await.unwrap();
    queues.into_iter().find(|found| found.connector == queue).unwrap().state
}

async fn operate(handle: &Handle, reference: &str, operation: Operation) -> Outcome {
    let mut outcomes = handle.operate(reference, &operation, Performed::Really, "anna").await.unwrap();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    outcomes.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_a_frozen_queue_until_it_is_thawed_whatever_restarts() {
    let (a, b) = pair(false);
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let at_a = mta_a.handle();
    assert!(at_a.freeze("to-BETA", "anna").await.unwrap());
    assert!(!at_a.freeze("to-BETA", "anna").await.unwrap(), "it was frozen already");
    let id = submit(&at_a, OPERATIONS, b"patience").await;
    in_queue(&at_a, "to-BETA", 1).await;
    assert_eq!(state(&at_a, "to-BETA").await, "frozen");
    assert!(matches!(at_a.retry("to-BETA", "anna").await, Err(AdminError::Frozen(_))));
    // What comes in, over an association of the peer's, is not concerned.
    let mut body = mta_b.handle().begin_body().unwrap();
    body.write(b"incoming").unwrap();
    let submission = agent::Submission::new(address(OPERATIONS), [address(DESPATCH)]);
    mta_b.handle().submit(submission, body.finish().unwrap()).await.unwrap();
    delivered(&mta_a, DESPATCH, 1).await;
    drop(at_a);
    mta_a.stop().await;

    let mta_a = a.start().await;
    let at_a = mta_a.handle();
    assert_eq!(state(&at_a, "to-BETA").await, "frozen");
    in_queue(&at_a, "to-BETA", 1).await;
    // A reload makes a new task of it.
    let mut changed = a.settings.clone();
    changed.connectors[0].retry.open_interval_s = 2;
    at_a.reload(changed).await.unwrap();
    assert_eq!(state(&at_a, "to-BETA").await, "frozen");
    assert_eq!(mta_b.handle().info().counters.transferred_in, 0);
    assert!(at_a.thaw("to-BETA", "anna").await.unwrap());
    delivered(&mta_b, OPERATIONS, 1).await;
    assert_ne!(state(&at_a, "to-BETA").await, "frozen");
    let told = events(&at_a, EventKind::OperatorAction);
    assert!(told.contains(&"anna: thaw the queue: done".to_owned()), "{told:?}");
    // Its removal may come after its arrival.
    until(async || at_a.message(&id).await.unwrap().is_empty().then_some(())).await;
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_message_waits_while_others_pass_and_over_a_restart() {
    let (a, b) = pair(false);
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let at_a = mta_a.handle();
    at_a.freeze("to-BETA", "anna").await.unwrap();
    let held = submit(&at_a, OPERATIONS, b"held").await;
    let other = submit(&at_a, OPERATIONS, b"other").await;
    in_queue(&at_a, "to-BETA", 2).await;
    let outcome = operate(&at_a, &held, Operation::Hold).await;
    assert_eq!(outcome.refused, None);
    let again = operate(&at_a, &held, Operation::Hold).await;
    assert_eq!(again.refused.as_deref(), Some("it is held"));
    let counts = |queues: Vec<runtime::QueueStatus>| (queues[0].messages, queues[0].held);
    assert_eq!(counts(at_a.queues().await.unwrap()), (Some(1), Some(1)));
    drop(at_a);
    mta_a.stop().await;

    let mta_a = a.start().await;
    let at_a = mta_a.handle();
    at_a.thaw("to-BETA", "anna").await.unwrap();
    delivered(&mta_b, OPERATIONS, 1).await;
    until(async || (counts(at_a.queues().await.unwrap()) == (Some(0), Some(1))).then_some(())).await;
    let shown = at_a.messages(&Selection::queue("to-BETA"), None, LIMIT).await.unwrap().items;
    assert_eq!((shown[0].mts_id.as_str(), shown[0].state), (held.as_str(), CopyState::Held));
    let entry = mta_b.handle().mailbox(&address(OPERATIONS), None, 1).await.unwrap().remove(0);
    assert_eq!(entry.record.mts_identifier, other);
    let number = shown[0].number.to_string();
    assert_eq!(operate(&at_a, &number, Operation::Release).await.refused, None);
    delivered(&mta_b, OPERATIONS, 2).await;
    until(async || (counts(at_a.queues().await.unwrap()) == (Some(0), Some(0))).then_some(())).await;
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_message_is_reported_on_if_the_operator_wants_it() {
    let (mut a, _) = pair(false);
    a.settings.connectors[0].hosts = vec![nobody().to_string()];
    let mta = a.start().await;
    let handle = mta.handle();
    let [told, silent] = [submit(&handle, OPERATIONS, b"1").await, submit(&handle, OPERATIONS, b"2").await];
    in_queue(&handle, "to-BETA", 2).await;
    assert_eq!(operate(&handle, &silent, Operation::Delete { report: false }).await.refused, None);
    assert_eq!(operate(&handle, &told, Operation::Delete { report: true }).await.refused, None);
    in_queue(&handle, "to-BETA", 0).await;
    let shown = handle.queues().await.unwrap();
    assert_eq!((shown[0].messages, shown[0].octets), (Some(0), Some(0)));
    delivered(&mta, DESPATCH, 1).await;
    let entry = handle.mailbox(&address(DESPATCH), None, 1).await.unwrap().remove(0);
    let MailboxItem::Report { apdu } = entry.record.kind else { panic!("a report") };
    let MtsApdu::Report(report) = MtsApdu::from_octets(&apdu).unwrap() else { panic!("a report") };
    assert_eq!(report.content.subject_identifier.to_string(), told);
    let fields = &report.content.per_recipient_fields[0];
    assert!(format!("{:?}", fields.supplementary_information).contains("an operator deleted it"));
    let told = events(&handle, EventKind::OperatorAction);
    assert_eq!(told.iter().filter(|text| text.starts_with("anna: delete with")).count(), 2, "{told:?}");
    let gone = handle.operate(&silent, &Operation::Hold, Performed::Really, "anna").await;
    assert!(matches!(gone, Err(AdminError::NoSuchMessage(_))));
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_transferred_is_left_alone() {
    let (mut a, b) = pair(false);
    let proxy = Proxy::start(b.p1).unwrap();
    proxy.plan(Fault::Cut { side: Side::Initiator, octets: 50_000, how: Break::Silence });
    a.settings.connectors[0].hosts = vec![proxy.address().to_string()];
    a.settings.connectors[0].rts.recovery_timeout_s = 0;
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let at_a = mta_a.handle();
    let id = submit(&at_a, OPERATIONS, &octets(300_000)).await;
    until(async || {
        let shown = at_a.message(&id).await.unwrap();
        shown.first().is_some_and(|copy| copy.state == CopyState::InTransfer).then_some(())
    })
    .await;
    for operation in [Operation::Hold, Operation::Delete { report: true }, Operation::Reroute] {
        for performed in [Performed::Not, Performed::Really] {
            let outcomes = at_a.operate(&id, &operation, performed, "anna").await.unwrap();
            assert_eq!(outcomes[0].refused.as_deref(), Some("it is being transferred"), "{operation}");
        }
    }
    // The transfer comes to nothing; then it waits for its next one, and can be held before that.
    at_a.freeze("to-BETA", "anna").await.unwrap();
    proxy.break_all(Break::Reset);
    until(async || {
        let outcome = operate(&at_a, &id, Operation::Hold).await;
        outcome.refused.is_none().then_some(())
    })
    .await;
    at_a.thaw("to-BETA", "anna").await.unwrap();
    assert_eq!(operate(&at_a, &id, Operation::Release).await.refused, None);
    delivered(&mta_b, OPERATIONS, 1).await;
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_drained_over_another_connector_page_by_page() {
    let (alpha, gamma) = with_spare();
    let (mta, other) = (alpha.start().await, gamma.start().await);
    let handle = mta.handle();
    // Otherwise they go another way by themselves, as soon as BETA can't be reached.
    handle.freeze("to-BETA", "anna").await.unwrap();
    for n in 0..7u8 {
        submit(&handle, OPERATIONS, &[n]).await;
    }
    in_queue(&handle, "to-BETA", 7).await;
    let (everything, drain) = (Selection::queue("to-BETA"), Operation::Reroute);
    let tried = handle.operate_on(&everything, &drain, Performed::Not, None, LIMIT, "anna").await.unwrap();
    assert_eq!((tried.items.len(), tried.next), (7, None));
    assert!(tried.items.iter().all(|outcome| outcome.refused.is_none()), "{:?}", tried.items);
    in_queue(&handle, "to-BETA", 7).await;
    let (mut after, mut pages, mut done) = (None, 0, 0);
    loop {
        let place: Option<&str> = after.as_deref();
        let page = handle.operate_on(&everything, &drain, Performed::Really, place, 3, "anna").await.unwrap();
        pages += 1;
        done += page.items.iter().filter(|outcome| outcome.refused.is_none()).count();
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    assert_eq!((pages, done), (3, 7));
    delivered(&other, OPERATIONS, 7).await;
    assert_eq!(handle.queues().await.unwrap()[0].messages, Some(0));
    for odd in ["x", "02", "02-x", "-1"] {
        let odd = handle.operate_on(&everything, &drain, Performed::Not, Some(odd), 3, "anna").await;
        assert!(matches!(odd, Err(AdminError::NoSuchPlace(_))), "{odd:?}");
    }
    mta.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn selections_take_what_they_name_and_priorities_change_the_order() {
    let (alpha, _) = with_spare();
    let mta = alpha.start().await;
    let handle = mta.handle();
    handle.freeze("to-BETA", "anna").await.unwrap();
    let ids = [submit(&handle, OPERATIONS, b"1").await, submit(&handle, "S=bob;P=BETA;A= ;C=GB", b"2").await];
    in_queue(&handle, "to-BETA", 2).await;
    let found = async |selection: Selection| {
        let found = handle.messages(&selection, None, LIMIT).await.unwrap();
        found.items.into_iter().map(|message| message.mts_id).collect::<Vec<_>>()
    };
    let all = Selection::default();
    let pattern = |text: &str| Some(AddressPattern::parse(text).unwrap());
    assert_eq!(found(all.clone()).await, ids);
    assert_eq!(
        found(Selection { recipient: pattern("S=bob;P=BETA;A= ;C=GB"), ..all.clone() }).await,
        ids[1..]
    );
    assert_eq!(found(Selection { originator: pattern("P=ALPHA;A= ;C=GB"), ..all.clone() }).await, ids);
    assert!(found(Selection { originator: pattern("P=BETA;A= ;C=GB"), ..all.clone() }).await.is_empty());
    assert!(found(Selection { state: Some(CopyState::Held), ..all.clone() }).await.is_empty());
    let now = handle.messages(&all, None, 1).await.unwrap();
    assert_eq!((now.items.len(), now.items[0].mts_id.as_str()), (1, ids[0].as_str()));
    let rest = handle.messages(&all, now.next.as_deref(), LIMIT).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    assert!(now.items[0].submitted.is_some() && now.items[0].recipient_count == 1);

    assert_eq!(operate(&handle, &ids[1], Operation::Priority(Rank::Urgent)).await.refused, None);
    assert_eq!(found(all.clone()).await, [ids[1].clone(), ids[0].clone()]);
    assert_eq!(found(Selection { priority: Some(Rank::Urgent), ..all.clone() }).await, ids[1..]);
    let moved = operate(&handle, &ids[0], Operation::Move { to: "to-GAMMA".to_owned() }).await;
    assert_eq!(moved.refused, None);
    assert_eq!(found(Selection::queue("to-GAMMA")).await, ids[..1]);
    let back = operate(&handle, &ids[0], Operation::Move { to: "to-X".to_owned() }).await;
    assert_eq!(back.refused.as_deref(), Some("there is no connector `to-X`"));
    let unknown = handle.messages(&Selection::queue("to-X"), None, LIMIT).await;
    assert!(matches!(unknown, Err(AdminError::NoSuchConnector(_))));
    mta.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_waits_for_its_next_try_is_tried_when_an_operator_wants_it() {
    let (mut a, b) = pair(false);
    let proxy = Proxy::start(b.p1).unwrap();
    proxy.plan(Fault::Refuse);
    a.settings.connectors[0].hosts = vec![proxy.address().to_string()];
    a.settings.connectors[0].retry.open_interval_s = 3_600;
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let at_a = mta_a.handle();
    let id = submit(&at_a, OPERATIONS, b"urgent in the eyes of anna").await;
    until(async || (state(&at_a, "to-BETA").await == "retry").then_some(())).await;
    let shown = at_a.message(&id).await.unwrap();
    assert!(shown[0].next_try_in_s.is_some_and(|seconds| seconds > 3_000), "{shown:?}");
    at_a.retry("to-BETA", "anna").await.unwrap();
    delivered(&mta_b, OPERATIONS, 1).await;
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_amid_traffic_neither_lose_nor_repeat() {
    const MESSAGES: usize = 200;
    const FIRST: usize = 50;
    let (a, b) = pair(false);
    let (mta_a, mta_b) = (a.start().await, b.start().await);
    let at_a = mta_a.handle();
    // So that the first round finds something, however fast the machine.
    at_a.freeze("to-BETA", "anna").await.unwrap();
    let mut ids = Vec::new();
    for n in 0..FIRST {
        ids.push(submit(&at_a, OPERATIONS, &octets(n * 10)).await);
    }
    in_queue(&at_a, "to-BETA", FIRST).await;
    let operator = tokio::spawn({
        let handle = mta_a.handle();
        async move {
            let everything = Selection::default();
            let changes = [
                Operation::Hold,
                Operation::Priority(Rank::Urgent),
                Operation::Release,
                Operation::Priority(Rank::NonUrgent),
                Operation::Reroute,
            ];
            let mut done = [0; 5];
            loop {
                for (count, change) in done.iter_mut().zip(&changes) {
                    let page =
                        handle.operate_on(&everything, change, Performed::Really, None, LIMIT, "otto").await;
                    let outcomes = page.unwrap().items;
                    *count += outcomes.iter().filter(|outcome| outcome.refused.is_none()).count();
                }
                // Thaws are as hard on the connector's task as anything.
                handle.freeze("to-BETA", "otto").await.unwrap();
                handle.thaw("to-BETA", "otto").await.unwrap();
                if handle.info().counters.submitted == MESSAGES as u64 {
                    return done;
                }
            }
        }
    });
    for n in FIRST..MESSAGES {
        ids.push(submit(&at_a, OPERATIONS, &octets(n * 10)).await);
    }
    let done = operator.await.unwrap();
    assert!(done[..4].iter().all(|count| *count >= FIRST), "{done:?}");
    assert_eq!(done[4], 0, "there is no other way");
    let (all, release) = (Selection::default(), Operation::Release);
    at_a.operate_on(&all, &release, Performed::Really, None, MESSAGES, "anna").await.unwrap();
    let operations = address(OPERATIONS);
    let at_b = mta_b.handle();
    let mail = until(async || {
        let mail = at_b.mailbox(&operations, None, 2 * MESSAGES).await.unwrap();
        let nothing_waits = at_a.messages(&Selection::default(), None, 1).await.unwrap().items.is_empty();
        (mail.len() >= MESSAGES && nothing_waits).then_some(mail)
    })
    .await;
    let mut arrived: Vec<String> = mail.into_iter().map(|entry| entry.record.mts_identifier).collect();
    arrived.sort();
    ids.sort();
    assert!(arrived == ids, "{} of {} arrived, each once", arrived.len(), ids.len());
    let queue = at_a.queues().await.unwrap().remove(0);
    assert_eq!((queue.messages, queue.octets, queue.held), (Some(0), Some(0), Some(0)));
    mta_a.stop().await;
    mta_b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_selection_is_done_part_by_part_and_other_links_go_on_meanwhile() {
    const MESSAGES: usize = 1_500;
    const PART: usize = 400;
    let (mut a, b) = pair(false);
    let dead = Node::new("GAMMA", nobody());
    a.connect(&dead, false);
    let (mta_a, mta_b) = (a.start_in_memory().await, b.start_in_memory().await);
    let (at_a, at_b) = (mta_a.handle(), mta_b.handle());
    for _ in 0..MESSAGES {
        submit(&at_a, "S=operations;P=GAMMA;A= ;C=GB", b"waits").await;
    }
    let waiting = async || {
        let queues = at_a.queues().await.unwrap();
        queues
            .into_iter()
            .find(|queue| queue.connector == "to-GAMMA")
            .map(|queue| (queue.messages, queue.held))
    };
    let all_wait = Some((Some(MESSAGES as u64), Some(0)));
    until(async || (waiting().await == all_wait).then_some(())).await;

    let everything = Selection::queue("to-GAMMA");
    let all = async |operation: &Operation| {
        let (mut after, mut sizes) = (None, Vec::new());
        loop {
            let page = at_a
                .operate_on(&everything, operation, Performed::Really, after.as_deref(), PART, "anna")
                .await
                .unwrap();
            assert!(page.items.iter().all(|outcome| outcome.refused.is_none()));
            sizes.push(page.items.len());
            after = page.next;
            if after.is_none() {
                return sizes;
            }
        }
    };
    let mail = tokio::spawn({
        let (at_a, at_b) = (at_a.clone(), at_b.clone());
        async move {
            submit(&at_a, OPERATIONS, b"passes").await;
            while at_b.mailbox(&address(OPERATIONS), None, 1).await.unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    // As often as it takes until mail for others has arrived: it waits for no end of this.
    let end = Instant::now() + Duration::from_secs(60);
    while !mail.is_finished() {
        assert!(Instant::now() < end, "operations hold mail up");
        for operation in [Operation::Hold, Operation::Release] {
            let sizes = all(&operation).await;
            assert!(sizes.iter().all(|size| *size <= PART), "{sizes:?}");
            assert_eq!(sizes.iter().sum::<usize>(), MESSAGES);
        }
    }
    mail.await.unwrap();
    assert_eq!(waiting().await, all_wait);
    mta_a.stop().await;
    mta_b.stop().await;
}
