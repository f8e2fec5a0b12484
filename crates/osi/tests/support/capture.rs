//! Reads recorded TCP conversations out of the classic pcap files among the fixtures.
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One TCP connection as far as it was recorded.
#[derive(Default)]
pub(crate) struct Conversation {
    /// Octets in the order of their arrival: from the client or not, and what came.
    pub(crate) chunks: Vec<(bool, Vec<u8>)>,
}

impl Conversation {
    /// All octets of one direction.
    pub(crate) fn octets(&self, from_client: bool) -> Vec<u8> {
        self.chunks.iter().filter(|(client, _)| *client == from_client).flat_map(|(_, o)| o.clone()).collect()
    }
}

/// All captures among the fixtures.
pub(crate) fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/fixtures/captures");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
        .collect();
    files.sort();
    files
}

/// A connection that goes on: where it is kept, and the next sequence number of each side.
struct Going {
    index: usize,
    next: [Option<u32>; 2],
}

/// The conversations of a capture of Ethernet frames, in the order of their first packets.
pub(crate) fn conversations(file: &Path) -> Vec<Conversation> {
    let octets = std::fs::read(file).unwrap();
    assert_eq!(octets[..4], [0xd4, 0xc3, 0xb2, 0xa1], "{file:?} is no little-endian pcap file");
    assert_eq!(u32_le(&octets[20..]), 1, "{file:?} is not of Ethernet");
    let mut found: Vec<Conversation> = Vec::new();
    // By client port and server port.
    let mut going: BTreeMap<(u16, u16), Going> = BTreeMap::new();
    let mut rest = &octets[24..];
    while !rest.is_empty() {
        let length = u32_le(&rest[8..]) as usize;
        let (frame, later) = rest[16..].split_at(length);
        rest = later;
        assert_eq!(frame[12..14], [8, 0], "not IPv4");
        let ip = &frame[14..];
        let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        let tcp = &ip[usize::from(ip[0] & 15) * 4..total];
        let ports = (u16::from_be_bytes([tcp[0], tcp[1]]), u16::from_be_bytes([tcp[2], tcp[3]]));
        let sequence = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
        let (syn, ack) = (tcp[13] & 2 != 0, tcp[13] & 16 != 0);
        let data = &tcp[usize::from(tcp[12] >> 4) * 4..];
        if syn && !ack {
            let next = [Some(sequence.wrapping_add(1)), None];
            going.insert(ports, Going { index: found.len(), next });
            found.push(Conversation::default());
            continue;
        }
        let from_client = going.contains_key(&ports);
        let key = if from_client { ports } else { (ports.1, ports.0) };
        let Some(Going { index, next }) = going.get_mut(&key) else { continue };
        let next = &mut next[usize::from(!from_client)];
        if syn {
            *next = Some(sequence.wrapping_add(1));
        } else if !data.is_empty() && *next == Some(sequence) {
            *next = Some(sequence.wrapping_add(data.len() as u32));
            found[*index].chunks.push((from_client, data.to_vec()));
        } else if !data.is_empty() {
            // Loopback loses nothing: anything out of order is a repetition.
            let behind = next.map_or(0, |next| next.wrapping_sub(sequence));
            assert!((1..=1 << 20).contains(&behind), "a gap in {file:?}");
        }
    }
    found
}

fn u32_le(octets: &[u8]) -> u32 {
    u32::from_le_bytes([octets[0], octets[1], octets[2], octets[3]])
}
