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
