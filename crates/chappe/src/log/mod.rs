//! The log: what the service says on standard error, as text or as JSON, and to syslog.
//!
//! One line each for what [`runtime`]'s event log tells, with the event's name, number, category and severity, and for
//! everything else that `tracing` hears of. Under systemd each line begins with its priority, so that `journalctl -p warning`
//! finds it. Nothing here decides what is an event.

mod layer;
mod line;
mod outlet;
mod stderr;
mod syslog;

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

use layer::Lines;
use line::Look;
use outlet::Flush;
use stderr::{SharedLook, Stderr};
use syslog::Syslog;
pub(crate) use syslog::{FACILITIES, Form, SyslogAddress, SyslogSettings};

/// What is logged unless something else is said.
const DEFAULT_LEVEL: &str = "info";
/// How long the end of the program waits for what is still on its way to standard error, and to syslog.
const FLUSH_PATIENCE: Duration = Duration::from_millis(300);

/// Settings of the log, `[log]` of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// How lines look on standard error.
    pub(crate) format: Format,
    /// What is logged, as [`check_filter`] takes it. Default `info`.
    pub(crate) level: Option<String>,
    /// Where lines go besides.
    pub(crate) syslog: Option<SyslogSettings>,
}

/// How a line on standard error looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// What is to be logged can't be understood.
    #[error("{0}")]
    Filter(String),
    /// A thread that writes can't be started.
    #[error("cannot start a thread that writes: {0}")]
    Thread(io::Error),
    /// Somebody else has the log already.
    #[error("the log is set up already: {0}")]
    SetUp(String),
}

/// What of the log can be changed while it is in force.
#[derive(Debug)]
struct InForce {
    /// Unless it was given in another place than the settings.
    filter: Option<reload::Handle<EnvFilter, Registry>>,
    look: SharedLook,
}

static IN_FORCE: OnceLock<InForce> = OnceLock::new();

fn understood(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(filter).map_err(|error| LogError::Filter(error.to_string()))
}

/// A log that is in force. What is still on its way has a moment to get there when this is dropped.
#[derive(Debug)]
pub(crate) struct Log {
    ends: Vec<Flush>,
}

impl Log {
    /// Puts a log into force for the whole process; `filter` stands in for the level of the settings.
    ///
    /// # Errors
    /// See [`LogError`].
    pub(crate) fn start(settings: &LogSettings, filter: Option<&str>) -> Result<Log, LogError> {
        let given = filter.is_some();
        let filter = filter.or(settings.level.as_deref()).unwrap_or(DEFAULT_LEVEL);
        let (filter, changed) = reload::Layer::new(understood(filter)?);
        let is_journal = is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref());
        let look = Look {
            format: settings.format,
            is_journal,
            colours: io::stderr().is_terminal() && crate::style::wanted(),
        };
        let syslog = settings.syslog.clone().map(Syslog::start).transpose().map_err(LogError::Thread)?;
        let look = SharedLook::new(look);
        let stderr = Stderr::start(look.clone()).map_err(LogError::Thread)?;
        let ends = std::iter::once(stderr.flush()).chain(syslog.as_ref().map(Syslog::flush)).collect();
        let lines = Lines::new(stderr, syslog);
        tracing_subscriber::registry()
            .with(filter)
            .with(lines)
            .try_init()
            .map_err(|error| LogError::SetUp(error.to_string()))?;
        // There is one for the whole process, as there is one subscriber.
        let _ = IN_FORCE.set(InForce { filter: (!given).then_some(changed), look });
        if is_journal && settings.syslog.as_ref().is_some_and(|syslog| is_journals(&syslog.address)) {
            tracing::warn!(
                "each line is in the journal twice: standard error goes there, and so does the socket in log.syslog; leave one out"
            );
        }
        Ok(Log { ends })
    }

    /// Lets the log of the process, if it has one, follow other settings: what is said and how, but not where. A level that
    /// was given on the command line or in the environment stays.
    ///
    /// # Errors
    /// What is to be logged can't be understood; it stays as it was.
    pub(crate) fn follow(settings: &LogSettings) -> Result<(), LogError> {
        let Some(log) = IN_FORCE.get() else { return Ok(()) };
        if let Some(changed) = &log.filter {
            let filter = understood(settings.level.as_deref().unwrap_or(DEFAULT_LEVEL))?;
            changed.reload(filter).map_err(|error| LogError::Filter(error.to_string()))?;
        }
        log.look.set_format(settings.format);
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        for end in &self.ends {
            end.wait(FLUSH_PATIENCE);
        }
    }
}

/// Checks what is to be logged: a level, or levels by module. A filter is checked where it is written, so that a slip is
/// a mistake and not a silent log.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_filter(text: &str) -> Result<String, String> {
    // The library takes a lone word that is no level for the name of a module.
    let lone = text.split(',').map(str::trim).filter(|part| !part.is_empty() && !part.contains(['=', '[']));
    for word in lone {
        word.parse::<LevelFilter>().map_err(|_| {
            format!("`{word}` is no level; write error, warn, info, debug or trace, or MODULE=LEVEL")
        })?;
    }
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Whether standard error is the very stream to the journal that `JOURNAL_STREAM` names as `device:inode`: a child whose
/// error output was sent elsewhere has the variable as well.
fn is_journal(stream: Option<&str>) -> bool {
    let Some((device, inode)) = stream.and_then(|text| text.split_once(':')) else { return false };
    let Ok(own) = io::stderr().as_fd().try_clone_to_owned() else { return false };
    let Ok(own) = std::fs::File::from(own).metadata() else { return false };
    (device.parse(), inode.parse()) == (Ok(own.dev()), Ok(own.ino()))
}

/// Whether what is written there is the journal's as well: where it runs, `/dev/log` leads to its own directory.
fn is_journals(syslog: &SyslogAddress) -> bool {
    match syslog {
        SyslogAddress::Udp(_) => false,
        SyslogAddress::Unix(path) => {
            std::fs::canonicalize(path).is_ok_and(|path| path.starts_with("/run/systemd/journal"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn only_the_stream_itself_is_the_journal() {
        let own = std::fs::File::from(io::stderr().as_fd().try_clone_to_owned().unwrap()).metadata().unwrap();
        assert!(is_journal(Some(&format!("{}:{}", own.dev(), own.ino()))));
        for other in [None, Some(""), Some("1"), Some("a:b"), Some("1:2:3")] {
            assert!(!is_journal(other), "{other:?}");
        }
        assert!(!is_journal(Some(&format!("{}:{}", own.dev(), own.ino().wrapping_add(1)))));
    }

    #[test]
    fn a_socket_elsewhere_is_not_the_journals() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("log");
        // A directory of that name is on every machine with the journal, and on no other.
        std::os::unix::fs::symlink("/run/systemd/journal", &link).unwrap();
        assert_eq!(is_journals(&SyslogAddress::Unix(link)), Path::new("/run/systemd/journal").exists());
        assert!(!is_journals(&SyslogAddress::Unix(dir.path().to_owned())));
        assert!(!is_journals(&SyslogAddress::Udp("localhost:514".to_owned())));
    }

    #[test]
    fn a_word_that_is_no_level_is_a_mistake() {
        assert!(check_filter("warn,runtime=debug").is_ok());
        assert!(check_filter("loud").unwrap_err().contains("`loud` is no level"));
    }
}
