use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

/// An object identifier, kept as its contents octets (X.690 8.19).
///
/// ```
/// const ID_AC_MTS_TRANSFER: ber::Oid = ber::Oid::from_static(&[0x56, 0, 1, 6]);
/// assert_eq!(ID_AC_MTS_TRANSFER.to_string(), "2.6.0.1.6");
/// assert_eq!(ber::Oid::from_arcs(&[2, 6, 0, 1, 6]), Some(ID_AC_MTS_TRANSFER));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Cow<'static, [u8]>);

impl Oid {
    /// An identifier from contents octets that the program knows. Not checked.
    pub const fn from_static(contents: &'static [u8]) -> Oid {
        Oid(Cow::Borrowed(contents))
    }

    /// An identifier from received contents octets; `None` if they are empty or end inside an arc.
    pub fn from_contents(contents: &[u8]) -> Option<Oid> {
        match contents.last() {
            Some(last) if last & 0x80 == 0 => Some(Oid(Cow::Owned(contents.to_vec()))),
            Some(_) | None => None,
        }
    }

    /// An identifier from its arcs; `None` unless there are two or more and the first two are possible.
    pub fn from_arcs(arcs: &[u32]) -> Option<Oid> {
        let (&[first, second], rest) = arcs.split_first_chunk::<2>()?;
        if first > 2 || (first < 2 && second > 39) {
            return None;
        }
        let mut contents = Vec::new();
        push_arc(&mut contents, u64::from(first) * 40 + u64::from(second));
        for &arc in rest {
            push_arc(&mut contents, u64::from(arc));
        }
        Some(Oid(Cow::Owned(contents)))
    }

    /// The contents octets.
    pub fn contents(&self) -> &[u8] {
        &self.0
    }
}

fn push_arc(out: &mut Vec<u8>, arc: u64) {
    for shift in (1..10).rev() {
        if arc >> (7 * shift) != 0 {
            out.push((arc >> (7 * shift)) as u8 | 0x80);
        }
    }
    out.push(arc as u8 & 0x7F);
}

/// Dotted decimal; an arc above 2^64 - 1 is shown as `?`.
impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut arc = Some(0u64);
        let mut first = true;
        for &octet in self.0.iter() {
            arc = arc.and_then(|a| a.checked_mul(128)).map(|a| a | u64::from(octet & 0x7F));
            if octet & 0x80 != 0 {
                continue;
            }
            match (arc, first) {
                (Some(a), true) => {
                    let root = (a / 40).min(2);
                    write!(f, "{root}.{}", a - root * 40)?;
                }
                (Some(a), false) => write!(f, ".{a}")?,
                (None, true) => f.write_str("?")?,
                (None, false) => f.write_str(".?")?,
            }
            first = false;
            arc = Some(0);
        }
        Ok(())
    }
}
