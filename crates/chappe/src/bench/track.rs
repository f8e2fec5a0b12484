//! Message tracking of many messages: how fast it is filled, what it takes on the disk, and how long searches take with
//! the index and without.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agent::record::{META, Record, TRACK, TrackKey, track_digest};
use agent::settings::{AgentSettings, MtaSettings};
use agent::{TrackEvent, TrackRecord};
use clock::WallTime;
use mhs::{GlobalDomainIdentifier, MtaName};
use runtime::{Handle, Mta, RecorderSettings, RuntimeConfig, RuntimeLimits, TrackingQuery, TrackingSpan};
use serde::Serialize;
use spool::{Batch, EmbeddedSpool, Options, Spool};

use super::{BenchError, TrackArgs, io};

/// Entries of one message.
const ENTRIES: u64 = 4;
/// Messages put into the store by one step, and steps under way at once.
const BATCH: u64 = 500;
const BATCHES: usize = 4;
/// People who write, and to whom is written.
const PEOPLE: u64 = 20_000;
/// Words of which subjects are made.
const WORDS: u64 = 20_000;
/// Items asked for by one search.
const LIMIT: usize = 50;
/// Searches of one kind without the index, each of which reads all there is.
const UNAIDED: usize = 3;
/// How long the index may take to be made.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// What was measured of one kind of search.
#[derive(Debug, Serialize)]
struct Kind {
    by: &'static str,
    p50_ms: f64,
    p99_ms: f64,
    worst_ms: f64,
    /// Median without the index, until all is read.
    unaided_ms: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Figures {
    messages: u64,
    entries: u64,
    /// None where the store was there.
    fill_entries_per_second: Option<f64>,
    entries_octets: u64,
    index_s: f64,
    index_octets: u64,
    kinds: Vec<Kind>,
}

/// What to look for in a search.
#[derive(Clone, Copy)]
enum By {
    Identifier,
    Number,
    Words,
    Beginning,
    Originator,
    Recipient,
    Both,
    Nothing,
    Time,
}

const KINDS: [(&str, By); 9] = [
    ("MTS-identifier", By::Identifier),
    ("subject, a rare word", By::Number),
    ("subject, two common words", By::Words),
    ("subject, start of a word", By::Beginning),
    ("originator's address", By::Originator),
    ("recipient's address", By::Recipient),
    ("originator and recipient", By::Both),
    ("a word that is nowhere", By::Nothing),
    ("ten minutes", By::Time),
];

pub(super) fn run(args: &TrackArgs) -> Result<(), BenchError> {
    let temporary = match &args.dir {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let temporary = temporary.map_err(io("make a temporary directory"))?;
    let (at, now) = match kept(args)? {
        Some((at, filled)) => (at, filled),
        None => (temporary.path().join("data"), now()),
    };
    let filling = Instant::now();
    let entries = args.messages * ENTRIES;
    let is_new = !at.exists();
    if is_new {
        fill(&at, args, now)?;
    }
    let fill_entries_per_second = is_new.then(|| entries as f64 / filling.elapsed().as_secs_f64());
    let at = match &args.dir {
        Some(dir) if args.keep => {
            let to = dir.join(format!("{}{}", kept_name(args), now.unix()));
            std::fs::rename(&at, &to).map_err(io("keep the store"))?;
            to
        }
        Some(_) | None => at,
    };
    let entries_octets = octets(&at) - octets(&index_of(&at));
    if !args.json {
        let filled =
            fill_entries_per_second.map_or_else(|| "before".to_owned(), |rate| format!("{rate:.0}/s"));
        println!(
            "track: {} messages over {} days, {ENTRIES} entries each\n  entries         {filled:>12}, {:.0} octets each on the disk",
            args.messages,
            args.days,
            entries_octets as f64 / entries as f64
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(io("start the asynchronous runtime"))?;
    let figures = runtime.block_on(async {
        let indexing = Instant::now();
        let mta = Mta::start(config(&at, args)).await.map_err(|error| store(&error))?;
        let handle = mta.handle();
        while !handle.tracking_index().is_some_and(|index| index.is_complete) {
            if indexing.elapsed() > PATIENCE {
                return Err(BenchError::Spool("the index is not complete after an hour".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let index_s = indexing.elapsed().as_secs_f64();
        let index_octets = octets(&index_of(&at));
        let mut kinds = Vec::new();
        for (name, by) in KINDS {
            kinds.push(measure(&handle, args, now, name, by).await?);
        }
        mta.stop().await;
        let messages = args.messages;
        Ok(Figures {
            messages,
            entries,
            fill_entries_per_second,
            entries_octets,
            index_s,
            index_octets,
            kinds,
        })
    })?;
    print(args, &figures);
    Ok(())
}

fn index_of(data: &Path) -> PathBuf {
    data.join("tracking")
}

/// How the store of such a measurement is called, up to the time it was filled for.
fn kept_name(args: &TrackArgs) -> String {
    format!("track-{}-{}-", args.messages, args.days)
}

/// The store that an earlier measurement has left, and the time it was filled for.
fn kept(args: &TrackArgs) -> Result<Option<(PathBuf, WallTime)>, BenchError> {
    let Some(dir) = args.dir.as_ref().filter(|_| args.keep) else { return Ok(None) };
    let name = kept_name(args);
    for entry in std::fs::read_dir(dir).map_err(io("look for a store"))? {
        let entry = entry.map_err(io("look for a store"))?;
        let filled = entry.file_name().to_str().and_then(|found| found.strip_prefix(&name)?.parse().ok());
        if let Some(filled) = filled {
            return Ok(Some((entry.path(), WallTime::from_unix(filled))));
        }
    }
    Ok(None)
}

fn print(args: &TrackArgs, figures: &Figures) {
    if args.json {
        println!("{}", serde_json::json!(figures));
        return;
    }
    println!(
        "  index made in   {:>10.1} s in the background, {:.0} octets for each message on the disk",
        figures.index_s,
        figures.index_octets as f64 / figures.messages as f64
    );
    println!("  searched by                      p50 ms    p99 ms  worst ms   without the index ms");
    for kind in &figures.kinds {
        let unaided = kind.unaided_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0}"));
        println!(
            "    {:<26} {:>10.2} {:>9.2} {:>9.2} {unaided:>22}",
            kind.by, kind.p50_ms, kind.p99_ms, kind.worst_ms
        );
    }
}

async fn measure(
    handle: &Handle,
    args: &TrackArgs,
    now: WallTime,
    by: &'static str,
    kind: By,
) -> Result<Kind, BenchError> {
    let mut times = Vec::new();
    let mut unaided = Vec::new();
    for n in 0..args.searches {
        let message = scatter(n, 77) % args.messages.max(1);
        let began = Instant::now();
        search(handle, args, now, kind, message, false).await?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    if !matches!(kind, By::Identifier | By::Time) && args.unaided {
        for n in 0..UNAIDED as u64 {
            let message = scatter(n, 77) % args.messages.max(1);
            let began = Instant::now();
            search(handle, args, now, kind, message, true).await?;
            unaided.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    times.sort_by(f64::total_cmp);
    unaided.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let last = times.len().saturating_sub(1);
        times.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
    };
    let (p50_ms, p99_ms, worst_ms) = (at(0.5), at(0.99), at(1.0));
    Ok(Kind { by, p50_ms, p99_ms, worst_ms, unaided_ms: unaided.get(unaided.len() / 2).copied() })
}

/// One search, for which this message is one answer: until a page is full or all is searched.
async fn search(
    handle: &Handle,
    args: &TrackArgs,
    now: WallTime,
    by: By,
    message: u64,
    is_unaided: bool,
) -> Result<(), BenchError> {
    let time = time_of(args, now, message);
    let mut span = TrackingSpan { since: WallTime::from_unix(0), until: WallTime::from_unix(i64::MAX) };
    let query = TrackingQuery::default();
    let query = match by {
        By::Identifier => {
            let found = handle.track(&identifier(message)).await.map_err(|error| store(&error))?;
            return expect(found.items.len() as u64 == ENTRIES, &identifier(message));
        }
        By::Number => query.subject(&format!("{message:0>7}")),
        By::Words => query.subject(&format!("{} {}", word(0), word(1))),
        By::Beginning => query.subject(&format!("{:0>5}*", message / 100)),
        By::Originator => query.originator(&originator(message)),
        By::Recipient => query.recipient(&recipient(message)),
        By::Both => query.originator(&originator(message)).and_then(|q| q.recipient(&recipient(message))),
        By::Nothing => query.subject("nowhere"),
        By::Time => {
            span = TrackingSpan { since: time.plus_seconds(-300), until: time.plus_seconds(300) };
            Ok(query)
        }
    };
    let query = query.map_err(|error| store(&error))?;
    let (asked, wanted) = if is_unaided {
        (TrackingQuery::default(), query.clone())
    } else {
        (query.clone(), TrackingQuery::default())
    };
    let mut found = 0;
    let mut after: Option<String> = None;
    loop {
        let page = handle
            .search_tracking(span, &asked, after.as_deref(), LIMIT, |record| wanted.fits(record))
            .await
            .map_err(|error| store(&error))?;
        found += page.items.len();
        after = page.next;
        if found >= LIMIT || after.is_none() {
            break;
        }
    }
    expect((found > 0) != matches!(by, By::Nothing), "a search")
}

fn expect(is_so: bool, what: &str) -> Result<(), BenchError> {
    if is_so { Ok(()) } else { Err(BenchError::Spool(format!("{what}: not found as expected"))) }
}

/// Puts the entries of all messages into a new store, as an MTA would have over the days.
fn fill(data: &Path, args: &TrackArgs, now: WallTime) -> Result<(), BenchError> {
    let spool = EmbeddedSpool::open(data, Options::default()).map_err(|error| store(&error))?;
    let mut under_way = VecDeque::new();
    let mut next = 0;
    while next < args.messages {
        let end = args.messages.min(next + BATCH);
        let mut batch = Batch::default();
        for message in next..end {
            let time = time_of(args, now, message);
            let mts_identifier = identifier(message);
            let digest = track_digest(&mts_identifier);
            for (n, entry) in (0..).zip(entries(message, time, &mts_identifier)) {
                let sequence = message * ENTRIES + n + 1;
                let key = TrackKey { hour: TrackKey::hour_of(time), digest, sequence };
                batch.put(TRACK, key.encode(), entry.encode());
            }
        }
        batch.put(META, *b"sequence", (end * ENTRIES + 1).to_be_bytes());
        next = end;
        under_way.push_back(spool.commit(batch));
        if under_way.len() >= BATCHES
            && let Some(commit) = under_way.pop_front()
        {
            commit.wait().map_err(|error| store(&error))?;
        }
    }
    under_way.into_iter().try_for_each(|commit| commit.wait().map_err(|error| store(&error)))
}

fn entries(message: u64, time: WallTime, mts_identifier: &str) -> [TrackRecord; ENTRIES as usize] {
    let entry = |event, connector: Option<&str>| TrackRecord {
        event,
        time,
        mts_identifier: mts_identifier.to_owned(),
        subject: None,
        connector: connector.map(str::to_owned),
        originator: Some(originator(message)),
        recipients: vec![recipient(message), other_recipient(message)],
        recipient_count: 2,
        size: Some(2_048),
        rank: Some(1),
        text: None,
        ipm_subject: None,
    };
    [
        TrackRecord {
            ipm_subject: Some(subject(message)),
            ..entry(TrackEvent::MessageIn, Some("from-alpha"))
        },
        TrackRecord {
            originator: None,
            recipients: vec![other_recipient(message)],
            recipient_count: 1,
            text: Some(format!("to {}: recipient-assigned-alternate-recipient", recipient(message))),
            ..entry(TrackEvent::Redirected, None)
        },
        TrackRecord {
            recipients: vec![recipient(message)],
            originator: None,
            ..entry(TrackEvent::MessageDelivered, None)
        },
        entry(TrackEvent::MessageOut, Some("to-gamma")),
    ]
}

fn identifier(message: u64) -> String {
    format!("C=GB;A= ;P=ALPHA;L=MTA-A-261122090406Z-{message}")
}

fn originator(message: u64) -> String {
    let who = scatter(message, 1) % PEOPLE;
    format!("S={};G={};O=Alpha Works;P=ALPHA;A= ;C=GB", name(who), name(who % 500))
}

fn recipient(message: u64) -> String {
    let who = scatter(message, 2) % PEOPLE;
    format!("S={};G={};O=Gamma Works;P=GAMMA;A= ;C=DE", name(who), name(who % 300))
}

fn other_recipient(message: u64) -> String {
    let who = scatter(message, 3) % PEOPLE;
    format!("S={};G={};O=Beta Works;P=BETA;A= ;C=GB", name(who), name(who % 300))
}

/// Words as they occur: the nth about as often as its number says, and the message's own number.
fn subject(message: u64) -> String {
    let draw = |salt: u64| {
        let share = (scatter(message, salt) >> 11) as f64 / (1_u64 << 53) as f64;
        word((WORDS as f64).powf(share) as u64 - 1)
    };
    format!("{} {} {} {message:0>7}", draw(4), draw(5), draw(6))
}

fn word(number: u64) -> String {
    format!("word{number}")
}

fn name(number: u64) -> String {
    format!("name{number}")
}

/// When a message went through: all of them evenly over the days, the last now.
fn time_of(args: &TrackArgs, now: WallTime, message: u64) -> WallTime {
    let whole = i64::from(args.days) * 86_400;
    let before = i128::from(args.messages - 1 - message.min(args.messages - 1)) * i128::from(whole)
        / i128::from(args.messages.max(1));
    now.plus_seconds(-i64::try_from(before).unwrap_or(whole))
}

/// A number that looks like none in particular.
fn scatter(number: u64, salt: u64) -> u64 {
    let mut mixed = number.wrapping_add(salt.wrapping_mul(0xD134_2543_DE82_EF95));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn config(data: &Path, args: &TrackArgs) -> RuntimeConfig {
    let domain =
        GlobalDomainIdentifier { country: "GB".into(), admd: " ".into(), prmd: Some("ALPHA".into()) };
    let name = MtaName::new("BENCH").unwrap_or_else(|_| unreachable!("a short word of ASCII letters"));
    let mut mta = MtaSettings::new(name, domain);
    mta.tracking_days = args.days.saturating_add(1).min(365);
    mta.tracking_entries = 100_000_000;
    RuntimeConfig {
        settings: AgentSettings::new(mta, Vec::new()),
        data_dir: data.to_owned(),
        p1: Vec::new(),
        stop_timeout: Duration::from_secs(10),
        spool: Options::default(),
        limits: RuntimeLimits::default(),
        recorder: RecorderSettings::default(),
    }
}

/// What a directory takes on the disk.
fn octets(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    let each = entries.filter_map(Result::ok).map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => octets(&entry.path()),
        Ok(found) => found.blocks() * 512,
        Err(_) => 0,
    });
    each.sum()
}

fn now() -> WallTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    WallTime::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

fn store(error: &dyn std::fmt::Display) -> BenchError {
    BenchError::Spool(error.to_string())
}
