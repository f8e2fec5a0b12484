//! Which of the connectors for an address take a message at all: what each filter drops. The order of those that remain is
//! the business of `choice`.

use std::fmt;

use clock::WallTime;
use mhs::p1::{Obstacle, TraceInformation};
use mhs::{ContentType, OrAddress};

use crate::agent::Agent;
use crate::effect::Kind;
use crate::links::Links;
use crate::record::{Rank, Tries};
use crate::routing::{RouteDecision, RouteFailure};
use crate::settings::ConnectorSettings;
use crate::trace::has_visited;

/// What is known of the thing to be routed, besides the address. What is not known is not judged.
#[derive(Clone, Copy, Default)]
pub(crate) struct Traveller<'a> {
    /// The connector it came in on.
    pub(crate) incoming: Option<&'a str>,
    /// It is for somebody else than it was then, who may well be where it came from.
    pub(crate) may_return: bool,
    /// Connectors given up.
    pub(crate) exhausted: &'a [String],
    /// Failed opens of connectors while it waited for them.
    pub(crate) tries: Option<&'a Tries>,
    /// The time of the decision.
    pub(crate) now: Option<WallTime>,
    /// The state of the links at that time.
    pub(crate) links: Option<&'a dyn Links>,
    /// Its MTS-identifier in text form: messages are shared out by it.
    pub(crate) identifier: &'a str,
    /// Length of its content, octets.
    pub(crate) content_length: u64,
    /// What it is; nothing is known of what is only asked about, which counts as a message then.
    pub(crate) kind: Option<Kind>,
    pub(crate) originator: Option<&'a OrAddress>,
    pub(crate) priority: Option<Rank>,
    /// Where it has been.
    pub(crate) trace: Option<&'a TraceInformation>,
    pub(crate) content_type: Option<&'a ContentType>,
    /// What keeps it from going over a 1984 link.
    pub(crate) obstacle_in_1984: Option<&'a Obstacle>,
}

impl Traveller<'_> {
    /// A report is small, nobody's wish, and there is nothing to be said about it if it is refused.
    fn is_report(&self) -> bool {
        self.kind == Some(Kind::Report)
    }
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
    /// What it is: a message, a probe or a report.
    Kind,
}

impl fmt::Display for Restricted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Restricted::Originator => "originator",
            Restricted::Priority => "priority",
            Restricted::ContentType => "content type",
            Restricted::Kind => "kind",
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

pub(crate) fn names(candidates: &[Candidate<'_>]) -> String {
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
        RouteDecision::Connectors(self.rank(left, traveller, chosen, explain))
    }

    fn eliminate(
        &self,
        traveller: Traveller<'_>,
        left: &mut Vec<Candidate<'_>>,
        explain: Explain<'_>,
    ) -> Result<(), RouteFailure> {
        if traveller.incoming.is_none() {
            explain(&|| "not back to where it came from: it was submitted here, drops none".to_owned());
        }
        if let Some(name) = traveller.incoming {
            let incoming = self.settings().connector(name);
            // Another connector to the same MTA leads back as well.
            let other = |c: &ConnectorSettings| {
                c.name != name && incoming.is_none_or(|back| back.shared_name(c).is_none())
            };
            if !traveller.may_return {
                let what = format_args!("not back to where it came from over {name}");
                filter(left, explain, what, other, || RouteFailure::WayBack(name.to_owned()))?;
            }
            let allowed = |c: &ConnectorSettings| {
                incoming.is_some_and(|connector| connector.relay_to.includes(&c.name))
                    || traveller.may_return && !other(c)
                    // What may be relayed one way may be reported about the other way.
                    || traveller.is_report() && c.relay_to.includes(name)
            };
            let what = format_args!("relay from {name} allowed");
            filter(left, explain, what, allowed, || RouteFailure::RelayDenied(name.to_owned()))?;
        }
        if let Some(trace) = traveller.trace {
            let own = &self.settings().mta.domain;
            let new = |c: &ConnectorSettings| {
                let domain = c.remote_domain.as_ref().filter(|domain| !domain.is_same_domain(own));
                domain.is_none_or(|domain| !has_visited(domain, trace))
            };
            if left.iter().any(|candidate| candidate.connector.remote_domain.is_some()) {
                let what = format_args!("to no domain in which it has been");
                filter(left, explain, what, new, || RouteFailure::Loop)?;
            }
        }
        if let Some(kind) = traveller.kind {
            let takes = |c: &ConnectorSettings| {
                c.restrictions.kinds.as_ref().is_none_or(|allowed| allowed.contains(&kind))
            };
            if left.iter().any(|candidate| candidate.connector.restrictions.kinds.is_some()) {
                let what = format_args!("a {kind} accepted");
                filter(left, explain, what, takes, || RouteFailure::Restricted(Restricted::Kind))?;
            }
        }
        if !traveller.is_report() {
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
        if self.settings().mta.least_cost_only {
            self.least_cost(left, traveller.now, explain);
        }
        if traveller.exhausted.is_empty() && traveller.tries.is_none_or(Tries::is_empty) {
            explain(&|| "not given up for it: it is new, drops none".to_owned());
        } else {
            let fresh = |c: &ConnectorSettings| {
                let tries = traveller.tries.map_or(0, |tries| tries.of(&c.name));
                !traveller.exhausted.contains(&c.name) && tries < c.retry.max_open_retries
            };
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
