//! What an operator does to queues and to messages in them, on a running MTA.
//!
//! A copy is claimed in the window of its queue first, so that no association begins to transfer it meanwhile; one that is
//! being transferred can't be claimed, and is left alone, since its peer may have it already. The decision is the agent's,
//! on the record as it is then, and one commit. All of that runs to its end even if whoever asked goes away. Each attempt
//! is an event; of what is done to a selection, each page is.

use std::collections::VecDeque;
use std::sync::Arc;

use agent::record::{OUTBOUND, WORK};
use agent::settings::Activation;
use agent::{Operated, Operation, OperationRefused, QueuedCopy, Sequence, Step};
use clock::MonoTime;
use spool::{CommitError, Space, SpoolError};
use tokio::task::JoinHandle;

use crate::content;
use crate::handle::{AdminError, Handle};
use crate::line::Message;
use crate::queues::{Found, Selection};
use crate::registry::ConnectorEntry;
use crate::shared::Shared;
use crate::status::{CopyState, QueuedMessage};

/// Operations under way at once, which the store commits with one synchronization: so many that the time of a
/// synchronization is not what a long selection takes, so few that mail hardly waits behind them.
const TOGETHER: usize = 256;

/// What became of an operation on one copy.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The copy, as it was.
    pub message: QueuedMessage,
    /// Nothing, or why it was not done.
    pub refused: Option<String>,
}

/// What became of an operation on a part of what a selection asks for.
#[derive(Clone, Debug)]
pub struct OutcomePage {
    /// What was tried, and how it went.
    pub items: Vec<Outcome>,
    /// Where to go on, if there may be more.
    pub next: Option<String>,
}

/// Whether something is done, or only asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Performed {
    /// It is done.
    Really,
    /// Nothing is changed: only what would become of it is told.
    Not,
}

/// Why a copy is left as it is.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Operation(#[from] OperationRefused),
    #[error("it is being transferred")]
    InTransfer,
    #[error("it has left its queue meanwhile")]
    Gone,
    #[error("its connector is being changed; try again")]
    ConnectorEnds,
    #[error("the store can't be read: {0}")]
    Read(#[from] SpoolError),
    #[error("the store can't be written: {0}")]
    Commit(CommitError),
}

/// A copy in the queue of a running connector that nobody else can take as long as this is there.
struct Claim {
    entry: Arc<ConnectorEntry>,
    key: Vec<u8>,
    /// When it was to be tried again.
    due: Option<MonoTime>,
}

impl Claim {
    fn take(entry: &Arc<ConnectorEntry>, key: &[u8]) -> Result<Claim, Refused> {
        let due = entry.retries.take(key);
        if due.is_none() && !entry.backlog.take_this(key) {
            return Err(Refused::InTransfer);
        }
        Ok(Claim { entry: Arc::clone(entry), key: key.to_vec(), due })
    }

    /// It is as it was before.
    fn give_back(self) {
        match self.due {
            Some(at) => {
                self.entry.retries.insert(at, self.key);
                // Its task has to look at the time of the first one again.
                self.entry.backlog.nudge();
            }
            None => self.entry.backlog.put_back(&self.key),
        }
    }

    /// It is there no more.
    fn gone(self) {
        self.entry.backlog.gone(&self.key);
    }
}

impl Handle {
    /// Does something to every copy of a message, which is named by its number or its MTS-identifier. `by` tells who
    /// wants it, for the event log.
    ///
    /// # Errors
    /// There is no such message, or the store can't be read. What can't be done to a copy is told in its outcome.
    pub async fn operate(
        &self,
        reference: &str,
        operation: &Operation,
        performed: Performed,
        by: &str,
    ) -> Result<Vec<Outcome>, AdminError> {
        let copies = self.copies(reference).await?;
        if copies.is_empty() {
            return Err(AdminError::NoSuchMessage(reference.to_owned()));
        }
        Ok(self.perform(copies, operation, performed, by, None).await)
    }

    /// Does something to the next part, of at most `limit`, of what a selection asks for, behind `after`. What the
    /// operation has nothing to do with (what is not held, if it is to be released) is passed over.
    ///
    /// # Errors
    /// No such connector or place, or the store can't be read. What can't be done to a copy is told in its outcome.
    pub async fn operate_on(
        &self,
        selection: &Selection,
        operation: &Operation,
        performed: Performed,
        after: Option<&str>,
        limit: usize,
        by: &str,
    ) -> Result<OutcomePage, AdminError> {
        // What comes in meanwhile is not meant, or a walk might never end.
        let (after, newest) = match after {
            None => (None, self.shared.sequence.next()),
            Some(place) => {
                let nowhere = || AdminError::NoSuchPlace(place.to_owned());
                let (key, newest) = place.split_once('-').ok_or_else(nowhere)?;
                (Some(key), newest.parse::<u64>().map_err(|_| nowhere())?)
            }
        };
        let mut walk = self.walk(selection, after)?;
        let wanted = |copy: &QueuedCopy| copy.number() < newest && concerns(operation, copy);
        let (found, next) = self.page(&mut walk, selection, limit, wanted).await?;
        let next = next.map(|key| format!("{key}-{newest}"));
        Ok(OutcomePage { items: self.perform(found, operation, performed, by, Some(selection)).await, next })
    }

    /// Nothing is to be transferred from the queue of this connector from now on, restarts included, but for what is in
    /// transfer. What comes in over it is not concerned. False if it was so already.
    ///
    /// # Errors
    /// No such connector, or the store failed; then it is not frozen.
    pub async fn freeze(&self, connector: &str, by: &str) -> Result<bool, AdminError> {
        self.set_frozen(connector, true, by).await
    }

    /// The end of [`Handle::freeze`]. False if it was not frozen.
    ///
    /// # Errors
    /// No such connector, or the store failed; then it is still frozen.
    pub async fn thaw(&self, connector: &str, by: &str) -> Result<bool, AdminError> {
        self.set_frozen(connector, false, by).await
    }

    /// Everything in the queue of this connector is tried now: it opens an association whatever its retry timer says, and
    /// what waits after a failed transfer waits no longer.
    ///
    /// # Errors
    /// No such connector, its queue is frozen, or it does not open associations.
    pub async fn retry(&self, connector: &str, by: &str) -> Result<(), AdminError> {
        let entry = self.entry(connector)?;
        let tried = self.try_now(connector, &entry).await;
        self.audit(connector, by, "retry the queue", tried.as_ref().err().map(ToString::to_string));
        tried
    }

    async fn try_now(&self, connector: &str, entry: &ConnectorEntry) -> Result<(), AdminError> {
        if entry.is_frozen() {
            return Err(AdminError::Frozen(connector.to_owned()));
        }
        let agent = self.shared.agent();
        let opens_nothing = |what| Err(AdminError::OpensNothing(connector.to_owned(), what));
        match agent.settings().connector(connector).map(|settings| settings.activation) {
            Some(Activation::Never) => return opens_nothing("never active"),
            Some(Activation::RemoteInitiated) => return opens_nothing("remote-initiated"),
            Some(Activation::Always | Activation::SelectedTimes(_)) | None => {}
        }
        entry.retry_all();
        // A connector that is ending connects no more.
        let _ = entry.messages.send(Message::ConnectNow).await;
        Ok(())
    }

    async fn set_frozen(&self, connector: &str, frozen: bool, by: &str) -> Result<bool, AdminError> {
        self.entry(connector)?;
        let handle = self.clone();
        let (connector, by) = (connector.to_owned(), by.to_owned());
        let task = tokio::spawn(async move {
            // A reload would start the connector again between the two.
            let _connectors = handle.connectors.lock().await;
            let entry = handle.entry(&connector)?;
            let agent = handle.shared.agent();
            let before = entry.is_frozen();
            let step = if frozen { agent.freeze(&connector) } else { agent.thaw(&connector) };
            if frozen {
                // From here on nothing more is given to an association.
                entry.set_frozen(true);
            }
            let committed = handle.shared.commit(step).await;
            entry.set_frozen(if committed.is_ok() { frozen } else { before });
            let what = if frozen { "freeze the queue" } else { "thaw the queue" };
            handle.audit(&connector, &by, what, committed.as_ref().err().map(ToString::to_string));
            committed?;
            Ok(before != frozen)
        });
        task.await.unwrap_or(Err(AdminError::Commit(CommitError::Closed)))
    }

    pub(crate) fn entry(&self, connector: &str) -> Result<Arc<ConnectorEntry>, AdminError> {
        let entry = self.shared.connector(connector);
        entry.ok_or_else(|| AdminError::NoSuchConnector(connector.to_owned()))
    }

    /// All of it, and its events, even if whoever asked goes away. Of a selection each page is told in one.
    async fn perform(
        &self,
        copies: Vec<Found>,
        operation: &Operation,
        performed: Performed,
        by: &str,
        selection: Option<&Selection>,
    ) -> Vec<Outcome> {
        let (handle, operation, by) = (self.clone(), operation.clone(), by.to_owned());
        let selection = selection.cloned();
        let task = tokio::spawn(async move {
            let outcomes = handle.perform_all(copies, &operation, performed).await;
            if performed == Performed::Really {
                match selection {
                    Some(selection) => handle.audit_page(&selection, &operation, &by, &outcomes),
                    None => handle.audit_each(&operation, &by, &outcomes),
                }
            }
            outcomes
        });
        // A task that does not end in order ends with the process.
        task.await.unwrap_or_default()
    }

    async fn perform_all(
        &self,
        copies: Vec<Found>,
        operation: &Operation,
        performed: Performed,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(copies.len());
        let mut under_way: VecDeque<(QueuedMessage, JoinHandle<Result<(), Refused>>)> = VecDeque::new();
        let mut copies = copies.into_iter();
        loop {
            let next = copies.next();
            let is_over = next.is_none();
            if let Some(Found { copy, message }) = next {
                let (handle, operation, state) = (self.clone(), operation.clone(), message.state);
                let done = async move { handle.perform_one(&copy, state, &operation, performed).await };
                under_way.push_back((message, tokio::spawn(done)));
            }
            // One begins as one ends, so that a synchronization never waits for the last of a group.
            while under_way.len() >= TOGETHER || is_over {
                let Some((message, task)) = under_way.pop_front() else { return outcomes };
                let refused = match task.await {
                    Ok(done) => done.err().map(|why| why.to_string()),
                    Err(_) => Some("the service is stopping".to_owned()),
                };
                outcomes.push(Outcome { message, refused });
            }
        }
    }

    async fn perform_one(
        &self,
        copy: &QueuedCopy,
        state: CopyState,
        operation: &Operation,
        performed: Performed,
    ) -> Result<(), Refused> {
        let place = copy.place();
        match (performed, copy.connector().filter(|_| place.0 == OUTBOUND)) {
            (Performed::Not, _) if state == CopyState::InTransfer => Err(Refused::InTransfer),
            (Performed::Not, _) => self.decide(copy, operation).await.map(|_| ()),
            (Performed::Really, Some(connector)) => self.claimed(connector, &place.1, operation).await,
            (Performed::Really, None) => self.unclaimed(&place, operation).await,
        }
    }

    /// On a copy that waits for a connector.
    async fn claimed(&self, connector: &str, key: &[u8], operation: &Operation) -> Result<(), Refused> {
        let shared = &self.shared;
        // What is left to a connector that is gone is about to be routed again.
        let entry = shared.connector(connector).ok_or(Refused::ConnectorEnds)?;
        let _in_use = entry.in_use();
        if entry.stop.is_given() {
            return Err(Refused::ConnectorEnds);
        }
        let claim = Claim::take(&entry, key)?;
        let decided = match read(shared, OUTBOUND, key).await {
            Ok(Some(copy)) => self.decide(&copy, operation).await,
            Ok(None) => {
                claim.gone();
                return Err(Refused::Gone);
            }
            Err(error) => Err(error.into()),
        };
        let step = match decided {
            Ok(step) => step,
            Err(why) => {
                claim.give_back();
                return Err(why);
            }
        };
        match shared.commit(step).await {
            // What it announces has ended the claim.
            Ok(()) => Ok(()),
            Err(CommitError::AssertionFailed { .. }) => {
                claim.gone();
                Err(Refused::Gone)
            }
            Err(error) => {
                claim.give_back();
                Err(Refused::Commit(error))
            }
        }
    }

    /// On a copy in the work queue, or one that is held: whoever comes first has it, and the other finds nothing.
    async fn unclaimed(&self, place: &(Space, Vec<u8>), operation: &Operation) -> Result<(), Refused> {
        let (space, key) = place;
        let copy = read(&self.shared, *space, key).await?.ok_or(Refused::Gone)?;
        let step = self.decide(&copy, operation).await?;
        match self.shared.commit(step).await {
            Ok(()) => {
                // What is held is in no window.
                if *space == WORK {
                    self.shared.deferred.remove(key);
                    self.shared.work.gone(key);
                }
                Ok(())
            }
            Err(CommitError::AssertionFailed { .. }) => Err(Refused::Gone),
            Err(error) => Err(Refused::Commit(error)),
        }
    }

    async fn decide(&self, copy: &QueuedCopy, operation: &Operation) -> Result<Step, Refused> {
        let shared = &self.shared;
        let agent = shared.agent();
        let matters = *operation == Operation::Reroute && agent.has_1984_links();
        let is_p2 = content::is_p2(shared, copy.item(), matters).await?;
        match agent.operate(shared.moment(), copy, operation, None, is_p2)? {
            Operated::Done(step) => Ok(step),
            Operated::ContentWanted { body, length } => {
                // One that can't be read holds nothing up: the report goes without it.
                let content = shared.spool.read_body(body, 0, length).await.unwrap_or_default();
                match agent.operate(shared.moment(), copy, operation, Some(&content), is_p2)? {
                    Operated::Done(step) => Ok(step),
                    // Given its content, nothing asks for it again.
                    Operated::ContentWanted { .. } => Ok(Step::default()),
                }
            }
        }
    }
}

async fn read(shared: &Shared, space: Space, key: &[u8]) -> Result<Option<QueuedCopy>, SpoolError> {
    let value = shared.spool.get(space, key).await?;
    // One that is damaged was not listed.
    Ok(value.and_then(|value| QueuedCopy::decode(space, key, &value).ok().flatten()))
}

/// Whether an operation has anything to do with a copy, so that it is not told again and again of what it did itself.
fn concerns(operation: &Operation, copy: &QueuedCopy) -> bool {
    match operation {
        Operation::Delete { .. } => true,
        Operation::Hold => !copy.is_held,
        Operation::Release => copy.is_held,
        Operation::Move { to } => copy.connector().is_some_and(|connector| connector != to),
        Operation::Priority(rank) => copy.connector().is_some() && copy.rank() != *rank,
        Operation::Reroute => copy.connector().is_some() && !copy.is_held,
    }
}
