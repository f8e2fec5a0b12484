//! Submission of probes: all that there is to one is in the query.

use agent::{ReportRequest, Submission};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mhs::ContentType;
use mhs::ipm::CONTENT_TYPE;

use super::Api;
use super::error::ApiError;
use super::gate::Caller;
use super::query::{Query, address, number};
use super::submit::{one_of, refusal, report_request};
use crate::model::Probed;

const FIELDS: [&str; 7] = ["from", "to", "content_length", "content_type", "report", "request", "alternate"];

/// Content types by the names that the command line has for them.
const CONTENT_TYPES: [(&str, ContentType); 7] = [
    ("p22", ContentType::P22),
    ("p2", ContentType::P2),
    ("unidentified", ContentType::UNIDENTIFIED),
    ("external", ContentType::EXTERNAL),
    ("edi", ContentType::EDI),
    ("voice", ContentType::VOICE),
    ("p772", ContentType::P772),
];

/// Asks whether a message would be delivered: the answer is a report in the originator's mailbox.
pub(super) async fn submit(
    State(api): State<Api>,
    caller: Caller,
    query: Query,
) -> Result<(StatusCode, Json<Probed>), ApiError> {
    let (submission, content_length) = read(query)?;
    let identifier = api.handle.probe(submission, content_length).await.map_err(refusal)?;
    caller.tell_submission(&api, "probe", std::slice::from_ref(&identifier));
    Ok((StatusCode::CREATED, Json(Probed { mts_id: identifier.to_string() })))
}

fn read(query: Query) -> Result<(Submission, Option<u64>), ApiError> {
    let query = query.only(&FIELDS)?;
    let from = query.one("from")?.ok_or_else(|| {
        ApiError::bad_request("`from` is missing", "give the originator's O/R address as `from`")
    })?;
    let to = query.all("to").map(|to| address(to, "to")).collect::<Result<Vec<_>, _>>()?;
    // Who asks wants an answer either way.
    let report = report_request(&query)?.unwrap_or(ReportRequest::Delivery);
    let mut submission = Submission::new(address(from, "from")?, to).with_report_request(report);
    submission.content_type = match query.one("content_type")? {
        None => CONTENT_TYPE,
        Some(text) => CONTENT_TYPES
            .into_iter()
            .find_map(|(name, content_type)| (name == text).then_some(content_type))
            .ok_or_else(|| one_of("content_type", &CONTENT_TYPES.map(|(name, _)| name).join(", ")))?,
    };
    for text in query.all("request") {
        match text {
            "allow-alternate" => submission.alternate_recipient_allowed = true,
            "prohibit-expansion" => submission.dl_expansion_prohibited = true,
            "prohibit-redirection" => submission.reassignment_prohibited = true,
            _ => {
                return Err(one_of("request", "allow-alternate, prohibit-expansion, prohibit-redirection"));
            }
        }
    }
    let alternate = query.one("alternate")?.map(|text| address(text, "alternate")).transpose()?;
    for recipient in &mut submission.recipients {
        recipient.alternate.clone_from(&alternate);
    }
    let content_length =
        query.one("content_length")?.map(|text| number(text, "content_length")).transpose()?;
    Ok((submission, content_length))
}
