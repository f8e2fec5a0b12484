//! The flight recorder: the last TPDUs of each association, to be looked at when something went wrong.
//!
//! Each [`Tap`] hands the octets of one connection to a bounded [`Recording`]; [`Recorder`] keeps those that are live
//! and the newest that have ended, all of them within one budget of memory. A recording is read as a packet capture
//! (`pcap.rs`), in which passwords are masked (`mask.rs`).
//!
//! Outgoing TPDUs are recorded when they are queued for TCP, incoming ones when their last octet is here. What is
//! below them (segments, retransmissions) is not seen and is made up in the capture.

mod budget;
mod mask;
mod pcap;
mod recorded;
mod recording;
mod ring;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clock::WallTime;

use crate::clocks::unix_micros;
use crate::status::{RecordingStatus, Role};
use budget::Budget;
pub use recorded::{RecordedConnection, RecordedEnd, RecordedTpdu};
use recording::{Closed, Recording};

/// What the flight recorder keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecorderSettings {
    /// Memory for the newest TPDUs of one association, in octets; 0 records nothing. What opened the association is
    /// kept besides, at most 40 KiB. Default 64 KiB.
    pub association_octets: usize,
    /// Memory for all recordings together, in octets. Default 16 MiB.
    pub total_octets: usize,
    /// Octets kept of each TPDU with its TPKT header, but for those that open the association, which are kept whole.
    /// Default 2052: all of a TPDU of the size that we offer.
    pub snap_octets: usize,
    /// Recordings of ended associations that are kept. Default 100.
    pub ended: usize,
    /// Passwords are replaced by asterisks where a recording is read. Default true.
    pub mask_passwords: bool,
}

impl Default for RecorderSettings {
    fn default() -> Self {
        RecorderSettings {
            association_octets: 64 << 10,
            total_octets: 16 << 20,
            snap_octets: 2_052,
            ended: 100,
            mask_passwords: true,
        }
    }
}

/// Which way a TPDU went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the peer.
    Received,
    /// To the peer.
    Sent,
}

/// One that tasks and readers share. A lock is held for a copy of some octets, never across an await.
type Shared = Arc<Mutex<Recording>>;

/// All recordings of one MTA.
#[derive(Debug)]
pub(crate) struct Recorder {
    settings: RecorderSettings,
    budget: Arc<Budget>,
    serial: AtomicU64,
    /// By number of the association and, since one may try several addresses, by serial number.
    live: Mutex<BTreeMap<(u64, u64), Shared>>,
}

/// The end of an association that hands its octets over. The recording has ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Tap {
    recorder: Arc<Recorder>,
    recording: Shared,
    key: (u64, u64),
}

impl Recorder {
    pub(crate) fn new(settings: RecorderSettings) -> Recorder {
        let budget = Arc::new(Budget::new(settings.total_octets, settings.ended));
        Recorder { settings, budget, serial: AtomicU64::new(0), live: Mutex::default() }
    }

    /// Begins to record a connection; nothing if the recorder is off.
    pub(crate) fn start(
        self: &Arc<Self>,
        association: u64,
        role: Role,
        local: SocketAddr,
        peer: SocketAddr,
    ) -> Option<Tap> {
        if self.settings.association_octets == 0 {
            return None;
        }
        let key = (association, self.serial.fetch_add(1, Ordering::Relaxed));
        let recording =
            Recording::new(&self.settings, Arc::clone(&self.budget), key, role, local, peer, unix_micros());
        let recording = Arc::new(Mutex::new(recording));
        lock(&self.live).insert(key, Arc::clone(&recording));
        Some(Tap { recorder: Arc::clone(self), recording, key })
    }

    /// Every recording: those that have ended, oldest first, then the live ones.
    pub(crate) fn list(&self) -> Vec<RecordingStatus> {
        self.all().iter().map(|recording| status(&lock(recording))).collect()
    }

    /// The recordings of one association as one packet capture: several if it tried several addresses.
    pub(crate) fn capture(&self, association: u64) -> Option<Vec<u8>> {
        let mut capture = pcap::Capture::new();
        let mut any = false;
        for recording in self.all() {
            let recording = lock(&recording);
            if recording.association == association {
                any = true;
                recording.write_to(&mut capture, self.settings.mask_passwords);
            }
        }
        any.then(|| capture.into_vec())
    }

    /// The recordings of one association, TPDU by TPDU, in the order in which its connections were made.
    pub(crate) fn recorded(&self, association: u64) -> Vec<RecordedConnection> {
        let mut found: Vec<RecordedConnection> = Vec::new();
        for recording in self.all() {
            let recording = lock(&recording);
            // One that ends at this moment may be met twice.
            if recording.association == association
                && !found.iter().any(|other| other.serial == recording.serial)
            {
                found.push(RecordedConnection::of(&recording, self.settings.mask_passwords));
            }
        }
        found.sort_by_key(|connection| connection.serial);
        found
    }

    fn all(&self) -> Vec<Shared> {
        let mut all = self.budget.ended();
        all.extend(lock(&self.live).values().cloned());
        all
    }
}

impl Tap {
    /// The connector that the association turned out to belong to.
    pub(crate) fn belongs_to(&self, connector: &str) {
        lock(&self.recording).connector = Some(connector.to_owned());
    }

    /// Octets came from the peer.
    pub(crate) fn received(&self, octets: &[u8]) {
        lock(&self.recording).received(unix_micros(), octets);
    }

    /// A TPDU was queued for the peer.
    pub(crate) fn sent(&self, packet: &[u8]) {
        lock(&self.recording).frame(unix_micros(), Direction::Sent, packet, packet.len());
    }

    /// The association is open: what came so far is what opened it.
    pub(crate) fn opened(&self) {
        lock(&self.recording).open();
    }

    /// The peer closed or reset the connection.
    pub(crate) fn closed_by_peer(&self, reset: bool) {
        let how = if reset { Closed::Reset } else { Closed::ByPeer };
        lock(&self.recording).close(unix_micros(), how);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        lock(&self.recorder.live).remove(&self.key);
        {
            let mut recording = lock(&self.recording);
            recording.close(unix_micros(), Closed::Here);
            // Whoever only looked whether the port is open leaves nothing worth a place.
            if recording.is_empty() {
                return;
            }
        }
        self.recorder.budget.keep(Arc::clone(&self.recording));
    }
}

fn status(recording: &Recording) -> RecordingStatus {
    let time =
        |micros: u64| WallTime::from_unix(i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX)).to_string();
    RecordingStatus {
        association: recording.association,
        connector: recording.connector.clone(),
        role: recording.role,
        local: recording.local.to_string(),
        peer: recording.peer.to_string(),
        began: time(recording.began),
        ended: recording.closed.map(|(micros, _)| time(micros)),
        tpdus: recording.tpdus(),
        octets: recording.octets(),
        lost_tpdus: recording.lost_tpdus(),
    }
}

/// Values behind these locks are whole between any two operations, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
