//! What a local user submits (X.411 message submission).

use clock::WallTime;
use mhs::p1::Priority;
use mhs::{ContentType, EncodedInformationTypes, OrAddress};
use thiserror::Error;

/// A message to be sent. Its content is a body of the spool.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// Who sends it: an address delivered here.
    pub originator: OrAddress,
    /// To whom, in order; 1 to `max_recipients`.
    pub recipients: Vec<SubmissionRecipient>,
    /// Default normal.
    pub priority: Priority,
    /// Not before this time. Default at once.
    pub deferred: Option<WallTime>,
    /// Not after this time: who has not got it by then is reported (X.411 latest-delivery-time). Default as long as
    /// this and other MTAs try.
    pub latest_delivery: Option<WallTime>,
    /// What the content is. Default P22.
    pub content_type: ContentType,
    /// Encoded information types in the content, if known.
    pub encoded_information_types: Option<EncodedInformationTypes>,
    /// A name for the content that comes back in reports; at most 16 printable characters.
    pub content_identifier: Option<String>,
    /// The subject in the heading of the content, for message tracking. Default none.
    pub subject: Option<String>,
    /// Whether recipients are told of one another in the envelope. Default false.
    pub disclose_recipients: bool,
    /// Whether MTAs must not convert the content. Default false.
    pub implicit_conversion_prohibited: bool,
    /// Whether a non-delivery report is to return the content. Default false.
    pub return_content: bool,
    /// Whether the recipients' domains may deliver to somebody else whom they have chosen, such as a dead letter
    /// mailbox. Default false.
    pub alternate_recipient_allowed: bool,
    /// Whether distribution lists must not be expanded. Default false.
    pub dl_expansion_prohibited: bool,
    /// Whether recipients must not have their mail redirected. Default false.
    pub reassignment_prohibited: bool,
}

impl Submission {
    /// A P22 message of normal priority which asks for non-delivery reports.
    pub fn new(originator: OrAddress, recipients: impl IntoIterator<Item = OrAddress>) -> Self {
        Submission {
            originator,
            recipients: recipients.into_iter().map(SubmissionRecipient::new).collect(),
            priority: Priority::Normal,
            deferred: None,
            latest_delivery: None,
            content_type: ContentType::P22,
            encoded_information_types: None,
            content_identifier: None,
            subject: None,
            disclose_recipients: false,
            implicit_conversion_prohibited: false,
            return_content: false,
            alternate_recipient_allowed: false,
            dl_expansion_prohibited: false,
            reassignment_prohibited: false,
        }
    }

    /// The same with this report request for every recipient.
    #[must_use]
    pub fn with_report_request(mut self, report: ReportRequest) -> Self {
        for recipient in &mut self.recipients {
            recipient.report = report;
        }
        self
    }
}

/// One recipient of a submission.
#[derive(Clone, Debug, PartialEq)]
pub struct SubmissionRecipient {
    /// The address.
    pub address: OrAddress,
    /// What the originator wants to be told. Default non-delivery.
    pub report: ReportRequest,
    /// Who is to receive it if the recipient can't. Default nobody.
    pub alternate: Option<OrAddress>,
}

impl SubmissionRecipient {
    /// A recipient whose non-delivery is reported.
    pub fn new(address: OrAddress) -> Self {
        SubmissionRecipient { address, report: ReportRequest::default(), alternate: None }
    }
}

/// What the originator wants to be told about a recipient (X.411 originator-report-request).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReportRequest {
    /// Nothing.
    None,
    /// That delivery failed.
    #[default]
    NonDelivery,
    /// That delivery failed or succeeded.
    Delivery,
}

/// Everything that is wrong with a submission.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("the message was not accepted: {}", list(.problems))]
pub struct SubmitError {
    /// At least one.
    pub problems: Vec<SubmitProblem>,
}

fn list(problems: &[SubmitProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// One thing that is wrong with a submission.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SubmitProblem {
    /// The originator is not delivered here, so it could not be told of a failure.
    #[error("originator {address} is no mailbox of this MTA: {why}")]
    OriginatorNotLocal {
        /// The address.
        address: String,
        /// What routing says about it.
        why: String,
    },
    /// The originator's address is not valid.
    #[error("originator {address}: {problem}")]
    OriginatorInvalid {
        /// The address.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A recipient's address is not valid.
    #[error("recipient {} {address}: {problem}", .index + 1)]
    RecipientInvalid {
        /// Its place in the list, from 0.
        index: usize,
        /// The address.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An alternate recipient's address is not valid.
    #[error("alternate recipient {address}: {problem}")]
    AlternateInvalid {
        /// The address.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No recipient.
    #[error("there is no recipient")]
    NoRecipient,
    /// A time that UTCTime can't carry: its year has two digits.
    #[error("deferred delivery at {time} can't be expressed in X.400, whose times end with the year 2049")]
    DeferredOutOfRange {
        /// The time.
        time: WallTime,
    },
    /// The same of the latest delivery time.
    #[error("latest delivery at {time} can't be expressed in X.400, whose times end with the year 2049")]
    LatestDeliveryOutOfRange {
        /// The time.
        time: WallTime,
    },
    /// It could never be delivered in time.
    #[error("latest delivery at {time} is not after {earliest}, before which it can't be delivered")]
    LatestDeliveryTooEarly {
        /// The latest delivery time.
        time: WallTime,
        /// The deferred delivery time; that of the submission, if it is not deferred.
        earliest: WallTime,
    },
    /// More than the limit.
    #[error("there are {count} recipients, the limit is {limit}")]
    TooManyRecipients {
        /// How many there are.
        count: usize,
        /// Setting `mta.max_recipients`.
        limit: u32,
    },
    /// Longer than the limit.
    #[error("the content has {octets} octets, the limit is {limit_kb} KB")]
    ContentTooLong {
        /// Length of the content.
        octets: u64,
        /// Setting `mta.message_size_limit_kb`.
        limit_kb: u64,
    },
    /// The content identifier is too long or has other characters than a PrintableString.
    #[error("content identifier `{0}` is not 1 to 16 printable characters")]
    ContentIdentifier(String),
}
