//! ROSE APDUs: what is read and written again reads the same. The machine: whatever comes, bounds hold and every
//! invocation has one outcome.
#![no_main]

use std::collections::BTreeSet;
use std::time::Duration;

use clock::MonoTime;
use libfuzzer_sys::fuzz_target;
use osi::presentation::ContextId;
use osi::rose::apdu::{Code, RoseApdu};
use osi::rose::bind::BindApdu;
use osi::rose::{Invocation, OperationClass, RoAction, RoIndication, Role, Ropm, RopmEvent, RoseConfig};

const CONTEXT: ContextId = ContextId(3);

fuzz_target!(|apdus: Vec<Vec<u8>>| {
    let config = RoseConfig { waiting_max: 8, incoming_max: 4, ..RoseConfig::new(Role::Initiator) };
    let mut machine = Ropm::new(config);
    let (now, mut out) = (MonoTime::START, Vec::new());
    let mut outstanding = BTreeSet::new();
    for class in [OperationClass::Asynchronous, OperationClass::ReportsFailure, OperationClass::Unreported] {
        let invocation = Invocation {
            context: CONTEXT,
            operation: Code::Local(3),
            argument: Vec::new(),
            class,
            linked_to: None,
            children: vec![Code::Local(5)],
            timeout: Duration::from_secs(1),
        };
        outstanding.extend(machine.invoke(now, invocation, &mut out));
    }
    for octets in apdus {
        if let Ok(apdu) = RoseApdu::decode(&octets) {
            assert_eq!(RoseApdu::decode(&apdu.encode()), Ok(apdu));
        }
        if let Ok(bind) = BindApdu::decode(&octets) {
            assert_eq!(BindApdu::decode(&bind.encode()), Ok(bind));
        }
        if machine.handle(now, RopmEvent::Received { context: CONTEXT, octets }, &mut out).is_err() {
            assert!(out.contains(&RoAction::Abort));
        }
        assert!(machine.incoming() <= config.incoming_max);
        assert!(machine.waiting() <= 2 * config.waiting_max);
    }
    let ended = machine.handle(now, RopmEvent::Ended, &mut out);
    assert!(ended.is_ok());
    for action in out {
        if let RoAction::Indication(RoIndication::Outcome { invoke_id, .. }) = action {
            assert!(outstanding.remove(&invoke_id), "a second outcome of {invoke_id}");
        }
    }
    assert!(outstanding.is_empty());
});
