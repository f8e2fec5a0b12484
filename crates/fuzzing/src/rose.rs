//! X.880. Codec: APDUs and bind wrappers that are read and written again read the same. Machine: any requests, answers,
//! losses and times. The limits hold; a refused request has no effect; an invocation of ours has one outcome; one of the
//! peer's is told once and ends once; what goes out can be read.

use std::collections::BTreeSet;
use std::time::Duration;

use ber::{Tag, Writer};
use clock::MonoTime;
use osi::presentation::ContextId;
use osi::rose::apdu::{Code, Invoke, InvokeId, OperationResult, Reject, ReturnError, ReturnResult, RoseApdu};
use osi::rose::bind::BindApdu;
use osi::rose::{
    AssociationClass, GeneralProblem, Invocation, InvokeProblem, OperationClass, Problem, Reply,
    ReplyProblem, ReturnResultProblem, RoAction, RoIndication, Role, Ropm, RopmEvent, RoseConfig, State,
};

use crate::Script;

const CONTEXT: ContextId = ContextId(3);

struct Machine {
    ropm: Ropm,
    config: RoseConfig,
    now: MonoTime,
    /// Invocations of ours without an outcome, and all there ever were.
    ours: BTreeSet<i64>,
    ever: BTreeSet<i64>,
    /// Invocations of the peer's that were told and have not ended.
    theirs: BTreeSet<i64>,
}

pub(crate) fn run(octets: &[u8]) {
    codec(octets);
    let mut script = Script::new(octets);
    let flags = script.octet();
    let config = RoseConfig {
        role: if flags & 1 == 0 { Role::Initiator } else { Role::Responder },
        association_class: match flags >> 1 & 3 {
            0 | 1 => AssociationClass::BothInvoke,
            2 => AssociationClass::InitiatorInvokes,
            _ => AssociationClass::ResponderInvokes,
        },
        outgoing_max: 5,
        incoming_max: 4,
        waiting_max: 8,
        absent_ids: flags & 8 != 0,
    };
    let mut machine = Machine {
        ropm: Ropm::new(config),
        config,
        now: MonoTime::START,
        ours: BTreeSet::new(),
        ever: BTreeSet::new(),
        theirs: BTreeSet::new(),
    };
    script.each_operation(|code, script| {
        match code {
            0..=0x3F => machine.invoke(code, script),
            0x40..=0x6F => machine.reply(code, script),
            0x70..=0x77 => {
                let id = i64::from(script.octet());
                let problem = ReplyProblem::Result(ReturnResultProblem::MISTYPED_RESULT);
                let mut out = Vec::new();
                let result = machine.ropm.reject_reply(id, CONTEXT, problem, &mut out);
                machine.checked(result.is_ok(), out);
            }
            0x78..=0x7B => {
                let _ = machine.ropm.release();
            }
            0x7C..=0x7F => {
                let _ = machine.ropm.release_refused();
            }
            0x80..=0x97 => machine.event(RopmEvent::Transferred),
            0x98..=0x9F => machine.event(RopmEvent::NotTransferred),
            0xA0..=0xA7 => {
                machine.now = machine.ropm.deadline().unwrap_or(machine.now).max(machine.now);
                machine.event(RopmEvent::Deadline);
                let later = machine.ropm.deadline().is_none_or(|deadline| deadline > machine.now);
                assert!(later, "a deadline stays in the past");
            }
            0xA8..=0xAF => {
                let octets = script.octets().to_vec();
                codec(&octets);
                machine.event(RopmEvent::Received { context: CONTEXT, octets });
            }
            0xB0..=0xFE => {
                let octets = apdu(code, script).encode();
                machine.event(RopmEvent::Received { context: CONTEXT, octets });
            }
            0xFF => machine.event(RopmEvent::Ended),
        }
        machine.limits();
    });
    machine.event(RopmEvent::Ended);
    assert_eq!(machine.ropm.state(), State::Ended);
    assert!(machine.ours.is_empty(), "without an outcome: {:?}", machine.ours);
    assert!(machine.theirs.is_empty(), "neither answered nor abandoned: {:?}", machine.theirs);
    assert_eq!((machine.ropm.outgoing(), machine.ropm.incoming(), machine.ropm.waiting()), (0, 0, 0));
    assert_eq!(machine.ropm.deadline(), None);
}

fn codec(octets: &[u8]) {
    if let Ok(apdu) = RoseApdu::decode(octets) {
        assert_eq!(RoseApdu::decode(&apdu.encode()), Ok(apdu));
    }
    if let Ok(bind) = BindApdu::decode(octets) {
        assert_eq!(BindApdu::decode(&bind.encode()), Ok(bind));
    }
}

fn value(script: &mut Script<'_>) -> Vec<u8> {
    match script.octet() {
        0..=0x7F => Vec::new(),
        0x80..=0xEF => Writer::encode(|w| w.primitive(Tag::OCTET_STRING, script.octets())),
        0xF0..=0xFF => script.octets().to_vec(),
    }
}

fn id(script: &mut Script<'_>) -> InvokeId {
    match script.octet() {
        0xFF => InvokeId::Absent,
        id => InvokeId::Present(i64::from(id % 16)),
    }
}

/// An APDU as a peer may send it, for good or ill.
fn apdu(code: u8, script: &mut Script<'_>) -> RoseApdu {
    let invoke_id = id(script);
    match code % 8 {
        0..=2 => RoseApdu::Invoke(Invoke {
            invoke_id,
            linked_id: script.one_in(4).then(|| id(script)),
            operation: Code::Local(i64::from(script.octet() % 8)),
            argument: value(script),
        }),
        3 | 4 => RoseApdu::ReturnResult(ReturnResult {
            invoke_id,
            result: script.one_in(2).then(|| OperationResult {
                operation: Code::Local(3),
                value: Writer::encode(|w| w.primitive(Tag::OCTET_STRING, script.octets())),
            }),
        }),
        5 => {
            RoseApdu::ReturnError(ReturnError { invoke_id, error: Code::Local(1), parameter: value(script) })
        }
        _ => RoseApdu::Reject(Reject {
            invoke_id,
            problem: match script.octet() % 4 {
                0 => Problem::General(GeneralProblem::MISTYPED_PDU),
                1 => Problem::Invoke(InvokeProblem::RESOURCE_LIMITATION),
                _ => Problem::ReturnResult(ReturnResultProblem::MISTYPED_RESULT),
            },
        }),
    }
}

impl Machine {
    fn invoke(&mut self, code: u8, script: &mut Script<'_>) {
        let invocation = Invocation {
            context: CONTEXT,
            operation: Code::Local(3),
            argument: value(script),
            class: match code % 8 {
                0 => OperationClass::Synchronous,
                1..=4 => OperationClass::Asynchronous,
                5 => OperationClass::ReportsFailure,
                6 => OperationClass::ReportsSuccess,
                _ => OperationClass::Unreported,
            },
            linked_to: script.one_in(4).then(|| i64::from(script.octet() % 16)),
            children: vec![Code::Local(5)],
            timeout: Duration::from_secs(u64::from(code)),
        };
        let mut out = Vec::new();
        let result = self.ropm.invoke(self.now, invocation, &mut out);
        if let Ok(invoke_id) = result {
            assert!(self.ours.insert(invoke_id), "identifier {invoke_id} is outstanding twice");
            assert!(self.ever.insert(invoke_id), "identifier {invoke_id} is used again");
        }
        self.checked(result.is_ok(), out);
    }

    fn reply(&mut self, code: u8, script: &mut Script<'_>) {
        let invoke_id = i64::from(script.octet() % 16);
        let reply = match code % 4 {
            0 => Reply::Result(value(script)),
            1 => Reply::Error { code: Code::Local(2), parameter: value(script) },
            2 => Reply::Reject(InvokeProblem::MISTYPED_ARGUMENT),
            _ => Reply::Silent,
        };
        let mut out = Vec::new();
        let result = self.ropm.reply(invoke_id, reply, &mut out);
        if result.is_ok() {
            assert!(self.theirs.remove(&invoke_id), "answered {invoke_id}, which nobody has invoked");
        }
        self.checked(result.is_ok(), out);
    }

    fn event(&mut self, event: RopmEvent) {
        let over = self.ropm.state() == State::Ended;
        let mut out = Vec::new();
        if self.ropm.handle(self.now, event, &mut out).is_err() {
            assert!(out.contains(&RoAction::Abort));
            assert_eq!(self.ropm.state(), State::Ended);
        }
        assert!(!over || out.is_empty(), "after the end {out:?}");
        self.check(out);
    }

    fn checked(&mut self, taken: bool, out: Vec<RoAction>) {
        assert!(taken || out.is_empty(), "a refused request has an effect");
        self.check(out);
    }

    fn check(&mut self, out: Vec<RoAction>) {
        for action in out {
            match action {
                RoAction::Transfer { apdu, .. } => {
                    assert!(RoseApdu::decode(&apdu).is_ok(), "an illegal APDU goes out");
                }
                RoAction::Abort => {}
                RoAction::Indication(RoIndication::Outcome { invoke_id, .. }) => {
                    assert!(self.ours.remove(&invoke_id), "a second outcome of {invoke_id}");
                }
                RoAction::Indication(RoIndication::Invoke { invoke_id: InvokeId::Present(id), .. }) => {
                    assert!(self.theirs.insert(id), "{id} is told twice");
                }
                RoAction::Indication(RoIndication::Invoke { invoke_id: InvokeId::Absent, .. }) => {
                    assert!(self.config.absent_ids);
                }
                RoAction::Indication(RoIndication::Abandoned { invoke_id }) => {
                    assert!(self.theirs.remove(&invoke_id), "{invoke_id} ends twice");
                }
                RoAction::Indication(
                    RoIndication::Rejected(_)
                    | RoIndication::ReplyNotTransferred { .. }
                    | RoIndication::Fault(_),
                ) => {}
            }
        }
    }

    fn limits(&self) {
        assert_eq!(self.ropm.outgoing(), self.ours.len());
        assert_eq!(self.ropm.incoming(), self.theirs.len());
        assert!(self.ropm.outgoing() <= self.config.outgoing_max);
        assert!(self.ropm.incoming() <= self.config.incoming_max);
        assert!(self.ropm.waiting() <= 2 * self.config.waiting_max);
    }
}
