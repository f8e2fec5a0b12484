//! The least P1 peer that can generate or swallow messages: one blocking socket, one stack, no store.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Instant;

use clock::{MonoTime, WallTime};
use mhs::p1::bind::{MtaBindArgument, MtaBindResult, Password};
use mhs::{MtaName, p1};
use osi::rtse::{OpenData, RtIndication, RtRequest};
use osi::stack::{SessionReference, Stack, StackAction, StackConfig};

use super::{BenchError, io};

/// One association, driven by its caller's thread.
pub(super) struct Peer {
    socket: TcpStream,
    stack: Stack,
    start: Instant,
    actions: Vec<StackAction>,
    indications: std::collections::VecDeque<RtIndication>,
    /// What waits to be sent: it goes in one piece when there is nothing left to be done but wait.
    outgoing: Vec<u8>,
    incoming: Box<[u8]>,
    closing: bool,
}

/// Names and passwords of the bench's three MTAs.
pub(super) const PASSWORD: &str = "bench";
/// Octets of an APDU that are looked at.
const KEPT: usize = 512;
/// Octets read at once, and octets that wait to be sent at most.
const READ: usize = 64 * 1024;

impl Peer {
    /// Connects and binds as `name`.
    pub(super) fn connect(to: SocketAddr, name: &MtaName, config: StackConfig) -> Result<Peer, BenchError> {
        let socket = TcpStream::connect(to).map_err(io("connect to the MTA"))?;
        let argument = MtaBindArgument::simple(name.clone(), Password::new(PASSWORD)).to_octets();
        let reference =
            SessionReference { user_reference: name.to_string(), time: WallTime::from_unix(1_700_000_000) };
        let mut peer = Peer::on(socket, Stack::initiator(config, OpenData::Open(argument), reference))?;
        match peer.next()? {
            Some(RtIndication::OpenConfirm { .. }) => Ok(peer),
            other => Err(unexpected("an accepted bind", other)),
        }
    }

    /// Answers the bind of whoever connected.
    pub(super) fn accept(socket: TcpStream, name: &MtaName, config: StackConfig) -> Result<Peer, BenchError> {
        let mut peer = Peer::called(socket, config)?;
        let user_data = MtaBindResult::simple(name.clone(), Password::new(PASSWORD)).to_octets();
        peer.request(RtRequest::OpenAccept { user_data })?;
        Ok(peer)
    }

    /// Waits for the bind of whoever connected, and leaves the answer to the caller.
    pub(super) fn called(socket: TcpStream, config: StackConfig) -> Result<Peer, BenchError> {
        let mut peer = Peer::on(socket, Stack::responder(config))?;
        match peer.next()? {
            Some(RtIndication::Open(_)) => Ok(peer),
            other => Err(unexpected("a bind", other)),
        }
    }

    /// Waits until a transfer has begun.
    pub(super) fn wait_for_transfer(&mut self) -> Result<(), BenchError> {
        match self.next()? {
            Some(RtIndication::TransferStart) => Ok(()),
            other => Err(unexpected("a transfer", other)),
        }
    }

    /// Begins a transfer and gives the first octets of it, then nothing more.
    pub(super) fn begin_transfer(&mut self, apdu: &[u8]) -> Result<(), BenchError> {
        self.request(RtRequest::Transfer { length: apdu.len() as u64 + 100_000 })?;
        match self.next()? {
            Some(RtIndication::SegmentWanted { octets }) => {
                let mut segment = apdu.to_vec();
                segment.resize(octets, 0);
                self.request(RtRequest::Segment(segment))
            }
            other => Err(unexpected("a wish for octets", other)),
        }
    }

    /// Waits until the association has ended.
    pub(super) fn drain(mut self) -> Result<(), BenchError> {
        while self.next()?.is_some() {}
        Ok(())
    }

    fn on(socket: TcpStream, stack: Stack) -> Result<Peer, BenchError> {
        socket.set_nodelay(true).map_err(io("set TCP_NODELAY"))?;
        let mut peer = Peer {
            socket,
            stack,
            start: Instant::now(),
            actions: Vec::new(),
            indications: std::collections::VecDeque::new(),
            outgoing: Vec::new(),
            incoming: vec![0; READ].into_boxed_slice(),
            closing: false,
        };
        let now = peer.now();
        peer.stack.start(now, &mut peer.actions);
        peer.perform()?;
        Ok(peer)
    }

    /// Transfers one APDU and waits until the peer has taken responsibility.
    pub(super) fn transfer(&mut self, apdu: &[u8]) -> Result<(), BenchError> {
        self.put(RtRequest::Transfer { length: apdu.len() as u64 })?;
        let mut position = 0;
        loop {
            match self.next()? {
                Some(RtIndication::SegmentWanted { octets }) => {
                    let segment = apdu.get(position..position + octets).unwrap_or_default().to_vec();
                    position += octets;
                    self.put(RtRequest::Segment(segment))?;
                }
                Some(RtIndication::TransferConfirm) => return Ok(()),
                other => return Err(unexpected("a confirmed transfer", other)),
            }
        }
    }

    /// Takes one APDU in and forgets it; `false` when the association has been closed.
    pub(super) fn swallow(&mut self, mut on_message: impl FnMut()) -> Result<bool, BenchError> {
        self.take(|_| on_message())
    }

    /// Takes one APDU in, which `on_message` sees before it is answered for; `false` when the association has been closed.
    pub(super) fn take(&mut self, mut on_message: impl FnMut(&[u8])) -> Result<bool, BenchError> {
        let mut apdu = Vec::new();
        loop {
            match self.next()? {
                Some(RtIndication::TransferStart) => apdu.clear(),
                Some(RtIndication::TransferData(octets)) => {
                    // What is looked for stands in the envelope.
                    let room = KEPT.saturating_sub(apdu.len()).min(octets.len());
                    apdu.extend_from_slice(octets.get(..room).unwrap_or_default());
                }
                Some(RtIndication::Checkpoint { serial }) => {
                    self.put(RtRequest::CheckpointSecured { serial })?;
                }
                Some(RtIndication::TransferEnd) => {
                    on_message(&apdu);
                    self.put(RtRequest::TransferAccept)?;
                    return Ok(true);
                }
                Some(RtIndication::Closed | RtIndication::Aborted(_)) | None => return Ok(false),
                other => return Err(unexpected("a message", other)),
            }
        }
    }

    /// Closes in order.
    pub(super) fn close(mut self) -> Result<(), BenchError> {
        self.request(RtRequest::Close)?;
        while self.next()?.is_some() {}
        Ok(())
    }

    pub(super) fn request(&mut self, request: RtRequest) -> Result<(), BenchError> {
        self.put(request)?;
        self.flush()
    }

    /// As [`Peer::request`]; what it causes is sent with what comes next, or before anything is waited for.
    fn put(&mut self, request: RtRequest) -> Result<(), BenchError> {
        let now = self.now();
        self.stack
            .request(now, request, &mut self.actions)
            .map_err(|error| BenchError::Association(error.to_string()))?;
        self.perform()
    }

    fn next(&mut self) -> Result<Option<RtIndication>, BenchError> {
        loop {
            if let Some(indication) = self.indications.pop_front() {
                return Ok(Some(indication));
            }
            self.flush()?;
            if self.closing {
                return Ok(None);
            }
            let count = self.socket.read(&mut self.incoming).map_err(io("read from an association"))?;
            let now = self.now();
            match self.incoming.get(..count) {
                Some([]) | None => self.stack.transport_closed(now, false, &mut self.actions),
                Some(received) => self.stack.receive(now, received, &mut self.actions),
            }
            self.closing |= count == 0;
            self.perform()?;
        }
    }

    fn perform(&mut self) -> Result<(), BenchError> {
        for action in self.actions.drain(..) {
            match action {
                StackAction::Transmit(octets) => self.outgoing.extend_from_slice(&octets),
                StackAction::Indication(indication) => self.indications.push_back(indication),
                StackAction::Close => self.closing = true,
            }
        }
        if self.outgoing.len() < READ { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), BenchError> {
        self.socket.write_all(&self.outgoing).map_err(io("write to an association"))?;
        self.outgoing.clear();
        Ok(())
    }

    fn now(&self) -> MonoTime {
        MonoTime::after_start(self.start.elapsed())
    }
}

fn unexpected(wanted: &str, found: Option<RtIndication>) -> BenchError {
    BenchError::Association(format!("{wanted} was expected, not {found:?}"))
}

/// An encoded message to one recipient in the sink's domain, `size` octets of content, unique by `number`.
pub(super) fn message(number: u64, size: usize) -> Result<Vec<u8>, mhs::NameError> {
    message_to("SINK", number, size)
}

/// Messages that differ in their numbers alone, for a generator that shares its processors with what is measured.
#[derive(Clone)]
pub(super) struct Template {
    octets: Vec<u8>,
    /// Where the digits of the number are.
    digits: Range<usize>,
}

impl Template {
    /// Of messages of `size` octets of content.
    pub(super) fn new(size: usize) -> Result<Template, mhs::NameError> {
        let octets = message(MOST_NUMBER, size)?;
        let at = mark(&octets).unwrap_or_default();
        Ok(Template { octets, digits: at..at + MOST_NUMBER.to_string().len() })
    }

    /// The message of a number of which at most nine digits count.
    pub(super) fn message(&self, number: u64) -> Vec<u8> {
        let mut octets = self.octets.clone();
        let digits = format!("{:0width$}", number % (MOST_NUMBER + 1), width = self.digits.len());
        if let Some(place) = octets.get_mut(self.digits.clone()) {
            place.copy_from_slice(digits.as_bytes());
        }
        octets
    }
}

/// The largest number of a [`Template`].
const MOST_NUMBER: u64 = 999_999_999;

/// Where the number is.
fn mark(apdu: &[u8]) -> Option<usize> {
    Some(apdu.windows(MARK.len()).position(|window| window == MARK)? + MARK.len())
}

/// The number of a message made here, found in its envelope.
pub(super) fn number_of(apdu: &[u8]) -> Option<u64> {
    let at = mark(apdu)?;
    let digits: String = apdu
        .get(at..)?
        .iter()
        .take_while(|octet| octet.is_ascii_digit())
        .map(|&octet| char::from(octet))
        .collect();
    digits.parse().ok()
}

/// What stands before the number in a message identifier.
const MARK: &[u8] = b"bench-";

/// The same to one recipient in the private domain `prmd`.
pub(super) fn message_to(prmd: &str, number: u64, size: usize) -> Result<Vec<u8>, mhs::NameError> {
    let message = p1::Message::new(envelope_to(prmd, number)?, vec![b'x'; size]);
    Ok(p1::MtsApdu::Message(Box::new(message)).to_octets())
}

/// Its envelope alone.
pub(super) fn envelope_to(prmd: &str, number: u64) -> Result<p1::MessageTransferEnvelope, mhs::NameError> {
    use mhs::{ContentType, GlobalDomainIdentifier, MtsIdentifier, OrAddress, OrName, UtcTime};
    use p1::{
        MessageTransferEnvelope, OriginatingMtaReport, OriginatorReport, PerRecipientFields,
        PerRecipientIndicators, TraceInformationElement,
    };
    let domain =
        GlobalDomainIdentifier { country: "GB".into(), admd: " ".into(), prmd: Some("GENERATOR".into()) };
    let address = |text: &str| OrAddress::parse(text).unwrap_or_default();
    let identifier =
        MtsIdentifier::new(domain.clone(), &format!("{}{number}", String::from_utf8_lossy(MARK)))?;
    let originator = OrName::from(address("S=generator;P=GENERATOR;A= ;C=GB"));
    let recipient = PerRecipientFields::new(
        OrName::from(address(&format!("S=sink;P={prmd};A= ;C=GB"))),
        1,
        PerRecipientIndicators::new(true, OriginatingMtaReport::NonDelivery, OriginatorReport::None),
    );
    let arrival = UtcTime::from_wall(WallTime::from_unix(1_700_000_000));
    let mut trace = p1::TraceInformation::default();
    trace.push(TraceInformationElement::relayed(domain, arrival).into());
    Ok(MessageTransferEnvelope::new(identifier, originator, ContentType::P22, vec![recipient], trace))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn messages_of_a_template_differ_in_their_numbers_alone() {
        let template = Template::new(100).unwrap();
        assert_eq!(template.message(MOST_NUMBER), message(MOST_NUMBER, 100).unwrap());
        for number in [0, 7, 123_456_789] {
            let made = template.message(number);
            assert_eq!(number_of(&made), Some(number));
            assert!(p1::MtsApdu::from_octets(&made).is_ok());
        }
    }
}
