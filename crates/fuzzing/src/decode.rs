//! `chappe decode`: any file is shown or refused in words; a capture, too, whatever its packets hold. What is shown of
//! octets is shown of the same octets in hexadecimal, and is no longer than they account for. The ladder of a capture has
//! its steps in order.

use std::fmt::Write;

use chappe::decode as program;

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
    if shown.0 == program::Kind::Capture {
        program::ladders(octets).expect("what can be shown").iter().for_each(ladder);
    } else {
        assert!(program::ladders(octets).is_err());
        let mut hex = String::new();
        for octet in octets {
            write!(hex, "{octet:02x} ").expect("a string takes all");
        }
        let (kind, trees) = program::decode(hex.as_bytes()).expect("the same in hexadecimal");
        assert_eq!((kind, trees.iter().map(ToString::to_string).collect()), shown);
    }
}

fn ladder(ladder: &program::ladder::Ladder) {
    let mut number = 0;
    for step in &ladder.steps {
        assert!(number <= step.number, "{step:?} behind {number}");
        number = step.number;
        assert!(step.cut <= step.octets, "{step:?}");
        assert!(step.micros < (1 << 33) * 1_000_000, "{step:?}");
        assert!(!step.kind.name().is_empty() && !step.side.name().is_empty());
        assert!(step.completes.is_none() || !step.details.is_empty(), "{step:?}");
        assert!(step.layers.iter().all(|layer| !layer.protocol.is_empty() && !layer.pdu.is_empty()));
    }
    assert!(
        ladder.unfinished.len() <= 2 && ladder.steps.iter().map(|step| step.cut).sum::<u64>() <= ladder.cut
    );
}
