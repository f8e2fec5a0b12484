//! Recordings as packet captures: libpcap's classic format, Ethernet, IPv4 or IPv6, TCP.
//!
//! Addresses, ports, times and TPDUs are real. The segments are made up: a handshake, one segment for each TPDU (or
//! several for one longer than an IP packet), sequence numbers that count every octet that was on the wire, kept or
//! not, and acknowledgements of all that went before. Octets that were not kept make a packet that is shorter in the
//! file than on the wire.

use std::net::{IpAddr, SocketAddr};

use super::Direction;
use super::recording::Closed;
use super::ring::Frame;
use crate::status::Role;

/// Data octets of one packet.
const SEGMENT: usize = 32 << 10;
const TCP_HEADER: usize = 20;
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PUSH: u8 = 0x08;
const ACK: u8 = 0x10;
/// Maximum segment size 32,768; no operation; window scale 14, so that no window is ever exceeded.
const SYN_OPTIONS: [u8; 8] = [2, 4, 0x80, 0x00, 1, 3, 3, 14];

/// A capture file.
#[derive(Debug)]
pub(super) struct Capture {
    out: Vec<u8>,
    conversations: u32,
}

/// One TCP connection in it.
#[derive(Debug)]
pub(super) struct Conversation<'c> {
    capture: &'c mut Capture,
    role: Role,
    local: End,
    peer: End,
    last: u64,
}

/// One end of it.
#[derive(Debug)]
struct End {
    address: SocketAddr,
    /// Synthetic: 02:00:00:00:00:01 for us, :02 for the peer.
    station: u8,
    /// Sequence number of its next octet.
    next: u32,
}

impl Capture {
    /// A capture without packets, with times in microseconds.
    pub(super) fn new() -> Capture {
        let mut out = Vec::new();
        out.extend(0xA1B2_C3D4_u32.to_le_bytes());
        out.extend(2_u16.to_le_bytes());
        out.extend(4_u16.to_le_bytes());
        out.extend([0; 8]);
        out.extend(262_144_u32.to_le_bytes());
        out.extend(1_u32.to_le_bytes());
        Capture { out, conversations: 0 }
    }

    pub(super) fn into_vec(self) -> Vec<u8> {
        self.out
    }
}

impl<'c> Conversation<'c> {
    /// Writes the handshake.
    pub(super) fn begin(
        capture: &'c mut Capture,
        role: Role,
        local: SocketAddr,
        peer: SocketAddr,
        micros: u64,
    ) -> Conversation<'c> {
        capture.conversations += 1;
        // Somewhere else for each, so that a repeated pair of ports is not taken for the same connection.
        let first = capture.conversations.wrapping_mul(0x0100_0000);
        let (local, peer) = same_family(local, peer);
        let mut conversation = Conversation {
            capture,
            role,
            local: End { address: local, station: 1, next: first.wrapping_add(1_000) },
            peer: End { address: peer, station: 2, next: first.wrapping_add(5_000) },
            last: micros,
        };
        let (first, second) = match role {
            Role::Initiator => (Direction::Sent, Direction::Received),
            Role::Responder => (Direction::Received, Direction::Sent),
        };
        conversation.packet(first, SYN, &[], 0);
        conversation.packet(second, SYN | ACK, &[], 0);
        conversation.packet(first, ACK, &[], 0);
        conversation
    }

    /// Writes one TPDU.
    pub(super) fn frame(&mut self, frame: &Frame) {
        // The clock may have been set back meanwhile; packets in a capture are in order.
        self.last = self.last.max(frame.micros);
        let mut at = 0;
        while at < frame.length {
            let length = SEGMENT.min(frame.length - at);
            let end = frame.octets.len().min(at + length);
            let kept = frame.octets.get(at..end).unwrap_or_default();
            self.packet(frame.direction, PUSH | ACK, kept, length);
            at += length;
        }
    }

    /// Octets went this way and are lost.
    pub(super) fn skip(&mut self, direction: Direction, octets: u64) {
        let end = match direction {
            Direction::Received => &mut self.peer,
            Direction::Sent => &mut self.local,
        };
        // Sequence numbers are counted modulo 2^32.
        end.next = end.next.wrapping_add(octets as u32);
    }

    /// Writes the end.
    pub(super) fn end(&mut self, micros: u64, how: Closed) {
        self.last = self.last.max(micros);
        match how {
            Closed::ByPeer => self.packet(Direction::Received, FIN | ACK, &[], 0),
            Closed::Reset => self.packet(Direction::Received, RST | ACK, &[], 0),
            Closed::Here => self.packet(Direction::Sent, FIN | ACK, &[], 0),
        }
    }

    /// Writes a packet with `length` octets of data, of which `kept` are there.
    fn packet(&mut self, direction: Direction, flags: u8, kept: &[u8], length: usize) {
        let initiates = (direction == Direction::Sent) == (self.role == Role::Initiator);
        let (from, to) = match direction {
            Direction::Sent => (&mut self.local, &self.peer),
            Direction::Received => (&mut self.peer, &self.local),
        };
        let options: &[u8] = if flags & SYN == 0 { &[] } else { &SYN_OPTIONS };
        let mut headers = vec![2, 0, 0, 0, 0, to.station, 2, 0, 0, 0, 0, from.station];
        let segment = TCP_HEADER + options.len() + length;
        internet(from.address.ip(), to.address.ip(), segment, &mut headers);
        headers.extend(from.address.port().to_be_bytes());
        headers.extend(to.address.port().to_be_bytes());
        headers.extend(from.next.to_be_bytes());
        headers.extend(if flags & ACK == 0 { 0 } else { to.next }.to_be_bytes());
        let words = (TCP_HEADER + options.len()) / 4;
        headers.extend([(words as u8) << 4, flags]);
        headers.extend(u16::MAX.to_be_bytes());
        // No checksum, which readers take for one left to the network card: octets that are not kept can't be summed.
        headers.extend([0; 4]);
        headers.extend(options);
        let out = &mut self.capture.out;
        out.extend(((self.last / 1_000_000) as u32).to_le_bytes());
        out.extend(((self.last % 1_000_000) as u32).to_le_bytes());
        out.extend(((headers.len() + kept.len()) as u32).to_le_bytes());
        out.extend(((headers.len() + length) as u32).to_le_bytes());
        out.extend(&headers);
        out.extend(kept);
        let counted = length as u32 + u32::from(flags & (SYN | FIN) != 0);
        from.next = from.next.wrapping_add(counted);
        debug_assert!(initiates || flags != SYN, "only the initiator sends a bare SYN");
    }
}

/// Both as IPv6 if they are not of one family, which an operating system should never tell.
fn same_family(a: SocketAddr, b: SocketAddr) -> (SocketAddr, SocketAddr) {
    let wide = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    };
    if a.is_ipv4() == b.is_ipv4() { (a, b) } else { (wide(a), wide(b)) }
}

/// Ethernet type and IP header in front of a TCP segment of `segment` octets.
fn internet(from: IpAddr, to: IpAddr, segment: usize, out: &mut Vec<u8>) {
    const TCP: u8 = 6;
    const HOPS: u8 = 64;
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            out.extend([0x08, 0x00]);
            let mut header = vec![0x45, 0];
            header.extend(((20 + segment) as u16).to_be_bytes());
            header.extend([0, 0, 0x40, 0, HOPS, TCP, 0, 0]);
            header.extend(from.octets());
            header.extend(to.octets());
            let sum = header.chunks(2).fold(0_u32, |sum, pair| match pair {
                [high, low] => sum + u32::from(u16::from_be_bytes([*high, *low])),
                _ => sum,
            });
            let sum = (sum & 0xFFFF) + (sum >> 16);
            let checksum = !(((sum & 0xFFFF) + (sum >> 16)) as u16);
            header.splice(10..12, checksum.to_be_bytes());
            out.extend(header);
        }
        (from, to) => {
            let octets = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            };
            out.extend([0x86, 0xDD, 0x60, 0, 0, 0]);
            out.extend((segment as u16).to_be_bytes());
            out.extend([TCP, HOPS]);
            out.extend(octets(from));
            out.extend(octets(to));
        }
    }
}
