//! TPDUs: decoding is stable under encoding; either machine survives any of them in any order.
#![no_main]

use std::time::Duration;

use clock::MonoTime;
use libfuzzer_sys::fuzz_target;
use osi::cotp::tpdu::{Tpdu, TpduSize};
use osi::cotp::{Cotp, CotpAction, CotpConfig, CotpEvent, TIndication, TRequest};

fuzz_target!(|input: (bool, Vec<(u8, Vec<u8>)>)| {
    let (initiator, events) = input;
    let config = CotpConfig {
        calling_selector: b"from".to_vec(),
        called_selector: b"to".to_vec(),
        tpdu_size: TpduSize::MAX,
        max_tsdu: 10_000,
        connect_timeout: Duration::from_secs(60),
    };
    let mut cotp = if initiator { Cotp::initiator(config) } else { Cotp::responder(config) };
    let mut now = MonoTime::START;
    let mut out = Vec::new();
    let _ = cotp.handle(now, CotpEvent::Start, &mut out);
    for (kind, octets) in &events {
        if let Ok(tpdu) = Tpdu::decode(octets)
            && let Ok(encoded) = tpdu.encode()
        {
            assert_eq!(Tpdu::decode(&encoded), Ok(tpdu));
        }
        let event = match kind % 8 {
            0..=3 => CotpEvent::Tpdu(octets),
            4 => CotpEvent::Request(TRequest::Accept),
            5 => CotpEvent::Request(TRequest::Data(octets.clone())),
            6 => CotpEvent::Request(TRequest::Disconnect),
            _ => {
                now = cotp.deadline().unwrap_or(now).max(now);
                CotpEvent::Deadline
            }
        };
        let _ = cotp.handle(now, event, &mut out);
        for action in out.drain(..) {
            match action {
                CotpAction::Tpdu(tpdu) => assert!(Tpdu::decode(&tpdu).is_ok(), "an illegal TPDU goes out"),
                CotpAction::Indication(TIndication::Data(tsdu)) => assert!(tsdu.len() <= 10_000),
                CotpAction::Indication(_) | CotpAction::Close => {}
            }
        }
    }
});
