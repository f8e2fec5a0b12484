//! The web console: the files in `crates/chappe/console`, which are in the program, and what each kind of event means.
//!
//! The console is a client of the API like any other. Its files need no build step, ask nobody else for anything, and
//! may be seen without a token: they tell nothing of this MTA.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use runtime::EventKind;

use super::error::ApiError;
use super::query::Query;
use super::{Answer, Api};
use crate::model::{EventHelp, Page};

/// What a page of the console may load: its own files, and nothing written into the page itself.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// A file of the console.
struct File {
    path: &'static str,
    octets: &'static [u8],
}

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(File {
            path: $path,
            octets: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/console/", $path)),
        }),*]
    };
}

/// All of them; a test compares this with the directory.
const FILES: &[File] = files![
    "advice.js",
    "api.js",
    "app.js",
    "dialog.js",
    "draft.js",
    "fetched.js",
    "fields.js",
    "format.js",
    "html.js",
    "icons.js",
    "index.html",
    "live.js",
    "login.js",
    "map.js",
    "mark.svg",
    "operations.js",
    "pages/associations.js",
    "pages/configuration.js",
    "pages/connectors.js",
    "pages/events.js",
    "pages/ladder.js",
    "pages/mailboxes.js",
    "pages/message.js",
    "pages/messages.js",
    "pages/monitors.js",
    "pages/overview.js",
    "pages/quarantine.js",
    "pages/queues.js",
    "pages/route.js",
    "pages/tracking.js",
    "parts.js",
    "path.js",
    "session.js",
    "style/colours.css",
    "style/configuration.css",
    "style/drawings.css",
    "style/fields.css",
    "style/frame.css",
    "style/ladder.css",
    "style/parts.css",
    "times.js",
];

impl File {
    fn content_type(&self) -> &'static str {
        match self.path.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "application/octet-stream",
        }
    }

    /// Names the content: another version of the program has another one.
    fn tag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.octets.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }

    fn answer(&self, request: &HeaderMap) -> Response {
        let tag = self.tag();
        let known = request.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        let is_known = known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
        let headers: [(HeaderName, String); 6] = [
            (header::CONTENT_TYPE, self.content_type().to_owned()),
            (header::ETAG, tag),
            // Kept, and asked about each time: an upgrade shows at once.
            (header::CACHE_CONTROL, "no-cache".to_owned()),
            (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
            (header::REFERRER_POLICY, "no-referrer".to_owned()),
        ];
        if is_known {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, self.octets).into_response()
    }
}

/// Whether who asks would rather see a page than plain text.
pub(super) fn is_browser(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.split(',').any(|kind| kind.trim().starts_with("text/html")))
}

/// Leads to the console.
pub(super) async fn entrance() -> Redirect {
    Redirect::temporary("/console/")
}

pub(super) async fn index(headers: HeaderMap) -> Response {
    find("index.html", &headers)
}

pub(super) async fn file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    find(&path, &headers)
}

fn find(path: &str, headers: &HeaderMap) -> Response {
    match FILES.iter().find(|file| file.path == path) {
        Some(file) => file.answer(headers),
        None => {
            ApiError::not_found(format!("the console has no file `{path}`"), "/console/ is where it begins")
                .into_response()
        }
    }
}

/// What each kind of event means, in the words of the documentation.
pub(super) async fn event_kinds(State(_): State<Api>, query: Query) -> Answer<Page<EventHelp>> {
    static HELP: LazyLock<Vec<EventHelp>> = LazyLock::new(help);
    query.only(&[])?;
    Ok(Json(Page { items: HELP.clone(), next: None }))
}

fn help() -> Vec<EventHelp> {
    let documentation = include_str!("../../../../docs/events.md");
    EventKind::ALL.iter().map(|kind| help_on(documentation, *kind)).collect()
}

/// A section is `### name`, a line that begins with number, category and severity up to a full stop, what it means, and
/// then what begins with **Cause.** and **To do.**
fn help_on(documentation: &str, kind: EventKind) -> EventHelp {
    let heading = format!("### {}\n", kind.name());
    let section = documentation.split_once(&heading).map_or("", |(_, rest)| rest);
    let section = section.split("\n#").next().unwrap_or_default();
    let (meaning, rest) = section.split_once("**Cause.**").unwrap_or((section, ""));
    let (cause, to_do) = rest.split_once("**To do.**").unwrap_or((rest, ""));
    // `48 · Security · warning. A peer gave ...`
    let meaning = meaning.rsplit_once(" · ").map_or(meaning, |(_, end)| end);
    let meaning = meaning.split_once(". ").map_or(meaning, |(_, text)| text);
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    EventHelp {
        kind: kind.name().to_owned(),
        exchange_id: kind.exchange_id(),
        category: name_of(kind.category()),
        severity: name_of(kind.severity()),
        meaning: plain(meaning),
        cause: plain(cause),
        to_do: plain(to_do),
    }
}

/// A name as the API writes it.
pub(super) fn name_of(name: impl serde::Serialize) -> String {
    let value = serde_json::to_value(name).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    fn walk(directory: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(directory).expect("the directory is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }

    #[test]
    fn every_file_of_the_console_is_in_the_program() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/console/");
        let mut found = Vec::new();
        walk(root.as_ref(), &mut found);
        let there: BTreeSet<String> = found
            .iter()
            .map(|path| path.strip_prefix(root).expect("below the root").display().to_string())
            .collect();
        let known: BTreeSet<String> = FILES.iter().map(|file| file.path.to_owned()).collect();
        assert_eq!(there, known);
    }

    #[test]
    fn no_file_of_the_console_asks_another_host_for_anything() {
        for file in FILES {
            let text = String::from_utf8_lossy(file.octets);
            // The name of a namespace is no address.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for address in ["http://", "https://", "//cdn", "@import", "eval("] {
                assert!(!text.contains(address), "{address} in {}", file.path);
            }
            assert_ne!(file.content_type(), "application/octet-stream", "{}", file.path);
        }
    }

    #[test]
    fn what_is_written_of_each_kind_is_found_in_the_documentation() {
        for help in help() {
            for (part, text) in [("meaning", &help.meaning), ("cause", &help.cause), ("to do", &help.to_do)] {
                assert!(
                    !text.is_empty() && text.ends_with(['.', ')']),
                    "{} of {}: {text:?}",
                    part,
                    help.kind
                );
                assert!(!text.contains("**") && !text.contains(" · "), "{} of {}: {text:?}", part, help.kind);
            }
        }
    }

    #[test]
    fn a_browser_is_known_by_what_it_accepts() {
        let accepting = |accept: &'static str| {
            HeaderMap::from_iter([(header::ACCEPT, header::HeaderValue::from_static(accept))])
        };
        assert!(is_browser(&accepting("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")));
        assert!(!is_browser(&accepting("*/*")));
        assert!(!is_browser(&HeaderMap::new()));
    }
}
