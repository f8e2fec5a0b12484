//! A peer that takes a message and never answers: the transfer ends after its time, or when nothing moves any more; the
//! message does not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use agent::settings::{AddressSpaceEntry, AgentSettings, ConnectorSettings, MtaSettings};
use agent::{Secret, Submission};
use clock::MonoTime;
use mhs::p1::bind::{MtaBindResult, Password};
use mhs::{AddressPattern, GlobalDomainIdentifier, MtaName, OrAddress};
use osi::rtse::{RtIndication, RtRequest};
use osi::stack::{Stack, StackAction, StackConfig};
use runtime::{EventKind, Mta, RecorderSettings, RuntimeConfig, RuntimeLimits, p1_application};

/// What the peer does when a message is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Silence,
    Accept,
    /// After a while.
    Late,
    /// It does not even come to its end: no checkpoint is confirmed.
    Deaf,
}

/// How long [`Answer::Late`] takes.
const LATE: Duration = Duration::from_millis(1_500);

/// Serves one association, answering one complete message after another as told; tells what it saw.
fn serve(mut socket: TcpStream, answers: &mut VecDeque<Answer>, seen: &mpsc::Sender<String>) {
    let now = MonoTime::START;
    let mut stack = Stack::responder(StackConfig::new(p1_application()));
    let mut actions = Vec::new();
    stack.start(now, &mut actions);
    let mut buffer = [0; 65_536];
    let mut is_deaf = false;
    loop {
        let mut pending: VecDeque<StackAction> = actions.drain(..).collect();
        while let Some(action) = pending.pop_front() {
            let request = match action {
                StackAction::Transmit(octets) => {
                    socket.write_all(&octets).unwrap();
                    None
                }
                StackAction::Close => return,
                StackAction::Indication(RtIndication::Open(_)) => {
                    let result =
                        MtaBindResult::simple(MtaName::new("PEER").unwrap(), Password::new("secret"));
                    Some(RtRequest::OpenAccept { user_data: result.to_octets() })
                }
                StackAction::Indication(RtIndication::Checkpoint { serial }) => {
                    if answers.front() == Some(&Answer::Deaf) {
                        seen.send(format!("{:?}", answers.pop_front().unwrap())).unwrap();
                        is_deaf = true;
                    }
                    (!is_deaf).then_some(RtRequest::CheckpointSecured { serial })
                }
                StackAction::Indication(RtIndication::TransferEnd) => {
                    let answer = answers.pop_front().unwrap();
                    seen.send(format!("{answer:?}")).unwrap();
                    if answer == Answer::Late {
                        std::thread::sleep(LATE);
                    }
                    (answer != Answer::Silence).then_some(RtRequest::TransferAccept)
                }
                StackAction::Indication(RtIndication::TransferDiscarded) => {
                    seen.send("Discarded".to_owned()).unwrap();
                    None
                }
                StackAction::Indication(_) => None,
            };
            if let Some(request) = request {
                let mut more = Vec::new();
                stack.request(now, request, &mut more).unwrap();
                pending.extend(more);
            }
        }
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => stack.receive(now, &buffer[..count], &mut actions),
        }
    }
}

/// An MTA with a message of so many octets for the peer that listens there.
async fn running(
    peer: std::net::SocketAddr,
    octets: usize,
    normal_s_per_kb: u32,
    limits: RuntimeLimits,
    dir: &std::path::Path,
) -> Mta {
    let domain = GlobalDomainIdentifier { country: "GB".into(), admd: " ".into(), prmd: Some("HERE".into()) };
    let mut mta = MtaSettings::new(MtaName::new("HERE").unwrap(), domain);
    mta.local = vec![AddressPattern::parse("P=HERE;A= ;C=GB").unwrap()];
    let mut connector = ConnectorSettings::new("peer", MtaName::new("PEER").unwrap());
    connector.hosts = vec![peer.to_string()];
    connector.remote_password = Some(Secret::new("secret"));
    let space = AddressPattern::parse("P=THERE;A= ;C=GB").unwrap();
    connector.address_space = vec![AddressSpaceEntry { space, cost: 1 }];
    connector.transfer_timeout.normal_s_per_kb = normal_s_per_kb;
    connector.retry.transfer_interval_s = 1;
    let running = Mta::start(RuntimeConfig {
        settings: AgentSettings::new(mta, vec![connector]),
        data_dir: dir.to_owned(),
        p1: Vec::new(),
        stop_timeout: Duration::from_secs(10),
        spool: spool::Options::default(),
        limits,
        recorder: RecorderSettings::default(),
    })
    .await
    .unwrap();

    let submission = Submission::new(
        OrAddress::parse("S=here;P=HERE;A= ;C=GB").unwrap(),
        [OrAddress::parse("S=there;P=THERE;A= ;C=GB").unwrap()],
    );
    let mut body = running.handle().begin_body().unwrap();
    body.write(&vec![b'?'; octets]).unwrap();
    running.handle().submit(submission, body.finish().unwrap()).await.unwrap();
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_without_an_answer_is_given_up_and_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap();
    let (sender, seen) = mpsc::channel();
    std::thread::spawn(move || {
        let mut answers = VecDeque::from([Answer::Silence, Answer::Accept]);
        for socket in listener.incoming() {
            serve(socket.unwrap(), &mut answers, &sender);
        }
    });

    let dir = tempfile::tempdir().unwrap();
    let running = running(peer, 16, 1, RuntimeLimits::default(), dir.path()).await;
    let expected = ["Silence", "Discarded", "Accept"];
    let told = tokio::task::spawn_blocking(move || {
        expected.map(|_| seen.recv_timeout(Duration::from_secs(60)).unwrap())
    });
    assert_eq!(told.await.unwrap(), expected);
    running.stop().await;
}

/// The transfer may take an hour, but the peer does nothing at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_without_progress_ends_its_association_and_goes_over_another() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap();
    let (sender, seen) = mpsc::channel();
    std::thread::spawn(move || {
        let mut answers = VecDeque::from([Answer::Deaf, Answer::Accept]);
        for socket in listener.incoming() {
            serve(socket.unwrap(), &mut answers, &sender);
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let limits = RuntimeLimits { progress_timeout: Duration::from_millis(500), ..RuntimeLimits::default() };
    // More than the window lets through without a confirmation.
    let running = running(peer, 1_000_000, 3_600, limits, dir.path()).await;
    let told = tokio::task::spawn_blocking(move || {
        ["Deaf", "Accept"].map(|_| seen.recv_timeout(Duration::from_secs(60)).unwrap())
    });
    assert_eq!(told.await.unwrap(), ["Deaf", "Accept"]);
    let events = running.handle().events(0);
    let stalled: Vec<_> = events.iter().filter(|event| event.kind == EventKind::TransferStalled).collect();
    assert_eq!(stalled.len(), 1, "{events:?}");
    assert!(stalled[0].text.contains("a transfer out makes no progress"), "{:?}", stalled[0]);
    running.stop().await;
}

/// Nothing passes while a peer makes a message durable, but it has got all of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_may_take_longer_to_confirm_than_a_transfer_may_stand_still() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap();
    let (sender, seen) = mpsc::channel();
    std::thread::spawn(move || {
        let mut answers = VecDeque::from([Answer::Late]);
        for socket in listener.incoming() {
            serve(socket.unwrap(), &mut answers, &sender);
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let limits = RuntimeLimits { progress_timeout: LATE / 5, ..RuntimeLimits::default() };
    let running = running(peer, 16, 3_600, limits, dir.path()).await;
    let handle = running.handle();
    let transferred = async {
        while handle.info().counters.transferred_out == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), transferred).await.unwrap();
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["Late"]);
    let failed = [EventKind::TransferStalled, EventKind::TransferFailed];
    assert!(!handle.events(0).iter().any(|event| failed.contains(&event.kind)));
    running.stop().await;
}

/// It takes one association and no second, as many do.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_takes_no_second_association_is_not_failing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap();
    let (sender, _seen) = mpsc::channel();
    std::thread::spawn(move || {
        let (first, _) = listener.accept().unwrap();
        std::thread::spawn(move || serve(first, &mut VecDeque::from([Answer::Silence]), &sender));
        for socket in listener.incoming() {
            drop(socket);
        }
    });

    let dir = tempfile::tempdir().unwrap();
    let running = running(peer, 16, 3_600, RuntimeLimits::default(), dir.path()).await;
    let handle = running.handle();
    // More than one association is to carry.
    for _ in 0..60 {
        let submission = Submission::new(
            OrAddress::parse("S=here;P=HERE;A= ;C=GB").unwrap(),
            [OrAddress::parse("S=there;P=THERE;A= ;C=GB").unwrap()],
        );
        let mut body = handle.begin_body().unwrap();
        body.write(b"and another").unwrap();
        handle.submit(submission, body.finish().unwrap()).await.unwrap();
    }
    let refused = async {
        while handle.info().counters.failed_opens == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refused).await.unwrap();
    let shown = handle.connectors().remove(0);
    assert_eq!((shown.state.as_str(), shown.failing_since), ("active", None));
    assert_eq!((handle.status().failing, handle.status().reasons), (0, Vec::new()));
    running.stop().await;
}
