//! What another implementation put on the wire decodes, layer by layer, and encodes to the same octets again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeMap;

use osi::cotp::Tpdu;
use osi::session::spdu::{Spdu, decode_tsdu};
use osi::tpkt::{Deframer, MAX_TPDU_OCTETS};

#[path = "support/capture.rs"]
mod capture;

#[test]
fn every_spdu_of_every_capture_decodes_and_encodes_the_same() {
    let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
    for file in capture::files() {
        let conversations = capture::conversations(&file);
        assert!(!conversations.is_empty(), "{file:?}");
        for conversation in &conversations {
            for from_client in [true, false] {
                let octets = conversation.octets(from_client);
                for tsdu in tsdus(&octets, &file) {
                    let spdus = decode_tsdu(&tsdu).unwrap_or_else(|e| panic!("{file:?}: {e}: {tsdu:02x?}"));
                    let mut again = Vec::new();
                    for spdu in &spdus {
                        *seen.entry(spdu.name()).or_default() += 1;
                        spdu.encode(&mut again).unwrap();
                    }
                    if again != tsdu {
                        // Where the caller sent no connection identifier it answers an empty one; we leave
                        // out what is empty.
                        assert!(
                            matches!(spdus.as_slice(), [Spdu::Ac(ac)] if ac.identifier == Default::default()),
                            "{file:?}: {spdus:?}"
                        );
                        assert_eq!(decode_tsdu(&again).unwrap(), spdus);
                    }
                }
            }
        }
    }
    // A 300 KB transfer has 293 checkpoints, so a reader that loses packets would show here.
    let count = |name: &str| seen.get(name).copied().unwrap_or(0);
    assert!(count("MIP") > 293 && count("MIA") > 293, "{seen:?}");
    for name in ["CN", "AC", "RF", "FN", "DN", "AB", "GT", "PT", "AS", "DT", "MIP", "MIA", "AE", "AEA", "ED"]
    {
        assert!(count(name) > 0, "no {name} in {seen:?}");
    }
    assert_eq!(count("ER") + count("MAP") + count("NF"), 0, "{seen:?}");
}

/// The TSDUs of one direction. A recording may end inside a packet, where a process was killed.
fn tsdus(octets: &[u8], file: &std::path::Path) -> Vec<Vec<u8>> {
    let mut input = octets;
    let mut deframer = Deframer::new(MAX_TPDU_OCTETS);
    let mut tsdus = Vec::new();
    let mut assembly = Vec::new();
    while let Some(octets) = deframer.next(&mut input).unwrap_or_else(|error| panic!("{file:?}: {error}")) {
        let tpdu = Tpdu::decode(&octets).unwrap_or_else(|error| panic!("{file:?}: {error}: {octets:02x?}"));
        match &tpdu {
            Tpdu::Dt { end_of_tsdu, data } => {
                assembly.extend_from_slice(data);
                if *end_of_tsdu {
                    tsdus.push(core::mem::take(&mut assembly));
                }
                assert_eq!(tpdu.encode().unwrap(), octets);
            }
            Tpdu::Dr { .. } | Tpdu::Er { .. } => assert_eq!(tpdu.encode().unwrap(), octets),
            // The order of their parameters is free.
            Tpdu::Cr(_) | Tpdu::Cc(_) => {
                let again = tpdu.encode().unwrap();
                assert_eq!(again.len(), octets.len());
                assert_eq!(Tpdu::decode(&again).unwrap(), tpdu);
            }
        }
    }
    tsdus
}

#[test]
fn the_recorded_connect_of_another_implementation_means_what_it_should() {
    let file =
        capture::files().into_iter().find(|file| file.ends_with("pp-p1-88-twa-transfer.pcap")).unwrap();
    let conversation = capture::conversations(&file).remove(0);
    let client = tsdus(&conversation.octets(true), &file);
    let server = tsdus(&conversation.octets(false), &file);
    let Some(Spdu::Cn(cn)) = decode_tsdu(&client[0]).unwrap().pop() else { panic!("no CN") };
    assert_eq!(cn.item.version, Some(3));
    assert_eq!(cn.item.tsdu_max.map(|max| (max.from_initiator, max.from_responder)), Some((2041, 2041)));
    assert_eq!(cn.user_requirements.map(|units| units.0), Some(0x0249));
    let Some(Spdu::Ac(ac)) = decode_tsdu(&server[0]).unwrap().pop() else { panic!("no AC") };
    assert_eq!((ac.item.version, ac.item.tsdu_max), (Some(2), None));
    assert_eq!(ac.identifier, cn.identifier, "the caller's reference comes back");
}
