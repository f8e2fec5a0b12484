//! Everything that the API can be asked, in one table: what serves it, and who may ask.
//!
//! The router is made from this table and from nothing else, so there is no request without an entry here.

use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::{
    Api, admin, config, console, envelope, index, login, mailbox, operations, probe, quarantine, ready,
    recording, settings, stream, submit, tracking,
};
use crate::roles::Role;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    pub(super) fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Delete => "DELETE",
        }
    }

    fn filter(self) -> MethodFilter {
        match self {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Put => MethodFilter::PUT,
            Verb::Delete => MethodFilter::DELETE,
        }
    }

    /// Whether a request with this method is one. Who may have an answer may have its head.
    fn is(self, method: &Method) -> bool {
        method.as_str() == self.name() || (self == Verb::Get && *method == Method::HEAD)
    }
}

/// Who may make a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody, without a token.
    Everyone,
    /// Who has this role, or one that may do more.
    From(Role),
}

impl Access {
    /// The role that it takes.
    pub(super) fn name(self) -> &'static str {
        match self {
            Access::Everyone => "everyone",
            Access::From(role) => role.name(),
        }
    }
}

/// One request.
pub(super) struct Route {
    pub(super) verb: Verb,
    pub(super) path: &'static str,
    pub(super) access: Access,
    /// What it is for, in a few words.
    pub(super) about: &'static str,
    serve: fn(MethodFilter) -> MethodRouter<Api>,
}

impl Route {
    /// What serves it.
    pub(super) fn service(&self) -> MethodRouter<Api> {
        (self.serve)(self.verb.filter())
    }
}

/// Who may make the request `method` on the route `path`.
pub(super) fn access(method: &Method, path: Option<&str>) -> Access {
    let found = ROUTES.iter().find(|route| Some(route.path) == path && route.verb.is(method));
    found.map_or(NOTHING, |route| route.access)
}

/// Who may learn that there is no such request.
const NOTHING: Access = VIEWER;
const VIEWER: Access = Access::From(Role::Viewer);
const OPERATOR: Access = Access::From(Role::Operator);
const ADMINISTRATOR: Access = Access::From(Role::Administrator);

macro_rules! routes {
    ($($verb:ident $path:literal, $access:expr, $handler:expr, $about:literal;)*) => {
        &[$(Route {
            verb: Verb::$verb,
            path: $path,
            access: $access,
            about: $about,
            serve: |verb| on(verb, $handler),
        }),*]
    };
}

/// All of them.
pub(super) const ROUTES: &[Route] = routes! {
    Get "/", VIEWER, index, "this list";
    Get "/console", Access::Everyone, console::entrance, "leads to the console";
    Get "/console/", Access::Everyone, console::index, "the console, for a browser";
    Get "/console/{*file}", Access::Everyone, console::file, "its files";
    Get "/healthz", Access::Everyone, || async { "ok\n" }, "alive";
    Get "/readyz", Access::Everyone, ready, "accepts messages";
    Get "/api/v1/session", VIEWER, login::show, "who you are";
    Post "/api/v1/session", VIEWER, login::begin, "a cookie in place of the token";
    Delete "/api/v1/session", VIEWER, login::end, "log out";
    Get "/api/v1/info", VIEWER, admin::info, "the MTA and its counters";
    Get "/api/v1/status", VIEWER, admin::status, "whether all is well, and what is not";
    Get "/api/v1/resources", VIEWER, admin::resources, "what each connector holds";
    Post "/api/v1/messages", OPERATOR, submit::submit, "submit a message";
    Post "/api/v1/probes", OPERATOR, probe::submit, "submit a probe";
    Get "/api/v1/messages", VIEWER, admin::messages, "messages of all queues";
    Get "/api/v1/messages/{reference}", VIEWER, admin::message, "copies of one message";
    Get "/api/v1/messages/{reference}/envelope", VIEWER, envelope::envelope, "its envelope, and the way it has come";
    Get "/api/v1/messages/{reference}/content", OPERATOR, envelope::content, "its content, octet for octet";
    Delete "/api/v1/messages/{reference}", OPERATOR, operations::delete, "delete it";
    Post "/api/v1/messages/{reference}/{operation}", OPERATOR, operations::one, "hold, release, move, priority";
    Post "/api/v1/selection/{operation}", OPERATOR, operations::selected, "the same, or delete, to all that is selected";
    Get "/api/v1/queues", VIEWER, admin::queues, "queues";
    Get "/api/v1/queues/{connector}", VIEWER, admin::queue, "messages of one queue";
    Post "/api/v1/queues/{connector}/freeze", OPERATOR, operations::freeze, "transfer nothing from it";
    Post "/api/v1/queues/{connector}/thaw", OPERATOR, operations::thaw, "transfer from it again";
    Post "/api/v1/queues/{connector}/retry", OPERATOR, operations::retry, "try all of it now";
    Post "/api/v1/queues/{connector}/drain", OPERATOR, operations::drain, "route all of it elsewhere";
    Get "/api/v1/quarantine", VIEWER, quarantine::list, "what could not be dealt with, and why";
    Get "/api/v1/quarantine/{number}", OPERATOR, quarantine::export, "its octets";
    Delete "/api/v1/quarantine/{number}", OPERATOR, quarantine::delete, "delete it for good";
    Post "/api/v1/quarantine/{number}/release", OPERATOR, quarantine::release, "try it again";
    Get "/api/v1/connectors", VIEWER, admin::connectors, "connectors";
    Get "/api/v1/connectors/{connector}", VIEWER, admin::connector, "one connector";
    Get "/api/v1/connectors/{connector}/settings", VIEWER, settings::settings, "its settings";
    Post "/api/v1/connectors/{connector}/connect", OPERATOR, admin::connect, "connect now";
    Get "/api/v1/associations", VIEWER, admin::associations, "associations";
    Get "/api/v1/associations/{number}/recording", OPERATOR, recording::recording, "its last TPDUs, as a packet capture";
    Get "/api/v1/associations/{number}/ladder", OPERATOR, recording::ladder, "the same, TPDU by TPDU and layer by layer";
    Get "/api/v1/recordings", VIEWER, recording::list, "what is recorded";
    Get "/api/v1/monitors", VIEWER, admin::monitors, "link monitors";
    Get "/api/v1/monitors/{monitor}", VIEWER, admin::monitor, "one link monitor";
    Get "/api/v1/route", VIEWER, admin::route, "where a message would go";
    Post "/api/v1/what-if/route", ADMINISTRATOR, config::what_if_route, "the same under an edited configuration";
    Get "/api/v1/config", ADMINISTRATOR, config::show, "the configuration, without secrets";
    Put "/api/v1/config", ADMINISTRATOR, config::replace, "replace it";
    Post "/api/v1/config/check", ADMINISTRATOR, config::check, "what is wrong with another one, or different";
    Post "/api/v1/config/reload", ADMINISTRATOR, config::reload, "read the file again";
    Get "/api/v1/tracking", VIEWER, tracking::search, "what happened of late, searched";
    Get "/api/v1/tracking/{mts_id}", VIEWER, tracking::show, "what became of a message";
    Get "/api/v1/events", VIEWER, admin::events, "newest events";
    Get "/api/v1/event-kinds", VIEWER, console::event_kinds, "what each kind means, and what to do";
    Get "/api/v1/stream", VIEWER, stream::stream, "all at a glance, live (server-sent events)";
    Get "/api/v1/mailboxes", VIEWER, mailbox::list, "mailboxes";
    Get "/api/v1/mailboxes/{address}", OPERATOR, mailbox::show, "messages and reports of one";
    Get "/api/v1/mailboxes/{address}/{number}", OPERATOR, mailbox::entry, "one of these";
    Get "/api/v1/mailboxes/{address}/{number}/content", OPERATOR, mailbox::content, "its content, octet for octet";
    Get "/api/v1/mailboxes/{address}/{number}/parts/{part}", OPERATOR, mailbox::part, "one body part of it";
};
