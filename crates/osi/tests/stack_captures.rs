//! Recorded conversations of another implementation (PP 6.0): every PDU of the upper layers decodes, and a stack
//! of ours in the place of the recorded responder receives the APDUs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/pair.rs"]
mod pair;

use std::collections::BTreeMap;

use clock::MonoTime;
use osi::acse::ABSTRACT_SYNTAX_ACSE;
use osi::acse::apdu::AcseApdu;
use osi::presentation::ppdu::{Abort, ByMode, Cp, Cpa, Cpr};
use osi::presentation::{ContextId, Contexts, UserData};
use osi::rtse::RtIndication;
use osi::rtse::apdu::RtseApdu;
use osi::session::spdu::{Spdu, decode_tsdu};
use osi::stack::Stack;
use pair::{End, two_way};
use testkit::{Capture, Connection, GoldenVector, Side, tsdus_of};

/// Name, and for each connection that carries P1 in normal mode how many APDUs were accepted on it.
const CAPTURES: [(&str, &[usize]); 16] = [
    ("pp-p1-88-3msgs-and-ndr-std-extensions.pcap", &[3, 1]),
    ("pp-p1-88-transfer-legacy-extensions.pcap", &[1]),
    ("pp-p1-88-twa-transfer.pcap", &[1]),
    ("pp-p1-88-bind-rejected-bad-password.pcap", &[0]),
    ("pp-p1-88-external-initiator-20k-no-checkpoints.pcap", &[1]),
    ("pp-p1-88-y2k-malformed-utctime-abort.pcap", &[1, 1]),
    ("pp-300k-window.pcap", &[1, 1]),
    ("pp-broken-300k-restart.pcap", &[0, 1, 1]),
    ("pp-dr-and-ndr-3recipients.pcap", &[1, 1, 1]),
    ("pp-odd-27-trace-hops.pcap", &[1, 1]),
    ("pp-odd-deferred-delivery.pcap", &[1, 1]),
    ("pp-odd-input-crash-unknown-ext.pcap", &[1, 1, 1]),
    ("pp-odd-trace-own-domain-and-mta.pcap", &[1, 1, 1, 1, 1, 1, 2]),
    ("pp-odd-unknown-extensions.pcap", &[1, 1, 1, 1, 2]),
    ("pp-out-responder-aborts.pcap", &[1, 1, 1, 1, 1, 1]),
    ("pp-probe-no-report.pcap", &[1, 1]),
];

fn normal_mode(name: &str) -> Vec<Connection> {
    // id-ac-mts-transfer, as it is in the AARQ.
    let application_context = [0x06, 0x04, 0x56, 0, 1, 6];
    let mut connections = Capture::fixture(name).connections;
    connections.retain(|connection| {
        connection.octets(Side::Initiator).windows(6).any(|window| window == application_context)
    });
    connections
}

/// Checks each PDU above the session layer in the TSDUs of a conversation, and counts them by name.
fn decode_all(tsdus: &[Vec<u8>], contexts: &mut Contexts, seen: &mut BTreeMap<String, usize>) {
    for tsdu in tsdus {
        for spdu in decode_tsdu(tsdu).unwrap() {
            let name = match &spdu {
                Spdu::Cn(cn) => {
                    let ByMode::Normal(cp) = Cp::decode(&cn.user_data).unwrap() else { panic!() };
                    assert_eq!(Cp::decode(&cp.encode()).unwrap(), ByMode::Normal(cp.clone()));
                    let pairs = cp.contexts.iter().map(|d| (d.context, d.abstract_syntax.clone()));
                    *contexts = Contexts::new(pairs.collect());
                    values(cp.user_data.unwrap(), contexts, seen);
                    "CP"
                }
                Spdu::Ac(ac) => {
                    let ByMode::Normal(cpa) = Cpa::decode(&ac.user.octets).unwrap() else { panic!() };
                    assert_eq!(Cpa::decode(&cpa.encode()).unwrap(), ByMode::Normal(cpa.clone()));
                    values(cpa.user_data.unwrap(), contexts, seen);
                    "CPA"
                }
                Spdu::Rf(rf) => {
                    let cpr = Cpr::decode(&rf.user_data).unwrap().unwrap();
                    assert_eq!(Cpr::decode(&cpr.encode()).unwrap(), Some(cpr.clone()));
                    values(cpr.user_data.unwrap(), contexts, seen);
                    "CPR"
                }
                Spdu::Dt { data, .. } => {
                    values(UserData::decode(data).unwrap(), contexts, seen);
                    "TD"
                }
                Spdu::Fn { user, .. } | Spdu::Dn { user } => {
                    values(UserData::decode(&user.octets).unwrap(), contexts, seen);
                    "release"
                }
                Spdu::Ab { user, .. } if !user.octets.is_empty() => {
                    if let Abort::Aru(Some(data)) = Abort::decode(&user.octets).unwrap() {
                        values(data, contexts, seen);
                    }
                    "ARU"
                }
                _ => continue,
            };
            *seen.entry(name.to_owned()).or_default() += 1;
        }
    }
}

fn values(data: UserData<'_>, contexts: &Contexts, seen: &mut BTreeMap<String, usize>) {
    let UserData::Full(list) = data else { panic!("simply encoded") };
    for pdv in list {
        let octets = pdv.value.octets();
        if contexts.syntax(pdv.context) == Some(&ABSTRACT_SYNTAX_ACSE) {
            let apdu = AcseApdu::decode(octets).unwrap();
            assert_eq!(AcseApdu::decode(&apdu.encode()).unwrap(), apdu);
            *seen.entry(apdu.name().to_owned()).or_default() += 1;
            let user_information = match apdu {
                AcseApdu::Aarq(aarq) => aarq.user_information,
                AcseApdu::Aare(aare) => aare.user_information,
                AcseApdu::Abrt(abrt) => abrt.user_information,
                AcseApdu::Rlrq(_) | AcseApdu::Rlre(_) => Vec::new(),
            };
            for external in user_information {
                rtse(&external.encoding, seen);
            }
        } else {
            rtse(octets, seen);
        }
    }
}

fn rtse(octets: &[u8], seen: &mut BTreeMap<String, usize>) {
    let apdu = RtseApdu::decode(octets).unwrap();
    assert_eq!(RtseApdu::decode(&apdu.encode()).unwrap(), apdu);
    *seen.entry(apdu.name().to_owned()).or_default() += 1;
}

#[test]
fn every_pdu_of_every_capture_decodes() {
    let mut seen = BTreeMap::new();
    for (name, _) in CAPTURES {
        for connection in normal_mode(name) {
            let mut contexts = Contexts::default();
            for side in [Side::Initiator, Side::Responder] {
                decode_all(&tsdus_of(&connection.octets(side)), &mut contexts, &mut seen);
            }
        }
    }
    let expected = [
        ("AARE", 43),
        ("AARQ", 43),
        ("ABRT", 5),
        ("ARU", 5),
        ("CP", 43),
        ("CPA", 42),
        ("CPR", 1),
        ("RLRE", 29),
        ("RLRQ", 30),
        ("RTAB", 5),
        ("RTOAC", 42),
        ("RTORJ", 1),
        ("RTORQ", 43),
        ("RTTR", 789),
        ("TD", 789),
        ("release", 59),
    ];
    assert_eq!(seen, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

#[test]
fn golden_tsdus_decode_and_come_back_the_same() {
    let mut seen = BTreeMap::new();
    let mut contexts = Contexts::default();
    let tsdus: Vec<_> =
        [GoldenVector::Connect, GoldenVector::Accept, GoldenVector::Finish, GoldenVector::Disconnect]
            .map(GoldenVector::octets)
            .into();
    decode_all(&tsdus, &mut contexts, &mut seen);
    let names: Vec<_> = seen.keys().map(String::as_str).collect();
    assert_eq!(names, ["AARE", "AARQ", "CP", "CPA", "RLRE", "RLRQ", "RTOAC", "RTORQ", "release"]);
    assert_eq!(contexts.of(&pair::application().apdu_syntax), Some(ContextId(5)));
}

#[test]
fn a_responder_of_ours_receives_what_was_sent_to_the_recorded_one() {
    for (name, accepted) in CAPTURES {
        let mut counts = Vec::new();
        for connection in normal_mode(name) {
            let now = MonoTime::START;
            let mut end = End::new(Stack::responder(two_way()));
            if name.contains("bad-password") {
                end.reject_bind = Some(false);
            }
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
            for apdu in &end.received {
                let mut reader = ber::Reader::new(apdu);
                reader.any().unwrap();
                reader.finish().unwrap();
            }
            assert!(matches!(end.log[0], RtIndication::Open(_)));
            counts.push(end.received.len());
        }
        assert_eq!(counts, accepted, "{name}");
    }
}
