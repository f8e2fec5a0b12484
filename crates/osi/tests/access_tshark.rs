//! Another implementation's opinion: Wireshark follows P3 through what two access stacks say to each other.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/access.rs"]
mod access;

use access::{A, B, Pair, direct, invocation, reference, reliable};
use ber::{Tag, Writer};
use osi::access::{AccessConfig, AccessRequest, AccessStack, Form};
use osi::rose::apdu::Code;
use osi::rose::{InvokeProblem, Reply};
use testkit::{PcapBuilder, Ports, Tshark};

/// MTSBindArgument of an MTA with a password.
fn bind_argument() -> Vec<u8> {
    Writer::encode(|w| {
        w.constructed(Tag::SET, |w| {
            w.constructed(Tag::context(0), |w| w.primitive(Tag::IA5_STRING, b"MTA-A"));
            w.constructed(Tag::context(2), |w| w.primitive(Tag::IA5_STRING, b"secret"));
        });
    })
}

/// MTSBindResult.
fn bind_result() -> Vec<u8> {
    Writer::encode(|w| {
        w.constructed(Tag::SET, |w| {
            w.constructed(Tag::context(0), |w| w.primitive(Tag::IA5_STRING, b"MTA-B"));
            w.constructed(Tag::context(2), |w| w.primitive(Tag::IA5_STRING, b"secret"));
        });
    })
}

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

/// cancel-deferred-delivery.
const CANCEL: i64 = 7;

/// Without RTSE the dissectors know operations only in the syntax of the bind.
fn forms() -> [AccessConfig; 2] {
    let mut direct = direct();
    direct.context.operation_syntaxes = vec![direct.context.bind_syntax.clone()];
    [direct, reliable()]
}

fn conversation(config: &AccessConfig) -> Pair {
    let mut config = config.clone();
    config.local.transport = b"tsA".to_vec();
    config.remote.presentation = b"psB".to_vec();
    let stack = AccessStack::initiator(config.clone(), bind_argument(), reference());
    let mut pair = Pair::of(stack, AccessStack::responder(config));
    pair.ends[B].bind_result = bind_result();
    pair
}

fn infos(tshark: &Tshark, pair: &Pair, protocol: &str) -> Vec<String> {
    let turns = pair.turns.iter().map(|(side, octets)| (*side, octets.as_slice()));
    let capture = PcapBuilder::new().conversation(Ports::default(), turns).into_vec();
    let report = tshark.check_octets(&capture, &[102]).unwrap_or_else(|error| panic!("{error}"));
    report.with_protocol(protocol).map(|frame| frame.info.clone()).collect()
}

#[test]
fn nothing_that_is_sent_is_complained_about() {
    let Some(tshark) = Tshark::required_by("access: nothing_that_is_sent_is_complained_about") else {
        return;
    };
    for config in forms() {
        let mut pair = conversation(&config);
        pair.start();
        for reply in [
            Reply::Result(vec![5, 0]),
            Reply::Error { code: Code::Local(7), parameter: vec![5, 0] },
            Reply::Reject(InvokeProblem::RESOURCE_LIMITATION),
        ] {
            pair.ends[B].reply_with = Some(reply);
            let syntax = &config.context.operation_syntaxes[0];
            let context = pair.ends[A].stack.context(syntax).unwrap();
            let cancel = invocation(context, CANCEL, submission_identifier());
            pair.invoke_as(A, cancel, 1).unwrap();
            pair.pump();
        }
        assert_eq!(pair.ends[A].outcomes().len(), 3);
        pair.request(A, AccessRequest::Unbind { argument: Vec::new() });
        pair.run_to_end();
        assert_eq!(
            infos(&tshark, &pair, "acse"),
            [
                "mts_bind_argument MTA-A simple",
                "mts_bind_result MTA-B simple",
                "Release-Request (normal)",
                "Release-Response (normal)",
            ]
        );
        let carrier = match config.form {
            Form::Direct => "ros",
            Form::Reliable(_) => "rtse",
        };
        let found: Vec<_> = infos(&tshark, &pair, carrier)
            .into_iter()
            .filter(|info| !info.starts_with("Turn-Please") && !info.starts_with("mts_bind"))
            .collect();
        let asked = "cancel_deferred_delivery_argument";
        assert_eq!(
            found,
            [
                asked,
                "cancel_deferred_delivery_result",
                asked,
                "message_submission_identifier_invalid",
                asked,
                "Reject resourceLimitation",
            ]
        );
    }
}

#[test]
fn refusals_and_aborts_are_not_complained_about() {
    let Some(tshark) = Tshark::required_by("access: refusals_and_aborts_are_not_complained_about") else {
        return;
    };
    for config in forms() {
        let mut refused = conversation(&config);
        refused.ends[B].reject_bind = Some(true);
        refused.start();
        refused.run_to_end();
        assert!(!infos(&tshark, &refused, "acse").is_empty());
        for side in [A, B] {
            let mut aborted = conversation(&config);
            aborted.start();
            aborted.request(side, AccessRequest::Abort);
            aborted.run_to_end();
            assert!(!infos(&tshark, &aborted, "acse").is_empty());
        }
    }
}
