//! Writes one body: in memory as long as it is small, then to a segment file of its own.
//!
//! A large body is forced to the disk by whoever finishes it, not by the committer: it never delays the commits of
//! others.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Shared;
use super::disk::{DiskFile, failed};
use super::place::{Location, MemoryBody, OwnSegment, Place, Reservation};
use super::record;
use crate::{BodyId, BodyWriter, FinishedBody, SpoolError};

/// Octets gathered before a write to the file of a large body.
const STREAM_BUFFER: usize = 64 << 10;

/// Octets after which a stream is forced to the disk on its way. Else the end of a large body would find all of it
/// still to be written, and on file systems that order data before names, so would the commits of others.
const STREAM_SYNC: u64 = 8 << 20;

pub(super) struct EmbeddedBodyWriter {
    shared: Arc<Shared>,
    id: BodyId,
    len: u64,
    crc: u32,
    state: State,
}

enum State {
    Memory(Vec<u8>),
    Streaming(Stream),
    /// A write failed: what is in the file is unknown.
    Failed,
}

struct Stream {
    file: BufWriter<DiskFile>,
    path: PathBuf,
    number: u64,
    segment: OwnSegment,
    unsynced: u64,
}

impl EmbeddedBodyWriter {
    pub(super) fn new(shared: Arc<Shared>, id: BodyId) -> Self {
        EmbeddedBodyWriter { shared, id, len: 0, crc: 0, state: State::Memory(Vec::new()) }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<State, SpoolError> {
        let mut stream = match std::mem::replace(&mut self.state, State::Failed) {
            State::Memory(mut held) => {
                if held.len().saturating_add(bytes.len()) <= self.shared.options.inline_limit {
                    held.extend_from_slice(bytes);
                    return Ok(State::Memory(held));
                }
                let mut stream = Stream::create(&self.shared, self.id)?;
                stream.write(&held)?;
                stream
            }
            State::Streaming(stream) => stream,
            State::Failed => return Err(SpoolError::Abandoned { body: self.id }),
        };
        stream.write(bytes)?;
        Ok(State::Streaming(stream))
    }
}

impl BodyWriter for EmbeddedBodyWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        self.state = self.append(bytes).inspect_err(|error| self.shared.met(error))?;
        self.len = self.len.saturating_add(bytes.len() as u64);
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        Ok(())
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn write_may_block(&self, octets: usize) -> bool {
        match &self.state {
            State::Memory(held) => held.len().saturating_add(octets) > self.shared.options.inline_limit,
            State::Streaming(stream) => {
                octets >= stream.file.capacity().saturating_sub(stream.file.buffer().len())
                    || stream.unsynced.saturating_add(octets as u64) >= STREAM_SYNC
            }
            State::Failed => false,
        }
    }

    fn finish_may_block(&self) -> bool {
        matches!(self.state, State::Streaming(_))
    }

    fn finish(self: Box<Self>) -> Result<FinishedBody, SpoolError> {
        let EmbeddedBodyWriter { shared, id, len, crc, state } = *self;
        let (place, memory_octets) = match state {
            State::Memory(payload) => {
                let octets = payload.len();
                (Place::Memory(Arc::new(MemoryBody { payload, crc })), octets)
            }
            State::Streaming(stream) => {
                let location = Location { segment: stream.number, offset: 0, len, crc };
                let segment = stream.finish(&shared, id, &location).inspect_err(|error| shared.met(error))?;
                (Place::OwnSegment(Arc::new(segment), location), 0)
            }
            State::Failed => return Err(SpoolError::Abandoned { body: id }),
        };
        Ok(FinishedBody::new(id, len, memory_octets, Box::new(Reservation { shared, place })))
    }
}

impl Stream {
    fn create(shared: &Arc<Shared>, id: BodyId) -> Result<Stream, SpoolError> {
        let (number, path, file) = shared.create_segment()?;
        let segment = OwnSegment::new(Arc::clone(shared), number);
        let file = BufWriter::with_capacity(STREAM_BUFFER, file);
        let mut stream = Stream { file, path, number, segment, unsynced: 0 };
        stream.write(&record::header(id, None))?;
        Ok(stream)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        self.file.write_all(bytes).map_err(failed("write", &self.path))?;
        self.unsynced = self.unsynced.saturating_add(bytes.len() as u64);
        if self.unsynced >= STREAM_SYNC { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> Result<(), SpoolError> {
        self.file.flush().map_err(failed("write", &self.path))?;
        self.file.get_ref().sync_data().map_err(failed("sync", &self.path))?;
        self.unsynced = 0;
        Ok(())
    }

    fn finish(mut self, shared: &Shared, id: BodyId, location: &Location) -> Result<OwnSegment, SpoolError> {
        self.write(&record::trailer(id, location.len, location.crc))?;
        self.sync()?;
        shared.disk.sync_directory(shared.directory.segments())?;
        shared.counters.syncs.fetch_add(2, Ordering::Relaxed);
        Ok(self.segment)
    }
}
