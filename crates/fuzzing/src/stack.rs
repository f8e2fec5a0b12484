//! A whole stack with a peer that sends anything: any octets in any pieces, TSDUs that are almost legal, any requests of
//! the user, any time.
//!
//! It always ends, once: one last indication, one Close, nothing after either. What a stack makes of octets does not
//! depend on the pieces they come in. A refused request has no effect. What goes out is TPKTs. A peer gets few octets for
//! many, and no more is told to the user than came.

use ber::Oid;
use clock::{MonoTime, WallTime};
use osi::rtse::{AbortReason, DialogueMode, Mode, OpenData, RefuseReason, RtIndication, RtRequest};
use osi::stack::{ApplicationContext, SessionReference, Stack, StackAction, StackConfig};
use testkit::split_tsdu;

use crate::{Script, legal};

/// Settings that a script chooses.
pub(crate) fn config(flags: u8) -> StackConfig {
    let oid = |arcs: &[u32]| Oid::from_arcs(arcs).expect("a legal object identifier");
    let mut config = StackConfig::new(ApplicationContext {
        application_context: oid(&[2, 6, 0, 1, 6]),
        bind_and_rtse_syntax: oid(&[2, 6, 0, 2, 12]),
        apdu_syntax: oid(&[2, 6, 0, 2, 7]),
    });
    if flags & 1 == 0 {
        config.rtse.dialogue_mode = DialogueMode::TwoWayAlternate;
    }
    if flags & 2 != 0 {
        config.rtse.mode = Mode::X410 { application_protocol: 12 };
    }
    config.rtse.application_protocols = vec![12];
    config.rtse.checkpoint_size_kb = u32::from(flags >> 2 & 3);
    config.rtse.window_size = u32::from(flags >> 4 & 3);
    config.session.tsdu_max = if flags & 0x40 == 0 { 0 } else { 700 };
    config.max_tsdu = if flags & 0x80 == 0 { TSDU_MAX } else { TSDU_MAX / 8 };
    config.pass_on_above = if flags & 0x80 == 0 { 1_000 } else { 50 };
    config
}

/// Longest TSDU that is taken.
const TSDU_MAX: usize = 40_000;

pub(crate) fn initiator(config: StackConfig) -> Stack {
    let time = WallTime::from_unix(1_700_000_000);
    let reference = SessionReference { user_reference: "fuzz".to_owned(), time };
    Stack::initiator(config, OpenData::Open(vec![0xB0, 0x02, 0x05, 0x00]), reference)
}

pub(crate) fn is_last(indication: &RtIndication) -> bool {
    matches!(indication, RtIndication::OpenRefused(_) | RtIndication::Closed | RtIndication::Aborted(_))
}

struct Machine {
    stack: Stack,
    now: MonoTime,
    wanted: Option<usize>,
    last: usize,
    closes: usize,
    /// Octets that came, and octets of APDUs told.
    came: usize,
    told: usize,
}

pub(crate) fn run(octets: &[u8]) {
    let mut script = Script::new(octets);
    let flags = script.octet();
    let called = flags & 1 == 0;
    let settings = config(script.octet());
    let stack = if called { Stack::responder(settings) } else { initiator(settings) };
    let mut machine =
        Machine { stack, now: MonoTime::START, wanted: None, last: 0, closes: 0, came: 0, told: 0 };
    let mut out = Vec::new();
    machine.stack.start(machine.now, &mut out);
    machine.check(out);
    if flags & 2 != 0 {
        // A connection and an association, so that scripts need not find them.
        machine.connect(called);
        let pieces = legal::tsdus();
        let x410 = flags & 4 != 0;
        let opening = match (called, x410) {
            (true, false) => pieces.first(),
            (true, true) => pieces.get(1),
            (false, _) => pieces.get(2),
        };
        machine.receive(&split_tsdu(opening.map_or(&[][..], Vec::as_slice)), usize::MAX);
        if called {
            machine.request(RtRequest::OpenAccept { user_data: vec![0xB1, 0x02, 0x05, 0x00] });
        }
    }
    let pieces = legal::tsdus();
    script.each_operation(|code, script| match code {
        0..=0x3F => {
            let tsdu = legal::changed(pieces, script);
            machine.receive(&split_tsdu(&tsdu), usize::from(code) * 3 + 1);
        }
        0x40..=0x5F => machine.receive(&split_tsdu(script.octets()), usize::from(code & 0x1F) + 1),
        0x60..=0x6F => machine.receive(script.octets(), usize::from(code & 0xF) + 1),
        0x70..=0x77 => machine.connect(called),
        0x78..=0x7F => machine.tick(),
        0x80..=0x87 => machine.stack.wrote(machine.now),
        0x88 => {
            let mut out = Vec::new();
            machine.stack.transport_closed(machine.now, script.one_in(2), &mut out);
            machine.check(out);
        }
        code => {
            let request = machine.made(code, script);
            machine.request(request);
        }
    });
    let mut out = Vec::new();
    machine.stack.transport_closed(machine.now, false, &mut out);
    machine.check(out);
    assert!(machine.stack.is_finished());
    assert_eq!(machine.stack.deadline(), None);
    assert_eq!((machine.last, machine.closes), (1, 1));
}

impl Machine {
    /// A legal connect TPDU of the peer.
    fn connect(&mut self, called: bool) {
        let code = if called { 0xE0 } else { 0xD0 };
        self.receive(&[3, 0, 0, 11, 6, code, 0, u8::from(!called), 0, 1, 0], usize::MAX);
    }

    /// Octets come, whole and, to a copy, in pieces.
    fn receive(&mut self, octets: &[u8], chunk: usize) {
        let mut copy = self.stack.clone();
        self.came += octets.len();
        let mut out = Vec::new();
        self.stack.receive(self.now, octets, &mut out);
        let mut in_pieces = Vec::new();
        for piece in octets.chunks(chunk) {
            copy.receive(self.now, piece, &mut in_pieces);
        }
        assert_eq!(in_pieces, out, "the pieces matter");
        assert_eq!(copy.deadline(), self.stack.deadline(), "the pieces matter for the time");
        let sent: usize = out.iter().map(sent).sum();
        assert!(sent <= 16 * 1024 + 32 * octets.len(), "{sent} octets for {}", octets.len());
        self.check(out);
    }

    fn tick(&mut self) {
        let Some(deadline) = self.stack.deadline() else { return };
        self.now = self.now.max(deadline);
        let mut out = Vec::new();
        self.stack.tick(self.now, &mut out);
        self.check(out);
        let later = self.stack.deadline().is_none_or(|deadline| deadline > self.now);
        assert!(later, "a deadline stays in the past");
    }

    fn made(&self, code: u8, script: &mut Script<'_>) -> RtRequest {
        match code % 16 {
            0 | 1 => RtRequest::OpenAccept { user_data: vec![0xB1, 0x02, 0x05, 0x00] },
            2 => RtRequest::OpenReject {
                user_data: script.octets().to_vec(),
                refuse_reason: RefuseReason::RTS_BUSY,
                transient: script.one_in(2),
            },
            3 | 4 => RtRequest::Transfer { length: u64::from(script.number()) },
            5..=7 => RtRequest::Segment(vec![0x55; self.wanted.unwrap_or(usize::from(script.octet()))]),
            8 => RtRequest::TransferCancel,
            9 => RtRequest::CheckpointSecured { serial: u32::from(script.octet()) },
            10 | 11 => RtRequest::TransferAccept,
            12 => RtRequest::TransferRefuse { transient: script.one_in(2) },
            13 => RtRequest::TurnPlease { priority: u32::from(script.octet()) },
            14 => RtRequest::TurnGive,
            _ if script.octet() % 4 < 3 => RtRequest::Close,
            _ => RtRequest::Abort(AbortReason(i64::from(script.octet()))),
        }
    }

    fn request(&mut self, request: RtRequest) {
        let ends_want = matches!(request, RtRequest::Segment(_) | RtRequest::Transfer { .. });
        let mut out = Vec::new();
        match self.stack.request(self.now, request, &mut out) {
            Ok(()) => {
                if ends_want {
                    self.wanted = None;
                }
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert!(out.is_empty(), "a refused request has an effect");
            }
        }
        self.check(out);
    }

    fn check(&mut self, out: Vec<StackAction>) {
        for action in out {
            assert_eq!(self.closes, 0, "{action:?} after Close");
            match action {
                StackAction::Transmit(packet) => is_packet(&packet),
                StackAction::Close => {
                    self.closes += 1;
                    assert_eq!(self.last, 1, "closed without a word to the user");
                }
                StackAction::Indication(indication) => {
                    assert_eq!(self.last, 0, "{indication:?} after the end");
                    self.last += usize::from(is_last(&indication));
                    match indication {
                        RtIndication::SegmentWanted { octets } => self.wanted = Some(octets),
                        RtIndication::TransferData(octets) => {
                            self.told += octets.len();
                            assert!(self.told <= self.came, "more is told than came");
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

fn sent(action: &StackAction) -> usize {
    match action {
        StackAction::Transmit(packet) => packet.len(),
        StackAction::Close | StackAction::Indication(_) => 0,
    }
}

/// What goes out is one TPKT, or several.
pub(crate) fn is_packet(octets: &[u8]) {
    let mut rest = octets;
    while let [version, _, high, low, ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        assert!(*version == 3 && length >= 7, "no TPKT: {rest:02x?}");
        let (_, later) = rest.split_at_checked(length).expect("half a TPKT goes out");
        rest = later;
    }
    assert!(rest.is_empty() && !octets.is_empty());
}
