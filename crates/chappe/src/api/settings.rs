//! The settings of a connector, on the property pages that administrators of Exchange know. To be read only: they are
//! changed in the configuration file.

use agent::record::Rank;
use agent::settings::{
    Activation, BindErrorCoding, Conformance, ConnectorSettings, RelayTo, Secret, Selectors, WhenBarred,
    selector_text,
};
use axum::Json;
use axum::extract::{Path, State};
use mhs::p1::{ContentCoding, ExtensionCoding};

use super::error::ApiError;
use super::query::Query;
use super::{Answer, Api};
use crate::model::{ConnectorSettingsPages, Setting, SettingsPage};

/// Secrets are only said to be there.
const HIDDEN: &str = "set (not shown)";
/// Nothing is set.
const NOTHING: &str = "–";

pub(super) async fn settings(
    State(api): State<Api>,
    Path(name): Path<String>,
    query: Query,
) -> Answer<ConnectorSettingsPages> {
    query.only(&[])?;
    let settings = api.handle.connector_settings(&name);
    let settings = settings.ok_or_else(|| ApiError::from(runtime::AdminError::NoSuchConnector(name)))?;
    Ok(Json(pages(&settings)))
}

pub(super) fn pages(connector: &ConnectorSettings) -> ConnectorSettingsPages {
    let pages = vec![
        page("General", general(connector)),
        page("Stack", stack(connector)),
        page("Schedule", schedule(connector)),
        page("Override", overrides(connector)),
        page("Address Space", address_space(connector)),
        page("Advanced", advanced(connector)),
    ];
    ConnectorSettingsPages { connector: connector.name.clone(), pages }
}

fn page(name: &str, settings: Vec<Setting>) -> SettingsPage {
    SettingsPage { page: name.to_owned(), settings }
}

fn setting(key: &str, value: impl ToString, unit: &str) -> Setting {
    let value = value.to_string();
    let value = if value.is_empty() { NOTHING.to_owned() } else { value };
    Setting { key: key.to_owned(), value, unit: unit.to_owned() }
}

fn secret(key: &str, secret: Option<&Secret>) -> Setting {
    setting(key, secret.map_or(NOTHING, |_| HIDDEN), "")
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join("\n")
}

fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

fn priority(rank: Rank) -> &'static str {
    match rank {
        Rank::Urgent => "urgent",
        Rank::Normal => "normal",
        Rank::NonUrgent => "non-urgent",
    }
}

fn general(connector: &ConnectorSettings) -> Vec<Setting> {
    let conformance = match connector.conformance {
        Conformance::Normal1988 => "1988-normal",
        Conformance::X410In1988 => "1988-x410",
        Conformance::Mode1984 => "1984",
    };
    vec![
        setting("name", &connector.name, ""),
        setting("remote_mta", &connector.remote_mta, ""),
        setting("remote_mta_aliases", list(&connector.remote_mta_aliases), ""),
        secret("remote_password", connector.remote_password.as_ref()),
        setting(
            "remote_domain",
            connector.remote_domain.as_ref().map(ToString::to_string).unwrap_or_default(),
            "",
        ),
        setting("conformance", conformance, ""),
        setting("two_way_alternate", yes(connector.two_way_alternate), ""),
        setting(
            "max_message_size_kb",
            connector.max_message_size_kb.map_or("no limit".to_owned(), |most| format!("{most} KB")),
            "",
        ),
    ]
}

fn stack(connector: &ConnectorSettings) -> Vec<Setting> {
    let mut settings = vec![
        setting("hosts", list(&connector.hosts), ""),
        setting("local_address", connector.local_address.map(|ip| ip.to_string()).unwrap_or_default(), ""),
    ];
    for (side, selectors) in [
        ("called_selectors", &connector.called_selectors),
        ("calling_selectors", &connector.calling_selectors),
    ] {
        let Selectors { transport, session, presentation } = selectors;
        for (layer, selector) in
            [("transport", transport), ("session", session), ("presentation", presentation)]
        {
            let text = if selector.is_empty() { String::new() } else { selector_text(selector) };
            settings.push(setting(&format!("{side}.{layer}"), text, ""));
        }
    }
    settings.push(setting("form.tpdu_size", connector.form.tpdu_size, "octets"));
    settings
}

fn schedule(connector: &ConnectorSettings) -> Vec<Setting> {
    let (activation, times) = match &connector.activation {
        Activation::Always => ("always", String::new()),
        Activation::Never => ("never", String::new()),
        Activation::RemoteInitiated => ("remote-initiated", String::new()),
        Activation::SelectedTimes(schedule) => ("selected-times", schedule.to_string()),
    };
    vec![
        setting("activation", activation, ""),
        setting("selected_times", times, "UTC"),
        setting("urgent_ignores_schedule", yes(connector.urgent_ignores_schedule), ""),
        setting("call_at_selected_times", yes(connector.call_at_selected_times), ""),
        setting("hold.until_messages", connector.hold.until_messages, "messages"),
        setting("hold.until_kb", connector.hold.until_kb, "KB"),
        setting("hold.urgent_overrides", yes(connector.hold.urgent_overrides), ""),
    ]
}

fn overrides(connector: &ConnectorSettings) -> Vec<Setting> {
    let (retry, rts) = (&connector.retry, &connector.rts);
    let (association, timeout) = (&connector.association, &connector.transfer_timeout);
    vec![
        setting("local_mta", connector.local_mta.as_ref().map(ToString::to_string).unwrap_or_default(), ""),
        secret("local_password", connector.local_password.as_ref()),
        setting("retry.max_open_retries", retry.max_open_retries, ""),
        setting("retry.open_interval_s", retry.open_interval_s, "s"),
        setting("retry.max_transfer_retries", retry.max_transfer_retries, ""),
        setting("retry.transfer_interval_s", retry.transfer_interval_s, "s"),
        setting("rts.checkpoint_size_kb", rts.checkpoint_size_kb, "KB"),
        setting("rts.window_size", rts.window_size, "checkpoints"),
        setting("rts.recovery_timeout_s", rts.recovery_timeout_s, "s"),
        setting("association.lifetime_s", association.lifetime_s, "s"),
        setting("association.disconnect_s", association.disconnect_s, "s"),
        setting("association.threshold_messages", association.threshold_messages, "messages"),
        setting("association.max_associations", association.max_associations, ""),
        setting("transfer_timeout.urgent_s_per_kb", timeout.urgent_s_per_kb, "s/KB"),
        setting("transfer_timeout.normal_s_per_kb", timeout.normal_s_per_kb, "s/KB"),
        setting("transfer_timeout.non_urgent_s_per_kb", timeout.non_urgent_s_per_kb, "s/KB"),
    ]
}

fn address_space(connector: &ConnectorSettings) -> Vec<Setting> {
    let spaces = connector.address_space.iter();
    let mut settings: Vec<Setting> =
        spaces.map(|entry| setting(&entry.space.to_string(), entry.cost, "cost")).collect();
    let relay = match &connector.relay_to {
        RelayTo::Nowhere => String::new(),
        RelayTo::Anywhere => "any connector".to_owned(),
        RelayTo::Connectors(names) => list(names),
    };
    settings.push(setting("relay_to", relay, ""));
    settings
}

fn advanced(connector: &ConnectorSettings) -> Vec<Setting> {
    let (form, restrictions) = (&connector.form, &connector.restrictions);
    let all = |texts: Option<String>| texts.unwrap_or_else(|| "all".to_owned());
    let names = |patterns: &[mhs::AddressPattern]| list(patterns);
    let extension = match form.extension_coding {
        ExtensionCoding::Standard => "standard",
        ExtensionCoding::Legacy => "legacy",
    };
    let bind_error = match form.bind_error {
        BindErrorCoding::Tagged => "tagged",
        BindErrorCoding::Bare => "bare",
    };
    let barred = match restrictions.when_barred {
        WhenBarred::Report => "report",
        WhenBarred::Discard => "discard",
    };
    vec![
        setting("pass_on_deferred", yes(connector.pass_on_deferred), ""),
        setting("strip_internal_trace", yes(connector.strip_internal_trace), ""),
        setting("strip_bilateral_information", yes(connector.strip_bilateral_information), ""),
        setting("strip_private_extensions", yes(connector.strip_private_extensions), ""),
        setting("strip_content_return_request", yes(connector.strip_content_return_request), ""),
        setting("form.extension_coding", extension, ""),
        setting("form.bind_error", bind_error, ""),
        setting("form.content_in_pieces", yes(form.content_coding == ContentCoding::Pieces), ""),
        setting("restrictions.accept_from", all(restrictions.originators.accept.as_deref().map(names)), ""),
        setting("restrictions.refuse_from", names(&restrictions.originators.refuse), ""),
        setting(
            "restrictions.priorities",
            all(restrictions.priorities.as_ref().map(|ranks| list(ranks.iter().map(|rank| priority(*rank))))),
            "",
        ),
        setting("restrictions.kinds", all(restrictions.kinds.as_ref().map(list)), ""),
        setting("restrictions.content_types", all(restrictions.content_types.as_ref().map(list)), ""),
        setting("restrictions.barred", names(&restrictions.barred), ""),
        setting("restrictions.when_barred", barred, ""),
    ]
}
