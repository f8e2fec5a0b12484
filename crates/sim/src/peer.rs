//! Scripted peers: what is at the other end of a connection when it is no MTA of ours. They keep the rules as far as
//! their [`Manner`] goes, then break them in its way.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::{MonoTime, WallTime};
use mhs::MtaName;
use mhs::p1::MtsApdu;
use mhs::p1::bind::{MtaBindArgument, MtaBindError, MtaBindResult, Password};
use osi::rtse::{AbortReason, DialogueMode, OpenData, RefuseReason, RtIndication, RtRequest};
use osi::stack::{ServedSelectors, SessionReference, Stack, StackAction, StackConfig};
use runtime::p1_application;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::check::{Books, number_of};
use crate::manner::{Deed, Manner, Point};
use crate::network::{HostWorld, Line, Listening};

/// The longest that a peer holds on to a connection.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// Octets read at once.
const READ: usize = 8 * 1024;

/// What a peer has heard and taken.
#[derive(Debug, Default)]
pub struct Heard {
    /// Bind arguments as they came.
    pub binds: Vec<Vec<u8>>,
    /// Complete MTS-APDUs as they came.
    pub apdus: Vec<Vec<u8>>,
    /// When a message arrived: its number.
    pub arrivals: Vec<(u64, Instant)>,
    /// MTS-identifiers of what it is responsible for.
    taken: BTreeSet<String>,
}

/// A peer.
pub struct Peer {
    /// Its MTA name.
    pub name: String,
    /// Its password.
    pub password: String,
    /// Where it enters what it takes.
    pub books: Arc<Mutex<Books>>,
    /// What it has heard.
    pub heard: Mutex<Heard>,
    /// How it behaves on the next connection.
    pub manner: Mutex<Manner>,
    /// Messages whose content begins like this are too much for it: it behaves like that when one is complete.
    pub poison: Mutex<Option<(BTreeSet<u64>, Deed)>>,
}

impl Peer {
    /// A peer that behaves well, as MTA of this name.
    pub fn new(name: &str, books: Arc<Mutex<Books>>) -> Arc<Peer> {
        Arc::new(Peer {
            name: name.to_owned(),
            password: format!("of {name}"),
            books,
            heard: Mutex::default(),
            manner: Mutex::new(Manner::Well),
            poison: Mutex::default(),
        })
    }

    /// From its next connection on it behaves like this.
    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    /// What it has heard.
    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts connections until its host ends; each meets the manner of its time.
    pub async fn serve(self: Arc<Self>, listening: Listening) {
        while let Some(line) = listening.accept().await {
            let peer = Arc::clone(&self);
            let manner = self.manner.lock().unwrap_or_else(PoisonError::into_inner).clone();
            tokio::spawn(async move {
                let _ = timeout(PATIENCE, peer.meet(&line, &manner)).await;
            });
        }
    }

    /// Connects to an MTA and behaves badly.
    pub async fn attack(self: Arc<Self>, host: Arc<HostWorld>, target: SocketAddr, manner: Manner) {
        let _ = timeout(PATIENCE, async {
            let Ok(line) = host.open(target).await else { return };
            match &manner {
                Manner::Fails { .. } | Manner::Trickle { .. } | Manner::WrongName | Manner::WrongPassword => {
                    let argument =
                        MtaBindArgument::simple(self.given_name(&manner), self.given_word(&manner));
                    let reference = SessionReference {
                        user_reference: format!("{}-x", self.name),
                        time: WallTime::from_unix(0),
                    };
                    let data = OpenData::Open(argument.to_octets());
                    let stack = Stack::initiator(StackConfig::new(p1_application()), data, reference);
                    self.converse(&line, stack, &manner).await;
                }
                other => self.meet(&line, other).await,
            }
        })
        .await;
    }

    async fn meet(&self, line: &Line, manner: &Manner) {
        match manner {
            Manner::Mute => while !line.read(READ).await.is_empty() {},
            Manner::Deaf { bound: false } => line.ended().await,
            Manner::Close => {}
            Manner::Reset => line.reset(),
            Manner::Says(octets) => {
                if line.write(octets).await {
                    while !line.read(READ).await.is_empty() {}
                }
            }
            Manner::Echo => loop {
                let octets = line.read(READ).await;
                if octets.is_empty() || !line.write(&octets).await {
                    return;
                }
            },
            Manner::Well
            | Manner::Deaf { bound: true }
            | Manner::Trickle { .. }
            | Manner::Selectors(_)
            | Manner::Application
            | Manner::BindError(_)
            | Manner::WrongName
            | Manner::WrongPassword
            | Manner::BindsWith(_)
            | Manner::BindEcho
            | Manner::Fails { .. } => {
                let mut config = StackConfig::new(p1_application());
                config.rtse.dialogue_mode = DialogueMode::TwoWayAlternate;
                match manner {
                    Manner::Selectors(layer) => {
                        let mut served = ServedSelectors::default();
                        let other = Some(b"OTHER".to_vec());
                        match layer {
                            0 => served.transport = other,
                            1 => served.session = other,
                            _ => served.presentation = other,
                        }
                        config.served = vec![served];
                    }
                    Manner::Application => {
                        config.application.application_context = config.application.apdu_syntax.clone();
                    }
                    _ => {}
                }
                self.converse(line, Stack::responder(config), manner).await;
            }
        }
    }

    /// Speaks the protocol until the connection ends or the manner says otherwise.
    async fn converse(&self, line: &Line, mut stack: Stack, manner: &Manner) {
        let start = Instant::now();
        let now = || MonoTime::after_start(start.elapsed());
        let mut actions = Vec::new();
        let mut apdu = Vec::new();
        let mut open = false;
        let mut opening = false;
        stack.start(now(), &mut actions);
        loop {
            let mut pending: VecDeque<StackAction> = actions.drain(..).collect();
            while let Some(action) = pending.pop_front() {
                let indication = match action {
                    StackAction::Transmit(octets) => {
                        let slow = matches!(manner, Manner::Trickle { bound } if open || !bound);
                        let sent =
                            if slow { trickle(line, &octets).await } else { line.write(&octets).await };
                        if !sent {
                            return;
                        }
                        stack.wrote(now());
                        continue;
                    }
                    StackAction::Close => return,
                    StackAction::Indication(indication) => indication,
                };
                let point = point(&indication);
                opening |= matches!(indication, RtIndication::Open(_));
                open |= point == Some(Point::Open);
                let mut deed = match manner {
                    Manner::Fails { at, deed } if Some(*at) == point => Some(*deed),
                    _ => None,
                };
                if point == Some(Point::End) {
                    deed = deed.or_else(|| self.poisoned(&apdu));
                }
                let request = match deed {
                    Some(deed) => match self.misbehave(line, deed).await {
                        Some(request) => Some(request),
                        None => return,
                    },
                    None => self.answer(indication, &mut apdu, manner),
                };
                if let Some(request) = request {
                    let mut more = Vec::new();
                    // What is refused here came too late.
                    let _ = stack.request(now(), request, &mut more);
                    pending.extend(more);
                }
            }
            // The answer to its bind has left.
            if std::mem::take(&mut opening) {
                open = true;
                match manner {
                    Manner::Deaf { .. } => return line.ended().await,
                    Manner::Fails { at: Point::Open, deed } => match self.misbehave(line, *deed).await {
                        Some(request) => {
                            let _ = stack.request(now(), request, &mut actions);
                            continue;
                        }
                        None => return,
                    },
                    _ => {}
                }
            }
            let octets = match stack.deadline() {
                Some(at) => timeout_at(start + at.since_start(), line.read(READ)).await.ok(),
                None => Some(line.read(READ).await),
            };
            match octets {
                None => stack.tick(now(), &mut actions),
                Some(none) if none.is_empty() => return,
                Some(octets) => stack.receive(now(), &octets, &mut actions),
            }
        }
    }

    fn answer(&self, indication: RtIndication, apdu: &mut Vec<u8>, manner: &Manner) -> Option<RtRequest> {
        match indication {
            RtIndication::Open(opening) => Some(self.answer_bind(&opening.data, manner)),
            RtIndication::OpenConfirm { .. } => Some(RtRequest::Transfer { length: 50_000 }),
            RtIndication::SegmentWanted { octets } => Some(RtRequest::Segment(vec![0x55; octets])),
            RtIndication::TransferStart => {
                apdu.clear();
                None
            }
            RtIndication::TransferData(octets) => {
                apdu.extend(octets);
                None
            }
            RtIndication::Checkpoint { serial } => Some(RtRequest::CheckpointSecured { serial }),
            // Whoever means ill takes nothing: what it took would have to be in the books, and its answer certain.
            RtIndication::TransferEnd if *manner != Manner::Well => None,
            RtIndication::TransferEnd => {
                self.take(std::mem::take(apdu));
                Some(RtRequest::TransferAccept)
            }
            RtIndication::Resume { .. } => Some(RtRequest::ResumeRefuse),
            RtIndication::OpenRefused(_)
            | RtIndication::TransferConfirm
            | RtIndication::TransferFailed { .. }
            | RtIndication::TransferInterrupted { .. }
            | RtIndication::TransferDiscarded
            | RtIndication::TurnPlease { .. }
            | RtIndication::TurnGive
            | RtIndication::TurnGiven
            | RtIndication::Closed
            | RtIndication::Aborted(_) => None,
        }
    }

    fn answer_bind(&self, data: &OpenData, manner: &Manner) -> RtRequest {
        let OpenData::Open(argument) = data else {
            return RtRequest::OpenReject {
                user_data: Vec::new(),
                refuse_reason: RefuseReason::CANNOT_RECOVER,
                transient: false,
            };
        };
        self.heard().binds.push(argument.clone());
        let user_data = match manner {
            Manner::BindError(error) => {
                return RtRequest::OpenReject {
                    user_data: MtaBindError(*error).to_octets(),
                    refuse_reason: RefuseReason::VALIDATION_FAILURE,
                    transient: *error == MtaBindError::BUSY.0,
                };
            }
            Manner::BindsWith(octets) => octets.clone(),
            // The same in the tag of a result.
            Manner::BindEcho => match MtaBindArgument::from_octets(argument) {
                Ok(argument) => MtaBindResult { authentication: argument.authentication }.to_octets(),
                Err(_) => argument.clone(),
            },
            manner => MtaBindResult::simple(self.given_name(manner), self.given_word(manner)).to_octets(),
        };
        RtRequest::OpenAccept { user_data }
    }

    #[allow(clippy::expect_used, reason = "names of peers are written in this crate")]
    fn given_name(&self, manner: &Manner) -> MtaName {
        let name = if *manner == Manner::WrongName { "SOMEBODY-ELSE" } else { &self.name };
        MtaName::new(name).expect("names of peers are names of MTAs")
    }

    fn given_word(&self, manner: &Manner) -> Password {
        Password::new(if *manner == Manner::WrongPassword { "guessed" } else { &self.password })
    }

    /// Does what is wrong; a request if the stack is to do it, nothing if the connection is over.
    async fn misbehave(&self, line: &Line, deed: Deed) -> Option<RtRequest> {
        match deed {
            Deed::AbortTemporary => Some(RtRequest::Abort(AbortReason::TEMPORARY_PROBLEM)),
            Deed::AbortProtocol => Some(RtRequest::Abort(AbortReason::PROTOCOL_ERROR)),
            Deed::RefuseTransient => Some(RtRequest::TransferRefuse { transient: true }),
            Deed::RefusePermanent => Some(RtRequest::TransferRefuse { transient: false }),
            Deed::Reset => {
                line.reset();
                None
            }
            Deed::Close => None,
            Deed::Silence => {
                while !line.read(READ).await.is_empty() {}
                None
            }
            Deed::Garbage => {
                if line.write(&[0x2A; 600]).await {
                    while !line.read(READ).await.is_empty() {}
                }
                None
            }
        }
    }

    fn poisoned(&self, apdu: &[u8]) -> Option<Deed> {
        let poison = self.poison.lock().unwrap_or_else(PoisonError::into_inner);
        let (numbers, deed) = poison.as_ref()?;
        let MtsApdu::Message(message) = MtsApdu::from_octets(apdu).ok()? else { return None };
        number_of(&message.content).filter(|number| numbers.contains(number)).map(|_| *deed)
    }

    /// Takes responsibility, once: what it has already is only answered.
    fn take(&self, apdu: Vec<u8>) {
        let mut heard = self.heard();
        if let Ok(MtsApdu::Message(message)) = MtsApdu::from_octets(&apdu)
            && let Some(number) = number_of(&message.content)
            && heard.taken.insert(message.envelope.message_identifier.to_string())
        {
            heard.arrivals.push((number, Instant::now()));
            let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
            for fields in &*message.envelope.per_recipient_fields {
                if fields.responsibility() {
                    books.taken(number, fields.recipient_name.to_string());
                }
            }
        }
        heard.apdus.push(apdu);
    }
}

async fn trickle(line: &Line, octets: &[u8]) -> bool {
    for octet in octets {
        sleep(Duration::from_secs(1)).await;
        if !line.write(&[*octet]).await {
            return false;
        }
    }
    true
}

fn point(indication: &RtIndication) -> Option<Point> {
    match indication {
        // For who opens, the transfer is its own.
        RtIndication::OpenConfirm { .. } => Some(Point::Open),
        RtIndication::SegmentWanted { .. } | RtIndication::TransferData(_) => Some(Point::Data),
        RtIndication::TransferStart => Some(Point::Start),
        RtIndication::TransferEnd | RtIndication::TransferConfirm => Some(Point::End),
        RtIndication::Open(_)
        | RtIndication::OpenRefused(_)
        | RtIndication::TransferFailed { .. }
        | RtIndication::TransferInterrupted { .. }
        | RtIndication::Resume { .. }
        | RtIndication::Checkpoint { .. }
        | RtIndication::TransferDiscarded
        | RtIndication::TurnPlease { .. }
        | RtIndication::TurnGive
        | RtIndication::TurnGiven
        | RtIndication::Closed
        | RtIndication::Aborted(_) => None,
    }
}
