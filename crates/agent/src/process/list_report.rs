//! A report that came to a distribution list: what was sent to its members was delivered to one of them, or not.
//!
//! It goes on the way back that the message came: to the list before this one, or from the first list to the
//! originator. The settings of the list may send it to the owner besides, or instead (X.411, report procedure of the
//! expansion point). A list that stands in its history more than once is taken for the first of them, so that the way
//! back has an end whatever the history says.

use mhs::p1::{Report, StandardExtension};
use mhs::{OrAddress, OrName};

use super::report_item::discard;
use crate::accept::add_work;
use crate::agent::Agent;
use crate::effect::{Discard, Effect, Sequence, Step};
use crate::record::{Item, Rank, Source, Tries, WorkRecord};
use crate::settings::DistributionList;
use crate::trace::OtherAction;

impl Agent {
    pub(super) fn list_report(
        &self,
        sequence: &dyn Sequence,
        record: &WorkRecord,
        list: &DistributionList,
        mut report: Report,
        step: &mut Step,
    ) {
        let to_owner = StandardExtension::REPORTING_DL_NAME;
        // What a list has sent to its owner is not for lists.
        let is_owners = report.envelope.extensions.standard(to_owner).is_some();
        let before = if is_owners || !list.reports_to_originator { None } else { before(list, &report) };
        let owner = if is_owners || !list.reports_to_owner { None } else { list.owner.as_ref() };
        if before.is_none() && owner.is_none() {
            discard(&report, Discard::Absorbed(list.address.to_string()), step);
            return;
        }
        let envelope = &mut report.envelope;
        self.here().mark(OtherAction::DlOperation, &mut envelope.trace_information, &mut envelope.extensions);
        if let Some(before) = before {
            pass_on(sequence, record, list, report.clone(), before, step);
        }
        if let Some(owner) = owner {
            report.envelope.extensions.set_name(to_owner, &OrName::new(list.address.clone()));
            pass_on(sequence, record, list, report, OrName::new(owner.clone()), step);
        }
    }
}

/// Who comes before the list in the history of the report.
fn before(list: &DistributionList, report: &Report) -> Option<OrName> {
    let history = report.envelope.extensions.originator_and_dl_expansion_history().ok()?;
    let key = list.address.canonical_key();
    let is_list = |address: &OrAddress| address.canonical_key() == key;
    let place = history.iter().position(|element| is_list(element.name.address()))?;
    Some(history.get(place.checked_sub(1)?)?.name.clone())
}

fn pass_on(
    sequence: &dyn Sequence,
    record: &WorkRecord,
    list: &DistributionList,
    mut report: Report,
    to: OrName,
    step: &mut Step,
) {
    step.effects.push(Effect::ReportPassedOn {
        mts_identifier: (*report.envelope.report_identifier).clone(),
        list: list.address.to_string(),
        to: to.to_string(),
    });
    report.envelope.report_destination_name = to;
    let work = WorkRecord {
        item: Item::Report { apdu: report.to_octets() },
        source: Source::Agent,
        arrived: record.arrived,
        exhausted: Vec::new(),
        failure: None,
        tries: Tries::default(),
    };
    add_work(step, sequence, Rank::Urgent, &work);
}
