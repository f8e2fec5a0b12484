//! Which messages a command is about, by what is known of them.

use clap::Args;
use mhs::AddressPattern;

/// What messages are selected by. All that is given must hold.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// In the queue of this connector; `work` for what is not routed yet.
    #[arg(long, value_name = "CONNECTOR")]
    queue: Option<String>,
    /// From this originator, or from an address space as in "P=BETA;A= ;C=GB".
    #[arg(long, value_name = "OR", value_parser = pattern)]
    from: Option<AddressPattern>,
    /// Received here longer ago than this: 90s, 15m, 2h, 3d.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    older_than: Option<u64>,
    /// Of this priority.
    #[arg(long, value_parser = ["urgent", "normal", "non-urgent"])]
    priority: Option<String>,
    /// In this state.
    #[arg(long, value_parser = ["waiting", "retry", "in-transfer", "deferred", "pending-reroute", "held"])]
    state: Option<String>,
}

/// Selection by recipient, where `--to` is free for it.
#[derive(Debug, Args)]
pub(super) struct To {
    /// For this recipient, or for one in an address space.
    #[arg(long = "to", visible_alias = "recipient", value_name = "OR", value_parser = pattern)]
    pub(super) to: Option<AddressPattern>,
}

/// Selection by recipient beside `--to CONNECTOR`.
#[derive(Debug, Args)]
pub(super) struct Recipient {
    /// For this recipient, or for one in an address space.
    #[arg(long, value_name = "OR", value_parser = pattern)]
    pub(super) recipient: Option<AddressPattern>,
}

impl Selection {
    /// As the API takes it.
    pub(super) fn query(&self, recipient: Option<&AddressPattern>) -> Vec<(&'static str, String)> {
        let given = [
            ("queue", self.queue.clone()),
            ("from", self.from.as_ref().map(ToString::to_string)),
            ("to", recipient.map(ToString::to_string)),
            ("older_than_s", self.older_than.map(|seconds| seconds.to_string())),
            ("priority", self.priority.clone()),
            ("state", self.state.clone()),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

fn pattern(text: &str) -> Result<AddressPattern, String> {
    AddressPattern::parse(text)
        .map_err(|error| format!("{error}; write it as in \"S=operations;P=ALPHA;A= ;C=GB\""))
}

/// A length of time in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no length of time; write it as in 90s, 15m, 2h or 3d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let (number, factor) = match unit {
        's' => (text.trim_end_matches('s'), 1),
        'm' => (text.trim_end_matches('m'), 60),
        'h' => (text.trim_end_matches('h'), 3_600),
        'd' => (text.trim_end_matches('d'), 86_400),
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit() {
        let read: Vec<u64> = ["90s", "15m", "2h", "3d", "0s"].iter().flat_map(|text| seconds(text)).collect();
        assert_eq!(read, [90, 900, 7_200, 259_200, 0]);
        for wrong in ["", "5", "h", "-1h", "1.5h", "99999999999999999999s", "18446744073709551615d", "2w"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
