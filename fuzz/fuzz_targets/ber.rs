//! Any octets: reading them in every way ends in an answer.
#![no_main]

use ber::{Header, Reader};
use libfuzzer_sys::fuzz_target;

fn walk(mut reader: Reader<'_>) {
    while let Ok(Some(tlv)) = reader.next() {
        let _ = (tlv.integer(), tlv.boolean(), tlv.oid(), tlv.bit_string(), tlv.octets());
        if let Ok(inner) = tlv.reader() {
            walk(inner);
        }
    }
}

fuzz_target!(|octets: &[u8]| {
    let _ = Header::parse(octets);
    walk(Reader::new(octets));
});
