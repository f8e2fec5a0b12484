//! The protocol layers alone: two ends in memory, one thread, no socket, no disk. What a layer costs is the difference of
//! two measurements: messages carried with it on top, and without it. The BER reader is measured against the least
//! that could read the same octets.

use std::hint::black_box;
use std::time::{Duration, Instant};

use mhs::p1::{MtsApdu, message_header};
use osi::rtse::Mode;
use serde::Serialize;

use super::layers::{Carrier, Layers};
use super::{BenchError, StackArgs, baseline, hand_reader, peer};

/// The figures of one run.
#[derive(Debug, Serialize)]
struct Figures {
    stack: Vec<StackFigures>,
    ber: BerFigures,
    p1: P1Figures,
}

/// Messages of one size through all layers.
#[derive(Debug, Serialize)]
struct StackFigures {
    mode: &'static str,
    size_octets: usize,
    messages_per_second: f64,
    megabytes_per_second: f64,
    /// Share of the time: what each layer adds to those under it.
    shares: Vec<Share>,
}

#[derive(Debug, Serialize)]
struct Share {
    layer: &'static str,
    microseconds_per_message: f64,
    share: f64,
}

#[derive(Debug, Serialize)]
struct BerFigures {
    octets: usize,
    walks_per_second: f64,
    baseline_walks_per_second: f64,
    /// Time of ours for each unit of the baseline's.
    ratio: f64,
}

#[derive(Debug, Serialize)]
struct P1Figures {
    octets: usize,
    decoded_per_second: f64,
    /// Decoded, and the address of every name taken apart.
    decoded_with_addresses_per_second: f64,
    /// By a reader that checks nothing and borrows what it finds.
    hand_read_per_second: f64,
    /// Time of the decoder for each unit of that reader's.
    ratio: f64,
    encoded_per_second: f64,
}

pub(super) fn run(args: &StackArgs) -> Result<(), BenchError> {
    let time = Duration::from_millis(args.milliseconds);
    let sizes = if args.size.is_empty() { vec![2_048, 102_400, 10_485_760] } else { args.size.clone() };
    let mut stack = Vec::new();
    for mode in [Mode::Normal1988, Mode::X410 { application_protocol: 12 }] {
        for &size in &sizes {
            stack.push(measure(mode, size, time)?);
        }
    }
    let figures = Figures { stack, ber: ber(time), p1: p1(time)? };
    print(args, &figures);
    Ok(())
}

fn measure(mode: Mode, size: u32, time: Duration) -> Result<StackFigures, BenchError> {
    let size = size as usize;
    let message = peer::message(1, size).map_err(|error| BenchError::Association(error.to_string()))?;
    let mut before = 0.0;
    let mut times = Vec::new();
    for layers in Layers::ALL {
        let mut carrier = Carrier::open(layers, mode)?;
        let micros = micros_each(time, || carrier.carry(&message))?;
        // Noise may make a layer that does next to nothing cheaper than its absence.
        times.push((layers.top(), (micros - before).max(0.0)));
        before = micros;
    }
    let all = before;
    Ok(StackFigures {
        mode: match mode {
            Mode::Normal1988 => "normal",
            Mode::X410 { .. } => "X.410",
        },
        size_octets: size,
        messages_per_second: 1e6 / all,
        megabytes_per_second: size as f64 / all,
        shares: times
            .into_iter()
            .map(|(layer, micros)| Share { layer, microseconds_per_message: micros, share: micros / all })
            .collect(),
    })
}

/// The best of five rounds, in microseconds: whatever else the machine does only ever adds.
fn micros_each(time: Duration, mut one: impl FnMut() -> Result<(), BenchError>) -> Result<f64, BenchError> {
    const ROUNDS: u32 = 5;
    one()?;
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut count = 0_u32;
        while count == 0 || start.elapsed() < time / ROUNDS {
            one()?;
            count += 1;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(count));
    }
    Ok(best)
}

fn ber(time: Duration) -> BerFigures {
    let octets = baseline::golden_message();
    let walk = |walk: fn(&[u8]) -> usize| {
        micros_each(time, || {
            // Many at once: reading the clock costs as much as one walk.
            for _ in 0..100 {
                black_box(walk(black_box(&octets)));
            }
            Ok(())
        })
        .map_or(f64::MAX, |micros| micros / 100.0)
    };
    let (ours, least) = (walk(baseline::walk_checked), walk(baseline::walk_least));
    BerFigures {
        octets: octets.len(),
        walks_per_second: 1e6 / ours,
        baseline_walks_per_second: 1e6 / least,
        ratio: ours / least,
    }
}

fn p1(time: Duration) -> Result<P1Figures, BenchError> {
    let octets = baseline::golden_message();
    let unreadable = |error: mhs::DecodeError| BenchError::Association(error.to_string());
    let decode = micros_each(time, || {
        for _ in 0..100 {
            black_box(MtsApdu::from_octets(black_box(&octets)).map_err(unreadable)?);
        }
        Ok(())
    })?;
    let addresses = micros_each(time, || {
        for _ in 0..100 {
            let apdu = MtsApdu::from_octets(black_box(&octets)).map_err(unreadable)?;
            if let MtsApdu::Message(message) = &apdu {
                black_box(message.envelope.originator_name.address());
                message.envelope.per_recipient_fields.iter().for_each(|recipient| {
                    black_box(recipient.address());
                });
            }
            black_box(apdu);
        }
        Ok(())
    })?;
    let by_hand = micros_each(time, || {
        for _ in 0..100 {
            black_box(hand_reader::read(black_box(&octets)));
        }
        Ok(())
    })?;
    let MtsApdu::Message(message) = MtsApdu::from_octets(&octets).map_err(unreadable)? else {
        return Err(BenchError::Association("the golden message is none".to_owned()));
    };
    let encode = micros_each(time, || {
        for _ in 0..100 {
            black_box(message_header(black_box(&message.envelope), 2_048));
        }
        Ok(())
    })?;
    Ok(P1Figures {
        octets: octets.len(),
        decoded_per_second: 1e8 / decode,
        decoded_with_addresses_per_second: 1e8 / addresses,
        hand_read_per_second: 1e8 / by_hand,
        ratio: decode / by_hand,
        encoded_per_second: 1e8 / encode,
    })
}

fn print(args: &StackArgs, figures: &Figures) {
    if args.json {
        println!("{}", serde_json::json!(figures));
        return;
    }
    println!("stack: two ends in memory, one core for both");
    for row in &figures.stack {
        println!(
            "  {:<6} {:>10} octets {:>10.0} messages/s {:>8.1} MB/s",
            row.mode, row.size_octets, row.messages_per_second, row.megabytes_per_second
        );
        for share in &row.shares {
            let percent = share.share * 100.0;
            println!("    {:<16} {:>12.2} us {percent:>5.0} %", share.layer, share.microseconds_per_message);
        }
    }
    let ber = &figures.ber;
    println!(
        "BER: a message of {} octets walked {:.0} times/s, by the least reader {:.0}: {:.2} of its time",
        ber.octets, ber.walks_per_second, ber.baseline_walks_per_second, ber.ratio
    );
    let p1 = &figures.p1;
    println!(
        "P1: the same decoded {:.0} times/s, by the least typed reader {:.0}: {:.2} of its time",
        p1.decoded_per_second, p1.hand_read_per_second, p1.ratio
    );
    println!(
        "P1: with every address taken apart {:.0} times/s, the envelope encoded {:.0} times/s",
        p1.decoded_with_addresses_per_second, p1.encoded_per_second
    );
}
