//! When a link monitor was without answers: kept for the operator who comes later and asks whether this has happened before.

use std::collections::VecDeque;

use clock::WallTime;
use serde::{Deserialize, Serialize};

use crate::status::LateSpell;

/// So many are remembered.
pub(super) const MOST: usize = 20;

/// How late an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Level {
    /// Not late.
    #[default]
    OnTime,
    /// Later than `late_after_s`.
    Late,
    /// Later than `alarm_after_s`.
    Alarm,
}

/// The newest times without answers, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spells(VecDeque<Spell>);

/// A time without answers that was told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Spell {
    /// When what had no answer was sent, seconds since 1970.
    since: i64,
    /// When an answer came again; none while it goes on.
    until: Option<i64>,
    /// How late it has become.
    level: Level,
}

impl Spells {
    /// Answers were as late as `before` and are as late as `level` now, since what was sent at `since` has none.
    pub(super) fn note(&mut self, before: Level, level: Level, since: WallTime, now: WallTime) {
        if before == Level::OnTime && level > Level::OnTime {
            if self.0.len() >= MOST {
                self.0.pop_front();
            }
            self.0.push_back(Spell { since: since.unix(), until: None, level });
        } else if let Some(spell) = self.0.back_mut().filter(|spell| spell.until.is_none()) {
            spell.level = spell.level.max(level);
            if level == Level::OnTime {
                spell.until = Some(now.unix());
            }
        }
    }

    /// For people, the newest first.
    pub(super) fn status(&self) -> Vec<LateSpell> {
        self.0.iter().rev().map(Spell::status).collect()
    }
}

impl Spell {
    fn status(&self) -> LateSpell {
        LateSpell {
            since: WallTime::from_unix(self.since).to_string(),
            until: self.until.map(|at| WallTime::from_unix(at).to_string()),
            lasted_s: self.until.map(|at| at.saturating_sub(self.since).max(0).unsigned_abs()),
            alarm: self.level == Level::Alarm,
        }
    }
}
