//! A look into stored contents: what goes over a 1984 link must be P2, and P22 often is.

use agent::asks_for_p2;
use agent::record::Item;
use mhs::ipm::{P2Check, P2Verdict};
use spool::SpoolError;

use crate::shared::Shared;

/// Whether an interpersonal message of 1988 uses nothing beyond P2. Reads only if `matters`, and then only headings; a
/// content that is damaged is no P2.
pub(crate) async fn is_p2(shared: &Shared, item: &Item, matters: bool) -> Result<bool, SpoolError> {
    let Some((body, length)) = Some(item).filter(|_| matters).and_then(asks_for_p2) else { return Ok(false) };
    let mut check = P2Check::new(length);
    while let Some((offset, wanted)) = check.wants() {
        let mut octets = Vec::with_capacity(wanted);
        while octets.len() < wanted {
            let at = offset.saturating_add(octets.len() as u64);
            match shared.spool.read_body(body, at, wanted - octets.len()).await {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) => octets.extend_from_slice(&piece),
                Err(SpoolError::Damaged { .. } | SpoolError::NoSuchBody { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        check.supply(&octets);
    }
    Ok(check.verdict() == Some(P2Verdict::P2))
}
