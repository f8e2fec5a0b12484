//! `chappe probe`: ask whether a message would be delivered, without sending one.

use clap::{Args, ValueEnum};
use mhs::OrAddress;

use super::Online;
use super::failure::Failure;
use super::submit::complete;
use crate::model::Probed;

/// Submit a probe and print its MTS-identifier; the answer is a report in the originator's mailbox
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chappe probe --from \"S=anna;O=Acme;P=ALPHA;A= ;C=GB\" --to \"S=operations;O=Acme;P=BETA;A= ;C=GB\" \\\n    --content-length 5000000"
)]
pub(super) struct Probe {
    /// Originator: an O/R address which this MTA delivers to.
    #[arg(long, value_name = "OR", value_parser = complete)]
    from: OrAddress,
    /// Recipient; may be given several times.
    #[arg(long, value_name = "OR", value_parser = complete, required = true)]
    to: Vec<OrAddress>,
    /// Length of the content that the message would have.
    #[arg(long, value_name = "OCTETS")]
    content_length: Option<u64>,
    /// Type of that content.
    #[arg(long, value_enum, default_value_t = Type::P22)]
    content_type: Type,
    /// What the originator wants to be told: that delivery would fail, or also that it would succeed.
    #[arg(long, value_enum, default_value_t = Report::Delivery)]
    report: Report,
    /// What else the message would ask for; may be given several times.
    #[arg(long, value_enum, value_name = "WHAT")]
    request: Vec<Wish>,
    /// Who would receive it in place of recipients who can't.
    #[arg(long, value_name = "OR", value_parser = complete)]
    alternate: Option<OrAddress>,
    #[command(flatten)]
    pub(super) online: Online,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Type {
    /// Interpersonal message of 1988.
    P22,
    /// Interpersonal message of 1984.
    P2,
    /// Not identified.
    Unidentified,
    /// An EXTERNAL.
    External,
    /// EDI message.
    Edi,
    /// Voice message.
    Voice,
    /// Military message.
    P772,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Report {
    Delivery,
    NonDelivery,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Wish {
    /// The recipient's domain may deliver to somebody else, such as a dead letter mailbox.
    AllowAlternate,
    /// No distribution list is expanded.
    ProhibitExpansion,
    /// No recipient's mail is redirected.
    ProhibitRedirection,
}

/// The word that the command line and the API have for a value.
fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

impl Probe {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut query = vec![("from", self.from.to_string())];
        query.extend(self.to.iter().map(|to| ("to", to.to_string())));
        query.extend(self.content_length.map(|octets| ("content_length", octets.to_string())));
        query.push(("content_type", word(self.content_type)));
        query.push(("report", word(self.report)));
        query.extend(self.request.into_iter().map(|wish| ("request", word(wish))));
        query.extend(self.alternate.map(|alternate| ("alternate", alternate.to_string())));
        let client = self.online.client()?;
        let probed: Probed = client.post("/api/v1/probes", &query, "text/plain", 0, &mut std::io::empty())?;
        self.online.print(&probed, |probed| format!("{}\n", probed.mts_id))
    }
}
