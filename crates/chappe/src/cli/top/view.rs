//! What is on the screen, and what the keys do to it. Pure: snapshots, keys and the time go in, frames and orders come out.

use super::frame::{Frame, Line, Style};
use super::snapshot::{Rates, Row, Snapshot, seconds, span};
use crate::cli::output::{self, paint_of};
use crate::style::Paint;

/// Reasons shown of a condition that is not "ready".
const MOST_REASONS: usize = 3;
/// Lines that events have at least, heading included.
const EVENT_LINES: usize = 5;

/// Order of the connectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sort {
    #[default]
    Name,
    Queue,
    Oldest,
    State,
}

/// A key, as far as it means anything here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    Character(char),
    Escape,
    /// Ctrl-C: whatever is asked, it ends.
    Interrupt,
}

/// What an operator wants done to a connector or its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Freeze,
    Thaw,
    Retry,
    Connect,
}

impl Action {
    fn of(key: char) -> Option<Action> {
        match key {
            'f' => Some(Action::Freeze),
            't' => Some(Action::Thaw),
            'r' => Some(Action::Retry),
            'c' => Some(Action::Connect),
            _ => None,
        }
    }

    fn question(self, connector: &str) -> String {
        match self {
            Action::Freeze => format!("Freeze the queue of {connector}? Nothing is sent until it is thawed."),
            Action::Thaw => format!("Thaw the queue of {connector}? What waits in it is sent again."),
            Action::Retry => format!("Try all that waits for {connector} now?"),
            Action::Connect => format!("Have {connector} connect now?"),
        }
    }
}

/// What is to be done about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Quit,
    Order(Action, String),
}

/// The state of the screen.
#[derive(Debug, Default)]
pub(super) struct View {
    snapshot: Option<Snapshot>,
    rates: Rates,
    /// Why there is no newer one.
    trouble: Option<String>,
    sort: Sort,
    selected: Option<String>,
    asked: Option<(Action, String)>,
    /// What came of the last order.
    told: String,
    all_events: bool,
}

impl View {
    /// The service has answered, or has not.
    pub(super) fn update(&mut self, snapshot: Result<Snapshot, String>, now: i64) {
        match snapshot {
            Ok(snapshot) => {
                self.rates.note(now, &snapshot);
                (self.snapshot, self.trouble) = (Some(snapshot), None);
            }
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    /// What came of an order.
    pub(super) fn tell(&mut self, text: String) {
        self.told = text;
    }

    /// A key was pressed.
    pub(super) fn press(&mut self, key: Key, now: i64) -> Wish {
        if key == Key::Interrupt {
            return Wish::Quit;
        }
        if let Some((action, connector)) = self.asked.take() {
            return match key {
                Key::Character('y' | 'Y') => Wish::Order(action, connector),
                Key::Up | Key::Down | Key::Character(_) | Key::Escape | Key::Interrupt => {
                    self.told = "Nothing was done.".to_owned();
                    Wish::Nothing
                }
            };
        }
        self.told.clear();
        match key {
            Key::Character('q') | Key::Escape | Key::Interrupt => return Wish::Quit,
            Key::Up | Key::Character('k') => self.step(now, -1),
            Key::Down | Key::Character('j') => self.step(now, 1),
            Key::Character('s') => {
                self.sort = match self.sort {
                    Sort::Name => Sort::Queue,
                    Sort::Queue => Sort::Oldest,
                    Sort::Oldest => Sort::State,
                    Sort::State => Sort::Name,
                };
            }
            Key::Character('e') => self.all_events = !self.all_events,
            Key::Character(key) => {
                let rows = self.rows(now);
                if let Some(action) = Action::of(key)
                    && let Some(row) = rows.get(self.place(&rows))
                {
                    self.asked = Some((action, row.name.clone()));
                }
            }
        }
        Wish::Nothing
    }

    fn rows(&self, now: i64) -> Vec<Row> {
        let mut rows =
            self.snapshot.as_ref().map(|snapshot| snapshot.rows(now, &self.rates)).unwrap_or_default();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        match self.sort {
            Sort::Name => {}
            Sort::Queue => rows.sort_by_key(|row| std::cmp::Reverse(row.messages)),
            Sort::Oldest => rows.sort_by_key(|row| std::cmp::Reverse(row.oldest)),
            // What fails is what one looks for.
            Sort::State => {
                rows.sort_by(|a, b| b.failure.is_some().cmp(&a.failure.is_some()).then(a.state.cmp(&b.state)))
            }
        }
        rows
    }

    /// Place of the selected row; the first if it is gone.
    fn place(&self, rows: &[Row]) -> usize {
        rows.iter().position(|row| Some(&row.name) == self.selected.as_ref()).unwrap_or(0)
    }

    fn step(&mut self, now: i64, by: isize) {
        let rows = self.rows(now);
        let place = self.place(&rows).saturating_add_signed(by).min(rows.len().saturating_sub(1));
        self.selected = rows.get(place).map(|row| row.name.clone());
    }

    /// The screen at `now` (seconds since 1970); `is_live` if there are keys.
    pub(super) fn frame(&self, now: i64, width: usize, height: usize, is_live: bool) -> Frame {
        let mut lines = self.head(now, width);
        let foot = if is_live { vec![self.foot()] } else { Vec::new() };
        let rows = self.rows(now);
        let monitors = self.monitors();
        // A heading each, and a blank line between.
        let fixed = lines.len() + foot.len() + monitors.len() + EVENT_LINES + 3;
        let room = height.saturating_sub(fixed).max(1);
        if self.snapshot.is_some() {
            lines.push(Line::default());
            lines.extend(self.table(&rows, room, width, is_live));
            lines.extend(monitors);
            lines.push(Line::default());
            let room = height.saturating_sub(lines.len() + foot.len());
            lines.extend(self.events(room));
        }
        lines.truncate(height.saturating_sub(foot.len()));
        if is_live {
            lines.resize(height.saturating_sub(foot.len()), Line::default());
        }
        lines.extend(foot);
        Frame::new(lines, width, height)
    }

    fn head(&self, now: i64, width: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        let Some(snapshot) = &self.snapshot else {
            let text = self.trouble.clone().unwrap_or_else(|| "Asking the service ...".to_owned());
            return vec![Line::styled(Style::Bad, &text)];
        };
        let status = &snapshot.status;
        let up = seconds(&status.info.started).map(|at| span((now - at).max(0))).unwrap_or_default();
        let title = format!(
            " {} in {}   {}   up {up}   version {}",
            status.info.name, status.info.domain, status.condition, status.info.version
        );
        lines.push(Line::plain(&title).inverse(width));
        let rows = snapshot.rows(now, &self.rates);
        let (sent, received) = rows.iter().fold((0, 0), |(a, b), row| (a + row.sent, b + row.received));
        lines.push(Line::plain(&format!(
            "{} queued, {}   {} of {} associations   {received} in, {sent} out a minute",
            counted(status.queued),
            size(status.queued_octets),
            status.associations,
            status.resources.limits.slots,
        )));
        let style = style_of("STATE", &status.condition);
        let reasons = status.reasons.iter().take(MOST_REASONS);
        lines.extend(reasons.map(|reason| Line::styled(style, "! ").and(Style::Plain, reason)));
        let more = status.reasons.len().saturating_sub(MOST_REASONS);
        if more > 0 {
            lines.push(Line::plain(&format!("! and {more} more, see `chappe connector list`")));
        }
        if let Some(trouble) = &self.trouble {
            lines.push(Line::styled(Style::Bad, &format!("What follows is old: {trouble}")));
        }
        lines
    }

    fn table(&self, rows: &[Row], room: usize, width: usize, is_live: bool) -> Vec<Line> {
        if rows.is_empty() {
            return vec![Line::plain("There are no connectors.")];
        }
        let longest = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).clamp(9, 20);
        let sorted = match self.sort {
            Sort::Name => "",
            Sort::Queue => ", by queue",
            Sort::Oldest => ", by age",
            Sort::State => ", by state",
        };
        let heading = format!(
            "{:longest$} {:<9} {:>5} {:>6} {:>9} {:>6} {:>5} {:>5} {:>5} LAST FAILURE{sorted}",
            "CONNECTOR", "STATE", "ASSOC", "QUEUE", "SIZE", "OLDEST", "OUT/M", "IN/M", "RETRY"
        );
        let mut lines = vec![Line::styled(Style::Bold, &heading)];
        let place = self.place(rows);
        // The selected one is always to be seen.
        let first = (place + 1).saturating_sub(room);
        for (n, row) in rows.iter().enumerate().skip(first).take(room) {
            let name: String = row.name.chars().take(longest).collect();
            let front = format!("{name:longest$} ");
            let state = format!("{:<9}", row.state);
            let back = format!(
                " {:>5} {:>6} {:>9} {:>6} {:>5} {:>5} {:>5} {}",
                row.associations,
                counted(row.messages),
                size(row.octets),
                row.oldest.map_or_else(|| "-".to_owned(), span),
                row.sent,
                row.received,
                row.retry_in_s.map_or_else(|| "-".to_owned(), |s| span(i64::try_from(s).unwrap_or(i64::MAX))),
                output::or_dash(row.failure.as_deref()),
            );
            let line =
                Line::plain(&front).and(style_of("STATE", &row.state), &state).and(Style::Plain, &back);
            lines.push(if is_live && n == place { line.inverse(width) } else { line });
        }
        let hidden = rows.len().saturating_sub(room);
        if hidden > 0
            && let Some(Line(pieces)) = lines.first_mut()
        {
            pieces.push((Style::Plain, format!(" ({hidden} more)")));
        }
        lines
    }

    fn monitors(&self) -> Vec<Line> {
        let Some(snapshot) = &self.snapshot else { return Vec::new() };
        if snapshot.monitors.is_empty() {
            return Vec::new();
        }
        let mut line = Line::styled(Style::Bold, "Link monitors");
        for monitor in &snapshot.monitors {
            line = line.and(Style::Plain, &format!("  {} ", monitor.name));
            line = line.and(style_of("STATE", &monitor.state), &monitor.state);
            let waits = monitor.waiting_s.filter(|_| matches!(monitor.state.as_str(), "late" | "alarm"));
            if let Some(seconds) = waits.and_then(|seconds| i64::try_from(seconds).ok()) {
                line = line.and(Style::Plain, &format!(" for {}", span(seconds)));
            }
        }
        vec![line]
    }

    fn events(&self, room: usize) -> Vec<Line> {
        let Some(snapshot) = &self.snapshot else { return Vec::new() };
        let heading = if self.all_events { "EVENTS" } else { "EVENTS that matter (e: all)" };
        let mut lines = vec![Line::styled(Style::Bold, heading)];
        let matters = |event: &&crate::model::Event| {
            self.all_events
                || event.severity != "information"
                || event.kind.ends_with("-recovered")
                || event.kind == "operator-action"
        };
        let newest = snapshot.events.iter().rev().filter(matters).take(room.saturating_sub(1));
        lines.extend(newest.map(|event| {
            // The date of what happened today is known.
            let time = event.time.get(11..19).unwrap_or(&event.time);
            let subject =
                if event.subject.is_empty() { String::new() } else { format!(" {}", event.subject) };
            Line::plain(&format!("{time} "))
                .and(style_of("SEVERITY", &event.severity), &event.kind)
                .and(Style::Plain, &format!("{subject}: {}", event.text))
        }));
        lines
    }

    fn foot(&self) -> Line {
        match &self.asked {
            Some((action, connector)) => Line::styled(
                Style::Inverse,
                &format!("{} y: yes, any other key: no", action.question(connector)),
            ),
            None if !self.told.is_empty() => Line::styled(Style::Bold, &self.told),
            None => Line::plain("q quit  ↑↓ select  s sort  f freeze  t thaw  r retry  c connect  e events"),
        }
    }
}

/// A number, or that it is not known yet.
fn counted(number: Option<u64>) -> String {
    number.map_or_else(|| "?".to_owned(), |number| number.to_string())
}

fn size(octets: Option<u64>) -> String {
    octets.map_or_else(|| "?".to_owned(), output::size)
}

fn style_of(heading: &str, word: &str) -> Style {
    match paint_of(heading, word) {
        Some(Paint::Good) => Style::Good,
        Some(Paint::Doubtful) => Style::Doubtful,
        Some(Paint::Bad) => Style::Bad,
        Some(Paint::Heading) => Style::Bold,
        None => Style::Plain,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    /// 2026-11-22T04:30:00Z.
    const NOW: i64 = 1_795_321_800;

    fn connector(name: &str, state: &str, failure: Option<&str>) -> serde_json::Value {
        json!({
            "name": name, "remote_mta": "MTA-B", "remote_mta_aliases": [], "called_selectors": {},
            "calling_selectors": {}, "hosts": [], "state": state, "associations": 1, "waiting": 3,
            "consecutive_failures": 0, "retry_in_s": failure.map(|_| 540), "last_failure": failure,
            "failing_since": failure.map(|_| "2026-11-22T04:00:00Z"), "failed_attempts": 2, "max_open_retries": 144,
            "held": { "slots": 0, "tasks": 0, "sockets": 0, "timers": 0, "octets": 0 }, "address_spaces": [],
        })
    }

    fn snapshot(connectors: usize) -> Snapshot {
        let held = json!({ "slots": 0, "tasks": 0, "sockets": 0, "timers": 0, "octets": 0 });
        let status = json!({
            "info": { "name": "MTA-A", "domain": "C=GB;A= ;P=ALPHA", "version": "0.1.0", "started": "2026-11-22T01:30:00Z", "counters": {} },
            "condition": "degraded", "reasons": ["connector to-b has failed since 2026-11-22T04:00:00Z: refused"],
            "connectors": connectors, "failing": 1, "associations": 1, "queued": 3, "queued_octets": 4301, "counting": false,
            "resources": {
                "limits": { "slots": 1000, "slots_reserved": 0, "octets": 1 }, "total": held, "peak": held,
                "connectors": [],
                "unbound": { "connector": null, "reserved": 0, "held": held, "peak": held },
            },
        });
        let mut all = vec![connector("to-b", "retry", Some("192.0.2.7:102: refused"))];
        all.extend((1..connectors).map(|n| connector(&format!("to-c{n:03}"), "ready", None)));
        let queue = |name: &str, messages: u64| {
            let oldest = (messages > 0).then_some("2026-11-22T04:25:00Z");
            json!({
                "connector": name, "state": "ready", "counting": false, "messages": messages, "octets": 4301, "held": 0, "oldest": oldest,
                "retry_in_s": null, "last_failure": null,
            })
        };
        let event = |number: u64, time: &str, severity: &str, kind: &str| {
            json!({
                "number": number, "time": time, "severity": severity, "kind": kind, "category": "X.400 Service",
                "subject": "to-b", "text": "some\u{1b}[2Jthing",
            })
        };
        Snapshot {
            status: serde_json::from_value(status).unwrap(),
            connectors: serde_json::from_value(json!(all)).unwrap(),
            queues: serde_json::from_value(json!([queue("to-b", 3), queue("to-c001", 9)])).unwrap(),
            monitors: Vec::new(),
            events: serde_json::from_value(json!([
                event(1, "2026-11-22T04:28:00Z", "information", "object-sent"),
                event(2, "2026-11-22T04:29:30Z", "information", "object-sent"),
                event(3, "2026-11-22T04:29:40Z", "warning", "connect-error"),
            ]))
            .unwrap(),
        }
    }

    fn view(connectors: usize) -> View {
        let mut view = View::default();
        view.update(Ok(snapshot(connectors)), NOW);
        view
    }

    #[test]
    fn a_frame_of_80_by_24_says_what_is_wrong_what_waits_and_since_when() {
        let frame = view(3).frame(NOW, 80, 24, true);
        assert_eq!(frame.lines.len(), 24);
        assert!(frame.lines.iter().all(|line| line.text().chars().count() <= 80));
        let text = frame.text();
        for part in [
            " MTA-A in C=GB;A= ;P=ALPHA   degraded   up 3 h",
            "3 queued, 4.2 KB   1 of 1000 associations   0 in, 1 out a minute",
            "! connector to-b has failed since 2026-11-22T04:00:00Z: refused",
            "to-b      ready         1      3    4.2 KB    5 m     1     0   9 m 192.0.2.7:10",
            "04:29:40 connect-error to-b: some\u{fffd}[2Jthing",
            "q quit",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("object-sent"), "{text}");
    }

    #[test]
    fn rates_are_those_of_the_counters_between_two_looks() {
        let passed = |messages_in: u64, messages_out: u64| {
            let mut snapshot = snapshot(1);
            snapshot.connectors[0].traffic =
                crate::model::Traffic { messages_in, messages_out, ..Default::default() };
            snapshot
        };
        let mut view = View::default();
        view.update(Ok(passed(10, 70_000)), NOW);
        let rates = |view: &View, now: i64| {
            let row = view.rows(now).remove(0);
            (row.received, row.sent)
        };
        assert_eq!(rates(&view, NOW), (0, 1), "by the events");
        view.update(Ok(passed(20, 73_000)), NOW + 10);
        assert_eq!(rates(&view, NOW + 10), (60, 18_000));
        view.update(Ok(passed(20, 73_000)), NOW + 70);
        assert_eq!(rates(&view, NOW + 70), (0, 0), "over the last minute");
        // Another process begins anew.
        let mut restarted = passed(5, 5);
        restarted.status.info.started = "2026-11-22T04:31:00Z".to_owned();
        view.update(Ok(restarted), NOW + 72);
        assert_eq!(rates(&view, NOW + 72).1, 0);
    }

    #[test]
    fn events_that_do_not_reach_back_a_minute_are_taken_for_the_time_that_they_tell_of() {
        let mut snapshot = snapshot(1);
        // Each of the last seconds has one, and older ones are not kept any more.
        let template = snapshot.events[1].clone();
        snapshot.events =
            (0..20).map(|n| crate::model::Event { number: 5_000 + n, ..template.clone() }).collect();
        let at = seconds(&template.time).unwrap();
        let rows = snapshot.rows(at + 10, &Rates::default());
        assert_eq!(rows[0].sent, 120);
    }

    #[test]
    fn no_size_of_the_screen_is_too_small_or_breaks_a_line() {
        let mut view = view(200);
        for (width, height) in [(0, 0), (1, 1), (10, 3), (40, 10), (80, 24), (300, 100)] {
            for _ in 0..3 {
                let frame = view.frame(NOW, width, height, true);
                assert!(frame.lines.len() <= height);
                assert!(frame.lines.iter().all(|line| line.text().chars().count() <= width));
                view.press(Key::Down, NOW);
            }
        }
    }

    #[test]
    fn the_selected_connector_is_in_sight_and_orders_are_asked_about() {
        let mut view = view(50);
        for _ in 0..100 {
            view.press(Key::Down, NOW);
        }
        let selected = |view: &View| {
            let frame = view.frame(NOW, 80, 24, true);
            let line =
                frame.lines.iter().skip(1).find(|line| line.0.first().is_some_and(|p| p.0 == Style::Inverse));
            line.map(Line::text).unwrap_or_default()
        };
        assert!(selected(&view).starts_with("to-c049 "), "{}", selected(&view));
        assert_eq!(view.press(Key::Character('f'), NOW), Wish::Nothing);
        let foot = view.frame(NOW, 80, 24, true).lines.pop().unwrap().text();
        assert!(foot.starts_with("Freeze the queue of to-c049?"), "{foot}");
        assert_eq!(view.press(Key::Character('x'), NOW), Wish::Nothing);
        view.press(Key::Character('t'), NOW);
        assert_eq!(view.press(Key::Character('y'), NOW), Wish::Order(Action::Thaw, "to-c049".to_owned()));
        assert_eq!(view.press(Key::Character('q'), NOW), Wish::Quit);
    }

    #[test]
    fn connectors_are_sorted_as_asked() {
        let mut view = view(3);
        let first = |view: &View| view.rows(NOW)[0].name.clone();
        assert_eq!(first(&view), "to-b");
        view.press(Key::Character('s'), NOW);
        assert_eq!(first(&view), "to-c001");
        view.press(Key::Character('s'), NOW);
        view.press(Key::Character('s'), NOW);
        assert_eq!(first(&view), "to-b");
    }

    #[test]
    fn a_service_that_went_away_is_told_above_what_was_known() {
        let mut view = view(3);
        view.update(Err("no connection".to_owned()), NOW);
        let text = view.frame(NOW, 80, 24, false).text();
        assert!(text.contains("What follows is old: no connection") && text.contains("to-c001"), "{text}");
        let mut view = View::default();
        view.update(Err("no connection".to_owned()), NOW);
        assert_eq!(view.frame(NOW, 80, 24, false).text(), "no connection\n");
    }
}
