//! Trace information (X.411 TraceInformation, InternalTraceInformation).
//!
//! Every domain, and internally every MTA, adds an element at the end. Elements are never reordered or
//! dropped.

use ber::{BitString, Tag, Tlv, Writer};

use super::MAX_TRANSFERS;
use crate::error::{DecodeError, Within};
use crate::kept::{Kept, List, expect};
use crate::{EncodedInformationTypes, GlobalDomainIdentifier, MtaName, UtcTime};

/// The trace: one element for each time the message entered a domain.
pub type TraceInformation = List<Kept<TraceInformationElement>>;

/// The internal trace: one element for each MTA.
pub type InternalTraceInformation = List<Kept<InternalTraceInformationElement>>;

/// What a domain did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceInformationElement {
    /// The domain.
    pub domain: GlobalDomainIdentifier,
    /// When the message arrived there.
    pub arrival_time: UtcTime,
    /// What was done with it.
    pub routing_action: RoutingAction,
    /// The domain to which a transfer was tried before the message was rerouted.
    pub attempted_domain: Option<GlobalDomainIdentifier>,
    /// What else was done.
    pub additional: AdditionalActions,
}

/// What an MTA did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTraceInformationElement {
    /// The MTA's domain.
    pub domain: GlobalDomainIdentifier,
    /// The MTA.
    pub mta_name: MtaName,
    /// When the message arrived there.
    pub arrival_time: UtcTime,
    /// What was done with it.
    pub routing_action: RoutingAction,
    /// To whom a transfer was tried before the message was rerouted.
    pub attempted: Option<Attempted>,
    /// What else was done.
    pub additional: AdditionalActions,
}

/// What was done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoutingAction {
    /// 0: relayed on its normal route.
    Relayed,
    /// 1: sent another way after a failed attempt.
    Rerouted,
    /// A number that X.411 does not have.
    Other(i64),
}

/// To whom an MTA tried to transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempted {
    /// Another MTA of the domain.
    Mta(MtaName),
    /// Another domain.
    Domain(GlobalDomainIdentifier),
}

/// AdditionalActions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdditionalActions {
    /// When a deferred message was let go.
    pub deferred_time: Option<UtcTime>,
    /// What the content was converted to.
    pub converted_encoded_information_types: Option<EncodedInformationTypes>,
    /// Redirection and expansion of distribution lists.
    pub other_actions: OtherActions,
}

/// OtherActions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherActions(pub BitString);

impl OtherActions {
    /// Whether a recipient was redirected.
    pub fn redirected(&self) -> bool {
        self.0.bit(0)
    }

    /// Whether a distribution list was expanded.
    pub fn dl_operation(&self) -> bool {
        self.0.bit(1)
    }

    /// Sets or clears a bit: 0 redirected, 1 dl-operation.
    pub fn set(&mut self, number: usize, on: bool) {
        if self.0.bit(number) != on {
            self.0.set(number, on);
        }
    }
}

pub(crate) const TRACE: Tag = Tag::application(9);
const DOMAIN: Tag = Tag::application(3);
const EITS: Tag = Tag::application(5);

impl RoutingAction {
    fn number(self) -> i64 {
        match self {
            RoutingAction::Relayed => 0,
            RoutingAction::Rerouted => 1,
            RoutingAction::Other(number) => number,
        }
    }
}

impl From<i64> for RoutingAction {
    fn from(number: i64) -> Self {
        match number {
            0 => RoutingAction::Relayed,
            1 => RoutingAction::Rerouted,
            other => RoutingAction::Other(other),
        }
    }
}

impl TraceInformationElement {
    /// An element for a message that was relayed.
    pub fn relayed(domain: GlobalDomainIdentifier, arrival_time: UtcTime) -> Self {
        TraceInformationElement {
            domain,
            arrival_time,
            routing_action: RoutingAction::Relayed,
            attempted_domain: None,
            additional: AdditionalActions::default(),
        }
    }

    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut reader = tlv.reader()?;
        let domain =
            GlobalDomainIdentifier::decode(&reader.expect(DOMAIN)?).field("global-domain-identifier")?;
        let supplied = Supplied::decode(&reader.expect(Tag::SET)?).field("domain-supplied-information")?;
        let attempted_domain = match supplied.attempted {
            Some(Attempted::Domain(domain)) => Some(domain),
            Some(Attempted::Mta(_)) | None => None,
        };
        Ok(TraceInformationElement {
            domain,
            arrival_time: supplied.arrival_time,
            routing_action: supplied.routing_action,
            attempted_domain,
            additional: supplied.additional,
        })
    }

    fn write(&self, w: &mut Writer) {
        w.constructed(Tag::SEQUENCE, |w| {
            self.domain.write(w);
            let attempted = self.attempted_domain.clone().map(Attempted::Domain);
            write_supplied(&self.arrival_time, self.routing_action, attempted.as_ref(), &self.additional, w);
        });
    }
}

impl InternalTraceInformationElement {
    /// An element for a message that was relayed.
    pub fn relayed(domain: GlobalDomainIdentifier, mta_name: MtaName, arrival_time: UtcTime) -> Self {
        InternalTraceInformationElement {
            domain,
            mta_name,
            arrival_time,
            routing_action: RoutingAction::Relayed,
            attempted: None,
            additional: AdditionalActions::default(),
        }
    }

    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut reader = tlv.reader()?;
        let domain =
            GlobalDomainIdentifier::decode(&reader.expect(DOMAIN)?).field("global-domain-identifier")?;
        let mta_name = MtaName::decode(&reader.any()?).field("mta-name")?;
        let supplied = Supplied::decode(&reader.expect(Tag::SET)?).field("mta-supplied-information")?;
        Ok(InternalTraceInformationElement {
            domain,
            mta_name,
            arrival_time: supplied.arrival_time,
            routing_action: supplied.routing_action,
            attempted: supplied.attempted,
            additional: supplied.additional,
        })
    }

    fn write(&self, w: &mut Writer) {
        w.constructed(Tag::SEQUENCE, |w| {
            self.domain.write(w);
            self.mta_name.write(Tag::IA5_STRING, w);
            write_supplied(
                &self.arrival_time,
                self.routing_action,
                self.attempted.as_ref(),
                &self.additional,
                w,
            );
        });
    }
}

/// DomainSuppliedInformation and MTASuppliedInformation, which differ only in who was attempted.
struct Supplied {
    arrival_time: UtcTime,
    routing_action: RoutingAction,
    attempted: Option<Attempted>,
    additional: AdditionalActions,
}

impl Supplied {
    fn decode(tlv: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut arrival_time = None;
        let mut routing_action = None;
        let mut attempted = None;
        let mut additional = AdditionalActions::default();
        let mut reader = tlv.reader()?;
        while let Some(member) = reader.next()? {
            match member.tag {
                tag if tag == Tag::context(0) => {
                    arrival_time = Some(UtcTime::decode(&member).field("arrival-time")?);
                }
                tag if tag == Tag::context(1) => {
                    additional.deferred_time = Some(UtcTime::decode(&member).field("deferred-time")?);
                }
                tag if tag == Tag::context(2) => {
                    let number = member.integer().field("routing-action")?;
                    routing_action = Some(RoutingAction::from(number));
                }
                tag if tag == Tag::context(3) => {
                    additional.other_actions = OtherActions(member.bit_string().field("other-actions")?);
                }
                DOMAIN => {
                    let domain = GlobalDomainIdentifier::decode(&member).field("attempted")?;
                    attempted = Some(Attempted::Domain(domain));
                }
                Tag::IA5_STRING => {
                    attempted = Some(Attempted::Mta(MtaName::decode(&member).field("attempted")?));
                }
                EITS => {
                    let types = EncodedInformationTypes::decode(&member);
                    additional.converted_encoded_information_types =
                        Some(types.field("converted-encoded-information-types")?);
                }
                // The element keeps its encoding, so what is unknown is not lost.
                _ => {}
            }
        }
        Ok(Supplied {
            arrival_time: arrival_time.ok_or_else(|| DecodeError::missing("arrival-time", tlv.offset()))?,
            routing_action: routing_action
                .ok_or_else(|| DecodeError::missing("routing-action", tlv.offset()))?,
            attempted,
            additional,
        })
    }
}

fn write_supplied(
    arrival_time: &UtcTime,
    routing_action: RoutingAction,
    attempted: Option<&Attempted>,
    additional: &AdditionalActions,
    w: &mut Writer,
) {
    w.constructed(Tag::SET, |w| {
        arrival_time.write(Tag::context(0), w);
        w.integer(Tag::context(2), routing_action.number());
        match attempted {
            Some(Attempted::Mta(name)) => name.write(Tag::IA5_STRING, w),
            Some(Attempted::Domain(domain)) => domain.write(w),
            None => {}
        }
        if let Some(time) = &additional.deferred_time {
            time.write(Tag::context(1), w);
        }
        if let Some(types) = &additional.converted_encoded_information_types {
            types.write(w);
        }
        if additional.other_actions.0 != BitString::default() {
            w.bit_string(Tag::context(3), &additional.other_actions.0);
        }
    });
}

pub(crate) fn decode_trace(tlv: &Tlv<'_>) -> Result<TraceInformation, DecodeError> {
    List::decode(tlv, Tag::SEQUENCE, MAX_TRANSFERS, |tlv| {
        Ok(Kept::received(TraceInformationElement::decode(tlv)?, tlv))
    })
}

pub(crate) fn write_trace(trace: &TraceInformation, w: &mut Writer) {
    trace.write(w, TRACE, |element, w| element.write(w, TraceInformationElement::write));
}

/// The value of extension 38.
pub(crate) fn decode_internal_trace(value: &[u8]) -> Result<InternalTraceInformation, DecodeError> {
    let tlv = ber::Reader::new(value).any()?;
    expect(&tlv, Tag::SEQUENCE)?;
    List::decode(&tlv, Tag::SEQUENCE, MAX_TRANSFERS, |tlv| {
        Ok(Kept::received(InternalTraceInformationElement::decode(tlv)?, tlv))
    })
}

pub(crate) fn encode_internal_trace(trace: &InternalTraceInformation) -> Vec<u8> {
    Writer::encode(|w| {
        trace.write(w, Tag::SEQUENCE, |element, w| element.write(w, InternalTraceInformationElement::write));
    })
}
