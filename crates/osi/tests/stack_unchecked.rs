//! APDUs without checkpoints: each is one segment of any length, and nobody holds more of it than a window's worth.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/ber_forms.rs"]
mod ber_forms;
#[path = "support/manual.rs"]
mod manual;
#[path = "support/pair.rs"]
mod pair;

use ber::{Tag, Writer};
use ber_forms::{FORMS, reform};
use manual::{A, B, Manual};
use osi::cotp::TpduSize;
use osi::cotp::tpdu::encode_dt;
use osi::failure::{Blame, Layer};
use osi::rtse::{AbortReason, RtIndication, RtRequest};
use osi::stack::StackConfig;
use pair::{Pair, apdu, two_way, x410};
use proptest::prelude::*;

/// Without checkpoints, and with limits that short APDUs reach.
fn small(in_x410_mode: bool) -> StackConfig {
    let mut config = two_way();
    config.rtse.checkpoint_size_kb = 0;
    config.rtse.segment_octets_max = 1024;
    config.pass_on_above = 100;
    if in_x410_mode { x410(config) } else { config }
}

/// What goes over the line for one APDU.
fn sent(a: StackConfig, b: StackConfig, octets: usize) -> Vec<u8> {
    let mut pair = Pair::new(a, b);
    pair.a.send.push_back(apdu(octets));
    pair.start();
    assert_eq!(pair.b.received, [apdu(octets)]);
    pair.a.sent
}

#[test]
fn the_octets_on_the_line_are_the_same_in_whatever_pieces_the_user_gives_them() {
    for in_x410_mode in [false, true] {
        for octets in [0, 1, 127, 128, 995, 1000, 1005, 1010, 1015, 1018, 1024, 2048, 5000, 70_000] {
            for tsdu_max in [0, 300] {
                for tpdu_size in [TpduSize::MIN, TpduSize::OCTETS_2048] {
                    let mut a = small(in_x410_mode);
                    a.session.tsdu_max = tsdu_max;
                    a.tpdu_size_offered = tpdu_size;
                    let b = a.clone();
                    let mut whole = a.clone();
                    whole.rtse.segment_octets_max = 1 << 20;
                    assert_eq!(sent(a, b.clone(), octets), sent(whole, b, octets), "{octets} octets");
                }
            }
        }
    }
}

/// Gives an APDU of zeros as it is asked for; how often that was.
fn give(pair: &mut Manual, most: usize) -> usize {
    for given in 0..most {
        let Some(RtIndication::SegmentWanted { octets }) = pair.told[A].pop() else { return given };
        pair.ask(A, RtRequest::Segment(vec![0; octets]));
    }
    most
}

#[test]
fn sixty_four_megabytes_pass_and_neither_end_holds_much_of_them() {
    const LENGTH: u64 = 64 * 1024 * 1024;
    // In the debug form of a machine each octet takes three characters at least.
    let held = |stack: &osi::stack::Stack| format!("{stack:?}").len() / 3;
    for (in_x410_mode, tsdu_max) in [(false, 0), (true, 0), (false, 40_000)] {
        let mut config = two_way();
        config.rtse.checkpoint_size_kb = 0;
        config.session.tsdu_max = tsdu_max;
        config.tpdu_size_offered = TpduSize::MAX;
        let config = if in_x410_mode { x410(config) } else { config };
        let mut pair = Manual::open(config.clone(), config);
        pair.ask(A, RtRequest::Transfer { length: LENGTH });
        let (mut came, mut longest, mut most, mut pieces) = (0, 0, 0, 0);
        while give(&mut pair, 1) == 1 {
            let waiting: usize = pair.sent[A].iter().map(Vec::len).sum();
            assert!(waiting < 128 * 1024, "{waiting} octets at once");
            pieces += 1;
            if pieces % 64 == 1 {
                most = most.max(held(&pair.stacks[A])).max(held(&pair.stacks[B]));
            }
            while pair.carry(A) {
                for told in pair.take(B) {
                    if let RtIndication::TransferData(octets) = told {
                        came += octets.len() as u64;
                        longest = longest.max(octets.len());
                    }
                }
                if pieces % 64 == 2 {
                    most = most.max(held(&pair.stacks[B]));
                }
            }
            pair.turns.clear();
        }
        assert_eq!((came, pieces), (LENGTH, if in_x410_mode { 1024 } else { 1025 }));
        assert!(longest < 128 * 1024 && most < 128 * 1024, "{longest} and {most} octets");
        pair.ask(B, RtRequest::TransferAccept);
        pair.settle();
        assert_eq!(pair.take(A), [RtIndication::TransferConfirm]);
    }
}

/// User data with an RTTR of these octets, in a form that a peer may choose.
fn user_data(octets: &[u8], kind: usize) -> Vec<u8> {
    let rttr = Writer::encode(|w| w.primitive(Tag::OCTET_STRING, octets));
    Writer::encode(|w| {
        w.constructed(Tag::application(1), |w| {
            w.constructed(Tag::SEQUENCE, |w| {
                if kind % 2 == 1 {
                    w.oid(Tag::OBJECT_IDENTIFIER, &osi::presentation::TRANSFER_SYNTAX_BER);
                }
                w.integer(Tag::INTEGER, 3);
                match kind / 2 {
                    0 => w.constructed(Tag::context(0), |w| w.raw(&rttr)),
                    1 => w.primitive(Tag::context(1), &rttr),
                    2 => w.primitive(Tag::context(2), &[&[0], &rttr[..]].concat()),
                    // Two of them.
                    _ => w.primitive(Tag::context(1), &[&rttr[..], &[4, 0]].concat()),
                }
            });
        });
    })
}

/// Lets this TSDU come to B in TPDUs of so many octets.
fn arrive(pair: &mut Manual, tsdu: &[u8], octets: usize) {
    let last = tsdu.chunks(octets).count() - 1;
    for (index, piece) in tsdu.chunks(octets).enumerate() {
        let mut packet = Vec::new();
        osi::tpkt::frame(&encode_dt(index == last, piece), &mut packet).unwrap();
        pair.sent[A].push_back(packet);
        pair.carry(A);
    }
}

fn octets_of(told: &[RtIndication]) -> Vec<u8> {
    let mut octets = Vec::new();
    for told in told {
        if let RtIndication::TransferData(piece) = told {
            octets.extend(piece);
        }
    }
    octets
}

fn ended(told: &[RtIndication]) -> (Layer, Blame, bool) {
    match told.last() {
        Some(RtIndication::Aborted(aborted)) => (aborted.layer, aborted.blame, aborted.by_peer),
        other => panic!("{other:?}"),
    }
}

/// An association on which A has begun a transfer, which B has been told.
fn begun(config: StackConfig) -> Manual {
    let mut pair = Manual::open(config.clone(), config);
    pair.ask(A, RtRequest::Transfer { length: 5000 });
    pair.settle();
    pair.take(B);
    pair
}

fn external(apdu: &[u8]) -> Vec<u8> {
    let mut all = osi::rtse::external::head(osi::presentation::ContextId(5), apdu.len() as u64);
    all.extend_from_slice(apdu);
    all
}

#[test]
fn every_form_of_user_data_is_read_alike_in_pieces_of_any_size() {
    let apdu = apdu(150);
    let pair = begun(small(false));
    let mut cases = 0;
    for kind in 0..8 {
        let data = user_data(&external(&apdu), kind);
        for data in FORMS.map(|form| reform(&data, form)).into_iter().chain([data.clone()]) {
            for leader in [&[1, 0, 1, 0][..], &[2, 0, 1, 0], &[1, 0, 1, 3, 25, 1, 3], &[1, 0, 2, 0, 1, 0]] {
                let tsdu = [leader, &data].concat();
                for octets in [1, 2, 3, 7, 50, 101, tsdu.len()] {
                    let mut pair = pair.clone();
                    arrive(&mut pair, &tsdu, octets);
                    assert_eq!(octets_of(&pair.take(B)), apdu, "kind {kind}, {octets} octets in each");
                    arrive(&mut pair, &[1, 0, 41, 3, 42, 1, b'1'], 100);
                    assert_eq!(pair.take(B), [RtIndication::TransferEnd]);
                    cases += 1;
                }
            }
        }
    }
    assert_eq!(cases, 8 * 6 * 4 * 7);
}

#[test]
fn an_ssdu_in_segments_is_passed_on_too() {
    let apdu = apdu(400);
    let data = user_data(&external(&apdu), 0);
    for size in [1, 50, 130, 300] {
        let mut pair = begun(small(false));
        let last = data.chunks(size).count() - 1;
        for (index, piece) in data.chunks(size).enumerate() {
            let enclosure = u8::from(index == 0) | u8::from(index == last) << 1;
            arrive(&mut pair, &[&[1, 0, 1, 3, 25, 1, enclosure], piece].concat(), 60);
        }
        assert_eq!(octets_of(&pair.take(B)), apdu);
        arrive(&mut pair, &[1, 0, 41, 3, 42, 1, b'1'], 100);
        assert_eq!(pair.take(B), [RtIndication::TransferEnd]);
    }
}

#[test]
fn what_is_wrong_in_the_middle_is_told_to_both_ends() {
    let data = user_data(&external(&apdu(150)), 0);
    let changed = |at: usize, to: u8| {
        let mut data = data.clone();
        data[at] = to;
        data
    };
    let place = data.iter().position(|octet| *octet == 3).unwrap();
    for (wrong, layer) in [
        (data[..data.len() - 1].to_vec(), Layer::Presentation),
        ([&data[..], &[0]].concat(), Layer::Presentation),
        (changed(0, 0x62), Layer::Presentation),
        (changed(place, 9), Layer::Presentation),
        (changed(place, 5), Layer::Rtse),
        (user_data(&[], 0), Layer::Rtse),
    ] {
        let wrong = if wrong.len() < 100 {
            // An RTTP of many octets.
            let rttp = Writer::encode(|w| w.primitive(Tag::INTEGER, &[1; 200]));
            Writer::encode(|w| {
                w.constructed(Tag::application(1), |w| {
                    w.constructed(Tag::SEQUENCE, |w| {
                        w.integer(Tag::INTEGER, 3);
                        w.constructed(Tag::context(0), |w| w.raw(&rttp));
                    });
                });
            })
        } else {
            wrong
        };
        for octets in [1, 60, 1000] {
            let mut pair = begun(small(false));
            arrive(&mut pair, &[&[1, 0, 1, 0], &wrong[..]].concat(), octets);
            assert_eq!(ended(&pair.take(B)), (layer, Blame::PeerMisbehaved, false), "{wrong:02x?}");
            pair.settle();
            assert!(ended(&pair.take(A)).2, "the peer ended it");
        }
    }
}

#[test]
fn our_user_stops_a_transfer_in_the_middle() {
    for request in [RtRequest::TransferCancel, RtRequest::TransferInterrupt] {
        // The peer would take what there is for a faulty whole.
        let mut pair = begun(small(false));
        assert_eq!(give(&mut pair, 2), 2);
        pair.settle();
        pair.take(A);
        pair.ask(A, request.clone());
        assert!(pair.sent[A].is_empty(), "nothing is said in the middle of a TSDU");
        assert_eq!(ended(&pair.take(A)), (Layer::Application, Blame::Local, false));
        assert!(pair.stacks[A].is_finished());

        // In X.410 mode there is no whole but for the activity.
        let mut pair = begun(small(true));
        assert_eq!(give(&mut pair, 2), 2);
        pair.take(A);
        pair.ask(A, request);
        pair.settle();
        assert_eq!(pair.take(A), [RtIndication::TransferFailed { reason: None }]);
        assert_eq!(pair.take(B).last(), Some(&RtIndication::TransferDiscarded));
        pair.ask(A, RtRequest::Transfer { length: 5000 });
        assert_eq!(give(&mut pair, 9), 5);
        pair.settle();
        let told = pair.take(B);
        assert_eq!((octets_of(&told).len(), told.last()), (5000, Some(&RtIndication::TransferEnd)));
    }
}

#[test]
fn an_abort_in_the_middle_drops_the_connection() {
    for in_x410_mode in [false, true] {
        let mut pair = begun(small(in_x410_mode));
        assert_eq!(give(&mut pair, 2), 2);
        pair.settle();
        pair.ask(A, RtRequest::Abort(AbortReason::LOCAL_SYSTEM_PROBLEM));
        assert!(pair.sent[A].is_empty() && pair.stacks[A].is_finished());
        // The other end may say what it likes in the middle.
        let mut pair = begun(small(in_x410_mode));
        assert_eq!(give(&mut pair, 2), 2);
        pair.settle();
        pair.take(A);
        pair.ask(B, RtRequest::Abort(AbortReason::LOCAL_SYSTEM_PROBLEM));
        pair.settle();
        assert!(ended(&pair.take(A)).2 && pair.sent[A].is_empty());
    }
}

#[test]
fn a_refusal_in_the_middle_ends_the_transfer_only() {
    for in_x410_mode in [false, true] {
        for (transient, reason) in [(false, 6), (true, 5)] {
            let mut pair = begun(small(in_x410_mode));
            assert_eq!(give(&mut pair, 2), 2);
            pair.ask(B, RtRequest::TurnPlease { priority: 1 });
            pair.settle();
            assert_eq!(pair.told[A].pop(), Some(RtIndication::TurnPlease { priority: 1 }));
            assert_eq!(give(&mut pair, 1), 1);
            assert!(!octets_of(&pair.take(B)).is_empty(), "it has been passed on");
            pair.ask(B, RtRequest::TransferRefuse { transient });
            let rest = pair.told[A].pop();
            pair.settle();
            assert!(matches!(rest, Some(RtIndication::SegmentWanted { .. })));
            assert_eq!(pair.take(A), [RtIndication::TransferFailed { reason: Some(reason) }]);
            assert_eq!(pair.take(B), [RtIndication::TransferDiscarded]);
            // The user did not know yet.
            pair.ask(A, RtRequest::Transfer { length: 5000 });
            assert_eq!(give(&mut pair, 9), 5);
            pair.settle();
            let told = pair.take(B);
            assert_eq!((octets_of(&told).len(), told.last()), (5000, Some(&RtIndication::TransferEnd)));
            pair.ask(B, RtRequest::TransferAccept);
            pair.settle();
            assert_eq!(pair.take(A), [RtIndication::TransferConfirm]);
        }
    }
}

#[test]
fn what_still_comes_of_a_refused_apdu_is_no_standstill() {
    let second = std::time::Duration::from_secs(1);
    let mut slow = small(false);
    slow.rtse.transfer_timeout = 5 * second;
    let mut pair = Manual::open(slow.clone(), slow);
    pair.ask(A, RtRequest::Transfer { length: 100_000 });
    assert_eq!(give(&mut pair, 200), 98);
    for _ in 0..10 {
        pair.carry(A);
    }
    pair.ask(B, RtRequest::TransferRefuse { transient: false });
    for _ in 0..20 {
        pair.now = pair.now + 4 * second;
        assert!(pair.stacks[B].deadline().unwrap() > pair.now);
        pair.carry(A);
    }
    pair.expire(B);
    assert_eq!(ended(&pair.take(B)).1, Blame::PeerGone);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_pieces_do_not_matter(
        octets in 0usize..4000, above in 30usize..3000, chunk in 1usize..3000, in_x410_mode: bool,
        checkpoints in 0u32..3, tsdu_max in prop_oneof![Just(0u16), 100u16..2000],
    ) {
        let mut a = small(in_x410_mode);
        a.rtse.checkpoint_size_kb = checkpoints;
        a.session.tsdu_max = tsdu_max;
        let mut b = a.clone();
        b.pass_on_above = above;
        let mut whole = Pair::new(a.clone(), StackConfig { pass_on_above: 1 << 20, ..b.clone() });
        let mut pieces = Pair::new(a, b);
        pieces.chunk = chunk;
        for pair in [&mut whole, &mut pieces] {
            pair.a.send.extend([apdu(octets), apdu(10)]);
            pair.start();
        }
        prop_assert_eq!(&whole.b.received, &[apdu(octets), apdu(10)]);
        prop_assert_eq!(&pieces.b.received, &whole.b.received);
        let told = |pair: &Pair| -> Vec<_> {
            let data = |told: &&RtIndication| !matches!(told, RtIndication::TransferData(_));
            pair.b.log.iter().filter(data).cloned().collect()
        };
        prop_assert_eq!(told(&pieces), told(&whole));
        // What is confirmed of checkpoints depends on what has arrived.
        if checkpoints == 0 {
            prop_assert_eq!(&pieces.b.sent, &whole.b.sent);
        }
    }
}
