//! SPDUs of X.225: what is read and written again reads the same, and a TSDU holds no more of them than is allowed.

use osi::session::spdu::{SPDUS_PER_TSDU_MAX, decode_tsdu};

pub(crate) fn run(octets: &[u8]) {
    let Ok(spdus) = decode_tsdu(octets) else { return };
    assert!((1..=SPDUS_PER_TSDU_MAX).contains(&spdus.len()));
    for spdu in spdus {
        let Ok(again) = spdu.to_tsdu() else { continue };
        // An SPDU of category 2 goes with a GT or PT in front of it.
        let read = decode_tsdu(&again).expect("a TSDU of ours");
        assert!(read.len() <= 2);
        assert_eq!(read.last(), Some(&spdu));
    }
}
