//! What an operator does to queues and messages.
//!
//! An operation on many goes page by page like a list: each request does a part and names where to go on.

use agent::Operation;
use agent::record::Rank;
use axum::Json;
use axum::extract::{Path, State};
use mhs::AddressPattern;
use runtime::{AdminError, CopyState, Outcome, Performed, Selection};

use super::error::ApiError;
use super::gate::Caller;
use super::query::{Query, number};
use super::submit::one_of;
use super::{Answer, Api};
use crate::model::{Operated, OperatedCopy, QueueChange};

/// What may be selected by.
pub(super) const SELECTION: [&str; 6] = ["queue", "from", "to", "older_than_s", "priority", "state"];
/// What the query selects.
pub(super) fn selection(query: &Query) -> Result<Selection, ApiError> {
    let pattern = |name: &str| -> Result<Option<AddressPattern>, ApiError> {
        let Some(text) = query.one(name)? else { return Ok(None) };
        let parsed = AddressPattern::parse(text);
        parsed.map(Some).map_err(|error| ApiError::bad_request(format!("{name} `{text}`"), error.to_string()))
    };
    let state = |text: &str| {
        let states = CopyState::ALL.into_iter();
        // A blank is hard to write in a query and on a command line.
        let found = states.into_iter().find(|state| state.name().replace(' ', "-") == text);
        found.ok_or_else(|| one_of("state", "waiting, retry, in-transfer, deferred, pending-reroute, held"))
    };
    Ok(Selection {
        queue: query.one("queue")?.map(str::to_owned),
        originator: pattern("from")?,
        recipient: pattern("to")?,
        older_than_s: query.one("older_than_s")?.map(|text| number(text, "older_than_s")).transpose()?,
        priority: query.one("priority")?.map(|text| rank(text, "priority")).transpose()?,
        state: query.one("state")?.map(state).transpose()?,
    })
}

fn rank(text: &str, name: &str) -> Result<Rank, ApiError> {
    match text {
        "urgent" => Ok(Rank::Urgent),
        "normal" => Ok(Rank::Normal),
        "non-urgent" => Ok(Rank::NonUrgent),
        _ => Err(one_of(name, "urgent, normal, non-urgent")),
    }
}

/// Parameters of an operation, by its name; `None` if there is none of this name.
fn parameters(operation: &str) -> Option<&'static [&'static str]> {
    match operation {
        "delete" => Some(&["report"]),
        "hold" | "release" => Some(&[]),
        "move" => Some(&["connector"]),
        "priority" => Some(&["set"]),
        _ => None,
    }
}

fn operation(name: &str, query: &Query) -> Result<Operation, ApiError> {
    let needed = |parameter: &str| {
        let missing = ApiError::bad_request(format!("`{parameter}` is missing"), "GET / names what there is");
        Ok::<_, ApiError>(query.one(parameter)?.ok_or(missing)?.to_owned())
    };
    match name {
        "delete" => {
            // Who says nothing gets what loses nothing: the originator hears of it.
            let report = query.one("report")?.is_none() || query.flag("report")?;
            Ok(Operation::Delete { report })
        }
        "hold" => Ok(Operation::Hold),
        "release" => Ok(Operation::Release),
        "move" => Ok(Operation::Move { to: needed("connector")? }),
        "priority" => Ok(Operation::Priority(rank(&needed("set")?, "set")?)),
        _ => Err(no_such_operation(name)),
    }
}

fn no_such_operation(name: &str) -> ApiError {
    ApiError::not_found(
        format!("there is no operation `{name}`"),
        "there are delete, hold, release, move, priority",
    )
}

fn performed(query: &Query) -> Result<Performed, ApiError> {
    Ok(if query.flag("dry_run")? { Performed::Not } else { Performed::Really })
}

fn answer(items: Vec<Outcome>, next: Option<String>, performed: Performed) -> Json<Operated> {
    let items = items.into_iter().map(|Outcome { message, refused }| OperatedCopy {
        number: message.number,
        queue: message.queue,
        kind: message.kind.to_owned(),
        mts_id: message.mts_id,
        originator: message.originator,
        recipient: message.recipients.into_iter().next(),
        done: refused.is_none(),
        why: refused,
    });
    Json(Operated { items: items.collect(), next, dry_run: performed == Performed::Not })
}

/// The requests for each operation, which differ in its name.
macro_rules! operations {
    ($($one:ident, $selected:ident = $name:literal;)*) => {$(
        pub(super) async fn $one(
            api: State<Api>,
            reference: Path<String>,
            caller: Caller,
            query: Query,
        ) -> Answer<Operated> {
            one(api, reference, $name, caller, query).await
        }

        pub(super) async fn $selected(api: State<Api>, caller: Caller, query: Query) -> Answer<Operated> {
            selected(api, $name, caller, query).await
        }
    )*};
}

operations! {
    delete_one, delete_selected = "delete";
    hold_one, hold_selected = "hold";
    release_one, release_selected = "release";
    move_one, move_selected = "move";
    priority_one, priority_selected = "priority";
}

/// Does something to every copy of one message.
async fn one(
    State(api): State<Api>,
    Path(reference): Path<String>,
    name: &str,
    Caller { who: by, .. }: Caller,
    query: Query,
) -> Answer<Operated> {
    let own = parameters(name).ok_or_else(|| no_such_operation(name))?;
    let query = query.only(&[own, &["dry_run"]].concat())?;
    let (operation, performed) = (operation(name, &query)?, performed(&query)?);
    let outcomes = api.handle.operate(&reference, &operation, performed, &by).await?;
    let refused: Vec<&str> = outcomes.iter().filter_map(|outcome| outcome.refused.as_deref()).collect();
    if refused.len() == outcomes.len() {
        let what = format!("message `{reference}` is as it was");
        return Err(ApiError::conflict(what, refused.join("; ")));
    }
    Ok(answer(outcomes, None, performed))
}

/// Does something to a part of what is selected.
async fn selected(
    State(api): State<Api>,
    name: &str,
    Caller { who: by, .. }: Caller,
    query: Query,
) -> Answer<Operated> {
    let own = parameters(name).ok_or_else(|| no_such_operation(name))?;
    let common = ["limit", "after", "dry_run", "all"];
    let query = query.only(&[&SELECTION[..], own, &common].concat())?;
    let (operation, performed) = (operation(name, &query)?, performed(&query)?);
    if !query.flag("all")? && SELECTION.iter().all(|name| query.all(name).next().is_none()) {
        return Err(ApiError::bad_request(
            "nothing is selected",
            format!("give one of {}, or all=true", SELECTION.join(", ")),
        ));
    }
    let (selection, after, limit) = (selection(&query)?, query.one("after")?, query.limit()?);
    let page = api.handle.operate_on(&selection, &operation, performed, after, limit, &by).await?;
    Ok(answer(page.items, page.next, performed))
}

/// Has a part of a queue routed again without its connector.
pub(super) async fn drain(
    State(api): State<Api>,
    Path(connector): Path<String>,
    Caller { who: by, .. }: Caller,
    query: Query,
) -> Answer<Operated> {
    let query = query.only(&["limit", "after", "dry_run"])?;
    let (after, limit, performed) = (query.one("after")?, query.limit()?, performed(&query)?);
    let selection = Selection::queue(&connector);
    let page = api.handle.operate_on(&selection, &Operation::Reroute, performed, after, limit, &by).await?;
    Ok(answer(page.items, page.next, performed))
}

pub(super) async fn freeze(
    State(api): State<Api>,
    Path(connector): Path<String>,
    caller: Caller,
    query: Query,
) -> Answer<QueueChange> {
    query.only(&[])?;
    changed(api.handle.freeze(&connector, &caller.who).await, connector)
}

pub(super) async fn thaw(
    State(api): State<Api>,
    Path(connector): Path<String>,
    caller: Caller,
    query: Query,
) -> Answer<QueueChange> {
    query.only(&[])?;
    changed(api.handle.thaw(&connector, &caller.who).await, connector)
}

pub(super) async fn retry(
    State(api): State<Api>,
    Path(connector): Path<String>,
    caller: Caller,
    query: Query,
) -> Answer<QueueChange> {
    query.only(&[])?;
    changed(api.handle.retry(&connector, &caller.who).await.map(|()| true), connector)
}

fn changed(outcome: Result<bool, AdminError>, connector: String) -> Answer<QueueChange> {
    Ok(Json(QueueChange { connector, changed: outcome? }))
}
