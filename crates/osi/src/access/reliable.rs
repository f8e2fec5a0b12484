//! Operations over RTSE (X.882 realizations "association-by-RTSE" and "transfer-by-RTSE"): each APDU is one RT-TRANSFER
//! in an EXTERNAL that names its context, and whoever has something to say asks for the turn.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use clock::MonoTime;

use super::step::{Carried, CarrierEvent, Command, Step, aborted, carried, command};
use crate::acse::apdu::External;
use crate::failure::{Blame, Layer};
use crate::lower::LayerEvent;
use crate::lower::ended::failed;
use crate::rtse::{
    AbortReason, DialogueMode, OpenData, RefuseReason, RtIndication, RtRequest, Rtpm, RtpmAction, RtpmEvent,
    RtseError,
};

/// The carrier with RTSE.
#[derive(Clone, Debug)]
pub(super) struct Reliable {
    rtpm: Rtpm,
    /// Longest APDU taken, with its EXTERNAL.
    limit: usize,
    /// APDUs in their EXTERNALs that wait for the turn, in order.
    queue: VecDeque<Queued>,
    /// What is not sent yet of the APDU in transfer.
    sending: Option<VecDeque<u8>>,
    /// What has come of the peer's; `None` also for one that was refused.
    arriving: Option<Vec<u8>>,
    /// The peer has asked for the turn, this urgently.
    asked: Option<u32>,
    /// We have, this urgently.
    asking: Option<u32>,
    /// The user wants the association to end.
    releasing: bool,
    /// The release is on its way, so that nothing more may be sent.
    closing: bool,
}

/// An APDU that waits. Bounded by what ROSE lets wait.
#[derive(Clone, Debug)]
struct Queued {
    external: Vec<u8>,
    priority: u32,
}

/// Priority with which the turn is asked for in order to release.
const RELEASE_PRIORITY: u32 = 0;
/// Octets of an EXTERNAL around an APDU, generously.
const AROUND_APDU: usize = 64;

impl Reliable {
    pub(super) fn new(rtpm: Rtpm, apdu_octets_max: usize) -> Self {
        Reliable {
            rtpm: rtpm.with_bare_apdus(),
            limit: apdu_octets_max.saturating_add(AROUND_APDU),
            queue: VecDeque::new(),
            sending: None,
            arriving: None,
            asked: None,
            asking: None,
            releasing: false,
            closing: false,
        }
    }

    pub(super) fn start(&mut self, now: MonoTime) -> Vec<Step> {
        let mut actions = Vec::new();
        self.rtpm.start(now, &mut actions);
        self.all(now, actions)
    }

    pub(super) fn deadline(&self) -> Option<MonoTime> {
        self.rtpm.deadline()
    }

    pub(super) fn received(&mut self, now: MonoTime) {
        self.rtpm.received(now);
    }

    pub(super) fn wrote(&mut self, now: MonoTime) {
        self.rtpm.wrote(now);
    }

    pub(super) fn command(&mut self, now: MonoTime, command: Command) -> Vec<Step> {
        match command {
            Command::Accept(user_data) => self.ask(now, RtRequest::OpenAccept { user_data }),
            Command::Reject { user_data, transient } => {
                let refuse_reason = RefuseReason::VALIDATION_FAILURE;
                self.ask(now, RtRequest::OpenReject { user_data, refuse_reason, transient })
            }
            // What answers the peer now comes too late for it to arrive.
            Command::Transfer(_) if self.closing => Vec::from([carried(Carried::NotTransferred)]),
            Command::Transfer(transfer) => {
                let external = External::new(transfer.context, transfer.apdu).encode();
                self.queue.push_back(Queued { external, priority: transfer.priority });
                self.advance(now)
            }
            Command::Segment { octets } => {
                let sending = self.sending.get_or_insert_default();
                let segment = sending.drain(..octets.min(sending.len())).collect();
                self.ask(now, RtRequest::Segment(segment))
            }
            Command::Release { .. } => {
                self.releasing = true;
                self.advance(now)
            }
            Command::Abort(reason) => {
                let mut actions = Vec::new();
                match self.rtpm.request(now, RtRequest::Abort(reason), &mut actions) {
                    Ok(()) => self.all(now, actions),
                    // There is no association yet that could be aborted; the connection is.
                    Err(_) => {
                        let text = String::from("aborted by this side before the association was opened");
                        Vec::from([
                            aborted(Layer::Application, Blame::Local, Some(reason), text),
                            Step::DISCONNECT,
                        ])
                    }
                }
            }
        }
    }

    pub(super) fn event(&mut self, now: MonoTime, event: CarrierEvent) -> Vec<Step> {
        let event = match event {
            CarrierEvent::Association(indication) => RtpmEvent::Association(indication),
            CarrierEvent::Presentation(indication) => RtpmEvent::Presentation(indication),
            CarrierEvent::Deadline => RtpmEvent::Deadline,
        };
        let mut actions = Vec::new();
        let result = self.rtpm.handle(now, event, &mut actions);
        let mut steps = self.all(now, actions);
        if let Err(error) = result {
            let failed = self.failed(&error);
            match steps.iter().position(|step| matches!(step, Step::Layer(LayerEvent::Acpm(_)))) {
                Some(abort) => steps.insert(abort, failed),
                // There is no association that could be aborted; the connection is.
                None => steps.extend([failed, Step::DISCONNECT]),
            }
            return steps;
        }
        steps.extend(self.advance(now));
        steps
    }

    /// Does what can be done next with the turn, or to get it.
    fn advance(&mut self, now: MonoTime) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.sending.is_some() {
            return steps;
        }
        let ours = self.queue.iter().map(|queued| queued.priority).min();
        if !self.rtpm.has_turn() {
            let wish = if self.releasing { Some(RELEASE_PRIORITY) } else { ours };
            if let Some(priority) = wish
                && self.asking.is_none_or(|asking| priority < asking)
                && let Some(asked) = self.try_to(now, RtRequest::TurnPlease { priority })
            {
                self.asking = Some(priority);
                steps.extend(asked);
            }
            return steps;
        }
        // What is asked for with the same urgency goes first, so that neither side waits for ever.
        if let Some(asked) = self.asked
            && ours.is_none_or(|ours| ours >= asked)
            && !(self.releasing && self.queue.is_empty())
        {
            if let Some(given) = self.try_to(now, RtRequest::TurnGive) {
                self.asked = None;
                steps.extend(given);
            }
            return steps;
        }
        if let Some(queued) = self.queue.front() {
            let length = queued.external.len() as u64;
            let mut actions = Vec::new();
            match self.rtpm.request(now, RtRequest::Transfer { length }, &mut actions) {
                Ok(()) => {
                    self.sending = self.queue.pop_front().map(|queued| queued.external.into());
                    steps.extend(self.all(now, actions));
                }
                Err(crate::rtse::RequestError::TooLong { .. }) => {
                    self.queue.pop_front();
                    steps.push(carried(Carried::NotTransferred));
                }
                // Not now: the turn is being given, or a transfer is being given up.
                Err(_) => {}
            }
        } else if self.releasing
            && let Some(closed) = self.try_to(now, RtRequest::Close)
        {
            self.closing = true;
            steps.extend(closed);
        }
        steps
    }

    /// Makes a request that may be too early or too late.
    fn try_to(&mut self, now: MonoTime, request: RtRequest) -> Option<Vec<Step>> {
        let mut actions = Vec::new();
        self.rtpm.request(now, request, &mut actions).ok()?;
        Some(self.all(now, actions))
    }

    /// Makes a request that has its place here.
    fn ask(&mut self, now: MonoTime, request: RtRequest) -> Vec<Step> {
        let mut actions = Vec::new();
        match self.rtpm.request(now, request, &mut actions) {
            Ok(()) => self.all(now, actions),
            Err(error) => Vec::from([failed(Layer::Rtse, Blame::Local, &error), Step::DISCONNECT]),
        }
    }

    /// Everything that RTSE gives out, in order. What an indication leads to stands in the place of it.
    fn all(&mut self, now: MonoTime, actions: Vec<RtpmAction>) -> Vec<Step> {
        let mut steps = Vec::new();
        for action in actions {
            match action {
                RtpmAction::Association(request) => steps.push(Step::acse(request)),
                RtpmAction::Presentation(request) => steps.push(Step::presentation(request)),
                RtpmAction::Indication(indication) => steps.extend(self.told(now, indication)),
                RtpmAction::Replay(indication) => {
                    steps.push(Step::Presentation(indication));
                }
            }
        }
        steps
    }

    fn told(&mut self, now: MonoTime, indication: RtIndication) -> Vec<Step> {
        let told = match indication {
            RtIndication::Open(open) => match (open.agreed.dialogue_mode, open.data) {
                (DialogueMode::TwoWayAlternate, OpenData::Open(user_data)) => {
                    Carried::Open { user_data, selectors: open.selectors }
                }
                (DialogueMode::TwoWayAlternate, OpenData::Recover(_)) => {
                    let text = "peer wants to recover an association, of which nothing is known here";
                    return self.refuse(now, RefuseReason::CANNOT_RECOVER, text);
                }
                (DialogueMode::Monologue, _) => {
                    let text = "peer opened a monologue, in which nothing can be answered";
                    return self.refuse(now, RefuseReason::UNACCEPTABLE_DIALOGUE_MODE, text);
                }
            },
            RtIndication::OpenConfirm { user_data, .. } => Carried::Confirm { user_data },
            RtIndication::SegmentWanted { octets } => {
                // Not now: what was given out before it goes first.
                return Vec::from([command(Command::Segment { octets })]);
            }
            RtIndication::TransferConfirm => {
                self.sending = None;
                Carried::Transferred
            }
            RtIndication::TransferFailed { .. } => {
                self.sending = None;
                Carried::NotTransferred
            }
            // Of either side. Nothing is resumed here: whoever asked for the operation may ask again.
            RtIndication::TransferInterrupted { .. } => {
                self.arriving = None;
                if self.sending.take().is_none() {
                    return Vec::new();
                }
                Carried::NotTransferred
            }
            RtIndication::Resume { .. } => return self.ask(now, RtRequest::ResumeRefuse),
            RtIndication::TransferStart => {
                self.arriving = Some(Vec::new());
                return Vec::new();
            }
            RtIndication::TransferData(octets) => return self.arrived(now, &octets),
            RtIndication::Checkpoint { serial } => {
                if self.arriving.is_none() {
                    return Vec::new();
                }
                return self.ask(now, RtRequest::CheckpointSecured { serial });
            }
            RtIndication::TransferEnd => return self.arrived_whole(now),
            RtIndication::TransferDiscarded => {
                self.arriving = None;
                return Vec::new();
            }
            RtIndication::TurnPlease { priority } => {
                self.asked = Some(self.asked.map_or(priority, |asked| asked.min(priority)));
                return Vec::new();
            }
            RtIndication::TurnGive => {
                self.asking = None;
                return Vec::new();
            }
            RtIndication::TurnGiven => return Vec::new(),
            RtIndication::OpenRefused(refused) => Carried::Refused(refused),
            RtIndication::Closed => Carried::Closed { user_data: Vec::new() },
            RtIndication::Aborted(aborted) => Carried::Aborted(aborted),
        };
        Vec::from([carried(told)])
    }

    /// An association of this kind is nothing for remote operations.
    fn refuse(&mut self, now: MonoTime, refuse_reason: RefuseReason, text: &str) -> Vec<Step> {
        let mut steps = Vec::from([aborted(Layer::Rtse, Blame::PeerIncompatible, None, String::from(text))]);
        let reject = RtRequest::OpenReject { user_data: Vec::new(), refuse_reason, transient: false };
        steps.extend(self.ask(now, reject));
        steps
    }

    fn arrived(&mut self, now: MonoTime, octets: &[u8]) -> Vec<Step> {
        let Some(arriving) = &mut self.arriving else { return Vec::new() };
        if arriving.len().saturating_add(octets.len()) > self.limit {
            self.arriving = None;
            return self.ask(now, RtRequest::TransferRefuse { transient: false });
        }
        arriving.extend_from_slice(octets);
        Vec::new()
    }

    /// An APDU is accepted as soon as it is whole: to answer for what it asks is the business of the result.
    fn arrived_whole(&mut self, now: MonoTime) -> Vec<Step> {
        let Some(octets) = self.arriving.take() else { return Vec::new() };
        let external = match External::decode(&octets) {
            Ok(external) => external,
            Err(error) => return self.broken(now, &error),
        };
        let Some(context) = external.indirect_reference else {
            return self.broken(now, &"it does not name its context");
        };
        let mut steps = self.ask(now, RtRequest::TransferAccept);
        steps.push(carried(Carried::Apdu { context, octets: external.encoding }));
        steps
    }

    /// What came is no EXTERNAL with a context.
    fn broken(&mut self, now: MonoTime, error: &dyn core::fmt::Display) -> Vec<Step> {
        let text = alloc::format!("malformed EXTERNAL around an APDU: {error}");
        let mut steps =
            Vec::from([aborted(Layer::Rtse, Blame::PeerMisbehaved, Some(AbortReason::PROTOCOL_ERROR), text)]);
        steps.extend(self.command(now, Command::Abort(AbortReason::PROTOCOL_ERROR)));
        steps
    }

    fn failed(&self, error: &RtseError) -> Step {
        aborted(Layer::Rtse, error.blame(), error.abort_reason(), alloc::format!("{error}"))
    }
}
