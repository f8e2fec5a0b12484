//! TPKT: packets come out of a stream whatever the chunks, within the limit, and go back in as they were.

use osi::tpkt::{Deframer, HEADER_OCTETS, MAX_TPDU_OCTETS, TpktError, frame};

use crate::Script;

#[derive(Debug, PartialEq)]
struct Read {
    tpdus: Vec<Vec<u8>>,
    error: Option<TpktError>,
    at_boundary: bool,
}

fn read(octets: &[u8], limit: usize, chunk: usize) -> Read {
    let mut deframer = Deframer::new(limit);
    let mut tpdus = Vec::new();
    for piece in octets.chunks(chunk) {
        let mut rest = piece;
        loop {
            match deframer.next(&mut rest) {
                Ok(Some(tpdu)) => tpdus.push(tpdu),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(deframer.next(&mut rest), Err(error), "an error must last");
                    return Read { tpdus, error: Some(error), at_boundary: false };
                }
            }
        }
        assert!(rest.is_empty());
    }
    Read { tpdus, error: None, at_boundary: deframer.is_at_boundary() }
}

pub(crate) fn run(octets: &[u8]) {
    let mut script = Script::new(octets);
    let chunk = usize::from(script.octet()).max(1);
    let limit = match script.number() {
        0 => MAX_TPDU_OCTETS,
        limit => usize::from(limit),
    };
    let stream = octets.get(3..).unwrap_or_default();
    let whole = read(stream, limit, stream.len().max(1));
    assert_eq!(read(stream, limit, chunk), whole);
    assert!(whole.tpdus.iter().all(|tpdu| (3..=limit.max(3)).contains(&tpdu.len())));
    let taken: usize = whole.tpdus.iter().map(|tpdu| tpdu.len() + HEADER_OCTETS).sum();
    assert!(taken <= stream.len());
    if whole.error.is_none() && whole.at_boundary {
        let mut again = Vec::new();
        for tpdu in &whole.tpdus {
            frame(tpdu, &mut again).expect("what came in a packet fits into one");
        }
        // The reserved octet is all that may differ.
        let reserved = |at: usize, packets: &[Vec<u8>]| {
            packets
                .iter()
                .scan(0, |start, tpdu| {
                    let here = *start;
                    *start += tpdu.len() + HEADER_OCTETS;
                    Some(here + 1)
                })
                .any(|place| place == at)
        };
        assert_eq!(again.len(), stream.len());
        let differ = again.iter().zip(stream).enumerate().filter(|(_, (ours, theirs))| ours != theirs);
        for (at, _) in differ {
            assert!(reserved(at, &whole.tpdus), "octet {at} differs");
        }
    }
}
