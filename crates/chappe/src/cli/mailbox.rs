//! `chappe mailbox`: what was delivered here.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mhs::OrAddress;

use super::failure::Failure;
use super::mailbox_text;
use super::output::{self, Table};
use super::{Online, Paging, address, export, more};
use crate::client::segment;
use crate::model::{Mailbox as MailboxModel, MailboxItem, MailboxPage, Page};

/// Messages and reports delivered here
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chappe mailbox list\n  chappe mailbox show \"S=operations;O=Acme;P=BETA;A= ;C=GB\""
)]
pub(super) struct Mailbox {
    #[command(flatten)]
    pub(super) online: Online,
    #[command(subcommand)]
    command: MailboxCommand,
}

#[derive(Debug, Subcommand)]
enum MailboxCommand {
    /// List the mailboxes, or the newest entries of one of them, one line each
    #[command(
        after_help = "Examples:\n  chappe mailbox list\n  chappe mailbox list \"S=operations;O=Acme;P=BETA;A= ;C=GB\""
    )]
    List {
        /// O/R address of the mailbox. Without it: all mailboxes.
        #[arg(value_name = "OR", value_parser = address)]
        address: Option<OrAddress>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show the newest messages and reports in full, the newest last
    #[command(
        after_help = "Examples:\n  chappe mailbox show \"S=operations;O=Acme;P=BETA;A= ;C=GB\"\n  chappe mailbox show \"S=operations;O=Acme;P=BETA;A= ;C=GB\" 17"
    )]
    Show {
        /// O/R address of the mailbox.
        #[arg(value_name = "OR", value_parser = address)]
        address: OrAddress,
        /// Only this one.
        number: Option<u64>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Write the content of one message, octet for octet, or a file that came with it
    #[command(
        after_help = "Examples:\n  chappe mailbox export \"S=operations;O=Acme;P=BETA;A= ;C=GB\" 17 --output message.p22\n  chappe mailbox export \"S=operations;O=Acme;P=BETA;A= ;C=GB\" 17 --attachment 1 --output report.pdf"
    )]
    Export {
        /// O/R address of the mailbox.
        #[arg(value_name = "OR", value_parser = address)]
        address: OrAddress,
        /// Number of the message in the mailbox.
        number: u64,
        /// Only the file in this body part, as `mailbox show` numbers them.
        #[arg(long, value_name = "PART")]
        attachment: Option<usize>,
        /// File to write; it must not be there yet. Default: standard output.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

fn path_of(address: &OrAddress) -> String {
    format!("/api/v1/mailboxes/{}", segment(&address.to_string()))
}

/// The newest entries, unless a place to begin is given.
fn entries(paging: &Paging) -> Vec<(&'static str, String)> {
    let mut query = paging.query();
    if paging.after.is_none() {
        query.push(("newest", "true".to_owned()));
    }
    query
}

fn nothing(address: &OrAddress, paging: &Paging) -> String {
    match &paging.after {
        None => format!("The mailbox {address} is empty.\n"),
        Some(after) => format!("Nothing follows {} in the mailbox {address}.\n", output::one_line(after)),
    }
}

/// The line in front of the newest entries that tells of those before them.
fn older(page: &MailboxPage) -> String {
    match page.older {
        None | Some(0) => String::new(),
        Some(1) => {
            "1 older entry is not shown; --after 0 begins with the oldest, --limit shows more\n".to_owned()
        }
        Some(n) => {
            format!("{n} older entries are not shown; --after 0 begins with the oldest, --limit shows more\n")
        }
    }
}

impl Mailbox {
    pub(super) fn run(self) -> Result<(), Failure> {
        let online = self.online;
        match self.command {
            MailboxCommand::List { address: None, paging } => {
                online.show("/api/v1/mailboxes", &paging.query(), list)
            }
            MailboxCommand::List { address: Some(address), paging } => {
                online.show(&path_of(&address), &entries(&paging), |page: MailboxPage| {
                    if page.items.is_empty() {
                        return nothing(&address, &paging);
                    }
                    older(&page) + &mailbox_text::table(&page.items) + &more(page.next.as_deref())
                })
            }
            MailboxCommand::Show { address, number: None, paging } => {
                online.show(&path_of(&address), &entries(&paging), |page: MailboxPage| {
                    if page.items.is_empty() {
                        return nothing(&address, &paging);
                    }
                    let items: Vec<String> = page.items.iter().map(mailbox_text::item).collect();
                    let lead = older(&page);
                    let gap = if lead.is_empty() { "" } else { "\n" };
                    lead + gap + &items.join("\n") + &more(page.next.as_deref())
                })
            }
            MailboxCommand::Show { address, number: Some(number), .. } => {
                let path = format!("{}/{number}", path_of(&address));
                online.show(&path, &[], |item: MailboxItem| mailbox_text::item(&item))
            }
            MailboxCommand::Export { address, number, attachment, output } => {
                let what = attachment.map_or_else(|| "content".to_owned(), |part| format!("parts/{part}"));
                let path = format!("{}/{number}/{what}", path_of(&address));
                let (content, length) = online.client()?.stream(&path)?;
                export::save(content, length, output.as_deref())
            }
        }
    }
}

fn list(page: Page<MailboxModel>) -> String {
    if page.items.is_empty() {
        return "Nothing has been delivered here yet.\n".to_owned();
    }
    let mut table = Table::new(&["MAILBOX", "ENTRIES"]);
    for mailbox in &page.items {
        table.row([mailbox.address.clone(), mailbox.entries.to_string()]);
    }
    table.text() + &more(page.next.as_deref())
}
