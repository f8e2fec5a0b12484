//! Which of the connectors that take an address is used: what each filter drops, in the order in which administrators of
//! the Exchange MTA know them, and the order of those that remain.

use std::cmp::Reverse;
use std::fmt;

use mhs::p1::Obstacle;
use mhs::{ContentType, OrAddress};

use crate::agent::Agent;
use crate::record::Rank;
use crate::routing::{RouteDecision, RouteFailure};
use crate::settings::{Activation, ConnectorSettings};

/// What is known of the thing to be routed, besides the address. What is not known is not judged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traveller<'a> {
    /// The connector it came in on.
    pub(crate) incoming: Option<&'a str>,
    /// Connectors given up.
    pub(crate) exhausted: &'a [String],
    /// Length of its content, octets.
    pub(crate) content_length: u64,
    /// It is a report: small, nobody's wish, and there is nothing to be said about it if it is refused.
    pub(crate) is_report: bool,
    pub(crate) originator: Option<&'a OrAddress>,
    pub(crate) priority: Option<Rank>,
    pub(crate) content_type: Option<&'a ContentType>,
    /// What keeps it from going over a 1984 link.
    pub(crate) obstacle_in_1984: Option<&'a Obstacle>,
}

/// Why a connector does not take a message, by its restrictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restricted {
    /// Its originator.
    Originator,
    /// Its priority.
    Priority,
    /// Its content type.
    ContentType,
}

impl fmt::Display for Restricted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Restricted::Originator => "originator",
            Restricted::Priority => "priority",
            Restricted::ContentType => "content type",
        })
    }
}

/// Receives the steps of a decision, which are put into words only if somebody listens.
pub(crate) type Explain<'e> = &'e mut dyn FnMut(&dyn Fn() -> String);

/// A connector with an address space that matches, and its cost there.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) connector: &'a ConnectorSettings,
    pub(crate) cost: u8,
}

/// Drops those that `keep` does not approve of; fails if none is left.
fn filter(
    left: &mut Vec<Candidate<'_>>,
    explain: Explain<'_>,
    what: fmt::Arguments<'_>,
    keep: impl Fn(&ConnectorSettings) -> bool,
    failure: impl Fn() -> RouteFailure,
) -> Result<(), RouteFailure> {
    let (kept, dropped): (Vec<_>, Vec<_>) = left.iter().partition(|candidate| keep(candidate.connector));
    explain(&|| match dropped.as_slice() {
        [] => format!("{what}: drops none"),
        dropped => format!("{what}: drops {}", names(dropped)),
    });
    *left = kept;
    if left.is_empty() {
        explain(&|| format!("{}: non-delivery", failure()));
        return Err(failure());
    }
    Ok(())
}

fn names(candidates: &[Candidate<'_>]) -> String {
    candidates.iter().map(|candidate| candidate.connector.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl Agent {
    /// The connectors to be used, best first.
    pub(crate) fn choose(
        &self,
        mut left: Vec<Candidate<'_>>,
        traveller: Traveller<'_>,
        chosen: &dyn Fn(&str) -> bool,
        explain: Explain<'_>,
    ) -> RouteDecision {
        if left.is_empty() {
            let failure = RouteFailure::NoMatch;
            explain(&|| format!("{failure}: non-delivery"));
            return RouteDecision::Unknown(failure);
        }
        if let Err(failure) = self.eliminate(traveller, &mut left, explain) {
            return RouteDecision::Unknown(failure);
        }
        // The sort is stable: what is left to it is the order of the file.
        left.sort_by_key(|candidate| {
            let connector = candidate.connector;
            (activation_rank(connector.activation), candidate.cost, Reverse(chosen(&connector.name)))
        });
        let shown = |candidate: &Candidate<'_>| {
            let (connector, cost) = (candidate.connector, candidate.cost);
            format!("{} ({}, cost {cost})", connector.name, activation_name(connector.activation))
        };
        explain(&|| {
            let order: Vec<String> = left.iter().map(shown).collect();
            format!("by activation, then cost, then order of the file: {}", order.join(", "))
        });
        RouteDecision::Connectors(
            left.into_iter().map(|candidate| candidate.connector.name.clone()).collect(),
        )
    }

    fn eliminate(
        &self,
        traveller: Traveller<'_>,
        left: &mut Vec<Candidate<'_>>,
        explain: Explain<'_>,
    ) -> Result<(), RouteFailure> {
        if let Some(name) = traveller.incoming {
            let incoming = self.settings().connector(name);
            // Another connector to the same MTA leads back as well.
            let other = |c: &ConnectorSettings| {
                c.name != name && incoming.is_none_or(|back| back.shared_name(c).is_none())
            };
            let what = format_args!("not back to where it came from over {name}");
            filter(left, explain, what, other, || RouteFailure::WayBack(name.to_owned()))?;
            let allowed = |c: &ConnectorSettings| {
                incoming.is_some_and(|connector| connector.relay_to.includes(&c.name))
                    // What may be relayed one way may be reported about the other way.
                    || traveller.is_report && c.relay_to.includes(name)
            };
            let what = format_args!("relay from {name} allowed");
            filter(left, explain, what, allowed, || RouteFailure::RelayDenied(name.to_owned()))?;
        }
        if !traveller.is_report {
            restrictions(self, traveller, left, explain)?;
            let length = traveller.content_length;
            let takes = |c: &ConnectorSettings| {
                c.max_message_size_kb.is_none_or(|limit| length <= limit.saturating_mul(1024))
            };
            if length > 0 {
                let what = format_args!("content not longer than it takes");
                filter(left, explain, what, takes, || RouteFailure::TooLong)?;
            }
        }
        if let Some(obstacle) = traveller.obstacle_in_1984 {
            let speaks_1988 = |c: &ConnectorSettings| !c.speaks_1984();
            let what = format_args!("no 1984 link, which can't say it");
            filter(left, explain, what, speaks_1988, || RouteFailure::Downgrade(obstacle.clone()))?;
        }
        if !traveller.exhausted.is_empty() {
            let fresh = |c: &ConnectorSettings| !traveller.exhausted.contains(&c.name);
            let what = format_args!("not tried and given up already");
            filter(left, explain, what, fresh, || RouteFailure::Exhausted)?;
        }
        Ok(())
    }
}

fn restrictions(
    agent: &Agent,
    traveller: Traveller<'_>,
    left: &mut Vec<Candidate<'_>>,
    explain: Explain<'_>,
) -> Result<(), RouteFailure> {
    let mut drop = |restricted: Restricted, takes: &dyn Fn(&ConnectorSettings) -> bool| {
        let what = format_args!("{restricted} accepted");
        filter(left, explain, what, takes, || RouteFailure::Restricted(restricted))
    };
    if let Some(originator) = traveller.originator {
        drop(Restricted::Originator, &|c| agent.accepts(&c.restrictions.originators, originator))?;
    }
    if let Some(priority) = traveller.priority {
        drop(Restricted::Priority, &|c| {
            c.restrictions.priorities.as_ref().is_none_or(|allowed| allowed.contains(&priority))
        })?;
    }
    if let Some(content_type) = traveller.content_type {
        drop(Restricted::ContentType, &|c| {
            c.restrictions.content_types.as_ref().is_none_or(|allowed| allowed.contains(content_type))
        })?;
    }
    Ok(())
}

fn activation_rank(activation: Activation) -> u8 {
    match activation {
        Activation::Always => 0,
        Activation::RemoteInitiated => 1,
        Activation::Never => 2,
    }
}

fn activation_name(activation: Activation) -> &'static str {
    match activation {
        Activation::Always => "always active",
        Activation::RemoteInitiated => "remote-initiated",
        Activation::Never => "never active",
    }
}
