//! One recipient: where it goes, and who receives in its place if it can't (X.411 redirection).
//!
//! Three kinds of alternate recipients are known. The one in the settings takes everything, unless the originator
//! prohibits reassignment. The one that the originator requested takes what can't be delivered or passed on. The dead
//! letter mailbox takes what is left of local addresses without mailbox, if the originator allows it. Each redirection
//! is noted in the redirection-history of the recipient, and nobody receives who stands in it already.

use std::borrow::Cow;

use clock::WallTime;
use mhs::codes::{
    NonDeliveryDiagnosticCode as Diagnostic, NonDeliveryReasonCode as Reason, RedirectionReason,
};
use mhs::p1::{
    ExtensionType, Extensions, MAX_EXTENSIONS, MAX_HISTORY, Obstacle, PerRecipientFields, Redirection,
    StandardExtension,
};
use mhs::{OrName, UtcTime};

use super::checks::{Critical, failure, unsupported_critical};
use super::fan_out::{Plan, Work};
use crate::agent::Agent;
use crate::record::{Failure, Rank, WorkRecord};
use crate::routing::{MAX_REDIRECTIONS_HERE, RouteDecision, RouteFailure};
use crate::selection::Traveller;
use crate::settings::{DistributionList, RedirectionClass};
use crate::transfer::Transfer;

/// Where a recipient goes.
#[derive(Clone, Debug)]
pub(super) enum Way<'a> {
    /// To the mailbox with this canonical key.
    Mailbox(String),
    /// Over this connector.
    Connector(String),
    /// To the members of a list.
    List(&'a DistributionList),
    /// To a list that has sent it to its members already.
    ListAgain,
    /// Nowhere.
    Nowhere(Failure),
}

/// What holds for all recipients of a message or probe.
#[derive(Debug)]
pub(super) struct Common {
    critical: Critical,
    /// The MTS-identifier in text form.
    identifier: String,
    has_1984_links: bool,
    /// What keeps it from going over a 1984 link; not looked for where there are none.
    obstacle_in_1984: Option<Obstacle>,
}

impl Common {
    pub(super) fn of(agent: &Agent, transfer: &Transfer, is_p2: bool) -> Self {
        let has_1984_links = agent.has_1984_links();
        let obstacle_in_1984 = if has_1984_links { transfer.obstacle_in_1984(is_p2) } else { None };
        let critical = Critical::of(transfer.extensions());
        Common { critical, identifier: transfer.identifier().to_string(), has_1984_links, obstacle_in_1984 }
    }

    fn own_obstacle_in_1984(&self, recipient: &PerRecipientFields) -> Option<Obstacle> {
        let matters = self.has_1984_links && self.obstacle_in_1984.is_none();
        if matters { recipient.obstacle_in_1984() } else { None }
    }
}

/// One redirection that was made here.
#[derive(Clone, Debug)]
pub(super) struct Redirected {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) reason: RedirectionReason,
}

/// What became of one recipient.
#[derive(Debug)]
pub(super) struct Resolved<'a> {
    pub(super) way: Way<'a>,
    /// The fields of the recipient who receives in its place.
    pub(super) changed: Option<PerRecipientFields>,
    pub(super) redirections: Vec<Redirected>,
}

enum Attempt<'a> {
    Way(Way<'a>),
    /// Somebody else is to receive; if that is not possible, `otherwise` is to be reported.
    Instead {
        to: Box<OrName>,
        reason: RedirectionReason,
        otherwise: Failure,
    },
}

impl Agent {
    pub(super) fn resolve<'a>(
        &'a self,
        work: &Work<'_>,
        transfer: &Transfer,
        common: &Common,
        recipient: &PerRecipientFields,
        plan: &Plan<'_>,
    ) -> Resolved<'a> {
        let mut current = Cow::Borrowed(recipient);
        let mut redirections: Vec<Redirected> = Vec::new();
        loop {
            let redirected = redirections.last().map(|redirection| redirection.reason);
            let way = match self.attempt(work, transfer, common, &current, redirected, plan) {
                Attempt::Way(way) => way,
                Attempt::Instead { to, reason, otherwise } => {
                    let next = if redirections.len() < MAX_REDIRECTIONS_HERE {
                        redirect(work.now, &current, &to, reason)
                    } else {
                        None
                    };
                    match next {
                        Some(next) => {
                            let (from, to) = (current.recipient_name.to_string(), to.to_string());
                            redirections.push(Redirected { from, to, reason });
                            current = Cow::Owned(next);
                            continue;
                        }
                        None => Way::Nowhere(otherwise),
                    }
                }
            };
            let changed = match current {
                Cow::Owned(changed) => Some(changed),
                Cow::Borrowed(_) => None,
            };
            return Resolved { way, changed, redirections };
        }
    }

    fn attempt<'a>(
        &'a self,
        work: &Work<'_>,
        transfer: &Transfer,
        common: &Common,
        recipient: &PerRecipientFields,
        redirected: Option<RedirectionReason>,
        plan: &Plan<'_>,
    ) -> Attempt<'a> {
        let priority = transfer.priority().unwrap_or(Rank::Normal);
        let taken = |class: &RedirectionClass| class.includes(priority, transfer.content_type());
        if let Some(to) = self.assigned_alternate(recipient.address(), taken) {
            if transfer.extensions().prohibits(StandardExtension::RECIPIENT_REASSIGNMENT_PROHIBITED) {
                let text = "its mail is redirected, which the originator prohibits";
                return nowhere(failure(Diagnostic::RECIPIENT_REASSIGNMENT_PROHIBITED, text));
            }
            let reason = RedirectionReason::RECIPIENT_ASSIGNED;
            let otherwise = failure(
                Diagnostic::REDIRECTION_LOOP_DETECTED,
                format!("it is redirected to {to}, where it was before"),
            );
            return Attempt::Instead { to: OrName::new(to.clone()).into(), reason, otherwise };
        }
        let record = work.record;
        let critical = common.critical.and(Critical::of(&recipient.extensions));
        let own_obstacle = common.own_obstacle_in_1984(recipient);
        let traveller = Traveller {
            // Who redirects by the settings of this MTA wants it sent there; who asks from outside is relayed for like
            // anybody else.
            incoming: record.source.connector().filter(|_| redirected.is_none_or(is_originators)),
            may_return: redirected.is_some(),
            exhausted: &record.exhausted,
            content_length: transfer.content_length(),
            kind: Some(transfer.kind()),
            trace: redirected.is_none().then(|| transfer.trace()),
            originator: Some(transfer.originator().address()),
            priority: transfer.priority(),
            content_type: Some(transfer.content_type()),
            obstacle_in_1984: common.obstacle_in_1984.as_ref().or(own_obstacle.as_ref()),
            tries: Some(&record.tries),
            now: Some(work.now),
            links: Some(work.links),
            identifier: &common.identifier,
        };
        let decision = self.route_quietly(recipient.address(), traveller, &|name| plan.uses(name));
        match decision {
            RouteDecision::Local { .. } if critical.for_delivery => nowhere(unsupported_critical()),
            RouteDecision::Local { .. } if !self.may_send(transfer.originator(), recipient) => {
                let text = format!("{} may not send to it", transfer.originator());
                // X.411 has no diagnostic for it; this one is nearest.
                let (reason, diagnostic) = (Reason::RESTRICTED_DELIVERY, Diagnostic::RECIPIENT_UNAVAILABLE);
                nowhere(Failure { reason: reason.0, diagnostic: diagnostic.0, text })
            }
            RouteDecision::Local { mailbox } => Attempt::Way(Way::Mailbox(mailbox)),
            RouteDecision::Connectors(_) if critical.for_transfer => nowhere(unsupported_critical()),
            RouteDecision::Connectors(names) => match names.into_iter().next() {
                Some(best) => Attempt::Way(Way::Connector(best)),
                None => self.alternate(record, transfer, recipient, &RouteFailure::NoMatch),
            },
            RouteDecision::List { .. } => match self.list(recipient.address()) {
                Some(list) => Attempt::Way(may_expand(transfer, recipient, list)),
                None => self.alternate(record, transfer, recipient, &RouteFailure::NoMatch),
            },
            RouteDecision::Unknown(why) => self.alternate(record, transfer, recipient, &why),
        }
    }

    /// Whether the restrictions of a mailbox accept this originator.
    fn may_send(&self, originator: &OrName, recipient: &PerRecipientFields) -> bool {
        let restrictions = &self.settings().restrictions;
        let found = restrictions.iter().find(|r| r.recipients.matches(recipient.address()).is_some());
        found.is_none_or(|restriction| self.accepts(&restriction.originators, originator.address()))
    }

    /// Who receives if the recipient can't.
    fn alternate<'a>(
        &'a self,
        record: &WorkRecord,
        transfer: &Transfer,
        recipient: &PerRecipientFields,
        why: &RouteFailure,
    ) -> Attempt<'a> {
        let otherwise = unroutable(record, why);
        let requested = StandardExtension::ORIGINATOR_REQUESTED_ALTERNATE_RECIPIENT;
        if let Some(to) = recipient.extensions.name(requested) {
            return Attempt::Instead {
                to: to.into(),
                reason: RedirectionReason::ORIGINATOR_REQUESTED,
                otherwise,
            };
        }
        match (&self.settings().mta.dead_letter, why) {
            (Some(to), RouteFailure::NoMailbox) if transfer.indicators().alternate_recipient_allowed() => {
                let reason = RedirectionReason::RECIPIENT_MD_ASSIGNED;
                Attempt::Instead { to: OrName::new(to.clone()).into(), reason, otherwise }
            }
            (Some(_) | None, _) => nowhere(otherwise),
        }
    }
}

/// Whether it was the originator who wanted it redirected.
pub(super) fn is_originators(reason: RedirectionReason) -> bool {
    reason == RedirectionReason::ORIGINATOR_REQUESTED
}

fn nowhere<'a>(failure: Failure) -> Attempt<'a> {
    Attempt::Way(Way::Nowhere(failure))
}

/// What a report says about a recipient without a way: why the last way failed, if there was one.
fn unroutable(record: &WorkRecord, why: &RouteFailure) -> Failure {
    if let (RouteFailure::Exhausted, Some(failure)) = (why, &record.failure) {
        return failure.clone();
    }
    let (reason, diagnostic) = why.codes();
    Failure { reason: reason.0, diagnostic: diagnostic.0, text: why.to_string() }
}

/// The recipient who receives in place of this one; `None` if that one had it before, or the history is full.
fn redirect(
    now: WallTime,
    recipient: &PerRecipientFields,
    to: &OrName,
    reason: RedirectionReason,
) -> Option<PerRecipientFields> {
    let history = recipient.extensions.redirection_history().ok()?;
    let key = to.address().canonical_key();
    let before = history.iter().map(|redirection| &redirection.intended_recipient);
    let mut had_it = before.chain([&recipient.recipient_name]);
    if had_it.any(|name| name.address().canonical_key() == key) || history.len() >= MAX_HISTORY {
        return None;
    }
    let mut next = recipient.clone();
    if reason == RedirectionReason::ORIGINATOR_REQUESTED {
        let number = StandardExtension::ORIGINATOR_REQUESTED_ALTERNATE_RECIPIENT;
        next.extensions.remove(&ExtensionType::Standard(number));
    }
    if !has_room(&next.extensions, StandardExtension::REDIRECTION_HISTORY) {
        return None;
    }
    let intended_recipient = recipient.recipient_name.clone();
    let time = UtcTime::from_wall(now);
    next.extensions.push_redirection(Redirection { intended_recipient, time, reason }).ok()?;
    next.recipient_name = to.clone();
    Some(next)
}

/// Whether a list may be expanded for this message (X.411, procedure of the expansion point).
fn may_expand<'a>(
    transfer: &Transfer,
    recipient: &PerRecipientFields,
    list: &'a DistributionList,
) -> Way<'a> {
    let refused = |diagnostic, text: &str| Way::Nowhere(failure(diagnostic, text));
    let extensions = transfer.extensions();
    let Ok(history) = extensions.dl_expansion_history() else {
        return refused(Diagnostic::DL_EXPANSION_FAILURE, "its DL expansion history can't be read");
    };
    let key = recipient.address().canonical_key();
    if history.iter().any(|expansion| expansion.name.address().canonical_key() == key) {
        return Way::ListAgain;
    }
    if extensions.prohibits(StandardExtension::DL_EXPANSION_PROHIBITED) {
        let text = "it is a distribution list, which the originator prohibits";
        return refused(Diagnostic::DL_EXPANSION_PROHIBITED, text);
    }
    // A list that is a member of another is permitted or not in its own name, not in the originator's.
    let submitter = history.last().map_or(transfer.originator(), |expansion| &expansion.name);
    let permitted = |patterns: &Vec<_>| {
        patterns.iter().any(|p: &mhs::AddressPattern| p.matches(submitter.address()).is_some())
    };
    if !list.submit.as_ref().is_none_or(permitted) {
        let text = format!("{submitter} may not send to this distribution list");
        return refused(Diagnostic::NO_DL_SUBMIT_PERMISSION, &text);
    }
    if history.len() >= MAX_HISTORY || !has_room(extensions, StandardExtension::DL_EXPANSION_HISTORY) {
        return refused(Diagnostic::DL_EXPANSION_FAILURE, "its DL expansion history is full");
    }
    Way::List(list)
}

/// Whether a standard extension is there or may be added: an envelope with more than the bound could not be read again.
fn has_room(extensions: &Extensions, number: i64) -> bool {
    extensions.standard(number).is_some() || extensions.len() < MAX_EXTENSIONS
}

#[cfg(test)]
mod tests {
    use super::*;
    use mhs::p1::{OriginatingMtaReport, OriginatorReport, PerRecipientIndicators};

    fn name(text: &str) -> OrName {
        OrName::new(text.parse().unwrap())
    }

    fn recipient(text: &str) -> PerRecipientFields {
        let indicators =
            PerRecipientIndicators::new(true, OriginatingMtaReport::NonDelivery, OriginatorReport::None);
        PerRecipientFields::new(name(text), 1, indicators)
    }

    #[test]
    fn nobody_receives_twice_by_redirection() {
        let (now, reason) = (WallTime::from_unix(1_795_321_800), RedirectionReason::RECIPIENT_ASSIGNED);
        let first = recipient("S=a;C=GB");
        assert!(redirect(now, &first, &name("s=A;C=gb"), reason).is_none(), "to itself");
        let second = redirect(now, &first, &name("S=b;C=GB"), reason).unwrap();
        let third = redirect(now, &second, &name("S=c;C=GB"), reason).unwrap();
        assert!(redirect(now, &third, &name("S=a;C=GB"), reason).is_none());
        let history = third.extensions.redirection_history().unwrap();
        let names: Vec<String> = history.iter().map(|r| r.intended_recipient.to_string()).collect();
        assert_eq!(names, ["S=a;C=GB", "S=b;C=GB"]);
    }

    #[test]
    fn a_history_that_is_full_or_unreadable_takes_no_more() {
        let (now, reason) = (WallTime::from_unix(1_795_321_800), RedirectionReason::RECIPIENT_ASSIGNED);
        let mut full = recipient("S=a;C=GB");
        for n in 0..MAX_HISTORY {
            let time = UtcTime::from_wall(now);
            let redirection = Redirection { intended_recipient: name(&format!("S=x{n};C=GB")), time, reason };
            full.extensions.push_redirection(redirection).unwrap();
        }
        assert!(redirect(now, &full, &name("S=b;C=GB"), reason).is_none());
        let mut odd = recipient("S=a;C=GB");
        let number = ExtensionType::Standard(StandardExtension::REDIRECTION_HISTORY);
        odd.extensions.set(mhs::p1::ExtensionField::new(number, mhs::p1::Criticality::NONE, vec![4, 0]));
        assert!(redirect(now, &odd, &name("S=b;C=GB"), reason).is_none());
    }
}
