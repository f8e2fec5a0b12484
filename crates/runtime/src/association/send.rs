//! Transfer out: header from the record, content streamed from the spool, removal once the peer has confirmed.

use std::sync::Arc;

use agent::record::{Item, OutboundKey, OutboundRecord};
use agent::{Failed, TransferFailure, TransferFailureKind};
use mhs::p1::MessageTransferEnvelope;
use mhs::p1::message_header;
use osi::rtse::RtRequest;
use spool::BodyId;

use super::{Association, Outgoing};
use crate::connector::Message;
use crate::events::EventKind;
use crate::handle::kind;
use crate::status::AssociationState;

/// An item on its way out.
pub(super) struct Sending {
    outgoing: Box<Outgoing>,
    /// Octets in front of the content; for probes and reports the whole APDU.
    header: Vec<u8>,
    body: Option<(BodyId, u64)>,
    position: u64,
    /// RT-TRANSFER has been requested.
    pub(super) started: bool,
}

impl Sending {
    fn new(outgoing: Box<Outgoing>) -> Result<Sending, (Box<Outgoing>, String)> {
        let (header, body) = match &outgoing.record.item {
            Item::Message { envelope, body, content_length } => {
                match MessageTransferEnvelope::from_octets(envelope) {
                    Ok(envelope) => {
                        (message_header(&envelope, *content_length), Some((*body, *content_length)))
                    }
                    Err(error) => return Err((outgoing, error.to_string())),
                }
            }
            Item::Probe { apdu } | Item::Report { apdu } => (apdu.clone(), None),
        };
        Ok(Sending { outgoing, header, body, position: 0, started: false })
    }

    /// Octets of the APDU.
    pub(super) fn length(&self) -> u64 {
        self.header.len() as u64 + self.body.map_or(0, |(_, length)| length)
    }

    /// Priority with which the turn is asked for: 0 is the most urgent.
    pub(super) fn turn_priority(&self) -> u32 {
        OutboundKey::parse(&self.outgoing.key).map_or(0, |key| u32::from(key.rank.octet()))
    }

    fn record(&self) -> &OutboundRecord {
        &self.outgoing.record
    }
}

impl Association {
    pub(super) async fn begin_transfer(&mut self, outgoing: Box<Outgoing>) {
        match Sending::new(outgoing) {
            Ok(sending) => {
                self.outgoing = Some(sending);
                self.proceed();
            }
            Err((outgoing, error)) => {
                let text = format!("the stored envelope can't be read: {error}");
                self.settle_failure(outgoing, failure(TransferFailureKind::RefusedPermanent, text)).await;
                self.idle(false).await;
            }
        }
    }

    /// Answers the protocol's wish for the next octets.
    pub(super) async fn segment(&mut self, octets: usize) {
        let Some(sending) = &mut self.outgoing else {
            return self.defect("octets wanted, but nothing is in transfer");
        };
        let mut segment = Vec::with_capacity(octets);
        let header_left = usize::try_from(sending.position)
            .ok()
            .and_then(|position| sending.header.get(position..))
            .unwrap_or_default();
        segment.extend_from_slice(header_left.get(..octets.min(header_left.len())).unwrap_or_default());
        sending.position += segment.len() as u64;
        while segment.len() < octets {
            let offset = sending.position - sending.header.len() as u64;
            let wanted = octets - segment.len();
            let read = match sending.body {
                Some((body, _)) => self.shared.spool.read_body(body, offset, wanted).await,
                None => Ok(Vec::new()),
            };
            match read {
                Ok(piece) if !piece.is_empty() => {
                    sending.position += piece.len() as u64;
                    segment.extend_from_slice(&piece);
                }
                Ok(_) => {
                    return self
                        .cancel_transfer("the stored content is shorter than its envelope says")
                        .await;
                }
                Err(error) => return self.cancel_transfer(&error.to_string()).await,
            }
        }
        self.request(RtRequest::Segment(segment));
    }

    async fn cancel_transfer(&mut self, why: &str) {
        self.request(RtRequest::TransferCancel);
        if let Some(sending) = self.outgoing.take() {
            self.settle_failure(
                sending.outgoing,
                failure(TransferFailureKind::RefusedPermanent, why.to_owned()),
            )
            .await;
        }
    }

    pub(super) async fn transfer_confirmed(&mut self) {
        let Some(sending) = self.outgoing.take() else {
            return self.defect("a transfer was confirmed, but nothing is in transfer");
        };
        // One removal may be under way while the next message is transferred, never two.
        if let Some(removal) = self.removal.take() {
            let _ = removal.await;
        }
        self.shared.counters.transferred_out.add();
        self.registration.sent();
        self.registration.set_state(AssociationState::Idle);
        self.event(
            EventKind::ObjectSent,
            format!(
                "{} {} sent on association {}",
                kind(&sending.record().item),
                sending.record().mts_identifier,
                self.number
            ),
        );
        let shared = Arc::clone(&self.shared);
        let step = shared.agent().transferred(&sending.outgoing.key, &sending.outgoing.record);
        self.removal = Some(tokio::spawn(async move {
            // On failure it stays taken: the peer has it, so this process must not send it again.
            if let Err(error) = shared.commit(step).await {
                shared.store_failed(&error);
            }
        }));
        self.idle(true).await;
    }

    /// The transfer in progress failed; `refused` if the peer turned this very item down.
    pub(super) async fn transfer_failed(&mut self, text: String, refused: bool) {
        let Some(sending) = self.outgoing.take() else { return };
        let failure = match (sending.started, refused) {
            (true, true) => failure(TransferFailureKind::RefusedTransient, text),
            (true, false) => failure(TransferFailureKind::Interrupted, text),
            (false, _) => {
                // Nothing of it was sent: as if it had never been taken.
                self.entry.backlog.put_back(&sending.outgoing.key);
                return;
            }
        };
        self.registration.set_state(AssociationState::Idle);
        self.settle_failure(sending.outgoing, failure).await;
        self.idle(false).await;
    }

    async fn settle_failure(&mut self, outgoing: Box<Outgoing>, failure: TransferFailure) {
        let Outgoing { key, record } = *outgoing;
        self.event(
            EventKind::TransferFailed,
            format!("{} {}: {}", kind(&record.item), record.mts_identifier, failure.text),
        );
        let shared = Arc::clone(&self.shared);
        let now = shared.clocks.wall();
        match shared.agent().transfer_failed(now, &shared.sequence, &key, &record, &failure) {
            Failed::Retry { step, after, record: _ } => match shared.commit(step).await {
                Ok(()) => self.tell(Message::Retry { key, after }).await,
                Err(error) => shared.store_failed(&error),
            },
            Failed::Settled(step) => {
                if let Err(error) = shared.commit(step).await {
                    shared.store_failed(&error);
                }
            }
        }
    }
}

fn failure(kind: TransferFailureKind, text: String) -> TransferFailure {
    TransferFailure { kind, text }
}
