#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use proptest::prelude::*;
use testkit::{Capture, Side, Tshark};

use super::ring::{Frame, Ring};
use super::*;

fn settings(association_octets: usize, snap_octets: usize) -> RecorderSettings {
    RecorderSettings { association_octets, snap_octets, ..RecorderSettings::default() }
}

fn ends() -> (SocketAddr, SocketAddr) {
    ("192.0.2.1:102".parse().unwrap(), "192.0.2.2:4711".parse().unwrap())
}

/// A recorder with one live recording in which we are the responder.
fn recorder(settings: RecorderSettings) -> (Arc<Recorder>, Tap) {
    let recorder = Arc::new(Recorder::new(settings));
    let (local, peer) = ends();
    let tap = recorder.start(1, Role::Responder, local, peer).unwrap();
    (recorder, tap)
}

/// A DT of `length` octets with its TPKT header, all of its data this octet.
fn dt(length: usize, last: bool, octet: u8) -> Vec<u8> {
    let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
    let mut packet = vec![3, 0, high, low, 2, 0xF0, if last { 0x80 } else { 0 }];
    packet.resize(length, octet);
    packet
}

fn recording_of(settings: &RecorderSettings) -> Shared {
    let budget = Arc::new(Budget::new(settings.total_octets, 0));
    let (local, peer) = ends();
    Arc::new(Mutex::new(Recording::new(settings, budget, (1, 0), Role::Responder, local, peer, 1)))
}

fn connection(capture: &[u8]) -> testkit::Connection {
    let [connection] = Capture::parse(capture).unwrap().connections.try_into().unwrap();
    connection
}

#[test]
fn off_means_nothing() {
    let recorder = Arc::new(Recorder::new(settings(0, 100)));
    let (local, peer) = ends();
    assert!(recorder.start(1, Role::Initiator, local, peer).is_none());
    assert!(recorder.list().is_empty() && recorder.capture(1).is_none());
    assert_eq!(recorder.budget.used(), 0);
}

#[test]
fn both_directions_come_out_as_they_went_in() {
    for addresses in [ends(), ("[2001:db8::1]:102".parse().unwrap(), "[2001:db8::2]:4711".parse().unwrap())] {
        let whole = RecorderSettings { mask_passwords: false, ..settings(128 << 10, 65_535) };
        let recorder = Arc::new(Recorder::new(whole));
        let (local, peer) = addresses;
        let tap = recorder.start(7, Role::Responder, local, peer).unwrap();
        tap.received(&dt(60, true, 0xCC));
        tap.sent(&dt(50, true, 0xBB));
        tap.opened();
        // Longer than an IP packet, once it has headers.
        let long = dt(65_535, true, 0xAA);
        tap.received(&long);
        drop(tap);
        let found = connection(&recorder.capture(7).unwrap());
        assert_eq!((found.initiator, found.responder), (peer, local));
        assert!(found.octets(Side::Initiator) == [dt(60, true, 0xCC), long].concat());
        assert_eq!(found.octets(Side::Responder), dt(50, true, 0xBB));
        let [status] = recorder.list().try_into().unwrap();
        assert_eq!((status.tpdus, status.lost_tpdus, status.ended.is_some()), (3, 0, true));
    }
}

#[test]
fn what_is_no_rfc_1006_is_recorded_as_it_comes() {
    let (recorder, tap) = recorder(RecorderSettings { mask_passwords: false, ..Default::default() });
    tap.received(b"GET / HTTP/1.1\r\n");
    tap.received(b"\r\n");
    let found = connection(&recorder.capture(1).unwrap());
    assert_eq!(found.octets(Side::Initiator), b"GET / HTTP/1.1\r\n\r\n");
    drop(tap);
    // It may hold a password, for all that anyone can tell.
    let masking = Arc::new(Recorder::new(RecorderSettings::default()));
    let (local, peer) = ends();
    let tap = masking.start(1, Role::Responder, local, peer).unwrap();
    tap.received(b"GET / HTTP/1.1\r\n");
    assert_eq!(connection(&masking.capture(1).unwrap()).octets(Side::Initiator), [b'*'; 16]);
}

#[test]
fn a_wrapped_recording_keeps_its_opening_and_goes_on_with_a_whole_tsdu() {
    let (recorder, tap) = recorder(RecorderSettings { mask_passwords: false, ..settings(4_096, 1_000) });
    let opening = dt(3_000, true, 1);
    tap.received(&opening);
    tap.opened();
    // TSDUs of three DTs each.
    for number in 0..100_u8 {
        for part in 0..3 {
            tap.received(&dt(500, part == 2, number));
        }
    }
    let found = connection(&recorder.capture(1).unwrap());
    let octets = found.octets(Side::Initiator);
    assert_eq!(octets, opening, "behind the opening is a gap");
    let [status] = recorder.list().try_into().unwrap();
    assert!(status.lost_tpdus >= 290, "{status:?}");
    // The reader of captures ends at the gap; the packets behind it are there, and the first begins a TSDU.
    let capture = recorder.capture(1).unwrap();
    let behind: Vec<u8> =
        (0..100).filter(|number| capture.windows(20).any(|part| part == [*number; 20])).collect();
    assert_eq!(behind.last(), Some(&99));
    let first = behind.iter().find(|number| **number > 1).unwrap();
    let starts = capture.windows(8).filter(|part| **part == [3, 0, 1, 0xF4, 2, 0xF0, 0, *first]).count();
    assert_eq!(starts, 2, "two DTs of TSDU {first} that do not end it, from its beginning");
}

#[test]
fn a_tpdu_keeps_its_number_when_older_ones_go() {
    let (recorder, tap) = recorder(RecorderSettings { mask_passwords: false, ..settings(4_096, 1_000) });
    tap.received(&dt(3_000, true, 1));
    tap.sent(&dt(30, true, 1));
    tap.opened();
    let mut seen = BTreeMap::new();
    for number in 3..200_u8 {
        let octets = dt(500, true, number);
        if number % 3 == 0 {
            tap.received(&octets)
        } else {
            tap.sent(&octets)
        }
        let [connection] = recorder.recorded(1).try_into().unwrap();
        assert_eq!(connection.tpdus.last().unwrap().number, u64::from(number));
        for tpdu in connection.tpdus {
            assert_eq!(
                tpdu.length,
                if tpdu.number == 1 {
                    3_000
                } else if tpdu.number == 2 {
                    30
                } else {
                    500
                }
            );
            let known = seen.entry(tpdu.number).or_insert_with(|| tpdu.octets.clone());
            assert_eq!(*known, tpdu.octets, "TPDU {}", tpdu.number);
            // The peer opened it: what came in is by the initiator.
            assert_eq!(tpdu.by_initiator, tpdu.number == 1 || tpdu.number > 2 && tpdu.number % 3 == 0);
        }
    }
    tap.closed_by_peer(true);
    let [connection] = recorder.recorded(1).try_into().unwrap();
    assert_eq!((connection.initiator, connection.responder), (ends().1, ends().0));
    assert_eq!(connection.ended.map(|(_, how)| how), Some(RecordedEnd { by_initiator: true, reset: true }));
    assert!(connection.status.lost_tpdus > 180);
    // What is missing is all that went before, each way.
    let behind = connection.tpdus.iter().filter(|tpdu| tpdu.number > 2);
    let missing: u64 = behind.map(|tpdu| tpdu.missing).sum();
    assert_eq!(missing, connection.status.lost_tpdus * 500);
    assert!(recorder.recorded(2).is_empty());
}

#[test]
fn ended_recordings_make_room_for_live_ones() {
    let settings = RecorderSettings {
        association_octets: 8 << 10,
        total_octets: 40 << 10,
        ended: 3,
        mask_passwords: false,
        ..RecorderSettings::default()
    };
    let recorder = Arc::new(Recorder::new(settings));
    let (local, peer) = ends();
    let fill = |number: u64| {
        let tap = recorder.start(number, Role::Responder, local, peer).unwrap();
        tap.opened();
        (0..20).for_each(|n| tap.sent(&dt(1_000, true, n)));
        tap
    };
    (1..=5).for_each(|number| drop(fill(number)));
    let numbers = || recorder.list().iter().map(|status| status.association).collect::<Vec<_>>();
    assert_eq!(numbers(), [3, 4, 5], "no more than are to be kept");
    let live: Vec<Tap> = (6..=10).map(fill).collect();
    assert_eq!(numbers(), [6, 7, 8, 9, 10]);
    assert!(recorder.budget.used() <= 40 << 10);
    // Of more than that nothing is recorded, but what is there stays.
    let more = fill(11);
    assert!(recorder.budget.used() <= 40 << 10);
    assert!(recorder.list().iter().all(|status| status.association == 11 || status.tpdus >= 7));
    drop((live, more));
    let empty = recorder.start(12, Role::Responder, local, peer).unwrap();
    drop(empty);
    assert!(!numbers().contains(&12), "who sent nothing leaves nothing");
}

#[test]
fn one_association_that_tries_several_addresses_is_one_capture() {
    let recorder = Arc::new(Recorder::new(RecorderSettings { mask_passwords: false, ..Default::default() }));
    let (local, peer) = ends();
    for _ in 0..2 {
        recorder.start(5, Role::Initiator, local, peer).unwrap().sent(&dt(20, true, 0));
    }
    let capture = recorder.capture(5).unwrap();
    let connections = Capture::parse(&capture).unwrap().connections;
    assert_eq!(
        connections.iter().map(|found| found.octets(Side::Initiator).len()).collect::<Vec<_>>(),
        [20, 20]
    );
}

/// Plays a recorded conversation of another MTA into a recording, in pieces of `chunk` octets.
fn replay(name: &str, chunk: usize, mask_passwords: bool) -> Vec<u8> {
    let (recorder, tap) = recorder(RecorderSettings { mask_passwords, ..RecorderSettings::default() });
    let captured = Capture::fixture(name);
    let found = captured.connections.first().unwrap();
    for segment in &found.segments {
        match segment.side {
            Side::Initiator => segment.octets.chunks(chunk).for_each(|octets| tap.received(octets)),
            Side::Responder => {
                tap.sent(&segment.octets);
                // ACCEPT (X.225) is what opens an association.
                if segment.octets.get(7) == Some(&14) {
                    tap.opened();
                }
            }
        }
    }
    recorder.capture(1).unwrap()
}

fn holds(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

#[test]
fn passwords_of_binds_are_masked_in_every_form_of_association() {
    for name in [
        "pp-p1-88-transfer-legacy-extensions.pcap",
        "pp-p1-88-twa-transfer.pcap",
        "pp-p1-88-x410mode-transfer.pcap",
        "pp-p1-84-message-and-report.pcap",
        "pp-p1-88-bind-rejected-bad-password.pcap",
    ] {
        let plain = replay(name, 10_000, false);
        let masked = replay(name, 10_000, true);
        assert_eq!(plain.len(), masked.len(), "{name}");
        assert!(holds(&plain, b"secret"), "{name}: no password in it, nothing is shown");
        assert!(!holds(&masked, b"ecret"), "{name}: a password is shown");
        assert!(holds(&masked, b"******"), "{name}");
        assert!(holds(&masked, b"PP-A"), "{name}: the name is no secret");
        // Times differ; apart from them little does.
        let different = |a: &[u8], b: &[u8]| a.iter().zip(b).filter(|(a, b)| a != b && **b == b'*').count();
        assert!(different(&plain, &masked) < 40, "{name}");
    }
}

#[test]
fn tshark_reads_what_is_masked() {
    let Some(tshark) = Tshark::required_by("recordings with masked passwords") else { return };
    let capture = replay("pp-p1-88-external-initiator-20k-no-checkpoints.pcap", 10_000, true);
    let report = tshark.check_octets(&capture, &[102]).unwrap_or_else(|complaints| panic!("{complaints}"));
    assert!(report.with_protocol("p1").count() > 0);
}

#[test]
fn what_can_not_be_decoded_is_not_shown() {
    let bind = |mut octets: Vec<u8>| {
        let [high, low] = u16::try_from(octets.len() + 7).unwrap().to_be_bytes();
        octets.splice(..0, [3, 0, high, low, 2, 0xF0, 0x80]);
        octets
    };
    // A CN that ends within itself, and a TSDU whose end is missing.
    for packet in [bind(b"\x0D\x10top secret".to_vec()), dt(60, false, b's')] {
        let (recorder, tap) = recorder(RecorderSettings::default());
        tap.received(&packet);
        let capture = recorder.capture(1).unwrap();
        assert!(!holds(&capture, b"ecret") && !holds(&capture, b"ssss") && holds(&capture, b"****"));
    }
    // A refusal holds no password, and why it came is what one wants to know.
    let (recorder, tap) = recorder(RecorderSettings::default());
    tap.received(&bind(b"\x0C\x10whatever".to_vec()));
    assert!(holds(&recorder.capture(1).unwrap(), b"whatever"));
}

fn frames() -> impl Strategy<Value = Vec<(bool, usize, u8)>> {
    proptest::collection::vec((any::<bool>(), 7_usize..3_000, any::<u8>()), 0..200)
}

proptest! {
    #[test]
    fn a_ring_holds_the_newest_frames_whole_and_never_more_than_its_limit(
        pushed in frames(), limit in 1_usize..20_000, total in 0_usize..20_000,
    ) {
        let budget = Arc::new(Budget::new(total, 0));
        let mut ring = Ring::new(limit, Arc::clone(&budget));
        let mut all: Vec<Frame> = Vec::new();
        let mut gone = 0;
        for (number, (sent, length, octet)) in pushed.into_iter().enumerate() {
            let direction = if sent { Direction::Sent } else { Direction::Received };
            let frame = Frame { micros: number as u64, direction, length, octets: vec![octet; length.min(1_500)] };
            let evicted = |frame: &Frame| {
                let oldest = &all[gone];
                assert_eq!((frame.micros, frame.direction), (oldest.micros, oldest.direction), "it goes first");
                assert_eq!((frame.length, frame.continues()), (oldest.length, oldest.continues()));
                assert!(!frame.octets.is_empty() && oldest.octets.starts_with(&frame.octets));
                gone += 1;
            };
            if ring.push(frame.micros, direction, length as u16, &frame.octets, evicted) {
                all.push(frame);
            } else {
                assert_eq!(ring.len(), 0, "only what is too long for an empty ring is not taken");
            }
            assert_eq!(ring.frames().collect::<Vec<_>>(), &all[gone..]);
            assert!(ring.octets() <= limit.min(total));
            assert!(budget.used() <= limit.min(total));
        }
        drop(ring);
        assert_eq!(budget.used(), 0, "all is given back");
    }

    #[test]
    fn how_octets_arrive_never_matters(
        lengths in proptest::collection::vec(7_usize..2_000, 1..20), chunks in proptest::collection::vec(1_usize..3_000, 1..20),
        opened_after in 0_usize..20, snap in 64_usize..2_100,
    ) {
        let packets: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(n, length)| dt(*length, n % 2 == 0, n as u8)).collect();
        let at_once = recording_of(&settings(16 << 10, snap));
        let in_pieces = recording_of(&settings(16 << 10, snap));
        let mut sizes = chunks.iter().cycle();
        for (n, packet) in packets.iter().enumerate() {
            if n == opened_after {
                lock(&at_once).open();
                lock(&in_pieces).open();
            }
            lock(&at_once).received(5, packet);
            let mut rest = packet.as_slice();
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                lock(&in_pieces).received(5, piece);
                rest = behind;
            }
        }
        let written = |recording: &Shared| {
            let mut capture = pcap::Capture::new();
            lock(recording).write_to(&mut capture, false);
            capture.into_vec()
        };
        assert_eq!(written(&at_once), written(&in_pieces));
    }

    #[test]
    fn no_octets_make_the_recorder_panic(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..10)) {
        let (recorder, tap) = recorder(settings(1_000, 64));
        for (n, piece) in pieces.iter().enumerate() {
            tap.received(piece);
            tap.sent(piece);
            if n == 5 {
                tap.opened();
            }
        }
        recorder.capture(1).unwrap();
    }
}
