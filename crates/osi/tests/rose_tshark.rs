//! Another implementation's opinion: Wireshark finds remote operations of P3 in what two machines say to each other.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use core::time::Duration;

use ber::{Oid, Tag, Writer};
use clock::MonoTime;
use osi::presentation::ContextId;
use osi::presentation::ppdu::{ContextDefinition, ContextResult, Cp, Cpa};
use osi::rose::apdu::{Code, InvokeId};
use osi::rose::{
    Invocation, InvokeProblem, OperationClass, Reply, RoAction, RoIndication, Role, Ropm, RopmEvent,
    RoseConfig,
};
use osi::session::spdu::{Ac, Cn, ConnectItem, FunctionalUnits, Spdu, UserData, dt_tsdu};
use testkit::{PcapBuilder, Ports, Side, Tshark, split_tsdu};

const CONTEXT: ContextId = ContextId(3);
/// Basic encoding rules, 2.1.1.
const BER: Oid = Oid::from_static(&[0x51, 1]);
/// id-as-mts, 2.6.0.2.11: the syntax of P3 by which Wireshark knows its operations.
const MTS: Oid = Oid::from_static(&[0x56, 0, 2, 11]);
/// cancel-deferred-delivery: the argument is a message submission identifier, the result NULL.
const CANCEL: Code = Code::Local(7);
const NULL: [u8; 2] = [5, 0];

fn submission_identifier() -> Vec<u8> {
    Writer::encode(|w| {
        w.constructed(Tag::application(4), |w| {
            w.constructed(Tag::application(3), |w| {
                w.constructed(Tag::application(1), |w| w.primitive(Tag::PRINTABLE_STRING, b"NO"));
                w.constructed(Tag::application(2), |w| w.primitive(Tag::PRINTABLE_STRING, b"ADMD"));
            });
            w.primitive(Tag::IA5_STRING, b"deferred-1");
        });
    })
}

/// The APDU in a P-DATA of its context.
fn data(apdu: &[u8]) -> Vec<u8> {
    let user_data = Writer::encode(|w| {
        w.constructed(Tag::application(1), |w| {
            w.constructed(Tag::SEQUENCE, |w| {
                w.integer(Tag::INTEGER, CONTEXT.0);
                w.constructed(Tag::context(0), |w| w.raw(apdu));
            });
        });
    });
    dt_tsdu(None, &user_data)
}

fn connection() -> [(Side, Vec<u8>); 2] {
    let definition =
        ContextDefinition { context: CONTEXT, abstract_syntax: MTS, transfer_syntaxes: vec![BER] };
    let cp = Cp { contexts: vec![definition], ..Cp::default() };
    let results = vec![ContextResult::Accepted(Some(BER))];
    let cpa = Cpa { results, ..Cpa::default() };
    let item = || ConnectItem { version: Some(2), ..ConnectItem::default() };
    let units = Some(FunctionalUnits::RTSE);
    let user_data = cp.encode();
    let cn = Spdu::Cn(Cn { user_requirements: units, item: item(), user_data, ..Cn::default() });
    let user = UserData::whole(cpa.encode());
    let ac = Spdu::Ac(Ac { user_requirements: units, item: item(), user, ..Ac::default() });
    [(Side::Initiator, cn.to_tsdu().unwrap()), (Side::Responder, ac.to_tsdu().unwrap())]
}

/// Hands on what one machine has put out, and gives what the other was told.
fn deliver(turns: &mut Vec<(Side, Vec<u8>)>, from: Side, out: Vec<RoAction>, to: &mut Ropm) -> Vec<RoAction> {
    let mut told = Vec::new();
    for action in out {
        if let RoAction::Transfer { context, apdu } = action {
            turns.push((from, data(&apdu)));
            to.handle(MonoTime::START, RopmEvent::Received { context, octets: apdu }, &mut told).unwrap();
        }
    }
    told
}

#[test]
fn nothing_that_is_sent_is_complained_about() {
    let Some(tshark) = Tshark::required_by("rose: nothing_that_is_sent_is_complained_about") else { return };
    let mut user = Ropm::new(RoseConfig::new(Role::Initiator));
    let mut mts = Ropm::new(RoseConfig::new(Role::Responder));
    let mut turns = connection().to_vec();
    let replies = [
        Reply::Result(NULL.to_vec()),
        // message-submission-identifier-invalid
        Reply::Error { code: Code::Local(7), parameter: NULL.to_vec() },
        Reply::Reject(InvokeProblem::RESOURCE_LIMITATION),
    ];
    for reply in replies {
        let mut out = Vec::new();
        let invocation = Invocation {
            context: CONTEXT,
            operation: CANCEL,
            argument: submission_identifier(),
            class: OperationClass::Asynchronous,
            linked_to: None,
            children: Vec::new(),
            timeout: Duration::from_secs(60),
        };
        user.invoke(MonoTime::START, invocation, &mut out).unwrap();
        let told = deliver(&mut turns, Side::Initiator, out, &mut mts);
        let [RoAction::Indication(RoIndication::Invoke { invoke_id: InvokeId::Present(id), .. })] = told[..]
        else {
            panic!("{told:?}")
        };
        let mut out = Vec::new();
        mts.reply(id, reply, &mut out).unwrap();
        deliver(&mut turns, Side::Responder, out, &mut user);
    }
    assert_eq!((user.outgoing(), mts.incoming(), turns.len()), (0, 0, 8));

    let tpkts: Vec<_> = turns.iter().map(|(side, tsdu)| (*side, split_tsdu(tsdu))).collect();
    let turns = tpkts.iter().map(|(side, octets)| (*side, octets.as_slice()));
    let capture = PcapBuilder::new().conversation(Ports::default(), turns).into_vec();
    let report = tshark.check_octets(&capture, &[102]).unwrap_or_else(|error| panic!("{error}"));
    let infos: Vec<_> = report.with_protocol("ros").map(|frame| frame.info.as_str()).collect();
    let submitted = "cancel_deferred_delivery_argument";
    assert_eq!(
        infos,
        [
            submitted,
            "cancel_deferred_delivery_result",
            submitted,
            "message_submission_identifier_invalid",
            submitted,
            "Reject resourceLimitation",
        ]
    );
}
