//! Where an address leads: to a mailbox or distribution list here, over one of several connectors, or nowhere.
//!
//! The address of a distribution list that is expanded here is compared as a whole, before anything else.
//! Address spaces are compared by how specifically they match; only the most specific count, wherever they are
//! configured, so the local spaces and the connectors compete on equal terms and the local ones win a draw. A connector
//! with a less specific match is no substitute for one that fails: it was not meant for the address. Which of the connectors
//! that remain is used is for `selection` and `choice`.

use mhs::codes::{NonDeliveryDiagnosticCode as Diagnostic, NonDeliveryReasonCode as Reason};
use mhs::p1::Obstacle;
use mhs::{OrAddress, Specificity};

use crate::agent::Agent;
use crate::links::Moment;
use crate::selection::{Candidate, Explain, Restricted, Traveller};
use crate::settings::RedirectionClass;

/// Longest canonical address that can be a mailbox: it is part of a key. No legal address comes near.
const MAX_MAILBOX_KEY: usize = 2048;

/// Most redirections of one recipient, one after the other, by this MTA alone.
pub(crate) const MAX_REDIRECTIONS_HERE: usize = 16;

/// Where an address leads, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The address, or the one that redirections of the settings put in its place.
    pub recipient: OrAddress,
    /// Where.
    pub decision: RouteDecision,
    /// Why, for people, step by step.
    pub steps: Vec<String>,
}

/// Where an address leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteDecision {
    /// To a mailbox here.
    Local {
        /// Canonical key of the mailbox.
        mailbox: String,
    },
    /// To a distribution list that is expanded here.
    List {
        /// How many members it has.
        members: usize,
    },
    /// Over one of these connectors, best first; at least one.
    Connectors(Vec<String>),
    /// Nowhere.
    Unknown(RouteFailure),
}

/// Why an address leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteFailure {
    /// It is in no address space.
    #[error("no address space matches")]
    NoMatch,
    /// It is in a local address space, but there is no such mailbox.
    #[error("there is no such mailbox in this domain")]
    NoMailbox,
    /// Only the connector it came in on would take it.
    #[error("the only way is back over connector {0}, on which it came in")]
    WayBack(String),
    /// What comes in on that connector is not passed on to those which would take it.
    #[error("what comes in on connector {0} is not relayed over any connector which takes it")]
    RelayDenied(String),
    /// The restrictions of the connectors forbid it.
    #[error("no connector which takes its address accepts its {0}")]
    Restricted(Restricted),
    /// It has been in the domains of all connectors for it.
    #[error("it has been in the domain where it would go")]
    Loop,
    /// All connectors were tried and given up.
    #[error("every connector which takes it was tried and given up")]
    Exhausted,
    /// It is longer than every connector takes.
    #[error("its content is longer than any connector for it takes")]
    TooLong,
    /// Every connector for it speaks 1984 P1, which can't say it.
    #[error("{0}")]
    Downgrade(Obstacle),
}

impl RouteFailure {
    /// The codes of a non-delivery report.
    pub(crate) fn codes(&self) -> (Reason, Diagnostic) {
        match self {
            RouteFailure::NoMatch | RouteFailure::NoMailbox | RouteFailure::WayBack(_) => {
                (Reason::UNABLE_TO_TRANSFER, Diagnostic::UNRECOGNISED_OR_NAME)
            }
            RouteFailure::RelayDenied(_)
            | RouteFailure::Restricted(Restricted::Originator | Restricted::Priority | Restricted::Kind) => {
                (Reason::UNABLE_TO_TRANSFER, Diagnostic::NO_BILATERAL_AGREEMENT)
            }
            RouteFailure::Restricted(Restricted::ContentType) => {
                (Reason::UNABLE_TO_TRANSFER, Diagnostic::CONTENT_TYPE_NOT_SUPPORTED)
            }
            RouteFailure::Loop => (Reason::UNABLE_TO_TRANSFER, Diagnostic::LOOP_DETECTED),
            RouteFailure::Exhausted => (Reason::TRANSFER_FAILURE, Diagnostic::MTS_CONGESTION),
            RouteFailure::TooLong => (Reason::UNABLE_TO_TRANSFER, Diagnostic::CONTENT_TOO_LONG),
            RouteFailure::Downgrade(obstacle) => obstacle.codes(),
        }
    }
}

/// What is asked about a message that is not there: where it would go.
#[derive(Clone, Copy, Debug, Default)]
pub struct RouteQuestion<'a> {
    /// The connector that it would come in on; none if it would be submitted here.
    pub incoming: Option<&'a str>,
    /// Who would send it. Restrictions by originator are judged only if it is given.
    pub originator: Option<&'a OrAddress>,
    /// Length of its content, octets. Limits are judged only if it is greater than 0.
    pub content_length: u64,
}

impl Agent {
    /// Where an address leads, after redirections of the settings.
    pub fn route(&self, address: &OrAddress, question: RouteQuestion<'_>) -> Route {
        self.route_with(address, question, Traveller::default())
    }

    /// The same at a moment: connectors that are not active then, or that fail, come behind others.
    pub fn route_now(&self, address: &OrAddress, question: RouteQuestion<'_>, moment: Moment<'_>) -> Route {
        let traveller =
            Traveller { now: Some(moment.now), links: Some(moment.links), ..Traveller::default() };
        self.route_with(address, question, traveller)
    }

    fn route_with(
        &self,
        address: &OrAddress,
        question: RouteQuestion<'_>,
        traveller: Traveller<'_>,
    ) -> Route {
        let mut steps = Vec::new();
        let mut address = address;
        let mut incoming = question.incoming;
        // As often as redirections follow one another when a message is processed.
        for _ in 0..MAX_REDIRECTIONS_HERE {
            // Of which class it would be is not known.
            let taken = |class: &RedirectionClass| {
                if !class.is_all() {
                    steps.push(
                        "a redirection is for some priorities or contents only: not followed".to_owned(),
                    );
                }
                class.is_all()
            };
            let Some(alternate) = self.assigned_alternate(address, taken) else { break };
            steps.push(format!("a redirection gives it to `{alternate}` instead"));
            address = alternate;
            incoming = None;
        }
        let (originator, content_length) = (question.originator, question.content_length);
        let traveller = Traveller { incoming, originator, content_length, ..traveller };
        let decision = self.decide(address, traveller, &|_| false, &mut |step| steps.push(step()));
        Route { recipient: address.clone(), decision, steps }
    }

    /// What this MTA has at an address itself, without looking at redirections.
    pub fn lookup(&self, address: &OrAddress) -> RouteDecision {
        self.route_quietly(address, Traveller::default(), &|_| false)
    }

    /// The same without the explanation. `chosen` tells which connectors the message uses already.
    pub(crate) fn route_quietly(
        &self,
        address: &OrAddress,
        traveller: Traveller<'_>,
        chosen: &dyn Fn(&str) -> bool,
    ) -> RouteDecision {
        self.decide(address, traveller, chosen, &mut |_| {})
    }

    fn decide(
        &self,
        address: &OrAddress,
        traveller: Traveller<'_>,
        chosen: &dyn Fn(&str) -> bool,
        explain: Explain<'_>,
    ) -> RouteDecision {
        if let Some(list) = self.list(address) {
            let members = list.members.len();
            explain(&|| format!("it is a distribution list with {members} members, expanded here"));
            return RouteDecision::List { members };
        }
        let mta = &self.settings().mta;
        let local =
            mta.local.iter().filter_map(|space| Some((space.matches(address)?, space))).max_by_key(|m| m.0);
        if let Some((_, space)) = &local {
            explain(&|| format!("local address space `{space}` matches"));
        }
        let mut best: Option<Specificity> = local.as_ref().map(|(specificity, _)| *specificity);
        let mut is_local = local.is_some();
        let mut candidates: Vec<Candidate<'_>> = Vec::new();
        let mut matched = usize::from(is_local);
        for connector in self.concerned(address) {
            let matches = connector.address_space.iter().filter_map(|entry| {
                let specificity = entry.space.matches(address)?;
                Some((specificity, std::cmp::Reverse(entry.cost), entry))
            });
            let Some((specificity, _, entry)) = matches.max_by_key(|found| (found.0, found.1)) else {
                continue;
            };
            explain(&|| {
                format!(
                    "connector {}: address space `{}` matches, cost {}",
                    connector.name, entry.space, entry.cost
                )
            });
            let candidate = Candidate { connector, cost: entry.cost };
            matched += 1;
            match best {
                Some(so_far) if specificity < so_far => continue,
                Some(so_far) if specificity == so_far => candidates.push(candidate),
                Some(_) | None => {
                    best = Some(specificity);
                    is_local = false;
                    candidates = vec![candidate];
                }
            }
        }
        if is_local {
            return self.deliver_locally(address, explain);
        }
        if matched > candidates.len() {
            explain(&|| "only the most specific matches count".to_owned());
        }
        self.choose(candidates, traveller, chosen, explain)
    }

    fn deliver_locally(&self, address: &OrAddress, explain: Explain<'_>) -> RouteDecision {
        explain(&|| {
            "the local address space is the most specific match: this MTA is the authority".to_owned()
        });
        let mailbox = address.canonical_key();
        if mailbox.len() <= MAX_MAILBOX_KEY && self.is_mailbox(&mailbox) {
            explain(&|| "delivered to its mailbox here".to_owned());
            return RouteDecision::Local { mailbox };
        }
        explain(&|| "it is not among the mailboxes: non-delivery".to_owned());
        RouteDecision::Unknown(RouteFailure::NoMailbox)
    }
}
