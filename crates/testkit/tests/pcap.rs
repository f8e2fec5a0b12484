//! What the pcap writer writes, the reader reads.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use testkit::{Capture, PcapBuilder, Ports, Side, split_tsdu, tsdus_of};

#[test]
fn conversations_come_back() {
    let large: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
    let turns = [(Side::Initiator, &b"hello"[..]), (Side::Responder, &large), (Side::Initiator, b"bye")];
    let ports = Ports { initiator: 50_000, responder: 5102 };
    let other = Ports { initiator: 50_001, responder: 5102 };
    let octets = PcapBuilder::new().conversation(ports, turns).conversation(other, [turns[0]]).into_vec();
    let capture = Capture::parse(&octets).unwrap();
    assert_eq!(capture.connections.len(), 2);
    let connection = &capture.connections[0];
    assert_eq!((connection.initiator.port(), connection.responder.port()), (50_000, 5102));
    assert_eq!(connection.octets(Side::Initiator), b"hellobye");
    assert!(connection.octets(Side::Responder) == large);
    let read: Vec<_> = connection.turns().iter().map(|turn| (turn.side, turn.octets.len())).collect();
    assert_eq!(read, [(Side::Initiator, 5), (Side::Responder, 200_000), (Side::Initiator, 3)]);
    assert_eq!(capture.to_port(5102).count(), 2);
    assert_eq!(capture.to_port(102).count(), 0);
}

#[test]
fn repeated_and_disordered_segments_are_put_right() {
    let turns = [(Side::Initiator, &b"one "[..]), (Side::Initiator, b"two "), (Side::Initiator, b"three")];
    let octets = PcapBuilder::new().conversation(Ports::default(), turns).into_vec();
    let mut records = Vec::new();
    let mut at = 24;
    while at < octets.len() {
        let length = u32::from_le_bytes(octets[at + 8..at + 12].try_into().unwrap()) as usize;
        records.push(&octets[at..at + 16 + length]);
        at += 16 + length;
    }
    // 0 to 2 are the handshake, then data and acknowledgement in turn: 3, 5 and 7 are the data.
    for order in [vec![0, 1, 2, 7, 5, 3], vec![0, 1, 2, 3, 3, 7, 3, 5, 7]] {
        let mut shuffled = octets[..24].to_vec();
        order.into_iter().for_each(|number: usize| shuffled.extend_from_slice(records[number]));
        let capture = Capture::parse(&shuffled).unwrap();
        assert_eq!(capture.connections[0].octets(Side::Initiator), b"one two three");
    }
}

#[test]
fn tsdus_survive_being_split() {
    for size in [1usize, 8188, 8189, 8190, 100_000] {
        let tsdu = vec![5u8; size];
        let stream = [split_tsdu(&tsdu), split_tsdu(b"next")].concat();
        assert_eq!(tsdus_of(&stream), [tsdu, b"next".to_vec()]);
    }
}
