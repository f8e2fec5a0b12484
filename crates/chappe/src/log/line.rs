//! One line of the log: what `tracing` hands over, taken apart, and how it looks as text and as JSON.

use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use clock::WallTime;
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::Format;
use crate::cli::output::one_line;
use crate::style;

/// How lines look on standard error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Text or JSON.
    pub(super) format: Format,
    /// Whether the journal reads it, which has the time itself and wants the priority in front.
    pub(super) is_journal: bool,
    /// Whether a person looks at it on a terminal.
    pub(super) colours: bool,
}

/// What is said, whatever it looks like. Nothing in it can end the line.
#[derive(Debug, Default, Serialize)]
pub(super) struct Line {
    /// When, RFC 3339 in UTC.
    pub(super) time: String,
    /// How much it matters: error, warning, information, debug or trace.
    pub(super) level: &'static str,
    /// Name of the event, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<String>,
    /// The Exchange MTA's number for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<u64>,
    /// Its category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) category: Option<String>,
    /// What it is about.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) subject: String,
    /// Module that says so, where it is no event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) module: Option<&'static str>,
    /// What there is to say.
    pub(super) text: String,
    #[serde(skip)]
    pub(super) severity: u8,
}

impl Line {
    /// Takes over what `tracing` has.
    pub(super) fn of(event: &Event<'_>) -> Line {
        let metadata = event.metadata();
        let (level, severity) = match *metadata.level() {
            Level::ERROR => ("error", 3),
            Level::WARN => ("warning", 4),
            Level::INFO => ("information", 6),
            Level::DEBUG => ("debug", 7),
            Level::TRACE => ("trace", 7),
        };
        let mut line = Line { time: now(SystemTime::now()), level, severity, ..Line::default() };
        event.record(&mut line);
        line.text = one_line(&line.text);
        if line.event.is_none() {
            line.module = Some(metadata.target());
        }
        line
    }

    /// What the log has to say of itself.
    pub(super) fn own(text: String) -> Line {
        let time = now(SystemTime::now());
        Line { time, level: "warning", severity: 4, module: Some("chappe::log"), text, ..Line::default() }
    }

    /// Severity of RFC 5424: 3 error, 4 warning, 6 informational, 7 debug.
    pub(super) fn severity(&self) -> u8 {
        self.severity
    }

    /// As standard error gets it, with the line's end.
    pub(super) fn on_stderr(&self, look: Look) -> String {
        let mut shown = String::new();
        if look.is_journal {
            // Writing to a string does not fail, here and below.
            let _ = write!(shown, "<{}>", self.severity);
        }
        match look.format {
            Format::Json => match serde_json::to_string(self) {
                Ok(json) => shown.push_str(&json),
                // Strings and a number can always be written.
                Err(error) => shown.push_str(&format!("{error}: {}", self.text)),
            },
            Format::Text => {
                if !look.is_journal {
                    let level = format!("{:7}", self.short_level());
                    let level = match (look.colours, self.severity) {
                        (true, 3) => style::Paint::Bad.on(&level),
                        (true, 4) => style::Paint::Doubtful.on(&level),
                        (true, _) | (false, _) => level,
                    };
                    let _ = write!(shown, "{} {level} ", self.time);
                }
                shown.push_str(&self.said());
            }
        }
        shown.push('\n');
        shown
    }

    /// Without time and level: `connect-error 4284 to-b: no answer`.
    pub(super) fn said(&self) -> String {
        let mut said = String::new();
        match (&self.event, self.module) {
            (Some(event), _) => {
                said.push_str(event);
                if let Some(id) = self.id {
                    let _ = write!(said, " {id}");
                }
                if !self.subject.is_empty() {
                    let _ = write!(said, " {}", self.subject);
                }
                said.push_str(": ");
            }
            (None, Some(module)) => {
                let _ = write!(said, "{module}: ");
            }
            (None, None) => {}
        }
        said.push_str(&self.text);
        said
    }

    fn short_level(&self) -> &'static str {
        match self.level {
            "information" => "INFO",
            "warning" => "WARNING",
            "error" => "ERROR",
            "debug" => "DEBUG",
            _ => "TRACE",
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "event" => self.event = Some(one_line(value)),
            "category" => self.category = Some(one_line(value)),
            "subject" => self.subject = one_line(value),
            _ => self.record_debug(field, &format_args!("{value}")),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "id" => self.id = Some(value),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            // The text itself comes first, whatever order the fields are in.
            "message" => {
                let rest = std::mem::take(&mut self.text);
                write!(self.text, "{value:?}{rest}")
            }
            name => write!(self.text, " {name}={value:?}"),
        };
    }
}

/// RFC 3339 with microseconds.
fn now(at: SystemTime) -> String {
    let passed = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = WallTime::from_unix(i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)).to_string();
    format!("{}.{:06}Z", seconds.trim_end_matches('Z'), passed.subsec_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line {
            time: "2026-11-22T04:30:00.000001Z".to_owned(),
            level: "warning",
            event: Some("connect-error".to_owned()),
            id: Some(4284),
            category: Some("X.400 Service".to_owned()),
            subject: "to-b".to_owned(),
            module: None,
            text: "refused \"here\"".to_owned(),
            severity: 4,
        }
    }

    const PLAIN: Look = Look { format: Format::Text, is_journal: false, colours: false };

    #[test]
    fn text_is_for_people_and_the_journal_gets_the_priority_in_place_of_the_time() {
        let told = "connect-error 4284 to-b: refused \"here\"\n";
        assert_eq!(line().on_stderr(PLAIN), format!("2026-11-22T04:30:00.000001Z WARNING {told}"));
        assert_eq!(line().on_stderr(Look { is_journal: true, ..PLAIN }), format!("<4>{told}"));
        let coloured = line().on_stderr(Look { colours: true, ..PLAIN });
        assert!(coloured.contains("\u{1b}[33mWARNING\u{1b}[0m connect-error"), "{coloured:?}");
    }

    #[test]
    fn json_is_one_object_on_a_line() {
        let shown = line().on_stderr(Look { format: Format::Json, ..PLAIN });
        assert!(shown.ends_with("}\n") && shown.lines().count() == 1, "{shown}");
        let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let expected = serde_json::json!({
            "time": "2026-11-22T04:30:00.000001Z", "level": "warning", "event": "connect-error", "id": 4284,
            "category": "X.400 Service", "subject": "to-b", "text": "refused \"here\"",
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn times_have_microseconds() {
        let at = UNIX_EPOCH + std::time::Duration::new(1_795_321_800, 42_000);
        assert_eq!(now(at), "2026-11-22T04:30:00.000042Z");
    }
}
