//! Session protocol data units (X.225 clause 8): codec of those that a peer can send to RTSE.
//!
//! A TSDU holds one SPDU, or an SPDU of category 0 (GT, PT) followed by others. [`decode_tsdu`] takes it apart;
//! [`Spdu::to_tsdu`] makes the TSDU in which an SPDU travels. Unknown parameters are skipped. Sizes are checked
//! here, values that depend on the state of the connection are not.

mod decode;
mod encode;
mod error;
mod kind;
mod parameter;

use alloc::vec::Vec;

pub use decode::{DataStart, SPDUS_PER_TSDU_MAX, decode_data_start, decode_tsdu};
pub use encode::dt_tsdu;
pub use error::SpduError;

use super::{ActivityResume, ConnectionIdentifier, ReasonCode};

/// A session protocol data unit. Category 1 unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spdu {
    /// CONNECT.
    Cn(Cn),
    /// CONNECT DATA OVERFLOW: a further piece of the SS-user data that CN began.
    Cdo {
        /// The piece. Its enclosure item, which is mandatory, says whether it is the last one.
        user: UserData,
    },
    /// OVERFLOW ACCEPT.
    Oa {
        /// Maximum TSDU sizes.
        tsdu_max: Option<TsduMax>,
        /// The version chosen; absent stands for version 1.
        version: Option<u8>,
    },
    /// ACCEPT.
    Ac(Ac),
    /// REFUSE.
    Rf(Rf),
    /// FINISH.
    Fn {
        /// PI 17.
        transport_disconnect: Option<TransportDisconnect>,
        /// SS-user data.
        user: UserData,
    },
    /// DISCONNECT.
    Dn {
        /// SS-user data.
        user: UserData,
    },
    /// NOT FINISHED.
    Nf {
        /// SS-user data.
        user: UserData,
    },
    /// ABORT.
    Ab {
        /// PI 17; mandatory, but taken without.
        transport_disconnect: Option<TransportDisconnect>,
        /// PI 49: what the sender could not digest.
        reflected: Vec<u8>,
        /// SS-user data.
        user: UserData,
    },
    /// ABORT ACCEPT.
    Aa,
    /// GIVE TOKENS (category 0).
    Gt {
        /// Token item; 0 when absent.
        tokens: u8,
    },
    /// PLEASE TOKENS (category 0).
    Pt {
        /// Token item; 0 when absent.
        tokens: u8,
        /// SS-user data.
        user: UserData,
    },
    /// GIVE TOKENS CONFIRM.
    Gtc,
    /// GIVE TOKENS ACK.
    Gta,
    /// PREPARE; only with expedited transport data.
    Pr,
    /// DATA TRANSFER (category 2).
    Dt {
        /// Enclosure item; absent without segmenting.
        enclosure: Option<Enclosure>,
        /// User information.
        data: Vec<u8>,
    },
    /// ACTIVITY START (category 2).
    As {
        /// Activity identifier, at most 6 octets.
        activity: Vec<u8>,
        /// SS-user data.
        user: UserData,
    },
    /// ACTIVITY RESUME (category 2).
    Ar {
        /// Linking information and new identifier.
        resume: ActivityResume,
        /// SS-user data.
        user: UserData,
    },
    /// ACTIVITY INTERRUPT (category 2).
    Ai {
        /// Reason; absent stands for no specific one.
        reason: Option<ReasonCode>,
    },
    /// ACTIVITY INTERRUPT ACK (category 2).
    Aia,
    /// ACTIVITY DISCARD (category 2).
    Ad {
        /// Reason; absent stands for no specific one.
        reason: Option<ReasonCode>,
    },
    /// ACTIVITY DISCARD ACK (category 2).
    Ada,
    /// ACTIVITY END (category 2).
    Ae {
        /// Serial number.
        serial: u32,
        /// SS-user data.
        user: UserData,
    },
    /// MAJOR SYNC POINT that does not end the activity (category 2).
    Map {
        /// Serial number.
        serial: u32,
    },
    /// ACTIVITY END ACK, which is MAJOR SYNC ACK too (category 2).
    Aea {
        /// Serial number.
        serial: u32,
        /// SS-user data.
        user: UserData,
    },
    /// MINOR SYNC POINT (category 2).
    Mip {
        /// Whether an explicit confirmation is wanted.
        confirm: bool,
        /// Serial number.
        serial: u32,
        /// SS-user data.
        user: UserData,
    },
    /// MINOR SYNC ACK (category 2).
    Mia {
        /// Serial number.
        serial: u32,
        /// SS-user data.
        user: UserData,
    },
    /// EXCEPTION DATA (category 2): S-U-EXCEPTION-REPORT.
    Ed {
        /// Reason; absent stands for no specific one.
        reason: Option<ReasonCode>,
        /// SS-user data.
        user: UserData,
    },
    /// EXCEPTION REPORT (category 2): S-P-EXCEPTION-REPORT.
    Er {
        /// PI 49: what the sender could not digest.
        reflected: Vec<u8>,
    },
    /// A later segment of the SS-user data of an SPDU. Parameters of the SPDU other than these two, which belong to the
    /// first segment, are not looked at.
    Segment {
        /// The SPDU.
        of: Segmented,
        /// The segment.
        user: UserData,
    },
}

/// SPDUs whose SS-user data can come in segments in version 2. RF is not among them: it carries its user data in
/// another way, and a refusal is one with its first segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "see the variants of Spdu")]
pub enum Segmented {
    Ac,
    Fn,
    Dn,
    Nf,
    Ab,
    Pt,
    As,
    Ar,
    Ae,
    Aea,
    Mip,
    Mia,
    Ed,
}

/// SS-user data of an SPDU, or one segment of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserData {
    /// Enclosure item; absent when the user data is whole.
    pub enclosure: Option<Enclosure>,
    /// The data.
    pub octets: Vec<u8>,
}

impl UserData {
    /// User data that is whole.
    pub fn whole(octets: Vec<u8>) -> Self {
        UserData { enclosure: None, octets }
    }

    /// Whether more of it is in other SPDUs.
    pub fn is_segment(&self) -> bool {
        self.enclosure.is_some_and(|enclosure| enclosure != Enclosure::WHOLE)
    }

    /// Whether this is part of what began in another SPDU.
    pub fn is_later_segment(&self) -> bool {
        self.enclosure.is_some_and(|enclosure| !enclosure.begins())
    }
}

/// CONNECT SPDU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cn {
    /// Connection identifier.
    pub identifier: ConnectionIdentifier,
    /// Connect/accept item.
    pub item: ConnectItem,
    /// Session user requirements; absent stands for [`FunctionalUnits::DEFAULT`].
    pub user_requirements: Option<FunctionalUnits>,
    /// Calling session selector.
    pub calling_selector: Option<Vec<u8>>,
    /// Called session selector.
    pub called_selector: Option<Vec<u8>>,
    /// Whether more user data follows in CDO SPDUs.
    pub data_overflow: bool,
    /// SS-user data, or extended user data when it is longer than 512 octets.
    pub user_data: Vec<u8>,
}

/// ACCEPT SPDU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ac {
    /// Connection identifier.
    pub identifier: ConnectionIdentifier,
    /// Connect/accept item.
    pub item: ConnectItem,
    /// Token item: tokens that the acceptor asks for.
    pub tokens: Option<u8>,
    /// Session user requirements; absent stands for [`FunctionalUnits::DEFAULT`].
    pub user_requirements: Option<FunctionalUnits>,
    /// Calling session selector.
    pub calling_selector: Option<Vec<u8>>,
    /// Called (responding) session selector.
    pub called_selector: Option<Vec<u8>>,
    /// SS-user data.
    pub user: UserData,
}

/// REFUSE SPDU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rf {
    /// Connection identifier.
    pub identifier: ConnectionIdentifier,
    /// PI 17; absent stands for releasing the transport connection.
    pub transport_disconnect: Option<TransportDisconnect>,
    /// Session user requirements.
    pub user_requirements: Option<FunctionalUnits>,
    /// Versions that the acceptor speaks.
    pub version: Option<u8>,
    /// Enclosure item.
    pub enclosure: Option<Enclosure>,
    /// Reason code, see [`RefuseReason`].
    pub reason: u8,
    /// User data that follows the reason in its parameter.
    pub user_data: Vec<u8>,
}

/// Connect/accept item (PGI 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectItem {
    /// Protocol options; bit 1: extended concatenated SPDUs can be received.
    pub protocol_options: Option<u8>,
    /// Maximum TSDU sizes.
    pub tsdu_max: Option<TsduMax>,
    /// Version bits; absent stands for version 1.
    pub version: Option<u8>,
    /// Initial serial number; absent with activity management.
    pub initial_serial: Option<u32>,
    /// Token setting item; absent stands for 0, all on the initiator's side.
    pub token_setting: Option<u8>,
}

/// Maximum TSDU sizes in octets; 0 for unlimited, that is, no segmenting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TsduMax {
    /// From initiator to responder.
    pub from_initiator: u16,
    /// From responder to initiator.
    pub from_responder: u16,
}

/// Enclosure item (PI 25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enclosure(pub u8);

impl Enclosure {
    /// Neither beginning nor end.
    pub const MIDDLE: Enclosure = Enclosure(0);
    /// Beginning of the SSDU, not its end.
    pub const BEGINNING: Enclosure = Enclosure(1);
    /// End of the SSDU, not its beginning.
    pub const END: Enclosure = Enclosure(2);
    /// Beginning and end.
    pub const WHOLE: Enclosure = Enclosure(3);

    /// The item of a segment.
    pub fn of(beginning: bool, end: bool) -> Enclosure {
        Enclosure(u8::from(beginning) | u8::from(end) << 1)
    }

    /// Whether the SSDU begins here.
    pub fn begins(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether the SSDU ends here.
    pub fn ends(self) -> bool {
        self.0 & 2 != 0
    }
}

/// Transport disconnect item (PI 17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportDisconnect(pub u8);

impl TransportDisconnect {
    /// Bit: the transport connection is released.
    pub const RELEASE: u8 = 0x01;
    /// Bit: the user aborted.
    pub const USER_ABORT: u8 = 0x02;
    /// Bit: the sender found a protocol error.
    pub const PROTOCOL_ERROR: u8 = 0x04;
    /// Bit: no reason.
    pub const NO_REASON: u8 = 0x08;
    /// Bit: a restriction of the implementation.
    pub const IMPLEMENTATION_RESTRICTION: u8 = 0x10;
}

/// Session user requirements (PI 20): the functional units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionalUnits(pub u16);

impl FunctionalUnits {
    /// Those of RTSE: half-duplex, minor synchronize, activity management, exceptions.
    pub const RTSE: FunctionalUnits = FunctionalUnits(0x0249);
    /// Those of remote operations without RTSE: duplex.
    pub const DUPLEX: FunctionalUnits = FunctionalUnits(0x0002);
    /// What an absent parameter stands for: those of RTSE and capability data.
    pub const DEFAULT: FunctionalUnits = FunctionalUnits(0x0349);
}

/// Tokens as in the token item (PI 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens;

impl Tokens {
    /// Data token.
    pub const DATA: u8 = 0x01;
    /// All that are available with the functional units of RTSE: data, synchronize-minor, major/activity.
    pub const ALL: u8 = 0x15;
}

/// Reason codes of RF (PI 50).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefuseReason;

#[allow(missing_docs, reason = "the names are those of X.225")]
impl RefuseReason {
    pub const USER: u8 = 0;
    pub const USER_CONGESTION: u8 = 1;
    pub const USER_WITH_DATA: u8 = 2;
    pub const SELECTOR_UNKNOWN: u8 = 129;
    pub const USER_NOT_ATTACHED: u8 = 130;
    pub const CONGESTION: u8 = 131;
    pub const VERSION: u8 = 132;
    pub const UNSPECIFIED: u8 = 133;
    pub const IMPLEMENTATION_RESTRICTION: u8 = 134;
}
