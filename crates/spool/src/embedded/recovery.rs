//! What a store finds out about itself when it opens.
//!
//! The index is the truth. A segment file to which it doesn't refer holds bodies that no batch linked, or whose
//! last reference went: it is removed. Nothing the index refers to is cut or removed, readable or not; and if an
//! entry can't be understood, nothing is removed at all, because any file might be the one it means.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::directory::Directory;
use super::disk::{Disk, failed};
use super::index::Index;
use super::log::Gaps;
use super::opening::set_aside;
use super::record;
use super::segment::Live;
use crate::SpoolError;

/// State of a store as found.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    /// What lives in each segment.
    pub(super) live: BTreeMap<u64, Live>,
    /// Segment files that remain.
    pub(super) segments: u64,
    /// Live bodies.
    pub(super) bodies: u64,
    /// Their octets.
    pub(super) body_octets: u64,
    /// Bodies which are not whole, or whose entry can't be understood.
    pub(super) damaged: u64,
    /// A number that no segment has or had.
    pub(super) next_segment: u64,
    /// The first damage found, for the operator.
    pub(super) first_damage: Option<String>,
}

impl Recovered {
    /// Looks through a store whose index is as whole as it gets; `files` are its segments. While steps may be missing no file
    /// is removed: those to which nothing refers go to the quarantine.
    pub(super) fn find(
        directory: &Directory,
        index: &Index,
        disk: &Disk,
        files: &BTreeMap<u64, u64>,
        gaps: Gaps,
    ) -> Result<Recovered, SpoolError> {
        let mut found = Recovered::default();
        let mut all_understood = true;
        index.each_body(|body, counted| {
            found.bodies = found.bodies.saturating_add(1);
            let location = match counted {
                Ok(counted) => counted.place,
                Err(error) => {
                    all_understood = false;
                    found.damage(error.to_string());
                    return;
                }
            };
            found.body_octets = found.body_octets.saturating_add(location.len);
            let len = files.get(&location.segment).copied().unwrap_or(0);
            let live = found.live.entry(location.segment).or_default();
            live.bodies = live.bodies.saturating_add(1);
            live.octets = live.octets.saturating_add(location.record_len());
            live.len = len;
            let end = record::record_len(location.len).and_then(|len| len.checked_add(location.offset));
            let inside = match (files.get(&location.segment), end) {
                (Some(&len), Some(end)) => end <= len,
                (None, _) | (_, None) => false,
            };
            if !inside {
                found.damage(format!("body {body} is not whole in segment {:016x}", location.segment));
            }
        })?;
        let last = files.keys().chain(found.live.keys()).max().copied();
        found.next_segment = last.map_or(0, |last| last.saturating_add(1));
        for &number in files.keys() {
            if all_understood && !found.live.contains_key(&number) {
                match gaps {
                    Gaps::Refuse => disk.remove(&directory.segment(number))?,
                    Gaps::Skip => {
                        set_aside(directory, &directory.segment(number))?;
                    }
                }
            } else {
                found.segments = found.segments.saturating_add(1);
            }
        }
        Ok(found)
    }

    fn damage(&mut self, text: String) {
        self.damaged = self.damaged.saturating_add(1);
        self.first_damage.get_or_insert(text);
    }
}

/// Segment files and their lengths. Files with other names are not ours to judge.
pub(super) fn list(segments: &Path) -> Result<BTreeMap<u64, u64>, SpoolError> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(segments).map_err(failed("list", segments))? {
        let entry = entry.map_err(failed("list", segments))?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".seg")).filter(|name| name.len() == 16);
        if let Some(number) = number.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
            let metadata = entry.metadata().map_err(failed("look at", &entry.path()))?;
            files.insert(number, metadata.len());
        }
    }
    Ok(files)
}
