//! Tells the originator of what went into quarantine, once. The report is made from the envelope, which may be what has done
//! the harm: so it is made where a panic and an endless loop are harmless, and a note in the store says so while it is made,
//! so that a process that dies of it does not try again.

use std::sync::Arc;

use agent::Quarantined;
use agent::Step;
use agent::record::{QUARANTINE, Record, TRIED, TriedRecord, WhetherTold};

use super::decide;
use crate::events::EventKind;
use crate::shared::Shared;

/// Takes up what an earlier process had not told.
pub(super) async fn take_up(shared: &Arc<Shared>, aside: Vec<u8>, note: TriedRecord) {
    match note.told {
        WhetherTold::NotYet => shared.trials.fallen.to_tell(aside, note),
        WhetherTold::BeingTried => {
            let text = "no report can be made on something in quarantine: the process died of the attempt";
            shared.event(EventKind::Quarantined, "", text);
            put(shared, Step::default(), aside, &TriedRecord { told: WhetherTold::Not, ..note }).await;
        }
        WhetherTold::Told | WhetherTold::Not => {}
    }
}

/// Makes the report, if there can be one.
pub(super) async fn tell(shared: &Arc<Shared>, aside: Vec<u8>, note: TriedRecord) {
    let Ok(Some(value)) = shared.spool.get(QUARANTINE, &aside).await else { return };
    let Ok(Some(quarantined)) = Quarantined::decode(&aside, &value) else { return };
    let note = TriedRecord { told: WhetherTold::BeingTried, ..note };
    if !put(shared, Step::default(), aside.clone(), &note).await {
        return;
    }
    let number = quarantined.number();
    let mut report = decide(shared, move |shared, agent| {
        agent.report_on_quarantined(shared.clocks.wall(), &shared.sequence, &quarantined)
    });
    let budget = shared.limits().processing_timeout;
    let why = match report.within(budget).await {
        Ok(Ok(Some((step, identifier)))) => {
            let told = WhetherTold::Told;
            let note = TriedRecord { told, mts_identifier: Some(identifier), ..note };
            put(shared, step, aside, &note).await;
            return;
        }
        Ok(Ok(None)) => "it is a report itself".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(undecided) => undecided.to_string(),
    };
    let text = format!("no report is made on number {number} in quarantine: {why}");
    shared.event(EventKind::Quarantined, "", text);
    put(shared, Step::default(), aside, &TriedRecord { told: WhetherTold::Not, ..note }).await;
}

/// Writes the note, with what else the step has. False if it was not written: it has left the quarantine, or the store
/// fails.
async fn put(shared: &Arc<Shared>, mut step: Step, aside: Vec<u8>, note: &TriedRecord) -> bool {
    step.batch.assert_present(QUARANTINE, aside.clone()).put(TRIED, aside, note.encode());
    shared.commit(step).await.is_ok()
}
