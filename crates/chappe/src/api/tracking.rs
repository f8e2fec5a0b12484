//! What became of messages: of one by its identifier, and of those that a search finds.

use agent::TrackRecord;
use axum::Json;
use axum::extract::{Path, State};
use clock::WallTime;
use runtime::{Tracked, Tracking, TrackingPage, TrackingSpan};

use super::error::ApiError;
use super::query::Query;
use super::{Answer, Api};
use crate::model::Page;
use crate::time_text;

/// What is searched unless the request says from when.
const DAY_S: i64 = 86_400;

/// What became of one message, over restarts.
pub(super) async fn show(
    State(api): State<Api>,
    Path(mts_id): Path<String>,
    query: Query,
) -> Answer<Tracking> {
    query.only(&[])?;
    let tracking = api.handle.track(&mts_id).await?;
    if tracking.items.is_empty() {
        return Err(ApiError::not_found(
            format!("nothing is known of `{mts_id}`"),
            "it was never here, or longer ago than `tracking_days` and `tracking_entries` of [mta] allow, or tracking was off",
        ));
    }
    Ok(Json(tracking))
}

/// What happened between two times, the newest hours first.
pub(super) async fn search(State(api): State<Api>, query: Query) -> Answer<Page<Tracked>> {
    let query = query.only(&["find", "connector", "event", "since", "until", "limit", "after"])?;
    let time = |name: &str| -> Result<Option<WallTime>, ApiError> {
        let Some(text) = query.one(name)? else { return Ok(None) };
        time_text::parse(text).map(Some).ok_or_else(|| {
            ApiError::bad_request(
                format!("{name} `{text}` is not a time"),
                "write it as in 2026-12-24T18:00:00Z",
            )
        })
    };
    let until = time("until")?.or_else(|| time_text::parse(&api.handle.now()));
    let until = until.unwrap_or(WallTime::from_unix(i64::MAX));
    let since = time("since")?.unwrap_or_else(|| until.plus_seconds(-DAY_S));
    let find = query.one("find")?.map(str::to_lowercase);
    let (connector, event) = (query.one("connector")?, query.one("event")?);
    let wanted = |record: &TrackRecord| {
        connector.is_none_or(|name| record.connector.as_deref() == Some(name))
            && event.is_none_or(|name| super::console::name_of(record.event) == name)
            && find.as_deref().is_none_or(|part| has(record, part))
    };
    let span = TrackingSpan { since, until };
    let page = api.handle.search_tracking(span, query.one("after")?, query.limit()?, wanted).await?;
    let TrackingPage { items, next } = page;
    Ok(Json(Page { items, next }))
}

/// Whether identifier, originator or a recipient contains this, in lower case.
fn has(record: &TrackRecord, part: &str) -> bool {
    let texts = [&record.mts_identifier].into_iter().chain(&record.originator).chain(&record.recipients);
    texts.chain(&record.subject).any(|text| text.to_lowercase().contains(part))
}
