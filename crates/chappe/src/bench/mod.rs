//! `chappe bench`: measurements with a generator and a sink on the same machine. Figures are ratios of one run.

mod admin;
mod baseline;
mod crash;
mod curves;
mod dead;
mod decide;
mod exchange;
mod failures;
mod fill;
mod flow;
mod hand_reader;
mod idle;
mod isolation;
mod layers;
mod peer;
mod plain_log;
mod plot;
mod process;
mod relay;
mod stack;
mod start;
mod store;
mod timed;
mod track;

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Measure relay, spool, decisions, layers and memory on this machine
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Examples:\n  chappe bench relay --messages 20000\n  chappe bench spool --messages 50000\n  chappe bench idle --associations 1000"
)]
pub(crate) enum Bench {
    /// Relay: P1 in, durable, P1 out, from a generator through an MTA process to a sink
    #[command(after_help = "Example:\n  chappe bench relay --messages 20000 --associations 20")]
    Relay(RelayArgs),
    /// The store alone beside a plain log: enqueue, read and delete, each durable
    #[command(after_help = "Example:\n  chappe bench spool --messages 60000 --producers 64")]
    Spool(SpoolArgs),
    /// The agent alone: decisions about messages for one, a hundred and ten thousand recipients
    #[command(after_help = "Example:\n  chappe bench decide --seconds 5")]
    Decide(DecideArgs),
    /// Memory of idle associations: opened to an MTA process and left alone
    #[command(after_help = "Example:\n  chappe bench idle --associations 1000")]
    Idle(IdleArgs),
    /// Healthy connectors beside dead ones: throughput and latency as ratios to the healthy ones alone
    #[command(after_help = "Example:\n  chappe bench isolation --dead 1 --dead 100 --dead 199")]
    Isolation(IsolationArgs),
    /// Failed connections of every kind: what the MTA process holds before and after
    #[command(after_help = "Example:\n  chappe bench failures --failures 10000")]
    Failures(FailuresArgs),
    /// Throughput, processor time and memory against queue length, recipients, connectors and message size
    #[command(
        after_help = "Example:\n  chappe bench curves --svg plots\n  chappe bench curves --only queue --point 1 --point 1000000"
    )]
    Curves(curves::CurvesArgs),
    /// Killed at random moments under full load: what is lost, and what arrives twice
    #[command(after_help = "Example:\n  chappe bench crash --kills 1000")]
    Crash(crash::CrashArgs),
    /// The protocol layers alone, in memory: what each costs, and the readers of BER and P1
    #[command(after_help = "Example:\n  chappe bench stack --size 2048 --size 1048576")]
    Stack(StackArgs),
    /// Starting with a long queue: time to the first transfer, memory, draining and accepting, as ratios to a short one
    #[command(after_help = "Example:\n  chappe bench start --messages 1000000 --connectors 200")]
    Start(StartArgs),
    /// Message tracking of many messages: how fast it is filled, its size, and searches with and without the index
    #[command(after_help = "Example:\n  chappe bench track --messages 2600000")]
    Track(TrackArgs),
    /// What relaying loses while many consoles look on and a long queue waits
    #[command(after_help = "Example:\n  chappe bench admin --clients 50 --queued 100000")]
    Admin(AdminArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RelayArgs {
    /// Messages to relay.
    #[arg(long, default_value_t = 10_000)]
    messages: u64,
    /// Octets of content of each.
    #[arg(long, default_value_t = 2_048)]
    size: usize,
    /// Associations of the generator; the MTA may open as many to the sink.
    #[arg(long, default_value_t = 20)]
    associations: u32,
    /// Directory for the store; a temporary one if absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SpoolArgs {
    /// Messages to store and delete.
    #[arg(long, default_value_t = 20_000)]
    messages: u64,
    /// Octets of each body.
    #[arg(long, default_value_t = 2_048)]
    size: usize,
    /// Threads that store; half as many delete.
    #[arg(long, default_value_t = 20)]
    producers: usize,
    /// Rounds of disk, plain log and store by turns, of which the median counts, 1 to 99.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..100))]
    rounds: u32,
    /// Directory for the store; a temporary one if absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DecideArgs {
    /// How long each number of recipients is measured, 1 to 3600 seconds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct IdleArgs {
    /// Associations to open, 1 to 9999.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..10_000))]
    associations: u32,
    /// Directory for the store; a temporary one if absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct IsolationArgs {
    /// Connectors, 2 to 1000.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    connectors: u32,
    /// How many of them are dead; may be given more than once. 1, 100 and 199 if absent.
    #[arg(long)]
    dead: Vec<u32>,
    /// Messages for the healthy ones together in one run, and half as many again at an even pace.
    #[arg(long, default_value_t = 10_000)]
    messages: u64,
    /// Messages that wait for each dead one.
    #[arg(long, default_value_t = 20)]
    queued: u32,
    /// Runs of each kind, of which the median counts, 1 to 99.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..100))]
    rounds: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct FailuresArgs {
    /// Failures of each kind, 2 or more.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(2..))]
    failures: u64,
    /// Failures of each kind before anything is measured.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    warm_up: u64,
    /// Messages delivered before that
    #[arg(long, default_value_t = 40_000)]
    mail: u64,
    /// Directory for the store; a temporary one if absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct StackArgs {
    /// Octets of content of a message, 1 to 104857600; may be given more than once. 2 KB, 100 KB and 10 MB if absent.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=104_857_600))]
    size: Vec<u32>,
    /// How long each measurement takes, 1 to 600000 milliseconds.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    milliseconds: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct StartArgs {
    /// Messages in the queues when the MTA starts.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    messages: u64,
    /// Messages in the short queues that these are compared with.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    baseline: u64,
    /// Connectors over which they are spread, 1 to 1000.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connectors: u32,
    /// Octets of content of each.
    #[arg(long, default_value_t = 2_048)]
    size: usize,
    /// Directory in which the stores are made; that for temporary files if absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TrackArgs {
    /// Messages that tracking knows of, 1000 to 25 million.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1_000..=25_000_000))]
    messages: u64,
    /// Days over which they are spread, 1 to 364.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=364))]
    days: u32,
    /// Searches of each kind, 1 to 100000.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    searches: u64,
    /// Search without the index as well, which reads everything.
    #[arg(long)]
    unaided: bool,
    /// Directory in which the store is made; that for temporary files if absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Leave the store in the directory, and search one of as many messages and days that was left there.
    #[arg(long, requires = "dir")]
    keep: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct AdminArgs {
    /// Consoles that look on, 1 to 60.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=60))]
    clients: u32,
    /// Messages that wait for a connector whose peer is dead.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    queued: u64,
    /// Messages relayed in one run as fast as it goes, and half as many again at an even pace.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..))]
    messages: u64,
    /// Octets of content of each.
    #[arg(long, default_value_t = 2_048)]
    size: usize,
    /// Runs of each kind, of which the median counts, 1 to 99.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..100))]
    rounds: u32,
    /// Directory in which the store is made; that for temporary files if absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// A file or socket failed.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        error: std::io::Error,
    },
    /// The MTA under test ended or did not get ready.
    #[error("the MTA under test: {0}")]
    Mta(String),
    /// An association of the generator or the sink failed.
    #[error("an association failed: {0}")]
    Association(String),
    /// This process may not have enough files open.
    #[error("{0}")]
    Descriptors(String),
    /// The store failed.
    #[error("the store: {0}")]
    Spool(String),
}

impl Bench {
    /// Asks for JSON if `json`; what was asked before stays.
    pub(crate) fn set_json(&mut self, json: bool) {
        match self {
            Bench::Relay(args) => args.json |= json,
            Bench::Spool(args) => args.json |= json,
            Bench::Decide(args) => args.json |= json,
            Bench::Idle(args) => args.json |= json,
            Bench::Isolation(args) => args.json |= json,
            Bench::Failures(args) => args.json |= json,
            Bench::Crash(args) => args.json |= json,
            Bench::Curves(args) => args.json |= json,
            Bench::Stack(args) => args.json |= json,
            Bench::Start(args) => args.json |= json,
            Bench::Track(args) => args.json |= json,
            Bench::Admin(args) => args.json |= json,
        }
    }

    /// Measures and prints.
    pub(crate) fn run(self) -> Result<(), BenchError> {
        match self {
            Bench::Relay(args) => relay::run(&args),
            Bench::Spool(args) => store::run(&args),
            Bench::Decide(args) => decide::run(&args),
            Bench::Idle(args) => idle::run(&args),
            Bench::Isolation(args) => isolation::run(&args),
            Bench::Failures(args) => failures::run(&args),
            Bench::Crash(args) => crash::run(&args),
            Bench::Curves(args) => curves::run(&args),
            Bench::Stack(args) => stack::run(&args),
            Bench::Start(args) => start::run(&args),
            Bench::Track(args) => track::run(&args),
            Bench::Admin(args) => admin::run(&args),
        }
    }
}

fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> BenchError {
    move |error| BenchError::Io { what, error }
}

/// The value in the middle; of an even number the upper one of the two.
fn middle(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
