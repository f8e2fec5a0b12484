//! `chappe demo`: three MTAs on loopback, real messages between them, and what a newcomer should know about it.
//!
//! Nothing is staged: the MTAs are the ones that `chappe serve` runs, with the embedded store in a temporary
//! directory, and what is printed comes from the very commands that are shown.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent::Secret;
use agent::record::MailboxItem;
use agent::settings::{AddressSpaceEntry, AgentSettings, ConnectorSettings, MtaSettings, RelayTo};
use mhs::{AddressError, AddressPattern, GlobalDomainIdentifier, MtaName, NameError, OrAddress};
use runtime::{Handle, Mta, RecorderSettings, RuntimeConfig, RuntimeLimits, StartError};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::{api, cli};

/// How long the demo waits for something that takes a second on a healthy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const ORIGINATOR: &str = "S=despatch;O=Telegraph;P=PARIS;A= ;C=FR";
const RECIPIENT: &str = "S=operations;O=Telegraph;P=LILLE;A= ;C=FR";
const NOBODY: &str = "S=nobody;O=Telegraph;P=LILLE;A= ;C=FR";

/// Why the demo did not get to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The system refused a directory, a port or a thread.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        error: std::io::Error,
    },
    /// An MTA did not start.
    #[error("an MTA did not start: {0}")]
    Start(#[from] StartError),
    /// A name or address of the demo's own is wrong.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A name or address of the demo's own is wrong.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A command failed.
    #[error("{0}")]
    Command(String),
    /// Something that should have happened did not.
    #[error("{what} did not happen within {} s", PATIENCE.as_secs())]
    TimedOut {
        /// What was waited for.
        what: &'static str,
    },
}

/// Runs the demo; with `once` it ends after the first delivery and reports.
pub(crate) fn run(once: bool) -> Result<(), DemoError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(io("start threads"))?;
    let directory = tempfile::tempdir().map_err(io("make a temporary directory"))?;
    let network = runtime.block_on(Network::start(directory.path()))?;
    let result = show(&runtime, &network, once);
    runtime.block_on(network.stop());
    result
}

fn show(runtime: &Runtime, network: &Network, once: bool) -> Result<(), DemoError> {
    let [paris, amiens, lille] = &network.sites;
    println!("Chappe {}: three X.400 MTAs on this machine, speaking P1 over RFC 1006.\n", runtime::VERSION);
    for site in &network.sites {
        println!("  {:<10} P1 {:<17} API {}", site.name, site.p1.to_string(), site.api_url());
    }
    println!(
        "\n  MTA-PARIS  ──P1──►  MTA-AMIENS  ──P1──►  MTA-LILLE      (reports come back the same way)\n"
    );

    println!("Someone at PARIS sends one message to two addresses at LILLE. One of them exists.\n");
    command(&[
        "submit",
        "--from",
        ORIGINATOR,
        "--to",
        RECIPIENT,
        "--to",
        NOBODY,
        "--subject",
        "Line open",
        "--text",
        "The semaphore line from Paris to Lille is up.",
        "--report",
        "delivery",
        "--api",
        &paris.api_url(),
    ])?;

    runtime.block_on(wait(&lille.handle, RECIPIENT, 1, "the delivery at LILLE"))?;
    println!("\nThe message was stored durably at each MTA before the one before it let go. At LILLE:\n");
    command(&["mailbox", "show", RECIPIENT, "--api", &lille.api_url()])?;

    runtime.block_on(wait(&paris.handle, ORIGINATOR, 2, "the reports at PARIS"))?;
    println!("\nLILLE reported on both recipients, and the reports have come back to PARIS:\n");
    command(&["mailbox", "show", ORIGINATOR, "--api", &paris.api_url()])?;

    println!("\nWhat happened: PARIS routed by longest match to its connector and opened an association to");
    println!(
        "AMIENS (session, presentation, ACSE, RTSE, MTABind with passwords checked both ways). The message"
    );
    println!(
        "was transferred and acknowledged only when AMIENS had it on disk; AMIENS added trace information and"
    );
    println!("did the same towards LILLE. The copies were removed once the next MTA had confirmed.\n");
    if once {
        return Ok(());
    }
    println!("The network keeps running. Look around from another terminal, for example:\n");
    println!("  chappe association list --api {}", amiens.api_url());
    println!("  chappe route '{RECIPIENT}' --api {}", paris.api_url());
    println!("  chappe queue list --api {}", paris.api_url());
    println!(
        "\n(chappe is target/release/chappe.) Console: {}/console/   Stop with Ctrl-C.",
        paris.api_url()
    );
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(io("wait for signals"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(io("wait for signals"))?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        println!("\nStopping.");
        Ok(())
    })
}

/// Shows a command line and runs it as the shell would.
fn command(arguments: &[&str]) -> Result<(), DemoError> {
    let shown: Vec<String> = arguments
        .iter()
        .map(
            |argument| {
                if argument.contains([' ', ';']) { format!("'{argument}'") } else { (*argument).to_owned() }
            },
        )
        .collect();
    println!("$ chappe {}", shown.join(" "));
    cli::run_arguments(arguments).map_err(|failure| DemoError::Command(failure.to_string()))
}

/// Waits until a mailbox has as many entries; the reports of one message may come one by one.
async fn wait(handle: &Handle, mailbox: &str, entries: usize, what: &'static str) -> Result<(), DemoError> {
    let address = OrAddress::parse(mailbox)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(found) = handle.mailbox(&address, None, 100).await
            && found.iter().map(|entry| settled(&entry.record.kind)).sum::<usize>() >= entries
        {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(DemoError::TimedOut { what });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Recipients that a mailbox entry tells of: one for a message, those of a report.
fn settled(item: &MailboxItem) -> usize {
    match item {
        MailboxItem::Message { .. } => 1,
        MailboxItem::Report { apdu } => match mhs::p1::MtsApdu::from_octets(apdu) {
            Ok(mhs::p1::MtsApdu::Report(report)) => report.content.per_recipient_fields.len(),
            Ok(mhs::p1::MtsApdu::Message(_) | mhs::p1::MtsApdu::Probe(_)) | Err(_) => 0,
        },
    }
}

/// The three MTAs.
struct Network {
    sites: [Site; 3],
}

struct Site {
    name: String,
    p1: SocketAddr,
    api: SocketAddr,
    handle: Handle,
    mta: Mta,
    stop_api: oneshot::Sender<()>,
}

impl Network {
    async fn start(directory: &Path) -> Result<Network, DemoError> {
        let [paris, amiens, lille] = [free_address()?, free_address()?, free_address()?];
        let mut at_paris = settings("PARIS", None)?;
        at_paris.connectors.push(connector("to-amiens", "AMIENS", amiens, &["P=AMIENS", "P=LILLE"])?);
        let mut at_amiens = settings("AMIENS", None)?;
        at_amiens.connectors.push(connector("to-paris", "PARIS", paris, &["P=PARIS"])?);
        at_amiens.connectors.push(connector("to-lille", "LILLE", lille, &["P=LILLE"])?);
        // An MTA relays for others only where its operator says so.
        for (index, other) in [(0, "to-lille"), (1, "to-paris")] {
            if let Some(connector) = at_amiens.connectors.get_mut(index) {
                connector.relay_to = RelayTo::Connectors(vec![other.to_owned()]);
            }
        }
        let mut at_lille = settings("LILLE", Some(RECIPIENT))?;
        at_lille.connectors.push(connector("to-amiens", "AMIENS", amiens, &["P=AMIENS", "P=PARIS"])?);
        Ok(Network {
            sites: [
                Site::start(directory, at_paris, paris).await?,
                Site::start(directory, at_amiens, amiens).await?,
                Site::start(directory, at_lille, lille).await?,
            ],
        })
    }

    async fn stop(self) {
        for site in self.sites {
            // The API may have ended already.
            let _ = site.stop_api.send(());
            site.mta.stop().await;
        }
    }
}

impl Site {
    async fn start(directory: &Path, settings: AgentSettings, p1: SocketAddr) -> Result<Site, DemoError> {
        let name = settings.mta.name.to_string();
        let config = RuntimeConfig {
            data_dir: directory.join(&name),
            settings,
            p1: vec![p1],
            stop_timeout: Duration::from_secs(10),
            spool: spool::Options::default(),
            limits: RuntimeLimits::default(),
            recorder: RecorderSettings::default(),
        };
        let mta = Mta::start(config).await?;
        let listener =
            tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.map_err(io("listen for the API"))?;
        let api = listener.local_addr().map_err(io("listen for the API"))?;
        let (stop_api, stopped) = oneshot::channel();
        let (let_go, _) = oneshot::channel();
        let gate = Arc::default();
        tokio::spawn(api::serve(Arc::new(listener), mta.handle(), gate, None, stopped, let_go));
        Ok(Site { name, p1, api, handle: mta.handle(), mta, stop_api })
    }

    fn api_url(&self) -> String {
        format!("http://{}", self.api)
    }
}

fn settings(site: &str, only_mailbox: Option<&str>) -> Result<AgentSettings, DemoError> {
    let domain = GlobalDomainIdentifier { country: "FR".into(), admd: " ".into(), prmd: Some(site.into()) };
    let mut mta = MtaSettings::new(MtaName::new(&format!("MTA-{site}"))?, domain);
    mta.password = Some(Secret::new(format!("password of {site}")));
    mta.local = vec![AddressPattern::parse(&format!("P={site};A= ;C=FR"))?];
    mta.mailboxes =
        only_mailbox.map(|address| OrAddress::parse(address).map(|address| vec![address])).transpose()?;
    Ok(AgentSettings::new(mta, Vec::new()))
}

fn connector(
    name: &str,
    site: &str,
    host: SocketAddr,
    spaces: &[&str],
) -> Result<ConnectorSettings, DemoError> {
    let mut connector = ConnectorSettings::new(name, MtaName::new(&format!("MTA-{site}"))?);
    connector.remote_password = Some(Secret::new(format!("password of {site}")));
    connector.hosts = vec![host.to_string()];
    for space in spaces {
        let space = AddressPattern::parse(&format!("{space};A= ;C=FR"))?;
        connector.address_space.push(AddressSpaceEntry { space, cost: 1 });
    }
    Ok(connector)
}

/// A loopback address that is free now. The MTAs name one another before they listen, so ports are chosen first.
fn free_address() -> Result<SocketAddr, DemoError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(io("find a free port"))?;
    listener.local_addr().map_err(io("find a free port"))
}

fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> DemoError {
    move |error| DemoError::Io { what, error }
}
