//! Two ends in memory with the layers up to a given one, and an APDU carried from one to the other as RTSE would have it:
//! in pieces of one checkpoint, a synchronization point after each but the last, within an activity. Below the session
//! layer there are only the pieces.

use clock::{MonoTime, WallTime};
use osi::cotp::{Cotp, CotpAction, CotpConfig, CotpEvent, TIndication, TRequest};
use osi::presentation::{
    ContextId, Contexts, PConnect, PIndication, PRequest, PValue, Ppm, PpmAction, PpmConfig, PpmEvent,
    PresentationMode, SyncIndication, SyncRequest,
};
use osi::rtse::{Mode, OpenData, RtIndication, RtRequest};
use osi::session::{SessionConfig, Spm, SpmAction, SpmEvent, SsIndication, SsRequest};
use osi::stack::{SessionReference, Stack, StackAction, StackConfig};
use osi::tpkt::{self, Deframer, MAX_TPDU_OCTETS};
use runtime::p1_application;

use super::BenchError;

/// How many layers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layers {
    /// TPKT and X.224.
    Transport,
    /// X.225 as well.
    Session,
    /// X.226 as well.
    Presentation,
    /// All, put together by [`Stack`].
    Stack,
}

impl Layers {
    pub(super) const ALL: [Layers; 4] =
        [Layers::Transport, Layers::Session, Layers::Presentation, Layers::Stack];

    /// What comes on top of those before it.
    pub(super) fn top(self) -> &'static str {
        match self {
            Layers::Transport => "TPKT, COTP",
            Layers::Session => "session",
            Layers::Presentation => "presentation",
            Layers::Stack => "RTSE, composing",
        }
    }
}

/// Two ends that are connected.
pub(super) enum Carrier {
    /// Some of the layers.
    Part(Box<[Part; 2]>),
    /// All of them.
    Whole(Box<[Stack; 2]>),
}

/// Octets of a piece: the checkpoint size that RTSE proposes by default.
const PIECE_OCTETS: usize = 30 * 1024;
const NOW: MonoTime = MonoTime::START;

impl Carrier {
    /// Connects the two ends.
    pub(super) fn open(layers: Layers, mode: Mode) -> Result<Carrier, BenchError> {
        match layers {
            Layers::Stack => whole(mode),
            Layers::Transport | Layers::Session | Layers::Presentation => {
                let end = || Part::new(layers, mode.presentation());
                let mut ends = Box::new([end(), end()]);
                connect(&mut ends, layers, mode.presentation())?;
                Ok(Carrier::Part(ends))
            }
        }
    }

    /// Carries one APDU, up to the word that it was accepted.
    pub(super) fn carry(&mut self, apdu: &[u8]) -> Result<(), BenchError> {
        match self {
            Carrier::Part(ends) => carry_part(ends, apdu),
            Carrier::Whole(stacks) => carry_whole(stacks, apdu),
        }
    }
}

fn failed(error: &impl std::fmt::Display) -> BenchError {
    BenchError::Association(error.to_string())
}

fn stuck() -> BenchError {
    BenchError::Association("an APDU did not arrive as it was sent".to_owned())
}

/// What the top layer of a [`Part`] is given or gives.
enum Unit {
    Data(Vec<u8>),
    Sync(SyncRequest),
    Synced(SyncIndication),
    Other,
}

/// One end with some of the layers.
pub(super) struct Part {
    layers: Layers,
    mode: PresentationMode,
    deframer: Deframer,
    cotp: Cotp,
    spm: Option<Spm>,
    ppm: Ppm,
    /// Packets to the other end.
    wire: Vec<u8>,
    /// What came up.
    up: Vec<Unit>,
}

impl Part {
    fn new(layers: Layers, mode: PresentationMode) -> Part {
        Part {
            layers,
            mode,
            deframer: Deframer::new(MAX_TPDU_OCTETS),
            cotp: Cotp::responder(CotpConfig::default()),
            spm: None,
            ppm: Ppm::new(PpmConfig { syntaxes: syntaxes(), ..PpmConfig::default() }),
            wire: Vec::new(),
            up: Vec::new(),
        }
    }

    fn cotp(&mut self, event: CotpEvent<'_>) -> Result<(), BenchError> {
        let mut out = Vec::new();
        self.cotp.handle(NOW, event, &mut out).map_err(|error| failed(&error))?;
        for action in out {
            match action {
                CotpAction::Tpdu(tpdu) => {
                    tpkt::frame(&tpdu, &mut self.wire).map_err(|error| failed(&error))?;
                }
                CotpAction::Indication(TIndication::Connect { .. }) => {
                    self.cotp(CotpEvent::Request(TRequest::Accept))?;
                    self.spm(SpmEvent::TConnectIndication)?;
                }
                CotpAction::Indication(TIndication::Confirm) => self.spm(SpmEvent::TConnectConfirm)?,
                CotpAction::Indication(TIndication::Data(tsdu)) => match self.layers {
                    Layers::Transport => self.up.push(Unit::Data(tsdu)),
                    Layers::Session | Layers::Presentation | Layers::Stack => {
                        self.spm(SpmEvent::Tsdu(&tsdu))?;
                    }
                },
                // Each of these layers gives its data whole.
                CotpAction::Indication(
                    TIndication::DataPart { .. } | TIndication::TooLong { .. } | TIndication::Disconnect(_),
                )
                | CotpAction::Close => return Err(stuck()),
            }
        }
        Ok(())
    }

    fn spm(&mut self, event: SpmEvent<'_>) -> Result<(), BenchError> {
        let Some(spm) = &mut self.spm else { return Ok(()) };
        let mut out = Vec::new();
        spm.handle(NOW, event, &mut out).map_err(|error| failed(&error))?;
        for action in out {
            match action {
                SpmAction::Tsdu(tsdu) => self.cotp(CotpEvent::Request(TRequest::Data(tsdu)))?,
                SpmAction::Indication(indication) => self.session(indication)?,
                SpmAction::TsduPart { .. } | SpmAction::TDisconnect => return Err(stuck()),
            }
        }
        Ok(())
    }

    fn session(&mut self, indication: SsIndication) -> Result<(), BenchError> {
        if self.layers == Layers::Presentation {
            return self.ppm(PpmEvent::Session(indication));
        }
        let unit = match indication {
            SsIndication::Connect(_) => {
                return self.spm(SpmEvent::Request(SsRequest::ConnectAccept(Default::default())));
            }
            SsIndication::Data(data) => Unit::Data(data),
            SsIndication::SyncMinor { serial, confirm } => {
                Unit::Synced(SyncIndication::Minor { serial, confirm })
            }
            SsIndication::ActivityEnd { serial } => Unit::Synced(SyncIndication::ActivityEnd { serial }),
            SsIndication::ActivityEndConfirm => Unit::Synced(SyncIndication::ActivityEndConfirm),
            _ => Unit::Other,
        };
        self.up.push(unit);
        Ok(())
    }

    fn ppm(&mut self, event: PpmEvent) -> Result<(), BenchError> {
        let mut out = Vec::new();
        self.ppm.handle(event, &mut out).map_err(|error| failed(&error))?;
        for action in out {
            match action {
                PpmAction::Session(SsRequest::Connect(connect)) => {
                    self.spm = Some(Spm::initiator(session(), connect));
                }
                PpmAction::Session(request) => self.spm(SpmEvent::Request(request))?,
                PpmAction::Indication(PIndication::Connect(_)) => {
                    let user_data = self.values(vec![0x31, 0]);
                    self.ppm(PpmEvent::Request(PRequest::ConnectAccept { user_data }))?;
                }
                PpmAction::Indication(PIndication::Data(values)) => {
                    self.up.extend(values.into_iter().map(|value| Unit::Data(value.encoding)));
                }
                PpmAction::Indication(PIndication::Sync(sync)) => self.up.push(Unit::Synced(sync)),
                PpmAction::Indication(_) => self.up.push(Unit::Other),
            }
        }
        Ok(())
    }

    fn values(&self, encoding: Vec<u8>) -> Vec<PValue> {
        let context = match self.mode {
            PresentationMode::Normal => ContextId(3),
            PresentationMode::X410 => ContextId::DEFAULT,
        };
        vec![PValue { context, encoding }]
    }

    /// A piece as the top layer takes it: what the presentation layer carries in normal mode is an encoding (RTTR).
    fn piece(&self, octets: &[u8]) -> Vec<u8> {
        match (self.layers, self.mode) {
            (Layers::Presentation, PresentationMode::Normal) => {
                ber::Writer::encode(|w| w.primitive(ber::Tag::OCTET_STRING, octets))
            }
            (_, PresentationMode::Normal | PresentationMode::X410) => octets.to_vec(),
        }
    }

    /// Gives something to the top layer.
    fn put(&mut self, unit: Unit) -> Result<(), BenchError> {
        match (self.layers, unit) {
            (Layers::Transport, Unit::Data(data)) => self.cotp(CotpEvent::Request(TRequest::Data(data))),
            (Layers::Session, Unit::Data(data)) => self.spm(SpmEvent::Request(SsRequest::Data(data))),
            (Layers::Session, Unit::Sync(sync)) => self.spm(SpmEvent::Request(match sync {
                SyncRequest::Minor => SsRequest::SyncMinor,
                SyncRequest::MinorResponse { serial } => SsRequest::SyncMinorResponse { serial },
                SyncRequest::ActivityStart { activity } => SsRequest::ActivityStart { activity },
                SyncRequest::ActivityEnd => SsRequest::ActivityEnd,
                SyncRequest::ActivityEndResponse => SsRequest::ActivityEndResponse,
                _ => return Err(stuck()),
            })),
            (Layers::Presentation, Unit::Data(data)) => {
                let values = self.values(data);
                self.ppm(PpmEvent::Request(PRequest::Data(values)))
            }
            (Layers::Presentation, Unit::Sync(sync)) => self.ppm(PpmEvent::Request(PRequest::Sync(sync))),
            (Layers::Transport, _) | (_, Unit::Synced(_) | Unit::Other) | (Layers::Stack, _) => Ok(()),
        }
    }

    fn receive(&mut self, octets: &[u8]) -> Result<(), BenchError> {
        let mut rest = octets;
        while let Some(tpdu) = self.deframer.next(&mut rest).map_err(|error| failed(&error))? {
            self.cotp(CotpEvent::Tpdu(&tpdu))?;
        }
        Ok(())
    }
}

fn syntaxes() -> Vec<ber::Oid> {
    let application = p1_application();
    vec![osi::acse::ABSTRACT_SYNTAX_ACSE, application.bind_and_rtse_syntax, application.apdu_syntax]
}

fn session() -> SessionConfig {
    SessionConfig::default()
}

fn connect(ends: &mut [Part; 2], layers: Layers, mode: PresentationMode) -> Result<(), BenchError> {
    let [a, b] = ends;
    a.cotp = Cotp::initiator(CotpConfig {
        tpdu_size: StackConfig::new(p1_application()).tpdu_size_offered,
        ..CotpConfig::default()
    });
    match layers {
        Layers::Transport | Layers::Stack => {}
        Layers::Session => {
            a.spm = Some(Spm::initiator(session(), Default::default()));
            b.spm = Some(Spm::responder(session()));
        }
        Layers::Presentation => {
            b.spm = Some(Spm::responder(session()));
            let contexts = match mode {
                PresentationMode::Normal => Contexts::propose(&syntaxes()),
                PresentationMode::X410 => Contexts::default(),
            };
            let user_data = a.values(vec![0x31, 0]);
            let connect = PConnect { mode, contexts, user_data, ..PConnect::default() };
            a.ppm(PpmEvent::Request(PRequest::Connect(connect)))?;
        }
    }
    a.cotp(CotpEvent::Start)?;
    settle(a, b)?;
    a.cotp.user_is_open(CotpConfig::default().max_tsdu);
    b.cotp.user_is_open(CotpConfig::default().max_tsdu);
    a.up.clear();
    b.up.clear();
    Ok(())
}

/// Carries packets until there are none.
fn settle(a: &mut Part, b: &mut Part) -> Result<(), BenchError> {
    while !a.wire.is_empty() || !b.wire.is_empty() {
        let (from_a, from_b) = (std::mem::take(&mut a.wire), std::mem::take(&mut b.wire));
        b.receive(&from_a)?;
        a.receive(&from_b)?;
    }
    Ok(())
}

fn carry_part(ends: &mut [Part; 2], apdu: &[u8]) -> Result<(), BenchError> {
    let [a, b] = ends;
    let (mut sent, mut arrived) = (0, 0);
    a.put(Unit::Sync(SyncRequest::ActivityStart { activity: vec![2, 1, 1] }))?;
    let mut pieces = apdu.chunks(PIECE_OCTETS).peekable();
    while let Some(piece) = pieces.next() {
        let piece = a.piece(piece);
        sent += piece.len();
        a.put(Unit::Data(piece))?;
        let then = if pieces.peek().is_some() { SyncRequest::Minor } else { SyncRequest::ActivityEnd };
        a.put(Unit::Sync(then))?;
        settle(a, b)?;
        for unit in std::mem::take(&mut b.up) {
            match unit {
                Unit::Data(data) => arrived += data.len(),
                Unit::Synced(SyncIndication::Minor { serial, .. }) => {
                    b.put(Unit::Sync(SyncRequest::MinorResponse { serial }))?;
                }
                Unit::Synced(SyncIndication::ActivityEnd { .. }) => {
                    b.put(Unit::Sync(SyncRequest::ActivityEndResponse))?;
                }
                Unit::Synced(_) | Unit::Sync(_) | Unit::Other => {}
            }
        }
        settle(a, b)?;
    }
    let ended = matches!(a.up.last(), Some(Unit::Synced(SyncIndication::ActivityEndConfirm)));
    a.up.clear();
    if arrived == sent && (ended || a.layers == Layers::Transport) { Ok(()) } else { Err(stuck()) }
}

fn whole(mode: Mode) -> Result<Carrier, BenchError> {
    let mut config = StackConfig::new(p1_application());
    config.rtse.mode = mode;
    config.rtse.application_protocols = vec![12];
    let reference =
        SessionReference { user_reference: "bench".to_owned(), time: WallTime::from_unix(1_700_000_000) };
    let open = OpenData::Open(vec![0xB0, 2, 5, 0]);
    let mut stacks = Box::new([Stack::initiator(config.clone(), open, reference), Stack::responder(config)]);
    let mut actions = [Vec::new(), Vec::new()];
    for (stack, out) in stacks.iter_mut().zip(&mut actions) {
        stack.start(NOW, out);
    }
    let mut opened = false;
    exchange(&mut stacks, actions, |side, stack, indication, out| match (side, indication) {
        (1, RtIndication::Open(_)) => {
            let accept = RtRequest::OpenAccept { user_data: vec![0xB1, 2, 5, 0] };
            stack.request(NOW, accept, out).map_err(|error| failed(&error))
        }
        (0, RtIndication::OpenConfirm { .. }) => {
            opened = true;
            Ok(())
        }
        _ => Err(stuck()),
    })?;
    if opened { Ok(Carrier::Whole(stacks)) } else { Err(stuck()) }
}

fn carry_whole(stacks: &mut [Stack; 2], apdu: &[u8]) -> Result<(), BenchError> {
    let mut actions = [Vec::new(), Vec::new()];
    let [a, _] = stacks;
    let transfer = RtRequest::Transfer { length: apdu.len() as u64 };
    let [first, _] = &mut actions;
    a.request(NOW, transfer, first).map_err(|error| failed(&error))?;
    let (mut given, mut arrived, mut confirmed) = (0, 0, false);
    exchange(stacks, actions, |_, stack, indication, out| {
        let request = match indication {
            RtIndication::SegmentWanted { octets } => {
                let segment = apdu.get(given..given + octets).unwrap_or_default().to_vec();
                given += octets;
                RtRequest::Segment(segment)
            }
            RtIndication::Checkpoint { serial } => RtRequest::CheckpointSecured { serial },
            RtIndication::TransferEnd => RtRequest::TransferAccept,
            RtIndication::TransferData(octets) => {
                arrived += octets.len();
                return Ok(());
            }
            RtIndication::TransferStart => return Ok(()),
            RtIndication::TransferConfirm => {
                confirmed = true;
                return Ok(());
            }
            _ => return Err(stuck()),
        };
        stack.request(NOW, request, out).map_err(|error| failed(&error))
    })?;
    if confirmed && arrived == apdu.len() { Ok(()) } else { Err(stuck()) }
}

/// Carries out actions, and those that follow from them, until there are none.
fn exchange(
    stacks: &mut [Stack; 2],
    mut actions: [Vec<StackAction>; 2],
    mut user: impl FnMut(usize, &mut Stack, RtIndication, &mut Vec<StackAction>) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    while actions.iter().any(|actions| !actions.is_empty()) {
        for side in [0, 1] {
            let (a, b) = stacks.split_at_mut(1);
            let ([a], [b]) = (a, b) else { return Err(stuck()) };
            let (own, peer) = if side == 0 { (a, b) } else { (b, a) };
            let mut wire = Vec::new();
            let mut next = Vec::new();
            for action in actions.get_mut(side).map(std::mem::take).unwrap_or_default() {
                match action {
                    StackAction::Transmit(octets) => wire.extend_from_slice(&octets),
                    StackAction::Indication(indication) => user(side, own, indication, &mut next)?,
                    StackAction::Close => return Err(stuck()),
                }
            }
            if let Some(actions) = actions.get_mut(1 - side) {
                peer.receive(NOW, &wire, actions);
            }
            if let Some(actions) = actions.get_mut(side) {
                actions.extend(next);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_layers_carries_messages_of_any_size() {
        for mode in [Mode::Normal1988, Mode::X410 { application_protocol: 12 }] {
            for layers in Layers::ALL {
                let mut carrier = Carrier::open(layers, mode).unwrap_or_else(|e| panic!("{layers:?}: {e}"));
                for size in [10, 2_048, 100_000] {
                    let apdu = ber::Writer::encode(|w| w.primitive(ber::Tag::OCTET_STRING, &vec![7; size]));
                    carrier.carry(&apdu).unwrap_or_else(|e| panic!("{layers:?}, {size} octets: {e}"));
                }
            }
        }
    }
}
