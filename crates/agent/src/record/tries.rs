//! How often the connectors for a copy could not be opened while it waited for them.

use serde::{Deserialize, Serialize};

/// Connectors that are remembered; no address has so many ways.
const MOST: usize = 256;

/// Connectors over which a copy was to go, each with the failed opens that it has seen there. The one it left last is the
/// last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries(Vec<(String, u32)>);

impl Tries {
    /// Failed opens of this connector while the copy waited for it.
    pub fn of(&self, connector: &str) -> u32 {
        self.0.iter().find(|(name, _)| name == connector).map_or(0, |(_, count)| *count)
    }

    /// Whether it has not been in any queue before.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The connector that it left last.
    pub fn last(&self) -> Option<&str> {
        self.0.last().map(|(name, _)| name.as_str())
    }

    /// The same after it has left a connector, where it has seen `more` failed opens.
    pub fn after(&self, connector: &str, more: u32) -> Tries {
        let count = self.of(connector).saturating_add(more);
        let mut tries: Vec<_> = self.0.iter().filter(|(name, _)| name != connector).cloned().collect();
        if tries.len() >= MOST {
            tries.remove(0);
        }
        tries.push((connector.to_owned(), count));
        Tries(tries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_opens_add_up_for_each_connector() {
        let tries = Tries::default().after("a", 1).after("b", 2).after("a", 3);
        assert_eq!((tries.of("a"), tries.of("b"), tries.of("c"), tries.last()), (4, 2, 0, Some("a")));
        let many = (0..1000).fold(Tries::default(), |tries, n| tries.after(&n.to_string(), 1));
        assert_eq!((many.0.len(), many.of("999"), many.of("0")), (MOST, 1, 0));
    }
}
