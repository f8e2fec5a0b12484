//! `[[connector]]`: one link to an adjacent MTA.

use std::net::IpAddr;

use agent::settings::{
    Activation, AddressSpaceEntry, AssociationSettings, BindErrorCoding, Conformance, ConnectorSettings,
    FormSettings, HoldSettings, RetrySettings, RtsSettings, Schedule, TransferTimeouts,
};
use mhs::p1::{ContentCoding, ExtensionCoding};

use super::fields::{self, Kind};
use super::mta::{address_space, domain, mta_name, secret, stand_in_name};
use super::restriction::{self, relay_to};
use super::section::{Section, Text};
use super::selectors;

const CONFORMANCE: [(&str, Conformance); 3] = [
    ("1988-normal", Conformance::Normal1988),
    ("1988-x410", Conformance::X410In1988),
    ("1984", Conformance::Mode1984),
];

const ACTIVATION: [(&str, Activation); 4] = [
    ("always", Activation::Always),
    ("never", Activation::Never),
    ("remote-initiated", Activation::RemoteInitiated),
    ("selected-times", Activation::SelectedTimes(Schedule::EMPTY)),
];

const EXTENSION_CODING: [(&str, ExtensionCoding); 2] =
    [("standard", ExtensionCoding::Standard), ("legacy", ExtensionCoding::Legacy)];

const BIND_ERROR: [(&str, BindErrorCoding); 2] =
    [("tagged", BindErrorCoding::Tagged), ("bare", BindErrorCoding::Bare)];

/// `[messaging_defaults]`: what each connector has that does not override it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MessagingDefaults {
    rts: RtsSettings,
    retry: RetrySettings,
    association: AssociationSettings,
    transfer_timeout: TransferTimeouts,
}

impl MessagingDefaults {
    /// Reads them; what is left out is the field's default.
    pub(super) fn read(mut section: Section<'_>) -> MessagingDefaults {
        let defaults = MessagingDefaults::default().overridden(&mut section);
        section.finish();
        defaults
    }

    /// These with what the tables of `section` say instead.
    fn overridden(self, section: &mut Section<'_>) -> MessagingDefaults {
        let mut settings = self;
        if let Some(table) = section.section("rts") {
            settings.rts = rts(table, self.rts);
        }
        if let Some(table) = section.section("retry") {
            settings.retry = retry(table, self.retry);
        }
        if let Some(table) = section.section("association") {
            settings.association = association(table, self.association);
        }
        if let Some(table) = section.section("transfer_timeout") {
            settings.transfer_timeout = transfer_timeout(table, self.transfer_timeout);
        }
        settings
    }
}

/// Reads the connector which is number `index` of the file. What is missing or wrong has been complained about and
/// is replaced by something legal, so that the rest can be checked.
pub(super) fn read(index: usize, mut section: Section<'_>, defaults: MessagingDefaults) -> ConnectorSettings {
    let name = section.required_string("name", "\"to-b\"").map(|text| text.value);
    let remote_mta = section.required_string("remote_mta", "\"MTA-B\"");
    let remote_mta = remote_mta.and_then(|text| mta_name(&section, &text));
    let mut connector = ConnectorSettings::new(
        name.unwrap_or_else(|| format!("unnamed-{index}")),
        remote_mta.unwrap_or_else(|| stand_in_name(Some(index))),
    );
    let aliases = section.strings("remote_mta_aliases").unwrap_or_default();
    connector.remote_mta_aliases = aliases.iter().filter_map(|text| mta_name(&section, text)).collect();
    connector.remote_password = secret(&mut section, "remote_password", "remote_password_file");
    connector.local_mta = section.string("local_mta").and_then(|text| mta_name(&section, &text));
    connector.local_password = secret(&mut section, "local_password", "local_password_file");
    connector.hosts =
        section.strings("hosts").unwrap_or_default().into_iter().map(|text| text.value).collect();
    connector.local_address = section.string("local_address").and_then(|text| local_address(&section, &text));
    connector.called_selectors = section.section("called_selectors").map(selectors::read).unwrap_or_default();
    connector.calling_selectors =
        section.section("calling_selectors").map(selectors::read).unwrap_or_default();
    connector.conformance = section.choice("conformance", &CONFORMANCE, Conformance::default());
    connector.remote_domain = section.section("remote_domain").and_then(domain);
    connector.address_space = section.sections("address_space").into_iter().filter_map(entry).collect();
    connector.relay_to = relay_to(&mut section);
    connector.restrictions = section.section("restrictions").map(restriction::link).unwrap_or_default();
    connector.activation = activation(&mut section);
    connector.urgent_ignores_schedule = section.boolean("urgent_ignores_schedule", false);
    connector.call_at_selected_times = section.boolean("call_at_selected_times", true);
    connector.two_way_alternate = section.boolean("two_way_alternate", false);
    connector.max_message_size_kb = section.number_of("max_message_size_kb");
    connector.pass_on_deferred = section.boolean("pass_on_deferred", false);
    connector.strip_internal_trace = section.boolean("strip_internal_trace", false);
    connector.strip_bilateral_information = section.boolean("strip_bilateral_information", false);
    connector.strip_private_extensions = section.boolean("strip_private_extensions", false);
    connector.strip_content_return_request = section.boolean("strip_content_return_request", false);
    connector.form = section.section("form").map(form).unwrap_or_default();
    connector.hold = section.section("hold").map(hold).unwrap_or_default();
    let MessagingDefaults { rts, retry, association, transfer_timeout } = defaults.overridden(&mut section);
    (connector.rts, connector.retry) = (rts, retry);
    (connector.association, connector.transfer_timeout) = (association, transfer_timeout);
    section.finish();
    connector
}

fn local_address(section: &Section<'_>, text: &Text) -> Option<IpAddr> {
    match text.value.parse::<IpAddr>() {
        Ok(address) => Some(address.to_canonical()),
        Err(_) => {
            section.problems().wrong(
                text.at,
                format!("{}: `{}` is not an IP address", text.path, text.value),
                "name an address of this machine without a port, as in \"192.0.2.1\" or \"2001:db8::1\"",
            );
            None
        }
    }
}

fn entry(mut section: Section<'_>) -> Option<AddressSpaceEntry> {
    let space = section.required_string("address", "\"P=BETA;A= ;C=GB\"");
    let space = space.and_then(|text| address_space(&section, &text));
    let cost = section.number_of("cost").unwrap_or(1);
    section.finish();
    Some(AddressSpaceEntry { space: space?, cost })
}

/// `activation`, and `selected_times` where it asks for them.
fn activation(section: &mut Section<'_>) -> Activation {
    let activation = section.choice("activation", &ACTIVATION, Activation::default());
    let texts = section.strings("selected_times");
    match activation {
        Activation::SelectedTimes(mut times) => {
            let texts = texts.unwrap_or_default();
            let all = texts.len();
            let wrong = texts.iter().filter(|text| {
                let selected = times.select(&text.value);
                if let Err(error) = &selected {
                    section.problems().wrong(
                        text.at,
                        format!("{}: `{}`: {error}", text.path, text.value),
                        "write times as in \"Mon-Fri 08:00-18:00\", \"Sat,Sun 10:00-12:30\" or \"daily 22:00-06:00\"",
                    );
                }
                selected.is_err()
            });
            // What is wrong has been complained about; that nothing is left of it need not be.
            if wrong.count() == all && all > 0 { Activation::Never } else { Activation::SelectedTimes(times) }
        }
        Activation::Always | Activation::Never | Activation::RemoteInitiated => {
            if let Some(first) = texts.unwrap_or_default().first() {
                section.problems().wrong(
                    first.at,
                    "`selected_times` are looked at only with activation = \"selected-times\"",
                    "set activation = \"selected-times\", or leave the times out",
                );
            }
            activation
        }
    }
}

fn hold(mut section: Section<'_>) -> HoldSettings {
    let default = HoldSettings::default();
    let settings = HoldSettings {
        until_kb: section.number_of("until_kb").unwrap_or(default.until_kb),
        until_messages: section.number_of("until_messages").unwrap_or(default.until_messages),
        urgent_overrides: section.boolean("urgent_overrides", default.urgent_overrides),
    };
    section.finish();
    settings
}

fn form(mut section: Section<'_>) -> FormSettings {
    let default = FormSettings::default();
    let in_pieces = section.boolean("content_in_pieces", false);
    let settings = FormSettings {
        extension_coding: section.choice("extension_coding", &EXTENSION_CODING, default.extension_coding),
        bind_error: section.choice("bind_error", &BIND_ERROR, default.bind_error),
        content_coding: if in_pieces { ContentCoding::Pieces } else { ContentCoding::Whole },
        tpdu_size: section.number_of("tpdu_size").unwrap_or(default.tpdu_size),
    };
    section.finish();
    settings
}

fn rts(mut section: Section<'_>, default: RtsSettings) -> RtsSettings {
    let mut number = |key, default| number(&mut section, "rts", key, default);
    let settings = RtsSettings {
        checkpoint_size_kb: number("checkpoint_size_kb", default.checkpoint_size_kb),
        recovery_timeout_s: number("recovery_timeout_s", default.recovery_timeout_s),
        window_size: number("window_size", default.window_size),
    };
    section.finish();
    settings
}

fn retry(mut section: Section<'_>, default: RetrySettings) -> RetrySettings {
    let mut number = |key, default| number(&mut section, "retry", key, default);
    let settings = RetrySettings {
        max_open_retries: number("max_open_retries", default.max_open_retries),
        max_transfer_retries: number("max_transfer_retries", default.max_transfer_retries),
        open_interval_s: number("open_interval_s", default.open_interval_s),
        transfer_interval_s: number("transfer_interval_s", default.transfer_interval_s),
    };
    section.finish();
    settings
}

fn association(mut section: Section<'_>, default: AssociationSettings) -> AssociationSettings {
    let mut number = |key, default| number(&mut section, "association", key, default);
    let settings = AssociationSettings {
        lifetime_s: number("lifetime_s", default.lifetime_s),
        disconnect_s: number("disconnect_s", default.disconnect_s),
        threshold_messages: number("threshold_messages", default.threshold_messages),
        max_associations: number("max_associations", default.max_associations),
    };
    section.finish();
    settings
}

fn transfer_timeout(mut section: Section<'_>, default: TransferTimeouts) -> TransferTimeouts {
    let mut number = |key, default| number(&mut section, "transfer_timeout", key, default);
    let settings = TransferTimeouts {
        urgent_s_per_kb: number("urgent_s_per_kb", default.urgent_s_per_kb),
        normal_s_per_kb: number("normal_s_per_kb", default.normal_s_per_kb),
        non_urgent_s_per_kb: number("non_urgent_s_per_kb", default.non_urgent_s_per_kb),
    };
    section.finish();
    settings
}

/// A number in the range that its field of the property pages has.
fn number(section: &mut Section<'_>, table: &str, key: &'static str, default: u32) -> u32 {
    let field = fields::find(&format!("{table}.{key}")).map(|field| field.kind);
    let number = match field {
        Some(Kind::Number(least, most, _)) => section.number_in(key, least..=most),
        Some(_) | None => section.number_of(key),
    };
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
}
