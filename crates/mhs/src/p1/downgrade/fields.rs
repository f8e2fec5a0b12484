//! Fields of 1984 that messages, probes and reports have in common.

use ber::{BitString, Reader, Tag, Writer};

use crate::kept::Kept;
use crate::p1::indicators::PerRecipientIndicators;
use crate::p1::trace::{OtherActions, RoutingAction, TraceInformation, TraceInformationElement};

/// PerRecipientFlag is one octet.
pub(super) fn indicators(bits: &mut Kept<PerRecipientIndicators>) {
    const KNOWN: usize = 5;
    let one_octet = bits.0.octets.len() == 1;
    if !one_octet || (KNOWN..8).any(|bit| bits.0.bit(bit)) {
        let mut old = BitString { unused: 0, octets: [0][..].into() };
        (0..KNOWN).filter(|&bit| bits.0.bit(bit)).for_each(|bit| old.set(bit, true));
        *bits = Kept::new(PerRecipientIndicators(old));
    }
}

/// 1984 has no other actions. One of them is a legal reason to come back, as rerouting is, which 1984 knows: without
/// a mark its loop detection would stop what is no loop.
pub(super) fn trace(elements: &mut TraceInformation) {
    for element in elements.iter_mut() {
        if is_1984(element) {
            continue;
        }
        let element = element.edit();
        let diverted = |actions: &OtherActions| actions.redirected() || actions.dl_operation();
        if diverted(&element.additional.other_actions)
            || matches!(element.routing_action, RoutingAction::Other(_))
        {
            element.routing_action = RoutingAction::Rerouted;
        }
        let additional = &mut element.additional;
        additional.other_actions = OtherActions::default();
        additional.converted_encoded_information_types =
            additional.converted_encoded_information_types.take().map(|types| types.to_1984());
    }
}

fn is_1984(element: &Kept<TraceInformationElement>) -> bool {
    let converted = element.additional.converted_encoded_information_types.as_ref();
    element.additional.other_actions == OtherActions::default()
        && !matches!(element.routing_action, RoutingAction::Other(_))
        && converted.is_none_or(|types| types.to_1984() == *types)
        && element.raw().is_none_or(has_supplied_of_1984)
}

/// Whether nothing but the members of 1984 stands in the SET of an element.
fn has_supplied_of_1984(raw: &[u8]) -> bool {
    const SUPPLIED: [Tag; 5] =
        [Tag::context(0), Tag::context(1), Tag::context(2), Tag::application(3), Tag::application(5)];
    let only = || -> Result<bool, ber::Error> {
        let mut element = Reader::new(raw).any()?.reader()?;
        element.any()?;
        let only = has_only(element.any()?.raw, &SUPPLIED);
        Ok(only && element.is_empty())
    };
    only().unwrap_or(false)
}

/// Whether a SET has no members but those with these tags.
pub(super) fn has_only(set: &[u8], tags: &[Tag]) -> bool {
    let only = || -> Result<bool, ber::Error> {
        let mut members = Reader::new(set).any()?.reader()?;
        while let Some(member) = members.next()? {
            if !tags.contains(&member.tag) {
                return Ok(false);
            }
        }
        Ok(true)
    };
    only().unwrap_or(false)
}

/// PerDomainBilateralInformation without what is meant for private domains, which 1984 can't name; `None` if nothing
/// is left. An encoding that can't be read is nothing that 1984 knows.
pub(super) fn bilateral(raw: &[u8]) -> Option<Vec<u8>> {
    let list = Reader::new(raw).any().ok()?;
    let mut elements = list.reader().ok()?;
    let (mut kept, mut dropped) = (Vec::new(), false);
    while let Some(element) = elements.next().ok()? {
        let mut members = element.reader().ok()?;
        members.any().ok()?;
        if members.any().ok()?.tag == Tag::application(2) {
            kept.extend_from_slice(element.raw);
        } else {
            dropped = true;
        }
    }
    match (dropped, kept.is_empty()) {
        (false, _) => Some(raw.to_vec()),
        (true, true) => None,
        (true, false) => Some(Writer::encode(|w| w.constructed(list.tag, |w| w.raw(&kept)))),
    }
}
