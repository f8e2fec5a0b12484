//! Expansion of a distribution list (X.411, procedure of the expansion point).
//!
//! The members become recipients of new messages which go back to the work queue, so many to each that no envelope is
//! large. They have the number of the list, since the originator knows no other, and the other recipients of the
//! message are none of their business. Members who are exempted, and lists which have expanded it before, are left out.

use std::collections::HashSet;

use clock::WallTime;
use mhs::p1::{
    DlExpansion, ExtensionType, MessageTransferEnvelope, OriginatingMtaReport, OriginatorReport,
    PerRecipientFields, PerRecipientIndicators, Recipients, StandardExtension,
};
use mhs::{Kept, UtcTime};
use spool::BodyId;

use crate::accept::add_work;
use crate::agent::Agent;
use crate::effect::{Effect, Sequence, Step};
use crate::record::{Item, Rank, Source, Tries, WorkRecord};
use crate::settings::DistributionList;
use crate::trace::OtherAction;

/// Most members in one message.
const MEMBERS_PER_MESSAGE: usize = 512;

/// The message whose recipient a list is.
pub(super) struct Subject<'a> {
    pub(super) record: &'a WorkRecord,
    /// Its envelope without recipients.
    pub(super) bare: &'a MessageTransferEnvelope,
    pub(super) body: BodyId,
    pub(super) content_length: u64,
}

impl Agent {
    /// Sends a message to the members of a list; tells in how many copies, each of which holds a reference to the body.
    pub(super) fn expand(
        &self,
        now: WallTime,
        sequence: &dyn Sequence,
        subject: &Subject<'_>,
        recipient: &PerRecipientFields,
        list: &DistributionList,
        step: &mut Step,
    ) -> u32 {
        let mut envelope = subject.bare.clone();
        let expansion = DlExpansion { name: recipient.recipient_name.clone(), time: UtcTime::from_wall(now) };
        // Whether it can be read and has room was checked before the list was chosen as the way.
        let _ = envelope.extensions.push_dl_expansion(expansion);
        let (trace, extensions) = (&mut envelope.trace_information, &mut envelope.extensions);
        self.here().mark(OtherAction::DlOperation, trace, extensions);
        // Members are not told of one another.
        if envelope.per_message_indicators.disclosure_of_other_recipients() {
            envelope.per_message_indicators.edit().set(0, false);
        }
        let left_out = left_out(&envelope);
        let like = member_like(recipient, list);
        let mut members =
            list.members.iter().filter(|name| !left_out.contains(&name.address().canonical_key()));
        let limit = usize::try_from(self.settings().mta.max_recipients).unwrap_or(usize::MAX);
        let mut copies = 0_u32;
        let mut count = 0_usize;
        loop {
            let portion = members.by_ref().take(MEMBERS_PER_MESSAGE.min(limit.max(1))).map(|name| {
                let mut member = like.clone();
                member.recipient_name = name;
                member
            });
            let portion: Vec<PerRecipientFields> = portion.collect();
            if portion.is_empty() {
                break;
            }
            copies = copies.saturating_add(1);
            count = count.saturating_add(portion.len());
            envelope.per_recipient_fields = Recipients::new(portion);
            let (body, content_length) = (subject.body, subject.content_length);
            let work = WorkRecord {
                item: Item::Message { envelope: envelope.to_octets(), body, content_length },
                source: Source::Agent,
                arrived: subject.record.arrived,
                exhausted: Vec::new(),
                failure: None,
                tries: Tries::default(),
            };
            add_work(step, sequence, Rank::of(*envelope.priority), &work);
        }
        step.effects.push(Effect::Expanded {
            mts_identifier: (*envelope.message_identifier).clone(),
            list: recipient.recipient_name.to_string(),
            members: u32::try_from(count).unwrap_or(u32::MAX),
        });
        copies
    }
}

/// Canonical keys of those who do not get it.
fn left_out(envelope: &MessageTransferEnvelope) -> HashSet<String> {
    let exempted = envelope.extensions.dl_exempted_recipients();
    let history = envelope.extensions.dl_expansion_history().unwrap_or_default();
    let lists = history.iter().map(|expansion| expansion.name.address().canonical_key());
    exempted.iter().map(|name| name.address().canonical_key()).chain(lists).collect()
}

/// A member: like the list in everything but the name, what speaks of the list itself, and the reports that the list
/// wants.
fn member_like(recipient: &PerRecipientFields, list: &DistributionList) -> PerRecipientFields {
    let indicators = if list.reports_to_originator {
        let mut same = (*recipient.per_recipient_indicators).clone();
        same.set_responsibility(true);
        same
    } else if list.reports_to_owner {
        let (mta, originator) = (OriginatingMtaReport::NonDelivery, OriginatorReport::NonDelivery);
        PerRecipientIndicators::new(true, mta, originator)
    } else {
        PerRecipientIndicators::new(true, OriginatingMtaReport::NonDelivery, OriginatorReport::None)
    };
    let number = *recipient.originally_specified_recipient_number;
    let mut member = PerRecipientFields::new(recipient.recipient_name.clone(), number, indicators);
    member.explicit_conversion = recipient.explicit_conversion.as_deref().copied().map(Kept::new);
    member.extensions = recipient.extensions.clone();
    for number in
        [StandardExtension::ORIGINATOR_REQUESTED_ALTERNATE_RECIPIENT, StandardExtension::REDIRECTION_HISTORY]
    {
        member.extensions.remove(&ExtensionType::Standard(number));
    }
    member
}
