//! What the bench's peers say and hear on one association, without a socket: for one that blocks a thread of its own
//! ([`super::peer`]) and for many that share one ([`super::flow`]).

use std::collections::VecDeque;
use std::time::Instant;

use clock::{MonoTime, WallTime};
use mhs::MtaName;
use mhs::p1::bind::{MtaBindArgument, MtaBindResult, Password};
use osi::rtse::{OpenData, RtIndication, RtRequest};
use osi::stack::{SessionReference, Stack, StackAction, StackConfig};

use super::BenchError;

/// Password of the bench's three MTAs.
pub(super) const PASSWORD: &str = "bench";
/// Octets of an APDU that are looked at.
const KEPT: usize = 512;
/// Nothing is heard as long as so many octets wait to be sent.
const OUTGOING: usize = 64 * 1024;

/// One side of an association.
pub(super) struct Exchange {
    stack: Stack,
    start: Instant,
    actions: Vec<StackAction>,
    indications: VecDeque<RtIndication>,
    /// What waits to be sent: it goes in one piece when there is nothing left to be done but wait.
    pub(super) outgoing: Vec<u8>,
    closing: bool,
}

/// Something to be done over an association, driven by what is heard.
pub(super) trait Job {
    /// What comes of it.
    type Done;

    /// Takes in what has been heard, nothing if the association has ended; gives what has come of it when it is done.
    fn hear(
        &mut self,
        exchange: &mut Exchange,
        heard: Option<RtIndication>,
    ) -> Result<Option<Self::Done>, BenchError>;
}

impl Exchange {
    /// Of the side that connects, and binds as `name`.
    pub(super) fn initiator(name: &MtaName, config: StackConfig) -> Exchange {
        let argument = MtaBindArgument::simple(name.clone(), Password::new(PASSWORD)).to_octets();
        let reference =
            SessionReference { user_reference: name.to_string(), time: WallTime::from_unix(1_700_000_000) };
        Self::on(Stack::initiator(config, OpenData::Open(argument), reference))
    }

    /// Of the side that is connected to.
    pub(super) fn responder(config: StackConfig) -> Exchange {
        Self::on(Stack::responder(config))
    }

    fn on(stack: Stack) -> Exchange {
        let mut exchange = Exchange {
            stack,
            start: Instant::now(),
            actions: Vec::new(),
            indications: VecDeque::new(),
            outgoing: Vec::new(),
            closing: false,
        };
        let now = exchange.now();
        exchange.stack.start(now, &mut exchange.actions);
        exchange.perform();
        exchange
    }

    /// Puts a request in; what it causes waits to be sent.
    pub(super) fn put(&mut self, request: RtRequest) -> Result<(), BenchError> {
        let now = self.now();
        self.stack
            .request(now, request, &mut self.actions)
            .map_err(|error| BenchError::Association(error.to_string()))?;
        self.perform();
        Ok(())
    }

    /// Takes in what has come from the socket, nothing if it was closed.
    pub(super) fn receive(&mut self, octets: &[u8]) {
        let now = self.now();
        if octets.is_empty() {
            self.closing = true;
            self.stack.transport_closed(now, false, &mut self.actions);
        } else {
            self.stack.receive(now, octets, &mut self.actions);
        }
        self.perform();
    }

    /// What has been heard and not been taken yet.
    pub(super) fn heard(&mut self) -> Option<RtIndication> {
        self.indications.pop_front()
    }

    /// Nothing more will come.
    pub(super) fn has_ended(&self) -> bool {
        self.closing
    }

    /// There is nothing left to be heard until more comes.
    pub(super) fn is_silent(&self) -> bool {
        self.indications.is_empty()
    }

    /// Goes on with `job` as far as it gets with what has been heard, or until much waits to be sent.
    pub(super) fn advance<J: Job>(&mut self, job: &mut J) -> Result<Option<J::Done>, BenchError> {
        while self.outgoing.len() < OUTGOING {
            let heard = self.heard();
            if heard.is_none() && !self.closing {
                break;
            }
            if let Some(done) = job.hear(self, heard)? {
                return Ok(Some(done));
            }
        }
        Ok(None)
    }

    fn perform(&mut self) {
        for action in self.actions.drain(..) {
            match action {
                StackAction::Transmit(octets) => self.outgoing.extend_from_slice(&octets),
                StackAction::Indication(indication) => self.indications.push_back(indication),
                StackAction::Close => self.closing = true,
            }
        }
    }

    fn now(&self) -> MonoTime {
        MonoTime::after_start(self.start.elapsed())
    }
}

/// Waits until the bind is accepted.
pub(super) struct Bound;

impl Job for Bound {
    type Done = ();

    fn hear(&mut self, _: &mut Exchange, heard: Option<RtIndication>) -> Result<Option<()>, BenchError> {
        match heard {
            Some(RtIndication::OpenConfirm { .. }) => Ok(Some(())),
            other => Err(unexpected("an accepted bind", other)),
        }
    }
}

/// Waits for a bind, and leaves the answer to others.
pub(super) struct Called;

impl Job for Called {
    type Done = ();

    fn hear(&mut self, _: &mut Exchange, heard: Option<RtIndication>) -> Result<Option<()>, BenchError> {
        match heard {
            Some(RtIndication::Open(_)) => Ok(Some(())),
            other => Err(unexpected("a bind", other)),
        }
    }
}

/// The answer of `name` to a bind.
pub(super) fn bind_accepted(name: &MtaName) -> RtRequest {
    RtRequest::OpenAccept {
        user_data: MtaBindResult::simple(name.clone(), Password::new(PASSWORD)).to_octets(),
    }
}

/// Transfers one APDU and waits until the peer has taken responsibility.
pub(super) struct Transfer<'a> {
    apdu: &'a [u8],
    position: usize,
}

impl<'a> Transfer<'a> {
    /// Requests the transfer.
    pub(super) fn begin(exchange: &mut Exchange, apdu: &'a [u8]) -> Result<Transfer<'a>, BenchError> {
        exchange.put(RtRequest::Transfer { length: apdu.len() as u64 })?;
        Ok(Transfer { apdu, position: 0 })
    }
}

impl Job for Transfer<'_> {
    type Done = ();

    fn hear(
        &mut self,
        exchange: &mut Exchange,
        heard: Option<RtIndication>,
    ) -> Result<Option<()>, BenchError> {
        match heard {
            Some(RtIndication::SegmentWanted { octets }) => {
                let segment = self.apdu.get(self.position..self.position + octets).unwrap_or_default();
                self.position += octets;
                exchange.put(RtRequest::Segment(segment.to_vec()))?;
                Ok(None)
            }
            Some(RtIndication::TransferConfirm) => Ok(Some(())),
            other => Err(unexpected("a confirmed transfer", other)),
        }
    }
}

/// Takes one APDU in, which is seen before it is answered for; comes to `false` when the association has been closed.
pub(super) struct Take<F> {
    seen_by: F,
    apdu: Vec<u8>,
}

impl<F: FnMut(&[u8])> Take<F> {
    pub(super) fn new(seen_by: F) -> Take<F> {
        Take { seen_by, apdu: Vec::new() }
    }
}

impl<F: FnMut(&[u8])> Job for Take<F> {
    type Done = bool;

    fn hear(
        &mut self,
        exchange: &mut Exchange,
        heard: Option<RtIndication>,
    ) -> Result<Option<bool>, BenchError> {
        match heard {
            Some(RtIndication::TransferStart) => self.apdu.clear(),
            Some(RtIndication::TransferData(octets)) => {
                // What is looked for stands in the envelope.
                let room = KEPT.saturating_sub(self.apdu.len()).min(octets.len());
                self.apdu.extend_from_slice(octets.get(..room).unwrap_or_default());
            }
            Some(RtIndication::Checkpoint { serial }) => {
                exchange.put(RtRequest::CheckpointSecured { serial })?;
            }
            Some(RtIndication::TransferEnd) => {
                (self.seen_by)(&self.apdu);
                exchange.put(RtRequest::TransferAccept)?;
                return Ok(Some(true));
            }
            Some(RtIndication::Closed | RtIndication::Aborted(_)) | None => return Ok(Some(false)),
            other => return Err(unexpected("a message", other)),
        }
        Ok(None)
    }
}

/// Waits until the association has ended.
pub(super) struct Ended;

impl Job for Ended {
    type Done = ();

    fn hear(&mut self, _: &mut Exchange, heard: Option<RtIndication>) -> Result<Option<()>, BenchError> {
        Ok(heard.is_none().then_some(()))
    }
}

/// What was expected, and what was heard.
pub(super) fn unexpected(wanted: &str, heard: Option<RtIndication>) -> BenchError {
    BenchError::Association(format!("{wanted} was expected, not {heard:?}"))
}
