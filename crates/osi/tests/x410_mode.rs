//! Whole stacks in X.410-1984 mode: what is on the wire, in both roles, and that everything of normal mode holds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/pair.rs"]
mod pair;

use std::time::Duration;

use ber::Oid;
use clock::{MonoTime, WallTime};
use osi::failure::Blame;
use osi::presentation::ppdu::{ByMode, Cp, Cpa};
use osi::rtse::apdu::{Rtab, Rtoac, Rtorq, RtseApdu};
use osi::rtse::{AbortReason, DialogueMode, Mode, OpenData, RefuseReason, RtIndication, RtRequest};
use osi::session::spdu::{Spdu, decode_tsdu};
use osi::stack::{SessionReference, Stack};
use pair::{BIND, BIND_RESULT, Cut, End, Pair, Then, apdu, config, two_way, x410};
use proptest::prelude::*;
use testkit::{Capture, Connection, GoldenVector, Side, tsdus_of};

const MODE: Mode = Mode::X410 { application_protocol: 12 };

fn in_x410(a: osi::stack::StackConfig, b: osi::stack::StackConfig) -> Pair {
    Pair::new(x410(a), x410(b))
}

/// The SPDUs of an end, without the ones that only go in front of another.
fn spdus(octets: &[u8]) -> Vec<Spdu> {
    tsdus_of(octets).iter().flat_map(|tsdu| decode_tsdu(tsdu).unwrap()).collect()
}

fn aborted(end: &End) -> &osi::rtse::Aborted {
    match end.last() {
        Some(RtIndication::Aborted(aborted)) => aborted,
        other => panic!("{other:?}"),
    }
}

/// The bind argument in the golden CN: MTA-A with the password "secret".
const GOLDEN_BIND: &[u8] = b"\xA1\x12\x80\x05MTA-A\xA1\x09\x16\x07secretA";

#[test]
fn the_golden_connect_is_what_an_initiator_sends() {
    let mut a = x410(two_way());
    a.rtse.checkpoint_size_kb = 1;
    a.rtse.window_size = 3;
    let golden = GoldenVector::ConnectX410.octets();
    let [Spdu::Cn(expected)] = &decode_tsdu(&golden).unwrap()[..] else { panic!() };
    a.local.session = expected.calling_selector.clone().unwrap();
    a.remote.session = expected.called_selector.clone().unwrap();
    let reference =
        SessionReference { user_reference: "hostA".to_owned(), time: WallTime::from_unix(1_795_321_800) };
    let mut end = End::new(Stack::initiator(a, OpenData::Open(GOLDEN_BIND.to_vec()), reference));
    let mut out = Vec::new();
    end.stack.start(MonoTime::START, &mut out);
    end.perform(MonoTime::START, out);
    let mut out = Vec::new();
    end.stack.receive(MonoTime::START, &[3, 0, 0, 11, 6, 0xD0, 0, 1, 0, 9, 0], &mut out);
    end.perform(MonoTime::START, out);
    let sent = tsdus_of(&end.sent);
    let [Spdu::Cn(cn)] = &decode_tsdu(sent.last().unwrap()).unwrap()[..] else { panic!() };
    assert_eq!(cn.user_data, expected.user_data);
    assert_eq!((&cn.item, cn.user_requirements), (&expected.item, expected.user_requirements));
    assert_eq!(cn.calling_selector, expected.calling_selector);
    assert_eq!(cn.called_selector, expected.called_selector);
}

#[test]
fn the_golden_connect_is_understood_and_answered() {
    let mut end = End::new(Stack::responder(x410(two_way())));
    let mut out = Vec::new();
    end.stack.start(MonoTime::START, &mut out);
    let cr: &[u8] = &[3, 0, 0, 11, 6, 0xE0, 0, 0, 0, 1, 0];
    let mut dt = vec![2, 0xF0, 0x80];
    dt.extend(GoldenVector::ConnectX410.octets());
    let mut cn = Vec::new();
    osi::tpkt::frame(&dt, &mut cn).unwrap();
    end.stack.receive(MonoTime::START, &[cr, &cn].concat(), &mut out);
    end.perform(MonoTime::START, out);
    let RtIndication::Open(open) = &end.log[0] else { panic!("{:?}", end.log) };
    assert_eq!(open.mode, MODE);
    assert_eq!(open.data, OpenData::Open(GOLDEN_BIND.to_vec()));
    assert_eq!((open.agreed.checkpoint_size_kb, open.agreed.window_size), (1, 3));
    assert_eq!(open.agreed.dialogue_mode, DialogueMode::TwoWayAlternate);
    let answers = spdus(&end.sent);
    let [Spdu::Ac(ac)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(ac.item.version, Some(1));
    let ByMode::X410(set) = Cpa::decode(&ac.user.octets).unwrap() else { panic!() };
    let rtoac = Rtoac::decode_x410(&set).unwrap();
    assert_eq!((rtoac.checkpoint_size_kb, rtoac.window_size), (1, 3));
    assert_eq!(rtoac.connection_data, osi::rtse::apdu::ConnectionData::Open(BIND_RESULT.to_vec()));
}

#[test]
fn opens_transfers_and_closes_in_both_dialogues() {
    for config in [config(), two_way()] {
        let mut pair = in_x410(config.clone(), config);
        pair.a.send.extend([apdu(10), apdu(100_000), apdu(5)]);
        let sent: Vec<_> = pair.a.send.iter().cloned().collect();
        pair.a.then = Then::Close;
        pair.start();
        assert!(pair.run_to_end() < Duration::from_secs(1), "nothing waits for a timer");
        let RtIndication::Open(open) = &pair.b.log[0] else { panic!("{:?}", pair.b.log) };
        assert_eq!((open.mode, &open.data), (MODE, &OpenData::Open(BIND.to_vec())));
        assert!(matches!(
            &pair.a.log[0],
            RtIndication::OpenConfirm { user_data, .. } if user_data == BIND_RESULT
        ));
        assert_eq!(pair.b.received, sent);
        assert_eq!(
            (pair.a.last(), pair.b.last()),
            (Some(&RtIndication::Closed), Some(&RtIndication::Closed))
        );
        // The APDUs are on the wire as they are, and nothing else is.
        let data: Vec<u8> = spdus(&pair.a.sent)
            .into_iter()
            .filter_map(|spdu| match spdu {
                Spdu::Dt { data, .. } => Some(data.to_vec()),
                _ => None,
            })
            .flatten()
            .collect();
        assert_eq!(data, sent.concat());
        for spdu in spdus(&pair.a.sent).into_iter().chain(spdus(&pair.b.sent)) {
            if let Spdu::Fn { user, .. } | Spdu::Dn { user } = spdu {
                assert!(user.octets.is_empty(), "the release carries nothing");
            }
        }
    }
}

#[test]
fn the_turn_passes_both_ways_and_is_asked_for_with_a_bare_integer() {
    let mut pair = in_x410(two_way(), two_way());
    pair.a.send.push_back(apdu(2_000));
    pair.b.send.extend([apdu(70_000), apdu(3)]);
    pair.a.then = Then::GiveTurn;
    pair.b.then = Then::GiveTurn;
    pair.start();
    assert_eq!(pair.b.received, [apdu(2_000)]);
    assert_eq!(pair.a.received, [apdu(70_000), apdu(3)]);
    pair.b.sent.clear();
    pair.b.request(pair.now, RtRequest::TurnPlease { priority: 2 });
    pair.pump();
    assert_eq!(pair.a.last(), Some(&RtIndication::TurnPlease { priority: 2 }));
    let [Spdu::Pt { user, .. }] = &spdus(&pair.b.sent)[..] else { panic!("{:02x?}", pair.b.sent) };
    assert_eq!(user.octets, [2, 1, 2]);
    pair.a.request(pair.now, RtRequest::TurnGive);
    pair.pump();
    assert!(!pair.a.stack.has_turn() && pair.b.stack.has_turn());
    pair.b.request(pair.now, RtRequest::TurnGive);
    pair.a.then = Then::Close;
    pair.run_to_end();
    assert_eq!((pair.a.last(), pair.b.last()), (Some(&RtIndication::Closed), Some(&RtIndication::Closed)));
}

#[test]
fn an_abort_is_a_set_with_its_reason_whichever_side_sends_it() {
    for from_a in [true, false] {
        let mut pair = in_x410(config(), config());
        pair.start();
        let from = if from_a { &mut pair.a } else { &mut pair.b };
        from.sent.clear();
        from.request(pair.now, RtRequest::Abort(AbortReason::USER_ERROR));
        let [Spdu::Ab { user, .. }] = &spdus(&from.sent)[..] else { panic!("{:02x?}", from.sent) };
        assert_eq!(user.octets, [0x31, 3, 0x80, 1, 6]);
        assert_eq!(Rtab::decode_x410(&user.octets).unwrap().reason, Some(AbortReason::USER_ERROR));
        assert!(pair.run_to_end() < Duration::from_secs(1));
        let to = aborted(if from_a { &pair.b } else { &pair.a });
        assert_eq!((to.reason, to.by_peer), (Some(AbortReason::USER_ERROR), true));
    }
}

#[test]
fn a_rejected_bind_reaches_the_initiator_as_a_refuse_reason() {
    for (transient, reason, word) in [
        (true, RefuseReason::RTS_BUSY, "busy"),
        (false, RefuseReason::VALIDATION_FAILURE, "validation failure"),
    ] {
        let mut pair = in_x410(config(), config());
        pair.b.reject_bind = Some(transient);
        pair.start();
        pair.run_to_end();
        let Some(RtIndication::OpenRefused(refused)) = pair.a.last() else { panic!("{:?}", pair.a.log) };
        assert_eq!(refused.code, u32::try_from(reason.0).ok());
        assert_eq!((refused.transient, refused.user_data.is_empty()), (transient, true));
        assert!(refused.text.contains(word), "{}", refused.text);
        assert_eq!(pair.b.last(), Some(&RtIndication::Closed));
    }
}

#[test]
fn what_a_responder_does_not_offer_is_refused_with_the_reason_for_it() {
    // Two-way alternate, another application protocol, and X.410 mode at all.
    let mut other = x410(config());
    other.rtse.mode = Mode::X410 { application_protocol: 2 };
    for (a, b, code) in
        [(x410(two_way()), x410(config()), 3), (other, x410(config()), 2), (x410(config()), config(), 2)]
    {
        let mut pair = Pair::new(a, b);
        pair.start();
        pair.run_to_end();
        let Some(RtIndication::OpenRefused(refused)) = pair.a.last() else { panic!("{:?}", pair.a.log) };
        assert_eq!((refused.code, refused.transient), (Some(code), false), "{}", refused.text);
        assert_eq!(aborted(&pair.b).blame, Blame::PeerIncompatible);
    }
}

#[test]
fn a_bind_too_long_for_session_version_1_never_leaves() {
    let bind = ber::Writer::encode(|w| w.primitive(ber::Tag::OCTET_STRING, &[0; 600]));
    let reference = SessionReference { user_reference: "a".to_owned(), time: WallTime::from_unix(0) };
    let mut pair = in_x410(config(), config());
    pair.a = End::new(Stack::initiator(x410(config()), OpenData::Open(bind), reference));
    pair.start();
    pair.run_to_end();
    assert_eq!(aborted(&pair.a).blame, Blame::Local);
    assert!(!pair.b.log.iter().any(|indication| matches!(indication, RtIndication::Open(_))));
}

#[test]
fn neither_contexts_nor_the_application_context_matter() {
    let mut a = x410(config());
    a.application.application_context = Oid::from_arcs(&[2, 6, 0, 1, 99]).unwrap();
    a.application.apdu_syntax = Oid::from_arcs(&[2, 6, 0, 2, 99]).unwrap();
    let mut pair = Pair::new(a, x410(config()));
    pair.a.send.push_back(apdu(77));
    pair.a.then = Then::Close;
    pair.start();
    pair.run_to_end();
    assert_eq!(pair.b.received, [apdu(77)]);
}

#[test]
fn a_refused_apdu_does_not_end_the_association() {
    for early in [false, true] {
        let mut a = config();
        a.rtse.checkpoint_size_kb = 1;
        let mut pair = in_x410(a, config());
        pair.a.send.extend([apdu(20_000), apdu(20_001)]);
        pair.b.refuse.extend([Some(true)]);
        pair.b.refuse_early = early;
        pair.a.then = Then::Close;
        pair.start();
        pair.run_to_end();
        assert_eq!(pair.b.received, [apdu(20_001)]);
        assert_eq!(pair.a.failures(), [Some(5)]);
        assert_eq!(pair.a.last(), Some(&RtIndication::Closed));
    }
}

#[test]
fn a_line_cut_at_any_octet_ends_both_sides_and_loses_nothing_that_was_confirmed() {
    let setup = || {
        let mut a = config();
        a.rtse.checkpoint_size_kb = 1;
        let mut pair = in_x410(a, config());
        pair.a.send.extend([apdu(1_500), apdu(300)]);
        pair.a.then = Then::Close;
        pair
    };
    let mut whole = setup();
    whole.start();
    whole.run_to_end();
    let lengths = [(true, whole.a.sent.len()), (false, whole.b.sent.len())];
    for (from_a, length) in lengths {
        for at in 0..length {
            for how in [Cut::Reset, Cut::Silence] {
                let mut pair = setup();
                pair.cut = Some((from_a, at, how));
                pair.start();
                pair.run_to_end();
                assert_eq!((pair.a.endings(), pair.b.endings()), (1, 1), "{from_a} {at} {how:?}");
                let confirmed = pair.a.log.iter().filter(|i| **i == RtIndication::TransferConfirm).count();
                assert!(confirmed <= pair.b.received.len());
                let all = [apdu(1_500), apdu(300)];
                assert_eq!(pair.b.received, all[..pair.b.received.len()]);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunking_and_settings_never_matter(
        chunk in 1usize..3000,
        k in 0u32..4,
        window in 1u32..6,
        tsdu_max in prop_oneof![Just(0u16), 200u16..5000],
        sizes in proptest::collection::vec(0usize..9000, 1..4),
    ) {
        let mut a = config();
        a.rtse.checkpoint_size_kb = k;
        a.rtse.window_size = window;
        a.session.tsdu_max = tsdu_max;
        let mut pair = in_x410(a, config());
        pair.chunk = chunk;
        let sent: Vec<_> = sizes.into_iter().map(apdu).collect();
        pair.a.send.extend(sent.iter().cloned());
        pair.a.then = Then::Close;
        pair.start();
        pair.run_to_end();
        prop_assert_eq!(&pair.b.received, &sent);
        prop_assert_eq!(pair.a.last(), Some(&RtIndication::Closed));
        prop_assert_eq!(pair.b.last(), Some(&RtIndication::Closed));
    }
}

/// Recorded, with the application protocol and how many APDUs the initiator transferred on each connection.
const CAPTURES: [(&str, i64, &[usize]); 3] = [
    ("pp-p1-88-x410mode-transfer.pcap", 12, &[1]),
    ("pp-p1-84-message-and-report.pcap", 1, &[1, 1]),
    ("pp-p1-84-message-report-over-88.pcap", 1, &[1]),
];

/// The connections of a recording that carry P1 in X.410 mode.
fn connections(name: &str) -> Vec<Connection> {
    let mut connections = Capture::fixture(name).connections;
    connections.retain(|connection| {
        tsdus_of(&connection.octets(Side::Initiator)).first().is_some_and(|tsdu| {
            let Ok(spdus) = decode_tsdu(tsdu) else { return false };
            let [Spdu::Cn(cn)] = &spdus[..] else { return false };
            matches!(Cp::decode(&cn.user_data), Ok(ByMode::X410(_)))
        })
    });
    connections
}

#[test]
fn every_connect_and_accept_of_the_captures_decodes() {
    for (name, _, counts) in CAPTURES {
        let connections = connections(name);
        assert_eq!(connections.len(), counts.len(), "{name}");
        for connection in connections {
            let spdus_of = |side| spdus(&connection.octets(side));
            let Some(Spdu::Cn(cn)) = spdus_of(Side::Initiator).into_iter().next() else { panic!("{name}") };
            let ByMode::X410(set) = Cp::decode(&cn.user_data).unwrap() else { panic!("{name}") };
            let rtorq = Rtorq::decode_x410(&set).unwrap();
            assert_eq!((rtorq.checkpoint_size_kb, rtorq.window_size), (63, 3));
            let again = RtseApdu::Rtorq(rtorq.clone()).encode_in(osi::presentation::PresentationMode::X410);
            assert_eq!(Rtorq::decode_x410(&again), Ok(rtorq));
            let Some(Spdu::Ac(ac)) = spdus_of(Side::Responder).into_iter().next() else { panic!("{name}") };
            let ByMode::X410(set) = Cpa::decode(&ac.user.octets).unwrap() else { panic!("{name}") };
            let rtoac = Rtoac::decode_x410(&set).unwrap();
            assert_eq!((rtoac.checkpoint_size_kb, rtoac.window_size), (1, 3));
        }
    }
}

#[test]
fn a_responder_of_ours_receives_what_was_sent_to_the_recorded_one() {
    for (name, application_protocol, counts) in CAPTURES {
        for (connection, count) in connections(name).iter().zip(counts) {
            let now = MonoTime::START;
            let mut end = End::new(Stack::responder(x410(two_way())));
            let mut out = Vec::new();
            end.stack.start(now, &mut out);
            end.perform(now, out);
            for segment in connection.segments.iter().filter(|segment| segment.side == Side::Initiator) {
                if end.close_seen {
                    break;
                }
                let mut out = Vec::new();
                end.stack.receive(now, &segment.octets, &mut out);
                end.perform(now, out);
            }
            let RtIndication::Open(open) = &end.log[0] else { panic!("{name}: {:?}", end.log) };
            assert_eq!(open.mode, Mode::X410 { application_protocol }, "{name}");
            assert_eq!(end.last(), Some(&RtIndication::Closed), "{name}");
            let recorded: Vec<Vec<u8>> = connection
                .transfers(Side::Initiator)
                .into_iter()
                .filter(|transfer| transfer.ended)
                .map(|transfer| transfer.octets)
                .collect();
            assert_eq!((recorded.len(), &end.received), (*count, &recorded), "{name}");
            for apdu in &end.received {
                let mut reader = ber::Reader::new(apdu);
                reader.any().unwrap();
                reader.finish().unwrap();
            }
        }
    }
}
