//! `[[link_monitor]]`: what is sent along a path on a schedule.

use std::time::Duration;

use agent::settings::AgentSettings;
use agent::{Agent, RouteDecision};
use runtime::{MonitorKind, MonitorSettings};

use super::mta::or_address;
use super::problem::Problems;
use super::section::Section;

/// Most monitors.
const MAX_MONITORS: usize = 1_000;

const KINDS: [(&str, MonitorKind); 2] = [("probe", MonitorKind::Probe), ("message", MonitorKind::Message)];

/// All of them. One of which something required is missing or wrong is left out, for that has been complained about.
pub(super) fn read_all(sections: Vec<Section<'_>>) -> Vec<MonitorSettings> {
    let mut monitors: Vec<MonitorSettings> = Vec::new();
    for (index, section) in sections.into_iter().enumerate() {
        let (at, problems) = (section.at(), section.problems());
        if index == MAX_MONITORS {
            problems.wrong(at, "there are too many link monitors", format!("keep {MAX_MONITORS} at most"));
        }
        let Some(monitor) = read(section) else { continue };
        if monitors.iter().any(|other| other.name == monitor.name) {
            let what = format!("two link monitors have the name `{}`", monitor.name);
            problems.wrong(at, what, "give each a name of its own");
        }
        monitors.push(monitor);
    }
    monitors
}

fn read(mut section: Section<'_>) -> Option<MonitorSettings> {
    let name = section.required_string("name", "\"to-b\"").and_then(|text| {
        let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if (1..=64).contains(&text.value.len()) && text.value.chars().all(is_legal) {
            return Some(text.value);
        }
        section.problems().wrong(
            text.at,
            format!("{}: `{}` can't be a name", text.path, text.value),
            "use 1 to 64 letters, digits, \".\", \"_\" or \"-\"",
        );
        None
    });
    let from = section.required_string("from", "\"S=link-monitor;P=ALPHA;A= ;C=GB\"");
    let from = from.and_then(|text| or_address(&section, &text));
    let to = section.required_string("to", "\"S=link-monitor;P=BETA;A= ;C=GB\"");
    let to = to.and_then(|text| or_address(&section, &text));
    let kind = section.choice("kind", &KINDS, MonitorKind::default());
    let seconds = |value: Option<u64>, default| Duration::from_secs(value.unwrap_or(default));
    let every = seconds(section.number_in("every_s", 10..=86_400), 900);
    let late_after = seconds(section.number_in("late_after_s", 10..=604_800), 1_800);
    let alarm_after = seconds(section.number_in("alarm_after_s", 10..=604_800), 3_600);
    // Whoever raises one of the two need not think of the other.
    let alarm_after = alarm_after.max(late_after);
    section.finish();
    Some(MonitorSettings { name: name?, from: from?, to: to?, kind, every, late_after, alarm_after })
}

/// Whether answers come to where each monitor looks for them; asked when the rest of the file is in order.
pub(super) fn check(monitors: &[MonitorSettings], settings: &AgentSettings, problems: &Problems) {
    if monitors.is_empty() {
        return;
    }
    let Ok(agent) = Agent::new(settings.clone()) else { return };
    for (index, monitor) in monitors.iter().enumerate() {
        if !matches!(agent.lookup(&monitor.from), RouteDecision::Local { .. }) {
            problems.at_path(
                &format!("link_monitor[{index}].from"),
                format!(
                    "answers to link monitor `{}` would not come here: {} is no mailbox",
                    monitor.name, monitor.from
                ),
                "name an address inside `mta.local`, and list it if `mta.mailboxes` is given".to_owned(),
            );
        }
    }
}
