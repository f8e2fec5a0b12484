//! TPKT: how a stream is cut into pieces never matters.
#![allow(clippy::unwrap_used, reason = "a test")]

use osi::tpkt::{Deframer, MAX_TPDU_OCTETS, TpktError, frame};
use proptest::prelude::*;

/// Feeds `stream` in pieces that end at `cuts`, gives the TPDUs and how it ended.
fn deframe(stream: &[u8], cuts: &[usize], max: usize) -> (Vec<Vec<u8>>, Result<bool, TpktError>) {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    ends.push(stream.len());
    ends.sort_unstable();
    let mut deframer = Deframer::new(max);
    let mut tpdus = Vec::new();
    let mut start = 0;
    for end in ends {
        let mut input = &stream[start..end];
        start = end;
        loop {
            match deframer.next(&mut input) {
                Ok(Some(tpdu)) => tpdus.push(tpdu),
                Ok(None) => break,
                Err(error) => return (tpdus, Err(error)),
            }
        }
        assert!(input.is_empty(), "None means that all is taken");
    }
    (tpdus, Ok(deframer.is_at_boundary()))
}

#[test]
fn golden_connection_request() {
    let packet = [
        0x03, 0x00, 0x00, 0x18, 0x13, 0xE0, 0, 0, 0, 1, 0, 0xC0, 1, 0x0D, 0xC1, 3, b't', b's', b'A', 0xC2, 3,
        b't', b's', b'B',
    ];
    let (tpdus, end) = deframe(&packet, &[], 8192);
    assert_eq!((tpdus.as_slice(), end), (&[packet[4..].to_vec()][..], Ok(true)));
    let mut again = Vec::new();
    frame(&packet[4..], &mut again).unwrap();
    assert_eq!(again, packet);
}

#[test]
fn the_reserved_octet_is_not_looked_at() {
    let (tpdus, _) = deframe(&[3, 0xAA, 0, 7, 2, 0xF0, 0x80], &[], 100);
    assert_eq!(tpdus, [vec![2, 0xF0, 0x80]]);
}

#[test]
fn longest_packet_passes_and_the_limit_holds_exactly() {
    let mut stream = Vec::new();
    frame(&vec![7; MAX_TPDU_OCTETS], &mut stream).unwrap();
    assert_eq!(deframe(&stream, &[1, 70, 40_000], usize::MAX).0, [vec![7; MAX_TPDU_OCTETS]]);
    let mut ten = Vec::new();
    frame(&[1; 10], &mut ten).unwrap();
    assert_eq!(deframe(&ten, &[], 10), (vec![vec![1; 10]], Ok(true)));
    assert_eq!(deframe(&ten, &[], 9), (vec![], Err(TpktError::TooLong { octets: 10, limit: 9 })));
}

proptest! {
    #[test]
    fn chunking_never_matters(
        tpdus in prop::collection::vec(prop::collection::vec(any::<u8>(), 3..300), 0..8),
        cuts in prop::collection::vec(any::<usize>(), 0..40),
        lost in 0usize..50,
    ) {
        let mut stream = Vec::new();
        let mut whole = Vec::new();
        for tpdu in &tpdus {
            frame(tpdu, &mut stream).unwrap();
            whole.push(stream.len());
        }
        prop_assert_eq!(deframe(&stream, &cuts, MAX_TPDU_OCTETS), (tpdus.clone(), Ok(true)));
        stream.truncate(stream.len().saturating_sub(lost));
        let complete = whole.iter().take_while(|end| **end <= stream.len()).count();
        let at_boundary = stream.is_empty() || whole.contains(&stream.len());
        prop_assert_eq!(
            deframe(&stream, &cuts, MAX_TPDU_OCTETS),
            (tpdus[..complete].to_vec(), Ok(at_boundary))
        );
    }

    #[test]
    fn chunking_never_matters_for_garbage(
        stream in prop::collection::vec(prop_oneof![Just(0u8), Just(3), Just(7), any::<u8>()], 0..200),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        prop_assert_eq!(deframe(&stream, &cuts, 300), deframe(&stream, &[], 300));
    }
}
