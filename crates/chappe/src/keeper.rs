//! Keeps the configuration of a running service: the file, what was read from it, and what of that is in force.
//!
//! Signals and the API change it here and nowhere else, one after the other. A configuration that comes by the API is
//! checked, written beside the file, put into force and only then given the file's name: whatever fails before that leaves
//! the file and the service as they were. What the file held before is kept with `.1` at the end of its name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use runtime::{Handle, ReloadSummary};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::api::{Front, Gate};
use crate::config::{self, Config, ConfigError, Difference, Source, differences};
use crate::service::{ApplyError, apply, needs_restart};

/// Mistakes of a file that a reload tells, each in an event of its own.
const MOST_MISTAKES: usize = 100;

/// Why a configuration was not put into force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// It can't be read, or is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It was made from another one than the one that is there now.
    #[error("the configuration has changed since: its digest is {0} now")]
    Outdated(String),
    /// Somebody has edited the file, which the service has not read since.
    #[error("{0} was changed since the service has read it")]
    ChangedOnDisk(String),
    /// It can't be put into force.
    #[error("the MTA refuses it: {0}")]
    Refused(#[from] ApplyError),
    /// It can't be written.
    #[error("cannot write {file}: {source}")]
    Write {
        /// What was to be written.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A task of the service has died.
    #[error("a task of the service died: {0}")]
    Died(String),
}

/// The configuration of a running service.
pub(crate) struct Keeper {
    file: PathBuf,
    handle: Handle,
    gate: Arc<Gate>,
    front: Mutex<Front>,
    /// What is in force; its source is what was read last.
    current: Mutex<Config>,
}

/// What is in the file.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Name of the file.
    pub(crate) file: String,
    /// What was read from it last.
    pub(crate) source: Source,
    /// Whether the file holds something else by now.
    pub(crate) changed_on_disk: bool,
}

/// What another configuration would do.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// What is different, in the order of the items.
    pub(crate) differences: Vec<Difference>,
    /// What of it takes a restart.
    pub(crate) restart: Vec<&'static str>,
}

impl Keeper {
    /// Keeps `config`, which was read from `file` and is in force.
    pub(crate) fn new(file: &Path, config: Config, handle: Handle, gate: Arc<Gate>) -> Arc<Keeper> {
        // A link stays one: what it points at is replaced.
        let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        Arc::new_cyclic(|keeper| Keeper {
            file,
            front: Mutex::new(Front::new(handle.clone(), Arc::clone(&gate), keeper.clone())),
            handle,
            gate,
            current: Mutex::new(config),
        })
    }

    /// Serves the API on `listener`, which was made from the configuration in force.
    pub(crate) async fn open_api(&self, listener: TcpListener) {
        let current = self.current.lock().await;
        self.front.lock().await.open(listener, &current.listen);
    }

    /// Ends the API for good, and gives requests under way as long as `grace`.
    pub(crate) async fn close_api(&self, grace: Duration) {
        self.front.lock().await.close(grace).await;
    }

    /// What was read last.
    pub(crate) async fn kept(&self) -> Result<Kept, KeepError> {
        let source = self.current.lock().await.source.clone();
        let file = self.file.clone();
        let on_disk = blocking(move || fs::read(file)).await?;
        let changed_on_disk = !on_disk.is_ok_and(|octets| octets == source.text().as_bytes());
        Ok(Kept { file: self.file.display().to_string(), source, changed_on_disk })
    }

    /// Reads the file again and puts it into force. A bad file, or one that the MTA refuses, leaves everything as it is.
    pub(crate) async fn reload(self: &Arc<Self>) -> Result<ReloadSummary, KeepError> {
        let keeper = Arc::clone(self);
        // As with `replace`: who asked for it through the API may go away, or be cut off by it.
        let task = tokio::spawn(async move { keeper.reload_now().await });
        task.await.map_err(|error| KeepError::Died(error.to_string()))?
    }

    async fn reload_now(&self) -> Result<ReloadSummary, KeepError> {
        let mut current = self.current.lock().await;
        let file = self.file.clone();
        match blocking(move || config::load(&file)).await? {
            Ok(new) => {
                let (config, summary) = apply(&current, new, &self.handle, &self.gate, &self.front).await?;
                *current = config;
                Ok(summary)
            }
            Err(error) => {
                // Every mistake is an event of its own, up to as many as somebody mends at once.
                for line in error.to_string().lines().take(MOST_MISTAKES) {
                    self.handle.reload_refused(line);
                }
                Err(error.into())
            }
        }
    }

    /// What `edited`, in which secrets may be covered, means.
    pub(crate) async fn read(&self, edited: String) -> Result<Config, KeepError> {
        let source = self.current.lock().await.source.clone();
        self.understand(source, edited).await
    }

    async fn understand(&self, source: Source, edited: String) -> Result<Config, KeepError> {
        let file = self.file.clone();
        let understood = blocking(move || {
            // First as it came, so that lines and columns are those of the edited text.
            config::parse(&file, &edited)?;
            config::parse(&file, &source.uncover(&file, &edited)?)
        });
        Ok(understood.await??)
    }

    /// What would be different with `edited`.
    pub(crate) async fn check(&self, edited: String) -> Result<Verdict, KeepError> {
        let new = self.read(edited).await?;
        Ok(verdict(&*self.current.lock().await, &new))
    }

    /// Puts `edited` into force and into the file, if what was read last still has this digest.
    pub(crate) async fn replace(
        self: &Arc<Self>,
        edited: String,
        digest: String,
    ) -> Result<(Verdict, ReloadSummary, Source), KeepError> {
        let keeper = Arc::clone(self);
        // Half a change is worse than none: it goes on to its end even if the caller goes away.
        let task = tokio::spawn(async move { keeper.replace_now(edited, &digest).await });
        task.await.map_err(|error| KeepError::Died(error.to_string()))?
    }

    async fn replace_now(
        &self,
        edited: String,
        digest: &str,
    ) -> Result<(Verdict, ReloadSummary, Source), KeepError> {
        let mut current = self.current.lock().await;
        let known = current.source.digest();
        if known != digest {
            return Err(KeepError::Outdated(known));
        }
        let new = self.understand(current.source.clone(), edited).await?;
        let (file, before, after) = (self.file.clone(), current.source.clone(), new.source.clone());
        let prepared = blocking(move || Prepared::write(&file, &before, &after)).await??;
        let verdict = verdict(&current, &new);
        let (config, summary) = apply(&current, new, &self.handle, &self.gate, &self.front).await?;
        if let Err(error) = blocking(move || prepared.commit()).await? {
            // What is in the file must be what is in force.
            let old = current.clone();
            *current = apply(&config, old, &self.handle, &self.gate, &self.front).await?.0;
            return Err(error);
        }
        *current = config;
        Ok((verdict, summary, current.source.clone()))
    }
}

fn verdict(current: &Config, new: &Config) -> Verdict {
    Verdict {
        differences: differences(current.source.text(), new.source.text()),
        restart: needs_restart(current, new),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, KeepError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| KeepError::Died(error.to_string()))
}

/// Both files as they are to be, under other names; they go away again if this is dropped.
#[derive(Debug)]
struct Prepared {
    file: PathBuf,
    /// For the text that is to come.
    new: PathBuf,
    /// For the text before.
    old: PathBuf,
}

impl Prepared {
    fn write(file: &Path, before: &Source, after: &Source) -> Result<Prepared, KeepError> {
        let on_disk = fs::read(file).map_err(|source| failed(file, source))?;
        if on_disk != before.text().as_bytes() {
            return Err(KeepError::ChangedOnDisk(file.display().to_string()));
        }
        let prepared =
            Prepared { file: file.to_owned(), new: beside(file, "new"), old: beside(file, "1.new") };
        for (name, text) in [(&prepared.new, after), (&prepared.old, before)] {
            write_like(file, name, text.text()).map_err(|source| failed(name, source))?;
        }
        Ok(prepared)
    }

    fn commit(self) -> Result<(), KeepError> {
        let previous = beside(&self.file, "1");
        fs::rename(&self.old, &previous).map_err(|source| failed(&previous, source))?;
        fs::rename(&self.new, &self.file).map_err(|source| failed(&self.file, source))?;
        // The names are on the disk when the directory is. If that fails they are there all the same, until the power goes.
        if let Some(directory) = self.file.parent()
            && let Err(error) = File::open(directory).and_then(|directory| directory.sync_all())
        {
            tracing::warn!("{}: cannot be brought to the disk: {error}", directory.display());
        }
        Ok(())
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // After a commit neither is there.
        let _ = fs::remove_file(&self.new);
        let _ = fs::remove_file(&self.old);
    }
}

fn failed(file: &Path, source: io::Error) -> KeepError {
    KeepError::Write { file: file.display().to_string(), source }
}

/// The name of `file` with something behind it.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Writes `text` to a file that those may read who may read `like`, and brings it to the disk.
fn write_like(like: &Path, name: &Path, text: &str) -> io::Result<()> {
    let known = fs::metadata(like)?;
    // One that an earlier attempt left behind, or a link that somebody has put there.
    match fs::remove_file(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(name)?;
    out.write_all(text.as_bytes())?;
    if (out.metadata()?.uid(), out.metadata()?.gid()) != (known.uid(), known.gid()) {
        fchown(&out, Some(known.uid()), Some(known.gid()))?;
    }
    out.set_permissions(known.permissions())?;
    out.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_text_takes_the_place_of_another_with_its_rights_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("chappe.toml");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let (old, new) = (Source::new("old"), Source::new("new"));
        let names = || {
            let mut names: Vec<_> =
                fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };

        drop(Prepared::write(&file, &old, &new).unwrap());
        assert_eq!((names().len(), fs::read_to_string(&file).unwrap().as_str()), (1, "old"));

        // What an attempt left behind that was cut off is in nobody's way.
        fs::write(beside(&file, "new"), "rest").unwrap();
        Prepared::write(&file, &old, &new).unwrap().commit().unwrap();
        assert_eq!(names(), ["chappe.toml", "chappe.toml.1"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::read_to_string(beside(&file, "1")).unwrap(), "old");
        for name in [file.clone(), beside(&file, "1")] {
            assert_eq!(fs::metadata(name).unwrap().permissions().mode() & 0o777, 0o640);
        }

        let error = Prepared::write(&file, &old, &new).unwrap_err();
        assert!(matches!(error, KeepError::ChangedOnDisk(_)), "{error}");
        // A directory in the way of the previous text: nothing is changed.
        fs::remove_file(beside(&file, "1")).unwrap();
        fs::create_dir(beside(&file, "1")).unwrap();
        let error = Prepared::write(&file, &new, &old).unwrap().commit().unwrap_err();
        assert!(matches!(error, KeepError::Write { .. }), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(names(), ["chappe.toml", "chappe.toml.1"]);
    }
}
