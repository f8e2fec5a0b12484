//! Decoding of TSDUs into SPDUs.

use alloc::vec::Vec;

use super::parameter as code;
use super::parameter::{Parameter, Parameters, length};
use super::{
    Ac, Cn, ConnectItem, Enclosure, FunctionalUnits, Rf, Segmented, Spdu, SpduError, TransportDisconnect,
    TsduMax, UserData,
};
use crate::session::{ActivityResume, ConnectionIdentifier, OldConnection, ReasonCode};

/// SPDUs that a TSDU may hold. Two are usual; extended concatenation, which we never ask for, can make more.
pub const SPDUS_PER_TSDU_MAX: usize = 8;
const ANY: usize = usize::MAX;

/// Takes a TSDU apart. Never gives an empty list.
///
/// The meaning of an SPDU identifier depends on its place (X.225): 1, 25 and 26 are GT, AB and AA
/// at the start, but DT, AI and AIA after an SPDU of category 0.
///
/// # Errors
/// The TSDU is no valid sequence of SPDUs.
pub fn decode_tsdu(tsdu: &[u8]) -> Result<Vec<Spdu>, SpduError> {
    let mut rest = tsdu;
    let (si, octets) = header(&mut rest)?;
    let first = first(si, octets)?;
    if !matches!(first, Spdu::Gt { .. } | Spdu::Pt { .. }) {
        if !rest.is_empty() {
            return Err(SpduError::Trailing { spdu: first.name(), octets: rest.len() });
        }
        return Ok(alloc::vec![first]);
    }
    let mut spdus = alloc::vec![first];
    while !rest.is_empty() {
        if spdus.len() == SPDUS_PER_TSDU_MAX {
            return Err(SpduError::TooManySpdus { limit: SPDUS_PER_TSDU_MAX });
        }
        let offset = tsdu.len() - rest.len();
        let (si, octets) = header(&mut rest)?;
        spdus.push(following(si, octets, offset, &mut rest)?);
    }
    Ok(spdus)
}

/// The beginning of a TSDU that carries data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataStart {
    /// What stands before the DT.
    pub leaders: Vec<Spdu>,
    /// Enclosure item of the DT.
    pub enclosure: Option<Enclosure>,
    /// Octets before the user information.
    pub header_octets: usize,
}

/// Looks at the first octets of a TSDU. Nothing if they do not show that its last SPDU is a DT.
pub fn decode_data_start(octets: &[u8]) -> Option<DataStart> {
    let mut rest = octets;
    let (si, parameters) = header(&mut rest).ok()?;
    let first = first(si, parameters).ok()?;
    if !matches!(first, Spdu::Gt { .. } | Spdu::Pt { .. }) {
        return None;
    }
    let mut leaders = alloc::vec![first];
    while leaders.len() < SPDUS_PER_TSDU_MAX {
        let offset = octets.len() - rest.len();
        let (si, parameters) = header(&mut rest).ok()?;
        if si == 1 {
            let enclosure = Fields::read("DT", parameters).ok()?.user.enclosure;
            return Some(DataStart { leaders, enclosure, header_octets: octets.len() - rest.len() });
        }
        leaders.push(following(si, parameters, offset, &mut rest).ok()?);
    }
    None
}

/// Reads SI and LI, gives SI and the parameter field.
fn header<'a>(rest: &mut &'a [u8]) -> Result<(u8, &'a [u8]), SpduError> {
    let spdu = "TSDU";
    let cut_off = SpduError::Truncated { spdu, needed: 2, left: rest.len() };
    let (&si, after_si) = rest.split_first().ok_or(cut_off.clone())?;
    let mut after = after_si;
    let needed = length(&mut after).ok_or(cut_off)?;
    let cut_off = SpduError::Truncated { spdu, needed, left: after.len() };
    let (octets, after) = after.split_at_checked(needed).ok_or(cut_off)?;
    *rest = after;
    Ok((si, octets))
}

/// The SPDU at the start of a TSDU: category 0 or 1.
fn first(si: u8, octets: &[u8]) -> Result<Spdu, SpduError> {
    match si {
        1 => {
            let f = Fields::read("GT", octets)?;
            Ok(Spdu::Gt { tokens: f.tokens.unwrap_or(0) })
        }
        2 => please(octets),
        7 => Fields::read("PR", octets).map(|_| Spdu::Pr),
        8 => Fields::read("NF", octets)?.first_or_later(Segmented::Nf, |f| Ok(Spdu::Nf { user: f.user })),
        9 => Fields::read("FN", octets)?.first_or_later(Segmented::Fn, |f| {
            Ok(Spdu::Fn { transport_disconnect: f.transport_disconnect, user: f.user })
        }),
        10 => Fields::read("DN", octets)?.first_or_later(Segmented::Dn, |f| Ok(Spdu::Dn { user: f.user })),
        12 => refuse(octets).map(Spdu::Rf),
        13 => connect(octets).map(Spdu::Cn),
        14 => accept(octets),
        15 => Ok(Spdu::Cdo { user: Fields::read("CDO", octets)?.user }),
        16 => {
            let f = Fields::read("OA", octets)?;
            Ok(Spdu::Oa { tsdu_max: f.item.tsdu_max, version: f.item.version })
        }
        21 => Fields::read("GTC", octets).map(|_| Spdu::Gtc),
        22 => Fields::read("GTA", octets).map(|_| Spdu::Gta),
        25 => Fields::read("AB", octets)?.first_or_later(Segmented::Ab, |f| {
            Ok(Spdu::Ab {
                transport_disconnect: f.transport_disconnect,
                reflected: f.reflected,
                user: f.user,
            })
        }),
        26 => Fields::read("AA", octets).map(|_| Spdu::Aa),
        si => Err(SpduError::Identifier { si, offset: 0 }),
    }
}

fn please(octets: &[u8]) -> Result<Spdu, SpduError> {
    Fields::read("PT", octets)?
        .first_or_later(Segmented::Pt, |f| Ok(Spdu::Pt { tokens: f.tokens.unwrap_or(0), user: f.user }))
}

/// An SPDU after one of category 0: category 2, or PT after GT. DT takes the rest of the TSDU.
fn following(si: u8, octets: &[u8], offset: usize, rest: &mut &[u8]) -> Result<Spdu, SpduError> {
    match si {
        0 => Ok(Spdu::Er { reflected: Fields::read("ER", octets)?.reflected }),
        1 => {
            let f = Fields::read("DT", octets)?;
            Ok(Spdu::Dt { enclosure: f.user.enclosure, data: core::mem::take(rest).to_vec() })
        }
        2 => please(octets),
        25 => Ok(Spdu::Ai { reason: Fields::read("AI", octets)?.reason }),
        26 => Fields::read("AIA", octets).map(|_| Spdu::Aia),
        29 => resume(octets),
        41 => Fields::read("AE", octets)?.first_or_later(Segmented::Ae, |f| {
            let serial = f.serial("AE")?;
            match f.sync_type {
                // The bit says that the activity goes on, which makes it a major synchronization point.
                Some(sync_type) if sync_type & 1 != 0 => Ok(Spdu::Map { serial }),
                Some(_) | None => Ok(Spdu::Ae { serial, user: f.user }),
            }
        }),
        42 => Fields::read("AEA", octets)?
            .first_or_later(Segmented::Aea, |f| Ok(Spdu::Aea { serial: f.serial("AEA")?, user: f.user })),
        45 => Fields::read("AS", octets)?.first_or_later(Segmented::As, |f| {
            let activity = f.activity.ok_or(SpduError::Missing { spdu: "AS", code: code::ACTIVITY })?;
            Ok(Spdu::As { activity, user: f.user })
        }),
        48 => Fields::read("ED", octets)?
            .first_or_later(Segmented::Ed, |f| Ok(Spdu::Ed { reason: f.reason, user: f.user })),
        49 => Fields::read("MIP", octets)?.first_or_later(Segmented::Mip, |f| {
            let confirm = f.sync_type.is_none_or(|sync_type| sync_type & 1 == 0);
            Ok(Spdu::Mip { confirm, serial: f.serial("MIP")?, user: f.user })
        }),
        50 => Fields::read("MIA", octets)?
            .first_or_later(Segmented::Mia, |f| Ok(Spdu::Mia { serial: f.serial("MIA")?, user: f.user })),
        57 => Ok(Spdu::Ad { reason: Fields::read("AD", octets)?.reason }),
        58 => Fields::read("ADA", octets).map(|_| Spdu::Ada),
        si => Err(SpduError::Identifier { si, offset }),
    }
}

/// The parameters of all SPDUs that have nothing nested. One that is out of place in its SPDU is not minded.
#[derive(Default)]
struct Fields {
    sync_type: Option<u8>,
    tokens: Option<u8>,
    transport_disconnect: Option<TransportDisconnect>,
    activity: Option<Vec<u8>>,
    serial: Option<u32>,
    reflected: Vec<u8>,
    reason: Option<ReasonCode>,
    /// The parts that stand alone in OA.
    item: ConnectItem,
    user: UserData,
}

impl Fields {
    fn read(spdu: &'static str, octets: &[u8]) -> Result<Fields, SpduError> {
        let mut fields = Fields::default();
        let mut parameters = Parameters::new(spdu, octets);
        while let Some(p) = parameters.next()? {
            match p.code {
                code::SYNC_TYPE => fields.sync_type = Some(p.octet()?),
                code::TOKEN_ITEM => fields.tokens = Some(p.octet()?),
                code::TRANSPORT_DISCONNECT => {
                    fields.transport_disconnect = Some(TransportDisconnect(p.octet()?));
                }
                code::ENCLOSURE => fields.user.enclosure = Some(enclosure(&p)?),
                code::ACTIVITY => fields.activity = Some(p.octets(code::ACTIVITY_OCTETS_MAX)?),
                code::SERIAL => fields.serial = Some(p.serial()?),
                code::REFLECTED => fields.reflected = p.octets(ANY)?,
                // What may follow the code is not used by RTSE.
                code::REASON => fields.reason = p.value.first().copied().map(ReasonCode),
                code::TSDU_MAX => fields.item.tsdu_max = Some(tsdu_max(&p)?),
                code::VERSION => fields.item.version = Some(p.octet()?),
                code::MIA_USER_DATA | code::USER_DATA | code::EXTENDED_USER_DATA => {
                    fields.user.octets = p.octets(ANY)?;
                }
                _ => {}
            }
        }
        Ok(fields)
    }

    /// The SPDU that `first` makes, or a later segment of its user data.
    fn first_or_later(
        self,
        of: Segmented,
        first: impl FnOnce(Fields) -> Result<Spdu, SpduError>,
    ) -> Result<Spdu, SpduError> {
        if self.user.is_later_segment() { Ok(Spdu::Segment { of, user: self.user }) } else { first(self) }
    }

    fn serial(&self, spdu: &'static str) -> Result<u32, SpduError> {
        self.serial.ok_or(SpduError::Missing { spdu, code: code::SERIAL })
    }
}

fn enclosure(p: &Parameter<'_>) -> Result<Enclosure, SpduError> {
    match p.octet()? {
        value @ 0..=3 => Ok(Enclosure(value)),
        _ => Err(p.invalid()),
    }
}

fn connect(octets: &[u8]) -> Result<Cn, SpduError> {
    let mut cn = Cn::default();
    let mut parameters = Parameters::new("CN", octets);
    while let Some(p) = parameters.next()? {
        match p.code {
            code::CONNECTION_IDENTIFIER => cn.identifier = identifier(&p, code::CALLING_REFERENCE)?,
            code::CONNECT_ITEM => cn.item = connect_item(&p)?,
            code::USER_REQUIREMENTS => cn.user_requirements = Some(FunctionalUnits(p.u16()?)),
            code::CALLING_SELECTOR => cn.calling_selector = Some(p.octets(code::SELECTOR_OCTETS_MAX)?),
            code::CALLED_SELECTOR => cn.called_selector = Some(p.octets(code::SELECTOR_OCTETS_MAX)?),
            code::DATA_OVERFLOW => cn.data_overflow = p.octet()? & 1 != 0,
            code::USER_DATA | code::EXTENDED_USER_DATA if !cn.user_data.is_empty() => {
                return Err(p.invalid());
            }
            code::USER_DATA | code::EXTENDED_USER_DATA => cn.user_data = p.octets(ANY)?,
            _ => {}
        }
    }
    Ok(cn)
}

fn accept(octets: &[u8]) -> Result<Spdu, SpduError> {
    let mut ac = Ac::default();
    let mut parameters = Parameters::new("AC", octets);
    while let Some(p) = parameters.next()? {
        match p.code {
            code::CONNECTION_IDENTIFIER => ac.identifier = identifier(&p, code::CALLED_REFERENCE)?,
            code::CONNECT_ITEM => ac.item = connect_item(&p)?,
            code::TOKEN_ITEM => ac.tokens = Some(p.octet()?),
            code::USER_REQUIREMENTS => ac.user_requirements = Some(FunctionalUnits(p.u16()?)),
            code::ENCLOSURE => ac.user.enclosure = Some(enclosure(&p)?),
            code::CALLING_SELECTOR => ac.calling_selector = Some(p.octets(code::SELECTOR_OCTETS_MAX)?),
            code::CALLED_SELECTOR => ac.called_selector = Some(p.octets(code::SELECTOR_OCTETS_MAX)?),
            code::USER_DATA | code::EXTENDED_USER_DATA => ac.user.octets = p.octets(ANY)?,
            _ => {}
        }
    }
    if ac.user.is_later_segment() {
        return Ok(Spdu::Segment { of: Segmented::Ac, user: ac.user });
    }
    Ok(Spdu::Ac(ac))
}

fn refuse(octets: &[u8]) -> Result<Rf, SpduError> {
    let mut rf = Rf::default();
    let mut parameters = Parameters::new("RF", octets);
    while let Some(p) = parameters.next()? {
        match p.code {
            code::CONNECTION_IDENTIFIER => rf.identifier = identifier(&p, code::CALLED_REFERENCE)?,
            code::TRANSPORT_DISCONNECT => rf.transport_disconnect = Some(TransportDisconnect(p.octet()?)),
            code::USER_REQUIREMENTS => rf.user_requirements = Some(FunctionalUnits(p.u16()?)),
            code::VERSION => rf.version = Some(p.octet()?),
            code::ENCLOSURE => rf.enclosure = Some(enclosure(&p)?),
            code::REASON => {
                let (&reason, user_data) = p.value.split_first().ok_or_else(|| p.invalid())?;
                rf.reason = reason;
                rf.user_data = user_data.to_vec();
            }
            _ => {}
        }
    }
    Ok(rf)
}

fn resume(octets: &[u8]) -> Result<Spdu, SpduError> {
    let spdu = "AR";
    let mut linked = None;
    let mut new_activity = None;
    let mut user = UserData::default();
    let mut parameters = Parameters::new(spdu, octets);
    while let Some(p) = parameters.next()? {
        match p.code {
            code::LINKING => linked = Some(linking(&p)?),
            code::ACTIVITY => new_activity = Some(p.octets(code::ACTIVITY_OCTETS_MAX)?),
            code::ENCLOSURE => user.enclosure = Some(enclosure(&p)?),
            code::USER_DATA => user.octets = p.octets(ANY)?,
            _ => {}
        }
    }
    if user.is_later_segment() {
        return Ok(Spdu::Segment { of: Segmented::Ar, user });
    }
    let resume: ActivityResume = linked.ok_or(SpduError::Missing { spdu, code: code::LINKING })?;
    let new_activity = new_activity.ok_or(SpduError::Missing { spdu, code: code::ACTIVITY })?;
    Ok(Spdu::Ar { resume: ActivityResume { new_activity, ..resume }, user })
}

fn linking(group: &Parameter<'_>) -> Result<ActivityResume, SpduError> {
    let mut old = OldConnection::default();
    let mut old_activity = None;
    let mut serial = None;
    let mut parameters = group.nested();
    while let Some(p) = parameters.next()? {
        match p.code {
            code::CALLED_REFERENCE => old.called_reference = Some(p.octets(code::REFERENCE_OCTETS_MAX)?),
            code::CALLING_REFERENCE => old.calling_reference = Some(p.octets(code::REFERENCE_OCTETS_MAX)?),
            code::COMMON_REFERENCE => old.common_reference = Some(p.octets(code::REFERENCE_OCTETS_MAX)?),
            code::ADDITIONAL_REFERENCE => {
                old.additional_reference = Some(p.octets(code::ADDITIONAL_REFERENCE_OCTETS_MAX)?);
            }
            code::ACTIVITY => old_activity = Some(p.octets(code::ACTIVITY_OCTETS_MAX)?),
            code::SERIAL => serial = Some(p.serial()?),
            _ => {}
        }
    }
    let spdu = "AR";
    Ok(ActivityResume {
        new_activity: Vec::new(),
        old_activity: old_activity.ok_or(SpduError::Missing { spdu, code: code::ACTIVITY })?,
        serial: serial.ok_or(SpduError::Missing { spdu, code: code::SERIAL })?,
        old_connection: (old != OldConnection::default()).then_some(old),
    })
}

/// `reference` is the code that belongs to this SPDU; the other one is taken where only that is there.
fn identifier(group: &Parameter<'_>, reference: u8) -> Result<ConnectionIdentifier, SpduError> {
    let mut id = ConnectionIdentifier::default();
    let mut parameters = group.nested();
    while let Some(p) = parameters.next()? {
        match p.code {
            code::CALLED_REFERENCE | code::CALLING_REFERENCE
                if p.code == reference || id.user_reference.is_none() =>
            {
                id.user_reference = Some(p.octets(code::REFERENCE_OCTETS_MAX)?);
            }
            code::COMMON_REFERENCE => id.common_reference = Some(p.octets(code::REFERENCE_OCTETS_MAX)?),
            code::ADDITIONAL_REFERENCE => {
                id.additional_reference = Some(p.octets(code::ADDITIONAL_REFERENCE_OCTETS_MAX)?);
            }
            _ => {}
        }
    }
    Ok(id)
}

fn tsdu_max(p: &Parameter<'_>) -> Result<TsduMax, SpduError> {
    let &[a, b, c, d] = p.value else { return Err(p.invalid()) };
    Ok(TsduMax { from_initiator: u16::from_be_bytes([a, b]), from_responder: u16::from_be_bytes([c, d]) })
}

fn connect_item(group: &Parameter<'_>) -> Result<ConnectItem, SpduError> {
    let mut item = ConnectItem::default();
    let mut parameters = group.nested();
    while let Some(p) = parameters.next()? {
        match p.code {
            code::PROTOCOL_OPTIONS => item.protocol_options = Some(p.octet()?),
            code::TSDU_MAX => {
                item.tsdu_max = Some(tsdu_max(&p)?);
            }
            code::VERSION => item.version = Some(p.octet()?),
            code::INITIAL_SERIAL => item.initial_serial = Some(p.serial()?),
            code::TOKEN_SETTING => item.token_setting = Some(p.octet()?),
            _ => {}
        }
    }
    Ok(item)
}
