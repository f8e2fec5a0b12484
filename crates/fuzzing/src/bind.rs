//! Bind arguments, results and errors: what is read and written again reads the same, with its wrapper and without.

use mhs::p1::bind::{MtaBindArgument, MtaBindError, MtaBindResult};
use mhs::render;

pub(crate) fn run(octets: &[u8]) {
    if let Ok(argument) = MtaBindArgument::from_octets(octets) {
        assert!(!render::bind_argument(&argument).to_string().is_empty());
        let again = argument.to_octets();
        assert_eq!(MtaBindArgument::from_octets(&again).as_ref(), Ok(&argument));
        assert!(again.len() <= octets.len() + 16, "grows from {} to {} octets", octets.len(), again.len());
        assert_eq!(MtaBindArgument::from_octets(&argument.to_bare_octets()), Ok(argument));
    }
    if let Ok(result) = MtaBindResult::from_octets(octets) {
        assert!(!render::bind_result(&result).to_string().is_empty());
        assert_eq!(MtaBindResult::from_octets(&result.to_octets()).as_ref(), Ok(&result));
        assert_eq!(MtaBindResult::from_octets(&result.to_bare_octets()), Ok(result));
    }
    if let Ok(error) = MtaBindError::from_octets(octets) {
        assert_eq!(MtaBindError::from_octets(&error.to_octets()), Ok(error));
    }
}
