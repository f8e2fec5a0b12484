//! Looks through a store that nobody has open: every record, every body, every file.
//!
//! Finding out changes nothing beyond what any start does (a torn end of the journal is cut off, what it lacks is taken
//! from the log, files that no batch ever linked go). With `repair`, what can't be read is moved out of the way, never
//! deleted: a damaged journal goes to the directory `quarantine` and what is valid in it takes its place; steps of the log
//! that can't be read are left out, and those behind them applied; reference counts which are too low are
//! raised. What the records mean, and which of them refer to damaged bodies, their owner knows.

use std::fs;
use std::path::Path;

use super::directory::{Directory, Found};
use super::disk::{Disk, failed, sync_directory};
use super::last::{self, Told};
use super::log::Gaps;
use super::opening::{free_name, set_aside};
use super::{EmbeddedSpool, OpenError, Options, journal};
use crate::{BodyId, MAX_READ_OCTETS, Space, Spool, SpoolError, block_on};

/// Records read at once.
const PAGE: usize = 1024;
/// Octets of a body read at once.
const PIECE: usize = 1 << 20;
/// Findings that are described; more are only counted.
const DESCRIBED: usize = 1000;
/// Most files which a repair moves out of the way.
const REPAIRS: u64 = 100;

/// How bad a finding is, from the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// Nothing is wrong with what the store holds; something beside it is not as it should be.
    Harmless,
    /// One record or body can't be used; everything else can.
    Damaged,
    /// More was lost than can be told.
    Serious,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub gravity: Gravity,
    /// What and where, in words.
    pub what: String,
    /// What was done about it, if anything.
    pub done: Option<String>,
    /// The body it is about, if it is about one.
    pub body: Option<BodyId>,
}

/// How far a look through a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The journals of the index, by number.
    Journals,
    /// Records, by number; how many there are is not known before.
    Records,
    /// Bodies, by octets.
    Bodies,
}

/// Told now and then: what is looked at, how much of it is done, and how much there is if that is known.
pub type OnProgress<'a> = &'a mut dyn FnMut(Stage, u64, Option<u64>);

/// A body in the list of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyEntry {
    /// Its name.
    pub body: BodyId,
    /// References and octets; `None` if its entry can't be understood.
    pub understood: Option<(u32, u64)>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Examined {
    /// At most some thousand of them, in the order in which they were found.
    pub findings: Vec<Finding>,
    /// How many there are.
    pub count: u64,
    /// The worst of them.
    pub worst: Option<Gravity>,
    /// Records by space.
    pub records: Vec<(Space, u64)>,
    /// Bodies, and their octets.
    pub bodies: u64,
    /// Octets of bodies.
    pub body_octets: u64,
    /// Bodies which can't be read wholly, in order.
    pub damaged_bodies: Vec<BodyId>,
    /// The store, open, if it could be opened.
    pub spool: Option<EmbeddedSpool>,
}

impl Examined {
    /// Adds a finding.
    pub fn find(&mut self, gravity: Gravity, what: impl Into<String>, done: Option<String>) {
        self.add(Finding { gravity, what: what.into(), done, body: None });
    }

    /// Makes light of a damaged body: nothing needs it any more.
    pub fn excuse(&mut self, body: BodyId) {
        for finding in self.findings.iter_mut().filter(|finding| finding.body == Some(body)) {
            finding.gravity = Gravity::Harmless;
        }
        // Of what is not described nobody knows better.
        if self.count == self.findings.len() as u64 {
            self.worst = self.findings.iter().map(|finding| finding.gravity).max();
        }
    }

    fn damaged(&mut self, body: BodyId, what: String) {
        self.damaged_bodies.push(body);
        self.add(Finding { gravity: Gravity::Damaged, what, done: None, body: Some(body) });
    }

    fn add(&mut self, finding: Finding) {
        self.count = self.count.saturating_add(1);
        self.worst = self.worst.max(Some(finding.gravity));
        if self.findings.len() < DESCRIBED {
            self.findings.push(finding);
        }
    }
}

impl EmbeddedSpool {
    /// Looks through the store in `directory`.
    ///
    /// # Errors
    /// There is no store, it is in use, or of a format that this version does not know.
    pub fn examine(
        directory: impl AsRef<Path>,
        options: Options,
        repair: bool,
        on_progress: OnProgress<'_>,
    ) -> Result<Examined, OpenError> {
        let root = directory.as_ref();
        let mut examined = Examined::default();
        let torn = {
            let (directory, found) = Directory::lock_existing(root)?;
            if found == Found::Nothing {
                return Err(OpenError::NoStore { directory: root.to_owned() });
            }
            on_progress(Stage::Journals, 0, None);
            let acknowledged = Told::read(directory.root())?.map(|told| told.step);
            let state = journal::State::of(&directory.index(), acknowledged)?;
            [state.torn, state.doubtful].concat()
        };
        let Some(spool) = examined.open(root, &options, repair)? else { return Ok(examined) };
        on_progress(Stage::Journals, 1, Some(1));
        if examined.count == 0 {
            for (path, _) in torn {
                let what = format!("the journal {} was torn at its end by a stop", path.display());
                let done = "cut off; nothing acknowledged was in it alone".to_owned();
                examined.find(Gravity::Harmless, what, Some(done));
            }
        }
        examined.records(&spool, on_progress);
        examined.bodies(&spool, on_progress);
        examined.files(&spool);
        examined.spool = Some(spool);
        Ok(examined)
    }

    /// Bodies in ascending order of names, at most `limit` after `after`.
    ///
    /// # Errors
    /// The index can't be read.
    pub fn bodies(&self, after: Option<BodyId>, limit: usize) -> Result<Vec<BodyEntry>, SpoolError> {
        self.shared.index.bodies_after(after, limit)
    }
}

impl Examined {
    /// Opens the store; with `repair`, after what hinders that has been moved out of the way.
    fn open(
        &mut self,
        root: &Path,
        options: &Options,
        repair: bool,
    ) -> Result<Option<EmbeddedSpool>, OpenError> {
        let mut gaps = Gaps::Refuse;
        loop {
            let source = match EmbeddedSpool::open_on(root, options.clone(), Disk::default(), gaps) {
                Ok(spool) => return Ok(Some(spool)),
                Err(OpenError::Storage { source }) => source,
                Err(other) => return Err(other),
            };
            let damaged = match &source {
                SpoolError::IndexDamaged { path, .. } => Some(path.clone()),
                SpoolError::IndexBehind { .. } => None,
                _ => {
                    self.find(Gravity::Serious, format!("the store can't be opened: {source}"), None);
                    return Ok(None);
                }
            };
            if !repair || self.count >= REPAIRS {
                self.find(Gravity::Serious, source.to_string(), None);
                return Ok(None);
            }
            let (directory, _) = Directory::lock_existing(root)?;
            let done = match damaged.filter(|path| path.starts_with(directory.index())) {
                Some(journal) => salvage(&directory, &journal)?,
                None if gaps == Gaps::Refuse => {
                    gaps = Gaps::Skip;
                    let last = directory.root().join(last::NAME);
                    let kept = last.exists().then(|| set_aside(&directory, &last)).transpose()?;
                    let told = kept.map(|kept| format!("; what told of the others is in {}", kept.display()));
                    format!("the store goes on with the steps that are left{}", told.unwrap_or_default())
                }
                None => {
                    self.find(Gravity::Serious, source.to_string(), None);
                    return Ok(None);
                }
            };
            self.find(Gravity::Serious, source.to_string(), Some(done));
        }
    }

    fn records(&mut self, spool: &EmbeddedSpool, on_progress: OnProgress<'_>) {
        let mut seen = 0_u64;
        for space in (0..=Space::LAST.0).map(Space) {
            let (mut count, mut after) = (0_u64, None::<Vec<u8>>);
            loop {
                match block_on(spool.scan(space, b"", after.as_deref(), PAGE)) {
                    Ok(page) => {
                        count = count.saturating_add(page.len() as u64);
                        seen = seen.saturating_add(page.len() as u64);
                        if page.len() < PAGE {
                            break;
                        }
                        after = page.last().map(|(key, _)| key.clone());
                        on_progress(Stage::Records, seen, None);
                    }
                    Err(error) => {
                        self.find(
                            Gravity::Serious,
                            format!("space {} can't be read: {error}", space.0),
                            None,
                        );
                        break;
                    }
                }
            }
            if count > 0 {
                self.records.push((space, count));
            }
        }
    }

    fn bodies(&mut self, spool: &EmbeddedSpool, on_progress: OnProgress<'_>) {
        let total = spool.stats().body_octets;
        let mut after = None;
        loop {
            let page = match spool.bodies(after, PAGE) {
                Ok(page) => page,
                Err(error) => {
                    self.find(Gravity::Serious, format!("the list of bodies can't be read: {error}"), None);
                    return;
                }
            };
            for BodyEntry { body, understood } in &page {
                self.bodies = self.bodies.saturating_add(1);
                match understood {
                    Some((references, octets)) => {
                        self.body_octets = self.body_octets.saturating_add(*octets);
                        self.body(spool, *body, *references);
                    }
                    None => {
                        self.damaged(*body, format!("the entry of body {body} can't be understood"));
                    }
                }
                on_progress(Stage::Bodies, self.body_octets, Some(total));
            }
            if page.len() < PAGE {
                return;
            }
            after = page.last().map(|entry| entry.body);
        }
    }

    fn body(&mut self, spool: &EmbeddedSpool, body: BodyId, references: u32) {
        if references == 0 {
            self.find(Gravity::Harmless, format!("body {body} has no references"), None);
        }
        let mut offset = 0_u64;
        loop {
            match block_on(spool.read_body(body, offset, PIECE.min(MAX_READ_OCTETS))) {
                Ok(piece) if piece.is_empty() => return,
                Ok(piece) => offset = offset.saturating_add(piece.len() as u64),
                Err(error) => {
                    return self.damaged(body, error.to_string());
                }
            }
        }
    }

    fn files(&mut self, spool: &EmbeddedSpool) {
        let folder = spool.shared.directory.segments();
        let Ok(entries) = fs::read_dir(folder) else { return };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.extension().is_none_or(|extension| extension != "seg") {
                self.find(Gravity::Harmless, format!("{} is no file of the store", path.display()), None);
            }
        }
    }
}

/// Puts what is valid in a damaged journal in its place; the journal itself goes to the quarantine.
fn salvage(directory: &Directory, path: &Path) -> Result<String, SpoolError> {
    let quarantine = directory.quarantine();
    fs::create_dir_all(&quarantine).map_err(failed("create", &quarantine))?;
    let kept = free_name(&quarantine, path);
    let new = quarantine.join("journal.new");
    fs::remove_file(&new).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(failed("remove the unfinished", &new)(error)),
    })?;
    let batches = journal::salvage(path, &new)?;
    // A copy, so that at any moment there is a journal in its place.
    fs::copy(path, &kept).map_err(failed("copy to", &kept))?;
    fs::File::open(&kept).and_then(|file| file.sync_all()).map_err(failed("sync", &kept))?;
    sync_directory(&quarantine)?;
    fs::rename(&new, path).map_err(failed("rename", &new))?;
    sync_directory(&directory.index())?;
    Ok(format!("{batches} valid steps were kept; the journal as it was is in {}", kept.display()))
}
