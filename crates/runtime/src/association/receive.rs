//! Transfer in: the APDU streams from the association into the spool; the peer is answered once it is durable.

use agent::IncomingApdu;
use mhs::ContentType;
use mhs::ipm::SubjectFinder;
use mhs::p1::{
    ApduPart, ApduReader, ApduReaderState, MessageTransferEnvelope, MtsApdu, ProbeTransferEnvelope, Report,
};
use osi::rtse::{AbortReason, RtRequest};
use spool::{BodyWriter, CommitError, FinishedBody, SpoolError};

use super::Association;
use crate::events::EventKind;
use crate::recovery::{ParkedHead, TransferName};
use crate::shared::{Shared, describe};
use crate::shelter::{Panicked, sheltered, sheltered_async};
use crate::status::AssociationState;

/// An APDU on its way in.
pub(crate) struct Receiving {
    reader: ApduReader,
    parts: Vec<ApduPart>,
    head: Option<Head>,
    body: Option<Box<dyn BodyWriter>>,
    /// Looks for the subject as the content streams past, if tracking is to have it. An APDU that goes on in another
    /// process has none: that process has not seen its heading.
    subject: Option<SubjectFinder>,
    complete: bool,
    /// At least one checkpoint was confirmed.
    checkpointed: bool,
    /// What the peer may call the transfer when it asks for it again; nothing as long as it can't be resumed.
    pub(crate) names: Vec<TransferName>,
    /// Octets of the stream that were there when it was resumed on this association.
    pub(crate) resumed_at: Option<u64>,
}

/// What is stored of an APDU on its way in.
pub(crate) struct ReceivingParts {
    pub(crate) reader: ApduReaderState,
    pub(crate) head: Option<ParkedHead>,
    pub(crate) body: Option<FinishedBody>,
    pub(crate) complete: bool,
}

/// What has come in front of the content.
enum Head {
    Message(Box<MessageTransferEnvelope>),
    Probe(Box<ProbeTransferEnvelope>),
    Report(Box<Report>),
}

/// Why a transfer in can't be accepted.
enum Trouble {
    /// The APDU is malformed: the peer's fault, and trying again won't help.
    Malformed(String),
    /// We can't take it now.
    Store(String),
    /// It brings out a defect of this program.
    Defect(Panicked),
}

impl Association {
    pub(super) async fn transfer_start(&mut self) {
        self.registration.set_state(AssociationState::Receiving);
        let name = self.link.receiving_activity().zip(self.presence.as_ref());
        let names: Vec<_> =
            name.and_then(|(activity, presence)| presence.transfer(activity)).into_iter().collect();
        self.receives(&names).await;
        self.receiving = Some(Receiving {
            reader: ApduReader::new(self.shared.limits().apdu),
            parts: Vec::new(),
            head: None,
            body: None,
            subject: None,
            complete: false,
            checkpointed: false,
            names,
            resumed_at: None,
        });
        if let Some(reason) = self.shared.spool.unhealthy_reason() {
            self.refuse(Trouble::Store(reason.to_string()));
        }
    }

    pub(super) async fn transfer_data(&mut self, octets: Vec<u8>) {
        // Data after a refusal is what the peer had sent before it saw the refusal.
        let Some(mut receiving) = self.receiving.take() else { return };
        match sheltered_async(receiving.take(&self.shared, octets)).await {
            Ok(Ok(())) => self.receiving = Some(receiving),
            Ok(Err(trouble)) => self.refuse(trouble),
            Err(panicked) => self.refuse(Trouble::Defect(panicked)),
        }
    }

    pub(super) async fn transfer_end(&mut self) {
        let Some(mut receiving) = self.receiving.take() else { return };
        // Without a checkpoint nobody resumes it.
        let names = std::mem::take(&mut receiving.names);
        let names = if receiving.checkpointed { names } else { Vec::new() };
        match sheltered_async(receiving.finish(&self.shared)).await {
            Ok(Ok(apdu)) => self.take_responsibility(apdu, names).await,
            Ok(Err(trouble)) => self.refuse(trouble),
            Err(panicked) => self.refuse(Trouble::Defect(panicked)),
        }
    }

    async fn take_responsibility(&mut self, apdu: IncomingApdu, names: Vec<TransferName>) {
        let shared = std::sync::Arc::clone(&self.shared);
        let summary = describe(&apdu);
        let agent = shared.agent();
        let (now, connector) = (shared.clocks.wall(), &self.connector.name);
        let step = match sheltered(|| agent.transfer_in(now, &shared.sequence, connector, apdu)) {
            Ok(Ok(step)) => step,
            Err(panicked) => return self.refuse(Trouble::Defect(panicked)),
            Ok(Err(refusal)) => {
                self.event(EventKind::TransferFailed, format!("{summary} refused: {refusal}"));
                return self
                    .request_if_in_time(RtRequest::TransferRefuse { transient: refusal.is_transient() });
            }
        };
        match shared.accept(step).await {
            Ok(()) => {
                self.further = true;
                self.event(
                    EventKind::ObjectReceived,
                    format!("{summary} received on association {}", self.number),
                );
            }
            // The digest was there already: this very transfer had completed, its answer was lost.
            Err(CommitError::AssertionFailed { .. }) => {
                shared.counters.duplicates.add();
                self.event(EventKind::DuplicateSuppressed, format!("{summary} had been transferred before"));
            }
            Err(error) => return self.refuse(Trouble::Store(error.to_string())),
        }
        // Before the peer is told: if it does not hear of it, it asks.
        self.remember_completed(names);
        self.registration.received();
        self.registration.set_state(AssociationState::Idle);
        self.request_if_in_time(RtRequest::TransferAccept);
    }

    fn refuse(&mut self, trouble: Trouble) {
        self.receiving = None;
        match trouble {
            Trouble::Malformed(text) => {
                self.event(
                    EventKind::DecodeError,
                    format!(
                        "malformed P1 APDU from {} on association {}: {text}",
                        self.link.peer(),
                        self.number
                    ),
                );
                self.closing = true;
                self.registration.set_state(AssociationState::Closing);
                self.request(RtRequest::Abort(AbortReason::USER_ERROR));
            }
            // The peer keeps it, tries again and gives up in the end, as with any other that is refused.
            Trouble::Defect(panicked) => {
                self.defect(&format!("an APDU from {} can't be taken: {panicked}", self.link.peer()));
                self.registration.set_state(AssociationState::Closing);
            }
            Trouble::Store(text) => {
                self.event(EventKind::StoreUnhealthy, format!("a transfer in was refused for now: {text}"));
                self.registration.set_state(AssociationState::Idle);
                self.request_if_in_time(RtRequest::TransferRefuse { transient: true });
            }
        }
    }
}

impl Receiving {
    /// What can be stored of it; `None` if it is of no use.
    ///
    /// # Errors
    /// The content can't be made durable.
    pub(crate) async fn into_parts(self, shared: &Shared) -> Result<Option<ReceivingParts>, SpoolError> {
        let Some(reader) = self.reader.save() else { return Ok(None) };
        let head = self.head.map(|head| match head {
            Head::Message(envelope) => ParkedHead::Message(envelope.to_octets()),
            Head::Probe(probe) => ParkedHead::Probe(MtsApdu::Probe(probe).to_octets()),
            Head::Report(report) => ParkedHead::Report(MtsApdu::Report(report).to_octets()),
        });
        let body = match self.body {
            Some(body) => Some(finish_body(shared, body).await?),
            None => None,
        };
        Ok(Some(ReceivingParts { reader, head, body, complete: self.complete }))
    }

    /// An APDU that goes on from stored parts; `None` if they do not fit together.
    pub(crate) fn from_parts(
        reader: ApduReader,
        head: Option<&ParkedHead>,
        body: Option<Box<dyn BodyWriter>>,
        complete: bool,
    ) -> Option<Receiving> {
        let head = match head {
            None => None,
            Some(ParkedHead::Message(octets)) => {
                let envelope = MessageTransferEnvelope::from_octets(octets).ok()?;
                Some(Head::Message(Box::new(envelope)))
            }
            Some(ParkedHead::Probe(octets) | ParkedHead::Report(octets)) => {
                match MtsApdu::from_octets(octets).ok()? {
                    MtsApdu::Probe(probe) => Some(Head::Probe(probe)),
                    MtsApdu::Report(report) => Some(Head::Report(report)),
                    MtsApdu::Message(_) => return None,
                }
            }
        };
        Some(Receiving {
            reader,
            parts: Vec::new(),
            head,
            body,
            subject: None,
            complete,
            checkpointed: true,
            names: Vec::new(),
            resumed_at: None,
        })
    }

    /// Whether the peer can ask for it again if it is interrupted.
    pub(super) fn is_resumable(&self) -> bool {
        self.checkpointed
    }

    /// A checkpoint is confirmed: the peer can go on from there.
    pub(super) fn checkpoint(&mut self) {
        self.checkpointed = true;
    }

    async fn take(&mut self, shared: &Shared, octets: Vec<u8>) -> Result<(), Trouble> {
        self.reader.push(&octets, &mut self.parts).map_err(|error| Trouble::Malformed(error.to_string()))?;
        for part in std::mem::take(&mut self.parts) {
            match part {
                ApduPart::MessageEnvelope(envelope) => {
                    let is_ipm = [ContentType::P2, ContentType::P22].contains(&envelope.content_type);
                    self.subject = (is_ipm && shared.agent().tracks_subjects()).then(SubjectFinder::default);
                    self.head = Some(Head::Message(envelope));
                    self.body = Some(shared.spool.begin_body().map_err(store)?);
                }
                ApduPart::Content(content) => {
                    if let Some(reason) = shared.spool.unhealthy_reason() {
                        return Err(Trouble::Store(reason.to_string()));
                    }
                    let Some(mut body) = self.body.take() else {
                        return Err(Trouble::Malformed("content before the envelope".to_owned()));
                    };
                    if let Some(finder) = &mut self.subject {
                        finder.push(&content);
                    }
                    let may_block = body.write_may_block(content.len());
                    let write = move || body.write(&content).map(|()| body);
                    let written = shared.surroundings.blocking(may_block, write).await;
                    self.body = Some(written.map_err(store)?);
                }
                ApduPart::Probe(probe) => self.head = Some(Head::Probe(probe)),
                ApduPart::Report(report) => self.head = Some(Head::Report(report)),
                ApduPart::End => self.complete = true,
            }
        }
        Ok(())
    }

    async fn finish(self, shared: &Shared) -> Result<IncomingApdu, Trouble> {
        self.reader.finish().map_err(|error| Trouble::Malformed(error.to_string()))?;
        match (self.head, self.body) {
            (Some(Head::Message(envelope)), Some(body)) if self.complete => {
                let subject = self.subject.and_then(SubjectFinder::subject);
                let body = finish_body(shared, body).await.map_err(store)?;
                Ok(IncomingApdu::Message { envelope, body, subject })
            }
            (Some(Head::Probe(probe)), _) if self.complete => Ok(IncomingApdu::Probe(probe)),
            (Some(Head::Report(report)), _) if self.complete => Ok(IncomingApdu::Report(report)),
            (Some(_) | None, _) => Err(Trouble::Malformed("the APDU is incomplete".to_owned())),
        }
    }
}

/// Completes a body; one that streams is synchronized with the disk, which must not hold up other tasks.
pub(crate) async fn finish_body(
    shared: &Shared,
    body: Box<dyn BodyWriter>,
) -> Result<FinishedBody, SpoolError> {
    shared.surroundings.blocking(body.finish_may_block(), move || body.finish()).await
}

fn store(error: SpoolError) -> Trouble {
    Trouble::Store(error.to_string())
}
