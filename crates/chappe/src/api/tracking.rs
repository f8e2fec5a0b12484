//! What became of messages: of one by its identifier, and of those that a search finds.

use agent::TrackRecord;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use clock::WallTime;
use runtime::{QueryError, Tracked, Tracking, TrackingPage, TrackingQuery, TrackingSpan};

use super::error::ApiError;
use super::gate::Caller;
use super::query::Query;
use super::{Answer, Api};
use crate::model::Page;
use crate::roles::Role;
use crate::time_text;

/// What is searched entry by entry unless the request says from when.
const DAY_S: i64 = 86_400;

/// What became of one message, over restarts.
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(mts_id): Path<String>,
    query: Query,
) -> Answer<Tracking> {
    query.only(&[])?;
    let mut tracking = api.handle.track(&mts_id).await?;
    if tracking.items.is_empty() {
        return Err(ApiError::not_found(
            format!("nothing is known of `{mts_id}`"),
            "it was never here, or longer ago than `tracking_days` and `tracking_entries` of [mta] allow, or tracking was off",
        ));
    }
    tracking.items.iter_mut().for_each(|item| cover(&caller, item));
    Ok(Json(tracking))
}

/// What happened between two times, the newest hours first.
pub(super) async fn search(State(api): State<Api>, caller: Caller, query: Query) -> Answer<Page<Tracked>> {
    let query = query.only(&[
        "find",
        "subject",
        "originator",
        "recipient",
        "connector",
        "event",
        "since",
        "until",
        "limit",
        "after",
    ])?;
    let time = |name: &str| -> Result<Option<WallTime>, ApiError> {
        let Some(text) = query.one(name)? else { return Ok(None) };
        time_text::parse(text).map(Some).ok_or_else(|| {
            ApiError::bad_request(
                format!("{name} `{text}` is not a time"),
                "write it as in 2026-12-24T18:00:00Z",
            )
        })
    };
    let words = words(&query)?;
    if query.one("subject")?.is_some() && caller.role < Role::Operator {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "the subjects of messages are not for viewers",
            "ask as an operator, or search by originator, recipient or time",
        ));
    }
    let until = time("until")?.or_else(|| time_text::parse(&api.handle.now()));
    let until = until.unwrap_or(WallTime::from_unix(i64::MAX));
    // Words are looked up, however much there is.
    let all = if words.is_empty() { until.plus_seconds(-DAY_S) } else { WallTime::from_unix(0) };
    let since = time("since")?.unwrap_or(all);
    let find = query.one("find")?.map(str::to_lowercase);
    let (connector, event) = (query.one("connector")?, query.one("event")?);
    let wanted = |record: &TrackRecord| {
        connector.is_none_or(|name| record.connector.as_deref() == Some(name))
            && event.is_none_or(|name| super::console::name_of(record.event) == name)
            && find.as_deref().is_none_or(|part| has(record, part))
    };
    let span = TrackingSpan { since, until };
    let page = api.handle.search_tracking(span, &words, query.one("after")?, query.limit()?, wanted).await?;
    let TrackingPage { mut items, next } = page;
    items.iter_mut().for_each(|item| cover(&caller, item));
    Ok(Json(Page { items, next }))
}

/// The words that are looked for.
fn words(query: &Query) -> Result<TrackingQuery, ApiError> {
    type Add = fn(TrackingQuery, &str) -> Result<TrackingQuery, QueryError>;
    let fields: [(&str, Add); 3] = [
        ("subject", TrackingQuery::subject),
        ("originator", TrackingQuery::originator),
        ("recipient", TrackingQuery::recipient),
    ];
    let mut words = TrackingQuery::default();
    for (name, add) in fields {
        if let Some(text) = query.one(name)? {
            words = add(words, text).map_err(|error| {
                ApiError::bad_request(
                    format!("{name}: {error}"),
                    "give words, or for an address attributes such as S=anna;O=Acme; a word may end in *",
                )
            })?;
        }
    }
    Ok(words)
}

/// The subject is content, which is not for everybody.
fn cover(caller: &Caller, item: &mut Tracked) {
    if caller.role < Role::Operator {
        item.subject = None;
    }
}

/// Whether identifier, originator or a recipient contains this, in lower case.
fn has(record: &TrackRecord, part: &str) -> bool {
    let texts = [&record.mts_identifier].into_iter().chain(&record.originator).chain(&record.recipients);
    texts.chain(&record.subject).any(|text| text.to_lowercase().contains(part))
}
