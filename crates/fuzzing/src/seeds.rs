//! Seeds out of the recorded associations and the golden encodings: what real peers sent is where most of the states are.

use osi::session::spdu::{Spdu, decode_tsdu};
use testkit::{Capture, GoldenVector, Side, tsdus_of, wrap_apdu};

use crate::{ScriptWriter, config_file};

/// An input to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The target it is for.
    pub target: &'static str,
    /// Its octets.
    pub octets: Vec<u8>,
}

/// All seeds, in an order that does not change.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Seeds(Vec::new());
    let mut files: Vec<_> = std::fs::read_dir(Capture::fixture_dir())
        .expect("the collection of captures")
        .map(|entry| entry.expect("an entry of it").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
        .collect();
    files.sort();
    for file in files {
        let capture = Capture::open(&file).expect("a capture of the collection");
        for connection in &capture.connections {
            for side in [Side::Initiator, Side::Responder] {
                seeds.stream(side, &connection.octets(side));
                for transfer in connection.transfers(side) {
                    seeds.transferred(&transfer.octets);
                    if let Some(apdu) = transfer.apdu() {
                        seeds.apdu(&apdu);
                    }
                }
            }
        }
    }
    seeds.apdu(&GoldenVector::Message.octets());
    for golden in [
        GoldenVector::Connect,
        GoldenVector::Accept,
        GoldenVector::Finish,
        GoldenVector::Disconnect,
        GoldenVector::ConnectX410,
    ] {
        seeds.tsdu(&golden.octets());
    }
    seeds.written();
    seeds.0.sort_by(|left, right| (left.target, &left.octets).cmp(&(right.target, &right.octets)));
    seeds.0.dedup();
    seeds.0
}

/// Longer ones cost more than they show.
const OCTETS_MAX: usize = 20_000;

struct Seeds(Vec<Seed>);

impl Seeds {
    fn add(&mut self, target: &'static str, octets: &[u8]) {
        let octets = octets.get(..octets.len().min(OCTETS_MAX)).unwrap_or_default();
        self.0.push(Seed { target, octets: octets.to_vec() });
    }

    /// Everything that one side sent.
    fn stream(&mut self, side: Side, octets: &[u8]) {
        // An odd chunk, and no limit.
        self.add("tpkt", &[&[7, 0, 0], octets].concat());
        let initiated = side == Side::Initiator;
        let mut cotp = ScriptWriter::new().octet([u8::from(!initiated)]);
        let mut rest = octets;
        let mut accepted = false;
        while let [3, _, high, low, ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low])).max(4);
            let Some((packet, later)) = rest.split_at_checked(length) else { break };
            rest = later;
            cotp = cotp.octet([0]).octets(packet.get(4..).unwrap_or_default());
            if initiated && !accepted {
                cotp = cotp.octet([5, 9]);
                accepted = true;
            }
        }
        self.add("cotp", &cotp.into_vec());
        // The stack at the other end gets it in pieces, and its user says yes to everything.
        let mut stack = ScriptWriter::new().octet([u8::from(!initiated), 0x34]);
        for piece in octets.chunks(600).take(30) {
            stack = stack.octet([0x66]).octets(piece).octet([0x90, 0x9A, 0x99, 1]);
        }
        self.add("stack", &stack.into_vec());
        // So does a session machine.
        let mut session = ScriptWriter::new().octet([0, 0]).octets(b"");
        for tsdu in tsdus_of(octets) {
            self.tsdu(&tsdu);
            let to = if initiated { 0x80 } else { 0 };
            session = session.octet([0x24 | to]).octets(&tsdu).octet([0x2D | to]).octets(b"");
        }
        self.add("session", &session.into_vec());
    }

    fn tsdu(&mut self, tsdu: &[u8]) {
        self.add("session_codec", tsdu);
        for spdu in decode_tsdu(tsdu).unwrap_or_default() {
            match spdu {
                Spdu::Cn(cn) => self.user_data(&cn.user_data, 0x40),
                Spdu::Ac(ac) => self.user_data(&ac.user.octets, 0x41),
                Spdu::Rf(rf) => self.user_data(&rf.user_data, 0x42),
                Spdu::Fn { user, .. } => self.user_data(&user.octets, 0x43),
                Spdu::Dn { user } => self.user_data(&user.octets, 0x44),
                Spdu::Ab { user, .. } => self.user_data(&user.octets, 0x45),
                Spdu::Dt { data, .. } => self.user_data(&data, 0x47),
                _ => {}
            }
        }
    }

    /// SS-user data, and what of it belongs to the layers above.
    fn user_data(&mut self, octets: &[u8], event: u8) {
        self.add("presentation_codec", octets);
        self.add("ber", octets);
        let side = if event == 0x40 || event == 0x43 { 0x80 } else { 0 };
        // An initiator connects first.
        let script = ScriptWriter::new().octet([0, 0x50, 0, 1]).octets(b"x").octet([event | side]);
        self.add("presentation", &script.octets(octets).into_vec());
        // What P-DATA holds is looked at as what it transfers.
        if event == 0x47 {
            return;
        }
        for element in elements(octets) {
            self.add("acse_codec", element);
            self.add("rtse_codec", &[&[3], element].concat());
            self.add("bind", element);
            self.add("rose", element);
        }
    }

    /// The octets of an RT-TRANSFER, with the EXTERNAL around the APDU.
    fn transferred(&mut self, octets: &[u8]) {
        self.add("rtse_codec", &[&[5], octets].concat());
        let mut rtse = ScriptWriter::new().octet([0x22]).octet([0xA0, 1, 3]).octets(b"").octet([0, 0xC0]);
        for piece in octets.chunks(1_000).take(8) {
            rtse = rtse.octet([0xE0]).octets(piece).octet([0xC2, 1, 9, 1]);
        }
        self.add("rtse", &rtse.octet([0xC6, 1, 10]).into_vec());
    }

    fn apdu(&mut self, apdu: &[u8]) {
        self.add("ber", apdu);
        self.add("p1", &[&[7, 0, 0], apdu].concat());
        self.add("report", apdu);
        self.add("decode", apdu);
        self.add("decode", &wrap_apdu(apdu).into_vec());
        for name in names(apdu) {
            self.add("or_address", name);
        }
        if let Ok(mhs::p1::MtsApdu::Message(message)) = mhs::p1::MtsApdu::from_octets(apdu) {
            self.add("ipm", &message.content);
            self.add("or_address", message.envelope.originator_name.address().to_string().as_bytes());
        }
    }

    /// Those that no capture holds.
    fn written(&mut self) {
        for text in [
            "C=GB;A= ;P=ALPHA;O=Org;OU1=Unit;S=Smith;G=John;I=J;Q=3",
            "/C=GB/ADMD=GOLD 400/PRMD=ALPHA/S=Smith/DDA.RFC-822=a(a)b.c/",
            "C=DE;A=400NET;X.121=262450;N-ID=12;CN=Name;T-ID=3",
            "C=GB;A= ;P=ALPHA;O=*",
            "P=ALPHA;A= ;C=GB",
        ] {
            self.add("or_address", text.as_bytes());
        }
        for settings in [0x34, 0x36, 0x35, 0x40, 0xB6] {
            // Open, transfer, answer, transfer the other way, close.
            let script = ScriptWriter::new()
                .octet([settings, settings, 0x18, 0x42])
                .number(5_000)
                .octet([0x18, 0xCC, 1, 0x10, 0x4D, 0x10, 0xC3])
                .number(100)
                .octet([0x18, 0x4E]);
            self.add("stack_pair", &script.into_vec());
            let cancelled = ScriptWriter::new()
                .octet([settings, settings, 0x18, 0x42])
                .number(8_000)
                .octet([0x20, 0x10, 0x20, 0x47, 0x10, 0x18]);
            self.add("stack_pair", &cancelled.into_vec());
            // A piece, its checkpoint confirmed, an interruption, and on from there.
            let resumed = ScriptWriter::new()
                .octet([settings, settings, 0x18, 0x42])
                .number(8_000)
                .octet([0x20, 0x10, 0xA0, 0x10, 0x48, 0x10, 0x4F, 1, 1, 0x10, 0xA0, 0x18]);
            self.add("stack_pair", &resumed.into_vec());
        }
        // In both forms: bind, invoke both ways, answer, unbind; then one transfer at a time, an operation and its child.
        for settings in [0, 1, 0x0D, 0x20, 0x41, 0x80] {
            let script = ScriptWriter::new()
                .octet([settings, settings, 0x18, 0x41, 0, 3, 0x40])
                .number(500)
                .octet([1, 0xC2, 0, 4, 0x40])
                .number(3_000)
                .octet([1, 0x18, 0x7B, 0, 0x18]);
            self.add("access", &script.into_vec());
            let child = ScriptWriter::new()
                .octet([settings, settings, 0x18, 0x40, 0, 3, 0, 1, 0x10, 0xC1, 0, 5, 0, 4, 1, 0x10])
                .octet([0x60, 0, 0, 0x10, 0xE4, 0, 0, 0x10, 0x74, 0, 1, 0x10, 0x18, 0x7B, 0, 0x18]);
            self.add("access", &child.into_vec());
            let refused = ScriptWriter::new().octet([settings, settings, 0x10, 0xFA, 0, 1, 0x18]);
            self.add("access", &refused.into_vec());
        }
        for mode in [0, 1] {
            let script = ScriptWriter::new()
                .octet([mode, 0x48])
                .octets(b"bind")
                .octet([0x80, 0xCA])
                .octets(b"result")
                .octet([0, 0x4D, 0x80, 0xCE, 0]);
            self.add("acse", &script.into_vec());
        }
        let presentation = ScriptWriter::new()
            .octet([0, 0x50, 0, 1])
            .octets(b"open")
            .octet([0x80, 0xD2, 0, 1])
            .octets(b"yes")
            .octet([0, 0x55, 0, 1])
            .octets(b"data")
            .octet([0x80, 0x58, 0, 1])
            .octets(b"end");
        self.add("presentation", &presentation.into_vec());
        let rose =
            ScriptWriter::new().octet([0, 1, 0, 1, 0x80, 0xB3, 1, 1, 0xB0, 2, 1, 3, 0, 0x40, 2, 0, 0x80]);
        self.add("rose", &rose.into_vec());
        self.add("config", config_file::starting_file().as_bytes());
        for section in settings(config_file::starting_file()) {
            self.add("config", section.as_bytes());
        }
        let cotp = ScriptWriter::new().octet([4, 0]).octets(&[7; 300]).octet([0]).octets(&[9; 9_000]);
        self.add("cotp", &cotp.into_vec());
    }
}

/// Small configuration files: the least one, and with it each section of the file to start with, all settings in force.
fn settings(starting: &str) -> Vec<String> {
    const LEAST: &str = "[mta]\nname = \"MTA-A\"\ndata_dir = \"data\"\n\
        domain = { country = \"GB\", admd = \" \", prmd = \"ALPHA\" }\n";
    let key = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let setting =
        |line: &str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(name, _)| key(name));
    let in_force = |line: &str| {
        let line = line.trim_start_matches("# ");
        (setting(line) && !line.contains("_file = ")).then(|| format!("{line}\n"))
    };
    let mut files: Vec<String> = Vec::new();
    let mut connector = String::new();
    for section in starting.split("\n\n") {
        let lines: String = section.lines().filter_map(in_force).collect();
        if let Some((_, rest)) = lines.split_once("[mta]\n") {
            files.push(format!("[mta]\n{rest}"));
        } else if lines.starts_with("[[connector]]") {
            connector = lines;
        } else {
            files.push(format!("{LEAST}{lines}"));
        }
    }
    // A connector is long: without its tables, and with one of them each.
    let (head, tables) = connector.split_once("[connector.").unwrap_or((&connector, ""));
    files.push(format!("{LEAST}{head}"));
    for table in tables.split("[connector.") {
        files.push(format!(
            "{LEAST}[[connector]]\nname = \"b\"\nremote_mta = \"B\"\nhosts = [\"b\"]\n[connector.{table}"
        ));
    }
    files
}

/// All constructed elements inside one another, from the outside in, the first few.
fn elements(octets: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut waiting = vec![ber::Reader::new(octets)];
    while let Some(mut reader) = waiting.pop() {
        while let Ok(Some(element)) = reader.next() {
            if !element.constructed || found.len() > 40 {
                continue;
            }
            found.push(element.raw);
            waiting.extend(element.reader());
        }
    }
    found
}

/// The O/R names in an APDU.
fn names(apdu: &[u8]) -> Vec<&[u8]> {
    let is_name = |octets: &&[u8]| {
        let element = ber::Reader::new(octets).any();
        element.is_ok_and(|element| mhs::OrName::decode(&element).is_ok())
    };
    elements(apdu).into_iter().filter(is_name).collect()
}
