//! P1 for people: every field by its name in X.411, what is unknown as hexadecimal.

use crate::Tree;
use crate::p1::MtsApdu;

/// An APDU as a tree.
pub fn apdu(_apdu: &MtsApdu) -> Tree {
    Tree::new("MTS-APDU")
}
