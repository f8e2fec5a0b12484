//! The settings of a connector as fields of a form: on which property page each is, what it may hold, what it is for.
//!
//! What they are for is what `chappe config init` says of them, so it is written once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// The property page.
    pub(crate) page: &'static str,
    /// As in `[[connector]]`, with the name of its table in front, as in `rts.window_size`.
    pub(crate) key: &'static str,
    /// What it holds.
    pub(crate) kind: Kind,
}

/// What a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// A text that is not shown.
    Secret,
    /// A whole number in this range, and its unit.
    Number(u64, u64, &'static str),
    /// True or false.
    Truth,
    /// One of these.
    Choice(&'static [&'static str]),
    /// One of these numbers, of octets.
    Size(&'static [u64]),
    /// Texts, of which the order counts.
    Texts,
    /// Some of these; all if it is left out.
    Words(&'static [&'static str]),
    /// Address spaces and their costs.
    Spaces,
    /// Times of a week.
    Times,
    /// Country, administration domain, private domain.
    Domain,
}

const GENERAL: &str = "General";
const STACK: &str = "Stack";
const SCHEDULE: &str = "Schedule";
const OVERRIDE: &str = "Override";
const ADDRESS_SPACE: &str = "Address Space";
const ADVANCED: &str = "Advanced";

const DAY_S: u64 = 86_400;

const fn field(page: &'static str, key: &'static str, kind: Kind) -> Field {
    Field { page, key, kind }
}

/// All of them, in the order of the pages.
pub(crate) const FIELDS: &[Field] = &[
    field(GENERAL, "name", Kind::Text),
    field(GENERAL, "remote_mta", Kind::Text),
    field(GENERAL, "remote_mta_aliases", Kind::Texts),
    field(GENERAL, "remote_password", Kind::Secret),
    field(GENERAL, "remote_password_file", Kind::Text),
    field(GENERAL, "remote_domain", Kind::Domain),
    field(GENERAL, "conformance", Kind::Choice(&["1988-normal", "1988-x410", "1984"])),
    field(GENERAL, "two_way_alternate", Kind::Truth),
    field(GENERAL, "max_message_size_kb", Kind::Number(1, u64::MAX / 1024, "KB")),
    field(STACK, "hosts", Kind::Texts),
    field(STACK, "local_address", Kind::Text),
    field(STACK, "called_selectors.transport", Kind::Text),
    field(STACK, "called_selectors.session", Kind::Text),
    field(STACK, "called_selectors.presentation", Kind::Text),
    field(STACK, "calling_selectors.transport", Kind::Text),
    field(STACK, "calling_selectors.session", Kind::Text),
    field(STACK, "calling_selectors.presentation", Kind::Text),
    field(STACK, "form.tpdu_size", Kind::Size(&[128, 256, 512, 1024, 2048, 4096, 8192])),
    field(SCHEDULE, "activation", Kind::Choice(&["always", "never", "remote-initiated", "selected-times"])),
    field(SCHEDULE, "selected_times", Kind::Times),
    field(SCHEDULE, "urgent_ignores_schedule", Kind::Truth),
    field(SCHEDULE, "call_at_selected_times", Kind::Truth),
    field(SCHEDULE, "hold.until_messages", Kind::Number(0, 4_000, "messages")),
    field(SCHEDULE, "hold.until_kb", Kind::Number(0, 1_000_000, "KB")),
    field(SCHEDULE, "hold.urgent_overrides", Kind::Truth),
    field(OVERRIDE, "local_mta", Kind::Text),
    field(OVERRIDE, "local_password", Kind::Secret),
    field(OVERRIDE, "local_password_file", Kind::Text),
    field(OVERRIDE, "retry.max_open_retries", Kind::Number(1, 10_000, "")),
    field(OVERRIDE, "retry.open_interval_s", Kind::Number(1, DAY_S, "s")),
    field(OVERRIDE, "retry.max_transfer_retries", Kind::Number(0, 100, "")),
    field(OVERRIDE, "retry.transfer_interval_s", Kind::Number(0, DAY_S, "s")),
    field(OVERRIDE, "rts.checkpoint_size_kb", Kind::Number(0, 65_535, "KB")),
    field(OVERRIDE, "rts.window_size", Kind::Number(1, 255, "checkpoints")),
    field(OVERRIDE, "rts.recovery_timeout_s", Kind::Number(0, DAY_S, "s")),
    field(OVERRIDE, "association.lifetime_s", Kind::Number(0, DAY_S, "s")),
    field(OVERRIDE, "association.disconnect_s", Kind::Number(1, 3_600, "s")),
    field(OVERRIDE, "association.threshold_messages", Kind::Number(1, 100_000, "messages")),
    field(OVERRIDE, "association.max_associations", Kind::Number(1, 100, "")),
    field(OVERRIDE, "transfer_timeout.urgent_s_per_kb", Kind::Number(1, 100_000, "s/KB")),
    field(OVERRIDE, "transfer_timeout.normal_s_per_kb", Kind::Number(1, 100_000, "s/KB")),
    field(OVERRIDE, "transfer_timeout.non_urgent_s_per_kb", Kind::Number(1, 100_000, "s/KB")),
    field(ADDRESS_SPACE, "address_space", Kind::Spaces),
    field(ADDRESS_SPACE, "relay_to", Kind::Texts),
    field(ADVANCED, "pass_on_deferred", Kind::Truth),
    field(ADVANCED, "strip_internal_trace", Kind::Truth),
    field(ADVANCED, "strip_bilateral_information", Kind::Truth),
    field(ADVANCED, "strip_private_extensions", Kind::Truth),
    field(ADVANCED, "strip_content_return_request", Kind::Truth),
    field(ADVANCED, "form.extension_coding", Kind::Choice(&["standard", "legacy"])),
    field(ADVANCED, "form.bind_error", Kind::Choice(&["tagged", "bare"])),
    field(ADVANCED, "form.content_in_pieces", Kind::Truth),
    field(ADVANCED, "restrictions.accept_from", Kind::Texts),
    field(ADVANCED, "restrictions.refuse_from", Kind::Texts),
    field(ADVANCED, "restrictions.priorities", Kind::Words(&["urgent", "normal", "non-urgent"])),
    field(ADVANCED, "restrictions.kinds", Kind::Words(&["messages", "probes", "reports"])),
    field(ADVANCED, "restrictions.content_types", Kind::Texts),
    field(ADVANCED, "restrictions.barred", Kind::Texts),
    field(ADVANCED, "restrictions.when_barred", Kind::Choice(&["report", "discard"])),
];

/// The field of this key.
pub(crate) fn find(key: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.key == key)
}

impl Field {
    /// What it is for.
    pub(crate) fn about(&self) -> &'static str {
        static ABOUT: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| comments(super::starting_file()));
        // What a table in one line holds is explained where the table is.
        let table = self.key.split_once('.').map(|(table, _)| table);
        // A file instead of a password.
        let itself = self.key.strip_suffix("_file");
        let found = ABOUT.get(self.key).or_else(|| ABOUT.get(itself.or(table)?));
        found.map_or("", String::as_str)
    }
}

/// The comments in front of each setting in the example of a connector; settings that follow one another share theirs.
fn comments(file: &str) -> BTreeMap<String, String> {
    let example = file.lines().skip_while(|line| *line != "# [[connector]]").skip(1);
    let example = example.take_while(|line| line.starts_with('#') && *line != "# [[distribution_list]]");
    let (mut found, mut comment, mut table) = (BTreeMap::new(), Vec::new(), String::new());
    let mut is_over = false;
    for line in example {
        let line = line.trim_start_matches('#').trim_start();
        let rest = line.strip_prefix('#').map(str::trim_start);
        if let Some(text) = rest {
            // An example inside of a comment is a setting as well.
            let key = text.split_once(" = ").map(|(key, _)| key).filter(|key| find(key).is_some());
            if let Some(key) = key {
                found.insert(key.to_owned(), comment.join(" ").trim_end_matches(':').to_owned());
                is_over = true;
                continue;
            }
            if std::mem::take(&mut is_over) {
                comment.clear();
            }
            comment.push(text.to_owned());
        } else if let Some(name) = line.strip_prefix("[connector.").and_then(|name| name.strip_suffix(']')) {
            table = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ") {
            found.insert(format!("{table}{key}"), comment.join(" "));
            is_over = true;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_explained_in_its_own_words() {
        for field in FIELDS {
            assert!(field.about().len() > 15, "{}: {:?}", field.key, field.about());
        }
        let about = |key| find(key).map(Field::about).unwrap_or_default();
        assert!(about("retry.open_interval_s").starts_with("Wait between opens that failed, seconds"));
        assert!(about("selected_times").starts_with("With \"selected-times\", the times"));
        assert!(about("urgent_ignores_schedule").starts_with("Whether urgent messages"));
        assert!(about("called_selectors.session").starts_with("Selectors of the peer"));
        assert!(about("transfer_timeout.normal_s_per_kb").starts_with("Longest time for one transfer"));
        assert!(about("local_password").starts_with("Name and password we give"));
    }
}
