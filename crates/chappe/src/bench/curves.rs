//! How throughput, processor time and memory change with the length of a queue, the number of recipients, the number of
//! connectors and the size of messages: each should stay level, or grow in proportion, and nothing worse.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use mhs::NameError;
use serde::Serialize;

use super::fill::fill;
use super::flow::{self, Arrived};
use super::peer::{self, PASSWORD};
use super::plot::{self, Panel};
use super::process::{MtaProcess, free_address};
use super::{BenchError, io};
use crate::descriptors;

/// Octets of content where size is not what changes.
const SIZE: usize = 2_048;
/// Associations of the generator.
const ASSOCIATIONS: u32 = 20;
/// Octets on their way at once in the generator.
const IN_FLIGHT: u64 = 256 << 20;
/// Most that the cost of one unit may grow from the first third of a curve to its end.
const MOST_GROWTH: f64 = 2.0;

#[derive(Clone, Debug, Args)]
pub(crate) struct CurvesArgs {
    /// Curves to measure; all if absent.
    #[arg(long, value_enum)]
    only: Vec<Curve>,
    /// Points of the curve instead of the usual ones, with one `--only`; may be given more than once.
    #[arg(long, requires = "only", value_parser = clap::value_parser!(u64).range(1..=2_000_000_000))]
    point: Vec<u64>,
    /// Messages relayed at each point, or recipients, or mebibytes of content: whatever makes the cost.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    load: u64,
    /// Directory for plots, one SVG file for each curve.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Directory in which the stores are made; that for temporary files if absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// What changes along a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Curve {
    /// Messages that wait for a connector which is not active, while others are relayed.
    Queue,
    /// Recipients of each message.
    Recipients,
    /// Connectors over which the messages are spread.
    Connectors,
    /// Octets of content of each message.
    Size,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Point {
    x: u64,
    messages: u64,
    seconds: f64,
    messages_per_second: f64,
    /// Messages, recipients or MiB.
    units_per_second: f64,
    cpu_ms_per_unit: f64,
    idle_kib: u64,
    peak_kib: u64,
}

#[derive(Debug, Serialize)]
struct Drawn {
    curve: Curve,
    growth: f64,
    points: Vec<Point>,
}

/// What happens at one point.
struct Load {
    messages: u64,
    /// In which the cost is counted.
    units: f64,
    size: usize,
    recipients: u64,
    connectors: u64,
    waiting: u64,
    associations: u32,
}

impl Curve {
    fn points(self) -> Vec<u64> {
        let powers = |last: u32| (0..=last).map(|power| 10_u64.pow(power)).collect();
        match self {
            Curve::Queue => powers(6),
            Curve::Recipients => powers(4),
            Curve::Connectors => powers(3),
            // 1 KiB to 1 GiB.
            Curve::Size => [10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30].map(|power| 1 << power).into(),
        }
    }

    fn x_title(self) -> &'static str {
        match self {
            Curve::Queue => "messages waiting",
            Curve::Recipients => "recipients of each message",
            Curve::Connectors => "connectors",
            Curve::Size => "octets of content",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Curve::Queue | Curve::Connectors => "message",
            Curve::Recipients => "recipient",
            Curve::Size => "MiB",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Curve::Queue => "queue",
            Curve::Recipients => "recipients",
            Curve::Connectors => "connectors",
            Curve::Size => "size",
        }
    }

    fn load(self, x: u64, load: u64) -> Load {
        let usual = Load {
            messages: load,
            units: load as f64,
            size: SIZE,
            recipients: 1,
            connectors: 1,
            waiting: 0,
            associations: ASSOCIATIONS,
        };
        match self {
            Curve::Queue => Load { waiting: x, ..usual },
            Curve::Recipients => {
                // So many messages at least that all associations have something to do.
                let messages = (4 * load / x).clamp(u64::from(ASSOCIATIONS), load);
                Load { messages, units: (messages * x) as f64, recipients: x, ..usual }
            }
            Curve::Connectors => {
                // To open an association is not what is measured: each carries some messages at least.
                let messages = load.max(20 * x);
                Load { messages, units: messages as f64, connectors: x, ..usual }
            }
            Curve::Size => {
                let size = usize::try_from(x).unwrap_or(usize::MAX);
                let messages = (load * 64 * 1_024 / x).clamp(1, load);
                let associations = (IN_FLIGHT / x).clamp(1, u64::from(ASSOCIATIONS)).min(messages);
                Load {
                    messages,
                    units: messages as f64 * x as f64 / f64::from(1 << 20),
                    size,
                    associations: u32::try_from(associations).unwrap_or(1),
                    ..usual
                }
            }
        }
    }
}

pub(super) fn run(args: &CurvesArgs) -> Result<(), BenchError> {
    descriptors::provide(8_192).map_err(BenchError::Descriptors)?;
    if let Some(svg) = &args.svg {
        std::fs::create_dir_all(svg).map_err(io("make the directory for plots"))?;
    }
    let all = [Curve::Queue, Curve::Recipients, Curve::Connectors, Curve::Size];
    let curves = if args.only.is_empty() { all.to_vec() } else { args.only.clone() };
    let mut drawn = Vec::new();
    for curve in curves {
        let xs = if args.point.is_empty() { curve.points() } else { args.point.clone() };
        if !args.json {
            header(curve);
        }
        let mut points = Vec::new();
        for x in xs {
            let point = measure(args, x, &curve.load(x, args.load))?;
            if !args.json {
                row(&point);
            }
            points.push(point);
        }
        let growth = growth(&points);
        if !args.json {
            let verdict = if growth <= MOST_GROWTH { "level" } else { "GROWS" };
            println!(
                "  CPU for one {}, end of the curve to its first third: {growth:.2} ({verdict})",
                curve.unit()
            );
        }
        if let Some(svg) = &args.svg {
            let file = svg.join(format!("{}.svg", curve.name()));
            std::fs::write(file, plotted(curve, &points)).map_err(io("write a plot"))?;
        }
        drawn.push(Drawn { curve, growth, points });
    }
    if args.json {
        println!("{}", serde_json::json!(drawn));
    }
    Ok(())
}

fn header(curve: Curve) {
    println!("curves: {}", curve.x_title());
    println!(
        "  {:>12} {:>9} {:>12} {:>12} {:>14} {:>10} {:>10}",
        "",
        "messages",
        "messages/s",
        format!("{}s/s", curve.unit()),
        format!("CPU ms/{}", curve.unit()),
        "idle KiB",
        "peak KiB"
    );
}

fn row(point: &Point) {
    println!(
        "  {:>12} {:>9} {:>12.1} {:>12.1} {:>14.4} {:>10} {:>10}",
        point.x,
        point.messages,
        point.messages_per_second,
        point.units_per_second,
        point.cpu_ms_per_unit,
        point.idle_kib,
        point.peak_kib
    );
}

/// Processor time of a unit at the end of the curve, as a ratio to the least in its first third: what is fixed for each message
/// makes the first points dear, and is none of the curve's doing.
fn growth(points: &[Point]) -> f64 {
    let first = points.len().div_ceil(3);
    let least =
        points.iter().take(first.max(1)).map(|point| point.cpu_ms_per_unit).fold(f64::INFINITY, f64::min);
    points.last().map_or(f64::NAN, |last| last.cpu_ms_per_unit / least)
}

fn plotted(curve: Curve, points: &[Point]) -> String {
    let of = |value: fn(&Point) -> f64| points.iter().map(|point| (point.x as f64, value(point))).collect();
    let (rate, cost) = (format!("{}s a second", curve.unit()), format!("CPU ms for one {}", curve.unit()));
    plot::svg(
        curve.x_title(),
        &[
            Panel { title: &rate, points: of(|point| point.units_per_second) },
            Panel { title: &cost, points: of(|point| point.cpu_ms_per_unit) },
            Panel { title: "peak memory, KiB", points: of(|point| point.peak_kib as f64) },
        ],
    )
}

fn measure(args: &CurvesArgs, x: u64, load: &Load) -> Result<Point, BenchError> {
    let temporary = match &args.dir {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let dir = temporary.map_err(io("make a temporary directory"))?;
    let data = dir.path().join("data");
    if load.waiting > 0 {
        fill(&data, load.waiting, SIZE, |_| ("waiting".to_owned(), "WAITING".to_owned()))?;
    }
    let arrived = Arc::new(Arrived::default());
    let sinks = (0..load.connectors).map(|number| {
        let arrived = Arc::clone(&arrived);
        flow::sink(&sink_name(number), move || {
            arrived.add();
        })
    });
    let sinks: Vec<SocketAddr> = sinks.collect::<Result<_, _>>()?;
    let p1 = free_address()?;
    let mta = MtaProcess::start(dir.path(), &configuration(&data, p1, &sinks, load.waiting > 0)?, p1)?;
    // What is done once behind a start is not what is measured.
    wait_until_idle(&mta)?;
    let (idle, cpu) = (mta.resident_kib()?, mta.cpu()?);
    let start = Instant::now();
    let (size, recipients, connectors, waiting) = (load.size, load.recipients, load.connectors, load.waiting);
    flow::generate(p1, load.associations, load.messages, move |number| {
        message(&sink_name(number % connectors), waiting + number, size, recipients)
    })?;
    arrived.wait(load.messages)?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = mta.cpu()?.saturating_sub(cpu);
    Ok(Point {
        x,
        messages: load.messages,
        seconds,
        messages_per_second: load.messages as f64 / seconds,
        units_per_second: load.units / seconds,
        cpu_ms_per_unit: cpu.as_secs_f64() * 1_000.0 / load.units,
        idle_kib: idle,
        peak_kib: mta.memory_kib()?,
    })
}

/// Waits until the process does nothing for half a second, two minutes at most.
fn wait_until_idle(mta: &MtaProcess) -> Result<(), BenchError> {
    let start = Instant::now();
    let mut last = mta.cpu()?;
    while start.elapsed().as_secs() < 120 {
        std::thread::sleep(std::time::Duration::from_millis(500));
        let now = mta.cpu()?;
        if now.saturating_sub(last).as_millis() <= 10 {
            break;
        }
        last = now;
    }
    Ok(())
}

fn message(prmd: &str, number: u64, size: usize, recipients: u64) -> Result<Vec<u8>, NameError> {
    use mhs::p1::{
        Message, MtsApdu, OriginatingMtaReport, OriginatorReport, PerRecipientFields, PerRecipientIndicators,
    };
    use mhs::{OrAddress, OrName};
    let mut envelope = peer::envelope_to(prmd, number)?;
    for recipient in 2..=recipients {
        let address = OrAddress::parse(&format!("S=sink{recipient};P={prmd};A= ;C=GB")).unwrap_or_default();
        envelope.per_recipient_fields.push(PerRecipientFields::new(
            OrName::from(address),
            i64::try_from(recipient).unwrap_or(i64::MAX),
            PerRecipientIndicators::new(true, OriginatingMtaReport::NonDelivery, OriginatorReport::None),
        ));
    }
    Ok(MtsApdu::Message(Box::new(Message::new(envelope, vec![b'x'; size]))).to_octets())
}

fn sink_name(number: u64) -> String {
    format!("SINK{number}")
}

fn configuration(
    data: &Path,
    p1: SocketAddr,
    sinks: &[SocketAddr],
    waiting: bool,
) -> Result<String, BenchError> {
    let api = free_address()?;
    let mut text = format!(
        "[mta]\nname = \"MTA\"\npassword = \"{PASSWORD}\"\n\
         domain = {{ country = \"GB\", admd = \" \", prmd = \"BENCH\" }}\ndata_dir = {data:?}\n\
         [listen]\np1 = [\"{p1}\"]\napi = \"{api}\"\n\
         [limits]\nmax_associations = 4000\n\
         [[connector]]\nname = \"generator\"\nremote_mta = \"GENERATOR\"\nremote_password = \"{PASSWORD}\"\n\
         activation = \"never\"\nrelay_to = [\"*\"]\naddress_space = [{{ address = \"P=GENERATOR;A= ;C=GB\" }}]\n\
         [connector.association]\nmax_associations = 50\n"
    );
    if waiting {
        text += &format!(
            "[[connector]]\nname = \"waiting\"\nremote_mta = \"WAITING\"\nremote_password = \"{PASSWORD}\"\n\
             activation = \"never\"\naddress_space = [{{ address = \"P=WAITING;A= ;C=GB\" }}]\n"
        );
    }
    // With one connector as many associations as the generator has, and one for urgent messages.
    let most = if sinks.len() == 1 { ASSOCIATIONS + 1 } else { 2 };
    for (number, host) in (0..).zip(sinks) {
        let name = sink_name(number);
        text += &format!(
            "[[connector]]\nname = \"{name}\"\nremote_mta = \"{name}\"\nremote_password = \"{PASSWORD}\"\n\
             hosts = [\"{host}\"]\naddress_space = [{{ address = \"P={name};A= ;C=GB\", cost = 1 }}]\n\
             [connector.association]\nthreshold_messages = 1\nmax_associations = {most}\n"
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: u64, cost: f64) -> Point {
        Point {
            x,
            messages: 1,
            seconds: 1.0,
            messages_per_second: 1.0,
            units_per_second: 1.0,
            cpu_ms_per_unit: cost,
            idle_kib: 1,
            peak_kib: 1,
        }
    }

    #[test]
    fn growth_is_the_end_to_the_best_of_the_beginning() {
        let points: Vec<Point> = [9.0, 2.0, 1.0, 1.0, 4.0].into_iter().map(|cost| point(1, cost)).collect();
        assert!((growth(&points) - 2.0).abs() < 1e-9);
        assert!(growth(&[]).is_nan());
    }

    #[test]
    fn every_point_has_something_to_relay() {
        for curve in [Curve::Queue, Curve::Recipients, Curve::Connectors, Curve::Size] {
            for x in curve.points() {
                let load = curve.load(x, 5_000);
                assert!(load.messages >= 1 && load.associations >= 1 && load.units > 0.0, "{curve:?} {x}");
                assert!(load.size as u64 * u64::from(load.associations) <= IN_FLIGHT.max(load.size as u64));
            }
        }
    }

    #[test]
    fn a_message_has_the_recipients_asked_for() {
        use mhs::p1::MtsApdu;
        let octets = message("SINK0", 7, 10, 12).expect("a message");
        let MtsApdu::Message(message) = MtsApdu::from_octets(&octets).expect("readable") else {
            panic!("no message")
        };
        assert_eq!(message.envelope.per_recipient_fields.len(), 12);
        assert_eq!(peer::number_of(&octets), Some(7));
    }
}
