//! The P1 application context (X.419): what osi is told of X.400.

use ber::Oid;
use osi::stack::ApplicationContext;

/// id-ac-mts-transfer.
const MTS_TRANSFER: Oid = Oid::from_static(&[0x56, 0, 1, 6]);
/// id-as-mta-rtse: the bind and the APDUs of RTSE.
const MTA_RTSE: Oid = Oid::from_static(&[0x56, 0, 2, 12]);
/// id-as-mtse: MTS-APDUs.
const MTSE: Oid = Oid::from_static(&[0x56, 0, 2, 7]);

/// mts-transfer-protocol: 1988 P1 in X.410 mode.
pub(crate) const MTS_TRANSFER_PROTOCOL: i64 = 12;
/// mts-transfer-protocol-1984: 1984 P1.
pub(crate) const MTS_TRANSFER_PROTOCOL_1984: i64 = 1;

/// P1 in 1988 normal mode.
pub fn p1_application() -> ApplicationContext {
    ApplicationContext {
        application_context: MTS_TRANSFER,
        bind_and_rtse_syntax: MTA_RTSE,
        apdu_syntax: MTSE,
    }
}
