//! Encodings of the ROSE APDUs against octets written down from the ASN.1, and laws of the codec.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/ber_forms.rs"]
mod ber_forms;

use ber::{ErrorKind, Oid, Tag, Writer};
use osi::rose::apdu::{
    ApduKind, Code, GLOBAL_CODE_OCTETS_MAX, Invoke, InvokeId, OperationResult, Reject, ReturnError,
    ReturnResult, RoseApdu,
};
use osi::rose::bind::{BindApdu, BindKind};
use osi::rose::{GeneralProblem, InvokeProblem, Problem, ReturnErrorProblem, ReturnResultProblem};
use proptest::prelude::*;

use InvokeId::{Absent, Present};

fn both_ways(apdu: RoseApdu, octets: &[u8]) {
    assert_eq!(apdu.encode(), octets, "{apdu:?}");
    assert_eq!(RoseApdu::decode(octets).unwrap(), apdu);
}

fn global() -> Code {
    // 2.6.0.1.6
    Code::Global(Oid::from_static(&[0x56, 0, 1, 6]))
}

fn invoke(invoke_id: InvokeId, linked_id: Option<InvokeId>, operation: Code, argument: &[u8]) -> RoseApdu {
    RoseApdu::Invoke(Invoke { invoke_id, linked_id, operation, argument: argument.to_vec() })
}

#[test]
fn invokes() {
    // Message submission (3) with an argument.
    both_ways(
        invoke(Present(1), None, Code::Local(3), &[0x30, 0x03, 0x02, 0x01, 0x2A]),
        &[0xA1, 0x0B, 0x02, 0x01, 0x01, 0x02, 0x01, 0x03, 0x30, 0x03, 0x02, 0x01, 0x2A],
    );
    // A child of invocation 300, without an argument; a negative code.
    both_ways(
        invoke(Present(2), Some(Present(300)), Code::Local(-1), &[]),
        &[0xA1, 0x0A, 0x02, 0x01, 0x02, 0x80, 0x02, 0x01, 0x2C, 0x02, 0x01, 0xFF],
    );
    // No identifier, linked to an invocation without one; a global code.
    both_ways(
        invoke(Absent, Some(Absent), global(), &[0x05, 0x00]),
        &[0xA1, 0x0C, 0x05, 0x00, 0x81, 0x00, 0x06, 0x04, 0x56, 0x00, 0x01, 0x06, 0x05, 0x00],
    );
    // The argument may have any tag, even those of the fields before it.
    both_ways(
        invoke(Present(-128), None, Code::Local(0), &[0x80, 0x01, 0x07]),
        &[0xA1, 0x09, 0x02, 0x01, 0x80, 0x02, 0x01, 0x00, 0x80, 0x01, 0x07],
    );
}

#[test]
fn results() {
    both_ways(
        RoseApdu::ReturnResult(ReturnResult { invoke_id: Present(5), result: None }),
        &[0xA2, 0x03, 0x02, 0x01, 0x05],
    );
    let result = |operation| Some(OperationResult { operation, value: vec![0x31, 0x00] });
    both_ways(
        RoseApdu::ReturnResult(ReturnResult { invoke_id: Present(5), result: result(Code::Local(22)) }),
        &[0xA2, 0x0A, 0x02, 0x01, 0x05, 0x30, 0x05, 0x02, 0x01, 0x16, 0x31, 0x00],
    );
    both_ways(
        RoseApdu::ReturnResult(ReturnResult { invoke_id: Absent, result: result(global()) }),
        &[0xA2, 0x0C, 0x05, 0x00, 0x30, 0x08, 0x06, 0x04, 0x56, 0x00, 0x01, 0x06, 0x31, 0x00],
    );
}

#[test]
fn errors() {
    both_ways(
        RoseApdu::ReturnError(ReturnError {
            invoke_id: Present(5),
            error: Code::Local(3),
            parameter: vec![0x30, 0x00],
        }),
        &[0xA3, 0x08, 0x02, 0x01, 0x05, 0x02, 0x01, 0x03, 0x30, 0x00],
    );
    both_ways(
        RoseApdu::ReturnError(ReturnError { invoke_id: Absent, error: global(), parameter: vec![] }),
        &[0xA3, 0x08, 0x05, 0x00, 0x06, 0x04, 0x56, 0x00, 0x01, 0x06],
    );
}

#[test]
fn rejects_with_every_problem() {
    let general = [
        GeneralProblem::UNRECOGNIZED_PDU,
        GeneralProblem::MISTYPED_PDU,
        GeneralProblem::BADLY_STRUCTURED_PDU,
    ]
    .map(Problem::General);
    let invoke = [
        InvokeProblem::DUPLICATE_INVOCATION,
        InvokeProblem::UNRECOGNIZED_OPERATION,
        InvokeProblem::MISTYPED_ARGUMENT,
        InvokeProblem::RESOURCE_LIMITATION,
        InvokeProblem::RELEASE_IN_PROGRESS,
        InvokeProblem::UNRECOGNIZED_LINKED_ID,
        InvokeProblem::LINKED_RESPONSE_UNEXPECTED,
        InvokeProblem::UNEXPECTED_LINKED_OPERATION,
    ]
    .map(Problem::Invoke);
    let result = [
        ReturnResultProblem::UNRECOGNIZED_INVOCATION,
        ReturnResultProblem::RESULT_RESPONSE_UNEXPECTED,
        ReturnResultProblem::MISTYPED_RESULT,
    ]
    .map(Problem::ReturnResult);
    let error = [
        ReturnErrorProblem::UNRECOGNIZED_INVOCATION,
        ReturnErrorProblem::ERROR_RESPONSE_UNEXPECTED,
        ReturnErrorProblem::UNRECOGNIZED_ERROR,
        ReturnErrorProblem::UNEXPECTED_ERROR,
        ReturnErrorProblem::MISTYPED_PARAMETER,
    ]
    .map(Problem::ReturnError);
    let mut texts = Vec::new();
    for (choice, problems) in [(0x80, &general[..]), (0x81, &invoke), (0x82, &result), (0x83, &error)] {
        for (code, &problem) in (0..).zip(problems) {
            let reject = |invoke_id| RoseApdu::Reject(Reject { invoke_id, problem });
            both_ways(reject(Present(9)), &[0xA4, 0x06, 0x02, 0x01, 0x09, choice, 0x01, code]);
            both_ways(reject(Absent), &[0xA4, 0x05, 0x05, 0x00, choice, 0x01, code]);
            texts.push(problem.to_string());
        }
    }
    assert_eq!(texts.len(), 19);
    assert!(texts.iter().all(|text| !text.contains("problem")), "a named problem without its name");
    assert_eq!(texts[3], "invoke: duplicate invocation");
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 19);

    // A number of a later edition is kept.
    let later = Problem::ReturnError(ReturnErrorProblem(77));
    both_ways(
        RoseApdu::Reject(Reject { invoke_id: Present(9), problem: later }),
        &[0xA4, 0x06, 0x02, 0x01, 0x09, 0x83, 0x01, 0x4D],
    );
    assert_eq!(later.to_string(), "return error: problem 77");
}

#[test]
fn binds_and_unbinds() {
    let kinds = [
        (BindKind::BindInvoke, 0xB0),
        (BindKind::BindResult, 0xB1),
        (BindKind::BindError, 0xB2),
        (BindKind::UnbindInvoke, 0xB3),
        (BindKind::UnbindResult, 0xB4),
        (BindKind::UnbindError, 0xB5),
    ];
    for (kind, tag) in kinds {
        for (value, octets) in [(vec![0x31, 0x00], vec![tag, 0x02, 0x31, 0x00]), (vec![], vec![tag, 0x00])] {
            let apdu = BindApdu { kind, value };
            assert_eq!(apdu.encode(), octets);
            assert_eq!(BindApdu::decode(&octets).unwrap(), apdu);
        }
    }
    for (octets, kind) in [
        (&[0xAF, 0x00][..], ErrorKind::UnexpectedTag { expected: Tag::context(16), found: Tag::context(15) }),
        (&[0xB6, 0x00], ErrorKind::UnexpectedTag { expected: Tag::context(16), found: Tag::context(22) }),
        (&[0x90, 0x00], ErrorKind::NotConstructed(Tag::context(16))),
        (&[0xB0, 0x04, 0x05, 0x00, 0x05, 0x00], ErrorKind::Trailing),
        (&[0xB0, 0x00, 0x00], ErrorKind::Trailing),
        (&[0xB0, 0x02, 0x05], ErrorKind::Truncated),
        (&[], ErrorKind::Truncated),
    ] {
        assert_eq!(BindApdu::decode(octets).unwrap_err().kind, kind, "{octets:02x?}");
    }
}

/// What is wrong decides the problem; the kind and the identifier are told as far as they could be read.
#[test]
fn what_is_no_apdu_tells_how_to_reject_it() {
    const UNRECOGNIZED: GeneralProblem = GeneralProblem::UNRECOGNIZED_PDU;
    const MISTYPED: GeneralProblem = GeneralProblem::MISTYPED_PDU;
    const STRUCTURE: GeneralProblem = GeneralProblem::BADLY_STRUCTURED_PDU;
    let one = Present(1);
    let cases: &[(&[u8], Option<ApduKind>, InvokeId, GeneralProblem)] = &[
        // Nothing; half an element; two of them.
        (&[], None, Absent, STRUCTURE),
        (&[0xA1, 0x05, 0x02, 0x01], None, Absent, STRUCTURE),
        (&[0xA2, 0x03, 0x02, 0x01, 0x01, 0x00], None, Absent, STRUCTURE),
        // Other tags.
        (&[0xA0, 0x00], None, Absent, UNRECOGNIZED),
        (&[0xA5, 0x03, 0x02, 0x01, 0x01], None, Absent, UNRECOGNIZED),
        (&[0x30, 0x00], None, Absent, UNRECOGNIZED),
        (&[0x61, 0x00], None, Absent, UNRECOGNIZED),
        // A primitive one, an empty one, one with a wrong identifier or a NULL with contents.
        (&[0x81, 0x00], Some(ApduKind::Invoke), Absent, MISTYPED),
        (&[0xA1, 0x00], Some(ApduKind::Invoke), Absent, MISTYPED),
        (&[0xA1, 0x03, 0x04, 0x01, 0x01], Some(ApduKind::Invoke), Absent, MISTYPED),
        (&[0xA1, 0x03, 0x05, 0x01, 0x01], Some(ApduKind::Invoke), Absent, MISTYPED),
        (&[0xA1, 0x02, 0x02, 0x00], Some(ApduKind::Invoke), Absent, MISTYPED),
        // No operation; one of another type; two arguments; an argument that breaks off.
        (&[0xA1, 0x03, 0x02, 0x01, 0x01], Some(ApduKind::Invoke), one, MISTYPED),
        (&[0xA1, 0x06, 0x02, 0x01, 0x01, 0x0A, 0x01, 0x01], Some(ApduKind::Invoke), one, MISTYPED),
        (
            &[0xA1, 0x0A, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01, 0x05, 0x00, 0x05, 0x00],
            Some(ApduKind::Invoke),
            one,
            MISTYPED,
        ),
        (
            &[0xA1, 0x08, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01, 0x30, 0x05],
            Some(ApduKind::Invoke),
            one,
            STRUCTURE,
        ),
        // A linked NULL with contents.
        (
            &[0xA1, 0x09, 0x02, 0x01, 0x01, 0x81, 0x01, 0x00, 0x02, 0x01, 0x01],
            Some(ApduKind::Invoke),
            one,
            MISTYPED,
        ),
        // A result without its value, and with two; one that is no sequence.
        (
            &[0xA2, 0x08, 0x02, 0x01, 0x01, 0x30, 0x03, 0x02, 0x01, 0x01],
            Some(ApduKind::ReturnResult),
            one,
            MISTYPED,
        ),
        (
            &[0xA2, 0x0C, 0x02, 0x01, 0x01, 0x30, 0x07, 0x02, 0x01, 0x01, 0x05, 0x00, 0x05, 0x00],
            Some(ApduKind::ReturnResult),
            one,
            MISTYPED,
        ),
        (&[0xA2, 0x05, 0x02, 0x01, 0x01, 0x05, 0x00], Some(ApduKind::ReturnResult), one, MISTYPED),
        // No error code.
        (&[0xA3, 0x03, 0x02, 0x01, 0x01], Some(ApduKind::ReturnError), one, MISTYPED),
        // No problem, and one of a choice that there is not.
        (&[0xA4, 0x03, 0x02, 0x01, 0x01], Some(ApduKind::Reject), one, MISTYPED),
        (&[0xA4, 0x06, 0x02, 0x01, 0x01, 0x84, 0x01, 0x00], Some(ApduKind::Reject), one, MISTYPED),
        (&[0xA4, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x00], Some(ApduKind::Reject), one, MISTYPED),
        // An identifier outside 64 bits.
        (
            &[0xA2, 0x0B, 0x02, 0x09, 0x01, 0, 0, 0, 0, 0, 0, 0, 0],
            Some(ApduKind::ReturnResult),
            Absent,
            MISTYPED,
        ),
    ];
    for &(octets, kind, invoke_id, problem) in cases {
        let error = RoseApdu::decode(octets).unwrap_err();
        assert_eq!((error.kind, error.invoke_id, error.problem), (kind, invoke_id, problem), "{octets:02x?}");
        let reject = Reject { invoke_id, problem: Problem::General(problem) };
        assert_eq!(error.reject(), (kind != Some(ApduKind::Reject)).then_some(reject));
    }
    assert_eq!(
        RoseApdu::decode(&[0xA1, 0x00]).unwrap_err().to_string(),
        "no Invoke: [UNIVERSAL 2] missing at octet 2"
    );
}

#[test]
fn lenient_where_ber_is() {
    // Indefinite lengths, a long form, an integer longer than it need be; the argument stays as it came.
    let octets = [
        0xA1, 0x80, 0x02, 0x81, 0x02, 0x00, 0x01, 0x02, 0x01, 0x03, 0x30, 0x80, 0x02, 0x01, 0x2A, 0x00, 0x00,
        0x00, 0x00,
    ];
    let argument = [0x30, 0x80, 0x02, 0x01, 0x2A, 0x00, 0x00];
    assert_eq!(RoseApdu::decode(&octets).unwrap(), invoke(Present(1), None, Code::Local(3), &argument));
}

#[test]
fn a_global_code_has_a_bound() {
    let with = |length: usize| {
        Writer::encode(|w| {
            w.constructed(Tag::context(1), |w| {
                w.integer(Tag::INTEGER, 1);
                w.primitive(Tag::OBJECT_IDENTIFIER, &vec![1; length]);
            });
        })
    };
    assert!(RoseApdu::decode(&with(GLOBAL_CODE_OCTETS_MAX)).is_ok());
    let error = RoseApdu::decode(&with(GLOBAL_CODE_OCTETS_MAX + 1)).unwrap_err();
    assert_eq!((error.invoke_id, error.problem), (Present(1), GeneralProblem::MISTYPED_PDU));
}

fn any_id() -> impl Strategy<Value = InvokeId> {
    prop_oneof![any::<i64>().prop_map(Present), Just(Absent)]
}

fn any_code() -> impl Strategy<Value = Code> {
    prop_oneof![
        any::<i64>().prop_map(Code::Local),
        (0u32..3, 0u32..40, prop::collection::vec(any::<u32>(), 0..5)).prop_map(|(first, second, rest)| {
            let arcs = [vec![first, second], rest].concat();
            Code::Global(Oid::from_arcs(&arcs).unwrap())
        }),
    ]
}

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    (1u32..100, prop::collection::vec(any::<u8>(), 0..300))
        .prop_map(|(tag, contents)| Writer::encode(|w| w.primitive(Tag::context(tag), &contents)))
}

fn any_optional_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(Vec::new()), any_value()]
}

fn any_apdu() -> impl Strategy<Value = RoseApdu> {
    prop_oneof![
        (any_id(), prop::option::of(any_id()), any_code(), any_optional_value()).prop_map(
            |(invoke_id, linked_id, operation, argument)| {
                RoseApdu::Invoke(Invoke { invoke_id, linked_id, operation, argument })
            }
        ),
        (any_id(), prop::option::of((any_code(), any_value()))).prop_map(|(invoke_id, result)| {
            let result = result.map(|(operation, value)| OperationResult { operation, value });
            RoseApdu::ReturnResult(ReturnResult { invoke_id, result })
        }),
        (any_id(), any_code(), any_optional_value()).prop_map(|(invoke_id, error, parameter)| {
            RoseApdu::ReturnError(ReturnError { invoke_id, error, parameter })
        }),
        (any_id(), 0u32..4, any::<i64>()).prop_map(|(invoke_id, choice, code)| {
            let problem = Problem::from_code(choice, code).unwrap();
            RoseApdu::Reject(Reject { invoke_id, problem })
        }),
    ]
}

/// The same without argument, result or parameter.
fn without_values(mut apdu: RoseApdu) -> RoseApdu {
    match &mut apdu {
        RoseApdu::Invoke(invoke) => invoke.argument.clear(),
        RoseApdu::ReturnResult(answer) => {
            if let Some(result) = &mut answer.result {
                result.value.clear();
            }
        }
        RoseApdu::ReturnError(answer) => answer.parameter.clear(),
        RoseApdu::Reject(_) => {}
    }
    apdu
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_form_of_an_encoding_is_read(apdu in any_apdu()) {
        for form in ber_forms::FORMS {
            let read = RoseApdu::decode(&ber_forms::reform(&apdu.encode(), form)).unwrap();
            // Values are kept as they came; all the rest is the same.
            prop_assert_eq!(without_values(read), without_values(apdu.clone()));
        }
    }

    #[test]
    fn what_is_written_reads_the_same(apdu in any_apdu()) {
        prop_assert_eq!(RoseApdu::decode(&apdu.encode()), Ok(apdu));
    }

    /// Octets of any kind, and APDUs with an octet changed or the end cut off: no panic, and what is read can be
    /// written and read again.
    #[test]
    fn any_octets_are_read_or_rejected(
        apdu in any_apdu(),
        noise in prop::collection::vec(any::<u8>(), 0..64),
        at in any::<prop::sample::Index>(),
        octet in any::<u8>(),
    ) {
        let mut changed = apdu.encode();
        let index = at.index(changed.len());
        changed[index] = octet;
        let cut = apdu.encode()[..index].to_vec();
        prop_assert!(RoseApdu::decode(&cut).is_err());
        for octets in [noise, changed] {
            if let Ok(read) = RoseApdu::decode(&octets) {
                prop_assert_eq!(RoseApdu::decode(&read.encode()), Ok(read));
            }
            if let Ok(read) = BindApdu::decode(&octets) {
                prop_assert_eq!(BindApdu::decode(&read.encode()), Ok(read));
            }
        }
    }
}
