//! What the flight recorder has.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use runtime::RecordingStatus;

use super::error::ApiError;
use super::query::{Query, number};
use super::{Answer, Api};
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
        None => Err(ApiError::not_found(
            format!("there is no recording of association {association}"),
            "its place was needed for newer ones, the recorder is off ([recorder] in the configuration), or there was \
             no such association; `chappe association recordings` lists what there is",
        )),
    }
}
