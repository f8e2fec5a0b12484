use std::path::Path;

use super::*;

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/fixtures/captures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(file: &[u8]) -> String {
    let (kind, trees) = decode(file).unwrap();
    assert_eq!(kind, Kind::Capture);
    trees.iter().map(ToString::to_string).collect()
}

#[test]
fn a_captured_transfer_shows_association_bind_and_apdu() {
    for name in ["pp-p1-88-transfer-legacy-extensions.pcap", "pp-p1-88-twa-transfer.pcap"] {
        let text = text(&fixture(name));
        for part in
            ["RTORQ", "MTA name: PP-A", "MTA name: PP-B", "ACTIVITY START", "ACTIVITY END ACK", "RLRE"]
        {
            assert!(text.contains(part), "{name}: no {part} in\n{text}");
        }
        for broken in ["malformed", "no APDU of P1", "not RFC 1006", "in the middle"] {
            assert!(!text.contains(broken), "{name}: {broken} in\n{text}");
        }
        assert!(!text.contains("ecret"), "a password is shown:\n{text}");
    }
}

#[test]
fn x410_mode_and_1984_are_followed_too() {
    for name in ["pp-p1-88-x410mode-transfer.pcap", "pp-p1-84-message-and-report.pcap"] {
        let text = text(&fixture(name));
        assert!(text.contains("ACTIVITY END"), "{name}:\n{text}");
        for shown in ["mode: X.410", "RTORQ", "RTOAC", "application protocol", "PP-A"] {
            assert!(text.contains(shown), "{name}: no {shown} in\n{text}");
        }
        assert!(!text.contains("ecret"), "a password is shown:\n{text}");
        assert!(!text.contains("no APDU of P1"), "{name}:\n{text}");
    }
}

#[test]
fn a_capture_cut_anywhere_is_an_error_or_a_shorter_dialogue() {
    let file = fixture("pp-p1-88-bind-rejected-bad-password.pcap");
    for end in 1..file.len() {
        let _ = decode(&file[..end]);
    }
}

#[test]
fn of_a_capture_that_ends_in_a_packet_the_rest_is_shown() {
    let file = fixture("pp-p1-88-transfer-legacy-extensions.pcap");
    let (whole, cut) = (text(&file), text(&file[..file.len() - 7]));
    assert!(!whole.contains("in the middle of packet"), "{whole}");
    assert!(cut.contains("in the middle of packet"), "{cut}");
    assert!(cut.contains("ACTIVITY START"), "nothing of what is in front of it is shown:\n{cut}");
    // Without a single packet there is still something to say.
    assert!(text(&file[..30]).contains("in the middle of packet: 1"));
    assert!(matches!(decode(&file[..20]), Err(DecodeFailure::Capture(PcapError::Header))));
}

/// A packet for each TSDU, with the TPKT and COTP headers, all of the initiator; a gap where there is none.
fn dialogue_of(tsdus: &[Option<&[u8]>]) -> String {
    let mut sequence = 1000;
    let mut packets = Vec::new();
    for tsdu in tsdus {
        let Some(tsdu) = tsdu else {
            sequence += 500;
            continue;
        };
        let mut data = vec![3, 0, 0, u8::try_from(tsdu.len() + 7).unwrap(), 2, 0xF0, 0x80];
        data.extend_from_slice(tsdu);
        packets.push(packet(sequence, &data, data.len()));
        sequence += u32::try_from(data.len()).unwrap();
    }
    capture(&packets)
        .connections
        .iter()
        .map(|connection| dialogue::ladder(connection).tree().to_string())
        .collect()
}

/// ACTIVITY START, RESUME, INTERRUPT and END.
const AS: &[u8] = &[1, 0, 45, 5, 41, 3, 2, 1, 1];
const AR: &[u8] = &[1, 0, 29, 15, 33, 8, 41, 3, 2, 1, 1, 42, 1, b'4', 41, 3, 2, 1, 2];
const AI: &[u8] = &[1, 0, 25, 0];
const AE: &[u8] = &[1, 0, 41, 3, 42, 1, b'5'];

#[test]
fn an_activity_of_which_a_part_is_missing_is_not_called_malformed() {
    let text = dialogue_of(&[Some(AS), None, Some(AE)]);
    assert!(text.contains("not in the capture as a whole"), "{text}");
    assert!(!text.contains("no APDU of P1"), "{text}");

    let text = dialogue_of(&[Some(AR), Some(AE)]);
    assert!(text.contains("octets transferred since it was resumed: 0"), "{text}");
    assert!(!text.contains("no APDU of P1"), "{text}");

    // An activity that is all there and holds nothing is malformed indeed.
    assert!(dialogue_of(&[Some(AS), Some(AE)]).contains("no APDU of P1"));
}

#[test]
fn an_interrupted_activity_is_over() {
    let text = dialogue_of(&[Some(AS), Some(AI)]);
    assert!(text.contains("ACTIVITY INTERRUPT"), "{text}");
    assert!(!text.contains("in the middle"), "{text}");
    assert!(dialogue_of(&[Some(AS)]).contains("in the middle"));
}

#[test]
fn what_is_nothing_known_says_so() {
    assert!(matches!(decode(b""), Err(DecodeFailure::Empty)));
    assert!(matches!(decode(b"hello"), Err(DecodeFailure::Neither { .. })));
    assert!(matches!(
        decode(&[0x0A, 0x0D, 0x0D, 0x0A, 0, 0, 0, 0]),
        Err(DecodeFailure::Capture(PcapError::PcapNg))
    ));
}

#[test]
fn hexadecimal_is_taken_for_the_octets_it_writes() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mhs/tests/vectors/golden-message.hex");
    let hex = std::fs::read(vectors).unwrap();
    let (kind, trees) = decode(&hex).unwrap();
    assert_eq!((kind, trees.len()), (Kind::Apdu, 1));
    let octets = from_hex(&hex).unwrap();
    assert_eq!(decode(&octets).unwrap().1, trees);
    assert_eq!(from_hex(b"0g"), None);
    assert_eq!(from_hex(b"012"), None);
}

proptest::proptest! {
    #[test]
    fn no_octets_make_it_panic(mut octets in proptest::collection::vec(proptest::num::u8::ANY, 0..300), capture: bool) {
        if capture {
            let mut file = vec![0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
            file.extend([0; 8]);
            file.extend(u32::try_from(octets.len()).unwrap().to_le_bytes());
            file.extend([0; 4]);
            file.append(&mut octets);
            octets = file;
        }
        let _ = decode(&octets);
    }

    #[test]
    fn a_damaged_capture_never_panics(at in 24..2000_usize, value: u8) {
        let mut file = fixture("pp-p1-88-bind-rejected-bad-password.pcap");
        if let Some(octet) = file.get_mut(at) {
            *octet = value;
        }
        let _ = decode(&file);
    }
}

/// A packet from 10.0.0.1:4000 to 10.0.0.2:102, of which `kept` octets of data are in the file.
fn packet(sequence: u32, data: &[u8], kept: usize) -> Vec<u8> {
    let mut ip = vec![0x45, 0];
    ip.extend(u16::try_from(40 + data.len()).unwrap().to_be_bytes());
    ip.extend([0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    ip.extend([0x0F, 0xA0, 0, 102]);
    ip.extend(sequence.to_be_bytes());
    ip.extend([0, 0, 0, 0, 0x50, 0x10, 0xFF, 0xFF, 0, 0, 0, 0]);
    let on_wire = ip.len() + data.len();
    ip.extend(&data[..kept]);
    let lengths = [0, 0, u32::try_from(ip.len()).unwrap(), u32::try_from(on_wire).unwrap()];
    let mut record: Vec<u8> = lengths.iter().flat_map(|word| word.to_le_bytes()).collect();
    record.extend(ip);
    record
}

fn capture(packets: &[Vec<u8>]) -> pcap::Capture {
    let header = [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 65_535, 101];
    let header: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    pcap::Capture::read(&[header, packets.concat()].concat()).unwrap()
}

#[test]
fn cut_packets_are_filled_up_and_lost_ones_leave_a_gap() {
    let found = capture(&[
        packet(u32::MAX - 1, b"abcdef", 2),
        packet(4, b"ghi", 3),
        // 100 octets are lost; then two packets in the wrong order, one of them twice.
        packet(110, b"Z", 1),
        packet(107, b"XYY", 3),
        packet(107, b"XYY", 3),
        packet(4, b"ghi", 3),
    ]);
    let [connection] = found.connections.as_slice() else { panic!("one connection") };
    let pieces: Vec<_> =
        connection.pieces.iter().map(|piece| (piece.lost, piece.octets.as_slice())).collect();
    let expected: [(u64, &[u8]); 4] = [(0, b"ab\0\0\0\0"), (0, b"ghi"), (100, b"XYY"), (0, b"Z")];
    assert_eq!(connection.cut, 4);
    assert_eq!(pieces, expected);
}
