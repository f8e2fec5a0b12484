//! Bind arguments, results and errors: what is read and written again reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mhs::p1::bind::{MtaBindArgument, MtaBindError, MtaBindResult};

fuzz_target!(|octets: &[u8]| {
    if let Ok(argument) = MtaBindArgument::from_octets(octets) {
        assert_eq!(MtaBindArgument::from_octets(&argument.to_octets()).as_ref(), Ok(&argument));
        assert_eq!(MtaBindArgument::from_octets(&argument.to_bare_octets()), Ok(argument));
    }
    if let Ok(result) = MtaBindResult::from_octets(octets) {
        assert_eq!(MtaBindResult::from_octets(&result.to_octets()).as_ref(), Ok(&result));
        assert_eq!(MtaBindResult::from_octets(&result.to_bare_octets()), Ok(result));
    }
    if let Ok(error) = MtaBindError::from_octets(octets) {
        assert_eq!(MtaBindError::from_octets(&error.to_octets()), Ok(error));
    }
});
