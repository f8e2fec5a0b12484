//! Long APDUs in one piece, slow lines, and what a peer may make of the limits.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pair.rs"]
mod pair;

use std::time::Duration;

use manual::{A, B, Manual};
use osi::cotp::TpduSize;
use osi::cotp::tpdu::{Tpdu, encode_dt};
use osi::failure::{Blame, Layer};
use osi::rtse::{Aborted, RequestError, RtIndication, RtRequest};
use osi::session::spdu::{Spdu, decode_tsdu};
use osi::stack::StackConfig;
use pair::{Pair, apdu, config, two_way};

fn ended(told: &[RtIndication]) -> &Aborted {
    match told.last() {
        Some(RtIndication::Aborted(aborted)) => aborted,
        other => panic!("{other:?}"),
    }
}

/// Settings without checkpoints, so that an APDU is one SSDU.
fn unchecked() -> StackConfig {
    let mut config = two_way();
    config.rtse.checkpoint_size_kb = 0;
    config
}

/// A has sent all of this APDU, and none of it has arrived.
fn sending(a: StackConfig, b: StackConfig, apdu: &[u8]) -> Manual {
    let mut pair = Manual::open(a, b);
    pair.ask(A, RtRequest::Transfer { length: apdu.len() as u64 });
    let mut rest = apdu;
    while let Some(RtIndication::SegmentWanted { octets }) = pair.told[A].pop() {
        let (now, later) = rest.split_at(octets);
        pair.ask(A, RtRequest::Segment(now.to_vec()));
        rest = later;
    }
    assert!(rest.is_empty());
    pair
}

fn received(told: &[RtIndication]) -> Vec<u8> {
    let mut octets = Vec::new();
    for indication in told {
        if let RtIndication::TransferData(piece) = indication {
            octets.extend(piece);
        }
    }
    octets
}

#[test]
fn an_apdu_may_go_in_any_number_of_tpdus() {
    let mut b = unchecked();
    b.tpdu_size = TpduSize::MIN;
    let apdu = apdu(1_500_000);
    let mut pair = sending(unchecked(), b, &apdu);
    assert!(pair.sent[A].len() > 11_000);
    pair.settle();
    assert_eq!(received(&pair.take(B)), apdu);
}

#[test]
fn an_apdu_may_go_in_any_number_of_session_segments() {
    let mut small = unchecked();
    small.session.tsdu_max = 100;
    let apdu = apdu(1_200_000);
    let mut pair = sending(small.clone(), small, &apdu);
    assert!(pair.sent[A].len() > 11_000);
    pair.settle();
    assert_eq!(received(&pair.take(B)), apdu);
}

#[test]
fn an_apdu_has_no_more_checkpoints_than_serial_numbers() {
    let mut small = two_way();
    small.rtse.checkpoint_size_kb = 1;
    let mut pair = Manual::open(small.clone(), small);
    let told = pair.request(A, RtRequest::Transfer { length: 2_000_000_000 }).unwrap_err();
    let RequestError::TooLong { length: 2_000_000_000, limit } = told else { panic!("{told}") };
    // 999,998 checkpoints and a last segment without one, less the head of the EXTERNAL.
    let octets = 999_999 * 1024;
    assert!((octets - 32..octets).contains(&limit), "{limit}");
    assert!(pair.sent[A].is_empty());
    assert!(pair.request(A, RtRequest::Transfer { length: limit + 1 }).is_err());
    pair.ask(A, RtRequest::Transfer { length: limit });
    assert_eq!(pair.take(A).len(), 1, "the association goes on");
}

#[test]
fn a_call_offers_2048_octets_and_8192_are_agreed_to() {
    let pair = sending(unchecked(), unchecked(), &apdu(20_000));
    let longest = |pair: &Manual| pair.sent[A].iter().map(Vec::len).max();
    assert_eq!(longest(&pair), Some(2048 + 4), "and the packet header");
    let mut large = unchecked();
    large.tpdu_size_offered = TpduSize::MAX;
    let pair = sending(large, unchecked(), &apdu(20_000));
    assert_eq!(longest(&pair), Some(8192 + 4));
}

#[test]
fn a_tsdu_over_the_limit_is_answered_by_the_session_layer() {
    let mut b = unchecked();
    b.max_tsdu = 40_000;
    let mut pair = sending(unchecked(), b, &apdu(50_000));
    while pair.carry(A) {}
    assert!(matches!(pair.take(B).last(), Some(RtIndication::TransferEnd)), "data is never too long");
    // An AE whose user data is announced to be longer.
    let mut tsdu = vec![1, 0, 41, 0xFF, 0xFF, 0xF0];
    for _ in 0..6 {
        tsdu.resize(8_000, 0);
        let mut packet = Vec::new();
        osi::tpkt::frame(&encode_dt(false, &tsdu), &mut packet).unwrap();
        pair.sent[A].push_back(packet);
        pair.carry(A);
        tsdu.clear();
    }
    let told = pair.take(B);
    let aborted = ended(&told);
    assert_eq!((aborted.layer, aborted.blame), (Layer::Session, Blame::LimitReached));
    assert!(aborted.text.contains("40000"), "{}", aborted.text);
    let [packet] = pair.sent[B].make_contiguous() else { panic!("{:?}", pair.sent[B]) };
    let Tpdu::Dt { data, end_of_tsdu: true } = Tpdu::decode(&packet[4..]).unwrap() else { panic!() };
    let [Spdu::Ab { transport_disconnect, .. }] = &decode_tsdu(&data).unwrap()[..] else { panic!() };
    assert_eq!(transport_disconnect.unwrap().0 & 0x10, 0x10, "implementation restriction");
    pair.settle();
    let told = pair.take(A);
    assert_eq!((ended(&told).layer, ended(&told).by_peer), (Layer::Session, true));
    assert!(pair.stacks[A].is_finished());
}

#[test]
fn a_slow_line_is_no_standstill_for_the_receiver() {
    for tsdu_max in [0, 500] {
        let second = Duration::from_secs(1);
        let mut slow = unchecked();
        slow.rtse.transfer_timeout = 5 * second;
        slow.session.tsdu_max = tsdu_max;
        let mut pair = sending(slow.clone(), slow, &apdu(100_000));
        let mut since = pair.now;
        for _ in 0..40 {
            pair.carry(A);
            since = pair.now;
            pair.now = pair.now + 4 * second;
            assert!(pair.stacks[B].deadline().unwrap() > pair.now);
        }
        // Now it stands still.
        pair.expire(B);
        assert_eq!(pair.now.saturating_since(since), 5 * second);
        assert_eq!(ended(&pair.take(B)).blame, Blame::PeerGone);
    }
}

#[test]
fn a_slow_line_is_no_standstill_for_the_sender() {
    let second = Duration::from_secs(1);
    let mut slow = unchecked();
    slow.rtse.transfer_timeout = 5 * second;
    let mut pair = sending(slow.clone(), slow.clone(), &apdu(100_000));
    for _ in 0..10 {
        pair.now = pair.now + 4 * second;
        pair.stacks[A].wrote(pair.now);
        assert_eq!(pair.stacks[A].deadline(), Some(pair.now + 5 * second));
    }
    pair.expire(A);
    assert_eq!(ended(&pair.take(A)).blame, Blame::PeerGone);
    // Where nothing of the peer's is awaited, octets that leave change nothing.
    let mut pair = Manual::open(slow.clone(), slow);
    pair.stacks[A].wrote(pair.now);
    assert_eq!(pair.stacks[A].deadline(), None);
}

/// Hands B a TSDU with so many presentation data values, each an empty RTTR.
fn many_values(count: usize) -> Vec<RtIndication> {
    let mut pair = Manual::open(unchecked(), unchecked());
    pair.ask(A, RtRequest::Transfer { length: 2 });
    pair.settle();
    let list: Vec<u8> = [0x30, 7, 2, 1, 3, 0xA0, 2, 4, 0].repeat(count);
    let mut tsdu = vec![1, 0, 1, 0];
    tsdu.extend(ber::Writer::encode(|w| w.constructed(ber::Tag::application(1), |w| w.raw(&list))));
    let last = tsdu.len().div_ceil(8000);
    pair.take(B);
    for (index, piece) in tsdu.chunks(8000).enumerate() {
        let mut packet = vec![3, 0];
        packet.extend((piece.len() as u16 + 7).to_be_bytes());
        packet.extend([2, 0xF0, if index + 1 == last { 0x80 } else { 0 }]);
        packet.extend(piece);
        pair.sent[A].push_back(packet);
        pair.carry(A);
    }
    pair.take(B)
}

#[test]
fn a_tsdu_full_of_values_is_the_peers_fault() {
    assert_eq!(many_values(1024), []);
    for count in [1025, 20_000] {
        let told = many_values(count);
        let aborted = ended(&told);
        assert_eq!((aborted.layer, aborted.blame), (Layer::Presentation, Blame::PeerMisbehaved), "{count}");
        assert!(aborted.text.contains("1024"), "{}", aborted.text);
        assert_eq!(told.len(), 1);
    }
}

#[test]
fn an_acceptance_that_version_1_has_no_room_for_is_a_refusal() {
    let config = || {
        let mut config = config();
        config.session.version_max = osi::session::Version::V1;
        config
    };
    for (octets, fits) in [(300, true), (600, false)] {
        let mut pair = Pair::new(config(), config());
        pair.b.bind_result = apdu(octets);
        pair.start();
        if fits {
            assert!(matches!(pair.a.last(), Some(RtIndication::OpenConfirm { .. })), "{:?}", pair.a.last());
            continue;
        }
        pair.run_to_end();
        let Some(RtIndication::OpenRefused(refused)) = pair.a.last() else { panic!("{:?}", pair.a.last()) };
        // local-limit-exceeded
        assert_eq!((refused.layer, refused.code), (Layer::Presentation, Some(2)));
        let Some(RtIndication::Aborted(aborted)) = pair.b.last() else { panic!("{:?}", pair.b.last()) };
        assert_eq!((aborted.layer, aborted.blame), (Layer::Presentation, Blame::LimitReached));
    }
}
