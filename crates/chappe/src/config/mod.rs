//! The configuration file: one TOML file, validated as a whole.
//!
//! `load` gives either a complete [`Config`] or every mistake of the file at once, each with line, column and
//! what to do. Names, units and defaults of what concerns the agent are those of [`agent::settings`], which also
//! checks their ranges; this module adds the listeners, the store and the program itself. Paths are relative to the
//! directory that the program runs in.

mod comments;
mod connector;
mod difference;
mod edit;
mod fields;
mod init;
mod listen;
mod log;
mod monitor;
mod mta;
mod problem;
mod recipients;
mod regular;
mod restriction;
mod section;
mod selectors;
mod source;
mod suggest;
mod tls;
mod tokens;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent::settings::{AgentSettings, MtaSettings};
use runtime::{MonitorSettings, QueueAlarm, RecorderSettings, RuntimeConfig, RuntimeLimits};
use spool::CheckOnStart;
use toml::de::DeTable;

use crate::roles::ApiToken;
use crate::tls::TlsIdentity;
use connector::MessagingDefaults;
pub(crate) use difference::{Difference, differences};
pub(crate) use edit::{Edit, EditError, Written, written, written_defaults};
pub(crate) use fields::{FIELDS, Field, Kind};
pub use init::starting_file;
use problem::Problems;
pub use problem::{ConfigError, Located};
use section::Section;
pub(crate) use source::Source;

use crate::log::LogSettings;

/// Longest configuration file, in octets.
const MAX_FILE_OCTETS: u64 = 16 << 20;

/// Everything that `chappe serve` runs on.
#[derive(Clone, Debug)]
pub struct Config {
    /// The MTA and its connectors.
    pub settings: AgentSettings,
    /// Where the store is.
    pub(crate) data_dir: PathBuf,
    /// What the program listens on.
    pub(crate) listen: Listen,
    /// The store.
    pub(crate) spool: spool::Options,
    /// Bounds on what all peers together may use.
    pub(crate) limits: RuntimeLimits,
    /// The flight recorder.
    pub(crate) recorder: RecorderSettings,
    /// The log.
    pub(crate) log: LogSettings,
    /// The link monitors.
    pub(crate) monitors: Vec<MonitorSettings>,
    /// How long a stop waits for transfers under way. Default 10 s.
    pub(crate) stop_timeout: Duration,
    /// The text that all of this was read from.
    pub(crate) source: Source,
}

/// What the program listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    /// Addresses for peers: P1 over RFC 1006.
    pub(crate) p1: Vec<SocketAddr>,
    /// Address of the HTTP API, if there is to be one.
    pub(crate) api: Option<SocketAddr>,
    /// What clients of the API have to show. Required unless the API's address is a loopback address.
    pub(crate) api_tokens: Vec<ApiToken>,
    /// What the API's listener shows of itself, if it speaks TLS.
    pub(crate) api_tls: Option<TlsIdentity>,
    /// Requests that one token may make in a second. Default 100.
    pub(crate) api_requests_per_s: u32,
}

impl Config {
    /// What the runtime is started with.
    pub(crate) fn runtime(&self) -> RuntimeConfig {
        RuntimeConfig {
            settings: self.settings.clone(),
            data_dir: self.data_dir.clone(),
            p1: self.listen.p1.clone(),
            stop_timeout: self.stop_timeout,
            spool: self.spool.clone(),
            limits: self.limits.clone(),
            recorder: self.recorder.clone(),
        }
    }
}

/// Reads and checks the file.
///
/// # Errors
/// The file can't be read, or every mistake in it.
pub(crate) fn load(file: &Path) -> Result<Config, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
    let length = fs::metadata(file).map_err(unreadable)?.len();
    if length > MAX_FILE_OCTETS {
        let why = format!("it has {length} octets, the limit is {MAX_FILE_OCTETS}");
        return Err(unreadable(std::io::Error::new(std::io::ErrorKind::FileTooLarge, why)));
    }
    parse(file, &fs::read_to_string(file).map_err(unreadable)?)
}

/// Checks `text`, which stands in `file`.
///
/// # Errors
/// Every mistake in it.
pub fn parse(file: &Path, text: &str) -> Result<Config, ConfigError> {
    let problems = Problems::default();
    let (tree, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        problems.syntax(error.span().map_or(0, |span| span.start), error.message());
    }
    let config = read(Section::root(tree.get_ref(), &problems), Source::new(text));
    if let Some(config) = &config {
        for p in config.settings.validate() {
            problems.at_path(&p.path, p.problem, p.remedy);
        }
        if problems.is_empty() {
            monitor::check(&config.monitors, &config.settings, &problems);
        }
    }
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        Some(_) | None => Err(problems.locate(file, text)),
    }
}

/// Reads everything that is there, with stand-ins for what is missing or wrong; `None` only where there is nothing
/// to check further.
fn read(mut root: Section<'_>, source: Source) -> Option<Config> {
    let mut data_dir = None;
    let mut stop_timeout = Duration::from_secs(10);
    let mta = match root.section("mta") {
        Some(mut section) => {
            data_dir = section.required_string("data_dir", "\"data\"").map(|text| {
                let path = PathBuf::from(text.value);
                // One that is not there yet is made at the start.
                if fs::metadata(&path).is_ok_and(|found| !found.is_dir()) {
                    section.problems().wrong(
                        text.at,
                        format!("`{}` is there and is not a directory", path.display()),
                        "name a directory for the store, which need not exist yet",
                    );
                }
                path
            });
            if let Some(seconds) = section.number_in("stop_timeout_s", 0..=3600) {
                stop_timeout = Duration::from_secs(seconds);
            }
            Some(mta::read(section))
        }
        None => {
            if !root.has("mta") {
                root.problems().missing(0, "the file has no [mta] table", "start from `chappe config init`");
            }
            None
        }
    };
    let (listen, served) =
        root.section("listen").map_or_else(|| (Listen::nothing(), Vec::new()), listen::read);
    let tracking_subjects = root.section("tracking").is_none_or(read_tracking);
    let mta = mta.map(|mta| MtaSettings { served_selectors: served, tracking_subjects, ..mta });
    let spool = root.section("spool").map_or_else(spool::Options::default, read_spool);
    let limits = root.section("limits").map_or_else(RuntimeLimits::default, read_limits);
    let recorder = root.section("recorder").map_or_else(RecorderSettings::default, read_recorder);
    let log = root.section("log").map_or_else(LogSettings::default, log::read);
    let monitors = monitor::read_all(root.sections("link_monitor"));
    let defaults = root.section("messaging_defaults").map_or_else(Default::default, MessagingDefaults::read);
    let connectors = root.sections("connector").into_iter().enumerate();
    let connectors = connectors.map(|(n, section)| connector::read(n, section, defaults)).collect();
    let lists = root.sections("distribution_list").into_iter().map(recipients::list).collect();
    let redirections = root.sections("redirection").into_iter().map(recipients::redirection).collect();
    let restrictions = root.sections("delivery_restriction").into_iter().map(restriction::delivery);
    let restrictions = restrictions.collect();
    root.finish();
    Some(Config {
        settings: AgentSettings {
            lists: all(lists),
            redirections: all(redirections),
            restrictions: all(restrictions),
            ..AgentSettings::new(mta?, connectors)
        },
        data_dir: data_dir.unwrap_or_default(),
        listen,
        spool,
        limits,
        recorder,
        log,
        monitors,
        stop_timeout,
        source,
    })
}

/// All of them, or none where one is missing: what is found wrong with the others would be said of the wrong place.
fn all<T>(read: Vec<Option<T>>) -> Vec<T> {
    read.into_iter().collect::<Option<Vec<T>>>().unwrap_or_default()
}

const CHECK_ON_START: [(&str, CheckOnStart); 3] = [
    ("after-unclean-stop", CheckOnStart::AfterUncleanStop),
    ("always", CheckOnStart::Always),
    ("never", CheckOnStart::Never),
];

/// Most items of the work queue that an alarm may be set at: as many are counted every few seconds while it is long.
const LONGEST_WORK_QUEUE: u64 = 100_000;
/// The same of the queue of a connector, of which the length is always known.
const LONGEST_QUEUE: u64 = 1_000_000_000;

/// Whether message tracking keeps subjects.
fn read_tracking(mut section: Section<'_>) -> bool {
    let subjects = section.boolean("subjects", true);
    section.finish();
    subjects
}

fn read_spool(mut section: Section<'_>) -> spool::Options {
    let mut options = spool::Options::default();
    if let Some(mb) = section.number_in("segment_size_mb", 1..=4096) {
        options.segment_size = mb << 20;
    }
    if let Some(mb) = section.number_in("reserve_mb", 0..=1 << 30) {
        options.reserve_bytes = mb << 20;
    }
    if let Some(kb) = section.number_in("inline_limit_kb", 1..=16 << 10) {
        // At most 16 MiB by the range above.
        options.inline_limit = usize::try_from(kb << 10).unwrap_or(options.inline_limit);
    }
    if let Some(mb) = section.number_in("index_cache_mb", 1..=1 << 20) {
        options.index_cache_bytes = mb << 20;
    }
    if let Some(delay) = section.number_in("commit_delay_us", 0..=1_000_000) {
        options.commit_delay = Duration::from_micros(delay);
    }
    options.check_on_start = section.choice("check_on_start", &CHECK_ON_START, options.check_on_start);
    if let Some(seconds) = section.number_in("check_on_start_limit_s", 1..=3_600) {
        options.check_limit = Duration::from_secs(seconds);
    }
    section.finish();
    options
}

fn read_limits(mut section: Section<'_>) -> RuntimeLimits {
    let mut limits = RuntimeLimits::default();
    if let Some(most) = section.number_in("max_associations", 1..=10_000) {
        limits.max_associations = usize::try_from(most).unwrap_or(limits.max_associations);
    }
    if let Some(seconds) = section.number_in("connect_timeout_s", 1..=600) {
        limits.connect_timeout = Duration::from_secs(seconds);
    }
    if let Some(seconds) = section.number_in("bind_timeout_s", 1..=600) {
        limits.bind_timeout = Duration::from_secs(seconds);
    }
    if let Some(seconds) = section.number_in("tcp_keepalive_s", 5..=7_200) {
        limits.tcp_keepalive = Duration::from_secs(seconds);
    }
    if let Some(seconds) = section.number_in("tcp_user_timeout_s", 5..=7_200) {
        limits.tcp_user_timeout = Duration::from_secs(seconds);
    }
    if let Some(most) = section.number_in("reserved_associations", 0..=1_000) {
        limits.reserved_associations = usize::try_from(most).unwrap_or(limits.reserved_associations);
    }
    if let Some(mb) = section.number_in("max_buffer_mb", 1..=65_536) {
        limits.buffer_octets = mb << 20;
    }
    if let Some(seconds) = section.number_in("progress_timeout_s", 10..=86_400) {
        limits.progress_timeout = Duration::from_secs(seconds);
    }
    if let Some(seconds) = section.number_in("processing_timeout_s", 1..=3_600) {
        limits.processing_timeout = Duration::from_secs(seconds);
    }
    limits.work_queue_alarm =
        queue_alarm(&mut section, LONGEST_WORK_QUEUE, "work_queue_alarm_on", "work_queue_alarm_off");
    limits.outbound_queue_alarm =
        queue_alarm(&mut section, LONGEST_QUEUE, "outbound_queue_alarm_on", "outbound_queue_alarm_off");
    if let Some(kb) = section.number_in("max_envelope_kb", 16..=65_536) {
        limits.apdu.max_envelope_octets = kb << 10;
    }
    if let Some(kb) = section.number_in("max_report_kb", 16..=65_536) {
        limits.apdu.max_report_octets = kb << 10;
    }
    section.finish();
    limits
}

fn queue_alarm(
    section: &mut Section<'_>,
    most: u64,
    on_key: &'static str,
    off_key: &'static str,
) -> QueueAlarm {
    let on = section.number_in(on_key, 0..=most).unwrap_or(0);
    let mut off = section.number_in(off_key, 0..=most).unwrap_or(on / 2);
    if on > 0 && off >= on {
        section.problems().at_path(
            &format!("{}.{off_key}", section.path()),
            format!("{off} is not less than {on_key} = {on}"),
            format!("choose a smaller number, or leave {off_key} out for half of {on_key}"),
        );
        off = on / 2;
    }
    QueueAlarm { on, off }
}

fn read_recorder(mut section: Section<'_>) -> RecorderSettings {
    let mut settings = RecorderSettings::default();
    // All of these fit a usize by their ranges.
    let octets = |value: u64, default: usize| usize::try_from(value).unwrap_or(default);
    if let Some(kb) = section.number_in("association_kb", 0..=4_096) {
        settings.association_octets = octets(kb << 10, settings.association_octets);
    }
    if let Some(mb) = section.number_in("total_mb", 1..=4_096) {
        settings.total_octets = octets(mb << 20, settings.total_octets);
    }
    if let Some(snap) = section.number_in("snap_octets", 64..=65_535) {
        settings.snap_octets = octets(snap, settings.snap_octets);
    }
    if let Some(count) = section.number_in("ended", 0..=10_000) {
        settings.ended = octets(count, settings.ended);
    }
    settings.mask_passwords = section.boolean("mask_passwords", settings.mask_passwords);
    section.finish();
    settings
}

#[cfg(test)]
mod tests;
