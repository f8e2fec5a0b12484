//! Makes the index whole when a store is opened.
//!
//! The journals of the index may lack what a power cut took from them, or what has rotted; the log has it, if anything
//! has. A journal that is damaged, and not only torn, is cut where the damage begins, but kept aside until the log has
//! proved to hold everything that followed. If it doesn't the journal returns to its place and the store stays closed:
//! what can't be read is for somebody to look at.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::directory::{Directory, Found};
use super::disk::{Disk, failed, sync_directory};
use super::index::Index;
use super::last::Told;
use super::{OpenError, Options, journal, log};
use crate::{BodyId, SpoolError};

/// The index, whole and durable.
pub(super) struct Opened {
    pub(super) index: Index,
    /// The highest name among the bodies in the steps that were read from the log.
    pub(super) highest_body: Option<BodyId>,
}

/// Opens the index of a store, or makes one if nothing was found. `told` is what the store says of itself, `files` are its segments.
///
/// # Errors
/// Neither index nor log hold a step that was acknowledged, or the disk refuses. No journal was changed then, but for a
/// torn end.
pub(super) fn open(
    directory: &Directory,
    found: Found,
    options: &Options,
    disk: Disk,
    told: Option<Told>,
    files: &BTreeMap<u64, u64>,
) -> Result<Opened, OpenError> {
    let path = directory.index();
    let acknowledged = told.map(|told| told.step);
    let state = journal::State::of(&path, acknowledged)?;
    if let Some((path, valid)) = state.broken.into_iter().next() {
        return Err(SpoolError::IndexDamaged { path, valid }.into());
    }
    state.torn.iter().try_for_each(|(path, valid)| journal::cut(path, *valid))?;
    let last = state.last;
    let doubtful = state.doubtful.into_iter();
    let aside =
        doubtful.map(|(path, valid)| Aside::put(directory, path, valid)).collect::<Result<Vec<_>, _>>()?;
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
    let in_order = told.is_some_and(|told| told.stopped && told.step == step);
    let mut highest_body = None;
    if !in_order || !aside.is_empty() {
        let replayed = log::replay(directory, files, step, &mut |batch| {
            highest_body = highest_body.max(batch.highest_body());
            index.apply(batch)
        });
        match replayed {
            Ok(_) => {}
            Err(error @ (SpoolError::IndexDamaged { .. } | SpoolError::IndexBehind { .. })) => {
                return Err(lost(error).into());
            }
            Err(error) => return Err(error.into()),
        }
        index.persist()?;
    }
    let step = index.step();
    if let Some(acknowledged) = last.filter(|last| step < *last) {
        return Err(lost(SpoolError::IndexBehind { path, step, acknowledged }).into());
    }
    aside.into_iter().try_for_each(Aside::let_go)?;
    Ok(Opened { index, highest_body })
}

/// A damaged journal, kept while a copy without the damage stands in its place. It returns there when dropped.
struct Aside {
    path: PathBuf,
    valid: u64,
    kept: PathBuf,
    wanted: bool,
}

impl Aside {
    fn put(directory: &Directory, path: PathBuf, valid: u64) -> Result<Aside, SpoolError> {
        let quarantine = directory.quarantine();
        fs::create_dir_all(&quarantine).map_err(failed("create", &quarantine))?;
        let kept = free_name(&quarantine, &path);
        let new = quarantine.join("journal.new");
        journal::copy_beginning(&path, &new, valid)?;
        fs::hard_link(&path, &kept).map_err(failed("keep", &path))?;
        sync_directory(&quarantine)?;
        let aside = Aside { path, valid, kept, wanted: true };
        fs::rename(&new, &aside.path).map_err(failed("rename", &new))?;
        sync_directory(&directory.index())?;
        Ok(aside)
    }

    fn damage(&self) -> SpoolError {
        SpoolError::IndexDamaged { path: self.path.clone(), valid: self.valid }
    }

    /// Nothing is left in it that anybody needs.
    fn let_go(mut self) -> Result<(), SpoolError> {
        self.wanted = false;
        fs::remove_file(&self.kept).map_err(failed("remove", &self.kept))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if self.wanted {
            // If it can't return it stays where it is kept, and the index tells that it is behind.
            let _ = fs::rename(&self.kept, &self.path);
            let _ = self.path.parent().map(sync_directory);
        }
    }
}

/// A name in `folder`, made of that of `path`, which is not taken.
pub(super) fn free_name(folder: &Path, path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut numbered = (1_u32..).map(|number| folder.join(format!("{name}.{number}")));
    numbered.find(|path| !path.exists()).unwrap_or_else(|| folder.join(&*name))
}
