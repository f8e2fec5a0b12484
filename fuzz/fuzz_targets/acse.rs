//! ACSE APDUs: what is read and written again reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use osi::acse::apdu::AcseApdu;

fuzz_target!(|octets: &[u8]| {
    if let Ok(apdu) = AcseApdu::decode(octets) {
        let again = apdu.encode();
        assert_eq!(AcseApdu::decode(&again), Ok(apdu));
    }
});
