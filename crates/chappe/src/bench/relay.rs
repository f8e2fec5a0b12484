//! Generator → MTA → sink. The MTA is durable as always; nothing is switched off for the measurement.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use mhs::MtaName;
use osi::stack::StackConfig;
use runtime::p1_application;
use serde::Serialize;

use super::peer::{self, PASSWORD, Peer};
use super::process::{MtaProcess, free_address};
use super::{BenchError, RelayArgs, io, store};

/// The figures of one run.
#[derive(Debug, Serialize)]
struct Figures {
    messages: u64,
    size_octets: usize,
    associations: u32,
    seconds: f64,
    accepted_per_second: f64,
    relayed_per_second: f64,
    cpu_ms_per_message: f64,
    idle_memory_kib: u64,
    peak_memory_kib: u64,
    spool_per_second: f64,
    ratio_to_spool: f64,
}

pub(super) fn run(args: &RelayArgs) -> Result<(), BenchError> {
    let temporary = tempfile::tempdir().map_err(io("make a temporary directory"))?;
    let dir = args.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&dir).map_err(io("make the directory"))?;
    let (mta_address, sink_listener) = (free_address()?, bind_sink()?);
    let sink_address = sink_listener.local_addr().map_err(io("find the sink's port"))?;
    let mta = MtaProcess::start(&dir, &configuration(args, &dir, mta_address, sink_address)?, mta_address)?;

    let received = Arc::new(AtomicU64::new(0));
    let (done, all_received) = mpsc::channel();
    let wanted = args.messages;
    start_sink(sink_listener, Arc::clone(&received), wanted, done);

    let idle_memory = mta.resident_kib()?;
    let cpu_before = mta.cpu()?;
    let start = Instant::now();
    let accepted = generate(args, mta_address)?;
    // A minute without a single message means that the MTA is stuck; then the count says how far it came.
    let mut last = 0;
    while all_received.recv_timeout(Duration::from_secs(60)).is_err() {
        let now = received.load(Ordering::Relaxed);
        if now == last {
            return Err(BenchError::Mta(format!(
                "relayed {now} of {wanted} messages, then nothing for 60 s"
            )));
        }
        last = now;
    }
    let took = start.elapsed();
    let cpu = mta.cpu()?.saturating_sub(cpu_before);
    let memory = mta.memory_kib()?;
    drop(mta);

    let spool =
        store::measure(&dir.join("spool-alone"), args.messages, args.size, args.associations as usize)?;
    let relayed = per_second(args.messages, took);
    let figures = Figures {
        messages: args.messages,
        size_octets: args.size,
        associations: args.associations,
        seconds: took.as_secs_f64(),
        accepted_per_second: per_second(args.messages, accepted),
        relayed_per_second: relayed,
        cpu_ms_per_message: cpu.as_secs_f64() * 1_000.0 / args.messages as f64,
        idle_memory_kib: idle_memory,
        peak_memory_kib: memory,
        spool_per_second: spool,
        ratio_to_spool: relayed / spool,
    };
    print(args, &figures);
    Ok(())
}

fn print(args: &RelayArgs, figures: &Figures) {
    if args.json {
        println!("{}", serde_json::json!(figures));
        return;
    }
    println!(
        "relay: {} messages of {} octets over {} associations in {:.2} s",
        figures.messages, figures.size_octets, figures.associations, figures.seconds
    );
    println!("  accepted        {:>10.0} messages/s", figures.accepted_per_second);
    println!("  relayed         {:>10.0} messages/s", figures.relayed_per_second);
    println!("  CPU             {:>10.3} ms/message (MTA process only)", figures.cpu_ms_per_message);
    println!(
        "  peak memory     {:>10} KiB, {} KiB above what it has when idle",
        figures.peak_memory_kib,
        figures.peak_memory_kib.saturating_sub(figures.idle_memory_kib)
    );
    println!(
        "  spool alone     {:>10.0} messages/s (enqueue + read + delete, same machine, same run)",
        figures.spool_per_second
    );
    println!("  ratio           {:>10.2} of the spool alone", figures.ratio_to_spool);
}

fn generate(args: &RelayArgs, mta: SocketAddr) -> Result<Duration, BenchError> {
    let name = name("GENERATOR")?;
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let threads: Vec<_> = (0..args.associations)
        .map(|_| {
            let (name, next, args) = (name.clone(), Arc::clone(&next), args.clone());
            std::thread::spawn(move || -> Result<(), BenchError> {
                let mut peer = Peer::connect(mta, &name, stack())?;
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= args.messages {
                        return peer.close();
                    }
                    let apdu = peer::message(number, args.size)
                        .map_err(|error| BenchError::Association(error.to_string()))?;
                    peer.transfer(&apdu)?;
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| BenchError::Association("a generator thread panicked".to_owned()))??;
    }
    Ok(start.elapsed())
}

fn bind_sink() -> Result<TcpListener, BenchError> {
    TcpListener::bind(("127.0.0.1", 0)).map_err(io("listen as the sink"))
}

fn start_sink(listener: TcpListener, received: Arc<AtomicU64>, wanted: u64, done: mpsc::Sender<()>) {
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let (received, done) = (Arc::clone(&received), done.clone());
            std::thread::spawn(move || {
                // An association that fails is the MTA's to repeat; the count tells whether it did.
                let Ok(name) = name("SINK") else { return };
                let Ok(mut peer) = Peer::accept(socket, &name, stack()) else { return };
                let count = || {
                    if received.fetch_add(1, Ordering::Relaxed) + 1 == wanted {
                        let _ = done.send(());
                    }
                };
                while let Ok(true) = peer.swallow(count) {}
            });
        }
    });
}

fn stack() -> StackConfig {
    StackConfig::new(p1_application())
}

fn name(text: &str) -> Result<MtaName, BenchError> {
    MtaName::new(text).map_err(|error| BenchError::Association(error.to_string()))
}

fn per_second(messages: u64, took: Duration) -> f64 {
    messages as f64 / took.as_secs_f64()
}

fn configuration(
    args: &RelayArgs,
    dir: &std::path::Path,
    mta: SocketAddr,
    sink: SocketAddr,
) -> Result<String, BenchError> {
    let api = free_address()?;
    let data = dir.join("data");
    // One association is kept for urgent messages, so one more than the generator has is configured.
    let associations = args.associations + 1;
    Ok(format!(
        r#"
[mta]
name = "RELAY"
password = "{PASSWORD}"
domain = {{ country = "GB", admd = " ", prmd = "RELAY" }}
data_dir = "{}"
local = ["P=RELAY;A= ;C=GB"]

[listen]
p1 = ["{mta}"]
api = "{api}"

[[connector]]
name = "generator"
remote_mta = "GENERATOR"
remote_password = "{PASSWORD}"
hosts = ["127.0.0.1:1"]
address_space = [{{ address = "P=GENERATOR;A= ;C=GB", cost = 1 }}]
relay_to = ["sink"]
[connector.association]
max_associations = {associations}

[[connector]]
name = "sink"
remote_mta = "SINK"
remote_password = "{PASSWORD}"
hosts = ["{sink}"]
address_space = [{{ address = "P=SINK;A= ;C=GB", cost = 1 }}]
[connector.association]
threshold_messages = 1
max_associations = {associations}
"#,
        data.display()
    ))
}
