//! What an idle association costs in memory: many are opened to an MTA process, which is looked at before and after.

use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use mhs::MtaName;
use osi::stack::StackConfig;
use runtime::p1_application;
use serde::Serialize;

use super::peer::{PASSWORD, Peer};
use super::process::{MtaProcess, free_address};
use super::{BenchError, IdleArgs, io};
use crate::descriptors;

/// What one may cost.
const LIMIT_KIB: f64 = 64.0;
/// Associations of one connector at most, as the configuration has it.
const PER_CONNECTOR: u32 = 100;
/// Files of a process besides its associations: store, log, listeners, API.
const OTHER_FILES: u64 = 256;
/// How long memory may take to stand still, in looks of a fifth of a second.
const LOOKS: u32 = 50;

/// The figures of one run.
#[derive(Debug, Serialize)]
struct Figures {
    associations: u32,
    before_kib: u64,
    after_kib: u64,
    kib_per_association: f64,
    limit_kib: f64,
    ratio_to_limit: f64,
}

pub(super) fn run(args: &IdleArgs) -> Result<(), BenchError> {
    // The other ends are in this process.
    descriptors::provide(u64::from(args.associations) + OTHER_FILES).map_err(BenchError::Descriptors)?;
    let temporary = tempfile::tempdir().map_err(io("make a temporary directory"))?;
    let dir = args.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&dir).map_err(io("make the directory"))?;
    let address = free_address()?;
    let mta = MtaProcess::start(&dir, &configuration(args, &dir, address)?, address)?;
    // What the first association needs once for all is no cost of the others.
    open(address, 0)?.close()?;
    let before = settled(&mta)?;
    let peers = (0..args.associations).map(|n| open(address, n / PER_CONNECTOR));
    let peers: Vec<Peer> = peers.collect::<Result<_, _>>()?;
    let after = settled(&mta)?;
    let each = after.saturating_sub(before) as f64 / f64::from(args.associations);
    let figures = Figures {
        associations: args.associations,
        before_kib: before,
        after_kib: after,
        kib_per_association: each,
        limit_kib: LIMIT_KIB,
        ratio_to_limit: each / LIMIT_KIB,
    };
    drop(peers);
    if args.json {
        println!("{}", serde_json::json!(figures));
        return Ok(());
    }
    println!("idle: {} associations, bound and open", figures.associations);
    println!("  resident before {:>10} KiB", figures.before_kib);
    println!("  resident after  {:>10} KiB", figures.after_kib);
    println!("  each            {:>10.1} KiB", figures.kib_per_association);
    println!("  ratio           {:>10.2} of the limit of {LIMIT_KIB} KiB", figures.ratio_to_limit);
    Ok(())
}

fn open(address: SocketAddr, connector: u32) -> Result<Peer, BenchError> {
    let name = MtaName::new(&peer_name(connector));
    let name = name.map_err(|error| BenchError::Association(error.to_string()))?;
    Peer::connect(address, &name, StackConfig::new(p1_application()))
}

fn peer_name(connector: u32) -> String {
    format!("IDLE-{connector}")
}

/// Resident memory once it stands still.
fn settled(mta: &MtaProcess) -> Result<u64, BenchError> {
    let mut last = mta.resident_kib()?;
    for _ in 0..LOOKS {
        thread::sleep(Duration::from_millis(200));
        let now = mta.resident_kib()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}

fn configuration(args: &IdleArgs, dir: &Path, p1: SocketAddr) -> Result<String, BenchError> {
    let api = free_address()?;
    let data = dir.join("data");
    // Only what so many associations need differs from the defaults.
    let limits = match args.associations {
        0..1_000 => String::new(),
        // Some are kept for connectors that have none.
        many => format!("[limits]\nmax_associations = {}\n", u64::from(many) * 2),
    };
    let mut text = format!(
        "[mta]\nname = \"MTA\"\npassword = \"{PASSWORD}\"\n\
         domain = {{ country = \"GB\", admd = \" \", prmd = \"BENCH\" }}\ndata_dir = {data:?}\n\
         [listen]\np1 = [\"{p1}\"]\napi = \"{api}\"\n{limits}"
    );
    for connector in 0..=args.associations / PER_CONNECTOR {
        let name = peer_name(connector);
        text += &format!(
            "[[connector]]\nname = \"{name}\"\nremote_mta = \"{name}\"\nremote_password = \"{PASSWORD}\"\n\
             activation = \"never\"\n[connector.association]\nmax_associations = {PER_CONNECTOR}\n"
        );
    }
    Ok(text)
}
