//! What is in quarantine. Nothing of it is decoded to be shown.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use runtime::{AdminError, QuarantinePage, QuarantineStatus, QuarantinedOctets};

use super::error::ApiError;
use super::gate::Caller;
use super::mailbox::octets_behind;
use super::query::{Query, number};
use super::{Answer, Api};
use crate::model::{OutOfQuarantine, Page};

pub(super) async fn list(State(api): State<Api>, query: Query) -> Answer<Page<QuarantineStatus>> {
    let query = query.only(&["limit", "after"])?;
    let QuarantinePage { items, next } = api.handle.quarantine(query.after()?, query.limit()?).await?;
    Ok(Json(Page { items, next: next.map(|number| number.to_string()) }))
}

/// The MTS-APDU as it is stored.
pub(super) async fn export(
    State(api): State<Api>,
    Path(item): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
    query.only(&[])?;
    let QuarantinedOctets { head, content } = api.handle.quarantined_octets(number(&item, "number")?).await?;
    Ok(match content {
        Some((body, length)) => octets_behind(head, &api.handle, body, 0..length),
        None => ([(header::CONTENT_TYPE, "application/octet-stream")], head).into_response(),
    })
}

pub(super) async fn release(
    State(api): State<Api>,
    item: Path<String>,
    by: Caller,
    query: Query,
) -> Answer<OutOfQuarantine> {
    take_out(&item, query, async |number| api.handle.release_quarantined(number, &by.who).await).await
}

pub(super) async fn delete(
    State(api): State<Api>,
    item: Path<String>,
    by: Caller,
    query: Query,
) -> Answer<OutOfQuarantine> {
    take_out(&item, query, async |number| api.handle.delete_quarantined(number, &by.who).await).await
}

async fn take_out(
    item: &str,
    query: Query,
    how: impl AsyncFnOnce(u64) -> Result<(), AdminError>,
) -> Answer<OutOfQuarantine> {
    query.only(&[])?;
    let number = number(item, "number")?;
    how(number).await?;
    Ok(Json(OutOfQuarantine { number }))
}
