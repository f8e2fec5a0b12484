//! `chappe route`: where a message for an address would go, and why, without sending one.

use clap::Args;
use mhs::OrAddress;

use super::failure::Failure;
use super::{Online, address, output};
use crate::model::Route as RouteModel;

/// Tell which way a message for an address would take, step by step, without sending one
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chappe route \"S=operations;O=Acme;P=BETA;A= ;C=GB\"")]
pub(super) struct Route {
    /// O/R address of the recipient.
    #[arg(value_name = "OR", value_parser = address)]
    address: OrAddress,
    /// Ask for a message that comes in over this connector [default: it is submitted here].
    #[arg(long, value_name = "CONNECTOR")]
    incoming: Option<String>,
    /// O/R address of the originator, for restrictions that look at it.
    #[arg(long, value_name = "OR", value_parser = address)]
    originator: Option<OrAddress>,
    /// Length of the content in KB, for limits.
    #[arg(long, value_name = "KB")]
    size_kb: Option<u64>,
    #[command(flatten)]
    pub(super) online: Online,
}

impl Route {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut query = vec![("to", self.address.to_string())];
        query.extend(self.incoming.map(|name| ("incoming", name)));
        query.extend(self.originator.map(|originator| ("originator", originator.to_string())));
        query.extend(self.size_kb.map(|kb| ("size_kb", kb.to_string())));
        self.online.show("/api/v1/route", &query, |route: RouteModel| {
            let mut text = format!("{}\n", output::one_line(&route.address));
            for (n, step) in route.steps.iter().enumerate() {
                text.push_str(&format!("  {}. {}\n", n + 1, output::one_line(step)));
            }
            text.push_str(&format!("{}\n", output::one_line(&route.summary)));
            text
        })
    }
}
