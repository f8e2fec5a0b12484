//! Whether a copy that waits for a connector could go another way: the decision that processing would come to, without
//! its consequences.

use mhs::p1::{P1Error, Report};

use super::fan_out::Work;
use crate::agent::Agent;
use crate::effect::Kind;
use crate::links::Moment;
use crate::record::{Item, WorkRecord};
use crate::routing::RouteDecision;
use crate::selection::Traveller;
use crate::transfer::Transfer;

impl Agent {
    /// Why somebody would get nothing if this were processed now; `None` if everybody can be served. Meant for records
    /// whose connector is among those given up.
    pub(crate) fn dead_end(
        &self,
        moment: Moment<'_>,
        record: &WorkRecord,
        is_p2: bool,
    ) -> Result<Option<String>, P1Error> {
        let mut transfer = match &record.item {
            Item::Message { envelope, body, content_length } => {
                Transfer::message(envelope, *body, *content_length)?
            }
            Item::Probe { apdu } => Transfer::probe(apdu)?,
            Item::Report { apdu } => return Ok(self.dead_end_of_report(record, &Report::from_octets(apdu)?)),
        };
        let Moment { now, sequence, links } = moment;
        let work = Work { now, sequence, links, key: &[], record, content: None, is_p2 };
        if let Some(last) = record.left() {
            let attempted = self.settings().connector(last);
            let (trace, extensions) = transfer.trace_mut();
            self.here().reroute(trace, extensions, attempted);
        }
        let plan = self.plan(&work, &transfer, &transfer.responsible());
        Ok(plan.failures().next().map(|failure| failure.text.clone()))
    }

    fn dead_end_of_report(&self, record: &WorkRecord, report: &Report) -> Option<String> {
        let obstacle = if self.has_1984_links() { report.to_1984().err() } else { None };
        let traveller = Traveller {
            incoming: record.source.connector(),
            exhausted: &record.exhausted,
            kind: Some(Kind::Report),
            trace: Some(&report.envelope.trace_information),
            obstacle_in_1984: obstacle.as_ref(),
            ..Traveller::default()
        };
        let destination = report.envelope.report_destination_name.address();
        match self.route_quietly(destination, traveller, &|_| false) {
            RouteDecision::Local { .. } | RouteDecision::List { .. } | RouteDecision::Connectors(_) => None,
            RouteDecision::Unknown(failure) => Some(failure.to_string()),
        }
    }
}
