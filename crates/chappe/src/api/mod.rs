//! The HTTP API: everything that the commands ask of a running service, as JSON under `/api/v1`.
//!
//! What each request takes and answers is in `docs/api.md`; the JSON itself is in [`crate::model`]. Lists come in
//! pages, bodies are streamed both ways, and nothing here holds a message in memory.

mod admin;
mod config;
mod console;
mod delivered;
mod envelope;
mod error;
mod form;
mod front;
mod gate;
mod guard;
mod login;
mod mailbox;
mod metrics;
mod openapi;
mod operations;
mod paces;
mod parameters;
mod patience;
mod pieces;
mod probe;
mod quarantine;
mod query;
mod recording;
mod routes;
mod server;
mod sessions;
mod settings;
mod site;
mod stream;
mod submit;
mod table;
mod tracking;

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::{Json, Router};
use runtime::Handle;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use error::ApiError;
pub(crate) use front::{Front, FrontError, listen};
pub(crate) use gate::{Gate, OPERATOR};
use query::Query;
use routes::Route;
use site::Site;
use stream::Hub;
use table::ROUTES;

use crate::keeper::Keeper;

/// What every request has at hand.
#[derive(Clone)]
struct Api {
    handle: Handle,
    gate: Arc<Gate>,
    site: Site,
    hub: Arc<Hub>,
    /// Of a service that has a configuration file.
    keeper: Option<Arc<Keeper>>,
}

/// Serves the API on `listener`, to those whom `gate` lets in, until `stop` resolves. Without a `keeper` there is no
/// configuration to look at or to change. `let_go` is told when nothing more is accepted.
pub(crate) async fn serve(
    listener: Arc<TcpListener>,
    handle: Handle,
    gate: Arc<Gate>,
    keeper: Option<Arc<Keeper>>,
    stop: oneshot::Receiver<()>,
    let_go: oneshot::Sender<()>,
) {
    // Neither whether TLS is spoken nor whether tokens are asked for changes while the listener is there.
    let site = Site::new(listener.local_addr().ok(), gate.tls().is_some(), !gate.has_tokens());
    let is_secure = site.is_secure;
    let hub = Arc::new(Hub::new(handle.clone()));
    let (end, ended) = oneshot::channel();
    let ending = async {
        // Whoever would give the word is gone, which ends it as well.
        let _ = stop.await;
        // Streams never end by themselves.
        hub.close();
        let _ = end.send(());
    };
    let api = Api { handle, gate: Arc::clone(&gate), site, hub: Arc::clone(&hub), keeper };
    tokio::join!(server::serve(listener, router(api), &gate, is_secure, ended, let_go), ending);
}

fn router(api: Api) -> Router {
    let routes = ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, route.service()));
    routes
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
    let mut text = format!("Chappe {}: MTA {} in {}\n\n", info.version, info.name, info.domain);
    for Route { verb, path, access, about, .. } in ROUTES {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:<6} {path:<52} {:<13} {about}", verb.name(), access.name());
    }
    text
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
