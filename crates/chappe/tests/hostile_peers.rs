//! Peers that break the rules of every layer, against one service which goes on serving a peer that keeps them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod peer;

use peer::replay::{broken_off, replay, replay_in_pieces};
use peer::wire::{
    ACTIVITY_END, ACTIVITY_START, CONNECT_REQUEST, Wire, connect_tsdu, conversation, data, external, patched,
    presented, segment,
};
use peer::{Mta, wait_for};
use testkit::Side;

const BOB: &str = "S=bob;O=B;P=TEST;A= ;C=GB";

/// An MTA which knows the script of the recordings.
fn config(limits: &str) -> String {
    format!(
        "[mta]\nname = \"PP-B\"\ndomain = {{ country = \"GB\", admd = \" \", prmd = \"TEST\" }}\n\
         local = [\"P=TEST;A= ;C=GB\"]\n[limits]\n{limits}\n\
         [[connector]]\nname = \"script\"\nremote_mta = \"EXT\"\nremote_password = \"secret-x\"\n\
         local_password = \"secret-b\"\nhosts = [\"127.0.0.1:1\"]\n"
    )
}

fn nested(depth: usize, tag: u8) -> Vec<u8> {
    [tag, 0x80].repeat(depth)
}

/// What a case does on a new connection.
type Deed = fn(&Mta) -> Wire;

/// Something that no peer may do.
struct Case {
    name: &'static str,
    deed: Deed,
    /// All that comes back.
    answers: &'static [&'static str],
    /// Kind of the event, and words in it besides the peer's address.
    event: (&'static str, &'static [&'static str]),
}

const CASES: &[Case] = &[
    Case {
        name: "wrong password",
        deed: |mta| opening(mta, b"secret-x", b"secret-y"),
        answers: &["CC", "RF 2 CPR AARE RejectedPermanent User(1) RTORJ b203020102"],
        event: ("credentials-failed", &["bind refused", "password of `EXT`", "connector script"]),
    },
    Case {
        name: "wrong MTA name",
        deed: |mta| opening(mta, b"EXT", b"EXU"),
        answers: &["CC", "RF 2 CPR AARE RejectedPermanent User(1) RTORJ b203020102"],
        event: ("unknown-mta", &["bind refused", "`EXU`"]),
    },
    Case {
        name: "wrong application context",
        deed: |mta| opening(mta, &[0x06, 0x04, 0x56, 0, 1, 6], &[0x06, 0x04, 0x56, 0, 1, 0x63]),
        answers: &["CC", "RF 2 CPR AARE RejectedPermanent User(2)"],
        event: ("association-ended-abnormally", &["ACSE layer", "2.6.0.1.99 instead of 2.6.0.1.6"]),
    },
    Case {
        name: "wrong presentation context of the APDUs",
        deed: |mta| opening(mta, &[0x06, 0x04, 0x56, 0, 2, 7], &[0x06, 0x04, 0x56, 0, 2, 0x63]),
        answers: &["CC", "RF 2 CPR"],
        event: ("association-ended-abnormally", &["presentation layer", "2.6.0.2.7"]),
    },
    Case {
        name: "wrong presentation context of the bind",
        deed: |mta| opening(mta, &[0x06, 0x04, 0x56, 0, 2, 12], &[0x06, 0x04, 0x56, 0, 2, 0x63]),
        answers: &["CC", "RF 2 CPR"],
        event: ("association-ended-abnormally", &["presentation layer", "2.6.0.2.12"]),
    },
    Case {
        name: "another protocol",
        deed: |mta| after(Wire::connect(mta), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        answers: &[],
        event: ("association-ended-abnormally", &["TPKT layer", "first octet is 0x47"]),
    },
    Case {
        name: "TPKT version 4 in the middle",
        deed: |mta| after(Wire::bound(mta), &[4, 0, 0, 7, 2, 0xF0, 0x80]),
        answers: &["CC", "AC"],
        event: ("association-ended-abnormally", &["TPKT layer", "first octet is 0x04"]),
    },
    Case {
        name: "TPKT too short for any TPDU",
        deed: |mta| after(Wire::connect(mta), &[3, 0, 0, 4]),
        answers: &[],
        event: ("association-ended-abnormally", &["TPKT layer", "TPKT length 4"]),
    },
    Case {
        name: "TPKT of 65535 octets that never come",
        deed: |mta| after(Wire::connect(mta), &[3, 0, 0xFF, 0xFF]),
        answers: &[],
        event: ("association-ended-abnormally", &["did not answer in time"]),
    },
    Case {
        name: "silence",
        deed: Wire::connect,
        answers: &[],
        event: ("association-ended-abnormally", &["did not answer in time"]),
    },
    Case {
        name: "silence after the transport connection",
        deed: Wire::transport,
        answers: &["CC"],
        event: ("association-ended-abnormally", &["while waiting for the association to be opened"]),
    },
    Case {
        name: "unknown TPDU first",
        deed: |mta| after(Wire::connect(mta), &[3, 0, 0, 7, 2, 0x30, 0x80]),
        answers: &["ER 2"],
        event: ("association-ended-abnormally", &["COTP layer", "0x30"]),
    },
    Case {
        name: "unknown TPDU later",
        deed: |mta| after(Wire::bound(mta), &[3, 0, 0, 7, 2, 0x30, 0x80]),
        answers: &["CC", "AC", "ER 2"],
        event: ("association-ended-abnormally", &["COTP layer", "0x30"]),
    },
    Case {
        name: "second CR",
        deed: |mta| after(Wire::transport(mta), CONNECT_REQUEST),
        answers: &["CC", "ER 2"],
        event: ("association-ended-abnormally", &["COTP layer", "CR TPDU"]),
    },
    Case {
        name: "unknown SPDU first",
        deed: |mta| told(Wire::transport(mta), &[0xEE, 5, 1, 2, 3, 4, 5]),
        answers: &["CC", "AB"],
        event: ("association-ended-abnormally", &["session layer", "SPDU identifier 238"]),
    },
    Case {
        name: "unknown SPDU later",
        deed: |mta| told(Wire::bound(mta), &[0xEE, 5, 1, 2, 3, 4, 5]),
        answers: &["CC", "AC", "AB"],
        event: ("association-ended-abnormally", &["session layer", "SPDU identifier 238"]),
    },
    Case {
        name: "SPDU longer than its TSDU",
        deed: |mta| told(Wire::transport(mta), &[13, 0xFE, 1, 2, 3]),
        answers: &["CC", "AB"],
        event: ("association-ended-abnormally", &["session layer", "254 octets needed, 3 left"]),
    },
    Case {
        name: "activity end without activity",
        deed: |mta| told(Wire::bound(mta), ACTIVITY_END),
        answers: &["CC", "AC", "AB"],
        event: ("association-ended-abnormally", &["session layer", "AE SPDU"]),
    },
    Case {
        name: "CN without a CP",
        deed: |mta| opening(mta, &[0x31, 0x81], &[0x55, 0x81]),
        answers: &["CC", "AB ARP 1"],
        event: ("association-ended-abnormally", &["presentation layer", "malformed CP"]),
    },
    Case {
        name: "CP of 4 GiB",
        deed: |mta| {
            told(Wire::transport(mta), &connect_with(&[0x31, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0xA0, 0x03]))
        },
        answers: &["CC", "AB ARP 1"],
        event: ("association-ended-abnormally", &["presentation layer", "malformed CP", "past the end"]),
    },
    Case {
        name: "CP nested 10,000 deep",
        deed: |mta| told(Wire::transport(mta), &connect_with(&nested(10_000, 0x31))),
        answers: &["CC", "ER 0"],
        event: ("association-ended-abnormally", &["COTP layer", "limit of 16384"]),
    },
    Case {
        name: "no PPDU in an association",
        deed: |mta| began(mta, &data(&[0xFF; 40])),
        answers: &["CC", "AC", "AB ARP 1"],
        event: ("association-ended-abnormally", &["presentation layer", "malformed TD"]),
    },
    Case {
        name: "PPDU nested 10,000 deep",
        deed: |mta| began(mta, &data(&nested(10_000, 0x61))),
        answers: &["CC", "AC", "AB ARP 1"],
        event: ("association-ended-abnormally", &["presentation layer", "nested too deep"]),
    },
    Case {
        name: "data in an unknown presentation context",
        deed: |mta| began(mta, &data(&presented(99, &[0x04, 1, 1]))),
        answers: &["CC", "AC", "AB ARP 6"],
        event: ("association-ended-abnormally", &["presentation layer", "context 99"]),
    },
    Case {
        name: "no RTSE APDU",
        deed: |mta| began(mta, &data(&presented(3, &[0x0C, 1, 0x41]))),
        answers: &["CC", "AC", "AB ARU ABRT RTAB 4"],
        event: ("association-ended-abnormally", &["RTSE layer", "malformed APDU"]),
    },
    Case {
        name: "AARQ without application context",
        deed: |mta| opening(mta, &[0xA1, 6, 6, 4, 0x56, 0, 1, 6], &[0xA9, 6, 6, 4, 0x56, 0, 1, 6]),
        answers: &["CC", "AB ARU ABRT"],
        event: ("association-ended-abnormally", &["ACSE layer", "malformed APDU"]),
    },
    Case {
        name: "no EXTERNAL",
        deed: |mta| transferred(mta, &[0x0C, 1, 0x41]),
        answers: &["CC", "AC", "AB ARU ABRT RTAB 4"],
        event: ("association-ended-abnormally", &["RTSE layer", "EXTERNAL"]),
    },
    Case {
        name: "EXTERNAL of 4 GiB that ends early",
        deed: |mta| transferred(mta, &[0x28, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0x02, 1, 5]),
        answers: &["CC", "AC", "AB ARU ABRT RTAB 4"],
        event: ("association-ended-abnormally", &["RTSE layer", "ends inside its EXTERNAL"]),
    },
    Case {
        name: "no MTS-APDU",
        deed: |mta| transferred(mta, &external(&[0x0C, 1, 0x41])),
        answers: &["CC", "AC", "AB ARU ABRT RTAB 6"],
        event: ("decode-error", &["malformed P1 APDU"]),
    },
    Case {
        name: "garbage in the envelope",
        deed: |mta| transferred(mta, &external(&[0xA0, 9, 0x31, 7, 0x64, 5, 1, 2, 3, 4, 5])),
        answers: &["CC", "AC", "AB ARU ABRT RTAB 6"],
        event: ("decode-error", &["malformed P1 APDU", "message-identifier"]),
    },
    Case {
        name: "envelope field of 4 GiB",
        deed: |mta| transferred(mta, &external(&[0xA0, 8, 0x31, 0x86, 1, 0, 0, 0, 0, 0])),
        answers: &["CC", "AC", "AB ARU ABRT RTAB 6"],
        event: ("decode-error", &["malformed P1 APDU", "past the end"]),
    },
    Case {
        name: "envelope nested 10,000 deep",
        deed: |mta| {
            let deep =
                [&[0x28, 0x80, 2, 1, 5, 0xA0, 0x80, 0xA0, 0x80, 0x31, 0x80][..], &nested(10_000, 0x64)];
            transferred(mta, &deep.concat())
        },
        answers: &["CC", "AC", "AB ARU ABRT RTAB 4"],
        event: ("association-ended-abnormally", &["RTSE layer", "nested too deep"]),
    },
    Case {
        name: "envelope without end",
        deed: |mta| {
            let endless =
                [&[0x28, 0x80, 2, 1, 5, 0xA0, 0x80, 0xA0, 0x80, 0x31, 0x80, 0x24, 0x84, 0x7F, 0, 0, 0][..]];
            let mut wire = Wire::bound(mta);
            wire.tsdu(ACTIVITY_START);
            wire.tsdu(&segment(&endless.concat()));
            for _ in 0..40 {
                wire.tsdu(&segment(&[0; 60_000]));
            }
            wire
        },
        answers: &["CC", "AC", "AB ARU ABRT RTAB 6"],
        event: ("decode-error", &["malformed P1 APDU", "longer than 1048576 octets"]),
    },
    Case {
        name: "envelope nested 10,000 deep in an EXTERNAL of definite length",
        deed: |mta| {
            let deep = [&[0xA0, 0x80, 0x31, 0x80][..], &nested(10_000, 0x64)].concat();
            transferred(mta, &external(&deep))
        },
        answers: &["CC", "AC", "AB ARU ABRT RTAB 6"],
        event: ("decode-error", &["malformed P1 APDU", "nested too deep"]),
    },
    Case {
        name: "TSDU without end before the bind",
        deed: |mta| {
            let mut wire = Wire::transport(mta);
            let packet = [&[3, 0, 0x20, 7, 2, 0xF0, 0][..], &[0; 0x2000]].concat();
            for _ in 0..9 {
                wire.send(&packet);
            }
            wire
        },
        answers: &["CC", "ER 0"],
        event: ("association-ended-abnormally", &["COTP layer", "TSDU exceeds the limit"]),
    },
];

/// A CN with other octets in it.
fn opening(mta: &Mta, from: &[u8], to: &[u8]) -> Wire {
    told(Wire::transport(mta), &patched(&connect_tsdu(), from, to))
}

/// A CN with other user data.
fn connect_with(user: &[u8]) -> Vec<u8> {
    let connect = connect_tsdu();
    // The user data are the last parameter; its header is C1 and a length of one or three octets.
    let at = connect.windows(2).position(|window| window == [0x31, 0x81] || window == [0x31, 0x80]).unwrap();
    let header = if connect[at - 2] == 0xC1 { at - 2 } else { at - 4 };
    assert_eq!(connect[header], 0xC1);
    let long = |length: usize| [&[0xFF][..], &(length as u16).to_be_bytes()].concat();
    let start = if connect[1] == 0xFF { 4 } else { 2 };
    let parameters = [&connect[start..header], &[0xC1], &long(user.len()), user].concat();
    [&[13][..], &long(parameters.len()), &parameters].concat()
}

fn after(mut wire: Wire, octets: &[u8]) -> Wire {
    wire.send(octets);
    wire
}

fn told(mut wire: Wire, tsdu: &[u8]) -> Wire {
    wire.tsdu(tsdu);
    wire
}

/// An association in which an activity was started and this was sent.
fn began(mta: &Mta, tsdu: &[u8]) -> Wire {
    told(told(Wire::bound(mta), ACTIVITY_START), tsdu)
}

/// An association over which this was transferred to the end.
fn transferred(mta: &Mta, octets: &[u8]) -> Wire {
    let mut wire = told(Wire::bound(mta), ACTIVITY_START);
    for piece in octets.chunks(4_000) {
        wire.tsdu(&segment(piece));
    }
    told(wire, ACTIVITY_END)
}

/// One message of the peer that keeps the rules, on an association of its own.
fn serve_the_healthy_peer(mta: &Mta, number: usize) -> String {
    let identifier = format!("healthy-{number:04}");
    let replayed = replay(mta.connect(), &conversation(&identifier));
    assert_eq!((replayed.accepted(), replayed.cut_short), (1, false), "{replayed:?}");
    format!("C=GB;A= ;P=TEST;L={identifier}")
}

/// More than this the service may not grow, whatever peers do.
const GROWTH_KIB: u64 = 60 * 1024;

#[test]
fn whatever_a_peer_does_ends_its_own_association_only() {
    let mut mta = Mta::start(&config("bind_timeout_s = 2"));
    let mut healthy = vec![serve_the_healthy_peer(&mta, 0)];
    let before = mta.resident_kib();
    for case in CASES {
        let from = mta.next_event();
        let number = healthy.len();
        let (address, answers, served) = std::thread::scope(|scope| {
            let served = scope.spawn(|| serve_the_healthy_peer(&mta, number));
            let wire = (case.deed)(&mta);
            let address = wire.address().to_string();
            let answers = wire.rest();
            (address, answers, served.join().unwrap())
        });
        healthy.push(served);
        assert_eq!(answers, case.answers, "{}\n{}", case.name, mta.log());
        let (kind, words) = case.event;
        mta.wait_for_event(from, kind, &[&[address.as_str()], words].concat());
        mta.wait_until_quiet();
        mta.assert_alive();
    }
    let grown = mta.resident_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB, "{grown} KiB more than before");
    let healthy: Vec<&str> = healthy.iter().map(String::as_str).collect();
    mta.wait_for_mailbox(BOB, &healthy);
    assert_eq!(mta.count_events(0, "internal-error"), 0, "{}", mta.log());
    assert!(mta.items("/api/v1/messages").is_empty());
}

#[test]
fn a_conversation_may_break_off_after_any_octet() {
    let mut mta = Mta::start(&config("bind_timeout_s = 60"));
    let whole = conversation("breaking-off");
    let length = whole.octets(Side::Initiator).len();
    assert!(length > 2_000);
    let before = mta.resident_kib();
    let mut accepted = 0;
    for octets in 0..length {
        // The first half of the reasons to end is a close, the other a reset.
        let broken = broken_off(&whole, octets, octets % 2 == 1);
        accepted += replay(mta.connect(), &broken).accepted();
    }
    mta.wait_until_quiet();
    // Once the activity has ended it is accepted, however the conversation goes on.
    assert!(accepted > 0 && accepted < 100, "{accepted}");
    serve_the_healthy_peer(&mta, 1);
    mta.wait_for_mailbox(BOB, &["C=GB;A= ;P=TEST;L=breaking-off", "C=GB;A= ;P=TEST;L=healthy-0001"]);
    let grown = mta.resident_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB, "{grown} KiB more than before");
    assert!(!mta.log().contains("internal-error"), "{}", mta.log());
    mta.assert_alive();
}

#[test]
fn octets_may_come_one_at_a_time() {
    let mta = Mta::start(&config(""));
    for (piece, identifier) in
        [(1, "pieces-of-01"), (2, "pieces-of-02"), (3, "pieces-of-03"), (1_000, "pieces-of-1k")]
    {
        let replayed = replay_in_pieces(mta.connect(), &conversation(identifier), piece);
        assert_eq!((replayed.accepted(), replayed.cut_short), (1, false), "{piece}: {replayed:?}");
    }
    let ids = ["01", "02", "03", "1k"].map(|n| format!("C=GB;A= ;P=TEST;L=pieces-of-{n}"));
    mta.wait_for_mailbox(BOB, &ids.each_ref().map(String::as_str));
}

#[test]
fn connections_over_the_limit_are_closed_and_the_others_go_on() {
    const LIMIT: usize = 50;
    let mta = Mta::start(&config(&format!("max_associations = {LIMIT}\nbind_timeout_s = 3")));
    let mut bound = Wire::bound(&mta);
    let before = mta.resident_kib();
    let silent: Vec<Wire> = (0..200).map(|_| Wire::connect(&mta)).collect();
    // One is in use, and its connector has one more for itself.
    let refused = 200 - (LIMIT - 2);
    wait_for("the refusals", || mta.count_events(0, "association-limit") == refused);
    assert!(mta.items("/api/v1/associations").len() <= LIMIT);
    let event = mta.wait_for_event(0, "association-limit", &["127.0.0.1:", "49 of 50 associations exist"]);
    assert_eq!(event["severity"], "warning", "{event}");
    // What was there before is served while the others hold all other places.
    for tsdu in transfer_of("while-locked") {
        bound.tsdu(&tsdu);
    }
    bound.until("AEA");
    for wire in silent {
        assert!(wire.rest().is_empty());
    }
    mta.wait_for_associations(1);
    serve_the_healthy_peer(&mta, 1);
    mta.wait_for_mailbox(BOB, &["C=GB;A= ;P=TEST;L=while-locked", "C=GB;A= ;P=TEST;L=healthy-0001"]);
    let grown = mta.resident_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB, "{grown} KiB more than before");
}

/// The TSDUs of the recorded transfer, from the activity start to the activity end.
fn transfer_of(identifier: &str) -> Vec<Vec<u8>> {
    let mut tsdus = testkit::tsdus_of(&conversation(identifier).octets(Side::Initiator));
    // CN in front, FN behind.
    tsdus.remove(0);
    tsdus.pop();
    assert_eq!(tsdus[0][..3], ACTIVITY_START[..3]);
    tsdus
}
