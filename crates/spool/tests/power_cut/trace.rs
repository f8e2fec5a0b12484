//! What strace saw, as calls on files below one directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Every call by which the engine or its index changes a file or a name, or says something.
pub(crate) const CALLS: &str = "trace=openat,open,creat,mkdir,mkdirat,write,writev,pwrite64,pwritev,pwritev2,\
ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range,rename,renameat,renameat2,unlink,unlinkat,rmdir,\
link,linkat,symlink,lseek,copy_file_range,sendfile,dup,dup2,dup3,close";

/// Something that happened, in order.
#[derive(Debug)]
pub(crate) enum Event {
    /// The child wrote this to its standard output.
    Said(String),
    /// It made a call that succeeded.
    Call(Call),
}

/// Number of an open file: unique over all rounds.
pub(crate) type Handle = u64;

/// A call, told at the moment from which on its effect is certain, or for [`Call::SyncBegins`] the one up to which
/// what others did is included.
#[derive(Debug)]
pub(crate) enum Call {
    Open { handle: Handle, path: PathBuf, create: bool, truncate: bool },
    Write { handle: Handle, at: u64, octets: Vec<u8> },
    SetLen { handle: Handle, len: u64 },
    SyncBegins { handle: Handle, sync: u64 },
    SyncEnds { sync: u64 },
    MakeDirectory { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf },
    Remove { path: PathBuf },
}

/// Reads traces, one after the other.
pub(crate) struct Tracer {
    base: PathBuf,
    events: Vec<Event>,
    /// Open files below the base by descriptor: handle, position, whether it appends, length if it does.
    open: BTreeMap<u64, Opened>,
    /// Lengths of files by path, for those which append.
    lens: BTreeMap<PathBuf, u64>,
    /// Calls under way by thread: what was seen of them, and the number of a sync.
    pending: BTreeMap<String, (String, u64)>,
    next: u64,
}

#[derive(Clone)]
struct Opened {
    handle: Handle,
    path: PathBuf,
    position: u64,
    append: bool,
}

impl Tracer {
    pub(crate) fn new(base: &Path) -> Tracer {
        Tracer {
            base: base.to_owned(),
            events: Vec::new(),
            open: BTreeMap::new(),
            lens: BTreeMap::new(),
            pending: BTreeMap::new(),
            next: 0,
        }
    }

    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// Reads the trace of one process.
    pub(crate) fn read(&mut self, trace: &Path) {
        self.open.clear();
        self.pending.clear();
        for line in BufReader::new(File::open(trace).unwrap()).lines() {
            let line = line.unwrap();
            let (thread, rest) = line.split_once(' ').unwrap();
            let rest = rest.trim_start();
            if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
                let sync = self.begins(begun);
                self.pending.insert(thread.to_owned(), (begun.trim_end().to_owned(), sync));
            } else if let Some((_, end)) = rest.split_once(" resumed>") {
                let Some((begun, sync)) = self.pending.remove(thread) else { continue };
                self.ends(&(begun + end), sync);
            } else if !rest.starts_with("+++") && !rest.starts_with("---") {
                let sync = self.begins(rest);
                self.ends(rest, sync);
            }
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// What has to be noted when a call begins.
    fn begins(&mut self, call: &str) -> u64 {
        let sync = self.number();
        if (call.starts_with("fsync(") || call.starts_with("fdatasync("))
            && let Some(opened) = self.open.get(&descriptor(call))
        {
            let handle = opened.handle;
            self.events.push(Event::Call(Call::SyncBegins { handle, sync }));
        } else if call.starts_with("close(") {
            // Another thread may be given the number before this call has ended.
            self.open.remove(&descriptor(call));
        } else if call.starts_with("write(1<") {
            let text = strings(call).into_iter().next().unwrap();
            self.events.push(Event::Said(String::from_utf8_lossy(&text).into_owned()));
        }
        sync
    }

    /// What has to be noted when it ends.
    fn ends(&mut self, call: &str, sync: u64) {
        let Some((head, result)) = call.rsplit_once(" = ") else { return };
        if result.starts_with('-') || result.starts_with('?') {
            return;
        }
        let (name, _) = head.split_once('(').unwrap();
        match name {
            "openat" => self.opened(head, result),
            "write" | "pwrite64" => self.written(name, head, leading(result)),
            "lseek" => {
                if let Some(opened) = self.open.get_mut(&descriptor(head)) {
                    opened.position = leading(result);
                }
            }
            "ftruncate" => {
                if let Some(opened) = self.open.get(&descriptor(head)).cloned() {
                    let len = leading(head.rsplit_once(", ").unwrap().1);
                    self.lens.insert(opened.path, len);
                    self.events.push(Event::Call(Call::SetLen { handle: opened.handle, len }));
                }
            }
            "fsync" | "fdatasync" => self.events.push(Event::Call(Call::SyncEnds { sync })),
            "mkdir" | "mkdirat" => {
                if let Some([path]) = self.paths(head).first_chunk() {
                    self.events.push(Event::Call(Call::MakeDirectory { path: path.clone() }));
                }
            }
            "rename" | "renameat" | "renameat2" => {
                if let [from, to] = &self.paths(head)[..] {
                    let len = self.lens.remove(from);
                    self.lens.insert(to.clone(), len.unwrap_or(0));
                    let (from, to) = (from.clone(), to.clone());
                    self.events.push(Event::Call(Call::Rename { from, to }));
                }
            }
            "unlink" | "unlinkat" | "rmdir" => {
                if let Some([path]) = self.paths(head).first_chunk() {
                    self.lens.remove(path);
                    self.events.push(Event::Call(Call::Remove { path: path.clone() }));
                }
            }
            "close" => {}
            // Everything else would change files unseen.
            other => {
                let ours = strings(head)
                    .iter()
                    .any(|text| text.starts_with(self.base.as_os_str().as_encoded_bytes()));
                assert!(
                    !ours && !self.open.contains_key(&descriptor(head)),
                    "{other} is not understood: {call}"
                );
            }
        }
    }

    fn opened(&mut self, head: &str, result: &str) {
        let descriptor = leading(result);
        let Some(path) = self.paths(head).into_iter().next() else {
            self.open.remove(&descriptor);
            return;
        };
        let flags = head.rsplit_once('"').unwrap().1;
        let (create, truncate) = (flags.contains("O_CREAT"), flags.contains("O_TRUNC"));
        let handle = self.number();
        if truncate {
            self.lens.insert(path.clone(), 0);
        }
        let opened = Opened { handle, path: path.clone(), position: 0, append: flags.contains("O_APPEND") };
        self.open.insert(descriptor, opened);
        self.events.push(Event::Call(Call::Open { handle, path, create, truncate }));
    }

    fn written(&mut self, name: &str, head: &str, count: u64) {
        let Some(opened) = self.open.get_mut(&descriptor(head)) else { return };
        let mut octets = strings(head).into_iter().next().unwrap();
        octets.truncate(usize::try_from(count).unwrap());
        assert_eq!(octets.len() as u64, count, "the trace shows all that was written");
        let len = self.lens.entry(opened.path.clone()).or_default();
        let at = match name {
            "pwrite64" => leading(head.rsplit_once(", ").unwrap().1),
            _ if opened.append => *len,
            _ => opened.position,
        };
        if name == "write" {
            opened.position = at + count;
        }
        *len = (*len).max(at + count);
        self.events.push(Event::Call(Call::Write { handle: opened.handle, at, octets }));
    }

    /// Absolute paths of a call, if they are below the base.
    fn paths(&self, head: &str) -> Vec<PathBuf> {
        let paths = strings(head)
            .into_iter()
            .map(|octets| PathBuf::from(String::from_utf8_lossy(&octets).into_owned()));
        let mut paths: Vec<PathBuf> = paths.collect();
        // A path given relative to an open directory stands behind it.
        if let [path] = &mut paths[..]
            && path.is_relative()
            && let Some(opened) = self.open.get(&descriptor(head))
        {
            *path = opened.path.join(&*path);
        }
        paths.retain(|path| path.starts_with(&self.base));
        paths
    }
}

/// The descriptor which is the first argument.
fn descriptor(call: &str) -> u64 {
    call.split_once('(').map_or(u64::MAX, |(_, arguments)| {
        if arguments.starts_with(|first: char| first.is_ascii_digit()) {
            leading(arguments)
        } else {
            u64::MAX
        }
    })
}

/// The number at the beginning.
fn leading(text: &str) -> u64 {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

/// The quoted strings of a call, decoded: all octets are in hexadecimal.
fn strings(call: &str) -> Vec<Vec<u8>> {
    let parts = call.split('"').skip(1).step_by(2);
    let octet = |pair: &str| u8::from_str_radix(pair, 16).unwrap();
    parts.map(|text| text.split("\\x").skip(1).map(octet).collect()).collect()
}
