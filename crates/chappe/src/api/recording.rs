//! What the flight recorder has.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use runtime::RecordingStatus;

use super::error::ApiError;
use super::query::{Query, number};
use super::{Answer, Api};
use crate::ladder::page::{Part, Place, page};
use crate::ladder::{LadderPage, of_recording};
use crate::model::Page;

/// Type of a packet capture, as registered by those who make them.
const PCAP: &str = "application/vnd.tcpdump.pcap";

/// Every recording; their number is limited.
pub(super) async fn list(State(api): State<Api>, query: Query) -> Answer<Page<RecordingStatus>> {
    query.only(&[])?;
    Ok(Json(Page { items: api.handle.recordings(), next: None }))
}

/// The recording of one association. It is as long as the recorder's memory at most.
pub(super) async fn recording(
    State(api): State<Api>,
    Path(association): Path<String>,
    query: Query,
) -> Result<impl IntoResponse, ApiError> {
    query.only(&[])?;
    let association = number(&association, "association")?;
    match api.handle.recording(association) {
        Some(capture) => Ok(([(header::CONTENT_TYPE, PCAP)], capture)),
        None => Err(not_recorded(association)),
    }
}

/// The same, taken apart. It takes all of the recording to tell what one TPDU of it is; the page is cut out of that.
pub(super) async fn ladder(
    State(api): State<Api>,
    Path(association): Path<String>,
    query: Query,
) -> Answer<LadderPage> {
    let query = query.only(&["limit", "after", "before"])?;
    let association = number(&association, "association")?;
    let limit = query.limit()?;
    let part = match (query.one("after")?, query.one("before")?) {
        (None, None) => Part::Newest,
        (Some(after), None) => Part::After(place(after, "after")?),
        (None, Some(before)) => Part::Before(place(before, "before")?),
        (Some(_), Some(_)) => {
            return Err(ApiError::bad_request("`after` and `before` are both given", "give one of them"));
        }
    };
    let recorded = api.handle.recorded(association);
    if recorded.is_empty() {
        return Err(not_recorded(association));
    }
    let decoded =
        tokio::task::spawn_blocking(move || page(recorded.iter().map(of_recording).collect(), part, limit));
    let page = decoded.await.map_err(|error| {
        ApiError::internal(
            "the recording could not be taken apart",
            format!("{error}; this is a fault of Chappe"),
        )
    })?;
    Ok(Json(page))
}

fn place(text: &str, what: &str) -> Result<Place, ApiError> {
    Place::parse(text).ok_or_else(|| {
        ApiError::bad_request(
            format!("{what} `{text}` is no place in a ladder"),
            "give the `place` of a step",
        )
    })
}

fn not_recorded(association: u64) -> ApiError {
    ApiError::not_found(
        format!("there is no recording of association {association}"),
        "its place was needed for newer ones, the recorder is off ([recorder] in the configuration), or there was \
         no such association; `chappe association recordings` lists what there is",
    )
}
