//! What operators do, as events: who, what, to which, and how it went.

use std::collections::BTreeMap;

use agent::Operation;

use crate::events::EventKind;
use crate::handle::Handle;
use crate::operations::Outcome;
use crate::queues::Selection;
use crate::status::QueuedMessage;

/// Reasons that are told of one page.
const REASONS: usize = 3;

impl Handle {
    /// Tells that `by` did something to `subject`, a connector or nothing in particular, or why it was not done.
    pub fn audit(&self, subject: &str, by: &str, what: &str, refused: Option<String>) {
        let outcome = refused.map_or_else(|| "done".to_owned(), |why| format!("refused: {why}"));
        self.shared.event(EventKind::OperatorAction, subject, format!("{by}: {what}: {outcome}"));
    }

    /// Tells that `who` asked for what he may not have.
    pub fn access_refused(&self, who: &str, what: &str) {
        self.shared.event_caused(EventKind::AccessRefused, who, what, format!("{who}: {what}"));
    }

    /// Of each copy.
    pub(crate) fn audit_each(&self, operation: &Operation, by: &str, outcomes: &[Outcome]) {
        for Outcome { message, refused } in outcomes {
            let QueuedMessage { kind, mts_id, number, queue, .. } = message;
            let what = format!("{operation}: {kind} {mts_id} (number {number}, queue {queue})");
            self.audit(queue, by, &what, refused.clone());
        }
    }

    /// Of one page of a selection, if there was anything on it.
    pub(crate) fn audit_page(
        &self,
        selection: &Selection,
        operation: &Operation,
        by: &str,
        outcomes: &[Outcome],
    ) {
        if outcomes.is_empty() {
            return;
        }
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for why in outcomes.iter().filter_map(|outcome| outcome.refused.as_deref()) {
            *reasons.entry(why).or_default() += 1;
        }
        let refused: usize = reasons.values().sum();
        let done = outcomes.len().saturating_sub(refused);
        let mut text = format!("{by}: {operation}: {selection}: {done} copies done");
        if refused > 0 {
            let told = reasons.iter().take(REASONS).map(|(why, count)| format!("{count} because {why}"));
            text.push_str(&format!(", {refused} refused: {}", told.collect::<Vec<_>>().join("; ")));
            if reasons.len() > REASONS {
                text.push_str("; the rest for other reasons");
            }
        }
        self.shared.event(EventKind::OperatorAction, selection.queue.as_deref().unwrap_or_default(), text);
    }
}
