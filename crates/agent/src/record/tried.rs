//! How often the handling of an item has failed, and how.

use clock::WallTime;
use serde::{Deserialize, Serialize};

use super::codec;

/// Failures of this program over an item after which it is quarantined.
const MOST_FAILURES: u32 = 3;
/// Deaths of the process with the item in hand after which it is quarantined. The death before the first of these is not
/// counted, since what was in hand is noted only after a death.
const MOST_DEATHS: u32 = 2;

/// What went wrong with an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriedRecord {
    /// How often a decision about it, or its transfer, panicked or took too long.
    pub failures: u32,
    /// How often the process died while it was in hand.
    pub deaths: u32,
    /// It is in hand.
    pub in_hand: bool,
    /// What happened last, for people.
    pub last: String,
    /// When.
    #[serde(with = "codec::wall")]
    pub time: WallTime,
    /// Of one in quarantine: whether its originator was told.
    pub told: WhetherTold,
    /// Its MTS-identifier in text form, once it could be read.
    pub mts_identifier: Option<String>,
}

/// Whether the originator of something in quarantine was told. The order is that of the stored form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhetherTold {
    /// It is to be tried.
    NotYet,
    /// It is being tried. Found after a start it means that the process died of it: it is not tried again.
    BeingTried,
    /// A report was made.
    Told,
    /// No report can be made, or none is due.
    Not,
}

impl TriedRecord {
    /// Of an item with which nothing went wrong so far.
    pub fn new(time: WallTime) -> TriedRecord {
        TriedRecord {
            failures: 0,
            deaths: 0,
            in_hand: false,
            last: String::new(),
            time,
            told: WhetherTold::NotYet,
            mts_identifier: None,
        }
    }

    /// Whether it is to be quarantined and not tried again.
    pub fn is_hopeless(&self) -> bool {
        self.failures >= MOST_FAILURES || self.deaths >= MOST_DEATHS
    }
}
