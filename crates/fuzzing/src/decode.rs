//! `chappe decode`: any file is shown or refused in words; a capture, too, whatever its packets hold. What is shown of
//! octets is shown of the same octets in hexadecimal, and is no longer than they account for.

use std::fmt::Write;

// The program is no library; what it shows of files stands by itself in these modules.
#[path = "../../chappe/src/decode/mod.rs"]
mod program;

pub(crate) fn run(octets: &[u8]) {
    let shown = match program::decode(octets) {
        Ok((kind, trees)) => {
            let text: String = trees.iter().map(ToString::to_string).collect();
            assert!(text.len() <= 1_000 * octets.len() + 1_000, "{} octets of text", text.len());
            (kind, text)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    if shown.0 != program::Kind::Capture {
        let mut hex = String::new();
        for octet in octets {
            write!(hex, "{octet:02x} ").expect("a string takes all");
        }
        let (kind, trees) = program::decode(hex.as_bytes()).expect("the same in hexadecimal");
        assert_eq!((kind, trees.iter().map(ToString::to_string).collect()), shown);
    }
}
