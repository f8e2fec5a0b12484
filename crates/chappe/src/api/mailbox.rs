//! Mailboxes: lists, single entries, and the octets of contents and body parts.

use std::collections::VecDeque;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use agent::RouteDecision;
use agent::record::MailboxItem as Stored;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Frame;
use mhs::OrAddress;
use mhs::ipm::{BodyPart, Ipm};
use mhs::p1::MessageTransferEnvelope;
use runtime::{Handle, MailboxEntry, MailboxStatus};
use spool::{BodyId, SpoolError};
use tokio::sync::mpsc;

use super::delivered::{self, FULL_OCTETS, GLANCE_OCTETS};
use super::error::ApiError;
use super::query::{Query, address, number};
use super::{Answer, Api};
use crate::model::{MailboxContent, MailboxItem, MailboxPage, Page};

/// Octets of text after which a page ends early.
const PAGE_TEXT_OCTETS: usize = 8 << 20;
/// Entries read from the store at a time to find the newest.
const SCAN_ENTRIES: usize = 200;
/// Octets read from the store at a time.
const PIECE_OCTETS: usize = 64 << 10;

pub(super) async fn list(State(api): State<Api>, query: Query) -> Answer<Page<MailboxStatus>> {
    let query = query.only(&["limit", "after"])?;
    let limit = query.limit()?;
    let all = api.handle.mailboxes().await?;
    // If the mailbox is gone since the page before, what follows it can't be told: begin again.
    let start = match query.one("after")? {
        Some(after) => all.iter().position(|mailbox| mailbox.address == after).map_or(0, |last| last + 1),
        None => 0,
    };
    let mut items: Vec<MailboxStatus> = all.into_iter().skip(start).take(limit + 1).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.address.clone());
    Ok(Json(Page { items, next }))
}

pub(super) async fn show(
    State(api): State<Api>,
    Path(mailbox): Path<String>,
    query: Query,
) -> Answer<MailboxPage> {
    let query = query.only(&["limit", "after", "newest"])?;
    let limit = query.limit()?;
    let mailbox = address(&mailbox, "mailbox")?;
    if query.flag("newest")? {
        if query.after()?.is_some() {
            return Err(ApiError::bad_request("`newest` and `after` exclude each other", "leave one out"));
        }
        return newest(&api, &mailbox, limit).await;
    }
    let mut entries = api.handle.mailbox(&mailbox, query.after()?, limit + 1).await?;
    let mut more = entries.len() > limit;
    entries.truncate(limit);
    let mut items = Vec::new();
    let mut text = 0_usize;
    for entry in entries {
        if text > PAGE_TEXT_OCTETS {
            more = true;
            break;
        }
        let item = delivered::item(&api, entry, GLANCE_OCTETS).await?;
        text += text_octets(&item);
        items.push(item);
    }
    if items.is_empty() && api.handle.mailbox(&mailbox, None, 1).await?.is_empty() {
        is_mailbox(&api, &mailbox)?;
    }
    let next = items.last().filter(|_| more).map(|last| last.number.to_string());
    Ok(Json(MailboxPage { items, next, older: None }))
}

/// The last `limit` entries, oldest first.
async fn newest(api: &Api, mailbox: &OrAddress, limit: usize) -> Answer<MailboxPage> {
    // The store is read forwards only, so this passes over the whole mailbox.
    let mut last: VecDeque<MailboxEntry> = VecDeque::new();
    let mut older = 0_u64;
    let mut after = None;
    loop {
        let entries = api.handle.mailbox(mailbox, after, SCAN_ENTRIES).await?;
        let full = entries.len() == SCAN_ENTRIES;
        after = entries.last().map(|entry| entry.number).or(after);
        for entry in entries {
            last.push_back(entry);
            if last.len() > limit {
                last.pop_front();
                older += 1;
            }
        }
        if !full {
            break;
        }
    }
    if last.is_empty() {
        is_mailbox(api, mailbox)?;
    }
    let mut items = VecDeque::new();
    let mut text = 0_usize;
    while let Some(entry) = last.pop_back() {
        if text > PAGE_TEXT_OCTETS {
            older += 1 + last.len() as u64;
            break;
        }
        let item = delivered::item(api, entry, GLANCE_OCTETS).await?;
        text += text_octets(&item);
        items.push_front(item);
    }
    Ok(Json(MailboxPage { items: items.into(), next: None, older: Some(older) }))
}

/// Octets of the texts in an item.
fn text_octets(item: &MailboxItem) -> usize {
    match &item.content {
        MailboxContent::Message(message) => {
            message.parts.iter().filter_map(|part| part.text.as_ref()).map(String::len).sum()
        }
        MailboxContent::Report(_) | MailboxContent::Unreadable { .. } => 0,
    }
}

/// Refuses an address that nothing is delivered to here, and says where it leads.
fn is_mailbox(api: &Api, address: &OrAddress) -> Result<(), ApiError> {
    let why = match api.handle.lookup(address) {
        RouteDecision::Local { .. } => return Ok(()),
        RouteDecision::List { .. } => "it is a distribution list".to_owned(),
        RouteDecision::Connectors(names) => format!("it is reached over {}", names.join(", or ")),
        RouteDecision::Unknown(failure) => failure.to_string(),
    };
    Err(ApiError::not_found(format!("{address}: no mailbox of this MTA"), why))
}

pub(super) async fn entry(
    State(api): State<Api>,
    Path((mailbox, entry)): Path<(String, String)>,
    query: Query,
) -> Answer<MailboxItem> {
    query.only(&[])?;
    let entry = find(&api, &address(&mailbox, "mailbox")?, &entry).await?;
    Ok(Json(delivered::item(&api, entry, FULL_OCTETS).await?))
}

async fn find(api: &Api, mailbox: &OrAddress, entry: &str) -> Result<MailboxEntry, ApiError> {
    let wanted = number(entry, "number")?;
    if let Some(entry) = api.handle.mailbox_entry(mailbox, wanted).await? {
        return Ok(entry);
    }
    if api.handle.mailbox(mailbox, None, 1).await?.is_empty() {
        is_mailbox(api, mailbox)?;
    }
    Err(ApiError::not_found(
        format!("there is no number {wanted} in the mailbox {mailbox}"),
        "`chappe mailbox list` names what is there",
    ))
}

/// The content of a message, or the APDU of a report, octet for octet.
pub(super) async fn content(
    State(api): State<Api>,
    Path((mailbox, entry)): Path<(String, String)>,
    query: Query,
) -> Result<Response, ApiError> {
    query.only(&[])?;
    let entry = find(&api, &address(&mailbox, "mailbox")?, &entry).await?;
    Ok(match entry.record.kind {
        Stored::Message { body, content_length, .. } => octets(&api.handle, body, 0..content_length),
        Stored::Report { apdu } => {
            ([(header::CONTENT_TYPE, "application/octet-stream")], apdu).into_response()
        }
    })
}

/// One body part of a message: the octets of a file, or a text.
pub(super) async fn part(
    State(api): State<Api>,
    Path((mailbox, entry, part)): Path<(String, String, String)>,
    query: Query,
) -> Result<Response, ApiError> {
    query.only(&[])?;
    let mailbox = address(&mailbox, "mailbox")?;
    let entry = find(&api, &mailbox, &entry).await?;
    let wanted = number(&part, "part")?;
    let none = |why: &str| {
        ApiError::not_found(format!("part {wanted} of number {} can't be given", entry.number), why)
    };
    let Stored::Message { envelope, body, content_length } = &entry.record.kind else {
        return Err(none("it is a report and has no parts"));
    };
    let interpersonal = MessageTransferEnvelope::from_octets(envelope)
        .is_ok_and(|envelope| delivered::is_interpersonal(&envelope.content_type));
    if !interpersonal {
        return Err(none("the content is no interpersonal message; export it whole"));
    }
    let first = api.handle.read_body(*body, 0, FULL_OCTETS).await?;
    let summary = Ipm::summary(&first).map_err(|error| none(&error.to_string()))?;
    let index = usize::try_from(wanted).ok().and_then(|n| n.checked_sub(1));
    let (parts, more) = (summary.parts.len(), summary.more);
    let Some(part) = index.and_then(|index| summary.parts.into_iter().nth(index)) else {
        return Err(none(&match (wanted, more, parts) {
            (0, _, _) => "parts are counted from 1".to_owned(),
            (_, true, _) => "it is too far behind in the message; export the content whole".to_owned(),
            (_, false, 0) => "the message has no parts".to_owned(),
            (_, false, 1) => "the message has one part, number 1".to_owned(),
            (_, false, _) => format!("the message has parts 1 to {parts}"),
        }));
    };
    if let Some(range) = part.file_octets {
        return Ok(octets(&api.handle, *body, range.start..range.end.min(*content_length)));
    }
    match (part.part, part.text) {
        (Some(BodyPart::FileTransfer(file)), _) => {
            Ok(([(header::CONTENT_TYPE, "application/octet-stream")], file.contents()).into_response())
        }
        (_, Some(text)) if !part.text_cut => {
            Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
        }
        _ => Err(none("this kind of part can't be taken out; export the content whole")),
    }
}

/// Part of a stored body as the body of an answer, read as fast as the client takes it.
pub(super) fn octets(handle: &Handle, body: BodyId, range: Range<u64>) -> Response {
    octets_behind(Vec::new(), handle, body, range)
}

/// The same with something in front of it.
pub(super) fn octets_behind(head: Vec<u8>, handle: &Handle, body: BodyId, range: Range<u64>) -> Response {
    let (sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, SpoolError>>(2);
    let handle = handle.clone();
    let length = range.end.saturating_sub(range.start).saturating_add(head.len() as u64);
    tokio::spawn(async move {
        if !head.is_empty() && sender.send(Ok(Frame::data(head.into()))).await.is_err() {
            return;
        }
        let mut at = range.start;
        while at < range.end {
            let most = usize::try_from(range.end - at).map_or(PIECE_OCTETS, |rest| rest.min(PIECE_OCTETS));
            let piece = handle.read_body(body, at, most).await;
            match piece {
                // The store holds less than was promised; the missing length tells the client.
                Ok(piece) if piece.is_empty() => return,
                Ok(piece) => {
                    at += piece.len() as u64;
                    if sender.send(Ok(Frame::data(piece.into()))).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!("API: a stored content can't be read: {error}");
                    // If the client is gone nobody needs to know.
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
    ];
    (headers, Body::new(Pieces(receiver))).into_response()
}

/// The receiving end of a channel as a body.
struct Pieces(mpsc::Receiver<Result<Frame<Bytes>, SpoolError>>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = SpoolError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SpoolError>>> {
        self.0.poll_recv(context)
    }
}
