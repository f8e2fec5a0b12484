//! Parameters of requests, as the OpenAPI document tells them; what reads them is in `query` and the handlers.

use serde_json::{Value, json};

use super::query::MAX_LIMIT;

/// What may stand in a query, or in the head of a request.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    kind: Kind,
    pub(super) is_required: bool,
    is_repeated: bool,
    is_header: bool,
    /// Who may use it, if it takes more than the request itself.
    pub(super) role: Option<&'static str>,
}

/// What its value is.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Address,
    Space,
    Number { least: u64, most: u64 },
    Flag,
    OneOf(&'static [&'static str]),
    Time,
}

impl Parameter {
    const fn new(name: &'static str, kind: Kind, about: &'static str) -> Parameter {
        Parameter { name, about, kind, is_required: false, is_repeated: false, is_header: false, role: None }
    }

    const fn required(self) -> Parameter {
        Parameter { is_required: true, ..self }
    }

    const fn repeated(self) -> Parameter {
        Parameter { is_repeated: true, ..self }
    }

    const fn header(self) -> Parameter {
        Parameter { is_header: true, ..self }
    }

    const fn for_operators(self) -> Parameter {
        Parameter { role: Some("operator"), ..self }
    }

    /// The part of a request that it stands in.
    pub(super) fn place(&self) -> &'static str {
        if self.is_header { "header" } else { "query" }
    }

    /// JSON schema of its value.
    pub(super) fn schema(&self) -> Value {
        let one = match self.kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::Address => json!({ "type": "string", "format": "or-address" }),
            Kind::Space => json!({ "type": "string", "format": "or-address-space" }),
            Kind::Number { least, most } => {
                json!({ "type": "integer", "format": "uint64", "minimum": least, "maximum": most })
            }
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::OneOf(names) => json!({ "type": "string", "enum": names }),
            Kind::Time => json!({ "type": "string", "format": "date-time" }),
        };
        if self.is_repeated { json!({ "type": "array", "items": one }) } else { one }
    }
}

/// What stands in a path, by its name.
pub(super) fn in_path(name: &str) -> (Value, &'static str) {
    let text = json!({ "type": "string" });
    let number = json!({ "type": "integer", "format": "uint64", "minimum": 0 });
    match name {
        "reference" => (text, "number or MTS-identifier of a message"),
        "connector" => (text, "name of a connector"),
        "monitor" => (text, "name of a link monitor"),
        "mts_id" => (text, "MTS-identifier"),
        "address" => (json!({ "type": "string", "format": "or-address" }), "O/R address of a mailbox"),
        "number" => (number, "number, as lists tell it"),
        "part" => (number, "number of a body part, from 1"),
        _ => (text, "path of a file"),
    }
}

const ANY: Kind = Kind::Number { least: 0, most: u64::MAX };
const RANK: Kind = Kind::OneOf(&["urgent", "normal", "non-urgent"]);

pub(super) const LIMIT: Parameter = Parameter::new(
    "limit",
    Kind::Number { least: 1, most: MAX_LIMIT as u64 },
    "items on one page; 50 if it is not given",
);
pub(super) const AFTER: Parameter =
    Parameter::new("after", Kind::Text, "what the page before named as `next`");
pub(super) const AFTER_NUMBER: Parameter = Parameter::new("after", ANY, "the number behind which to begin");
pub(super) const BEFORE: Parameter = Parameter::new("before", Kind::Text, "what a page named as `previous`");
pub(super) const NEWEST: Parameter =
    Parameter::new("newest", Kind::Flag, "the last page in place of the first");
pub(super) const DRY_RUN: Parameter =
    Parameter::new("dry_run", Kind::Flag, "change nothing: only tell what would become of it");
pub(super) const ALL: Parameter =
    Parameter::new("all", Kind::Flag, "everything is meant; needed where nothing else is selected");
pub(super) const REPORT_DELETED: Parameter =
    Parameter::new("report", Kind::Flag, "whether the originator hears of it; true if it is not given");
pub(super) const TO_CONNECTOR: Parameter =
    Parameter::new("connector", Kind::Text, "where it is to go").required();
pub(super) const SET: Parameter = Parameter::new("set", RANK, "the place in the queue").required();

pub(super) const QUEUE: Parameter =
    Parameter::new("queue", Kind::Text, "in the queue of this connector; `work` for what is not routed yet");
pub(super) const FROM_SPACE: Parameter = Parameter::new("from", Kind::Space, "from these originators");
pub(super) const TO_SPACE: Parameter =
    Parameter::new("to", Kind::Space, "for one of these recipients at least");
pub(super) const OLDER: Parameter = Parameter::new("older_than_s", ANY, "here longer than this");
pub(super) const PRIORITY: Parameter = Parameter::new("priority", RANK, "of this place in the queue");
pub(super) const STATE: Parameter = Parameter::new(
    "state",
    Kind::OneOf(&["waiting", "retry", "in-transfer", "deferred", "pending-reroute", "held"]),
    "in this state",
);

pub(super) const FROM: Parameter = Parameter::new("from", Kind::Address, "the originator").required();
pub(super) const TO: Parameter = Parameter::new("to", Kind::Address, "recipients").repeated();
pub(super) const PROBE_TO: Parameter =
    Parameter::new("to", Kind::Address, "recipients").repeated().required();
pub(super) const CC: Parameter = Parameter::new("cc", Kind::Address, "copy recipients").repeated();
pub(super) const BCC: Parameter =
    Parameter::new("bcc", Kind::Address, "blind copy recipients, 32 at most").repeated();
pub(super) const SUBJECT: Parameter =
    Parameter::new("subject", Kind::Text, "the subject, without control characters");
pub(super) const MESSAGE_PRIORITY: Parameter = Parameter::new("priority", RANK, "normal if it is not given");
pub(super) const REPORT: Parameter = Parameter::new(
    "report",
    Kind::OneOf(&["delivery", "non-delivery", "none"]),
    "what the originator wants to hear of",
);
pub(super) const DEFERRED: Parameter = Parameter::new("deferred", Kind::Time, "not delivered before");
pub(super) const LATEST: Parameter =
    Parameter::new("latest_delivery", Kind::Time, "reported on, and not delivered, after");
pub(super) const ALTERNATE: Parameter =
    Parameter::new("alternate", Kind::Address, "who receives in place of recipients who can't");
pub(super) const FILE_NAME: Parameter =
    Parameter::new("file_name", Kind::Text, "the body is a file of this name, not a text");
pub(super) const REQUEST: Parameter = Parameter::new(
    "request",
    Kind::OneOf(&[
        "return-content",
        "disclose-recipients",
        "allow-alternate",
        "prohibit-expansion",
        "prohibit-redirection",
    ]),
    "what else the originator asks for",
)
.repeated();
pub(super) const PROBE_REQUEST: Parameter = Parameter::new(
    "request",
    Kind::OneOf(&["allow-alternate", "prohibit-expansion", "prohibit-redirection"]),
    "what else the originator asks for",
)
.repeated();
pub(super) const CONTENT_LENGTH: Parameter =
    Parameter::new("content_length", ANY, "octets that the content would have");
pub(super) const CONTENT_TYPE: Parameter = Parameter::new(
    "content_type",
    Kind::OneOf(&["p22", "p2", "unidentified", "external", "edi", "voice", "p772"]),
    "what the content would be; p22 if it is not given",
);

pub(super) const ROUTE_TO: Parameter = Parameter::new("to", Kind::Address, "the recipient").required();
pub(super) const INCOMING: Parameter = Parameter::new(
    "incoming",
    Kind::Text,
    "the connector that it would come in over; submitted here without",
);
pub(super) const ORIGINATOR: Parameter = Parameter::new("originator", Kind::Address, "who would send it");
pub(super) const SIZE_KB: Parameter = Parameter::new("size_kb", ANY, "length of the content, KB");

pub(super) const IF_MATCH: Parameter = Parameter::new(
    "If-Match",
    Kind::Text,
    "the digest of the configuration that was edited, as `GET` told it",
)
.required()
.header();

pub(super) const OFFSET: Parameter = Parameter::new("offset", ANY, "the octet to begin with, from 0");
pub(super) const LENGTH: Parameter = Parameter::new("length", ANY, "octets; all if it is not given");
pub(super) const FIND: Parameter = Parameter::new(
    "find",
    Kind::Text,
    "what stands in the identifier, the originator, a recipient or the identifier of a report's subject",
);
pub(super) const TRACKED_SUBJECT: Parameter = Parameter::new(
    "subject",
    Kind::Text,
    "words of the subject; one that ends in `*` stands for all that begin so; not for viewers",
)
.for_operators();
pub(super) const TRACKED_ORIGINATOR: Parameter = Parameter::new(
    "originator",
    Kind::Text,
    "words of the originator's address, or attributes of it as in `S=anna;O=Acme`",
);
pub(super) const TRACKED_RECIPIENT: Parameter =
    Parameter::new("recipient", Kind::Text, "the same of a recipient's");
pub(super) const OF_CONNECTOR: Parameter = Parameter::new("connector", Kind::Text, "over this connector");
pub(super) const OF_EVENT: Parameter = Parameter::new("event", Kind::Text, "of this kind");
pub(super) const SINCE: Parameter = Parameter::new(
    "since",
    Kind::Time,
    "not before; if it is not given all with words, else a day before `until`",
);
pub(super) const UNTIL: Parameter = Parameter::new("until", Kind::Time, "not after; now if it is not given");
