//! Which connectors an address may concern: of a thousand the private domain alone leaves out most, without a look at their
//! address spaces.

use std::collections::HashMap;

use mhs::{OrAddress, private_domain};

use crate::settings::ConnectorSettings;

/// Connectors by the private domains of their address spaces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spaces {
    /// Places of the connectors with an address space in this private domain, in the order of the file.
    by_domain: HashMap<String, Vec<usize>>,
    /// Places of those with one in no private domain, or in any.
    others: Vec<usize>,
}

impl Spaces {
    pub(crate) fn of(connectors: &[ConnectorSettings]) -> Spaces {
        let mut spaces = Spaces::default();
        for (place, connector) in connectors.iter().enumerate() {
            for entry in &connector.address_space {
                let places = match entry.space.private_domain() {
                    Some(domain) => spaces.by_domain.entry(domain.to_owned()).or_default(),
                    None => &mut spaces.others,
                };
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        spaces
    }

    /// Places of all connectors that have an address space which may match, each once, in the order of the file.
    pub(crate) fn concerned(&self, address: &OrAddress) -> Vec<usize> {
        let mut places = self.others.clone();
        if let Some(of_domain) = private_domain(address).and_then(|domain| self.by_domain.get(&domain)) {
            places.extend(of_domain);
            places.sort_unstable();
            places.dedup();
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use mhs::{AddressPattern, MtaName};
    use proptest::prelude::*;

    use super::*;
    use crate::settings::AddressSpaceEntry;

    const SPACES: [&str; 9] = [
        "P=BETA;A= ;C=GB",
        "P=beta;C=GB",
        "P=*;C=GB",
        "C=GB",
        "O=Acme;C=GB",
        "P=Big   Corp;A= ;C=GB",
        "A=ICAO;C=XX",
        "P=STRASSE;C=DE",
        "P=Straße;C=DE",
    ];
    const ADDRESSES: [&str; 8] = [
        "S=x;P=BETA;A= ;C=GB",
        "S=x;P=Beta;C=GB",
        "S=x;O=Acme;C=GB",
        "S=x;O=Acme;P= big corp ;A= ;C=GB",
        "S=x;A=ICAO;C=XX",
        "S=x;P=EG;A=ICAO;C=XX",
        "S=x;P=strasse;C=DE",
        "S=x;P=Straße;C=DE",
    ];

    proptest! {
        /// Whatever matches is concerned, and in the order of the file.
        #[test]
        fn nothing_that_matches_is_left_out(
            connectors in prop::collection::vec(prop::collection::vec(0..SPACES.len(), 0..4), 0..8),
        ) {
            let connectors: Vec<ConnectorSettings> = connectors
                .into_iter()
                .map(|spaces| {
                    let mut connector = ConnectorSettings::new("x", MtaName::new("X").unwrap_or_else(|_| unreachable!()));
                    let space = |space: usize| AddressPattern::parse(SPACES[space]).unwrap_or_default();
                    connector.address_space =
                        spaces.into_iter().map(|n| AddressSpaceEntry { space: space(n), cost: 1 }).collect();
                    connector
                })
                .collect();
            let spaces = Spaces::of(&connectors);
            for address in ADDRESSES {
                let address = OrAddress::parse(address).unwrap_or_default();
                let concerned = spaces.concerned(&address);
                prop_assert!(concerned.is_sorted_by(|one, next| one < next), "{concerned:?}");
                for (place, connector) in connectors.iter().enumerate() {
                    let matches = connector.address_space.iter().any(|e| e.space.matches(&address).is_some());
                    prop_assert!(!matches || concerned.contains(&place), "{place} for {address}");
                }
            }
        }
    }

    #[test]
    fn connectors_to_other_private_domains_are_not_looked_at() {
        let connectors: Vec<ConnectorSettings> = (0..1000)
            .map(|n| {
                let mut connector = ConnectorSettings::new(
                    format!("to-{n}"),
                    MtaName::new("X").unwrap_or_else(|_| unreachable!()),
                );
                let space = AddressPattern::parse(&format!("P=D{n};A= ;C=GB")).unwrap_or_default();
                connector.address_space = vec![AddressSpaceEntry { space, cost: 1 }];
                connector
            })
            .collect();
        let address = OrAddress::parse("S=x;P=d617;A= ;C=GB").unwrap_or_default();
        assert_eq!(Spaces::of(&connectors).concerned(&address), [617]);
    }
}
