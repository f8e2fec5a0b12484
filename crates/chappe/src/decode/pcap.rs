//! Packet captures (libpcap's classic format): packets, and TCP connections put together from them.
//!
//! Segments are put in order by sequence number. Octets that a capture cut off its packets are read as zeros, so that
//! what follows is found; whole packets that it lost leave a gap.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Why a capture can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PcapError {
    /// The newer pcapng format.
    #[error("it is a pcapng capture; convert it with `editcap -F pcap IN OUT`")]
    PcapNg,
    /// A link layer that is not known.
    #[error("it was captured on link type {0}, which is not known; capture on Ethernet, loopback or `any`")]
    LinkType(u32),
    /// The file ends before the first packet could begin.
    #[error("the capture ends in the middle of its file header, before the first packet")]
    Header,
}

/// Who sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The end that opened the TCP connection.
    Initiator,
    /// The end that accepted it.
    Responder,
}

/// One TCP connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The end that opened it.
    pub(crate) initiator: SocketAddr,
    /// The end that accepted it.
    pub(crate) responder: SocketAddr,
    /// Data in the order of the capture, each octet once.
    pub(crate) pieces: Vec<Piece>,
    /// Octets that were cut off and are zeros in the pieces.
    pub(crate) cut: u64,
    /// Its begin and its end, in order.
    pub(crate) marks: Vec<Mark>,
    streams: [Stream; 2],
}

/// Octets of one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Number of the packet that completed it.
    pub(crate) number: u64,
    /// When that came, in microseconds since 1970.
    pub(crate) micros: u64,
    /// Who sent it.
    pub(crate) side: Side,
    /// Octets in front of it that are not in the capture.
    pub(crate) lost: u64,
    /// The octets.
    pub(crate) octets: Vec<u8>,
    /// So many of them at the end are not in the capture and are zeros.
    pub(crate) cut: usize,
}

/// A packet that opens or ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Its number.
    pub(crate) number: u64,
    /// When it came, in microseconds since 1970.
    pub(crate) micros: u64,
    /// Who sent it.
    pub(crate) side: Side,
    /// What it does.
    pub(crate) what: Flag,
}

/// What a packet does to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    /// It is the first one.
    Opened,
    /// Nothing follows it from its sender.
    Closed,
    /// Nothing follows it at all.
    Reset,
}

/// What happens on a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'c> {
    /// It begins or ends.
    Mark(&'c Mark),
    /// Data comes.
    Piece(&'c Piece),
}

/// Number and time of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    number: u64,
    micros: u64,
}

/// Data behind a gap.
#[derive(Debug, Default)]
struct Waiting {
    place: Place,
    octets: Vec<u8>,
    cut: usize,
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct Stream {
    next: Option<u32>,
    /// The packet that completed the newest piece.
    place: Place,
    /// Behind a gap: data by sequence number.
    waiting: BTreeMap<u32, Waiting>,
}

impl Stream {
    /// The sequence number of the data nearest behind the gap. Numbers are compared modulo 2^32; what is in front of
    /// the gap is a repetition in other pieces and is dropped.
    fn nearest(&mut self) -> Option<u32> {
        let next = self.next?;
        loop {
            let ahead = self.waiting.range(next..).next().or_else(|| self.waiting.iter().next());
            let start = *ahead?.0;
            if start.wrapping_sub(next) < 1 << 31 {
                return Some(start);
            }
            self.waiting.remove(&start);
        }
    }
}

/// All TCP connections of a capture.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    /// In the order of their first packets.
    pub(crate) connections: Vec<Connection>,
    /// Number of the packet in which the file ends, if it does not end behind one: a capture that is still being
    /// written, or whose writer was killed. What is in front of that packet is here.
    pub(crate) ends_in: Option<u64>,
}

const PCAPNG: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];

/// Whether a file starts like a capture.
pub(crate) fn is_capture(file: &[u8]) -> bool {
    file.first_chunk::<4>().is_some_and(|magic| *magic == PCAPNG || little_endian(magic).is_some())
}

/// The octet order that the magic number tells, for microsecond and nanosecond captures.
fn little_endian(magic: &[u8; 4]) -> Option<bool> {
    match magic {
        [0xD4, 0xC3, 0xB2, 0xA1] | [0x4D, 0x3C, 0xB2, 0xA1] => Some(true),
        [0xA1, 0xB2, 0xC3, 0xD4] | [0xA1, 0xB2, 0x3C, 0x4D] => Some(false),
        _ => None,
    }
}

impl Capture {
    /// Reads a file for which [`is_capture`] is true.
    pub(crate) fn read(file: &[u8]) -> Result<Capture, PcapError> {
        let magic = file.first_chunk::<4>().ok_or(PcapError::Header)?;
        let little = little_endian(magic).ok_or(PcapError::PcapNg)?;
        let word = |octets: &[u8], at: usize| -> Option<u32> {
            let octets = octets.get(at..)?.first_chunk::<4>()?;
            Some(if little { u32::from_le_bytes(*octets) } else { u32::from_be_bytes(*octets) })
        };
        // Parts of a second in a time: the magic number tells microseconds from nanoseconds.
        let parts = if magic.contains(&0x3C) { 1_000 } else { 1 };
        let link_type = word(file, 20).ok_or(PcapError::Header)? & 0xFFFF;
        if network_packet(link_type, &[]).is_none() {
            return Err(PcapError::LinkType(link_type));
        }
        let mut capture = Capture::default();
        let mut rest = file.get(24..).unwrap_or_default();
        let mut number = 0;
        while !rest.is_empty() {
            number += 1;
            let length = word(rest, 8).and_then(|length| usize::try_from(length).ok());
            let end = length.and_then(|length| length.checked_add(16));
            let Some((packet, behind)) = end.and_then(|end| rest.split_at_checked(end)) else {
                capture.ends_in = Some(number);
                break;
            };
            rest = behind;
            let time = |at: usize| u64::from(word(packet, at).unwrap_or_default());
            let place = Place { number, micros: time(0) * 1_000_000 + time(4) / parts };
            let packet = packet.get(16..).and_then(|packet| network_packet(link_type, packet)).flatten();
            if let Some(segment) = packet.and_then(segment) {
                capture.take(place, &segment);
            }
        }
        capture.connections.iter_mut().for_each(Connection::finish);
        Ok(capture)
    }

    fn take(&mut self, place: Place, segment: &Segment<'_>) {
        let known = self.connections.iter_mut().rev().find_map(|connection| {
            let side = connection.side(segment)?;
            // The same pair of ports with a new SYN is a new connection.
            let reopened = segment.syn && !segment.ack && !connection.pieces.is_empty();
            (!reopened).then_some((connection, side))
        });
        if let Some((connection, side)) = known {
            connection.take(place, side, segment);
            return;
        }
        // Where the capture misses the SYN, its first packet may be an answer to it.
        let (initiator, responder, side) = if segment.syn && segment.ack {
            (segment.to, segment.from, Side::Responder)
        } else {
            (segment.from, segment.to, Side::Initiator)
        };
        let mut connection = Connection::new(initiator, responder);
        connection.take(place, side, segment);
        self.connections.push(connection);
    }
}

impl Connection {
    /// One of which nothing is known yet.
    pub(crate) fn new(initiator: SocketAddr, responder: SocketAddr) -> Connection {
        Connection {
            initiator,
            responder,
            pieces: Vec::new(),
            cut: 0,
            marks: Vec::new(),
            streams: Default::default(),
        }
    }

    /// All that happens on it, in order.
    pub(crate) fn events(&self) -> impl Iterator<Item = Event<'_>> {
        let mut marks = self.marks.iter().peekable();
        let mut pieces = self.pieces.iter().peekable();
        std::iter::from_fn(move || {
            // Of what is in one packet, the begin comes before the data and the end behind them.
            let mark_first = match (marks.peek(), pieces.peek()) {
                (Some(mark), Some(piece)) => {
                    mark.number < piece.number || (mark.number == piece.number && mark.what == Flag::Opened)
                }
                (Some(_), None) => true,
                (None, _) => false,
            };
            if mark_first { marks.next().map(Event::Mark) } else { pieces.next().map(Event::Piece) }
        })
    }

    fn side(&self, segment: &Segment<'_>) -> Option<Side> {
        if (segment.from, segment.to) == (self.initiator, self.responder) {
            Some(Side::Initiator)
        } else if (segment.from, segment.to) == (self.responder, self.initiator) {
            Some(Side::Responder)
        } else {
            None
        }
    }

    fn take(&mut self, place: Place, side: Side, segment: &Segment<'_>) {
        let stream = self.stream(side);
        let start = segment.sequence.wrapping_add(u32::from(segment.syn));
        let next = *stream.next.get_or_insert(start);
        // Sequence numbers are compared modulo 2^32: what is behind is a repetition whose tail may be new.
        let ahead = start.wrapping_sub(next);
        let (start, known) = if ahead < 1 << 31 {
            (start, 0)
        } else {
            (next, usize::try_from(next.wrapping_sub(start)).unwrap_or(usize::MAX))
        };
        let data: Vec<u8> =
            segment.data.iter().copied().chain(std::iter::repeat_n(0, segment.cut)).skip(known).collect();
        if !data.is_empty() {
            let kept = stream.waiting.entry(start).or_default();
            if data.len() > kept.octets.len() {
                let cut = segment.cut.min(data.len());
                *kept = Waiting { place, octets: data, cut };
                self.cut += segment.cut as u64;
            }
        }
        self.advance(side, 0);
        self.mark(place, side, segment);
    }

    /// Notes a begin or an end, once.
    fn mark(&mut self, place: Place, side: Side, segment: &Segment<'_>) {
        let what = match (segment.reset, segment.fin, segment.syn && !segment.ack) {
            (true, ..) => Flag::Reset,
            (false, true, _) => Flag::Closed,
            (false, false, true) => Flag::Opened,
            (false, false, false) => return,
        };
        let mark = Mark { number: place.number, micros: place.micros, side, what };
        if !self.marks.iter().any(|known| (known.side, known.what) == (side, what)) {
            self.marks.push(mark);
        }
    }

    /// Moves what has no gap in front of it any more, or one of `lost` octets, to the pieces.
    fn advance(&mut self, side: Side, mut lost: u64) {
        let stream = self.stream(side);
        let mut pieces = Vec::new();
        while let Some(next) = stream.next
            && let Some(Waiting { place, octets, cut }) = stream.waiting.remove(&next)
        {
            // A packet holds far less than 2^32 octets.
            stream.next = Some(next.wrapping_add(u32::try_from(octets.len()).unwrap_or(0)));
            stream.place = stream.place.max(place);
            let Place { number, micros } = stream.place;
            pieces.push(Piece { number, micros, side, lost: std::mem::take(&mut lost), octets, cut });
        }
        self.pieces.extend(pieces);
    }

    /// The capture is at its end: gaps that are left stay.
    fn finish(&mut self) {
        for side in [Side::Initiator, Side::Responder] {
            loop {
                let stream = self.stream(side);
                let Some((next, nearest)) = stream.next.zip(stream.nearest()) else { break };
                stream.next = Some(nearest);
                self.advance(side, u64::from(nearest.wrapping_sub(next)));
            }
        }
        self.pieces.sort_by_key(|piece| piece.number);
    }

    fn stream(&mut self, side: Side) -> &mut Stream {
        let [initiator, responder] = &mut self.streams;
        match side {
            Side::Initiator => initiator,
            Side::Responder => responder,
        }
    }
}

/// The IP packet in a frame: `None` for an unknown link type, `Some(None)` if the frame holds something else.
fn network_packet(link_type: u32, frame: &[u8]) -> Option<Option<&[u8]>> {
    let behind = |type_at: usize, header: usize| match frame.get(type_at..).and_then(|f| f.first_chunk::<2>())
    {
        Some([0x08, 0x00] | [0x86, 0xDD]) => frame.get(header..),
        Some(_) | None => None,
    };
    match link_type {
        0 | 108 => Some(frame.get(4..)),
        1 => Some(behind(12, 14)),
        12 | 101 | 228 | 229 => Some(Some(frame)),
        113 => Some(behind(14, 16)),
        276 => Some(behind(0, 20)),
        _ => None,
    }
}

struct Segment<'p> {
    from: SocketAddr,
    to: SocketAddr,
    sequence: u32,
    syn: bool,
    ack: bool,
    fin: bool,
    reset: bool,
    data: &'p [u8],
    /// Octets behind these that were cut off.
    cut: usize,
}

fn segment(packet: &[u8]) -> Option<Segment<'_>> {
    const TCP: u8 = 6;
    let short = |octets: &[u8], at: usize| Some(u16::from_be_bytes(*octets.get(at..)?.first_chunk::<2>()?));
    let (from, to, (tcp, end)): (IpAddr, IpAddr, (&[u8], usize)) = match packet.first()? >> 4 {
        4 => {
            if *packet.get(9)? != TCP {
                return None;
            }
            let header = usize::from(packet.first()? & 0x0F) * 4;
            // Segmentation offload leaves a total length of 0 in packets that are longer than it can say.
            let end = match usize::from(short(packet, 2)?) {
                0 => packet.len(),
                total => total,
            };
            let address = |at: usize| Some(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?));
            (address(12)?.into(), address(16)?.into(), (packet.get(header..end.min(packet.len()))?, end))
        }
        6 => {
            if *packet.get(6)? != TCP {
                return None;
            }
            let end = match usize::from(short(packet, 4)?) {
                0 => packet.len(),
                length => 40 + length,
            };
            let address = |at: usize| Some(Ipv6Addr::from(*packet.get(at..)?.first_chunk::<16>()?));
            (address(8)?.into(), address(24)?.into(), (packet.get(40..end.min(packet.len()))?, end))
        }
        _ => return None,
    };
    let flags = *tcp.get(13)?;
    let header = usize::from(tcp.get(12)? >> 4) * 4;
    Some(Segment {
        from: SocketAddr::new(from, short(tcp, 0)?),
        to: SocketAddr::new(to, short(tcp, 2)?),
        sequence: u32::from_be_bytes(*tcp.get(4..)?.first_chunk::<4>()?),
        syn: flags & 0x02 != 0,
        ack: flags & 0x10 != 0,
        fin: flags & 0x01 != 0,
        reset: flags & 0x04 != 0,
        data: tcp.get(header..)?,
        cut: end.saturating_sub(packet.len()),
    })
}
