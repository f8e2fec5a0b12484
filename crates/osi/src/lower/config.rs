use alloc::vec::Vec;

use super::served::ServedSelectors;
use crate::acse::AcpmConfig;
use crate::cotp::CotpConfig;
use crate::presentation::PpmConfig;
use crate::session::SessionConfig;

/// Longest TSDU before the session layer has said more: CN with all it can carry, and some room. Nobody has shown a
/// password then, so that everybody who can connect could have more kept.
pub(crate) const OPENING_TSDU_MAX: usize = 16 * 1024;

/// Settings of the layers from COTP up to ACSE.
#[derive(Clone, Debug)]
pub(crate) struct LowerConfig {
    pub(crate) cotp: CotpConfig,
    pub(crate) session: SessionConfig,
    pub(crate) ppm: PpmConfig,
    pub(crate) acpm: AcpmConfig,
    /// The addresses that a responder serves; every call, if there are none.
    pub(crate) served: Vec<ServedSelectors>,
    /// A call in X.410 mode, which has no presentation selector, may mean an address that has one.
    pub(crate) x410_served: bool,
    /// Longest TSDU taken once the association is open.
    pub(crate) max_tsdu: usize,
    /// Longer ones than this are passed on in pieces from then on.
    pub(crate) pass_on_above: Option<usize>,
}
