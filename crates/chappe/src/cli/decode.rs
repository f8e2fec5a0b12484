//! `chappe decode`: octets as readable text.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use mhs::Tree;
use serde::{Serialize, Serializer};

use super::failure::Failure;
use super::output;
use crate::decode::{self, Kind};
use crate::ladder::{self, LadderPage, text};

/// Longest file that is decoded: it is held in memory.
const MAX_FILE_OCTETS: u64 = 256 << 20;

/// What is said of a capture without any.
const NO_CONNECTION: &str = "The capture holds no TCP connection.\n";

/// Print a P1 APDU, a P2 or P22 content or a pcap capture as readable text
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chappe decode message.p1\n  chappe decode trace.pcap --json\n  chappe decode trace.pcap --ladder"
)]
pub(super) struct Decode {
    /// The file: octets or hexadecimal digits of an APDU or a content, or a capture.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Draw the TPDUs of a capture as a ladder: who sent what when, layer by layer.
    #[arg(long)]
    ladder: bool,
    /// Of a ladder, draw the arrows alone.
    #[arg(long, requires = "ladder")]
    brief: bool,
}

impl Decode {
    pub(super) fn run(self) -> Result<(), Failure> {
        let name = self.file.display();
        let mut octets = Vec::new();
        let read =
            File::open(&self.file).and_then(|file| file.take(MAX_FILE_OCTETS + 1).read_to_end(&mut octets));
        read.map_err(|error| Failure::Usage(format!("{name}: {error}; name a readable file")))?;
        if octets.len() as u64 > MAX_FILE_OCTETS {
            let limit = output::size(MAX_FILE_OCTETS);
            return Err(Failure::Failed(format!(
                "{name}: longer than {limit}, which is more than is decoded at once"
            )));
        }
        if self.ladder {
            let ladders =
                decode::ladders(&octets).map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
            let whole = ladders.iter().zip(1..).map(|(ladder, number)| ladder::of_ladder(number, ladder));
            let (connections, items): (Vec<_>, Vec<_>) = whole.unzip();
            let items = items.into_iter().flatten().collect();
            let page = LadderPage { connections, items, next: None, previous: None };
            return if self.json {
                output::print_json(&page)
            } else if page.connections.is_empty() {
                output::print(NO_CONNECTION)
            } else {
                output::print(&output::many_lines(&text::draw(&page, self.brief)))
            };
        }
        let (kind, trees) =
            decode::decode(&octets).map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
        if self.json {
            let kind = match kind {
                Kind::Apdu => "apdu",
                Kind::Content => "content",
                Kind::Capture => "capture",
            };
            return output::print_json(&Decoded { kind, items: trees.iter().map(Node).collect() });
        }
        if trees.is_empty() {
            return output::print(NO_CONNECTION);
        }
        let texts: Vec<String> = trees.iter().map(|tree| output::many_lines(&tree.to_string())).collect();
        output::print(&texts.join("\n"))
    }
}

#[derive(Serialize)]
struct Decoded<'a> {
    kind: &'static str,
    items: Vec<Node<'a>>,
}

/// A tree as JSON.
struct Node<'a>(&'a Tree);

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            name: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            value: Option<&'a str>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            children: Vec<Node<'a>>,
        }
        let Node(tree) = self;
        let children = tree.children.iter().map(Node).collect();
        Fields { name: &tree.name, value: tree.value.as_deref(), children }.serialize(serializer)
    }
}
