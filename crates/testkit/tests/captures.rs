//! Every capture of the collection loads, and its streams are whole.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use testkit::{Capture, CaptureError, Side, tsdus_of};

fn fixtures() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(Capture::fixture_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".pcap"))
        .collect();
    names.sort();
    names
}

#[test]
fn every_capture_loads_into_whole_tpkt_streams() {
    let names = fixtures();
    assert!(names.len() >= 19, "{names:?}");
    for name in names {
        let capture = Capture::fixture(&name);
        let mut with_data = 0;
        for connection in &capture.connections {
            let octets = connection.octets(Side::Initiator);
            if octets.is_empty() {
                continue;
            }
            with_data += 1;
            // A connect TPDU in a TPKT.
            assert_eq!((octets[0], octets[5] & 0xF0), (3, 0xE0), "{name}");
            // Fails if a stream has a gap.
            tsdus_of(&octets);
            tsdus_of(&connection.octets(Side::Responder));
            assert_eq!(
                connection.turns().iter().map(|turn| turn.octets.len()).sum::<usize>(),
                octets.len() + connection.octets(Side::Responder).len()
            );
        }
        assert!(with_data > 0, "{name}");
    }
}

#[test]
fn a_large_transfer_is_complete() {
    let capture = Capture::fixture("pp-300k-window.pcap");
    let connection = capture.to_port(20102).next().unwrap();
    let tsdus = tsdus_of(&connection.octets(Side::Initiator));
    let minor_syncs = tsdus.iter().filter(|tsdu| tsdu.starts_with(&[1, 0, 0x31])).count();
    assert_eq!(minor_syncs, 293);
    let answers = tsdus_of(&connection.octets(Side::Responder));
    assert_eq!(answers.iter().filter(|tsdu| tsdu.starts_with(&[2, 0, 0x32])).count(), 293);
    assert!(connection.octets(Side::Initiator).len() > 300_000);
    assert_eq!(connection.reset_by, None);
}

#[test]
fn a_killed_responder_shows_as_a_reset() {
    let capture = Capture::fixture("pp-broken-300k-restart.pcap");
    let resets = capture.connections.iter().filter(|connection| connection.reset_by.is_some()).count();
    assert_eq!(resets, 1);
}

#[test]
fn what_is_no_capture_is_refused() {
    assert!(matches!(Capture::parse(b"no pcap at all"), Err(CaptureError::Magic(_))));
    assert!(matches!(Capture::parse(&[]), Err(CaptureError::Magic(_))));
    let octets = std::fs::read(Capture::fixture_dir().join("pp-probe-no-report.pcap")).unwrap();
    assert!(matches!(Capture::parse(&octets[..octets.len() - 1]), Err(CaptureError::Truncated(_))));
    let mut other = octets;
    other[20] = 113;
    assert!(matches!(Capture::parse(&other), Err(CaptureError::LinkType(113))));
}
