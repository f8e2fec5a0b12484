//! The configuration: looked at, checked, replaced, and asked what it would do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use runtime::ReloadSummary;

use super::admin::{RouteRequest, told};
use super::error::ApiError;
use super::gate::Caller;
use super::query::Query;
use super::{Answer, Api};
use crate::config::ConfigError;
use crate::keeper::{KeepError, Keeper};
use crate::model::{
    ConfigProblem, ConfigReloaded, ConfigReplaced, ConfigText, ConfigVerdict, RouteComparison,
};

/// Longest configuration that is taken.
const MAX_OCTETS: usize = 4 << 20;
/// How long one may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

fn keeper(api: &Api) -> Result<&Arc<Keeper>, ApiError> {
    api.keeper.as_ref().ok_or_else(|| {
        ApiError::not_found(
            "this service has no configuration file",
            "it was started without one, as a demonstration",
        )
    })
}

/// What was read last, without secrets.
pub(super) async fn show(State(api): State<Api>, query: Query) -> Result<impl IntoResponse, ApiError> {
    query.only(&[])?;
    let kept = keeper(&api)?.kept().await?;
    let digest = kept.source.digest();
    let tag = format!("\"{digest}\"");
    let text = kept.source.covered();
    Ok((
        [(header::ETAG, tag)],
        Json(ConfigText { file: kept.file, digest, changed_on_disk: kept.changed_on_disk, text }),
    ))
}

/// What is wrong with a configuration, or what it would change.
pub(super) async fn check(State(api): State<Api>, query: Query, body: Body) -> Answer<ConfigVerdict> {
    query.only(&[])?;
    let keeper = keeper(&api)?;
    match keeper.check(text(body).await?).await {
        Ok(verdict) => Ok(Json(ConfigVerdict {
            ok: true,
            problems: Vec::new(),
            words: verdict.differences.iter().map(ToString::to_string).collect(),
            differences: verdict.differences,
            restart: verdict.restart.into_iter().map(str::to_owned).collect(),
        })),
        Err(KeepError::Config(ConfigError::Invalid { problems, .. })) => {
            let problems = problems.into_iter().map(|problem| ConfigProblem {
                line: problem.line,
                column: problem.column,
                what: problem.what,
                fix: problem.fix,
            });
            Ok(Json(ConfigVerdict { ok: false, problems: problems.collect(), ..ConfigVerdict::default() }))
        }
        Err(error) => Err(error.into()),
    }
}

/// Puts a configuration into force and into the file.
pub(super) async fn replace(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    query: Query,
    body: Body,
) -> Result<impl IntoResponse, ApiError> {
    query.only(&[])?;
    let keeper = keeper(&api)?;
    let digest = headers.get(header::IF_MATCH).and_then(|tag| tag.to_str().ok()).ok_or_else(|| {
        ApiError::new(
            StatusCode::PRECONDITION_REQUIRED,
            "the header If-Match is missing",
            "give the digest of the configuration that was edited, as GET /api/v1/config told it",
        )
    })?;
    let outcome = keeper.replace(text(body).await?, digest.trim().trim_matches('"').to_owned()).await;
    let what = "replace the configuration";
    match outcome {
        Ok((verdict, summary, source)) => {
            let words: Vec<String> = verdict.differences.iter().map(ToString::to_string).collect();
            api.handle.audit("", &caller.who, &format!("{what} ({})", in_short(&words)), None);
            let digest = source.digest();
            let restart = verdict.restart.into_iter().map(str::to_owned).collect();
            let ReloadSummary { added, changed, removed, listens, listens_no_more, outstanding } = summary;
            let (listens, listens_no_more) = (texts(&listens), texts(&listens_no_more));
            let tag = format!("\"{digest}\"");
            let answer = ConfigReplaced {
                digest,
                words,
                restart,
                added,
                changed,
                removed,
                listens,
                listens_no_more,
                outstanding,
            };
            Ok(([(header::ETAG, tag)], Json(answer)))
        }
        Err(error) => {
            api.handle.audit("", &caller.who, what, Some(error.to_string()));
            Err(error.into())
        }
    }
}

/// Reads the file again, as SIGHUP does.
pub(super) async fn reload(State(api): State<Api>, caller: Caller, query: Query) -> Answer<ConfigReloaded> {
    query.only(&[])?;
    let outcome = keeper(&api)?.reload().await;
    let refused = outcome.as_ref().err().map(ToString::to_string);
    api.handle.audit("", &caller.who, "read the configuration again", refused);
    let ReloadSummary { added, changed, removed, listens, listens_no_more, outstanding } = outcome?;
    let (listens, listens_no_more) = (texts(&listens), texts(&listens_no_more));
    Ok(Json(ConfigReloaded { added, changed, removed, listens, listens_no_more, outstanding }))
}

fn texts(addresses: &[SocketAddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

/// Where a message would go now, and where with an edited configuration.
pub(super) async fn what_if_route(
    State(api): State<Api>,
    query: Query,
    body: Body,
) -> Answer<RouteComparison> {
    let request = RouteRequest::read(query)?;
    let keeper = keeper(&api)?;
    let edited = keeper.read(text(body).await?).await?;
    let knows = |settings: &agent::settings::AgentSettings| {
        request.incoming.as_deref().is_none_or(|name| settings.connector(name).is_some())
    };
    let then = knows(&edited.settings).then(|| {
        api.handle.route_under(edited.settings, &request.to, request.question()).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the configuration contradicts itself",
                problems.join("; "),
            )
        })
    });
    let then = then.transpose()?.map(|route| told(&request.to, route));
    let now = api.handle.settings(|settings| knows(settings));
    let now = now.then(|| told(&request.to, api.handle.route(&request.to, request.question())));
    if now.is_none() && then.is_none() {
        let name = request.incoming.unwrap_or_default();
        return Err(ApiError::not_found(
            format!("there is no connector {name}"),
            "see `chappe connector list`",
        ));
    }
    let changed = now != then;
    Ok(Json(RouteComparison { address: request.to.to_string(), changed, now, then }))
}

/// What is different, for an event: not more of it than fits a line.
fn in_short(words: &[String]) -> String {
    const TOLD: usize = 8;
    if words.is_empty() {
        return "no setting is different".to_owned();
    }
    let mut text = words.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join("; ");
    if let Some(more) = words.len().checked_sub(TOLD).filter(|more| *more > 0) {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

/// The body of a request, as text.
pub(super) async fn text(body: Body) -> Result<String, ApiError> {
    let octets = tokio::time::timeout(PATIENCE, to_bytes(body, MAX_OCTETS)).await.map_err(|_| {
        let seconds = PATIENCE.as_secs();
        ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the configuration did not come within {seconds} s"),
            "send it in one go",
        )
    })?;
    let octets = octets.map_err(|error| {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the configuration can't be taken: {error}"),
            format!("it may have {MAX_OCTETS} octets"),
        )
    })?;
    String::from_utf8(octets.into()).map_err(|error| {
        ApiError::bad_request(format!("the configuration is no UTF-8: {error}"), "save it as UTF-8")
    })
}

impl From<KeepError> for ApiError {
    fn from(error: KeepError) -> Self {
        let why = error.to_string();
        match error {
            KeepError::Config(ConfigError::Invalid { problems, .. }) => {
                let lines =
                    problems.iter().map(|p| format!("{}:{}: {}; {}", p.line, p.column, p.what, p.fix));
                ApiError::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "the configuration is wrong, and everything stays as it was",
                    lines.collect::<Vec<_>>().join("\n"),
                )
            }
            KeepError::Config(ConfigError::Unreadable { .. }) => {
                ApiError::conflict("the configuration can't be read, and everything stays as it was", why)
            }
            KeepError::Outdated(_) => ApiError::new(
                StatusCode::PRECONDITION_FAILED,
                "somebody else was faster",
                format!("{why}; look at it again and repeat the edit"),
            ),
            KeepError::ChangedOnDisk(_) => ApiError::new(
                StatusCode::PRECONDITION_FAILED,
                "the file is another one",
                format!(
                    "{why}; have it read again (SIGHUP, or POST /api/v1/config/reload) and repeat the edit"
                ),
            ),
            KeepError::Refused(_) => ApiError::conflict("everything stays as it was", why),
            KeepError::Write { .. } => ApiError::internal(
                "the configuration can't be written, and everything stays as it was",
                format!("{why}; the service needs to write in the directory of its configuration"),
            ),
            KeepError::Died(_) => ApiError::internal("it is not known what became of this", why),
        }
    }
}
