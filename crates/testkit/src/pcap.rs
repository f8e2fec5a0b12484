//! Writer of packet captures, for what was never on a wire or was recorded by a proxy.

use std::io::Write;
use std::path::Path;

use crate::Side;

/// Data octets of one packet: with all headers still below the 64 KiB of an IP packet.
const MAX_DATA: usize = 60_000;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const PUSH_ACK: u8 = 0x18;
const FIN_ACK: u8 = 0x11;

/// The TCP ports of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Of the end that opens the connection.
    pub initiator: u16,
    /// Of the end that accepts it.
    pub responder: u16,
}

impl Default for Ports {
    /// 40000 to 102, the port of RFC 1006, which needs no option to be dissected.
    fn default() -> Self {
        Ports { initiator: 40_000, responder: 102 }
    }
}

/// Writes conversations as a pcap file: Ethernet, IPv4, TCP with sequence numbers that advance as they should.
///
/// Checksums are zero, which dissectors take for offloaded. Packets are a millisecond apart.
#[derive(Clone, Debug)]
pub struct PcapBuilder {
    out: Vec<u8>,
    milliseconds: u32,
}

impl Default for PcapBuilder {
    fn default() -> Self {
        PcapBuilder::new()
    }
}

impl PcapBuilder {
    /// A capture without packets.
    pub fn new() -> Self {
        let mut out = Vec::new();
        out.extend(0xA1B2_C3D4_u32.to_le_bytes());
        out.extend(2u16.to_le_bytes());
        out.extend(4u16.to_le_bytes());
        out.extend([0; 8]);
        out.extend(262_144_u32.to_le_bytes());
        out.extend(1u32.to_le_bytes());
        PcapBuilder { out, milliseconds: 0 }
    }

    /// Adds one connection: handshake, the data in order, end.
    #[must_use]
    pub fn conversation<'a>(
        mut self,
        ports: Ports,
        turns: impl IntoIterator<Item = (Side, &'a [u8])>,
    ) -> Self {
        let mut tcp = Tcp { ports, initiator_sequence: 1000, responder_sequence: 5000 };
        self.packet(&mut tcp, Side::Initiator, SYN, &[]);
        self.packet(&mut tcp, Side::Responder, SYN | ACK, &[]);
        self.packet(&mut tcp, Side::Initiator, ACK, &[]);
        for (side, octets) in turns {
            for data in octets.chunks(MAX_DATA) {
                self.packet(&mut tcp, side, PUSH_ACK, data);
                self.packet(&mut tcp, side.other(), ACK, &[]);
            }
        }
        self.packet(&mut tcp, Side::Initiator, FIN_ACK, &[]);
        self.packet(&mut tcp, Side::Responder, FIN_ACK, &[]);
        self.packet(&mut tcp, Side::Initiator, ACK, &[]);
        self
    }

    /// The file.
    pub fn into_vec(self) -> Vec<u8> {
        self.out
    }

    /// Writes the file.
    ///
    /// # Errors
    /// As the file system says.
    pub fn write_to(&self, path: &Path) -> std::io::Result<()> {
        std::fs::File::create(path)?.write_all(&self.out)
    }

    fn packet(&mut self, tcp: &mut Tcp, side: Side, flags: u8, data: &[u8]) {
        const IP_HEADER: usize = 20;
        const TCP_HEADER: usize = 20;
        let total = IP_HEADER + TCP_HEADER + data.len();
        let length = (14 + total) as u32;
        self.milliseconds += 1;
        // 2026-01-01, so that the file looks sane in a viewer.
        self.out.extend((1_767_225_600 + self.milliseconds / 1000).to_le_bytes());
        self.out.extend((self.milliseconds % 1000 * 1000).to_le_bytes());
        self.out.extend(length.to_le_bytes());
        self.out.extend(length.to_le_bytes());

        let (own, peer) = match side {
            Side::Initiator => (1u8, 2u8),
            Side::Responder => (2, 1),
        };
        self.out.extend([2, 0, 0, 0, 0, peer, 2, 0, 0, 0, 0, own, 0x08, 0x00]);

        self.out.extend([0x45, 0]);
        self.out.extend((total as u16).to_be_bytes());
        self.out.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        self.out.extend([10, 0, 0, own, 10, 0, 0, peer]);

        let (from, to, sequence, acknowledged) = tcp.header(side);
        self.out.extend(from.to_be_bytes());
        self.out.extend(to.to_be_bytes());
        self.out.extend(sequence.to_be_bytes());
        self.out.extend(if flags & ACK == 0 { 0 } else { acknowledged }.to_be_bytes());
        self.out.extend([(TCP_HEADER as u8 / 4) << 4, flags]);
        self.out.extend(65_535_u16.to_be_bytes());
        self.out.extend([0; 4]);
        self.out.extend(data);
        tcp.advance(side, data.len() as u32 + u32::from(flags & (SYN | 0x01) != 0));
    }
}

struct Tcp {
    ports: Ports,
    initiator_sequence: u32,
    responder_sequence: u32,
}

impl Tcp {
    fn header(&self, side: Side) -> (u16, u16, u32, u32) {
        let Ports { initiator, responder } = self.ports;
        match side {
            Side::Initiator => (initiator, responder, self.initiator_sequence, self.responder_sequence),
            Side::Responder => (responder, initiator, self.responder_sequence, self.initiator_sequence),
        }
    }

    fn advance(&mut self, side: Side, by: u32) {
        match side {
            Side::Initiator => self.initiator_sequence = self.initiator_sequence.wrapping_add(by),
            Side::Responder => self.responder_sequence = self.responder_sequence.wrapping_add(by),
        }
    }
}
