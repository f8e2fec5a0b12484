//! Submission: the fields are in the query, the body of the request is the text or the file.

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
use super::query::{Query, address};
use crate::model::Submitted;
use crate::time_text;

/// Longest text. It is held in memory to find out which characters it uses; what is longer is a file.
const MAX_TEXT_OCTETS: usize = 4 << 20;
/// Pieces of a file that wait for the disk. Each is at most what one read from the socket gave.
const PIECES_AHEAD: usize = 4;

const FIELDS: [&str; 9] =
    ["from", "to", "subject", "priority", "report", "deferred", "file_name", "request", "alternate"];

/// The message without its content.
struct Fields {
    from: OrAddress,
    to: Vec<OrAddress>,
    subject: String,
    priority: Priority,
    report: ReportRequest,
    deferred: Option<WallTime>,
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
        let to: Vec<OrAddress> = query.all("to").map(|to| address(to, "to")).collect::<Result<_, _>>()?;
        let one_of = |name: &str, choices: &str| {
            ApiError::bad_request(format!("`{name}` is not known"), format!("choose one of {choices}"))
        };
        let requests = query.all("request").map(|text| {
            let known = REQUESTS.iter().find(|(name, _)| *name == text).map(|(_, request)| *request);
            known.ok_or_else(|| one_of("request", &REQUESTS.map(|(name, _)| name).join(", ")))
        });
        let requests = requests.collect::<Result<_, _>>()?;
        Ok(Fields {
            requests,
            alternate: query.one("alternate")?.map(|text| address(text, "alternate")).transpose()?,
            from: address(from, "from")?,
            to,
            subject: subject.to_owned(),
            priority: match query.one("priority")? {
                None | Some("normal") => Priority::Normal,
                Some("urgent") => Priority::Urgent,
                Some("non-urgent") => Priority::NonUrgent,
                Some(_) => return Err(one_of("priority", "urgent, normal, non-urgent")),
            },
            report: match query.one("report")? {
                None | Some("non-delivery") => ReportRequest::NonDelivery,
                Some("delivery") => ReportRequest::Delivery,
                Some("none") => ReportRequest::None,
                Some(_) => return Err(one_of("report", "delivery, non-delivery, none")),
            },
            deferred: query
                .one("deferred")?
                .map(|text| {
                    time_text::parse(text).ok_or_else(|| {
                        ApiError::bad_request(
                            format!("deferred `{text}` is not a time"),
                            "write it as in 2026-12-24T18:00:00Z",
                        )
                    })
                })
                .transpose()?,
            file_name: query.one("file_name")?.map(str::to_owned),
        })
    }

    fn submission(&self, types: EncodedInformationTypes) -> Submission {
        let mut submission =
            Submission::new(self.from.clone(), self.to.iter().cloned()).with_report_request(self.report);
        submission.priority = self.priority;
        submission.deferred = self.deferred;
        submission.content_type = CONTENT_TYPE;
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

pub(super) async fn submit(
    State(api): State<Api>,
    query: Query,
    request: Request,
) -> Result<(StatusCode, Json<Submitted>), ApiError> {
    let fields = Fields::read(query)?;
    let mut draft = Draft::new(OrName::new(fields.from.clone()), &local_identifier(&api), &fields.subject)
        .map_err(|error| ApiError::bad_request("the message can't be composed", error.to_string()))?;
    for to in &fields.to {
        draft = draft.to(OrName::new(to.clone()));
    }
    let writer = api.handle.begin_body()?;
    let (body, types) = match &fields.file_name {
        None => {
            let composed = draft.text(&text(request.into_body()).await?);
            (store(writer, composed.content).await?, composed.encoded_information_types)
        }
        Some(name) => {
            let length = content_length(&request)?;
            let composed = draft
                .file(None, name, length)
                .map_err(|error| ApiError::bad_request("the message can't be composed", error.to_string()))?;
            let body = stream(writer, composed.prefix, request.into_body(), length, composed.suffix).await?;
            (body, composed.encoded_information_types)
        }
    };
    let content_octets = body.len();
    let identifier = api.handle.submit(fields.submission(types), body).await.map_err(refusal)?;
    let submitted = Submitted { mts_id: identifier.to_string(), content_octets };
    Ok((StatusCode::CREATED, Json(submitted)))
}

/// A LocalIPMIdentifier that this service never gives twice: number, start of the service, process.
fn local_identifier(api: &Api) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{number} {} {}", api.handle.info().started, std::process::id())
}

fn refusal(failure: SubmitFailure) -> ApiError {
    let what = "the message was not accepted";
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

/// Stores a content around a body of `length` octets, piece by piece: the disk sets the pace of the connection.
async fn stream(
    mut writer: Box<dyn BodyWriter>,
    prefix: Vec<u8>,
    mut body: Body,
    length: u64,
    suffix: Vec<u8>,
) -> Result<FinishedBody, ApiError> {
    let (pieces, mut waiting) = mpsc::channel::<Bytes>(PIECES_AHEAD);
    let (commit, committed) = std::sync::mpsc::channel::<()>();
    let storing = tokio::task::spawn_blocking(move || {
        writer.write(&prefix)?;
        while let Some(piece) = waiting.blocking_recv() {
            writer.write(&piece)?;
        }
        // Without this word the body broke off; what is stored of it is given back with the writer.
        if committed.recv().is_err() {
            return Ok(None);
        }
        writer.write(&suffix)?;
        writer.finish().map(Some)
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
