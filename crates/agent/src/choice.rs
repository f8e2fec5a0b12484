//! The order of the connectors that take a message: the filters that administrators of the Exchange MTA know, one after the
//! other. Those dropped by a filter are not lost: they come behind those that are kept, should these fail.

use clock::WallTime;

use crate::agent::Agent;
use crate::selection::{Candidate, Explain, Traveller, names};
use crate::settings::{Activation, ConnectorSettings};

/// When a connector can be used, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Readiness {
    Now,
    /// From this time on.
    Later(WallTime),
    /// When the peer connects.
    Remote,
    Never,
}

impl Readiness {
    fn of(connector: &ConnectorSettings, now: Option<WallTime>) -> Self {
        match (connector.activation, now) {
            // Whoever asks without a time asks about the best of them.
            (Activation::Always, _) | (Activation::SelectedTimes(_), None) => Readiness::Now,
            (Activation::SelectedTimes(times), Some(now)) => match times.next_active(now) {
                Some(next) if next <= now => Readiness::Now,
                Some(next) => Readiness::Later(next),
                None => Readiness::Never,
            },
            (Activation::RemoteInitiated, _) => Readiness::Remote,
            (Activation::Never, _) => Readiness::Never,
        }
    }

    fn text(self) -> String {
        match self {
            Readiness::Now => "active".to_owned(),
            Readiness::Later(time) => format!("active from {time} on"),
            Readiness::Remote => "remote-initiated".to_owned(),
            Readiness::Never => "never active".to_owned(),
        }
    }
}

/// What a connector is compared by, in the order of the filters. The least is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Merit {
    readiness: Readiness,
    tries: u32,
    waits: bool,
    cost: u8,
    /// It is not used for another recipient of the message.
    apart: bool,
    /// Different for each message, so that many are shared out evenly.
    lot: u64,
}

impl Agent {
    /// The names of the connectors, best first.
    pub(crate) fn rank(
        &self,
        left: Vec<Candidate<'_>>,
        traveller: Traveller<'_>,
        chosen: &dyn Fn(&str) -> bool,
        explain: Explain<'_>,
    ) -> Vec<String> {
        let mut ranked: Vec<(Merit, Candidate<'_>)> = left
            .into_iter()
            .map(|candidate| {
                let name = candidate.connector.name.as_str();
                let merit = Merit {
                    readiness: Readiness::of(candidate.connector, traveller.now),
                    tries: traveller.tries.map_or(0, |tries| tries.of(name)),
                    waits: traveller.links.is_some_and(|links| links.is_waiting(name)),
                    cost: candidate.cost,
                    apart: !chosen(name),
                    lot: lot(traveller.identifier, name),
                };
                (merit, candidate)
            })
            .collect();
        explain_each(&ranked, explain);
        // The sort is stable: what is left to it is the order of the file.
        ranked.sort_by_key(|(merit, _)| *merit);
        explain(&|| {
            let shown = |(merit, candidate): &(Merit, Candidate<'_>)| {
                format!("{} ({}, cost {})", candidate.connector.name, merit.readiness.text(), merit.cost)
            };
            let order: Vec<String> = ranked.iter().map(shown).collect();
            format!("in this order: {}", order.join(", "))
        });
        ranked.into_iter().map(|(_, candidate)| candidate.connector.name.clone()).collect()
    }

    /// Drops all but the cheapest, unless none of these is active at this time and a dearer one is.
    pub(crate) fn least_cost(
        &self,
        left: &mut Vec<Candidate<'_>>,
        now: Option<WallTime>,
        explain: Explain<'_>,
    ) {
        let is_active = |c: &Candidate<'_>| Readiness::of(c.connector, now) == Readiness::Now;
        let active = left.iter().any(is_active);
        let considered = left.iter().filter(|candidate| !active || is_active(candidate));
        let Some(least) = considered.map(|candidate| candidate.cost).min() else { return };
        let keeps = |c: &Candidate<'_>| c.cost == least && (!active || is_active(c));
        let (kept, dropped): (Vec<_>, Vec<_>) = left.iter().partition(|candidate| keeps(candidate));
        explain(&|| match dropped.as_slice() {
            [] => "least cost only: drops none".to_owned(),
            dropped => format!("least cost only: drops {}", names(dropped)),
        });
        *left = kept;
    }
}

/// Tells what each filter drops of those that the ones before it have left.
fn explain_each(ranked: &[(Merit, Candidate<'_>)], explain: Explain<'_>) {
    let mut left: Vec<&(Merit, Candidate<'_>)> = ranked.iter().collect();
    keep_best(&mut left, "activation", |merit| merit.readiness, explain);
    keep_best(&mut left, "failed opens seen by it", |merit| merit.tries, explain);
    keep_best(&mut left, "waiting after a failed open", |merit| merit.waits, explain);
    keep_best(&mut left, "cost", |merit| merit.cost, explain);
    explain(&|| "connectors of this MTA before those of others: all are of this MTA, drops none".to_owned());
    keep_best(&mut left, "used for another recipient of it already", |merit| merit.apart, explain);
    if left.len() > 1 {
        let left: Vec<_> = left.iter().map(|(_, candidate)| *candidate).collect();
        explain(&|| format!("messages are shared out among {}", names(&left)));
    }
}

fn keep_best<'a, K: Ord>(
    left: &mut Vec<&'a (Merit, Candidate<'a>)>,
    what: &str,
    key: impl Fn(&Merit) -> K,
    explain: Explain<'_>,
) {
    let Some(best) = left.iter().map(|(merit, _)| key(merit)).min() else { return };
    let (kept, dropped): (Vec<&(Merit, Candidate<'_>)>, Vec<_>) =
        left.drain(..).partition(|(merit, _)| key(merit) == best);
    explain(&|| match dropped.as_slice() {
        [] => format!("{what}: drops none"),
        dropped => {
            let dropped: Vec<_> = dropped.iter().map(|(_, candidate)| *candidate).collect();
            format!("{what}: drops {}", names(&dropped))
        }
    });
    *left = kept;
}

/// A number that looks random, for this message and connector (FNV-1a); the same for all connectors if nothing is
/// known of the message.
fn lot(identifier: &str, connector: &str) -> u64 {
    if identifier.is_empty() {
        return 0;
    }
    let octets = identifier.bytes().chain([0]).chain(connector.bytes());
    let hash = octets.fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    });
    // The last octets have hardly reached the upper bits.
    (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}
