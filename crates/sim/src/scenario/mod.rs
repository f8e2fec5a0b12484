//! The scenarios, each from a published fault of an MTA of the field, and what they have in common.

mod s1;
mod s2;
mod s3;
mod s4;
mod s5;
mod stage;

use std::fmt;
use std::str::FromStr;

pub use stage::Stage;

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// Peers that fail in every way use nothing up.
    S1,
    /// Dead peers never slow another.
    S2,
    /// Peers with many names, vanished connectors, stops in any state.
    S3,
    /// A network that breaks in every way recovers; nothing is lost, nothing comes twice.
    S4,
    /// A third-party MTA gets standard P1 and nothing else.
    S5,
}

/// What the harness does wrong, to see that the checks notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Connections are never given back.
    Leak,
    /// One slow connection holds up all.
    Blocking,
    /// Addresses are tried again and again.
    Loop,
    /// Disks forget at a crash what they had said was safe.
    LostResume,
    /// Something private is among what a third-party peer gets.
    Private,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Scenario; 5] = [Scenario::S1, Scenario::S2, Scenario::S3, Scenario::S4, Scenario::S5];

    /// Keeps the runs of different scenarios with one seed apart.
    pub(crate) fn salt(self) -> u64 {
        match self {
            Scenario::S1 => 0x5401,
            Scenario::S2 => 0x5402,
            Scenario::S3 => 0x5403,
            Scenario::S4 => 0x5404,
            Scenario::S5 => 0x5405,
        }
    }

    pub(crate) async fn play(self, stage: &mut Stage) {
        match self {
            Scenario::S1 => s1::play(stage).await,
            Scenario::S2 => s2::play(stage).await,
            Scenario::S3 => s3::play(stage).await,
            Scenario::S4 => s4::play(stage).await,
            Scenario::S5 => s5::play(stage).await,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scenario::S1 => "s1",
            Scenario::S2 => "s2",
            Scenario::S3 => "s3",
            Scenario::S4 => "s4",
            Scenario::S5 => "s5",
        })
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Scenario::ALL.into_iter().find(|scenario| scenario.to_string() == text);
        found.ok_or_else(|| format!("no scenario {text}"))
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Control::Leak => "leak",
            Control::Blocking => "blocking",
            Control::Loop => "loop",
            Control::LostResume => "lost-resume",
            Control::Private => "private",
        })
    }
}

impl FromStr for Control {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Control::Leak, Control::Blocking, Control::Loop, Control::LostResume, Control::Private];
        let found = all.into_iter().find(|control| control.to_string() == text);
        found.ok_or_else(|| format!("no control {text}"))
    }
}
