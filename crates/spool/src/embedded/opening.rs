//! Makes the index whole when a store is opened.
//!
//! The journals of the index may lack what a power cut took from them, or what has rotted; the log has it, if anything
//! has. A journal that is damaged, and not only torn, is cut where the damage begins, but kept aside until the log has
//! proved to hold everything that followed. If it doesn't the journal returns to its place and the store stays closed:
//! what can't be read is for somebody to look at. Nothing is applied before all is proved.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::directory::{Directory, Found};
use super::disk::{Disk, failed, sync_directory};
use super::index::Index;
use super::last::Told;
use super::log::{Gaps, Log};
use super::{OpenError, Options, journal};
use crate::{BodyId, SpoolError};

/// The index, whole and durable.
pub(super) struct Opened {
    pub(super) index: Index,
    /// The highest name among the bodies in the steps that were read from the log.
    pub(super) highest_body: Option<BodyId>,
}

/// Opens the index of a store, or makes one if nothing was found. `told` is what the store says of itself, `files` are its
/// segments.
///
/// # Errors
/// Neither index nor log hold a step that was acknowledged, or the disk refuses. With [`Gaps::Skip`] what is missing is no
/// error.
pub(super) fn open(
    directory: &Directory,
    found: Found,
    options: &Options,
    disk: Disk,
    told: Option<Told>,
    files: &BTreeMap<u64, u64>,
    gaps: Gaps,
) -> Result<Opened, OpenError> {
    let path = directory.index();
    let acknowledged = told.map(|told| told.step);
    Aside::restore_all(directory)?;
    let state = journal::State::of(&path, acknowledged)?;
    if let Some((path, valid)) = state.broken.into_iter().next() {
        return Err(SpoolError::IndexDamaged { path, valid }.into());
    }
    state.torn.iter().try_for_each(|(path, valid)| journal::cut(path, *valid))?;
    let last = state.last;
    let doubtful = state.doubtful.into_iter();
    let aside =
        doubtful.map(|(path, valid)| Aside::put(directory, path, valid)).collect::<Result<Vec<_>, _>>()?;
    // Declared after what is aside, so that it is closed before that returns to its place.
    let index = Index::open(&path, options, disk)?;
    let lost = |error: SpoolError| aside.first().map_or(error, Aside::damage);
    // Where there was none every store has set names aside.
    if found != Found::Nothing && index.body_id_limit()?.is_none() {
        return Err(match aside.first() {
            Some(aside) => aside.damage().into(),
            None => OpenError::IndexMissing { directory: directory.root().to_owned() },
        });
    }
    let step = index.step();
    if told.is_some_and(|told| told.stopped && told.step == step) && aside.is_empty() {
        return Ok(Opened { index, highest_body: None });
    }
    let log = Log { directory, files, acknowledged: last.unwrap_or(0), gaps };
    let mut highest_body = None;
    let proof = log.read(step, &mut |_, batch| {
        highest_body = highest_body.max(batch.highest_body());
        Ok(())
    });
    let proof = match proof {
        Err(error @ (SpoolError::IndexDamaged { .. } | SpoolError::IndexBehind { .. })) => {
            return Err(lost(error).into());
        }
        proof => proof?,
    };
    if let Some(acknowledged) = last.filter(|last| proof.last < *last && gaps == Gaps::Refuse) {
        return Err(lost(SpoolError::IndexBehind { path, step: proof.last, acknowledged }).into());
    }
    log.make_durable(&proof)?;
    // From here on the log is enough, whenever this is interrupted.
    aside.into_iter().try_for_each(Aside::let_go)?;
    log.read(step, &mut |step, batch| index.apply(step, batch))?;
    index.persist()?;
    Ok(Opened { index, highest_body })
}

/// A damaged journal, kept while a copy without the damage stands in its place. It returns there when dropped, or when the
/// store is next opened.
struct Aside {
    path: PathBuf,
    valid: u64,
    kept: PathBuf,
    wanted: bool,
}

impl Aside {
    /// Its name behind that of the journal.
    const SUFFIX: &str = "aside";

    fn put(directory: &Directory, path: PathBuf, valid: u64) -> Result<Aside, SpoolError> {
        let quarantine = directory.quarantine();
        fs::create_dir_all(&quarantine).map_err(failed("create", &quarantine))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let kept = quarantine.join(format!("{name}.{}", Self::SUFFIX));
        let new = quarantine.join("journal.new");
        journal::copy_beginning(&path, &new, valid)?;
        // Until it has left its place, there is nothing that would have to return.
        fs::hard_link(&path, &kept).map_err(failed("keep", &path))?;
        let aside = Aside { path, valid, kept, wanted: true };
        sync_directory(&quarantine)?;
        fs::rename(&new, &aside.path).map_err(failed("rename", &new))?;
        sync_directory(&directory.index())?;
        Ok(aside)
    }

    /// Puts back what an interrupted opening left aside.
    fn restore_all(directory: &Directory) -> Result<(), SpoolError> {
        let quarantine = directory.quarantine();
        let entries = match fs::read_dir(&quarantine) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("list", &quarantine)(error)),
        };
        for entry in entries {
            let kept = entry.map_err(failed("list", &quarantine))?.path();
            if kept.extension().is_some_and(|extension| extension == Self::SUFFIX)
                && let Some(name) = kept.file_stem()
            {
                let path = directory.index().join(name);
                // Two names of one file: a rename would change nothing.
                fs::copy(&kept, quarantine.join("journal.new")).map_err(failed("copy", &kept))?;
                put_back(&quarantine.join("journal.new"), &path)?;
                fs::remove_file(&kept).map_err(failed("remove", &kept))?;
            }
        }
        Ok(())
    }

    fn damage(&self) -> SpoolError {
        SpoolError::IndexDamaged { path: self.path.clone(), valid: self.valid }
    }

    /// Nothing is left in it that anybody needs.
    fn let_go(mut self) -> Result<(), SpoolError> {
        self.wanted = false;
        fs::remove_file(&self.kept).map_err(failed("remove", &self.kept))?;
        self.kept.parent().map_or(Ok(()), sync_directory)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if self.wanted {
            // If it can't return now it does when the store is next opened.
            let _ = put_back(&self.kept, &self.path);
        }
    }
}

fn put_back(kept: &Path, path: &Path) -> Result<(), SpoolError> {
    File::open(kept).and_then(|file| file.sync_all()).map_err(failed("sync", kept))?;
    fs::rename(kept, path).map_err(failed("rename", kept))?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Moves a file to the quarantine, durably; says where it is.
pub(super) fn set_aside(directory: &Directory, path: &Path) -> Result<PathBuf, SpoolError> {
    let quarantine = directory.quarantine();
    fs::create_dir_all(&quarantine).map_err(failed("create", &quarantine))?;
    let kept = free_name(&quarantine, path);
    fs::rename(path, &kept).map_err(failed("rename", path))?;
    sync_directory(&quarantine)?;
    path.parent().map_or(Ok(()), sync_directory)?;
    Ok(kept)
}

/// A name in `folder`, made of that of `path`, which is not taken.
pub(super) fn free_name(folder: &Path, path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut numbered = (1_u32..).map(|number| folder.join(format!("{name}.{number}")));
    numbered.find(|path| !path.exists()).unwrap_or_else(|| folder.join(&*name))
}
