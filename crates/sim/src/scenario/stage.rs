//! What a scenario plays on: the network, its MTAs and the books; and the second phase, which is the same for all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent::{ReportRequest, Submission};
use mhs::ContentType;
use mhs::p1::Priority;
use runtime::Held;
use tokio::runtime::Handle as Tokio;
use tokio::time::{Instant, sleep};

use super::Control;
use crate::check::{Books, Expected, Sent, content, content_identifier, is_drained, is_settled};
use crate::digest::Digest;
use crate::network::{GIVEN_UP, Network};
use crate::random::Random;
use crate::site::{Crash, STOP_TIMEOUT, Site, address};

/// Names of sites, and of their domains.
pub(crate) const NAMES: [&str; 7] = ["ALPHA", "BETA", "GAMMA", "DELTA", "EPSILON", "ZETA", "ETA"];
/// Longest recovery timeout of a connector, and a look of the housekeeping.
const LONGEST_RECOVERY: Duration = Duration::from_secs(310);
/// How long associations and what is kept of broken ones may stay when nothing is left to do.
const SETTLING: Duration = Duration::from_secs(1_200);

/// Everything of one run.
pub struct Stage {
    /// The network.
    pub network: Network,
    /// Chance, for the scenario's own choices.
    pub random: Random,
    /// The MTAs.
    pub sites: Vec<Site>,
    /// What was wrong.
    pub found: Vec<String>,
    /// What the harness is to do wrong.
    pub control: Option<Control>,
    /// S1 goes on until so many attempts have failed.
    pub attempts: Option<u64>,
    /// Attempts to connect that failed, where they are counted.
    pub failed: u64,
    /// Resident memory after each tenth of these, in KB.
    pub memory_kb: Vec<u64>,
    /// From the end of the faults until everything had drained.
    pub drained_in: Duration,
    /// When an MTA was started, stopped or given other settings, by index.
    pub(crate) disturbed: Vec<(usize, Instant)>,
    /// MTAs give messages up while the outcome of their transfers is unknown.
    pub(crate) impatient: bool,
    /// What a stop may take beyond its timeout.
    pub(crate) stop_slack: Duration,
    digest: Arc<Digest>,
    books: Arc<Mutex<Books>>,
    /// Held by every submission that is not confirmed yet.
    submitting: Arc<()>,
}

/// A message to be submitted.
pub(crate) struct Letter {
    /// Index of the site.
    pub(crate) site: usize,
    pub(crate) originator: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) length: usize,
    pub(crate) delivery_reports: bool,
    /// Everything else about it is chosen.
    pub(crate) shaped: bool,
    pub(crate) expected: Expected,
}

impl Stage {
    pub(crate) fn new(
        network: Network,
        random: Random,
        digest: Arc<Digest>,
        control: Option<Control>,
    ) -> Stage {
        Stage {
            network,
            random,
            sites: Vec::new(),
            found: Vec::new(),
            control,
            attempts: None,
            failed: 0,
            memory_kb: Vec::new(),
            drained_in: Duration::ZERO,
            disturbed: Vec::new(),
            impatient: false,
            // What was interrupted is written after the stop timeout, for at most five seconds.
            stop_slack: Duration::from_secs(5),
            digest,
            books: Arc::default(),
            submitting: Arc::default(),
        }
    }

    /// Messages whose submission was confirmed.
    pub fn accepted(&self) -> usize {
        self.lock().accepted()
    }

    /// The books as text, for the digest.
    pub fn books(&self) -> String {
        format!("{:?}", self.lock())
    }

    /// The books, shared with those who write into them.
    pub(crate) fn shared_books(&self) -> Arc<Mutex<Books>> {
        Arc::clone(&self.books)
    }

    /// Submits a message; the confirmation is entered when it comes.
    pub(crate) fn submit(&mut self, letter: Letter) {
        let Some(site) = self.sites.get(letter.site) else { return };
        let Some(handle) = site.handle() else { return };
        let number = self.lock().next();
        self.lock().enter(Sent {
            number,
            site: site.name.clone(),
            originator: letter.originator.clone(),
            recipients: letter.recipients.clone(),
            length: letter.length,
            delivery_reports: letter.delivery_reports,
            expected: letter.expected,
            doubtful: self.impatient,
            accepted: false,
        });
        self.digest.numbers(&[number, letter.length as u64]);
        let recipients = letter.recipients.iter().map(|recipient| address(recipient));
        let mut submission = Submission::new(address(&letter.originator), recipients);
        if letter.delivery_reports {
            submission = submission.with_report_request(ReportRequest::Delivery);
        }
        if letter.shaped {
            shape(&self.random, &mut submission);
        }
        submission.content_identifier = Some(content_identifier(number));
        let (books, submitting) = (Arc::clone(&self.books), Arc::clone(&self.submitting));
        tokio::spawn(async move {
            let _submitting = submitting;
            let Ok(mut body) = handle.begin_body() else { return };
            if body.write(&content(number, letter.length)).is_err() {
                return;
            }
            let Ok(body) = body.finish() else { return };
            if handle.submit(submission, body).await.is_ok() {
                books.lock().unwrap_or_else(PoisonError::into_inner).confirm(number);
            }
        });
    }

    /// Starts a site that does not run.
    pub(crate) async fn start(&mut self, site: usize) {
        self.disturb(site);
        if let Some(site) = self.sites.get_mut(site)
            && !site.runs()
            && let Err(error) = site.start().await
        {
            self.found.push(error);
        }
    }

    /// Ends a site at once.
    pub(crate) fn crash(&mut self, site: usize, how: Crash) {
        self.disturb(site);
        if let Some(site) = self.sites.get_mut(site) {
            self.found.extend(site.crash(how));
        }
    }

    /// Stops a site in order, which must not take too long.
    pub(crate) async fn stop(&mut self, site: usize) {
        let Some(site) = self.sites.get_mut(site) else { return };
        let (took, defects) = site.stop().await;
        self.found.extend(defects);
        if took > STOP_TIMEOUT + self.stop_slack {
            self.found.push(format!("{} took {} s to stop", site.name, took.as_secs()));
        }
    }

    /// Ends all faults.
    pub(crate) async fn heal(&mut self) {
        self.network.heal();
        for index in 0..self.sites.len() {
            self.sites[index].disk().stall(Duration::ZERO);
            self.start(index).await;
        }
    }

    /// Waits until every message has come to its end, at most `within`.
    pub(crate) async fn drain(&mut self, within: Duration) {
        let begin = Instant::now();
        loop {
            let submitted = Arc::strong_count(&self.submitting) == 1;
            if submitted && self.sites.iter().all(|site| is_drained(site.disk().spool())) {
                break;
            }
            if begin.elapsed() > within {
                self.found.push(format!("not drained within {} s", within.as_secs()));
                self.complain().await;
                break;
            }
            sleep(Duration::from_millis(500)).await;
        }
        self.drained_in = begin.elapsed();
    }

    /// Waits until nothing is open or kept, stops everything, and has the checker judge.
    pub(crate) async fn end(&mut self) {
        let begin = Instant::now();
        while !self.is_quiet() {
            if begin.elapsed() > SETTLING {
                self.found.push(format!("not quiet {} s after everything had drained", SETTLING.as_secs()));
                self.complain().await;
                break;
            }
            sleep(Duration::from_secs(5)).await;
        }
        // Halves of transfers that began anew are kept for their time; a stop would write them down.
        sleep(LONGEST_RECOVERY).await;
        self.count().await;
        for site in 0..self.sites.len() {
            self.stop(site).await;
        }
        // What the network still has to carry, and to find out.
        sleep(GIVEN_UP * 3).await;
        let open = self.network.open();
        if open > 0 {
            self.found.push(format!("{open} connections are still open"));
        }
        let tasks = Tokio::current().metrics().num_alive_tasks();
        if tasks > 0 {
            self.found.push(format!("{tasks} tasks are still alive"));
        }
        let stores: Vec<_> =
            self.sites.iter().map(|site| (site.name.clone(), site.disk().spool().clone())).collect();
        let mut found = std::mem::take(&mut self.found);
        self.lock().judge(&stores, &mut found);
        self.found = found;
    }

    /// Notes that an MTA starts, stops or gets other settings.
    pub(crate) fn disturb(&mut self, site: usize) {
        self.disturbed.push((site, Instant::now()));
    }

    /// What the MTAs themselves say that they hold, when there is nothing to be held.
    async fn count(&mut self) {
        for site in &self.sites {
            let Some(handle) = site.handle() else { continue };
            let resources = handle.resources();
            let mut callers = resources.connectors.iter().chain([&resources.unbound]);
            if resources.total != Held::default() || callers.any(|one| one.held != Held::default()) {
                self.found.push(format!("{} holds when idle: {resources:?}", site.name));
            }
            for queue in handle.queues().await.unwrap_or_default() {
                if (queue.messages, queue.octets) != (Some(0), Some(0)) {
                    self.found.push(format!("{} counts what is not there: {queue:?}", site.name));
                }
            }
        }
    }

    fn is_quiet(&self) -> bool {
        self.network.open() == 0
            && self.sites.iter().all(|site| {
                is_settled(site.disk().spool())
                    && site.handle().is_none_or(|handle| handle.associations().is_empty())
            })
    }

    /// Says what stands in the way.
    async fn complain(&mut self) {
        for index in 0..self.sites.len() {
            let Some(handle) = self.sites[index].handle() else { continue };
            let name = self.sites[index].name.clone();
            for queue in
                handle.queues().await.unwrap_or_default().iter().filter(|queue| queue.messages != Some(0))
            {
                self.found.push(format!("  {name}: {queue:?}"));
            }
            for association in handle.associations() {
                self.found.push(format!("  {name}: {association:?}"));
            }
            let events = handle.events(0);
            for event in events.iter().skip(events.len().saturating_sub(8)) {
                self.found.push(format!("  {name}: {:?} {} {}", event.kind, event.subject, event.text));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Chooses everything about a message that its sender may choose without changing who gets it.
fn shape(random: &Random, submission: &mut Submission) {
    submission.priority = [Priority::Normal, Priority::NonUrgent, Priority::Urgent][random.below(3)];
    submission.content_type =
        [ContentType::P22, ContentType::P2, ContentType::UNIDENTIFIED][random.below(3)].clone();
    submission.disclose_recipients = random.percent(50);
    submission.implicit_conversion_prohibited = random.percent(50);
    submission.return_content = random.percent(50);
    submission.alternate_recipient_allowed = random.percent(50);
    submission.dl_expansion_prohibited = random.percent(50);
    submission.reassignment_prohibited = random.percent(50);
}
