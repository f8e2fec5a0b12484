//! Reader of packet captures: pcap, Ethernet or raw IP, IPv4 or IPv6, TCP put in order.
//!
//! pcapng, IP fragments and IPv6 extension headers are not read: the collection has none.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::Side;

/// The TCP connections of a packet capture, in the order in which they begin.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// The connections.
    pub connections: Vec<Connection>,
}

/// One TCP connection, its octets in order and without repetitions.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Who opened it: sent the first SYN, or the first packet if there is none.
    pub initiator: SocketAddr,
    /// Who accepted it.
    pub responder: SocketAddr,
    /// The data in the order in which it became complete.
    pub segments: Vec<Segment>,
    /// Who sent a reset, if anyone did.
    pub reset_by: Option<Side>,
    streams: BTreeMap<Side, Stream>,
}

/// Data of one TCP segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Who sent it.
    pub side: Side,
    /// The octets that were new in it.
    pub octets: Vec<u8>,
}

/// A file that is no capture this reader knows.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file can't be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Not a pcap file; pcapng is not read.
    #[error("no pcap file: magic number {0:02x?}")]
    Magic(Vec<u8>),
    /// Neither Ethernet (1) nor raw IP (101).
    #[error("link type {0} is not supported")]
    LinkType(u32),
    /// The file ends inside a record.
    #[error("capture ends inside record {0}")]
    Truncated(usize),
}

#[derive(Clone, Debug, Default)]
struct Stream {
    next: Option<u32>,
    waiting: BTreeMap<u32, Vec<u8>>,
}

impl Capture {
    /// Reads a capture file.
    ///
    /// # Errors
    /// The file can't be read or is no pcap of Ethernet or raw IP.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let octets =
            std::fs::read(path).map_err(|source| CaptureError::Read { path: path.into(), source })?;
        Capture::parse(&octets)
    }

    /// Reads the capture called `name` (with its ending) of the project's collection.
    ///
    /// # Panics
    /// There is no such capture, or it can't be read.
    pub fn fixture(name: &str) -> Self {
        let path = Capture::fixture_dir().join(name);
        Capture::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Where the project's collection of captures is.
    pub fn fixture_dir() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures")
    }

    /// Reads a capture from memory.
    ///
    /// # Errors
    /// Not a pcap of Ethernet or raw IP, or cut off.
    pub fn parse(octets: &[u8]) -> Result<Self, CaptureError> {
        let magic = octets.get(..4).unwrap_or(octets);
        let little = match magic {
            [0xD4, 0xC3, 0xB2, 0xA1] | [0x4D, 0x3C, 0xB2, 0xA1] => true,
            [0xA1, 0xB2, 0xC3, 0xD4] | [0xA1, 0xB2, 0x3C, 0x4D] => false,
            other => return Err(CaptureError::Magic(other.to_vec())),
        };
        let word = |at: usize| -> Option<u32> {
            let four: [u8; 4] = octets.get(at..at + 4)?.try_into().ok()?;
            Some(if little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
        };
        let link_type = word(20).ok_or(CaptureError::Truncated(0))?;
        if ![1, 101].contains(&link_type) {
            return Err(CaptureError::LinkType(link_type));
        }
        let mut capture = Capture::default();
        let mut at = 24;
        for record in 1.. {
            if at == octets.len() {
                break;
            }
            let packet = word(at + 8)
                .and_then(|length| octets.get(at + 16..at + 16 + length as usize))
                .ok_or(CaptureError::Truncated(record))?;
            at += 16 + packet.len();
            let ip = if link_type == 1 { strip_ethernet(packet) } else { Some(packet) };
            if let Some(segment) = ip.and_then(TcpSegment::parse) {
                capture.add(&segment);
            }
        }
        Ok(capture)
    }

    /// The connections that were opened to this port.
    pub fn to_port(&self, port: u16) -> impl Iterator<Item = &Connection> {
        self.connections.iter().filter(move |connection| connection.responder.port() == port)
    }

    fn add(&mut self, segment: &TcpSegment<'_>) {
        let known = self.connections.iter_mut().rev().find_map(|connection| {
            let side = connection.side_of(segment)?;
            // The same pair of ports again, with a new SYN: another connection.
            let reopened = segment.syn && !segment.ack && !connection.segments.is_empty();
            (!reopened).then_some((connection, side))
        });
        if let Some((connection, side)) = known {
            connection.take(side, segment);
            return;
        }
        // A capture that starts in the middle may show the responder's side of the handshake first.
        let answer = segment.syn && segment.ack;
        let (initiator, responder, side) = if answer {
            (segment.to, segment.from, Side::Responder)
        } else {
            (segment.from, segment.to, Side::Initiator)
        };
        let mut connection = Connection {
            initiator,
            responder,
            segments: Vec::new(),
            reset_by: None,
            streams: BTreeMap::new(),
        };
        connection.take(side, segment);
        self.connections.push(connection);
    }
}

impl Connection {
    /// Everything that one side sent.
    pub fn octets(&self, side: Side) -> Vec<u8> {
        let of_side = self.segments.iter().filter(|segment| segment.side == side);
        of_side.flat_map(|segment| segment.octets.iter().copied()).collect()
    }

    /// The data with consecutive segments of one side joined.
    pub fn turns(&self) -> Vec<Segment> {
        let mut turns: Vec<Segment> = Vec::new();
        for segment in &self.segments {
            match turns.last_mut() {
                Some(last) if last.side == segment.side => last.octets.extend_from_slice(&segment.octets),
                Some(_) | None => turns.push(segment.clone()),
            }
        }
        turns
    }

    fn side_of(&self, segment: &TcpSegment<'_>) -> Option<Side> {
        if segment.from == self.initiator && segment.to == self.responder {
            Some(Side::Initiator)
        } else if segment.from == self.responder && segment.to == self.initiator {
            Some(Side::Responder)
        } else {
            None
        }
    }

    fn take(&mut self, side: Side, segment: &TcpSegment<'_>) {
        if segment.rst {
            self.reset_by.get_or_insert(side);
        }
        let stream = self.streams.entry(side).or_default();
        let start = if segment.syn { segment.sequence.wrapping_add(1) } else { segment.sequence };
        let next = *stream.next.get_or_insert(start);
        if !segment.data.is_empty() {
            let distance = start.wrapping_sub(next);
            // Less than half the number space ahead: new data. Behind: a repetition, of which the tail may be new.
            if distance < 1 << 31 {
                stream.waiting.entry(start).or_insert_with(|| segment.data.to_vec());
            } else if let Some(new) = segment.data.get(next.wrapping_sub(start) as usize..)
                && !new.is_empty()
            {
                stream.waiting.entry(next).or_insert_with(|| new.to_vec());
            }
        }
        while let Some(data) = stream.next.and_then(|next| stream.waiting.remove(&next)) {
            stream.next = stream.next.map(|next| next.wrapping_add(data.len() as u32));
            self.segments.push(Segment { side, octets: data });
        }
    }
}

struct TcpSegment<'a> {
    from: SocketAddr,
    to: SocketAddr,
    sequence: u32,
    syn: bool,
    ack: bool,
    rst: bool,
    data: &'a [u8],
}

fn strip_ethernet(frame: &[u8]) -> Option<&[u8]> {
    match frame.get(12..14)? {
        [0x08, 0x00] | [0x86, 0xDD] => frame.get(14..),
        _ => None,
    }
}

impl<'a> TcpSegment<'a> {
    /// A TCP segment out of an IP packet; `None` if it is something else, or a fragment.
    fn parse(ip: &'a [u8]) -> Option<Self> {
        let (from, to, tcp) = match ip.first()? >> 4 {
            4 => {
                let header = usize::from(ip.first()? & 0x0F) * 4;
                let total = usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?]));
                if *ip.get(9)? != 6 {
                    return None;
                }
                let address = |at: usize| -> Option<IpAddr> {
                    Some(Ipv4Addr::from(<[u8; 4]>::try_from(ip.get(at..at + 4)?).ok()?).into())
                };
                // A total length of zero is what segmentation offload leaves of a packet above 64 KiB.
                let end = if total == 0 { ip.len() } else { total };
                (address(12)?, address(16)?, ip.get(header..end)?)
            }
            6 => {
                if *ip.get(6)? != 6 {
                    return None;
                }
                let address = |at: usize| -> Option<IpAddr> {
                    Some(Ipv6Addr::from(<[u8; 16]>::try_from(ip.get(at..at + 16)?).ok()?).into())
                };
                let length = usize::from(u16::from_be_bytes([*ip.get(4)?, *ip.get(5)?]));
                (address(8)?, address(24)?, ip.get(40..40 + length)?)
            }
            _ => return None,
        };
        let port = |at: usize| Some(u16::from_be_bytes([*tcp.get(at)?, *tcp.get(at + 1)?]));
        let flags = *tcp.get(13)?;
        Some(TcpSegment {
            from: SocketAddr::new(from, port(0)?),
            to: SocketAddr::new(to, port(2)?),
            sequence: u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?),
            syn: flags & 0x02 != 0,
            ack: flags & 0x10 != 0,
            rst: flags & 0x04 != 0,
            data: tcp.get(usize::from(tcp.get(12)? >> 4) * 4..)?,
        })
    }
}
