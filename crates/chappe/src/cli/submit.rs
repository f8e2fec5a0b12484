//! `chappe submit`: hand a message to the service.

use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use mhs::OrAddress;

use super::failure::Failure;
use super::progress::Progress;
use super::{Online, address};
use crate::model::Submitted;
use crate::time_text;

/// Submit an interpersonal message and print its MTS-identifier
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chappe submit --from \"S=anna;O=Acme;P=ALPHA;A= ;C=GB\" --to \"S=operations;O=Acme;P=BETA;A= ;C=GB\" \\\n    --subject \"Disk full\" --text \"Please look at host 7.\" --report delivery"
)]
pub(super) struct Submit {
    /// Originator: an O/R address which this MTA delivers to.
    #[arg(long, value_name = "OR", value_parser = complete)]
    from: OrAddress,
    /// Recipient; may be given several times.
    #[arg(long, value_name = "OR", value_parser = complete, required_unless_present_any = ["cc", "bcc"])]
    to: Vec<OrAddress>,
    /// Copy recipient; may be given several times.
    #[arg(long, value_name = "OR", value_parser = complete)]
    cc: Vec<OrAddress>,
    /// Blind copy recipient, of whom no other recipient learns; may be given several times. Each gets a message of his
    /// own, whose MTS-identifier is printed as well.
    #[arg(long, value_name = "OR", value_parser = complete)]
    bcc: Vec<OrAddress>,
    /// Subject, one line of at most 256 characters.
    #[arg(long, default_value = "", allow_hyphen_values = true, value_parser = subject)]
    subject: String,
    #[command(flatten)]
    content: Content,
    /// Priority.
    #[arg(long, value_enum, default_value_t = Priority::Normal)]
    priority: Priority,
    /// What the originator wants to be told: that delivery failed, or also that it succeeded.
    #[arg(long, value_enum, default_value_t = Report::NonDelivery)]
    report: Report,
    /// Deliver not before this time, as in 2026-12-24T18:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    deferred: Option<clock::WallTime>,
    /// Deliver not after this time; who has not got it by then is reported.
    #[arg(long, value_name = "TIME", value_parser = time)]
    latest_delivery: Option<clock::WallTime>,
    /// What else is asked for; may be given several times.
    #[arg(long, value_enum, value_name = "WHAT")]
    request: Vec<Wish>,
    /// Who is to receive it in place of recipients who can't.
    #[arg(long, value_name = "OR", value_parser = complete)]
    alternate: Option<OrAddress>,
    #[command(flatten)]
    pub(super) online: Online,
}

/// What is sent: exactly one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Content {
    /// Text of the message.
    #[arg(long, allow_hyphen_values = true)]
    text: Option<String>,
    /// File to send as a file transfer body part; may be of any size. `-` is standard input.
    #[arg(long)]
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Priority {
    Urgent,
    Normal,
    NonUrgent,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Wish {
    /// A non-delivery report brings the content back.
    ReturnContent,
    /// Recipients see one another.
    DiscloseRecipients,
    /// The recipient's domain may deliver to somebody else, such as a dead letter mailbox.
    AllowAlternate,
    /// No distribution list is expanded.
    ProhibitExpansion,
    /// No recipient's mail is redirected.
    ProhibitRedirection,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Report {
    Delivery,
    NonDelivery,
}

/// An address as messages need it: of one of the forms of X.402, which a pattern of a route need not be.
pub(super) fn complete(text: &str) -> Result<OrAddress, String> {
    let parsed = address(text)?;
    match parsed.validate_for_submission() {
        Ok(()) => Ok(parsed),
        Err(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Err(problems.join("; "))
        }
    }
}

fn subject(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("a subject is one line without control characters".to_owned());
    }
    Ok(text.to_owned())
}

fn time(text: &str) -> Result<clock::WallTime, String> {
    time_text::parse(text).ok_or_else(|| "not a time; write it as in 2026-12-24T18:00:00Z".to_owned())
}

impl Submit {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut query = vec![("from", self.from.to_string())];
        for (name, recipients) in [("to", &self.to), ("cc", &self.cc), ("bcc", &self.bcc)] {
            query.extend(recipients.iter().map(|recipient| (name, recipient.to_string())));
        }
        query.push(("subject", self.subject));
        query.push((
            "priority",
            match self.priority {
                Priority::Urgent => "urgent",
                Priority::Normal => "normal",
                Priority::NonUrgent => "non-urgent",
            }
            .to_owned(),
        ));
        query.push((
            "report",
            match self.report {
                Report::Delivery => "delivery",
                Report::NonDelivery => "non-delivery",
            }
            .to_owned(),
        ));
        query.extend(self.request.iter().map(|wish| {
            let word = match wish {
                Wish::ReturnContent => "return-content",
                Wish::DiscloseRecipients => "disclose-recipients",
                Wish::AllowAlternate => "allow-alternate",
                Wish::ProhibitExpansion => "prohibit-expansion",
                Wish::ProhibitRedirection => "prohibit-redirection",
            };
            ("request", word.to_owned())
        }));
        query.extend(self.alternate.as_ref().map(|alternate| ("alternate", alternate.to_string())));
        query.extend(self.deferred.map(|time| ("deferred", time.to_string())));
        query.extend(self.latest_delivery.map(|time| ("latest_delivery", time.to_string())));
        let client = self.online.client()?;
        let submitted: Submitted = match (self.content.text, self.content.file) {
            (_, Some(path)) => {
                let is_input = path == Path::new("-");
                let (file, length) = if is_input { standard_input()? } else { open(&path)? };
                let mut file = Progress::new(file, Some(length));
                let name = match path.file_name() {
                    Some(name) if !is_input => name.to_string_lossy().into_owned(),
                    Some(_) | None => "file".to_owned(),
                };
                query.push(("file_name", name));
                client.post("/api/v1/messages", &query, "application/octet-stream", length, &mut file)?
            }
            (text, None) => {
                let text = text.unwrap_or_default();
                let length = text.len() as u64;
                let content_type = "text/plain; charset=utf-8";
                client.post("/api/v1/messages", &query, content_type, length, &mut text.as_bytes())?
            }
        };
        self.online.print(&submitted, show)
    }
}

/// The MTS-identifier of the message first, then those of blind copies with whom they are for.
fn show(submitted: &Submitted) -> String {
    let blind = &submitted.blind_copies;
    let mut lines = String::new();
    if blind.iter().all(|copy| copy.mts_id != submitted.mts_id) {
        lines.push_str(&submitted.mts_id);
        lines.push('\n');
    }
    for copy in blind {
        lines.push_str(&format!("{} to blind copy recipient {}\n", copy.mts_id, copy.recipient));
    }
    lines
}

/// Standard input in a temporary file: the length stands in front of what is sent.
fn standard_input() -> Result<(File, u64), Failure> {
    let kept = tempfile::tempfile().and_then(|mut file| {
        let length = io::copy(&mut io::stdin().lock(), &mut file)?;
        file.rewind()?;
        Ok((file, length))
    });
    kept.map_err(|error| {
        Failure::Failed(format!("--file -: cannot keep standard input in a temporary file: {error}"))
    })
}

fn open(path: &Path) -> Result<(File, u64), Failure> {
    let opened = File::open(path).and_then(|file| {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file, so its length can't be told"));
        }
        Ok((file, metadata.len()))
    });
    opened
        .map_err(|error| Failure::Usage(format!("--file {}: {error}; name a readable file", path.display())))
}
