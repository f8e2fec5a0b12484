//! Encodings of the RTSE APDUs (X.228 clause 9): RTORQ, RTOAC, RTORJ, RTTP, RTTR, RTAB.

use alloc::vec::Vec;

use ber::{Error, ErrorKind, Reader, Tag, Tlv, Writer};

use super::connection::SessionConnectionIdentifier;
use super::service::{AbortReason, DialogueMode};
use crate::presentation::PresentationMode;

/// An APDU of RTSE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RtseApdu {
    /// RT-OPEN request.
    Rtorq(Rtorq),
    /// RT-OPEN accept.
    Rtoac(Rtoac),
    /// RT-OPEN reject.
    Rtorj(Rtorj),
    /// RT-TURN-PLEASE, with its priority.
    Rttp(i64),
    /// RT-TRANSFER: octets of the user's APDU.
    Rttr(Vec<u8>),
    /// RT-ABORT.
    Rtab(Rtab),
}

/// RTORQ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtorq {
    /// Checkpoint size in units of 1,024 octets; 0 for no checkpoints.
    pub checkpoint_size_kb: u32,
    /// Window size in checkpoints.
    pub window_size: u32,
    /// Dialogue mode.
    pub dialogue_mode: DialogueMode,
    /// A new association, or an old one.
    pub connection_data: ConnectionData,
    /// What rides in an association of X.410 mode; not present in normal mode.
    pub application_protocol: Option<i64>,
}

/// RTOAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtoac {
    /// Checkpoint size in units of 1,024 octets; 0 for no checkpoints.
    pub checkpoint_size_kb: u32,
    /// Window size in checkpoints.
    pub window_size: u32,
    /// As in the RTORQ.
    pub connection_data: ConnectionData,
}

/// ConnectionData.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionData {
    /// A new association, with one encoding of the user; empty for none.
    Open(Vec<u8>),
    /// An association that was on this session connection is recovered.
    Recover(SessionConnectionIdentifier),
}

/// RTORJ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rtorj {
    /// RefuseReason: 0 busy, 1 cannot recover, 2 validation failure, 3 unacceptable dialogue mode. X.410 mode only.
    pub refuse_reason: Option<i64>,
    /// One encoding of the user; empty for none.
    pub user_data: Vec<u8>,
}

/// RTAB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rtab {
    /// AbortReason.
    pub reason: Option<AbortReason>,
    /// One encoding of the user, with reason user-error only; empty for none.
    pub user_data: Vec<u8>,
}

/// DEFAULT of windowSize.
pub const WINDOW_SIZE_DEFAULT: u32 = 3;

const RTORQ: Tag = Tag::context(16);
const RTOAC: Tag = Tag::context(17);
const RTORJ: Tag = Tag::context(18);
const RTAB: Tag = Tag::context(22);
/// RTAB with the class of its tag mistaken, as PP sends it.
const RTAB_MISTAGGED: Tag = Tag::universal(22);

impl RtseApdu {
    /// Reads an APDU that is all of `octets`.
    ///
    /// # Errors
    /// Not an APDU of RTSE.
    pub fn decode(octets: &[u8]) -> Result<Self, Error> {
        let mut top = Reader::new(octets);
        let element = top.any()?;
        top.finish()?;
        match element.tag {
            RTORQ => Rtorq::decode(&element).map(RtseApdu::Rtorq),
            RTOAC => Rtoac::decode(&element).map(RtseApdu::Rtoac),
            RTORJ => Rtorj::decode(&element).map(RtseApdu::Rtorj),
            Tag::INTEGER => element.integer().map(RtseApdu::Rttp),
            Tag::OCTET_STRING => Ok(RtseApdu::Rttr(element.octets()?.into_owned())),
            RTAB | RTAB_MISTAGGED => Rtab::decode(&element).map(RtseApdu::Rtab),
            found => Err(element.error(ErrorKind::UnexpectedTag { expected: RTORQ, found })),
        }
    }

    /// The encoding in normal mode.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_in(PresentationMode::Normal)
    }

    /// The encoding in `mode`. In X.410 mode what concerns the association is a plain SET, known by its place alone,
    /// and octets of an APDU have nothing around them.
    pub fn encode_in(&self, mode: PresentationMode) -> Vec<u8> {
        let tag = |normal: Tag| match mode {
            PresentationMode::Normal => normal,
            PresentationMode::X410 => Tag::SET,
        };
        Writer::encode(|w| match self {
            RtseApdu::Rtorq(rtorq) => w.constructed(tag(RTORQ), |w| {
                w.integer(Tag::context(0), i64::from(rtorq.checkpoint_size_kb));
                w.integer(Tag::context(1), i64::from(rtorq.window_size));
                match rtorq.dialogue_mode {
                    DialogueMode::Monologue => {}
                    DialogueMode::TwoWayAlternate => w.integer(Tag::context(2), 1),
                }
                rtorq.connection_data.encode(w, 3);
                if let Some(protocol) = rtorq.application_protocol {
                    w.integer(Tag::context(4), protocol);
                }
            }),
            RtseApdu::Rtoac(rtoac) => w.constructed(tag(RTOAC), |w| {
                w.integer(Tag::context(0), i64::from(rtoac.checkpoint_size_kb));
                w.integer(Tag::context(1), i64::from(rtoac.window_size));
                rtoac.connection_data.encode(w, 2);
            }),
            RtseApdu::Rtorj(rtorj) => w.constructed(tag(RTORJ), |w| {
                if let Some(reason) = rtorj.refuse_reason {
                    w.integer(Tag::context(0), reason);
                }
                if !rtorj.user_data.is_empty() {
                    w.constructed(Tag::context(1), |w| w.raw(&rtorj.user_data));
                }
            }),
            RtseApdu::Rttp(priority) => w.integer(Tag::INTEGER, *priority),
            RtseApdu::Rttr(octets) => match mode {
                PresentationMode::Normal => w.primitive(Tag::OCTET_STRING, octets),
                PresentationMode::X410 => w.raw(octets),
            },
            RtseApdu::Rtab(rtab) => w.constructed(tag(RTAB), |w| {
                if let Some(reason) = rtab.reason {
                    w.integer(Tag::context(0), reason.0);
                }
                if !rtab.user_data.is_empty() {
                    w.constructed(Tag::context(2), |w| w.raw(&rtab.user_data));
                }
            }),
        })
    }

    /// The abbreviation of the APDU that begins with this tag in normal mode.
    pub(super) fn name_by_tag(tag: Tag) -> Option<&'static str> {
        match tag {
            RTORQ => Some("RTORQ"),
            RTOAC => Some("RTOAC"),
            RTORJ => Some("RTORJ"),
            Tag::INTEGER => Some("RTTP"),
            Tag::OCTET_STRING => Some("RTTR"),
            RTAB | RTAB_MISTAGGED => Some("RTAB"),
            _ => None,
        }
    }

    /// The abbreviation, for error texts.
    pub fn name(&self) -> &'static str {
        match self {
            RtseApdu::Rtorq(_) => "RTORQ",
            RtseApdu::Rtoac(_) => "RTOAC",
            RtseApdu::Rtorj(_) => "RTORJ",
            RtseApdu::Rttp(_) => "RTTP",
            RtseApdu::Rttr(_) => "RTTR",
            RtseApdu::Rtab(_) => "RTAB",
        }
    }
}

impl Rtorq {
    /// Reads an RTORQ of X.410 mode.
    ///
    /// # Errors
    /// Not a SET that is one.
    pub fn decode_x410(octets: &[u8]) -> Result<Self, Error> {
        Rtorq::decode(&set(octets)?)
    }

    fn decode(element: &Tlv<'_>) -> Result<Self, Error> {
        let mut sizes = Sizes::default();
        let mut dialogue_mode = DialogueMode::Monologue;
        let mut connection_data = None;
        let mut application_protocol = None;
        let mut fields = element.reader()?;
        while let Some(field) = fields.next()? {
            match field.tag {
                tag if tag == Tag::context(2) => {
                    dialogue_mode = match field.integer()? {
                        0 => DialogueMode::Monologue,
                        1 => DialogueMode::TwoWayAlternate,
                        _ => return Err(field.error(ErrorKind::BadContents(tag))),
                    };
                }
                tag if tag == Tag::context(3) => connection_data = Some(ConnectionData::decode(&field)?),
                tag if tag == Tag::context(4) => application_protocol = Some(field.integer()?),
                _ => sizes.field(&field)?,
            }
        }
        Ok(Rtorq {
            checkpoint_size_kb: sizes.checkpoint_size_kb,
            window_size: sizes.window_size,
            dialogue_mode,
            connection_data: present(element, connection_data, 3)?,
            application_protocol,
        })
    }
}

impl Rtoac {
    /// Reads an RTOAC of X.410 mode.
    ///
    /// # Errors
    /// Not a SET that is one.
    pub fn decode_x410(octets: &[u8]) -> Result<Self, Error> {
        Rtoac::decode(&set(octets)?)
    }

    fn decode(element: &Tlv<'_>) -> Result<Self, Error> {
        let mut sizes = Sizes::default();
        let mut connection_data = None;
        let mut fields = element.reader()?;
        while let Some(field) = fields.next()? {
            if field.tag == Tag::context(2) {
                connection_data = Some(ConnectionData::decode(&field)?);
            } else {
                sizes.field(&field)?;
            }
        }
        Ok(Rtoac {
            checkpoint_size_kb: sizes.checkpoint_size_kb,
            window_size: sizes.window_size,
            connection_data: present(element, connection_data, 2)?,
        })
    }
}

impl Rtorj {
    /// Reads an RTORJ of X.410 mode.
    ///
    /// # Errors
    /// Not a SET that is one.
    pub fn decode_x410(octets: &[u8]) -> Result<Self, Error> {
        Rtorj::decode(&set(octets)?)
    }

    fn decode(element: &Tlv<'_>) -> Result<Self, Error> {
        let mut rtorj = Rtorj::default();
        let mut fields = element.reader()?;
        while let Some(field) = fields.next()? {
            if field.tag == Tag::context(0) {
                rtorj.refuse_reason = Some(field.integer()?);
            } else if field.tag == Tag::context(1) {
                rtorj.user_data = field.explicit()?.raw.to_vec();
            }
        }
        Ok(rtorj)
    }
}

impl Rtab {
    /// Reads an RTAB of X.410 mode.
    ///
    /// # Errors
    /// Not a SET that is one.
    pub fn decode_x410(octets: &[u8]) -> Result<Self, Error> {
        Rtab::decode(&set(octets)?)
    }

    fn decode(element: &Tlv<'_>) -> Result<Self, Error> {
        let mut rtab = Rtab::default();
        let mut fields = element.reader()?;
        while let Some(field) = fields.next()? {
            if field.tag == Tag::context(0) {
                rtab.reason = Some(AbortReason(field.integer()?));
            } else if field.tag == Tag::context(2) {
                rtab.user_data = field.explicit()?.raw.to_vec();
            }
        }
        Ok(rtab)
    }
}

impl ConnectionData {
    fn decode(field: &Tlv<'_>) -> Result<Self, Error> {
        let choice = field.explicit()?;
        if choice.tag == Tag::context(1) {
            return SessionConnectionIdentifier::decode(&choice).map(ConnectionData::Recover);
        }
        if choice.tag != Tag::context(0) {
            let found = choice.tag;
            return Err(choice.error(ErrorKind::UnexpectedTag { expected: Tag::context(0), found }));
        }
        // Without user data the alternative is an implicit NULL, so primitive and empty.
        if !choice.constructed && choice.contents.is_empty() {
            return Ok(ConnectionData::Open(Vec::new()));
        }
        Ok(ConnectionData::Open(choice.explicit()?.raw.to_vec()))
    }

    fn encode(&self, w: &mut Writer, number: u32) {
        w.constructed(Tag::context(number), |w| match self {
            ConnectionData::Open(data) if data.is_empty() => w.null(Tag::context(0)),
            ConnectionData::Open(data) => w.constructed(Tag::context(0), |w| w.raw(data)),
            ConnectionData::Recover(connection) => connection.encode(Tag::context(1), w),
        });
    }
}

/// checkpointSize and windowSize, which RTORQ and RTOAC have in common.
struct Sizes {
    checkpoint_size_kb: u32,
    window_size: u32,
}

impl Default for Sizes {
    fn default() -> Self {
        Sizes { checkpoint_size_kb: 0, window_size: WINDOW_SIZE_DEFAULT }
    }
}

impl Sizes {
    /// Takes the field in if it is one of the two; others are passed over.
    fn field(&mut self, field: &Tlv<'_>) -> Result<(), Error> {
        let size =
            || u32::try_from(field.integer()?).map_err(|_| field.error(ErrorKind::BadContents(field.tag)));
        if field.tag == Tag::context(0) {
            self.checkpoint_size_kb = size()?;
        } else if field.tag == Tag::context(1) {
            self.window_size = size()?;
        }
        Ok(())
    }
}

/// The one element that is all of `octets`.
fn set(octets: &[u8]) -> Result<Tlv<'_>, Error> {
    let mut top = Reader::new(octets);
    let set = top.expect(Tag::SET)?;
    top.finish()?;
    Ok(set)
}

fn present<T>(element: &Tlv<'_>, field: Option<T>, number: u32) -> Result<T, Error> {
    field.ok_or_else(|| element.error(ErrorKind::Missing { expected: Tag::context(number) }))
}
