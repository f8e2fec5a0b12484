//! A disk with a volatile cache, as far as POSIX promises anything of it.
//!
//! What was written to a file is certain after a sync of that file, what happened to a name after a sync of its
//! directory. Of what was not, any sector may have reached the disk without any other, in any order, a file may be
//! longer than what was written to it, and of the changes to one directory any number of the first may have.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::trace::{Call, Handle};

const SECTOR: u64 = 512;

type Inode = usize;

/// All that was done to the files, certain or not.
pub(crate) struct Disk {
    base: PathBuf,
    nodes: Vec<Node>,
    /// What the running system sees.
    names: BTreeMap<PathBuf, Inode>,
    handles: BTreeMap<Handle, Inode>,
    /// Syncs under way: the node, and how many of its changes they cover.
    syncs: BTreeMap<u64, (Inode, usize)>,
}

struct Node {
    changes: Vec<Change>,
    /// How many of them are certain.
    certain: usize,
    is_directory: bool,
}

enum Change {
    Write {
        at: u64,
        octets: Vec<u8>,
    },
    SetLen(u64),
    /// In a directory: a name refers to something else from now on, or to nothing.
    Name {
        name: PathBuf,
        inode: Option<Inode>,
    },
    /// In a directory, as one.
    Rename {
        from: PathBuf,
        to: PathBuf,
        inode: Inode,
    },
}

impl Disk {
    /// An empty disk; `base` is certain to be there.
    pub(crate) fn new(base: &Path) -> Disk {
        let root = Node { changes: Vec::new(), certain: 0, is_directory: true };
        Disk {
            base: base.to_owned(),
            nodes: vec![root],
            names: BTreeMap::from([(base.to_owned(), 0)]),
            handles: BTreeMap::new(),
            syncs: BTreeMap::new(),
        }
    }

    pub(crate) fn call(&mut self, call: &Call) {
        match call {
            Call::Open { handle, path, create, truncate } => {
                let inode = match self.names.get(path) {
                    Some(&inode) => inode,
                    None if *create => self.make(path, false),
                    None => panic!("{} is opened and was never made", path.display()),
                };
                if *truncate {
                    self.change(inode, Change::SetLen(0));
                }
                self.handles.insert(*handle, inode);
            }
            Call::Write { handle, at, octets } => {
                self.change(self.handles[handle], Change::Write { at: *at, octets: octets.clone() });
            }
            Call::SetLen { handle, len } => self.change(self.handles[handle], Change::SetLen(*len)),
            Call::SyncBegins { handle, sync } => {
                let inode = self.handles[handle];
                self.syncs.insert(*sync, (inode, self.nodes[inode].changes.len()));
            }
            Call::SyncEnds { sync } => {
                if let Some((inode, covered)) = self.syncs.remove(sync) {
                    let node = &mut self.nodes[inode];
                    node.certain = node.certain.max(covered);
                }
            }
            Call::MakeDirectory { path } => drop(self.make(path, true)),
            Call::Rename { from, to } => {
                let inode = self.names.remove(from).unwrap();
                self.names.insert(to.clone(), inode);
                let parent = self.parent(to);
                assert_eq!(parent, self.parent(from), "renamed inside one directory");
                let (from, to) = (name(from), name(to));
                self.change(parent, Change::Rename { from, to, inode });
            }
            Call::Remove { path } => {
                self.names.remove(path);
                self.change(self.parent(path), Change::Name { name: name(path), inode: None });
            }
        }
    }

    fn make(&mut self, path: &Path, is_directory: bool) -> Inode {
        let inode = self.nodes.len();
        self.nodes.push(Node { changes: Vec::new(), certain: 0, is_directory });
        self.names.insert(path.to_owned(), inode);
        self.change(self.parent(path), Change::Name { name: name(path), inode: Some(inode) });
        inode
    }

    fn change(&mut self, inode: Inode, change: Change) {
        self.nodes[inode].changes.push(change);
    }

    fn parent(&self, path: &Path) -> Inode {
        let parent = path.parent().unwrap();
        assert!(parent.starts_with(&self.base));
        *self.names.get(parent).unwrap_or_else(|| panic!("{} was never made", parent.display()))
    }

    /// Writes the disk as the cut leaves it into the directory `target`.
    pub(crate) fn rebuild(&self, target: &Path, survival: &mut Survival) {
        self.rebuild_node(0, target, survival);
    }

    fn rebuild_node(&self, inode: Inode, target: &Path, survival: &mut Survival) {
        let node = &self.nodes[inode];
        if !node.is_directory {
            return rebuild_file(node, target, survival);
        }
        if inode != 0 {
            fs::create_dir(target).unwrap();
        }
        let mut names: BTreeMap<&Path, Inode> = BTreeMap::new();
        let survives = node.certain + survival.prefix(node.changes.len() - node.certain);
        for change in node.changes.iter().take(survives) {
            match change {
                Change::Name { name, inode: Some(inode) } => drop(names.insert(name, *inode)),
                Change::Name { name, inode: None } => drop(names.remove(&**name)),
                Change::Rename { from, to, inode } => {
                    names.remove(&**from);
                    names.insert(to, *inode);
                }
                Change::Write { .. } | Change::SetLen(_) => panic!("a directory has names"),
            }
        }
        for (name, inode) in names {
            self.rebuild_node(inode, &target.join(name), survival);
        }
    }
}

fn rebuild_file(node: &Node, target: &Path, survival: &mut Survival) {
    let file = fs::File::create_new(target).unwrap();
    let last = node.changes.len().saturating_sub(1);
    for (number, change) in node.changes.iter().enumerate() {
        let certain = number < node.certain;
        match change {
            Change::SetLen(len) if certain || survival.one(number == last) => file.set_len(*len).unwrap(),
            Change::SetLen(_) => {}
            Change::Write { at, octets } if certain => file.write_all_at(octets, *at).unwrap(),
            Change::Write { at, octets } => {
                let end = at + octets.len() as u64;
                if survival.one(number == last) && file.metadata().unwrap().len() < end {
                    // The length arrived, whatever became of the octets.
                    file.set_len(end).unwrap();
                }
                let mut from = *at;
                while from < end {
                    let to = ((from / SECTOR + 1) * SECTOR).min(end);
                    let range = usize::try_from(from - at).unwrap()..usize::try_from(to - at).unwrap();
                    if survival.one(number == last) {
                        file.write_all_at(&octets[range], from).unwrap();
                    }
                    from = to;
                }
            }
            Change::Name { .. } | Change::Rename { .. } => panic!("a file has octets"),
        }
    }
}

fn name(path: &Path) -> PathBuf {
    path.file_name().unwrap().into()
}

/// Decides what of the uncertain survives.
pub(crate) struct Survival {
    way: usize,
    state: u64,
}

impl Survival {
    /// The first three ways are nothing, everything, and nothing but the last of each file; all others leave it to
    /// chance.
    pub(crate) fn new(at: usize, way: usize) -> Survival {
        let seed = (at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
            ^ (way as u64).wrapping_mul(0xD1B5_4A32_D192_ED03);
        Survival { way, state: seed | 1 }
    }

    fn chance(&mut self) -> u64 {
        // xorshift64
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state >> 8
    }

    /// Whether one sector or length does.
    fn one(&mut self, last: bool) -> bool {
        match self.way {
            0 => false,
            1 => true,
            2 => last,
            // Few are missing, or about half.
            way if way.is_multiple_of(2) => !self.chance().is_multiple_of(8),
            _ => self.chance().is_multiple_of(2),
        }
    }

    /// How many of so many changes to a directory do.
    fn prefix(&mut self, changes: usize) -> usize {
        match self.way {
            0 => 0,
            1 | 2 => changes,
            _ => usize::try_from(self.chance() % (changes as u64 + 1)).unwrap(),
        }
    }
}
