//! Distribution lists that are expanded here.

use std::sync::Arc;

use ber::Reader;
use mhs::{AddressPattern, OrAddress, OrName};

/// A distribution list of which this MTA is the expansion point (X.402).
#[derive(Clone, Debug, PartialEq)]
pub struct DistributionList {
    /// The address that it is sent to; no mailbox has it.
    pub address: OrAddress,
    /// Who receives what is sent to it: mailboxes anywhere, or other lists; 1 to 100000.
    pub members: Members,
    /// Who may send to it: the originator, or the list that it is a member of, must match one of these. Default
    /// `None`: everybody.
    pub submit: Option<Vec<AddressPattern>>,
    /// Who looks after the list. Default none.
    pub owner: Option<OrAddress>,
    /// Reports on members go on to the originator, or the list before this one. Default true.
    pub reports_to_originator: bool,
    /// Reports on members go to the owner. Default false.
    pub reports_to_owner: bool,
}

impl DistributionList {
    /// A list that everybody may send to and whose reports go to the originator.
    pub fn new(address: OrAddress, members: Members) -> Self {
        DistributionList {
            address,
            members,
            submit: None,
            owner: None,
            reports_to_originator: true,
            reports_to_owner: false,
        }
    }
}

/// The members of a list, in order: held as their encodings, a fraction of what addresses taken apart would need.
#[derive(Clone, PartialEq, Eq)]
pub struct Members {
    octets: Arc<[u8]>,
    count: usize,
}

impl Members {
    /// Most members of one list.
    pub const MAX: usize = 100_000;
    /// Most octets of the members of one list together.
    pub const MAX_OCTETS: usize = 16 << 20;

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Octets that their encodings take.
    pub fn octets(&self) -> usize {
        self.octets.len()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = OrName> {
        let mut reader = Reader::new(&self.octets);
        // They were encoded here, so that each of them can be read.
        std::iter::from_fn(move || OrName::decode(&reader.next().ok()??).ok())
    }
}

impl FromIterator<OrAddress> for Members {
    fn from_iter<I: IntoIterator<Item = OrAddress>>(addresses: I) -> Self {
        let (mut octets, mut count) = (Vec::new(), 0);
        for address in addresses {
            octets.extend(OrName::new(address).encode());
            count += 1;
        }
        Members { octets: octets.into(), count }
    }
}

impl std::fmt::Debug for Members {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} members", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_back_in_order() {
        let texts = ["S=x;P=ALPHA;A= ;C=GB", "CN=m\u{fc}ller;P=ALPHA;A= ;C=GB", "S=x;P=ALPHA;A= ;C=GB"];
        let members: Members = texts.iter().map(|text| text.parse::<OrAddress>().unwrap()).collect();
        let back: Vec<OrName> = members.iter().collect();
        assert_eq!(back.len(), members.len());
        for (text, name) in texts.iter().zip(back) {
            assert_eq!(*name.address(), text.parse().unwrap());
        }
        assert!(Members::from_iter([]).is_empty());
    }
}
