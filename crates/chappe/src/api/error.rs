//! Failures of the API: a status and two sentences, as JSON.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use runtime::AdminError;
use spool::SpoolError;

use crate::model::{ErrorBody, ErrorText};

/// A request failed.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    text: ErrorText,
    retry_after: Option<Duration>,
}

impl ApiError {
    /// A failure with this status: what failed, and why.
    pub(crate) fn new(status: StatusCode, what: impl Into<String>, why: impl Into<String>) -> Self {
        ApiError { status, text: ErrorText { what: what.into(), why: why.into() }, retry_after: None }
    }

    /// When it may be tried again.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        ApiError { retry_after: Some(wait), ..self }
    }

    /// Its status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The request is wrong in itself.
    pub(crate) fn bad_request(what: impl Into<String>, why: impl Into<String>) -> Self {
        ApiError::new(StatusCode::BAD_REQUEST, what, why)
    }

    /// What it names is not there.
    pub(crate) fn not_found(what: impl Into<String>, why: impl Into<String>) -> Self {
        ApiError::new(StatusCode::NOT_FOUND, what, why)
    }

    /// It can't be done to this as it is now.
    pub(crate) fn conflict(what: impl Into<String>, why: impl Into<String>) -> Self {
        ApiError::new(StatusCode::CONFLICT, what, why)
    }

    /// The service failed.
    pub(crate) fn internal(what: impl Into<String>, why: impl Into<String>) -> Self {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, what, why)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!("API: {}: {}", self.text.what, self.text.why);
        }
        let mut response = (self.status, Json(ErrorBody { error: self.text })).into_response();
        if let Some(wait) = self.retry_after {
            let seconds = HeaderValue::from(wait.as_secs().saturating_add(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<AdminError> for ApiError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::NoSuchConnector(name) => ApiError::not_found(
                format!("there is no connector `{name}`"),
                "`chappe connector list` names those that are configured",
            ),
            AdminError::NoSuchMessage(reference) => ApiError::not_found(
                format!("no message `{reference}` is in any queue"),
                "it was never here, or was transferred or delivered already",
            ),
            AdminError::NotQuarantined(number) => ApiError::not_found(
                format!("nothing of number {number} that can be used is in quarantine"),
                "`chappe quarantine list` shows what is there",
            ),
            AdminError::NoSuchPlace(place) => ApiError::bad_request(
                format!("after `{place}` is no place in the list"),
                "give what the page before named",
            ),
            AdminError::Frozen(name) => {
                ApiError::conflict(format!("the queue of {name} is frozen"), "thaw it first")
            }
            AdminError::OpensNothing(name, what) => ApiError::conflict(
                format!("{name} opens no associations"),
                format!("it is {what}; what waits is sent when the peer has connected, or is moved"),
            ),
            AdminError::Commit(error) => {
                ApiError::internal("the message store does not take a change", error.to_string())
            }
            AdminError::Store(error) => error.into(),
            AdminError::Record(error) => {
                ApiError::internal("a stored record can't be understood", error.to_string())
            }
        }
    }
}

impl From<SpoolError> for ApiError {
    fn from(error: SpoolError) -> Self {
        ApiError::internal("the message store failed", error.to_string())
    }
}
