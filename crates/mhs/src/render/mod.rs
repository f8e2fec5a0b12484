//! P1 for people: every field by its name in X.411, what is unknown as hexadecimal.
//!
//! Contents are not taken apart here; [`crate::ipm`] does that for interpersonal messages.

mod address;
mod extension;

use ber::{Reader, Tag, Tlv};

use crate::p1::bind::{Authentication, Credentials, MtaBindArgument, MtaBindResult};
use crate::p1::{
    AdditionalActions, Attempted, ContentIdentifier, Extensions, InternalTraceInformation,
    MessageTransferEnvelope, MtsApdu, PerMessageIndicators, PerRecipientFields, PerRecipientReportFields,
    ProbeTransferEnvelope, Report, ReportTransferContent, ReportTransferEnvelope, ReportType, RoutingAction,
    TraceInformation,
};
use crate::{ContentType, EncodedInformationTypes, Kept, OrName, Tree, text};

/// Octets of a value that are shown in hexadecimal before it is cut.
const MAX_HEX: usize = 256;
/// Levels of a value without known type that are taken apart.
const MAX_LEVELS: usize = 12;

/// An APDU as a tree.
pub fn apdu(apdu: &MtsApdu) -> Tree {
    match apdu {
        MtsApdu::Message(message) => {
            let content = octets("content", &message.content);
            Tree::new("message").with([message_envelope(&message.envelope), content])
        }
        MtsApdu::Probe(envelope) => probe(envelope),
        MtsApdu::Report(report) => self::report(report),
    }
}

/// The envelope of a message as a tree.
pub fn message_envelope(envelope: &MessageTransferEnvelope) -> Tree {
    let mut tree = Tree::new("envelope");
    tree.add("message-identifier", &*envelope.message_identifier);
    tree.push(or_name("originator-name", &envelope.originator_name));
    subject_fields(
        &mut tree,
        envelope.original_encoded_information_types.as_ref(),
        Some(&envelope.content_type),
        envelope.content_identifier.as_ref(),
    );
    tree.add("priority", *envelope.priority);
    per_message_indicators(&mut tree, &envelope.per_message_indicators);
    if let Some(time) = &envelope.deferred_delivery_time {
        tree.add("deferred-delivery-time", &**time);
    }
    bilateral(&mut tree, envelope.per_domain_bilateral_information.as_deref());
    tree.push(trace("trace-information", &envelope.trace_information));
    extensions(&mut tree, &envelope.extensions);
    unknown_members(&mut tree, envelope.unknown_members());
    tree.push(recipients(&envelope.per_recipient_fields));
    tree
}

/// A probe as a tree.
pub fn probe(probe: &ProbeTransferEnvelope) -> Tree {
    let mut tree = Tree::new("probe");
    tree.add("probe-identifier", &*probe.probe_identifier);
    tree.push(or_name("originator-name", &probe.originator_name));
    subject_fields(
        &mut tree,
        probe.original_encoded_information_types.as_ref(),
        Some(&probe.content_type),
        probe.content_identifier.as_ref(),
    );
    if let Some(length) = &probe.content_length {
        tree.add("content-length", **length);
    }
    per_message_indicators(&mut tree, &probe.per_message_indicators);
    bilateral(&mut tree, probe.per_domain_bilateral_information.as_deref());
    tree.push(trace("trace-information", &probe.trace_information));
    extensions(&mut tree, &probe.extensions);
    unknown_members(&mut tree, probe.unknown_members());
    tree.push(recipients(&probe.per_recipient_fields));
    tree
}

/// A report as a tree.
pub fn report(report: &Report) -> Tree {
    Tree::new("report").with([report_envelope(&report.envelope), report_content(&report.content)])
}

fn report_envelope(envelope: &ReportTransferEnvelope) -> Tree {
    let mut tree = Tree::new("envelope");
    tree.add("report-identifier", &*envelope.report_identifier);
    tree.push(or_name("report-destination-name", &envelope.report_destination_name));
    tree.push(trace("trace-information", &envelope.trace_information));
    extensions(&mut tree, &envelope.extensions);
    unknown_members(&mut tree, envelope.unknown_members());
    tree
}

fn report_content(content: &ReportTransferContent) -> Tree {
    let mut tree = Tree::new("content");
    tree.add("subject-identifier", &*content.subject_identifier);
    if let Some(elements) = &content.subject_intermediate_trace_information {
        tree.push(trace("subject-intermediate-trace-information", elements));
    }
    subject_fields(
        &mut tree,
        content.original_encoded_information_types.as_ref(),
        content.content_type.as_ref(),
        content.content_identifier.as_ref(),
    );
    if let Some(returned) = &content.returned_content {
        tree.push(octets("returned-content", returned));
    }
    if let Some(raw) = &content.additional_information {
        tree.push(encoding("additional-information", raw));
    }
    extensions(&mut tree, &content.extensions);
    unknown_members(&mut tree, content.unknown_members());
    let recipients = content.per_recipient_fields.iter().map(reported_recipient);
    tree.push(Tree::new("per-recipient-fields").with(recipients));
    tree
}

fn reported_recipient(recipient: &PerRecipientReportFields) -> Tree {
    let mut tree = Tree::new("recipient");
    tree.push(or_name("actual-recipient-name", &recipient.actual_recipient_name));
    tree.add("originally-specified-recipient-number", *recipient.originally_specified_recipient_number);
    tree.add("per-recipient-indicators", list(&recipient.per_recipient_indicators.names()));
    let last = &recipient.last_trace_information;
    tree.add("arrival-time", &last.arrival_time);
    if let Some(types) = &last.converted_encoded_information_types {
        tree.add("converted-encoded-information-types", types);
    }
    match &last.report_type {
        ReportType::Delivery(delivery) => tree.push(Tree::new("delivery").with([
            Tree::leaf("message-delivery-time", &delivery.message_delivery_time),
            Tree::leaf("type-of-MTS-user", delivery.type_of_mts_user),
        ])),
        ReportType::NonDelivery(why) => {
            let mut node = Tree::new("non-delivery");
            node.add("non-delivery-reason-code", why.reason);
            if let Some(diagnostic) = why.diagnostic {
                node.add("non-delivery-diagnostic-code", diagnostic);
            }
            tree.push(node);
        }
    }
    if let Some(name) = &recipient.originally_intended_recipient_name {
        tree.push(or_name("originally-intended-recipient-name", name));
    }
    if let Some(text) = &recipient.supplementary_information {
        tree.add("supplementary-information", &**text);
    }
    extensions(&mut tree, &recipient.extensions);
    unknown_members(&mut tree, recipient.unknown_members());
    tree
}

fn recipients(list_of: &[PerRecipientFields]) -> Tree {
    Tree::new("per-recipient-fields").with(list_of.iter().map(|recipient| {
        let mut tree = Tree::new("recipient");
        tree.push(or_name("recipient-name", &recipient.recipient_name));
        tree.add("originally-specified-recipient-number", *recipient.originally_specified_recipient_number);
        tree.add("per-recipient-indicators", list(&recipient.per_recipient_indicators.names()));
        if let Some(conversion) = &recipient.explicit_conversion {
            tree.add("explicit-conversion", **conversion);
        }
        extensions(&mut tree, &recipient.extensions);
        unknown_members(&mut tree, recipient.unknown_members());
        tree
    }))
}

/// What message, probe and report have in common.
fn subject_fields(
    tree: &mut Tree,
    types: Option<&EncodedInformationTypes>,
    content_type: Option<&Kept<ContentType>>,
    content_identifier: Option<&Kept<ContentIdentifier>>,
) {
    if let Some(types) = types {
        tree.add("original-encoded-information-types", types);
    }
    if let Some(content_type) = content_type {
        tree.add("content-type", &**content_type);
    }
    if let Some(identifier) = content_identifier {
        tree.add("content-identifier", &**identifier);
    }
}

fn per_message_indicators(tree: &mut Tree, indicators: &PerMessageIndicators) {
    let names = indicators.names();
    if !names.is_empty() {
        tree.add("per-message-indicators", list(&names));
    }
}

fn bilateral(tree: &mut Tree, raw: Option<&[u8]>) {
    if let Some(raw) = raw {
        tree.push(encoding("per-domain-bilateral-information", raw));
    }
}

fn trace(name: &str, elements: &TraceInformation) -> Tree {
    Tree::new(name).with(elements.iter().map(|element| {
        let mut tree = Tree::leaf("domain", &element.domain);
        tree.add("arrival-time", &element.arrival_time);
        tree.add("routing-action", routing_action(element.routing_action));
        if let Some(domain) = &element.attempted_domain {
            tree.add("attempted-domain", domain);
        }
        additional_actions(&mut tree, &element.additional);
        tree
    }))
}

pub(super) fn internal_trace(elements: &InternalTraceInformation) -> Vec<Tree> {
    let element = |element: &Kept<crate::p1::InternalTraceInformationElement>| {
        let mut tree = Tree::leaf("mta", &element.mta_name);
        tree.add("domain", &element.domain);
        tree.add("arrival-time", &element.arrival_time);
        tree.add("routing-action", routing_action(element.routing_action));
        match &element.attempted {
            Some(Attempted::Mta(name)) => tree.add("attempted-mta", name),
            Some(Attempted::Domain(domain)) => tree.add("attempted-domain", domain),
            None => {}
        }
        additional_actions(&mut tree, &element.additional);
        tree
    };
    elements.iter().map(element).collect()
}

fn routing_action(action: RoutingAction) -> String {
    match action {
        RoutingAction::Relayed => "relayed".to_owned(),
        RoutingAction::Rerouted => "rerouted".to_owned(),
        RoutingAction::Other(number) => format!("unknown ({number})"),
    }
}

fn additional_actions(tree: &mut Tree, actions: &AdditionalActions) {
    if let Some(time) = &actions.deferred_time {
        tree.add("deferred-time", time);
    }
    if let Some(types) = &actions.converted_encoded_information_types {
        tree.add("converted-encoded-information-types", types);
    }
    if actions.other_actions.redirected() {
        tree.add("other-actions", "redirected");
    }
    if actions.other_actions.dl_operation() {
        tree.add("other-actions", "dl-operation");
    }
}

fn extensions(tree: &mut Tree, extensions: &Extensions) {
    if !extensions.is_empty() {
        tree.push(Tree::new("extensions").with(extensions.iter().map(extension::field)));
    }
}

fn unknown_members<'a>(tree: &mut Tree, members: impl Iterator<Item = &'a [u8]>) {
    for raw in members {
        tree.push(encoding("unknown-member", raw));
    }
}

/// A name as its written form, with its attributes below.
pub fn or_name(name: &str, value: &OrName) -> Tree {
    let mut tree = Tree::leaf(name, value);
    tree.children = address::attributes(value.address());
    if let Some(raw) = value.directory_name() {
        tree.push(encoding("directory-name", raw));
    }
    tree
}

/// A bind argument as a tree. Passwords are not shown.
pub fn bind_argument(bind: &MtaBindArgument) -> Tree {
    authentication("MTABindArgument", bind.authentication.as_ref())
}

/// A bind result as a tree. Passwords are not shown.
pub fn bind_result(bind: &MtaBindResult) -> Tree {
    authentication("MTABindResult", bind.authentication.as_ref())
}

fn authentication(name: &str, authentication: Option<&Authentication>) -> Tree {
    let Some(authentication) = authentication else { return Tree::leaf(name, "unauthenticated") };
    let credentials = match &authentication.credentials {
        Credentials::Simple(_) => Tree::leaf("credentials", "password (not shown)"),
        Credentials::Other(raw) => Tree::leaf("credentials", format!("{} octets (not shown)", raw.len())),
    };
    Tree::new(name).with([Tree::leaf("name", &authentication.name), credentials])
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Octets of any kind, cut if there are many.
pub(super) fn octets(name: &str, octets: &[u8]) -> Tree {
    match octets.get(..MAX_HEX) {
        Some(first) if octets.len() > MAX_HEX => {
            Tree::leaf(name, format!("{} octets: {}...", octets.len(), text::hex(first)))
        }
        Some(_) | None => Tree::leaf(name, format!("{} octets: {}", octets.len(), text::hex(octets))),
    }
}

/// An encoding of a type that is not known, element by element.
pub fn encoding(name: &str, raw: &[u8]) -> Tree {
    let mut tree = Tree::new(name);
    match elements(&mut Reader::new(raw), MAX_LEVELS) {
        Some(children) => tree.children = children,
        None => return octets(name, raw),
    }
    tree
}

/// `None` if the octets are no encodings or nested too deep.
fn elements(reader: &mut Reader<'_>, levels: usize) -> Option<Vec<Tree>> {
    let mut trees = Vec::new();
    while let Some(tlv) = reader.next().ok()? {
        let name = tlv.tag.to_string();
        trees.push(if tlv.constructed {
            let children = elements(&mut tlv.reader().ok()?, levels.checked_sub(1)?)?;
            Tree::new(name).with(children)
        } else {
            Tree::leaf(name, primitive(&tlv))
        });
    }
    Some(trees)
}

fn primitive(tlv: &Tlv<'_>) -> String {
    match tlv.tag {
        Tag::INTEGER | Tag::ENUMERATED => tlv.integer().map(|value| value.to_string()).ok(),
        Tag::BOOLEAN => tlv.boolean().map(|value| value.to_string()).ok(),
        Tag::OBJECT_IDENTIFIER => tlv.oid().map(|value| value.to_string()).ok(),
        Tag::NULL => Some(String::new()),
        Tag::PRINTABLE_STRING
        | Tag::NUMERIC_STRING
        | Tag::IA5_STRING
        | Tag::TELETEX_STRING
        | Tag::UTF8_STRING
        | Tag::BMP_STRING
        | Tag::UTC_TIME => text::decode(tlv).map(|value| format!("{:?}", value)).ok(),
        _ => None,
    }
    .unwrap_or_else(|| text::hex(tlv.contents))
}
