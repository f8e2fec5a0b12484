//! X.224 class 0. Codec: what is read and written again reads the same. Machine: whatever TPDUs, requests and times come
//! in whatever order, nothing illegal goes out, a refused request has no effect, the end is told once, and no TSDU
//! exceeds the limit of its time. Two machines: what goes in as T-DATA comes out as it was.

use std::time::Duration;

use clock::MonoTime;
use osi::cotp::tpdu::{Tpdu, TpduSize};
use osi::cotp::{Cotp, CotpAction, CotpConfig, CotpError, CotpEvent, TIndication, TRequest};

use crate::Script;

const OPENING_MAX: usize = 1_000;
const OPEN_MAX: usize = 10_000;

fn config(size: TpduSize) -> CotpConfig {
    CotpConfig {
        calling_selector: b"from".to_vec(),
        called_selector: b"to".to_vec(),
        tpdu_size: size,
        max_tsdu: OPENING_MAX,
        connect_timeout: Duration::from_secs(60),
    }
}

pub(crate) fn run(octets: &[u8]) {
    codec(octets);
    let mut script = Script::new(octets);
    let flags = script.octet();
    let size = if flags & 2 == 0 { TpduSize::MAX } else { TpduSize::OCTETS_2048 };
    if flags & 4 != 0 {
        carried(size, &mut script);
        return;
    }
    let initiator = flags & 1 != 0;
    let cotp = if initiator { Cotp::initiator(config(size)) } else { Cotp::responder(config(size)) };
    let mut machine = Machine { cotp, limit: OPENING_MAX, held: 0, ended: false };
    let mut now = MonoTime::START;
    machine.event(now, CotpEvent::Start);
    script.each_operation(|code, script| match code % 12 {
        0..=4 => {
            let tpdu = script.octets();
            codec(tpdu);
            machine.event(now, CotpEvent::Tpdu(tpdu));
        }
        5 => machine.event(now, CotpEvent::Request(TRequest::Accept)),
        6 => machine.event(now, CotpEvent::Request(TRequest::Refuse { reason: script.octet() })),
        7 => machine.event(now, CotpEvent::Request(TRequest::Data(script.octets().to_vec()))),
        8 => machine.event(now, CotpEvent::Request(TRequest::Disconnect)),
        9 => {
            machine.cotp.user_is_open(OPEN_MAX);
            machine.limit = OPEN_MAX;
        }
        10 => {
            now = machine.cotp.deadline().unwrap_or(now).max(now);
            machine.event(now, CotpEvent::Deadline);
            assert!(
                machine.cotp.deadline().is_none_or(|deadline| deadline > now),
                "a deadline stays in the past"
            );
        }
        _ => machine.event(now, CotpEvent::TransportClosed),
    });
}

fn codec(octets: &[u8]) {
    if let Ok(tpdu) = Tpdu::decode(octets)
        && let Ok(encoded) = tpdu.encode()
    {
        assert_eq!(Tpdu::decode(&encoded), Ok(tpdu));
    }
}

struct Machine {
    cotp: Cotp,
    limit: usize,
    /// Octets of DTs that came since the last whole TSDU.
    held: usize,
    /// Close was given.
    ended: bool,
}

impl Machine {
    fn event(&mut self, now: MonoTime, event: CotpEvent<'_>) {
        let was_closed = self.cotp.is_closed();
        let (requested, came) = match &event {
            CotpEvent::Request(_) => (true, 0),
            CotpEvent::Tpdu(tpdu) => (false, tpdu.len()),
            CotpEvent::Start | CotpEvent::TransportClosed | CotpEvent::Deadline => (false, 0),
        };
        self.held += came;
        let mut out = Vec::new();
        let result = self.cotp.handle(now, event, &mut out);
        match result {
            Err(CotpError::RequestOutOfState { .. }) => {
                assert!(out.is_empty(), "a refused request has an effect")
            }
            Err(error) => {
                assert!(self.cotp.is_closed(), "{error}, and the machine goes on");
                assert_eq!(out.last(), Some(&CotpAction::Close));
                assert!(!error.to_string().is_empty());
            }
            Ok(()) => {}
        }
        assert!(requested || out.len() <= 3, "{out:?}");
        for action in out {
            assert!(!self.ended, "{action:?} after Close");
            match action {
                CotpAction::Tpdu(tpdu) => {
                    assert!(!was_closed);
                    assert!(Tpdu::decode(&tpdu).is_ok(), "an illegal TPDU goes out");
                }
                CotpAction::Indication(TIndication::Data(tsdu)) => {
                    assert!(tsdu.len() <= self.limit && tsdu.len() <= self.held);
                    self.held = 0;
                }
                CotpAction::Indication(
                    TIndication::Connect { .. }
                    | TIndication::DataPart { .. }
                    | TIndication::Confirm
                    | TIndication::TooLong { .. }
                    | TIndication::Disconnect(_),
                ) => {}
                CotpAction::Close => self.ended = true,
            }
        }
        assert!(self.cotp.partial_octets() <= self.limit.max(OPENING_MAX));
    }
}

/// TSDUs from one machine to another.
fn carried(size: TpduSize, script: &mut Script<'_>) {
    let now = MonoTime::START;
    let mut a = Cotp::initiator(config(size));
    let mut b = Cotp::responder(config(TpduSize::MAX));
    let mut out = Vec::new();
    a.handle(now, CotpEvent::Start, &mut out).expect("it begins");
    for tpdu in tpdus(&mut out) {
        b.handle(now, CotpEvent::Tpdu(&tpdu), &mut out).expect("our CR");
    }
    out.clear();
    b.handle(now, CotpEvent::Request(TRequest::Accept), &mut out).expect("it was asked");
    for tpdu in tpdus(&mut out) {
        a.handle(now, CotpEvent::Tpdu(&tpdu), &mut out).expect("our CC");
    }
    out.clear();
    b.user_is_open(OPEN_MAX);
    script.each_operation(|_, script| {
        let tsdu = script.octets();
        a.handle(now, CotpEvent::Request(TRequest::Data(tsdu.to_vec())), &mut out).expect("it is open");
        let mut got = Vec::new();
        for tpdu in tpdus(&mut out) {
            assert!(tpdu.len() <= size.octets());
            b.handle(now, CotpEvent::Tpdu(&tpdu), &mut got).expect("our DT");
        }
        let expected = match tsdu.len() {
            // There is no TSDU without octets.
            0 => vec![],
            1..=OPEN_MAX => vec![TIndication::Data(tsdu.to_vec())],
            _ => vec![TIndication::TooLong { limit: OPEN_MAX }],
        };
        let expected: Vec<CotpAction> = expected.into_iter().map(CotpAction::Indication).collect();
        assert_eq!(got, expected);
    });
}

fn tpdus(out: &mut Vec<CotpAction>) -> Vec<Vec<u8>> {
    out.drain(..)
        .filter_map(|action| match action {
            CotpAction::Tpdu(tpdu) => Some(tpdu),
            CotpAction::Indication(_) | CotpAction::Close => None,
        })
        .collect()
}
