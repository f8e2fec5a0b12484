//! Long queues: told once when one reaches a length, and once when it is short again.

use std::collections::BTreeSet;

use agent::record::WORK;
use spool::SpoolError;

use crate::events::EventKind;
use crate::pages::Pages;
use crate::shared::Shared;

/// Lengths of a queue at which it is told. None by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueAlarm {
    /// So many messages are long; 0 tells nothing.
    pub on: u64,
    /// So many are short again, once it was long.
    pub off: u64,
}

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Long,
    Short,
}

impl QueueAlarm {
    /// Whether something is to be told of a queue with so many messages, of which it was told or not that it is long. If
    /// that is not all of them it is not known to be short.
    fn turn(self, was_told: bool, messages: u64, is_all: bool) -> Option<Turn> {
        match was_told {
            false => (self.on > 0 && messages >= self.on).then_some(Turn::Long),
            true => (self.on == 0 || (is_all && messages <= self.off && messages < self.on))
                .then_some(Turn::Short),
        }
    }
}

/// Queues that were told to be long, by connector; the work queue has no name.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    long: BTreeSet<String>,
}

impl Alarms {
    /// Looks at all queues.
    pub(crate) async fn look(&mut self, shared: &Shared) {
        let limits = shared.limits();
        // What is deferred waits for its time, and for nobody here.
        let deferred = shared.deferred.count() as u64;
        let alarm = limits.work_queue_alarm;
        // A store that does not answer is told of elsewhere.
        if let Ok((items, is_all)) = work_queue(shared, alarm.on.saturating_add(deferred)).await {
            self.tell(shared, "", alarm, items.saturating_sub(deferred), is_all);
        }
        let connectors = shared.connectors();
        for (name, entry) in &connectors {
            let total = entry.depth.total();
            self.tell(shared, name, limits.outbound_queue_alarm, total.messages, total.is_complete);
        }
        // The queue of a connector that is gone is nobody's; should it come again it is told again.
        self.long.retain(|long| long.is_empty() || connectors.iter().any(|(name, _)| name == long));
    }

    fn tell(&mut self, shared: &Shared, name: &str, alarm: QueueAlarm, messages: u64, is_all: bool) {
        let (long, short) = match name {
            "" => (EventKind::WorkQueueLong, EventKind::WorkQueueShort),
            _ => (EventKind::OutboundQueueLong, EventKind::OutboundQueueShort),
        };
        match alarm.turn(self.long.contains(name), messages, is_all) {
            None => {}
            Some(Turn::Long) => {
                self.long.insert(name.to_owned());
                let at_least = if is_all { "" } else { "at least " };
                let text = format!("{at_least}{messages} messages wait; the alarm is set at {}", alarm.on);
                shared.event(long, name, text);
            }
            Some(Turn::Short) => {
                self.long.remove(name);
                shared.event(short, name, format!("{messages} messages wait"));
            }
        }
    }
}

/// How many items the work queue has, and whether that is all: nothing is counted beyond `most`. The window over the queue is
/// bounded, so what is longer is counted in the store.
async fn work_queue(shared: &Shared, most: u64) -> Result<(u64, bool), SpoolError> {
    let (known, is_more) = shared.work.known();
    if !is_more || known as u64 >= most {
        return Ok((known as u64, !is_more));
    }
    let (mut pages, mut items) = (Pages::new(WORK, Vec::new()), 0_u64);
    while items < most {
        shared.beat();
        let Some(page) = pages.next(&*shared.spool).await? else { return Ok((items, true)) };
        items = items.saturating_add(page.len() as u64);
    }
    Ok((items, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_goes_on_at_its_length_and_off_at_the_other_once_each() {
        let alarm = QueueAlarm { on: 10, off: 4 };
        let mut was_told = false;
        let mut told = Vec::new();
        for (messages, is_all) in [
            (0, true),
            (9, true),
            (10, false),
            (12, true),
            (5, true),
            (4, false),
            (4, true),
            (9, true),
            (10, true),
        ] {
            if let Some(turn) = alarm.turn(was_told, messages, is_all) {
                was_told = turn == Turn::Long;
                told.push((messages, turn));
            }
        }
        assert_eq!(told, [(10, Turn::Long), (4, Turn::Short), (10, Turn::Long)]);
        // Without one nothing is told, and what was told before comes to an end.
        let none = QueueAlarm::default();
        assert_eq!(
            (none.turn(false, 1_000_000, true), none.turn(true, 1_000_000, true)),
            (None, Some(Turn::Short))
        );
    }
}
