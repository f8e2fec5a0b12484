//! Queues, messages on their way, connectors, associations, routes and events.

use agent::{RouteDecision, RouteQuestion};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mhs::OrAddress;
use runtime::{
    AssociationStatus, ConnectorStatus, Event, MessagePage, MonitorStatus, MtaInfo, MtaStatus, QueueStatus,
    QueuedMessage, ResourceStatus, Selection,
};

use super::error::ApiError;
use super::gate::Caller;
use super::operations::{SELECTION, selection};
use super::query::{Query, address};
use super::{Answer, Api};
use crate::model::{Connecting, Page, Route};

/// A list that is never long: connectors are configured, associations limited.
fn whole<T>(items: Vec<T>) -> Json<Page<T>> {
    Json(Page { items, next: None })
}

pub(super) async fn info(State(api): State<Api>, query: Query) -> Answer<MtaInfo> {
    query.only(&[])?;
    Ok(Json(api.handle.info()))
}

pub(super) async fn status(State(api): State<Api>, query: Query) -> Answer<MtaStatus> {
    query.only(&[])?;
    Ok(Json(api.handle.status()))
}

pub(super) async fn resources(State(api): State<Api>, query: Query) -> Answer<ResourceStatus> {
    query.only(&[])?;
    Ok(Json(api.handle.resources()))
}

pub(super) async fn queues(State(api): State<Api>, query: Query) -> Answer<Page<QueueStatus>> {
    query.only(&[])?;
    Ok(whole(api.handle.queues().await?))
}

pub(super) async fn queue(
    State(api): State<Api>,
    Path(connector): Path<String>,
    query: Query,
) -> Answer<Page<QueuedMessage>> {
    let query = query.only(&["limit", "after"])?;
    let selection = Selection::queue(&connector);
    let MessagePage { items, next } =
        api.handle.messages(&selection, query.one("after")?, query.limit()?).await?;
    Ok(Json(Page { items, next }))
}

/// All queues one after the other, or what is selected of them.
pub(super) async fn messages(State(api): State<Api>, query: Query) -> Answer<Page<QueuedMessage>> {
    let query = query.only(&[&SELECTION[..], &["limit", "after"]].concat())?;
    let selection = selection(&query)?;
    let MessagePage { items, next } =
        api.handle.messages(&selection, query.one("after")?, query.limit()?).await?;
    Ok(Json(Page { items, next }))
}

/// Every copy of one message.
pub(super) async fn message(
    State(api): State<Api>,
    Path(reference): Path<String>,
    query: Query,
) -> Answer<Page<QueuedMessage>> {
    query.only(&[])?;
    let copies = api.handle.message(&reference).await?;
    if copies.is_empty() {
        return Err(ApiError::not_found(
            format!("no message `{reference}` is in any queue"),
            "it was never here, or was transferred or delivered already",
        ));
    }
    Ok(whole(copies))
}

pub(super) async fn connectors(State(api): State<Api>, query: Query) -> Answer<Page<ConnectorStatus>> {
    query.only(&[])?;
    Ok(whole(api.handle.connectors()))
}

pub(super) async fn connector(
    State(api): State<Api>,
    Path(name): Path<String>,
    query: Query,
) -> Answer<ConnectorStatus> {
    query.only(&[])?;
    let found = api.handle.connectors().into_iter().find(|connector| connector.name == name);
    found.map(Json).ok_or_else(|| runtime::AdminError::NoSuchConnector(name).into())
}

pub(super) async fn connect(
    State(api): State<Api>,
    Path(name): Path<String>,
    caller: Caller,
    query: Query,
) -> Result<(StatusCode, Json<Connecting>), ApiError> {
    query.only(&[])?;
    api.handle.connect(&name, &caller.who).await?;
    Ok((StatusCode::ACCEPTED, Json(Connecting { connector: name })))
}

pub(super) async fn monitors(State(api): State<Api>, query: Query) -> Answer<Page<MonitorStatus>> {
    query.only(&[])?;
    Ok(whole(api.handle.monitors()))
}

pub(super) async fn monitor(
    State(api): State<Api>,
    Path(name): Path<String>,
    query: Query,
) -> Answer<MonitorStatus> {
    query.only(&[])?;
    let found = api.handle.monitors().into_iter().find(|monitor| monitor.name == name);
    let missing = || {
        ApiError::not_found(format!("there is no link monitor `{name}`"), "GET /api/v1/monitors lists them")
    };
    found.map(Json).ok_or_else(missing)
}

pub(super) async fn associations(State(api): State<Api>, query: Query) -> Answer<Page<AssociationStatus>> {
    query.only(&[])?;
    Ok(whole(api.handle.associations()))
}

/// A question about a message that is not there.
pub(super) struct RouteRequest {
    pub(super) to: OrAddress,
    pub(super) incoming: Option<String>,
    originator: Option<OrAddress>,
    content_length: u64,
}

impl RouteRequest {
    pub(super) fn read(query: Query) -> Result<RouteRequest, ApiError> {
        let query = query.only(&["to", "incoming", "originator", "size_kb"])?;
        let to = query.one("to")?.ok_or_else(|| {
            ApiError::bad_request("`to` is missing", "give the O/R address of a recipient as `to`")
        })?;
        let size_kb = match query.one("size_kb")? {
            None => 0,
            Some(text) => text.parse::<u64>().map_err(|_| {
                ApiError::bad_request(
                    format!("`size_kb` = {text} is no number"),
                    "give the length of the content in KB",
                )
            })?,
        };
        Ok(RouteRequest {
            to: address(to, "to")?,
            incoming: query.one("incoming")?.map(str::to_owned),
            originator: query.one("originator")?.map(|text| address(text, "originator")).transpose()?,
            content_length: size_kb.saturating_mul(1024),
        })
    }

    pub(super) fn question(&self) -> RouteQuestion<'_> {
        RouteQuestion {
            incoming: self.incoming.as_deref(),
            originator: self.originator.as_ref(),
            content_length: self.content_length,
        }
    }
}

pub(super) async fn route(State(api): State<Api>, query: Query) -> Answer<Route> {
    let request = RouteRequest::read(query)?;
    if let Some(name) = &request.incoming
        && !api.handle.settings(|settings| settings.connector(name).is_some())
    {
        return Err(ApiError::not_found(
            format!("there is no connector {name}"),
            "see `chappe connector list`",
        ));
    }
    Ok(Json(told(&request.to, api.handle.route(&request.to, request.question()))))
}

/// A route in the words of the API.
pub(super) fn told(to: &OrAddress, route: agent::Route) -> Route {
    let (decision, connectors, summary) = match route.decision {
        // The mailbox's key is for the store; people know the address.
        RouteDecision::Local { .. } => {
            ("local", Vec::new(), format!("delivered here to mailbox {}", route.recipient))
        }
        RouteDecision::List { members } => (
            "list",
            Vec::new(),
            format!("sent to the {members} members of distribution list {}", route.recipient),
        ),
        RouteDecision::Connectors(names) => {
            let summary = match names.split_first() {
                Some((first, [])) => format!("transferred over connector {first}"),
                Some((first, rest)) => {
                    format!(
                        "transferred over connector {first}; if that fails, over {}",
                        rest.join(", then ")
                    )
                }
                None => "no connector".to_owned(),
            };
            ("connector", names, summary)
        }
        RouteDecision::Unknown(failure) => ("unknown", Vec::new(), format!("non-delivered: {failure}")),
    };
    Route { address: to.to_string(), decision: decision.to_owned(), connectors, steps: route.steps, summary }
}

pub(super) async fn events(State(api): State<Api>, query: Query) -> Answer<Page<Event>> {
    let query = query.only(&["after", "limit"])?;
    let after = query.after()?.map_or(0, |number| number.saturating_add(1));
    // The log in memory is bounded, and so is this page without a limit.
    let mut events = api.handle.events(after);
    if query.one("limit")?.is_some() {
        let surplus = events.len().saturating_sub(query.limit()?);
        events.drain(..surplus);
    }
    Ok(whole(events))
}
