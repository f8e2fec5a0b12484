//! PPDUs and user data: what is read and written again reads the same.
#![no_main]

use ber::Writer;
use libfuzzer_sys::fuzz_target;
use osi::presentation::UserData;
use osi::presentation::ppdu::{Abort, ByMode, Cp, Cpa, Cpr, encode_x410};

fuzz_target!(|octets: &[u8]| {
    if let Ok(ByMode::Normal(cp)) = Cp::decode(octets) {
        let again = cp.encode();
        assert_eq!(Cp::decode(&again), Ok(ByMode::Normal(cp)));
    }
    if let Ok(ByMode::Normal(cpa)) = Cpa::decode(octets) {
        let again = cpa.encode();
        assert_eq!(Cpa::decode(&again), Ok(ByMode::Normal(cpa)));
    }
    if let Ok(ByMode::X410(set)) = Cp::decode(octets) {
        assert_eq!(Cp::decode(&encode_x410(&set)), Ok(ByMode::X410(set)));
    }
    if let Ok(Some(cpr)) = Cpr::decode(octets) {
        let again = cpr.encode();
        assert_eq!(Cpr::decode(&again), Ok(Some(cpr)));
    }
    if let Ok(abort) = Abort::decode(octets) {
        let _ = abort.encode(&[]);
    }
    if let Ok(data) = UserData::decode(octets) {
        let again = Writer::encode(|w| data.encode(w));
        assert_eq!(UserData::decode(&again), Ok(data));
    }
});
