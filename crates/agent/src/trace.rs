//! Trace information: added on entry, read to find loops (X.411, procedures for loop detection).
//!
//! The external trace has one element for each time that a domain was entered, the internal trace one for each
//! MTA. Coming back is a loop unless someone on the way had a reason to send it another way: since this domain
//! (or MTA) was last passed, an element must say rerouted, redirected or dl-operation.

use ber::{Reader, Tag, Writer};
use clock::WallTime;
use mhs::p1::{
    Attempted, Criticality, ExtensionField, ExtensionType, Extensions, InternalTraceInformationElement,
    MAX_EXTENSIONS, MAX_TRANSFERS, OtherActions, RoutingAction, StandardExtension, TraceInformation,
    TraceInformationElement,
};
use mhs::{GlobalDomainIdentifier, Kept, MtaName, UtcTime};

use crate::settings::ConnectorSettings;

/// Who we are in trace information.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here<'a> {
    pub(crate) domain: &'a GlobalDomainIdentifier,
    pub(crate) mta: &'a MtaName,
    /// Whether other MTAs of the domain are reached through other domains as well.
    pub(crate) shared_domain: bool,
}

/// How often a message may come back to a domain whose MTAs are reached through other domains. Each visit may be at
/// another of its sites; the internal trace, where others leave it in place, tells a loop much sooner.
const VISITS_OF_A_SHARED_DOMAIN: usize = 8;

/// What was done besides routing (X.411 other-actions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherAction {
    /// A recipient was replaced by an alternate one.
    Redirected,
    /// A distribution list was expanded, or a report passed on by one.
    DlOperation,
}

impl Here<'_> {
    /// The trace of something that starts here.
    pub(crate) fn first_trace(&self, now: WallTime) -> TraceInformation {
        let element = TraceInformationElement::relayed(self.domain.clone(), UtcTime::from_wall(now));
        TraceInformation::new(vec![Kept::new(element)])
    }

    /// Adds what X.411 wants of an MTA which takes something over: one element per domain, not per MTA of the
    /// domain, to the external trace; one element to the internal one. What comes from our own domain without an
    /// internal trace, as all does that comes as 1984 P1, gets an element per MTA like there: or else nothing would
    /// grow on its way, and a loop inside the domain would have no end. A trace which is full stays as it is: its
    /// length alone tells [`exceeds`] that it is too long.
    pub(crate) fn arrive(&self, now: WallTime, trace: &mut TraceInformation, extensions: &mut Extensions) {
        let time = UtcTime::from_wall(now);
        let entered = trace.last().is_none_or(|last| !last.domain.is_same_domain(self.domain));
        let untraced = extensions.get(&INTERNAL_TRACE).is_none();
        if (entered || untraced) && trace.len() < MAX_TRANSFERS {
            let element = TraceInformationElement::relayed(self.domain.clone(), time.clone());
            trace.push(Kept::new(element));
        }
        self.add_internal(time, extensions);
    }

    /// Adds this MTA to the internal trace. One that can't be read is left alone: it is relayed as it came.
    pub(crate) fn add_internal(&self, time: UtcTime, extensions: &mut Extensions) {
        // An envelope with one more extension than the bound could not be read again.
        let has_room = extensions.get(&INTERNAL_TRACE).is_some() || extensions.len() < MAX_EXTENSIONS;
        if has_room && extensions.internal_trace().is_ok_and(|internal| internal.len() < MAX_TRANSFERS) {
            let element =
                InternalTraceInformationElement::relayed(self.domain.clone(), self.mta.clone(), time);
            // It was read a moment ago, so it can be added to.
            let _ = extensions.push_internal_trace(element);
        }
    }

    /// Marks our own last elements as rerouted, so that a detour back through an MTA which has seen it before is
    /// not taken for a loop. The trace does not grow with the reroutes of one MTA. `attempted` is the link by which it
    /// could not go: the internal trace names the MTA behind it, the external one its domain, if that is known and is
    /// not our own.
    pub(crate) fn reroute(
        &self,
        trace: &mut TraceInformation,
        extensions: &mut Extensions,
        attempted: Option<&ConnectorSettings>,
    ) {
        if let Some(last) = trace.last_mut()
            && last.domain.is_same_domain(self.domain)
        {
            // To another MTA of our own domain it has not been attempted to leave it.
            let elsewhere = |domain: &&GlobalDomainIdentifier| !domain.is_same_domain(self.domain);
            let domain = attempted.and_then(|link| link.remote_domain.as_ref()).filter(elsewhere);
            let is_told = domain.is_none() || last.attempted_domain.as_ref() == domain;
            if last.routing_action != RoutingAction::Rerouted || !is_told {
                let ours = last.edit();
                ours.routing_action = RoutingAction::Rerouted;
                ours.attempted_domain = domain.cloned().or_else(|| ours.attempted_domain.take());
            }
        }
        let attempted = attempted.map(|link| Attempted::Mta(link.remote_mta.clone()));
        self.edit_internal(extensions, |ours| {
            ours.routing_action = RoutingAction::Rerouted;
            ours.attempted = attempted.or_else(|| ours.attempted.take());
        });
    }

    /// Marks our own last elements: here the message was given to somebody it was not addressed to, so that it may
    /// legally come back to where it was.
    pub(crate) fn mark(
        &self,
        action: OtherAction,
        trace: &mut TraceInformation,
        extensions: &mut Extensions,
    ) {
        let bit = match action {
            OtherAction::Redirected => 0,
            OtherAction::DlOperation => 1,
        };
        if let Some(last) = trace.last_mut()
            && last.domain.is_same_domain(self.domain)
            && !last.additional.other_actions.0.bit(bit)
        {
            last.edit().additional.other_actions.set(bit, true);
        }
        self.edit_internal(extensions, |ours| ours.additional.other_actions.set(bit, true));
    }

    /// Changes our own last element of the internal trace, if there is one.
    fn edit_internal(
        &self,
        extensions: &mut Extensions,
        edit: impl FnOnce(&mut InternalTraceInformationElement),
    ) {
        let Ok(internal) = extensions.internal_trace() else { return };
        if let Some((last, others)) = internal.split_last()
            && last.mta_name == *self.mta
        {
            let mut ours = last.clone().into_value();
            edit(&mut ours);
            if ours != **last {
                replace_last_internal(extensions, others, ours);
            }
        }
    }

    /// Notes when a deferred message was let go.
    pub(crate) fn release(&self, now: WallTime, trace: &mut TraceInformation, extensions: &mut Extensions) {
        if let Some(last) = trace.last_mut()
            && last.domain.is_same_domain(self.domain)
        {
            last.edit().additional.deferred_time = Some(UtcTime::from_wall(now));
        }
        self.edit_internal(extensions, |ours| ours.additional.deferred_time = Some(UtcTime::from_wall(now)));
    }

    /// Whether it has been here before without a reason to come back. Our own elements of this visit are there
    /// already.
    pub(crate) fn is_loop(&self, trace: &TraceInformation, extensions: &Extensions) -> bool {
        let external = trace.iter().map(|element| Pass {
            ours: element.domain.is_same_domain(self.domain),
            diverted: diverted(element.routing_action, &element.additional.other_actions),
        });
        // However many MTAs of our domain it has passed on this visit, the elements of a visit stand together.
        let allowed = if self.shared_domain { VISITS_OF_A_SHARED_DOMAIN } else { 0 };
        if visits(external.rev().skip_while(|pass| pass.ours)) > allowed {
            return true;
        }
        let Ok(internal) = extensions.internal_trace() else { return false };
        let internal = internal.iter().map(|element| Pass {
            ours: element.mta_name == *self.mta && element.domain.is_same_domain(self.domain),
            diverted: diverted(element.routing_action, &element.additional.other_actions),
        });
        // Each visit adds one element, even if the peer that sent it back has added none.
        visits(internal.rev().skip(1)) > 0
    }
}

/// Removes the internal trace, for peers which refuse it.
pub(crate) fn strip_internal(extensions: &mut Extensions) {
    extensions.remove(&INTERNAL_TRACE);
}

const INTERNAL_TRACE: ExtensionType = ExtensionType::Standard(StandardExtension::INTERNAL_TRACE_INFORMATION);

/// Puts `last` in the place of the last element. `others`, the elements in front of it, stay octet for octet.
fn replace_last_internal(
    extensions: &mut Extensions,
    others: &[Kept<InternalTraceInformationElement>],
    last: InternalTraceInformationElement,
) {
    let mut alone = Extensions::new();
    let criticality = extensions.get(&INTERNAL_TRACE).map(ExtensionField::criticality);
    if alone.push_internal_trace(last).is_err() {
        return;
    }
    let Some(field) = alone.get(&INTERNAL_TRACE) else { return };
    // A SEQUENCE OF with one element: its contents are the element.
    let Ok(element) = Reader::new(field.value()).any() else { return };
    let value = Writer::encode(|w| {
        w.constructed(Tag::SEQUENCE, |w| {
            others.iter().filter_map(Kept::raw).for_each(|raw| w.raw(raw));
            w.raw(element.contents);
        });
    });
    extensions.set(ExtensionField::new(INTERNAL_TRACE, criticality.unwrap_or(Criticality::NONE), value));
}

/// Whether it has been in another domain without a reason to go there again since.
pub(crate) fn has_visited(domain: &GlobalDomainIdentifier, trace: &TraceInformation) -> bool {
    let passes = trace.iter().map(|element| Pass {
        ours: element.domain.is_same_domain(domain),
        diverted: diverted(element.routing_action, &element.additional.other_actions),
    });
    visits(passes.rev()) > 0
}

/// Whether the trace is longer than `hop_limit`, or so long that no element fits any more.
pub(crate) fn exceeds(hop_limit: u32, trace: &TraceInformation, extensions: &Extensions) -> bool {
    let limit = usize::try_from(hop_limit).unwrap_or(usize::MAX);
    let too_long = |length: usize| length > limit || length >= MAX_TRANSFERS;
    too_long(trace.len()) || extensions.internal_trace().is_ok_and(|internal| too_long(internal.len()))
}

fn diverted(action: RoutingAction, other: &OtherActions) -> bool {
    action == RoutingAction::Rerouted || other.redirected() || other.dl_operation()
}

/// One element of a trace.
#[derive(Clone, Copy)]
struct Pass {
    /// Of the domain or MTA that is looked for.
    ours: bool,
    diverted: bool,
}

/// Counts the visits before this one, from the end of the trace to where somebody had a reason to send it another way.
fn visits(earlier: impl Iterator<Item = Pass>) -> usize {
    earlier.take_while(|pass| !pass.diverted).filter(|pass| pass.ours).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(prmd: &str) -> GlobalDomainIdentifier {
        GlobalDomainIdentifier { country: "GB".into(), admd: " ".into(), prmd: Some(prmd.into()) }
    }

    fn trace(elements: &[(&str, bool)]) -> TraceInformation {
        let element = |&(prmd, rerouted): &(&str, bool)| {
            let time = UtcTime::from_wall(WallTime::from_unix(1_795_321_800));
            let mut element = TraceInformationElement::relayed(domain(prmd), time);
            if rerouted {
                element.routing_action = RoutingAction::Rerouted;
            }
            Kept::new(element)
        };
        TraceInformation::new(elements.iter().map(element).collect())
    }

    fn loops(elements: &[(&str, bool)]) -> bool {
        let (domain, mta) = (domain("ME"), MtaName::new("MTA-ME").unwrap());
        Here { domain: &domain, mta: &mta, shared_domain: false }
            .is_loop(&trace(elements), &Extensions::new())
    }

    #[test]
    fn the_first_visit_is_no_loop() {
        assert!(!loops(&[("ME", false)]));
        assert!(!loops(&[("A", false), ("B", false), ("ME", false)]));
    }

    #[test]
    fn coming_back_without_a_reason_is_a_loop() {
        assert!(loops(&[("ME", false), ("A", false), ("ME", false)]));
        assert!(loops(&[("A", false), ("ME", false), ("A", false), ("B", false), ("ME", false)]));
    }

    #[test]
    fn coming_back_after_a_reroute_is_legal_once() {
        assert!(!loops(&[("ME", false), ("A", true), ("ME", false)]), "rerouted by the other domain");
        assert!(!loops(&[("ME", true), ("A", false), ("ME", false)]), "rerouted by ourselves");
        assert!(loops(&[("ME", false), ("A", true), ("ME", false), ("A", false), ("ME", false)]));
        assert!(
            loops(&[("A", true), ("ME", false), ("B", false), ("ME", false)]),
            "the reason is from before"
        );
    }

    #[test]
    fn a_second_mta_of_our_domain_does_not_lengthen_the_external_trace() {
        let (domain, one, two) =
            (domain("ME"), MtaName::new("MTA-1").unwrap(), MtaName::new("MTA-2").unwrap());
        let one = Here { domain: &domain, mta: &one, shared_domain: false };
        let two = Here { domain: &domain, mta: &two, shared_domain: false };
        let mut external = trace(&[("A", false)]);
        let mut extensions = Extensions::new();
        one.arrive(WallTime::from_unix(0), &mut external, &mut extensions);
        two.arrive(WallTime::from_unix(0), &mut external, &mut extensions);
        assert_eq!(external.len(), 2);
        assert_eq!(extensions.internal_trace().unwrap().len(), 2);
        assert!(!two.is_loop(&external, &extensions));
    }

    #[test]
    fn without_internal_trace_every_mta_of_our_domain_lengthens_the_external_one() {
        let (domain, mta) = (domain("ME"), MtaName::new("MTA-1").unwrap());
        let here = Here { domain: &domain, mta: &mta, shared_domain: false };
        let mut external = trace(&[("A", false), ("ME", false)]);
        for length in 3..10 {
            // It leaves and comes back over links without internal trace.
            here.arrive(WallTime::from_unix(0), &mut external, &mut Extensions::new());
            assert_eq!(external.len(), length);
            assert_eq!(exceeds(5, &external, &Extensions::new()), length > 5);
        }
    }

    #[test]
    fn the_internal_trace_finds_a_loop_within_the_domain() {
        let (domain, one, two) =
            (domain("ME"), MtaName::new("MTA-1").unwrap(), MtaName::new("MTA-2").unwrap());
        let one = Here { domain: &domain, mta: &one, shared_domain: false };
        let two = Here { domain: &domain, mta: &two, shared_domain: false };
        let mut external = TraceInformation::default();
        let mut extensions = Extensions::new();
        for here in [one, two] {
            here.arrive(WallTime::from_unix(0), &mut external, &mut extensions);
            assert!(!here.is_loop(&external, &extensions));
        }
        let (before, extensions_before) = (external.clone(), extensions.clone());
        one.arrive(WallTime::from_unix(0), &mut external, &mut extensions);
        assert!(one.is_loop(&external, &extensions));
        let (mut external, mut extensions) = (before, extensions_before);
        two.reroute(&mut external, &mut extensions, None);
        one.arrive(WallTime::from_unix(0), &mut external, &mut extensions);
        assert!(!one.is_loop(&external, &extensions));
    }

    #[test]
    fn sites_that_share_a_domain_may_be_reached_through_others() {
        let (domain, mta) = (domain("ME"), MtaName::new("MTA-ME").unwrap());
        let here = Here { domain: &domain, mta: &mta, shared_domain: true };
        let visit = [("ME", false), ("A", false)];
        let after = |visits: usize| [visit.repeat(visits), vec![("ME", false)]].concat();
        let none = Extensions::new();
        assert!(!here.is_loop(&trace(&after(1)), &none), "another site of the domain sent it");
        assert!(!here.is_loop(&trace(&after(VISITS_OF_A_SHARED_DOMAIN)), &none));
        assert!(here.is_loop(&trace(&after(VISITS_OF_A_SHARED_DOMAIN + 1)), &none), "and yet it has an end");
        // The internal trace knows better.
        let mut extensions = Extensions::new();
        here.add_internal(UtcTime::from_wall(WallTime::from_unix(0)), &mut extensions);
        assert!(!here.is_loop(&trace(&after(1)), &extensions));
        here.add_internal(UtcTime::from_wall(WallTime::from_unix(0)), &mut extensions);
        assert!(here.is_loop(&trace(&after(1)), &extensions));
    }

    #[test]
    fn coming_back_after_a_redirection_or_an_expansion_is_legal_once() {
        let (domain, mta) = (domain("ME"), MtaName::new("MTA-ME").unwrap());
        let here = Here { domain: &domain, mta: &mta, shared_domain: false };
        let now = WallTime::from_unix(0);
        for action in [OtherAction::Redirected, OtherAction::DlOperation] {
            let (mut external, mut extensions) = (TraceInformation::default(), Extensions::new());
            here.arrive(now, &mut external, &mut extensions);
            here.mark(action, &mut external, &mut extensions);
            external.push(trace(&[("A", false)])[0].clone());
            here.arrive(now, &mut external, &mut extensions);
            assert!(!here.is_loop(&external, &extensions), "{action:?}");
            external.push(trace(&[("A", false)])[0].clone());
            here.arrive(now, &mut external, &mut extensions);
            assert!(here.is_loop(&external, &extensions), "{action:?}");
        }
    }

    #[test]
    fn a_rerouted_element_names_whom_we_could_not_reach() {
        let (ours, mta) = (domain("ME"), MtaName::new("MTA-ME").unwrap());
        let here = Here { domain: &ours, mta: &mta, shared_domain: false };
        let (mut external, mut extensions) = (TraceInformation::default(), Extensions::new());
        here.arrive(WallTime::from_unix(0), &mut external, &mut extensions);
        let peer = MtaName::new("MTA-B").unwrap();
        let mut link = ConnectorSettings::new("to-b", peer.clone());
        here.reroute(&mut external, &mut extensions, Some(&link));
        let internal = extensions.internal_trace().unwrap();
        assert_eq!(internal[0].attempted, Some(Attempted::Mta(peer)));
        assert_eq!(internal[0].routing_action, RoutingAction::Rerouted);
        assert_eq!(external[0].routing_action, RoutingAction::Rerouted);
        assert_eq!(external[0].attempted_domain, None, "nothing is known of it");
        link.remote_domain = Some(ours.clone());
        here.reroute(&mut external, &mut extensions, Some(&link));
        assert_eq!(external[0].attempted_domain, None, "it is our own");
        for prmd in ["B", "C"] {
            link.remote_domain = Some(domain(prmd));
            here.reroute(&mut external, &mut extensions, Some(&link));
            assert_eq!(external[0].attempted_domain, link.remote_domain, "the last that was tried");
        }
        here.reroute(&mut external, &mut extensions, None);
        assert_eq!(external[0].attempted_domain, link.remote_domain);
        assert_eq!(external.len(), 1);
    }

    #[test]
    fn a_peer_that_adds_no_trace_does_not_hide_a_loop() {
        let (domain, mta) = (domain("ME"), MtaName::new("MTA-1").unwrap());
        let here = Here { domain: &domain, mta: &mta, shared_domain: false };
        let mut external = TraceInformation::default();
        let mut extensions = Extensions::new();
        here.arrive(WallTime::from_unix(0), &mut external, &mut extensions);
        assert!(!here.is_loop(&external, &extensions));
        here.arrive(WallTime::from_unix(0), &mut external, &mut extensions);
        assert!(here.is_loop(&external, &extensions));
    }

    #[test]
    fn rerouting_again_and_again_does_not_lengthen_the_trace() {
        let (domain, mta) = (domain("ME"), MtaName::new("MTA-1").unwrap());
        let here = Here { domain: &domain, mta: &mta, shared_domain: false };
        let mut external = trace(&[("A", false)]);
        let mut extensions = Extensions::new();
        here.arrive(WallTime::from_unix(0), &mut external, &mut extensions);
        for _ in 0..100 {
            here.reroute(&mut external, &mut extensions, None);
        }
        assert_eq!((external.len(), extensions.internal_trace().unwrap().len()), (2, 1));
        assert_eq!(external[1].routing_action, RoutingAction::Rerouted);
        assert_eq!(external[0].routing_action, RoutingAction::Relayed, "others' elements are theirs");
    }

    #[test]
    fn a_full_trace_is_too_long_and_does_not_grow() {
        let (domain, mta) = (domain("ME"), MtaName::new("MTA-1").unwrap());
        let here = Here { domain: &domain, mta: &mta, shared_domain: false };
        let mut external = trace(&[("A", false); MAX_TRANSFERS]);
        here.arrive(WallTime::from_unix(0), &mut external, &mut Extensions::new());
        assert_eq!(external.len(), MAX_TRANSFERS);
        assert!(exceeds(512, &external, &Extensions::new()));
        assert!(!exceeds(512, &trace(&[("A", false); 511]), &Extensions::new()));
        assert!(exceeds(10, &trace(&[("A", false); 11]), &Extensions::new()));
    }
}
