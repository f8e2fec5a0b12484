//! Another implementation's opinion on what the stack sends: Wireshark's dissectors have no complaint about it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/begun.rs"]
mod begun;
#[path = "support/manual.rs"]
mod manual;
#[path = "support/pair.rs"]
mod pair;

use begun::{Begun, cut, resumed};
use clock::WallTime;
use manual::{A, B, Manual};
use osi::rtse::{AbortReason, OpenData, RefuseReason, RtRequest};
use osi::stack::{SessionReference, Stack};
use pair::{End, Pair, Then, config, two_way, x410};
use testkit::{GoldenVector, PcapBuilder, Ports, Side, Tshark};

fn capture(turns: &[(Side, Vec<u8>)]) -> Vec<u8> {
    let turns = turns.iter().map(|(side, octets)| (*side, octets.as_slice()));
    PcapBuilder::new().conversation(Ports::default(), turns).into_vec()
}

fn conversation() -> Pair {
    let mut a = two_way();
    a.rtse.checkpoint_size_kb = 1;
    a.local.transport = b"tsA".to_vec();
    a.remote.transport = b"tsB".to_vec();
    a.local.session = b"ssA".to_vec();
    a.remote.session = b"ssB".to_vec();
    a.remote.presentation = b"psB".to_vec();
    let mut b = two_way();
    b.local.presentation = b"psB".to_vec();
    let mut pair = Pair::new(a, b);
    pair.a.send.push_back(GoldenVector::Message.octets());
    pair
}

#[test]
fn nothing_that_is_sent_is_complained_about() {
    let Some(tshark) = Tshark::required_by("nothing_that_is_sent_is_complained_about") else { return };

    // A transfer, the turn there and back, and the release.
    let mut pair = conversation();
    pair.a.then = Then::GiveTurn;
    pair.b.then = Then::GiveTurn;
    pair.start();
    pair.b.request(pair.now, RtRequest::TurnPlease { priority: 1 });
    pair.pump();
    pair.a.request(pair.now, RtRequest::Close);
    pair.run_to_end();
    assert_eq!(pair.b.received, [GoldenVector::Message.octets()]);
    let report = tshark.check_octets(&capture(&pair.turns), &[102]).unwrap_or_else(|error| panic!("{error}"));
    for protocol in ["cotp", "ses", "pres", "acse", "rtse", "p1"] {
        assert!(report.with_protocol(protocol).next().is_some(), "no {protocol}");
    }

    // An abort, and refusals at each layer.
    let mut aborted = conversation();
    aborted.start();
    aborted.a.request(aborted.now, RtRequest::Abort(AbortReason::USER_ERROR));
    aborted.run_to_end();
    let mut rejected = conversation();
    rejected.b.reject_bind = Some(true);
    rejected.start();
    rejected.run_to_end();
    let mut refused = conversation();
    refused.b.refuse.push_back(Some(true));
    refused.a.then = Then::Close;
    refused.start();
    refused.run_to_end();
    for pair in [aborted, rejected, refused] {
        assert!(pair.turns.iter().any(|(side, _)| *side == Side::Responder));
        tshark.check_octets(&capture(&pair.turns), &[102]).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The dissectors do not follow X.410 mode into the data; opening, refusing, aborting and releasing they do.
#[test]
fn nothing_but_the_data_of_x410_mode_is_complained_about() {
    let Some(tshark) = Tshark::required_by("nothing_but_the_data_of_x410_mode_is_complained_about") else {
        return;
    };
    let conversation = || {
        let mut pair = Pair::new(x410(two_way()), x410(two_way()));
        let reference = SessionReference {
            user_reference: "host-a".to_owned(),
            time: WallTime::from_unix(1_795_321_800),
        };
        // Without a name and a password.
        pair.a = End::new(Stack::initiator(x410(two_way()), OpenData::Open(vec![5, 0]), reference));
        pair.b.bind_result = vec![5, 0];
        pair
    };
    let mut closed = conversation();
    closed.a.then = Then::Close;
    closed.start();
    let mut rejected = conversation();
    rejected.b.reject_bind = Some(true);
    rejected.start();
    let mut aborted = conversation();
    aborted.start();
    aborted.a.request(aborted.now, RtRequest::Abort(AbortReason::USER_ERROR));
    for mut pair in [closed, rejected, aborted] {
        pair.run_to_end();
        let report =
            tshark.check_octets(&capture(&pair.turns), &[102]).unwrap_or_else(|error| panic!("{error}"));
        assert!(report.with_protocol("pres").next().is_some());
    }
}

/// Interrupts, resumes on the same and on another connection, a recovered association, and the aborts that end them.
#[test]
fn nothing_of_a_recovery_is_complained_about() {
    let Some(tshark) = Tshark::required_by("nothing_of_a_recovery_is_complained_about") else { return };
    let mut conversations = Vec::new();

    let (mut begun, point, state) = resumed(two_way());
    begun.pair.ask(B, RtRequest::ResumeAccept(Box::new(state)));
    begun.feed(A);
    begun.pair.settle();
    begun.pair.ask(A, RtRequest::TransferInterrupt);
    begun.pair.settle();
    begun.pair.ask(A, RtRequest::Resume { from: point, connection: None });
    begun.pair.settle();
    begun.pair.ask(B, RtRequest::ResumeRefuse);
    begun.pair.settle();
    conversations.push(begun.pair.turns);
    let (mut begun, ..) = resumed(config());
    begun.pair.ask(B, RtRequest::Abort(AbortReason::UNRECOGNIZED_ACTIVITY));
    begun.pair.settle();
    conversations.push(begun.pair.turns);

    let (mut begun, ..) = resumed(config());
    begun.pair.ask(B, RtRequest::ResumeCompleted);
    begun.pair.ask(A, RtRequest::TransferCancel);
    begun.pair.settle();
    conversations.push(begun.pair.turns);

    for config in [config(), x410(config())] {
        let (_, _, connection) = cut(&mut Begun::new(config.clone()));
        let mut pair = Manual::connect(config.clone(), config, OpenData::Recover(connection), "again");
        let mut refused = pair.clone();
        pair.accept();
        pair.ask(A, RtRequest::Close);
        pair.settle();
        conversations.push(pair.turns);
        let refuse_reason = RefuseReason::CANNOT_RECOVER;
        refused.ask(B, RtRequest::OpenReject { user_data: Vec::new(), refuse_reason, transient: false });
        refused.settle();
        conversations.push(refused.turns);
    }
    assert_eq!(conversations.len(), 7);
    for turns in conversations {
        tshark.check_octets(&capture(&turns), &[102]).unwrap_or_else(|error| panic!("{error}"));
    }
}
