//! `chappe route`: where a message for an address would go, and why, without sending one.

use std::path::PathBuf;

use clap::Args;
use mhs::OrAddress;

use super::failure::Failure;
use super::{Online, address, config, output};
use crate::model::{Route as RouteModel, RouteComparison};

/// Tell which way a message for an address would take, step by step, without sending one
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chappe route \"S=operations;O=Acme;P=BETA;A= ;C=GB\"\n  chappe route \"S=operations;O=Acme;P=BETA;A= ;C=GB\" --config edited.toml"
)]
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
    /// Ask also what would become of it with this configuration, which is not put into force.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) online: Online,
}

impl Route {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut query = vec![("to", self.address.to_string())];
        query.extend(self.incoming.map(|name| ("incoming", name)));
        query.extend(self.originator.map(|originator| ("originator", originator.to_string())));
        query.extend(self.size_kb.map(|kb| ("size_kb", kb.to_string())));
        let Some(file) = self.config else {
            return self.online.show("/api/v1/route", &query, |route: RouteModel| told(&route));
        };
        let text = config::text_of(&file)?;
        let (client, kind, length) = (self.online.client()?, config::TOML, text.len() as u64);
        let comparison: RouteComparison =
            client.post("/api/v1/what-if/route", &query, kind, length, &mut text.as_bytes())?;
        self.online.print(&comparison, |RouteComparison { changed, now, then, .. }| {
            let name = output::one_line(&file.display().to_string());
            let side = |route: Option<&RouteModel>| {
                route.map_or_else(
                    || "the connector that it would come in over is not there\n".to_owned(),
                    told,
                )
            };
            let verdict = if *changed { "The way is another one.\n" } else { "Nothing changes.\n" };
            format!("Now: {}\nWith {name}: {}\n{verdict}", side(now.as_ref()), side(then.as_ref()))
        })
    }
}

fn told(route: &RouteModel) -> String {
    let mut text = format!("{}\n", output::one_line(&route.address));
    for (n, step) in route.steps.iter().enumerate() {
        text.push_str(&format!("  {}. {}\n", n + 1, output::one_line(step)));
    }
    text.push_str(&format!("{}\n", output::one_line(&route.summary)));
    text
}
