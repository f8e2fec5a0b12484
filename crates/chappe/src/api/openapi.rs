//! The description of the API in OpenAPI 3.1, made from the table of routes and the types of the answers.
//!
//! `docs/openapi.json` is this document; a test tells when it is not.

use axum::http::header;
use axum::response::IntoResponse;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::parameters::in_path;
use super::query::Query;
use super::routes::{Access, Body, Route};
use super::table::ROUTES;
use crate::model::ErrorBody;

/// The document.
pub(super) async fn document(query: Query) -> Result<impl IntoResponse, ApiError> {
    query.only(&[])?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text()))
}

/// The document as it is served, and kept in `docs`.
fn text() -> String {
    format!("{:#}\n", whole())
}

fn whole() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let failure = json!({
        "description": "It was not done; what, and why",
        "content": { "application/json": { "schema": generator.subschema_for::<ErrorBody>() } },
    });
    let mut paths = Map::new();
    for route in ROUTES {
        let path = route.path.replace("{*", "{");
        let entry = paths.entry(path).or_insert_with(|| json!({}));
        let answer = match &route.answer {
            Body::Nothing => json!({ "description": "done" }),
            Body::Text => content("text/plain", &json!({ "type": "string" })),
            Body::Octets(kind) => content(kind, &json!({})),
            Body::Json(schema) => content("application/json", schema(&mut generator).as_value()),
        };
        let mut operation = json!({
            "operationId": identifier(route),
            "summary": route.about,
            "parameters": parameters(route),
            "responses": { route.status.to_string(): answer, "default": failure },
            "x-role": route.access.name(),
        });
        if let Some(fields) = operation.as_object_mut() {
            if let Some(what) = route.takes.first() {
                let octets = json!({ "description": what, "content": { "application/octet-stream": {} } });
                fields.insert("requestBody".to_owned(), octets);
            }
            if let Access::From(_) = route.access {
                fields.insert("security".to_owned(), json!([{ "token": [] }, { "session": [] }]));
            }
        }
        if let Some(entry) = entry.as_object_mut() {
            entry.insert(route.verb.name().to_lowercase(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Chappe",
            "version": runtime::VERSION,
            "description": "What docs/api.md explains. Requests that are wrong are refused with 400, also for a parameter \
                            that is not known; 401 without a token, 403 if the role is too low, 429 if there are too many.",
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "chappe-PORT",
                    "description": "Changes have to carry the header X-Chappe-CSRF as well.",
                },
            },
        },
    })
}

fn content(kind: &str, schema: &Value) -> Value {
    json!({ "description": "done", "content": { kind: { "schema": schema } } })
}

fn parameters(route: &Route) -> Vec<Value> {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = names.map(|name| {
        let name = name.trim_start_matches('*');
        let (schema, about) = in_path(name);
        json!({ "name": name, "in": "path", "required": true, "description": about, "schema": schema })
    });
    let others = route.parameters.iter().map(|parameter| {
        let mut told = json!({
            "name": parameter.name,
            "in": parameter.place(),
            "required": parameter.is_required,
            "description": parameter.about,
            "schema": parameter.schema(),
        });
        if let Some(role) = parameter.role {
            told["x-role"] = json!(role);
        }
        told
    });
    in_path.chain(others).collect()
}

/// A name that no other request has.
fn identifier(route: &Route) -> String {
    let mut words = vec![route.verb.name().to_lowercase()];
    words.extend(
        route
            .path
            .split('/')
            .map(|part| part.trim_matches(['{', '}', '*']))
            .map(|part| part.replace(['-', '.'], "_")),
    );
    words.retain(|word| !word.is_empty());
    if route.path.ends_with('/') {
        // What is in a folder is another request than the folder.
        words.push("index".to_owned());
    }
    words.join("_")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Writes the file in place of comparing it if `CHAPPE_WRITE_DOCS` is set.
    #[test]
    fn the_document_in_docs_is_the_one_that_is_served() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        if std::env::var_os("CHAPPE_WRITE_DOCS").is_some() {
            std::fs::write(&file, text()).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept == text(),
            "docs/openapi.json is stale: CHAPPE_WRITE_DOCS=1 cargo test -p chappe the_document"
        );
    }

    #[test]
    fn each_request_has_a_name_of_its_own() {
        let names: BTreeSet<String> = ROUTES.iter().map(identifier).collect();
        assert_eq!(names.len(), ROUTES.len());
    }
}
