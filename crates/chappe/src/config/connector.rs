//! `[[connector]]`: one link to an adjacent MTA.

use std::net::IpAddr;

use agent::settings::{
    Activation, AddressSpaceEntry, AssociationSettings, BindErrorCoding, Conformance, ConnectorSettings,
    FormSettings, HoldSettings, RetrySettings, RtsSettings, Schedule, TransferTimeouts,
};
use mhs::p1::{ContentCoding, ExtensionCoding};

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

/// Reads the connector which is number `index` of the file. What is missing or wrong has been complained about and
/// is replaced by something legal, so that the rest can be checked.
pub(super) fn read(index: usize, mut section: Section<'_>) -> ConnectorSettings {
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
    connector.rts = section.section("rts").map(rts).unwrap_or_default();
    connector.retry = section.section("retry").map(retry).unwrap_or_default();
    connector.association = section.section("association").map(association).unwrap_or_default();
    connector.hold = section.section("hold").map(hold).unwrap_or_default();
    connector.transfer_timeout =
        section.section("transfer_timeout").map(transfer_timeout).unwrap_or_default();
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

fn rts(mut section: Section<'_>) -> RtsSettings {
    let default = RtsSettings::default();
    let settings = RtsSettings {
        checkpoint_size_kb: section.number_of("checkpoint_size_kb").unwrap_or(default.checkpoint_size_kb),
        recovery_timeout_s: section.number_of("recovery_timeout_s").unwrap_or(default.recovery_timeout_s),
        window_size: section.number_of("window_size").unwrap_or(default.window_size),
    };
    section.finish();
    settings
}

fn retry(mut section: Section<'_>) -> RetrySettings {
    let default = RetrySettings::default();
    let settings = RetrySettings {
        max_open_retries: section.number_of("max_open_retries").unwrap_or(default.max_open_retries),
        max_transfer_retries: section
            .number_of("max_transfer_retries")
            .unwrap_or(default.max_transfer_retries),
        open_interval_s: section.number_of("open_interval_s").unwrap_or(default.open_interval_s),
        transfer_interval_s: section.number_of("transfer_interval_s").unwrap_or(default.transfer_interval_s),
    };
    section.finish();
    settings
}

fn association(mut section: Section<'_>) -> AssociationSettings {
    let default = AssociationSettings::default();
    let settings = AssociationSettings {
        lifetime_s: section.number_of("lifetime_s").unwrap_or(default.lifetime_s),
        disconnect_s: section.number_of("disconnect_s").unwrap_or(default.disconnect_s),
        threshold_messages: section.number_of("threshold_messages").unwrap_or(default.threshold_messages),
        max_associations: section.number_of("max_associations").unwrap_or(default.max_associations),
    };
    section.finish();
    settings
}

fn transfer_timeout(mut section: Section<'_>) -> TransferTimeouts {
    let default = TransferTimeouts::default();
    let settings = TransferTimeouts {
        urgent_s_per_kb: section.number_of("urgent_s_per_kb").unwrap_or(default.urgent_s_per_kb),
        normal_s_per_kb: section.number_of("normal_s_per_kb").unwrap_or(default.normal_s_per_kb),
        non_urgent_s_per_kb: section.number_of("non_urgent_s_per_kb").unwrap_or(default.non_urgent_s_per_kb),
    };
    section.finish();
    settings
}
