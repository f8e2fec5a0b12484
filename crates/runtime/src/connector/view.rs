//! What a connector shows of itself.

use agent::connector::ConnectorState;
use agent::record::Rank;
use clock::{MonoTime, WallTime};

use super::Connector;
use crate::line::ConnectorView;

impl Connector {
    pub(super) fn show(&mut self) {
        self.let_outage_lapse();
        let retry = usize::from(matches!(self.policy.state(), ConnectorState::Retry { .. }));
        self.timers.set((self.entry.retries.len() + retry) as u64);
        let (urgent, other) = self.waiting();
        let state = self.policy.state();
        let retry_at = match state {
            ConnectorState::Retry { until } => Some(until),
            ConnectorState::Active
            | ConnectorState::Opening
            | ConnectorState::Ready
            | ConnectorState::Remote
            | ConnectorState::Scheduled
            | ConnectorState::Held
            | ConnectorState::Disabled
            | ConnectorState::Stopping
            | ConnectorState::Stopped => None,
        };
        self.view.send_replace(ConnectorView {
            retry_at,
            retry_time: self.retry_time(retry_at),
            waits_until: self.policy.waits_until().filter(|_| state != ConnectorState::Active),
            state: state_name(state),
            consecutive_failures: self.policy.consecutive_failures(),
            last_failure: self.last_failure.clone(),
            outage: self.outage.clone(),
            waiting: urgent + other,
        });
    }

    /// The time of day at which the next attempt is made; one and the same for as long as it is waited for.
    fn retry_time(&self, retry_at: Option<MonoTime>) -> Option<WallTime> {
        let shown = self.view.borrow();
        if shown.retry_at == retry_at {
            return shown.retry_time;
        }
        let seconds = retry_at?.saturating_since(self.shared.clocks.mono()).as_secs();
        Some(self.shared.clocks.wall().plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)))
    }

    /// Urgent messages, reports and probes that wait, and all others: those beyond the window of the queue as well, among
    /// which nobody tells which are urgent. What has failed waits when it is due.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let backlog = &self.entry.backlog;
        let (urgent, other) = backlog.waiting_by_rank(backlog.prefix().len(), Rank::Normal.octet());
        let (urgent_due, other_due) = self.entry.retries.due();
        let Some(taken) = backlog.taken_beside_more() else {
            return (urgent + urgent_due, other + other_due);
        };
        let queued = usize::try_from(self.entry.depth.total().messages).unwrap_or(usize::MAX);
        (urgent + urgent_due, other.max(queued.saturating_sub(taken + urgent)) + other_due)
    }
}

/// The connector's state in the words of the queue display of the Exchange MTA, where it has one.
fn state_name(state: ConnectorState) -> &'static str {
    match state {
        ConnectorState::Active => "active",
        ConnectorState::Opening => "opening",
        ConnectorState::Ready => "ready",
        ConnectorState::Retry { .. } => "retry",
        ConnectorState::Remote => "remote",
        ConnectorState::Scheduled => "scheduled",
        ConnectorState::Held => "held",
        ConnectorState::Disabled => "disabled",
        ConnectorState::Stopping => "stopping",
        ConnectorState::Stopped => "stopped",
    }
}
