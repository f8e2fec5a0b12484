//! Submission: the fields are in the query, the body of the request is the text or the file.
//!
//! A blind copy recipient gets a message of his own, whose heading names him alone as such, so nothing that the others
//! get can tell of him, whatever their MTAs make of it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use agent::{ReportRequest, Submission};
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use bytes::Bytes;
use clock::WallTime;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mhs::ipm::{CONTENT_TYPE, Draft};
use mhs::p1::Priority;
use mhs::{EncodedInformationTypes, OrAddress, OrName};
use runtime::SubmitFailure;
use spool::{BodyWriter, FinishedBody, SpoolError};
use tokio::sync::mpsc;

use super::Api;
use super::error::ApiError;
use super::gate::Caller;
use super::query::{Query, address};
use crate::model::{BlindCopy, Submitted};
use crate::time_text;

/// Longest text. It is held in memory to find out which characters it uses; what is longer is a file.
const MAX_TEXT_OCTETS: usize = 4 << 20;
/// Pieces of a file that wait for the disk. Each is at most what one read from the socket gave.
const PIECES_AHEAD: usize = 4;

/// Most blind copy recipients: the content is stored once for each.
const MAX_BLIND: usize = 32;

const FIELDS: [&str; 12] = [
    "from",
    "to",
    "cc",
    "bcc",
    "subject",
    "priority",
    "report",
    "deferred",
    "latest_delivery",
    "file_name",
    "request",
    "alternate",
];

/// The message without its content.
struct Fields {
    from: OrAddress,
    to: Vec<OrAddress>,
    cc: Vec<OrAddress>,
    bcc: Vec<OrAddress>,
    subject: String,
    priority: Priority,
    report: ReportRequest,
    deferred: Option<WallTime>,
    latest_delivery: Option<WallTime>,
    file_name: Option<String>,
    requests: Vec<Wish>,
    alternate: Option<OrAddress>,
}

/// What else the originator may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    ReturnContent,
    DiscloseRecipients,
    AllowAlternate,
    ProhibitExpansion,
    ProhibitRedirection,
}

const REQUESTS: [(&str, Wish); 5] = [
    ("return-content", Wish::ReturnContent),
    ("disclose-recipients", Wish::DiscloseRecipients),
    ("allow-alternate", Wish::AllowAlternate),
    ("prohibit-expansion", Wish::ProhibitExpansion),
    ("prohibit-redirection", Wish::ProhibitRedirection),
];

impl Fields {
    fn read(query: Query) -> Result<Fields, ApiError> {
        let query = query.only(&FIELDS)?;
        let from = query.one("from")?.ok_or_else(|| {
            ApiError::bad_request("`from` is missing", "give the originator's O/R address as `from`")
        })?;
        let subject = query.one("subject")?.unwrap_or_default();
        if subject.chars().any(char::is_control) {
            return Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the subject holds control characters",
                "write it on one line without them",
            ));
        }
        let named = |field: &str| -> Result<Vec<OrAddress>, ApiError> {
            query.all(field).map(|text| address(text, field)).collect()
        };
        let bcc = named("bcc")?;
        if bcc.len() > MAX_BLIND {
            return Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!("there are {} blind copy recipients, the limit is {MAX_BLIND}", bcc.len()),
                "each gets a message of his own; submit several",
            ));
        }
        let requests = query.all("request").map(|text| {
            let known = REQUESTS.iter().find(|(name, _)| *name == text).map(|(_, request)| *request);
            known.ok_or_else(|| one_of("request", &REQUESTS.map(|(name, _)| name).join(", ")))
        });
        let requests = requests.collect::<Result<_, _>>()?;
        Ok(Fields {
            requests,
            alternate: query.one("alternate")?.map(|text| address(text, "alternate")).transpose()?,
            from: address(from, "from")?,
            to: named("to")?,
            cc: named("cc")?,
            bcc,
            subject: subject.to_owned(),
            priority: match query.one("priority")? {
                None | Some("normal") => Priority::Normal,
                Some("urgent") => Priority::Urgent,
                Some("non-urgent") => Priority::NonUrgent,
                Some(_) => return Err(one_of("priority", "urgent, normal, non-urgent")),
            },
            report: report_request(&query)?.unwrap_or(ReportRequest::NonDelivery),
            deferred: time(&query, "deferred")?,
            latest_delivery: time(&query, "latest_delivery")?,
            file_name: query.one("file_name")?.map(str::to_owned),
        })
    }

    /// The message for all whom the others may know of, if there is anybody, and one for each blind copy recipient.
    fn copies(&self, draft: Draft) -> Vec<Copy> {
        let open: Vec<OrAddress> = self.to.iter().chain(&self.cc).cloned().collect();
        let mut named: HashSet<String> = open.iter().map(OrAddress::canonical_key).collect();
        let blind = self.bcc.iter().filter(|blind| named.insert(blind.canonical_key()));
        let blind = blind.map(|blind| Copy {
            draft: draft.clone().blind_copy_to(OrName::new(blind.clone())),
            recipients: vec![blind.clone()],
            is_blind: true,
        });
        let mut copies: Vec<Copy> = blind.collect();
        // Without any recipient it is refused for that.
        if !open.is_empty() || copies.is_empty() {
            copies.insert(0, Copy { draft, recipients: open, is_blind: false });
        }
        copies
    }

    fn submission(&self, recipients: Vec<OrAddress>, types: EncodedInformationTypes) -> Submission {
        let mut submission = Submission::new(self.from.clone(), recipients).with_report_request(self.report);
        submission.priority = self.priority;
        submission.deferred = self.deferred;
        submission.latest_delivery = self.latest_delivery;
        submission.content_type = CONTENT_TYPE;
        submission.subject = Some(self.subject.clone()).filter(|subject| !subject.is_empty());
        submission.encoded_information_types = Some(types);
        for request in &self.requests {
            match request {
                Wish::ReturnContent => submission.return_content = true,
                Wish::DiscloseRecipients => submission.disclose_recipients = true,
                Wish::AllowAlternate => submission.alternate_recipient_allowed = true,
                Wish::ProhibitExpansion => submission.dl_expansion_prohibited = true,
                Wish::ProhibitRedirection => submission.reassignment_prohibited = true,
            }
        }
        for recipient in &mut submission.recipients {
            recipient.alternate.clone_from(&self.alternate);
        }
        submission
    }
}

/// One message of a submission.
struct Copy {
    draft: Draft,
    recipients: Vec<OrAddress>,
    is_blind: bool,
}

/// A time, if it is given.
fn time(query: &Query, name: &str) -> Result<Option<WallTime>, ApiError> {
    let Some(text) = query.one(name)? else { return Ok(None) };
    time_text::parse(text).map(Some).ok_or_else(|| {
        ApiError::bad_request(format!("{name} `{text}` is not a time"), "write it as in 2026-12-24T18:00:00Z")
    })
}

/// What the originator wants to be told, if it is said.
pub(super) fn report_request(query: &Query) -> Result<Option<ReportRequest>, ApiError> {
    Ok(match query.one("report")? {
        None => None,
        Some("non-delivery") => Some(ReportRequest::NonDelivery),
        Some("delivery") => Some(ReportRequest::Delivery),
        Some("none") => Some(ReportRequest::None),
        Some(_) => return Err(one_of("report", "delivery, non-delivery, none")),
    })
}

/// The answer to a value that is none of those known.
pub(super) fn one_of(name: &str, choices: &str) -> ApiError {
    ApiError::bad_request(format!("`{name}` is not known"), format!("choose one of {choices}"))
}

pub(super) async fn submit(
    State(api): State<Api>,
    caller: Caller,
    query: Query,
    request: Request,
) -> Result<(StatusCode, Json<Submitted>), ApiError> {
    let fields = Fields::read(query)?;
    let mut draft = Draft::new(OrName::new(fields.from.clone()), &local_identifier(&api), &fields.subject)
        .map_err(|error| ApiError::bad_request("the message can't be composed", error.to_string()))?;
    for to in &fields.to {
        draft = draft.to(OrName::new(to.clone()));
    }
    for cc in &fields.cc {
        draft = draft.copy_to(OrName::new(cc.clone()));
    }
    let copies = fields.copies(draft);
    let mut submissions = Vec::new();
    let mut names: Vec<Option<String>> = Vec::new();
    for (copy, (body, types)) in copies.iter().zip(contents(&api, &fields, &copies, request).await?) {
        names.push(copy.recipients.first().filter(|_| copy.is_blind).map(ToString::to_string));
        submissions.push((fields.submission(copy.recipients.clone(), types), body));
    }
    let content_octets = submissions.first().map_or(0, |(_, body)| body.len());
    let identifiers = api.handle.submit_all(submissions).await.map_err(refusal)?;
    caller.tell_submission(&api, "submit", &identifiers);
    let blind = names.into_iter().zip(&identifiers).filter_map(|(recipient, identifier)| {
        recipient.map(|recipient| BlindCopy { recipient, mts_id: identifier.to_string() })
    });
    let submitted = Submitted {
        mts_id: identifiers.first().map(ToString::to_string).unwrap_or_default(),
        content_octets,
        blind_copies: blind.collect(),
    };
    Ok((StatusCode::CREATED, Json(submitted)))
}

/// Stores the content of each copy; what the request carries is the same in all.
async fn contents(
    api: &Api,
    fields: &Fields,
    copies: &[Copy],
    request: Request,
) -> Result<Vec<(FinishedBody, EncodedInformationTypes)>, ApiError> {
    let mut contents = Vec::new();
    let Some(name) = &fields.file_name else {
        let text = text(request.into_body()).await?;
        for copy in copies {
            let composed = copy.draft.text(&text);
            let body = store(api.handle.begin_body()?, composed.content).await?;
            contents.push((body, composed.encoded_information_types));
        }
        return Ok(contents);
    };
    let length = content_length(&request)?;
    let (mut around, mut types) = (Vec::new(), Vec::new());
    for copy in copies {
        let composed = copy
            .draft
            .file(None, name, length)
            .map_err(|error| ApiError::bad_request("the message can't be composed", error.to_string()))?;
        let writer = api.handle.begin_body()?;
        around.push(Around { writer, prefix: composed.prefix, suffix: composed.suffix });
        types.push(composed.encoded_information_types);
    }
    let bodies = stream(around, request.into_body(), length).await?;
    contents.extend(bodies.into_iter().zip(types));
    Ok(contents)
}

/// A LocalIPMIdentifier that this service never gives twice: number, start of the service, process.
fn local_identifier(api: &Api) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{number} {} {}", api.handle.info().started, std::process::id())
}

pub(super) fn refusal(failure: SubmitFailure) -> ApiError {
    let what = "it was not accepted";
    match failure {
        SubmitFailure::Refused(error) => {
            let why: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, what, why.join("; "))
        }
        SubmitFailure::Unhealthy(reason) => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, what, reason),
        SubmitFailure::Commit(error) => ApiError::internal(what, error.to_string()),
    }
}

/// Length of the request's body, which the lengths in front of a file depend on.
fn content_length(request: &Request) -> Result<u64, ApiError> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|text| text.parse().ok()).ok_or_else(|| {
        ApiError::new(
            StatusCode::LENGTH_REQUIRED,
            "the length of the file is not known",
            "send a Content-Length header",
        )
    })
}

/// The text that the body holds.
async fn text(body: Body) -> Result<String, ApiError> {
    let collected = Limited::new(body, MAX_TEXT_OCTETS).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the text is longer than {} MB", MAX_TEXT_OCTETS >> 20),
                "send it as a file",
            )
        } else {
            ApiError::bad_request("the body was not received", error.to_string())
        }
    })?;
    String::from_utf8(collected.to_bytes().into())
        .map_err(|error| ApiError::bad_request("the text is not UTF-8", error.to_string()))
}

/// Stores a content that is whole in memory.
async fn store(mut writer: Box<dyn BodyWriter>, content: Vec<u8>) -> Result<FinishedBody, ApiError> {
    let stored = tokio::task::spawn_blocking(move || {
        writer.write(&content)?;
        writer.finish()
    });
    finished(stored.await)
}

/// What stands around a file in one content, and where that goes.
struct Around {
    writer: Box<dyn BodyWriter>,
    prefix: Vec<u8>,
    suffix: Vec<u8>,
}

/// Stores contents around a body of `length` octets, piece by piece: the disk sets the pace of the connection.
async fn stream(
    mut contents: Vec<Around>,
    mut body: Body,
    length: u64,
) -> Result<Vec<FinishedBody>, ApiError> {
    let (pieces, mut waiting) = mpsc::channel::<Bytes>(PIECES_AHEAD);
    let (commit, committed) = std::sync::mpsc::channel::<()>();
    let storing = tokio::task::spawn_blocking(move || {
        for Around { writer, prefix, .. } in &mut contents {
            writer.write(prefix)?;
        }
        while let Some(piece) = waiting.blocking_recv() {
            for Around { writer, .. } in &mut contents {
                writer.write(&piece)?;
            }
        }
        // Without this word the body broke off; what is stored of it is given back with the writers.
        if committed.recv().is_err() {
            return Ok(None);
        }
        let finish = |Around { mut writer, suffix, .. }: Around| {
            writer.write(&suffix)?;
            writer.finish()
        };
        contents.into_iter().map(finish).collect::<Result<Vec<_>, SpoolError>>().map(Some)
    });
    let mut received = 0_u64;
    let mut broken = None;
    while let Some(frame) = body.frame().await {
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => {
                received = received.saturating_add(data.len() as u64);
                if pieces.send(data).await.is_err() {
                    // The store failed; it says why below.
                    break;
                }
            }
            // Trailers mean nothing here.
            Ok(Err(_)) => {}
            Err(error) => {
                broken = Some(error.to_string());
                break;
            }
        }
    }
    if broken.is_none() && received == length {
        // The store may have failed already; it says why below.
        let _ = commit.send(());
    }
    drop((pieces, commit));
    match finished(storing.await)? {
        Some(body) => Ok(body),
        None => Err(ApiError::bad_request(
            "the file was not received whole",
            broken.unwrap_or_else(|| format!("{received} of {length} octets came")),
        )),
    }
}

fn finished<T>(stored: Result<Result<T, SpoolError>, tokio::task::JoinError>) -> Result<T, ApiError> {
    match stored {
        Ok(stored) => Ok(stored?),
        Err(error) => Err(ApiError::internal("the content could not be stored", error.to_string())),
    }
}
