//! What became of the attempts to open associations.

use agent::connector::{AssociationId, ConnectorState, PolicyEvent};
use clock::MonoTime;

use super::Connector;
use crate::events::EventKind;
use crate::line::{NotOpened, Recover};
use crate::outage::Outage;

impl Connector {
    pub(super) fn opened(&mut self, association: AssociationId) {
        self.works();
        self.policy(PolicyEvent::Opened(association));
    }

    /// An association is open on which we can send.
    pub(super) fn works(&mut self) {
        self.last_failure = None;
        if let Some(text) = self.outage.over(self.shared.clocks.wall()) {
            self.shared.events.is_over(&self.settings.name);
            self.event(EventKind::LinkRecovered, text);
        }
    }

    /// The last association broke. What waits may wait for its next transfer before a new one is opened and the failure
    /// is seen; an operator is told now.
    pub(super) fn broke(&mut self, why: Option<String>) {
        let opens = match self.policy.state() {
            ConnectorState::Opening | ConnectorState::Ready | ConnectorState::Retry { .. } => true,
            ConnectorState::Active
            | ConnectorState::Remote
            | ConnectorState::Scheduled
            | ConnectorState::Held
            | ConnectorState::Disabled
            | ConnectorState::Stopping
            | ConnectorState::Stopped => false,
        };
        if opens && !self.entry.depth.is_empty() && !self.entry.is_frozen() {
            self.outage.broke(self.shared.clocks.wall());
            self.last_failure = why.or_else(|| Some("the last association broke".to_owned()));
        }
    }

    pub(super) fn not_opened(
        &mut self,
        association: AssociationId,
        why: NotOpened,
        recover: Option<(MonoTime, Recover)>,
    ) {
        // No peer was reached that could have been asked for it.
        if self.recover.is_none() {
            self.recover = recover;
        }
        self.lines.remove(&association);
        match why {
            NotOpened::Failed(text) => self.failed(association, text),
            NotOpened::NoPlace(text) => {
                self.last_failure = Some(text);
                self.policy(PolicyEvent::NoPlace(association));
            }
            // The policy knows, since it has asked for it.
            NotOpened::GivenUp => {
                self.policy(PolicyEvent::OpenFailed { association, at: self.shared.clocks.wall() });
            }
        }
    }

    fn failed(&mut self, association: AssociationId, text: String) {
        self.shared.counters.failed_opens.add();
        self.shared.traffic.failed_open(&self.settings.name);
        let told = match self.policy.state() {
            // Many a peer takes one association and no second: that is no outage.
            ConnectorState::Active => format!("no further association was opened: {text}"),
            ConnectorState::Opening
            | ConnectorState::Ready
            | ConnectorState::Retry { .. }
            | ConnectorState::Remote
            | ConnectorState::Scheduled
            | ConnectorState::Held
            | ConnectorState::Disabled
            | ConnectorState::Stopping
            | ConnectorState::Stopped => {
                let attempt = self.outage.failed(self.shared.clocks.wall());
                format!("attempt {attempt} failed: {text}")
            }
        };
        self.shared.event_caused(EventKind::ConnectionNotOpened, &self.settings.name, &text, told);
        self.last_failure = Some(text);
        self.policy(PolicyEvent::OpenFailed { association, at: self.shared.clocks.wall() });
        self.reasons.failed |= self.policy.state() != ConnectorState::Active;
        if let ConnectorState::Retry { until } = self.policy.state() {
            let wait = until.saturating_since(self.shared.clocks.mono());
            self.event(EventKind::OpenRetryTimerStarted, format!("next attempt in {} s", wait.as_secs()));
        }
        if self.policy.consecutive_failures() >= self.settings.retry.max_open_retries {
            let most = self.settings.retry.max_open_retries;
            self.event(
                EventKind::OpenRetriesExhausted,
                format!(
                    "{most} attempts failed: what has waited through all of them is given up or rerouted"
                ),
            );
            // Messages that have seen their last failed open are settled by the expiry pass.
            self.next_expiry = self.shared.clocks.mono();
        }
    }

    /// A connector whose messages have left by other ways, or have become too old, tries no more. When its next attempt
    /// would have been due nobody knows whether it would still fail, and it is not called failing any longer.
    pub(super) fn let_outage_lapse(&mut self) {
        let is_tried = match self.policy.state() {
            ConnectorState::Active | ConnectorState::Opening | ConnectorState::Retry { .. } => true,
            ConnectorState::Ready
            | ConnectorState::Remote
            | ConnectorState::Scheduled
            | ConnectorState::Held
            | ConnectorState::Disabled
            | ConnectorState::Stopping
            | ConnectorState::Stopped => self.policy.waits_until().is_some() || !self.entry.depth.is_empty(),
        };
        if !is_tried {
            self.outage = Outage::default();
        }
    }
}
