//! Owned octets, of which most are few.
//!
//! An envelope is made of dozens of elements of a handful of octets. To ask the allocator for each of them costs more
//! than to read them, so few octets are kept in place and only many on the heap.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::ops::{Deref, DerefMut};

/// Octets of any number. Up to [`Octets::IN_PLACE`] of them take no memory but the value's own.
#[derive(Clone)]
pub struct Octets(Held);

#[derive(Clone)]
enum Held {
    Few { length: u8, octets: [u8; Octets::IN_PLACE] },
    Many(Box<[u8]>),
}

impl Octets {
    /// The most that are kept in place.
    pub const IN_PLACE: usize = 22;
}

impl Deref for Octets {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Held::Few { length, octets } => octets.get(..usize::from(*length)).unwrap_or_default(),
            Held::Many(octets) => octets,
        }
    }
}

impl DerefMut for Octets {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Held::Few { length, octets } => octets.get_mut(..usize::from(*length)).unwrap_or_default(),
            Held::Many(octets) => octets,
        }
    }
}

impl Default for Octets {
    fn default() -> Self {
        Octets(Held::Few { length: 0, octets: [0; Octets::IN_PLACE] })
    }
}

impl From<&[u8]> for Octets {
    #[inline]
    fn from(octets: &[u8]) -> Self {
        let mut few = [0; Octets::IN_PLACE];
        match (few.get_mut(..octets.len()), u8::try_from(octets.len())) {
            (Some(start), Ok(length)) => {
                start.copy_from_slice(octets);
                Octets(Held::Few { length, octets: few })
            }
            _ => Octets(Held::Many(octets.into())),
        }
    }
}

impl From<Vec<u8>> for Octets {
    fn from(octets: Vec<u8>) -> Self {
        if octets.len() <= Octets::IN_PLACE {
            Octets::from(octets.as_slice())
        } else {
            Octets(Held::Many(octets.into()))
        }
    }
}

impl From<Octets> for Vec<u8> {
    fn from(octets: Octets) -> Self {
        match octets.0 {
            Held::Few { .. } => octets.to_vec(),
            Held::Many(octets) => octets.into_vec(),
        }
    }
}

impl PartialEq for Octets {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Octets {}

impl Hash for Octets {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl core::fmt::Debug for Octets {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn octets_are_the_same_wherever_they_are_kept() {
        for length in [0, 1, Octets::IN_PLACE - 1, Octets::IN_PLACE, Octets::IN_PLACE + 1, 300] {
            let octets: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let (copied, moved) = (Octets::from(octets.as_slice()), Octets::from(octets.clone()));
            assert_eq!(*copied, *octets);
            assert_eq!(copied, moved);
            assert_eq!(matches!(copied.0, Held::Few { .. }), length <= Octets::IN_PLACE);
            assert_eq!(matches!(moved.0, Held::Few { .. }), length <= Octets::IN_PLACE);
        }
        assert!(Octets::default().is_empty());
    }

    #[test]
    fn octets_can_be_changed_but_not_made_more() {
        for length in [2, 100] {
            let mut octets = Octets::from(vec![0; length]);
            octets[1] = 7;
            assert_eq!((octets.len(), octets[1]), (length, 7));
        }
    }
}
