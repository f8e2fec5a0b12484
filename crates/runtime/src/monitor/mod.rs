//! Link monitors: what is sent along a path on a schedule, and whether an answer comes in time. The Exchange
//! administrator had them by this name.
//!
//! An answer is a report from wherever the path ends, a non-delivery report included, since that has come back as well, or
//! a message from the recipient. Answers are taken out of the monitors' mailbox, so that it stays empty; the same goes for
//! messages of other MTAs' monitors that arrive in it. What else arrives is left there.

mod answers;
mod settings;
mod spells;
mod watch;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent::record::{MAILBOX, META, MailboxKey, MailboxRecord, Record, mailbox_prefix};
use agent::{ReportRequest, Sequence, Step, Submission};
use mhs::ipm::Draft;
use mhs::{OrAddress, OrName};
use spool::{Batch, CommitError, SpoolError};
use tokio::sync::Notify;

use crate::events::EventKind;
use crate::handle::Handle;
use crate::pages::Pages;
use crate::shared::Shared;
use crate::status::MonitorStatus;

use answers::{CONTENT_IDENTIFIER, Found};
pub use settings::{MonitorKind, MonitorSettings};
use watch::{Now, Watch, WatchRecord};

/// Entries of mailboxes that wait to be looked at. With more, mailboxes are read from the beginning.
const MAX_ARRIVED: usize = 1_024;
/// Entries taken out of mailboxes by one commit.
const TOGETHER: usize = 100;
/// Wait after the store failed.
const PAUSE: Duration = Duration::from_secs(5);
/// Key in [`META`] of what is remembered of a monitor, in front of its name.
const RECORD_PREFIX: &[u8] = b"link-monitor ";
/// What a message of a monitor says.
const TEXT: &str =
    "A link monitor sends this to find out whether the link works. Nobody needs to answer it.\n";

/// All link monitors of an MTA.
#[derive(Debug, Default)]
pub(crate) struct Monitors {
    state: Mutex<State>,
    /// Whether there are any: without, a delivery costs nothing.
    any: AtomicBool,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    watches: Vec<Watch>,
    /// Mailboxes of the monitors.
    mailboxes: BTreeSet<String>,
    arrived: VecDeque<MailboxKey>,
    /// Mailboxes have to be read from the beginning.
    reread: bool,
    /// Monitors of which nothing has been read from the store yet.
    fresh: Vec<MonitorSettings>,
    /// Names whose record is not needed any more.
    gone: Vec<String>,
}

impl Monitors {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was delivered.
    pub(crate) fn delivered(&self, mailbox: &str, sequence: u64) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let Ok(address) = OrAddress::parse(mailbox) else { return };
        let mailbox = address.canonical_key();
        let mut state = self.lock();
        if !state.mailboxes.contains(&mailbox) {
            return;
        }
        if state.arrived.len() < MAX_ARRIVED {
            state.arrived.push_back(MailboxKey { mailbox, sequence });
        } else {
            state.reread = true;
        }
        self.changed.notify_one();
    }

    /// How they stand.
    fn status(&self, now: Now) -> Vec<MonitorStatus> {
        self.lock().watches.iter().map(|watch| watch.status(now)).collect()
    }

    /// What is wrong, for the status of the MTA.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let state = self.lock();
        let late = state.watches.iter().filter_map(|watch| {
            let since = watch.late_since()?;
            Some(format!("link monitor {} has had no answer since {since}", watch.settings().name))
        });
        late.collect()
    }

    fn set(&self, settings: Vec<MonitorSettings>, now: Now) {
        let mut state = self.lock();
        let state = &mut *state;
        let names: BTreeSet<&str> = settings.iter().map(|monitor| monitor.name.as_str()).collect();
        state.fresh.retain(|monitor| names.contains(monitor.name.as_str()));
        state.watches.retain(|watch| {
            let stays = names.contains(watch.settings().name.as_str());
            if !stays {
                state.gone.push(watch.settings().name.clone());
            }
            stays
        });
        state.mailboxes = settings.iter().map(|monitor| answers::key(&monitor.from)).collect();
        self.any.store(!settings.is_empty(), Ordering::Relaxed);
        for monitor in settings {
            match state.watches.iter_mut().find(|watch| watch.settings().name == monitor.name) {
                Some(watch) if *watch.settings() == monitor => {}
                Some(watch) => watch.set(monitor, now),
                None => {
                    state.fresh.retain(|fresh| fresh.name != monitor.name);
                    state.fresh.push(monitor);
                }
            }
        }
        state.reread = true;
        self.changed.notify_one();
    }
}

impl Handle {
    /// Puts these link monitors into force in place of those before. One whose name stays goes on.
    pub fn set_monitors(&self, settings: Vec<MonitorSettings>) {
        self.shared.monitors.set(settings, now(&self.shared));
    }

    /// How the link monitors stand.
    pub fn monitors(&self) -> Vec<MonitorStatus> {
        self.shared.monitors.status(now(&self.shared))
    }
}

fn now(shared: &Shared) -> Now {
    Now { mono: shared.clocks.mono(), wall: shared.clocks.wall() }
}

fn record_key(name: &str) -> Vec<u8> {
    [RECORD_PREFIX, name.as_bytes()].concat()
}

/// Runs until the MTA stops.
pub(crate) async fn run(handle: Handle) {
    let shared = &handle.shared;
    while !shared.stop.is_given() {
        let outcome = round(&handle).await;
        let wait = async {
            match outcome {
                Ok(None) => std::future::pending().await,
                Ok(Some(at)) => tokio::time::sleep_until(shared.clocks.instant(at)).await,
                Err(error) => {
                    shared.event(EventKind::StoreFailed, "", format!("link monitors: {error}"));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        tokio::select! {
            biased;
            () = shared.stop.given() => {}
            () = shared.monitors.changed.notified() => {}
            () = wait => {}
        }
    }
}

/// Why a round could not be finished; the next one goes on.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the store can't be read: {0}")]
    Read(#[from] SpoolError),
    #[error("the store can't be written: {0}")]
    Write(#[from] CommitError),
}

/// Looks at everything once; gives when to look again, if there is anything to look at.
async fn round(handle: &Handle) -> Result<Option<clock::MonoTime>, Trouble> {
    let shared = &handle.shared;
    take_up(shared).await?;
    take_answers(shared).await?;
    tell(shared).await?;
    let due: Vec<MonitorSettings> = {
        let state = shared.monitors.lock();
        let now = now(shared);
        state.watches.iter().filter(|watch| watch.is_due(now)).map(|watch| watch.settings().clone()).collect()
    };
    for monitor in due {
        if shared.stop.is_given() {
            break;
        }
        let outcome = send(handle, &monitor).await;
        let record = with_watch(shared, &monitor.name, |watch| {
            watch.sent(outcome, now(shared));
            watch.record()
        });
        store(shared, &monitor.name, record, Batch::default()).await?;
    }
    let state = shared.monitors.lock();
    Ok(state.watches.iter().map(Watch::next_look).min())
}

/// Begins with monitors that are new, from where an earlier process left them.
async fn take_up(shared: &Arc<Shared>) -> Result<(), Trouble> {
    let gone = std::mem::take(&mut shared.monitors.lock().gone);
    if !gone.is_empty() {
        let mut batch = Batch::default();
        for name in gone {
            batch.delete(META, record_key(&name));
        }
        shared.commit(Step { batch, effects: Vec::new() }).await?;
    }
    loop {
        let Some(name) = shared.monitors.lock().fresh.first().map(|monitor| monitor.name.clone()) else {
            return Ok(());
        };
        let stored = shared.spool.get(META, &record_key(&name)).await?;
        // One that can't be read costs its memory, no more.
        let record = stored.and_then(|octets| WatchRecord::decode(&octets).ok()).unwrap_or_default();
        let mut state = shared.monitors.lock();
        let place = state.fresh.iter().position(|monitor| monitor.name == name);
        if let Some(place) = place {
            let settings = state.fresh.remove(place);
            let watch = Watch::restored(settings, record, now(shared));
            state.watches.push(watch);
        }
    }
}

/// Does something to a monitor, if a reload has not removed it meanwhile.
fn with_watch<T>(shared: &Shared, name: &str, act: impl FnOnce(&mut Watch) -> T) -> Option<T> {
    let mut state = shared.monitors.lock();
    state.watches.iter_mut().find(|watch| watch.settings().name == name).map(act)
}

async fn store(
    shared: &Arc<Shared>,
    name: &str,
    record: Option<WatchRecord>,
    mut batch: Batch,
) -> Result<(), Trouble> {
    if let Some(record) = record {
        batch.put(META, record_key(name), record.encode());
    }
    if !batch.is_empty() {
        shared.commit(Step { batch, effects: Vec::new() }).await?;
    }
    Ok(())
}

/// Tells what there is to be told of answers that are late, or come again.
async fn tell(shared: &Arc<Shared>) -> Result<(), Trouble> {
    let told: Vec<_> = {
        let mut state = shared.monitors.lock();
        let now = now(shared);
        let told = state.watches.iter_mut().filter_map(|watch| {
            let (kind, text) = watch.look(now)?;
            Some((watch.settings().name.clone(), kind, text, watch.record()))
        });
        told.collect()
    };
    for (name, kind, text, record) in told {
        shared.event(kind, &name, text);
        store(shared, &name, Some(record), Batch::default()).await?;
    }
    Ok(())
}

/// Submits what a monitor sends; gives its identifier, or why it could not be.
async fn send(handle: &Handle, monitor: &MonitorSettings) -> Result<String, String> {
    let mut submission = Submission::new(monitor.from.clone(), [monitor.to.clone()])
        .with_report_request(ReportRequest::Delivery);
    submission.content_identifier = Some(CONTENT_IDENTIFIER.to_owned());
    let identifier = match monitor.kind {
        MonitorKind::Probe => handle.probe(submission, None).await.map_err(|error| error.to_string())?,
        MonitorKind::Message => {
            let now = handle.shared.clocks.wall();
            // What is answered later than that tells nothing new, and need not wait in a queue.
            let life = monitor.alarm_after.saturating_add(monitor.every).as_secs();
            submission.latest_delivery = Some(now.plus_seconds(i64::try_from(life).unwrap_or(i64::MAX)));
            let number = handle.shared.sequence.next();
            let from = OrName::new(monitor.from.clone());
            let draft = Draft::new(from, &format!("{number} {now} link monitor"), "Link monitor")
                .map_err(|error| error.to_string())?;
            let composed = draft.to(OrName::new(monitor.to.clone())).text(TEXT);
            submission.encoded_information_types = Some(composed.encoded_information_types);
            // A few hundred octets, which the store keeps in memory until they are committed.
            let mut writer = handle.begin_body().map_err(|error| error.to_string())?;
            writer.write(&composed.content).map_err(|error| error.to_string())?;
            let body = writer.finish().map_err(|error| error.to_string())?;
            handle.submit(submission, body).await.map_err(|error| error.to_string())?
        }
    };
    Ok(identifier.to_string())
}

/// Looks at what has arrived, and takes out of the mailboxes what is the monitors' own.
async fn take_answers(shared: &Arc<Shared>) -> Result<(), Trouble> {
    let whole: Vec<String> = {
        let mut state = shared.monitors.lock();
        match std::mem::take(&mut state.reread) {
            true => {
                state.arrived.clear();
                state.mailboxes.iter().cloned().collect()
            }
            false => Vec::new(),
        }
    };
    for mailbox in whole {
        let mut pages = Pages::new(MAILBOX, mailbox_prefix(&mailbox));
        loop {
            let page =
                pages.next(&*shared.spool).await.inspect_err(|_| shared.monitors.lock().reread = true)?;
            let Some(page) = page else { break };
            for entries in page.chunks(TOGETHER) {
                take(shared, entries).await?;
            }
        }
    }
    loop {
        let keys: Vec<MailboxKey> = {
            let mut state = shared.monitors.lock();
            let most = state.arrived.len().min(TOGETHER);
            state.arrived.drain(..most).collect()
        };
        if keys.is_empty() {
            return Ok(());
        }
        let mut entries = Vec::new();
        for key in keys {
            let key = key.encode();
            // It may have been found already when the mailbox was read.
            let value = shared.spool.get(MAILBOX, &key).await;
            let value = value.inspect_err(|_| shared.monitors.lock().reread = true)?;
            entries.extend(value.map(|value| (key, value)));
        }
        take(shared, &entries).await?;
    }
}

async fn take(shared: &Arc<Shared>, entries: &[(Vec<u8>, Vec<u8>)]) -> Result<(), Trouble> {
    let now = now(shared);
    let mut batch = Batch::default();
    {
        let mut state = shared.monitors.lock();
        let watches = &mut state.watches;
        for (key, value) in entries {
            let Some(record) = MailboxRecord::decode(value).ok() else { continue };
            let Some(mailbox) = MailboxKey::parse(key).map(|key| key.mailbox) else { continue };
            match answers::read(record) {
                Some(Found::Report { subject, answer }) => {
                    batch.delete(MAILBOX, key.clone());
                    let Some(watch) = watches.iter_mut().find(|watch| watch.awaits(&subject)) else {
                        continue;
                    };
                    match answer {
                        Ok(answer) => watch.answered(Some(&subject), answer, now),
                        Err(why) => watch.returned(&subject, why),
                    }
                }
                Some(Found::Message { originator, is_monitors, body }) => {
                    let watch = watches.iter_mut().find(|watch| {
                        let settings = watch.settings();
                        answers::key(&settings.to) == originator && answers::key(&settings.from) == mailbox
                    });
                    match watch {
                        // What a monitor of the other side sends is no answer to what ours has sent.
                        Some(watch) if !is_monitors => watch.answered(None, watch::Answer::Reply, now),
                        Some(_) => {}
                        None if is_monitors => {}
                        None => continue,
                    }
                    batch.delete(MAILBOX, key.clone());
                    batch.release(body);
                }
                None => {}
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        for watch in watches.iter() {
            batch.put(META, record_key(&watch.settings().name), watch.record().encode());
        }
    }
    // Nobody else takes anything out of a mailbox.
    shared
        .commit(Step { batch, effects: Vec::new() })
        .await
        .inspect_err(|_| shared.monitors.lock().reread = true)?;
    Ok(())
}
