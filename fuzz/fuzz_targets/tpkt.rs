//! Packets come out of a stream whatever the chunks, and go back in as they were.
#![no_main]

use libfuzzer_sys::fuzz_target;
use osi::tpkt::{Deframer, MAX_TPDU_OCTETS, TpktError, frame};

fn read(octets: &[u8], chunk: usize) -> (Vec<Vec<u8>>, Option<TpktError>, bool) {
    let mut deframer = Deframer::new(MAX_TPDU_OCTETS);
    let mut found = Vec::new();
    for piece in octets.chunks(chunk) {
        let mut rest = piece;
        loop {
            match deframer.next(&mut rest) {
                Ok(Some(tpdu)) => found.push(tpdu),
                Ok(None) => break,
                Err(error) => return (found, Some(error), false),
            }
        }
        assert!(rest.is_empty());
    }
    (found, None, deframer.is_at_boundary())
}

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, octets) = input;
    let whole = read(octets, octets.len().max(1));
    assert_eq!(read(octets, usize::from(chunk).max(1)), whole);
    let (tpdus, error, at_boundary) = whole;
    if error.is_none() && at_boundary {
        let mut again = Vec::new();
        for tpdu in &tpdus {
            frame(tpdu, &mut again).expect("what came in a packet fits into one");
        }
        // The reserved octet is all that may differ.
        assert_eq!(again.len(), octets.len());
    }
});
