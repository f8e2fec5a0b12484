//! The HTTP API: everything that the commands ask of a running service, as JSON under `/api/v1`.
//!
//! What each request takes and answers is in `docs/api.md`; the JSON itself is in [`crate::model`]. Lists come in
//! pages, bodies are streamed both ways, and nothing here holds a message in memory.

mod admin;
mod delivered;
mod error;
mod guard;
mod mailbox;
mod operations;
mod probe;
mod query;
mod recording;
mod server;
mod submit;

use agent::settings::Secret;
use axum::extract::{DefaultBodyLimit, FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use runtime::Handle;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use error::ApiError;
pub(crate) use operations::OPERATOR;
use query::Query;

/// What every request has at hand.
#[derive(Clone)]
struct Api {
    handle: Handle,
    token: Option<Secret>,
}

/// Serves the API on `listener` until `stop` resolves.
pub(crate) async fn serve(
    listener: TcpListener,
    handle: Handle,
    token: Option<Secret>,
    stop: oneshot::Receiver<()>,
) {
    server::serve(listener, router(Api { handle, token }), stop).await;
}

fn router(api: Api) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/api/v1/info", get(admin::info))
        .route("/api/v1/status", get(admin::status))
        .route("/api/v1/resources", get(admin::resources))
        .route("/api/v1/messages", get(admin::messages).post(submit::submit))
        .route("/api/v1/messages/{reference}", get(admin::message).delete(operations::delete))
        .route("/api/v1/messages/{reference}/{operation}", post(operations::one))
        .route("/api/v1/selection/{operation}", post(operations::selected))
        .route("/api/v1/probes", post(probe::submit))
        .route("/api/v1/queues", get(admin::queues))
        .route("/api/v1/queues/{connector}", get(admin::queue))
        .route("/api/v1/queues/{connector}/freeze", post(operations::freeze))
        .route("/api/v1/queues/{connector}/thaw", post(operations::thaw))
        .route("/api/v1/queues/{connector}/retry", post(operations::retry))
        .route("/api/v1/queues/{connector}/drain", post(operations::drain))
        .route("/api/v1/connectors", get(admin::connectors))
        .route("/api/v1/connectors/{connector}", get(admin::connector))
        .route("/api/v1/connectors/{connector}/connect", post(admin::connect))
        .route("/api/v1/associations", get(admin::associations))
        .route("/api/v1/associations/{number}/recording", get(recording::recording))
        .route("/api/v1/recordings", get(recording::list))
        .route("/api/v1/route", get(admin::route))
        .route("/api/v1/tracking/{mts_id}", get(admin::tracking))
        .route("/api/v1/events", get(admin::events))
        .route("/api/v1/mailboxes", get(mailbox::list))
        .route("/api/v1/mailboxes/{address}", get(mailbox::show))
        .route("/api/v1/mailboxes/{address}/{number}", get(mailbox::entry))
        .route("/api/v1/mailboxes/{address}/{number}/content", get(mailbox::content))
        .route("/api/v1/mailboxes/{address}/{number}/parts/{part}", get(mailbox::part))
        .fallback(|| async {
            ApiError::not_found("there is nothing at this address", "GET / names everything that there is")
        })
        .method_not_allowed_fallback(|| async {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this can't be done here", "GET / names what can")
        })
        .layer(axum::middleware::from_fn_with_state(api.clone(), guard::guard))
        // The one request with a body streams it and has its own limits.
        .layer(DefaultBodyLimit::disable())
        .with_state(api)
}

/// Names everything that there is.
async fn index(State(api): State<Api>) -> impl IntoResponse {
    let info = api.handle.info();
    format!(
        "Chappe {}: MTA {} in {}\n\n\
         GET  /healthz                                      alive\n\
         GET  /readyz                                       accepts messages\n\
         GET  /api/v1/info                                  the MTA and its counters\n\
         GET  /api/v1/status                                whether all is well, and what is not\n\
         GET  /api/v1/resources                             what each connector holds\n\
         POST /api/v1/messages                              submit a message\n\
         POST /api/v1/probes                                submit a probe\n\
         GET  /api/v1/messages                              messages of all queues\n\
         GET  /api/v1/messages/{{number or MTS-identifier}}   copies of one message\n\
         DELETE /api/v1/messages/{{reference}}?report={{bool}}  delete it\n\
         POST /api/v1/messages/{{reference}}/{{operation}}      hold, release, move, priority\n\
         POST /api/v1/selection/{{operation}}                 the same, or delete, to all that is selected\n\
         GET  /api/v1/queues                                queues\n\
         GET  /api/v1/queues/{{connector}}                    messages of one queue\n\
         POST /api/v1/queues/{{connector}}/{{operation}}        freeze, thaw, retry, drain\n\
         GET  /api/v1/connectors                            connectors\n\
         GET  /api/v1/connectors/{{connector}}                one connector\n\
         POST /api/v1/connectors/{{connector}}/connect        connect now\n\
         GET  /api/v1/associations                          associations\n\
         GET  /api/v1/associations/{{number}}/recording       its last TPDUs, as a packet capture\n\
         GET  /api/v1/recordings                            what is recorded\n\
         GET  /api/v1/route?to={{OR}}                         where a message would go\n\
         GET  /api/v1/tracking/{{MTS-identifier}}             what became of a message\n\
         GET  /api/v1/events?after={{number}}&limit={{most}}    newest events\n\
         GET  /api/v1/mailboxes                             mailboxes\n\
         GET  /api/v1/mailboxes/{{OR}}                        messages and reports of one\n\
         GET  /api/v1/mailboxes/{{OR}}/{{number}}               one of these\n\
         GET  /api/v1/mailboxes/{{OR}}/{{number}}/content       its content, octet for octet\n\
         GET  /api/v1/mailboxes/{{OR}}/{{number}}/parts/{{part}}  one body part of it\n",
        info.version, info.name, info.domain
    )
}

/// Whether the service takes on messages. Nobody is answered before peers are listened for.
async fn ready(State(api): State<Api>) -> Result<&'static str, ApiError> {
    if api.handle.is_stopping() {
        let (what, why) = ("no new messages are accepted", "the service is stopping");
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, what, why));
    }
    match api.handle.info().unhealthy {
        None => Ok("ready\n"),
        Some(reason) => {
            Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no new messages are accepted", reason))
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        match query {
            Ok(query) => Ok(Query(query.0)),
            Err(error) => Err(ApiError::bad_request("the query can't be understood", error.body_text())),
        }
    }
}

/// An answer of JSON, or a failure.
type Answer<T> = Result<Json<T>, ApiError>;
