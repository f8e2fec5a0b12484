//! The least P1 peer that can generate or swallow messages: one blocking socket, one stack, no store.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;

use clock::WallTime;
use mhs::{MtaName, p1};
use osi::rtse::{RtIndication, RtRequest};
use osi::stack::StackConfig;

pub(super) use super::exchange::PASSWORD;
use super::exchange::{self, Bound, Called, Ended, Exchange, Job, Take, Transfer, unexpected};
use super::{BenchError, io};

/// One association, driven by its caller's thread.
pub(super) struct Peer {
    socket: TcpStream,
    exchange: Exchange,
    incoming: Box<[u8]>,
}

/// Octets read at once.
pub(super) const READ: usize = 64 * 1024;

impl Peer {
    /// Connects and binds as `name`.
    pub(super) fn connect(to: SocketAddr, name: &MtaName, config: StackConfig) -> Result<Peer, BenchError> {
        let socket = TcpStream::connect(to).map_err(io("connect to the MTA"))?;
        let mut peer = Peer::on(socket, Exchange::initiator(name, config))?;
        peer.run(&mut Bound)?;
        Ok(peer)
    }

    /// Answers the bind of whoever connected.
    pub(super) fn accept(socket: TcpStream, name: &MtaName, config: StackConfig) -> Result<Peer, BenchError> {
        let mut peer = Peer::called(socket, config)?;
        peer.request(exchange::bind_accepted(name))?;
        Ok(peer)
    }

    /// Waits for the bind of whoever connected, and leaves the answer to the caller.
    pub(super) fn called(socket: TcpStream, config: StackConfig) -> Result<Peer, BenchError> {
        let mut peer = Peer::on(socket, Exchange::responder(config))?;
        peer.run(&mut Called)?;
        Ok(peer)
    }

    fn on(socket: TcpStream, exchange: Exchange) -> Result<Peer, BenchError> {
        socket.set_nodelay(true).map_err(io("set TCP_NODELAY"))?;
        let mut peer = Peer { socket, exchange, incoming: vec![0; READ].into_boxed_slice() };
        peer.flush()?;
        Ok(peer)
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

    /// Transfers one APDU and waits until the peer has taken responsibility.
    pub(super) fn transfer(&mut self, apdu: &[u8]) -> Result<(), BenchError> {
        let mut transfer = Transfer::begin(&mut self.exchange, apdu)?;
        self.run(&mut transfer)
    }

    /// Takes one APDU in, which `on_message` sees before it is answered for; `false` when the association has been closed.
    pub(super) fn take(&mut self, on_message: impl FnMut(&[u8])) -> Result<bool, BenchError> {
        self.run(&mut Take::new(on_message))
    }

    /// Waits until the association has ended.
    pub(super) fn drain(mut self) -> Result<(), BenchError> {
        self.run(&mut Ended)
    }

    /// Closes in order.
    pub(super) fn close(mut self) -> Result<(), BenchError> {
        self.request(RtRequest::Close)?;
        self.run(&mut Ended)
    }

    pub(super) fn request(&mut self, request: RtRequest) -> Result<(), BenchError> {
        self.exchange.put(request)?;
        self.flush()
    }

    fn next(&mut self) -> Result<Option<RtIndication>, BenchError> {
        loop {
            if let Some(heard) = self.exchange.heard() {
                return Ok(Some(heard));
            }
            self.flush()?;
            if self.exchange.has_ended() {
                return Ok(None);
            }
            self.read()?;
        }
    }

    fn run<J: Job>(&mut self, job: &mut J) -> Result<J::Done, BenchError> {
        loop {
            let done = self.exchange.advance(job)?;
            self.flush()?;
            match done {
                Some(done) => return Ok(done),
                None if self.exchange.is_silent() && !self.exchange.has_ended() => self.read()?,
                None => {}
            }
        }
    }

    fn read(&mut self) -> Result<(), BenchError> {
        let count = self.socket.read(&mut self.incoming).map_err(io("read from an association"))?;
        self.exchange.receive(self.incoming.get(..count).unwrap_or_default());
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BenchError> {
        let Exchange { outgoing, .. } = &mut self.exchange;
        self.socket.write_all(outgoing).map_err(io("write to an association"))?;
        outgoing.clear();
        Ok(())
    }
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
