//! Interpersonal messages and notifications: any content is read or refused, shown and written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mhs::ipm::{InformationObject, Ipm, render_object};

fuzz_target!(|octets: &[u8]| {
    let _ = Ipm::summary(octets);
    if let Ok(object) = InformationObject::decode(octets) {
        let _ = render_object(&object).to_string();
    }
    if let Ok(ipm) = Ipm::decode(octets) {
        for part in &ipm.body {
            let _ = (part.text(), part.kind());
        }
        let again = ipm.encode();
        assert_eq!(Ipm::decode(&again), Ok(ipm));
    }
});
