//! When two addresses mean the same (X.402).

use core::fmt::Write;

use super::extension::ExtensionAttribute;
use super::print::base_number;
use super::{ExtensionValue, OrAddress};
use crate::text;

impl OrAddress {
    /// A text that is the same for addresses that mean the same: case and superfluous spaces do not matter,
    /// nor the string type of a name, nor whether a
    /// common name stands in the attribute of that name or in the domain-defined one of 1984, and a blank ADMD is equal to an empty or absent one. For comparison
    /// and as a key of tables; its form is not meant to be read.
    pub fn canonical_key(&self) -> String {
        let mut key = String::new();
        put(&mut key, "c", self.country.as_deref());
        put(&mut key, "a", self.admd.as_deref());
        put(&mut key, "p", self.prmd.as_deref());
        put(&mut key, "o", self.organization_name());
        for unit in self.all_organizational_units() {
            put(&mut key, "ou", Some(unit));
        }
        put(&mut key, "cn", self.common_name());
        if let Some(name) = self.any_personal_name() {
            put(&mut key, "s", Some(&name.surname));
            put(&mut key, "g", name.given_name.as_deref());
            put(&mut key, "i", name.initials.as_deref());
            put(&mut key, "q", name.generation_qualifier.as_deref());
        }
        put(&mut key, "x", self.network_address.as_deref());
        put(&mut key, "t", self.terminal_identifier.as_deref());
        put(&mut key, "n", self.numeric_user_identifier.as_deref());
        // In 1984 the common name is one of these: it has been shown already, unless there is another one.
        let shown = self.common_name().map(text::fold);
        let common = self.common_name_of_1984().filter(|dda| Some(text::fold(&dda.value)) == shown);
        for dda in self.all_domain_defined().iter().filter(|dda| Some(*dda) != common) {
            let attribute_type = text::fold(&dda.attribute_type).replace('\u{1}', "\u{fffd}");
            put(&mut key, "d", Some(&format!("{attribute_type}\u{1}{}", text::fold(&dda.value))));
        }
        let mut rest: Vec<(i64, String)> = self.extensions.iter().filter_map(extension_key).collect();
        rest.sort();
        // Of the variants of one attribute the first stands for all.
        rest.dedup_by_key(|(number, _)| *number);
        for (number, value) in rest {
            put(&mut key, &number.to_string(), Some(&value));
        }
        key
    }

    /// Whether both addresses mean the same.
    pub fn is_same_address(&self, other: &OrAddress) -> bool {
        self.canonical_key() == other.canonical_key()
    }
}

/// Names are separated from values by U+0001 and components by U+0002, which folding can't produce from legal
/// strings; in illegal ones they are replaced.
fn put(key: &mut String, name: &str, value: Option<&str>) {
    let value = value.map(text::fold).unwrap_or_default();
    if !value.is_empty() {
        // Writing to a String can't fail.
        let _ = write!(key, "{name}\u{1}{}\u{2}", value.replace('\u{2}', "\u{fffd}"));
    }
}

/// Number and text of an attribute that is not shown by one of the accessors over all variants.
fn extension_key(extension: &ExtensionAttribute) -> Option<(i64, String)> {
    let number = base_number(extension.number);
    let value = match (extension.number, &extension.value) {
        (1..=6 | 24..=28, value) if !matches!(value, ExtensionValue::Opaque(_)) => return None,
        (_, ExtensionValue::Text(text)) => text.clone(),
        (_, ExtensionValue::Postal { printable, teletex }) => {
            printable.as_ref().or(teletex.as_ref()).cloned().unwrap_or_default()
        }
        (_, ExtensionValue::PostalLines { printable, teletex }) => match printable {
            Some(lines) => lines.join(" "),
            None => teletex.clone().unwrap_or_default(),
        },
        (_, ExtensionValue::E163 { number, sub_address }) => {
            format!("{number}\u{3}{}", sub_address.as_deref().unwrap_or_default())
        }
        (_, ExtensionValue::Integer(value)) => value.to_string(),
        _ => text::hex(&super::codec::encode_value(extension)),
    };
    // 35 is the universal variant of 16.
    Some((if number == 35 { 16 } else { number }, text::fold(&value)))
}
