//! Settings of link monitors.

use std::time::Duration;

use mhs::OrAddress;

/// One link monitor: what is sent along a path, how often, and how long an answer may take.
#[derive(Clone, Debug, PartialEq)]
pub struct MonitorSettings {
    /// Unique name.
    pub name: String,
    /// Who sends: a mailbox here that nobody else uses. Answers are taken out of it.
    pub from: OrAddress,
    /// Where the path ends.
    pub to: OrAddress,
    /// What is sent.
    pub kind: MonitorKind,
    /// How often. Default 15 min.
    pub every: Duration,
    /// After which time an answer is late. Default 30 min.
    pub late_after: Duration,
    /// After which time that is an alarm. Default 60 min.
    pub alarm_after: Duration,
}

/// What a monitor sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MonitorKind {
    /// A probe, of which nothing is left anywhere.
    #[default]
    Probe,
    /// A short interpersonal message that asks for a delivery report.
    Message,
}

impl MonitorKind {
    /// As the configuration has it.
    pub fn name(self) -> &'static str {
        match self {
            MonitorKind::Probe => "probe",
            MonitorKind::Message => "message",
        }
    }
}
