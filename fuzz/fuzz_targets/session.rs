//! SPDUs: what is read and written again reads the same; a responder and an initiator survive any TSDUs.
#![no_main]

use clock::MonoTime;
use libfuzzer_sys::fuzz_target;
use osi::session::spdu::decode_tsdu;
use osi::session::{Spm, SpmAction, SpmEvent};

fuzz_target!(|tsdus: Vec<Vec<u8>>| {
    let mut now = MonoTime::START;
    let mut responder = Spm::responder(Default::default());
    let mut out = Vec::new();
    let _ = responder.handle(now, SpmEvent::TConnectIndication, &mut out);
    for tsdu in &tsdus {
        if let Ok(spdus) = decode_tsdu(tsdu) {
            for spdu in spdus {
                let Ok(again) = spdu.to_tsdu() else { continue };
                assert_eq!(decode_tsdu(&again).ok().and_then(|mut all| all.pop()), Some(spdu));
            }
        }
        let _ = responder.handle(now, SpmEvent::Tsdu(tsdu), &mut out);
        for action in out.drain(..) {
            if let SpmAction::Tsdu(tsdu) = action {
                assert!(decode_tsdu(&tsdu).is_ok(), "an illegal TSDU goes out");
            }
        }
        if tsdu.len() % 7 == 0
            && let Some(deadline) = responder.deadline()
        {
            now = now.max(deadline);
            let _ = responder.handle(now, SpmEvent::Deadline, &mut out);
        }
    }
});
