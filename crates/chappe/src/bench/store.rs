//! The store alone, as the limit that everything above it is compared with.

use std::path::Path;

use spool::{EmbeddedSpool, Options};

use super::{BenchError, SpoolArgs, io};

pub(super) fn run(args: &SpoolArgs) -> Result<(), BenchError> {
    let temporary = tempfile::tempdir().map_err(io("make a temporary directory"))?;
    let dir = args.dir.clone().unwrap_or_else(|| temporary.path().join("spool"));
    let rate = measure(&dir, args.messages, args.size, args.producers)?;
    if args.json {
        let figures = serde_json::json!({
            "messages": args.messages, "size_octets": args.size, "producers": args.producers,
            "messages_per_second": rate,
        });
        println!("{figures}");
    } else {
        println!(
            "spool: {rate:.0} messages/s ({} of {} octets, {} producers, {} consumers; enqueue + read + delete)",
            args.messages,
            args.size,
            args.producers,
            consumers(args.producers)
        );
    }
    Ok(())
}

/// Messages a second through a fresh store in `dir`.
pub(super) fn measure(dir: &Path, messages: u64, size: usize, producers: usize) -> Result<f64, BenchError> {
    let spool =
        EmbeddedSpool::open(dir, Options::default()).map_err(|error| BenchError::Spool(error.to_string()))?;
    let throughput = spool::measure(&spool, producers, consumers(producers), size, messages)
        .map_err(|error| BenchError::Spool(error.to_string()))?;
    Ok(throughput.messages_per_second())
}

fn consumers(producers: usize) -> usize {
    (producers / 2).max(1)
}
