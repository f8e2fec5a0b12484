//! O/R addresses attribute by attribute.

use crate::or_address::{DomainDefinedAttribute, ExtensionValue, OrAddress, PersonalName};
use crate::{Tree, text};

/// Names of the extension attributes, from 1.
const NAMES: [&str; 40] = [
    "common-name",
    "teletex-common-name",
    "teletex-organization-name",
    "teletex-personal-name",
    "teletex-organizational-unit-names",
    "teletex-domain-defined-attributes",
    "pds-name",
    "physical-delivery-country-name",
    "postal-code",
    "physical-delivery-office-name",
    "physical-delivery-office-number",
    "extension-OR-address-components",
    "physical-delivery-personal-name",
    "physical-delivery-organization-name",
    "extension-physical-delivery-address-components",
    "unformatted-postal-address",
    "street-address",
    "post-office-box-address",
    "poste-restante-address",
    "unique-postal-name",
    "local-postal-attributes",
    "extended-network-address",
    "terminal-type",
    "universal-common-name",
    "universal-organization-name",
    "universal-personal-name",
    "universal-organizational-unit-names",
    "universal-domain-defined-attributes",
    "universal-physical-delivery-office-name",
    "universal-physical-delivery-office-number",
    "universal-extension-OR-address-components",
    "universal-physical-delivery-personal-name",
    "universal-physical-delivery-organization-name",
    "universal-extension-physical-delivery-address-components",
    "universal-unformatted-postal-address",
    "universal-street-address",
    "universal-post-office-box-address",
    "universal-poste-restante-address",
    "universal-unique-postal-name",
    "universal-local-postal-attributes",
];

/// The attributes of an address, by their names in X.411.
pub(super) fn attributes(address: &OrAddress) -> Vec<Tree> {
    let mut trees = Vec::new();
    let mut add = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            trees.push(Tree::leaf(name, quoted(value)));
        }
    };
    add("country-name", &address.country);
    add("administration-domain-name", &address.admd);
    add("network-address", &address.network_address);
    add("terminal-identifier", &address.terminal_identifier);
    add("private-domain-name", &address.prmd);
    add("organization-name", &address.organization);
    add("numeric-user-identifier", &address.numeric_user_identifier);
    if let Some(name) = &address.personal_name {
        trees.push(Tree::new("personal-name").with(personal_name(name)));
    }
    for unit in &address.organizational_units {
        trees.push(Tree::leaf("organizational-unit-name", quoted(unit)));
    }
    trees.extend(address.domain_defined.iter().map(domain_defined));
    for extension in &address.extensions {
        let index = extension.number.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        let name = index.and_then(|index| NAMES.get(index)).map_or_else(
            || format!("extension-attribute {}", extension.number),
            |name| format!("{name} ({})", extension.number),
        );
        trees.push(value(name, &extension.value));
    }
    trees
}

fn value(name: String, value: &ExtensionValue) -> Tree {
    let lines =
        |lines: &[String]| lines.iter().map(|line| Tree::leaf("line", quoted(line))).collect::<Vec<_>>();
    match value {
        ExtensionValue::Text(text) => Tree::leaf(name, quoted(text)),
        ExtensionValue::PersonalName(parts) => Tree::new(name).with(personal_name(parts)),
        ExtensionValue::Names(names) => Tree::new(name).with(lines(names)),
        ExtensionValue::DomainDefined(list) => Tree::new(name).with(list.iter().map(domain_defined)),
        ExtensionValue::Postal { printable, teletex } => {
            let variants = [("printable-string", printable), ("teletex-string", teletex)];
            let variants = variants.into_iter().filter_map(|(n, v)| Some(Tree::leaf(n, quoted(v.as_ref()?))));
            Tree::new(name).with(variants)
        }
        ExtensionValue::PostalLines { printable, teletex } => {
            let teletex = teletex.iter().map(|text| Tree::leaf("teletex-string", quoted(text)));
            Tree::new(name).with(lines(printable.as_deref().unwrap_or_default())).with(teletex)
        }
        ExtensionValue::E163 { number, sub_address } => {
            let sub_address = sub_address.iter().map(|text| Tree::leaf("sub-address", quoted(text)));
            Tree::new(name).with([Tree::leaf("number", quoted(number))]).with(sub_address)
        }
        ExtensionValue::Integer(value) => Tree::leaf(name, value),
        ExtensionValue::Opaque(raw) => Tree::leaf(name, text::hex(raw)),
    }
}

fn personal_name(name: &PersonalName) -> Vec<Tree> {
    let parts = [
        ("surname", Some(&name.surname)),
        ("given-name", name.given_name.as_ref()),
        ("initials", name.initials.as_ref()),
        ("generation-qualifier", name.generation_qualifier.as_ref()),
    ];
    parts.into_iter().filter_map(|(part, value)| Some(Tree::leaf(part, quoted(value?)))).collect()
}

fn domain_defined(dda: &DomainDefinedAttribute) -> Tree {
    Tree::leaf(
        "domain-defined-attribute",
        format!("{} = {}", quoted(&dda.attribute_type), quoted(&dda.value)),
    )
}

/// In quotation marks, control characters escaped: values come from anywhere.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}
