//! One message on its way, taken apart: its envelope, the way that it has come, what it says, and its octets.

use agent::QueuedCopy;
use agent::record::Item;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use clock::WallTime;
use mhs::p1::{
    AdditionalActions, Extensions, InternalTraceInformation, MessageTransferEnvelope, MtsApdu,
    OriginatorReport, PerRecipientFields, RoutingAction, TraceInformation,
};
use mhs::{MtaName, Tree, UtcTime, render};

use super::delivered::{self, FULL_OCTETS};
use super::error::ApiError;
use super::gate::Caller;
use super::mailbox::octets;
use super::query::{Query, number};
use super::{Answer, Api};
use crate::model::{Envelope, EnvelopeRecipient, Field, Hop};
use crate::roles::Role;

/// Recipients that are shown. The tree has all.
const RECIPIENTS_SHOWN: usize = 1_000;

/// The envelope of a copy in a queue; with its content as far as the caller may see it.
pub(super) async fn envelope(
    State(api): State<Api>,
    Path(reference): Path<String>,
    caller: Caller,
    query: Query,
) -> Answer<Envelope> {
    query.only(&[])?;
    let copy = find(&api, &reference).await?;
    let mut shown = read(&copy).map_err(|error| ApiError::internal("the envelope can't be read", error))?;
    let here = Hop::new(Some(own_name(&api)), api.handle.info().domain, copy.arrived().to_string());
    if shown.hops.last().and_then(|hop| hop.mta.as_ref()) != here.mta.as_ref() {
        // Its own trace is added when it leaves.
        shown.hops.push(here);
    }
    if caller.role >= Role::Operator
        && let Item::Message { envelope, body, content_length } = copy.item()
        && let Ok(envelope) = MessageTransferEnvelope::from_octets(envelope)
    {
        let content = delivered::message(&api, &envelope, *body, *content_length, FULL_OCTETS).await?;
        shown.content = Some(content);
    }
    Ok(Json(shown))
}

fn own_name(api: &Api) -> String {
    api.handle.info().name
}

/// The content of a message, or the APDU of a report or probe; all of it, or `length` octets from `offset`.
pub(super) async fn content(
    State(api): State<Api>,
    Path(reference): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
    let query = query.only(&["offset", "length"])?;
    let one = |name: &'static str| query.one(name)?.map(|text| number(text, name)).transpose();
    let (offset, length) = (one("offset")?.unwrap_or(0), one("length")?.unwrap_or(u64::MAX));
    let copy = find(&api, &reference).await?;
    let part = |whole: u64| offset.min(whole)..offset.saturating_add(length).min(whole);
    Ok(match copy.item() {
        Item::Message { body, content_length, .. } => octets(&api.handle, *body, part(*content_length)),
        Item::Report { apdu } | Item::Probe { apdu } => {
            let range = part(apdu.len() as u64);
            let range = usize::try_from(range.start).unwrap_or(0)..usize::try_from(range.end).unwrap_or(0);
            let part = apdu.get(range).unwrap_or_default().to_vec();
            ([(header::CONTENT_TYPE, "application/octet-stream")], part).into_response()
        }
    })
}

async fn find(api: &Api, reference: &str) -> Result<QueuedCopy, ApiError> {
    let found = api.handle.copy(reference).await?;
    found.ok_or_else(|| runtime::AdminError::NoSuchMessage(reference.to_owned()).into())
}

fn read(copy: &QueuedCopy) -> Result<Envelope, String> {
    let text = |error: mhs::p1::P1Error| error.to_string();
    Ok(match copy.item() {
        Item::Message { envelope, .. } => {
            let envelope = MessageTransferEnvelope::from_octets(envelope).map_err(text)?;
            let tree = render::message_envelope(&envelope);
            let hops = hops(&envelope.trace_information, &envelope.extensions);
            describe(copy, &tree, hops, envelope.per_recipient_fields.iter())
        }
        Item::Probe { apdu } | Item::Report { apdu } => {
            let apdu = MtsApdu::from_octets(apdu).map_err(text)?;
            let tree = render::apdu(&apdu);
            match &apdu {
                MtsApdu::Probe(probe) => {
                    let hops = hops(&probe.trace_information, &probe.extensions);
                    describe(copy, &tree, hops, probe.per_recipient_fields.iter())
                }
                MtsApdu::Report(report) => {
                    let hops = hops(&report.envelope.trace_information, &report.envelope.extensions);
                    describe(copy, &tree, hops, std::iter::empty())
                }
                MtsApdu::Message(_) => return Err("a message is stored where none should be".to_owned()),
            }
        }
    })
}

fn describe<'a>(
    copy: &QueuedCopy,
    tree: &Tree,
    hops: Vec<Hop>,
    recipients: impl Iterator<Item = &'a PerRecipientFields>,
) -> Envelope {
    let recipients = recipients.take(RECIPIENTS_SHOWN).map(|recipient| EnvelopeRecipient {
        number: *recipient.originally_specified_recipient_number,
        address: recipient.address().to_string(),
        responsible: recipient.responsibility(),
        report: match recipient.per_recipient_indicators.originator_report() {
            OriginatorReport::None => "none",
            OriginatorReport::NonDelivery => "non-delivery",
            OriginatorReport::Report => "delivery",
        }
        .to_owned(),
    });
    Envelope {
        number: copy.number(),
        kind: copy.item().kind().to_owned(),
        recipients: recipients.collect(),
        hops,
        content: None,
        tree: field(tree),
    }
}

/// A tree for the API.
fn field(tree: &Tree) -> Field {
    Field {
        name: tree.name.clone(),
        value: tree.value.clone(),
        children: tree.children.iter().map(field).collect(),
    }
}

/// Domains in the order in which they were passed; where a domain's own trace names its MTAs, these in its place.
fn hops(trace: &TraceInformation, extensions: &Extensions) -> Vec<Hop> {
    // What can't be read is in the tree as it came.
    let internal: InternalTraceInformation = extensions.internal_trace().unwrap_or_default();
    let mut hops = Vec::new();
    let mut seen = Vec::new();
    for (index, element) in trace.iter().enumerate() {
        let is_last = !trace.iter().skip(index + 1).any(|later| later.domain == element.domain);
        let mtas = || internal.iter().filter(|mta| is_last && mta.domain == element.domain);
        if mtas().next().is_some() {
            seen.push(&element.domain);
            hops.extend(mtas().map(|mta| {
                let actions = actions(mta.routing_action, &mta.additional);
                hop(Some(&mta.mta_name), mta.domain.to_string(), &mta.arrival_time, actions)
            }));
        } else {
            let actions = actions(element.routing_action, &element.additional);
            hops.push(hop(None, element.domain.to_string(), &element.arrival_time, actions));
        }
    }
    let rest = internal.iter().filter(|mta| !seen.contains(&&mta.domain));
    hops.extend(rest.map(|mta| {
        let actions = actions(mta.routing_action, &mta.additional);
        hop(Some(&mta.mta_name), mta.domain.to_string(), &mta.arrival_time, actions)
    }));
    hops
}

fn hop(mta: Option<&MtaName>, domain: String, arrival: &UtcTime, actions: Vec<String>) -> Hop {
    let arrival = arrival.to_wall().unwrap_or(WallTime::from_unix(0)).to_string();
    Hop { mta: mta.map(ToString::to_string), domain, arrival, actions }
}

/// What was done there besides passing it on.
fn actions(action: RoutingAction, additional: &AdditionalActions) -> Vec<String> {
    let done = [
        (action == RoutingAction::Rerouted, "rerouted"),
        (additional.other_actions.redirected(), "redirected"),
        (additional.other_actions.dl_operation(), "list expanded"),
        (additional.deferred_time.is_some(), "deferred"),
        (additional.converted_encoded_information_types.is_some(), "converted"),
    ];
    done.into_iter().filter(|(is_done, _)| *is_done).map(|(_, name)| name.to_owned()).collect()
}
