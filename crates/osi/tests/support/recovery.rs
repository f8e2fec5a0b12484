//! Two stacks whose users remember what they must across broken connections, and recover by every way there is.

use std::rc::Rc;
use std::time::Duration;

use clock::{MonoTime, WallTime};
use osi::rtse::{
    InitialTurn, Interrupted, OpenData, ReceiverState, RefuseReason, ResumePoint, RtIndication, RtRequest,
    SessionConnectionIdentifier,
};
use osi::stack::{SessionReference, Stack, StackAction, StackConfig};

pub(crate) const A: usize = 0;
pub(crate) const B: usize = 1;

/// How the users come back after the connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The association is recovered.
    Recover,
    /// Another one is opened.
    Open,
    /// The receiver has forgotten all but which messages it has accepted.
    Forgetful,
}

#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) config: StackConfig,
    pub(crate) way: Way,
    /// Which end sends the message.
    pub(crate) sender: usize,
    pub(crate) message: Rc<Vec<u8>>,
}

/// The name of an activity.
type Name = (SessionConnectionIdentifier, Vec<u8>);

/// What a user remembers and does. Some of it only the sender needs, some only the receiver.
#[derive(Clone, Default)]
pub(crate) struct User {
    /// Sender: the message has not been confirmed.
    queued: bool,
    resume: Option<(ResumePoint, SessionConnectionIdentifier)>,
    offset: usize,
    busy: bool,
    turn_asked: bool,
    pub(crate) confirmed: usize,
    pub(crate) failed: usize,
    /// Octets of the message given to RTSE, in all.
    pub(crate) given: usize,
    /// Transfers resumed.
    pub(crate) resumed: usize,
    /// Receiver: transfers to go on with, what was accepted under which name, and what is arriving.
    parked: Vec<(Name, ReceiverState, Vec<u8>)>,
    completed: Vec<Name>,
    known: Vec<SessionConnectionIdentifier>,
    accepted: Vec<Vec<u8>>,
    pub(crate) delivered: usize,
    arriving: Option<(Name, Vec<u8>)>,
    secured: usize,
    pub(crate) asked_for_end: usize,
    pub(crate) passed_over: usize,
    /// How this end's association is doing.
    pub(crate) open: bool,
    pub(crate) endings: usize,
}

#[derive(Clone)]
pub(crate) struct World {
    setup: Setup,
    now: MonoTime,
    stacks: [Stack; 2],
    closed: [bool; 2],
    pub(crate) users: [User; 2],
    /// Octets on their way. Plain vectors, which are moved as a whole: this is not the place to count octets.
    wires: [Vec<u8>; 2],
    /// Number of connections made.
    connections: usize,
    /// What the initiator knows of the last session connection that was bound, and of the turn at its end.
    bound: Option<SessionConnectionIdentifier>,
    turn: InitialTurn,
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        let mut users = [User::default(), User::default()];
        users[setup.sender].queued = true;
        let mut world = World {
            now: MonoTime::START,
            stacks: [
                Stack::initiator(setup.config.clone(), OpenData::Open(vec![5, 0]), reference(0)),
                Stack::responder(setup.config.clone()),
            ],
            closed: [false; 2],
            users,
            wires: Default::default(),
            connections: 1,
            bound: None,
            turn: InitialTurn::Initiator,
            setup,
        };
        world.start();
        world
    }

    fn start(&mut self) {
        for end in [A, B] {
            let mut out = Vec::new();
            self.stacks[end].start(self.now, &mut out);
            self.perform(end, out);
        }
    }

    /// Carries one octet; which end sent it. `None` when none is left.
    pub(crate) fn carry_octet(&mut self) -> Option<usize> {
        let from = [A, B].into_iter().find(|from| !self.wires[*from].is_empty())?;
        let octet = self.wires[from].remove(0);
        self.carry(from, &[octet]);
        Some(from)
    }

    fn carry(&mut self, from: usize, octets: &[u8]) {
        let mut out = Vec::new();
        self.stacks[1 - from].receive(self.now, octets, &mut out);
        self.perform(1 - from, out);
    }

    /// What has been closed is closed for both, once all has been carried.
    pub(crate) fn settle(&mut self) {
        loop {
            while let Some(from) = [A, B].into_iter().find(|from| !self.wires[*from].is_empty()) {
                let octets = std::mem::take(&mut self.wires[from]);
                self.carry(from, &octets);
            }
            let Some(end) = [A, B].into_iter().find(|end| !self.closed[*end] && self.closed[1 - *end]) else {
                return;
            };
            self.close(end, false);
        }
    }

    fn close(&mut self, end: usize, reset: bool) {
        let mut out = Vec::new();
        self.stacks[end].transport_closed(self.now, reset, &mut out);
        self.perform(end, out);
        assert!(self.closed[end]);
    }

    /// The connection breaks, and what is on the line is lost.
    pub(crate) fn cut(&mut self) {
        self.wires = Default::default();
        for end in [A, B] {
            if !self.closed[end] {
                self.close(end, true);
            }
            self.wires = Default::default();
        }
        self.now = self.now + Duration::from_secs(1);
    }

    /// The initiator connects again as long as the message has not been confirmed.
    pub(crate) fn recover(&mut self) {
        let receiver = 1 - self.setup.sender;
        if self.setup.way == Way::Forgetful {
            let user = &mut self.users[receiver];
            user.parked.clear();
            user.completed.clear();
            self.users[B].known.clear();
        }
        let mut data = match (&self.setup.way, self.bound.clone()) {
            (Way::Recover | Way::Forgetful, Some(bound)) => OpenData::Recover(bound),
            (Way::Recover | Way::Forgetful | Way::Open, _) => OpenData::Open(vec![5, 0]),
        };
        while self.users[self.setup.sender].queued {
            assert!(self.connections < 5, "it comes to an end");
            let mut config = self.setup.config.clone();
            config.rtse.initial_turn = match &data {
                OpenData::Recover(_) => self.turn,
                OpenData::Open(_) => InitialTurn::Initiator,
            };
            self.turn = config.rtse.initial_turn;
            self.stacks = [
                Stack::initiator(config.clone(), data, reference(self.connections)),
                Stack::responder(config),
            ];
            self.connections += 1;
            self.closed = [false; 2];
            self.wires = Default::default();
            for user in &mut self.users {
                user.endings = 0;
                user.busy = false;
                user.turn_asked = false;
                user.open = false;
            }
            self.start();
            self.settle();
            // A recovery that was refused is followed by an ordinary opening.
            data = OpenData::Open(vec![5, 0]);
        }
    }

    /// Both ends are over, and each user was told so once.
    pub(crate) fn is_over(&self) -> bool {
        self.stacks.iter().all(Stack::is_finished) && self.users.iter().all(|user| user.endings == 1)
    }

    fn request(&mut self, end: usize, request: RtRequest) {
        let mut out = Vec::new();
        let shown = format!("{request:.0?}");
        let result = self.stacks[end].request(self.now, request, &mut out);
        assert!(result.is_ok(), "{result:?} {}", shown.split('(').next().unwrap_or_default());
        self.perform(end, out);
    }

    fn perform(&mut self, end: usize, actions: Vec<StackAction>) {
        for action in actions {
            match action {
                StackAction::Transmit(octets) => self.wires[end].extend_from_slice(&octets),
                StackAction::Close => self.closed[end] = true,
                StackAction::Indication(indication) => {
                    assert_eq!(self.users[end].endings, 0, "{indication:?} after the end");
                    self.told(end, indication);
                }
            }
        }
    }

    fn told(&mut self, end: usize, indication: RtIndication) {
        match indication {
            RtIndication::Open(open) => self.opened(&open.data, open.connection),
            RtIndication::OpenConfirm { .. } => {
                self.bound = self.connection(A);
                self.begun(A);
            }
            RtIndication::SegmentWanted { octets } => {
                let user = &mut self.users[end];
                let segment = self.setup.message[user.offset..user.offset + octets].to_vec();
                user.offset += octets;
                user.given += octets;
                self.request(end, RtRequest::Segment(segment));
            }
            RtIndication::TransferConfirm => {
                let user = &mut self.users[end];
                assert!(user.queued, "it is confirmed once");
                user.queued = false;
                user.busy = false;
                user.resume = None;
                user.confirmed += 1;
                self.next(end);
            }
            RtIndication::TransferFailed { .. } => {
                let user = &mut self.users[end];
                user.resume = None;
                user.busy = false;
                user.failed += 1;
                self.next(end);
            }
            RtIndication::TransferStart => {
                let activity = self.stacks[end].receiving_activity().unwrap().to_vec();
                let connection = self.connection(end).unwrap();
                let user = &mut self.users[end];
                user.arriving = Some(((connection, activity), Vec::new()));
                user.secured = 0;
            }
            RtIndication::TransferData(octets) => {
                self.users[end].arriving.as_mut().unwrap().1.extend_from_slice(&octets);
            }
            RtIndication::Checkpoint { serial } => {
                let user = &mut self.users[end];
                let here = user.arriving.as_ref().unwrap().1.len();
                assert!(here > user.secured, "what is secured is not asked for again");
                user.secured = here;
                self.request(end, RtRequest::CheckpointSecured { serial });
            }
            RtIndication::TransferEnd => self.ended(end),
            RtIndication::Resume { activity, connection, serial, resumed_as } => {
                let here = self.connection(end).unwrap();
                let name = (connection.unwrap_or_else(|| here.clone()), activity);
                self.resumed(end, &name, serial, (here, resumed_as));
            }
            RtIndication::TurnPlease { .. } => self.request(end, RtRequest::TurnGive),
            RtIndication::TurnGive => {
                if end == A {
                    self.turn = InitialTurn::Initiator;
                }
                self.begun(end);
            }
            RtIndication::TurnGiven => {
                if end == A {
                    self.turn = InitialTurn::Responder;
                }
            }
            RtIndication::OpenRefused(_) | RtIndication::Closed => self.users[end].endings += 1,
            RtIndication::Aborted(aborted) => {
                self.users[end].endings += 1;
                if let Some(interrupted) = aborted.interrupted {
                    self.interrupted(end, *interrupted);
                }
            }
            other @ (RtIndication::TransferDiscarded | RtIndication::TransferInterrupted { .. }) => {
                assert!(matches!(other, RtIndication::TransferDiscarded), "{other:?}");
            }
        }
    }

    fn opened(&mut self, data: &OpenData, connection: SessionConnectionIdentifier) {
        let user = &mut self.users[B];
        assert!(!user.open, "a user is asked once");
        user.open = true;
        let known = match data {
            OpenData::Open(_) => true,
            OpenData::Recover(old) => user.known.contains(old),
        };
        if known {
            user.known.push(connection);
            self.request(B, RtRequest::OpenAccept { user_data: vec![5, 0] });
            self.begun(B);
        } else {
            let refuse_reason = RefuseReason::CANNOT_RECOVER;
            self.request(B, RtRequest::OpenReject { user_data: Vec::new(), refuse_reason, transient: false });
        }
    }

    /// The association is open, or the turn has come.
    fn begun(&mut self, end: usize) {
        let sends = self.setup.sender == end && self.users[end].queued;
        if sends && !self.stacks[end].has_turn() && !std::mem::replace(&mut self.users[end].turn_asked, true)
        {
            self.request(end, RtRequest::TurnPlease { priority: 1 });
            return;
        }
        if self.stacks[end].has_turn() {
            self.next(end);
        }
    }

    /// Goes on with what there is to do for whoever has the turn.
    fn next(&mut self, end: usize) {
        let sends = self.setup.sender == end;
        let user = &mut self.users[end];
        if sends && user.queued {
            assert!(!std::mem::replace(&mut user.busy, true));
            match user.resume.clone() {
                Some((from, connection)) => {
                    user.offset = usize::try_from(from.offset).unwrap();
                    user.resumed += 1;
                    self.request(end, RtRequest::Resume { from, connection: Some(connection) });
                }
                None => {
                    user.offset = 0;
                    let length = self.setup.message.len() as u64;
                    self.request(end, RtRequest::Transfer { length });
                }
            }
        } else if end == B {
            self.request(B, RtRequest::TurnGive);
        } else if sends || !self.users[B].queued {
            self.request(A, RtRequest::Close);
        }
    }

    fn resumed(&mut self, end: usize, name: &Name, serial: u32, resumed_as: Name) {
        let user = &mut self.users[end];
        if user.completed.contains(name) {
            user.completed.push(resumed_as);
            user.passed_over += 1;
            self.request(end, RtRequest::ResumeCompleted);
            return;
        }
        match user.parked.iter().position(|(parked, state, _)| parked == name && state.knows(serial)) {
            Some(index) => {
                let (_, state, octets) = user.parked.swap_remove(index);
                user.arriving = Some((resumed_as, octets));
                user.resumed += 1;
                self.request(end, RtRequest::ResumeAccept(Box::new(state)));
            }
            None => self.request(end, RtRequest::ResumeRefuse),
        }
    }

    fn ended(&mut self, end: usize) {
        let user = &mut self.users[end];
        user.asked_for_end += 1;
        let (name, octets) = user.arriving.take().unwrap();
        assert_eq!(octets, *self.setup.message);
        user.completed.push(name);
        // The same message may come whole a second time, if the confirmation of the first was lost.
        if !user.accepted.contains(&octets) {
            user.accepted.push(octets);
            user.delivered += 1;
        }
        self.request(end, RtRequest::TransferAccept);
    }

    fn interrupted(&mut self, end: usize, interrupted: Interrupted) {
        let connection = self.connection(end).unwrap();
        let user = &mut self.users[end];
        match interrupted {
            Interrupted::Sending(point) => {
                assert_eq!(point.length, self.setup.message.len() as u64);
                user.resume = Some((point, connection));
            }
            Interrupted::Receiving(state) => {
                let (name, octets) = user.arriving.take().unwrap();
                assert_eq!(name, (connection, state.activity().to_vec()));
                user.parked.push((name, state, octets));
            }
        }
    }

    fn connection(&self, end: usize) -> Option<SessionConnectionIdentifier> {
        self.stacks[end].session_connection().cloned()
    }
}

fn reference(number: usize) -> SessionReference {
    SessionReference { user_reference: format!("host-a-{number}"), time: WallTime::from_unix(1_795_321_800) }
}
