//! The table of requests; what an entry is stands in `routes`.

use super::form::{ConfigEdited, ConfigForm};
use super::parameters::*;
use super::routes::{Access, Body, Route, Verb, json};
use super::{
    admin, config, console, envelope, form, index, login, mailbox, metrics, operations, probe, quarantine,
    ready, recording, settings, stream, submit, tracking,
};
use crate::ladder::LadderPage;
use crate::model::{
    Association, ConfigReloaded, ConfigReplaced, ConfigText, ConfigVerdict, Connecting, Connector,
    ConnectorSettingsPages, Envelope, Event, EventHelp, Health, Mailbox, MailboxItem, MailboxPage, Monitor,
    Operated, OutOfQuarantine, Page, Probed, QuarantineItem, Queue, QueueChange, QueuedMessage, Recording,
    Resources, Route as RouteAnswer, RouteComparison, Session, Status, StatusInfo, Submitted, Tracked,
    Tracking,
};
use crate::roles::Role;

const EVERYONE: Access = Access::Everyone;
const VIEWER: Access = Access::From(Role::Viewer);
const OPERATOR: Access = Access::From(Role::Operator);
const ADMINISTRATOR: Access = Access::From(Role::Administrator);

macro_rules! routes {
    ($($verb:ident $path:literal, $access:expr, $handler:expr, $about:literal, [$($parameter:expr),*],
       $status:literal $answer:expr $(, $takes:literal)?;)*) => {
        &[$(Route {
            verb: Verb::$verb,
            path: $path,
            access: $access,
            about: $about,
            parameters: &[$($parameter),*],
            takes: &[$($takes)?],
            status: $status,
            answer: $answer,
            serve: |verb| axum::routing::on(verb, $handler),
        }),*]
    };
}

/// All of them.
pub(super) static ROUTES: &[Route] = routes! {
    Get "/", VIEWER, index, "this list", [], 200 Body::Text;
    Get "/console", EVERYONE, console::entrance, "leads to the console", [], 307 Body::Nothing;
    Get "/console/", EVERYONE, console::index, "the console, for a browser", [], 200 Body::Octets("text/html; charset=utf-8");
    Get "/console/{*file}", EVERYONE, console::file, "its files", [], 200 Body::Octets("*/*");
    Get "/healthz", EVERYONE, || async { "ok\n" }, "alive", [], 200 Body::Text;
    Get "/readyz", EVERYONE, ready, "accepts messages", [], 200 Body::Text;
    Get "/health", EVERYONE, metrics::health, "whether all is well, and what is not", [], 200 json::<Health>();
    Get "/metrics", VIEWER, metrics::metrics, "numbers, for Prometheus", [], 200 Body::Text;
    Get "/api/v1/openapi.json", VIEWER, super::openapi::document, "this list with all that each takes and answers", [], 200 json::<serde_json::Value>();
    Get "/api/v1/session", VIEWER, login::show, "who you are", [], 200 json::<Session>();
    Post "/api/v1/session", VIEWER, login::begin, "a cookie in place of the token", [], 201 json::<Session>();
    Delete "/api/v1/session", VIEWER, login::end, "log out", [], 200 json::<Session>();
    Get "/api/v1/info", VIEWER, admin::info, "the MTA and its counters", [], 200 json::<StatusInfo>();
    Get "/api/v1/status", VIEWER, admin::status, "whether all is well, and what is not", [], 200 json::<Status>();
    Get "/api/v1/resources", VIEWER, admin::resources, "what each connector holds", [], 200 json::<Resources>();
    Post "/api/v1/messages", OPERATOR, submit::submit, "submit a message",
        [FROM, TO, CC, BCC, SUBJECT, MESSAGE_PRIORITY, REPORT, DEFERRED, LATEST, ALTERNATE, REQUEST, FILE_NAME],
        201 json::<Submitted>(), "the text in UTF-8; with `file_name`, the file";
    Post "/api/v1/probes", OPERATOR, probe::submit, "submit a probe",
        [FROM, PROBE_TO, CONTENT_LENGTH, CONTENT_TYPE, REPORT, ALTERNATE, PROBE_REQUEST], 201 json::<Probed>();
    Get "/api/v1/messages", VIEWER, admin::messages, "messages of all queues",
        [QUEUE, FROM_SPACE, TO_SPACE, OLDER, PRIORITY, STATE, LIMIT, AFTER], 200 json::<Page<QueuedMessage>>();
    Get "/api/v1/messages/{reference}", VIEWER, admin::message, "copies of one message", [], 200 json::<Page<QueuedMessage>>();
    Get "/api/v1/messages/{reference}/envelope", VIEWER, envelope::envelope, "its envelope, and the way it has come", [], 200 json::<Envelope>();
    Get "/api/v1/messages/{reference}/content", OPERATOR, envelope::content, "its content, octet for octet", [OFFSET, LENGTH], 200 Body::Octets("application/octet-stream");
    Delete "/api/v1/messages/{reference}", OPERATOR, operations::delete_one, "delete it", [REPORT_DELETED, DRY_RUN], 200 json::<Operated>();
    Post "/api/v1/messages/{reference}/hold", OPERATOR, operations::hold_one, "keep it in its queue", [DRY_RUN], 200 json::<Operated>();
    Post "/api/v1/messages/{reference}/release", OPERATOR, operations::release_one, "the end of that", [DRY_RUN], 200 json::<Operated>();
    Post "/api/v1/messages/{reference}/move", OPERATOR, operations::move_one, "into another queue", [TO_CONNECTOR, DRY_RUN], 200 json::<Operated>();
    Post "/api/v1/messages/{reference}/priority", OPERATOR, operations::priority_one, "to another place in its queue", [SET, DRY_RUN], 200 json::<Operated>();
    Post "/api/v1/selection/delete", OPERATOR, operations::delete_selected, "delete all that is selected",
        [QUEUE, FROM_SPACE, TO_SPACE, OLDER, PRIORITY, STATE, ALL, REPORT_DELETED, DRY_RUN, LIMIT, AFTER], 200 json::<Operated>();
    Post "/api/v1/selection/hold", OPERATOR, operations::hold_selected, "keep it in its queue",
        [QUEUE, FROM_SPACE, TO_SPACE, OLDER, PRIORITY, STATE, ALL, DRY_RUN, LIMIT, AFTER], 200 json::<Operated>();
    Post "/api/v1/selection/release", OPERATOR, operations::release_selected, "the end of that",
        [QUEUE, FROM_SPACE, TO_SPACE, OLDER, PRIORITY, STATE, ALL, DRY_RUN, LIMIT, AFTER], 200 json::<Operated>();
    Post "/api/v1/selection/move", OPERATOR, operations::move_selected, "into another queue",
        [QUEUE, FROM_SPACE, TO_SPACE, OLDER, PRIORITY, STATE, ALL, TO_CONNECTOR, DRY_RUN, LIMIT, AFTER], 200 json::<Operated>();
    Post "/api/v1/selection/priority", OPERATOR, operations::priority_selected, "to another place in its queue",
        [QUEUE, FROM_SPACE, TO_SPACE, OLDER, PRIORITY, STATE, ALL, SET, DRY_RUN, LIMIT, AFTER], 200 json::<Operated>();
    Get "/api/v1/queues", VIEWER, admin::queues, "queues", [], 200 json::<Page<Queue>>();
    Get "/api/v1/queues/{connector}", VIEWER, admin::queue, "messages of one queue", [LIMIT, AFTER], 200 json::<Page<QueuedMessage>>();
    Post "/api/v1/queues/{connector}/freeze", OPERATOR, operations::freeze, "transfer nothing from it", [], 200 json::<QueueChange>();
    Post "/api/v1/queues/{connector}/thaw", OPERATOR, operations::thaw, "transfer from it again", [], 200 json::<QueueChange>();
    Post "/api/v1/queues/{connector}/retry", OPERATOR, operations::retry, "try all of it now", [], 200 json::<QueueChange>();
    Post "/api/v1/queues/{connector}/drain", OPERATOR, operations::drain, "route all of it elsewhere", [LIMIT, AFTER, DRY_RUN], 200 json::<Operated>();
    Get "/api/v1/quarantine", VIEWER, quarantine::list, "what could not be dealt with, and why", [LIMIT, AFTER_NUMBER], 200 json::<Page<QuarantineItem>>();
    Get "/api/v1/quarantine/{number}", OPERATOR, quarantine::export, "its octets", [], 200 Body::Octets("application/octet-stream");
    Delete "/api/v1/quarantine/{number}", OPERATOR, quarantine::delete, "delete it for good", [], 200 json::<OutOfQuarantine>();
    Post "/api/v1/quarantine/{number}/release", OPERATOR, quarantine::release, "try it again", [], 200 json::<OutOfQuarantine>();
    Get "/api/v1/connectors", VIEWER, admin::connectors, "connectors", [], 200 json::<Page<Connector>>();
    Get "/api/v1/connectors/{connector}", VIEWER, admin::connector, "one connector", [], 200 json::<Connector>();
    Get "/api/v1/connectors/{connector}/settings", VIEWER, settings::settings, "its settings", [], 200 json::<ConnectorSettingsPages>();
    Post "/api/v1/connectors/{connector}/connect", OPERATOR, admin::connect, "connect now", [], 202 json::<Connecting>();
    Get "/api/v1/associations", VIEWER, admin::associations, "associations", [], 200 json::<Page<Association>>();
    Get "/api/v1/associations/{number}/recording", OPERATOR, recording::recording, "its last TPDUs, as a packet capture", [], 200 Body::Octets("application/vnd.tcpdump.pcap");
    Get "/api/v1/associations/{number}/ladder", OPERATOR, recording::ladder, "the same, TPDU by TPDU and layer by layer", [LIMIT, AFTER, BEFORE], 200 json::<LadderPage>();
    Get "/api/v1/recordings", VIEWER, recording::list, "what is recorded", [], 200 json::<Page<Recording>>();
    Get "/api/v1/monitors", VIEWER, admin::monitors, "link monitors", [], 200 json::<Page<Monitor>>();
    Get "/api/v1/monitors/{monitor}", VIEWER, admin::monitor, "one link monitor", [], 200 json::<Monitor>();
    Get "/api/v1/route", VIEWER, admin::route, "where a message would go", [ROUTE_TO, INCOMING, ORIGINATOR, SIZE_KB], 200 json::<RouteAnswer>();
    Post "/api/v1/what-if/route", ADMINISTRATOR, config::what_if_route, "the same under an edited configuration",
        [ROUTE_TO, INCOMING, ORIGINATOR, SIZE_KB], 200 json::<RouteComparison>(), "the configuration";
    Get "/api/v1/config", ADMINISTRATOR, config::show, "the configuration, without secrets", [], 200 json::<ConfigText>();
    Put "/api/v1/config", ADMINISTRATOR, config::replace, "replace it", [IF_MATCH], 200 json::<ConfigReplaced>(), "the configuration";
    Post "/api/v1/config/check", ADMINISTRATOR, config::check, "what is wrong with another one, or different", [], 200 json::<ConfigVerdict>(), "the configuration";
    Post "/api/v1/config/form", ADMINISTRATOR, form::form, "what can be set of a connector, and what a configuration says", [], 200 json::<ConfigForm>(), "the configuration";
    Post "/api/v1/config/edit", ADMINISTRATOR, form::edit, "a configuration with one change more, as a text", [], 200 json::<ConfigEdited>(),
        "JSON: `text` (the configuration), `change` (`set`, `add`, `remove`), `connector` (its name), `values` (settings by their keys; `null` leaves one out)";
    Post "/api/v1/config/reload", ADMINISTRATOR, config::reload, "read the file again", [], 200 json::<ConfigReloaded>();
    Get "/api/v1/tracking", VIEWER, tracking::search, "what happened of late, searched",
        [FIND, TRACKED_SUBJECT, TRACKED_ORIGINATOR, TRACKED_RECIPIENT, OF_CONNECTOR, OF_EVENT, SINCE, UNTIL, LIMIT, AFTER], 200 json::<Page<Tracked>>();
    Get "/api/v1/tracking/{mts_id}", VIEWER, tracking::show, "what became of a message", [], 200 json::<Tracking>();
    Get "/api/v1/events", VIEWER, admin::events, "newest events", [AFTER_NUMBER, LIMIT], 200 json::<Page<Event>>();
    Get "/api/v1/event-kinds", VIEWER, console::event_kinds, "what each kind means, and what to do", [], 200 json::<Page<EventHelp>>();
    Get "/api/v1/stream", VIEWER, stream::stream, "all at a glance, live (server-sent events)", [], 200 Body::Octets("text/event-stream");
    Get "/api/v1/mailboxes", VIEWER, mailbox::list, "mailboxes", [LIMIT, AFTER], 200 json::<Page<Mailbox>>();
    Get "/api/v1/mailboxes/{address}", OPERATOR, mailbox::show, "messages and reports of one", [LIMIT, AFTER_NUMBER, NEWEST], 200 json::<MailboxPage>();
    Get "/api/v1/mailboxes/{address}/{number}", OPERATOR, mailbox::entry, "one of these", [], 200 json::<MailboxItem>();
    Get "/api/v1/mailboxes/{address}/{number}/content", OPERATOR, mailbox::content, "its content, octet for octet", [], 200 Body::Octets("application/octet-stream");
    Get "/api/v1/mailboxes/{address}/{number}/parts/{part}", OPERATOR, mailbox::part, "one body part of it", [], 200 Body::Octets("*/*");
};
