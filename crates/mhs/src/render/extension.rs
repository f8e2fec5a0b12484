//! Extension fields: value by value where this MTA knows the type, element by element where it does not.

use ber::{Reader, Tag, Tlv};

use super::{encoding, internal_trace, or_name};
use crate::codes::RedirectionReason;
use crate::error::DecodeError;
use crate::p1::{ExtensionField, ExtensionType, Extensions, StandardExtension};
use crate::{GlobalDomainIdentifier, MtaName, OrName, Tree, UtcTime, text};

/// A field as a tree.
pub(super) fn field(field: &ExtensionField) -> Tree {
    let mut tree = Tree::leaf(field.extension_type().to_string(), field.criticality());
    let known = match field.extension_type() {
        ExtensionType::Standard(number) => standard(*number, field),
        ExtensionType::Private(_) => None,
    };
    match known {
        Some(children) => tree.children = children,
        None => tree.push(encoding("value", field.value())),
    }
    tree
}

/// `None` if the number is not known or the value is not of its type.
fn standard(number: i64, field: &ExtensionField) -> Option<Vec<Tree>> {
    let tlv = Reader::new(field.value()).any().ok()?;
    match number {
        StandardExtension::RECIPIENT_REASSIGNMENT_PROHIBITED => flag(&tlv, ["allowed", "prohibited"]),
        StandardExtension::DL_EXPANSION_PROHIBITED => flag(&tlv, ["allowed", "prohibited"]),
        StandardExtension::CONVERSION_WITH_LOSS_PROHIBITED => flag(&tlv, ["allowed", "prohibited"]),
        StandardExtension::PROOF_OF_DELIVERY_REQUEST => flag(&tlv, ["not-requested", "requested"]),
        StandardExtension::LATEST_DELIVERY_TIME => {
            Some(vec![Tree::leaf("latest-delivery-time", UtcTime::decode(&tlv).ok()?)])
        }
        StandardExtension::CONTENT_CORRELATOR => match tlv.tag {
            Tag::IA5_STRING => Some(vec![Tree::leaf("value", format!("{:?}", text::decode(&tlv).ok()?))]),
            _ => None,
        },
        StandardExtension::ORIGINATOR_REQUESTED_ALTERNATE_RECIPIENT => {
            Some(vec![or_name("alternate-recipient", &OrName::decode(&tlv).ok()?)])
        }
        StandardExtension::REPORTING_DL_NAME => {
            Some(vec![or_name("reporting-DL-name", &OrName::decode(&tlv).ok()?)])
        }
        StandardExtension::DL_EXPANSION_HISTORY => history(&tlv, "dl").ok(),
        StandardExtension::ORIGINATOR_AND_DL_EXPANSION_HISTORY => history(&tlv, "originator-or-dl-name").ok(),
        StandardExtension::REDIRECTION_HISTORY => redirections(&tlv).ok(),
        StandardExtension::REPORTING_MTA_NAME => reporting_mta(&tlv).ok(),
        StandardExtension::INTERNAL_TRACE_INFORMATION => {
            let extensions: Extensions = [field.clone()].into_iter().collect();
            Some(internal_trace(&extensions.internal_trace().ok()?))
        }
        _ => None,
    }
}

fn flag(tlv: &Tlv<'_>, names: [&str; 2]) -> Option<Vec<Tree>> {
    let number = tlv.integer().ok()?;
    let name = usize::try_from(number).ok().and_then(|index| names.get(index).copied());
    Some(vec![Tree::leaf("value", format!("{} ({number})", name.unwrap_or("unknown")))])
}

/// A list of names with times.
fn history(tlv: &Tlv<'_>, name: &str) -> Result<Vec<Tree>, DecodeError> {
    let mut trees = Vec::new();
    let mut reader = tlv.reader()?;
    while let Some(element) = reader.next()? {
        let mut parts = element.reader()?;
        let mut tree = or_name(name, &OrName::decode(&parts.any()?)?);
        tree.add("time", UtcTime::decode(&parts.any()?)?);
        trees.push(tree);
    }
    Ok(trees)
}

fn redirections(tlv: &Tlv<'_>) -> Result<Vec<Tree>, DecodeError> {
    let mut trees = Vec::new();
    let mut reader = tlv.reader()?;
    while let Some(element) = reader.next()? {
        let mut parts = element.reader()?;
        let mut intended = parts.any()?.reader()?;
        let mut tree = or_name("intended-recipient", &OrName::decode(&intended.any()?)?);
        tree.add("redirection-time", UtcTime::decode(&intended.any()?)?);
        tree.add("redirection-reason", RedirectionReason(parts.any()?.integer()?));
        trees.push(tree);
    }
    Ok(trees)
}

fn reporting_mta(tlv: &Tlv<'_>) -> Result<Vec<Tree>, DecodeError> {
    let mut parts = tlv.reader()?;
    let domain = GlobalDomainIdentifier::decode(&parts.any()?)?;
    let name = MtaName::decode(&parts.any()?)?;
    Ok(vec![Tree::leaf("domain", domain), Tree::leaf("mta-name", name)])
}
