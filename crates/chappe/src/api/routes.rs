//! What an entry of the table of requests (`table`) is: what serves it, who may ask, what it takes and answers.
//!
//! The router is made from that table and from nothing else, so there is no request without an entry, and none that the
//! OpenAPI document does not tell.

use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::Api;
use super::parameters::Parameter;
use super::table::ROUTES;
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
    /// What its query may hold.
    pub(super) parameters: &'static [Parameter],
    /// What its body is, if it may have one.
    pub(super) takes: &'static [&'static str],
    /// The status of an answer that is no failure.
    pub(super) status: u16,
    /// What that answer is.
    pub(super) answer: Body,
    pub(super) serve: fn(MethodFilter) -> MethodRouter<Api>,
}

/// The body of an answer.
pub(super) enum Body {
    /// There is none.
    Nothing,
    /// Plain text.
    Text,
    /// Octets of this media type.
    Octets(&'static str),
    /// JSON of this schema.
    Json(fn(&mut SchemaGenerator) -> Schema),
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
const NOTHING: Access = Access::From(Role::Viewer);

/// An answer of JSON, of this type.
pub(super) const fn json<T: JsonSchema>() -> Body {
    Body::Json(schema::<T>)
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
