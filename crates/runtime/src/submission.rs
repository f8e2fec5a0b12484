//! What local users submit to a running MTA: messages and probes (X.411).

use std::sync::Arc;

use agent::{Agent, Submission, SubmitError};
use mhs::MtsIdentifier;
use spool::{BodyWriter, CommitError, FinishedBody, SpoolError};

use crate::handle::Handle;

/// Why a submission was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitFailure {
    /// Something is wrong with it.
    #[error(transparent)]
    Refused(#[from] SubmitError),
    /// The store does not take on new messages.
    #[error("the MTA does not accept messages now: {0}")]
    Unhealthy(String),
    /// The store failed; whether the message was accepted is unknown.
    #[error("the message could not be stored: {0}")]
    Commit(#[from] CommitError),
}

impl Handle {
    /// Reserves a body for [`Handle::submit`]. Writing to it may block on the disk.
    ///
    /// # Errors
    /// The store can't take it.
    pub fn begin_body(&self) -> Result<Box<dyn BodyWriter>, SpoolError> {
        self.shared.spool.begin_body()
    }

    /// Accepts a message for local users. When this returns, the MTA is responsible for it.
    ///
    /// # Errors
    /// See [`SubmitFailure`].
    pub async fn submit(
        &self,
        submission: Submission,
        body: FinishedBody,
    ) -> Result<MtsIdentifier, SubmitFailure> {
        let agent = self.accepting()?;
        let (identifier, step) =
            agent.submit(self.shared.clocks.wall(), &self.shared.sequence, &submission, body)?;
        self.shared.accept(step).await.map_err(refused)?;
        Ok(identifier)
    }

    /// Accepts several messages for local users, all or none of them; gives their identifiers in order.
    ///
    /// # Errors
    /// See [`SubmitFailure`].
    pub async fn submit_all(
        &self,
        copies: Vec<(Submission, FinishedBody)>,
    ) -> Result<Vec<MtsIdentifier>, SubmitFailure> {
        let agent = self.accepting()?;
        let (identifiers, step) =
            agent.submit_all(self.shared.clocks.wall(), &self.shared.sequence, copies)?;
        self.shared.accept(step).await.map_err(refused)?;
        Ok(identifiers)
    }

    /// Accepts a probe for local users: see [`Agent::probe`].
    ///
    /// # Errors
    /// See [`SubmitFailure`].
    pub async fn probe(
        &self,
        submission: Submission,
        content_length: Option<u64>,
    ) -> Result<MtsIdentifier, SubmitFailure> {
        let agent = self.accepting()?;
        let (identifier, step) =
            agent.probe(self.shared.clocks.wall(), &self.shared.sequence, &submission, content_length)?;
        self.shared.accept(step).await.map_err(refused)?;
        Ok(identifier)
    }

    /// The agent, if the store takes on new responsibility.
    fn accepting(&self) -> Result<Arc<Agent>, SubmitFailure> {
        match self.shared.spool.unhealthy_reason() {
            Some(reason) => Err(SubmitFailure::Unhealthy(reason.to_string())),
            None => Ok(self.shared.agent()),
        }
    }
}

/// A full disk is no failure of the store: nothing was accepted, and it passes.
fn refused(error: CommitError) -> SubmitFailure {
    match error {
        CommitError::NoSpace { cause } => SubmitFailure::Unhealthy(cause.to_string()),
        error => error.into(),
    }
}
