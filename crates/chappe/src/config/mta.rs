//! `[mta]`: the MTA itself; and the readers of names, domains and secrets which connectors share.

use std::io::Read;

use agent::settings::{MessageTimeouts, MtaSettings, Secret};
use mhs::{AddressPattern, GlobalDomainIdentifier, MtaName, OrAddress};

use super::regular;
use super::section::{Section, Text};

/// Longest secret file, in octets. A password has at most 64 characters.
const MAX_SECRET_OCTETS: u64 = 4096;

pub(super) fn read(mut section: Section<'_>) -> MtaSettings {
    let name = section.required_string("name", "\"MTA-A\"").and_then(|text| mta_name(&section, &text));
    let domain = match section.section("domain") {
        Some(table) => domain(table),
        None => {
            if !section.has("domain") {
                section.missing("domain", "{ country = \"GB\", admd = \" \", prmd = \"ALPHA\" }");
            }
            None
        }
    };
    let mut settings = MtaSettings::new(
        name.unwrap_or_else(|| stand_in_name(None)),
        domain.unwrap_or_else(|| GlobalDomainIdentifier {
            country: String::new(),
            admd: String::new(),
            prmd: None,
        }),
    );
    settings.password = secret(&mut section, "password", "password_file");
    settings.shared_domain = section.boolean("shared_domain", false);
    let local = section.strings("local").unwrap_or_default();
    settings.local = local.iter().filter_map(|text| address_space(&section, text)).collect();
    let local_is_whole = settings.local.len() == local.len();
    settings.mailboxes = section.strings("mailboxes").map(|texts| {
        // Whether a mailbox lies in the local address spaces can't be told while one of these is unreadable.
        let addresses = texts.iter().filter_map(|text| or_address(&section, text));
        addresses.filter(|_| local_is_whole).collect()
    });
    settings.dead_letter = section.string("dead_letter").and_then(|text| or_address(&section, &text));
    if let Some(kb) = section.number_of("return_content_kb") {
        settings.return_content_kb = kb;
    }
    settings.message_size_limit_kb = section.number_of("message_size_limit_kb");
    if let Some(table) = section.section("message_timeout") {
        settings.message_timeout = message_timeouts(table);
    }
    if let Some(limit) = section.number_of("hop_limit") {
        settings.hop_limit = limit;
    }
    if let Some(days) = section.number_of("duplicate_history_days") {
        settings.duplicate_history_days = days;
    }
    if let Some(days) = section.number_of("tracking_days") {
        settings.tracking_days = days;
    }
    if let Some(entries) = section.number_of("tracking_entries") {
        settings.tracking_entries = entries;
    }
    if let Some(most) = section.number_of("max_recipients") {
        settings.max_recipients = most;
    }
    settings.least_cost_only = section.boolean("least_cost_only", false);
    section.finish();
    settings
}

fn message_timeouts(mut section: Section<'_>) -> MessageTimeouts {
    let default = MessageTimeouts::default();
    let timeouts = MessageTimeouts {
        urgent_min: section.number_of("urgent_min").unwrap_or(default.urgent_min),
        normal_min: section.number_of("normal_min").unwrap_or(default.normal_min),
        non_urgent_min: section.number_of("non_urgent_min").unwrap_or(default.non_urgent_min),
    };
    section.finish();
    timeouts
}

/// A legal name which stands for a missing or wrong one while the rest of the file is checked.
pub(super) fn stand_in_name(connector: Option<usize>) -> MtaName {
    let name = connector.map_or_else(|| "unnamed".to_owned(), |n| format!("unnamed-{n}"));
    MtaName::new(&name).unwrap_or_else(|_| unreachable!("a short word of ASCII letters is a legal MTA name"))
}

/// The name of an MTA.
pub(super) fn mta_name(section: &Section<'_>, text: &Text) -> Option<MtaName> {
    match MtaName::new(&text.value) {
        Ok(name) => Some(name),
        Err(error) => {
            section.problems().wrong(
                text.at,
                format!("{}: {error}", text.path),
                "use 1 to 32 printable ASCII characters",
            );
            None
        }
    }
}

/// A table with `country`, `admd` and perhaps `prmd`.
pub(super) fn domain(mut section: Section<'_>) -> Option<GlobalDomainIdentifier> {
    let at = section.at();
    let country = section.required_string("country", "\"GB\"");
    let admd = section.required_string("admd", "\" \"");
    let prmd = section.string("prmd");
    let problems = section.problems();
    let path = section.path().to_owned();
    section.finish();
    let domain = GlobalDomainIdentifier {
        country: country?.value,
        admd: admd?.value,
        prmd: prmd.map(|text| text.value),
    };
    match domain.validate() {
        Ok(()) => Some(domain),
        Err(error) => {
            problems.wrong(
                at,
                format!("{path}: {error}"),
                "use a country of 2 letters or 3 digits, and at most 16 printable characters for admd and prmd",
            );
            None
        }
    }
}

/// An address space such as `P=BETA;A= ;C=GB`.
pub(super) fn address_space(section: &Section<'_>, text: &Text) -> Option<AddressPattern> {
    match AddressPattern::parse(&text.value) {
        Ok(space) => Some(space),
        Err(error) => {
            section.problems().wrong(
                text.at,
                format!("{}: {error}", text.path),
                "write an address space as in \"P=BETA;A= ;C=GB\"",
            );
            None
        }
    }
}

/// An O/R address such as `S=operations;O=Acme;P=ALPHA;A= ;C=GB`.
pub(super) fn or_address(section: &Section<'_>, text: &Text) -> Option<OrAddress> {
    match OrAddress::parse(&text.value) {
        Ok(address) => Some(address),
        Err(error) => {
            section.problems().wrong(
                text.at,
                format!("{}: {error}", text.path),
                "write an O/R address as in \"S=operations;O=Acme;P=ALPHA;A= ;C=GB\"",
            );
            None
        }
    }
}

/// A secret, written in the file itself or in a file of its own, not both.
pub(super) fn secret(section: &mut Section<'_>, inline: &'static str, file: &'static str) -> Option<Secret> {
    let text = section.string(inline);
    let file_text = section.string(file);
    if let (Some(_), Some(file_text)) = (&text, &file_text) {
        section.problems().wrong(
            file_text.at,
            format!("both `{inline}` and `{file}` are given"),
            "keep one of them",
        );
        return None;
    }
    match file_text {
        Some(file_text) => {
            // What is found wrong with the secret later concerns the file.
            section.problems().place(format!("{}.{inline}", section.path()), file_text.at);
            secret_file(section, &file_text)
        }
        None => text.map(|text| Secret::new(text.value)),
    }
}

/// The secret in the file that `text` names: its only line.
pub(super) fn secret_file(section: &Section<'_>, text: &Text) -> Option<Secret> {
    let mut content = String::new();
    let read =
        regular::open(&text.value).and_then(|file| file.take(MAX_SECRET_OCTETS).read_to_string(&mut content));
    let what = match read {
        Ok(_) => {
            let secret = content.strip_suffix('\n').unwrap_or(&content);
            let secret = secret.strip_suffix('\r').unwrap_or(secret);
            if !secret.is_empty() && !secret.contains('\n') {
                return Some(Secret::new(secret));
            }
            "the file does not hold exactly one line".to_owned()
        }
        Err(error) => format!("cannot read the file: {error}"),
    };
    section.problems().wrong(
        text.at,
        format!("{}: `{}`: {what}", text.path, text.value),
        "name a readable file (relative to the working directory) whose only line is the secret",
    );
    None
}
