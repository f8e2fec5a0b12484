//! Encoding of SPDUs.

use alloc::vec::Vec;

use super::parameter as code;
use super::parameter::Writer;
use super::{Ac, Cn, ConnectItem, Enclosure, Rf, Segmented, Spdu, SpduError, TsduMax, UserData};
use crate::session::{ActivityResume, ConnectionIdentifier, ReasonCode};

/// SI of DT, and of GT.
const SI_DT: u8 = 1;
const ANY: usize = u16::MAX as usize;

impl Spdu {
    /// The TSDU in which this SPDU travels: by itself, or after an empty SPDU of category 0.
    ///
    /// # Errors
    /// A value does not fit into its parameter.
    pub fn to_tsdu(&self) -> Result<Vec<u8>, SpduError> {
        if let Spdu::Dt { enclosure, data } = self {
            return Ok(dt_tsdu(*enclosure, data));
        }
        let mut tsdu = Vec::new();
        if let Some(leader) = self.leader() {
            leader.encode(&mut tsdu)?;
        }
        self.encode(&mut tsdu)?;
        Ok(tsdu)
    }

    /// Appends the SPDU by itself to `out`.
    ///
    /// # Errors
    /// A value does not fit into its parameter; then `out` is as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), SpduError> {
        let mut w = Writer::new(self.name());
        let si = match self {
            Spdu::Cn(cn) => {
                put_cn(&mut w, cn)?;
                13
            }
            Spdu::Cdo { user } => {
                put_user(&mut w, user)?;
                15
            }
            Spdu::Oa { tsdu_max, version } => {
                if let Some(max) = tsdu_max {
                    put_tsdu_max(&mut w, *max)?;
                }
                if let Some(version) = version {
                    w.put_octet(code::VERSION, *version)?;
                }
                16
            }
            Spdu::Ac(ac) => {
                put_ac(&mut w, ac)?;
                14
            }
            Spdu::Rf(rf) => {
                put_rf(&mut w, rf)?;
                12
            }
            Spdu::Fn { transport_disconnect, user } => {
                if let Some(value) = transport_disconnect {
                    w.put_octet(code::TRANSPORT_DISCONNECT, value.0)?;
                }
                put_user(&mut w, user)?;
                9
            }
            Spdu::Dn { user } => {
                put_user(&mut w, user)?;
                10
            }
            Spdu::Nf { user } => {
                put_user(&mut w, user)?;
                8
            }
            Spdu::Ab { transport_disconnect, reflected, user } => {
                if let Some(value) = transport_disconnect {
                    w.put_octet(code::TRANSPORT_DISCONNECT, value.0)?;
                }
                if !reflected.is_empty() {
                    w.put(code::REFLECTED, reflected, ANY)?;
                }
                put_user(&mut w, user)?;
                25
            }
            Spdu::Aa | Spdu::Aia => 26,
            Spdu::Gt { tokens } => {
                put_tokens(&mut w, *tokens)?;
                1
            }
            Spdu::Pt { tokens, user } => {
                put_tokens(&mut w, *tokens)?;
                put_user(&mut w, user)?;
                2
            }
            Spdu::Gtc => 21,
            Spdu::Gta => 22,
            Spdu::Pr => 7,
            Spdu::Dt { enclosure, .. } => {
                put_enclosure(&mut w, *enclosure)?;
                SI_DT
            }
            Spdu::As { activity, user } => {
                w.put(code::ACTIVITY, activity, code::ACTIVITY_OCTETS_MAX)?;
                put_user(&mut w, user)?;
                45
            }
            Spdu::Ar { resume, user } => {
                put_resume(&mut w, resume)?;
                put_user(&mut w, user)?;
                29
            }
            Spdu::Ai { reason } => {
                put_reason(&mut w, *reason)?;
                25
            }
            Spdu::Ad { reason } => {
                put_reason(&mut w, *reason)?;
                57
            }
            Spdu::Ada => 58,
            Spdu::Ae { serial, user } => {
                w.put_serial(code::SERIAL, *serial)?;
                put_user(&mut w, user)?;
                41
            }
            Spdu::Map { serial } => {
                w.put_octet(code::SYNC_TYPE, 1)?;
                w.put_serial(code::SERIAL, *serial)?;
                41
            }
            Spdu::Aea { serial, user } => {
                w.put_serial(code::SERIAL, *serial)?;
                put_user(&mut w, user)?;
                42
            }
            Spdu::Mip { confirm, serial, user } => {
                if !confirm {
                    w.put_octet(code::SYNC_TYPE, 1)?;
                }
                w.put_serial(code::SERIAL, *serial)?;
                put_user(&mut w, user)?;
                49
            }
            Spdu::Mia { serial, user } => {
                w.put_serial(code::SERIAL, *serial)?;
                put_user(&mut w, user)?;
                50
            }
            Spdu::Ed { reason, user } => {
                put_reason(&mut w, *reason)?;
                put_user(&mut w, user)?;
                48
            }
            Spdu::Er { reflected } => {
                if !reflected.is_empty() {
                    w.put(code::REFLECTED, reflected, ANY)?;
                }
                0
            }
            Spdu::Segment { of, user } => {
                put_user(&mut w, user)?;
                si_of(*of)
            }
        };
        w.finish(si, out)?;
        if let Spdu::Dt { data, .. } = self {
            out.extend_from_slice(data);
        }
        Ok(())
    }
}

fn si_of(segmented: Segmented) -> u8 {
    match segmented {
        Segmented::Ac => 14,
        Segmented::Fn => 9,
        Segmented::Dn => 10,
        Segmented::Nf => 8,
        Segmented::Ab => 25,
        Segmented::Pt => 2,
        Segmented::As => 45,
        Segmented::Ar => 29,
        Segmented::Ae => 41,
        Segmented::Aea => 42,
        Segmented::Mip => 49,
        Segmented::Mia => 50,
        Segmented::Ed => 48,
    }
}

/// The TSDU of a DT SPDU, made without a copy of `data` in between.
pub fn dt_tsdu(enclosure: Option<Enclosure>, data: &[u8]) -> Vec<u8> {
    let mut tsdu = Vec::with_capacity(data.len() + 7);
    tsdu.extend_from_slice(&[SI_DT, 0]);
    match enclosure {
        None => tsdu.extend_from_slice(&[SI_DT, 0]),
        Some(Enclosure(value)) => tsdu.extend_from_slice(&[SI_DT, 3, code::ENCLOSURE, 1, value]),
    }
    tsdu.extend_from_slice(data);
    tsdu
}

fn put_cn(w: &mut Writer, cn: &Cn) -> Result<(), SpduError> {
    put_identifier(w, code::CALLING_REFERENCE, &cn.identifier)?;
    put_item(w, &cn.item)?;
    if let Some(units) = cn.user_requirements {
        w.put(code::USER_REQUIREMENTS, &units.0.to_be_bytes(), 2)?;
    }
    put_selectors(w, cn.calling_selector.as_ref(), cn.called_selector.as_ref())?;
    if cn.data_overflow {
        w.put_octet(code::DATA_OVERFLOW, 1)?;
    }
    if cn.user_data.len() > code::USER_DATA_OCTETS_MAX {
        w.put(code::EXTENDED_USER_DATA, &cn.user_data, ANY)
    } else if cn.user_data.is_empty() {
        Ok(())
    } else {
        w.put(code::USER_DATA, &cn.user_data, ANY)
    }
}

fn put_ac(w: &mut Writer, ac: &Ac) -> Result<(), SpduError> {
    put_identifier(w, code::CALLED_REFERENCE, &ac.identifier)?;
    put_item(w, &ac.item)?;
    if let Some(tokens) = ac.tokens {
        w.put_octet(code::TOKEN_ITEM, tokens)?;
    }
    if let Some(units) = ac.user_requirements {
        w.put(code::USER_REQUIREMENTS, &units.0.to_be_bytes(), 2)?;
    }
    put_enclosure(w, ac.user.enclosure)?;
    put_selectors(w, ac.calling_selector.as_ref(), ac.called_selector.as_ref())?;
    put_user_octets(w, &ac.user.octets)
}

fn put_rf(w: &mut Writer, rf: &Rf) -> Result<(), SpduError> {
    put_identifier(w, code::CALLED_REFERENCE, &rf.identifier)?;
    if let Some(value) = rf.transport_disconnect {
        w.put_octet(code::TRANSPORT_DISCONNECT, value.0)?;
    }
    if let Some(units) = rf.user_requirements {
        w.put(code::USER_REQUIREMENTS, &units.0.to_be_bytes(), 2)?;
    }
    if let Some(version) = rf.version {
        w.put_octet(code::VERSION, version)?;
    }
    put_enclosure(w, rf.enclosure)?;
    let mut reason = alloc::vec![rf.reason];
    reason.extend_from_slice(&rf.user_data);
    w.put(code::REASON, &reason, ANY)
}

fn put_identifier(w: &mut Writer, reference: u8, id: &ConnectionIdentifier) -> Result<(), SpduError> {
    w.put_group(code::CONNECTION_IDENTIFIER, |w| {
        w.put_optional(reference, id.user_reference.as_ref(), code::REFERENCE_OCTETS_MAX)?;
        w.put_optional(code::COMMON_REFERENCE, id.common_reference.as_ref(), code::REFERENCE_OCTETS_MAX)?;
        w.put_optional(
            code::ADDITIONAL_REFERENCE,
            id.additional_reference.as_ref(),
            code::ADDITIONAL_REFERENCE_OCTETS_MAX,
        )
    })
}

fn put_item(w: &mut Writer, item: &ConnectItem) -> Result<(), SpduError> {
    w.put_group(code::CONNECT_ITEM, |w| {
        if let Some(options) = item.protocol_options {
            w.put_octet(code::PROTOCOL_OPTIONS, options)?;
        }
        if let Some(max) = item.tsdu_max {
            put_tsdu_max(w, max)?;
        }
        if let Some(version) = item.version {
            w.put_octet(code::VERSION, version)?;
        }
        if let Some(serial) = item.initial_serial {
            w.put_serial(code::INITIAL_SERIAL, serial)?;
        }
        if let Some(setting) = item.token_setting {
            w.put_octet(code::TOKEN_SETTING, setting)?;
        }
        Ok(())
    })
}

fn put_tsdu_max(w: &mut Writer, max: TsduMax) -> Result<(), SpduError> {
    let [a, b] = max.from_initiator.to_be_bytes();
    let [c, d] = max.from_responder.to_be_bytes();
    w.put(code::TSDU_MAX, &[a, b, c, d], 4)
}

fn put_selectors(
    w: &mut Writer,
    calling: Option<&Vec<u8>>,
    called: Option<&Vec<u8>>,
) -> Result<(), SpduError> {
    w.put_optional(code::CALLING_SELECTOR, calling, code::SELECTOR_OCTETS_MAX)?;
    w.put_optional(code::CALLED_SELECTOR, called, code::SELECTOR_OCTETS_MAX)
}

fn put_resume(w: &mut Writer, resume: &ActivityResume) -> Result<(), SpduError> {
    w.put_group(code::LINKING, |w| {
        if let Some(old) = &resume.old_connection {
            let max = code::REFERENCE_OCTETS_MAX;
            w.put_optional(code::CALLED_REFERENCE, old.called_reference.as_ref(), max)?;
            w.put_optional(code::CALLING_REFERENCE, old.calling_reference.as_ref(), max)?;
            w.put_optional(code::COMMON_REFERENCE, old.common_reference.as_ref(), max)?;
            w.put_optional(
                code::ADDITIONAL_REFERENCE,
                old.additional_reference.as_ref(),
                code::ADDITIONAL_REFERENCE_OCTETS_MAX,
            )?;
        }
        w.put(code::ACTIVITY, &resume.old_activity, code::ACTIVITY_OCTETS_MAX)?;
        w.put_serial(code::SERIAL, resume.serial)
    })?;
    w.put(code::ACTIVITY, &resume.new_activity, code::ACTIVITY_OCTETS_MAX)
}

fn put_tokens(w: &mut Writer, tokens: u8) -> Result<(), SpduError> {
    if tokens == 0 { Ok(()) } else { w.put_octet(code::TOKEN_ITEM, tokens) }
}

fn put_reason(w: &mut Writer, reason: Option<ReasonCode>) -> Result<(), SpduError> {
    reason.map_or(Ok(()), |reason| w.put_octet(code::REASON, reason.0))
}

fn put_enclosure(w: &mut Writer, enclosure: Option<Enclosure>) -> Result<(), SpduError> {
    enclosure.map_or(Ok(()), |enclosure| w.put_octet(code::ENCLOSURE, enclosure.0))
}

fn put_user(w: &mut Writer, user: &UserData) -> Result<(), SpduError> {
    put_enclosure(w, user.enclosure)?;
    put_user_octets(w, &user.octets)
}

fn put_user_octets(w: &mut Writer, octets: &[u8]) -> Result<(), SpduError> {
    if octets.is_empty() { Ok(()) } else { w.put(code::USER_DATA, octets, ANY) }
}
